// SPDX-License-Identifier: GPL-2.0
/* Interrupts: an eventfd for each vector, which the client gives and takes. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "card.h"

void irqs_init(struct irqs *irqs, enum card_interrupts kind, u32 vectors)
{
	u32 i;

	pthread_mutex_init(&irqs->lock, NULL);
	irqs->kind = kind;
	irqs->vectors = vectors;
	for (i = 0; i < IRQ_VECTORS; i++)
		irqs->fd[i] = -1;
}

/* Anything else could stop who writes to it. */
static bool irqs_is_eventfd(int fd)
{
	char path[64], target[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = 0;
	return !strcmp(target, "anon_inode:[eventfd]");
}

static void irqs_signal(struct irqs *irqs, u32 vector)
{
	u64 one = 1;

	/* A full one has a signal in it already. */
	if (write(irqs->fd[vector], &one, sizeof(one)) == sizeof(one))
		irqs->pending[vector] = false;
}

/**
 * irqs_arm() - connect vectors
 * @irqs: vectors
 * @start: the first one
 * @count: how many
 * @fds: one for each; they are taken over and read -1 then
 *
 * Return: 0 or a positive errno, and no vector is changed.
 */
int irqs_arm(struct irqs *irqs, u32 start, u32 count, int *fds)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (!irqs_is_eventfd(fds[i]))
			return EINVAL;
	pthread_mutex_lock(&irqs->lock);
	for (i = 0; i < count; i++) {
		if (irqs->fd[start + i] >= 0)
			close(irqs->fd[start + i]);
		fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
		irqs->fd[start + i] = fds[i];
		fds[i] = -1;
		if (irqs->pending[start + i])
			irqs_signal(irqs, start + i);
	}
	pthread_mutex_unlock(&irqs->lock);
	return 0;
}

void irqs_disarm(struct irqs *irqs, u32 start, u32 count)
{
	u32 i;

	pthread_mutex_lock(&irqs->lock);
	for (i = start; i < start + count; i++) {
		if (irqs->fd[i] >= 0)
			close(irqs->fd[i]);
		irqs->fd[i] = -1;
		irqs->pending[i] = false;
	}
	pthread_mutex_unlock(&irqs->lock);
}

/* MSI: who gave fewer vectors than asked for has the others share the last one. */
static u32 irqs_given(const struct irqs *irqs, u32 vector)
{
	if (irqs->kind == CARD_MSI)
		while (vector && irqs->fd[vector] < 0)
			vector--;
	return vector;
}

void irqs_raise(struct irqs *irqs, u32 vector)
{
	pthread_mutex_lock(&irqs->lock);
	vector = irqs_given(irqs, min(vector, irqs->vectors - 1));
	if (irqs->vectors) {
		irqs->raised[vector]++;
		if (irqs->fd[vector] >= 0)
			irqs_signal(irqs, vector);
		else
			irqs->pending[vector] = true;
	}
	pthread_mutex_unlock(&irqs->lock);
}

/* Return: 32 bits of the pending bit array. */
u32 irqs_pending(struct irqs *irqs, u32 word)
{
	u32 bits = 0;
	u32 i;

	pthread_mutex_lock(&irqs->lock);
	for (i = 0; i < 32 && 32 * word + i < irqs->vectors; i++)
		bits |= (u32)irqs->pending[32 * word + i] << i;
	pthread_mutex_unlock(&irqs->lock);
	return bits;
}
