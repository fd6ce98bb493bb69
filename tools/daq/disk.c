// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include "disk.h"
#include "sink.h"

/* So many writes keep any disk busy. */
#define MAX_DEPTH 32

struct request {
	struct sink *sink;
	struct source *source;
	struct daq_frame frame;
	uint64_t offset;
	struct request *next;	/* free ones */
};

/* A channel whose frames are written. */
struct source {
	struct daq_chan *chan;
	unsigned int depth;	/* frames that may be on their way */
	unsigned int under_way;
};

struct disk {
	struct io_uring ring;
	struct source source[DAQ_MAX_CHANNELS];
	unsigned int count;
	struct request *requests;
	unsigned int request_count;
	struct request *free;
	unsigned int queued;	/* not yet submitted */
	unsigned int batch;	/* worth a system call */
	unsigned int under_way;	/* these included */
	bool registered;
	bool failed;
	uint64_t calls;
};

/* Half of the buffer, at most, so that the card has the other one. */
static unsigned int depth_of(const struct daq_chan *chan)
{
	unsigned int half = daq_chan__capacity(chan) / 2;

	return half < MAX_DEPTH ? half : MAX_DEPTH;
}

/* Not vital: it may be more memory than one may lock twice. */
static void register_memory(struct disk *disk)
{
	struct iovec memory[DAQ_MAX_CHANNELS];
	unsigned int i;

	for (i = 0; i < disk->count; i++)
		daq_chan__memory(disk->source[i].chan, &memory[i]);
	disk->registered = io_uring_register_buffers(&disk->ring, memory, disk->count) == 0;
}

static bool make_requests(struct disk *disk)
{
	unsigned int i;

	disk->batch = MAX_DEPTH;
	for (i = 0; i < disk->count; i++) {
		unsigned int depth = disk->source[i].depth;

		disk->request_count += depth;
		/* most of what may be on its way is with the disk */
		if (depth / 4 < disk->batch)
			disk->batch = depth / 4;
	}
	disk->requests = calloc(disk->request_count, sizeof(*disk->requests));
	if (!disk->requests)
		return false;
	for (i = 0; i < disk->request_count; i++) {
		disk->requests[i].next = disk->free;
		disk->free = &disk->requests[i];
	}
	return true;
}

struct disk *disk_open(struct daq_chan *const *chans, unsigned int count, const char **why_not)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	unsigned int i;

	*why_not = "there is no memory";
	if (!disk)
		return NULL;
	disk->count = count;
	for (i = 0; i < count; i++)
		disk->source[i] = (struct source){ .chan = chans[i], .depth = depth_of(chans[i]) };
	if (make_requests(disk)) {
		/* completions only when we enter: one of them would end a wait for frames */
		if (io_uring_queue_init(disk->request_count, &disk->ring,
					IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0) {
			register_memory(disk);
			return disk;
		}
		*why_not = "the kernel has no io_uring";
	}
	free(disk->requests);
	free(disk);
	return NULL;
}

void disk_close(struct disk *disk)
{
	if (!disk)
		return;
	io_uring_queue_exit(&disk->ring);
	free(disk->requests);
	free(disk);
}

static void complete(struct disk *disk, struct request *request, int result)
{
	const struct daq_frame *frame = &request->frame;
	struct sink *sink = request->sink;

	if (result >= 0)
		sink->direct_bytes += result;
	if (result < 0)
		sink_fail(sink, request->offset, -result);
	else if ((size_t)result < frame->len)
		sink_finish(sink, frame->iov, frame->iovcnt, result, request->offset);
	disk->failed |= sink->error;
	daq_chan__release(request->source->chan, &request->frame);
	request->source->under_way--;
	disk->under_way--;
	request->sink = NULL;
	request->next = disk->free;
	disk->free = request;
}

static void reap(struct disk *disk)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&disk->ring, &cqe) == 0) {
		struct request *request = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&disk->ring, cqe);
		complete(disk, request, result);
	}
}

/* Submits what is queued, waits until @wait writes are over, and learns of all that are. */
static int enter(struct disk *disk, unsigned int wait)
{
	int ret;

	disk->calls++;
	ret = wait ? io_uring_submit_and_wait(&disk->ring, wait) :
		     io_uring_submit_and_get_events(&disk->ring);
	if (ret == -EINTR)
		return EXIT_OK;
	if (ret < 0)
		return failure("io_uring: %s", strerror(-ret));
	disk->queued -= (unsigned int)ret < disk->queued ? (unsigned int)ret : disk->queued;
	return EXIT_OK;
}

static struct source *find_source(struct disk *disk, const struct daq_chan *chan)
{
	struct source *source = disk->source;

	while (source->chan != chan)
		source++;
	return source;
}

/* The ring has an entry for every request. */
static void queue(struct disk *disk, struct request *request)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&disk->ring);
	const struct daq_frame *frame = &request->frame;
	int fd = request->sink->direct_fd;

	if (frame->iovcnt == 1 && disk->registered)
		io_uring_prep_write_fixed(sqe, fd, frame->data, frame->len, request->offset,
					  request->source - disk->source);
	else
		io_uring_prep_writev(sqe, fd, frame->iov, frame->iovcnt, request->offset);
	io_uring_sqe_set_data(sqe, request);
	disk->queued++;
	disk->under_way++;
}

int disk_write(struct disk *disk, struct sink *sink, struct daq_chan *chan,
	       const struct daq_frame *frame, uint64_t offset)
{
	struct source *source = find_source(disk, chan);
	struct request *request;
	int ret = EXIT_OK;

	reap(disk);
	while (source->under_way == source->depth && !ret) {
		ret = enter(disk, 1);
		reap(disk);
	}
	if (ret)
		return ret;
	/* there is one for each channel's depth */
	request = disk->free;
	disk->free = request->next;
	source->under_way++;
	request->sink = sink;
	request->source = source;
	request->frame = *frame;
	request->offset = offset;
	queue(disk, request);
	return EXIT_OK;
}

int disk_submit(struct disk *disk, bool idle)
{
	int ret = EXIT_OK;

	if (disk->under_way && (idle || disk->queued >= disk->batch))
		ret = enter(disk, 0);
	reap(disk);
	return ret || disk->failed ? EXIT_FAILED : EXIT_OK;
}

int disk_drain(struct disk *disk)
{
	int ret = EXIT_OK;

	while (disk->under_way && !ret) {
		ret = enter(disk, 1);
		reap(disk);
	}
	return ret || disk->failed ? EXIT_FAILED : EXIT_OK;
}

uint64_t disk_written(const struct disk *disk, const struct sink *sink, uint64_t bytes)
{
	unsigned int i;

	for (i = 0; i < disk->request_count; i++)
		if (disk->requests[i].sink == sink && disk->requests[i].offset < bytes)
			bytes = disk->requests[i].offset;
	return bytes;
}

uint64_t disk_calls(const struct disk *disk)
{
	return disk->calls;
}

bool disk_registered(const struct disk *disk)
{
	return disk->registered;
}
