// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "disk.h"
#include "sink.h"

#define MAX_PIECES 64

/* What the file system asks of direct writes; NULL, or why it takes none. */
static const char *ask_alignment(struct sink *sink)
{
	struct statx statx_buf;

	if (statx(sink->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &statx_buf) < 0 ||
	    !(statx_buf.stx_mask & STATX_DIOALIGN) || !statx_buf.stx_dio_offset_align)
		return "the file system has no direct I/O";
	sink->memory_align = statx_buf.stx_dio_mem_align;
	sink->offset_align = statx_buf.stx_dio_offset_align;
	return NULL;
}

static void open_direct(struct sink *sink, struct disk *disk)
{
	sink->why_not = ask_alignment(sink);
	if (sink->why_not)
		return;
	sink->direct_fd = open(sink->name, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (sink->direct_fd < 0)
		sink->why_not = "the file system refuses direct I/O";
	else
		sink->disk = disk;
}

int sink_open(struct sink *sink, char *name, struct disk *disk, const char *why_not)
{
	struct stat stat;

	*sink = (struct sink){ .name = name, .direct_fd = -1, .why_not = why_not };
	if (strcmp(name, "-") == 0)
		sink->fd = STDOUT_FILENO;
	else
		sink->fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (sink->fd < 0 || fstat(sink->fd, &stat) < 0)
		return failure("cannot open %s: %s", name, strerror(errno));
	sink->regular = S_ISREG(stat.st_mode) && sink->fd != STDOUT_FILENO;
	if (!sink->regular)
		sink->why_not = "it is no regular file";
	else if (disk)
		open_direct(sink, disk);
	return EXIT_OK;
}

void sink_fail(struct sink *sink, uint64_t offset, int error)
{
	if (!sink->error) {
		sink->error = error;
		sink->good = offset;
		failure("cannot write %s: %s", sink->name, strerror(error));
	}
	if (offset < sink->good)
		sink->good = offset;
}

int sink_finish(struct sink *sink, const struct iovec *from, unsigned int count, size_t skip,
		uint64_t offset)
{
	struct iovec iov[MAX_PIECES];
	uint64_t at = offset + skip;
	unsigned int i = 0, n;
	ssize_t written;

	for (; i < count && skip >= from[i].iov_len; i++)
		skip -= from[i].iov_len;
	while (i < count) {
		n = count - i < MAX_PIECES ? count - i : MAX_PIECES;
		memcpy(iov, from + i, n * sizeof(*iov));
		iov[0].iov_base = (char *)iov[0].iov_base + skip;
		iov[0].iov_len -= skip;
		sink->calls++;
		written = sink->regular ? pwritev(sink->fd, iov, n, at) : writev(sink->fd, iov, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			sink_fail(sink, offset, errno);
			return EXIT_FAILED;
		}
		at += written;
		sink->buffered_bytes += written;
		for (skip += written; i < count && skip >= from[i].iov_len; i++)
			skip -= from[i].iov_len;
	}
	return EXIT_OK;
}

static size_t length(const struct iovec *iov, unsigned int count)
{
	size_t len = 0;

	while (count--)
		len += iov++->iov_len;
	return len;
}

int sink_write(struct sink *sink, const struct iovec *iov, unsigned int count)
{
	uint64_t offset = sink->bytes;

	if (sink->error)
		return EXIT_FAILED;
	sink->bytes += length(iov, count);
	return sink_finish(sink, iov, count, 0, offset);
}

/* Whether a frame can be written as it lies in memory. */
static bool fits_disk(const struct sink *sink, const struct daq_frame *frame)
{
	unsigned int i;

	if (!sink->disk || sink->bytes % sink->offset_align || frame->iovcnt > IOV_MAX)
		return false;
	for (i = 0; i < frame->iovcnt; i++)
		if ((uintptr_t)frame->iov[i].iov_base % sink->memory_align ||
		    frame->iov[i].iov_len % sink->offset_align)
			return false;
	return true;
}

int sink_write_frame(struct sink *sink, struct daq_chan *chan, struct daq_frame *frame)
{
	int ret;

	if (!sink->error && frame->len && fits_disk(sink, frame)) {
		ret = disk_write(sink->disk, sink, chan, frame, sink->bytes);
		sink->bytes += frame->len;
		if (!ret)
			return EXIT_OK;
	} else {
		ret = sink_write(sink, frame->iov, frame->iovcnt);
	}
	daq_chan__release(chan, frame);
	return ret;
}

uint64_t sink_written(const struct sink *sink)
{
	uint64_t written = sink->error ? sink->good : sink->bytes;

	return sink->disk ? disk_written(sink->disk, sink, written) : written;
}

int sink_close(struct sink *sink)
{
	int ret = sink->error ? EXIT_FAILED : EXIT_OK;

	if (sink->direct_fd >= 0)
		close(sink->direct_fd);
	if (sink->error && sink->regular && ftruncate(sink->fd, sink->good) < 0)
		failure("%s ends with a part of a frame: %s", sink->name, strerror(errno));
	/* some file systems tell only now that there was no room */
	if (sink->fd >= 0 && close(sink->fd) < 0 && !ret)
		ret = failure("cannot write %s: %s", sink->name, strerror(errno));
	free(sink->name);
	return ret;
}
