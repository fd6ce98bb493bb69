// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <glob.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "daq_steer.h"
#include "daq_steer.skel.h"
#include "guest.h"

#define OWN_CARD	"daqtest0"
#define FAR_CARD	"daqtfar"
#define NO_CARD		4	/* of backend.sh */

static const char *ifname;
static struct daq_card *card;

/* ---- The card ---- */

int shell(const char *fmt, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool card_on_bus(void)
{
	const char *backend = getenv("TEST_BACKEND");

	return getenv("NETIF") || (backend && !strcmp(backend, "pci"));
}

static int add_card(const char *name, unsigned int channels)
{
	return shell(SELFTESTS "/backend.sh add %s %u && ip link set %s up", name, channels, name);
}

bool card_add(const char *name, unsigned int channels)
{
	return add_card(name, channels) == 0;
}

void card_del(const char *name)
{
	shell(SELFTESTS "/backend.sh del %s", name);
}

static void delete_card(void)
{
	daq_card__close(card);
	card_del(ifname);
}

const char *card_ifname(unsigned int channels)
{
	int err;

	if (ifname)
		return ifname;
	err = add_card(OWN_CARD, channels);
	if (err == NO_CARD)
		ktap_skip_all("there is no card with so many channels");
	if (err)
		ktap_die("cannot make a card");
	ifname = OWN_CARD;
	atexit(delete_card);
	return ifname;
}

bool card_device(const char *name, char *path, size_t size)
{
	char pattern[64];
	glob_t found;
	int err;

	snprintf(pattern, sizeof(pattern), "/sys/class/net/%s/device/daq/daq*", name);
	err = glob(pattern, 0, NULL, &found);
	snprintf(path, size, "%s%s", err ? "" : "/dev/",
		 err ? "" : strrchr(found.gl_pathv[0], '/') + 1);
	if (!err)
		globfree(&found);
	return !err;
}

struct daq_card *card_open(void)
{
	if (!card && daq_card__open(ifname, NULL, &card) < 0)
		ktap_die("%s", daq_errmsg());
	return card;
}

void card_close(void)
{
	daq_card__close(card);
	card = NULL;
}

static int interface_ioctl(unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	strncpy(ifr->ifr_name, ifname, IFNAMSIZ - 1);
	ret = ioctl(fd, what, ifr);
	close(fd);
	return ret;
}

bool card_up(bool up)
{
	struct ifreq ifr = { 0 };

	if (interface_ioctl(SIOCGIFFLAGS, &ifr) < 0)
		return false;
	ifr.ifr_flags = up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP;
	return interface_ioctl(SIOCSIFFLAGS, &ifr) == 0;
}

int machine_sleeps(const char *level)
{
	const char *state = strcmp(level, "core") ? "freeze" : "mem";

	if (shell("cd /sys/power && [ -w pm_test ] && grep -qw %s pm_test && grep -qw %s state",
		  level, state))
		return -1;
	return shell("cd /sys/power && echo 1 >/sys/module/suspend/parameters/pm_test_delay && "
		     "echo %s >pm_test && echo %s >state", level, state) == 0;
}

static void change_formats(unsigned int first, unsigned int last, const struct daq_format *format,
			   unsigned int mask)
{
	for (; first <= last; first++)
		if (daq_card__set_format(card_open(), first, format, mask) < 0)
			ktap_die("channel %u: %s", first, daq_errmsg());
}

void set_formats(unsigned int first, unsigned int last, const struct daq_format *format)
{
	struct daq_format silent = *format;

	silent.source = DAQ_SOURCE_NONE;
	silent.rate = silent.rate > test_scale() ? silent.rate / test_scale() : 1;
	change_formats(first, last, &silent, DAQ_FORMAT_SOURCE | DAQ_FORMAT_SAMPLE_BYTES |
		       DAQ_FORMAT_SEGMENT_BYTES | DAQ_FORMAT_FRAME_BYTES | DAQ_FORMAT_RATE);
}

bool card_is_kicked(void)
{
	enum daq_personality personality;

	if (daq_card__personality(card_open(), &personality) < 0)
		ktap_die("%s", daq_errmsg());
	return personality == DAQ_PERSONALITY_KICKED;
}

void set_lossless_formats(unsigned int first, unsigned int last, const struct daq_format *format)
{
	struct daq_format slow = *format;
	u64 most = 10 * format->segment_bytes / format->sample_bytes;

	if (card_is_kicked() && slow.rate > most)
		slow.rate = most;
	set_formats(first, last, &slow);
}

void set_source(unsigned int first, unsigned int last, enum daq_source source)
{
	struct daq_format format = { .source = source };

	change_formats(first, last, &format, DAQ_FORMAT_SOURCE);
}

unsigned int test_scale(void)
{
	const char *scale = getenv("TEST_SCALE");

	return scale && atoi(scale) > 0 ? atoi(scale) : 1;
}

unsigned int scaled(unsigned int count)
{
	return (count + test_scale() - 1) / test_scale();
}

void set_moderation(unsigned int frames, unsigned int usecs)
{
	if (shell("ethtool -C %s rx-frames %u rx-usecs %u", card_ifname(0), frames, usecs))
		ktap_die("cannot set the moderation");
}

void pause_ms(unsigned int ms)
{
	usleep(1000 * ms * test_scale());
}

u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * 1000ull + now.tv_nsec / 1000000) / test_scale();
}

/* ---- Counters ---- */

struct stats {
	unsigned int count;
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
};

static void ethtool(void *command)
{
	struct ifreq ifr = { .ifr_data = command };

	if (interface_ioctl(SIOCETHTOOL, &ifr) < 0)
		ktap_die("ethtool: %m");
}

static void *allocate(size_t bytes)
{
	void *memory = calloc(1, bytes);

	if (!memory)
		ktap_die("no memory");
	return memory;
}

struct stats *stats_read(void)
{
	struct stats *stats = allocate(sizeof(*stats));
	struct ethtool_sset_info *info = allocate(sizeof(*info) + sizeof(u32));

	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1 << ETH_SS_STATS;
	ethtool(info);
	stats->count = info->data[0];
	free(info);
	stats->names = allocate(sizeof(*stats->names) + stats->count * ETH_GSTRING_LEN);
	stats->values = allocate(sizeof(*stats->values) + stats->count * sizeof(u64));
	*stats->names = (struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_STATS, stats->count };
	*stats->values = (struct ethtool_stats){ ETHTOOL_GSTATS, stats->count };
	ethtool(stats->names);
	ethtool(stats->values);
	return stats;
}

static const char *stat_name(const struct stats *stats, unsigned int i)
{
	return (const char *)stats->names->data + i * ETH_GSTRING_LEN;
}

static u64 find_stat(const struct stats *stats, const char *name)
{
	unsigned int i;

	for (i = 0; i < stats->count; i++)
		if (!strcmp(stat_name(stats, i), name))
			return stats->values->data[i];
	ktap_die("no counter %s", name);
}

u64 stat_of(const struct stats *stats, const char *fmt, ...)
{
	char name[ETH_GSTRING_LEN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	return find_stat(stats, name);
}

u64 stats_dropped(const struct stats *stats, unsigned int channel)
{
	char prefix[ETH_GSTRING_LEN];
	u64 sum = 0;
	unsigned int i;

	snprintf(prefix, sizeof(prefix), "ch%u_drop_", channel);
	for (i = 0; i < stats->count; i++)
		if (!strncmp(stat_name(stats, i), prefix, strlen(prefix)))
			sum += stats->values->data[i];
	return sum;
}

u64 stats_overrun(const struct stats *stats, unsigned int channel)
{
	return card_is_kicked() ? stat_of(stats, "ch%u_drop_fifo_overrun", channel) : 0;
}

long long stats_missing(const struct stats *stats, unsigned int channel)
{
	return stat_of(stats, "ch%u_produced", channel) - stat_of(stats, "ch%u_socket", channel) -
	       stat_of(stats, "ch%u_stack", channel) - stat_of(stats, "ch%u_xdp_tx", channel) -
	       stats_dropped(stats, channel);
}

u64 stat_grown(const struct stats *before, const char *name)
{
	return find_stat(stats_read(), name) - find_stat(before, name);
}

static bool all_accounted(const struct stats *stats, unsigned int channels)
{
	unsigned int c;

	for (c = 0; c < channels; c++)
		if (stats_missing(stats, c))
			return false;
	return true;
}

/*
 * Long enough for the moderation's bound of 100 ms, and longer when a busy host lets
 * something wait. What is missing after ten seconds is for the test to find.
 */
void quiesce(void)
{
	struct stats *stats = stats_read(), *before;
	unsigned int channels = daq_card__channels(card_open());
	int calm = 0, tries = 0;

	set_source(0, channels - 1, DAQ_SOURCE_NONE);
	while (calm < 3 || (tries < 100 && !all_accounted(stats, channels))) {
		before = stats;
		pause_ms(100);
		stats = stats_read();
		calm = memcmp(before->values->data, stats->values->data,
			      stats->count * sizeof(u64)) ? 0 : calm + 1;
		if (++tries > 200)
			ktap_die("the card does not come to rest");
	}
}

/* ---- Netlink ---- */

static int find_family(const struct nlattr *attr, void *data)
{
	u16 *family = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		*family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

u16 genl_family(const char *name)
{
	struct mnl_socket *netlink = mnl_socket_open(NETLINK_GENERIC);
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;
	char buf[32768];
	u16 family = 0;
	int len;

	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = GENL_ID_CTRL;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = CTRL_CMD_GETFAMILY;
	genl->version = 1;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	if (!netlink || mnl_socket_sendto(netlink, nlh, nlh->nlmsg_len) < 0)
		ktap_die("netlink: %m");
	len = mnl_socket_recvfrom(netlink, buf, sizeof(buf));
	if (len >= (int)MNL_NLMSG_HDRLEN && nlh->nlmsg_type == GENL_ID_CTRL)
		mnl_attr_parse(nlh, sizeof(*genl), find_family, &family);
	mnl_socket_close(netlink);
	return family;
}

/* ---- XDP programs ---- */

int xdp_load(const struct bpf_insn *insns, unsigned int count)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "selftest", "GPL", insns, count, &opts);

	if (fd < 0)
		ktap_die("cannot load a program: %m");
	return fd;
}

void xdp_attach(const char *name, int fd)
{
	if (bpf_xdp_attach(if_nametoindex(name), fd, XDP_FLAGS_DRV_MODE, NULL))
		ktap_die("cannot attach a program to %s: %m", name);
}

/* ---- Bare AF_XDP ---- */

static struct daq_steer *steer;
static int steer_link;

void steer_attach(void)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int try;

	steer = daq_steer__open_and_load();
	if (!steer)
		ktap_die("cannot load the steering program: %m");
	/* the last program may still be on its way out */
	for (try = 0; try < 100; try++) {
		steer_link = bpf_link_create(bpf_program__fd(steer->progs.daq_steer),
					     if_nametoindex(ifname), BPF_XDP, &opts);
		if (steer_link >= 0)
			return;
		pause_ms(10);
	}
	ktap_die("cannot attach the steering program: %m");
}

void steer_detach(void)
{
	close(steer_link);
	daq_steer__destroy(steer);
}

void steer_replace(void)
{
	struct daq_steer *next = daq_steer__open();

	if (!next ||
	    bpf_map__reuse_fd(next->maps.daq_sockets, bpf_map__fd(steer->maps.daq_sockets)) ||
	    bpf_map__reuse_fd(next->maps.daq_counters, bpf_map__fd(steer->maps.daq_counters)) ||
	    daq_steer__load(next) ||
	    bpf_link_update(steer_link, bpf_program__fd(next->progs.daq_steer), NULL))
		ktap_die("cannot replace the steering program: %m");
	daq_steer__destroy(steer);
	steer = next;
}

bool steer_socket(unsigned int channel, int fd)
{
	return !bpf_map_update_elem(bpf_map__fd(steer->maps.daq_sockets), &channel, &fd, 0);
}

void steer_channel(unsigned int channel, const struct bare *bare)
{
	if (!steer_socket(channel, xsk_socket__fd(bare->xsk)))
		ktap_die("cannot steer channel %u: %m", channel);
}

u64 steer_malformed(unsigned int channel)
{
	int cpu, cpus = libbpf_num_possible_cpus();
	struct daq_steer_counters counters[cpus];
	u64 sum = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(steer->maps.daq_counters), &channel, counters) < 0)
		ktap_die("cannot read the steering counters: %m");
	for (cpu = 0; cpu < cpus; cpu++)
		sum += counters[cpu].malformed;
	return sum;
}

unsigned int bare_metadata_len;
const char *bare_interface;
int bare_memory_file = -1;

static void create_umem(struct bare *bare)
{
	DECLARE_LIBXDP_OPTS(xsk_umem_opts, opts, .size = CHUNKS * CHUNK, .fill_size = 2 * CHUNKS,
		    .comp_size = 2 * CHUNKS, .frame_size = CHUNK,
		    .flags = bare_metadata_len ? XDP_UMEM_TX_METADATA_LEN : 0,
		    .tx_metadata_len = bare_metadata_len);

	bare->memory = mmap(NULL, CHUNKS * CHUNK, PROT_READ | PROT_WRITE,
			    MAP_POPULATE | (bare_memory_file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS :
			    MAP_SHARED), bare_memory_file, 0);
	if (bare->memory == MAP_FAILED)
		ktap_die("mmap: %m");
	bare->umem = xsk_umem__create_opts(bare->memory, &bare->fill, &bare->completion, &opts);
	if (!bare->umem)
		ktap_die("xsk_umem__create_opts: %m");
	bare->owner = true;
}

unsigned int bare_rx_size = 2 * CHUNKS;
unsigned int bare_tx_size = CHUNKS;

int bare_open(struct bare *bare, unsigned int queue, unsigned int bind_flags, struct bare *with)
{
	struct xsk_socket_config config = {
		.rx_size = bare_rx_size, .tx_size = bare_tx_size,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = bind_flags,
	};
	int err, try;

	memset(bare, 0, sizeof(*bare));
	if (with) {
		bare->umem = with->umem;
		bare->memory = with->memory;
	} else {
		create_umem(bare);
	}
	for (try = 0; try < 100; try++) {
		err = xsk_socket__create(&bare->xsk, bare_interface ? bare_interface : ifname,
					 queue, bare->umem, &bare->rx,
					 bare_tx_size ? &bare->tx : NULL, &config);
		if (err != -EBUSY)
			break;
		pause_ms(10);
	}
	if (err)
		bare_close(bare);
	return err;
}

void bare_close(struct bare *bare)
{
	xsk_socket__delete(bare->xsk);
	bare->xsk = NULL;
	if (!bare->owner)
		return;
	xsk_umem__delete(bare->umem);
	munmap(bare->memory, CHUNKS * CHUNK);
	bare->owner = false;
}

void bare_post(struct bare *bare, const u64 *addrs, unsigned int count)
{
	u32 i, index;

	if (xsk_ring_prod__reserve(&bare->fill, count, &index) != count)
		ktap_die("the fill ring is full");
	for (i = 0; i < count; i++)
		*xsk_ring_prod__fill_addr(&bare->fill, index + i) = addrs[i];
	xsk_ring_prod__submit(&bare->fill, count);
}

void bare_post_range(struct bare *bare, unsigned int from, unsigned int count)
{
	u64 addr;

	for (; count; count--, from++) {
		addr = (u64)from * CHUNK;
		bare_post(bare, &addr, 1);
	}
}

void bare_send(struct bare *bare, u64 addr, u32 len, u32 options)
{
	struct xdp_desc *desc;
	u32 index;

	if (xsk_ring_prod__reserve(&bare->tx, 1, &index) != 1)
		ktap_die("the TX ring is full");
	desc = xsk_ring_prod__tx_desc(&bare->tx, index);
	desc->addr = addr;
	desc->len = len;
	desc->options = options;
	xsk_ring_prod__submit(&bare->tx, 1);
}

void bare_kick_tx(struct bare *bare)
{
	sendto(xsk_socket__fd(bare->xsk), NULL, 0, MSG_DONTWAIT, NULL, 0);
}

unsigned int bare_completed(struct bare *bare)
{
	unsigned int n;
	u32 index;

	n = xsk_ring_cons__peek(&bare->completion, 2 * CHUNKS, &index);
	xsk_ring_cons__release(&bare->completion, n);
	return n;
}

void bare_kick(struct bare *bare)
{
	recvfrom(xsk_socket__fd(bare->xsk), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

bool bare_zero_copy(const struct bare *bare)
{
	struct xdp_options options = { 0 };
	socklen_t len = sizeof(options);

	if (getsockopt(xsk_socket__fd(bare->xsk), SOL_XDP, XDP_OPTIONS, &options, &len) < 0)
		ktap_die("XDP_OPTIONS: %m");
	return options.flags & XDP_OPTIONS_ZEROCOPY;
}

static bool take_descriptor(struct bare *bare, struct xdp_desc *desc, u64 end)
{
	struct pollfd pollfd = { .fd = xsk_socket__fd(bare->xsk), .events = POLLIN };
	u32 index;

	while (!xsk_ring_cons__peek(&bare->rx, 1, &index)) {
		u64 now = now_ms();

		if (now >= end)
			return false;
		poll(&pollfd, 1, end - now < 100 ? end - now : 100);
	}
	*desc = *xsk_ring_cons__rx_desc(&bare->rx, index);
	xsk_ring_cons__release(&bare->rx, 1);
	return true;
}

bool bare_receive(struct bare *bare, struct packet *packet, int timeout_ms)
{
	u64 end = now_ms() + timeout_ms;

	packet->count = 0;
	do {
		if (packet->count == sizeof(packet->desc) / sizeof(packet->desc[0]))
			ktap_die("a packet without an end");
		if (!take_descriptor(bare, &packet->desc[packet->count], end))
			return false;
	} while (packet->desc[packet->count++].options & XDP_PKT_CONTD);
	return true;
}

void bare_return(struct bare *bare, const struct packet *packet)
{
	unsigned int i;

	for (i = 0; i < packet->count; i++)
		bare_post_range(bare, packet->desc[i].addr / CHUNK, 1);
	bare_kick(bare);
}

const struct daq_hdr *packet_header(const struct bare *bare, const struct packet *packet)
{
	return (const void *)(bare->memory + packet->desc[0].addr);
}

size_t packet_len(const struct packet *packet)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < packet->count; i++)
		len += packet->desc[i].len;
	return len;
}

u64 bare_ring_full(const struct bare *bare)
{
	struct xdp_statistics statistics = { 0 };
	socklen_t len = sizeof(statistics);

	if (getsockopt(xsk_socket__fd(bare->xsk), SOL_XDP, XDP_STATISTICS, &statistics, &len) < 0)
		ktap_die("XDP_STATISTICS: %m");
	return statistics.rx_ring_full;
}

/* ---- Packets ---- */

int packet_socket_on(const char *name, u16 ethertype)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ethertype),
		.sll_ifindex = if_nametoindex(name),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ethertype));

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		ktap_die("packet socket on %s: %m", name);
	return fd;
}

int packet_socket(u16 ethertype)
{
	return packet_socket_on(ifname, ethertype);
}

static void remove_far_card(void)
{
	shell("ip link del " FAR_CARD);
}

static void connect_cable(unsigned int mtu)
{
	atexit(remove_far_card);
	if (shell("ip link add " FAR_CARD " mtu %u type daq && daq cable %s " FAR_CARD " && "
		  "ip link set " FAR_CARD " up", mtu, ifname))
		ktap_die("cannot set up the far end");
}

/* All that the stack sends goes to output 1. */
static void connect_loops(void)
{
	struct daq_format loop = { .source = DAQ_SOURCE_LOOPBACK };
	unsigned int c;

	for (c = 0; c < 2; c++) {
		loop.loop_from = !c;
		change_formats(c, c, &loop, DAQ_FORMAT_SOURCE | DAQ_FORMAT_LOOP_FROM);
	}
	if (shell("printf %%x $(((1 << $(nproc)) - 1)) >/sys/class/net/%s/queues/tx-1/xps_cpus",
		  ifname))
		ktap_die("cannot choose the queue to send on");
}

int packet_socket_far(u16 ethertype, unsigned int mtu)
{
	if (shell("ip link set %s mtu %u", ifname, mtu))
		ktap_die("MTU %u", mtu);
	if (card_on_bus())
		connect_loops();
	else
		connect_cable(mtu);
	pause_ms(1000);
	return packet_socket_on(card_on_bus() ? ifname : FAR_CARD, ethertype);
}

void packet_send(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, 0) != (ssize_t)len)
		ktap_die("sending a packet of %zu bytes: %m", len);
}

int packet_receive(int fd, void *data, size_t size, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	u64 end = now_ms() + timeout_ms;
	struct sockaddr_ll from;
	socklen_t len;
	int n;

	while (now_ms() < end) {
		if (poll(&pollfd, 1, end - now_ms()) <= 0)
			continue;
		len = sizeof(from);
		n = recvfrom(fd, data, size, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
		/* the header of what a program has taken is shown as if for others */
		if (n >= 0 && from.sll_pkttype != PACKET_OUTGOING &&
		    from.sll_pkttype != PACKET_OTHERHOST)
			return n;
	}
	return -1;
}

void card_mac(u8 mac[6])
{
	struct ifreq ifr = { 0 };

	if (interface_ioctl(SIOCGIFHWADDR, &ifr) < 0)
		ktap_die("SIOCGIFHWADDR: %m");
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
}

/* ---- Data ---- */

bool is_counter(const void *data, size_t len, u64 at)
{
	const u8 *bytes = data;
	u64 word, here;

	while (len) {
		size_t skip = at % 8, n = 8 - skip < len ? 8 - skip : len;

		word = htole64(at / 8);
		/* nearly all are whole words, and a call for each takes long */
		if (n == 8)
			memcpy(&here, bytes, 8);
		if (n == 8 ? here != word : memcmp(bytes, (u8 *)&word + skip, n) != 0)
			return false;
		bytes += n;
		at += n;
		len -= n;
	}
	return true;
}
