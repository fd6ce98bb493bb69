// SPDX-License-Identifier: GPL-2.0
/*
 * Several processes receive from one card. They share the steering program, which goes
 * with the last of them; none of them notices when another one comes, goes or is killed.
 */
#include "consumer.h"

static void test_two_processes(void)
{
	struct consumer *one, *two;
	u32 program;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	one = start(0, 0);
	ktap_ok(receives(one), "two: the first one receives");
	program = attached_program();
	two = start(1, 1);
	ktap_ok(receives(two) && receives(one), "two: so do both, another channel each");
	ktap_eq(attached_program(), program, "two: by the same steering program");
	ktap_ok(end(one, 0), "two: the first one leaves");
	ktap_ok(receives(two), "two: the second one goes on without a loss");
	ktap_eq(attached_program(), program, "two: by the same program still");

	one = start(0, 0);
	ktap_ok(receives(one) && receives(two), "two: another one takes the channel that is free");
	end(one, SIGKILL);
	ktap_ok(receives(two), "two: that is killed, and the second goes on without a loss");
	one = start(0, 0);
	ktap_ok(receives(one) && receives(two), "two: the channel of one that was killed is free");
	end(two, SIGKILL);
	ktap_ok(receives(one), "two: the older one is killed, and the younger goes on");
	ktap_ok(end(one, 0) && program_goes(), "two: the last one leaves, the program is gone");

	one = start(0, 2);
	two = start(1, 3);
	ktap_ok(receives(one) && receives(two), "two: again, on other channels");
	end(one, SIGKILL);
	end(two, SIGKILL);
	ktap_ok(program_goes(), "two: both are killed, the program is gone");
	quiesce();
}

static void test_taken(void)
{
	struct daq_card *card = another_card();
	struct consumer *one;
	struct daq_chan *chan;
	char wanted[96];

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	one = start(0, 0);
	ktap_ok(receives(one), "taken: somebody has channel 0");
	ktap_eq(daq_chan__open(card, 0, &small, &chan), -EBUSY, "taken: nobody else can");
	snprintf(wanted, sizeof(wanted), "channel 0 of %s is open in another process (sharing, pid %d)",
		 card_ifname(CHANNELS), one->pid);
	ktap_ok(strstr(daq_errmsg(), wanted),
		"taken: and is told so: %s", daq_errmsg());
	ktap_ok(receives(one), "taken: who has it does not notice");
	end(one, 0);
	daq_card__close(card);
	quiesce();
}

/* Counters of a program that others have used before. */
static void test_counters(void)
{
	struct daq_card *card = another_card();
	struct daq_chan_opts stopped = small;
	struct daq_chan_stats stats;
	struct consumer *one;
	struct daq_chan *chan;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 1, DAQ_SOURCE_COUNTER);
	one = start(0, 0);
	ktap_ok(receives(one), "counters: nobody has channel 1 while somebody has channel 0");
	set_source(1, 1, DAQ_SOURCE_NONE);
	pause_ms(500);
	ktap_ok(stat_of(stats_read(), "ch1_stack") > 0, "counters: it goes to the network stack");
	stopped.stopped = 1;
	if (daq_chan__open(card, 1, &stopped, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	daq_chan__stats(chan, &stats, sizeof(stats));
	ktap_eq(stats.passed, 0, "counters: those of channel 1 begin when it is opened");
	daq_card__close(card);
	end(one, 0);
	quiesce();
}

/* Both begin at the very same time, and again, and again. */
static void test_race(void)
{
	unsigned int rounds = scaled(50), i, good = 0;
	struct consumer *one, *two;
	bool well;

	set_lossless_formats(0, CHANNELS - 1, &format);
	for (i = 0; i < rounds; i++) {
		one = new_consumer(0, 0);
		two = new_consumer(1, 1);
		launch(one);
		launch(two);
		one->leave = true;
		two->leave = true;
		one->go = true;
		two->go = true;
		well = end(one, 0);
		if (end(two, 0) && well)
			good++;
		else
			printf("# round %u: '%s' '%s'\n", i, one->message, two->message);
	}
	ktap_eq(good, rounds, "race: two begin at the same time, %u times", rounds);
	ktap_ok(program_goes(), "race: the program is gone");
}

static int open_with_three(struct consumer *me, struct daq_card **card, struct daq_chan **chan)
{
	keep_capabilities(1ull << CAP_NET_RAW | 1ull << CAP_NET_ADMIN | 1ull << CAP_BPF);
	return open_channel(me, card, chan);
}

static struct consumer *start_with_three(unsigned int index, unsigned int channel)
{
	struct consumer *consumer = new_consumer(index, channel);

	consumer->open = open_with_three;
	launch(consumer);
	consumer->go = true;
	return consumer;
}

static void test_capabilities(void)
{
	struct consumer *one, *two;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 1, DAQ_SOURCE_COUNTER);
	one = start_with_three(0, 0);
	ktap_ok(receives(one), "capabilities: the first one needs CAP_NET_RAW, NET_ADMIN, BPF");
	two = start_with_three(1, 1);
	waitpid(two->pid, NULL, 0);
	ktap_eq(two->err, -EPERM, "capabilities: for the second one they will not do");
	ktap_ok(strstr(two->message, "CAP_SYS_ADMIN"), "capabilities: and it is told: %s",
		two->message);
	two = start(1, 1);
	ktap_ok(receives(two), "capabilities: root shares the first one's program");
	end(one, 0);
	ktap_ok(receives(two), "capabilities: also when that has left");
	end(two, 0);
	quiesce();
}

static void test_strangers(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	struct daq_card *card = another_card();
	struct daq_chan *chan;
	int fd = xdp_load(pass, 2);

	xdp_attach(card_ifname(CHANNELS), fd);
	close(fd);
	ktap_eq(daq_chan__open(card, 0, &small, &chan), -EBUSY,
		"strangers: another program is respected");
	ktap_ok(strstr(daq_errmsg(), "another XDP program (selftest"), "strangers: and named: %s",
		daq_errmsg());
	xdp_attach(card_ifname(CHANNELS), -1);

	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "daq_steer", "GPL", pass, 2, &opts);
	if (fd < 0)
		ktap_die("cannot load a program: %m");
	xdp_attach(card_ifname(CHANNELS), fd);
	close(fd);
	ktap_eq(daq_chan__open(card, 0, &small, &chan), -EBUSY,
		"strangers: so is one that only has the right name");
	ktap_ok(strstr(daq_errmsg(), "another version"), "strangers: which is told: %s",
		daq_errmsg());
	xdp_attach(card_ifname(CHANNELS), -1);
	daq_card__close(card);
}

int main(void)
{
	ktap_begin();
	begin_consumers();
	test_two_processes();
	test_taken();
	test_counters();
	test_capabilities();
	test_race();
	test_strangers();
	return ktap_end();
}
