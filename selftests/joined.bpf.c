// SPDX-License-Identifier: GPL-2.0
/* Programs that ask for joined chunks, and then do this or that with the packet. */
#include <linux/bpf.h>
#include <linux/daq.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

const volatile __u32 elsewhere;	/* another interface */

static __always_inline void ask(struct xdp_md *ctx)
{
	struct daq_hdr *hdr = (void *)(long)ctx->data;

	if ((void *)(hdr + 1) <= (void *)(long)ctx->data_end)
		hdr->flags |= DAQ_HDR_F_JOINED;
}

SEC("xdp.frags")
int to_socket(struct xdp_md *ctx)
{
	ask(ctx);
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
}

/* Half a chunk less than there is. */
SEC("xdp.frags")
int cut_off(struct xdp_md *ctx)
{
	ask(ctx);
	bpf_xdp_adjust_tail(ctx, -2048);
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
}

SEC("xdp.frags")
int to_elsewhere(struct xdp_md *ctx)
{
	ask(ctx);
	return bpf_redirect(elsewhere, 0);
}

SEC("xdp.frags")
int drop(struct xdp_md *ctx)
{
	ask(ctx);
	return XDP_DROP;
}

SEC("xdp.frags")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
