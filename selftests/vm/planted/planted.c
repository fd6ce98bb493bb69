// SPDX-License-Identifier: GPL-2.0
/*
 * Defects for the detectors of the debug kernel to find: writing 1 to a file in
 * debugfs' folder "planted" makes the mistake that the file is named after. For
 * selftests/detectors.sh, and for no other kernel.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static struct platform_device *pdev;
static struct dentry *folder;

static void plant_lock_order(void)
{
	static DEFINE_MUTEX(first);
	static DEFINE_MUTEX(second);

	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void plant_sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void plant_use_after_free(void)
{
	int *freed = kmalloc(64, GFP_KERNEL);

	kfree(freed);
	OPTIMIZER_HIDE_VAR(freed);
	READ_ONCE(*freed);
}

static void plant_out_of_bounds(void)
{
	static struct {
		int array[4];
		int behind;	/* no other detector's business */
	} memory;
	unsigned int index = ARRAY_SIZE(memory.array);

	OPTIMIZER_HIDE_VAR(index);
	memory.array[index] = 1;
	barrier_data(&memory);
}

static void plant_refcount(void)
{
	static refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static void plant_list_corruption(void)
{
	static LIST_HEAD(list);
	static LIST_HEAD(entry);

	list_add(&entry, &list);
	list_add(&entry, &list);
}

static void never_called(struct timer_list *timer)
{
}

static void plant_active_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, never_called, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

static void plant_dma_size(void)
{
	void *buffer = kmalloc(64, GFP_KERNEL);
	dma_addr_t addr;

	if (!buffer)
		return;
	addr = dma_map_single(&pdev->dev, buffer, 64, DMA_TO_DEVICE);
	if (!dma_mapping_error(&pdev->dev, addr))
		dma_unmap_single(&pdev->dev, addr, 32, DMA_TO_DEVICE);
	kfree(buffer);
}

/* Several, since a stale pointer somewhere may hide one. */
static void plant_leak(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		void *lost = kmalloc(64, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
	}
}

static const struct defect {
	const char *name;
	void (*plant)(void);
} defects[] = {
	{ "lock_order", plant_lock_order },
	{ "sleep_in_atomic", plant_sleep_in_atomic },
	{ "use_after_free", plant_use_after_free },
	{ "out_of_bounds", plant_out_of_bounds },
	{ "refcount", plant_refcount },
	{ "list_corruption", plant_list_corruption },
	{ "active_timer", plant_active_timer },
	{ "dma_size", plant_dma_size },
	{ "leak", plant_leak },
};

static int plant(void *defect, u64 value)
{
	((const struct defect *)defect)->plant();
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(plant_fops, NULL, plant, "%llu\n");

static int __init planted_init(void)
{
	unsigned int i;
	int err;

	pdev = platform_device_register_simple("planted", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	err = dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err) {
		platform_device_unregister(pdev);
		return err;
	}
	folder = debugfs_create_dir("planted", NULL);
	for (i = 0; i < ARRAY_SIZE(defects); i++)
		debugfs_create_file(defects[i].name, 0200, folder, (void *)&defects[i],
				    &plant_fops);
	return 0;
}

static void __exit planted_exit(void)
{
	debugfs_remove(folder);
	platform_device_unregister(pdev);
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Defects for the detectors of a debug kernel");
MODULE_LICENSE("GPL");
