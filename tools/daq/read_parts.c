// SPDX-License-Identifier: GPL-2.0
/* Files of bare payload, with an index, with SigMF metadata, or with nothing. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "index.h"
#include "reader.h"
#include "sigmf.h"

#define NS_PER_S 1000000000

struct flat {
	struct recording recording;
	struct parts parts;
	size_t part;		/* of the next frame */
	uint64_t position;	/* of it in that part */
	uint64_t offset;	/* of the frame that was given, in the file */
	size_t len;		/* and its bytes */
};

static struct flat *flat_of(struct recording *recording)
{
	return (struct flat *)recording;
}

static void flat_rewind(struct recording *recording)
{
	struct flat *flat = flat_of(recording);

	flat->part = 0;
	flat->position = 0;
	flat->len = 0;
}

/* Whether there is a next frame; goes on to its part. */
static bool find_frame(struct flat *flat)
{
	while (flat->part < flat->parts.count && flat->position &&
	       flat->position >= part_bytes(&flat->parts, flat->part)) {
		flat->part++;
		flat->position = 0;
	}
	return flat->part < flat->parts.count;
}

static uint64_t time_of(const struct flat *flat, const struct part *part, uint64_t samples)
{
	uint64_t rate = flat->parts.format.rate;

	/* what is between is not in the file, but follows from the rate */
	return part->timestamp + (rate ? (uint64_t)((__uint128_t)samples * NS_PER_S / rate) : 0);
}

static void describe_frame(const struct flat *flat, struct daq_frame *frame)
{
	const struct part *part = &flat->parts.part[flat->part];
	const struct daq_format *format = &flat->parts.format;
	uint64_t samples = flat->position / format->sample_bytes;

	frame->number = part->number + flat->position / format->frame_bytes;
	frame->sample = part->sample + samples;
	frame->timestamp = time_of(flat, part, samples);
	frame->status = part->status & DAQ_FRAME_DAMAGED;
	if (!flat->position) {
		frame->status = part->status;
		frame->gap = part->gap;
	}
}

static int flat_next(struct recording *recording, struct daq_frame *frame)
{
	struct flat *flat = flat_of(recording);
	uint64_t left;

	if (!find_frame(flat))
		return 0;
	describe_frame(flat, frame);
	left = part_bytes(&flat->parts, flat->part) - flat->position;
	frame->len = left < flat->parts.format.frame_bytes ? left : flat->parts.format.frame_bytes;
	flat->offset = flat->parts.part[flat->part].offset + flat->position;
	flat->len = frame->len;
	flat->position += frame->len;
	if (!frame->len)
		flat->part++;
	if (flat->parts.last && flat->offset + frame->len == flat->parts.bytes)
		frame->status |= DAQ_FRAME_LAST;
	return 1;
}

static int flat_read(struct recording *recording, void *memory)
{
	struct flat *flat = flat_of(recording);

	return read_exactly(recording, memory, flat->len, flat->offset);
}

static void flat_close(struct recording *recording)
{
	parts_free(&flat_of(recording)->parts);
}

static const struct recording_ops flat_ops = {
	.next = flat_next,
	.read = flat_read,
	.rewind = flat_rewind,
	.close = flat_close,
};

/* All of the file is one part of that format. */
static int assume(struct flat *flat, const struct daq_format *format, uint64_t size)
{
	const struct part part = { 0 };

	if (!format)
		return failure("%s has no index that tells its format (%s.idx)",
			       flat->recording.name, flat->recording.name);
	parts_init(&flat->parts, "", 0, format);
	flat->parts.bytes = size;
	flat->parts.last = true;
	flat->parts.ended = true;
	return parts_append(&flat->parts, &part) ? EXIT_OK : failure("no memory");
}

static int describe_raw(struct flat *flat, const struct daq_format *fallback, uint64_t size)
{
	char *index;
	int ret;

	if (asprintf(&index, "%s.idx", flat->recording.name) < 0)
		return failure("no memory");
	ret = index_read(index, &flat->parts);
	free(index);
	flat->recording.info.described = ret == EXIT_OK;
	return ret < 0 ? assume(flat, fallback, size) : ret;
}

static int describe_sigmf(struct flat *flat)
{
	char *meta = sigmf_name(flat->recording.name, SIGMF_META);
	int ret = meta ? sigmf_read(meta, &flat->parts) : failure("no memory");

	free(meta);
	flat->recording.info.described = ret == EXIT_OK;
	return ret;
}

static void fill_info(struct flat *flat, const char *kind)
{
	struct recording_info *info = &flat->recording.info;
	const struct parts *parts = &flat->parts;

	info->kind = kind;
	info->ended = parts->ended;
	info->channel = parts->channel;
	info->format = parts->format;
	info->bytes = parts->bytes;
	memcpy(info->card, parts->card, sizeof(info->card));
}

static struct flat *new_flat(char *name, int fd)
{
	struct flat *flat = calloc(1, sizeof(*flat));

	if (!flat) {
		failure("no memory");
		free(name);
		close(fd);
		return NULL;
	}
	flat->recording.name = name;
	flat->recording.fd = fd;
	flat->recording.ops = &flat_ops;
	return flat;
}

/* @ret: of its description. */
static struct recording *opened(struct flat *flat, const char *kind, int ret, uint64_t size)
{
	if (!ret) {
		parts_limit(&flat->parts, size);
		fill_info(flat, kind);
		return &flat->recording;
	}
	recording_close(&flat->recording);
	return NULL;
}

static uint64_t size_of(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) < 0 ? 0 : stat.st_size;
}

struct recording *open_raw(char *name, int fd, const struct daq_format *fallback)
{
	struct flat *flat = new_flat(name, fd);
	uint64_t size = size_of(fd);

	return flat ? opened(flat, "raw", describe_raw(flat, fallback, size), size) : NULL;
}

struct recording *open_sigmf(char *name, int fd)
{
	struct flat *flat = new_flat(name, fd);

	return flat ? opened(flat, "sigmf", describe_sigmf(flat), size_of(fd)) : NULL;
}
