// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Buffer memory and the AF_XDP socket of one channel. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"

#define HUGE_PAGE	(2ul << 20)
#define UNUSED_RING	64

static uint32_t ring_size(uint32_t entries)
{
	uint32_t size = UNUSED_RING;

	while (size < entries)
		size *= 2;
	return size;
}

void *daq_map(size_t bytes, int extra_flags)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | extra_flags, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void *daq_map_file(int fd, size_t bytes, off_t offset)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
			    offset);

	return memory == MAP_FAILED ? NULL : memory;
}

/* In a file without a name, which other processes can be given. */
static void *map_new_file(struct daq_chan *chan, size_t bytes, bool huge)
{
	int fd = memfd_create("daqring", MFD_CLOEXEC | (huge ? MFD_HUGETLB : 0));
	void *memory;

	if (fd < 0)
		return NULL;
	memory = ftruncate(fd, bytes) < 0 ? NULL : daq_map_file(fd, bytes, 0);
	if (memory)
		chan->memory_fd = fd;
	else
		close(fd);
	return memory;
}

static void *map_new(struct daq_chan *chan, size_t bytes, bool huge)
{
	if (chan->sendable)
		return map_new_file(chan, bytes, huge);
	return daq_map(bytes, huge ? MAP_HUGETLB : 0);
}

static int map_memory(struct daq_chan *chan)
{
	size_t bytes = daq_pool__bytes(&chan->pool);
	size_t huge = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	chan->memory_bytes = huge;
	chan->memory = map_new(chan, huge, true);
	if (!chan->memory) {
		chan->memory_bytes = bytes;
		chan->memory = map_new(chan, bytes, false);
	}
	if (!chan->memory)
		return daq_error(-errno, "no memory for a buffer of %zu bytes: ask for a smaller one",
				 bytes);
	if (mlock(chan->memory, chan->memory_bytes) < 0)
		return daq_error(-errno, "cannot lock a buffer of %zu bytes in memory: needs CAP_IPC_LOCK or a higher limit (ulimit -l)",
				 bytes);
	return 0;
}

/* Descriptors that can be under way at the same time. */
static uint32_t max_descriptors(const struct daq_chan *chan)
{
	const struct daq_pool *pool = &chan->pool;

	if (chan->direction == DAQ_INPUT)
		return pool->chunks;
	return pool->slots * daq_output__frame_descs(pool);
}

/* A ring from the kernel, with room for everything: it cannot overflow. */
static uint32_t from_kernel(const struct daq_chan *chan)
{
	return ring_size(max_descriptors(chan));
}

/*
 * A ring to the kernel: twice that, for the kernel takes entries in batches and
 * frees the entries of one only when it begins the next.
 */
static uint32_t to_kernel(const struct daq_chan *chan)
{
	return ring_size(2 * max_descriptors(chan));
}

/*
 * With a low watermark most of what there is to play is with the card, so that the
 * ring is full, and the socket not writable, until the card wants more.
 */
static uint32_t tx_ring(const struct daq_chan *chan)
{
	const struct daq_pool *pool = &chan->pool;
	uint32_t frames = pool->slots / 4 > 2 ? pool->slots / 4 : 2;

	if (chan->direction == DAQ_OUTPUT && chan->format.output_low)
		return ring_size(frames * daq_output__frame_descs(pool));
	return to_kernel(chan);
}

static int create_umem(struct daq_chan *chan)
{
	bool input = chan->direction == DAQ_INPUT;
	struct xsk_umem_config config = {
		.fill_size = input ? to_kernel(chan) : UNUSED_RING,
		.comp_size = input ? UNUSED_RING : from_kernel(chan),
		.frame_size = DAQ_CHUNK_SIZE,
	};
	int err = xsk_umem__create(&chan->umem, chan->memory, daq_pool__bytes(&chan->pool),
				   &chan->fill, &chan->completion, &config);

	switch (err) {
	case 0:
		return 0;
	case -EPERM:
		return daq_error(err, "AF_XDP sockets need CAP_NET_RAW (root)");
	case -ENOBUFS:
		return daq_error(err, "cannot lock a buffer of %zu bytes in memory: needs CAP_IPC_LOCK or a higher limit (ulimit -l)",
				 daq_pool__bytes(&chan->pool));
	case -EAFNOSUPPORT:
		return daq_error(err, "this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)");
	default:
		return daq_error(err, "cannot register the buffer: %s", strerror(-err));
	}
}

static int report_bind(const struct daq_chan *chan, enum daq_mode mode, int err)
{
	const char *ifname = chan->card->ifname;
	unsigned int queue = chan->format.queue;

	if (err == -EBUSY)
		return daq_owner__report(chan);
	if (err == -EINVAL)
		return daq_error(err, "%s has no queue %u, or its MTU exceeds what a buffer holds",
				 ifname, queue);
	if (mode == DAQ_MODE_ZERO_COPY)
		return daq_error(err, "queue %u of %s cannot do zero copy (%s): try copy mode",
				 queue, ifname, strerror(-err));
	return daq_error(err, "cannot bind to queue %u of %s: %s", queue, ifname, strerror(-err));
}

static int bind_socket(struct daq_chan *chan, enum daq_mode mode)
{
	bool input = chan->direction == DAQ_INPUT;
	struct xsk_socket_config config = {
		.rx_size = from_kernel(chan),
		.tx_size = tx_ring(chan),
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP | XDP_USE_SG,
	};
	int err, try;

	if (mode == DAQ_MODE_ZERO_COPY)
		config.bind_flags |= XDP_ZEROCOPY;
	if (mode == DAQ_MODE_COPY)
		config.bind_flags |= XDP_COPY;

	for (try = 0; try < DAQ_BUSY_TRIES; try++) {
		err = xsk_socket__create(&chan->xsk, chan->card->ifname, chan->format.queue,
					 chan->umem, input ? &chan->rx : NULL,
					 input ? NULL : &chan->tx, &config);
		if (err != -EBUSY)
			break;
		usleep(DAQ_BUSY_PAUSE_US);
	}
	if (err)
		return report_bind(chan, mode, err);
	chan->socket = xsk_socket__fd(chan->xsk);
	return 0;
}

/* Without a demand for it, the kernel falls back to copying silently. */
static bool is_zero_copy(const struct daq_chan *chan)
{
	struct xdp_options options = { 0 };
	socklen_t len = sizeof(options);

	getsockopt(chan->socket, SOL_XDP, XDP_OPTIONS, &options, &len);
	return options.flags & XDP_OPTIONS_ZEROCOPY;
}

int daq_socket__open(struct daq_chan *chan, enum daq_mode mode)
{
	int err = map_memory(chan);

	if (!err)
		err = create_umem(chan);
	if (!err)
		err = bind_socket(chan, mode);
	if (!err)
		chan->zero_copy = is_zero_copy(chan);
	return err;
}

int daq_socket__adopt(struct daq_chan *chan)
{
	struct stat file;

	chan->memory_bytes = daq_pool__bytes(&chan->pool);
	if (fstat(chan->memory_fd, &file) < 0 || (size_t)file.st_size < chan->memory_bytes)
		return daq_error(-EPROTO, "channel %u came without all of its memory",
				 chan->number);
	chan->memory_bytes = file.st_size;
	chan->memory = daq_map_file(chan->memory_fd, chan->memory_bytes, 0);
	if (!chan->memory)
		return daq_error(-errno, "cannot map the buffer of channel %u: %m", chan->number);
	/* the kernel keeps the pages anyway; where it may it shall keep them mapped, too */
	mlock(chan->memory, chan->memory_bytes);
	return 0;
}

void daq_socket__close(struct daq_chan *chan)
{
	if (chan->card->received) {
		daq_rings__close(chan);
		close(chan->socket);
	}
	xsk_socket__delete(chan->xsk);
	if (chan->umem)
		xsk_umem__delete(chan->umem);
	if (chan->memory)
		munmap(chan->memory, chan->memory_bytes);
	if (chan->memory_fd >= 0)
		close(chan->memory_fd);
}

/* The driver sets the flag, then looks for work; the fence makes us do it the other way round. */
static bool needs_kick(const struct xsk_ring_prod *ring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return xsk_ring_prod__needs_wakeup(ring);
}

void daq_socket__kick_rx(struct daq_chan *chan)
{
	if (!needs_kick(&chan->fill))
		return;
	chan->stats.syscalls++;
	/* fails when the interface is down or gone, which the link watch tells */
	recvfrom(chan->socket, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

void daq_socket__kick_tx(struct daq_chan *chan)
{
	int fd = chan->socket;
	uint32_t before;
	ssize_t ret;

	if (!needs_kick(&chan->tx))
		return;
	/* in copy mode one call sends a few dozen descriptors: go on while that helps */
	do {
		before = __atomic_load_n(chan->tx.consumer, __ATOMIC_ACQUIRE);
		chan->stats.syscalls++;
		ret = sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
	} while (ret < 0 && errno == EAGAIN &&
		 before != __atomic_load_n(chan->tx.consumer, __ATOMIC_ACQUIRE));
}
