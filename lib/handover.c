// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Channels for processes that may not open them: all descriptors that they are made of go
 * through a Unix socket, together with what has to be known about them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

#define VERSION	2
/* The card's: the steering program's link and its counters. A channel's: see chan_fds(). */
#define CARD_FDS 2
#define CHAN_FDS 3
#define MAX_FDS	(CARD_FDS + CHAN_FDS * DAQ_MAX_CHANNELS)

struct sent_chan {
	uint32_t number;
	uint32_t direction;
	uint32_t zero_copy;
	uint32_t to_kernel;		/* entries of its rings */
	uint32_t from_kernel;
	uint64_t buffer_bytes;
	struct daq_format format;
	struct daq_steer_counters steered_before;
};

struct message {
	uint32_t version;
	uint32_t chan_bytes;		/* a check that both mean the same */
	uint32_t ifindex;
	uint32_t channels;		/* of the card ... */
	uint32_t count;			/* ... and of this message */
	uint32_t steered;		/* the card's descriptors come first */
	char ifname[IF_NAMESIZE];
	struct sent_chan chans[DAQ_MAX_CHANNELS];
};

struct parcel {
	struct message message;
	int fds[MAX_FDS];		/* -1: taken out */
	unsigned int fd_count;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control;
};

int daq_handover__check(const struct daq_chan *chan)
{
	if (chan->sendable)
		return daq_error(-EBUSY, "channel %u was opened for another process: daq_card__send() it",
				 chan->number);
	return 0;
}

static struct parcel *new_parcel(void)
{
	struct parcel *parcel = calloc(1, sizeof(*parcel));

	if (!parcel)
		daq_error(-ENOMEM, "no memory for handing a card over");
	return parcel;
}

static size_t message_bytes(uint32_t count)
{
	return offsetof(struct message, chans) + count * sizeof(struct sent_chan);
}

/* ---- Sending ---- */

static void pack_chan(struct parcel *parcel, const struct daq_chan *chan)
{
	bool input = chan->direction == DAQ_INPUT;
	struct sent_chan *sent = &parcel->message.chans[parcel->message.count++];

	sent->number = chan->number;
	sent->direction = chan->direction;
	sent->zero_copy = chan->zero_copy;
	sent->to_kernel = input ? chan->fill.size : chan->tx.size;
	sent->from_kernel = input ? chan->rx.size : chan->completion.size;
	sent->buffer_bytes = daq_pool__bytes(&chan->pool);
	sent->format = chan->format;
	sent->steered_before = chan->steered_before;
	parcel->fds[parcel->fd_count++] = chan->socket;
	parcel->fds[parcel->fd_count++] = chan->memory_fd;
	parcel->fds[parcel->fd_count++] = chan->link_fd;
}

/* Without buffers nothing arrives before the receiver starts the channel. */
static int steer_inputs(struct daq_card *card, bool *any)
{
	struct daq_chan *chan;
	int err;

	*any = false;
	LIST_FOREACH(chan, &card->chans, siblings) {
		if (!chan->sendable || chan->direction != DAQ_INPUT)
			continue;
		*any = true;
		err = chan->steered ? 0 : daq_steering__add(chan);
		if (err)
			return err;
	}
	return 0;
}

static int pack(struct daq_card *card, struct parcel *parcel, int counters)
{
	struct message *message = &parcel->message;
	struct daq_chan *chan;

	message->version = VERSION;
	message->chan_bytes = sizeof(struct sent_chan);
	message->ifindex = card->ifindex;
	message->channels = card->channels;
	memcpy(message->ifname, card->ifname, sizeof(message->ifname));
	if (counters >= 0) {
		message->steered = 1;
		parcel->fds[parcel->fd_count++] = card->steer_link;
		parcel->fds[parcel->fd_count++] = counters;
	}
	LIST_FOREACH(chan, &card->chans, siblings)
		if (chan->sendable)
			pack_chan(parcel, chan);
	if (!message->count)
		return daq_error(-EINVAL, "no channel of %s was opened for another process (sendable)",
				 card->ifname);
	return 0;
}

static int send_parcel(const struct daq_card *card, struct parcel *parcel, int socket)
{
	struct iovec iov = {
		.iov_base = &parcel->message,
		.iov_len = message_bytes(parcel->message.count),
	};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &parcel->control,
		.msg_controllen = CMSG_SPACE(parcel->fd_count * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(parcel->fd_count * sizeof(int));
	memcpy(CMSG_DATA(cmsg), parcel->fds, parcel->fd_count * sizeof(int));
	if (sendmsg(socket, &msg, MSG_NOSIGNAL) < 0)
		return daq_error(-errno, "cannot hand %s over: %m", card->ifname);
	return 0;
}

static int check_socket(int socket)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return daq_error(-errno, "cannot hand a card over: %m");
	if (type != SOCK_SEQPACKET)
		return daq_error(-EINVAL, "cards are handed over by Unix sockets of type SOCK_SEQPACKET");
	return 0;
}

static void close_sent(struct daq_card *card)
{
	struct daq_chan *chan, *next;

	for (chan = LIST_FIRST(&card->chans); chan; chan = next) {
		next = LIST_NEXT(chan, siblings);
		if (chan->sendable)
			daq_chan__close(chan);
	}
}

int daq_card__send(struct daq_card *card, int socket)
{
	struct parcel *parcel;
	int counters = -1;
	bool inputs;
	int err;

	err = check_socket(socket);
	if (!err)
		err = steer_inputs(card, &inputs);
	if (err)
		return err;
	if (inputs) {
		counters = daq_steering__share_counters(card);
		if (counters < 0)
			return counters;
	}
	parcel = new_parcel();
	err = parcel ? pack(card, parcel, counters) : -ENOMEM;
	if (!err)
		err = send_parcel(card, parcel, socket);
	if (!err)
		close_sent(card);
	free(parcel);
	if (counters >= 0)
		close(counters);
	return err;
}

/* ---- Receiving ---- */

static int receive_parcel(struct parcel *parcel, int socket)
{
	struct iovec iov = { .iov_base = &parcel->message, .iov_len = sizeof(parcel->message) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &parcel->control,
		.msg_controllen = sizeof(parcel->control),
	};
	ssize_t len = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg;

	if (len < 0)
		return daq_error(-errno, "cannot receive a card: %m");
	if (len == 0)
		return daq_error(-EPIPE, "no card was handed over");
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
		parcel->fd_count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(parcel->fds, CMSG_DATA(cmsg), parcel->fd_count * sizeof(int));
	}
	if (len < (ssize_t)message_bytes(0) || parcel->message.version != VERSION ||
	    parcel->message.chan_bytes != sizeof(struct sent_chan) ||
	    parcel->message.count > DAQ_MAX_CHANNELS ||
	    len != (ssize_t)message_bytes(parcel->message.count))
		return daq_error(-EPROTO, "what was received is no card, or comes from another version of libdaqring");
	if (msg.msg_flags & MSG_CTRUNC ||
	    parcel->fd_count != CARD_FDS * !!parcel->message.steered +
				CHAN_FDS * parcel->message.count)
		return daq_error(-EMFILE, "the card came without all of its descriptors: raise the limit (ulimit -n)");
	return 0;
}

/* Takes the next @count descriptors out. */
static void unpack_fds(struct parcel *parcel, unsigned int *next, int **to, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		*to[i] = parcel->fds[*next];
		parcel->fds[(*next)++] = -1;
	}
}

static int unpack_chan(struct daq_card *card, struct parcel *parcel, unsigned int index,
		       unsigned int *next_fd)
{
	const struct sent_chan *sent = &parcel->message.chans[index];
	struct daq_chan *chan = daq_chan__new(card, sent->number, sent->direction);
	int err;

	if (!chan)
		return -ENOMEM;
	unpack_fds(parcel, next_fd, (int *[]){ &chan->socket, &chan->memory_fd, &chan->link_fd },
		   CHAN_FDS);
	chan->format = sent->format;
	chan->zero_copy = sent->zero_copy;
	chan->steered = chan->direction == DAQ_INPUT;
	chan->steered_before = sent->steered_before;
	err = daq_rings__map(chan, sent->to_kernel, sent->from_kernel);
	return err ? err : daq_chan__adopt(chan, sent->buffer_bytes);
}

static int unpack(struct daq_card *card, struct parcel *parcel)
{
	const struct message *message = &parcel->message;
	unsigned int i, next_fd = 0;
	int err;

	card->received = true;
	card->ifindex = message->ifindex;
	card->channels = message->channels;
	memcpy(card->ifname, message->ifname, sizeof(card->ifname));
	card->ifname[sizeof(card->ifname) - 1] = 0;
	if (message->steered)
		unpack_fds(parcel, &next_fd, (int *[]){ &card->steer_link,
				   &card->steer_maps[DAQ_STEER_COUNTERS] }, CARD_FDS);
	for (i = 0; i < message->count; i++) {
		err = unpack_chan(card, parcel, i, &next_fd);
		if (err)
			return err;
	}
	return 0;
}

static void free_parcel(struct parcel *parcel)
{
	unsigned int i;

	for (i = 0; i < parcel->fd_count; i++)
		if (parcel->fds[i] >= 0)
			close(parcel->fds[i]);
	free(parcel);
}

int daq_card__receive(int socket, struct daq_card **result)
{
	struct parcel *parcel = new_parcel();
	struct daq_card *card = NULL;
	int err;

	if (!parcel)
		return -ENOMEM;
	err = receive_parcel(parcel, socket);
	if (!err) {
		card = daq_card__new();
		err = card ? unpack(card, parcel) : -ENOMEM;
	}
	free_parcel(parcel);
	if (err) {
		daq_card__close(card);
		return err;
	}
	*result = card;
	return 0;
}

int daq_card__inherit(struct daq_card **card)
{
	const char *text = secure_getenv(DAQ_CARD_FD);
	char *end = NULL;
	long fd = text ? strtol(text, &end, 10) : -1;
	int err;

	if (!text || end == text || *end || fd < 0)
		return daq_error(-ENOENT, "no card was handed over to this process: start it with daq run");
	err = daq_card__receive(fd, card);
	if (!err)
		close(fd);
	return err;
}
