// SPDX-License-Identifier: GPL-2.0
/* The card model without a kernel. */
#include "card_host.h"

static void test_header(void)
{
	static const u8 dst[6] = { 2, 3, 4, 5, 6, 7 };
	struct daq_rx_cmpl cmpl;
	struct daq_hdr hdr;
	bool numbers = true, payload = true, flags = true;
	u64 start;
	u32 n;

	power_on(8);
	post(3, 64);
	start = host.now;
	set_chan(3, DAQ_CHAN_RUN, 0x12345);
	start_chan(3, DAQ_SOURCE_COUNTER, 2, 1024, 4096, 1000000);
	run_segments(3, 8);

	ktap_eq(reported(3), 8, "header: every segment is reported");
	cmpl = completion(3, 5);
	ktap_ok(le32_to_cpu(cmpl.len) == 64 + 1024 && le16toh(cmpl.bufs) == 1 &&
		le16toh(cmpl.first) == 5 && le16toh(cmpl.channel) == 3 &&
		le32_to_cpu(cmpl.frame) == 1 && le16toh(cmpl.flags) == DAQ_RX_F_SEGMENT,
		"header: completion of a segment in one buffer");
	ktap_eq(le16toh(completion(3, 7).flags), DAQ_RX_F_SEGMENT | DAQ_RX_F_EOF,
		"header: completion of the end of a frame");

	hdr = header(3, 5);
	ktap_ok(!memcmp(hdr.dst, dst, 6) && !memcmp(hdr.src, dst, 4) && hdr.src[4] == 0 &&
		hdr.src[5] == 3 && be16toh(hdr.ethertype) == 0x88b5,
		"header: Ethernet part has the interface's address and the channel");
	ktap_ok(hdr.version == 1 && be16toh(hdr.channel) == 3 && be16toh(hdr.run) == 0x2345 &&
		be32_to_cpu(hdr.payload_len) == 1024 && be32_to_cpu(hdr.frame_len) == 4096 &&
		!hdr.dropped, "header: constant fields");
	for (n = 0; n < 8; n++) {
		u8 expected = n % 4 == 0 ? DAQ_HDR_F_SOF : n % 4 == 3 ? DAQ_HDR_F_EOF : 0;

		hdr = header(3, n);
		flags &= hdr.flags == expected;
		numbers &= be32_to_cpu(hdr.frame) == n / 4 && be32_to_cpu(hdr.segment) == n % 4 &&
			   be32_to_cpu(hdr.offset) == n % 4 * 1024 &&
			   be64toh(hdr.sample) == n * 512 &&
			   be64toh(hdr.timestamp) == start + n * 512000;
		payload &= is_counter(head_of(3, n) + 64, n * 1024, 1024);
	}
	ktap_ok(flags, "header: start and end of frame are marked");
	ktap_ok(numbers, "header: frame, segment, offset, sample and time of every segment");
	ktap_ok(payload, "header: payload is the counter, without a hole");
	ktap_eq(counter(3, DAQ_CHAN_PRODUCED_BYTES), 8 * (64 + 1024),
		"header: produced bytes include the headers");
	ktap_eq(host.outside, 0, "header: no access outside the host's memory");
}

static bool is_poison(const u8 *data, u32 len)
{
	while (len && *data == POISON) {
		data++;
		len--;
	}
	return !len;
}

static void test_split(void)
{
	const u8 *first;
	bool payload = true;
	u32 n;

	power_on(2);
	post(1, RING);
	start_chan(1, DAQ_SOURCE_COUNTER, 8, 61440, 61440 * 2, 1000000);
	run_segments(1, 2);
	ktap_eq(reported(1), 2, "split: both long segments arrive");
	ktap_eq(le16toh(completion(1, 1).bufs), 1 + 15, "split: a header and 15 pages");
	ktap_eq(le16toh(completion(1, 1).flags),
		DAQ_RX_F_SEGMENT | DAQ_RX_F_SPLIT | DAQ_RX_F_EOF, "split: is told");
	ktap_eq(le16toh(completion(1, 1).first), 16, "split: buffers are taken in order");
	first = memory_at(buffer(1, 16), BUF);
	ktap_ok(is_poison(first, HEAD) && is_poison(first + HEAD + 64, BUF - HEAD - 64),
		"split: the first buffer gets the header and nothing else");
	for (n = 0; n < 15; n++)
		payload &= is_counter(memory_at(buffer(1, 17 + n), BUF), 61440 + n * BUF, BUF);
	ktap_ok(payload, "split: payload fills whole buffers from their very start");

	/* around the length that fits a first buffer */
	start_chan(1, DAQ_SOURCE_COUNTER, 8, HEAD_LEN - 64, HEAD_LEN - 64, 1000000);
	run_segments(1, 1);
	ktap_eq(le16toh(completion(1, 2).bufs), 1, "split: what fits one buffer stays there");
	start_chan(1, DAQ_SOURCE_COUNTER, 8, HEAD_LEN - 56, HEAD_LEN - 56, 1000000);
	run_segments(1, 1);
	ktap_eq(le16toh(completion(1, 3).bufs), 2, "split: 8 bytes more take a second one");

	start_chan(1, DAQ_SOURCE_COUNTER, 8, 17 * 4096, 17 * 4096, 1000000);
	run_segments(1, 1);
	ktap_eq(le16toh(completion(1, 4).bufs), 18, "split: the longest takes 18 buffers");
	set_queue(1, DAQ_QUEUE_RX_BUF, 2048);
	run_segments(1, 1);
	ktap_eq(counter(1, DAQ_CHAN_TOO_LONG), 1, "split: one of more buffers is dropped and counted");
	ktap_eq(reported(1), 5, "split: and not reported");
	set_queue(1, DAQ_QUEUE_RX_BUF, BUF);
	run_segments(1, 1);
	ktap_ok((header(1, 5).flags & DAQ_HDR_F_OVERRUN) && be64toh(header(1, 5).dropped) == 1,
		"split: the next header tells of it");
	ktap_eq(host.outside, 0, "split: no access outside the host's memory");
}

static void test_no_buffer(void)
{
	struct daq_hdr hdr;

	power_on(2);
	post(0, 3);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 1024, 4096, 1000000);
	run_segments(0, 9);
	ktap_eq(reported(0), 3, "no buffer: what there was is reported at once");
	ktap_eq(counter(0, DAQ_CHAN_NO_BUFFER), 6, "no buffer: the others are counted");
	post(0, 4);
	run_segments(0, 2);
	hdr = header(0, 3);
	ktap_ok(hdr.flags == DAQ_HDR_F_OVERRUN && be64toh(hdr.dropped) == 6 &&
		be32_to_cpu(hdr.frame) == 2 && be32_to_cpu(hdr.segment) == 1 &&
		be64toh(hdr.sample) == 9 * 512,
		"no buffer: the next header locates the loss exactly");
	hdr = header(0, 4);
	ktap_ok(!(hdr.flags & DAQ_HDR_F_OVERRUN) && be64toh(hdr.dropped) == 6,
		"no buffer: the one after that only keeps the count");
	ktap_ok(is_counter(head_of(0, 3) + 64, 9 * 1024, 1024),
		"no buffer: the signal went on meanwhile");

	/* 15 buffers are not enough for a segment of 16 */
	set_queue(0, DAQ_QUEUE_CTRL, 0);
	start_queue(0);
	post(0, 15);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 61440, 61440, 1000000);
	run_segments(0, 1);
	ktap_eq(counter(0, DAQ_CHAN_NO_BUFFER), 7, "no buffer: a part of a segment is never delivered");
	post(0, 1);
	run_segments(0, 1);
	ktap_eq(reported(0), 0 + 1, "no buffer: 16 are");

	set_queue(0, DAQ_QUEUE_CTRL, 0);
	run_segments(0, 5);
	ktap_eq(counter(0, DAQ_CHAN_NO_BUFFER), 12, "no buffer: a queue that is off has none");
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 9 + 2 + 2 + 5, "no buffer: every segment was produced");
	ktap_eq(counter(1, DAQ_CHAN_NO_BUFFER), 0, "no buffer: the other channel lost nothing");
}

static void test_moderation(void)
{
	power_on(1);
	post(0, 100);
	set_queue(0, DAQ_QUEUE_RX_FRAMES, 2);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 1024, 4096, 1000000);
	run_segments(0, 7);
	ktap_eq(reported(0), 0, "moderation: nothing before the second frame ends");
	run_segments(0, 1);
	ktap_eq(reported(0), 8, "moderation: two whole frames at once");

	/* segments 9 to 11 are there after 3 * 512 us, the first one is 2 ms old at 2512 us */
	set_queue(0, DAQ_QUEUE_RX_USECS, 2000);
	set_chan(0, DAQ_CHAN_CTRL, 0);
	set_chan(0, DAQ_CHAN_CTRL, DAQ_CHAN_CTRL_ENABLE);
	run_segments(0, 3);
	set_chan(0, DAQ_CHAN_CTRL, 0);
	run(975999);
	ktap_eq(reported(0), 8, "moderation: not before its time");
	run(1);
	ktap_eq(reported(0), 11, "moderation: at the age that was set");

	set_queue(0, DAQ_QUEUE_RX_USECS, 1000000);
	set_queue(0, DAQ_QUEUE_RX_LOW, 87);
	set_chan(0, DAQ_CHAN_CTRL, DAQ_CHAN_CTRL_ENABLE);
	run_segments(0, 2);
	ktap_eq(reported(0), 11, "moderation: 87 buffers are enough");
	run_segments(0, 1);
	ktap_eq(reported(0), 14, "moderation: fewer are reported at once");
	set_queue(0, DAQ_QUEUE_RX_LOW, 0);
	run_segments(0, 2);
	ktap_eq(reported(0), 14, "moderation: a frame's rest is not");
	set_queue(0, DAQ_QUEUE_CTRL, 0);
	ktap_eq(reported(0), 16, "moderation: a queue that stops reports everything");
}

/* A running channel goes to another queue, and takes up there where it was. */
static void test_move(void)
{
	const struct daq_rx_cmpl *cmpl;
	const struct daq_hdr *hdr;

	power_on(2);
	cmpl = (void *)memory_at(RX_CMPL(1), sizeof(*cmpl));
	hdr = (void *)memory_at(buffer(1, 0) + HEAD, sizeof(*hdr));
	post(0, 100);
	post(1, 100);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 1024, 4096, 1000000);
	run_segments(0, 6);
	ktap_eq(reported(0), 4, "move: the old queue waits for the end of a frame");
	set_chan(0, DAQ_CHAN_QUEUE, 1);
	ktap_eq(reported(0), 6, "move: it has all that there will be at once");
	ktap_eq(daq_model_read(&model, DAQ_REG_CHAN(0) + DAQ_CHAN_QUEUE), 1,
		"move: which the register confirms");
	run_segments(0, 2);
	ktap_eq(reported(0), 6, "move: it gets nothing more");
	ktap_eq(reported(1), 2, "move: the new one gets the rest of the frame");
	ktap_eq(le16toh(cmpl->channel), 0, "move: of the same channel");
	ktap_ok(be32_to_cpu(hdr->frame) == 1 && be32_to_cpu(hdr->segment) == 2 &&
		be64toh(hdr->sample) == 6 * 512, "move: without a gap");
	ktap_eq(counter(0, DAQ_CHAN_NO_BUFFER), 0, "move: and without a loss");
}

static void test_interrupts(void)
{
	power_on(2);
	post(0, RING);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 1024, 1024, 1000000);
	run_segments(0, 2);
	ktap_eq(host.raised[0], 0, "interrupt: none before it is armed");
	arm(0, 2, 0);
	ktap_eq(host.raised[0], 0, "interrupt: none for what the driver has seen");
	run_segments(0, 1);
	ktap_eq(host.raised[0], 1, "interrupt: one for news");
	run_segments(0, 3);
	ktap_eq(host.raised[0], 1, "interrupt: no second one");
	arm(0, 3, 0);
	ktap_eq(host.raised[0], 2, "interrupt: at once when news came before the arming");
	ktap_eq(host.raised[1], 0, "interrupt: none on another queue");
	arm(0, 6, 0);
	set_queue(0, DAQ_QUEUE_CTRL, 0);
	start_queue(0);
	post(0, RING);
	run_segments(0, 1);
	ktap_eq(host.raised[0], 2, "interrupt: a queue that starts is not armed");
}

static void test_rate(void)
{
	u64 start;

	/* 99991 samples per second: not one segment takes whole nanoseconds */
	power_on(1);
	start = host.now;
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 14, 14, 99991);
	run_until(start + 70 * NSEC_PER_SEC - 1);
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 10 * 99991 - 1, "rate: no segment too early in 70 s");
	run(1);
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 10 * 99991, "rate: no drift in 10^6 segments");
	ktap_eq(model.chan[0].start, start + 70 * NSEC_PER_SEC, "rate: nor in the time stamps");

	/* a host that sleeps: later samples, but no lost ones */
	post(0, RING);
	host.now += 10 * NSEC_PER_SEC;
	start = counter(0, DAQ_CHAN_PRODUCED);
	run(0);
	ktap_ok(counter(0, DAQ_CHAN_PRODUCED) - start <= 200 * 99991 / 1000 / 7 + 1,
		"rate: a host that was late gets no burst of more than 200 ms");
	ktap_eq(be64toh(header(0, 0).sample), 7 * start, "rate: and loses no sample");
}

static u64 stamp_of(u32 q, u32 n)
{
	struct daq_tx_desc desc;

	host_read(NULL, TX_DESC(q) + sizeof(desc) * (n % RING), &desc, sizeof(desc));
	return le64_to_cpu(desc.stamp);
}

/* A segment in the host's memory: header at TX_DATA, payload behind it. */
static void start_loop(void)
{
	power_on(4);
	post(1, RING);
	set_chan(1, DAQ_CHAN_LOOP_FROM, 2);
	start_chan(1, DAQ_SOURCE_LOOPBACK, 2, 4096, 4096, 1000000);
	start_chan(2, DAQ_SOURCE_NONE, 2, 4096, 4096, 1000000);
}

static void test_loopback(void)
{
	struct daq_hdr hdr;
	bool same = true;
	u32 i;

	start_loop();
	make_segment(6000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF | DAQ_HDR_F_LAST);
	/* cut inside the header, at odd places, with an empty piece */
	send_desc(2, TX_DATA, 13, 0);
	send_desc(2, TX_DATA + 13, 1000, 0);
	send_desc(2, TX_DATA, 0, 0);
	send_desc(2, TX_DATA + 1013, 64 + 6000 - 1013, DAQ_TX_F_EOP);
	run(NSEC_PER_MSEC);
	ktap_eq(tx_reported(2), 4, "loop: all descriptors of a packet come back");
	ktap_eq(reported(1), 1, "loop: and it comes in");
	hdr = header(1, 0);
	ktap_ok(be16toh(hdr.channel) == 1 && !hdr.frame && !hdr.segment && !hdr.sample &&
		!hdr.dropped && be32_to_cpu(hdr.payload_len) == 6000 &&
		be32_to_cpu(hdr.frame_len) == 6000,
		"loop: with the input's numbers, not the sender's");
	ktap_eq(hdr.flags, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF | DAQ_HDR_F_LAST,
		"loop: end of frame and of source are kept");
	for (i = 0; i < 6000; i++)
		same &= *memory_at(buffer(1, 1 + i / BUF) + i % BUF, 1) == (u8)(i * 7 + i / 256);
	ktap_ok(same, "loop: gathered payload is identical");
	ktap_eq(counter(2, DAQ_CHAN_PLAYED_BYTES), 6064, "loop: played bytes");

	/* a second frame: numbers go on; pace is the output's rate: 3000 samples, 3 ms */
	send_desc(2, TX_DATA, 6064, DAQ_TX_F_EOP);
	send_desc(2, TX_DATA, 6064, DAQ_TX_F_EOP);
	run(0);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 1, "loop: a packet waits until the last one is over");
	run(3 * NSEC_PER_MSEC);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 2, "loop: and then starts");
	hdr = header(1, 1);
	ktap_ok(be32_to_cpu(hdr.frame) == 1 && be64toh(hdr.sample) == 3000,
		"loop: frame and sample numbers go on");
	run(3 * NSEC_PER_MSEC);

	/* any other packet stays as it is */
	memset(host.memory + (TX_DATA - BASE), 0x11, 12);
	memcpy(host.memory + (TX_DATA - BASE) + 12, "\x08\x00", 2);
	send_desc(2, TX_DATA, 4000, DAQ_TX_F_EOP);
	run(4 * NSEC_PER_MSEC);
	ktap_eq(reported(1), 4, "loop: a foreign packet comes in");
	ktap_ok(le16toh(completion(1, 3).flags) == DAQ_RX_F_EOF &&
		le16toh(completion(1, 3).bufs) == 2 && le32_to_cpu(completion(1, 3).len) == 4000,
		"loop: not as a segment, in the usual layout");
	ktap_ok(!memcmp(head_of(1, 3), host.memory + (TX_DATA - BASE), HEAD_LEN) &&
		!memcmp(memory_at(buffer(1, le16toh(completion(1, 3).first) + 1) + HEAD, 480),
			host.memory + (TX_DATA - BASE) + HEAD_LEN, 4000 - HEAD_LEN),
		"loop: byte for byte");
	send_desc(2, TX_DATA, 18 * HEAD_LEN, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_eq(le16toh(completion(1, 4).bufs), 18, "loop: the longest foreign packet has 18 buffers");
	send_desc(2, TX_DATA, 18 * HEAD_LEN + 1, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_ok(reported(1) == 5 && counter(1, DAQ_CHAN_TOO_LONG) == 1,
		"loop: one byte more is dropped and counted");
	ktap_eq(counter(3, DAQ_CHAN_PRODUCED), 0, "loop: nobody else hears it");
	ktap_eq(host.outside, 0, "loop: no access outside the host's memory");
}

/* A frame of 1000 samples, numbered by its player, is put behind what waits. */
static void send_numbered(u32 frame, u64 sample, u8 flags)
{
	struct daq_hdr *hdr = (void *)memory_at(TX_DATA, sizeof(*hdr));

	make_segment(2000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF | flags);
	hdr->frame = htobe32(frame);
	hdr->sample = htobe64(sample);
	send_desc(2, TX_DATA, 2064, DAQ_TX_F_EOP);
}

static bool came_as(u32 n, u32 frame, u64 sample)
{
	struct daq_hdr hdr = header(1, n);

	return be32_to_cpu(hdr.frame) == frame && be64toh(hdr.sample) == sample &&
	       !(hdr.flags & DAQ_HDR_F_OVERRUN) && !hdr.dropped;
}

/* What is missing in what is played is missing in what comes in, and takes its time. */
static void test_played_gap(void)
{
	start_loop();
	send_numbered(500, 70000, DAQ_HDR_F_OVERRUN);
	run(2 * NSEC_PER_MSEC);
	ktap_ok(came_as(0, 0, 0), "gap: none before the first frame, whatever its number");
	send_numbered(600, 90000, 0);
	run(2 * NSEC_PER_MSEC);
	ktap_ok(came_as(1, 1, 1000), "gap: none that no flag tells of");

	send_numbered(603, 94000, DAQ_HDR_F_OVERRUN);
	run(0);
	ktap_eq(reported(1), 2, "gap: takes its time");
	run(2 * NSEC_PER_MSEC - 1000);
	ktap_eq(reported(1), 2, "gap: to the end");
	run(2000);
	ktap_eq(reported(1), 3, "gap: then the next frame comes");
	ktap_ok(came_as(2, 4, 5000), "gap: of 2 frames and 3000 samples");
	run(NSEC_PER_MSEC);
	send_numbered(604, 95000, DAQ_HDR_F_OVERRUN);
	run(2000);
	ktap_ok(came_as(3, 5, 6000), "gap: of nothing is none");
	run(2 * NSEC_PER_MSEC);
	send_numbered(3, 3000, DAQ_HDR_F_OVERRUN);
	run(2000);
	ktap_ok(came_as(4, 6, 7000), "gap: none where another player begins");
	run(2 * NSEC_PER_MSEC);
	send_numbered(9, ~0ull / 2, DAQ_HDR_F_OVERRUN);
	run(NSEC_PER_SEC);
	ktap_eq(reported(1), 5, "gap: of absurd length makes the output wait");
	set_queue(2, DAQ_QUEUE_CTRL, 0);
	start_queue(2);
	send_numbered(0, 0, 0);
	run(2000);
	ktap_ok(came_as(5, 7, 8000), "gap: an output that is started anew does not");
	run(NSEC_PER_MSEC);
	set_chan(1, DAQ_CHAN_CTRL, 0);
	set_chan(2, DAQ_CHAN_CTRL, 0);
	start_chan(1, DAQ_SOURCE_LOOPBACK, 2, 4096, 4096, 1000000);
	start_chan(2, DAQ_SOURCE_NONE, 2, 4096, 4096, 1000000);
	send_numbered(100, 200000, DAQ_HDR_F_OVERRUN);
	run(2000);
	ktap_ok(came_as(6, 8, 9000), "gap: none since before a channel was switched off");
	ktap_eq(counter(2, DAQ_CHAN_TX_BAD), 0, "gap: is nothing bad");
}

/* A wire from output 2 to input 1: what goes out comes in, at its own pace. */
static void test_cable(void)
{
	struct daq_wire *wire = calloc(1, sizeof(*wire));
	struct daq_hdr hdr;
	u32 i;

	if (!wire)
		ktap_die("no memory");
	power_on(4);
	post(1, RING);
	start_chan(1, DAQ_SOURCE_CABLE, 2, 4096, 4096, 1000000);
	start_chan(2, DAQ_SOURCE_NONE, 2, 4096, 4096, 1000000);
	model.chan[2].wire_out = wire;
	model.chan[1].wire_in = wire;
	host.cabled = 0;

	make_segment(3000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF);
	send_desc(2, TX_DATA, 3064, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_eq(reported(1), 1, "cable: a segment comes in");
	hdr = header(1, 0);
	ktap_ok(be16toh(hdr.channel) == 1 && !hdr.frame && be32_to_cpu(hdr.payload_len) == 3000,
		"cable: with the input's numbers");
	ktap_ok(!memcmp(head_of(1, 0) + 64, host.memory + (TX_DATA - BASE) + 64, 3000),
		"cable: byte for byte");
	ktap_eq(host.cabled, 1, "cable: the input is told, and an output that does not wait is not");

	/* nobody reads: the output waits, and nothing is lost */
	model.chan[1].wire_in = NULL;
	memset(host.memory + (TX_DATA - BASE), 0x11, 14);
	for (i = 0; i < RING; i++)
		send_desc(2, TX_DATA, 3000, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 1 + DAQ_WIRE_SIZE / (3000 + sizeof(u32)),
		"cable: an output waits while the cable is full");
	model.chan[1].wire_in = wire;
	run(NSEC_PER_SEC);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 1 + RING, "cable: and goes on when there is room");
	ktap_eq(counter(1, DAQ_CHAN_PRODUCED), 1 + RING, "cable: everything arrives");
	ktap_ok(host.cabled > 1 + RING, "cable: an output that waits is told of room");

	set_chan(1, DAQ_CHAN_SOURCE, DAQ_SOURCE_NONE);
	send_desc(2, TX_DATA, 60, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_ok(counter(1, DAQ_CHAN_PRODUCED) == 1 + RING && !daq_wire_next(wire),
		"cable: an input with another source does not hear what arrives");
	ktap_eq(host.outside, 0, "cable: no access outside the host's memory");
	free(wire);
}

/* A source that ends with a loss: a header without data tells of it, once. */
/* Numbers go on over a reset if the driver wants that; the source knows nothing of it. */
static void test_places(void)
{
	struct daq_hdr hdr;

	power_on(2);
	post(0, 1);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 1024, 4096, 1000000);
	run_segments(0, 6);
	set_chan(0, DAQ_CHAN_NEXT_FRAME, 77);
	ktap_eq(model.chan[0].next.frame, 1, "places: a channel that is on goes its way");
	set_chan(0, DAQ_CHAN_CTRL, 0);
	ktap_eq(read64(DAQ_REG_CHAN(0) + DAQ_CHAN_NEXT_SAMPLE), 6 * 512, "places: the next sample");
	ktap_eq(daq_model_read(&model, DAQ_REG_CHAN(0) + DAQ_CHAN_NEXT_FRAME), 2,
		"places: the next frame begins anew, this one was cut short");

	daq_model_write(&model, DAQ_REG_CTRL, DAQ_CTRL_RESET);
	ktap_eq(read64(DAQ_REG_CHAN(0) + DAQ_CHAN_NEXT_SAMPLE), 0, "places: a reset forgets them");
	start_queue(0);
	posted[0] = 0;
	post(0, 8);
	write64(DAQ_REG_CHAN(0) + DAQ_CHAN_NEXT_SAMPLE, (1ull << 40) + 6 * 512);
	write64(DAQ_REG_CHAN(0) + DAQ_CHAN_DROPPED, 5);
	set_chan(0, DAQ_CHAN_NEXT_FRAME, 2);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 1024, 4096, 1000000);
	run_segments(0, 2);
	hdr = header(0, 0);
	ktap_ok(be32_to_cpu(hdr.frame) == 2 && hdr.segment == 0 && hdr.flags == DAQ_HDR_F_SOF,
		"places: a new frame begins");
	ktap_eq(be64toh(hdr.sample), (1ull << 40) + 6 * 512, "places: samples go on");
	ktap_eq(be64toh(hdr.dropped), 5, "places: and what was dropped before counts");
	ktap_ok(is_counter(head_of(0, 1) + 64, (1ull << 41) + 7 * 1024, 1024),
		"places: the signal goes on, too");
}

static void test_notice(void)
{
	struct daq_hdr hdr;

	start_loop();
	set_queue(1, DAQ_QUEUE_CTRL, 0);
	start_queue(1);
	make_segment(1000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF | DAQ_HDR_F_LAST);
	send_desc(2, TX_DATA, 1064, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_ok(counter(1, DAQ_CHAN_NO_BUFFER) == 1 && !reported(1),
		"notice: the last segment is lost for want of buffers");
	post(1, 16);
	run(NSEC_PER_SEC);
	ktap_eq(reported(1), 1, "notice: once there is room, a notice comes");
	hdr = header(1, 0);
	ktap_ok(!hdr.payload_len && be64toh(hdr.dropped) == 1 &&
		(hdr.flags & (DAQ_HDR_F_OVERRUN | DAQ_HDR_F_LAST)) ==
		(DAQ_HDR_F_OVERRUN | DAQ_HDR_F_LAST),
		"notice: a header that counts the loss and tells of the end");
	ktap_eq(counter(1, DAQ_CHAN_PRODUCED), 2, "notice: it counts as produced");
	run(NSEC_PER_SEC);
	ktap_eq(reported(1), 1, "notice: it comes only once");
}

static void send_bad(const char *what)
{
	u64 bad = counter(2, DAQ_CHAN_TX_BAD), produced = counter(1, DAQ_CHAN_PRODUCED);

	run(NSEC_PER_SEC);
	ktap_ok(counter(2, DAQ_CHAN_TX_BAD) == bad + 1 &&
		counter(1, DAQ_CHAN_PRODUCED) == produced && tx_reported(2) == sent[2],
		"hostile: %s is refused, counted and given back", what);
}

static void test_hostile_output(void)
{
	struct daq_hdr hdr;
	u32 i;

	start_loop();
	make_segment(1000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF);
	host_read(NULL, TX_DATA, &hdr, sizeof(hdr));

	send_desc(2, TX_DATA, 0, DAQ_TX_F_EOP);
	send_bad("an empty packet");
	send_desc(2, TX_DATA, 11, DAQ_TX_F_EOP);
	send_bad("one without addresses");
	hdr.payload_len = 0;
	host_write(NULL, TX_DATA, &hdr, sizeof(hdr));
	send_desc(2, TX_DATA, 64, DAQ_TX_F_EOP);
	send_bad("a segment without payload");
	hdr.payload_len = htobe32(1000);
	host_write(NULL, TX_DATA, &hdr, sizeof(hdr));
	send_desc(2, TX_DATA, 1063, DAQ_TX_F_EOP);
	send_bad("a segment that is shorter than it says");
	send_desc(2, TX_DATA, 1065, DAQ_TX_F_EOP);
	send_bad("a segment that is longer than it says");
	for (i = 0; i < 19; i++)
		send_desc(2, TX_DATA + 56 * i, 56, i == 18 ? DAQ_TX_F_EOP : 0);
	send_bad("one of 19 descriptors");
	for (i = 0; i < RING; i++)
		send_desc(2, TX_DATA, 60, i == RING - 1 ? DAQ_TX_F_EOP : 0);
	send_bad("one that fills the ring");
	send_desc(2, TX_DATA, 0xffffffff, DAQ_TX_F_EOP);
	send_bad("a segment of 4 GiB");
	hdr.version = 2;
	host_write(NULL, TX_DATA, &hdr, sizeof(hdr));
	send_desc(2, TX_DATA, 1064, DAQ_TX_F_EOP);
	send_bad("one of another version");

	hdr.version = DAQ_HDR_VERSION;
	hdr.payload_len = htobe32(0xffffffff);
	host_write(NULL, TX_DATA, &hdr, sizeof(hdr));
	send_desc(2, TX_DATA, 1064, DAQ_TX_F_EOP);
	send_bad("a payload of 4 GiB");

	/* a foreign packet of 4 GiB is too long for 18 buffers */
	memset(host.memory + (TX_DATA - BASE) + 12, 0, 2);
	for (i = 0; i < 2; i++)
		send_desc(2, TX_DATA, 0xffffffff, i ? DAQ_TX_F_EOP : 0);
	run(NSEC_PER_SEC);
	ktap_eq(counter(1, DAQ_CHAN_TOO_LONG), 1, "hostile: a foreign packet of 8 GiB is too long");

	/* no end: nothing may be played, nor the card hang, until it comes */
	make_segment(1000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF);
	send_desc(2, TX_DATA, 64, 0);
	run(NSEC_PER_SEC);
	ktap_eq(tx_reported(2), sent[2] - 1, "hostile: a packet without an end waits for it");
	send_desc(2, TX_DATA + 64, 1000, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_ok(reported(1) == 1 && tx_reported(2) == sent[2],
		"hostile: after all that a good packet comes through");

	for (i = 0; i < RING; i++)
		send_desc(2, TX_DATA, 64, 0);
	daq_model_doorbell(&model, DAQ_REG_QUEUE(2) + DAQ_QUEUE_TX_PROD, sent[2] + 0xf0000000);
	run(NSEC_PER_SEC);
	ktap_eq(reported(1), 1, "hostile: a producer index far away does no harm");
	ktap_eq(host.outside, 0, "hostile: no access outside the host's memory");
	ktap_ok(host.longest <= DAQ_MAX_SEGMENT_BYTES, "hostile: no access longer than a segment");
}

static void set_clock_adj(s32 adj)
{
	daq_model_write(&model, DAQ_REG_CLOCK_ADJ, adj);
}

static void test_clock(void)
{
	const s32 odd = -123456789;
	u64 start, before;
	u32 i;

	power_on(1);
	ktap_ok(read64(DAQ_REG_CLOCK) == host.now, "clock: begins with the oscillator's time");
	write64(DAQ_REG_CLOCK, 0x123456789abcdef0);
	host.now += 1000;
	ktap_ok(read64(DAQ_REG_CLOCK) == 0x123456789abcdef0 + 1000, "clock: is set and goes on");
	write64(DAQ_REG_CLOCK_STEP, 0x500000000);
	write64(DAQ_REG_CLOCK_STEP, -1ll);
	ktap_ok(read64(DAQ_REG_CLOCK) == 0x123456789abcdef0 + 1000 + 0x500000000 - 1,
		"clock: is stepped, to and fro");
	before = read64(DAQ_REG_CLOCK);
	daq_model_write(&model, DAQ_REG_CLOCK, 77);
	daq_model_write(&model, DAQ_REG_CLOCK_STEP, 77);
	ktap_ok(read64(DAQ_REG_CLOCK) == before, "clock: a low half alone does nothing");

	/* 2^-10 faster, then slower */
	start = read64(DAQ_REG_CLOCK);
	set_clock_adj(1 << (DAQ_CLOCK_ADJ_SHIFT - 10));
	host.now += 1024 * NSEC_PER_SEC;
	ktap_ok(read64(DAQ_REG_CLOCK) - start == 1025 * NSEC_PER_SEC, "clock: runs faster");
	set_clock_adj(-(1 << (DAQ_CLOCK_ADJ_SHIFT - 10)));
	ktap_ok(read64(DAQ_REG_CLOCK) - start == 1025 * NSEC_PER_SEC,
		"clock: another speed is no step");
	host.now += 1024 * NSEC_PER_SEC;
	ktap_ok(read64(DAQ_REG_CLOCK) - start == 2048 * NSEC_PER_SEC, "clock: runs slower");

	start = read64(DAQ_REG_CLOCK);
	before = host.now;
	for (i = 0; i < 100000; i++) {
		set_clock_adj(odd);
		host.now += 7;
	}
	ktap_eq((s32)daq_model_read(&model, DAQ_REG_CLOCK_ADJ), odd, "clock: its speed is read back");
	/* rounded down, as the clock is */
	ktap_eq(read64(DAQ_REG_CLOCK) - start,
		700000 + (((long long)700000 * odd) >> DAQ_CLOCK_ADJ_SHIFT),
		"clock: no fraction is lost in 100000 adjustments");

	start = read64(DAQ_REG_CLOCK);
	set_clock_adj(INT32_MIN);
	host.now += 32 * NSEC_PER_SEC;
	ktap_eq(read64(DAQ_REG_CLOCK) - start, 31 * NSEC_PER_SEC, "clock: as slow as can be");
	set_clock_adj(INT32_MAX);
	host.now += 1ull << 61;
	ktap_ok(read64(DAQ_REG_CLOCK) - start > 1ull << 61, "clock: as fast, for 73 years");
}

/* Whether each of the next segments comes when the card said, not 1 ns before. */
static bool punctual(u32 ch, u32 count)
{
	bool good = true;
	u64 produced, next;

	while (count--) {
		next = daq_model_step(&model);
		produced = counter(ch, DAQ_CHAN_PRODUCED);
		host.now = next - 1;
		daq_model_step(&model);
		good &= counter(ch, DAQ_CHAN_PRODUCED) == produced;
		host.now = next;
		daq_model_step(&model);
		good &= counter(ch, DAQ_CHAN_PRODUCED) == produced + 1;
	}
	return good;
}

static bool evenly_spaced(u32 q, u32 first, u32 count, u64 from, u64 period)
{
	bool good = true;
	u32 n;

	for (n = 0; n < count; n++) {
		good &= be64toh(header(q, first + n).timestamp) == from + n * period;
		good &= le64_to_cpu(completion(q, first + n).timestamp) == from + n * period;
	}
	return good;
}

static void test_clock_pace(void)
{
	const u64 period = 512 * NSEC_PER_USEC;

	power_on(2);
	post(0, RING);
	write64(DAQ_REG_CLOCK, 5000);
	set_clock_adj(1 << (DAQ_CLOCK_ADJ_SHIFT - 6));
	start_chan(0, DAQ_SOURCE_RAMP, 2, 1024, 1024, 1000000);
	run(64 * period - 1);
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 64, "pace: 64 periods of a fast clock are not over");
	run(1);
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 65, "pace: when a slow one has had 64, it has had 65");
	ktap_ok(evenly_spaced(0, 0, 65, 5000, period), "pace: time stamps are by the clock");

	write64(DAQ_REG_CLOCK_STEP, -5000);
	run(64 * period);
	ktap_ok(counter(0, DAQ_CHAN_PRODUCED) == 130 && evenly_spaced(0, 65, 65, 65 * period, period),
		"pace: a clock put back tells another time and stops nothing");
	write64(DAQ_REG_CLOCK_STEP, 3600 * NSEC_PER_SEC);
	run(64 * period);
	ktap_ok(counter(0, DAQ_CHAN_PRODUCED) == 195 &&
		evenly_spaced(0, 130, 65, 130 * period + 3600 * NSEC_PER_SEC, period),
		"pace: one put forward loses nothing");

	set_clock_adj(-987654321);
	ktap_ok(punctual(0, 1000), "pace: an odd slow clock: every segment in its very nanosecond");
	set_clock_adj(987654321);
	ktap_ok(punctual(0, 1000), "pace: an odd fast one too");

	start_loop();
	write64(DAQ_REG_CLOCK, 1000);
	memset(host.memory + (TX_DATA - BASE), 0x11, 60);
	send_desc(2, TX_DATA, 60, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_ok(reported(1) == 1 && le64_to_cpu(completion(1, 0).timestamp) == 1000,
		"pace: a foreign packet has the time when it came");
	make_segment(1000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF);
	send_desc(2, TX_DATA, 1064, DAQ_TX_F_EOP);
	run(NSEC_PER_SEC);
	ktap_ok(evenly_spaced(1, 1, 1, 1000 + NSEC_PER_SEC, 0),
		"pace: a segment in a loop that of its first sample");
}

/* Launch times and stamps are the clock's, which is not the oscillator here. */
static void test_clock_output(void)
{
	const u32 flags = DAQ_TX_F_EOP | DAQ_TX_F_LAUNCH | DAQ_TX_F_STAMP;

	start_loop();
	write64(DAQ_REG_CLOCK, 1000);
	memset(host.memory + (TX_DATA - BASE), 0x11, 60);
	send_at(5001000, 2, TX_DATA, 60, flags);
	run(4999999);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 0, "launch: not before the clock is there");
	run(1);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 1, "launch: but then");
	ktap_eq(stamp_of(2, 0), 5001000, "launch: the stamp is the clock's");
	ktap_eq(le64_to_cpu(completion(1, 0).timestamp), 5001000,
		"launch: as is the time when it came in");
	send_at(500, 2, TX_DATA, 60, flags);
	run(0);
	ktap_eq(stamp_of(2, 1), 5001000, "launch: at once when it is over");

	/* a clock ahead of all that the card has ever counted */
	write64(DAQ_REG_CLOCK, 2 * host.now);
	send_at(1, 2, TX_DATA, 60, flags);
	run(0);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 3, "launch: also when that was before the card");
	send_at(2 * host.now + 11 * NSEC_PER_SEC, 2, TX_DATA, 60, flags);
	run(0);
	ktap_eq(counter(2, DAQ_CHAN_TX_BAD), 1, "launch: 11 s ahead is too far");
	send_at(2 * host.now + 9 * NSEC_PER_SEC, 2, TX_DATA, 60, flags);
	run(NSEC_PER_SEC);
	write64(DAQ_REG_CLOCK_STEP, -500 * NSEC_PER_MSEC);
	run(8 * NSEC_PER_SEC + 500 * NSEC_PER_MSEC - 1);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 3, "launch: a clock put back makes it later");
	run(1);
	ktap_eq(counter(2, DAQ_CHAN_PLAYED), 4, "launch: not for ever");
}

static void test_registers(void)
{
	u32 reg, wrong = 0;
	u64 rate = 0x123456789abull;
	struct daq_model before;

	power_on(3);
	ktap_ok(daq_model_read(&model, DAQ_REG_ID) == 0x31514144 &&
		daq_model_read(&model, DAQ_REG_VERSION) == 1 &&
		daq_model_read(&model, DAQ_REG_CHANNELS) == 3, "registers: identification");
	host.now = 0x1122334455667788;
	ktap_ok(read64(DAQ_REG_CLOCK) == host.now, "registers: 64 bits of the clock");
	host.now = 0x11223344ffffffff;
	daq_model_read(&model, DAQ_REG_CLOCK);
	host.now++;
	ktap_eq(daq_model_read(&model, DAQ_REG_CLOCK + 4), 0x11223344,
		"registers: reading the low half of the clock keeps the high one");
	write64(DAQ_REG_CHAN(2) + DAQ_CHAN_RATE, rate);
	ktap_ok(read64(DAQ_REG_CHAN(2) + DAQ_CHAN_RATE) == rate,
		"registers: 64 bits of a rate");
	start_chan(1, DAQ_SOURCE_RAMP, 2, 64, 64, 1000000);
	model.chan[1].produced = 0xffffffff;
	run_segments(1, 1);
	ktap_ok(counter(1, DAQ_CHAN_PRODUCED) == 0x100000000, "registers: 64 bits of a counter");
	set_chan(1, DAQ_CHAN_PRODUCED, 5);
	set_chan(1, DAQ_CHAN_PRODUCED + 4, 5);
	ktap_ok(counter(1, DAQ_CHAN_PRODUCED) == 0x100000000, "registers: counters are read only");

	before = model;
	for (reg = DAQ_REG_SPACE(3); reg < DAQ_REG_SPACE(3) + 0x4000; reg += 4) {
		wrong += daq_model_read(&model, reg) != 0;
		daq_model_write(&model, reg, 0xffffffff);
		daq_model_doorbell(&model, reg, 0xffffffff);
	}
	for (reg = 0; reg < DAQ_REG_CHAN(0); reg += 4) {
		if (reg == DAQ_REG_CTRL || reg == DAQ_REG_EVENT_MASK ||
		    (reg >= DAQ_REG_CLOCK && reg <= DAQ_REG_CLOCK_ADJ))
			continue;
		daq_model_write(&model, reg, 0xffffffff);
		daq_model_doorbell(&model, reg, 0xffffffff);
	}
	daq_model_write(&model, 0xfffffffc, 0xffffffff);
	daq_model_doorbell(&model, 0xfffffffc, 0xffffffff);
	daq_model_write(&model, DAQ_REG_CHAN(0) + DAQ_CHAN_RATE + 2, 0xffffffff);
	daq_model_write(&model, DAQ_REG_CHAN(0) + 0x7fc, 0xffffffff);
	wrong += daq_model_read(&model, 0xfffffffc);
	wrong += daq_model_read(&model, DAQ_REG_CHAN(0) + DAQ_CHAN_RATE + 1);
	ktap_eq(wrong, 0, "registers: everything outside the map reads as 0");
	ktap_ok(!memcmp(&before, &model, sizeof(model)), "registers: and ignores writes");
}

/* A card with faults, which its host chooses. */
static void test_tamper(void)
{
	power_on(2);
	post(1, RING);
	start_chan(1, DAQ_SOURCE_COUNTER, 2, 1024, 1024, 1000000);
	run_segments(1, 1);
	host.tamper = DAQ_TAMPER_DROP;
	run_segments(1, 2);
	ktap_eq(reported(1), 2, "tamper: a completion that is dropped is not reported");
	ktap_ok(be64toh(header(1, 1).sample) == 2 * 512 && le16toh(completion(1, 1).first) == 1,
		"tamper: and the next segment takes its buffers");
	ktap_ok(!(header(1, 1).flags & DAQ_HDR_F_OVERRUN) && !header(1, 1).dropped,
		"tamper: the card knows of no loss");
	host.tamper = DAQ_TAMPER_TWICE;
	run_segments(1, 1);
	ktap_eq(reported(1), 4, "tamper: one that is written twice is reported twice");
	ktap_ok(le16toh(completion(1, 2).first) == 2 && le16toh(completion(1, 3).first) == 2 &&
		le64toh(completion(1, 3).reserved) == 2, "tamper: as the host has changed it");
	ktap_ok(host.tampered == buffer(1, 2) + HEAD + DAQ_HDR_LEN,
		"tamper: the host is told where data are");
	run_segments(1, 1);
	ktap_eq(le16toh(completion(1, 4).first), 3, "tamper: what comes behind is as ever");
}

/* A driver that does not keep to the limits harms only itself. */
static void test_limits(void)
{
	static const u32 sizes[] = { 0, 1, 63, 65, 100, 16384, 0x80000000, 0xffffffff };
	u32 i, started = 0;

	power_on(2);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		set_queue(0, DAQ_QUEUE_CTRL, 0);
		set_queue(0, DAQ_QUEUE_RX_SIZE, sizes[i]);
		set_queue(0, DAQ_QUEUE_TX_SIZE, sizes[i]);
		set_queue(0, DAQ_QUEUE_CTRL, DAQ_QUEUE_CTRL_RX | DAQ_QUEUE_CTRL_TX);
		started += daq_model_read(&model, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL);
	}
	ktap_eq(started, 0, "limits: no queue starts with a ring that cannot be");
	start_queue(0);
	set_queue(0, DAQ_QUEUE_RX_HEAD_LEN, 63);
	set_queue(0, DAQ_QUEUE_RX_BUF, 0);
	set_queue(0, DAQ_QUEUE_RX_SIZE, 0);
	ktap_ok(daq_model_read(&model, DAQ_REG_QUEUE(0) + DAQ_QUEUE_RX_HEAD_LEN) == HEAD_LEN &&
		daq_model_read(&model, DAQ_REG_QUEUE(0) + DAQ_QUEUE_RX_BUF) == BUF &&
		daq_model_read(&model, DAQ_REG_QUEUE(0) + DAQ_QUEUE_RX_SIZE) == RING,
		"limits: one that runs keeps what it can run with");

	start_chan(1, DAQ_SOURCE_RAMP, 2, 1024, 1024, 0);
	started = daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_CTRL);
	start_chan(1, DAQ_SOURCE_RAMP, 2, 1, 1024, 48000);
	started += daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_CTRL);
	start_chan(1, DAQ_SOURCE_RAMP, 9, 1024, 1024, 48000);
	started += daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_CTRL);
	start_chan(1, DAQ_SOURCE_RAMP, 2, DAQ_MAX_SEGMENT_BYTES + 2, 1 << 20, 48000);
	started += daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_CTRL);
	ktap_eq(started, 0, "limits: no channel starts without time, samples or an end");
	start_chan(1, DAQ_SOURCE_RAMP, 2, 1024, 1024, 48000);
	set_chan(1, DAQ_CHAN_QUEUE, 2);
	write64(DAQ_REG_CHAN(1) + DAQ_CHAN_RATE, 0);
	set_chan(1, DAQ_CHAN_SAMPLE_BYTES, 0);
	ktap_ok(daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_QUEUE) == 1 &&
		model.chan[1].rate && model.chan[1].sample_bytes == 2,
		"limits: one that runs keeps queue, rate and samples");
	run(NSEC_PER_SEC);
	ktap_eq(host.outside, 0, "limits: no access outside the host's memory");
}

static void test_tail(void)
{
	static const u32 lens[3] = { 1024, 1024, 452 };
	bool good = true;
	u32 n;

	power_on(1);
	post(0, RING);
	start_chan(0, DAQ_SOURCE_COUNTER, 4, 1024, 2500, 1000000);
	run(2 * 625 * NSEC_PER_USEC);
	ktap_eq(reported(0), 6, "tail: two frames of three segments");
	for (n = 0; n < 6; n++) {
		struct daq_hdr hdr = header(0, n);

		good &= be32_to_cpu(hdr.payload_len) == lens[n % 3] &&
			be32_to_cpu(hdr.offset) == n % 3 * 1024 &&
			be32_to_cpu(hdr.frame_len) == 2500 &&
			be64toh(hdr.sample) == (n / 3 * 2500 + n % 3 * 1024) / 4 &&
			!(hdr.flags & DAQ_HDR_F_EOF) == (n % 3 != 2) &&
			is_counter(head_of(0, n) + 64, n / 3 * 2500 + n % 3 * 1024, lens[n % 3]);
	}
	ktap_ok(good, "tail: the last segment of a frame has what is left, and the signal goes on");

	/* a format change begins a new frame */
	run(300 * NSEC_PER_USEC);
	start_chan(0, DAQ_SOURCE_COUNTER, 4, 1024, 2500, 1000000);
	run(256 * NSEC_PER_USEC);
	set_queue(0, DAQ_QUEUE_CTRL, 0);
	ktap_ok(be32_to_cpu(header(0, 7).frame) == 3 && !header(0, 7).segment,
		"tail: a channel that starts again begins a new frame");
}

static u64 word_at(u32 n, u32 offset)
{
	u64 word;

	memcpy(&word, head_of(0, n) + 64 + offset, 8);
	return le64toh(word);
}

static void test_signals(void)
{
	power_on(1);
	post(0, RING);
	start_chan(0, DAQ_SOURCE_RAMP, 2, 1024, 1024, 1000000);
	run_segments(0, 1);
	ktap_ok(word_at(0, 0) == 0x0003000200010000 && word_at(0, 1016) == 0x01ff01fe01fd01fc,
		"signals: every sample of a ramp is its own number");
	start_chan(0, DAQ_SOURCE_SINE, 2, 1024, 1024, 1000000);
	run_segments(0, 1);
	ktap_ok((u16)word_at(1, 0) == 0 && (u16)word_at(1, 128) == 32767 &&
		(u16)word_at(1, 256) == 0 && (s16)word_at(1, 384) == -32767 &&
		word_at(1, 0) == word_at(1, 512), "signals: a sine of 256 samples");
	set_chan(0, DAQ_CHAN_LINE_BYTES, 32);
	start_chan(0, DAQ_SOURCE_BARS, 2, 64, 64, 1000000);
	run_segments(0, 2);
	ktap_ok((u32)word_at(2, 0) != (u32)word_at(2, 4) && word_at(2, 0) == word_at(2, 32) &&
		word_at(2, 0) != word_at(3, 0), "signals: bars repeat in each line and move with the frame");
}

static bool is_count(const struct daq_card_count *count, u64 segments, u64 frames, u64 bytes)
{
	if (le64_to_cpu(count->segments) == segments && le64_to_cpu(count->frames) == frames &&
	    le64_to_cpu(count->bytes) == bytes)
		return true;
	printf("# %llu segments, %llu frames, %llu bytes\n",
	       (unsigned long long)le64_to_cpu(count->segments),
	       (unsigned long long)le64_to_cpu(count->frames),
	       (unsigned long long)le64_to_cpu(count->bytes));
	return false;
}

/* What the card counts, without a register being read: frames of 1024, 1024 and 1000 bytes. */
static void test_stats(void)
{
	struct daq_chan_report report;
	u32 index;

	power_on(2);
	start_stats(0);
	post(0, 4);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 1024, 3048, 1000000);
	run(1525 * 1000);
	report = stats_of(0);
	ktap_eq(reported(0), 3, "stats: a frame is reported");
	ktap_ok(is_count(&report.produced, 3, 1, 3048 + 3 * 64),
		"stats: its segments, its end and its bytes were before");
	ktap_ok(is_count(&report.no_buffer, 0, 0, 0), "stats: nothing is lost");
	ktap_eq(le32_to_cpu(report.fifo_size), 0, "stats: no FIFO");
	run(2 * 1524 * 1000);
	report = stats_of(0);
	ktap_eq(reported(0), 4, "stats: there are four buffers");
	ktap_ok(is_count(&report.produced, 5, 1, 5 * 1024 + 5 * 64 - 24),
		"stats: with the report for want of more, what was produced until then");
	ktap_ok(is_count(&report.no_buffer, 1, 0, 1024 + 64), "stats: and the first one lost");
	index = stats_index(0);
	run(DAQ_STATS_PERIOD);
	report = stats_of(0);
	ktap_eq(stats_index(0), index + 1, "stats: then once in 100 ms");
	ktap_ok(le64_to_cpu(report.produced.segments) == counter(0, DAQ_CHAN_PRODUCED) ||
		le64_to_cpu(report.produced.segments) > 180, "stats: with what was lost until then");
	set_chan(0, DAQ_CHAN_CTRL, 0);
	report = stats_of(0);
	ktap_ok(le64_to_cpu(report.produced.segments) == counter(0, DAQ_CHAN_PRODUCED) &&
		le64_to_cpu(report.produced.bytes) == counter(0, DAQ_CHAN_PRODUCED_BYTES) &&
		le64_to_cpu(report.no_buffer.segments) == counter(0, DAQ_CHAN_NO_BUFFER),
		"stats: when the channel is off they are final");
	ktap_ok(le64_to_cpu(report.produced.frames) == le64_to_cpu(report.no_buffer.frames) + 1,
		"stats: frames, too");
	index = stats_index(0);
	run(3 * DAQ_STATS_PERIOD);
	ktap_eq(stats_index(0), index, "stats: nothing more comes");
	start_chan(0, DAQ_SOURCE_NONE, 2, 1024, 1024, 1000000);
	run(3 * DAQ_STATS_PERIOD);
	ktap_eq(stats_index(0), index + 1, "stats: nor from a channel that does nothing, but once");

	set_queue(0, DAQ_QUEUE_RX_BUF, 16);
	post(0, RING - 8);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, 4096, 4096, 1000000);
	run_segments(0, 2);
	run(DAQ_STATS_PERIOD);
	set_chan(0, DAQ_CHAN_CTRL, 0);
	report = stats_of(0);
	ktap_ok(is_count(&report.too_long, counter(0, DAQ_CHAN_TOO_LONG),
			 counter(0, DAQ_CHAN_TOO_LONG),
			 counter(0, DAQ_CHAN_TOO_LONG) * (4096 + 64)) &&
		counter(0, DAQ_CHAN_TOO_LONG) > 0, "stats: of segments that are too long");
	ktap_eq(host.outside, 0, "stats: no access outside the host's memory");

	power_on(2);
	write64(DAQ_REG_CHAN(1) + DAQ_CHAN_STATS, 0x1000);
	post(1, 8);
	start_chan(1, DAQ_SOURCE_COUNTER, 2, 1024, 1024, 1000000);
	run_segments(1, 2);
	ktap_eq(reported(1), 2, "stats: an address that is refused stops nothing else");
	ktap_ok(daq_model_read(&model, DAQ_REG_EVENTS) == DAQ_EVENT_DMA_ERROR &&
		read64(DAQ_REG_CHAN(1) + DAQ_CHAN_STATS) == 0, "stats: it is told and forgotten");
}

/* ---- A random life ---- */

static u64 random_state;

static u32 any(u32 below)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % below;
}

struct tally {
	u64 segments[QUEUES];	/* completed, per channel */
	u64 bytes[QUEUES];
	u32 seen[QUEUES];	/* per queue */
	u32 taken[QUEUES];
	unsigned int wrong;
};

static void reap(struct tally *tally, u32 q)
{
	u32 upto = reported(q);

	if (upto - tally->seen[q] > RING) {
		tally->wrong++;
		return;
	}
	for (; tally->seen[q] != upto; tally->seen[q]++) {
		struct daq_rx_cmpl cmpl = completion(q, tally->seen[q]);
		u32 ch = le16toh(cmpl.channel);

		if (ch >= QUEUES || le16toh(cmpl.first) != tally->taken[q] % RING ||
		    !le16toh(cmpl.bufs) || le16toh(cmpl.bufs) > DAQ_SEG_BUFS) {
			tally->wrong++;
			return;
		}
		tally->taken[q] += le16toh(cmpl.bufs);
		tally->segments[ch]++;
		tally->bytes[ch] += le32_to_cpu(cmpl.len);
	}
	if (tally->taken[q] - posted[q] - 1 < RING)
		tally->wrong++;
}

static void restart_queue(struct tally *tally, u32 q)
{
	set_queue(q, DAQ_QUEUE_CTRL, 0);
	reap(tally, q);
	start_queue(q);
	tally->seen[q] = 0;
	tally->taken[q] = 0;
}

static void random_format(u32 ch)
{
	u32 sample = 1 << any(4);
	u32 segment = sample * (1 + any(any(2) ? 100 : DAQ_MAX_SEGMENT_BYTES / sample));
	u32 frame = sample * (1 + any(4 * segment / sample));

	set_chan(ch, DAQ_CHAN_LOOP_FROM, any(QUEUES));
	set_chan(ch, DAQ_CHAN_QUEUE, any(QUEUES));
	start_chan(ch, any(DAQ_SOURCE_MAX + 1), sample, segment, frame, 1 + any(100000000));
}

static void random_packet(u32 q)
{
	u32 payload = 1 + any(3000), pieces = 1 + any(3), i, from = 0;

	if (sent[q] - tx_reported(q) > RING - pieces)
		return;
	make_segment(payload, any(32));
	if (!any(4))
		host.memory[TX_DATA - BASE + any(64)] = any(256);
	for (i = 1; i < pieces; i++) {
		send_desc(q, TX_DATA + from, payload / 3, 0);
		from += payload / 3;
	}
	send_desc(q, TX_DATA + from, 64 + payload - from, DAQ_TX_F_EOP);
}

static void random_action(struct tally *tally)
{
	u32 q = any(QUEUES);

	switch (any(16)) {
	case 0:
		random_format(q);
		break;
	case 1:
		random_packet(q);
		break;
	case 2:
		if (!any(16))
			restart_queue(tally, q);
		break;
	case 3:
		set_queue(q, DAQ_QUEUE_RX_FRAMES, any(4));
		set_queue(q, DAQ_QUEUE_RX_USECS, any(1000));
		set_queue(q, DAQ_QUEUE_RX_LOW, any(64));
		break;
	case 4:
		arm(q, any(65536), any(65536));
		break;
	case 5:
		set_clock_adj(2 * any(1u << 31));
		write64(DAQ_REG_CLOCK_STEP, (s32)(2 * any(1u << 31)));
		break;
	default:
		reap(tally, q);
		if (any(2))
			post(q, any(RING + 1 - (posted[q] - tally->taken[q])));
	}
}

static void test_random(u64 seed)
{
	struct tally tally = { 0 };
	u64 produced = 0, bad = 0, segments = 0;
	u32 i, q;

	printf("# random: seed %llu\n", (unsigned long long)seed);
	random_state = seed;
	power_on(QUEUES);
	for (q = 0; q < QUEUES; q++)
		random_format(q);
	for (i = 0; i < 100000; i++) {
		random_action(&tally);
		daq_model_step(&model);
		host.now += any(200000);
	}
	for (q = 0; q < QUEUES; q++) {
		set_chan(q, DAQ_CHAN_CTRL, 0);
		set_queue(q, DAQ_QUEUE_CTRL, 0);
		reap(&tally, q);
	}
	for (q = 0; q < QUEUES; q++) {
		produced += counter(q, DAQ_CHAN_PRODUCED);
		segments += tally.segments[q];
		bad += counter(q, DAQ_CHAN_PRODUCED) != tally.segments[q] +
		       counter(q, DAQ_CHAN_NO_BUFFER) + counter(q, DAQ_CHAN_TOO_LONG);
	}
	ktap_eq(bad, 0, "random: produced = completed + no buffer + too long on every channel");
	ktap_eq(tally.wrong, 0, "random: every completion has the buffers that are next");
	ktap_eq(host.outside, 0, "random: no access outside the host's memory");
	ktap_ok(segments > 10000 && segments < produced, "random: enough has happened: %llu of %llu segments arrived",
		(unsigned long long)segments, (unsigned long long)produced);
}

int main(int argc, char **argv)
{
	ktap_begin();
	test_header();
	test_split();
	test_no_buffer();
	test_moderation();
	test_move();
	test_interrupts();
	test_rate();
	test_loopback();
	test_played_gap();
	test_cable();
	test_places();
	test_notice();
	test_hostile_output();
	test_registers();
	test_limits();
	test_tamper();
	test_stats();
	test_clock();
	test_clock_pace();
	test_clock_output();
	test_tail();
	test_signals();
	test_random(argc > 1 ? strtoull(argv[1], NULL, 0) : 20260822);
	free(host.memory);
	return ktap_end();
}
