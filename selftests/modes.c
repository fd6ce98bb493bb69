// SPDX-License-Identifier: GPL-2.0
/*
 * Every way to set up a zero-copy socket: sizes and alignment of chunks, headroom,
 * several buffers or one, with and without wake-ups asked for; memory shared between
 * queues and between cards; busy polling.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daq_steer.skel.h"
#include "guest.h"

#define FAR		"daqtfar"
#define MEMORY		(4u << 20)
#define RING		2048
#define SHORT		1024	/* payload of a segment that fits the smallest chunk */
#define LONG		12288	/* of one that needs several */

/* A socket with a part of some memory. */
struct user {
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion;
	struct xsk_ring_cons rx;
	u32 chunk;
	u32 first;	/* byte of the memory where its chunks begin */
	bool unaligned;
};

struct mode {
	u32 chunk;
	u32 headroom;
	bool unaligned;
	bool sg;
	bool wakeup;
};

static char *memory;
static struct xsk_umem *umem;

static struct daq_steer *steer_card(const char *ifname)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	struct daq_steer *steer = daq_steer__open_and_load();

	if (!steer || bpf_link_create(bpf_program__fd(steer->progs.daq_steer),
				      if_nametoindex(ifname), BPF_XDP, &opts) < 0)
		ktap_die("cannot steer %s: %m", ifname);
	return steer;
}

static void steer_to(struct daq_steer *steer, u32 channel, const struct user *user)
{
	int fd = xsk_socket__fd(user->xsk);

	if (bpf_map_update_elem(bpf_map__fd(steer->maps.daq_sockets), &channel, &fd, 0) < 0)
		ktap_die("cannot steer channel %u: %m", channel);
}

static void set_segments(struct daq_card *card, u32 channel, u32 bytes, enum daq_source source)
{
	const struct daq_format format = {
		.source = source, .sample_bytes = 8, .segment_bytes = bytes,
		.frame_bytes = bytes, .rate = bytes / 8 * scaled(200),
	};
	unsigned int mask = DAQ_FORMAT_SOURCE | DAQ_FORMAT_SAMPLE_BYTES |
			    DAQ_FORMAT_SEGMENT_BYTES | DAQ_FORMAT_FRAME_BYTES | DAQ_FORMAT_RATE;

	if (daq_card__set_format(card, channel, &format, mask) < 0)
		ktap_die("%s", daq_errmsg());
}

static void post(struct user *user, u64 addr)
{
	u32 index;

	if (xsk_ring_prod__reserve(&user->fill, 1, &index) != 1)
		ktap_die("the fill ring is full");
	*xsk_ring_prod__fill_addr(&user->fill, index) = addr;
	xsk_ring_prod__submit(&user->fill, 1);
}

/* Chunks between two bytes of the memory; in unaligned mode at odd places. */
static void post_all(struct user *user, u32 from, u32 to)
{
	user->first = from;
	for (from += user->unaligned ? 100 : 0; from + user->chunk <= to; from += user->chunk)
		post(user, from);
}

static int open_umem(const struct mode *mode, struct user *user)
{
	DECLARE_LIBXDP_OPTS(xsk_umem_opts, opts, .size = MEMORY, .fill_size = RING,
			    .comp_size = RING, .frame_size = mode->chunk,
			    .frame_headroom = mode->headroom,
			    .flags = mode->unaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0);

	memset(user, 0, sizeof(*user));
	user->chunk = mode->chunk;
	user->unaligned = mode->unaligned;
	umem = xsk_umem__create_opts(memory, &user->fill, &user->completion, &opts);
	return umem ? 0 : -errno;
}

static int open_socket(const struct mode *mode, struct user *user, const char *ifname, u32 queue,
		       bool shared)
{
	struct xsk_socket_config config = {
		.rx_size = RING, .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_ZEROCOPY | (mode->sg ? XDP_USE_SG : 0) |
			      (mode->wakeup ? XDP_USE_NEED_WAKEUP : 0),
	};
	int err, try;

	for (try = 0; try < 100; try++) {
		err = shared ? xsk_socket__create_shared(&user->xsk, ifname, queue, umem, &user->rx,
							 NULL, &user->fill, &user->completion,
							 &config) :
			       xsk_socket__create(&user->xsk, ifname, queue, umem, &user->rx, NULL,
						  &config);
		if (err != -EBUSY)
			break;
		pause_ms(10);
	}
	return err;
}

/* Next descriptor; its chunk, and where its data are. */
static bool next_desc(struct user *user, struct xdp_desc *desc, u64 *chunk, u8 **data)
{
	u64 end = now_ms() + 5000;
	u32 index;

	while (!xsk_ring_cons__peek(&user->rx, 1, &index)) {
		if (now_ms() > end)
			return false;
		recvfrom(xsk_socket__fd(user->xsk), NULL, 0, MSG_DONTWAIT, NULL, NULL);
	}
	*desc = *xsk_ring_cons__rx_desc(&user->rx, index);
	xsk_ring_cons__release(&user->rx, 1);
	if (user->unaligned) {
		*chunk = xsk_umem__extract_addr(desc->addr);
		*data = xsk_umem__get_data(memory, xsk_umem__add_offset_to_addr(desc->addr));
	} else {
		*chunk = user->first + (desc->addr - user->first) / user->chunk * user->chunk;
		*data = xsk_umem__get_data(memory, desc->addr);
	}
	return true;
}

/* One packet: whether it is a segment of @bytes with the right data. Its chunks go back. */
static bool receive(struct user *user, u32 channel, u32 bytes)
{
	struct xdp_desc desc;
	struct daq_hdr hdr;
	u64 chunk, at = 0;
	u32 total = 0;
	bool right = true;
	u8 *data;

	do {
		u32 skip = total ? 0 : DAQ_HDR_LEN;

		if (!next_desc(user, &desc, &chunk, &data))
			return false;
		if (!total) {
			memcpy(&hdr, data, sizeof(hdr));
			at = be64toh(hdr.sample) * 8;
			right = ntohs(hdr.channel) == channel && ntohl(hdr.payload_len) == bytes;
		}
		right = right && is_counter(data + skip, desc.len - skip, at);
		at += desc.len - skip;
		total += desc.len;
		post(user, chunk);
	} while (desc.options & XDP_PKT_CONTD);
	/* A header by itself tells of what a mode before was too slow for. */
	if (!hdr.payload_len)
		return receive(user, channel, bytes);
	return right && total == DAQ_HDR_LEN + bytes;
}

static unsigned int receive_many(struct user *user, u32 channel, u32 bytes, unsigned int count)
{
	unsigned int right = 0;

	while (count--)
		right += receive(user, channel, bytes);
	return right;
}

static void test_mode(struct daq_steer *steer, const struct mode *mode)
{
	unsigned int many = 40, shorts, longs = many;
	struct user user;
	char name[100];
	int err;

	snprintf(name, sizeof(name), "%s chunks of %u, headroom %u, %s, wake-ups %s",
		 mode->unaligned ? "unaligned" : "aligned", mode->chunk, mode->headroom,
		 mode->sg ? "several buffers" : "one buffer", mode->wakeup ? "asked for" : "not");
	err = open_umem(mode, &user);
	if (!err)
		err = open_socket(mode, &user, card_ifname(2), 0, false);
	if (err) {
		ktap_ok(false, "%s: %s", name, strerror(-err));
		return;
	}
	steer_to(steer, 0, &user);
	post_all(&user, 0, MEMORY / 4);
	set_segments(card_open(), 0, SHORT, DAQ_SOURCE_COUNTER);
	shorts = receive_many(&user, 0, SHORT, many);
	quiesce();
	if (mode->sg) {
		set_segments(card_open(), 0, LONG, DAQ_SOURCE_COUNTER);
		/* short ones may be left over */
		while (!receive(&user, 0, LONG))
			;
		longs = receive_many(&user, 0, LONG, many);
		quiesce();
	}
	ktap_ok(shorts == many && longs == many && stats_missing(stats_read(), 0) == 0,
		"%s: %u short, %u long of %u", name, shorts, longs, many);
	xsk_socket__delete(user.xsk);
	xsk_umem__delete(umem);
}

/*
 * Whether the kernel lets a chunk cross pages: its pool maps page by page, and
 * synchronises a chunk at once, which the checks of the DMA API take for an error.
 */
static bool crosses_pages(void)
{
	return shell("grep -qs N /sys/kernel/debug/dma-api/disabled") != 0;
}

static void test_modes(struct daq_steer *steer)
{
	static const u32 chunks[] = { 2048, 4096 }, headrooms[] = { 0, 192 };
	struct mode mode = { 0 };
	unsigned int i;

	for (i = 0; i < 16; i++) {
		mode.chunk = chunks[i & 1];
		mode.headroom = headrooms[i >> 1 & 1];
		mode.sg = i >> 2 & 1;
		mode.wakeup = i >> 3 & 1;
		test_mode(steer, &mode);
	}
	if (!crosses_pages()) {
		ktap_skip("unaligned chunks", "this kernel checks use of the DMA API");
		return;
	}
	if (shell("sysctl -qw vm.nr_hugepages=8")) {
		ktap_skip("unaligned chunks", "no huge pages");
		return;
	}
	munmap(memory, MEMORY);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_HUGETLB, -1, 0);
	if (memory == MAP_FAILED)
		ktap_die("huge pages: %m");
	for (i = 0; i < 4; i++) {
		mode = (struct mode){
			.chunk = i & 1 ? 3000 : 4096, .headroom = i & 2 ? 100 : 0,
			.unaligned = true, .sg = true, .wakeup = i & 1,
		};
		test_mode(steer, &mode);
	}
}

/* One memory, a socket on each queue of one card and one on another card. */
static void test_shared(struct daq_steer *steer)
{
	const struct mode mode = { .chunk = 4096, .sg = true, .wakeup = true };
	struct daq_steer *far_steer;
	struct user users[3] = { 0 };
	struct daq_card *far;
	unsigned int i, wrong = 0;

	if (!card_add(FAR, 1) || shell("sleep 1") ||
	    daq_card__open(FAR, NULL, &far) < 0)
		ktap_die("cannot make a second card");
	far_steer = steer_card(FAR);
	if (open_umem(&mode, &users[0]))
		ktap_die("no memory");
	for (i = 1; i < 3; i++)
		users[i].chunk = mode.chunk;
	ktap_ok(open_socket(&mode, &users[0], card_ifname(2), 0, false) == 0 &&
		open_socket(&mode, &users[1], card_ifname(2), 1, true) == 0,
		"shared: one memory on two queues");
	ktap_ok(open_socket(&mode, &users[2], FAR, 0, true) == 0,
		"shared: and on another card");
	steer_to(steer, 0, &users[0]);
	steer_to(steer, 1, &users[1]);
	steer_to(far_steer, 0, &users[2]);
	for (i = 0; i < 3; i++)
		post_all(&users[i], i * MEMORY / 4, (i + 1) * MEMORY / 4);
	set_segments(card_open(), 0, LONG, DAQ_SOURCE_COUNTER);
	set_segments(card_open(), 1, LONG, DAQ_SOURCE_COUNTER);
	set_segments(far, 0, LONG, DAQ_SOURCE_COUNTER);
	for (i = 0; i < 60; i++)
		wrong += !receive(&users[i % 3], i % 3 == 1, LONG);
	ktap_eq(wrong, 0, "shared: each gets its own data");

	/* the one whose memory it is goes first, the others live on */
	xsk_socket__delete(users[0].xsk);
	for (i = 0, wrong = 0; i < 40; i++)
		wrong += !receive(&users[1 + i % 2], i % 2 == 0, LONG);
	ktap_eq(wrong, 0, "shared: two go on when the first one has left");
	card_del(FAR);
	for (i = 0, wrong = 0; i < 20; i++)
		wrong += !receive(&users[1], 1, LONG);
	ktap_eq(wrong, 0, "shared: one goes on when the other card has left");
	quiesce();
	xsk_socket__delete(users[1].xsk);
	xsk_socket__delete(users[2].xsk);
	ktap_eq(xsk_umem__delete(umem), 0, "shared: the memory is free then");
	daq_card__close(far);
	daq_steer__destroy(far_steer);
}

static void prefer_busy_poll(int fd)
{
	int prefer = 1, usecs = 50, budget = 64;

	if (setsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer, sizeof(prefer)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &usecs, sizeof(usecs)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof(budget)) < 0)
		ktap_die("busy polling: %m");
}

static u64 queue_irqs(void)
{
	return stat_of(stats_read(), "queue0_irqs");
}

static void test_busy_poll(struct daq_steer *steer)
{
	const struct mode mode = { .chunk = 4096, .sg = true, .wakeup = true };
	struct user user;
	unsigned int right;
	u64 irqs;

	/* A queue that nobody polls would wait for news. */
	if (shell("echo 1000000 >/sys/class/net/%s/napi_defer_hard_irqs && "
		  "echo 60000000000 >/sys/class/net/%s/gro_flush_timeout && "
		  "ethtool -L %s combined 1", card_ifname(2), card_ifname(2), card_ifname(2)))
		ktap_die("cannot set up busy polling");
	if (open_umem(&mode, &user) || open_socket(&mode, &user, card_ifname(2), 0, false))
		ktap_die("cannot open a socket");
	prefer_busy_poll(xsk_socket__fd(user.xsk));
	steer_to(steer, 0, &user);
	post_all(&user, 0, MEMORY / 4);
	set_segments(card_open(), 0, LONG, DAQ_SOURCE_COUNTER);
	receive_many(&user, 0, LONG, 20);
	irqs = queue_irqs();
	right = receive_many(&user, 0, LONG, 200);
	ktap_eq(right, 200, "busy polling: 200 segments");
	ktap_eq(queue_irqs() - irqs, 0, "busy polling: without an interrupt");
	ktap_ok(shell("grep -q daq_timer_fires /proc/timer_list") == 1,
		"busy polling: without a timer");
	shell("echo 0 >/sys/class/net/%s/napi_defer_hard_irqs; "
	      "echo 0 >/sys/class/net/%s/gro_flush_timeout; ethtool -L %s combined 2",
	      card_ifname(2), card_ifname(2), card_ifname(2));
	quiesce();
	xsk_socket__delete(user.xsk);
	xsk_umem__delete(umem);
}

static void remove_far(void)
{
	card_del(FAR);
}

int main(void)
{
	struct daq_steer *steer;

	ktap_begin();
	card_ifname(2);
	atexit(remove_far);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		ktap_die("mmap: %m");
	steer = steer_card(card_ifname(2));
	test_modes(steer);
	test_shared(steer);
	test_busy_poll(steer);
	return ktap_end();
}
