// SPDX-License-Identifier: GPL-2.0
/*
 * Channels are handed over to a process without any capability, which could not open them
 * itself, and everything is given back when that dies.
 */
#include <sched.h>
#include <sys/socket.h>
#include "consumer.h"

#define PLAYED	4	/* frames */

static const struct daq_chan_opts sendable = {
	.sz = sizeof(sendable), .buffer_bytes = BUFFER, .sendable = 1,
};

static int take_over(struct consumer *me, struct daq_card **card, struct daq_chan **chan)
{
	int ret;

	keep_capabilities(0);
	ret = daq_card__receive(me->socket, card);
	if (ret)
		return ret;
	*chan = daq_card__chan(*card, me->channel);
	return daq_chan__start(*chan);
}

/* A process that takes over what is sent by the socket at the test's end. */
static struct consumer *new_heir(unsigned int channel, consumer_open_fn open, int *socket)
{
	struct consumer *heir = new_consumer(0, channel);
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		ktap_die("socketpair: %m");
	heir->open = open;
	heir->socket = ends[1];
	launch(heir);
	close(ends[1]);
	*socket = ends[0];
	return heir;
}

static struct daq_card *open_sendable(unsigned int channel, enum daq_direction direction)
{
	struct daq_card *card = another_card();
	struct daq_chan_opts opts = sendable;
	struct daq_chan *chan;

	opts.direction = direction;
	if (daq_chan__open(card, channel, &opts, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	return card;
}

static void test_input(void)
{
	struct daq_chan *chan;
	struct daq_card *card;
	struct consumer *heir;
	char wanted[64];
	int socket;

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	heir = new_heir(0, take_over, &socket);
	card = open_sendable(0, DAQ_INPUT);
	ktap_eq(daq_chan__start(daq_card__chan(card, 0)), -EBUSY,
		"input: it is not for who opens it");
	pause_ms(300);
	ktap_eq(daq_card__send(card, socket), 0, "input: it is sent");
	ktap_ok(!daq_card__chan(card, 0), "input: and closed here");
	/* all that is left of it is in the message now */
	daq_card__close(card);
	close(socket);
	pause_ms(500);
	heir->go = true;
	ktap_ok(receives(heir), "input: who has no capability receives it");
	ktap_ok(receives(heir) && !heir->faults, "input: without page faults");
	ktap_ok(heir->stats.passed > 0 && heir->stats.malformed == 0,
		"input: and reads what the steering program has counted before");

	card = another_card();
	ktap_eq(daq_chan__open(card, 0, &small, &chan), -EBUSY, "input: nobody else can");
	snprintf(wanted, sizeof(wanted), "pid %d)", heir->pid);
	ktap_ok(strstr(daq_errmsg(), wanted), "input: the heir is named: %s", daq_errmsg());
	daq_card__close(card);
	end(heir, SIGKILL);
	ktap_ok(program_goes(), "input: the heir is killed, the program is gone");
	heir = start(0, 0);
	ktap_ok(receives(heir), "input: and the channel free");
	end(heir, 0);
	quiesce();
}

static unsigned int free_huge_pages(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned int count = 0;
	char line[128];

	if (!file)
		ktap_die("/proc/meminfo: %m");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "HugePages_Free: %u", &count) == 1)
			break;
	fclose(file);
	return count;
}

static void change_huge_pages(int by)
{
	shell("echo $(($(cat /proc/sys/vm/nr_hugepages) + %d)) >/proc/sys/vm/nr_hugepages", by);
}

static void test_huge_pages(void)
{
	struct daq_card *card;
	struct consumer *heir;
	unsigned int before, i;
	int socket;

	change_huge_pages(4);
	before = free_huge_pages();
	if (!before) {
		ktap_skip("huge pages: the memory is in them", "there are none");
		change_huge_pages(-4);
		return;
	}
	set_source(0, 0, DAQ_SOURCE_COUNTER);
	heir = new_heir(0, take_over, &socket);
	card = open_sendable(0, DAQ_INPUT);
	daq_card__send(card, socket);
	daq_card__close(card);
	close(socket);
	heir->go = true;
	ktap_ok(receives(heir) && free_huge_pages() < before,
		"huge pages: the memory is in them");
	end(heir, SIGKILL);
	/* the kernel gives them back from a work item */
	for (i = 0; i < 500 && free_huge_pages() < before; i++)
		pause_ms(10);
	ktap_eq(free_huge_pages(), before, "huge pages: they are given back");
	change_huge_pages(-4);
	quiesce();
}

/* In another network namespace, too, as in a container. */
static int take_over_far_away(struct consumer *me, struct daq_card **card, struct daq_chan **chan)
{
	if (unshare(CLONE_NEWNET) < 0)
		_exit(98);
	return take_over(me, card, chan);
}

static void test_far_away(void)
{
	struct daq_card *card;
	struct consumer *heir;
	int socket;

	set_source(1, 1, DAQ_SOURCE_COUNTER);
	heir = new_heir(1, take_over_far_away, &socket);
	card = open_sendable(1, DAQ_INPUT);
	daq_card__send(card, socket);
	daq_card__close(card);
	heir->go = true;
	ktap_ok(receives(heir), "far away: a process in another network namespace receives");
	card_up(false);
	waitpid(heir->pid, NULL, 0);
	ktap_eq(heir->err, -ENETDOWN, "far away: and is told when the interface goes down");
	card_up(true);
	close(socket);
	quiesce();
}

/* Plays what looks like the counter, and leaves. */
static int play(struct consumer *me, struct daq_card **card, struct daq_chan **chan)
{
	struct daq_frame frame;
	unsigned int i;
	u64 word = 0;
	int ret;

	keep_capabilities(0);
	me->leave = true;
	ret = daq_card__receive(me->socket, card);
	if (ret)
		return ret;
	*chan = daq_card__chan(*card, me->channel);
	while (ret >= 0 && me->frames < PLAYED) {
		ret = daq_chan__reserve(*chan, format.frame_bytes, &frame, -1);
		if (ret < 0)
			return ret;
		for (i = 0; i < format.frame_bytes / 8; i++)
			((u64 *)frame.data)[i] = word++;
		ret = daq_chan__submit(*chan, &frame, 0);
		me->frames++;
	}
	return ret < 0 ? ret : daq_chan__drain(*chan, 20000 * test_scale());
}

static void test_output(void)
{
	struct daq_format loop = { .source = DAQ_SOURCE_LOOPBACK, .loop_from = 2 };
	struct daq_card *card, *hears = another_card();
	unsigned int got = 0, wrong = 0, i;
	struct daq_frame frame;
	struct consumer *heir;
	struct daq_chan *chan;
	u64 word = 0;
	int socket;

	set_lossless_formats(0, CHANNELS - 1, &format);
	if (daq_card__set_format(card_open(), 3, &loop,
				 DAQ_FORMAT_SOURCE | DAQ_FORMAT_LOOP_FROM) < 0 ||
	    daq_chan__open(hears, 3, &small, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	heir = new_heir(2, play, &socket);
	card = open_sendable(2, DAQ_OUTPUT);
	ktap_eq(daq_chan__reserve(daq_card__chan(card, 2), 8, &frame, 0), -EBUSY,
		"output: it is not for who opens it");
	ktap_eq(daq_card__send(card, socket), 0, "output: it is sent");
	daq_card__close(card);
	heir->go = true;
	while (got < PLAYED && daq_chan__next(chan, &frame, 20000 * test_scale()) > 0) {
		for (i = 0; i < frame.len / 8; i++)
			wrong += ((u64 *)frame.data)[i] != word++;
		got++;
		daq_chan__release(chan, &frame);
	}
	ktap_ok(end(heir, 0), "output: who has no capability plays: %s", heir->message);
	ktap_ok(got == PLAYED && !wrong, "output: and what it plays is heard");
	daq_card__close(hears);
	close(socket);
	quiesce();
}

static int open_without_privileges(struct consumer *me, struct daq_card **card,
				   struct daq_chan **chan)
{
	keep_capabilities(0);
	me->leave = true;
	return open_channel(me, card, chan);
}

static void test_refusals(void)
{
	struct daq_card *card, *none;
	struct consumer *consumer;
	struct daq_chan *chan;
	int ends[2];

	consumer = new_consumer(0, 0);
	consumer->open = open_without_privileges;
	launch(consumer);
	consumer->go = true;
	end(consumer, 0);
	ktap_eq(consumer->err, -EPERM, "refused: opening a channel without capabilities");
	ktap_ok(strstr(consumer->message, "CAP_BPF"), "refused: and told which: %s",
		consumer->message);

	card = open_sendable(0, DAQ_INPUT);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		ktap_die("socketpair: %m");
	ktap_eq(daq_card__send(card, ends[0]), -EINVAL, "refused: a stream");
	close(ends[0]);
	close(ends[1]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		ktap_die("socketpair: %m");
	send(ends[0], "hello", 5, 0);
	ktap_eq(daq_card__receive(ends[1], &none), -EPROTO, "refused: what is no card");
	close(ends[0]);
	ktap_eq(daq_card__receive(ends[1], &none), -EPIPE, "refused: nothing");
	close(ends[1]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		ktap_die("socketpair: %m");
	close(ends[1]);
	ktap_eq(daq_card__send(card, ends[0]), -EPIPE, "refused: nobody to send it to");
	ktap_ok(daq_card__chan(card, 0), "refused: then the channel is still here");
	daq_chan__close(daq_card__chan(card, 0));
	if (daq_chan__open(card, 0, &small, &chan) < 0)
		ktap_die("%s", daq_errmsg());
	ktap_eq(daq_card__send(card, ends[0]), -EINVAL, "refused: a channel that is not for that");
	close(ends[0]);
	daq_card__close(card);
	ktap_eq(daq_card__inherit(&none), -ENOENT, "refused: inheriting what nobody has left");
}

static void test_run(void)
{
	const char *ifname = card_ifname(CHANNELS);

	set_lossless_formats(0, CHANNELS - 1, &format);
	set_source(0, 1, DAQ_SOURCE_COUNTER);
	ktap_eq(shell("timeout %u daq run %s --channel 0,1 --user nobody -- "
		      "/usr/lib/*/daq/inherit 2>&1 | grep -q -m 1 'channel 1 frame'",
		      60 * test_scale(), ifname), 0, "daq run: samples/inherit receives");
	ktap_eq(shell("[ \"$(daq run %s -c 0 -u nobody -- sh -c 'id -u; grep -c CapEff.*00000 "
		      "/proc/self/status' | tr '\\n' ' ')\" = '65534 1 ' ]", ifname), 0,
		"daq run: the program has neither user nor capabilities");
	ktap_eq(shell("daq run %s -c 0 -u nobody -- false", ifname), 1,
		"daq run: its status is that of the program");
	ktap_eq(shell("daq run %s -c 0 -u nobody-has-this-name -- true 2>&1 | "
		      "grep -q 'no such user'", ifname), 0, "daq run: an unknown user");
	ktap_ok(program_goes(), "daq run: the program is gone");
	quiesce();
}

int main(void)
{
	ktap_begin();
	begin_consumers();
	test_input();
	test_huge_pages();
	test_far_away();
	test_output();
	test_refusals();
	test_run();
	return ktap_end();
}
