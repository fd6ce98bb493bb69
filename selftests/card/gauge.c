// SPDX-License-Identifier: GPL-2.0
/* How near to a loss the card has come, and what playing it costs. */
#include <endian.h>
#include <sys/resource.h>
#include "card.h"

void gauges_reset(struct gauges *gauges)
{
	u32 i;

	for (i = 0; i < DAQ_MAX_CHANNELS; i++) {
		WRITE_ONCE(gauges->buffers_left[i], UINT32_MAX);
		WRITE_ONCE(gauges->fifo_most[i], 0);
	}
}

/* A segment of a channel has been written, its buffers are not yet counted as used. */
void gauges_note(struct gauges *gauges, const struct daq_model *m, u32 channel,
		 const struct daq_rx_cmpl *cmpl)
{
	const struct daq_model_chan *ch = &m->chan[channel];
	const struct daq_model_queue *q = &m->queue[ch->queue];
	u32 left = READ_ONCE(q->rx_prod) - q->rx_cons - le16toh(cmpl->bufs);
	/* This one had waited, too. */
	u32 waiting = ch->fifo.head - ch->fifo.tail + 1;

	if (left < READ_ONCE(gauges->buffers_left[channel]))
		WRITE_ONCE(gauges->buffers_left[channel], left);
	if (!(m->caps & DAQ_CAP_AUTO) && waiting > READ_ONCE(gauges->fifo_most[channel]))
		WRITE_ONCE(gauges->fifo_most[channel], waiting);
}

/* Return: time of processors that the process has used, ns. */
u64 gauges_cpu_time(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (u64)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * NSEC_PER_SEC +
	       (u64)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000;
}
