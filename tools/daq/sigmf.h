/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SigMF metadata for a file of bare payload, https://sigmf.org: NAME.sigmf-meta beside
 * NAME.sigmf-data. A capture segment for each stretch without a gap, an annotation for
 * each gap and for damaged data. What SigMF has no word for is in namespace "daq".
 */
#ifndef DAQ_SIGMF_H
#define DAQ_SIGMF_H

#include "parts.h"

#define SIGMF_DATA ".sigmf-data"
#define SIGMF_META ".sigmf-meta"

/*
 * Name of a recording's file with suffix @suffix, for any name with or without one;
 * to be freed; NULL: no memory.
 */
char *sigmf_name(const char *name, const char *suffix);

/*
 * Writes the metadata anew; @meta: the file; @datatype: NULL: what fits the channel;
 * @epoch: what to add to time stamps for them to be of the time of day, ns.
 */
int sigmf_write(const char *meta, const struct parts *parts, const char *datatype,
		int64_t epoch);
/* Whether samples of @sample_bytes may be of that type. */
bool sigmf_datatype_fits(const char *datatype, unsigned int sample_bytes);

/* Return: an exit code. */
int sigmf_read(const char *meta, struct parts *parts);

#endif /* DAQ_SIGMF_H */
