// SPDX-License-Identifier: GPL-2.0
/* Generic netlink family: channels, cards, cables of software cards. */
#include <linux/daq.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "daq.h"

static struct genl_family daq_family;

static const struct nla_policy daq_get_policy[] = {
	[DAQ_A_CHANNEL_IFINDEX]		= NLA_POLICY_MIN(NLA_U32, 1),
	[DAQ_A_CHANNEL_ID]		= { .type = NLA_U32 },
};

static const struct nla_policy daq_set_policy[] = {
	[DAQ_A_CHANNEL_IFINDEX]		= NLA_POLICY_MIN(NLA_U32, 1),
	[DAQ_A_CHANNEL_ID]		= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_SOURCE]		= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_LOOP_FROM]	= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_SAMPLE_BYTES]	= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_SEGMENT_BYTES]	= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_FRAME_BYTES]	= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_LINE_BYTES]	= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_RATE]		= { .type = NLA_U64 },
	[DAQ_A_CHANNEL_OUTPUT_LOW]	= { .type = NLA_U32 },
};

static const struct nla_policy daq_window_policy[] = {
	[DAQ_A_CHANNEL_IFINDEX]		= NLA_POLICY_MIN(NLA_U32, 1),
	[DAQ_A_CHANNEL_ID]		= { .type = NLA_U32 },
	[DAQ_A_CHANNEL_WINDOW_GRANTED]	= NLA_POLICY_MAX(NLA_U8, 1),
};

static const struct nla_policy daq_stats_policy[] = {
	[DAQ_A_STATS_IFINDEX]		= NLA_POLICY_MIN(NLA_U32, 1),
	[DAQ_A_STATS_ID]		= { .type = NLA_U32 },
};

static const struct nla_policy daq_cable_policy[] = {
	[DAQ_A_CABLE_IFINDEX]		= NLA_POLICY_MIN(NLA_U32, 1),
	[DAQ_A_CABLE_FAR_END]		= NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy daq_card_get_policy[] = {
	[DAQ_A_CARD_IFINDEX]		= NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy daq_card_set_policy[] = {
	[DAQ_A_CARD_IFINDEX]		= NLA_POLICY_MIN(NLA_U32, 1),
	[DAQ_A_CARD_PERSONALITY]	= NLA_POLICY_MAX(NLA_U32,
							 DAQ_PERSONALITY_MAX),
};

/* Which member of a format an attribute sets. */
static const struct {
	u16 attr;
	u16 offset;
} daq_format_attrs[] = {
	{ DAQ_A_CHANNEL_SOURCE, offsetof(struct daq_format, source) },
	{ DAQ_A_CHANNEL_LOOP_FROM, offsetof(struct daq_format, loop_from) },
	{ DAQ_A_CHANNEL_SAMPLE_BYTES, offsetof(struct daq_format, sample_bytes) },
	{ DAQ_A_CHANNEL_SEGMENT_BYTES,
	  offsetof(struct daq_format, segment_bytes) },
	{ DAQ_A_CHANNEL_FRAME_BYTES, offsetof(struct daq_format, frame_bytes) },
	{ DAQ_A_CHANNEL_LINE_BYTES, offsetof(struct daq_format, line_bytes) },
	{ DAQ_A_CHANNEL_OUTPUT_LOW, offsetof(struct daq_format, output_low) },
};

static u32 *daq_format_field(struct daq_format *format, int i)
{
	return (void *)format + daq_format_attrs[i].offset;
}

static int daq_put_counter(struct sk_buff *msg, int attr, struct daq_card *card,
			   u32 channel, u32 reg)
{
	return nla_put_u64_64bit(msg, attr, daq_chan_read64(card, channel, reg),
				 DAQ_A_CHANNEL_PAD);
}

static int daq_fill_window(struct sk_buff *msg, struct daq_card *card,
			   u32 channel)
{
	const struct daq_window *window = &card->ctl->windows[channel];

	if (!daq_has_windows(card))
		return 0;
	if (nla_put_u32(msg, DAQ_A_CHANNEL_WINDOW_WITHHELD,
			READ_ONCE(window->withheld)) ||
	    nla_put_u8(msg, DAQ_A_CHANNEL_WINDOW_OWNED,
		       !!READ_ONCE(window->owner)) ||
	    nla_put_u32(msg, DAQ_A_CHANNEL_WINDOW_GENERATION,
			READ_ONCE(card->chans[channel].counters->generation)))
		return -EMSGSIZE;
	return 0;
}

static int daq_fill_channel(struct sk_buff *msg, struct daq_card *card,
			    u32 channel, u32 portid, u32 seq, int flags)
{
	struct daq_chan *chan = &card->chans[channel];
	void *hdr;
	int i;

	hdr = genlmsg_put(msg, portid, seq, &daq_family, flags,
			  DAQ_CMD_CHANNEL_GET);
	if (!hdr)
		return -EMSGSIZE;

	if (nla_put_u32(msg, DAQ_A_CHANNEL_IFINDEX, card->netdev->ifindex) ||
	    nla_put_u32(msg, DAQ_A_CHANNEL_ID, channel) ||
	    nla_put_u32(msg, DAQ_A_CHANNEL_QUEUE, chan->queue) ||
	    nla_put_u64_64bit(msg, DAQ_A_CHANNEL_RATE, chan->format.rate,
			      DAQ_A_CHANNEL_PAD) ||
	    daq_put_counter(msg, DAQ_A_CHANNEL_UNDERRUNS, card, channel,
			    DAQ_CHAN_UNDERRUNS) ||
	    daq_put_counter(msg, DAQ_A_CHANNEL_UNDERRUN_SAMPLE, card, channel,
			    DAQ_CHAN_UNDERRUN_SAMPLE))
		goto err_cancel;
	for (i = 0; i < ARRAY_SIZE(daq_format_attrs); i++)
		if (nla_put_u32(msg, daq_format_attrs[i].attr,
				*daq_format_field(&chan->format, i)))
			goto err_cancel;
	if (daq_fill_window(msg, card, channel))
		goto err_cancel;

	genlmsg_end(msg, hdr);
	return 0;

err_cancel:
	genlmsg_cancel(msg, hdr);
	return -EMSGSIZE;
}

/*
 * Context: RTNL held, or RCU read side.
 * Return: the card that a request is about, or an error.
 */
static struct daq_card *daq_request_card(struct net *net,
					 const struct nlattr *ifindex,
					 struct netlink_ext_ack *extack)
{
	struct net_device *netdev;

	if (!ifindex) {
		NL_SET_ERR_MSG(extack, "no interface index given");
		return ERR_PTR(-EINVAL);
	}
	/* What the caller holds is what keeps it. */
	rcu_read_lock();
	netdev = dev_get_by_index_rcu(net, nla_get_u32(ifindex));
	rcu_read_unlock();
	if (!netdev) {
		NL_SET_ERR_MSG_ATTR(extack, ifindex, "no such interface");
		return ERR_PTR(-ENODEV);
	}
	if (!daq_is_card(netdev)) {
		NL_SET_ERR_MSG_FMT(extack, "%s is not a DAQ card", netdev->name);
		return ERR_PTR(-EOPNOTSUPP);
	}
	return netdev_priv(netdev);
}

static_assert((int)DAQ_A_CHANNEL_ID == (int)DAQ_A_STATS_ID);

static int daq_request_channel(struct daq_card *card, struct genl_info *info,
			       u32 *channel)
{
	if (!info->attrs[DAQ_A_CHANNEL_ID]) {
		NL_SET_ERR_MSG(info->extack, "no channel given");
		return -EINVAL;
	}
	*channel = nla_get_u32(info->attrs[DAQ_A_CHANNEL_ID]);
	if (*channel >= card->channels) {
		NL_SET_ERR_MSG_FMT(info->extack, "no such channel: %u (%s has 0-%u)",
				   *channel, card->netdev->name,
				   card->channels - 1);
		return -EINVAL;
	}
	return 0;
}

static int daq_get_channel(struct daq_card *card, struct genl_info *info)
{
	struct sk_buff *msg;
	u32 channel;
	int err;

	err = daq_request_channel(card, info, &channel);
	if (err)
		return err;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	err = daq_fill_channel(msg, card, channel, info->snd_portid,
			       info->snd_seq, 0);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

static int daq_set_channel(struct daq_card *card, struct genl_info *info)
{
	struct daq_format format;
	u32 channel;
	int err, i;

	err = daq_request_channel(card, info, &channel);
	if (err)
		return err;

	format = card->chans[channel].format;
	for (i = 0; i < ARRAY_SIZE(daq_format_attrs); i++) {
		const struct nlattr *attr = info->attrs[daq_format_attrs[i].attr];

		if (attr)
			*daq_format_field(&format, i) = nla_get_u32(attr);
	}
	if (info->attrs[DAQ_A_CHANNEL_RATE])
		format.rate = nla_get_u64(info->attrs[DAQ_A_CHANNEL_RATE]);
	return daq_chan_set_format(card, channel, &format, info->extack);
}

static int daq_set_window(struct daq_card *card, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DAQ_A_CHANNEL_WINDOW_GRANTED];
	u32 channel;
	int err;

	err = daq_request_channel(card, info, &channel);
	if (err)
		return err;
	if (!attr) {
		NL_SET_ERR_MSG(info->extack, "not told whether to grant or to revoke");
		return -EINVAL;
	}
	if (!daq_has_windows(card)) {
		NL_SET_ERR_MSG_FMT(info->extack, "%s has no register windows",
				   card->netdev->name);
		return -EOPNOTSUPP;
	}
	daq_window_set(card, channel, DAQ_REASON_ADMIN, nla_get_u8(attr));
	return 0;
}

static int daq_set_cable(struct daq_card *card, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DAQ_A_CABLE_FAR_END];
	struct daq_card *far_end = NULL;

	if (attr) {
		far_end = daq_request_card(genl_info_net(info), attr,
					   info->extack);
		if (IS_ERR(far_end))
			return PTR_ERR(far_end);
	}
	if (!card->ops->set_cable || (far_end && far_end->ops != card->ops)) {
		NL_SET_ERR_MSG(info->extack, "only software cards have such cables");
		return -EOPNOTSUPP;
	}
	return card->ops->set_cable(card, far_end, info->extack);
}

/* As the driver takes it: a card without vectors is a polled one. */
static u32 daq_personality(const struct daq_card *card)
{
	if (card->kicked)
		return DAQ_PERSONALITY_KICKED;
	return card->polled ? DAQ_PERSONALITY_POLLED :
			      DAQ_PERSONALITY_INTERRUPT;
}

static int daq_fill_card(struct sk_buff *msg, struct daq_card *card,
			 struct genl_info *info)
{
	void *hdr;

	hdr = genlmsg_put_reply(msg, info, &daq_family, 0, DAQ_CMD_CARD_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(msg, DAQ_A_CARD_IFINDEX, card->netdev->ifindex) ||
	    nla_put_u32(msg, DAQ_A_CARD_PERSONALITY, daq_personality(card)) ||
	    nla_put_u32(msg, DAQ_A_CARD_CHANNELS, card->channels) ||
	    nla_put_u32(msg, DAQ_A_CARD_DEVICE, card->ctl->id)) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

static int daq_get_card(struct daq_card *card, struct genl_info *info)
{
	struct sk_buff *msg;
	int err;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	err = daq_fill_card(msg, card, info);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

static int daq_set_card(struct daq_card *card, struct genl_info *info)
{
	static const u32 caps[] = {
		[DAQ_PERSONALITY_INTERRUPT]	= DAQ_CAP_IRQ | DAQ_CAP_AUTO,
		[DAQ_PERSONALITY_POLLED]	= DAQ_CAP_AUTO,
		[DAQ_PERSONALITY_KICKED]	= 0,
	};
	const struct nlattr *attr = info->attrs[DAQ_A_CARD_PERSONALITY];

	if (!attr) {
		NL_SET_ERR_MSG(info->extack, "no personality given");
		return -EINVAL;
	}
	if (!card->ops->set_caps) {
		NL_SET_ERR_MSG(info->extack, "only software cards can have another personality");
		return -EOPNOTSUPP;
	}
	if (card->up) {
		NL_SET_ERR_MSG_FMT(info->extack, "the personality changes while %s is down only",
				   card->netdev->name);
		return -EBUSY;
	}
	card->ops->set_caps(card, caps[nla_get_u32(attr)]);
	daq_set_personality(card, caps[nla_get_u32(attr)]);
	return 0;
}

/* Where it is counted what became of segments in the host. */
#define DAQ_STATS_ATTR(what)	(DAQ_A_STATS_SOCKET + (what))

static_assert(DAQ_STATS_ATTR(DAQ_RX_DROP_XDP) == DAQ_A_STATS_DROP_XDP);
static_assert(DAQ_STATS_ATTR(DAQ_RX_DROP_STOPPED) == DAQ_A_STATS_DROP_STOPPED);
static_assert(DAQ_STATS_ATTR(DAQ_RX_COUNTS) == DAQ_A_STATS_DROP_NO_BUFFER);

static int daq_put_stat(struct sk_buff *msg, int attr, u64 count)
{
	return nla_put_u64_64bit(msg, attr, count, DAQ_A_STATS_PAD);
}

/* Produced is read last: then nothing has become of more than there was. */
static int daq_fill_stats(struct sk_buff *msg, struct daq_card *card,
			  struct genl_info *info, u32 channel)
{
	static const struct {
		u16 attr;
		u16 reg;
	} regs[] = {
		{ DAQ_A_STATS_DROP_NO_BUFFER, DAQ_CHAN_NO_BUFFER },
		{ DAQ_A_STATS_DROP_TOO_LONG, DAQ_CHAN_TOO_LONG },
		{ DAQ_A_STATS_DROP_FIFO_OVERRUN, DAQ_CHAN_FIFO_OVERRUN },
		{ DAQ_A_STATS_PRODUCED, DAQ_CHAN_PRODUCED },
	};
	struct daq_chan_counts counts;
	void *hdr;
	int i;

	hdr = genlmsg_put_reply(msg, info, &daq_family, 0, DAQ_CMD_STATS_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(msg, DAQ_A_STATS_IFINDEX, card->netdev->ifindex) ||
	    nla_put_u32(msg, DAQ_A_STATS_ID, channel))
		goto err_cancel;

	daq_read_chan_counts(&card->chans[channel], &counts);
	for (i = 0; i < DAQ_RX_COUNTS; i++)
		if (daq_put_stat(msg, DAQ_STATS_ATTR(i), counts.count[i]))
			goto err_cancel;
	for (i = 0; i < ARRAY_SIZE(regs); i++)
		if (daq_put_stat(msg, regs[i].attr,
				 daq_chan_read64(card, channel, regs[i].reg)))
			goto err_cancel;
	genlmsg_end(msg, hdr);
	return 0;

err_cancel:
	genlmsg_cancel(msg, hdr);
	return -EMSGSIZE;
}

/* Context: RCU read side. */
static int daq_get_stats(struct sk_buff *msg, struct genl_info *info)
{
	struct daq_card *card;
	u32 channel;
	int err;

	card = daq_request_card(genl_info_net(info),
				info->attrs[DAQ_A_STATS_IFINDEX], info->extack);
	if (IS_ERR(card))
		return PTR_ERR(card);
	err = daq_request_channel(card, info, &channel);
	if (err)
		return err;
	return daq_fill_stats(msg, card, info, channel);
}

/*
 * Without RTNL: who asks has just lost data and must not wait for others who have
 * something to set.
 */
static int daq_stats_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	int err;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	err = daq_get_stats(msg, info);
	rcu_read_unlock();
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/* All attribute sets begin with the interface. */
static_assert((int)DAQ_A_CHANNEL_IFINDEX == (int)DAQ_A_CABLE_IFINDEX);
static_assert((int)DAQ_A_CHANNEL_IFINDEX == (int)DAQ_A_CARD_IFINDEX);

static int daq_doit(struct genl_info *info,
		    int (*run)(struct daq_card *card, struct genl_info *info))
{
	struct daq_card *card;
	int err;

	rtnl_lock();
	card = daq_request_card(genl_info_net(info),
				info->attrs[DAQ_A_CHANNEL_IFINDEX],
				info->extack);
	err = IS_ERR(card) ? PTR_ERR(card) : run(card, info);
	rtnl_unlock();
	return err;
}

static int daq_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return daq_doit(info, daq_get_channel);
}

static int daq_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	return daq_doit(info, daq_set_channel);
}

static int daq_window_doit(struct sk_buff *skb, struct genl_info *info)
{
	return daq_doit(info, daq_set_window);
}

static int daq_cable_doit(struct sk_buff *skb, struct genl_info *info)
{
	return daq_doit(info, daq_set_cable);
}

static int daq_card_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return daq_doit(info, daq_get_card);
}

static int daq_card_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	return daq_doit(info, daq_set_card);
}

static int daq_fill_event(struct sk_buff *msg, struct daq_card *card,
			  const struct daq_event *event)
{
	void *hdr;

	hdr = genlmsg_put(msg, 0, 0, &daq_family, 0, DAQ_CMD_EVENT);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(msg, DAQ_A_EVENT_IFINDEX, card->netdev->ifindex) ||
	    nla_put_u32(msg, DAQ_A_EVENT_DEVICE, MINOR(card->ctl->dev.devt)) ||
	    nla_put_u32(msg, DAQ_A_EVENT_TYPE, event->type) ||
	    (event->channel != DAQ_EV_CARD &&
	     nla_put_u32(msg, DAQ_A_EVENT_CHANNEL, event->channel)) ||
	    nla_put_u32(msg, DAQ_A_EVENT_GENERATION, event->generation) ||
	    nla_put_u32(msg, DAQ_A_EVENT_REASON, event->reason) ||
	    nla_put_u64_64bit(msg, DAQ_A_EVENT_VALUE, event->value,
			      DAQ_A_EVENT_PAD) ||
	    nla_put_u64_64bit(msg, DAQ_A_EVENT_TIME, event->time,
			      DAQ_A_EVENT_PAD) ||
	    nla_put_u64_64bit(msg, DAQ_A_EVENT_LOST, event->lost,
			      DAQ_A_EVENT_PAD))
		return -EMSGSIZE;
	genlmsg_end(msg, hdr);
	return 0;
}

/* The namespace may be left, and end, at any time: without RTNL nobody waits. */
static struct net *daq_card_net(struct daq_card *card)
{
	struct net *net;

	rcu_read_lock();
	net = maybe_get_net(dev_net(card->netdev));
	rcu_read_unlock();
	return net;
}

static void daq_send_event(struct daq_card *card, struct net *net,
			   const struct daq_event *event)
{
	struct sk_buff *msg;

	if (!genl_has_listeners(&daq_family, net, 0))
		return;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return;
	if (daq_fill_event(msg, card, event))
		nlmsg_free(msg);
	else
		genlmsg_multicast_netns(&daq_family, net, msg, 0, 0, GFP_KERNEL);
}

/**
 * daq_netlink_event() - tell all who listen where the card's interface is
 * @card: card
 * @event: what happened
 *
 * Context: process.
 */
void daq_netlink_event(struct daq_card *card, const struct daq_event *event)
{
	struct net *net = daq_card_net(card);

	if (!net)
		return;
	daq_send_event(card, net, event);
	put_net(net);
}

/* Where a dump goes on. */
struct daq_dump {
	unsigned long ifindex;
	u32 channel;
};

static int daq_dump_card(struct sk_buff *msg, struct netlink_callback *cb,
			 struct daq_card *card)
{
	struct daq_dump *dump = (void *)cb->ctx;

	for (; dump->channel < card->channels; dump->channel++) {
		int err = daq_fill_channel(msg, card, dump->channel,
					   NETLINK_CB(cb->skb).portid,
					   cb->nlh->nlmsg_seq, NLM_F_MULTI);

		if (err)
			return err;
	}
	return 0;
}

static int daq_dump_all(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct daq_dump *dump = (void *)cb->ctx;
	struct net_device *netdev;
	int err;

	for_each_netdev_dump(sock_net(msg->sk), netdev, dump->ifindex) {
		if (!daq_is_card(netdev))
			continue;
		err = daq_dump_card(msg, cb, netdev_priv(netdev));
		if (err)
			return err;
		dump->channel = 0;
	}
	return 0;
}

static int daq_get_dumpit(struct sk_buff *msg, struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct daq_card *card;
	int err;

	BUILD_BUG_ON(sizeof(struct daq_dump) > sizeof(cb->ctx));

	rtnl_lock();
	if (info->attrs[DAQ_A_CHANNEL_IFINDEX]) {
		card = daq_request_card(sock_net(msg->sk),
					info->attrs[DAQ_A_CHANNEL_IFINDEX],
					info->extack);
		err = IS_ERR(card) ? PTR_ERR(card) : daq_dump_card(msg, cb, card);
	} else {
		err = daq_dump_all(msg, cb);
	}
	rtnl_unlock();
	return err == -EMSGSIZE ? msg->len : err;
}

static const struct genl_split_ops daq_ops[] = {
	{
		.cmd		= DAQ_CMD_CHANNEL_GET,
		.doit		= daq_get_doit,
		.policy		= daq_get_policy,
		.maxattr	= ARRAY_SIZE(daq_get_policy) - 1,
		.flags		= GENL_CMD_CAP_DO,
	}, {
		.cmd		= DAQ_CMD_CHANNEL_GET,
		.dumpit		= daq_get_dumpit,
		.policy		= daq_get_policy,
		.maxattr	= ARRAY_SIZE(daq_get_policy) - 1,
		.flags		= GENL_CMD_CAP_DUMP,
	}, {
		.cmd		= DAQ_CMD_CHANNEL_SET,
		.doit		= daq_set_doit,
		.policy		= daq_set_policy,
		.maxattr	= ARRAY_SIZE(daq_set_policy) - 1,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	}, {
		.cmd		= DAQ_CMD_CABLE_SET,
		.doit		= daq_cable_doit,
		.policy		= daq_cable_policy,
		.maxattr	= ARRAY_SIZE(daq_cable_policy) - 1,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	}, {
		.cmd		= DAQ_CMD_CARD_GET,
		.doit		= daq_card_get_doit,
		.policy		= daq_card_get_policy,
		.maxattr	= ARRAY_SIZE(daq_card_get_policy) - 1,
		.flags		= GENL_CMD_CAP_DO,
	}, {
		.cmd		= DAQ_CMD_CARD_SET,
		.doit		= daq_card_set_doit,
		.policy		= daq_card_set_policy,
		.maxattr	= ARRAY_SIZE(daq_card_set_policy) - 1,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	}, {
		.cmd		= DAQ_CMD_STATS_GET,
		.doit		= daq_stats_doit,
		.policy		= daq_stats_policy,
		.maxattr	= ARRAY_SIZE(daq_stats_policy) - 1,
		.flags		= GENL_CMD_CAP_DO,
	}, {
		.cmd		= DAQ_CMD_WINDOW_SET,
		.doit		= daq_window_doit,
		.policy		= daq_window_policy,
		.maxattr	= ARRAY_SIZE(daq_window_policy) - 1,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group daq_groups[] = {
	{ .name = DAQ_GROUP_EVENTS },
};

static struct genl_family daq_family __ro_after_init = {
	.name		= DAQ_FAMILY_NAME,
	.version	= DAQ_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= daq_ops,
	.n_split_ops	= ARRAY_SIZE(daq_ops),
	.mcgrps		= daq_groups,
	.n_mcgrps	= ARRAY_SIZE(daq_groups),
};

/**
 * daq_netlink_init() - register the family
 *
 * Return: 0 or a negative errno.
 */
int __init daq_netlink_init(void)
{
	return genl_register_family(&daq_family);
}

/**
 * daq_netlink_exit() - unregister it
 */
void daq_netlink_exit(void)
{
	genl_unregister_family(&daq_family);
}
