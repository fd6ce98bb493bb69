/* SPDX-License-Identifier: GPL-2.0 */
/* Data acquisition cards as network interfaces: what the driver's files share. */
#ifndef _DAQ_H
#define _DAQ_H

#include <linux/cdev.h>
#include <linux/daq.h>
#include <linux/device.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/hrtimer.h>
#include <linux/if_vlan.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/page_pool/types.h>
#include <net/xdp.h>
#include <net/xdp_sock.h>

#include "daq_hw.h"

struct daq_card;
struct devlink;
struct devlink_health_reporter;
struct xsk_buff_pool;

/* With fewer buffers left the card reports everything, see daq_rx_low(). */
#define DAQ_RX_LOW		64
/* Without a socket not more than 2 MiB of kernel memory wait in a queue. */
#define DAQ_RX_PAGES		512
#define DAQ_RING_DEFAULT	4096
/* A card that has not done as told by then never will. */
#define DAQ_CARD_TIMEOUT_US	(100 * USEC_PER_MSEC)
/*
 * Sent packets are reaped this many at a time, or when the last is sent; on a
 * channel with a low watermark, when that is reached.
 */
#define DAQ_TX_FRAMES		16
/* What the kernel reserves behind the data of a first buffer. */
#define DAQ_TAILROOM		SKB_DATA_ALIGN(sizeof(struct skb_shared_info))
/* Bytes of a packet that fit a page of the page pool. */
#define DAQ_PAGE_ROOM		(PAGE_SIZE - XDP_PACKET_HEADROOM - DAQ_TAILROOM)

/* What a packet of MTU bytes has around it, as AF_XDP sees it at bind. */
#define DAQ_MTU_OVERHEAD	(VLAN_ETH_HLEN + VLAN_HLEN + ETH_FCS_LEN)
/* The longest that a socket with 4 KiB chunks and no headroom can take. */
#define DAQ_MAX_MTU		(DAQ_SEG_BUFS * ALIGN_DOWN(DAQ_PAGE_ROOM, 128) - \
				 DAQ_MTU_OVERHEAD)
/* The longest that a program which is not xdp.frags can take. */
#define DAQ_MAX_MTU_NO_FRAGS	(DAQ_PAGE_ROOM - VLAN_ETH_HLEN)

/**
 * struct daq_hw_ops - the way to a card's registers and interrupts
 * @read32: read a register
 * @write32: write a register; may sleep unless it is a doorbell
 * @doorbell: write a doorbell register; does not sleep
 * @reachable: whether there is a card behind the registers; without one they
 *	       read 0 and ignore writes. NULL: always
 * @cut_off: keep a card that does not stop away from host memory; NULL: there is
 *	     no way to
 * @restart: have a card start anew, after it was cut off from its reset on; takes
 *	     RTNL. NULL: queues are all that there is to restart
 * @open: let the card reach host memory, and deliver interrupts of queue vectors
 *	  to daq_irq()
 * @close: undo that; no DMA happens and no interrupt runs when it returns
 * @set_cable: replace the cable to another card of this kind, by none if
 *	       @far_end is NULL; NULL for cards with real connectors
 * @window: page frame of a channel's user page, and whether that is no memory; 0: the
 *	    card has none
 * @set_caps: be a card with other capabilities, DAQ_CAP_*, while the interface
 *	      is down; NULL for cards that are what they are
 */
struct daq_hw_ops {
	u32 (*read32)(struct daq_card *card, u32 reg);
	void (*write32)(struct daq_card *card, u32 reg, u32 val);
	void (*doorbell)(struct daq_card *card, u32 reg, u32 val);
	bool (*reachable)(struct daq_card *card);
	void (*cut_off)(struct daq_card *card);
	int (*restart)(struct daq_card *card);
	int (*open)(struct daq_card *card);
	void (*close)(struct daq_card *card);
	int (*set_cable)(struct daq_card *card, struct daq_card *far_end,
			 struct netlink_ext_ack *extack);
	unsigned long (*window)(struct daq_card *card, u32 channel, bool *io);
	void (*set_caps)(struct daq_card *card, u32 caps);
};

/* Where a segment or packet ended, see Documentation/daq.rst. */
enum daq_rx_count {
	DAQ_RX_SOCKET = DAQ_OUTCOME_SOCKET,
	DAQ_RX_STACK,
	DAQ_RX_XDP_TX,
	DAQ_RX_DROP_XDP,
	DAQ_RX_DROP_ABORTED,	/* XDP_ABORTED or an unknown verdict */
	DAQ_RX_DROP_RING_FULL,	/* the socket's RX ring was full */
	DAQ_RX_DROP_REDIRECT,	/* redirect failed for another reason */
	DAQ_RX_DROP_NO_MEMORY,	/* no skb or page for it */
	DAQ_RX_DROP_NO_FRAGS,	/* several buffers, but a program without frags */
	DAQ_RX_DROP_BAD_DESC,	/* the card's completion made no sense */
	DAQ_RX_DROP_STOPPED,	/* completed after the queue was stopped */
	DAQ_RX_COUNTS
};

static_assert((int)DAQ_RX_COUNTS == (int)DAQ_HOST_OUTCOMES);

#define DAQ_NO_RULE	U32_MAX

/* A channel's format, as netlink sets it; written under RTNL. */
struct daq_format {
	u32 source;
	u32 loop_from;
	u32 sample_bytes;
	u32 segment_bytes;
	u32 frame_bytes;
	u32 line_bytes;
	u32 output_low;
	u64 rate;
};

/* The card's counters of a channel, one register of 64 bits after the other. */
#define DAQ_CHAN_COUNTERS	((DAQ_CHAN_FIFO_OVERRUN - DAQ_CHAN_PRODUCED) / 8 + 1)

/**
 * struct daq_chan - one channel
 * @format: format; written under RTNL
 * @queue: index of the queue that receives its segments; written under RTNL
 *	   when no queue has any of them
 * @entry: its entry in the table of ethtool -X; written under RTNL
 * @rule: queue that its rule of ethtool -N names, or DAQ_NO_RULE; as @entry
 * @run: which run the next one is, see struct daq_hdr; as @entry
 * @counters: what became of its segments, what the card counts, and what its
 *	      register window is, under the lock of that. The first is written by
 *	      the NAPI context of the one queue that serves the channel, and with
 *	      that queue stopped
 * @stats: where the card reports what it counts
 * @lock: protects what @counters have of that, and the rest
 * @seen: the report that @counters are from
 * @counted: what the card had counted before it was reset
 * @overrun: when it was last seen to have dropped more, ns
 * @told: what was last read of its registers, with @counted; any context
 * @next_frame: where it goes on after a sleep; written under RTNL
 * @next_sample: as @next_frame
 * @dropped: what headers then tell that the card has dropped before; as @next_frame
 */
struct daq_chan {
	struct daq_format format;
	u32 queue;
	u32 entry;
	u32 rule;
	u16 run;
	struct daq_channel_counters *counters;
	struct daq_chan_stats *stats;
	spinlock_t lock;	/* what the card has counted */
	u32 seen;
	struct daq_channel_counters counted;
	u64 overrun;
	atomic64_t told[DAQ_CHAN_COUNTERS];
	u32 next_frame;
	u64 next_sample;
	u64 dropped;
};

/* A buffer that the card may write to. */
union daq_rx_buf {
	struct xdp_buff *xdp;	/* of the socket's pool */
	struct page *page;	/* of the page pool */
};

/**
 * struct daq_rx_ring - receive side of a queue
 * @desc: descriptors
 * @cmpl: completions
 * @bufs: what is behind each descriptor
 * @mask: number of entries less one
 * @posted: descriptors posted
 * @taken: descriptors that the card gave back
 * @seen: completions processed
 * @distrusted: the latest of them that made no sense: buffers of theirs may still
 *		be among those from @taken on
 * @unwanted: chunks of dropped packets, to be given back at the end of the poll
 * @amid_unwanted: the last packet was dropped, and its frame goes on
 * @buf_len: usable bytes of a buffer
 * @head: offset of the data in a first buffer
 * @head_len: bytes from there that a first buffer can hold
 * @desc_dma: address of @desc for the card
 * @cmpl_dma: address of @cmpl for the card
 */
struct daq_rx_ring {
	struct daq_rx_desc *desc;
	struct daq_rx_cmpl *cmpl;
	union daq_rx_buf *bufs;
	u32 mask;
	u32 posted;
	u32 taken;
	u32 seen;
	u32 distrusted;
	struct list_head unwanted;
	bool amid_unwanted;
	u32 buf_len;
	u32 head;
	u32 head_len;
	dma_addr_t desc_dma;
	dma_addr_t cmpl_dma;
};

enum daq_tx_type {
	DAQ_TX_NONE,		/* not the last descriptor of its packet */
	DAQ_TX_SKB,
	DAQ_TX_XDP,		/* a frame of XDP_TX, or redirected here */
	DAQ_TX_CHUNK,		/* a chunk of XDP_TX; each descriptor has one */
	DAQ_TX_XSK,		/* owned by a socket: one completion per descriptor */
};

/*
 * What is behind a TX descriptor. The owner of a packet in several ones is with
 * the last.
 */
struct daq_tx_buf {
	enum daq_tx_type type;
	u32 stamp;		/* descriptors of a packet that gets a stamp, else 0 */
	u32 map_len;		/* 0: nothing to unmap */
	bool map_page;		/* by dma_map_page(), not _single() */
	dma_addr_t dma;
	union {
		struct sk_buff *skb;
		struct xdp_frame *xdpf;
		struct xdp_buff *xdp;
		struct xsk_tx_metadata_compl compl;
	};
};

/**
 * struct daq_tx_ring - transmit side of a queue
 * @desc: descriptors
 * @bufs: what is behind each of them
 * @mask: number of entries less one
 * @posted: descriptors posted
 * @done: descriptors that the card has finished with
 * @inside_packet: the last one taken from a socket was not its packet's last
 * @desc_dma: address of @desc for the card
 *
 * @posted and @inside_packet are written under the TX lock, @done by the NAPI
 * context.
 */
struct daq_tx_ring {
	struct daq_tx_desc *desc;
	struct daq_tx_buf *bufs;
	u32 mask;
	u32 posted;
	u32 done;
	bool inside_packet;
	dma_addr_t desc_dma;
};

/**
 * struct daq_progress - how far a queue was when it was last looked at
 * @news: the card had reported something that nobody was about to handle
 * @rx: completions handled by then
 * @tx: transmit descriptors given back by then
 */
struct daq_progress {
	bool news;
	u32 rx;
	u32 tx;
};

/**
 * struct daq_queue - one queue: rings, NAPI context, socket
 * @napi: its NAPI context
 * @card: the card
 * @index: number of the queue
 * @rx: receive ring
 * @tx: transmit ring
 * @status: where the card reports progress
 * @status_dma: its address for the card
 * @pool: buffers of a zero-copy socket; NULL: pages of @page_pool. Written
 *	  under RTNL with the queue stopped.
 * @page_pool: pages for when there is no socket
 * @rxq: for XDP, when buffers are pages
 * @xsk_rxq: for XDP, when buffers are chunks of @pool
 * @then: progress at the last look for lost interrupts; under RTNL
 * @counters: what it does: written by its NAPI context, under the TX lock, or by the
 *	      interrupt handler, as struct daq_queue_counters says
 * @irq_lock: several interrupts may be under way when the card is busy polled
 */
struct daq_queue {
	struct napi_struct napi;
	struct daq_card *card;
	u32 index;
	struct daq_rx_ring rx;
	struct daq_tx_ring tx;
	struct daq_queue_status *status;
	dma_addr_t status_dma;
	struct xsk_buff_pool *pool;
	struct page_pool *page_pool;
	struct xdp_rxq_info rxq;
	struct xdp_rxq_info xsk_rxq;
	struct daq_progress then;
	struct daq_queue_counters *counters;
	raw_spinlock_t irq_lock;	/* counters of interrupts */
} ____cacheline_aligned_in_smp;

/**
 * struct daq_health - errors of a card, and how they are told
 * @devlink: the card's devlink instance
 * @reporter: where errors go to; NULL if there was no memory for it
 * @work: makes @devlink visible, once, and reports @errors
 * @registered: @devlink is visible; written by @work
 * @errors: what happened since the last report, a bit each by enum daq_error
 */
struct daq_health {
	struct devlink *devlink;
	struct devlink_health_reporter *reporter;
	struct work_struct work;
	bool registered;
	unsigned long errors;
};

/**
 * struct daq_ptp - the card's clock as a PTP hardware clock
 * @clock: what it is registered as; NULL in a kernel without PTP
 * @info: what can be done with it
 * @lock: serialises accesses to the clock's registers
 * @adj: what CLOCK_ADJ has; as the rest protected by @lock
 * @saved: time of the clock when it was saved, ns
 * @saved_at: what time the system had been running then, ns; 0: not saved
 */
struct daq_ptp {
	struct ptp_clock *clock;
	struct ptp_clock_info info;
	struct mutex lock;	/* all accesses to the clock's registers */
	u32 adj;
	u64 saved;
	u64 saved_at;
};

/**
 * struct daq_timer - looks for news on a card that does not interrupt
 * @hrtimer: what makes it run
 * @lock: protects the rest
 * @waiting: queues that wait for news, one bit each
 * @woken: queues that got some, and whose NAPI context has not been done since
 * @running: @hrtimer is going to fire
 * @adaptive: @period follows what is found
 * @period: time between two looks, microseconds; read without @lock, too
 * @shortest: least @period
 * @longest: most @period
 */
struct daq_timer {
	struct hrtimer hrtimer;
	spinlock_t lock;	/* the rest */
	DECLARE_BITMAP(waiting, DAQ_MAX_CHANNELS);
	DECLARE_BITMAP(woken, DAQ_MAX_CHANNELS);
	bool running;
	bool adaptive;
	u32 period;
	u32 shortest;
	u32 longest;
};

/* Events that wait to be read or sent; the oldest ones have to go then. */
#define DAQ_EVENTS		64

/**
 * struct daq_event_queue - events that wait
 * @events: them; indices count up
 * @head: put in
 * @tail: taken out
 * @urgent: of those in between, how many ask for attention: EPOLLPRI
 * @lost: that there was no room for since one was taken out
 */
struct daq_event_queue {
	struct daq_event events[DAQ_EVENTS];
	u32 head;
	u32 tail;
	u32 urgent;
	u64 lost;
};

/**
 * struct daq_file - somebody has the control device open
 * @ctl: which
 * @node: in the list of its files
 * @wait: who waits for an event
 * @events: events for it; as @node protected by daq_ctl.event_lock
 */
struct daq_file {
	struct daq_ctl *ctl;
	struct list_head node;
	wait_queue_head_t wait;
	struct daq_event_queue events;
};

/**
 * struct daq_window - a channel's register window
 * @lock: protects the rest, and serialises faults with all that changes
 * @channel: number of the channel; constant
 * @withheld: why accesses do not reach the card, a bit each by enum daq_reason; as
 *	      @owner read without @lock, too. Without DAQ_REASON_REMOVED the card
 *	      is there while @lock is held.
 * @owner: who has it mapped, or NULL
 * @maps: number of mappings
 * @mapping: where these are to be found
 * @page: the owner's own, for while the window is withheld
 * @pfn: the card's page
 * @io: that is no memory
 */
struct daq_window {
	struct mutex lock;	/* all below */
	u32 channel;
	u32 withheld;
	struct daq_file *owner;
	u32 maps;
	struct address_space *mapping;
	struct page *page;
	unsigned long pfn;
	bool io;
};

/**
 * struct daq_ctl - a card's control device, which outlives the card
 * @dev: /dev/daqN; all of this lives as long as it does: files and the card have
 *	 references
 * @cdev: its file operations
 * @id: N; negative: not registered. Written before the card is there for others,
 *	and when it is removed
 * @lock: protects @card
 * @card: NULL when it is gone
 * @windows: register windows, one per channel; constant, as their number
 * @nr_windows: number of windows
 * @window_work: looks which of them the card withholds
 * @counters: what is mapped of it; vmalloc_user()
 * @refresh: reads what the card has counted, now and then while there are files
 * @event_lock: protects the rest
 * @files: files that are open
 * @gone: no event comes any more
 * @unsent: events to be multicast
 * @work: does so
 */
struct daq_ctl {
	struct device dev;
	struct cdev cdev;
	int id;
	struct mutex lock;	/* the way from here to the card */
	struct daq_card *card;
	struct daq_window *windows;
	u32 nr_windows;
	struct work_struct window_work;
	struct daq_counters_page *counters;
	struct delayed_work refresh;
	spinlock_t event_lock;	/* files and events; taken in hard interrupts */
	struct list_head files;
	bool gone;
	struct daq_event_queue unsent;
	struct work_struct work;
};

/**
 * struct daq_card - a card and its interface
 * @netdev: the interface
 * @dev: the device that does DMA
 * @ops: way to the registers
 * @channels: number of channels, and most queues
 * @serial: its serial number; 0: unknown
 * @up: it runs; written under RTNL. An interface that is up may have a card that
 *	is asleep.
 * @has_places: it is known where its channels go on after a reset; as @up
 * @is_cut_off: it did not stop and can do nothing until it is reset; as @up
 * @polled: it does not interrupt: @timer looks after its queues. As @kicked
 *	    written while the interface is down.
 * @kicked: it moves nothing by itself
 * @nr_queues: number of queues in use, the first ones; written under RTNL
 * @chans: channels
 * @queues: queues
 * @xdp_prog: XDP program; written under RTNL
 * @rx_ring_size: entries of the receive ring of a queue; as @tx_ring_size,
 *		  @rx_frames and @rx_usecs written under RTNL
 * @tx_ring_size: entries of its transmit ring
 * @rx_frames: frames per report to the host
 * @rx_usecs: bound on the age of what is not reported, microseconds
 * @timer: looks for news if it is @polled
 * @ptp: the clock
 * @hwtstamp: which packets of the stack get its time; written under RTNL
 * @health: its errors
 * @ctl: its control device, and what else outlives it
 * @stats: where the card reports what it counts, of all channels
 * @stats_dma: its address for the card
 */
struct daq_card {
	struct net_device *netdev;
	struct device *dev;
	const struct daq_hw_ops *ops;
	u32 channels;
	u64 serial;
	bool up;
	bool has_places;
	bool is_cut_off;
	bool polled;
	bool kicked;
	u32 nr_queues;
	struct daq_chan *chans;
	struct daq_queue *queues;
	struct bpf_prog __rcu *xdp_prog;
	u32 rx_ring_size;
	u32 tx_ring_size;
	u32 rx_frames;
	u32 rx_usecs;
	struct daq_timer timer;
	struct daq_ptp ptp;
	struct kernel_hwtstamp_config hwtstamp;
	struct daq_health health;
	struct daq_ctl *ctl;
	struct daq_chan_stats *stats;
	dma_addr_t stats_dma;
};

/* daq_netdev.c */
void daq_setup(struct net_device *netdev);
int daq_card_init(struct daq_card *card, struct net_device *netdev);
void daq_card_free(struct daq_card *card);
int daq_card_register(struct daq_card *card,
		      int (*add)(struct net_device *netdev));
int daq_up(struct daq_card *card);
void daq_down(struct daq_card *card);
bool daq_is_card(const struct net_device *netdev);
void daq_irq(struct daq_queue *q);

/* daq_queue.c */
int daq_rings_alloc(struct daq_card *card, struct daq_rx_ring *rx, u32 rx_size,
		    struct daq_tx_ring *tx, u32 tx_size);
void daq_rings_free(struct daq_card *card, struct daq_rx_ring *rx,
		    struct daq_tx_ring *tx);
int daq_queue_alloc(struct daq_queue *q);
void daq_queue_free(struct daq_queue *q);
void daq_queue_start(struct daq_queue *q);
void daq_queue_kick(struct daq_queue *q);
void daq_queue_flush(struct daq_queue *q);
void daq_queue_stop(struct daq_queue *q);
void daq_queue_watch(struct daq_queue *q);
int daq_poll(struct napi_struct *napi, int budget);

/* daq_timer.c */
bool daq_kick(struct daq_card *card);
void daq_timer_wait(struct daq_queue *q);
void daq_timer_forget(struct daq_queue *q);
void daq_timer_stop(struct daq_card *card);
void daq_timer_set(struct daq_card *card, u32 period, u32 shortest, u32 longest,
		   bool adaptive);
void daq_set_personality(struct daq_card *card, u32 caps);
void daq_timer_init(struct daq_card *card);

/* daq_stats.c */
extern const struct netdev_stat_ops daq_stat_ops;

/**
 * struct daq_chan_counts - a channel's counters at one moment
 * @count: segments and packets, by enum daq_rx_count
 * @frames: delivered segments that ended a frame
 */
struct daq_chan_counts {
	u64 count[DAQ_RX_COUNTS];
	u64 frames;
};

void daq_read_chan_counts(const struct daq_chan *chan,
			  struct daq_chan_counts *counts);
void daq_read_queue_counts(const struct daq_queue *q,
			   struct daq_queue_counters *counts);
void daq_get_stats64(struct net_device *netdev,
		     struct rtnl_link_stats64 *stats);

/* daq_chan.c */
void daq_chan_start(struct daq_card *card, u32 channel);
void daq_chan_stop(struct daq_card *card, u32 channel);
void daq_chan_move(struct daq_card *card, u32 channel, u32 queue);
int daq_chan_set_format(struct daq_card *card, u32 channel,
			const struct daq_format *format,
			struct netlink_ext_ack *extack);
void daq_count_suspend(struct daq_card *card);
void daq_save_places(struct daq_card *card);
void daq_restore_places(struct daq_card *card, bool asleep);

/* daq_reconf.c */
int daq_set_ring_sizes(struct daq_card *card, u32 rx_size, u32 tx_size);
int daq_set_queues(struct daq_card *card, u32 count);
void daq_restart(struct daq_card *card);

/* daq_rx.c */
extern const struct xdp_metadata_ops daq_xdp_metadata_ops;
bool daq_rx_refill(struct daq_queue *q);
int daq_rx_poll(struct daq_queue *q, int budget);
void daq_rx_drain(struct daq_queue *q);
dma_addr_t daq_chunk_dma(struct daq_queue *q, struct xdp_buff *xdp);
void daq_hold_chunk(struct daq_queue *q, struct xdp_buff *xdp);
void daq_free_chunk(struct daq_queue *q, struct xdp_buff *xdp);

/* daq_tap.c */
bool daq_is_tapped(const struct net_device *netdev);
void daq_show_to_tap(struct daq_queue *q, const struct xdp_buff *xdp,
		     u32 hdr_len, u64 timestamp);

/* daq_tx.c */
netdev_tx_t daq_start_xmit(struct sk_buff *skb, struct net_device *netdev);
void daq_tx_poll(struct daq_queue *q, int budget);
void daq_tx_drain(struct daq_queue *q);

/* daq_tx_xdp.c */
bool daq_tx_xdp(struct daq_queue *q, struct xdp_buff *xdp);
int daq_xdp_xmit(struct net_device *netdev, int n, struct xdp_frame **frames,
		 u32 flags);

/* daq_tx_xsk.c */
extern const struct xsk_tx_metadata_ops daq_tx_metadata_ops;

/* daq_xdp.c */
int daq_change_mtu(struct net_device *netdev, int mtu);
int daq_bpf(struct net_device *netdev, struct netdev_bpf *bpf);
int daq_xsk_wakeup(struct net_device *netdev, u32 queue, u32 flags);

bool daq_fits_one_buffer(const struct bpf_prog *prog, u32 segment_bytes);

/* daq_steer.c */
void daq_default_table(struct daq_card *card);
u32 daq_get_rxfh_indir_size(struct net_device *netdev);
int daq_get_rxfh(struct net_device *netdev, struct ethtool_rxfh_param *rxfh);
int daq_set_rxfh(struct net_device *netdev, struct ethtool_rxfh_param *rxfh,
		 struct netlink_ext_ack *extack);
int daq_get_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *info,
		  u32 *rules);
int daq_set_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *info);

/* daq_diag.c */
#define DAQ_TESTS	5

extern const char daq_test_names[DAQ_TESTS][ETH_GSTRING_LEN];
int daq_get_regs_len(struct net_device *netdev);
void daq_get_regs(struct net_device *netdev, struct ethtool_regs *regs,
		  void *data);
void daq_self_test(struct net_device *netdev, struct ethtool_test *test,
		   u64 *results);

/* daq_devlink.c */
void daq_report_error(struct daq_card *card, enum daq_error error);
int daq_devlink_alloc(struct daq_card *card);
void daq_devlink_show(struct daq_card *card);
void daq_devlink_free(struct daq_card *card);

/* daq_ethtool.c */
extern const struct ethtool_ops daq_ethtool_ops;

/* daq_ptp.c */
int daq_ptp_register(struct daq_card *card);
void daq_ptp_unregister(struct daq_card *card);
void daq_ptp_save(struct daq_card *card);
void daq_ptp_restore(struct daq_card *card);
int daq_get_ts_info(struct net_device *netdev,
		    struct kernel_ethtool_ts_info *info);
int daq_hwtstamp_get(struct net_device *netdev,
		     struct kernel_hwtstamp_config *config);
int daq_hwtstamp_set(struct net_device *netdev,
		     struct kernel_hwtstamp_config *config,
		     struct netlink_ext_ack *extack);

/* daq_counters.c */
int daq_counters_alloc(struct daq_card *card);
void daq_counters_free(struct daq_card *card);
void daq_counters_init(struct daq_ctl *ctl);
int daq_counters_mmap(struct daq_ctl *ctl, struct vm_area_struct *vma);
void daq_counters_watch(struct daq_ctl *ctl);
void daq_counters_unwatch(struct daq_ctl *ctl);
void daq_counters_take(struct daq_card *card, u32 channel);
u64 daq_chan_read_whole(struct daq_card *card, u32 channel, u32 reg);
u64 daq_chan_read64(struct daq_card *card, u32 channel, u32 reg);
u64 daq_chan_since_reset(const struct daq_chan *chan, u32 reg);
void daq_take_counters(struct daq_card *card);
void daq_read_counters(struct daq_card *card);
void daq_keep_counters(struct daq_card *card);
void daq_settle_counters(struct daq_card *card);

/* daq_ctl.c */
int daq_ctl_init(void);
void daq_ctl_exit(void);
int daq_ctl_alloc(struct daq_card *card);
int daq_ctl_register(struct daq_card *card);
void daq_ctl_set_state(struct daq_card *card, enum daq_state state);
void daq_ctl_lose(struct daq_card *card);
void daq_ctl_unregister(struct daq_card *card);
void daq_ctl_free(struct daq_card *card);

/* daq_event.c */
void daq_event(struct daq_card *card, enum daq_event_type type, u32 channel,
	       u32 reason, u64 value);
bool daq_event_take(struct daq_ctl *ctl, struct daq_event_queue *queue,
		    struct daq_event *event);
void daq_event_forget(struct daq_ctl *ctl, struct daq_event_queue *queue,
		      const struct daq_event *event);
void daq_event_flush(struct daq_ctl *ctl);
void daq_event_stop(struct daq_ctl *ctl);
void daq_event_init(struct daq_ctl *ctl);

/* daq_window.c */
int daq_window_mmap(struct daq_file *file, struct vm_area_struct *vma,
		    u64 channel);
bool daq_has_windows(struct daq_card *card);
void daq_window_set(struct daq_card *card, u32 channel, enum daq_reason reason,
		    bool granted);
void daq_windows_revoke(struct daq_card *card, enum daq_reason reason);
void daq_windows_grant(struct daq_card *card);
void daq_windows_look(struct daq_card *card);
void daq_windows_begin(struct daq_card *card);
void daq_windows_stop(struct daq_ctl *ctl);
int daq_windows_init(struct daq_ctl *ctl, u32 channels);
void daq_windows_free(struct daq_ctl *ctl);

/* daq_netlink.c */
void daq_netlink_event(struct daq_card *card, const struct daq_event *event);
int daq_netlink_init(void);
void daq_netlink_exit(void);

/* daq_soft.c */
int daq_soft_init(void);
void daq_soft_exit(void);

/* daq_pci.c */
#ifdef CONFIG_PCI
int daq_pci_init(void);
void daq_pci_exit(void);
#else
static inline int daq_pci_init(void)
{
	return 0;
}

static inline void daq_pci_exit(void)
{
}
#endif

/*
 * Counters that are mapped are read while they are written. Who does finds @seq odd,
 * or changed, and tries again. The writer must not be held up: bottom halves are off, or
 * interrupts.
 */
static inline void daq_counters_begin(u32 *seq)
{
	preempt_disable_nested();
	WRITE_ONCE(*seq, *seq + 1);
	smp_wmb(); /* pairs with that of who reads, as in the end */
}

static inline void daq_counters_end(u32 *seq)
{
	smp_wmb(); /* the counters, then that they are complete */
	WRITE_ONCE(*seq, *seq + 1);
	preempt_enable_nested();
}

/* Return: what to give to daq_counters_retry(). */
static inline u32 daq_counters_look(const u32 *seq)
{
	u32 start;

	while ((start = READ_ONCE(*seq)) & 1)
		cpu_relax();
	smp_rmb(); /* pairs with daq_counters_end() */
	return start;
}

static inline bool daq_counters_retry(const u32 *seq, u32 start)
{
	smp_rmb(); /* pairs with daq_counters_begin() */
	return READ_ONCE(*seq) != start;
}

static inline void daq_count_add(struct daq_count *count, u64 segments, u64 frames,
				 u64 bytes)
{
	count->segments += segments;
	count->frames += frames;
	count->bytes += bytes;
}

static inline bool daq_reachable(struct daq_card *card)
{
	return !card->ops->reachable || card->ops->reachable(card);
}

/* Buffers of the last part of a receive ring. */
static inline u32 daq_rx_low(const struct daq_rx_ring *rx)
{
	return min_t(u32, DAQ_RX_LOW, (rx->mask + 1) / 2);
}

/* Whether the card has reported more than was handled. */
static inline bool daq_has_news(const struct daq_queue *q)
{
	return le32_to_cpu(READ_ONCE(q->status->rx)) != READ_ONCE(q->rx.seen) ||
	       le32_to_cpu(READ_ONCE(q->status->tx)) != READ_ONCE(q->tx.done);
}

static inline u32 daq_queue_read(struct daq_queue *q, u32 reg)
{
	return q->card->ops->read32(q->card, DAQ_REG_QUEUE(q->index) + reg);
}

static inline void daq_queue_write(struct daq_queue *q, u32 reg, u32 val)
{
	q->card->ops->write32(q->card, DAQ_REG_QUEUE(q->index) + reg, val);
}

static inline void daq_queue_write64(struct daq_queue *q, u32 reg, u64 val)
{
	daq_queue_write(q, reg, lower_32_bits(val));
	daq_queue_write(q, reg + 4, upper_32_bits(val));
}

static inline void daq_queue_doorbell(struct daq_queue *q, u32 reg, u32 val)
{
	q->card->ops->doorbell(q->card, DAQ_REG_QUEUE(q->index) + reg, val);
}

#endif /* _DAQ_H */
