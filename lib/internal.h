/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
#ifndef DAQRING_INTERNAL_H
#define DAQRING_INTERNAL_H

#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <xdp/xsk.h>
#include "assembly.h"
#include "daq_steer.h"
#include "daqring.h"
#include "error.h"
#include "pool.h"

struct mnl_socket;

/* The maps of the steering program that the library uses. */
enum daq_steer_map {
	DAQ_STEER_SOCKETS,
	DAQ_STEER_COUNTERS,
	DAQ_STEER_FILTERS,
	DAQ_STEER_TRIGGERS,
	DAQ_STEER_MAPS
};

struct daq_card {
	char ifname[IF_NAMESIZE];
	int ifindex;
	unsigned int channels;
	bool received;			/* from another process: only what came with it is known */
	bool fixed_format;		/* @format holds for every channel, there is no driver to ask */
	struct daq_format format;
	int epfd;			/* all channels with a callback, for daq_card__dispatch() */

	struct mnl_socket *netlink;
	pthread_mutex_t netlink_lock;	/* one exchange at a time: channels ask for counters */
	uint16_t family;
	_Atomic uint32_t sequence;

	/* of the steering program, which other processes may share; -1 until an input opens */
	int steer_link;			/* its BPF link: it stays while anybody has that open */
	int steer_maps[DAQ_STEER_MAPS];
	LIST_HEAD(, daq_chan) chans;
	unsigned int closed;		/* channels so far */
	_Atomic int64_t down_since;	/* first seen by a channel, ms; 0: not down */
};

/* In copy mode a packet has a few more buffers: none is filled as a whole. */
#define MAX_PACKET (2 * DAQ_MAX_PACKET_CHUNKS)

/*
 * After a close or kill the kernel frees the queue and the program's place from
 * work items: both are busy for some 20 to 200 ms more.
 */
#define DAQ_BUSY_TRIES		100
#define DAQ_BUSY_PAUSE_US	10000

/* What an epoll event is about. */
struct daq_watch {
	struct daq_chan *chan;
};

/* A frame's memory: given to the application or being collected. */
struct daq_record {
	struct daq_pieces pieces;
	struct daq_span *spans;		/* its chunks, in the order that they came in */
	uint32_t span_count;
	uint32_t chunk_count;
	const uint64_t *plan;		/* input: they are the first ones of that; NULL: of none */
	const struct daq_hdr **headers;	/* input only: one per segment */
	uint32_t segment_count;
	uint32_t slot;			/* output only */
	bool held;			/* by the application */
};

struct daq_ring_memory {
	void *base;
	size_t bytes;
};

/* Segments by reason, since the card came to be. */
struct daq_losses {
	uint64_t counted[DAQ_LOSSES];	/* as last read */
	uint64_t told[DAQ_LOSSES];	/* that are in a gap, or were before the channel started */
};

struct daq_chan {
	struct daq_card *card;
	unsigned int number;
	enum daq_direction direction;
	struct daq_format format;
	bool zero_copy;
	bool sendable;		/* opened for another process: here it can only be sent */
	bool steered;		/* an input: the steering program knows it */
	bool started;		/* an input: it has buffers */
	LIST_ENTRY(daq_chan) siblings;

	struct daq_pool pool;
	char *memory;
	size_t memory_bytes;
	int memory_fd;		/* the file it is in, if it is for other processes, too; -1: none */
	int socket;		/* AF_XDP; -1 until it is bound */
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct daq_ring_memory rings[2];	/* of a socket from another process, else unused */
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod tx;

	int epfd;			/* the socket and the link watch, see daq_chan__fd() */
	int link_fd;			/* rtnetlink: tells that the interface changed */
	struct daq_watch link_watch;
	struct daq_watch socket_watch;	/* apart, so that the epoll event tells which */
	int link_error;			/* 0, -ENODEV, -ENETDOWN */

	struct daq_record *records;
	uint32_t record_count;
	uint32_t *free_records;
	uint32_t free_record_count;
	uint32_t max_chunks;		/* per record */
	void *record_memory;		/* the records' pieces, headers and chunks, prefaulted */
	size_t record_bytes;

	/* input */
	struct daq_steer_counters steered_before;	/* the channel was opened */
	struct daq_assembly assembly;
	uint32_t current;		/* record that is being collected */
	struct xdp_desc packet[MAX_PACKET];	/* being received */
	uint32_t packet_count;		/* may be more than fit: then it is no segment */
	uint32_t packet_chunks;		/* in those: several that adjoin may be one descriptor */
	size_t packet_len;		/* bytes of it */
	uint64_t packet_end;		/* address behind its last descriptor */
	bool packet_adjoins;		/* that of each from the second on is where the last ended */
	bool packet_again;		/* it is whole, and to be looked at again */
	struct daq_losses losses;
	enum daq_policy policy;
	bool truncated;			/* such frames are wanted */
	struct daq_frame ahead;		/* came behind the newest frame ... */
	bool is_ahead;			/* ... and is the next one */
	bool has_lost;			/* DAQ_STOP: it is over */
	struct daq_gap lost;		/* for this */
	bool has_trigger;
	uint64_t filtered_before[3];	/* when it was opened: frames, segments, bytes */
	daq_frame_fn on_frame;
	void *on_frame_ctx;

	/* an input that only observes: its socket and memory are of the other kind, too */
	bool observing;
	struct {
		uint32_t slots;		/* in memory */
		uint32_t next;		/* to be read */
		uint32_t excused;	/* of the next ones: before any of them the ring was full */
		bool missed;		/* headers, since the last delivery */
	} observer;

	/* output */
	uint8_t mac[6];
	uint32_t next_frame;
	uint64_t next_sample;

	struct daq_chan_stats stats;
};

/* netlink.c */
int daq_netlink__open(struct daq_card *card);
void daq_netlink__close(struct daq_card *card);
int daq_netlink__count_channels(struct daq_card *card);
int daq_netlink__get(struct daq_card *card, unsigned int channel, struct daq_format *format);
int daq_netlink__personality(struct daq_card *card, enum daq_personality *personality);
int daq_netlink__set_personality(struct daq_card *card, enum daq_personality personality);
int daq_netlink__window(struct daq_card *card, unsigned int channel, struct daq_window_info *info);
int daq_netlink__set_window(struct daq_card *card, unsigned int channel, bool granted);
/* @number: N of /dev/daqN */
int daq_netlink__device(struct daq_card *card, unsigned int *number);
/* @far_end: ifindex, 0: none */
int daq_netlink__set_cable(struct daq_card *card, unsigned int far_end);
int daq_netlink__set(struct daq_card *card, unsigned int channel,
		     const struct daq_format *format, unsigned int mask);

/* System calls of an exchange: the request, the answer, and that this was all. */
#define DAQ_NETLINK_CALLS 3

/* Segments that were lost, by enum daq_loss: those that the driver counts. */
int daq_netlink__losses(struct daq_card *card, unsigned int channel,
			uint64_t counted[DAQ_LOSSES]);

/* steering.c */
void daq_steering__init(struct daq_card *card);
int daq_steering__attach(struct daq_card *card);
void daq_steering__detach(struct daq_card *card);
/* Statistics of the channel count from here on. */
void daq_steering__begin(struct daq_chan *chan);
/* A descriptor of the counters that they cannot be changed by. */
int daq_steering__share_counters(const struct daq_card *card);
int daq_steering__add(struct daq_chan *chan);
void daq_steering__stats(const struct daq_chan *chan, struct daq_chan_stats *stats);

/* owner.c */
/* Says which process has the channel's queue; returns -EBUSY. */
int daq_owner__report(const struct daq_chan *chan);

/* link.c */
int daq_link__open(struct daq_chan *chan);
int daq_link__state(const struct daq_chan *chan);
int daq_link__mac(const struct daq_chan *chan, uint8_t mac[6]);
/* Reads what the watch has to tell; returns the state as daq_link__state(). */
int daq_link__update(struct daq_chan *chan);

/* socket.c */
/* Memory that never faults later; NULL: none. */
void *daq_map(size_t bytes, int extra_flags);
void *daq_map_file(int fd, size_t bytes, off_t offset);
int daq_socket__open(struct daq_chan *chan, enum daq_mode mode);
/* Maps the memory of a socket from another process. */
int daq_socket__adopt(struct daq_chan *chan);
void daq_socket__close(struct daq_chan *chan);
/* Wakes the driver if it asked for that. */
void daq_socket__kick_rx(struct daq_chan *chan);
void daq_socket__kick_tx(struct daq_chan *chan);

/* handover.c */
/* -EBUSY: the channel is not for this process. */
int daq_handover__check(const struct daq_chan *chan);

/* rings.c */
/* Maps the rings of a socket from another process: what libxdp does for its own. */
int daq_rings__map(struct daq_chan *chan, uint32_t to_kernel, uint32_t from_kernel);
void daq_rings__close(struct daq_chan *chan);

/* card.c */
/* A card about which nothing is known yet; NULL: no memory. */
struct daq_card *daq_card__new(void);

/* chan.c */
/* One that is not open yet, in the card's list; NULL: no memory. */
struct daq_chan *daq_chan__new(struct daq_card *card, unsigned int channel,
			       enum daq_direction direction);
/* Opens all of a channel that another process has bound, but its rings. */
int daq_chan__adopt(struct daq_chan *chan, size_t buffer_bytes);
int64_t daq_now_ms(void);
/* What remains of a timeout that began at @start; -1 stays -1. */
int daq_remaining_ms(int64_t start, int timeout_ms);
/* Adds a channel's descriptors to an epoll set for daq_wait(). */
int daq_chan__watch(struct daq_chan *chan, int epfd);
/*
 * Sleeps: 1: something happened, 0: timeout, or an error. @payer, which may be NULL, gets
 * the system call counted.
 */
int daq_wait(int epfd, struct daq_chan *payer, int timeout_ms);
struct daq_record *daq_chan__held(struct daq_chan *chan, const struct daq_frame *frame);
/* The error that a wait found out about, as long as it lasts. */
int daq_chan__link_error(struct daq_chan *chan);

/* input.c */
void daq_input__open(struct daq_chan *chan);
/* As daq_chan__next() without waiting. */
int daq_input__poll(struct daq_chan *chan, struct daq_frame *frame);
int daq_input__release(struct daq_chan *chan, struct daq_frame *frame);

/* Gives back what is not delivered; posts nothing. */
void daq_input__drop(struct daq_chan *chan, struct daq_frame *frame);
/* The next frame as it came: 1, 0: none, or an error. */
int daq_input__receive(struct daq_chan *chan, struct daq_frame *frame);

/* observer.c */
int daq_observer__open(struct daq_chan *chan, size_t buffer_bytes);
void daq_observer__close(struct daq_chan *chan);
int daq_observer__start(struct daq_chan *chan);
/* As daq_chan__next() without waiting. */
int daq_observer__poll(struct daq_chan *chan, struct daq_frame *frame);
/* Brings the statistics up to date. */
void daq_observer__count_missed(struct daq_chan *chan);

/* loss.c */
void daq_loss__open(struct daq_chan *chan);
/* Why the segments of a gap are missing. */
void daq_loss__explain(struct daq_chan *chan, struct daq_gap *gap);
void daq_gap__add(struct daq_gap *gap, const struct daq_gap *other);

/* policy.c */
/* As daq_input__receive(), as the channel's policy will have it. */
int daq_policy__receive(struct daq_chan *chan, struct daq_frame *frame);

/* trigger.c */
/* Forgets what another owner of the channel may have left. */
int daq_trigger__begin(struct daq_chan *chan);
void daq_trigger__end(struct daq_chan *chan);
void daq_trigger__stats(const struct daq_chan *chan, struct daq_chan_stats *stats);

/* output.c */
int daq_output__check(const struct daq_chan *chan);
uint32_t daq_output__frame_descs(const struct daq_pool *pool);
int daq_output__release(struct daq_chan *chan, struct daq_frame *frame);

#endif /* DAQRING_INTERNAL_H */
