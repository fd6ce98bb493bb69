// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * The XDP program that gives each channel's segments to its socket. All processes that
 * receive from a card share it: each has a descriptor of its BPF link, so it is attached
 * once and goes with the last of them, whatever ends that. Nothing is pinned.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daq_steer.h"
#include "daq_steer.skel.h"
#include "internal.h"

#define MAX_MAPS 16

static const char program_name[] = "daq_steer";
static const char *const map_names[DAQ_STEER_MAPS] = {
	[DAQ_STEER_SOCKETS] = "daq_sockets",
	[DAQ_STEER_COUNTERS] = "daq_counters",
	[DAQ_STEER_FILTERS] = "daq_filters",
	[DAQ_STEER_TRIGGERS] = "daq_triggers",
};

static int load(struct daq_steer **steer)
{
	/* libbpf would print; the reason goes to daq_errmsg() instead */
	libbpf_print_fn_t printer = libbpf_set_print(NULL);
	int err = 0;

	*steer = daq_steer__open_and_load();
	if (!*steer)
		err = -errno;
	libbpf_set_print(printer);
	if (err == -EPERM)
		return daq_error(err, "loading the steering program needs CAP_BPF and CAP_NET_ADMIN (root)");
	if (err)
		return daq_error(err, "cannot load the steering program: %s", strerror(-err));
	return 0;
}

static int keep_maps(struct daq_card *card, const struct daq_steer *steer)
{
	int i, fd;

	for (i = 0; i < DAQ_STEER_MAPS; i++) {
		fd = bpf_object__find_map_fd_by_name(steer->obj, map_names[i]);
		card->steer_maps[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (card->steer_maps[i] < 0)
			return -errno;
	}
	return 0;
}

/* A BPF link, so that the program goes when the last process does. */
static int attach(struct daq_card *card, const struct daq_steer *steer)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(bpf_program__fd(steer->progs.daq_steer), card->ifindex, BPF_XDP,
				 &opts);

	if (fd < 0)
		return fd;
	card->steer_link = fd;
	return keep_maps(card, steer);
}

/* What is attached to the interface: its descriptor, -ENOENT: nothing any more. */
static int attached_program(const struct daq_card *card)
{
	__u32 id = 0;
	int err = bpf_xdp_query_id(card->ifindex, 0, &id);

	if (err)
		return err;
	return id ? bpf_prog_get_fd_by_id(id) : -ENOENT;
}

/* With the numbers of its maps, if there is room. */
static int program_info(int fd, struct bpf_prog_info *info, __u32 *maps, __u32 map_count)
{
	__u32 len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	info->map_ids = (uintptr_t)maps;
	info->nr_map_ids = map_count;
	return bpf_obj_get_info_by_fd(fd, info, &len);
}

/* The BPF link of a program, which belongs to one interface only. */
static int find_link(__u32 program)
{
	struct bpf_link_info info;
	__u32 len, id = 0;
	int fd;

	while (bpf_link_get_next_id(id, &id) == 0) {
		fd = bpf_link_get_fd_by_id(id);
		if (fd < 0)
			continue;
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
		    info.type == BPF_LINK_TYPE_XDP && info.prog_id == program && info.xdp.ifindex)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

/* Keeps the map if it is one that the library uses. */
static int take_map(struct daq_card *card, __u32 id)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	int i, err;

	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	for (i = 0; !err && i < DAQ_STEER_MAPS; i++)
		if (card->steer_maps[i] < 0 && strcmp(info.name, map_names[i]) == 0) {
			card->steer_maps[i] = fd;
			return 0;
		}
	close(fd);
	return err;
}

static int take_maps(struct daq_card *card, const __u32 *ids, __u32 count)
{
	__u32 i;
	int err;

	for (i = 0; i < count && i < MAX_MAPS; i++) {
		err = take_map(card, ids[i]);
		if (err)
			return err;
	}
	for (i = 0; i < DAQ_STEER_MAPS; i++)
		if (card->steer_maps[i] < 0)
			return -ENOENT;
	return 0;
}

/*
 * Shares what another process has attached, if that is the very same program.
 *
 * Return: 0, -EBUSY: it is another program, -EPERM: it takes CAP_SYS_ADMIN to tell, or
 * another error: it is just coming or going.
 */
static int join(struct daq_card *card, const struct daq_steer *own)
{
	struct bpf_prog_info ours, theirs;
	__u32 maps[MAX_MAPS] = { 0 };
	int fd = attached_program(card);
	int err;

	if (fd < 0)
		return fd;
	err = program_info(fd, &theirs, maps, MAX_MAPS);
	close(fd);
	if (!err)
		err = program_info(bpf_program__fd(own->progs.daq_steer), &ours, NULL, 0);
	if (err)
		return err;
	/* a hash of all its instructions */
	if (memcmp(ours.tag, theirs.tag, sizeof(ours.tag)))
		return -EBUSY;
	fd = find_link(theirs.id);
	if (fd < 0)
		return fd;
	/* from here on it stays, and so do its maps */
	card->steer_link = fd;
	return take_maps(card, maps, theirs.nr_map_ids);
}

/* Tells what is on the interface instead, and how to get rid of it. */
static int report_busy(const struct daq_card *card, int err)
{
	struct bpf_prog_info info = { 0 };
	const char *ifname = card->ifname;
	__u32 id = 0;
	int fd;

	bpf_xdp_query_id(card->ifindex, 0, &id);
	if (!id)
		return daq_error(err, "%s: cannot attach the steering program: %s", ifname,
				 strerror(-err));
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return daq_error(err, "%s has an XDP program (id %u): sharing another process' steering program needs CAP_SYS_ADMIN (root)",
				 ifname, id);
	program_info(fd, &info, NULL, 0);
	close(fd);
	if (strcmp(info.name, program_name) == 0)
		return daq_error(err, "%s is used by another version of libdaqring (XDP program %u): end its processes",
				 ifname, id);
	return daq_error(err, "%s has another XDP program (%s, id %u): end its owner or ip link set dev %s xdp off",
			 ifname, info.name, id, ifname);
}

/* What is there may be about to go, or somebody else be faster. */
static int attach_or_join(struct daq_card *card, const struct daq_steer *steer)
{
	int err, try;

	for (try = 0; try < DAQ_BUSY_TRIES; try++) {
		err = attach(card, steer);
		if (err != -EBUSY)
			break;
		err = join(card, steer);
		if (!err)
			return 0;
		daq_steering__detach(card);
		usleep(DAQ_BUSY_PAUSE_US);
	}
	if (!err)
		return 0;
	if (try == DAQ_BUSY_TRIES)
		return report_busy(card, err);
	if (err == -EPERM)
		return daq_error(err, "%s: attaching the steering program needs CAP_NET_ADMIN (root)",
				 card->ifname);
	return daq_error(err, "%s: cannot attach the steering program: %s", card->ifname,
			 strerror(-err));
}

void daq_steering__init(struct daq_card *card)
{
	int i;

	card->steer_link = -1;
	for (i = 0; i < DAQ_STEER_MAPS; i++)
		card->steer_maps[i] = -1;
}

int daq_steering__attach(struct daq_card *card)
{
	struct daq_steer *steer;
	int err;

	if (card->steer_link >= 0)
		return 0;
	err = load(&steer);
	if (err)
		return err;
	err = attach_or_join(card, steer);
	if (err)
		daq_steering__detach(card);
	/* what is attached is kept by its link */
	daq_steer__destroy(steer);
	return err;
}

void daq_steering__detach(struct daq_card *card)
{
	int i;

	if (card->steer_link >= 0)
		close(card->steer_link);
	for (i = 0; i < DAQ_STEER_MAPS; i++)
		if (card->steer_maps[i] >= 0)
			close(card->steer_maps[i]);
	daq_steering__init(card);
}

/* Sums up over all processors; zeroes if they cannot be read. */
static void read_counters(const struct daq_chan *chan, struct daq_steer_counters *sum)
{
	int cpu, cpus = libbpf_num_possible_cpus();
	struct daq_steer_counters *counters;
	__u32 key = chan->number;

	memset(sum, 0, sizeof(*sum));
	counters = cpus > 0 ? calloc(cpus, sizeof(*counters)) : NULL;
	if (!counters)
		return;
	if (bpf_map_lookup_elem(chan->card->steer_maps[DAQ_STEER_COUNTERS], &key, counters) == 0)
		for (cpu = 0; cpu < cpus; cpu++) {
			sum->redirected += counters[cpu].redirected;
			sum->passed += counters[cpu].passed;
			sum->malformed += counters[cpu].malformed;
		}
	free(counters);
}

void daq_steering__begin(struct daq_chan *chan)
{
	read_counters(chan, &chan->steered_before);
}

int daq_steering__add(struct daq_chan *chan)
{
	int fd = chan->socket;
	__u32 key = chan->number;

	/* not xsk_socket__update_xskmap(): its key is the queue */
	if (bpf_map_update_elem(chan->card->steer_maps[DAQ_STEER_SOCKETS], &key, &fd,
				BPF_NOEXIST) == 0) {
		chan->steered = true;
		return 0;
	}
	if (errno == EEXIST)
		return daq_error(-EBUSY, "channel %u of %s is open in another process, on another queue",
				 chan->number, chan->card->ifname);
	return daq_error(-errno, "%s: cannot steer channel %u: %m", chan->card->ifname,
			 chan->number);
}

int daq_steering__share_counters(const struct daq_card *card)
{
	DECLARE_LIBBPF_OPTS(bpf_get_fd_by_id_opts, opts, .open_flags = BPF_F_RDONLY);
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_obj_get_info_by_fd(card->steer_maps[DAQ_STEER_COUNTERS], &info, &len);

	if (!fd)
		fd = bpf_map_get_fd_by_id_opts(info.id, &opts);
	if (fd == -EPERM)
		return daq_error(fd, "handing an input over needs CAP_SYS_ADMIN (root)");
	if (fd < 0)
		return daq_error(fd, "cannot share the steering counters: %s", strerror(-fd));
	return fd;
}

void daq_steering__stats(const struct daq_chan *chan, struct daq_chan_stats *stats)
{
	struct daq_steer_counters now;

	read_counters(chan, &now);
	stats->malformed += now.malformed - chan->steered_before.malformed;
	stats->passed += now.passed - chan->steered_before.passed;
}
