// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "recording.h"

static const char help[] =
	"Usage: daq play IFNAME CHANNEL=FILE ... [OPTIONS]\n"
	"\n"
	"Plays recordings on output channels, frame by frame and with their gaps, and ends\n"
	"when the card has taken everything. Files may be of any format of daq capture;\n"
	"FILE:N is channel N of a pcapng file with several. Other files, without an index,\n"
	"are cut into frames of the channel's format; what remains at the end becomes a\n"
	"shorter frame. The last one is marked as the last.\n"
	"\n"
	"  -l, --loop N        play every file N times\n"
	"  -r, --rate HZ       samples per second: sets the channel's rate, as daq set does\n"
	"  -r, --rate original the rate of the recording\n"
	"      --fps RATE      frames per second, instead\n"
	"  -b, --buffer SIZE   memory per channel; default 4 frames, at least 4M\n"
	"      --copy          do not use zero copy\n"
	"      --zero-copy     fail rather than copy\n"
	"  -j, --json          print the summary as JSON\n"
	"  -q, --quiet         no progress, no summary\n"
	"\n"
	"Examples:\n"
	"  daq play daq0 3=waveform.raw --loop 10\n"
	"  daq play daq0 0=run7.pcapng:4 1=adc.sigmf --rate original\n"
	"  daq set daq0 --channel 2 --source loopback:3   # to hear it on input 2\n";

enum { OPT_COPY = 256, OPT_ZERO_COPY, OPT_FPS };

/* What a channel may play before the next one has its turn. */
#define TURN_BYTES	(4 << 20)
/* How long to sleep for one channel while others may have room. */
#define TURN_MS		20
#define DRAIN_MS	500

struct stream {
	struct daq_chan *chan;
	unsigned int channel;
	const char *file;
	struct recording *recording;
	struct daq_frame next;	/* to play, without its data */
	uint64_t rounds;	/* still to play, this one included */
	uint64_t gaps;		/* reproduced */
	uint64_t underruns;	/* of the card before */
};

struct play {
	const char *ifname;
	uint64_t loop;
	uint64_t rate;		/* 0: that of the channel */
	double fps;		/* likewise */
	bool original;		/* that of the recording */
	uint64_t buffer;
	enum daq_mode mode;
	bool json;
	bool quiet;

	struct daq_card *card;
	struct stream streams[DAQ_MAX_CHANNELS];
	unsigned int count;
};

/* The rate that a channel is to have: as the user says, else as it is. */
static uint64_t wanted_rate(const struct play *play, const struct recording_info *info,
			    const struct daq_format *format)
{
	if (play->original)
		return info->described ? info->format.rate : format->rate;
	if (play->fps)
		return play->fps * info->format.frame_bytes / info->format.sample_bytes + 0.5;
	return play->rate ? play->rate : format->rate;
}

/* Like `daq set`, and before the channel is opened. */
static int set_rate(const struct play *play, const struct stream *stream,
		    struct daq_format *format)
{
	const struct recording_info *info = recording_info(stream->recording);
	uint64_t rate = wanted_rate(play, info, format);

	if (rate == 0)
		return failure("channel %u of %s has rate 0: daq play --rate HZ", stream->channel,
			       play->ifname);
	if (info->described && info->format.rate && rate != info->format.rate && !play->quiet)
		fprintf(stderr, "%s was recorded at %" PRIu64 " samples/s and is played at %" PRIu64
			", as if time went %.3g times as fast\n", stream->file, info->format.rate,
			rate, (double)rate / info->format.rate);
	if (rate == format->rate)
		return EXIT_OK;
	format->rate = rate;
	if (daq_card__set_format(play->card, stream->channel, format, DAQ_FORMAT_RATE) < 0)
		return library_failure();
	return EXIT_OK;
}

/* Frames that are recorded can be played as they are, or not at all. */
static int check_described(const struct play *play, const struct stream *stream,
			   const struct daq_format *format)
{
	const struct daq_format *recorded = &recording_info(stream->recording)->format;

	if (recorded->sample_bytes == format->sample_bytes &&
	    recorded->frame_bytes <= format->frame_bytes)
		return EXIT_OK;
	return failure("%s has frames of %u bytes in samples of %u, channel %u plays %u in %u: daq set %s --channel %u --frame %u --sample-bytes %u",
		       stream->file, recorded->frame_bytes, recorded->sample_bytes,
		       stream->channel, format->frame_bytes, format->sample_bytes, play->ifname,
		       stream->channel, recorded->frame_bytes, recorded->sample_bytes);
}

static int check_fit(const struct play *play, const struct stream *stream,
		     const struct daq_format *format)
{
	const struct recording_info *info = recording_info(stream->recording);

	if (info->described)
		return check_described(play, stream, format);
	if (info->bytes < format->frame_bytes)
		return failure("%s has %" PRIu64 " bytes, less than one frame of %u: daq set %s --channel %u --frame %" PRIu64,
			       stream->file, info->bytes, format->frame_bytes, play->ifname,
			       stream->channel, info->bytes);
	return EXIT_OK;
}

/* Goes on to the next frame that has data; @rounds is 0 when there is none. */
static int advance(struct stream *stream)
{
	struct daq_gap gap = { 0 };
	int ret;

	for (;;) {
		ret = recording_next(stream->recording, &stream->next);
		if (ret < 0)
			return EXIT_FAILED;
		if (!ret) {
			if (!--stream->rounds)
				return EXIT_OK;
			recording_rewind(stream->recording);
			memset(&gap, 0, sizeof(gap));
			continue;
		}
		/* one without data tells of a loss only: it is part of the next one's gap */
		gap.frames += stream->next.gap.frames;
		gap.samples += stream->next.gap.samples;
		if (stream->next.len)
			break;
	}
	stream->next.gap = gap;
	return EXIT_OK;
}

static int begin(struct stream *stream, uint64_t loop)
{
	/* what holds nothing is found out in one round */
	stream->rounds = 1;
	if (advance(stream))
		return EXIT_FAILED;
	if (!stream->rounds)
		return failure("%s has no whole frame", stream->file);
	stream->rounds = loop;
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
	struct daq_format format;
	int ret;

	if (daq_card__format(play->card, stream->channel, &format) < 0)
		return library_failure();
	ret = recording_open(&stream->recording, stream->file, stream->channel, &format);
	if (!ret)
		ret = check_fit(play, stream, &format);
	if (!ret)
		ret = begin(stream, play->loop);
	if (!ret)
		ret = set_rate(play, stream, &format);
	if (ret)
		return ret;
	if (daq_chan__open(play->card, stream->channel, &opts, &stream->chan) < 0)
		return library_failure();
	stream->underruns = daq_chan__format(stream->chan)->underruns;
	return EXIT_OK;
}

/* Plays the file's next frame when there is room: 1: did, 0: no room, or an error. */
static int play_frame(struct stream *stream, int timeout_ms)
{
	struct daq_frame frame;
	unsigned int flags;
	int ret;

	ret = daq_chan__reserve(stream->chan, stream->next.len, &frame, timeout_ms);
	if (ret == 0 || ret == -EINTR)
		return 0;
	if (ret < 0) {
		library_failure();
		return ret;
	}
	frame.gap = stream->next.gap;
	flags = frame.gap.frames ? DAQ_FRAME_GAP_BEFORE : 0;
	stream->gaps += frame.gap.frames > 0;
	if (recording_read(stream->recording, frame.data) || advance(stream))
		return -EIO;
	if (!stream->rounds)
		flags |= DAQ_FRAME_LAST;
	ret = daq_chan__submit(stream->chan, &frame, flags);
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
	int64_t room = TURN_BYTES;
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

	printf("%3s %10s %14s %9s %9s %9s %9s\n", "CH", "FRAMES", "BYTES", "MB/S", "GAPS",
	       "ZERO-COPY", "UNDERRUNS");
	for (i = 0; i < play->count; i++) {
		const struct stream *stream = &play->streams[i];

		daq_chan__stats(stream->chan, &stats, sizeof(stats));
		printf("%3u %10" PRIu64 " %14" PRIu64 " %9.1f %9" PRIu64 " %9s %9" PRIu64 "\n",
		       stream->channel, stats.frames, stats.bytes, stats.bytes / seconds / 1e6,
		       stream->gaps,
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
		       ", \"gaps\": %" PRIu64 ", \"underruns\": %" PRIu64
		       ", \"wakeups\": %" PRIu64 "}%s\n",
		       daq_chan__zero_copy(stream->chan) ? "true" : "false", stats.frames,
		       stats.segments, stats.bytes, stats.tx_invalid_descs,
		       stream->gaps, count_underruns(play, stream), stats.wakeups,
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
		recording_close(play->streams[i].recording);
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
	play->count++;
	return true;
}

static bool take_option(struct play *play, int option, const char *text)
{
	switch (option) {
	case 'l':
		return parse_count(text, &play->loop) && play->loop > 0;
	case 'r':
		play->original = strcmp(text, "original") == 0;
		return play->original || (parse_count(text, &play->rate) && play->rate > 0);
	case OPT_FPS:
		return parse_seconds(text, &play->fps);
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
		{ "rate", required_argument, NULL, 'r' },
		{ "fps", required_argument, NULL, OPT_FPS },
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

	while ((option = getopt_long(argc, argv, "l:r:b:jqh", options, NULL)) != -1) {
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
	if (play.fps && (play.rate || play.original))
		return usage_error("play", "either --rate or --fps");
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
