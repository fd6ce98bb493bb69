// SPDX-License-Identifier: GPL-2.0
/*
 * Packet taps (tcpdump) see the headers of what XDP programs take away from
 * the stack: of segments that zero-copy sockets get, above all.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>

#include "daq.h"

/* A segment's header, or those of most other packets. */
#define DAQ_TAP_BYTES		128

/**
 * daq_is_tapped() - whether somebody looks at packets
 * @netdev: interface
 *
 * A bridge and its like would take headers for packets: then there is no tap.
 *
 * Context: RCU read side.
 * Return: whether daq_show_to_tap() is worth while.
 */
bool daq_is_tapped(const struct net_device *netdev)
{
	return (dev_nit_active((struct net_device *)netdev) ||
		!list_empty(&netdev->ptype_specific)) &&
	       !rcu_access_pointer(netdev->rx_handler);
}

/**
 * daq_show_to_tap() - show taps the header of a packet that the stack won't get
 * @q: queue that received it
 * @xdp: packet, not given away yet
 * @hdr_len: bytes of a segment's header; 0 for other packets
 * @timestamp: card clock, ns
 *
 * The payload is not shown: it is not the kernel's to look at, and long.
 *
 * Context: NAPI.
 */
void daq_show_to_tap(struct daq_queue *q, const struct xdp_buff *xdp,
		     u32 hdr_len, u64 timestamp)
{
	u32 len = min_t(u32, xdp->data_end - xdp->data,
			hdr_len ?: DAQ_TAP_BYTES);
	struct sk_buff *skb;

	if (len < ETH_HLEN)
		return;
	/* Without memory there is nothing to be seen, and nothing lost. */
	skb = napi_alloc_skb(&q->napi, len);
	if (!skb)
		return;

	skb_put_data(skb, xdp->data, len);
	skb->protocol = eth_type_trans(skb, q->card->netdev);
	/* Keeps it out of protocols: only taps take what is for others. */
	skb->pkt_type = PACKET_OTHERHOST;
	skb_record_rx_queue(skb, q->index);
	skb_hwtstamps(skb)->hwtstamp = ns_to_ktime(timestamp);
	netif_receive_skb(skb);
}
