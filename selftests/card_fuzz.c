// SPDX-License-Identifier: GPL-2.0
/*
 * usage: card_fuzz [SEED [MESSAGES]]
 *
 * A client that does not mean well: random and mutated messages, and a guest that
 * writes anything to registers and into its own memory. The card must go on
 * answering, and write to nothing that was not given to it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "card_client.h"

#define CHANNELS	4u
#define ROUND		500u	/* messages between two looks at the card */

static struct client client;
static struct client *const c = &client;
static u64 state;
static int rubbish;	/* memory that may be given away as a whole */
static u32 reconnects, answers;

static u64 any64(void)
{
	u64 z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static u32 any(u32 n)
{
	return any64() % n;
}

/* A number as programs get wrong. */
static u64 odd(void)
{
	static const u64 numbers[] = {
		0, 1, 2, 3, 4, 8, 63, 64, 65, 255, 256, 4095, 4096, 4097, 8192, 65535, 65536,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
		0x8000000000000000, 0xfffffffffffff000, 0xffffffffffffffff,
	};

	return any(4) ? numbers[any(ARRAY_SIZE(numbers))] : any64();
}

/* Around the guest's memory, mostly. */
static u64 address(void)
{
	if (!any(20))
		return odd();
	return GUEST + any(GUEST_SIZE + 65536) - (any(4) ? 0 : any(65536));
}

/* What comes back is of no interest, unless it asks for DMA. */
static bool drain(void)
{
	struct pollfd fd = { c->fd, POLLIN, 0 };
	struct vfio_user_hdr hdr;
	static u8 body[LINK_MAX];

	while (poll(&fd, 1, 0) > 0) {
		if (recv(c->fd, &hdr, sizeof(hdr), MSG_PEEK | MSG_WAITALL) != sizeof(hdr))
			return false;
		if (!(hdr.flags & VFIO_USER_TYPE)) {
			c->answer = any(20) ? CLIENT_ANSWERS : CLIENT_REFUSES;
			if (!client_serve(c, 0))
				return false;
			continue;
		}
		answers++;
		if (hdr.size > sizeof(body) ||
		    recv(c->fd, body, hdr.size, MSG_WAITALL) != (ssize_t)hdr.size)
			return false;
	}
	return true;
}

static void reconnect(void)
{
	reconnects++;
	close(c->fd);
	client_connect(c);
	client_greet(c);
	c->id = any(65536);
	if (any(4))
		client_map_memory(c);
}

/* Send a message as it is. */
static void throw(const void *msg, u32 len, const int *fds, u32 nfds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 32)];
	} control;
	struct iovec iov = { (void *)msg, len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (nfds) {
		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nfds);
	}
	if (sendmsg(c->fd, &hdr, MSG_NOSIGNAL) != (ssize_t)len || !drain())
		reconnect();
}

struct message {
	struct vfio_user_hdr hdr;
	u8 body[256];
};

static void send_message(u16 command, u32 flags, const void *body, u32 len, const int *fds,
			 u32 nfds)
{
	struct message msg = {
		.hdr = {
			.id = ++c->id, .command = command, .size = sizeof(msg.hdr) + len,
			.flags = flags,
		},
	};

	memcpy(msg.body, body, len);
	throw(&msg, msg.hdr.size, fds, nfds);
}

static void write_region(u32 region, u64 offset, u64 val, u32 count)
{
	struct {
		struct vfio_user_region_access access;
		u64 val;
	} body = { { offset, region, count }, val };

	send_message(VFIO_USER_REGION_WRITE, any(2) ? VFIO_USER_NO_REPLY : 0, &body,
		     sizeof(body.access) + min(count, 8u), NULL, 0);
}

static void read_region(void)
{
	struct vfio_user_region_access access = {
		.offset = any(2) ? any(0x10000) : odd(), .region = any(10),
		.count = any(4) ? 1u << any(4) : (u32)odd(),
	};

	send_message(VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
}

/* Only inside of what the fences leave; a guest may give away what it likes. */
static void map_memory(void)
{
	struct vfio_user_dma_map map = {
		.argsz = sizeof(map), .flags = any(4),
		.offset = GUEST_FENCE + any((GUEST_SIZE - 2 * GUEST_FENCE) / 4096) * 4096,
	};
	bool shared = any(8);

	map.size = min(1 + any(8 << 20), GUEST_SIZE - GUEST_FENCE - map.offset);
	map.addr = any(4) ? GUEST + map.offset : address();
	send_message(VFIO_USER_DMA_MAP, 0, &map, sizeof(map), &c->memfd, shared);
}

static void map_oddly(void)
{
	struct vfio_user_dma_map map = {
		.argsz = odd(), .flags = odd(), .offset = odd(), .addr = address(), .size = odd(),
	};
	int fds[20];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = any(2) ? rubbish : STDIN_FILENO;
	send_message(VFIO_USER_DMA_MAP, 0, &map, sizeof(map), fds, any(21));
}

static void unmap_memory(void)
{
	struct vfio_user_dma_unmap unmap = {
		.argsz = sizeof(unmap), .flags = any(50) ? 0 : VFIO_USER_UNMAP_ALL,
		.addr = address(), .size = any(2) ? any(1 << 20) : odd(),
	};

	send_message(VFIO_USER_DMA_UNMAP, 0, &unmap, sizeof(unmap), NULL, 0);
}

static void set_irqs(void)
{
	static const u32 flags[] = { 0x21, 0x24, 0x24, 0x24, 0x14, 0 };
	struct vfio_user_irq_set set = {
		.argsz = odd(), .flags = flags[any(ARRAY_SIZE(flags))], .index = any(6),
		.start = any(8), .count = any(8),
	};
	u32 n = any(2) ? set.count : any(20);
	int fds[20], event = eventfd(0, EFD_CLOEXEC);
	u32 i;

	for (i = 0; i < n; i++)
		fds[i] = any(20) ? event : rubbish;
	send_message(VFIO_USER_SET_IRQS, 0, &set, sizeof(set), fds, n);
	close(event);
}

/* Registers, by a guest that has read the document, but not all of it. */
static void write_register(void)
{
	u32 page = any(CHANNELS);
	u32 reg;

	switch (any(8)) {
	case 0:
		reg = any(0x48) & ~3u;
		write_region(CARD_BAR0, reg, odd(), 4);
		break;
	case 1:
	case 2:
		reg = DAQ_REG_CHAN(page) + (any(0x90) & ~3u);
		write_region(CARD_BAR0, reg, any(2) ? odd() : any(10000), 4);
		break;
	case 3:
		reg = DAQ_REG_QUEUE(page) + (any(0x58) & ~3u);
		write_region(CARD_BAR0, reg, odd(), any(2) ? 4 : 8);
		break;
	case 4:
		write_region(CARD_BAR0, DAQ_REG_QUEUE(page) + (any(2) ? any(0x20) & ~7u :
							       DAQ_QUEUE_TX_DESC), address(), 8);
		break;
	case 5:
		write_region(CARD_BAR0, DAQ_REG_QUEUE(page) + DAQ_QUEUE_RX_PROD, odd(), 4);
		write_region(CARD_BAR0, DAQ_REG_QUEUE(page) + DAQ_QUEUE_TX_PROD, any(1000), 4);
		break;
	default:
		write_region(any(9), odd(), odd(), any(2) ? 1u << any(4) : (u32)odd());
	}
}

/* A driver that does everything right for once, so that there is DMA at all. */
static void start_something(void)
{
	u32 q = any(CHANNELS);
	struct daq_tx_desc desc;
	u32 i;

	write_region(CARD_CONFIG, 4, 6, 2);
	client_start_queue(c, q, 1 + any(3));
	client_post(c, q, any(RING));
	for (i = 0; i < RING; i++) {
		desc = (struct daq_tx_desc){
			.addr = cpu_to_le64(address()),
			.len = cpu_to_le32(any(4) ? any(9000) : (u32)odd()),
			.flags = cpu_to_le32(any(8)), .launch = any(8) ? 0 : any64(),
		};
		memcpy(client_memory(c, TX_DESC(q)) + i * sizeof(desc), &desc, sizeof(desc));
	}
	client_set_reg(c, DAQ_REG_CHAN(q) + DAQ_CHAN_LOOP_FROM, any(CHANNELS));
	client_start_chan(c, q, any(DAQ_SOURCE_MAX + 1), 2 + any(70000) / 2 * 2,
			  1 + any(100000000));
	client_set_reg(c, DAQ_REG_QUEUE(q) + DAQ_QUEUE_TX_PROD, any(RING));
	write_region(CARD_BAR0, DAQ_REG_KICK, any64(), 4);
	usleep(any(1000));	/* for the engine to do some of it */
	if (!drain())
		reconnect();
}

/* The guest scribbles on its rings. */
static void scribble(void)
{
	u32 i, n = any(64);

	for (i = 0; i < n; i++)
		c->memory[GUEST_FENCE + any(0x60000)] = any64();
}

/* Bytes that are no message, one that is cut short, or one too many. */
static void throw_rubbish(void)
{
	struct message msg;
	u32 i, len = 1 + any(sizeof(msg));

	for (i = 0; i < sizeof(msg); i++)
		((u8 *)&msg)[i] = any64();
	if (any(4)) {
		msg.hdr.command = any(20);
		msg.hdr.size = any(8) ? sizeof(msg.hdr) + any(sizeof(msg.body)) : (u32)odd();
		msg.hdr.flags = any(2) ? any(3) : (u32)odd();
		len = any(8) ? min(msg.hdr.size, (u32)sizeof(msg)) : len;
	}
	throw(&msg, len, (int[]){ rubbish, STDIN_FILENO }, any(3));
	if (len != msg.hdr.size)
		reconnect();
}

static void do_something(void)
{
	switch (any(100)) {
	case 0 ... 39:
		return write_register();
	case 40 ... 49:
		return read_region();
	case 50 ... 57:
		return map_memory();
	case 58 ... 61:
		return map_oddly();
	case 62 ... 67:
		return unmap_memory();
	case 68 ... 73:
		return set_irqs();
	case 74 ... 75:
		return throw_rubbish();
	case 76 ... 85:
		return start_something();
	case 86:
		return send_message(VFIO_USER_RESET, 0, "", 0, NULL, 0);
	default:
		return scribble();
	}
}

/* Return: whether the card answers as it should, after all that. */
static bool card_lives(void)
{
	struct vfio_user_info info = { .argsz = sizeof(info) };

	reconnect();
	return !client_call(c, VFIO_USER_GET_INFO, &info, sizeof(info), NULL, 0, &info,
			    sizeof(info)) && info.regions == CARD_REGIONS &&
	       client_reg(c, DAQ_REG_ID) == DAQ_HW_ID;
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261122;
	u32 messages = argc > 2 ? strtoul(argv[2], NULL, 0) : 100000;
	struct card_options opt = {
		.channels = CHANNELS, .interrupts = CARD_MSIX, .seed = seed,
	};
	u32 i, dead = 0, written = 0;

	signal(SIGPIPE, SIG_IGN);
	ktap_begin();
	printf("# seed %llu, %u messages\n", (unsigned long long)seed, messages);
	state = seed;
	opt.caps = seed % 2 ? DAQ_CAP_IRQ | DAQ_CAP_AUTO : 0;
	rubbish = memfd_create("rubbish", MFD_CLOEXEC);
	if (rubbish < 0 || ftruncate(rubbish, 1 << 20))
		ktap_die("no memory");
	client_start(c, &opt);
	client_greet(c);
	for (i = 0; i < messages && !dead && !written; i++) {
		do_something();
		if (i % ROUND == ROUND - 1) {
			dead += !card_lives();
			written += !client_fences_hold(c);
		}
	}
	ktap_eq(dead, 0, "fuzz: the card goes on answering");
	ktap_eq(written, 0, "fuzz: no memory is touched that is no window");
	printf("# %u answers, %u connections, %llu windows, %llu refused accesses\n", answers,
	       reconnects, (unsigned long long)c->card->dma.maps,
	       (unsigned long long)c->card->dma.refused);
	ktap_ok(answers > messages / 20 && c->card->dma.maps > messages / 1000,
		"fuzz: enough has been understood");
	client_stop(c);
	close(rubbish);
	return ktap_end();
}
