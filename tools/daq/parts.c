// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "json.h"
#include "parts.h"

void parts_init(struct parts *parts, const char *card, unsigned int channel,
		const struct daq_format *format)
{
	memset(parts, 0, sizeof(*parts));
	snprintf(parts->card, sizeof(parts->card), "%s", card);
	parts->channel = channel;
	parts->format = *format;
}

bool parts_append(struct parts *parts, const struct part *part)
{
	struct part *grown = parts->part;

	/* doubled whenever the number is a power of 2 */
	if (!(parts->count & (parts->count - 1)))
		grown = realloc(grown, (parts->count ? 2 * parts->count : 1) * sizeof(*grown));
	if (!grown)
		return false;
	parts->part = grown;
	grown[parts->count++] = *part;
	return true;
}

/* Whether a frame is what the frames so far say about it without a word. */
static bool continues(const struct parts *parts, const struct daq_frame *frame)
{
	const struct part *part;

	if (!parts->count || (frame->status & ~(DAQ_FRAME_DAMAGED | DAQ_FRAME_LAST)))
		return false;
	part = &parts->part[parts->count - 1];
	return !(part->status & DAQ_FRAME_ABORTED) &&
	       (parts->bytes - part->offset) % parts->format.frame_bytes == 0 &&
	       !((frame->status ^ part->status) & DAQ_FRAME_DAMAGED) &&
	       frame->number == parts->next_number && frame->sample == parts->next_sample;
}

bool parts_add(struct parts *parts, const struct daq_frame *frame)
{
	struct part part = {
		.offset = parts->bytes,
		.number = frame->number,
		.sample = frame->sample,
		.timestamp = frame->timestamp,
		.status = frame->status & ~DAQ_FRAME_LAST,
		.gap = frame->gap,
	};

	if (!continues(parts, frame) && !parts_append(parts, &part))
		return false;
	parts->bytes += frame->len;
	parts->frames += frame->len > 0;
	parts->last = frame->status & DAQ_FRAME_LAST;
	parts->next_number = frame->number + 1;
	parts->next_sample = frame->sample + frame->len / parts->format.sample_bytes;
	return true;
}

static void count_frames(struct parts *parts)
{
	size_t i;

	parts->frames = 0;
	for (i = 0; i < parts->count; i++)
		parts->frames += (part_bytes(parts, i) + parts->format.frame_bytes - 1) /
				 parts->format.frame_bytes;
}

void parts_cut(struct parts *parts, uint64_t bytes)
{
	parts->bytes = bytes;
	parts->last = false;
	while (parts->count && parts->part[parts->count - 1].offset >= bytes)
		parts->count--;
	count_frames(parts);
}

/* Whether a part has nothing before @bytes. */
static bool lies_behind(const struct part *part, uint64_t bytes)
{
	return part->offset > bytes ||
	       (part->offset == bytes && !(part->status & DAQ_FRAME_ABORTED));
}

void parts_limit(struct parts *parts, uint64_t bytes)
{
	if (bytes < parts->bytes)
		parts->bytes = bytes;
	while (parts->count && lies_behind(&parts->part[parts->count - 1], parts->bytes))
		parts->count--;
	count_frames(parts);
}

void parts_free(struct parts *parts)
{
	free(parts->part);
	memset(parts, 0, sizeof(*parts));
}

uint64_t part_bytes(const struct parts *parts, size_t i)
{
	uint64_t end = i + 1 < parts->count ? parts->part[i + 1].offset : parts->bytes;

	return end - parts->part[i].offset;
}

void parts_describe(const struct parts *parts, const char *prefix, const char *separator,
		    FILE *out)
{
	const struct daq_format *format = &parts->format;
	const struct { const char *name; uint64_t value; } numbers[] = {
		{ "channel", parts->channel },
		{ "sample_bytes", format->sample_bytes },
		{ "segment_bytes", format->segment_bytes },
		{ "frame_bytes", format->frame_bytes },
		{ "line_bytes", format->line_bytes },
		{ "rate", format->rate },
	};
	size_t i;

	fprintf(out, "\"%scard\": ", prefix);
	json_string(out, parts->card);
	fprintf(out, "%s\"%ssource\": \"%s\"", separator, prefix, source_name(format->source));
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		fprintf(out, "%s\"%s%s\": %" PRIu64, separator, prefix, numbers[i].name,
			numbers[i].value);
}

static uint64_t number_of(const struct json *object, const char *prefix, const char *name)
{
	char full[32];

	snprintf(full, sizeof(full), "%s%s", prefix, name);
	return json_uint(object, full, 0);
}

bool parts_understand(struct parts *parts, const struct json *object, const char *prefix)
{
	struct daq_format *format = &parts->format;
	const char *text;
	char name[32];

	memset(parts, 0, sizeof(*parts));
	snprintf(name, sizeof(name), "%scard", prefix);
	text = json_text(object, name);
	snprintf(parts->card, sizeof(parts->card), "%s", text ? text : "");
	snprintf(name, sizeof(name), "%ssource", prefix);
	text = json_text(object, name);
	if (!text || !parse_source(text, &format->source))
		format->source = DAQ_SOURCE_EXTERNAL;
	parts->channel = number_of(object, prefix, "channel");
	format->sample_bytes = number_of(object, prefix, "sample_bytes");
	format->segment_bytes = number_of(object, prefix, "segment_bytes");
	format->frame_bytes = number_of(object, prefix, "frame_bytes");
	format->line_bytes = number_of(object, prefix, "line_bytes");
	format->rate = number_of(object, prefix, "rate");
	return format->sample_bytes && format->sample_bytes <= DAQ_MAX_SAMPLE_BYTES &&
	       format->frame_bytes && format->frame_bytes <= DAQ_MAX_FRAME_BYTES;
}
