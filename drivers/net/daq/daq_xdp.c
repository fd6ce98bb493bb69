// SPDX-License-Identifier: GPL-2.0
/* XDP programs and the buffer pools of zero-copy sockets: control path. */
#include <linux/dma-mapping.h>
#include <net/xdp_sock_drv.h>

#include "daq.h"

#define DAQ_XSK_DMA_ATTRS	(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_WEAK_ORDERING)

static u32 daq_pool_max_mtu(struct xsk_buff_pool *pool)
{
	u32 bufs = pool->umem->flags & XDP_UMEM_SG_FLAG ? DAQ_SEG_BUFS : 1;

	return bufs * xsk_pool_get_rx_frame_size(pool) - DAQ_MTU_OVERHEAD;
}

/*
 * A pool stays for a while after its last socket was closed, until a worker of the
 * kernel gets RTNL: it limits nothing any more.
 */
static bool daq_limits_mtu(struct xsk_buff_pool *pool, u32 mtu)
{
	return pool && refcount_read(&pool->users) && mtu > daq_pool_max_mtu(pool);
}

/**
 * daq_change_mtu() - ndo_change_mtu: not above what all sockets can take
 * @netdev: interface
 * @mtu: MTU, not above max_mtu
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno.
 */
int daq_change_mtu(struct net_device *netdev, int mtu)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i;

	for (i = 0; i < card->nr_queues; i++) {
		struct xsk_buff_pool *pool = card->queues[i].pool;

		if (!daq_limits_mtu(pool, mtu))
			continue;
		/* There is no other way to say it. */
		netdev_warn(netdev, "MTU %d: a zero-copy socket on queue %u has chunks for %u\n",
			    mtu, i, daq_pool_max_mtu(pool));
		return -EINVAL;
	}
	WRITE_ONCE(netdev->mtu, mtu);
	return 0;
}

/**
 * daq_fits_one_buffer() - whether a program can be shown such segments
 * @prog: program, may be NULL
 * @segment_bytes: payload of a segment
 *
 * Return: true unless segments need several buffers and @prog takes one.
 */
bool daq_fits_one_buffer(const struct bpf_prog *prog, u32 segment_bytes)
{
	return !prog || prog->aux->xdp_has_frags ||
	       DAQ_HDR_LEN + segment_bytes <= DAQ_PAGE_ROOM;
}

static int daq_set_prog(struct daq_card *card, struct bpf_prog *prog,
			struct netlink_ext_ack *extack)
{
	struct bpf_prog *old;
	u32 i;

	if (prog && !prog->aux->xdp_has_frags &&
	    card->netdev->mtu > DAQ_MAX_MTU_NO_FRAGS) {
		NL_SET_ERR_MSG_FMT(extack, "MTU %u needs an xdp.frags program; others take %lu",
				   card->netdev->mtu, DAQ_MAX_MTU_NO_FRAGS);
		return -EINVAL;
	}
	for (i = 0; i < card->channels; i++) {
		const struct daq_format *f = &card->chans[i].format;

		if (daq_fits_one_buffer(prog, f->segment_bytes))
			continue;
		NL_SET_ERR_MSG_FMT(extack, "segments of channel %u need an xdp.frags program",
				   i);
		return -EINVAL;
	}

	old = rtnl_dereference(card->xdp_prog);
	rcu_assign_pointer(card->xdp_prog, prog);
	if (old)
		bpf_prog_put(old);
	/* The kernel checks an MTU against this, and says so when it refuses one. */
	WRITE_ONCE(card->netdev->max_mtu, prog && !prog->aux->xdp_has_frags ?
					  DAQ_MAX_MTU_NO_FRAGS : DAQ_MAX_MTU);
	return 0;
}

static int daq_enable_pool(struct daq_card *card, struct xsk_buff_pool *pool,
			   u32 queue)
{
	struct daq_queue *q = &card->queues[queue];
	int err;

	err = xsk_pool_dma_map(pool, card->dev, DAQ_XSK_DMA_ATTRS);
	if (err)
		return err;
	err = xdp_rxq_info_reg(&q->xsk_rxq, card->netdev, queue,
			       q->napi.napi_id);
	if (err)
		goto err_unmap;
	err = xdp_rxq_info_reg_mem_model(&q->xsk_rxq, MEM_TYPE_XSK_BUFF_POOL,
					 NULL);
	if (err)
		goto err_unreg_rxq;
	xsk_pool_set_rxq_info(pool, &q->xsk_rxq);

	if (card->up)
		daq_queue_stop(q);
	WRITE_ONCE(q->pool, pool);
	if (card->up)
		daq_queue_start(q);
	return 0;

err_unreg_rxq:
	xdp_rxq_info_unreg(&q->xsk_rxq);
err_unmap:
	xsk_pool_dma_unmap(pool, DAQ_XSK_DMA_ATTRS);
	return err;
}

static int daq_disable_pool(struct daq_card *card, u32 queue)
{
	struct daq_queue *q = &card->queues[queue];
	struct xsk_buff_pool *pool = q->pool;

	if (!pool)
		return -EINVAL;

	if (card->up)
		daq_queue_stop(q);
	WRITE_ONCE(q->pool, NULL);
	if (card->up)
		daq_queue_start(q);

	/* The card and NAPI have let go of the chunks. */
	xdp_rxq_info_unreg(&q->xsk_rxq);
	xsk_pool_dma_unmap(pool, DAQ_XSK_DMA_ATTRS);
	return 0;
}

/**
 * daq_bpf() - ndo_bpf
 * @netdev: interface
 * @bpf: what to do
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno; then the old program or buffers stay.
 */
int daq_bpf(struct net_device *netdev, struct netdev_bpf *bpf)
{
	struct daq_card *card = netdev_priv(netdev);

	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return daq_set_prog(card, bpf->prog, bpf->extack);
	case XDP_SETUP_XSK_POOL:
		if (bpf->xsk.queue_id >= card->nr_queues)
			return -EINVAL;
		if (bpf->xsk.pool)
			return daq_enable_pool(card, bpf->xsk.pool,
					       bpf->xsk.queue_id);
		return daq_disable_pool(card, bpf->xsk.queue_id);
	default:
		return -EINVAL;
	}
}

/*
 * A socket that waits in poll() asks for its TX ring to be looked at, be there one or
 * not. If there is none that is good for one thing only: chunks that it has given back
 * get to the card sooner, which does not matter while that has most of them.
 */
static bool daq_wakeup_is_vain(struct daq_queue *q, u32 flags)
{
	struct xsk_buff_pool *pool = READ_ONCE(q->pool);
	u32 waiting = READ_ONCE(q->rx.posted) - READ_ONCE(q->rx.taken);

	return !(flags & XDP_WAKEUP_RX) && !q->card->polled && pool &&
	       list_empty(&pool->xsk_tx_list) &&
	       waiting > min(pool->heads_cnt, q->rx.mask + 1) / 2;
}

/**
 * daq_xsk_wakeup() - ndo_xsk_wakeup: a socket filled a ring
 * @netdev: interface
 * @queue: its queue
 * @flags: which rings; one NAPI context serves both
 *
 * Context: process, RCU read side.
 * Return: 0 or a negative errno.
 */
int daq_xsk_wakeup(struct net_device *netdev, u32 queue, u32 flags)
{
	struct daq_card *card = netdev_priv(netdev);
	struct daq_queue *q;

	if (!READ_ONCE(card->up))
		return -ENETDOWN;
	if (queue >= READ_ONCE(card->nr_queues))
		return -EINVAL;
	q = &card->queues[queue];
	if (!READ_ONCE(q->pool))
		return -ENXIO;

	if (daq_wakeup_is_vain(q, flags))
		return 0;
	if (!napi_if_scheduled_mark_missed(&q->napi))
		daq_queue_kick(q);
	return 0;
}
