// SPDX-License-Identifier: GPL-2.0
/* What the guest can address: configuration space, registers, user registers. */
#include <errno.h>
#include "card.h"

static u64 power_of_two(u64 size)
{
	u64 n = 4096;

	while (n < size)
		n *= 2;
	return n;
}

/* Return: bytes, 0: the card has no such region. */
u64 region_size(const struct card *card, u32 index)
{
	switch (index) {
	case CARD_BAR0:
		return power_of_two(DAQ_REG_SPACE(card->opt.channels));
	case CARD_BAR2:
		return power_of_two((u64)card->opt.channels * DAQ_USER_PAGE_SIZE);
	case CARD_BAR4:
		return card->irqs.kind == CARD_MSIX ? CARD_MSIX_BAR_SIZE : 0;
	case CARD_CONFIG:
		return CARD_CONFIG_SIZE;
	default:
		return 0;
	}
}

static int region_check(struct card *card, u32 index, u64 offset, u32 count)
{
	u64 size = region_size(card, index);

	if (offset >= size || !count || count > size - offset)
		return EINVAL;
	if (index == CARD_CONFIG)
		return 0;
	if ((count != 1 && count != 2 && count != 4 && count != 8) || offset % count)
		return EINVAL;
	return 0;
}

static u32 region_read_word(struct card *card, u32 index, u32 offset)
{
	u32 page = offset / DAQ_USER_PAGE_SIZE;

	switch (index) {
	case CARD_BAR0:
		return engine_read(card, offset);
	case CARD_BAR2:
		return page < card->opt.channels ?
		       engine_user_read(card, page, offset % DAQ_USER_PAGE_SIZE) : 0;
	default:	/* the client keeps the table itself */
		if (offset >= CARD_MSIX_PBA)
			return irqs_pending(&card->irqs, (offset - CARD_MSIX_PBA) / 4);
		return 0;
	}
}

/**
 * region_read() - the guest reads
 * @card: card
 * @index: region
 * @offset: where in it
 * @buf: gets the bytes
 * @count: 1, 2, 4, 8; any number in configuration space
 *
 * Return: 0 or a positive errno.
 */
int region_read(struct card *card, u32 index, u64 offset, u8 *buf, u32 count)
{
	int err = region_check(card, index, offset, count);
	u32 n, at;

	if (err)
		return err;
	if (card->engine.mode == ENGINE_GONE) {
		memset(buf, 0xff, count);
		return 0;
	}
	if (index == CARD_CONFIG) {
		config_read(card, offset, buf, count);
		return 0;
	}
	for (at = 0; at < count; at += n) {
		u32 skip = (offset + at) % 4;
		__le32 word = cpu_to_le32(region_read_word(card, index, offset + at - skip));

		n = min(count - at, 4 - skip);
		memcpy(buf + at, (u8 *)&word + skip, n);
	}
	return 0;
}

static void region_write_user(struct card *card, u32 offset, u32 val)
{
	u32 channel = offset / DAQ_USER_PAGE_SIZE;
	bool ok;

	if (channel >= card->opt.channels)
		return;
	ok = engine_user_write(card, channel, offset % DAQ_USER_PAGE_SIZE, val);
	card->user_writes += ok;
	card->user_refused += !ok;
	log_fact(&card->log, "user_write seq=%llu refused=%d channel=%u offset=0x%x value=0x%x",
		 (unsigned long long)(card->user_writes + card->user_refused), !ok, channel,
		 offset % DAQ_USER_PAGE_SIZE, val);
}

/* As region_read(). Registers take whole words and ignore all else. */
int region_write(struct card *card, u32 index, u64 offset, const u8 *buf, u32 count)
{
	int err = region_check(card, index, offset, count);
	__le32 word;
	u32 at;

	if (err || card->engine.mode == ENGINE_GONE)
		return err;
	if (index == CARD_CONFIG) {
		config_write(card, offset, buf, count);
		return 0;
	}
	for (at = 0; at + 4 <= count; at += 4) {
		memcpy(&word, buf + at, sizeof(word));
		if (index == CARD_BAR0)
			engine_write(card, offset + at, le32_to_cpu(word));
		else if (index == CARD_BAR2)
			region_write_user(card, offset + at, le32_to_cpu(word));
	}
	return 0;
}
