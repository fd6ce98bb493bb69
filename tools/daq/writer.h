/* SPDX-License-Identifier: GPL-2.0 */
/* Writing side of recordings: one file, of one channel or, if pcapng, of several. */
#ifndef DAQ_WRITER_H
#define DAQ_WRITER_H

#include "sink.h"

enum file_format { FORMAT_RAW, FORMAT_SIGMF, FORMAT_PCAPNG };

struct writer {
	const struct writer_ops *ops;
	struct sink sink;
};

struct writer_ops {
	int (*write)(struct writer *writer, struct daq_chan *chan, struct daq_frame *frame);
	int (*keep)(struct writer *writer);
	int (*close)(struct writer *writer);
};

bool parse_file_format(const char *text, enum file_format *format);
/* What the suffix of a file's name says. */
enum file_format format_of_name(const char *name);

/*
 * These create the files. @name: taken over; @datatype: NULL: what fits. NULL: failed,
 * and said why. @disk and @why_not: as of sink_open().
 */
struct writer *writer_open_raw(const char *card, struct daq_chan *chan, char *name,
			       struct disk *disk, const char *why_not);
struct writer *writer_open_sigmf(const char *card, struct daq_chan *chan, const char *name,
				 const char *datatype, struct disk *disk, const char *why_not);
struct writer *writer_open_pcapng(const char *card, struct daq_chan *const *chans,
				  unsigned int count, char *name);

/* All of them return an exit code. */

/* Appends a frame and releases it, now or later. */
static inline int writer_write(struct writer *writer, struct daq_chan *chan,
			       struct daq_frame *frame)
{
	return writer->ops->write(writer, chan, frame);
}

/* Now and then: have what is in the file be of use, however this ends. */
static inline int writer_keep(struct writer *writer)
{
	return writer->ops->keep(writer);
}

/* When nothing is on its way any more; frees it. */
static inline int writer_close(struct writer *writer)
{
	return writer->ops->close(writer);
}

#endif /* DAQ_WRITER_H */
