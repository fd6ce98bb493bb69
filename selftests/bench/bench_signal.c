// SPDX-License-Identifier: GPL-2.0
/*
 * The driver that many begin with: a thread polls the card's ready bit, copies what has
 * come to memory that the user can be given, and sends a signal; the user's handler
 * calls an ioctl that copies it again.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "bench.h"

/* The user has had the frame before the last one, whose place is needed now. */
static bool bench_has_room(struct bench_card *card)
{
	/* Pairs with bench_signal_take(). */
	return smp_load_acquire(&card->taken) + ARRAY_SIZE(card->frame) > card->ready;
}

static void bench_hand_over(struct bench_card *card)
{
	u64 number = card->ready;

	if (!bench_has_room(card))
		card->overwritten++;
	memcpy(card->frame[number % ARRAY_SIZE(card->frame)],
	       bench_ring_frame(card, number), card->setup.frame);
	bench_post_frame(card, number);
	/* Pairs with bench_signal_take(). */
	smp_store_release(&card->ready, number + 1);
	send_sig(SIGUSR1, card->reader, 1);
}

static int bench_poller(void *data)
{
	struct bench_card *card = data;

	while (!kthread_should_stop()) {
		/* the bit of the only channel */
		if (!(daq_model_read(card->model, DAQ_REG_READY) & 1)) {
			usleep_range(card->setup.poll_us,
				     card->setup.poll_us + 1);
			continue;
		}
		bench_look(card);
		daq_model_doorbell(card->model,
				   DAQ_REG_QUEUE(0) + DAQ_QUEUE_IRQ_ARM,
				   card->seen & 0xffff);
		while (card->ready < card->done)
			bench_hand_over(card);
	}
	return 0;
}

/**
 * bench_signal_create() - memory and thread; who calls gets the signals
 * @card: card
 *
 * Return: 0 or a negative errno; what there is then is for bench_signal_destroy().
 */
int bench_signal_create(struct bench_card *card)
{
	struct task_struct *poller;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(card->frame); i++) {
		card->frame[i] = kvmalloc(card->setup.frame, GFP_KERNEL);
		if (!card->frame[i])
			return -ENOMEM;
	}
	card->reader = get_task_struct(current);
	poller = kthread_run(bench_poller, card, "bench-poller");
	if (IS_ERR(poller))
		return PTR_ERR(poller);
	card->poller = poller;
	mutex_lock(&card->post);
	bench_card_begin(card);
	mutex_unlock(&card->post);
	return 0;
}

/**
 * bench_signal_destroy() - undo that
 * @card: card
 */
void bench_signal_destroy(struct bench_card *card)
{
	u32 i;

	if (card->poller)
		kthread_stop(card->poller);
	if (card->reader)
		put_task_struct(card->reader);
	for (i = 0; i < ARRAY_SIZE(card->frame); i++)
		kvfree(card->frame[i]);
}

/**
 * bench_signal_take() - the oldest frame
 * @card: card
 * @to: where it goes to
 *
 * Context: process.
 * Return: 1; 0 if there is none, since one signal may stand for several; or a negative
 * errno.
 */
int bench_signal_take(struct bench_card *card, void __user *to)
{
	u64 number = card->taken;
	u64 ready;

	/* Pairs with bench_hand_over(). */
	ready = smp_load_acquire(&card->ready);
	if (ready - number > ARRAY_SIZE(card->frame))
		number = ready - ARRAY_SIZE(card->frame);
	if (number == ready)
		return 0;
	if (copy_to_user(to, card->frame[number % ARRAY_SIZE(card->frame)],
			 card->setup.frame))
		return -EFAULT;
	/* Pairs with bench_has_room(). */
	smp_store_release(&card->taken, number + 1);
	return 1;
}
