// SPDX-License-Identifier: GPL-2.0
/*
 * Nothing disappears: over 10^5 segments on 8 channels, what the card produced is
 * what was delivered and what was dropped and counted, to the last one; and what
 * the receiver counts as lost is what the card dropped.
 */
#include <string.h>
#include "guest.h"

#define CHANNELS	8
#define SEGMENTS	100000

static struct daq_chan *chans[CHANNELS];
static u64 first[CHANNELS], last[CHANNELS], frames[CHANNELS], lost_frames[CHANNELS];

static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	unsigned int c = (uintptr_t)ctx;

	lost_frames[c] += frame->gap.frames;
	/* else it only tells of a loss that no data has followed yet */
	if (frame->len && !frames[c]++)
		first[c] = frame->number;
	last[c] = frame->number;
	return daq_chan__release(chan, frame);
}

static void open_channels(size_t buffer)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .buffer_bytes = buffer };
	uintptr_t c;

	memset(frames, 0, sizeof(frames));
	memset(lost_frames, 0, sizeof(lost_frames));
	for (c = 0; c < CHANNELS; c++)
		if (daq_chan__open(card_open(), c, &opts, &chans[c]) < 0 ||
		    daq_chan__on_frame(chans[c], on_frame, (void *)c) < 0)
			ktap_die("%s", daq_errmsg());
}

static void receive(unsigned int ms)
{
	u64 end = now_ms() + ms;

	while (now_ms() < end)
		if (daq_card__dispatch(card_open(), 50) < 0)
			ktap_die("%s", daq_errmsg());
}

static u64 produced(const struct stats *stats)
{
	unsigned int c;
	u64 sum = 0;

	for (c = 0; c < CHANNELS; c++)
		sum += stat_of(stats, "ch%u_produced", c);
	return sum;
}

static unsigned int unbalanced(void)
{
	struct stats *stats = stats_read();
	unsigned int c, wrong = 0;

	for (c = 0; c < CHANNELS; c++) {
		if (!stats_missing(stats, c))
			continue;
		printf("# channel %u: %lld segments unaccounted for\n", c, stats_missing(stats, c));
		wrong++;
	}
	return wrong;
}

static void check_identity(const char *name)
{
	ktap_eq(unbalanced(), 0, "%s: produced = delivered + dropped on every channel", name);
}

/* Segments that the card had no place for: in memory or, when it is kicked, at all. */
static u64 not_taken(const struct stats *stats, unsigned int channel)
{
	return stat_of(stats, "ch%u_drop_no_buffer", channel) +
	       stat_of(stats, "ch%u_drop_fifo_overrun", channel);
}

/* What the library says against what the driver and the frame numbers say. */
static void check_library(const char *name, const struct stats *before)
{
	unsigned int c, segments = 0, lost = 0, numbers = 0, other = 0;
	struct stats *after = stats_read();
	struct daq_chan_stats stats;

	for (c = 0; c < CHANNELS; c++) {
		u64 no_buffer = not_taken(after, c) - not_taken(before, c);
		u64 dropped = stats_dropped(after, c) - stats_dropped(before, c);

		daq_chan__stats(chans[c], &stats, sizeof(stats));
		segments += stats.segments != stat_of(after, "ch%u_socket", c) -
					      stat_of(before, "ch%u_socket", c);
		lost += stats.lost_segments != dropped;
		other += no_buffer != dropped;
		numbers += last[c] - first[c] + 1 != frames[c] + lost_frames[c] ||
			   stats.lost_frames != lost_frames[c];
		if (stats.lost_segments != dropped)
			printf("# channel %u: the library lost %llu, the card dropped %llu\n", c,
			       (unsigned long long)stats.lost_segments, (unsigned long long)dropped);
	}
	ktap_eq(segments, 0, "%s: the library got every segment that went to a socket", name);
	ktap_eq(lost, 0, "%s: the library's losses are the card's, to the last segment", name);
	ktap_eq(other, 0, "%s: nothing is dropped but for want of buffers", name);
	ktap_eq(numbers, 0, "%s: frame numbers agree with frames got and lost", name);
}

static void close_channels(void)
{
	unsigned int c;

	for (c = 0; c < CHANNELS; c++)
		daq_chan__close(chans[c]);
}

static void test_fast_consumer(void)
{
	static const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 64, .frame_bytes = 64 * 50, .rate = 48000,
	};
	u64 began = now_ms(), before_segments;
	struct stats *before;
	unsigned int c;
	u64 lost = 0;

	set_formats(0, CHANNELS - 1, &format);
	open_channels(8 << 20);
	before = stats_read();
	before_segments = produced(before);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	do
		receive(500);
	while (produced(stats_read()) - before_segments < scaled(SEGMENTS) && now_ms() < began + 60000);
	quiesce();
	receive(200);
	ktap_ok(produced(stats_read()) - before_segments >= scaled(SEGMENTS),
		"fast: %u segments on 8 channels in less than a minute", scaled(SEGMENTS));
	check_identity("fast");
	check_library("fast", before);
	for (c = 0; c < CHANNELS; c++)
		lost += lost_frames[c];
	ktap_eq(lost, 0, "fast: no frame was lost");
	close_channels();
	check_identity("fast, closed");
	printf("# %llu segments, %llu ms\n",
	       (unsigned long long)(produced(stats_read()) - before_segments),
	       (unsigned long long)(now_ms() - began));
}

/* Sleeps again and again for longer than its buffers last. */
static void test_slow_consumer(void)
{
	static const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 8192, .frame_bytes = 8192 * 5, .rate = 4096 * 50,
	};
	struct stats *before;
	unsigned int i, c;
	u64 lost = 0, got = 0;

	set_formats(0, CHANNELS - 1, &format);
	open_channels(4 * (5 * 3 * 4096));
	before = stats_read();
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	for (i = 0; i < 4; i++) {
		receive(700);
		pause_ms(1000);
	}
	/* so that all losses are between frames received */
	receive(1200);
	quiesce();
	receive(200);
	check_identity("slow");
	check_library("slow", before);
	for (c = 0; c < CHANNELS; c++) {
		lost += lost_frames[c];
		got += frames[c];
	}
	ktap_ok(lost > 5 * CHANNELS, "slow: it has lost frames: %llu", (unsigned long long)lost);
	ktap_ok(got > 5 * CHANNELS, "slow: it has got frames: %llu", (unsigned long long)got);
	close_channels();
}

/* Nobody listens, then the interface goes down in the middle. */
static void test_no_consumer(void)
{
	static const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 8192, .frame_bytes = 8192 * 5, .rate = 4096 * 200,
	};
	struct stats *before = stats_read();
	unsigned int i, c, stack = 0, wrong = 0;

	set_formats(0, CHANNELS - 1, &format);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	pause_ms(300);
	for (i = 0; i < 10; i++) {
		card_up(false);
		pause_ms(5);
		wrong += unbalanced();
		card_up(true);
		pause_ms(50);
	}
	ktap_eq(wrong, 0, "link down 10 times: produced = delivered + dropped on every channel");
	for (c = 0; c < CHANNELS; c++)
		stack += stat_of(stats_read(), "ch%u_stack", c) > stat_of(before, "ch%u_stack", c);
	ktap_eq(stack, CHANNELS, "no consumer: segments went to the network stack");
	quiesce();
}

/* All channels on one queue, with one consumer for two of them. */
static void test_one_queue(void)
{
	static const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 1024 * 5, .rate = 512 * 100,
	};

	card_up(false);
	if (shell("ethtool -X %s equal 1", card_ifname(CHANNELS)))
		ktap_die("ethtool -X");
	card_up(true);
	set_formats(0, CHANNELS - 1, &format);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	pause_ms(500);
	card_up(false);
	check_identity("one queue");
	shell("ethtool -X %s default", card_ifname(CHANNELS));
	card_up(true);
	quiesce();
}

int main(void)
{
	ktap_begin();
	card_ifname(CHANNELS);
	if (card_is_kicked())
		ktap_skip("fast", "a card that is kicked has no time for 12,000 segments in a second");
	else
		test_fast_consumer();
	test_slow_consumer();
	test_no_consumer();
	test_one_queue();
	return ktap_end();
}
