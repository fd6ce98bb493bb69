// SPDX-License-Identifier: GPL-2.0
/*
 * XDP programs: every verdict is obeyed and counted, programs come and go while
 * data flow and the link stays up, and one that cannot see long segments is refused.
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

#define CHANNELS 2

static const struct daq_format short_format = {
	.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 4096, .rate = 102400,
};

static const struct daq_format long_format = {
	.sample_bytes = 2, .segment_bytes = 20480, .frame_bytes = 20480, .rate = 512000,
};

static char kernel_says[256];

/* libbpf shows the kernel's explanation as a message of its own. */
static int keep_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char text[256];

	(void)level;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = 0;
	if (strstr(text, "Kernel error"))
		strcpy(kernel_says, text);
	return 0;
}

/* A program that only returns @verdict. */
static int program(int verdict, bool frags)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = frags ? BPF_F_XDP_HAS_FRAGS : 0);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "verdict", "GPL", insns, 2, &opts);

	if (fd < 0)
		ktap_die("cannot load a program: %m");
	return fd;
}

static int attach(int fd)
{
	kernel_says[0] = 0;
	return bpf_xdp_attach(if_nametoindex(card_ifname(CHANNELS)), fd, XDP_FLAGS_DRV_MODE, NULL);
}

/* A number that the interface shows in sysfs. */
static unsigned long sysfs(const char *name)
{
	unsigned long number;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", card_ifname(CHANNELS), name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%lu", &number) != 1)
		ktap_die("cannot read %s", path);
	fclose(file);
	return number;
}

/* Whether, with this verdict, segments are counted under @name and nowhere else. */
static bool counted(int verdict, const char *name)
{
	int fd = program(verdict, true);
	struct stats *before, *after;
	u64 produced, got;

	attach(-1);
	quiesce();
	if (attach(fd) < 0)
		return false;
	close(fd);
	before = stats_read();
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	pause_ms(400);
	quiesce();
	after = stats_read();
	produced = stat_of(after, "ch0_produced") - stat_of(before, "ch0_produced");
	produced -= stats_overrun(after, 0) - stats_overrun(before, 0);
	got = stat_of(after, "ch0_%s", name) - stat_of(before, "ch0_%s", name);
	printf("# %s: %llu of %llu\n", name, (unsigned long long)got,
	       (unsigned long long)produced);
	return produced > 5 && got == produced && !stats_missing(after, 0);
}

static void test_verdicts(const char *what)
{
	unsigned long packets, dropped;
	struct stats *before;
	u64 told = 0;

	ktap_ok(counted(XDP_PASS, "stack"), "%s: XDP_PASS goes to the stack", what);
	before = stats_read();
	packets = sysfs("statistics/rx_packets");
	dropped = sysfs("statistics/rx_dropped");
	ktap_ok(counted(XDP_DROP, "drop_xdp"), "%s: XDP_DROP", what);
	ktap_ok(sysfs("statistics/rx_packets") - packets == stat_grown(before, "ch0_drop_xdp") &&
		sysfs("statistics/rx_dropped") == dropped,
		"%s: which to the interface are packets that came in", what);
	ktap_ok(counted(XDP_ABORTED, "drop_aborted"), "%s: XDP_ABORTED", what);
	ktap_ok(counted(77, "drop_aborted"), "%s: a verdict that does not exist", what);
	before = stats_read();
	ktap_ok(counted(XDP_TX, "xdp_tx"), "%s: XDP_TX", what);
	pause_ms(500);
	/* a header that tells of a loss is no segment that could be played */
	if (stats_overrun(stats_read(), 0))
		told = stat_grown(before, "ch0_tx_bad");
	ktap_eq(stat_grown(before, "ch0_played"), stat_grown(before, "ch0_xdp_tx") - told,
		"%s: all that XDP_TX sends back is played", what);
}

static void test_replace(void)
{
	int pass = program(XDP_PASS, true), drop = program(XDP_DROP, true);
	unsigned int changes = sysfs("carrier_changes"), failed = 0, i;
	struct stats *before = stats_read();
	u64 flowed;

	attach(-1);
	set_source(0, 1, DAQ_SOURCE_COUNTER);
	for (i = 0; i < 50; i++) {
		failed += attach(pass) < 0;
		failed += attach(drop) < 0;
		failed += attach(-1) < 0;
	}
	pause_ms(300);
	flowed = stat_grown(before, "ch0_drop_xdp");
	ktap_eq(failed, 0, "replace: 50 times attach, replace and detach while data flow");
	ktap_eq(sysfs("carrier_changes"), changes, "replace: the link stays up");
	ktap_ok(flowed > 0 && stat_grown(before, "ch0_stack") > 0,
		"replace: each program has had its share");
	quiesce();
	ktap_eq(stat_grown(before, "ch0_drop_no_buffer") + stat_grown(before, "ch0_drop_stopped") +
		stat_grown(before, "ch1_drop_no_buffer") + stat_grown(before, "ch1_drop_stopped"), 0,
		"replace: no segment was lost by it");
	ktap_ok(!stats_missing(stats_read(), 0) && !stats_missing(stats_read(), 1),
		"replace: produced = delivered + dropped");
	close(pass);
	close(drop);
}

static void test_no_frags(void)
{
	int fd = program(XDP_PASS, false);
	struct daq_format longer = long_format;

	attach(-1);
	set_formats(0, 0, &short_format);
	set_formats(1, 1, &long_format);
	ktap_eq(attach(fd), -EINVAL, "no frags: such a program is refused for long segments");
	ktap_ok(strstr(kernel_says, "channel 1") && strstr(kernel_says, "xdp.frags"),
		"no frags: the kernel names the channel and the cure: %s",
		kernel_says[0] ? kernel_says : "nothing");
	set_formats(1, 1, &short_format);
	ktap_eq(attach(fd), 0, "no frags: it is welcome for short ones");
	ktap_ok(daq_card__set_format(card_open(), 1, &longer, DAQ_FORMAT_SEGMENT_BYTES) < 0 &&
		strstr(daq_errmsg(), "xdp.frags"),
		"no frags: then long segments are refused, with the reason: %s", daq_errmsg());
	ktap_ok(shell("ip link set %s mtu 9000 2>/dev/null", card_ifname(CHANNELS)) != 0,
		"no frags: and so is a large MTU");
	attach(-1);
	ktap_eq(shell("ip link set %s mtu 9000", card_ifname(CHANNELS)), 0,
		"no frags: without it the MTU may be large");
	ktap_eq(attach(fd), -EINVAL, "no frags: and it may not come back then");
	shell("ip link set %s mtu 1500", card_ifname(CHANNELS));
	close(fd);
}

int main(void)
{
	ktap_begin();
	libbpf_set_print(keep_message);
	card_ifname(CHANNELS);
	set_formats(0, 1, &short_format);
	test_verdicts("short segments");
	test_replace();
	set_formats(0, 1, &long_format);
	test_verdicts("long segments");
	test_no_frags();
	attach(-1);
	return ktap_end();
}
