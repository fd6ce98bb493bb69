/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of daq dump have in common. */
#ifndef DAQ_TOOL_DUMP_H
#define DAQ_TOOL_DUMP_H

#include "headers.h"

/* The frame that is coming in. */
struct frame {
	bool begun;
	struct header first;
	unsigned int flags;
	uint64_t segments;
	uint64_t bytes;
	struct missing missing;		/* before its first segment and within */
	uint64_t unseen;
};

/* @unseen: of the segments missing, those that only the tap did not see. */
void show_segment(bool json, const struct header *header, const struct missing *missing,
		  uint64_t unseen);
void show_frame(bool json, const struct frame *frame);

#endif /* DAQ_TOOL_DUMP_H */
