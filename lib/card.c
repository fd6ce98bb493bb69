// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "internal.h"
#include "opts.h"

static int find_channels(struct daq_card *card, const struct daq_card_opts *opts)
{
	int err;

	if (opts->format) {
		card->fixed_format = true;
		card->format = *opts->format;
		card->channels = DAQ_MAX_CHANNELS;
		return 0;
	}
	err = daq_netlink__open(card);
	if (!err)
		err = daq_netlink__count_channels(card);
	if (!err && !card->channels)
		err = daq_error(-EOPNOTSUPP, "%s is not a daq card", card->ifname);
	return err;
}

struct daq_card *daq_card__new(void)
{
	struct daq_card *card = calloc(1, sizeof(*card));

	if (!card) {
		daq_error(-ENOMEM, "no memory for a card");
		return NULL;
	}
	daq_steering__init(card);
	LIST_INIT(&card->chans);
	card->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (card->epfd < 0) {
		daq_error(-errno, "cannot create an epoll descriptor: %m");
		free(card);
		return NULL;
	}
	pthread_mutex_init(&card->netlink_lock, NULL);
	return card;
}

static int open_card(struct daq_card *card, const char *ifname, const struct daq_card_opts *opts)
{
	card->ifindex = if_nametoindex(ifname);
	if (!card->ifindex)
		return daq_error(-ENODEV, "no such interface: %s", ifname);
	snprintf(card->ifname, sizeof(card->ifname), "%s", ifname);
	return find_channels(card, opts);
}

int daq_card__open(const char *ifname, const struct daq_card_opts *user_opts,
		   struct daq_card **result)
{
	struct daq_card_opts opts;
	struct daq_card *card;
	int err;

	err = daq_opts_copy(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	card = daq_card__new();
	if (!card)
		return -ENOMEM;
	err = open_card(card, ifname, &opts);
	if (err) {
		daq_card__close(card);
		return err;
	}
	*result = card;
	return 0;
}

void daq_card__close(struct daq_card *card)
{
	if (!card)
		return;
	while (!LIST_EMPTY(&card->chans))
		daq_chan__close(LIST_FIRST(&card->chans));
	daq_steering__detach(card);
	daq_netlink__close(card);
	close(card->epfd);
	pthread_mutex_destroy(&card->netlink_lock);
	free(card);
}

const char *daq_card__name(const struct daq_card *card)
{
	return card->ifname;
}

unsigned int daq_card__channels(const struct daq_card *card)
{
	return card->channels;
}

static int check_channel(const struct daq_card *card, unsigned int channel)
{
	if (channel < card->channels)
		return 0;
	return daq_error(-EINVAL, "no such channel: %u (%s has 0-%u)", channel, card->ifname,
			 card->channels - 1);
}

struct daq_chan *daq_card__chan(const struct daq_card *card, unsigned int channel)
{
	struct daq_chan *chan;

	LIST_FOREACH(chan, &card->chans, siblings)
		if (chan->number == channel)
			return chan;
	return NULL;
}

/* Whether the driver can be asked. */
static int check_driver(const struct daq_card *card)
{
	if (card->received)
		return daq_error(-EOPNOTSUPP, "%s came from another process: open it by its name for that",
				 card->ifname);
	if (card->fixed_format)
		return daq_error(-EOPNOTSUPP, "%s is not a daq card", card->ifname);
	return 0;
}

int daq_card__format(struct daq_card *card, unsigned int channel, struct daq_format *format)
{
	int err = check_channel(card, channel);

	if (err)
		return err;
	if (card->fixed_format) {
		*format = card->format;
		return 0;
	}
	err = check_driver(card);
	return err ? err : daq_netlink__get(card, channel, format);
}

int daq_card__set_format(struct daq_card *card, unsigned int channel,
			 const struct daq_format *format, unsigned int mask)
{
	int err = check_channel(card, channel);

	if (!err)
		err = check_driver(card);
	return err ? err : daq_netlink__set(card, channel, format, mask);
}

int daq_card__set_cable(struct daq_card *card, const struct daq_card *far_end)
{
	int err = check_driver(card);

	return err ? err : daq_netlink__set_cable(card, far_end ? far_end->ifindex : 0);
}

int daq_card__personality(struct daq_card *card, enum daq_personality *personality)
{
	int err = check_driver(card);

	return err ? err : daq_netlink__personality(card, personality);
}

int daq_card__set_personality(struct daq_card *card, enum daq_personality personality)
{
	int err = check_driver(card);

	return err ? err : daq_netlink__set_personality(card, personality);
}

int daq_card__window(struct daq_card *card, unsigned int channel, struct daq_window_info *info)
{
	int err = check_channel(card, channel);

	if (!err)
		err = check_driver(card);
	return err ? err : daq_netlink__window(card, channel, info);
}

int daq_card__set_window(struct daq_card *card, unsigned int channel, int granted)
{
	int err = check_channel(card, channel);

	if (!err)
		err = check_driver(card);
	return err ? err : daq_netlink__set_window(card, channel, granted);
}

/* One frame of each channel per round, so that a fast one does not starve the others. */
static int dispatch_round(struct daq_card *card)
{
	unsigned int closed = card->closed;
	struct daq_frame frame;
	struct daq_chan *chan;
	int count = 0;
	int ret;

	LIST_FOREACH(chan, &card->chans, siblings) {
		if (!chan->on_frame)
			continue;
		ret = daq_input__poll(chan, &frame);
		if (ret < 0)
			return ret;
		if (ret == 0)
			continue;
		ret = chan->on_frame(chan, &frame, chan->on_frame_ctx);
		if (ret < 0)
			return ret;
		count++;
		/* it may have been this channel, or the next one */
		if (card->closed != closed)
			break;
	}
	return count;
}

int daq_card__dispatch(struct daq_card *card, int timeout_ms)
{
	int64_t start = daq_now_ms();
	int ret;

	for (;;) {
		ret = dispatch_round(card);
		if (ret)
			return ret;
		/* any channel will do for the sum over all of them */
		ret = daq_wait(card->epfd, LIST_FIRST(&card->chans),
			       daq_remaining_ms(start, timeout_ms));
		if (ret <= 0)
			return ret;
	}
}
