// SPDX-License-Identifier: GPL-2.0
/* Transmit path of zero-copy sockets: their TX rings become descriptors. */
#include <net/xdp_sock.h>
#include <net/xdp_sock_drv.h>

#include "daq_compat.h"
#include "daq_tx.h"

/* Descriptors taken at a time. */
#define DAQ_TX_BATCH		64

/* Metadata in front of a packet */

static void daq_request_timestamp(void *priv)
{
	struct daq_tx_desc *desc = priv;

	desc->flags |= cpu_to_le32(DAQ_TX_F_STAMP);
}

static u64 daq_fill_timestamp(void *priv)
{
	struct daq_tx_desc *desc = priv;

	return le64_to_cpu(desc->stamp);
}

static void __maybe_unused daq_request_launch_time(u64 launch, void *priv)
{
	struct daq_tx_desc *desc = priv;

	desc->launch = cpu_to_le64(launch);
	desc->flags |= cpu_to_le32(DAQ_TX_F_LAUNCH);
}

/* What a packet of a socket may ask for. */
const struct xsk_tx_metadata_ops daq_tx_metadata_ops = {
	.tmo_request_timestamp		= daq_request_timestamp,
	.tmo_fill_timestamp		= daq_fill_timestamp,
	DAQ_XSK_LAUNCH_TIME
};

/**
 * daq_tx_xsk_done() - a socket's descriptor has been played
 * @buf: what was noted with it
 * @desc: descriptor
 */
void daq_tx_xsk_done(struct daq_tx_buf *buf, struct daq_tx_desc *desc)
{
	xsk_tx_metadata_complete(&buf->compl, &daq_tx_metadata_ops, desc);
}

static void daq_put_xsk_desc(struct daq_queue *q, u32 i,
			     const struct xdp_desc *xdesc, bool eop)
{
	struct xsk_buff_pool *pool = q->pool;
	dma_addr_t dma = xsk_buff_raw_get_dma(pool, xdesc->addr);
	struct daq_tx_buf *buf;

	xsk_buff_raw_dma_sync_for_device(pool, dma, xdesc->len);
	buf = daq_tx_put(&q->tx, i, dma, xdesc->len, eop);
	buf->type = DAQ_TX_XSK;
	buf->compl.tx_timestamp = NULL;
	/* Only the first descriptor of a packet has metadata. */
	if (!q->tx.inside_packet)
		daq_xsk_request_metadata(pool, xdesc, &daq_tx_metadata_ops,
					 daq_tx_desc(&q->tx, i), &buf->compl);
	q->tx.inside_packet = !eop;
}

/* Return: number of descriptors taken. */
static u32 daq_take_from_socket(struct daq_queue *q, u32 most)
{
	u32 n, i, packets = 0, bytes = 0, room = daq_tx_free(&q->tx);
	struct xsk_buff_pool *pool = q->pool;

	n = xsk_tx_peek_release_desc_batch(pool, min(room, most));
	for (i = 0; i < n; i++) {
		const struct xdp_desc *xdesc = &pool->tx_descs[i];
		bool eop = !(xdesc->options & XDP_PKT_CONTD);

		daq_put_xsk_desc(q, i, xdesc, eop);
		packets += eop;
		bytes += xdesc->len;
	}
	if (n) {
		daq_tx_count(q, packets, bytes);
		q->tx.posted += n;
		daq_tx_kick(q);
	}
	return n;
}

/*
 * A channel with a low watermark takes nothing before its FIFO, which is the
 * ring, has fallen to that: taking wakes the writer.
 */
static bool daq_wants_more(struct daq_queue *q)
{
	u32 low = READ_ONCE(q->card->chans[q->index].format.output_low);

	return !low || q->tx.posted - q->tx.done <= low;
}

/**
 * daq_tx_socket() - take what a socket has to send, as far as there is room
 * @q: queue with a socket
 * @most: descriptors to take
 *
 * Context: NAPI.
 */
void daq_tx_socket(struct daq_queue *q, u32 most)
{
	struct netdev_queue *txq = daq_txq(q);
	u32 n;

	if (!netif_carrier_ok(q->card->netdev))
		return;
	/* The ring of a socket that comes later asks for a wake-up from the start. */
	if (list_empty(&q->pool->xsk_tx_list))
		return;

	__netif_tx_lock(txq, smp_processor_id());
	/* Before looking: what comes later brings a wake-up. */
	if (xsk_uses_need_wakeup(q->pool))
		xsk_set_tx_need_wakeup(q->pool);
	if (daq_wants_more(q)) {
		do {
			n = daq_take_from_socket(q, min_t(u32, most, DAQ_TX_BATCH));
			most -= n;
		} while (n == DAQ_TX_BATCH);
	}
	/* What is on its way will bring the driver back here. */
	if (xsk_uses_need_wakeup(q->pool) && q->tx.posted != q->tx.done)
		xsk_clear_tx_need_wakeup(q->pool);
	__netif_tx_unlock(txq);
}
