// SPDX-License-Identifier: GPL-2.0
/* One queue: memory, start and stop, NAPI. */
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <net/page_pool/helpers.h>
#include <net/xdp_sock_drv.h>

#include "daq.h"
#include "daq_tx.h"

/* Without memory a request is refused, which is all there is to say of it. */
#define DAQ_GFP_RING	(GFP_KERNEL | __GFP_NOWARN)

static int daq_alloc_rx_ring(struct device *dev, struct daq_rx_ring *rx,
			     u32 size)
{
	rx->mask = size - 1;
	rx->desc = dma_alloc_coherent(dev, size * sizeof(*rx->desc),
				      &rx->desc_dma, DAQ_GFP_RING);
	if (!rx->desc)
		return -ENOMEM;
	rx->cmpl = dma_alloc_coherent(dev, size * sizeof(*rx->cmpl),
				      &rx->cmpl_dma, DAQ_GFP_RING);
	if (!rx->cmpl)
		goto err_free_desc;
	rx->bufs = kvcalloc(size, sizeof(*rx->bufs), DAQ_GFP_RING);
	if (!rx->bufs)
		goto err_free_cmpl;
	return 0;

err_free_cmpl:
	dma_free_coherent(dev, size * sizeof(*rx->cmpl), rx->cmpl, rx->cmpl_dma);
err_free_desc:
	dma_free_coherent(dev, size * sizeof(*rx->desc), rx->desc, rx->desc_dma);
	return -ENOMEM;
}

static void daq_free_rx_ring(struct device *dev, struct daq_rx_ring *rx)
{
	u32 size = rx->mask + 1;

	kvfree(rx->bufs);
	dma_free_coherent(dev, size * sizeof(*rx->cmpl), rx->cmpl, rx->cmpl_dma);
	dma_free_coherent(dev, size * sizeof(*rx->desc), rx->desc, rx->desc_dma);
}

static int daq_alloc_tx_ring(struct device *dev, struct daq_tx_ring *tx,
			     u32 size)
{
	tx->mask = size - 1;
	tx->desc = dma_alloc_coherent(dev, size * sizeof(*tx->desc),
				      &tx->desc_dma, DAQ_GFP_RING);
	if (!tx->desc)
		return -ENOMEM;
	tx->bufs = kvcalloc(size, sizeof(*tx->bufs), DAQ_GFP_RING);
	if (!tx->bufs)
		goto err_free_desc;
	return 0;

err_free_desc:
	dma_free_coherent(dev, size * sizeof(*tx->desc), tx->desc, tx->desc_dma);
	return -ENOMEM;
}

static void daq_free_tx_ring(struct device *dev, struct daq_tx_ring *tx)
{
	u32 size = tx->mask + 1;

	kvfree(tx->bufs);
	dma_free_coherent(dev, size * sizeof(*tx->desc), tx->desc, tx->desc_dma);
}

/**
 * daq_rings_alloc() - get memory for the rings of a queue
 * @card: card
 * @rx: gets the receive ring
 * @rx_size: its entries
 * @tx: gets the transmit ring
 * @tx_size: its entries
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int daq_rings_alloc(struct daq_card *card, struct daq_rx_ring *rx, u32 rx_size,
		    struct daq_tx_ring *tx, u32 tx_size)
{
	int err;

	err = daq_alloc_rx_ring(card->dev, rx, rx_size);
	if (err)
		return err;
	err = daq_alloc_tx_ring(card->dev, tx, tx_size);
	if (err)
		daq_free_rx_ring(card->dev, rx);
	return err;
}

/**
 * daq_rings_free() - give the memory of rings back
 * @card: card
 * @rx: receive ring that no queue has
 * @tx: transmit ring, as @rx
 */
void daq_rings_free(struct daq_card *card, struct daq_rx_ring *rx,
		    struct daq_tx_ring *tx)
{
	daq_free_tx_ring(card->dev, tx);
	daq_free_rx_ring(card->dev, rx);
}

static struct page_pool *daq_create_page_pool(struct daq_queue *q)
{
	struct page_pool_params params = {
		.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
		.pool_size = DAQ_RX_PAGES,
		.nid = NUMA_NO_NODE,
		.dev = q->card->dev,
		.napi = &q->napi,
		.dma_dir = DMA_BIDIRECTIONAL,	/* XDP_TX sends them */
		.max_len = PAGE_SIZE,
		.netdev = q->card->netdev,
		.queue_idx = q->index,
	};

	return page_pool_create(&params);
}

/**
 * daq_queue_alloc() - get all memory that a queue needs to run
 * @q: queue
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno.
 */
int daq_queue_alloc(struct daq_queue *q)
{
	struct daq_card *card = q->card;
	int err;

	q->status = dma_alloc_coherent(card->dev, sizeof(*q->status),
				       &q->status_dma, GFP_KERNEL);
	if (!q->status)
		return -ENOMEM;
	err = daq_rings_alloc(card, &q->rx, card->rx_ring_size, &q->tx,
			      card->tx_ring_size);
	if (err)
		goto err_free_status;

	q->page_pool = daq_create_page_pool(q);
	if (IS_ERR(q->page_pool)) {
		err = PTR_ERR(q->page_pool);
		goto err_free_rings;
	}
	err = xdp_rxq_info_reg(&q->rxq, card->netdev, q->index,
			       q->napi.napi_id);
	if (err)
		goto err_destroy_page_pool;
	err = xdp_rxq_info_reg_mem_model(&q->rxq, MEM_TYPE_PAGE_POOL,
					 q->page_pool);
	if (err)
		goto err_unreg_rxq;
	return 0;

err_unreg_rxq:
	xdp_rxq_info_unreg(&q->rxq);
err_destroy_page_pool:
	page_pool_destroy(q->page_pool);
err_free_rings:
	daq_rings_free(card, &q->rx, &q->tx);
err_free_status:
	dma_free_coherent(card->dev, sizeof(*q->status), q->status,
			  q->status_dma);
	return err;
}

/**
 * daq_queue_free() - give the memory of a stopped queue back
 * @q: queue
 */
void daq_queue_free(struct daq_queue *q)
{
	struct daq_card *card = q->card;

	xdp_rxq_info_unreg(&q->rxq);
	page_pool_destroy(q->page_pool);
	daq_rings_free(card, &q->rx, &q->tx);
	dma_free_coherent(card->dev, sizeof(*q->status), q->status,
			  q->status_dma);
}

static void daq_set_buffer_layout(struct daq_queue *q)
{
	struct daq_rx_ring *rx = &q->rx;

	rx->head = XDP_PACKET_HEADROOM;
	if (q->pool) {
		rx->buf_len = xsk_pool_get_chunk_size(q->pool) -
			      q->pool->headroom;
		rx->head_len = xsk_pool_get_rx_frame_size(q->pool);
	} else {
		rx->buf_len = PAGE_SIZE;
		rx->head_len = DAQ_PAGE_ROOM;
	}
}

/**
 * daq_queue_kick() - have NAPI look after a queue soon
 * @q: queue
 *
 * Context: process.
 */
void daq_queue_kick(struct daq_queue *q)
{
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

/**
 * daq_queue_start() - hand the rings to the card and let NAPI run
 * @q: queue with memory
 *
 * Context: process, RTNL held.
 */
void daq_queue_start(struct daq_queue *q)
{
	struct net_device *netdev = q->card->netdev;
	struct daq_rx_ring *rx = &q->rx;
	struct daq_tx_ring *tx = &q->tx;

	rx->posted = 0;
	rx->taken = 0;
	rx->seen = 0;
	rx->distrusted = 0;
	INIT_LIST_HEAD(&rx->unwanted);
	rx->amid_unwanted = false;
	tx->posted = 0;
	tx->done = 0;
	tx->inside_packet = false;
	memset(q->status, 0, sizeof(*q->status));
	memset(&q->then, 0, sizeof(q->then));
	daq_set_buffer_layout(q);

	daq_queue_write64(q, DAQ_QUEUE_STATUS, q->status_dma);
	daq_queue_write64(q, DAQ_QUEUE_RX_DESC, rx->desc_dma);
	daq_queue_write64(q, DAQ_QUEUE_RX_CMPL, rx->cmpl_dma);
	daq_queue_write(q, DAQ_QUEUE_RX_SIZE, rx->mask + 1);
	daq_queue_write(q, DAQ_QUEUE_RX_BUF, rx->buf_len);
	daq_queue_write(q, DAQ_QUEUE_RX_HEAD, rx->head);
	daq_queue_write(q, DAQ_QUEUE_RX_HEAD_LEN, rx->head_len);
	daq_queue_write(q, DAQ_QUEUE_RX_FRAMES, q->card->rx_frames);
	daq_queue_write(q, DAQ_QUEUE_RX_USECS, q->card->rx_usecs);
	daq_queue_write(q, DAQ_QUEUE_RX_LOW, daq_rx_low(rx));
	daq_queue_write64(q, DAQ_QUEUE_TX_DESC, tx->desc_dma);
	daq_queue_write(q, DAQ_QUEUE_TX_SIZE, tx->mask + 1);
	daq_queue_write(q, DAQ_QUEUE_TX_FRAMES, DAQ_TX_FRAMES);
	daq_queue_write(q, DAQ_QUEUE_CTRL,
			DAQ_QUEUE_CTRL_RX | DAQ_QUEUE_CTRL_TX);

	napi_enable(&q->napi);
	netif_queue_set_napi(netdev, q->index, NETDEV_QUEUE_TYPE_RX, &q->napi);
	netif_queue_set_napi(netdev, q->index, NETDEV_QUEUE_TYPE_TX, &q->napi);
	/* Packets may have waited since the queue was stopped. */
	netif_tx_wake_queue(netdev_get_tx_queue(netdev, q->index));

	/* The first poll posts buffers and arms the interrupt. */
	daq_queue_kick(q);
}

/* The queue's memory is to be used otherwise: the card must not reach it. */
static void daq_cut_off(struct daq_queue *q)
{
	struct daq_card *card = q->card;

	netdev_err(card->netdev, "queue %u: card did not stop DMA\n", q->index);
	if (card->ops->cut_off) {
		card->ops->cut_off(card);
		card->is_cut_off = true;
	}
	daq_report_error(card, DAQ_ERROR_STOP);
}

/* Switch off what is not in @ctrl, and wait until the card has let go. */
static void daq_queue_halt(struct daq_queue *q, u32 ctrl)
{
	u32 busy;

	daq_queue_write(q, DAQ_QUEUE_CTRL, ctrl);
	if (q->card->is_cut_off)
		return;
	if (read_poll_timeout(daq_queue_read, busy, !(busy & ~ctrl), 10,
			      DAQ_CARD_TIMEOUT_US, false, q, DAQ_QUEUE_BUSY))
		daq_cut_off(q);
}

/**
 * daq_queue_flush() - let NAPI receive all that the card has reported so far
 * @q: running queue
 *
 * NAPI may have to go on and on without this ever being over, for a socket
 * that does not want wake-ups: disabling it always ends after the poll.
 *
 * Context: process, RTNL held.
 */
void daq_queue_flush(struct daq_queue *q)
{
	u32 reported = le32_to_cpu(READ_ONCE(q->status->rx));

	while (reported - READ_ONCE(q->rx.seen) - 1 <= q->rx.mask) {
		daq_queue_kick(q);
		napi_disable(&q->napi);
		napi_enable(&q->napi);
	}
	daq_queue_kick(q);
}

/**
 * daq_queue_stop() - take the rings back; nothing of them is in use then
 * @q: running queue
 *
 * What the card had completed is received as ever; what was to be sent is
 * given back to its owner.
 *
 * Context: process, RTNL held.
 */
void daq_queue_stop(struct daq_queue *q)
{
	struct net_device *netdev = q->card->netdev;
	struct netdev_queue *txq = netdev_get_tx_queue(netdev, q->index);

	daq_queue_halt(q, DAQ_QUEUE_CTRL_TX);
	daq_queue_flush(q);

	netif_queue_set_napi(netdev, q->index, NETDEV_QUEUE_TYPE_RX, NULL);
	netif_queue_set_napi(netdev, q->index, NETDEV_QUEUE_TYPE_TX, NULL);
	napi_disable(&q->napi);
	daq_timer_forget(q);
	/* Not before: NAPI wakes a queue that has room. */
	__netif_tx_lock_bh(txq);
	netif_tx_stop_queue(txq);
	__netif_tx_unlock_bh(txq);
	daq_queue_halt(q, 0);

	daq_rx_drain(q);
	daq_tx_drain(q);
}

static void daq_count_lost_irq(struct daq_queue *q)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&q->irq_lock, flags);
	daq_counters_begin(&q->counters->irq_seq);
	q->counters->interrupts_lost++;
	daq_counters_end(&q->counters->irq_seq);
	raw_spin_unlock_irqrestore(&q->irq_lock, flags);
}

/**
 * daq_queue_watch() - make up for an interrupt that has not come
 * @q: running queue of a card that interrupts
 *
 * What was news at the last look already, with nothing handled since, nobody
 * will ever tell of: the card interrupts once.
 *
 * Context: process, RTNL held; now and then.
 */
void daq_queue_watch(struct daq_queue *q)
{
	struct daq_progress now = {
		.news = daq_has_news(q) && !napi_is_scheduled(&q->napi),
		.rx = READ_ONCE(q->rx.seen),
		.tx = READ_ONCE(q->tx.done),
	};

	if (now.news && q->then.news && now.rx == q->then.rx &&
	    now.tx == q->then.tx) {
		daq_count_lost_irq(q);
		daq_queue_kick(q);
	}
	q->then = now;
}

/* Be told as soon as the card reports more than was handled. */
static void daq_wait_for_news(struct daq_queue *q)
{
	u32 seen = (q->rx.seen & 0xffff) | q->tx.done << 16;

	if (q->card->polled)
		daq_timer_wait(q);
	else
		daq_queue_doorbell(q, DAQ_QUEUE_IRQ_ARM, seen);
}

/* A queue that is polled again, by a socket maybe, runs no timer that kicks. */
static void daq_move_on(struct daq_queue *q)
{
	if (!q->card->kicked)
		return;
	daq_timer_forget(q);
	daq_kick(q->card);
}

/**
 * daq_irq() - the card interrupted for a queue
 * @q: queue
 *
 * Context: hard interrupt.
 */
void daq_irq(struct daq_queue *q)
{
	struct daq_queue_counters *counters = q->counters;

	raw_spin_lock(&q->irq_lock);
	daq_counters_begin(&counters->irq_seq);
	counters->interrupts++;
	counters->interrupt_time = ktime_get_ns();
	daq_counters_end(&counters->irq_seq);
	raw_spin_unlock(&q->irq_lock);
	napi_schedule_irqoff(&q->napi);
}

/**
 * daq_poll() - NAPI poll of a queue
 * @napi: its NAPI context
 * @budget: most frames and packets to receive; 0: only reap what was sent
 *
 * Return: number received, @budget to be called again.
 */
int daq_poll(struct napi_struct *napi, int budget)
{
	struct daq_queue *q = container_of(napi, struct daq_queue, napi);
	bool refilled;
	int work;

	daq_counters_begin(&q->counters->seq);
	q->counters->polls++;
	daq_counters_end(&q->counters->seq);

	daq_tx_poll(q, budget);
	if (!budget)
		return 0;

	work = daq_rx_poll(q, budget);
	refilled = daq_rx_refill(q);
	/*
	 * Not before there are buffers: what is sent may come back at once. And
	 * not more than that if what had come in was too much for one poll.
	 */
	if (q->pool)
		daq_tx_socket(q, work == budget ? budget : U32_MAX);
	if (!refilled || work == budget) {
		daq_move_on(q);
		return budget;
	}

	if (napi_complete_done(napi, work))
		daq_wait_for_news(q);
	else
		daq_move_on(q);
	return work;
}
