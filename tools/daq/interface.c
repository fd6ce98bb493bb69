// SPDX-License-Identifier: GPL-2.0
/* What the kernel tells about a card's interface: state, ethtool's answers, counters. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daq.h"
#include "interface.h"

static const char *const counter_names[COUNTERS] = {
	[COUNT_PRODUCED] = "produced",
	[COUNT_PRODUCED_BYTES] = "produced_bytes",
	[COUNT_FRAMES] = "frames",
	[COUNT_SOCKET] = "socket",
	[COUNT_STACK] = "stack",
	[COUNT_PLAYED] = "played",
	[COUNT_PLAYED_BYTES] = "played_bytes",
	[COUNT_TX_BAD] = "tx_bad",
	[COUNT_UNDERRUNS] = "underruns",
	[COUNT_DROP_NO_BUFFER] = "drop_no_buffer",
	[COUNT_DROP_FIFO_OVERRUN] = "drop_fifo_overrun",
	[COUNT_DROP_TOO_LONG] = "drop_too_long",
	[COUNT_DROP_XDP] = "drop_xdp",
	[COUNT_DROP_ABORTED] = "drop_aborted",
	[COUNT_DROP_RING_FULL] = "drop_ring_full",
	[COUNT_DROP_REDIRECT] = "drop_redirect",
	[COUNT_DROP_NO_MEMORY] = "drop_no_memory",
	[COUNT_DROP_NO_FRAGS] = "drop_no_frags",
	[COUNT_DROP_BAD_DESC] = "drop_bad_desc",
	[COUNT_DROP_STOPPED] = "drop_stopped",
	[COUNT_IRQS] = "irqs",
	[COUNT_IRQS_LOST] = "irqs_lost",
	[COUNT_POLLS] = "polls",
	[COUNT_FLUSHES] = "flushes",
	[COUNT_FILL_DUPLICATES] = "fill_duplicates",
	[COUNT_BUFFERS] = "buffers",
	[COUNT_DROPPED] = "dropped",
};

static int interface_ioctl(const char *ifname, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	strncpy(ifr->ifr_name, ifname, IF_NAMESIZE - 1);
	if (ioctl(fd, what, ifr) < 0)
		err = -errno;
	close(fd);
	return err;
}

const char *link_state(const char *ifname)
{
	struct ifreq ifr = { 0 };

	if (interface_ioctl(ifname, SIOCGIFFLAGS, &ifr) < 0)
		return "unknown";
	if (!(ifr.ifr_flags & IFF_UP))
		return "down";
	return ifr.ifr_flags & IFF_RUNNING ? "up" : "no carrier";
}

int ask_ethtool(const char *ifname, void *command)
{
	struct ifreq ifr = { .ifr_data = command };

	return interface_ioctl(ifname, SIOCETHTOOL, &ifr);
}

int for_each_card(int (*fn)(struct daq_card *card, void *ctx), void *ctx)
{
	struct if_nameindex *interfaces = if_nameindex(), *i;
	struct daq_card *card;
	int ret = EXIT_OK;

	if (!interfaces)
		return failure("cannot list the interfaces: %s", strerror(errno));
	for (i = interfaces; i->if_name && ret == EXIT_OK; i++) {
		/* whatever is no card does not open */
		if (daq_card__open(i->if_name, NULL, &card) < 0)
			continue;
		ret = fn(card, ctx);
		daq_card__close(card);
	}
	if_freenameindex(interfaces);
	return ret;
}

const char *counter_name(enum counter counter)
{
	return counter_names[counter];
}

/* "ch3_produced", "queue3_irqs" */
static void take_count(struct card_counts *counts, const char *text, uint64_t value)
{
	unsigned int number, i;
	int skip = 0;

	sscanf(text, "ch%u_%n", &number, &skip);
	if (!skip)
		sscanf(text, "queue%u_%n", &number, &skip);
	if (!skip || number >= DAQ_MAX_CHANNELS)
		return;
	text += skip;
	if (strncmp(text, "drop_", strlen("drop_")) == 0)
		counts->of[number][COUNT_DROPPED] += value;
	for (i = 0; i < COUNTERS; i++)
		if (strcmp(text, counter_names[i]) == 0)
			counts->of[number][i] = value;
}

/* How many counters there are; 0: none, or no interface. */
static unsigned int count_counts(const char *ifname)
{
	_Alignas(struct ethtool_sset_info)
	char buf[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)] = "";
	struct ethtool_sset_info *info = (void *)buf;

	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1ull << ETH_SS_STATS;
	if (ask_ethtool(ifname, info) < 0 || !info->sset_mask)
		return 0;
	return info->data[0];
}

/* With room to spare: another card may get the name between two calls. */
#define MAX_COUNTS	(64 * DAQ_MAX_CHANNELS)

int read_counts(const char *ifname, struct card_counts *counts)
{
	unsigned int count = count_counts(ifname), i;
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
	int err = -ENOMEM;

	memset(counts, 0, sizeof(*counts));
	if (!count || count > MAX_COUNTS)
		return -EOPNOTSUPP;
	names = calloc(1, sizeof(*names) + MAX_COUNTS * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + MAX_COUNTS * sizeof(values->data[0]));
	if (!names || !values)
		goto out;
	/* kernels differ in whether they tell how many there are, or want to be told */
	*names = (struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_STATS, count };
	*values = (struct ethtool_stats){ ETHTOOL_GSTATS, count };
	err = ask_ethtool(ifname, names);
	if (!err)
		err = ask_ethtool(ifname, values);
	for (i = 0; i < values->n_stats && i < names->len && !err; i++)
		take_count(counts, (char *)names->data + i * ETH_GSTRING_LEN, values->data[i]);
out:
	free(names);
	free(values);
	return err;
}
