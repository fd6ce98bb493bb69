// SPDX-License-Identifier: GPL-2.0
/* daq doctor: one card. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "daq.h"
#include "doctor.h"
#include "doctor_card.h"
#include "interface.h"
#include "owners.h"

#define PAGE		4096
/* What fits one buffer with its header, see Documentation/daq.rst. */
#define SHORT_SEGMENT	3392
/* What the kernel leaves a socket without XDP_USE_SG. */
#define SHORT_MTU	3814
#define MAX_RING	8192
/* A consumer sleeps that long now and then: the ring has to hold what comes meanwhile. */
#define PAUSE		0.1
/* Frames and bytes that the library has room for by default. */
#define BUFFER_FRAMES	4
#define BUFFER_BYTES	(4 << 20)
#define WATCH_US	500000

static bool acquires(const struct daq_format *format)
{
	return format->source != DAQ_SOURCE_NONE;
}

static double bytes_per_second(const struct daq_format *format)
{
	return (double)format->rate * format->sample_bytes;
}

static double frame_seconds(const struct daq_format *format)
{
	return format->frame_bytes / bytes_per_second(format);
}

/* Of the ring, for one full segment. */
static unsigned int segment_buffers(const struct daq_format *format)
{
	if (format->segment_bytes <= SHORT_SEGMENT)
		return 1;
	return 1 + (format->segment_bytes + PAGE - 1) / PAGE;
}

static double frame_buffers(const struct daq_format *format)
{
	double segments = (format->frame_bytes + format->segment_bytes - 1) / format->segment_bytes;

	return segments * segment_buffers(format);
}

static void check_link(struct patient *patient)
{
	const char *state = link_state(patient->name);

	if (strcmp(state, "up") == 0) {
		finding(patient->doctor, LEVEL_OK, patient->name, "link", "%u channels, %s, up",
			patient->channels, personality_name(patient->personality));
	} else if (strcmp(state, "down") == 0) {
		finding(patient->doctor, LEVEL_PROBLEM, patient->name, "link", "the interface is down");
		cure(patient->doctor, "ip link set %s up", patient->name);
	} else {
		finding(patient->doctor, LEVEL_PROBLEM, patient->name, "link",
			"the interface has no carrier: the card has stopped or gone");
		cure(patient->doctor, "devlink health show; dmesg | grep %s", patient->name);
	}
}

static void check_sources(struct patient *patient)
{
	double sum = 0;
	unsigned int i, count = 0;

	for (i = 0; i < patient->channels; i++) {
		if (!acquires(&patient->format[i]))
			continue;
		count++;
		sum += bytes_per_second(&patient->format[i]);
	}
	patient->rate = sum;
	if (count) {
		finding(patient->doctor, LEVEL_OK, patient->name, "sources",
			"%u channel%s with a source, %.1f MB/s", count, plural_s(count), sum / 1e6);
		return;
	}
	finding(patient->doctor, LEVEL_ADVICE, patient->name, "sources", "no channel has a source");
	cure(patient->doctor, "daq set %s --channel all --source counter", patient->name);
}

/* What a consumer of each channel locks, if it asks for nothing else. */
static void add_memory(struct patient *patient)
{
	unsigned int i;

	for (i = 0; i < patient->channels; i++) {
		double bytes = BUFFER_FRAMES * frame_buffers(&patient->format[i]) * PAGE;

		if (acquires(&patient->format[i]))
			patient->doctor->memory += bytes > BUFFER_BYTES ? bytes : BUFFER_BYTES;
	}
}

static unsigned int ring_for(double buffers)
{
	unsigned int size = 64;

	while (size < buffers && size < MAX_RING)
		size *= 2;
	return size;
}

static void check_rings(struct patient *patient)
{
	double frame[DAQ_MAX_CHANNELS] = { 0 }, pause[DAQ_MAX_CHANNELS] = { 0 }, needed = 0;
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	unsigned int i;

	if (ask_ethtool(patient->name, &ring) < 0)
		return;
	for (i = 0; i < patient->channels; i++) {
		const struct daq_format *format = &patient->format[i];
		double buffers = frame_buffers(format);

		if (!acquires(format) || format->queue >= DAQ_MAX_CHANNELS)
			continue;
		if (buffers > frame[format->queue])
			frame[format->queue] = buffers;
		pause[format->queue] += buffers * PAUSE / frame_seconds(format);
	}
	for (i = 0; i < DAQ_MAX_CHANNELS; i++) {
		if (frame[i] > needed)
			needed = frame[i];
		if (pause[i] > needed)
			needed = pause[i];
	}
	if (ring.rx_pending >= ring_for(needed)) {
		finding(patient->doctor, LEVEL_OK, patient->name, "ring",
			"receive rings of %u buffers are long enough", ring.rx_pending);
		return;
	}
	finding(patient->doctor, LEVEL_ADVICE, patient->name, "ring",
		"receive rings have %u buffers, a frame or %.1f s of data take %.0f", ring.rx_pending,
		PAUSE, needed);
	cure(patient->doctor, "ethtool -G %s rx %u", patient->name, ring_for(needed));
}

/* A frame that takes longer than rx-usecs is told of in parts, each a wake-up. */
static void check_moderation(struct patient *patient)
{
	struct ethtool_coalesce coalesce = { .cmd = ETHTOOL_GCOALESCE };
	double slowest = 0, usecs;
	unsigned int i;

	if (ask_ethtool(patient->name, &coalesce) < 0)
		return;
	for (i = 0; i < patient->channels; i++)
		if (acquires(&patient->format[i]) && frame_seconds(&patient->format[i]) > slowest)
			slowest = frame_seconds(&patient->format[i]);
	usecs = slowest * coalesce.rx_max_coalesced_frames * 1e6;
	if (usecs <= coalesce.rx_coalesce_usecs) {
		finding(patient->doctor, LEVEL_OK, patient->name, "moderation",
			"a wake-up for every %u frame%s, after %.6g ms at the latest",
			coalesce.rx_max_coalesced_frames,
			plural_s(coalesce.rx_max_coalesced_frames),
			coalesce.rx_coalesce_usecs / 1e3);
		return;
	}
	finding(patient->doctor, LEVEL_ADVICE, patient->name, "moderation",
		"a wake-up is for %u frame%s, which can take %.6g ms, and rx-usecs has consumers woken after %.6g ms, with parts",
		coalesce.rx_max_coalesced_frames, plural_s(coalesce.rx_max_coalesced_frames),
		usecs / 1e3, coalesce.rx_coalesce_usecs / 1e3);
	cure(patient->doctor, "ethtool -C %s rx-usecs %.0f", patient->name, 2 * usecs);
}

/* A kicked card moves one segment of each input per look. */
static void check_looks(struct patient *patient)
{
	struct ethtool_coalesce coalesce = { .cmd = ETHTOOL_GCOALESCE };
	double shortest = 1;
	unsigned int i;

	if (patient->personality != DAQ_PERSONALITY_KICKED ||
	    ask_ethtool(patient->name, &coalesce) < 0)
		return;
	for (i = 0; i < patient->channels; i++) {
		const struct daq_format *format = &patient->format[i];
		double seconds = format->segment_bytes / bytes_per_second(format);

		if (acquires(format) && seconds < shortest)
			shortest = seconds;
	}
	if (coalesce.rx_coalesce_usecs_high <= shortest * 1e6)
		return;
	finding(patient->doctor, LEVEL_PROBLEM, patient->name, "looks",
		"a segment takes %.0f us, and the driver looks for one every %u us at the most: the card overruns",
		shortest * 1e6, coalesce.rx_coalesce_usecs_high);
	cure(patient->doctor, "ethtool -C %s rx-usecs-high %.0f (or longer segments: daq set)",
	     patient->name, shortest * 5e5 > 10 ? shortest * 5e5 : 10);
}

static void check_segments(struct patient *patient)
{
	unsigned int i;

	for (i = 0; i < patient->channels; i++) {
		const struct daq_format *format = &patient->format[i];

		if (!acquires(format) || format->frame_bytes <= format->segment_bytes ||
		    format->segment_bytes % PAGE == 0)
			continue;
		finding(patient->doctor, LEVEL_ADVICE, patient->name, "segments",
			"segments of channel %u have %u bytes: frames will be in pieces, which multiples of %d are not",
			i, format->segment_bytes, PAGE);
		cure(patient->doctor, "daq set %s --channel %u --segment %u", patient->name, i,
		     format->segment_bytes > PAGE ? format->segment_bytes / PAGE * PAGE : PAGE);
		return;
	}
}

static void check_mtu(struct patient *patient)
{
	char mtu[16];

	if (!read_line(mtu, sizeof(mtu), "/sys/class/net/%s/mtu", patient->name) ||
	    atoi(mtu) <= SHORT_MTU)
		return;
	finding(patient->doctor, LEVEL_ADVICE, patient->name, "mtu",
		"with MTU %s sockets without XDP_USE_SG are refused, and segments need none", mtu);
	cure(patient->doctor, "ip link set %s mtu 1500", patient->name);
}

static void check_program(struct patient *patient)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd;

	if (bpf_xdp_query(patient->ifindex, 0, &query) < 0)
		return;
	if (query.attach_mode == XDP_ATTACHED_NONE)
		return;
	fd = bpf_prog_get_fd_by_id(query.prog_id ? query.prog_id : query.skb_prog_id);
	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	if (query.attach_mode == XDP_ATTACHED_SKB) {
		finding(patient->doctor, LEVEL_PROBLEM, patient->name, "program",
			"XDP program %s is attached in generic mode, which copies everything", info.name);
		cure(patient->doctor, "ip link set dev %s xdpgeneric off", patient->name);
	} else if (fd >= 0 && strcmp(info.name, "daq_steer") != 0) {
		finding(patient->doctor, LEVEL_PROBLEM, patient->name, "program",
			"XDP program %s (id %u) is in the way of the library's", info.name, info.id);
		cure(patient->doctor, "ip link set dev %s xdp off (or end who attached it)",
		     patient->name);
	} else {
		finding(patient->doctor, LEVEL_OK, patient->name, "program",
			"an XDP program is attached natively");
	}
}

static void check_owner(struct patient *patient, unsigned int queue, const struct owner *owner)
{
	char who[40];

	if (owner->pid)
		snprintf(who, sizeof(who), "%s[%d]", owner->command, owner->pid);
	else
		snprintf(who, sizeof(who), "a process that this user may not see");
	if (owner->zero_copy) {
		finding(patient->doctor, LEVEL_OK, patient->name, "owner",
			"queue %u is used by %s, without a copy", queue, who);
		return;
	}
	finding(patient->doctor, LEVEL_ADVICE, patient->name, "owner",
		"queue %u is used by %s, for whom the kernel copies", queue, who);
	cure(patient->doctor, "daq capture %s --zero-copy (says why, if it cannot be had)",
	     patient->name);
}

static void check_owners(struct patient *patient)
{
	const struct owner *owner;
	unsigned int i;

	for (i = 0; i < patient->channels; i++)
		for (owner = NULL; (owner = owner_of(&patient->owners, patient->ifindex, i, owner));)
			check_owner(patient, i, owner);
}

/* Why data are lost, and what helps. */
static const struct {
	enum counter counter;
	const char *meaning;
	const char *cure;
} losses[] = {
	{ COUNT_DROP_NO_BUFFER, "its consumer was too slow or held its frames",
	  "daq capture IFNAME --buffer 256M; ethtool -G IFNAME rx 8192" },
	{ COUNT_DROP_FIFO_OVERRUN, "the driver looked at the card too rarely",
	  "ethtool -C IFNAME rx-usecs-high 50" },
	{ COUNT_DROP_TOO_LONG, "they need more than 18 buffers",
	  "daq set IFNAME --channel CHANNEL --segment 65536" },
	{ COUNT_DROP_XDP, "the XDP program dropped them", "ip -d link show IFNAME" },
	{ COUNT_DROP_ABORTED, "the XDP program failed", "bpftool prog tracelog" },
	{ COUNT_DROP_RING_FULL, "its socket's RX ring was smaller than its memory",
	  "ss --xdp --extended --processes" },
	{ COUNT_DROP_REDIRECT, "its socket was gone, or bound to another queue",
	  "ss --xdp --extended --processes" },
	{ COUNT_DROP_NO_MEMORY, "the kernel had no memory", "sysctl vm.min_free_kbytes=131072" },
	{ COUNT_DROP_NO_FRAGS, "its program or socket takes one buffer, they have several",
	  "ip -d link show IFNAME" },
	{ COUNT_DROP_BAD_DESC, "the card contradicted itself", "devlink health show" },
	{ COUNT_DROP_STOPPED, "the card went on after it was stopped", "devlink health show" },
	{ COUNT_UNDERRUNS, "who plays was too slow, or stopped without a last frame",
	  "daq set IFNAME --channel CHANNEL --output-low 64" },
	{ COUNT_TX_BAD, "what was sent to be played made no sense", "daq dump IFNAME" },
	{ COUNT_IRQS_LOST, "interrupts of the card do not arrive", "grep IFNAME /proc/interrupts" },
	{ COUNT_FILL_DUPLICATES, "its consumer posts buffers twice",
	  "ss --xdp --extended --processes" },
};

/* The cure of a table, with names for IFNAME and CHANNEL. */
static void cure_loss(struct patient *patient, const char *text, unsigned int channel)
{
	char line[256];
	size_t len = 0;

	while (*text && len < sizeof(line) - IF_NAMESIZE) {
		if (strncmp(text, "IFNAME", strlen("IFNAME")) == 0) {
			len += sprintf(line + len, "%s", patient->name);
			text += strlen("IFNAME");
		} else if (strncmp(text, "CHANNEL", strlen("CHANNEL")) == 0) {
			len += sprintf(line + len, "%u", channel);
			text += strlen("CHANNEL");
		} else {
			line[len++] = *text++;
		}
	}
	line[len] = '\0';
	cure(patient->doctor, "%s", line);
}

/* One finding for each reason, of the channel that has lost most. */
static void check_reason(struct patient *patient, unsigned int reason,
			 const struct card_counts *then)
{
	enum counter counter = losses[reason].counter;
	unsigned int i, worst = 0, channels = 0;
	uint64_t sum = 0, grown = 0;

	for (i = 0; i < patient->channels; i++) {
		uint64_t count = patient->counts.of[i][counter];

		channels += count > 0;
		sum += count;
		grown += count - then->of[i][counter];
		if (count > patient->counts.of[worst][counter])
			worst = i;
	}
	if (!sum)
		return;
	finding(patient->doctor, grown ? LEVEL_PROBLEM : LEVEL_ADVICE, patient->name,
		counter_name(counter), "%s: %" PRIu64 " on %u channels, most on %u%s: %s",
		counter_name(counter), sum, channels, worst,
		grown ? ", and it goes on" : ", none right now", losses[reason].meaning);
	cure_loss(patient, losses[reason].cure, worst);
}

static bool any_loss(const struct patient *patient)
{
	unsigned int i, reason;

	for (i = 0; i < patient->channels; i++)
		for (reason = 0; reason < ARRAY_SIZE(losses); reason++)
			if (patient->counts.of[i][losses[reason].counter])
				return true;
	return false;
}

/* What was lost some time ago may be cured; what is being lost is a problem. */
static void check_losses(struct patient *patient)
{
	struct card_counts then;
	unsigned int reason;

	if (read_counts(patient->name, &patient->counts) < 0)
		return;
	if (!any_loss(patient)) {
		finding(patient->doctor, LEVEL_OK, patient->name, "losses", "nothing was ever lost");
		return;
	}
	then = patient->counts;
	usleep(WATCH_US);
	if (read_counts(patient->name, &patient->counts) < 0)
		return;
	for (reason = 0; reason < ARRAY_SIZE(losses); reason++)
		check_reason(patient, reason, &then);
}

void examine_card(struct doctor *doctor, struct daq_card *card)
{
	struct patient patient = {
		.doctor = doctor,
		.name = daq_card__name(card),
		.ifindex = if_nametoindex(daq_card__name(card)),
		.channels = daq_card__channels(card),
	};
	unsigned int i;

	doctor->cards++;
	for (i = 0; i < patient.channels; i++)
		if (daq_card__format(card, i, &patient.format[i]) < 0)
			goto gone;
	if (daq_card__personality(card, &patient.personality) < 0)
		goto gone;
	owners_read(&patient.owners);
	check_link(&patient);
	check_sources(&patient);
	add_memory(&patient);
	check_rings(&patient);
	check_moderation(&patient);
	check_looks(&patient);
	check_segments(&patient);
	check_mtu(&patient);
	check_program(&patient);
	check_owners(&patient);
	check_bus(&patient);
	check_losses(&patient);
	owners_free(&patient.owners);
	return;

gone:
	finding(doctor, LEVEL_PROBLEM, patient.name, "card", "%s", daq_errmsg());
}
