/* SPDX-License-Identifier: GPL-2.0 */
/* Messages of vfio-user, version 0.0, that this card takes part in. */
#ifndef SELFTESTS_VFIO_USER_H
#define SELFTESTS_VFIO_USER_H

#include <linux/types.h>

enum vfio_user_command {
	VFIO_USER_VERSION = 1,
	VFIO_USER_DMA_MAP = 2,
	VFIO_USER_DMA_UNMAP = 3,
	VFIO_USER_GET_INFO = 4,
	VFIO_USER_GET_REGION_INFO = 5,
	VFIO_USER_GET_IRQ_INFO = 7,
	VFIO_USER_SET_IRQS = 8,
	VFIO_USER_REGION_READ = 9,
	VFIO_USER_REGION_WRITE = 10,
	VFIO_USER_DMA_READ = 11,
	VFIO_USER_DMA_WRITE = 12,
	VFIO_USER_RESET = 13,
};

struct vfio_user_hdr {
	__u16 id;
	__u16 command;
	__u32 size;	/* of the message, this header included */
	__u32 flags;
	__u32 error;
};

#define VFIO_USER_TYPE		0xf
#define VFIO_USER_REQUEST	0
#define VFIO_USER_REPLY		1
#define VFIO_USER_NO_REPLY	0x10
#define VFIO_USER_ERROR		0x20

struct vfio_user_version {
	__u16 major;
	__u16 minor;
	char json[];
};

struct vfio_user_dma_map {
	__u32 argsz;
	__u32 flags;
	__u64 offset;
	__u64 addr;
	__u64 size;
};

struct vfio_user_dma_unmap {
	__u32 argsz;
	__u32 flags;
	__u64 addr;
	__u64 size;
};

#define VFIO_USER_UNMAP_ALL	2

struct vfio_user_info {
	__u32 argsz;
	__u32 flags;
	__u32 regions;
	__u32 irqs;
};

#define VFIO_USER_INFO_RESET	1
#define VFIO_USER_INFO_PCI	2

struct vfio_user_region_info {
	__u32 argsz;
	__u32 flags;
	__u32 index;
	__u32 cap_offset;
	__u64 size;
	__u64 offset;
};

#define VFIO_USER_REGION_READABLE	1
#define VFIO_USER_REGION_WRITABLE	2

struct vfio_user_irq_info {
	__u32 argsz;
	__u32 flags;
	__u32 index;
	__u32 count;
};

#define VFIO_USER_IRQ_EVENTFD	1

enum vfio_user_irq {
	VFIO_USER_IRQ_INTX,
	VFIO_USER_IRQ_MSI,
	VFIO_USER_IRQ_MSIX,
	VFIO_USER_IRQ_ERR,
	VFIO_USER_IRQ_REQ,
	VFIO_USER_IRQS
};

struct vfio_user_irq_set {
	__u32 argsz;
	__u32 flags;
	__u32 index;
	__u32 start;
	__u32 count;
};

#define VFIO_USER_SET_NONE	0x01
#define VFIO_USER_SET_EVENTFD	0x04
#define VFIO_USER_SET_TRIGGER	0x20

struct vfio_user_region_access {
	__u64 offset;
	__u32 region;
	__u32 count;
};

struct vfio_user_dma_access {
	__u64 addr;
	__u64 count;
};

#endif /* SELFTESTS_VFIO_USER_H */
