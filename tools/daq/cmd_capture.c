// SPDX-License-Identifier: GPL-2.0
/* Options of `daq capture`, and the order of things. */
#include <stdlib.h>
#include <string.h>
#include "capture.h"

static const char help[] =
	"Usage: daq capture IFNAME [CHANNEL=FILE ...] [OPTIONS]\n"
	"\n"
	"Records channels, straight from the card's buffers. Without files data are\n"
	"only counted; without channels every channel that has a source is taken.\n"
	"Frames that could not be received whole are left out of the file, and counted.\n"
	"Ends with Ctrl-C, or as the options say: the first limit that is reached counts.\n"
	"Files then hold whole frames only.\n"
	"\n"
	"  -o, --output DIR       write every channel to DIR/channelN.raw\n"
	"  -o, --output X.pcapng  write all channels to one file\n"
	"  -f, --format FORMAT    raw, sigmf or pcapng; default: by the suffix of the file\n"
	"  -c, --channel LIST     3, 0-7, 0,2,5 or all\n"
	"  -n, --frames N         end each channel after N frames\n"
	"  -s, --size SIZE        end each channel before it has more than SIZE bytes\n"
	"  -d, --duration SECONDS end after this time\n"
	"      --until-last       end each channel when its source says that it ended\n"
	"  -b, --buffer SIZE      memory per channel; default 4 frames, at least 4M\n"
	"      --datatype TYPE    what SigMF is to call the samples, such as ru16_le\n"
	"      --no-direct        write through the page cache\n"
	"      --copy             do not use zero copy\n"
	"      --zero-copy        fail rather than copy\n"
	"      --allow-loss       lost data are no failure\n"
	"      --trigger FILE[:PROGRAM]\n"
	"                         leave out frames that this BPF program does not want\n"
	"      --json FILE        write the summary as JSON; - is standard output\n"
	"  -q, --quiet            no progress, no summary\n"
	"\n"
	"raw     payload only; FILE.idx beside it tells what is missing where\n"
	"sigmf   the same, FILE.sigmf-data, with FILE.sigmf-meta\n"
	"pcapng  every segment with its header, for Wireshark; several channels in one file\n"
	"\n"
	"Examples:\n"
	"  daq capture daq0 -o /data --duration 10\n"
	"  daq capture daq0 0=video.yuv 3=adc.sigmf --frames 100 --buffer 256M\n"
	"  daq capture daq0 --channel 0-3 -o run7.pcapng --size 1G\n"
	"  daq capture daq0 --channel all --duration 5 --json - | jq .lost_frames\n"
	"  daq capture daq0 0=- | ffplay -f rawvideo -pixel_format yuyv422 \\\n"
	"      -video_size 1920x1080 -\n"
	"  daq capture daq0 0=thin.sigmf --trigger daq_every.bpf.o:every_10th\n";

enum { OPT_UNTIL_LAST = 256, OPT_COPY, OPT_ZERO_COPY, OPT_ALLOW_LOSS, OPT_JSON, OPT_DATATYPE,
       OPT_NO_DIRECT, OPT_TRIGGER };

static bool add_file(struct capture *capture, const char *argument)
{
	unsigned int channel;
	const char *file;

	if (capture->count == DAQ_MAX_CHANNELS ||
	    !parse_channel_file(argument, &channel, &file) || capture_find(capture, channel))
		return false;
	capture_add(capture, channel)->file = strdup(file);
	return true;
}

static int run(struct capture *capture)
{
	int received, ret;

	if (daq_card__open(capture->ifname, NULL, &capture->card) < 0)
		return library_failure();
	ret = capture_open(capture);
	if (!ret) {
		fprintf(stderr, "capturing %u channel%s of %s\n", capture->count,
			plural_s(capture->count), capture->ifname);
		received = capture_receive(capture);
		ret = capture_summarise(capture);
		if (received)
			ret = received;
	}
	/* what is on its way to a file is in the channels' memory */
	if (capture_close_files(capture))
		ret = EXIT_FAILED;
	daq_trigger__close(capture->trigger);
	daq_card__close(capture->card);
	return ret;
}

static bool take_option(struct capture *capture, int option, const char *text)
{
	switch (option) {
	case 'o':
		capture->output = text;
		return true;
	case 'f':
		capture->format_given = true;
		return parse_file_format(text, &capture->format);
	case 'c':
		return parse_channels(text, &capture->channels);
	case 'n':
		return parse_count(text, &capture->frames) && capture->frames > 0;
	case 's':
		return parse_size(text, &capture->size) && capture->size > 0;
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
	case OPT_DATATYPE:
		capture->datatype = text;
		return true;
	case OPT_NO_DIRECT:
		capture->no_direct = true;
		return true;
	case OPT_ALLOW_LOSS:
		capture->allow_loss = true;
		return true;
	case OPT_TRIGGER:
		capture->trigger_file = text;
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
		{ "format", required_argument, NULL, 'f' },
		{ "channel", required_argument, NULL, 'c' },
		{ "frames", required_argument, NULL, 'n' },
		{ "size", required_argument, NULL, 's' },
		{ "duration", required_argument, NULL, 'd' },
		{ "until-last", no_argument, NULL, OPT_UNTIL_LAST },
		{ "buffer", required_argument, NULL, 'b' },
		{ "datatype", required_argument, NULL, OPT_DATATYPE },
		{ "no-direct", no_argument, NULL, OPT_NO_DIRECT },
		{ "copy", no_argument, NULL, OPT_COPY },
		{ "zero-copy", no_argument, NULL, OPT_ZERO_COPY },
		{ "allow-loss", no_argument, NULL, OPT_ALLOW_LOSS },
		{ "trigger", required_argument, NULL, OPT_TRIGGER },
		{ "json", required_argument, NULL, OPT_JSON },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	/* static: 64 channels are too much to copy around, and there is one capture */
	static struct capture capture;
	int option;

	while ((option = getopt_long(argc, argv, "o:f:c:n:s:d:b:qh", options, NULL)) != -1) {
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
	return run(&capture);
}
