// SPDX-License-Identifier: GPL-2.0
/* daq doctor: the driver, the caller's rights, memory, processors. */
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "daq.h"
#include "doctor.h"

#define MACHINE		"machine"
#define HUGE_PAGE	(2 << 20)

/* What the driver is tested on: in older ones of 6.12 a headroom can spoil segments. */
#define KERNEL_MAJOR	6
#define KERNEL_MINOR	12
#define KERNEL_STABLE	107

static void check_kernel(struct doctor *doctor)
{
	unsigned int major = 0, minor = 0, stable = 0;
	struct utsname name;
	int count;

	uname(&name);
	count = sscanf(name.release, "%u.%u.%u", &major, &minor, &stable);
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR)) {
		finding(doctor, LEVEL_PROBLEM, MACHINE, "kernel", "Linux %s is too old: %u.%u at least",
			name.release, KERNEL_MAJOR, KERNEL_MINOR);
		cure(doctor, "apt install linux-image-amd64");
		return;
	}
	if (major == KERNEL_MAJOR && minor == KERNEL_MINOR && count == 3 &&
	    stable < KERNEL_STABLE) {
		finding(doctor, LEVEL_ADVICE, MACHINE, "kernel",
			"Linux %s: sockets with a headroom can spoil memory (CVE-2026-43093)",
			name.release);
		cure(doctor, "apt update && apt install linux-image-amd64");
		return;
	}
	finding(doctor, LEVEL_OK, MACHINE, "kernel", "Linux %s", name.release);
}

static void check_module(struct doctor *doctor)
{
	struct utsname name;
	char path[128];

	if (access("/sys/module/daq", F_OK) == 0) {
		finding(doctor, LEVEL_OK, MACHINE, "driver", "the driver is loaded");
		return;
	}
	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/updates/daq.ko", name.release);
	if (access(path, F_OK) == 0) {
		finding(doctor, LEVEL_PROBLEM, MACHINE, "driver", "the driver is not loaded");
		cure(doctor, "modprobe daq");
		return;
	}
	finding(doctor, LEVEL_PROBLEM, MACHINE, "driver",
		"the driver is not loaded, and not installed for Linux %s", name.release);
	cure(doctor, "make && make install && modprobe daq");
}

void examine_driver(struct doctor *doctor)
{
	check_kernel(doctor);
	check_module(doctor);
}

/* The value of a line "Name:\t1234 kB" of a file in /proc. */
static uint64_t field(const char *path, const char *name, int base)
{
	FILE *file = fopen(path, "re");
	uint64_t value = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL, base);
	if (file)
		fclose(file);
	return value;
}

static bool has_capability(unsigned int capability)
{
	return field("/proc/self/status", "CapEff", 16) >> capability & 1;
}

/* In the order of what they are needed for: any socket, receiving. */
static void check_capabilities(struct doctor *doctor)
{
	static const struct {
		unsigned int number;
		const char *name;
	} needed[] = {
		{ CAP_NET_RAW, "CAP_NET_RAW" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ CAP_BPF, "CAP_BPF" },
	};
	char missing[64] = "";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (!has_capability(needed[i].number)) {
			strcat(missing, " ");
			strcat(missing, needed[i].name);
		}
	if (!*missing) {
		finding(doctor, LEVEL_OK, MACHINE, "capabilities",
			"this user may receive, play and configure");
		return;
	}
	finding(doctor, LEVEL_PROBLEM, MACHINE, "capabilities", "to receive this user lacks%s",
		missing);
	cure(doctor, "setcap cap_net_raw,cap_net_admin,cap_bpf,cap_ipc_lock+ep PROGRAM (or run it as root)");
}

static void check_locked_memory(struct doctor *doctor)
{
	uint64_t kilo = (doctor->memory + 1023) / 1024;
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (has_capability(CAP_IPC_LOCK) || limit.rlim_cur >= doctor->memory) {
		finding(doctor, LEVEL_OK, MACHINE, "locked-memory",
			"consumers may lock the %" PRIu64 " MiB that they need", kilo / 1024);
		return;
	}
	finding(doctor, LEVEL_PROBLEM, MACHINE, "locked-memory",
		"at most %llu kB may be locked, all channels need %" PRIu64,
		(unsigned long long)limit.rlim_cur / 1024, kilo);
	cure(doctor, "ulimit -l %" PRIu64 " (as root, or memlock in /etc/security/limits.conf)", kilo);
}

static void check_memory(struct doctor *doctor)
{
	uint64_t available = field("/proc/meminfo", "MemAvailable", 10) * 1024;

	if (doctor->memory > available) {
		finding(doctor, LEVEL_PROBLEM, MACHINE, "memory",
			"%" PRIu64 " MiB are available, buffers of all channels need %" PRIu64,
			available >> 20, doctor->memory >> 20);
		cure(doctor, "daq capture IFNAME --buffer 4M (three frames at least)");
	}
}

static void check_huge_pages(struct doctor *doctor)
{
	uint64_t pages = field("/proc/meminfo", "HugePages_Total", 10);
	uint64_t needed = (doctor->memory + HUGE_PAGE - 1) / HUGE_PAGE;

	if (pages >= needed) {
		finding(doctor, LEVEL_OK, MACHINE, "huge-pages", "%" PRIu64 " huge pages", pages);
		return;
	}
	finding(doctor, LEVEL_ADVICE, MACHINE, "huge-pages",
		"%" PRIu64 " huge pages, buffers of all channels would fill %" PRIu64
		": with these the processor looks up fewer addresses", pages, needed);
	cure(doctor, "sysctl vm.nr_hugepages=%" PRIu64, needed);
}

static void check_bpf(struct doctor *doctor)
{
	char line[16];

	if (read_line(line, sizeof(line), "/proc/sys/net/core/bpf_jit_enable") &&
	    *line == '0') {
		finding(doctor, LEVEL_ADVICE, MACHINE, "bpf-jit",
			"the steering program is interpreted, not compiled");
		cure(doctor, "sysctl net.core.bpf_jit_enable=1");
	}
	if (read_line(line, sizeof(line), "/proc/sys/kernel/unprivileged_bpf_disabled") &&
	    *line == '0') {
		finding(doctor, LEVEL_ADVICE, MACHINE, "unprivileged-bpf",
			"every user may load BPF programs, which cards do not need");
		cure(doctor, "sysctl kernel.unprivileged_bpf_disabled=2");
	}
}

static void check_governor(struct doctor *doctor)
{
	char governor[32];

	if (!read_line(governor, sizeof(governor),
		       "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
		return;
	if (strcmp(governor, "performance") == 0) {
		finding(doctor, LEVEL_OK, MACHINE, "governor", "processors run at full speed");
		return;
	}
	finding(doctor, LEVEL_ADVICE, MACHINE, "governor",
		"processors slow down when idle (%s): the first segments then meet a slow one",
		governor);
	cure(doctor, "cpupower frequency-set -g performance");
}

/* Whether the kernel was booted with "swiotlb=65536,force", say; @line becomes the option. */
static bool forces_bounce_buffers(char *line)
{
	char *option = strstr(line, "swiotlb="), *word;

	if (!option)
		return false;
	option[strcspn(option, " ")] = '\0';
	memmove(line, option, strlen(option) + 1);
	word = strstr(line, "force");
	return word && (word[-1] == '=' || word[-1] == ',') && !word[strlen("force")];
}

/* Where the kernel makes DMA go through memory of its own, zero copy is one copy. */
static void check_bounce_buffers(struct doctor *doctor)
{
	char line[2048];

	if (!read_line(line, sizeof(line), "/proc/cmdline") || !forces_bounce_buffers(line))
		return;
	finding(doctor, LEVEL_PROBLEM, MACHINE, "bounce-buffers",
		"the kernel copies all data through bounce buffers (%s)", line);
	cure(doctor, "remove it from GRUB_CMDLINE_LINUX in /etc/default/grub, update-grub, and boot");
}

void examine_machine(struct doctor *doctor)
{
	check_capabilities(doctor);
	if (doctor->memory) {
		check_locked_memory(doctor);
		check_memory(doctor);
		check_huge_pages(doctor);
	}
	check_bpf(doctor);
	check_governor(doctor);
	check_bounce_buffers(doctor);
}
