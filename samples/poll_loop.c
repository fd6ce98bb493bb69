// SPDX-License-Identifier: GPL-2.0
/*
 * A poll loop of one's own: a channel is a descriptor among others. Ends at a line, or
 * the end, of its input.
 *
 *   ./poll_loop daq0 0
 */
#include <daqring.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* All that is there: a descriptor stays readable as long as something is. */
static int receive(struct daq_chan *chan, uint64_t *frames)
{
	struct daq_frame frame;
	int ret;

	while ((ret = daq_chan__next(chan, &frame, 0)) > 0) {
		(*frames)++;
		daq_chan__release(chan, &frame);
	}
	return ret;
}

int main(int argc, char **argv)
{
	const char *ifname = argc > 1 ? argv[1] : "daq0";
	unsigned int channel = argc > 2 ? atoi(argv[2]) : 0;
	struct pollfd fds[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct daq_card *card = NULL;
	struct daq_chan *chan;
	uint64_t frames = 0;
	int err;

	err = daq_card__open(ifname, NULL, &card);
	if (!err)
		err = daq_chan__open(card, channel, NULL, &chan);
	if (!err)
		fds[0].fd = daq_chan__fd(chan);
	while (!err && !fds[1].revents && poll(fds, 2, -1) > 0)
		if (fds[0].revents)
			err = receive(chan, &frames);
	if (err)
		fprintf(stderr, "poll_loop: %s\n", daq_errmsg());
	printf("%" PRIu64 " frames\n", frames);
	daq_card__close(card);
	return err ? 1 : 0;
}
