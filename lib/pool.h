/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * The chunks of a channel's buffer memory and the order in which the card gets
 * them.
 *
 * The memory is an area of head chunks, then slots of contiguous payload
 * chunks. A slot and its share of heads hold one frame. The card consumes
 * chunks in the order posted, so posting "head, payload, payload, head, ..." in
 * address order makes a frame's payload one contiguous region.
 *
 * That is a plan, not a promise: after a loss or a short frame the card is
 * somewhere else in the plan. Nothing here depends on the role a chunk was
 * posted in, and daq_pool__post() returns to the plan with the chunks it posts next.
 */
#ifndef DAQRING_POOL_H
#define DAQRING_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xdp/xsk.h>
#include "daqring.h"

#define DAQ_CHUNK_SIZE		4096u
/* What the kernel leaves of a chunk in a multi-buffer pool: a shorter packet is not split. */
#define DAQ_CHUNK_USABLE	3456u
#define DAQ_MAX_PACKET_CHUNKS	18u

/* Chunks that adjoin. */
struct daq_span {
	uint32_t chunk;			/* the first one */
	uint32_t count;
};

struct daq_pool {
	uint32_t slots;
	uint32_t slot_heads;		/* head chunks per slot = segments per frame */
	uint32_t slot_pages;		/* payload chunks per slot */
	uint32_t segment_chunks;	/* that a full segment consumes, head included */
	uint32_t frame_chunks;		/* slot_heads + slot_pages */
	uint32_t chunks;
	bool planned;			/* the card splits headers off: the plan makes sense */

	uint64_t *plan;			/* input: per slot, its chunks' addresses as they are posted */
	bool *away;			/* per chunk: with the card or in a frame */
	uint32_t away_count;
	uint32_t *slot_away;		/* per slot: its chunks that are away */
	uint32_t *free_slots;		/* ring of slots that are complete, oldest first */
	uint32_t free_head;
	uint32_t free_count;
	uint32_t posted;		/* chunks the card has or will deliver */
};

/* Lays out as many slots as @buffer_bytes has room for. */
int daq_pool__init_input(struct daq_pool *pool, const struct daq_format *format,
			 size_t buffer_bytes);
int daq_pool__init_output(struct daq_pool *pool, const struct daq_format *format,
			  size_t buffer_bytes);
void daq_pool__free(struct daq_pool *pool);

/* Bytes of the memory that one frame needs, 0: the format is impossible. */
size_t daq_pool__input_slot_bytes(const struct daq_format *format);
size_t daq_pool__output_slot_bytes(const struct daq_format *format);

/**
 * daq_pool__post() - give the card every chunk that may go
 * @segment: the next segment of a frame that will arrive
 *
 * Return: number of chunks posted.
 */
uint32_t daq_pool__post(struct daq_pool *pool, struct xsk_ring_prod *fill, uint32_t segment);

/* The card delivered so many chunks. */
static inline void daq_pool__arrived(struct daq_pool *pool, uint32_t count)
{
	pool->posted -= count;
}

/* @chunk is at home again; so is its slot when nothing else of it is away. */
void daq_pool__home(struct daq_pool *pool, uint32_t chunk);

/* The same for all of a slot, which all are away. */
void daq_pool__home_slot(struct daq_pool *pool, uint32_t slot);

/* The slot that a chunk belongs to. */
uint32_t daq_pool__slot_of(const struct daq_pool *pool, uint32_t chunk);

/* Takes a whole slot, for output; false: none is complete. */
bool daq_pool__take(struct daq_pool *pool, uint32_t *slot);
/* Notes that @chunk is away, once for every daq_pool__home() to come. */
void daq_pool__leave(struct daq_pool *pool, uint32_t chunk);
/* Gives a slot back of which no chunk is away. */
void daq_pool__put(struct daq_pool *pool, uint32_t slot);

/* In what order the chunks of a slot are posted: their addresses. */
static inline const uint64_t *daq_pool__plan(const struct daq_pool *pool, uint32_t slot)
{
	return pool->plan + (size_t)slot * pool->frame_chunks;
}

/* Whether such chunks are what a plan has from a position on. */
static inline bool daq_pool__is_planned(const struct daq_pool *pool, const uint64_t *plan,
					uint32_t position, struct daq_span span)
{
	uint64_t last = span.count - 1;

	/* in between there is no head, or the last one would be nearer */
	return position + last < pool->frame_chunks &&
	       plan[position] == (uint64_t)span.chunk * DAQ_CHUNK_SIZE &&
	       (!last || plan[position + last] == (span.chunk + last) * DAQ_CHUNK_SIZE);
}

static inline uint32_t daq_pool__head(const struct daq_pool *pool, uint32_t slot, uint32_t n)
{
	return slot * pool->slot_heads + n;
}

static inline uint32_t daq_pool__page(const struct daq_pool *pool, uint32_t slot, uint32_t n)
{
	return pool->slots * pool->slot_heads + slot * pool->slot_pages + n;
}

static inline size_t daq_pool__bytes(const struct daq_pool *pool)
{
	return (size_t)pool->chunks * DAQ_CHUNK_SIZE;
}

#endif /* DAQRING_POOL_H */
