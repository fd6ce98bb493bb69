// SPDX-License-Identifier: GPL-2.0
/*
 * The control device /dev/daqN: who may open it and what for, events by read(), poll()
 * and netlink, and what becomes of files that are open when their card goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	2
#define OTHER		"daqtctl0"
#define QUEUED		64	/* events that a file has room for */

static char path[64];

/* The control device of an interface, by sysfs. */
static bool find_device(const char *name, char *found, size_t size)
{
	char pattern[128];
	glob_t matches;
	bool one;

	snprintf(pattern, sizeof(pattern), "/sys/class/net/%s/device/daq/daq*", name);
	if (glob(pattern, 0, NULL, &matches))
		return false;
	one = matches.gl_pathc == 1;
	if (one)
		snprintf(found, size, "/dev/%s", strrchr(matches.gl_pathv[0], '/') + 1);
	globfree(&matches);
	return one;
}

static int open_device(int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

	if (fd < 0)
		ktap_die("%s: %m", path);
	return fd;
}

static short poll_device(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLPRI };

	return poll(&pollfd, 1, timeout_ms * test_scale()) > 0 ? pollfd.revents : 0;
}

/* Has the driver report @count errors that are none. */
static bool cause_errors(const char *name, unsigned int count)
{
	return shell("device=$(readlink -f /sys/class/net/%s/device) && "
		     "bus=$(readlink -f $device/subsystem) && "
		     "for i in $(seq %u); do "
		     "echo health test ${bus##*/}/${device##*/} reporter card; done >/tmp/ctl.batch && "
		     "devlink -b /tmp/ctl.batch", name, count) == 0;
}

/* ---- netlink ---- */

struct group {
	u16 family;
	u32 id;
};

static int take_one_group(const struct nlattr *attr, void *data)
{
	struct group *group = data;
	const struct nlattr *member;
	u32 id = 0;

	mnl_attr_for_each_nested(member, attr)
		if (mnl_attr_get_type(member) == CTRL_ATTR_MCAST_GRP_ID)
			id = mnl_attr_get_u32(member);
	mnl_attr_for_each_nested(member, attr)
		if (mnl_attr_get_type(member) == CTRL_ATTR_MCAST_GRP_NAME &&
		    !strcmp(mnl_attr_get_str(member), DAQ_GROUP_EVENTS))
			group->id = id;
	return MNL_CB_OK;
}

static int take_group(const struct nlattr *attr, void *data)
{
	struct group *group = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		group->family = mnl_attr_get_u16(attr);
	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
		mnl_attr_parse_nested(attr, take_one_group, data);
	return MNL_CB_OK;
}

static int family_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_group, data);
}

/* A socket that gets the events of all cards. */
static struct mnl_socket *listen_to_events(struct group *group)
{
	char buf[8192] __attribute__((aligned(8)));
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;
	ssize_t len;

	nlh->nlmsg_type = GENL_ID_CTRL;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = CTRL_CMD_GETFAMILY;
	genl->version = 1;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, DAQ_FAMILY_NAME);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
		ktap_die("netlink: %m");
	len = mnl_socket_recvfrom(socket, buf, sizeof(buf));
	if (len < 0 || mnl_cb_run(buf, len, 0, 0, family_reply, group) < 0 || !group->id ||
	    mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group->id, sizeof(group->id)))
		ktap_die("netlink: no group of events: %m");
	return socket;
}

struct told {
	u32 ifindex, device, type, reason, generation, number;
	bool channel;
	u64 time;
};

static int take_event(const struct nlattr *attr, void *data)
{
	struct told *told = data;

	switch (mnl_attr_get_type(attr)) {
	case DAQ_A_EVENT_IFINDEX:
		told->ifindex = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_EVENT_DEVICE:
		told->device = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_EVENT_TYPE:
		told->type = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_EVENT_REASON:
		told->reason = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_EVENT_GENERATION:
		told->generation = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_EVENT_CHANNEL:
		told->channel = true;
		told->number = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_EVENT_TIME:
		told->time = mnl_attr_get_u64(attr);
		break;
	}
	return MNL_CB_OK;
}

static int event_message(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	return genl->cmd == DAQ_CMD_EVENT ?
	       mnl_attr_parse(nlh, sizeof(*genl), take_event, data) : MNL_CB_ERROR;
}

/* Waits for an event of that type: false if none comes. */
static bool told_by_netlink(struct mnl_socket *socket, u32 type, struct told *told)
{
	char buf[8192] __attribute__((aligned(8)));
	struct pollfd pollfd = { .fd = mnl_socket_get_fd(socket), .events = POLLIN };
	ssize_t len;

	while (poll(&pollfd, 1, 5000 * test_scale()) > 0) {
		memset(told, 0, sizeof(*told));
		len = mnl_socket_recvfrom(socket, buf, sizeof(buf));
		if (len > 0 && mnl_cb_run(buf, len, 0, 0, event_message, told) >= 0 &&
		    told->type == type)
			return true;
	}
	return false;
}

/* ---- tests ---- */

static void test_place(void)
{
	char link[128] = "";
	struct stat stat_buf;
	FILE *file;
	unsigned int major = 0, minor = 0;

	if (!ktap_ok(find_device(card_ifname(CHANNELS), path, sizeof(path)),
		     "the card has a control device"))
		ktap_die("no device");
	ktap_ok(!stat(path, &stat_buf) && S_ISCHR(stat_buf.st_mode), "it is in /dev");
	ktap_eq(stat_buf.st_mode & 0777, 0600, "for root only, unless a rule says otherwise");
	snprintf(link, sizeof(link), "/sys/class/daq/%s/dev", path + 5);
	file = fopen(link, "r");
	ktap_ok(file && fscanf(file, "%u:%u", &major, &minor) == 2 &&
		stat_buf.st_rdev >> 8 == major, "and in /sys/class/daq");
	if (file)
		fclose(file);
}

static void interrupt(int signal)
{
	(void)signal;
}

static void test_read(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	struct daq_event events[4];
	int fd = open_device(O_NONBLOCK), second = open_device(0);
	struct timespec now;
	unsigned int i;

	ktap_eq(read(fd, events, sizeof(events)) < 0 ? errno : 0, EAGAIN,
		"read: nothing has happened: EAGAIN");
	ktap_eq(read(fd, events, sizeof(events[0]) - 1) < 0 ? errno : 0, EINVAL,
		"read: no room for an event: EINVAL");
	ktap_eq(read(fd, NULL, 0) < 0 ? errno : 0, EINVAL, "read: no room at all: EINVAL");
	ktap_eq(write(fd, events, 1) < 0, true, "write: there is nothing to write");
	ktap_eq(poll_device(fd, 0), 0, "poll: nothing to be read");
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	ktap_eq(read(second, events, sizeof(events)) < 0 ? errno : 0, EINTR,
		"read: a signal ends the wait");

	ktap_ok(cause_errors(card_ifname(CHANNELS), 1), "an error is reported");
	ktap_eq(poll_device(fd, 5000), POLLIN, "poll: an event, not an urgent one");
	ktap_eq(read(fd, (void *)4096, sizeof(events)) < 0 ? errno : 0, EFAULT,
		"read: to nowhere: EFAULT");
	ktap_eq(read(second, events, sizeof(events)), sizeof(events[0]),
		"read: the other file has got it, too");
	clock_gettime(CLOCK_MONOTONIC, &now);
	ktap_eq(events[0].type, DAQ_EV_ERROR, "the event is an error");
	ktap_eq(events[0].reason, DAQ_ERROR_TEST, "which was only a test");
	ktap_eq(events[0].channel, DAQ_EV_CARD, "of no channel");
	ktap_eq(events[0].lost, 0, "nothing was lost before");
	ktap_ok(now.tv_sec - events[0].time / 1000000000 < 60, "it happened just now");
	/* None while the driver is still about to report the one before. */
	for (i = 0; i < 5 && !poll_device(fd, 1000); i++)
		cause_errors(card_ifname(CHANNELS), 1);
	ktap_ok(i < 5 || poll_device(fd, 0), "another one");
	ktap_ok(poll_device(fd, 5000) & POLLIN &&
		read(fd, events, sizeof(events)) == sizeof(events[0]) && events[0].lost == 1,
		"what did not get to its reader is counted as lost");
	close(fd);
	close(second);
}

/* More than there is room for: the newest ones are there, the others counted. */
static void test_overflow(void)
{
	struct daq_event events[2 * QUEUED];
	int fd = open_device(O_NONBLOCK);
	ssize_t len;
	unsigned int i, lost = 0;

	ktap_ok(cause_errors(card_ifname(CHANNELS), 6 * QUEUED), "overflow: many errors");
	len = read(fd, events, sizeof(events));
	ktap_eq(len, QUEUED * sizeof(events[0]), "overflow: %d events wait", QUEUED);
	for (i = 1; i < QUEUED; i++)
		lost += events[i].lost || events[i].time < events[i - 1].time;
	ktap_ok(len > 0 && events[0].lost > 0 && !lost,
		"overflow: the first one tells how many were lost before it: %llu",
		(unsigned long long)events[0].lost);
	close(fd);
}

static int map_error(int fd, size_t len, int prot, int flags, off_t offset)
{
	void *map = mmap(NULL, len, prot, flags, fd, offset);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, len);
	return 0;
}

/* Where there is nothing to be mapped. */
static void test_offsets(void)
{
	static const unsigned long long offsets[] = {
		1 << 30, DAQ_MMAP_WINDOW(0) - 4096, DAQ_MMAP_WINDOW(0) + 4096,
		DAQ_MMAP_WINDOW(CHANNELS), DAQ_MMAP_WINDOW(63), DAQ_MMAP_WINDOW(64),
		DAQ_MMAP_WINDOW(1ull << 31), 1ull << 62, (1ull << 63) - 4096,
	};
	int fd = open_device(0);
	unsigned int i;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		int err = map_error(fd, 4096, PROT_READ, MAP_SHARED, offsets[i]);

		ktap_ok(err == EINVAL || err == EOVERFLOW, "mmap: nothing is at %#llx: %s",
			offsets[i], strerror(err));
	}
	close(fd);
}

static void test_netlink(void)
{
	struct group group = { 0 };
	struct mnl_socket *socket = listen_to_events(&group);
	struct told told;

	ktap_ok(cause_errors(card_ifname(CHANNELS), 1) &&
		told_by_netlink(socket, DAQ_EV_ERROR, &told), "netlink: an error is told");
	ktap_eq(told.ifindex, if_nametoindex(card_ifname(CHANNELS)), "netlink: of that interface");
	ktap_eq(told.device, atoi(path + strlen("/dev/daq")), "netlink: and that device");
	ktap_eq(told.reason, DAQ_ERROR_TEST, "netlink: which was only a test");
	ktap_ok(!told.channel, "netlink: of no channel");
	ktap_ok(told.time > 0, "netlink: with a time");
	mnl_socket_close(socket);
}

struct reader {
	int fd;
	volatile bool reading;
	struct daq_event event, after;
	ssize_t got, then;
};

static void *wait_for_end(void *data)
{
	struct reader *reader = data;

	reader->reading = true;
	reader->got = read(reader->fd, &reader->event, sizeof(reader->event));
	reader->then = read(reader->fd, &reader->after, sizeof(reader->after));
	return NULL;
}

static void test_removal(void)
{
	struct reader reader = { 0 };
	struct group group = { 0 };
	struct mnl_socket *socket;
	struct daq_event event;
	u32 ifindex;
	pthread_t thread;
	struct told told;
	char other[64];
	int fd;

	if (!card_add(OTHER, 4) || !find_device(OTHER, other, sizeof(other))) {
		ktap_skip("removal", "no other card");
		return;
	}
	ktap_ok(strcmp(other, path), "removal: another card has another device");
	ifindex = if_nametoindex(OTHER);
	fd = open(other, O_RDONLY | O_CLOEXEC);
	reader.fd = open(other, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || reader.fd < 0)
		ktap_die("%s: %m", other);
	socket = listen_to_events(&group);
	pthread_create(&thread, NULL, wait_for_end, &reader);
	while (!reader.reading)
		usleep(1000);
	pause_ms(100);
	card_del(OTHER);
	ktap_eq(poll_device(fd, 10000), POLLIN | POLLPRI | POLLHUP,
		"removal: poll tells, and that it is urgent, and the end");
	pthread_join(thread, NULL);
	ktap_ok(reader.got == sizeof(event) && reader.event.type == DAQ_EV_REMOVED,
		"removal: who waits in read is told");
	ktap_eq(reader.then, 0, "removal: and then of the end");
	ktap_ok(read(fd, &event, sizeof(event)) == sizeof(event) && event.type == DAQ_EV_REMOVED,
		"removal: so is who did not wait");
	ktap_eq(read(fd, &event, sizeof(event)), 0, "removal: and then of the end, too");
	ktap_eq(poll_device(fd, 0), POLLHUP, "removal: nothing but the end is left");
	ktap_ok(told_by_netlink(socket, DAQ_EV_REMOVED, &told) && told.ifindex == ifindex,
		"removal: netlink tells of it");
	ktap_ok(open(other, O_RDONLY | O_CLOEXEC) < 0, "removal: the device is gone: %m");
	ktap_eq(map_error(fd, 4096, PROT_READ, MAP_SHARED, 1 << 30), EINVAL,
		"removal: and yet the file is one");

	ktap_ok(card_add(OTHER, 4), "removal: a new card comes");
	ktap_eq(poll_device(fd, 0), POLLHUP, "removal: which the old file has nothing to do with");
	card_del(OTHER);
	close(fd);
	close(reader.fd);
	mnl_socket_close(socket);
}

static bool told_of_window(struct mnl_socket *socket, bool granted)
{
	struct told told;

	if (daq_card__set_window(card_open(), 1, granted) < 0)
		ktap_die("%s", daq_errmsg());
	return told_by_netlink(socket, granted ? DAQ_EV_GRANTED : DAQ_EV_REVOKED, &told) &&
	       told.channel && told.number == 1 && told.reason == DAQ_REASON_ADMIN &&
	       told.generation % 2 == !granted;
}

/* What else there is to windows, window.c tests. */
static void test_windows(void)
{
	struct group group = { 0 };
	struct mnl_socket *socket = listen_to_events(&group);

	ktap_ok(told_of_window(socket, false), "windows: netlink tells that one is revoked");
	ktap_ok(told_of_window(socket, true), "windows: and granted");
	mnl_socket_close(socket);
}

/* The next one that is not of a channel. */
static bool read_of_card(int fd, struct daq_event *event)
{
	while (poll_device(fd, 5000) & POLLIN && read(fd, event, sizeof(*event)) == sizeof(*event))
		if (event->channel == DAQ_EV_CARD)
			return true;
	return false;
}

static void test_sleep(void)
{
	int fd = open_device(0), slept = machine_sleeps("devices");
	struct daq_event asleep, awake;

	if (slept < 0) {
		ktap_skip("sleep", "this kernel does not test sleep");
	} else {
		ktap_ok(slept, "sleep: the machine sleeps and wakes up");
		ktap_ok(read_of_card(fd, &asleep) && asleep.type == DAQ_EV_SUSPENDED &&
			asleep.reason == DAQ_REASON_SUSPEND, "sleep: an event tells of it");
		ktap_ok(read_of_card(fd, &awake) && awake.type == DAQ_EV_RESUMED &&
			awake.reason == 0 && awake.time > asleep.time,
			"sleep: and the next that it is over");
	}
	close(fd);
}

int main(void)
{
	ktap_begin();
	card_ifname(CHANNELS);
	test_place();
	test_read();
	test_overflow();
	test_offsets();
	test_netlink();
	test_windows();
	test_sleep();
	test_removal();
	return ktap_end();
}
