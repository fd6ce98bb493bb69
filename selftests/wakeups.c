// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer that sleeps wakes once per frame, whichever way it waits, or once for as
 * many frames as the card is told to collect; and makes no more than two system calls
 * for each. The library's counts are compared with those of the kernel.
 */
#include <linux/perf_event.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "guest.h"

#define SEGMENT		4096
#define SEGMENTS	5
#define FRAMES		16
/* A busy host delays interrupts: reports are for the end of frames alone. */
#define NEVER_US	60000000

struct counts {
	long long wakeups;	/* of the library */
	long long calls;	/* system calls, of the library */
	long long polls;	/* by the test itself */
	long long sleeps;	/* seen by the kernel */
	long long entries;	/* system calls, seen by the kernel */
};

static struct daq_chan *chan;
static int entries_fd;
static unsigned int received;
/* A wake-up more for each: it was for a frame of which the rest never came. */
static unsigned int gaps;
static long long polls;

/* ---- What the kernel counts ---- */

static int trace_point(const char *name)
{
	char path[128];
	int id = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", name);
	file = fopen(path, "r");
	if (file && fscanf(file, "%d", &id) != 1)
		id = -1;
	if (file)
		fclose(file);
	return id;
}

/* Every system call of this thread from now on; -1: the kernel cannot count them. */
static int count_entries(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr),
		.config = trace_point("raw_syscalls/sys_enter"),
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static struct counts read_counts(void)
{
	struct daq_chan_stats stats;
	struct counts counts;
	struct rusage usage;
	u64 entries = 0;

	daq_chan__stats(chan, &stats, sizeof(stats));
	getrusage(RUSAGE_THREAD, &usage);
	if (entries_fd >= 0 && read(entries_fd, &entries, sizeof(entries)) != sizeof(entries))
		ktap_die("counter of system calls: %m");
	counts = (struct counts){
		.wakeups = stats.wakeups, .calls = stats.syscalls, .polls = polls,
		.sleeps = usage.ru_nvcsw, .entries = entries,
	};
	return counts;
}

/* ---- Ways to wait ---- */

static int timeout_ms(void)
{
	return 20000 * test_scale();
}

static void take(struct daq_frame *frame)
{
	received++;
	gaps += !!(frame->status & DAQ_FRAME_GAP_BEFORE);
	daq_chan__release(chan, frame);
}

static void wait_next(void)
{
	struct daq_frame frame;

	if (daq_chan__next(chan, &frame, timeout_ms()) != 1)
		ktap_die("no frame: %s", daq_errmsg());
	take(&frame);
}

static void wait_poll(void)
{
	struct pollfd pollfd = { .fd = daq_chan__fd(chan), .events = POLLIN };
	struct daq_frame frame;

	polls++;
	if (poll(&pollfd, 1, timeout_ms()) != 1)
		ktap_die("no frame");
	while (daq_chan__next(chan, &frame, 0) == 1)
		take(&frame);
}

static int on_frame(struct daq_chan *from, struct daq_frame *frame, void *ctx)
{
	(void)from;
	(void)ctx;
	take(frame);
	return 0;
}

static void wait_dispatch(void)
{
	if (daq_card__dispatch(card_open(), timeout_ms()) < 1)
		ktap_die("no frame: %s", daq_errmsg());
}

/* ---- Tests ---- */

/* What it takes to receive frames: at least @frames, for there may be more at once. */
static struct counts receive(void (*wait)(void), unsigned int frames)
{
	struct counts before, after;
	struct daq_frame frame;

	/* those that have been waiting, and one of which that is not so */
	while (daq_chan__next(chan, &frame, 0) == 1)
		take(&frame);
	for (received = 0; !received;)
		wait();
	received = gaps = 0;
	/* the one that reads it is the counter's only system call in between */
	before = read_counts();
	while (received < frames)
		wait();
	after = read_counts();
	return (struct counts){
		.wakeups = after.wakeups - before.wakeups,
		.calls = after.calls - before.calls,
		.polls = after.polls - before.polls,
		.sleeps = after.sleeps - before.sleeps,
		.entries = after.entries - before.entries,
	};
}

/* read_counts() asks the steering program, the socket and the kernel, before that reads. */
static long long own_entries(void)
{
	struct counts before = read_counts();

	return read_counts().entries - before.entries;
}

static void test_way(const char *name, void (*wait)(void))
{
	long long own = own_entries();
	struct counts counts;

	counts = receive(wait, scaled(FRAMES));
	printf("# %s: %u frames, %u gaps, %lld wake-ups, %lld sleeps, %lld calls of the library, %lld in all\n",
	       name, received, gaps, counts.wakeups, counts.sleeps, counts.calls,
	       counts.entries - own);
	ktap_ok(counts.sleeps > 0 && counts.wakeups + counts.polls <= received + gaps,
		"%s: it sleeps, and wakes once per frame at most", name);
	/* a page or a lock may be waited for, too */
	ktap_ok(counts.sleeps <= received + gaps + 2, "%s: says the kernel", name);
	ktap_ok(counts.calls + counts.polls <= 2 * received,
		"%s: two system calls per frame at most", name);
	if (entries_fd < 0)
		ktap_skip("says the kernel", "it has no counter of system calls");
	else
		ktap_eq(counts.entries - own, counts.calls + counts.polls,
			"%s: as many as the kernel counts", name);
}

static void test_several(unsigned int frames)
{
	unsigned int count = scaled(FRAMES);
	struct counts counts;

	set_moderation(frames, NEVER_US);
	/* the first ones may have come before it counts */
	counts = receive(wait_next, count < 2 * frames ? 2 * frames : count);
	printf("# %u frames at once: %lld wake-ups for %u\n", frames, counts.wakeups, received);
	ktap_ok(counts.wakeups > 0 && counts.wakeups <= received / frames + 2,
		"one wake-up for %u frames", frames);
}

/* So many frames would take hours. */
static void test_bound(void)
{
	struct counts counts;
	u64 began;

	set_moderation(100000, 10000);
	began = now_ms();
	counts = receive(wait_next, 4);
	ktap_ok(counts.wakeups > 0 && now_ms() - began < 20000,
		"frames come after rx-usecs though rx-frames have not");
}

static void open_chan(const struct daq_format *format)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .mode = DAQ_MODE_ZERO_COPY };

	set_formats(0, 0, format);
	if (daq_chan__open(card_open(), 0, &opts, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	set_source(0, 0, DAQ_SOURCE_COUNTER);
}

static void close_chan(void)
{
	set_source(0, 0, DAQ_SOURCE_NONE);
	daq_chan__close(chan);
}

/* As long as the card has a buffer for each part of it. */
static void test_long(void)
{
	const struct daq_format format = {
		.sample_bytes = 8, .segment_bytes = 61440, .frame_bytes = 8 << 20, .rate = 1 << 20,
	};
	struct counts counts;

	set_moderation(1, NEVER_US);
	open_chan(&format);
	counts = receive(wait_next, 2);
	ktap_ok(counts.wakeups > 0 && counts.wakeups <= received,
		"once for a frame of 137 segments, too");
	close_chan();
}

int main(void)
{
	struct daq_format format = {
		.sample_bytes = 8, .segment_bytes = SEGMENT, .frame_bytes = SEGMENTS * SEGMENT,
		.rate = 20 * SEGMENTS * SEGMENT / 8,
	};

	ktap_begin();
	card_ifname(2);
	/* what its FIFO holds until a busy host looks */
	if (card_is_kicked())
		format.rate = 40 * SEGMENT / 8;
	entries_fd = count_entries();
	set_moderation(1, NEVER_US);
	open_chan(&format);
	test_way("next", wait_next);
	test_way("a poll loop of one's own", wait_poll);
	if (daq_chan__on_frame(chan, on_frame, NULL) < 0)
		ktap_die("%s", daq_errmsg());
	test_way("dispatch", wait_dispatch);
	test_several(4);
	test_bound();
	close_chan();
	if (!card_is_kicked())
		test_long();
	return ktap_end();
}
