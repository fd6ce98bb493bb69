// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Programs of the application that decide which frames it gets, see bpf/daq_trigger.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daq_steer.h"
#include "internal.h"

struct daq_trigger {
	struct bpf_object *object;
	struct bpf_program *program;
};

/* The maps that a trigger shares with the steering program. */
static const struct {
	const char *name;
	int map;
} shared_maps[] = {
	{ "daq_sockets", DAQ_STEER_SOCKETS },
	{ "daq_counters", DAQ_STEER_COUNTERS },
	{ "daq_filters", DAQ_STEER_FILTERS },
};

#define SHARED_MAPS (sizeof(shared_maps) / sizeof(shared_maps[0]))

static int share_maps(const struct daq_card *card, const struct daq_trigger *trigger,
		      const char *path)
{
	struct bpf_map *map;
	unsigned int i;
	int err;

	for (i = 0; i < SHARED_MAPS; i++) {
		const char *name = shared_maps[i].name;

		map = bpf_object__find_map_by_name(trigger->object, name);
		if (!map)
			return daq_error(-EINVAL, "%s is no trigger: it has no map %s, which <daq/daq_trigger.h> defines",
					 path, name);
		err = bpf_map__reuse_fd(map, card->steer_maps[shared_maps[i].map]);
		if (err)
			return daq_error(err, "%s: cannot share map %s: %s", path, name,
					 strerror(-err));
	}
	return 0;
}

/* Only that one is loaded. */
static int choose_program(struct daq_trigger *trigger, const char *path, const char *name)
{
	struct bpf_program *program;
	unsigned int count = 0;

	bpf_object__for_each_program(program, trigger->object) {
		bool chosen = !name || strcmp(bpf_program__name(program), name) == 0;

		bpf_program__set_autoload(program, chosen);
		if (chosen)
			trigger->program = program;
		count += chosen;
	}
	if (count == 1)
		return 0;
	if (!name)
		return daq_error(-ENOENT, "%s has %u programs: name the one to use", path, count);
	return daq_error(-ENOENT, "%s has no program %s", path, name);
}

/* The last line before the summary says what the verifier does not like. */
static const char *last_line(char *log)
{
	char *end = strstr(log, "\nprocessed ");
	char *line;

	if (end)
		*end = '\0';
	else
		log[strcspn(log, "\n")] = '\0';
	line = strrchr(log, '\n');
	return line ? line + 1 : log;
}

static int load(const struct daq_card *card, struct daq_trigger *trigger, const char *path,
		const char *program)
{
	static __thread char log[65536];
	char reason[128];
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log,
			    .kernel_log_size = sizeof(log), .kernel_log_level = 0);
	int err;

	log[0] = '\0';
	trigger->object = bpf_object__open_file(path, &opts);
	if (!trigger->object) {
		err = -errno;
		libbpf_strerror(err, reason, sizeof(reason));
		/* some of libbpf's numbers are its own */
		return daq_error(err < -__LIBBPF_ERRNO__START ? -EINVAL : err,
				 "cannot open %s: %s", path, reason);
	}
	err = share_maps(card, trigger, path);
	if (!err)
		err = choose_program(trigger, path, program);
	if (err)
		return err;
	err = bpf_object__load(trigger->object);
	if (err == -EPERM)
		return daq_error(err, "loading %s needs CAP_BPF and CAP_NET_ADMIN (root)", path);
	if (err)
		return daq_error(err, "cannot load %s of %s: %s: %s",
				 bpf_program__name(trigger->program), path, strerror(-err),
				 last_line(log));
	return 0;
}

int daq_trigger__open(struct daq_card *card, const char *path, const char *program,
		      struct daq_trigger **result)
{
	libbpf_print_fn_t printer;
	struct daq_trigger *trigger;
	int err;

	if (card->received)
		return daq_error(-EOPNOTSUPP, "%s was handed over: only who opens channels can have triggers",
				 card->ifname);
	err = daq_steering__attach(card);
	if (err)
		return err;
	trigger = calloc(1, sizeof(*trigger));
	if (!trigger)
		return daq_error(-ENOMEM, "no memory for a trigger");
	/* libbpf would print; the reason goes to daq_errmsg() instead */
	printer = libbpf_set_print(NULL);
	err = load(card, trigger, path, program);
	libbpf_set_print(printer);
	if (err) {
		daq_trigger__close(trigger);
		return err;
	}
	*result = trigger;
	return 0;
}

void daq_trigger__close(struct daq_trigger *trigger)
{
	if (!trigger)
		return;
	bpf_object__close(trigger->object);
	free(trigger);
}

int daq_trigger__fd(const struct daq_trigger *trigger)
{
	return bpf_program__fd(trigger->program);
}

static int remove_trigger(struct daq_chan *chan)
{
	int map = chan->card->steer_maps[DAQ_STEER_TRIGGERS];
	__u32 key = chan->number;

	chan->has_trigger = false;
	if (bpf_map_delete_elem(map, &key) < 0 && errno != ENOENT)
		return daq_error(-errno, "%s: cannot remove the trigger of channel %u: %m",
				 chan->card->ifname, chan->number);
	return 0;
}

int daq_chan__set_trigger_fd(struct daq_chan *chan, int fd)
{
	int map = chan->card->steer_maps[DAQ_STEER_TRIGGERS];
	__u32 key = chan->number;

	if (chan->direction != DAQ_INPUT)
		return daq_error(-EOPNOTSUPP, "channel %u is open for output", chan->number);
	if (chan->observing || chan->card->received)
		return daq_error(-EOPNOTSUPP, "only who opens channel %u can set its trigger",
				 chan->number);
	if (fd < 0)
		return remove_trigger(chan);
	if (bpf_map_update_elem(map, &key, &fd, BPF_ANY) < 0)
		return daq_error(-errno, errno == EINVAL ?
				 "channel %u: only an xdp.frags program can be its trigger" :
				 "channel %u: cannot set the trigger: %m", chan->number);
	chan->has_trigger = true;
	return 0;
}

int daq_chan__set_trigger(struct daq_chan *chan, const struct daq_trigger *trigger)
{
	return daq_chan__set_trigger_fd(chan, trigger ? daq_trigger__fd(trigger) : -1);
}

static void read_filter(const struct daq_chan *chan, struct daq_filter *filter)
{
	int map = chan->card->steer_maps[DAQ_STEER_FILTERS];
	__u32 key = chan->number;

	memset(filter, 0, sizeof(*filter));
	bpf_map_lookup_elem(map, &key, filter);
}

/* Only what no trigger counts at the same time can be written. */
static int set_joins(struct daq_chan *chan, struct daq_filter *filter)
{
	int map = chan->card->steer_maps[DAQ_STEER_FILTERS];
	__u32 key = chan->number;

	filter->joins = chan->zero_copy;
	if (bpf_map_update_elem(map, &key, filter, BPF_ANY) < 0)
		return daq_error(-errno, "%s: cannot set channel %u up for steering: %m",
				 chan->card->ifname, chan->number);
	return 0;
}

int daq_trigger__begin(struct daq_chan *chan)
{
	struct daq_filter filter;
	int err = remove_trigger(chan);

	if (err)
		return err;
	read_filter(chan, &filter);
	chan->filtered_before[0] = filter.frames;
	chan->filtered_before[1] = filter.segments;
	chan->filtered_before[2] = filter.bytes;
	return set_joins(chan, &filter);
}

/* What comes now is nobody's, and nobody's wishes count. */
void daq_trigger__end(struct daq_chan *chan)
{
	if (chan->has_trigger)
		remove_trigger(chan);
}

void daq_trigger__stats(const struct daq_chan *chan, struct daq_chan_stats *stats)
{
	struct daq_filter filter;

	read_filter(chan, &filter);
	stats->filtered_frames = filter.frames - chan->filtered_before[0];
	stats->filtered_segments = filter.segments - chan->filtered_before[1];
	stats->filtered_bytes = filter.bytes - chan->filtered_before[2];
}
