// SPDX-License-Identifier: GPL-2.0
/* daq: looks at, sets up, records from and plays to DAQ cards. */
#include <string.h>
#include "daq.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "list", cmd_list, "show cards and the formats of their channels" },
	{ "card", cmd_card, "show or change what a card does by itself" },
	{ "set", cmd_set, "change what channels acquire" },
	{ "cable", cmd_cable, "connect two software cards" },
	{ "revoke", cmd_revoke, "take register windows away from programs" },
	{ "grant", cmd_grant, "give them back" },
	{ "capture", cmd_capture, "record channels to files" },
	{ "play", cmd_play, "play files on output channels" },
	{ "run", cmd_run, "run a program that may not open channels itself with some of them" },
	{ "dump", cmd_dump, "show the headers of segments, and what is lost" },
	{ "top", cmd_top, "show what each channel does right now" },
	{ "counters", cmd_counters, "show all that driver and card count" },
	{ "events", cmd_events, "show what happens to a card" },
	{ "snap", cmd_snap, "make a picture of what a channel sees" },
	{ "verify", cmd_verify, "compare every byte with what it has to be" },
	{ "doctor", cmd_doctor, "find what costs data or time here, and its cure" },
};

static void help(FILE *out)
{
	unsigned int i;

	fputs("Usage: daq COMMAND [ARGUMENTS]\n\n", out);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-9s%s\n", commands[i].name, commands[i].summary);
	fputs("\nEvery command explains itself: daq COMMAND --help\n"
	      "Exit status: 0: fine, 1: failed or data lost, 2: wrong usage\n", out);
}

int main(int argc, char **argv)
{
	char name[32];
	unsigned int i;

	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("daq " DAQ_VERSION);
		return EXIT_OK;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		/* what getopt_long() calls the program */
		snprintf(name, sizeof(name), "daq %s", argv[1]);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "daq: no such command: %s\nTry 'daq --help'.\n", argv[1]);
	return EXIT_USAGE;
}
