// SPDX-License-Identifier: GPL-2.0
/*
 * libdaqring without a kernel: assembly of frames, exact gaps, hostile headers,
 * and a card played by this program that fills chunks in the order posted, loses
 * what it is told to, and must be followed.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define CHECK(condition) do {							\
	if (!(condition)) {							\
		printf("# %s:%d: %s\n", __func__, __LINE__, #condition);	\
		return false;							\
	}									\
} while (0)

#define SEGMENT	1024u
#define FRAME	4096u

static const struct daq_format small_format = {
	.sample_bytes = 2, .segment_bytes = SEGMENT, .frame_bytes = FRAME,
};

static struct daq_hdr header(uint32_t frame, uint32_t segment, uint32_t frame_len,
			     uint32_t segment_bytes)
{
	uint32_t offset = segment * segment_bytes;
	uint32_t rest = frame_len - offset;
	uint32_t payload_len = rest < segment_bytes ? rest : segment_bytes;
	struct daq_hdr hdr = {
		.ethertype = htons(DAQ_ETHERTYPE),
		.version = DAQ_HDR_VERSION,
		.frame = htonl(frame),
		.segment = htonl(segment),
		.offset = htonl(offset),
		.payload_len = htonl(payload_len),
		.frame_len = htonl(frame_len),
		.sample = htobe64(((uint64_t)frame * FRAME + offset) / 2),
		.timestamp = htobe64(1000 + frame),
	};

	if (segment == 0)
		hdr.flags |= DAQ_HDR_F_SOF;
	if (payload_len == rest)
		hdr.flags |= DAQ_HDR_F_EOF;
	return hdr;
}

static int push(struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	return daq_assembly__push(assembly, hdr, DAQ_HDR_LEN + ntohl(hdr->payload_len));
}

static int push_segment(struct daq_assembly *assembly, uint32_t frame, uint32_t segment)
{
	struct daq_hdr hdr = header(frame, segment, FRAME, SEGMENT);

	return push(assembly, &hdr);
}

/* Segments @from to @to of a full frame; what the last one gave. */
static int push_segments(struct daq_assembly *assembly, uint32_t frame, uint32_t from, uint32_t to)
{
	int verdict = 0;

	for (; from <= to; from++)
		verdict = push_segment(assembly, frame, from);
	return verdict;
}

static bool test_in_order(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;
	uint32_t n;

	daq_assembly__init(&assembly, &small_format);
	for (n = 0; n < 3; n++) {
		CHECK(push_segments(&assembly, n, 0, 2) == DAQ_PUSH_KEEP);
		CHECK(push_segment(&assembly, n, 3) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
		daq_assembly__frame(&assembly, &frame);
		CHECK(frame.number == n && frame.len == FRAME && frame.status == 0);
		CHECK(frame.sample == n * FRAME / 2 && frame.timestamp == 1000 + n);
		CHECK(!frame.gap.frames && !frame.gap.segments && !frame.gap.samples);
	}
	return true;
}

static bool test_start_in_the_middle(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	CHECK(push_segments(&assembly, 7, 2, 3) == 0);
	CHECK(push_segments(&assembly, 8, 0, 3) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.number == 8 && frame.status == 0 && !frame.gap.segments);
	return true;
}

static bool test_lost_segments(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 0, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	/* frame 1 without its segment 2, frames 2 and 3 and the first of frame 4 missing */
	CHECK(push_segments(&assembly, 1, 0, 1) == DAQ_PUSH_KEEP);
	CHECK(push_segment(&assembly, 1, 3) == DAQ_PUSH_ABANDON);
	CHECK(push_segments(&assembly, 4, 1, 3) == 0);
	CHECK(push_segments(&assembly, 5, 0, 3) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.number == 5 && frame.status == DAQ_FRAME_GAP_BEFORE);
	CHECK(frame.gap.frames == 4);
	CHECK(frame.gap.segments == 1 + 4 + 4 + 1);
	CHECK(frame.gap.samples == 4 * FRAME / 2);
	return true;
}

static bool test_lost_end(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 0, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(push_segments(&assembly, 1, 0, 2) == DAQ_PUSH_KEEP);
	CHECK(push_segment(&assembly, 2, 0) == (DAQ_PUSH_ABANDON | DAQ_PUSH_KEEP));
	push_segments(&assembly, 2, 1, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.number == 2 && frame.gap.frames == 1 && frame.gap.segments == 1);
	CHECK(frame.len == FRAME);
	return true;
}

static bool test_wrap(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, UINT32_MAX - 1, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.number == UINT32_MAX - 1ull);
	push_segments(&assembly, 2, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.number == UINT32_MAX + 3ull);
	CHECK(frame.status == DAQ_FRAME_GAP_BEFORE && frame.gap.frames == 3);
	CHECK(frame.gap.segments == 12);
	return true;
}

static bool test_restart(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 1000, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	push_segments(&assembly, 1001, 0, 1);
	CHECK(push_segment(&assembly, 0, 0) == (DAQ_PUSH_ABANDON | DAQ_PUSH_KEEP));
	push_segments(&assembly, 0, 1, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.number == 0 && frame.status == DAQ_FRAME_RESTARTED && !frame.gap.frames);
	return true;
}

static bool test_short_frames(void)
{
	struct daq_hdr hdr = header(1, 0, 100, SEGMENT);
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 0, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(push(&assembly, &hdr) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.len == 100 && frame.status == 0);

	/* of a frame of 2 segments the second is missing */
	hdr = header(2, 0, 2000, SEGMENT);
	push(&assembly, &hdr);
	push_segments(&assembly, 3, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.gap.frames == 1 && frame.gap.segments == 1);
	return true;
}

static bool test_last(void)
{
	struct daq_hdr hdr = header(0, 3, FRAME, SEGMENT);
	struct daq_assembly assembly;
	struct daq_frame frame;

	hdr.flags |= DAQ_HDR_F_LAST;
	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 0, 0, 2);
	CHECK(push(&assembly, &hdr) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == DAQ_FRAME_LAST);

	hdr = header(1, 3, FRAME, SEGMENT);
	hdr.flags |= DAQ_HDR_F_LAST;
	push_segments(&assembly, 1, 0, 1);
	CHECK(push(&assembly, &hdr) == (DAQ_PUSH_ABANDON | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == (DAQ_FRAME_LAST | DAQ_FRAME_ABORTED | DAQ_FRAME_GAP_BEFORE));
	CHECK(frame.len == 0 && frame.gap.frames == 1 && frame.gap.segments == 1);
	CHECK(frame.gap.samples == FRAME / 2);
	return true;
}

/* The end came as a surprise to the card: the frame is shorter than it had said. */
static bool test_early_last(void)
{
	struct daq_hdr hdr = header(0, 2, 2 * SEGMENT + 100, SEGMENT);
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 0, 0, 1);
	CHECK(push(&assembly, &hdr) & DAQ_PUSH_ABANDON);
	hdr.flags |= DAQ_HDR_F_LAST;
	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 0, 0, 1);
	CHECK(push(&assembly, &hdr) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == DAQ_FRAME_LAST && frame.len == 2 * SEGMENT + 100);
	return true;
}

static struct daq_hdr notice(uint32_t frame, uint32_t segment, uint8_t flags)
{
	struct daq_hdr hdr = header(frame, segment, FRAME, 0);

	hdr.flags = DAQ_HDR_F_OVERRUN | flags;
	return hdr;
}

/* Segments were dropped and none came since: a header tells it. */
static bool test_notice(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;
	struct daq_hdr hdr;

	daq_assembly__init(&assembly, &small_format);
	push_segments(&assembly, 0, 0, 3);
	daq_assembly__frame(&assembly, &frame);

	/* within frame 1: nothing to deliver yet */
	push_segments(&assembly, 1, 0, 1);
	hdr = notice(1, 3, 0);
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_ABANDON);

	/* frames 1 and 2, at their end */
	hdr = notice(3, 0, 0);
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_FRAME);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == (DAQ_FRAME_ABORTED | DAQ_FRAME_GAP_BEFORE));
	CHECK(frame.len == 0 && frame.gap.frames == 2 && frame.gap.segments == 1 + 1 + 4);
	CHECK(frame.gap.samples == 2 * FRAME / 2);

	/* nothing is counted twice */
	CHECK(push_segments(&assembly, 3, 0, 3) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == 0 && frame.number == 3 && !frame.gap.frames);

	/* the end of the source is told even when no frame is missing */
	hdr = notice(4, 0, DAQ_HDR_F_LAST);
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_FRAME);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == (DAQ_FRAME_ABORTED | DAQ_FRAME_LAST));
	return true;
}

static int push_from(struct daq_assembly *assembly, uint32_t frame, uint16_t run,
		     uint64_t sample, uint64_t time, uint64_t dropped)
{
	struct daq_hdr hdr;
	uint32_t n;
	int verdict = 0;

	for (n = 0; n < 4; n++) {
		hdr = header(frame, n, FRAME, SEGMENT);
		hdr.run = htons(run);
		hdr.sample = htobe64(sample + n * SEGMENT / 2);
		hdr.timestamp = htobe64(time + n * SEGMENT / 2 * 1000);
		hdr.dropped = htobe64(dropped);
		verdict = push(assembly, &hdr);
	}
	return verdict;
}

/* Of what is missing, the card has dropped what its headers say. */
static bool test_card_or_host(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &small_format);
	push_from(&assembly, 0, 1, 0, 0, 100);
	daq_assembly__frame(&assembly, &frame);
	push_from(&assembly, 3, 1, 3 * FRAME / 2, 0, 105);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.gap.frames == 2 && frame.gap.segments == 8 && frame.gap.card_segments == 5);
	CHECK(frame.status == DAQ_FRAME_GAP_BEFORE && !frame.gap.reasons);
	/* it never drops more than is missing; ordinary packets count there, too */
	push_from(&assembly, 4, 1, 4 * FRAME / 2, 0, 107);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == 0 && !frame.gap.card_segments);
	return true;
}

/* A megahertz: a sample is a microsecond. */
static const struct daq_format timed_format = {
	.sample_bytes = 2, .segment_bytes = SEGMENT, .frame_bytes = FRAME, .rate = 1000000,
};

/* The channel was off: for how long, and what was lost beside that. */
static bool test_off(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &timed_format);
	push_from(&assembly, 0, 1, 0, 5000000, 0);
	daq_assembly__frame(&assembly, &frame);
	/* a second later, with nothing lost */
	push_from(&assembly, 1, 2, FRAME / 2, 5000000 + FRAME / 2 * 1000 + 1000000000, 0);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == DAQ_FRAME_GAP_BEFORE && frame.gap.reasons == 1u << DAQ_LOSS_OFF);
	CHECK(frame.gap.off_ns == 1000000000 && !frame.gap.frames && !frame.gap.samples);
	CHECK(!frame.gap.segments);

	/* frame 2 was cut short after three segments, of which one came */
	push_from(&assembly, 2, 2, 2 * FRAME / 2, 0, 0);
	daq_assembly__frame(&assembly, &frame);
	{
		struct daq_hdr hdr = header(3, 0, FRAME, SEGMENT);

		hdr.run = htons(2);
		hdr.sample = htobe64(3 * FRAME / 2);
		hdr.timestamp = htobe64(7000000);
		CHECK(push(&assembly, &hdr) == DAQ_PUSH_KEEP);
	}
	push_from(&assembly, 4, 3, 3 * FRAME / 2 + 3 * SEGMENT / 2,
		  7000000 + 3 * SEGMENT / 2 * 1000 + 77, 1);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.gap.frames == 1 && frame.gap.segments == 2 && frame.gap.card_segments == 1);
	CHECK(frame.gap.samples == 3 * SEGMENT / 2 && frame.gap.off_ns == 77);
	return true;
}

/* The card was reset: its numbers begin with 0, even when that is not seen. */
static bool test_reset(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;

	daq_assembly__init(&assembly, &timed_format);
	push_from(&assembly, 3, 0x0005, 3 * FRAME / 2, 5000000, 9);
	daq_assembly__frame(&assembly, &frame);
	push_from(&assembly, 10, 0x0106, 10 * FRAME / 2, 50000000, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == (DAQ_FRAME_RESTARTED | DAQ_FRAME_GAP_BEFORE));
	CHECK(frame.gap.reasons == 1u << DAQ_LOSS_RESET && frame.gap.frames == 10);
	CHECK(frame.gap.segments == 40 && frame.gap.card_segments == 3);
	CHECK(frame.gap.samples == 10 * FRAME / 2 && frame.number == 10);
	CHECK(frame.gap.off_ns == 45000000 - 11 * FRAME / 2 * 1000);
	return true;
}

/* Why a channel was off is in three counters, each of which wraps. */
static bool test_suspend(void)
{
	static const struct {
		uint16_t before, after;
		uint32_t why;
	} runs[] = {
		{ 0x0001, 0x1002, 1u << DAQ_LOSS_SUSPEND },
		{ 0xf0ff, 0x0000, 1u << DAQ_LOSS_SUSPEND },
		{ 0xe0fe, 0x1001, 1u << DAQ_LOSS_SUSPEND },
		/* on the bus, where sleep is a reset, too */
		{ 0x0f01, 0x1002, 1u << DAQ_LOSS_SUSPEND | 1u << DAQ_LOSS_RESET },
		{ 0x0f01, 0x0002, 1u << DAQ_LOSS_RESET },
		/* it was down when the machine fell asleep */
		{ 0x1001, 0x2002, 1u << DAQ_LOSS_SUSPEND },
		/* and a new format came besides */
		{ 0x1001, 0x2003, 1u << DAQ_LOSS_SUSPEND | 1u << DAQ_LOSS_OFF },
		{ 0x10ff, 0x1000, 1u << DAQ_LOSS_OFF },
	};
	struct daq_assembly assembly;
	struct daq_frame frame;
	unsigned int i;

	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		daq_assembly__init(&assembly, &timed_format);
		push_from(&assembly, 0, runs[i].before, 0, 5000000, 0);
		daq_assembly__frame(&assembly, &frame);
		push_from(&assembly, 1, runs[i].after, FRAME / 2, 7000000 + FRAME / 2 * 1000, 0);
		daq_assembly__frame(&assembly, &frame);
		CHECK(frame.status & DAQ_FRAME_GAP_BEFORE && frame.gap.reasons == runs[i].why);
		CHECK(runs[i].why & 1u << DAQ_LOSS_RESET || frame.gap.off_ns == 2000000);
	}
	return true;
}

static void tell(struct daq_assembly *assembly, uint64_t frames, uint64_t flags)
{
	struct daq_filtered told = {
		.frames = frames, .segments = 4 * frames, .bytes = frames * FRAME, .flags = flags,
	};

	daq_assembly__filtered(assembly, &told);
}

/* What a trigger has dropped is not lost. */
static bool test_filtered(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;
	struct daq_hdr hdr;

	daq_assembly__init(&assembly, &small_format);
	tell(&assembly, 7, 0);
	push_segments(&assembly, 0, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(!frame.gap.filtered_frames);
	tell(&assembly, 16, 0);
	push_segments(&assembly, 10, 0, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == 0 && frame.gap.filtered_frames == 9 && !frame.gap.frames);
	CHECK(frame.gap.filtered_segments == 36 && !frame.gap.segments && !frame.gap.samples);

	/* of nine more, one was lost as a whole and of one a segment */
	hdr = header(20, 0, FRAME, SEGMENT);
	daq_assembly__filtered(&assembly, &(struct daq_filtered){
		.frames = 24, .segments = 16 * 4 + 31, .bytes = 16 * FRAME + 31 * SEGMENT });
	push(&assembly, &hdr);
	push_segments(&assembly, 20, 1, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.gap.filtered_frames == 8 && frame.gap.filtered_segments == 31);
	CHECK(frame.gap.frames == 1 && frame.gap.segments == 5);
	CHECK(frame.gap.samples == 5 * SEGMENT / 2);

	/* the end of a frame that is not wanted */
	hdr = header(21, 3, FRAME, SEGMENT);
	hdr.flags |= DAQ_HDR_F_LAST;
	daq_assembly__filtered(&assembly, &(struct daq_filtered){
		.frames = 25, .segments = 16 * 4 + 34, .bytes = 16 * FRAME + 34 * SEGMENT,
		.flags = DAQ_FILTERED_F_UNWANTED });
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_FRAME);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == (DAQ_FRAME_ABORTED | DAQ_FRAME_LAST) && !frame.gap.frames);
	CHECK(!frame.gap.segments && !frame.gap.samples && frame.gap.filtered_frames == 1);
	return true;
}

static bool test_truncated(void)
{
	struct daq_assembly assembly;
	struct daq_frame frame;
	struct daq_hdr hdr;

	daq_assembly__init(&assembly, &small_format);
	assembly.truncated = true;
	CHECK(push_segments(&assembly, 0, 0, 1) == DAQ_PUSH_KEEP);
	CHECK(push_segment(&assembly, 0, 3) == DAQ_PUSH_CUT);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == DAQ_FRAME_TRUNCATED && frame.len == 2 * SEGMENT);
	CHECK(!frame.gap.segments && frame.number == 0);
	CHECK(push_segment(&assembly, 0, 3) == 0);
	CHECK(push_segments(&assembly, 1, 0, 3) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == DAQ_FRAME_GAP_BEFORE && !frame.gap.frames);
	CHECK(frame.gap.segments == 1 && frame.gap.samples == SEGMENT && frame.number == 1);

	/* silence behind the hole tells, too, but not twice */
	push_segments(&assembly, 2, 0, 1);
	hdr = notice(3, 0, 0);
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_CUT);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == DAQ_FRAME_TRUNCATED && frame.len == 2 * SEGMENT);
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_FRAME);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == (DAQ_FRAME_ABORTED | DAQ_FRAME_GAP_BEFORE));
	CHECK(frame.gap.segments == 2 && frame.gap.samples == SEGMENT && !frame.gap.frames);
	CHECK(push_segments(&assembly, 3, 0, 3) == (DAQ_PUSH_KEEP | DAQ_PUSH_FRAME));
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == 0 && frame.number == 3);
	return true;
}

static bool test_damaged(void)
{
	struct daq_hdr hdr = header(0, 1, FRAME, SEGMENT);
	struct daq_assembly assembly;
	struct daq_frame frame;

	hdr.flags |= DAQ_HDR_F_DAMAGED;
	daq_assembly__init(&assembly, &small_format);
	push_segment(&assembly, 0, 0);
	push(&assembly, &hdr);
	push_segments(&assembly, 0, 2, 3);
	daq_assembly__frame(&assembly, &frame);
	CHECK(frame.status == DAQ_FRAME_DAMAGED && frame.len == FRAME);
	return true;
}

static bool test_hostile_headers(void)
{
	struct daq_assembly assembly;
	struct daq_hdr hdr;

	daq_assembly__init(&assembly, &small_format);
	hdr = header(0, 0, FRAME, SEGMENT);
	CHECK(daq_assembly__push(&assembly, &hdr, DAQ_HDR_LEN + SEGMENT - 1) == -EBADMSG);
	hdr.payload_len = htonl(UINT32_MAX);
	CHECK(daq_assembly__push(&assembly, &hdr, DAQ_HDR_LEN + SEGMENT) == -EBADMSG);
	hdr.payload_len = 0;
	CHECK(push(&assembly, &hdr) == -EBADMSG);

	hdr = header(0, 1, FRAME, SEGMENT);
	hdr.offset = htonl(FRAME + 1);
	CHECK(push(&assembly, &hdr) == -EBADMSG);
	hdr.offset = htonl(FRAME - 1);
	CHECK(push(&assembly, &hdr) == -EBADMSG);
	hdr.offset = htonl(UINT32_MAX - 10);
	CHECK(push(&assembly, &hdr) == -EBADMSG);

	hdr = header(0, 0, FRAME, SEGMENT);
	hdr.frame_len = htonl(UINT32_MAX);
	CHECK(push(&assembly, &hdr) == -EMSGSIZE);
	hdr = header(0, 0, FRAME, SEGMENT);
	hdr.version++;
	CHECK(push(&assembly, &hdr) == -EBADMSG);
	hdr = header(0, 1, FRAME, SEGMENT);
	hdr.flags = DAQ_HDR_F_EOF;
	CHECK(push(&assembly, &hdr) == -EBADMSG);

	/* a segment in its place whose payload would leave a hole */
	push_segment(&assembly, 0, 0);
	hdr = header(0, 1, FRAME, SEGMENT);
	hdr.offset = htonl(SEGMENT + 8);
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_ABANDON);
	/* one of a frame that claims another length now */
	push_segment(&assembly, 1, 0);
	hdr = header(1, 1, FRAME / 2, SEGMENT);
	CHECK(push(&assembly, &hdr) == DAQ_PUSH_ABANDON);
	return true;
}

static bool test_pieces(void)
{
	struct iovec iov[2];
	struct daq_pieces pieces = { .iov = iov, .max = 2 };
	char memory[64];

	CHECK(daq_pieces__add(&pieces, memory, 8) == 0);
	CHECK(daq_pieces__add(&pieces, memory + 8, 8) == 0);
	CHECK(pieces.count == 1 && iov[0].iov_len == 16);
	CHECK(daq_pieces__add(&pieces, memory + 32, 8) == 0);
	CHECK(pieces.count == 2 && iov[1].iov_base == memory + 32);
	CHECK(daq_pieces__add(&pieces, memory + 4, 8) == -ENOBUFS);
	CHECK(daq_pieces__add(&pieces, memory + 40, 8) == 0);
	CHECK(pieces.count == 2 && iov[1].iov_len == 16);
	return true;
}

/* ---- A card ---- */

static bool joins;	/* chunks of a packet that adjoin come as one */

struct card {
	struct daq_chan chan;
	struct daq_card card;
	uint32_t fill_producer, fill_consumer, rx_producer, rx_consumer, flags;
	uint32_t frame;
	uint64_t dropped;
};

static void *array(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		abort();
	return memory;
}

static void card_init(struct card *card, const struct daq_format *format, uint32_t slots)
{
	struct daq_chan *chan = &card->chan;
	uint32_t i, size = 1;

	memset(card, 0, sizeof(*card));
	chan->card = &card->card;
	chan->format = *format;
	if (daq_pool__init_input(&chan->pool, format, slots * daq_pool__input_slot_bytes(format)))
		abort();
	chan->pool.planned = true;
	while (size < chan->pool.chunks)
		size *= 2;
	chan->memory = array(chan->pool.chunks, DAQ_CHUNK_SIZE);
	chan->fill = (struct xsk_ring_prod){
		.cached_cons = size, .mask = size - 1, .size = size,
		.producer = &card->fill_producer, .consumer = &card->fill_consumer,
		.ring = array(size, sizeof(uint64_t)), .flags = &card->flags,
	};
	chan->rx = (struct xsk_ring_cons){
		.mask = size - 1, .size = size, .producer = &card->rx_producer,
		.consumer = &card->rx_consumer, .ring = array(size, sizeof(struct xdp_desc)),
		.flags = &card->flags,
	};
	chan->record_count = slots + 1;
	chan->max_chunks = chan->pool.frame_chunks;
	chan->records = array(chan->record_count, sizeof(*chan->records));
	chan->free_records = array(chan->record_count, sizeof(*chan->free_records));
	for (i = 0; i < chan->record_count; i++) {
		chan->records[i].pieces.iov = array(chan->max_chunks, sizeof(struct iovec));
		chan->records[i].pieces.max = chan->max_chunks;
		chan->records[i].spans = array(chan->max_chunks, sizeof(struct daq_span));
		chan->records[i].headers = array(chan->max_chunks, sizeof(struct daq_hdr *));
		chan->free_records[chan->free_record_count++] = i;
	}
	daq_assembly__init(&chan->assembly, format);
	chan->current = chan->free_records[--chan->free_record_count];
	daq_pool__post(&chan->pool, &chan->fill, 0);
}

static void card_free(struct card *card)
{
	struct daq_chan *chan = &card->chan;
	uint32_t i;

	for (i = 0; i < chan->record_count; i++) {
		free(chan->records[i].pieces.iov);
		free(chan->records[i].spans);
		free(chan->records[i].headers);
	}
	free(chan->records);
	free(chan->free_records);
	free(chan->memory);
	free(chan->fill.ring);
	free(chan->rx.ring);
	daq_pool__free(&chan->pool);
}

static uint32_t posted(const struct card *card)
{
	return card->fill_producer - card->fill_consumer;
}

static char *next_chunk(struct card *card, uint32_t offset, uint32_t len, bool more)
{
	uint64_t *fill = card->chan.fill.ring;
	struct xdp_desc *rx = card->chan.rx.ring;
	uint64_t addr = fill[card->fill_consumer++ & card->chan.fill.mask] + offset;

	rx[card->rx_producer++ & card->chan.rx.mask] = (struct xdp_desc){
		.addr = addr, .len = len, .options = more ? XDP_PKT_CONTD : 0,
	};
	return card->chan.memory + addr;
}

static char pattern(uint32_t frame, uint32_t offset)
{
	return frame * 31 + offset / 64 * 7 + offset;
}

static void fill_payload(char *to, uint32_t frame, uint32_t offset, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		to[i] = pattern(frame, offset + i);
}

/* As the driver does it: all but the first of the last @count descriptors, or none. */
static void join(struct card *card, uint32_t count)
{
	struct xdp_desc *rx = card->chan.rx.ring;
	uint32_t mask = card->chan.rx.mask, first = card->rx_producer - count + 1, i;
	uint64_t len = 0;

	for (i = first; i != card->rx_producer; i++) {
		if (rx[i & mask].addr != rx[first & mask].addr + len)
			return;
		len += rx[i & mask].len;
	}
	rx[first & mask].len = len;
	rx[first & mask].options = 0;
	card->rx_producer = first + 1;
}

/* One segment in the chunks posted, as the driver lays it out; without chunks it is dropped. */
static void card_segment(struct card *card, uint32_t segment, uint32_t frame_len)
{
	struct daq_hdr hdr = header(card->frame, segment, frame_len,
				    card->chan.format.segment_bytes);
	uint32_t len = ntohl(hdr.payload_len), offset = ntohl(hdr.offset), done, n;
	bool split = DAQ_HDR_LEN + len > DAQ_CHUNK_USABLE;
	char *chunk;

	if (posted(card) < (split ? 1 + (len + DAQ_CHUNK_SIZE - 1) / DAQ_CHUNK_SIZE : 1)) {
		card->dropped++;
		return;
	}
	chunk = next_chunk(card, 256, DAQ_HDR_LEN + (split ? 0 : len), split);
	memcpy(chunk, &hdr, sizeof(hdr));
	if (!split)
		fill_payload(chunk + DAQ_HDR_LEN, card->frame, offset, len);
	for (done = 0; split && done < len; done += n) {
		n = len - done < DAQ_CHUNK_SIZE ? len - done : DAQ_CHUNK_SIZE;
		chunk = next_chunk(card, 0, n, done + n < len);
		fill_payload(chunk, card->frame, offset + done, n);
	}
	if (joins && split)
		join(card, 1 + (len + DAQ_CHUNK_SIZE - 1) / DAQ_CHUNK_SIZE);
}

/* A whole frame but for the segments in the bit mask @lost. */
static void card_frame(struct card *card, uint32_t frame_len, uint32_t lost)
{
	uint32_t segment_bytes = card->chan.format.segment_bytes;
	uint32_t segment;

	for (segment = 0; segment * segment_bytes < frame_len; segment++) {
		if (segment < 32 && lost & 1u << segment)
			card->dropped++;
		else
			card_segment(card, segment, frame_len);
	}
	card->frame++;
}

static bool intact(const struct daq_frame *frame)
{
	uint32_t offset = 0;
	unsigned int i;
	size_t k;

	for (i = 0; i < frame->iovcnt; i++)
		for (k = 0; k < frame->iov[i].iov_len; k++, offset++)
			if (((char *)frame->iov[i].iov_base)[k] != pattern(frame->number, offset))
				return false;
	return offset == frame->len;
}

/* Every header is that of its segment, as it came. */
static bool has_headers(const struct card *card, const struct daq_frame *frame)
{
	uint32_t segment_bytes = card->chan.format.segment_bytes;
	uint32_t i;

	for (i = 0; i < frame->segments; i++)
		if (ntohl(frame->headers[i]->frame) != (uint32_t)frame->number ||
		    ntohl(frame->headers[i]->segment) != i)
			return false;
	return frame->segments == (frame->len + segment_bytes - 1) / segment_bytes;
}

static const struct daq_format big_format = {
	.sample_bytes = 2, .segment_bytes = 16384, .frame_bytes = 3 * 16384 + 5000,
};

static bool test_contiguous(void)
{
	struct daq_frame frame;
	struct card card;
	int n;

	card_init(&card, &big_format, 4);
	for (n = 0; n < 100; n++) {
		card_frame(&card, big_format.frame_bytes, 0);
		CHECK(daq_input__poll(&card.chan, &frame) == 1);
		CHECK(frame.data && frame.iovcnt == 1);
		CHECK(((char *)frame.data - card.chan.memory) % DAQ_CHUNK_SIZE == 0);
		CHECK(intact(&frame));
		CHECK(has_headers(&card, &frame));
		CHECK(daq_chan__release(&card.chan, &frame) == 0);
		CHECK(daq_chan__release(&card.chan, &frame) == -EINVAL);
	}
	card_free(&card);
	return true;
}

/* After a loss in a frame, or a short frame, the plan must be found again. */
static bool test_back_to_contiguous(void)
{
	struct daq_frame frame;
	struct card card;
	int n, later = 0;

	card_init(&card, &big_format, 4);
	for (n = 0; n < 40; n++) {
		uint32_t len = n == 20 ? 20000 : big_format.frame_bytes;

		card_frame(&card, len, n == 5 ? 1 << 1 : 0);
		if (n == 5) {
			CHECK(daq_input__poll(&card.chan, &frame) == 0);
			continue;
		}
		CHECK(daq_input__poll(&card.chan, &frame) == 1);
		CHECK(intact(&frame) && frame.len == len);
		CHECK(frame.gap.segments == (n == 6));
		if ((n > 12 && n < 20) || n > 27) {
			CHECK(frame.data);
			later++;
		}
		daq_chan__release(&card.chan, &frame);
	}
	CHECK(later > 10 && card.dropped == 1);
	card_free(&card);
	return true;
}

/* The next segment of full frames. */
static void card_next(struct card *card, uint32_t *segment)
{
	uint32_t len = card->chan.format.frame_bytes;

	card_segment(card, (*segment)++, len);
	if (*segment * card->chan.format.segment_bytes >= len) {
		card->frame++;
		*segment = 0;
	}
}

/* What a consumer saw of frames behind a gap. */
struct recovery {
	unsigned int frames;	/* since the gap, with the one that tells of it */
	unsigned int pieces;	/* the last of them that was not in one piece */
	bool gap;
	bool wrong;
};

static void take_frame(struct card *card, const struct daq_frame *frame, struct recovery *seen)
{
	struct daq_frame released = *frame;

	seen->wrong |= !intact(frame);
	seen->gap |= frame->gap.frames > 0;
	seen->frames += seen->gap;
	if (seen->gap && !frame->data)
		seen->pieces = seen->frames;
	daq_chan__release(&card->chan, &released);
}

/*
 * A consumer that looks away until the card has dropped @lost segments, and then looks
 * once for every @pause of them that come, and takes one frame or all.
 */
static struct recovery starve(struct card *card, uint32_t *segment, unsigned int lost,
			      unsigned int pause, bool one)
{
	unsigned int n, count = 8 * card->chan.pool.slots * card->chan.pool.slot_heads;
	uint64_t dropped = card->dropped;
	struct recovery seen = { 0 };
	struct daq_frame frame;

	while (card->dropped < dropped + lost)
		card_next(card, segment);
	for (n = 0; n < count; n++) {
		while (n % pause == 0 && daq_input__poll(&card->chan, &frame) == 1) {
			take_frame(card, &frame, &seen);
			if (one)
				break;
		}
		card_next(card, segment);
	}
	return seen;
}

/*
 * Slots that were posted before the loss was known are out of the plan: each is so once,
 * or twice when the consumer stays behind. Then the plan is found again, however much was
 * lost.
 */
static bool test_starved(void)
{
	unsigned int slots, lost, most;
	struct recovery seen;
	uint32_t segment;
	struct card card;

	for (slots = 3; slots < 10; slots++) {
		card_init(&card, &big_format, slots);
		segment = 0;
		for (lost = 1; lost < 60; lost++) {
			most = lost & 1 ? 2 * slots : slots;
			seen = starve(&card, &segment, lost, 1 + lost % 4, lost & 1);
			CHECK(seen.gap && !seen.wrong);
			CHECK(seen.pieces <= most && seen.frames > 2 * most);
		}
		card_free(&card);
	}
	return true;
}

static bool test_all_held(void)
{
	struct daq_frame frames[4], frame;
	struct card card;
	int n;

	card_init(&card, &big_format, 4);
	for (n = 0; n < 4; n++) {
		card_frame(&card, big_format.frame_bytes, 0);
		CHECK(daq_input__poll(&card.chan, &frames[n]) == 1);
	}
	CHECK(posted(&card) == 0);
	CHECK(daq_input__poll(&card.chan, &frame) == -ENOBUFS);
	card_frame(&card, big_format.frame_bytes, 0);
	CHECK(card.dropped == 4);
	CHECK(intact(&frames[0]) && intact(&frames[3]));
	/* in another order than they came */
	for (n = 3; n >= 0; n--)
		CHECK(daq_chan__release(&card.chan, &frames[n]) == 0);
	card_frame(&card, big_format.frame_bytes, 0);
	CHECK(daq_input__poll(&card.chan, &frame) == 1);
	CHECK(frame.number == 5 && frame.gap.frames == 1 && frame.gap.segments == 4);
	CHECK(frame.data && intact(&frame));
	card_free(&card);
	return true;
}

static uint32_t away(const struct daq_pool *pool)
{
	uint32_t i, n = 0;

	for (i = 0; i < pool->chunks; i++)
		n += pool->away[i];
	return n;
}

/* What a frame's headers say goes through the channel to the application, once. */
static bool test_truncated_in_memory(void)
{
	struct daq_frame frame;
	struct card card;

	card_init(&card, &big_format, 6);
	card.chan.assembly.truncated = true;
	card_frame(&card, big_format.frame_bytes, 1 << 1);
	card_frame(&card, big_format.frame_bytes, 0);
	CHECK(daq_input__poll(&card.chan, &frame) == 1);
	CHECK(frame.status == DAQ_FRAME_TRUNCATED && frame.len == 16384 && intact(&frame));
	daq_chan__release(&card.chan, &frame);
	CHECK(daq_input__poll(&card.chan, &frame) == 1);
	CHECK(frame.number == 1 && frame.gap.segments == 1 && intact(&frame));
	daq_chan__release(&card.chan, &frame);
	CHECK(card.chan.stats.segments == 3 + 4 && away(&card.chan.pool) == posted(&card));
	card_free(&card);
	return true;
}

static bool test_drop_old(void)
{
	struct daq_frame frame, held;
	struct card card;
	int n;

	card_init(&card, &big_format, 6);
	card.chan.policy = DAQ_DROP_OLD;
	for (n = 0; n < 4; n++)
		card_frame(&card, big_format.frame_bytes, n == 1 ? 1 : 0);
	CHECK(daq_input__poll(&card.chan, &held) == 1);
	CHECK(held.number == 3 && held.gap.skipped_frames == 2 && held.gap.frames == 1);
	CHECK(held.status == DAQ_FRAME_GAP_BEFORE && intact(&held));
	CHECK(daq_input__poll(&card.chan, &frame) == 0);
	for (n = 0; n < 2; n++)
		card_frame(&card, big_format.frame_bytes, 0);
	CHECK(daq_input__poll(&card.chan, &frame) == 1 && frame.number == 5);
	CHECK(frame.gap.skipped_frames == 1 && !frame.status && intact(&held));
	daq_chan__release(&card.chan, &held);
	daq_chan__release(&card.chan, &frame);
	CHECK(card.chan.stats.skipped_frames == 3 && card.chan.stats.frames == 2);
	CHECK(away(&card.chan.pool) == posted(&card));
	card_free(&card);
	return true;
}

static bool test_stop(void)
{
	struct daq_frame frame;
	struct daq_gap gap;
	struct card card;
	int n;

	card_init(&card, &big_format, 6);
	card.chan.policy = DAQ_STOP;
	for (n = 0; n < 4; n++)
		card_frame(&card, big_format.frame_bytes, n == 1 ? 1 : 0);
	CHECK(daq_input__poll(&card.chan, &frame) == 1 && frame.number == 0);
	CHECK(daq_chan__loss(&card.chan, &gap) == 0);
	for (n = 0; n < 2; n++)
		CHECK(daq_input__poll(&card.chan, &frame) == -EOVERFLOW);
	CHECK(daq_chan__loss(&card.chan, &gap) == 1 && gap.frames == 1 && gap.segments == 1);
	card_free(&card);
	return true;
}

/* The driver's counters say why; nothing is counted twice, and nothing is made up. */
static bool test_reasons(void)
{
	struct daq_gap gap = { .segments = 10, .card_segments = 7 };
	struct daq_losses *losses;
	struct card card;

	card_init(&card, &big_format, 3);
	losses = &card.chan.losses;
	losses->counted[DAQ_LOSS_NO_BUFFER] = 9;
	losses->counted[DAQ_LOSS_RING_FULL] = 2;
	daq_loss__explain(&card.chan, &gap);
	CHECK(gap.by_reason[DAQ_LOSS_NO_BUFFER] == 7 && gap.by_reason[DAQ_LOSS_RING_FULL] == 2);
	CHECK(gap.by_reason[DAQ_LOSS_UNKNOWN] == 1);
	CHECK(gap.reasons == (1u << DAQ_LOSS_NO_BUFFER | 1u << DAQ_LOSS_RING_FULL |
			      1u << DAQ_LOSS_UNKNOWN));
	/* the two that were left, and what came before the reset */
	gap = (struct daq_gap){ .segments = 3, .card_segments = 1,
				.reasons = 1u << DAQ_LOSS_RESET };
	losses->counted[DAQ_LOSS_STOPPED] = 5;
	daq_loss__explain(&card.chan, &gap);
	CHECK(gap.segments == 7 && gap.card_segments == 2);
	CHECK(gap.by_reason[DAQ_LOSS_NO_BUFFER] == 2 && gap.by_reason[DAQ_LOSS_STOPPED] == 5);
	card_free(&card);
	return true;
}

/*
 * Random losses, lengths and holding times: no frame is ever wrong, none is lost
 * uncounted. Segments are exact when no frame is short: of lost frames nobody knows.
 */
static bool torture(const struct daq_format *format, uint32_t slots, bool shorten, unsigned int seed)
{
	struct daq_frame held[64], frame;
	uint64_t lost_frames = 0, lost_segments = 0, delivered = 0;
	unsigned int count = 0, n;
	struct card card;

	srand(seed);
	card_init(&card, format, slots);
	for (n = 0; n < 3000; n++) {
		/* begins and ends well, so that everything gets counted */
		bool quiet = n == 0 || n > 2900;
		uint32_t len = quiet || !shorten || rand() % 8 ? format->frame_bytes :
						     1 + rand() % format->frame_bytes;
		int ret;

		card_frame(&card, len, quiet || rand() % 4 ? 0 : rand());
		while ((ret = daq_input__poll(&card.chan, &frame)) == 1) {
			CHECK(intact(&frame));
			CHECK(has_headers(&card, &frame));
			lost_frames += frame.gap.frames;
			lost_segments += frame.gap.segments;
			delivered++;
			CHECK(delivered + lost_frames == frame.number + 1);
			held[count++] = frame;
		}
		CHECK(ret == 0 || ret == -ENOBUFS);
		while (count && (quiet || count == slots || rand() % 2)) {
			unsigned int which = rand() % count;

			CHECK(daq_chan__release(&card.chan, &held[which]) == 0);
			held[which] = held[--count];
		}
	}
	CHECK(delivered + lost_frames == card.frame);
	CHECK(shorten || lost_segments == card.dropped);
	/* every chunk is at home or will come back */
	CHECK(away(&card.chan.pool) == posted(&card));
	card_frame(&card, format->frame_bytes, 0);
	CHECK(daq_input__poll(&card.chan, &frame) == 1);
	/* of two slots, each may lack what is in the other's frame for ever */
	CHECK(frame.data || slots == 2);
	card_free(&card);
	return true;
}

static bool test_torture(void)
{
	static const struct daq_format one = {
		.sample_bytes = 2, .segment_bytes = 69632, .frame_bytes = 69632,
	};
	unsigned int seed;

	for (seed = 0; seed < 8; seed++)
		CHECK(torture(&big_format, 2 + seed, seed & 1, seed) &&
		      torture(&one, 2 + seed, seed & 1, seed));
	return true;
}

/* Many more segments per frame than the format says must not overrun anything. */
static bool test_tiny_segments(void)
{
	struct daq_frame frame;
	struct card card;
	int n;

	card_init(&card, &big_format, 4);
	card.chan.format.segment_bytes = 64;
	card_frame(&card, 4000, 0);
	CHECK(daq_input__poll(&card.chan, &frame) == 0);
	card.chan.format.segment_bytes = big_format.segment_bytes;
	for (n = 0; n < 20; n++) {
		card_frame(&card, big_format.frame_bytes, 0);
		if (daq_input__poll(&card.chan, &frame) == 1) {
			CHECK(intact(&frame));
			daq_chan__release(&card.chan, &frame);
		}
	}
	CHECK(frame.number == 20);
	card_free(&card);
	return true;
}

/* Packets that are no segments: too short for a header, or of too many chunks. */
static bool test_hostile_packets(void)
{
	struct daq_frame frame;
	struct card card;
	int n;

	card_init(&card, &big_format, 8);
	next_chunk(&card, 256, 10, false);
	CHECK(daq_input__poll(&card.chan, &frame) == 0);
	for (n = 0; n < (int)(2 * MAX_PACKET); n++)
		next_chunk(&card, 0, 4096, true);
	next_chunk(&card, 0, 1, false);
	CHECK(daq_input__poll(&card.chan, &frame) == 0);
	CHECK(card.chan.stats.malformed == 2);
	CHECK(away(&card.chan.pool) == posted(&card));
	card_frame(&card, big_format.frame_bytes, 0);
	CHECK(daq_input__poll(&card.chan, &frame) == 1 && intact(&frame));
	card_free(&card);
	return true;
}

static const struct {
	const char *name;
	bool (*run)(void);
	bool joins;
} tests[] = {
	{ "in_order", test_in_order, false },
	{ "start_in_the_middle", test_start_in_the_middle, false },
	{ "lost_segments", test_lost_segments, false },
	{ "lost_end", test_lost_end, false },
	{ "wrap", test_wrap, false },
	{ "restart", test_restart, false },
	{ "short_frames", test_short_frames, false },
	{ "last", test_last, false },
	{ "early_last", test_early_last, false },
	{ "notice", test_notice, false },
	{ "card_or_host", test_card_or_host, false },
	{ "off", test_off, false },
	{ "reset", test_reset, false },
	{ "suspend", test_suspend, false },
	{ "filtered", test_filtered, false },
	{ "truncated", test_truncated, false },
	{ "damaged", test_damaged, false },
	{ "hostile_headers", test_hostile_headers, false },
	{ "pieces", test_pieces, false },
	{ "contiguous", test_contiguous, false },
	{ "back_to_contiguous", test_back_to_contiguous, false },
	{ "starved", test_starved, false },
	{ "all_held", test_all_held, false },
	{ "truncated_in_memory", test_truncated_in_memory, false },
	{ "drop_old", test_drop_old, false },
	{ "stop", test_stop, false },
	{ "reasons", test_reasons, false },
	{ "torture", test_torture, false },
	{ "tiny_segments", test_tiny_segments, false },
	{ "hostile_packets", test_hostile_packets, false },
	{ "contiguous, joined", test_contiguous, true },
	{ "back_to_contiguous, joined", test_back_to_contiguous, true },
	{ "starved, joined", test_starved, true },
	{ "all_held, joined", test_all_held, true },
	{ "truncated_in_memory, joined", test_truncated_in_memory, true },
	{ "drop_old, joined", test_drop_old, true },
	{ "stop, joined", test_stop, true },
	{ "reasons, joined", test_reasons, true },
	{ "torture, joined", test_torture, true },
	{ "tiny_segments, joined", test_tiny_segments, true },
	{ "hostile_packets, joined", test_hostile_packets, true },
};

int main(void)
{
	unsigned int i, failed = 0;

	printf("TAP version 13\n1..%zu\n", sizeof(tests) / sizeof(tests[0]));
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		bool ok;

		joins = tests[i].joins;
		ok = tests[i].run();
		printf("%sok %u %s\n", ok ? "" : "not ", i + 1, tests[i].name);
		failed += !ok;
	}
	return failed > 0;
}
