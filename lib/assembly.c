// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include "assembly.h"

void daq_assembly__init(struct daq_assembly *assembly, const struct daq_format *format)
{
	memset(assembly, 0, sizeof(*assembly));
	assembly->segment_bytes = format->segment_bytes;
	assembly->frame_bytes = format->frame_bytes;
	assembly->sample_bytes = format->sample_bytes;
}

/* A header alone: segments were dropped, and none has come since. */
static bool is_notice(const struct daq_hdr *hdr, size_t len)
{
	return len == DAQ_HDR_LEN && hdr->version == DAQ_HDR_VERSION &&
	       hdr->payload_len == 0 && (hdr->flags & DAQ_HDR_F_OVERRUN) &&
	       !(hdr->flags & (DAQ_HDR_F_SOF | DAQ_HDR_F_EOF));
}

static bool plausible(const struct daq_hdr *hdr, size_t len)
{
	uint32_t payload_len = ntohl(hdr->payload_len);
	uint32_t frame_len = ntohl(hdr->frame_len);
	uint32_t offset = ntohl(hdr->offset);
	bool first = hdr->flags & DAQ_HDR_F_SOF;
	bool last = hdr->flags & DAQ_HDR_F_EOF;

	return hdr->version == DAQ_HDR_VERSION &&
	       payload_len > 0 &&
	       len == DAQ_HDR_LEN + (size_t)payload_len &&
	       offset <= frame_len &&
	       payload_len <= frame_len - offset &&
	       first == (offset == 0) &&
	       first == (hdr->segment == 0) &&
	       last == (offset + payload_len == frame_len);
}

static uint64_t segments_in(const struct daq_assembly *assembly, uint32_t frame_len)
{
	return ((uint64_t)frame_len + assembly->segment_bytes - 1) / assembly->segment_bytes;
}

/* Frames of which nothing was seen are taken as full. */
static uint64_t segments_until(const struct daq_assembly *assembly, uint64_t frame,
			       uint32_t segment)
{
	uint64_t full = segments_in(assembly, assembly->frame_bytes);
	uint64_t here = full;

	if (frame == assembly->frame)
		return segment - assembly->segment;
	if (assembly->segment > 0)
		here = segments_in(assembly, assembly->frame_len);
	here -= here < assembly->segment ? here : assembly->segment;
	return here + (frame - assembly->frame - 1) * full + segment;
}

/* Moves on to the segment that came; returns whether it was the one expected. */
static bool follow(struct daq_assembly *assembly, uint32_t wire_frame, uint32_t segment)
{
	int32_t ahead = wire_frame - (uint32_t)assembly->frame;
	uint64_t frame = assembly->frame + ahead;
	bool expected = ahead == 0 && segment == assembly->segment;
	bool backwards = ahead < 0 || (ahead == 0 && segment < assembly->segment);

	if (!assembly->started || backwards) {
		frame = wire_frame;
		assembly->restarted = assembly->started;
		assembly->started = true;
		assembly->delivered = false;
	} else if (!expected) {
		assembly->lost_segments += segments_until(assembly, frame, segment);
	}
	assembly->frame = frame;
	assembly->segment = segment;
	return expected;
}

static void begin(struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	assembly->collecting = true;
	assembly->filled = 0;
	assembly->frame_len = ntohl(hdr->frame_len);
	assembly->status = 0;
	assembly->number = assembly->frame;
	assembly->sample = be64toh(hdr->sample);
	assembly->timestamp = be64toh(hdr->timestamp);
}

/* No data: everything before this frame and this sample that was not delivered is lost. */
static void abort_before(struct daq_assembly *assembly, uint64_t frame, uint64_t sample,
			 uint64_t timestamp)
{
	assembly->filled = 0;
	assembly->status = DAQ_FRAME_ABORTED;
	assembly->number = frame - 1;
	assembly->sample = sample;
	assembly->timestamp = timestamp;
}

/* A source that ends within a frame did not know it when the frame began. */
static bool adjoins(const struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	return assembly->collecting && ntohl(hdr->offset) == assembly->filled &&
	       (ntohl(hdr->frame_len) == assembly->frame_len ||
		(hdr->flags & DAQ_HDR_F_LAST));
}

static int collect(struct daq_assembly *assembly, const struct daq_hdr *hdr, bool expected)
{
	int verdict = 0;

	if (assembly->collecting &&
	    (!expected || (hdr->flags & DAQ_HDR_F_SOF) || !adjoins(assembly, hdr))) {
		assembly->collecting = false;
		verdict |= DAQ_PUSH_ABANDON;
	}
	if (hdr->flags & DAQ_HDR_F_SOF)
		begin(assembly, hdr);
	assembly->frame_len = ntohl(hdr->frame_len);
	if (!assembly->collecting)
		return verdict;

	assembly->filled += ntohl(hdr->payload_len);
	if (hdr->flags & DAQ_HDR_F_DAMAGED)
		assembly->status |= DAQ_FRAME_DAMAGED;
	return verdict | DAQ_PUSH_KEEP;
}

/*
 * Delivered like a frame without data when that tells of lost frames or of the
 * end. A loss within the current frame shows when the next one is delivered.
 */
static int push_notice(struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	bool expected = follow(assembly, ntohl(hdr->frame), ntohl(hdr->segment));
	bool last = hdr->flags & DAQ_HDR_F_LAST;
	int verdict = 0;

	if (assembly->collecting && !expected) {
		assembly->collecting = false;
		verdict |= DAQ_PUSH_ABANDON;
	}
	if (assembly->collecting ||
	    !(last || (assembly->delivered && assembly->frame != assembly->next_number)))
		return verdict;

	abort_before(assembly, assembly->frame, be64toh(hdr->sample), be64toh(hdr->timestamp));
	if (last)
		assembly->status |= DAQ_FRAME_LAST;
	return verdict | DAQ_PUSH_FRAME;
}

int daq_assembly__push(struct daq_assembly *assembly, const struct daq_hdr *hdr, size_t len)
{
	bool expected;
	int verdict;

	if (is_notice(hdr, len))
		return push_notice(assembly, hdr);
	if (!plausible(hdr, len))
		return -EBADMSG;
	if (ntohl(hdr->frame_len) > assembly->frame_bytes)
		return -EMSGSIZE;

	expected = follow(assembly, ntohl(hdr->frame), ntohl(hdr->segment));
	verdict = collect(assembly, hdr, expected);

	if (!(hdr->flags & DAQ_HDR_F_EOF)) {
		assembly->segment++;
		return verdict;
	}
	if (hdr->flags & DAQ_HDR_F_LAST) {
		if (!assembly->collecting)
			abort_before(assembly, assembly->frame + 1,
				     be64toh(hdr->sample) +
				     ntohl(hdr->payload_len) / assembly->sample_bytes,
				     be64toh(hdr->timestamp));
		assembly->status |= DAQ_FRAME_LAST;
		verdict |= DAQ_PUSH_FRAME;
	}
	if (assembly->collecting)
		verdict |= DAQ_PUSH_FRAME;
	assembly->collecting = false;
	assembly->frame++;
	assembly->segment = 0;
	return verdict;
}

void daq_assembly__abandon(struct daq_assembly *assembly)
{
	assembly->collecting = false;
}

static void measure_gap(const struct daq_assembly *assembly, struct daq_gap *gap)
{
	uint64_t end = assembly->number;

	if (assembly->status & DAQ_FRAME_ABORTED)
		end++;
	gap->frames = end - assembly->next_number;
	gap->segments = assembly->lost_segments;
	if (gap->frames && assembly->sample > assembly->next_sample)
		gap->samples = assembly->sample - assembly->next_sample;
}

void daq_assembly__frame(struct daq_assembly *assembly, struct daq_frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	if (assembly->delivered)
		measure_gap(assembly, &frame->gap);
	if (frame->gap.frames)
		assembly->status |= DAQ_FRAME_GAP_BEFORE;
	if (assembly->restarted)
		assembly->status |= DAQ_FRAME_RESTARTED;
	frame->len = assembly->filled;
	frame->status = assembly->status;
	frame->number = assembly->number;
	frame->sample = assembly->sample;
	frame->timestamp = assembly->timestamp;

	assembly->delivered = true;
	assembly->restarted = false;
	assembly->lost_segments = 0;
	assembly->next_number = assembly->frame;
	assembly->next_sample = frame->sample + frame->len / assembly->sample_bytes;
}

int daq_pieces__add(struct daq_pieces *pieces, void *base, size_t len)
{
	struct iovec *last = pieces->iov + pieces->count - 1;

	if (pieces->count && (char *)last->iov_base + last->iov_len == base) {
		last->iov_len += len;
		return 0;
	}
	if (pieces->count == pieces->max)
		return -ENOBUFS;
	last[1] = (struct iovec){ .iov_base = base, .iov_len = len };
	pieces->count++;
	return 0;
}
