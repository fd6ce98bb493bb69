// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * A second reader of a channel: a packet socket, which the driver shows the headers of all
 * segments, whoever gets them. When its ring is full the kernel drops them for it alone,
 * so it can hold nobody up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

#define SLOT_BYTES	256u
#define DEFAULT_BYTES	(4u << 20)

/* Its segments only, and of them the header. */
static int set_filter(struct daq_chan *chan)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct daq_hdr, ethertype)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DAQ_ETHERTYPE, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct daq_hdr, channel)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, chan->number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, DAQ_HDR_LEN),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(chan->socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

static int set_ring(struct daq_chan *chan, size_t buffer_bytes)
{
	size_t bytes = buffer_bytes ? buffer_bytes : DEFAULT_BYTES;
	size_t page = sysconf(_SC_PAGESIZE);
	size_t pages = (bytes + page - 1) / page;
	struct tpacket_req ring = {
		.tp_block_size = page,
		.tp_block_nr = pages,
		.tp_frame_size = SLOT_BYTES,
		.tp_frame_nr = pages * (page / SLOT_BYTES),
	};
	int version = TPACKET_V2;

	if (setsockopt(chan->socket, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(chan->socket, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0)
		return -1;
	chan->observer.slots = ring.tp_frame_nr;
	chan->memory_bytes = pages * page;
	chan->memory = daq_map_file(chan->socket, chan->memory_bytes, 0);
	return chan->memory ? 0 : -1;
}

int daq_observer__open(struct daq_chan *chan, size_t buffer_bytes)
{
	int one = 1;

	/* of no protocol, so that nothing comes before all is set */
	chan->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (chan->socket < 0 && errno == EPERM)
		return daq_error(-errno, "observing a channel needs CAP_NET_RAW (root)");
	if (chan->socket < 0)
		return daq_error(-errno, "cannot open a packet socket: %m");
	if (set_filter(chan) < 0 ||
	    setsockopt(chan->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    set_ring(chan, buffer_bytes) < 0)
		return daq_error(-errno, "cannot observe channel %u of %s: %m", chan->number,
				 chan->card->ifname);
	daq_assembly__init(&chan->assembly, &chan->format);
	return 0;
}

void daq_observer__close(struct daq_chan *chan)
{
	if (chan->memory)
		munmap(chan->memory, chan->memory_bytes);
	if (chan->socket >= 0)
		close(chan->socket);
}

int daq_observer__start(struct daq_chan *chan)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(DAQ_ETHERTYPE),
		.sll_ifindex = chan->card->ifindex,
	};

	if (bind(chan->socket, (struct sockaddr *)&address, sizeof(address)) < 0)
		return daq_error(-errno, "cannot observe channel %u of %s: %m", chan->number,
				 chan->card->ifname);
	chan->started = true;
	return 0;
}

static struct tpacket2_hdr *slot_at(const struct daq_chan *chan, uint32_t index)
{
	return (void *)(chan->memory + (size_t)index * SLOT_BYTES);
}

static bool is_filled(const struct tpacket2_hdr *slot)
{
	return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

/* Headers that wait in the ring. */
static uint32_t waiting(const struct daq_chan *chan)
{
	uint32_t count = 0;

	while (count < chan->observer.slots &&
	       is_filled(slot_at(chan, (chan->observer.next + count) % chan->observer.slots)))
		count++;
	return count;
}

void daq_observer__count_missed(struct daq_chan *chan)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);

	/* reading sets them to 0 */
	getsockopt(chan->socket, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	if (!stats.tp_drops)
		return;
	chan->stats.missed += stats.tp_drops;
	/* that was before one of those in the ring, or before the next one to come */
	chan->observer.excused = waiting(chan) + 1;
}

static bool is_next(const struct daq_assembly *assembly, const struct daq_hdr *hdr)
{
	return !assembly->started || (ntohl(hdr->frame) == (uint32_t)assembly->frame &&
				      ntohl(hdr->segment) == assembly->segment);
}

/*
 * Something is missing before this header. If that may have been the full ring's doing it
 * says nothing about the channel: begin anew.
 */
static void judge_gap(struct daq_chan *chan)
{
	if (!chan->observer.excused)
		daq_observer__count_missed(chan);
	if (!chan->observer.excused)
		return;
	daq_assembly__init(&chan->assembly, &chan->format);
	chan->observer.missed = true;
}

/* Takes the next header out of the ring: false: there is none. */
static bool take_header(struct daq_chan *chan, struct daq_hdr *hdr)
{
	struct tpacket2_hdr *slot = slot_at(chan, chan->observer.next);

	if (!is_filled(slot))
		return false;
	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr, (char *)slot + slot->tp_mac,
	       slot->tp_snaplen < sizeof(*hdr) ? slot->tp_snaplen : sizeof(*hdr));
	if (!is_next(&chan->assembly, hdr))
		judge_gap(chan);
	if (chan->observer.excused)
		chan->observer.excused--;
	__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	chan->observer.next = (chan->observer.next + 1) % chan->observer.slots;
	return true;
}

static void deliver(struct daq_chan *chan, struct daq_frame *frame)
{
	daq_assembly__frame(&chan->assembly, frame);
	if (chan->observer.missed)
		frame->status |= DAQ_FRAME_MISSED;
	chan->observer.missed = false;
	chan->stats.frames += !(frame->status & DAQ_FRAME_ABORTED);
	chan->stats.bytes += frame->len;
	chan->stats.lost_frames += frame->gap.frames;
	chan->stats.lost_segments += frame->gap.segments;
	chan->stats.lost_samples += frame->gap.samples;
}

int daq_observer__poll(struct daq_chan *chan, struct daq_frame *frame)
{
	struct daq_hdr hdr;
	int verdict;

	while (take_header(chan, &hdr)) {
		/* the length of the packet is not shown, so what the header says has to do */
		verdict = daq_assembly__push(&chan->assembly, &hdr,
					     DAQ_HDR_LEN + (size_t)ntohl(hdr.payload_len));
		if (verdict == -EMSGSIZE)
			return daq_error(verdict, "the format of channel %u of %s was changed: open it again",
					 chan->number, chan->card->ifname);
		if (verdict < 0) {
			chan->stats.malformed++;
			continue;
		}
		chan->stats.segments++;
		if (verdict & DAQ_PUSH_FRAME) {
			deliver(chan, frame);
			return 1;
		}
	}
	return daq_chan__link_error(chan);
}
