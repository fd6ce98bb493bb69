// SPDX-License-Identifier: GPL-2.0
/* What changes while data flow: sizes of rings, number of queues. */
#include <linux/netdevice.h>

#include "daq.h"
#include "daq_compat.h"

struct daq_rings {
	struct daq_rx_ring rx;
	struct daq_tx_ring tx;
};

/**
 * daq_set_ring_sizes() - give all queues rings of other sizes
 * @card: card
 * @rx_size: entries of the receive rings
 * @tx_size: entries of the transmit rings
 *
 * Each queue stops for a moment if the interface is up.
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno; then the old rings are in use.
 */
int daq_set_ring_sizes(struct daq_card *card, u32 rx_size, u32 tx_size)
{
	u32 count = card->up ? card->nr_queues : 0;
	struct daq_rings *rings;
	int err = 0;
	u32 i, n;

	rings = kvcalloc(count, sizeof(*rings), GFP_KERNEL);
	if (!rings)
		return -ENOMEM;
	for (n = 0; n < count; n++) {
		err = daq_rings_alloc(card, &rings[n].rx, rx_size, &rings[n].tx,
				      tx_size);
		if (err)
			goto out_free_rings;
	}

	for (i = 0; i < count; i++) {
		struct daq_queue *q = &card->queues[i];

		daq_queue_stop(q);
		swap(q->rx, rings[i].rx);
		swap(q->tx, rings[i].tx);
		daq_queue_start(q);
	}
	card->rx_ring_size = rx_size;
	card->tx_ring_size = tx_size;

out_free_rings:
	while (n--)
		daq_rings_free(card, &rings[n].rx, &rings[n].tx);
	kvfree(rings);
	return err;
}

/* Take a queue into use. */
static int daq_queue_add(struct daq_queue *q)
{
	int err;

	daq_napi_add(q->card->netdev, &q->napi, daq_poll, q->index);
	if (!q->card->up)
		return 0;
	err = daq_queue_alloc(q);
	if (err) {
		__netif_napi_del(&q->napi);
		return err;
	}
	daq_queue_start(q);
	return 0;
}

/* Undo it; before that is done again, there must be a grace period. */
static void daq_queue_remove(struct daq_queue *q)
{
	if (q->card->up) {
		daq_queue_stop(q);
		daq_queue_free(q);
	}
	__netif_napi_del(&q->napi);
}

static int daq_add_queues(struct daq_card *card, u32 count)
{
	u32 i;
	int err;

	for (i = card->nr_queues; i < count; i++) {
		err = daq_queue_add(&card->queues[i]);
		if (err)
			goto err_remove;
	}
	err = netif_set_real_num_queues(card->netdev, count, count);
	if (err)
		goto err_remove;
	WRITE_ONCE(card->nr_queues, count);
	daq_default_table(card);
	return 0;

err_remove:
	while (i-- > card->nr_queues)
		daq_queue_remove(&card->queues[i]);
	synchronize_net();
	return err;
}

static void daq_remove_queues(struct daq_card *card, u32 count)
{
	u32 i = card->nr_queues;

	WRITE_ONCE(card->nr_queues, count);
	daq_default_table(card);
	/* Fewer is always possible. */
	netif_set_real_num_queues(card->netdev, count, count);
	while (i-- > count)
		daq_queue_remove(&card->queues[i]);
	synchronize_net();
}

/**
 * daq_set_queues() - use another number of queues
 * @card: card
 * @count: number, 1 to @card->channels; no channel is bound by the user to a
 *	   queue above it, and no socket
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno; then the old number is in use.
 */
int daq_set_queues(struct daq_card *card, u32 count)
{
	if (count > card->nr_queues)
		return daq_add_queues(card, count);
	daq_remove_queues(card, count);
	return 0;
}

/**
 * daq_restart() - stop and start all queues that run
 * @card: card
 *
 * Context: process, RTNL held.
 */
void daq_restart(struct daq_card *card)
{
	u32 i;

	if (!card->up)
		return;
	for (i = 0; i < card->nr_queues; i++) {
		daq_queue_stop(&card->queues[i]);
		daq_queue_start(&card->queues[i]);
	}
}
