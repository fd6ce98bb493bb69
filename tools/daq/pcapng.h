/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The little of pcapng that is needed: draft-ietf-opsawg-pcapng. A file has one
 * section; a channel is an interface; a segment is a packet that begins with its
 * struct daq_hdr. Numbers are in the byte order of the machine.
 */
#ifndef DAQ_PCAPNG_H
#define DAQ_PCAPNG_H

#include <stdint.h>

#define PCAPNG_ORDER		0x1a2b3c4d
#define PCAPNG_LINK_ETHERNET	1

enum pcapng_block {
	PCAPNG_INTERFACE = 1,
	PCAPNG_STATISTICS = 5,
	PCAPNG_PACKET = 6,
	PCAPNG_SECTION = 0x0a0d0d0a,
};

/* Options. */
enum {
	PCAPNG_END = 0,
	PCAPNG_COMMENT = 1,
	PCAPNG_SHB_APPLICATION = 4,
	PCAPNG_IF_NAME = 2,
	PCAPNG_IF_DESCRIPTION = 3,
	PCAPNG_IF_TSRESOL = 9,
	PCAPNG_EPB_DROPCOUNT = 4,
	PCAPNG_ISB_STARTTIME = 2,
	PCAPNG_ISB_ENDTIME = 3,
	PCAPNG_ISB_IFRECV = 4,
	PCAPNG_ISB_IFDROP = 5,
};

struct pcapng_head {
	uint32_t type;
	uint32_t len;		/* of the whole block; once more at its end */
};

struct pcapng_section {
	uint32_t order;
	uint16_t major;
	uint16_t minor;
	int64_t len;		/* -1: not told */
};

struct pcapng_interface {
	uint16_t link;
	uint16_t reserved;
	uint32_t snap;
};

struct pcapng_packet {
	uint32_t interface;
	uint32_t time_high;
	uint32_t time_low;
	uint32_t captured;
	uint32_t len;
};

struct pcapng_statistics {
	uint32_t interface;
	uint32_t time_high;
	uint32_t time_low;
};

struct pcapng_option {
	uint16_t code;
	uint16_t len;		/* without what fills up to a multiple of 4 */
};

static inline uint32_t pcapng_padded(uint32_t len)
{
	return (len + 3) & ~3u;
}

#endif /* DAQ_PCAPNG_H */
