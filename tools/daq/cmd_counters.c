// SPDX-License-Identifier: GPL-2.0
/* What driver and card have counted, from the page that any process can map. */
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include "control.h"
#include "daq.h"

static const char help[] =
	"Usage: daq counters IFNAME|DEVICE [OPTIONS]\n"
	"\n"
	"Shows what driver and card count, from the memory that /dev/daqN shows to any\n"
	"process that may open it: what became of all segments of each channel, in segments,\n"
	"frames and bytes, and what each queue did. Counters that are 0 are left out.\n"
	"Documentation/control.rst and daq.rst say what they mean.\n"
	"\n"
	"  -c, --channel LIST       of these channels and the queues of the same numbers,\n"
	"                           such as 0-3,7 (all)\n"
	"  -w, --watch              again and again, until the card is gone\n"
	"  -i, --interval SECONDS   so often (1)\n"
	"  -j, --json               one JSON object each time, with every counter\n"
	"\n"
	"Examples:\n"
	"  daq counters daq0 --channel 2\n"
	"  daq counters /dev/daq0 --json | jq '.channels[0].card.no_buffer.frames'\n";

static const char *const host_names[DAQ_HOST_OUTCOMES] = {
	[DAQ_OUTCOME_SOCKET] = "socket",
	[DAQ_OUTCOME_STACK] = "stack",
	[DAQ_OUTCOME_XDP_TX] = "xdp_tx",
	[DAQ_OUTCOME_DROP_XDP] = "drop_xdp",
	[DAQ_OUTCOME_DROP_ABORTED] = "drop_aborted",
	[DAQ_OUTCOME_DROP_RING_FULL] = "drop_ring_full",
	[DAQ_OUTCOME_DROP_REDIRECT] = "drop_redirect",
	[DAQ_OUTCOME_DROP_NO_MEMORY] = "drop_no_memory",
	[DAQ_OUTCOME_DROP_NO_FRAGS] = "drop_no_frags",
	[DAQ_OUTCOME_DROP_BAD_DESC] = "drop_bad_desc",
	[DAQ_OUTCOME_DROP_STOPPED] = "drop_stopped",
};

static const char *const card_names[DAQ_CARD_OUTCOMES] = {
	[DAQ_OUTCOME_DROP_NO_BUFFER] = "drop_no_buffer",
	[DAQ_OUTCOME_DROP_TOO_LONG] = "drop_too_long",
	[DAQ_OUTCOME_DROP_FIFO_OVERRUN] = "drop_fifo_overrun",
};

struct view {
	const char *name;
	struct daq_counters *counters;
	uint64_t mask;
	bool json;
};

static bool wanted(const struct view *view, unsigned int channel)
{
	return view->mask >> channel & 1;
}

/* ---- for people ---- */

static void print_count(const char *name, const struct daq_count *count)
{
	if (count->segments || count->frames || count->bytes)
		printf("  %-20s %14" PRIu64 " %14" PRIu64 " %18" PRIu64 "\n", name,
		       (uint64_t)count->segments, (uint64_t)count->frames,
		       (uint64_t)count->bytes);
}

static void print_number(const char *name, uint64_t number)
{
	if (number)
		printf("  %-20s %14" PRIu64 "\n", name, number);
}

static void print_channel(unsigned int channel, const struct daq_channel_counters *c)
{
	struct daq_count pending;
	unsigned int i;

	printf("channel %-14u %14s %14s %18s\n", channel, "SEGMENTS", "FRAMES", "BYTES");
	print_count("produced", &c->produced);
	for (i = 0; i < DAQ_HOST_OUTCOMES; i++)
		print_count(host_names[i], &c->host[i]);
	for (i = 0; i < DAQ_CARD_OUTCOMES; i++)
		print_count(card_names[i], &c->card[i]);
	daq_counters__pending(c, &pending);
	print_count("on their way", &pending);
	print_number("last frame", c->frame);
	if (c->fifo_size)
		printf("  %-20s %10u of %u\n", "FIFO", c->fifo_level, c->fifo_size);
	print_number("played", c->played);
	print_number("played bytes", c->played_bytes);
	print_number("refused to play", c->tx_bad);
	print_number("underruns", c->underruns);
	if (c->underruns)
		print_number("underrun at sample", c->underrun_sample);
	print_number("window generation", c->generation);
	if (c->window) {
		printf("  %-20s", "window withheld by");
		print_reasons(c->window, " ");
		putchar('\n');
	}
}

static void print_queue(unsigned int queue, const struct daq_queue_counters *q)
{
	printf("queue %u\n", queue);
	print_number("interrupts", q->interrupts);
	print_number("interrupts lost", q->interrupts_lost);
	print_number("polls", q->polls);
	print_number("wake-ups", q->wakeups);
	print_number("packets", q->packets);
	print_number("bytes", q->bytes);
	print_number("duplicate chunks", q->duplicates);
	print_number("sent packets", q->tx_packets);
	print_number("sent bytes", q->tx_bytes);
	print_number("not sent", q->tx_dropped);
}

/* ---- for programs ---- */

static void json_count(const char *separator, const char *name, const struct daq_count *count)
{
	printf("%s\"%s\": {\"segments\": %" PRIu64 ", \"frames\": %" PRIu64 ", \"bytes\": %" PRIu64
	       "}", separator, name, (uint64_t)count->segments, (uint64_t)count->frames,
	       (uint64_t)count->bytes);
}

static void json_number(const char *name, uint64_t number)
{
	printf(", \"%s\": %" PRIu64, name, number);
}

static void json_channel(unsigned int channel, const struct daq_channel_counters *c)
{
	struct daq_count pending;
	unsigned int i;

	printf("{\"id\": %u", channel);
	json_count(", ", "produced", &c->produced);
	for (i = 0; i < DAQ_HOST_OUTCOMES; i++)
		json_count(i ? ", " : ", \"host\": {", host_names[i], &c->host[i]);
	for (i = 0; i < DAQ_CARD_OUTCOMES; i++)
		json_count(i ? ", " : "}, \"card\": {", card_names[i] + strlen("drop_"), &c->card[i]);
	putchar('}');
	daq_counters__pending(c, &pending);
	json_count(", ", "pending", &pending);
	json_number("frame", c->frame);
	json_number("time", c->time);
	json_number("fifo_level", c->fifo_level);
	json_number("fifo_size", c->fifo_size);
	json_number("played", c->played);
	json_number("played_bytes", c->played_bytes);
	json_number("tx_bad", c->tx_bad);
	json_number("underruns", c->underruns);
	json_number("underrun_sample", c->underrun_sample);
	json_number("card_time", c->card_time);
	json_number("generation", c->generation);
	json_number("window", c->window);
	putchar('}');
}

static void json_queue(unsigned int queue, const struct daq_queue_counters *q)
{
	printf("{\"id\": %u", queue);
	json_number("interrupts", q->interrupts);
	json_number("interrupt_time", q->interrupt_time);
	json_number("interrupts_lost", q->interrupts_lost);
	json_number("polls", q->polls);
	json_number("wakeups", q->wakeups);
	json_number("packets", q->packets);
	json_number("bytes", q->bytes);
	json_number("duplicates", q->duplicates);
	json_number("tx_packets", q->tx_packets);
	json_number("tx_bytes", q->tx_bytes);
	json_number("tx_dropped", q->tx_dropped);
	putchar('}');
}

static int show_channels(const struct view *view)
{
	struct daq_channel_counters c;
	bool first = true;
	unsigned int i;

	for (i = 0; i < daq_counters__channels(view->counters); i++) {
		if (!wanted(view, i))
			continue;
		if (daq_counters__channel(view->counters, i, &c, sizeof(c)) < 0)
			return library_failure();
		if (!view->json)
			print_channel(i, &c);
		else if (!first)
			fputs(", ", stdout);
		if (view->json)
			json_channel(i, &c);
		first = false;
	}
	return EXIT_OK;
}

static int show_queues(const struct view *view)
{
	struct daq_queue_counters q;
	bool first = true;
	unsigned int i;

	for (i = 0; i < daq_counters__queues(view->counters); i++) {
		if (!wanted(view, i))
			continue;
		if (daq_counters__queue(view->counters, i, &q, sizeof(q)) < 0)
			return library_failure();
		if (!view->json)
			print_queue(i, &q);
		else if (!first)
			fputs(", ", stdout);
		if (view->json)
			json_queue(i, &q);
		first = false;
	}
	return EXIT_OK;
}

static int show(const struct view *view)
{
	const char *state = state_name(daq_counters__state(view->counters));
	int ret;

	if (!view->json) {
		printf("%s: %s\n", view->name, state);
		ret = show_channels(view);
		return ret ? ret : show_queues(view);
	}
	fputs("{\"name\": ", stdout);
	json_string(stdout, view->name);
	printf(", \"state\": \"%s\", \"channels\": [", state);
	ret = show_channels(view);
	fputs("], \"queues\": [", stdout);
	if (!ret)
		ret = show_queues(view);
	puts("]}");
	return ret;
}

/* Until it is over; the end of the card wakes at once. */
static int watch(const struct view *view, double interval)
{
	struct pollfd pollfd = { .fd = daq_counters__fd(view->counters) };
	int ret;

	do {
		ret = show(view);
		fflush(stdout);
		if (ret || daq_counters__state(view->counters) == DAQ_STATE_GONE)
			return ret;
		poll(&pollfd, 1, interval * 1000);
	} while (!interrupted);
	return EXIT_OK;
}

static int run(struct view *view, double interval, bool again)
{
	unsigned int channels = daq_counters__channels(view->counters);
	uint64_t missing = view->mask & ~(UINT64_MAX >> (DAQ_MAX_CHANNELS - channels));

	if (view->mask != UINT64_MAX && missing)
		return failure("no such channel: %d (%s has 0-%u)", __builtin_ctzll(missing),
			       view->name, channels - 1);
	return again ? watch(view, interval) : show(view);
}

int cmd_counters(int argc, char **argv)
{
	static const struct option options[] = {
		{ "channel", required_argument, NULL, 'c' },
		{ "watch", no_argument, NULL, 'w' },
		{ "interval", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct view view = { .mask = UINT64_MAX };
	bool again = false;
	double interval = 1;
	int option, ret;

	while ((option = getopt_long(argc, argv, "c:wi:jh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			if (!parse_channels(optarg, &view.mask))
				return option_error("counters", options, option, optarg);
			break;
		case 'w':
			again = true;
			break;
		case 'i':
			if (!parse_seconds(optarg, &interval) || interval > 86400)
				return option_error("counters", options, option, optarg);
			break;
		case 'j':
			view.json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1)
		return usage_error("counters", "name one interface or device");
	view.name = argv[optind];
	if (daq_counters__open(view.name, &view.counters) < 0)
		return library_failure();
	catch_signals();
	ret = run(&view, interval, again);
	daq_counters__close(view.counters);
	return ret;
}
