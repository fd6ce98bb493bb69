// SPDX-License-Identifier: GPL-2.0
/*
 * The software card: `ip link add daq0 numrxqueues 8 numtxqueues 8 type daq`.
 *
 * A kernel thread plays the hardware by running the card model. Its DMA goes
 * to DMA addresses of a platform device of its own, its interrupts are real
 * ones that the CPU sends to itself.
 */
#include <linux/dma-direct.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/mod_devicetable.h>
#include <linux/platform_device.h>
#include <linux/vmalloc.h>
#include <net/rtnetlink.h>

#include "daq.h"
#include "daq_compat.h"
#include "daq_model.h"
#include "daq_wire.h"

/**
 * struct daq_cable - a cable between two software cards
 * @channels: channels that it connects
 * @wire: two for each of them, one per direction
 */
struct daq_cable {
	u32 channels;
	struct daq_wire wire[];
};

struct daq_vector {
	struct irq_work work;
	struct daq_queue *queue;
};

/**
 * struct daq_soft - a software card
 * @card: the driver's side; must be first
 * @pdev: the device that DMA addresses belong to
 * @model: the hardware
 * @lock: serialises steps of @model and writes to its registers
 * @engine: the thread that runs @model
 * @kicked: the engine has to look at the model again
 * @epoch: what to add to the time since boot to get the card's oscillator, ns:
 *	   it runs while the machine sleeps
 * @user: user pages of all channels
 * @vectors: one interrupt per queue
 * @cable: the cable that is plugged in, or NULL; written under
 *	   daq_soft_cables and @lock
 * @far_end: the card at its other end; as @cable
 */
struct daq_soft {
	struct daq_card card;
	struct platform_device *pdev;
	struct daq_model *model;
	struct mutex lock;	/* the model: steps and register writes */
	struct task_struct *engine;
	bool kicked;
	u64 epoch;
	void *user;
	struct daq_vector *vectors;
	struct daq_cable *cable;
	struct daq_soft *far_end;
};

static DEFINE_MUTEX(daq_soft_cables);	/* who is connected to whom */

static struct daq_soft *to_soft(struct daq_card *card)
{
	return container_of(card, struct daq_soft, card);
}

/* Whole pages, of zeros. That there are none is said by the refusal. */
static void *daq_soft_alloc(size_t size)
{
	return __vmalloc(size, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
}

/* Services for the model */

static void *daq_soft_memory(struct daq_soft *soft, u64 addr)
{
	return phys_to_virt(dma_to_phys(soft->card.dev, addr));
}

static bool daq_soft_read(void *ctx, u64 addr, void *buf, u32 len)
{
	memcpy(buf, daq_soft_memory(ctx, addr), len);
	return true;
}

static bool daq_soft_write(void *ctx, u64 addr, const void *buf, u32 len)
{
	memcpy(daq_soft_memory(ctx, addr), buf, len);
	return true;
}

static void *daq_soft_direct(void *ctx, u64 addr, u32 len)
{
	return daq_soft_memory(ctx, addr);
}

static bool daq_soft_publish(void *ctx, u64 addr, __le32 word)
{
	/* After the completions that it reports. */
	smp_store_release((__le32 *)daq_soft_memory(ctx, addr), word);
	return true;
}

static void daq_soft_raise(void *ctx, unsigned int vector)
{
	struct daq_soft *soft = ctx;

	irq_work_queue(&soft->vectors[vector].work);
}

static u64 daq_soft_now(void *ctx)
{
	struct daq_soft *soft = ctx;

	return ktime_get_boottime_ns() + soft->epoch;
}

static void daq_soft_kick(struct daq_soft *soft)
{
	/* After the register that was written; who was first wakes it. */
	if (!xchg(&soft->kicked, true))
		wake_up_process(soft->engine);
}

static void daq_soft_cable(void *ctx)
{
	struct daq_soft *soft = ctx;

	/* A step runs under the lock that protects this pointer. */
	daq_soft_kick(soft->far_end);
}

static __le32 *daq_soft_user(void *ctx, u32 channel)
{
	struct daq_soft *soft = ctx;

	return soft->user + channel * PAGE_SIZE;
}

static const struct daq_model_host daq_soft_host = {
	.read		= daq_soft_read,
	.write		= daq_soft_write,
	.direct		= daq_soft_direct,
	.publish	= daq_soft_publish,
	.raise		= daq_soft_raise,
	.now		= daq_soft_now,
	.cable		= daq_soft_cable,
	.user		= daq_soft_user,
};

/* The engine */

/* Sleep until the oscillator is at @next, a kick, the machine's sleep, or the end. */
static void daq_soft_sleep(struct daq_soft *soft, u64 next)
{
	ktime_t expires = ns_to_ktime(next - soft->epoch);

	set_current_state(TASK_INTERRUPTIBLE);
	/* Pairs with daq_soft_kick(): it may have come before the state. */
	if (smp_load_acquire(&soft->kicked) || kthread_should_park() ||
	    kthread_should_stop())
		__set_current_state(TASK_RUNNING);
	else if (next == U64_MAX)
		schedule();
	else
		schedule_hrtimeout_range_clock(&expires, 0, HRTIMER_MODE_ABS,
					       CLOCK_BOOTTIME);
}

static int daq_soft_engine(void *data)
{
	struct daq_soft *soft = data;
	u64 next;

	while (!kthread_should_stop()) {
		if (kthread_should_park())
			kthread_parkme();
		/* Before the step looks at the registers. */
		smp_store_mb(soft->kicked, false);
		mutex_lock(&soft->lock);
		next = daq_model_step(soft->model);
		mutex_unlock(&soft->lock);
		if (next > daq_soft_now(soft))
			daq_soft_sleep(soft, next);
		else
			cond_resched();
	}
	return 0;
}

/* Registers and interrupts */

static u32 daq_soft_read32(struct daq_card *card, u32 reg)
{
	return daq_model_read(to_soft(card)->model, reg);
}

static void daq_soft_write32(struct daq_card *card, u32 reg, u32 val)
{
	struct daq_soft *soft = to_soft(card);

	mutex_lock(&soft->lock);
	daq_model_write(soft->model, reg, val);
	mutex_unlock(&soft->lock);
	daq_soft_kick(soft);
}

static void daq_soft_doorbell(struct daq_card *card, u32 reg, u32 val)
{
	struct daq_soft *soft = to_soft(card);

	if (daq_model_doorbell(soft->model, reg, val))
		daq_soft_kick(soft);
}

static void daq_soft_irq(struct irq_work *work)
{
	daq_irq(container_of(work, struct daq_vector, work)->queue);
}

static int daq_soft_open(struct daq_card *card)
{
	struct daq_soft *soft = to_soft(card);
	u32 i;

	for (i = 0; i < card->channels; i++) {
		init_irq_work(&soft->vectors[i].work, daq_soft_irq);
		soft->vectors[i].queue = &card->queues[i];
	}
	return 0;
}

/* The queues have stopped: the card raises no more interrupts. */
static void daq_soft_close(struct daq_card *card)
{
	struct daq_soft *soft = to_soft(card);
	u32 i;

	for (i = 0; i < card->channels; i++)
		irq_work_sync(&soft->vectors[i].work);
}

/* Cables */

/* Connect one end: 0 sends on the even wires, 1 on the odd ones. */
static void daq_soft_plug(struct daq_soft *soft, struct daq_soft *far_end,
			  struct daq_cable *cable, u32 end)
{
	u32 i;

	mutex_lock(&soft->lock);
	soft->far_end = far_end;
	soft->cable = cable;
	for (i = 0; i < cable->channels; i++) {
		soft->model->chan[i].wire_out = &cable->wire[2 * i + end];
		soft->model->chan[i].wire_in = &cable->wire[2 * i + !end];
	}
	mutex_unlock(&soft->lock);
}

static void daq_soft_unplug(struct daq_soft *soft)
{
	u32 i;

	mutex_lock(&soft->lock);
	for (i = 0; i < soft->cable->channels; i++) {
		soft->model->chan[i].wire_out = NULL;
		soft->model->chan[i].wire_in = NULL;
	}
	soft->far_end = NULL;
	soft->cable = NULL;
	mutex_unlock(&soft->lock);
	/* It may have waited for room in the cable. */
	daq_soft_kick(soft);
}

static void daq_soft_remove_cable(struct daq_soft *soft)
{
	struct daq_soft *far_end = soft->far_end;
	struct daq_cable *cable = soft->cable;

	lockdep_assert_held(&daq_soft_cables);
	if (!cable)
		return;
	daq_soft_unplug(soft);
	daq_soft_unplug(far_end);
	vfree(cable);
}

static int daq_soft_connect(struct daq_soft *a, struct daq_soft *b,
			    struct netlink_ext_ack *extack)
{
	u32 channels = min(a->card.channels, b->card.channels);
	struct daq_cable *cable;

	lockdep_assert_held(&daq_soft_cables);
	if (b->cable && b->far_end != a) {
		NL_SET_ERR_MSG_FMT(extack, "%s has a cable to another card: unplug that one",
				   b->card.netdev->name);
		return -EBUSY;
	}
	cable = daq_soft_alloc(struct_size(cable, wire, 2 * channels));
	if (!cable)
		return -ENOMEM;

	cable->channels = channels;
	daq_soft_remove_cable(a);
	daq_soft_plug(a, b, cable, 0);
	daq_soft_plug(b, a, cable, 1);
	return 0;
}

static int daq_soft_set_cable(struct daq_card *card, struct daq_card *far_end,
			      struct netlink_ext_ack *extack)
{
	int err = 0;

	if (card == far_end) {
		NL_SET_ERR_MSG(extack, "a cable needs two cards; one card has source loopback");
		return -EINVAL;
	}
	mutex_lock(&daq_soft_cables);
	if (far_end)
		err = daq_soft_connect(to_soft(card), to_soft(far_end), extack);
	else
		daq_soft_remove_cable(to_soft(card));
	mutex_unlock(&daq_soft_cables);
	return err;
}

static void daq_soft_set_caps(struct daq_card *card, u32 caps)
{
	struct daq_soft *soft = to_soft(card);

	mutex_lock(&soft->lock);
	soft->model->caps = caps | DAQ_CAP_USER;
	mutex_unlock(&soft->lock);
	daq_soft_kick(soft);
}

static unsigned long daq_soft_window(struct daq_card *card, u32 channel,
				     bool *io)
{
	*io = false;
	return vmalloc_to_pfn(daq_soft_user(to_soft(card), channel));
}

static const struct daq_hw_ops daq_soft_ops = {
	.read32		= daq_soft_read32,
	.write32	= daq_soft_write32,
	.doorbell	= daq_soft_doorbell,
	.open		= daq_soft_open,
	.close		= daq_soft_close,
	.set_cable	= daq_soft_set_cable,
	.window		= daq_soft_window,
	.set_caps	= daq_soft_set_caps,
};

/* Plugging in and out */

#define DAQ_SOFT_NAME	"daq-soft"

static struct platform_device *daq_soft_create_device(void)
{
	const struct platform_device_info info = {
		.name		= DAQ_SOFT_NAME,
		.id		= PLATFORM_DEVID_AUTO,
		.dma_mask	= DMA_BIT_MASK(64),
	};
	struct platform_device *pdev;
	int err;

	pdev = platform_device_register_full(&info);
	if (IS_ERR(pdev))
		return pdev;
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err) {
		platform_device_unregister(pdev);
		return ERR_PTR(err);
	}
	return pdev;
}

static int daq_soft_create_model(struct daq_soft *soft)
{
	struct task_struct *engine;
	int err = -ENOMEM;

	soft->model = kvzalloc(sizeof(*soft->model), GFP_KERNEL);
	if (!soft->model)
		return -ENOMEM;
	soft->user = daq_soft_alloc(soft->card.channels * PAGE_SIZE);
	if (!soft->user)
		goto err_free_model;
	soft->epoch = ktime_get_real_ns() - ktime_get_boottime_ns();
	daq_model_init(soft->model, &daq_soft_host, soft, soft->card.channels,
		       DAQ_CAP_IRQ | DAQ_CAP_AUTO | DAQ_CAP_USER);

	engine = kthread_create(daq_soft_engine, soft, "%s",
				dev_name(soft->card.dev));
	if (IS_ERR(engine)) {
		err = PTR_ERR(engine);
		goto err_free_user;
	}
	/* Hardware does not wait for programs to leave a processor. */
	set_user_nice(engine, MIN_NICE);
	soft->engine = engine;
	wake_up_process(engine);
	return 0;

err_free_user:
	vfree(soft->user);
err_free_model:
	kvfree(soft->model);
	return err;
}

static void daq_soft_destroy_model(struct daq_soft *soft)
{
	kthread_stop(soft->engine);
	vfree(soft->user);
	kvfree(soft->model);
}

/* A card in a network name space that ends may go while the machine falls asleep. */
static void daq_soft_forget(struct daq_soft *soft)
{
	struct device *dev = &soft->pdev->dev;

	/* Held while daq_soft_suspend() and daq_soft_resume() run. */
	device_lock(dev);
	dev_set_drvdata(dev, NULL);
	device_unlock(dev);
}

static void daq_soft_destroy(struct net_device *netdev)
{
	struct daq_soft *soft = netdev_priv(netdev);

	daq_soft_forget(soft);
	daq_devlink_free(&soft->card);
	daq_ptp_unregister(&soft->card);
	mutex_lock(&daq_soft_cables);
	daq_soft_remove_cable(soft);
	mutex_unlock(&daq_soft_cables);
	daq_soft_destroy_model(soft);
	daq_card_free(&soft->card);
	kvfree(soft->vectors);
	platform_device_unregister(soft->pdev);
}

static int daq_soft_validate(struct nlattr *tb[], struct nlattr *data[],
			     struct netlink_ext_ack *extack)
{
	u32 rx = tb[IFLA_NUM_RX_QUEUES] ?
		 nla_get_u32(tb[IFLA_NUM_RX_QUEUES]) : 1;
	u32 tx = tb[IFLA_NUM_TX_QUEUES] ?
		 nla_get_u32(tb[IFLA_NUM_TX_QUEUES]) : 1;

	if (rx < 1 || rx > DAQ_MAX_CHANNELS) {
		NL_SET_ERR_MSG_FMT(extack, "a DAQ card has 1 to %u channels, not numrxqueues %u",
				   DAQ_MAX_CHANNELS, rx);
		return -EINVAL;
	}
	if (tx != rx) {
		NL_SET_ERR_MSG_FMT(extack,
				   "a channel has input and output: give numtxqueues %u, not %u",
				   rx, tx);
		return -EINVAL;
	}
	return 0;
}

static DAQ_NEWLINK(daq_soft_newlink)
{
	struct daq_soft *soft = netdev_priv(netdev);
	struct daq_card *card = &soft->card;
	int err;

	mutex_init(&soft->lock);
	card->ops = &daq_soft_ops;
	card->channels = netdev->num_rx_queues;

	soft->pdev = daq_soft_create_device();
	if (IS_ERR(soft->pdev))
		return PTR_ERR(soft->pdev);
	card->dev = &soft->pdev->dev;

	soft->vectors = kvcalloc(card->channels, sizeof(*soft->vectors),
				 GFP_KERNEL);
	if (!soft->vectors) {
		err = -ENOMEM;
		goto err_unregister_device;
	}
	err = daq_card_init(card, netdev);
	if (err)
		goto err_free_vectors;
	err = daq_soft_create_model(soft);
	if (err)
		goto err_free_card;
	daq_set_personality(card, daq_soft_read32(card, DAQ_REG_CAPS));
	err = daq_card_register(card, register_netdevice);
	if (err)
		goto err_destroy_model;
	/* Not before: a failing registration calls it only sometimes. */
	netdev->priv_destructor = daq_soft_destroy;
	platform_set_drvdata(soft->pdev, soft);
	return 0;

err_destroy_model:
	daq_soft_destroy_model(soft);
err_free_card:
	daq_card_free(card);
err_free_vectors:
	kvfree(soft->vectors);
err_unregister_device:
	platform_device_unregister(soft->pdev);
	return err;
}

static void daq_soft_setup(struct net_device *netdev)
{
	daq_setup(netdev);
	netdev->needs_free_netdev = true;
}

static struct rtnl_link_ops daq_soft_link_ops __read_mostly = {
	.kind		= "daq",
	.priv_size	= sizeof(struct daq_soft),
	.setup		= daq_soft_setup,
	.validate	= daq_soft_validate,
	.newlink	= daq_soft_newlink,
};

/* Sleep: without power nothing is acquired, but the clock goes on. */

static int daq_soft_suspend(struct device *dev)
{
	struct daq_soft *soft = dev_get_drvdata(dev);

	if (!soft)
		return 0;
	rtnl_lock();
	daq_windows_revoke(&soft->card, DAQ_REASON_SUSPEND);
	netif_device_detach(soft->card.netdev);
	daq_down(&soft->card);
	daq_ctl_set_state(&soft->card, DAQ_STATE_SUSPENDED);
	daq_count_suspend(&soft->card);
	rtnl_unlock();
	daq_event(&soft->card, DAQ_EV_SUSPENDED, DAQ_EV_CARD, DAQ_REASON_SUSPEND, 0);
	return kthread_park(soft->engine);
}

static int daq_soft_resume(struct device *dev)
{
	struct daq_soft *soft = dev_get_drvdata(dev);
	struct net_device *netdev;
	int err = 0;

	if (!soft)
		return 0;
	kthread_unpark(soft->engine);
	netdev = soft->card.netdev;
	rtnl_lock();
	daq_ctl_set_state(&soft->card, DAQ_STATE_DOWN);
	if (netif_running(netdev))
		err = daq_up(&soft->card);
	netif_device_attach(netdev);
	daq_windows_grant(&soft->card);
	if (err) {
		netdev_err(netdev, "cannot go on after sleep: %pe\n", ERR_PTR(err));
		dev_close(netdev);
	}
	rtnl_unlock();
	if (!err)
		daq_event(&soft->card, DAQ_EV_RESUMED, DAQ_EV_CARD, 0, 0);
	return err;
}

static DEFINE_SIMPLE_DEV_PM_OPS(daq_soft_pm_ops, daq_soft_suspend,
				daq_soft_resume);

/* What makes it is in charge of it: a driver is needed for sleep, and for its name. */
static const struct platform_device_id daq_soft_ids[] = {
	{ DAQ_SOFT_NAME },
	{ }
};

static struct platform_driver daq_soft_driver = {
	.driver = {
		.name			= KBUILD_MODNAME,
		.suppress_bind_attrs	= true,
		.pm			= pm_sleep_ptr(&daq_soft_pm_ops),
	},
	.id_table = daq_soft_ids,
};

/**
 * daq_soft_init() - make `ip link add type daq` work
 *
 * Return: 0 or a negative errno.
 */
int __init daq_soft_init(void)
{
	int err;

	err = platform_driver_register(&daq_soft_driver);
	if (err)
		return err;
	err = rtnl_link_register(&daq_soft_link_ops);
	if (err)
		platform_driver_unregister(&daq_soft_driver);
	return err;
}

/**
 * daq_soft_exit() - remove it and every software card
 */
void daq_soft_exit(void)
{
	rtnl_link_unregister(&daq_soft_link_ops);
	platform_driver_unregister(&daq_soft_driver);
}
