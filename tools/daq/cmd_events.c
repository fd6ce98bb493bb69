// SPDX-License-Identifier: GPL-2.0
/* What happens to a card, as its control device tells it. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "control.h"
#include "daq.h"

static const char help[] =
	"Usage: daq events IFNAME|DEVICE [OPTIONS]\n"
	"\n"
	"Shows what happens to a card from now on, until it is gone: data that it loses,\n"
	"outputs that have nothing to play, errors, register windows that are revoked or\n"
	"granted, sleep and resets.\n"
	"\n"
	"  -n, --count N   end after N events\n"
	"  -j, --json      one JSON object per event\n"
	"\n"
	"Example:\n"
	"  daq events daq0\n";

static void print_time(uint64_t time)
{
	struct timespec now, mono;
	struct tm parts;
	char text[32];
	int64_t real;
	time_t seconds;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &now);
	real = (int64_t)time + (now.tv_sec - mono.tv_sec) * 1000000000ll + now.tv_nsec -
	       mono.tv_nsec;
	seconds = real / 1000000000;
	strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&seconds, &parts));
	printf("%s.%03d ", text, (int)(real / 1000000 % 1000));
}

static void print_event(const struct daq_event *event)
{
	if (event->lost)
		printf("%" PRIu64 " events were too many to be kept\n", (uint64_t)event->lost);
	print_time(event->time);
	if (event->channel != DAQ_EV_CARD)
		printf("channel %u: ", event->channel);
	fputs(event_name(event->type), stdout);
	switch (event->type) {
	case DAQ_EV_REVOKED:
	case DAQ_EV_GRANTED:
		printf(" (%s), generation %u", reason_name(event->reason), event->generation);
		break;
	case DAQ_EV_SUSPENDED:
		printf(" (%s)", reason_name(event->reason));
		break;
	case DAQ_EV_OVERRUN:
		printf(", %" PRIu64 " segments so far", (uint64_t)event->value);
		break;
	case DAQ_EV_UNDERRUN:
		printf(" at sample %" PRIu64, (uint64_t)event->value);
		break;
	case DAQ_EV_ERROR:
		printf(": %s", error_name(event->reason));
		break;
	}
	putchar('\n');
}

static void print_json(const struct daq_event *event)
{
	printf("{\"type\": \"%s\"", event_name(event->type));
	if (event->channel != DAQ_EV_CARD)
		printf(", \"channel\": %u, \"generation\": %u", event->channel, event->generation);
	if (event->type == DAQ_EV_ERROR)
		printf(", \"reason\": \"%s\"", error_name(event->reason));
	else if (event->reason)
		printf(", \"reason\": \"%s\"", reason_name(event->reason));
	printf(", \"value\": %" PRIu64 ", \"time\": %" PRIu64 ", \"lost\": %" PRIu64 "}\n",
	       (uint64_t)event->value, (uint64_t)event->time, (uint64_t)event->lost);
}

static int follow(int fd, uint64_t count, bool json)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct daq_event event;
	ssize_t len;

	while (count && !interrupted) {
		len = read(fd, &event, sizeof(event));
		if (len == 0)
			return EXIT_OK;
		if (len < 0 && errno != EAGAIN && errno != EINTR)
			return failure("cannot read events: %s", strerror(errno));
		if (len < 0) {
			poll(&pollfd, 1, -1);
			continue;
		}
		if (json)
			print_json(&event);
		else
			print_event(&event);
		fflush(stdout);
		count--;
	}
	return EXIT_OK;
}

int cmd_events(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct daq_counters *counters;
	uint64_t count = UINT64_MAX;
	bool json = false;
	int option, ret;

	while ((option = getopt_long(argc, argv, "n:jh", options, NULL)) != -1) {
		switch (option) {
		case 'n':
			if (!parse_count(optarg, &count) || !count)
				return option_error("events", options, option, optarg);
			break;
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
	if (argc - optind != 1)
		return usage_error("events", "name one interface or device");
	if (daq_counters__open(argv[optind], &counters) < 0)
		return library_failure();
	catch_signals();
	ret = follow(daq_counters__fd(counters), count, json);
	daq_counters__close(counters);
	return ret;
}
