// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Input channels: descriptors become segments, segments become frames. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <string.h>
#include "internal.h"

static struct daq_record *current_record(struct daq_chan *chan)
{
	return &chan->records[chan->current];
}

static void post(struct daq_chan *chan)
{
	if (daq_pool__post(&chan->pool, &chan->fill, chan->assembly.segment))
		daq_socket__kick_rx(chan);
}

static void home_span(struct daq_chan *chan, const struct daq_span *span)
{
	uint32_t i;

	for (i = 0; i < span->count; i++)
		daq_pool__home(&chan->pool, span->chunk + i);
}

/* Nearly every frame is a whole slot as it was posted. */
static void empty_record(struct daq_chan *chan, struct daq_record *record)
{
	uint32_t i;

	if (record->plan && record->chunk_count == chan->pool.frame_chunks)
		daq_pool__home_slot(&chan->pool, daq_pool__slot_of(&chan->pool,
								   record->spans[0].chunk));
	else
		for (i = 0; i < record->span_count; i++)
			home_span(chan, &record->spans[i]);
	record->span_count = 0;
	record->chunk_count = 0;
	record->segment_count = 0;
	record->pieces.count = 0;
}

static void forget_packet(struct daq_chan *chan)
{
	chan->packet_count = 0;
	chan->packet_chunks = 0;
	chan->packet_len = 0;
	chan->packet_adjoins = true;
}

void daq_input__open(struct daq_chan *chan)
{
	daq_assembly__init(&chan->assembly, &chan->format);
	chan->assembly.truncated = chan->truncated;
	chan->pool.planned = chan->zero_copy;
	forget_packet(chan);
	chan->current = chan->free_records[--chan->free_record_count];
}

int daq_chan__start(struct daq_chan *chan)
{
	int err;

	if (chan->direction != DAQ_INPUT)
		return daq_error(-EOPNOTSUPP, "channel %u is open for output", chan->number);
	if (chan->started)
		return daq_error(-EALREADY, "channel %u has been started", chan->number);
	if (chan->observing)
		return daq_observer__start(chan);
	err = daq_handover__check(chan);
	if (!err && !chan->steered)
		err = daq_steering__add(chan);
	if (err)
		return err;
	chan->started = true;
	/*
	 * Only now: chunks posted before the steering program knows the socket
	 * would be used up by segments that nobody gets.
	 */
	post(chan);
	daq_loss__open(chan);
	return 0;
}

/* The driver may have joined some, see DAQ_HDR_F_JOINED. */
static struct daq_span chunks_of(const struct xdp_desc *desc)
{
	uint32_t chunk = desc->addr / DAQ_CHUNK_SIZE;
	uint32_t count = 1;

	if (desc->len > DAQ_CHUNK_SIZE)
		count = (desc->addr + desc->len - 1) / DAQ_CHUNK_SIZE - chunk + 1;
	return (struct daq_span){ .chunk = chunk, .count = count };
}

static void discard_chunks(struct daq_chan *chan, const struct xdp_desc *desc)
{
	struct daq_span span = chunks_of(desc);

	home_span(chan, &span);
}

static void discard_packet(struct daq_chan *chan)
{
	uint32_t i;

	for (i = 0; i < chan->packet_count && i < MAX_PACKET; i++)
		discard_chunks(chan, &chan->packet[i]);
}

/* Of all descriptors: adjacent ones are one piece. */
static int add_pieces(struct daq_chan *chan, struct daq_pieces *pieces)
{
	uint32_t i;

	for (i = 1; i < chan->packet_count; i++) {
		const struct xdp_desc *desc = &chan->packet[i];

		if (desc->len && daq_pieces__add(pieces, chan->memory + desc->addr, desc->len))
			return -ENOBUFS;
	}
	return 0;
}

/* Moves the packet's chunks into the frame being collected. */
static void keep_chunks(struct daq_chan *chan, struct daq_record *record)
{
	struct daq_span *spans = record->spans + record->span_count;
	const struct daq_pool *pool = &chan->pool;
	uint32_t i, count = chan->packet_count, position = record->chunk_count;
	const uint64_t *plan = record->plan;

	if (!position)
		plan = daq_pool__plan(pool, daq_pool__slot_of(pool,
							      chunks_of(&chan->packet[0]).chunk));
	for (i = 0; i < count; i++) {
		struct daq_span span = chunks_of(&chan->packet[i]);

		if (plan && !daq_pool__is_planned(pool, plan, position, span))
			plan = NULL;
		position += span.count;
		spans[i] = span;
	}
	record->plan = plan;
	record->span_count += count;
	record->chunk_count = position;
}

static int keep_packet(struct daq_chan *chan)
{
	struct daq_record *record = current_record(chan);
	const struct xdp_desc *first = &chan->packet[0];
	char *header = chan->memory + first->addr;

	if (record->chunk_count + chan->packet_chunks > chan->max_chunks)
		return -ENOBUFS;
	if (first->len > DAQ_HDR_LEN &&
	    daq_pieces__add(&record->pieces, header + DAQ_HDR_LEN, first->len - DAQ_HDR_LEN))
		return -ENOBUFS;
	if (chan->packet_adjoins) {
		if (chan->packet_len > first->len &&
		    daq_pieces__add(&record->pieces, chan->memory + chan->packet[1].addr,
				    chan->packet_len - first->len))
			return -ENOBUFS;
	} else if (add_pieces(chan, &record->pieces)) {
		return -ENOBUFS;
	}
	keep_chunks(chan, record);
	record->headers[record->segment_count++] = (const void *)header;
	return 0;
}

/* What the host has filtered is told in front of the header, which then is the card's. */
static void take_filtered(struct daq_chan *chan, struct daq_hdr *hdr)
{
	struct daq_filtered told;

	if (!(hdr->flags & DAQ_HDR_F_FILTERED) ||
	    chan->packet[0].addr % DAQ_CHUNK_SIZE < sizeof(told))
		return;
	memcpy(&told, (const char *)hdr - sizeof(told), sizeof(told));
	daq_assembly__filtered(&chan->assembly, &told);
	hdr->flags &= ~DAQ_HDR_F_FILTERED;
}

/* Returns what daq_assembly__push() does, with the packet's chunks where they belong. */
static int take_packet(struct daq_chan *chan)
{
	struct daq_hdr *hdr = (void *)(chan->memory + chan->packet[0].addr);
	int verdict = -EBADMSG;

	if (chan->packet_count <= MAX_PACKET && chan->packet[0].len >= DAQ_HDR_LEN) {
		take_filtered(chan, hdr);
		verdict = daq_assembly__push(&chan->assembly, hdr, chan->packet_len);
	}
	if (verdict < 0) {
		discard_packet(chan);
		return verdict;
	}
	if (verdict == DAQ_PUSH_CUT)
		return verdict;
	chan->stats.segments++;
	if (verdict & DAQ_PUSH_ABANDON)
		empty_record(chan, current_record(chan));
	if (!(verdict & DAQ_PUSH_KEEP)) {
		discard_packet(chan);
	} else if (keep_packet(chan) < 0) {
		/* only segments much smaller than the format says can get here */
		daq_assembly__abandon(&chan->assembly);
		empty_record(chan, current_record(chan));
		discard_packet(chan);
		verdict &= ~DAQ_PUSH_FRAME;
	}
	return verdict;
}

static void deliver(struct daq_chan *chan, struct daq_frame *frame)
{
	struct daq_record *record = current_record(chan);

	daq_assembly__frame(&chan->assembly, frame);
	frame->id = chan->current;
	frame->iov = record->pieces.iov;
	frame->iovcnt = record->pieces.count;
	frame->headers = record->headers;
	frame->segments = record->segment_count;
	frame->data = frame->iovcnt == 1 ? frame->iov[0].iov_base : NULL;
	record->held = true;
	chan->current = chan->free_records[--chan->free_record_count];
	daq_loss__explain(chan, &frame->gap);
}

/* Takes some of @count descriptors: how many. @whole: they complete a packet. */
static uint32_t receive_chunks(struct daq_chan *chan, uint32_t index, uint32_t count, bool *whole)
{
	uint32_t i, have = chan->packet_count, adjoins = chan->packet_adjoins;
	uint32_t chunks = 0;
	uint64_t end = chan->packet_end;
	size_t len = chan->packet_len;
	bool more = true;

	for (i = 0; i < count && more; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&chan->rx, index + i);

		if (have < MAX_PACKET)
			chan->packet[have] = *desc;
		else
			discard_chunks(chan, desc);
		adjoins &= desc->addr == end || have < 2;
		end = desc->addr + desc->len;
		len += desc->len;
		chunks += chunks_of(desc).count;
		have++;
		more = desc->options & XDP_PKT_CONTD;
	}
	daq_pool__arrived(&chan->pool, chunks);
	chan->packet_count = have;
	chan->packet_chunks += chunks;
	chan->packet_adjoins = adjoins;
	chan->packet_end = end;
	chan->packet_len = len;
	*whole = !more;
	return i;
}

/* Nearly every packet: a header, and the payload as one. Returns false if it is not so. */
static bool receive_pair(struct daq_chan *chan)
{
	const struct xdp_desc *first, *second;
	uint32_t index, count;

	if (chan->packet_count)
		return false;
	count = xsk_ring_cons__peek(&chan->rx, 2, &index);
	if (count < 2) {
		xsk_ring_cons__cancel(&chan->rx, count);
		return false;
	}
	first = xsk_ring_cons__rx_desc(&chan->rx, index);
	second = xsk_ring_cons__rx_desc(&chan->rx, index + 1);
	if (!(first->options & XDP_PKT_CONTD) || second->options & XDP_PKT_CONTD) {
		xsk_ring_cons__cancel(&chan->rx, count);
		return false;
	}
	chan->packet[0] = *first;
	chan->packet[1] = *second;
	chan->packet_count = 2;
	chan->packet_chunks = 1 + chunks_of(second).count;
	chan->packet_len = (size_t)first->len + second->len;
	xsk_ring_cons__release(&chan->rx, 2);
	daq_pool__arrived(&chan->pool, chan->packet_chunks);
	return true;
}

/* Takes descriptors until a packet is whole, if there is none left over. */
static bool receive_packet(struct daq_chan *chan)
{
	bool whole = chan->packet_again || receive_pair(chan);
	uint32_t index, count, taken;

	while (!whole) {
		count = xsk_ring_cons__peek(&chan->rx, MAX_PACKET, &index);
		if (!count)
			return false;
		taken = receive_chunks(chan, index, count, &whole);
		xsk_ring_cons__cancel(&chan->rx, count - taken);
		xsk_ring_cons__release(&chan->rx, taken);
	}
	return true;
}

/* The packet says so: who plays what is heard here, say, has a longer format. */
static int too_long(const struct daq_chan *chan)
{
	const struct daq_hdr *hdr = (const void *)(chan->memory + chan->packet[0].addr);
	unsigned int len = ntohl(hdr->frame_len);

	return daq_error(-EMSGSIZE, "a frame of channel %u of %s has %u bytes, its memory is for %u: open it again, with such a format (daq set %s --channel %u --frame %u)",
			 chan->number, chan->card->ifname, len, chan->format.frame_bytes,
			 chan->card->ifname, chan->number, len);
}

int daq_input__receive(struct daq_chan *chan, struct daq_frame *frame)
{
	int verdict;

	while (receive_packet(chan)) {
		verdict = take_packet(chan);
		chan->packet_again = verdict == DAQ_PUSH_CUT;
		if (!chan->packet_again)
			forget_packet(chan);
		if (verdict == -EMSGSIZE)
			return too_long(chan);
		if (verdict == -EBADMSG) {
			chan->stats.malformed++;
		} else if (verdict & (DAQ_PUSH_FRAME | DAQ_PUSH_CUT)) {
			deliver(chan, frame);
			return 1;
		}
	}
	/* not before: with the frame's own chunks back there are whole slots to post */
	post(chan);
	return 0;
}

void daq_input__drop(struct daq_chan *chan, struct daq_frame *frame)
{
	struct daq_record *record = &chan->records[frame->id];

	record->held = false;
	empty_record(chan, record);
	chan->free_records[chan->free_record_count++] = frame->id;
}

static void count_frame(struct daq_chan *chan, const struct daq_frame *frame)
{
	const struct daq_gap *gap = &frame->gap;
	unsigned int i;

	chan->stats.frames += frame->iovcnt > 0;
	chan->stats.contiguous += frame->iovcnt == 1;
	chan->stats.bytes += frame->len;
	chan->stats.lost_frames += gap->frames;
	chan->stats.lost_segments += gap->segments;
	chan->stats.lost_samples += gap->samples;
	chan->stats.lost_by_card += gap->card_segments;
	for (i = 0; i < DAQ_LOSSES; i++)
		chan->stats.lost_by_reason[i] += gap->by_reason[i];
	chan->stats.off_ns += gap->off_ns;
	if (gap->reasons & 1u << DAQ_LOSS_SUSPEND) {
		chan->stats.suspend_ns += gap->off_ns;
		chan->stats.suspend_gaps++;
	}
	chan->stats.skipped_frames += gap->skipped_frames;
}

int daq_input__poll(struct daq_chan *chan, struct daq_frame *frame)
{
	int ret;

	if (chan->observing)
		return daq_observer__poll(chan, frame);
	if (!chan->free_record_count && !chan->is_ahead)
		return daq_error(-ENOBUFS, "all %u frames of channel %u are held: release some",
				 chan->record_count - 1, chan->number);
	ret = daq_policy__receive(chan, frame);
	if (ret == 1)
		count_frame(chan, frame);
	return ret ? ret : daq_chan__link_error(chan);
}

int daq_chan__next(struct daq_chan *chan, struct daq_frame *frame, int timeout_ms)
{
	int64_t start = timeout_ms > 0 ? daq_now_ms() : 0;
	int ret;

	if (chan->direction != DAQ_INPUT)
		return daq_error(-EOPNOTSUPP, "channel %u is open for output", chan->number);
	for (;;) {
		ret = daq_input__poll(chan, frame);
		if (ret)
			return ret;
		ret = daq_wait(chan->epfd, chan, daq_remaining_ms(start, timeout_ms));
		if (ret <= 0)
			return ret;
	}
}

int daq_input__release(struct daq_chan *chan, struct daq_frame *frame)
{
	/* an observer has nothing to hold */
	if (chan->observing)
		return 0;
	if (!daq_chan__held(chan, frame))
		return -EINVAL;
	daq_input__drop(chan, frame);
	post(chan);
	return 0;
}

int daq_chan__on_frame(struct daq_chan *chan, daq_frame_fn fn, void *ctx)
{
	int err = 0;

	if (chan->direction != DAQ_INPUT)
		return daq_error(-EOPNOTSUPP, "channel %u is open for output", chan->number);
	if (!chan->on_frame)
		err = daq_chan__watch(chan, chan->card->epfd);
	if (err)
		return err;
	chan->on_frame = fn;
	chan->on_frame_ctx = ctx;
	return 0;
}
