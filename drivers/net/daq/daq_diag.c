// SPDX-License-Identifier: GPL-2.0
/* Looking after a card: registers shown, self test. */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/iopoll.h>
#include <linux/netdevice.h>

#include "daq.h"

/* Registers */

/* What is shown: of the global page that which has no effect when read. */
#define DAQ_DUMP_GLOBAL		4
#define DAQ_DUMP_CHAN		36
#define DAQ_DUMP_USER		6
#define DAQ_DUMP_QUEUE		32

/**
 * daq_get_regs_len() - ethtool operation: size of the dump of registers
 * @netdev: interface
 *
 * Return: bytes.
 */
int daq_get_regs_len(struct net_device *netdev)
{
	struct daq_card *card = netdev_priv(netdev);

	return sizeof(u32) * (DAQ_DUMP_GLOBAL + card->channels *
			      (DAQ_DUMP_CHAN + DAQ_DUMP_USER + DAQ_DUMP_QUEUE));
}

static u32 *daq_dump(struct daq_card *card, u32 *data, u32 reg, u32 count)
{
	for (; count; count--, reg += sizeof(u32))
		*data++ = card->ops->read32(card, reg);
	return data;
}

/**
 * daq_get_regs() - ethtool operation: dump the registers
 * @netdev: interface
 * @regs: gets the version of the layout, which is the card's
 * @data: gets the registers, 32 bits each in the host's order: of the global
 *	  page, then of channel and queue 0, of channel and queue 1 ...
 */
void daq_get_regs(struct net_device *netdev, struct ethtool_regs *regs,
		  void *data)
{
	struct daq_card *card = netdev_priv(netdev);
	u32 i;

	regs->version = card->ops->read32(card, DAQ_REG_VERSION);
	data = daq_dump(card, data, 0, DAQ_DUMP_GLOBAL);
	for (i = 0; i < card->channels; i++) {
		data = daq_dump(card, data, DAQ_REG_CHAN(i), DAQ_DUMP_CHAN);
		data = daq_dump(card, data, DAQ_REG_CHAN(i) + DAQ_CHAN_USER,
				DAQ_DUMP_USER);
		data = daq_dump(card, data, DAQ_REG_QUEUE(i), DAQ_DUMP_QUEUE);
	}
}

/* Self test: each part returns whether the card is good */

static bool daq_test_link(struct daq_card *card)
{
	return netif_carrier_ok(card->netdev);
}

/* Do registers have what they should have? */
static bool daq_test_registers(struct daq_card *card)
{
	u32 i;

	if (card->ops->read32(card, DAQ_REG_ID) != DAQ_HW_ID ||
	    card->ops->read32(card, DAQ_REG_CHANNELS) != card->channels)
		return false;
	if (!card->up)
		return true;

	for (i = 0; i < card->channels; i++) {
		u32 reg = DAQ_REG_CHAN(i);

		if (card->ops->read32(card, reg + DAQ_CHAN_QUEUE) !=
		    card->chans[i].queue)
			return false;
	}
	for (i = 0; i < card->nr_queues; i++) {
		struct daq_queue *q = &card->queues[i];

		if (daq_queue_read(q, DAQ_QUEUE_RX_SIZE) != q->rx.mask + 1 ||
		    daq_queue_read(q, DAQ_QUEUE_TX_SIZE) != q->tx.mask + 1)
			return false;
	}
	return true;
}

static bool daq_test_clock(struct daq_card *card)
{
	struct ptp_clock_info *ptp = &card->ptp.info;
	struct timespec64 before, after;

	ptp->gettimex64(ptp, &before, NULL);
	fsleep(USEC_PER_MSEC);
	ptp->gettimex64(ptp, &after, NULL);
	return !timespec64_equal(&before, &after);
}

/* Can the card have dropped what it says, and do its counters only grow? */
static bool daq_test_counters(struct daq_card *card)
{
	u32 i;

	for (i = 0; i < card->channels; i++) {
		u64 fifo = daq_chan_read64(card, i, DAQ_CHAN_FIFO_OVERRUN);
		u64 no_buffer = daq_chan_read64(card, i, DAQ_CHAN_NO_BUFFER);
		u64 too_long = daq_chan_read64(card, i, DAQ_CHAN_TOO_LONG);
		u64 produced = daq_chan_read64(card, i, DAQ_CHAN_PRODUCED);

		if (no_buffer + too_long + fifo > produced ||
		    daq_chan_read64(card, i, DAQ_CHAN_PRODUCED) < produced ||
		    daq_chan_read64(card, i, DAQ_CHAN_NO_BUFFER) < no_buffer ||
		    daq_chan_read64(card, i, DAQ_CHAN_TOO_LONG) < too_long ||
		    daq_chan_read64(card, i, DAQ_CHAN_FIFO_OVERRUN) < fifo)
			return false;
	}
	return true;
}

static u64 daq_received(struct daq_card *card, u32 channel)
{
	struct daq_chan_counts counts;
	u64 sum = 0;
	int i;

	daq_read_chan_counts(&card->chans[channel], &counts);
	for (i = 0; i < DAQ_RX_COUNTS; i++)
		sum += counts.count[i];
	return sum;
}

/* Play one packet, which is for nobody. */
static bool daq_play_packet(struct daq_card *card, u32 output)
{
	struct net_device *netdev = card->netdev;
	struct sk_buff *skb;
	struct ethhdr *eth;

	skb = netdev_alloc_skb(netdev, ETH_ZLEN);
	if (!skb)
		return false;
	eth = skb_put_zero(skb, ETH_ZLEN);
	ether_addr_copy(eth->h_dest, netdev->dev_addr);
	ether_addr_copy(eth->h_source, netdev->dev_addr);
	eth->h_proto = htons(ETH_P_LOOPBACK);
	skb->protocol = eth->h_proto;
	return dev_direct_xmit(skb, output) == NETDEV_TX_OK;
}

static bool daq_hears_itself(struct daq_card *card, u32 channel)
{
	u64 before = daq_received(card, channel);
	u64 now;

	return daq_play_packet(card, channel) &&
	       !read_poll_timeout(daq_received, now, now > before, 1000,
				  DAQ_CARD_TIMEOUT_US, false, card, channel);
}

/* Does each input hear the output of its channel, if that can play? */
static bool daq_test_loopback(struct daq_card *card)
{
	bool good = card->up;
	u32 i;

	for (i = 0; good && i < card->nr_queues; i++) {
		struct daq_format format = card->chans[i].format;
		struct daq_format loop = format;

		loop.source = DAQ_SOURCE_LOOPBACK;
		loop.loop_from = i;
		good = !daq_chan_set_format(card, i, &loop, NULL) &&
		       daq_hears_itself(card, i);
		daq_chan_set_format(card, i, &format, NULL);
	}
	return good;
}

/* In the order of the tests. */
const char daq_test_names[DAQ_TESTS][ETH_GSTRING_LEN] = {
	"Link       (on/offline)",
	"Registers  (on/offline)",
	"Clock      (on/offline)",
	"Counters   (on/offline)",
	"Loop-back  (offline)",
};

static bool (* const daq_tests[DAQ_TESTS])(struct daq_card *card) = {
	daq_test_link,
	daq_test_registers,
	daq_test_clock,
	daq_test_counters,
	daq_test_loopback,
};

/**
 * daq_self_test() - ethtool operation: test the card
 * @netdev: interface
 * @test: whether data may be disturbed; gets whether a test failed
 * @results: gets a result for each test, not 0 when it failed
 *
 * The last test takes over the inputs, one by one, and is done offline only.
 */
void daq_self_test(struct net_device *netdev, struct ethtool_test *test,
		   u64 *results)
{
	u32 count = test->flags & ETH_TEST_FL_OFFLINE ? DAQ_TESTS :
							DAQ_TESTS - 1;
	struct daq_card *card = netdev_priv(netdev);
	u32 i;

	for (i = 0; i < count; i++) {
		results[i] = !daq_tests[i](card);
		if (results[i])
			test->flags |= ETH_TEST_FL_FAILED;
	}
}
