// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit path for XDP: packets that XDP_TX sends back, and those that other
 * interfaces redirect here.
 */
#include <linux/dma-mapping.h>
#include <linux/filter.h>
#include <net/page_pool/helpers.h>
#include <net/xdp_sock_drv.h>

#include "daq_tx.h"

/* @own: a page of this queue's pool, which has it mapped already. */
static bool daq_map_xdp(struct daq_queue *q, u32 i, struct page *page,
			void *data, u32 len, bool own, bool eop)
{
	struct device *dev = q->card->dev;
	u32 offset = offset_in_page(data);
	struct daq_tx_buf *buf;
	dma_addr_t dma;

	if (own) {
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

/* Return: number of descriptors written, 0 when DMA mapping failed. */
static u32 daq_map_xdp_frame(struct daq_queue *q, struct xdp_frame *xdpf,
			     bool own)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_frame(xdpf);
	u32 nr_frags = xdp_frame_has_frags(xdpf) ? sinfo->nr_frags : 0;
	struct daq_tx_buf *buf;
	u32 i;

	if (!daq_map_xdp(q, 0, virt_to_page(xdpf->data), xdpf->data, xdpf->len,
			 own, !nr_frags))
		return 0;
	for (i = 0; i < nr_frags; i++) {
		skb_frag_t *frag = &sinfo->frags[i];

		if (!daq_map_xdp(q, i + 1, skb_frag_page(frag),
				 skb_frag_address(frag), skb_frag_size(frag),
				 own, i + 1 == nr_frags)) {
			daq_tx_unmap_put(q, i + 1);
			return 0;
		}
	}
	buf = daq_tx_buf(&q->tx, nr_frags);
	buf->type = DAQ_TX_XDP;
	buf->xdpf = xdpf;
	return 1 + nr_frags;
}

/* Return: whether the card gets the frame; it is the caller's still if not. */
static bool daq_post_xdp_frame(struct daq_queue *q, struct xdp_frame *xdpf,
			       bool own)
{
	u32 n;

	if (daq_tx_free(&q->tx) < DAQ_TX_MAX_DESCS)
		return false;
	n = daq_map_xdp_frame(q, xdpf, own);
	if (!n)
		return false;
	daq_tx_count(q, 1, xdp_get_frame_len(xdpf));
	q->tx.posted += n;
	return true;
}

static bool daq_send_back_pages(struct daq_queue *q, struct xdp_buff *xdp)
{
	struct xdp_frame *xdpf = xdp_convert_buff_to_frame(xdp);

	return xdpf && daq_post_xdp_frame(q, xdpf, true);
}

/* Return: its bytes. */
static u32 daq_put_chunk(struct daq_queue *q, u32 i, struct xdp_buff *xdp,
			 bool eop)
{
	dma_addr_t dma = daq_chunk_dma(q, xdp) + (xdp->data - xdp->data_hard_start);
	u32 len = xdp->data_end - xdp->data;
	struct daq_tx_buf *buf;

	xsk_buff_raw_dma_sync_for_device(q->pool, dma, len);
	buf = daq_tx_put(&q->tx, i, dma, len, eop);
	buf->type = DAQ_TX_CHUNK;
	buf->xdp = xdp;
	daq_hold_chunk(q, xdp);
	return len;
}

/* The chunks themselves go out; each comes back by itself. */
static bool daq_send_back_chunks(struct daq_queue *q, struct xdp_buff *head)
{
	struct xdp_buff *xdp = head;
	struct xdp_buff *next;
	u32 len = 0;
	u32 n = 0;

	if (daq_tx_free(&q->tx) < DAQ_TX_MAX_DESCS)
		return false;
	for (; xdp; xdp = next) {
		next = xdp_buff_has_frags(head) ? xsk_buff_get_frag(head) : NULL;
		len += daq_put_chunk(q, n++, xdp, !next);
	}
	xdp_buff_clear_frags_flag(head);
	daq_tx_count(q, 1, len);
	q->tx.posted += n;
	return true;
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
	bool sent;

	__netif_tx_lock(txq, smp_processor_id());
	sent = q->pool ? daq_send_back_chunks(q, xdp) :
			 daq_send_back_pages(q, xdp);
	if (sent)
		daq_tx_kick(q);
	else
		daq_tx_count_drop(q);
	__netif_tx_unlock(txq);
	return sent;
}

/**
 * daq_xdp_xmit() - ndo_xdp_xmit: send frames that another interface received
 * @netdev: interface
 * @n: number of frames
 * @frames: frames
 * @flags: XDP_XMIT_FLUSH; the card is told in any case
 *
 * Context: bottom halves off, RCU read side.
 * Return: number of frames sent, the caller frees the others; or a negative
 * errno.
 */
int daq_xdp_xmit(struct net_device *netdev, int n, struct xdp_frame **frames,
		 u32 flags)
{
	struct daq_card *card = netdev_priv(netdev);
	int cpu = smp_processor_id();
	struct netdev_queue *txq;
	struct daq_queue *q;
	int sent, i;

	if (flags & ~XDP_XMIT_FLAGS_MASK)
		return -EINVAL;
	if (!netif_running(netdev) || !netif_carrier_ok(netdev))
		return -ENETDOWN;

	q = &card->queues[cpu % netdev->real_num_tx_queues];
	txq = daq_txq(q);
	__netif_tx_lock(txq, cpu);
	for (sent = 0; sent < n; sent++) {
		/* It has no rings when it does not run. */
		if (netif_tx_queue_stopped(txq) ||
		    !daq_post_xdp_frame(q, frames[sent], false))
			break;
	}
	if (sent)
		daq_tx_kick(q);
	for (i = sent; i < n; i++)
		daq_tx_count_drop(q);
	__netif_tx_unlock(txq);
	return sent;
}
