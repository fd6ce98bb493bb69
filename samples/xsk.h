/* SPDX-License-Identifier: GPL-2.0 */
/* What both bare AF_XDP samples need: memory, the steering program, headers. */
#ifndef SAMPLES_XSK_H
#define SAMPLES_XSK_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/daq.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>
#include "daq_steer.skel.h"

#define CHUNK	4096
#define CHUNKS	2048

static inline void die(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static inline void *create_umem(struct xsk_umem **umem, struct xsk_ring_prod *fill,
				struct xsk_ring_cons *completion)
{
	struct xsk_umem_config config = {
		/* twice: the kernel frees entries in batches */
		.fill_size = 2 * CHUNKS, .comp_size = CHUNKS, .frame_size = CHUNK,
	};
	void *memory = mmap(NULL, CHUNKS * CHUNK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int err;

	if (memory == MAP_FAILED)
		die("mmap", errno);
	err = xsk_umem__create(umem, memory, CHUNKS * CHUNK, fill, completion, &config);
	if (err)
		die("xsk_umem__create", err);
	return memory;
}

/* Attached as long as the process lives. */
static inline struct daq_steer *attach_steering(const char *ifname)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	struct daq_steer *steer = daq_steer__open_and_load();
	int fd;

	if (!steer)
		die("loading the steering program", errno);
	fd = bpf_link_create(bpf_program__fd(steer->progs.daq_steer), if_nametoindex(ifname),
			     BPF_XDP, &opts);
	if (fd < 0)
		die("attaching the steering program", fd);
	return steer;
}

/* The map's key is the channel, so not xsk_socket__update_xskmap(). */
static inline void steer_channel(struct daq_steer *steer, unsigned int channel,
				 struct xsk_socket *xsk)
{
	int fd = xsk_socket__fd(xsk);

	if (bpf_map_update_elem(bpf_map__fd(steer->maps.daq_sockets), &channel, &fd, 0) < 0)
		die("steering the channel", errno);
}

static inline void post(struct xsk_ring_prod *fill, unsigned int from, unsigned int count)
{
	unsigned int i, index = 0;

	if (xsk_ring_prod__reserve(fill, count, &index) != count)
		die("posting chunks", ENOBUFS);
	for (i = 0; i < count; i++)
		*xsk_ring_prod__fill_addr(fill, index + i) = (__u64)(from + i) * CHUNK;
	xsk_ring_prod__submit(fill, count);
}

static inline void kick(struct xsk_ring_prod *fill, struct xsk_socket *xsk)
{
	if (xsk_ring_prod__needs_wakeup(fill))
		recvfrom(xsk_socket__fd(xsk), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

#endif /* SAMPLES_XSK_H */
