// SPDX-License-Identifier: GPL-2.0
/*
 * Cards that do not interrupt: a timer looks for news instead.
 *
 * A queue whose NAPI context has nothing more to do waits here, as it would for
 * an interrupt. The timer runs while one waits: not while all are polled anyway,
 * be it by busy polling sockets. A card that is kicked needs it, too, while NAPI
 * works on what the timer has found.
 */
#include <linux/hrtimer.h>
#include <linux/netdevice.h>

#include "daq.h"
#include "daq_compat.h"

/* Shortest and longest time between two looks, microseconds. */
#define DAQ_PERIOD_SHORTEST	100
#define DAQ_PERIOD_LONGEST	(10 * USEC_PER_MSEC)
/* The FIFO of an input should not overflow when data begin to come. */
#define DAQ_PERIOD_LONGEST_KICKED	(2 * USEC_PER_MSEC)

/**
 * daq_kick() - start a transaction on every channel that has something to do
 * @card: card that moves nothing by itself
 *
 * Context: any.
 * Return: whether there is such a channel.
 */
bool daq_kick(struct daq_card *card)
{
	bool found = false;
	u32 half;

	for (half = 0; half < DIV_ROUND_UP(card->channels, 32); half++) {
		u32 ready = card->ops->read32(card, DAQ_REG_READY + 4 * half);

		if (!ready)
			continue;
		card->ops->doorbell(card, DAQ_REG_KICK + 4 * half, ready);
		found = true;
	}
	return found;
}

/* Look more often while there is something to be found. */
static void daq_adapt_period(struct daq_timer *timer, bool found)
{
	u32 period = timer->period;

	if (!timer->adaptive)
		return;
	period = found ? period / 2 : period + period / 8 + 1;
	WRITE_ONCE(timer->period,
		   clamp(period, timer->shortest, timer->longest));
}

static ktime_t daq_period(const struct daq_timer *timer)
{
	return ns_to_ktime((u64)timer->period * NSEC_PER_USEC);
}

/*
 * Over a slow bus, too, looking in vain leaves most of the time for others. A
 * look that was not is worth half of it: it may be what moves the data. But one
 * that took long because a virtual machine had to wait says nothing.
 */
static ktime_t daq_pause(const struct daq_timer *timer, ktime_t since,
			 bool found)
{
	ktime_t took = ktime_sub(ktime_get(), since);
	ktime_t most = ns_to_ktime((u64)timer->longest * NSEC_PER_USEC);

	return max(daq_period(timer), min(found ? took : 4 * took, most));
}

/* Return: whether there was news for a queue. */
static bool daq_wake_queues(struct daq_card *card)
{
	struct daq_timer *timer = &card->timer;
	bool found = false;
	u32 i;

	for_each_set_bit(i, timer->waiting, card->channels) {
		struct daq_queue *q = &card->queues[i];

		if (!daq_has_news(q))
			continue;
		__clear_bit(i, timer->waiting);
		__set_bit(i, timer->woken);
		napi_schedule_irqoff(&q->napi);
		found = true;
	}
	return found;
}

static enum hrtimer_restart daq_timer_fires(struct hrtimer *hrtimer)
{
	struct daq_card *card = container_of(hrtimer, struct daq_card,
					     timer.hrtimer);
	struct daq_timer *timer = &card->timer;
	ktime_t since = ktime_get();
	unsigned long flags;
	bool found, again;

	found = card->kicked && daq_kick(card);

	spin_lock_irqsave(&timer->lock, flags);
	found |= daq_wake_queues(card);
	daq_adapt_period(timer, found);
	again = !bitmap_empty(timer->waiting, card->channels) ||
		(card->kicked && !bitmap_empty(timer->woken, card->channels));
	timer->running = again;
	if (again)
		hrtimer_forward_now(hrtimer, daq_pause(timer, since, found));
	spin_unlock_irqrestore(&timer->lock, flags);
	return again ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

/**
 * daq_timer_wait() - have NAPI look after a queue when the card reports more
 * @q: queue whose NAPI context has just completed
 *
 * Context: any.
 */
void daq_timer_wait(struct daq_queue *q)
{
	struct daq_timer *timer = &q->card->timer;
	unsigned long flags;

	spin_lock_irqsave(&timer->lock, flags);
	__set_bit(q->index, timer->waiting);
	__clear_bit(q->index, timer->woken);
	if (!timer->running) {
		timer->running = true;
		hrtimer_start(&timer->hrtimer, daq_period(timer),
			      HRTIMER_MODE_REL);
	}
	spin_unlock_irqrestore(&timer->lock, flags);
}

/**
 * daq_timer_forget() - look no more at a queue
 * @q: queue whose NAPI context is disabled, or goes on polling by itself
 *
 * Its memory is not in use any more when it returns.
 *
 * Context: any.
 */
void daq_timer_forget(struct daq_queue *q)
{
	struct daq_timer *timer = &q->card->timer;
	unsigned long flags;

	spin_lock_irqsave(&timer->lock, flags);
	__clear_bit(q->index, timer->waiting);
	__clear_bit(q->index, timer->woken);
	spin_unlock_irqrestore(&timer->lock, flags);
}

/**
 * daq_timer_stop() - no timer runs any more when it returns
 * @card: card, no queue of which is running
 *
 * Context: process.
 */
void daq_timer_stop(struct daq_card *card)
{
	hrtimer_cancel(&card->timer.hrtimer);
	card->timer.running = false;
}

/**
 * daq_timer_set() - how often to look
 * @card: card
 * @period: time between two looks, microseconds; from where to adapt it
 * @shortest: least that it is adapted to
 * @longest: most that it is adapted to
 * @adaptive: whether it is
 *
 * Context: process, RTNL held.
 */
void daq_timer_set(struct daq_card *card, u32 period, u32 shortest, u32 longest,
		   bool adaptive)
{
	struct daq_timer *timer = &card->timer;
	unsigned long flags;

	spin_lock_irqsave(&timer->lock, flags);
	timer->shortest = shortest;
	timer->longest = longest;
	timer->adaptive = adaptive;
	WRITE_ONCE(timer->period, adaptive ?
				  clamp(period, shortest, longest) : period);
	spin_unlock_irqrestore(&timer->lock, flags);
}

/**
 * daq_set_personality() - adapt to what the card can do by itself
 * @card: card whose interface is down
 * @caps: its capabilities, DAQ_CAP_*; without those that cannot be used
 *
 * Context: process; RTNL held if the interface is registered.
 */
void daq_set_personality(struct daq_card *card, u32 caps)
{
	card->kicked = !(caps & DAQ_CAP_AUTO);
	card->polled = card->kicked || !(caps & DAQ_CAP_IRQ);
	daq_timer_set(card, DAQ_PERIOD_SHORTEST, DAQ_PERIOD_SHORTEST,
		      card->kicked ? DAQ_PERIOD_LONGEST_KICKED :
				     DAQ_PERIOD_LONGEST, true);
}

/**
 * daq_timer_init() - set up a card's timer
 * @card: card
 */
void daq_timer_init(struct daq_card *card)
{
	spin_lock_init(&card->timer.lock);
	daq_hrtimer_setup(&card->timer.hrtimer, daq_timer_fires);
}
