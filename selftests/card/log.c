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

void log_init(struct card_log *log, FILE *file)
{
	pthread_mutex_init(&log->lock, NULL);
	log->file = file;
	log->start = card_time();
	if (file)
		setvbuf(file, NULL, _IOLBF, 0);
}

void log_fact(struct card_log *log, const char *fmt, ...)
{
	u64 now = card_time() - log->start;
	va_list args;

	if (!log->file)
		return;
	pthread_mutex_lock(&log->lock);
	fprintf(log->file, "%llu.%06llu ", (unsigned long long)(now / NSEC_PER_SEC),
		(unsigned long long)(now % NSEC_PER_SEC / 1000));
	va_start(args, fmt);
	vfprintf(log->file, fmt, args);
	va_end(args);
	putc('\n', log->file);
	pthread_mutex_unlock(&log->lock);
}
