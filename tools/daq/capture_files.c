// SPDX-License-Identifier: GPL-2.0
/* Which channel goes to which file, in what format. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "capture.h"

static const struct { const char *name, *suffix; } formats[] = {
	[FORMAT_RAW] = { "raw", ".raw" },
	[FORMAT_SIGMF] = { "sigmf", ".sigmf-data" },
	[FORMAT_PCAPNG] = { "pcapng", ".pcapng" },
};

bool parse_file_format(const char *text, enum file_format *format)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strcmp(text, formats[i].name) != 0)
			continue;
		*format = i;
		return true;
	}
	return false;
}

enum file_format format_of_name(const char *name)
{
	const char *suffix = strrchr(name, '.');

	if (!suffix)
		return FORMAT_RAW;
	if (strcmp(suffix, ".pcapng") == 0)
		return FORMAT_PCAPNG;
	return strncmp(suffix, ".sigmf", strlen(".sigmf")) == 0 ? FORMAT_SIGMF : FORMAT_RAW;
}

static enum file_format format_for(const struct capture *capture, const char *name)
{
	return capture->format_given ? capture->format : format_of_name(name);
}

/* The output is one file for all channels, not a folder. */
static bool is_file(const struct capture *capture)
{
	return format_of_name(capture->output) == FORMAT_PCAPNG;
}

static int name_file(struct capture *capture, struct stream *stream)
{
	int len;

	if (is_file(capture))
		len = asprintf(&stream->file, "%s", capture->output);
	else if (capture->format == FORMAT_PCAPNG)
		len = asprintf(&stream->file, "%s/capture.pcapng", capture->output);
	else
		len = asprintf(&stream->file, "%s/channel%u%s", capture->output, stream->channel,
			       formats[capture->format].suffix);
	return len < 0 ? failure("no memory") : EXIT_OK;
}

/* Those that were not given one by themselves. */
static int name_files(struct capture *capture)
{
	unsigned int i;
	int ret = EXIT_OK;

	if (!capture->output)
		return EXIT_OK;
	if (!is_file(capture) && mkdir(capture->output, 0777) < 0 && errno != EEXIST)
		return failure("cannot create %s: %s", capture->output, strerror(errno));
	for (i = 0; i < capture->count && !ret; i++)
		if (!capture->streams[i].file)
			ret = name_file(capture, &capture->streams[i]);
	return ret;
}

/* For files of bare payload; there may be none. */
static const char *open_disk(struct capture *capture)
{
	struct daq_chan *chans[DAQ_MAX_CHANNELS];
	const char *why_not;
	unsigned int i;

	if (capture->no_direct)
		return "--no-direct was given";
	for (i = 0; i < capture->count; i++)
		chans[i] = capture->streams[i].chan;
	capture->disk = disk_open(chans, capture->count, &why_not);
	return why_not;
}

/* A pcapng file is for all channels that name it. */
static struct writer *open_shared(struct capture *capture, struct stream *stream)
{
	struct daq_chan *chans[DAQ_MAX_CHANNELS];
	unsigned int i, count = 0;

	for (i = 0; i < capture->count; i++)
		if (capture->streams[i].file && strcmp(capture->streams[i].file, stream->file) == 0)
			chans[count++] = capture->streams[i].chan;
	return writer_open_pcapng(capture->ifname, chans, count, strdup(stream->file));
}

static struct writer *open_writer(struct capture *capture, struct stream *stream,
				  const char *why_not)
{
	switch (format_for(capture, stream->file)) {
	case FORMAT_PCAPNG:
		return open_shared(capture, stream);
	case FORMAT_SIGMF:
		return writer_open_sigmf(capture->ifname, stream->chan, stream->file,
					 capture->datatype, capture->disk, why_not);
	default:
		return writer_open_raw(capture->ifname, stream->chan, strdup(stream->file),
				       capture->disk, why_not);
	}
}

/* A stream before it that has the same file. */
static struct stream *find_other(struct capture *capture, const struct stream *stream)
{
	struct stream *other;

	for (other = capture->streams; other != stream; other++)
		if (other->file && strcmp(other->file, stream->file) == 0)
			return other;
	return NULL;
}

static int open_file(struct capture *capture, struct stream *stream, const char *why_not)
{
	struct stream *other = find_other(capture, stream);

	if (other && format_for(capture, stream->file) != FORMAT_PCAPNG)
		return failure("channels %u and %u cannot share %s: only pcapng files have several",
			       other->channel, stream->channel, stream->file);
	if (other) {
		stream->writer = other->writer;
		return EXIT_OK;
	}
	stream->writer = open_writer(capture, stream, why_not);
	if (!stream->writer)
		return EXIT_FAILED;
	capture->writers[capture->writer_count++] = stream->writer;
	return EXIT_OK;
}

int capture_open_files(struct capture *capture)
{
	const char *why_not = NULL;
	bool opened = false;
	unsigned int i;
	int ret = name_files(capture);

	for (i = 0; i < capture->count && !ret; i++) {
		if (!capture->streams[i].file)
			continue;
		if (!opened)
			why_not = open_disk(capture);
		opened = true;
		ret = open_file(capture, &capture->streams[i], why_not);
	}
	return ret;
}

uint64_t capture_file_calls(const struct capture *capture)
{
	uint64_t calls = capture->disk ? disk_calls(capture->disk) : 0;
	unsigned int i;

	for (i = 0; i < capture->writer_count; i++)
		calls += capture->writers[i]->sink.calls;
	return calls;
}

uint64_t capture_copied(const struct capture *capture)
{
	uint64_t copied = 0;
	unsigned int i;

	for (i = 0; i < capture->writer_count; i++)
		copied += capture->writers[i]->sink.buffered_bytes;
	/* without zero copy, once before that */
	for (i = 0; i < capture->count; i++)
		if (!daq_chan__zero_copy(capture->streams[i].chan))
			copied += capture->streams[i].bytes;
	return copied;
}

int capture_close_files(struct capture *capture)
{
	int ret = EXIT_OK;
	unsigned int i;

	if (capture->disk && disk_drain(capture->disk))
		ret = EXIT_FAILED;
	for (i = 0; i < capture->writer_count; i++)
		if (writer_close(capture->writers[i]))
			ret = EXIT_FAILED;
	disk_close(capture->disk);
	for (i = 0; i < capture->count; i++)
		free(capture->streams[i].file);
	return ret;
}
