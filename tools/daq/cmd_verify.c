// SPDX-License-Identifier: GPL-2.0
/* Is every byte there, and as it has to be? Of channels with a test signal, or a recording. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "daq.h"
#include "raw_format.h"
#include "recording.h"
#include "verify.h"

static const char help[] =
	"Usage: daq verify IFNAME [-c LIST] [OPTIONS]\n"
	"       daq verify --from RECORDING [OPTIONS]\n"
	"\n"
	"Compares each byte with what the channel's source yields (counter, ramp, sine,\n"
	"bars), tells the first that is wrong, and where data are missing. Channels without\n"
	"such a source are left out. A recording of something else is checked for whole\n"
	"frames and gaps only.\n"
	"\n"
	"  -c, --channel LIST       3, 0-7, 0,2,5 or all (those with a test signal; of a\n"
	"                           recording all)\n"
	"  -s, --source SOURCE      what the data have to be, whatever the format says\n"
	"  -d, --duration SECONDS   end after this time\n"
	"  -n, --frames N           end each channel after N frames\n"
	"      --from RECORDING     what daq capture has recorded\n"
	"      --allow-loss         lost data are no failure\n"
	"  -j, --json               print the result as JSON\n"
	"  -q, --quiet              print no more than what is wrong\n"
	RAW_FORMAT_HELP
	"\n"
	"Examples:\n"
	"  daq verify daq0 -d 10\n"
	"  daq verify daq0 -c 2 --source sine --frames 100\n"
	"  daq verify --from channel0.raw --json | jq .channels[0].first_wrong\n";

enum { OPT_FROM = 256, OPT_ALLOW_LOSS };

static uint8_t byte_at(const struct iovec *iov, size_t offset)
{
	for (; offset >= iov->iov_len; iov++)
		offset -= iov->iov_len;
	return ((const uint8_t *)iov->iov_base)[offset];
}

static void note_wrong(struct check *check, const struct daq_frame *frame,
		       const struct pattern_place *place, size_t byte)
{
	if (check->wrong_frames++)
		return;
	check->wrong_frame = frame->number;
	check->wrong_sample = frame->sample + byte / check->format.sample_bytes;
	check->wrong_byte = byte;
	check->wrong_is = byte_at(frame->iov, byte);
	pattern_fill(&check->pattern, place, byte, &check->wrong_should_be, 1);
}

/* A raw file without an index has frames, but nobody knows which. */
static void locate(struct check *check, const struct daq_frame *frame)
{
	if (!check->anywhere || check->frames)
		return;
	if (!pattern_locate(&check->pattern, frame->iov->iov_base, frame->iov->iov_len,
			    &check->place))
		check->place = (struct pattern_place){ 0 };
}

static void compare(struct check *check, const struct daq_frame *frame)
{
	struct pattern_place place = { .frame = frame->number, .sample = frame->sample };
	size_t same;

	if (check->pattern.source == DAQ_SOURCE_NONE)
		return;
	locate(check, frame);
	if (check->anywhere)
		place = check->place;
	same = pattern_compare(&check->pattern, &place, frame->iov, frame->iovcnt);
	if (same < frame->len)
		note_wrong(check, frame, &place, same);
	check->place.frame++;
	check->place.sample += frame->len / check->format.sample_bytes;
}

static void note_gap(struct check *check, const struct daq_frame *frame)
{
	const struct daq_gap *gap = &frame->gap;

	check->lost.frames += gap->frames;
	check->lost.segments += gap->segments;
	check->lost.samples += gap->samples;
	if (!gap->frames && !gap->segments && !gap->samples)
		return;
	if (check->gap_count < MAX_GAPS)
		check->gaps[check->gap_count] = (struct gap){
			.before_frame = frame->number + !frame->len,
			.from_sample = frame->sample - gap->samples,
			.missing = *gap,
		};
	check->gap_count++;
}

static void take_frame(struct check *check, const struct daq_frame *frame)
{
	note_gap(check, frame);
	check->restarts += !!(frame->status & DAQ_FRAME_RESTARTED);
	if (!frame->len)
		return;
	check->damaged += !!(frame->status & DAQ_FRAME_DAMAGED);
	compare(check, frame);
	check->frames++;
	check->bytes += frame->len;
}

static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	struct check *check = ctx;
	struct verify *verify = check->verify;

	if (!check->done) {
		take_frame(check, frame);
		if ((verify->frames && check->frames >= verify->frames) ||
		    (frame->status & DAQ_FRAME_LAST)) {
			check->done = true;
			verify->running--;
		}
	}
	daq_chan__release(chan, frame);
	return 0;
}

static struct check *add_check(struct verify *verify, unsigned int channel,
			       const struct daq_format *format)
{
	struct check *check = &verify->checks[verify->count++];

	check->verify = verify;
	check->channel = channel;
	check->format = *format;
	raw_format_apply(&verify->given, &check->format);
	check->pattern = (struct pattern){
		.source = verify->source != DAQ_SOURCE_NONE ? verify->source : format->source,
		.sample_bytes = check->format.sample_bytes,
		.line_bytes = check->format.line_bytes,
	};
	if (!pattern_is_known(check->pattern.source))
		check->pattern.source = DAQ_SOURCE_NONE;
	return check;
}

static int open_channel(struct check *check, struct daq_card *card)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .stopped = 1 };
	struct daq_chan *chan;

	if (daq_chan__open(card, check->channel, &opts, &chan) < 0 ||
	    daq_chan__on_frame(chan, on_frame, check) < 0 || daq_chan__start(chan) < 0)
		return library_failure();
	return EXIT_OK;
}

static int open_channels(struct verify *verify, struct daq_card *card)
{
	bool all = verify->channels == UINT64_MAX;
	struct daq_format format;
	struct check *check;
	unsigned int i;
	int ret = EXIT_OK;

	if (!all && !channels_exist(card, verify->channels))
		return EXIT_FAILED;
	for (i = 0; i < daq_card__channels(card) && !ret; i++) {
		if (!(verify->channels & 1ull << i))
			continue;
		if (daq_card__format(card, i, &format) < 0)
			return library_failure();
		if (all && !pattern_is_known(format.source))
			continue;
		check = add_check(verify, i, &format);
		if (check->pattern.source == DAQ_SOURCE_NONE)
			return failure("channel %u of %s has source %s, which can be anything: give --source",
				       i, verify->ifname, source_name(format.source));
		ret = open_channel(check, card);
	}
	if (!ret && !verify->count)
		return failure("no channel of %s has a test signal: daq set %s --channel all --source counter",
			       verify->ifname, verify->ifname);
	return ret;
}

static void print_progress(const struct verify *verify, struct progress *progress, double began)
{
	uint64_t frames = 0, bytes = 0, wrong = 0, lost = 0;
	unsigned int i;

	for (i = 0; i < verify->count; i++) {
		frames += verify->checks[i].frames;
		bytes += verify->checks[i].bytes;
		wrong += verify->checks[i].wrong_frames;
		lost += verify->checks[i].lost.frames;
	}
	progress_print(progress, "%.0f s: %" PRIu64 " frames, %.1f MB, %" PRIu64 " wrong, %" PRIu64
		       " lost", now_seconds() - began, frames, bytes / 1e6, wrong, lost);
}

static int receive(struct verify *verify, struct daq_card *card)
{
	double began = now_seconds(), wait, left;
	struct progress progress;
	int ret = 0;

	verify->running = verify->count;
	progress_begin(&progress, verify->quiet);
	while (verify->running && !interrupted) {
		left = verify->duration ? began + verify->duration - now_seconds() : INT32_MAX;
		if (left <= 0)
			break;
		wait = progress_due(&progress) < left ? progress_due(&progress) : left;
		ret = daq_card__dispatch(card, wait * 1000 + 1);
		/* also when we were stopped and go on */
		if (ret < 0 && ret != -EINTR)
			break;
		if (progress_due(&progress) <= 0)
			print_progress(verify, &progress, began);
	}
	progress_end(&progress);
	return ret < 0 && ret != -EINTR ? library_failure() : EXIT_OK;
}

static int verify_card(struct verify *verify)
{
	struct daq_card *card;
	int ret;

	if (daq_card__open(verify->ifname, NULL, &card) < 0)
		return library_failure();
	ret = open_channels(verify, card);
	if (!ret) {
		if (!verify->quiet)
			fprintf(stderr, "verifying %u channel%s of %s\n", verify->count,
				plural_s(verify->count), verify->ifname);
		ret = receive(verify, card);
	}
	daq_card__close(card);
	return ret;
}

/* What no description tells, the data may: the first test signal that they are. */
static void recognise(struct check *check, const uint8_t *data, size_t len)
{
	static const enum daq_source sources[] = {
		DAQ_SOURCE_COUNTER, DAQ_SOURCE_RAMP, DAQ_SOURCE_SINE, DAQ_SOURCE_BARS,
	};
	struct pattern pattern = check->pattern;
	struct pattern_place place;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		pattern.source = sources[i];
		if (!pattern_locate(&pattern, data, len, &place))
			continue;
		check->pattern = pattern;
		return;
	}
}

static int read_frames(struct verify *verify, struct check *check, struct recording *recording)
{
	bool described = recording_info(recording)->described;
	struct daq_frame frame;
	uint8_t *data = malloc(DAQ_MAX_FRAME_BYTES);
	struct iovec iov;
	int ret = 0;

	if (!data)
		return failure("no memory for a frame");
	check->anywhere = !described;
	while (!interrupted && (ret = recording_next(recording, &frame)) > 0) {
		if (recording_read(recording, data)) {
			ret = -1;
			break;
		}
		iov = (struct iovec){ data, frame.len };
		frame.iov = &iov;
		frame.iovcnt = 1;
		if (!described && !check->frames && check->pattern.source == DAQ_SOURCE_NONE)
			recognise(check, data, frame.len);
		take_frame(check, &frame);
		if (verify->frames && check->frames >= verify->frames)
			break;
	}
	free(data);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

static int verify_channel(struct verify *verify, struct recording *recording)
{
	struct check *check = add_check(verify, recording_info(recording)->channel,
					&recording_info(recording)->format);
	int ret = read_frames(verify, check, recording);

	if (!ret && !check->frames)
		ret = failure("%s has no frame of channel %u", verify->from, check->channel);
	if (!ret && !recording_info(recording)->ended)
		fprintf(stderr, "daq: %s was cut off: what followed is not in it\n", verify->from);
	return ret;
}

static int open_recording(struct verify *verify, struct recording **recording,
			  unsigned int channel)
{
	struct daq_format fallback;

	return recording_open(recording, verify->from, channel,
			      raw_format_fallback(&verify->given, &fallback));
}

/* All channels that it has, or those that are wanted. */
static int verify_recording(struct verify *verify)
{
	bool all = verify->channels == UINT64_MAX;
	uint64_t left = all ? 1 : verify->channels;
	struct recording *recording;
	unsigned int channel;
	int ret = EXIT_OK;

	while (left && !ret && !interrupted) {
		channel = all ? RECORDING_ANY : (unsigned int)__builtin_ctzll(left);
		ret = open_recording(verify, &recording, channel);
		if (ret)
			break;
		if (all) {
			left = recording_info(recording)->channels;
			channel = recording_info(recording)->channel;
			all = false;
		}
		left = recording_info(recording)->channels ? left & ~(1ull << channel % 64) : 0;
		ret = verify_channel(verify, recording);
		recording_close(recording);
	}
	return ret;
}

/* A channel of which nothing came has not been found good. */
static bool is_good(const struct verify *verify)
{
	unsigned int i;

	for (i = 0; i < verify->count; i++) {
		const struct check *check = &verify->checks[i];

		if (!check->frames || check->wrong_frames || check->damaged)
			return false;
		if (check->gap_count && !verify->allow_loss)
			return false;
	}
	return true;
}

static int run(struct verify *verify)
{
	int ret = verify->from ? verify_recording(verify) : verify_card(verify);
	bool good = !ret && is_good(verify);
	unsigned int i;

	for (i = 0; i < verify->count && !ret; i++)
		if (!verify->checks[i].frames)
			failure("channel %u: no frame came", verify->checks[i].channel);
	if (verify->json)
		verify_print_json(verify, good);
	else if (verify->count)
		verify_print(verify);
	return good ? EXIT_OK : EXIT_FAILED;
}

static bool take_option(struct verify *verify, int option, const char *text)
{
	switch (option) {
	case 'c':
		return parse_channels(text, &verify->channels);
	case 's':
		return parse_source(text, &verify->source) && pattern_is_known(verify->source);
	case 'd':
		return parse_seconds(text, &verify->duration);
	case 'n':
		return parse_count(text, &verify->frames) && verify->frames > 0;
	case OPT_FROM:
		verify->from = text;
		return true;
	case OPT_ALLOW_LOSS:
		verify->allow_loss = true;
		return true;
	case 'j':
		verify->json = true;
		return true;
	case 'q':
		verify->quiet = true;
		return true;
	default:
		return raw_format_option(&verify->given, option, text);
	}
}

int cmd_verify(int argc, char **argv)
{
	static const struct option options[] = {
		{ "channel", required_argument, NULL, 'c' },
		{ "source", required_argument, NULL, 's' },
		{ "duration", required_argument, NULL, 'd' },
		{ "frames", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, OPT_FROM },
		{ "allow-loss", no_argument, NULL, OPT_ALLOW_LOSS },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		RAW_FORMAT_OPTIONS,
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	/* static: 64 channels are a lot for the stack, and there is one of it */
	static struct verify verify = { .channels = UINT64_MAX };
	int option;

	while ((option = getopt_long(argc, argv, "c:s:d:n:jqh", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&verify, option, optarg))
			return option_error("verify", options, option, optarg);
	}
	if (argc - optind != !verify.from)
		return usage_error("verify", "name one interface, or --from RECORDING");
	verify.ifname = argv[optind];
	catch_signals();
	return run(&verify);
}
