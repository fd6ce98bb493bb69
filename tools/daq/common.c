// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daq.h"

#define TERMINAL_INTERVAL	0.5
#define LOG_INTERVAL		2.0

static const char *const source_names[] = {
	[DAQ_SOURCE_NONE] = "none",
	[DAQ_SOURCE_COUNTER] = "counter",
	[DAQ_SOURCE_RAMP] = "ramp",
	[DAQ_SOURCE_SINE] = "sine",
	[DAQ_SOURCE_BARS] = "bars",
	[DAQ_SOURCE_LOOPBACK] = "loopback",
	[DAQ_SOURCE_CABLE] = "cable",
	[DAQ_SOURCE_EXTERNAL] = "external",
};

static const char *const personality_names[] = {
	[DAQ_PERSONALITY_INTERRUPT] = "interrupt",
	[DAQ_PERSONALITY_POLLED] = "polled",
	[DAQ_PERSONALITY_KICKED] = "kicked",
};

volatile bool interrupted;

int failure(const char *fmt, ...)
{
	va_list args;

	fputs("daq: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int library_failure(void)
{
	return failure("%s", daq_errmsg());
}

int usage_error(const char *command, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "daq %s: ", command);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nTry 'daq %s --help'.\n", command);
	return EXIT_USAGE;
}

int option_error(const char *command, const struct option *options, int option, const char *value)
{
	while (options->val != option)
		options++;
	return usage_error(command, "--%s: '%s' is not valid", options->name, value);
}

static bool parse_scaled(const char *text, unsigned int kilo, uint64_t *value)
{
	static const char suffixes[] = "kMG";
	const char *suffix;
	uint64_t scale = 1;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end == 'K' ? 'k' : *end);
		if (!suffix || end[1])
			return false;
		for (; suffix >= suffixes; suffix--)
			scale *= kilo;
	}
	return !__builtin_mul_overflow(*value, scale, value);
}

bool parse_size(const char *text, uint64_t *value)
{
	return parse_scaled(text, 1024, value);
}

bool parse_count(const char *text, uint64_t *value)
{
	return parse_scaled(text, 1000, value);
}

bool parse_seconds(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && isfinite(*value) && *value > 0;
}

static bool parse_channel(const char *text, char **end, unsigned int *channel)
{
	unsigned long value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtoul(text, end, 10);
	*channel = value;
	return value <= UINT16_MAX;
}

bool parse_channels(const char *text, uint64_t *mask)
{
	unsigned int first, last;
	char *end;

	*mask = 0;
	if (strcmp(text, "all") == 0) {
		*mask = UINT64_MAX;
		return true;
	}
	for (;; text = end + 1) {
		if (!parse_channel(text, &end, &first))
			return false;
		last = first;
		if (*end == '-' && !parse_channel(end + 1, &end, &last))
			return false;
		if (last < first || last >= DAQ_MAX_CHANNELS)
			return false;
		for (; first <= last; first++)
			*mask |= 1ull << first;
		if (!*end)
			return true;
		if (*end != ',')
			return false;
	}
}

bool parse_channel_file(const char *text, unsigned int *channel, const char **file)
{
	char *end;

	if (!parse_channel(text, &end, channel) || *end != '=' || !end[1])
		return false;
	*file = end + 1;
	return true;
}

uint64_t all_channels(const struct daq_card *card)
{
	return UINT64_MAX >> (DAQ_MAX_CHANNELS - daq_card__channels(card));
}

bool channels_exist(const struct daq_card *card, uint64_t mask)
{
	uint64_t missing = mask & ~all_channels(card);

	if (!missing)
		return true;
	failure("no such channel: %d (%s has 0-%u)", __builtin_ctzll(missing),
		daq_card__name(card), daq_card__channels(card) - 1);
	return false;
}

const char *source_name(enum daq_source source)
{
	return source < ARRAY_SIZE(source_names) ? source_names[source] : "unknown";
}

bool parse_source(const char *text, enum daq_source *source)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(source_names); i++)
		if (strcmp(text, source_names[i]) == 0) {
			*source = i;
			return true;
		}
	return false;
}

const char *personality_name(enum daq_personality personality)
{
	return personality < ARRAY_SIZE(personality_names) ? personality_names[personality] : "?";
}

bool parse_personality(const char *text, enum daq_personality *personality)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(personality_names); i++) {
		if (strcmp(text, personality_names[i]) != 0)
			continue;
		*personality = i;
		return true;
	}
	return false;
}

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(out, "\\u%04x", *text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void on_signal(int signal)
{
	(void)signal;
	interrupted = true;
}

void catch_signals(void)
{
	/* no SA_RESTART: the signal shall end a wait */
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void progress_begin(struct progress *progress, bool quiet)
{
	progress->quiet = quiet;
	progress->terminal = isatty(STDERR_FILENO);
	progress->shown = false;
	progress->next = now_seconds() + LOG_INTERVAL;
}

double progress_due(const struct progress *progress)
{
	double due = progress->next - now_seconds();

	return due > 0 ? due : 0;
}

void progress_print(struct progress *progress, const char *fmt, ...)
{
	va_list args;

	progress->next = now_seconds() + (progress->terminal ? TERMINAL_INTERVAL : LOG_INTERVAL);
	if (progress->quiet)
		return;
	if (progress->terminal)
		fputs("\r\033[K", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	if (!progress->terminal)
		fputc('\n', stderr);
	progress->shown = true;
}

void progress_end(struct progress *progress)
{
	if (progress->shown && progress->terminal)
		fputs("\r\033[K", stderr);
}
