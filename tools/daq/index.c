// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "index.h"
#include "json.h"

static const struct { unsigned int status; const char *name; } statuses[] = {
	{ DAQ_FRAME_DAMAGED, "damaged" },
	{ DAQ_FRAME_RESTARTED, "restarted" },
	{ DAQ_FRAME_ABORTED, "aborted" },
};

static int report(const struct index *index)
{
	return failure("cannot write %s: %s", index->name, strerror(errno));
}

/* Lines go out whole. */
static int flush(struct index *index)
{
	return fflush(index->out) ? report(index) : EXIT_OK;
}

int index_open(struct index *index, const char *data, const struct parts *parts)
{
	if (asprintf(&index->name, "%s.idx", data) < 0)
		return failure("no memory");
	index->out = fopen(index->name, "we");
	if (!index->out)
		return report(index);
	index->told = 0;
	index->bytes = 0;
	fputs("{\"daq_index\": 1, ", index->out);
	parts_describe(parts, "", ", ", index->out);
	fputs("}\n", index->out);
	return flush(index);
}

static void write_status(const struct part *part, FILE *out)
{
	const char *separator = ", \"status\": \"";
	bool any = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		if (!(part->status & statuses[i].status))
			continue;
		fprintf(out, "%s%s", separator, statuses[i].name);
		separator = " ";
		any = true;
	}
	if (any)
		fputc('"', out);
}

static void write_part(const struct part *part, FILE *out)
{
	fprintf(out, "{\"offset\": %" PRIu64 ", \"frame\": %" PRIu64 ", \"sample\": %" PRIu64
		", \"timestamp\": %" PRIu64, part->offset, part->number, part->sample,
		part->timestamp);
	write_status(part, out);
	if (part->gap.frames)
		fprintf(out, ", \"gap\": {\"frames\": %" PRIu64 ", \"segments\": %" PRIu64
			", \"samples\": %" PRIu64 "}", part->gap.frames, part->gap.segments,
			part->gap.samples);
	fputs("}\n", out);
}

int index_update(struct index *index, const struct parts *parts, uint64_t bytes)
{
	if (index->told == parts->count && index->bytes == bytes)
		return EXIT_OK;
	for (; index->told < parts->count; index->told++)
		write_part(&parts->part[index->told], index->out);
	if (bytes != index->bytes)
		fprintf(index->out, "{\"bytes\": %" PRIu64 "}\n", bytes);
	index->bytes = bytes;
	return flush(index);
}

int index_close(struct index *index, const struct parts *parts)
{
	int ret = EXIT_OK;

	if (!index->out)
		return EXIT_OK;
	for (; index->told < parts->count; index->told++)
		write_part(&parts->part[index->told], index->out);
	fprintf(index->out, "{\"bytes\": %" PRIu64 ", \"frames\": %" PRIu64
		", \"last\": %s, \"ended\": true}\n", parts->bytes, parts->frames,
		parts->last ? "true" : "false");
	if (fclose(index->out))
		ret = report(index);
	index->out = NULL;
	free(index->name);
	return ret;
}

static bool read_part(struct parts *parts, const struct json *line)
{
	const struct json *gap = json_member(line, "gap");
	const char *status = json_text(line, "status");
	struct part part = {
		.offset = json_uint(line, "offset", 0),
		.number = json_uint(line, "frame", 0),
		.sample = json_uint(line, "sample", 0),
		.timestamp = json_uint(line, "timestamp", 0),
		.status = gap ? DAQ_FRAME_GAP_BEFORE : 0,
		.gap = {
			.frames = json_uint(gap, "frames", 0),
			.segments = json_uint(gap, "segments", 0),
			.samples = json_uint(gap, "samples", 0),
		},
	};
	size_t i;

	for (i = 0; status && i < ARRAY_SIZE(statuses); i++)
		if (strstr(status, statuses[i].name))
			part.status |= statuses[i].status;
	if (parts->count && part.offset < parts->part[parts->count - 1].offset)
		return false;
	return parts_append(parts, &part);
}

/* false: that cannot be. */
static bool read_line(struct parts *parts, const struct json *line)
{
	if (json_uint(line, "daq_index", 0) == 1)
		return !parts->format.frame_bytes && parts_understand(parts, line, "");
	if (!parts->format.frame_bytes)
		return false;
	if (json_member(line, "offset"))
		return read_part(parts, line);
	parts->bytes = json_uint(line, "bytes", parts->bytes);
	parts->frames = json_uint(line, "frames", parts->frames);
	parts->last = json_is_true(line, "last");
	parts->ended = json_is_true(line, "ended");
	return true;
}

int index_read(const char *name, struct parts *parts)
{
	FILE *in = fopen(name, "re");
	struct json *json;
	char *line = NULL;
	bool good = true;
	size_t size = 0;
	ssize_t len;

	memset(parts, 0, sizeof(*parts));
	if (!in && errno == ENOENT)
		return -1;
	if (!in)
		return failure("cannot open %s: %s", name, strerror(errno));
	/* one that was being written when all ended is not whole */
	while (good && (len = getline(&line, &size, in)) > 0 && line[len - 1] == '\n') {
		json = json_parse(line, len);
		good = json && read_line(parts, json);
		json_free(json);
	}
	free(line);
	fclose(in);
	if (good && parts->format.frame_bytes) {
		parts_limit(parts, parts->bytes);
		return EXIT_OK;
	}
	parts_free(parts);
	return failure("%s is no index of a recording", name);
}
