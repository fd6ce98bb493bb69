/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of daq verify have in common. */
#ifndef DAQ_TOOL_VERIFY_H
#define DAQ_TOOL_VERIFY_H

#include "daq.h"
#include "pattern.h"

/* Gaps that are told one by one; of others only the number. */
#define MAX_GAPS	10

struct gap {
	uint64_t before_frame;
	uint64_t from_sample;
	struct daq_gap missing;
};

struct check {
	struct verify *verify;
	unsigned int channel;
	struct daq_format format;
	struct pattern pattern;		/* DAQ_SOURCE_NONE: data can be anything */
	bool anywhere;			/* nobody knows where in the signal the data begin */
	struct pattern_place place;	/* of the next frame, then */
	bool done;

	uint64_t frames;
	uint64_t bytes;
	uint64_t damaged;
	uint64_t restarts;
	struct daq_gap lost;
	uint64_t gap_count;
	struct gap gaps[MAX_GAPS];

	uint64_t wrong_frames;
	/* the first wrong byte */
	uint64_t wrong_frame;
	uint64_t wrong_sample;
	size_t wrong_byte;
	uint8_t wrong_is;
	uint8_t wrong_should_be;
};

struct verify {
	const char *ifname;
	const char *from;
	uint64_t channels;
	enum daq_source source;		/* DAQ_SOURCE_NONE: what the format says */
	double duration;
	uint64_t frames;
	bool allow_loss;
	bool json;
	bool quiet;
	struct daq_format given;

	struct check checks[DAQ_MAX_CHANNELS];
	unsigned int count;
	unsigned int running;
};

/* What is wrong, what is missing, and unless it has to be quiet a table. */
void verify_print(const struct verify *verify);
void verify_print_json(const struct verify *verify, bool good);

#endif /* DAQ_TOOL_VERIFY_H */
