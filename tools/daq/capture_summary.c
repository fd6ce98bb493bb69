// SPDX-License-Identifier: GPL-2.0
/* What a recording tells at its end: a table for people, JSON for scripts. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "capture.h"

static double rate_of(const struct stream *stream)
{
	double seconds = stream->last - stream->first;

	return seconds > 0 ? stream->stats.bytes / seconds : 0;
}

static double per_frame(uint64_t n, const struct stream *stream)
{
	return stream->stats.frames ? (double)n / stream->stats.frames : 0;
}

/* What happens for a frame once all runs. */
static void print_steady(const struct capture *capture, FILE *out)
{
	const struct usage *from = &capture->steady, *to = &capture->end;
	double frames = to->frames - from->frames;
	uint64_t faults = to->minor_faults + to->major_faults - from->minor_faults -
			  from->major_faults;

	if (frames <= 0)
		return;
	fprintf(out, "per frame, once all ran: %.2f wake-ups, %.2f system calls, %.2f page faults, ",
		(to->wakeups - from->wakeups) / frames, (to->syscalls - from->syscalls) / frames,
		faults / frames);
	fprintf(out, "%.0f bytes copied; %.1f%% contiguous\n", (to->copied - from->copied) / frames,
		100 * (to->contiguous - from->contiguous) / frames);
	if (to->wakeups - from->wakeups > 1.25 * frames)
		fprintf(out, "frames come in parts: daq doctor %s tells the cure\n",
			capture->ifname);
}

/* What became of frames that are not in the file. */
static void print_reasons(const struct stream *stream, FILE *out)
{
	const struct daq_chan_stats *stats = &stream->stats;
	unsigned int i;

	if (stats->filtered_frames)
		fprintf(out, "channel %u: the trigger left out %" PRIu64 " frames\n",
			stream->channel, stats->filtered_frames);
	if (stats->off_ns > stats->suspend_ns)
		fprintf(out, "channel %u: off for %.3f s\n", stream->channel,
			(stats->off_ns - stats->suspend_ns) / 1e9);
	if (stats->suspend_gaps)
		fprintf(out, "channel %u: suspended for %.3f s, in %" PRIu64 " gaps\n",
			stream->channel, stats->suspend_ns / 1e9, stats->suspend_gaps);
	for (i = 0; i < DAQ_LOSSES; i++)
		if (stats->lost_by_reason[i])
			fprintf(out, "channel %u: lost %" PRIu64 " segments: %s\n",
				stream->channel, stats->lost_by_reason[i], daq_loss_name(i));
}

static void print_file(const struct sink *sink, FILE *out)
{
	fprintf(out, "%s: %" PRIu64 " bytes straight to the disk, %" PRIu64
		" copied by the kernel", sink->name, sink->direct_bytes, sink->buffered_bytes);
	if (sink->why_not)
		fprintf(out, ": %s", sink->why_not);
	else if (sink->buffered_bytes)
		fputs(": frames whose place in memory or in the file is not aligned", out);
	fputc('\n', out);
}

static void print_summary(const struct capture *capture, FILE *out)
{
	unsigned int i;

	fprintf(out, "%3s %10s %14s %9s %10s %10s %10s %10s %9s\n", "CH", "FRAMES", "BYTES",
		"MB/S", "WAKES/FR", "LOST FR", "LOST SEG", "CONTIGUOUS", "ZERO-COPY");
	for (i = 0; i < capture->count; i++) {
		const struct stream *stream = &capture->streams[i];
		const struct daq_chan_stats *stats = &stream->stats;

		fprintf(out, "%3u %10" PRIu64 " %14" PRIu64 " %9.1f %10.2f %10" PRIu64 " %10" PRIu64 " %9.1f%% %9s\n",
			stream->channel, stats->frames, stats->bytes, rate_of(stream) / 1e6,
			per_frame(stats->wakeups, stream), stats->lost_frames,
			stats->lost_segments, 100 * per_frame(stats->contiguous, stream),
			daq_chan__zero_copy(stream->chan) ? "yes" : "no");
	}
	for (i = 0; i < capture->count; i++)
		print_reasons(&capture->streams[i], out);
	print_steady(capture, out);
	for (i = 0; i < capture->writer_count; i++)
		print_file(&capture->writers[i]->sink, out);
}

static void json_reasons(const struct daq_chan_stats *stats, FILE *out)
{
	const char *separator = "";
	unsigned int i;

	fprintf(out, ", \"off_seconds\": %.9f, \"suspended_seconds\": %.9f, \"suspended_gaps\": %"
		PRIu64 ", \"filtered_frames\": %" PRIu64 ", \"filtered_segments\": %" PRIu64
		", \"lost_by_card\": %" PRIu64 ", \"lost_by_reason\": {",
		stats->off_ns / 1e9, stats->suspend_ns / 1e9, stats->suspend_gaps,
		stats->filtered_frames, stats->filtered_segments, stats->lost_by_card);
	for (i = 0; i < DAQ_LOSSES; i++) {
		if (!stats->lost_by_reason[i])
			continue;
		fprintf(out, "%s\"%s\": %" PRIu64, separator, daq_loss_name(i),
			stats->lost_by_reason[i]);
		separator = ", ";
	}
	fputs("}", out);
}

static void json_stream(const struct stream *stream, FILE *out)
{
	const struct daq_chan_stats *stats = &stream->stats;

	fprintf(out, "    {\"channel\": %u, \"file\": ", stream->channel);
	if (stream->file)
		json_string(out, stream->file);
	else
		fputs("null", out);
	fprintf(out, ", \"zero_copy\": %s, \"frames\": %" PRIu64 ", \"segments\": %" PRIu64
		", \"bytes\": %" PRIu64 ", \"bytes_per_second\": %.0f, \"contiguous\": %" PRIu64,
		daq_chan__zero_copy(stream->chan) ? "true" : "false", stats->frames,
		stats->segments, stats->bytes, rate_of(stream), stats->contiguous);
	fprintf(out, ", \"lost_frames\": %" PRIu64 ", \"lost_segments\": %" PRIu64
		", \"lost_samples\": %" PRIu64 ", \"damaged\": %" PRIu64 ", \"restarts\": %" PRIu64
		", \"malformed\": %" PRIu64 ", \"passed\": %" PRIu64,
		stats->lost_frames, stats->lost_segments, stats->lost_samples, stream->damaged,
		stream->restarts, stats->malformed, stats->passed);
	json_reasons(stats, out);
	fprintf(out, ", \"wakeups\": %" PRIu64 ", \"syscalls\": %" PRIu64
		", \"rx_dropped\": %" PRIu64 ", \"rx_invalid_descs\": %" PRIu64
		", \"rx_ring_full\": %" PRIu64 ", \"rx_fill_ring_empty\": %" PRIu64 "}",
		stats->wakeups, stats->syscalls, stats->rx_dropped, stats->rx_invalid_descs,
		stats->rx_ring_full, stats->rx_fill_ring_empty);
}

static void json_steady(const struct capture *capture, FILE *out)
{
	const struct usage *from = &capture->steady, *to = &capture->end;

	fprintf(out, "  \"steady_state\": {\"seconds\": %.3f, \"frames\": %" PRIu64
		", \"wakeups\": %" PRIu64 ", \"syscalls\": %" PRIu64 ", \"minor_faults\": %" PRIu64
		", \"major_faults\": %" PRIu64 ", \"copied_bytes\": %" PRIu64
		", \"contiguous\": %" PRIu64 "},\n", to->time - from->time,
		to->frames - from->frames, to->wakeups - from->wakeups,
		to->syscalls - from->syscalls, to->minor_faults - from->minor_faults,
		to->major_faults - from->major_faults, to->copied - from->copied,
		to->contiguous - from->contiguous);
}

static void json_file(const struct sink *sink, FILE *out)
{
	fputs("    {\"name\": ", out);
	json_string(out, sink->name);
	fprintf(out, ", \"bytes\": %" PRIu64 ", \"direct_bytes\": %" PRIu64
		", \"buffered_bytes\": %" PRIu64 ", \"not_direct\": ", sink->bytes,
		sink->direct_bytes, sink->buffered_bytes);
	if (sink->why_not)
		json_string(out, sink->why_not);
	else
		fputs("null", out);
	fputc('}', out);
}

static void sum_losses(const struct capture *capture, struct daq_gap *lost)
{
	unsigned int i;

	memset(lost, 0, sizeof(*lost));
	for (i = 0; i < capture->count; i++) {
		lost->frames += capture->streams[i].stats.lost_frames;
		lost->segments += capture->streams[i].stats.lost_segments;
		lost->samples += capture->streams[i].stats.lost_samples;
	}
}

static void json_summary(const struct capture *capture, FILE *out)
{
	struct daq_gap lost;
	unsigned int i;

	sum_losses(capture, &lost);
	fputs("{\n  \"card\": ", out);
	json_string(out, capture->ifname);
	fprintf(out, ",\n  \"lost_frames\": %" PRIu64 ", \"lost_segments\": %" PRIu64
		", \"lost_samples\": %" PRIu64 ",\n", lost.frames, lost.segments, lost.samples);
	json_steady(capture, out);
	fputs("  \"files\": [\n", out);
	for (i = 0; i < capture->writer_count; i++) {
		json_file(&capture->writers[i]->sink, out);
		fputs(i + 1 < capture->writer_count ? ",\n" : "\n", out);
	}
	fputs("  ],\n  \"channels\": [\n", out);
	for (i = 0; i < capture->count; i++) {
		json_stream(&capture->streams[i], out);
		fputs(i + 1 < capture->count ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}

static int write_json(const struct capture *capture)
{
	bool to_stdout = strcmp(capture->json, "-") == 0;
	FILE *out = to_stdout ? stdout : fopen(capture->json, "we");
	bool failed;

	if (!out)
		return failure("cannot open %s: %s", capture->json, strerror(errno));
	json_summary(capture, out);
	failed = ferror(out) | (to_stdout ? fflush(out) : fclose(out));
	return failed ? failure("cannot write %s: %s", capture->json, strerror(errno)) : EXIT_OK;
}

static bool stdout_is_taken(const struct capture *capture)
{
	unsigned int i;

	for (i = 0; i < capture->writer_count; i++)
		if (capture->writers[i]->sink.fd == STDOUT_FILENO)
			return true;
	return capture->json && strcmp(capture->json, "-") == 0;
}

int capture_summarise(struct capture *capture)
{
	struct daq_gap lost;
	unsigned int i;
	int ret = EXIT_OK;

	for (i = 0; i < capture->count; i++) {
		struct stream *stream = &capture->streams[i];

		/* one that ended keeps what it had then */
		if (!stream->done)
			daq_chan__stats(stream->chan, &stream->stats, sizeof(stream->stats));
	}
	if (!capture->quiet)
		print_summary(capture, stdout_is_taken(capture) ? stderr : stdout);
	if (capture->json)
		ret = write_json(capture);
	sum_losses(capture, &lost);
	if (lost.frames && !capture->allow_loss)
		ret = failure("%" PRIu64 " frames were lost", lost.frames);
	return ret;
}

