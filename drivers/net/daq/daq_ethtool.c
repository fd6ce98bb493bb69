// SPDX-License-Identifier: GPL-2.0
/* What ethtool shows and sets. */
#include <linux/ethtool.h>
#include <linux/log2.h>
#include <linux/netdevice.h>

#include "daq.h"
#include "daq_compat.h"

/* What became of a channel's segments; the card's counters come first. */
static const char * const daq_rx_names[] = {
	[DAQ_RX_SOCKET]		= "socket",
	[DAQ_RX_STACK]		= "stack",
	[DAQ_RX_XDP_TX]		= "xdp_tx",
	[DAQ_RX_DROP_XDP]	= "drop_xdp",
	[DAQ_RX_DROP_ABORTED]	= "drop_aborted",
	[DAQ_RX_DROP_RING_FULL]	= "drop_ring_full",
	[DAQ_RX_DROP_REDIRECT]	= "drop_redirect",
	[DAQ_RX_DROP_NO_MEMORY]	= "drop_no_memory",
	[DAQ_RX_DROP_NO_FRAGS]	= "drop_no_frags",
	[DAQ_RX_DROP_BAD_DESC]	= "drop_bad_desc",
	[DAQ_RX_DROP_STOPPED]	= "drop_stopped",
};

static_assert(ARRAY_SIZE(daq_rx_names) == DAQ_RX_COUNTS);

static const struct {
	const char *name;
	u32 reg;
} daq_card_counters[] = {
	{ "produced", DAQ_CHAN_PRODUCED },
	{ "produced_bytes", DAQ_CHAN_PRODUCED_BYTES },
	{ "drop_no_buffer", DAQ_CHAN_NO_BUFFER },
	{ "drop_too_long", DAQ_CHAN_TOO_LONG },
	{ "drop_fifo_overrun", DAQ_CHAN_FIFO_OVERRUN },
	{ "played", DAQ_CHAN_PLAYED },
	{ "played_bytes", DAQ_CHAN_PLAYED_BYTES },
	{ "tx_bad", DAQ_CHAN_TX_BAD },
	{ "underruns", DAQ_CHAN_UNDERRUNS },
};

static const char * const daq_queue_names[] = {
	"irqs", "irqs_lost", "polls", "flushes", "fill_duplicates", "buffers",
};

/* What may be asked for between two looks at a card, microseconds. */
#define DAQ_MIN_PERIOD		10
#define DAQ_MAX_PERIOD		USEC_PER_SEC

#define DAQ_STATS_PER_CHANNEL	(ARRAY_SIZE(daq_card_counters) + \
				 DAQ_RX_COUNTS + 1 /* frames */ + \
				 ARRAY_SIZE(daq_queue_names))

static void daq_get_drvinfo(struct net_device *netdev,
			    struct ethtool_drvinfo *info)
{
	struct daq_card *card = netdev_priv(netdev);

	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	strscpy(info->bus_info, dev_name(card->dev), sizeof(info->bus_info));
	snprintf(info->fw_version, sizeof(info->fw_version), "%u",
		 card->ops->read32(card, DAQ_REG_VERSION));
}

static int daq_get_sset_count(struct net_device *netdev, int sset)
{
	struct daq_card *card = netdev_priv(netdev);

	switch (sset) {
	case ETH_SS_STATS:
		return card->channels * DAQ_STATS_PER_CHANNEL;
	case ETH_SS_TEST:
		return DAQ_TESTS;
	default:
		return -EOPNOTSUPP;
	}
}

static void daq_get_strings(struct net_device *netdev, u32 sset, u8 *data)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i, j;

	if (sset == ETH_SS_TEST)
		memcpy(data, daq_test_names, sizeof(daq_test_names));
	if (sset != ETH_SS_STATS)
		return;

	for (i = 0; i < card->channels; i++) {
		for (j = 0; j < ARRAY_SIZE(daq_card_counters); j++)
			ethtool_sprintf(&data, "ch%u_%s", i,
					daq_card_counters[j].name);
		for (j = 0; j < DAQ_RX_COUNTS; j++)
			ethtool_sprintf(&data, "ch%u_%s", i, daq_rx_names[j]);
		ethtool_sprintf(&data, "ch%u_frames", i);
		for (j = 0; j < ARRAY_SIZE(daq_queue_names); j++)
			ethtool_sprintf(&data, "queue%u_%s", i,
					daq_queue_names[j]);
	}
}

static u64 *daq_put_chan_stats(u64 *data, struct daq_card *card, u32 channel)
{
	struct daq_chan_counts counts;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(daq_card_counters); i++)
		*data++ = daq_chan_read64(card, channel,
					  daq_card_counters[i].reg);
	daq_read_chan_counts(&card->chans[channel], &counts);
	memcpy(data, counts.count, sizeof(counts.count));
	data += DAQ_RX_COUNTS;
	*data++ = counts.frames;
	return data;
}

/* NAPI goes on meanwhile: that may be a moment old, but not nonsense. */
static u32 daq_rx_buffers(const struct daq_rx_ring *rx)
{
	u32 taken = READ_ONCE(rx->taken);

	return max_t(s32, READ_ONCE(rx->posted) - taken, 0);
}

static u64 *daq_put_queue_stats(u64 *data, struct daq_queue *q)
{
	struct daq_queue_counters counts;

	daq_read_queue_counts(q, &counts);
	*data++ = counts.interrupts;
	*data++ = counts.interrupts_lost;
	*data++ = counts.polls;
	*data++ = counts.wakeups;
	*data++ = counts.duplicates;
	*data++ = daq_rx_buffers(&q->rx);
	return data;
}

static void daq_get_ethtool_stats(struct net_device *netdev,
				  struct ethtool_stats *stats, u64 *data)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i;

	for (i = 0; i < card->channels; i++) {
		data = daq_put_chan_stats(data, card, i);
		data = daq_put_queue_stats(data, &card->queues[i]);
	}
}

static void daq_get_channels(struct net_device *netdev,
			     struct ethtool_channels *ch)
{
	struct daq_card *card = netdev_priv(netdev);

	ch->max_combined = card->channels;
	ch->combined_count = card->nr_queues;
}

static int daq_set_channels(struct net_device *netdev,
			    struct ethtool_channels *ch)
{
	return daq_set_queues(netdev_priv(netdev), ch->combined_count);
}

static void daq_get_ringparam(struct net_device *netdev,
			      struct ethtool_ringparam *ring,
			      struct kernel_ethtool_ringparam *kernel_ring,
			      struct netlink_ext_ack *extack)
{
	struct daq_card *card = netdev_priv(netdev);

	ring->rx_max_pending = DAQ_RING_MAX;
	ring->tx_max_pending = DAQ_RING_MAX;
	ring->rx_pending = card->rx_ring_size;
	ring->tx_pending = card->tx_ring_size;
}

static bool daq_ring_size_valid(const char *ring, u32 size,
				struct netlink_ext_ack *extack)
{
	if (is_power_of_2(size) && size >= DAQ_RING_MIN && size <= DAQ_RING_MAX)
		return true;
	NL_SET_ERR_MSG_FMT(extack, "%s: give a power of two from %u to %u, not %u",
			   ring, DAQ_RING_MIN, DAQ_RING_MAX, size);
	return false;
}

static bool daq_watermarks_fit(const struct daq_card *card, u32 size,
			       struct netlink_ext_ack *extack)
{
	u32 i;

	for (i = 0; i < card->channels; i++) {
		u32 low = card->chans[i].format.output_low;

		if (low < size)
			continue;
		NL_SET_ERR_MSG_FMT(extack, "output-low %u of channel %u needs a larger tx ring",
				   low, i);
		return false;
	}
	return true;
}

static int daq_set_ringparam(struct net_device *netdev,
			     struct ethtool_ringparam *ring,
			     struct kernel_ethtool_ringparam *kernel_ring,
			     struct netlink_ext_ack *extack)
{
	struct daq_card *card = netdev_priv(netdev);
	int err;

	if (!daq_ring_size_valid("rx", ring->rx_pending, extack) ||
	    !daq_ring_size_valid("tx", ring->tx_pending, extack) ||
	    !daq_watermarks_fit(card, ring->tx_pending, extack))
		return -EINVAL;

	err = daq_set_ring_sizes(card, ring->rx_pending, ring->tx_pending);
	if (err)
		NL_SET_ERR_MSG(extack, "no memory for such rings: the old ones stay");
	return err;
}

static int daq_get_coalesce(struct net_device *netdev,
			    struct ethtool_coalesce *coal,
			    struct kernel_ethtool_coalesce *kernel_coal,
			    struct netlink_ext_ack *extack)
{
	struct daq_card *card = netdev_priv(netdev);

	coal->rx_max_coalesced_frames = card->rx_frames;
	coal->rx_coalesce_usecs = card->rx_usecs;
	if (!card->polled)
		return 0;
	coal->use_adaptive_rx_coalesce = card->timer.adaptive;
	coal->rx_coalesce_usecs_high = card->timer.shortest;
	coal->rx_coalesce_usecs_low = card->timer.longest;
	coal->stats_block_coalesce_usecs = READ_ONCE(card->timer.period);
	return 0;
}

static bool daq_is_period(const char *name, u32 usecs,
			  struct netlink_ext_ack *extack)
{
	if (usecs >= DAQ_MIN_PERIOD && usecs <= DAQ_MAX_PERIOD)
		return true;
	NL_SET_ERR_MSG_FMT(extack, "%s: give %u to %lu us, not %u", name,
			   DAQ_MIN_PERIOD, DAQ_MAX_PERIOD, usecs);
	return false;
}

/* How often to look at a card that does not interrupt. */
static int daq_set_polling(struct daq_card *card,
			   const struct ethtool_coalesce *coal,
			   struct netlink_ext_ack *extack)
{
	u32 shortest = coal->rx_coalesce_usecs_high;
	u32 longest = coal->rx_coalesce_usecs_low;
	u32 period = coal->stats_block_coalesce_usecs;

	if (!card->polled) {
		if (!shortest && !longest && !period &&
		    !coal->use_adaptive_rx_coalesce)
			return 0;
		NL_SET_ERR_MSG(extack, "this card interrupts: there is no polling to set");
		return -EINVAL;
	}
	if (!daq_is_period("rx-usecs-high", shortest, extack) ||
	    !daq_is_period("rx-usecs-low", longest, extack) ||
	    !daq_is_period("stats-block-usecs", period, extack))
		return -EINVAL;
	if (shortest > longest) {
		NL_SET_ERR_MSG(extack, "rx-usecs-high, the shortest time, is above rx-usecs-low");
		return -EINVAL;
	}
	daq_timer_set(card, period, shortest, longest,
		      coal->use_adaptive_rx_coalesce);
	return 0;
}

static int daq_set_coalesce(struct net_device *netdev,
			    struct ethtool_coalesce *coal,
			    struct kernel_ethtool_coalesce *kernel_coal,
			    struct netlink_ext_ack *extack)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i;
	int err;

	if (!coal->rx_max_coalesced_frames) {
		NL_SET_ERR_MSG(extack, "rx-frames is 0: give at least 1");
		return -EINVAL;
	}
	err = daq_set_polling(card, coal, extack);
	if (err)
		return err;
	card->rx_frames = coal->rx_max_coalesced_frames;
	card->rx_usecs = coal->rx_coalesce_usecs;
	if (!card->up)
		return 0;

	for (i = 0; i < card->nr_queues; i++) {
		daq_queue_write(&card->queues[i], DAQ_QUEUE_RX_FRAMES,
				card->rx_frames);
		daq_queue_write(&card->queues[i], DAQ_QUEUE_RX_USECS,
				card->rx_usecs);
	}
	return 0;
}

const struct ethtool_ops daq_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_MAX_FRAMES |
				     ETHTOOL_COALESCE_RX_USECS |
				     ETHTOOL_COALESCE_RX_USECS_LOW |
				     ETHTOOL_COALESCE_RX_USECS_HIGH |
				     ETHTOOL_COALESCE_STATS_BLOCK_USECS |
				     ETHTOOL_COALESCE_USE_ADAPTIVE_RX,
	.get_drvinfo		= daq_get_drvinfo,
	.get_regs_len		= daq_get_regs_len,
	.get_regs		= daq_get_regs,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= daq_get_ts_info,
	.self_test		= daq_self_test,
	.get_sset_count		= daq_get_sset_count,
	.get_strings		= daq_get_strings,
	.get_ethtool_stats	= daq_get_ethtool_stats,
	.get_channels		= daq_get_channels,
	.set_channels		= daq_set_channels,
	.get_ringparam		= daq_get_ringparam,
	.set_ringparam		= daq_set_ringparam,
	.get_coalesce		= daq_get_coalesce,
	.set_coalesce		= daq_set_coalesce,
	.get_rxfh_indir_size	= daq_get_rxfh_indir_size,
	.get_rxfh		= daq_get_rxfh,
	.set_rxfh		= daq_set_rxfh,
	.get_rxnfc		= daq_get_rxnfc,
	.set_rxnfc		= daq_set_rxnfc,
	DAQ_RX_RING_COUNT
};
