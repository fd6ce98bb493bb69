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

/* Payload or packet bytes on their way to an input, read front to back. */
struct daq_feed {
	void (*fill)(struct daq_model *m, struct daq_feed *feed, u8 *buf, u32 len);
	u64 pos;
	/* generated */
	const struct daq_model_chan *chan;
	/* out of a cable */
	const struct daq_wire *wire;
	/* gathered from TX descriptors */
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

/* Interrupts and reports */

static void daq_try_raise(struct daq_model *m, struct daq_model_queue *q)
{
	u32 seen;

	/* The driver writes what it has seen first. */
	if (!smp_load_acquire(&q->armed))
		return;

	seen = READ_ONCE(q->irq_seen);
	if ((u16)READ_ONCE(q->rx_reported) == (u16)seen &&
	    (u16)READ_ONCE(q->tx_reported) == (u16)(seen >> 16))
		return;

	if (xchg(&q->armed, 0))
		m->host->raise(m->ctx, q - m->queue);
}

static void daq_report_rx(struct daq_model *m, struct daq_model_queue *q)
{
	if (q->rx_reported == q->rx_done)
		return;

	m->host->publish(m->ctx,
			 q->status + offsetof(struct daq_queue_status, rx),
			 cpu_to_le32(q->rx_done));
	q->rx_unreported = 0;
	WRITE_ONCE(q->rx_reported, q->rx_done);
	smp_mb(); /* pairs with the xchg() of IRQ_ARM */
	daq_try_raise(m, q);
}

static void daq_report_tx(struct daq_model *m, struct daq_model_queue *q)
{
	if (q->tx_reported == q->tx_cons)
		return;

	m->host->publish(m->ctx,
			 q->status + offsetof(struct daq_queue_status, tx),
			 cpu_to_le32(q->tx_cons));
	q->tx_unreported = 0;
	WRITE_ONCE(q->tx_reported, q->tx_cons);
	smp_mb(); /* pairs with the xchg() of IRQ_ARM */
	daq_try_raise(m, q);
}

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

static void daq_write_data(struct daq_model *m, u64 addr, struct daq_feed *feed,
			   u32 len)
{
	while (len) {
		u32 n = min_t(u32, len, sizeof(m->page));

		feed->fill(m, feed, m->page, n);
		m->host->write(m->ctx, addr, m->page, n);
		addr += n;
		len -= n;
	}
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
	struct daq_model_queue *q = &m->queue[ch->queue];
	u32 hdr_len = hdr ? DAQ_HDR_LEN : 0;
	u32 total = hdr_len + len;
	struct daq_rx_cmpl cmpl;
	bool split = false;
	u32 bufs, mask, i;
	u16 flags = 0;

	ch->produced++;
	ch->produced_bytes += total;

	if (!daq_queue_on(q, DAQ_QUEUE_CTRL_RX)) {
		ch->no_buffer++;
		return false;
	}

	if (hdr && total > q->rx_head_len) {
		split = true;
		bufs = 1 + DIV_ROUND_UP(len, q->rx_buf);
	} else {
		bufs = DIV_ROUND_UP(total, q->rx_head_len);
	}
	if (bufs > DAQ_SEG_BUFS) {
		ch->too_long++;
		return false;
	}
	/* Descriptors after the doorbell. */
	if (smp_load_acquire(&q->rx_prod) - q->rx_cons < bufs) {
		ch->no_buffer++;
		daq_report_rx(m, q);
		return false;
	}

	mask = q->rx_size - 1;
	for (i = 0; i < bufs; i++) {
		bool payload = split && i;
		u32 room = payload ? q->rx_buf : q->rx_head_len;
		struct daq_rx_desc desc;
		u64 addr;
		u32 n;

		m->host->read(m->ctx, q->rx_desc +
			      sizeof(desc) * ((q->rx_cons + i) & mask),
			      &desc, sizeof(desc));
		addr = le64_to_cpu(desc.addr) + (payload ? 0 : q->rx_head);
		if (!i && hdr) {
			m->host->write(m->ctx, addr, hdr, hdr_len);
			if (split)
				continue;
			addr += hdr_len;
			room -= hdr_len;
		}
		n = min(len, room);
		daq_write_data(m, addr, feed, n);
		len -= n;
	}

	if (hdr)
		flags |= DAQ_RX_F_SEGMENT;
	if (split)
		flags |= DAQ_RX_F_SPLIT;
	if (!hdr || (hdr->flags & DAQ_HDR_F_EOF))
		flags |= DAQ_RX_F_EOF;
	memset(&cmpl, 0, sizeof(cmpl));
	cmpl.timestamp = cpu_to_le64(hdr ? be64_to_cpu(hdr->timestamp) :
					   daq_clock_at(m, daq_now(m)));
	cmpl.frame = cpu_to_le32(ch->frame);
	cmpl.len = cpu_to_le32(total);
	cmpl.first = cpu_to_le16(q->rx_cons & mask);
	cmpl.bufs = cpu_to_le16(bufs);
	cmpl.channel = cpu_to_le16(ch - m->chan);
	cmpl.flags = cpu_to_le16(flags);
	m->host->write(m->ctx, q->rx_cmpl + sizeof(cmpl) * (q->rx_done & mask),
		       &cmpl, sizeof(cmpl));
	q->rx_cons += bufs;
	q->rx_done++;
	daq_moderate_rx(m, q, flags & DAQ_RX_F_EOF);
	return true;
}

/* One segment of @len bytes with the channel's next numbers and place. */
static bool daq_send_segment(struct daq_model *m, struct daq_model_chan *ch,
			     struct daq_feed *feed, u32 len, u32 frame_len,
			     u8 flags, u64 time)
{
	struct daq_hdr hdr = {
		.ethertype = cpu_to_be16(DAQ_ETHERTYPE),
		.version = DAQ_HDR_VERSION,
		.flags = flags | (ch->overrun ? DAQ_HDR_F_OVERRUN : 0),
		.channel = cpu_to_be16(ch - m->chan),
		.frame = cpu_to_be32(ch->frame),
		.segment = cpu_to_be32(ch->segment),
		.offset = cpu_to_be32(ch->offset),
		.payload_len = cpu_to_be32(len),
		.frame_len = cpu_to_be32(frame_len),
		.sample = cpu_to_be64(ch->sample),
		.timestamp = cpu_to_be64(daq_clock_at(m, time)),
		.dropped = cpu_to_be64(ch->no_buffer + ch->too_long),
	};
	__be64 mac = cpu_to_be64(ch->mac << 16);

	memcpy(hdr.dst, &mac, sizeof(hdr.dst));
	memcpy(hdr.src, &mac, sizeof(hdr.src));
	hdr.src[4] = (ch - m->chan) >> 8;
	hdr.src[5] = ch - m->chan;

	ch->active = daq_now(m);
	return daq_input(m, ch, &hdr, feed, len);
}

/* Send a segment or lose it; then the channel goes on to the next one. */
static void daq_input_segment(struct daq_model *m, struct daq_model_chan *ch,
			      struct daq_feed *feed, u32 len, u32 frame_len,
			      u8 flags, u64 time)
{
	ch->overrun = !daq_send_segment(m, ch, feed, len, frame_len, flags,
					time);
	ch->ended = ch->overrun && (flags & DAQ_HDR_F_LAST);
	ch->sample += len / ch->sample_bytes;
	ch->offset += len;
	ch->segment++;
	if (flags & DAQ_HDR_F_EOF) {
		ch->frame++;
		ch->segment = 0;
		ch->offset = 0;
	}
}

/*
 * The next header tells of a loss, but a source that does not go on for ever
 * may end with one: tell with a header alone as soon as there is room for it.
 *
 * Return: when to try, or try again, ns.
 */
static u64 daq_step_notice(struct daq_model *m, struct daq_model_chan *ch,
			   u64 now)
{
	struct daq_model_queue *q = &m->queue[ch->queue];
	u64 due = ch->active + DAQ_NOTICE_DELAY;

	if (!ch->overrun || !daq_chan_on(ch) || daq_generates(ch) ||
	    !daq_queue_on(q, DAQ_QUEUE_CTRL_RX))
		return U64_MAX;
	if (due > now)
		return due;
	/* Descriptors after the doorbell. */
	if (smp_load_acquire(&q->rx_prod) == q->rx_cons)
		return now + DAQ_NOTICE_DELAY;

	daq_send_segment(m, ch, NULL, 0, ch->offset,
			 ch->ended ? DAQ_HDR_F_LAST : 0, now);
	ch->overrun = false;
	ch->ended = false;
	daq_report_rx(m, q);
	return U64_MAX;
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

static u32 daq_bars_pair(const struct daq_model_chan *ch, u32 pos)
{
	u32 pairs = max(ch->line_bytes / 4, 8u);
	u32 x = (pos % ch->line_bytes / 4 + ch->frame) % pairs;
	const u8 *c = daq_bars[min(x / (pairs / 8), 7u)];

	return c[0] | c[1] << 8 | c[0] << 16 | (u32)c[2] << 24;
}

static u64 daq_signal_word(const struct daq_model_chan *ch, u64 k)
{
	u32 bits = 8 * ch->sample_bytes;
	u32 per_word = 64 / bits;
	u64 word = 0;
	u32 i;

	switch (ch->source) {
	case DAQ_SOURCE_COUNTER:
		return k;
	case DAQ_SOURCE_BARS:
		return daq_bars_pair(ch, 8 * k) |
		       (u64)daq_bars_pair(ch, 8 * k + 4) << 32;
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

static void daq_fill_signal(struct daq_model *m, struct daq_feed *feed, u8 *buf,
			    u32 len)
{
	(void)m;
	while (len) {
		__le64 word = cpu_to_le64(daq_signal_word(feed->chan,
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

/* Return: when the channel's generator is to run again, ns. */
static u64 daq_step_generator(struct daq_model *m, struct daq_model_chan *ch,
			      u64 now)
{
	struct daq_feed feed = { .fill = daq_fill_signal, .chan = ch };
	u32 len = min(ch->segment_bytes, ch->frame_bytes - ch->offset);
	u64 end = ch->start, frac = ch->start_frac;
	u8 flags = 0;

	if (!daq_chan_on(ch) || !daq_generates(ch))
		return U64_MAX;

	daq_advance(&end, &frac, len / ch->sample_bytes, ch->rate);
	if (end > now)
		return end;
	if (now - end > DAQ_MAX_LAG) {
		ch->start += now - end;
		end = now;
	}

	if (!ch->offset)
		flags |= DAQ_HDR_F_SOF;
	if (ch->offset + len == ch->frame_bytes)
		flags |= DAQ_HDR_F_EOF;
	feed.pos = ch->source == DAQ_SOURCE_BARS ?
		   ch->offset : ch->sample * ch->sample_bytes;
	daq_input_segment(m, ch, &feed, len, ch->frame_bytes, flags, ch->start);

	ch->start = end;
	ch->start_frac = frac;
	return end;
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

/* A segment comes in with the input's own numbers and clock. */
static void daq_receive_segment(struct daq_model *m, struct daq_model_chan *ch,
				const struct daq_hdr *hdr,
				struct daq_feed *feed, u64 now)
{
	u8 flags = hdr->flags & (DAQ_HDR_F_EOF | DAQ_HDR_F_LAST);
	u32 len = be32_to_cpu(hdr->payload_len);

	if ((hdr->flags & DAQ_HDR_F_SOF) && ch->offset) {
		ch->frame++;
		ch->segment = 0;
		ch->offset = 0;
	}
	if (!ch->offset)
		flags |= DAQ_HDR_F_SOF;
	daq_input_segment(m, ch, feed, len,
			  max(be32_to_cpu(hdr->frame_len), ch->offset + len),
			  flags, now);
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
	feed->fill(m, feed, (u8 *)&hdr, min_t(u32, len, sizeof(hdr)));
	if (daq_is_segment(&hdr) && daq_segment_ok(&hdr, len)) {
		daq_receive_segment(m, ch, &hdr, feed, now);
	} else {
		daq_rewind(feed);
		daq_input(m, ch, NULL, feed, len);
	}
}

static void daq_fill_from_wire(struct daq_model *m, struct daq_feed *feed,
			       u8 *buf, u32 len)
{
	const struct daq_wire *wire = feed->wire;

	(void)m;
	daq_wire_get(wire, wire->tail + sizeof(u32) + feed->pos, buf, len);
	feed->pos += len;
}

/* Return: when the far end of the cable is to be looked at again, ns. */
static u64 daq_step_cable(struct daq_model *m, struct daq_model_chan *ch,
			  u64 now)
{
	struct daq_feed feed = {
		.fill = daq_fill_from_wire, .wire = ch->wire_in,
	};
	u32 len;

	if (!ch->wire_in)
		return U64_MAX;
	len = daq_wire_next(ch->wire_in);
	if (!len)
		return U64_MAX;

	/* Nobody listens to a cable that is not the input's source. */
	if (daq_chan_on(ch) && ch->source == DAQ_SOURCE_CABLE)
		daq_receive(m, ch, &feed, len, now);
	daq_wire_drop(ch->wire_in, len);
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
 * Return: number of descriptors, 0 when no whole packet has been posted. More
 * than DAQ_SEG_BUFS of them are counted but not collected.
 */
static u32 daq_gather(struct daq_model *m, struct daq_model_queue *q,
		      struct daq_feed *feed, u32 *len)
{
	u32 posted, n = 0;

	/* Descriptors after the doorbell. */
	posted = smp_load_acquire(&q->tx_prod) - q->tx_cons;
	*len = 0;
	while (n < min(posted, q->tx_size)) {
		u32 slot = (q->tx_cons + n) & (q->tx_size - 1);
		struct daq_tx_desc desc;

		m->host->read(m->ctx, q->tx_desc + sizeof(desc) * slot, &desc,
			      sizeof(desc));
		if (n < DAQ_SEG_BUFS)
			feed->desc[n] = desc;
		*len += min_t(u32, le32_to_cpu(desc.len), DAQ_MAX_SEGMENT_BYTES);
		n++;
		if (le32_to_cpu(desc.flags) & DAQ_TX_F_EOP)
			return n;
	}
	return 0;
}

static void daq_fill_gathered(struct daq_model *m, struct daq_feed *feed,
			      u8 *buf, u32 len)
{
	while (len) {
		const struct daq_tx_desc *desc = &feed->desc[feed->next];
		u32 n = min(len, le32_to_cpu(desc->len) - feed->done);

		m->host->read(m->ctx, le64_to_cpu(desc->addr) + feed->done, buf, n);
		buf += n;
		len -= n;
		feed->done += n;
		if (feed->done == le32_to_cpu(desc->len)) {
			feed->done = 0;
			feed->next++;
		}
	}
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
		feed->fill(m, feed, m->page, n);
		daq_wire_put(wire, head, m->page, n);
		head += n;
	}
	daq_wire_send(wire, head);
	m->host->cable(m->ctx);
}

/* To everybody who listens: inputs of this card and the far end of a cable. */
static void daq_play(struct daq_model *m, struct daq_model_chan *out,
		     struct daq_feed *feed, u32 len, u64 now)
{
	u32 i;

	/* Before anybody can have it. */
	out->played++;
	out->played_bytes += len;
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
	u64 samples;	/* that it plays for; a foreign packet takes no time */
	bool segment;
	bool last;	/* nothing is to follow it */
};

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
	out->feed.fill(m, &out->feed, (u8 *)&hdr,
		       min_t(u32, out->len, sizeof(hdr)));
	if (!daq_is_segment(&hdr))
		return true;

	out->segment = true;
	out->last = hdr.flags & DAQ_HDR_F_LAST;
	if (!daq_segment_ok(&hdr, out->len))
		return false;
	out->samples = (out->len - DAQ_HDR_LEN) / ch->sample_bytes;
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

	m->host->write(m->ctx, q->tx_desc + sizeof(struct daq_tx_desc) * slot +
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
	if (now > q->tx_due && (q->tx_idle || now - q->tx_due > DAQ_MAX_LAG))
		q->tx_due = now;
	q->tx_idle = false;
	q->tx_due = max(q->tx_due, out.launch);
	if (q->tx_due > now)
		return q->tx_due;

	/* The far end tells when it has read. */
	if (good && ch->wire_out &&
	    !daq_wire_has_room(ch->wire_out, out.len))
		return U64_MAX;

	if (!good) {
		ch->tx_bad++;
	} else {
		daq_play(m, ch, &out.feed, out.len, now);
		if (le32_to_cpu(out.feed.desc[0].flags) & DAQ_TX_F_STAMP)
			daq_write_stamp(m, q, now);
		ch->out_sample += out.samples;
		if (out.segment)
			ch->out_more = !out.last;
	}
	daq_advance(&q->tx_due, &q->tx_due_frac, out.samples, ch->rate);
	daq_output_done(m, ch, q, out.bufs);
	return q->tx_due;
}

/* Return: when the oldest unreported completion must be reported, ns. */
static u64 daq_step_moderation(struct daq_model *m, struct daq_model_queue *q,
			       u64 now)
{
	u64 due = q->rx_oldest + (u64)q->rx_usecs * NSEC_PER_USEC;

	if (!daq_queue_on(q, DAQ_QUEUE_CTRL_RX) || q->rx_reported == q->rx_done)
		return U64_MAX;
	if (due > now)
		return due;
	daq_report_rx(m, q);
	return U64_MAX;
}

/**
 * daq_model_step() - do what is due, at most one segment per channel
 * @m: card
 *
 * Return: the oscillator's time when the next thing is due, ns; in the past
 * when there is more to do, U64_MAX when only a register write can start it.
 */
u64 daq_model_step(struct daq_model *m)
{
	u64 now = daq_now(m);
	u64 next = U64_MAX;
	u32 i;

	for (i = 0; i < m->channels; i++) {
		next = min(next, daq_step_generator(m, &m->chan[i], now));
		next = min(next, daq_step_output(m, &m->chan[i], now));
		next = min(next, daq_step_cable(m, &m->chan[i], now));
		next = min(next, daq_step_notice(m, &m->chan[i], now));
		next = min(next, daq_step_moderation(m, &m->queue[i], now));
	}
	return daq_osc_at(&m->clock, next);
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
	DAQ_RO(DAQ_CHAN_PRODUCED, 8, daq_model_chan, produced),
	DAQ_RO(DAQ_CHAN_PRODUCED_BYTES, 8, daq_model_chan, produced_bytes),
	DAQ_RO(DAQ_CHAN_NO_BUFFER, 8, daq_model_chan, no_buffer),
	DAQ_RO(DAQ_CHAN_TOO_LONG, 8, daq_model_chan, too_long),
	DAQ_RO(DAQ_CHAN_PLAYED, 8, daq_model_chan, played),
	DAQ_RO(DAQ_CHAN_PLAYED_BYTES, 8, daq_model_chan, played_bytes),
	DAQ_RO(DAQ_CHAN_TX_BAD, 8, daq_model_chan, tx_bad),
	DAQ_RO(DAQ_CHAN_UNDERRUNS, 8, daq_model_chan, underruns),
	DAQ_RO(DAQ_CHAN_UNDERRUN_SAMPLE, 8, daq_model_chan, underrun_sample),
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

/* A queue starts with empty rings and stops with everything reported. */
static void daq_write_queue_ctrl(struct daq_model *m, struct daq_model_queue *q,
				 u32 val)
{
	u32 on = val & ~q->ctrl;
	u32 off = ~val & q->ctrl;

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
		q->tx_reported = 0;
		q->tx_unreported = 0;
		q->tx_idle = true;
		q->tx_due = 0;
	}
	if (on)
		q->armed = 0;
	if (off & DAQ_QUEUE_CTRL_RX)
		daq_report_rx(m, q);
	if (off & DAQ_QUEUE_CTRL_TX)
		daq_report_tx(m, q);
	WRITE_ONCE(q->ctrl, val);
}

/* A channel that starts begins a new frame. */
static void daq_write_chan_ctrl(struct daq_model *m, struct daq_model_chan *ch,
				u32 val)
{
	if (val & ~ch->ctrl & DAQ_CHAN_CTRL_ENABLE) {
		ch->start = daq_now(m);
		ch->start_frac = 0;
		if (ch->offset)
			ch->frame++;
		ch->segment = 0;
		ch->offset = 0;
		ch->out_more = false;
	}
	ch->ctrl = val;
}

/* Segments go to another queue from now on: the old one has its last. */
static void daq_write_chan_queue(struct daq_model *m, struct daq_model_chan *ch,
				 u32 val)
{
	daq_report_rx(m, &m->queue[ch->queue]);
	ch->queue = val;
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

static void daq_write_global(struct daq_model *m, u32 reg, u32 val)
{
	struct daq_model_clock *c = &m->clock;
	u64 both = (u64)val << 32 | c->low;

	switch (reg) {
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

static u32 daq_read_global(struct daq_model *m, u32 reg)
{
	struct daq_model_clock *c = &m->clock;
	u64 time;

	switch (reg) {
	case DAQ_REG_ID:
		return DAQ_HW_ID;
	case DAQ_REG_VERSION:
		return DAQ_HW_VERSION;
	case DAQ_REG_CHANNELS:
		return m->channels;
	case DAQ_REG_CLOCK:
		time = daq_clock_at(m, daq_now(m));
		c->high = upper_32_bits(time);
		return lower_32_bits(time);
	case DAQ_REG_CLOCK + 4:
		return c->high;
	case DAQ_REG_CLOCK_ADJ:
		return c->rate - DAQ_CLOCK_UNIT;
	default:
		return 0;
	}
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

	if (reg < DAQ_REG_CHAN(0))
		daq_write_global(m, reg, val);
	if (!field)
		return;
	if (field == &m->chan[i].ctrl)
		daq_write_chan_ctrl(m, &m->chan[i], val);
	else if (field == &m->chan[i].queue)
		daq_write_chan_queue(m, &m->chan[i], val);
	else if (field == &m->queue[i].ctrl)
		daq_write_queue_ctrl(m, &m->queue[i], val);
	else
		*field = val;
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
	return field ? READ_ONCE(*field) : 0;
}

/**
 * daq_model_init() - power on
 * @m: card
 * @host: services
 * @ctx: their first argument
 * @channels: number of channels, 1 to DAQ_MAX_CHANNELS
 */
void daq_model_init(struct daq_model *m, const struct daq_model_host *host,
		    void *ctx, u32 channels)
{
	u32 i;

	memset(m, 0, sizeof(*m));
	m->host = host;
	m->ctx = ctx;
	m->channels = channels;
	m->clock.osc = host->now(ctx);
	m->clock.ns = m->clock.osc;
	m->clock.rate = DAQ_CLOCK_UNIT;
	for (i = 0; i < channels; i++) {
		struct daq_model_chan *ch = &m->chan[i];

		ch->queue = i;
		ch->loop_from = i;
		ch->sample_bytes = 2;
		ch->segment_bytes = 2048;
		ch->frame_bytes = 2048;
		ch->line_bytes = 3840;
		ch->rate = 48000;
	}
}
