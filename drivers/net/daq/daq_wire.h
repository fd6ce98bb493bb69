/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One direction of a cable between two cards: packets in a ring of bytes. One
 * card writes, the other reads; neither waits for the other's lock.
 */
#ifndef _DAQ_WIRE_H
#define _DAQ_WIRE_H

/* A power of two, and room for two of the longest segments. */
#define DAQ_WIRE_SIZE		(256 << 10)

/**
 * struct daq_wire - packets on their way to an input
 * @head: bytes written; by the sender, behind the data
 * @tail: bytes read; by the receiver, behind its last look at the data
 * @full: the sender wants to be told of the next read; set by it, cleared by
 *	  the receiver
 * @data: packets, a 32-bit length before each
 */
struct daq_wire {
	u32 head;
	u32 tail;
	u32 full;
	u8 data[DAQ_WIRE_SIZE];
};

/* Sender: whether a packet of @len bytes could ever be sent. */
static inline bool daq_wire_fits(u32 len)
{
	return len <= DAQ_WIRE_SIZE - sizeof(len);
}

/* Sender: whether there is room for a packet of @len bytes. */
static inline bool daq_wire_has_room(const struct daq_wire *wire, u32 len)
{
	/* Pairs with daq_wire_drop(). */
	u32 used = wire->head - smp_load_acquire(&wire->tail);

	return len + sizeof(len) <= DAQ_WIRE_SIZE - used;
}

/* Sender: whether it can be sent now; if not, the receiver will tell. */
static inline bool daq_wire_ready(struct daq_wire *wire, u32 len)
{
	if (daq_wire_has_room(wire, len))
		return true;
	WRITE_ONCE(wire->full, 1);
	/* Pairs with daq_wire_drop(), which may not have seen it. */
	smp_mb();
	return daq_wire_has_room(wire, len);
}

/* Sender: put bytes at @pos, counted like @head; they arrive with the head. */
static inline void daq_wire_put(struct daq_wire *wire, u32 pos, const void *buf,
				u32 len)
{
	u32 at = pos % DAQ_WIRE_SIZE;
	u32 n = min_t(u32, len, DAQ_WIRE_SIZE - at);

	memcpy(wire->data + at, buf, n);
	memcpy(wire->data, (const u8 *)buf + n, len - n);
}

/* Sender: everything up to @head may be read. */
static inline void daq_wire_send(struct daq_wire *wire, u32 head)
{
	/* Pairs with daq_wire_next(). */
	smp_store_release(&wire->head, head);
}

/* Receiver: copy bytes of what has arrived. */
static inline void daq_wire_get(const struct daq_wire *wire, u32 pos, void *buf,
				u32 len)
{
	u32 at = pos % DAQ_WIRE_SIZE;
	u32 n = min_t(u32, len, DAQ_WIRE_SIZE - at);

	memcpy(buf, wire->data + at, n);
	memcpy((u8 *)buf + n, wire->data, len - n);
}

/* Receiver: length of the next packet; 0: there is none. */
static inline u32 daq_wire_next(const struct daq_wire *wire)
{
	u32 len;

	/* Pairs with daq_wire_send(). */
	if (smp_load_acquire(&wire->head) == wire->tail)
		return 0;
	daq_wire_get(wire, wire->tail, &len, sizeof(len));
	return len;
}

/*
 * Receiver: done with the next packet, of @len bytes. Return: whether the sender
 * has to be told.
 */
static inline bool daq_wire_drop(struct daq_wire *wire, u32 len)
{
	/* Pairs with daq_wire_has_room(). */
	smp_store_release(&wire->tail, wire->tail + sizeof(len) + len);
	/* Pairs with daq_wire_ready(). */
	smp_mb();
	if (!READ_ONCE(wire->full))
		return false;
	WRITE_ONCE(wire->full, 0);
	return true;
}

#endif /* _DAQ_WIRE_H */
