// SPDX-License-Identifier: GPL-2.0
/* Files of bare payload: raw ones with an index, SigMF with its metadata. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "index.h"
#include "parts.h"
#include "sigmf.h"
#include "writer.h"

#define NS_PER_S	1000000000
/* A card's clock that is so far off does not show the time of day. */
#define CLOCK_OFF_NS	(60ll * NS_PER_S)

struct flat_writer {
	struct writer writer;
	struct parts parts;
	/* raw */
	bool indexed;		/* not what goes to a pipe */
	struct index index;
	/* SigMF */
	char *meta;
	const char *datatype;
	int64_t epoch;		/* from the card's clock to the time of day, ns */
	size_t told;		/* parts that are in the metadata */
};

static struct flat_writer *flat_of(struct writer *writer)
{
	return (struct flat_writer *)writer;
}

static int64_t epoch_of(uint64_t timestamp)
{
	struct timespec now;
	int64_t off;

	clock_gettime(CLOCK_REALTIME, &now);
	off = now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec - (int64_t)timestamp;
	return llabs(off) < CLOCK_OFF_NS ? 0 : off;
}

static int flat_write(struct writer *writer, struct daq_chan *chan, struct daq_frame *frame)
{
	struct flat_writer *flat = flat_of(writer);

	if (!flat->parts.count)
		flat->epoch = epoch_of(frame->timestamp);
	if (!parts_add(&flat->parts, frame)) {
		daq_chan__release(chan, frame);
		return failure("no memory");
	}
	return sink_write_frame(&writer->sink, chan, frame);
}

static int raw_keep(struct writer *writer)
{
	struct flat_writer *flat = flat_of(writer);

	if (!flat->indexed)
		return EXIT_OK;
	writer->sink.calls++;
	return index_update(&flat->index, &flat->parts, sink_written(&writer->sink));
}

static int write_meta(struct flat_writer *flat)
{
	flat->told = flat->parts.count;
	return sigmf_write(flat->meta, &flat->parts, flat->datatype, flat->epoch);
}

static int sigmf_keep(struct writer *writer)
{
	struct flat_writer *flat = flat_of(writer);

	return flat->told == flat->parts.count ? EXIT_OK : write_meta(flat);
}

/* The parts shall tell only what the data file has in the end. */
static int close_data(struct flat_writer *flat)
{
	if (flat->writer.sink.error)
		parts_cut(&flat->parts, flat->writer.sink.good);
	flat->parts.ended = true;
	return sink_close(&flat->writer.sink);
}

static int raw_close(struct writer *writer)
{
	struct flat_writer *flat = flat_of(writer);
	int ret = close_data(flat);

	if (flat->indexed && index_close(&flat->index, &flat->parts))
		ret = EXIT_FAILED;
	parts_free(&flat->parts);
	free(flat);
	return ret;
}

static int sigmf_close(struct writer *writer)
{
	struct flat_writer *flat = flat_of(writer);
	int ret = close_data(flat);

	if (flat->meta && write_meta(flat))
		ret = EXIT_FAILED;
	parts_free(&flat->parts);
	free(flat->meta);
	free(flat);
	return ret;
}

static const struct writer_ops raw_ops = {
	.write = flat_write, .keep = raw_keep, .close = raw_close,
};

static const struct writer_ops sigmf_ops = {
	.write = flat_write, .keep = sigmf_keep, .close = sigmf_close,
};

static struct flat_writer *new_flat(const struct writer_ops *ops, const char *card,
				    const struct daq_chan *chan)
{
	struct flat_writer *flat = calloc(1, sizeof(*flat));

	if (!flat)
		return NULL;
	flat->writer.ops = ops;
	parts_init(&flat->parts, card, daq_chan__number(chan), daq_chan__format(chan));
	return flat;
}

/* @ret: of its opening. */
static struct writer *opened(struct flat_writer *flat, int ret)
{
	if (!ret)
		return &flat->writer;
	writer_close(&flat->writer);
	return NULL;
}

struct writer *writer_open_raw(const char *card, struct daq_chan *chan, char *name,
			       struct disk *disk, const char *why_not)
{
	struct flat_writer *flat = name ? new_flat(&raw_ops, card, chan) : NULL;
	int ret;

	if (!flat) {
		free(name);
		failure("no memory");
		return NULL;
	}
	ret = sink_open(&flat->writer.sink, name, disk, why_not);
	if (!ret && flat->writer.sink.regular) {
		ret = index_open(&flat->index, name, &flat->parts);
		flat->indexed = !ret;
	}
	return opened(flat, ret);
}

struct writer *writer_open_sigmf(const char *card, struct daq_chan *chan, const char *name,
				 const char *datatype, struct disk *disk, const char *why_not)
{
	unsigned int sample_bytes = daq_chan__format(chan)->sample_bytes;
	struct flat_writer *flat = NULL;
	char *data, *meta;
	int ret;

	if (datatype && !sigmf_datatype_fits(datatype, sample_bytes)) {
		failure("samples of channel %u have %u bytes, which are not of type %s",
			daq_chan__number(chan), sample_bytes, datatype);
		return NULL;
	}
	data = sigmf_name(name, SIGMF_DATA);
	meta = sigmf_name(name, SIGMF_META);
	if (data && meta)
		flat = new_flat(&sigmf_ops, card, chan);
	if (!flat) {
		free(data);
		free(meta);
		failure("no memory");
		return NULL;
	}
	flat->datatype = datatype;
	ret = sink_open(&flat->writer.sink, data, disk, why_not);
	if (!ret) {
		flat->meta = meta;
		ret = write_meta(flat);
	} else {
		free(meta);
	}
	return opened(flat, ret);
}
