/* SPDX-License-Identifier: GPL-2.0 */
/* Headers of segments one after the other, and what is missing between them. */
#ifndef DAQ_TOOL_HEADERS_H
#define DAQ_TOOL_HEADERS_H

#include <daqring.h>
#include <stdbool.h>

/* A struct daq_hdr in the host's byte order. */
struct header {
	unsigned int flags;
	unsigned int channel;
	unsigned int run;
	uint32_t frame;
	uint32_t segment;
	uint32_t offset;
	uint32_t bytes;		/* 0: the notice of a loss */
	uint32_t frame_bytes;
	uint64_t sample;
	uint64_t timestamp;
	uint64_t dropped;
};

/* What is missing before a header. */
struct missing {
	uint64_t segments;
	uint64_t samples;	/* 0 also if the size of a sample is not known yet */
	uint64_t by_card;	/* of the segments, what the card says it dropped */
	bool restarted;		/* the channel was off, or the card reset: nothing is known */
};

/* What is known of a channel from the headers so far. */
struct trace {
	bool seen;
	struct header last;
	uint32_t segment_bytes;	/* 0: no segment was full yet */
	uint32_t sample_bytes;	/* 0: not known yet */
	uint32_t frame_bytes;
};

/* false: not the beginning of a segment. */
bool header_read(struct header *header, const void *packet, size_t len);

/* What is missing between the header before and this one, and takes note of this one. */
void trace_follow(struct trace *trace, const struct header *header, struct missing *missing);

#endif /* DAQ_TOOL_HEADERS_H */
