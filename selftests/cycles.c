// SPDX-License-Identifier: GPL-2.0
/*
 * Many times each: link down and up, XDP program on and off, socket bound and closed,
 * card made and removed, all with data flowing: nothing is lost of the memory, nor of
 * the data's accounting.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	4
#define BATCHES		4
#define CYCLES		(BATCHES * scaled(50))
/*
 * One page per cycle would be a leak. The debug kernel keeps records of its own, in
 * memory that it does not give back; there a scan at the end looks for leaks.
 */
#define TOLERANCE_KB	(test_scale() == 1 ? CYCLES * 4 : 4096)

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = 20480, .frame_bytes = 40960, .rate = 512000,
};

/*
 * Free pages, those on the lists of each CPU included, which MemFree leaves out and
 * which come and go by megabytes.
 */
static long free_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	long pages = 0, n;
	char line[128];

	if (!file)
		ktap_die("/proc/zoneinfo: %m");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " pages free %ld", &n) == 1 || sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	fclose(file);
	return pages;
}

static long free_memory(void)
{
	FILE *file = fopen("/proc/sys/vm/drop_caches", "w");

	if (!file || fputs("3\n", file) < 0 || fclose(file))
		ktap_die("drop_caches: %m");
	return free_pages() * 4;
}

/*
 * The kernel looks after what a page pool still has out only once a second, so it takes
 * some time until memory is back: but what leaked never is.
 */
static void check_memory(const char *name, long before)
{
	u64 end = now_ms() + 15000;
	long after;

	do {
		pause_ms(300);
		after = free_memory();
	} while (before - after >= TOLERANCE_KB && now_ms() < end);
	printf("# %s: free memory %ld kB before, %ld kB after\n", name, before, after);
	ktap_ok(before - after < TOLERANCE_KB, "%s: no memory is gone", name);
}

/* With the link down: what its queues have cached depends on the moment. */
static long memory_before(void)
{
	card_up(false);
	pause_ms(2500);
	return free_memory();
}

/* The first cycles may fill caches that stay; those after them may take nothing. */
static void repeat(const char *name, bool (*cycle)(void))
{
	unsigned int i, failed = 0;
	long before;

	for (i = 0; i < 10; i++)
		failed += !cycle();
	before = memory_before();
	card_up(true);
	for (i = 0; i < CYCLES; i++)
		failed += !cycle();
	card_up(false);
	ktap_eq(failed, 0, "%s: %u cycles", name, CYCLES);
	check_memory(name, before);
	card_up(true);
}

static bool down_and_up(void)
{
	return card_up(false) && card_up(true);
}

static int prog_fd;

static int attach(int fd)
{
	return bpf_xdp_attach(if_nametoindex(card_ifname(CHANNELS)), fd, XDP_FLAGS_DRV_MODE, NULL);
}

static bool on_and_off(void)
{
	return attach(prog_fd) == 0 && attach(-1) == 0;
}

static void load_program(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);

	prog_fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "drop", "GPL", insns, 2, &opts);
	if (prog_fd < 0)
		ktap_die("cannot load a program: %m");
}

/* Each time in the middle of a stream; on a queue of its own turn. */
static bool bind_and_close(void)
{
	static unsigned int queue;
	struct bare bare;

	queue = (queue + 1) % CHANNELS;
	if (bare_open(&bare, queue, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL))
		return false;
	bare_post_range(&bare, 0, 256);
	bare_kick(&bare);
	bare_close(&bare);
	return true;
}

static void write_batch(unsigned int batch, unsigned int cycles)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/daq-cycles%u", batch);
	file = fopen(path, "w");
	if (!file)
		ktap_die("%s: %m", path);
	while (cycles--)
		fprintf(file, "link add daqcycle%u numrxqueues 4 numtxqueues 4 type daq\n"
			"link set daqcycle%u up\nlink del daqcycle%u\n", batch, batch, batch);
	fclose(file);
}

/* A card on the bus, bound and unbound again and again: that takes longer. */
static int rebind(unsigned int cycles)
{
	return shell("bash -c '. " SELFTESTS "/backend.sh && add_card daqcycle 2 &&"
		     "device=$(device_of daqcycle) || exit;"
		     "for ((i = 0; i < %u; i++)); do unbind_card $device && bind_card $device &&"
		     "ip link set $(interface_of $device) up || exit; done;"
		     "unbind_card $device'", cycles);
}

static void test_rebind(void)
{
	unsigned int cycles = CYCLES / BATCHES;
	int err = rebind(10);
	long before;

	if (err == 4) {
		ktap_skip("unbind and bind", "there is no second card, with 2 channels");
		return;
	}
	pause_ms(2500);
	before = free_memory();
	err |= rebind(cycles);
	ktap_eq(err, 0, "unbind and bind: %u cycles", cycles);
	check_memory("unbind and bind", before);
}

/* Several at once, since most of the time goes into waiting. */
static bool run_batches(unsigned int cycles)
{
	unsigned int i;

	for (i = 0; i < BATCHES; i++)
		write_batch(i, cycles / BATCHES);
	return !shell("p=; for i in 0 1 2 3; do ip -batch /tmp/daq-cycles$i & p=\"$p $!\"; done;"
		      "for i in $p; do wait $i || exit; done; rm /tmp/daq-cycles*");
}

static void test_add_and_del(void)
{
	bool good = run_batches(10 * BATCHES);
	u64 began = now_ms();
	long before;

	pause_ms(2500);
	before = free_memory();
	good &= run_batches(CYCLES);
	printf("# %llu ms\n", (unsigned long long)(now_ms() - began));
	ktap_ok(good, "add and del: %u cycles", CYCLES);
	check_memory("add and del", before);
}

int main(void)
{
	unsigned int c, wrong = 0;

	ktap_begin();
	if (card_on_bus())
		test_rebind();
	else
		test_add_and_del();
	card_ifname(CHANNELS);
	load_program();
	set_formats(0, CHANNELS - 1, &format);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	repeat("down and up", down_and_up);
	repeat("XDP program on and off", on_and_off);
	steer_attach();
	repeat("bind and close", bind_and_close);
	steer_detach();
	quiesce();
	for (c = 0; c < CHANNELS; c++)
		wrong += stats_missing(stats_read(), c) != 0;
	ktap_eq(wrong, 0, "after all that, produced = delivered + dropped on every channel");
	return ktap_end();
}
