/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DAQ_TOOL_H
#define DAQ_TOOL_H

#include <daqring.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

/* One file cmd_*.c each; they return an exit code. */
int cmd_list(int argc, char **argv);
int cmd_card(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_cable(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_grant(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_play(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_counters(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_snap(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* Errors go to standard error behind "daq: ". */
__attribute__((format(printf, 1, 2)))
int failure(const char *fmt, ...);
/* The library's last failure. */
int library_failure(void);
__attribute__((format(printf, 2, 3)))
int usage_error(const char *command, const char *fmt, ...);
/* The value of a getopt_long() option is wrong. */
int option_error(const char *command, const struct option *options, int option, const char *value);

/* "65536", "64k", "8M": powers of 1024. */
bool parse_size(const char *text, uint64_t *value);
/* "48000", "48k", "2M": powers of 1000. */
bool parse_count(const char *text, uint64_t *value);
/* Seconds, with a fraction; more than 0. */
bool parse_seconds(const char *text, double *value);
/* "3", "0,2", "0-3,7", "all" as a bit mask. */
bool parse_channels(const char *text, uint64_t *mask);
/* "3=file" */
bool parse_channel_file(const char *text, unsigned int *channel, const char **file);
/* false: a channel of @mask does not exist; says so. */
bool channels_exist(const struct daq_card *card, uint64_t mask);
uint64_t all_channels(const struct daq_card *card);

const char *source_name(enum daq_source source);
bool parse_source(const char *text, enum daq_source *source);

const char *personality_name(enum daq_personality personality);
bool parse_personality(const char *text, enum daq_personality *personality);

/* What makes a plural of most words. */
static inline const char *plural_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

double now_seconds(void);
void json_string(FILE *out, const char *text);
/* SIGINT and SIGTERM only set this from now on. */
extern volatile bool interrupted;
void catch_signals(void);

/* A line on standard error that shows how it goes. */
struct progress {
	bool quiet;
	bool terminal;
	bool shown;
	double next;
};

void progress_begin(struct progress *progress, bool quiet);
/* Seconds until the next line is due; 0: print it now. */
double progress_due(const struct progress *progress);
__attribute__((format(printf, 2, 3)))
void progress_print(struct progress *progress, const char *fmt, ...);
void progress_end(struct progress *progress);

#endif /* DAQ_TOOL_H */
