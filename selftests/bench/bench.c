// SPDX-License-Identifier: GPL-2.0
/*
 * Receives in one of the ways there are, and tells what that costs: one line of
 * NAME=VALUE, or nothing of that and an error.
 *
 *   bench --case a --segment 61440 --frame 614400 --rate 50000000 --frames 64
 */
#include <endian.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>
#include "consumer.h"

#define WARM_UP		8	/* frames that are not counted, twice */
#define MAX_FRAMES	65536

int bench_fd = -1;
volatile unsigned int bench_frames;

static const struct bench_page *page;
static bool touch;
static volatile u64 sum;
static u64 latency[MAX_FRAMES];
static u64 dropped;

void bench_touch(const void *data, size_t len)
{
	const u64 *word = data;
	u64 all = 0;
	size_t i;

	if (!touch)
		return;
	for (i = 0; i < len / sizeof(*word); i++)
		all += word[i];
	sum += all;
}

void bench_header(const struct daq_hdr *hdr)
{
	dropped = be64toh(hdr->dropped);
}

void bench_frame(void)
{
	unsigned int i = __atomic_fetch_add(&bench_frames, 1, __ATOMIC_RELAXED);

	latency[i % MAX_FRAMES] = __rdtsc() - page->event;
}

static void open_module(void)
{
	bench_fd = open("/dev/daq-bench", O_RDWR | O_CLOEXEC);
	if (bench_fd < 0)
		ktap_die("/dev/daq-bench: %m (insmod daq_bench.ko?)");
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, bench_fd, 0);
	if (page == MAP_FAILED)
		ktap_die("/dev/daq-bench: mmap: %m");
	/* or each is a page fault */
	memset(latency, 0, sizeof(latency));
}

/* ---- The card ---- */

static void set_up_card(const struct bench_options *options)
{
	const struct daq_format format = {
		.sample_bytes = 8, .segment_bytes = options->segment,
		.frame_bytes = options->frame, .rate = options->rate / 8 / options->channels,
	};

	card_ifname(options->channels);
	set_formats(0, options->channels - 1, &format);
	/* reports are for the ends of frames alone */
	if (shell("ethtool -C %s rx-frames %u rx-usecs 10000000", card_ifname(0),
		  options->rx_frames))
		ktap_die("cannot set the moderation");
}

/* ---- What it costs ---- */

struct result {
	struct bench_counts counts;
	unsigned int faults;
	u64 lost;
	unsigned int begun;	/* number of the first frame */
	unsigned int frames;
	u64 untapped;		/* work before the tap came */
};

static u64 work_of(const struct bench_counts *counts)
{
	return counts->ticks[BENCH_USER] + counts->ticks[BENCH_SYSTEM] +
	       counts->ticks[BENCH_IRQ] + counts->ticks[BENCH_SOFTIRQ];
}

static unsigned int page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void count(const struct bench_options *options, struct result *result)
{
	unsigned int flags = (options->events ? BENCH_F_EVENTS : 0) |
			     (options->which->flags & BENCH_WOKEN ? BENCH_F_WAKES : 0);

	if (ioctl(bench_fd, BENCH_START, flags))
		ktap_die("BENCH_START: %m");
	result->begun = bench_frames;
	options->which->receive(result->begun + options->frames);
	result->frames = bench_frames - result->begun;
	if (ioctl(bench_fd, BENCH_STOP, &result->counts))
		ktap_die("BENCH_STOP: %m");
}

static void let_tap_come_and_go(const struct bench_case *which)
{
	int tap = packet_socket(ETH_P_ALL);
	struct daq_hdr hdr;

	which->receive(bench_frames + WARM_UP);
	if (recv(tap, &hdr, sizeof(hdr), MSG_DONTWAIT) < DAQ_HDR_LEN)
		ktap_die("the tap has seen nothing");
	close(tap);
	which->receive(bench_frames + WARM_UP);
}

static void measure(const struct bench_options *options, struct result *result)
{
	const struct bench_case *which = options->which;

	which->receive(WARM_UP);
	/* what was lost before everything ran does not matter */
	result->lost = which->lost() + dropped;
	/* nor do frames that came meanwhile */
	which->receive(bench_frames + WARM_UP);
	if (options->tap) {
		count(options, result);
		result->untapped = work_of(&result->counts);
		let_tap_come_and_go(which);
	}
	result->faults = page_faults();
	count(options, result);
	result->faults = page_faults() - result->faults;
	result->lost = which->lost() + dropped - result->lost;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static const char * const contexts[] = {
	"idle", "card", "user", "system", "irq", "softirq", "clock", "other",
};

static const char * const events[] = {
	"switches", "sleeps", "irqs", "softirqs", "syscalls", "faults", "maps", "allocs",
};

/* All numbers are sums over the frames; ticks are in units of @unit. */
static void tell(const struct bench_options *options, struct result *result,
		 const struct bench_scale *scale)
{
	double per_tick = (double)scale->loop_instructions / scale->loop_ticks;
	u64 elapsed = 0;
	unsigned int i, n = result->frames;

	for (i = 0; i < BENCH_CONTEXTS; i++)
		elapsed += result->counts.ticks[i];
	printf("case=%s segment=%u frame=%u channels=%u buffer=%zu rx_frames=%u touch=%d rate=%" PRIu64
	       " frames=%u lost=%" PRIu64 " per_tick=%.4f khz=%" PRIu64 " overhead=%" PRIu64
	       " elapsed=%" PRIu64 " work=%" PRIu64,
	       options->which->name, options->segment, options->frame, options->channels,
	       options->buffer, options->rx_frames, options->touch, options->rate, n,
	       result->lost, per_tick, (u64)scale->khz, (u64)scale->overhead, elapsed,
	       work_of(&result->counts));
	if (options->tap)
		printf(" untapped=%" PRIu64, result->untapped);
	for (i = 0; i < BENCH_CONTEXTS; i++)
		printf(" %s=%" PRIu64, contexts[i], (u64)result->counts.ticks[i]);
	for (i = 0; i < BENCH_EVENTS; i++)
		if (result->counts.missing & 1ull << i)
			printf(" %s=-", events[i]);
		else
			printf(" %s=%" PRIu64, events[i], (u64)result->counts.events[i]);
	n = n < MAX_FRAMES - result->begun ? n : MAX_FRAMES - result->begun;
	memmove(latency, latency + result->begun, n * sizeof(*latency));
	qsort(latency, n, sizeof(*latency), compare);
	printf(" rusage_faults=%u p50=%" PRIu64 " p99=%" PRIu64 " max=%" PRIu64 "\n",
	       result->faults, latency[n / 2], latency[n * 99 / 100], latency[n - 1]);
}

static void run(const struct bench_options *options)
{
	const struct bench_case *which = options->which;
	struct result result = { 0 };
	struct bench_scale scale;

	open_module();
	if (ioctl(bench_fd, BENCH_SCALE, &scale))
		ktap_die("BENCH_SCALE: %m");
	if (which->flags & BENCH_OF_CARD)
		set_up_card(options);
	touch = options->touch;
	which->open(options);
	if (which->flags & BENCH_OF_CARD)
		set_source(0, options->channels - 1, DAQ_SOURCE_COUNTER);
	measure(options, &result);
	if (which->flags & BENCH_OF_CARD)
		set_source(0, options->channels - 1, DAQ_SOURCE_NONE);
	which->close();
	close(bench_fd);
	tell(options, &result, &scale);
}

/* ---- Options ---- */

static const struct bench_case *find_case(const char *name)
{
	const struct bench_case *which;

	for (which = bench_cases; which->name; which++)
		if (!strcmp(which->name, name))
			return which;
	ktap_die("no case %s", name);
}

static u64 number(const char *text)
{
	char *end;
	u64 value = strtoull(text, &end, 0);

	if (end == text || *end)
		ktap_die("%s is no number", text);
	return value;
}

static void usage(FILE *to)
{
	const struct bench_case *which;

	fputs("Usage: bench --case CASE [OPTION...]\n"
	      "  --segment BYTES, --frame BYTES, --channels N, --rate BYTES-PER-SECOND\n"
	      "  --frames N     to be counted\n"
	      "  --rx-frames N  per interrupt\n"
	      "  --buffer BYTES of the library, per channel\n"
	      "  --poll US      case h: pause of the thread when there is nothing\n"
	      "  --touch        read every byte\n"
	      "  --events       count all events, which takes time itself\n"
	      "  --tap          a packet tap comes and goes; count before that, too\n", to);
	for (which = bench_cases; which->name; which++)
		fprintf(to, "  case %s: %s\n", which->name, which->title);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "case", 1, NULL, 'c' }, { "segment", 1, NULL, 's' }, { "frame", 1, NULL, 'f' },
		{ "channels", 1, NULL, 'n' }, { "rate", 1, NULL, 'r' },
		{ "frames", 1, NULL, 'N' }, { "rx-frames", 1, NULL, 'x' },
		{ "buffer", 1, NULL, 'b' }, { "poll", 1, NULL, 'p' }, { "touch", 0, NULL, 't' },
		{ "events", 0, NULL, 'e' }, { "tap", 0, NULL, 'T' },
		{ "help", 0, NULL, 'h' }, { }
	};
	struct bench_options options = {
		.segment = 61440, .frame = 614400, .channels = 1, .frames = 32, .rx_frames = 1,
		.rate = 50000000, .poll_us = 100,
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'c': options.which = find_case(optarg); break;
		case 's': options.segment = number(optarg); break;
		case 'f': options.frame = number(optarg); break;
		case 'n': options.channels = number(optarg); break;
		case 'r': options.rate = number(optarg); break;
		case 'N': options.frames = number(optarg); break;
		case 'x': options.rx_frames = number(optarg); break;
		case 'b': options.buffer = number(optarg); break;
		case 'p': options.poll_us = number(optarg); break;
		case 't': options.touch = true; break;
		case 'e': options.events = true; break;
		case 'T': options.tap = true; break;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	}
	if (!options.which || optind < argc || options.frames < 1 ||
	    options.channels < 1 || options.channels > DAQ_MAX_CHANNELS) {
		usage(stderr);
		return 2;
	}
	run(&options);
	return 0;
}
