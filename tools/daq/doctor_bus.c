// SPDX-License-Identifier: GPL-2.0
/* daq doctor: a card on the PCI bus, its interrupts, and the memory that is near it. */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daq.h"
#include "doctor_card.h"

/* Of the bytes that a link moves, those that are data. */
#define LINK_SHARE	0.85

/* "0-3,8" as a set. */
static void parse_cpus(const char *text, cpu_set_t *set)
{
	unsigned long first, last;
	char *end;

	CPU_ZERO(set);
	for (; *text >= '0' && *text <= '9'; text = end + (*end == ',')) {
		first = strtoul(text, &end, 10);
		last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
		for (; first <= last && first < CPU_SETSIZE; first++)
			CPU_SET(first, set);
	}
}

/* Megabytes per second that the link carries; 0: unknown, or no link. */
static double link_speed(const struct patient *patient)
{
	char speed[64], width[16];
	double transfers;

	if (!read_line(speed, sizeof(speed), "/sys/class/net/%s/device/current_link_speed",
		       patient->name) ||
	    !read_line(width, sizeof(width), "/sys/class/net/%s/device/current_link_width",
		       patient->name))
		return 0;
	transfers = strtod(speed, NULL) * 1e3;
	/* up to 5 GT/s a byte takes ten bits, then 130 bits carry 16 bytes */
	return transfers * atoi(width) / (transfers <= 5000 ? 10 : 8.125) * LINK_SHARE;
}

static void check_link_speed(struct patient *patient)
{
	double speed = link_speed(patient), wanted = patient->rate / 1e6;

	if (speed <= 0)
		return;
	if (wanted <= speed) {
		finding(patient->doctor, LEVEL_OK, patient->name, "bus",
			"the PCIe link carries some %.0f MB/s", speed);
		return;
	}
	finding(patient->doctor, LEVEL_PROBLEM, patient->name, "bus",
		"channels acquire %.0f MB/s, the PCIe link carries some %.0f", wanted, speed);
	cure(patient->doctor, "lspci -vv (LnkSta against LnkCap); else daq set %s --rate",
	     patient->name);
}

static int compare_numbers(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static int is_number(const struct dirent *entry)
{
	return entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

struct irqs {
	unsigned int count;
	int number[DAQ_MAX_CHANNELS];
	cpu_set_t cpus[DAQ_MAX_CHANNELS];	/* that it comes to */
};

/* Of the queues; one more, for events, does not matter. */
static void find_irqs(const struct patient *patient, struct irqs *irqs)
{
	struct dirent **entries;
	char path[128], cpus[256];
	int count, i;

	irqs->count = 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/msi_irqs", patient->name);
	count = scandir(path, &entries, is_number, compare_numbers);
	for (i = 0; i < count; i++) {
		int number = atoi(entries[i]->d_name);

		free(entries[i]);
		if (irqs->count == patient->channels ||
		    !read_line(cpus, sizeof(cpus), "/proc/irq/%d/effective_affinity_list", number))
			continue;
		irqs->number[irqs->count] = number;
		parse_cpus(cpus, &irqs->cpus[irqs->count++]);
	}
	if (count >= 0)
		free(entries);
}

static void check_spread(struct patient *patient, const struct irqs *irqs)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int i;

	if (irqs->count < 2 || cpus < 2)
		return;
	for (i = 1; i < irqs->count; i++)
		if (!CPU_EQUAL(&irqs->cpus[i], &irqs->cpus[0])) {
			finding(patient->doctor, LEVEL_OK, patient->name, "interrupts",
				"interrupts of %u queues come to several processors", irqs->count);
			return;
		}
	finding(patient->doctor, LEVEL_ADVICE, patient->name, "interrupts",
		"interrupts of all %u queues come to the same processor", irqs->count);
	cure(patient->doctor, "i=0; for n in $(seq %d %d); do echo $((i++ %% %ld)) >/proc/irq/$n/smp_affinity_list; done",
	     irqs->number[0], irqs->number[irqs->count - 1], cpus);
}

/* Who is bound to the one processor that has to serve the card, too. */
static void check_consumers(struct patient *patient, const struct irqs *irqs)
{
	const struct owner *owner;
	cpu_set_t allowed;
	unsigned int i;

	for (i = 0; i < irqs->count; i++) {
		owner = owner_of(&patient->owners, patient->ifindex, i, NULL);
		if (!owner || !owner->pid ||
		    sched_getaffinity(owner->pid, sizeof(allowed), &allowed) < 0 ||
		    CPU_COUNT(&allowed) != 1 || !CPU_EQUAL(&allowed, &irqs->cpus[i]) ||
		    sysconf(_SC_NPROCESSORS_ONLN) < 2)
			continue;
		finding(patient->doctor, LEVEL_ADVICE, patient->name, "consumer",
			"%s[%d] may run only where interrupts of its queue %u come to", owner->command,
			owner->pid, i);
		cure(patient->doctor, "taskset -pc 0-%ld %d", sysconf(_SC_NPROCESSORS_ONLN) - 1,
		     owner->pid);
	}
}

static void check_node(struct patient *patient, const struct irqs *irqs)
{
	char node[16], cpus[256];
	cpu_set_t near, both;
	unsigned int i;

	if (!read_line(node, sizeof(node), "/sys/class/net/%s/device/numa_node", patient->name) ||
	    atoi(node) < 0 || access("/sys/devices/system/node/node1", F_OK) != 0 ||
	    !read_line(cpus, sizeof(cpus), "/sys/devices/system/node/node%d/cpulist", atoi(node)))
		return;
	parse_cpus(cpus, &near);
	for (i = 0; i < irqs->count; i++) {
		CPU_AND(&both, &near, &irqs->cpus[i]);
		if (CPU_COUNT(&both))
			continue;
		finding(patient->doctor, LEVEL_ADVICE, patient->name, "node",
			"interrupt %d of queue %u comes to a processor far from the card, which is on node %s",
			irqs->number[i], i, node);
		cure(patient->doctor, "echo %s >/proc/irq/%d/smp_affinity_list", cpus,
		     irqs->number[i]);
		return;
	}
	finding(patient->doctor, LEVEL_OK, patient->name, "node",
		"the card is on node %s (numactl --cpunodebind=%s --membind=%s PROGRAM)", node, node,
		node);
}

void check_bus(struct patient *patient)
{
	/* static: sets of processors are large */
	static struct irqs irqs;

	check_link_speed(patient);
	find_irqs(patient, &irqs);
	check_spread(patient, &irqs);
	check_consumers(patient, &irqs);
	check_node(patient, &irqs);
}
