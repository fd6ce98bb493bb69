/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recordings: what `daq capture` wrote, frame by frame, whatever the format of the
 * file. Raw files with and without an index, SigMF, and pcapng.
 *
 *	struct recording *recording;
 *	struct daq_frame frame;
 *	char *memory;
 *	int ret;
 *
 *	if (recording_open(&recording, "run.pcapng:3", 0, NULL))
 *		return EXIT_FAILED;
 *	memory = malloc(recording_info(recording)->format.frame_bytes);
 *	while ((ret = recording_next(recording, &frame)) > 0)
 *		if (recording_read(recording, memory))
 *			...
 *	recording_close(recording);
 *
 * All of it tells the user what is wrong before it returns an error.
 */
#ifndef DAQ_RECORDING_H
#define DAQ_RECORDING_H

#include <limits.h>
#include "daq.h"

struct recording;

/* Whichever comes first. */
#define RECORDING_ANY	UINT_MAX

struct recording_info {
	const char *kind;	/* "raw", "sigmf", "pcapng" */
	bool described;		/* the file itself tells its format; else it is the caller's */
	bool ended;		/* by itself: else what follows was cut off, as by kill -9 */
	char card[32];		/* empty: unknown */
	unsigned int channel;
	uint64_t channels;	/* that there are to choose from, as a set; 0: it is the only one */
	struct daq_format format;
	uint64_t bytes;		/* payload that can be read; 0: not known yet */
};

/**
 * recording_open() - open one channel of a recording
 * @name: the data file, its description (.idx, .sigmf-meta), or FILE:CHANNEL of a pcapng
 *	  file with several channels
 * @channel: the one to take of several when @name does not tell; RECORDING_ANY
 * @fallback: format of a raw file that has no index; NULL: refuse it
 *
 * Return: an exit code.
 */
int recording_open(struct recording **recording, const char *name, unsigned int channel,
		   const struct daq_format *fallback);
void recording_close(struct recording *recording);

const struct recording_info *recording_info(const struct recording *recording);

/**
 * recording_next() - go on to the next frame
 * @frame: gets length, number, sample, time stamp, status and gap as they were when it
 *	   was recorded; no memory. With DAQ_FRAME_ABORTED it has no data
 *
 * Return: 1: there is one, 0: that was all, -1: failed.
 */
int recording_next(struct recording *recording, struct daq_frame *frame);

/* The payload of the frame that recording_next() gave, frame->len bytes. Return: an exit code. */
int recording_read(struct recording *recording, void *memory);

/* Before the first frame again. */
void recording_rewind(struct recording *recording);

#endif /* DAQ_RECORDING_H */
