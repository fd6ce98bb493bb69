// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Output channels: frames are filled in place and sent as segments. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <string.h>
#include "internal.h"

#define MIN_PAUSE_MS 1
#define MAX_PAUSE_MS 100

/* A segment may start anywhere in a page, and only so many chunks make a packet. */
int daq_output__check(const struct daq_chan *chan)
{
	uint32_t bytes = chan->format.segment_bytes;
	uint32_t pages = (bytes + DAQ_CHUNK_SIZE - 1) / DAQ_CHUNK_SIZE;

	if (bytes % DAQ_CHUNK_SIZE)
		pages++;
	if (1 + pages > DAQ_MAX_PACKET_CHUNKS)
		return daq_error(-EMSGSIZE, "segments of %u bytes cannot be played: use a multiple of %u (daq set %s --channel %u --segment BYTES)",
				 bytes, DAQ_CHUNK_SIZE, chan->card->ifname, chan->number);
	return 0;
}

/* Takes chunks back that the card is done with. */
static void reap(struct daq_chan *chan)
{
	uint32_t index;

	while (xsk_ring_cons__peek(&chan->completion, 1, &index)) {
		uint64_t addr = *xsk_ring_cons__comp_addr(&chan->completion, index);

		xsk_ring_cons__release(&chan->completion, 1);
		daq_pool__home(&chan->pool, addr / DAQ_CHUNK_SIZE);
	}
}

/* Descriptors of the longest frame: played segments may meet inside a page. */
uint32_t daq_output__frame_descs(const struct daq_pool *pool)
{
	return 2 * pool->slot_heads + pool->slot_pages;
}

static uint32_t held_frames(const struct daq_chan *chan)
{
	return chan->record_count - chan->free_record_count;
}

/* Whether one more frame than those reserved already can be submitted. */
static bool has_ring_room(struct daq_chan *chan)
{
	uint32_t needed = (held_frames(chan) + 1) * daq_output__frame_descs(&chan->pool);

	return xsk_prod_nb_free(&chan->tx, needed) >= needed;
}

/* More frames are held than could ever be submitted. */
static bool holds_all(const struct daq_chan *chan)
{
	uint32_t held = held_frames(chan);

	return held + 1 == chan->record_count ||
	       (held + 1) * daq_output__frame_descs(&chan->pool) > chan->tx.size;
}

/* The kernel calls a socket writable when its ring is at most half full. */
static bool is_writable(struct daq_chan *chan)
{
	return xsk_prod_nb_free(&chan->tx, chan->tx.size) >= chan->tx.size / 2;
}

/* While the ring is not full no event tells that a frame is over, but the rate says about when. */
static int pause_ms(const struct daq_chan *chan)
{
	const struct daq_format *format = &chan->format;
	uint64_t samples = format->frame_bytes / format->sample_bytes;
	uint64_t ms = format->rate ? samples * 1000 / format->rate / 2 : MIN_PAUSE_MS;

	if (ms < MIN_PAUSE_MS)
		return MIN_PAUSE_MS;
	return ms < MAX_PAUSE_MS ? ms : MAX_PAUSE_MS;
}

static int sleep_for_card(struct daq_chan *chan, bool for_ring, int timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = chan->link_fd, .events = POLLIN },
		{ .fd = chan->socket, .events = POLLOUT },
	};

	chan->stats.syscalls++;
	if (poll(fds, for_ring ? 2 : 1, timeout_ms) < 0)
		return daq_error(-errno, "waiting for the card: %m");
	if (fds[0].revents)
		daq_link__update(chan);
	if (fds[1].revents)
		chan->stats.wakeups++;
	return 1;
}

/* Sleeps until the card may have made progress: 1: look again, 0: timeout, or an error. */
static int wait_for_card(struct daq_chan *chan, int64_t start, int timeout_ms)
{
	int remaining = daq_remaining_ms(start, timeout_ms);
	int pause = pause_ms(chan);
	int ret = daq_chan__link_error(chan);
	bool for_ring;

	if (ret || !remaining)
		return ret;
	daq_socket__kick_tx(chan);
	for_ring = !is_writable(chan);
	if (!for_ring && (remaining < 0 || remaining > pause))
		remaining = pause;
	return sleep_for_card(chan, for_ring, remaining);
}

static void lend(struct daq_chan *chan, struct daq_frame *frame, uint32_t slot, size_t len)
{
	struct daq_record *record;

	memset(frame, 0, sizeof(*frame));
	/* there are more records than slots */
	frame->id = chan->free_records[--chan->free_record_count];
	frame->len = len;
	frame->data = chan->memory +
		      (size_t)daq_pool__page(&chan->pool, slot, 0) * DAQ_CHUNK_SIZE;
	record = &chan->records[frame->id];
	record->slot = slot;
	record->held = true;
}

static void take_back(struct daq_chan *chan, struct daq_frame *frame)
{
	chan->records[frame->id].held = false;
	chan->free_records[chan->free_record_count++] = frame->id;
}

int daq_chan__reserve(struct daq_chan *chan, size_t len, struct daq_frame *frame, int timeout_ms)
{
	int64_t start = daq_now_ms();
	uint32_t slot;
	int ret;

	if (chan->direction != DAQ_OUTPUT)
		return daq_error(-EOPNOTSUPP, "channel %u is open for input", chan->number);
	if (len > chan->format.frame_bytes)
		return daq_error(-EMSGSIZE, "a frame of %zu bytes exceeds channel %u's %u",
				 len, chan->number, chan->format.frame_bytes);
	ret = daq_handover__check(chan);
	if (ret)
		return ret;
	for (;;) {
		reap(chan);
		if (has_ring_room(chan) && daq_pool__take(&chan->pool, &slot)) {
			lend(chan, frame, slot, len);
			return 1;
		}
		if (holds_all(chan))
			return daq_error(-ENOBUFS, "all %u frames that channel %u has room for are held: submit some",
					 held_frames(chan), chan->number);
		ret = wait_for_card(chan, start, timeout_ms);
		if (ret <= 0)
			return ret;
	}
}

static void fill_header(struct daq_chan *chan, const struct daq_frame *frame, uint32_t segment,
			unsigned int flags, struct daq_hdr *hdr)
{
	uint32_t offset = segment * chan->format.segment_bytes;
	uint32_t rest = frame->len - offset;
	uint32_t payload_len = rest < chan->format.segment_bytes ? rest :
								   chan->format.segment_bytes;

	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr->dst, chan->mac, sizeof(hdr->dst));
	memcpy(hdr->src, chan->mac, sizeof(hdr->src));
	hdr->src[4] = chan->number >> 8;
	hdr->src[5] = chan->number;
	hdr->ethertype = htons(DAQ_ETHERTYPE);
	hdr->version = DAQ_HDR_VERSION;
	if (segment == 0)
		hdr->flags |= DAQ_HDR_F_SOF;
	if (segment == 0 && (flags & DAQ_FRAME_GAP_BEFORE))
		hdr->flags |= DAQ_HDR_F_OVERRUN;
	if (payload_len == rest)
		hdr->flags |= DAQ_HDR_F_EOF;
	if (payload_len == rest && (flags & DAQ_FRAME_LAST))
		hdr->flags |= DAQ_HDR_F_LAST;
	hdr->channel = htons(chan->number);
	hdr->frame = htonl(chan->next_frame);
	hdr->segment = htonl(segment);
	hdr->offset = htonl(offset);
	hdr->payload_len = htonl(payload_len);
	hdr->frame_len = htonl(frame->len);
	/* those who hear it count for themselves: of these numbers only a jump matters */
	hdr->sample = htobe64(chan->next_sample + offset / chan->format.sample_bytes);
}

static void send_chunk(struct daq_chan *chan, uint64_t addr, uint32_t len, uint32_t options)
{
	struct xdp_desc *desc;
	uint32_t index = 0;

	/* cannot fail: there was room when the frame was reserved */
	xsk_ring_prod__reserve(&chan->tx, 1, &index);
	desc = xsk_ring_prod__tx_desc(&chan->tx, index);
	desc->addr = addr;
	desc->len = len;
	desc->options = options;
	daq_pool__leave(&chan->pool, addr / DAQ_CHUNK_SIZE);
}

/* A packet: the header, then the payload where it is, cut at chunk boundaries. */
static uint32_t send_segment(struct daq_chan *chan, uint32_t head, uint64_t payload, uint32_t len)
{
	uint64_t addr = payload;
	uint64_t end = payload + len;
	uint32_t count = 1;

	send_chunk(chan, (uint64_t)head * DAQ_CHUNK_SIZE, DAQ_HDR_LEN, XDP_PKT_CONTD);
	while (addr < end) {
		uint64_t next = (addr / DAQ_CHUNK_SIZE + 1) * DAQ_CHUNK_SIZE;

		if (next > end)
			next = end;
		send_chunk(chan, addr, next - addr, next < end ? XDP_PKT_CONTD : 0);
		addr = next;
		count++;
	}
	return count;
}

static uint32_t send_frame(struct daq_chan *chan, const struct daq_frame *frame,
			   uint32_t slot, unsigned int flags)
{
	uint64_t payload = (uint64_t)daq_pool__page(&chan->pool, slot, 0) * DAQ_CHUNK_SIZE;
	uint32_t segment, offset, head, count = 0;
	struct daq_hdr *hdr;

	for (segment = 0, offset = 0; offset < frame->len; segment++) {
		head = daq_pool__head(&chan->pool, slot, segment);
		hdr = (void *)(chan->memory + (size_t)head * DAQ_CHUNK_SIZE);
		fill_header(chan, frame, segment, flags, hdr);
		count += send_segment(chan, head, payload + offset, ntohl(hdr->payload_len));
		offset += ntohl(hdr->payload_len);
	}
	chan->stats.segments += segment;
	return count;
}

int daq_chan__submit(struct daq_chan *chan, struct daq_frame *frame, unsigned int flags)
{
	struct daq_record *record = daq_chan__held(chan, frame);

	if (chan->direction != DAQ_OUTPUT)
		return daq_error(-EOPNOTSUPP, "channel %u is open for input", chan->number);
	if (!record)
		return -EINVAL;
	if (!frame->len || frame->len > chan->format.frame_bytes)
		return daq_error(-EINVAL, "a frame of %zu bytes cannot be played, 1 to %u can",
				 frame->len, chan->format.frame_bytes);
	if (flags & DAQ_FRAME_GAP_BEFORE) {
		chan->next_frame += frame->gap.frames;
		chan->next_sample += frame->gap.samples;
	}
	xsk_ring_prod__submit(&chan->tx, send_frame(chan, frame, record->slot, flags));
	chan->next_frame++;
	chan->next_sample += frame->len / chan->format.sample_bytes;
	chan->stats.frames++;
	chan->stats.contiguous++;
	chan->stats.bytes += frame->len;
	take_back(chan, frame);
	daq_socket__kick_tx(chan);
	return 0;
}

int daq_output__release(struct daq_chan *chan, struct daq_frame *frame)
{
	struct daq_record *record = daq_chan__held(chan, frame);

	if (!record)
		return -EINVAL;
	daq_pool__put(&chan->pool, record->slot);
	take_back(chan, frame);
	return 0;
}

/* Reserved frames are neither with the card nor free. */
static bool drained(const struct daq_chan *chan)
{
	return chan->pool.free_count + held_frames(chan) == chan->pool.slots;
}

int daq_chan__drain(struct daq_chan *chan, int timeout_ms)
{
	int64_t start = daq_now_ms();
	int ret;

	if (chan->direction != DAQ_OUTPUT)
		return daq_error(-EOPNOTSUPP, "channel %u is open for input", chan->number);
	for (;;) {
		reap(chan);
		if (drained(chan))
			return 1;
		ret = wait_for_card(chan, start, timeout_ms);
		if (ret <= 0)
			return ret;
	}
}
