// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer that stops and goes on at random, which must never stall, and ones that
 * write garbage to all that they share with the kernel, which must harm nobody else.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include "guest.h"

#define GOOD	0
#define BAD	1
#define ZC_SG	(XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP)

static u64 state = 20261122;

static u32 random32(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

static void open_channel(struct bare *bare, unsigned int channel)
{
	int err = bare_open(bare, channel, ZC_SG, NULL);

	if (err)
		ktap_die("bind: %s", strerror(-err));
	steer_channel(channel, bare);
}

static bool whole(const struct bare *bare, const struct packet *packet, unsigned int channel)
{
	const struct daq_hdr *hdr = packet_header(bare, packet);

	return hdr->ethertype == __builtin_bswap16(DAQ_ETHERTYPE) &&
	       hdr->channel == __builtin_bswap16(channel);
}

/*
 * All chunks stay away until none is left with the card, then some come back, and the
 * driver is told only if it has asked for that.
 */
static void test_stop_and_go(void)
{
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 6000, .frame_bytes = 24000, .rate = 12000000,
	};
	unsigned int rounds = scaled(1500), round, i, stalls = 0, kicks = 0, kept = 0;
	static struct packet packets[CHUNKS];
	struct bare bare;

	set_formats(GOOD, GOOD, &format);
	open_channel(&bare, GOOD);
	/* 80 packets of two each: with fewer than 64 the driver asks for a wake-up */
	bare_post_range(&bare, 0, 160);
	bare_kick(&bare);
	set_source(GOOD, GOOD, DAQ_SOURCE_COUNTER);
	for (round = 0; round < rounds && stalls < 3; round++) {
		unsigned int keep = random32() % 81;

		while (kept < keep && bare_receive(&bare, &packets[kept], 0))
			kept++;
		if (random32() % 2)
			pause_ms(random32() % 3);
		for (i = random32() % (kept + 1); i; i--)
			bare_return(&bare, &packets[--kept]);
		if (kept > 75)
			while (kept)
				bare_return(&bare, &packets[--kept]);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (xsk_ring_prod__needs_wakeup(&bare.fill)) {
			kicks++;
			bare_kick(&bare);
		}
		if (kept < 60 && !bare_receive(&bare, &packets[kept++], 10000)) {
			kept--;
			stalls++;
		}
	}
	printf("# %u rounds, %u wake-ups asked for\n", round, kicks);
	ktap_eq(stalls, 0, "stop and go: data come whenever there is room");
	ktap_ok(kicks > 0, "stop and go: the driver has asked for wake-ups");
	quiesce();
	ktap_eq(stats_missing(stats_read(), GOOD), 0, "stop and go: nothing is missing in the account");
	bare_close(&bare);
}

static void write_garbage(struct bare *bad)
{
	u64 addr = (u64)random32() << 32 | random32();
	u32 index;

	switch (random32() % 8) {
	case 0:
		if (xsk_ring_prod__reserve(&bad->fill, 1, &index) == 1) {
			*xsk_ring_prod__fill_addr(&bad->fill, index) = addr;
			xsk_ring_prod__submit(&bad->fill, 1);
		}
		break;
	case 1: /* a chunk that may be with the card already */
		if (xsk_ring_prod__reserve(&bad->fill, 1, &index) == 1) {
			*xsk_ring_prod__fill_addr(&bad->fill, index) = random32() % CHUNKS * CHUNK;
			xsk_ring_prod__submit(&bad->fill, 1);
		}
		break;
	case 2:
	case 3:
		if (xsk_ring_prod__reserve(&bad->tx, 1, &index) == 1) {
			struct xdp_desc *desc = xsk_ring_prod__tx_desc(&bad->tx, index);

			desc->addr = random32() % 2 ? addr : random32() % (CHUNKS * CHUNK);
			desc->len = random32() % 2 ? random32() : random32() % 5000;
			desc->options = random32() % 3 ? random32() % 4 : random32();
			xsk_ring_prod__submit(&bad->tx, 1);
		}
		break;
	case 4: /* the memory, headers and metadata in it included */
		memset(bad->memory + random32() % (CHUNKS * CHUNK - 4096), random32(),
		       random32() % 4096);
		break;
	case 5:
		if (random32() % 16 == 0)
			*bad->fill.producer = random32();
		break;
	case 6:
		if (random32() % 16 == 0)
			*bad->rx.consumer = random32();
		break;
	case 7:
		if (random32() % 16 == 0)
			*bad->completion.consumer = random32();
		break;
	}
	if (random32() % 4 == 0)
		bare_kick(bad);
	if (random32() % 4 == 0)
		bare_kick_tx(bad);
}

static u64 not_taken(unsigned int channel)
{
	struct stats *stats = stats_read();

	return stats_dropped(stats, channel) - stats_overrun(stats, channel);
}

static void test_garbage(void)
{
	/* The good one's chunks last for 5 s, in which the bad one's socket comes or goes. */
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 12288, .frame_bytes = 24576, .rate = 307200,
	};
	unsigned int lives = scaled(12), rounds = 4000, life, i, got = 0, wrong = 0;
	struct packet packet;
	struct bare good, bad;
	u64 dropped;

	set_lossless_formats(GOOD, BAD, &format);
	open_channel(&good, GOOD);
	bare_post_range(&good, 0, CHUNKS);
	bare_kick(&good);
	dropped = not_taken(GOOD);
	set_source(GOOD, BAD, DAQ_SOURCE_COUNTER);
	bare_metadata_len = 16;
	for (life = 0; life < lives; life++) {
		open_channel(&bad, BAD);
		bare_post_range(&bad, 0, 256);
		bare_kick(&bad);
		for (i = 0; i < rounds; i++) {
			write_garbage(&bad);
			while (bare_receive(&good, &packet, 0)) {
				got++;
				wrong += !whole(&good, &packet, GOOD) || packet.count != 4;
				bare_return(&good, &packet);
			}
		}
		bare_close(&bad);
	}
	bare_metadata_len = 0;
	ktap_ok(got > lives, "garbage: the neighbour got %u segments meanwhile", got);
	ktap_eq(wrong, 0, "garbage: all of them right");

	open_channel(&bad, BAD);
	bare_post_range(&bad, 0, 512);
	bare_kick(&bad);
	ktap_ok(bare_receive(&bad, &packet, 10000) && whole(&bad, &packet, BAD),
		"garbage: the queue works for the next socket");
	quiesce();
	while (bare_receive(&good, &packet, 0))
		bare_return(&good, &packet);
	ktap_eq(not_taken(GOOD), dropped, "garbage: the neighbour lost nothing");
	ktap_ok(stats_missing(stats_read(), GOOD) == 0 && stats_missing(stats_read(), BAD) == 0,
		"garbage: nothing is missing in the accounts");
	printf("# %llu chunks posted twice were refused\n",
	       (unsigned long long)stat_of(stats_read(), "queue%u_fill_duplicates", BAD));
	bare_close(&bad);
	bare_close(&good);
}

static volatile bool ending;

/* At the end of a packet's first chunk is the kernel's list of the others. */
static void *scribble(void *arg)
{
	struct bare *bare = arg;
	unsigned int i;

	while (!ending)
		for (i = 0; i < 64; i++)
			memset(bare->memory + (i + 1) * CHUNK - 320, random32(), 320);
	return NULL;
}

/* Without a program everything goes to the stack, by copies of all buffers. */
static void test_list(void)
{
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 12288, .frame_bytes = 24576, .rate = 2457600,
	};
	struct stats *before = stats_read();
	pthread_t thread;
	struct bare bare;
	int err;

	set_formats(BAD, BAD, &format);
	err = bare_open(&bare, BAD, ZC_SG, NULL);
	if (err)
		ktap_die("bind: %s", strerror(-err));
	bare_post_range(&bare, 0, 64);
	bare_kick(&bare);
	pthread_create(&thread, NULL, scribble, &bare);
	set_source(BAD, BAD, DAQ_SOURCE_COUNTER);
	pause_ms(3000);
	quiesce();
	ending = true;
	pthread_join(thread, NULL);
	ktap_ok(stat_grown(before, "ch1_stack") > 10,
		"list: the stack gets packets whose list of buffers a program writes to");
	ktap_eq(stats_missing(stats_read(), BAD), 0, "list: nothing is missing in the account");
	bare_close(&bare);
}

int main(void)
{
	ktap_begin();
	card_ifname(4);
	steer_attach();
	test_stop_and_go();
	test_garbage();
	steer_detach();
	test_list();
	return ktap_end();
}
