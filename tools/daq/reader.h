/* SPDX-License-Identifier: GPL-2.0 */
/* What the readers of different formats have in common, for recording.c only. */
#ifndef DAQ_READER_H
#define DAQ_READER_H

#include "recording.h"

struct recording {
	struct recording_info info;
	char *name;		/* of the data */
	int fd;
	const struct recording_ops *ops;
};

struct recording_ops {
	int (*next)(struct recording *recording, struct daq_frame *frame);
	int (*read)(struct recording *recording, void *memory);
	void (*rewind)(struct recording *recording);
	void (*close)(struct recording *recording);
};

/* Reads exactly so much. Return: an exit code. */
int read_exactly(const struct recording *recording, void *memory, size_t len, uint64_t offset);

/* These take over the name and the file. NULL: failed. */
struct recording *open_raw(char *name, int fd, const struct daq_format *fallback);
struct recording *open_sigmf(char *name, int fd);
/* @channel: -1: none in particular, but @likely when there are several */
struct recording *open_pcapng(char *name, int fd, int channel, unsigned int likely);

#endif /* DAQ_READER_H */
