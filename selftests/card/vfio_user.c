// SPDX-License-Identifier: GPL-2.0
/*
 * The client's messages. They are taken in order, a piece at a time, so that a
 * client that stops in the middle of one stops nothing else.
 *
 * DMA by messages is the engine's: it asks, the main thread gets the reply and
 * hands it over. A client may hold locks of its own while it waits for the
 * reply to an access, so no access waits for DMA.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "card.h"
#include "vfio_user.h"

/* What a client may take to read what is sent to it, or to do DMA, s. */
#define LINK_PATIENCE	3
/* Messages in a row, before others get their turn. */
#define LINK_BURST	64

void link_init(struct link *link)
{
	pthread_condattr_t attr;

	link->fd = -1;
	link->closed = true;
	pthread_mutex_init(&link->tx, NULL);
	pthread_mutex_init(&link->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&link->answered, &attr);
	pthread_condattr_destroy(&attr);
}

/* Send a message whole; who does not read it is disconnected. */
static bool link_send(struct link *link, struct vfio_user_hdr *hdr, const void *body,
		      u32 body_len, const void *data, u32 data_len)
{
	struct iovec iov[3] = {
		{ hdr, sizeof(*hdr) }, { (void *)body, body_len }, { (void *)data, data_len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	bool ok = true;

	hdr->size = sizeof(*hdr) + body_len + data_len;
	pthread_mutex_lock(&link->tx);
	while (ok && msg.msg_iovlen) {
		ssize_t n = sendmsg(link->fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		ok = n >= 0;
		while (ok && msg.msg_iovlen && (size_t)n >= msg.msg_iov->iov_len) {
			n -= msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (ok && msg.msg_iovlen) {
			msg.msg_iov->iov_base = (u8 *)msg.msg_iov->iov_base + n;
			msg.msg_iov->iov_len -= n;
		}
	}
	if (!ok)
		shutdown(link->fd, SHUT_RDWR);	/* the main thread will see the end */
	pthread_mutex_unlock(&link->tx);
	return ok;
}

static const struct vfio_user_hdr *link_hdr(const struct link *link)
{
	return (const struct vfio_user_hdr *)link->in;
}

static bool link_wants_reply(const struct link *link)
{
	return !(link_hdr(link)->flags & VFIO_USER_NO_REPLY);
}

static void link_reply(struct card *card, const void *body, u32 body_len,
		       const void *data, u32 data_len)
{
	struct vfio_user_hdr hdr = *link_hdr(&card->link);

	hdr.flags = VFIO_USER_REPLY;
	hdr.error = 0;
	if (link_wants_reply(&card->link))
		link_send(&card->link, &hdr, body, body_len, data, data_len);
}

static void link_reply_error(struct card *card, int err)
{
	struct vfio_user_hdr hdr = *link_hdr(&card->link);

	card->bad_messages++;
	hdr.flags = VFIO_USER_REPLY | VFIO_USER_ERROR;
	hdr.error = err;
	if (link_wants_reply(&card->link))
		link_send(&card->link, &hdr, NULL, 0, NULL, 0);
}

/* Handlers: @body has @len bytes. They reply, or return a positive errno. */

static int link_version(struct card *card, const u8 *body, u32 len)
{
	static const char json[] = "{\"capabilities\":{\"max_msg_fds\":16,"
				   "\"max_data_xfer_size\":65536,\"pgsizes\":4096}}";
	struct vfio_user_version version;

	if (len < sizeof(version))
		return EINVAL;
	memcpy(&version, body, sizeof(version));
	if (version.major)
		return ENOTSUP;
	version.minor = 0;
	card->link.greeted = true;
	/* A reply must not be longer than the request, if that says anything. */
	if (len > sizeof(version) && len < sizeof(version) + sizeof(json))
		link_reply(card, &version, sizeof(version), "{}", 3);
	else
		link_reply(card, &version, sizeof(version), json, sizeof(json));
	return 0;
}

static int link_dma_map(struct card *card, const u8 *body, u32 len)
{
	struct link *link = &card->link;
	struct vfio_user_dma_map map;
	struct dma_window window;
	int err;

	if (len != sizeof(map) || link->nfds > 1)
		return EINVAL;
	memcpy(&map, body, sizeof(map));
	window = (struct dma_window){
		.addr = map.addr, .size = map.size, .offset = map.offset,
		.flags = map.flags & (DMA_READABLE | DMA_WRITABLE),
	};
	err = dma_map(&card->dma, &window, link->nfds ? link->fds[0] : -1);
	if (!err)
		link_reply(card, NULL, 0, NULL, 0);
	return err;
}

static int link_dma_unmap(struct card *card, const u8 *body, u32 len)
{
	struct vfio_user_dma_unmap unmap;
	int err = 0;

	if (len != sizeof(unmap))
		return EINVAL;
	memcpy(&unmap, body, sizeof(unmap));
	if (unmap.flags & VFIO_USER_UNMAP_ALL)
		dma_unmap_all(&card->dma);
	else
		err = dma_unmap(&card->dma, unmap.addr, unmap.size);
	if (!err)
		link_reply(card, &unmap, sizeof(unmap), NULL, 0);
	return err;
}

static int link_get_info(struct card *card, const u8 *body, u32 len)
{
	struct vfio_user_info info = {
		.argsz = sizeof(info), .flags = VFIO_USER_INFO_RESET | VFIO_USER_INFO_PCI,
		.regions = CARD_REGIONS, .irqs = VFIO_USER_IRQS,
	};

	(void)body;
	if (len != sizeof(info))
		return EINVAL;
	link_reply(card, &info, sizeof(info), NULL, 0);
	return 0;
}

static int link_get_region_info(struct card *card, const u8 *body, u32 len)
{
	struct vfio_user_region_info info;

	if (len != sizeof(info))
		return EINVAL;
	memcpy(&info, body, sizeof(info));
	if (info.index >= CARD_REGIONS)
		return EINVAL;
	info.argsz = sizeof(info);
	info.cap_offset = 0;
	info.offset = 0;
	info.size = region_size(card, info.index);
	/* None can be mapped: that keeps writes to them cheap. */
	info.flags = info.size ? VFIO_USER_REGION_READABLE | VFIO_USER_REGION_WRITABLE : 0;
	link_reply(card, &info, sizeof(info), NULL, 0);
	return 0;
}

static u32 link_vectors(const struct card *card, u32 index)
{
	bool here = (index == VFIO_USER_IRQ_MSI && card->irqs.kind == CARD_MSI) ||
		    (index == VFIO_USER_IRQ_MSIX && card->irqs.kind == CARD_MSIX);

	return here ? card->irqs.vectors : 0;
}

static int link_get_irq_info(struct card *card, const u8 *body, u32 len)
{
	struct vfio_user_irq_info info;

	if (len != sizeof(info))
		return EINVAL;
	memcpy(&info, body, sizeof(info));
	if (info.index >= VFIO_USER_IRQS)
		return EINVAL;
	info.argsz = sizeof(info);
	info.count = link_vectors(card, info.index);
	info.flags = info.count ? VFIO_USER_IRQ_EVENTFD : 0;
	link_reply(card, &info, sizeof(info), NULL, 0);
	return 0;
}

static int link_set_irqs(struct card *card, const u8 *body, u32 len)
{
	struct link *link = &card->link;
	struct vfio_user_irq_set set;
	u32 vectors;
	int err = 0;

	if (len != sizeof(set))
		return EINVAL;
	memcpy(&set, body, sizeof(set));
	if (set.index >= VFIO_USER_IRQS)
		return EINVAL;
	vectors = link_vectors(card, set.index);
	if (set.start > vectors || set.count > vectors - set.start)
		return EINVAL;
	if (set.flags == (VFIO_USER_SET_NONE | VFIO_USER_SET_TRIGGER) && !set.count) {
		irqs_disarm(&card->irqs, 0, vectors);
	} else if (set.flags == (VFIO_USER_SET_EVENTFD | VFIO_USER_SET_TRIGGER)) {
		if (link->nfds && link->nfds != set.count)
			return EINVAL;
		if (link->nfds)
			err = irqs_arm(&card->irqs, set.start, set.count, link->fds);
		else
			irqs_disarm(&card->irqs, set.start, set.count);
	} else {
		return ENOTSUP;
	}
	if (!err)
		link_reply(card, NULL, 0, NULL, 0);
	return err;
}

static int link_region_read(struct card *card, const u8 *body, u32 len)
{
	struct vfio_user_region_access access;
	u8 data[CARD_CONFIG_SIZE];
	int err;

	if (len != sizeof(access))
		return EINVAL;
	memcpy(&access, body, sizeof(access));
	if (access.count > sizeof(data))
		return EINVAL;
	err = region_read(card, access.region, access.offset, data, access.count);
	if (!err)
		link_reply(card, &access, sizeof(access), data, access.count);
	return err;
}

static int link_region_write(struct card *card, const u8 *body, u32 len)
{
	struct vfio_user_region_access access;
	int err;

	if (len < sizeof(access))
		return EINVAL;
	memcpy(&access, body, sizeof(access));
	if (access.count != len - sizeof(access))
		return EINVAL;
	err = region_write(card, access.region, access.offset, body + sizeof(access), access.count);
	if (!err)
		link_reply(card, &access, sizeof(access), NULL, 0);
	return err;
}

static int link_reset(struct card *card, const u8 *body, u32 len)
{
	(void)body;
	if (len)
		return EINVAL;
	card_function_reset(card, "device");
	link_reply(card, NULL, 0, NULL, 0);
	return 0;
}

static int (*const link_handlers[])(struct card *card, const u8 *body, u32 len) = {
	[VFIO_USER_VERSION] = link_version,
	[VFIO_USER_DMA_MAP] = link_dma_map,
	[VFIO_USER_DMA_UNMAP] = link_dma_unmap,
	[VFIO_USER_GET_INFO] = link_get_info,
	[VFIO_USER_GET_REGION_INFO] = link_get_region_info,
	[VFIO_USER_GET_IRQ_INFO] = link_get_irq_info,
	[VFIO_USER_SET_IRQS] = link_set_irqs,
	[VFIO_USER_REGION_READ] = link_region_read,
	[VFIO_USER_REGION_WRITE] = link_region_write,
	[VFIO_USER_RESET] = link_reset,
};

static void link_handle_request(struct card *card)
{
	const struct vfio_user_hdr *hdr = link_hdr(&card->link);
	u32 len = hdr->size - sizeof(*hdr);
	int err = ENOTSUP;

	if (!card->link.greeted && hdr->command != VFIO_USER_VERSION)
		err = EPROTO;
	else if (hdr->command < ARRAY_SIZE(link_handlers) && link_handlers[hdr->command])
		err = link_handlers[hdr->command](card, card->link.in + sizeof(*hdr), len);
	if (err)
		link_reply_error(card, err);
}

/* What the client says to DMA; a reply that nobody waits for is too late. */
static void link_handle_reply(struct card *card)
{
	struct link *link = &card->link;
	const struct vfio_user_hdr *hdr = link_hdr(link);
	u32 skip = sizeof(*hdr) + sizeof(struct vfio_user_dma_access);

	pthread_mutex_lock(&link->lock);
	if (link->waiting && hdr->id == link->dma_id) {
		link->failed = hdr->flags & VFIO_USER_ERROR ||
			       hdr->size != skip + link->data_len;
		if (!link->failed)
			memcpy(link->data, link->in + skip, link->data_len);
		link->waiting = false;
		pthread_cond_signal(&link->answered);
	}
	pthread_mutex_unlock(&link->lock);
}

static void link_close_fds(struct link *link)
{
	u32 i;

	for (i = 0; i < link->nfds; i++)
		if (link->fds[i] >= 0)
			close(link->fds[i]);
	link->nfds = 0;
}

static void link_take_fds(struct link *link, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	u32 i, n;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
			if (link->nfds < LINK_MAX_FDS)
				link->fds[link->nfds++] = fd;
			else
				close(fd);
		}
	}
}

/* Return: bytes, 0: nothing there now, < 0: the client has left. */
static ssize_t link_read(struct link *link, u32 want)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * LINK_MAX_FDS)];
	} control;
	struct iovec iov = { link->in + link->have, want };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(link->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	link_take_fds(link, &msg);
	return n ? n : -1;
}

/* Return: whether the message can be one at all. */
static bool link_handle(struct card *card)
{
	u32 type = link_hdr(&card->link)->flags & VFIO_USER_TYPE;

	if (type == VFIO_USER_REQUEST)
		link_handle_request(card);
	else if (type == VFIO_USER_REPLY)
		link_handle_reply(card);
	return type <= VFIO_USER_REPLY;
}

/**
 * link_receive() - take what has come from the client
 * @card: card
 *
 * Return: false: it has left, or does not speak this language.
 */
bool link_receive(struct card *card)
{
	struct link *link = &card->link;
	u32 messages = 0;
	u32 size;
	ssize_t n;
	bool ok;

	while (messages < LINK_BURST) {
		size = sizeof(struct vfio_user_hdr);
		if (link->have >= size)
			size = link_hdr(link)->size;
		if (size < sizeof(struct vfio_user_hdr) || size > LINK_MAX)
			return false;
		if (link->have < size) {
			n = link_read(link, size - link->have);
			if (n <= 0)
				return !n;
			link->have += n;
		}
		if (link->have < sizeof(struct vfio_user_hdr) ||
		    link->have < link_hdr(link)->size)
			continue;
		ok = link_handle(card);
		link_close_fds(link);
		link->have = 0;
		messages++;
		if (!ok)
			return false;
	}
	return true;
}

void link_open(struct card *card, int fd)
{
	const struct timeval patience = { .tv_sec = LINK_PATIENCE };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	card->link.fd = fd;
	card->link.have = 0;
	card->link.greeted = false;
	card->clients++;
	log_fact(&card->log, "client_connected seq=%llu", (unsigned long long)card->clients);
}

/*
 * Hear no more, and forget what was not heard. Otherwise the client, which is told so
 * by an error, may be QEMU 11.1: that aborts then, and survives the mere end.
 */
void link_hang_up(struct link *link)
{
	u8 unheard[4096];

	if (link->fd < 0)
		return;
	shutdown(link->fd, SHUT_RDWR);
	while (recv(link->fd, unheard, sizeof(unheard), MSG_DONTWAIT) > 0)
		;
}

/* The client has left, or is to: nothing of it remains. */
void link_close(struct card *card)
{
	struct link *link = &card->link;

	link_refuse_dma(link, true);
	config_init(card);
	engine_reset(card, "disconnect");
	irqs_disarm(&card->irqs, 0, card->irqs.vectors);
	dma_drop(&card->dma);
	link_close_fds(link);
	link_hang_up(link);
	close(link->fd);
	link->fd = -1;
	log_fact(&card->log, "client_left bad_messages=%llu",
		 (unsigned long long)card->bad_messages);
}

/* From now on no message asks for DMA, and who waits for one has failed. */
void link_refuse_dma(struct link *link, bool refuse)
{
	pthread_mutex_lock(&link->lock);
	link->closed = refuse;
	pthread_cond_signal(&link->answered);
	pthread_mutex_unlock(&link->lock);
}

/* Wait for the reply; the lock is held. Return: whether all went well. */
static bool link_await(struct link *link)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LINK_PATIENCE;
	while (link->waiting && !link->closed)
		if (pthread_cond_timedwait(&link->answered, &link->lock, &until))
			break;
	if (link->waiting)
		link->failed = true;
	link->waiting = false;
	return !link->failed;
}

static bool link_dma_chunk(struct link *link, bool write, u64 addr, void *buf, u32 len)
{
	struct vfio_user_dma_access access = { .addr = addr, .count = len };
	struct vfio_user_hdr hdr = {
		.command = write ? VFIO_USER_DMA_WRITE : VFIO_USER_DMA_READ,
	};
	bool ok;

	pthread_mutex_lock(&link->lock);
	ok = !link->closed;
	hdr.id = ++link->dma_id;
	link->waiting = ok;
	link->failed = false;
	link->data_len = write ? 0 : len;
	pthread_mutex_unlock(&link->lock);
	ok = ok && link_send(link, &hdr, &access, sizeof(access), buf, write ? len : 0);

	pthread_mutex_lock(&link->lock);
	ok = ok && link_await(link);
	link->waiting = false;
	if (ok && !write)
		memcpy(buf, link->data, len);
	pthread_mutex_unlock(&link->lock);
	return ok;
}

/**
 * link_dma() - DMA by messages; the engine only
 * @ctx: card
 * @write: to the guest's memory
 * @addr: its address
 * @buf: bytes
 * @len: their number
 *
 * Return: whether the client did it.
 */
bool link_dma(void *ctx, bool write, u64 addr, void *buf, u32 len)
{
	struct card *card = ctx;
	bool ok = true;
	u32 n;

	pthread_rwlock_unlock(&card->dma.lock);
	engine_begin_message(card);
	for (; ok && len; len -= n, addr += n, buf = (u8 *)buf + n) {
		n = min_t(u32, len, LINK_DATA);
		ok = link_dma_chunk(&card->link, write, addr, buf, n);
	}
	engine_end_message(card);
	pthread_rwlock_rdlock(&card->dma.lock);
	return ok;
}
