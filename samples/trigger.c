// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of a channel, mapped: each line of its input triggers a frame, without
 * a system call. The window may be revoked at any time; when it is
 * granted again its registers have to be set up anew.
 *
 *   ./trigger /dev/daq0 0
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/daq.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Words of a user page, see card.rst. */
enum { GATE, TRIGGER };
#define GATE_TRIGGER	2	/* a frame for each trigger */

static volatile uint32_t *window;

static void set_up(void)
{
	window[GATE] = htole32(GATE_TRIGGER);
}

/* Return: false when the card is gone. */
static bool look_at_event(int fd)
{
	struct daq_event event;

	if (read(fd, &event, sizeof(event)) != sizeof(event))
		return false;
	if (event.type == DAQ_EV_REVOKED)
		printf("channel %u: revoked\n", event.channel);
	if (event.type == DAQ_EV_GRANTED) {
		set_up();
		printf("channel %u: granted\n", event.channel);
	}
	return true;
}

int main(int argc, char **argv)
{
	const char *device = argc > 1 ? argv[1] : "/dev/daq0";
	unsigned int channel = argc > 2 ? atoi(argv[2]) : 0;
	int fd = open(device, O_RDWR | O_CLOEXEC);
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .events = POLLIN } };
	bool go_on = true;
	uint32_t n = 0;
	char line[256];

	window = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      DAQ_MMAP_WINDOW(channel));
	if (window == MAP_FAILED) {
		perror(device);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	set_up();
	printf("channel %u: waiting for a trigger\n", channel);
	while (go_on && poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			go_on = look_at_event(fd);
		if (!go_on || !fds[1].revents)
			continue;
		go_on = read(STDIN_FILENO, line, sizeof(line)) > 0;
		if (go_on)
			window[TRIGGER] = htole32(++n);
	}
	return 0;
}
