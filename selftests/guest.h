/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests in the guest share: a card, its counters, bare AF_XDP sockets.
 * Everything here ends the program when it cannot do its work.
 */
#ifndef SELFTESTS_GUEST_H
#define SELFTESTS_GUEST_H

#include <daqring.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>
#include "ktap.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* ---- The card ---- */

/*
 * The interface under test, up, of a card with @channels channels that goes with this
 * program: a software card or one on the PCI bus, as backend.sh says.
 */
const char *card_ifname(unsigned int channels);

/* Whether that is on the PCI bus. */
bool card_on_bus(void);

/* Whether it moves nothing by itself: then it drops what the driver does not start in time. */
bool card_is_kicked(void);

/* Another card, up, and its end: whether that worked. */
bool card_add(const char *name, unsigned int channels);
void card_del(const char *name);

/* The path of an interface's control device: whether it has one. */
bool card_device(const char *name, char *path, size_t size);

/* The same card by the library. */
struct daq_card *card_open(void);
/* Until it is used the next time. */
void card_close(void);

/* Brings the interface up or down; whether that worked. */
bool card_up(bool up);

/*
 * Sends the machine to sleep, and wakes it a second later: its "devices", or its "core",
 * all but its power that is. Whether that worked. -1: this kernel cannot.
 */
int machine_sleeps(const char *level);

/* A shell command, for what no API is at hand: its exit status. */
__attribute__((format(printf, 1, 2)))
int shell(const char *fmt, ...);

/* All channels from @first to @last get a format, with source none. */
void set_formats(unsigned int first, unsigned int last, const struct daq_format *format);
/*
 * The same where a test wants every segment: a kicked card may keep but eight that wait
 * for the driver, so there no more than ten come in a second, which a busy host can bear.
 */
void set_lossless_formats(unsigned int first, unsigned int last, const struct daq_format *format);
void set_source(unsigned int first, unsigned int last, enum daq_source source);
/* As ethtool -C does it, until somebody else does: the card is not new for each test. */
void set_moderation(unsigned int frames, unsigned int usecs);

/* Stops all sources and waits until nothing moves any more. */
void quiesce(void);

/*
 * How many times slower than usual this kernel is: $TEST_SCALE, else 1. The tests' time
 * runs that much slower, and so do the card's sources with a rate of set_formats().
 */
unsigned int test_scale(void);
/* A number of repetitions: fewer where each takes long. */
unsigned int scaled(unsigned int count);
void pause_ms(unsigned int ms);
u64 now_ms(void);

/* ---- Counters of ethtool -S ---- */

struct stats;
struct stats *stats_read(void);
/* One counter by its name, printf-like. */
__attribute__((format(printf, 2, 3)))
u64 stat_of(const struct stats *stats, const char *fmt, ...);
/* Segments of a channel that are neither delivered nor counted as dropped. */
long long stats_missing(const struct stats *stats, unsigned int channel);
/* Dropped for whatever reason. */
u64 stats_dropped(const struct stats *stats, unsigned int channel);
/* Of them, what came to a kicked card whose host was busy. */
u64 stats_overrun(const struct stats *stats, unsigned int channel);
/* How much one counter has grown since. */
u64 stat_grown(const struct stats *before, const char *name);

/* ---- Netlink ---- */

/* The number of a generic netlink family; 0: there is none. */
u16 genl_family(const char *name);

/* ---- XDP programs ---- */

/* One that sees all buffers of a packet. */
int xdp_load(const struct bpf_insn *insns, unsigned int count);
/* In the driver, in the place of the one that is there; -1: none. */
void xdp_attach(const char *name, int fd);

/* ---- Bare AF_XDP ---- */

#define CHUNK	4096
#define CHUNKS	1024

struct bare {
	char *memory;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod tx;
	bool owner;	/* of the memory and its rings */
};

/* Attaches the steering program for the rest of this program's life, or until steer_detach(). */
void steer_attach(void);
void steer_detach(void);
/* Replaces the program by another one with the same maps. */
void steer_replace(void);
void steer_channel(unsigned int channel, const struct bare *bare);
/* The same with any file, whether that worked. */
bool steer_socket(unsigned int channel, int fd);

/* What a steering counter is, over all CPUs: DAQ_MAX_CHANNELS: of packets that name none. */
u64 steer_malformed(unsigned int channel);

/* Sizes of the rings of the next socket to be opened; TX 0: none. */
extern unsigned int bare_rx_size;
extern unsigned int bare_tx_size;
/* Of its TX metadata; 0: none. */
extern unsigned int bare_metadata_len;
/* Its interface; NULL: the one under test. */
extern const char *bare_interface;
/* What its memory is a mapping of; -1: of nothing, it is anonymous. */
extern int bare_memory_file;

/* Opens a socket with memory of its own, or that of @with: 0 or a negative errno. */
int bare_open(struct bare *bare, unsigned int queue, unsigned int bind_flags, struct bare *with);
void bare_close(struct bare *bare);
void bare_post(struct bare *bare, const u64 *addrs, unsigned int count);
void bare_post_range(struct bare *bare, unsigned int from, unsigned int count);
void bare_kick(struct bare *bare);
/* One descriptor to send, and telling the driver of them. */
void bare_send(struct bare *bare, u64 addr, u32 len, u32 options);
void bare_kick_tx(struct bare *bare);
/* Takes everything out of the completion ring: how many there were. */
unsigned int bare_completed(struct bare *bare);
bool bare_zero_copy(const struct bare *bare);

/* A packet as its descriptors. */
struct packet {
	struct xdp_desc desc[64];
	unsigned int count;
};

/* The next whole packet: false after @timeout_ms. */
bool bare_receive(struct bare *bare, struct packet *packet, int timeout_ms);
/* Gives its chunks back to the card. */
void bare_return(struct bare *bare, const struct packet *packet);
const struct daq_hdr *packet_header(const struct bare *bare, const struct packet *packet);
size_t packet_len(const struct packet *packet);

u64 bare_ring_full(const struct bare *bare);

/* ---- Packets ---- */

/* A packet socket on the card, for one EtherType. */
int packet_socket(u16 ethertype);
/* The same on any interface. */
int packet_socket_on(const char *name, u16 ethertype);
/*
 * One that gets what output 0 plays, and whose packets come to input 0: at the far end
 * of a cable or, as nothing else can be cabled to a card on the bus, on its channel 1.
 * The card needs two channels, and gets that MTU.
 */
int packet_socket_far(u16 ethertype, unsigned int mtu);
void packet_send(int fd, const void *data, size_t len);
/* The next packet that came in: its length, or -1 after @timeout_ms. */
int packet_receive(int fd, void *data, size_t size, int timeout_ms);
void card_mac(u8 mac[6]);

/* ---- Data ---- */

/* Whether bytes are those of the counter signal from byte @at on. */
bool is_counter(const void *data, size_t len, u64 at);

#endif /* SELFTESTS_GUEST_H */
