// SPDX-License-Identifier: GPL-2.0
/*
 * Loss is never silent: whatever happens between the card and the application, the next
 * frame tells how many frames, segments and samples are missing, who has lost them, and
 * why, and the sums are those of the driver.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	2
#define SEGMENTS	4	/* of a frame */
#define PATIENCE_MS	60000

/* 60 segments or 15 frames a second. */
static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = 4096, .frame_bytes = SEGMENTS * 4096,
	.rate = 60 * 2048,
};

static struct daq_chan *chan;
static struct stats *before;

/* What the frames of one test said. */
static struct {
	unsigned int frames;		/* with data */
	unsigned int wrong_numbers, wrong_samples, wrong_data, wrong_sums, wrong_status;
	bool known;
	u64 next_number, next_sample;
	unsigned int truncated, restarted;
	struct daq_gap sum;
	u64 most_segments;		/* of one gap */
	struct daq_gap longest;		/* in time that the channel was off */
	u64 longest_at;			/* when that was told, ms */
} seen;

static const struct {
	enum daq_loss loss;
	const char *counter;
} counters[] = {
	{ DAQ_LOSS_NO_BUFFER, "no_buffer" },
	{ DAQ_LOSS_FIFO_OVERRUN, "fifo_overrun" },
	{ DAQ_LOSS_TOO_LONG, "too_long" },
	{ DAQ_LOSS_RING_FULL, "ring_full" },
	{ DAQ_LOSS_STOPPED, "stopped" },
	{ DAQ_LOSS_BAD_DESC, "bad_desc" },
	{ DAQ_LOSS_NO_MEMORY, "no_memory" },
	{ DAQ_LOSS_NO_FRAGS, "no_frags" },
	{ DAQ_LOSS_REDIRECT, "redirect" },
	{ DAQ_LOSS_ABORTED, "aborted" },
	{ DAQ_LOSS_XDP, "xdp" },
};

#define COUNTERS (sizeof(counters) / sizeof(counters[0]))

static u64 grown(const struct stats *after, const char *counter)
{
	return stat_of(after, "ch0_%s", counter) - stat_of(before, "ch0_%s", counter);
}

static u64 dropped(const struct stats *after, unsigned int i)
{
	return stat_of(after, "ch0_drop_%s", counters[i].counter) -
	       stat_of(before, "ch0_drop_%s", counters[i].counter);
}

static void begin(const struct daq_chan_opts *user_opts)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts) };

	if (user_opts)
		opts = *user_opts;
	/* room for four frames: a quarter of a second */
	opts.buffer_bytes = 4 * SEGMENTS * 2 * 4096;
	memset(&seen, 0, sizeof(seen));
	set_formats(0, CHANNELS - 1, &format);
	if (daq_chan__open(card_open(), 0, &opts, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	before = stats_read();
	set_source(0, 0, DAQ_SOURCE_COUNTER);
}

static void add(struct daq_gap *sum, const struct daq_gap *gap)
{
	unsigned int i;

	sum->frames += gap->frames;
	sum->segments += gap->segments;
	sum->samples += gap->samples;
	sum->card_segments += gap->card_segments;
	sum->off_ns += gap->off_ns;
	sum->skipped_frames += gap->skipped_frames;
	sum->reasons |= gap->reasons;
	for (i = 0; i < DAQ_LOSSES; i++)
		sum->by_reason[i] += gap->by_reason[i];
}

static bool sums_right(const struct daq_gap *gap)
{
	u64 card = 0, sum = 0;
	unsigned int i;

	for (i = 0; i < DAQ_LOSSES; i++) {
		sum += gap->by_reason[i];
		card += i <= DAQ_LOSS_TOO_LONG ? gap->by_reason[i] : 0;
		if (gap->by_reason[i] && !(gap->reasons & 1u << i))
			return false;
	}
	return sum == gap->segments && card <= gap->card_segments;
}

static bool data_right(const struct daq_frame *frame)
{
	u64 at = frame->sample * format.sample_bytes;
	unsigned int i;

	for (i = 0; i < frame->iovcnt; at += frame->iov[i++].iov_len)
		if (!is_counter(frame->iov[i].iov_base, frame->iov[i].iov_len, at))
			return false;
	return true;
}

static void note(const struct daq_frame *frame)
{
	u64 skipped = frame->gap.skipped_frames * format.frame_bytes / format.sample_bytes;
	const struct daq_gap *gap = &frame->gap;
	bool tells = gap->frames || gap->samples || gap->off_ns;

	if (frame->status & DAQ_FRAME_RESTARTED)
		seen.restarted++;
	else if (seen.known && frame->len)
		seen.wrong_numbers += frame->number != seen.next_number + gap->frames +
						       gap->skipped_frames;
	if (seen.known && frame->len && !(frame->status & DAQ_FRAME_RESTARTED))
		seen.wrong_samples += frame->sample != seen.next_sample + gap->samples + skipped;
	seen.wrong_status += tells != !!(frame->status & DAQ_FRAME_GAP_BEFORE);
	seen.wrong_sums += !sums_right(gap);
	seen.truncated += !!(frame->status & DAQ_FRAME_TRUNCATED);
	seen.wrong_data += !data_right(frame);
	seen.frames += frame->len > 0;
	seen.known = true;
	seen.next_number = frame->number + 1;
	seen.next_sample = frame->sample + frame->len / format.sample_bytes;
	add(&seen.sum, gap);
	if (gap->segments > seen.most_segments)
		seen.most_segments = gap->segments;
	if (gap->off_ns > seen.longest.off_ns) {
		seen.longest = *gap;
		seen.longest_at = now_ms();
	}
}

/* Whether there was a frame. */
static bool receive_one(void)
{
	struct daq_frame frame;
	int ret;

	ret = daq_chan__next(chan, &frame, 20);
	if (ret == 1) {
		note(&frame);
		daq_chan__release(chan, &frame);
	} else if (ret == -ENETDOWN) {
		pause_ms(10);
	} else if (ret < 0 && ret != -EINTR) {
		ktap_die("%s", daq_errmsg());
	}
	return ret == 1;
}

static void receive(unsigned int ms)
{
	u64 end = now_ms() + ms;

	while (now_ms() < end)
		receive_one();
}

/* However long that takes a busy host. */
static void receive_frames(unsigned int frames)
{
	u64 end = now_ms() + PATIENCE_MS;

	for (frames += seen.frames; seen.frames < frames;) {
		receive_one();
		if (now_ms() > end)
			ktap_die("no more frames than %u", seen.frames);
	}
}

/* What is left, until nothing comes for a while: a notice of a loss comes after 10 ms. */
static void receive_rest(void)
{
	unsigned int idle;

	for (idle = 0; idle < 15; idle++)
		if (receive_one())
			idle = 0;
}

/* Whether a counter of channel 0 gets that far, however long that takes a busy host. */
static bool grows_to(const char *counter, u64 wanted)
{
	u64 end = now_ms() + PATIENCE_MS;

	while (stat_of(stats_read(), "ch0_%s", counter) < wanted && now_ms() < end)
		pause_ms(20);
	return now_ms() < end;
}

/* Nobody looks until the card has dropped so many segments more. */
static void look_away(unsigned int segments)
{
	u64 dropped = stat_of(stats_read(), "ch0_drop_no_buffer");

	if (!grows_to("drop_no_buffer", dropped + segments))
		ktap_die("the card does not drop %u segments", segments);
}

/* Everything has been told of, and it is what the driver has counted. */
static void check_account(const char *name)
{
	struct daq_chan_stats stats;
	unsigned int i, wrong = 0;
	struct stats *after;
	u64 sum = 0;

	quiesce();
	receive_rest();
	after = stats_read();
	daq_chan__stats(chan, &stats, sizeof(stats));
	for (i = 0; i < COUNTERS; i++) {
		u64 n = dropped(after, i);

		sum += n;
		if (stats.lost_by_reason[counters[i].loss] == n)
			continue;
		printf("# %s: the driver has counted %llu, the gaps tell of %llu\n",
		       counters[i].counter, (unsigned long long)n,
		       (unsigned long long)stats.lost_by_reason[counters[i].loss]);
		wrong++;
	}
	ktap_eq(stats.segments, grown(after, "socket"), "%s: what the driver delivered has come",
		name);
	ktap_eq(stats.lost_segments, sum, "%s: what it dropped is in the gaps, to the last segment",
		name);
	ktap_eq(wrong, 0, "%s: for the reasons that it has counted", name);
	ktap_eq(seen.wrong_numbers + seen.wrong_samples + seen.wrong_data, 0,
		"%s: every frame is where number, sample index and bytes say", name);
	ktap_eq(seen.wrong_sums + seen.wrong_status, 0, "%s: every gap agrees with itself", name);
	printf("# %s: %u frames, lost %llu in %llu segments, %llu samples, off for %llu ms, reasons 0x%x\n",
	       name, seen.frames, (unsigned long long)seen.sum.frames,
	       (unsigned long long)seen.sum.segments, (unsigned long long)seen.sum.samples,
	       (unsigned long long)seen.sum.off_ns / 1000000, seen.sum.reasons);
}

static void end(void)
{
	daq_chan__close(chan);
}

static u32 card_losses(void)
{
	return 1u << DAQ_LOSS_NO_BUFFER | (card_is_kicked() ? 1u << DAQ_LOSS_FIFO_OVERRUN : 0);
}

/* What must have been lost and nothing else; a busy host may overrun a kicked card. */
static void check_reasons(const char *name, u32 must, u32 may)
{
	ktap_ok((seen.sum.reasons & must) == must &&
		!(seen.sum.reasons & ~(must | may | card_losses() | 1u << DAQ_LOSS_OFF)),
		"%s: the reasons are right", name);
}

static void test_too_slow(void)
{
	unsigned int i;

	begin(NULL);
	for (i = 0; i < 3; i++) {
		receive_frames(6);
		look_away(30);
	}
	receive_frames(6);
	check_account("too slow");
	ktap_ok(seen.sum.segments >= 3 * 30, "too slow: much was lost");
	check_reasons("too slow", 0, 0);
	ktap_ok(seen.sum.reasons & card_losses(), "too slow: the card had no buffer");
	ktap_eq(seen.sum.card_segments, seen.sum.segments, "too slow: the card itself has dropped it");
	end();
}

/* By SIGSTOP, for seconds; a child of ours has us go on. */
static void test_stopped(void)
{
	pid_t child;
	u64 dropped;

	begin(NULL);
	receive_frames(6);
	dropped = stat_of(stats_read(), "ch0_drop_no_buffer");
	child = fork();
	if (child == 0) {
		grows_to("drop_no_buffer", dropped + 120);
		/* more than once: who knows whether we have been stopped by then */
		for (;; pause_ms(100))
			kill(getppid(), SIGCONT);
	}
	raise(SIGSTOP);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	receive_frames(6);
	check_account("stopped process");
	ktap_ok(seen.most_segments >= 120, "stopped process: one gap tells of seconds: %llu segments",
		(unsigned long long)seen.most_segments);
	end();
}

/* Nothing follows: a loss at the end of all is told, too. */
static void test_silence(void)
{
	begin(NULL);
	receive_frames(4);
	look_away(20);
	check_account("then silence");
	ktap_ok(seen.sum.segments >= 20, "then silence: what nothing follows is told");
	end();
}

static void test_down_up(void)
{
	u64 going, down, up, off_ms;

	begin(NULL);
	receive_frames(6);
	going = now_ms();
	card_up(false);
	down = now_ms();
	receive(1500);
	up = now_ms();
	card_up(true);
	receive_frames(6);
	off_ms = seen.longest.off_ns / 1000000 / test_scale();
	ktap_ok(seen.longest.reasons & 1u << DAQ_LOSS_OFF, "down and up: the channel was off");
	/* a software card may be late by 200 ms with what it takes */
	ktap_ok(off_ms + 100 >= up - down && off_ms <= seen.longest_at - going + 300,
		"down and up: for as long as that took: %llu ms, of %llu to %llu",
		(unsigned long long)off_ms, (unsigned long long)(up - down),
		(unsigned long long)(seen.longest_at - going));
	check_account("down and up");
	end();
}

/* A new format starts the channel anew. */
static void test_new_rate(void)
{
	struct daq_format faster = { .rate = format.rate / test_scale() * 2 };

	u64 began, off_ms;

	begin(NULL);
	receive_frames(6);
	began = now_ms();
	if (daq_card__set_format(card_open(), 0, &faster, DAQ_FORMAT_RATE) < 0)
		ktap_die("%s", daq_errmsg());
	receive_frames(6);
	off_ms = seen.longest.off_ns / 1000000 / test_scale();
	ktap_ok(seen.longest.reasons & 1u << DAQ_LOSS_OFF &&
		off_ms <= seen.longest_at - began + 300,
		"new rate: the channel was off for a moment: %llu us",
		(unsigned long long)seen.longest.off_ns / 1000);
	check_account("new rate");
	end();
}

/* The card forgets all its numbers. */
static void test_reset(void)
{
	if (!card_on_bus()) {
		ktap_skip("reset: the card begins anew", "software cards are not reset");
		return;
	}
	begin(NULL);
	receive_frames(6);
	if (shell("echo 1 >/sys/class/net/%s/device/reset", card_ifname(CHANNELS)))
		ktap_die("cannot reset the card");
	receive(500);
	receive_frames(10);
	ktap_ok(seen.restarted == 1 && seen.longest.reasons & 1u << DAQ_LOSS_RESET,
		"reset: it is told, once");
	ktap_ok(seen.longest.off_ns > 0, "reset: and how long nothing was acquired: %llu us",
		(unsigned long long)seen.longest.off_ns / 1000);
	check_account("reset");
	end();
}

/* Sleep included. */
static u64 ms_since_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* All numbers go on, and the time that the machine slept is in the gap. */
static void test_suspend(const char *level)
{
	u64 before, off_ms, all_ms;
	int slept;

	begin(NULL);
	receive_frames(6);
	before = ms_since_boot();
	slept = machine_sleeps(level);
	if (slept < 0) {
		ktap_skip("suspend: the gap says so", "this kernel does not test sleep");
		end();
		return;
	}
	ktap_ok(slept, "suspend, %s: the machine falls asleep and wakes", level);
	receive_frames(6);
	all_ms = ms_since_boot() - before;
	off_ms = seen.longest.off_ns / 1000000;
	ktap_ok(seen.longest.reasons & 1u << DAQ_LOSS_SUSPEND,
		"suspend, %s: the gap says so: reasons 0x%x", level, seen.longest.reasons);
	/* the kernel's second of waiting is a loop that some emulators are too fast for */
	ktap_ok(off_ms >= 100 && off_ms <= all_ms + 300 * test_scale(),
		"suspend, %s: and how long nothing was acquired: %llu of %llu ms", level,
		(unsigned long long)off_ms, (unsigned long long)all_ms);
	ktap_eq(seen.restarted, 0, "suspend, %s: the card's numbers go on", level);
	check_account("suspend");
	check_reasons("suspend", 1u << DAQ_LOSS_SUSPEND, 1u << DAQ_LOSS_STOPPED);
	end();
}

static struct daq_trigger *open_hole(const char *name)
{
	struct daq_trigger *trigger;
	char path[256];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 16);

	if (len < 0)
		ktap_die("/proc/self/exe: %m");
	path[len] = '\0';
	strcpy(strrchr(path, '/'), "/holes.bpf.o");
	if (daq_trigger__open(card_open(), path, name, &trigger) < 0)
		ktap_die("%s", daq_errmsg());
	return trigger;
}

/* The program on the interface loses one segment of each of so many frames. */
static void lose_thirds(const char *program, const char *counter, unsigned int frames)
{
	struct daq_trigger *hole = open_hole(program);
	u64 wanted = stat_of(stats_read(), "ch0_%s", counter) + frames;
	u64 end = now_ms() + PATIENCE_MS;

	if (daq_chan__set_trigger(chan, hole) < 0)
		ktap_die("%s", daq_errmsg());
	while (stat_of(stats_read(), "ch0_%s", counter) < wanted) {
		receive(100);
		if (now_ms() > end)
			ktap_die("%s does not grow", counter);
	}
	daq_chan__set_trigger(chan, NULL);
	daq_trigger__close(hole);
}

static void test_program(void)
{
	begin(NULL);
	receive_frames(4);
	lose_thirds("drop_third", "drop_xdp", 8);
	receive_frames(4);
	lose_thirds("abort_third", "drop_aborted", 8);
	receive_frames(4);
	check_account("program");
	check_reasons("program", 1u << DAQ_LOSS_XDP | 1u << DAQ_LOSS_ABORTED, 0);
	ktap_ok(seen.sum.by_reason[DAQ_LOSS_XDP] >= 8 && seen.sum.by_reason[DAQ_LOSS_ABORTED] >= 8,
		"program: it has dropped %llu and failed on %llu",
		(unsigned long long)seen.sum.by_reason[DAQ_LOSS_XDP],
		(unsigned long long)seen.sum.by_reason[DAQ_LOSS_ABORTED]);
	end();
}

/* What came of a frame before the hole, for those who want it. */
static void test_truncated(void)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .truncated = 1 };

	begin(&opts);
	receive_frames(4);
	lose_thirds("drop_third", "drop_xdp", 12);
	receive_frames(4);
	check_account("truncated");
	ktap_ok(seen.truncated >= 8, "truncated: %u such frames", seen.truncated);
	/* half of each is missing: the rest behind the hole is thrown away */
	if (!card_is_kicked())
		ktap_eq(seen.sum.samples, seen.truncated * 2ull * 2048,
			"truncated: what they lack is in the gap behind them");
	if (!card_is_kicked())
		ktap_eq(seen.sum.frames, 0, "truncated: no frame is lost as a whole");
	end();
}

static void test_drop_old(void)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .policy = DAQ_DROP_OLD };
	struct daq_frame frame, next;
	int ret;

	begin(&opts);
	receive_frames(4);
	/* then there is no room for more */
	look_away(1);
	if (daq_chan__next(chan, &frame, 1000) != 1)
		ktap_die("%s", daq_errmsg());
	ret = daq_chan__next(chan, &next, 0);
	note(&frame);
	ktap_ok(frame.gap.skipped_frames >= 2, "drop old: %llu older ones are skipped",
		(unsigned long long)frame.gap.skipped_frames);
	/* one may have come since */
	ktap_ok(ret == 0 || (ret == 1 && next.number > frame.number),
		"drop old: what is delivered is the newest");
	if (ret == 1)
		note(&next);
	daq_chan__release(chan, &frame);
	if (ret == 1)
		daq_chan__release(chan, &next);
	receive(500);
	check_account("drop old");
	end();
}

static void test_stop(void)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .policy = DAQ_STOP };
	struct daq_frame frame;
	struct daq_gap gap;
	int ret;

	begin(&opts);
	receive_frames(4);
	ktap_eq(daq_chan__loss(chan, &gap), 0, "stop: goes on while nothing is lost");
	look_away(20);
	while ((ret = daq_chan__next(chan, &frame, 1000)) == 1) {
		note(&frame);
		daq_chan__release(chan, &frame);
	}
	ktap_eq(ret, -EOVERFLOW, "stop: ends with the first loss");
	ktap_ok(strstr(daq_errmsg(), "open it again"), "stop: %s", daq_errmsg());
	ktap_ok(seen.frames >= 2 && !seen.sum.frames && !seen.sum.segments,
		"stop: nothing is missing in the %u frames that were delivered", seen.frames);
	ktap_ok(daq_chan__loss(chan, &gap) == 1 && gap.frames > 0 && gap.reasons & card_losses(),
		"stop: the gap can be asked for");
	ktap_eq(daq_chan__next(chan, &frame, 0), -EOVERFLOW, "stop: and that is the end");
	end();
	quiesce();
}

int main(void)
{
	ktap_begin();
	card_ifname(CHANNELS);
	test_too_slow();
	test_stopped();
	test_silence();
	test_down_up();
	test_new_rate();
	test_reset();
	test_suspend("devices");
	test_suspend("core");
	test_program();
	test_truncated();
	test_drop_old();
	test_stop();
	return ktap_end();
}
