// SPDX-License-Identifier: GPL-2.0
/*
 * The card model: what the hardware of daq_hw.h does.
 *
 * The host serialises daq_model_step(), daq_model_write() and
 * daq_model_read(); daq_model_doorbell() may be called at any time from
 * anywhere. A step moves at most one segment per channel and direction, so
 * that it ends soon.
 */
#include "daq_model.h"

#ifdef __KERNEL__
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/wordpart.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>
#endif

#include "daq_wire.h"

/*
 * A host that was too late for so long does not make up for it: the card
 * takes its samples later, none is lost.
 */
#define DAQ_MAX_LAG	(200 * NSEC_PER_MSEC)

/* A source that was silent for so long, after a loss, may stay so. */
#define DAQ_NOTICE_DELAY	(10 * NSEC_PER_MSEC)

/* An output whose surroundings take no more asks again after so long. */
#define DAQ_ROOM_DELAY	NSEC_PER_MSEC

/* Payload or packet bytes on their way to an input, read front to back. */
struct daq_feed {
	bool (*fill)(struct daq_model *m, struct daq_feed *feed, u8 *buf, u32 len);
	u64 pos;
	/* generated */
	const struct daq_model_chan *chan;
	u32 frame;
	/* out of a cable */
	const struct daq_wire *wire;
	/* gathered from TX descriptors */
	struct daq_model_queue *queue;
	struct daq_tx_desc desc[DAQ_SEG_BUFS];
	u32 next;
	u32 done;
};

static bool daq_queue_on(const struct daq_model_queue *q, u32 ctrl)
{
	return READ_ONCE(q->ctrl) & ctrl;
}

static bool daq_chan_on(const struct daq_model_chan *ch)
{
	return ch->ctrl & DAQ_CHAN_CTRL_ENABLE;
}

/* Time: by the counter, where nothing else is said */

#define DAQ_CLOCK_UNIT	BIT_ULL(DAQ_CLOCK_ADJ_SHIFT)

static u64 daq_counter_at(const struct daq_model_clock *c, u64 osc, u64 *frac)
{
	u64 delta = osc - c->osc;
	u64 low = (delta * c->rate & (DAQ_CLOCK_UNIT - 1)) + c->frac;

	*frac = low & (DAQ_CLOCK_UNIT - 1);
	return c->ns + mul_u64_u64_shr(delta, c->rate, DAQ_CLOCK_ADJ_SHIFT) +
	       (low >> DAQ_CLOCK_ADJ_SHIFT);
}

static u64 daq_now(const struct daq_model *m)
{
	u64 frac;

	return daq_counter_at(&m->clock, m->host->now(m->ctx), &frac);
}

/* Return: what the clock shows at a time of the counter. */
static u64 daq_clock_at(const struct daq_model *m, u64 time)
{
	return time + m->clock.offset;
}

/* Return: when the oscillator has got to a time of the counter. */
static u64 daq_osc_at(const struct daq_model_clock *c, u64 time)
{
	u64 osc, frac;

	if (time == U64_MAX)
		return U64_MAX;
	if (time <= c->ns)
		return c->osc;
	osc = c->osc + mul_u64_u64_div_u64(time - c->ns, DAQ_CLOCK_UNIT, c->rate);
	return daq_counter_at(c, osc, &frac) < time ? osc + 1 : osc;
}

/* Interrupts and events */

/* Return: whether the driver has yet to act on what was reported to it. */
static bool daq_has_news(const struct daq_model_queue *q)
{
	u32 seen = READ_ONCE(q->irq_seen);

	return (u16)READ_ONCE(q->rx_reported) != (u16)seen ||
	       (u16)READ_ONCE(q->tx_reported) != (u16)(seen >> 16);
}

static void daq_try_raise(struct daq_model *m, struct daq_model_queue *q)
{
	/* The driver writes what it has seen first. */
	if (!smp_load_acquire(&q->armed) || !daq_has_news(q))
		return;

	if (xchg(&q->armed, 0) && (m->caps & DAQ_CAP_IRQ))
		m->host->raise(m->ctx, q - m->queue);
}

/* For events that are new, have just been let through, or are left over. */
static void daq_raise_events(struct daq_model *m)
{
	if ((m->events & m->event_mask) && (m->caps & DAQ_CAP_IRQ))
		m->host->raise(m->ctx, m->channels);
}

/* DMA: the queue whose address the bus refuses stops. */

static void daq_dma_failed(struct daq_model *m, struct daq_model_queue *q)
{
	WRITE_ONCE(q->ctrl, 0);
	m->events |= DAQ_EVENT_DMA_ERROR;
	daq_raise_events(m);
}

static bool daq_dma_read(struct daq_model *m, struct daq_model_queue *q,
			 u64 addr, void *buf, u32 len)
{
	if (m->host->read(m->ctx, addr, buf, len))
		return true;
	daq_dma_failed(m, q);
	return false;
}

static bool daq_dma_write(struct daq_model *m, struct daq_model_queue *q,
			  u64 addr, const void *buf, u32 len)
{
	if (m->host->write(m->ctx, addr, buf, len))
		return true;
	daq_dma_failed(m, q);
	return false;
}

static bool daq_dma_publish(struct daq_model *m, struct daq_model_queue *q,
			    u32 offset, u32 count)
{
	if (m->host->publish(m->ctx, q->status + offset, cpu_to_le32(count)))
		return true;
	daq_dma_failed(m, q);
	return false;
}

/* Reports of what is counted */

static struct daq_card_count daq_count_le(u64 segments, u64 frames, u64 bytes)
{
	return (struct daq_card_count){
		.segments = cpu_to_le64(segments),
		.frames = cpu_to_le64(frames),
		.bytes = cpu_to_le64(bytes),
	};
}

static struct daq_chan_report daq_chan_report(const struct daq_model *m,
					      const struct daq_model_chan *ch)
{
	const struct daq_model_counts *c = &ch->counts;

	return (struct daq_chan_report){
		.produced = daq_count_le(ch->produced, c->produced_frames,
					 ch->produced_bytes),
		.no_buffer = daq_count_le(ch->no_buffer, c->no_buffer_frames,
					  c->no_buffer_bytes),
		.too_long = daq_count_le(ch->too_long, c->too_long_frames,
					 c->too_long_bytes),
		.fifo_overrun = daq_count_le(ch->fifo_overrun,
					     c->overrun_frames,
					     c->overrun_bytes),
		.played = cpu_to_le64(ch->played),
		.played_bytes = cpu_to_le64(ch->played_bytes),
		.tx_bad = cpu_to_le64(ch->tx_bad),
		.underruns = cpu_to_le64(ch->underruns),
		.underrun_sample = cpu_to_le64(ch->underrun_sample),
		.fifo_level = cpu_to_le32(ch->fifo.head - ch->fifo.tail),
		.fifo_size = cpu_to_le32(m->caps & DAQ_CAP_AUTO ? 0 : m->fifo),
	};
}

static bool daq_write_stats(struct daq_model *m, struct daq_model_chan *ch)
{
	struct daq_chan_report report = daq_chan_report(m, ch);
	u32 index = ch->stats_index + 1;
	u64 at = ch->stats + offsetof(struct daq_chan_stats, report) +
		 sizeof(report) * (index % 2);

	/* The host may read this report until the one before is complete. */
	smp_mb();
	return m->host->write(m->ctx, at, &report, sizeof(report)) &&
	       m->host->publish(m->ctx, ch->stats +
				offsetof(struct daq_chan_stats, index),
				cpu_to_le32(index));
}

/* An address that the bus refuses is not used again. */
static void daq_tell_stats(struct daq_model *m, struct daq_model_chan *ch,
			   u64 now)
{
	if (!ch->counted || !ch->stats)
		return;
	ch->counted = false;
	ch->stats_told = now;
	if (daq_write_stats(m, ch)) {
		ch->stats_index++;
		return;
	}
	ch->stats = 0;
	m->events |= DAQ_EVENT_DMA_ERROR;
	daq_raise_events(m);
}

/* Return: when the counters of a channel are to be told, ns. */
static u64 daq_stats_due(const struct daq_model_chan *ch)
{
	if (!ch->counted || !ch->stats || !daq_chan_on(ch))
		return U64_MAX;
	return ch->stats_told + DAQ_STATS_PERIOD;
}

static void daq_step_stats(struct daq_model *m, struct daq_model_chan *ch,
			   u64 now)
{
	if (daq_stats_due(ch) <= now)
		daq_tell_stats(m, ch, now);
}

/* What is reported next has been counted by then. */
static void daq_tell_queue_stats(struct daq_model *m,
				 const struct daq_model_queue *q)
{
	u32 i;

	for (i = 0; i < m->channels; i++) {
		struct daq_model_chan *ch = &m->chan[i];

		if (ch->counted && daq_chan_on(ch) && ch->queue == q - m->queue)
			daq_tell_stats(m, ch, daq_now(m));
	}
}

/* Reports */

static void daq_report_rx(struct daq_model *m, struct daq_model_queue *q)
{
	if (q->rx_reported == q->rx_done || !daq_queue_on(q, DAQ_QUEUE_CTRL_RX))
		return;

	daq_tell_queue_stats(m, q);

	if (!daq_dma_publish(m, q, offsetof(struct daq_queue_status, rx),
			     q->rx_done))
		return;
	q->rx_unreported = 0;
	WRITE_ONCE(q->rx_reported, q->rx_done);
	smp_mb(); /* pairs with the xchg() of IRQ_ARM */
	daq_try_raise(m, q);
}

static void daq_report_tx(struct daq_model *m, struct daq_model_queue *q)
{
	if (q->tx_reported == q->tx_cons || !daq_queue_on(q, DAQ_QUEUE_CTRL_TX))
		return;

	if (!daq_dma_publish(m, q, offsetof(struct daq_queue_status, tx),
			     q->tx_cons))
		return;
	q->tx_unreported = 0;
	WRITE_ONCE(q->tx_reported, q->tx_cons);
	smp_mb(); /* pairs with the xchg() of IRQ_ARM */
	daq_try_raise(m, q);
}

/* Whether a channel acquires at its own pace. */
static bool daq_generates(const struct daq_model_chan *ch)
{
	return ch->source != DAQ_SOURCE_NONE &&
	       ch->source != DAQ_SOURCE_LOOPBACK &&
	       ch->source != DAQ_SOURCE_CABLE;
}

/* Input */

/* The driver wants to hear of a frame's end, of old news, of few buffers. */
static void daq_moderate_rx(struct daq_model *m, struct daq_model_queue *q,
			    bool eof)
{
	u32 left = READ_ONCE(q->rx_prod) - q->rx_cons;

	if (q->rx_done == q->rx_reported + 1)
		q->rx_oldest = daq_now(m);
	if (eof)
		q->rx_unreported++;
	if ((eof && q->rx_unreported >= q->rx_frames) || left < q->rx_low)
		daq_report_rx(m, q);
}

/* Return: host memory to write to, without a copy on the way, or NULL. */
static u8 *daq_direct(struct daq_model *m, const struct daq_feed *feed,
		      u64 addr, u32 len)
{
	/* To read host memory, the host may have to let go of this. */
	if (!m->host->direct || feed->queue)
		return NULL;
	return m->host->direct(m->ctx, addr, len);
}

static bool daq_write_data(struct daq_model *m, struct daq_model_queue *q,
			   u64 addr, struct daq_feed *feed, u32 len)
{
	u8 *direct = len ? daq_direct(m, feed, addr, len) : NULL;

	if (direct)
		return feed->fill(m, feed, direct, len);
	while (len) {
		u32 n = min_t(u32, len, sizeof(m->page));

		if (!feed->fill(m, feed, m->page, n) ||
		    !daq_dma_write(m, q, addr, m->page, n))
			return false;
		addr += n;
		len -= n;
	}
	return true;
}

/* What is to be written to an input's queue, and how. */
struct daq_transfer {
	const struct daq_hdr *hdr;	/* NULL for a packet that has its own */
	struct daq_feed *feed;		/* what comes behind it */
	u32 len;			/* length of @feed, bytes */
	u32 bufs;
	bool split;
	u64 addr;			/* where the last of it went */
};

static u32 daq_transfer_bytes(const struct daq_transfer *t)
{
	return (t->hdr ? DAQ_HDR_LEN : 0) + t->len;
}

/* Whether a frame is over with it; a packet of its own is one. */
static bool daq_transfer_ends(const struct daq_transfer *t)
{
	return !t->hdr || (t->hdr->flags & DAQ_HDR_F_EOF);
}

static void daq_plan(const struct daq_model_queue *q, struct daq_transfer *t)
{
	u32 total = daq_transfer_bytes(t);

	t->split = t->hdr && total > q->rx_head_len;
	t->bufs = t->split ? 1 + DIV_ROUND_UP(t->len, q->rx_buf) :
			     DIV_ROUND_UP(total, q->rx_head_len);
}

/* Buffer @i of a transfer gets what it has room for. */
static bool daq_write_buffer(struct daq_model *m, struct daq_model_queue *q,
			     struct daq_transfer *t, u32 i, u32 *len)
{
	u32 slot = (q->rx_cons + i) & (q->rx_size - 1);
	bool payload = t->split && i;
	u32 room = payload ? q->rx_buf : q->rx_head_len;
	struct daq_rx_desc desc;
	u64 addr;
	u32 n;

	if (!daq_dma_read(m, q, q->rx_desc + sizeof(desc) * slot, &desc,
			  sizeof(desc)))
		return false;
	addr = le64_to_cpu(desc.addr) + (payload ? 0 : q->rx_head);
	if (!i && t->hdr) {
		if (!daq_dma_write(m, q, addr, t->hdr, DAQ_HDR_LEN))
			return false;
		if (t->split)
			return true;
		addr += DAQ_HDR_LEN;
		room -= DAQ_HDR_LEN;
	}
	n = min(*len, room);
	*len -= n;
	t->addr = addr;
	return daq_write_data(m, q, addr, t->feed, n);
}

static bool daq_write_completion(struct daq_model *m, struct daq_model_queue *q,
				 const struct daq_rx_cmpl *cmpl)
{
	u32 slot = q->rx_done & (q->rx_size - 1);

	if (!daq_dma_write(m, q, q->rx_cmpl + sizeof(*cmpl) * slot, cmpl,
			   sizeof(*cmpl)))
		return false;
	q->rx_done++;
	return true;
}

static bool daq_complete(struct daq_model *m, struct daq_model_chan *ch,
			 struct daq_model_queue *q,
			 const struct daq_transfer *t, u16 flags)
{
	enum daq_tamper tamper = DAQ_TAMPER_NONE;
	const struct daq_hdr *hdr = t->hdr;
	struct daq_rx_cmpl cmpl;
	u32 mask = q->rx_size - 1;

	memset(&cmpl, 0, sizeof(cmpl));
	cmpl.timestamp = cpu_to_le64(hdr ? be64_to_cpu(hdr->timestamp) :
					   daq_clock_at(m, daq_now(m)));
	cmpl.frame = cpu_to_le32(hdr ? be32_to_cpu(hdr->frame) :
				       ch->next.frame);
	cmpl.len = cpu_to_le32(daq_transfer_bytes(t));
	cmpl.first = cpu_to_le16(q->rx_cons & mask);
	cmpl.bufs = cpu_to_le16(t->bufs);
	cmpl.channel = cpu_to_le16(ch - m->chan);
	cmpl.flags = cpu_to_le16(flags);
	if (m->host->tamper)
		tamper = m->host->tamper(m->ctx, ch - m->chan, t->addr, &cmpl);
	if (tamper == DAQ_TAMPER_DROP)
		return true;
	if (tamper == DAQ_TAMPER_TWICE && !daq_write_completion(m, q, &cmpl))
		return false;
	if (!daq_write_completion(m, q, &cmpl))
		return false;
	q->rx_cons += t->bufs;
	daq_moderate_rx(m, q, flags & DAQ_RX_F_EOF);
	return true;
}

static bool daq_transfer(struct daq_model *m, struct daq_model_chan *ch,
			 struct daq_model_queue *q, struct daq_transfer *t)
{
	u32 len = t->len;
	u16 flags = 0;
	u32 i;

	for (i = 0; i < t->bufs; i++)
		if (!daq_write_buffer(m, q, t, i, &len))
			return false;

	if (t->hdr)
		flags |= DAQ_RX_F_SEGMENT;
	if (t->split)
		flags |= DAQ_RX_F_SPLIT;
	if (daq_transfer_ends(t))
		flags |= DAQ_RX_F_EOF;
	return daq_complete(m, ch, q, t, flags);
}

static void daq_count_produced(struct daq_model_chan *ch,
			       const struct daq_transfer *t)
{
	ch->produced++;
	ch->produced_bytes += daq_transfer_bytes(t);
	ch->counts.produced_frames += daq_transfer_ends(t);
	ch->counted = true;
}

static void daq_count_no_buffer(struct daq_model_chan *ch,
				const struct daq_transfer *t)
{
	ch->no_buffer++;
	ch->counts.no_buffer_bytes += daq_transfer_bytes(t);
	ch->counts.no_buffer_frames += daq_transfer_ends(t);
	/* It may just have been told that it was produced. */
	ch->counted = true;
}

static void daq_count_too_long(struct daq_model_chan *ch,
			       const struct daq_transfer *t)
{
	ch->too_long++;
	ch->counts.too_long_bytes += daq_transfer_bytes(t);
	ch->counts.too_long_frames += daq_transfer_ends(t);
}

/**
 * daq_input() - DMA of one segment or packet
 * @m: card
 * @ch: input channel
 * @hdr: its header, NULL for a packet that has its own
 * @feed: what comes behind the header
 * @len: length of @feed, bytes
 *
 * Return: whether the host gets it; else it has been counted as dropped.
 */
static bool daq_input(struct daq_model *m, struct daq_model_chan *ch,
		      const struct daq_hdr *hdr, struct daq_feed *feed, u32 len)
{
	struct daq_transfer t = { .hdr = hdr, .feed = feed, .len = len };
	struct daq_model_queue *q = &m->queue[ch->queue];

	daq_count_produced(ch, &t);
	if (!daq_queue_on(q, DAQ_QUEUE_CTRL_RX)) {
		daq_count_no_buffer(ch, &t);
		return false;
	}
	daq_plan(q, &t);
	if (t.bufs > DAQ_SEG_BUFS) {
		daq_count_too_long(ch, &t);
		return false;
	}
	/* Descriptors after the doorbell. */
	if (smp_load_acquire(&q->rx_prod) - q->rx_cons < t.bufs) {
		daq_count_no_buffer(ch, &t);
		daq_report_rx(m, q);
		return false;
	}
	if (!daq_transfer(m, ch, q, &t)) {
		daq_count_no_buffer(ch, &t);
		return false;
	}
	return true;
}

/* Return: whether it got through. */
static bool daq_send_segment(struct daq_model *m, struct daq_model_chan *ch,
			     const struct daq_model_segment *seg,
			     struct daq_feed *feed)
{
	struct daq_hdr hdr = {
		.ethertype = cpu_to_be16(DAQ_ETHERTYPE),
		.version = DAQ_HDR_VERSION,
		.flags = seg->flags | (ch->overrun ? DAQ_HDR_F_OVERRUN : 0),
		.channel = cpu_to_be16(ch - m->chan),
		.run = cpu_to_be16(ch->run),
		.frame = cpu_to_be32(seg->place.frame),
		.segment = cpu_to_be32(seg->place.segment),
		.offset = cpu_to_be32(seg->place.offset),
		.payload_len = cpu_to_be32(seg->len),
		.frame_len = cpu_to_be32(seg->frame_len),
		.sample = cpu_to_be64(seg->place.sample),
		.timestamp = cpu_to_be64(daq_clock_at(m, seg->time)),
		.dropped = cpu_to_be64(ch->dropped + ch->no_buffer +
				       ch->too_long + seg->overruns),
	};
	__be64 mac = cpu_to_be64(ch->mac << 16);

	memcpy(hdr.dst, &mac, sizeof(hdr.dst));
	memcpy(hdr.src, &mac, sizeof(hdr.src));
	hdr.src[4] = (ch - m->chan) >> 8;
	hdr.src[5] = ch - m->chan;

	ch->active = daq_now(m);
	return daq_input(m, ch, &hdr, feed, seg->len);
}

/* Send a segment or lose it, which the next one that gets through tells. */
static void daq_input_segment(struct daq_model *m, struct daq_model_chan *ch,
			      const struct daq_model_segment *seg,
			      struct daq_feed *feed)
{
	ch->overrun = !daq_send_segment(m, ch, seg, feed);
	ch->ended = ch->overrun && (seg->flags & DAQ_HDR_F_LAST);
}

/* The channel has acquired a segment and goes on to the next one. */
static void daq_next_place(struct daq_model_chan *ch, u32 len, u8 flags)
{
	struct daq_model_place *next = &ch->next;

	next->sample += len / ch->sample_bytes;
	/* At the end of all there may be a part of a sample. */
	if ((flags & DAQ_HDR_F_LAST) && len % ch->sample_bytes)
		next->sample++;
	next->offset += len;
	next->segment++;
	if (flags & DAQ_HDR_F_EOF) {
		next->frame++;
		next->segment = 0;
		next->offset = 0;
	}
}

static bool daq_fifo_empty(const struct daq_model_fifo *fifo)
{
	return fifo->head == fifo->tail;
}

/* Return: when there is to be a notice of a loss, ns. */
static u64 daq_notice_due(const struct daq_model *m,
			  const struct daq_model_chan *ch)
{
	if (!ch->overrun || !daq_chan_on(ch) ||
	    (daq_generates(ch) &&
	     (!ch->starved || !daq_fifo_empty(&ch->fifo))) ||
	    !daq_queue_on(&m->queue[ch->queue], DAQ_QUEUE_CTRL_RX))
		return U64_MAX;
	return ch->active + DAQ_NOTICE_DELAY;
}

/*
 * The next header tells of a loss, but a source that does not go on for ever
 * may end with one: tell with a header alone as soon as there is room for it.
 */
static void daq_step_notice(struct daq_model *m, struct daq_model_chan *ch,
			    u64 now)
{
	struct daq_model_queue *q = &m->queue[ch->queue];
	struct daq_model_segment seg = {
		.place = ch->next,
		.time = now,
		.overruns = ch->fifo_overrun,
		.frame_len = ch->next.offset,
		.flags = ch->ended ? DAQ_HDR_F_LAST : 0,
	};

	if (daq_notice_due(m, ch) > now)
		return;
	/* Descriptors after the doorbell. */
	if (smp_load_acquire(&q->rx_prod) == q->rx_cons) {
		ch->active = now;
		return;
	}
	daq_send_segment(m, ch, &seg, NULL);
	ch->overrun = false;
	ch->ended = false;
	daq_report_rx(m, q);
}

/* Generated signals: 8 bytes at a time, as little-endian words. */

static const s16 daq_quarter_sine[65] = {
	0, 804, 1608, 2410, 3212, 4011, 4808, 5602,
	6393, 7179, 7962, 8739, 9512, 10278, 11039, 11793,
	12539, 13279, 14010, 14732, 15446, 16151, 16846, 17530,
	18204, 18868, 19519, 20159, 20787, 21403, 22005, 22594,
	23170, 23731, 24279, 24811, 25329, 25832, 26319, 26790,
	27245, 27683, 28105, 28510, 28898, 29268, 29621, 29956,
	30273, 30571, 30852, 31113, 31356, 31580, 31785, 31971,
	32137, 32285, 32412, 32521, 32609, 32678, 32728, 32757,
	32767,
};

static u64 daq_sine_sample(u64 i, u32 sample_bytes)
{
	u32 phase = i & 0x7f;
	s16 v = daq_quarter_sine[phase <= 64 ? phase : 128 - phase];
	u64 word;

	if (i & 0x80)
		v = -v;
	word = (u64)(u16)v << 48;
	return word >> (64 - 8 * sample_bytes);
}

/* The eight colours of a test picture: Y, U, V. */
static const u8 daq_bars[8][3] = {
	{ 235, 128, 128 }, { 210, 16, 146 }, { 170, 166, 16 }, { 145, 54, 34 },
	{ 106, 202, 222 }, { 81, 90, 240 }, { 41, 240, 110 }, { 16, 128, 128 },
};

static u32 daq_bars_pair(const struct daq_model_chan *ch, u32 frame, u32 pos)
{
	u32 pairs = max(ch->line_bytes / 4, 8u);
	u32 x = (pos % ch->line_bytes / 4 + frame) % pairs;
	const u8 *c = daq_bars[min(x / (pairs / 8), 7u)];

	return c[0] | c[1] << 8 | c[0] << 16 | (u32)c[2] << 24;
}

static u64 daq_signal_word(const struct daq_model_chan *ch, u32 frame, u64 k)
{
	u32 bits = 8 * ch->sample_bytes;
	u32 per_word = 64 / bits;
	u64 word = 0;
	u32 i;

	switch (ch->source) {
	case DAQ_SOURCE_COUNTER:
		return k;
	case DAQ_SOURCE_BARS:
		return daq_bars_pair(ch, frame, 8 * k) |
		       (u64)daq_bars_pair(ch, frame, 8 * k + 4) << 32;
	case DAQ_SOURCE_SINE:
		for (i = 0; i < per_word; i++)
			word |= daq_sine_sample(k * per_word + i,
						ch->sample_bytes) << (i * bits);
		return word;
	default: /* DAQ_SOURCE_RAMP */
		for (i = 0; i < per_word; i++)
			word |= ((k * per_word + i) & (U64_MAX >> (64 - bits)))
				<< (i * bits);
		return word;
	}
}

/* The counter at the speed of memory. Return: bytes, as many as whole words. */
static u32 daq_fill_counter(u64 k, u8 *buf, u32 len)
{
	u32 i;

	for (i = 0; i < len / 8; i++) {
		__le64 word = cpu_to_le64(k + i);

		memcpy(buf + 8 * i, &word, 8);
	}
	return 8 * i;
}

static bool daq_fill_signal(struct daq_model *m, struct daq_feed *feed, u8 *buf,
			    u32 len)
{
	u32 done = 0;

	(void)m;
	if (feed->chan->source == DAQ_SOURCE_COUNTER && feed->pos % 8 == 0)
		done = daq_fill_counter(feed->pos / 8, buf, len);
	feed->pos += done;
	buf += done;
	len -= done;
	while (len) {
		__le64 word = cpu_to_le64(daq_signal_word(feed->chan, feed->frame,
							  feed->pos / 8));
		u32 skip = feed->pos % 8;
		u32 n = min(len, 8 - skip);

		if (n == 8)
			memcpy(buf, &word, 8);
		else
			memcpy(buf, (u8 *)&word + skip, n);
		feed->pos += n;
		buf += n;
		len -= n;
	}
	return true;
}

/* Advance a time by so many samples, without ever losing a fraction. */
static void daq_advance(u64 *time, u64 *frac, u64 samples, u64 rate)
{
	u64 rem;

	*time += div64_u64_rem(samples * NSEC_PER_SEC, rate, &rem);
	*frac += rem;
	if (*frac >= rate) {
		*frac -= rate;
		(*time)++;
	}
}

/* What the generator yields next; @end and @frac get when it is complete. */
static struct daq_model_segment
daq_next_segment(const struct daq_model_chan *ch, u64 *end, u64 *frac)
{
	u32 left = ch->frame_bytes - ch->next.offset;
	struct daq_model_segment seg = {
		.place = ch->next,
		.time = ch->start,
		.overruns = ch->fifo_overrun,
		.len = min(ch->segment_bytes, left),
		.frame_len = ch->frame_bytes,
	};

	if (!ch->next.offset)
		seg.flags |= DAQ_HDR_F_SOF;
	if (seg.len == left)
		seg.flags |= DAQ_HDR_F_EOF;
	*end = ch->start;
	*frac = ch->start_frac;
	daq_advance(end, frac, seg.len / ch->sample_bytes, ch->rate);
	return seg;
}

/* User pages */

static u32 daq_user_word(const struct daq_model *m,
			 const struct daq_model_chan *ch, u32 offset)
{
	if (!m->host->user)
		return 0;
	return le32_to_cpu(READ_ONCE(m->host->user(m->ctx, ch - m->chan)[offset / 4]));
}

static bool daq_gate_is_closed(const struct daq_model *m,
			       const struct daq_model_chan *ch)
{
	u32 gate;

	if (!(READ_ONCE(ch->user) & DAQ_CHAN_USER_OPEN))
		return false;
	gate = daq_user_word(m, ch, DAQ_USER_GATE);
	return gate & DAQ_USER_GATE_CLOSED ||
	       (gate & DAQ_USER_GATE_TRIGGER &&
		daq_user_word(m, ch, DAQ_USER_TRIGGER) == ch->triggered);
}

/*
 * No frame begins while the gate is closed: the input looks again when it would
 * have its first segment if it began now.
 */
static bool daq_wait_at_gate(const struct daq_model *m,
			     struct daq_model_chan *ch, u64 now)
{
	if (ch->next.offset || !daq_gate_is_closed(m, ch))
		return false;
	ch->start = now;
	ch->start_frac = 0;
	return true;
}

static void daq_pass_gate(const struct daq_model *m, struct daq_model_chan *ch)
{
	if (!ch->next.offset)
		ch->triggered = daq_user_word(m, ch, DAQ_USER_TRIGGER);
}

/* What is connected to an input */

static bool daq_is_external(const struct daq_model_chan *ch)
{
	return ch->source == DAQ_SOURCE_EXTERNAL;
}

/* Return: where a sample is in what is connected, bytes. */
static u64 daq_position(const struct daq_model_chan *ch, u64 sample)
{
	return (sample - ch->origin) * ch->sample_bytes;
}

static bool daq_fill_external(struct daq_model *m, struct daq_feed *feed,
			      u8 *buf, u32 len)
{
	m->host->outside->pull(m->ctx, feed->chan - m->chan, feed->pos, buf,
			       len);
	feed->pos += len;
	return true;
}

/*
 * Take a segment from what is connected, which may have less than that at its
 * end, or nothing now: then its samples are taken later.
 */
static bool daq_acquire(struct daq_model *m, struct daq_model_chan *ch,
			struct daq_model_segment *seg, u64 *end, u64 now)
{
	const struct daq_model_outside *outside = m->host->outside;
	bool last = false;
	u32 len = 0;

	if (!daq_is_external(ch))
		return true;
	if (outside)
		len = outside->peek(m->ctx, ch - m->chan,
				    daq_position(ch, seg->place.sample),
				    seg->len, &last);
	if (!len || ch->starved) {
		seg->time += now - *end;
		ch->start += now - *end;
		*end = now;
	}
	ch->starved = !len;
	if (last) {
		seg->flags |= DAQ_HDR_F_EOF | DAQ_HDR_F_LAST;
		seg->frame_len = seg->place.offset + len;
		seg->len = len;
	}
	return len;
}

/* The channel needs nothing any more that was before a segment. */
static void daq_release(struct daq_model *m, struct daq_model_chan *ch,
			const struct daq_model_place *place)
{
	if (daq_is_external(ch) && m->host->outside)
		m->host->outside->release(m->ctx, ch - m->chan,
					  daq_position(ch, place->sample));
}

static void daq_send_generated(struct daq_model *m, struct daq_model_chan *ch,
			       const struct daq_model_segment *seg)
{
	struct daq_feed feed = {
		.fill = daq_is_external(ch) ? daq_fill_external :
					      daq_fill_signal,
		.chan = ch,
		.frame = seg->place.frame,
		.pos = seg->place.sample * ch->sample_bytes,
	};

	if (daq_is_external(ch))
		feed.pos = daq_position(ch, seg->place.sample);
	else if (ch->source == DAQ_SOURCE_BARS)
		feed.pos = seg->place.offset;
	daq_input_segment(m, ch, seg, &feed);
}

/* Return: when the channel's generator is to run again, ns. */
static u64 daq_step_generator(struct daq_model *m, struct daq_model_chan *ch,
			      u64 now)
{
	struct daq_model_segment seg;
	u64 end, frac;

	if (!daq_chan_on(ch) || !daq_generates(ch))
		return U64_MAX;

	seg = daq_next_segment(ch, &end, &frac);
	if (end > now)
		return end;
	if (daq_wait_at_gate(m, ch, now))
		return now;
	if (!daq_acquire(m, ch, &seg, &end, now))
		return U64_MAX;
	if (now - end > DAQ_MAX_LAG) {
		seg.time += now - end;
		end = now;
	}
	daq_send_generated(m, ch, &seg);
	daq_pass_gate(m, ch);
	daq_next_place(ch, seg.len, seg.flags);
	daq_release(m, ch, &ch->next);
	ch->start = end;
	ch->start_frac = frac;
	return end;
}

/* The FIFO of an input that waits to be kicked */

static u32 daq_fifo_room(const struct daq_model *m,
			 const struct daq_model_chan *ch)
{
	return m->fifo - (ch->fifo.head - ch->fifo.tail);
}

static void daq_fifo_put(struct daq_model_chan *ch,
			 const struct daq_model_segment *seg)
{
	struct daq_model_fifo *fifo = &ch->fifo;
	struct daq_model_segment *last;

	ch->counted = true;
	last = &fifo->segment[fifo->head++ % DAQ_MODEL_FIFO];
	*last = *seg;
	if (fifo->overrun)
		last->flags |= DAQ_HDR_F_OVERRUN;
	fifo->overrun = false;
}

/* So many segments of @len bytes, with @frames ends, found the FIFO full. */
static void daq_count_overruns(struct daq_model_chan *ch, u64 count, u64 frames,
			       u64 len)
{
	u64 bytes = count * DAQ_HDR_LEN + len;

	ch->produced += count;
	ch->produced_bytes += bytes;
	ch->counts.produced_frames += frames;
	ch->fifo_overrun += count;
	ch->counts.overrun_frames += frames;
	ch->counts.overrun_bytes += bytes;
	ch->fifo.overrun = true;
	ch->counted = true;
}

static void daq_lose_segment(struct daq_model_chan *ch,
			     const struct daq_model_segment *seg)
{
	daq_count_overruns(ch, 1, !!(seg->flags & DAQ_HDR_F_EOF), seg->len);
	ch->fifo.ended = seg->flags & DAQ_HDR_F_LAST;
}

/* Nothing that is in the FIFO tells of what was lost behind it. */
static void daq_move_overrun(struct daq_model_chan *ch)
{
	struct daq_model_fifo *fifo = &ch->fifo;

	ch->overrun |= fifo->overrun;
	ch->ended |= fifo->ended;
	fifo->overrun = false;
	fifo->ended = false;
}

/* More samples than that are not counted at once. */
#define DAQ_SKIP_MAX	BIT_ULL(32)

/*
 * Lose whole frames, or whole segments up to the last one of the frame: that is
 * as much work for many of them as for one.
 *
 * Return: false if there are none.
 */
static bool daq_skip(struct daq_model_chan *ch, u64 now)
{
	u64 samples = min(mul_u64_u64_div_u64(now - ch->start, ch->rate,
					      NSEC_PER_SEC), DAQ_SKIP_MAX);
	u64 bytes = samples * ch->sample_bytes;
	u32 per_frame = DIV_ROUND_UP(ch->frame_bytes, ch->segment_bytes);
	u64 count;

	if (!ch->next.offset && bytes >= ch->frame_bytes) {
		count = div_u64(bytes, ch->frame_bytes);
		bytes = count * ch->frame_bytes;
		daq_count_overruns(ch, count * per_frame, count, bytes);
		ch->next.frame += count;
	} else {
		count = min_t(u64, div_u64(bytes, ch->segment_bytes),
			      per_frame - 1 - ch->next.segment);
		bytes = count * ch->segment_bytes;
		daq_count_overruns(ch, count, 0, bytes);
		ch->next.segment += count;
		ch->next.offset += bytes;
	}
	if (!count)
		return false;
	ch->next.sample += div_u64(bytes, ch->sample_bytes);
	daq_advance(&ch->start, &ch->start_frac,
		    div_u64(bytes, ch->sample_bytes), ch->rate);
	return true;
}

/* Put what has been generated by now into the FIFO, or lose it. */
static void daq_fill_fifo(struct daq_model *m, struct daq_model_chan *ch,
			  u64 now)
{
	struct daq_model_segment seg;
	u64 end, frac;

	for (;;) {
		seg = daq_next_segment(ch, &end, &frac);
		if (end > now || daq_wait_at_gate(m, ch, now) ||
		    !daq_acquire(m, ch, &seg, &end, now))
			return;
		if (daq_fifo_room(m, ch))
			daq_fifo_put(ch, &seg);
		else if (!daq_is_external(ch) && daq_skip(ch, now))
			continue;
		else
			daq_lose_segment(ch, &seg);
		daq_pass_gate(m, ch);
		daq_next_place(ch, seg.len, seg.flags);
		ch->start = end;
		ch->start_frac = frac;
	}
}

/* An input that is switched off loses what waits. */
static void daq_empty_fifo(struct daq_model *m, struct daq_model_chan *ch)
{
	struct daq_model_fifo *fifo = &ch->fifo;

	for (; !daq_fifo_empty(fifo); fifo->tail++)
		daq_lose_segment(ch, &fifo->segment[fifo->tail %
						    DAQ_MODEL_FIFO]);
	/* Whatever source is next tells of it. */
	daq_move_overrun(ch);
	daq_release(m, ch, &ch->next);
}

/* Kicked: move one segment. */
static void daq_step_fifo(struct daq_model *m, struct daq_model_chan *ch)
{
	struct daq_model_fifo *fifo = &ch->fifo;
	struct daq_model_segment seg, *next;

	if (daq_fifo_empty(fifo))
		return;
	seg = fifo->segment[fifo->tail++ % DAQ_MODEL_FIFO];
	daq_send_generated(m, ch, &seg);
	next = &fifo->segment[fifo->tail % DAQ_MODEL_FIFO];
	daq_release(m, ch, daq_fifo_empty(fifo) ? &ch->next : &next->place);
}

/* What comes to an input from outside: from an output, or out of a cable. */

static bool daq_is_segment(const struct daq_hdr *hdr)
{
	return hdr->ethertype == cpu_to_be16(DAQ_ETHERTYPE);
}

static bool daq_segment_ok(const struct daq_hdr *hdr, u32 len)
{
	return hdr->version == DAQ_HDR_VERSION && len > DAQ_HDR_LEN &&
	       be32_to_cpu(hdr->payload_len) == len - DAQ_HDR_LEN;
}

/* What is missing before a segment that was played. */
struct daq_played_gap {
	u32 frames;
	u64 samples;
};

/* A flag of its own, since every player begins to count anew. */
static struct daq_played_gap daq_gap_before(const struct daq_model_trail *trail,
					    const struct daq_hdr *hdr)
{
	const u8 both = DAQ_HDR_F_SOF | DAQ_HDR_F_OVERRUN;
	struct daq_played_gap gap = {
		.frames = be32_to_cpu(hdr->frame) - trail->frame,
		.samples = be64_to_cpu(hdr->sample) - trail->sample,
	};

	if (!trail->known || (hdr->flags & both) != both ||
	    (s32)gap.frames < 0 || (s64)gap.samples < 0)
		return (struct daq_played_gap){};
	return gap;
}

static void daq_follow_trail(struct daq_model_trail *trail,
			     const struct daq_hdr *hdr, u32 sample_bytes)
{
	trail->known = true;
	trail->frame = be32_to_cpu(hdr->frame) +
		       !!(hdr->flags & DAQ_HDR_F_EOF);
	trail->sample = be64_to_cpu(hdr->sample) +
			be32_to_cpu(hdr->payload_len) / sample_bytes;
}

/* A segment comes in with the input's own numbers and clock. */
static void daq_receive_segment(struct daq_model *m, struct daq_model_chan *ch,
				const struct daq_hdr *hdr,
				struct daq_feed *feed, u64 now)
{
	struct daq_played_gap gap = daq_gap_before(&ch->heard, hdr);
	struct daq_model_segment seg = {
		.time = now,
		.overruns = ch->fifo_overrun,
		.len = be32_to_cpu(hdr->payload_len),
		.flags = hdr->flags & (DAQ_HDR_F_EOF | DAQ_HDR_F_LAST),
	};

	if ((hdr->flags & DAQ_HDR_F_SOF) && ch->next.offset) {
		ch->next.frame++;
		ch->next.segment = 0;
		ch->next.offset = 0;
	}
	ch->next.frame += gap.frames;
	ch->next.sample += gap.samples;
	daq_follow_trail(&ch->heard, hdr, ch->sample_bytes);
	if (!ch->next.offset)
		seg.flags |= DAQ_HDR_F_SOF;
	seg.place = ch->next;
	seg.frame_len = max(be32_to_cpu(hdr->frame_len),
			    ch->next.offset + seg.len);
	daq_input_segment(m, ch, &seg, feed);
	daq_next_place(ch, seg.len, seg.flags);
}

static void daq_rewind(struct daq_feed *feed)
{
	feed->pos = 0;
	feed->next = 0;
	feed->done = 0;
}

static void daq_receive(struct daq_model *m, struct daq_model_chan *ch,
			struct daq_feed *feed, u32 len, u64 now)
{
	struct daq_hdr hdr;

	memset(&hdr, 0, sizeof(hdr));
	daq_rewind(feed);
	if (!feed->fill(m, feed, (u8 *)&hdr, min_t(u32, len, sizeof(hdr))))
		return;
	if (daq_is_segment(&hdr) && daq_segment_ok(&hdr, len)) {
		daq_receive_segment(m, ch, &hdr, feed, now);
	} else {
		daq_rewind(feed);
		daq_input(m, ch, NULL, feed, len);
	}
}

static bool daq_fill_from_wire(struct daq_model *m, struct daq_feed *feed,
			       u8 *buf, u32 len)
{
	const struct daq_wire *wire = feed->wire;

	(void)m;
	daq_wire_get(wire, wire->tail + sizeof(u32) + feed->pos, buf, len);
	feed->pos += len;
	return true;
}

/* Return: bytes of the packet that comes out of the cable next, or 0. */
static u32 daq_in_cable(const struct daq_model_chan *ch)
{
	return ch->wire_in ? daq_wire_next(ch->wire_in) : 0;
}

/* Nobody listens to a cable that is not the input's source. */
static bool daq_hears_cable(const struct daq_model_chan *ch)
{
	return daq_chan_on(ch) && ch->source == DAQ_SOURCE_CABLE;
}

/* Return: when the far end of the cable is to be looked at again, ns. */
static u64 daq_step_cable(struct daq_model *m, struct daq_model_chan *ch,
			  u64 now)
{
	struct daq_feed feed = {
		.fill = daq_fill_from_wire, .wire = ch->wire_in,
	};
	u32 len = daq_in_cable(ch);

	if (!len)
		return U64_MAX;
	if (daq_hears_cable(ch))
		daq_receive(m, ch, &feed, len, now);
	if (daq_wire_drop(ch->wire_in, len))
		m->host->cable(m->ctx);
	return now;
}

/* Output */

/**
 * daq_gather() - collect the descriptors of the packet that is next
 * @m: card
 * @q: its queue
 * @feed: gets the descriptors
 * @len: gets the packet's length, bytes
 *
 * Return: number of descriptors, 0 when no whole packet has been posted or the
 * queue has stopped. More than DAQ_SEG_BUFS of them are counted but not
 * collected.
 */
static u32 daq_gather(struct daq_model *m, struct daq_model_queue *q,
		      struct daq_feed *feed, u32 *len)
{
	/* Descriptors after the doorbell. */
	u32 prod = smp_load_acquire(&q->tx_prod);
	u32 posted = prod - q->tx_cons;
	u32 n = 0;

	WRITE_ONCE(q->tx_looked, prod);
	feed->queue = q;
	*len = 0;
	while (n < min(posted, q->tx_size)) {
		u32 slot = (q->tx_cons + n) & (q->tx_size - 1);
		struct daq_tx_desc desc;

		if (!daq_dma_read(m, q, q->tx_desc + sizeof(desc) * slot, &desc,
				  sizeof(desc)))
			return 0;
		if (n < DAQ_SEG_BUFS)
			feed->desc[n] = desc;
		*len += min_t(u32, le32_to_cpu(desc.len), DAQ_MAX_SEGMENT_BYTES);
		n++;
		if (le32_to_cpu(desc.flags) & DAQ_TX_F_EOP)
			return n;
	}
	return 0;
}

static bool daq_fill_gathered(struct daq_model *m, struct daq_feed *feed,
			      u8 *buf, u32 len)
{
	while (len) {
		const struct daq_tx_desc *desc = &feed->desc[feed->next];
		u32 n = min(len, le32_to_cpu(desc->len) - feed->done);

		if (!daq_dma_read(m, feed->queue,
				  le64_to_cpu(desc->addr) + feed->done, buf, n))
			return false;
		buf += n;
		len -= n;
		feed->done += n;
		if (feed->done == le32_to_cpu(desc->len)) {
			feed->done = 0;
			feed->next++;
		}
	}
	return true;
}

static void daq_send_to_wire(struct daq_model *m, struct daq_wire *wire,
			     struct daq_feed *feed, u32 len)
{
	u32 head = wire->head;
	u32 n;

	daq_rewind(feed);
	daq_wire_put(wire, head, &len, sizeof(len));
	head += sizeof(len);
	for (; len; len -= n) {
		n = min_t(u32, len, sizeof(m->page));
		if (!feed->fill(m, feed, m->page, n))
			return;
		daq_wire_put(wire, head, m->page, n);
		head += n;
	}
	daq_wire_send(wire, head);
	m->host->cable(m->ctx);
}

/* To what is connected: a segment's payload, any other packet as it is. */
static void daq_send_outside(struct daq_model *m, u32 channel,
			     struct daq_feed *feed, u32 len, bool segment)
{
	u32 n;

	daq_rewind(feed);
	if (segment) {
		if (!feed->fill(m, feed, m->page, DAQ_HDR_LEN))
			return;
		len -= DAQ_HDR_LEN;
	}
	for (; len; len -= n) {
		n = min_t(u32, len, sizeof(m->page));
		if (!feed->fill(m, feed, m->page, n))
			return;
		m->host->outside->push(m->ctx, channel, m->page, n);
	}
}

/* To everybody who listens: inputs of this card and the far end of a cable. */
static void daq_play(struct daq_model *m, struct daq_model_chan *out,
		     struct daq_feed *feed, u32 len, u64 now)
{
	u32 i;

	/* Before anybody can have it. */
	out->played++;
	out->played_bytes += len;
	out->counted = true;
	for (i = 0; i < m->channels; i++) {
		struct daq_model_chan *ch = &m->chan[i];

		if (daq_chan_on(ch) && ch->source == DAQ_SOURCE_LOOPBACK &&
		    ch->loop_from == out - m->chan)
			daq_receive(m, ch, feed, len, now);
	}
	if (out->wire_out)
		daq_send_to_wire(m, out->wire_out, feed, len);
}

/* A packet on its way out. */
struct daq_output {
	struct daq_feed feed;
	u32 bufs;
	u32 len;
	u64 launch;	/* not before, ns */
	u64 silence;	/* samples that are missing before it */
	u64 samples;	/* that it plays for; a foreign packet takes no time */
	bool segment;
	bool last;	/* nothing is to follow it */
	struct daq_model_trail trail;	/* behind it */
};

/* A longer gap takes no more time than that, samples. */
#define DAQ_SILENCE_MAX	BIT_ULL(34)

/* Return: whether the card can play it. */
static bool daq_check_output(struct daq_model *m, struct daq_model_chan *ch,
			     struct daq_output *out, u64 now)
{
	const struct daq_tx_desc *first = &out->feed.desc[0];
	u64 launch = le64_to_cpu(first->launch);
	u64 time = daq_clock_at(m, now);
	struct daq_hdr hdr;

	if (out->bufs > DAQ_SEG_BUFS || !daq_wire_fits(out->len) ||
	    out->len < sizeof(hdr.dst) + sizeof(hdr.src))
		return false;
	if (le32_to_cpu(first->flags) & DAQ_TX_F_LAUNCH) {
		if (launch > time + DAQ_LAUNCH_HORIZON)
			return false;
		/* By the counter, unless it had not begun then. */
		if (launch > time || time - launch < now)
			out->launch = now + (launch - time);
	}
	memset(&hdr, 0, sizeof(hdr));
	daq_rewind(&out->feed);
	if (!out->feed.fill(m, &out->feed, (u8 *)&hdr,
			    min_t(u32, out->len, sizeof(hdr))))
		return false;
	if (!daq_is_segment(&hdr))
		return true;

	out->segment = true;
	out->last = hdr.flags & DAQ_HDR_F_LAST;
	if (!daq_segment_ok(&hdr, out->len))
		return false;
	out->samples = (out->len - DAQ_HDR_LEN) / ch->sample_bytes;
	out->silence = daq_gap_before(&ch->said, &hdr).samples;
	daq_follow_trail(&out->trail, &hdr, ch->sample_bytes);
	return true;
}

/* Everything has been sent; what was begun may still be playing. */
static u64 daq_output_dry(struct daq_model *m, struct daq_model_chan *ch,
			  struct daq_model_queue *q, u64 now)
{
	daq_report_tx(m, q);
	if (q->tx_idle)
		return U64_MAX;
	if (now < q->tx_due)
		return q->tx_due;
	if (ch->out_more) {
		ch->underruns++;
		ch->counted = true;
		ch->underrun_sample = ch->out_sample;
		ch->out_more = false;
	}
	q->tx_idle = true;
	return U64_MAX;
}

static void daq_write_stamp(struct daq_model *m, struct daq_model_queue *q,
			    u64 now)
{
	u32 slot = q->tx_cons & (q->tx_size - 1);
	__le64 stamp = cpu_to_le64(daq_clock_at(m, now));

	daq_dma_write(m, q, q->tx_desc + sizeof(struct daq_tx_desc) * slot +
		      offsetof(struct daq_tx_desc, stamp), &stamp,
		      sizeof(stamp));
}

/* The card is done with a packet. */
static void daq_output_done(struct daq_model *m, struct daq_model_chan *ch,
			    struct daq_model_queue *q, u32 bufs)
{
	u32 left = READ_ONCE(q->tx_prod) - q->tx_cons;
	u32 low = ch->output_low;

	q->tx_cons += bufs;
	q->tx_unreported++;
	if (low ? left > low && left - bufs <= low :
		  q->tx_unreported >= q->tx_frames)
		daq_report_tx(m, q);
}

/* What is missing before a packet takes its time, too. */
static void daq_be_silent(struct daq_model_chan *ch, struct daq_model_queue *q,
			  const struct daq_output *out)
{
	if (q->tx_silent)
		return;
	daq_advance(&q->tx_due, &q->tx_due_frac,
		    min(out->silence, DAQ_SILENCE_MAX), ch->rate);
	q->tx_silent = true;
}

/* Return: when the output is to be looked at again, ns. */
static u64 daq_step_output(struct daq_model *m, struct daq_model_chan *ch,
			   u64 now)
{
	struct daq_model_queue *q = &m->queue[ch - m->chan];
	struct daq_output out = { .feed.fill = daq_fill_gathered };
	bool good;

	if (!daq_chan_on(ch) || !daq_queue_on(q, DAQ_QUEUE_CTRL_TX))
		return U64_MAX;

	out.bufs = daq_gather(m, q, &out.feed, &out.len);
	if (!out.bufs)
		return daq_output_dry(m, ch, q, now);
	good = daq_check_output(m, ch, &out, now);
	/* Its memory may have been refused. */
	if (!daq_queue_on(q, DAQ_QUEUE_CTRL_TX))
		return U64_MAX;
	if (out.silence)
		daq_be_silent(ch, q, &out);
	if (now > q->tx_due && (q->tx_idle || now - q->tx_due > DAQ_MAX_LAG))
		q->tx_due = now;
	q->tx_idle = false;
	q->tx_due = max(q->tx_due, out.launch);
	if (q->tx_due > now)
		return q->tx_due;

	/* The far end tells when it has read. */
	if (good && ch->wire_out &&
	    !daq_wire_ready(ch->wire_out, out.len))
		return U64_MAX;

	if (good && m->host->outside &&
	    !m->host->outside->room(m->ctx, ch - m->chan, out.len))
		return now + DAQ_ROOM_DELAY;

	if (!good) {
		ch->tx_bad++;
		ch->counted = true;
	} else {
		daq_play(m, ch, &out.feed, out.len, now);
		if (m->host->outside && daq_queue_on(q, DAQ_QUEUE_CTRL_TX))
			daq_send_outside(m, ch - m->chan, &out.feed, out.len,
					 out.segment);
		if (le32_to_cpu(out.feed.desc[0].flags) & DAQ_TX_F_STAMP)
			daq_write_stamp(m, q, now);
		ch->out_sample += out.silence + out.samples;
		if (out.segment) {
			ch->out_more = !out.last;
			ch->said = out.trail;
		}
	}
	q->tx_silent = false;
	daq_advance(&q->tx_due, &q->tx_due_frac, out.samples, ch->rate);
	daq_output_done(m, ch, q, out.bufs);
	return q->tx_due;
}

/* Return: when the oldest unreported completion must be reported, ns. */
static u64 daq_report_due(const struct daq_model_queue *q)
{
	if (!daq_queue_on(q, DAQ_QUEUE_CTRL_RX) || q->rx_reported == q->rx_done)
		return U64_MAX;
	return q->rx_oldest + (u64)q->rx_usecs * NSEC_PER_USEC;
}

static void daq_step_moderation(struct daq_model *m, struct daq_model_queue *q,
				u64 now)
{
	if (daq_report_due(q) <= now)
		daq_report_rx(m, q);
}

/* A card that moves data by itself */
static u64 daq_step_auto(struct daq_model *m, u64 now)
{
	u64 next = U64_MAX;
	u32 i;

	for (i = 0; i < m->channels; i++) {
		struct daq_model_chan *ch = &m->chan[i];
		struct daq_model_queue *q = &m->queue[i];

		next = min(next, daq_step_generator(m, ch, now));
		next = min(next, daq_step_output(m, ch, now));
		next = min(next, daq_step_cable(m, ch, now));
		daq_step_notice(m, ch, now);
		next = min(next, daq_notice_due(m, ch));
		daq_step_moderation(m, q, now);
		next = min(next, daq_report_due(q));
		daq_step_stats(m, ch, now);
		next = min(next, daq_stats_due(ch));
	}
	return next;
}

/* A card that is kicked */

/* How exact counters of overruns are while the FIFO is full. */
#define DAQ_FIFO_LOOK	NSEC_PER_MSEC

static bool daq_has_fifo(const struct daq_model_chan *ch)
{
	return daq_chan_on(ch) && daq_generates(ch);
}

/* Return: when to look at the FIFO lest counters are out of date, ns. */
static u64 daq_look_at_fifo(const struct daq_model *m,
			    const struct daq_model_chan *ch, u64 now)
{
	u32 room = daq_fifo_room(m, ch);
	u64 end, frac;

	/* Who is starved gets a step when there is something. */
	if (!daq_has_fifo(ch) || ch->starved)
		return U64_MAX;
	daq_next_segment(ch, &end, &frac);
	if (!room)
		return max(end, now + DAQ_FIFO_LOOK);
	return end + (end - ch->start) * room;
}

/* Return: when a kick of a channel's output moves something. */
static u64 daq_output_ready_at(const struct daq_model_chan *ch,
			       const struct daq_model_queue *q)
{
	if (!daq_chan_on(ch) || !daq_queue_on(q, DAQ_QUEUE_CTRL_TX))
		return U64_MAX;
	/* Nobody tells when there is room in the cable again. */
	if (ch->wire_out && q->tx_cons != READ_ONCE(q->tx_prod))
		return 0;
	return q->tx_idle && q->tx_cons == READ_ONCE(q->tx_prod) ?
	       U64_MAX : ch->out_due;
}

/* Return: when a kick of a channel moves something. */
static u64 daq_ready_at(const struct daq_model *m,
			const struct daq_model_chan *ch)
{
	const struct daq_model_queue *q = &m->queue[ch - m->chan];
	u64 next, end, frac;

	next = min(daq_output_ready_at(ch, q), daq_notice_due(m, ch));
	next = min(next, daq_report_due(q));
	next = min(next, daq_stats_due(ch));
	if (daq_has_fifo(ch)) {
		if (!daq_fifo_empty(&ch->fifo))
			return 0;
		daq_next_segment(ch, &end, &frac);
		if (!ch->starved)
			next = min(next, end);
	}
	return daq_in_cable(ch) ? 0 : next;
}

static void daq_transact(struct daq_model *m, struct daq_model_chan *ch, u64 now)
{
	daq_step_fifo(m, ch);
	ch->out_due = daq_step_output(m, ch, now);
	daq_step_cable(m, ch, now);
	daq_step_notice(m, ch, now);
	daq_step_moderation(m, &m->queue[ch - m->chan], now);
	daq_step_stats(m, ch, now);
}

static u64 daq_step_kicked(struct daq_model *m, u64 now)
{
	u64 kicked = (u32)atomic_xchg(&m->kicked[0], 0) |
		     (u64)(u32)atomic_xchg(&m->kicked[1], 0) << 32;
	u64 next = U64_MAX;
	u32 i;

	for (i = 0; i < m->channels; i++) {
		struct daq_model_chan *ch = &m->chan[i];

		if (daq_has_fifo(ch))
			daq_fill_fifo(m, ch, now);
		if (ch->starved && daq_fifo_empty(&ch->fifo))
			daq_move_overrun(ch);
		/* What nobody listens to needs no DMA. */
		while (daq_in_cable(ch) && !daq_hears_cable(ch))
			daq_step_cable(m, ch, now);
		if (kicked & BIT_ULL(i))
			daq_transact(m, ch, now);
		next = min(next, daq_look_at_fifo(m, ch, now));
	}
	for (i = 0; i < m->channels; i++)
		WRITE_ONCE(m->chan[i].ready, daq_ready_at(m, &m->chan[i]));
	return next;
}

/**
 * daq_model_step() - do what is due, at most one segment per channel
 * @m: card
 *
 * The host takes a step after each write that is no doorbell, after doorbells
 * that ask for one, and when the time has come.
 *
 * Return: the oscillator's time when the next thing is due, ns; in the past
 * when there is more to do, U64_MAX when only a register write can start it.
 */
u64 daq_model_step(struct daq_model *m)
{
	u64 now = daq_now(m);

	return daq_osc_at(&m->clock, m->caps & DAQ_CAP_AUTO ?
				     daq_step_auto(m, now) :
				     daq_step_kicked(m, now));
}

/* Registers */

struct daq_reg {
	u32 reg;
	u32 offset;
	u32 size;
	bool writable;
};

#define DAQ_RO(reg, size, type, member) \
	{ reg, offsetof(struct type, member), size, false }
#define DAQ_RW(reg, size, type, member) \
	{ reg, offsetof(struct type, member), size, true }

static const struct daq_reg daq_chan_regs[] = {
	DAQ_RW(DAQ_CHAN_CTRL, 4, daq_model_chan, ctrl),
	DAQ_RW(DAQ_CHAN_SOURCE, 4, daq_model_chan, source),
	DAQ_RW(DAQ_CHAN_LOOP_FROM, 4, daq_model_chan, loop_from),
	DAQ_RW(DAQ_CHAN_QUEUE, 4, daq_model_chan, queue),
	DAQ_RW(DAQ_CHAN_SAMPLE_BYTES, 4, daq_model_chan, sample_bytes),
	DAQ_RW(DAQ_CHAN_SEGMENT_BYTES, 4, daq_model_chan, segment_bytes),
	DAQ_RW(DAQ_CHAN_FRAME_BYTES, 4, daq_model_chan, frame_bytes),
	DAQ_RW(DAQ_CHAN_LINE_BYTES, 4, daq_model_chan, line_bytes),
	DAQ_RW(DAQ_CHAN_RATE, 8, daq_model_chan, rate),
	DAQ_RW(DAQ_CHAN_MAC, 8, daq_model_chan, mac),
	DAQ_RW(DAQ_CHAN_OUTPUT_LOW, 4, daq_model_chan, output_low),
	DAQ_RW(DAQ_CHAN_RUN, 4, daq_model_chan, run),
	DAQ_RW(DAQ_CHAN_STATS, 8, daq_model_chan, stats),
	DAQ_RO(DAQ_CHAN_PRODUCED, 8, daq_model_chan, produced),
	DAQ_RO(DAQ_CHAN_PRODUCED_BYTES, 8, daq_model_chan, produced_bytes),
	DAQ_RO(DAQ_CHAN_NO_BUFFER, 8, daq_model_chan, no_buffer),
	DAQ_RO(DAQ_CHAN_TOO_LONG, 8, daq_model_chan, too_long),
	DAQ_RO(DAQ_CHAN_PLAYED, 8, daq_model_chan, played),
	DAQ_RO(DAQ_CHAN_PLAYED_BYTES, 8, daq_model_chan, played_bytes),
	DAQ_RO(DAQ_CHAN_TX_BAD, 8, daq_model_chan, tx_bad),
	DAQ_RO(DAQ_CHAN_UNDERRUNS, 8, daq_model_chan, underruns),
	DAQ_RO(DAQ_CHAN_UNDERRUN_SAMPLE, 8, daq_model_chan, underrun_sample),
	DAQ_RO(DAQ_CHAN_FIFO_OVERRUN, 8, daq_model_chan, fifo_overrun),
	DAQ_RW(DAQ_CHAN_NEXT_SAMPLE, 8, daq_model_chan, next.sample),
	DAQ_RW(DAQ_CHAN_DROPPED, 8, daq_model_chan, dropped),
	DAQ_RW(DAQ_CHAN_NEXT_FRAME, 4, daq_model_chan, next.frame),
	DAQ_RW(DAQ_CHAN_USER, 4, daq_model_chan, user),
	DAQ_RO(DAQ_CHAN_USER_WRITES, 8, daq_model_chan, user_writes),
	DAQ_RO(DAQ_CHAN_USER_REFUSED, 8, daq_model_chan, user_refused),
};

static const struct daq_reg daq_queue_regs[] = {
	DAQ_RW(DAQ_QUEUE_CTRL, 4, daq_model_queue, ctrl),
	DAQ_RW(DAQ_QUEUE_STATUS, 8, daq_model_queue, status),
	DAQ_RW(DAQ_QUEUE_RX_DESC, 8, daq_model_queue, rx_desc),
	DAQ_RW(DAQ_QUEUE_RX_CMPL, 8, daq_model_queue, rx_cmpl),
	DAQ_RW(DAQ_QUEUE_RX_SIZE, 4, daq_model_queue, rx_size),
	DAQ_RW(DAQ_QUEUE_RX_BUF, 4, daq_model_queue, rx_buf),
	DAQ_RW(DAQ_QUEUE_RX_HEAD, 4, daq_model_queue, rx_head),
	DAQ_RW(DAQ_QUEUE_RX_HEAD_LEN, 4, daq_model_queue, rx_head_len),
	DAQ_RW(DAQ_QUEUE_RX_FRAMES, 4, daq_model_queue, rx_frames),
	DAQ_RW(DAQ_QUEUE_RX_USECS, 4, daq_model_queue, rx_usecs),
	DAQ_RW(DAQ_QUEUE_RX_LOW, 4, daq_model_queue, rx_low),
	DAQ_RW(DAQ_QUEUE_TX_DESC, 8, daq_model_queue, tx_desc),
	DAQ_RW(DAQ_QUEUE_TX_SIZE, 4, daq_model_queue, tx_size),
	DAQ_RW(DAQ_QUEUE_TX_FRAMES, 4, daq_model_queue, tx_frames),
};

/* The 32-bit half of a field that a register address means, or NULL. */
static u32 *daq_find_reg(const struct daq_reg *regs, size_t count, void *base,
			 u32 reg, bool write)
{
	size_t i;

	for (i = 0; i < count; i++) {
		u32 n = reg - regs[i].reg;

		if (n >= regs[i].size || n % 4)
			continue;
		if (write && !regs[i].writable)
			return NULL;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		n ^= regs[i].size - 4;
#endif
		return base + regs[i].offset + n;
	}
	return NULL;
}

static u32 *daq_lookup(struct daq_model *m, u32 reg, bool write)
{
	u32 page = reg / DAQ_REG_PAGE_SIZE;
	u32 off = reg % DAQ_REG_PAGE_SIZE;
	u32 i = page - 1;

	if (!page || i >= m->channels)
		return NULL;
	if (off >= DAQ_REG_QUEUE(0) - DAQ_REG_CHAN(0))
		return daq_find_reg(daq_queue_regs, ARRAY_SIZE(daq_queue_regs),
				    &m->queue[i],
				    reg - DAQ_REG_QUEUE(i), write);
	return daq_find_reg(daq_chan_regs, ARRAY_SIZE(daq_chan_regs),
			    &m->chan[i], off, write);
}

/*
 * What may not be: a driver that keeps to card.rst never writes it, and the card
 * could not work with it. A channel or a direction that has it does not start.
 */

static bool daq_format_ok(const struct daq_model *m,
			  const struct daq_model_chan *ch)
{
	u32 sample = ch->sample_bytes;

	return ch->queue < m->channels && ch->line_bytes >= 4 &&
	       sample && sample <= DAQ_MAX_SAMPLE_BYTES &&
	       ch->segment_bytes >= sample &&
	       ch->segment_bytes <= DAQ_MAX_SEGMENT_BYTES &&
	       ch->frame_bytes >= sample &&
	       ch->frame_bytes <= DAQ_MAX_FRAME_BYTES &&
	       ch->rate && ch->rate <= DAQ_MAX_BYTE_RATE;
}

static bool daq_ring_ok(u32 size)
{
	return size >= DAQ_RING_MIN && size <= DAQ_RING_MAX &&
	       !(size & (size - 1));
}

/* Return: the bits of @ctrl that the queue's registers allow. */
static u32 daq_queue_can(const struct daq_model_queue *q, u32 ctrl)
{
	if (!daq_ring_ok(q->rx_size) ||
	    !q->rx_buf || q->rx_buf > DAQ_BUF_MAX ||
	    q->rx_head_len < DAQ_HDR_LEN || q->rx_head_len > DAQ_BUF_MAX)
		ctrl &= ~DAQ_QUEUE_CTRL_RX;
	if (!daq_ring_ok(q->tx_size))
		ctrl &= ~DAQ_QUEUE_CTRL_TX;
	return ctrl & (DAQ_QUEUE_CTRL_RX | DAQ_QUEUE_CTRL_TX);
}

/* Return: whether what runs can go on with the registers of page @i. */
static bool daq_runnable(const struct daq_model *m, u32 i)
{
	const struct daq_model_queue *q = &m->queue[i];
	const struct daq_model_chan *ch = &m->chan[i];

	return (!daq_chan_on(ch) || daq_format_ok(m, ch)) &&
	       daq_queue_can(q, q->ctrl) == q->ctrl;
}

/* A queue starts with empty rings and stops with everything reported. */
static void daq_write_queue_ctrl(struct daq_model *m, struct daq_model_queue *q,
				 u32 val)
{
	u32 ctrl = daq_queue_can(q, val);
	u32 on = ctrl & ~q->ctrl;
	u32 off = ~ctrl & q->ctrl;

	if (on & DAQ_QUEUE_CTRL_RX) {
		q->rx_prod = 0;
		q->rx_cons = 0;
		q->rx_done = 0;
		q->rx_reported = 0;
		q->rx_unreported = 0;
	}
	if (on & DAQ_QUEUE_CTRL_TX) {
		q->tx_prod = 0;
		q->tx_cons = 0;
		q->tx_looked = 0;
		q->tx_reported = 0;
		q->tx_unreported = 0;
		q->tx_idle = true;
		q->tx_silent = false;
		q->tx_due = 0;
	}
	if (on) {
		q->armed = 0;
		q->irq_seen = 0;
	}
	if (off & DAQ_QUEUE_CTRL_RX)
		daq_report_rx(m, q);
	if (off & DAQ_QUEUE_CTRL_TX)
		daq_report_tx(m, q);
	WRITE_ONCE(q->ctrl, val);
}

/* A channel that stops will begin a new frame. */
static void daq_write_chan_ctrl(struct daq_model *m, struct daq_model_chan *ch,
				u32 val)
{
	if (!daq_format_ok(m, ch))
		val &= ~DAQ_CHAN_CTRL_ENABLE;
	if (val & ~ch->ctrl & DAQ_CHAN_CTRL_ENABLE) {
		ch->start = daq_now(m);
		ch->start_frac = 0;
		ch->out_more = false;
		ch->heard.known = false;
		ch->said.known = false;
		ch->stats_told = ch->start;
		ch->counted = true;
	}
	if (~val & ch->ctrl & DAQ_CHAN_CTRL_ENABLE) {
		if (!(m->caps & DAQ_CAP_AUTO) && daq_has_fifo(ch))
			daq_fill_fifo(m, ch, daq_now(m));
		daq_empty_fifo(m, ch);
		if (ch->next.offset)
			ch->next.frame++;
		ch->next.segment = 0;
		ch->next.offset = 0;
		/* What it has counted now stays so. */
		ch->counted = true;
		daq_tell_stats(m, ch, daq_now(m));
	}
	/* A packet may be waiting. */
	ch->out_due = 0;
	ch->starved = false;
	ch->ctrl = val;
}

/* What a channel goes on with. What is connected to it knows nothing of that. */
static void daq_write_place(struct daq_model_chan *ch, u32 *field, u32 val)
{
	u64 sample = ch->next.sample;

	if (daq_chan_on(ch))
		return;
	*field = val;
	ch->origin += ch->next.sample - sample;
}

/* Segments go to another queue from now on: the old one has its last. */
static void daq_write_chan_queue(struct daq_model *m, struct daq_model_chan *ch,
				 u32 val)
{
	if (ch->queue < m->channels)
		daq_report_rx(m, &m->queue[ch->queue]);
	ch->queue = val;
}

/* Who has a user page next finds nothing of who had it before. */
static void daq_write_chan_user(struct daq_model *m, struct daq_model_chan *ch,
				u32 val)
{
	val &= DAQ_CHAN_USER_OPEN;
	if (val & ~ch->user && m->host->user) {
		memset(m->host->user(m->ctx, ch - m->chan), 0,
		       DAQ_USER_PAGE_SIZE);
		ch->triggered = 0;
	}
	WRITE_ONCE(ch->user, val);
}

/* What has passed at the old rate stays as it is. */
static void daq_set_clock_rate(struct daq_model *m, u64 rate)
{
	struct daq_model_clock *c = &m->clock;
	u64 osc = m->host->now(m->ctx);

	c->ns = daq_counter_at(c, osc, &c->frac);
	c->osc = osc;
	c->rate = rate;
}

/* All registers get their reset values, all that the card knows is forgotten. */
static void daq_reset(struct daq_model *m)
{
	u32 i;

	m->events = 0;
	m->event_mask = 0;
	atomic_xchg(&m->kicked[0], 0);
	atomic_xchg(&m->kicked[1], 0);
	memset(&m->clock, 0, sizeof(m->clock));
	m->clock.osc = m->host->now(m->ctx);
	m->clock.ns = m->clock.osc;
	m->clock.rate = DAQ_CLOCK_UNIT;
	memset(m->queue, 0, sizeof(m->queue));
	for (i = 0; i < m->channels; i++) {
		struct daq_model_chan *ch = &m->chan[i];

		*ch = (struct daq_model_chan){
			.queue = i,
			.loop_from = i,
			.sample_bytes = 2,
			.segment_bytes = 2048,
			.frame_bytes = 2048,
			.line_bytes = 3840,
			.rate = 48000,
			.ready = U64_MAX,
			/* A cable stays plugged in. */
			.wire_in = ch->wire_in,
			.wire_out = ch->wire_out,
		};
	}
}

static void daq_write_global(struct daq_model *m, u32 reg, u32 val)
{
	struct daq_model_clock *c = &m->clock;
	u64 both = (u64)val << 32 | c->low;

	switch (reg) {
	case DAQ_REG_CTRL:
		if (val & DAQ_CTRL_RESET)
			daq_reset(m);
		break;
	case DAQ_REG_EVENTS:
		m->events &= ~val;
		daq_raise_events(m);
		break;
	case DAQ_REG_EVENT_MASK:
		m->event_mask = val & (DAQ_EVENT_DMA_ERROR | DAQ_EVENT_USER);
		daq_raise_events(m);
		break;
	case DAQ_REG_CLOCK:
	case DAQ_REG_CLOCK_STEP:
		c->low = val;
		break;
	case DAQ_REG_CLOCK + 4:
		c->offset = both - daq_now(m);
		break;
	case DAQ_REG_CLOCK_STEP + 4:
		c->offset += both;
		break;
	case DAQ_REG_CLOCK_ADJ:
		daq_set_clock_rate(m, DAQ_CLOCK_UNIT + (s32)val);
		break;
	}
}

static bool daq_is_ready(struct daq_model *m, u32 i, u64 now)
{
	const struct daq_model_queue *q = &m->queue[i];

	if (m->caps & DAQ_CAP_AUTO)
		return daq_has_news(q);
	return READ_ONCE(m->chan[i].ready) <= now ||
	       (daq_queue_on(q, DAQ_QUEUE_CTRL_TX) &&
		READ_ONCE(q->tx_prod) != READ_ONCE(q->tx_looked));
}

/* Return: 32 bits of READY, for the channels from @first on. */
static u32 daq_read_ready(struct daq_model *m, u32 first)
{
	u64 now = daq_now(m);
	u32 ready = 0;
	u32 i;

	for (i = first; i < min(m->channels, first + 32); i++)
		if (daq_is_ready(m, i, now))
			ready |= 1u << (i - first);
	return ready;
}

static u32 daq_read_global(struct daq_model *m, u32 reg)
{
	struct daq_model_clock *c = &m->clock;
	u64 time;

	switch (reg) {
	case DAQ_REG_ID:
		return DAQ_HW_ID;
	case DAQ_REG_VERSION:
		return DAQ_HW_VERSION;
	case DAQ_REG_CAPS:
		return m->caps;
	case DAQ_REG_CHANNELS:
		return m->channels;
	case DAQ_REG_EVENTS:
		return READ_ONCE(m->events);
	case DAQ_REG_EVENT_MASK:
		return m->event_mask;
	case DAQ_REG_READY:
		return daq_read_ready(m, 0);
	case DAQ_REG_READY + 4:
		return daq_read_ready(m, 32);
	case DAQ_REG_CLOCK:
		time = daq_clock_at(m, daq_now(m));
		c->high = upper_32_bits(time);
		return lower_32_bits(time);
	case DAQ_REG_CLOCK + 4:
		return c->high;
	case DAQ_REG_CLOCK_ADJ:
		return c->rate - DAQ_CLOCK_UNIT;
	case DAQ_REG_USER_HELD:
		return lower_32_bits(READ_ONCE(m->user_held));
	case DAQ_REG_USER_HELD + 4:
		return upper_32_bits(READ_ONCE(m->user_held));
	default:
		return 0;
	}
}

static u32 daq_marker(struct daq_model *m, u32 channel)
{
	if (channel >= m->channels)
		return 0;
	return daq_user_word(m, &m->chan[channel], DAQ_USER_MARKER);
}

static bool daq_kick(struct daq_model *m, u32 half, u32 channels)
{
	if (m->caps & DAQ_CAP_AUTO)
		return false;
	atomic_or(channels, &m->kicked[half]);
	return channels;
}

/**
 * daq_model_doorbell() - write a register that needs no serialisation
 * @m: card
 * @reg: its address; anything but a doorbell is ignored
 * @val: value
 *
 * Return: whether that gave the card something to do in a step.
 */
bool daq_model_doorbell(struct daq_model *m, u32 reg, u32 val)
{
	u32 i = reg / DAQ_REG_PAGE_SIZE - 1;
	struct daq_model_queue *q;

	if (reg == DAQ_REG_KICK || reg == DAQ_REG_KICK + 4)
		return daq_kick(m, (reg - DAQ_REG_KICK) / 4, val);
	if (reg < DAQ_REG_CHAN(0) || i >= m->channels)
		return false;

	q = &m->queue[i];
	switch (reg - DAQ_REG_QUEUE(i)) {
	case DAQ_QUEUE_RX_PROD:
		/* Pairs with daq_input(). */
		smp_store_release(&q->rx_prod, val);
		return false;
	case DAQ_QUEUE_TX_PROD:
		/* Pairs with daq_gather(). */
		smp_store_release(&q->tx_prod, val);
		return true;
	case DAQ_QUEUE_IRQ_ARM:
		WRITE_ONCE(q->irq_seen, val);
		xchg(&q->armed, 1);
		daq_try_raise(m, q);
		return false;
	}
	return false;
}

/**
 * daq_model_write() - write a register
 * @m: card
 * @reg: its address; unknown ones are ignored
 * @val: value
 */
void daq_model_write(struct daq_model *m, u32 reg, u32 val)
{
	u32 i = reg / DAQ_REG_PAGE_SIZE - 1;
	u32 *field = daq_lookup(m, reg, true);
	u32 before;

	if (reg < DAQ_REG_CHAN(0))
		daq_write_global(m, reg, val);
	if (!field)
		return;
	if (reg - DAQ_REG_CHAN(i) - DAQ_CHAN_NEXT_SAMPLE <
	    DAQ_CHAN_NEXT_FRAME + 4 - DAQ_CHAN_NEXT_SAMPLE) {
		daq_write_place(&m->chan[i], field, val);
		return;
	}
	before = *field;
	if (field == &m->chan[i].ctrl)
		daq_write_chan_ctrl(m, &m->chan[i], val);
	else if (field == &m->chan[i].queue)
		daq_write_chan_queue(m, &m->chan[i], val);
	else if (field == &m->chan[i].user)
		daq_write_chan_user(m, &m->chan[i], val);
	else if (field == &m->queue[i].ctrl)
		daq_write_queue_ctrl(m, &m->queue[i], val);
	else
		*field = val;
	if (!daq_runnable(m, i))
		*field = before;
}

/**
 * daq_model_read() - read a register
 * @m: card
 * @reg: its address
 *
 * Return: its value, 0 for an unknown one.
 */
u32 daq_model_read(struct daq_model *m, u32 reg)
{
	u32 *field = daq_lookup(m, reg, false);

	if (reg < DAQ_REG_CHAN(0))
		return daq_read_global(m, reg);
	if (reg % DAQ_REG_PAGE_SIZE == DAQ_CHAN_MARKER)
		return daq_marker(m, reg / DAQ_REG_PAGE_SIZE - 1);
	return field ? READ_ONCE(*field) : 0;
}

/**
 * daq_model_user_write() - write to a user page, on a card that sees that
 * @m: card
 * @channel: channel
 * @offset: where in its page, a multiple of 4
 * @val: value
 *
 * Neither this nor daq_model_user_read() may run while a register is written.
 *
 * Return: whether the page is open.
 */
bool daq_model_user_write(struct daq_model *m, u32 channel, u32 offset, u32 val)
{
	struct daq_model_chan *ch = &m->chan[channel];

	if (!(ch->user & DAQ_CHAN_USER_OPEN)) {
		ch->user_refused++;
		return false;
	}
	ch->user_writes++;
	if (offset < DAQ_USER_RESERVED)
		WRITE_ONCE(m->host->user(m->ctx, channel)[offset / 4],
			   cpu_to_le32(val));
	return true;
}

/**
 * daq_model_user_read() - read from a user page
 * @m: card
 * @channel: channel
 * @offset: where in its page, a multiple of 4
 *
 * Return: what is there, 0 if the page is not open.
 */
u32 daq_model_user_read(struct daq_model *m, u32 channel, u32 offset)
{
	const struct daq_model_chan *ch = &m->chan[channel];

	return ch->user & DAQ_CHAN_USER_OPEN ? daq_user_word(m, ch, offset) : 0;
}

/**
 * daq_model_withhold() - keep user pages away from processes, others not
 * @m: card
 * @channels: whose, a bit each
 *
 * Serialised with steps.
 */
void daq_model_withhold(struct daq_model *m, u64 channels)
{
	if (m->user_held == channels)
		return;
	WRITE_ONCE(m->user_held, channels);
	m->events |= DAQ_EVENT_USER;
	daq_raise_events(m);
}

/**
 * daq_model_init() - power on
 * @m: card
 * @host: services
 * @ctx: their first argument
 * @channels: number of channels, 1 to DAQ_MAX_CHANNELS
 * @caps: DAQ_CAP_*
 */
void daq_model_init(struct daq_model *m, const struct daq_model_host *host,
		    void *ctx, u32 channels, u32 caps)
{
	memset(m, 0, sizeof(*m));
	m->host = host;
	m->ctx = ctx;
	m->channels = channels;
	m->caps = caps;
	m->fifo = DAQ_FIFO_SEGMENTS;
	daq_reset(m);
}
