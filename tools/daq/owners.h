/* SPDX-License-Identifier: GPL-2.0 */
/* Which process has an AF_XDP socket on which queue. */
#ifndef DAQ_TOOL_OWNERS_H
#define DAQ_TOOL_OWNERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct owner {
	uint32_t inode;
	uint32_t ifindex;
	uint32_t queue;
	bool zero_copy;
	bool receives;
	bool sends;
	pid_t pid;		/* 0: not known */
	char command[16];
};

struct owners {
	struct owner *list;
	unsigned int count;
};

/*
 * Reads anew who owns what; @owners is zeroed before the first call. Looks through all
 * processes only when there is a socket that was not there the last time.
 *
 * Return: 0 or a negative errno: then none is known.
 */
int owners_read(struct owners *owners);

void owners_free(struct owners *owners);

/* The first one behind @after (NULL: at all) on that queue; NULL: no more. */
const struct owner *owner_of(const struct owners *owners, uint32_t ifindex, uint32_t queue,
			     const struct owner *after);

#endif /* DAQ_TOOL_OWNERS_H */
