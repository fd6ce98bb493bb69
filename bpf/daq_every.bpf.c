// SPDX-License-Identifier: GPL-2.0
/*
 * Triggers by number: every so many-th frame.
 *
 *	daq capture daq0 0=thin.raw --trigger /usr/lib/.../daq/daq_every.bpf.o:every_10th
 */
#include "daq_trigger.h"

DAQ_TRIGGER(every_2nd)
{
	return bpf_ntohl(hdr->frame) % 2 == 0 ? DAQ_KEEP : DAQ_DROP;
}

DAQ_TRIGGER(every_10th)
{
	return bpf_ntohl(hdr->frame) % 10 == 0 ? DAQ_KEEP : DAQ_DROP;
}

char LICENSE[] SEC("license") = "GPL";
