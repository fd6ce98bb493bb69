// SPDX-License-Identifier: GPL-2.0
/* Commands, a line each; the answer ends with "ok" or "error: REASON". */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "card.h"

static void control_line(void *ctx, const char *text)
{
	struct card *card = ctx;
	char line[512];
	int len;

	len = snprintf(line, sizeof(line), "%s\n", text);
	len = min_t(int, len, sizeof(line) - 1);
	/* Who does not read the answers misses them. */
	if (send(card->control, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static bool control_fault(struct card *card, const char *spec, char *error, size_t size)
{
	if (!strcmp(spec, "none")) {
		faults_clear(&card->faults);
		return true;
	}
	return faults_set(&card->faults, spec, error, size);
}

static bool control_rewind(struct card *card, const char *which, char *error, size_t size)
{
	char *end;
	unsigned long i = strtoul(which, &end, 10);

	if (end == which || *end || i >= card->opt.channels || !card->opt.input[i] ||
	    !feed_rewind(card->opt.input[i])) {
		snprintf(error, size, "no regular file is connected to input %s", which);
		return false;
	}
	engine_kick(card);
	return true;
}

/* Inputs have nothing any more, or what there is. */
static void control_hold(struct card *card, bool hold)
{
	u32 i;

	for (i = 0; i < card->opt.channels; i++)
		if (card->opt.input[i])
			feed_hold(card->opt.input[i], hold);
	engine_kick(card);
}

static bool control_withhold(struct card *card, const char *which, bool held, char *error,
			     size_t size)
{
	char *end;
	unsigned long i = strtoul(which, &end, 10);

	if (end == which || *end || i >= card->opt.channels) {
		snprintf(error, size, "there is no channel %s", which);
		return false;
	}
	engine_withhold(card, i, held);
	return true;
}

/* With the status that a shell gives a process that was killed: see card.sh. */
__attribute__((noreturn))
static void control_die(struct card *card)
{
	link_hang_up(&card->link);
	_exit(128 + SIGKILL);
}

/* What comes next is told by the next report. */
static void control_report(struct card *card)
{
	card_report(card, control_line, card);
	gauges_reset(&card->gauges);
}

static bool control_do(struct card *card, const char *command, char *error, size_t size)
{
	if (!strcmp(command, "die"))
		control_die(card);
	if (!strcmp(command, "gone"))
		card_set_mode(card, ENGINE_GONE);
	else if (!strcmp(command, "stuck"))
		card_set_mode(card, ENGINE_STUCK);
	else if (!strcmp(command, "back"))
		card_set_mode(card, ENGINE_RUNS);
	else if (!strcmp(command, "report"))
		control_report(card);
	else if (!strcmp(command, "hold"))
		control_hold(card, true);
	else if (!strcmp(command, "go"))
		control_hold(card, false);
	else if (!strncmp(command, "rewind ", 7))
		return control_rewind(card, command + 7, error, size);
	else if (!strncmp(command, "withhold ", 9))
		return control_withhold(card, command + 9, true, error, size);
	else if (!strncmp(command, "allow ", 6))
		return control_withhold(card, command + 6, false, error, size);
	else if (!strncmp(command, "fault ", 6))
		return control_fault(card, command + 6, error, size);
	else
		return snprintf(error, size, "no such command: %.80s; try gone, back, stuck, die, "
				"report, hold, go, rewind CHANNEL, withhold CHANNEL, allow CHANNEL, "
				"fault KIND[:CHANNEL]=RATE, fault none", command) < 0;
	return true;
}

static void control_command(struct card *card, const char *command)
{
	char error[256] = "error: ";

	log_fact(&card->log, "command text=\"%s\"", command);
	if (control_do(card, command, error + 7, sizeof(error) - 7))
		control_line(card, "ok");
	else
		control_line(card, error);
}

void control_accept(struct card *card)
{
	int fd = accept4(card->control_listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	/* The latest one has the say. */
	if (card->control >= 0)
		close(card->control);
	card->control = fd;
	card->command_len = 0;
}

void control_receive(struct card *card)
{
	char *end;
	ssize_t n = recv(card->control, card->command + card->command_len,
			 sizeof(card->command) - card->command_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(card->control);
		card->control = -1;
		return;
	}
	card->command_len += n;
	while ((end = memchr(card->command, '\n', card->command_len))) {
		u32 used = end + 1 - card->command;

		*end = 0;
		control_command(card, card->command);
		card->command_len -= used;
		memmove(card->command, card->command + used, card->command_len);
	}
	/* No command is that long. */
	if (card->command_len == sizeof(card->command))
		card->command_len = 0;
}
