// SPDX-License-Identifier: GPL-2.0
/*
 * Windows of guest memory: a sorted table of address ranges, each a part of a
 * file that is mapped here once, or of nothing, and then DMA goes by messages.
 * With an IOMMU in the guest there are thousands of windows, so no file is kept
 * open for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "card.h"

void dma_init(struct dma *dma)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	/* The engine takes it again and again; a change must not wait for ever. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&dma->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

/* Return: index of the first window that ends behind @addr. */
static u32 dma_search(const struct dma *dma, u64 addr)
{
	u32 low = 0, high = dma->count;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		const struct dma_window *w = &dma->window[mid];

		if (w->addr + (w->size - 1) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct dma_window *dma_find(const struct dma *dma, u64 addr)
{
	u32 i = dma_search(dma, addr);

	if (i == dma->count || dma->window[i].addr > addr)
		return NULL;
	return &dma->window[i];
}

static int dma_insert(struct dma *dma, u32 at, const struct dma_window *window)
{
	struct dma_window *grown;
	u32 room;

	if (dma->count == DMA_MAX_WINDOWS)
		return ENOSPC;
	if (dma->count == dma->room) {
		room = dma->room ? 2 * dma->room : 64;
		grown = realloc(dma->window, room * sizeof(*grown));
		if (!grown)
			return ENOMEM;
		dma->window = grown;
		dma->room = room;
	}
	memmove(&dma->window[at + 1], &dma->window[at],
		(dma->count - at) * sizeof(*dma->window));
	dma->window[at] = *window;
	dma->count++;
	return 0;
}

static void dma_remove(struct dma *dma, u32 at)
{
	dma->count--;
	memmove(&dma->window[at], &dma->window[at + 1],
		(dma->count - at) * sizeof(*dma->window));
}

/* Map a file, whole; anew if it has grown or may be written to only now. */
static int dma_map_backing(struct dma_backing *b, int fd, const struct stat *st)
{
	bool writable = true;
	void *base;
	int err;

	base = mmap(NULL, st->st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED && (errno == EACCES || errno == EPERM)) {
		writable = false;
		base = mmap(NULL, st->st_size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	}
	if (base == MAP_FAILED)
		return errno;
	err = guard_add(base, st->st_size);
	if (err) {
		munmap(base, st->st_size);
		return err;
	}
	if (b->base) {
		guard_remove(b->base);
		munmap(b->base, b->size);
	}
	b->base = base;
	b->size = st->st_size;
	b->writable = writable;
	return 0;
}

static int dma_find_backing(struct dma *dma, int fd, struct dma_window *w)
{
	struct dma_backing *b = dma->backing;
	struct stat st;
	u32 i;
	int err;

	if (fstat(fd, &st))
		return errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || w->offset > (u64)st.st_size ||
	    w->size > (u64)st.st_size - w->offset)
		return EINVAL;
	for (i = 0; i < dma->backings; i++, b++)
		if (b->dev == st.st_dev && b->ino == st.st_ino)
			break;
	if (i == DMA_BACKINGS)
		return ENOSPC;
	if (i == dma->backings || b->size < w->offset + w->size ||
	    (!b->writable && (w->flags & DMA_WRITABLE))) {
		err = dma_map_backing(b, fd, &st);
		if (err)
			return err;
	}
	b->dev = st.st_dev;
	b->ino = st.st_ino;
	if (i == dma->backings)
		dma->backings++;
	if (!b->writable && (w->flags & DMA_WRITABLE))
		return EACCES;
	w->backing = i;
	return 0;
}

/**
 * dma_map() - add a window
 * @dma: memory
 * @window: where it is; its backing is ignored
 * @fd: file that it is part of, -1: none; stays the caller's
 *
 * Return: 0 or a positive errno.
 */
int dma_map(struct dma *dma, const struct dma_window *window, int fd)
{
	struct dma_window w = *window;
	int err = 0;
	u32 at;

	if (!w.size || w.addr + (w.size - 1) < w.addr)
		return EINVAL;
	w.backing = -1;
	pthread_rwlock_wrlock(&dma->lock);
	at = dma_search(dma, w.addr);
	if (at < dma->count && dma->window[at].addr <= w.addr + (w.size - 1))
		err = EEXIST;
	if (!err && fd >= 0)
		err = dma_find_backing(dma, fd, &w);
	if (!err)
		err = dma_insert(dma, at, &w);
	if (!err)
		dma->maps++;
	pthread_rwlock_unlock(&dma->lock);
	return err;
}

/* Take @first to @last out of a window; it may fall into two. */
static int dma_cut(struct dma *dma, u32 at, u64 first, u64 last)
{
	struct dma_window *w = &dma->window[at];
	u64 end = w->addr + (w->size - 1);
	struct dma_window rest = *w;

	rest.addr = last + 1;
	rest.size = end - last;
	rest.offset += rest.addr - w->addr;
	if (first <= w->addr && last >= end) {
		dma_remove(dma, at);
	} else if (first <= w->addr) {
		*w = rest;
	} else {
		if (last < end && dma_insert(dma, at + 1, &rest))
			return ENOSPC;
		w = &dma->window[at];
		w->size = first - w->addr;
	}
	return 0;
}

/**
 * dma_unmap() - remove a range of addresses; no DMA there when it returns
 * @dma: memory
 * @addr: its start; it need not be that of a window
 * @size: its size
 *
 * Return: 0 or a positive errno.
 */
int dma_unmap(struct dma *dma, u64 addr, u64 size)
{
	u64 last = addr + (size - 1);
	int err = 0;
	u32 at;

	if (!size || last < addr)
		return EINVAL;
	pthread_rwlock_wrlock(&dma->lock);
	while (!err) {
		at = dma_search(dma, addr);
		if (at == dma->count || dma->window[at].addr > last)
			break;
		err = dma_cut(dma, at, addr, last);
		dma->unmaps++;
	}
	pthread_rwlock_unlock(&dma->lock);
	return err;
}

void dma_unmap_all(struct dma *dma)
{
	pthread_rwlock_wrlock(&dma->lock);
	dma->unmaps += dma->count;
	dma->count = 0;
	pthread_rwlock_unlock(&dma->lock);
}

/* The client has left. */
void dma_drop(struct dma *dma)
{
	u32 i;

	dma_unmap_all(dma);
	pthread_rwlock_wrlock(&dma->lock);
	for (i = 0; i < dma->backings; i++) {
		guard_remove(dma->backing[i].base);
		munmap(dma->backing[i].base, dma->backing[i].size);
	}
	memset(dma->backing, 0, sizeof(dma->backing));
	dma->backings = 0;
	free(dma->window);
	dma->window = NULL;
	dma->room = 0;
	pthread_rwlock_unlock(&dma->lock);
}

/* When it returns, DMA that is no longer allowed is over. */
void dma_set_master(struct dma *dma, bool on)
{
	WRITE_ONCE(dma->master, on);
	pthread_rwlock_wrlock(&dma->lock);
	pthread_rwlock_unlock(&dma->lock);
}

/*
 * The piece of guest memory at @addr, at most @len bytes, which becomes its length.
 * Return: false: there is none that allows it.
 */
static bool dma_piece(struct dma *dma, u64 addr, u32 *len, u32 need, u8 **piece)
{
	const struct dma_window *w = dma_find(dma, addr);

	if (!READ_ONCE(dma->master) || !w || (w->flags & need) != need) {
		dma->refused++;
		return false;
	}
	*len = min_t(u64, *len, w->size - (addr - w->addr));
	*piece = NULL;
	if (w->backing >= 0)
		*piece = dma->backing[w->backing].base + w->offset + (addr - w->addr);
	return true;
}

/**
 * dma_direct() - guest memory as it is; the caller holds the lock for reading
 * @dma: memory
 * @addr: its address
 * @len: bytes
 * @need: flags that the window must have
 *
 * Return: the memory, or NULL when it is not in one piece, or refused.
 */
void *dma_direct(struct dma *dma, u64 addr, u32 len, u32 need)
{
	const struct dma_window *w = dma_find(dma, addr);

	if (!READ_ONCE(dma->master) || !w || (w->flags & need) != need || w->backing < 0 ||
	    len > w->size - (addr - w->addr))
		return NULL;
	return dma->backing[w->backing].base + w->offset + (addr - w->addr);
}

bool dma_read(struct dma *dma, u64 addr, void *buf, u32 len)
{
	u8 *piece;
	u32 n;

	for (; len; len -= n, addr += n, buf = (u8 *)buf + n) {
		n = len;
		if (!dma_piece(dma, addr, &n, DMA_READABLE, &piece))
			return false;
		if (piece)
			memcpy(buf, piece, n);
		else if (!dma->message(dma->ctx, false, addr, buf, n))
			return false;
	}
	return true;
}

bool dma_write(struct dma *dma, u64 addr, const void *buf, u32 len)
{
	u8 *piece;
	u32 n;

	for (; len; len -= n, addr += n, buf = (const u8 *)buf + n) {
		n = len;
		if (!dma_piece(dma, addr, &n, DMA_WRITABLE, &piece))
			return false;
		if (piece)
			memcpy(piece, buf, n);
		else if (!dma->message(dma->ctx, true, addr, (void *)buf, n))
			return false;
	}
	return true;
}

/* A word that becomes visible at once, after all that was written before. */
bool dma_publish(struct dma *dma, u64 addr, __le32 word)
{
	__le32 *at = dma_direct(dma, addr, sizeof(word), DMA_WRITABLE);

	if (!at || (uintptr_t)at % sizeof(word))
		return dma_write(dma, addr, &word, sizeof(word));
	smp_store_release(at, word);
	return true;
}
