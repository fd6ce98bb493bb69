// SPDX-License-Identifier: GPL-2.0
/*
 * Steers each channel's segments to the AF_XDP socket that waits for them, or first to
 * the channel's trigger, see daq_trigger.h. The key is the channel, not the queue:
 * several sockets may share a queue.
 */
#include <linux/if_ether.h>
#include "daq_deliver.h"

#define NO_CHANNEL DAQ_MAX_CHANNELS

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, DAQ_MAX_CHANNELS);
	__type(key, __u32);
	__type(value, __u32);
} daq_triggers SEC(".maps");

/*
 * The packet must be exactly the header and the payload that it announces; only
 * the notice of a loss has none.
 */
static bool consistent(const struct daq_hdr *hdr, __u64 packet_len)
{
	__u32 payload_len = bpf_ntohl(hdr->payload_len);
	__u32 frame_len = bpf_ntohl(hdr->frame_len);
	__u32 offset = bpf_ntohl(hdr->offset);

	return hdr->version == DAQ_HDR_VERSION &&
	       (payload_len > 0 || hdr->flags & DAQ_HDR_F_OVERRUN) &&
	       !(hdr->flags & (DAQ_HDR_F_FILTERED | DAQ_HDR_F_JOINED)) &&
	       packet_len == DAQ_HDR_LEN + (__u64)payload_len &&
	       frame_len <= DAQ_MAX_FRAME_BYTES &&
	       offset <= frame_len &&
	       payload_len <= frame_len - offset;
}

static int pass_foreign(void)
{
	struct daq_steer_counters *count;
	__u32 key = NO_CHANNEL;

	count = bpf_map_lookup_elem(&daq_counters, &key);
	if (count)
		count->foreign++;
	return XDP_PASS;
}

static int drop_malformed(__u32 key)
{
	struct daq_steer_counters *count;

	count = bpf_map_lookup_elem(&daq_counters, &key);
	if (count)
		count->malformed++;
	return XDP_DROP;
}

SEC("xdp.frags")
int daq_steer(struct xdp_md *ctx)
{
	const void *end = (const void *)(long)ctx->data_end;
	const void *data = (const void *)(long)ctx->data;
	const struct daq_hdr *hdr = data;
	__u32 channel;

	if (data + ETH_HLEN > end || hdr->ethertype != bpf_htons(DAQ_ETHERTYPE))
		return pass_foreign();

	if (data + sizeof(*hdr) > end)
		return drop_malformed(NO_CHANNEL);
	channel = bpf_ntohs(hdr->channel);
	if (channel >= DAQ_MAX_CHANNELS)
		return drop_malformed(NO_CHANNEL);
	if (!consistent(hdr, bpf_xdp_get_buff_len(ctx)))
		return drop_malformed(channel);

	/* comes back only if there is none */
	if (hdr->payload_len)
		bpf_tail_call(ctx, &daq_triggers, channel);
	return daq_deliver(ctx, channel, 0);
}

char LICENSE[] SEC("license") = "GPL";
