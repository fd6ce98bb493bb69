// SPDX-License-Identifier: GPL-2.0
/*
 * The allocations of every change fail one after the other, until the change gets through
 * with none left to fail. Each failure ends in an errno, leaves nothing behind, and what
 * was there before works as before.
 *
 * Needs a kernel with fault injection: the debug kernel.
 *
 * EVERY=  step from one to the next (default: 7, since all of them, which is 1, take an
 *         hour; odd, since kmemleak makes an allocation of its own for each)
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
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
#define UMEM_CHUNKS	64		/* each takes allocations to bind */
#define MOST		5000		/* allocations of one change: it will never end */

/* ---- Injection ---- */

static int fail_nth;		/* a file: which allocation of this thread is to fail */
static unsigned int nth;	/* what injected() asks for */
static bool fired;		/* whether that allocation came */

static void write_setting(const char *folder, const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		ktap_die("%s: %m", path);
	close(fd);
}

static bool prepare_injection(void)
{
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		return false;
	shell("mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug");
	/* Allocations that may sleep as well, of any size; no report of each. */
	write_setting("failslab", "ignore-gfp-wait", "N");
	write_setting("failslab", "verbose", "0");
	write_setting("fail_page_alloc", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "min-order", "0");
	write_setting("fail_page_alloc", "verbose", "0");
	write_setting("fail_usercopy", "verbose", "0");
	return true;
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

/* A card, by netlink: the answer is read when nothing fails any more. */
static int add_card(void)
{
	static struct mnl_socket *route;
	struct nlattr *info;
	struct nlmsghdr *nlh;
	char buf[8192];
	int err;

	if (!route) {
		route = mnl_socket_open(NETLINK_ROUTE);
		if (!route || mnl_socket_bind(route, 0, MNL_SOCKET_AUTOPID) < 0)
			ktap_die("netlink: %m");
	}
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, OTHER);
	mnl_attr_put_u32(nlh, IFLA_NUM_RX_QUEUES, 1);
	mnl_attr_put_u32(nlh, IFLA_NUM_TX_QUEUES, 1);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "daq");
	mnl_attr_nest_end(nlh, info);

	err = injected(mnl_socket_sendto(route, nlh, nlh->nlmsg_len));
	if (err < 0)
		return err;
	err = mnl_socket_recvfrom(route, buf, sizeof(buf));
	if (err < 0)
		return -errno;
	return mnl_cb_run(buf, err, 0, 0, NULL, NULL) < 0 ? -errno : 0;
}

static void delete_other(void)
{
	shell("ip link del " OTHER);
}

static bool no_other(void)
{
	return !if_nametoindex(OTHER);
}

static int set_up(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };
	int fd, err;

	if (no_other())
		shell("ip link add " OTHER " numrxqueues 2 numtxqueues 2 type daq");
	strcpy(ifr.ifr_name, OTHER);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = injected(ioctl(fd, SIOCSIFFLAGS, &ifr));
	close(fd);
	return err;
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

static int set_mtu(void)
{
	struct ifreq ifr = { .ifr_mtu = 9000 };
	int fd, err;

	strcpy(ifr.ifr_name, card_ifname(CHANNELS));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = injected(ioctl(fd, SIOCSIFMTU, &ifr));
	close(fd);
	return err;
}

static void reset_mtu(void)
{
	shell("ip link set %s mtu 1500", card_ifname(CHANNELS));
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
	ktap_ok(!err && !hit && failures, "%s: whatever fails, nothing else does",
		change->name);
}

int main(void)
{
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 1024, .rate = 512000,
	};
	const char *every = getenv("EVERY");
	unsigned int i;

	ktap_begin();
	if (!prepare_injection()) {
		puts("1..0 # SKIP needs a kernel with fault injection");
		return 0;
	}
	card_ifname(CHANNELS);
	set_formats(0, CHANNELS - 1, &format);
	nth = 0;
	set_rings(128);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		if (changes[i].make == give_queues)
			take_queues_back();
		run(&changes[i], every ? atoi(every) : 7);
		if (changes[i].make == give_queues)
			give_queues_back();
	}
	delete_other();
	quiesce();
	for (i = 0; i < CHANNELS; i++)
		ktap_eq(stats_missing(stats_read(), i), 0,
			"channel %u: produced is delivered and dropped", i);
	return ktap_end();
}
