// SPDX-License-Identifier: GPL-2.0
/*
 * One pointer per frame: in steady state, soon again after a loss, for frames from one
 * page to 64 MiB; in memory that is locked, of huge pages if there are any. And where
 * that cannot be, frames in pieces that say so.
 */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "guest.h"

#define PAGE	4096u
#define MIB	(1u << 20)

#define COUNTER(segment, frame, rate_) {					\
	.sample_bytes = 2, .segment_bytes = segment, .frame_bytes = frame,	\
	.rate = (rate_) / 2,							\
}

struct seen {
	unsigned int frames;
	unsigned int pieces;	/* frames of more than one */
	unsigned int wrong;	/* data, or what a frame says of them */
	long faults;
};

static struct daq_chan *open_chan(const struct daq_format *format, enum daq_mode mode,
				  size_t buffer_bytes)
{
	struct daq_chan_opts opts = {
		.sz = sizeof(opts), .mode = mode, .buffer_bytes = buffer_bytes,
	};
	struct daq_chan *chan;

	set_formats(0, 0, format);
	if (daq_chan__open(card_open(), 0, &opts, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	return chan;
}

static void close_chan(struct daq_chan *chan)
{
	set_source(0, 0, DAQ_SOURCE_NONE);
	daq_chan__close(chan);
}

static void next_frame(struct daq_chan *chan, struct daq_frame *frame)
{
	if (daq_chan__next(chan, frame, 60000 * test_scale()) != 1)
		ktap_die("no frame: %s", daq_errmsg());
}

static bool data_right(const struct daq_frame *frame)
{
	u64 at = 2 * frame->sample;
	unsigned int i;

	for (i = 0; i < frame->iovcnt; i++) {
		if (!is_counter(frame->iov[i].iov_base, frame->iov[i].iov_len, at))
			return false;
		at += frame->iov[i].iov_len;
	}
	return at == 2 * frame->sample + frame->len;
}

/* A pointer to all of it, or none. */
static bool says_so(const struct daq_frame *frame)
{
	if (frame->iovcnt > 1)
		return !frame->data;
	return frame->data == frame->iov[0].iov_base && (uintptr_t)frame->data % PAGE == 0;
}

static long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* All of the first @look frames is looked at: that takes time. */
static struct seen receive(struct daq_chan *chan, unsigned int frames, unsigned int look)
{
	struct seen seen = { 0 };
	struct daq_frame frame;

	/* what is used for the first time may fault */
	next_frame(chan, &frame);
	data_right(&frame);
	daq_chan__release(chan, &frame);
	seen.faults = page_faults();
	for (; seen.frames < frames; seen.frames++) {
		next_frame(chan, &frame);
		seen.pieces += frame.iovcnt > 1;
		seen.wrong += !says_so(&frame) || (seen.frames < look && !data_right(&frame));
		daq_chan__release(chan, &frame);
	}
	seen.faults = page_faults() - seen.faults;
	return seen;
}

/* ---- Steady state ---- */

static void test_steady(void)
{
	const struct daq_format format = COUNTER(PAGE, 3 * PAGE, 3 * PAGE * 500);
	/* enough for a busy host not to let anything be lost */
	struct daq_chan *chan = open_chan(&format, DAQ_MODE_ZERO_COPY, 32 * MIB);
	struct daq_chan_stats stats = { 0 };
	u64 lost, before, now = 0;
	unsigned int tries = 0;
	struct seen seen;

	/* should it do so all the same, it is not steady then, nor soon after: see below */
	do {
		before = now;
		lost = stats.lost_frames;
		seen = receive(chan, scaled(3000), 100);
		daq_chan__stats(chan, &stats, sizeof(stats));
		now = stats.lost_frames - lost;
		printf("# %u of %u frames in pieces, %llu lost\n", seen.pieces, seen.frames,
		       (unsigned long long)now);
	} while ((now || before) && ++tries < 5);
	ktap_ok(seen.pieces * 1000 <= seen.frames, "steady: 99.9 %% of %u frames in one piece",
		seen.frames);
	ktap_ok(tries || stats.frames - stats.contiguous == seen.pieces, "steady: as counted");
	ktap_eq(seen.wrong, 0, "steady: data are right");
	ktap_eq(seen.faults, 0, "steady: no page fault");
	close_chan(chan);
}

/* ---- After a loss ---- */

static u64 no_buffer(void)
{
	struct stats *stats = stats_read();

	return stat_of(stats, "ch0_drop_no_buffer");
}

/* Nobody looks until the card has dropped something. */
static void lose(void)
{
	u64 before = no_buffer();

	while (no_buffer() == before)
		pause_ms(10);
}

/*
 * Frames from the gap to the last one in pieces, of @frames behind it. A busy host may let
 * the card drop something again: then from that.
 */
static unsigned int count_recovery(struct daq_chan *chan, unsigned int frames)
{
	unsigned int since = 0, last = 0;
	struct daq_frame frame;
	bool gap = false;

	while (since < frames) {
		next_frame(chan, &frame);
		if (frame.status & DAQ_FRAME_GAP_BEFORE) {
			gap = true;
			since = 0;
			last = 0;
		}
		since += gap;
		if (gap && frame.iovcnt > 1)
			last = since;
		daq_chan__release(chan, &frame);
	}
	return last;
}

/* With memory for @slots frames: several losses, each with a part of a frame. */
static void test_loss(const char *name, const struct daq_format *format, size_t buffer_bytes,
		      unsigned int slots)
{
	struct daq_chan *chan = open_chan(format, DAQ_MODE_ZERO_COPY, buffer_bytes);
	unsigned int i, took, worst = 0, losses = scaled(6);

	for (i = 0; i < losses; i++) {
		lose();
		took = count_recovery(chan, 3 * slots);
		worst = took > worst ? took : worst;
	}
	printf("# %s: after %u losses %u frames at most until all are in one piece\n", name,
	       losses, worst);
	/* each slot may be where it does not belong, on a busy host twice: see lib_frame */
	ktap_ok(worst <= 2 * slots, "%s: in one piece again after %u frames at most", name,
		2 * slots);
	close_chan(chan);
}

/* ---- Frames of all sizes ---- */

/* No more frames than there is memory for: however slow the host, nothing is lost. */
static void test_size(unsigned int segment, unsigned int frame, unsigned int frames)
{
	const struct daq_format format = COUNTER(segment, frame, 64 * MIB);
	struct daq_chan *chan = open_chan(&format, DAQ_MODE_ZERO_COPY, 0);
	struct seen seen = receive(chan, frames, frames);

	close_chan(chan);
	printf("# %u in pieces, %u wrong, %ld page faults\n", seen.pieces, seen.wrong, seen.faults);
	ktap_ok(!seen.pieces && !seen.wrong && !seen.faults,
		"%u bytes in segments of %u: one piece, no page fault", frame, segment);
}

static void test_sizes(void)
{
	test_size(PAGE, PAGE, 100);
	test_size(61440, 61440, 40);
	test_size(17 * PAGE, 17 * PAGE, 40);
	test_size(61440, 4147200, 3);
	test_size(65536, 16 * MIB, 3);
	test_size(61440, DAQ_MAX_FRAME_BYTES, 2);
}

/* ---- Memory ---- */

/* A number of a file of /proc, behind that name. */
static long proc_number(const char *path, const char *name)
{
	long number = -1;
	char line[128];
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			number = atol(line + strlen(name));
	if (file)
		fclose(file);
	return number;
}

static bool set_huge_pages(unsigned int pages)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");

	if (!file)
		return false;
	fprintf(file, "%u", pages);
	return fclose(file) == 0 && proc_number("/proc/meminfo", "HugePages_Total:") == pages;
}

/* KiB that are locked, and KiB in huge pages, which are never swapped. */
static long locked_kib(void)
{
	return proc_number("/proc/self/status", "VmLck:");
}

static long huge_kib(void)
{
	return proc_number("/proc/self/status", "HugetlbPages:");
}

static void test_memory(void)
{
	const struct daq_format format = COUNTER(61440, 614400, MIB);
	/* as much as 8 MiB have room for */
	const long least = 7 << 10;
	struct daq_chan *chan;
	struct seen seen;
	long before;

	set_huge_pages(0);
	before = locked_kib();
	chan = open_chan(&format, DAQ_MODE_ZERO_COPY, 8 * MIB);
	ktap_ok(locked_kib() - before >= least && huge_kib() == 0,
		"memory: locked, of usual pages where there are no others");
	close_chan(chan);
	ktap_eq(locked_kib(), before, "memory: and given back");

	if (!set_huge_pages(8)) {
		ktap_skip("memory: of huge pages", "there are none to be had");
		return;
	}
	chan = open_chan(&format, DAQ_MODE_ZERO_COPY, 8 * MIB);
	seen = receive(chan, 4, 4);
	ktap_ok(huge_kib() >= least, "memory: of huge pages if there are any");
	ktap_ok(!seen.pieces && !seen.wrong && !seen.faults,
		"memory: with frames in one piece, and no page fault");
	close_chan(chan);
	ktap_eq(huge_kib(), 0, "memory: given back");

	/* too few of them */
	set_huge_pages(2);
	chan = open_chan(&format, DAQ_MODE_ZERO_COPY, 8 * MIB);
	seen = receive(chan, 4, 4);
	ktap_ok(huge_kib() == 0 && locked_kib() - before >= least && !seen.pieces && !seen.wrong,
		"memory: of usual pages where huge ones do not suffice");
	close_chan(chan);
	set_huge_pages(0);
}

/* ---- Where one piece cannot be ---- */

static void test_pieces(const char *name, enum daq_mode mode, unsigned int segment)
{
	const struct daq_format format = COUNTER(segment, 5 * segment, 5 * segment * 20);
	struct daq_chan *chan = open_chan(&format, mode, 0);
	struct seen seen = receive(chan, 10, 10);
	struct daq_chan_stats stats;

	daq_chan__stats(chan, &stats, sizeof(stats));
	ktap_ok(seen.pieces == seen.frames && !seen.wrong && !stats.contiguous,
		"%s: in pieces, without a pointer, and counted so", name);
	ktap_eq(daq_chan__zero_copy(chan), mode == DAQ_MODE_ZERO_COPY, "%s: as told", name);
	close_chan(chan);
}

int main(void)
{
	/* a frame takes its payload and a page for each segment */
	const struct daq_format even = COUNTER(PAGE, 8 * PAGE, 8 * PAGE * 40);
	const struct daq_format tail = COUNTER(4 * PAGE, 14 * PAGE + 1000, 14 * PAGE * 40);

	ktap_begin();
	card_ifname(2);
	if (card_is_kicked())
		ktap_skip_all("a kicked card keeps too little of what comes at once");
	test_steady();
	test_loss("8 segments of a page", &even, 6 * 16 * PAGE, 6);
	test_loss("segments of 4 pages and a tail", &tail, 4 * (4 + 15) * PAGE, 4);
	test_sizes();
	test_memory();
	test_pieces("segments of half a page", DAQ_MODE_ZERO_COPY, PAGE / 2);
	test_pieces("segments that end within a page", DAQ_MODE_ZERO_COPY, 5000);
	test_pieces("copied", DAQ_MODE_COPY, 2 * PAGE);
	return ktap_end();
}
