// SPDX-License-Identifier: GPL-2.0
/*
 * A file in which every sample has its place whatever is lost: what is missing is a
 * hole, and told of.
 *
 *   ./gaps daq0 0 samples.raw
 */
#include <daqring.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t first;	/* sample at the start of the file */
static uint64_t end;	/* of the file, bytes */

static bool place(int fd, const struct daq_frame *frame, uint32_t sample_bytes)
{
	unsigned int i;

	/* a card that was reset counts anew: go on where the file ends */
	if (!end || frame->status & DAQ_FRAME_RESTARTED)
		first = frame->sample - end / sample_bytes;
	if (frame->status & DAQ_FRAME_GAP_BEFORE)
		printf("%" PRIu64 " bytes missing at byte %" PRIu64 ": %" PRIu64 " segments\n",
		       frame->gap.samples * sample_bytes, end, frame->gap.segments);
	end = (frame->sample - first) * sample_bytes;
	for (i = 0; i < frame->iovcnt; end += frame->iov[i++].iov_len)
		if (pwrite(fd, frame->iov[i].iov_base, frame->iov[i].iov_len, end) < 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct daq_frame frame = { 0 };
	struct daq_card *card = NULL;
	struct daq_chan *chan;
	int fd, ret;

	if (argc != 4) {
		fprintf(stderr, "Usage: gaps IFNAME CHANNEL FILE\n");
		return 2;
	}
	setlinebuf(stdout);
	fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	ret = daq_card__open(argv[1], NULL, &card);
	if (!ret)
		ret = daq_chan__open(card, atoi(argv[2]), NULL, &chan);
	while (ret >= 0 && !(frame.status & DAQ_FRAME_LAST)) {
		ret = daq_chan__next(chan, &frame, -1);
		/* it was stopped, and goes on */
		if (ret == -EINTR)
			ret = 0;
		if (ret <= 0)
			continue;
		if (!place(fd, &frame, daq_chan__format(chan)->sample_bytes)) {
			perror(argv[3]);
			break;
		}
		daq_chan__release(chan, &frame);
	}
	if (ret < 0)
		fprintf(stderr, "gaps: %s\n", daq_errmsg());
	daq_card__close(card);
	return !(frame.status & DAQ_FRAME_LAST);
}
