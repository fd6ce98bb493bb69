// SPDX-License-Identifier: GPL-2.0
/* The channels of a recording: opened, received from, and ended when it is time. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "capture.h"

/* How often files are made to be of use, should this be the end, seconds. */
#define KEEP_INTERVAL 1.0

static void measure(struct capture *capture, struct usage *usage)
{
	struct daq_chan_stats stats;
	struct rusage rusage;
	unsigned int i;

	memset(usage, 0, sizeof(*usage));
	for (i = 0; i < capture->count; i++) {
		daq_chan__stats(capture->streams[i].chan, &stats, sizeof(stats));
		usage->syscalls += stats.syscalls;
		usage->frames += stats.frames;
		usage->contiguous += stats.contiguous;
		usage->wakeups += stats.wakeups;
	}
	usage->syscalls += capture_file_calls(capture);
	usage->copied = capture_copied(capture);
	getrusage(RUSAGE_SELF, &rusage);
	usage->minor_faults = rusage.ru_minflt;
	usage->major_faults = rusage.ru_majflt;
	usage->time = now_seconds();
}

static void note_frame(struct stream *stream, const struct daq_frame *frame)
{
	stream->last = now_seconds();
	if (!stream->first) {
		stream->first = stream->last;
		stream->capture->started++;
	}
	stream->frames += frame->len > 0;
	stream->bytes += frame->len;
	stream->lost_frames += frame->gap.frames;
	if (frame->status & DAQ_FRAME_DAMAGED)
		stream->damaged++;
	if (frame->status & DAQ_FRAME_RESTARTED)
		stream->restarts++;
}

static bool is_over(const struct stream *stream, unsigned int status)
{
	const struct capture *capture = stream->capture;

	if (capture->until_last && (status & DAQ_FRAME_LAST))
		return true;
	if (capture->size &&
	    stream->bytes + daq_chan__format(stream->chan)->frame_bytes > capture->size)
		return true;
	return capture->frames && stream->frames >= capture->frames;
}

static void end_stream(struct stream *stream)
{
	daq_chan__stats(stream->chan, &stream->stats, sizeof(stream->stats));
	stream->done = true;
	stream->capture->running--;
}

static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	struct stream *stream = ctx;
	unsigned int status = frame->status;
	int ret = EXIT_OK;

	if (stream->done) {
		daq_chan__release(chan, frame);
		return 0;
	}
	note_frame(stream, frame);
	/* which takes the frame away */
	if (stream->writer)
		ret = writer_write(stream->writer, chan, frame);
	else
		daq_chan__release(chan, frame);
	if (is_over(stream, status))
		end_stream(stream);
	return ret ? -EIO : 0;
}

/* Waiting for what cannot come would look like a hang. */
static int check_source(struct capture *capture, unsigned int channel)
{
	struct daq_format format;

	if (daq_card__format(capture->card, channel, &format) < 0)
		return library_failure();
	if (format.source == DAQ_SOURCE_NONE)
		return failure("channel %u of %s has no source: daq set %s --channel %u --source counter",
			       channel, capture->ifname, capture->ifname, channel);
	if (format.source != DAQ_SOURCE_LOOPBACK && format.rate == 0)
		return failure("channel %u of %s has rate 0: daq set %s --channel %u --rate HZ",
			       channel, capture->ifname, capture->ifname, channel);
	if (capture->size && capture->size < format.frame_bytes)
		return failure("a frame of channel %u has %u bytes, more than --size allows",
			       channel, format.frame_bytes);
	return EXIT_OK;
}

static int open_stream(struct capture *capture, struct stream *stream)
{
	struct daq_chan_opts opts = {
		.sz = sizeof(opts),
		.mode = capture->mode,
		.buffer_bytes = capture->buffer,
		.stopped = 1,
	};
	int ret = check_source(capture, stream->channel);

	if (ret)
		return ret;
	if (daq_chan__open(capture->card, stream->channel, &opts, &stream->chan) < 0 ||
	    daq_chan__on_frame(stream->chan, on_frame, stream) < 0 ||
	    daq_chan__set_trigger(stream->chan, capture->trigger) < 0)
		return library_failure();
	return EXIT_OK;
}

/* FILE or FILE:PROGRAM */
static int open_trigger(struct capture *capture)
{
	char *file = strdup(capture->trigger_file);
	char *colon = file ? strrchr(file, ':') : NULL;
	int err;

	if (!file)
		return failure("no memory");
	if (colon)
		*colon++ = '\0';
	err = daq_trigger__open(capture->card, file, colon, &capture->trigger);
	free(file);
	return err ? library_failure() : EXIT_OK;
}

struct stream *capture_find(struct capture *capture, unsigned int channel)
{
	unsigned int i;

	for (i = 0; i < capture->count; i++)
		if (capture->streams[i].channel == channel)
			return &capture->streams[i];
	return NULL;
}

struct stream *capture_add(struct capture *capture, unsigned int channel)
{
	struct stream *stream = &capture->streams[capture->count++];

	stream->capture = capture;
	stream->channel = channel;
	return stream;
}

/* Every channel that acquires something. */
static int default_channels(struct capture *capture)
{
	struct daq_format format;
	unsigned int channel;

	for (channel = 0; channel < daq_card__channels(capture->card); channel++) {
		if (daq_card__format(capture->card, channel, &format) < 0)
			return library_failure();
		if (format.source != DAQ_SOURCE_NONE)
			capture->channels |= 1ull << channel;
	}
	if (!capture->channels)
		return failure("no channel of %s has a source: daq set %s --channel all --source counter",
			       capture->ifname, capture->ifname);
	return EXIT_OK;
}

static int add_channels(struct capture *capture)
{
	unsigned int channel;

	if (capture->channels == UINT64_MAX)
		capture->channels = all_channels(capture->card);
	if (!channels_exist(capture->card, capture->channels))
		return EXIT_FAILED;
	for (channel = 0; channel < daq_card__channels(capture->card); channel++)
		if ((capture->channels & 1ull << channel) && !capture_find(capture, channel))
			capture_add(capture, channel);
	return EXIT_OK;
}

int capture_open(struct capture *capture)
{
	unsigned int i;
	int ret = EXIT_OK;

	if (!capture->count && !capture->channels)
		ret = default_channels(capture);
	if (!ret)
		ret = add_channels(capture);
	if (!ret && capture->trigger_file)
		ret = open_trigger(capture);
	for (i = 0; i < capture->count && !ret; i++)
		ret = open_stream(capture, &capture->streams[i]);
	if (!ret)
		ret = capture_open_files(capture);
	/* no page faults later; who may not do that has a few */
	mlockall(MCL_CURRENT);
	for (i = 0; i < capture->count && !ret; i++)
		if (daq_chan__start(capture->streams[i].chan) < 0)
			ret = library_failure();
	capture->running = capture->count;
	return ret;
}

static void print_progress(struct capture *capture, struct progress *progress, double began)
{
	uint64_t frames = 0, bytes = 0, lost = 0;
	unsigned int i;

	for (i = 0; i < capture->count; i++) {
		frames += capture->streams[i].frames;
		bytes += capture->streams[i].bytes;
		lost += capture->streams[i].lost_frames;
	}
	progress_print(progress, "%.0f s: %" PRIu64 " frames, %.1f MB, %" PRIu64 " frames lost",
		       now_seconds() - began, frames, bytes / 1e6, lost);
}

static int keep_files(struct capture *capture)
{
	int ret = EXIT_OK;
	unsigned int i;

	for (i = 0; i < capture->writer_count && !ret; i++)
		ret = writer_keep(capture->writers[i]);
	return ret;
}

/* When something is due at the latest, seconds from now; negative: the end is. */
static double time_left(const struct capture *capture, const struct progress *progress,
			double began)
{
	double now = now_seconds();
	double wait = progress_due(progress);

	if (capture->duration && began + capture->duration <= now)
		return -1;
	if (capture->duration && began + capture->duration - now < wait)
		wait = began + capture->duration - now;
	return wait;
}

/* Return: 0, or an error as of daq_card__dispatch(); -EIO: it has been told. */
static int receive_some(struct capture *capture, double wait)
{
	int ret = daq_card__dispatch(capture->card, wait * 1000 + 1);

	/* the kernel's own work for writes interrupts waits, too: that is not idling */
	if (capture->disk && disk_submit(capture->disk, ret == 0))
		return -EIO;
	/* also when we were stopped and go on */
	if (ret < 0 && ret != -EINTR)
		return ret;
	if (capture->started == capture->count && !capture->steady.time)
		measure(capture, &capture->steady);
	return 0;
}

int capture_receive(struct capture *capture)
{
	struct progress progress;
	double began = now_seconds();
	double keep = began + KEEP_INTERVAL, wait;
	int ret = 0;

	progress_begin(&progress, capture->quiet);
	while (capture->running && !interrupted && !ret) {
		wait = time_left(capture, &progress, began);
		if (wait < 0)
			break;
		ret = receive_some(capture, wait);
		/* no wake-up for that: when nothing comes there is little to keep */
		if (!ret && now_seconds() >= keep) {
			ret = keep_files(capture) ? -EIO : 0;
			keep = now_seconds() + KEEP_INTERVAL;
		}
		if (progress_due(&progress) <= 0)
			print_progress(capture, &progress, began);
	}
	progress_end(&progress);
	if (capture->steady.time)
		measure(capture, &capture->end);
	if (capture->disk && disk_drain(capture->disk) && !ret)
		ret = -EIO;
	if (!ret)
		return EXIT_OK;
	/* files report their own */
	return ret == -EIO ? EXIT_FAILED : library_failure();
}
