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
