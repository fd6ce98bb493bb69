// SPDX-License-Identifier: GPL-2.0
/* Opens recordings: tells their formats apart. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "index.h"
#include "pcapng.h"
#include "reader.h"
#include "sigmf.h"

int read_exactly(const struct recording *recording, void *memory, size_t len, uint64_t offset)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(recording->fd, (char *)memory + done, len - done, offset + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failure("cannot read %s: %s", recording->name, strerror(errno));
		if (n == 0)
			return failure("%s has become shorter", recording->name);
		done += n;
	}
	return EXIT_OK;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && strcmp(name + len - n, suffix) == 0;
}

/* The name of the data; NULL: no memory. */
static char *data_name(const char *name)
{
	if (has_suffix(name, SIGMF_META) || has_suffix(name, ".sigmf"))
		return sigmf_name(name, SIGMF_DATA);
	if (has_suffix(name, ".idx"))
		return strndup(name, strlen(name) - strlen(".idx"));
	return strdup(name);
}

/* Cuts :CHANNEL off a name that no file has; -1: it has none. */
static int take_channel(char *name)
{
	char *colon = strrchr(name, ':');
	unsigned long channel;
	char *end;

	if (!colon || colon[1] < '0' || colon[1] > '9' || access(name, F_OK) == 0)
		return -1;
	channel = strtoul(colon + 1, &end, 10);
	if (*end || channel > UINT16_MAX)
		return -1;
	*colon = '\0';
	return channel;
}

static bool is_pcapng(int fd)
{
	uint32_t type;

	return pread(fd, &type, sizeof(type), 0) == sizeof(type) && type == PCAPNG_SECTION;
}

static int open_data(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0) {
		failure("cannot open %s: %s", name, strerror(errno));
	} else if (!S_ISREG(stat.st_mode)) {
		failure("%s is not a regular file", name);
	} else if (!stat.st_size) {
		failure("%s is empty", name);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

int recording_open(struct recording **recording, const char *name, unsigned int channel,
		   const struct daq_format *fallback)
{
	char *data = data_name(name);
	int wanted, fd;

	*recording = NULL;
	if (!data)
		return failure("no memory");
	wanted = take_channel(data);
	fd = open_data(data);
	if (fd < 0) {
		free(data);
		return EXIT_FAILED;
	}
	if (is_pcapng(fd))
		*recording = open_pcapng(data, fd, wanted, channel);
	else if (has_suffix(data, SIGMF_DATA))
		*recording = open_sigmf(data, fd);
	else
		*recording = open_raw(data, fd, fallback);
	return *recording ? EXIT_OK : EXIT_FAILED;
}

void recording_close(struct recording *recording)
{
	if (!recording)
		return;
	recording->ops->close(recording);
	close(recording->fd);
	free(recording->name);
	free(recording);
}

const struct recording_info *recording_info(const struct recording *recording)
{
	return &recording->info;
}

int recording_next(struct recording *recording, struct daq_frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	return recording->ops->next(recording, frame);
}

int recording_read(struct recording *recording, void *memory)
{
	return recording->ops->read(recording, memory);
}

void recording_rewind(struct recording *recording)
{
	recording->ops->rewind(recording);
}
