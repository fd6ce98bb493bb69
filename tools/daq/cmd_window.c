// SPDX-License-Identifier: GPL-2.0
/* daq revoke, daq grant */
#include "daq.h"

static const char help[] =
	"Usage: daq revoke IFNAME [--channel LIST]\n"
	"       daq grant IFNAME [--channel LIST]\n"
	"\n"
	"Takes the register windows of channels away from programs that have them mapped,\n"
	"or lets them have them again. Once revoked nothing that they write reaches the\n"
	"card; they go on with memory of their own. daq list shows what is revoked.\n"
	"\n"
	"  -c, --channel LIST   3, 0-7, 0,2,5 or all (all)\n"
	"\n"
	"Examples:\n"
	"  daq revoke daq0 --channel 2\n"
	"  daq grant daq0\n";

static int set_windows(struct daq_card *card, uint64_t channels, bool granted)
{
	unsigned int i;

	if (!channels_exist(card, channels))
		return EXIT_USAGE;
	for (i = 0; i < daq_card__channels(card); i++)
		if (channels >> i & 1 && daq_card__set_window(card, i, granted) < 0)
			return library_failure();
	return EXIT_OK;
}

static int run(int argc, char **argv, const char *command, bool granted)
{
	static const struct option options[] = {
		{ "channel", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct daq_card *card;
	uint64_t channels = 0;
	int option, ret;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			if (!parse_channels(optarg, &channels))
				return option_error(command, options, option, optarg);
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1)
		return usage_error(command, "name one interface");
	if (daq_card__open(argv[optind], NULL, &card) < 0)
		return library_failure();
	ret = set_windows(card, channels ? channels : all_channels(card), granted);
	daq_card__close(card);
	return ret;
}

int cmd_revoke(int argc, char **argv)
{
	return run(argc, argv, "revoke", false);
}

int cmd_grant(int argc, char **argv)
{
	return run(argc, argv, "grant", true);
}
