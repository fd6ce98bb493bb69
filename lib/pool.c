// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "pool.h"

static uint64_t div_round_up(uint64_t n, uint32_t d)
{
	return (n + d - 1) / d;
}

/* Payload chunks of a segment that arrives. */
static uint32_t segment_pages(uint32_t payload_len)
{
	if (DAQ_HDR_LEN + payload_len <= DAQ_CHUNK_USABLE)
		return 0;
	return div_round_up(payload_len, DAQ_CHUNK_SIZE);
}

struct layout {
	uint64_t heads;
	uint64_t pages;
};

static struct layout input_layout(const struct daq_format *format)
{
	uint64_t full = format->frame_bytes / format->segment_bytes;
	uint32_t rest = format->frame_bytes % format->segment_bytes;

	return (struct layout){
		.heads = full + (rest > 0),
		.pages = full * segment_pages(format->segment_bytes) + segment_pages(rest),
	};
}

static struct layout output_layout(const struct daq_format *format)
{
	return (struct layout){
		.heads = div_round_up(format->frame_bytes, format->segment_bytes),
		.pages = div_round_up(format->frame_bytes, DAQ_CHUNK_SIZE),
	};
}

static size_t slot_bytes(struct layout layout)
{
	return (layout.heads + layout.pages) * DAQ_CHUNK_SIZE;
}

size_t daq_pool__input_slot_bytes(const struct daq_format *format)
{
	return slot_bytes(input_layout(format));
}

size_t daq_pool__output_slot_bytes(const struct daq_format *format)
{
	return slot_bytes(output_layout(format));
}

static int pool_init(struct daq_pool *pool, struct layout layout, size_t buffer_bytes)
{
	uint64_t slots = buffer_bytes / slot_bytes(layout);
	uint32_t slot;

	memset(pool, 0, sizeof(*pool));
	/* rings have at most 2^31 entries, twice the number of descriptors */
	if (slots == 0 || slots * (2 * layout.heads + layout.pages) > 1u << 30)
		return -EMSGSIZE;
	pool->slots = slots;
	pool->slot_heads = layout.heads;
	pool->slot_pages = layout.pages;
	pool->frame_chunks = layout.heads + layout.pages;
	pool->chunks = pool->slots * pool->frame_chunks;

	pool->away = calloc(pool->chunks, sizeof(*pool->away));
	pool->slot_away = calloc(pool->slots, sizeof(*pool->slot_away));
	pool->free_slots = calloc(pool->slots, sizeof(*pool->free_slots));
	if (!pool->away || !pool->slot_away || !pool->free_slots) {
		daq_pool__free(pool);
		return -ENOMEM;
	}
	for (slot = 0; slot < pool->slots; slot++)
		daq_pool__put(pool, slot);
	return 0;
}

static void make_plan(struct daq_pool *pool, uint32_t slot)
{
	uint64_t *plan = pool->plan + (size_t)slot * pool->frame_chunks;
	uint32_t position, chunk, head = 0, page = 0;

	for (position = 0; position < pool->frame_chunks; position++) {
		chunk = position % pool->segment_chunks == 0 ?
			daq_pool__head(pool, slot, head++) : daq_pool__page(pool, slot, page++);
		plan[position] = (uint64_t)chunk * DAQ_CHUNK_SIZE;
	}
}

int daq_pool__init_input(struct daq_pool *pool, const struct daq_format *format,
			 size_t buffer_bytes)
{
	int err = pool_init(pool, input_layout(format), buffer_bytes);
	uint32_t slot;

	if (err)
		return err;
	pool->segment_chunks = 1 + segment_pages(format->segment_bytes);
	pool->plan = calloc(pool->chunks, sizeof(*pool->plan));
	if (!pool->plan) {
		daq_pool__free(pool);
		return -ENOMEM;
	}
	for (slot = 0; slot < pool->slots; slot++)
		make_plan(pool, slot);
	return 0;
}

int daq_pool__init_output(struct daq_pool *pool, const struct daq_format *format,
			  size_t buffer_bytes)
{
	return pool_init(pool, output_layout(format), buffer_bytes);
}

void daq_pool__free(struct daq_pool *pool)
{
	free(pool->plan);
	free(pool->away);
	free(pool->slot_away);
	free(pool->free_slots);
	memset(pool, 0, sizeof(*pool));
}

uint32_t daq_pool__slot_of(const struct daq_pool *pool, uint32_t chunk)
{
	uint32_t heads = pool->slots * pool->slot_heads;

	return chunk < heads ? chunk / pool->slot_heads : (chunk - heads) / pool->slot_pages;
}

bool daq_pool__take(struct daq_pool *pool, uint32_t *slot)
{
	if (!pool->free_count)
		return false;
	*slot = pool->free_slots[pool->free_head];
	pool->free_head = (pool->free_head + 1) % pool->slots;
	pool->free_count--;
	return true;
}

void daq_pool__put(struct daq_pool *pool, uint32_t slot)
{
	pool->free_slots[(pool->free_head + pool->free_count) % pool->slots] = slot;
	pool->free_count++;
}

void daq_pool__leave(struct daq_pool *pool, uint32_t chunk)
{
	pool->away[chunk] = true;
	pool->away_count++;
	pool->slot_away[daq_pool__slot_of(pool, chunk)]++;
}

void daq_pool__home(struct daq_pool *pool, uint32_t chunk)
{
	uint32_t slot = daq_pool__slot_of(pool, chunk);

	pool->away[chunk] = false;
	pool->away_count--;
	if (--pool->slot_away[slot] == 0)
		daq_pool__put(pool, slot);
}

/* Notes for all chunks of a slot that they are away, or at home. */
static void move_slot(struct daq_pool *pool, uint32_t slot, bool away)
{
	memset(pool->away + daq_pool__head(pool, slot, 0), away, pool->slot_heads);
	memset(pool->away + daq_pool__page(pool, slot, 0), away, pool->slot_pages);
	pool->slot_away[slot] = away ? pool->frame_chunks : 0;
}

void daq_pool__home_slot(struct daq_pool *pool, uint32_t slot)
{
	move_slot(pool, slot, false);
	pool->away_count -= pool->frame_chunks;
	daq_pool__put(pool, slot);
}

static void post_chunk(struct daq_pool *pool, struct xsk_ring_prod *fill, uint32_t chunk)
{
	uint32_t index = 0;

	/* cannot fail: the ring is large enough for every chunk there is */
	xsk_ring_prod__reserve(fill, 1, &index);
	*xsk_ring_prod__fill_addr(fill, index) = (uint64_t)chunk * DAQ_CHUNK_SIZE;
	daq_pool__leave(pool, chunk);
	pool->posted++;
}

/* Posts what is at home of a slot in the order of the plan, from where the card will be. */
static void post_slot(struct daq_pool *pool, struct xsk_ring_prod *fill, uint32_t slot,
		      uint32_t from)
{
	const uint64_t *plan = daq_pool__plan(pool, slot);
	uint32_t position, chunk;

	for (position = from; position < pool->frame_chunks; position++) {
		chunk = plan[position] / DAQ_CHUNK_SIZE;
		if (!pool->away[chunk])
			post_chunk(pool, fill, chunk);
	}
}

/* The same for a slot that is at home as a whole, and all of it. */
static void post_whole_slot(struct daq_pool *pool, struct xsk_ring_prod *fill, uint32_t slot)
{
	const uint64_t *plan = daq_pool__plan(pool, slot);
	uint32_t index = 0, first;

	xsk_ring_prod__reserve(fill, pool->frame_chunks, &index);
	/* up to the end of the ring, and the rest from its beginning */
	first = fill->size - (index & fill->mask);
	if (first > pool->frame_chunks)
		first = pool->frame_chunks;
	memcpy(xsk_ring_prod__fill_addr(fill, index), plan, first * sizeof(*plan));
	memcpy(xsk_ring_prod__fill_addr(fill, index + first), plan + first,
	       (pool->frame_chunks - first) * sizeof(*plan));
	move_slot(pool, slot, true);
	pool->away_count += pool->frame_chunks;
	pool->posted += pool->frame_chunks;
}

/* Where in the plan the card will be when it has used up what was posted. */
static uint32_t plan_position(const struct daq_pool *pool, uint32_t segment)
{
	if (!pool->planned)
		return 0;
	return ((uint64_t)segment * pool->segment_chunks + pool->posted) % pool->frame_chunks;
}

/* The slot with most chunks away, but not all. */
static uint32_t most_broken_slot(const struct daq_pool *pool)
{
	uint32_t slot, found = 0, most = 0;

	for (slot = 0; slot < pool->slots; slot++) {
		uint32_t away = pool->slot_away[slot];

		if (away > most && away < pool->frame_chunks) {
			most = away;
			found = slot;
		}
	}
	return found;
}

/*
 * After several losses in a row every slot may lack a chunk while the card lacks
 * chunks for one segment: only parts of slots get things going again. As few slots
 * as will do for a frame, so that the others can become complete.
 */
static void post_parts(struct daq_pool *pool, struct xsk_ring_prod *fill)
{
	while (pool->posted < pool->frame_chunks && pool->away_count < pool->chunks)
		post_slot(pool, fill, most_broken_slot(pool), 0);
}

uint32_t daq_pool__post(struct daq_pool *pool, struct xsk_ring_prod *fill, uint32_t segment)
{
	uint32_t before = pool->posted;
	uint32_t slot, from;

	while (daq_pool__take(pool, &slot)) {
		from = plan_position(pool, segment);
		if (from)
			post_slot(pool, fill, slot, from);
		else
			post_whole_slot(pool, fill, slot);
	}
	if (pool->posted < DAQ_MAX_PACKET_CHUNKS)
		post_parts(pool, fill);
	if (pool->posted != before)
		xsk_ring_prod__submit(fill, pool->posted - before);
	return pool->posted - before;
}
