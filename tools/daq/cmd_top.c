// SPDX-License-Identifier: GPL-2.0
/*
 * What each channel does right now, from counters that the driver keeps anyway: nothing
 * is captured, and who captures does not notice.
 */
#include <inttypes.h>
#include <linux/ethtool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daq.h"
#include "interface.h"
#include "owners.h"

static const char help[] =
	"Usage: daq top [IFNAME ...] [OPTIONS]\n"
	"\n"
	"Shows what each channel does, every second: of all cards, or those named, which\n"
	"may come and go. On a terminal in place. Channels without a source that never\n"
	"did anything are left out.\n"
	"\n"
	"  -i, --interval SECONDS   time between two looks (1)\n"
	"  -n, --count N            end after N of them\n"
	"  -1, --once               the same as --count 1\n"
	"  -j, --json               one JSON object per interval, with every channel\n"
	"\n"
	"  MB/S FRAMES/S SEGS/S     what the input brings, lost or not\n"
	"  LOST LOST/S              segments; below the channel by reason, as ethtool -S\n"
	"                           and Documentation/daq.rst name them\n"
	"  BUFFERS                  what the card has to fill, of the ring's size\n"
	"  WAKES/S IRQS/S POLLS/S   of the queue Q: data given to sockets, interrupts,\n"
	"                           looks of the driver\n"
	"  OUT MB/S                 what the output plays\n"
	"  OWNER                    the process that has a socket on the queue, and (copy)\n"
	"                           if the kernel has to copy for it\n"
	"\n"
	"Examples:\n"
	"  daq top\n"
	"  daq top daq0 --once --json | jq '.cards[0].channels[2].lost_per_second'\n";

/* One card at two times. */
struct view {
	struct view *next;
	unsigned int ifindex;
	char name[IF_NAMESIZE];
	enum daq_personality personality;
	unsigned int channels;
	unsigned int ring;		/* descriptors */
	struct daq_format format[DAQ_MAX_CHANNELS];
	struct card_counts now, before;
	double time, time_before;
	bool seen;
};

struct top {
	char **names;			/* NULL: all cards */
	double interval;
	uint64_t count;
	bool json;
	bool terminal;

	struct view *views;
	struct owners owners;
};

static struct view *find_view(struct top *top, unsigned int ifindex)
{
	struct view **link, *view;

	for (link = &top->views; *link; link = &(*link)->next)
		if ((*link)->ifindex == ifindex)
			return *link;
	view = calloc(1, sizeof(*view));
	if (view) {
		view->ifindex = ifindex;
		*link = view;
	}
	return view;
}

static unsigned int ring_size(const char *ifname)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };

	return ask_ethtool(ifname, &ring) < 0 ? 0 : ring.rx_pending;
}

/* Any of this fails when the card goes just now, which the next look tells. */
static int look(struct daq_card *card, void *ctx)
{
	const char *name = daq_card__name(card);
	struct view *view = find_view(ctx, if_nametoindex(name));
	bool known;
	unsigned int i;

	if (!view)
		return failure("no memory");
	known = view->time > 0;
	snprintf(view->name, sizeof(view->name), "%s", name);
	view->channels = daq_card__channels(card);
	view->ring = ring_size(name);
	for (i = 0; i < view->channels; i++)
		if (daq_card__format(card, i, &view->format[i]) < 0)
			return EXIT_OK;
	if (daq_card__personality(card, &view->personality) < 0)
		return EXIT_OK;
	view->before = view->now;
	view->time_before = view->time;
	if (read_counts(name, &view->now) < 0)
		return EXIT_OK;
	view->time = now_seconds();
	if (!known) {
		view->before = view->now;
		view->time_before = view->time;
	}
	view->seen = true;
	return EXIT_OK;
}

static void forget_unseen(struct top *top)
{
	struct view **link = &top->views, *view;

	while ((view = *link)) {
		if (view->seen) {
			view->seen = false;
			link = &view->next;
			continue;
		}
		*link = view->next;
		free(view);
	}
}

static int look_at_all(struct top *top)
{
	struct daq_card *card;
	int ret = EXIT_OK;
	char **name;

	if (!top->names)
		ret = for_each_card(look, top);
	for (name = top->names; name && *name && !ret; name++) {
		if (daq_card__open(*name, NULL, &card) < 0)
			continue;
		ret = look(card, top);
		daq_card__close(card);
	}
	owners_read(&top->owners);
	forget_unseen(top);
	return ret;
}

static double per_second(const struct view *view, unsigned int channel, enum counter counter)
{
	double seconds = view->time - view->time_before;
	int64_t change = view->now.of[channel][counter] - view->before.of[channel][counter];

	return seconds > 0 ? change / seconds : 0;
}

static void owner_text(const struct top *top, const struct view *view, unsigned int queue,
		       char *text, size_t size)
{
	const struct owner *owner = owner_of(&top->owners, view->ifindex, queue, NULL);

	if (!owner)
		snprintf(text, size, "-");
	else if (!owner->pid)
		snprintf(text, size, "?%s", owner->zero_copy ? "" : " (copy)");
	else
		snprintf(text, size, "%s[%d]%s", owner->command, owner->pid,
			 owner->zero_copy ? "" : " (copy)");
}

static bool is_idle(const struct top *top, const struct view *view, unsigned int channel)
{
	const uint64_t *counts = view->now.of[channel];

	return view->format[channel].source == DAQ_SOURCE_NONE && !counts[COUNT_PRODUCED] &&
	       !counts[COUNT_PLAYED] && !owner_of(&top->owners, view->ifindex, channel, NULL);
}

static void print_reasons(const struct view *view, unsigned int channel)
{
	static const enum counter others[] = {
		COUNT_UNDERRUNS, COUNT_TX_BAD, COUNT_IRQS_LOST, COUNT_FILL_DUPLICATES,
	};
	const uint64_t *counts = view->now.of[channel];
	const char *separator = "       ";
	unsigned int i;

	for (i = COUNT_FIRST_DROP; i <= COUNT_LAST_DROP; i++) {
		if (!counts[i])
			continue;
		printf("%s%s %" PRIu64 " (%.1f/s)", separator, counter_name(i), counts[i],
		       per_second(view, channel, i));
		separator = ", ";
	}
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		if (!counts[others[i]])
			continue;
		printf("%s%s %" PRIu64, separator, counter_name(others[i]), counts[others[i]]);
		separator = ", ";
	}
	if (*separator == ',')
		putchar('\n');
}

static void print_channel(const struct top *top, const struct view *view, unsigned int channel)
{
	const struct daq_format *format = &view->format[channel];
	unsigned int queue = format->queue < DAQ_MAX_CHANNELS ? format->queue : channel;
	char owner[40], buffers[24];

	owner_text(top, view, queue, owner, sizeof(owner));
	snprintf(buffers, sizeof(buffers), "%" PRIu64 "/%u", view->now.of[queue][COUNT_BUFFERS],
		 view->ring);
	printf("%3u %3u %-9s%9.2f%10.1f%9.1f%11" PRIu64 "%9.1f%11s%9.1f%9.1f%9.1f%10.2f  %s\n",
	       channel, format->queue, source_name(format->source),
	       per_second(view, channel, COUNT_PRODUCED_BYTES) / 1e6,
	       per_second(view, channel, COUNT_FRAMES), per_second(view, channel, COUNT_PRODUCED),
	       view->now.of[channel][COUNT_DROPPED], per_second(view, channel, COUNT_DROPPED),
	       buffers, per_second(view, queue, COUNT_FLUSHES), per_second(view, queue, COUNT_IRQS),
	       per_second(view, queue, COUNT_POLLS),
	       per_second(view, channel, COUNT_PLAYED_BYTES) / 1e6, owner);
	print_reasons(view, channel);
}

static void print_card(const struct top *top, const struct view *view)
{
	unsigned int i, idle = 0;

	printf("%s: %s, %s, %u channels\n", view->name, link_state(view->name),
	       personality_name(view->personality), view->channels);
	printf("%3s %3s %-9s%9s%10s%9s%11s%9s%11s%9s%9s%9s%10s  %s\n", "CH", "Q", "SOURCE", "MB/S",
	       "FRAMES/S", "SEGS/S", "LOST", "LOST/S", "BUFFERS", "WAKES/S", "IRQS/S", "POLLS/S",
	       "OUT MB/S", "OWNER");
	for (i = 0; i < view->channels; i++) {
		if (is_idle(top, view, i))
			idle++;
		else
			print_channel(top, view, i);
	}
	if (idle)
		printf("%u more without a source\n", idle);
	putchar('\n');
}

static void print_text(const struct top *top)
{
	const struct view *view;

	if (top->terminal)
		fputs("\033[H\033[J", stdout);
	if (!top->views)
		puts("no cards: ip link add daq0 numrxqueues 8 numtxqueues 8 type daq makes one");
	for (view = top->views; view; view = view->next)
		print_card(top, view);
}

static void json_owner(const struct top *top, const struct view *view, unsigned int queue)
{
	const struct owner *owner = owner_of(&top->owners, view->ifindex, queue, NULL);

	if (!owner) {
		fputs(", \"owner\": null, \"zero_copy\": null", stdout);
		return;
	}
	printf(", \"owner\": {\"pid\": %d, \"command\": ", owner->pid);
	json_string(stdout, owner->command);
	printf("}, \"zero_copy\": %s", owner->zero_copy ? "true" : "false");
}

static void json_channel(const struct top *top, const struct view *view, unsigned int channel)
{
	const struct daq_format *format = &view->format[channel];
	unsigned int queue = format->queue < DAQ_MAX_CHANNELS ? format->queue : channel;
	const uint64_t *counts = view->now.of[channel];
	unsigned int i;

	printf("%s{\"channel\": %u, \"queue\": %u, \"source\": \"%s\", \"bytes_per_second\": %.0f"
	       ", \"frames_per_second\": %.3f, \"segments_per_second\": %.3f"
	       ", \"lost\": %" PRIu64 ", \"lost_per_second\": %.3f, \"lost_by_reason\": {",
	       channel ? ", " : "", channel, format->queue, source_name(format->source),
	       per_second(view, channel, COUNT_PRODUCED_BYTES),
	       per_second(view, channel, COUNT_FRAMES), per_second(view, channel, COUNT_PRODUCED),
	       counts[COUNT_DROPPED], per_second(view, channel, COUNT_DROPPED));
	for (i = COUNT_FIRST_DROP; i <= COUNT_LAST_DROP; i++)
		printf("%s\"%s\": %" PRIu64, i > COUNT_FIRST_DROP ? ", " : "", counter_name(i),
		       counts[i]);
	printf("}, \"buffers\": %" PRIu64 ", \"ring\": %u, \"wakeups_per_second\": %.3f"
	       ", \"irqs_per_second\": %.3f, \"polls_per_second\": %.3f"
	       ", \"played_bytes_per_second\": %.0f, \"underruns\": %" PRIu64
	       ", \"tx_bad\": %" PRIu64 ", \"irqs_lost\": %" PRIu64
	       ", \"fill_duplicates\": %" PRIu64,
	       view->now.of[queue][COUNT_BUFFERS], view->ring,
	       per_second(view, queue, COUNT_FLUSHES), per_second(view, queue, COUNT_IRQS),
	       per_second(view, queue, COUNT_POLLS), per_second(view, channel, COUNT_PLAYED_BYTES),
	       counts[COUNT_UNDERRUNS], counts[COUNT_TX_BAD], view->now.of[queue][COUNT_IRQS_LOST],
	       view->now.of[queue][COUNT_FILL_DUPLICATES]);
	json_owner(top, view, queue);
	putchar('}');
}

static void print_json(const struct top *top)
{
	const struct view *view;
	struct timespec now;
	unsigned int i;

	clock_gettime(CLOCK_REALTIME, &now);
	printf("{\"time\": %lld.%03ld, \"cards\": [", (long long)now.tv_sec,
	       now.tv_nsec / 1000000);
	for (view = top->views; view; view = view->next) {
		printf("%s{\"card\": ", view == top->views ? "" : ", ");
		json_string(stdout, view->name);
		printf(", \"state\": \"%s\", \"personality\": \"%s\", \"seconds\": %.3f"
		       ", \"channels\": [", link_state(view->name),
		       personality_name(view->personality), view->time - view->time_before);
		for (i = 0; i < view->channels; i++)
			json_channel(top, view, i);
		fputs("]}", stdout);
	}
	puts("]}");
}

/* Until a time, so that intervals do not grow by what a look takes; a signal ends it. */
static void sleep_until(double time)
{
	struct timespec until = { .tv_sec = time, .tv_nsec = (time - (time_t)time) * 1e9 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int watch(struct top *top)
{
	double next = now_seconds();
	uint64_t i;
	int ret;

	ret = look_at_all(top);
	for (i = 0; !ret && (!top->count || i < top->count); i++) {
		next += top->interval;
		sleep_until(next);
		if (interrupted)
			break;
		ret = look_at_all(top);
		if (top->json)
			print_json(top);
		else
			print_text(top);
		/* the pipe's end is the end */
		if (fflush(stdout) == EOF)
			return EXIT_FAILED;
	}
	return ret;
}

static int check_names(char **names)
{
	struct daq_card *card;

	for (; names && *names; names++) {
		if (daq_card__open(*names, NULL, &card) < 0)
			return library_failure();
		daq_card__close(card);
	}
	return EXIT_OK;
}

static bool take_option(struct top *top, int option, const char *text)
{
	switch (option) {
	case 'i':
		return parse_seconds(text, &top->interval);
	case 'n':
		return parse_count(text, &top->count) && top->count > 0;
	case '1':
		top->count = 1;
		return true;
	default:
		top->json = true;
		return true;
	}
}

int cmd_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'n' },
		{ "once", no_argument, NULL, '1' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct top top = { .interval = 1 };
	int option, ret;

	while ((option = getopt_long(argc, argv, "i:n:1jh", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&top, option, optarg))
			return option_error("top", options, option, optarg);
	}
	top.names = optind < argc ? argv + optind : NULL;
	top.terminal = isatty(STDOUT_FILENO) && !top.json;
	catch_signals();
	ret = check_names(top.names);
	if (!ret)
		ret = watch(&top);
	owners_free(&top.owners);
	/* nothing was seen since: forgets every view */
	forget_unseen(&top);
	return ret;
}
