// SPDX-License-Identifier: GPL-2.0
/* Asks the driver what it knows of a packet and writes that in front of it. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/daq.h>
#include "metadata.h"

enum xdp_rss_hash_type { XDP_RSS_TYPE_NONE };

extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, __u64 *timestamp) __ksym;
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash,
				    enum xdp_rss_hash_type *rss_type) __ksym;
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *vlan_proto,
					__u16 *vlan_tci) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, DAQ_MAX_CHANNELS);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

/* Segments of each channel, and those that are not what their header says. */
__u64 segments[DAQ_MAX_CHANNELS];
__u64 wrong;
/* The latest packet without a header of the card. */
struct metadata foreign;

static void ask(struct xdp_md *ctx, struct metadata *meta)
{
	enum xdp_rss_hash_type rss_type = -1;
	__be16 vlan_proto;
	__u16 vlan_tci;

	meta->timestamp_error = bpf_xdp_metadata_rx_timestamp(ctx, &meta->timestamp);
	meta->hash_error = bpf_xdp_metadata_rx_hash(ctx, &meta->hash, &rss_type);
	meta->vlan_error = bpf_xdp_metadata_rx_vlan_tag(ctx, &vlan_proto, &vlan_tci);
	meta->rss_type = rss_type;
	meta->magic = METADATA_MAGIC;
}

static bool as_header(const struct metadata *meta, const struct daq_hdr *hdr)
{
	return !meta->timestamp_error && !meta->hash_error &&
	       meta->timestamp == bpf_be64_to_cpu(hdr->timestamp) &&
	       meta->hash == bpf_ntohs(hdr->channel) &&
	       meta->rss_type == XDP_RSS_TYPE_NONE;
}

SEC("xdp.frags")
int metadata(struct xdp_md *ctx)
{
	struct metadata said = { 0 }, *meta;
	const struct daq_hdr *hdr;
	void *end;

	ask(ctx, &said);
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	hdr = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(meta + 1) > (void *)hdr)
		return XDP_ABORTED;
	*meta = said;

	if ((void *)(hdr + 1) > end || hdr->ethertype != bpf_htons(DAQ_ETHERTYPE)) {
		foreign = said;
	} else {
		if (!as_header(&said, hdr))
			__sync_fetch_and_add(&wrong, 1);
		if (said.hash < DAQ_MAX_CHANNELS)
			__sync_fetch_and_add(&segments[said.hash], 1);
	}
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "GPL";
