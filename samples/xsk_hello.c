// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer of bare AF_XDP, to show what libdaqring does for you: prints the
 * descriptors of some segments of one channel.
 *
 *   ./xsk_hello daq0 0 100        interface, channel = queue, segments
 */
#include "xsk.h"

static void print_header(const struct daq_hdr *hdr)
{
	printf("channel %u frame %u segment %u offset %u payload %u of %u%s%s\n",
	       ntohs(hdr->channel), ntohl(hdr->frame), ntohl(hdr->segment), ntohl(hdr->offset),
	       ntohl(hdr->payload_len), ntohl(hdr->frame_len),
	       hdr->flags & DAQ_HDR_F_SOF ? " SOF" : "", hdr->flags & DAQ_HDR_F_EOF ? " EOF" : "");
}

int main(int argc, char **argv)
{
	struct xsk_socket_config config = {
		.rx_size = CHUNKS,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP,
	};
	struct xdp_options options = { 0 };
	socklen_t len = sizeof(options);
	struct xsk_ring_cons completion, rx;
	unsigned int channel, wanted, segments = 0;
	struct xsk_ring_prod fill;
	struct daq_steer *steer;
	struct xsk_socket *xsk;
	struct xsk_umem *umem;
	bool first = true;
	char *memory;
	__u32 index;
	int err;

	if (argc != 4) {
		fprintf(stderr, "Usage: xsk_hello IFNAME CHANNEL SEGMENTS\n");
		return 2;
	}
	channel = atoi(argv[2]);
	wanted = atoi(argv[3]);
	steer = attach_steering(argv[1]);
	memory = create_umem(&umem, &fill, &completion);
	err = xsk_socket__create(&xsk, argv[1], channel, umem, &rx, NULL, &config);
	if (err)
		die("xsk_socket__create", err);
	steer_channel(steer, channel, xsk);
	post(&fill, 0, CHUNKS);
	kick(&fill, xsk);

	getsockopt(xsk_socket__fd(xsk), SOL_XDP, XDP_OPTIONS, &options, &len);
	printf("zero copy: %s\n", options.flags & XDP_OPTIONS_ZEROCOPY ? "yes" : "no");

	while (segments < wanted) {
		struct pollfd pollfd = { .fd = xsk_socket__fd(xsk), .events = POLLIN };
		struct xdp_desc desc;

		if (!xsk_ring_cons__peek(&rx, 1, &index)) {
			poll(&pollfd, 1, -1);
			continue;
		}
		desc = *xsk_ring_cons__rx_desc(&rx, index);
		xsk_ring_cons__release(&rx, 1);
		if (first)
			print_header((void *)(memory + desc.addr));
		printf("  address %#llx length %u%s\n", (unsigned long long)desc.addr, desc.len,
		       desc.options & XDP_PKT_CONTD ? " continues" : "");
		first = !(desc.options & XDP_PKT_CONTD);
		segments += first;
		post(&fill, desc.addr / CHUNK, 1);
		kick(&fill, xsk);
	}
	xsk_socket__delete(xsk);
	xsk_umem__delete(umem);
	daq_steer__destroy(steer);
	return 0;
}
