// SPDX-License-Identifier: GPL-2.0
/*
 * Register windows: the user page of a channel, mapped by a process.
 *
 * A window has one owner at a time, an open file of the control device, from its
 * first mapping to its last one. It can be revoked at any moment, and granted again.
 * While it is revoked its owner's accesses go to a page of kernel memory that nobody
 * else has: there is no signal, and nothing that the owner would have to do. Neither
 * is anything here done that depends on it.
 *
 * What makes that sure: which page a mapping shows is decided by the page fault, and
 * that and every change of it are under the window's lock. So when mappings have been
 * taken away under that lock, no processor has a way to the card any more, and who
 * looks for one finds the other page.
 */
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/slab.h>

#include "daq.h"

/**
 * daq_has_windows() - whether there are windows to be mapped
 * @card: card
 *
 * Return: true if so.
 */
bool daq_has_windows(struct daq_card *card)
{
	bool io;

	/* What is mapped are whole pages, and nobody else's. */
	return !(DAQ_USER_PAGE_SIZE % PAGE_SIZE) &&
	       card->ops->window(card, 0, &io);
}

/* Faults */

static unsigned long daq_window_pfn(const struct daq_window *window,
				    const struct vm_area_struct *vma,
				    pgprot_t *prot)
{
	*prot = vm_get_page_prot(vma->vm_flags);
	if (window->withheld)
		return page_to_pfn(window->page);
	if (window->io)
		*prot = pgprot_decrypted(pgprot_noncached(*prot));
	return window->pfn;
}

static vm_fault_t daq_window_fault(struct vm_fault *vmf)
{
	struct daq_window *window = vmf->vma->vm_private_data;
	unsigned long pfn;
	vm_fault_t ret;
	pgprot_t prot;

	mutex_lock(&window->lock);
	pfn = daq_window_pfn(window, vmf->vma, &prot);
	ret = vmf_insert_pfn_prot(vmf->vma, vmf->address, pfn, prot);
	mutex_unlock(&window->lock);
	return ret;
}

/* From now on each access is a fault; the lock is held. */
static void daq_window_zap(const struct daq_window *window)
{
	lockdep_assert_held(&window->lock);
	if (window->owner)
		unmap_mapping_range(window->mapping,
				    DAQ_MMAP_WINDOW(window->channel),
				    PAGE_SIZE, true);
}

/* Owners */

/*
 * Open the page on the card to writes, or close it; the lock is held. The answer
 * of the read is behind all that has been written before: by the owner, too.
 */
static void daq_window_open_page(const struct daq_window *window,
				 struct daq_card *card, bool open)
{
	u32 reg = DAQ_REG_CHAN(window->channel) + DAQ_CHAN_USER;

	lockdep_assert_held(&window->lock);
	card->ops->write32(card, reg, open ? DAQ_CHAN_USER_OPEN : 0);
	card->ops->read32(card, reg);
}

static bool daq_window_is_removed(const struct daq_window *window)
{
	return window->withheld & BIT(DAQ_REASON_REMOVED);
}

/* The lock is held; it keeps the card, unless that has been removed. */
static int daq_window_take(struct daq_window *window, struct daq_file *file,
			   struct address_space *mapping)
{
	struct daq_card *card = file->ctl->card;

	lockdep_assert_held(&window->lock);
	if (window->owner == file)
		return 0;
	if (window->owner)
		return -EBUSY;
	if (daq_window_is_removed(window))
		return -ENODEV;
	if (!daq_has_windows(card))
		return -EOPNOTSUPP;
	window->pfn = card->ops->window(card, window->channel, &window->io);
	window->page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!window->page)
		return -ENOMEM;

	WRITE_ONCE(window->owner, file);
	window->mapping = mapping;
	if (!window->withheld)
		daq_window_open_page(window, card, true);
	return 0;
}

/* The last mapping has gone; the lock is held. */
static void daq_window_give_up(struct daq_window *window)
{
	struct daq_card *card = window->owner->ctl->card;

	lockdep_assert_held(&window->lock);
	if (!window->withheld)
		daq_window_open_page(window, card, false);
	WRITE_ONCE(window->owner, NULL);
	__free_page(window->page);
	window->page = NULL;
}

static void daq_window_vma_open(struct vm_area_struct *vma)
{
	struct daq_window *window = vma->vm_private_data;

	mutex_lock(&window->lock);
	window->maps++;
	mutex_unlock(&window->lock);
}

static void daq_window_vma_close(struct vm_area_struct *vma)
{
	struct daq_window *window = vma->vm_private_data;

	mutex_lock(&window->lock);
	if (!--window->maps)
		daq_window_give_up(window);
	mutex_unlock(&window->lock);
}

static const struct vm_operations_struct daq_window_vm_ops = {
	.open	= daq_window_vma_open,
	.close	= daq_window_vma_close,
	.fault	= daq_window_fault,
};

static int daq_window_check(struct vm_area_struct *vma)
{
	if (vma_pages(vma) != 1)
		return -EINVAL;
	if (!(vma->vm_file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return vma->vm_flags & VM_EXEC ? -EACCES : 0;
}

/**
 * daq_window_mmap() - map a channel's register window
 * @file: who wants it
 * @vma: where
 * @channel: whose; may be any number
 *
 * Context: process.
 * Return: 0 or a negative errno: -EBUSY: another file has it.
 */
int daq_window_mmap(struct daq_file *file, struct vm_area_struct *vma,
		    u64 channel)
{
	struct daq_ctl *ctl = file->ctl;
	struct daq_window *window;
	int err;

	if (channel >= ctl->nr_windows)
		return -EINVAL;
	err = daq_window_check(vma);
	if (err)
		return err;

	window = &ctl->windows[channel];
	mutex_lock(&window->lock);
	err = daq_window_take(window, file, vma->vm_file->f_mapping);
	if (!err)
		window->maps++;
	mutex_unlock(&window->lock);
	if (err)
		return err;
	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYEXEC);
	vma->vm_ops = &daq_window_vm_ops;
	vma->vm_private_data = window;
	return 0;
}

/* Revoking and granting */

/* Who has no window need not know that the card sleeps or starts anew. */
static bool daq_window_is_news(const struct daq_window *window,
			       enum daq_reason reason)
{
	return window->owner || reason == DAQ_REASON_ADMIN ||
	       reason == DAQ_REASON_CARD;
}

static void daq_window_tell(const struct daq_window *window,
			    struct daq_card *card, enum daq_event_type type,
			    enum daq_reason reason)
{
	struct daq_channel_counters *counters;

	counters = card->chans[window->channel].counters;
	WRITE_ONCE(counters->window, window->withheld);
	smp_wmb(); /* who reads a generation twice has what belongs to it */
	WRITE_ONCE(counters->generation, counters->generation + 1);
	if (daq_window_is_news(window, reason))
		daq_event(card, type, window->channel, reason, 0);
}

static void daq_window_revoke(struct daq_window *window, struct daq_card *card,
			      enum daq_reason reason)
{
	if (window->owner)
		clear_highpage(window->page);
	WRITE_ONCE(window->withheld, BIT(reason));
	daq_window_zap(window);
	if (window->owner)
		daq_window_open_page(window, card, false);
	daq_window_tell(window, card, DAQ_EV_REVOKED, reason);
}

static void daq_window_grant(struct daq_window *window, struct daq_card *card,
			     enum daq_reason reason)
{
	if (window->owner)
		daq_window_open_page(window, card, true);
	WRITE_ONCE(window->withheld, 0);
	daq_window_zap(window);
	daq_window_tell(window, card, DAQ_EV_GRANTED, reason);
}

/* There is one more reason to withhold a window, or there are some less. */
static void daq_window_change(struct daq_window *window, struct daq_card *card,
			      enum daq_reason reason, bool withhold)
{
	u32 withheld = window->withheld;

	lockdep_assert_held(&window->lock);
	if (withhold)
		withheld |= BIT(reason);
	else
		withheld &= ~BIT(reason);
	if (withheld && !window->withheld) {
		daq_window_revoke(window, card, reason);
	} else if (!withheld && window->withheld) {
		daq_window_grant(window, card, reason);
	} else {
		WRITE_ONCE(window->withheld, withheld);
		WRITE_ONCE(card->chans[window->channel].counters->window,
			   withheld);
	}
}

/* The register is read under the lock: what is done is not out of date. */
static void daq_window_ask_card(struct daq_window *window, struct daq_card *card)
{
	u32 reg = DAQ_REG_USER_HELD + window->channel / 32 * 4;
	u32 held = card->ops->read32(card, reg);

	if (daq_reachable(card))
		daq_window_change(window, card, DAQ_REASON_CARD,
				  held & BIT(window->channel % 32));
}

/**
 * daq_window_set() - withhold a channel's window, or do so no more
 * @card: card
 * @channel: channel
 * @reason: why; others may still have it withheld
 * @granted: do so no more
 *
 * When it is withheld, nothing that its owner writes later reaches the card.
 *
 * Context: process; the card stays.
 */
void daq_window_set(struct daq_card *card, u32 channel, enum daq_reason reason,
		    bool granted)
{
	struct daq_window *window = &card->ctl->windows[channel];

	mutex_lock(&window->lock);
	daq_window_change(window, card, reason, !granted);
	mutex_unlock(&window->lock);
}

/**
 * daq_windows_revoke() - withhold all windows
 * @card: card
 * @reason: why
 *
 * Context: process; the card stays.
 */
void daq_windows_revoke(struct daq_card *card, enum daq_reason reason)
{
	u32 i;

	for (i = 0; i < card->channels; i++)
		daq_window_set(card, i, reason, false);
}

/**
 * daq_windows_grant() - the card works again: nobody but others withholds windows
 * @card: card, which was reset or slept
 *
 * Context: process; the card stays.
 */
void daq_windows_grant(struct daq_card *card)
{
	struct daq_window *window;
	u32 i;

	for (i = 0; i < card->channels; i++) {
		window = &card->ctl->windows[i];
		mutex_lock(&window->lock);
		daq_window_ask_card(window, card);
		daq_window_change(window, card, DAQ_REASON_RESET, false);
		daq_window_change(window, card, DAQ_REASON_SUSPEND, false);
		mutex_unlock(&window->lock);
	}
}

static void daq_window_work(struct work_struct *work)
{
	struct daq_ctl *ctl = container_of(work, struct daq_ctl, window_work);
	struct daq_window *window;
	u32 i;

	for (i = 0; i < ctl->nr_windows; i++) {
		window = &ctl->windows[i];
		mutex_lock(&window->lock);
		/* Without that, there is a card. */
		if (!daq_window_is_removed(window))
			daq_window_ask_card(window, ctl->card);
		mutex_unlock(&window->lock);
	}
}

/**
 * daq_windows_look() - the card may withhold other windows than before
 * @card: card
 *
 * Context: any.
 */
void daq_windows_look(struct daq_card *card)
{
	schedule_work(&card->ctl->window_work);
}

/**
 * daq_windows_init() - make the windows of a control device
 * @ctl: control device
 * @channels: channels of its card
 *
 * Until daq_windows_begin() there is no card behind them.
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int daq_windows_init(struct daq_ctl *ctl, u32 channels)
{
	u32 i;

	ctl->windows = kvcalloc(channels, sizeof(*ctl->windows), GFP_KERNEL);
	if (!ctl->windows)
		return -ENOMEM;
	ctl->nr_windows = channels;
	INIT_WORK(&ctl->window_work, daq_window_work);
	for (i = 0; i < channels; i++) {
		ctl->windows[i].channel = i;
		ctl->windows[i].withheld = BIT(DAQ_REASON_REMOVED);
		mutex_init(&ctl->windows[i].lock);
	}
	return 0;
}

/**
 * daq_windows_begin() - there is a card behind the windows
 * @card: card that works, whose control device nobody has open yet
 *
 * Context: process.
 */
void daq_windows_begin(struct daq_card *card)
{
	struct daq_window *window;
	u32 i;

	for (i = 0; i < card->channels; i++) {
		window = &card->ctl->windows[i];
		mutex_lock(&window->lock);
		window->withheld = 0;
		daq_window_ask_card(window, card);
		mutex_unlock(&window->lock);
	}
}

/**
 * daq_windows_stop() - nobody looks any more what the card withholds
 * @ctl: control device, whose card is about to go
 *
 * Context: process.
 */
void daq_windows_stop(struct daq_ctl *ctl)
{
	disable_work_sync(&ctl->window_work);
}

/**
 * daq_windows_free() - undo daq_windows_init()
 * @ctl: control device that nobody has open
 */
void daq_windows_free(struct daq_ctl *ctl)
{
	kvfree(ctl->windows);
}
