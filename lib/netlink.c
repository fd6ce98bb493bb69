// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Channel formats, cables and kinds of cards: the generic netlink family "daq". */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "internal.h"

#define REPLY_BYTES 32768

static struct nlmsghdr *request(struct daq_card *card, void *buf, uint16_t type, uint16_t flags,
				uint8_t command, uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = atomic_fetch_add(&card->sequence, 1);
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = command;
	genl->version = version;
	return nlh;
}

static int collect_message(const struct nlattr *attr, void *data)
{
	const char **message = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
		*message = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

/* The kernel's own words in the attributes at @offset say what is wrong with the request. */
static int report(const struct daq_card *card, const struct nlmsghdr *nlh, unsigned int offset,
		  int err, const char *what)
{
	const char *message = NULL;

	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_parse(nlh, offset, collect_message, &message);
	if (message)
		return daq_error(err, "%s: %s: %s", card->ifname, what, message);
	if (err == -EPERM)
		return daq_error(err, "%s: %s: needs CAP_NET_ADMIN (root)", card->ifname, what);
	return daq_error(err, "%s: %s: %s", card->ifname, what, strerror(-err));
}

static int report_error(const struct daq_card *card, const struct nlmsghdr *nlh, const char *what)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	unsigned int offset = sizeof(*error);

	if (error->error == 0)
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += error->msg.nlmsg_len - NLMSG_HDRLEN;
	return report(card, nlh, offset, error->error, what);
}

static int report_done(const struct daq_card *card, const struct nlmsghdr *nlh, const char *what)
{
	const int *err = mnl_nlmsg_get_payload(nlh);

	return *err < 0 ? report(card, nlh, sizeof(*err), *err, what) : 0;
}

static int exchange(struct daq_card *card, struct nlmsghdr *nlh, mnl_cb_t reply, void *data,
		    const char *what)
{
	unsigned int port = mnl_socket_get_portid(card->netlink);
	char buf[REPLY_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint32_t sequence = nlh->nlmsg_seq;
	const struct nlmsghdr *answer;
	ssize_t len;
	int rest;

	if (mnl_socket_sendto(card->netlink, nlh, nlh->nlmsg_len) < 0)
		return daq_error(-errno, "%s: %s: %m", card->ifname, what);
	for (;;) {
		len = mnl_socket_recvfrom(card->netlink, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return daq_error(-errno, "%s: %s: %m", card->ifname, what);
		rest = len;
		for (answer = (void *)buf; mnl_nlmsg_ok(answer, rest);
		     answer = mnl_nlmsg_next(answer, &rest)) {
			if (!mnl_nlmsg_seq_ok(answer, sequence) ||
			    !mnl_nlmsg_portid_ok(answer, port))
				continue;
			if (answer->nlmsg_type == NLMSG_ERROR)
				return report_error(card, answer, what);
			if (answer->nlmsg_type == NLMSG_DONE)
				return report_done(card, answer, what);
			reply(answer, data);
		}
	}
}

/* Sends a request and hands every reply to @reply until the kernel has acknowledged. */
static int transact(struct daq_card *card, struct nlmsghdr *nlh, mnl_cb_t reply, void *data,
		    const char *what)
{
	int err;

	pthread_mutex_lock(&card->netlink_lock);
	err = exchange(card, nlh, reply, data, what);
	pthread_mutex_unlock(&card->netlink_lock);
	return err;
}

static int take_family(const struct nlattr *attr, void *data)
{
	uint16_t *family = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
	    mnl_attr_validate(attr, MNL_TYPE_U16) == 0)
		*family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int family_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_family, data);
}

static int find_family(struct daq_card *card)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;
	int err;

	nlh = request(card, buf, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, DAQ_FAMILY_NAME);
	err = transact(card, nlh, family_reply, &card->family, "finding the daq driver");
	if (err == -ENOENT)
		return daq_error(-EOPNOTSUPP,
				 "%s is not a daq card: the daq driver is not loaded",
				 card->ifname);
	return err;
}

int daq_netlink__open(struct daq_card *card)
{
	int one = 1;
	int err;

	card->netlink = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!card->netlink)
		return daq_error(-errno, "cannot open a netlink socket: %m");
	/* without these two, failures only come without their reason */
	mnl_socket_setsockopt(card->netlink, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(card->netlink, NETLINK_CAP_ACK, &one, sizeof(one));
	if (mnl_socket_bind(card->netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		err = daq_error(-errno, "cannot bind a netlink socket: %m");
	else
		err = find_family(card);
	if (err)
		daq_netlink__close(card);
	return err;
}

void daq_netlink__close(struct daq_card *card)
{
	if (card->netlink)
		mnl_socket_close(card->netlink);
	card->netlink = NULL;
}

static int count_reply(const struct nlmsghdr *nlh, void *data)
{
	unsigned int *count = data;

	(void)nlh;
	(*count)++;
	return MNL_CB_OK;
}

int daq_netlink__count_channels(struct daq_card *card)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;

	nlh = request(card, buf, card->family, NLM_F_DUMP, DAQ_CMD_CHANNEL_GET,
		      DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_IFINDEX, card->ifindex);
	return transact(card, nlh, count_reply, &card->channels, "reading the channels");
}

static int take_format(const struct nlattr *attr, void *data)
{
	struct daq_format *format = data;

	switch (mnl_attr_get_type(attr)) {
	case DAQ_A_CHANNEL_QUEUE:
		format->queue = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_SOURCE:
		format->source = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_LOOP_FROM:
		format->loop_from = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_SAMPLE_BYTES:
		format->sample_bytes = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_SEGMENT_BYTES:
		format->segment_bytes = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_FRAME_BYTES:
		format->frame_bytes = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_LINE_BYTES:
		format->line_bytes = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_RATE:
		format->rate = mnl_attr_get_u64(attr);
		break;
	case DAQ_A_CHANNEL_OUTPUT_LOW:
		format->output_low = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_UNDERRUNS:
		format->underruns = mnl_attr_get_u64(attr);
		break;
	case DAQ_A_CHANNEL_UNDERRUN_SAMPLE:
		format->underrun_sample = mnl_attr_get_u64(attr);
		break;
	}
	return MNL_CB_OK;
}

static int format_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_format, data);
}

int daq_netlink__get(struct daq_card *card, unsigned int channel, struct daq_format *format)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;

	memset(format, 0, sizeof(*format));
	nlh = request(card, buf, card->family, 0, DAQ_CMD_CHANNEL_GET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_IFINDEX, card->ifindex);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_ID, channel);
	return transact(card, nlh, format_reply, format, "reading the format");
}

int daq_netlink__set(struct daq_card *card, unsigned int channel,
		     const struct daq_format *format, unsigned int mask)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	char what[48];
	struct nlmsghdr *nlh;

	nlh = request(card, buf, card->family, 0, DAQ_CMD_CHANNEL_SET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_IFINDEX, card->ifindex);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_ID, channel);
	if (mask & DAQ_FORMAT_SOURCE)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_SOURCE, format->source);
	if (mask & DAQ_FORMAT_LOOP_FROM)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_LOOP_FROM, format->loop_from);
	if (mask & DAQ_FORMAT_SAMPLE_BYTES)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_SAMPLE_BYTES, format->sample_bytes);
	if (mask & DAQ_FORMAT_SEGMENT_BYTES)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_SEGMENT_BYTES, format->segment_bytes);
	if (mask & DAQ_FORMAT_FRAME_BYTES)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_FRAME_BYTES, format->frame_bytes);
	if (mask & DAQ_FORMAT_LINE_BYTES)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_LINE_BYTES, format->line_bytes);
	if (mask & DAQ_FORMAT_RATE)
		mnl_attr_put_u64(nlh, DAQ_A_CHANNEL_RATE, format->rate);
	if (mask & DAQ_FORMAT_OUTPUT_LOW)
		mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_OUTPUT_LOW, format->output_low);
	snprintf(what, sizeof(what), "setting channel %u", channel);
	return transact(card, nlh, count_reply, &(unsigned int){ 0 }, what);
}

static const struct {
	uint16_t attr;
	enum daq_loss loss;
} losses[] = {
	{ DAQ_A_STATS_STACK, DAQ_LOSS_STACK },
	{ DAQ_A_STATS_DROP_XDP, DAQ_LOSS_XDP },
	{ DAQ_A_STATS_DROP_ABORTED, DAQ_LOSS_ABORTED },
	{ DAQ_A_STATS_DROP_RING_FULL, DAQ_LOSS_RING_FULL },
	{ DAQ_A_STATS_DROP_REDIRECT, DAQ_LOSS_REDIRECT },
	{ DAQ_A_STATS_DROP_NO_MEMORY, DAQ_LOSS_NO_MEMORY },
	{ DAQ_A_STATS_DROP_NO_FRAGS, DAQ_LOSS_NO_FRAGS },
	{ DAQ_A_STATS_DROP_BAD_DESC, DAQ_LOSS_BAD_DESC },
	{ DAQ_A_STATS_DROP_STOPPED, DAQ_LOSS_STOPPED },
	{ DAQ_A_STATS_DROP_NO_BUFFER, DAQ_LOSS_NO_BUFFER },
	{ DAQ_A_STATS_DROP_TOO_LONG, DAQ_LOSS_TOO_LONG },
	{ DAQ_A_STATS_DROP_FIFO_OVERRUN, DAQ_LOSS_FIFO_OVERRUN },
};

static int take_loss(const struct nlattr *attr, void *data)
{
	uint64_t *counted = data;
	unsigned int i;

	for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (losses[i].attr == mnl_attr_get_type(attr) &&
		    mnl_attr_validate(attr, MNL_TYPE_U64) == 0)
			counted[losses[i].loss] = mnl_attr_get_u64(attr);
	return MNL_CB_OK;
}

static int loss_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_loss, data);
}

int daq_netlink__losses(struct daq_card *card, unsigned int channel,
			uint64_t counted[DAQ_LOSSES])
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;

	nlh = request(card, buf, card->family, 0, DAQ_CMD_STATS_GET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_STATS_IFINDEX, card->ifindex);
	mnl_attr_put_u32(nlh, DAQ_A_STATS_ID, channel);
	return transact(card, nlh, loss_reply, counted, "reading the counters");
}

int daq_netlink__set_cable(struct daq_card *card, unsigned int far_end)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;

	nlh = request(card, buf, card->family, 0, DAQ_CMD_CABLE_SET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CABLE_IFINDEX, card->ifindex);
	if (far_end)
		mnl_attr_put_u32(nlh, DAQ_A_CABLE_FAR_END, far_end);
	return transact(card, nlh, count_reply, &(unsigned int){ 0 },
			far_end ? "plugging the cable in" : "unplugging the cable");
}

static int take_personality(const struct nlattr *attr, void *data)
{
	enum daq_personality *personality = data;

	if (mnl_attr_get_type(attr) == DAQ_A_CARD_PERSONALITY)
		*personality = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int personality_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_personality, data);
}

int daq_netlink__personality(struct daq_card *card, enum daq_personality *personality)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;

	nlh = request(card, buf, card->family, 0, DAQ_CMD_CARD_GET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CARD_IFINDEX, card->ifindex);
	return transact(card, nlh, personality_reply, personality, "reading the personality");
}

static int take_device(const struct nlattr *attr, void *data)
{
	int64_t *number = data;

	if (mnl_attr_get_type(attr) == DAQ_A_CARD_DEVICE &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		*number = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int device_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_device, data);
}

int daq_netlink__device(struct daq_card *card, unsigned int *number)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;
	int64_t found = -1;
	int err;

	nlh = request(card, buf, card->family, 0, DAQ_CMD_CARD_GET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CARD_IFINDEX, card->ifindex);
	err = transact(card, nlh, device_reply, &found, "finding the control device");
	if (err)
		return err;
	if (found < 0)
		return daq_error(-EOPNOTSUPP, "%s has no control device: an older driver?",
				 card->ifname);
	*number = found;
	return 0;
}

int daq_netlink__set_personality(struct daq_card *card, enum daq_personality personality)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;

	nlh = request(card, buf, card->family, 0, DAQ_CMD_CARD_SET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CARD_IFINDEX, card->ifindex);
	mnl_attr_put_u32(nlh, DAQ_A_CARD_PERSONALITY, personality);
	return transact(card, nlh, count_reply, &(unsigned int){ 0 }, "setting the personality");
}

struct window_reply {
	struct daq_window_info info;
	bool present;
};

static int take_window(const struct nlattr *attr, void *data)
{
	struct window_reply *reply = data;

	switch (mnl_attr_get_type(attr)) {
	case DAQ_A_CHANNEL_WINDOW_WITHHELD:
		reply->info.withheld = mnl_attr_get_u32(attr);
		reply->present = true;
		break;
	case DAQ_A_CHANNEL_WINDOW_GENERATION:
		reply->info.generation = mnl_attr_get_u32(attr);
		break;
	case DAQ_A_CHANNEL_WINDOW_OWNED:
		reply->info.owned = mnl_attr_get_u8(attr);
		break;
	}
	return MNL_CB_OK;
}

static int window_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_window, data);
}

int daq_netlink__window(struct daq_card *card, unsigned int channel, struct daq_window_info *info)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct window_reply reply = { 0 };
	struct nlmsghdr *nlh;
	int err;

	nlh = request(card, buf, card->family, 0, DAQ_CMD_CHANNEL_GET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_IFINDEX, card->ifindex);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_ID, channel);
	err = transact(card, nlh, window_reply, &reply, "reading the register window");
	if (!err && !reply.present)
		err = daq_error(-EOPNOTSUPP, "%s has no register windows", card->ifname);
	if (!err)
		*info = reply.info;
	return err;
}

int daq_netlink__set_window(struct daq_card *card, unsigned int channel, bool granted)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;
	char what[64];

	nlh = request(card, buf, card->family, 0, DAQ_CMD_WINDOW_SET, DAQ_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_IFINDEX, card->ifindex);
	mnl_attr_put_u32(nlh, DAQ_A_CHANNEL_ID, channel);
	mnl_attr_put_u8(nlh, DAQ_A_CHANNEL_WINDOW_GRANTED, granted);
	snprintf(what, sizeof(what), "%s the register window of channel %u",
		 granted ? "granting" : "revoking", channel);
	return transact(card, nlh, count_reply, &(unsigned int){ 0 }, what);
}
