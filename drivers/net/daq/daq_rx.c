// SPDX-License-Identifier: GPL-2.0
/*
 * Receive path of a queue: the card's completions become xdp_buffs, the XDP
 * program decides, sockets and the stack get them.
 *
 * The card reports completions by whole frames (see DAQ_QUEUE_RX_FRAMES), and
 * one poll handles all that is reported and flushes once: a sleeping consumer
 * wakes once per frame, not once per segment.
 */
#include <linux/bpf_trace.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <net/page_pool/helpers.h>
#include <net/xdp_sock_drv.h>

#include "daq.h"
#include "daq_compat.h"

/**
 * struct daq_rx_run - what is the same for all that a poll receives
 * @prog: XDP program, may be NULL
 * @sync: the card does not write to the memory of sockets directly
 * @tapped: somebody looks at packets
 * @flush: XDP_REDIRECT happened: to be flushed at the end
 */
struct daq_rx_run {
	struct bpf_prog *prog;
	bool sync;
	bool tapped;
	bool flush;
};

/* A completion, checked and in host order. */
struct daq_rx_segment {
	u64 timestamp;
	u32 channel;
	u32 len;
	u32 frame;
	u32 bufs;
	u32 behind;	/* buffers in front of its own that the card is done with */
	u32 hdr_len;	/* bytes of its DAQ header; 0: another packet */
	u32 head_len;	/* bytes in the first buffer */
	bool split;
	bool adjoins;	/* each chunk but the first begins where the one before ends */
	bool eof;
	struct daq_channel_counters *counters;
};

/*
 * What an XDP program is shown: @seg is there while it runs. In a chunk of a pool,
 * where this is in the room for drivers, @with_card tells whether the card has it.
 */
struct daq_xdp_buff {
	struct xdp_buff xdp;
	const struct daq_rx_segment *seg;
	bool with_card;
};

static union daq_rx_buf *daq_rx_buf(struct daq_rx_ring *rx, u32 i)
{
	return &rx->bufs[(rx->taken + i) & rx->mask];
}

static u32 daq_rx_waiting(const struct daq_rx_ring *rx)
{
	return rx->posted - rx->taken;
}

static bool daq_delivered(enum daq_rx_count what)
{
	return what < DAQ_RX_DROP_XDP;
}

/* What a program drops has come in: to the kernel it is part of the stack. */
static bool daq_received(enum daq_rx_count what)
{
	return daq_delivered(what) || what == DAQ_RX_DROP_XDP;
}

static void daq_rx_count(struct daq_channel_counters *counters,
			 enum daq_rx_count what, const struct daq_rx_segment *seg)
{
	daq_counters_begin(&counters->host_seq);
	daq_count_add(&counters->host[what], 1, seg->eof, seg->len);
	counters->frame = seg->frame;
	counters->time = seg->timestamp;
	daq_counters_end(&counters->host_seq);
}

/* What it says of itself, as of frames and bytes, is not believed. */
static void daq_rx_count_bad(struct daq_channel_counters *counters)
{
	daq_counters_begin(&counters->host_seq);
	counters->host[DAQ_RX_DROP_BAD_DESC].segments++;
	daq_counters_end(&counters->host_seq);
}

static void daq_count_poll(struct daq_queue_counters *counters, u32 packets,
			   u32 bytes, bool flushed)
{
	daq_counters_begin(&counters->seq);
	counters->packets += packets;
	counters->bytes += bytes;
	counters->wakeups += flushed;
	daq_counters_end(&counters->seq);
}

/* Posting buffers */

static struct daq_xdp_buff *daq_buff(struct xdp_buff *xdp)
{
	/* There is room for it behind the xdp_buff, which begins with zeroes. */
	XSK_CHECK_PRIV_TYPE(struct daq_xdp_buff);
	return container_of(xdp, struct daq_xdp_buff, xdp);
}

/* A chunk that the kernel has and not the card: free, or part of the packet at hand. */
static bool daq_is_listed(struct xdp_buff *xdp)
{
	return !list_empty(&container_of(xdp, struct xdp_buff_xsk, xdp)->list_node);
}

/**
 * daq_chunk_dma() - address of a chunk for the card
 * @q: queue with a socket
 * @xdp: chunk
 *
 * Return: where payload starts: at the headroom, which the pool does not sync.
 */
dma_addr_t daq_chunk_dma(struct daq_queue *q, struct xdp_buff *xdp)
{
	return xsk_buff_xdp_get_frame_dma(xdp) + q->pool->headroom;
}

/**
 * daq_hold_chunk() - remember that the card has a chunk
 * @q: queue with a socket
 * @xdp: chunk
 */
void daq_hold_chunk(struct daq_queue *q, struct xdp_buff *xdp)
{
	daq_buff(xdp)->with_card = true;
}

/**
 * daq_free_chunk() - give back a chunk that the card has had
 * @q: queue with a socket
 * @xdp: chunk
 */
void daq_free_chunk(struct daq_queue *q, struct xdp_buff *xdp)
{
	daq_buff(xdp)->with_card = false;
	xsk_buff_free(xdp);
}

static void daq_count_duplicate(struct daq_queue *q)
{
	daq_counters_begin(&q->counters->seq);
	q->counters->duplicates++;
	daq_counters_end(&q->counters->seq);
}

/*
 * User space posted a chunk that the card already has, or the kernel for it. Twice in
 * one packet it would close the kernel's fragment list into a loop.
 */
static bool daq_is_duplicate(struct xdp_buff *xdp)
{
	return daq_buff(xdp)->with_card || daq_is_listed(xdp);
}

/* Room for a header, which the pool does not sync, is the card's to write to. */
static void daq_sync_posted(struct daq_queue *q, u32 posted)
{
	struct daq_rx_ring *rx = &q->rx;
	u32 i;

	for (i = rx->posted; i != posted; i++)
		dma_sync_single_for_device(q->card->dev,
					   daq_chunk_dma(q, rx->bufs[i & rx->mask].xdp),
					   XDP_PACKET_HEADROOM, DMA_BIDIRECTIONAL);
}

static void daq_post_chunks(struct daq_queue *q, struct xdp_buff **chunks, u32 n)
{
	const u32 headroom = q->pool->headroom;
	struct daq_rx_ring *rx = &q->rx;
	struct daq_rx_desc *descs = rx->desc;
	union daq_rx_buf *bufs = rx->bufs;
	u32 posted = rx->posted, mask = rx->mask;
	u32 i;

	for (i = 0; i < n; i++) {
		struct xdp_buff *xdp = chunks[i];
		u32 slot = posted & mask;

		if (unlikely(daq_is_duplicate(xdp))) {
			daq_count_duplicate(q);
			continue;
		}
		daq_hold_chunk(q, xdp);
		bufs[slot].xdp = xdp;
		/* daq_chunk_dma(), without reading the pool again for each. */
		descs[slot].addr = cpu_to_le64(xsk_buff_xdp_get_frame_dma(xdp) + headroom);
		posted++;
	}
	if (unlikely(dma_dev_need_sync(q->card->dev)))
		daq_sync_posted(q, posted);
	rx->posted = posted;
}

static void daq_refill_chunks(struct daq_queue *q, u32 room)
{
	struct xdp_buff *batch[64];

	while (room) {
		u32 want = min_t(u32, room, ARRAY_SIZE(batch));
		u32 n = xsk_buff_alloc_batch(q->pool, batch, want);

		daq_post_chunks(q, batch, n);
		if (n < want)
			return;
		room -= n;
	}
}

static u32 daq_rx_room(const struct daq_rx_ring *rx)
{
	return rx->mask + 1 - daq_rx_waiting(rx);
}

static bool daq_rx_is_low(const struct daq_rx_ring *rx)
{
	return daq_rx_waiting(rx) < daq_rx_low(rx);
}

/*
 * Whoever wants frames in one piece has posted chunks in the order of addresses. Those of
 * a frame that a program drops go round together: none come between if it can be helped.
 */
static u32 daq_chunks_wanted(const struct daq_queue *q)
{
	u32 room = daq_rx_room(&q->rx);

	if (q->rx.amid_unwanted && !daq_rx_is_low(&q->rx))
		return min(room, q->pool->free_list_cnt);
	return room;
}

/* A wake-up is not asked for but when it takes one: each is a system call. */
static void daq_refill_from_socket(struct daq_queue *q)
{
	struct daq_rx_ring *rx = &q->rx;

	daq_refill_chunks(q, daq_chunks_wanted(q));
	if (!xsk_uses_need_wakeup(q->pool))
		return;
	if (daq_rx_is_low(rx)) {
		xsk_set_rx_need_wakeup(q->pool);
		/* Chunks that are not seen now came after that, and bring a wake-up. */
		smp_mb();
		daq_refill_chunks(q, daq_rx_room(rx));
	}
	if (!daq_rx_is_low(rx))
		xsk_clear_rx_need_wakeup(q->pool);
}

static void daq_refill_pages(struct daq_queue *q, u32 room)
{
	struct daq_rx_ring *rx = &q->rx;

	for (; room; room--) {
		u32 slot = rx->posted & rx->mask;
		/* What the card does not overwrite must not be secret. */
		struct page *page = page_pool_alloc_pages(q->page_pool,
							  GFP_ATOMIC |
							  __GFP_NOWARN |
							  __GFP_ZERO);

		if (!page)
			return;
		rx->bufs[slot].page = page;
		rx->desc[slot].addr = cpu_to_le64(page_pool_get_dma_addr(page));
		rx->posted++;
	}
}

/**
 * daq_rx_refill() - give the card the buffers that there are
 * @q: queue
 *
 * A socket that returned too few chunks for the card to go on is told to
 * wake the driver when it has more.
 *
 * Context: NAPI.
 * Return: false when NAPI has to try again by itself.
 */
bool daq_rx_refill(struct daq_queue *q)
{
	struct daq_rx_ring *rx = &q->rx;
	u32 waiting = daq_rx_waiting(rx);
	u32 posted = rx->posted;

	if (q->pool)
		daq_refill_from_socket(q);
	else if (waiting < DAQ_RX_PAGES)
		daq_refill_pages(q, min(DAQ_RX_PAGES, rx->mask + 1) - waiting);

	if (rx->posted != posted)
		daq_queue_doorbell(q, DAQ_QUEUE_RX_PROD, rx->posted);
	return !daq_rx_is_low(rx) || (q->pool && xsk_uses_need_wakeup(q->pool));
}

static void daq_free_buf(struct daq_queue *q, union daq_rx_buf *buf)
{
	if (q->pool)
		daq_free_chunk(q, buf->xdp);
	else
		page_pool_put_full_page(q->page_pool, buf->page, false);
}

static void daq_free_bufs(struct daq_queue *q, u32 n)
{
	while (n) {
		/* The pool hands out last what comes back first. */
		daq_free_buf(q, daq_rx_buf(&q->rx, --n));
	}
}

/* Completions */

/*
 * Since the card uses buffers in order, those in front of a completion's are
 * done with. There are none unless the completions before made no sense: what
 * these say of buffers is not believed, for the card may have them still.
 */
static bool daq_has_bufs(const struct daq_rx_ring *rx,
			 const struct daq_rx_segment *seg)
{
	return (!seg->behind || seg->behind <= min(rx->distrusted, rx->mask + 1) *
					       DAQ_SEG_BUFS) &&
	       seg->bufs - 1 < DAQ_SEG_BUFS &&
	       seg->behind + seg->bufs <= daq_rx_waiting(rx);
}

/*
 * Return: whether the queue has that channel. A completion that names another one counts
 * for the channel of the queue's number.
 */
static bool daq_find_channel(const struct daq_queue *q, u32 channel,
			     struct daq_rx_segment *seg)
{
	struct daq_card *card = q->card;
	bool valid = channel < card->channels &&
		     READ_ONCE(card->chans[channel].queue) == q->index;

	seg->channel = valid ? channel : q->index;
	seg->counters = card->chans[seg->channel].counters;
	return valid;
}

/* Return: false when the card wrote nonsense. */
static __always_inline bool daq_read_cmpl(struct daq_queue *q, struct daq_rx_segment *seg)
{
	struct daq_rx_ring *rx = &q->rx;
	const struct daq_rx_cmpl *cmpl = &rx->cmpl[rx->seen & rx->mask];
	u32 flags = le16_to_cpu(READ_ONCE(cmpl->flags));
	u32 first = le16_to_cpu(READ_ONCE(cmpl->first));
	u32 tail, rest, room;

	seg->timestamp = le64_to_cpu(READ_ONCE(cmpl->timestamp));
	seg->frame = le32_to_cpu(READ_ONCE(cmpl->frame));
	seg->len = le32_to_cpu(READ_ONCE(cmpl->len));
	seg->bufs = le16_to_cpu(READ_ONCE(cmpl->bufs));
	seg->behind = (first - rx->taken) & rx->mask;
	seg->split = flags & DAQ_RX_F_SPLIT;
	seg->hdr_len = flags & DAQ_RX_F_SEGMENT ? DAQ_HDR_LEN : 0;
	seg->eof = flags & DAQ_RX_F_EOF;
	seg->adjoins = false;

	if (!daq_find_channel(q, le16_to_cpu(READ_ONCE(cmpl->channel)), seg))
		return false;
	if (first > rx->mask || !daq_has_bufs(rx, seg))
		return false;
	if (seg->len < max_t(u32, ETH_HLEN, seg->hdr_len))
		return false;

	/* As many buffers as it takes, whatever the length: no sum overflows. */
	if (seg->split) {
		seg->head_len = DAQ_HDR_LEN;
		tail = rx->buf_len;
		if (seg->len < DAQ_HDR_LEN)
			return false;
	} else {
		seg->head_len = min(seg->len, rx->head_len);
		tail = rx->head_len;
	}
	rest = seg->len - seg->head_len;
	room = (seg->bufs - 1) * tail;
	return rest <= room && room - rest < tail;
}

/* Go past a completion that cannot be trusted; the next one tells of its buffers. */
static enum daq_rx_count daq_skip_segment(struct daq_queue *q,
					  const struct daq_rx_segment *seg)
{
	q->rx.distrusted++;
	net_warn_ratelimited("%s: queue %u: bad completion, %u bytes in %u buffers\n",
			     q->card->netdev->name, q->index, seg->len,
			     seg->bufs);
	daq_report_error(q->card, DAQ_ERROR_BAD_DESC);
	return DAQ_RX_DROP_BAD_DESC;
}

/* Have the buffers back that distrusted completions were about. */
static void daq_rx_catch_up(struct daq_queue *q, const struct daq_rx_segment *seg)
{
	daq_free_bufs(q, seg->behind);
	q->rx.taken += seg->behind;
	q->rx.distrusted = 0;
}

/* Make @page fragment @i of a packet, whose fragments so far are @sum bytes. */
static void daq_set_frag(struct xdp_buff *head, u32 i, struct page *page,
			 u32 offset, u32 len, u32 sum)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_buff(head);

	xdp_buff_set_frags_flag(head);
	skb_frag_fill_page_desc(&sinfo->frags[i], page, offset, len);
	sinfo->nr_frags = i + 1;
	sinfo->xdp_frags_size = sum;
	if (page_is_pfmemalloc(page))
		xdp_buff_set_frag_pfmemalloc(head);
}

/*
 * The addresses of pages in that list are the kernel's own: in a chunk they are gone
 * once the program has seen them. The rest stays, for the kernel reads the number.
 */
static void daq_hide_frags(struct xdp_buff *head, u32 count)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_buff(head);
	u32 i;

	for (i = 0; i < count; i++)
		sinfo->frags[i].netmem = 0;
}

static u32 daq_frag_len(const struct daq_rx_ring *rx,
			const struct daq_rx_segment *seg, u32 left)
{
	return min(left, seg->split ? rx->buf_len : rx->head_len);
}

/* Chunks: zero copy */

static void daq_sync_chunk(struct daq_queue *q, struct xdp_buff *xdp, bool split,
			   u32 len)
{
	xsk_buff_dma_sync_for_cpu(xdp);
	if (split)
		dma_sync_single_for_cpu(q->card->dev, daq_chunk_dma(q, xdp),
					min(len, XDP_PACKET_HEADROOM),
					DMA_BIDIRECTIONAL);
}

/* For cards that do not write directly to the chunks of a packet. */
static void daq_sync_chunks(struct daq_queue *q, const struct daq_rx_segment *seg,
			    u32 len)
{
	u32 i;

	daq_sync_chunk(q, daq_rx_buf(&q->rx, 0)->xdp, false, seg->head_len);
	for (i = 1; i < seg->bufs; i++)
		daq_sync_chunk(q, daq_rx_buf(&q->rx, i)->xdp, seg->split, len);
}

static void daq_take_chunk(struct xdp_buff *xdp, u32 offset, u32 len)
{
	void *data = xdp->data_hard_start + offset;

	daq_buff(xdp)->with_card = false;
	xdp->data = data;
	xdp->data_end = data + len;
	xdp->flags = 0;
}

/*
 * The list of fragments is where a program can write to at any time: XDP helpers go by
 * it, but nothing of it is read here, as xsk_buff_add_frag() of 7.x would do. The
 * kernel's own list of them is another one, on which nothing is but the packet at hand.
 */
static void daq_take_frags(struct daq_queue *q, struct daq_rx_segment *seg,
			   struct xdp_buff *head, u32 offset, u32 len)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_buff(head);
	const struct daq_rx_ring *rx = &q->rx;
	struct list_head *list = &q->pool->xskb_list;
	struct page **pages = q->pool->umem->pgs;
	union daq_rx_buf *bufs = rx->bufs;
	void *addrs = q->pool->addrs;
	u32 i, at = rx->taken, mask = rx->mask;
	u32 count = seg->bufs - 1, rest = seg->len - seg->head_len;
	struct xdp_buff *xdp = NULL;
	void *end = NULL;
	u32 adjoin = 0;

	xdp_buff_set_frags_flag(head);
	sinfo->nr_frags = count;
	sinfo->xdp_frags_size = rest;
	for (i = 0; i < count; i++) {
		xdp = bufs[++at & mask].xdp;
		daq_take_chunk(xdp, offset, len);
		adjoin += xdp->data == end;
		end = xdp->data_end;
		skb_frag_fill_page_desc(&sinfo->frags[i],
					pages[(xdp->data - addrs) >> PAGE_SHIFT],
					offset_in_page(xdp->data), len);
		list_add_tail(&container_of(xdp, struct xdp_buff_xsk, xdp)->list_node,
			      list);
	}

	/* All are full, but the last one perhaps. */
	seg->adjoins = adjoin == count - 1 && count > 1 && seg->hdr_len &&
		       !q->pool->unaligned;
	rest -= (count - 1) * len;
	xdp->data_end = xdp->data + rest;
	skb_frag_size_set(&sinfo->frags[count - 1], rest);
}

static struct xdp_buff *daq_take_chunks(struct daq_queue *q,
					const struct daq_rx_run *run,
					struct daq_rx_segment *seg)
{
	const u32 offset = seg->split ? 0 : XDP_PACKET_HEADROOM;
	const u32 len = seg->split ? q->rx.buf_len : q->rx.head_len;
	struct xdp_buff *head = daq_rx_buf(&q->rx, 0)->xdp;

	if (unlikely(run->sync))
		daq_sync_chunks(q, seg, len);
	daq_take_chunk(head, XDP_PACKET_HEADROOM, seg->head_len);
	head->data_meta = head->data;
	if (seg->bufs > 1)
		daq_take_frags(q, seg, head, offset, len);
	return head;
}

/*
 * The receiver takes chunks that adjoin as one, see DAQ_HDR_F_JOINED: it gets the first
 * one, which is as long as all of them. They are the receiver's then, and with aligned
 * chunks there is nothing that the kernel would have to note of each of them. Who has
 * cut off or lengthened the packet gets it as it is.
 */
static bool daq_join_chunks(struct daq_queue *q)
{
	struct list_head *list = &q->pool->xskb_list;
	struct xdp_buff *tail = daq_rx_buf(&q->rx, -1)->xdp;
	struct list_head *node, *next;
	struct xdp_buff_xsk *first;
	LIST_HEAD(joined);

	if (list->prev != &container_of(tail, struct xdp_buff_xsk, xdp)->list_node)
		return false;
	first = list_first_entry(list, struct xdp_buff_xsk, list_node);
	first->xdp.data_end = tail->data_end;
	list_cut_position(&joined, list, &first->list_node);
	list_for_each_safe(node, next, list)
		INIT_LIST_HEAD(node);
	INIT_LIST_HEAD(list);
	list_splice(&joined, list);
	return true;
}

/* The stack wants pages of its own: here, and only here, data is copied. */
static struct sk_buff *daq_copy_chunks(struct daq_queue *q,
				       struct xdp_buff *xdp)
{
	u32 metalen = xdp->data - xdp->data_meta;
	u32 len = xdp->data_end - xdp->data_meta;
	struct xdp_buff_xsk *chunk;
	struct sk_buff *skb;
	u32 i = 0;

	skb = napi_alloc_skb(&q->napi, len);
	if (!skb)
		return NULL;

	memcpy(__skb_put(skb, len), xdp->data_meta, len);
	if (metalen) {
		skb_metadata_set(skb, metalen);
		__skb_pull(skb, metalen);
	}
	if (!xdp_buff_has_frags(xdp))
		return skb;

	/* The kernel's own list of them, not the one that a program can write to. */
	list_for_each_entry(chunk, &q->pool->xskb_list, list_node) {
		struct page *page = dev_alloc_page();

		if (!page) {
			kfree_skb(skb);
			return NULL;
		}
		len = chunk->xdp.data_end - chunk->xdp.data;
		memcpy(page_address(page), chunk->xdp.data, len);
		skb_add_rx_frag(skb, i++, page, 0, len, PAGE_SIZE);
	}
	return skb;
}

/* Pages */

static void daq_take_pages(struct daq_queue *q,
			   const struct daq_rx_segment *seg,
			   struct xdp_buff *xdp)
{
	struct daq_rx_ring *rx = &q->rx;
	struct page *page = daq_rx_buf(rx, 0)->page;
	u32 rest = seg->len - seg->head_len;
	u32 left = rest;
	u32 i;

	dma_sync_single_range_for_cpu(q->card->dev,
				      page_pool_get_dma_addr(page), rx->head,
				      seg->head_len, DMA_BIDIRECTIONAL);
	xdp_init_buff(xdp, PAGE_SIZE, &q->rxq);
	xdp_prepare_buff(xdp, page_address(page), rx->head, seg->head_len, true);
	for (i = 1; i < seg->bufs; i++) {
		u32 len = daq_frag_len(rx, seg, left);
		u32 offset = seg->split ? 0 : rx->head;

		page = daq_rx_buf(rx, i)->page;
		dma_sync_single_range_for_cpu(q->card->dev,
					      page_pool_get_dma_addr(page),
					      offset, len, DMA_BIDIRECTIONAL);
		left -= len;
		daq_set_frag(xdp, i - 1, page, offset, len, rest - left);
	}
}

static struct sk_buff *daq_wrap_pages(struct xdp_buff *xdp)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_buff(xdp);
	u32 metalen = xdp->data - xdp->data_meta;
	u32 nr_frags = 0;
	struct sk_buff *skb;

	if (xdp_buff_has_frags(xdp))
		nr_frags = sinfo->nr_frags;
	skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);
	if (!skb)
		return NULL;

	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (metalen)
		skb_metadata_set(skb, metalen);
	if (nr_frags)
		daq_skb_add_frags(skb, xdp, nr_frags, sinfo->xdp_frags_size);
	skb_mark_for_recycle(skb);
	return skb;
}

/* XDP metadata */

static const struct daq_rx_segment *daq_xdp_segment(const struct xdp_md *ctx)
{
	return container_of((const void *)ctx, struct daq_xdp_buff, xdp)->seg;
}

static int daq_xdp_rx_timestamp(const struct xdp_md *ctx, u64 *timestamp)
{
	*timestamp = daq_xdp_segment(ctx)->timestamp;
	return 0;
}

/* What tells packets apart is their channel; nothing in them is hashed. */
static int daq_xdp_rx_hash(const struct xdp_md *ctx, u32 *hash,
			   enum xdp_rss_hash_type *rss_type)
{
	*hash = daq_xdp_segment(ctx)->channel;
	*rss_type = XDP_RSS_TYPE_NONE;
	return 0;
}

const struct xdp_metadata_ops daq_xdp_metadata_ops = {
	.xmo_rx_timestamp	= daq_xdp_rx_timestamp,
	.xmo_rx_hash		= daq_xdp_rx_hash,
};

/* Verdicts */

/* The last one first, as in daq_free_bufs(). */
static void daq_free_unwanted(struct daq_queue *q)
{
	struct xdp_buff_xsk *chunk, *next;

	list_for_each_entry_safe_reverse(chunk, next, &q->rx.unwanted, list_node) {
		list_del_init(&chunk->list_node);
		xsk_buff_free(&chunk->xdp);
	}
}

/*
 * All chunks of a poll go back together, for daq_chunks_wanted(). Those that the kernel
 * has freed already are on its list.
 */
static void daq_drop_chunks(struct daq_queue *q, struct xdp_buff *head,
			    const struct daq_rx_segment *seg)
{
	struct daq_rx_ring *rx = &q->rx;
	struct xdp_buff_xsk *chunk, *next;
	u32 i;

	list_for_each_entry_safe(chunk, next, &q->pool->xskb_list, list_node)
		list_del_init(&chunk->list_node);
	xdp_buff_clear_frags_flag(head);

	for (i = 0; i < seg->bufs; i++) {
		struct xdp_buff *xdp = daq_rx_buf(rx, i - seg->bufs)->xdp;

		chunk = container_of(xdp, struct xdp_buff_xsk, xdp);
		if (list_empty(&chunk->list_node))
			list_add_tail(&chunk->list_node, &rx->unwanted);
	}
}

static void daq_drop(struct daq_queue *q, struct xdp_buff *xdp,
		     const struct daq_rx_segment *seg)
{
	if (q->pool)
		daq_drop_chunks(q, xdp, seg);
	else
		xdp_return_buff(xdp);
}

static enum daq_rx_count daq_pass(struct daq_queue *q, struct xdp_buff *xdp,
				  const struct daq_rx_segment *seg)
{
	struct sk_buff *skb;

	skb = q->pool ? daq_copy_chunks(q, xdp) : daq_wrap_pages(xdp);
	if (!skb || q->pool)
		daq_drop(q, xdp, seg);
	if (!skb)
		return DAQ_RX_DROP_NO_MEMORY;

	skb->protocol = eth_type_trans(skb, q->card->netdev);
	skb_record_rx_queue(skb, q->index);
	if (READ_ONCE(q->card->hwtstamp.rx_filter) != HWTSTAMP_FILTER_NONE)
		skb_hwtstamps(skb)->hwtstamp = ns_to_ktime(seg->timestamp);
	napi_gro_receive(&q->napi, skb);
	return DAQ_RX_STACK;
}

static enum daq_rx_count daq_redirect(struct daq_queue *q,
				      struct daq_rx_run *run,
				      struct xdp_buff *xdp,
				      const struct daq_rx_segment *seg,
				      bool may_join)
{
	bool joined = may_join && daq_join_chunks(q);
	int err = xdp_do_redirect(q->card->netdev, xdp, run->prog);

	if (!err) {
		run->flush = true;
		/* Copied to somewhere else, and what the kernel knew of freed. */
		if (unlikely(joined && daq_is_listed(xdp)))
			daq_drop(q, xdp, seg);
		return DAQ_RX_SOCKET;
	}
	/* A full RX ring freed the chunks already; freeing twice is harmless. */
	daq_drop(q, xdp, seg);
	return err == -ENOBUFS ? DAQ_RX_DROP_RING_FULL : DAQ_RX_DROP_REDIRECT;
}

/* What a program asks of the driver by the header is for nobody else to see. */
static bool daq_is_asked_to_join(struct daq_hdr *hdr)
{
	u8 flags = READ_ONCE(hdr->flags);

	if (!(flags & DAQ_HDR_F_JOINED))
		return false;
	WRITE_ONCE(hdr->flags, flags & ~DAQ_HDR_F_JOINED);
	return true;
}

static __always_inline enum daq_rx_count
daq_run_xdp(struct daq_queue *q, struct daq_rx_run *run, struct xdp_buff *xdp,
	    const struct daq_rx_segment *seg)
{
	struct bpf_prog *prog = run->prog;
	struct daq_hdr *hdr = xdp->data;
	/* A card has nothing to ask. */
	bool may_ask = seg->hdr_len && !(READ_ONCE(hdr->flags) & DAQ_HDR_F_JOINED);
	bool may_join = false;
	u32 verdict = XDP_PASS;

	if (prog) {
		verdict = bpf_prog_run_xdp(prog, xdp);
		if (may_ask && daq_is_asked_to_join(hdr))
			may_join = seg->adjoins;
	}
	if (q->pool)
		daq_hide_frags(xdp, seg->bufs - 1);
	if (unlikely(run->tapped) && verdict != XDP_PASS)
		daq_show_to_tap(q, xdp, seg->hdr_len, seg->timestamp);

	switch (verdict) {
	case XDP_REDIRECT:
		return daq_redirect(q, run, xdp, seg, may_join);
	case XDP_PASS:
		return daq_pass(q, xdp, seg);
	case XDP_TX:
		if (daq_tx_xdp(q, xdp))
			return DAQ_RX_XDP_TX;
		break;
	case XDP_DROP:
		daq_drop(q, xdp, seg);
		return DAQ_RX_DROP_XDP;
	default:
		bpf_warn_invalid_xdp_action(q->card->netdev, prog, verdict);
		break;
	case XDP_ABORTED:
		break;
	}
	trace_xdp_exception(q->card->netdev, prog, verdict);
	daq_drop(q, xdp, seg);
	return DAQ_RX_DROP_ABORTED;
}

/* Whether whoever gets the packet can take more than one buffer. */
static bool daq_takes_frags(struct daq_queue *q, const struct bpf_prog *prog)
{
	if (prog && !prog->aux->xdp_has_frags)
		return false;
	return !q->pool || (q->pool->umem->flags & XDP_UMEM_SG_FLAG);
}

static noinline_for_stack enum daq_rx_count
daq_rx_pages(struct daq_queue *q, struct daq_rx_run *run,
	     const struct daq_rx_segment *seg)
{
	struct daq_xdp_buff buff;

	daq_take_pages(q, seg, &buff.xdp);
	buff.seg = seg;
	q->rx.taken += seg->bufs;
	return daq_run_xdp(q, run, &buff.xdp, seg);
}

static enum daq_rx_count daq_rx_segment(struct daq_queue *q,
					struct daq_rx_run *run,
					struct daq_rx_segment *seg)
{
	struct daq_xdp_buff *buff;

	if (unlikely(q->rx.distrusted))
		daq_rx_catch_up(q, seg);
	if (seg->bufs > 1 && !daq_takes_frags(q, run->prog)) {
		daq_free_bufs(q, seg->bufs);
		q->rx.taken += seg->bufs;
		return DAQ_RX_DROP_NO_FRAGS;
	}

	if (!q->pool)
		return daq_rx_pages(q, run, seg);
	buff = daq_buff(daq_take_chunks(q, run, seg));
	buff->seg = seg;
	q->rx.taken += seg->bufs;
	return daq_run_xdp(q, run, &buff->xdp, seg);
}

/*
 * The card reports more completions than there can be. Which ones are gone cannot
 * be told, and to wait for them would mean to be interrupted for ever.
 */
static void daq_skip_report(struct daq_queue *q, u32 reported)
{
	struct daq_rx_ring *rx = &q->rx;

	net_warn_ratelimited("%s: queue %u: bad report, completion %u after %u\n",
			     q->card->netdev->name, q->index, reported,
			     rx->seen);
	rx->seen = reported;
	rx->distrusted = rx->mask + 1;
	daq_report_error(q->card, DAQ_ERROR_BAD_REPORT);
}

/* That they were produced is to be seen before what became of them. */
static void daq_take_produced(struct daq_queue *q, u32 channel, u64 *done)
{
	if (*done & BIT_ULL(channel))
		return;
	*done |= BIT_ULL(channel);
	daq_counters_take(q->card, channel);
}

/**
 * daq_rx_poll() - receive what the card has reported
 * @q: queue
 * @budget: most frames and foreign packets to receive
 *
 * A frame is one unit of work however many segments it has.
 *
 * Context: NAPI, @budget > 0.
 * Return: units of work done; @budget only when something is left to do.
 */
int daq_rx_poll(struct daq_queue *q, int budget)
{
	u32 reported = le32_to_cpu(READ_ONCE(q->status->rx));
	struct daq_rx_run run = {
		.prog = rcu_dereference_bh(q->card->xdp_prog),
		.sync = dma_dev_need_sync(q->card->dev),
		.tapped = daq_is_tapped(q->card->netdev),
	};
	struct daq_rx_ring *rx = &q->rx;
	u32 packets = 0, bytes = 0;
	struct daq_rx_segment seg;
	u64 channels = 0;
	int work = 0;

	dma_rmb(); /* completions after the report of them */
	if (unlikely(reported - rx->seen > rx->mask + 1)) {
		daq_skip_report(q, reported);
		return 0;
	}

	while (rx->seen != reported && work < budget) {
		enum daq_rx_count what;

		if (daq_read_cmpl(q, &seg)) {
			daq_take_produced(q, seg.channel, &channels);
			what = daq_rx_segment(q, &run, &seg);
			daq_rx_count(seg.counters, what, &seg);
		} else {
			what = daq_skip_segment(q, &seg);
			daq_rx_count_bad(seg.counters);
		}
		if (daq_received(what)) {
			packets++;
			bytes += seg.len;
		}
		rx->seen++;
		rx->amid_unwanted = what == DAQ_RX_DROP_XDP && !seg.eof;
		work += seg.eof;
	}

	if (run.flush)
		xdp_do_flush();
	daq_free_unwanted(q);
	daq_count_poll(q->counters, packets, bytes, run.flush);
	/*
	 * All done with the last of the budget: NAPI can complete at once.
	 * Before 7.x the end of busy polling may lose its timer to a poll
	 * that returns @budget, and nothing would ever poll again.
	 */
	return rx->seen == reported ? min(work, budget - 1) : work;
}

/**
 * daq_rx_drain() - empty the receive ring of a queue that the card left
 * @q: queue
 *
 * Context: process, NAPI disabled.
 */
void daq_rx_drain(struct daq_queue *q)
{
	u32 reported = le32_to_cpu(READ_ONCE(q->status->rx));
	struct daq_rx_ring *rx = &q->rx;
	u32 taken = rx->taken;
	u64 channels = 0;

	dma_rmb(); /* completions after the report of them */
	if (reported - rx->seen > rx->mask + 1)
		reported = rx->seen;

	local_bh_disable();
	for (; rx->seen != reported; rx->seen++) {
		struct daq_rx_segment seg;

		if (daq_read_cmpl(q, &seg)) {
			daq_take_produced(q, seg.channel, &channels);
			daq_rx_count(seg.counters, DAQ_RX_DROP_STOPPED, &seg);
			rx->taken += seg.behind + seg.bufs;
		} else {
			daq_rx_count_bad(seg.counters);
			rx->distrusted++;
		}
	}
	rx->taken = taken;
	daq_free_bufs(q, daq_rx_waiting(rx));
	rx->taken = rx->posted;
	local_bh_enable();
}
