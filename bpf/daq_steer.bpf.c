// SPDX-License-Identifier: GPL-2.0
/*
 * Steers each channel's segments to the AF_XDP socket that waits for them.
 * The key is the channel, not the queue: several sockets may share a queue.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/daq.h>
#include "daq_steer.h"

#define NO_CHANNEL DAQ_MAX_CHANNELS

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

SEC("xdp.frags")
int daq_steer(struct xdp_md *ctx)
{
	const void *end = (const void *)(long)ctx->data_end;
	const void *data = (const void *)(long)ctx->data;
	const struct daq_hdr *hdr = data;
	struct daq_steer_counters *count;
	__u32 channel = NO_CHANNEL;
	bool valid = false;
	int action;

	if (data + ETH_HLEN > end || hdr->ethertype != bpf_htons(DAQ_ETHERTYPE))
		return pass_foreign();

	if (data + sizeof(*hdr) <= end && bpf_ntohs(hdr->channel) < DAQ_MAX_CHANNELS) {
		channel = bpf_ntohs(hdr->channel);
		valid = consistent(hdr, bpf_xdp_get_buff_len(ctx));
	}
	count = bpf_map_lookup_elem(&daq_counters, &channel);
	if (!count)
		return XDP_ABORTED;
	if (!valid) {
		count->malformed++;
		return XDP_DROP;
	}

	action = bpf_redirect_map(&daq_sockets, channel, XDP_PASS);
	if (action == XDP_REDIRECT)
		count->redirected++;
	else
		count->passed++;
	return action;
}

char LICENSE[] SEC("license") = "GPL";
