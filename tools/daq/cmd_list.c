// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include "daq.h"
#include "interface.h"

static const char help[] =
	"Usage: daq list [IFNAME] [--json]\n"
	"\n"
	"Shows every card, or one, and what its channels acquire.\n"
	"\n"
	"  -j, --json   print JSON\n"
	"\n"
	"Examples:\n"
	"  daq list\n"
	"  daq list daq0 --json | jq '.[0].channels[2].rate'\n";

static double mb_per_second(const struct daq_format *format)
{
	return format->rate * (double)format->sample_bytes / 1e6;
}

static void source_text(const struct daq_format *format, char *text, size_t size)
{
	if (format->source == DAQ_SOURCE_LOOPBACK)
		snprintf(text, size, "loopback:%u", format->loop_from);
	else
		snprintf(text, size, "%s", source_name(format->source));
}

static void print_channel(unsigned int channel, const struct daq_format *format)
{
	char source[24];

	source_text(format, source, sizeof(source));
	printf("%4u %5u  %-11s %6u %8u %10u %7u %12" PRIu64 " %9.1f\n", channel, format->queue,
	       source, format->sample_bytes, format->segment_bytes, format->frame_bytes,
	       format->line_bytes, format->rate, mb_per_second(format));
}

/* Why writes to register windows may not reach the card, by enum daq_reason. */
static const char *const reasons[] = {
	[DAQ_REASON_ADMIN] = "admin",
	[DAQ_REASON_CARD] = "card",
	[DAQ_REASON_RESET] = "reset",
	[DAQ_REASON_SUSPEND] = "suspend",
	[DAQ_REASON_REMOVED] = "removed",
};

static void print_reasons(uint32_t withheld, const char *quote)
{
	const char *separator = "";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!reasons[i] || !(withheld >> i & 1))
			continue;
		printf("%s%s%s%s", separator, quote, reasons[i], quote);
		separator = ", ";
	}
}

static void print_window(struct daq_card *card, unsigned int channel)
{
	struct daq_window_info window;

	if (daq_card__window(card, channel, &window) < 0 || !window.withheld)
		return;
	printf("%10s  register window revoked: ", "");
	print_reasons(window.withheld, "");
	putchar('\n');
}

static void json_window(struct daq_card *card, unsigned int channel)
{
	struct daq_window_info window;

	if (daq_card__window(card, channel, &window) < 0) {
		fputs(", \"window\": null}", stdout);
		return;
	}
	printf(", \"window\": {\"owned\": %s, \"generation\": %u, \"revoked\": [",
	       window.owned ? "true" : "false", window.generation);
	print_reasons(window.withheld, "\"");
	fputs("]}}", stdout);
}

static void json_channel(unsigned int channel, const struct daq_format *format)
{
	printf("%s\n    {\"channel\": %u, \"queue\": %u, \"source\": \"%s\", ",
	       channel ? "," : "", channel, format->queue, source_name(format->source));
	if (format->source == DAQ_SOURCE_LOOPBACK)
		printf("\"loop_from\": %u, ", format->loop_from);
	printf("\"sample_bytes\": %u, \"segment_bytes\": %u, \"frame_bytes\": %u, \"line_bytes\": %u, \"rate\": %" PRIu64 ", "
	       "\"output_low\": %u, \"underruns\": %" PRIu64 ", \"underrun_sample\": %" PRIu64,
	       format->sample_bytes, format->segment_bytes, format->frame_bytes,
	       format->line_bytes, format->rate, format->output_low, format->underruns,
	       format->underrun_sample);
}

static int print_channels(struct daq_card *card, bool json)
{
	struct daq_format format;
	unsigned int i;

	for (i = 0; i < daq_card__channels(card); i++) {
		if (daq_card__format(card, i, &format) < 0)
			return library_failure();
		if (json) {
			json_channel(i, &format);
			json_window(card, i);
		} else {
			print_channel(i, &format);
			print_window(card, i);
		}
	}
	return EXIT_OK;
}

static int print_card(struct daq_card *card, bool json, bool first)
{
	const char *name = daq_card__name(card);
	enum daq_personality personality;
	int ret;

	if (daq_card__personality(card, &personality) < 0)
		return library_failure();
	if (json) {
		printf("%s\n  {\"card\": ", first ? "" : ",");
		json_string(stdout, name);
		printf(", \"state\": \"%s\", \"personality\": \"%s\", \"channels\": [",
		       link_state(name), personality_name(personality));
	} else {
		printf("%s%s: %u channels, %s, %s\n", first ? "" : "\n", name,
		       daq_card__channels(card), link_state(name), personality_name(personality));
		printf("%4s %5s  %-11s %6s %8s %10s %7s %12s %9s\n", "CH", "QUEUE", "SOURCE",
		       "SAMPLE", "SEGMENT", "FRAME", "LINE", "RATE", "MB/S");
	}
	ret = print_channels(card, json);
	if (json)
		printf("\n  ]}");
	return ret;
}

static int list_one(const char *ifname, bool json)
{
	struct daq_card *card;
	int ret;

	if (daq_card__open(ifname, NULL, &card) < 0)
		return library_failure();
	ret = print_card(card, json, true);
	daq_card__close(card);
	return ret;
}

struct listing {
	bool json;
	bool first;
};

static int list_next(struct daq_card *card, void *ctx)
{
	struct listing *listing = ctx;
	int ret = print_card(card, listing->json, listing->first);

	listing->first = false;
	return ret;
}

static int list_all(bool json)
{
	struct listing listing = { .json = json, .first = true };
	int ret = for_each_card(list_next, &listing);

	if (!ret && listing.first && !json)
		fputs("no cards: ip link add daq0 numrxqueues 8 numtxqueues 8 type daq makes one\n",
		      stderr);
	return ret;
}

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool json = false;
	int option, ret;

	while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind > 1)
		return usage_error("list", "one interface at most");

	if (json)
		putchar('[');
	ret = optind < argc ? list_one(argv[optind], json) : list_all(json);
	if (json)
		puts("\n]");
	return ret;
}
