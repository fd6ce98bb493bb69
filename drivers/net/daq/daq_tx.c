// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit path of a queue: packets become descriptors, the card plays them
 * and reports how far it is.
 */
#include <linux/dma-mapping.h>
#include <net/xdp_sock_drv.h>

#include "daq_tx.h"

/**
 * daq_tx_count() - count packets given to the card
 * @q: queue
 * @packets: packets
 * @bytes: their bytes
 *
 * Context: TX lock held, bottom halves off.
 */
void daq_tx_count(struct daq_queue *q, u32 packets, u32 bytes)
{
	struct daq_queue_counters *counters = q->counters;

	daq_counters_begin(&counters->tx_seq);
	counters->tx_packets += packets;
	counters->tx_bytes += bytes;
	daq_counters_end(&counters->tx_seq);
}

/**
 * daq_tx_count_drop() - count a packet that could not be given to the card
 * @q: queue
 *
 * Context: TX lock held, bottom halves off.
 */
void daq_tx_count_drop(struct daq_queue *q)
{
	daq_counters_begin(&q->counters->tx_seq);
	q->counters->tx_dropped++;
	daq_counters_end(&q->counters->tx_seq);
}

/**
 * daq_tx_put() - write a descriptor behind those that the card knows of
 * @tx: ring
 * @i: how far behind
 * @dma: address
 * @len: bytes
 * @eop: last one of its packet
 *
 * Context: TX lock held.
 * Return: what to note the owner in.
 */
struct daq_tx_buf *daq_tx_put(struct daq_tx_ring *tx, u32 i, dma_addr_t dma,
			      u32 len, bool eop)
{
	struct daq_tx_desc *desc = daq_tx_desc(tx, i);
	struct daq_tx_buf *buf = daq_tx_buf(tx, i);

	desc->addr = cpu_to_le64(dma);
	desc->len = cpu_to_le32(len);
	desc->flags = cpu_to_le32(eop ? DAQ_TX_F_EOP : 0);
	desc->stamp = 0;
	buf->type = DAQ_TX_NONE;
	buf->stamp = 0;
	buf->map_len = 0;
	buf->dma = dma;
	return buf;
}

/**
 * daq_tx_kick() - let the card have what was put and counted as posted
 * @q: queue
 *
 * Context: TX lock held.
 */
void daq_tx_kick(struct daq_queue *q)
{
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

/**
 * daq_tx_unmap_put() - undo the mappings of what was put and not posted
 * @q: queue
 * @n: number of descriptors
 */
void daq_tx_unmap_put(struct daq_queue *q, u32 n)
{
	while (n--)
		daq_tx_unmap(q, daq_tx_buf(&q->tx, n));
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
			daq_tx_unmap_put(q, i + 1);
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

/* The descriptor of a packet's end tells where the stamp is: in its first one. */
static void daq_request_stamp(struct daq_queue *q, struct sk_buff *skb, u32 n)
{
	if (likely(!(skb_shinfo(skb)->tx_flags & SKBTX_HW_TSTAMP)) ||
	    READ_ONCE(q->card->hwtstamp.tx_type) != HWTSTAMP_TX_ON)
		return;
	skb_shinfo(skb)->tx_flags |= SKBTX_IN_PROGRESS;
	daq_tx_desc(&q->tx, 0)->flags |= cpu_to_le32(DAQ_TX_F_STAMP);
	daq_tx_buf(&q->tx, n - 1)->stamp = n;
}

static void daq_tell_stamp(struct daq_queue *q, u32 i, struct daq_tx_buf *buf)
{
	struct daq_tx_desc *first = &q->tx.desc[(i + 1 - buf->stamp) & q->tx.mask];
	struct skb_shared_hwtstamps stamps = {
		.hwtstamp = ns_to_ktime(le64_to_cpu(first->stamp)),
	};

	/* What was not played has none. */
	if (first->stamp)
		skb_tstamp_tx(buf->skb, &stamps);
}

/*
 * There was no mapping for a packet. What is on its way gives its mappings
 * back: try again then.
 */
static netdev_tx_t daq_xmit_later(struct daq_queue *q, struct sk_buff *skb)
{
	struct netdev_queue *txq = daq_txq(q);

	daq_tx_kick(q);
	netif_tx_stop_queue(txq);
	/* Pairs with the barrier in daq_tx_poll(). */
	smp_mb();
	if (READ_ONCE(q->tx.done) != q->tx.posted)
		return NETDEV_TX_BUSY;

	netif_tx_start_queue(txq);
	dev_kfree_skb_any(skb);
	daq_tx_count_drop(q);
	return NETDEV_TX_OK;
}

/**
 * daq_start_xmit() - ndo_start_xmit
 * @skb: packet
 * @netdev: interface
 *
 * Return: NETDEV_TX_OK; the ring has been stopped in time. NETDEV_TX_BUSY when
 * there are no DMA mappings at the moment.
 */
netdev_tx_t daq_start_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct daq_card *card = netdev_priv(netdev);
	struct daq_queue *q = &card->queues[skb_get_queue_mapping(skb)];
	struct netdev_queue *txq = daq_txq(q);
	bool more = netdev_xmit_more();
	u32 len = skb->len;
	u32 n;

	if (unlikely(daq_tx_free(&q->tx) < DAQ_TX_MAX_DESCS)) {
		netif_tx_stop_queue(txq);
		return NETDEV_TX_BUSY;
	}

	n = daq_map_skb(q, skb);
	if (unlikely(!n))
		return daq_xmit_later(q, skb);
	daq_request_stamp(q, skb, n);
	skb_tx_timestamp(skb);
	daq_tx_count(q, 1, len);
	q->tx.posted += n;
	more = !__netdev_tx_sent_queue(txq, len, more);

	if (daq_tx_free(&q->tx) < DAQ_TX_MAX_DESCS) {
		netif_tx_stop_queue(txq);
		/* Room may have come before the stop was visible. */
		smp_mb();
		if (daq_tx_free(&q->tx) >= DAQ_TX_MAX_DESCS)
			netif_tx_start_queue(txq);
	}
	if (!more || netif_xmit_stopped(txq))
		daq_tx_kick(q);
	return NETDEV_TX_OK;
}

/* What has been played */

/* Return: bytes of the skb that ends with descriptor @i, if one does. */
static u32 daq_tx_release(struct daq_queue *q, u32 i, int budget, u32 *chunks)
{
	struct daq_tx_buf *buf = &q->tx.bufs[i & q->tx.mask];
	u32 len = 0;

	daq_tx_unmap(q, buf);
	switch (buf->type) {
	case DAQ_TX_NONE:
		break;
	case DAQ_TX_SKB:
		len = buf->skb->len;
		if (buf->stamp)
			daq_tell_stamp(q, i, buf);
		napi_consume_skb(buf->skb, budget);
		break;
	case DAQ_TX_XDP:
		xdp_return_frame(buf->xdpf);
		break;
	case DAQ_TX_CHUNK:
		daq_free_chunk(q, buf->xdp);
		break;
	case DAQ_TX_XSK:
		daq_tx_xsk_done(buf, &q->tx.desc[i & q->tx.mask]);
		(*chunks)++;
		break;
	}
	return len;
}

static void daq_tx_reap(struct daq_queue *q, u32 reported, int budget)
{
	u32 chunks = 0, packets = 0, bytes = 0;
	struct daq_tx_ring *tx = &q->tx;
	u32 done = tx->done;

	if (reported - done > READ_ONCE(tx->posted) - done)
		return;
	for (; done != reported; done++) {
		u32 len = daq_tx_release(q, done, budget, &chunks);

		packets += !!len;
		bytes += len;
	}
	WRITE_ONCE(tx->done, done);
	if (chunks)
		xsk_tx_completed(q->pool, chunks);
	if (packets)
		netdev_tx_completed_queue(daq_txq(q), packets, bytes);
}

/**
 * daq_tx_poll() - reap what was sent
 * @q: queue
 * @budget: NAPI budget
 *
 * Context: NAPI.
 */
void daq_tx_poll(struct daq_queue *q, int budget)
{
	u32 reported = le32_to_cpu(READ_ONCE(q->status->tx));
	struct netdev_queue *txq = daq_txq(q);

	dma_rmb(); /* stamps after the report of them */
	daq_tx_reap(q, reported, budget);

	/* Pairs with the barriers in daq_start_xmit() and daq_xmit_later(). */
	smp_mb();
	if (netif_tx_queue_stopped(txq) &&
	    daq_tx_free(&q->tx) >= 2 * DAQ_TX_MAX_DESCS)
		netif_tx_wake_queue(txq);
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
	netdev_tx_reset_queue(daq_txq(q));
}
