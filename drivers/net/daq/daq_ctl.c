// SPDX-License-Identifier: GPL-2.0
/*
 * The control device /dev/daqN of a card: events to be read, memory to be mapped.
 * See Documentation/control.rst.
 *
 * The interface works without anybody having it open. Who has, does not keep the
 * card: a file that is open when the card goes is told so, and stays what it is.
 */
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "daq.h"

#define DAQ_MINORS	1024

static dev_t daq_first_dev;
static DEFINE_IDA(daq_ids);

static const struct class daq_class = {
	.name = "daq",
};

static struct daq_ctl *to_ctl(struct cdev *cdev)
{
	return container_of(cdev, struct daq_ctl, cdev);
}

/* Files */

static int daq_file_open(struct inode *inode, struct file *filp)
{
	struct daq_ctl *ctl = to_ctl(inode->i_cdev);
	struct daq_file *file;
	bool gone;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->ctl = ctl;
	init_waitqueue_head(&file->wait);

	spin_lock_irq(&ctl->event_lock);
	gone = ctl->gone;
	if (!gone)
		list_add_tail(&file->node, &ctl->files);
	spin_unlock_irq(&ctl->event_lock);
	if (gone) {
		kfree(file);
		return -ENODEV;
	}
	daq_counters_watch(ctl);
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int daq_file_release(struct inode *inode, struct file *filp)
{
	struct daq_file *file = filp->private_data;

	spin_lock_irq(&file->ctl->event_lock);
	list_del(&file->node);
	spin_unlock_irq(&file->ctl->event_lock);
	kfree(file);
	return 0;
}

/* Whether read() need not wait: for an event, or the end of all events. */
static bool daq_file_readable(struct daq_file *file)
{
	const struct daq_event_queue *events = &file->events;

	return READ_ONCE(events->head) != READ_ONCE(events->tail) ||
	       READ_ONCE(file->ctl->gone);
}

static ssize_t daq_file_read(struct file *filp, char __user *buf, size_t count,
			     loff_t *pos)
{
	struct daq_file *file = filp->private_data;
	struct daq_ctl *ctl = file->ctl;
	struct daq_event event;
	size_t done = 0;
	int err;

	if (count < sizeof(event))
		return -EINVAL;
	while (!daq_file_readable(file)) {
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(file->wait,
					       daq_file_readable(file));
		if (err)
			return err;
	}

	while (count - done >= sizeof(event) &&
	       daq_event_take(ctl, &file->events, &event)) {
		if (copy_to_user(buf + done, &event, sizeof(event))) {
			daq_event_forget(ctl, &file->events, &event);
			return done ?: -EFAULT;
		}
		done += sizeof(event);
	}
	return done;
}

static __poll_t daq_file_poll(struct file *filp, poll_table *wait)
{
	struct daq_file *file = filp->private_data;
	__poll_t mask = 0;

	poll_wait(filp, &file->wait, wait);
	spin_lock_irq(&file->ctl->event_lock);
	if (file->events.head != file->events.tail)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (file->events.urgent)
		mask |= EPOLLPRI;
	if (file->ctl->gone)
		mask |= EPOLLHUP;
	spin_unlock_irq(&file->ctl->event_lock);
	return mask;
}

/* Windows are that far from each other. */
#define DAQ_WINDOW_STRIDE	(DAQ_MMAP_WINDOW(1) - DAQ_MMAP_WINDOW(0))

static int daq_file_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct daq_file *file = filp->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 window;

	if (offset == DAQ_MMAP_COUNTERS)
		return daq_counters_mmap(file->ctl, vma);
	if (offset < DAQ_MMAP_WINDOW(0))
		return -EINVAL;
	window = offset - DAQ_MMAP_WINDOW(0);
	if (window % DAQ_WINDOW_STRIDE)
		return -EINVAL;
	return daq_window_mmap(file, vma, window / DAQ_WINDOW_STRIDE);
}

static const struct file_operations daq_file_ops = {
	.owner		= THIS_MODULE,
	.open		= daq_file_open,
	.release	= daq_file_release,
	.read		= daq_file_read,
	.poll		= daq_file_poll,
	.mmap		= daq_file_mmap,
};

/* The device */

static void daq_ctl_release(struct device *dev)
{
	struct daq_ctl *ctl = container_of(dev, struct daq_ctl, dev);

	daq_windows_free(ctl);
	vfree(ctl->counters);
	kfree(ctl);
}

/**
 * daq_ctl_alloc() - get the memory of a card's control device
 * @card: card without one
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int daq_ctl_alloc(struct daq_card *card)
{
	struct daq_ctl *ctl;
	int err;

	ctl = kzalloc(sizeof(*ctl), GFP_KERNEL);
	if (!ctl)
		return -ENOMEM;
	err = daq_windows_init(ctl, card->channels);
	if (err) {
		kfree(ctl);
		return err;
	}
	device_initialize(&ctl->dev);
	ctl->dev.class = &daq_class;
	ctl->dev.release = daq_ctl_release;
	ctl->id = -1;
	mutex_init(&ctl->lock);
	daq_event_init(ctl);
	daq_counters_init(ctl);
	card->ctl = ctl;
	return 0;
}

static int daq_ctl_add(struct daq_ctl *ctl, int id)
{
	int err;

	ctl->dev.devt = MKDEV(MAJOR(daq_first_dev), MINOR(daq_first_dev) + id);
	err = dev_set_name(&ctl->dev, "daq%d", id);
	if (err)
		return err;
	cdev_init(&ctl->cdev, &daq_file_ops);
	ctl->cdev.owner = THIS_MODULE;
	return cdev_device_add(&ctl->cdev, &ctl->dev);
}

/**
 * daq_ctl_register() - let a card's control device be opened
 * @card: card
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int daq_ctl_register(struct daq_card *card)
{
	struct daq_ctl *ctl = card->ctl;
	int id, err;

	id = ida_alloc_max(&daq_ids, DAQ_MINORS - 1, GFP_KERNEL);
	if (id < 0)
		return id;
	ctl->card = card;
	ctl->dev.parent = card->dev;
	daq_windows_begin(card);
	err = daq_ctl_add(ctl, id);
	if (err) {
		daq_windows_revoke(card, DAQ_REASON_REMOVED);
		ctl->card = NULL;
		ida_free(&daq_ids, id);
		return err;
	}
	ctl->id = id;
	return 0;
}

/**
 * daq_ctl_set_state() - tell what the card is doing
 * @card: card
 * @state: that; after DAQ_STATE_GONE nothing else comes
 *
 * Context: process, RTNL held.
 */
void daq_ctl_set_state(struct daq_card *card, enum daq_state state)
{
	struct daq_counters_page *counters = card->ctl->counters;

	if (counters->state != DAQ_STATE_GONE)
		WRITE_ONCE(counters->state, state);
	if (state == DAQ_STATE_UP)
		daq_counters_watch(card->ctl);
}

/**
 * daq_ctl_lose() - the card will never work again
 * @card: card, which may still be registered
 *
 * Context: process, RTNL held.
 */
void daq_ctl_lose(struct daq_card *card)
{
	daq_windows_revoke(card, DAQ_REASON_REMOVED);
	daq_ctl_set_state(card, DAQ_STATE_GONE);
	daq_event(card, DAQ_EV_REMOVED, DAQ_EV_CARD, 0, 0);
}

/**
 * daq_ctl_unregister() - undo daq_ctl_register(), if that has been done
 * @card: card, which is about to go
 *
 * Files that are open stay so; they do not lead to the card any more.
 *
 * Context: process, RTNL held if the interface is registered.
 */
void daq_ctl_unregister(struct daq_card *card)
{
	struct daq_ctl *ctl = card->ctl;
	int id = ctl->id;

	if (id < 0)
		return;
	ctl->id = -1;
	daq_ctl_lose(card);
	cdev_device_del(&ctl->cdev, &ctl->dev);
	ida_free(&daq_ids, id);
	daq_event_flush(ctl);
	mutex_lock(&ctl->lock);
	ctl->card = NULL;
	mutex_unlock(&ctl->lock);
	daq_counters_unwatch(ctl);
}

/**
 * daq_ctl_free() - undo daq_ctl_alloc()
 * @card: card, which nothing happens to any more
 *
 * The memory stays as long as somebody has it open.
 *
 * Context: process.
 */
void daq_ctl_free(struct daq_card *card)
{
	daq_windows_stop(card->ctl);
	daq_event_stop(card->ctl);
	daq_counters_unwatch(card->ctl);
	put_device(&card->ctl->dev);
	card->ctl = NULL;
}

/**
 * daq_ctl_init() - make control devices possible
 *
 * Return: 0 or a negative errno.
 */
int __init daq_ctl_init(void)
{
	int err;

	err = class_register(&daq_class);
	if (err)
		return err;
	err = alloc_chrdev_region(&daq_first_dev, 0, DAQ_MINORS, "daq");
	if (err)
		class_unregister(&daq_class);
	return err;
}

/**
 * daq_ctl_exit() - undo daq_ctl_init() when there are none
 */
void daq_ctl_exit(void)
{
	unregister_chrdev_region(daq_first_dev, DAQ_MINORS);
	class_unregister(&daq_class);
}
