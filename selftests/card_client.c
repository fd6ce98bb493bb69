// SPDX-License-Identifier: GPL-2.0
/* A client of daq-card for tests. What it cannot do itself ends the test. */
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "card_client.h"

/* What a card may take for anything, s. */
#define CLIENT_PATIENCE	20

static void *client_run_card(void *arg)
{
	card_run(arg);
	return NULL;
}

void client_path(const struct client *c, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", c->folder, name);
}

static void client_make_memory(struct client *c)
{
	c->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (c->memfd < 0 || ftruncate(c->memfd, GUEST_SIZE))
		ktap_die("no memory for a guest: %s", strerror(errno));
	c->memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
	if (c->memory == MAP_FAILED)
		ktap_die("no memory for a guest: %s", strerror(errno));
	memset(c->memory, GUEST_POISON, GUEST_SIZE);
}

/* A card, a guest's memory, and a connection between them. */
void client_start(struct client *c, const struct card_options *opt)
{
	char path[128];
	int err;

	memset(c, 0, sizeof(*c));
	strcpy(c->folder, "/tmp/daq-card-XXXXXX");
	c->card = calloc(1, sizeof(*c->card));
	if (!c->card || !mkdtemp(c->folder))
		ktap_die("no place for a card: %s", strerror(errno));
	client_make_memory(c);
	err = card_open(c->card, opt);
	if (err)
		ktap_die("no card: %s", strerror(err));
	client_path(c, "card", path, sizeof(path));
	c->card->listener = card_listen(path);
	client_path(c, "control", path, sizeof(path));
	c->card->control_listener = card_listen(path);
	if (c->card->listener < 0 || c->card->control_listener < 0)
		ktap_die("the card does not listen");
	if (pthread_create(&c->thread, NULL, client_run_card, c->card))
		ktap_die("no thread");
	client_connect(c);
}

void client_stop(struct client *c)
{
	char path[128];
	u64 one = 1;

	client_disconnect(c);
	if (write(c->card->stop, &one, sizeof(one)) < 0)
		ktap_die("the card cannot be stopped");
	pthread_join(c->thread, NULL);
	close(c->card->listener);
	close(c->card->control_listener);
	card_close(c->card);
	client_path(c, "card", path, sizeof(path));
	unlink(path);
	client_path(c, "control", path, sizeof(path));
	unlink(path);
	rmdir(c->folder);
	munmap(c->memory, GUEST_SIZE);
	close(c->memfd);
	free(c->card);
}

void client_connect(struct client *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = CLIENT_PATIENCE };

	client_path(c, "card", addr.sun_path, sizeof(addr.sun_path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)))
		ktap_die("cannot connect: %s", strerror(errno));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* Afterwards the card has noticed. */
void client_disconnect(struct client *c)
{
	u32 i;

	close(c->fd);
	c->fd = -1;
	for (i = 0; i < CLIENT_PATIENCE * 1000 && READ_ONCE(c->card->link.fd) >= 0; i++)
		usleep(1000);
}

/* Messages */

static bool client_send(struct client *c, struct vfio_user_hdr *hdr, const void *body, u32 len,
			const int *fds, u32 nfds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * LINK_MAX_FDS)];
	} control;
	struct iovec iov[2] = { { hdr, sizeof(*hdr) }, { (void *)body, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct cmsghdr *cmsg;

	if (nfds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nfds);
	}
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL) == (ssize_t)(sizeof(*hdr) + len);
}

static bool client_receive(struct client *c, void *buf, u32 len)
{
	return !len || recv(c->fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

/* Where DMA by messages may go: the same as by windows. */
static bool client_may(u64 addr, u64 count)
{
	return addr >= GUEST + GUEST_FENCE && count <= GUEST_SIZE &&
	       addr + count <= GUEST + GUEST_SIZE - GUEST_FENCE;
}

/* The card asks for DMA. */
static bool client_do_dma(struct client *c, struct vfio_user_hdr *hdr)
{
	static u8 buf[LINK_MAX];
	struct vfio_user_dma_access *access = (void *)buf;
	bool write = hdr->command == VFIO_USER_DMA_WRITE;
	u32 len = sizeof(*access);

	if (hdr->size > sizeof(*hdr) + sizeof(buf) ||
	    !client_receive(c, buf, hdr->size - sizeof(*hdr)))
		return false;
	c->asked++;
	if (c->answer == CLIENT_IS_SILENT)
		return true;
	hdr->flags = VFIO_USER_REPLY;
	if (c->answer == CLIENT_REFUSES || !client_may(access->addr, access->count)) {
		hdr->flags |= VFIO_USER_ERROR;
		hdr->error = EFAULT;
		len = 0;
	} else if (write) {
		memcpy(client_memory(c, access->addr), buf + sizeof(*access), access->count);
	} else {
		memcpy(buf + sizeof(*access), client_memory(c, access->addr), access->count);
		len += access->count;
	}
	hdr->size = sizeof(*hdr) + len;
	return client_send(c, hdr, buf, len, NULL, 0);
}

/* Do what the card asks for, for so long. Return: whether there was anything. */
bool client_serve(struct client *c, int timeout_ms)
{
	struct pollfd fd = { c->fd, POLLIN, 0 };
	struct vfio_user_hdr hdr;

	if (poll(&fd, 1, timeout_ms) <= 0)
		return false;
	return client_receive(c, &hdr, sizeof(hdr)) && !(hdr.flags & VFIO_USER_TYPE) &&
	       client_do_dma(c, &hdr);
}

/**
 * client_call() - send a message and wait for its reply
 * @c: client
 * @command: kind of message
 * @body: its body
 * @len: of the body
 * @fds: that go with it
 * @nfds: their number
 * @reply: gets the reply's body
 * @reply_len: what its length has to be
 *
 * Return: 0, the errno in the reply, or a negative number: no or a wrong reply.
 */
int client_call(struct client *c, u16 command, const void *body, u32 len, const int *fds,
		u32 nfds, void *reply, u32 reply_len)
{
	struct vfio_user_hdr hdr = {
		.id = ++c->id, .command = command, .size = sizeof(hdr) + len,
	};

	if (!client_send(c, &hdr, body, len, fds, nfds))
		return -EPIPE;
	for (;;) {
		if (!client_receive(c, &hdr, sizeof(hdr)))
			return -ETIMEDOUT;
		if (hdr.flags & VFIO_USER_TYPE)
			break;
		if (!client_do_dma(c, &hdr))
			return -EPROTO;
	}
	if (hdr.id != c->id || hdr.command != command)
		return -EPROTO;
	if (hdr.flags & VFIO_USER_ERROR)
		return hdr.size == sizeof(hdr) ? (int)hdr.error : -EPROTO;
	if (hdr.size != sizeof(hdr) + reply_len)
		return -EMSGSIZE;
	return client_receive(c, reply, reply_len) ? 0 : -ETIMEDOUT;
}

void client_greet(struct client *c)
{
	static const char hello[64] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":16}}";
	char reply[7];

	/* A short request gets a short reply. */
	if (client_call(c, VFIO_USER_VERSION, hello, sizeof(hello), NULL, 0, reply, 7))
		ktap_die("no agreement on the version");
}

int client_map(struct client *c, u64 addr, u64 size, u64 offset, u32 flags, int fd)
{
	struct vfio_user_dma_map map = {
		.argsz = sizeof(map), .flags = flags, .offset = offset, .addr = addr, .size = size,
	};

	return client_call(c, VFIO_USER_DMA_MAP, &map, sizeof(map), &fd, fd >= 0, NULL, 0);
}

int client_unmap(struct client *c, u64 addr, u64 size)
{
	struct vfio_user_dma_unmap unmap = { .argsz = sizeof(unmap), .addr = addr, .size = size };

	return client_call(c, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, &unmap,
			   sizeof(unmap));
}

void client_map_memory(struct client *c)
{
	if (client_map(c, GUEST + GUEST_FENCE, GUEST_SIZE - 2 * GUEST_FENCE, GUEST_FENCE,
		       DMA_READABLE | DMA_WRITABLE, c->memfd))
		ktap_die("the card does not take memory");
}

int client_read(struct client *c, u32 region, u64 offset, void *buf, u32 count)
{
	struct vfio_user_region_access access = {
		.offset = offset, .region = region, .count = count,
	};
	u8 reply[sizeof(access) + CARD_CONFIG_SIZE];
	int err;

	err = client_call(c, VFIO_USER_REGION_READ, &access, sizeof(access), NULL, 0, reply,
			  sizeof(access) + count);
	if (!err)
		memcpy(buf, reply + sizeof(access), count);
	return err;
}

int client_write(struct client *c, u32 region, u64 offset, const void *buf, u32 count)
{
	struct vfio_user_region_access access = {
		.offset = offset, .region = region, .count = count,
	};
	u8 body[sizeof(access) + 64];

	memcpy(body, &access, sizeof(access));
	memcpy(body + sizeof(access), buf, count);
	return client_call(c, VFIO_USER_REGION_WRITE, body, sizeof(access) + count, NULL, 0,
			   &access, sizeof(access));
}

/* A register; ~0 if it cannot be read. */
u32 client_reg(struct client *c, u32 reg)
{
	__le32 val;

	return client_read(c, CARD_BAR0, reg, &val, sizeof(val)) ? ~0u : le32_to_cpu(val);
}

/* As QEMU does it: without a reply. */
void client_set_reg(struct client *c, u32 reg, u32 val)
{
	struct {
		struct vfio_user_region_access access;
		__le32 val;
	} __attribute__((packed)) body = {
		.access = { .offset = reg, .region = CARD_BAR0, .count = sizeof(val) },
		.val = cpu_to_le32(val),
	};
	struct vfio_user_hdr hdr = {
		.id = ++c->id, .command = VFIO_USER_REGION_WRITE,
		.size = sizeof(hdr) + sizeof(body), .flags = VFIO_USER_NO_REPLY,
	};

	client_send(c, &hdr, &body, sizeof(body), NULL, 0);
}

void client_set_reg64(struct client *c, u32 reg, u64 val)
{
	client_set_reg(c, reg, val);
	client_set_reg(c, reg + 4, val >> 32);
}

void client_set_master(struct client *c, bool on)
{
	__le16 command = cpu_to_le16(on ? 6 : 2);

	client_write(c, CARD_CONFIG, 4, &command, sizeof(command));
}

int client_arm_irqs(struct client *c, u32 index, u32 start, u32 count, const int *fds)
{
	struct vfio_user_irq_set set = {
		.argsz = sizeof(set), .flags = VFIO_USER_SET_EVENTFD | VFIO_USER_SET_TRIGGER,
		.index = index, .start = start, .count = count,
	};

	return client_call(c, VFIO_USER_SET_IRQS, &set, sizeof(set), fds, fds ? count : 0, NULL, 0);
}

/* The guest */

u8 *client_memory(struct client *c, u64 addr)
{
	return c->memory + (addr - GUEST);
}

void client_start_queue(struct client *c, u32 q, u32 ctrl)
{
	u32 reg = DAQ_REG_QUEUE(q);

	memset(client_memory(c, STATUS(q)), 0, sizeof(struct daq_queue_status));
	client_set_reg64(c, reg + DAQ_QUEUE_STATUS, STATUS(q));
	client_set_reg64(c, reg + DAQ_QUEUE_RX_DESC, RX_DESC(q));
	client_set_reg64(c, reg + DAQ_QUEUE_RX_CMPL, RX_CMPL(q));
	client_set_reg64(c, reg + DAQ_QUEUE_TX_DESC, TX_DESC(q));
	client_set_reg(c, reg + DAQ_QUEUE_RX_SIZE, RING);
	client_set_reg(c, reg + DAQ_QUEUE_RX_BUF, BUF);
	client_set_reg(c, reg + DAQ_QUEUE_RX_HEAD, HEAD);
	client_set_reg(c, reg + DAQ_QUEUE_RX_HEAD_LEN, HEAD_LEN);
	client_set_reg(c, reg + DAQ_QUEUE_RX_FRAMES, 1);
	client_set_reg(c, reg + DAQ_QUEUE_RX_USECS, 1000);
	client_set_reg(c, reg + DAQ_QUEUE_TX_SIZE, RING);
	client_set_reg(c, reg + DAQ_QUEUE_TX_FRAMES, 1);
	client_set_reg(c, reg + DAQ_QUEUE_CTRL, ctrl);
	c->posted[q] = 0;
}

void client_post(struct client *c, u32 q, u32 count)
{
	struct daq_rx_desc desc;

	for (; count; count--, c->posted[q]++) {
		u32 slot = c->posted[q] % RING;

		desc.addr = cpu_to_le64(BUFS(q) + (u64)slot * BUF);
		memcpy(client_memory(c, RX_DESC(q)) + slot * sizeof(desc), &desc, sizeof(desc));
	}
	client_set_reg(c, DAQ_REG_QUEUE(q) + DAQ_QUEUE_RX_PROD, c->posted[q]);
}

/* Samples of 2 bytes; a segment is a frame. */
void client_start_chan(struct client *c, u32 ch, u32 source, u32 segment, u64 rate)
{
	u32 reg = DAQ_REG_CHAN(ch);

	client_set_reg(c, reg + DAQ_CHAN_CTRL, 0);
	client_set_reg(c, reg + DAQ_CHAN_SOURCE, source);
	client_set_reg(c, reg + DAQ_CHAN_SEGMENT_BYTES, segment);
	client_set_reg(c, reg + DAQ_CHAN_FRAME_BYTES, segment);
	client_set_reg64(c, reg + DAQ_CHAN_RATE, rate);
	client_set_reg(c, reg + DAQ_CHAN_CTRL, DAQ_CHAN_CTRL_ENABLE);
}

u32 client_reported(struct client *c, u32 q)
{
	return le32_to_cpu(smp_load_acquire((__le32 *)client_memory(c, STATUS(q))));
}

/* Return: whether so many completions get reported. */
bool client_wait_reported(struct client *c, u32 q, u32 count)
{
	u64 until = card_time() + CLIENT_PATIENCE * NSEC_PER_SEC;

	while (client_reported(c, q) < count) {
		if (card_time() > until)
			return false;
		client_serve(c, 1);
	}
	return true;
}

struct daq_rx_cmpl client_completion(struct client *c, u32 q, u32 n)
{
	struct daq_rx_cmpl cmpl;

	memcpy(&cmpl, client_memory(c, RX_CMPL(q)) + n % RING * sizeof(cmpl), sizeof(cmpl));
	return cmpl;
}

struct daq_hdr client_header(struct client *c, u32 q, u32 n)
{
	struct daq_rx_cmpl cmpl = client_completion(c, q, n);
	struct daq_hdr hdr;

	memcpy(&hdr, client_memory(c, BUFS(q)) + le16toh(cmpl.first) % RING * BUF + HEAD,
	       sizeof(hdr));
	return hdr;
}

/* Whether what is no window is as it was. */
bool client_fences_hold(struct client *c)
{
	u32 i;

	for (i = 0; i < GUEST_FENCE; i++)
		if (c->memory[i] != GUEST_POISON ||
		    c->memory[GUEST_SIZE - GUEST_FENCE + i] != GUEST_POISON)
			return false;
	return true;
}
