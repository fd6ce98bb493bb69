// SPDX-License-Identifier: GPL-2.0
/*
 * Cards on the PCI bus: finding them, registers, interrupts, and what the bus
 * can do to a card. Documentation/card.rst is what they look like.
 */
#include <linux/interrupt.h>
#include <linux/iopoll.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/unaligned.h>

#include "daq.h"
#include "daq_compat.h"

#define DAQ_PCI_VENDOR	0xdac0
#define DAQ_PCI_CARD	0x0001
#define DAQ_PCI_REGS	0		/* BARs */
#define DAQ_PCI_USER	2

/*
 * A card that dies does so in silence, as does one that forgets to interrupt: how
 * often to look.
 */
#define DAQ_PCI_WATCH	msecs_to_jiffies(250)
/* After an error the PCI core waits 60 s for a card to answer, and then no more. */
#define DAQ_PCI_PATIENCE	msecs_to_jiffies(70 * MSEC_PER_SEC)

/* What can be done with the registers. */
enum daq_pci_state {
	DAQ_PCI_HERE,		/* everything */
	DAQ_PCI_AWAY,		/* nothing at the moment: asleep, or the bus is reset */
	DAQ_PCI_GONE,		/* nothing ever again */
};

struct daq_pci_vector {
	struct daq_pci *pci;
	char name[IFNAMSIZ + 12];
};

/**
 * struct daq_pci - a card on the PCI bus
 * @card: the driver's side; must be first
 * @pdev: the device
 * @regs: its registers
 * @user: its user pages, one per channel; 0: none
 * @caps: what it says that it can do
 * @state: enum daq_pci_state. AWAY and HERE are written with the interface
 *	   detached, GONE by whoever notices.
 * @buried: all have been told that it is gone; by @watch
 * @watch: looks whether the card lives and interrupts, and tells when not; disabled
 *	   while it is AWAY, but for errors of the bus, whose end it waits for
 * @nr_vectors: interrupt vectors; 0: none
 * @vectors: them
 */
struct daq_pci {
	struct daq_card card;
	struct pci_dev *pdev;
	void __iomem *regs;
	phys_addr_t user;
	u32 caps;
	int state;
	bool buried;
	struct delayed_work watch;
	u32 nr_vectors;
	struct daq_pci_vector *vectors;
};

static struct daq_pci *to_pci(struct daq_card *card)
{
	return container_of(card, struct daq_pci, card);
}

/* Registers */

static bool daq_pci_reachable(struct daq_card *card)
{
	return READ_ONCE(to_pci(card)->state) == DAQ_PCI_HERE;
}

static void daq_pci_lose(struct daq_pci *pci)
{
	if (xchg(&pci->state, DAQ_PCI_GONE) != DAQ_PCI_GONE)
		mod_delayed_work(DAQ_SYSTEM_WQ, &pci->watch, 0);
}

/* All ones may be a value, but not of the register that says who is there. */
static bool daq_pci_is_lost(struct daq_pci *pci)
{
	if (ioread32(pci->regs + DAQ_REG_ID) != U32_MAX)
		return false;
	daq_pci_lose(pci);
	return true;
}

/* A card that is not there reads 0: nothing is busy, ready, or to be done. */
static u32 daq_pci_read32(struct daq_card *card, u32 reg)
{
	struct daq_pci *pci = to_pci(card);
	u32 val;

	if (!daq_pci_reachable(card))
		return 0;
	val = ioread32(pci->regs + reg);
	if (unlikely(val == U32_MAX) && daq_pci_is_lost(pci))
		return 0;
	return val;
}

static void daq_pci_write32(struct daq_card *card, u32 reg, u32 val)
{
	if (daq_pci_reachable(card))
		iowrite32(val, to_pci(card)->regs + reg);
}

/* Nothing of the reset is over before it reads so. */
static int daq_pci_reset(struct daq_pci *pci)
{
	struct daq_card *card = &pci->card;
	u32 ctrl;

	daq_pci_write32(card, DAQ_REG_CTRL, DAQ_CTRL_RESET);
	if (read_poll_timeout(daq_pci_read32, ctrl, !(ctrl & DAQ_CTRL_RESET),
			      100, DAQ_CARD_TIMEOUT_US, false, card,
			      DAQ_REG_CTRL)) {
		pci_err(pci->pdev, "card did not reset\n");
		return -EIO;
	}
	return daq_pci_reachable(card) ? 0 : -ENODEV;
}

/* Interrupts: vector i is of queue i, the last one of the rest and of events. */

/* Cleared first: what happens from then on interrupts again. */
static void daq_pci_look_at_events(struct daq_pci *pci)
{
	u32 events = daq_pci_read32(&pci->card, DAQ_REG_EVENTS);

	if (!events)
		return;
	daq_pci_write32(&pci->card, DAQ_REG_EVENTS, events);
	if (events & DAQ_EVENT_DMA_ERROR)
		daq_report_error(&pci->card, DAQ_ERROR_DMA);
	if (events & DAQ_EVENT_USER)
		daq_windows_look(&pci->card);
}

static irqreturn_t daq_pci_irq(int irq, void *data)
{
	struct daq_pci_vector *vector = data;
	struct daq_pci *pci = vector->pci;
	struct daq_card *card = &pci->card;
	u32 i = vector - pci->vectors;
	bool last = i == pci->nr_vectors - 1;
	u32 end = last ? READ_ONCE(card->nr_queues) : i + 1;

	if (i < end)
		daq_irq(&card->queues[i]);
	/* Which of those that share it is not told: an idle one costs a poll. */
	while (++i < end)
		napi_schedule_irqoff(&card->queues[i].napi);
	if (last)
		daq_pci_look_at_events(pci);
	return IRQ_HANDLED;
}

static void daq_pci_free_irqs(struct daq_pci *pci, u32 count)
{
	while (count--)
		free_irq(pci_irq_vector(pci->pdev, count), &pci->vectors[count]);
}

static int daq_pci_request_irqs(struct daq_pci *pci)
{
	u32 i;
	int err;

	for (i = 0; i < pci->nr_vectors; i++) {
		struct daq_pci_vector *vector = &pci->vectors[i];

		vector->pci = pci;
		snprintf(vector->name, sizeof(vector->name), "%s-%u",
			 pci->card.netdev->name, i);
		err = request_irq(pci_irq_vector(pci->pdev, i), daq_pci_irq, 0,
				  vector->name, vector);
		if (err) {
			daq_pci_free_irqs(pci, i);
			return err;
		}
	}
	return 0;
}

static int daq_pci_open(struct daq_card *card)
{
	struct daq_pci *pci = to_pci(card);
	int err;

	err = daq_pci_request_irqs(pci);
	if (err)
		return err;
	if (!card->is_cut_off)
		pci_set_master(pci->pdev);
	if (pci->nr_vectors)
		daq_pci_write32(card, DAQ_REG_EVENT_MASK,
				DAQ_EVENT_DMA_ERROR | DAQ_EVENT_USER);
	return 0;
}

/*
 * A card that is late with DMA, though it has said that it is over, must not hit
 * what its memory becomes next. The answer to this write is behind all that the
 * card has sent.
 */
static void daq_pci_close(struct daq_card *card)
{
	struct daq_pci *pci = to_pci(card);

	daq_pci_write32(card, DAQ_REG_EVENT_MASK, 0);
	daq_pci_free_irqs(pci, pci->nr_vectors);
	pci_clear_master(pci->pdev);
}

static int daq_pci_try_vectors(struct daq_pci *pci, int count, unsigned int flags)
{
	if (count < 1)
		return 0;
	count = min_t(int, count, pci->card.channels + 1);
	return max(pci_alloc_irq_vectors(pci->pdev, count, count, flags), 0);
}

/*
 * All that the card has use for or, with MSI, one: with numbers in between the
 * two sides would not agree on who shares which.
 */
static void daq_pci_alloc_vectors(struct daq_pci *pci)
{
	struct pci_dev *pdev = pci->pdev;

	if (!(pci->caps & DAQ_CAP_IRQ))
		return;
	pci->nr_vectors = daq_pci_try_vectors(pci, pci_msix_vec_count(pdev),
					      PCI_IRQ_MSIX);
	if (!pci->nr_vectors)
		pci->nr_vectors = daq_pci_try_vectors(pci, pci_msi_vec_count(pdev),
						      PCI_IRQ_MSI);
	if (!pci->nr_vectors)
		pci->nr_vectors = daq_pci_try_vectors(pci, 1, PCI_IRQ_MSI);
	if (!pci->nr_vectors)
		pci_info(pdev, "no interrupts to be had: the card is polled\n");
}

static int daq_pci_setup_vectors(struct daq_pci *pci)
{
	daq_pci_alloc_vectors(pci);
	pci->vectors = kcalloc(pci->nr_vectors, sizeof(*pci->vectors),
			       GFP_KERNEL);
	if (!pci->vectors) {
		pci_free_irq_vectors(pci->pdev);
		return -ENOMEM;
	}
	daq_set_personality(&pci->card, pci->nr_vectors ?
					pci->caps : pci->caps & ~DAQ_CAP_IRQ);
	return 0;
}

/* A card that is not there any more */

/* Sockets are told that the interface is down, which then stays so. */
static void daq_pci_bury(struct daq_pci *pci)
{
	struct net_device *netdev = pci->card.netdev;

	pci->buried = true;
	pci_err(pci->pdev, "card is gone\n");
	/* Should it be there after all. */
	pci_clear_master(pci->pdev);
	daq_report_error(&pci->card, DAQ_ERROR_GONE);
	rtnl_lock();
	dev_close(netdev);
	netif_device_detach(netdev);
	daq_ctl_lose(&pci->card);
	rtnl_unlock();
}

/* Who holds RTNL may hold it for long; there is another look. */
static void daq_pci_watch_queues(struct daq_card *card)
{
	u32 i;

	if (!rtnl_trylock())
		return;
	for (i = 0; card->up && !card->polled && i < card->nr_queues; i++)
		daq_queue_watch(&card->queues[i]);
	rtnl_unlock();
}

static void daq_pci_watch(struct work_struct *work)
{
	struct daq_pci *pci = container_of(work, struct daq_pci, watch.work);

	/* Who was to bring it back does not say when that has failed. */
	cmpxchg(&pci->state, DAQ_PCI_AWAY, DAQ_PCI_GONE);
	daq_pci_watch_queues(&pci->card);
	/* This notices when the card is gone, too, and asks for another look. */
	daq_pci_look_at_events(pci);
	if (READ_ONCE(pci->state) != DAQ_PCI_GONE)
		schedule_delayed_work(&pci->watch, DAQ_PCI_WATCH);
	else if (!pci->buried)
		daq_pci_bury(pci);
}

/* Leaving a card alone for a while: sleep, resets by others, errors of the bus */

/* With @frozen, nothing can be told to the card any more. */
static void daq_pci_leave(struct daq_pci *pci, enum daq_reason reason,
			  bool frozen)
{
	struct net_device *netdev = pci->card.netdev;

	disable_delayed_work_sync(&pci->watch);
	if (frozen)
		cmpxchg(&pci->state, DAQ_PCI_HERE, DAQ_PCI_AWAY);
	rtnl_lock();
	daq_windows_revoke(&pci->card, reason);
	netif_device_detach(netdev);
	daq_down(&pci->card);
	daq_ctl_set_state(&pci->card, DAQ_STATE_SUSPENDED);
	daq_ptp_save(&pci->card);
	daq_read_counters(&pci->card);
	if (daq_pci_reachable(&pci->card)) {
		daq_save_places(&pci->card);
		daq_pci_reset(pci);
	}
	cmpxchg(&pci->state, DAQ_PCI_HERE, DAQ_PCI_AWAY);
	rtnl_unlock();
}

/* The card that was left alone has not come back. */
static void daq_pci_give_up(struct daq_pci *pci)
{
	enable_delayed_work(&pci->watch);
	WRITE_ONCE(pci->state, DAQ_PCI_GONE);
	mod_delayed_work(DAQ_SYSTEM_WQ, &pci->watch, 0);
}

/* The card is as after power-on, because it was @asleep or for another reason. */
static int daq_pci_come_back(struct daq_pci *pci, bool asleep)
{
	struct net_device *netdev = pci->card.netdev;
	int err;

	rtnl_lock();
	/* Two that leave it may come back at a time. */
	daq_down(&pci->card);
	cmpxchg(&pci->state, DAQ_PCI_AWAY, DAQ_PCI_HERE);
	err = daq_pci_reset(pci);
	if (err)
		goto err_give_up;
	pci->card.is_cut_off = false;
	daq_keep_counters(&pci->card);
	daq_restore_places(&pci->card, asleep);
	daq_ptp_restore(&pci->card);
	daq_ctl_set_state(&pci->card, DAQ_STATE_DOWN);
	if (netif_running(netdev))
		err = daq_up(&pci->card);
	if (err)
		goto err_give_up;
	netif_device_attach(netdev);
	daq_windows_grant(&pci->card);
	rtnl_unlock();

	enable_delayed_work(&pci->watch);
	schedule_delayed_work(&pci->watch, DAQ_PCI_WATCH);
	return 0;

err_give_up:
	rtnl_unlock();
	daq_pci_give_up(pci);
	return err;
}

/* Without the bus it reaches nothing. */
static void daq_pci_cut_off(struct daq_card *card)
{
	pci_clear_master(to_pci(card)->pdev);
}

static int daq_pci_restart(struct daq_card *card)
{
	struct daq_pci *pci = to_pci(card);

	if (READ_ONCE(pci->state) == DAQ_PCI_GONE)
		return -ENODEV;
	daq_pci_leave(pci, DAQ_REASON_RESET, false);
	return daq_pci_come_back(pci, false);
}

static int daq_pci_suspend(struct device *dev)
{
	struct daq_pci *pci = dev_get_drvdata(dev);

	daq_pci_leave(pci, DAQ_REASON_SUSPEND, false);
	rtnl_lock();
	daq_count_suspend(&pci->card);
	rtnl_unlock();
	daq_event(&pci->card, DAQ_EV_SUSPENDED, DAQ_EV_CARD, DAQ_REASON_SUSPEND, 0);
	return 0;
}

static int daq_pci_resume(struct device *dev)
{
	struct daq_pci *pci = dev_get_drvdata(dev);
	int err;

	err = daq_pci_come_back(pci, true);
	if (!err)
		daq_event(&pci->card, DAQ_EV_RESUMED, DAQ_EV_CARD, 0, 0);
	return err;
}

static DEFINE_SIMPLE_DEV_PM_OPS(daq_pci_pm_ops, daq_pci_suspend,
				daq_pci_resume);

/* The function is reset by somebody else, such as sysfs. */
static void daq_pci_reset_prepare(struct pci_dev *pdev)
{
	daq_pci_leave(pci_get_drvdata(pdev), DAQ_REASON_RESET, false);
}

static void daq_pci_reset_done(struct pci_dev *pdev)
{
	daq_pci_come_back(pci_get_drvdata(pdev), false);
}

static pci_ers_result_t daq_pci_error_detected(struct pci_dev *pdev,
					       pci_channel_state_t state)
{
	struct daq_pci *pci = pci_get_drvdata(pdev);

	if (state == pci_channel_io_perm_failure) {
		daq_pci_lose(pci);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	daq_pci_leave(pci, DAQ_REASON_RESET, state == pci_channel_io_frozen);
	enable_delayed_work(&pci->watch);
	schedule_delayed_work(&pci->watch, DAQ_PCI_PATIENCE);
	return PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t daq_pci_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	if (pci_device_is_present(pdev))
		return PCI_ERS_RESULT_RECOVERED;
	daq_pci_lose(pci_get_drvdata(pdev));
	return PCI_ERS_RESULT_DISCONNECT;
}

static void daq_pci_error_resume(struct pci_dev *pdev)
{
	struct daq_pci *pci = pci_get_drvdata(pdev);

	disable_delayed_work_sync(&pci->watch);
	daq_pci_come_back(pci, false);
}

static const struct pci_error_handlers daq_pci_error_handlers = {
	.error_detected	= daq_pci_error_detected,
	.slot_reset	= daq_pci_slot_reset,
	.resume		= daq_pci_error_resume,
	.reset_prepare	= daq_pci_reset_prepare,
	.reset_done	= daq_pci_reset_done,
};

static unsigned long daq_pci_window(struct daq_card *card, u32 channel,
				    bool *io)
{
	phys_addr_t user = to_pci(card)->user;

	*io = true;
	return user ? PHYS_PFN(user) + channel : 0;
}

static const struct daq_hw_ops daq_pci_ops = {
	.read32		= daq_pci_read32,
	.write32	= daq_pci_write32,
	.doorbell	= daq_pci_write32,
	.reachable	= daq_pci_reachable,
	.cut_off	= daq_pci_cut_off,
	.restart	= daq_pci_restart,
	.window		= daq_pci_window,
	.open		= daq_pci_open,
	.close		= daq_pci_close,
};

/* Finding and losing cards */

/* Return: number of channels, or a negative errno if this is no such card. */
static int daq_pci_identify(struct pci_dev *pdev, void __iomem *regs)
{
	u32 id = ioread32(regs + DAQ_REG_ID);
	u32 version = ioread32(regs + DAQ_REG_VERSION);
	u32 channels = ioread32(regs + DAQ_REG_CHANNELS);

	if (id != DAQ_HW_ID || version != DAQ_HW_VERSION) {
		pci_err(pdev, "not a card of ours: ID %#x, version %u\n", id,
			version);
		return -ENODEV;
	}
	if (channels < 1 || channels > DAQ_MAX_CHANNELS ||
	    pci_resource_len(pdev, DAQ_PCI_REGS) < DAQ_REG_SPACE(channels)) {
		pci_err(pdev, "%u channels do not fit the card\n", channels);
		return -ENODEV;
	}
	return channels;
}

/* A card may lack them, or the bus have no room: all else works without. */
static void daq_pci_find_user_pages(struct daq_pci *pci)
{
	struct pci_dev *pdev = pci->pdev;

	if (pci->caps & DAQ_CAP_USER &&
	    pci_resource_len(pdev, DAQ_PCI_USER) / DAQ_USER_PAGE_SIZE >=
	    pci->card.channels &&
	    !pcim_request_region(pdev, DAQ_PCI_USER, KBUILD_MODNAME))
		pci->user = pci_resource_start(pdev, DAQ_PCI_USER);
}

/* An address that stays, for a card that has a serial number. */
static void daq_pci_set_address(struct daq_pci *pci, struct net_device *netdev)
{
	u8 addr[ETH_ALEN] = { 0x02, 0xda };

	pci->card.serial = pci_get_dsn(pci->pdev);
	if (!pci->card.serial)
		return;
	put_unaligned_be32(pci->card.serial, &addr[2]);
	eth_hw_addr_set(netdev, addr);
	netdev->addr_assign_type = NET_ADDR_PERM;
}

static int daq_pci_setup_card(struct daq_pci *pci, struct net_device *netdev,
			      struct pci_dev *pdev, void __iomem *regs)
{
	struct daq_card *card = &pci->card;
	int err;

	pci->pdev = pdev;
	pci->regs = regs;
	INIT_DELAYED_WORK(&pci->watch, daq_pci_watch);
	/* There is nobody to tell yet. */
	disable_delayed_work(&pci->watch);
	card->dev = &pdev->dev;
	card->ops = &daq_pci_ops;
	card->channels = netdev->num_rx_queues;
	daq_pci_set_address(pci, netdev);
	err = daq_card_init(card, netdev);
	if (err)
		return err;

	err = daq_pci_reset(pci);
	if (err)
		goto err_free_card;
	pci->caps = daq_pci_read32(card, DAQ_REG_CAPS);
	daq_pci_find_user_pages(pci);
	err = daq_pci_setup_vectors(pci);
	if (err)
		goto err_free_card;
	return 0;

err_free_card:
	daq_card_free(card);
	return err;
}

/* The card knows of no memory when it is let go of. */
static void daq_pci_release_card(struct daq_pci *pci)
{
	daq_pci_reset(pci);
	pci_free_irq_vectors(pci->pdev);
	kfree(pci->vectors);
	daq_card_free(&pci->card);
}

static int daq_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct net_device *netdev;
	struct daq_pci *pci;
	void __iomem *regs;
	int err, channels;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	regs = pcim_iomap_region(pdev, DAQ_PCI_REGS, KBUILD_MODNAME);
	if (IS_ERR(regs))
		return PTR_ERR(regs);
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	channels = daq_pci_identify(pdev, regs);
	if (channels < 0)
		return channels;

	netdev = alloc_netdev_mqs(sizeof(*pci), "daq%d", NET_NAME_ENUM,
				  daq_setup, channels, channels);
	if (!netdev)
		return -ENOMEM;
	pci = netdev_priv(netdev);
	err = daq_pci_setup_card(pci, netdev, pdev, regs);
	if (err)
		goto err_free_netdev;
	err = daq_card_register(&pci->card, register_netdev);
	if (err)
		goto err_release_card;

	pci_set_drvdata(pdev, pci);
	/* For after an error of the bus. */
	pci_save_state(pdev);
	enable_delayed_work(&pci->watch);
	schedule_delayed_work(&pci->watch, DAQ_PCI_WATCH);
	return 0;

err_release_card:
	daq_pci_release_card(pci);
err_free_netdev:
	free_netdev(netdev);
	return err;
}

static void daq_pci_remove(struct pci_dev *pdev)
{
	struct daq_pci *pci = pci_get_drvdata(pdev);
	struct net_device *netdev = pci->card.netdev;

	disable_delayed_work_sync(&pci->watch);
	unregister_netdev(netdev);
	daq_ptp_unregister(&pci->card);
	daq_devlink_free(&pci->card);
	daq_pci_release_card(pci);
	free_netdev(netdev);
}

static void daq_pci_shutdown(struct pci_dev *pdev)
{
	daq_pci_leave(pci_get_drvdata(pdev), DAQ_REASON_SUSPEND, false);
}

static const struct pci_device_id daq_pci_ids[] = {
	{ PCI_DEVICE(DAQ_PCI_VENDOR, DAQ_PCI_CARD) },
	{ }
};
MODULE_DEVICE_TABLE(pci, daq_pci_ids);

static struct pci_driver daq_pci_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= daq_pci_ids,
	.probe		= daq_pci_probe,
	.remove		= daq_pci_remove,
	.shutdown	= daq_pci_shutdown,
	.driver.pm	= pm_sleep_ptr(&daq_pci_pm_ops),
	.err_handler	= &daq_pci_error_handlers,
};

/**
 * daq_pci_init() - drive cards on the PCI bus
 *
 * Return: 0 or a negative errno.
 */
int __init daq_pci_init(void)
{
	return pci_register_driver(&daq_pci_driver);
}

/**
 * daq_pci_exit() - let go of all of them
 */
void daq_pci_exit(void)
{
	pci_unregister_driver(&daq_pci_driver);
}
