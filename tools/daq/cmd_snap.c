// SPDX-License-Identifier: GPL-2.0
/* A picture of what a channel sees right now, or of a recorded frame. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "daq.h"
#include "image.h"
#include "plot.h"
#include "raw_format.h"
#include "recording.h"

static const char help[] =
	"Usage: daq snap IFNAME -c CHANNEL [-o FILE.png] [OPTIONS]\n"
	"       daq snap --from RECORDING [-o FILE.png] [OPTIONS]\n"
	"\n"
	"Takes one frame of a channel, which nobody else may own meanwhile, and makes a\n"
	"PNG picture of it: of a video frame, or of samples over time and their spectrum.\n"
	"\n"
	"  -c, --channel CHANNEL    which one; of a recording only if it has several\n"
	"  -o, --output FILE        the picture (snap.png); - is standard output\n"
	"      --from FILE          a frame of what daq capture has recorded\n"
	"      --skip N             not the first frame, but the one after N of them\n"
	"  -v, --view VIEW          picture, waveform, spectrum, or samples (both); a\n"
	"                           picture of source bars, else samples\n"
	"  -p, --pixel KIND         of a picture: yuyv (4:2:2, BT.601), grey8, or grey16\n"
	"                           (little-endian); implies --view picture\n"
	"  -n, --samples N          only the first N samples of the frame\n"
	"  -u, --unsigned           samples are not signed\n"
	"  -j, --json               print what was seen as JSON\n"
	RAW_FORMAT_HELP
	"\n"
	"Examples:\n"
	"  daq snap daq0 -c 0 -o frame.png\n"
	"  daq snap daq0 -c 3 --view spectrum -o spectrum.png\n"
	"  daq snap --from adc.raw --skip 10 --samples 1000 -o adc.png\n";

enum { OPT_FROM = 256, OPT_SKIP };

enum view { VIEW_DEFAULT, VIEW_PICTURE, VIEW_WAVEFORM, VIEW_SPECTRUM, VIEW_SAMPLES };

static const char *const view_names[] = {
	[VIEW_PICTURE] = "picture",
	[VIEW_WAVEFORM] = "waveform",
	[VIEW_SPECTRUM] = "spectrum",
	[VIEW_SAMPLES] = "samples",
};

#define PLOT_WIDTH	1280
#define PLOT_HEIGHT	720

/* How long to wait for a frame, beside the time that it takes. */
#define PATIENCE_MS	5000

struct snap {
	const char *ifname;
	const char *from;
	const char *output;
	unsigned int channel;
	bool has_channel;
	uint64_t skip;
	uint64_t samples;
	enum view view;
	enum pixel pixel;
	bool is_unsigned;
	bool json;
	struct daq_format given;

	/* what was taken */
	struct daq_format format;
	struct daq_frame frame;
	uint8_t *data;

	/* what was seen in it */
	double min, max, mean;
	struct spectrum spectrum;
	unsigned int width, height;
};

static int keep(struct snap *snap, const struct daq_frame *frame)
{
	size_t done = 0;
	unsigned int i;

	snap->frame = *frame;
	snap->data = malloc(frame->len);
	if (!snap->data)
		return failure("no memory for a frame of %zu bytes", frame->len);
	for (i = 0; i < frame->iovcnt; i++) {
		memcpy(snap->data + done, frame->iov[i].iov_base, frame->iov[i].iov_len);
		done += frame->iov[i].iov_len;
	}
	return EXIT_OK;
}

/* ms that all frames take which have to be waited for */
static int patience(const struct snap *snap)
{
	const struct daq_format *format = &snap->format;
	double seconds = 0;

	if (format->rate && format->sample_bytes)
		seconds = (snap->skip + 2.0) * format->frame_bytes / format->sample_bytes /
			  format->rate;
	return seconds * 1000 < INT32_MAX / 2 ? PATIENCE_MS + seconds * 1000 : -1;
}

static int wait_for_frame(struct snap *snap, struct daq_chan *chan)
{
	int wait = patience(snap);
	double end = now_seconds() + wait / 1e3;
	struct daq_frame frame;
	uint64_t seen = 0;
	int ret;

	for (;;) {
		ret = daq_chan__next(chan, &frame, wait < 0 ? -1 : wait);
		if (interrupted)
			return EXIT_FAILED;
		/* the other signals are those of being stopped and going on */
		if (ret < 0 && ret != -EINTR)
			return library_failure();
		if (ret > 0 && frame.len && seen++ == snap->skip)
			break;
		if (ret > 0)
			daq_chan__release(chan, &frame);
		if (wait >= 0)
			wait = end > now_seconds() ? (end - now_seconds()) * 1000 : 0;
		if (!wait)
			return failure("no frame came from channel %u of %s: is something connected? daq list %s shows its source and rate",
				       snap->channel, snap->ifname, snap->ifname);
	}
	ret = keep(snap, &frame);
	daq_chan__release(chan, &frame);
	return ret;
}

static int check_source(const struct snap *snap)
{
	if (snap->format.source != DAQ_SOURCE_NONE)
		return EXIT_OK;
	return failure("channel %u of %s has no source: daq set %s --channel %u --source sine",
		       snap->channel, snap->ifname, snap->ifname, snap->channel);
}

static int take_from_channel(struct snap *snap, struct daq_card *card)
{
	struct daq_chan *chan;
	int ret;

	if (daq_card__format(card, snap->channel, &snap->format) < 0)
		return library_failure();
	ret = check_source(snap);
	if (ret)
		return ret;
	if (daq_chan__open(card, snap->channel, NULL, &chan) < 0)
		return library_failure();
	return wait_for_frame(snap, chan);
}

static int take_live(struct snap *snap)
{
	struct daq_card *card;
	int ret;

	if (daq_card__open(snap->ifname, NULL, &card) < 0)
		return library_failure();
	ret = take_from_channel(snap, card);
	/* closes the channel, too */
	daq_card__close(card);
	raw_format_apply(&snap->given, &snap->format);
	return ret;
}

static int read_frame(struct snap *snap, struct recording *recording)
{
	struct daq_frame frame;
	uint64_t seen = 0;
	int ret;

	while ((ret = recording_next(recording, &frame)) > 0)
		if (frame.len && seen++ == snap->skip)
			break;
	if (ret < 0)
		return EXIT_FAILED;
	if (!ret)
		return failure("%s has no more than %" PRIu64 " frames", snap->from, seen);
	frame.iovcnt = 0;
	ret = keep(snap, &frame);
	return ret ? ret : recording_read(recording, snap->data);
}

static int take_recorded(struct snap *snap)
{
	struct recording *recording;
	struct daq_format fallback;
	int ret;

	ret = recording_open(&recording, snap->from, snap->channel,
			     raw_format_fallback(&snap->given, &fallback));
	if (ret)
		return ret;
	snap->format = recording_info(recording)->format;
	snap->channel = recording_info(recording)->channel;
	raw_format_apply(&snap->given, &snap->format);
	ret = read_frame(snap, recording);
	recording_close(recording);
	return ret;
}

static double sample_at(const struct snap *snap, size_t index)
{
	unsigned int bytes = snap->format.sample_bytes, i;
	const uint8_t *from = snap->data + index * bytes;
	uint64_t value = 0;

	for (i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << 8 * i;
	if (snap->is_unsigned)
		return value;
	/* the sign to where it belongs, and back */
	return (int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

static int read_samples(struct snap *snap, struct samples *samples)
{
	size_t count = snap->frame.len / snap->format.sample_bytes, i;
	double *value;

	if (snap->samples && snap->samples < count)
		count = snap->samples;
	if (!count || !snap->format.rate)
		return failure("no samples to draw, or no rate: give --rate");
	value = malloc(count * sizeof(*value));
	if (!value)
		return failure("no memory for %zu samples", count);
	snap->min = INFINITY;
	snap->max = -INFINITY;
	snap->mean = 0;
	for (i = 0; i < count; i++) {
		value[i] = sample_at(snap, i);
		snap->min = fmin(snap->min, value[i]);
		snap->max = fmax(snap->max, value[i]);
		snap->mean += value[i] / count;
	}
	*samples = (struct samples){
		.value = value,
		.count = count,
		.rate = snap->format.rate,
		.full_scale = ldexp(1, 8 * snap->format.sample_bytes - 1),
	};
	return EXIT_OK;
}

static void origin(const struct snap *snap, char *text, size_t size)
{
	if (snap->from)
		snprintf(text, size, "%s, channel %u", snap->from, snap->channel);
	else
		snprintf(text, size, "%s channel %u", snap->ifname, snap->channel);
}

static void draw(struct snap *snap, struct canvas *canvas, const struct samples *samples)
{
	double middle = snap->view == VIEW_SAMPLES ? PLOT_HEIGHT / 2.0 :
			snap->view == VIEW_WAVEFORM ? PLOT_HEIGHT : 0;
	char from[128], title[256];
	struct plot_place place = {
		.right = PLOT_WIDTH,
		.bottom = middle,
		.title = title,
	};

	origin(snap, from, sizeof(from));
	snprintf(title, sizeof(title), "%s, frame %" PRIu64 ", from sample %" PRIu64, from,
		 snap->frame.number, snap->frame.sample);
	if (snap->view != VIEW_SPECTRUM)
		plot_waveform(canvas, &place, samples);
	place.top = middle;
	place.bottom = PLOT_HEIGHT;
	if (snap->view == VIEW_SAMPLES)
		snprintf(title, sizeof(title), "Spectrum");
	if (snap->view != VIEW_WAVEFORM)
		plot_spectrum(canvas, &place, &snap->spectrum);
}

static int plot(struct snap *snap, const struct samples *samples, struct image *image)
{
	struct canvas canvas;

	if (snap->view != VIEW_WAVEFORM && !spectrum_of(samples, &snap->spectrum))
		return failure("a spectrum takes at least %d samples, and memory", SPECTRUM_MIN);
	*image = (struct image){ .width = PLOT_WIDTH, .height = PLOT_HEIGHT, .bits = 8 };
	image->pixels = malloc(3 * PLOT_WIDTH * PLOT_HEIGHT);
	if (!image->pixels || !canvas_init(&canvas, PLOT_WIDTH, PLOT_HEIGHT, 0xffffff)) {
		image_free(image);
		return failure("no memory for a picture");
	}
	draw(snap, &canvas, samples);
	canvas_finish(&canvas, image->pixels);
	canvas_free(&canvas);
	return EXIT_OK;
}

static int make_image(struct snap *snap, struct image *image)
{
	struct samples samples;
	int ret;

	if (snap->view == VIEW_PICTURE)
		return image_of_video(image, snap->pixel, snap->format.line_bytes, snap->data,
				      snap->frame.len);
	ret = read_samples(snap, &samples);
	if (ret)
		return ret;
	ret = plot(snap, &samples, image);
	free((void *)samples.value);
	return ret;
}

static int write_image(const struct snap *snap, const struct image *image)
{
	char from[128], frame[24], sample[24], timestamp[24];
	struct image_note notes[] = {
		{ "Source", from },
		{ "Frame", frame },
		{ "Sample", sample },
		{ "Card time (ns)", timestamp },
		{ "Software", "daq " DAQ_VERSION },
	};

	origin(snap, from, sizeof(from));
	snprintf(frame, sizeof(frame), "%" PRIu64, snap->frame.number);
	snprintf(sample, sizeof(sample), "%" PRIu64, snap->frame.sample);
	snprintf(timestamp, sizeof(timestamp), "%" PRIu64, snap->frame.timestamp);
	return image_write(image, snap->output, notes, ARRAY_SIZE(notes));
}

static void tell_json(const struct snap *snap)
{
	printf("{\"file\": ");
	json_string(stdout, snap->output);
	printf(", \"view\": \"%s\", \"width\": %u, \"height\": %u, \"channel\": %u"
	       ", \"frame\": %" PRIu64 ", \"sample\": %" PRIu64 ", \"timestamp\": %" PRIu64
	       ", \"bytes\": %zu, \"damaged\": %s", view_names[snap->view], snap->width,
	       snap->height, snap->channel, snap->frame.number, snap->frame.sample,
	       snap->frame.timestamp, snap->frame.len,
	       snap->frame.status & DAQ_FRAME_DAMAGED ? "true" : "false");
	if (snap->view != VIEW_PICTURE)
		printf(", \"minimum\": %.17g, \"maximum\": %.17g, \"mean\": %.17g", snap->min,
		       snap->max, snap->mean);
	if (snap->spectrum.level)
		printf(", \"peak_hz\": %.9g, \"peak_dbfs\": %.2f", snap->spectrum.peak,
		       snap->spectrum.peak_level);
	puts("}");
}

static void tell(const struct snap *snap)
{
	FILE *out = strcmp(snap->output, "-") == 0 ? stderr : stdout;

	fprintf(out, "%s: %u x %u, frame %" PRIu64, snap->output, snap->width, snap->height,
		snap->frame.number);
	if (snap->view != VIEW_PICTURE)
		fprintf(out, ", values from %.10g to %.10g", snap->min, snap->max);
	if (snap->spectrum.level)
		fprintf(out, ", peak at %.9g Hz with %.2f dBFS", snap->spectrum.peak,
			snap->spectrum.peak_level);
	if (snap->frame.status & DAQ_FRAME_DAMAGED)
		fputs(", the card says its data are bad", out);
	fputc('\n', out);
}

static int run(struct snap *snap)
{
	struct image image = { 0 };
	int ret = snap->from ? take_recorded(snap) : take_live(snap);

	if (snap->view == VIEW_DEFAULT)
		snap->view = snap->format.source == DAQ_SOURCE_BARS ? VIEW_PICTURE : VIEW_SAMPLES;
	if (!ret)
		ret = make_image(snap, &image);
	if (!ret)
		ret = write_image(snap, &image);
	snap->width = image.width;
	snap->height = image.height;
	if (!ret && snap->json)
		tell_json(snap);
	else if (!ret)
		tell(snap);
	image_free(&image);
	spectrum_free(&snap->spectrum);
	free(snap->data);
	return ret;
}

static bool set_channel(struct snap *snap, const char *text)
{
	uint64_t value;

	if (!parse_count(text, &value) || value >= DAQ_MAX_CHANNELS)
		return false;
	snap->channel = value;
	snap->has_channel = true;
	return true;
}

static bool set_view(struct snap *snap, const char *text)
{
	unsigned int i;

	for (i = VIEW_PICTURE; i < ARRAY_SIZE(view_names); i++) {
		if (strcmp(text, view_names[i]) != 0)
			continue;
		snap->view = i;
		return true;
	}
	return false;
}

static bool take_option(struct snap *snap, int option, const char *text)
{
	switch (option) {
	case 'c':
		return set_channel(snap, text);
	case 'o':
		snap->output = text;
		return true;
	case 'v':
		return set_view(snap, text);
	case 'p':
		snap->view = VIEW_PICTURE;
		return parse_pixel(text, &snap->pixel);
	case 'n':
		return parse_count(text, &snap->samples) && snap->samples > 0;
	case 'u':
		snap->is_unsigned = true;
		return true;
	case 'j':
		snap->json = true;
		return true;
	case OPT_FROM:
		snap->from = text;
		return true;
	case OPT_SKIP:
		return parse_count(text, &snap->skip);
	default:
		return raw_format_option(&snap->given, option, text);
	}
}

int cmd_snap(int argc, char **argv)
{
	static const struct option options[] = {
		{ "channel", required_argument, NULL, 'c' },
		{ "output", required_argument, NULL, 'o' },
		{ "from", required_argument, NULL, OPT_FROM },
		{ "skip", required_argument, NULL, OPT_SKIP },
		{ "view", required_argument, NULL, 'v' },
		{ "pixel", required_argument, NULL, 'p' },
		{ "samples", required_argument, NULL, 'n' },
		{ "unsigned", no_argument, NULL, 'u' },
		{ "json", no_argument, NULL, 'j' },
		RAW_FORMAT_OPTIONS,
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct snap snap = { .output = "snap.png" };
	int option;

	while ((option = getopt_long(argc, argv, "c:o:v:p:n:ujh", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&snap, option, optarg))
			return option_error("snap", options, option, optarg);
	}
	if (argc - optind != !snap.from)
		return usage_error("snap", "name one interface, or --from RECORDING");
	if (!snap.from && !snap.has_channel)
		return usage_error("snap", "name the channel: --channel CHANNEL");
	if (snap.json && strcmp(snap.output, "-") == 0)
		return usage_error("snap", "standard output has either the picture or JSON");
	snap.ifname = argv[optind];
	catch_signals();
	return run(&snap);
}
