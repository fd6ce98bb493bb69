// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daq.h"

static const char help[] =
	"Usage: daq run IFNAME [OPTIONS] -- PROGRAM [ARGUMENT...]\n"
	"\n"
	"Opens channels, gives all privileges up if --user is there, and becomes PROGRAM,\n"
	"which takes the channels over with daq_card__inherit() of libdaqring. When that\n"
	"ends, however it does, they are closed.\n"
	"\n"
	"  -c, --channel LIST   input channels: 3, 0-7, 0,2,5 or all\n"
	"  -o, --output LIST    output channels\n"
	"  -u, --user NAME      run PROGRAM as this user, without capabilities\n"
	"  -b, --buffer SIZE    memory for each channel (default: 4 frames, 4M at least)\n"
	"      --copy           let the kernel copy\n"
	"      --zero-copy      fail when the kernel would have to copy\n"
	"\n"
	"Example:\n"
	"  daq run daq0 --channel 0-3 --user nobody -- ./inherit\n";

enum { OPT_COPY = 256, OPT_ZERO_COPY };

static const struct option options[] = {
	{ "channel", required_argument, NULL, 'c' },
	{ "output", required_argument, NULL, 'o' },
	{ "user", required_argument, NULL, 'u' },
	{ "buffer", required_argument, NULL, 'b' },
	{ "copy", no_argument, NULL, OPT_COPY },
	{ "zero-copy", no_argument, NULL, OPT_ZERO_COPY },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

struct run {
	uint64_t inputs;
	uint64_t outputs;
	const char *user;
	uint64_t buffer;
	enum daq_mode mode;
};

static int open_channels(struct daq_card *card, const struct run *run, uint64_t mask,
			 enum daq_direction direction)
{
	const struct daq_chan_opts opts = {
		.sz = sizeof(opts), .direction = direction, .mode = run->mode,
		.buffer_bytes = run->buffer, .sendable = 1,
	};
	struct daq_chan *chan;
	unsigned int i;

	for (i = 0; i < daq_card__channels(card); i++)
		if ((mask >> i & 1) && daq_chan__open(card, i, &opts, &chan) < 0)
			return library_failure();
	return EXIT_OK;
}

/* The card waits in the socket until the program takes it out. */
static int hand_over(struct daq_card *card, const int sockets[2])
{
	char text[16];

	if (daq_card__send(card, sockets[0]) < 0)
		return library_failure();
	snprintf(text, sizeof(text), "%d", sockets[1]);
	return setenv(DAQ_CARD_FD, text, 1) < 0 ? failure("setenv: %m") : EXIT_OK;
}

static int open_and_send(const char *ifname, struct run *run, const int sockets[2])
{
	struct daq_card *card;
	int ret = EXIT_FAILED;

	if (daq_card__open(ifname, NULL, &card) < 0)
		return library_failure();
	if (run->inputs == UINT64_MAX)
		run->inputs = all_channels(card);
	if (run->outputs == UINT64_MAX)
		run->outputs = all_channels(card);
	if (channels_exist(card, run->inputs | run->outputs)) {
		ret = open_channels(card, run, run->inputs, DAQ_INPUT);
		if (!ret)
			ret = open_channels(card, run, run->outputs, DAQ_OUTPUT);
		if (!ret)
			ret = hand_over(card, sockets);
	}
	daq_card__close(card);
	return ret;
}

static int become(const char *name)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return errno ? failure("%s: %m", name) : failure("no such user: %s", name);
	if (initgroups(name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
	    setuid(user->pw_uid) < 0)
		return failure("cannot become user %s: %m (needs root)", name);
	return EXIT_OK;
}

static int run_program(const char *ifname, struct run *run, char **program)
{
	int sockets[2];
	int ret;

	/* the program's end is the only descriptor that it inherits */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return failure("socketpair: %m");
	ret = open_and_send(ifname, run, sockets);
	if (!ret && run->user)
		ret = become(run->user);
	if (ret)
		return ret;
	close(sockets[0]);
	fcntl(sockets[1], F_SETFD, 0);
	execvp(program[0], program);
	return failure("cannot run %s: %m", program[0]);
}

static bool take_option(struct run *run, int option)
{
	switch (option) {
	case 'c':
		return parse_channels(optarg, &run->inputs);
	case 'o':
		return parse_channels(optarg, &run->outputs);
	case 'u':
		run->user = optarg;
		return true;
	case 'b':
		return parse_size(optarg, &run->buffer);
	case OPT_COPY:
		run->mode = DAQ_MODE_COPY;
		return true;
	case OPT_ZERO_COPY:
		run->mode = DAQ_MODE_ZERO_COPY;
		return true;
	}
	return false;
}

int cmd_run(int argc, char **argv)
{
	struct run run = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:o:u:b:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&run, option))
			return option_error("run", options, option, optarg);
	}
	if (argc - optind < 2)
		return usage_error("run", "name an interface and, behind --, a program");
	if (!run.inputs && !run.outputs)
		return usage_error("run", "name channels: --channel or --output");
	return run_program(argv[optind], &run, &argv[optind + 1]);
}
