// SPDX-License-Identifier: GPL-2.0
/*
 * What is counted of a card: the driver's own counters and the card's, in memory that
 * processes map and that outlives the card. Documentation/control.rst is its
 * specification.
 *
 * What the driver counts it counts there. The card writes what it counts to a block for
 * each channel before it reports the segments concerned, so that nothing has become of
 * more than there was; see struct daq_chan_stats. Reading it takes no register.
 */
#include <linux/dma-mapping.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "daq.h"

static_assert(sizeof(struct daq_counters_page) == 128);
static_assert(sizeof(struct daq_channel_counters) == 512);
static_assert(sizeof(struct daq_queue_counters) == 192);

/* How often to read what the card has counted, if no data come meanwhile. */
#define DAQ_REFRESH		msecs_to_jiffies(100)
/* Losses with less than that in between are one. */
#define DAQ_OVERRUN_PAUSE	NSEC_PER_SEC

/* Memory */

static size_t daq_counters_size(u32 channels)
{
	return sizeof(struct daq_counters_page) + channels *
	       (sizeof(struct daq_channel_counters) +
		sizeof(struct daq_queue_counters));
}

static void daq_counters_lay_out(struct daq_card *card)
{
	struct daq_counters_page *page = card->ctl->counters;
	u32 i;

	page->version = DAQ_COUNTERS_VERSION;
	page->size = daq_counters_size(card->channels);
	page->channels = card->channels;
	page->channel_offset = sizeof(*page);
	page->channel_size = sizeof(struct daq_channel_counters);
	page->queues = card->channels;
	page->queue_offset = page->channel_offset +
			     page->channels * page->channel_size;
	page->queue_size = sizeof(struct daq_queue_counters);
	page->magic = DAQ_COUNTERS_MAGIC;
	for (i = 0; i < card->channels; i++) {
		card->chans[i].counters = (void *)page + page->channel_offset +
					  i * page->channel_size;
		card->chans[i].stats = &card->stats[i];
		spin_lock_init(&card->chans[i].lock);
		card->queues[i].counters = (void *)page + page->queue_offset +
					   i * page->queue_size;
		raw_spin_lock_init(&card->queues[i].irq_lock);
	}
}

/**
 * daq_counters_alloc() - get the memory of a card's counters
 * @card: card with a control device, which has to free what can be mapped
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int daq_counters_alloc(struct daq_card *card)
{
	/* Whole pages, for they are mapped. Who wants the card is told if there are none. */
	card->ctl->counters = __vmalloc(daq_counters_size(card->channels),
					GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (!card->ctl->counters)
		return -ENOMEM;
	card->stats = dma_alloc_coherent(card->dev, card->channels *
					 sizeof(*card->stats), &card->stats_dma,
					 GFP_KERNEL);
	if (!card->stats)
		return -ENOMEM;
	daq_counters_lay_out(card);
	return 0;
}

/**
 * daq_counters_free() - the card writes what it counts no more
 * @card: card
 */
void daq_counters_free(struct daq_card *card)
{
	dma_free_coherent(card->dev, card->channels * sizeof(*card->stats),
			  card->stats, card->stats_dma);
}

/* Mapping */

static vm_fault_t daq_counters_fault(struct vm_fault *vmf)
{
	struct daq_file *file = vmf->vma->vm_file->private_data;

	vmf->page = vmalloc_to_page((void *)file->ctl->counters +
				    (vmf->pgoff << PAGE_SHIFT));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct daq_counters_vm_ops = {
	.fault = daq_counters_fault,
};

/**
 * daq_counters_mmap() - map them
 * @ctl: control device
 * @vma: of one of its files; to be read only
 *
 * Return: 0 or a negative errno.
 */
int daq_counters_mmap(struct daq_ctl *ctl, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start >
			     PAGE_ALIGN(ctl->counters->size))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &daq_counters_vm_ops;
	return 0;
}

/* What the card has counted */

/* Where a counter is that has a register, by that. */
static const u16 daq_counter_offsets[DAQ_CHAN_COUNTERS] = {
#define DAQ_COUNTER(reg, member) \
	[((reg) - DAQ_CHAN_PRODUCED) / 8] = \
		offsetof(struct daq_channel_counters, member)
	DAQ_COUNTER(DAQ_CHAN_PRODUCED, produced.segments),
	DAQ_COUNTER(DAQ_CHAN_PRODUCED_BYTES, produced.bytes),
	DAQ_COUNTER(DAQ_CHAN_NO_BUFFER,
		    card[DAQ_OUTCOME_DROP_NO_BUFFER].segments),
	DAQ_COUNTER(DAQ_CHAN_TOO_LONG,
		    card[DAQ_OUTCOME_DROP_TOO_LONG].segments),
	DAQ_COUNTER(DAQ_CHAN_PLAYED, played),
	DAQ_COUNTER(DAQ_CHAN_PLAYED_BYTES, played_bytes),
	DAQ_COUNTER(DAQ_CHAN_TX_BAD, tx_bad),
	DAQ_COUNTER(DAQ_CHAN_UNDERRUNS, underruns),
	DAQ_COUNTER(DAQ_CHAN_UNDERRUN_SAMPLE, underrun_sample),
	DAQ_COUNTER(DAQ_CHAN_FIFO_OVERRUN,
		    card[DAQ_OUTCOME_DROP_FIFO_OVERRUN].segments),
#undef DAQ_COUNTER
};

static u64 *daq_counter(struct daq_channel_counters *counters, u32 i)
{
	return (void *)counters + daq_counter_offsets[i];
}

/*
 * The latest report that is complete. The card writes the next one elsewhere, and the
 * one after that here, when @index has changed. It has to do that again and again to
 * keep anybody from reading one, which no good card can.
 *
 * Return: false if there is none that has not been seen.
 */
static bool daq_copy_report(struct daq_chan *chan,
			    struct daq_chan_report *report)
{
	const struct daq_chan_stats *stats = chan->stats;
	u32 index, tries;

	for (tries = 0; tries < 4; tries++) {
		index = le32_to_cpu(READ_ONCE(stats->index));
		if (index == chan->seen)
			return false;
		dma_rmb(); /* the report after the index */
		*report = stats->report[index % 2];
		dma_rmb(); /* it has not been written to until here */
		if (le32_to_cpu(READ_ONCE(stats->index)) == index) {
			chan->seen = index;
			return true;
		}
	}
	return false;
}

static void daq_set_count(struct daq_count *to, const struct daq_count *counted,
			  const struct daq_card_count *count)
{
	to->segments = counted->segments + le64_to_cpu(count->segments);
	to->frames = counted->frames + le64_to_cpu(count->frames);
	to->bytes = counted->bytes + le64_to_cpu(count->bytes);
}

static void daq_set_report(struct daq_channel_counters *to,
			   const struct daq_channel_counters *counted,
			   const struct daq_chan_report *r, u64 now)
{
	daq_counters_begin(&to->card_seq);
	daq_set_count(&to->produced, &counted->produced, &r->produced);
	daq_set_count(&to->card[DAQ_OUTCOME_DROP_NO_BUFFER],
		      &counted->card[DAQ_OUTCOME_DROP_NO_BUFFER], &r->no_buffer);
	daq_set_count(&to->card[DAQ_OUTCOME_DROP_TOO_LONG],
		      &counted->card[DAQ_OUTCOME_DROP_TOO_LONG], &r->too_long);
	daq_set_count(&to->card[DAQ_OUTCOME_DROP_FIFO_OVERRUN],
		      &counted->card[DAQ_OUTCOME_DROP_FIFO_OVERRUN],
		      &r->fifo_overrun);
	to->played = counted->played + le64_to_cpu(r->played);
	to->played_bytes = counted->played_bytes + le64_to_cpu(r->played_bytes);
	to->tx_bad = counted->tx_bad + le64_to_cpu(r->tx_bad);
	to->underruns = counted->underruns + le64_to_cpu(r->underruns);
	to->underrun_sample = le64_to_cpu(r->underrun_sample);
	to->fifo_level = le32_to_cpu(r->fifo_level);
	to->fifo_size = le32_to_cpu(r->fifo_size);
	to->card_time = now;
	daq_counters_end(&to->card_seq);
}

static u64 daq_card_dropped(const struct daq_channel_counters *counters)
{
	return counters->card[DAQ_OUTCOME_DROP_NO_BUFFER].segments +
	       counters->card[DAQ_OUTCOME_DROP_TOO_LONG].segments +
	       counters->card[DAQ_OUTCOME_DROP_FIFO_OVERRUN].segments;
}

/* One event for losses that go on, one each for underruns, which take a pause. */
static void daq_tell_losses(struct daq_card *card, u32 channel, u64 dropped,
			    u64 underruns, u64 now)
{
	struct daq_chan *chan = &card->chans[channel];
	struct daq_channel_counters *counters = chan->counters;
	u64 overrun = chan->overrun;

	if (counters->underruns != underruns)
		daq_event(card, DAQ_EV_UNDERRUN, channel, 0,
			  counters->underrun_sample);
	if (daq_card_dropped(counters) == dropped)
		return;
	chan->overrun = now;
	if (!overrun || now - overrun > DAQ_OVERRUN_PAUSE)
		daq_event(card, DAQ_EV_OVERRUN, channel, 0,
			  daq_card_dropped(counters));
}

/**
 * daq_counters_take() - show what the card has reported that it counted
 * @card: card
 * @channel: channel
 *
 * Context: any but hard interrupts.
 */
void daq_counters_take(struct daq_card *card, u32 channel)
{
	struct daq_chan *chan = &card->chans[channel];
	struct daq_channel_counters *counters = chan->counters;
	struct daq_chan_report report;
	u64 now, dropped, underruns;

	spin_lock_bh(&chan->lock);
	if (daq_copy_report(chan, &report)) {
		now = ktime_get_ns();
		dropped = daq_card_dropped(counters);
		underruns = counters->underruns;
		daq_set_report(counters, &chan->counted, &report, now);
		daq_tell_losses(card, channel, dropped, underruns, now);
	}
	spin_unlock_bh(&chan->lock);
}

/**
 * daq_take_counters() - show what the card has counted of all channels
 * @card: card
 *
 * Context: process.
 */
void daq_take_counters(struct daq_card *card)
{
	u32 i;

	for (i = 0; i < card->channels; i++)
		daq_counters_take(card, i);
}

/* Without data nobody else would look. */
static void daq_counters_refresh(struct work_struct *work)
{
	struct daq_ctl *ctl = container_of(work, struct daq_ctl, refresh.work);
	bool again = false;

	mutex_lock(&ctl->lock);
	if (ctl->card && READ_ONCE(ctl->card->up)) {
		daq_take_counters(ctl->card);
		again = !list_empty_careful(&ctl->files);
	}
	mutex_unlock(&ctl->lock);
	if (again)
		schedule_delayed_work(&ctl->refresh, DAQ_REFRESH);
}

/**
 * daq_counters_watch() - read what the card counts now and then
 * @ctl: control device, which may have a file now, and whose card may be up
 *
 * Context: any.
 */
void daq_counters_watch(struct daq_ctl *ctl)
{
	schedule_delayed_work(&ctl->refresh, 0);
}

/**
 * daq_counters_unwatch() - do not any more
 * @ctl: control device that is not watched again
 *
 * Context: process.
 */
void daq_counters_unwatch(struct daq_ctl *ctl)
{
	cancel_delayed_work_sync(&ctl->refresh);
}

/**
 * daq_counters_init() - set up what counters need
 * @ctl: control device
 */
void daq_counters_init(struct daq_ctl *ctl)
{
	INIT_DELAYED_WORK(&ctl->refresh, daq_counters_refresh);
}

/* Registers, which are exact at any time */

/**
 * daq_chan_read_whole() - read a register of 64 bits that may change meanwhile
 * @card: card
 * @channel: channel
 * @reg: its register
 *
 * Context: any.
 * Return: a value that the register had during the call.
 */
u64 daq_chan_read_whole(struct daq_card *card, u32 channel, u32 reg)
{
	u32 addr = DAQ_REG_CHAN(channel) + reg;
	u32 high, low, again;

	again = card->ops->read32(card, addr + 4);
	do {
		high = again;
		low = card->ops->read32(card, addr);
		again = card->ops->read32(card, addr + 4);
	} while (high != again);
	return (u64)high << 32 | low;
}

/**
 * daq_chan_read64() - read a counter of a channel
 * @card: card
 * @channel: channel
 * @reg: its register, one of those from DAQ_CHAN_PRODUCED on
 *
 * Context: any but hard interrupts.
 * Return: a value that it had during the call, resets of the card put aside; of
 * a card that cannot be reached, what is last known of it.
 */
u64 daq_chan_read64(struct daq_card *card, u32 channel, u32 reg)
{
	struct daq_chan *chan = &card->chans[channel];
	u32 i = (reg - DAQ_CHAN_PRODUCED) / 8;
	u64 count;

	count = *daq_counter(&chan->counted, i) +
		daq_chan_read_whole(card, channel, reg);
	/* It may have gone just now. */
	if (daq_reachable(card))
		atomic64_set(&chan->told[i], count);
	else
		count = max_t(u64, atomic64_read(&chan->told[i]),
			      READ_ONCE(*daq_counter(chan->counters, i)));
	return count;
}

/**
 * daq_chan_since_reset() - what a counter's register had when it was last read
 * @chan: channel
 * @reg: the register, as for daq_chan_read64()
 *
 * Return: its value.
 */
u64 daq_chan_since_reset(const struct daq_chan *chan, u32 reg)
{
	u32 i = (reg - DAQ_CHAN_PRODUCED) / 8;

	return atomic64_read(&chan->told[i]) -
	       *daq_counter((struct daq_channel_counters *)&chan->counted, i);
}

/* Counters do not go back behind what was told of registers. */
static void daq_chan_raise(struct daq_chan *chan)
{
	struct daq_channel_counters *counters = chan->counters;
	u32 i;

	spin_lock_bh(&chan->lock);
	daq_counters_begin(&counters->card_seq);
	for (i = 0; i < DAQ_CHAN_COUNTERS; i++) {
		u64 *count = daq_counter(counters, i);

		*count = max_t(u64, *count, atomic64_read(&chan->told[i]));
	}
	daq_counters_end(&counters->card_seq);
	spin_unlock_bh(&chan->lock);
}

/**
 * daq_read_counters() - have the last values of all counters at hand
 * @card: card that is about to be reset
 *
 * Context: process, RTNL held.
 */
void daq_read_counters(struct daq_card *card)
{
	u32 i, n;

	daq_take_counters(card);
	for (i = 0; i < card->channels; i++) {
		for (n = 0; n < DAQ_CHAN_COUNTERS; n++)
			daq_chan_read64(card, i, DAQ_CHAN_PRODUCED + 8 * n);
		daq_chan_raise(&card->chans[i]);
	}
}

/**
 * daq_keep_counters() - go on counting where the card was reset
 * @card: card that has been
 *
 * Context: process, RTNL held.
 */
void daq_keep_counters(struct daq_card *card)
{
	u32 i;

	for (i = 0; i < card->channels; i++) {
		struct daq_chan *chan = &card->chans[i];

		spin_lock_bh(&chan->lock);
		memset(chan->stats, 0, sizeof(*chan->stats));
		chan->seen = 0;
		chan->counted = *chan->counters;
		/* This one counts from the reset on. */
		chan->counted.underrun_sample = 0;
		spin_unlock_bh(&chan->lock);
	}
}

static void daq_sum_up(struct daq_count *sum, const struct daq_count *counts,
		       u32 n)
{
	for (; n; n--, counts++)
		daq_count_add(sum, counts->segments, counts->frames,
			      counts->bytes);
}

/* What more of @all there is than @part is added to @more, else @all becomes that. */
static void daq_settle(u64 *all, u64 part, u64 *more)
{
	if (part < *all)
		*more += *all - part;
	else
		*all = part;
}

static void daq_chan_settle(struct daq_chan *chan)
{
	struct daq_channel_counters *counters = chan->counters;
	struct daq_count *stopped = &counters->host[DAQ_RX_DROP_STOPPED];
	struct daq_count *produced = &counters->produced;
	struct daq_count sum = { };

	daq_chan_raise(chan);
	spin_lock_bh(&chan->lock);
	daq_sum_up(&sum, counters->host, DAQ_HOST_OUTCOMES);
	daq_sum_up(&sum, counters->card, DAQ_CARD_OUTCOMES);
	daq_counters_begin(&counters->host_seq);
	daq_counters_begin(&counters->card_seq);
	daq_settle(&produced->segments, sum.segments, &stopped->segments);
	daq_settle(&produced->frames, sum.frames, &stopped->frames);
	daq_settle(&produced->bytes, sum.bytes, &stopped->bytes);
	daq_counters_end(&counters->card_seq);
	daq_counters_end(&counters->host_seq);
	spin_unlock_bh(&chan->lock);
}

/**
 * daq_settle_counters() - close the account of a card that cannot be read any more
 * @card: card; its queues have stopped
 *
 * What has come since the counters were last read was produced, at least. What
 * they have told of and did not come is lost with the card.
 *
 * Context: process, RTNL held.
 */
void daq_settle_counters(struct daq_card *card)
{
	u32 i;

	for (i = 0; i < card->channels; i++)
		daq_chan_settle(&card->chans[i]);
}
