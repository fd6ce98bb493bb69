// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include "daq.h"

static const char help[] =
	"Usage: daq set IFNAME --channel LIST [OPTIONS]\n"
	"\n"
	"Changes what channels acquire or play; what is not named stays.\n"
	"Sizes are in bytes and take k, M and G (1024); rates take them as 1000.\n"
	"\n"
	"  -c, --channel LIST       3, 0-7, 0,2,5 or all\n"
	"  -s, --source SOURCE      none, counter, ramp, sine, bars,\n"
	"                           loopback (of the output channel with the same\n"
	"                           number), loopback:OUTPUT, cable, or external\n"
	"                           (what is connected to a card that is no software)\n"
	"      --sample-bytes SIZE  one sample\n"
	"      --segment SIZE       what the card transfers at once; a multiple of\n"
	"                           4096 makes frames contiguous in memory\n"
	"      --frame SIZE         one frame\n"
	"      --line SIZE          one line of a video frame\n"
	"  -r, --rate HZ            samples per second\n"
	"      --output-low COUNT   a sleeping writer wakes when so many descriptors\n"
	"                           are left to play; 0: as soon as there is room\n"
	"      --fps RATE           frames per second, instead of --rate\n"
	"\n"
	"Examples:\n"
	"  daq set daq0 --channel all --source counter --sample-bytes 8 \\\n"
	"      --segment 64k --frame 1M --rate 1M\n"
	"  daq set daq0 --channel 0 --source bars --sample-bytes 2 --line 3840 \\\n"
	"      --segment 60k --frame 4147200 --fps 30\n"
	"  daq set daq0 --channel 2 --source loopback:3\n";

enum { OPT_SAMPLE = 256, OPT_SEGMENT, OPT_FRAME, OPT_LINE, OPT_FPS, OPT_LOW };

struct change {
	uint64_t channels;
	struct daq_format format;
	unsigned int mask;
	bool loop_to_itself;
	double fps;
};

static bool set_source(struct change *change, const char *text)
{
	static const char loopback[] = "loopback:";
	uint64_t output;

	change->mask |= DAQ_FORMAT_SOURCE;
	if (strncmp(text, loopback, strlen(loopback)) == 0) {
		if (!parse_count(text + strlen(loopback), &output) || output >= DAQ_MAX_CHANNELS)
			return false;
		change->format.source = DAQ_SOURCE_LOOPBACK;
		change->format.loop_from = output;
		change->mask |= DAQ_FORMAT_LOOP_FROM;
		return true;
	}
	if (!parse_source(text, &change->format.source))
		return false;
	change->loop_to_itself = change->format.source == DAQ_SOURCE_LOOPBACK;
	return true;
}

static bool set_bytes(struct change *change, const char *text, uint32_t *member, unsigned int mask)
{
	uint64_t value;

	if (!parse_size(text, &value) || value > UINT32_MAX)
		return false;
	*member = value;
	change->mask |= mask;
	return true;
}

static bool set_rate(struct change *change, const char *text)
{
	change->mask |= DAQ_FORMAT_RATE;
	return parse_count(text, &change->format.rate) && change->format.rate > 0;
}

static bool set_output_low(struct change *change, const char *text)
{
	uint64_t value;

	if (!parse_count(text, &value) || value > UINT32_MAX)
		return false;
	change->format.output_low = value;
	change->mask |= DAQ_FORMAT_OUTPUT_LOW;
	return true;
}

static bool take_option(struct change *change, int option, const char *text)
{
	struct daq_format *format = &change->format;

	switch (option) {
	case 'c':
		return parse_channels(text, &change->channels);
	case 's':
		return set_source(change, text);
	case 'r':
		return set_rate(change, text);
	case OPT_SAMPLE:
		return set_bytes(change, text, &format->sample_bytes, DAQ_FORMAT_SAMPLE_BYTES);
	case OPT_SEGMENT:
		return set_bytes(change, text, &format->segment_bytes, DAQ_FORMAT_SEGMENT_BYTES);
	case OPT_FRAME:
		return set_bytes(change, text, &format->frame_bytes, DAQ_FORMAT_FRAME_BYTES);
	case OPT_LINE:
		return set_bytes(change, text, &format->line_bytes, DAQ_FORMAT_LINE_BYTES);
	case OPT_LOW:
		return set_output_low(change, text);
	default:
		return parse_seconds(text, &change->fps);
	}
}

/* Frames per second become samples per second by the format the channel will have. */
static int rate_from_fps(struct daq_card *card, unsigned int channel, struct change *change)
{
	uint32_t frame_bytes = change->format.frame_bytes;
	uint32_t sample_bytes = change->format.sample_bytes;
	struct daq_format now;

	if (daq_card__format(card, channel, &now) < 0)
		return library_failure();
	if (!(change->mask & DAQ_FORMAT_FRAME_BYTES))
		frame_bytes = now.frame_bytes;
	if (!(change->mask & DAQ_FORMAT_SAMPLE_BYTES))
		sample_bytes = now.sample_bytes;
	if (!sample_bytes)
		return failure("channel %u: --fps needs --sample-bytes", channel);
	change->format.rate = change->fps * frame_bytes / sample_bytes + 0.5;
	change->mask |= DAQ_FORMAT_RATE;
	return EXIT_OK;
}

static int set_channel(struct daq_card *card, unsigned int channel, struct change *change)
{
	int ret;

	if (change->fps) {
		ret = rate_from_fps(card, channel, change);
		if (ret)
			return ret;
	}
	if (change->loop_to_itself) {
		change->format.loop_from = channel;
		change->mask |= DAQ_FORMAT_LOOP_FROM;
	}
	if (daq_card__set_format(card, channel, &change->format, change->mask) < 0)
		return library_failure();
	return EXIT_OK;
}

static int set_channels(const char *ifname, struct change *change)
{
	struct daq_card *card;
	unsigned int channel;
	int ret = EXIT_FAILED;

	if (daq_card__open(ifname, NULL, &card) < 0)
		return library_failure();
	if (change->channels == UINT64_MAX)
		change->channels = all_channels(card);
	if (channels_exist(card, change->channels)) {
		ret = EXIT_OK;
		for (channel = 0; channel < daq_card__channels(card) && !ret; channel++)
			if (change->channels & 1ull << channel)
				ret = set_channel(card, channel, change);
	}
	daq_card__close(card);
	return ret;
}

int cmd_set(int argc, char **argv)
{
	static const struct option options[] = {
		{ "channel", required_argument, NULL, 'c' },
		{ "source", required_argument, NULL, 's' },
		{ "sample-bytes", required_argument, NULL, OPT_SAMPLE },
		{ "segment", required_argument, NULL, OPT_SEGMENT },
		{ "frame", required_argument, NULL, OPT_FRAME },
		{ "line", required_argument, NULL, OPT_LINE },
		{ "rate", required_argument, NULL, 'r' },
		{ "output-low", required_argument, NULL, OPT_LOW },
		{ "fps", required_argument, NULL, OPT_FPS },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct change change = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:s:r:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&change, option, optarg))
			return option_error("set", options, option, optarg);
	}
	if (argc - optind != 1)
		return usage_error("set", "name one interface");
	if (!change.channels)
		return usage_error("set", "name the channels: --channel LIST");
	if (change.fps && (change.mask & DAQ_FORMAT_RATE))
		return usage_error("set", "either --rate or --fps");
	if (!change.mask && !change.fps)
		return usage_error("set", "nothing to change");
	return set_channels(argv[optind], &change);
}
