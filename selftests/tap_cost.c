// SPDX-License-Identifier: GPL-2.0
/*
 * What tcpdump costs a zero-copy consumer that looks at its data, with segments of 60 KiB:
 * next to nothing, and no segment. In turns without and with it. To be run where time is
 * the number of instructions (VM_CLOCK=virtual) or where nothing else runs.
 */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define SEGMENT			61440u
#define SEGMENTS		10u
#define FRAMES_PER_SECOND	40u
#define FRAMES			60	/* per turn */
#define TURNS			3
#define LIMIT			2	/* percent */

/* Nanoseconds of a processor. */
struct work {
	u64 consumer;	/* the library, and looking at the data */
	u64 card;	/* the card's thread, with the driver's poll that it brings about */
};

static struct daq_chan *chan;
static unsigned int lost;
static int range;

static u64 run_time(const char *pid)
{
	char path[300];
	u64 time = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%" SCNu64, &time) != 1)
		ktap_die("%s: %m", path);
	fclose(file);
	return time;
}

static bool is_card(const char *pid)
{
	char path[300], name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "r");
	if (file) {
		if (!fgets(name, sizeof(name), file))
			name[0] = '\0';
		fclose(file);
	}
	return !strncmp(name, "daq-soft", 8) || !strncmp(name, "ksoftirqd", 9);
}

/* The threads in which the driver's polls run. */
static u64 card_time(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	u64 sum = 0;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_card(entry->d_name))
			sum += run_time(entry->d_name);
	if (dir)
		closedir(dir);
	return sum;
}

static u64 own_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* The least that an application does: it looks for peaks. */
static int look(const struct daq_frame *frame)
{
	const int16_t *sample = frame->data;
	int low = 0, high = 0;
	size_t i;

	for (i = 0; i < frame->len / sizeof(*sample); i++) {
		if (sample[i] < low)
			low = sample[i];
		if (sample[i] > high)
			high = sample[i];
	}
	return high - low;
}

static void receive(unsigned int frames)
{
	struct daq_frame frame;

	while (frames--) {
		if (daq_chan__next(chan, &frame, 60000) != 1 || !frame.data)
			ktap_die("no frame: %s", daq_errmsg());
		lost += frame.gap.segments;
		range = look(&frame);
		daq_chan__release(chan, &frame);
	}
}

static void measure(struct work *sum)
{
	u64 own, card;

	/* out of the way of what has just started or ended */
	receive(5);
	own = own_time();
	card = card_time();
	receive(FRAMES);
	sum->consumer += own_time() - own;
	sum->card += card_time() - card;
}

/* The line of tcpdump's log with that word: whether there is one. */
static bool find_line(const char *dir, const char *word, char *line, size_t size)
{
	char path[128];
	bool found = false;
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", dir);
	log = fopen(path, "r");
	while (log && !found && fgets(line, size, log))
		found = strstr(line, word);
	if (log)
		fclose(log);
	return found;
}

/* Receives meanwhile, however long a busy host lets programs wait for their files. */
static void receive_until(const char *dir, const char *word, char *line, size_t size)
{
	unsigned int tries = 0;

	while (!find_line(dir, word, line, size)) {
		if (++tries > 60 * FRAMES_PER_SECOND)
			ktap_die("tcpdump does not say \"%s\"", word);
		receive(1);
	}
}

static void start_tap(const char *dir)
{
	char line[256];

	if (shell("cd %s && { tcpdump -eni %s -w /dev/null 'ether proto 0x88b5' 2>log & } && "
		  "echo $! >pid", dir, card_ifname(0)))
		ktap_die("tcpdump does not start");
	receive_until(dir, "listening", line, sizeof(line));
}

/* How many headers it has seen. */
static unsigned int stop_tap(const char *dir)
{
	unsigned int seen = 0;
	char line[256];

	shell("kill -INT $(cat %s/pid)", dir);
	receive_until(dir, "packets captured", line, sizeof(line));
	sscanf(line, "%u", &seen);
	return seen;
}

/* What the taps add, in hundredths of a percent. */
static long long share(u64 more, u64 less, u64 whole)
{
	return 10000 * ((long long)more - (long long)less) / (long long)whole;
}

static void judge(const struct work *off, const struct work *on)
{
	unsigned int segments = TURNS * FRAMES * SEGMENTS;
	long long own = share(on->consumer, off->consumer, off->consumer);
	long long all = share(on->consumer + on->card, off->consumer + off->card, off->consumer);

	printf("# without: consumer %" PRIu64 " ns, card and driver %" PRIu64 " ns per segment\n",
	       off->consumer / segments, off->card / segments);
	printf("# with a tap: consumer %" PRIu64 " ns, card and driver %" PRIu64 " ns\n",
	       on->consumer / segments, on->card / segments);
	printf("# with it the consumer works %+.2f %%, with the driver's part %+.2f %%\n",
	       own / 100.0, all / 100.0);
	ktap_ok(own < LIMIT * 100, "the consumer's own work is less than %d %% more", LIMIT);
	ktap_ok(all < LIMIT * 100, "so is all that the tap adds, the driver's part included");
}

int main(void)
{
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = SEGMENT, .frame_bytes = SEGMENTS * SEGMENT,
		.rate = FRAMES_PER_SECOND * SEGMENTS * SEGMENT / 2,
	};
	struct daq_chan_opts opts = { .sz = sizeof(opts), .mode = DAQ_MODE_ZERO_COPY };
	char dir[] = "/tmp/tap_cost.XXXXXX";
	struct work off = { 0 }, on = { 0 };
	unsigned int turn, seen = 0;

	ktap_begin();
	card_ifname(1);
	if (card_on_bus())
		ktap_skip_all("what a card on the bus does is not the guest's work");
	if (!mkdtemp(dir))
		ktap_die("%s: %m", dir);
	set_formats(0, 0, &format);
	if (daq_chan__open(card_open(), 0, &opts, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	for (turn = 0; turn < TURNS; turn++) {
		measure(&off);
		start_tap(dir);
		measure(&on);
		/* the kernel lets tcpdump wait for up to a second */
		receive(2 * FRAMES_PER_SECOND);
		seen += stop_tap(dir);
	}
	set_source(0, 0, DAQ_SOURCE_NONE);
	daq_chan__close(chan);
	shell("rm -r %s", dir);

	ktap_ok(seen >= TURNS * FRAMES * SEGMENTS, "tcpdump has seen every segment");
	ktap_ok(!lost && range, "the consumer has lost none, and has seen something");
	judge(&off, &on);
	return ktap_end();
}
