// SPDX-License-Identifier: GPL-2.0
/*
 * Nothing waits for user space: a process that holds all memory of a channel, and then is
 * stopped, frozen, or spins for ever, takes nothing from others and delays nothing that
 * is done to the card. When it goes on, it knows exactly what it has missed; when it is
 * killed, all is back at once.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include "consumer.h"

#define HELD		0	/* channels */
#define NEIGHBOUR	1
#define MAX_HELD	64	/* frames */
#define CGROUPS		"/tmp/daq-stopped"
#define CGROUP		CGROUPS "/holder"

enum mode { NOBODY_HOLDS, STOPPED, FROZEN, SPINNING, MODES };
enum op { DOWN, RINGS, QUEUES, SLEEP, DETACH, REMOVE, UNLOAD, OPS };

static const char * const mode_names[MODES] = { "none", "stopped", "frozen", "spinning" };
static const char * const op_names[OPS] = {
	"ip link set down", "ethtool -G", "ethtool -L", "suspend and resume", "XDP detach",
	"card removed", "rmmod",
};

static u64 took_us[MODES][OPS];		/* 0: cannot be done here */

/* The process that holds all it can, in memory that it shares with the test. */
struct holder {
	pid_t pid;
	volatile bool spin;	/* told to spin while it holds */
	volatile bool go_on;	/* told to give everything back */
	volatile bool ready;	/* has its channel */
	volatile bool holds;	/* everything */
	volatile int err;
	char message[256];
	volatile unsigned int frames;
	unsigned int wrong_number, wrong_sample, wrong_data, wrong_time, restarted;
	u64 late_ns;		/* the card itself, on a busy machine */
	u64 next_number, next_sample, next_time;
	u32 reasons;
	u64 off_ns;
	struct daq_chan_stats stats;
};

static struct holder *holder;
static struct daq_format slow;

/* ---- The holder ---- */

static u64 samples_ns(u64 samples)
{
	return (unsigned __int128)samples * 1000000000 / slow.rate;
}

static bool right_data(const struct daq_frame *frame)
{
	u64 at = frame->sample * slow.sample_bytes;
	unsigned int i;

	for (i = 0; i < frame->iovcnt; at += frame->iov[i++].iov_len)
		if (!is_counter(frame->iov[i].iov_base, frame->iov[i].iov_len, at))
			return false;
	return true;
}

/*
 * Where the frame before has ended, what is in the gap, and the time that the channel was
 * off have to add up to where this one begins: in frames, in samples, and on the card's
 * clock, whose ns may be rounded some times.
 */
static void check_frame(struct holder *me, const struct daq_frame *frame)
{
	const struct daq_gap *gap = &frame->gap;
	int64_t late = frame->timestamp - me->next_time - samples_ns(gap->samples) - gap->off_ns;

	if (me->next_time && frame->iovcnt) {
		me->wrong_number += frame->number != me->next_number + gap->frames;
		me->wrong_sample += frame->sample != me->next_sample + gap->samples;
		me->wrong_time += late < -4 || (gap->off_ns && !me->late_ns && late > 4);
		me->late_ns += !gap->off_ns && late > 4 ? late : 0;
	}
	me->restarted += !!(frame->status & DAQ_FRAME_RESTARTED);
	me->wrong_data += !right_data(frame);
	me->reasons |= gap->reasons;
	me->off_ns += gap->off_ns;
	me->next_number = frame->number + 1;
	me->next_sample = frame->sample + frame->len / slow.sample_bytes;
	me->next_time = frame->timestamp + samples_ns(frame->len / slow.sample_bytes);
	me->frames++;
}

static void hold(struct holder *me)
{
	volatile unsigned long turns = 0;

	me->holds = true;
	while (!me->go_on) {
		if (me->spin)
			turns++;
		else
			usleep(1000);
	}
	me->holds = false;
}

/* Until nothing more comes, for want of memory. */
static int take_all(struct holder *me, struct daq_chan *chan)
{
	static struct daq_frame frames[MAX_HELD];
	unsigned int count = 0, i;
	u64 quiet = now_ms();
	int ret = 0;

	while (count < MAX_HELD && now_ms() < quiet + 2000) {
		ret = daq_chan__next(chan, &frames[count], 20);
		if (ret == -ENOBUFS)
			break;
		if (ret < 0)
			return ret;
		if (ret == 0)
			continue;
		check_frame(me, &frames[count++]);
		quiet = now_ms();
	}
	hold(me);
	for (i = 0; i < count; i++)
		daq_chan__release(chan, &frames[i]);
	return 0;
}

static int go_on(struct holder *me, struct daq_chan *chan)
{
	struct daq_frame frame;
	int ret = 0;

	while (me->go_on && (ret >= 0 || ret == -EINTR || ret == -ENETDOWN)) {
		ret = daq_chan__next(chan, &frame, 20);
		if (ret == -ENETDOWN)
			usleep(1000);
		if (ret == 1) {
			check_frame(me, &frame);
			daq_chan__release(chan, &frame);
		}
		daq_chan__stats(chan, &me->stats, sizeof(me->stats));
	}
	return ret < 0 && ret != -EINTR && ret != -ENETDOWN ? ret : 0;
}

static void be_holder(struct holder *me)
{
	const struct daq_chan_opts opts = {
		.sz = sizeof(opts), .buffer_bytes = 8 * (slow.frame_bytes + 4 * 4096),
	};
	struct daq_card *card;
	struct daq_chan *chan;
	int ret;

	ret = daq_card__open(card_ifname(CHANNELS), NULL, &card);
	if (!ret)
		ret = daq_chan__open(card, HELD, &opts, &chan);
	me->ready = !ret;
	while (!ret) {
		ret = take_all(me, chan);
		if (!ret)
			ret = go_on(me, chan);
	}
	me->err = ret;
	snprintf(me->message, sizeof(me->message), "%s", daq_errmsg());
	_exit(1);
}

static bool is_ready(void)
{
	return holder->ready || holder->err;
}

static bool becomes(bool (*check)(void))
{
	u64 end = now_ms() + 10000;
	bool is;

	while (!(is = check()) && now_ms() < end)
		pause_ms(10);
	return is;
}

static void start_holder(void)
{
	pid_t pid;

	memset(holder, 0, sizeof(*holder));
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		ktap_die("fork: %m");
	if (pid == 0)
		be_holder(holder);
	holder->pid = pid;
	/* what comes before it has its channel is not in its account */
	if (!becomes(is_ready) || holder->err)
		ktap_die("the holder: %s", holder->message);
}

/* ---- What is done to it ---- */

static void write_file(const char *path, const char *fmt, ...)
{
	char text[32];
	va_list args;
	int fd, len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != len)
		ktap_die("%s: %m", path);
	close(fd);
}

static bool is_frozen(void)
{
	return shell("grep -q '^frozen 1$' " CGROUP "/cgroup.events") == 0;
}

static bool in_state(char state)
{
	char path[64], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", holder->pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return strstr(line, ") ") && strstr(line, ") ")[2] == state;
}

static bool is_stopped(void)
{
	return in_state('T');
}

static bool is_running(void)
{
	return in_state('R');
}

static bool holds(void)
{
	return holder->holds || holder->err;
}

/* It has all that it can get, and from now on does nothing about it. */
static bool seize(enum mode mode)
{
	holder->spin = mode == SPINNING;
	holder->go_on = false;
	if (!becomes(holds) || holder->err) {
		printf("# the holder: %s\n", holder->message);
		return false;
	}
	switch (mode) {
	case STOPPED:
		kill(holder->pid, SIGSTOP);
		return becomes(is_stopped);
	case FROZEN:
		write_file(CGROUP "/cgroup.procs", "%d", holder->pid);
		write_file(CGROUP "/cgroup.freeze", "1");
		return becomes(is_frozen);
	default:
		return becomes(is_running);
	}
}

static void let_go(enum mode mode)
{
	holder->go_on = true;
	if (mode == STOPPED)
		kill(holder->pid, SIGCONT);
	else if (mode == FROZEN)
		write_file(CGROUP "/cgroup.freeze", "0");
}

static u64 now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

/* All pages that the kernel keeps for devices, this process's and all others'. */
static long pinned_pages(void)
{
	unsigned long acquired = 0, released = 0;
	char line[128];
	FILE *file;

	/* each processor has a part of the sum */
	write_file("/proc/sys/vm/stat_refresh", "1");
	file = fopen("/proc/vmstat", "re");
	if (!file)
		ktap_die("/proc/vmstat: %m");
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "nr_foll_pin_acquired %lu", &acquired);
		sscanf(line, "nr_foll_pin_released %lu", &released);
	}
	fclose(file);
	return acquired - released;
}

static unsigned int sockets(void)
{
	unsigned int count = 0, size;
	char line[256];
	FILE *file = fopen("/proc/net/protocols", "re");

	if (!file)
		ktap_die("/proc/net/protocols: %m");
	while (fgets(line, sizeof(line), file))
		sscanf(line, "XDP %u %u", &size, &count);
	fclose(file);
	return count;
}

/* Killed as it is, and back is what it had. */
static void kill_holder(enum mode mode, const char *when, long pinned, unsigned int open)
{
	u64 end, began = now_us();
	long now;

	kill(holder->pid, SIGKILL);
	waitpid(holder->pid, NULL, 0);
	printf("# %s, %s: the process has ended after %llu us\n", mode_names[mode], when,
	       (unsigned long long)(now_us() - began));
	/* the kernel gives it back from a work item */
	end = now_ms() + 20000;
	while ((now = pinned_pages()) != pinned && now_ms() < end)
		pause_ms(1);
	printf("# %s, %s: %ld pages pinned after %llu us\n", mode_names[mode], when, now,
	       (unsigned long long)(now_us() - began));
	ktap_eq(now, pinned, "%s, killed, %s: its memory is back", mode_names[mode], when);
	ktap_eq(sockets(), open, "%s, killed, %s: and its socket", mode_names[mode], when);
}

/* ---- What is done to the card ---- */

static bool set_down(void)
{
	return card_up(false);
}

static bool set_up(void)
{
	return card_up(true);
}

static bool few_rings(void)
{
	return shell("ethtool -G %s rx 1024", card_ifname(CHANNELS)) == 0;
}

static bool all_rings(void)
{
	return shell("ethtool -G %s rx 4096", card_ifname(CHANNELS)) == 0;
}

/* Sockets stay with the first ones. */
static bool few_queues(void)
{
	return shell("ethtool -L %s combined 2", card_ifname(CHANNELS)) == 0;
}

static bool all_queues(void)
{
	return shell("ethtool -L %s combined %u", card_ifname(CHANNELS), CHANNELS) == 0;
}

static bool sleep_and_wake(void)
{
	return machine_sleeps("devices") == 1;
}

/* The program goes, whoever has a descriptor of its link. */
static bool detach(void)
{
	unsigned int ifindex = if_nametoindex(card_ifname(CHANNELS));
	struct bpf_link_info info;
	u32 id = 0, len;
	bool done = false;
	int fd;

	while (!done && bpf_link_get_next_id(id, &id) == 0) {
		fd = bpf_link_get_fd_by_id(id);
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (fd >= 0 && bpf_link_get_info_by_fd(fd, &info, &len) == 0 &&
		    info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex)
			done = bpf_link_detach(fd) == 0;
		if (fd >= 0)
			close(fd);
	}
	return done && !attached_program();
}

static bool remove_card(void)
{
	card_del(card_ifname(CHANNELS));
	return if_nametoindex(card_ifname(CHANNELS)) == 0;
}

static bool unload(void)
{
	return shell("rmmod daq") == 0 && access("/sys/module/daq", F_OK) < 0;
}

static const struct {
	bool (*act)(void);
	bool (*undo)(void);
} acts[OPS] = {
	[DOWN]		= { set_down, set_up },
	[RINGS]		= { few_rings, all_rings },
	[QUEUES]	= { few_queues, all_queues },
	[SLEEP]		= { sleep_and_wake, NULL },
	[DETACH]	= { detach, NULL },
	[REMOVE]	= { remove_card, NULL },
	[UNLOAD]	= { unload, NULL },
};

static void act(enum mode mode, enum op op)
{
	u64 began = now_us();

	ktap_ok(acts[op].act(), "%s: %s", mode_names[mode], op_names[op]);
	took_us[mode][op] = now_us() - began;
	if (acts[op].undo)
		ktap_ok(acts[op].undo(), "%s: and back", mode_names[mode]);
}

/* ---- The tests ---- */

static struct consumer *start_neighbour(void)
{
	struct consumer *consumer = new_consumer(0, NEIGHBOUR);

	/* for half a minute of data */
	consumer->opts.buffer_bytes = 8 << 20;
	consumer->patient = true;
	launch(consumer);
	consumer->go = true;
	return consumer;
}

/* Channels have their format, and nothing has come yet. */
static void begin(void)
{
	slow = format;
	slow.rate = 20 * slow.segment_bytes / slow.sample_bytes;
	if (card_is_kicked())
		slow.rate /= 2;
	set_formats(0, CHANNELS - 1, &slow);
	slow.rate /= test_scale();
}

static bool goes_on(const struct consumer *consumer)
{
	unsigned int wanted = consumer->frames + ENOUGH;
	u64 end = now_ms() + 20000;

	while (consumer->frames < wanted && !consumer->err && now_ms() < end)
		usleep(1000);
	return consumer->frames >= wanted && !consumer->wrong;
}

/* What others get while nothing is done but that one holds all its memory. */
static void check_neighbour(enum mode mode, const struct consumer *neighbour)
{
	u64 dropped = stats_dropped(stats_read(), HELD);
	unsigned int frames = neighbour->frames;
	u64 end = now_ms() + 3000;
	bool all = true;

	while (all && now_ms() < end)
		all = receives(neighbour);
	ktap_ok(all, "%s: a neighbour gets all its frames, %u meanwhile", mode_names[mode],
		neighbour->frames - frames);
	if (mode != NOBODY_HOLDS)
		ktap_ok(stats_dropped(stats_read(), HELD) >= dropped + 10,
			"%s: while the card has no buffer for this one", mode_names[mode]);
}

static void disturb(enum mode mode)
{
	enum op op;

	for (op = DOWN; op < SLEEP; op++)
		act(mode, op);
	if (access("/sys/power/pm_test", W_OK))
		ktap_skip(op_names[SLEEP], "this kernel does not test sleep");
	else
		act(mode, SLEEP);
}

static bool has_gone_on(void)
{
	static unsigned int wanted;

	if (!wanted)
		wanted = holder->frames + ENOUGH;
	if (holder->frames < wanted && !holder->err)
		return false;
	wanted = 0;
	return true;
}

/*
 * All sources are still, and all that was lost has been told. What a busy machine has lost
 * at the very end the next frames tell: then there have to be some.
 */
static struct stats *settle(const struct stats *before)
{
	struct stats *after;
	unsigned int try;

	for (try = 0;; try++) {
		quiesce();
		pause_ms(300);
		after = stats_read();
		if (try == 5 || holder->stats.lost_segments == stats_dropped(after, HELD) -
							       stats_dropped(before, HELD))
			return after;
		set_source(HELD, NEIGHBOUR, DAQ_SOURCE_COUNTER);
		becomes(has_gone_on);
	}
}

/* It has all been told what it missed, by the driver's account, and by the clock. */
static void check_gap(enum mode mode, struct stats *before)
{
	u32 why = 1u << DAQ_LOSS_OFF | 1u << DAQ_LOSS_NO_BUFFER |
		  (took_us[mode][SLEEP] ? 1u << DAQ_LOSS_SUSPEND : 0);
	const char *name = mode_names[mode];
	struct stats *after;

	let_go(mode);
	ktap_ok(becomes(has_gone_on) && !holder->err, "%s, continued: it gets frames", name);
	after = settle(before);
	ktap_eq(holder->stats.lost_segments, stats_dropped(after, HELD) - stats_dropped(before, HELD),
		"%s, continued: what the driver has dropped is in its gaps, to the last segment", name);
	ktap_eq(holder->stats.segments, stat_of(after, "ch0_socket") - stat_of(before, "ch0_socket"),
		"%s, continued: and what the driver has delivered has come", name);
	ktap_eq(holder->wrong_number + holder->wrong_sample + holder->wrong_data, 0,
		"%s, continued: frames, samples and bytes are where the gaps say", name);
	ktap_eq(holder->wrong_time, 0, "%s, continued: so are they on the card's clock", name);
	ktap_eq(holder->restarted, 0, "%s, continued: all numbers have gone on", name);
	ktap_ok((holder->reasons & why) == why, "%s, continued: the reasons are right: 0x%x", name,
		holder->reasons);
	printf("# %s: %u frames came, %llu frames, %llu samples lost, off for %llu us, of that asleep for %llu us in %llu gaps; the card was late by %llu us\n",
	       name, holder->frames, (unsigned long long)holder->stats.lost_frames,
	       (unsigned long long)holder->stats.lost_samples,
	       (unsigned long long)holder->off_ns / 1000,
	       (unsigned long long)holder->stats.suspend_ns / 1000,
	       (unsigned long long)holder->stats.suspend_gaps,
	       (unsigned long long)holder->late_ns / 1000);
	set_source(HELD, NEIGHBOUR, DAQ_SOURCE_COUNTER);
}

/* Who comes next gets the channel, at once. */
static void check_successor(enum mode mode)
{
	struct consumer *next = start(1, HELD);
	bool all;

	set_source(HELD, NEIGHBOUR, DAQ_SOURCE_COUNTER);
	all = receives(next);
	ktap_ok(all, "%s, killed: the next one gets the channel and all frames", mode_names[mode]);
	end(next, SIGKILL);
}

/* Something that ends the card while it is held; and the card anew. */
static void end_card(enum mode mode, enum op op, long pinned)
{
	start_holder();
	set_source(HELD, HELD, DAQ_SOURCE_COUNTER);
	if (mode != NOBODY_HOLDS)
		ktap_ok(seize(mode), "%s: holds all, before: %s", mode_names[mode], op_names[op]);
	else
		kill(holder->pid, SIGKILL);
	card_close();
	act(mode, op);
	if (mode == NOBODY_HOLDS)
		waitpid(holder->pid, NULL, 0);
	else
		kill_holder(mode, op_names[op], pinned, 0);
	ktap_ok(card_add(card_ifname(CHANNELS), CHANNELS), "%s: there is a card again",
		mode_names[mode]);
	begin();
}

static void test_mode(enum mode mode)
{
	long pinned = pinned_pages();
	struct consumer *neighbour;
	struct stats *before;

	begin();
	before = stats_read();
	neighbour = start_neighbour();
	if (mode != NOBODY_HOLDS)
		start_holder();
	set_source(HELD, NEIGHBOUR, DAQ_SOURCE_COUNTER);
	ktap_ok(receives(neighbour), "%s: the neighbour receives", mode_names[mode]);
	if (mode != NOBODY_HOLDS)
		ktap_ok(seize(mode), "%s: a process holds all", mode_names[mode]);
	check_neighbour(mode, neighbour);
	disturb(mode);
	ktap_ok(goes_on(neighbour), "%s: the neighbour goes on after all that", mode_names[mode]);
	if (mode != NOBODY_HOLDS) {
		check_gap(mode, before);
		ktap_ok(seize(mode), "%s: holds all again", mode_names[mode]);
	}
	act(mode, DETACH);
	end(neighbour, SIGKILL);
	if (mode != NOBODY_HOLDS)
		kill_holder(mode, op_names[DETACH], pinned, 0);
	quiesce();
	check_successor(mode);
	end_card(mode, REMOVE, pinned);
	end_card(mode, UNLOAD, pinned);
}

static void check_times(void)
{
	u64 slack = 3000000 * test_scale(), most;
	enum mode mode;
	enum op op;

	for (op = 0; op < OPS; op++) {
		most = 3 * took_us[NOBODY_HOLDS][op] + slack;
		for (mode = STOPPED; mode < MODES; mode++)
			ktap_ok(took_us[mode][op] <= most, "%s: takes %llu us with one %s, %llu without",
				op_names[op], (unsigned long long)took_us[mode][op],
				mode_names[mode], (unsigned long long)took_us[NOBODY_HOLDS][op]);
	}
}

static void remove_cgroups(void)
{
	rmdir(CGROUP);
	umount(CGROUPS);
	rmdir(CGROUPS);
}

static void make_cgroups(void)
{
	if (mkdir(CGROUPS, 0700) || mount("none", CGROUPS, "cgroup2", 0, NULL) ||
	    mkdir(CGROUP, 0700))
		ktap_die("cgroups: %m");
	atexit(remove_cgroups);
}

/* The program must not leave a frozen or stopped process behind. */
static void kill_all(void)
{
	if (holder->pid)
		kill(holder->pid, SIGKILL);
}

int main(void)
{
	enum mode mode;

	ktap_begin();
	begin_consumers();
	holder = mmap(NULL, sizeof(*holder), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (holder == MAP_FAILED)
		ktap_die("mmap: %m");
	make_cgroups();
	atexit(kill_all);
	for (mode = 0; mode < MODES; mode++)
		test_mode(mode);
	check_times();
	return ktap_end();
}
