// SPDX-License-Identifier: GPL-2.0
/*
 * The counters page: it can be read by whoever may open it and written by nobody, no
 * snapshot of it is ever torn or goes back, all that was produced has come to something
 * in segments, frames and bytes, it agrees with ethtool -S, and it outlives the card.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	8
#define OTHER		"daqtctr0"
#define PAYLOAD		1024
#define PER_FRAME	5
#define SEGMENT		(DAQ_HDR_LEN + PAYLOAD)
#define NOBODY		65534

static struct daq_counters *counters;

static const char * const host_names[] = {
	"socket", "stack", "xdp_tx", "drop_xdp", "drop_aborted", "drop_ring_full",
	"drop_redirect", "drop_no_memory", "drop_no_frags", "drop_bad_desc", "drop_stopped",
};
static const char * const card_names[] = {
	"drop_no_buffer", "drop_too_long", "drop_fifo_overrun",
};

static struct daq_counters *open_counters(const char *name)
{
	struct daq_counters *opened;

	if (daq_counters__open(name, &opened) < 0)
		ktap_die("%s", daq_errmsg());
	return opened;
}

static struct daq_channel_counters channel_of(const struct daq_counters *from, unsigned int channel)
{
	struct daq_channel_counters result;

	if (daq_counters__channel(from, channel, &result, sizeof(result)) < 0)
		ktap_die("%s", daq_errmsg());
	return result;
}

static struct daq_queue_counters queue_of(unsigned int queue)
{
	struct daq_queue_counters result;

	if (daq_counters__queue(counters, queue, &result, sizeof(result)) < 0)
		ktap_die("%s", daq_errmsg());
	return result;
}

static bool is_zero(const struct daq_count *count)
{
	return !count->segments && !count->frames && !count->bytes;
}

static void show(const char *name, unsigned int channel, const struct daq_count *count)
{
	printf("# channel %u: %s: %lld segments, %lld frames, %lld bytes\n", channel, name,
	       (long long)count->segments, (long long)count->frames, (long long)count->bytes);
}

/* ---- who may do what ---- */

static int map_error(size_t len, int prot, int flags, off_t offset)
{
	void *map = mmap(NULL, len, prot, flags, daq_counters__fd(counters), offset);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, len);
	return 0;
}

/* Exit status of a child that tries to write there. */
static int dies_writing(volatile u32 *word)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		*word = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int write_error(const volatile void *to)
{
	int fd = open("/proc/self/mem", O_RDWR);
	u32 word = 1;
	int err = pwrite(fd, &word, sizeof(word), (off_t)(uintptr_t)to) < 0 ? errno : 0;

	close(fd);
	return err;
}

static bool open_to_nobody(const char *path)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(2);
		_exit(open(path, O_RDONLY) < 0 && errno == EACCES ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 1;
}

static size_t page_aligned(size_t bytes)
{
	return (bytes + 4095) & ~4095ul;
}

static void test_mapping(void)
{
	int fd = daq_counters__fd(counters);
	struct daq_counters_page *page;
	char link[32], path[64];
	int rw, status;
	size_t size;
	ssize_t len;
	pid_t pid;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, DAQ_MMAP_COUNTERS);
	if (!ktap_ok(page != MAP_FAILED, "map: to be read"))
		ktap_die("mmap: %m");
	ktap_eq(page->magic, DAQ_COUNTERS_MAGIC, "map: it is what it should be");
	ktap_eq(page->version, DAQ_COUNTERS_VERSION, "map: of this version");
	ktap_eq(page->channels, CHANNELS, "map: of so many channels");
	ktap_ok(page->channel_size == sizeof(struct daq_channel_counters) &&
		page->queue_size == sizeof(struct daq_queue_counters), "map: sizes are right");
	size = page_aligned(page->size);
	ktap_eq(map_error(size, PROT_READ, MAP_SHARED, 0), 0, "map: all of it");
	ktap_eq(map_error(size, PROT_READ, MAP_PRIVATE, 0), 0, "map: privately, to be read");
	ktap_eq(map_error(size + 1, PROT_READ, MAP_SHARED, 0), EINVAL, "map: more than all: EINVAL");
	ktap_eq(map_error(1ul << 40, PROT_READ, MAP_SHARED, 0), EINVAL, "map: far more: EINVAL");
	ktap_eq(map_error(4096, PROT_READ, MAP_SHARED, 4096), EINVAL,
		"map: not from the beginning: EINVAL");
	ktap_eq(map_error(4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0), EACCES,
		"map: to be written: EACCES");
	ktap_eq(map_error(4096, PROT_WRITE, MAP_PRIVATE, 0), EACCES,
		"map: to be written privately: EACCES");
	ktap_eq(map_error(4096, PROT_READ | PROT_EXEC, MAP_SHARED, 0), EACCES,
		"map: to be run: EACCES");
	rw = open(path, O_RDWR | O_CLOEXEC);
	ktap_ok(rw >= 0 && mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0) ==
		MAP_FAILED && errno == EACCES, "map: of a file to be written, too: EACCES");
	if (rw >= 0)
		close(rw);

	ktap_ok(mprotect(page, 4096, PROT_READ | PROT_WRITE) && errno == EACCES,
		"mprotect: to write: EACCES");
	ktap_ok(mprotect(page, 4096, PROT_READ | PROT_EXEC) && errno == EACCES,
		"mprotect: to run: EACCES");
	ktap_ok(mremap(page, 4096, size + 4096, MREMAP_MAYMOVE) == MAP_FAILED, "mremap: to grow: %m");
	ktap_eq(dies_writing(&page->state), SIGSEGV, "a write is a fault");
	ktap_ok(write_error(&page->state), "nor does /proc/self/mem write: %m");
	ktap_ok(!madvise(page, 4096, MADV_DONTNEED) && page->magic == DAQ_COUNTERS_MAGIC,
		"what is not needed any more comes again");
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(page->magic != DAQ_COUNTERS_MAGIC);
	waitpid(pid, &status, 0);
	ktap_eq(status, 0, "a child has it, too");
	munmap(page, 4096);
	ktap_ok(!open_to_nobody(path), "who may not open the device cannot map it");
}

/* ---- snapshots under load ---- */

struct watch {
	volatile bool end;
	u64 snapshots;
	u64 torn, back, negative;
};

static bool torn(const struct daq_count *count)
{
	/* All segments are as long, and each fifth ends a frame; none is missing in between. */
	return count->bytes != count->segments * SEGMENT ||
	       count->frames > count->segments / PER_FRAME + CHANNELS;
}

static bool before(const struct daq_count *now, const struct daq_count *then)
{
	return now->segments < then->segments || now->frames < then->frames ||
	       now->bytes < then->bytes;
}

static bool negative(const struct daq_count *count)
{
	return (long long)count->segments < 0 || (long long)count->frames < 0 ||
	       (long long)count->bytes < 0;
}

static void look(struct watch *watch, const struct daq_channel_counters *now,
		 const struct daq_channel_counters *then)
{
	struct daq_count pending;
	unsigned int i;
	bool bad = torn(&now->produced), back = before(&now->produced, &then->produced);

	for (i = 0; i < DAQ_HOST_OUTCOMES; i++) {
		bad |= torn(&now->host[i]);
		back |= before(&now->host[i], &then->host[i]);
	}
	for (i = 0; i < DAQ_CARD_OUTCOMES; i++) {
		bad |= torn(&now->card[i]);
		back |= before(&now->card[i], &then->card[i]);
	}
	daq_counters__pending(now, &pending);
	watch->negative += negative(&pending) || torn(&pending);
	watch->torn += bad;
	watch->back += back || now->card_time < then->card_time || now->frame < then->frame;
	watch->snapshots++;
}

static void *hammer(void *data)
{
	static struct daq_channel_counters last[CHANNELS];
	struct watch *watch = data;
	unsigned int c;

	for (c = 0; c < CHANNELS; c++)
		last[c] = channel_of(counters, c);
	while (!watch->end) {
		for (c = 0; c < CHANNELS; c++) {
			struct daq_channel_counters now = channel_of(counters, c);

			look(watch, &now, &last[c]);
			last[c] = now;
		}
	}
	return NULL;
}

static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	(void)ctx;
	return daq_chan__release(chan, frame);
}

static struct daq_chan *chans[CHANNELS];

static void open_channels(unsigned int count)
{
	unsigned int c;

	for (c = 0; c < count; c++) {
		const struct daq_chan_opts opts = { .sz = sizeof(opts), .buffer_bytes = 1 << 20 };

		if (daq_chan__open(card_open(), c, &opts, &chans[c]) < 0 ||
		    daq_chan__on_frame(chans[c], on_frame, NULL) < 0)
			ktap_die("%s", daq_errmsg());
	}
}

static void close_channels(unsigned int count)
{
	unsigned int c;

	for (c = 0; c < count; c++)
		daq_chan__close(chans[c]);
}

static void receive(unsigned int ms)
{
	u64 end = now_ms() + ms;

	while (now_ms() < end)
		if (daq_card__dispatch(card_open(), 50) < 0)
			ktap_die("%s", daq_errmsg());
}

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = PAYLOAD, .frame_bytes = PAYLOAD * PER_FRAME,
	.rate = PAYLOAD / 2 * 400,
};

static void test_snapshots(void)
{
	struct watch watch = { 0 };
	u64 segments = 0, then = 0;
	pthread_t thread;
	unsigned int c;

	set_formats(0, CHANNELS - 1, &format);
	open_channels(CHANNELS);
	for (c = 0; c < CHANNELS; c++)
		then += channel_of(counters, c).host[DAQ_OUTCOME_SOCKET].segments;
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	pthread_create(&thread, NULL, hammer, &watch);
	receive(4000);
	/* and while buffers run out */
	pause_ms(2000);
	watch.end = true;
	pthread_join(thread, NULL);
	quiesce();
	receive(300);
	close_channels(CHANNELS);
	for (c = 0; c < CHANNELS; c++)
		segments += channel_of(counters, c).host[DAQ_OUTCOME_SOCKET].segments;
	printf("# %llu snapshots, %llu segments delivered\n", (unsigned long long)watch.snapshots,
	       (unsigned long long)(segments - then));
	ktap_ok(segments - then > scaled(2000), "snapshots: of channels that stream");
	ktap_ok(watch.snapshots > scaled(10000), "snapshots: many");
	ktap_eq(watch.torn, 0, "snapshots: none is torn");
	ktap_eq(watch.back, 0, "snapshots: nothing goes back");
	ktap_eq(watch.negative, 0, "snapshots: nothing has come of more than was produced");
}

/* ---- at rest ---- */

static unsigned int differ(const char *name, unsigned int channel, u64 here, u64 there)
{
	if (here == there)
		return 0;
	printf("# channel %u: %s is %llu, but %llu for ethtool\n", channel, name,
	       (unsigned long long)here, (unsigned long long)there);
	return 1;
}

static unsigned int differences(unsigned int c)
{
	struct daq_channel_counters now = channel_of(counters, c);
	struct daq_queue_counters queue = queue_of(c);
	struct stats *stats = stats_read();
	unsigned int i, wrong = 0;

	for (i = 0; i < DAQ_HOST_OUTCOMES; i++)
		wrong += differ(host_names[i], c, now.host[i].segments,
				stat_of(stats, "ch%u_%s", c, host_names[i]));
	for (i = 0; i < DAQ_CARD_OUTCOMES; i++)
		wrong += differ(card_names[i], c, now.card[i].segments,
				stat_of(stats, "ch%u_%s", c, card_names[i]));
	wrong += differ("produced", c, now.produced.segments, stat_of(stats, "ch%u_produced", c));
	wrong += differ("produced bytes", c, now.produced.bytes,
			stat_of(stats, "ch%u_produced_bytes", c));
	wrong += differ("frames", c, now.host[0].frames + now.host[1].frames + now.host[2].frames,
			stat_of(stats, "ch%u_frames", c));
	wrong += differ("played", c, now.played, stat_of(stats, "ch%u_played", c));
	wrong += differ("underruns", c, now.underruns, stat_of(stats, "ch%u_underruns", c));
	wrong += differ("interrupts", c, queue.interrupts, stat_of(stats, "queue%u_irqs", c));
	wrong += differ("wake-ups", c, queue.wakeups, stat_of(stats, "queue%u_flushes", c));
	return wrong;
}

/* Nothing moves any more, and the card has told so. */
static void check_rest(const char *name)
{
	unsigned int c, unbalanced = 0, wrong = 0;

	quiesce();
	pause_ms(300);
	for (c = 0; c < CHANNELS; c++) {
		struct daq_channel_counters now = channel_of(counters, c);
		struct daq_count pending;

		daq_counters__pending(&now, &pending);
		if (!is_zero(&pending)) {
			show("unaccounted for", c, &pending);
			unbalanced++;
		}
		wrong += differences(c);
	}
	ktap_eq(unbalanced, 0, "%s: produced = delivered + dropped: segments, frames, bytes", name);
	ktap_eq(wrong, 0, "%s: as ethtool -S has it", name);
}

static u64 total_produced(void)
{
	unsigned int c;
	u64 sum = 0;

	for (c = 0; c < CHANNELS; c++)
		sum += channel_of(counters, c).produced.segments;
	return sum;
}

static u64 total_card(enum daq_outcome outcome)
{
	unsigned int c;
	u64 sum = 0;

	for (c = 0; c < CHANNELS; c++)
		sum += channel_of(counters, c).card[outcome].segments;
	return sum;
}

/* Frames of several segments whose last one is short, and nobody who listens for a while. */
static void test_rest(void)
{
	static const struct daq_format odd = {
		.sample_bytes = 2, .segment_bytes = 6000, .frame_bytes = 20002, .rate = 3000 * 60,
	};
	u64 dropped = total_card(DAQ_OUTCOME_DROP_NO_BUFFER) +
		      total_card(DAQ_OUTCOME_DROP_FIFO_OVERRUN);
	u64 then;
	unsigned int i;

	check_rest("after snapshots");
	set_formats(0, CHANNELS - 1, &odd);
	open_channels(2);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	receive(1000);
	/* Until there are losses. */
	then = now_ms() + 30000;
	while (total_card(DAQ_OUTCOME_DROP_NO_BUFFER) + total_card(DAQ_OUTCOME_DROP_FIFO_OVERRUN) <=
	       dropped + 10 && now_ms() < then)
		pause_ms(100);
	receive(300);
	check_rest("slow consumers, and none");
	ktap_ok(total_card(DAQ_OUTCOME_DROP_NO_BUFFER) + total_card(DAQ_OUTCOME_DROP_FIFO_OVERRUN) >
		dropped, "slow consumers, and none: data were lost");
	close_channels(2);

	set_formats(0, CHANNELS - 1, &format);
	for (i = 0; i < 5; i++) {
		set_source(0, CHANNELS - 1, DAQ_SOURCE_RAMP);
		pause_ms(100);
		then = total_produced();
		card_up(false);
		if (i == 0)
			ktap_eq(daq_counters__state(counters), DAQ_STATE_DOWN, "down: the state says so");
		pause_ms(20);
		card_up(true);
		ktap_ok(total_produced() >= then, "down and up, round %u: counters go on", i);
	}
	ktap_eq(daq_counters__state(counters), DAQ_STATE_UP, "up: the state says so");
	check_rest("down and up");
	set_source(0, CHANNELS - 1, DAQ_SOURCE_RAMP);
	for (i = 0; i < 10; i++) {
		pause_ms(30);
		set_formats(0, CHANNELS - 1, i % 2 ? &odd : &format);
		set_source(0, CHANNELS - 1, DAQ_SOURCE_RAMP);
	}
	check_rest("other formats");
	shell("ethtool -X %s equal 1", card_ifname(CHANNELS));
	set_source(0, CHANNELS - 1, DAQ_SOURCE_RAMP);
	pause_ms(200);
	shell("ethtool -X %s default", card_ifname(CHANNELS));
	pause_ms(200);
	check_rest("other queues");
	if (!card_on_bus())
		return;
	set_source(0, CHANNELS - 1, DAQ_SOURCE_RAMP);
	pause_ms(200);
	then = total_produced();
	ktap_eq(shell("echo 1 >/sys/class/net/%s/device/reset", card_ifname(CHANNELS)), 0,
		"a reset");
	ktap_ok(total_produced() >= then, "reset: counters go on");
	pause_ms(200);
	ktap_ok(total_produced() > then, "reset: and grow");
	ktap_eq(daq_counters__state(counters), DAQ_STATE_UP, "reset: the card is up again");
	check_rest("reset");
}

/* ---- what else can be seen ---- */

/* Without a system call; nobody has to be on a processor when the interrupt comes. */
static void test_interrupts(void)
{
	u64 first = queue_of(0).interrupts, polls = queue_of(0).polls;
	u64 end = now_ms() + 10000;
	struct daq_queue_counters now;
	struct daq_count before = channel_of(counters, 0).produced;

	set_formats(0, 0, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	do
		now = queue_of(0);
	while ((now.polls < polls + 5 || channel_of(counters, 0).produced.segments ==
		before.segments) && now_ms() < end);
	set_source(0, 0, DAQ_SOURCE_NONE);
	ktap_ok(now.polls >= polls + 5, "who only looks at the page sees polls");
	if (now.interrupts == first && stat_of(stats_read(), "queue0_irqs") == first)
		ktap_skip("who only looks at the page sees interrupts", "the card has none");
	else
		ktap_ok(now.interrupts > first && now.interrupt_time > 0,
			"who only looks at the page sees interrupts, and when");
	ktap_ok(channel_of(counters, 0).time > 0, "and when the last segment came");
}

static unsigned int read_events(enum daq_event_type type, struct daq_event *last)
{
	struct daq_event event;
	unsigned int count = 0;

	while (read(daq_counters__fd(counters), &event, sizeof(event)) == sizeof(event)) {
		if (event.type != type)
			continue;
		*last = event;
		count++;
	}
	return count;
}

static void test_overrun(void)
{
	struct daq_event event = { 0 };
	unsigned int count;
	u64 dropped;

	set_formats(1, 1, &format);
	open_channels(2);
	read_events(DAQ_EV_OVERRUN, &event);
	set_source(1, 1, DAQ_SOURCE_COUNTER);
	/* nobody takes anything */
	pause_ms(3000);
	dropped = channel_of(counters, 1).card[DAQ_OUTCOME_DROP_NO_BUFFER].segments +
		  channel_of(counters, 1).card[DAQ_OUTCOME_DROP_FIFO_OVERRUN].segments;
	set_source(1, 1, DAQ_SOURCE_NONE);
	count = read_events(DAQ_EV_OVERRUN, &event);
	ktap_ok(count > 0 && event.channel == 1 && event.value > 0 && event.value <= dropped,
		"overrun: an event tells of it");
	printf("# %u events\n", count);
	/* A kicked card on a busy host may lose some now and then, with pauses. */
	ktap_ok(count <= 10, "overrun: not one for each segment");
	receive(200);
	close_channels(2);
}

static void test_underrun(void)
{
	const struct daq_chan_opts opts = { .sz = sizeof(opts), .direction = DAQ_OUTPUT };
	struct daq_channel_counters before = channel_of(counters, 2), now;
	struct daq_event event = { 0 };
	struct daq_frame frame;
	struct daq_chan *out;

	set_formats(2, 2, &format);
	read_events(DAQ_EV_UNDERRUN, &event);
	if (daq_chan__open(card_open(), 2, &opts, &out) < 0 ||
	    daq_chan__reserve(out, format.frame_bytes, &frame, 5000) != 1)
		ktap_die("%s", daq_errmsg());
	memset(frame.data, 0, frame.len);
	daq_chan__submit(out, &frame, 0);
	daq_chan__drain(out, 5000);
	pause_ms(1000);
	now = channel_of(counters, 2);
	ktap_eq(now.underruns, before.underruns + 1, "underrun: it is counted");
	ktap_eq(read_events(DAQ_EV_UNDERRUN, &event), 1, "underrun: an event tells of it");
	ktap_eq(event.value, now.underrun_sample, "underrun: and which sample lacked");
	ktap_ok(now.played > before.played && now.played_bytes > before.played_bytes,
		"underrun: what was played is counted");
	daq_chan__close(out);
}

static void test_fifo(void)
{
	struct daq_channel_counters now = channel_of(counters, 1);

	if (!card_is_kicked())
		ktap_eq(now.fifo_size, 0, "a card that moves data by itself tells of no FIFO");
	else
		ktap_ok(now.fifo_size >= 8 && now.fifo_level <= now.fifo_size,
			"the card tells how full its FIFO is");
}

static void test_removal(void)
{
	struct daq_channel_counters last, then;
	struct daq_counters *other;
	struct daq_count pending;

	if (!card_add(OTHER, 4)) {
		ktap_skip("removal", "no other card");
		return;
	}
	other = open_counters(OTHER);
	ktap_eq(shell("daq set %s --channel all --source ramp --rate 100000", OTHER), 0,
		"removal: of a card at work");
	pause_ms(500);
	ktap_eq(daq_counters__state(other), DAQ_STATE_UP, "removal: which is up");
	then = channel_of(other, 0);
	card_del(OTHER);
	ktap_eq(daq_counters__state(other), DAQ_STATE_GONE, "removal: the card is gone");
	last = channel_of(other, 0);
	ktap_ok(last.produced.segments > 0 && last.produced.segments >= then.produced.segments,
		"removal: its counters are there");
	daq_counters__pending(&last, &pending);
	if (!ktap_ok(is_zero(&pending), "removal: and the account is closed"))
		show("unaccounted for", 0, &pending);
	ktap_ok(card_add(OTHER, 4), "removal: a new card comes");
	ktap_eq(daq_counters__state(other), DAQ_STATE_GONE, "removal: the old one stays gone");
	then = channel_of(other, 0);
	ktap_ok(!memcmp(&then, &last, sizeof(last)), "removal: nothing counts there any more");
	daq_counters__close(other);
	card_del(OTHER);
}

int main(void)
{
	struct daq_counters *none;

	ktap_begin();
	card_ifname(CHANNELS);
	ktap_eq(daq_counters__open("lo", &none), -EOPNOTSUPP, "lo is no card: %s", daq_errmsg());
	ktap_ok(daq_counters__open("/dev/null", &none) < 0, "/dev/null has none: %s", daq_errmsg());
	counters = open_counters(card_ifname(CHANNELS));
	ktap_eq(daq_counters__channels(counters), CHANNELS, "all channels have counters");
	ktap_eq(daq_counters__channel(counters, CHANNELS, &(struct daq_channel_counters){ 0 },
				      sizeof(struct daq_channel_counters)), -EINVAL,
		"and no others: %s", daq_errmsg());
	test_mapping();
	test_interrupts();
	test_snapshots();
	test_rest();
	test_overrun();
	test_underrun();
	test_fifo();
	test_removal();
	daq_counters__close(counters);
	return ktap_end();
}
