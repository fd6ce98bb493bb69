// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daq.h"

static const char help[] =
	"Usage: daq capture IFNAME [CHANNEL=FILE ...] [OPTIONS]\n"
	"\n"
	"Records channels, straight from the card's buffers. Without files data are\n"
	"only counted; without channels every channel that has a source is taken.\n"
	"Frames that could not be received whole are left out of the file, and counted.\n"
	"Ends with Ctrl-C, or as the options say; files then hold whole frames only.\n"
	"\n"
	"  -o, --output DIR       write every channel to DIR/channelN.raw\n"
	"  -c, --channel LIST     3, 0-7, 0,2,5 or all\n"
	"  -n, --frames N         end each channel after N frames\n"
	"  -d, --duration SECONDS end after this time\n"
	"      --until-last       end each channel when its source says that it ended\n"
	"  -b, --buffer SIZE      memory per channel; default 4 frames, at least 4M\n"
	"      --copy             do not use zero copy\n"
	"      --zero-copy        fail rather than copy\n"
	"      --allow-loss       lost data are no failure\n"
	"      --json FILE        write the summary as JSON; - is standard output\n"
	"  -q, --quiet            no progress, no summary\n"
	"\n"
	"Examples:\n"
	"  daq capture daq0 -o /data --duration 10\n"
	"  daq capture daq0 0=video.yuv 3=adc.raw --frames 100 --buffer 256M\n"
	"  daq capture daq0 --channel all --duration 5 --json - | jq .lost_frames\n"
	"  daq capture daq0 0=- | ffplay -f rawvideo -pixel_format yuyv422 \\\n"
	"      -video_size 1920x1080 -\n";

enum { OPT_UNTIL_LAST = 256, OPT_COPY, OPT_ZERO_COPY, OPT_ALLOW_LOSS, OPT_JSON };

struct stream {
	struct capture *capture;
	struct daq_chan *chan;
	unsigned int channel;
	char *file;		/* NULL: count only */
	int fd;
	bool regular;
	bool done;
	uint64_t frames;
	uint64_t bytes;		/* in those frames */
	uint64_t lost_frames;
	uint64_t damaged;
	uint64_t restarts;
	double first;		/* when frames came */
	double last;
	struct daq_chan_stats stats;	/* at the end */
};

/* What the whole process had used up at some time. */
struct usage {
	double time;
	uint64_t minor_faults;
	uint64_t major_faults;
	uint64_t syscalls;
	uint64_t frames;
	uint64_t wakeups;
};

struct capture {
	const char *ifname;
	const char *directory;
	const char *json;
	uint64_t channels;
	uint64_t frames;	/* per channel; 0: no limit */
	double duration;	/* 0: no limit */
	uint64_t buffer;
	enum daq_mode mode;
	bool until_last;
	bool allow_loss;
	bool quiet;

	struct daq_card *card;
	struct stream streams[DAQ_MAX_CHANNELS];
	unsigned int count;
	unsigned int started;	/* streams that have received a frame */
	unsigned int running;
	uint64_t writes;	/* system calls */
	struct usage steady;	/* when every channel had delivered a frame */
	struct usage end;
};

static int write_failure(struct stream *stream)
{
	int err = errno;

	/* what was written of this frame is of no use */
	if (stream->regular && ftruncate(stream->fd, stream->bytes) < 0)
		failure("%s ends with a part of a frame: %s", stream->file, strerror(errno));
	failure("cannot write %s: %s", stream->file, strerror(err));
	return -EIO;
}

static int write_frame(struct stream *stream, const struct daq_frame *frame)
{
	struct iovec iov[16];
	unsigned int i = 0, n;
	size_t skip = 0;
	ssize_t written;

	while (i < frame->iovcnt) {
		n = frame->iovcnt - i < ARRAY_SIZE(iov) ? frame->iovcnt - i : ARRAY_SIZE(iov);
		memcpy(iov, frame->iov + i, n * sizeof(*iov));
		iov[0].iov_base = (char *)iov[0].iov_base + skip;
		iov[0].iov_len -= skip;
		stream->capture->writes++;
		written = writev(stream->fd, iov, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return write_failure(stream);
		for (skip += written; i < frame->iovcnt && skip >= frame->iov[i].iov_len; i++)
			skip -= frame->iov[i].iov_len;
	}
	return 0;
}

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
		usage->wakeups += stats.wakeups;
	}
	usage->syscalls += capture->writes;
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

static bool is_over(const struct stream *stream, const struct daq_frame *frame)
{
	const struct capture *capture = stream->capture;

	if (capture->until_last && (frame->status & DAQ_FRAME_LAST))
		return true;
	return capture->frames && stream->frames >= capture->frames;
}

static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	struct stream *stream = ctx;
	struct capture *capture = stream->capture;
	int err = 0;

	if (!stream->done) {
		if (stream->fd >= 0)
			err = write_frame(stream, frame);
		note_frame(stream, frame);
		if (is_over(stream, frame)) {
			daq_chan__stats(chan, &stream->stats, sizeof(stream->stats));
			stream->done = true;
			capture->running--;
		}
	}
	daq_chan__release(chan, frame);
	return err;
}

static int open_file(struct stream *stream)
{
	struct stat stat;

	if (!stream->file)
		return EXIT_OK;
	if (strcmp(stream->file, "-") == 0)
		stream->fd = STDOUT_FILENO;
	else
		stream->fd = open(stream->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (stream->fd < 0 || fstat(stream->fd, &stat) < 0)
		return failure("cannot open %s: %s", stream->file, strerror(errno));
	stream->regular = S_ISREG(stat.st_mode) && stream->fd != STDOUT_FILENO;
	return EXIT_OK;
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
	    daq_chan__on_frame(stream->chan, on_frame, stream) < 0)
		return library_failure();
	return open_file(stream);
}

static struct stream *find_stream(struct capture *capture, unsigned int channel)
{
	unsigned int i;

	for (i = 0; i < capture->count; i++)
		if (capture->streams[i].channel == channel)
			return &capture->streams[i];
	return NULL;
}

static struct stream *add_stream(struct capture *capture, unsigned int channel)
{
	struct stream *stream = &capture->streams[capture->count++];

	stream->capture = capture;
	stream->channel = channel;
	stream->fd = -1;
	return stream;
}

static bool add_file(struct capture *capture, const char *argument)
{
	unsigned int channel;
	const char *file;

	if (capture->count == DAQ_MAX_CHANNELS ||
	    !parse_channel_file(argument, &channel, &file) || find_stream(capture, channel))
		return false;
	add_stream(capture, channel)->file = strdup(file);
	return true;
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
	for (channel = 0; channel < daq_card__channels(capture->card); channel++) {
		struct stream *stream;

		if (!(capture->channels & 1ull << channel) || find_stream(capture, channel))
			continue;
		stream = add_stream(capture, channel);
		if (capture->directory &&
		    asprintf(&stream->file, "%s/channel%u.raw", capture->directory, channel) < 0)
			return failure("no memory");
	}
	return EXIT_OK;
}

static int open_streams(struct capture *capture)
{
	unsigned int i;
	int ret = EXIT_OK;

	if (!capture->count && !capture->channels)
		ret = default_channels(capture);
	if (!ret)
		ret = add_channels(capture);
	if (!ret && capture->directory && mkdir(capture->directory, 0777) < 0 && errno != EEXIST)
		ret = failure("cannot create %s: %s", capture->directory, strerror(errno));
	for (i = 0; i < capture->count && !ret; i++)
		ret = open_stream(capture, &capture->streams[i]);
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

static int receive(struct capture *capture)
{
	struct progress progress;
	double began = now_seconds();
	double wait;
	int ret = 0;

	progress_begin(&progress, capture->quiet);
	while (capture->running && !interrupted) {
		wait = progress_due(&progress);
		if (capture->duration && began + capture->duration - now_seconds() < wait)
			wait = began + capture->duration - now_seconds();
		if (capture->duration && wait <= 0)
			break;
		ret = daq_card__dispatch(capture->card, wait * 1000 + 1);
		/* also when we were stopped and go on */
		if (ret < 0 && ret != -EINTR)
			break;
		if (capture->started == capture->count && !capture->steady.time)
			measure(capture, &capture->steady);
		if (progress_due(&progress) <= 0)
			print_progress(capture, &progress, began);
	}
	progress_end(&progress);
	if (capture->steady.time)
		measure(capture, &capture->end);
	if (ret >= 0 || ret == -EINTR)
		return EXIT_OK;
	/* files report their own */
	return ret == -EIO ? EXIT_FAILED : library_failure();
}

static double rate_of(const struct stream *stream)
{
	double seconds = stream->last - stream->first;

	return seconds > 0 ? stream->stats.bytes / seconds : 0;
}

static double per_frame(uint64_t n, const struct stream *stream)
{
	return stream->stats.frames ? (double)n / stream->stats.frames : 0;
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
		", \"major_faults\": %" PRIu64 "},\n", to->time - from->time,
		to->frames - from->frames, to->wakeups - from->wakeups,
		to->syscalls - from->syscalls, to->minor_faults - from->minor_faults,
		to->major_faults - from->major_faults);
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
	fputs("  \"channels\": [\n", out);
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

	for (i = 0; i < capture->count; i++)
		if (capture->streams[i].fd == STDOUT_FILENO)
			return true;
	return capture->json && strcmp(capture->json, "-") == 0;
}

static int summarise(struct capture *capture)
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

static int close_files(struct capture *capture)
{
	unsigned int i;
	int ret = EXIT_OK;

	for (i = 0; i < capture->count; i++) {
		struct stream *stream = &capture->streams[i];

		if (stream->fd >= 0 && close(stream->fd) < 0)
			ret = failure("cannot write %s: %s", stream->file, strerror(errno));
		free(stream->file);
	}
	return ret;
}

static int run(struct capture *capture)
{
	int received, ret;

	if (daq_card__open(capture->ifname, NULL, &capture->card) < 0)
		return library_failure();
	ret = open_streams(capture);
	if (!ret) {
		fprintf(stderr, "capturing %u channels of %s\n", capture->count, capture->ifname);
		received = receive(capture);
		ret = summarise(capture);
		if (received)
			ret = received;
	}
	daq_card__close(capture->card);
	return ret;
}

static bool take_option(struct capture *capture, int option, const char *text)
{
	switch (option) {
	case 'o':
		capture->directory = text;
		return true;
	case 'c':
		return parse_channels(text, &capture->channels);
	case 'n':
		return parse_count(text, &capture->frames) && capture->frames > 0;
	case 'd':
		return parse_seconds(text, &capture->duration);
	case 'b':
		return parse_size(text, &capture->buffer) && capture->buffer > 0;
	case 'q':
		capture->quiet = true;
		return true;
	case OPT_UNTIL_LAST:
		capture->until_last = true;
		return true;
	case OPT_COPY:
		capture->mode = DAQ_MODE_COPY;
		return true;
	case OPT_ZERO_COPY:
		capture->mode = DAQ_MODE_ZERO_COPY;
		return true;
	case OPT_ALLOW_LOSS:
		capture->allow_loss = true;
		return true;
	default:
		capture->json = text;
		return true;
	}
}

int cmd_capture(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "channel", required_argument, NULL, 'c' },
		{ "frames", required_argument, NULL, 'n' },
		{ "duration", required_argument, NULL, 'd' },
		{ "until-last", no_argument, NULL, OPT_UNTIL_LAST },
		{ "buffer", required_argument, NULL, 'b' },
		{ "copy", no_argument, NULL, OPT_COPY },
		{ "zero-copy", no_argument, NULL, OPT_ZERO_COPY },
		{ "allow-loss", no_argument, NULL, OPT_ALLOW_LOSS },
		{ "json", required_argument, NULL, OPT_JSON },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	/* static: 64 channels are too much to copy around, and there is one capture */
	static struct capture capture;
	int option, ret, closed;

	while ((option = getopt_long(argc, argv, "o:c:n:d:b:qh", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&capture, option, optarg))
			return option_error("capture", options, option, optarg);
	}
	if (optind == argc)
		return usage_error("capture", "name an interface");
	capture.ifname = argv[optind++];
	for (; optind < argc; optind++)
		if (!add_file(&capture, argv[optind]))
			return usage_error("capture", "'%s' is not CHANNEL=FILE of another channel",
					   argv[optind]);

	catch_signals();
	ret = run(&capture);
	closed = close_files(&capture);
	return ret ? ret : closed;
}
