// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* What input and output channels have in common. */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"
#include "opts.h"

#define DEFAULT_FRAMES	4
#define DEFAULT_BYTES	(4ul << 20)
/* With two, chunks that were mixed up by a loss may stay so for ever. */
#define MIN_FRAMES	3
#define EVENTS		16

int64_t daq_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

int daq_remaining_ms(int64_t start, int timeout_ms)
{
	int64_t remaining;

	if (timeout_ms <= 0)
		return timeout_ms;
	remaining = start + timeout_ms - daq_now_ms();
	return remaining > 0 ? remaining : 0;
}

static int watch(int epfd, int fd, struct daq_watch *watch)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0)
		return daq_error(-errno, "%s: epoll_ctl: %m",
				 watch->chan->card->ifname);
	return 0;
}

int daq_chan__watch(struct daq_chan *chan, int epfd)
{
	int err = watch(epfd, chan->link_fd, &chan->link_watch);

	/* an output socket is always ready */
	if (!err && chan->direction == DAQ_INPUT)
		err = watch(epfd, chan->socket, &chan->socket_watch);
	return err;
}

static int open_watch(struct daq_chan *chan)
{
	int err;

	chan->link_watch.chan = chan;
	chan->socket_watch.chan = chan;
	chan->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (chan->epfd < 0)
		return daq_error(-errno, "cannot create an epoll descriptor: %m");
	err = daq_chan__watch(chan, chan->epfd);
	/* what happened before the watch began */
	return err ? err : daq_link__state(chan);
}

/*
 * An observer's socket has one when the interface goes down, which the link watch tells,
 * and would end every wait until somebody asks for it.
 */
static void clear_error(const struct daq_chan *chan)
{
	socklen_t len = sizeof(int);
	int err;

	getsockopt(chan->socket, SOL_SOCKET, SO_ERROR, &err, &len);
}

int daq_wait(int epfd, struct daq_chan *payer, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	struct daq_watch *watch;
	int n, i;

	n = epoll_wait(epfd, events, EVENTS, timeout_ms);
	/* one call may wake several channels, or none */
	if (payer)
		payer->stats.syscalls++;
	if (n < 0)
		return daq_error(-errno, "waiting for data: %m");
	for (i = 0; i < n; i++) {
		watch = events[i].data.ptr;
		if (watch == &watch->chan->link_watch) {
			daq_link__update(watch->chan);
			continue;
		}
		watch->chan->stats.wakeups++;
		if (events[i].events & EPOLLERR)
			clear_error(watch->chan);
	}
	return n > 0;
}

int daq_chan__link_error(struct daq_chan *chan)
{
	return chan->link_error ? daq_link__update(chan) : 0;
}

struct daq_record *daq_chan__held(struct daq_chan *chan, const struct daq_frame *frame)
{
	if (frame->id >= chan->record_count || !chan->records[frame->id].held) {
		daq_error(-EINVAL, "this frame is not held");
		return NULL;
	}
	return &chan->records[frame->id];
}

static int check_format(const struct daq_chan *chan)
{
	const struct daq_format *format = &chan->format;

	if (!format->segment_bytes || !format->frame_bytes || !format->sample_bytes)
		return daq_error(-EINVAL, "channel %u of %s has no format: daq set %s --channel %u",
				 chan->number, chan->card->ifname, chan->card->ifname,
				 chan->number);
	if (format->segment_bytes > DAQ_MAX_SEGMENT_BYTES ||
	    format->frame_bytes > DAQ_MAX_FRAME_BYTES)
		return daq_error(-EMSGSIZE, "segments of %u and frames of %u bytes exceed the limits of %u and %u",
				 format->segment_bytes, format->frame_bytes,
				 DAQ_MAX_SEGMENT_BYTES, DAQ_MAX_FRAME_BYTES);
	return chan->direction == DAQ_OUTPUT ? daq_output__check(chan) : 0;
}

/* The kernel would say the same, but only after a second of trying and without a name. */
static int check_queue(const struct daq_chan *chan)
{
	const struct daq_chan *other;

	LIST_FOREACH(other, &chan->card->chans, siblings)
		if (other != chan && !other->observing &&
		    other->format.queue == chan->format.queue)
			return daq_error(-EBUSY, "channel %u of %s uses queue %u, which channel %u needs",
					 other->number, chan->card->ifname, chan->format.queue,
					 chan->number);
	return 0;
}

static int open_pool(struct daq_chan *chan, size_t buffer_bytes)
{
	bool input = chan->direction == DAQ_INPUT;
	size_t slot = input ? daq_pool__input_slot_bytes(&chan->format) :
			      daq_pool__output_slot_bytes(&chan->format);
	int err;

	if (!buffer_bytes)
		buffer_bytes = DEFAULT_FRAMES * slot > DEFAULT_BYTES ? DEFAULT_FRAMES * slot :
								       DEFAULT_BYTES;
	if (buffer_bytes < MIN_FRAMES * slot)
		return daq_error(-EMSGSIZE, "a frame of %u bytes needs %u x %zu bytes of buffer, have %zu: raise the buffer size",
				 chan->format.frame_bytes, MIN_FRAMES, slot, buffer_bytes);
	err = input ? daq_pool__init_input(&chan->pool, &chan->format, buffer_bytes) :
		      daq_pool__init_output(&chan->pool, &chan->format, buffer_bytes);
	if (err)
		return daq_error(err, "cannot lay out a buffer of %zu bytes: %s", buffer_bytes,
				 strerror(-err));
	return 0;
}

/* In copy mode a segment's chunks are not whole pages, so a frame has more of them. */
static uint32_t max_chunks(const struct daq_chan *chan)
{
	uint32_t packet = DAQ_HDR_LEN + chan->format.segment_bytes;
	uint32_t copied = (packet + DAQ_CHUNK_USABLE - 1) / DAQ_CHUNK_USABLE;
	uint32_t most = chan->pool.slot_heads * copied;

	return most > chan->pool.frame_chunks ? most : chan->pool.frame_chunks;
}

static int open_records(struct daq_chan *chan)
{
	const struct daq_hdr **headers;	/* a segment has at least a chunk */
	struct daq_span *spans;
	struct iovec *iov;
	uint32_t i;

	/* one is being collected while the application holds the others */
	chan->record_count = chan->pool.slots + 1;
	chan->max_chunks = max_chunks(chan);
	chan->records = calloc(chan->record_count, sizeof(*chan->records));
	chan->free_records = calloc(chan->record_count, sizeof(*chan->free_records));
	if (!chan->records || !chan->free_records)
		return daq_error(-ENOMEM, "no memory for %u frames", chan->record_count);
	chan->record_bytes = (sizeof(*iov) + sizeof(*spans) + sizeof(*headers)) *
			     chan->record_count * chan->max_chunks;
	chan->record_memory = daq_map(chan->record_bytes, 0);
	if (!chan->record_memory)
		return daq_error(-ENOMEM, "no memory for %u frames", chan->record_count);
	/* who was handed the channel need not be allowed to, as for its buffers */
	if (mlock(chan->record_memory, chan->record_bytes) < 0 && !chan->card->received)
		return daq_error(-errno, "cannot lock %zu bytes in memory: needs CAP_IPC_LOCK or a higher limit (ulimit -l)",
				 chan->record_bytes);
	iov = chan->record_memory;
	spans = (struct daq_span *)(iov + (size_t)chan->record_count * chan->max_chunks);
	headers = (const struct daq_hdr **)(spans + (size_t)chan->record_count * chan->max_chunks);
	for (i = 0; i < chan->record_count; i++) {
		chan->records[i].pieces.iov = iov + (size_t)i * chan->max_chunks;
		chan->records[i].pieces.max = chan->max_chunks;
		chan->records[i].headers = headers + (size_t)i * chan->max_chunks;
		chan->records[i].spans = spans + (size_t)i * chan->max_chunks;
		chan->free_records[i] = i;
	}
	chan->free_record_count = chan->record_count;
	return 0;
}

static int open_direction(struct daq_chan *chan)
{
	if (chan->direction == DAQ_OUTPUT)
		return daq_link__mac(chan, chan->mac);
	daq_input__open(chan);
	return 0;
}

static int open_steering(struct daq_chan *chan)
{
	int err = daq_steering__attach(chan->card);

	if (!err)
		daq_steering__begin(chan);
	return err;
}

static int open_observer(struct daq_chan *chan, const struct daq_chan_opts *opts)
{
	int err = daq_observer__open(chan, opts->buffer_bytes);

	if (!err)
		err = open_watch(chan);
	if (!err && !opts->stopped)
		err = daq_chan__start(chan);
	return err;
}

static int open_owner(struct daq_chan *chan, const struct daq_chan_opts *opts)
{
	int err = check_queue(chan);

	if (!err)
		err = open_pool(chan, opts->buffer_bytes);
	if (!err)
		err = open_records(chan);
	if (!err && chan->direction == DAQ_INPUT)
		err = open_steering(chan);
	if (!err)
		err = daq_socket__open(chan, opts->mode);
	if (!err)
		err = open_watch(chan);
	if (!err)
		err = open_direction(chan);
	if (!err && chan->direction == DAQ_INPUT)
		err = daq_trigger__begin(chan);
	if (!err && chan->direction == DAQ_INPUT && !opts->stopped && !opts->sendable)
		err = daq_chan__start(chan);
	return err;
}

static int open_chan(struct daq_chan *chan, const struct daq_chan_opts *opts)
{
	int err = daq_card__format(chan->card, chan->number, &chan->format);

	if (!err)
		err = check_format(chan);
	if (!err)
		err = daq_link__open(chan);
	if (!err)
		err = daq_link__state(chan);
	if (err)
		return err;
	return chan->observing ? open_observer(chan, opts) : open_owner(chan, opts);
}

int daq_chan__adopt(struct daq_chan *chan, size_t buffer_bytes)
{
	int err = check_format(chan);

	if (!err)
		err = open_pool(chan, buffer_bytes);
	if (!err)
		err = open_records(chan);
	if (!err)
		err = daq_socket__adopt(chan);
	if (!err)
		err = open_watch(chan);
	if (!err)
		err = open_direction(chan);
	return err;
}

struct daq_chan *daq_chan__new(struct daq_card *card, unsigned int channel,
			       enum daq_direction direction)
{
	struct daq_chan *chan = calloc(1, sizeof(*chan));

	if (!chan) {
		daq_error(-ENOMEM, "no memory for a channel");
		return NULL;
	}
	chan->card = card;
	chan->number = channel;
	chan->direction = direction;
	chan->socket = -1;
	chan->memory_fd = -1;
	chan->link_fd = -1;
	chan->epfd = -1;
	LIST_INSERT_HEAD(&card->chans, chan, siblings);
	return chan;
}

int daq_chan__open(struct daq_card *card, unsigned int channel,
		   const struct daq_chan_opts *user_opts, struct daq_chan **result)
{
	struct daq_chan_opts opts;
	struct daq_chan *chan;
	int err;

	err = daq_opts_copy(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.direction > DAQ_OUTPUT || opts.mode > DAQ_MODE_COPY)
		return daq_error(-EINVAL, "no such direction or mode: %u, %u", opts.direction,
				 opts.mode);
	if (opts.observe && (opts.direction == DAQ_OUTPUT || opts.sendable))
		return daq_error(-EINVAL, "only inputs can be observed, and observers not be sent");
	if (opts.policy > DAQ_STOP)
		return daq_error(-EINVAL, "no such policy: %u", opts.policy);
	chan = daq_chan__new(card, channel, opts.direction);
	if (!chan)
		return -ENOMEM;
	chan->sendable = opts.sendable;
	chan->observing = opts.observe;
	chan->policy = opts.policy;
	chan->truncated = opts.truncated;
	err = open_chan(chan, &opts);
	if (err) {
		daq_chan__close(chan);
		return err;
	}
	*result = chan;
	return 0;
}

void daq_chan__close(struct daq_chan *chan)
{
	if (!chan)
		return;
	LIST_REMOVE(chan, siblings);
	chan->card->closed++;
	daq_trigger__end(chan);
	if (chan->observing)
		daq_observer__close(chan);
	else
		daq_socket__close(chan);
	if (chan->epfd >= 0)
		close(chan->epfd);
	if (chan->link_fd >= 0)
		close(chan->link_fd);
	if (chan->record_memory)
		munmap(chan->record_memory, chan->record_bytes);
	free(chan->records);
	free(chan->free_records);
	daq_pool__free(&chan->pool);
	free(chan);
}

unsigned int daq_chan__number(const struct daq_chan *chan)
{
	return chan->number;
}

const struct daq_format *daq_chan__format(const struct daq_chan *chan)
{
	return &chan->format;
}

unsigned int daq_chan__capacity(const struct daq_chan *chan)
{
	return chan->pool.slots;
}

void daq_chan__memory(const struct daq_chan *chan, struct iovec *memory)
{
	memory->iov_base = chan->memory;
	memory->iov_len = daq_pool__bytes(&chan->pool);
}

int daq_chan__zero_copy(const struct daq_chan *chan)
{
	return chan->zero_copy;
}

int daq_chan__fd(const struct daq_chan *chan)
{
	if (chan->direction == DAQ_OUTPUT)
		return daq_error(-EOPNOTSUPP, "an output channel has no descriptor to poll");
	return chan->epfd;
}

int daq_chan__release(struct daq_chan *chan, struct daq_frame *frame)
{
	return chan->direction == DAQ_INPUT ? daq_input__release(chan, frame) :
					      daq_output__release(chan, frame);
}

/* What others have counted. */
static void complete_stats(const struct daq_chan *chan, struct daq_chan_stats *stats)
{
	struct xdp_statistics xdp = { 0 };
	socklen_t len = sizeof(xdp);

	if (chan->direction == DAQ_INPUT) {
		daq_steering__stats(chan, stats);
		daq_trigger__stats(chan, stats);
	}
	/* fails once the card is gone: what the library counted is still of use */
	getsockopt(chan->socket, SOL_XDP, XDP_STATISTICS, &xdp, &len);
	stats->rx_dropped = xdp.rx_dropped;
	stats->rx_invalid_descs = xdp.rx_invalid_descs;
	stats->rx_ring_full = xdp.rx_ring_full;
	stats->rx_fill_ring_empty = xdp.rx_fill_ring_empty_descs;
	stats->tx_invalid_descs = xdp.tx_invalid_descs;
	stats->tx_ring_empty = xdp.tx_ring_empty_descs;
}

int daq_chan__stats(struct daq_chan *chan, struct daq_chan_stats *stats, size_t sz)
{
	struct daq_chan_stats all;

	if (chan->observing)
		daq_observer__count_missed(chan);
	all = chan->stats;
	if (!chan->observing)
		complete_stats(chan, &all);

	memset(stats, 0, sz);
	memcpy(stats, &all, sz < sizeof(all) ? sz : sizeof(all));
	return 0;
}
