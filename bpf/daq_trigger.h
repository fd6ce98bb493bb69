/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Triggers: XDP programs that decide which frames of a channel the receiver gets.
 *
 *	#include "daq_trigger.h"
 *
 *	DAQ_TRIGGER(every_tenth)
 *	{
 *		return bpf_ntohl(hdr->frame) % 10 == 0 ? DAQ_KEEP : DAQ_DROP;
 *	}
 *
 *	char LICENSE[] SEC("license") = "GPL";
 *
 *	clang -g -O2 -target bpf -c every_tenth.bpf.c -o every_tenth.bpf.o
 *
 * The body runs once for each frame, with the first of its segments that comes, and
 * what it returns goes for the whole frame. It sees ctx, to look at the payload with
 * bpf_xdp_load_bytes(ctx, DAQ_HDR_LEN + ...), and hdr, which has been checked: it is
 * all there, and the packet is as long as it says.
 *
 * What is dropped is counted, and the next segment that is kept tells how much that
 * was: to the receiver it is not lost. The end of the source is always told.
 */
#ifndef DAQ_TRIGGER_H
#define DAQ_TRIGGER_H

#include "daq_deliver.h"

enum daq_choice { DAQ_DROP, DAQ_KEEP };

/* The frame that a segment belongs to, as struct daq_filter has it. */
static __always_inline __u64 daq_frame_id(const struct daq_hdr *hdr)
{
	return DAQ_FILTER_DECIDED | (__u64)bpf_ntohs(hdr->run) << 32 | bpf_ntohl(hdr->frame);
}

static __always_inline int
daq_run_trigger(struct xdp_md *ctx,
		enum daq_choice (*choose)(struct xdp_md *ctx, const struct daq_hdr *hdr))
{
	const struct daq_hdr *hdr = (void *)(long)ctx->data;
	struct daq_filter *filter;
	__u32 channel, bytes;
	__u64 frame;
	bool last;

	if ((void *)(hdr + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	channel = bpf_ntohs(hdr->channel);
	bytes = bpf_ntohl(hdr->payload_len);
	last = hdr->flags & DAQ_HDR_F_LAST;
	frame = daq_frame_id(hdr);
	filter = bpf_map_lookup_elem(&daq_filters, &channel);
	if (!filter)
		return XDP_ABORTED;

	if (filter->decided != frame) {
		filter->decided = frame;
		filter->keep = choose(ctx, hdr) == DAQ_KEEP;
		filter->frames += !filter->keep;
	}
	if (filter->keep)
		return daq_deliver(ctx, channel, 0);
	if (last)
		return daq_deliver(ctx, channel, DAQ_FILTERED_F_UNWANTED);
	filter->segments++;
	filter->bytes += bytes;
	return XDP_DROP;
}

#define DAQ_TRIGGER(name)							\
static __always_inline enum daq_choice						\
name##_choose(struct xdp_md *ctx, const struct daq_hdr *hdr);			\
										\
SEC("xdp.frags")								\
int name(struct xdp_md *ctx)							\
{										\
	return daq_run_trigger(ctx, name##_choose);				\
}										\
										\
static __always_inline enum daq_choice						\
name##_choose(struct xdp_md *ctx __attribute__((unused)),			\
	      const struct daq_hdr *hdr __attribute__((unused)))

#endif /* DAQ_TRIGGER_H */
