// SPDX-License-Identifier: GPL-2.0
/* Options that tell the format of a recording which does not do that itself. */
#include <string.h>
#include "raw_format.h"

static bool take_bytes(const char *text, uint32_t *member)
{
	uint64_t value;

	if (!parse_size(text, &value) || !value || value > DAQ_MAX_FRAME_BYTES)
		return false;
	*member = value;
	return true;
}

bool raw_format_option(struct daq_format *format, int option, const char *text)
{
	switch (option) {
	case OPT_RAW_SAMPLE:
		return take_bytes(text, &format->sample_bytes) &&
		       format->sample_bytes <= DAQ_MAX_SAMPLE_BYTES &&
		       (format->sample_bytes & (format->sample_bytes - 1)) == 0;
	case OPT_RAW_FRAME:
		return take_bytes(text, &format->frame_bytes);
	case OPT_RAW_LINE:
		return take_bytes(text, &format->line_bytes);
	default:
		return parse_count(text, &format->rate) && format->rate > 0;
	}
}

void raw_format_apply(const struct daq_format *given, struct daq_format *format)
{
	if (given->sample_bytes)
		format->sample_bytes = given->sample_bytes;
	if (given->frame_bytes)
		format->frame_bytes = given->frame_bytes;
	if (given->line_bytes)
		format->line_bytes = given->line_bytes;
	if (given->rate)
		format->rate = given->rate;
}

const struct daq_format *raw_format_fallback(const struct daq_format *given,
					     struct daq_format *fallback)
{
	/* as of a channel that nobody has set up, see Documentation/daq.rst */
	*fallback = (struct daq_format){
		.sample_bytes = 2,
		.line_bytes = 3840,
		.rate = 48000,
	};
	raw_format_apply(given, fallback);
	fallback->segment_bytes = fallback->frame_bytes;
	return given->frame_bytes ? fallback : NULL;
}
