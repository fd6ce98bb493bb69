/* SPDX-License-Identifier: GPL-2.0 */
/* Options that tell the format of a recording which does not do that itself. */
#ifndef DAQ_TOOL_RAW_FORMAT_H
#define DAQ_TOOL_RAW_FORMAT_H

#include "daq.h"

/* Values of their own for getopt_long(). */
enum { OPT_RAW_SAMPLE = 512, OPT_RAW_FRAME, OPT_RAW_LINE, OPT_RAW_RATE };

#define RAW_FORMAT_OPTIONS						\
	{ "sample-bytes", required_argument, NULL, OPT_RAW_SAMPLE },	\
	{ "frame", required_argument, NULL, OPT_RAW_FRAME },		\
	{ "line", required_argument, NULL, OPT_RAW_LINE },		\
	{ "rate", required_argument, NULL, OPT_RAW_RATE }

#define RAW_FORMAT_HELP							\
	"      --sample-bytes SIZE, --frame SIZE, --line SIZE, --rate HZ\n"	\
	"                           the format of a file that does not tell it, or\n" \
	"                           instead of what is told\n"

/* Members that are 0 are not given. */
bool raw_format_option(struct daq_format *format, int option, const char *text);

/* What the user gave instead of what @format says. */
void raw_format_apply(const struct daq_format *given, struct daq_format *format);

/* NULL unless enough is given for a file without a description. */
const struct daq_format *raw_format_fallback(const struct daq_format *given,
					     struct daq_format *fallback);

#endif /* DAQ_TOOL_RAW_FORMAT_H */
