// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* The XDP program that gives each channel's segments to its socket. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daq_steer.h"
#include "daq_steer.skel.h"
#include "internal.h"

static int load(struct daq_card *card)
{
	/* libbpf would print; the reason goes to daq_errmsg() instead */
	libbpf_print_fn_t printer = libbpf_set_print(NULL);
	int err = 0;

	card->steer = daq_steer__open_and_load();
	if (!card->steer)
		err = -errno;
	libbpf_set_print(printer);
	if (err == -EPERM)
		return daq_error(err, "loading the steering program needs CAP_BPF and CAP_NET_ADMIN (root)");
	if (err)
		return daq_error(err, "cannot load the steering program: %s", strerror(-err));
	return 0;
}

/* Somebody else's program is on the interface: tell whose and how to get rid of it. */
static int report_busy(const struct daq_card *card, int err)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	__u32 id = 0;
	int fd;

	if (bpf_xdp_query_id(card->ifindex, 0, &id) == 0 && id) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd >= 0) {
			bpf_obj_get_info_by_fd(fd, &info, &len);
			close(fd);
		}
	}
	if (strcmp(info.name, "daq_steer") == 0)
		return daq_error(-EBUSY, "another process is receiving from %s (XDP program %u): only one can at a time",
				 card->ifname, id);
	if (id)
		return daq_error(-EBUSY, "%s has another XDP program (%s, id %u): end its owner or ip link set dev %s xdp off",
				 card->ifname, info.name, id, card->ifname);
	return daq_error(err, "%s: cannot attach the steering program: %s", card->ifname,
			 strerror(-err));
}

/* A BPF link, so that the program goes when the process does, whatever ends it. */
static int attach(struct daq_card *card)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int program = bpf_program__fd(card->steer->progs.daq_steer);
	int fd, try;

	for (try = 0; try < DAQ_BUSY_TRIES; try++) {
		fd = bpf_link_create(program, card->ifindex, BPF_XDP, &opts);
		if (fd != -EBUSY)
			break;
		usleep(DAQ_BUSY_PAUSE_US);
	}
	if (fd == -EPERM)
		return daq_error(fd, "%s: attaching the steering program needs CAP_NET_ADMIN (root)",
				 card->ifname);
	if (fd < 0)
		return report_busy(card, fd);
	card->steer_link = fd;
	return 0;
}

int daq_steering__attach(struct daq_card *card)
{
	int err;

	if (card->steer)
		return 0;
	err = load(card);
	if (err)
		return err;
	err = attach(card);
	if (err)
		daq_steering__detach(card);
	return err;
}

void daq_steering__detach(struct daq_card *card)
{
	if (card->steer_link >= 0)
		close(card->steer_link);
	card->steer_link = -1;
	daq_steer__destroy(card->steer);
	card->steer = NULL;
}

int daq_steering__add(struct daq_chan *chan)
{
	int map = bpf_map__fd(chan->card->steer->maps.daq_sockets);
	int fd = xsk_socket__fd(chan->xsk);
	__u32 key = chan->number;

	/* not xsk_socket__update_xskmap(): its key is the queue */
	if (bpf_map_update_elem(map, &key, &fd, BPF_NOEXIST) < 0)
		return daq_error(-errno, "%s: channel %u is open already", chan->card->ifname,
				 chan->number);
	return 0;
}

void daq_steering__stats(struct daq_chan *chan, struct daq_chan_stats *stats)
{
	int map = bpf_map__fd(chan->card->steer->maps.daq_counters);
	int cpu, cpus = libbpf_num_possible_cpus();
	struct daq_steer_counters *counters;
	__u32 key = chan->number;

	if (cpus < 0)
		return;
	counters = calloc(cpus, sizeof(*counters));
	if (!counters)
		return;
	if (bpf_map_lookup_elem(map, &key, counters) == 0)
		for (cpu = 0; cpu < cpus; cpu++) {
			stats->malformed += counters[cpu].malformed;
			stats->passed += counters[cpu].passed;
		}
	free(counters);
}
