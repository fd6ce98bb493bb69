/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * Frames out of segments: what belongs together, what is missing. Knows headers
 * and pieces of memory only, no sockets, so that it can be tested anywhere.
 */
#ifndef DAQRING_ASSEMBLY_H
#define DAQRING_ASSEMBLY_H

#include <stdbool.h>
#include "daqring.h"

/* What daq_assembly__push() found out; any combination. */
enum {
	DAQ_PUSH_ABANDON = 1 << 0,	/* the pieces collected so far will not become a frame */
	DAQ_PUSH_KEEP	 = 1 << 1,	/* this segment's payload is the next piece */
	DAQ_PUSH_FRAME	 = 1 << 2,	/* the frame is complete, or ABORTED and without pieces */
};

struct daq_assembly {
	/* the channel's format */
	uint32_t segment_bytes;
	uint32_t frame_bytes;
	uint32_t sample_bytes;

	bool started;		/* a segment was seen: the position is known */
	bool delivered;		/* a frame was delivered: gaps count from there */
	bool collecting;	/* the pieces of the current frame are being collected */
	bool restarted;		/* the numbering began anew since the last delivery */
	uint64_t frame;		/* of the next segment expected */
	uint32_t segment;	/* of the next segment expected */
	uint32_t filled;	/* bytes collected */
	uint32_t frame_len;	/* of the frame the last segment belonged to */
	uint64_t lost_segments;	/* since the last delivery */
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

/* The pieces of the current frame had to be thrown away. */
void daq_assembly__abandon(struct daq_assembly *assembly);

/* After DAQ_PUSH_FRAME: fills everything but the memory in. */
void daq_assembly__frame(struct daq_assembly *assembly, struct daq_frame *frame);

/* The pieces of one frame. */
struct daq_pieces {
	struct iovec *iov;
	unsigned int count;
	unsigned int max;
};

/* Appends memory, merged with the piece before when adjacent; -ENOBUFS: no room. */
int daq_pieces__add(struct daq_pieces *pieces, void *base, size_t len);

#endif /* DAQRING_ASSEMBLY_H */
