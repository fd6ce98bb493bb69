/* SPDX-License-Identifier: GPL-2.0 */
/* What the test sources of cards yield, byte by byte: Documentation/daq.rst, Formats. */
#ifndef DAQ_TOOL_PATTERN_H
#define DAQ_TOOL_PATTERN_H

#include <daqring.h>
#include <stdbool.h>

struct pattern {
	enum daq_source source;
	uint32_t sample_bytes;
	uint32_t line_bytes;
};

/* Whether it is known what the source yields. */
bool pattern_is_known(enum daq_source source);

/*
 * Where in a signal a frame begins: counter, ramp and sine follow the first sample, bars
 * the number of the frame.
 */
struct pattern_place {
	uint64_t frame;
	uint64_t sample;
};

/* The bytes from @offset of a frame on. */
void pattern_fill(const struct pattern *pattern, const struct pattern_place *place, uint64_t offset,
		 uint8_t *data, size_t len);

/* Return: the first byte of the frame that is not as it has to be, or its length. */
size_t pattern_compare(const struct pattern *pattern, const struct pattern_place *place,
		       const struct iovec *iov, unsigned int count);

/*
 * For data of which nobody knows where they come from: sets what they can tell of
 * @place. false: that is no such signal.
 */
bool pattern_locate(const struct pattern *pattern, const uint8_t *data, size_t len,
		    struct pattern_place *place);

#endif /* DAQ_TOOL_PATTERN_H */
