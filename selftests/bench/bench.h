/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the bench's module share. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/wait.h>

#include "daq_bench.h"
#include "daq_model.h"

/* Reads of BENCH_PIN that the card has at the same time. */
#define BENCH_REQUESTS	2
#define BENCH_RING	DAQ_RING_MAX

/* A read of BENCH_PIN. */
struct bench_request {
	struct page **pages;
	struct sg_table table;
	struct completion full;
	bool busy;
};

/**
 * struct bench_card - a card of one channel, and the driver of it
 * @setup: what it is like
 * @pdev: the device that does DMA
 * @model: the hardware
 * @lock: serialises steps of @model and writes to its registers
 * @engine: the thread that runs @model
 * @kicked: the engine has to look again
 * @irq: its interrupt
 * @status: where it reports progress
 * @desc: descriptors
 * @cmpl: completions
 * @headers: where the headers of segments go to, one for each descriptor
 * @status_dma: address of @status for the card; the following likewise
 * @desc_dma: of @desc
 * @cmpl_dma: of @cmpl
 * @headers_dma: of @headers
 * @chunk: bytes of a descriptor's payload
 * @posted: descriptors posted; as the next two protected by @post
 * @posted_frames: frames that they are for
 * @started: the channel has been switched on
 * @post: serialises posting
 * @seen: completions seen; written by the interrupt, or the thread that polls
 * @done: frames that are complete; likewise
 * @wait: who waits for them, but for BENCH_PIN
 * @requests: of BENCH_PIN
 * @ring: kernel memory for frames
 * @ring_dma: its pages' addresses
 * @taken: frames that the user has taken
 * @poller: of BENCH_SIGNAL, the thread that polls
 * @reader: of BENCH_SIGNAL, who gets signals
 * @frame: of BENCH_SIGNAL, where the thread copies to, two in turns
 * @ready: of BENCH_SIGNAL, frames that can be taken
 * @overwritten: frames that were not
 */
struct bench_card {
	struct bench_setup setup;
	struct platform_device *pdev;
	struct daq_model *model;
	struct mutex lock;	/* the model */
	struct task_struct *engine;
	bool kicked;
	struct irq_work irq;
	struct daq_queue_status *status;
	struct daq_rx_desc *desc;
	struct daq_rx_cmpl *cmpl;
	u8 *headers;
	dma_addr_t status_dma;
	dma_addr_t desc_dma;
	dma_addr_t cmpl_dma;
	dma_addr_t headers_dma;
	u32 chunk;
	u32 posted;
	u64 posted_frames;
	bool started;
	struct mutex post;	/* descriptors */
	u32 seen;
	u64 done;
	wait_queue_head_t wait;
	struct bench_request requests[BENCH_REQUESTS];
	void *ring;
	dma_addr_t *ring_dma;
	u64 taken;
	struct task_struct *poller;
	struct task_struct *reader;
	void *frame[2];
	u64 ready;
	u64 overwritten;
};

/* bench_card.c */
struct bench_card *bench_card_create(const struct bench_setup *setup);
void bench_card_destroy(struct bench_card *card);
void bench_card_state(struct bench_card *card, struct bench_state *state);
void bench_card_begin(struct bench_card *card);
void bench_post_segment(struct bench_card *card);
void bench_post(struct bench_card *card, dma_addr_t dma);
void bench_doorbell(struct bench_card *card);
bool bench_look(struct bench_card *card);
u32 bench_frame_chunks(const struct bench_card *card);

/* bench_read.c */
int bench_ring_create(struct bench_card *card);
void bench_ring_destroy(struct bench_card *card);
void bench_post_frame(struct bench_card *card, u64 number);
void *bench_ring_frame(struct bench_card *card, u64 number);
int bench_requests_create(struct bench_card *card);
void bench_requests_destroy(struct bench_card *card);
ssize_t bench_read_pinned(struct bench_card *card, char __user *to);
ssize_t bench_read_copied(struct bench_card *card, char __user *to);

/* bench_signal.c */
int bench_signal_create(struct bench_card *card);
void bench_signal_destroy(struct bench_card *card);
int bench_signal_take(struct bench_card *card, void __user *to);

/* bench_count.c */
extern struct bench_page *bench_page;
int bench_count_start(u32 flags);
void bench_count_stop(struct bench_counts *counts);
void bench_count_scale(struct bench_scale *scale);
void bench_count_event(void);
int bench_count_init(void);
void bench_count_exit(void);

#endif /* BENCH_H */
