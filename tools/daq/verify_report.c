// SPDX-License-Identifier: GPL-2.0
/* daq verify: the result, as text and as JSON. */
#include <inttypes.h>
#include "verify.h"

static void print_wrong(const struct check *check)
{
	printf("channel %u: wrong from byte %zu of frame %" PRIu64 " (sample %" PRIu64
	       ") on: 0x%02x instead of 0x%02x\n", check->channel, check->wrong_byte,
	       check->wrong_frame, check->wrong_sample, check->wrong_is, check->wrong_should_be);
}

static void print_gaps(const struct check *check)
{
	uint64_t told = check->gap_count < MAX_GAPS ? check->gap_count : MAX_GAPS, i;

	for (i = 0; i < told; i++) {
		const struct gap *gap = &check->gaps[i];

		printf("channel %u: before frame %" PRIu64 " are missing %" PRIu64 " frames, %" PRIu64
		       " segments, %" PRIu64 " samples from %" PRIu64 " on\n",
		       check->channel, gap->before_frame, gap->missing.frames,
		       gap->missing.segments, gap->missing.samples, gap->from_sample);
	}
	if (check->gap_count > told)
		printf("channel %u: %" PRIu64 " more gaps\n", check->channel,
		       check->gap_count - told);
}

void verify_print(const struct verify *verify)
{
	unsigned int i;

	for (i = 0; i < verify->count; i++) {
		if (verify->checks[i].wrong_frames)
			print_wrong(&verify->checks[i]);
		print_gaps(&verify->checks[i]);
	}
	if (verify->quiet)
		return;
	printf("%3s %-9s%11s%15s%9s%9s%10s%9s\n", "CH", "SIGNAL", "FRAMES", "BYTES", "WRONG",
	       "LOST FR", "LOST SEG", "DAMAGED");
	for (i = 0; i < verify->count; i++) {
		const struct check *check = &verify->checks[i];

		printf("%3u %-9s%11" PRIu64 "%15" PRIu64 "%9" PRIu64 "%9" PRIu64 "%10" PRIu64 "%9"
		       PRIu64 "\n", check->channel,
		       check->pattern.source ? source_name(check->pattern.source) : "any",
		       check->frames, check->bytes, check->wrong_frames, check->lost.frames,
		       check->lost.segments, check->damaged);
	}
}

static void json_check(const struct check *check)
{
	uint64_t told = check->gap_count < MAX_GAPS ? check->gap_count : MAX_GAPS, i;

	printf("{\"channel\": %u, \"signal\": \"%s\", \"frames\": %" PRIu64 ", \"bytes\": %" PRIu64
	       ", \"damaged\": %" PRIu64 ", \"restarts\": %" PRIu64 ", \"wrong_frames\": %" PRIu64
	       ", \"first_wrong\": ", check->channel,
	       check->pattern.source ? source_name(check->pattern.source) : "any", check->frames,
	       check->bytes, check->damaged, check->restarts, check->wrong_frames);
	if (check->wrong_frames)
		printf("{\"frame\": %" PRIu64 ", \"byte\": %zu, \"sample\": %" PRIu64
		       ", \"is\": %u, \"should_be\": %u}", check->wrong_frame, check->wrong_byte,
		       check->wrong_sample, check->wrong_is, check->wrong_should_be);
	else
		fputs("null", stdout);
	printf(", \"lost_frames\": %" PRIu64 ", \"lost_segments\": %" PRIu64
	       ", \"lost_samples\": %" PRIu64 ", \"gap_count\": %" PRIu64 ", \"gaps\": [",
	       check->lost.frames, check->lost.segments, check->lost.samples, check->gap_count);
	for (i = 0; i < told; i++) {
		const struct gap *gap = &check->gaps[i];

		printf("%s{\"before_frame\": %" PRIu64 ", \"from_sample\": %" PRIu64
		       ", \"frames\": %" PRIu64 ", \"segments\": %" PRIu64 ", \"samples\": %" PRIu64
		       "}", i ? ", " : "", gap->before_frame, gap->from_sample,
		       gap->missing.frames, gap->missing.segments, gap->missing.samples);
	}
	fputs("]}", stdout);
}

void verify_print_json(const struct verify *verify, bool good)
{
	unsigned int i;

	printf("{\"good\": %s, \"channels\": [", good ? "true" : "false");
	for (i = 0; i < verify->count; i++) {
		fputs(i ? ",\n  " : "\n  ", stdout);
		json_check(&verify->checks[i]);
	}
	puts("\n]}");
}
