// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "json.h"
#include "sigmf.h"

#define SIGMF_VERSION	"1.2.0"
#define NS_PER_S	1000000000

/* Sizes that SigMF has a name for; of others every byte is a channel of its own. */
static const struct { const char *name; unsigned int bytes; } datatypes[] = {
	{ "ru8", 1 }, { "ri8", 1 },
	{ "ri16_le", 2 }, { "ri16_be", 2 }, { "ru16_le", 2 }, { "ru16_be", 2 },
	{ "ri32_le", 4 }, { "ri32_be", 4 }, { "ru32_le", 4 }, { "ru32_be", 4 },
	{ "rf32_le", 4 }, { "rf32_be", 4 }, { "rf64_le", 8 }, { "rf64_be", 8 },
	{ "ci8", 2 }, { "cu8", 2 }, { "ci16_le", 4 }, { "ci16_be", 4 },
	{ "cu16_le", 4 }, { "cu16_be", 4 }, { "ci32_le", 8 }, { "ci32_be", 8 },
	{ "cu32_le", 8 }, { "cu32_be", 8 }, { "cf32_le", 8 }, { "cf32_be", 8 },
};

char *sigmf_name(const char *name, const char *suffix)
{
	static const char *const suffixes[] = { SIGMF_DATA, SIGMF_META, ".sigmf" };
	size_t len = strlen(name);
	char *result;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(suffixes); i++) {
		n = strlen(suffixes[i]);
		if (len > n && strcmp(name + len - n, suffixes[i]) == 0) {
			len -= n;
			break;
		}
	}
	return asprintf(&result, "%.*s%s", (int)len, name, suffix) < 0 ? NULL : result;
}

static unsigned int datatype_bytes(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(datatypes); i++)
		if (strcmp(datatypes[i].name, name) == 0)
			return datatypes[i].bytes;
	return 0;
}

bool sigmf_datatype_fits(const char *datatype, unsigned int sample_bytes)
{
	unsigned int bytes = datatype_bytes(datatype);

	return bytes && sample_bytes % bytes == 0;
}

static const char *default_datatype(const struct daq_format *format)
{
	if (format->source == DAQ_SOURCE_BARS)
		return "ru8";
	switch (format->sample_bytes) {
	case 2:
		return "ri16_le";
	case 4:
		return "ri32_le";
	default:
		return "ru8";
	}
}

static void write_global(const struct parts *parts, const char *datatype, FILE *out)
{
	const struct daq_format *format = &parts->format;

	fprintf(out, "  \"global\": {\n"
		"    \"core:datatype\": \"%s\",\n"
		"    \"core:num_channels\": %u,\n"
		"    \"core:version\": \"" SIGMF_VERSION "\",\n"
		"    \"core:recorder\": \"daq " DAQ_VERSION "\",\n"
		"    \"core:extensions\": [{\"name\": \"daq\", \"version\": \"" DAQ_VERSION
		"\", \"optional\": true}],\n    ",
		datatype, format->sample_bytes / datatype_bytes(datatype));
	if (format->rate)
		fprintf(out, "\"core:sample_rate\": %" PRIu64 ",\n    ", format->rate);
	parts_describe(parts, "daq:", ",\n    ", out);
	fprintf(out, ",\n    \"daq:ended\": %s, \"daq:last\": %s\n  },\n",
		parts->ended ? "true" : "false", parts->last ? "true" : "false");
}

static void write_time(uint64_t ns, FILE *out)
{
	time_t seconds = ns / NS_PER_S;
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(out, "\"core:datetime\": \"%s.%09uZ\"", text, (unsigned int)(ns % NS_PER_S));
}

static uint64_t start_of(const struct parts *parts, const struct part *part)
{
	return part->offset / parts->format.sample_bytes;
}

static void write_capture(const struct parts *parts, const struct part *part,
			  const struct daq_gap *gap, int64_t epoch, FILE *out)
{
	fprintf(out, "    {\"core:sample_start\": %" PRIu64 ", \"core:global_index\": %" PRIu64
		", ", start_of(parts, part), part->sample);
	write_time(part->timestamp + epoch, out);
	fprintf(out, ",\n     \"daq:frame\": %" PRIu64 ", \"daq:timestamp\": %" PRIu64,
		part->number, part->timestamp);
	if (part->status & DAQ_FRAME_DAMAGED)
		fputs(", \"daq:damaged\": true", out);
	if (part->status & DAQ_FRAME_RESTARTED)
		fputs(", \"daq:restarted\": true", out);
	if (gap->frames)
		fprintf(out, ",\n     \"daq:lost_frames\": %" PRIu64 ", \"daq:lost_segments\": %"
			PRIu64 ", \"daq:lost_samples\": %" PRIu64, gap->frames, gap->segments,
			gap->samples);
	fputc('}', out);
}

static void add_gap(struct daq_gap *sum, const struct daq_gap *gap)
{
	sum->frames += gap->frames;
	sum->segments += gap->segments;
	sum->samples += gap->samples;
}

/* A gap with nothing behind it yet adds to the next one. */
static void write_captures(const struct parts *parts, int64_t epoch, FILE *out)
{
	const char *separator = "";
	struct daq_gap gap = { 0 };
	size_t i;

	fputs("  \"captures\": [", out);
	for (i = 0; i < parts->count; i++) {
		add_gap(&gap, &parts->part[i].gap);
		if (!part_bytes(parts, i))
			continue;
		fprintf(out, "%s\n", separator);
		write_capture(parts, &parts->part[i], &gap, epoch, out);
		memset(&gap, 0, sizeof(gap));
		separator = ",";
	}
	fputs("\n  ],\n", out);
}

static void write_gap(const struct parts *parts, const struct part *part,
		      const char *separator, FILE *out)
{
	fprintf(out, "%s\n    {\"core:sample_start\": %" PRIu64 ", \"core:sample_count\": 0"
		", \"core:label\": \"gap\", \"core:comment\": \"before this %" PRIu64
		" frames were lost: %" PRIu64 " segments, %" PRIu64 " samples\"}",
		separator, start_of(parts, part), part->gap.frames, part->gap.segments,
		part->gap.samples);
}

static void write_damage(const struct parts *parts, size_t i, const char *separator, FILE *out)
{
	fprintf(out, "%s\n    {\"core:sample_start\": %" PRIu64 ", \"core:sample_count\": %" PRIu64
		", \"core:label\": \"damaged\", \"core:comment\": \"the card knows that data "
		"in here are bad\"}", separator, start_of(parts, &parts->part[i]),
		part_bytes(parts, i) / parts->format.sample_bytes);
}

static void write_annotations(const struct parts *parts, FILE *out)
{
	const char *separator = "";
	size_t i;

	fputs("  \"annotations\": [", out);
	for (i = 0; i < parts->count; i++) {
		if (parts->part[i].gap.frames) {
			write_gap(parts, &parts->part[i], separator, out);
			separator = ",";
		}
		if (parts->part[i].status & DAQ_FRAME_DAMAGED) {
			write_damage(parts, i, separator, out);
			separator = ",";
		}
	}
	fputs("\n  ]\n", out);
}

/* In place of the metadata before only when it is whole. */
int sigmf_write(const char *meta, const struct parts *parts, const char *datatype,
		int64_t epoch)
{
	int ret = EXIT_FAILED;
	char *name;
	FILE *out;

	if (asprintf(&name, "%s.new", meta) < 0)
		return failure("no memory");
	out = fopen(name, "we");
	if (out) {
		fputs("{\n", out);
		write_global(parts, datatype ? datatype : default_datatype(&parts->format), out);
		write_captures(parts, epoch, out);
		write_annotations(parts, out);
		fputs("}\n", out);
		ret = fclose(out) || rename(name, meta) < 0 ? EXIT_FAILED : EXIT_OK;
	}
	if (ret) {
		failure("cannot write %s: %s", meta, strerror(errno));
		unlink(name);
	}
	free(name);
	return ret;
}

static bool read_capture(struct parts *parts, const struct json *capture)
{
	struct part part = {
		.offset = json_uint(capture, "core:sample_start", 0) * parts->format.sample_bytes,
		.number = json_uint(capture, "daq:frame", parts->frames),
		.sample = json_uint(capture, "core:global_index", 0),
		.timestamp = json_uint(capture, "daq:timestamp", 0),
		.gap = {
			.frames = json_uint(capture, "daq:lost_frames", 0),
			.segments = json_uint(capture, "daq:lost_segments", 0),
			.samples = json_uint(capture, "daq:lost_samples", 0),
		},
	};

	if (part.gap.frames)
		part.status |= DAQ_FRAME_GAP_BEFORE;
	if (json_is_true(capture, "daq:damaged"))
		part.status |= DAQ_FRAME_DAMAGED;
	if (json_is_true(capture, "daq:restarted"))
		part.status |= DAQ_FRAME_RESTARTED;
	if (parts->count && part.offset < parts->part[parts->count - 1].offset)
		return false;
	return parts_append(parts, &part);
}

static bool understand(struct parts *parts, const struct json *meta)
{
	const struct json *global = json_member(meta, "global");
	const struct json *captures = json_member(meta, "captures");
	const struct json *capture;

	if (!captures || captures->type != JSON_ARRAY || !parts_understand(parts, global, "daq:"))
		return false;
	parts->ended = json_is_true(global, "daq:ended");
	parts->last = json_is_true(global, "daq:last");
	for (capture = captures->first; capture; capture = capture->next)
		if (!read_capture(parts, capture))
			return false;
	/* the data file tells */
	parts->bytes = UINT64_MAX;
	return true;
}

static char *read_file(const char *name, size_t *len)
{
	FILE *in = fopen(name, "re");
	char *text = NULL;
	struct stat stat;

	if (in && fstat(fileno(in), &stat) == 0) {
		text = malloc(stat.st_size + 1);
		*len = text ? fread(text, 1, stat.st_size, in) : 0;
	}
	if (!text)
		failure("cannot read %s: %s", name, strerror(errno));
	if (in)
		fclose(in);
	return text;
}

int sigmf_read(const char *meta, struct parts *parts)
{
	struct json *json;
	char *text;
	size_t len;
	bool good;

	memset(parts, 0, sizeof(*parts));
	text = read_file(meta, &len);
	if (!text)
		return EXIT_FAILED;
	json = json_parse(text, len);
	good = json && understand(parts, json);
	json_free(json);
	free(text);
	if (good)
		return EXIT_OK;
	parts_free(parts);
	return failure("%s is no SigMF metadata of daq capture: it lacks the frame format (daq:)",
		       meta);
}
