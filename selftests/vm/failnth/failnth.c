// SPDX-License-Identifier: GPL-2.0
/*
 * Failing allocations for kernels that are built without fault injection: debugfs'
 * file "failnth" is to who writes to it what /proc/thread-self/fail-nth is with it. The
 * number that is written says which of his next allocations fails; what is read is how
 * many there are to go, so 0 when it has failed. For selftests/failing.c.
 *
 * Probes at the allocators return without having done anything.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/preempt.h>
#include <linux/sched.h>

struct failnth_target {
	struct kprobe probe;
	unsigned int gfp;	/* which argument the flags are */
};

#define FAILNTH_TARGET(name, n) {			\
	.probe = {					\
		.symbol_name = name,			\
		.pre_handler = failnth_probe,		\
	},						\
	.gfp = n,					\
}

static int failnth_probe(struct kprobe *p, struct pt_regs *regs);

static struct failnth_target failnth_targets[] = {
	FAILNTH_TARGET("__kmalloc_noprof", 1),
	FAILNTH_TARGET("__kmalloc_cache_noprof", 1),
	FAILNTH_TARGET("__kmalloc_cache_node_noprof", 1),
	FAILNTH_TARGET("__kmalloc_node_noprof", 1 + IS_ENABLED(CONFIG_SLAB_BUCKETS)),
	FAILNTH_TARGET("__kmalloc_node_track_caller_noprof",
		       1 + IS_ENABLED(CONFIG_SLAB_BUCKETS)),
	FAILNTH_TARGET("kmem_cache_alloc_noprof", 1),
	FAILNTH_TARGET("kmem_cache_alloc_lru_noprof", 2),
	FAILNTH_TARGET("kmem_cache_alloc_node_noprof", 1),
	FAILNTH_TARGET("__alloc_pages_noprof", 0),
	FAILNTH_TARGET("alloc_pages_bulk_noprof", 0),
};

static struct task_struct *failnth_task;	/* only ever compared */
static u64 failnth_left;			/* of its allocations */
static struct dentry *failnth_file;

asmlinkage void failnth_return(void);

asm(".text\n"
	".type failnth_return, @function\n"
	".globl failnth_return\n"
	"failnth_return:\n"
		ANNOTATE_NOENDBR
		ASM_RET
	".size failnth_return, .-failnth_return\n"
);

static int failnth_probe(struct kprobe *p, struct pt_regs *regs)
{
	const struct failnth_target *target =
		container_of(p, struct failnth_target, probe);

	if (current != failnth_task || !in_task() || !failnth_left)
		return 0;
	if (regs_get_kernel_argument(regs, target->gfp) & __GFP_NOFAIL)
		return 0;
	if (--failnth_left)
		return 0;
	regs->ax = 0;
	regs->ip = (unsigned long)failnth_return;
	return 1;
}

static ssize_t failnth_read(struct file *filp, char __user *buf, size_t count,
			    loff_t *pos)
{
	char text[24];
	int len = scnprintf(text, sizeof(text), "%llu\n", failnth_left);

	return simple_read_from_buffer(buf, count, pos, text, len);
}

static ssize_t failnth_write(struct file *filp, const char __user *buf,
			     size_t count, loff_t *pos)
{
	int err = kstrtou64_from_user(buf, count, 0, &failnth_left);

	if (err)
		return err;
	failnth_task = current;
	return count;
}

static const struct file_operations failnth_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= failnth_read,
	.write	= failnth_write,
	.llseek	= default_llseek,
};

static int __init failnth_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(failnth_targets); i++) {
		err = register_kprobe(&failnth_targets[i].probe);
		if (err)
			goto err_unregister;
	}
	failnth_file = debugfs_create_file("failnth", 0600, NULL, NULL,
					   &failnth_fops);
	return 0;

err_unregister:
	pr_err("cannot probe %s: %d\n", failnth_targets[i].probe.symbol_name, err);
	while (i--)
		unregister_kprobe(&failnth_targets[i].probe);
	return err;
}
module_init(failnth_init);

static void __exit failnth_exit(void)
{
	int i;

	debugfs_remove(failnth_file);
	for (i = 0; i < ARRAY_SIZE(failnth_targets); i++)
		unregister_kprobe(&failnth_targets[i].probe);
}
module_exit(failnth_exit);

MODULE_DESCRIPTION("Failing allocations for the tests of the DAQ driver");
MODULE_LICENSE("GPL");
