/* SPDX-License-Identifier: GPL-2.0 */
/* Consumers of the bench, one for each design. */
#ifndef BENCH_CONSUMER_H
#define BENCH_CONSUMER_H

#include "../guest.h"
#include "daq_bench.h"

/* What is received, and how. */
struct bench_options {
	const struct bench_case *which;
	unsigned int segment;
	unsigned int frame;
	unsigned int channels;
	unsigned int frames;	/* to be counted */
	unsigned int rx_frames;	/* per interrupt */
	unsigned int poll_us;
	size_t buffer;		/* of the library, per channel; 0: its own choice */
	u64 rate;		/* bytes per second, of all channels together */
	bool touch;		/* read every byte */
	bool events;		/* count all events */
	bool tap;		/* one comes and goes, and it is counted before that, too */
};

/* The card is the daq driver's, not the module's own. */
#define BENCH_OF_CARD	0x1
/* The source wakes the consumer, without an interrupt of its own. */
#define BENCH_WOKEN	0x2

/* A consumer: the functions end the program when they cannot do their work. */
struct bench_case {
	const char *name;
	const char *title;
	unsigned int flags;
	void (*open)(const struct bench_options *options);
	/* receives until the frame that is number @until has come */
	void (*receive)(unsigned int until);
	/* frames and segments so far that it has not got and no header tells of */
	u64 (*lost)(void);
	void (*close)(void);
};

extern const struct bench_case bench_cases[];
extern int bench_fd;
extern volatile unsigned int bench_frames;

/* What packet sockets listen to; NULL: the card. */
extern const char *bench_interface;

/* Sockets, which veth is received with, too. */
int bench_open_bare(const struct bench_options *options, unsigned int mode);
void bench_receive_bare(unsigned int until);
u64 bench_bare_lost(void);
void bench_close_bare(void);
void bench_open_packets(const struct bench_options *options);
void bench_receive_packets(unsigned int until);
u64 bench_packets_lost(void);
void bench_close_packets(void);
void bench_open_tpacket(const struct bench_options *options);
void bench_receive_tpacket(unsigned int until);
void bench_close_tpacket(void);

/* outside.c: references that are not cards of ours */
void bench_open_vivid(const struct bench_options *options);
void bench_receive_vivid(unsigned int until);
u64 bench_vivid_lost(void);
void bench_close_vivid(void);
void bench_open_veth(const struct bench_options *options);
u64 bench_veth_lost(void);
void bench_close_veth(void);
void bench_open_veth_ring(const struct bench_options *options);
void bench_close_veth_ring(void);
void bench_open_veth_xdp(const struct bench_options *options);
u64 bench_veth_xdp_lost(void);
void bench_close_veth_xdp(void);

/* comedi.c: another one */
void bench_open_comedi(const struct bench_options *options);
void bench_receive_comedi(unsigned int until);
u64 bench_comedi_lost(void);
void bench_close_comedi(void);

/* Bytes that have come: read if that is wanted. */
void bench_touch(const void *data, size_t len);
/* The last header of a frame: tells how many segments the card has dropped. */
void bench_header(const struct daq_hdr *hdr);
/* A frame is complete. */
void bench_frame(void);

#endif /* BENCH_CONSUMER_H */
