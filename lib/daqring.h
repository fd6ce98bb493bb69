/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * libdaqring: whole frames from and to the channels of a DAQ card, without copies.
 *
 * Every function that can fail returns a negative errno, and daq_errmsg() then
 * tells the reason and the cure. Nothing prints, nothing exits.
 *
 * Different threads may use different channels at the same time. Opening and
 * closing channels, daq_card__dispatch() and everything on one channel needs
 * the caller's own serialisation.
 */
#ifndef DAQRING_H
#define DAQRING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <linux/daq.h>

#ifdef __cplusplus
extern "C" {
#endif

struct daq_card;
struct daq_chan;

/** Text of this thread's last failure, for people; valid until the next one. */
const char *daq_errmsg(void);

/* ---- The card ---- */

/** struct daq_format - what one channel acquires or plays */
struct daq_format {
	enum daq_source source;
	uint32_t loop_from;	/* DAQ_SOURCE_LOOPBACK: the output channel */
	uint32_t sample_bytes;
	uint32_t segment_bytes;	/* payload of a full segment */
	uint32_t frame_bytes;
	uint32_t line_bytes;	/* one line of a video frame */
	uint64_t rate;		/* samples per second */
	uint32_t output_low;	/* a waiting writer wakes when so many descriptors are left; 0: off */
	/* read only */
	uint32_t queue;		/* carries the channel, see ethtool -x */
	uint64_t underruns;	/* times the output had nothing to play */
	uint64_t underrun_sample; /* the first sample that lacked, last time */
};

/* Which members daq_card__set_format() changes. */
enum {
	DAQ_FORMAT_SOURCE	 = 1 << 0,
	DAQ_FORMAT_LOOP_FROM	 = 1 << 1,
	DAQ_FORMAT_SAMPLE_BYTES	 = 1 << 2,
	DAQ_FORMAT_SEGMENT_BYTES = 1 << 3,
	DAQ_FORMAT_FRAME_BYTES	 = 1 << 4,
	DAQ_FORMAT_LINE_BYTES	 = 1 << 5,
	DAQ_FORMAT_RATE		 = 1 << 6,
	DAQ_FORMAT_OUTPUT_LOW	 = 1 << 7,
};

/** struct daq_card_opts - optional; set @sz = sizeof(struct daq_card_opts) */
struct daq_card_opts {
	size_t sz;
	/*
	 * The format of every channel, instead of asking the driver: for
	 * segments that arrive on an interface that is no DAQ card. NULL: ask.
	 */
	const struct daq_format *format;
};

/**
 * daq_card__open() - open a card by the name of its network interface
 * @opts: may be NULL
 *
 * Return: 0, -ENODEV: no such interface, -EOPNOTSUPP: not a DAQ card.
 */
int daq_card__open(const char *ifname, const struct daq_card_opts *opts,
		   struct daq_card **card);

/** daq_card__close() - close the card and every channel that is still open; NULL is fine */
void daq_card__close(struct daq_card *card);

const char *daq_card__name(const struct daq_card *card);

/** daq_card__channels() - number of channels; they are numbered from 0 */
unsigned int daq_card__channels(const struct daq_card *card);

/** daq_card__format() - read a channel's format; -EINVAL: no such channel */
int daq_card__format(struct daq_card *card, unsigned int channel,
		     struct daq_format *format);

/**
 * daq_card__set_format() - change the members that @mask (DAQ_FORMAT_*) names
 *
 * Needs CAP_NET_ADMIN. Channels that are open keep the buffers that were laid
 * out for the old format: open them after the change.
 */
int daq_card__set_format(struct daq_card *card, unsigned int channel,
			 const struct daq_format *format, unsigned int mask);

/**
 * daq_card__set_cable() - plug a cable between two software cards
 * @far_end: the other card, in the same network namespace; NULL: unplug
 *
 * What an output plays arrives at the other card's input of the same number, if
 * that has DAQ_SOURCE_CABLE. Needs CAP_NET_ADMIN. The cable stays when the cards
 * are closed here, or moved to other namespaces.
 *
 * Return: 0, -EBUSY: @far_end has a cable to a third card, -EOPNOTSUPP: not software
 * cards.
 */
int daq_card__set_cable(struct daq_card *card, const struct daq_card *far_end);

/**
 * daq_card__personality() - what the card can do by itself
 */
int daq_card__personality(struct daq_card *card, enum daq_personality *personality);

/**
 * daq_card__set_personality() - have a software card be of another kind
 *
 * Needs CAP_NET_ADMIN, and the interface to be down.
 *
 * Return: 0, -EBUSY: the interface is up, -EOPNOTSUPP: not a software card.
 */
int daq_card__set_personality(struct daq_card *card, enum daq_personality personality);

/** struct daq_window_info - the register window of a channel, see Documentation/control.rst */
struct daq_window_info {
	uint32_t withheld;	/* why writes do not reach the card: bits 1 << enum daq_reason */
	uint32_t generation;	/* times that it was revoked or granted */
	int owned;		/* somebody has it mapped */
};

/**
 * daq_card__window() - who has a channel's register window
 *
 * Return: 0, -EINVAL: no such channel, -EOPNOTSUPP: the card has no register windows.
 */
int daq_card__window(struct daq_card *card, unsigned int channel,
		     struct daq_window_info *info);

/**
 * daq_card__set_window() - revoke a channel's register window, or grant it again
 * @granted: grant it
 *
 * When it has been revoked nothing that its owner writes later reaches the card. The
 * owner goes on with memory of its own, and is told by an event. Needs CAP_NET_ADMIN.
 *
 * Return: as of daq_card__window().
 */
int daq_card__set_window(struct daq_card *card, unsigned int channel, int granted);

/** daq_card__chan() - the channel of that number that is open here, or NULL */
struct daq_chan *daq_card__chan(const struct daq_card *card, unsigned int channel);

/**
 * daq_card__dispatch() - call the on_frame callbacks of all channels
 * @timeout_ms: how long to wait for the first frame; -1: forever
 *
 * At most one frame of each channel per call. Callbacks may close channels, their own
 * too, but not the card.
 *
 * Return: number of frames delivered, 0 after the timeout, what a callback
 * returned when that was negative, or an error as of daq_chan__next().
 */
int daq_card__dispatch(struct daq_card *card, int timeout_ms);

/* ---- One channel ---- */

enum daq_direction { DAQ_INPUT, DAQ_OUTPUT };

enum daq_mode {
	DAQ_MODE_AUTO,		/* zero copy when the driver can, else copy */
	DAQ_MODE_ZERO_COPY,	/* or fail */
	DAQ_MODE_COPY,
};

enum daq_policy {
	DAQ_DROP_NEW,		/* what comes has no room, what waits is delivered */
	DAQ_DROP_OLD,		/* always the newest frame; what waits before it is skipped */
	DAQ_STOP,		/* after the first loss nothing more is delivered */
};

/** struct daq_chan_opts - optional; set @sz = sizeof(struct daq_chan_opts) */
struct daq_chan_opts {
	size_t sz;
	enum daq_direction direction;
	enum daq_mode mode;
	size_t buffer_bytes;	/* memory for frames; 0: 4 frames and at least 4 MiB;
				 * observers: 256 for each segment; 0: 4 MiB
				 */
	int stopped;		/* input: receive nothing before daq_chan__start() */
	int sendable;		/* for another process: daq_card__send() or close it */
	int observe;		/* input: frames without their data, beside who has the channel */
	int truncated;		/* input: deliver what came of a frame before a loss, too */
	enum daq_policy policy;	/* input: what to do when the application is too slow */
};

/**
 * daq_chan__open() - open one channel and start receiving, or be ready to play
 * @opts: may be NULL: input, automatic mode, default buffer
 *
 * An input and an output channel on the same queue exclude each other. Other
 * processes may have other channels open, and any number observe this one.
 *
 * Return: 0, -EINVAL: no such channel, -ENETDOWN: the interface is down,
 * -EPERM: a capability is missing, -EBUSY: somebody else has the channel or its
 * queue, or the interface another XDP program, -ENOMEM, -EMSGSIZE: fewer than
 * three frames fit the buffer.
 */
int daq_chan__open(struct daq_card *card, unsigned int channel,
		   const struct daq_chan_opts *opts, struct daq_chan **chan);

/**
 * daq_chan__start() - let an input channel that was opened stopped receive
 *
 * To open several channels, which takes a while, and start them together.
 *
 * Return: 0, -EALREADY: it is not stopped, -EOPNOTSUPP: an output channel.
 */
int daq_chan__start(struct daq_chan *chan);

/** daq_chan__close() - give everything back, frames too; NULL is fine */
void daq_chan__close(struct daq_chan *chan);

unsigned int daq_chan__number(const struct daq_chan *chan);

/** daq_chan__format() - the format the channel was opened with */
const struct daq_format *daq_chan__format(const struct daq_chan *chan);

/** daq_chan__capacity() - frames that the channel's buffer memory has room for */
unsigned int daq_chan__capacity(const struct daq_chan *chan);

/**
 * daq_chan__memory() - where the channel's buffer memory is
 *
 * For those who have to register it with somebody, such as io_uring. Of its
 * contents only frames that are held may be touched.
 */
void daq_chan__memory(const struct daq_chan *chan, struct iovec *memory);

/** daq_chan__zero_copy() - 1: the card itself accesses the buffers, 0: the kernel copies */
int daq_chan__zero_copy(const struct daq_chan *chan);

/* daq_frame.status; 0: everything is fine */
enum {
	DAQ_FRAME_GAP_BEFORE	= 1 << 0,	/* data was lost before this frame, see gap */
	DAQ_FRAME_DAMAGED	= 1 << 1,	/* the card knows that the data are bad */
	DAQ_FRAME_RESTARTED	= 1 << 2,	/* the card began to count anew */
	DAQ_FRAME_ABORTED	= 1 << 3,	/* no data: the source fell silent after a loss, see gap */
	DAQ_FRAME_LAST		= 1 << 4,	/* nothing follows: the source ended */
	DAQ_FRAME_TRUNCATED	= 1 << 5,	/* the rest is missing, see daq_chan_opts.truncated */
	DAQ_FRAME_MISSED	= 1 << 6,	/* this observer was too slow: no gap is known */
};

/*
 * Why data are missing. Where segments are lost each reason but the last four has a
 * counter in the driver; Documentation/daq.rst tells what to do about it.
 */
enum daq_loss {
	DAQ_LOSS_NO_BUFFER,	/* the card had no room: the application was too slow */
	DAQ_LOSS_FIFO_OVERRUN,	/* the card was not kicked in time: the host was too slow */
	DAQ_LOSS_TOO_LONG,	/* the segment would have taken too many buffers */
	DAQ_LOSS_RING_FULL,	/* the socket's ring was full */
	DAQ_LOSS_STOPPED,	/* they were in a queue that was stopped */
	DAQ_LOSS_BAD_DESC,	/* the card told of them what cannot be */
	DAQ_LOSS_NO_MEMORY,	/* the kernel had no memory */
	DAQ_LOSS_NO_FRAGS,	/* the XDP program or the socket takes one buffer only */
	DAQ_LOSS_REDIRECT,	/* the socket could not be given them */
	DAQ_LOSS_ABORTED,	/* the XDP program had an error */
	DAQ_LOSS_MALFORMED,	/* the header contradicted itself: thrown away here */
	DAQ_LOSS_XDP,		/* the XDP program dropped them */
	DAQ_LOSS_STACK,		/* they went to the network stack */
	DAQ_LOSS_UNKNOWN,	/* nobody has counted them */
	DAQ_LOSS_OFF,		/* the channel was switched off: nothing was acquired */
	DAQ_LOSS_RESET,		/* the card was reset */
	DAQ_LOSS_SUSPEND,	/* the machine slept, and the card with it */
	DAQ_LOSSES
};

/** daq_loss_name() - such as "no buffer"; of something that is no enum daq_loss "?" */
const char *daq_loss_name(unsigned int loss);

/**
 * struct daq_gap - what is missing between the frame delivered before and this one
 *
 * Frames, segments and samples are exact. So is what the card and the host dropped of
 * the segments. The reasons come from the driver's counters: when several of the same
 * side count at a time, which gap each belongs to is a guess, but the sum is right.
 */
struct daq_gap {
	uint64_t frames;	/* lost, whether none or some of their segments came */
	uint64_t segments;	/* that never arrived */
	uint64_t samples;	/* not delivered, of all that the card has taken */
	uint64_t card_segments;	/* of the segments, what the card itself dropped */
	uint64_t off_ns;	/* time that the channel was off, by the card's clock */
	uint64_t filtered_frames;	/* not lost: the trigger did not want them */
	uint64_t filtered_segments;	/* dropped for that; not in segments */
	uint64_t skipped_frames;	/* not lost: older than the newest, DAQ_DROP_OLD */
	uint32_t reasons;		/* why data were lost: 1 << enum daq_loss */
	uint64_t by_reason[DAQ_LOSSES];	/* segments; the sum is @segments */
};

/** struct daq_frame - one frame; its memory is the application's until daq_chan__release() */
struct daq_frame {
	void *data;			/* NULL: in several pieces, or only observed */
	size_t len;			/* bytes */
	const struct iovec *iov;	/* input: always the whole frame, unless only observed */
	unsigned int iovcnt;
	unsigned int status;		/* DAQ_FRAME_* */
	uint64_t number;		/* counts lost frames too */
	uint64_t sample;		/* index of the first sample */
	uint64_t timestamp;		/* card clock of the first sample, ns */
	struct daq_gap gap;
	unsigned int id;		/* the library's own */
	/*
	 * input: the header of each segment, in order, as the card wrote it; not of ABORTED,
	 * nor when only observed
	 */
	const struct daq_hdr *const *headers;
	unsigned int segments;
};

/**
 * daq_chan__next() - wait for the next whole frame
 * @timeout_ms: 0: do not wait, -1: forever
 *
 * The frame is in the card's buffer memory. Any number may be held as long as
 * the buffer lasts; while they are, the card has that much less room.
 * Incomplete frames are not delivered, the next frame's gap counts them.
 *
 * Return: 1: a frame, 0: timeout, -EINTR: a signal, -ENODEV: the card was
 * removed, -ENETDOWN: the interface is down (works again once it is up),
 * -ENOBUFS: all frames are held by the application, -EMSGSIZE: a frame is longer
 * than the format said, and does not fit the buffer, -EOVERFLOW: data were lost and
 * the policy is DAQ_STOP, see daq_chan__loss(). Loss of the carrier is no
 * error. Frames that arrived before an error are delivered first.
 */
int daq_chan__next(struct daq_chan *chan, struct daq_frame *frame, int timeout_ms);

/**
 * daq_chan__loss() - what has ended a channel with DAQ_STOP
 * @gap: gets what is missing behind the last frame delivered
 *
 * Return: 1: data were lost, 0: nothing was.
 */
int daq_chan__loss(const struct daq_chan *chan, struct daq_gap *gap);

/**
 * daq_chan__release() - give a frame back, in any order
 *
 * For a reserved output frame: do not play it. -EINVAL: it is not held.
 */
int daq_chan__release(struct daq_chan *chan, struct daq_frame *frame);

/**
 * daq_chan__fd() - descriptor for poll(): readable when daq_chan__next() should be called
 *
 * Also when the card is removed or goes down, which a bare AF_XDP socket never
 * tells. Input channels only, else -EOPNOTSUPP.
 */
int daq_chan__fd(const struct daq_chan *chan);

/** A callback owns the frame until it calls daq_chan__release(). Negative: stop dispatching. */
typedef int (*daq_frame_fn)(struct daq_chan *chan, struct daq_frame *frame, void *ctx);

/** daq_chan__on_frame() - have daq_card__dispatch() deliver the frames; input channels only */
int daq_chan__on_frame(struct daq_chan *chan, daq_frame_fn fn, void *ctx);

/**
 * daq_chan__reserve() - get room for one frame to play
 * @len: bytes, at most the format's frame_bytes
 * @timeout_ms: how long to wait for room; -1: forever
 *
 * @frame->data is one contiguous region of the card's buffer memory: fill it in
 * place, then daq_chan__submit() or daq_chan__release() it.
 *
 * With a low watermark (output_low) fewer frames wait for the card, and a writer
 * that sleeps here wakes when the card has no more than that left to play. Without
 * one it looks again about twice per frame.
 *
 * Return: 1: @frame is yours, 0: timeout, -EMSGSIZE, or as daq_chan__next().
 */
int daq_chan__reserve(struct daq_chan *chan, size_t len, struct daq_frame *frame,
		      int timeout_ms);

/**
 * daq_chan__submit() - play a reserved frame
 * @frame: @frame->len may be smaller than reserved, but not 0
 * @flags: DAQ_FRAME_LAST: nothing follows. DAQ_FRAME_GAP_BEFORE: @frame->gap.frames and
 *	   @frame->gap.samples are missing before it: the card is silent for as long as
 *	   these samples take, and who listens sees that gap
 *
 * Return: 0 and the frame belongs to the library, or an error and it is still held.
 */
int daq_chan__submit(struct daq_chan *chan, struct daq_frame *frame, unsigned int flags);

/**
 * daq_chan__drain() - wait until the card has taken everything
 *
 * Return: 1: it has, 0: timeout, or as daq_chan__next().
 */
int daq_chan__drain(struct daq_chan *chan, int timeout_ms);

/** struct daq_chan_stats - counted since the channel was opened */
struct daq_chan_stats {
	uint64_t frames;		/* delivered or submitted */
	uint64_t segments;		/* arrived or submitted */
	uint64_t bytes;			/* in those frames */
	uint64_t contiguous;		/* frames in one piece */
	uint64_t lost_frames;		/* the sum of all gaps */
	uint64_t lost_segments;
	uint64_t lost_samples;
	uint64_t malformed;		/* segments that contradict themselves */
	uint64_t passed;		/* segments that came before the socket was ready */
	uint64_t wakeups;		/* sleeps that ended with data */
	uint64_t syscalls;		/* to wait, to kick the driver, to ask why data were lost */
	uint64_t rx_dropped;		/* from here on: XDP_STATISTICS of the socket */
	uint64_t rx_invalid_descs;
	uint64_t rx_ring_full;
	uint64_t rx_fill_ring_empty;
	uint64_t tx_invalid_descs;
	uint64_t tx_ring_empty;
	uint64_t missed;		/* headers that an observer was too slow for */
	uint64_t lost_by_card;		/* of lost_segments */
	uint64_t lost_by_reason[DAQ_LOSSES];	/* lost_segments, by enum daq_loss */
	uint64_t off_ns;		/* time that the channel was off between frames */
	uint64_t suspend_ns;		/* of that, in gaps in which the machine slept */
	uint64_t suspend_gaps;		/* how many these are */
	uint64_t skipped_frames;	/* by DAQ_DROP_OLD */
	uint64_t filtered_frames;	/* by the trigger, also behind the last frame */
	uint64_t filtered_segments;
	uint64_t filtered_bytes;
};

/** daq_chan__stats() - read the counters; @sz: sizeof(*stats) */
int daq_chan__stats(struct daq_chan *chan, struct daq_chan_stats *stats, size_t sz);

/* ---- Counters of the driver and the card, without a system call ---- */

struct daq_counters;

/**
 * daq_counters__open() - map the counters of a card
 * @name: its network interface, or the path of its control device
 *
 * What is mapped stays when the card goes, with what was counted last. Any number of
 * processes may have it; to open it needs the permissions of /dev/daqN and nothing else.
 * Any thread may read, at any time.
 *
 * Return: 0, -EACCES, -ENODEV: no such interface, or the card is gone, -EPROTO: another
 * version of the driver, -EMFILE, -ENOMEM.
 */
int daq_counters__open(const char *name, struct daq_counters **counters);

/** daq_counters__close() - NULL is fine */
void daq_counters__close(struct daq_counters *counters);

/** daq_counters__fd() - read() yields struct daq_event, poll() works; non-blocking */
int daq_counters__fd(const struct daq_counters *counters);

unsigned int daq_counters__channels(const struct daq_counters *counters);
unsigned int daq_counters__queues(const struct daq_counters *counters);

/** daq_counters__state() - what the card is doing; DAQ_STATE_GONE is for ever */
enum daq_state daq_counters__state(const struct daq_counters *counters);

/**
 * daq_counters__channel() - read all counters of a channel
 * @sz: sizeof(*channel)
 *
 * Those of the driver belong together, and so do those of the card. The latter are read
 * later: of no segment is told what became of it but not that it was produced.
 *
 * Return: 0, -EINVAL: no such channel.
 */
int daq_counters__channel(const struct daq_counters *counters, unsigned int number,
			  struct daq_channel_counters *channel, size_t sz);

/** daq_counters__queue() - read all counters of a queue; as daq_counters__channel() */
int daq_counters__queue(const struct daq_counters *counters, unsigned int number,
			struct daq_queue_counters *queue, size_t sz);

/**
 * daq_counters__pending() - what was produced and is on its way
 *
 * That is produced less all outcomes: 0 of everything when nothing moves.
 */
void daq_counters__pending(const struct daq_channel_counters *channel,
			   struct daq_count *pending);

/* ---- Triggers: which frames of a channel are wanted ---- */

struct daq_trigger;

/**
 * daq_trigger__open() - load a program that was made with <daq/daq_trigger.h>
 * @path: BPF object file
 * @program: name of the program in it; NULL: the only one
 *
 * It may be set on any input channel of this card, and is to be closed before the card.
 * Needs CAP_BPF and CAP_NET_ADMIN.
 *
 * Return: 0, -ENOENT: no such file or program, -EINVAL: it is no trigger, -EACCES: the
 * kernel has refused it.
 */
int daq_trigger__open(struct daq_card *card, const char *path, const char *program,
		      struct daq_trigger **trigger);

/** daq_trigger__close() - channels that have it keep it; NULL is fine */
void daq_trigger__close(struct daq_trigger *trigger);

/** daq_trigger__fd() - its BPF program, for daq_chan__set_trigger_fd() */
int daq_trigger__fd(const struct daq_trigger *trigger);

/**
 * daq_chan__set_trigger() - have a program decide which frames of an input are wanted
 * @trigger: instead of the one that the channel may have; NULL: none
 *
 * From a frame that begins after this on; any time, also before daq_chan__start().
 * What it drops is not lost, see daq_gap. Closing the channel takes it away.
 */
int daq_chan__set_trigger(struct daq_chan *chan, const struct daq_trigger *trigger);

/**
 * daq_chan__set_trigger_fd() - the same with a program that the caller has loaded
 * @fd: xdp.frags program that shares the maps of the card's steering program; -1: none
 */
int daq_chan__set_trigger_fd(struct daq_chan *chan, int fd);

/* ---- Channels for processes that may not open them ---- */

/**
 * daq_card__send() - hand channels over to another process
 * @socket: connected Unix socket of type SOCK_SEQPACKET
 *
 * All channels of the card that were opened with daq_chan_opts.sendable go, at once, and
 * are closed here. They keep the places that they have, without a break, as long as the
 * message is under way and the receiver lives, whatever becomes of this process; with
 * the receiver they go, if nobody else has got its descriptors. For inputs this
 * process needs CAP_SYS_ADMIN.
 *
 * Return: 0, -EINVAL: no such channel is open, -EBUSY: another process receives one of
 * them by another queue, or an error of the socket; then all of them are still open.
 */
int daq_card__send(struct daq_card *card, int socket);

/**
 * daq_card__receive() - take over what another process sends
 * @socket: other end of the one that daq_card__send() got
 * @card: with the channels that came, see daq_card__chan(), and nothing else: formats
 *	  can neither be read nor set, and no other channels be opened
 *
 * Waits for it, if the socket does not say otherwise. Needs no capability, not even to be
 * in the network namespace of the interface. Inputs receive nothing before
 * daq_chan__start(). What the sender says is believed: receive from whom you trust.
 *
 * Return: 0, -EPIPE: nothing came, -EPROTO: it was no card, or from another version of
 * this library, -EMFILE: too many open files, -ENOMEM.
 */
int daq_card__receive(int socket, struct daq_card **card);

/* The environment variable that has the number of that socket's descriptor. */
#define DAQ_CARD_FD "DAQ_CARD_FD"

/**
 * daq_card__inherit() - take over what `daq run` has opened for this program
 *
 * Once: later ones, as any process that daq run has not started, get -ENOENT or -EBADF.
 */
int daq_card__inherit(struct daq_card **card);

#ifdef __cplusplus
}
#endif

#endif /* DAQRING_H */
