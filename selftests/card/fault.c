// SPDX-License-Identifier: GPL-2.0
/* Faults that strike by chance: the same ones for the same seed and the same asking. */
#include <stdlib.h>
#include "card.h"

static const char *const fault_names[FAULT_KINDS] = {
	[FAULT_DROP] = "drop",
	[FAULT_CORRUPT] = "corrupt",
	[FAULT_DUPLICATE] = "duplicate",
	[FAULT_LENGTH] = "length",
	[FAULT_INDEX] = "index",
	[FAULT_BUFFERS] = "buffers",
	[FAULT_CHANNEL] = "channel",
	[FAULT_LATE_DMA] = "late-dma",
	[FAULT_REPORT] = "report",
	[FAULT_LOST_IRQ] = "lost-irq",
	[FAULT_SPURIOUS_IRQ] = "spurious-irq",
	[FAULT_STUCK_READY] = "stuck-ready",
};

const char *fault_name(enum fault_kind kind)
{
	return fault_names[kind];
}

void faults_init(struct faults *faults, u64 seed)
{
	pthread_mutex_init(&faults->lock, NULL);
	faults->state = seed;
}

void faults_clear(struct faults *faults)
{
	pthread_mutex_lock(&faults->lock);
	memset(faults->rate, 0, sizeof(faults->rate));
	pthread_mutex_unlock(&faults->lock);
}

/* Splitmix: any seed is a good one. */
static u64 fault_next(struct faults *faults)
{
	u64 z = faults->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

u64 fault_random(struct faults *faults)
{
	u64 val;

	pthread_mutex_lock(&faults->lock);
	val = fault_next(faults);
	pthread_mutex_unlock(&faults->lock);
	return val;
}

/* Return: whether it happens now; that counts it. */
bool fault_strikes(struct faults *faults, enum fault_kind kind, u32 channel)
{
	bool strikes = false;

	if (channel >= DAQ_MAX_CHANNELS)
		return false;
	pthread_mutex_lock(&faults->lock);
	if (faults->rate[kind][channel] > 0)
		strikes = (fault_next(faults) >> 11) * 0x1p-53 < faults->rate[kind][channel];
	faults->injected[kind][channel] += strikes;
	pthread_mutex_unlock(&faults->lock);
	return strikes;
}

/* Return: how often it has happened, on all channels. */
u64 faults_injected(const struct faults *faults, enum fault_kind kind)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < DAQ_MAX_CHANNELS; i++)
		sum += faults->injected[kind][i];
	return sum;
}

/**
 * faults_set() - have faults happen
 * @faults: faults
 * @spec: KIND[:CHANNEL]=RATE, where RATE is from 0 to 1
 * @error: gets what is wrong with it
 * @size: of @error
 *
 * Return: whether @spec can be understood.
 */
bool faults_set(struct faults *faults, const char *spec, char *error, size_t size)
{
	size_t len = strcspn(spec, ":=");
	u32 first = 0, last = DAQ_MAX_CHANNELS - 1;
	const char *p = spec + len;
	char *end;
	double rate;
	u32 kind;

	for (kind = 0; kind < FAULT_KINDS; kind++)
		if (strlen(fault_names[kind]) == len && !strncmp(fault_names[kind], spec, len))
			break;
	if (kind == FAULT_KINDS) {
		snprintf(error, size, "no such fault: %.*s; see --help", (int)len, spec);
		return false;
	}
	if (*p == ':') {
		unsigned long channel = strtoul(p + 1, &end, 10);

		if (end == p + 1 || channel >= DAQ_MAX_CHANNELS) {
			snprintf(error, size, "no such channel in fault %s", spec);
			return false;
		}
		first = last = channel;
		p = end;
	}
	rate = *p == '=' ? strtod(p + 1, &end) : -1;
	if (*p != '=' || end == p + 1 || *end || !(rate >= 0 && rate <= 1)) {
		snprintf(error, size, "fault %s: write it as KIND[:CHANNEL]=RATE, RATE from 0 to 1",
			 spec);
		return false;
	}
	pthread_mutex_lock(&faults->lock);
	for (; first <= last; first++)
		faults->rate[kind][first] = rate;
	pthread_mutex_unlock(&faults->lock);
	return true;
}
