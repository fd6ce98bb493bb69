// SPDX-License-Identifier: GPL-2.0
/* The network interface of a card. */
#include <linux/etherdevice.h>

#include "daq.h"
#include "daq_compat.h"

/* Whole frames wake the consumer; a frame that is slower than this does not. */
#define DAQ_RX_FRAMES_DEFAULT	1
#define DAQ_RX_USECS_DEFAULT	(100 * USEC_PER_MSEC)

/**
 * daq_up() - let a card run
 * @card: card that does not
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno.
 */
int daq_up(struct daq_card *card)
{
	u32 i;
	int err;

	for (i = 0; i < card->nr_queues; i++) {
		err = daq_queue_alloc(&card->queues[i]);
		if (err)
			goto err_free_queues;
	}
	err = card->ops->open(card);
	if (err)
		goto err_free_queues;

	for (i = 0; i < card->nr_queues; i++)
		daq_queue_start(&card->queues[i]);
	for (i = 0; i < card->channels; i++)
		daq_chan_start(card, i);
	WRITE_ONCE(card->up, true);
	daq_ctl_set_state(card, DAQ_STATE_UP);
	netif_carrier_on(card->netdev);
	return 0;

err_free_queues:
	while (i--)
		daq_queue_free(&card->queues[i]);
	return err;
}

/**
 * daq_down() - stop a card, if it runs
 * @card: card, which may have stopped by itself
 *
 * Context: process, RTNL held.
 */
void daq_down(struct daq_card *card)
{
	u32 i;

	if (!card->up)
		return;
	netif_carrier_off(card->netdev);
	WRITE_ONCE(card->up, false);
	for (i = 0; i < card->channels; i++)
		daq_chan_stop(card, i);
	for (i = 0; i < card->nr_queues; i++)
		daq_queue_stop(&card->queues[i]);
	daq_timer_stop(card);
	daq_take_counters(card);
	if (!daq_reachable(card))
		daq_settle_counters(card);
	daq_ctl_set_state(card, DAQ_STATE_DOWN);
	card->ops->close(card);
	/* Whatever the card does, it reaches no memory any more. */
	for (i = 0; i < card->nr_queues; i++)
		daq_queue_free(&card->queues[i]);
}

static int daq_open(struct net_device *netdev)
{
	return daq_up(netdev_priv(netdev));
}

static int daq_stop(struct net_device *netdev)
{
	daq_down(netdev_priv(netdev));
	return 0;
}

/* The interface goes, for whatever reason: the card cannot be used any more. */
static void daq_uninit(struct net_device *netdev)
{
	daq_ctl_unregister(netdev_priv(netdev));
}

static const struct net_device_ops daq_netdev_ops = {
	.ndo_uninit		= daq_uninit,
	.ndo_open		= daq_open,
	.ndo_stop		= daq_stop,
	.ndo_start_xmit		= daq_start_xmit,
	.ndo_get_stats64	= daq_get_stats64,
	.ndo_change_mtu		= daq_change_mtu,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_bpf		= daq_bpf,
	.ndo_xsk_wakeup		= daq_xsk_wakeup,
	.ndo_xdp_xmit		= daq_xdp_xmit,
	.ndo_hwtstamp_get	= daq_hwtstamp_get,
	.ndo_hwtstamp_set	= daq_hwtstamp_set,
};

/**
 * daq_is_card() - whether an interface is one of ours
 * @netdev: interface
 *
 * Return: true when netdev_priv() is a struct daq_card.
 */
bool daq_is_card(const struct net_device *netdev)
{
	return netdev->netdev_ops == &daq_netdev_ops;
}

static void daq_init_chan(struct daq_card *card, u32 channel)
{
	struct daq_chan *chan = &card->chans[channel];

	chan->queue = channel;
	chan->entry = channel;
	chan->rule = DAQ_NO_RULE;
	chan->format = (struct daq_format){
		.source = DAQ_SOURCE_NONE,
		.loop_from = channel,
		.sample_bytes = 2,
		.segment_bytes = 2048,
		.frame_bytes = 2048,
		.line_bytes = 3840,
		.rate = 48000,
	};
}

static void daq_init_queue(struct daq_card *card, u32 index)
{
	struct daq_queue *q = &card->queues[index];

	q->card = card;
	q->index = index;
	daq_napi_add(card->netdev, &q->napi, daq_poll, index);
	netif_tx_stop_queue(netdev_get_tx_queue(card->netdev, index));
}

/**
 * daq_setup() - what every interface of a card has
 * @netdev: interface
 */
void daq_setup(struct net_device *netdev)
{
	ether_setup(netdev);
	netdev->netdev_ops = &daq_netdev_ops;
	netdev->ethtool_ops = &daq_ethtool_ops;
	netdev->xsk_tx_metadata_ops = &daq_tx_metadata_ops;
	netdev->stat_ops = &daq_stat_ops;
	netdev->priv_flags &= ~IFF_TX_SKB_SHARING;
	/* Nobody is out there to talk IPv6 with. */
	netdev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_ADDRCONF;
	netdev->features |= NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_NTUPLE;
	netdev->hw_features |= NETIF_F_SG;
	netdev->max_mtu = DAQ_MAX_MTU;
	netdev->xdp_zc_max_segs = DAQ_SEG_BUFS;
	netdev->xdp_metadata_ops = &daq_xdp_metadata_ops;
	xdp_set_features_flag(netdev, NETDEV_XDP_ACT_BASIC |
				      NETDEV_XDP_ACT_REDIRECT |
				      NETDEV_XDP_ACT_NDO_XMIT |
				      NETDEV_XDP_ACT_NDO_XMIT_SG |
				      NETDEV_XDP_ACT_RX_SG |
				      NETDEV_XDP_ACT_XSK_ZEROCOPY);
}

/**
 * daq_card_init() - set up a card whose @dev, @ops and @channels are set
 * @card: card, the private data of @netdev
 * @netdev: its interface, not yet registered
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int daq_card_init(struct daq_card *card, struct net_device *netdev)
{
	int err = -ENOMEM;
	u32 i;

	card->netdev = netdev;
	card->nr_queues = card->channels;
	card->rx_ring_size = DAQ_RING_DEFAULT;
	card->tx_ring_size = DAQ_RING_DEFAULT;
	card->rx_frames = DAQ_RX_FRAMES_DEFAULT;
	card->rx_usecs = DAQ_RX_USECS_DEFAULT;
	card->hwtstamp.rx_filter = HWTSTAMP_FILTER_ALL;
	daq_timer_init(card);
	card->chans = kvcalloc(card->channels, sizeof(*card->chans), GFP_KERNEL);
	if (!card->chans)
		return -ENOMEM;
	card->queues = kvcalloc(card->channels, sizeof(*card->queues),
				GFP_KERNEL);
	if (!card->queues)
		goto err_free_chans;
	err = daq_ctl_alloc(card);
	if (err)
		goto err_free_queues;
	err = daq_counters_alloc(card);
	if (err)
		goto err_free_ctl;

	for (i = 0; i < card->channels; i++) {
		daq_init_chan(card, i);
		daq_init_queue(card, i);
	}
	SET_NETDEV_DEV(netdev, card->dev);
	if (is_zero_ether_addr(netdev->dev_addr))
		eth_hw_addr_random(netdev);
	netif_carrier_off(netdev);
	return 0;

err_free_ctl:
	daq_ctl_free(card);
err_free_queues:
	kvfree(card->queues);
err_free_chans:
	kvfree(card->chans);
	return err;
}

/**
 * daq_card_free() - undo daq_card_init() for a card that is not in use
 * @card: card
 */
void daq_card_free(struct daq_card *card)
{
	u32 i;

	daq_ctl_free(card);
	for (i = 0; i < card->nr_queues; i++)
		netif_napi_del(&card->queues[i].napi);
	daq_counters_free(card);
	kvfree(card->queues);
	kvfree(card->chans);
}

/**
 * daq_card_register() - show a card to the world: clock, devlink, control device,
 *			 interface
 * @card: card that works
 * @add: register_netdev(), or register_netdevice() with RTNL held
 *
 * Context: process.
 * Return: 0 or a negative errno; then nothing of it is left.
 */
int daq_card_register(struct daq_card *card,
		      int (*add)(struct net_device *netdev))
{
	int err;

	err = daq_ptp_register(card);
	if (err)
		return err;
	err = daq_devlink_alloc(card);
	if (err)
		goto err_unregister_ptp;
	err = daq_ctl_register(card);
	if (err)
		goto err_free_devlink;
	err = add(card->netdev);
	if (err)
		goto err_unregister_ctl;
	daq_devlink_show(card);
	return 0;

err_unregister_ctl:
	daq_ctl_unregister(card);
err_free_devlink:
	daq_devlink_free(card);
err_unregister_ptp:
	daq_ptp_unregister(card);
	return err;
}
