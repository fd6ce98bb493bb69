// SPDX-License-Identifier: GPL-2.0
/* References from outside: what the kernel has for such data, without a card of ours. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/videodev2.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "consumer.h"

/* ---- V4L2: a video test driver, whose thread makes the pictures ---- */

#define BUFFERS	4

static int video = -1;
static u32 sequence;
static u64 video_lost;
static struct {
	void *data;
	size_t len;
} buffers[BUFFERS];

static void ask(unsigned long what, void *argument)
{
	if (ioctl(video, what, argument))
		ktap_die("V4L2 request %#lx: %m", what);
}

static void open_device(void)
{
	char path[32];
	unsigned int i;

	if (shell("modprobe vivid node_types=1 n_devs=1"))
		ktap_die("there is no module vivid");
	for (i = 0; i < 100 && video < 0; i++) {
		snprintf(path, sizeof(path), "/dev/video%u", i % 4);
		video = open(path, O_RDWR | O_CLOEXEC);
		if (video < 0)
			usleep(10000);
	}
	if (video < 0)
		ktap_die("there is no video device");
}

void bench_open_vivid(const struct bench_options *options)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_requestbuffers request = {
		.count = BUFFERS, .type = format.type, .memory = V4L2_MEMORY_MMAP,
	};
	unsigned int i;

	open_device();
	format.fmt.pix.width = 1920;
	format.fmt.pix.height = 1080;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	ask(VIDIOC_S_FMT, &format);
	if (format.fmt.pix.sizeimage != options->frame)
		ktap_die("frames of vivid have %u bytes", format.fmt.pix.sizeimage);
	ask(VIDIOC_REQBUFS, &request);
	for (i = 0; i < BUFFERS; i++) {
		struct v4l2_buffer buffer = {
			.type = format.type, .memory = V4L2_MEMORY_MMAP, .index = i,
		};

		ask(VIDIOC_QUERYBUF, &buffer);
		buffers[i].len = buffer.length;
		buffers[i].data = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_POPULATE, video, buffer.m.offset);
		if (buffers[i].data == MAP_FAILED)
			ktap_die("mmap: %m");
		ask(VIDIOC_QBUF, &buffer);
	}
	ask(VIDIOC_STREAMON, &format.type);
}

void bench_receive_vivid(unsigned int until)
{
	while (bench_frames < until) {
		struct v4l2_buffer buffer = {
			.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP,
		};

		ask(VIDIOC_DQBUF, &buffer);
		if (bench_frames)
			video_lost += buffer.sequence - sequence - 1;
		sequence = buffer.sequence;
		bench_touch(buffers[buffer.index].data, buffer.bytesused);
		bench_frame();
		ask(VIDIOC_QBUF, &buffer);
	}
}

u64 bench_vivid_lost(void)
{
	return video_lost;
}

void bench_close_vivid(void)
{
	close(video);
}

/* ---- A pair of veth: a process sends segments, as many as a card would ---- */

static pid_t sender;

static void send_frames(int fd, const struct bench_options *options)
{
	u64 period = 1000000000ull * options->frame / options->rate;
	unsigned int segments = options->frame / options->segment, i;
	size_t len = DAQ_HDR_LEN + options->segment;
	struct daq_hdr *hdr = calloc(1, len);
	struct timespec next;

	if (!hdr)
		_exit(1);
	memset(hdr->dst, 0xff, sizeof(hdr->dst));
	hdr->ethertype = htons(DAQ_ETHERTYPE);
	hdr->version = DAQ_HDR_VERSION;
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		next.tv_nsec += period;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		for (i = 0; i < segments; i++) {
			hdr->flags = i + 1 == segments ? DAQ_HDR_F_EOF : 0;
			if (send(fd, hdr, len, 0) != (ssize_t)len)
				_exit(1);
		}
	}
}

static void start_sender(const struct bench_options *options)
{
	int fd = packet_socket_on("bench0", 0);

	sender = fork();
	if (sender < 0)
		ktap_die("fork: %m");
	if (sender)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "bench-source");
	send_frames(fd, options);
}

static void make_veth(void)
{
	if (shell("ip link add bench0 mtu 65535 type veth peer name bench1 mtu 65535 && "
		  "ip link set bench0 up && ip link set bench1 up"))
		ktap_die("cannot make a pair of veth");
	bench_interface = "bench1";
}

void bench_open_veth(const struct bench_options *options)
{
	make_veth();
	bench_open_packets(options);
	start_sender(options);
}

/* What a device has dropped: the sender is not told. */
static u64 dropped_by(const char *name, const char *counter)
{
	unsigned long long count;
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", name, counter);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &count) != 1)
		ktap_die("%s: %m", path);
	fclose(file);
	return count;
}

static u64 lost_in_between(void)
{
	return dropped_by("bench0", "tx_dropped") + dropped_by("bench1", "rx_dropped");
}

u64 bench_veth_lost(void)
{
	return bench_packets_lost() + lost_in_between();
}

void bench_open_veth_ring(const struct bench_options *options)
{
	make_veth();
	bench_open_tpacket(options);
	start_sender(options);
}

static void stop_sender(void)
{
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	shell("ip link del bench0");
}

void bench_close_veth(void)
{
	stop_sender();
	bench_close_packets();
}

void bench_close_veth_ring(void)
{
	stop_sender();
	bench_close_tpacket();
}

/* ---- The same with AF_XDP: a program gives all there is to one socket ---- */

static int give_program(int map)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_load(insns, sizeof(insns) / sizeof(*insns));
}

/* veth has no other mode than copy. */
void bench_open_veth_xdp(const struct bench_options *options)
{
	int map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "bench", 4, 4, 1, NULL), fd;
	u32 key = 0;

	if (map < 0)
		ktap_die("cannot make a map for sockets: %m");
	make_veth();
	xdp_attach(bench_interface, give_program(map));
	fd = bench_open_bare(options, XDP_COPY);
	if (bpf_map_update_elem(map, &key, &fd, 0))
		ktap_die("cannot use the socket: %m");
	start_sender(options);
}

u64 bench_veth_xdp_lost(void)
{
	return bench_bare_lost() + lost_in_between();
}

void bench_close_veth_xdp(void)
{
	stop_sender();
	bench_close_bare();
}
