// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer that knows AF_XDP and nothing of the library: layout of packets, zero
 * copy and copy, and every wrong use of the rings that a program can make.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include "guest.h"

#define QUEUE	1
#define ZC_SG	(XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP)

static const struct daq_format short_format = {
	.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 4096, .rate = 51200,
};

static const struct daq_format long_format = {
	.sample_bytes = 2, .segment_bytes = 61440, .frame_bytes = 61440, .rate = 307200,
};

static void start(struct bare *bare, unsigned int flags, const struct daq_format *format)
{
	int err;

	set_formats(QUEUE, QUEUE, format);
	err = bare_open(bare, QUEUE, flags, NULL);
	if (err)
		ktap_die("bind with flags %#x: %s", flags, strerror(-err));
	steer_channel(QUEUE, bare);
}

static void stop(struct bare *bare)
{
	quiesce();
	bare_close(bare);
}

static u64 counter(const char *name)
{
	return stat_of(stats_read(), "ch%u_%s", QUEUE, name);
}

/* Whether the packet is a segment with the right counter values in every buffer. */
static bool payload_right(const struct bare *bare, const struct packet *packet,
			  const struct daq_format *format)
{
	const struct daq_hdr *hdr = packet_header(bare, packet);
	u64 at = be64toh(hdr->sample) * format->sample_bytes;
	unsigned int i, skip = DAQ_HDR_LEN;

	if (ntohs(hdr->ethertype) != DAQ_ETHERTYPE || ntohs(hdr->channel) != QUEUE ||
	    packet_len(packet) != DAQ_HDR_LEN + format->segment_bytes)
		return false;
	for (i = 0; i < packet->count; i++) {
		const struct xdp_desc *desc = &packet->desc[i];

		if (!is_counter(bare->memory + desc->addr + skip, desc->len - skip, at))
			return false;
		at += desc->len - skip;
		skip = 0;
	}
	return true;
}

/* Receives so many segments: how many were right. */
static unsigned int receive(struct bare *bare, const struct daq_format *format, unsigned int count)
{
	struct packet packet;
	unsigned int right = 0;

	while (count) {
		if (!bare_receive(bare, &packet, 5000))
			break;
		/* A header by itself tells of a loss before. */
		if (packet_header(bare, &packet)->payload_len) {
			right += payload_right(bare, &packet, format);
			count--;
		}
		bare_return(bare, &packet);
	}
	return right;
}

static void test_zero_copy(void)
{
	unsigned int i, whole = 0, contiguous = 0;
	struct packet packet;
	struct bare bare;

	start(&bare, ZC_SG, &long_format);
	ktap_ok(bare_zero_copy(&bare), "zero copy: the kernel says that it is");
	bare_post_range(&bare, 0, 512);
	bare_kick(&bare);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	if (!bare_receive(&bare, &packet, 5000))
		ktap_die("no segment");
	ktap_eq(packet.count, 16, "zero copy: a header and 15 pages");
	ktap_ok(packet.desc[0].len == 64 && packet.desc[0].addr % CHUNK == 256,
		"zero copy: the header is alone in its chunk, behind the headroom");
	for (i = 1; i < packet.count; i++) {
		whole += packet.desc[i].len == CHUNK && packet.desc[i].addr % CHUNK == 0;
		contiguous += packet.desc[i].addr == packet.desc[1].addr + (i - 1) * CHUNK;
	}
	ktap_eq(whole, 15, "zero copy: payload fills whole pages");
	ktap_eq(contiguous, 15, "zero copy: in the order of the fill ring, so in one piece");
	ktap_ok(payload_right(&bare, &packet, &long_format), "zero copy: payload is right");
	bare_return(&bare, &packet);
	ktap_eq(receive(&bare, &long_format, 50), 50,
		"zero copy: 50 more segments while chunks go round");
	stop(&bare);

	start(&bare, ZC_SG, &short_format);
	bare_post_range(&bare, 0, 512);
	bare_kick(&bare);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	if (!bare_receive(&bare, &packet, 5000))
		ktap_die("no segment");
	ktap_ok(packet.count == 1 && packet.desc[0].len == 64 + 1024,
		"zero copy: a short segment is in one chunk with its header");
	bare_return(&bare, &packet);
	ktap_eq(receive(&bare, &short_format, 50), 50, "zero copy: 50 short segments");
	stop(&bare);
}

static void test_copy(void)
{
	struct bare bare;

	start(&bare, XDP_COPY | XDP_USE_SG, &long_format);
	ktap_ok(!bare_zero_copy(&bare), "copy: the kernel says that it is");
	bare_post_range(&bare, 0, 512);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_eq(receive(&bare, &long_format, 10), 10, "copy: long segments come whole and right");
	stop(&bare);
}

static void test_no_sg(void)
{
	u64 dropped, segments;
	struct packet packet;
	struct bare bare;

	start(&bare, XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP, &long_format);
	bare_post_range(&bare, 0, 512);
	bare_kick(&bare);
	dropped = counter("drop_no_frags") + counter("drop_fifo_overrun");
	segments = counter("produced");
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_ok(!bare_receive(&bare, &packet, 1000),
		"no multi-buffer: a long segment is never delivered in part");
	quiesce();
	dropped = counter("drop_no_frags") + counter("drop_fifo_overrun") - dropped;
	segments = counter("produced") - segments;
	printf("# %llu segments, %llu counted, %llu without a buffer so far\n",
	       (unsigned long long)segments, (unsigned long long)dropped,
	       (unsigned long long)counter("drop_no_buffer"));
	ktap_ok(segments && dropped == segments, "no multi-buffer: each is counted as such");
	set_formats(QUEUE, QUEUE, &short_format);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_eq(receive(&bare, &short_format, 20), 20, "no multi-buffer: short ones come");
	stop(&bare);
}

static void test_duplicates(void)
{
	const char *name = "queue1_fill_duplicates";
	struct stats *before;
	struct bare bare;
	unsigned int i;
	u64 addr;

	start(&bare, ZC_SG, &long_format);
	before = stats_read();
	/* twice each, beside one another: one packet would have them both */
	for (i = 0; i < 64; i++) {
		addr = i * CHUNK;
		bare_post(&bare, &addr, 1);
		bare_post(&bare, &addr, 1);
	}
	/* and again, by addresses inside the same chunks */
	for (i = 0; i < 64; i++) {
		addr = i * CHUNK + 8 * i;
		bare_post(&bare, &addr, 1);
	}
	bare_kick(&bare);
	pause_ms(200);
	ktap_eq(stat_grown(before, name), 128, "duplicates: each is refused and counted");
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_eq(receive(&bare, &long_format, 20), 20, "duplicates: segments come all the same");
	ktap_eq(stat_grown(before, name), 128, "duplicates: a chunk that came back is none");
	stop(&bare);
}

static void test_bad_addresses(void)
{
	static const u64 bad[] = {
		(u64)CHUNKS * CHUNK, (u64)CHUNKS * CHUNK + 1, 1ull << 40, ~0ull, ~0ull - CHUNK,
		1ull << 63, (1ull << 48) + CHUNK,
	};
	struct packet packet;
	unsigned int got = 0;
	struct bare bare;

	start(&bare, ZC_SG, &short_format);
	bare_post_range(&bare, 10, 20);
	bare_post(&bare, bad, sizeof(bad) / sizeof(bad[0]));
	bare_post_range(&bare, 100, 20);
	bare_post(&bare, bad, sizeof(bad) / sizeof(bad[0]));
	bare_kick(&bare);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	while (bare_receive(&bare, &packet, 1000))
		got += payload_right(&bare, &packet, &short_format) &&
		       packet.desc[0].addr / CHUNK == (got < 20 ? 10 + got : 80 + got);
	ktap_eq(got, 40, "bad addresses: the 40 good chunks among them are used, no other");
	stop(&bare);
}

static void test_empty_fill_ring(void)
{
	const struct daq_hdr *hdr;
	struct packet packet;
	struct bare bare;
	u64 before, dropped;

	start(&bare, ZC_SG, &short_format);
	before = counter("drop_no_buffer");
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_ok(!bare_receive(&bare, &packet, 500), "empty fill ring: nothing comes");
	ktap_ok(xsk_ring_prod__needs_wakeup(&bare.fill), "empty fill ring: the driver asks for a kick");
	bare_post_range(&bare, 0, 256);
	bare_kick(&bare);
	if (!bare_receive(&bare, &packet, 5000))
		ktap_die("no segment after the refill");
	hdr = packet_header(&bare, &packet);
	ktap_ok(hdr->flags & DAQ_HDR_F_OVERRUN, "empty fill ring: the first segment tells of the loss");
	quiesce();
	dropped = counter("drop_no_buffer") + counter("drop_fifo_overrun");
	/* A kicked card may have lost some more since, which is counted at once. */
	ktap_ok(be64toh(hdr->dropped) == dropped ||
		(card_is_kicked() && be64toh(hdr->dropped) < dropped),
		"empty fill ring: with the number that ethtool shows");
	ktap_ok(counter("drop_no_buffer") > before + 3, "empty fill ring: there was a loss");
	stop(&bare);
}

static void test_full_rx_ring(void)
{
	u64 before;
	struct bare bare;

	bare_rx_size = 64;
	start(&bare, ZC_SG, &short_format);
	before = counter("drop_ring_full");
	bare_post_range(&bare, 0, 1024);
	bare_kick(&bare);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	pause_ms(1500);
	quiesce();
	ktap_ok(counter("drop_ring_full") > before,
		"full RX ring: segments are dropped and counted");
	ktap_eq(counter("drop_ring_full") - before, bare_ring_full(&bare),
		"full RX ring: the socket counts the same");
	ktap_eq(receive(&bare, &short_format, 64), 64, "full RX ring: what it held is right");
	ktap_eq(stats_missing(stats_read(), QUEUE), 0, "full RX ring: produced = delivered + dropped");
	bare_close(&bare);
	bare_rx_size = 2 * CHUNKS;
}

static void test_binding(void)
{
	struct bare first, second;

	start(&first, ZC_SG, &short_format);
	ktap_eq(bare_open(&second, QUEUE, ZC_SG, NULL), -EBUSY,
		"bind: a queue has one owner");
	ktap_eq(bare_open(&second, 200, ZC_SG, NULL), -EINVAL, "bind: no such queue");
	bare_post_range(&first, 0, 256);
	bare_kick(&first);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_eq(receive(&first, &short_format, 10), 10, "bind: the owner is not disturbed");
	stop(&first);

	/* bound while the link is down, filled later */
	card_up(false);
	set_formats(QUEUE, QUEUE, &short_format);
	ktap_eq(bare_open(&first, QUEUE, ZC_SG, NULL), 0, "bind: works while the link is down");
	steer_channel(QUEUE, &first);
	bare_post_range(&first, 0, 256);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	card_up(true);
	bare_kick(&first);
	ktap_eq(receive(&first, &short_format, 10), 10, "bind: and data flow once it is up");
	card_up(false);
	pause_ms(50);
	card_up(true);
	/* chunks that the card had were lost to the program by the stop */
	bare_post_range(&first, 256, 256);
	bare_kick(&first);
	ktap_eq(receive(&first, &short_format, 10), 10, "bind: and again after down and up");
	stop(&first);
}

static bool mtu_is_granted(unsigned int mtu)
{
	return !shell("ip link set %s mtu %u 2>/dev/null", card_ifname(2), mtu);
}

static void test_mtu(void)
{
	struct bare bare;

	start(&bare, XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP, &short_format);
	ktap_ok(mtu_is_granted(3814), "MTU: as much as fits a chunk");
	ktap_ok(!mtu_is_granted(3815), "MTU: no more");
	stop(&bare);
	ktap_ok(mtu_is_granted(9000), "MTU: unless there is no socket any more");
	ktap_ok(mtu_is_granted(1500), "MTU: and back");
}

int main(void)
{
	unsigned int c;

	ktap_begin();
	card_ifname(2);
	steer_attach();
	test_zero_copy();
	test_copy();
	test_no_sg();
	test_duplicates();
	test_bad_addresses();
	test_empty_fill_ring();
	test_full_rx_ring();
	test_binding();
	test_mtu();
	quiesce();
	for (c = 0; c < 2; c++)
		ktap_eq(stats_missing(stats_read(), c), 0,
			"channel %u: after all that, produced = delivered + dropped", c);
	return ktap_end();
}
