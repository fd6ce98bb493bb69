// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong requests, one by one, each with its errno: who may do nothing, netlink attributes
 * that are missing or too long, sizes and offsets of rings and memory, memory that goes
 * while the card writes to it. And what a chunk has in it beside what the card has
 * written: nothing of the kernel's. What nobody thinks of is for fuzz.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include "consumer.h"

#define QUEUE		1
#define ZC_SG		(XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP)
#define OWN		0x11	/* what memory is full of before the card gets it */

/* 0 or an errno, of a call that says -1 and sets it. */
#define error_of(call) ((call) < 0 ? errno : 0)

/* ---- Chunks ---- */

static const struct daq_format long_segments = {
	.sample_bytes = 2, .segment_bytes = 20000, .frame_bytes = 60000, .rate = 307200,
};

static const struct daq_format short_segments = {
	.sample_bytes = 2, .segment_bytes = 1000, .frame_bytes = 3000, .rate = 51200,
};

/* Bytes of a chunk that are neither its owner's nor cleared. */
static unsigned int foreign_bytes(const u8 *data, unsigned int from, unsigned int to)
{
	unsigned int n = 0;

	for (; from < to; from++)
		n += data[from] != OWN && data[from] != 0;
	return n;
}

/* In front of what the card has written, and behind it. */
static unsigned int around(const struct bare *bare, const struct packet *packet)
{
	unsigned int i, n = 0;

	for (i = 0; i < packet->count; i++) {
		const struct xdp_desc *desc = &packet->desc[i];
		const u8 *chunk = (u8 *)bare->memory + desc->addr / CHUNK * CHUNK;
		unsigned int at = desc->addr % CHUNK;

		n += foreign_bytes(chunk, 0, at);
		n += foreign_bytes(chunk, at + desc->len, CHUNK);
	}
	return n;
}

/*
 * The list of a packet's buffers is at the end of its first chunk: numbers and sizes
 * of them, but no address.
 */
static unsigned int addresses(const struct bare *bare)
{
	const u64 *words = (void *)bare->memory;
	unsigned int i, n = 0;

	for (i = 0; i < CHUNKS * CHUNK / 8; i++)
		n += words[i] >> 47 == 0x1ffff && words[i] != ~0ull;
	return n;
}

static void test_chunks(const char *what, const struct daq_format *format)
{
	unsigned int i, got = 0, foreign = 0, header = 0;
	struct packet packet;
	struct bare bare;

	set_formats(QUEUE, QUEUE, format);
	if (bare_open(&bare, QUEUE, ZC_SG, NULL))
		ktap_die("bind");
	steer_channel(QUEUE, &bare);
	memset(bare.memory, OWN, CHUNKS * CHUNK);
	bare_post_range(&bare, 0, CHUNKS);
	bare_kick(&bare);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	for (i = 0; i < 60 && bare_receive(&bare, &packet, 5000); i++) {
		const struct daq_hdr *hdr = packet_header(&bare, &packet);

		got++;
		if (packet.count == 1)
			foreign += around(&bare, &packet);
		header += hdr->version != DAQ_HDR_VERSION || packet_len(&packet) !=
			  DAQ_HDR_LEN + __builtin_bswap32(hdr->payload_len);
	}
	quiesce();
	ktap_eq(got, 60, "%s: segments come", what);
	ktap_eq(header, 0, "%s: their headers are whole", what);
	ktap_eq(foreign, 0, "%s: beside them is what was there before", what);
	ktap_eq(addresses(&bare), 0, "%s: no address of the kernel's is left in memory", what);
	bare_close(&bare);
}

/* A program that sends a channel to a socket of another queue. */
static void test_wrong_queue(void)
{
	struct stats *before = stats_read();
	struct packet packet;
	struct bare bare;

	set_formats(QUEUE + 1, QUEUE + 1, &long_segments);
	if (bare_open(&bare, QUEUE, ZC_SG, NULL))
		ktap_die("bind");
	steer_channel(QUEUE + 1, &bare);
	bare_post_range(&bare, 0, CHUNKS);
	bare_kick(&bare);
	set_source(QUEUE + 1, QUEUE + 1, DAQ_SOURCE_COUNTER);
	ktap_ok(!bare_receive(&bare, &packet, 1000), "wrong queue: the socket gets nothing");
	quiesce();
	ktap_ok(stat_grown(before, "ch2_drop_redirect") > 0, "wrong queue: that is counted");
	ktap_eq(stats_missing(stats_read(), QUEUE + 1), 0,
		"wrong queue: nothing is missing in the account");
	bare_close(&bare);
}

/* ---- Netlink ---- */

struct attr {
	u16 type;
	u16 len;
	u64 value;
};

static int ask(u8 cmd, u16 flags, const struct attr *attrs, unsigned int count)
{
	static u16 family;
	struct mnl_socket *netlink = mnl_socket_open(NETLINK_GENERIC);
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;
	char buf[32768];
	int ret;

	if (!family)
		family = genl_family(DAQ_FAMILY_NAME);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = DAQ_FAMILY_VERSION;
	for (; count--; attrs++)
		mnl_attr_put(nlh, attrs->type, attrs->len, &attrs->value);
	if (!netlink || mnl_socket_sendto(netlink, nlh, nlh->nlmsg_len) < 0)
		ktap_die("netlink: %m");
	do {
		ret = mnl_socket_recvfrom(netlink, buf, sizeof(buf));
		ret = ret < 0 ? -1 : mnl_cb_run(buf, ret, 0, 0, NULL, NULL);
	} while (ret > 0);
	ret = error_of(ret);
	mnl_socket_close(netlink);
	return ret;
}

static u32 ifindex;

#define ASK(cmd, ...) ({						\
	const struct attr attrs_[] = { __VA_ARGS__ };			\
									\
	ask(cmd, 0, attrs_, sizeof(attrs_) / sizeof(attrs_[0]));	\
})
#define CARD	{ DAQ_A_CHANNEL_IFINDEX, 4, ifindex }
#define CHANNEL	{ DAQ_A_CHANNEL_ID, 4, QUEUE }

static void test_attributes(void)
{
	static const u16 numbers[] = {
		DAQ_A_CHANNEL_SAMPLE_BYTES, DAQ_A_CHANNEL_SEGMENT_BYTES,
		DAQ_A_CHANNEL_FRAME_BYTES, DAQ_A_CHANNEL_SOURCE, DAQ_A_CHANNEL_LOOP_FROM,
	};
	unsigned int i, granted = 0;

	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, CARD, CHANNEL), 0, "attributes: a request");
	ktap_eq(ask(DAQ_CMD_CHANNEL_GET, 0, NULL, 0), EINVAL, "attributes: no interface");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, CARD), EINVAL, "attributes: no channel");
	ktap_eq(ASK(DAQ_CMD_STATS_GET, CARD), EINVAL, "attributes: no channel for counters");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, { DAQ_A_CHANNEL_IFINDEX, 4, 0x7ffffff }, CHANNEL), ENODEV,
		"attributes: no such interface");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, { DAQ_A_CHANNEL_IFINDEX, 4, 1 }, CHANNEL), EOPNOTSUPP,
		"attributes: an interface of another driver");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, CARD, { DAQ_A_CHANNEL_ID, 4, CHANNELS }), EINVAL,
		"attributes: a channel too many");
	ktap_eq(ASK(DAQ_CMD_STATS_GET, CARD, { DAQ_A_STATS_ID, 4, ~0u }), EINVAL,
		"attributes: one far too many");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, CARD, { DAQ_A_CHANNEL_ID, 2, 0 }), EINVAL,
		"attributes: too short");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, CARD, { DAQ_A_CHANNEL_ID, 8, 0 }), EINVAL,
		"attributes: too long");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, CARD, CHANNEL, { 200, 4, 0 }), EINVAL,
		"attributes: unknown");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_SET, CARD, CHANNEL, { DAQ_A_CHANNEL_QUEUE, 4, 0 }), EINVAL,
		"attributes: one that can only be read");
	ktap_eq(ASK(DAQ_CMD_CARD_SET, CARD, { DAQ_A_CARD_PERSONALITY, 4, DAQ_PERSONALITY_MAX + 1 }),
		ERANGE, "attributes: a personality that is none");
	ktap_eq(ASK(DAQ_CMD_CARD_SET, CARD), EINVAL, "attributes: no personality");
	ktap_eq(ASK(200), EOPNOTSUPP, "attributes: a command that is none");
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		granted += !ASK(DAQ_CMD_CHANNEL_SET, CARD, CHANNEL, { numbers[i], 4, ~0u });
	ktap_eq(granted, 0, "attributes: no number is as large as can be");
	ktap_eq(ASK(DAQ_CMD_CHANNEL_GET, CARD, CHANNEL), 0, "attributes: a request afterwards");
}

/* ---- Who may do nothing ---- */

/* Runs a test in another process, whose results count here. */
static void as_another(u64 capabilities, bool (*check)(void), const char *name)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		bool ok;

		keep_capabilities(capabilities);
		ok = check();
		fflush(stdout);
		_exit(!ok);
	}
	waitpid(pid, &status, 0);
	ktap_eq(status, 0, "%s", name);
}

static int ask_ethtool(void *command)
{
	struct ifreq ifr = { .ifr_data = command };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	strcpy(ifr.ifr_name, card_ifname(CHANNELS));
	ret = error_of(ioctl(fd, SIOCETHTOOL, &ifr));
	close(fd);
	return ret;
}

static bool is(int actual, int expected, const char *what)
{
	if (actual != expected)
		printf("# %s: errno %d, not %d\n", what, actual, expected);
	return actual == expected;
}

static bool may_only_look(void)
{
	struct ethtool_ringparam rings = { .cmd = ETHTOOL_SRINGPARAM, .rx_pending = 64 };
	struct ethtool_channels queues = { .cmd = ETHTOOL_SCHANNELS, .combined_count = 1 };
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	bool ok = true;

	ok &= is(error_of(socket(AF_XDP, SOCK_RAW, 0)), EPERM, "AF_XDP");
	ok &= is(error_of(socket(AF_PACKET, SOCK_RAW, 0)), EPERM, "AF_PACKET");
	ok &= is(ASK(DAQ_CMD_CHANNEL_SET, CARD, CHANNEL, { DAQ_A_CHANNEL_SOURCE, 4, 1 }), EPERM,
		 "setting a channel");
	ok &= is(ASK(DAQ_CMD_CABLE_SET, CARD), EPERM, "setting a cable");
	ok &= is(ASK(DAQ_CMD_CARD_SET, CARD, { DAQ_A_CARD_PERSONALITY, 4, 1 }), EPERM,
		 "setting a personality");
	ok &= is(ask_ethtool(&rings), EPERM, "setting rings");
	ok &= is(ask_ethtool(&queues), EPERM, "setting queues");
	ok &= is(ask_ethtool(&link), 0, "asking for the link");
	ok &= is(ASK(DAQ_CMD_CHANNEL_GET, CARD, CHANNEL), 0, "asking for a channel");
	ok &= is(ASK(DAQ_CMD_STATS_GET, CARD, CHANNEL), 0, "asking for counters");
	return ok;
}

/* ---- Sizes and offsets ---- */

static int register_memory(int fd, void *memory, u64 len, u32 chunk, u32 headroom, u32 flags)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)memory, .len = len, .chunk_size = chunk, .headroom = headroom,
		.flags = flags,
	};

	return error_of(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)));
}

static int bind_to(int fd, u32 index, u32 queue, u16 flags)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP, .sxdp_ifindex = index, .sxdp_queue_id = queue,
		.sxdp_flags = flags,
	};

	return error_of(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int map(int fd, size_t len, off_t at)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	int err = memory == MAP_FAILED ? errno : 0;

	if (!err)
		munmap(memory, len);
	return err;
}

static int set_ring(int fd, int option, int size)
{
	return error_of(setsockopt(fd, SOL_XDP, option, &size, sizeof(size)));
}

static void test_sizes(void)
{
	size_t len = 64 * CHUNK;
	u8 *memory = mmap(NULL, len + CHUNK, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	munmap(memory + len, CHUNK);
	ktap_eq(register_memory(fd, memory, len, 1000, 0, 0), EINVAL, "sizes: chunks of 1000 bytes");
	ktap_eq(register_memory(fd, memory, len, 2 * CHUNK, 0, 0), EINVAL, "sizes: of two pages");
	ktap_eq(register_memory(fd, memory, 0, CHUNK, 0, 0), EINVAL, "sizes: no memory");
	ktap_eq(register_memory(fd, memory, ~0ull, CHUNK, 0, 0), EINVAL, "sizes: all there can be");
	ktap_eq(register_memory(fd, memory + 8, len - CHUNK, CHUNK, 0, 0), EINVAL,
		"sizes: memory inside a page");
	ktap_eq(register_memory(fd, memory, len, CHUNK, CHUNK, 0), EINVAL,
		"sizes: headroom and nothing else");
	ktap_eq(register_memory(fd, memory, len, CHUNK, 0, 1 << 20), EINVAL, "sizes: unknown flags");
	ktap_eq(register_memory(fd, memory, len + CHUNK, CHUNK, 0, 0), ENOMEM,
		"sizes: memory with a hole");
	ktap_eq(bind_to(fd, ifindex, QUEUE, ZC_SG), EINVAL, "sizes: bound without memory");
	ktap_eq(register_memory(fd, memory, len, CHUNK, 0, 0), 0, "sizes: memory as it should be");
	ktap_eq(register_memory(fd, memory, len, CHUNK, 0, 0), EBUSY, "sizes: twice");
	ktap_eq(set_ring(fd, XDP_RX_RING, 0), EINVAL, "sizes: an empty ring");
	ktap_eq(set_ring(fd, XDP_RX_RING, 100), EINVAL, "sizes: a ring of 100");
	ktap_eq(map(fd, CHUNK, XDP_PGOFF_RX_RING), EINVAL, "sizes: a ring that is not there");
	ktap_eq(set_ring(fd, XDP_RX_RING, 64), 0, "sizes: a ring");
	ktap_eq(map(fd, CHUNK, XDP_PGOFF_RX_RING), 0, "sizes: it is mapped");
	ktap_eq(map(fd, 16 * CHUNK, XDP_PGOFF_RX_RING), EINVAL, "sizes: and more than it");
	ktap_eq(map(fd, CHUNK, CHUNK), EINVAL, "sizes: a place where nothing is");
	ktap_eq(bind_to(fd, ifindex, QUEUE, ZC_SG), EINVAL, "sizes: bound without a fill ring");
	set_ring(fd, XDP_UMEM_FILL_RING, 64);
	set_ring(fd, XDP_UMEM_COMPLETION_RING, 64);
	ktap_eq(bind_to(fd, 0x7ffffff, QUEUE, ZC_SG), ENODEV, "sizes: bound to no interface");
	ktap_eq(bind_to(fd, ifindex, CHANNELS, ZC_SG), EINVAL, "sizes: to no queue");
	ktap_eq(bind_to(fd, ifindex, QUEUE, 1 << 10), EINVAL, "sizes: with unknown flags");
	ktap_eq(bind_to(fd, ifindex, QUEUE, XDP_ZEROCOPY | XDP_COPY), EINVAL,
		"sizes: with and without copies");
	ktap_eq(bind_to(fd, 1, 0, XDP_ZEROCOPY), EOPNOTSUPP, "sizes: to the loop-back interface");
	close(fd);
	munmap(memory, len);
}

/* What pinned memory is limited to, for who may not lock more. */
static bool memory_is_limited(void)
{
	size_t len = 1024 * CHUNK;
	struct rlimit limit = { len / 4, len / 4 };
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	setrlimit(RLIMIT_MEMLOCK, &limit);
	return is(register_memory(fd, memory, len, CHUNK, 0, 0), ENOBUFS, "more than the limit") &&
	       is(register_memory(fd, memory, len / 8, CHUNK, 0, 0), 0, "less");
}

/* ---- Memory that goes ---- */

static void unmap_all(void *memory, size_t len, int file)
{
	(void)file;
	munmap(memory, len);
}

static void forget_all(void *memory, size_t len, int file)
{
	(void)file;
	madvise(memory, len, MADV_DONTNEED);
}

static void truncate_file(void *memory, size_t len, int file)
{
	(void)memory;
	(void)len;
	if (ftruncate(file, 0))
		ktap_die("ftruncate: %m");
}

static void move_all(void *memory, size_t len, int file)
{
	(void)file;
	if (mremap(memory, len, len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) == MAP_FAILED)
		ktap_die("mremap: %m");
}

static void copy_on_write(void *memory, size_t len, int file)
{
	pid_t pid = fork();

	(void)file;
	if (!pid)
		_exit(0);
	memset(memory, OWN, len);
	waitpid(pid, NULL, 0);
}

static const struct {
	const char *name;
	void (*make)(void *memory, size_t len, int file);
} ways[] = {
	{ "unmapped", unmap_all },
	{ "forgotten", forget_all },
	{ "truncated", truncate_file },
	{ "moved", move_all },
	{ "copied", copy_on_write },
};

/* The card goes on with the pages that it was given. */
static void test_memory(unsigned int way)
{
	u64 before = stat_of(stats_read(), "ch%u_stack", QUEUE);
	int file = -1, i;
	struct bare bare;

	if (ways[way].make == truncate_file) {
		file = memfd_create("hostile", MFD_CLOEXEC);
		if (file < 0 || ftruncate(file, CHUNKS * CHUNK))
			ktap_die("memfd_create: %m");
	}
	bare_memory_file = file;
	set_formats(QUEUE, QUEUE, &short_segments);
	if (bare_open(&bare, QUEUE, ZC_SG, NULL))
		ktap_die("bind");
	bare_post_range(&bare, 0, CHUNKS);
	bare_kick(&bare);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	pause_ms(200);
	ways[way].make(bare.memory, CHUNKS * CHUNK, file);
	for (i = 0; i < 500 && stat_of(stats_read(), "ch%u_stack", QUEUE) < before + 20; i++)
		pause_ms(20);
	ktap_ok(i < 500, "memory %s: data go on to the old pages", ways[way].name);
	quiesce();
	bare_close(&bare);
	if (file >= 0)
		close(file);
	bare_memory_file = -1;
	ktap_eq(stats_missing(stats_read(), QUEUE), 0,
		"memory %s: nothing is missing in the account", ways[way].name);
}

int main(void)
{
	unsigned int i;

	ktap_begin();
	ifindex = if_nametoindex(card_ifname(CHANNELS));
	test_attributes();
	as_another(0, may_only_look, "who may do nothing is told so, and may look");
	test_sizes();
	as_another(1ull << CAP_NET_RAW, memory_is_limited, "memory that the card gets is limited");
	steer_attach();
	test_chunks("long segments", &long_segments);
	test_chunks("short segments", &short_segments);
	test_wrong_queue();
	steer_detach();
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		test_memory(i);
	return ktap_end();
}
