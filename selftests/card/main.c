// SPDX-License-Identifier: GPL-2.0
/* daq-card: the command line. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include "card.h"

static const char usage[] =
"usage: daq-card --socket PATH [OPTION...]\n"
"\n"
"Plays a DAQ card on the PCI bus of a virtual machine, until SIGTERM. QEMU gets\n"
"  -object memory-backend-memfd,id=ram,size=SIZE,share=on\n"
"  -machine q35,memory-backend=ram\n"
"  -device '{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"PATH\"}}'\n"
"\n"
"  --socket PATH          where QEMU connects; one at a time, again and again\n"
"  --channels N           1 to 64 channels (8)\n"
"  --personality NAME     interrupt: interrupts, moves data by itself; polled: does\n"
"                         not interrupt; kicked: nor moves data by itself\n"
"                         (interrupt)\n"
"  --fifo N               8 to 1024 segments that an input of a kicked card holds\n"
"                         until it is kicked (8)\n"
"  --interrupts KIND      msix, msi or none: what the bus carries (msix)\n"
"  --serial NUMBER        which card it is, for its MAC address to stay (0: not told)\n"
"  --input N=PATH         what source \"external\" of channel N is: a file, a pipe, or\n"
"                         - for standard input\n"
"  --loop                 begin files again at their end\n"
"  --wait                 inputs have nothing until the command go\n"
"  --output N=PATH        where goes what channel N plays: payload of segments,\n"
"                         other packets whole\n"
"  --log FILE             what happened, a line each; - for standard output\n"
"  --control PATH         a socket to give commands to, a line each: gone (off the\n"
"                         bus), stuck (answers, but does nothing), back, die (end\n"
"                         at once), report, hold, go, rewind N, withhold N (the\n"
"                         user page), allow N, fault KIND[:N]=RATE, fault none\n"
"  --fault KIND[:N]=RATE  let it happen on channel N, or all, by chance; RATE from 0\n"
"                         to 1. Once per segment: drop, corrupt, duplicate, length,\n"
"                         index, buffers, channel, spurious-irq; per interrupt:\n"
"                         lost-irq; per report: report; per stop or reset:\n"
"                         late-dma; per look: stuck-ready\n"
"  --seed S               for other chances (1)\n"
"  --help                 this text\n";

struct command_line {
	const char *socket;
	const char *control;
	const char *log;
	const char *input[DAQ_MAX_CHANNELS];
	const char *output[DAQ_MAX_CHANNELS];
	const char *fault[64];
	u32 faults;
	bool loop;
	bool wait;
	struct card_options card;
};

enum {
	OPT_SOCKET = 256, OPT_CHANNELS, OPT_PERSONALITY, OPT_FIFO, OPT_INTERRUPTS, OPT_SERIAL,
	OPT_INPUT, OPT_LOOP, OPT_WAIT, OPT_OUTPUT, OPT_LOG, OPT_CONTROL, OPT_FAULT, OPT_SEED,
	OPT_HELP,
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "channels", required_argument, NULL, OPT_CHANNELS },
	{ "personality", required_argument, NULL, OPT_PERSONALITY },
	{ "fifo", required_argument, NULL, OPT_FIFO },
	{ "interrupts", required_argument, NULL, OPT_INTERRUPTS },
	{ "serial", required_argument, NULL, OPT_SERIAL },
	{ "input", required_argument, NULL, OPT_INPUT },
	{ "loop", no_argument, NULL, OPT_LOOP },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "help", no_argument, NULL, OPT_HELP },
	{ }
};

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *fmt, ...)
{
	va_list args;

	fputs("daq-card: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	putc('\n', stderr);
	exit(1);
}

static u64 number(const char *what, const char *text, u64 low, u64 high)
{
	unsigned long long val;
	char *end;

	errno = 0;
	val = strtoull(text, &end, 0);
	if (end == text || *end || errno || val < low || val > high)
		fail("%s is from %llu to %llu, not %s", what, (unsigned long long)low,
		     (unsigned long long)high, text);
	return val;
}

/* Return: PATH of N=PATH, which goes to the channel's place in @list. */
static void connect_channel(const char *what, const char *arg, const char **list)
{
	char *end;
	unsigned long i = strtoul(arg, &end, 10);

	if (end == arg || *end != '=' || !end[1] || i >= DAQ_MAX_CHANNELS)
		fail("%s is CHANNEL=PATH, not %s", what, arg);
	if (list[i])
		fail("%s of channel %lu is given twice", what, i);
	list[i] = end + 1;
}

static void set_personality(struct card_options *card, const char *name)
{
	if (!strcmp(name, "interrupt"))
		card->caps = DAQ_CAP_IRQ | DAQ_CAP_AUTO;
	else if (!strcmp(name, "polled"))
		card->caps = DAQ_CAP_AUTO;
	else if (!strcmp(name, "kicked"))
		card->caps = 0;
	else
		fail("a personality is interrupt, polled or kicked, not %s", name);
}

static void set_interrupts(struct card_options *card, const char *name)
{
	if (!strcmp(name, "msix"))
		card->interrupts = CARD_MSIX;
	else if (!strcmp(name, "msi"))
		card->interrupts = CARD_MSI;
	else if (!strcmp(name, "none"))
		card->interrupts = CARD_NO_INTERRUPTS;
	else
		fail("interrupts are msix, msi or none, not %s", name);
}

static void add_fault(struct command_line *line, const char *spec)
{
	if (line->faults == ARRAY_SIZE(line->fault))
		fail("more than %zu faults", ARRAY_SIZE(line->fault));
	line->fault[line->faults++] = spec;
}

static void take_option(struct command_line *line, int opt)
{
	switch (opt) {
	case OPT_SOCKET:
		line->socket = optarg;
		break;
	case OPT_CHANNELS:
		line->card.channels = number("--channels", optarg, 1, DAQ_MAX_CHANNELS);
		break;
	case OPT_PERSONALITY:
		set_personality(&line->card, optarg);
		break;
	case OPT_FIFO:
		line->card.fifo = number("--fifo", optarg, DAQ_FIFO_SEGMENTS, DAQ_MODEL_FIFO);
		break;
	case OPT_INTERRUPTS:
		set_interrupts(&line->card, optarg);
		break;
	case OPT_SERIAL:
		line->card.serial = number("--serial", optarg, 0, U64_MAX);
		break;
	case OPT_INPUT:
		connect_channel("--input", optarg, line->input);
		break;
	case OPT_LOOP:
		line->loop = true;
		break;
	case OPT_WAIT:
		line->wait = true;
		break;
	case OPT_OUTPUT:
		connect_channel("--output", optarg, line->output);
		break;
	case OPT_LOG:
		line->log = optarg;
		break;
	case OPT_CONTROL:
		line->control = optarg;
		break;
	case OPT_FAULT:
		add_fault(line, optarg);
		break;
	case OPT_SEED:
		line->card.seed = number("--seed", optarg, 0, U64_MAX);
		break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		exit(1);	/* getopt has told */
	}
}

static void take_command_line(struct command_line *line, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(line, opt);
	if (optind < argc)
		fail("what is %s? See --help", argv[optind]);
	if (!line->socket)
		fail("--socket PATH is missing: where is QEMU to connect?");
}

static void open_files(struct command_line *line)
{
	struct card_options *card = &line->card;
	char error[256];
	u32 i;

	for (i = 0; i < DAQ_MAX_CHANNELS; i++) {
		if ((line->input[i] || line->output[i]) && i >= card->channels)
			fail("there is no channel %u: --channels is %u", i, card->channels);
		if (line->input[i]) {
			card->input[i] = feed_open_input(line->input[i], line->loop, error,
							 sizeof(error));
			if (!card->input[i])
				fail("--input %u: %s", i, error);
			feed_hold(card->input[i], line->wait);
		}
		if (line->output[i]) {
			card->output[i] = feed_open_output(line->output[i], error, sizeof(error));
			if (!card->output[i])
				fail("--output %u: %s", i, error);
		}
	}
	if (line->log && !strcmp(line->log, "-"))
		card->log = stdout;
	else if (line->log)
		card->log = fopen(line->log, "we");
	if (line->log && !card->log)
		fail("--log %s: %s", line->log, strerror(errno));
}

static void open_sockets(struct card *card, const struct command_line *line)
{
	card->listener = card_listen(line->socket);
	if (card->listener < 0)
		fail("--socket %s: %s", line->socket, strerror(-card->listener));
	if (!line->control)
		return;
	card->control_listener = card_listen(line->control);
	if (card->control_listener < 0)
		fail("--control %s: %s", line->control, strerror(-card->control_listener));
}

static struct card card;

static void end(int sig)
{
	u64 one = 1;

	(void)sig;
	/* It cannot fail but when the end has come already. */
	if (write(card.stop, &one, sizeof(one)) < 0)
		return;
}

int main(int argc, char **argv)
{
	static struct command_line line = {
		.card = {
			.channels = 8, .seed = 1, .caps = DAQ_CAP_IRQ | DAQ_CAP_AUTO,
			.interrupts = CARD_MSIX, .log_limit = LOG_LIMIT,
		},
	};
	struct sigaction action = { .sa_handler = end };
	char error[256];
	int err;
	u32 i;

	take_command_line(&line, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	open_files(&line);
	if (!(line.card.caps & DAQ_CAP_IRQ))
		line.card.interrupts = CARD_NO_INTERRUPTS;
	line.card.caps |= DAQ_CAP_USER;
	err = card_open(&card, &line.card);
	if (err)
		fail("cannot start: %s", strerror(err));
	for (i = 0; i < line.faults; i++)
		if (!faults_set(&card.faults, line.fault[i], error, sizeof(error)))
			fail("--fault: %s", error);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	open_sockets(&card, &line);
	card_run(&card);
	unlink(line.socket);
	if (line.control)
		unlink(line.control);
	close(card.listener);
	if (card.control_listener >= 0)
		close(card.control_listener);
	card_close(&card);
	if (line.card.log && fclose(line.card.log))
		fail("--log %s: %s", line.log, strerror(errno));
	return 0;
}
