// SPDX-License-Identifier: GPL-2.0
/*
 * Who observes a channel sees every frame and every loss of it, but neither its data nor
 * any way to disturb the process that has the channel.
 */
#include "consumer.h"

#define LITTLE	(128 << 10)	/* memory of a receiver that shall lose data */

static const struct daq_chan_opts observe = { .sz = sizeof(observe), .observe = 1 };

static struct daq_chan *open_observer(unsigned int channel)
{
	struct daq_chan *chan;

	if (daq_chan__open(card_open(), channel, &observe, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	return chan;
}

/* What observing so many frames has shown. */
struct seen {
	unsigned int frames;
	unsigned int wrong;	/* not as they have to be */
	unsigned int gaps;
	u64 first;
	u64 last;
};

static void look(struct daq_chan *chan, unsigned int frames, struct seen *seen)
{
	struct daq_frame frame;

	memset(seen, 0, sizeof(*seen));
	while (seen->frames < frames && daq_chan__next(chan, &frame, 10000 * test_scale()) > 0) {
		if (!seen->frames)
			seen->first = frame.number;
		seen->last = frame.number;
		seen->wrong += frame.data || frame.iov || frame.iovcnt ||
			       frame.len != format.frame_bytes;
		seen->gaps += frame.status != 0;
		seen->frames++;
		seen->wrong += daq_chan__release(chan, &frame) != 0;
	}
}

static void look_at_backlog(struct daq_chan *chan)
{
	struct daq_frame frame;

	while (daq_chan__next(chan, &frame, 0) > 0)
		;
}

static void test_beside_owner(void)
{
	struct consumer *owner;
	struct stats *before;
	struct daq_chan *chan;
	struct seen seen;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 1, DAQ_SOURCE_COUNTER);
	owner = start(0, 0);
	if (!receives(owner))
		ktap_die("nothing to observe");
	before = stats_read();
	chan = open_observer(0);
	look(chan, 20, &seen);
	ktap_eq(seen.frames, 20, "beside: frames are seen");
	ktap_ok(seen.last - seen.first == 19 && !seen.gaps, "beside: every one of them");
	ktap_eq(seen.wrong, 0, "beside: whole, but without data");
	ktap_ok(receives(owner), "beside: the owner receives all, byte by byte");
	ktap_eq(stat_grown(before, "ch0_stack"), 0, "beside: nothing went to the network stack");
	ktap_eq(daq_chan__zero_copy(chan), 0, "beside: an observer's channel is not zero copy");

	end(owner, SIGKILL);
	program_goes();
	pause_ms(500);
	/* with the owner its queue goes, and what was in there */
	look_at_backlog(chan);
	look(chan, 10, &seen);
	ktap_ok(seen.frames == 10 && !seen.wrong && !seen.gaps,
		"beside: the owner is killed, and observing goes on");
	owner = start(0, 0);
	ktap_ok(receives(owner), "beside: the channel of one who is observed is free");
	end(owner, 0);
	daq_chan__close(chan);
	quiesce();
}

/* Whether all that has come was seen: then there is silence. */
static void look_to_the_end(struct daq_chan *chan)
{
	struct daq_frame frame;

	while (daq_chan__next(chan, &frame, 500 * test_scale()) > 0)
		;
}

static void test_loss(void)
{
	struct daq_chan_stats stats;
	struct consumer *owner;
	struct daq_chan *chan;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	chan = open_observer(0);
	owner = new_consumer(0, 0);
	owner->opts.buffer_bytes = LITTLE;
	launch(owner);
	owner->go = true;
	ktap_ok(receives(owner), "loss: there is none");
	kill(owner->pid, SIGSTOP);
	pause_ms(3000);
	kill(owner->pid, SIGCONT);
	pause_ms(500);
	set_source(0, 0, DAQ_SOURCE_NONE);
	look_to_the_end(chan);
	quiesce();
	daq_chan__stats(chan, &stats, sizeof(stats));
	ktap_ok(stats.lost_segments > 0, "loss: the observer sees it");
	ktap_eq(stats.lost_segments, owner->stats.lost_segments, "loss: as many segments");
	ktap_eq(stats.lost_frames, owner->stats.lost_frames, "loss: as many frames");
	ktap_eq(stats.missed, 0, "loss: it was not its own");
	end(owner, 0);
	daq_chan__close(chan);
}

/* Its ring is full while it is stopped. */
static void test_slow_observer(void)
{
	struct consumer *owner, *observer;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	owner = start(0, 0);
	/* while its socket is bound the queue loses segments */
	if (!receives(owner))
		ktap_die("nothing to observe");
	observer = new_consumer(1, 0);
	observer->opts = observe;
	observer->opts.buffer_bytes = 1;
	launch(observer);
	observer->go = true;
	ktap_ok(receives(owner) && receives(observer), "slow: one receives, one observes");
	kill(observer->pid, SIGSTOP);
	pause_ms(4000);
	ktap_ok(receives(owner), "slow: the observer is stopped, the owner loses nothing");
	kill(observer->pid, SIGCONT);
	ktap_ok(receives(observer) && receives(observer), "slow: it goes on");
	ktap_ok(observer->missed > 0, "slow: and is told that it was too slow");
	ktap_ok(observer->stats.missed > 0, "slow: for so many segments: %ju",
		(uintmax_t)observer->stats.missed);
	ktap_eq(observer->stats.lost_segments, 0, "slow: which it does not take for lost");
	ktap_ok(receives(owner), "slow: the owner has lost nothing");
	end(owner, 0);
	end(observer, 0);
	quiesce();
}

static int observe_as_nobody(struct consumer *me, struct daq_card **card, struct daq_chan **chan)
{
	keep_capabilities(0);
	return open_channel(me, card, chan);
}

static int observe_with_net_raw(struct consumer *me, struct daq_card **card,
				struct daq_chan **chan)
{
	keep_capabilities(1ull << CAP_NET_RAW);
	return open_channel(me, card, chan);
}

static void test_capabilities(void)
{
	struct daq_chan_opts output = observe;
	struct consumer *observer;
	struct daq_chan *chan;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	observer = new_consumer(0, 0);
	observer->opts = observe;
	observer->open = observe_as_nobody;
	launch(observer);
	observer->go = true;
	end(observer, 0);
	ktap_ok(observer->err == -EPERM && strstr(observer->message, "CAP_NET_RAW"),
		"capabilities: without one it is refused: %s", observer->message);
	observer = new_consumer(0, 0);
	observer->opts = observe;
	observer->open = observe_with_net_raw;
	launch(observer);
	observer->go = true;
	ktap_ok(receives(observer), "capabilities: CAP_NET_RAW will do, and nobody has the channel");
	ktap_eq(attached_program(), 0, "capabilities: no program is attached for that");
	end(observer, 0);
	output.direction = DAQ_OUTPUT;
	ktap_eq(daq_chan__open(card_open(), 0, &output, &chan), -EINVAL,
		"observing an output is refused");
	quiesce();
}

static void test_down(void)
{
	struct daq_chan *chan;
	struct daq_frame frame;
	struct seen seen;

	set_lossless_formats(0, CHANNELS - 1, &format);
	chan = open_observer(0);
	card_up(false);
	ktap_eq(daq_chan__next(chan, &frame, 5000), -ENETDOWN, "down: it is told");
	card_up(true);
	ktap_eq(daq_chan__next(chan, &frame, 0), 0, "up: it waits again");
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	look(chan, 5, &seen);
	ktap_eq(seen.frames, 5, "up: and sees frames");
	daq_chan__close(chan);
	quiesce();
}

int main(void)
{
	ktap_begin();
	begin_consumers();
	test_beside_owner();
	test_loss();
	test_slow_observer();
	test_capabilities();
	test_down();
	return ktap_end();
}
