/* SPDX-License-Identifier: GPL-2.0 */
/* Results of a test program in KTAP, one line per assertion. */
#ifndef SELFTESTS_KTAP_H
#define SELFTESTS_KTAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int ktap_count;
static int ktap_failed;

static inline void ktap_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("KTAP version 1");
}

__attribute__((format(printf, 2, 3)))
static inline bool ktap_check(bool ok, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d ", ok ? "" : "not ", ++ktap_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	ktap_failed += !ok;
	return ok;
}

/* The values of a failure belong to its report. */
#define ktap_eq(actual, expected, ...) ({					\
	long long actual_ = (actual), expected_ = (expected);			\
										\
	if (actual_ != expected_)						\
		printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__,	\
		       #actual, actual_, expected_);				\
	ktap_check(actual_ == expected_, __VA_ARGS__);				\
})

#define ktap_ok(condition, ...) ({						\
	bool ok_ = (condition);							\
										\
	if (!ok_)								\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);	\
	ktap_check(ok_, __VA_ARGS__);						\
})

static inline void ktap_skip(const char *name, const char *why)
{
	printf("ok %d %s # SKIP %s\n", ++ktap_count, name, why);
}

/* Before any result: nothing of the program can be done here. */
__attribute__((noreturn))
static inline void ktap_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

/* What makes all further assertions pointless: the missing plan says that it died. */
__attribute__((format(printf, 1, 2), noreturn))
static inline void ktap_die(const char *fmt, ...)
{
	va_list args;

	fputs("Bail out! ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	exit(2);
}

static inline int ktap_end(void)
{
	printf("1..%d\n", ktap_count);
	return ktap_failed > 0;
}

#endif /* SELFTESTS_KTAP_H */
