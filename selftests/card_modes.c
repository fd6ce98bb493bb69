// SPDX-License-Identifier: GPL-2.0
/* The card model: personalities, READY and KICK, reset, refused addresses. */
#include "card_host.h"

#define KICKED	0
#define POLLED	DAQ_CAP_AUTO
#define IRQ	(DAQ_CAP_IRQ | DAQ_CAP_AUTO)

#define SEGMENT	1024u
#define PERIOD	(512 * NSEC_PER_SEC / 1000000)	/* of a segment, ns */

static void kick(u64 channels)
{
	daq_model_doorbell(&model, DAQ_REG_KICK, channels);
	daq_model_doorbell(&model, DAQ_REG_KICK + 4, channels >> 32);
	run(0);
}

static u64 ready(void)
{
	return read64(DAQ_REG_READY);
}

/* As the driver does it: until there is nothing more. Returns how often. */
static u32 kick_all(void)
{
	u32 n;

	for (n = 0; ready() && n < 1000; n++)
		kick(ready());
	return n;
}

static void start_counter(u32 ch, u32 segments_per_frame)
{
	start_chan(ch, DAQ_SOURCE_COUNTER, 2, SEGMENT, segments_per_frame * SEGMENT, 1000000);
	run(0);
}

static void test_caps(void)
{
	power_on_with(2, IRQ | DAQ_CAP_USER);
	ktap_eq(daq_model_read(&model, DAQ_REG_CAPS), 7, "caps: what the card can do");
	power_on_with(2, KICKED);
	ktap_eq(daq_model_read(&model, DAQ_REG_CAPS), 0, "caps: nothing");
}

/* What overruns the FIFO is told by a kick: no other DMA moves. */
static void test_kicked_stats(void)
{
	struct daq_chan_report report;
	u32 segments;

	power_on_with(2, KICKED);
	start_stats(0);
	post(0, 64);
	start_counter(0, 4);
	kick(1);
	run(3 * PERIOD + PERIOD / 2);
	kick(1);
	run(DAQ_STATS_PERIOD + 10 * NSEC_PER_MSEC);
	ktap_eq(ready() & 1, 1, "stats, kicked: they are something to be kicked for");
	kick(1);
	report = stats_of(0);
	ktap_eq(le32_to_cpu(report.fifo_size), 8, "stats, kicked: how large the FIFO is");
	ktap_eq(le32_to_cpu(report.fifo_level), 7, "stats, kicked: it was full, and one has moved");
	segments = le64_to_cpu(report.fifo_overrun.segments);
	ktap_ok(segments > 100 && le64_to_cpu(report.fifo_overrun.bytes) ==
		segments * (SEGMENT + 64), "stats, kicked: what overran: %u segments", segments);
	ktap_ok(le64_to_cpu(report.fifo_overrun.frames) >= segments / 4 - 2 &&
		le64_to_cpu(report.fifo_overrun.frames) <= segments / 4 + 2,
		"stats, kicked: and ends of frames");
	set_chan(0, DAQ_CHAN_CTRL, 0);
	report = stats_of(0);
	ktap_ok(le64_to_cpu(report.produced.segments) == counter(0, DAQ_CHAN_PRODUCED) &&
		le64_to_cpu(report.produced.bytes) == counter(0, DAQ_CHAN_PRODUCED_BYTES) &&
		le64_to_cpu(report.fifo_overrun.segments) == counter(0, DAQ_CHAN_FIFO_OVERRUN) &&
		!report.fifo_level, "stats, kicked: when it is off they are final");
}

static void test_polled(void)
{
	power_on_with(3, POLLED);
	post(1, 64);
	arm(1, 0, 0);
	ktap_eq(ready(), 0, "polled: nothing is ready at first");
	start_counter(1, 1);
	run(2 * PERIOD);
	ktap_eq(reported(1), 2, "polled: data move by themselves");
	ktap_eq(ready(), 2, "polled: the queue with reports is ready");
	arm(1, 1, 0);
	ktap_eq(ready(), 2, "polled: it is until all are acknowledged");
	arm(1, 2, 0);
	ktap_eq(ready(), 0, "polled: and then not");
	make_segment(100, 0);
	send_desc(0, TX_DATA, 164, DAQ_TX_F_EOP);
	start_chan(0, DAQ_SOURCE_NONE, 2, SEGMENT, SEGMENT, 1000000);
	run(0);
	ktap_eq(ready(), 1, "polled: reports of an output count too");
	kick(7);
	ktap_eq(host.raised[0] + host.raised[1], 0, "polled: no interrupt");
}

static bool in_order(u32 q, u32 count)
{
	u32 n;

	for (n = 0; n < count; n++) {
		struct daq_hdr hdr = header(q, n);

		if (hdr.flags & DAQ_HDR_F_OVERRUN || hdr.dropped ||
		    be64toh(hdr.sample) != n * 512 ||
		    !is_counter(head_of(q, n) + 64, n * SEGMENT, SEGMENT))
			return false;
	}
	return true;
}

static void test_kicked(void)
{
	u32 n;

	power_on_with(3, KICKED);
	post(2, RING);
	arm(2, 0, 0);
	start_counter(2, 4);
	ktap_eq(ready(), 0, "kicked: nothing is ready at first");
	run(PERIOD - 1);
	ktap_eq(ready(), 0, "kicked: nor before the segment is complete");
	run(1);
	ktap_eq(ready(), 4, "kicked: then its channel is");
	run(2 * PERIOD);
	ktap_ok(!reported(2) && !counter(2, DAQ_CHAN_PRODUCED), "kicked: nothing moves by itself");
	kick(3);
	ktap_eq(counter(2, DAQ_CHAN_PRODUCED), 0, "kicked: nor when others are kicked");
	kick(4);
	ktap_eq(counter(2, DAQ_CHAN_PRODUCED), 1, "kicked: one segment per kick");
	ktap_eq(kick_all(), 2, "kicked: ready until all have moved");
	ktap_eq(reported(2), 0, "kicked: reports wait for the end of the frame");
	for (n = 3; n < 64; n++) {
		run(PERIOD);
		kick_all();
	}
	ktap_eq(reported(2), 64, "kicked: and come with it");
	ktap_ok(in_order(2, 64), "kicked: in time, nothing is lost");
	ktap_eq(counter(2, DAQ_CHAN_FIFO_OVERRUN), 0, "kicked: nor counted so");
	ktap_eq(host.raised[2], 0, "kicked: no interrupt");
	ktap_eq(host.outside, 0, "kicked: no access outside the host's memory");
}

/* A loss is told by the first segment behind it, with the exact number. */
static void test_fifo_overrun(void)
{
	struct daq_hdr hdr;
	bool whole = true;
	u32 n;

	power_on_with(1, KICKED);
	post(0, RING);
	start_counter(0, 3);
	run(20 * PERIOD);
	run(0);
	ktap_eq(counter(0, DAQ_CHAN_FIFO_OVERRUN), 12, "fifo: what finds it full is lost");
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 12, "fifo: and counts as produced");
	kick(1);
	run(PERIOD);
	kick_all();
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 21, "fifo: eight had waited, one came later");
	set_queue(0, DAQ_QUEUE_CTRL, 0);
	ktap_eq(reported(0), 9, "fifo: they are all received");
	for (n = 0; n < 8; n++) {
		hdr = header(0, n);
		whole &= !(hdr.flags & DAQ_HDR_F_OVERRUN) && !hdr.dropped &&
			 be64toh(hdr.sample) == n * 512;
	}
	ktap_ok(whole, "fifo: the eight oldest, without a gap");
	hdr = header(0, 8);
	ktap_ok(hdr.flags & DAQ_HDR_F_OVERRUN && be64toh(hdr.dropped) == 12 &&
		be64toh(hdr.sample) == 20 * 512 && be32_to_cpu(hdr.frame) == 6 &&
		be32_to_cpu(hdr.segment) == 2 && be32_to_cpu(hdr.offset) == 2 * SEGMENT &&
		hdr.flags & DAQ_HDR_F_EOF, "fifo: the next one tells of the loss, in its place");
	ktap_ok(is_counter(head_of(0, 8) + 64, 20 * SEGMENT, SEGMENT), "fifo: with its own data");
}

static u32 any_state;

static u32 any(u32 limit)
{
	any_state = any_state * 1664525 + 1013904223;
	return (any_state >> 8) % limit;
}

/*
 * The same time in one leap and in small steps, with segments that do not
 * divide frames: what is computed for a leap is what would have been counted.
 */
static void test_leap(void)
{
	u32 round, wrong = 0;

	any_state = 12345;
	for (round = 0; round < 200; round++) {
		u32 sample = 1 << any(4);
		u32 segment = sample * (1 + any(300)), frame = sample * (1 + any(2000));
		u64 rate = 1 + any(20000000), ns = 1 + any(1000) * 40000ull, left;
		struct daq_model leap;

		power_on_with(1, KICKED);
		start_chan(0, DAQ_SOURCE_RAMP, sample, segment, frame, rate);
		run(0);
		left = host.now + ns;
		host.now += ns;
		daq_model_step(&model);
		leap = model;

		power_on_with(1, KICKED);
		start_chan(0, DAQ_SOURCE_RAMP, sample, segment, frame, rate);
		while (host.now < left) {
			daq_model_step(&model);
			host.now += 1 + (left - host.now) / 50;
		}
		daq_model_step(&model);
		wrong += memcmp(&leap.chan[0].next, &model.chan[0].next, sizeof(leap.chan[0].next)) ||
			 leap.chan[0].fifo_overrun != model.chan[0].fifo_overrun ||
			 leap.chan[0].produced_bytes != model.chan[0].produced_bytes ||
			 leap.chan[0].start != model.chan[0].start;
	}
	ktap_eq(wrong, 0, "leap: many segments are lost like one by one");

	power_on_with(1, KICKED);
	start_chan(0, DAQ_SOURCE_RAMP, 1, 1, 1 << 20, 1000000000);
	run(0);
	host.now += 100 * NSEC_PER_SEC;
	daq_model_step(&model);
	ktap_eq(counter(0, DAQ_CHAN_FIFO_OVERRUN), 100 * NSEC_PER_SEC - 8,
		"leap: 10^11 segments at once");
}

static void test_fifo_off(void)
{
	struct daq_hdr hdr;

	power_on_with(1, KICKED);
	post(0, RING);
	start_counter(0, 1);
	run(3 * PERIOD);
	set_chan(0, DAQ_CHAN_CTRL, 0);
	run(0);
	ktap_eq(counter(0, DAQ_CHAN_FIFO_OVERRUN), 3, "off: what waited is lost");
	ktap_eq(ready(), 0, "off: nothing is ready");
	start_counter(0, 1);
	run(PERIOD);
	kick_all();
	hdr = header(0, 0);
	ktap_ok(reported(0) == 1 && hdr.flags & DAQ_HDR_F_OVERRUN &&
		be64toh(hdr.dropped) == 3 && be64toh(hdr.sample) == 3 * 512,
		"off: the next segment tells of it");
}

static void test_kicked_output(void)
{
	power_on_with(2, KICKED);
	post(1, 64);
	set_chan(1, DAQ_CHAN_LOOP_FROM, 0);
	start_chan(1, DAQ_SOURCE_LOOPBACK, 2, SEGMENT, SEGMENT, 1000000);
	start_chan(0, DAQ_SOURCE_NONE, 2, SEGMENT, SEGMENT, 1000000);
	run(0);
	kick_all();
	make_segment(200, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF);
	send_desc(0, TX_DATA, 264, DAQ_TX_F_EOP);
	send_desc(0, TX_DATA, 264, DAQ_TX_F_EOP);
	run(NSEC_PER_MSEC);
	ktap_eq(counter(0, DAQ_CHAN_PLAYED), 0, "output: nothing is played by itself");
	ktap_eq(ready(), 1, "output: a packet makes the channel ready");
	kick(1);
	ktap_eq(counter(0, DAQ_CHAN_PLAYED), 1, "output: one packet per kick");
	ktap_eq(tx_reported(0), 1, "output: and is reported");
	ktap_eq(reported(1), 1, "output: loop-back takes no kick of its own");
	ktap_eq(ready(), 0, "output: the next one's time has not come");
	run(100 * 1000);
	ktap_eq(ready(), 1, "output: when it has, the channel is ready");
	kick_all();
	run(100 * 1000);
	kick_all();
	ktap_ok(counter(0, DAQ_CHAN_PLAYED) == 2 && counter(0, DAQ_CHAN_UNDERRUNS) == 1,
		"output: then it runs dry, once");
	run(NSEC_PER_SEC);
	ktap_eq(ready(), 0, "output: an idle one is not ready");
}

static void test_kicked_notice(void)
{
	struct daq_hdr hdr;

	power_on_with(1, KICKED);
	set_chan(0, DAQ_CHAN_LOOP_FROM, 0);
	start_chan(0, DAQ_SOURCE_LOOPBACK, 2, SEGMENT, SEGMENT, 1000000);
	run(0);
	kick_all();
	make_segment(200, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF | DAQ_HDR_F_LAST);
	send_desc(0, TX_DATA, 264, DAQ_TX_F_EOP);
	kick_all();
	run(NSEC_PER_MSEC);
	kick_all();
	ktap_eq(counter(0, DAQ_CHAN_NO_BUFFER), 1, "notice: a segment is lost");
	post(0, 64);
	run(10 * NSEC_PER_MSEC);
	ktap_eq(ready(), 1, "notice: the channel is ready when it is due");
	kick(1);
	hdr = header(0, 0);
	ktap_ok(reported(0) == 1 && hdr.flags & DAQ_HDR_F_OVERRUN && !hdr.payload_len &&
		hdr.flags & DAQ_HDR_F_LAST, "notice: a kick sends it");
}

static void test_kicked_age(void)
{
	power_on_with(2, KICKED);
	set_queue(1, DAQ_QUEUE_RX_FRAMES, 100);
	set_queue(1, DAQ_QUEUE_RX_USECS, 1000);
	set_chan(0, DAQ_CHAN_QUEUE, 1);
	post(1, 64);
	start_chan(0, DAQ_SOURCE_COUNTER, 2, SEGMENT, SEGMENT, 512000 / 10);
	run(10 * NSEC_PER_MSEC);
	ktap_eq(kick_all(), 1, "age: a segment moves");
	ktap_eq(reported(1), 0, "age: and is not reported");
	run(NSEC_PER_MSEC);
	ktap_eq(ready(), 2, "age: when it is old its queue is ready");
	kick(2);
	ktap_eq(reported(1), 1, "age: and a kick reports it");
}

static void test_high_half(void)
{
	u64 channels = 1ull << 40;

	memset(&host.raised, 0, sizeof(host.raised));
	daq_model_init(&model, &card_services, NULL, 64, KICKED);
	start_counter(40, 1);
	run(PERIOD);
	ktap_ok(ready() == channels, "halves: channel 40 is in the high one");
	daq_model_doorbell(&model, DAQ_REG_KICK + 4, 1u << 8);
	run(0);
	ktap_eq(counter(40, DAQ_CHAN_PRODUCED), 1, "halves: each acts for itself");
}

static void test_reset(void)
{
	u32 reg, wrong = 0;
	struct daq_model fresh;
	u64 now;

	power_on_with(4, IRQ);
	post(0, 64);
	start_counter(0, 1);
	write64(DAQ_REG_CLOCK_STEP, 12345);
	daq_model_write(&model, DAQ_REG_CLOCK_ADJ, 1 << 20);
	daq_model_write(&model, DAQ_REG_EVENT_MASK, DAQ_EVENT_DMA_ERROR);
	run(5 * PERIOD);
	arm(0, reported(0), 0);
	daq_model_write(&model, DAQ_REG_CTRL, DAQ_CTRL_RESET);
	ktap_eq(daq_model_read(&model, DAQ_REG_CTRL), 0, "reset: is over at once");
	now = host.now;
	daq_model_init(&fresh, &card_services, NULL, 4, IRQ);
	for (reg = 0; reg < DAQ_REG_SPACE(4); reg += 4)
		wrong += daq_model_read(&model, reg) != daq_model_read(&fresh, reg);
	ktap_eq(wrong, 0, "reset: every register is as at power-on");
	ktap_ok(read64(DAQ_REG_CLOCK) == now, "reset: the clock too");
	memset(host.raised, 0, sizeof(host.raised));
	run(NSEC_PER_SEC);
	ktap_eq(host.raised[0], 0, "reset: nothing interrupts or runs afterwards");
	start_queue(0);
	post(0, 64);
	start_counter(0, 1);
	run(3 * PERIOD);
	ktap_ok(reported(0) == 3 && !header(0, 0).sample, "reset: the card starts anew");
}

static void expect_stopped(const char *what, u32 q)
{
	u32 other = 1 - q;

	ktap_eq(daq_model_read(&model, DAQ_REG_QUEUE(q) + DAQ_QUEUE_CTRL), 0,
		"refused %s: the queue stops", what);
	ktap_eq(daq_model_read(&model, DAQ_REG_QUEUE(other) + DAQ_QUEUE_CTRL), 3,
		"refused %s: the other one does not", what);
	ktap_eq(daq_model_read(&model, DAQ_REG_EVENTS), DAQ_EVENT_DMA_ERROR,
		"refused %s: an event tells", what);
	ktap_eq(host.raised[2], 1, "refused %s: and interrupts once", what);
	daq_model_write(&model, DAQ_REG_EVENTS, DAQ_EVENT_DMA_ERROR);
	ktap_eq(daq_model_read(&model, DAQ_REG_EVENTS), 0, "refused %s: it can be cleared", what);
	run(10 * NSEC_PER_MSEC);
	ktap_eq(host.raised[2], 1, "refused %s: and comes once", what);
}

static void start_two(u32 caps)
{
	power_on_with(2, caps);
	daq_model_write(&model, DAQ_REG_EVENT_MASK, DAQ_EVENT_DMA_ERROR);
	post(0, 64);
	post(1, 64);
}

/* Each address in turn is one that the bus refuses. */
static void test_refused_input(void)
{
	static const struct {
		const char *what;
		u32 reg;
	} addresses[] = {
		{ "descriptors", DAQ_QUEUE_RX_DESC },
		{ "completions", DAQ_QUEUE_RX_CMPL },
		{ "status", DAQ_QUEUE_STATUS },
	};
	u64 dropped;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(addresses); i++) {
		start_two(IRQ);
		write64(DAQ_REG_QUEUE(0) + addresses[i].reg, 0x1000);
		start_counter(0, 1);
		start_counter(1, 1);
		run(4 * PERIOD);
		expect_stopped(addresses[i].what, 0);
		dropped = counter(0, DAQ_CHAN_NO_BUFFER);
		ktap_ok(reported(1) > 20 && dropped > 20 &&
			dropped == counter(0, DAQ_CHAN_PRODUCED) - (i == 2),
			"refused %s: every segment is accounted for", addresses[i].what);
	}
}

static void test_refused_buffer(void)
{
	struct daq_rx_desc desc = { cpu_to_le64(0x2000) };

	start_two(IRQ);
	host_write(NULL, RX_DESC(0) + 2 * sizeof(desc), &desc, sizeof(desc));
	start_counter(0, 1);
	run(4 * PERIOD);
	ktap_eq(reported(0), 2, "refused buffer: what came before is received");
	expect_stopped("buffer", 0);
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), counter(0, DAQ_CHAN_NO_BUFFER) + 2,
		"refused buffer: every segment is accounted for");
}

static void test_refused_output(void)
{
	struct daq_hdr hdr;

	start_two(IRQ);
	set_chan(1, DAQ_CHAN_LOOP_FROM, 0);
	start_chan(1, DAQ_SOURCE_LOOPBACK, 2, SEGMENT, SEGMENT, 1000000);
	start_chan(0, DAQ_SOURCE_NONE, 2, SEGMENT, SEGMENT, 1000000);
	make_segment(200, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF);
	send_desc(0, 0x3000, 264, DAQ_TX_F_EOP);
	run(PERIOD);
	expect_stopped("packet", 0);
	ktap_eq(counter(0, DAQ_CHAN_PLAYED) + counter(0, DAQ_CHAN_TX_BAD), 0,
		"refused packet: it is not played");

	start_queue(0);
	host.raised[2] = 0;
	send_desc(0, TX_DATA, 100, 0);
	send_desc(0, 0x3000, 164, DAQ_TX_F_EOP);
	run(PERIOD);
	expect_stopped("end of a packet", 0);
	hdr = header(1, 0);
	ktap_ok(reported(1) == 1 && hdr.flags & DAQ_HDR_F_OVERRUN && !hdr.payload_len,
		"refused end of a packet: nobody gets a part of it, a notice tells");

	start_queue(0);
	set_queue(1, DAQ_QUEUE_CTRL, 0);
	start_queue(1);
	post(1, 64);
	send_desc(0, TX_DATA, 264, DAQ_TX_F_EOP);
	run(PERIOD);
	hdr = header(1, 0);
	ktap_ok(reported(1) == 1 && be64toh(hdr.dropped) == 1 && be32_to_cpu(hdr.payload_len) == 200,
		"refused packet: a queue that starts anew works");
}

static void test_events(void)
{
	start_two(IRQ);
	daq_model_write(&model, DAQ_REG_EVENT_MASK, 0);
	write64(DAQ_REG_QUEUE(0) + DAQ_QUEUE_STATUS, 0x1000);
	start_counter(0, 1);
	run(PERIOD);
	ktap_ok(daq_model_read(&model, DAQ_REG_EVENTS) == 1 && !host.raised[2],
		"events: one that is masked does not interrupt");
	daq_model_write(&model, DAQ_REG_EVENT_MASK, DAQ_EVENT_DMA_ERROR);
	ktap_eq(host.raised[2], 1, "events: it does when it is let through");
	start_two(KICKED);
	write64(DAQ_REG_QUEUE(0) + DAQ_QUEUE_STATUS, 0x1000);
	start_counter(0, 1);
	run(PERIOD);
	kick_all();
	ktap_ok(daq_model_read(&model, DAQ_REG_EVENTS) == 1 && !host.raised[2],
		"events: a card without interrupts only tells");
}

/* ---- User pages ---- */

static void set_user(u32 ch, u32 offset, u32 val)
{
	host.user[ch][offset / 4] = cpu_to_le32(val);
}

static u64 produced(u32 ch)
{
	kick_all();
	return counter(ch, DAQ_CHAN_PRODUCED);
}

/* The one frame that came when nothing was in its way took its time, and no other. */
static bool began_late(u32 frame, u64 not_before)
{
	struct daq_hdr hdr = header(0, 2 * frame);

	return hdr.flags & DAQ_HDR_F_SOF && be32_to_cpu(hdr.frame) == frame &&
	       be64toh(hdr.sample) == frame * 1024 && be64toh(hdr.timestamp) >= not_before;
}

static void test_gate(const char *kind, u32 caps)
{
	u64 opened;

	power_on_with(2, caps | DAQ_CAP_USER);
	post(0, RING);
	set_user(0, DAQ_USER_GATE, DAQ_USER_GATE_CLOSED);
	start_counter(0, 2);
	run(2 * PERIOD);
	ktap_eq(produced(0), 2, "gate, %s: does nothing while the page is not open", kind);
	set_chan(0, DAQ_CHAN_USER, DAQ_CHAN_USER_OPEN);
	ktap_eq(le32_to_cpu(host.user[0][DAQ_USER_GATE / 4]), 0,
		"gate, %s: the page is empty when it opens", kind);
	run(PERIOD);
	ktap_eq(produced(0), 3, "gate, %s: the next frame begins", kind);
	set_user(0, DAQ_USER_GATE, DAQ_USER_GATE_CLOSED);
	run(10 * PERIOD);
	ktap_eq(produced(0), 4, "gate, %s: closed: the frame ends, and none begins", kind);
	opened = host.now;
	set_user(0, DAQ_USER_GATE, 0);
	run(3 * PERIOD);
	ktap_eq(produced(0) / 2, 3, "gate, %s: open", kind);
	ktap_ok(began_late(2, opened - PERIOD), "gate, %s: the next frame, and begun late", kind);
	set_user(0, DAQ_USER_GATE, DAQ_USER_GATE_CLOSED);
	run(10 * PERIOD);
	set_chan(0, DAQ_CHAN_USER, 0);
	opened = produced(0);
	run(3 * PERIOD);
	ktap_ok(produced(0) > opened, "gate, %s: without effect when the page is closed", kind);
	ktap_eq(counter(0, DAQ_CHAN_FIFO_OVERRUN), 0, "gate, %s: what was not taken is no loss",
		kind);
}

static void test_trigger(const char *kind, u32 caps)
{
	power_on_with(2, caps | DAQ_CAP_USER);
	post(0, RING);
	set_chan(0, DAQ_CHAN_USER, DAQ_CHAN_USER_OPEN);
	set_user(0, DAQ_USER_GATE, DAQ_USER_GATE_TRIGGER);
	start_counter(0, 2);
	run(5 * PERIOD);
	ktap_eq(produced(0), 0, "trigger, %s: nothing without it", kind);
	set_user(0, DAQ_USER_TRIGGER, 17);
	run(9 * PERIOD);
	ktap_eq(produced(0), 2, "trigger, %s: one frame for each", kind);
	set_user(0, DAQ_USER_TRIGGER, 16);
	run(9 * PERIOD);
	ktap_eq(produced(0), 4, "trigger, %s: and another one", kind);
}

static void test_user(void)
{
	power_on_with(2, IRQ | DAQ_CAP_USER);
	ktap_ok(!daq_model_user_write(&model, 1, DAQ_USER_MARKER, 5) &&
		!host.user[1][DAQ_USER_MARKER / 4] && counter(1, DAQ_CHAN_USER_REFUSED) == 1,
		"user page: takes nothing before it is open, and counts that");
	set_chan(1, DAQ_CHAN_USER, UINT32_MAX);
	ktap_eq(daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_USER), DAQ_CHAN_USER_OPEN,
		"user page: open");
	ktap_ok(daq_model_user_write(&model, 1, DAQ_USER_MARKER, 6) &&
		daq_model_user_read(&model, 1, DAQ_USER_MARKER) == 6 &&
		daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_MARKER) == 6 &&
		counter(1, DAQ_CHAN_USER_WRITES) == 1, "user page: the marker");
	daq_model_user_write(&model, 1, DAQ_USER_RESERVED, 7);
	ktap_eq(daq_model_user_read(&model, 1, DAQ_USER_RESERVED), 0, "user page: reserved words");
	ktap_eq(daq_model_read(&model, DAQ_REG_CHAN(0) + DAQ_CHAN_MARKER), 0,
		"user page: each channel has its own");
	set_chan(1, DAQ_CHAN_USER, 0);
	ktap_ok(!daq_model_user_write(&model, 1, DAQ_USER_MARKER, 8) &&
		!daq_model_user_read(&model, 1, DAQ_USER_MARKER) &&
		daq_model_read(&model, DAQ_REG_CHAN(1) + DAQ_CHAN_MARKER) == 6,
		"user page: closed it stays as it is, and is not to be seen");
	set_chan(1, DAQ_CHAN_USER, DAQ_CHAN_USER_OPEN);
	daq_model_write(&model, DAQ_REG_CTRL, DAQ_CTRL_RESET);
	ktap_ok(!daq_model_user_write(&model, 1, DAQ_USER_MARKER, 8),
		"user page: not open after a reset");
}

static void test_withhold(void)
{
	power_on_with(3, IRQ | DAQ_CAP_USER);
	daq_model_write(&model, DAQ_REG_EVENT_MASK, DAQ_EVENT_USER);
	daq_model_withhold(&model, 0);
	ktap_ok(!host.raised[3], "withheld: no event without a change");
	daq_model_withhold(&model, 5);
	ktap_ok(host.raised[3] == 1 && read64(DAQ_REG_USER_HELD) == 5 &&
		daq_model_read(&model, DAQ_REG_EVENTS) == DAQ_EVENT_USER, "withheld: an event");
	daq_model_write(&model, DAQ_REG_EVENTS, DAQ_EVENT_USER);
	daq_model_write(&model, DAQ_REG_CTRL, DAQ_CTRL_RESET);
	ktap_eq(read64(DAQ_REG_USER_HELD), 5, "withheld: whatever is reset");
	daq_model_withhold(&model, 0);
	ktap_ok(!read64(DAQ_REG_USER_HELD) &&
		daq_model_read(&model, DAQ_REG_EVENTS) == DAQ_EVENT_USER,
		"withheld: an event when that ends");
}

int main(void)
{
	ktap_begin();
	test_caps();
	test_kicked_stats();
	test_polled();
	test_kicked();
	test_fifo_overrun();
	test_leap();
	test_fifo_off();
	test_kicked_output();
	test_kicked_notice();
	test_kicked_age();
	test_high_half();
	test_reset();
	test_refused_input();
	test_refused_buffer();
	test_refused_output();
	test_events();
	test_gate("interrupt", IRQ);
	test_gate("kicked", KICKED);
	test_trigger("interrupt", IRQ);
	test_trigger("kicked", KICKED);
	test_user();
	test_withhold();
	free(host.memory);
	return ktap_end();
}
