// SPDX-License-Identifier: GPL-2.0
/*
 * Triggers: which frames of a channel come is what the program says, to the last frame;
 * what it drops is counted, told in the next frame, and not taken for lost; the other
 * channel sees nothing of it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	2

/*
 * One segment each, and several, which begin in another buffer than the header. The ramp
 * comes back to where it was after 65,536 samples, and frames are nowhere near in step
 * with that: some see it high, wherever they began.
 */
static const struct daq_format small = {
	.sample_bytes = 2, .segment_bytes = 2048, .frame_bytes = 2048, .rate = 60 * 1024,
};
static const struct daq_format large = {
	.sample_bytes = 2, .segment_bytes = 8192, .frame_bytes = 2 * 8192 + 6144, .rate = 90 * 4096,
};

static const struct daq_format *format;
static struct daq_chan *chans[CHANNELS];
static struct stats *before;

/* What the frames of each channel said. */
static struct {
	bool known;
	u64 next_number, next_sample;
	unsigned int frames, wrong, unwanted, missed;
	struct daq_gap sum;
} seen[CHANNELS];

typedef bool (*wish)(u64 number);

static bool every(u64 number)
{
	(void)number;
	return true;
}

static bool tenth(u64 number)
{
	return number % 10 == 0;
}

static bool second(u64 number)
{
	return number % 2 == 0;
}

/* The ramp counts samples: does one of the first 1,024 of a frame reach 30,000? */
static bool high(u64 number, u64 first)
{
	unsigned int i;

	(void)number;
	for (i = 0; i < 1024; i++)
		if ((int16_t)(first + i) >= 30000)
			return true;
	return false;
}

/* The object with examples of that name. */
static const char *object(const char *name)
{
	static char path[256];
	ssize_t len = readlink("/proc/self/exe", path, 128);

	if (len < 0)
		ktap_die("/proc/self/exe: %m");
	path[len] = '\0';
	sprintf(strrchr(path, '/'), "/../bpf/%s.bpf.o", name);
	return path;
}

static struct daq_trigger *open_trigger(const char *name, const char *program)
{
	struct daq_trigger *trigger;

	if (daq_trigger__open(card_open(), object(name), program, &trigger) < 0)
		ktap_die("%s", daq_errmsg());
	return trigger;
}

static void set(unsigned int c, const struct daq_trigger *trigger)
{
	if (daq_chan__set_trigger(chans[c], trigger) < 0)
		ktap_die("%s", daq_errmsg());
}

static void begin(const struct daq_format *which)
{
	struct daq_chan_opts opts = { .sz = sizeof(opts), .buffer_bytes = 4 << 20 };
	unsigned int c;

	format = which;
	memset(seen, 0, sizeof(seen));
	set_lossless_formats(0, CHANNELS - 1, format);
	for (c = 0; c < CHANNELS; c++)
		if (daq_chan__open(card_open(), c, &opts, &chans[c]) < 0)
			ktap_die("%s", daq_errmsg());
	before = stats_read();
}

static bool is_ramp(const struct daq_frame *frame)
{
	u16 sample = frame->sample;
	unsigned int i;
	size_t k;

	for (i = 0; i < frame->iovcnt; i++)
		for (k = 0; k < frame->iov[i].iov_len / 2; k++)
			if (((const u16 *)frame->iov[i].iov_base)[k] != sample++)
				return false;
	return true;
}

static void note(unsigned int c, const struct daq_frame *frame)
{
	const struct daq_gap *gap = &frame->gap;
	u64 left_out = gap->frames + gap->filtered_frames;

	if (seen[c].known)
		seen[c].wrong += frame->number != seen[c].next_number + left_out ||
				 frame->sample != seen[c].next_sample +
						  left_out * format->frame_bytes / 2;
	seen[c].wrong += frame->len != format->frame_bytes || !is_ramp(frame);
	seen[c].wrong += !!(frame->status & DAQ_FRAME_GAP_BEFORE) != (gap->frames > 0);
	seen[c].known = true;
	seen[c].next_number = frame->number + 1;
	seen[c].next_sample = frame->sample + frame->len / 2;
	seen[c].frames++;
	seen[c].sum.frames += gap->frames;
	seen[c].sum.segments += gap->segments;
	seen[c].sum.filtered_frames += gap->filtered_frames;
	seen[c].sum.filtered_segments += gap->filtered_segments;
}

/* Channel 0 is to see what @wanted says, or @high for a threshold. */
static void judge(const struct daq_frame *frame, wish wanted, bool (*high)(u64 number, u64 sample))
{
	u64 number = seen[0].next_number, at = seen[0].next_sample;
	bool known = seen[0].known;

	seen[0].unwanted += high ? !high(frame->number, frame->sample) : !wanted(frame->number);
	for (; known && number < frame->number; number++, at += format->frame_bytes / 2)
		seen[0].missed += high ? high(number, at) : wanted(number);
}

/* One frame of each channel, if they come soon: how many have. */
static unsigned int receive_some(wish wanted, bool (*high)(u64 number, u64 sample))
{
	unsigned int c, frames = 0;
	struct daq_frame frame;
	int ret;

	for (c = 0; c < CHANNELS; c++) {
		ret = daq_chan__next(chans[c], &frame, 5);
		if (ret < 0)
			ktap_die("%s", daq_errmsg());
		if (ret == 0)
			continue;
		if (c == 0)
			judge(&frame, wanted, high);
		note(c, &frame);
		daq_chan__release(chans[c], &frame);
		frames++;
	}
	return frames;
}

static void receive(unsigned int ms, wish wanted, bool (*high)(u64 number, u64 sample))
{
	u64 end = now_ms() + ms;

	while (now_ms() < end)
		receive_some(wanted, high);
}

/* However long a busy host takes: until each channel has had so many frames. */
static void receive_enough(unsigned int first, unsigned int second, wish wanted,
			   bool (*high)(u64 number, u64 sample))
{
	u64 end = now_ms() + 60000;

	while ((seen[0].frames < first || seen[1].frames < second) && now_ms() < end)
		receive_some(wanted, high);
}

/* What is left, until nothing comes for a while. */
static void receive_rest(void)
{
	unsigned int idle;

	for (idle = 0; idle < 20; idle++)
		if (receive_some(every, NULL))
			idle = 0;
}

static u64 grown(const struct stats *after, unsigned int c, const char *counter)
{
	return stat_of(after, "ch%u_%s", c, counter) - stat_of(before, "ch%u_%s", c, counter);
}

/* Everything is delivered, filtered or lost, and nothing is two of that. */
static void check_account(const char *name, unsigned int c)
{
	struct daq_chan_stats stats;
	struct stats *after = stats_read();
	u64 produced = grown(after, c, "produced");

	daq_chan__stats(chans[c], &stats, sizeof(stats));
	ktap_eq(stats.segments + stats.filtered_segments + stats.lost_segments, produced,
		"%s, channel %u: produced = arrived + filtered + lost, to the last segment", name, c);
	ktap_eq(stats.filtered_segments, grown(after, c, "drop_xdp"),
		"%s, channel %u: what was filtered is what the driver saw dropped", name, c);
	ktap_ok(stats.lost_segments <= stats_overrun(after, c),
		"%s, channel %u: nothing was lost", name, c);
	ktap_eq(seen[c].wrong, 0, "%s, channel %u: every frame is right, and so is its gap",
		name, c);
	printf("# %s, channel %u: %u frames of %llu segments, filtered %llu in %llu\n", name, c,
	       seen[c].frames, (unsigned long long)produced,
	       (unsigned long long)stats.filtered_frames,
	       (unsigned long long)stats.filtered_segments);
}

static void end(const char *name)
{
	unsigned int c;

	quiesce();
	receive_rest();
	for (c = 0; c < CHANNELS; c++) {
		check_account(name, c);
		daq_chan__close(chans[c]);
	}
	ktap_eq(seen[1].sum.filtered_frames, 0, "%s: the other channel has all its frames", name);
}

static void test_every_tenth(const struct daq_format *which, const char *name)
{
	struct daq_trigger *trigger;

	begin(which);
	trigger = open_trigger("daq_every", "every_10th");
	set(0, trigger);
	daq_trigger__close(trigger);
	set_source(0, 1, DAQ_SOURCE_RAMP);
	receive_enough(5, 0, tenth, NULL);
	ktap_ok(seen[0].frames >= 5, "%s: %u frames come", name, seen[0].frames);
	ktap_eq(seen[0].unwanted + seen[0].missed, 0, "%s: every tenth and no other", name);
	if (!card_is_kicked())
		ktap_eq(seen[0].sum.filtered_frames, 9 * (seen[0].frames - 1),
			"%s: each tells of 9 that were filtered", name);
	end(name);
}

static void test_threshold(const struct daq_format *which, const char *name)
{
	struct daq_trigger *trigger;

	begin(which);
	trigger = open_trigger("daq_threshold", NULL);
	set(0, trigger);
	set_source(0, 1, DAQ_SOURCE_RAMP);
	receive_enough(2, card_is_kicked() ? 30 : 120, NULL, high);
	ktap_ok(seen[0].frames >= 2 && seen[0].frames < seen[1].frames / 2,
		"%s: %u of %u frames come", name, seen[0].frames, seen[1].frames);
	ktap_eq(seen[0].unwanted + seen[0].missed, 0,
		"%s: those with a sample above it and no other", name);
	daq_trigger__close(trigger);
	end(name);
}

/* Nothing gets lost when the wishes change. */
static void test_change(void)
{
	struct daq_trigger *tenths, *seconds;
	unsigned int i, frames;

	begin(&large);
	tenths = open_trigger("daq_every", "every_10th");
	seconds = open_trigger("daq_every", "every_2nd");
	set_source(0, 1, DAQ_SOURCE_RAMP);
	for (i = 0; i < 12; i++) {
		set(0, i % 3 == 0 ? seconds : i % 3 == 1 ? tenths : NULL);
		receive(150, every, NULL);
	}
	set(0, seconds);
	/* what came in before */
	receive(500, every, NULL);
	receive_enough(seen[0].frames + 5, 0, every, NULL);
	seen[0].unwanted = 0;
	frames = seen[0].frames + 10;
	receive_enough(frames, 0, second, NULL);
	ktap_ok(seen[0].frames >= frames, "change: frames come");
	ktap_eq(seen[0].unwanted, 0, "change: as the last trigger will have it");
	daq_trigger__close(tenths);
	daq_trigger__close(seconds);
	ktap_eq(seen[0].sum.frames, 0, "change: nothing is taken for lost");
	end("change");
}

/*
 * What is dropped goes round in the order in which it was posted: frames that come are
 * in one piece, also with polls that end inside of frames, and consumers that are late.
 * A loss disturbs that for a while.
 */
static void test_pieces(void)
{
	/* an odd number: each place is that of a frame that comes, and then of another */
	const unsigned int slots = 15, settled = 2 * slots, enough = 40;
	struct daq_chan_opts opts = {
		.sz = sizeof(opts), .mode = DAQ_MODE_ZERO_COPY,
		/* a frame has three headers and six pages */
		.buffer_bytes = slots * 9 * 4096,
	};
	unsigned int since = 0, pieces = 0;
	struct daq_trigger *trigger;
	struct daq_frame frame;

	if (card_is_kicked()) {
		ktap_skip("pieces: none", "a kicked card keeps too little of what comes at once");
		return;
	}
	set_formats(0, 0, &large);
	if (daq_chan__open(card_open(), 0, &opts, &chans[0]) < 0)
		ktap_die("%s", daq_errmsg());
	trigger = open_trigger("daq_every", "every_2nd");
	set(0, trigger);
	/* a frame takes 30 ms: two and a part of the third, most times */
	set_moderation(3, 70000);
	set_source(0, 0, DAQ_SOURCE_RAMP);
	while (since < settled + enough) {
		if (daq_chan__next(chans[0], &frame, 20000 * test_scale()) != 1)
			ktap_die("no frame: %s", daq_errmsg());
		if (frame.status & DAQ_FRAME_GAP_BEFORE) {
			since = 0;
			pieces = 0;
		}
		since++;
		pieces += since > settled && frame.iovcnt > 1;
		/* where the card is in another frame then differs */
		usleep(since * 7919 % 30000);
		daq_chan__release(chans[0], &frame);
	}
	ktap_eq(pieces, 0, "pieces: every one of %u frames that come is in one", enough);
	quiesce();
	set_moderation(1, 100000);
	daq_chan__close(chans[0]);
	daq_trigger__close(trigger);
}

/* It ends with the channel, and does not keep the last frame from telling that it is. */
static void test_ends(void)
{
	struct daq_format loop = { .source = DAQ_SOURCE_LOOPBACK, .loop_from = 1 };
	struct daq_chan_opts play = { .sz = sizeof(play), .direction = DAQ_OUTPUT };
	struct daq_trigger *trigger;
	struct daq_frame frame;
	struct daq_chan *out;
	bool last = false;
	u64 until;
	int i;

	begin(&large);
	for (i = 0; i < CHANNELS; i++)
		daq_chan__close(chans[i]);
	if (daq_card__set_format(card_open(), 0, &loop,
				 DAQ_FORMAT_SOURCE | DAQ_FORMAT_LOOP_FROM) < 0 ||
	    daq_chan__open(card_open(), 0, NULL, &chans[0]) < 0 ||
	    daq_chan__open(card_open(), 1, &play, &out) < 0)
		ktap_die("%s", daq_errmsg());
	trigger = open_trigger("daq_every", "every_10th");
	set(0, trigger);
	/* two ends: at least one is of a frame that nobody wants */
	for (i = 0; i < 2; i++) {
		if (daq_chan__reserve(out, format->frame_bytes, &frame, 1000) != 1 ||
		    daq_chan__submit(out, &frame, DAQ_FRAME_LAST) < 0)
			ktap_die("%s", daq_errmsg());
		last = false;
		until = now_ms() + 20000;
		while (!last && now_ms() < until)
			if (daq_chan__next(chans[0], &frame, 100) == 1) {
				last = frame.status & DAQ_FRAME_LAST;
				ktap_ok(!frame.len == (frame.number % 10 != 0) &&
					!frame.gap.frames,
					"end: frame %llu has %zu bytes, and no loss",
					(unsigned long long)frame.number, frame.len);
				daq_chan__release(chans[0], &frame);
			}
		ktap_ok(last, "end: the end of the source is told");
	}
	daq_chan__close(out);
	daq_chan__close(chans[0]);

	/* the trigger is still loaded, but nobody's */
	begin(&large);
	set_source(0, 1, DAQ_SOURCE_RAMP);
	receive_enough(12, 0, every, NULL);
	ktap_ok(seen[0].frames >= 12 && !seen[0].sum.filtered_frames,
		"end: the next owner of the channel has no trigger");
	daq_trigger__close(trigger);
	end("end");
}

/* The same by the command: three frames in a file, with nine between each two. */
static void test_command(void)
{
	char file[] = "/tmp/trigger.XXXXXX";
	u16 first[3] = { 0 };
	int fd = mkstemp(file), n;

	/* with a steering program of its own */
	card_close();
	set_formats(0, 0, &small);
	set_source(0, 0, DAQ_SOURCE_RAMP);
	ktap_eq(shell("daq capture %s 0=%s --trigger %s:every_10th -n 3 -q", card_ifname(CHANNELS),
		      file, object("daq_every")), 0, "command: it loses nothing");
	for (n = 0; n < 3; n++)
		if (pread(fd, &first[n], sizeof(first[n]), n * small.frame_bytes) < 0)
			ktap_die("%s: %m", file);
	ktap_ok(lseek(fd, 0, SEEK_END) == 3 * small.frame_bytes &&
		(u16)(first[1] - first[0]) == 10 * 1024 && (u16)(first[2] - first[1]) == 10 * 1024,
		"command: every tenth frame is in the file");
	close(fd);
	unlink(file);
	quiesce();
}

static void test_refusals(void)
{
	struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct daq_trigger *trigger;
	int fd, err;

	begin(&small);
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "no_frags", "GPL", pass, 2, &opts);
	err = daq_chan__set_trigger_fd(chans[0], fd);
	ktap_ok(err == -EINVAL && strstr(daq_errmsg(), "xdp.frags"), "refused: %s", daq_errmsg());
	close(fd);
	err = daq_trigger__open(card_open(), "/dev/null", NULL, &trigger);
	ktap_ok(err == -EINVAL && strstr(daq_errmsg(), "/dev/null"), "refused: %s",
		daq_errmsg());
	err = daq_trigger__open(card_open(), "/nowhere", NULL, &trigger);
	ktap_ok(err == -ENOENT && strstr(daq_errmsg(), "/nowhere"), "refused: %s", daq_errmsg());
	quiesce();
	daq_chan__close(chans[0]);
	daq_chan__close(chans[1]);
}

int main(void)
{
	ktap_begin();
	card_ifname(CHANNELS);
	test_every_tenth(&small, "every tenth");
	test_every_tenth(&large, "every tenth, three segments");
	test_threshold(&small, "threshold");
	test_threshold(&large, "threshold, several buffers");
	test_change();
	test_pieces();
	test_ends();
	test_refusals();
	test_command();
	return ktap_end();
}
