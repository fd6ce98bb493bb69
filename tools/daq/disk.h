/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Direct writes of frames by io_uring, several at the same time, from the memory that
 * the card wrote them to. A frame is the card's again when it is on the disk.
 */
#ifndef DAQ_DISK_H
#define DAQ_DISK_H

#include "daq.h"

struct disk;
struct sink;

/* For @count channels. NULL: not here; @why_not tells why. */
struct disk *disk_open(struct daq_chan *const *chans, unsigned int count, const char **why_not);
/* Nothing may be on its way any more. */
void disk_close(struct disk *disk);

/*
 * Queues a frame to be written at @offset, and waits for others while that is necessary
 * to leave the card room for more. Return: an exit code.
 */
int disk_write(struct disk *disk, struct sink *sink, struct daq_chan *chan,
	       const struct daq_frame *frame, uint64_t offset);
/*
 * Starts what was queued, and releases frames that have been written; @idle: nothing
 * came. Else, with a large buffer, a system call is for several frames.
 */
int disk_submit(struct disk *disk, bool idle);
/* Waits for all of it. */
int disk_drain(struct disk *disk);

/* How much of a file that has @bytes is there, without a hole. */
uint64_t disk_written(const struct disk *disk, const struct sink *sink, uint64_t bytes);

/* System calls so far. */
uint64_t disk_calls(const struct disk *disk);
/* Whether the kernel knows the memory, and need not look it up for each write. */
bool disk_registered(const struct disk *disk);

#endif /* DAQ_DISK_H */
