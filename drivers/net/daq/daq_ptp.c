// SPDX-License-Identifier: GPL-2.0
/* The card's clock: PTP hardware clock, hardware time stamps. */
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/ptp_clock_kernel.h>

#include "daq.h"

/* What the signed 32 bits of CLOCK_ADJ can do, parts per billion. */
#define DAQ_MAX_ADJ	(NSEC_PER_SEC / (1 << (DAQ_CLOCK_ADJ_SHIFT - 31)) - 1)

static struct daq_card *daq_ptp_card(struct ptp_clock_info *info)
{
	return container_of(info, struct daq_card, ptp.info);
}

static void daq_clock_write64(struct daq_card *card, u32 reg, u64 val)
{
	mutex_lock(&card->ptp.lock);
	card->ops->write32(card, reg, lower_32_bits(val));
	card->ops->write32(card, reg + 4, upper_32_bits(val));
	mutex_unlock(&card->ptp.lock);
}

static int daq_gettimex64(struct ptp_clock_info *info, struct timespec64 *ts,
			  struct ptp_system_timestamp *sts)
{
	struct daq_card *card = daq_ptp_card(info);
	u32 low, high;

	if (!daq_reachable(card))
		return -ENODEV;
	mutex_lock(&card->ptp.lock);
	ptp_read_system_prets(sts);
	low = card->ops->read32(card, DAQ_REG_CLOCK);
	ptp_read_system_postts(sts);
	/* Of the same moment: the card kept it. */
	high = card->ops->read32(card, DAQ_REG_CLOCK + 4);
	mutex_unlock(&card->ptp.lock);

	*ts = ns_to_timespec64((u64)high << 32 | low);
	return 0;
}

static int daq_settime64(struct ptp_clock_info *info,
			 const struct timespec64 *ts)
{
	daq_clock_write64(daq_ptp_card(info), DAQ_REG_CLOCK,
			  timespec64_to_ns(ts));
	return 0;
}

static int daq_adjtime(struct ptp_clock_info *info, s64 delta)
{
	daq_clock_write64(daq_ptp_card(info), DAQ_REG_CLOCK_STEP, delta);
	return 0;
}

static int daq_adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	struct daq_card *card = daq_ptp_card(info);
	bool slower;
	u64 adj;

	slower = diff_by_scaled_ppm(BIT_ULL(DAQ_CLOCK_ADJ_SHIFT), scaled_ppm,
				    &adj);
	mutex_lock(&card->ptp.lock);
	card->ptp.adj = slower ? -adj : adj;
	card->ops->write32(card, DAQ_REG_CLOCK_ADJ, card->ptp.adj);
	mutex_unlock(&card->ptp.lock);
	return 0;
}

/**
 * daq_ptp_register() - make the card's clock a /dev/ptpN
 * @card: card whose registers can be reached
 *
 * It is there from now on, whether the interface is up or not, and begins with
 * the system's time.
 *
 * Context: process.
 * Return: 0, also when the kernel has no PTP support, or a negative errno.
 */
int daq_ptp_register(struct daq_card *card)
{
	struct ptp_clock *clock;

	mutex_init(&card->ptp.lock);
	card->ptp.info = (struct ptp_clock_info){
		.owner		= THIS_MODULE,
		.name		= KBUILD_MODNAME,
		.max_adj	= DAQ_MAX_ADJ,
		.gettimex64	= daq_gettimex64,
		.settime64	= daq_settime64,
		.adjtime	= daq_adjtime,
		.adjfine	= daq_adjfine,
	};
	/* A card that was reset knows its own age only. */
	daq_clock_write64(card, DAQ_REG_CLOCK, ktime_get_real_ns());
	clock = ptp_clock_register(&card->ptp.info, card->dev);
	if (IS_ERR(clock))
		return PTR_ERR(clock);
	card->ptp.clock = clock;
	return 0;
}

/**
 * daq_ptp_unregister() - undo daq_ptp_register()
 * @card: card whose registers can still be reached
 *
 * Nobody reads or sets the clock any more when it returns; who has the device
 * open gets -ENODEV.
 *
 * Context: process.
 */
void daq_ptp_unregister(struct daq_card *card)
{
	if (card->ptp.clock)
		ptp_clock_unregister(card->ptp.clock);
	mutex_destroy(&card->ptp.lock);
}

/**
 * daq_ptp_save() - note what the clock shows
 * @card: card that is about to be reset
 *
 * Context: process.
 */
void daq_ptp_save(struct daq_card *card)
{
	struct daq_ptp *ptp = &card->ptp;
	struct timespec64 ts;

	/* What an earlier call could read is of use, too. */
	if (daq_gettimex64(&ptp->info, &ts, NULL))
		return;
	ptp->saved = timespec64_to_ns(&ts);
	ptp->saved_at = ktime_get_boottime_ns();
}

/**
 * daq_ptp_restore() - let the clock go on as if nothing had happened
 * @card: card that has been reset
 *
 * It has missed the adjustment of its frequency in the meantime.
 *
 * Context: process.
 */
void daq_ptp_restore(struct daq_card *card)
{
	struct daq_ptp *ptp = &card->ptp;

	mutex_lock(&ptp->lock);
	card->ops->write32(card, DAQ_REG_CLOCK_ADJ, ptp->adj);
	mutex_unlock(&ptp->lock);
	if (ptp->saved_at)
		daq_clock_write64(card, DAQ_REG_CLOCK, ptp->saved +
				  ktime_get_boottime_ns() - ptp->saved_at);
	ptp->saved_at = 0;
}

/**
 * daq_get_ts_info() - what can be time stamped, and which clock that is
 * @netdev: interface
 * @info: gets it
 *
 * Return: 0.
 */
int daq_get_ts_info(struct net_device *netdev,
		    struct kernel_ethtool_ts_info *info)
{
	struct daq_card *card = netdev_priv(netdev);

	info->so_timestamping = SOF_TIMESTAMPING_TX_SOFTWARE |
				SOF_TIMESTAMPING_RX_SOFTWARE |
				SOF_TIMESTAMPING_SOFTWARE |
				SOF_TIMESTAMPING_TX_HARDWARE |
				SOF_TIMESTAMPING_RX_HARDWARE |
				SOF_TIMESTAMPING_RAW_HARDWARE;
	if (card->ptp.clock)
		info->phc_index = ptp_clock_index(card->ptp.clock);
	info->tx_types = BIT(HWTSTAMP_TX_OFF) | BIT(HWTSTAMP_TX_ON);
	info->rx_filters = BIT(HWTSTAMP_FILTER_NONE) | BIT(HWTSTAMP_FILTER_ALL);
	return 0;
}

/**
 * daq_hwtstamp_get() - ndo_hwtstamp_get
 * @netdev: interface
 * @config: gets what is time stamped
 *
 * Context: process, RTNL held.
 * Return: 0.
 */
int daq_hwtstamp_get(struct net_device *netdev,
		     struct kernel_hwtstamp_config *config)
{
	struct daq_card *card = netdev_priv(netdev);

	config->tx_type = card->hwtstamp.tx_type;
	config->rx_filter = card->hwtstamp.rx_filter;
	return 0;
}

/**
 * daq_hwtstamp_set() - ndo_hwtstamp_set
 * @netdev: interface
 * @config: what to time stamp; gets what really is
 * @extack: gets the reason of a refusal
 *
 * The card stamps everything that comes in: who asks for some gets all.
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno; then all stays as it was.
 */
int daq_hwtstamp_set(struct net_device *netdev,
		     struct kernel_hwtstamp_config *config,
		     struct netlink_ext_ack *extack)
{
	struct daq_card *card = netdev_priv(netdev);

	if (config->tx_type != HWTSTAMP_TX_OFF &&
	    config->tx_type != HWTSTAMP_TX_ON) {
		NL_SET_ERR_MSG(extack, "time stamps of what is sent are off or on");
		return -ERANGE;
	}
	if (config->rx_filter != HWTSTAMP_FILTER_NONE)
		config->rx_filter = HWTSTAMP_FILTER_ALL;

	WRITE_ONCE(card->hwtstamp.tx_type, config->tx_type);
	WRITE_ONCE(card->hwtstamp.rx_filter, config->rx_filter);
	return 0;
}
