// SPDX-License-Identifier: GPL-2.0
/*
 * Plays what it reads on one output: frames are filled in place, in the card's memory.
 *
 *   ./play daq0 1 <wave.raw
 */
#include <daqring.h>
#include <stdio.h>
#include <stdlib.h>

/* What is read goes straight to where the card takes it from. */
static int play(struct daq_chan *chan)
{
	size_t len = daq_chan__format(chan)->frame_bytes;
	unsigned int last = 0;
	struct daq_frame frame;
	int c;

	while (!last && daq_chan__reserve(chan, len, &frame, -1) > 0) {
		frame.len = fread(frame.data, 1, len, stdin);
		c = getc(stdin);
		ungetc(c, stdin);
		last = c == EOF ? DAQ_FRAME_LAST : 0;
		if (daq_chan__submit(chan, &frame, last) < 0)
			return 1;
	}
	/* not before all of it has been played */
	return last && daq_chan__drain(chan, -1) > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .direction = DAQ_OUTPUT };
	const char *ifname = argc > 1 ? argv[1] : "daq0";
	unsigned int channel = argc > 2 ? atoi(argv[2]) : 1;
	struct daq_card *card = NULL;
	struct daq_chan *chan;
	int status = 1;

	if (daq_card__open(ifname, NULL, &card) == 0 &&
	    daq_chan__open(card, channel, &opts, &chan) == 0)
		status = play(chan);
	if (status)
		fprintf(stderr, "play: %s\n", daq_errmsg());
	daq_card__close(card);
	return status;
}
