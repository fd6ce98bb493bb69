/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a file of bare payload cannot tell by itself: which frames they are, and what
 * is missing between them. Kept in an index or in SigMF metadata.
 */
#ifndef DAQ_PARTS_H
#define DAQ_PARTS_H

#include "daq.h"

/* Frames of full size that follow one another; only the last one may be shorter. */
struct part {
	uint64_t offset;	/* in the file */
	uint64_t number;	/* of the first frame */
	uint64_t sample;
	uint64_t timestamp;
	unsigned int status;	/* DAQ_FRAME_*; DAMAGED is true of all frames, others of the first */
	struct daq_gap gap;	/* before the first frame */
};

struct parts {
	char card[32];
	unsigned int channel;
	struct daq_format format;

	struct part *part;
	size_t count;
	uint64_t bytes;		/* where the last one ends */
	uint64_t frames;
	bool last;		/* the source had ended */
	bool ended;		/* the recording was closed */

	/* what would follow without a gap */
	uint64_t next_number;
	uint64_t next_sample;
};

void parts_init(struct parts *parts, const char *card, unsigned int channel,
		const struct daq_format *format);
/* Takes a frame that is appended to the file; false: no memory. */
bool parts_add(struct parts *parts, const struct daq_frame *frame);
/* Also for those who read a description. */
bool parts_append(struct parts *parts, const struct part *part);
/* Forgets what lies behind @bytes: it could not be written. */
void parts_cut(struct parts *parts, uint64_t bytes);
/* The file has no more than @bytes of what its description tells of. */
void parts_limit(struct parts *parts, uint64_t bytes);
void parts_free(struct parts *parts);

struct json;

/* The card, the channel and its format as JSON members, and back; false: it is no such thing. */
void parts_describe(const struct parts *parts, const char *prefix, const char *separator,
		    FILE *out);
bool parts_understand(struct parts *parts, const struct json *object, const char *prefix);

/* Bytes of a part. */
uint64_t part_bytes(const struct parts *parts, size_t i);

#endif /* DAQ_PARTS_H */
