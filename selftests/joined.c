// SPDX-License-Identifier: GPL-2.0
/*
 * Joined chunks, see DAQ_HDR_F_JOINED: who asks for them gets one descriptor for the whole
 * payload where chunks adjoin, and one for each where they do not. No chunk is lost
 * whatever becomes of the packet.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <net/if.h>
#include <string.h>
#include "guest.h"
#include "joined.skel.h"

#define QUEUE		1
#define PAGES		15		/* of a segment */
#define GIVEN		(4 * (PAGES + 1))	/* chunks: for a few segments */
#define MANY		40		/* segments: more than there are chunks for */
#define VETH		"daqtv0"
#define VETH_FAR	"daqtv1"

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = PAGES * CHUNK, .frame_bytes = PAGES * CHUNK,
	.rate = 40 * PAGES * CHUNK / 2,
};

static struct joined_bpf *programs;
static struct bare bare;

static void load(void)
{
	programs = joined_bpf__open();
	if (!programs)
		ktap_die("cannot open the programs: %m");
	programs->rodata->elsewhere = if_nametoindex(VETH);
	if (joined_bpf__load(programs))
		ktap_die("cannot load the programs: %m");
}

static void attach(const struct bpf_program *program)
{
	xdp_attach(card_ifname(2), bpf_program__fd(program));
}

static u64 counter(const char *name)
{
	return stat_of(stats_read(), "ch%u_%s", QUEUE, name);
}

static void start(void)
{
	u32 queue = QUEUE;
	int fd;

	set_formats(QUEUE, QUEUE, &format);
	if (bare_open(&bare, QUEUE, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL))
		ktap_die("cannot bind");
	fd = xsk_socket__fd(bare.xsk);
	if (bpf_map_update_elem(bpf_map__fd(programs->maps.sockets), &queue, &fd, 0))
		ktap_die("cannot steer: %m");
	attach(programs->progs.to_socket);
}

static void stop(void)
{
	quiesce();
	bare_close(&bare);
}

/* Chunks in the order of their addresses, or against it. */
static void post(bool backwards)
{
	u64 addrs[GIVEN];
	unsigned int i;

	for (i = 0; i < GIVEN; i++)
		addrs[i] = (backwards ? GIVEN - 1 - i : i) * (u64)CHUNK;
	bare_post(&bare, addrs, GIVEN);
	bare_kick(&bare);
}

static bool right_payload(const struct packet *packet, size_t len)
{
	const struct daq_hdr *hdr = packet_header(&bare, packet);
	u64 at = be64toh(hdr->sample) * format.sample_bytes;
	unsigned int i;

	/* the driver has taken the request out of the header */
	if (packet_len(packet) != DAQ_HDR_LEN + len || packet->desc[0].len != DAQ_HDR_LEN ||
	    (hdr->flags & DAQ_HDR_F_JOINED))
		return false;
	for (i = 1; i < packet->count; at += packet->desc[i++].len)
		if (!is_counter(bare.memory + packet->desc[i].addr, packet->desc[i].len, at))
			return false;
	return true;
}

/* All chunks of all descriptors, in the order in which they came. */
static void give_back(const struct packet *packet)
{
	unsigned int i;

	for (i = 0; i < packet->count; i++)
		bare_post_range(&bare, packet->desc[i].addr / CHUNK,
				(packet->desc[i].len + CHUNK - 1) / CHUNK);
	bare_kick(&bare);
}

/* How many of so many packets were right, each with that many descriptors; 0: any. */
static unsigned int receive(unsigned int count, unsigned int descs, size_t len)
{
	unsigned int right = 0;
	struct packet packet;

	while (count && bare_receive(&bare, &packet, 5000 * test_scale())) {
		/* A header by itself tells of a loss before. */
		if (packet_header(&bare, &packet)->payload_len) {
			right += right_payload(&packet, len) &&
				 (!descs || packet.count == descs);
			count--;
		}
		give_back(&packet);
	}
	return right;
}

static void test_order(void)
{
	start();
	post(false);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_eq(receive(MANY, 2, format.segment_bytes), MANY,
		"in order: a header, and the payload as one; the chunks go round");
	attach(programs->progs.cut_off);
	/* What was received before the change is whole. */
	receive(GIVEN / (PAGES + 1), 0, format.segment_bytes - 2048);
	ktap_eq(receive(MANY, 2, format.segment_bytes - 2048), MANY,
		"cut off in the last chunk: as one, up to there");
	stop();

	start();
	post(true);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_eq(receive(1, PAGES + 1, format.segment_bytes), 1,
		"backwards: chunks that do not adjoin come one by one");
	stop();
}

/* Until many segments have gone another way, with chunks for a few. */
static bool use_up(const struct bpf_program *program)
{
	u64 from = counter("produced");
	unsigned int i;

	attach(program);
	for (i = 0; i < 100; i++) {
		pause_ms(100);
		if (counter("produced") - from >= 2 * MANY)
			return true;
	}
	return false;
}

static void test_elsewhere(const char *what, const struct bpf_program *program)
{
	start();
	post(false);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	ktap_ok(use_up(program), "%s: many segments", what);
	attach(programs->progs.to_socket);
	ktap_eq(receive(MANY, 0, format.segment_bytes), MANY,
		"%s: all chunks are back, for a socket gets segments again", what);
	quiesce();
	ktap_eq(stats_missing(stats_read(), QUEUE), 0, "%s: nothing is missing in the account",
		what);
	stop();
}

static void test_full_ring(void)
{
	u64 before;

	/* the kernel wants room for a descriptor for each chunk */
	bare_rx_size = 16;
	start();
	before = counter("drop_ring_full");
	post(false);
	set_source(QUEUE, QUEUE, DAQ_SOURCE_COUNTER);
	pause_ms(1000);
	ktap_ok(counter("drop_ring_full") > before, "full RX ring: segments are dropped");
	ktap_eq(receive(MANY, 0, format.segment_bytes), MANY,
		"full RX ring: no chunk was lost with them");
	stop();
	bare_rx_size = 2 * CHUNKS;
}

static void clean_up(void)
{
	shell("ip link del " VETH " 2>/dev/null");
}

int main(void)
{
	ktap_begin();
	card_ifname(2);
	atexit(clean_up);
	if (shell("ip link add " VETH " type veth peer name " VETH_FAR " && "
		  "ip link set " VETH " mtu 9000 up && ip link set " VETH_FAR " mtu 9000 up"))
		ktap_die("cannot make a pair of veth");
	load();
	/* without a program there it would take nothing */
	xdp_attach(VETH_FAR, bpf_program__fd(programs->progs.pass));
	test_order();
	test_elsewhere("another interface", programs->progs.to_elsewhere);
	test_elsewhere("dropped", programs->progs.drop);
	test_full_ring();
	xdp_attach(card_ifname(2), -1);
	joined_bpf__destroy(programs);
	return ktap_end();
}
