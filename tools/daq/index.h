/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FILE.idx: what belongs to a raw FILE. A JSON object per line, only ever appended
 * to, so that it is of use however the recording ends:
 *
 *	{"daq_index": 1, "card": "daq0", "channel": 3, "source": "counter", ...}
 *	{"offset": 0, "frame": 17, "sample": 34816, "timestamp": 1763800801000000840}
 *	{"offset": 81920, "frame": 25, ..., "gap": {"frames": 4, "segments": 31, "samples": 8192}}
 *	{"bytes": 4096000}		so much has been written
 *	{"bytes": 8192000, "frames": 2000, "last": false, "ended": true}
 *
 * A line with an offset is for frames that follow one another without a gap. It may
 * have "status": "damaged" for them; "restarted" or "aborted" for the first of them.
 */
#ifndef DAQ_INDEX_H
#define DAQ_INDEX_H

#include "parts.h"

struct index {
	char *name;
	FILE *out;
	size_t told;	/* parts that are in the file */
	uint64_t bytes;	/* that it tells of */
};

int index_open(struct index *index, const char *data, const struct parts *parts);
/* Adds what is new; @bytes of the data are in the file. */
int index_update(struct index *index, const struct parts *parts, uint64_t bytes);
/* What was cut off since then is no longer true of the parts, either. */
int index_close(struct index *index, const struct parts *parts);

/* @name: of the index. Return: an exit code; -1: there is no such file. */
int index_read(const char *name, struct parts *parts);

#endif /* DAQ_INDEX_H */
