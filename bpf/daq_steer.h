/* SPDX-License-Identifier: GPL-2.0 */
/* What the steering program and the library agree on beside the maps' names. */
#ifndef DAQ_STEER_H
#define DAQ_STEER_H

#include <linux/types.h>

/* Per CPU and channel; the entry behind the last channel counts what names none. */
struct daq_steer_counters {
	__u64 redirected;	/* segments given to a socket */
	__u64 passed;		/* no socket: segments given to the network stack */
	__u64 malformed;	/* dropped: the header contradicts itself or the packet */
	__u64 foreign;		/* no DAQ segment: given to the network stack */
};

/**
 * struct daq_filter - what a channel's trigger decides and has dropped
 * @frames: frames dropped, counted with their first segment
 * @segments: segments dropped
 * @bytes: bytes of payload in them
 * @decided: the frame that was decided on last, with DAQ_FILTER_DECIDED
 * @keep: what was decided
 * @joins: the channel's receiver takes chunks that adjoin as one; written when nothing
 *	   is steered to it
 */
struct daq_filter {
	__u64 frames;
	__u64 segments;
	__u64 bytes;
	__u64 decided;
	__u32 keep;
	__u32 joins;
};

/* No frame has the number 0. */
#define DAQ_FILTER_DECIDED	(1ull << 63)

#endif /* DAQ_STEER_H */
