// SPDX-License-Identifier: GPL-2.0
/*
 * A card that is late: memory that the driver may long have given to others is
 * written to once more. For each channel one such write can be on its way.
 */
#include "card.h"

/* How much later than allowed. */
#define LATE_MIN	(5 * NSEC_PER_MSEC)
#define LATE_MAX	(50 * NSEC_PER_MSEC)

static void late_find_next(struct late *late)
{
	u32 i;

	late->next = U64_MAX;
	for (i = 0; i < DAQ_MAX_CHANNELS; i++)
		if (late->addr[i])
			late->next = min(late->next, late->due[i]);
}

/* The card is switched on: it knows of no memory. */
void late_forget(struct late *late)
{
	memset(late->last, 0, sizeof(late->last));
	memset(late->addr, 0, sizeof(late->addr));
	late->next = U64_MAX;
}

/* The DMA of a channel is about to be over, unless there is a fault. */
void late_plan(struct card *card, u32 channel)
{
	struct late *late = &card->late;

	if (late->addr[channel] || !late->last[channel] ||
	    !fault_strikes(&card->faults, FAULT_LATE_DMA, channel))
		return;
	late->addr[channel] = late->last[channel];
	late->last[channel] = 0;
	late->due[channel] = card_time() + LATE_MIN +
			     fault_random(&card->faults) % (LATE_MAX - LATE_MIN);
	late_find_next(late);
}

static void late_write_one(struct card *card, u32 channel)
{
	struct late *late = &card->late;
	u8 rubbish[64];
	bool ok;

	memset(rubbish, 0xdb, sizeof(rubbish));
	ok = dma_write(&card->dma, late->addr[channel], rubbish, sizeof(rubbish));
	late->addr[channel] = 0;
	late->landed += ok;
	late->refused += !ok;
	log_fact(&card->log, "fault kind=late-dma channel=%u refused=%d", channel, !ok);
}

/* Do all that is due; windows of memory are held. */
void late_write(struct card *card)
{
	struct late *late = &card->late;
	u64 now;
	u32 i;

	if (late->next == U64_MAX)
		return;
	now = card_time();
	for (i = 0; i < card->opt.channels; i++)
		if (late->addr[i] && late->due[i] <= now)
			late_write_one(card, i);
	late_find_next(late);
}
