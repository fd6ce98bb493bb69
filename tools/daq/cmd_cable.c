// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include "daq.h"

static const char help[] =
	"Usage: daq cable IFNAME IFNAME\n"
	"       daq cable IFNAME none\n"
	"\n"
	"Plugs a cable between two software cards, or unplugs it. With a cable every\n"
	"channel of both gets source cable: what an output plays arrives at the input of\n"
	"the same number of the other card. The cable stays when an interface is moved to\n"
	"another network namespace.\n"
	"\n"
	"Examples:\n"
	"  daq cable daq0 daq1\n"
	"  ip link set daq1 netns far\n";

static int listen_to_cable(struct daq_card *card)
{
	const struct daq_format format = { .source = DAQ_SOURCE_CABLE };
	unsigned int i;

	for (i = 0; i < daq_card__channels(card); i++)
		if (daq_card__set_format(card, i, &format, DAQ_FORMAT_SOURCE) < 0)
			return library_failure();
	return EXIT_OK;
}

static int plug(struct daq_card *card, const char *ifname)
{
	struct daq_card *far_end;
	int ret;

	if (daq_card__open(ifname, NULL, &far_end) < 0)
		return library_failure();
	if (daq_card__set_cable(card, far_end) < 0)
		ret = library_failure();
	else
		ret = listen_to_cable(card);
	if (!ret)
		ret = listen_to_cable(far_end);
	daq_card__close(far_end);
	return ret;
}

static int unplug(struct daq_card *card)
{
	return daq_card__set_cable(card, NULL) < 0 ? library_failure() : EXIT_OK;
}

int cmd_cable(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct daq_card *card;
	int option, ret;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		return EXIT_USAGE;
	}
	if (argc - optind != 2)
		return usage_error("cable", "name two interfaces, or one and none");
	if (daq_card__open(argv[optind], NULL, &card) < 0)
		return library_failure();
	if (strcmp(argv[optind + 1], "none") == 0)
		ret = unplug(card);
	else
		ret = plug(card, argv[optind + 1]);
	daq_card__close(card);
	return ret;
}
