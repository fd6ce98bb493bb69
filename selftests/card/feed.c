// SPDX-License-Identifier: GPL-2.0
/*
 * What is connected to inputs and outputs outside. Regular files to read are
 * mapped; pipes, and all that is written, have a thread and a ring, so that
 * the engine never waits for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "card.h"

#define FEED_RING	(4u << 20)
/* Reading ahead in a file: so often, so much. */
#define FEED_STRIDE	(4u << 20)
#define FEED_AHEAD	(16u << 20)
/* What who reads an output may take at the end, s. */
#define FEED_PATIENCE	2

/**
 * struct feed - a file or pipe
 * @path: its name, to open it in the thread; NULL: it is open
 * @fd: -1: not open
 * @input: data come from it
 * @regular: a mapped file
 * @loop: it begins again at its end
 * @data: the file, or the ring
 * @size: of @data
 * @base: what to add to a position on the card to get one in the file or pipe
 * @seen: where the card was last
 * @ahead: read ahead to here
 * @held: it has nothing yet, whatever there is
 * @rewind: the next position is the file's beginning
 * @lock: everything below
 * @moved: @head, @tail or @end has changed
 * @head: bytes put into the ring
 * @tail: bytes taken out
 * @end: nothing more will be put in
 * @broken: what is put in goes nowhere
 * @starved: the card waits for this ring
 * @thread: moves data between ring and file
 * @started: there is a thread
 * @news: tell the card
 * @ctx: its argument
 * @bytes: that the card had, or gave
 */
struct feed {
	char *path;
	int fd;
	bool input;
	bool regular;
	bool loop;
	u8 *data;
	u64 size;
	u64 base;
	u64 seen;
	u64 ahead;
	bool held;
	bool rewind;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	u64 head;
	u64 tail;
	bool end;
	bool broken;
	bool starved;
	pthread_t thread;
	bool started;
	void (*news)(void *ctx);
	void *ctx;
	u64 bytes;
};

static struct feed *feed_new(bool input)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return NULL;
	feed->fd = -1;
	feed->input = input;
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->moved, NULL);
	return feed;
}

static void feed_free(struct feed *feed)
{
	if (feed->regular) {
		guard_remove(feed->data);
		munmap(feed->data, feed->size);
	} else {
		free(feed->data);
	}
	if (feed->fd >= 0)
		close(feed->fd);
	free(feed->path);
	free(feed);
}

static int feed_make_ring(struct feed *feed)
{
	feed->data = malloc(FEED_RING);
	feed->size = FEED_RING;
	return feed->data ? 0 : ENOMEM;
}

static int feed_map(struct feed *feed, u64 size)
{
	void *data;
	int err;

	if (!size)
		return ENODATA;
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, feed->fd, 0);
	if (data == MAP_FAILED)
		return errno;
	err = guard_add(data, size);
	if (err) {
		munmap(data, size);
		return err;
	}
	madvise(data, size, MADV_SEQUENTIAL);
	feed->regular = true;
	feed->data = data;
	feed->size = size;
	return 0;
}

static int feed_open_path(struct feed *feed, const char *path)
{
	struct stat st;

	if (!strcmp(path, "-")) {
		feed->fd = dup(feed->input ? STDIN_FILENO : STDOUT_FILENO);
		if (feed->fd < 0 || fstat(feed->fd, &st))
			return errno;
	} else if (feed->input ? !stat(path, &st) && !S_ISREG(st.st_mode) :
				 !stat(path, &st) && S_ISFIFO(st.st_mode)) {
		/* A pipe opens when there is somebody at the other end. */
		feed->path = strdup(path);
		return feed->path ? feed_make_ring(feed) : ENOMEM;
	} else {
		feed->fd = feed->input ? open(path, O_RDONLY | O_CLOEXEC) :
			   open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (feed->fd < 0 || fstat(feed->fd, &st))
			return errno;
	}
	if (feed->input && S_ISREG(st.st_mode))
		return feed_map(feed, st.st_size);
	return feed_make_ring(feed);
}

static struct feed *feed_open(struct feed *feed, const char *path, char *error, size_t size)
{
	int err;

	if (!feed) {
		snprintf(error, size, "no memory");
		return NULL;
	}
	err = feed_open_path(feed, path);
	if (!err && feed->loop && !feed->regular) {
		snprintf(error, size, "%s: only regular files can be repeated", path);
	} else if (err == ENODATA) {
		snprintf(error, size, "%s is empty", path);
	} else if (err) {
		snprintf(error, size, "%s: %s", path, strerror(err));
	} else {
		return feed;
	}
	feed_free(feed);
	return NULL;
}

/**
 * feed_open_input() - connect a file or pipe to an input
 * @path: its name, "-": standard input
 * @loop: at its end it begins again
 * @error: gets the reason of a failure
 * @size: of @error
 *
 * Return: a feed for feed_close(), NULL: failure.
 */
struct feed *feed_open_input(const char *path, bool loop, char *error, size_t size)
{
	struct feed *feed = feed_new(true);

	if (feed)
		feed->loop = loop;
	return feed_open(feed, path, error, size);
}

/* As feed_open_input(), to an output; "-": standard output. */
struct feed *feed_open_output(const char *path, char *error, size_t size)
{
	return feed_open(feed_new(false), path, error, size);
}

/* The thread */

/* What may last for ever can be cancelled. */
static ssize_t feed_transfer(struct feed *feed, u64 at, u32 len)
{
	ssize_t n;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	if (feed->input)
		n = read(feed->fd, feed->data + at, len);
	else
		n = write(feed->fd, feed->data + at, len);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return n < 0 && errno == EINTR ? 0 : n ? n : -1;
}

/* Bytes in one piece that the thread can move; 0: none will come. */
static u32 feed_piece(struct feed *feed, u64 *at)
{
	u64 n, used;

	for (;;) {
		used = feed->head - feed->tail;
		n = feed->input ? feed->size - used : used;
		if (n || feed->end)
			break;
		pthread_cond_wait(&feed->moved, &feed->lock);
	}
	*at = (feed->input ? feed->head : feed->tail) % feed->size;
	return min(n, feed->size - *at);
}

static void feed_tell(struct feed *feed)
{
	bool starved = feed->starved;

	feed->starved = false;
	pthread_mutex_unlock(&feed->lock);
	if (starved)
		feed->news(feed->ctx);
	pthread_mutex_lock(&feed->lock);
}

/* Data of pieces: a card that waits for a whole segment needs no earlier news. */
static void feed_pump(struct feed *feed)
{
	ssize_t n = 0;
	u64 at;
	u32 len;

	pthread_mutex_lock(&feed->lock);
	while (n >= 0) {
		len = feed_piece(feed, &at);
		if (!len)
			break;
		pthread_mutex_unlock(&feed->lock);
		n = feed_transfer(feed, at, len);
		pthread_mutex_lock(&feed->lock);
		if (n >= 0 && feed->input)
			feed->head += n;
		else if (n >= 0)
			feed->tail += n;
		else if (feed->input)
			feed->end = true;
		else
			feed->broken = true;
		feed_tell(feed);
	}
	feed->end = true;
	pthread_mutex_unlock(&feed->lock);
}

static void *feed_run(void *arg)
{
	struct feed *feed = arg;

	if (feed->fd < 0)
		feed->fd = open(feed->path, (feed->input ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	feed_pump(feed);
	return NULL;
}

/* From now on data may come, and @news() tells of them. */
void feed_start(struct feed *feed, void (*news)(void *ctx), void *ctx)
{
	feed->news = news;
	feed->ctx = ctx;
	if (!feed->regular)
		feed->started = !pthread_create(&feed->thread, NULL, feed_run, feed);
}

/* Inputs: the engine only. Positions are the card's: bytes since its reset. */

/* Return: where a position is in the file or pipe. */
static u64 feed_place(struct feed *feed, u64 pos)
{
	if (READ_ONCE(feed->rewind)) {
		WRITE_ONCE(feed->rewind, false);
		feed->base = -pos;
		feed->ahead = 0;
	}
	/* A pipe cannot go back when the card was reset: it goes on. */
	if (!feed->regular && pos < feed->seen)
		feed->base = feed->tail - pos;
	feed->seen = pos;
	return pos + feed->base;
}

static u32 feed_peek_file(struct feed *feed, u64 at, u32 len, bool *last)
{
	u64 left = at < feed->size ? feed->size - at : 0;

	if (feed->loop)
		return len;
	*last = left <= len;
	return min(left, len);
}

static u32 feed_peek_ring(struct feed *feed, u64 at, u32 len, bool *last)
{
	u64 have;

	pthread_mutex_lock(&feed->lock);
	have = feed->head > at ? feed->head - at : 0;
	*last = feed->end && have <= len;
	/* Whether something follows has to be known. */
	if (have <= len && !feed->end) {
		feed->starved = true;
		have = 0;
	}
	pthread_mutex_unlock(&feed->lock);
	return min(have, len);
}

/**
 * feed_peek() - what comes next
 * @feed: input
 * @pos: where, bytes
 * @len: how much is wanted
 * @last: set if there is no more behind that
 *
 * Return: @len, or less at the end, or 0 as long as there is not so much.
 */
u32 feed_peek(struct feed *feed, u64 pos, u32 len, bool *last)
{
	u64 at;

	*last = false;
	if (READ_ONCE(feed->held))
		return 0;
	at = feed_place(feed, pos);
	return feed->regular ? feed_peek_file(feed, at, len, last) :
			       feed_peek_ring(feed, at, len, last);
}

/* The kernel is to have read what is needed soon. */
static void feed_read_ahead(struct feed *feed, u64 at)
{
	u64 page = sysconf(_SC_PAGESIZE);

	if (at < feed->ahead && feed->ahead - at < 2 * FEED_AHEAD)
		return;
	feed->ahead = at + FEED_STRIDE;
	at &= ~(page - 1);
	madvise(feed->data + at, min(feed->size - at, FEED_AHEAD), MADV_WILLNEED);
}

static void feed_copy(struct feed *feed, u64 at, void *buf, u32 len)
{
	u64 off = at % feed->size;
	u32 n = min(len, feed->size - off);

	if (feed->regular)
		feed_read_ahead(feed, off);
	memcpy(buf, feed->data + off, n);
	memcpy((u8 *)buf + n, feed->data, len - n);
}

/* Get what feed_peek() has promised. */
void feed_pull(struct feed *feed, u64 pos, void *buf, u32 len)
{
	feed_copy(feed, pos + feed->base, buf, len);
	WRITE_ONCE(feed->bytes, feed->bytes + len);
}

/* What is before @pos is over, whether the card has had it or not. */
void feed_release(struct feed *feed, u64 pos)
{
	u64 at = pos + feed->base;

	if (feed->regular)
		return;
	pthread_mutex_lock(&feed->lock);
	if (at - feed->tail <= feed->head - feed->tail)
		feed->tail = at;
	pthread_cond_signal(&feed->moved);
	pthread_mutex_unlock(&feed->lock);
}

/* From now on an input has nothing, or what there is. */
void feed_hold(struct feed *feed, bool hold)
{
	WRITE_ONCE(feed->held, hold);
}

/* Begin a file again. Return: whether it is one. */
bool feed_rewind(struct feed *feed)
{
	if (feed->regular)
		WRITE_ONCE(feed->rewind, true);
	return feed->regular;
}

/* Outputs: the engine only */

bool feed_has_room(struct feed *feed, u32 len)
{
	bool room;

	pthread_mutex_lock(&feed->lock);
	room = feed->broken || feed->size - (feed->head - feed->tail) >= len;
	pthread_mutex_unlock(&feed->lock);
	return room;
}

/* Give what there is room for. */
void feed_push(struct feed *feed, const void *buf, u32 len)
{
	u64 off = feed->head % feed->size;
	u32 n = min(len, feed->size - off);

	memcpy(feed->data + off, buf, n);
	memcpy(feed->data, (const u8 *)buf + n, len - n);
	pthread_mutex_lock(&feed->lock);
	if (!feed->broken)
		feed->head += len;
	WRITE_ONCE(feed->bytes, feed->bytes + len);
	pthread_cond_signal(&feed->moved);
	pthread_mutex_unlock(&feed->lock);
}

u64 feed_bytes(struct feed *feed)
{
	return READ_ONCE(feed->bytes);
}

/* Disconnect; what was given to an output arrives, if somebody takes it. */
void feed_close(struct feed *feed)
{
	struct timespec until;

	pthread_mutex_lock(&feed->lock);
	feed->end = true;
	pthread_cond_signal(&feed->moved);
	pthread_mutex_unlock(&feed->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += feed->input ? 0 : FEED_PATIENCE;
	if (feed->started && pthread_timedjoin_np(feed->thread, NULL, &until)) {
		pthread_cancel(feed->thread);
		pthread_join(feed->thread, NULL);
	}
	feed_free(feed);
}
