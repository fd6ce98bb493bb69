// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daq.h"

static const char help[] =
	"Usage: daq play IFNAME CHANNEL=FILE ... [OPTIONS]\n"
	"\n"
	"Plays files on output channels at the channel's rate, cut into frames of its\n"
	"format, and ends when the card has taken everything. What remains at the end\n"
	"of a file becomes a shorter frame; the last one is marked as the last.\n"
	"\n"
	"  -l, --loop N        play every file N times\n"
	"  -b, --buffer SIZE   memory per channel; default 4 frames, at least 4M\n"
	"      --copy          do not use zero copy\n"
	"      --zero-copy     fail rather than copy\n"
	"  -j, --json          print the summary as JSON\n"
	"  -q, --quiet         no progress, no summary\n"
	"\n"
	"Examples:\n"
	"  daq play daq0 3=waveform.raw --loop 10\n"
	"  daq set daq0 --channel 2 --source loopback:3   # to hear it on input 2\n";

enum { OPT_COPY = 256, OPT_ZERO_COPY };

/* What a channel may play before the next one has its turn. */
#define TURN_BYTES	(4 << 20)
/* How long to sleep for one channel while others may have room. */
#define TURN_MS		20
#define DRAIN_MS	500

struct stream {
	struct daq_chan *chan;
	unsigned int channel;
	const char *file;
	int fd;
	off_t size;
	off_t position;
	uint64_t rounds;	/* still to play, this one included */
	uint64_t underruns;	/* of the card before */
};

struct play {
	const char *ifname;
	uint64_t loop;
	uint64_t buffer;
	enum daq_mode mode;
	bool json;
	bool quiet;

	struct daq_card *card;
	struct stream streams[DAQ_MAX_CHANNELS];
	unsigned int count;
};

static int open_file(struct stream *stream)
{
	struct stat stat;

	stream->fd = open(stream->file, O_RDONLY | O_CLOEXEC);
	if (stream->fd < 0 || fstat(stream->fd, &stat) < 0)
		return failure("cannot open %s: %s", stream->file, strerror(errno));
	if (!S_ISREG(stat.st_mode))
		return failure("%s is not a regular file", stream->file);
	stream->size = stat.st_size;
	return EXIT_OK;
}

static int check_fit(const struct play *play, const struct stream *stream)
{
	const struct daq_format *format = daq_chan__format(stream->chan);

	if (stream->size == 0)
		return failure("%s is empty", stream->file);
	if (stream->size < format->frame_bytes)
		return failure("%s has %jd bytes, less than one frame of %u: daq set %s --channel %u --frame %jd",
			       stream->file, (intmax_t)stream->size, format->frame_bytes,
			       play->ifname, stream->channel, (intmax_t)stream->size);
	if (format->rate == 0)
		return failure("channel %u of %s has rate 0: daq set %s --channel %u --rate HZ",
			       stream->channel, play->ifname, play->ifname, stream->channel);
	return EXIT_OK;
}

static int open_stream(struct play *play, struct stream *stream)
{
	struct daq_chan_opts opts = {
		.sz = sizeof(opts),
		.direction = DAQ_OUTPUT,
		.mode = play->mode,
		.buffer_bytes = play->buffer,
	};
	int ret = open_file(stream);

	if (ret)
		return ret;
	if (daq_chan__open(play->card, stream->channel, &opts, &stream->chan) < 0)
		return library_failure();
	stream->rounds = play->loop;
	stream->underruns = daq_chan__format(stream->chan)->underruns;
	return check_fit(play, stream);
}

static int read_frame(struct stream *stream, struct daq_frame *frame)
{
	size_t done = 0;
	ssize_t n;

	while (done < frame->len) {
		n = pread(stream->fd, (char *)frame->data + done, frame->len - done,
			  stream->position + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failure("cannot read %s: %s", stream->file, strerror(errno));
		if (n == 0)
			return failure("%s has become shorter", stream->file);
		done += n;
	}
	return EXIT_OK;
}

/* Plays the file's next frame when there is room: 1: did, 0: no room, or an error. */
static int play_frame(struct stream *stream, int timeout_ms)
{
	size_t len = daq_chan__format(stream->chan)->frame_bytes;
	struct daq_frame frame;
	bool last;
	int ret;

	if (stream->size - stream->position < (off_t)len)
		len = stream->size - stream->position;
	ret = daq_chan__reserve(stream->chan, len, &frame, timeout_ms);
	if (ret == 0 || ret == -EINTR)
		return 0;
	if (ret < 0) {
		library_failure();
		return ret;
	}
	if (read_frame(stream, &frame))
		return -EIO;

	stream->position += len;
	if (stream->position == stream->size) {
		stream->position = 0;
		stream->rounds--;
	}
	last = !stream->rounds;
	ret = daq_chan__submit(stream->chan, &frame, last ? DAQ_FRAME_LAST : 0);
	if (ret < 0) {
		library_failure();
		return ret;
	}
	return 1;
}

/*
 * Plays frames until the room or the turn is used up: 1: some, 0: none, or an
 * error. Long turns, lest short frames wait for another channel's long ones.
 */
static int play_turn(struct stream *stream)
{
	off_t room = TURN_BYTES;
	int ret, played = 0;

	while (stream->rounds && room > 0) {
		ret = play_frame(stream, 0);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		played = 1;
		room -= daq_chan__format(stream->chan)->frame_bytes;
	}
	return played;
}

/* Offers each channel a turn: number of those that are not at their end, or an error. */
static int play_round(struct play *play)
{
	struct stream *waiting = NULL;
	unsigned int i;
	int ret, played = 0, unfinished = 0;

	for (i = 0; i < play->count; i++) {
		struct stream *stream = &play->streams[i];

		if (!stream->rounds)
			continue;
		ret = play_turn(stream);
		if (ret < 0)
			return ret;
		played += ret;
		if (!ret)
			waiting = stream;
		unfinished += stream->rounds > 0;
	}
	if (!played && waiting) {
		ret = play_frame(waiting, TURN_MS);
		if (ret < 0)
			return ret;
	}
	return unfinished;
}

static void sum_stats(const struct play *play, uint64_t *frames, uint64_t *bytes)
{
	struct daq_chan_stats stats;
	unsigned int i;

	*frames = 0;
	*bytes = 0;
	for (i = 0; i < play->count; i++) {
		daq_chan__stats(play->streams[i].chan, &stats, sizeof(stats));
		*frames += stats.frames;
		*bytes += stats.bytes;
	}
}

static int play_all(struct play *play)
{
	struct progress progress;
	uint64_t frames, bytes;
	int ret = 1;

	progress_begin(&progress, play->quiet);
	while (ret > 0 && !interrupted) {
		ret = play_round(play);
		if (progress_due(&progress) <= 0) {
			sum_stats(play, &frames, &bytes);
			progress_print(&progress, "%" PRIu64 " frames, %.1f MB", frames, bytes / 1e6);
		}
	}
	progress_end(&progress);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

static int drain_all(struct play *play)
{
	unsigned int i;
	int ret;

	for (i = 0; i < play->count && !interrupted; i++) {
		do {
			ret = daq_chan__drain(play->streams[i].chan, DRAIN_MS);
		} while ((ret == 0 || ret == -EINTR) && !interrupted);
		if (ret < 0 && ret != -EINTR)
			return library_failure();
	}
	return interrupted ? failure("interrupted") : EXIT_OK;
}

/* Times that the card had nothing to play since the channel was opened. */
static uint64_t count_underruns(const struct play *play, const struct stream *stream)
{
	struct daq_format now;

	if (daq_card__format(play->card, stream->channel, &now) < 0)
		return 0;
	return now.underruns - stream->underruns;
}

static void print_summary(const struct play *play, double seconds)
{
	struct daq_chan_stats stats;
	unsigned int i;

	printf("%3s %10s %14s %9s %9s %9s\n", "CH", "FRAMES", "BYTES", "MB/S", "ZERO-COPY",
	       "UNDERRUNS");
	for (i = 0; i < play->count; i++) {
		const struct stream *stream = &play->streams[i];

		daq_chan__stats(stream->chan, &stats, sizeof(stats));
		printf("%3u %10" PRIu64 " %14" PRIu64 " %9.1f %9s %9" PRIu64 "\n", stream->channel,
		       stats.frames, stats.bytes, stats.bytes / seconds / 1e6,
		       daq_chan__zero_copy(stream->chan) ? "yes" : "no",
		       count_underruns(play, stream));
	}
}

static void json_summary(const struct play *play, double seconds)
{
	struct daq_chan_stats stats;
	unsigned int i;

	fputs("{\n  \"card\": ", stdout);
	json_string(stdout, play->ifname);
	printf(",\n  \"seconds\": %.3f,\n  \"channels\": [\n", seconds);
	for (i = 0; i < play->count; i++) {
		const struct stream *stream = &play->streams[i];

		daq_chan__stats(stream->chan, &stats, sizeof(stats));
		printf("    {\"channel\": %u, \"file\": ", stream->channel);
		json_string(stdout, stream->file);
		printf(", \"zero_copy\": %s, \"frames\": %" PRIu64 ", \"segments\": %" PRIu64
		       ", \"bytes\": %" PRIu64 ", \"tx_invalid_descs\": %" PRIu64
		       ", \"underruns\": %" PRIu64 ", \"wakeups\": %" PRIu64 "}%s\n",
		       daq_chan__zero_copy(stream->chan) ? "true" : "false", stats.frames,
		       stats.segments, stats.bytes, stats.tx_invalid_descs,
		       count_underruns(play, stream), stats.wakeups,
		       i + 1 < play->count ? "," : "");
	}
	puts("  ]\n}");
}

static int run(struct play *play)
{
	double began;
	unsigned int i;
	int ret = EXIT_OK;

	if (daq_card__open(play->ifname, NULL, &play->card) < 0)
		return library_failure();
	for (i = 0; i < play->count && !ret; i++)
		ret = open_stream(play, &play->streams[i]);
	if (!ret) {
		began = now_seconds();
		ret = play_all(play);
		if (!ret)
			ret = drain_all(play);
		if (play->json)
			json_summary(play, now_seconds() - began);
		else if (!play->quiet)
			print_summary(play, now_seconds() - began);
	}
	daq_card__close(play->card);
	for (i = 0; i < play->count; i++)
		if (play->streams[i].fd >= 0)
			close(play->streams[i].fd);
	return ret;
}

static bool add_file(struct play *play, const char *argument)
{
	struct stream *stream = &play->streams[play->count];
	unsigned int i;

	if (play->count == DAQ_MAX_CHANNELS ||
	    !parse_channel_file(argument, &stream->channel, &stream->file))
		return false;
	for (i = 0; i < play->count; i++)
		if (play->streams[i].channel == stream->channel)
			return false;
	stream->fd = -1;
	play->count++;
	return true;
}

static bool take_option(struct play *play, int option, const char *text)
{
	switch (option) {
	case 'l':
		return parse_count(text, &play->loop) && play->loop > 0;
	case 'b':
		return parse_size(text, &play->buffer) && play->buffer > 0;
	case 'j':
		play->json = true;
		return true;
	case 'q':
		play->quiet = true;
		return true;
	case OPT_COPY:
		play->mode = DAQ_MODE_COPY;
		return true;
	default:
		play->mode = DAQ_MODE_ZERO_COPY;
		return true;
	}
}

int cmd_play(int argc, char **argv)
{
	static const struct option options[] = {
		{ "loop", required_argument, NULL, 'l' },
		{ "buffer", required_argument, NULL, 'b' },
		{ "copy", no_argument, NULL, OPT_COPY },
		{ "zero-copy", no_argument, NULL, OPT_ZERO_COPY },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct play play = { .loop = 1 };
	int option;

	while ((option = getopt_long(argc, argv, "l:b:jqh", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&play, option, optarg))
			return option_error("play", options, option, optarg);
	}
	if (optind == argc)
		return usage_error("play", "name an interface");
	play.ifname = argv[optind++];
	if (optind == argc)
		return usage_error("play", "name what to play: CHANNEL=FILE");
	for (; optind < argc; optind++)
		if (!add_file(&play, argv[optind]))
			return usage_error("play", "'%s' is not CHANNEL=FILE of another channel",
					   argv[optind]);
	catch_signals();
	return run(&play);
}
