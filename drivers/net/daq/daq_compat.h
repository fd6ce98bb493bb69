/* SPDX-License-Identifier: GPL-2.0 */
/* Where 6.12 and 7.x differ, for a build outside the kernel's own tree. */
#ifndef _DAQ_COMPAT_H
#define _DAQ_COMPAT_H

#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/skbuff.h>
#include <linux/version.h>
#include <net/devlink.h>
#include <net/rtnetlink.h>
#include <net/xdp.h>
#include <net/xdp_sock_drv.h>

/* An error sooner after the last recovery does not bring another one, ms. */
#define DAQ_RECOVERY_PERIOD	1000

#if KERNEL_VERSION(7, 0, 0) > LINUX_VERSION_CODE

#define DAQ_NEWLINK(name)						\
	int name(struct net *src_net, struct net_device *netdev,	\
		 struct nlattr *tb[], struct nlattr *data[],		\
		 struct netlink_ext_ack *extack)

static inline void daq_skb_add_frags(struct sk_buff *skb,
				     const struct xdp_buff *xdp, u8 nr_frags,
				     u32 size)
{
	xdp_update_skb_shared_info(skb, nr_frags, size, nr_frags * PAGE_SIZE,
				   xdp_buff_is_frag_pfmemalloc((void *)xdp));
}

/*
 * A packet of a socket may have metadata in front of it. xsk_buff_get_metadata(),
 * which finds it, has got another argument in a point release of 6.12.
 */
static inline void
daq_xsk_request_metadata(struct xsk_buff_pool *pool,
			 const struct xdp_desc *desc,
			 const struct xsk_tx_metadata_ops *ops, void *priv,
			 struct xsk_tx_metadata_compl *compl)
{
	struct xsk_tx_metadata *meta = NULL;

	if (pool->tx_metadata_len && desc->options & XDP_TX_METADATA) {
		meta = xp_raw_get_data(pool, desc->addr) - pool->tx_metadata_len;
		if (!xsk_buff_valid_tx_metadata(meta))
			meta = NULL;
	}
	xsk_tx_metadata_request(meta, ops, priv);
	xsk_tx_metadata_to_compl(meta, compl);
}

#define DAQ_XSK_LAUNCH_TIME
#define DAQ_SYSTEM_WQ		system_wq

/* ETHTOOL_GRXRINGS tells it. */
#define DAQ_RX_RING_COUNT

static inline void daq_napi_add(struct net_device *netdev,
				struct napi_struct *napi,
				int (*poll)(struct napi_struct *napi, int budget),
				u32 index)
{
	netif_napi_add(netdev, napi, poll);
}

static inline void
daq_hrtimer_setup(struct hrtimer *timer,
		  enum hrtimer_restart (*fires)(struct hrtimer *timer))
{
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = fires;
}

#define DAQ_REPORTER_PERIOD

static inline struct devlink_health_reporter *
daq_create_reporter(struct devlink *devlink,
		    const struct devlink_health_reporter_ops *ops, void *priv)
{
	return devl_health_reporter_create(devlink, ops, DAQ_RECOVERY_PERIOD,
					   priv);
}

#else

#define DAQ_NEWLINK(name)						\
	int name(struct net_device *netdev,				\
		 struct rtnl_newlink_params *params,			\
		 struct netlink_ext_ack *extack)

static inline void daq_skb_add_frags(struct sk_buff *skb,
				     const struct xdp_buff *xdp, u8 nr_frags,
				     u32 size)
{
	xdp_update_skb_frags_info(skb, nr_frags, size, nr_frags * PAGE_SIZE,
				  xdp_buff_get_skb_flags(xdp));
}

static inline void
daq_xsk_request_metadata(struct xsk_buff_pool *pool,
			 const struct xdp_desc *desc,
			 const struct xsk_tx_metadata_ops *ops, void *priv,
			 struct xsk_tx_metadata_compl *compl)
{
	struct xsk_tx_metadata *meta;

	meta = xsk_buff_get_metadata(pool, desc->addr, desc->options);
	xsk_tx_metadata_request(pool, &meta, ops, priv);
	xsk_tx_metadata_to_compl(meta, compl);
}

#define DAQ_XSK_LAUNCH_TIME	\
	.tmo_request_launch_time = daq_request_launch_time,
#define DAQ_SYSTEM_WQ		system_percpu_wq

static inline u32 daq_get_rx_ring_count(struct net_device *netdev)
{
	return netdev->real_num_rx_queues;
}

#define DAQ_RX_RING_COUNT	.get_rx_ring_count = daq_get_rx_ring_count,

/* Each napi_enable() would give it another id if it had no place for one. */
static inline void daq_napi_add(struct net_device *netdev,
				struct napi_struct *napi,
				int (*poll)(struct napi_struct *napi, int budget),
				u32 index)
{
	netif_napi_add_config(netdev, napi, poll, index);
}

static inline void
daq_hrtimer_setup(struct hrtimer *timer,
		  enum hrtimer_restart (*fires)(struct hrtimer *timer))
{
	hrtimer_setup(timer, fires, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
}

#define DAQ_REPORTER_PERIOD	.default_graceful_period = DAQ_RECOVERY_PERIOD,

static inline struct devlink_health_reporter *
daq_create_reporter(struct devlink *devlink,
		    const struct devlink_health_reporter_ops *ops, void *priv)
{
	return devl_health_reporter_create(devlink, ops, priv);
}

#endif

#endif /* _DAQ_COMPAT_H */
