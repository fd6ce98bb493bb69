// SPDX-License-Identifier: GPL-2.0
#include "daq.h"

static const char help[] =
	"Usage: daq card IFNAME [--personality KIND]\n"
	"\n"
	"Shows what a card can do by itself, or has a software card be of another kind\n"
	"from now on, which takes the interface down.\n"
	"\n"
	"  -p, --personality KIND   interrupt: interrupts and moves data;\n"
	"                           polled: moves data, the driver looks now and then;\n"
	"                           kicked: nothing, the driver starts each transaction\n"
	"\n"
	"Examples:\n"
	"  daq card daq0\n"
	"  ip link set daq0 down && daq card daq0 --personality kicked\n";

static int show(struct daq_card *card)
{
	enum daq_personality personality;

	if (daq_card__personality(card, &personality) < 0)
		return library_failure();
	printf("%s: %u channels, %s\n", daq_card__name(card), daq_card__channels(card),
	       personality_name(personality));
	return EXIT_OK;
}

static int change(struct daq_card *card, enum daq_personality personality)
{
	return daq_card__set_personality(card, personality) < 0 ? library_failure() : EXIT_OK;
}

int cmd_card(int argc, char **argv)
{
	static const struct option options[] = {
		{ "personality", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	enum daq_personality personality;
	struct daq_card *card;
	bool set = false;
	int option, ret;

	while ((option = getopt_long(argc, argv, "p:h", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			if (!parse_personality(optarg, &personality))
				return option_error("card", options, option, optarg);
			set = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1)
		return usage_error("card", "name one interface");
	if (daq_card__open(argv[optind], NULL, &card) < 0)
		return library_failure();
	ret = set ? change(card, personality) : show(card);
	daq_card__close(card);
	return ret;
}
