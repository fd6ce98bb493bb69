// SPDX-License-Identifier: GPL-2.0
/*
 * The shortest consumer: one line per frame of one channel.
 *
 *   cc -O2 hello.c $(pkg-config --cflags --libs daqring) -o hello
 *   ./hello daq0 0
 */
#include <daqring.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	const char *ifname = argc > 1 ? argv[1] : "daq0";
	unsigned int channel = argc > 2 ? atoi(argv[2]) : 0;
	struct daq_card *card = NULL;
	struct daq_frame frame;
	struct daq_chan *chan;

	setlinebuf(stdout);
	if (daq_card__open(ifname, NULL, &card) == 0 &&
	    daq_chan__open(card, channel, NULL, &chan) == 0) {
		while (daq_chan__next(chan, &frame, -1) > 0) {
			printf("frame %" PRIu64 ": %zu bytes in %u piece(s), sample %" PRIu64
			       ", %" PRIu64 " ns, %" PRIu64 " frames lost before\n",
			       frame.number, frame.len, frame.iovcnt, frame.sample,
			       frame.timestamp, frame.gap.frames);
			daq_chan__release(chan, &frame);
		}
	}
	fprintf(stderr, "hello: %s\n", daq_errmsg());
	daq_card__close(card);
	return 1;
}
