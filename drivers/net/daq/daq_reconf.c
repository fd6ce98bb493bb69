// SPDX-License-Identifier: GPL-2.0
/* What changes while data flow: sizes of rings. */
#include <linux/netdevice.h>

#include "daq.h"

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
	u32 count = netif_running(card->netdev) ? card->channels : 0;
	struct daq_rings *rings;
	int err = 0;
	u32 i, n;

	rings = kvcalloc(count, sizeof(*rings), GFP_KERNEL);
	if (!rings)
		return -ENOMEM;
	for (n = 0; n < count; n++) {
		err = daq_rings_alloc(card, &rings[n], rx_size, tx_size);
		if (err)
			goto out_free_rings;
	}

	for (i = 0; i < count; i++) {
		struct daq_queue *q = &card->queues[i];

		daq_queue_stop(q);
		swap(q->rings, rings[i]);
		daq_queue_start(q);
	}
	card->rx_ring_size = rx_size;
	card->tx_ring_size = tx_size;

out_free_rings:
	while (n--)
		daq_rings_free(card, &rings[n]);
	kvfree(rings);
	return err;
}
