// SPDX-License-Identifier: GPL-2.0
/*
 * The allocations of every change fail one after the other, until the change gets through
 * with none left to fail. Each failure ends in an errno, leaves nothing behind, and what
 * was there before works as before.
 *
 * Then those who are asked whether a change may be say no, and nothing comes of it.
 *
 * Needs fault injection: the debug kernel's, or that of vm/failnth, which knows nothing of
 * copies from and to user space. A card on the bus, if there is one, is probed and set up.
 *
 * EVERY=  step from one to the next (default: 3; 7 on the debug kernel, where all of them,
 *         which is 1, take an hour; odd, since kmemleak has an allocation of its own for
 *         each)
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	4
#define OTHER		"daqtest1"	/* a card that comes and goes */
#define BOUND		3		/* the queue that sockets bind to */
#define RATE		64000		/* of its channels, slow as the kernel is */
#define UMEM_CHUNKS	64		/* each takes allocations to bind */
#define MOST		5000		/* allocations of one change: it will never end */

/* ---- Injection ---- */

static int fail_nth;		/* a file: which allocation of this thread is to fail */
static unsigned int nth;	/* what injected() asks for */
static bool fired;		/* whether that allocation came */
static bool copies_fail;	/* those from and to user space do, too */

static void write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		ktap_die("%s: %m", path);
	close(fd);
}

static void write_setting(const char *folder, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", folder, name);
	write_file(path, value);
}

/* By the kernel itself. */
static bool prepare_kernel(void)
{
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		return false;
	/* Allocations that may sleep as well, of any size; no report of each. */
	write_setting("failslab", "ignore-gfp-wait", "N");
	write_setting("failslab", "verbose", "0");
	write_setting("fail_page_alloc", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "min-order", "0");
	write_setting("fail_page_alloc", "verbose", "0");
	write_setting("fail_usercopy", "verbose", "0");
	copies_fail = true;
	return true;
}

static void remove_module(void)
{
	close(fail_nth);
	shell("rmmod failnth");
}

/* By a module of ours. */
static bool prepare_module(void)
{
	if (shell("insmod build/vm/$(uname -r)/failnth/failnth.ko 2>/dev/null"))
		return false;
	fail_nth = open("/sys/kernel/debug/failnth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		ktap_die("failnth: %m");
	atexit(remove_module);
	return true;
}

static bool prepare_injection(void)
{
	shell("mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug");
	return prepare_kernel() || prepare_module();
}

/* Copies from and to user memory count as allocations: this one may be what fails. */
static void set_fail_nth(unsigned int n)
{
	char number[16];
	int len = sprintf(number, "%u", n);

	while (pwrite(fail_nth, number, len, 0) < 0)
		if (errno != EFAULT)
			ktap_die("fail-nth: %m");
}

static void stop_injection(void)
{
	char left[16] = "1";

	if (pread(fail_nth, left, sizeof(left) - 1, 0) < 0 && errno != EFAULT)
		ktap_die("fail-nth: %m");
	fired = atoi(left) == 0;
	set_fail_nth(0);
}

/* A system call, or a call of the library, whose @nth allocation fails: 0 or -errno. */
#define injected(call) ({			\
	int ret_;				\
						\
	set_fail_nth(nth);			\
	ret_ = (call);				\
	ret_ = ret_ < 0 ? -errno : ret_;	\
	stop_injection();			\
	ret_;					\
})

/* ---- Changes ---- */

static int ask_ethtool(void *command)
{
	struct ifreq ifr = { .ifr_data = command };
	static int fd = -1;

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(ifr.ifr_name, card_ifname(CHANNELS));
	return injected(ioctl(fd, SIOCETHTOOL, &ifr));
}

static struct mnl_socket *open_netlink(int protocol)
{
	struct mnl_socket *netlink = mnl_socket_open(protocol);

	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		ktap_die("netlink: %m");
	return netlink;
}

/* Sends a request; the answers are read when nothing fails any more. */
static int ask_netlink(struct mnl_socket *netlink, struct nlmsghdr *nlh, char *buf, size_t size)
{
	int err;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	err = injected(mnl_socket_sendto(netlink, nlh, nlh->nlmsg_len));
	if (err < 0)
		return err;
	do {
		err = mnl_socket_recvfrom(netlink, buf, size);
		if (err < 0)
			return -errno;
		err = mnl_cb_run(buf, err, 0, 0, NULL, NULL);
	} while (err > 0);
	return err < 0 ? -errno : 0;
}

/* A card, by netlink. */
static int add_card(void)
{
	static struct mnl_socket *route;
	struct nlattr *info;
	struct nlmsghdr *nlh;
	char buf[8192];

	if (!route)
		route = open_netlink(NETLINK_ROUTE);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, OTHER);
	mnl_attr_put_u32(nlh, IFLA_NUM_RX_QUEUES, 1);
	mnl_attr_put_u32(nlh, IFLA_NUM_TX_QUEUES, 1);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "daq");
	mnl_attr_nest_end(nlh, info);
	return ask_netlink(route, nlh, buf, sizeof(buf));
}

static void delete_other(void)
{
	shell("ip link del " OTHER);
}

static bool no_other(void)
{
	return !if_nametoindex(OTHER);
}

static int ask_interface(const char *name, unsigned long what, struct ifreq *ifr)
{
	int fd, err;

	strcpy(ifr->ifr_name, name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = injected(ioctl(fd, what, ifr));
	close(fd);
	return err;
}

static int set_up(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	if (no_other())
		shell("ip link add " OTHER " numrxqueues 2 numtxqueues 2 type daq");
	return ask_interface(OTHER, SIOCSIFFLAGS, &ifr);
}

static void set_down(void)
{
	shell("ip link set " OTHER " down");
}

static bool is_down(void)
{
	return shell("ip link show " OTHER " up | grep -q .");
}

/* A bare socket with everything but its binding. */
static int xsk = -1;
static void *umem;

static void open_xsk(void)
{
	struct xdp_umem_reg reg = { .len = UMEM_CHUNKS * CHUNK, .chunk_size = CHUNK };
	int size = UMEM_CHUNKS;

	umem = mmap(NULL, reg.len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	reg.addr = (uintptr_t)umem;
	xsk = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (umem == MAP_FAILED || xsk < 0 ||
	    setsockopt(xsk, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ||
	    setsockopt(xsk, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof(size)) ||
	    setsockopt(xsk, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof(size)) ||
	    setsockopt(xsk, SOL_XDP, XDP_RX_RING, &size, sizeof(size)) ||
	    setsockopt(xsk, SOL_XDP, XDP_TX_RING, &size, sizeof(size)))
		ktap_die("cannot make a socket: %m");
}

static void close_xsk(void)
{
	close(xsk);
	munmap(umem, UMEM_CHUNKS * CHUNK);
}

static int bind_socket(void)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = if_nametoindex(card_ifname(CHANNELS)),
		.sxdp_queue_id = BOUND,
		.sxdp_flags = XDP_ZEROCOPY | XDP_USE_SG,
	};
	int err, tries = 0;

	/* The last one's pool may still be on its way out. */
	do {
		open_xsk();
		err = injected(bind(xsk, (struct sockaddr *)&address, sizeof(address)));
		if (err) {
			close_xsk();
			pause_ms(1);
		}
	} while (err == -EBUSY && ++tries < 100);
	return err;
}

static int program = -1, program_link;

static int attach_program(void)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);

	if (program < 0)
		program = xdp_load(pass, 2);
	program_link = injected(bpf_link_create(program,
						if_nametoindex(card_ifname(CHANNELS)),
						BPF_XDP, &opts));
	return program_link < 0 ? program_link : 0;
}

static void detach_program(void)
{
	close(program_link);
}

static int set_rings(u32 size)
{
	struct ethtool_ringparam rings = {
		.cmd = ETHTOOL_SRINGPARAM, .rx_pending = size, .tx_pending = size,
	};

	return ask_ethtool(&rings);
}

static int enlarge_rings(void)
{
	return set_rings(256);
}

static void shrink_rings(void)
{
	nth = 0;
	set_rings(128);
}

static int set_queues(u32 count)
{
	struct ethtool_channels channels = {
		.cmd = ETHTOOL_SCHANNELS, .combined_count = count,
	};

	return ask_ethtool(&channels);
}

static int take_queues(void)
{
	return set_queues(CHANNELS / 2);
}

static int give_queues(void)
{
	return set_queues(CHANNELS);
}

static void give_queues_back(void)
{
	nth = 0;
	set_queues(CHANNELS);
}

static void take_queues_back(void)
{
	nth = 0;
	set_queues(CHANNELS / 2);
}

/* Channel 0 goes to queue 1, with a rule or without. */
static int set_table(void)
{
	u32 command[] = { ETHTOOL_SRXFHINDIR, CHANNELS, 1, 1, 2, 3 };

	/* a struct ethtool_rxfh_indir, whose queues are at its end */
	return ask_ethtool(command);
}

static void reset_table(void)
{
	shell("ethtool -X %s default", card_ifname(CHANNELS));
}

static int add_rule(void)
{
	struct ethtool_rxnfc command = {
		.cmd = ETHTOOL_SRXCLSRLINS,
		.fs = { .flow_type = ETHER_FLOW, .ring_cookie = 1, .location = RX_CLS_LOC_ANY },
	};
	struct ethhdr *key = &command.fs.h_u.ether_spec;

	card_mac(key->h_source);
	memset(key->h_source + 4, 0, 2);
	memset(command.fs.m_u.ether_spec.h_source, 0xff, 6);
	return ask_ethtool(&command);
}

static void delete_rule(void)
{
	struct ethtool_rxnfc command = { .cmd = ETHTOOL_SRXCLSRLDEL };

	nth = 0;
	ask_ethtool(&command);
}

static int set_mtu(void)
{
	struct ifreq ifr = { .ifr_mtu = 9000 };

	return ask_interface(card_ifname(CHANNELS), SIOCSIFMTU, &ifr);
}

static void reset_mtu(void)
{
	shell("ip link set %s mtu 1500", card_ifname(CHANNELS));
}

/* What the driver's own family is asked, of channel 0 or the card. */
static int ask_driver(u8 cmd, u16 flags, u64 rate)
{
	static struct mnl_socket *generic;
	static u16 family;
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;
	char buf[32768];

	if (!generic) {
		generic = open_netlink(NETLINK_GENERIC);
		family = genl_family(DAQ_FAMILY_NAME);
	}
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = DAQ_FAMILY_VERSION;
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_IFINDEX, if_nametoindex(card_ifname(CHANNELS)));
	if (cmd != DAQ_CMD_CARD_GET && !flags)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_ID, 0);
	if (rate)
		mnl_attr_put_u64(nlh, DAQ_A_CHANNEL_RATE, rate);
	return ask_netlink(generic, nlh, buf, sizeof(buf));
}

static int get_channel(void)
{
	return ask_driver(DAQ_CMD_CHANNEL_GET, 0, 0);
}

static int dump_channels(void)
{
	return ask_driver(DAQ_CMD_CHANNEL_GET, NLM_F_DUMP, 0);
}

static int get_counters(void)
{
	return ask_driver(DAQ_CMD_STATS_GET, 0, 0);
}

static int get_card(void)
{
	return ask_driver(DAQ_CMD_CARD_GET, 0, 0);
}

static int set_rate(void)
{
	return ask_driver(DAQ_CMD_CHANNEL_SET, 0, 2 * RATE);
}

static void reset_rate(void)
{
	nth = 0;
	ask_driver(DAQ_CMD_CHANNEL_SET, 0, RATE);
}

static void nothing(void)
{
}

/* The control device, and what is mapped of it. */
static char device_path[64];
static int device = -1;

static int open_device(void)
{
	device = injected(open(device_path, O_RDWR | O_CLOEXEC));
	return device < 0 ? device : 0;
}

static void close_device(void)
{
	close(device);
	device = -1;
}

static void *mapped;

static int map_device(int prot, u64 at)
{
	int err;

	device = open(device_path, O_RDWR | O_CLOEXEC);
	err = injected((mapped = mmap(NULL, 4096, prot, MAP_SHARED, device, at)) ==
		       MAP_FAILED ? -1 : 0);
	if (err)
		close_device();
	else
		(void)*(volatile u32 *)mapped;
	return err;
}

static int map_counters(void)
{
	return map_device(PROT_READ, DAQ_MMAP_COUNTERS);
}

static void unmap_device(void)
{
	munmap(mapped, 4096);
	close_device();
}

static bool has_counters(void)
{
	nth = 0;
	if (map_counters())
		return false;
	unmap_device();
	return true;
}

static int map_window(void)
{
	return map_device(PROT_READ | PROT_WRITE, DAQ_MMAP_WINDOW(0));
}

/* ---- A card on the bus ---- */

static char address[16], driver_link[64];

static bool find_bus_card(void)
{
	glob_t found;
	FILE *file;
	size_t i;

	glob("/sys/bus/pci/devices/*/vendor", 0, NULL, &found);
	for (i = 0; i < found.gl_pathc && !*address; i++) {
		unsigned int vendor = 0;

		file = fopen(found.gl_pathv[i], "r");
		if (file && fscanf(file, "%x", &vendor) == 1 && vendor == 0xdac0)
			sscanf(found.gl_pathv[i], "/sys/bus/pci/devices/%15[^/]", address);
		if (file)
			fclose(file);
	}
	globfree(&found);
	snprintf(driver_link, sizeof(driver_link), "/sys/bus/pci/devices/%s/driver", address);
	return *address;
}

static int probe(void)
{
	int fd = open("/sys/bus/pci/drivers/daq/bind", O_WRONLY | O_CLOEXEC);
	int err = injected(write(fd, address, strlen(address)));

	close(fd);
	return err < 0 ? err : 0;
}

static void unbind(void)
{
	write_file("/sys/bus/pci/drivers/daq/unbind", address);
}

static bool is_unbound(void)
{
	return access(driver_link, F_OK) < 0 && shell("ls -d /sys/bus/pci/devices/%s/net/* "
						      "/sys/bus/pci/devices/%s/ptp/* 2>/dev/null",
						      address, address);
}

/* The interface that the card has. */
static const char *bus_ifname(void)
{
	static char name[IFNAMSIZ];
	char pattern[64];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/net/*", address);
	if (glob(pattern, 0, NULL, &found))
		ktap_die("the card has no interface");
	snprintf(name, sizeof(name), "%.15s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return name;
}

static int bus_up(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	if (access(driver_link, F_OK) < 0) {
		nth = 0;
		probe();
	}
	return ask_interface(bus_ifname(), SIOCSIFFLAGS, &ifr);
}

static void bus_down(void)
{
	shell("ip link set %s down", bus_ifname());
}

static bool bus_is_down(void)
{
	return shell("ip link show %s up | grep -q .", bus_ifname());
}

/* ---- What is not to change ---- */

static u64 delivered[CHANNELS];

static bool all_moved(void)
{
	struct stats *stats = stats_read();
	unsigned int i;

	for (i = 0; i < CHANNELS; i++)
		if (stat_of(stats, "ch%u_stack", i) == delivered[i])
			return false;
	return true;
}

/* Every channel delivers. */
static bool flows(void)
{
	struct stats *stats = stats_read();
	unsigned int i;

	for (i = 0; i < CHANNELS; i++)
		delivered[i] = stat_of(stats, "ch%u_stack", i);
	for (i = 0; i < 500; i++) {
		pause_ms(2);
		if (all_moved())
			return true;
	}
	return false;
}

/* ---- The test ---- */

/**
 * struct change - something that is asked of the kernel
 * @name: what
 * @make: asks for it, with an allocation that fails: 0 or -errno
 * @undo: takes it back
 * @intact: whether all is as before, after a failure
 */
struct change {
	const char *name;
	int (*make)(void);
	void (*undo)(void);
	bool (*intact)(void);
};

static const struct change changes[] = {
	{ "adding a card", add_card, delete_other, no_other },
	{ "setting a card up", set_up, set_down, is_down },
	{ "binding a zero-copy socket", bind_socket, close_xsk, flows },
	{ "attaching a program", attach_program, detach_program, flows },
	{ "setting ring sizes", enlarge_rings, shrink_rings, flows },
	{ "taking queues away", take_queues, give_queues_back, flows },
	{ "giving them back", give_queues, take_queues_back, flows },
	{ "setting the MTU", set_mtu, reset_mtu, flows },
	{ "spreading channels over queues", set_table, reset_table, flows },
	{ "sending a channel to a queue", add_rule, delete_rule, flows },
	{ "setting a format", set_rate, reset_rate, flows },
	{ "asking for a channel", get_channel, nothing, flows },
	{ "asking for all of them", dump_channels, nothing, flows },
	{ "asking for counters", get_counters, nothing, flows },
	{ "asking for the card", get_card, nothing, flows },
	{ "opening the control device", open_device, close_device, flows },
	{ "mapping a register window", map_window, unmap_device, flows },
	{ "mapping counters", map_counters, unmap_device, flows },
};

static const struct change bus_changes[] = {
	{ "probing a card", probe, unbind, is_unbound },
	{ "setting a card on the bus up", bus_up, bus_down, bus_is_down },
};

/* An answer that got lost says nothing about what became of the request. */
static bool is_undone(const struct change *change, int err)
{
	if (err == -ENOBUFS && !change->intact())
		change->undo();
	return change->intact();
}

static void run(const struct change *change, unsigned int every)
{
	unsigned int failures = 0, attempt;
	u64 start = now_ms();
	bool hit = true;
	int err = 0;

	for (attempt = 1; attempt < MOST; attempt += every) {
		nth = attempt;
		err = change->make();
		hit = fired;
		if (!err)
			change->undo();
		if (!hit)
			break;
		if (!err)
			continue;
		failures++;
		if (is_undone(change, err))
			continue;
		printf("# allocation %u fails: errno %d\n", attempt, -err);
		break;
	}
	printf("# %s: %u allocations, %u of them needed, %llu s\n", change->name, attempt - 1,
	       failures, (unsigned long long)(now_ms() - start) * test_scale() / 1000);
	/* Some need no memory that they could not do without. */
	ktap_ok(!err && !hit && (failures || !copies_fail), "%s: whatever fails, nothing else does",
		change->name);
}

/* ---- Those who are asked ---- */

#define NOTIFIERS	"/sys/kernel/debug/notifier-error-inject/netdev/actions/"

static int rename_card(void)
{
	struct ifreq ifr = { .ifr_newname = OTHER "x" };

	return ask_interface(OTHER, SIOCSIFNAME, &ifr);
}

static void rename_back(void)
{
	shell("ip link set " OTHER "x name " OTHER);
}

static bool is_named(void)
{
	return if_nametoindex(OTHER) && !if_nametoindex(OTHER "x");
}

static bool mtu_is_unchanged(void)
{
	return !shell("ip link show %s | grep -q 'mtu 1500 '", card_ifname(CHANNELS)) && flows();
}

static const struct {
	const char *event;
	struct change change;
} refused[] = {
	{ "NETDEV_POST_INIT", { "adding a card", add_card, delete_other, no_other } },
	{ "NETDEV_REGISTER", { "adding a card", add_card, delete_other, no_other } },
	{ "NETDEV_PRE_UP", { "setting a card up", set_up, set_down, is_down } },
	{ "NETDEV_CHANGENAME", { "renaming a card", rename_card, rename_back, is_named } },
	{ "NETDEV_PRECHANGEMTU", { "setting the MTU", set_mtu, reset_mtu, mtu_is_unchanged } },
	{ "NETDEV_CHANGEMTU", { "setting the MTU", set_mtu, reset_mtu, mtu_is_unchanged } },
};

static void refuse(const char *event, const char *error)
{
	char path[160];

	snprintf(path, sizeof(path), NOTIFIERS "%s/error", event);
	write_file(path, error);
}

static void test_notifiers(void)
{
	unsigned int i;

	if (shell("modprobe netdev-notifier-error-inject 2>/dev/null")) {
		ktap_skip("notifiers", "the kernel has no netdev-notifier-error-inject");
		return;
	}
	nth = 0;
	for (i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		const struct change *change = &refused[i].change;

		refuse(refused[i].event, "-12");
		ktap_eq(change->make(), -ENOMEM, "%s: %s fails", refused[i].event, change->name);
		refuse(refused[i].event, "0");
		ktap_ok(change->intact(), "%s: and nothing comes of it", refused[i].event);
		ktap_eq(change->make(), 0, "%s: the next time it works", refused[i].event);
		change->undo();
	}
	ktap_eq(shell("rmmod netdev-notifier-error-inject"), 0, "notifiers: they go");
}

static void test_bus(unsigned int every)
{
	unsigned int i;

	if (!find_bus_card()) {
		ktap_skip("a card on the bus", "there is none");
		return;
	}
	if (!access(driver_link, F_OK))
		unbind();
	for (i = 0; i < sizeof(bus_changes) / sizeof(*bus_changes); i++)
		run(&bus_changes[i], every);
	ktap_eq(shell("daq set %s -c all --source counter && ip link set %s up && "
		      "timeout %u daq capture %s -c all -n 5 -q", bus_ifname(), bus_ifname(),
		      60 * test_scale(), bus_ifname()), 0, "the card gives data");
	unbind();
}

static void test_changes(unsigned int every)
{
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 1024,
		.rate = RATE * test_scale(),
	};
	unsigned int i;

	if (!card_device(card_ifname(CHANNELS), device_path, sizeof(device_path)))
		ktap_die("no control device");
	set_formats(0, CHANNELS - 1, &format);
	nth = 0;
	set_rings(128);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		if (changes[i].make == give_queues)
			take_queues_back();
		if (changes[i].make == map_counters && !has_counters()) {
			ktap_skip(changes[i].name, "there are none");
			continue;
		}
		run(&changes[i], every);
		if (changes[i].make == give_queues)
			give_queues_back();
	}
	delete_other();
	test_notifiers();
	delete_other();
	quiesce();
	for (i = 0; i < CHANNELS; i++)
		ktap_eq(stats_missing(stats_read(), i), 0,
			"channel %u: produced is delivered and dropped", i);
}

int main(void)
{
	const char *every = getenv("EVERY");
	unsigned int step;

	ktap_begin();
	if (!prepare_injection()) {
		puts("1..0 # SKIP needs a kernel with fault injection");
		return 0;
	}
	step = every && *every ? atoi(every) : copies_fail ? 7 : 3;
	test_changes(step);
	test_bus(step);
	return ktap_end();
}
