// SPDX-License-Identifier: GPL-2.0
/*
 * Who cuts a file short that is mapped here makes the next access a SIGBUS. In
 * memory that is on the list, an empty page takes the place of the lost one.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>
#include "card.h"

#define GUARD_RANGES	256

static struct {
	_Atomic uintptr_t base;		/* 0: free */
	_Atomic u64 size;
} guard_range[GUARD_RANGES];

static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;	/* who takes a free one */
static uintptr_t guard_page;

static bool guard_fill(uintptr_t addr, u64 size)
{
	return mmap((void *)addr, size, PROT_READ | PROT_WRITE,
		    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

/* Of huge pages there is no part to be replaced, so all of the file is. */
static bool guard_mend(uintptr_t addr)
{
	u32 i;

	for (i = 0; i < GUARD_RANGES; i++) {
		uintptr_t base = atomic_load(&guard_range[i].base);
		u64 size = atomic_load(&guard_range[i].size);

		if (base && addr >= base && addr - base < size)
			return guard_fill(addr & ~(guard_page - 1), guard_page) ||
			       guard_fill(base, size);
	}
	return false;
}

static void guard_handle(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (!guard_mend((uintptr_t)info->si_addr))
		signal(sig, SIG_DFL);	/* and have it again */
	errno = saved;
}

void guard_install(void)
{
	struct sigaction action = { .sa_sigaction = guard_handle, .sa_flags = SA_SIGINFO };

	guard_page = sysconf(_SC_PAGESIZE);
	sigaction(SIGBUS, &action, NULL);
}

/* Return: 0 or a positive errno. */
int guard_add(const void *base, u64 size)
{
	int err = ENOSPC;
	u32 i;

	pthread_mutex_lock(&guard_lock);
	for (i = 0; i < GUARD_RANGES && err; i++) {
		if (atomic_load(&guard_range[i].base))
			continue;
		atomic_store(&guard_range[i].size, size);
		atomic_store(&guard_range[i].base, (uintptr_t)base);
		err = 0;
	}
	pthread_mutex_unlock(&guard_lock);
	return err;
}

void guard_remove(const void *base)
{
	u32 i;

	for (i = 0; i < GUARD_RANGES; i++)
		if (atomic_load(&guard_range[i].base) == (uintptr_t)base)
			atomic_store(&guard_range[i].base, 0);
}
