/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel tells about a card's interface. */
#ifndef DAQ_TOOL_INTERFACE_H
#define DAQ_TOOL_INTERFACE_H

#include <daqring.h>
#include <net/if.h>

/* "up", "down", "no carrier", or "unknown". */
const char *link_state(const char *ifname);

/* The command of <linux/ethtool.h>, which gets the answer; 0 or a negative errno. */
int ask_ethtool(const char *ifname, void *command);

/*
 * Calls @fn for every card, until it returns something else than 0. Return: that, or
 * EXIT_FAILED with a message.
 */
int for_each_card(int (*fn)(struct daq_card *card, void *ctx), void *ctx);

/* What ethtool -S counts for each channel, and for the queue of the same number. */
enum counter {
	COUNT_PRODUCED,
	COUNT_PRODUCED_BYTES,
	COUNT_FRAMES,
	COUNT_SOCKET,
	COUNT_STACK,
	COUNT_PLAYED,
	COUNT_PLAYED_BYTES,
	COUNT_TX_BAD,
	COUNT_UNDERRUNS,
	COUNT_DROP_NO_BUFFER,
	COUNT_DROP_FIFO_OVERRUN,
	COUNT_DROP_TOO_LONG,
	COUNT_DROP_XDP,
	COUNT_DROP_ABORTED,
	COUNT_DROP_RING_FULL,
	COUNT_DROP_REDIRECT,
	COUNT_DROP_NO_MEMORY,
	COUNT_DROP_NO_FRAGS,
	COUNT_DROP_BAD_DESC,
	COUNT_DROP_STOPPED,
	COUNT_IRQS,
	COUNT_IRQS_LOST,
	COUNT_POLLS,
	COUNT_FLUSHES,
	COUNT_FILL_DUPLICATES,
	COUNT_BUFFERS,		/* no counter: what the card has now */
	COUNT_DROPPED,		/* the sum of all reasons, also of those not listed here */
	COUNTERS,
	COUNT_FIRST_DROP = COUNT_DROP_NO_BUFFER,
	COUNT_LAST_DROP = COUNT_DROP_STOPPED,
};

struct card_counts {
	uint64_t of[DAQ_MAX_CHANNELS][COUNTERS];
};

/* "drop_no_buffer" */
const char *counter_name(enum counter counter);

/* 0 or a negative errno; @ifname must be a card. */
int read_counts(const char *ifname, struct card_counts *counts);

#endif /* DAQ_TOOL_INTERFACE_H */
