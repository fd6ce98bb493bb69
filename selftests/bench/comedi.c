// SPDX-License-Identifier: GPL-2.0
/*
 * A reference from outside: comedi's way to read samples, a buffer that is mapped. Its
 * test driver makes them in a timer, one after the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/comedi.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "consumer.h"

#define DEVICES		16
#define SAMPLE_BYTES	2u
#define MAX_SAMPLES	16u	/* at a time */

static int device = -1;
static unsigned int input;	/* number of the subdevice */
static const char *buffer;
static unsigned int buffer_bytes, frame_bytes;
static unsigned int taken;	/* bytes that it has not been told of */
static u64 whole;		/* bytes that have come */

static void ask(unsigned long what, void *argument)
{
	if (ioctl(device, what, argument) < 0)
		ktap_die("comedi request %#lx: %m", what);
}

static bool is_test_device(void)
{
	struct comedi_devinfo info = { 0 };

	if (ioctl(device, COMEDI_DEVINFO, &info) || strcmp(info.driver_name, "comedi_test"))
		return false;
	input = info.read_subdevice;
	return true;
}

/* The module makes one when it is loaded. */
static void open_device(void)
{
	char path[32];
	unsigned int i;

	if (shell("modprobe comedi_test"))
		ktap_die("there is no module comedi_test");
	for (i = 0; i < 100 * DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/comedi%u", i % DEVICES);
		device = open(path, O_RDWR | O_CLOEXEC);
		if (device >= 0) {
			if (is_test_device())
				return;
			close(device);
		}
		if (i % DEVICES == DEVICES - 1)
			usleep(10000);
	}
	ktap_die("there is no device of comedi_test");
}

/* The largest that it may have. */
static void map_buffer(void)
{
	struct comedi_bufconfig config = { .subdevice = input };

	ask(COMEDI_BUFCONFIG, &config);
	config.size = config.maximum_size;
	config.maximum_size = 0;
	ask(COMEDI_BUFCONFIG, &config);
	buffer_bytes = config.size;
	buffer = mmap(NULL, buffer_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, device, 0);
	if (buffer == MAP_FAILED)
		ktap_die("mmap: %m");
}

/* Its shortest period is a microsecond, for one sample or several. */
static void start(u64 rate)
{
	u64 sample = SAMPLE_BYTES * 1000000;
	unsigned int period_us = rate < sample ? (sample + rate - 1) / rate : 1;
	unsigned int count = rate * period_us / sample, i;
	unsigned int list[MAX_SAMPLES];
	struct comedi_cmd command = {
		.subdev = input, .start_src = TRIG_NOW,
		.scan_begin_src = TRIG_TIMER, .scan_begin_arg = period_us * 1000,
		.convert_src = TRIG_NOW, .scan_end_src = TRIG_COUNT, .stop_src = TRIG_NONE,
		.chanlist = list,
	};

	if (!count)
		count = 1;
	if (count > MAX_SAMPLES)
		ktap_die("comedi_test does not make %llu bytes per second",
			 (unsigned long long)rate);
	for (i = 0; i < count; i++)
		list[i] = CR_PACK(i % (MAX_SAMPLES / 2), 0, AREF_GROUND);
	command.chanlist_len = count;
	command.scan_end_arg = count;
	ask(COMEDI_CMD, &command);
}

void bench_open_comedi(const struct bench_options *options)
{
	frame_bytes = options->frame;
	open_device();
	map_buffer();
	start(options->rate);
}

/* From the byte that is number @from in the buffer on, behind whose end it goes on. */
static void take(unsigned int from, unsigned int len)
{
	unsigned int first = buffer_bytes - from < len ? buffer_bytes - from : len;
	u64 frames = whole / frame_bytes;

	bench_touch(buffer + from, first);
	bench_touch(buffer, len - first);
	whole += len;
	for (frames = whole / frame_bytes - frames; frames; frames--)
		bench_frame();
}

/*
 * It wakes up a reader at each tick, and is told what has been read before it waits, or
 * it would not.
 */
void bench_receive_comedi(unsigned int until)
{
	struct pollfd pollfd = { .fd = device, .events = POLLIN };

	while (bench_frames < until) {
		struct comedi_bufinfo info = { .subdevice = input, .bytes_read = taken };

		ask(COMEDI_BUFINFO, &info);
		taken = info.buf_write_count - info.buf_read_count;
		if (taken)
			take(info.buf_read_ptr, taken);
		else if (poll(&pollfd, 1, 60000) != 1)
			ktap_die("no samples");
	}
}

/* The first loss ends it all. */
u64 bench_comedi_lost(void)
{
	return 0;
}

void bench_close_comedi(void)
{
	munmap((void *)buffer, buffer_bytes);
	close(device);
}
