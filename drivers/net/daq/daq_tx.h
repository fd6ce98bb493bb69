/* SPDX-License-Identifier: GPL-2.0 */
/* The transmit ring, for the three ways into it: skbs, XDP frames, sockets. */
#ifndef _DAQ_TX_H
#define _DAQ_TX_H

#include "daq.h"

/* Descriptors of the largest skb or XDP frame. */
#define DAQ_TX_MAX_DESCS	(1 + MAX_SKB_FRAGS)

static inline u32 daq_tx_free(const struct daq_tx_ring *tx)
{
	return tx->mask + 1 - (tx->posted - READ_ONCE(tx->done));
}

static inline struct netdev_queue *daq_txq(struct daq_queue *q)
{
	return netdev_get_tx_queue(q->card->netdev, q->index);
}

static inline struct daq_tx_desc *daq_tx_desc(struct daq_tx_ring *tx, u32 i)
{
	return &tx->desc[(tx->posted + i) & tx->mask];
}

static inline struct daq_tx_buf *daq_tx_buf(struct daq_tx_ring *tx, u32 i)
{
	return &tx->bufs[(tx->posted + i) & tx->mask];
}

struct daq_tx_buf *daq_tx_put(struct daq_tx_ring *tx, u32 i, dma_addr_t dma,
			      u32 len, bool eop);
void daq_tx_unmap_put(struct daq_queue *q, u32 n);
void daq_tx_kick(struct daq_queue *q);
void daq_tx_count(struct daq_queue *q, u32 packets, u32 bytes);
void daq_tx_count_drop(struct daq_queue *q);

/* daq_tx_xsk.c */
void daq_tx_socket(struct daq_queue *q, u32 most);
void daq_tx_xsk_done(struct daq_tx_buf *buf, struct daq_tx_desc *desc);

#endif /* _DAQ_TX_H */
