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

#endif /* DAQ_STEER_H */
