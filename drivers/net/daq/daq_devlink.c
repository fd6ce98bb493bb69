// SPDX-License-Identifier: GPL-2.0
/* devlink: what card this is, and its health. */
#include <linux/rtnetlink.h>
#include <net/devlink.h>

#include "daq.h"
#include "daq_compat.h"

static const char * const daq_error_names[] = {
	[DAQ_ERROR_TEST]	= "test",
	[DAQ_ERROR_BAD_DESC]	= "bad completion",
	[DAQ_ERROR_BAD_REPORT]	= "bad report",
	[DAQ_ERROR_STOP]	= "did not stop DMA",
	[DAQ_ERROR_MOVE]	= "did not move a channel",
	[DAQ_ERROR_DMA]		= "DMA refused by the bus",
	[DAQ_ERROR_GONE]	= "gone",
};

static_assert(ARRAY_SIZE(daq_error_names) == DAQ_ERRORS);

static struct daq_card *daq_devlink_card(struct devlink *devlink)
{
	return *(struct daq_card **)devlink_priv(devlink);
}

static int daq_info_get(struct devlink *devlink, struct devlink_info_req *req,
			struct netlink_ext_ack *extack)
{
	struct daq_card *card = daq_devlink_card(devlink);
	__le32 id = cpu_to_le32(card->ops->read32(card, DAQ_REG_ID));
	char text[20];
	int err;

	if (card->serial) {
		snprintf(text, sizeof(text), "%016llx", card->serial);
		err = devlink_info_serial_number_put(req, text);
		if (err)
			return err;
	}
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(id), (char *)&id);
	err = devlink_info_version_fixed_put(req,
					     DEVLINK_INFO_VERSION_GENERIC_ASIC_ID,
					     text);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%u",
		 card->ops->read32(card, DAQ_REG_VERSION));
	return devlink_info_version_running_put(req,
						DEVLINK_INFO_VERSION_GENERIC_FW,
						text);
}

static const struct devlink_ops daq_devlink_ops = {
	.info_get	= daq_info_get,
};

/* Health */

static int daq_health_diagnose(struct devlink_health_reporter *reporter,
			       struct devlink_fmsg *fmsg,
			       struct netlink_ext_ack *extack)
{
	struct daq_card *card = devlink_health_reporter_priv(reporter);
	struct daq_chan_counts counts;
	u64 bad_desc = 0;
	u32 i;

	for (i = 0; i < card->channels; i++) {
		daq_read_chan_counts(&card->chans[i], &counts);
		bad_desc += counts.count[DAQ_RX_DROP_BAD_DESC];
	}
	devlink_fmsg_bool_pair_put(fmsg, "running",
				   READ_ONCE(card->up));
	devlink_fmsg_u32_pair_put(fmsg, "channels", card->channels);
	devlink_fmsg_u32_pair_put(fmsg, "queues", READ_ONCE(card->nr_queues));
	devlink_fmsg_u64_pair_put(fmsg, "bad_completions", bad_desc);
	return 0;
}

static int daq_health_dump(struct devlink_health_reporter *reporter,
			   struct devlink_fmsg *fmsg, void *priv_ctx,
			   struct netlink_ext_ack *extack)
{
	struct daq_card *card = devlink_health_reporter_priv(reporter);
	u32 len = daq_get_regs_len(card->netdev);
	struct ethtool_regs regs;
	void *data;

	data = kvmalloc(len, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	daq_get_regs(card->netdev, &regs, data);
	devlink_fmsg_u32_pair_put(fmsg, "version", regs.version);
	devlink_fmsg_binary_pair_put(fmsg, "registers", data, len);
	kvfree(data);
	return 0;
}

static int daq_health_recover(struct devlink_health_reporter *reporter,
			      void *priv_ctx, struct netlink_ext_ack *extack)
{
	struct daq_card *card = devlink_health_reporter_priv(reporter);

	if (card->ops->restart)
		return card->ops->restart(card);
	rtnl_lock();
	daq_windows_revoke(card, DAQ_REASON_RESET);
	daq_restart(card);
	daq_windows_grant(card);
	rtnl_unlock();
	return 0;
}

static int daq_health_test(struct devlink_health_reporter *reporter,
			   struct netlink_ext_ack *extack)
{
	daq_report_error(devlink_health_reporter_priv(reporter),
			 DAQ_ERROR_TEST);
	return 0;
}

static const struct devlink_health_reporter_ops daq_reporter_ops = {
	.name		= "card",
	.diagnose	= daq_health_diagnose,
	.dump		= daq_health_dump,
	.recover	= daq_health_recover,
	.test		= daq_health_test,
	DAQ_REPORTER_PERIOD
};

/**
 * daq_report_error() - tell that the card did something wrong
 * @card: card
 * @error: what
 *
 * Context: any.
 */
void daq_report_error(struct daq_card *card, enum daq_error error)
{
	/* Of many at a time one event is enough. */
	if (!test_and_set_bit(error, &card->health.errors))
		daq_event(card, DAQ_EV_ERROR, DAQ_EV_CARD, error, 0);
	schedule_work(&card->health.work);
}

/* Under RTNL this could not be done: that is taken inside devlink's lock. */
static void daq_devlink_register(struct daq_card *card)
{
	struct devlink_health_reporter *reporter;
	struct devlink *devlink = card->health.devlink;

	devl_lock(devlink);
	reporter = daq_create_reporter(devlink, &daq_reporter_ops, card);
	if (!IS_ERR(reporter))
		card->health.reporter = reporter;
	devl_register(devlink);
	devl_unlock(devlink);
	card->health.registered = true;
}

static void daq_health_work(struct work_struct *work)
{
	struct daq_card *card = container_of(work, struct daq_card, health.work);
	unsigned int i;

	if (!card->health.registered)
		daq_devlink_register(card);
	if (!card->health.reporter)
		return;
	for (i = 0; i < DAQ_ERRORS; i++)
		if (test_and_clear_bit(i, &card->health.errors))
			devlink_health_report(card->health.reporter,
					      daq_error_names[i], card);
}

/**
 * daq_devlink_alloc() - get a devlink instance
 * @card: card whose @dev is set
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int daq_devlink_alloc(struct daq_card *card)
{
	struct devlink *devlink;

	devlink = devlink_alloc(&daq_devlink_ops, sizeof(card), card->dev);
	if (!devlink)
		return -ENOMEM;
	*(struct daq_card **)devlink_priv(devlink) = card;
	card->health.devlink = devlink;
	INIT_WORK(&card->health.work, daq_health_work);
	return 0;
}

/**
 * daq_devlink_show() - let user space see it, soon
 * @card: card whose interface is registered
 *
 * Context: process.
 */
void daq_devlink_show(struct daq_card *card)
{
	schedule_work(&card->health.work);
}

/**
 * daq_devlink_free() - undo daq_devlink_alloc() and daq_devlink_show()
 * @card: card whose registers can still be reached, but nobody uses it
 *
 * Context: process; if the instance is shown, RTNL not held.
 */
void daq_devlink_free(struct daq_card *card)
{
	struct daq_health *health = &card->health;

	disable_work_sync(&health->work);
	if (health->registered)
		devlink_unregister(health->devlink);
	if (health->reporter)
		devlink_health_reporter_destroy(health->reporter);
	devlink_free(health->devlink);
}
