// SPDX-License-Identifier: GPL-2.0
/*
 * Several processes receive from one card. They share the steering program, which goes
 * with the last of them; none of them notices when another one comes, goes or is killed.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	4
#define ENOUGH		5	/* frames that show that a process receives */
#define BUFFER		(1 << 20)

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = 8192, .frame_bytes = 16384, .rate = 400000,
};

/* What a process that receives tells, in memory that it shares with the test. */
struct consumer {
	pid_t pid;
	unsigned int channel;
	volatile bool go;	/* told to open the channel, ... */
	volatile bool leave;	/* ... and to close it */
	volatile unsigned int frames;
	volatile unsigned int wrong;
	volatile int err;
	char message[256];
	struct daq_chan_stats stats;
};

static struct consumer *consumers;
static const struct daq_chan_opts small = { .sz = sizeof(small), .buffer_bytes = BUFFER };

static void take_frame(struct consumer *me, const struct daq_frame *frame)
{
	u64 at = frame->sample * format.sample_bytes;
	unsigned int i;

	for (i = 0; i < frame->iovcnt; i++) {
		me->wrong += !is_counter(frame->iov[i].iov_base, frame->iov[i].iov_len, at);
		at += frame->iov[i].iov_len;
	}
	me->frames++;
}

static int receive(struct consumer *me)
{
	struct daq_frame frame;
	struct daq_card *card;
	struct daq_chan *chan;
	int ret;

	ret = daq_card__open(card_ifname(CHANNELS), NULL, &card);
	if (ret)
		return ret;
	ret = daq_chan__open(card, me->channel, &small, &chan);
	while (ret >= 0 && !me->leave) {
		ret = daq_chan__next(chan, &frame, 20);
		if (ret <= 0)
			continue;
		take_frame(me, &frame);
		daq_chan__release(chan, &frame);
		daq_chan__stats(chan, &me->stats, sizeof(me->stats));
	}
	daq_card__close(card);
	return ret;
}

/* Another process that receives @channel from when ->go is set. */
static struct consumer *prepare(unsigned int index, unsigned int channel)
{
	struct consumer *consumer = &consumers[index];
	pid_t pid;

	memset(consumer, 0, sizeof(*consumer));
	consumer->channel = channel;
	pid = fork();
	if (pid < 0)
		ktap_die("fork: %m");
	if (pid > 0) {
		consumer->pid = pid;
		return consumer;
	}

	while (!consumer->go)
		usleep(100);
	consumer->err = receive(consumer);
	snprintf(consumer->message, sizeof(consumer->message), "%s", daq_errmsg());
	_exit(consumer->err < 0);
}

static struct consumer *start(unsigned int index, unsigned int channel)
{
	struct consumer *consumer = prepare(index, channel);

	consumer->go = true;
	return consumer;
}

/* Whether it gets frames, all of them and right ones. */
static bool receives(const struct consumer *consumer)
{
	unsigned int wanted = consumer->frames + ENOUGH;
	u64 end = now_ms() + 20000;

	while (consumer->frames < wanted && !consumer->err && now_ms() < end)
		usleep(1000);
	if (consumer->err < 0)
		printf("# channel %u: %s\n", consumer->channel, consumer->message);
	if (consumer->frames < wanted || consumer->wrong || consumer->stats.lost_segments)
		printf("# channel %u: %u frames, %u wrong, %llu segments lost\n",
		       consumer->channel, consumer->frames, consumer->wrong,
		       (unsigned long long)consumer->stats.lost_segments);
	return consumer->frames >= wanted && !consumer->wrong && !consumer->stats.lost_segments;
}

/* Ends the process with a signal, or 0: by its own will; whether it ended well then. */
static bool end(struct consumer *consumer, int signal)
{
	int status;

	consumer->leave = true;
	if (signal)
		kill(consumer->pid, signal);
	waitpid(consumer->pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static u32 attached_program(void)
{
	u32 id = 0;

	bpf_xdp_query_id(if_nametoindex(card_ifname(CHANNELS)), 0, &id);
	return id;
}

/* The kernel takes it away from a work item. */
static bool program_goes(void)
{
	u64 end = now_ms() + 5000;

	while (attached_program() && now_ms() < end)
		pause_ms(10);
	return !attached_program();
}

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
	struct consumer *one;
	struct daq_chan *chan;
	char wanted[96];

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	one = start(0, 0);
	ktap_ok(receives(one), "taken: somebody has channel 0");
	ktap_eq(daq_chan__open(card_open(), 0, &small, &chan), -EBUSY, "taken: nobody else can");
	snprintf(wanted, sizeof(wanted), "channel 0 of %s is open in another process (sharing, pid %d)",
		 card_ifname(CHANNELS), one->pid);
	ktap_ok(strstr(daq_errmsg(), wanted),
		"taken: and is told so: %s", daq_errmsg());
	ktap_ok(receives(one), "taken: who has it does not notice");
	end(one, 0);
	quiesce();
}

/* Counters of a program that others have used before. */
static void test_counters(void)
{
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
	if (daq_chan__open(card_open(), 1, &stopped, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	daq_chan__stats(chan, &stats, sizeof(stats));
	ktap_eq(stats.passed, 0, "counters: those of channel 1 begin when it is opened");
	daq_chan__close(chan);
	end(one, 0);
	quiesce();
}

/* Both begin at the very same time, and again, and again. */
static void test_race(void)
{
	unsigned int rounds = scaled(50), i, good = 0;
	struct consumer *one, *two;

	set_lossless_formats(0, CHANNELS - 1, &format);
	for (i = 0; i < rounds; i++) {
		one = prepare(0, 0);
		two = prepare(1, 1);
		one->leave = true;
		two->leave = true;
		one->go = true;
		two->go = true;
		if (end(one, 0) & end(two, 0))
			good++;
		else
			printf("# round %u: '%s' '%s'\n", i, one->message, two->message);
	}
	ktap_eq(good, rounds, "race: two begin at the same time, %u times", rounds);
	ktap_ok(program_goes(), "race: the program is gone");
}

static void test_strangers(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	struct daq_chan *chan;
	int fd = xdp_load(pass, 2);

	xdp_attach(card_ifname(CHANNELS), fd);
	close(fd);
	ktap_eq(daq_chan__open(card_open(), 0, &small, &chan), -EBUSY,
		"strangers: another program is respected");
	ktap_ok(strstr(daq_errmsg(), "another XDP program (selftest"), "strangers: and named: %s",
		daq_errmsg());
	xdp_attach(card_ifname(CHANNELS), -1);

	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "daq_steer", "GPL", pass, 2, &opts);
	if (fd < 0)
		ktap_die("cannot load a program: %m");
	xdp_attach(card_ifname(CHANNELS), fd);
	close(fd);
	ktap_eq(daq_chan__open(card_open(), 0, &small, &chan), -EBUSY,
		"strangers: so is one that only has the right name");
	ktap_ok(strstr(daq_errmsg(), "another version"), "strangers: which is told: %s",
		daq_errmsg());
	xdp_attach(card_ifname(CHANNELS), -1);
}

int main(void)
{
	ktap_begin();
	consumers = mmap(NULL, 2 * sizeof(*consumers), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (consumers == MAP_FAILED)
		ktap_die("mmap: %m");
	card_ifname(CHANNELS);
	test_two_processes();
	test_taken();
	test_counters();
	test_race();
	test_strangers();
	return ktap_end();
}
