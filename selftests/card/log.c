// SPDX-License-Identifier: GPL-2.0
/* Facts for tests to read: seconds since power on, a word, NAME=VALUE... */
#include <stdarg.h>
#include <time.h>
#include "card.h"

u64 card_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void log_init(struct card_log *log, FILE *file, u64 limit)
{
	pthread_mutex_init(&log->lock, NULL);
	log->file = file;
	log->room = limit;
	log->start = card_time();
	if (file)
		setvbuf(file, NULL, _IOLBF, 0);
}

/* Return: bytes written. The lock is held. */
static u64 log_line(struct card_log *log, const char *fmt, va_list args)
{
	u64 now = card_time() - log->start;
	int len;

	len = fprintf(log->file, "%llu.%06llu ", (unsigned long long)(now / NSEC_PER_SEC),
		      (unsigned long long)(now % NSEC_PER_SEC / 1000));
	len += vfprintf(log->file, fmt, args);
	putc('\n', log->file);
	return max(len, 0) + 1;
}

__attribute__((format(printf, 2, 3)))
static void log_remark(struct card_log *log, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(log, fmt, args);
	va_end(args);
}

void log_fact(struct card_log *log, const char *fmt, ...)
{
	va_list args;

	if (!log->file)
		return;
	va_start(args, fmt);
	pthread_mutex_lock(&log->lock);
	if (log->room) {
		log->room -= min(log->room, log_line(log, fmt, args));
		if (!log->room)
			log_remark(log, "log_full");
	} else {
		log->left_out++;
	}
	pthread_mutex_unlock(&log->lock);
	va_end(args);
}

/* The end is told in any case, and what is not there. */
void log_finish(struct card_log *log)
{
	if (!log->file)
		return;
	pthread_mutex_lock(&log->lock);
	if (log->left_out)
		log_remark(log, "left_out lines=%llu", (unsigned long long)log->left_out);
	log->room = UINT64_MAX;
	pthread_mutex_unlock(&log->lock);
}
