// SPDX-License-Identifier: GPL-2.0
/*
 * PCI configuration space. QEMU keeps addresses of BARs, messages and tables to
 * itself; what comes here is what is the card's own.
 */
#include <linux/pci_regs.h>
#include "card.h"

#define CAP_PM		0x40
#define CAP_INTERRUPT	0x50
#define CAP_EXPRESS	0x70

static void config_put(struct config *c, u32 at, u32 size, u32 val, u32 writable)
{
	u32 i;

	for (i = 0; i < size; i++) {
		c->byte[at + i] = val >> 8 * i;
		c->writable[at + i] = writable >> 8 * i;
	}
}

static u32 config_get(const struct config *c, u32 at)
{
	return c->byte[at] | c->byte[at + 1] << 8;
}

static void config_bar(struct card *card, u32 bar)
{
	u32 at = PCI_BASE_ADDRESS_0 + 4 * bar;
	u64 size = region_size(card, bar);

	if (!size)
		return;
	config_put(&card->config, at, 4, PCI_BASE_ADDRESS_MEM_TYPE_64, -size);
	config_put(&card->config, at + 4, 4, 0, -size >> 32);
}

/* Return: the capability that is there now. */
static u32 config_cap(struct config *c, u32 before, u32 at, u8 id)
{
	c->byte[before] = at;
	c->byte[at] = id;
	return at + PCI_CAP_LIST_NEXT;
}

static u32 config_msix(struct config *c, u32 link, u32 vectors)
{
	link = config_cap(c, link, CAP_INTERRUPT, PCI_CAP_ID_MSIX);
	config_put(c, CAP_INTERRUPT + PCI_MSIX_FLAGS, 2, vectors - 1,
		   PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	config_put(c, CAP_INTERRUPT + PCI_MSIX_TABLE, 4, CARD_BAR4, 0);
	config_put(c, CAP_INTERRUPT + PCI_MSIX_PBA, 4, CARD_MSIX_PBA | CARD_BAR4, 0);
	return link;
}

static u32 config_msi(struct config *c, u32 link, u32 vectors)
{
	u32 order = 0;

	while (1u << order < vectors)
		order++;
	link = config_cap(c, link, CAP_INTERRUPT, PCI_CAP_ID_MSI);
	config_put(c, CAP_INTERRUPT + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT | order << 1,
		   PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	config_put(c, CAP_INTERRUPT + PCI_MSI_ADDRESS_LO, 4, 0, ~3u);
	config_put(c, CAP_INTERRUPT + PCI_MSI_ADDRESS_HI, 4, 0, ~0u);
	config_put(c, CAP_INTERRUPT + PCI_MSI_DATA_64, 2, 0, 0xffff);
	return link;
}

static void config_express(struct config *c, u32 link)
{
	config_cap(c, link, CAP_EXPRESS, PCI_CAP_ID_EXP);
	config_put(c, CAP_EXPRESS + PCI_EXP_FLAGS, 2, 2, 0);
	config_put(c, CAP_EXPRESS + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR, 0);
	/* Payload and read requests of 128 and 512 bytes. */
	config_put(c, CAP_EXPRESS + PCI_EXP_DEVCTL, 2, 0x2000, 0xffff & ~PCI_EXP_DEVCTL_BCR_FLR);
	/* 5 GT/s on one lane, of which a virtual machine has no use. */
	config_put(c, CAP_EXPRESS + PCI_EXP_LNKCAP, 4, PCI_EXP_LNKCAP_SLS_5_0GB | 1 << 4, 0);
	config_put(c, CAP_EXPRESS + PCI_EXP_LNKSTA, 2, PCI_EXP_LNKSTA_CLS_5_0GB | 1 << 4, 0);
}

/* The first extended capability, and the last one. */
static void config_serial(struct config *c, u64 serial)
{
	config_put(c, PCI_CFG_SPACE_SIZE, 4, PCI_EXT_CAP_ID_DSN | 1 << 16, 0);
	config_put(c, PCI_CFG_SPACE_SIZE + 4, 4, serial, 0);
	config_put(c, PCI_CFG_SPACE_SIZE + 8, 4, serial >> 32, 0);
}

/* Power on; the bus master bit is off, too. */
void config_init(struct card *card)
{
	struct config *c = &card->config;
	u32 link = PCI_CAPABILITY_LIST;

	memset(c, 0, sizeof(*c));
	config_put(c, PCI_VENDOR_ID, 2, CARD_VENDOR, 0);
	config_put(c, PCI_DEVICE_ID, 2, CARD_DEVICE, 0);
	config_put(c, PCI_COMMAND, 2, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		   PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	config_put(c, PCI_STATUS, 2, PCI_STATUS_CAP_LIST, 0);
	/* Revision 1; data acquisition, and nothing more special. */
	config_put(c, PCI_CLASS_REVISION, 4, 0x11800001, 0);
	config_put(c, PCI_CACHE_LINE_SIZE, 1, 0, 0xff);
	config_put(c, PCI_SUBSYSTEM_VENDOR_ID, 2, CARD_VENDOR, 0);
	config_put(c, PCI_SUBSYSTEM_ID, 2, CARD_DEVICE, 0);
	config_put(c, PCI_INTERRUPT_LINE, 1, 0, 0xff);
	config_bar(card, CARD_BAR0);
	config_bar(card, CARD_BAR2);
	config_bar(card, CARD_BAR4);

	link = config_cap(c, link, CAP_PM, PCI_CAP_ID_PM);
	config_put(c, CAP_PM + PCI_PM_PMC, 2, 3, 0);
	config_put(c, CAP_PM + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET, PCI_PM_CTRL_STATE_MASK);
	if (card->irqs.kind == CARD_MSIX)
		link = config_msix(c, link, card->irqs.vectors);
	else if (card->irqs.kind == CARD_MSI)
		link = config_msi(c, link, card->irqs.vectors);
	config_express(c, link);
	if (card->opt.serial)
		config_serial(c, card->opt.serial);
	dma_set_master(&card->dma, false);
}

void config_read(struct card *card, u32 offset, u8 *buf, u32 count)
{
	memcpy(buf, card->config.byte + offset, count);
}

static bool config_covers(u32 at, u32 offset, u32 count)
{
	return at >= offset && at - offset < count;
}

void config_write(struct card *card, u32 offset, const u8 *buf, u32 count)
{
	struct config *c = &card->config;
	u32 flr = CAP_EXPRESS + PCI_EXP_DEVCTL + 1;
	bool master;
	u32 i;

	for (i = 0; i < count; i++) {
		u8 mask = c->writable[offset + i];

		c->byte[offset + i] = (c->byte[offset + i] & ~mask) | (buf[i] & mask);
	}
	master = config_get(c, PCI_COMMAND) & PCI_COMMAND_MASTER;
	if (master != card->dma.master) {
		link_refuse_dma(&card->link, !master);
		dma_set_master(&card->dma, master);
		log_fact(&card->log, "bus_master on=%d", master);
	}
	if (config_covers(flr, offset, count) &&
	    (buf[flr - offset] & PCI_EXP_DEVCTL_BCR_FLR >> 8))
		card_function_reset(card, "flr");
}
