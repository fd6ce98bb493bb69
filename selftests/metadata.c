// SPDX-License-Identifier: GPL-2.0
/*
 * What comes with a packet beside its bytes: time and channel by the kfuncs of XDP, on
 * pages and on chunks of a zero-copy socket, and the hardware time stamp in the stack.
 * Time is compared with the header's and with the PTP clock's.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/errqueue.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/net_tstamp.h>
#include <linux/netdev.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"
#include "metadata.h"
#include "metadata.skel.h"

/* Inputs 0 to 2 are all on queue 0, so that a channel is not just a queue. */
#define CHANNELS	3
#define SPLIT		2

static const struct daq_format short_format = {
	.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 4096, .rate = 51200,
};

static const struct daq_format split_format = {
	.sample_bytes = 2, .segment_bytes = 20480, .frame_bytes = 40960, .rate = 512000,
};

static struct metadata_bpf *program;

static void make_card(void)
{
	const char *card = card_ifname(CHANNELS);

	if (shell("ip link set %s down && ethtool -X %s equal 1 && ip link set %s up", card, card,
		  card))
		ktap_die("cannot move all inputs to queue 0");
	set_formats(0, SPLIT - 1, &short_format);
	set_formats(SPLIT, SPLIT, &split_format);
}

static void attach(void)
{
	int ifindex = if_nametoindex(card_ifname(CHANNELS));

	program = metadata_bpf__open();
	if (!program)
		ktap_die("cannot open the program: %m");
	bpf_program__set_ifindex(program->progs.metadata, ifindex);
	bpf_program__set_flags(program->progs.metadata,
			       BPF_F_XDP_DEV_BOUND_ONLY | BPF_F_XDP_HAS_FRAGS);
	if (metadata_bpf__load(program) < 0)
		ktap_die("cannot load the program: %m");
	if (bpf_xdp_attach(ifindex, bpf_program__fd(program->progs.metadata), XDP_FLAGS_DRV_MODE,
			   NULL) < 0)
		ktap_die("cannot attach the program: %m");
}

static void detach(void)
{
	bpf_xdp_detach(if_nametoindex(card_ifname(CHANNELS)), XDP_FLAGS_DRV_MODE, NULL);
	metadata_bpf__destroy(program);
}

static bool every_channel(void)
{
	unsigned int i;

	for (i = 0; i < CHANNELS; i++) {
		printf("# channel %u: %llu segments\n", i,
		       (unsigned long long)program->bss->segments[i]);
		if (program->bss->segments[i] < 10)
			return false;
	}
	return true;
}

/* ---- XDP ---- */

static void test_pages(void)
{
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	pause_ms(1000);
	quiesce();
	ktap_ok(every_channel(), "pages: the program hears of every channel by the hash");
	ktap_eq(program->bss->wrong, 0,
		"pages: time and hash of every segment are time and channel in its header");
}

static const struct metadata *in_front_of(const struct daq_hdr *hdr)
{
	return (const struct metadata *)hdr - 1;
}

static void test_zero_copy(void)
{
	unsigned int right = 0, split = 0, i;
	const u32 queue = 0;
	struct packet packet;
	struct bare bare;
	int err, fd;

	memset(program->bss, 0, sizeof(*program->bss));
	err = bare_open(&bare, queue, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL);
	if (err)
		ktap_die("bind: %s", strerror(-err));
	fd = xsk_socket__fd(bare.xsk);
	if (bpf_map_update_elem(bpf_map__fd(program->maps.sockets), &queue, &fd, 0) < 0)
		ktap_die("XSKMAP: %m");
	bare_post_range(&bare, 0, 512);
	bare_kick(&bare);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	for (i = 0; i < 100 && bare_receive(&bare, &packet, 5000); i++) {
		const struct daq_hdr *hdr = packet_header(&bare, &packet);
		const struct metadata *meta = in_front_of(hdr);

		right += meta->magic == METADATA_MAGIC &&
			 meta->timestamp == be64toh(hdr->timestamp) &&
			 meta->hash == ntohs(hdr->channel) && !meta->rss_type;
		split += packet.count > 1;
		bare_return(&bare, &packet);
	}
	ktap_eq(right, 100, "zero copy: the socket sees both in front of 100 segments");
	ktap_ok(split > 0 && split < 100, "zero copy: %u of them in several chunks", split);
	quiesce();
	ktap_ok(every_channel(), "zero copy: the program hears of every channel by the hash");
	ktap_eq(program->bss->wrong, 0,
		"zero copy: time and hash of every segment are time and channel in its header");
	bare_close(&bare);
}

/* ---- The clock ---- */

static int open_clock(void)
{
	char path[128], name[32] = "";
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/ptp", card_ifname(CHANNELS));
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "ptp", 3))
			snprintf(name, sizeof(name), "/dev/%.20s", entry->d_name);
	if (dir)
		closedir(dir);
	if (name[0])
		fd = open(name, O_RDWR);
	if (fd < 0)
		ktap_die("no clock: %s: %m", name);
	return fd;
}

static u64 clock_ns(int fd)
{
	struct timespec now;

	if (clock_gettime((clockid_t)(~(unsigned int)fd << 3 | 3), &now) < 0)
		ktap_die("cannot read the clock: %m");
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* A packet of somebody else, looped back from each output to the input of its number. */
static void test_foreign(void)
{
	const struct metadata *foreign = &program->bss->foreign;
	int clock = open_clock(), fd = packet_socket(0x88b6), i;
	struct stats *stats = stats_read();
	u8 packet[60] = { 0 };
	u64 before, after;
	char played[32];

	set_source(0, CHANNELS - 1, DAQ_SOURCE_LOOPBACK);
	card_mac(packet);
	packet[12] = 0x88;
	packet[13] = 0xb6;
	before = clock_ns(clock);
	packet_send(fd, packet, sizeof(packet));
	for (i = 0; i < 250 && !*(volatile const u32 *)&foreign->magic; i++)
		pause_ms(20);
	after = clock_ns(clock);
	printf("# foreign packet at %llu, clock at %llu and %llu\n",
	       (unsigned long long)foreign->timestamp, (unsigned long long)before,
	       (unsigned long long)after);
	ktap_ok(foreign->magic && before <= foreign->timestamp && foreign->timestamp <= after,
		"foreign: a packet without a header has the time of the clock when it came");
	/* The kernel chose the output. */
	snprintf(played, sizeof(played), "ch%u_played", foreign->hash);
	ktap_ok(foreign->hash < CHANNELS && !foreign->hash_error &&
		stat_grown(stats, played) == 1, "foreign: and its channel");
	ktap_eq(foreign->vlan_error, -EOPNOTSUPP, "foreign: there is no VLAN tag to tell");
	set_source(0, CHANNELS - 1, DAQ_SOURCE_NONE);
	close(fd);
	close(clock);
}

/* ---- The stack ---- */

static int stamping_ioctl(unsigned long what, struct hwtstamp_config *config)
{
	struct ifreq ifr = { .ifr_data = (void *)config };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	strncpy(ifr.ifr_name, card_ifname(CHANNELS), IFNAMSIZ - 1);
	err = ioctl(fd, what, &ifr) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int get_filter(void)
{
	struct hwtstamp_config config = { 0 };

	return stamping_ioctl(SIOCGHWTSTAMP, &config) ? -1 : config.rx_filter;
}

static int set_stamping(int tx_type, int rx_filter)
{
	struct hwtstamp_config config = { .tx_type = tx_type, .rx_filter = rx_filter };

	return stamping_ioctl(SIOCSHWTSTAMP, &config);
}

static u64 stamp_in(struct msghdr *msg)
{
	struct scm_timestamping stamps;
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_TIMESTAMPING)
			continue;
		memcpy(&stamps, CMSG_DATA(cmsg), sizeof(stamps));
		return stamps.ts[2].tv_sec * 1000000000ull + stamps.ts[2].tv_nsec;
	}
	return 0;
}

/* The hardware time stamp of what was sent, 0 if none comes. */
static u64 sent_stamp(int fd)
{
	char control[512], data[2048];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct pollfd pollfd = { .fd = fd };

	/* only errors wake, and stamps come that way */
	if (poll(&pollfd, 1, 300) <= 0 || recvmsg(fd, &msg, MSG_ERRQUEUE) < 0)
		return 0;
	return stamp_in(&msg);
}

/* The hardware time stamp of the next segment, 0 if it has none; @hdr gets its header. */
static u64 receive_stamped(int fd, struct daq_hdr *hdr)
{
	char control[256];
	struct iovec iov = { hdr, sizeof(*hdr) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	if (poll(&pollfd, 1, 5000) <= 0 || recvmsg(fd, &msg, 0) < (ssize_t)sizeof(*hdr))
		ktap_die("no segment");
	return stamp_in(&msg);
}

/* Of some segments, how many have a time stamp, and how many the header's. */
static void count_stamped(unsigned int *stamped, unsigned int *right)
{
	int fd = packet_socket(DAQ_ETHERTYPE), i;
	unsigned int flags = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
	struct daq_hdr hdr;
	u64 stamp;

	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) < 0)
		ktap_die("SO_TIMESTAMPING: %m");
	*stamped = 0;
	*right = 0;
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	for (i = 0; i < 20; i++) {
		stamp = receive_stamped(fd, &hdr);
		*stamped += stamp > 0;
		*right += stamp == be64toh(hdr.timestamp);
	}
	quiesce();
	close(fd);
}

static void test_stack(void)
{
	unsigned int stamped, right;

	ktap_eq(get_filter(), HWTSTAMP_FILTER_ALL, "stack: all is stamped at first");
	count_stamped(&stamped, &right);
	ktap_ok(stamped == 20 && right == 20, "stack: with the time in the header: %u of 20", right);

	ktap_eq(set_stamping(HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_NONE), 0, "stack: switched off");
	count_stamped(&stamped, &right);
	ktap_eq(stamped, 0, "stack: then nothing is stamped");
	card_up(false);
	card_up(true);
	ktap_eq(get_filter(), HWTSTAMP_FILTER_NONE, "stack: nor after down and up");

	ktap_eq(set_stamping(HWTSTAMP_TX_ONESTEP_SYNC, HWTSTAMP_FILTER_ALL), -ERANGE,
		"stack: stamps inside of what is sent are refused");
	ktap_eq(get_filter(), HWTSTAMP_FILTER_NONE, "stack: and all stays as it was");
	ktap_eq(set_stamping(HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_PTP_V2_L2_EVENT), 0,
		"stack: who asks for PTP packets only");
	ktap_eq(get_filter(), HWTSTAMP_FILTER_ALL, "stack: gets all stamped, and is told");
}

/* Sends packets: how many get a hardware time stamp that is later than the one before. */
static unsigned int count_sent_stamps(void)
{
	int fd = packet_socket(0x9000), i;
	unsigned int flags = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
	unsigned int right = 0;
	u64 last = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) < 0)
		ktap_die("SO_TIMESTAMPING: %m");
	for (i = 0; i < 20; i++) {
		u8 packet[1000] = { 2, [12] = 0x90 };
		u64 stamp;

		packet_send(fd, packet, sizeof(packet));
		stamp = sent_stamp(fd);
		right += stamp > last;
		last = stamp;
	}
	close(fd);
	return right;
}

static void test_sent(void)
{
	set_stamping(HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_ALL);
	ktap_eq(count_sent_stamps(), 0, "sent: no stamps when switched off");
	ktap_eq(set_stamping(HWTSTAMP_TX_ON, HWTSTAMP_FILTER_ALL), 0, "sent: switched on");
	ktap_eq(count_sent_stamps(), 20, "sent: each packet is stamped, later than the one before");
}

/* ---- What the interface says that it can do ---- */

static struct nlmsghdr *ask_netlink(struct mnl_socket *nl, u16 type, u8 command, char *buf)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = command;
	if (type == GENL_ID_CTRL)
		mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME);
	else
		mnl_attr_put_u32(nlh, NETDEV_A_DEV_IFINDEX,
				 if_nametoindex(card_ifname(CHANNELS)));
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
	    mnl_socket_recvfrom(nl, buf, MNL_SOCKET_DUMP_SIZE) < 0 ||
	    nlh->nlmsg_type == NLMSG_ERROR)
		ktap_die("netlink does not answer");
	return nlh;
}

static const struct nlattr *find_attr(const struct nlmsghdr *nlh, u16 type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == type)
			return attr;
	ktap_die("netlink does not tell attribute %u", type);
}

static void test_features(void)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_GENERIC);
	static char buf[MNL_SOCKET_DUMP_SIZE];
	const struct nlmsghdr *nlh;
	u16 family;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		ktap_die("netlink: %m");
	nlh = ask_netlink(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, buf);
	family = mnl_attr_get_u16(find_attr(nlh, CTRL_ATTR_FAMILY_ID));
	nlh = ask_netlink(nl, family, NETDEV_CMD_DEV_GET, buf);
	ktap_eq(mnl_attr_get_u64(find_attr(nlh, NETDEV_A_DEV_XDP_RX_METADATA_FEATURES)),
		NETDEV_XDP_RX_METADATA_TIMESTAMP | NETDEV_XDP_RX_METADATA_HASH,
		"features: time stamp and hash, no VLAN tag");
	mnl_socket_close(nl);
}

int main(void)
{
	ktap_begin();
	make_card();
	test_features();
	test_stack();
	test_sent();
	attach();
	test_pages();
	test_zero_copy();
	test_foreign();
	detach();
	return ktap_end();
}
