// SPDX-License-Identifier: GPL-2.0
/*
 * Users who may do little and try everything: random calls and random memory, by nobody
 * with sockets that somebody else has opened, by one with CAP_NET_RAW, and by one with
 * that in a user namespace of his own. The neighbour's data stay right, the accounts
 * exact, the card works afterwards, and nothing of the kernel's memory is seen.
 *
 * FUZZ=  number of calls (default: 15000)
 * SEED=  which ones (default: by chance; it is printed)
 *
 * What is looked for in all that the kernel gives: its addresses, as they are with
 * nokaslr; what it fills freed memory with, with slub_debug=P page_poison=1; and a word
 * that another process has filled its memory with, with init_on_alloc=0.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include "consumer.h"

#define NEIGHBOUR	0
#define CANARY		0x6472616f62796579ull	/* a word of the neighbour's */
#define OWN		0x11			/* what a user's memory is full of */
#define SLOTS		8
#define REGIONS		6
#define STOCK		256	/* sockets that nobody inherits */
#define OUTPUT		(1 << 18)
#define OTHER_CARD	"daqtest1"

/* ---- Chance ---- */

static u64 state;

static u32 random32(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

static u32 below(u32 n)
{
	return random32() % n;
}

static bool one_in(u32 n)
{
	return below(n) == 0;
}

/* Numbers at which something ends, more often than others. */
static u64 odd_number(void)
{
	static const u64 odd[] = {
		0, 1, 2, 7, 8, 63, 64, 65, 255, 256, 2048, 4095, 4096, 4097, 65535, 65536,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1ull << 40, 1ull << 48,
		1ull << 62, 0x7fffffffffffffff,
	};

	switch (below(4)) {
	case 0: return odd[below(sizeof(odd) / sizeof(odd[0]))];
	case 1: return below(64);
	case 2: return below(1 << 20) * 8;
	default: return ((u64)random32() << 31 | random32()) >> below(62);
	}
}

/* Never what would be taken for something of the kernel's. */
static void fill_randomly(void *data, size_t len)
{
	u8 *bytes = data;

	while (len--)
		*bytes++ = one_in(3) ? 0 : below(0x5a);
}

/* ---- What a user tells ---- */

struct report {
	volatile u64 calls;
	volatile unsigned int op;
	volatile unsigned int leaks;
	volatile unsigned int strange;	/* errno that is none */
	unsigned int good, bad;		/* calls */
	unsigned int bound, packets, faults;
	unsigned int errnos[134];
};

static struct report *report;
static u8 *output;	/* OUTPUT bytes, and nothing behind them */

static long note(long ret)
{
	if (ret >= 0) {
		report->good++;
		return ret;
	}
	report->bad++;
	if (errno > 0 && errno < 134 && errno != ENOSYS) {
		report->errnos[errno]++;
	} else {
		report->strange++;
		printf("# errno %d\n", errno);
	}
	return ret;
}

/* ---- What nobody must see ---- */

static bool is_pointer(u64 word)
{
	switch (word >> 32) {
	case 0xffff8880: case 0xffff8881: case 0xffffc900: case 0xffffea00:
	case 0xff110000: case 0xff110001: case 0xffa00000: case 0xffd40000:
		return true;
	}
	return false;
}

static bool is_secret(u64 word)
{
	return is_pointer(word) || word == CANARY || word == 0x6b6b6b6b6b6b6b6b ||
	       word == 0x5a5a5a5a5a5a5a5a || word == 0xaaaaaaaaaaaaaaaa;
}

static void scan(const void *data, size_t len, const char *what)
{
	const u64 *words = data;
	size_t i;

	for (i = 0; i < len / 8; i++) {
		if (!is_secret(words[i]))
			continue;
		if (report->leaks++ < 5)
			printf("# %s: %#llx at byte %zu\n", what,
			       (unsigned long long)words[i], 8 * i);
	}
}

/* ---- Memory ---- */

struct region {
	u8 *data;
	size_t len;
	int file;
};

static struct region regions[REGIONS];
static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

static void drop_region(struct region *region)
{
	if (region->data)
		munmap(region->data, region->len);
	if (region->file >= 0)
		close(region->file);
	*region = (struct region){ .file = -1 };
}

static struct region *new_region(void)
{
	struct region *region = &regions[below(REGIONS)];
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	drop_region(region);
	region->len = (16 + below(240)) * 4096;
	if (one_in(3)) {
		region->file = memfd_create("fuzz", MFD_CLOEXEC);
		if (ftruncate(region->file, region->len))
			_exit(98);
		flags = MAP_SHARED;
	}
	region->data = mmap(NULL, region->len, PROT_READ | PROT_WRITE, flags, region->file, 0);
	if (region->data == MAP_FAILED)
		_exit(97);
	memset(region->data, OWN, region->len);
	return region;
}

/* What a process can do to memory that a card writes to. */
static void trick_region(void)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_HUGEPAGE, MADV_DONTFORK, MADV_COLD,
		MADV_PAGEOUT, MADV_MERGEABLE, MADV_WIPEONFORK, MADV_POPULATE_WRITE,
	};
	struct region *region = &regions[below(REGIONS)];
	size_t at, len;
	void *moved;

	if (!region->data)
		return;
	at = below(region->len / 4096) * 4096;
	len = (1 + below((region->len - at) / 4096)) * 4096;
	switch (below(8)) {
	case 0:
		note(munmap(region->data + at, len));
		break;
	case 1:
		if (region->file >= 0)
			note(ftruncate(region->file, below(2) ? 0 : at));
		break;
	case 2:
		moved = mremap(region->data, region->len, region->len, MREMAP_MAYMOVE |
			       MREMAP_DONTUNMAP);
		if (moved != MAP_FAILED)
			munmap(moved, region->len);
		break;
	case 3:
		note(mprotect(region->data + at, len, below(4)));
		break;
	case 4:
		if (one_in(16)) {
			pid_t pid = fork();

			if (!pid) {
				if (!sigsetjmp(fault, 1))
					memset(region->data, OWN, region->len);
				_exit(0);
			}
			waitpid(pid, NULL, 0);
		}
		break;
	case 5:
		drop_region(region);
		break;
	default:
		note(madvise(region->data + at, len,
			     advice[below(sizeof(advice) / sizeof(advice[0]))]));
	}
}

static void scribble(void)
{
	struct region *region = &regions[below(REGIONS)];
	size_t at;

	if (!region->data)
		return;
	at = below(region->len - 512);
	fill_randomly(region->data + at, below(512));
}

static void scan_region(void)
{
	struct region *region = &regions[below(REGIONS)];

	if (region->data)
		scan(region->data, region->len, "memory of a socket");
}

/* ---- AF_XDP ---- */

struct ring {
	u8 *map;
	size_t len;
	u32 *producer, *consumer;
	void *desc;
	u32 mask;
};

enum { FILL, COMPLETION, RX, TX, RINGS };

struct slot {
	int fd;
	struct region region;	/* as it was when the socket got it */
	struct ring rings[RINGS];
	u32 chunk, queue;
	bool bound;
};

static struct slot slots[SLOTS];
static int stock[STOCK], stocked;
static int service;	/* to the test, which steers */
static unsigned int channels, ifindex;

static const int options[RINGS] = {
	XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING
};

static const u64 places[RINGS] = {
	XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_PGOFF_RX_RING,
	XDP_PGOFF_TX_RING
};

static void close_slot(struct slot *slot)
{
	int i;

	for (i = 0; i < RINGS; i++)
		if (slot->rings[i].map)
			munmap(slot->rings[i].map, slot->rings[i].len);
	if (slot->fd >= 0)
		close(slot->fd);
	memset(slot, 0, sizeof(*slot));
	slot->fd = -1;
}

static struct slot *new_slot(void)
{
	struct slot *slot = &slots[below(SLOTS)];

	close_slot(slot);
	slot->fd = stocked ? stock[--stocked] : note(socket(AF_XDP, SOCK_RAW, 0));
	return slot;
}

static void map_ring(struct slot *slot, int i, const struct xdp_ring_offset *offset, u32 size)
{
	struct ring *ring = &slot->rings[i];
	u32 entry = i == FILL || i == COMPLETION ? 8 : sizeof(struct xdp_desc);
	void *map;

	ring->len = offset->desc + size * entry;
	map = mmap(NULL, ring->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, slot->fd,
		   places[i]);
	if (note(map == MAP_FAILED ? -1 : 0))
		return;
	ring->map = map;
	ring->producer = map + offset->producer;
	ring->consumer = map + offset->consumer;
	ring->desc = map + offset->desc;
	ring->mask = size - 1;
	scan(map, ring->len, "a new ring");
}

/* The test puts it into the map of sockets. */
static void ask_to_steer(const struct slot *slot)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	u32 queue = slot->queue;
	struct iovec iov = { &queue, sizeof(queue) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &slot->fd, sizeof(int));
	sendmsg(service, &msg, 0);
}

static void bind_slot(struct slot *slot)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP, .sxdp_ifindex = ifindex, .sxdp_queue_id = slot->queue,
		.sxdp_flags = XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP,
	};

	if (one_in(4))
		address.sxdp_flags = below(32);
	if (one_in(8)) {
		address.sxdp_flags |= XDP_SHARED_UMEM;
		address.sxdp_shared_umem_fd = slots[below(SLOTS)].fd;
	}
	slot->bound = !note(bind(slot->fd, (struct sockaddr *)&address, sizeof(address)));
	report->bound += slot->bound;
}

/* All in the right order, which chance would hardly find. */
static void set_up_socket(void)
{
	struct region *region = new_region();
	struct slot *slot = new_slot();
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)region->data, .len = region->len,
		.chunk_size = one_in(4) ? 2048 : 4096,
		.flags = one_in(6) ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0,
		.headroom = one_in(4) ? below(512) : 0,
	};
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	u32 size[RINGS], i;

	if (one_in(3)) {
		reg.flags |= XDP_UMEM_TX_METADATA_LEN;
		reg.tx_metadata_len = 8 * below(6);
	}
	slot->region = *region;
	slot->chunk = reg.chunk_size;
	slot->queue = 1 + below(channels - 1);
	note(setsockopt(slot->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)));
	for (i = 0; i < RINGS; i++) {
		size[i] = 8 << below(9);
		note(setsockopt(slot->fd, SOL_XDP, options[i], &size[i], sizeof(size[i])));
	}
	if (note(getsockopt(slot->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len)))
		return;
	map_ring(slot, FILL, &offsets.fr, size[FILL]);
	map_ring(slot, COMPLETION, &offsets.cr, size[COMPLETION]);
	map_ring(slot, RX, &offsets.rx, size[RX]);
	map_ring(slot, TX, &offsets.tx, size[TX]);
	bind_slot(slot);
	if (slot->bound)
		ask_to_steer(slot);
}

static u64 random_chunk(const struct slot *slot)
{
	u64 address = slot->region.len ? below(slot->region.len / slot->chunk) * slot->chunk : 0;

	if (one_in(16))
		return odd_number();
	if (one_in(16))
		return ~0ull;
	return one_in(8) ? address + below(slot->chunk) : address;
}

static struct slot *slot_with(int ring)
{
	struct slot *slot = &slots[below(SLOTS)];

	return slot->rings[ring].map ? slot : NULL;
}

static void fill(void)
{
	struct slot *slot = slot_with(FILL);
	struct ring *ring;
	u32 n = 1 + below(64), at;

	if (!slot)
		return;
	ring = &slot->rings[FILL];
	at = *ring->producer;
	while (n--)
		((u64 *)ring->desc)[at++ & ring->mask] = random_chunk(slot);
	if (one_in(64))
		at = random32();
	__atomic_store_n(ring->producer, at, __ATOMIC_RELEASE);
}

static void take(void)
{
	struct slot *slot = slot_with(RX);
	struct ring *ring;
	u32 at, end, n = 0;

	if (!slot)
		return;
	ring = &slot->rings[RX];
	at = *ring->consumer;
	end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	for (; at != end && n < 256; at++, n++)
		report->packets++;
	if (one_in(64))
		at = random32();
	__atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
}

static void put(void)
{
	struct slot *slot = slot_with(TX);
	struct ring *ring;
	u32 n = 1 + below(24), at;

	if (!slot)
		return;
	ring = &slot->rings[TX];
	at = *ring->producer;
	while (n--) {
		struct xdp_desc *desc = &((struct xdp_desc *)ring->desc)[at++ & ring->mask];

		desc->addr = random_chunk(slot);
		desc->len = one_in(4) ? odd_number() : below(slot->chunk);
		desc->options = one_in(8) ? random32() : below(4);
	}
	if (one_in(64))
		at = random32();
	__atomic_store_n(ring->producer, at, __ATOMIC_RELEASE);
	if (one_in(8))
		*slot->rings[COMPLETION].consumer = *slot->rings[COMPLETION].producer;
}

/* Anything in any ring. */
static void scribble_ring(void)
{
	int i = below(RINGS);
	struct slot *slot = slot_with(i);

	if (slot)
		fill_randomly(slot->rings[i].map + below(slot->rings[i].len - 16), 16);
}

static void kick(void)
{
	struct slot *slot = &slots[below(SLOTS)];
	char byte = 0;

	switch (below(4)) {
	case 0:
		note(recvfrom(slot->fd, &byte, below(2), MSG_DONTWAIT | random32() % 2 * MSG_PEEK,
			      NULL, NULL));
		break;
	case 1:
		note(sendto(slot->fd, &byte, 0, MSG_DONTWAIT, NULL, 0));
		break;
	default:
		poll(&(struct pollfd){ .fd = slot->fd, .events = random32() }, 1, 0);
	}
}

static void set_option(void)
{
	struct slot *slot = &slots[below(SLOTS)];
	u8 value[64];
	u32 size;

	fill_randomly(value, sizeof(value));
	if (one_in(2)) {
		/* The kernel itself complains of what it has no memory for. */
		size = odd_number() & 0xffff;
		memcpy(value, &size, 4);
	}
	if (one_in(3)) {
		struct xdp_umem_reg reg = {
			.addr = (uintptr_t)regions[below(REGIONS)].data + (one_in(8) ? 64 : 0),
			.len = one_in(2) ? 16 * 4096 : odd_number(),
			.chunk_size = one_in(2) ? 4096 : odd_number(),
			.headroom = odd_number(), .flags = below(16), .tx_metadata_len = below(300),
		};

		memcpy(value, &reg, sizeof(reg));
	}
	note(setsockopt(slot->fd, one_in(16) ? SOL_SOCKET : SOL_XDP, below(12), value,
			one_in(4) ? odd_number() : below(40)));
}

static void get_option(void)
{
	socklen_t len = one_in(4) ? odd_number() : below(128);

	memset(output, OWN, 4096);
	if (!note(getsockopt(slots[below(SLOTS)].fd, SOL_XDP, below(12), output, &len)))
		scan(output, 4096, "an option");
}

static void map_anywhere(void)
{
	struct slot *slot = &slots[below(SLOTS)];
	size_t len = one_in(2) ? 4096 : 1 + below(1 << 20);
	u64 at = one_in(2) ? places[below(RINGS)] : odd_number() & ~4095ull;
	void *map = mmap(NULL, len, below(8), one_in(2) ? MAP_SHARED : MAP_PRIVATE, slot->fd, at);

	if (note(map == MAP_FAILED ? -1 : 0))
		return;
	munmap(map, len);
}

static void bind_anywhere(void)
{
	struct slot *slot = &slots[below(SLOTS)];
	struct sockaddr_xdp address = {
		.sxdp_family = one_in(16) ? below(50) : AF_XDP,
		.sxdp_ifindex = one_in(2) ? ifindex : odd_number(),
		.sxdp_queue_id = 1 + (one_in(2) ? below(channels - 1) : odd_number() % 0xfffffffe),
		.sxdp_flags = one_in(8) ? random32() : below(64),
		.sxdp_shared_umem_fd = one_in(2) ? slots[below(SLOTS)].fd : (int)random32(),
	};

	if (!note(bind(slot->fd, (struct sockaddr *)&address, below(8) ? sizeof(address) : below(20))))
		report->bound++;
}

static void close_one(void)
{
	close_slot(&slots[below(SLOTS)]);
}

/* ---- Netlink ---- */

static int netlink_fd = -1, netlink_protocol;
static u16 families[5];
static const char *const family_names[5] = { "daq", "ethtool", "netdev", "devlink", "nlctrl" };

static void resolve_families(void)
{
	int i;

	for (i = 0; i < 5; i++)
		families[i] = genl_family(family_names[i]);
}

static size_t put_attr(u8 *at, u16 type, const void *data, u16 len)
{
	struct nlattr attr = { 4 + len, type };

	if (one_in(32))
		attr.nla_len = random32();
	memcpy(at, &attr, 4);
	memcpy(at + 4, data, len);
	return (4 + len + 3) & ~3;
}

static size_t put_attrs(u8 *at, int depth)
{
	u32 n = below(7), value;
	size_t used = 0, len;
	u8 data[80];

	if (below(8)) {
		used = put_attr(at, 1, &ifindex, 4);
		value = one_in(8) ? odd_number() : below(channels + 1);
		if (below(4))
			used += put_attr(at + used, 2, &value, 4);
	}
	while (n--) {
		if (depth && one_in(3)) {
			len = put_attrs(data, 0);
			used += put_attr(at + used, below(12) | NLA_F_NESTED, data, len);
			continue;
		}
		fill_randomly(data, sizeof(data));
		if (one_in(2)) {
			u64 number = odd_number();

			memcpy(data, &number, 8);
		}
		used += put_attr(at + used, below(24), data, one_in(4) ? below(16) :
				 one_in(4) ? 8 : 4);
	}
	return used;
}

static void open_netlink(void)
{
	static const int protocols[] = { NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_SOCK_DIAG };

	close(netlink_fd);
	netlink_protocol = protocols[one_in(3) ? below(3) : 0];
	netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, netlink_protocol);
}

/* What the header is of that comes behind nlmsghdr. */
static size_t put_header(struct nlmsghdr *nlh)
{
	u8 *at = (u8 *)(nlh + 1);

	switch (netlink_protocol) {
	case NETLINK_GENERIC:
		nlh->nlmsg_type = families[one_in(3) ? below(5) : 0];
		*(struct genlmsghdr *)at = (struct genlmsghdr){
			.cmd = below(16), .version = one_in(16) ? below(256) : 1,
			.reserved = one_in(32),
		};
		return 4;
	case NETLINK_ROUTE:
		nlh->nlmsg_type = one_in(2) ? RTM_GETLINK : RTM_BASE + below(100);
		memset(at, 0, sizeof(struct ifinfomsg));
		((struct ifinfomsg *)at)->ifi_index = ifindex;
		return sizeof(struct ifinfomsg);
	default:
		nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
		memset(at, 0, 24);
		at[0] = AF_XDP;
		*(u32 *)(at + 12) = one_in(2) ? 0xff : random32();
		return 24;
	}
}

/* What an error repeats of the request is the user's own. */
static size_t repeated(const struct nlmsghdr *nlh, size_t len, size_t got)
{
	size_t own = sizeof(*nlh) + sizeof(int);

	if (nlh->nlmsg_type != NLMSG_ERROR)
		return 0;
	own += *(int *)(nlh + 1) ? len : sizeof(*nlh);
	own = (own + 7) / 8 * 8;
	return own < got ? own : got;
}

static void talk_netlink(void)
{
	u8 buf[8192] = { 0 };
	struct nlmsghdr *nlh = (void *)buf;
	size_t len, own;
	int i;

	if (netlink_fd < 0 || one_in(256))
		open_netlink();
	len = sizeof(*nlh) + put_header(nlh);
	len += put_attrs(buf + len, 1);
	nlh->nlmsg_len = one_in(32) ? random32() : len;
	nlh->nlmsg_flags = NLM_F_REQUEST | (one_in(4) ? random32() & 0xfff : NLM_F_ACK) |
			   (one_in(6) ? NLM_F_DUMP : 0);
	note(send(netlink_fd, buf, one_in(32) ? below(len) : len, MSG_DONTWAIT));
	for (i = 0; i < 8; i++) {
		ssize_t got = recv(netlink_fd, output, OUTPUT, MSG_DONTWAIT);

		if (got <= 0)
			break;
		nlh = (void *)output;
		own = repeated(nlh, len, got);
		scan(output + own, got - own, "a netlink answer");
		if (nlh->nlmsg_type == NLMSG_ERROR && *(int *)(nlh + 1)) {
			errno = -*(int *)(nlh + 1);
			note(-1);
		}
	}
}

/* ---- Other ways to the interface ---- */

static int inet_fd;
static char ifname_[IFNAMSIZ];

static void call_ethtool(void)
{
	struct ifreq ifr = { .ifr_data = (void *)output };

	strcpy(ifr.ifr_name, ifname_);
	memset(output, 0, 4096);
	fill_randomly(output + 4, one_in(2) ? 8 : 256);
	*(u32 *)output = 1 + below(0x60);
	if (!note(ioctl(inet_fd, SIOCETHTOOL, &ifr)))
		scan(output, OUTPUT, "ethtool");
	memset(output, 0, OUTPUT);
}

static void call_interface(void)
{
	struct ifreq ifr;

	fill_randomly(&ifr, sizeof(ifr));
	strcpy(ifr.ifr_name, ifname_);
	if (!note(ioctl(inet_fd, one_in(4) ? SIOCDEVPRIVATE + below(16) : 0x8910 + below(0x50), &ifr)))
		scan(&ifr, sizeof(ifr), "an interface's ioctl");
}

static int packet_fd = -1;

static void send_packet(void)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_halen = 6,
	};
	ssize_t got;

	if (packet_fd < 0 || one_in(512)) {
		close(packet_fd);
		packet_fd = note(socket(AF_PACKET, one_in(2) ? SOCK_RAW : SOCK_DGRAM, 0x0300));
		if (packet_fd < 0)
			return;
	}
	fill_randomly(output, 2048);
	note(sendto(packet_fd, output, one_in(4) ? below(70000) : below(1600), MSG_DONTWAIT,
		    (struct sockaddr *)&address, sizeof(address)));
	got = recv(packet_fd, output, OUTPUT, MSG_DONTWAIT);
	if (got > 0)
		scan(output, got, "a packet");
	memset(output, 0, OUTPUT);
}

/* ---- The card's own device ---- */

static char device_path[64];
static int device_fd = -1;
static u8 *device_map;
static size_t device_len;

static void map_device(void)
{
	u64 at = one_in(2) ? DAQ_MMAP_COUNTERS : DAQ_MMAP_WINDOW(1 + below(channels));

	if (device_map)
		munmap(device_map, device_len);
	device_map = NULL;
	device_len = one_in(2) ? 4096 : (1 + below(40)) * 4096;
	if (one_in(4))
		at = odd_number() & ~4095ull;
	/* Whose channel it is may be told to stop by it. */
	if (at == DAQ_MMAP_WINDOW(NEIGHBOUR))
		at += 4096;
	device_map = mmap(NULL, device_len, one_in(2) ? PROT_READ | below(2) * PROT_WRITE : below(8),
			  one_in(4) ? MAP_PRIVATE : MAP_SHARED, device_fd, at);
	if (note(device_map == MAP_FAILED ? -1 : 0))
		device_map = NULL;
}

static void use_device(void)
{
	int fd;

	if (!device_path[0])
		return;
	if (device_fd < 0 || one_in(64)) {
		fd = note(open(device_path, below(3) | O_NONBLOCK | O_CLOEXEC));
		if (fd >= 0) {
			close(device_fd);
			device_fd = fd;
		}
		return;
	}
	switch (below(8)) {
	case 0:
		note(ioctl(device_fd, random32(), output));
		break;
	case 1:
		note(one_in(2) ? pwrite(device_fd, output, below(64), odd_number() >> 1) :
		     lseek(device_fd, below(4096), below(5)));
		break;
	case 2:
		if (device_map)
			note(mprotect(device_map, device_len, below(8)));
		break;
	case 3:
		memset(output, 0, 4096);
		if (note(read(device_fd, output, below(512))) > 0)
			scan(output, 512, "an event");
		break;
	case 4:
		poll(&(struct pollfd){ .fd = device_fd, .events = random32() }, 1, 0);
		break;
	case 5:
	case 6:
		if (device_map) {
			scan(device_map, 4096, "the device");
			*(volatile u32 *)(device_map + below(1024) * 4) = below(256);
		}
		break;
	default:
		map_device();
	}
}

/* ---- Files ---- */

#define FILES	512
static char *files[FILES];
static unsigned int nr_files;

static int add_file(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)ftw;
	if (flag == FTW_F && st->st_mode & 0444 && nr_files < FILES)
		files[nr_files++] = strdup(path);
	return 0;
}

static void find_files(const char *ifname)
{
	char path[96], real[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/net/%s/", ifname);
	nftw(path, add_file, 16, FTW_PHYS);
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", ifname);
	if (realpath(path, real))
		nftw(real, add_file, 16, FTW_PHYS);
}

/* Sixteen digits that begin as the kernel's addresses do. */
static bool has_pointer(const char *text)
{
	for (; *text; text++) {
		int n = strspn(text, "0123456789abcdef");

		if (n == 16 && is_pointer(strtoull(text, NULL, 16)))
			return true;
		text += n;
		if (!*text)
			break;
	}
	return false;
}

static void read_file(void)
{
	const char *path;
	ssize_t got;
	int fd;

	if (!nr_files)
		return;
	path = files[below(nr_files)];
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	got = read(fd, output, 65535);
	close(fd);
	if (got <= 0)
		return;
	output[got] = 0;
	if (has_pointer((char *)output)) {
		report->leaks++;
		printf("# %s shows an address\n", path);
	}
	scan(output, got, path);
	memset(output, 0, got + 1);
}

/* ---- A user ---- */

static const struct {
	const char *name;
	void (*run)(void);
	unsigned int weight;
} ops[] = {
	{ "a socket", set_up_socket, 12 },
	{ "close", close_one, 1 },
	{ "setsockopt", set_option, 60 },
	{ "getsockopt", get_option, 60 },
	{ "mmap", map_anywhere, 40 },
	{ "bind", bind_anywhere, 40 },
	{ "fill", fill, 150 },
	{ "take", take, 100 },
	{ "put", put, 80 },
	{ "rings", scribble_ring, 10 },
	{ "kick", kick, 150 },
	{ "memory", trick_region, 20 },
	{ "scribble", scribble, 30 },
	{ "scan", scan_region, 10 },
	{ "netlink", talk_netlink, 150 },
	{ "ethtool", call_ethtool, 30 },
	{ "interface", call_interface, 20 },
	{ "packet", send_packet, 20 },
	{ "device", use_device, 100 },
	{ "files", read_file, 10 },
};

static void do_something(void)
{
	static unsigned int sum;
	unsigned int i, at;

	if (!sum)
		for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
			sum += ops[i].weight;
	at = below(sum);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	report->op = i;
	ops[i].run();
}

static void live(u64 seed, unsigned int calls)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	unsigned int i;

	state = seed;
	for (i = 0; i < SLOTS; i++)
		slots[i].fd = -1;
	for (i = 0; i < REGIONS; i++)
		regions[i].file = -1;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	inet_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* What this user has taken away from itself is found missing here. */
	if (sigsetjmp(fault, 1))
		report->faults++;
	while (report->calls < calls) {
		report->calls++;
		do_something();
	}
}

static void get_output(void)
{
	output = mmap(NULL, OUTPUT + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (output == MAP_FAILED || mprotect(output + OUTPUT, 4096, PROT_NONE))
		ktap_die("memory: %m");
}

static void know(const char *ifname)
{
	strcpy(ifname_, ifname);
	ifindex = if_nametoindex(ifname);
	card_device(ifname, device_path, sizeof(device_path));
	find_files(ifname);
}

/* Nobody, who has inherited open sockets and an open device. */
static void be_nobody(void)
{
	for (stocked = 0; stocked < STOCK; stocked++)
		stock[stocked] = socket(AF_XDP, SOCK_RAW, 0);
	if (device_path[0])
		device_fd = open(device_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	packet_fd = socket(AF_PACKET, SOCK_RAW, 0);
	keep_capabilities(0);
}

static void be_raw(void)
{
	keep_capabilities(1ull << CAP_NET_RAW);
}

static void answer(const char *what)
{
	if (send(service, what, strlen(what), 0) < 0)
		_exit(96);
}

/* In a user namespace of his own the network is his, but only CAP_NET_RAW is kept. */
static void be_raw_elsewhere(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 1 << CAP_NET_RAW, .permitted = 1 << CAP_NET_RAW },
	};
	char go;

	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || unshare(CLONE_NEWUSER | CLONE_NEWNET))
		_exit(95);
	prctl(PR_SET_DUMPABLE, 1);
	answer("move");
	if (recv(service, &go, 1, 0) != 1 || syscall(SYS_capset, &header, data))
		_exit(94);
	ifindex = if_nametoindex(ifname_);
}

/* ---- The test ---- */

static const struct daq_format watched = {
	.sample_bytes = 2, .segment_bytes = 12288, .frame_bytes = 24576, .rate = 153600,
};

/* What users get, and the more of it the better. */
static const struct daq_format unwatched = {
	.sample_bytes = 2, .segment_bytes = 12288, .frame_bytes = 24576, .rate = 2400000,
};

static struct bare good;
static unsigned int got, wrong;
static u64 lost_before;

static u64 lost(void)
{
	struct stats *stats = stats_read();

	return stats_dropped(stats, NEIGHBOUR) - stats_overrun(stats, NEIGHBOUR);
}

static void watch(void)
{
	struct packet packet;

	while (bare_receive(&good, &packet, 0)) {
		const struct daq_hdr *hdr = packet_header(&good, &packet);

		got++;
		wrong += hdr->ethertype != __builtin_bswap16(DAQ_ETHERTYPE) || hdr->channel ||
			 packet.count != 4;
		bare_return(&good, &packet);
	}
}

/* What others have used comes to the kernel's hands full of the neighbour's word. */
static void fill_free_memory(void)
{
	size_t len = 64 << 20, i;
	u64 *words = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (words == MAP_FAILED)
		ktap_die("memory: %m");
	for (i = 0; i < len / 8; i++)
		words[i] = CANARY;
	munmap(words, len);
	for (i = 0; i < CHUNKS * CHUNK / 8; i++)
		((u64 *)good.memory)[i] = CANARY;
}

static void begin_neighbour(void)
{
	set_lossless_formats(NEIGHBOUR, NEIGHBOUR, &watched);
	set_formats(NEIGHBOUR + 1, channels - 1, &unwatched);
	if (bare_open(&good, NEIGHBOUR, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL))
		ktap_die("bind");
	fill_free_memory();
	steer_channel(NEIGHBOUR, &good);
	bare_post_range(&good, 0, CHUNKS);
	bare_kick(&good);
	lost_before = lost();
	set_source(0, channels - 1, DAQ_SOURCE_COUNTER);
}

static void move_other_card(pid_t pid)
{
	if (shell("ip link set " OTHER_CARD " netns %d && nsenter -n -t %d sh -c '"
		  "ip link set " OTHER_CARD " up && daq set " OTHER_CARD
		  " -c all --source counter --segment 12288 --frame 24576 --rate %u'", pid, pid,
		  400000 / test_scale()))
		ktap_die("cannot move a card");
	if (send(service, "!", 1, 0) < 0)
		ktap_die("service: %m");
}

/* What a user asks of the test: a socket to be steered to, or a card in its namespace. */
static void serve(pid_t pid)
{
	char control[CMSG_SPACE(sizeof(int))];
	u32 what = 0;
	struct iovec iov = { &what, sizeof(what) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(service, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
		return;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg) {
		move_other_card(pid);
		return;
	}
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	steer_socket(what, fd);
	close(fd);
}

static bool wait_for_user(pid_t pid, int *status)
{
	struct pollfd pollfd = { .fd = service, .events = POLLIN };
	u64 calls = 0, since = now_ms();

	while (waitpid(pid, status, WNOHANG) == 0) {
		poll(&pollfd, 1, 1);
		serve(pid);
		watch();
		if (report->calls != calls) {
			calls = report->calls;
			since = now_ms();
		} else if (now_ms() - since > 120000) {
			printf("# hangs in call %llu: %s\n", (unsigned long long)calls,
			       ops[report->op].name);
			kill(pid, SIGKILL);
			return false;
		}
	}
	return true;
}

static void tell(void)
{
	unsigned int i;

	printf("# %u calls went well, %u did not, %u faults, %u sockets bound, %u descriptors received\n# errno:",
	       report->good, report->bad, report->faults, report->bound, report->packets);
	for (i = 0; i < 134; i++)
		if (report->errnos[i])
			printf(" %s %u", strerrorname_np(i), report->errnos[i]);
	puts("");
}

static void test_user(const char *name, void (*be)(void), const char *ifname, u64 seed,
		      unsigned int calls)
{
	int ends[2], status = -1;
	bool ended;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		ktap_die("socketpair: %m");
	memset(report, 0, sizeof(*report));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		service = ends[1];
		close(ends[0]);
		know(ifname);
		be();
		live(seed, calls);
		fflush(stdout);
		_exit(0);
	}
	close(ends[1]);
	service = ends[0];
	ended = wait_for_user(pid, &status);
	close(service);
	tell();
	ktap_ok(ended && status == 0 && report->calls == calls, "%s: %u calls", name, calls);
	ktap_eq(report->strange, 0, "%s: each failure has an errno", name);
	ktap_eq(report->leaks, 0, "%s: nothing is seen of the kernel's or others' memory", name);
	ktap_ok(report->bound > 0, "%s: sockets were bound, which got %u descriptors", name,
		report->packets);
}

static void test_afterwards(void)
{
	struct packet packet;
	struct bare bare;
	unsigned int i;

	ktap_ok(got > 10, "the neighbour got %u segments meanwhile", got);
	ktap_eq(wrong, 0, "all of them right");
	for (i = 1; i < channels; i++) {
		bool came = false;

		if (!bare_open(&bare, i, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL)) {
			steer_channel(i, &bare);
			bare_post_range(&bare, 0, 512);
			bare_kick(&bare);
			came = bare_receive(&bare, &packet, 10000);
			bare_close(&bare);
		}
		ktap_ok(came, "channel %u works for the next socket", i);
	}
	watch();
	quiesce();
	watch();
	ktap_eq(lost(), lost_before, "the neighbour lost nothing");
	for (i = 0; i < channels; i++)
		ktap_eq(stats_missing(stats_read(), i), 0,
			"channel %u: produced is delivered and dropped", i);
	bare_close(&good);
}

static u64 setting(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

int main(void)
{
	unsigned int calls = setting("FUZZ", scaled(15000));
	u64 seed = setting("SEED", time(NULL));
	struct rlimit files = { 4096, 4096 }, locked = { 64 << 20, 64 << 20 };

	ktap_begin();
	printf("# SEED=%llu\n", (unsigned long long)seed);
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	get_output();
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_MEMLOCK, &locked);
	channels = CHANNELS;
	know(card_ifname(channels));
	resolve_families();
	steer_attach();
	begin_neighbour();
	test_user("nobody", be_nobody, card_ifname(channels), seed, calls / 3);
	test_user("CAP_NET_RAW", be_raw, card_ifname(channels), seed + 1, calls / 3);
	if (!card_on_bus() && card_add(OTHER_CARD, channels))
		test_user("namespace", be_raw_elsewhere, OTHER_CARD, seed + 2,
			  calls - calls / 3 * 2);
	ktap_ok(!if_nametoindex(OTHER_CARD), "namespace: the card has gone with it");
	test_afterwards();
	return ktap_end();
}
