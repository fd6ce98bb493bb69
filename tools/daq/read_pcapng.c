// SPDX-License-Identifier: GPL-2.0
/* pcapng files: the segments of one interface become frames again. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "json.h"
#include "parts.h"
#include "pcapng.h"
#include "reader.h"

/* More than that is no block of ours. */
#define MAX_BLOCK	(16 << 20)

struct piece {
	uint64_t offset;	/* in the file */
	uint32_t len;
};

struct pcapng {
	struct recording recording;
	uint64_t first;		/* block behind those of the interfaces */
	uint64_t at;		/* next block */
	uint32_t interface;

	struct piece *pieces;	/* of the frame */
	size_t count;
	size_t room;
	bool collecting;
	uint32_t filled;	/* bytes of it */
	uint64_t sample;	/* its first one */
	uint64_t timestamp;
	bool damaged;
	uint64_t dropped;	/* segments, since the frame before */
	bool begun;		/* a frame was given: the next one is known */
	uint64_t next_number;
	uint64_t next_sample;
};

/* A block as far as we need it, without its options. */
struct block {
	struct pcapng_head head;
	union {
		struct pcapng_section section;
		struct pcapng_interface interface;
		struct pcapng_packet packet;
	};
	struct daq_hdr hdr;	/* what a packet begins with */
};

static struct pcapng *pcapng_of(struct recording *recording)
{
	return (struct pcapng *)recording;
}

/* The block at the position; false: there is no whole one. */
static bool read_block(struct pcapng *pcapng, struct block *block)
{
	char begin[sizeof(block->head) + sizeof(block->packet) + sizeof(block->hdr)] = { 0 };
	int fd = pcapng->recording.fd;
	uint32_t len;

	if (pread(fd, begin, sizeof(begin), pcapng->at) < (ssize_t)sizeof(block->head))
		return false;
	memcpy(&block->head, begin, sizeof(block->head));
	memcpy(&block->packet, begin + sizeof(block->head), sizeof(block->packet));
	memcpy(&block->hdr, begin + sizeof(block->head) + sizeof(block->packet),
	       sizeof(block->hdr));
	len = block->head.len;
	if (len < sizeof(block->head) + sizeof(len) || len % 4 || len > MAX_BLOCK)
		return false;
	/* the length once more, at the end */
	return pread(fd, &len, sizeof(len), pcapng->at + len - sizeof(len)) == sizeof(len) &&
	       len == block->head.len;
}

/* Interfaces */

static bool parse_comment(struct parts *parts, const char *text, size_t len)
{
	struct json *json = json_parse(text, len);
	bool good = json && parts_understand(parts, json, "");

	json_free(json);
	return good;
}

/* Whether a block's options tell of a channel. */
static bool parse_options(struct parts *parts, const char *options, size_t len)
{
	struct pcapng_option option;
	size_t at = 0;

	while (at + sizeof(option) <= len) {
		memcpy(&option, options + at, sizeof(option));
		at += sizeof(option);
		if (option.len > len - at || option.code == PCAPNG_END)
			return false;
		if (option.code == PCAPNG_COMMENT && parse_comment(parts, options + at, option.len))
			return true;
		at += pcapng_padded(option.len);
	}
	return false;
}

static bool read_interface(struct pcapng *pcapng, const struct block *block,
			   struct parts *parts)
{
	size_t skip = sizeof(block->head) + sizeof(block->interface);
	size_t len = block->head.len - sizeof(uint32_t);
	char *options;
	bool good;

	if (len <= skip)
		return false;
	len -= skip;
	options = malloc(len);
	good = options &&
	       pread(pcapng->recording.fd, options, len, pcapng->at + skip) == (ssize_t)len &&
	       parse_options(parts, options, len);
	free(options);
	return good;
}

static void take_interface(struct pcapng *pcapng, const struct parts *parts, uint32_t number)
{
	struct recording_info *info = &pcapng->recording.info;

	pcapng->interface = number;
	info->kind = "pcapng";
	info->described = true;
	info->channel = parts->channel;
	info->format = parts->format;
	memcpy(info->card, parts->card, sizeof(info->card));
}

/* Return: an exit code. */
static int find_interface(struct pcapng *pcapng, int channel, unsigned int likely)
{
	unsigned int wanted = channel < 0 ? likely : (unsigned int)channel;
	bool found = channel < 0 && likely == RECORDING_ANY;
	const char *name = pcapng->recording.name;
	unsigned int channels = 0;
	uint32_t number = 0;
	struct parts parts;
	struct block block;

	for (; read_block(pcapng, &block) && block.head.type == PCAPNG_INTERFACE; number++) {
		if (read_interface(pcapng, &block, &parts)) {
			channels++;
			/* the only one is taken whatever its number, unless that is asked for */
			if (parts.channel == wanted || (channels == 1 && channel < 0))
				take_interface(pcapng, &parts, number);
			found |= parts.channel == wanted;
			if (channel < 0 && parts.channel < DAQ_MAX_CHANNELS)
				pcapng->recording.info.channels |= 1ull << parts.channel;
		}
		pcapng->at += block.head.len;
	}
	pcapng->first = pcapng->at;
	if (!channels)
		return failure("%s has no channel that daq capture recorded", name);
	if (!found && (channel >= 0 || channels > 1))
		return failure("%s has %u channels, but not %u: name one of them, %s:CHANNEL",
			       name, channels, wanted, name);
	return EXIT_OK;
}

/* Segments */

static bool add_piece(struct pcapng *pcapng, uint64_t offset, uint32_t len)
{
	struct piece *grown = pcapng->pieces;

	if (pcapng->count == pcapng->room) {
		pcapng->room = pcapng->room ? 2 * pcapng->room : 64;
		grown = realloc(grown, pcapng->room * sizeof(*grown));
		if (!grown)
			return false;
		pcapng->pieces = grown;
	}
	grown[pcapng->count++] = (struct piece){ offset, len };
	return true;
}

/* The option that tells of drops, if there is one. */
static uint64_t read_drops(const struct pcapng *pcapng, const struct block *block)
{
	uint64_t at = pcapng->at + sizeof(block->head) + sizeof(block->packet) +
		      pcapng_padded(block->packet.captured);
	uint64_t end = pcapng->at + block->head.len - sizeof(uint32_t);
	struct { struct pcapng_option option; uint64_t count; } __attribute__((packed)) drops;

	if (at + sizeof(drops) > end ||
	    pread(pcapng->recording.fd, &drops, sizeof(drops), at) != sizeof(drops) ||
	    drops.option.code != PCAPNG_EPB_DROPCOUNT || drops.option.len != sizeof(drops.count))
		return 0;
	return drops.count;
}

static bool is_segment(const struct pcapng *pcapng, const struct block *block)
{
	return block->head.type == PCAPNG_PACKET &&
	       block->packet.interface == pcapng->interface &&
	       block->hdr.ethertype == htons(DAQ_ETHERTYPE) &&
	       block->packet.captured == block->packet.len &&
	       block->packet.captured == DAQ_HDR_LEN + (uint64_t)ntohl(block->hdr.payload_len) &&
	       sizeof(block->head) + sizeof(block->packet) + block->packet.captured <
	       block->head.len;
}

/* Return: 1: that makes a frame, 0: not yet, -1: failed. */
static int collect(struct pcapng *pcapng, const struct block *block)
{
	const struct daq_hdr *hdr = &block->hdr;
	uint32_t len = ntohl(hdr->payload_len);

	pcapng->dropped += read_drops(pcapng, block);
	if (hdr->flags & DAQ_HDR_F_SOF) {
		pcapng->collecting = true;
		pcapng->count = 0;
		pcapng->filled = 0;
		pcapng->damaged = false;
		pcapng->sample = be64toh(hdr->sample);
		pcapng->timestamp = be64toh(hdr->timestamp);
	}
	if (!pcapng->collecting || ntohl(hdr->offset) != pcapng->filled ||
	    len > pcapng->recording.info.format.frame_bytes - pcapng->filled) {
		pcapng->collecting = false;
		return 0;
	}
	if (!add_piece(pcapng, pcapng->at + sizeof(block->head) + sizeof(block->packet) +
		       DAQ_HDR_LEN, len)) {
		failure("no memory");
		return -1;
	}
	pcapng->filled += len;
	pcapng->damaged |= hdr->flags & DAQ_HDR_F_DAMAGED;
	return hdr->flags & DAQ_HDR_F_EOF ? 1 : 0;
}

/* Frame numbers are of 32 bits there. */
static void number_frame(struct pcapng *pcapng, uint32_t wire, struct daq_frame *frame)
{
	int32_t ahead = wire - (uint32_t)pcapng->next_number;

	if (!pcapng->begun || ahead < 0) {
		frame->number = wire;
		frame->status |= pcapng->begun ? DAQ_FRAME_RESTARTED : 0;
		return;
	}
	frame->number = pcapng->next_number + ahead;
	if (!ahead)
		return;
	frame->status |= DAQ_FRAME_GAP_BEFORE;
	frame->gap.frames = ahead;
	frame->gap.segments = pcapng->dropped;
	if (frame->sample > pcapng->next_sample)
		frame->gap.samples = frame->sample - pcapng->next_sample;
}

static void complete(struct pcapng *pcapng, const struct daq_hdr *hdr, struct daq_frame *frame)
{
	frame->len = pcapng->filled;
	frame->sample = pcapng->sample;
	frame->timestamp = pcapng->timestamp;
	if (pcapng->damaged)
		frame->status |= DAQ_FRAME_DAMAGED;
	if (hdr->flags & DAQ_HDR_F_LAST)
		frame->status |= DAQ_FRAME_LAST;
	number_frame(pcapng, ntohl(hdr->frame), frame);
	pcapng->begun = true;
	pcapng->collecting = false;
	pcapng->dropped = 0;
	pcapng->next_number = frame->number + 1;
	pcapng->next_sample = frame->sample +
			      frame->len / pcapng->recording.info.format.sample_bytes;
}

static int pcapng_next(struct recording *recording, struct daq_frame *frame)
{
	struct pcapng *pcapng = pcapng_of(recording);
	struct block block;
	int ret;

	for (; read_block(pcapng, &block); pcapng->at += block.head.len) {
		if (block.head.type == PCAPNG_STATISTICS)
			recording->info.ended = true;
		if (!is_segment(pcapng, &block))
			continue;
		ret = collect(pcapng, &block);
		if (ret < 0)
			return ret;
		if (ret) {
			pcapng->at += block.head.len;
			complete(pcapng, &block.hdr, frame);
			return 1;
		}
	}
	return 0;
}

static int pcapng_read(struct recording *recording, void *memory)
{
	struct pcapng *pcapng = pcapng_of(recording);
	char *to = memory;
	size_t i;
	int ret = EXIT_OK;

	for (i = 0; i < pcapng->count && !ret; i++) {
		ret = read_exactly(recording, to, pcapng->pieces[i].len, pcapng->pieces[i].offset);
		to += pcapng->pieces[i].len;
	}
	return ret;
}

static void pcapng_rewind(struct recording *recording)
{
	struct pcapng *pcapng = pcapng_of(recording);

	pcapng->at = pcapng->first;
	pcapng->collecting = false;
	pcapng->begun = false;
	pcapng->dropped = 0;
	pcapng->next_number = 0;
}

static void pcapng_close(struct recording *recording)
{
	free(pcapng_of(recording)->pieces);
}

static const struct recording_ops pcapng_ops = {
	.next = pcapng_next,
	.read = pcapng_read,
	.rewind = pcapng_rewind,
	.close = pcapng_close,
};

static int check_section(struct pcapng *pcapng)
{
	const char *name = pcapng->recording.name;
	struct block block;

	if (!read_block(pcapng, &block))
		return failure("%s ends before it has begun", name);
	if (block.section.order != PCAPNG_ORDER)
		return failure("%s comes from a machine with another byte order", name);
	pcapng->at = block.head.len;
	return EXIT_OK;
}

struct recording *open_pcapng(char *name, int fd, int channel, unsigned int likely)
{
	struct pcapng *pcapng = calloc(1, sizeof(*pcapng));
	int ret;

	if (!pcapng) {
		failure("no memory");
		free(name);
		close(fd);
		return NULL;
	}
	pcapng->recording.name = name;
	pcapng->recording.fd = fd;
	pcapng->recording.ops = &pcapng_ops;
	ret = check_section(pcapng);
	if (!ret)
		ret = find_interface(pcapng, channel, likely);
	if (!ret)
		return &pcapng->recording;
	recording_close(&pcapng->recording);
	return NULL;
}
