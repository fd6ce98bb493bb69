// SPDX-License-Identifier: GPL-2.0
/*
 * Recordings without a card: what the writers of `daq capture` are given the readers
 * give back, gaps and all, for every format; also of files that were cut off, that are
 * damaged, and of disks that are full.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../tools/daq/disk.h"
#include "../tools/daq/json.h"
#include "../tools/daq/recording.h"
#include "../tools/daq/writer.h"

#define CHECK(condition) do {							\
	if (!(condition)) {							\
		printf("# %s:%d: %s\n", __func__, __LINE__, #condition);	\
		return false;							\
	}									\
} while (0)

#define SLOTS		8u
#define FRAMES		200u
#define SAMPLE		2u
#define SEGMENT		8192u
#define FRAME		(3 * SEGMENT)
#define SEGMENTS	3u
#define FIRST_NUMBER	4294967200ull	/* 32 bits are not enough */

/* What the library would be: a channel whose frames this program makes. */
struct daq_chan {
	unsigned int number;
	struct daq_format format;
	char *memory;		/* SLOTS frames */
	struct daq_hdr hdr[SLOTS][SEGMENTS];
	const struct daq_hdr *headers[SLOTS][SEGMENTS];
	struct iovec iov[SLOTS][2];
	unsigned int held;
	bool in_pieces;		/* as copied ones: headers between */

	uint64_t number_next;
	uint64_t sample_next;
};

unsigned int daq_chan__number(const struct daq_chan *chan)
{
	return chan->number;
}

const struct daq_format *daq_chan__format(const struct daq_chan *chan)
{
	return &chan->format;
}

unsigned int daq_chan__capacity(const struct daq_chan *chan)
{
	(void)chan;
	return SLOTS;
}

void daq_chan__memory(const struct daq_chan *chan, struct iovec *memory)
{
	*memory = (struct iovec){ chan->memory, SLOTS * FRAME };
}

int daq_chan__release(struct daq_chan *chan, struct daq_frame *frame)
{
	if (!(chan->held & 1u << frame->id))
		abort();
	chan->held &= ~(1u << frame->id);
	return 0;
}

const char *daq_errmsg(void)
{
	return "there is no library";
}

const char *daq_card__name(const struct daq_card *card)
{
	(void)card;
	return "daq0";
}

unsigned int daq_card__channels(const struct daq_card *card)
{
	(void)card;
	return DAQ_MAX_CHANNELS;
}

static uint16_t pattern(uint64_t number, uint32_t at)
{
	return number * 7919 + at;
}

static void chan_init(struct daq_chan *chan, unsigned int number)
{
	memset(chan, 0, sizeof(*chan));
	chan->number = number;
	chan->format = (struct daq_format){
		.source = DAQ_SOURCE_COUNTER, .sample_bytes = SAMPLE, .segment_bytes = SEGMENT,
		.frame_bytes = FRAME, .line_bytes = 100, .rate = 48000,
	};
	chan->number_next = FIRST_NUMBER;
	chan->sample_next = 777;
	chan->memory = aligned_alloc(4096, SLOTS * FRAME);
	if (!chan->memory)
		abort();
}

static uint64_t time_at(uint64_t sample)
{
	return 1763800801000000840ull + sample * 1000000000 / 48000;
}

static void fill_headers(struct daq_chan *chan, struct daq_frame *frame)
{
	uint32_t i, offset;

	frame->segments = (frame->len + SEGMENT - 1) / SEGMENT;
	frame->headers = chan->headers[frame->id];
	for (i = 0, offset = 0; i < frame->segments; i++, offset += SEGMENT) {
		uint32_t left = frame->len - offset, n = left < SEGMENT ? left : SEGMENT;
		struct daq_hdr hdr = {
			.ethertype = htons(DAQ_ETHERTYPE),
			.version = DAQ_HDR_VERSION,
			.flags = (i ? 0 : DAQ_HDR_F_SOF) | (n == left ? DAQ_HDR_F_EOF : 0),
			.channel = htons(chan->number),
			.frame = htonl(frame->number),
			.segment = htonl(i),
			.offset = htonl(offset),
			.payload_len = htonl(n),
			.frame_len = htonl(frame->len),
			.sample = htobe64(frame->sample + offset / SAMPLE),
			.timestamp = htobe64(time_at(frame->sample + offset / SAMPLE)),
		};

		if (frame->status & DAQ_FRAME_DAMAGED)
			hdr.flags |= DAQ_HDR_F_DAMAGED;
		if ((frame->status & DAQ_FRAME_LAST) && n == left)
			hdr.flags |= DAQ_HDR_F_LAST;
		chan->hdr[frame->id][i] = hdr;
		chan->headers[frame->id][i] = &chan->hdr[frame->id][i];
	}
}

static void fill_payload(struct daq_chan *chan, struct daq_frame *frame)
{
	char *memory = chan->memory + (size_t)frame->id * FRAME;
	uint16_t *word = (uint16_t *)memory;
	size_t cut = chan->in_pieces ? 3 : 0;
	uint32_t i;

	for (i = 0; i < FRAME / sizeof(*word); i++)
		word[i] = pattern(frame->number, i);
	frame->iov = chan->iov[frame->id];
	chan->iov[frame->id][0] = (struct iovec){ memory, cut ? cut : frame->len };
	chan->iov[frame->id][1] = (struct iovec){ memory + cut, frame->len - cut };
	frame->iovcnt = frame->len ? 1 + !!cut : 0;
	frame->data = cut || !frame->len ? NULL : memory;
}

/* A frame as the library would deliver it, with so many missing before it. */
static void make_frame(struct daq_chan *chan, struct daq_frame *frame, uint64_t lost, size_t len,
		       unsigned int status)
{
	memset(frame, 0, sizeof(*frame));
	while (chan->held & 1u << frame->id)
		frame->id++;
	if (frame->id >= SLOTS)
		abort();
	chan->held |= 1u << frame->id;
	if (status & DAQ_FRAME_RESTARTED) {
		chan->number_next = 5;
		chan->sample_next = 10;
	}
	frame->status = status;
	frame->gap = (struct daq_gap){ .frames = lost, .segments = lost * SEGMENTS - (lost > 0),
				       .samples = lost * FRAME / SAMPLE };
	if (lost)
		frame->status |= DAQ_FRAME_GAP_BEFORE;
	frame->number = chan->number_next + lost;
	frame->sample = chan->sample_next + frame->gap.samples;
	frame->timestamp = time_at(frame->sample);
	frame->len = len;
	if (status & DAQ_FRAME_ABORTED)
		frame->number--;
	chan->number_next = frame->number + 1;
	chan->sample_next = frame->sample + len / SAMPLE;
	fill_payload(chan, frame);
	fill_headers(chan, frame);
}

/* In TMPDIR: on a file system with direct I/O, if that is to be tested here. */
static char folder[256];

static char *file_name(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		abort();
	return path;
}

static void remove_files(void)
{
	static const char *const names[] = {
		"raw", "raw.idx", "x.sigmf-data", "x.sigmf-meta", "x.pcapng", "bad", "bad.idx",
		"bad.sigmf-data", "bad.sigmf-meta",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = file_name(names[i]);

		unlink(path);
		free(path);
	}
}

/* What can happen to a channel, one after the other. */
static void next_frame(struct daq_chan *chan, struct daq_frame *frame, unsigned int n)
{
	if (n == FRAMES - 1)
		make_frame(chan, frame, 0, 5000, DAQ_FRAME_LAST);
	else if (n % 50 == 20)
		make_frame(chan, frame, n, FRAME, 0);
	else if (n % 50 == 30 || n % 50 == 31)
		make_frame(chan, frame, 0, FRAME, DAQ_FRAME_DAMAGED);
	else if (n % 50 == 40)
		make_frame(chan, frame, 0, 1000, 0);
	else if (n == 145)
		make_frame(chan, frame, 0, FRAME, DAQ_FRAME_RESTARTED);
	else
		make_frame(chan, frame, 0, FRAME, 0);
}

static bool write_some(struct writer *writer, struct daq_chan *chan, struct disk *disk,
		       unsigned int count)
{
	struct daq_frame frame;
	unsigned int n;

	for (n = 0; n < count; n++) {
		next_frame(chan, &frame, n);
		CHECK(writer_write(writer, chan, &frame) == EXIT_OK);
		if (disk)
			CHECK(disk_submit(disk, n % 3 == 0) == EXIT_OK);
		if (n % 16 == 0)
			CHECK(writer_keep(writer) == EXIT_OK);
	}
	return true;
}

static bool same_payload(struct recording *recording, const struct daq_frame *frame)
{
	static uint16_t word[FRAME / sizeof(uint16_t)];
	uint32_t i;

	memset(word, 0, sizeof(word));
	CHECK(recording_read(recording, word) == EXIT_OK);
	for (i = 0; i < frame->len / sizeof(*word); i++)
		CHECK(word[i] == pattern(frame->number, i));
	return true;
}

static bool same_frame(const struct daq_frame *frame, const struct daq_frame *wanted)
{
	int64_t off = frame->timestamp - wanted->timestamp;

	CHECK(frame->number == wanted->number);
	CHECK(frame->sample == wanted->sample);
	CHECK(frame->len == wanted->len);
	CHECK(frame->status == wanted->status);
	CHECK(memcmp(&frame->gap, &wanted->gap, sizeof(frame->gap)) == 0);
	/* worked out from the rate */
	CHECK(off >= -1 && off <= 1);
	return true;
}

/* @most: frames that there are at most, since the rest was cut off. */
static bool read_all(const char *name, struct daq_chan *chan, unsigned int most,
		     unsigned int *count)
{
	struct recording *recording;
	struct daq_frame frame, wanted;
	int ret;

	CHECK(recording_open(&recording, name, chan->number, NULL) == EXIT_OK);
	CHECK(recording_info(recording)->format.rate == 48000);
	CHECK(recording_info(recording)->channel == chan->number);
	for (*count = 0; (ret = recording_next(recording, &frame)) > 0; ++*count) {
		CHECK(*count < most);
		next_frame(chan, &wanted, *count);
		if (!same_frame(&frame, &wanted)) {
			printf("# frame %u of %s\n", *count, name);
			return false;
		}
		CHECK(same_payload(recording, &frame));
		daq_chan__release(chan, &wanted);
	}
	CHECK(ret == 0);
	recording_close(recording);
	return true;
}

static struct writer *open_writer(struct daq_chan *chan, enum file_format format, char *name,
				  struct disk *disk)
{
	struct writer *writer;

	switch (format) {
	case FORMAT_PCAPNG:
		return writer_open_pcapng("daq0", &chan, 1, strdup(name));
	case FORMAT_SIGMF:
		writer = writer_open_sigmf("daq0", chan, name, NULL, disk, NULL);
		break;
	default:
		writer = writer_open_raw("daq0", chan, strdup(name), disk, NULL);
	}
	return writer;
}

static const char *const names[] = {
	[FORMAT_RAW] = "raw", [FORMAT_SIGMF] = "x.sigmf", [FORMAT_PCAPNG] = "x.pcapng",
};

/* What goes in comes out. */
static bool round_trip(enum file_format format, bool in_pieces, bool direct)
{
	char *name = file_name(names[format]);
	struct disk *disk = NULL;
	struct daq_chan chan, again, *chans = &chan;
	struct writer *writer;
	const char *why_not;
	unsigned int count;

	chan_init(&chan, 3);
	chan_init(&again, 3);
	chan.in_pieces = in_pieces;
	if (direct)
		disk = disk_open(&chans, 1, &why_not);
	if (direct && !disk)
		printf("# no direct I/O: %s\n", why_not);
	writer = open_writer(&chan, format, name, disk);
	CHECK(writer);
	CHECK(write_some(writer, &chan, disk, FRAMES));
	if (disk)
		CHECK(disk_drain(disk) == EXIT_OK);
	if (disk)
		printf("# %" PRIu64 " bytes directly, %" PRIu64 " not%s%s; memory %sregistered\n",
		       writer->sink.direct_bytes, writer->sink.buffered_bytes,
		       writer->sink.why_not ? ": " : "",
		       writer->sink.why_not ? writer->sink.why_not : "",
		       disk_registered(disk) ? "" : "not ");
	CHECK(!chan.held);
	CHECK(writer_close(writer) == EXIT_OK);
	disk_close(disk);
	CHECK(read_all(name, &again, FRAMES, &count));
	CHECK(count == FRAMES);
	free(chan.memory);
	free(again.memory);
	free(name);
	remove_files();
	return true;
}

static bool test_raw(void)
{
	return round_trip(FORMAT_RAW, false, false) && round_trip(FORMAT_RAW, true, false);
}

static bool test_sigmf(void)
{
	return round_trip(FORMAT_SIGMF, false, false) && round_trip(FORMAT_SIGMF, true, false);
}

static bool test_pcapng(void)
{
	return round_trip(FORMAT_PCAPNG, false, false) && round_trip(FORMAT_PCAPNG, true, false);
}

static bool test_direct(void)
{
	return round_trip(FORMAT_RAW, false, true) && round_trip(FORMAT_SIGMF, false, true) &&
	       round_trip(FORMAT_RAW, true, true);
}

/*
 * A loss behind which nothing came for a while is a frame without data. Only an index
 * knows of such; in other formats the gap is that of the next frame.
 */
static bool test_aborted(void)
{
	enum file_format format;

	for (format = FORMAT_RAW; format <= FORMAT_PCAPNG; format++) {
		char *name = file_name(names[format]);
		struct recording *recording;
		struct daq_chan chan;
		struct daq_frame frame, wanted[3];
		struct writer *writer;
		unsigned int i;

		chan_init(&chan, 0);
		make_frame(&chan, &wanted[0], 0, FRAME, 0);
		make_frame(&chan, &wanted[1], 3, 0, DAQ_FRAME_ABORTED);
		make_frame(&chan, &wanted[2], 2, FRAME, 0);
		writer = open_writer(&chan, format, name, NULL);
		CHECK(writer);
		for (i = 0; i < 3; i++) {
			frame = wanted[i];
			CHECK(writer_write(writer, &chan, &frame) == EXIT_OK);
		}
		CHECK(writer_close(writer) == EXIT_OK);
		if (format != FORMAT_RAW) {
			wanted[2].gap.frames += wanted[1].gap.frames;
			wanted[2].gap.segments += wanted[1].gap.segments;
			wanted[2].gap.samples += wanted[1].gap.samples;
		}
		CHECK(recording_open(&recording, name, 0, NULL) == EXIT_OK);
		for (i = 0; i < 3; i += format == FORMAT_RAW ? 1 : 2) {
			CHECK(recording_next(recording, &frame) == 1);
			CHECK(same_frame(&frame, &wanted[i]));
			CHECK(same_payload(recording, &frame));
		}
		CHECK(recording_next(recording, &frame) == 0);
		recording_close(recording);
		free(chan.memory);
		free(name);
		remove_files();
	}
	return true;
}

/* A process that is killed closes nothing: all up to the last time of keeping is there. */
static bool test_killed(void)
{
	enum file_format format;

	for (format = FORMAT_RAW; format <= FORMAT_PCAPNG; format++) {
		char *name = file_name(names[format]);
		struct daq_chan chan, again;
		struct writer *writer;
		unsigned int count;

		chan_init(&chan, 0);
		chan_init(&again, 0);
		writer = open_writer(&chan, format, name, NULL);
		CHECK(writer && write_some(writer, &chan, NULL, FRAMES - 2));
		CHECK(read_all(name, &again, FRAMES, &count));
		CHECK(count > FRAMES - 17);
		writer_close(writer);
		free(chan.memory);
		free(again.memory);
		free(name);
		remove_files();
	}
	return true;
}

/* No more room: whole frames only, and all that goes with them. */
static bool test_full(void)
{
	const struct rlimit small = { 40 * FRAME + 5000, RLIM_INFINITY };
	const struct rlimit large = { RLIM_INFINITY, RLIM_INFINITY };
	enum file_format format;

	signal(SIGXFSZ, SIG_IGN);
	for (format = FORMAT_RAW; format <= FORMAT_PCAPNG; format++) {
		char *name = file_name(names[format]);
		struct daq_chan chan, again;
		struct daq_frame frame;
		struct writer *writer;
		unsigned int count, n = 0;

		chan_init(&chan, 0);
		chan_init(&again, 0);
		writer = open_writer(&chan, format, name, NULL);
		CHECK(writer);
		setrlimit(RLIMIT_FSIZE, &small);
		do {
			next_frame(&chan, &frame, n);
		} while (writer_write(writer, &chan, &frame) == EXIT_OK && ++n < FRAMES);
		CHECK(n > 30 && n < 50);
		next_frame(&chan, &frame, n + 1);
		CHECK(writer_write(writer, &chan, &frame) == EXIT_FAILED);
		CHECK(writer_close(writer) == EXIT_FAILED);
		setrlimit(RLIMIT_FSIZE, &large);
		CHECK(!chan.held);
		CHECK(read_all(name, &again, n, &count));
		CHECK(count == n);
		free(chan.memory);
		free(again.memory);
		free(name);
		remove_files();
	}
	return true;
}

/* The same when the disk tells it only later, about one of several frames on their way. */
static bool test_full_direct(void)
{
	const struct rlimit small = { 25 * FRAME + 5000, RLIM_INFINITY };
	const struct rlimit large = { RLIM_INFINITY, RLIM_INFINITY };
	char *name = file_name("raw");
	struct daq_chan chan, again, *chans = &chan;
	struct daq_frame frame;
	struct writer *writer;
	const char *why_not;
	unsigned int count, n = 0;
	struct disk *disk;
	int ret;

	chan_init(&chan, 0);
	chan_init(&again, 0);
	disk = disk_open(&chans, 1, &why_not);
	writer = open_writer(&chan, FORMAT_RAW, name, disk);
	CHECK(writer);
	setrlimit(RLIMIT_FSIZE, &small);
	do {
		next_frame(&chan, &frame, n);
		ret = writer_write(writer, &chan, &frame);
		if (disk && !ret)
			ret = disk_submit(disk, n % 3 == 0);
	} while (!ret && ++n < FRAMES);
	CHECK(n >= 25 && n < 25 + SLOTS);
	if (disk)
		disk_drain(disk);
	CHECK(!chan.held);
	CHECK(writer_close(writer) == EXIT_FAILED);
	disk_close(disk);
	setrlimit(RLIMIT_FSIZE, &large);
	CHECK(read_all(name, &again, n, &count));
	CHECK(count == 25);
	free(chan.memory);
	free(again.memory);
	free(name);
	remove_files();
	return true;
}

/* Two channels in one file, each with its own frames. */
static bool test_channels(void)
{
	char *name = file_name("x.pcapng"), *other;
	struct daq_chan chan[2], again[2], *chans[2] = { &chan[0], &chan[1] };
	struct recording *recording;
	struct daq_frame frame;
	struct writer *writer;
	unsigned int i, count;

	for (i = 0; i < 2; i++) {
		chan_init(&chan[i], 4 + i);
		chan_init(&again[i], 4 + i);
	}
	writer = writer_open_pcapng("daq0", chans, 2, strdup(name));
	CHECK(writer);
	for (i = 0; i < 2 * FRAMES; i++) {
		next_frame(&chan[i % 2], &frame, i / 2);
		CHECK(writer_write(writer, &chan[i % 2], &frame) == EXIT_OK);
	}
	CHECK(writer_close(writer) == EXIT_OK);
	CHECK(read_all(name, &again[1], FRAMES, &count) && count == FRAMES);
	CHECK(asprintf(&other, "%s:4", name) > 0);
	CHECK(read_all(other, &again[0], FRAMES, &count) && count == FRAMES);
	CHECK(recording_open(&recording, name, 0, NULL) == EXIT_FAILED);
	for (i = 0; i < 2; i++) {
		free(chan[i].memory);
		free(again[i].memory);
	}
	free(other);
	free(name);
	remove_files();
	return true;
}

static char *load(const char *name, size_t *len)
{
	FILE *in = fopen(name, "r");
	char *memory;

	if (!in)
		abort();
	fseek(in, 0, SEEK_END);
	*len = ftell(in);
	rewind(in);
	memory = malloc(*len);
	if (!memory || fread(memory, 1, *len, in) != *len)
		abort();
	fclose(in);
	return memory;
}

static void store(const char *name, const char *memory, size_t len)
{
	FILE *out = fopen(name, "w");

	if (!out || fwrite(memory, 1, len, out) != len || fclose(out))
		abort();
}

/* Reads as much as there is, whatever it is. */
static void read_anything(const char *name)
{
	static char memory[DAQ_MAX_FRAME_BYTES];
	struct recording *recording;
	struct daq_frame frame;
	unsigned int n = 0;

	if (recording_open(&recording, name, 0, NULL))
		return;
	while (recording_next(recording, &frame) > 0 && n++ < 2 * FRAMES)
		if (frame.len > sizeof(memory) || recording_read(recording, memory))
			break;
	recording_close(recording);
}

/* Some bytes are wrong, and the end is missing: nothing bad comes of it. */
static bool damage(const char *name, const char *described)
{
	size_t len, cut;
	char *memory = load(described, &len);
	char *bad = malloc(len);
	unsigned int n, i;

	for (n = 0; n < 300; n++) {
		memcpy(bad, memory, len);
		cut = n % 3 ? len : rand() % len;
		for (i = 0; i < n % 4; i++)
			bad[rand() % (n % 2 ? len : 400)] = rand();
		store(described, bad, cut);
		read_anything(name);
	}
	free(bad);
	free(memory);
	return true;
}

static bool test_damaged_files(void)
{
	static const char *const described[] = { "raw.idx", "x.sigmf-meta", "x.pcapng" };
	enum file_format format;
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	srand(1);
	dup2(null, STDERR_FILENO);
	for (format = FORMAT_RAW; format <= FORMAT_PCAPNG; format++) {
		char *name = file_name(names[format]), *what = file_name(described[format]);
		struct daq_chan chan;
		struct writer *writer;

		chan_init(&chan, 0);
		writer = open_writer(&chan, format, name, NULL);
		CHECK(writer && write_some(writer, &chan, NULL, FRAMES));
		CHECK(writer_close(writer) == EXIT_OK);
		CHECK(damage(name, what));
		free(chan.memory);
		free(what);
		free(name);
		remove_files();
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	return true;
}

static bool is_json(const char *text)
{
	struct json *json = json_parse(text, strlen(text));

	json_free(json);
	return json;
}

static bool test_json(void)
{
	static const char text[] = " {\"a\": [1, 2.5e3, -3], \"b\\u0041\\\"\": {\"c\": \"x\\ny\"},"
				   "\"t\": true, \"n\": null, \"big\": 18446744073709551615}\n";
	static const char *const wrong[] = {
		"", "{", "}", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a: 1}", "\"x", "\"\\", "tru",
		"1 2", "--1", "\"\\u12", "[", "[[", "{\"a\": 1,}", "\"\\q\"",
	};
	char deep[200];
	struct json *json = json_parse(text, strlen(text));
	unsigned int i;

	CHECK(json);
	CHECK(json_uint(json, "big", 0) == UINT64_MAX);
	CHECK(json_uint(json, "a", 7) == 7 && json_uint(json, "none", 8) == 8);
	CHECK(strcmp(json_text(json_member(json, "bA\""), "c"), "x\ny") == 0);
	CHECK(json_is_true(json, "t") && !json_is_true(json, "n") && !json_is_true(NULL, "t"));
	CHECK(strcmp(json_member(json, "a")->first->next->text, "2.5e3") == 0);
	json_free(json);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		if (is_json(wrong[i])) {
			printf("# that is no JSON: %s\n", wrong[i]);
			return false;
		}
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	CHECK(!is_json(deep));
	return true;
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "json", test_json },
	{ "raw", test_raw },
	{ "sigmf", test_sigmf },
	{ "pcapng", test_pcapng },
	{ "direct", test_direct },
	{ "channels", test_channels },
	{ "aborted", test_aborted },
	{ "killed", test_killed },
	{ "full", test_full },
	{ "full_direct", test_full_direct },
	{ "damaged_files", test_damaged_files },
};

int main(void)
{
	unsigned int i, failed = 0;

	snprintf(folder, sizeof(folder), "%s/daq-record-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return 1;
	setlinebuf(stdout);
	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		bool ok = tests[i].run();

		printf("%sok %u %s\n", ok ? "" : "not ", i + 1, tests[i].name);
		failed += !ok;
	}
	remove_files();
	rmdir(folder);
	return failed > 0;
}
