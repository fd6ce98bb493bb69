// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit path of a queue: skbs, frames of XDP_TX, and the TX ring of a
 * zero-copy socket become descriptors; the card plays them.
 */
#include <linux/dma-mapping.h>
#include <net/page_pool/helpers.h>
#include <net/xdp_sock_drv.h>

#include "daq.h"
#include "daq_compat.h"

/* Descriptors of the largest skb. */
#define DAQ_TX_SKB_DESCS	(1 + MAX_SKB_FRAGS)
/* Descriptors taken from a socket at a time. */
#define DAQ_TX_BATCH		64

static u32 daq_tx_free(const struct daq_tx_ring *tx)
{
	return tx->mask + 1 - (tx->posted - READ_ONCE(tx->done));
}

static struct netdev_queue *daq_txq(struct daq_queue *q)
{
	return netdev_get_tx_queue(q->card->netdev, q->index);
}

static void daq_tx_count(struct daq_queue *q, u32 packets, u32 bytes)
{
	u64_stats_update_begin(&q->stats.tx_syncp);
	u64_stats_add(&q->stats.tx_packets, packets);
	u64_stats_add(&q->stats.tx_bytes, bytes);
	u64_stats_update_end(&q->stats.tx_syncp);
}

static void daq_tx_count_drop(struct daq_queue *q)
{
	u64_stats_update_begin(&q->stats.tx_syncp);
	u64_stats_inc(&q->stats.tx_dropped);
	u64_stats_update_end(&q->stats.tx_syncp);
}

/* Write descriptor @i behind those that the card knows of. */
static struct daq_tx_buf *daq_tx_put(struct daq_tx_ring *tx, u32 i,
				     dma_addr_t dma, u32 len, bool eop)
{
	u32 slot = (tx->posted + i) & tx->mask;
	struct daq_tx_desc *desc = &tx->desc[slot];
	struct daq_tx_buf *buf = &tx->bufs[slot];

	desc->addr = cpu_to_le64(dma);
	desc->len = cpu_to_le32(len);
	desc->flags = cpu_to_le32(eop ? DAQ_TX_F_EOP : 0);
	buf->type = DAQ_TX_NONE;
	buf->map_len = 0;
	buf->dma = dma;
	return buf;
}

static void daq_tx_post(struct daq_queue *q, u32 n)
{
	q->tx.posted += n;
	daq_queue_doorbell(q, DAQ_QUEUE_TX_PROD, q->tx.posted);
}

static void daq_tx_unmap(struct daq_queue *q, struct daq_tx_buf *buf)
{
	struct device *dev = q->card->dev;

	if (!buf->map_len)
		return;
	if (buf->map_page)
		dma_unmap_page(dev, buf->dma, buf->map_len, DMA_TO_DEVICE);
	else
		dma_unmap_single(dev, buf->dma, buf->map_len, DMA_TO_DEVICE);
}

static void daq_tx_unmap_last(struct daq_queue *q, u32 n)
{
	while (n--)
		daq_tx_unmap(q, &q->tx.bufs[(q->tx.posted + n) & q->tx.mask]);
}

/* skbs */

/* Return: number of descriptors written, 0 when DMA mapping failed. */
static u32 daq_map_skb(struct daq_queue *q, struct sk_buff *skb)
{
	u32 nr_frags = skb_shinfo(skb)->nr_frags;
	struct device *dev = q->card->dev;
	u32 len = skb_headlen(skb);
	struct daq_tx_buf *buf;
	dma_addr_t dma;
	u32 i;

	dma = dma_map_single(dev, skb->data, len, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, dma))
		return 0;
	buf = daq_tx_put(&q->tx, 0, dma, len, !nr_frags);
	buf->map_len = len;
	buf->map_page = false;

	for (i = 0; i < nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		len = skb_frag_size(frag);
		dma = skb_frag_dma_map(dev, frag, 0, len, DMA_TO_DEVICE);
		if (dma_mapping_error(dev, dma)) {
			daq_tx_unmap_last(q, i + 1);
			return 0;
		}
		buf = daq_tx_put(&q->tx, i + 1, dma, len, i + 1 == nr_frags);
		buf->map_len = len;
		buf->map_page = true;
	}
	buf->type = DAQ_TX_SKB;
	buf->skb = skb;
	return 1 + nr_frags;
}

/**
 * daq_start_xmit() - ndo_start_xmit
 * @skb: packet
 * @netdev: interface
 *
 * Return: NETDEV_TX_OK; the ring has been stopped in time.
 */
netdev_tx_t daq_start_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct daq_card *card = netdev_priv(netdev);
	struct daq_queue *q = &card->queues[skb_get_queue_mapping(skb)];
	struct netdev_queue *txq = daq_txq(q);
	u32 len = skb->len;
	u32 n;

	if (unlikely(daq_tx_free(&q->tx) < DAQ_TX_SKB_DESCS)) {
		netif_tx_stop_queue(txq);
		return NETDEV_TX_BUSY;
	}

	n = daq_map_skb(q, skb);
	if (unlikely(!n)) {
		dev_kfree_skb_any(skb);
		daq_tx_count_drop(q);
		return NETDEV_TX_OK;
	}
	skb_tx_timestamp(skb);
	daq_tx_count(q, 1, len);
	daq_tx_post(q, n);

	if (daq_tx_free(&q->tx) < DAQ_TX_SKB_DESCS) {
		netif_tx_stop_queue(txq);
		/* Room may have come before the stop was visible. */
		smp_mb();
		if (daq_tx_free(&q->tx) >= DAQ_TX_SKB_DESCS)
			netif_tx_start_queue(txq);
	}
	return NETDEV_TX_OK;
}

/* Frames of XDP_TX */

static bool daq_map_xdp(struct daq_queue *q, u32 i, struct page *page,
			void *data, u32 len, enum xdp_mem_type type, bool eop)
{
	struct device *dev = q->card->dev;
	u32 offset = offset_in_page(data);
	struct daq_tx_buf *buf;
	dma_addr_t dma;

	if (type == MEM_TYPE_PAGE_POOL) {
		dma = page_pool_get_dma_addr(page) + offset;
		dma_sync_single_for_device(dev, dma, len, DMA_BIDIRECTIONAL);
		daq_tx_put(&q->tx, i, dma, len, eop);
		return true;
	}
	dma = dma_map_page(dev, page, offset, len, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, dma))
		return false;
	buf = daq_tx_put(&q->tx, i, dma, len, eop);
	buf->map_len = len;
	buf->map_page = true;
	return true;
}

static u32 daq_map_xdp_frame(struct daq_queue *q, struct xdp_frame *xdpf)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_frame(xdpf);
	u32 nr_frags = xdp_frame_has_frags(xdpf) ? sinfo->nr_frags : 0;
	enum xdp_mem_type type = daq_mem_type(xdpf);
	struct daq_tx_buf *buf;
	u32 i;

	if (!daq_map_xdp(q, 0, virt_to_page(xdpf->data), xdpf->data, xdpf->len,
			 type, !nr_frags))
		return 0;
	for (i = 0; i < nr_frags; i++) {
		skb_frag_t *frag = &sinfo->frags[i];

		if (!daq_map_xdp(q, i + 1, skb_frag_page(frag),
				 skb_frag_address(frag), skb_frag_size(frag),
				 type, i + 1 == nr_frags)) {
			daq_tx_unmap_last(q, i + 1);
			return 0;
		}
	}
	buf = &q->tx.bufs[(q->tx.posted + nr_frags) & q->tx.mask];
	buf->type = DAQ_TX_XDP;
	buf->xdpf = xdpf;
	return 1 + nr_frags;
}

/**
 * daq_tx_xdp() - send a received packet back
 * @q: queue that received it
 * @xdp: packet; the caller's still when this fails
 *
 * Context: NAPI.
 * Return: whether the packet is on its way.
 */
bool daq_tx_xdp(struct daq_queue *q, struct xdp_buff *xdp)
{
	struct netdev_queue *txq = daq_txq(q);
	struct xdp_frame *xdpf;
	bool sent = false;
	u32 n, len;

	/* A frame from a pool's chunks is a copy; its fragments stay behind. */
	if (q->pool && xdp_buff_has_frags(xdp))
		return false;

	__netif_tx_lock(txq, smp_processor_id());
	if (daq_tx_free(&q->tx) < DAQ_TX_SKB_DESCS)
		goto out_unlock;
	xdpf = xdp_convert_buff_to_frame(xdp);
	if (!xdpf)
		goto out_unlock;
	sent = true;
	len = xdp_get_frame_len(xdpf);
	n = daq_map_xdp_frame(q, xdpf);
	if (n) {
		daq_tx_count(q, 1, len);
		daq_tx_post(q, n);
	} else {
		xdp_return_frame_rx_napi(xdpf);
		daq_tx_count_drop(q);
	}

out_unlock:
	__netif_tx_unlock(txq);
	return sent;
}

/* Sockets */

/* Return: whether the socket may have more. */
static bool daq_tx_take_from_socket(struct daq_queue *q)
{
	struct xsk_buff_pool *pool = q->pool;
	u32 room = daq_tx_free(&q->tx);
	u32 n, i, packets = 0, bytes = 0;

	n = xsk_tx_peek_release_desc_batch(pool, min_t(u32, room, DAQ_TX_BATCH));
	for (i = 0; i < n; i++) {
		struct xdp_desc *desc = &pool->tx_descs[i];
		dma_addr_t dma = xsk_buff_raw_get_dma(pool, desc->addr);
		bool eop = xsk_is_eop_desc(desc);
		struct daq_tx_buf *buf;

		xsk_buff_raw_dma_sync_for_device(pool, dma, desc->len);
		buf = daq_tx_put(&q->tx, i, dma, desc->len, eop);
		buf->type = DAQ_TX_XSK;
		packets += eop;
		bytes += desc->len;
	}
	if (n) {
		daq_tx_count(q, packets, bytes);
		daq_tx_post(q, n);
	}
	return n == DAQ_TX_BATCH;
}

/* Return: whether the socket may have more that there is room for. */
static bool daq_tx_socket(struct daq_queue *q)
{
	struct netdev_queue *txq = daq_txq(q);
	bool more;

	if (!netif_carrier_ok(q->card->netdev))
		return false;

	__netif_tx_lock(txq, smp_processor_id());
	/* Before looking: what comes later brings a wake-up. */
	if (xsk_uses_need_wakeup(q->pool))
		xsk_set_tx_need_wakeup(q->pool);
	more = daq_tx_take_from_socket(q);
	/* What is on its way will bring the driver back here. */
	if (xsk_uses_need_wakeup(q->pool) && q->tx.posted != q->tx.done)
		xsk_clear_tx_need_wakeup(q->pool);
	__netif_tx_unlock(txq);
	return more;
}

/* Give descriptor's buffer back. Return: whether it is a socket's. */
static bool daq_tx_release(struct daq_queue *q, struct daq_tx_buf *buf,
			   int budget)
{
	daq_tx_unmap(q, buf);
	switch (buf->type) {
	case DAQ_TX_SKB:
		napi_consume_skb(buf->skb, budget);
		break;
	case DAQ_TX_XDP:
		xdp_return_frame(buf->xdpf);
		break;
	case DAQ_TX_XSK:
		return true;
	case DAQ_TX_NONE:
		break;
	}
	return false;
}

static void daq_tx_reap(struct daq_queue *q, u32 reported, int budget)
{
	struct daq_tx_ring *tx = &q->tx;
	u32 done = tx->done;
	u32 chunks = 0;

	if (reported - done > READ_ONCE(tx->posted) - done)
		return;
	for (; done != reported; done++)
		chunks += daq_tx_release(q, &tx->bufs[done & tx->mask], budget);
	WRITE_ONCE(tx->done, done);
	if (chunks)
		xsk_tx_completed(q->pool, chunks);
}

/**
 * daq_tx_poll() - reap what was sent and take more from the socket
 * @q: queue
 * @budget: NAPI budget; 0: reap only
 *
 * Context: NAPI.
 * Return: false when there is more to do at once.
 */
bool daq_tx_poll(struct daq_queue *q, int budget)
{
	struct netdev_queue *txq = daq_txq(q);

	daq_tx_reap(q, le32_to_cpu(READ_ONCE(q->status->tx)), budget);

	/* Pairs with the barrier in daq_start_xmit(). */
	smp_mb();
	if (netif_tx_queue_stopped(txq) &&
	    daq_tx_free(&q->tx) >= 2 * DAQ_TX_SKB_DESCS)
		netif_tx_wake_queue(txq);

	if (!q->pool || !budget)
		return true;
	return !daq_tx_socket(q);
}

/**
 * daq_tx_drain() - empty the transmit ring of a queue that the card left
 * @q: queue
 *
 * Context: process, NAPI disabled, TX queue stopped.
 */
void daq_tx_drain(struct daq_queue *q)
{
	local_bh_disable();
	daq_tx_reap(q, q->tx.posted, 0);
	local_bh_enable();
}
