/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Contract between the DAQ driver, its card, eBPF programs and user space:
 * the header in front of every segment, the generic netlink family that
 * configures channels, and the control device /dev/daqN. The specifications are
 * Documentation/frame-format.rst, netlink/specs/daq.yaml and control.rst there.
 */
#ifndef _UAPI_LINUX_DAQ_H
#define _UAPI_LINUX_DAQ_H

#include <linux/types.h>

/* EtherType of a segment: IEEE 802 "local experimental 1". */
#define DAQ_ETHERTYPE		0x88b5
#define DAQ_HDR_VERSION		1

#define DAQ_MAX_CHANNELS	64
#define DAQ_MAX_SAMPLE_BYTES	8
/* XDP allows 17 buffers behind the one that holds the header. */
#define DAQ_MAX_SEGMENT_BYTES	(17 * 4096)
#define DAQ_MAX_FRAME_BYTES	(64 << 20)

/* daq_hdr.flags */
#define DAQ_HDR_F_SOF		0x01	/* first segment of a frame */
#define DAQ_HDR_F_EOF		0x02	/* last segment of a frame */
#define DAQ_HDR_F_OVERRUN	0x04	/* segments were dropped just before this one */
#define DAQ_HDR_F_DAMAGED	0x08	/* the card knows that the payload is bad */
#define DAQ_HDR_F_LAST		0x10	/* nothing follows: the source ended */
#define DAQ_HDR_F_FILTERED	0x20	/* by the host: struct daq_filtered is in front */
#define DAQ_HDR_F_JOINED	0x40	/* by the host: chunks that adjoin may come as one */

/*
 * When the card has dropped segments and its source then falls silent, a header
 * without payload follows, with DAQ_HDR_F_OVERRUN and the numbers that the next
 * segment will have: no loss goes unnoticed for want of data behind it.
 */

/**
 * struct daq_hdr - what every segment starts with, in network byte order
 * @dst: destination MAC address, the interface's own
 * @src: source MAC address; its last two bytes are the channel
 * @ethertype: DAQ_ETHERTYPE
 * @version: DAQ_HDR_VERSION
 * @flags: DAQ_HDR_F_*
 * @channel: input channel that produced the segment
 * @run: which run of the channel this is: three counters, DAQ_RUN_*
 * @frame: frame number; counts every frame of the channel, lost ones too
 * @segment: segment number in the frame, from 0
 * @offset: where the payload belongs in the frame, bytes
 * @payload_len: bytes of payload behind this header
 * @frame_len: bytes of payload of the whole frame
 * @sample: index of the first sample in the payload
 * @timestamp: card clock when that sample was taken, ns
 * @dropped: segments that the card has dropped on this channel so far
 */
struct daq_hdr {
	__u8	dst[6];
	__u8	src[6];
	__be16	ethertype;
	__u8	version;
	__u8	flags;
	__be16	channel;
	__be16	run;
	__be32	frame;
	__be32	segment;
	__be32	offset;
	__be32	payload_len;
	__be32	frame_len;
	__be64	sample;
	__be64	timestamp;
	__be64	dropped;
};

#define DAQ_HDR_LEN		64

/* daq_hdr.run: what was between two segments, counted modulo what fits the field */
#define DAQ_RUN_STARTS		0x00ff	/* times that the channel was switched on */
#define DAQ_RUN_RESETS		0x0f00	/* the card was reset: all numbers began anew */
#define DAQ_RUN_SUSPENDS	0xf000	/* the card slept with the machine */

/**
 * struct daq_filtered - what the host has dropped on purpose, in its own byte order
 * @frames: frames of the channel of which segments were dropped, so far
 * @segments: segments dropped so far
 * @bytes: bytes of payload in them
 * @flags: DAQ_FILTERED_F_*
 *
 * Right in front of the header of a segment, as XDP metadata, if that has the flag
 * DAQ_HDR_F_FILTERED.
 */
struct daq_filtered {
	__u64	frames;
	__u64	segments;
	__u64	bytes;
	__u64	flags;
};

/* This one would have been dropped, too, had it not DAQ_HDR_F_LAST to tell. */
#define DAQ_FILTERED_F_UNWANTED	0x1

/* What an input channel acquires. */
enum daq_source {
	DAQ_SOURCE_NONE,	/* nothing */
	DAQ_SOURCE_COUNTER,	/* little-endian 64-bit words that count from 0 */
	DAQ_SOURCE_RAMP,	/* every sample is its own index, little-endian */
	DAQ_SOURCE_SINE,	/* 16-bit sine with a period of 256 samples */
	DAQ_SOURCE_BARS,	/* YUYV 4:2:2 colour bars that move with the frame number */
	DAQ_SOURCE_LOOPBACK,	/* what an output channel plays */
	DAQ_SOURCE_CABLE,	/* what the card at the far end of the cable plays */
	DAQ_SOURCE_EXTERNAL,	/* what is connected to the input of a real card */
	__DAQ_SOURCE_MAX,
	DAQ_SOURCE_MAX = __DAQ_SOURCE_MAX - 1
};

/* The control device, Documentation/control.rst. */

/* What can be mapped, by offset: */
#define DAQ_MMAP_COUNTERS	0
#define DAQ_MMAP_WINDOW(channel)	((1ULL << 32) + ((__u64)(channel) << 20))

/* What a card is doing. */
enum daq_state {
	DAQ_STATE_DOWN,		/* nothing: its interface is down */
	DAQ_STATE_UP,
	DAQ_STATE_SUSPENDED,	/* nothing for a while: asleep, or being reset */
	DAQ_STATE_GONE,		/* nothing ever again */
};

/* What a segment can come to: delivered in three ways, or dropped. */
enum daq_outcome {
	/* counted by the driver */
	DAQ_OUTCOME_SOCKET,		/* redirected, to an AF_XDP socket usually */
	DAQ_OUTCOME_STACK,		/* passed to the network stack */
	DAQ_OUTCOME_XDP_TX,		/* sent back by the XDP program */
	DAQ_OUTCOME_DROP_XDP,
	DAQ_OUTCOME_DROP_ABORTED,
	DAQ_OUTCOME_DROP_RING_FULL,
	DAQ_OUTCOME_DROP_REDIRECT,
	DAQ_OUTCOME_DROP_NO_MEMORY,
	DAQ_OUTCOME_DROP_NO_FRAGS,
	DAQ_OUTCOME_DROP_BAD_DESC,	/* segments only: the rest is not believed */
	DAQ_OUTCOME_DROP_STOPPED,
	DAQ_HOST_OUTCOMES,
	/* counted by the card */
	DAQ_OUTCOME_DROP_NO_BUFFER = 0,
	DAQ_OUTCOME_DROP_TOO_LONG,
	DAQ_OUTCOME_DROP_FIFO_OVERRUN,
	DAQ_CARD_OUTCOMES
};

/**
 * struct daq_count - how much of something there was
 * @segments: segments; an ordinary packet counts as one
 * @frames: those of them that were the last one of their frame
 * @bytes: bytes, headers included
 */
struct daq_count {
	__u64	segments;
	__u64	frames;
	__u64	bytes;
};

/**
 * struct daq_channel_counters - what is counted of a channel
 * @host_seq: odd while the driver writes the next members; changes with them
 * @reserved: 0
 * @frame: frame number of the last segment that the driver has seen
 * @time: its time by the card's clock, ns
 * @host: what segments that got to the driver came to
 * @generation: of the register window: counts its revocations and grants
 * @window: why that is withheld, a bit each by enum daq_reason; 0: it is not
 * @reserved2: 0
 * @card_seq: as @host_seq, for the rest
 * @reserved3: 0
 * @produced: segments that the input made
 * @card: those that did not get to the driver
 * @played: packets that left the output
 * @played_bytes: their bytes
 * @tx_bad: packets that the card refused to play
 * @underruns: times that the output had nothing to play
 * @underrun_sample: the first sample that lacked, last time
 * @fifo_level: segments in the card's FIFO, which wait to be moved
 * @fifo_size: what that has room for
 * @card_time: when the card's counters were last read, CLOCK_MONOTONIC, ns
 * @reserved4: 0
 *
 * All that is in @host and @card is part of @produced; what is in neither is on its
 * way.
 */
struct daq_channel_counters {
	__u32	host_seq;
	__u32	reserved;
	__u64	frame;
	__u64	time;
	struct daq_count host[DAQ_HOST_OUTCOMES];
	__u32	generation;
	__u32	window;
	__u64	reserved2[3];
	__u32	card_seq;
	__u32	reserved3;
	struct daq_count produced;
	struct daq_count card[DAQ_CARD_OUTCOMES];
	__u64	played;
	__u64	played_bytes;
	__u64	tx_bad;
	__u64	underruns;
	__u64	underrun_sample;
	__u32	fifo_level;
	__u32	fifo_size;
	__u64	card_time;
	__u64	reserved4[4];
};

/**
 * struct daq_queue_counters - what the driver does for a queue
 * @irq_seq: odd while the interrupt handler writes the next members
 * @reserved: 0
 * @interrupts: interrupts
 * @interrupt_time: when the last one came, CLOCK_MONOTONIC, ns
 * @interrupts_lost: interrupts that should have come and did not
 * @reserved2: 0
 * @seq: as @irq_seq, for what the receiving side does
 * @reserved3: 0
 * @polls: NAPI polls
 * @wakeups: those that handed data to sockets, one wake-up each at most
 * @packets: packets for a socket, the stack, back out or dropped by XDP
 * @bytes: their bytes
 * @duplicates: fill ring entries refused: chunk already with the card
 * @reserved4: 0
 * @tx_seq: as @irq_seq, for what the sending side does
 * @reserved5: 0
 * @tx_packets: packets handed to the card
 * @tx_bytes: their bytes
 * @tx_dropped: packets that could not be
 * @reserved6: 0
 */
struct daq_queue_counters {
	__u32	irq_seq;
	__u32	reserved;
	__u64	interrupts;
	__u64	interrupt_time;
	__u64	interrupts_lost;
	__u64	reserved2[4];
	__u32	seq;
	__u32	reserved3;
	__u64	polls;
	__u64	wakeups;
	__u64	packets;
	__u64	bytes;
	__u64	duplicates;
	__u64	reserved4[2];
	__u32	tx_seq;
	__u32	reserved5;
	__u64	tx_packets;
	__u64	tx_bytes;
	__u64	tx_dropped;
	__u64	reserved6[4];
};

#define DAQ_COUNTERS_MAGIC	0x43514144	/* "DAQC" */
#define DAQ_COUNTERS_VERSION	1

/**
 * struct daq_counters_page - what is mapped at DAQ_MMAP_COUNTERS
 * @magic: DAQ_COUNTERS_MAGIC
 * @version: DAQ_COUNTERS_VERSION; another one when what is here means something else
 * @size: bytes of all of it
 * @channels: number of channels
 * @channel_offset: where the struct daq_channel_counters of channel 0 is
 * @channel_size: how far apart they are: may grow, with members at the end
 * @queues: number of queues
 * @queue_offset: where the struct daq_queue_counters of queue 0 is
 * @queue_size: how far apart they are
 * @state: enum daq_state
 * @reserved: 0
 */
struct daq_counters_page {
	__u32	magic;
	__u32	version;
	__u32	size;
	__u32	channels;
	__u32	channel_offset;
	__u32	channel_size;
	__u32	queues;
	__u32	queue_offset;
	__u32	queue_size;
	__u32	state;
	__u32	reserved[22];
};

/* Why a register window is not the card's. */
enum daq_reason {
	DAQ_REASON_NONE,	/* it is */
	DAQ_REASON_ADMIN,	/* the administrator wants it so */
	DAQ_REASON_CARD,	/* the card does */
	DAQ_REASON_RESET,	/* the card is being reset */
	DAQ_REASON_SUSPEND,	/* the card sleeps */
	DAQ_REASON_REMOVED,	/* there is no card any more */
};

/* What a card can do wrong. */
enum daq_error {
	DAQ_ERROR_TEST,		/* nothing: devlink health test */
	DAQ_ERROR_BAD_DESC,	/* a completion that makes no sense */
	DAQ_ERROR_BAD_REPORT,	/* progress that cannot be */
	DAQ_ERROR_STOP,		/* DMA that goes on */
	DAQ_ERROR_MOVE,		/* a channel that stays with its queue */
	DAQ_ERROR_DMA,		/* an address that the bus refuses */
	DAQ_ERROR_GONE,		/* to leave */
	DAQ_ERRORS
};

enum daq_event_type {
	DAQ_EV_REVOKED = 1,	/* a window, for @reason: enum daq_reason */
	DAQ_EV_GRANTED,		/* a window, which had been revoked for @reason */
	DAQ_EV_OVERRUN,		/* the card began to drop segments: @value so far */
	DAQ_EV_UNDERRUN,	/* an output had nothing to play: sample @value lacked */
	DAQ_EV_ERROR,		/* @reason: enum daq_error */
	DAQ_EV_SUSPENDED,	/* the card, for @reason: enum daq_reason */
	DAQ_EV_RESUMED,
	DAQ_EV_REMOVED,		/* the card; nothing follows */
};

#define DAQ_EV_CARD		0xffffffff	/* @channel: it is about the card */

/**
 * struct daq_event - what read() of the control device yields, whole ones
 * @type: enum daq_event_type
 * @channel: what it is about, or DAQ_EV_CARD
 * @generation: generation of the channel's window, after the event
 * @reason: as @type says, or 0
 * @value: as @type says, or 0
 * @time: when it happened, CLOCK_MONOTONIC, ns
 * @lost: events that there was no room for since the one that was read before
 */
struct daq_event {
	__u32	type;
	__u32	channel;
	__u32	generation;
	__u32	reason;
	__u64	value;
	__u64	time;
	__u64	lost;
};

/* Generic netlink family, Documentation/netlink/specs/daq.yaml. */
#define DAQ_FAMILY_NAME		"daq"
#define DAQ_FAMILY_VERSION	1

enum {
	DAQ_A_CHANNEL_IFINDEX = 1,	/* u32 */
	DAQ_A_CHANNEL_ID,		/* u32 */
	DAQ_A_CHANNEL_QUEUE,		/* u32, read only: see ethtool -x */
	DAQ_A_CHANNEL_SOURCE,		/* u32, enum daq_source */
	DAQ_A_CHANNEL_LOOP_FROM,	/* u32, output channel of a loop-back */
	DAQ_A_CHANNEL_SAMPLE_BYTES,	/* u32 */
	DAQ_A_CHANNEL_SEGMENT_BYTES,	/* u32, payload of a full segment */
	DAQ_A_CHANNEL_FRAME_BYTES,	/* u32 */
	DAQ_A_CHANNEL_LINE_BYTES,	/* u32, one line of a video frame */
	DAQ_A_CHANNEL_RATE,		/* u64, samples per second */
	DAQ_A_CHANNEL_PAD,
	DAQ_A_CHANNEL_OUTPUT_LOW,	/* u32, low watermark, descriptors; 0: none */
	DAQ_A_CHANNEL_UNDERRUNS,	/* u64, read only: times the output ran dry */
	DAQ_A_CHANNEL_UNDERRUN_SAMPLE,	/* u64, read only: what lacked, last time */
	DAQ_A_CHANNEL_WINDOW_GRANTED,	/* u8, DAQ_CMD_WINDOW_SET only */
	DAQ_A_CHANNEL_WINDOW_WITHHELD,	/* u32, read only: bits of enum daq_reason */
	DAQ_A_CHANNEL_WINDOW_OWNED,	/* u8, read only: somebody has it mapped */
	DAQ_A_CHANNEL_WINDOW_GENERATION, /* u32, read only */
	__DAQ_A_CHANNEL_MAX,
	DAQ_A_CHANNEL_MAX = __DAQ_A_CHANNEL_MAX - 1
};

enum {
	DAQ_A_CABLE_IFINDEX = 1,	/* u32 */
	DAQ_A_CABLE_FAR_END,		/* u32, ifindex; not given: unplug */
	__DAQ_A_CABLE_MAX,
	DAQ_A_CABLE_MAX = __DAQ_A_CABLE_MAX - 1
};

/* What a card can do by itself, Documentation/card.rst. */
enum daq_personality {
	DAQ_PERSONALITY_INTERRUPT,	/* interrupts, moves data */
	DAQ_PERSONALITY_POLLED,		/* moves data: the driver looks now and then */
	DAQ_PERSONALITY_KICKED,		/* nothing: the driver starts every transaction */
	__DAQ_PERSONALITY_MAX,
	DAQ_PERSONALITY_MAX = __DAQ_PERSONALITY_MAX - 1
};

enum {
	DAQ_A_CARD_IFINDEX = 1,		/* u32 */
	DAQ_A_CARD_PERSONALITY,		/* u32, enum daq_personality */
	DAQ_A_CARD_CHANNELS,		/* u32, read only */
	DAQ_A_CARD_DEVICE,		/* u32, read only: N of its /dev/daqN */
	__DAQ_A_CARD_MAX,
	DAQ_A_CARD_MAX = __DAQ_A_CARD_MAX - 1
};

/*
 * What became of the segments of a channel, as ethtool -S has it: u64, read only.
 * An ordinary packet counts as one.
 */
enum {
	DAQ_A_STATS_IFINDEX = 1,	/* u32 */
	DAQ_A_STATS_ID,			/* u32, channel */
	DAQ_A_STATS_PAD,
	DAQ_A_STATS_PRODUCED,		/* made by the input */
	DAQ_A_STATS_SOCKET,		/* redirected, to an AF_XDP socket usually */
	DAQ_A_STATS_STACK,		/* passed to the network stack */
	DAQ_A_STATS_XDP_TX,		/* sent back by the XDP program */
	DAQ_A_STATS_DROP_XDP,
	DAQ_A_STATS_DROP_ABORTED,
	DAQ_A_STATS_DROP_RING_FULL,
	DAQ_A_STATS_DROP_REDIRECT,
	DAQ_A_STATS_DROP_NO_MEMORY,
	DAQ_A_STATS_DROP_NO_FRAGS,
	DAQ_A_STATS_DROP_BAD_DESC,
	DAQ_A_STATS_DROP_STOPPED,
	DAQ_A_STATS_DROP_NO_BUFFER,
	DAQ_A_STATS_DROP_TOO_LONG,
	DAQ_A_STATS_DROP_FIFO_OVERRUN,
	__DAQ_A_STATS_MAX,
	DAQ_A_STATS_MAX = __DAQ_A_STATS_MAX - 1
};

/* struct daq_event, and whose it is. */
enum {
	DAQ_A_EVENT_IFINDEX = 1,	/* u32 */
	DAQ_A_EVENT_PAD,
	DAQ_A_EVENT_DEVICE,		/* u32, N of /dev/daqN */
	DAQ_A_EVENT_TYPE,		/* u32, enum daq_event_type */
	DAQ_A_EVENT_CHANNEL,		/* u32; not there: about the card */
	DAQ_A_EVENT_GENERATION,		/* u32 */
	DAQ_A_EVENT_REASON,		/* u32 */
	DAQ_A_EVENT_VALUE,		/* u64 */
	DAQ_A_EVENT_TIME,		/* u64 */
	DAQ_A_EVENT_LOST,		/* u64 */
	__DAQ_A_EVENT_MAX,
	DAQ_A_EVENT_MAX = __DAQ_A_EVENT_MAX - 1
};

/* Multicast group that events are sent to. */
#define DAQ_GROUP_EVENTS	"events"

enum {
	DAQ_CMD_CHANNEL_GET = 1,	/* one, or a dump of one or all cards */
	DAQ_CMD_CHANNEL_SET,
	DAQ_CMD_CABLE_SET,
	DAQ_CMD_CARD_GET,
	DAQ_CMD_CARD_SET,	/* software cards, while the interface is down */
	DAQ_CMD_STATS_GET,	/* of one channel */
	DAQ_CMD_EVENT,		/* never asked for: to DAQ_GROUP_EVENTS */
	DAQ_CMD_WINDOW_SET,	/* revoke or grant a channel's register window */
	__DAQ_CMD_MAX,
	DAQ_CMD_MAX = __DAQ_CMD_MAX - 1
};

#endif /* _UAPI_LINUX_DAQ_H */
