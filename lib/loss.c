// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Why segments are missing. Headers tell how many, and how many of them the card has
 * dropped; the driver counts by reason. What it has counted and no gap has told of yet
 * is the reason of the next gap.
 */
#include <stddef.h>
#include <string.h>
#include "internal.h"

/* Of each side the reasons, those first that count nothing else. */
static const enum daq_loss by_card[] = {
	DAQ_LOSS_TOO_LONG, DAQ_LOSS_FIFO_OVERRUN, DAQ_LOSS_NO_BUFFER, DAQ_LOSS_UNKNOWN,
};
static const enum daq_loss by_host[] = {
	DAQ_LOSS_RING_FULL, DAQ_LOSS_STOPPED, DAQ_LOSS_BAD_DESC, DAQ_LOSS_NO_MEMORY,
	DAQ_LOSS_NO_FRAGS, DAQ_LOSS_REDIRECT, DAQ_LOSS_ABORTED, DAQ_LOSS_MALFORMED,
	/* the trigger's, too, and ordinary packets */
	DAQ_LOSS_XDP, DAQ_LOSS_STACK, DAQ_LOSS_UNKNOWN,
};

static const char * const names[DAQ_LOSSES] = {
	[DAQ_LOSS_NO_BUFFER]	= "no buffer",
	[DAQ_LOSS_FIFO_OVERRUN]	= "FIFO overrun",
	[DAQ_LOSS_TOO_LONG]	= "too long",
	[DAQ_LOSS_RING_FULL]	= "ring full",
	[DAQ_LOSS_STOPPED]	= "queue stopped",
	[DAQ_LOSS_BAD_DESC]	= "bad descriptor",
	[DAQ_LOSS_NO_MEMORY]	= "no memory",
	[DAQ_LOSS_NO_FRAGS]	= "no fragments",
	[DAQ_LOSS_REDIRECT]	= "redirect failed",
	[DAQ_LOSS_ABORTED]	= "program failed",
	[DAQ_LOSS_MALFORMED]	= "malformed",
	[DAQ_LOSS_XDP]		= "dropped by program",
	[DAQ_LOSS_STACK]	= "to the stack",
	[DAQ_LOSS_UNKNOWN]	= "unknown",
	[DAQ_LOSS_OFF]		= "channel off",
	[DAQ_LOSS_RESET]	= "card reset",
	[DAQ_LOSS_SUSPEND]	= "suspended",
};

const char *daq_loss_name(unsigned int loss)
{
	return loss < DAQ_LOSSES ? names[loss] : "?";
}

/* The one place that knows where counters come from. */
static void read_counters(struct daq_chan *chan)
{
	uint64_t *counted = chan->losses.counted;
	uint64_t filtered = chan->assembly.filtered_segments;

	/* without an answer, as from a card that was removed, nothing is known but this */
	if (!chan->card->fixed_format && chan->card->netlink &&
	    daq_netlink__losses(chan->card, chan->number, counted) == 0) {
		chan->stats.syscalls += DAQ_NETLINK_CALLS;
		counted[DAQ_LOSS_XDP] -= filtered < counted[DAQ_LOSS_XDP] ?
					 filtered : counted[DAQ_LOSS_XDP];
	}
	counted[DAQ_LOSS_MALFORMED] = chan->stats.malformed;
}

void daq_loss__open(struct daq_chan *chan)
{
	read_counters(chan);
	memcpy(chan->losses.told, chan->losses.counted, sizeof(chan->losses.told));
}

static uint64_t untold(const struct daq_losses *losses, enum daq_loss why)
{
	return losses->counted[why] > losses->told[why] ?
	       losses->counted[why] - losses->told[why] : 0;
}

/* So many segments of the gap are for some of these reasons. */
static void explain(struct daq_losses *losses, struct daq_gap *gap, const enum daq_loss *side,
		    size_t count, uint64_t segments)
{
	size_t i;

	for (i = 0; i < count; i++) {
		uint64_t n = untold(losses, side[i]);

		if (side[i] == DAQ_LOSS_UNKNOWN || n > segments)
			n = segments;
		if (!n)
			continue;
		gap->reasons |= 1u << side[i];
		gap->by_reason[side[i]] += n;
		losses->told[side[i]] += n;
		segments -= n;
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * The card was reset, and its headers do not tell what was lost right before: that is
 * what the driver has counted, but for what may be nobody's loss.
 */
static void add_lost_by_reset(const struct daq_losses *losses, struct daq_gap *gap)
{
	uint64_t card = 0, host = 0, segments = gap->segments - gap->card_segments;
	size_t i;

	for (i = 0; i < COUNT(by_card); i++)
		card += untold(losses, by_card[i]);
	for (i = 0; i < COUNT(by_host) && by_host[i] != DAQ_LOSS_XDP; i++)
		host += untold(losses, by_host[i]);
	if (card > gap->card_segments)
		gap->card_segments = card;
	gap->segments = gap->card_segments + (host > segments ? host : segments);
}

void daq_loss__explain(struct daq_chan *chan, struct daq_gap *gap)
{
	bool reset = gap->reasons & 1u << DAQ_LOSS_RESET;
	struct daq_losses *losses = &chan->losses;

	if (!gap->segments && !reset)
		return;
	read_counters(chan);
	if (reset)
		add_lost_by_reset(losses, gap);
	explain(losses, gap, by_card, COUNT(by_card), gap->card_segments);
	explain(losses, gap, by_host, COUNT(by_host), gap->segments - gap->card_segments);
}

void daq_gap__add(struct daq_gap *gap, const struct daq_gap *other)
{
	unsigned int i;

	gap->frames += other->frames;
	gap->segments += other->segments;
	gap->samples += other->samples;
	gap->card_segments += other->card_segments;
	gap->off_ns += other->off_ns;
	gap->filtered_frames += other->filtered_frames;
	gap->filtered_segments += other->filtered_segments;
	gap->skipped_frames += other->skipped_frames;
	gap->reasons |= other->reasons;
	for (i = 0; i < DAQ_LOSSES; i++)
		gap->by_reason[i] += other->by_reason[i];
}
