// SPDX-License-Identifier: GPL-2.0
/*
 * Who the processors work for, by the time stamp counter at every change of context:
 * task, interrupt, softirq. Where that counter counts instructions (QEMU's -icount),
 * so does this. The work of a software card is a thread of its own, so that it can be
 * told apart; what a card interrupts for, though in its thread's time, is not its work.
 */
#include <linux/dma-direction.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/tracepoint.h>
#include <asm/tsc.h>

#include "bench.h"

#define BENCH_DEPTH	8
#define BENCH_THREADS	16

struct bench_cpu {
	u64 last;
	u32 depth;
	u8 context;
	u8 outer[BENCH_DEPTH];
	bool waking;		/* instead of @waker */
	u8 waker;
	u64 ticks[BENCH_CONTEXTS];
	u64 events[BENCH_EVENTS];
};

static DEFINE_PER_CPU(struct bench_cpu, bench_cpus);
static DEFINE_MUTEX(bench_count_lock);	/* one count at a time */
static bool bench_counting;
static u32 bench_flags;
static pid_t bench_consumer;

/* Threads of the consumer: whether they are in user space when they run on. */
static struct {
	pid_t pid;
	bool user;
} bench_threads[BENCH_THREADS];

struct bench_page *bench_page;

/* Names of threads begin so. */
static const struct {
	const char *name;
	u8 context;
} bench_names[] = {
	{ "daq-soft", BENCH_CARD },
	{ "daq-bench", BENCH_CARD },
	{ "vivid-", BENCH_CARD },
	{ "bench-source", BENCH_CARD },
	{ "bench-poller", BENCH_SYSTEM },	/* part of a driver */
	{ "ksoftirqd", BENCH_SOFTIRQ },
	{ "napi/", BENCH_SOFTIRQ },
};

static bool *bench_thread_user(const struct task_struct *task)
{
	u32 i = task->pid % BENCH_THREADS;

	if (bench_threads[i].pid != task->pid) {
		bench_threads[i].pid = task->pid;
		bench_threads[i].user = false;
	}
	return &bench_threads[i].user;
}

static u8 bench_task_context(const struct task_struct *task)
{
	u32 i;

	if (is_idle_task(task))
		return BENCH_IDLE;
	if (task->tgid == bench_consumer)
		return *bench_thread_user(task) ? BENCH_USER : BENCH_SYSTEM;
	for (i = 0; i < ARRAY_SIZE(bench_names); i++)
		if (!strncmp(task->comm, bench_names[i].name,
			     strlen(bench_names[i].name)))
			break;
	if (i == ARRAY_SIZE(bench_names))
		return BENCH_OTHER;
	/* a source that is a timer may run there, and no network does */
	if (bench_names[i].context == BENCH_SOFTIRQ && bench_flags & BENCH_F_WAKES)
		return BENCH_CLOCK;
	return bench_names[i].context;
}

/*
 * An instruction without effect, which profile.c looks for: the context that it is from
 * here on, counted from 1, or BENCH_MARK_*.
 */
static __always_inline void bench_mark_as(const int what)
{
	asm volatile(".byte 0x0f, 0x1f, 0x80, %c0, 0x77, 0xa0, 0x5d"
		     : : "i" (what));
}

#define BENCH_MARK_NOBODY	0
#define BENCH_MARK_STOP		14
#define BENCH_MARK_START	15

static __always_inline void bench_mark(u8 context)
{
	switch (context) {
	case BENCH_IDLE:
		bench_mark_as(1 + BENCH_IDLE);
		break;
	case BENCH_CARD:
		bench_mark_as(1 + BENCH_CARD);
		break;
	case BENCH_USER:
		bench_mark_as(1 + BENCH_USER);
		break;
	case BENCH_SYSTEM:
		bench_mark_as(1 + BENCH_SYSTEM);
		break;
	case BENCH_IRQ:
		bench_mark_as(1 + BENCH_IRQ);
		break;
	case BENCH_SOFTIRQ:
		bench_mark_as(1 + BENCH_SOFTIRQ);
		break;
	case BENCH_CLOCK:
		bench_mark_as(1 + BENCH_CLOCK);
		break;
	default:
		bench_mark_as(1 + BENCH_OTHER);
		break;
	}
}

/* What happens between these two is counted for nobody. */
static __always_inline struct bench_cpu *bench_begin(unsigned long *flags)
{
	struct bench_cpu *cpu;

	local_irq_save(*flags);
	cpu = this_cpu_ptr(&bench_cpus);
	cpu->ticks[cpu->context] += rdtsc_ordered() - cpu->last;
	cpu->events[BENCH_SWITCHES]++;
	bench_mark_as(BENCH_MARK_NOBODY);
	return cpu;
}

static __always_inline void bench_end(struct bench_cpu *cpu, unsigned long flags)
{
	bench_mark(cpu->context);
	cpu->last = rdtsc_ordered();
	local_irq_restore(flags);
}

static void bench_push(u8 context, int event)
{
	unsigned long flags;
	struct bench_cpu *cpu = bench_begin(&flags);

	if (cpu->depth < BENCH_DEPTH)
		cpu->outer[cpu->depth] = cpu->context;
	cpu->depth++;
	cpu->context = context;
	if (event >= 0)
		cpu->events[event]++;
	bench_end(cpu, flags);
}

static void bench_pop(void)
{
	unsigned long flags;
	struct bench_cpu *cpu = bench_begin(&flags);

	/* of one that began before the count there is nothing to go back to */
	if (cpu->depth && --cpu->depth < BENCH_DEPTH)
		cpu->context = cpu->outer[cpu->depth];
	bench_end(cpu, flags);
}

/* Changes of context */

static void bench_sched_switch(void *data, bool preempt, struct task_struct *prev,
			       struct task_struct *next, unsigned int state)
{
	unsigned long flags;
	struct bench_cpu *cpu = bench_begin(&flags);

	if (prev->tgid == bench_consumer && !preempt && state)
		cpu->events[BENCH_SLEEPS]++;
	cpu->depth = 0;
	cpu->context = bench_task_context(next);
	bench_end(cpu, flags);
}

/* A source without interrupts wakes the consumer itself: what an interrupt would do. */

static void bench_sched_waking(void *data, struct task_struct *task)
{
	unsigned long flags;
	struct bench_cpu *cpu;

	if (task->tgid != bench_consumer)
		return;
	cpu = bench_begin(&flags);
	if (cpu->context == BENCH_CARD || cpu->context == BENCH_CLOCK) {
		cpu->waker = cpu->context;
		cpu->waking = true;
		cpu->context = BENCH_IRQ;
	}
	bench_end(cpu, flags);
}

static void bench_sched_wakeup(void *data, struct task_struct *task)
{
	unsigned long flags;
	struct bench_cpu *cpu;

	if (task->tgid != bench_consumer)
		return;
	cpu = bench_begin(&flags);
	if (cpu->waking)
		cpu->context = cpu->waker;
	cpu->waking = false;
	bench_end(cpu, flags);
}

/**
 * bench_count_event() - the card reports
 *
 * Context: any.
 */
void bench_count_event(void)
{
	WRITE_ONCE(bench_page->event, rdtsc_ordered());
}

static void bench_card_irq_entry(void *data, int vector)
{
	bench_push(BENCH_IRQ, BENCH_IRQS);
	bench_count_event();
}

static void bench_clock_entry(void *data, int vector)
{
	bench_push(BENCH_CLOCK, -1);
}

static void bench_vector_entry(void *data, int vector)
{
	bench_push(BENCH_OTHER, -1);
}

static void bench_vector_exit(void *data, int vector)
{
	bench_pop();
}

/* Of a card on the PCI bus. */
static void bench_handler_entry(void *data, int irq, struct irqaction *action)
{
	if (action->name && !strncmp(action->name, "daq", 3))
		bench_push(BENCH_IRQ, BENCH_IRQS);
	else
		bench_push(BENCH_OTHER, -1);
}

static void bench_handler_exit(void *data, int irq, struct irqaction *action, int ret)
{
	bench_pop();
}

static void bench_softirq_entry(void *data, unsigned int nr)
{
	if (nr == NET_RX_SOFTIRQ || nr == NET_TX_SOFTIRQ)
		bench_push(BENCH_SOFTIRQ, BENCH_SOFTIRQS);
	else
		bench_push(BENCH_CLOCK, -1);
}

static void bench_softirq_exit(void *data, unsigned int nr)
{
	bench_pop();
}

static void bench_set_user(bool user, int event)
{
	unsigned long flags;
	struct bench_cpu *cpu;

	if (current->tgid != bench_consumer)
		return;
	cpu = bench_begin(&flags);
	*bench_thread_user(current) = user;
	if (!cpu->depth)
		cpu->context = user ? BENCH_USER : BENCH_SYSTEM;
	if (event >= 0)
		cpu->events[event]++;
	bench_end(cpu, flags);
}

static void bench_sys_enter(void *data, struct pt_regs *regs, long id)
{
	bench_set_user(false, BENCH_SYSCALLS);
}

static void bench_sys_exit(void *data, struct pt_regs *regs, long ret)
{
	bench_set_user(true, -1);
}

/* Events that change nothing; their arguments differ, and do not matter. */

static void bench_count_one(enum bench_event event)
{
	unsigned long flags;
	struct bench_cpu *cpu = bench_begin(&flags);

	if (cpu->context == BENCH_USER || cpu->context == BENCH_SYSTEM ||
	    cpu->context == BENCH_IRQ || cpu->context == BENCH_SOFTIRQ)
		cpu->events[event]++;
	bench_end(cpu, flags);
}

static void bench_fault(void *data, unsigned long address, struct pt_regs *regs,
			unsigned long error)
{
	bench_count_one(BENCH_FAULTS);
}

static void bench_kmalloc(void *data, unsigned long site, const void *ptr,
			  size_t req, size_t alloc, gfp_t gfp, int node)
{
	bench_count_one(BENCH_ALLOCS);
}

static void bench_cache_alloc(void *data, unsigned long site, const void *ptr,
			      struct kmem_cache *s, gfp_t gfp, int node)
{
	bench_count_one(BENCH_ALLOCS);
}

static void bench_page_alloc(void *data, struct page *page, unsigned int order,
			     gfp_t gfp, int type)
{
	bench_count_one(BENCH_ALLOCS);
}

static void bench_map_page(void *data, struct device *dev, phys_addr_t phys,
			   dma_addr_t dma, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	bench_count_one(BENCH_MAPS);
}

static void bench_map_sg(void *data, struct device *dev, struct scatterlist *sg,
			 int nents, int ents, enum dma_data_direction dir,
			 unsigned long attrs)
{
	bench_count_one(BENCH_MAPS);
}

#define BENCH_ALWAYS	(-1)
#define BENCH_WAKES	(-2)	/* with BENCH_F_WAKES */

static struct bench_probe {
	const char *name;
	void *probe;
	int event;		/* that it counts, or one of these */
	struct tracepoint *point;
	bool registered;
} bench_probes[] = {
	{ "sched_switch", bench_sched_switch, BENCH_ALWAYS },
	{ "sched_waking", bench_sched_waking, BENCH_WAKES },
	{ "sched_wakeup", bench_sched_wakeup, BENCH_WAKES },
	{ "irq_work_entry", bench_card_irq_entry, BENCH_ALWAYS },
	{ "irq_work_exit", bench_vector_exit, BENCH_ALWAYS },
	{ "local_timer_entry", bench_clock_entry, BENCH_ALWAYS },
	{ "local_timer_exit", bench_vector_exit, BENCH_ALWAYS },
	{ "reschedule_entry", bench_vector_entry, BENCH_ALWAYS },
	{ "reschedule_exit", bench_vector_exit, BENCH_ALWAYS },
	{ "call_function_entry", bench_vector_entry, BENCH_ALWAYS },
	{ "call_function_exit", bench_vector_exit, BENCH_ALWAYS },
	{ "call_function_single_entry", bench_vector_entry, BENCH_ALWAYS },
	{ "call_function_single_exit", bench_vector_exit, BENCH_ALWAYS },
	{ "irq_handler_entry", bench_handler_entry, BENCH_ALWAYS },
	{ "irq_handler_exit", bench_handler_exit, BENCH_ALWAYS },
	{ "softirq_entry", bench_softirq_entry, BENCH_ALWAYS },
	{ "softirq_exit", bench_softirq_exit, BENCH_ALWAYS },
	{ "sys_enter", bench_sys_enter, BENCH_SYSCALLS },
	{ "sys_exit", bench_sys_exit, BENCH_SYSCALLS },
	{ "page_fault_user", bench_fault, BENCH_FAULTS },
	{ "kmalloc", bench_kmalloc, BENCH_ALLOCS },
	{ "kmem_cache_alloc", bench_cache_alloc, BENCH_ALLOCS },
	{ "mm_page_alloc", bench_page_alloc, BENCH_ALLOCS },
	{ "dma_map_page", bench_map_page, BENCH_MAPS },
	{ "dma_map_phys", bench_map_page, BENCH_MAPS },
	{ "dma_map_sg", bench_map_sg, BENCH_MAPS },
};

static void bench_find_point(struct tracepoint *point, void *data)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bench_probes); i++)
		if (!strcmp(bench_probes[i].name, point->name))
			bench_probes[i].point = point;
}

static void bench_unregister(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bench_probes); i++) {
		struct bench_probe *probe = &bench_probes[i];

		if (probe->registered)
			tracepoint_probe_unregister(probe->point, probe->probe,
						    NULL);
		probe->registered = false;
	}
	tracepoint_synchronize_unregister();
}

/* Of several processors one may begin to wake a task and another one end it. */
static bool bench_is_wanted(const struct bench_probe *probe, u32 flags)
{
	switch (probe->event) {
	case BENCH_ALWAYS:
		return true;
	case BENCH_WAKES:
		return flags & BENCH_F_WAKES && num_online_cpus() == 1;
	default:
		return flags & BENCH_F_EVENTS;
	}
}

static int bench_register(u32 flags)
{
	u32 i;
	int err;

	for (i = 0; i < ARRAY_SIZE(bench_probes); i++) {
		struct bench_probe *probe = &bench_probes[i];

		if (!probe->point || !bench_is_wanted(probe, flags))
			continue;
		err = tracepoint_probe_register(probe->point, probe->probe, NULL);
		if (err) {
			bench_unregister();
			return err;
		}
		probe->registered = true;
	}
	return 0;
}

/* The context of this processor, which may be anything but an interrupt. */
static void bench_reset_cpu(void *data)
{
	struct bench_cpu *cpu = this_cpu_ptr(&bench_cpus);

	memset(cpu, 0, sizeof(*cpu));
	cpu->context = bench_task_context(current);
	bench_mark(cpu->context);
	cpu->last = rdtsc_ordered();
}

/**
 * bench_count_start() - begin to count; the caller is the consumer
 * @flags: BENCH_F_*
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int bench_count_start(u32 flags)
{
	int err;

	mutex_lock(&bench_count_lock);
	if (bench_counting) {
		err = -EBUSY;
		goto out;
	}
	bench_consumer = current->tgid;
	bench_flags = flags;
	memset(bench_threads, 0, sizeof(bench_threads));
	err = bench_register(flags);
	if (err)
		goto out;
	bench_counting = true;
	bench_mark_as(BENCH_MARK_START);
	on_each_cpu(bench_reset_cpu, NULL, 1);
out:
	mutex_unlock(&bench_count_lock);
	return err;
}

/* Up to now. */
static void bench_charge_cpu(void *data)
{
	unsigned long flags;
	struct bench_cpu *cpu = bench_begin(&flags);

	bench_end(cpu, flags);
}

/**
 * bench_count_stop() - end the count
 * @counts: gets what was counted; may be NULL
 *
 * Context: process.
 */
void bench_count_stop(struct bench_counts *counts)
{
	u32 i, cpu;

	mutex_lock(&bench_count_lock);
	if (!bench_counting)
		goto out;
	on_each_cpu(bench_charge_cpu, NULL, 1);
	bench_mark_as(BENCH_MARK_STOP);
	if (counts) {
		memset(counts, 0, sizeof(*counts));
		for_each_possible_cpu(cpu) {
			struct bench_cpu *from = per_cpu_ptr(&bench_cpus, cpu);

			for (i = 0; i < BENCH_CONTEXTS; i++)
				counts->ticks[i] += from->ticks[i];
			for (i = 0; i < BENCH_EVENTS; i++)
				counts->events[i] += from->events[i];
		}
		for (i = 0; i < ARRAY_SIZE(bench_probes); i++)
			if (bench_probes[i].event >= 0 &&
			    bench_probes[i].registered)
				counts->missing |= BIT_ULL(bench_probes[i].event);
		counts->missing ^= GENMASK_ULL(BENCH_EVENTS - 1, BENCH_SYSCALLS);
	}
	bench_unregister();
	bench_counting = false;
out:
	mutex_unlock(&bench_count_lock);
}

#define BENCH_LOOPS	100000

/**
 * bench_count_scale() - find out what a tick is
 * @scale: gets it
 *
 * Context: process; nothing is being counted.
 */
void bench_count_scale(struct bench_scale *scale)
{
	u32 n = BENCH_LOOPS;
	unsigned long flags;
	u64 begin, sum;

	memset(scale, 0, sizeof(*scale));
	mutex_lock(&bench_count_lock);
	scale->khz = tsc_khz;
	scale->loop_instructions = 2 * BENCH_LOOPS;
	local_irq_save(flags);
	begin = rdtsc_ordered();
	asm volatile("1: dec %0; jnz 1b" : "+r" (n));
	scale->loop_ticks = rdtsc_ordered() - begin;

	/* pairs of changes with nothing in between */
	bench_reset_cpu(NULL);
	for (n = 0; n < 1000; n++) {
		bench_push(BENCH_OTHER, -1);
		bench_pop();
	}
	sum = this_cpu_ptr(&bench_cpus)->ticks[BENCH_OTHER];
	local_irq_restore(flags);
	scale->overhead = sum / 1000;
	mutex_unlock(&bench_count_lock);
}

/**
 * bench_count_init() - find what this kernel can tell
 *
 * Return: 0 or a negative errno.
 */
int bench_count_init(void)
{
	bench_page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!bench_page)
		return -ENOMEM;
	for_each_kernel_tracepoint(bench_find_point, NULL);
	return 0;
}

/**
 * bench_count_exit() - undo that
 */
void bench_count_exit(void)
{
	free_page((unsigned long)bench_page);
}
