// SPDX-License-Identifier: GPL-2.0
/* daq dump: lines of text, and of JSON, for headers and frames. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include "daq.h"
#include "dump.h"

static const struct {
	unsigned int flag;
	const char *name;
} flags[] = {
	{ DAQ_HDR_F_SOF, "SOF" },
	{ DAQ_HDR_F_EOF, "EOF" },
	{ DAQ_HDR_F_OVERRUN, "OVERRUN" },
	{ DAQ_HDR_F_DAMAGED, "DAMAGED" },
	{ DAQ_HDR_F_LAST, "LAST" },
};

static void print_time(uint64_t ns)
{
	time_t seconds = ns / 1000000000;
	struct tm tm;
	char text[16];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%T", &tm);
	printf("%s.%09" PRIu64, text, ns % 1000000000);
}

static void print_flags(unsigned int set)
{
	char separator = ' ';
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!(set & flags[i].flag))
			continue;
		printf("%c%s", separator, flags[i].name);
		separator = '|';
	}
}

static void print_missing(const struct missing *missing, uint64_t unseen)
{
	if (missing->restarted)
		fputs(", counts anew", stdout);
	if (missing->segments > unseen) {
		printf(", lost %" PRIu64 " segments", missing->segments - unseen);
		if (missing->samples)
			printf(" (%" PRIu64 " samples)", missing->samples);
		printf(" before this, %" PRIu64 " by the card", missing->by_card);
	}
	if (unseen)
		printf(", %" PRIu64 " not seen", unseen);
	putchar('\n');
}

static void json_rest(unsigned int set, const struct missing *missing, uint64_t unseen)
{
	const char *separator = "";
	unsigned int i;

	fputs(", \"flags\": [", stdout);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!(set & flags[i].flag))
			continue;
		printf("%s\"%s\"", separator, flags[i].name);
		separator = ", ";
	}
	printf("], \"lost_segments\": %" PRIu64 ", \"lost_samples\": %" PRIu64
	       ", \"lost_by_card\": %" PRIu64 ", \"unseen_segments\": %" PRIu64
	       ", \"restarted\": %s}\n", missing->segments - unseen, missing->samples,
	       missing->by_card, unseen, missing->restarted ? "true" : "false");
}

void show_segment(bool json, const struct header *header, const struct missing *missing,
		  uint64_t unseen)
{
	if (json) {
		printf("{\"time_ns\": %" PRIu64 ", \"channel\": %u, \"frame\": %u, \"segment\": %u"
		       ", \"offset\": %u, \"bytes\": %u, \"frame_bytes\": %u, \"sample\": %" PRIu64
		       ", \"dropped\": %" PRIu64, header->timestamp, header->channel,
		       header->frame, header->segment, header->offset, header->bytes,
		       header->frame_bytes, header->sample, header->dropped);
		json_rest(header->flags, missing, unseen);
		return;
	}
	print_time(header->timestamp);
	printf(" ch %u frame %u segment %u offset %u bytes %u of %u sample %" PRIu64
	       " dropped %" PRIu64, header->channel, header->frame, header->segment,
	       header->offset, header->bytes, header->frame_bytes, header->sample,
	       header->dropped);
	print_flags(header->flags);
	print_missing(missing, unseen);
}

void show_frame(bool json, const struct frame *frame)
{
	const struct header *first = &frame->first;
	bool whole = frame->bytes == first->frame_bytes && (frame->flags & DAQ_HDR_F_EOF);

	if (json) {
		printf("{\"time_ns\": %" PRIu64 ", \"channel\": %u, \"frame\": %u, \"whole\": %s"
		       ", \"segments\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"frame_bytes\": %u"
		       ", \"sample\": %" PRIu64, first->timestamp, first->channel, first->frame,
		       whole ? "true" : "false", frame->segments, frame->bytes,
		       first->frame_bytes, first->sample);
		json_rest(frame->flags, &frame->missing, frame->unseen);
		return;
	}
	print_time(first->timestamp);
	printf(" ch %u frame %u %s, %" PRIu64 " segments, bytes %" PRIu64 " of %u, sample %" PRIu64,
	       first->channel, first->frame, whole ? "whole" : "INCOMPLETE", frame->segments,
	       frame->bytes, first->frame_bytes, first->sample);
	print_flags(frame->flags & ~(DAQ_HDR_F_SOF | DAQ_HDR_F_EOF));
	print_missing(&frame->missing, frame->unseen);
}
