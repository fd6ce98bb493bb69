// SPDX-License-Identifier: GPL-2.0
/*
 * Two channels on one queue, each with a socket of its own: both sockets share the
 * buffer memory and its fill ring, and the steering program tells them apart.
 *
 *   ethtool -X daq0 weight 0 0 1     with the interface down: all channels on queue 2
 *   ./xsk_shared daq0 2 0 1 100      interface, queue, two channels, segments
 */
#include "xsk.h"

struct receiver {
	unsigned int channel;
	struct xsk_socket *xsk;
	struct xsk_ring_cons rx;
	unsigned int segments;
	unsigned int strays;	/* of other channels: must stay 0 */
	bool inside;		/* a packet of several chunks */
};

static void receive(struct receiver *receiver, const char *memory, struct xsk_ring_prod *fill)
{
	const struct daq_hdr *hdr;
	struct xdp_desc desc;
	__u32 index;

	while (xsk_ring_cons__peek(&receiver->rx, 1, &index)) {
		desc = *xsk_ring_cons__rx_desc(&receiver->rx, index);
		xsk_ring_cons__release(&receiver->rx, 1);
		hdr = (const void *)(memory + desc.addr);
		if (!receiver->inside && ntohs(hdr->channel) != receiver->channel)
			receiver->strays++;
		receiver->inside = desc.options & XDP_PKT_CONTD;
		receiver->segments += !receiver->inside;
		post(fill, desc.addr / CHUNK, 1);
	}
	kick(fill, receiver->xsk);
}

int main(int argc, char **argv)
{
	struct xsk_socket_config config = {
		.rx_size = CHUNKS,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP,
	};
	struct receiver receivers[2] = { 0 };
	struct pollfd pollfds[2];
	struct xsk_ring_cons completion;
	struct xsk_ring_prod fill;
	struct daq_steer *steer;
	struct xsk_umem *umem;
	unsigned int queue, wanted;
	char *memory;
	int err, i;

	if (argc != 6) {
		fprintf(stderr, "Usage: xsk_shared IFNAME QUEUE CHANNEL CHANNEL SEGMENTS\n");
		return 2;
	}
	queue = atoi(argv[2]);
	wanted = atoi(argv[5]);
	steer = attach_steering(argv[1]);
	memory = create_umem(&umem, &fill, &completion);
	for (i = 0; i < 2; i++) {
		receivers[i].channel = atoi(argv[3 + i]);
		err = xsk_socket__create(&receivers[i].xsk, argv[1], queue, umem,
					 &receivers[i].rx, NULL, &config);
		if (err)
			die("xsk_socket__create", err);
		steer_channel(steer, receivers[i].channel, receivers[i].xsk);
		pollfds[i] = (struct pollfd){
			.fd = xsk_socket__fd(receivers[i].xsk), .events = POLLIN,
		};
		/* the second socket takes over the first one's */
		config.bind_flags = 0;
	}
	post(&fill, 0, CHUNKS);
	kick(&fill, receivers[0].xsk);

	while (receivers[0].segments < wanted || receivers[1].segments < wanted) {
		poll(pollfds, 2, -1);
		receive(&receivers[0], memory, &fill);
		receive(&receivers[1], memory, &fill);
	}
	for (i = 0; i < 2; i++) {
		printf("channel %u: %u segments, %u of other channels\n", receivers[i].channel,
		       receivers[i].segments, receivers[i].strays);
		err |= receivers[i].strays;
	}
	xsk_socket__delete(receivers[1].xsk);
	xsk_socket__delete(receivers[0].xsk);
	xsk_umem__delete(umem);
	daq_steer__destroy(steer);
	return err ? 1 : 0;
}
