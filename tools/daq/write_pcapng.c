// SPDX-License-Identifier: GPL-2.0
/*
 * pcapng files: every segment with its header, as it came. Through the page cache, for
 * what is between segments is not of the size that direct writes ask for.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include "parts.h"
#include "pcapng.h"
#include "writer.h"

#define OPTION_MAX	1024
#define NS_RESOLUTION	9

/* What is in front of and behind a segment's payload, and the option that tells of drops. */
struct packet_begin {
	struct pcapng_head head;
	struct pcapng_packet packet;
	struct daq_hdr hdr;
} __attribute__((packed));

struct drop_option {
	struct pcapng_option option;
	uint64_t count;
	struct pcapng_option end;
} __attribute__((packed));

#define AROUND_MAX (sizeof(struct packet_begin) + 3 + sizeof(struct drop_option) + 4)

struct interface {
	struct daq_chan *chan;
	uint64_t segments;
	uint64_t dropped;
	uint64_t untold;	/* of these no packet has told yet */
	uint64_t first;		/* time stamps */
	uint64_t last;
};

struct pcapng_writer {
	struct writer writer;
	struct interface interface[DAQ_MAX_CHANNELS];
	unsigned int count;

	/* of one frame */
	char *around;
	size_t around_len;
	size_t around_room;
	struct iovec *iov;
	unsigned int iovcnt;
	size_t iov_room;
	unsigned int from;	/* its piece that is next */
	size_t skip;		/* and how much of it is gone */
};

static struct pcapng_writer *pcapng_of(struct writer *writer)
{
	return (struct pcapng_writer *)writer;
}

/* Blocks that are not packets */

static size_t put_option(char *to, uint16_t code, const void *value, uint16_t len)
{
	struct pcapng_option option = { code, len };

	memcpy(to, &option, sizeof(option));
	memset(to + sizeof(option), 0, pcapng_padded(len));
	memcpy(to + sizeof(option), value, len);
	return sizeof(option) + pcapng_padded(len);
}

static size_t put_text(char *to, uint16_t code, const char *text)
{
	return put_option(to, code, text, strlen(text));
}

static int write_block(struct pcapng_writer *pcapng, uint32_t type, const void *body, size_t len,
		       const char *options, size_t options_len)
{
	static const struct pcapng_option end;
	struct pcapng_head head = {
		.type = type,
		.len = sizeof(head) + len + options_len + sizeof(end) + sizeof(head.len),
	};
	struct iovec iov[] = {
		{ &head, sizeof(head) },
		{ (void *)body, len },
		{ (void *)options, options_len },
		{ (void *)&end, sizeof(end) },
		{ &head.len, sizeof(head.len) },
	};

	return sink_write(&pcapng->writer.sink, iov, ARRAY_SIZE(iov));
}

static int write_section(struct pcapng_writer *pcapng)
{
	struct pcapng_section section = { .order = PCAPNG_ORDER, .major = 1, .len = -1 };
	char options[OPTION_MAX];
	size_t len = put_text(options, PCAPNG_SHB_APPLICATION, "daq " DAQ_VERSION);

	return write_block(pcapng, PCAPNG_SECTION, &section, sizeof(section), options, len);
}

static size_t put_description(char *to, const struct daq_format *format)
{
	char text[128];

	snprintf(text, sizeof(text), "%s, %u-byte samples, %ju/s, frames of %u bytes",
		 source_name(format->source), format->sample_bytes, (uintmax_t)format->rate,
		 format->frame_bytes);
	return put_text(to, PCAPNG_IF_DESCRIPTION, text);
}

/* The format as JSON, for those who make frames of it again. */
static size_t put_format(char *to, const char *card, const struct daq_chan *chan)
{
	char text[OPTION_MAX / 2] = "";
	struct parts parts;
	FILE *out = fmemopen(text, sizeof(text), "w");

	if (!out)
		return 0;
	parts_init(&parts, card, daq_chan__number(chan), daq_chan__format(chan));
	fputc('{', out);
	parts_describe(&parts, "", ", ", out);
	fputc('}', out);
	fclose(out);
	return put_text(to, PCAPNG_COMMENT, text);
}

static int write_interface(struct pcapng_writer *pcapng, const char *card,
			   const struct daq_chan *chan)
{
	struct pcapng_interface interface = { .link = PCAPNG_LINK_ETHERNET };
	const uint8_t resolution = NS_RESOLUTION;
	char options[OPTION_MAX], name[48];
	size_t len;

	snprintf(name, sizeof(name), "%s:%u", card, daq_chan__number(chan));
	len = put_text(options, PCAPNG_IF_NAME, name);
	len += put_description(options + len, daq_chan__format(chan));
	len += put_option(options + len, PCAPNG_IF_TSRESOL, &resolution, sizeof(resolution));
	len += put_format(options + len, card, chan);
	return write_block(pcapng, PCAPNG_INTERFACE, &interface, sizeof(interface), options, len);
}

/* Times are in two halves, the upper one first. */
static size_t put_time(char *to, uint16_t code, uint64_t time)
{
	uint32_t halves[2] = { time >> 32, time };

	return put_option(to, code, halves, sizeof(halves));
}

static int write_statistics(struct pcapng_writer *pcapng, unsigned int number)
{
	const struct interface *interface = &pcapng->interface[number];
	struct pcapng_statistics statistics = {
		.interface = number,
		.time_high = interface->last >> 32,
		.time_low = interface->last,
	};
	char options[OPTION_MAX];
	size_t len;

	len = put_time(options, PCAPNG_ISB_STARTTIME, interface->first);
	len += put_time(options + len, PCAPNG_ISB_ENDTIME, interface->last);
	len += put_option(options + len, PCAPNG_ISB_IFRECV, &interface->segments,
			  sizeof(interface->segments));
	len += put_option(options + len, PCAPNG_ISB_IFDROP, &interface->dropped,
			  sizeof(interface->dropped));
	return write_block(pcapng, PCAPNG_STATISTICS, &statistics, sizeof(statistics), options,
			   len);
}

/* Packets */

/* Room for what a frame needs at most: it grows with the first one only. */
static bool make_room(struct pcapng_writer *pcapng, const struct daq_frame *frame)
{
	size_t around = frame->segments * AROUND_MAX;
	/* a segment has its pieces, one that is cut at its end, and what is around it */
	size_t iov = 2 * frame->segments + frame->iovcnt + 1;
	void *grown;

	if (around > pcapng->around_room) {
		grown = realloc(pcapng->around, around);
		if (!grown)
			return false;
		pcapng->around = grown;
		pcapng->around_room = around;
	}
	if (iov > pcapng->iov_room) {
		grown = realloc(pcapng->iov, iov * sizeof(*pcapng->iov));
		if (!grown)
			return false;
		pcapng->iov = grown;
		pcapng->iov_room = iov;
	}
	return true;
}

static void add_piece(struct pcapng_writer *pcapng, void *base, size_t len)
{
	struct iovec *last = pcapng->iov + pcapng->iovcnt - 1;

	/* what is around two segments meets */
	if (pcapng->iovcnt && (char *)last->iov_base + last->iov_len == base)
		last->iov_len += len;
	else
		pcapng->iov[pcapng->iovcnt++] = (struct iovec){ base, len };
}

static void add_around(struct pcapng_writer *pcapng, const void *from, size_t len)
{
	char *to = pcapng->around + pcapng->around_len;

	memcpy(to, from, len);
	pcapng->around_len += len;
	add_piece(pcapng, to, len);
}

/* The next bytes of the frame, where they are. */
static void add_payload(struct pcapng_writer *pcapng, const struct daq_frame *frame, size_t len)
{
	const struct iovec *piece;
	size_t n;

	while (len) {
		piece = &frame->iov[pcapng->from];
		n = piece->iov_len - pcapng->skip;
		if (n > len)
			n = len;
		add_piece(pcapng, (char *)piece->iov_base + pcapng->skip, n);
		len -= n;
		pcapng->skip += n;
		if (pcapng->skip == piece->iov_len) {
			pcapng->from++;
			pcapng->skip = 0;
		}
	}
}

static void add_segment(struct pcapng_writer *pcapng, unsigned int number,
			const struct daq_frame *frame, const struct daq_hdr *hdr, uint64_t drops)
{
	static const char padding[3];
	uint64_t time = be64toh(hdr->timestamp);
	uint32_t payload = ntohl(hdr->payload_len);
	uint32_t len = DAQ_HDR_LEN + payload;
	struct drop_option option = {
		.option = { PCAPNG_EPB_DROPCOUNT, sizeof(drops) }, .count = drops,
	};
	struct packet_begin begin = {
		.head = {
			.type = PCAPNG_PACKET,
			.len = sizeof(begin.head) + sizeof(begin.packet) + pcapng_padded(len) +
			       (drops ? sizeof(option) : 0) + sizeof(begin.head.len),
		},
		.packet = {
			.interface = number,
			.time_high = time >> 32, .time_low = time,
			.captured = len, .len = len,
		},
		.hdr = *hdr,
	};

	add_around(pcapng, &begin, sizeof(begin));
	add_payload(pcapng, frame, payload);
	add_around(pcapng, padding, pcapng_padded(len) - len);
	if (drops)
		add_around(pcapng, &option, sizeof(option));
	add_around(pcapng, &begin.head.len, sizeof(begin.head.len));
}

static int write_frame(struct pcapng_writer *pcapng, struct interface *interface,
		       const struct daq_frame *frame)
{
	unsigned int number = interface - pcapng->interface;
	unsigned int i;

	interface->dropped += frame->gap.segments;
	interface->untold += frame->gap.segments;
	if (!frame->segments)
		return EXIT_OK;
	if (!make_room(pcapng, frame))
		return failure("no memory");
	pcapng->around_len = 0;
	pcapng->iovcnt = 0;
	pcapng->from = 0;
	pcapng->skip = 0;
	for (i = 0; i < frame->segments; i++) {
		add_segment(pcapng, number, frame, frame->headers[i], interface->untold);
		interface->untold = 0;
	}
	if (!interface->segments)
		interface->first = frame->timestamp;
	interface->last = be64toh(frame->headers[i - 1]->timestamp);
	interface->segments += frame->segments;
	return sink_write(&pcapng->writer.sink, pcapng->iov, pcapng->iovcnt);
}

static int pcapng_write(struct writer *writer, struct daq_chan *chan, struct daq_frame *frame)
{
	struct pcapng_writer *pcapng = pcapng_of(writer);
	struct interface *interface = pcapng->interface;
	int ret;

	while (interface->chan != chan)
		interface++;
	ret = write_frame(pcapng, interface, frame);
	daq_chan__release(chan, frame);
	return ret;
}

/* Every write leaves the file as it has to be. */
static int pcapng_keep(struct writer *writer)
{
	(void)writer;
	return EXIT_OK;
}

static int pcapng_close(struct writer *writer)
{
	struct pcapng_writer *pcapng = pcapng_of(writer);
	int ret = EXIT_OK;
	unsigned int i;

	for (i = 0; i < pcapng->count && !writer->sink.error; i++)
		ret |= write_statistics(pcapng, i);
	if (sink_close(&writer->sink))
		ret = EXIT_FAILED;
	free(pcapng->around);
	free(pcapng->iov);
	free(pcapng);
	return ret;
}

static const struct writer_ops pcapng_ops = {
	.write = pcapng_write, .keep = pcapng_keep, .close = pcapng_close,
};

struct writer *writer_open_pcapng(const char *card, struct daq_chan *const *chans,
				  unsigned int count, char *name)
{
	struct pcapng_writer *pcapng = name ? calloc(1, sizeof(*pcapng)) : NULL;
	unsigned int i;
	int ret;

	if (!pcapng) {
		free(name);
		failure("no memory");
		return NULL;
	}
	pcapng->writer.ops = &pcapng_ops;
	ret = sink_open(&pcapng->writer.sink, name, NULL, "pcapng files are not written directly");
	if (!ret)
		ret = write_section(pcapng);
	for (i = 0; i < count && !ret; i++) {
		pcapng->interface[i].chan = chans[i];
		ret = write_interface(pcapng, card, chans[i]);
	}
	/* no statistics of a file that has no interfaces */
	pcapng->count = ret ? 0 : count;
	if (!ret)
		return &pcapng->writer;
	pcapng_close(&pcapng->writer);
	return NULL;
}
