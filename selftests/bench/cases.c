// SPDX-License-Identifier: GPL-2.0
/* The consumers: each as good as its design allows. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "consumer.h"

#define PAGE	4096u

const char *bench_interface;
static struct bench_options options;

static int open_socket(void)
{
	if (bench_interface)
		return packet_socket_on(bench_interface, DAQ_ETHERTYPE);
	return packet_socket(DAQ_ETHERTYPE);
}

static void *pages(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		ktap_die("mmap: %m");
	return memory;
}

/* ---- a. libdaqring ---- */

static struct daq_chan *chans[DAQ_MAX_CHANNELS];

static void take(struct daq_chan *chan, struct daq_frame *frame)
{
	unsigned int i;

	for (i = 0; i < frame->iovcnt; i++)
		bench_touch(frame->iov[i].iov_base, frame->iov[i].iov_len);
	bench_header(frame->headers[frame->segments - 1]);
	daq_chan__release(chan, frame);
	bench_frame();
}

static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	(void)ctx;
	take(chan, frame);
	return 0;
}

static void open_ring(const struct bench_options *wanted)
{
	struct daq_chan_opts opts = {
		.sz = sizeof(opts), .mode = DAQ_MODE_ZERO_COPY, .buffer_bytes = wanted->buffer,
	};
	unsigned int i;

	options = *wanted;
	for (i = 0; i < options.channels; i++) {
		if (daq_chan__open(card_open(), i, &opts, &chans[i]) < 0)
			ktap_die("%s", daq_errmsg());
		if (options.channels > 1 && daq_chan__on_frame(chans[i], on_frame, NULL) < 0)
			ktap_die("%s", daq_errmsg());
	}
}

static void receive_ring(unsigned int until)
{
	struct daq_frame frame;

	while (bench_frames < until) {
		if (options.channels > 1) {
			if (daq_card__dispatch(card_open(), -1) < 1)
				ktap_die("no frame: %s", daq_errmsg());
			continue;
		}
		if (daq_chan__next(chans[0], &frame, -1) != 1)
			ktap_die("no frame: %s", daq_errmsg());
		take(chans[0], &frame);
	}
}

/* Of several channels, headers tell only of the last one's card. */
static u64 ring_lost(void)
{
	struct daq_chan_stats stats;
	u64 lost = 0;
	unsigned int i;

	for (i = 0; i < options.channels; i++) {
		daq_chan__stats(chans[i], &stats, sizeof(stats));
		lost += options.channels > 1 ? stats.lost_segments :
					       stats.lost_segments - stats.lost_by_card;
	}
	return lost;
}

static void close_ring(void)
{
	unsigned int i;

	for (i = 0; i < options.channels; i++)
		daq_chan__close(chans[i]);
}

/* ---- b, c. bare AF_XDP ---- */

#define BATCH	256

static struct bare bare;
static bool inside;	/* a packet */
static bool last;	/* of its frame */

/* XDP_ZEROCOPY or XDP_COPY: the socket, which no program gives anything to yet. */
int bench_open_bare(const struct bench_options *wanted, unsigned int mode)
{
	options = *wanted;
	if (options.frame > CHUNKS / 3 * 3840)
		ktap_die("no room for frames of %u bytes", options.frame);
	bare_interface = bench_interface;
	bare_rx_size = 2 * CHUNKS;
	bare_tx_size = 0;
	if (bare_open(&bare, 0, mode | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL))
		ktap_die("cannot open a socket");
	if (bare_zero_copy(&bare) != (mode == XDP_ZEROCOPY))
		ktap_die("not the mode that was asked for");
	bare_post_range(&bare, 0, CHUNKS);
	bare_kick(&bare);
	return xsk_socket__fd(bare.xsk);
}

static void open_zero_copy(const struct bench_options *wanted)
{
	steer_attach();
	bench_open_bare(wanted, XDP_ZEROCOPY);
	steer_channel(0, &bare);
}

static void open_copy(const struct bench_options *wanted)
{
	steer_attach();
	bench_open_bare(wanted, XDP_COPY);
	steer_channel(0, &bare);
}

static void take_descriptor(const struct xdp_desc *desc)
{
	const char *data = bare.memory + desc->addr;
	size_t skip = 0;

	if (!inside) {
		const struct daq_hdr *hdr = (const void *)data;

		last = hdr->flags & DAQ_HDR_F_EOF;
		if (last)
			bench_header(hdr);
		skip = DAQ_HDR_LEN;
	}
	bench_touch(data + skip, desc->len - skip);
	inside = desc->options & XDP_PKT_CONTD;
	if (!inside && last)
		bench_frame();
}

/* What there is, whose chunks then go back. */
static bool take_batch(void)
{
	u32 from, to = 0, n, i;

	n = xsk_ring_cons__peek(&bare.rx, BATCH, &from);
	if (!n)
		return false;
	if (xsk_ring_prod__reserve(&bare.fill, n, &to) != n)
		ktap_die("the fill ring is full");
	for (i = 0; i < n; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&bare.rx, from + i);

		take_descriptor(desc);
		*xsk_ring_prod__fill_addr(&bare.fill, to + i) = desc->addr & ~(u64)(CHUNK - 1);
	}
	xsk_ring_cons__release(&bare.rx, n);
	xsk_ring_prod__submit(&bare.fill, n);
	if (xsk_ring_prod__needs_wakeup(&bare.fill))
		bare_kick(&bare);
	return true;
}

void bench_receive_bare(unsigned int until)
{
	struct pollfd pollfd = { .fd = xsk_socket__fd(bare.xsk), .events = POLLIN };

	while (bench_frames < until)
		if (!take_batch() && poll(&pollfd, 1, -1) != 1)
			ktap_die("no frame");
}

u64 bench_bare_lost(void)
{
	struct xdp_statistics statistics = { 0 };
	socklen_t len = sizeof(statistics);

	if (getsockopt(xsk_socket__fd(bare.xsk), SOL_XDP, XDP_STATISTICS, &statistics, &len) < 0)
		ktap_die("XDP_STATISTICS: %m");
	return statistics.rx_dropped + statistics.rx_ring_full;
}

void bench_close_bare(void)
{
	bare_close(&bare);
}

static void close_steered(void)
{
	bench_close_bare();
	steer_detach();
}

/* ---- d. recvfrom ---- */

static int packets = -1;
static char *packet;

static void set_buffer(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		ktap_die("SO_RCVBUFFORCE: %m");
}

void bench_open_packets(const struct bench_options *wanted)
{
	options = *wanted;
	packet = pages(2 * DAQ_MAX_SEGMENT_BYTES);
	packets = open_socket();
	set_buffer(packets, 256 << 20);
}

void bench_receive_packets(unsigned int until)
{
	const struct daq_hdr *hdr = (const void *)packet;
	ssize_t len;

	while (bench_frames < until) {
		len = recvfrom(packets, packet, 2 * DAQ_MAX_SEGMENT_BYTES, 0, NULL, NULL);
		if (len < DAQ_HDR_LEN)
			ktap_die("recvfrom: %m");
		bench_touch(packet + DAQ_HDR_LEN, len - DAQ_HDR_LEN);
		if (hdr->flags & DAQ_HDR_F_EOF) {
			bench_header(hdr);
			bench_frame();
		}
	}
}

u64 bench_packets_lost(void)
{
	struct tpacket_stats_v3 stats = { 0 };
	socklen_t len = sizeof(stats);
	static u64 lost;

	if (getsockopt(packets, SOL_PACKET, PACKET_STATISTICS, &stats, &len) < 0)
		ktap_die("PACKET_STATISTICS: %m");
	/* they begin anew when they have been read */
	lost += stats.tp_drops;
	return lost;
}

void bench_close_packets(void)
{
	close(packets);
}

/* ---- e. TPACKET_V3 ---- */

#define BLOCKS	16u

static char *blocks;
static unsigned int block_bytes, block;

/* A block is for one frame or, of small ones, for several. */
void bench_open_tpacket(const struct bench_options *wanted)
{
	struct tpacket_req3 req = { .tp_block_nr = BLOCKS, .tp_frame_size = 2048 };
	int version = TPACKET_V3;
	unsigned int segments = wanted->frame / wanted->segment;

	options = *wanted;
	packets = open_socket();
	for (block_bytes = 1 << 17; block_bytes < wanted->frame + segments * 256 + PAGE;)
		block_bytes *= 2;
	req.tp_block_size = block_bytes;
	req.tp_frame_nr = block_bytes / req.tp_frame_size * BLOCKS;
	req.tp_retire_blk_tov = 1;
	if (setsockopt(packets, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(packets, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		ktap_die("PACKET_RX_RING: %m");
	blocks = mmap(NULL, (size_t)BLOCKS * block_bytes, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, packets, 0);
	if (blocks == MAP_FAILED)
		ktap_die("mmap: %m");
	block = 0;
}

static void take_block(struct tpacket_block_desc *desc)
{
	struct tpacket3_hdr *entry = (void *)((char *)desc + desc->hdr.bh1.offset_to_first_pkt);
	unsigned int i;

	for (i = 0; i < desc->hdr.bh1.num_pkts; i++) {
		const struct daq_hdr *hdr = (void *)((char *)entry + entry->tp_mac);

		bench_touch(hdr + 1, entry->tp_snaplen - DAQ_HDR_LEN);
		if (hdr->flags & DAQ_HDR_F_EOF) {
			bench_header(hdr);
			bench_frame();
		}
		entry = (void *)((char *)entry + entry->tp_next_offset);
	}
}

void bench_receive_tpacket(unsigned int until)
{
	struct pollfd pollfd = { .fd = packets, .events = POLLIN };

	while (bench_frames < until) {
		struct tpacket_block_desc *desc = (void *)(blocks + (size_t)block * block_bytes);

		if (!(__atomic_load_n(&desc->hdr.bh1.block_status, __ATOMIC_ACQUIRE) &
		      TP_STATUS_USER)) {
			if (poll(&pollfd, 1, -1) != 1)
				ktap_die("no block");
			continue;
		}
		take_block(desc);
		__atomic_store_n(&desc->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		block = (block + 1) % BLOCKS;
	}
}

void bench_close_tpacket(void)
{
	munmap(blocks, (size_t)BLOCKS * block_bytes);
	close(packets);
}

/* ---- f, g, h. drivers of the module ---- */

static char *memory[2];
static pthread_t other;
static volatile bool leave;

static void set_up(const struct bench_options *wanted, enum bench_design design)
{
	struct bench_setup setup = {
		.design = design, .segment = wanted->segment, .frame = wanted->frame,
		.rate = wanted->rate, .poll_us = wanted->poll_us,
	};
	unsigned int chunks = wanted->frame / wanted->segment +
			      wanted->frame / (wanted->segment < PAGE ? wanted->segment : PAGE);

	options = *wanted;
	setup.frames = 8192 / chunks < 16 ? 8192 / chunks : 16;
	memory[0] = pages(wanted->frame);
	memory[1] = pages(wanted->frame);
	if (ioctl(bench_fd, BENCH_SETUP, &setup))
		ktap_die("no card for frames of %u bytes in segments of %u: %m", wanted->frame,
			 wanted->segment);
}

static void read_frame(char *into)
{
	if (read(bench_fd, into, options.frame) != (ssize_t)options.frame)
		ktap_die("read: %m");
	bench_touch(into, options.frame);
	bench_frame();
}

/* With two of them the card always has somewhere to write to. */
static void *read_on(void *unused)
{
	(void)unused;
	while (!leave)
		read_frame(memory[1]);
	return NULL;
}

static void open_pinned(const struct bench_options *wanted)
{
	set_up(wanted, BENCH_PIN);
	leave = false;
	if (pthread_create(&other, NULL, read_on, NULL))
		ktap_die("cannot start a thread");
}

static void receive_reads(unsigned int until)
{
	while (bench_frames < until)
		read_frame(memory[0]);
}

/* The other thread waits for a frame that comes only if there is another buffer. */
static void close_pinned(void)
{
	leave = true;
	read_frame(memory[0]);
	pthread_join(other, NULL);
}

static void open_read(const struct bench_options *wanted)
{
	set_up(wanted, BENCH_COPY);
}

static void on_signal(int number)
{
	(void)number;
	while (ioctl(bench_fd, BENCH_TAKE, memory[0]) == 1) {
		bench_touch(memory[0], options.frame);
		bench_frame();
	}
}

static void open_signals(const struct bench_options *wanted)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;

	/* but while it waits for it */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGUSR1, &action, NULL);
	set_up(wanted, BENCH_SIGNAL);
}

static void receive_signals(unsigned int until)
{
	sigset_t set;

	sigemptyset(&set);
	while (bench_frames < until)
		sigsuspend(&set);
}

static u64 module_lost(void)
{
	struct bench_state state;

	if (ioctl(bench_fd, BENCH_STATE, &state))
		ktap_die("BENCH_STATE: %m");
	return state.lost + state.overwritten;
}

static void close_module(void)
{
}

const struct bench_case bench_cases[] = {
	{ "a", "libdaqring, zero copy", BENCH_OF_CARD, open_ring, receive_ring, ring_lost, close_ring },
	{ "b", "bare libxdp, zero copy", BENCH_OF_CARD, open_zero_copy, bench_receive_bare,
	  bench_bare_lost, close_steered },
	{ "c", "AF_XDP, copy mode", BENCH_OF_CARD, open_copy, bench_receive_bare, bench_bare_lost,
	  close_steered },
	{ "d", "AF_PACKET, recvfrom", BENCH_OF_CARD, bench_open_packets, bench_receive_packets,
	  bench_packets_lost, bench_close_packets },
	{ "e", "AF_PACKET, TPACKET_V3", BENCH_OF_CARD, bench_open_tpacket, bench_receive_tpacket,
	  bench_packets_lost, bench_close_tpacket },
	{ "f", "read() into pinned pages", 0, open_pinned, receive_reads, module_lost,
	  close_pinned },
	{ "g", "read() with copy_to_user", 0, open_read, receive_reads, module_lost,
	  close_module },
	{ "h", "polling thread, signal, ioctl", 0, open_signals, receive_signals,
	  module_lost, close_module },
	{ "vivid", "V4L2 mmap, vivid", BENCH_WOKEN, bench_open_vivid, bench_receive_vivid,
	  bench_vivid_lost, bench_close_vivid },
	{ "comedi", "comedi mmap, comedi_test", BENCH_WOKEN, bench_open_comedi,
	  bench_receive_comedi, bench_comedi_lost, bench_close_comedi },
	{ "veth-d", "AF_PACKET, recvfrom, veth", 0, bench_open_veth,
	  bench_receive_packets, bench_veth_lost, bench_close_veth },
	{ "veth-e", "AF_PACKET, TPACKET_V3, veth", 0, bench_open_veth_ring,
	  bench_receive_tpacket, bench_veth_lost, bench_close_veth_ring },
	{ "veth-x", "AF_XDP, native, copy mode, veth", 0, bench_open_veth_xdp,
	  bench_receive_bare, bench_veth_xdp_lost, bench_close_veth_xdp },
	{ }
};
