// SPDX-License-Identifier: GPL-2.0
/*
 * Which queue gets which channel: a rule says so (ethtool -N), else the table
 * does (ethtool -X), which by default spreads channels over the queues.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>

#include "daq.h"

static void daq_steer(struct daq_card *card, u32 channel)
{
	const struct daq_chan *chan = &card->chans[channel];

	daq_chan_move(card, channel,
		      chan->rule == DAQ_NO_RULE ? chan->entry : chan->rule);
}

/* The table */

/**
 * daq_default_table() - spread the channels over the queues in use
 * @card: card
 *
 * Does nothing if the user has set the table.
 *
 * Context: process, RTNL held.
 */
void daq_default_table(struct daq_card *card)
{
	u32 i;

	if (netif_is_rxfh_configured(card->netdev))
		return;
	for (i = 0; i < card->channels; i++) {
		card->chans[i].entry =
			ethtool_rxfh_indir_default(i, card->nr_queues);
		daq_steer(card, i);
	}
}

/**
 * daq_get_rxfh_indir_size() - ethtool operation: entries of the table
 * @netdev: interface
 *
 * Return: one per channel.
 */
u32 daq_get_rxfh_indir_size(struct net_device *netdev)
{
	struct daq_card *card = netdev_priv(netdev);

	return card->channels;
}

/**
 * daq_get_rxfh() - ethtool operation: show the table
 * @netdev: interface
 * @rxfh: gets it
 *
 * Return: 0.
 */
int daq_get_rxfh(struct net_device *netdev, struct ethtool_rxfh_param *rxfh)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i;

	rxfh->hfunc = ETH_RSS_HASH_NO_CHANGE;
	if (rxfh->indir)
		for (i = 0; i < card->channels; i++)
			rxfh->indir[i] = card->chans[i].entry;
	return 0;
}

/**
 * daq_set_rxfh() - ethtool operation: set the table
 * @netdev: interface
 * @rxfh: has it
 * @extack: gets the reason of a refusal
 *
 * Return: 0 or a negative errno.
 */
int daq_set_rxfh(struct net_device *netdev, struct ethtool_rxfh_param *rxfh,
		 struct netlink_ext_ack *extack)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i;

	if (rxfh->key || rxfh->hfunc != ETH_RSS_HASH_NO_CHANGE) {
		NL_SET_ERR_MSG(extack, "channels are not hashed: set the table only");
		return -EOPNOTSUPP;
	}
	if (!rxfh->indir)
		return 0;
	for (i = 0; i < card->channels; i++) {
		card->chans[i].entry = rxfh->indir[i];
		daq_steer(card, i);
	}
	return 0;
}

/* Rules: at most one per channel, whose number is its location */

/* The source address of a channel's segments, see struct daq_hdr. */
static void daq_chan_addr(const struct daq_card *card, u32 channel, u8 *addr)
{
	ether_addr_copy(addr, card->netdev->dev_addr);
	put_unaligned_be16(channel, addr + 4);
}

static void daq_show_rule(const struct daq_card *card,
			  struct ethtool_rx_flow_spec *fs)
{
	u32 channel = fs->location;

	fs->flow_type = ETHER_FLOW;
	daq_chan_addr(card, channel, fs->h_u.ether_spec.h_source);
	eth_broadcast_addr(fs->m_u.ether_spec.h_source);
	fs->ring_cookie = card->chans[channel].rule;
}

static u32 daq_list_rules(const struct daq_card *card, u32 *rules, u32 room)
{
	u32 i, n = 0;

	for (i = 0; i < card->channels; i++) {
		if (card->chans[i].rule == DAQ_NO_RULE)
			continue;
		if (n < room)
			rules[n] = i;
		n++;
	}
	return n;
}

/**
 * daq_get_rxnfc() - ethtool operation: show rules
 * @netdev: interface
 * @info: what to show
 * @rules: gets the locations of all rules
 *
 * Return: 0 or a negative errno.
 */
int daq_get_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *info,
		  u32 *rules)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 count;

	switch (info->cmd) {
	case ETHTOOL_GRXRINGS:
		info->data = card->nr_queues;
		return 0;
	case ETHTOOL_GRXCLSRLCNT:
		info->rule_cnt = daq_list_rules(card, NULL, 0);
		info->data = card->channels | RX_CLS_LOC_SPECIAL;
		return 0;
	case ETHTOOL_GRXCLSRULE:
		if (info->fs.location >= card->channels ||
		    card->chans[info->fs.location].rule == DAQ_NO_RULE)
			return -ENOENT;
		daq_show_rule(card, &info->fs);
		return 0;
	case ETHTOOL_GRXCLSRLALL:
		count = daq_list_rules(card, rules, info->rule_cnt);
		if (count > info->rule_cnt)
			return -EMSGSIZE;
		info->rule_cnt = count;
		info->data = card->channels;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Return: the channel that a rule is about, or a negative errno. */
static int daq_find_channel(const struct daq_card *card,
			    const struct ethtool_rx_flow_spec *fs)
{
	const struct ethhdr *key = &fs->h_u.ether_spec;
	const struct ethhdr *mask = &fs->m_u.ether_spec;
	u8 addr[ETH_ALEN];
	u32 i;

	if (fs->flow_type != ETHER_FLOW ||
	    !is_broadcast_ether_addr(mask->h_source) ||
	    !is_zero_ether_addr(mask->h_dest) || mask->h_proto)
		return -EOPNOTSUPP;
	for (i = 0; i < card->channels; i++) {
		daq_chan_addr(card, i, addr);
		if (ether_addr_equal(key->h_source, addr))
			return i;
	}
	return -EADDRNOTAVAIL;
}

static int daq_insert_rule(struct daq_card *card,
			   struct ethtool_rx_flow_spec *fs)
{
	int channel = daq_find_channel(card, fs);

	if (channel < 0)
		return channel;
	if (fs->ring_cookie >= card->nr_queues)
		return -EINVAL;
	if (!(fs->location & RX_CLS_LOC_SPECIAL) && fs->location != channel)
		return -EINVAL;
	fs->location = channel;
	card->chans[channel].rule = fs->ring_cookie;
	daq_steer(card, channel);
	return 0;
}

static int daq_delete_rule(struct daq_card *card, u32 channel)
{
	if (channel >= card->channels ||
	    card->chans[channel].rule == DAQ_NO_RULE)
		return -ENOENT;
	card->chans[channel].rule = DAQ_NO_RULE;
	daq_steer(card, channel);
	return 0;
}

/**
 * daq_set_rxnfc() - ethtool operation: change rules
 * @netdev: interface
 * @info: what to change
 *
 * Return: 0 or a negative errno.
 */
int daq_set_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *info)
{
	struct daq_card *card = netdev_priv(netdev);

	switch (info->cmd) {
	case ETHTOOL_SRXCLSRLINS:
		return daq_insert_rule(card, &info->fs);
	case ETHTOOL_SRXCLSRLDEL:
		return daq_delete_rule(card, info->fs.location);
	default:
		return -EOPNOTSUPP;
	}
}
