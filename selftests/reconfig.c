// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever is changed while data flow, one channel with a zero-copy socket loses nothing
 * that it need not lose: its neighbour's socket comes, goes and is killed, channels move,
 * queues go and come back, rings, MTU and the XDP program change. And after each of it,
 * what the card produced is what was delivered and what was dropped and counted.
 *
 * REBINDS=  how often the neighbour's socket is bound and closed (default: 1000)
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	4
#define WATCHED		0	/* the channel that must not notice */
#define NEIGHBOUR	1	/* the one whose socket comes and goes */
#define ZC_SG		(XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP)

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 4096, .rate = 102400,
};

#define SAMPLES		512	/* of a segment */

/* ---- The consumer of the channel that is watched ---- */

static struct bare watched;

/* What it has seen; of its thread, read when that has been idle. */
static struct {
	u64 segments;
	u64 gaps;	/* segments missing, by the samples */
	u64 wrong;	/* segments with other data than they should have */
	u64 next;	/* sample */
} seen;

static volatile bool ending;

static void note(const struct packet *packet)
{
	const struct daq_hdr *hdr = packet_header(&watched, packet);
	size_t len = packet_len(packet) - DAQ_HDR_LEN;	/* 0 when it only tells of a loss */
	u64 sample = be64toh(hdr->sample);

	seen.wrong += !is_counter(hdr + 1, len, sample * format.sample_bytes);
	if (seen.segments)
		seen.gaps += (sample - seen.next) / SAMPLES;
	seen.next = sample + len / format.sample_bytes;
	seen.segments++;
}

static void *consume(void *arg)
{
	struct packet packet;

	(void)arg;
	while (!ending) {
		if (!bare_receive(&watched, &packet, 100))
			continue;
		note(&packet);
		bare_return(&watched, &packet);
	}
	return NULL;
}

/* ---- Checks ---- */

static u64 counter(const char *name, unsigned int channel)
{
	return stat_of(stats_read(), "ch%u_%s", channel, name);
}

/* Waits until the consumer has got some segments more. */
static bool flows(unsigned int segments)
{
	u64 from = __atomic_load_n(&seen.segments, __ATOMIC_RELAXED), end = now_ms() + 10000;

	while (__atomic_load_n(&seen.segments, __ATOMIC_RELAXED) < from + segments)
		if (now_ms() > end)
			return false;
		else
			pause_ms(5);
	return true;
}

/* As quiesce(), which would take the consumer's wake-ups for a sign of life. */
static void settle(void)
{
	unsigned int c, calm = 0;
	u64 sum = 0, before;

	set_source(0, CHANNELS - 1, DAQ_SOURCE_NONE);
	while (calm < 4) {
		struct stats *stats;

		pause_ms(100);
		stats = stats_read();
		before = sum;
		for (sum = 0, c = 0; c < CHANNELS; c++)
			sum += 2 * stat_of(stats, "ch%u_produced", c) - stats_missing(stats, c);
		calm = sum == before ? calm + 1 : 0;
	}
}

static u64 overrun(const struct stats *before, const struct stats *after, unsigned int channel)
{
	return stats_overrun(after, channel) - stats_overrun(before, channel);
}

/*
 * All sources pause; then everything must add up, and the watched channel may have lost
 * only what it is said to: @lost is the card's count of that, or NULL for nothing.
 */
static void check(const char *what, const struct stats *before, const char *lost)
{
	unsigned int c, unbalanced = 0, stopped = 0;
	static struct stats *settled;
	static u64 gaps;
	struct stats *after;
	u64 missing;

	ktap_ok(flows(20), "%s: data go on", what);
	settle();
	after = stats_read();
	for (c = 0; c < CHANNELS; c++) {
		if (stats_missing(after, c))
			printf("# channel %u: %lld segments unaccounted for\n", c,
			       stats_missing(after, c));
		unbalanced += stats_missing(after, c) != 0;
		stopped += stat_of(after, "ch%u_drop_stopped", c);
	}
	missing = seen.gaps - gaps;
	gaps = seen.gaps;
	printf("# %s: channel %u has lost %llu\n", what, WATCHED, (unsigned long long)missing);
	/* not since before: the data have flowed for a moment then */
	missing -= overrun(settled ? settled : before, after, WATCHED);
	settled = after;
	ktap_eq(missing, lost ? stat_of(after, "ch%u_%s", WATCHED, lost) -
				stat_of(before, "ch%u_%s", WATCHED, lost) : 0,
		"%s: the channel with a socket has lost %s", what, lost ? lost : "nothing");
	ktap_eq(unbalanced, 0, "%s: produced = delivered + dropped on every channel", what);
	ktap_eq(stopped, 0, "%s: nothing that was complete was dropped with a queue", what);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
}

static void command(const char *what, const char *arguments)
{
	if (shell("%s %s %s", what, card_ifname(CHANNELS), arguments))
		ktap_die("%s %s", what, arguments);
}

/* ---- The neighbour ---- */

/* A socket with little memory: to have it bound and filled is all that it is for. */
static void neighbour_open(struct bare *bare)
{
	struct xsk_umem_config umem = {
		.fill_size = 64, .comp_size = 64, .frame_size = CHUNK,
	};
	struct xsk_socket_config config = {
		.rx_size = 64, .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = ZC_SG,
	};
	static char memory[64 * CHUNK] __attribute__((aligned(CHUNK)));
	int err, try;

	memset(bare, 0, sizeof(*bare));
	bare->memory = memory;
	err = xsk_umem__create(&bare->umem, memory, sizeof(memory), &bare->fill, &bare->completion,
			       &umem);
	if (err)
		ktap_die("xsk_umem__create: %s", strerror(-err));
	/* The kernel lets go of the last one some milliseconds after it is closed. */
	for (try = 0; try < 500; try++) {
		err = xsk_socket__create(&bare->xsk, card_ifname(CHANNELS), NEIGHBOUR, bare->umem,
					 &bare->rx, &bare->tx, &config);
		if (err != -EBUSY)
			break;
		pause_ms(2);
	}
	if (err)
		ktap_die("binding the neighbour's socket: %s", strerror(-err));
	bare_post_range(bare, 0, 48);
	bare_kick(bare);
	steer_channel(NEIGHBOUR, bare);
}

static void neighbour_close(struct bare *bare)
{
	xsk_socket__delete(bare->xsk);
	xsk_umem__delete(bare->umem);
}

/* A process that has it bound, and is killed. */
static void neighbour_killed(void)
{
	struct bare bare;
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		ktap_die("pipe: %m");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		neighbour_open(&bare);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		ktap_die("the neighbour did not come up");
	close(ready[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static unsigned int rebinds(void)
{
	const char *wanted = getenv("REBINDS");

	return wanted ? strtoul(wanted, NULL, 10) : scaled(1000);
}

static void test_neighbour(void)
{
	u64 got = counter("socket", NEIGHBOUR), killed = counter("frames", NEIGHBOUR);
	struct stats *before = stats_read();
	unsigned int i, count = rebinds();
	u64 began = now_ms();
	struct bare bare;

	for (i = 0; i < count; i++) {
		neighbour_open(&bare);
		neighbour_close(&bare);
	}
	printf("# bound and closed %u times in %llu ms\n", count,
	       (unsigned long long)(now_ms() - began));
	check("neighbour bound and closed", before, NULL);
	ktap_ok(counter("socket", NEIGHBOUR) > got, "neighbour bound and closed: it got data too");

	before = stats_read();
	for (i = 0; i < count / 10; i++)
		neighbour_killed();
	check("neighbour killed", before, NULL);
	neighbour_open(&bare);
	ktap_ok(flows(20) && counter("frames", NEIGHBOUR) > killed,
		"neighbour killed: its queue is good for another one");
	neighbour_close(&bare);
	/* Nor does that restart of its queue count among those to come. */
	check("neighbour gone", before, NULL);
}

/* ---- What else changes ---- */

static u64 dropped_since(const struct stats *before)
{
	struct stats *after = stats_read();
	unsigned int c;
	u64 sum = 0;

	for (c = 0; c < CHANNELS; c++)
		sum += stats_dropped(after, c) - stats_dropped(before, c) -
		       overrun(before, after, c);
	return sum;
}

static void defer_polls(unsigned int irqs, unsigned int ns)
{
	const char *name = card_ifname(CHANNELS);

	if (shell("cd /sys/class/net/%s && echo %u >napi_defer_hard_irqs &&"
		  "echo %u >gro_flush_timeout", name, irqs, ns))
		ktap_die("cannot defer polls");
}

static void test_moves(void)
{
	struct stats *before = stats_read();
	unsigned int i;

	/* The driver looks every 20 ms only: when a channel moves, something is still there. */
	defer_polls(1000000, 20000000);
	for (i = 0; i < 10; i++) {
		command("ethtool -X", "weight 1 2 1 0");
		command("ethtool -X", "weight 1 0 0 3");
		command("ethtool -X", "default");
	}
	check("channels moved", before, NULL);
	ktap_eq(dropped_since(before), 0,
		"channels moved: nor has any of those that moved");

	before = stats_read();
	for (i = 0; i < 10; i++) {
		command("ethtool -L", "combined 1");
		command("ethtool -L", "combined 3");
		command("ethtool -L", "combined 4");
	}
	defer_polls(0, 0);
	check("queues taken away and given back", before, NULL);
	ktap_eq(dropped_since(before), 0,
		"queues taken away and given back: nor has any other channel");
}

static void test_restarts(void)
{
	struct stats *before = stats_read();
	unsigned int i;

	for (i = 0; i < 5; i++) {
		command("ethtool -G", "rx 64 tx 128");
		command("ethtool -G", "rx 8192");
		command("ethtool -G", "rx 1024 tx 4096");
	}
	check("rings of other sizes", before, "drop_no_buffer");
}

static void test_settings(void)
{
	struct stats *before = stats_read();
	unsigned int i;

	for (i = 0; i < 10; i++) {
		command("ethtool -C", "rx-frames 8 rx-usecs 1000");
		command("ethtool -C", "rx-frames 1 rx-usecs 100000");
		steer_replace();
		if (shell("ip link set %s mtu %u", card_ifname(CHANNELS), i & 1 ? 1500 : 9000))
			ktap_die("MTU");
	}
	check("moderation, XDP program and MTU changed", before, NULL);
}

static void test_refusals(void)
{
	static const char *const refused[] = {
		"ethtool -G %s rx 100", "ethtool -G %s tx 65536", "ethtool -L %s combined 5",
		"ethtool -X %s weight 0 0 0 0 1", "ethtool -C %s rx-frames 0",
		"ethtool -C %s tx-usecs 10", "ip link set %s mtu 70000",
		"ethtool -N %s flow-type ether dst 02:00:00:00:00:00 action 0",
	};
	struct stats *before = stats_read();
	unsigned int i, granted = 0;
	char text[128];

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(text, sizeof(text), refused[i], card_ifname(CHANNELS));
		if (!shell("%s 2>/dev/null", text)) {
			printf("# not refused: %s\n", text);
			granted++;
		}
	}
	ktap_eq(granted, 0, "refused requests: all are");
	check("refused requests", before, NULL);
}

int main(void)
{
	pthread_t consumer;

	ktap_begin();
	card_ifname(CHANNELS);
	steer_attach();
	set_lossless_formats(0, CHANNELS - 1, &format);
	if (bare_open(&watched, WATCHED, ZC_SG, NULL))
		ktap_die("cannot bind");
	bare_post_range(&watched, 0, 1000);
	bare_kick(&watched);
	steer_channel(WATCHED, &watched);
	if (pthread_create(&consumer, NULL, consume, NULL))
		ktap_die("no thread");
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);

	test_neighbour();
	test_moves();
	test_restarts();
	test_settings();
	test_refusals();

	ending = true;
	pthread_join(consumer, NULL);
	ktap_eq(seen.wrong, 0, "all that the channel with a socket got was right");
	bare_close(&watched);
	return ktap_end();
}
