// SPDX-License-Identifier: GPL-2.0
/*
 * Functions of the library in any order, with arguments that make no sense, built with
 * sanitizers: each says what is wrong, and afterwards a channel works as ever. The same
 * handle twice is no handle; that much is up to the caller.
 *
 * CALLS=  how many (default: 3000)
 * SEED=   which ones (default: by chance; it is printed)
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	4
#define CARDS		2
#define HELD		6	/* frames of a channel that are kept, or are none */

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = 2048, .frame_bytes = 8192, .rate = 102400,
};

static u64 state;
static unsigned int refused, accepted, strange, silent, frames;

static u32 below(u32 n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % n;
}

static bool one_in(u32 n)
{
	return below(n) == 0;
}

/* What a function said: an errno, and a message with it. */
static int said(int ret)
{
	if (ret >= 0) {
		accepted++;
		return ret;
	}
	refused++;
	if (ret < -133 || ret == -ENOSYS) {
		printf("# returned %d: %s\n", ret, daq_errmsg());
		strange++;
	}
	silent += !*daq_errmsg();
	return ret;
}

/* The tests' own counters live as long as the test. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:stats_read\n";
}

/* ---- What there is ---- */

struct channel {
	struct daq_chan *chan;
	struct daq_frame frames[HELD];
};

static struct card {
	struct daq_card *card;
	struct channel channels[CHANNELS];
} cards[CARDS];

static int sockets[2];	/* between two processes, if there were two */

static struct card *any_card(void)
{
	return &cards[below(CARDS)];
}

/* One that is open, most likely. */
static struct channel *any_channel(void)
{
	struct channel *found = NULL;
	int i;

	for (i = 0; i < 8; i++) {
		found = &any_card()->channels[below(CHANNELS)];
		if (found->chan)
			return found;
	}
	return NULL;
}

static void forget(struct card *card)
{
	memset(card->channels, 0, sizeof(card->channels));
}

/* Those that were sent away, or closed by a callback. */
static void find_channels(struct card *card)
{
	unsigned int i;

	for (i = 0; i < CHANNELS; i++)
		if (card->channels[i].chan && daq_card__chan(card->card, i) != card->channels[i].chan)
			memset(&card->channels[i], 0, sizeof(card->channels[i]));
}

/* ---- Calls ---- */

static void open_card(void)
{
	struct card *card = any_card();

	if (!card->card)
		said(daq_card__open(one_in(16) ? "lo" : one_in(16) ? "nobody0" :
				    card_ifname(CHANNELS), NULL, &card->card));
}

static void close_card(void)
{
	struct card *card = any_card();

	if (!one_in(8))
		return;
	daq_card__close(card->card);
	card->card = NULL;
	forget(card);
}

static void open_channel(void)
{
	struct card *card = any_card();
	unsigned int number = below(CHANNELS + 1), i;
	/* a caller of a later version may have more of them */
	struct {
		struct daq_chan_opts opts;
		char more[64];
	} user = { 0 };
	struct daq_chan *chan = NULL;

	user.opts = (struct daq_chan_opts){
		.sz = one_in(32) ? below(sizeof(user)) : sizeof(user.opts),
		.direction = one_in(4) ? DAQ_OUTPUT : one_in(32) ? below(100) : DAQ_INPUT,
		.mode = one_in(32) ? below(100) : below(3),
		.buffer_bytes = one_in(2) ? 0 : below(1 << 20),
		.stopped = one_in(8), .sendable = one_in(8), .observe = one_in(8),
		.truncated = one_in(8), .policy = one_in(32) ? below(100) : below(3),
	};
	user.more[0] = one_in(2);
	if (!card->card || (number < CHANNELS && card->channels[number].chan))
		return;
	if (said(daq_chan__open(card->card, number, one_in(8) ? NULL : &user.opts, &chan)))
		return;
	for (i = 0; i < CHANNELS; i++)
		if (i == number)
			card->channels[i].chan = chan;
}

static void close_channel(void)
{
	struct channel *channel = any_channel();

	if (!channel || !one_in(4))
		return;
	daq_chan__close(channel->chan);
	memset(channel, 0, sizeof(*channel));
}

static void next(void)
{
	struct channel *channel = any_channel();

	if (channel)
		frames += said(daq_chan__next(channel->chan, &channel->frames[below(HELD)],
					      one_in(2) ? 0 : below(20))) > 0;
}

/* One of its own, one of another's, or none. */
static void release(void)
{
	struct channel *channel = any_channel(), *other = any_channel();
	struct daq_frame frame;

	if (!channel || !other)
		return;
	frame = (one_in(8) ? other : channel)->frames[below(HELD)];
	if (one_in(8))
		frame.id = one_in(2) ? ~0u : below(1000);
	said(daq_chan__release(channel->chan, &frame));
}

static void reserve(void)
{
	struct channel *channel = any_channel();
	struct daq_frame *frame;

	if (!channel)
		return;
	frame = &channel->frames[below(HELD)];
	if (said(daq_chan__reserve(channel->chan, one_in(8) ? below(100000) :
				   below(format.frame_bytes), frame, below(2))) > 0)
		memset(frame->data, 0x11, frame->len);
}

static void submit(void)
{
	struct channel *channel = any_channel();
	struct daq_frame frame;

	if (!channel)
		return;
	frame = channel->frames[below(HELD)];
	if (one_in(4))
		frame.len = below(20000);
	if (one_in(16))
		frame.id = below(1000);
	frame.gap.samples = below(10);
	said(daq_chan__submit(channel->chan, &frame, one_in(2) ? 0 : below(256)));
}

static void ask(void)
{
	struct channel *channel = any_channel();
	struct daq_chan_stats stats;
	struct iovec memory;
	struct daq_gap gap;

	if (!channel)
		return;
	switch (below(8)) {
	case 0: said(daq_chan__start(channel->chan)); break;
	case 1: said(daq_chan__loss(channel->chan, &gap)); break;
	case 2: said(daq_chan__stats(channel->chan, &stats, below(sizeof(stats) + 1))); break;
	case 3: said(daq_chan__fd(channel->chan)); break;
	case 4: said(daq_chan__drain(channel->chan, below(5))); break;
	case 5: said(daq_chan__set_trigger_fd(channel->chan, one_in(2) ? -1 : (int)below(20))); break;
	case 6: said(daq_chan__set_trigger(channel->chan, NULL)); break;
	default:
		daq_chan__memory(channel->chan, &memory);
		accepted += daq_chan__capacity(channel->chan) + daq_chan__number(channel->chan) +
			    daq_chan__zero_copy(channel->chan) +
			    !daq_chan__format(channel->chan)->rate;
	}
}

static void ask_card(void)
{
	struct card *card = any_card();
	enum daq_personality personality;
	struct daq_format other = format;

	if (!card->card)
		return;
	switch (below(6)) {
	case 0: said(daq_card__format(card->card, below(CHANNELS + 2), &other)); break;
	case 1:
		if (one_in(2))
			other.frame_bytes = below(40000);
		if (one_in(8))
			other.segment_bytes = below(100000);
		other.source = one_in(8) ? below(100) : DAQ_SOURCE_COUNTER;
		said(daq_card__set_format(card->card, below(CHANNELS + 2), &other,
					  one_in(4) ? below(1 << 16) : DAQ_FORMAT_SOURCE |
					  DAQ_FORMAT_FRAME_BYTES | DAQ_FORMAT_SEGMENT_BYTES));
		break;
	case 2: said(daq_card__personality(card->card, &personality)); break;
	case 3: said(daq_card__set_personality(card->card, below(100))); break;
	case 4: said(daq_card__set_cable(card->card, one_in(2) ? card->card : NULL)); break;
	default: accepted += daq_card__channels(card->card) + !*daq_loss_name(below(100));
	}
}

/* Callbacks that close channels: their own, others, or none. */
static int take(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	struct card *card = ctx;

	frames++;
	if (one_in(4)) {
		daq_chan__close(chan);
		return one_in(2) ? 0 : -ECANCELED;
	}
	if (one_in(8))
		daq_chan__close(daq_card__chan(card->card, below(CHANNELS)));
	else
		daq_chan__release(chan, frame);
	return 0;
}

static void dispatch(void)
{
	struct channel *channel = any_channel();
	struct card *card = any_card();
	int i;

	if (!card->card)
		return;
	if (channel)
		said(daq_chan__on_frame(channel->chan, take,
					channel < cards[1].channels ? &cards[0] : &cards[1]));
	said(daq_card__dispatch(card->card, below(20)));
	for (i = 0; i < CARDS; i++)
		if (cards[i].card)
			find_channels(&cards[i]);
}

/* What is sent away comes back as another card. */
static void hand_over(void)
{
	struct card *card = &cards[0], *heir = &cards[1];
	unsigned int i;

	if (!card->card || heir->card || said(daq_card__send(card->card, sockets[0])))
		return;
	find_channels(card);
	if (said(daq_card__receive(sockets[1], &heir->card)))
		return;
	for (i = 0; i < CHANNELS; i++)
		heir->channels[i].chan = daq_card__chan(heir->card, i);
}

/* Another process has it all, and leaves. */
static void leave(void)
{
	pid_t pid;

	if (!one_in(8))
		return;
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void down_and_up(void)
{
	if (!one_in(8))
		return;
	card_up(false);
	next();
	card_up(true);
}

static const struct {
	void (*run)(void);
	unsigned int weight;
} calls[] = {
	{ open_card, 20 }, { close_card, 4 }, { open_channel, 20 }, { close_channel, 10 },
	{ next, 60 }, { release, 60 }, { reserve, 30 }, { submit, 30 }, { ask, 40 },
	{ ask_card, 20 }, { dispatch, 20 }, { hand_over, 4 }, { leave, 2 }, { down_and_up, 2 },
};

static void call_something(void)
{
	static unsigned int sum;
	unsigned int i, at;

	if (!sum)
		for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			sum += calls[i].weight;
	at = below(sum);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	calls[i].run();
}

static bool works(unsigned int channel)
{
	struct daq_frame frame;
	struct daq_chan *chan;
	int i, got = 0;

	if (daq_chan__open(card_open(), channel, NULL, &chan)) {
		printf("# channel %u: %s\n", channel, daq_errmsg());
		return false;
	}
	for (i = 0; i < 50 && got < 5; i++)
		if (daq_chan__next(chan, &frame, 1000) > 0) {
			got++;
			daq_chan__release(chan, &frame);
		}
	daq_chan__close(chan);
	return got == 5;
}

static u64 setting(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

int main(void)
{
	unsigned int i, count = setting("CALLS", scaled(3000));

	ktap_begin();
	state = setting("SEED", time(NULL));
	printf("# SEED=%llu\n", (unsigned long long)state);
	card_ifname(CHANNELS);
	set_formats(0, CHANNELS - 1, &format);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets))
		ktap_die("socketpair: %m");
	for (i = 0; i < count; i++)
		call_something();
	for (i = 0; i < CARDS; i++) {
		daq_card__close(cards[i].card);
		daq_card__close(NULL);
	}
	daq_chan__close(NULL);
	printf("# %u calls were accepted, %u refused; %u frames came\n", accepted, refused, frames);
	ktap_ok(accepted > 0 && refused > 0, "%u calls in any order", count);
	ktap_eq(strange, 0, "what is refused has an errno");
	ktap_eq(silent, 0, "and a message");
	set_formats(0, CHANNELS - 1, &format);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	for (i = 0; i < CHANNELS; i++)
		ktap_ok(works(i), "channel %u works afterwards", i);
	quiesce();
	for (i = 0; i < CHANNELS; i++)
		ktap_eq(stats_missing(stats_read(), i), 0,
			"channel %u: produced is delivered and dropped", i);
	return ktap_end();
}
