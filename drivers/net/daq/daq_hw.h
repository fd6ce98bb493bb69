/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programming interface of a DAQ card: registers, rings, status block.
 *
 * Shared by the driver and by the card model, in the kernel and in user
 * space. Registers are little-endian and 32 bits wide; a 64-bit register is
 * two of them, the low half first.
 */
#ifndef _DAQ_HW_H
#define _DAQ_HW_H

#include <linux/types.h>

#define DAQ_HW_ID		0x31514144	/* "DAQ1" */
#define DAQ_HW_VERSION		1

/* Global page */
#define DAQ_REG_ID		0x000	/* ro */
#define DAQ_REG_VERSION		0x004	/* ro */
#define DAQ_REG_CAPS		0x008	/* ro: what the card can do by itself */
#define   DAQ_CAP_IRQ		  0x1	/* interrupt */
#define   DAQ_CAP_AUTO		  0x2	/* move data; else it waits for KICK */
#define   DAQ_CAP_USER		  0x4	/* has user register pages, BAR2 */
#define DAQ_REG_CHANNELS	0x00c	/* ro */
#define DAQ_REG_CTRL		0x010
#define   DAQ_CTRL_RESET	  0x1	/* reads 1 until the reset is over */
#define DAQ_REG_EVENTS		0x018	/* a bit written as 1 is cleared */
#define   DAQ_EVENT_DMA_ERROR	  0x1	/* an address was refused, a queue stopped */
#define   DAQ_EVENT_USER	  0x2	/* USER_HELD has changed */
#define DAQ_REG_EVENT_MASK	0x01c	/* those that interrupt, vector CHANNELS */
/*
 * 64 bits, ro. Bit i, AUTO: queue i has reports that IRQ_ARM did not tell of;
 * else: channel i has something to do when kicked.
 */
#define DAQ_REG_READY		0x020
/* Doorbell, 64 bits, each half on its own: one transaction on channels i. */
#define DAQ_REG_KICK		0x028
#define DAQ_REG_CLOCK		0x030	/* 64 bits, ns; see card.rst for halves */
#define DAQ_REG_CLOCK_STEP	0x038	/* wo, 64 bits, signed: ns to add */
#define DAQ_REG_CLOCK_ADJ	0x040	/* signed: how much faster it runs, */
#define   DAQ_CLOCK_ADJ_SHIFT	  36	/* in units of 2^-36 */
#define DAQ_REG_USER_HELD	0x048	/* 64 bits, ro: user pages that the card withholds */

/* One page per channel; the queue of the same number has its upper half. */
#define DAQ_REG_PAGE_SIZE	0x1000
#define DAQ_REG_CHAN(i)		(DAQ_REG_PAGE_SIZE * (1 + (i)))
#define DAQ_REG_QUEUE(i)	(DAQ_REG_CHAN(i) + 0x800)
#define DAQ_REG_SPACE(n)	DAQ_REG_CHAN(n)

/* Channel registers */
#define DAQ_CHAN_CTRL		0x000
#define   DAQ_CHAN_CTRL_ENABLE	  0x1
#define DAQ_CHAN_SOURCE		0x004	/* enum daq_source */
#define DAQ_CHAN_LOOP_FROM	0x008	/* output channel of a loop-back */
#define DAQ_CHAN_QUEUE		0x00c	/* queue that gets the segments */
#define DAQ_CHAN_SAMPLE_BYTES	0x010
#define DAQ_CHAN_SEGMENT_BYTES	0x014
#define DAQ_CHAN_FRAME_BYTES	0x018
#define DAQ_CHAN_LINE_BYTES	0x01c
#define DAQ_CHAN_RATE		0x020	/* 64 bits, samples per second */
#define DAQ_CHAN_MAC		0x028	/* 64 bits, the low 48 used */
/*
 * Output: instead of after TX_FRAMES packets, report when so many descriptors
 * are left to play; 0: off.
 */
#define DAQ_CHAN_OUTPUT_LOW	0x030
#define DAQ_CHAN_RUN		0x034	/* for headers: the low 16 bits */
#define DAQ_CHAN_STATS		0x038	/* 64 bits, struct daq_chan_stats; 0: none */
/* 64-bit counters, read only, never reset */
#define DAQ_CHAN_PRODUCED	0x040	/* segments */
#define DAQ_CHAN_PRODUCED_BYTES	0x048	/* headers included */
#define DAQ_CHAN_NO_BUFFER	0x050	/* segments dropped: ring empty or off */
#define DAQ_CHAN_TOO_LONG	0x058	/* segments dropped: > DAQ_SEG_BUFS */
#define DAQ_CHAN_PLAYED		0x060	/* packets that left the output */
#define DAQ_CHAN_PLAYED_BYTES	0x068
#define DAQ_CHAN_TX_BAD		0x070	/* packets refused for bad descriptors */
#define DAQ_CHAN_UNDERRUNS	0x078	/* times the output had nothing to play */
#define DAQ_CHAN_UNDERRUN_SAMPLE 0x080	/* first one that lacked, last time */
#define DAQ_CHAN_FIFO_OVERRUN	0x088	/* segments dropped: not kicked in time */
/* Its user page, see below */
#define DAQ_CHAN_USER		0x100
#define   DAQ_CHAN_USER_OPEN	  0x1	/* takes writes; cleared when this is set */
#define DAQ_CHAN_MARKER		0x104	/* ro: MARKER in there, open or not */
#define DAQ_CHAN_USER_WRITES	0x108	/* 64 bits, ro, if the card can see them */
#define DAQ_CHAN_USER_REFUSED	0x110	/* 64 bits, ro: writes while not open */

/*
 * Where the channel goes on when it is switched on, written while it is off: a driver that
 * knows what they were before a reset has the numbers of headers go on.
 */
#define DAQ_CHAN_NEXT_SAMPLE	0x0c0	/* 64 bits */
#define DAQ_CHAN_DROPPED	0x0c8	/* 64 bits: to be added in headers */
#define DAQ_CHAN_NEXT_FRAME	0x0d0

/* Queue registers */
#define DAQ_QUEUE_CTRL		0x000
#define   DAQ_QUEUE_CTRL_RX	  0x1
#define   DAQ_QUEUE_CTRL_TX	  0x2
#define DAQ_QUEUE_BUSY		0x004	/* ro; CTRL bits whose DMA still runs */
#define DAQ_QUEUE_STATUS	0x008	/* 64 bits, struct daq_queue_status */
#define DAQ_QUEUE_RX_DESC	0x010	/* 64 bits, struct daq_rx_desc[] */
#define DAQ_QUEUE_RX_CMPL	0x018	/* 64 bits, struct daq_rx_cmpl[] */
#define DAQ_QUEUE_RX_SIZE	0x020	/* entries of both, a power of two */
#define DAQ_QUEUE_RX_BUF	0x024	/* bytes of a buffer */
#define DAQ_QUEUE_RX_HEAD	0x028	/* offset of a first buffer's data */
#define DAQ_QUEUE_RX_HEAD_LEN	0x02c	/* bytes from there */
#define DAQ_QUEUE_RX_PROD	0x030	/* doorbell: descriptors posted */
#define DAQ_QUEUE_RX_FRAMES	0x034	/* report after so many frames */
#define DAQ_QUEUE_RX_USECS	0x038	/* or when the oldest is so old */
#define DAQ_QUEUE_RX_LOW	0x03c	/* or when fewer buffers are left */
#define DAQ_QUEUE_TX_DESC	0x040	/* 64 bits, struct daq_tx_desc[] */
#define DAQ_QUEUE_TX_SIZE	0x048	/* entries, a power of two */
#define DAQ_QUEUE_TX_PROD	0x04c	/* doorbell: descriptors posted */
#define DAQ_QUEUE_TX_FRAMES	0x050	/* report after so many packets */
/*
 * Doorbell: the low 16 bits of the RX and TX reports the driver has acted
 * on. The card interrupts once as soon as its reports differ, then waits for
 * the next write.
 */
#define DAQ_QUEUE_IRQ_ARM	0x054

/* User page: one per channel in BAR2, for a process to map */
#define DAQ_USER_PAGE_SIZE	4096
#define DAQ_USER_GATE		0x000	/* when a frame of the input may begin */
#define   DAQ_USER_GATE_CLOSED	  0x1	/* not now */
#define   DAQ_USER_GATE_TRIGGER	  0x2	/* once for each change of TRIGGER */
#define DAQ_USER_TRIGGER	0x004
#define DAQ_USER_MARKER		0x008	/* shown to the driver */
#define DAQ_USER_RESERVED	0xf00	/* nothing from here on */

/* Bytes per second that no card here reaches; keeps times above 0 ns. */
#define DAQ_MAX_BYTE_RATE	(64ULL << 30)
/* Segments that an input holds until it is kicked, at least. */
#define DAQ_FIFO_SEGMENTS	8

#define DAQ_RING_MIN		64
#define DAQ_RING_MAX		8192
/* Bytes of a buffer, and at its head, at most. */
#define DAQ_BUF_MAX		65536
/* Most buffers of one segment: the kernel's fragment limit and the head. */
#define DAQ_SEG_BUFS		18

/* Indices count up without wrapping at the ring's size. */

/**
 * struct daq_queue_status - where the card reports progress, in host memory
 * @rx: completions written and reportable; read before the completions
 * @tx: TX descriptors that the card has finished with
 */
struct daq_queue_status {
	__le32 rx;
	__le32 tx;
};

static_assert(sizeof(struct daq_queue_status) == 8);

/* Segments, those that ended a frame, bytes with headers. */
struct daq_card_count {
	__le64 segments;
	__le64 frames;
	__le64 bytes;
};

/**
 * struct daq_chan_report - what a card has counted of a channel since its reset
 * @produced: what the input made
 * @no_buffer: of that, dropped: ring empty or off
 * @too_long: dropped: > DAQ_SEG_BUFS
 * @fifo_overrun: dropped: not kicked in time
 * @played: packets that left the output
 * @played_bytes: their bytes
 * @tx_bad: packets refused for bad descriptors
 * @underruns: times the output had nothing to play
 * @underrun_sample: first one that lacked, last time
 * @fifo_level: segments that wait to be kicked
 * @fifo_size: room for them
 * @reserved: 0
 */
struct daq_chan_report {
	struct daq_card_count produced;
	struct daq_card_count no_buffer;
	struct daq_card_count too_long;
	struct daq_card_count fifo_overrun;
	__le64 played;
	__le64 played_bytes;
	__le64 tx_bad;
	__le64 underruns;
	__le64 underrun_sample;
	__le32 fifo_level;
	__le32 fifo_size;
	__le64 reserved[2];
};

static_assert(sizeof(struct daq_chan_report) == 160);

/**
 * struct daq_chan_stats - where the card reports what it counts, in host memory
 * @index: reports written: the latest one is @report[@index % 2]
 * @reserved: 0
 * @report: the latest report and the one before, which becomes the next one
 */
struct daq_chan_stats {
	__le32 index;
	__le32 reserved[15];
	struct daq_chan_report report[2];
};

static_assert(sizeof(struct daq_chan_stats) == 384);
/* After a change there is a report within that time, ns. */
#define DAQ_STATS_PERIOD	100000000ULL

struct daq_rx_desc {
	__le64 addr;
};

static_assert(sizeof(struct daq_rx_desc) == 8);

/**
 * struct daq_rx_cmpl - one segment or packet that the card has written
 * @timestamp: card clock, ns: at a segment's first sample, as in its header;
 *	       when another packet came
 * @frame: frame number
 * @len: bytes, header included
 * @first: ring index of its first buffer
 * @bufs: number of buffers, taken in the order they were posted
 * @channel: the channel that produced it
 * @flags: DAQ_RX_F_*
 * @reserved: 0
 */
struct daq_rx_cmpl {
	__le64 timestamp;
	__le32 frame;
	__le32 len;
	__le16 first;
	__le16 bufs;
	__le16 channel;
	__le16 flags;
	__le64 reserved;
};

static_assert(sizeof(struct daq_rx_cmpl) == 32);

#define DAQ_RX_F_SEGMENT	0x1	/* starts with a struct daq_hdr */
/*
 * The first buffer has only the header, each further one is full of payload
 * from its very start. Else each buffer has data at RX_HEAD only.
 */
#define DAQ_RX_F_SPLIT		0x2
#define DAQ_RX_F_EOF		0x4	/* the last one of a frame */

/**
 * struct daq_tx_desc - one buffer to send
 * @addr: DMA address
 * @len: bytes
 * @flags: DAQ_TX_F_*
 * @launch: do not start the packet before, card clock, ns
 * @stamp: written by the card before it reports: when the packet started, ns
 *
 * @launch and @stamp are those of the packet's first descriptor.
 */
struct daq_tx_desc {
	__le64 addr;
	__le32 len;
	__le32 flags;
	__le64 launch;
	__le64 stamp;
};

static_assert(sizeof(struct daq_tx_desc) == 32);

#define DAQ_TX_F_EOP		0x1	/* last descriptor of a packet */
#define DAQ_TX_F_STAMP		0x2	/* write the stamp */
#define DAQ_TX_F_LAUNCH		0x4	/* heed the launch time */
/* A launch time further ahead than that is an error, ns. */
#define DAQ_LAUNCH_HORIZON	10000000000ULL

#endif /* _DAQ_HW_H */
