// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * What an AF_XDP socket never tells: that its interface went down or away. An
 * rtnetlink socket per channel wakes the sleeper; its messages are only a hint
 * to look, so none of them can be misread and losing some does no harm.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

#define REMOVAL_MS 500

int daq_link__open(struct daq_chan *chan)
{
	const struct daq_card *card = chan->card;
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int err;

	if (fd < 0)
		return daq_error(-errno, "%s: cannot open a netlink socket: %m", card->ifname);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err = daq_error(-errno, "%s: cannot watch the interface: %m", card->ifname);
		close(fd);
		return err;
	}
	chan->link_fd = fd;
	return 0;
}

/* By index, since the interface may have been renamed or its name reused. */
static int interface_ioctl(const struct daq_chan *chan, unsigned long what, struct ifreq *ifr)
{
	const struct daq_card *card = chan->card;

	memset(ifr, 0, sizeof(*ifr));
	ifr->ifr_ifindex = card->ifindex;
	/* any socket will do, and this one is in the interface's network namespace */
	if (ioctl(chan->link_fd, SIOCGIFNAME, ifr) < 0 || ioctl(chan->link_fd, what, ifr) < 0)
		return daq_error(-errno, "card %s was removed", card->ifname);
	return 0;
}

int daq_link__state(const struct daq_chan *chan)
{
	const struct daq_card *card = chan->card;
	struct ifreq ifr;
	int err = interface_ioctl(chan, SIOCGIFFLAGS, &ifr);

	if (err)
		return err;
	if (!(ifr.ifr_flags & IFF_UP))
		return daq_error(-ENETDOWN, "%s is down: ip link set %s up", card->ifname,
				 card->ifname);
	return 0;
}

int daq_link__mac(const struct daq_chan *chan, uint8_t mac[6])
{
	struct ifreq ifr;
	int err = interface_ioctl(chan, SIOCGIFHWADDR, &ifr);

	if (!err)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return err;
}

static void drain(struct daq_chan *chan)
{
	char buf[16];

	/* ENOBUFS means that messages were lost, which are not read anyway */
	do
		chan->stats.syscalls++;
	while (recv(chan->link_fd, buf, sizeof(buf), 0) >= 0 || errno == ENOBUFS);
}

static int look(struct daq_chan *chan)
{
	drain(chan);
	/* two for the state */
	chan->stats.syscalls += 2;
	return daq_link__state(chan);
}

/*
 * An interface that is being removed goes down first: wait for what comes next. That is
 * the same for all channels, which wait at the same time even if they do in turn.
 *
 * Return: how much longer, ms.
 */
static int removal_wait(struct daq_card *card)
{
	int64_t now = daq_now_ms(), since = 0;

	if (atomic_compare_exchange_strong(&card->down_since, &since, now))
		since = now;
	return daq_remaining_ms(since, REMOVAL_MS);
}

int daq_link__update(struct daq_chan *chan)
{
	struct pollfd pollfd = { .fd = chan->link_fd, .events = POLLIN };
	int before = chan->link_error;

	chan->link_error = look(chan);
	if (chan->link_error != -ENETDOWN)
		atomic_store(&chan->card->down_since, 0);
	else if (!before && poll(&pollfd, 1, removal_wait(chan->card)) > 0)
		chan->link_error = look(chan);
	return chan->link_error;
}
