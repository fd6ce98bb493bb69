// SPDX-License-Identifier: GPL-2.0
/*
 * Who gets what: two sockets on one queue each get their own channel, the network
 * stack gets what is no segment, and nobody gets a segment that contradicts itself.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>
#include "guest.h"

#define CHANNELS	4
#define FOREIGN		0x88b6	/* the other "local experimental" EtherType */

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = 6000, .frame_bytes = 12000, .rate = 90000,
};

static void set_queues(const char *how)
{
	card_up(false);
	if (shell("ethtool -X %s %s", card_ifname(CHANNELS), how))
		ktap_die("ethtool -X %s", how);
	card_up(true);
}

static void test_shared_queue(void)
{
	unsigned int got[2] = { 0 }, strays = 0, wrong = 0, c;
	u64 end = now_ms() + 15000;
	struct bare bare[2];
	struct packet packet;

	set_queues("equal 1");
	set_formats(0, CHANNELS - 1, &format);
	if (bare_open(&bare[0], 0, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL) ||
	    bare_open(&bare[1], 0, 0, &bare[0]))
		ktap_die("cannot bind two sockets to one queue");
	ktap_ok(bare_zero_copy(&bare[0]) && bare_zero_copy(&bare[1]),
		"shared queue: two sockets, both without a copy");
	/* channel numbers that are not the queue's */
	steer_channel(1, &bare[0]);
	steer_channel(3, &bare[1]);
	bare_post_range(&bare[0], 0, 512);
	bare_kick(&bare[0]);
	set_source(1, 3, DAQ_SOURCE_COUNTER);
	while ((got[0] < 30 || got[1] < 30) && now_ms() < end) {
		for (c = 0; c < 2; c++) {
			const struct daq_hdr *hdr;

			if (!bare_receive(&bare[c], &packet, 5))
				continue;
			hdr = packet_header(&bare[c], &packet);
			strays += ntohs(hdr->channel) != 1 + 2 * c;
			wrong += packet.count != 3 ||
				 !is_counter(bare[c].memory + packet.desc[1].addr, 4096,
					     2 * be64toh(hdr->sample));
			got[c]++;
			bare_return(&bare[0], &packet);
		}
	}
	ktap_ok(got[0] >= 30 && got[1] >= 30, "shared queue: both channels arrive");
	ktap_eq(strays, 0, "shared queue: each socket gets its own channel only");
	ktap_eq(wrong, 0, "shared queue: and its data");
	quiesce();
	ktap_ok(stat_of(stats_read(), "ch2_stack") > 10,
		"shared queue: a channel without a socket goes to the network stack");
	for (wrong = 0, c = 0; c < CHANNELS; c++)
		wrong += stats_missing(stats_read(), c) != 0;
	ktap_eq(wrong, 0, "shared queue: produced = delivered + dropped on every channel");
	bare_close(&bare[1]);
	bare_close(&bare[0]);
	set_queues("default");
}

/* Input c hears output c, so that a packet comes back whichever queue it takes. */
static void loop_all(void)
{
	struct daq_format loop = { .source = DAQ_SOURCE_LOOPBACK };
	unsigned int c;

	for (c = 0; c < CHANNELS; c++) {
		loop.loop_from = c;
		if (daq_card__set_format(card_open(), c, &loop,
					 DAQ_FORMAT_SOURCE | DAQ_FORMAT_LOOP_FROM) < 0)
			ktap_die("%s", daq_errmsg());
	}
}

static bool comes_back(int fd, u8 *packet, size_t len)
{
	u8 back[20000];
	size_t i;

	for (i = 14; i < len; i++)
		packet[i] = i * 13 + len;
	packet_send(fd, packet, len);
	return packet_receive(fd, back, sizeof(back), 3000) == (int)len &&
	       !memcmp(packet, back, len);
}

static void test_foreign_packets(void)
{
	static const char *const owners[] = { "without a socket", "beside zero-copy sockets" };
	u8 packet[9014] = { 0 };
	struct bare bare[CHANNELS];
	unsigned int with, c;
	int fd;

	if (shell("ip link set %s mtu 9000", card_ifname(CHANNELS)))
		ktap_die("MTU 9000");
	fd = packet_socket(FOREIGN);
	card_mac(packet);
	packet[12] = FOREIGN >> 8;
	packet[13] = FOREIGN & 0xff;
	for (with = 0; with < 2; with++) {
		for (c = 0; with && c < CHANNELS; c++) {
			if (bare_open(&bare[c], c, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP,
				      NULL))
				ktap_die("cannot bind");
			bare_post_range(&bare[c], 0, 512);
			bare_kick(&bare[c]);
			steer_channel(c, &bare[c]);
		}
		loop_all();
		ktap_ok(comes_back(fd, packet, 60),
			"foreign packets, %s: the shortest goes to the stack", owners[with]);
		ktap_ok(comes_back(fd, packet, 1514),
			"foreign packets, %s: an ordinary one too", owners[with]);
		ktap_ok(comes_back(fd, packet, 9014),
			"foreign packets, %s: and one of several buffers", owners[with]);
	}
	quiesce();
	for (c = 0; c < CHANNELS; c++)
		bare_close(&bare[c]);
}

static u64 sum_of(const struct stats *stats, const char *name)
{
	unsigned int c;
	u64 sum = 0;

	for (c = 0; c < CHANNELS; c++)
		sum += stat_of(stats, "ch%u_%s", c, name);
	return sum;
}

/* Sends one segment; whether only the counter @name and nobody else got it. */
static bool refused(int fd, const struct daq_hdr *hdr, size_t len, const char *name)
{
	struct stats *before = stats_read(), *after;
	u8 packet[1514] = { 0 };
	unsigned int c;
	bool good = true;

	memcpy(packet, hdr, sizeof(*hdr));
	packet_send(fd, packet, len);
	pause_ms(300);
	after = stats_read();
	for (c = 0; c < CHANNELS; c++)
		good &= !stats_missing(after, c);
	return good && sum_of(after, name) == sum_of(before, name) + 1 &&
	       sum_of(after, "socket") == sum_of(before, "socket") &&
	       sum_of(after, "stack") == sum_of(before, "stack");
}

static struct daq_hdr segment(u32 payload)
{
	struct daq_hdr hdr = {
		.ethertype = htons(DAQ_ETHERTYPE), .version = DAQ_HDR_VERSION,
		.flags = DAQ_HDR_F_SOF | DAQ_HDR_F_EOF,
		.payload_len = htonl(payload), .frame_len = htonl(payload),
	};

	card_mac(hdr.dst);
	return hdr;
}

static void test_malformed_segments(void)
{
	struct stats *before = stats_read();
	int fd = packet_socket(DAQ_ETHERTYPE);
	struct daq_hdr hdr = segment(1000);
	unsigned int c;
	u64 malformed = 0;

	loop_all();
	hdr.payload_len = htonl(999);
	ktap_ok(refused(fd, &hdr, 1064, "tx_bad"), "malformed: payload length too small");
	hdr.payload_len = htonl(0xffffffc0);
	ktap_ok(refused(fd, &hdr, 1064, "tx_bad"), "malformed: payload length of 4 GiB");
	hdr = segment(1000);
	hdr.version = 9;
	ktap_ok(refused(fd, &hdr, 1064, "tx_bad"), "malformed: unknown version");
	hdr = segment(0);
	ktap_ok(refused(fd, &hdr, 64, "tx_bad"), "malformed: no payload");
	hdr = segment(1000);
	hdr.frame_len = htonl(DAQ_MAX_FRAME_BYTES + 1);
	ktap_ok(refused(fd, &hdr, 1064, "drop_xdp"), "malformed: frame longer than any may be");
	hdr.frame_len = htonl(0xffffffff);
	ktap_ok(refused(fd, &hdr, 1064, "drop_xdp"), "malformed: frame of 4 GiB");
	for (c = 0; c < CHANNELS; c++)
		malformed += steer_malformed(c);
	ktap_eq(malformed, 2, "malformed: the steering program has counted what it dropped");

	/* the channel is still good for a real one: no socket, so the stack gets it */
	hdr = segment(1000);
	hdr.channel = htons(4711);
	before = stats_read();
	packet_send(fd, memcpy((u8[1064]){ 0 }, &hdr, sizeof(hdr)), 1064);
	pause_ms(300);
	ktap_eq(sum_of(stats_read(), "stack") - sum_of(before, "stack"), 1,
		"malformed: a good segment still comes through, whatever channel its sender wrote");
}

int main(void)
{
	ktap_begin();
	card_ifname(CHANNELS);
	steer_attach();
	test_shared_queue();
	test_foreign_packets();
	test_malformed_segments();
	quiesce();
	return ktap_end();
}
