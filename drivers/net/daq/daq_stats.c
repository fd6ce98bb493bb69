// SPDX-License-Identifier: GPL-2.0
/*
 * Counters: of the whole interface, and of its queues.
 *
 * A queue counts what came in on it. What was dropped is counted by channel,
 * since that is who lost it, and is not broken down by queue.
 */
#include <net/netdev_queues.h>

#include "daq.h"

/**
 * daq_read_chan_counts() - what became of a channel's segments so far
 * @chan: channel
 * @counts: gets its counters, which belong together
 *
 * Context: any but hard interrupts.
 */
void daq_read_chan_counts(const struct daq_chan *chan,
			  struct daq_chan_counts *counts)
{
	const struct daq_channel_counters *counters = chan->counters;
	u32 start;
	int i;

	do {
		start = daq_counters_look(&counters->host_seq);
		for (i = 0; i < DAQ_RX_COUNTS; i++)
			counts->count[i] = counters->host[i].segments;
		counts->frames = counters->host[DAQ_RX_SOCKET].frames +
				 counters->host[DAQ_RX_STACK].frames +
				 counters->host[DAQ_RX_XDP_TX].frames;
	} while (daq_counters_retry(&counters->host_seq, start));
}

/**
 * daq_read_queue_counts() - what a queue has done so far
 * @q: queue
 * @counts: gets its counters; those of each direction belong together, and nothing
 *	    else
 *
 * Context: any but hard interrupts.
 */
void daq_read_queue_counts(const struct daq_queue *q,
			   struct daq_queue_counters *counts)
{
	const struct daq_queue_counters *counters = q->counters;
	u32 start;

	do {
		start = daq_counters_look(&counters->irq_seq);
		counts->interrupts = counters->interrupts;
		counts->interrupts_lost = counters->interrupts_lost;
	} while (daq_counters_retry(&counters->irq_seq, start));

	do {
		start = daq_counters_look(&counters->seq);
		counts->packets = counters->packets;
		counts->bytes = counters->bytes;
		counts->polls = counters->polls;
		counts->wakeups = counters->wakeups;
		counts->duplicates = counters->duplicates;
	} while (daq_counters_retry(&counters->seq, start));

	do {
		start = daq_counters_look(&counters->tx_seq);
		counts->tx_packets = counters->tx_packets;
		counts->tx_bytes = counters->tx_bytes;
		counts->tx_dropped = counters->tx_dropped;
	} while (daq_counters_retry(&counters->tx_seq, start));
}

/* Segments that the host was too late for. */
static u64 daq_missed(struct daq_card *card, u32 channel)
{
	return daq_chan_read64(card, channel, DAQ_CHAN_NO_BUFFER) +
	       daq_chan_read64(card, channel, DAQ_CHAN_FIFO_OVERRUN);
}

static void daq_add_chan_stats(struct rtnl_link_stats64 *stats,
			       struct daq_card *card, u32 channel)
{
	u64 too_long = daq_chan_read64(card, channel, DAQ_CHAN_TOO_LONG);
	u64 missed = daq_missed(card, channel);
	struct daq_chan_counts counts;
	u64 bad_desc;
	int i;

	daq_read_chan_counts(&card->chans[channel], &counts);
	bad_desc = counts.count[DAQ_RX_DROP_BAD_DESC];
	for (i = DAQ_RX_DROP_ABORTED; i < DAQ_RX_COUNTS; i++)
		stats->rx_dropped += counts.count[i];
	stats->rx_dropped -= bad_desc;
	stats->rx_errors += too_long + bad_desc;
	stats->rx_length_errors += too_long;
	stats->rx_missed_errors += missed;
	stats->tx_errors += daq_chan_read64(card, channel, DAQ_CHAN_TX_BAD);
}

static void daq_add_queue_stats(struct rtnl_link_stats64 *stats,
				const struct daq_queue *q)
{
	struct daq_queue_counters counts;

	daq_read_queue_counts(q, &counts);
	stats->rx_packets += counts.packets;
	stats->rx_bytes += counts.bytes;
	stats->tx_packets += counts.tx_packets;
	stats->tx_bytes += counts.tx_bytes;
	stats->tx_dropped += counts.tx_dropped;
}

/**
 * daq_get_stats64() - ndo_get_stats64
 * @netdev: interface
 * @stats: gets the sums
 *
 * Every segment that the card produced is in one of rx_packets, rx_dropped,
 * rx_errors and rx_missed_errors. The stack adds to rx_dropped what nobody
 * wanted of what it got, so the exact account is that of ethtool -S.
 *
 * Context: any.
 */
void daq_get_stats64(struct net_device *netdev,
		     struct rtnl_link_stats64 *stats)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i;

	for (i = 0; i < card->channels; i++) {
		daq_add_chan_stats(stats, card, i);
		daq_add_queue_stats(stats, &card->queues[i]);
	}
}

static void daq_get_queue_stats_rx(struct net_device *netdev, int queue,
				   struct netdev_queue_stats_rx *stats)
{
	struct daq_card *card = netdev_priv(netdev);
	struct daq_queue_counters counts;

	daq_read_queue_counts(&card->queues[queue], &counts);
	stats->packets = counts.packets;
	stats->bytes = counts.bytes;
}

/* Output i plays what is sent on queue i, so its errors are the queue's. */
static void daq_get_queue_stats_tx(struct net_device *netdev, int queue,
				   struct netdev_queue_stats_tx *stats)
{
	struct daq_card *card = netdev_priv(netdev);
	struct daq_queue_counters counts;

	daq_read_queue_counts(&card->queues[queue], &counts);
	stats->packets = counts.tx_packets;
	stats->bytes = counts.tx_bytes;
	stats->hw_drop_errors = daq_chan_read64(card, queue, DAQ_CHAN_TX_BAD);
	stats->hw_drops = stats->hw_drop_errors;
}

/* What no queue in use has counted: queues out of use, and the card. */
static void daq_get_base_stats(struct net_device *netdev,
			       struct netdev_queue_stats_rx *rx,
			       struct netdev_queue_stats_tx *tx)
{
	struct daq_card *card = netdev_priv(netdev);
	struct daq_chan_counts counts;
	u64 missed;
	u32 i;

	rx->packets = 0;
	rx->bytes = 0;
	tx->packets = 0;
	tx->bytes = 0;
	tx->hw_drops = 0;
	tx->hw_drop_errors = 0;
	netdev_stat_queue_sum(netdev,
			      netdev->real_num_rx_queues, card->channels, rx,
			      netdev->real_num_tx_queues, card->channels, tx);

	rx->alloc_fail = 0;
	rx->hw_drops = 0;
	rx->hw_drop_overruns = 0;
	for (i = 0; i < card->channels; i++) {
		daq_read_chan_counts(&card->chans[i], &counts);
		missed = daq_missed(card, i);
		rx->alloc_fail += counts.count[DAQ_RX_DROP_NO_MEMORY];
		rx->hw_drop_overruns += missed;
		rx->hw_drops += missed +
				daq_chan_read64(card, i, DAQ_CHAN_TOO_LONG);
	}
}

const struct netdev_stat_ops daq_stat_ops = {
	.get_queue_stats_rx	= daq_get_queue_stats_rx,
	.get_queue_stats_tx	= daq_get_queue_stats_tx,
	.get_base_stats		= daq_get_base_stats,
};
