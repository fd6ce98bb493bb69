// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers whose read() returns a frame: filled by the card in the caller's pages, or
 * copied from a ring of kernel memory.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "bench.h"

/* Into the caller's pages: as many reads at once as there are requests. */

static u32 bench_request_pages(const struct bench_card *card)
{
	return card->setup.frame / PAGE_SIZE;
}

/**
 * bench_requests_create() - get all memory that reads will need
 * @card: card
 *
 * Return: 0 or a negative errno; what there is then is for bench_requests_destroy().
 */
int bench_requests_create(struct bench_card *card)
{
	u32 i, n = bench_request_pages(card);

	for (i = 0; i < BENCH_REQUESTS; i++) {
		struct bench_request *request = &card->requests[i];

		init_completion(&request->full);
		request->pages = kvcalloc(n, sizeof(*request->pages), GFP_KERNEL);
		if (!request->pages ||
		    sg_alloc_table(&request->table, n, GFP_KERNEL))
			return -ENOMEM;
	}
	return 0;
}

/**
 * bench_requests_destroy() - undo that
 * @card: card
 */
void bench_requests_destroy(struct bench_card *card)
{
	u32 i;

	for (i = 0; i < BENCH_REQUESTS; i++) {
		sg_free_table(&card->requests[i].table);
		kvfree(card->requests[i].pages);
	}
}

static int bench_pin(struct bench_card *card, struct bench_request *request,
		     unsigned long to)
{
	u32 n = bench_request_pages(card);
	struct scatterlist *sg;
	int pinned, err;
	u32 i;

	pinned = pin_user_pages_fast(to, n, FOLL_WRITE, request->pages);
	if (pinned != n) {
		if (pinned > 0)
			unpin_user_pages(request->pages, pinned);
		return pinned < 0 ? pinned : -EFAULT;
	}
	request->table.nents = request->table.orig_nents;
	for_each_sgtable_sg(&request->table, sg, i)
		sg_set_page(sg, request->pages[i], PAGE_SIZE, 0);
	err = dma_map_sgtable(&card->pdev->dev, &request->table, DMA_FROM_DEVICE,
			      0);
	if (err)
		unpin_user_pages(request->pages, n);
	return err;
}

static void bench_unpin(struct bench_card *card, struct bench_request *request)
{
	dma_unmap_sgtable(&card->pdev->dev, &request->table, DMA_FROM_DEVICE, 0);
	unpin_user_pages_dirty_lock(request->pages, bench_request_pages(card),
				    true);
}

static void bench_post_request(struct bench_card *card,
			       struct bench_request *request)
{
	u32 left = 0, i, offset;
	struct scatterlist *sg;

	for_each_sgtable_dma_sg(&request->table, sg, i) {
		for (offset = 0; offset < sg_dma_len(sg); offset += card->chunk) {
			if (!left) {
				bench_post_segment(card);
				left = card->setup.segment;
			}
			bench_post(card, sg_dma_address(sg) + offset);
			left -= card->chunk;
		}
	}
	bench_doorbell(card);
}

/* Hand the caller's pages to the card. Return: the number of the frame, or an errno. */
static s64 bench_submit(struct bench_card *card, unsigned long to,
			struct bench_request **request)
{
	s64 number = -EBUSY;
	int err;

	mutex_lock(&card->post);
	*request = &card->requests[card->posted_frames % BENCH_REQUESTS];
	if (READ_ONCE((*request)->busy))
		goto out;
	err = bench_pin(card, *request, to);
	if (err) {
		number = err;
		goto out;
	}
	(*request)->busy = true;
	number = card->posted_frames++;
	bench_post_request(card, *request);
	bench_card_begin(card);
out:
	mutex_unlock(&card->post);
	return number;
}

/**
 * bench_read_pinned() - a frame, without a copy
 * @card: card
 * @to: where it goes to, at the beginning of a page
 *
 * A caller that is interrupted has to wait all the same: the card has its pages.
 *
 * Context: process.
 * Return: its bytes or a negative errno.
 */
ssize_t bench_read_pinned(struct bench_card *card, char __user *to)
{
	unsigned long address = (unsigned long)to;
	struct bench_request *request;
	s64 number;

	if (offset_in_page(address))
		return -EINVAL;
	number = bench_submit(card, address, &request);
	if (number < 0)
		return number;
	wait_for_completion(&request->full);
	bench_unpin(card, request);
	WRITE_ONCE(request->busy, false);
	return card->setup.frame;
}

/* Out of a ring of kernel memory, mapped once */

static u32 bench_ring_pages(const struct bench_card *card)
{
	return card->setup.frames * (card->setup.frame / PAGE_SIZE);
}

/**
 * bench_ring_frame() - where a frame is
 * @card: card
 * @number: its number
 *
 * Return: its address.
 */
void *bench_ring_frame(struct bench_card *card, u64 number)
{
	return card->ring +
	       (size_t)(number % card->setup.frames) * card->setup.frame;
}

/**
 * bench_post_frame() - give the card the memory of a frame
 * @card: card
 * @number: the frame's number
 */
void bench_post_frame(struct bench_card *card, u64 number)
{
	u32 slot = number % card->setup.frames;
	u32 offset, left = 0;

	for (offset = 0; offset < card->setup.frame; offset += card->chunk) {
		u64 at = (u64)slot * card->setup.frame + offset;

		if (!left) {
			bench_post_segment(card);
			left = card->setup.segment;
		}
		bench_post(card, card->ring_dma[at / PAGE_SIZE] + at % PAGE_SIZE);
		left -= card->chunk;
	}
	bench_doorbell(card);
}

/**
 * bench_ring_create() - kernel memory for frames, with the card
 * @card: card
 *
 * Return: 0 or a negative errno; what there is then is for bench_ring_destroy().
 */
int bench_ring_create(struct bench_card *card)
{
	u32 i, n = bench_ring_pages(card);

	card->ring_dma = kvcalloc(n, sizeof(*card->ring_dma), GFP_KERNEL);
	card->ring = vzalloc((size_t)n * PAGE_SIZE);
	if (!card->ring_dma || !card->ring)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct page *page = vmalloc_to_page(card->ring +
						    (size_t)i * PAGE_SIZE);

		card->ring_dma[i] = dma_map_page(&card->pdev->dev, page, 0,
						 PAGE_SIZE, DMA_FROM_DEVICE);
		if (dma_mapping_error(&card->pdev->dev, card->ring_dma[i])) {
			card->ring_dma[i] = 0;
			return -ENOMEM;
		}
	}
	for (i = 0; i < card->setup.frames; i++)
		bench_post_frame(card, i);
	return 0;
}

/**
 * bench_ring_destroy() - undo that
 * @card: card that has stopped
 */
void bench_ring_destroy(struct bench_card *card)
{
	u32 i;

	for (i = 0; card->ring_dma && i < bench_ring_pages(card); i++)
		if (card->ring_dma[i])
			dma_unmap_page(&card->pdev->dev, card->ring_dma[i],
				       PAGE_SIZE, DMA_FROM_DEVICE);
	vfree(card->ring);
	kvfree(card->ring_dma);
}

static bool bench_has_frame(const struct bench_card *card)
{
	/* Pairs with bench_look(). */
	return smp_load_acquire(&card->done) > card->taken;
}

/**
 * bench_read_copied() - a frame, copied
 * @card: card
 * @to: where it goes to
 *
 * Context: process.
 * Return: its bytes or a negative errno.
 */
ssize_t bench_read_copied(struct bench_card *card, char __user *to)
{
	ssize_t ret = card->setup.frame;

	mutex_lock(&card->post);
	bench_card_begin(card);
	if (wait_event_interruptible(card->wait, bench_has_frame(card)))
		ret = -ERESTARTSYS;
	else if (copy_to_user(to, bench_ring_frame(card, card->taken),
			      card->setup.frame))
		ret = -EFAULT;
	else
		bench_post_frame(card, card->taken++);
	mutex_unlock(&card->post);
	return ret;
}
