// SPDX-License-Identifier: GPL-2.0
/* Channels: what they acquire, and when they run. */
#include <linux/iopoll.h>
#include <linux/log2.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>

#include "daq.h"

static void daq_chan_write(struct daq_card *card, u32 channel, u32 reg, u32 val)
{
	card->ops->write32(card, DAQ_REG_CHAN(channel) + reg, val);
}

static void daq_chan_write64(struct daq_card *card, u32 channel, u32 reg,
			     u64 val)
{
	daq_chan_write(card, channel, reg, lower_32_bits(val));
	daq_chan_write(card, channel, reg + 4, upper_32_bits(val));
}

/* Count in one field of the number that the next headers have. */
static void daq_chan_count_run(struct daq_chan *chan, u16 field)
{
	u16 one = field & -field;

	chan->run = (chan->run & ~field) | ((chan->run + one) & field);
}

/**
 * daq_count_suspend() - have the next headers tell that the card slept
 * @card: card that is stopped for it
 *
 * Context: process, RTNL held.
 */
void daq_count_suspend(struct daq_card *card)
{
	u32 i;

	for (i = 0; i < card->channels; i++)
		daq_chan_count_run(&card->chans[i], DAQ_RUN_SUSPENDS);
}

/* Return: what headers tell of segments dropped, with the counters as last read. */
static u64 daq_chan_dropped(struct daq_card *card, u32 channel)
{
	static const u32 regs[] = {
		DAQ_CHAN_NO_BUFFER, DAQ_CHAN_TOO_LONG, DAQ_CHAN_FIFO_OVERRUN,
	};
	u64 sum = daq_chan_read_whole(card, channel, DAQ_CHAN_DROPPED);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(regs); i++)
		sum += daq_chan_since_reset(&card->chans[channel], regs[i]);
	return sum;
}

/**
 * daq_save_places() - note where channels go on
 * @card: card whose channels are off, that is about to be reset; its counters have
 *	  been read
 *
 * Context: process, RTNL held.
 */
void daq_save_places(struct daq_card *card)
{
	u32 i;

	for (i = 0; i < card->channels; i++) {
		struct daq_chan *chan = &card->chans[i];

		chan->next_frame = card->ops->read32(card, DAQ_REG_CHAN(i) +
							   DAQ_CHAN_NEXT_FRAME);
		chan->next_sample = daq_chan_read_whole(card, i,
							DAQ_CHAN_NEXT_SAMPLE);
		chan->dropped = daq_chan_dropped(card, i);
	}
	/* It may have gone in the middle of that. */
	if (daq_reachable(card))
		card->has_places = true;
}

/**
 * daq_restore_places() - have channels go on where they were before a reset
 * @card: card that has been reset, with its counters kept
 * @asleep: it was reset because it slept; else it begins anew, as it may have been
 *	    reset for not working right
 *
 * The next headers tell of one or the other.
 *
 * Context: process, RTNL held.
 */
void daq_restore_places(struct daq_card *card, bool asleep)
{
	bool go_on = asleep && card->has_places;
	u32 i;

	card->has_places = false;
	for (i = 0; i < card->channels; i++) {
		struct daq_chan *chan = &card->chans[i];

		if (!go_on) {
			daq_chan_count_run(chan, DAQ_RUN_RESETS);
			continue;
		}
		daq_chan_write64(card, i, DAQ_CHAN_NEXT_SAMPLE,
				 chan->next_sample);
		daq_chan_write64(card, i, DAQ_CHAN_DROPPED, chan->dropped);
		daq_chan_write(card, i, DAQ_CHAN_NEXT_FRAME, chan->next_frame);
	}
}

/**
 * daq_chan_start() - let a channel run with its format
 * @card: card
 * @channel: channel
 *
 * Context: process, RTNL held.
 */
void daq_chan_start(struct daq_card *card, u32 channel)
{
	struct daq_chan *chan = &card->chans[channel];
	const struct daq_format *f = &chan->format;

	daq_chan_count_run(chan, DAQ_RUN_STARTS);
	daq_chan_write(card, channel, DAQ_CHAN_SOURCE, f->source);
	daq_chan_write(card, channel, DAQ_CHAN_LOOP_FROM, f->loop_from);
	daq_chan_write(card, channel, DAQ_CHAN_QUEUE, chan->queue);
	daq_chan_write(card, channel, DAQ_CHAN_SAMPLE_BYTES, f->sample_bytes);
	daq_chan_write(card, channel, DAQ_CHAN_SEGMENT_BYTES, f->segment_bytes);
	daq_chan_write(card, channel, DAQ_CHAN_FRAME_BYTES, f->frame_bytes);
	daq_chan_write(card, channel, DAQ_CHAN_LINE_BYTES, f->line_bytes);
	daq_chan_write(card, channel, DAQ_CHAN_OUTPUT_LOW, f->output_low);
	daq_chan_write(card, channel, DAQ_CHAN_RUN, chan->run);
	daq_chan_write64(card, channel, DAQ_CHAN_STATS, card->stats_dma +
			 channel * sizeof(*card->stats));
	daq_chan_write64(card, channel, DAQ_CHAN_RATE, f->rate);
	daq_chan_write64(card, channel, DAQ_CHAN_MAC,
			 ether_addr_to_u64(card->netdev->dev_addr));
	daq_chan_write(card, channel, DAQ_CHAN_CTRL, DAQ_CHAN_CTRL_ENABLE);
}

/**
 * daq_chan_stop() - stop a channel; its format can change then
 * @card: card
 * @channel: channel
 *
 * Context: process, RTNL held.
 */
void daq_chan_stop(struct daq_card *card, u32 channel)
{
	daq_chan_write(card, channel, DAQ_CHAN_CTRL, 0);
}

/**
 * daq_chan_move() - let another queue receive a channel
 * @card: card
 * @channel: channel, running or not
 * @queue: index of a queue in use
 *
 * Nothing is lost: the new queue begins when the old one has received the
 * last of the channel, since two cannot count for one channel at a time.
 *
 * Context: process, RTNL held.
 */
void daq_chan_move(struct daq_card *card, u32 channel, u32 queue)
{
	struct daq_chan *chan = &card->chans[channel];
	struct daq_queue *from = &card->queues[chan->queue];
	struct daq_queue *to = &card->queues[queue];
	u32 reg = DAQ_REG_CHAN(channel) + DAQ_CHAN_QUEUE;
	u32 now;

	if (from == to)
		return;
	if (!card->up) {
		chan->queue = queue;
		return;
	}

	napi_disable(&to->napi);
	card->ops->write32(card, reg, queue);
	if (read_poll_timeout(card->ops->read32, now, now == queue, 10,
			      DAQ_CARD_TIMEOUT_US, false, card, reg)) {
		netdev_err(card->netdev, "channel %u: card did not move it\n",
			   channel);
		daq_report_error(card, DAQ_ERROR_MOVE);
	}
	daq_queue_flush(from);
	WRITE_ONCE(chan->queue, queue);
	napi_enable(&to->napi);
	daq_queue_kick(to);
}

static int daq_check_format(struct daq_card *card, const struct daq_format *f,
			    struct netlink_ext_ack *extack)
{
	if (f->source > DAQ_SOURCE_MAX) {
		NL_SET_ERR_MSG_FMT(extack, "no such source: %u", f->source);
		return -EINVAL;
	}
	if (f->source == DAQ_SOURCE_EXTERNAL && card->ops->set_cable) {
		NL_SET_ERR_MSG(extack,
			       "nothing can be connected to a software card but a cable");
		return -EINVAL;
	}
	if (f->source == DAQ_SOURCE_CABLE && !card->ops->set_cable) {
		NL_SET_ERR_MSG(extack,
			       "cables are for software cards: this one has source external");
		return -EINVAL;
	}
	if (f->loop_from >= card->channels) {
		NL_SET_ERR_MSG_FMT(extack, "no such channel to loop back: %u (%s has 0-%u)",
				   f->loop_from, card->netdev->name,
				   card->channels - 1);
		return -EINVAL;
	}
	if (!is_power_of_2(f->sample_bytes) ||
	    f->sample_bytes > DAQ_MAX_SAMPLE_BYTES) {
		NL_SET_ERR_MSG_FMT(extack, "a sample has 1, 2, 4 or 8 bytes, not %u",
				   f->sample_bytes);
		return -EINVAL;
	}
	if (!f->segment_bytes || f->segment_bytes > DAQ_MAX_SEGMENT_BYTES ||
	    f->segment_bytes % f->sample_bytes) {
		NL_SET_ERR_MSG_FMT(extack, "a segment has whole samples, at most %u bytes, not %u",
				   DAQ_MAX_SEGMENT_BYTES, f->segment_bytes);
		return -EINVAL;
	}
	if (!f->frame_bytes || f->frame_bytes > DAQ_MAX_FRAME_BYTES ||
	    f->frame_bytes % f->sample_bytes) {
		NL_SET_ERR_MSG_FMT(extack, "a frame has whole samples, at most %u bytes, not %u",
				   DAQ_MAX_FRAME_BYTES, f->frame_bytes);
		return -EINVAL;
	}
	if (f->line_bytes < 32 || f->line_bytes % 4) {
		NL_SET_ERR_MSG_FMT(extack, "a line has at least 32 bytes, a multiple of 4, not %u",
				   f->line_bytes);
		return -EINVAL;
	}
	if (f->output_low >= card->tx_ring_size) {
		NL_SET_ERR_MSG_FMT(extack, "output-low %u is not below the size of the ring, %u",
				   f->output_low, card->tx_ring_size);
		return -EINVAL;
	}
	if (!f->rate) {
		NL_SET_ERR_MSG(extack,
			       "rate is 0: give at least 1 sample per second, or source none");
		return -EINVAL;
	}
	if (f->rate > DAQ_MAX_BYTE_RATE / f->sample_bytes) {
		NL_SET_ERR_MSG_FMT(extack, "rate of %llu samples per second is above %llu",
				   f->rate, DAQ_MAX_BYTE_RATE / f->sample_bytes);
		return -EINVAL;
	}
	return 0;
}

/**
 * daq_chan_set_format() - give a channel another format
 * @card: card
 * @channel: channel
 * @format: format; all of it
 * @extack: gets the reason of a refusal
 *
 * A running channel begins a new frame.
 *
 * Context: process, RTNL held.
 * Return: 0 or a negative errno, the old format is in force then.
 */
int daq_chan_set_format(struct daq_card *card, u32 channel,
			const struct daq_format *format,
			struct netlink_ext_ack *extack)
{
	struct bpf_prog *prog = rtnl_dereference(card->xdp_prog);
	int err;

	err = daq_check_format(card, format, extack);
	if (err)
		return err;
	if (!daq_fits_one_buffer(prog, format->segment_bytes)) {
		NL_SET_ERR_MSG(extack,
			       "such segments need an xdp.frags program, not the one attached");
		return -EINVAL;
	}

	if (card->up)
		daq_chan_stop(card, channel);
	card->chans[channel].format = *format;
	if (card->up)
		daq_chan_start(card, channel);
	return 0;
}
