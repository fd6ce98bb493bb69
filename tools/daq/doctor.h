/* SPDX-License-Identifier: GPL-2.0 */
/* Findings of daq doctor: what is right, what could be better, what has to be mended. */
#ifndef DAQ_TOOL_DOCTOR_H
#define DAQ_TOOL_DOCTOR_H

#include <daqring.h>
#include <stdbool.h>
#include <stddef.h>

enum level { LEVEL_OK, LEVEL_ADVICE, LEVEL_PROBLEM, LEVELS };

struct finding {
	enum level level;
	char about[16];		/* the machine, or a card */
	const char *check;	/* for programs: its name never changes */
	char text[256];
	char cure[256];		/* a command line, or empty */
};

struct doctor {
	struct finding *findings;
	unsigned int count;
	unsigned int found[LEVELS];
	unsigned int cards;
	uint64_t memory;	/* bytes that consumers of all cards lock by default */
};

__attribute__((format(printf, 5, 6)))
void finding(struct doctor *doctor, enum level level, const char *about, const char *check,
	     const char *fmt, ...);
/* Of the last finding. */
__attribute__((format(printf, 2, 3)))
void cure(struct doctor *doctor, const char *fmt, ...);

/* The first line of a file that printf() names, without its end; false: there is none. */
__attribute__((format(printf, 3, 4)))
bool read_line(char *line, size_t size, const char *fmt, ...);

void examine_driver(struct doctor *doctor);
void examine_card(struct doctor *doctor, struct daq_card *card);
/* After the cards, for it needs doctor->memory. */
void examine_machine(struct doctor *doctor);

#endif /* DAQ_TOOL_DOCTOR_H */
