// SPDX-License-Identifier: GPL-2.0
/*
 * Register windows: what of a mapped page reaches the card, while it is granted and after
 * it was revoked, whoever did that, and what owners may do with their mappings.
 *
 * The card tells by its registers, as ethtool -d shows them, what it has got: the word
 * MARKER of the page, and on the bus how many writes came to a page that was not open.
 * REVOKES= is how often the window is revoked and granted under four writers.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	2
#define OTHER		"daqtwin0"
#define PAGE		4096
#define WRITERS		4

/* Words of the user page, see card.rst. */
#define GATE		0
#define MARKER		2
#define SCRATCH		16

/* Layout of ethtool -d, see daq.rst. */
#define REGS_GLOBAL	4
#define REGS_CHAN	36
#define REGS_USER	6
#define REGS_QUEUE	32
#define REGS(i)		(REGS_GLOBAL + (i) * (REGS_CHAN + REGS_USER + REGS_QUEUE) + REGS_CHAN)

typedef volatile u32 *window_t;

static char device[64];

/* ---- What the card has got ---- */

struct user_regs {
	u32 open;
	u32 marker;
	u64 writes;
	u64 refused;
};

static struct user_regs card_regs(const char *name, unsigned int channel)
{
	static u32 dump[sizeof(struct ethtool_regs) / sizeof(u32) + REGS(64)];
	struct ethtool_regs *regs = (void *)dump;
	struct ifreq ifr = { .ifr_data = (void *)dump };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	u32 *word = (u32 *)regs->data + REGS(channel);

	*regs = (struct ethtool_regs){ .cmd = ETHTOOL_GREGS, .len = REGS(64) * sizeof(u32) };
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		ktap_die("registers of %s: %m", name);
	close(fd);
	return (struct user_regs){
		.open = word[0], .marker = word[1], .writes = word[2] | (u64)word[3] << 32,
		.refused = word[4] | (u64)word[5] << 32,
	};
}

static u32 marker(unsigned int channel)
{
	return card_regs(card_ifname(CHANNELS), channel).marker;
}

/* Writes that should not have come, on a card that can tell. */
static u64 refused(void)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < CHANNELS; i++)
		sum += card_regs(card_ifname(CHANNELS), i).refused;
	return sum;
}

/* ---- Windows ---- */

static void find_device(const char *name, char *found, size_t size)
{
	char pattern[128];
	glob_t matches;

	snprintf(pattern, sizeof(pattern), "/sys/class/net/%s/device/daq/daq*", name);
	if (glob(pattern, 0, NULL, &matches) || matches.gl_pathc != 1)
		ktap_die("%s has no control device", name);
	snprintf(found, size, "/dev/%s", strrchr(matches.gl_pathv[0], '/') + 1);
	globfree(&matches);
}

static int open_as(int flags)
{
	int fd = open(device, flags | O_CLOEXEC);

	if (fd < 0)
		ktap_die("%s: %m", device);
	return fd;
}

static int open_device(void)
{
	return open_as(O_RDWR | O_NONBLOCK);
}

static void *map_as(int fd, u64 offset, size_t len, int prot, int flags)
{
	return mmap(NULL, len, prot, flags, fd, offset);
}

static void *try_map(int fd, unsigned int channel)
{
	return map_as(fd, DAQ_MMAP_WINDOW(channel), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static window_t map(int fd, unsigned int channel)
{
	void *window = try_map(fd, channel);

	if (window == MAP_FAILED)
		ktap_die("window of channel %u: %m", channel);
	return window;
}

static void unmap(window_t window)
{
	munmap((void *)window, PAGE);
}

/* Whether another file can have the window; then it has had it. */
static bool is_free(unsigned int channel)
{
	int fd = open_device();
	void *window = try_map(fd, channel);
	bool ok = window != MAP_FAILED;

	if (!ok && errno != EBUSY)
		ktap_die("window of channel %u: %m", channel);
	if (ok)
		munmap(window, PAGE);
	close(fd);
	return ok;
}

static void set_granted(unsigned int channel, bool granted)
{
	if (daq_card__set_window(card_open(), channel, granted) < 0)
		ktap_die("%s", daq_errmsg());
}

static void take_away(unsigned int channel)
{
	set_granted(channel, false);
}

static void give_back(unsigned int channel)
{
	set_granted(channel, true);
}

static struct daq_window_info info(unsigned int channel)
{
	struct daq_window_info info;

	if (daq_card__window(card_open(), channel, &info) < 0)
		ktap_die("%s", daq_errmsg());
	return info;
}

/* Whether what is written there gets to the card; it has to be read back in any case. */
static bool lands(window_t window, unsigned int channel)
{
	static u32 n = 1000;

	window[MARKER] = ++n;
	if (window[MARKER] != n)
		ktap_ok(false, "a write can be read back");
	return marker(channel) == n;
}

/* ---- Events ---- */

static short poll_device(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLPRI };

	return poll(&pollfd, 1, 0) > 0 ? pollfd.revents : 0;
}

static bool next_event(int fd, struct daq_event *event)
{
	return read(fd, event, sizeof(*event)) == sizeof(*event);
}

/* The next event about windows is that one. */
static bool told(int fd, enum daq_event_type type, unsigned int channel, enum daq_reason reason)
{
	struct daq_event event;

	while (next_event(fd, &event)) {
		if (event.type != DAQ_EV_REVOKED && event.type != DAQ_EV_GRANTED)
			continue;
		if (event.type == type && event.channel == channel && event.reason == reason)
			return true;
		printf("# event %u of channel %u for reason %u\n", event.type, event.channel,
		       event.reason);
		return false;
	}
	return false;
}

/* ---- Tests ---- */

static void test_refusals(void)
{
	int fd = open_device(), reader = open_as(O_RDONLY);
	const int rw = PROT_READ | PROT_WRITE;
	const struct {
		const char *what;
		int fd;
		u64 offset;
		size_t len;
		int prot, flags, err, other;
	} cases[] = {
		{ "beyond the last window", fd, DAQ_MMAP_WINDOW(CHANNELS), PAGE, rw, MAP_SHARED, EINVAL, 0 },
		{ "far beyond", fd, DAQ_MMAP_WINDOW(1ull << 40), PAGE, rw, MAP_SHARED, EINVAL, 0 },
		{ "inside of one", fd, DAQ_MMAP_WINDOW(0) + PAGE, PAGE, rw, MAP_SHARED, EINVAL, 0 },
		{ "two pages", fd, DAQ_MMAP_WINDOW(0), 2 * PAGE, rw, MAP_SHARED, EINVAL, 0 },
		{ "private", fd, DAQ_MMAP_WINDOW(0), PAGE, rw, MAP_PRIVATE, EINVAL, 0 },
		{ "to be executed", fd, DAQ_MMAP_WINDOW(0), PAGE, rw | PROT_EXEC, MAP_SHARED, EACCES, EPERM },
		{ "of a file that is read only", reader, DAQ_MMAP_WINDOW(0), PAGE, PROT_READ, MAP_SHARED, EACCES, 0 },
		{ "the same, written", reader, DAQ_MMAP_WINDOW(0), PAGE, rw, MAP_SHARED, EACCES, 0 },
	};
	window_t window;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *p = map_as(cases[i].fd, cases[i].offset, cases[i].len, cases[i].prot,
				 cases[i].flags);

		ktap_ok(p == MAP_FAILED && (errno == cases[i].err || errno == cases[i].other),
			"refused: %s", cases[i].what);
	}
	ktap_ok(is_free(0), "refused: nobody has the window then");

	window = map(fd, 0);
	ktap_ok(mprotect((void *)window, PAGE, PROT_READ | PROT_EXEC) && errno == EACCES,
		"refused: to become executable");
	ktap_ok(mremap((void *)window, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED &&
		errno == EFAULT, "refused: to grow");
	ktap_ok(mremap((void *)window, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
		"refused: to be doubled by mremap()");
	ktap_ok(!is_free(0), "refused: a second file is, with EBUSY");
	ktap_ok(is_free(1), "refused: not for another channel");
	unmap(window);
	close(reader);
	close(fd);
}

static void test_revoke(void)
{
	u32 generation = info(1).generation;
	int fd = open_device();
	window_t window = map(fd, 1);
	bool zero = true;
	u32 before;
	int i;

	ktap_ok(info(1).owned && !info(1).withheld, "revoke: the window has an owner");
	ktap_ok(lands(window, 1), "revoke: before, a write reaches the card");
	before = marker(1);
	window[SCRATCH] = 17;
	take_away(1);
	for (i = 0; i < PAGE / 4; i++)
		zero &= !window[i];
	ktap_ok(zero, "revoke: the page is empty then");
	ktap_ok(!lands(window, 1) && marker(1) == before, "revoke: writes do not reach the card");
	ktap_ok(poll_device(fd) == (POLLIN | POLLPRI), "revoke: poll() tells");
	ktap_ok(told(fd, DAQ_EV_REVOKED, 1, DAQ_REASON_ADMIN), "revoke: and an event");
	ktap_eq(poll_device(fd), 0, "revoke: just one");
	ktap_eq(info(1).withheld, 1 << DAQ_REASON_ADMIN, "revoke: the reason");
	ktap_eq(info(1).generation, generation + 1, "revoke: another generation");
	ktap_ok(!card_regs(card_ifname(CHANNELS), 1).open, "revoke: the card's page is closed");
	take_away(1);
	ktap_ok(info(1).generation == generation + 1 && !poll_device(fd),
		"revoke: again, which changes nothing");

	give_back(1);
	ktap_ok(!window[MARKER] && !window[SCRATCH], "grant: the card's page has nothing of before");
	ktap_ok(lands(window, 1), "grant: writes reach the card again");
	ktap_ok(poll_device(fd) & POLLPRI && told(fd, DAQ_EV_GRANTED, 1, DAQ_REASON_ADMIN),
		"grant: an event");
	ktap_ok(info(1).generation == generation + 2 && !info(1).withheld, "grant: another generation");
	take_away(1);
	ktap_ok(!window[MARKER] && !window[SCRATCH], "revoke: the owner's page is empty again");
	give_back(1);
	unmap(window);
	ktap_ok(!info(1).owned && !card_regs(card_ifname(CHANNELS), 1).open,
		"unmap: the window has no owner, and the card's page is closed");

	take_away(1);
	window = map(fd, 1);
	ktap_ok(!lands(window, 1), "revoke: a window that is mapped afterwards is revoked, too");
	give_back(1);
	ktap_ok(lands(window, 1), "grant: and granted");
	unmap(window);
	close(fd);
}

static void test_mappings(void)
{
	int fd = open_device(), copy = dup(fd);
	window_t one = map(fd, 0), two = map(copy, 0), moved;
	void *place;

	ktap_ok(lands(one, 0) && lands(two, 0), "mappings: two of a window, one by a copy of the fd");
	take_away(0);
	ktap_ok(!lands(one, 0) && !lands(two, 0), "mappings: both are revoked");
	one[SCRATCH] = 5;
	ktap_eq(two[SCRATCH], 5, "mappings: and show the same page");
	give_back(0);
	ktap_ok(lands(one, 0) && lands(two, 0), "mappings: both are granted");
	unmap(one);
	ktap_ok(lands(two, 0) && !is_free(0), "mappings: with one the window is still owned");

	/* Where nothing is, and something would be in the way. */
	place = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	moved = mremap((void *)two, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	ktap_ok(moved == place && lands(moved, 0), "mappings: moved");
	take_away(0);
	ktap_ok(!lands(moved, 0), "mappings: moved and revoked");
	two = mremap((void *)moved, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)place - PAGE);
	ktap_ok((void *)two != MAP_FAILED && !lands(two, 0), "mappings: revoked and moved");
	give_back(0);
	ktap_ok(lands(two, 0), "mappings: and granted");
	close(fd);
	close(copy);
	ktap_ok(lands(two, 0) && !is_free(0), "mappings: the file may be closed");
	unmap(two);
	ktap_ok(is_free(0), "mappings: without any the window is free");
}

/* Neighbours in memory, one of which goes. */
static void test_partial(void)
{
	char *place = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int rw = PROT_READ | PROT_WRITE;
	int fd = open_device(), i;
	window_t window[3];

	for (i = 0; i < 3; i++)
		window[i] = mmap(place + i * PAGE, PAGE, rw, MAP_SHARED | MAP_FIXED, fd,
				 DAQ_MMAP_WINDOW(i % 2));
	ktap_ok(lands(window[0], 0) && lands(window[1], 1) && lands(window[2], 0),
		"partial: three mappings side by side");
	munmap(place + PAGE, PAGE);
	ktap_ok(is_free(1) && !is_free(0), "partial: the one in the middle is unmapped");
	mmap(place, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ktap_ok(lands(window[2], 0), "partial: another one is replaced, the last one works");
	take_away(0);
	ktap_ok(!lands(window[2], 0), "partial: and is revoked");
	give_back(0);
	munmap(place, 3 * PAGE);
	ktap_ok(is_free(0), "partial: all are unmapped");
	close(fd);
}

/* A child that does as it is told by a pipe, a byte each, and tells when it is done. */
struct child {
	pid_t pid;
	int to, from;
};

static struct child start_child(void (*act)(char order, void *ctx), void *ctx)
{
	int to[2], from[2];
	struct child child;
	char order;

	if (pipe(to) || pipe(from))
		ktap_die("pipe: %m");
	child = (struct child){ fork(), to[1], from[0] };
	if (child.pid) {
		close(to[0]);
		close(from[1]);
		return child;
	}
	close(to[1]);
	while (read(to[0], &order, 1) == 1) {
		act(order, ctx);
		if (write(from[1], &order, 1) != 1)
			break;
	}
	_exit(0);
}

static bool order(const struct child *child, char what)
{
	return write(child->to, &what, 1) == 1 && read(child->from, &what, 1) == 1;
}

/* Return: whether it ended well, and not by a signal. */
static bool end_child(const struct child *child)
{
	int status;

	close(child->to);
	close(child->from);
	return waitpid(child->pid, &status, 0) == child->pid && status == 0;
}

static void write_order(char order, void *ctx)
{
	window_t window = ctx;

	window[MARKER] = order;
	window[SCRATCH] = order;
}

static void test_fork(void)
{
	int fd = open_device();
	window_t window = map(fd, 0);
	struct child child;
	u32 before;

	window[MARKER] = 1;
	child = start_child(write_order, (void *)window);
	ktap_ok(order(&child, 'a') && marker(0) == 'a', "fork: the child inherits the window");
	before = marker(0);
	take_away(0);
	ktap_ok(order(&child, 'b') && marker(0) == before, "fork: and loses it");
	ktap_eq(window[SCRATCH], 'b', "fork: parent and child have the same page then");
	give_back(0);
	ktap_ok(order(&child, 'c') && marker(0) == 'c', "fork: it is granted to both");
	unmap(window);
	close(fd);
	ktap_ok(!is_free(0) && order(&child, 'd') && marker(0) == 'd',
		"fork: the child keeps it when the parent does not");
	ktap_ok(end_child(&child) && is_free(0), "fork: until it ends, not by a signal");
}

static bool send_fd(int socket, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(socket, &msg, 0) == 1;
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		_exit(1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* 'm': get the descriptor, map the window. Everything else is written to it. */
static void act_as_receiver(char order, void *ctx)
{
	static window_t window;
	static int fd;

	if (order != 'm') {
		write_order(order, (void *)window);
		return;
	}
	fd = receive_fd(*(int *)ctx);
	window = try_map(fd, 0);
	if ((void *)window == MAP_FAILED)
		_exit(2);
}

static void test_passed(void)
{
	struct child child;
	window_t window;
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		ktap_die("socketpair: %m");
	child = start_child(act_as_receiver, &pair[1]);
	fd = open_device();
	window = map(fd, 0);
	ktap_ok(send_fd(pair[0], fd) && order(&child, 'm'),
		"passed: who is given the file may map the window");
	close(fd);
	ktap_ok(order(&child, 'e') && marker(0) == 'e' && lands(window, 0), "passed: both have it");
	take_away(0);
	ktap_ok(order(&child, 'f') && marker(0) != 'f' && window[SCRATCH] == 'f' &&
		!lands(window, 0), "passed: both lose it");
	give_back(0);
	unmap(window);
	ktap_ok(!is_free(0) && order(&child, 'g') && marker(0) == 'g',
		"passed: the other one keeps it");
	ktap_ok(end_child(&child) && is_free(0), "passed: until it ends, not by a signal");
	close(pair[0]);
	close(pair[1]);
}

/* Whoever is killed with a window leaves nothing behind. */
static void test_killed(void)
{
	int fd = open_device();
	window_t window = map(fd, 0);
	struct child child = start_child(write_order, (void *)window);

	unmap(window);
	close(fd);
	order(&child, 'k');
	kill(child.pid, SIGKILL);
	ktap_ok(!end_child(&child) && is_free(0), "killed: the window is free at once");
}

static u64 produced(unsigned int channel)
{
	return stat_of(stats_read(), "ch%u_produced", channel);
}

/* Whether the input acquires something. */
static bool acquires(unsigned int channel)
{
	u64 before;

	pause_ms(50);
	before = produced(channel);
	pause_ms(400);
	return produced(channel) > before;
}

/* What a program has done to a channel is over when it has lost it. */
static void test_gate(void)
{
	static const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 2048, .frame_bytes = 2048, .rate = 102400,
	};
	int fd = open_device();
	window_t window = map(fd, 0);

	set_formats(0, 0, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	ktap_ok(acquires(0), "gate: open");
	window[GATE] = 1;
	ktap_ok(!acquires(0), "gate: closed by the owner");
	take_away(0);
	ktap_ok(acquires(0), "gate: of a window that is revoked it is open");
	give_back(0);
	ktap_ok(acquires(0), "gate: and when it is granted, too");
	window[GATE] = 1;
	unmap(window);
	ktap_ok(acquires(0), "gate: nobody closes it for ever");
	set_source(0, 0, DAQ_SOURCE_NONE);
	close(fd);
}

/* ---- Writers that go on whatever happens ---- */

struct writer {
	pthread_t thread;
	window_t window;
	unsigned int id;
	_Atomic u64 writes;
	_Atomic u64 wrong;	/* reads that were not what was written or 0 */
};

static atomic_bool writers_stop;
static atomic_uint next_marker;

static void *write_on(void *arg)
{
	struct writer *writer = arg;
	u32 own, n = 0;

	while (!writers_stop) {
		writer->window[MARKER] = atomic_fetch_add(&next_marker, 1);
		writer->window[SCRATCH + writer->id] = ++n;
		own = writer->window[SCRATCH + writer->id];
		/* It was taken away or given back between the two. */
		writer->wrong += own != n && own != 0;
		writer->writes++;
		/* There are more of them than processors: each is to get on. */
		if (n % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void start_writers(struct writer *writers, unsigned int count, window_t window)
{
	unsigned int i;

	writers_stop = false;
	for (i = 0; i < count; i++) {
		writers[i] = (struct writer){ .window = window, .id = i };
		if (pthread_create(&writers[i].thread, NULL, write_on, &writers[i]))
			ktap_die("pthread_create: %m");
	}
}

/* Return: wrong reads. */
static u64 stop_writers(struct writer *writers, unsigned int count)
{
	u64 wrong = 0;
	unsigned int i;

	writers_stop = true;
	for (i = 0; i < count; i++) {
		pthread_join(writers[i].thread, NULL);
		wrong += writers[i].wrong;
	}
	return wrong;
}

/* Whether each of them goes on writing. */
static bool all_write(struct writer *writers, unsigned int count)
{
	u64 end = now_ms() + 20000;
	u64 before[WRITERS];
	unsigned int i;

	for (i = 0; i < count; i++)
		before[i] = writers[i].writes;
	for (i = 0; i < count; i++)
		while (writers[i].writes < before[i] + 2) {
			if (now_ms() > end)
				return false;
			sched_yield();
		}
	return true;
}

/* The marker of one more moment, once they all have written. */
static bool marker_stays(struct writer *writers)
{
	u32 before = marker(0);

	return all_write(writers, WRITERS) && marker(0) == before;
}

static bool marker_moves(struct writer *writers)
{
	u32 before = marker(0);

	return all_write(writers, WRITERS) && marker(0) != before;
}

static unsigned int cycles(void)
{
	const char *revokes = getenv("REVOKES");

	if (revokes && atoi(revokes) > 0)
		return atoi(revokes);
	return scaled(card_on_bus() ? 40 : 200);
}

static void test_cycles(void)
{
	unsigned int count = cycles(), i, late = 0, stuck = 0;
	u32 generation = info(0).generation;
	struct writer writers[WRITERS];
	int fd = open_device();

	start_writers(writers, WRITERS, map(fd, 0));
	for (i = 0; i < count; i++) {
		if (i && i % 1000 == 0)
			printf("# %u times\n", i);
		take_away(0);
		late += !marker_stays(writers);
		give_back(0);
		stuck += !marker_moves(writers);
	}
	ktap_eq(stop_writers(writers, WRITERS), 0, "cycles: what is written can be read, or is 0");
	ktap_eq(late, 0, "cycles: %u times, no write reaches the card after a revocation", count);
	ktap_eq(stuck, 0, "cycles: and all do after it was granted again");
	ktap_eq(refused(), 0, "cycles: nor has the card refused any");
	ktap_eq(info(0).generation, generation + 2 * count, "cycles: the generation counts them all");
	unmap(writers[0].window);
	close(fd);
}

/* ---- Resets, sleep, removal ---- */

static bool generation_is(unsigned int channel, u32 generation)
{
	u64 end = now_ms() + 20000;

	while (info(channel).generation != generation && now_ms() < end)
		pause_ms(20);
	return info(channel).generation == generation;
}

/* Something that takes the card away for a while, under a writer. */
static void test_away(const char *name, const char *command, enum daq_reason reason)
{
	u32 generation = info(0).generation;
	int fd = open_device();
	struct writer writer;
	int status;

	start_writers(&writer, 1, map(fd, 0));
	status = shell("name=%s; %s", card_ifname(CHANNELS), command);
	ktap_eq(status, 0, "%s: it happens", name);
	ktap_ok(generation_is(0, generation + 2), "%s: revoked and granted", name);
	ktap_ok(told(fd, DAQ_EV_REVOKED, 0, reason) && told(fd, DAQ_EV_GRANTED, 0, reason),
		"%s: events tell why", name);
	ktap_ok(all_write(&writer, 1), "%s: the writer goes on", name);
	ktap_eq(stop_writers(&writer, 1), 0, "%s: it reads what it has written, or 0", name);
	ktap_ok(lands(writer.window, 0), "%s: writes reach the card again", name);
	ktap_eq(refused(), 0, "%s: the card has refused none", name);

	take_away(0);
	told(fd, DAQ_EV_REVOKED, 0, DAQ_REASON_ADMIN);
	shell("name=%s; %s", card_ifname(CHANNELS), command);
	pause_ms(1500);
	ktap_ok(info(0).withheld == 1 << DAQ_REASON_ADMIN && !lands(writer.window, 0) &&
		!(poll_device(fd) & POLLPRI), "%s: what the administrator has revoked stays so", name);
	give_back(0);
	unmap(writer.window);
	close(fd);
}

#define DEVLINK	"device=$(readlink -f /sys/class/net/$name/device) && " \
		"bus=$(readlink -f $device/subsystem) && " \
		"sleep 1.2 && devlink health test ${bus##*/}/${device##*/} reporter card"
#define SLEEP	"echo devices >/sys/power/pm_test && echo freeze >/sys/power/state"

static void test_reset(void)
{
	test_away("recovery", DEVLINK, DAQ_REASON_RESET);
	if (card_on_bus())
		test_away("reset", "echo 1 >/sys/class/net/$name/device/reset", DAQ_REASON_RESET);
	if (access("/sys/power/pm_test", W_OK))
		ktap_skip("sleep", "this kernel does not test sleep");
	else
		test_away("sleep", SLEEP, DAQ_REASON_SUSPEND);
}

/* Commands to the process that plays a card on the bus: see pci-lib.sh. */
static bool command_card(const char *name, const char *command)
{
	return shell("bash -c '. " SELFTESTS "/pci-lib.sh; find_cards; "
		     "card=$(readlink -f /sys/class/net/%s/device); "
		     "for i in ${!addresses[@]}; do "
		     "[ ${addresses[i]} != ${card##*/} ] || command_card $i \"%s\" || exit; "
		     "done'", name, command) == 0;
}

/* The card wants its page for itself. */
static void test_withheld(void)
{
	const char *name = card_ifname(CHANNELS);
	u32 generation = info(0).generation;
	int fd = open_device();
	struct writer writer;

	if (!card_on_bus() || !command_card(name, "report")) {
		ktap_skip("withheld", "this card withholds nothing");
		close(fd);
		return;
	}
	start_writers(&writer, 1, map(fd, 0));
	ktap_ok(command_card(name, "withhold 0") && generation_is(0, generation + 1) &&
		info(0).withheld == 1 << DAQ_REASON_CARD, "withheld: by the card");
	ktap_eq(info(1).withheld, 0, "withheld: another window is not");
	ktap_ok(told(fd, DAQ_EV_REVOKED, 0, DAQ_REASON_CARD), "withheld: an event");
	take_away(0);
	ktap_ok(command_card(name, "allow 0"), "withheld: no more");
	pause_ms(1000);
	ktap_eq(info(0).withheld, 1 << DAQ_REASON_ADMIN, "withheld: but by the administrator");
	command_card(name, "withhold 0");
	pause_ms(1000);
	give_back(0);
	ktap_eq(info(0).withheld, 1 << DAQ_REASON_CARD, "withheld: by the card alone again");
	ktap_ok(command_card(name, "allow 0") && generation_is(0, generation + 2) &&
		told(fd, DAQ_EV_GRANTED, 0, DAQ_REASON_CARD), "withheld: by nobody");
	ktap_ok(all_write(&writer, 1), "withheld: the writer goes on");
	ktap_eq(stop_writers(&writer, 1), 0, "withheld: it reads what it has written, or 0");
	ktap_ok(lands(writer.window, 0), "withheld: writes reach the card again");
	ktap_eq(refused(), 0, "withheld: the card has refused none");
	unmap(writer.window);
	close(fd);
}

/* From under a writer; nothing is left that could tell what the card got, nor got it. */
static void test_removal(const char *name, const char *how)
{
	struct daq_event event = { 0 };
	struct writer writer;
	window_t window;
	u64 wrong;
	bool zero;
	int fd;

	if (!card_add(OTHER, 4))
		ktap_die("no second card");
	find_device(OTHER, device, sizeof(device));
	fd = open_device();
	window = map(fd, 3);
	start_writers(&writer, 1, window);
	ktap_ok(all_write(&writer, 1), "%s: a writer", name);
	if (how)
		ktap_ok(command_card(OTHER, how), "%s: the card does not answer any more", name);
	else
		card_del(OTHER);
	while (event.type != DAQ_EV_REMOVED) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };

		if (poll(&pollfd, 1, 20000) != 1 || !next_event(fd, &event))
			break;
		if (event.type == DAQ_EV_REVOKED)
			ktap_ok(event.channel == 3 && event.reason == DAQ_REASON_REMOVED,
				"%s: the window is revoked", name);
	}
	ktap_eq(event.type, DAQ_EV_REMOVED, "%s: and the card removed", name);
	ktap_ok(poll_device(fd) & POLLHUP && read(fd, &event, sizeof(event)) == 0,
		"%s: nothing follows", name);
	ktap_ok(all_write(&writer, 1), "%s: the writer goes on", name);
	wrong = stop_writers(&writer, 1);
	/* A card that does not answer reads all ones until that is noticed. */
	ktap_ok(how || !wrong, "%s: it reads what it has written, or 0", name);
	window[SCRATCH] = 99;
	zero = !window[SCRATCH + 100] && !window[GATE];
	ktap_ok(window[SCRATCH] == 99 && zero, "%s: in a page of its own", name);
	ktap_ok(try_map(fd, 2) == MAP_FAILED && errno == ENODEV, "%s: no other window can be had",
		name);
	if (how)
		command_card(OTHER, "back");
	card_del(OTHER);
	unmap(window);
	close(fd);
	find_device(card_ifname(CHANNELS), device, sizeof(device));
}

int main(void)
{
	ktap_begin();
	find_device(card_ifname(CHANNELS), device, sizeof(device));
	test_refusals();
	test_revoke();
	test_mappings();
	test_partial();
	test_fork();
	test_passed();
	test_killed();
	test_gate();
	test_cycles();
	test_reset();
	test_withheld();
	test_removal("removal", NULL);
	if (card_on_bus())
		test_removal("gone", "gone");
	ktap_eq(refused(), 0, "the card has refused none");
	return ktap_end();
}
