/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the steering program and triggers share: their maps, and the last step of a
 * segment, to the socket that waits for its channel.
 */
#ifndef DAQ_DELIVER_H
#define DAQ_DELIVER_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/daq.h>
#include "daq_steer.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, DAQ_MAX_CHANNELS);
	__type(key, __u32);
	__type(value, __u32);
} daq_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DAQ_MAX_CHANNELS + 1);
	__type(key, __u32);
	__type(value, struct daq_steer_counters);
} daq_counters SEC(".maps");

/* Not per CPU: one queue at a time receives a channel. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DAQ_MAX_CHANNELS);
	__type(key, __u32);
	__type(value, struct daq_filter);
} daq_filters SEC(".maps");

/*
 * Tell the receiver, in front of the header, what was filtered so far. Where there is
 * no room in front it will take that for lost.
 */
static __always_inline void daq_tell_filtered(struct xdp_md *ctx,
					      const struct daq_filter *filter,
					      __u64 flags)
{
	struct daq_filtered *told;
	struct daq_hdr *hdr;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*told)))
		return;
	told = (void *)(long)ctx->data_meta;
	hdr = (void *)(long)ctx->data;
	if ((void *)(told + 1) > (void *)hdr ||
	    (void *)(hdr + 1) > (void *)(long)ctx->data_end)
		return;
	told->frames = filter->frames;
	told->segments = filter->segments;
	told->bytes = filter->bytes;
	told->flags = flags;
	hdr->flags |= DAQ_HDR_F_FILTERED;
}

/* Tell the driver, by the header, that the receiver takes chunks that adjoin as one. */
static __always_inline void daq_ask_to_join(struct xdp_md *ctx)
{
	struct daq_hdr *hdr = (void *)(long)ctx->data;

	if ((void *)(hdr + 1) <= (void *)(long)ctx->data_end)
		hdr->flags |= DAQ_HDR_F_JOINED;
}

/* The verdict on a segment that is wanted; @flags: DAQ_FILTERED_F_* */
static __always_inline int daq_deliver(struct xdp_md *ctx, __u32 channel, __u64 flags)
{
	struct daq_steer_counters *count;
	struct daq_filter *filter;
	int action;

	filter = bpf_map_lookup_elem(&daq_filters, &channel);
	count = bpf_map_lookup_elem(&daq_counters, &channel);
	if (!filter || !count)
		return XDP_ABORTED;
	if (filter->frames)
		daq_tell_filtered(ctx, filter, flags);

	action = bpf_redirect_map(&daq_sockets, channel, XDP_PASS);
	if (action != XDP_REDIRECT) {
		count->passed++;
		return action;
	}
	count->redirected++;
	if (filter->joins)
		daq_ask_to_join(ctx);
	return action;
}

#endif /* DAQ_DELIVER_H */
