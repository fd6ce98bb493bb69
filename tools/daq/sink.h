/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that frames are appended to. From the card's own buffers straight to the
 * disk where the file system and the frames allow that, else through the page cache.
 */
#ifndef DAQ_SINK_H
#define DAQ_SINK_H

#include "daq.h"

struct disk;

struct sink {
	char *name;
	int fd;			/* through the page cache */
	bool regular;

	struct disk *disk;	/* NULL: nothing goes straight to the disk, ... */
	const char *why_not;	/* ... for that reason */
	int direct_fd;
	uint32_t memory_align;	/* what it asks for */
	uint32_t offset_align;

	uint64_t bytes;		/* appended, on their way or there */
	uint64_t good;		/* if @error: all before is right */
	int error;		/* errno of the first failure */

	uint64_t direct_bytes;
	uint64_t buffered_bytes;
	uint64_t calls;		/* system calls for the latter */
};

/*
 * "-" is standard output. @name: taken over; @disk: NULL: through the page cache, which
 * @why_not tells the reason of. Return: an exit code, as of all of these.
 */
int sink_open(struct sink *sink, char *name, struct disk *disk, const char *why_not);

/* Appends memory: all of it, or nothing that is left in a regular file. */
int sink_write(struct sink *sink, const struct iovec *iov, unsigned int count);

/* Appends a frame and releases it, now or when it has been written. */
int sink_write_frame(struct sink *sink, struct daq_chan *chan, struct daq_frame *frame);

/* How much of the file is there, without a hole. */
uint64_t sink_written(const struct sink *sink);

/* For the disk: write what is left of some memory after @skip bytes, without it. */
int sink_finish(struct sink *sink, const struct iovec *iov, unsigned int count, size_t skip,
		uint64_t offset);
/* Something that begins at @offset could not be written, as errno says. */
void sink_fail(struct sink *sink, uint64_t offset, int error);

/* Cuts off what is not right. Nothing may be on its way any more. */
int sink_close(struct sink *sink);

#endif /* DAQ_SINK_H */
