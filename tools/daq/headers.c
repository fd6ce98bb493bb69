// SPDX-License-Identifier: GPL-2.0
/*
 * Headers of segments one after the other. What follows from two of them is in
 * Documentation/frame-format.rst.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>
#include "headers.h"

bool header_read(struct header *header, const void *packet, size_t len)
{
	struct daq_hdr hdr;

	if (len < sizeof(hdr))
		return false;
	memcpy(&hdr, packet, sizeof(hdr));
	*header = (struct header){
		.flags = hdr.flags,
		.channel = ntohs(hdr.channel),
		.run = ntohs(hdr.run),
		.frame = ntohl(hdr.frame),
		.segment = ntohl(hdr.segment),
		.offset = ntohl(hdr.offset),
		.bytes = ntohl(hdr.payload_len),
		.frame_bytes = ntohl(hdr.frame_len),
		.sample = be64toh(hdr.sample),
		.timestamp = be64toh(hdr.timestamp),
		.dropped = be64toh(hdr.dropped),
	};
	return hdr.ethertype == htons(DAQ_ETHERTYPE) && hdr.version == DAQ_HDR_VERSION &&
	       header->channel < DAQ_MAX_CHANNELS && header->offset <= header->frame_bytes &&
	       header->bytes <= header->frame_bytes - header->offset;
}

static uint64_t segments_in(const struct trace *trace, uint32_t frame_bytes)
{
	if (!trace->segment_bytes)
		return 1;
	return ((uint64_t)frame_bytes + trace->segment_bytes - 1) / trace->segment_bytes;
}

/* Where the segment behind the last one belongs. */
static void expect(const struct trace *trace, uint32_t *frame, uint32_t *segment)
{
	const struct header *last = &trace->last;
	bool ended = last->flags & DAQ_HDR_F_EOF;

	*frame = last->frame + ended;
	/* a notice has the numbers of the segment that comes next */
	*segment = ended ? 0 : last->segment + (last->bytes > 0);
}

/* Frames of which nothing was seen are taken to be like the one before. */
static uint64_t segments_between(const struct trace *trace, uint32_t segment, uint32_t ahead,
				 uint32_t to_segment)
{
	uint64_t full = segments_in(trace, trace->frame_bytes);
	uint64_t rest = full > segment ? full - segment : 0;

	if (ahead == 0)
		return to_segment - segment;
	return rest + (ahead - 1) * full + to_segment;
}

static void compare(const struct trace *trace, const struct header *header,
		    struct missing *missing)
{
	const struct header *last = &trace->last;
	uint32_t frame, segment;
	int32_t ahead;

	expect(trace, &frame, &segment);
	ahead = header->frame - frame;
	if (header->run != last->run || ahead < 0 || (ahead == 0 && header->segment < segment)) {
		missing->restarted = true;
		return;
	}
	missing->segments = segments_between(trace, segment, ahead, header->segment);
	if (!missing->segments)
		return;
	if (trace->sample_bytes)
		missing->samples = header->sample -
				   (last->sample + last->bytes / trace->sample_bytes);
	missing->by_card = header->dropped - last->dropped;
	if (missing->by_card > missing->segments)
		missing->by_card = missing->segments;
}

/* Two segments without a hole between them tell the size of a sample. */
static void learn(struct trace *trace, const struct header *header, bool adjacent)
{
	uint64_t samples = header->sample - trace->last.sample;

	if (adjacent && trace->last.bytes && samples && trace->last.bytes % samples == 0)
		trace->sample_bytes = trace->last.bytes / samples;
	if (!header->bytes)
		return;
	if (!(header->flags & DAQ_HDR_F_EOF))
		trace->segment_bytes = header->bytes;
	trace->frame_bytes = header->frame_bytes;
}

void trace_follow(struct trace *trace, const struct header *header, struct missing *missing)
{
	memset(missing, 0, sizeof(*missing));
	if (trace->seen)
		compare(trace, header, missing);
	learn(trace, header, trace->seen && !missing->restarted && !missing->segments);
	trace->last = *header;
	trace->seen = true;
}
