/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client of daq-card, as QEMU is one, in the same process as the card: with a
 * guest's memory that shows what the card wrote, and where.
 */
#ifndef CARD_CLIENT_H
#define CARD_CLIENT_H

#include "card.h"
#include "ktap.h"
#include "vfio_user.h"

/* The guest's memory begins here; the first and the last MiB are no window. */
#define GUEST		0x40000000ull
#define GUEST_SIZE	(24u << 20)
#define GUEST_FENCE	(1u << 20)
#define GUEST_POISON	0xa5

/* In it, for queue @q. */
#define RING		256u
#define BUF		4096u
#define HEAD		256u
#define HEAD_LEN	3520u
#define STATUS(q)	(GUEST + GUEST_FENCE + 64 * (q))
#define RX_DESC(q)	(GUEST + GUEST_FENCE + 0x10000 * (1 + (q)))
#define RX_CMPL(q)	(RX_DESC(q) + 0x2000)
#define TX_DESC(q)	(RX_DESC(q) + 0x8000)
#define BUFS(q)		(GUEST + (4u << 20) + RING * BUF * (u64)(q))
#define TX_DATA		(GUEST + (20u << 20))

enum client_answer {
	CLIENT_ANSWERS,		/* does the DMA that it is asked for */
	CLIENT_REFUSES,
	CLIENT_IS_SILENT,
};

/**
 * struct client - the client, and the card
 * @card: the card
 * @thread: that serves
 * @folder: of its sockets
 * @fd: connection
 * @id: of the latest message
 * @memfd: the guest's memory
 * @memory: the same
 * @answer: to DMA by messages
 * @asked: how often there was any
 * @posted: buffers posted on each queue
 */
struct client {
	struct card *card;
	pthread_t thread;
	char folder[64];
	int fd;
	u16 id;
	int memfd;
	u8 *memory;
	enum client_answer answer;
	u32 asked;
	u32 posted[DAQ_MAX_CHANNELS];
};

void client_start(struct client *c, const struct card_options *opt);
void client_stop(struct client *c);
void client_path(const struct client *c, const char *name, char *path, size_t size);
void client_connect(struct client *c);
void client_disconnect(struct client *c);
void client_greet(struct client *c);
int client_call(struct client *c, u16 command, const void *body, u32 len, const int *fds,
		u32 nfds, void *reply, u32 reply_len);
bool client_serve(struct client *c, int timeout_ms);

int client_map(struct client *c, u64 addr, u64 size, u64 offset, u32 flags, int fd);
int client_unmap(struct client *c, u64 addr, u64 size);
void client_map_memory(struct client *c);
int client_read(struct client *c, u32 region, u64 offset, void *buf, u32 count);
int client_write(struct client *c, u32 region, u64 offset, const void *buf, u32 count);
u32 client_reg(struct client *c, u32 reg);
void client_set_reg(struct client *c, u32 reg, u32 val);
void client_set_reg64(struct client *c, u32 reg, u64 val);
void client_set_master(struct client *c, bool on);
int client_arm_irqs(struct client *c, u32 index, u32 start, u32 count, const int *fds);

u8 *client_memory(struct client *c, u64 addr);
void client_start_queue(struct client *c, u32 q, u32 ctrl);
void client_post(struct client *c, u32 q, u32 count);
void client_start_chan(struct client *c, u32 ch, u32 source, u32 segment, u64 rate);
u32 client_reported(struct client *c, u32 q);
bool client_wait_reported(struct client *c, u32 q, u32 count);
struct daq_rx_cmpl client_completion(struct client *c, u32 q, u32 n);
struct daq_hdr client_header(struct client *c, u32 q, u32 n);
bool client_fences_hold(struct client *c);

#endif /* CARD_CLIENT_H */
