// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer that needs no privilege: somebody else has opened its channels.
 *
 *   cc -O2 inherit.c $(pkg-config --cflags --libs daqring) -o inherit
 *   daq run daq0 --channel 0-3 --user nobody -- ./inherit
 */
#include <daqring.h>
#include <inttypes.h>
#include <stdio.h>

static int print(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	(void)ctx;
	printf("channel %u frame %" PRIu64 ": %zu bytes, %" PRIu64 " frames lost before\n",
	       daq_chan__number(chan), frame->number, frame->len, frame->gap.frames);
	return daq_chan__release(chan, frame);
}

int main(void)
{
	struct daq_card *card = NULL;
	struct daq_chan *chan;
	unsigned int i;
	int ret;

	setlinebuf(stdout);
	ret = daq_card__inherit(&card);
	for (i = 0; ret >= 0 && i < daq_card__channels(card); i++) {
		chan = daq_card__chan(card, i);
		if (!chan)
			continue;
		ret = daq_chan__on_frame(chan, print, NULL);
		if (!ret)
			ret = daq_chan__start(chan);
	}
	while (ret >= 0)
		ret = daq_card__dispatch(card, -1);
	fprintf(stderr, "inherit: %s\n", daq_errmsg());
	daq_card__close(card);
	return 1;
}
