// SPDX-License-Identifier: GPL-2.0
/* The card as a whole: who comes, who goes, what happened. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "card.h"

/* Return: a socket, or a negative errno. A socket left behind is replaced. */
int card_listen(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -EADDRINUSE;
	}
	if (errno == ECONNREFUSED)
		unlink(path);
	/* Who may connect may do all that the card can. */
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 4) ? errno : 0;
	umask(mask);
	if (err) {
		close(fd);
		return -err;
	}
	return fd;
}

/* One for each queue and one for events; MSI has a power of two, at most 32. */
static u32 card_vectors(const struct card_options *opt)
{
	u32 vectors = 1;

	switch (opt->interrupts) {
	case CARD_NO_INTERRUPTS:
		return 0;
	case CARD_MSIX:
		return opt->channels + 1;
	default:
		while (vectors < min(opt->channels + 1, 32u))
			vectors *= 2;
		return vectors;
	}
}

static void card_news(void *ctx)
{
	engine_kick(ctx);
}

/* Return: 0 or a positive errno. The caller gives listeners. */
int card_open(struct card *card, const struct card_options *opt)
{
	u32 i;

	memset(card, 0, sizeof(*card));
	card->opt = *opt;
	card->listener = -1;
	card->control_listener = -1;
	card->control = -1;
	card->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (card->stop < 0)
		return errno;
	log_init(&card->log, opt->log, opt->log_limit);
	dma_init(&card->dma);
	card->dma.message = link_dma;
	card->dma.ctx = card;
	irqs_init(&card->irqs, opt->interrupts, card_vectors(opt));
	faults_init(&card->faults, opt->seed);
	gauges_reset(&card->gauges);
	link_init(&card->link);
	config_init(card);
	guard_install();
	for (i = 0; i < opt->channels; i++) {
		if (opt->input[i])
			feed_start(opt->input[i], card_news, card);
		if (opt->output[i])
			feed_start(opt->output[i], card_news, card);
	}
	return engine_start(card);
}

/* A function level reset, or what comes to the same. */
void card_function_reset(struct card *card, const char *why)
{
	link_refuse_dma(&card->link, true);
	config_init(card);
	engine_reset(card, why);
}

/* A card that goes has forgotten everything when it comes back. */
void card_set_mode(struct card *card, enum engine_mode mode)
{
	engine_set_mode(card, mode);
	if (mode == ENGINE_GONE)
		card_function_reset(card, "gone");
}

struct card_writer {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

__attribute__((format(printf, 2, 3)))
static void card_say(const struct card_writer *writer, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	writer->line(writer->ctx, text);
}

static void card_say_channel(struct card *card, u32 i, const struct card_writer *w)
{
	const struct daq_model_chan *ch = &card->engine.model.chan[i];
	u64 in = card->opt.input[i] ? feed_bytes(card->opt.input[i]) : 0;
	u64 out = card->opt.output[i] ? feed_bytes(card->opt.output[i]) : 0;
	s32 left = READ_ONCE(card->gauges.buffers_left[i]);

	card_say(w, "channel id=%u produced=%llu produced_bytes=%llu no_buffer=%llu too_long=%llu "
		 "fifo_overrun=%llu played=%llu played_bytes=%llu tx_bad=%llu underruns=%llu "
		 "interrupts=%llu bytes_in=%llu bytes_out=%llu buffers_left=%d fifo_most=%u", i,
		 (unsigned long long)ch->produced, (unsigned long long)ch->produced_bytes,
		 (unsigned long long)ch->no_buffer, (unsigned long long)ch->too_long,
		 (unsigned long long)ch->fifo_overrun, (unsigned long long)ch->played,
		 (unsigned long long)ch->played_bytes, (unsigned long long)ch->tx_bad,
		 (unsigned long long)ch->underruns, (unsigned long long)card->irqs.raised[i],
		 (unsigned long long)in, (unsigned long long)out, left,
		 READ_ONCE(card->gauges.fifo_most[i]));
}

static void card_say_sum(struct card *card, u32 i, const struct card_writer *w)
{
	const struct daq_model_chan *ch = &card->engine.model.chan[i];
	const struct card_sum *past = &card->past[i];

	card_say(w, "sum id=%u produced=%llu no_buffer=%llu too_long=%llu fifo_overrun=%llu", i,
		 (unsigned long long)(past->produced + ch->produced),
		 (unsigned long long)(past->no_buffer + ch->no_buffer),
		 (unsigned long long)(past->too_long + ch->too_long),
		 (unsigned long long)(past->fifo_overrun + ch->fifo_overrun));
}

/* The engine is about to reset the card. */
void card_keep_counters(struct card *card)
{
	u32 i;

	for (i = 0; i < card->opt.channels; i++) {
		const struct daq_model_chan *ch = &card->engine.model.chan[i];
		struct card_sum *past = &card->past[i];

		past->produced += ch->produced;
		past->no_buffer += ch->no_buffer;
		past->too_long += ch->too_long;
		past->fifo_overrun += ch->fifo_overrun;
	}
}

static void card_say_faults(struct card *card, enum fault_kind kind, const struct card_writer *w)
{
	u32 i;

	for (i = 0; i < DAQ_MAX_CHANNELS; i++)
		if (card->faults.injected[kind][i])
			card_say(w, "faults kind=%s channel=%u count=%llu", fault_name(kind), i,
				 (unsigned long long)card->faults.injected[kind][i]);
}

/* Say what happened so far; counters of channels are those since the last reset. */
void card_report(struct card *card, void (*line)(void *ctx, const char *text), void *ctx)
{
	struct card_writer w = { line, ctx };
	u32 i;

	for (i = 0; i < card->opt.channels; i++)
		card_say_channel(card, i, &w);
	for (i = 0; i < card->opt.channels; i++)
		card_say_sum(card, i, &w);
	for (i = 0; i < FAULT_KINDS; i++)
		card_say_faults(card, i, &w);
	card_say(&w, "total dma_map=%llu dma_unmap=%llu windows=%u dma_refused=%llu "
		 "late_landed=%llu late_refused=%llu user_writes=%llu user_refused=%llu clients=%llu bad_messages=%llu "
		 "time=%llu cpu=%llu",
		 (unsigned long long)card->dma.maps, (unsigned long long)card->dma.unmaps,
		 card->dma.count, (unsigned long long)card->dma.refused,
		 (unsigned long long)card->late.landed, (unsigned long long)card->late.refused,
		 (unsigned long long)card->user_writes, (unsigned long long)card->user_refused,
		 (unsigned long long)card->clients, (unsigned long long)card->bad_messages,
		 (unsigned long long)(card_time() - card->log.start),
		 (unsigned long long)gauges_cpu_time());
}

static void card_log_line(void *ctx, const char *text)
{
	log_fact(ctx, "%s", text);
}

/* What channels have done, before a reset makes them forget it. */
void card_log_channels(struct card *card)
{
	struct card_writer w = { card_log_line, &card->log };
	u32 i;

	for (i = 0; i < card->opt.channels; i++) {
		const struct daq_model_chan *ch = &card->engine.model.chan[i];

		if (ch->produced || ch->played || ch->tx_bad)
			card_say_channel(card, i, &w);
	}
}

static void card_accept(struct card *card)
{
	int fd = accept4(card->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		link_open(card, fd);
}

enum { POLL_STOP, POLL_LISTENER, POLL_LINK, POLL_CONTROL_LISTENER, POLL_CONTROL, POLLS };

/* Serve until there is something to be read from card->stop. */
void card_run(struct card *card)
{
	struct pollfd fds[POLLS];

	for (;;) {
		fds[POLL_STOP] = (struct pollfd){ card->stop, POLLIN, 0 };
		/* One machine at a time: the next one waits. */
		fds[POLL_LISTENER] = (struct pollfd){
			card->link.fd < 0 ? card->listener : -1, POLLIN, 0
		};
		fds[POLL_LINK] = (struct pollfd){ card->link.fd, POLLIN, 0 };
		fds[POLL_CONTROL_LISTENER] = (struct pollfd){ card->control_listener, POLLIN, 0 };
		fds[POLL_CONTROL] = (struct pollfd){ card->control, POLLIN, 0 };
		if (poll(fds, POLLS, -1) < 0)
			continue;
		if (fds[POLL_STOP].revents)
			break;
		if (fds[POLL_LINK].revents && !link_receive(card))
			link_close(card);
		if (fds[POLL_LISTENER].revents)
			card_accept(card);
		if (fds[POLL_CONTROL].revents)
			control_receive(card);
		if (fds[POLL_CONTROL_LISTENER].revents)
			control_accept(card);
	}
}

void card_close(struct card *card)
{
	u32 i;

	log_finish(&card->log);
	card_report(card, card_log_line, &card->log);
	if (card->link.fd >= 0)
		link_close(card);
	engine_stop(card);
	for (i = 0; i < card->opt.channels; i++) {
		if (card->opt.input[i])
			feed_close(card->opt.input[i]);
		if (card->opt.output[i])
			feed_close(card->opt.output[i]);
	}
	dma_drop(&card->dma);
	if (card->control >= 0)
		close(card->control);
	close(card->stop);
	log_fact(&card->log, "end");
}
