/* SPDX-License-Identifier: GPL-2.0 */
/* What metadata.bpf.c has to tell metadata.c. */
#ifndef SELFTESTS_METADATA_H
#define SELFTESTS_METADATA_H

#include <linux/types.h>

/* What the kernel's metadata kfuncs said of a packet; in front of it, for its socket. */
struct metadata {
	__u64 timestamp;
	__u32 hash;
	__u32 rss_type;
	__s32 timestamp_error;
	__s32 hash_error;
	__s32 vlan_error;
	__u32 magic;
};

#define METADATA_MAGIC 0x6d657461

#endif /* SELFTESTS_METADATA_H */
