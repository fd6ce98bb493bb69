/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The card itself: a portable model of the hardware that daq_hw.h describes.
 * It allocates nothing, takes no lock and calls its host only through
 * struct daq_model_host.
 */
#ifndef _DAQ_MODEL_H
#define _DAQ_MODEL_H

#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/daq.h>
#include <linux/types.h>
#else
#include "daq_model_user.h"
#endif
#include "daq_hw.h"

/* Room in the FIFO of an input, segments: a power of two. */
#ifndef DAQ_MODEL_FIFO
#define DAQ_MODEL_FIFO	DAQ_FIFO_SEGMENTS
#endif

struct daq_wire;

/* What becomes of a completion. */
enum daq_tamper {
	DAQ_TAMPER_NONE,	/* it is written */
	DAQ_TAMPER_DROP,	/* it is not, and its buffers are used again */
	DAQ_TAMPER_TWICE,	/* it is written twice */
};

/**
 * struct daq_model_outside - what is connected to a card
 * @peek: how many of the next @len bytes from @pos of an input there are: all;
 *	  fewer at the end; or 0, and then the host takes a step when there are
 *	  more. It tells by the last argument when nothing follows them
 * @pull: get bytes that @peek promised
 * @release: nothing before @pos will be asked for any more
 * @room: whether an output takes a packet of @len bytes now; else it is asked
 *	  again after DAQ_ROOM_DELAY
 * @push: a piece of what an output plays
 *
 * A position counts bytes since the card was reset, whatever number samples have.
 */
struct daq_model_outside {
	u32 (*peek)(void *ctx, u32 channel, u64 pos, u32 len, bool *last);
	void (*pull)(void *ctx, u32 channel, u64 pos, void *buf, u32 len);
	void (*release)(void *ctx, u32 channel, u64 pos);
	bool (*room)(void *ctx, u32 channel, u32 len);
	void (*push)(void *ctx, u32 channel, const void *buf, u32 len);
};

/**
 * struct daq_model_host - services that the card needs from its surroundings
 * @read: DMA from host memory; false: the bus refused the address
 * @write: DMA to host memory; false as for @read
 * @direct: host memory for the card to write to before it does anything else
 *	    with the host; NULL: use @write. May be NULL itself
 * @publish: DMA write of one 32-bit word, visible after all earlier writes;
 *	     false as for @read
 * @tamper: have the card be faulty: told of each completion, which it may change,
 *	    and of the address of the last data; NULL: the card has no faults
 * @raise: interrupt @vector; may be called from a doorbell write
 * @now: the card's oscillator: ns that never go back; no register sets them
 * @cable: the card at the far end has something to look at; only for a card
 *	   with a cable
 * @user: the user page of a channel, which others may write to at any time; NULL:
 *	  there is none
 * @outside: what is connected; NULL: nothing
 */
struct daq_model_host {
	bool (*read)(void *ctx, u64 addr, void *buf, u32 len);
	bool (*write)(void *ctx, u64 addr, const void *buf, u32 len);
	void *(*direct)(void *ctx, u64 addr, u32 len);
	bool (*publish)(void *ctx, u64 addr, __le32 word);
	enum daq_tamper (*tamper)(void *ctx, u32 channel, u64 addr,
				  struct daq_rx_cmpl *cmpl);
	void (*raise)(void *ctx, unsigned int vector);
	u64 (*now)(void *ctx);
	void (*cable)(void *ctx);
	__le32 *(*user)(void *ctx, u32 channel);
	const struct daq_model_outside *outside;
};

/**
 * struct daq_model_clock - what time it is
 * @osc: oscillator when @rate was set, ns
 * @ns: the counter then: the oscillator, but as fast as CLOCK_ADJ says
 * @frac: the rest of it, in units of 2^-DAQ_CLOCK_ADJ_SHIFT ns
 * @rate: what the counter gains per ns, in units of 2^-DAQ_CLOCK_ADJ_SHIFT ns
 * @offset: what to add to the counter to get the clock, modulo 2^64 ns
 * @high: upper half of the clock when its lower half was read
 * @low: lower half of a register whose upper half is still to be written
 *
 * All that the card does, it does by the counter, so that setting the clock
 * changes no more than the time that it tells.
 */
struct daq_model_clock {
	u64 osc;
	u64 ns;
	u64 frac;
	u64 rate;
	u64 offset;
	u32 high;
	u32 low;
};

/**
 * struct daq_model_place - where a segment is in what an input acquires
 * @sample: index of its first sample
 * @frame: number of its frame
 * @segment: its number in the frame
 * @offset: payload bytes of the frame before it
 */
struct daq_model_place {
	u64 sample;
	u32 frame;
	u32 segment;
	u32 offset;
};

/**
 * struct daq_model_trail - what follows the segment that was played last
 * @known: there was one
 * @frame: number in the next header if nothing is missing
 * @sample: likewise
 */
struct daq_model_trail {
	bool known;
	u32 frame;
	u64 sample;
};

/**
 * struct daq_model_segment - all that the header of a segment tells
 * @place: where it belongs
 * @time: of its first sample, by the counter, ns
 * @overruns: segments that had found the FIFO full before it
 * @len: payload bytes
 * @frame_len: those of its frame
 * @flags: DAQ_HDR_F_*
 */
struct daq_model_segment {
	struct daq_model_place place;
	u64 time;
	u64 overruns;
	u32 len;
	u32 frame_len;
	u8 flags;
};

/*
 * Segments of an input that waits to be kicked. What is generated follows from
 * its place, so there is no need to keep data.
 */
struct daq_model_fifo {
	struct daq_model_segment segment[DAQ_MODEL_FIFO];
	u32 head;	/* put in */
	u32 tail;	/* taken out */
	bool overrun;	/* lost since the last one that was put in */
	bool ended;	/* and the last segment of all was among them */
};

/* What no register has of the counters: see struct daq_chan_report. */
struct daq_model_counts {
	u64 produced_frames;
	u64 no_buffer_frames, no_buffer_bytes;
	u64 too_long_frames, too_long_bytes;
	u64 overrun_frames, overrun_bytes;
};

/* One channel: an input and an output. */
struct daq_model_chan {
	/* registers, see daq_hw.h */
	u32 ctrl, source, loop_from, queue;
	u32 sample_bytes, segment_bytes, frame_bytes, line_bytes;
	u64 rate;
	u64 mac;
	u64 produced, produced_bytes, no_buffer, too_long, fifo_overrun;
	u32 output_low, run;
	u64 dropped;	/* before a reset that the numbers go on over */
	u64 played, played_bytes, tx_bad;
	u64 underruns, underrun_sample;
	u64 stats;
	u32 user;
	u64 user_writes, user_refused;

	struct daq_wire *wire_in;	/* a cable, or NULL; changed by the */
	struct daq_wire *wire_out;	/* host, serialised with steps */
	u64 start;	/* of the next generated segment, ns */
	u64 start_frac;	/* the rest of it, in units of 1/rate ns */
	struct daq_model_place next;	/* of the next segment */
	u64 origin;	/* sample that was the first one after the reset */
	u32 triggered;	/* TRIGGER of the user page when a frame last began */
	bool overrun;	/* dropped since the last segment that got through */
	bool ended;	/* and the last segment of all was among them */
	bool starved;	/* what is connected has nothing now */
	u64 active;	/* when there last was a segment, ns */
	struct daq_model_trail heard;	/* from an output or a cable */

	u64 out_sample;	/* samples played */
	bool out_more;	/* what was played is to be continued */
	struct daq_model_trail said;	/* that was played */

	struct daq_model_counts counts;
	u32 stats_index;	/* reports of counters written */
	bool counted;		/* something since the last one */
	u64 stats_told;		/* when that was, ns */

	/* of a card that is kicked */
	struct daq_model_fifo fifo;
	u64 out_due;	/* when the output has something to do, ns */
	u64 ready;	/* when the channel has, unless TX_PROD changes, ns */
};

/* The rings of one queue. Indices count up, see daq_hw.h. */
struct daq_model_queue {
	/* doorbells: written at any time */
	u32 rx_prod;
	u32 tx_prod;
	u32 irq_seen;	/* what was written to IRQ_ARM ... */
	u32 armed;	/* ... and not yet answered by an interrupt */

	/* registers, see daq_hw.h */
	u32 ctrl;
	u64 status, rx_desc, rx_cmpl;
	u32 rx_size, rx_buf, rx_head, rx_head_len;
	u32 rx_frames, rx_usecs, rx_low;
	u64 tx_desc;
	u32 tx_size, tx_frames;

	u32 rx_cons;		/* descriptors used */
	u32 rx_done;		/* completions written */
	u32 rx_reported;	/* completions reported */
	u32 rx_unreported;	/* frames completed since then */
	u64 rx_oldest;		/* time of the oldest unreported completion */
	u32 tx_cons;		/* descriptors played */
	u32 tx_looked;		/* TX_PROD when the card last looked */
	u32 tx_reported;	/* descriptors reported */
	u32 tx_unreported;	/* packets played since then */
	bool tx_idle;		/* there was nothing to play */
	bool tx_silent;		/* the gap before the next packet is in tx_due */
	u64 tx_due;		/* when the next packet starts, ns */
	u64 tx_due_frac;	/* the rest of it, in units of 1/rate ns */
};

/**
 * struct daq_model - a card
 * @host: services
 * @ctx: their first argument
 * @channels: number of channels, 1 to DAQ_MAX_CHANNELS
 * @caps: DAQ_CAP_*
 * @events: what happened and was not cleared, DAQ_EVENT_*
 * @event_mask: which of them interrupt
 * @user_held: channels whose user pages are withheld, a bit each
 * @fifo: segments that an input holds until it is kicked; the host may change it
 *	  after daq_model_init(), DAQ_FIFO_SEGMENTS to DAQ_MODEL_FIFO
 * @kicked: channels that were kicked, 32 each
 * @clock: the card's clock
 * @page: the card's own memory for data on its way
 * @chan: channels; only the first @channels exist
 * @queue: queues, one per channel
 */
struct daq_model {
	const struct daq_model_host *host;
	void *ctx;
	u32 channels;
	u32 caps;
	u32 events;
	u32 event_mask;
	u64 user_held;
	u32 fifo;
	atomic_t kicked[2];
	struct daq_model_clock clock;
	u8 page[4096] __aligned(8);
	struct daq_model_chan chan[DAQ_MAX_CHANNELS];
	struct daq_model_queue queue[DAQ_MAX_CHANNELS];
};

void daq_model_init(struct daq_model *m, const struct daq_model_host *host,
		    void *ctx, u32 channels, u32 caps);
u64 daq_model_step(struct daq_model *m);
bool daq_model_doorbell(struct daq_model *m, u32 reg, u32 val);
void daq_model_write(struct daq_model *m, u32 reg, u32 val);
u32 daq_model_read(struct daq_model *m, u32 reg);
bool daq_model_user_write(struct daq_model *m, u32 channel, u32 offset, u32 val);
u32 daq_model_user_read(struct daq_model *m, u32 channel, u32 offset);
void daq_model_withhold(struct daq_model *m, u64 channels);

#endif /* _DAQ_MODEL_H */
