// SPDX-License-Identifier: GPL-2.0
/* The card model: what is connected to inputs and outputs outside. */
#include "card_host.h"

#define SEGMENT	1024u
#define PERIOD	(512 * NSEC_PER_SEC / 1000000)	/* of a segment, ns */

static void connect(u64 there, bool ended)
{
	host.attached.there = there;
	host.attached.ended = ended;
}

static void start(u32 ch, u32 segments_per_frame)
{
	start_chan(ch, DAQ_SOURCE_EXTERNAL, 2, SEGMENT, segments_per_frame * SEGMENT, 1000000);
}

static bool is_outside(u32 q, u32 n, u64 pos, u32 len)
{
	const u8 *data = head_of(q, n) + DAQ_HDR_LEN;
	u32 i;

	for (i = 0; i < len; i++)
		if (data[i] != outside_byte(pos + i))
			return false;
	return true;
}

static void test_pace(void)
{
	u64 start_time;
	bool same = true;
	u32 n;

	power_on(2);
	post(1, RING);
	connect(1 << 20, false);
	start_time = host.now;
	start(1, 4);
	run(10 * PERIOD - 1);
	ktap_eq(reported(1), 8, "input: as fast as its rate says");
	run(1);
	for (n = 0; n < 8; n++)
		same &= is_outside(1, n, n * SEGMENT, SEGMENT) &&
			be64toh(header(1, n).timestamp) == start_time + n * PERIOD;
	ktap_ok(same, "input: what is connected, byte for byte and on time");
	ktap_eq(host.attached.released, 10 * SEGMENT, "input: what was taken is released");

	/* The card must not ask for what it has had. */
	set_queue(1, DAQ_QUEUE_CTRL, 0);
	run(5 * PERIOD);
	ktap_eq(counter(1, DAQ_CHAN_NO_BUFFER), 5, "input: it does not wait for buffers");
	ktap_eq(host.attached.released, 15 * SEGMENT, "input: what was lost is over");
	ktap_eq(host.attached.early, 0, "input: nothing is taken that is not there");
}

static void test_waiting(void)
{
	struct daq_hdr hdr;

	power_on(2);
	post(0, RING);
	connect(2 * SEGMENT + 1, false);
	start(0, 1);
	run(5 * PERIOD);
	ktap_eq(reported(0), 2, "waiting: a part of a segment is not taken");
	run(100 * NSEC_PER_MSEC);
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 2, "waiting: nothing is made up");
	connect(8 * SEGMENT + 1, false);
	run(0);
	ktap_eq(reported(0), 3, "waiting: the rest comes at once");
	hdr = header(0, 2);
	ktap_ok(be64toh(hdr.sample) == 2 * 512 && !(hdr.flags & DAQ_HDR_F_OVERRUN) &&
		be64toh(hdr.timestamp) == host.now - PERIOD,
		"waiting: no sample is lost, but they are later");
	run(PERIOD - 1);
	ktap_eq(reported(0), 3, "waiting: and go on at their pace");
	run(1);
	ktap_eq(reported(0), 4, "waiting: in time");
}

static void test_end(void)
{
	struct daq_hdr hdr;

	power_on(2);
	post(0, 6);
	connect(5 * SEGMENT + 101, true);
	start(0, 4);
	run(20 * PERIOD);
	ktap_eq(reported(0), 6, "end: a last segment with the rest");
	hdr = header(0, 5);
	ktap_ok(be32toh(hdr.payload_len) == 101 && be32toh(hdr.frame_len) == SEGMENT + 101 &&
		(hdr.flags & (DAQ_HDR_F_EOF | DAQ_HDR_F_LAST)) == (DAQ_HDR_F_EOF | DAQ_HDR_F_LAST) &&
		is_outside(0, 5, 5 * SEGMENT, 101), "end: which says so");
	ktap_ok(!(header(0, 4).flags & DAQ_HDR_F_LAST), "end: and no other does");
	ktap_eq(counter(0, DAQ_CHAN_PRODUCED), 6, "end: a part of a sample is not left over");

	power_on(2);
	post(0, 4);
	connect(4 * SEGMENT, true);
	start(0, 4);
	run(20 * PERIOD);
	ktap_ok(reported(0) == 4 && (header(0, 3).flags & DAQ_HDR_F_LAST),
		"end: also where a segment ends");

	power_on(2);
	post(0, 1);
	connect(4 * SEGMENT, true);
	start(0, 4);
	run(20 * PERIOD);
	post(0, 4);
	run(NSEC_PER_SEC);
	hdr = header(0, 1);
	ktap_ok(reported(0) == 2 && !hdr.payload_len && be64toh(hdr.dropped) == 3 &&
		hdr.flags == (DAQ_HDR_F_OVERRUN | DAQ_HDR_F_LAST),
		"end: a notice tells of one that was lost");
}

static void kick(u32 channels)
{
	daq_model_doorbell(&model, DAQ_REG_KICK, channels);
	run(0);
}

static void test_kicked(void)
{
	struct daq_hdr hdr;
	bool same = true;
	u32 n;

	power_on_with(2, 0);
	post(1, RING);
	connect(12 * SEGMENT + 1, false);
	start(1, 1);
	run(20 * PERIOD);
	ktap_eq(counter(1, DAQ_CHAN_FIFO_OVERRUN), 4, "kicked: what finds the FIFO full is lost");
	for (n = 0; n < DAQ_FIFO_SEGMENTS; n++) {
		kick(2);
		same &= is_outside(1, n, n * SEGMENT, SEGMENT);
	}
	ktap_ok(same, "kicked: what is in the FIFO arrives");
	ktap_eq(host.attached.released, 12 * SEGMENT, "kicked: then what was lost is released");
	ktap_eq(read64(DAQ_REG_READY), 0, "kicked: nothing is ready when nothing is there");
	connect(13 * SEGMENT, true);
	run(PERIOD);
	ktap_eq(read64(DAQ_REG_READY), 2, "kicked: it is when there is");
	kick(2);
	hdr = header(1, 8);
	ktap_ok(is_outside(1, 8, 12 * SEGMENT, SEGMENT) && (hdr.flags & DAQ_HDR_F_OVERRUN) &&
		be64toh(hdr.dropped) == 4 && (hdr.flags & DAQ_HDR_F_LAST),
		"kicked: the next one tells of the loss, and of the end");
	ktap_eq(host.attached.early, 0, "kicked: nothing is taken that is not there");

	power_on_with(2, 0);
	post(1, RING);
	connect(9 * SEGMENT, true);
	start(1, 1);
	run(20 * PERIOD);
	for (n = 0; n < DAQ_FIFO_SEGMENTS; n++)
		kick(2);
	run(NSEC_PER_SEC);
	ktap_eq(read64(DAQ_REG_READY), 2, "kicked: a notice of the end is ready");
	kick(2);
	hdr = header(1, 8);
	ktap_ok(!hdr.payload_len && be64toh(hdr.dropped) == 1 &&
		hdr.flags == (DAQ_HDR_F_OVERRUN | DAQ_HDR_F_LAST),
		"kicked: it tells of the last segment, which was lost");
}

/* A card with more memory loses later, and nothing else is different. */
static void test_deep_fifo(void)
{
	bool same = true;
	u32 n;

	power_on_with(2, 0);
	model.fifo = 50;
	post(1, RING);
	connect(60 * SEGMENT + 1, false);
	start(1, 1);
	run(50 * PERIOD);
	ktap_eq(counter(1, DAQ_CHAN_FIFO_OVERRUN), 0, "deep: it holds as much as it has room for");
	run(50 * PERIOD);
	ktap_eq(counter(1, DAQ_CHAN_FIFO_OVERRUN), 10, "deep: and no more");
	for (n = 0; n < 50; n++) {
		kick(2);
		same &= is_outside(1, n, n * SEGMENT, SEGMENT);
	}
	ktap_ok(same, "deep: all that arrives");
	ktap_eq(read64(DAQ_REG_READY), 0, "deep: and then there is no more");
}

static void test_output(void)
{
	const u8 *sent_data;

	power_on(2);
	start_chan(0, DAQ_SOURCE_NONE, 2, 4096, 4096, 1000000);
	make_segment(6000, DAQ_HDR_F_SOF | DAQ_HDR_F_EOF | DAQ_HDR_F_LAST);
	sent_data = memory_at(TX_DATA, 8192);
	host.attached.full = 4;
	send_desc(0, TX_DATA, 6064, DAQ_TX_F_EOP);
	run(2 * NSEC_PER_MSEC);
	ktap_ok(!counter(0, DAQ_CHAN_PLAYED) && !tx_reported(0),
		"output: it waits until there is room");
	run(8 * NSEC_PER_MSEC);
	ktap_ok(host.attached.length == 6000 &&
		!memcmp(host.attached.played, sent_data + DAQ_HDR_LEN, 6000),
		"output: the payload of a segment, byte for byte");
	run(10 * NSEC_PER_MSEC);
	host.attached.length = 0;
	memset(host.memory + (TX_DATA - BASE), 0x11, 14);
	send_desc(0, TX_DATA, 1000, DAQ_TX_F_EOP);
	run(NSEC_PER_MSEC);
	ktap_ok(host.attached.length == 1000 && !memcmp(host.attached.played, sent_data, 1000),
		"output: any other packet as it is");
	send_desc(0, TX_DATA, 5, DAQ_TX_F_EOP);
	run(NSEC_PER_MSEC);
	ktap_eq(host.attached.length, 1000, "output: a bad one not at all");
}

int main(void)
{
	ktap_begin();
	test_pace();
	test_waiting();
	test_end();
	test_kicked();
	test_deep_fifo();
	test_output();
	free(host.memory);
	return ktap_end();
}
