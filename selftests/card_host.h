/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host for the card model without a kernel, with a memory that notices every
 * access outside of what was given to the card.
 */
#ifndef CARD_HOST_H
#define CARD_HOST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "daq_model.h"
#include "daq_wire.h"
#include "ktap.h"

#define QUEUES		8
#define RING		256u
#define BUF		4096u
#define HEAD		256u
#define HEAD_LEN	3520u
#define POISON		0xa5

/* Addresses start here, so that 0 and other small numbers are wrong ones. */
#define BASE		0x100000000ull
#define STATUS(q)	(BASE + 64 * (q))
#define RX_DESC(q)	(BASE + 0x10000 + 0x10000 * (q))
#define RX_CMPL(q)	(RX_DESC(q) + 0x2000)
#define TX_DESC(q)	(RX_DESC(q) + 0x8000)
#define STATS(ch)	(BASE + 0x4000 + 512 * (ch))
#define BUFS(q)		(BASE + 0x100000 + (u64)RING * BUF * (q))
#define TX_DATA		BUFS(QUEUES)
#define MEMORY		(TX_DATA + 0x100000 - BASE)

/* What is connected to every channel, and what of it has been used. */
struct attached {
	u64 there;		/* bytes that inputs have so far */
	bool ended;		/* and there will be no more */
	u64 released;		/* bytes that nobody needs any more */
	unsigned int early;	/* times that the card took what was not there */
	unsigned int full;	/* times more that outputs take nothing */
	u8 played[65536];
	u32 length;		/* of it */
};

struct host {
	u8 *memory;
	u64 now;
	unsigned int raised[QUEUES + 1];
	unsigned int outside;	/* accesses to memory that is not the card's */
	u64 longest;		/* access */
	unsigned int cabled;	/* times that the far end was to look */
	bool kicked;		/* the far end is this card: step again */
	enum daq_tamper tamper;	/* what happens to the next completion */
	struct attached attached;
	__le32 user[DAQ_MAX_CHANNELS][DAQ_USER_PAGE_SIZE / 4];
	u64 tampered;		/* address of its segment's last data */
};

extern const struct daq_model_host card_services;
extern struct host host;
extern struct daq_model model;
extern u32 posted[QUEUES];
extern u32 sent[QUEUES];

/* What an input has at a place. */
static inline u8 outside_byte(u64 pos)
{
	return pos * 7 + pos / 256;
}

u8 *memory_at(u64 addr, u64 len);
bool host_read(void *ctx, u64 addr, void *buf, u32 len);
bool host_write(void *ctx, u64 addr, const void *buf, u32 len);
void write64(u32 reg, u64 val);
u64 read64(u32 reg);
void set_queue(u32 q, u32 reg, u32 val);
void set_chan(u32 ch, u32 reg, u32 val);
u64 counter(u32 ch, u32 reg);
void start_queue(u32 q);
void power_on_with(u32 channels, u32 caps);
void power_on(u32 channels);
u64 buffer(u32 q, u32 index);
void post(u32 q, u32 count);
void start_chan(u32 ch, u32 source, u32 sample, u32 segment, u32 frame, u64 rate);
void run_until(u64 end);
void run(u64 ns);
void run_segments(u32 ch, u64 count);
u32 reported(u32 q);
u32 tx_reported(u32 q);
/* A channel's counters are to be reported; what was, and how many times. */
void start_stats(u32 ch);
struct daq_chan_report stats_of(u32 ch);
u32 stats_index(u32 ch);
struct daq_rx_cmpl completion(u32 q, u32 n);
const u8 *head_of(u32 q, u32 n);
struct daq_hdr header(u32 q, u32 n);
bool is_counter(const u8 *data, u64 first_byte, u32 len);
void arm(u32 q, u32 rx, u32 tx);
void send_at(u64 launch, u32 q, u64 addr, u32 len, u32 flags);
void send_desc(u32 q, u64 addr, u32 len, u32 flags);
void make_segment(u32 payload, u8 flags);

#endif /* CARD_HOST_H */
