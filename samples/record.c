// SPDX-License-Identifier: GPL-2.0
/*
 * Frames to a file, straight from where the card has written them.
 *
 *   ./record daq0 0 >frames.raw
 */
#include <daqring.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One piece or many, it is the same to writev(); a file takes all or is full. */
static bool write_frame(const struct daq_frame *frame)
{
	size_t written = 0;
	unsigned int i, n;
	ssize_t ret;

	for (i = 0; i < frame->iovcnt; i += n) {
		n = frame->iovcnt - i < IOV_MAX ? frame->iovcnt - i : IOV_MAX;
		ret = writev(STDOUT_FILENO, frame->iov + i, n);
		if (ret < 0)
			return false;
		written += ret;
	}
	return written == frame->len;
}

int main(int argc, char **argv)
{
	const char *ifname = argc > 1 ? argv[1] : "daq0";
	unsigned int channel = argc > 2 ? atoi(argv[2]) : 0;
	struct daq_frame frame = { 0 };
	struct daq_card *card = NULL;
	struct daq_chan *chan;
	int err;

	err = daq_card__open(ifname, NULL, &card);
	if (!err)
		err = daq_chan__open(card, channel, NULL, &chan);
	if (!err)
		fprintf(stderr, "recording\n");
	while (!err && !(frame.status & DAQ_FRAME_LAST)) {
		err = daq_chan__next(chan, &frame, -1) < 0;
		if (!err && !write_frame(&frame)) {
			perror("record");
			daq_card__close(card);
			return 1;
		}
		if (!err)
			daq_chan__release(chan, &frame);
	}
	if (err)
		fprintf(stderr, "record: %s\n", daq_errmsg());
	daq_card__close(card);
	return err ? 1 : 0;
}
