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
	assembly->rate = format->rate;
}

void daq_assembly__filtered(struct daq_assembly *assembly, const struct daq_filtered *told)
{
	assembly->told = *told;
	assembly->is_told = true;
}

static uint64_t grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
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

static uint64_t segments_in(const struct daq_assembly *assembly, uint64_t bytes)
{
	return (bytes + assembly->segment_bytes - 1) / assembly->segment_bytes;
}

static uint64_t samples_ns(const struct daq_assembly *assembly, uint64_t samples)
{
	return assembly->rate ? (unsigned __int128)samples * 1000000000 / assembly->rate : 0;
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

/* Segments that so many bytes from the one expected on make. */
static uint64_t segments_of(const struct daq_assembly *assembly, uint64_t bytes)
{
	uint64_t begun = (uint64_t)assembly->segment * assembly->segment_bytes;
	uint64_t rest = 0;

	if (assembly->segment > 0 && begun < assembly->frame_len)
		rest = assembly->frame_len - begun;
	if (bytes <= rest)
		return segments_in(assembly, bytes);
	bytes -= rest;
	return segments_in(assembly, rest) +
	       bytes / assembly->frame_bytes * segments_in(assembly, assembly->frame_bytes) +
	       segments_in(assembly, bytes % assembly->frame_bytes);
}

static bool is_next(const struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	return assembly->started && hdr->run == assembly->run &&
	       ntohl(hdr->frame) == (uint32_t)assembly->frame &&
	       ntohl(hdr->segment) == assembly->segment;
}

/* Frames before this one that neither were delivered nor did the trigger drop. */
static uint64_t missing_frames(const struct daq_assembly *assembly, uint64_t frame)
{
	return grown(assembly->next_number + assembly->filtered_frames, frame);
}

/* What the card has taken before this sample, and nothing of that accounts for. */
static uint64_t missing_samples(const struct daq_assembly *assembly, uint64_t sample)
{
	return grown(assembly->next_sample + assembly->filtered_bytes / assembly->sample_bytes,
		     sample);
}

/* The card was reset: it has begun with 0. */
static void begin_with_zero(struct daq_assembly *assembly)
{
	assembly->gap.frames += missing_frames(assembly,
					       assembly->frame + (assembly->segment > 0));
	assembly->gap.samples += missing_samples(assembly, assembly->next);
	assembly->filtered_frames = 0;
	assembly->filtered_bytes = 0;
	assembly->restarted = true;
	assembly->frame = 0;
	assembly->segment = 0;
	assembly->dropped = 0;
	assembly->next = 0;
	assembly->next_number = 0;
	assembly->next_sample = 0;
}

/* How much one of the counters in a header's run has grown. */
static unsigned int run_grown(__be16 before, __be16 now, unsigned int field)
{
	unsigned int one = field & -field;

	return ((ntohs(now) & field) - (ntohs(before) & field)) / one & field / one;
}

/* Why the channel was off: a reset and sleep both have it switched on again. */
static uint32_t why_off(__be16 before, __be16 now)
{
	unsigned int resets = run_grown(before, now, DAQ_RUN_RESETS);
	unsigned int suspends = run_grown(before, now, DAQ_RUN_SUSPENDS);
	unsigned int starts = run_grown(before, now, DAQ_RUN_STARTS);

	return (resets ? 1u << DAQ_LOSS_RESET : 0) |
	       (suspends ? 1u << DAQ_LOSS_SUSPEND : 0) |
	       (starts > (resets > suspends ? resets : suspends) ? 1u << DAQ_LOSS_OFF : 0);
}

/*
 * The channel was off. A frame that was cut short by that has no more segments, so what
 * is missing follows from the samples.
 */
static uint64_t follow_run(struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	uint32_t why = why_off(assembly->run, hdr->run);
	uint64_t lost, due;

	if (why & 1u << DAQ_LOSS_RESET)
		begin_with_zero(assembly);
	assembly->gap.reasons |= why;
	lost = grown(assembly->next, be64toh(hdr->sample));
	due = assembly->time + samples_ns(assembly, assembly->samples + lost);
	if (assembly->rate)
		assembly->gap.off_ns += grown(due, be64toh(hdr->timestamp));
	return segments_of(assembly, lost * assembly->sample_bytes);
}

/* So many segments are missing before this one: who has dropped them? */
static void account(struct daq_assembly *assembly, const struct daq_hdr *hdr, uint64_t missing)
{
	const struct daq_filtered *before = &assembly->filtered, *now = &assembly->told;
	uint64_t filtered = least(grown(before->segments, now->segments), missing);
	uint64_t card = grown(assembly->dropped, be64toh(hdr->dropped));
	struct daq_gap *gap = &assembly->gap;

	gap->segments += missing - filtered;
	gap->card_segments += least(card, missing - filtered);
	gap->filtered_segments += filtered;
	gap->filtered_frames += grown(before->frames, now->frames);
	assembly->filtered_frames += grown(before->frames, now->frames);
	assembly->filtered_segments += filtered;
	assembly->filtered_bytes += grown(before->bytes, now->bytes);
}

/* Nothing is known of what was before. */
static void begin_anywhere(struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	assembly->restarted |= assembly->started;
	assembly->started = true;
	assembly->delivered = false;
	assembly->frame = ntohl(hdr->frame);
}

/* Moves on to a segment that is not the next one, or before which some were filtered. */
static void follow_far(struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	bool same_run = hdr->run == assembly->run;
	uint32_t segment = ntohl(hdr->segment);
	uint64_t missing = 0;
	int32_t ahead;

	if (assembly->started && !same_run)
		missing = follow_run(assembly, hdr);
	ahead = ntohl(hdr->frame) - (uint32_t)assembly->frame;
	if (!assembly->started || ahead < 0 || (ahead == 0 && segment < assembly->segment)) {
		begin_anywhere(assembly, hdr);
	} else {
		if (same_run)
			missing = segments_until(assembly, assembly->frame + ahead, segment);
		account(assembly, hdr, missing);
		assembly->frame += ahead;
	}
	assembly->segment = segment;
	assembly->run = hdr->run;
	assembly->dropped = be64toh(hdr->dropped);
	assembly->filtered = assembly->told;
	assembly->is_told = false;
}

/* Moves on to the segment that came. */
static void follow(struct daq_assembly *assembly, const struct daq_hdr *hdr, bool next)
{
	if (next && !assembly->is_told)
		assembly->dropped = be64toh(hdr->dropped);
	else
		follow_far(assembly, hdr);
}

/* What the next segment is to be compared with. */
static void expect(struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	/* at the end of all there may be a part of a sample */
	assembly->samples = (ntohl(hdr->payload_len) + assembly->sample_bytes - 1) /
			    assembly->sample_bytes;
	assembly->next = be64toh(hdr->sample) + assembly->samples;
	assembly->time = be64toh(hdr->timestamp);
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

/* It has come only to tell that the source has ended. */
static bool unwanted(const struct daq_assembly *assembly)
{
	return assembly->told.flags & DAQ_FILTERED_F_UNWANTED;
}

/* A source that ends within a frame did not know it when the frame began. */
static bool adjoins(const struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	return assembly->collecting && ntohl(hdr->offset) == assembly->filled &&
	       (ntohl(hdr->frame_len) == assembly->frame_len ||
		(hdr->flags & DAQ_HDR_F_LAST));
}

/* Whether a segment shows that the rest of the frame being collected is missing. */
static bool ends_frame(const struct daq_assembly *assembly, const struct daq_hdr *hdr,
		       bool next)
{
	if (!assembly->collecting || !next)
		return assembly->collecting;
	return hdr->payload_len && (unwanted(assembly) || (hdr->flags & DAQ_HDR_F_SOF) ||
				    !adjoins(assembly, hdr));
}

static int collect(struct daq_assembly *assembly, const struct daq_hdr *hdr, bool ended)
{
	int verdict = 0;

	if (ended) {
		assembly->collecting = false;
		verdict |= DAQ_PUSH_ABANDON;
	}
	if (unwanted(assembly))
		assembly->filtered_bytes += ntohl(hdr->payload_len);
	else if (hdr->flags & DAQ_HDR_F_SOF)
		begin(assembly, hdr);
	assembly->frame_len = ntohl(hdr->frame_len);
	if (!assembly->collecting)
		return verdict;

	assembly->filled += ntohl(hdr->payload_len);
	if (hdr->flags & DAQ_HDR_F_DAMAGED)
		assembly->status |= DAQ_FRAME_DAMAGED;
	return verdict | DAQ_PUSH_KEEP;
}

/* Of frames, or of what a truncated frame lacks. */
static bool tells_of_loss(const struct daq_assembly *assembly)
{
	return assembly->delivered &&
	       assembly->frame >= assembly->next_number + !assembly->cut;
}

/*
 * Delivered like a frame without data when that tells of lost frames or of the
 * end. A loss within the current frame shows when the next one is delivered.
 */
static int push_notice(struct daq_assembly *assembly, const struct daq_hdr *hdr, bool next,
		       bool ended)
{
	bool last = hdr->flags & DAQ_HDR_F_LAST;
	int verdict = 0;

	follow(assembly, hdr, next);
	expect(assembly, hdr);
	if (ended) {
		assembly->collecting = false;
		verdict |= DAQ_PUSH_ABANDON;
	}
	if (assembly->collecting || !(last || tells_of_loss(assembly)))
		return verdict;

	abort_before(assembly, assembly->frame, be64toh(hdr->sample), be64toh(hdr->timestamp));
	if (last)
		assembly->status |= DAQ_FRAME_LAST;
	return verdict | DAQ_PUSH_FRAME;
}

static int push_segment(struct daq_assembly *assembly, const struct daq_hdr *hdr, bool next,
			bool ended)
{
	int verdict;

	follow(assembly, hdr, next);
	expect(assembly, hdr);
	verdict = collect(assembly, hdr, ended);

	if (!(hdr->flags & DAQ_HDR_F_EOF)) {
		assembly->segment++;
		return verdict;
	}
	if (hdr->flags & DAQ_HDR_F_LAST) {
		if (!assembly->collecting)
			abort_before(assembly, assembly->frame + 1, assembly->next,
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

static int push(struct daq_assembly *assembly, const struct daq_hdr *hdr, size_t len)
{
	bool notice = is_notice(hdr, len);
	bool next = is_next(assembly, hdr);
	bool ended;

	if (!notice && !plausible(hdr, len))
		return -EBADMSG;
	if (!notice && ntohl(hdr->frame_len) > assembly->frame_bytes)
		return -EMSGSIZE;

	ended = ends_frame(assembly, hdr, next);
	if (ended && assembly->truncated) {
		assembly->collecting = false;
		assembly->status |= DAQ_FRAME_TRUNCATED;
		return DAQ_PUSH_CUT;
	}
	return notice ? push_notice(assembly, hdr, next, ended) :
			push_segment(assembly, hdr, next, ended);
}

int daq_assembly__push(struct daq_assembly *assembly, const struct daq_hdr *hdr, size_t len)
{
	int verdict = push(assembly, hdr, len);

	/* that was of this segment; the sums stay */
	if (verdict != DAQ_PUSH_CUT)
		assembly->told.flags = 0;
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
	*gap = assembly->gap;
	gap->frames += missing_frames(assembly, end);
	/* else the last sample of a source that has ended may have been half a one */
	if (gap->frames || gap->reasons || assembly->cut)
		gap->samples += missing_samples(assembly, assembly->sample);
}

void daq_assembly__frame(struct daq_assembly *assembly, struct daq_frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	if (assembly->delivered)
		measure_gap(assembly, &frame->gap);
	if (frame->gap.frames || frame->gap.samples || frame->gap.reasons)
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
	assembly->cut = assembly->status & DAQ_FRAME_TRUNCATED;
	memset(&assembly->gap, 0, sizeof(assembly->gap));
	assembly->filtered_frames = 0;
	assembly->filtered_bytes = 0;
	assembly->next_number = assembly->number + 1;
	assembly->next_sample = frame->sample + frame->len / assembly->sample_bytes;
}
