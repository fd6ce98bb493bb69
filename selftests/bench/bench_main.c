// SPDX-License-Identifier: GPL-2.0
/*
 * Module of the bench: counts who the processors work for, and is a driver as others
 * write them, of three designs, for the same card. Not for any other use.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bench.h"

static ssize_t bench_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct bench_card *card = READ_ONCE(file->private_data);

	if (!card || len != card->setup.frame)
		return -EINVAL;
	switch (card->setup.design) {
	case BENCH_PIN:
		return bench_read_pinned(card, to);
	case BENCH_COPY:
		return bench_read_copied(card, to);
	default:
		return -EINVAL;
	}
}

static int bench_set_up(struct file *file, const struct bench_setup __user *from)
{
	struct bench_setup setup;
	struct bench_card *card;

	if (file->private_data)
		return -EBUSY;
	if (copy_from_user(&setup, from, sizeof(setup)))
		return -EFAULT;
	card = bench_card_create(&setup);
	if (IS_ERR(card))
		return PTR_ERR(card);
	file->private_data = card;
	return 0;
}

static int bench_tell_state(struct bench_card *card, void __user *to)
{
	struct bench_state state = {};

	bench_card_state(card, &state);
	return copy_to_user(to, &state, sizeof(state)) ? -EFAULT : 0;
}

static int bench_tell_scale(void __user *to)
{
	struct bench_scale scale;

	bench_count_scale(&scale);
	return copy_to_user(to, &scale, sizeof(scale)) ? -EFAULT : 0;
}

static int bench_stop(void __user *to)
{
	struct bench_counts counts = {};

	bench_count_stop(&counts);
	return copy_to_user(to, &counts, sizeof(counts)) ? -EFAULT : 0;
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bench_card *card = READ_ONCE(file->private_data);
	void __user *to = (void __user *)arg;

	switch (cmd) {
	case BENCH_SCALE:
		return bench_tell_scale(to);
	case BENCH_START:
		return bench_count_start(arg);
	case BENCH_STOP:
		return bench_stop(to);
	case BENCH_SETUP:
		return bench_set_up(file, to);
	case BENCH_STATE:
		return card ? bench_tell_state(card, to) : -EINVAL;
	case BENCH_TAKE:
		if (!card || card->setup.design != BENCH_SIGNAL)
			return -EINVAL;
		return bench_signal_take(card, to);
	default:
		return -ENOTTY;
	}
}

static int bench_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYWRITE);
	return vm_map_pages_zero(vma, &(struct page *){ virt_to_page(bench_page) }, 1);
}

static int bench_release(struct inode *inode, struct file *file)
{
	bench_count_stop(NULL);
	if (file->private_data)
		bench_card_destroy(file->private_data);
	return 0;
}

static int bench_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;	/* not the misc device */
	return 0;
}

static const struct file_operations bench_fops = {
	.owner		= THIS_MODULE,
	.open		= bench_open,
	.release	= bench_release,
	.read		= bench_read,
	.unlocked_ioctl	= bench_ioctl,
	.mmap		= bench_mmap,
};

static struct miscdevice bench_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "daq-bench",
	.fops	= &bench_fops,
};

static int __init bench_init(void)
{
	int err;

	err = bench_count_init();
	if (err)
		return err;
	err = misc_register(&bench_device);
	if (err)
		bench_count_exit();
	return err;
}

static void __exit bench_exit(void)
{
	misc_deregister(&bench_device);
	bench_count_exit();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Bench of the DAQ driver: other designs, and counts");
MODULE_LICENSE("GPL");
