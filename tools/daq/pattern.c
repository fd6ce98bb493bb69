// SPDX-License-Identifier: GPL-2.0
/* What the test sources of cards yield. On purpose this shares nothing with the card. */
#include <endian.h>
#include <math.h>
#include <string.h>
#include "pattern.h"

#define SINE_PERIOD	256
#define BLOCK_BYTES	4096

bool pattern_is_known(enum daq_source source)
{
	return source == DAQ_SOURCE_COUNTER || source == DAQ_SOURCE_RAMP ||
	       source == DAQ_SOURCE_SINE || source == DAQ_SOURCE_BARS;
}

static int16_t sine[SINE_PERIOD];

static void make_sine(void)
{
	unsigned int i;

	for (i = 0; i < SINE_PERIOD; i++)
		sine[i] = lround(INT16_MAX * sin(2 * M_PI * i / SINE_PERIOD));
}

/* The upper bits of 16, zeros below. */
static uint64_t sine_sample(uint64_t index, uint32_t sample_bytes)
{
	return (uint64_t)(uint16_t)sine[index % SINE_PERIOD] << 48 >> (64 - 8 * sample_bytes);
}

/* Y, U, V of white, yellow, cyan, green, magenta, red, blue, black. */
static const uint8_t bars[8][3] = {
	{ 235, 128, 128 }, { 210, 16, 146 }, { 170, 166, 16 }, { 145, 54, 34 },
	{ 106, 202, 222 }, { 81, 90, 240 }, { 41, 240, 110 }, { 16, 128, 128 },
};

/* Two pixels. The picture goes one pair to the left with each frame. */
static uint32_t bars_pair(uint32_t line_bytes, uint32_t frame, uint64_t offset)
{
	uint32_t pairs = line_bytes / 4 > 8 ? line_bytes / 4 : 8;
	uint32_t x = (offset % line_bytes / 4 + frame) % pairs;
	uint32_t bar = x / (pairs / 8);
	const uint8_t *c = bars[bar < 8 ? bar : 7];

	return c[0] | c[1] << 8 | c[0] << 16 | (uint32_t)c[2] << 24;
}

/* Eight bytes, little-endian, of which @index is the number in the signal or frame. */
static uint64_t word_at(const struct pattern *pattern, uint64_t frame, uint64_t index)
{
	uint32_t bits = 8 * pattern->sample_bytes;
	uint32_t samples = 64 / bits;
	uint64_t word = 0;
	uint32_t i;

	switch (pattern->source) {
	case DAQ_SOURCE_COUNTER:
		return index;
	case DAQ_SOURCE_BARS:
		return bars_pair(pattern->line_bytes, frame, 8 * index) |
		       (uint64_t)bars_pair(pattern->line_bytes, frame, 8 * index + 4) << 32;
	case DAQ_SOURCE_SINE:
		for (i = 0; i < samples; i++)
			word |= sine_sample(index * samples + i, pattern->sample_bytes) << i * bits;
		return word;
	default:
		for (i = 0; i < samples; i++)
			word |= ((index * samples + i) & UINT64_MAX >> (64 - bits)) << i * bits;
		return word;
	}
}

void pattern_fill(const struct pattern *pattern, const struct pattern_place *place, uint64_t offset,
		 uint8_t *data, size_t len)
{
	uint64_t pos = offset;
	size_t skip, n;

	if (pattern->source == DAQ_SOURCE_SINE && !sine[1])
		make_sine();
	if (pattern->source != DAQ_SOURCE_BARS)
		pos += place->sample * pattern->sample_bytes;
	for (; len; len -= n) {
		uint64_t word = htole64(word_at(pattern, place->frame, pos / 8));

		skip = pos % 8;
		n = len < 8 - skip ? len : 8 - skip;
		memcpy(data, (uint8_t *)&word + skip, n);
		data += n;
		pos += n;
	}
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	if (memcmp(a, b, len) == 0)
		return len;
	while (a[i] == b[i])
		i++;
	return i;
}

size_t pattern_compare(const struct pattern *pattern, const struct pattern_place *place,
		       const struct iovec *iov, unsigned int count)
{
	uint8_t wanted[BLOCK_BYTES];
	size_t done = 0, pos, len, same;

	for (; count; count--, iov++) {
		for (pos = 0; pos < iov->iov_len; pos += len) {
			len = iov->iov_len - pos < sizeof(wanted) ? iov->iov_len - pos :
								    sizeof(wanted);
			pattern_fill(pattern, place, done, wanted, len);
			same = first_difference((uint8_t *)iov->iov_base + pos, wanted, len);
			done += same;
			if (same < len)
				return done;
		}
	}
	return done;
}

/* How many places there are until the signal is the same again. */
static uint64_t period_of(const struct pattern *pattern)
{
	if (pattern->source == DAQ_SOURCE_SINE)
		return SINE_PERIOD;
	return pattern->line_bytes / 4 > 8 ? pattern->line_bytes / 4 : 8;
}

/* A frame need not begin with a whole word of the counter. */
static bool locate_counter(const struct pattern *pattern, const struct iovec *head,
			   struct pattern_place *place)
{
	uint64_t word, pos;
	size_t skip;

	for (skip = 0; skip < 8 && skip + 8 <= head->iov_len; skip += pattern->sample_bytes) {
		memcpy(&word, (uint8_t *)head->iov_base + skip, 8);
		pos = 8 * le64toh(word) - skip;
		place->sample = pos / pattern->sample_bytes;
		if (pos % pattern->sample_bytes == 0 &&
		    pattern_compare(pattern, place, head, 1) == head->iov_len)
			return true;
	}
	return false;
}

bool pattern_locate(const struct pattern *pattern, const uint8_t *data, size_t len,
		    struct pattern_place *place)
{
	struct iovec head = { (void *)data, len < BLOCK_BYTES ? len : BLOCK_BYTES };
	uint64_t first = 0, i;

	*place = (struct pattern_place){ 0 };
	switch (pattern->source) {
	case DAQ_SOURCE_COUNTER:
		return locate_counter(pattern, &head, place);
	case DAQ_SOURCE_RAMP:
		memcpy(&first, data, len < pattern->sample_bytes ? len : pattern->sample_bytes);
		place->sample = le64toh(first);
		return pattern_compare(pattern, place, &head, 1) == head.iov_len;
	default:
		for (i = 0; i < period_of(pattern); i++) {
			place->frame = i;
			place->sample = i;
			if (pattern_compare(pattern, place, &head, 1) == head.iov_len)
				return true;
		}
		return false;
	}
}
