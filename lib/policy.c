// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* What becomes of frames when the application is slower than the card. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

/* A frame that is older than the newest one: what it told of goes to that. */
static void skip(struct daq_chan *chan, struct daq_frame *old, struct daq_frame *next)
{
	daq_gap__add(&next->gap, &old->gap);
	next->gap.skipped_frames += old->len > 0;
	next->status |= old->status & (DAQ_FRAME_GAP_BEFORE | DAQ_FRAME_RESTARTED);
	daq_input__drop(chan, old);
}

/* The newest frame that has come; what only tells of a loss or the end is not newer. */
static int receive_newest(struct daq_chan *chan, struct daq_frame *frame)
{
	struct daq_frame next;
	int ret = 1;

	if (chan->is_ahead)
		*frame = chan->ahead;
	else
		ret = daq_input__receive(chan, frame);
	chan->is_ahead = false;
	while (ret == 1 && !(frame->status & DAQ_FRAME_LAST) && chan->free_record_count &&
	       daq_input__receive(chan, &next) == 1) {
		if (!next.len && frame->len) {
			chan->ahead = next;
			chan->is_ahead = true;
			break;
		}
		skip(chan, frame, &next);
		*frame = next;
	}
	return ret;
}

static int report_loss(const struct daq_chan *chan)
{
	const struct daq_gap *gap = &chan->lost;
	char why[128] = "";
	unsigned int i;
	size_t len;

	for (i = 0; i < DAQ_LOSSES; i++) {
		len = strlen(why);
		if (gap->reasons & 1u << i)
			snprintf(why + len, sizeof(why) - len, "%s%s", len ? ", " : "",
				 daq_loss_name(i));
	}
	return daq_error(-EOVERFLOW, "channel %u of %s lost %llu frames (%s) and has stopped, as it was told to: open it again",
			 chan->number, chan->card->ifname, (unsigned long long)gap->frames,
			 why);
}

/* Everything up to the first loss, and nothing behind it. */
static int receive_lossless(struct daq_chan *chan, struct daq_frame *frame)
{
	int ret = chan->has_lost ? 0 : daq_input__receive(chan, frame);

	if (ret == 1 && frame->status & (DAQ_FRAME_GAP_BEFORE | DAQ_FRAME_RESTARTED)) {
		chan->lost = frame->gap;
		chan->has_lost = true;
		daq_input__drop(chan, frame);
	}
	return chan->has_lost ? report_loss(chan) : ret;
}

int daq_policy__receive(struct daq_chan *chan, struct daq_frame *frame)
{
	switch (chan->policy) {
	case DAQ_DROP_OLD:
		return receive_newest(chan, frame);
	case DAQ_STOP:
		return receive_lossless(chan, frame);
	default:
		return daq_input__receive(chan, frame);
	}
}

int daq_chan__loss(const struct daq_chan *chan, struct daq_gap *gap)
{
	*gap = chan->lost;
	return chan->has_lost;
}
