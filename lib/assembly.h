/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * Frames out of segments: what belongs together, what is missing. Knows headers
 * and pieces of memory only, no sockets, so that it can be tested anywhere.
 */
#ifndef DAQRING_ASSEMBLY_H
#define DAQRING_ASSEMBLY_H

#include <errno.h>
#include <stdbool.h>
#include "daqring.h"

/* What daq_assembly__push() found out; any combination. */
enum {
	DAQ_PUSH_ABANDON = 1 << 0,	/* the pieces collected so far will not become a frame */
	DAQ_PUSH_KEEP	 = 1 << 1,	/* this segment's payload is the next piece */
	DAQ_PUSH_FRAME	 = 1 << 2,	/* the frame is complete, or ABORTED and without pieces */
	DAQ_PUSH_CUT	 = 1 << 3,	/* alone: the pieces are a truncated frame; push this again */
};

struct daq_assembly {
	/* the channel's format */
	uint32_t segment_bytes;
	uint32_t frame_bytes;
	uint32_t sample_bytes;
	uint64_t rate;
	bool truncated;		/* what came of a frame before a loss is wanted, too */

	bool started;		/* a segment was seen: the position is known */
	bool delivered;		/* a frame was delivered: gaps count from there */
	bool collecting;	/* the pieces of the current frame are being collected */
	bool restarted;		/* the numbering began anew since the last delivery */
	bool cut;		/* the last frame delivered was truncated */
	__be16 run;		/* of the last segment, as the rest up to @filtered */
	uint64_t dropped;	/* by the card before it */
	uint64_t next;		/* sample that follows it */
	uint32_t samples;	/* in it */
	uint64_t time;		/* of its first one */
	struct daq_filtered filtered;	/* by the host before it */
	struct daq_filtered told;	/* before the one that is being pushed */
	bool is_told;		/* that is not in @filtered yet */
	uint64_t filtered_segments;	/* since the first segment */
	uint64_t filtered_frames;	/* since the last delivery, or reset of the card */
	uint64_t filtered_bytes;
	struct daq_gap gap;	/* since the last delivery; frames and samples up to a reset */
	uint64_t frame;		/* of the next segment expected */
	uint32_t segment;	/* of the next segment expected */
	uint32_t filled;	/* bytes collected */
	uint32_t frame_len;	/* of the frame the last segment belonged to */
	uint64_t next_number;	/* the frame that follows the last one delivered */
	uint64_t next_sample;

	/* the frame being collected, as the application will see it */
	unsigned int status;
	uint64_t number;
	uint64_t sample;
	uint64_t timestamp;
};

void daq_assembly__init(struct daq_assembly *assembly, const struct daq_format *format);

/**
 * daq_assembly__push() - take the next segment's header into account
 * @len: bytes that arrived, header included
 *
 * Return: DAQ_PUSH_*, -EBADMSG: malformed and ignored, -EMSGSIZE: a frame
 * larger than the format says.
 */
int daq_assembly__push(struct daq_assembly *assembly, const struct daq_hdr *hdr, size_t len);

/* What the host says with the next segment that it has filtered, before that is pushed. */
void daq_assembly__filtered(struct daq_assembly *assembly, const struct daq_filtered *told);

/* The pieces of the current frame had to be thrown away. */
void daq_assembly__abandon(struct daq_assembly *assembly);

/* After DAQ_PUSH_FRAME or DAQ_PUSH_CUT: fills everything but the memory in. */
void daq_assembly__frame(struct daq_assembly *assembly, struct daq_frame *frame);

/* The pieces of one frame. */
struct daq_pieces {
	struct iovec *iov;
	unsigned int count;
	unsigned int max;
};

/* Appends memory, merged with the piece before when adjacent; -ENOBUFS: no room. */
static inline int daq_pieces__add(struct daq_pieces *pieces, void *base, size_t len)
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

#endif /* DAQRING_ASSEMBLY_H */
