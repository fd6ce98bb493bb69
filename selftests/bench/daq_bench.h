/* SPDX-License-Identifier: GPL-2.0 */
/* Contract between the module of the bench and its program. */
#ifndef DAQ_BENCH_H
#define DAQ_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Who the processor works for. */
enum bench_context {
	BENCH_IDLE,
	BENCH_CARD,		/* the thread that plays a card or another source */
	BENCH_USER,		/* the consumer itself, if system calls are counted */
	BENCH_SYSTEM,		/* the kernel for the consumer; else all of it */
	BENCH_IRQ,		/* the card's interrupts */
	BENCH_SOFTIRQ,		/* receive and transmit softirqs */
	BENCH_CLOCK,		/* timer interrupts and other softirqs */
	BENCH_OTHER,		/* other tasks and interrupts */
	BENCH_CONTEXTS
};

enum bench_event {
	BENCH_SWITCHES,		/* changes of context, in which the count itself has a part */
	BENCH_SLEEPS,		/* times that the consumer went to sleep */
	BENCH_IRQS,		/* interrupts of the card */
	BENCH_SOFTIRQS,		/* receive and transmit softirqs */
	/* the rest only with BENCH_F_EVENTS */
	BENCH_SYSCALLS,		/* by the consumer */
	BENCH_FAULTS,		/* page faults of its */
	BENCH_MAPS,		/* DMA mappings */
	BENCH_ALLOCS,		/* allocations for the consumer or by the driver */
	BENCH_EVENTS
};

/**
 * struct bench_counts - what was counted
 * @ticks: of the time stamp counter, by enum bench_context
 * @events: by enum bench_event
 * @missing: bit mask of events that this kernel cannot count
 */
struct bench_counts {
	__u64 ticks[BENCH_CONTEXTS];
	__u64 events[BENCH_EVENTS];
	__u64 missing;
};

#define BENCH_F_EVENTS	0x1	/* count all events, which costs more */
#define BENCH_F_WAKES	0x2	/* that a source wakes the consumer is not its own work */

/**
 * struct bench_scale - what a tick is
 * @loop_ticks: ticks that @loop_instructions took
 * @loop_instructions: a loop of so many
 * @khz: ticks per millisecond
 * @overhead: ticks that a change of context adds to what is counted
 */
struct bench_scale {
	__u64 loop_ticks;
	__u64 loop_instructions;
	__u64 khz;
	__u64 overhead;
};

/* How a frame gets to the user. */
enum bench_design {
	BENCH_PIN,	/* read() pins the caller's pages, the card fills them */
	BENCH_COPY,	/* read() copies from a ring of kernel memory */
	BENCH_SIGNAL,	/* a thread polls, copies, signals; an ioctl copies again */
};

/**
 * struct bench_setup - a card with one channel and a driver of that design
 * @design: enum bench_design
 * @segment: bytes; a divisor or a multiple of 4096
 * @frame: bytes, whole segments
 * @frames: of kernel memory in the ring
 * @poll_us: how long the thread of BENCH_SIGNAL sleeps when it finds nothing
 * @reserved: 0
 * @rate: bytes per second
 */
struct bench_setup {
	__u32 design;
	__u32 segment;
	__u32 frame;
	__u32 frames;
	__u32 poll_us;
	__u32 reserved;
	__u64 rate;
};

/**
 * struct bench_state - what became of the card's data
 * @produced: segments
 * @lost: segments that found no buffer
 * @overwritten: frames that the user did not take in time
 */
struct bench_state {
	__u64 produced;
	__u64 lost;
	__u64 overwritten;
};

/**
 * struct bench_page - what can be seen without a system call; mmap()
 * @event: ticks when the card last reported
 */
struct bench_page {
	__u64 event;
};

#define BENCH_SCALE	_IOR('B', 1, struct bench_scale)
#define BENCH_START	_IO('B', 2)	/* argument: BENCH_F_* */
#define BENCH_STOP	_IOR('B', 3, struct bench_counts)
#define BENCH_SETUP	_IOW('B', 4, struct bench_setup)
#define BENCH_STATE	_IOR('B', 5, struct bench_state)
#define BENCH_TAKE	_IO('B', 6)	/* argument: where the frame goes to */

#endif /* DAQ_BENCH_H */
