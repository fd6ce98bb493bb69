// SPDX-License-Identifier: GPL-2.0
/* Parts of the daq command that need no card: loss between headers, signals, spectra. */
#include <arpa/inet.h>
#include <endian.h>
#include <math.h>
#include <string.h>
#include "headers.h"
#include "ktap.h"
#include "pattern.h"
#include "plot.h"

#define SEGMENT		4096
#define SEGMENTS	4	/* of a frame */
#define SAMPLE		2
#define FRAME		(SEGMENTS * SEGMENT)

static struct header segment(uint32_t frame, uint32_t number, uint64_t dropped)
{
	return (struct header){
		.flags = (number == 0 ? DAQ_HDR_F_SOF : 0) |
			 (number == SEGMENTS - 1 ? DAQ_HDR_F_EOF : 0),
		.frame = frame,
		.segment = number,
		.offset = number * SEGMENT,
		.bytes = SEGMENT,
		.frame_bytes = FRAME,
		.sample = ((uint64_t)frame * SEGMENTS + number) * SEGMENT / SAMPLE,
		.dropped = dropped,
	};
}

/* What is missing before the second of two segments; frame 0 has told the sizes before. */
static struct missing between(struct header first, struct header second)
{
	struct trace trace = { 0 };
	struct missing missing;
	struct header header;
	uint32_t i;

	for (i = 0; i < SEGMENTS; i++) {
		header = segment(0, i, 0);
		trace_follow(&trace, &header, &missing);
	}
	trace_follow(&trace, &first, &missing);
	trace_follow(&trace, &second, &missing);
	return missing;
}

static void check_gap(const char *name, struct header first, struct header second,
		      uint64_t segments, uint64_t by_card)
{
	struct missing missing = between(first, second);

	ktap_eq(missing.segments, segments, "headers: %s: segments", name);
	ktap_eq(missing.samples, segments * SEGMENT / SAMPLE, "headers: %s: samples", name);
	ktap_eq(missing.by_card, by_card, "headers: %s: dropped by the card", name);
}

static void test_headers(void)
{
	struct header notice = segment(3, 2, 2);
	struct header last = segment(0xffffffff, 3, 5);
	struct header first = segment(0, 1, 6);

	check_gap("adjacent", segment(1, 0, 5), segment(1, 1, 5), 0, 0);
	check_gap("the next frame", segment(1, 3, 5), segment(2, 0, 5), 0, 0);
	check_gap("one within a frame", segment(1, 0, 5), segment(1, 2, 6), 1, 1);
	check_gap("the rest of a frame", segment(1, 1, 5), segment(2, 0, 7), 2, 2);
	check_gap("two frames and parts of others", segment(1, 2, 0), segment(4, 1, 9), 10, 9);
	check_gap("by the host only", segment(1, 0, 5), segment(1, 3, 5), 2, 0);

	/* the numbers of a notice are those of what comes next */
	notice.bytes = 0;
	notice.flags = DAQ_HDR_F_OVERRUN;
	notice.frame_bytes = notice.offset;
	check_gap("a notice", segment(3, 0, 0), notice, 1, 1);
	check_gap("behind a notice", notice, segment(3, 2, 2), 0, 0);

	/* frame numbers start over at 2^32, samples do not */
	first.sample = last.sample + 2 * SEGMENT / SAMPLE;
	check_gap("the last of all frame numbers", last, first, 1, 1);
	ktap_ok(between(segment(5, 0, 0), segment(4, 0, 0)).restarted, "headers: counts anew");
}

static void test_parsing(void)
{
	struct daq_hdr hdr = {
		.ethertype = htons(DAQ_ETHERTYPE),
		.version = DAQ_HDR_VERSION,
		.channel = htons(3),
		.offset = htonl(100),
		.payload_len = htonl(50),
		.frame_len = htonl(150),
		.sample = htobe64(1ull << 40),
	};
	struct header header;

	ktap_ok(header_read(&header, &hdr, sizeof(hdr)) && header.channel == 3 &&
		header.sample == 1ull << 40, "headers: read");
	ktap_ok(!header_read(&header, &hdr, sizeof(hdr) - 1), "headers: one cut off is none");
	hdr.frame_len = htonl(149);
	ktap_ok(!header_read(&header, &hdr, sizeof(hdr)), "headers: more data than the frame");
	hdr.frame_len = htonl(150);
	hdr.channel = htons(DAQ_MAX_CHANNELS);
	ktap_ok(!header_read(&header, &hdr, sizeof(hdr)), "headers: no such channel");
}

/* Filled in pieces at odd places it is what it is at once; and then found again. */
static void check_pattern(enum daq_source source, uint32_t sample_bytes)
{
	struct pattern pattern = { source, sample_bytes, 1000 };
	struct pattern_place place = { .frame = 17, .sample = 1234567 }, found;
	uint8_t whole[9000], parts[9000];
	struct iovec iov[2] = { { whole, 4099 }, { whole + 4099, sizeof(whole) - 4099 } };
	size_t at, len;

	pattern_fill(&pattern, &place, 0, whole, sizeof(whole));
	for (at = 0; at < sizeof(parts); at += len) {
		len = sizeof(parts) - at < 37 ? sizeof(parts) - at : 37;
		pattern_fill(&pattern, &place, at, parts + at, len);
	}
	ktap_ok(memcmp(whole, parts, sizeof(whole)) == 0, "pattern %d, %u bytes: in pieces",
		source, sample_bytes);
	ktap_eq(pattern_compare(&pattern, &place, iov, 2), sizeof(whole),
		"pattern %d, %u bytes: is itself", source, sample_bytes);
	whole[7777] ^= 1;
	ktap_eq(pattern_compare(&pattern, &place, iov, 2), 7777,
		"pattern %d, %u bytes: the wrong byte", source, sample_bytes);
	whole[7777] ^= 1;
	ktap_ok(pattern_locate(&pattern, whole, sizeof(whole), &found) &&
		pattern_compare(&pattern, &found, iov, 2) == sizeof(whole),
		"pattern %d, %u bytes: is found again", source, sample_bytes);
}

static void test_patterns(void)
{
	struct pattern sine = { DAQ_SOURCE_SINE, 2, 0 };
	struct pattern_place place = { 0 };
	int16_t period[256];
	uint32_t bytes;

	for (bytes = 1; bytes <= DAQ_MAX_SAMPLE_BYTES; bytes *= 2) {
		check_pattern(DAQ_SOURCE_COUNTER, bytes);
		check_pattern(DAQ_SOURCE_RAMP, bytes);
		check_pattern(DAQ_SOURCE_SINE, bytes);
		check_pattern(DAQ_SOURCE_BARS, bytes);
	}
	pattern_fill(&sine, &place, 0, (uint8_t *)period, sizeof(period));
	ktap_ok(period[0] == 0 && period[1] == 804 && period[64] == 32767 && period[128] == 0 &&
		period[192] == -32767, "pattern: the sine is the one of cards");
}

/* A sine of half the full scale anywhere between two points of the spectrum. */
static void test_spectrum(void)
{
	struct samples samples = { .count = 20000, .rate = 1e6, .full_scale = 32768 };
	struct spectrum spectrum;
	double *value = calloc(samples.count, sizeof(*value)), wanted;
	size_t i;
	int n;

	samples.value = value;
	for (n = 0; n < 5; n++) {
		wanted = 123456 + n * 12.2;
		for (i = 0; i < samples.count; i++)
			value[i] = 5000 + 16384 * sin(2 * M_PI * wanted * i / samples.rate);
		if (!ktap_ok(spectrum_of(&samples, &spectrum), "spectrum: %.1f Hz", wanted))
			continue;
		ktap_ok(fabs(spectrum.peak - wanted) < 1e6 / 16384 / 10,
			"spectrum: the peak is at %.1f Hz", spectrum.peak);
		ktap_ok(fabs(spectrum.peak_level + 6.02) < 0.4, "spectrum: and has %.2f dBFS",
			spectrum.peak_level);
		ktap_ok(spectrum.level[8000] < -90, "spectrum: nothing else is there");
		spectrum_free(&spectrum);
	}
	memset(value, 0, samples.count * sizeof(*value));
	ktap_ok(spectrum_of(&samples, &spectrum) && spectrum.peak_level <= -199,
		"spectrum: of nothing");
	spectrum_free(&spectrum);
	samples.count = SPECTRUM_MIN - 1;
	ktap_ok(!spectrum_of(&samples, &spectrum), "spectrum: of too few samples there is none");
	free(value);
}

int main(void)
{
	ktap_begin();
	test_headers();
	test_parsing();
	test_patterns();
	test_spectrum();
	return ktap_end();
}
