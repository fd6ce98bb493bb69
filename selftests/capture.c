// SPDX-License-Identifier: GPL-2.0
/*
 * Every byte of what the library delivers is what the card produced, for formats
 * from 2 bytes to the longest segments, on 8 channels at once, with and without
 * zero copy.
 */
#include <string.h>
#include "guest.h"

#define CHANNELS 8

struct run {
	const char *name;
	enum daq_mode mode;
	bool contiguous;
	unsigned int frames;	/* per channel */
	struct daq_format format;
};

#define COUNTER(sample, segment, frame, rate_) { .source = DAQ_SOURCE_COUNTER,		\
	.sample_bytes = sample, .segment_bytes = segment, .frame_bytes = frame, .rate = rate_ }

static const struct run runs[] = {
	{ "10 segments of 15 pages", DAQ_MODE_ZERO_COPY, true, 4, COUNTER(2, 61440, 614400, 614400) },
	{ "segments of one page", DAQ_MODE_ZERO_COPY, true, 10, COUNTER(8, 4096, 32768, 20480) },
	{ "longest segments and a tail", DAQ_MODE_ZERO_COPY, false, 4,
	  COUNTER(4, 69632, 150000, 75000) },
	{ "64 KiB segments, one per frame", DAQ_MODE_ZERO_COPY, true, 6,
	  COUNTER(8, 65536, 65536, 40960) },
	{ "segments in one buffer", DAQ_MODE_ZERO_COPY, false, 10, COUNTER(2, 1024, 16384, 40960) },
	{ "the longest that fit one buffer", DAQ_MODE_ZERO_COPY, false, 10,
	  COUNTER(8, 3776, 7552, 9440) },
	{ "8 bytes more", DAQ_MODE_ZERO_COPY, false, 10, COUNTER(8, 3784, 7568, 9460) },
	{ "2 byte segments", DAQ_MODE_ZERO_COPY, false, 20, COUNTER(2, 2, 20, 500) },
	{ "odd sizes", DAQ_MODE_ZERO_COPY, false, 10, COUNTER(1, 3001, 10007, 50000) },
	{ "copied, several buffers", DAQ_MODE_COPY, false, 4, COUNTER(2, 20480, 102400, 102400) },
	{ "copied, one buffer", DAQ_MODE_COPY, false, 10, COUNTER(2, 1024, 8192, 20480) },
};

struct channel {
	struct daq_chan *chan;
	unsigned int frames;
	unsigned int wrong_data;
	unsigned int wrong_numbers;
	unsigned int scattered;
};

static const struct run *now;
static struct channel channels[CHANNELS];

static bool data_right(const struct daq_frame *frame)
{
	u64 at = frame->sample * now->format.sample_bytes;
	unsigned int i;

	for (i = 0; i < frame->iovcnt; i++) {
		if (!is_counter(frame->iov[i].iov_base, frame->iov[i].iov_len, at))
			return false;
		at += frame->iov[i].iov_len;
	}
	return at == frame->sample * now->format.sample_bytes + now->format.frame_bytes;
}

/* Frame and sample numbers start where the last run ended, so look at their steps. */
static int on_frame(struct daq_chan *chan, struct daq_frame *frame, void *ctx)
{
	static u64 first_number[CHANNELS], first_sample[CHANNELS];
	struct channel *channel = ctx;
	unsigned int c = channel - channels;
	u64 samples = now->format.frame_bytes / now->format.sample_bytes;

	if (!channel->frames) {
		first_number[c] = frame->number;
		first_sample[c] = frame->sample;
	}
	channel->wrong_numbers += frame->number != first_number[c] + channel->frames ||
				  frame->sample != first_sample[c] + channel->frames * samples ||
				  frame->len != now->format.frame_bytes || frame->status;
	channel->wrong_data += !data_right(frame);
	channel->scattered += !frame->data || (uintptr_t)frame->data % 4096;
	channel->frames++;
	daq_chan__release(chan, frame);
	return 0;
}

static void open_channels(void)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .mode = now->mode };
	unsigned int c;

	memset(channels, 0, sizeof(channels));
	for (c = 0; c < CHANNELS; c++)
		if (daq_chan__open(card_open(), c, &opts, &channels[c].chan) < 0 ||
		    daq_chan__on_frame(channels[c].chan, on_frame, &channels[c]) < 0)
			ktap_die("%s", daq_errmsg());
}

static bool all_done(void)
{
	unsigned int c;

	for (c = 0; c < CHANNELS; c++)
		if (channels[c].frames < now->frames)
			return false;
	return true;
}

static void capture(void)
{
	u64 end = now_ms() + 40000;

	while (!all_done() && now_ms() < end)
		if (daq_card__dispatch(card_open(), 1000) < 0)
			ktap_die("%s", daq_errmsg());
}

static void judge(void)
{
	unsigned int c, numbers = 0, data = 0, scattered = 0, lost = 0, unlike = 0;
	struct daq_chan_stats stats;

	for (c = 0; c < CHANNELS; c++) {
		daq_chan__stats(channels[c].chan, &stats, sizeof(stats));
		numbers += channels[c].wrong_numbers;
		data += channels[c].wrong_data;
		scattered += channels[c].scattered;
		lost += stats.lost_segments + stats.malformed;
		unlike += daq_chan__zero_copy(channels[c].chan) != (now->mode != DAQ_MODE_COPY);
	}
	ktap_ok(all_done(), "%s: %u frames from each of 8 channels", now->name, now->frames);
	ktap_eq(data, 0, "%s: every byte is right", now->name);
	ktap_eq(numbers + lost, 0, "%s: frames are whole and in order, none is lost", now->name);
	ktap_eq(unlike, 0, "%s: %s", now->name,
		now->mode == DAQ_MODE_COPY ? "copied" : "without a copy");
	if (now->contiguous)
		ktap_eq(scattered, 0, "%s: each frame is one piece of whole pages", now->name);
}

int main(void)
{
	unsigned int i, c;

	ktap_begin();
	card_ifname(CHANNELS);
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		u64 began = now_ms();

		now = &runs[i];
		set_lossless_formats(0, CHANNELS - 1, &now->format);
		open_channels();
		set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
		capture();
		judge();
		set_source(0, CHANNELS - 1, DAQ_SOURCE_NONE);
		for (c = 0; c < CHANNELS; c++)
			daq_chan__close(channels[c].chan);
		printf("# %llu ms\n", (unsigned long long)(now_ms() - began));
	}
	return ktap_end();
}
