// SPDX-License-Identifier: GPL-2.0
/*
 * A trigger by the data: frames of 16-bit samples, little-endian as cards deliver them,
 * in which at least one of the first 1,024 reaches 30,000.
 */
#include "daq_trigger.h"

#define THRESHOLD	30000
#define SAMPLES		1024
#define STEP		32	/* samples looked at with one call of a helper */

DAQ_TRIGGER(threshold)
{
	__u32 samples = bpf_ntohl(hdr->payload_len) / sizeof(__s16);
	__s16 piece[STEP];
	__u32 i, at;

	for (at = 0; at < SAMPLES && at + STEP <= samples; at += STEP) {
		/* the payload may be in other buffers than the header */
		if (bpf_xdp_load_bytes(ctx, DAQ_HDR_LEN + at * sizeof(__s16), piece,
				       sizeof(piece)))
			return DAQ_KEEP;
		for (i = 0; i < STEP; i++)
			if (piece[i] >= THRESHOLD)
				return DAQ_KEEP;
	}
	return DAQ_DROP;
}

char LICENSE[] SEC("license") = "GPL";
