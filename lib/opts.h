/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
#ifndef DAQRING_OPTS_H
#define DAQRING_OPTS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "error.h"

/*
 * Options of a caller built for another version of the library: what it does not
 * know is 0, what we do not know must be 0. Every options structure begins with
 * its size.
 */
static inline int daq_opts_copy(void *opts, size_t known, const void *user)
{
	const char *bytes = user;
	size_t size, i;

	memset(opts, 0, known);
	if (!user)
		return 0;
	memcpy(&size, user, sizeof(size));
	if (size < sizeof(size))
		return daq_error(-EINVAL, "options without their size: set sz");
	for (i = known; i < size; i++)
		if (bytes[i])
			return daq_error(-E2BIG, "options that this version of libdaqring does not know");
	memcpy(opts, user, size < known ? size : known);
	return 0;
}

#endif /* DAQRING_OPTS_H */
