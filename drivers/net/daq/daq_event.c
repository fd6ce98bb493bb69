// SPDX-License-Identifier: GPL-2.0
/*
 * Events: what those are told who have the control device open, or listen to the
 * netlink family's group. Nobody who does not read them delays anybody: each has
 * room for some, and is told how many there were no room for.
 */
#include <linux/netdevice.h>
#include <linux/timekeeping.h>

#include "daq.h"

/* What holders of a register window have to know. */
static bool daq_event_is_urgent(const struct daq_event *event)
{
	return event->type == DAQ_EV_REVOKED || event->type == DAQ_EV_GRANTED ||
	       event->type == DAQ_EV_REMOVED;
}

static const struct daq_event *daq_event_oldest(struct daq_event_queue *queue)
{
	const struct daq_event *event;

	event = &queue->events[queue->tail++ % DAQ_EVENTS];
	queue->urgent -= daq_event_is_urgent(event);
	return event;
}

static void daq_event_put(struct daq_event_queue *queue,
			  const struct daq_event *event)
{
	if (queue->head - queue->tail == DAQ_EVENTS) {
		daq_event_oldest(queue);
		queue->lost++;
	}
	queue->events[queue->head++ % DAQ_EVENTS] = *event;
	queue->urgent += daq_event_is_urgent(event);
}

/**
 * daq_event() - tell all who want to know
 * @card: card
 * @type: what happened
 * @channel: to which channel, or DAQ_EV_CARD
 * @reason: see enum daq_event_type
 * @value: as @reason
 *
 * After DAQ_EV_REMOVED nothing more is told.
 *
 * Context: any.
 */
void daq_event(struct daq_card *card, enum daq_event_type type, u32 channel,
	       u32 reason, u64 value)
{
	struct daq_event event = {
		.type = type,
		.channel = channel,
		.reason = reason,
		.value = value,
		.time = ktime_get_ns(),
	};
	struct daq_ctl *ctl = card->ctl;
	struct daq_file *file;
	unsigned long flags;

	if (channel < card->channels)
		event.generation =
			READ_ONCE(card->chans[channel].counters->generation);

	spin_lock_irqsave(&ctl->event_lock, flags);
	if (!ctl->gone) {
		ctl->gone = type == DAQ_EV_REMOVED;
		list_for_each_entry(file, &ctl->files, node) {
			daq_event_put(&file->events, &event);
			wake_up_interruptible_poll(&file->wait,
						   EPOLLIN | EPOLLPRI);
		}
		daq_event_put(&ctl->unsent, &event);
		schedule_work(&ctl->work);
	}
	spin_unlock_irqrestore(&ctl->event_lock, flags);
}

/**
 * daq_event_take() - take the oldest event out of a queue
 * @ctl: control device
 * @queue: queue of one of its files, or its own
 * @event: gets the event
 *
 * Context: any.
 * Return: false if there is none.
 */
bool daq_event_take(struct daq_ctl *ctl, struct daq_event_queue *queue,
		    struct daq_event *event)
{
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&ctl->event_lock, flags);
	found = queue->head != queue->tail;
	if (found) {
		*event = *daq_event_oldest(queue);
		event->lost = queue->lost;
		queue->lost = 0;
	}
	spin_unlock_irqrestore(&ctl->event_lock, flags);
	return found;
}

/**
 * daq_event_forget() - an event that was taken out has not got to its reader
 * @ctl: control device
 * @queue: queue that it was in
 * @event: the event
 *
 * Context: any.
 */
void daq_event_forget(struct daq_ctl *ctl, struct daq_event_queue *queue,
		      const struct daq_event *event)
{
	unsigned long flags;

	spin_lock_irqsave(&ctl->event_lock, flags);
	queue->lost += event->lost + 1;
	spin_unlock_irqrestore(&ctl->event_lock, flags);
}

/* Multicast what is to be; a card that is gone has nobody left to tell of it. */
static void daq_event_work(struct work_struct *work)
{
	struct daq_ctl *ctl = container_of(work, struct daq_ctl, work);
	struct daq_event event;

	mutex_lock(&ctl->lock);
	while (ctl->card && daq_event_take(ctl, &ctl->unsent, &event))
		daq_netlink_event(ctl->card, &event);
	mutex_unlock(&ctl->lock);
}

/**
 * daq_event_flush() - have everything sent that is to be multicast
 * @ctl: control device
 *
 * Context: process.
 */
void daq_event_flush(struct daq_ctl *ctl)
{
	flush_work(&ctl->work);
}

/**
 * daq_event_stop() - nothing more will be sent
 * @ctl: control device
 *
 * Context: process.
 */
void daq_event_stop(struct daq_ctl *ctl)
{
	spin_lock_irq(&ctl->event_lock);
	ctl->gone = true;
	spin_unlock_irq(&ctl->event_lock);
	cancel_work_sync(&ctl->work);
}

/**
 * daq_event_init() - set up what events need
 * @ctl: control device
 */
void daq_event_init(struct daq_ctl *ctl)
{
	spin_lock_init(&ctl->event_lock);
	INIT_LIST_HEAD(&ctl->files);
	INIT_WORK(&ctl->work, daq_event_work);
}
