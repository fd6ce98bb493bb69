// SPDX-License-Identifier: GPL-2.0
/* Programs in the place of a trigger that lose segments without telling anybody. */
#include "daq_deliver.h"

/* Channel 0 only: nobody else has these. */
#define CHANNEL	0

static __always_inline bool is_third(struct xdp_md *ctx)
{
	const struct daq_hdr *hdr = (void *)(long)ctx->data;

	return (void *)(hdr + 1) <= (void *)(long)ctx->data_end &&
	       hdr->segment == bpf_htonl(2);
}

SEC("xdp.frags")
int drop_third(struct xdp_md *ctx)
{
	return is_third(ctx) ? XDP_DROP : daq_deliver(ctx, CHANNEL, 0);
}

SEC("xdp.frags")
int abort_third(struct xdp_md *ctx)
{
	return is_third(ctx) ? XDP_ABORTED : daq_deliver(ctx, CHANNEL, 0);
}

char LICENSE[] SEC("license") = "GPL";
