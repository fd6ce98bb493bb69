// SPDX-License-Identifier: GPL-2.0
/*
 * Several channels in one thread: a callback for each, one call that waits for all.
 *
 *   ./channels daq0 0 1 2
 */
#include <daqring.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	uint64_t *bytes = ctx;

	*bytes += frame->len;
	printf("channel %u: frame %" PRIu64 ", %" PRIu64 " bytes so far\n",
	       daq_chan__number(chan), frame->number, *bytes);
	return daq_chan__release(chan, frame);
}

int main(int argc, char **argv)
{
	const char *ifname = argc > 1 ? argv[1] : "daq0";
	uint64_t bytes[DAQ_MAX_CHANNELS] = { 0 };
	struct daq_card *card = NULL;
	struct daq_chan *chan;
	int err, i;

	setlinebuf(stdout);
	err = daq_card__open(ifname, NULL, &card);
	for (i = 2; i < argc && i - 2 < DAQ_MAX_CHANNELS && !err; i++) {
		err = daq_chan__open(card, atoi(argv[i]), NULL, &chan);
		if (!err)
			err = daq_chan__on_frame(chan, on_frame, &bytes[i - 2]);
	}
	while (!err)
		err = daq_card__dispatch(card, -1) < 0;
	fprintf(stderr, "channels: %s\n", daq_errmsg());
	daq_card__close(card);
	return 1;
}
