// SPDX-License-Identifier: GPL-2.0
/*
 * Output of zero-copy sockets: exact completions, the low watermark, underruns, TX
 * metadata, and packets that XDP programs send.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "guest.h"

#define QUEUE		1
#define RATE		20480
#define SEGMENT		1024	/* bytes: 25 ms at two bytes per sample */
#define ZC_SG		(XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP)
#define RING		4096	/* the card's */

/* As newer kernels have it; older ones know the first half of it. */
struct metadata {
	u64 flags;
	union {
		u64 stamp;
		u64 checksum;
	};
	u64 launch;
};

#define TXMD_LAUNCH	(1 << 2)

static struct bare bare;
static u32 frame;

static u64 counter(const char *name)
{
	return stat_of(stats_read(), "ch%u_%s", QUEUE, name);
}

static u64 queue_counter(const char *name)
{
	return stat_of(stats_read(), "queue%u_%s", QUEUE, name);
}

static void set_output(u64 rate, unsigned int low)
{
	struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = SEGMENT, .frame_bytes = SEGMENT,
		.rate = rate / test_scale(), .output_low = low,
	};
	unsigned int mask = DAQ_FORMAT_SAMPLE_BYTES | DAQ_FORMAT_SEGMENT_BYTES |
			    DAQ_FORMAT_FRAME_BYTES | DAQ_FORMAT_RATE | DAQ_FORMAT_OUTPUT_LOW;

	if (daq_card__set_format(card_open(), QUEUE, &format, mask) < 0)
		ktap_die("%s", daq_errmsg());
}

static void open_output(void)
{
	int err = bare_open(&bare, QUEUE, ZC_SG, NULL);

	if (err)
		ktap_die("bind: %s", strerror(-err));
}

/* A segment of one chunk; chunks go round, nobody looks at what they say. */
static void put_segment(unsigned int n, u8 flags, u32 options)
{
	u64 addr = (u64)(n % CHUNKS) * CHUNK + 256;
	struct daq_hdr *hdr = (void *)(bare.memory + addr);

	memset(hdr, 0, sizeof(*hdr));
	hdr->ethertype = htons(DAQ_ETHERTYPE);
	hdr->version = DAQ_HDR_VERSION;
	hdr->flags = DAQ_HDR_F_SOF | DAQ_HDR_F_EOF | flags;
	hdr->frame = htonl(frame++);
	hdr->payload_len = htonl(SEGMENT);
	hdr->frame_len = htonl(SEGMENT);
	bare_send(&bare, addr, DAQ_HDR_LEN + SEGMENT, options);
}

static void put_segments(unsigned int count)
{
	while (count--)
		put_segment(frame, 0, 0);
}

/* Completions until @count have come, or nothing has for two seconds. */
static unsigned int wait_for_completions(unsigned int count)
{
	u64 end = now_ms() + 2000;
	unsigned int n, sum = 0;

	while (sum < count && now_ms() < end) {
		n = bare_completed(&bare);
		sum += n;
		if (n)
			end = now_ms() + 2000;
		bare_kick_tx(&bare);
		pause_ms(1);
	}
	/* too many would be as bad */
	pause_ms(50);
	return sum + bare_completed(&bare);
}

/* As many as a ring has, one less, one more: each comes back, once. */
static void test_completions(void)
{
	static const unsigned int counts[] = { 1, 63, 64, 65, 1023, 1024, 1025, 4095, 4096, 4097 };
	unsigned int i, sent, done, wrong = 0;
	u64 played;

	set_output(100000000, 0);
	open_output();
	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		played = counter("played");
		for (sent = 0, done = 0; sent < counts[i];) {
			unsigned int n = counts[i] - sent;

			if (n > CHUNKS / 2)
				n = CHUNKS / 2;
			put_segments(n);
			bare_kick_tx(&bare);
			sent += n;
			done += wait_for_completions(n);
		}
		if (done != sent || counter("played") - played != sent) {
			printf("# %u sent, %u came back, %llu played\n", sent, done,
				  (unsigned long long)(counter("played") - played));
			wrong++;
		}
	}
	ktap_eq(wrong, 0, "completions: one for each descriptor, whatever their number");
	bare_close(&bare);
}

/* A writer that fills its ring and sleeps. */
static void test_watermark(void)
{
	struct pollfd pollfd = { .events = POLLOUT };
	unsigned int low = 20, total = 60;
	u64 start, played, irqs;
	int ret;

	set_output(RATE, low);
	bare_tx_size = 64;
	open_output();
	pollfd.fd = xsk_socket__fd(bare.xsk);
	start = counter("played");
	put_segments(total);
	bare_kick_tx(&bare);
	/* the card has these now; the next ones have to wait */
	while (xsk_prod_nb_free(&bare.tx, 64) < 64)
		pause_ms(1);
	put_segments(total);
	bare_kick_tx(&bare);
	irqs = queue_counter("irqs");
	ktap_ok(poll(&pollfd, 1, 0) == 0, "watermark: a writer whose ring is full cannot write");
	ret = poll(&pollfd, 1, 20000);
	played = counter("played") - start;
	ktap_ok(ret == 1 && (pollfd.revents & POLLOUT), "watermark: it wakes");
	/* 25 ms each: time enough to read the counter */
	ktap_ok(played >= total - low && played <= total - low + 4,
		"watermark: when the card has %u left to play (%llu of %u were played)", low,
		(unsigned long long)played, total);
	ktap_ok(queue_counter("irqs") - irqs <= 2, "watermark: one interrupt brings it");
	ktap_eq(bare_completed(&bare), total - low, "watermark: what was played has come back");
	ktap_ok(wait_for_completions(total + low) == total + low && counter("played") - start == 2 * total,
		"watermark: nothing is left behind");
	bare_close(&bare);
	bare_tx_size = CHUNKS;
	set_output(RATE, 0);
}

static void test_underrun(void)
{
	struct daq_format before, after;

	set_output(RATE, 0);
	open_output();
	if (daq_card__format(card_open(), QUEUE, &before) < 0)
		ktap_die("%s", daq_errmsg());
	put_segments(3);
	bare_kick_tx(&bare);
	wait_for_completions(3);
	pause_ms(500);
	if (daq_card__format(card_open(), QUEUE, &after) < 0)
		ktap_die("%s", daq_errmsg());
	ktap_eq(after.underruns - before.underruns, 1, "underrun: counted once");
	ktap_eq(after.underrun_sample * 2 % SEGMENT, 0, "underrun: located at a segment's end");
	before = after;

	put_segments(2);
	put_segment(frame, DAQ_HDR_F_LAST, 0);
	bare_kick_tx(&bare);
	wait_for_completions(3);
	pause_ms(500);
	if (daq_card__format(card_open(), QUEUE, &after) < 0)
		ktap_die("%s", daq_errmsg());
	ktap_eq(after.underruns, before.underruns, "underrun: none behind the last segment");

	put_segment(frame, 0, 0);
	bare_kick_tx(&bare);
	wait_for_completions(1);
	pause_ms(500);
	if (daq_card__format(card_open(), QUEUE, &after) < 0)
		ktap_die("%s", daq_errmsg());
	ktap_eq(after.underrun_sample - before.underrun_sample, 4 * SEGMENT / 2,
		"underrun: the sample that lacked is the right one");
	ktap_eq(counter("underruns"), after.underruns, "underrun: ethtool counts the same");
	bare_close(&bare);
}

/* Metadata in front of segment @n: a time stamp, and to leave no earlier than @time. */
static void ask_for(unsigned int n, u64 time)
{
	struct metadata *meta = (void *)(bare.memory + (n % CHUNKS) * CHUNK + 256 - sizeof(*meta));

	memset(meta, 0, sizeof(*meta));
	meta->flags = XDP_TXMD_FLAGS_TIMESTAMP;
	if (time) {
		meta->flags |= TXMD_LAUNCH;
		meta->launch = time;
	}
}

static u64 stamp_of(unsigned int n)
{
	struct metadata *meta = (void *)(bare.memory + (n % CHUNKS) * CHUNK + 256 - sizeof(*meta));

	return meta->stamp;
}

/* Ten segments of 25 ms: the time stamps show their pace. */
static void test_metadata(void)
{
	unsigned int first = frame, i, wrong = 0;
	u64 stamp;

	set_output(RATE, 0);
	bare_metadata_len = sizeof(struct metadata);
	open_output();
	for (i = 0; i < 10; i++) {
		ask_for(frame, 0);
		put_segment(frame, 0, XDP_TX_METADATA);
	}
	/* one that asks for nothing */
	ask_for(frame, 0);
	put_segment(frame, DAQ_HDR_F_LAST, 0);
	bare_kick_tx(&bare);
	ktap_eq(wait_for_completions(11), 11, "metadata: everything comes back");
	for (i = 1; i < 10; i++) {
		long long gap = stamp_of(first + i) - stamp_of(first + i - 1);

		/* a host under load is late, and late by less the next time */
		wrong += gap <= 0 || gap > 300000000ll * test_scale();
	}
	ktap_eq(wrong, 0, "metadata: time stamps in order");
	stamp = (stamp_of(first + 9) - stamp_of(first)) / test_scale();
	ktap_ok(stamp >= 200000000 && stamp < 600000000,
		"metadata: at the pace of the output (%llu ns for 9 segments of 25 ms)",
		(unsigned long long)stamp);
	ktap_eq(stamp_of(first + 10), 0, "metadata: none for a packet that does not ask");

	stamp = stamp_of(first + 9);
	ask_for(frame, stamp + 1500000000);
	first = frame;
	put_segment(frame, DAQ_HDR_F_LAST, XDP_TX_METADATA);
	bare_kick_tx(&bare);
	ktap_eq(wait_for_completions(1), 1, "launch time: the packet leaves");
	if (stamp_of(first) == 0)
		ktap_skip("launch time: not before", "this kernel knows no launch time");
	else
		ktap_ok(stamp_of(first) >= stamp + 1500000000, "launch time: not before");
	bare_close(&bare);
	bare_metadata_len = 0;
}

int main(void)
{
	ktap_begin();
	card_ifname(4);
	test_completions();
	test_watermark();
	test_underrun();
	test_metadata();
	return ktap_end();
}
