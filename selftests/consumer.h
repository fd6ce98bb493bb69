/* SPDX-License-Identifier: GPL-2.0 */
/* Processes that receive one channel each, and tell the test how they fare. */
#ifndef SELFTESTS_CONSUMER_H
#define SELFTESTS_CONSUMER_H

#include <bpf/bpf.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	4
#define ENOUGH		5	/* frames that show that a process receives */
#define BUFFER		(1 << 20)
#define MAX_CONSUMERS	2
#define NOBODY		65534

static const struct daq_format format = {
	.sample_bytes = 2, .segment_bytes = 8192, .frame_bytes = 16384, .rate = 400000,
};

struct consumer;
typedef int (*consumer_open_fn)(struct consumer *me, struct daq_card **card,
				struct daq_chan **chan);

/* What a process that receives tells, in memory that it shares with the test. */
struct consumer {
	pid_t pid;
	unsigned int channel;
	consumer_open_fn open;	/* how it gets its channel: open_channel() */
	struct daq_chan_opts opts;
	int socket;		/* where it comes from, in handover.c */
	bool patient;		/* waits while the interface is down */
	volatile bool go;	/* told to open the channel, ... */
	volatile bool leave;	/* ... and to close it */
	volatile unsigned int frames;
	volatile unsigned int wrong;	/* of them, not what the card acquires */
	volatile unsigned int missed;	/* of them, with that status */
	volatile unsigned int faults;	/* page faults since the first frame */
	volatile int err;
	char message[256];
	struct daq_chan_stats stats;
};

static struct consumer *consumers;	/* MAX_CONSUMERS */
static const struct daq_chan_opts small = { .sz = sizeof(small), .buffer_bytes = BUFFER };

static inline void take_frame(struct consumer *me, const struct daq_frame *frame)
{
	u64 at = frame->sample * format.sample_bytes;
	unsigned int i;

	me->wrong += frame->len != format.frame_bytes && !(frame->status & DAQ_FRAME_ABORTED);
	me->missed += !!(frame->status & DAQ_FRAME_MISSED);
	for (i = 0; i < frame->iovcnt; i++) {
		me->wrong += !is_counter(frame->iov[i].iov_base, frame->iov[i].iov_len, at);
		at += frame->iov[i].iov_len;
	}
	me->frames++;
}

static inline unsigned int page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static inline int open_channel(struct consumer *me, struct daq_card **card, struct daq_chan **chan)
{
	int ret = daq_card__open(card_ifname(CHANNELS), NULL, card);

	return ret ? ret : daq_chan__open(*card, me->channel, &me->opts, chan);
}

/* Makes this process nobody's for good, with these capabilities and no other. */
static inline void keep_capabilities(u64 mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = mask, .permitted = mask },
		{ .effective = mask >> 32, .permitted = mask >> 32 },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
	    setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY) ||
	    syscall(SYS_capset, &header, data))
		_exit(99);
}

static inline int receive(struct consumer *me)
{
	struct daq_card *card = NULL;
	unsigned int faults = 0;
	struct daq_frame frame;
	struct daq_chan *chan;
	int ret;

	ret = me->open(me, &card, &chan);
	while (ret >= 0 && !me->leave) {
		ret = daq_chan__next(chan, &frame, 20);
		/* it was stopped for a while */
		if (ret == -EINTR || (ret == -ENETDOWN && me->patient))
			ret = 0;
		if (ret <= 0)
			continue;
		take_frame(me, &frame);
		daq_chan__release(chan, &frame);
		daq_chan__stats(chan, &me->stats, sizeof(me->stats));
		if (me->frames == 1)
			faults = page_faults();
		me->faults = page_faults() - faults;
	}
	daq_card__close(card);
	return ret;
}

/* What the process will be like, to be changed before launch(). */
static inline struct consumer *new_consumer(unsigned int index, unsigned int channel)
{
	struct consumer *consumer = &consumers[index];

	memset(consumer, 0, sizeof(*consumer));
	consumer->channel = channel;
	consumer->opts = small;
	consumer->open = open_channel;
	return consumer;
}

/* Another process, which begins when ->go is set. */
static inline void launch(struct consumer *consumer)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		ktap_die("fork: %m");
	if (pid > 0) {
		consumer->pid = pid;
		return;
	}

	while (!consumer->go)
		usleep(100);
	consumer->err = receive(consumer);
	snprintf(consumer->message, sizeof(consumer->message), "%s", daq_errmsg());
	_exit(consumer->err < 0);
}

static inline struct consumer *start(unsigned int index, unsigned int channel)
{
	struct consumer *consumer = new_consumer(index, channel);

	launch(consumer);
	consumer->go = true;
	return consumer;
}

/* Whether it gets frames, all of them and right ones. */
static inline bool receives(const struct consumer *consumer)
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
static inline bool end(struct consumer *consumer, int signal)
{
	int status;

	consumer->leave = true;
	if (signal)
		kill(consumer->pid, signal);
	waitpid(consumer->pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline void begin_consumers(void)
{
	consumers = mmap(NULL, MAX_CONSUMERS * sizeof(*consumers), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (consumers == MAP_FAILED)
		ktap_die("mmap: %m");
	card_ifname(CHANNELS);
}

/* One to be closed again: until then it keeps the steering program. */
static inline struct daq_card *another_card(void)
{
	struct daq_card *card;

	if (daq_card__open(card_ifname(CHANNELS), NULL, &card) < 0)
		ktap_die("%s", daq_errmsg());
	return card;
}

static inline u32 attached_program(void)
{
	u32 id = 0;

	bpf_xdp_query_id(if_nametoindex(card_ifname(CHANNELS)), 0, &id);
	return id;
}

/* The kernel takes it away from a work item. */
static inline bool program_goes(void)
{
	u64 end = now_ms() + 5000;

	while (attached_program() && now_ms() < end)
		pause_ms(10);
	return !attached_program();
}

#endif /* SELFTESTS_CONSUMER_H */
