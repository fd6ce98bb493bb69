/* SPDX-License-Identifier: GPL-2.0 */
/*
 * daq-card: a DAQ card of Documentation/card.rst as a process, behind a
 * vfio-user socket, for a virtual machine to see on its PCI bus.
 *
 * Two threads. The main one answers the client and never waits for it; the
 * engine runs the card model, moves the data and does all DMA. Everything that
 * comes from the client is checked: neither it nor its guest is trusted.
 */
#ifndef SELFTESTS_CARD_H
#define SELFTESTS_CARD_H

#include <pthread.h>
#include <stdio.h>
#include "daq_model.h"

#define CARD_VENDOR	0xdac0
#define CARD_DEVICE	0x0001

#define CARD_CONFIG_SIZE	4096
#define CARD_MSIX_PBA		0x8000
#define CARD_MSIX_BAR_SIZE	0x10000

enum card_interrupts {
	CARD_NO_INTERRUPTS,
	CARD_MSI,
	CARD_MSIX,
};

/* Numbers of regions on the bus, which are vfio's. */
enum card_region {
	CARD_BAR0 = 0,
	CARD_BAR2 = 2,
	CARD_BAR4 = 4,
	CARD_CONFIG = 7,
	CARD_REGIONS = 9,
};

/* log.c: one line per fact, for tests to read */

/* A file grows no longer than this, but for what is told at the end. */
#define LOG_LIMIT	(64ull << 20)

/**
 * struct card_log - where facts go
 * @file: NULL: nowhere
 * @start: time of power on, ns
 * @lock: everything below; keeps lines whole, too
 * @room: bytes that may still be written
 * @left_out: lines for which there was no room
 */
struct card_log {
	FILE *file;
	u64 start;
	pthread_mutex_t lock;
	u64 room;
	u64 left_out;
};

void log_init(struct card_log *log, FILE *file, u64 limit);
void log_finish(struct card_log *log);
__attribute__((format(printf, 2, 3)))
void log_fact(struct card_log *log, const char *fmt, ...);
u64 card_time(void);

/* guard.c: memory of files that others may cut short */

void guard_install(void);
int guard_add(const void *base, u64 size);
void guard_remove(const void *base);

/* dma.c: the guest's memory */

#define DMA_READABLE		1
#define DMA_WRITABLE		2
/* Files that memory is made of; a machine has a handful. */
#define DMA_BACKINGS		64
#define DMA_MAX_WINDOWS		65535

struct dma_backing {
	u64 dev;
	u64 ino;
	u8 *base;
	u64 size;
	bool writable;
};

struct dma_window {
	u64 addr;
	u64 size;
	u64 offset;	/* in the backing */
	u32 flags;
	s32 backing;	/* -1: none, use messages */
};

/**
 * struct dma - what the card can reach of the guest's memory
 * @lock: everything here but @master; the engine holds it for reading during a
 *	  step, so a window is gone only when no DMA uses it any more
 * @window: sorted, without overlaps
 * @count: windows
 * @room: windows that there is memory for
 * @backing: files, mapped until the client leaves
 * @backings: their number
 * @master: the bus master bit
 * @message: move bytes where there is no backing; called with @lock held for
 *	     reading, which it drops meanwhile
 * @ctx: its first argument
 * @maps: windows ever made
 * @unmaps: windows ever removed
 * @refused: accesses outside of windows, or against their flags
 */
struct dma {
	pthread_rwlock_t lock;
	struct dma_window *window;
	u32 count;
	u32 room;
	struct dma_backing backing[DMA_BACKINGS];
	u32 backings;
	bool master;
	bool (*message)(void *ctx, bool write, u64 addr, void *buf, u32 len);
	void *ctx;
	u64 maps;
	u64 unmaps;
	u64 refused;
};

void dma_init(struct dma *dma);
int dma_map(struct dma *dma, const struct dma_window *window, int fd);
int dma_unmap(struct dma *dma, u64 addr, u64 size);
void dma_unmap_all(struct dma *dma);
void dma_drop(struct dma *dma);
void dma_set_master(struct dma *dma, bool on);
void *dma_direct(struct dma *dma, u64 addr, u32 len, u32 need);
bool dma_read(struct dma *dma, u64 addr, void *buf, u32 len);
bool dma_write(struct dma *dma, u64 addr, const void *buf, u32 len);
bool dma_publish(struct dma *dma, u64 addr, __le32 word);

/* irq.c: interrupts */

#define IRQ_VECTORS	(DAQ_MAX_CHANNELS + 1)

/**
 * struct irqs - interrupt vectors
 * @lock: everything here: both threads raise interrupts
 * @kind: how they reach the guest
 * @vectors: that the card has
 * @fd: eventfd of each one, -1: none
 * @pending: those raised without an eventfd
 * @raised: interrupts of each vector
 */
struct irqs {
	pthread_mutex_t lock;
	enum card_interrupts kind;
	u32 vectors;
	int fd[IRQ_VECTORS];
	bool pending[IRQ_VECTORS];
	u64 raised[IRQ_VECTORS];
};

void irqs_init(struct irqs *irqs, enum card_interrupts kind, u32 vectors);
int irqs_arm(struct irqs *irqs, u32 start, u32 count, int *fds);
void irqs_disarm(struct irqs *irqs, u32 start, u32 count);
void irqs_raise(struct irqs *irqs, u32 vector);
u32 irqs_pending(struct irqs *irqs, u32 word);

/* config.c: PCI configuration space; main thread only */

struct config {
	u8 byte[CARD_CONFIG_SIZE];
	u8 writable[CARD_CONFIG_SIZE];
	bool master;
	bool flr;	/* a function level reset has been asked for */
};

/* feed.c: what is connected to the card's inputs and outputs */

struct feed;

struct feed *feed_open_input(const char *path, bool loop, char *error, size_t size);
struct feed *feed_open_output(const char *path, char *error, size_t size);
void feed_start(struct feed *feed, void (*news)(void *ctx), void *ctx);
void feed_hold(struct feed *feed, bool hold);
bool feed_rewind(struct feed *feed);
u32 feed_peek(struct feed *feed, u64 pos, u32 len, bool *last);
void feed_pull(struct feed *feed, u64 pos, void *buf, u32 len);
void feed_release(struct feed *feed, u64 pos);
bool feed_has_room(struct feed *feed, u32 len);
void feed_push(struct feed *feed, const void *buf, u32 len);
u64 feed_bytes(struct feed *feed);
void feed_close(struct feed *feed);

/* fault.c: what may go wrong, by chance */

enum fault_kind {
	FAULT_DROP,
	FAULT_CORRUPT,
	FAULT_DUPLICATE,
	/* From here on of a completion, which has one at most. */
	FAULT_LENGTH,
	FAULT_INDEX,
	FAULT_BUFFERS,
	FAULT_CHANNEL,
	/* And from here on of something else. */
	FAULT_LATE_DMA,
	FAULT_REPORT,
	FAULT_LOST_IRQ,
	FAULT_SPURIOUS_IRQ,
	FAULT_STUCK_READY,
	FAULT_KINDS
};

struct faults {
	pthread_mutex_t lock;	/* everything here: both threads ask */
	u64 state;
	double rate[FAULT_KINDS][DAQ_MAX_CHANNELS];
	u64 injected[FAULT_KINDS][DAQ_MAX_CHANNELS];
};

void faults_init(struct faults *faults, u64 seed);
bool faults_set(struct faults *faults, const char *spec, char *error, size_t size);
void faults_clear(struct faults *faults);
bool fault_strikes(struct faults *faults, enum fault_kind kind, u32 channel);
u64 fault_random(struct faults *faults);
const char *fault_name(enum fault_kind kind);

u64 faults_injected(const struct faults *faults, enum fault_kind kind);

/* late.c: DMA to memory that is not the card's any more */

/**
 * struct late - DMA that comes late; the engine's own
 * @last: where the latest segment of each channel ended; 0: there was none
 * @addr: what to write to, 0: nothing
 * @due: when
 * @next: the earliest of these, U64_MAX: none
 * @landed: writes that came through
 * @refused: writes that did not
 */
struct late {
	u64 last[DAQ_MAX_CHANNELS];
	u64 addr[DAQ_MAX_CHANNELS];
	u64 due[DAQ_MAX_CHANNELS];
	u64 next;
	u64 landed;
	u64 refused;
};

struct card;

void late_forget(struct late *late);
void late_plan(struct card *card, u32 channel);
void late_write(struct card *card);

/* gauge.c: how near to a loss it came, and what it costs */

/**
 * struct gauges - extremes since the last report
 * @buffers_left: fewest buffers that a queue had after a segment of the channel;
 *		  -1: there was none
 * @fifo_most: most segments that ever waited to be kicked
 *
 * The engine writes them, a report begins anew: at worst one segment of a report's
 * very moment counts in neither.
 */
struct gauges {
	u32 buffers_left[DAQ_MAX_CHANNELS];
	u32 fifo_most[DAQ_MAX_CHANNELS];
};

void gauges_reset(struct gauges *gauges);
void gauges_note(struct gauges *gauges, const struct daq_model *m, u32 channel,
		 const struct daq_rx_cmpl *cmpl);
u64 gauges_cpu_time(void);

/* engine.c: the card itself */

#define ENGINE_OPS	4096

enum engine_mode {
	ENGINE_RUNS,
	ENGINE_STUCK,	/* answers, but nothing happens */
	ENGINE_GONE,
};

struct engine_op {
	u32 reg;
	u32 val;
};

/**
 * struct engine - the thread that runs the model
 * @thread: itself
 * @model: the card; only the thread writes to it, but for doorbells
 * @lock: everything below
 * @wake: there is something to do
 * @idle: something has been done
 * @op: register writes to come, in order; a ring
 * @head: register writes ever asked for
 * @tail: register writes done
 * @reset: the model is to be powered on again
 * @held: user pages that the card withholds, a bit per channel
 * @hold: the model is to be told of @held
 * @kicked: look at the model again
 * @in_message: waits for the client to do DMA; so nobody may wait for us
 * @stop: the end
 * @mode: what it does at all
 */
struct engine {
	pthread_t thread;
	struct daq_model model;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t idle;
	struct engine_op op[ENGINE_OPS];
	u32 head;
	u32 tail;
	u64 held;
	bool reset;
	bool hold;
	bool kicked;
	bool in_message;
	bool stop;
	enum engine_mode mode;
};

/* vfio_user.c: the client */

#define LINK_MAX_FDS	16
/* The longest message: 64 KiB of data behind 32 bytes. */
#define LINK_DATA	65536
#define LINK_MAX	(32 + LINK_DATA)

/**
 * struct link - the connection to the client
 * @fd: -1: nobody is there
 * @in: the message that is coming in; main thread only, as the next ones
 * @have: bytes of it
 * @fds: that came with it, -1: taken
 * @nfds: their number
 * @greeted: the version has been agreed upon
 * @tx: messages leave one by one
 * @lock: DMA by messages, below
 * @answered: a reply is there, or none will come
 * @dma_id: number of the latest one
 * @waiting: for a reply
 * @failed: it is an error
 * @closed: no DMA any more: reset, or the end
 * @data: what was read
 * @data_len: and how much is expected
 */
struct link {
	int fd;
	u8 in[LINK_MAX] __aligned(8);
	u32 have;
	int fds[LINK_MAX_FDS];
	u32 nfds;
	bool greeted;

	pthread_mutex_t tx;

	pthread_mutex_t lock;
	pthread_cond_t answered;
	u16 dma_id;
	bool waiting;
	bool failed;
	bool closed;
	u8 data[LINK_DATA];
	u32 data_len;
};

/* card.c: the whole */

/* Counters of a channel, of all the times between two resets together. */
struct card_sum {
	u64 produced;
	u64 no_buffer;
	u64 too_long;
	u64 fifo_overrun;
};

struct card_options {
	u32 channels;
	u64 serial;	/* number; 0: none */
	u32 caps;
	u32 fifo;	/* segments; 0: as few as there may be */
	enum card_interrupts interrupts;
	u64 seed;
	FILE *log;
	u64 log_limit;	/* bytes */
	struct feed *input[DAQ_MAX_CHANNELS];
	struct feed *output[DAQ_MAX_CHANNELS];
};

/**
 * struct card - everything
 * @listener: where clients come from
 * @control_listener: where commands come from, -1: nowhere
 * @control: who gives commands, -1: nobody
 * @command: the command that is coming in
 * @command_len: bytes of it
 * @stop: eventfd that ends card_run()
 * @late: DMA after the end
 * @past: what channels had counted when the card was reset
 * @user: user pages; the main thread writes to them
 * @user_writes: writes to those that are open
 * @user_refused: and to others
 * @bad_messages: that the client has sent
 * @clients: that have been there
 */
struct card {
	struct card_options opt;
	struct card_log log;
	struct dma dma;
	struct irqs irqs;
	struct config config;
	struct faults faults;
	struct gauges gauges;
	struct engine engine;
	struct late late;
	struct card_sum past[DAQ_MAX_CHANNELS];
	struct link link;
	int listener;
	int control_listener;
	int control;
	char command[256];
	u32 command_len;
	int stop;
	__le32 user[DAQ_MAX_CHANNELS][DAQ_USER_PAGE_SIZE / 4];
	u64 user_writes;
	u64 user_refused;
	u64 bad_messages;
	u64 clients;
};

void config_init(struct card *card);
void config_read(struct card *card, u32 offset, u8 *buf, u32 count);
void config_write(struct card *card, u32 offset, const u8 *buf, u32 count);

int engine_start(struct card *card);
void engine_stop(struct card *card);
void engine_kick(struct card *card);
void engine_reset(struct card *card, const char *why);
void engine_set_mode(struct card *card, enum engine_mode mode);
void engine_write(struct card *card, u32 reg, u32 val);
u32 engine_read(struct card *card, u32 reg);
bool engine_user_write(struct card *card, u32 channel, u32 offset, u32 val);
u32 engine_user_read(struct card *card, u32 channel, u32 offset);
void engine_withhold(struct card *card, u32 channel, bool held);
/* Around a wait for the client: others know not to wait for the engine. */
void engine_begin_message(struct card *card);
void engine_end_message(struct card *card);

/* region.c: what the guest can address */

u64 region_size(const struct card *card, u32 index);
int region_read(struct card *card, u32 index, u64 offset, u8 *buf, u32 count);
int region_write(struct card *card, u32 index, u64 offset, const u8 *buf, u32 count);

void link_init(struct link *link);
void link_open(struct card *card, int fd);
bool link_receive(struct card *card);
void link_hang_up(struct link *link);
void link_close(struct card *card);
void link_refuse_dma(struct link *link, bool refuse);
bool link_dma(void *ctx, bool write, u64 addr, void *buf, u32 len);

/* control.c */

void control_accept(struct card *card);
void control_receive(struct card *card);

int card_open(struct card *card, const struct card_options *opt);
void card_function_reset(struct card *card, const char *why);
void card_set_mode(struct card *card, enum engine_mode mode);
void card_log_channels(struct card *card);
void card_keep_counters(struct card *card);
void card_report(struct card *card, void (*line)(void *ctx, const char *text), void *ctx);
void card_run(struct card *card);
void card_close(struct card *card);
int card_listen(const char *path);

#endif /* SELFTESTS_CARD_H */
