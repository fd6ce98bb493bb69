// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* The counters page of a card: no system call to read it. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"

struct daq_counters {
	int fd;
	size_t bytes;
	const char *memory;
	struct daq_counters_page page;	/* but for its state */
};

static const uint32_t *at(const struct daq_counters *counters, size_t offset)
{
	return (const uint32_t *)(counters->memory + offset);
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Copies what was there at one moment: who writes it makes the word at @seq odd meanwhile. */
static void copy_whole(const struct daq_counters *counters, void *to, size_t from, size_t bytes,
		       size_t seq)
{
	uint32_t *words = to;
	uint32_t before;
	size_t i;

	do {
		before = __atomic_load_n(at(counters, seq), __ATOMIC_ACQUIRE);
		for (i = 0; i < bytes / sizeof(*words); i++)
			words[i] = load(at(counters, from) + i);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (before % 2 || load(at(counters, seq)) != before);
}

static int check_layout(const struct daq_counters *counters, const char *path)
{
	const struct daq_counters_page *page = &counters->page;

	if (page->magic != DAQ_COUNTERS_MAGIC || page->version != DAQ_COUNTERS_VERSION)
		return daq_error(-EPROTO, "%s: its counters are not of version %u: another driver?",
				 path, DAQ_COUNTERS_VERSION);
	if (page->channel_size < sizeof(struct daq_channel_counters) ||
	    page->queue_size < sizeof(struct daq_queue_counters) ||
	    page->channels > DAQ_MAX_CHANNELS || page->queues > DAQ_MAX_CHANNELS ||
	    (uint64_t)page->channel_offset + (uint64_t)page->channels * page->channel_size >
		    page->size ||
	    (uint64_t)page->queue_offset + (uint64_t)page->queues * page->queue_size > page->size)
		return daq_error(-EPROTO, "%s: its counters are not where they should be", path);
	return 0;
}

static int map(struct daq_counters *counters, size_t bytes, const char *path)
{
	void *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, counters->fd, DAQ_MMAP_COUNTERS);

	if (memory == MAP_FAILED)
		return daq_error(-errno, "%s: cannot map the counters: %m", path);
	counters->memory = memory;
	counters->bytes = bytes;
	return 0;
}

/* How large all of it is, its beginning tells. */
static int map_all(struct daq_counters *counters, const char *path)
{
	int err = map(counters, sizeof(counters->page), path);

	if (err)
		return err;
	memcpy(&counters->page, counters->memory, sizeof(counters->page));
	munmap((void *)counters->memory, counters->bytes);
	counters->memory = NULL;
	err = check_layout(counters, path);
	return err ? err : map(counters, counters->page.size, path);
}

static int open_path(struct daq_counters *counters, const char *path)
{
	counters->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (counters->fd < 0 && errno == EACCES)
		return daq_error(-EACCES, "%s: permission denied: a udev rule can give it to a group",
				 path);
	if (counters->fd < 0)
		return daq_error(-errno, "%s: %m", path);
	return map_all(counters, path);
}

static int open_device(struct daq_counters *counters, const char *name)
{
	struct daq_card *card;
	unsigned int number;
	char path[32];
	int err;

	if (strchr(name, '/'))
		return open_path(counters, name);
	err = daq_card__open(name, NULL, &card);
	if (err)
		return err;
	err = daq_netlink__device(card, &number);
	daq_card__close(card);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/dev/daq%u", number);
	return open_path(counters, path);
}

int daq_counters__open(const char *name, struct daq_counters **result)
{
	struct daq_counters *counters = calloc(1, sizeof(*counters));
	int err;

	if (!counters)
		return daq_error(-ENOMEM, "no memory for counters");
	counters->fd = -1;
	err = open_device(counters, name);
	if (err) {
		daq_counters__close(counters);
		return err;
	}
	*result = counters;
	return 0;
}

void daq_counters__close(struct daq_counters *counters)
{
	if (!counters)
		return;
	if (counters->memory)
		munmap((void *)counters->memory, counters->bytes);
	if (counters->fd >= 0)
		close(counters->fd);
	free(counters);
}

int daq_counters__fd(const struct daq_counters *counters)
{
	return counters->fd;
}

unsigned int daq_counters__channels(const struct daq_counters *counters)
{
	return counters->page.channels;
}

unsigned int daq_counters__queues(const struct daq_counters *counters)
{
	return counters->page.queues;
}

enum daq_state daq_counters__state(const struct daq_counters *counters)
{
	return load(at(counters, offsetof(struct daq_counters_page, state)));
}

/* The word that others look at first changes last. */
static void copy_window(const struct daq_counters *counters, struct daq_channel_counters *to,
			size_t from)
{
	const uint32_t *generation = at(counters, from + offsetof(struct daq_channel_counters,
								  generation));
	const uint32_t *window = at(counters, from + offsetof(struct daq_channel_counters, window));

	do {
		to->generation = __atomic_load_n(generation, __ATOMIC_ACQUIRE);
		to->window = __atomic_load_n(window, __ATOMIC_ACQUIRE);
	} while (load(generation) != to->generation);
}

#define COPY(counters, to, base, type, first, last, seq)					\
	copy_whole(counters, (char *)(to) + offsetof(type, first), (base) + offsetof(type, first),	\
		   offsetof(type, last) + sizeof((to)->last) - offsetof(type, first),		\
		   (base) + offsetof(type, seq))

/* What came of segments, then how many were produced: these are not fewer. */
int daq_counters__channel(const struct daq_counters *counters, unsigned int channel,
			  struct daq_channel_counters *result, size_t sz)
{
	size_t base = counters->page.channel_offset + (size_t)channel * counters->page.channel_size;
	struct daq_channel_counters c = { 0 };

	if (channel >= counters->page.channels)
		return daq_error(-EINVAL, "no such channel: %u (the card has 0-%u)", channel,
				 counters->page.channels - 1);
	COPY(counters, &c, base, struct daq_channel_counters, host_seq, host, host_seq);
	copy_window(counters, &c, base);
	COPY(counters, &c, base, struct daq_channel_counters, card_seq, card_time, card_seq);
	memset(result, 0, sz);
	memcpy(result, &c, sz < sizeof(c) ? sz : sizeof(c));
	return 0;
}

int daq_counters__queue(const struct daq_counters *counters, unsigned int queue,
			struct daq_queue_counters *result, size_t sz)
{
	size_t base = counters->page.queue_offset + (size_t)queue * counters->page.queue_size;
	struct daq_queue_counters q = { 0 };

	if (queue >= counters->page.queues)
		return daq_error(-EINVAL, "no such queue: %u (the card has 0-%u)", queue,
				 counters->page.queues - 1);
	COPY(counters, &q, base, struct daq_queue_counters, irq_seq, interrupts_lost, irq_seq);
	COPY(counters, &q, base, struct daq_queue_counters, seq, duplicates, seq);
	COPY(counters, &q, base, struct daq_queue_counters, tx_seq, tx_dropped, tx_seq);
	memset(result, 0, sz);
	memcpy(result, &q, sz < sizeof(q) ? sz : sizeof(q));
	return 0;
}

static void take_away(struct daq_count *from, const struct daq_count *counts, unsigned int n)
{
	for (; n; n--, counts++) {
		from->segments -= counts->segments;
		from->frames -= counts->frames;
		from->bytes -= counts->bytes;
	}
}

void daq_counters__pending(const struct daq_channel_counters *channel, struct daq_count *pending)
{
	*pending = channel->produced;
	take_away(pending, channel->host, DAQ_HOST_OUTCOMES);
	take_away(pending, channel->card, DAQ_CARD_OUTCOMES);
}
