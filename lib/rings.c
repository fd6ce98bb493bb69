// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * The rings of an AF_XDP socket that another process has set up: its descriptor is enough
 * to map them, and libxdp's own way is for sockets that it has made itself.
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "internal.h"

/* Where one of the rings is. */
struct place {
	const struct xdp_ring_offset *offset;
	off_t file_offset;
	uint32_t entries;
	size_t entry_bytes;
};

/* Returns where the ring begins in memory, or NULL. */
static char *map_ring(struct daq_chan *chan, unsigned int index, const struct place *place)
{
	struct daq_ring_memory *memory = &chan->rings[index];

	memory->bytes = place->offset->desc + place->entries * place->entry_bytes;
	memory->base = daq_map_file(chan->socket, memory->bytes, place->file_offset);
	return memory->base;
}

static int map_producer(struct daq_chan *chan, struct xsk_ring_prod *ring,
			const struct place *place)
{
	char *memory = map_ring(chan, 0, place);

	if (!memory)
		return -errno;
	ring->size = place->entries;
	ring->mask = ring->size - 1;
	ring->producer = (void *)(memory + place->offset->producer);
	ring->consumer = (void *)(memory + place->offset->consumer);
	ring->flags = (void *)(memory + place->offset->flags);
	ring->ring = memory + place->offset->desc;
	ring->cached_prod = *ring->producer;
	/* how libxdp keeps it: what may be written, not what has been read */
	ring->cached_cons = *ring->consumer + ring->size;
	return 0;
}

static int map_consumer(struct daq_chan *chan, struct xsk_ring_cons *ring,
			const struct place *place)
{
	char *memory = map_ring(chan, 1, place);

	if (!memory)
		return -errno;
	ring->size = place->entries;
	ring->mask = ring->size - 1;
	ring->producer = (void *)(memory + place->offset->producer);
	ring->consumer = (void *)(memory + place->offset->consumer);
	ring->flags = (void *)(memory + place->offset->flags);
	ring->ring = memory + place->offset->desc;
	ring->cached_prod = *ring->producer;
	ring->cached_cons = *ring->consumer;
	return 0;
}

int daq_rings__map(struct daq_chan *chan, uint32_t to_kernel, uint32_t from_kernel)
{
	bool input = chan->direction == DAQ_INPUT;
	struct xdp_mmap_offsets offsets;
	struct place to = {
		.offset = input ? &offsets.fr : &offsets.tx,
		.file_offset = input ? (off_t)XDP_UMEM_PGOFF_FILL_RING : XDP_PGOFF_TX_RING,
		.entries = to_kernel,
		.entry_bytes = input ? sizeof(uint64_t) : sizeof(struct xdp_desc),
	};
	struct place from = {
		.offset = input ? &offsets.rx : &offsets.cr,
		.file_offset = input ? XDP_PGOFF_RX_RING : (off_t)XDP_UMEM_PGOFF_COMPLETION_RING,
		.entries = from_kernel,
		.entry_bytes = input ? sizeof(struct xdp_desc) : sizeof(uint64_t),
	};
	socklen_t len = sizeof(offsets);
	int err = 0;

	if (getsockopt(chan->socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len) < 0)
		err = -errno;
	if (!err)
		err = map_producer(chan, input ? &chan->fill : &chan->tx, &to);
	if (!err)
		err = map_consumer(chan, input ? &chan->rx : &chan->completion, &from);
	if (err)
		return daq_error(err, "cannot map the rings of channel %u", chan->number);
	return 0;
}

void daq_rings__close(struct daq_chan *chan)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (chan->rings[i].base)
			munmap(chan->rings[i].base, chan->rings[i].bytes);
}
