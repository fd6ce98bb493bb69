// SPDX-License-Identifier: GPL-2.0
/*
 * Bugs that zero-copy drivers have had and that no other test here would find; the
 * list is in Documentation/testing.rst.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "guest.h"

#define VETH		"daqtv0"
#define VETH_FAR	"daqtv1"
#define QUEUES		4
#define PROTO		0x9000
#define ZC_SG		(XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP)

static void open_queue(struct bare *bare, unsigned int queue, unsigned int flags,
		       struct bare *with)
{
	int err = bare_open(bare, queue, flags, with);

	if (err)
		ktap_die("bind: %s", strerror(-err));
}

static void make_packet(u8 *packet, unsigned int size, unsigned int seed)
{
	struct ethhdr *eth = (void *)packet;
	unsigned int i;

	for (i = 0; i < size; i++)
		packet[i] = i * 7 + i / 256 + seed;
	memset(eth->h_dest, 0xff, ETH_ALEN);
	memset(eth->h_source, 2, ETH_ALEN);
	eth->h_proto = htons(PROTO);
}

/* How many packets of several sizes arrive as they were sent. */
static unsigned int exchange(int from, int to, unsigned int largest)
{
	static const unsigned int sizes[] = { 60, 1514, 3500, 6000, 9014 };
	unsigned int i, right = 0;
	u8 out[16384], in[16384];
	int len;

	for (i = 0; i < 20; i++) {
		unsigned int size = sizes[i % 5] < largest ? sizes[i % 5] : largest;

		make_packet(out, size, i);
		packet_send(from, out, size);
		len = packet_receive(to, in, sizeof(in), 5000);
		right += len == (int)size && memcmp(in, out, len) == 0;
	}
	return right;
}

/* ---- Wake-ups that race with a queue's end ---- */

struct hammer {
	int fd;
	volatile bool stop;
	unsigned long calls;
	unsigned long down;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;

	while (!h->stop) {
		if (sendto(h->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno == ENETDOWN)
			h->down++;
		recvfrom(h->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
		h->calls++;
	}
	return NULL;
}

static void test_hammer(void)
{
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 4096, .frame_bytes = 8192, .rate = 409600,
	};
	struct hammer h = { 0 };
	struct packet packet;
	unsigned int i, bad = 0;
	struct bare bare;
	pthread_t thread;

	set_formats(1, 1, &format);
	open_queue(&bare, 1, ZC_SG, NULL);
	steer_channel(1, &bare);
	bare_post_range(&bare, 0, 512);
	set_source(1, 1, DAQ_SOURCE_COUNTER);
	h.fd = xsk_socket__fd(bare.xsk);
	pthread_create(&thread, NULL, hammer, &h);
	for (i = 0; i < scaled(10); i++) {
		bad += !card_up(false) || !card_up(true);
		bad += shell("ethtool -G %s tx %u", card_ifname(QUEUES), i % 2 ? 4096 : 1024) != 0;
	}
	h.stop = true;
	pthread_join(thread, NULL);
	ktap_eq(bad, 0, "hammer: %lu wake-ups while the queue goes and comes", h.calls);
	ktap_ok(h.down > 0, "hammer: a wake-up of a queue that is down says so");
	ktap_ok(bare_receive(&bare, &packet, 10000), "hammer: data flow afterwards");
	quiesce();
	bare_close(&bare);
}

/* ---- Sockets that only send ---- */

static unsigned int send_some(struct bare *bare, unsigned int count)
{
	unsigned int i, done = 0;
	u64 end;

	for (i = 0; i < count; i++) {
		make_packet((u8 *)bare->memory + i * CHUNK, 60, i);
		bare_send(bare, i * CHUNK, 60, 0);
	}
	for (end = now_ms() + 5000; done < count && now_ms() < end; pause_ms(1)) {
		bare_kick_tx(bare);
		done += bare_completed(bare);
	}
	return done;
}

static void test_send_only(void)
{
	static const unsigned int counts[] = { 2, QUEUES };
	unsigned int i, queue, wrong = 0;
	struct bare bare;

	for (i = 0; i < 2; i++) {
		if (shell("ethtool -L %s combined %u", card_ifname(QUEUES), counts[i]))
			ktap_die("cannot set the number of queues");
		for (queue = 0; queue < counts[i]; queue++) {
			open_queue(&bare, queue, ZC_SG, NULL);
			wrong += send_some(&bare, 100) != 100;
			bare_close(&bare);
		}
	}
	ktap_eq(wrong, 0, "send only: on every queue, also after their number has changed");
}

static void send_two_buffers(struct bare *bare, char *memory, unsigned int chunk, unsigned int seed)
{
	u64 addr = (u64)chunk * CHUNK;
	u8 packet[5000];

	make_packet(packet, sizeof(packet), seed);
	memcpy(memory + addr, packet, 4000);
	memcpy(memory + addr + CHUNK, packet + 4000, 1000);
	bare_send(bare, addr, 4000, XDP_PKT_CONTD);
	bare_send(bare, addr + CHUNK, 1000, 0);
}

/* Two sockets on one queue, packets of two buffers. */
static void test_two_senders(int far)
{
	struct bare bare[2];
	unsigned int round, i, right = 0, done = 0;
	u8 out[5000], in[9014];

	open_queue(&bare[0], 0, ZC_SG, NULL);
	open_queue(&bare[1], 0, 0, &bare[0]);
	for (round = 0; round < 10; round++) {
		/* as many as the far end's socket has room for */
		for (i = 0; i < 10; i++)
			send_two_buffers(&bare[i % 2], bare[0].memory, 2 * (10 * round + i), i);
		for (i = 0; i < 10; i++) {
			int len;

			bare_kick_tx(&bare[i % 2]);
			len = packet_receive(far, in, sizeof(in), 3000);
			make_packet(out, sizeof(out), len > 14 ? (u8)(in[14] - 14 * 7) : 0);
			right += len == sizeof(out) && memcmp(in, out, len) == 0;
		}
	}
	ktap_eq(right, 100, "two senders: packets of several buffers stay whole");
	for (i = 0; i < 100 && done < 200; i++, pause_ms(10)) {
		bare_kick_tx(&bare[i % 2]);
		done += bare_completed(&bare[0]);
	}
	ktap_eq(done, 200, "two senders: every buffer comes back, once");
	bare_close(&bare[1]);
	bare_close(&bare[0]);
}

/* ---- What passes to the stack while a socket is there ---- */

static int meta_program(void)
{
	/* eight bytes of metadata, then pass */
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = -8 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_xdp_adjust_meta },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_load(insns, 4);
}

static void test_pass(int far)
{
	int near = packet_socket(PROTO);
	struct bare bare;

	open_queue(&bare, 0, ZC_SG, NULL);
	bare_post_range(&bare, 0, 512);
	bare_kick(&bare);
	ktap_eq(exchange(far, near, 9014), 20, "pass: a copy of all buffers reaches the stack");
	xdp_attach(card_ifname(QUEUES), meta_program());
	ktap_eq(exchange(far, near, 9014), 20, "pass: also with metadata in front");
	bare_close(&bare);
	/* the kernel takes the queue back from a work item */
	pause_ms(500);
	ktap_eq(exchange(far, near, 9014), 20, "pass: and without a socket");
	xdp_attach(card_ifname(QUEUES), -1);
	close(near);
}

/* ---- Chunks that leave for another interface ---- */

static void test_redirect_away(int far)
{
	struct bpf_insn redirect[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1,
		  .imm = if_nametoindex(VETH) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int out = packet_socket_on(VETH_FAR, PROTO);
	struct bare bare;
	unsigned int i, right = 0;

	/* without a program there it would take nothing */
	xdp_attach(VETH_FAR, xdp_load(pass, 2));
	xdp_attach(card_ifname(QUEUES), xdp_load(redirect, 4));
	open_queue(&bare, 0, ZC_SG, NULL);
	/* few enough to run out of, should one not come back */
	bare_post_range(&bare, 0, 40);
	bare_kick(&bare);
	for (i = 0; i < 5; i++)
		right += exchange(far, out, 3000);
	ktap_eq(right, 100, "redirect: packets of a socket's queue go to another interface");
	ktap_eq(stats_missing(stats_read(), 0), 0, "redirect: nothing is missing in the account");
	bare_close(&bare);
	xdp_attach(card_ifname(QUEUES), -1);
	close(out);
}

/* ---- A copying socket, and an idle one ---- */

static void test_copy_down_up(void)
{
	const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 1024, .rate = 51200,
	};
	struct packet packet;
	struct bare bare;

	steer_attach();
	set_formats(1, 1, &format);
	open_queue(&bare, 1, XDP_COPY, NULL);
	steer_channel(1, &bare);
	bare_post_range(&bare, 0, 512);
	set_source(1, 1, DAQ_SOURCE_COUNTER);
	ktap_ok(bare_receive(&bare, &packet, 10000), "copy: data come");
	card_up(false);
	card_up(true);
	while (bare_receive(&bare, &packet, 0))
		;
	ktap_ok(bare_receive(&bare, &packet, 10000), "copy: and again after down and up");
	quiesce();
	bare_close(&bare);
}

static u64 polls(void)
{
	return stat_of(stats_read(), "queue1_polls");
}

static void test_idle(void)
{
	struct bare bare;
	u64 before;

	quiesce();
	open_queue(&bare, 1, ZC_SG, NULL);
	pause_ms(300);
	before = polls();
	pause_ms(1000);
	ktap_eq(polls() - before, 0, "idle: a socket that gave no chunks costs nothing");
	bare_post_range(&bare, 0, 512);
	bare_kick(&bare);
	pause_ms(300);
	before = polls();
	pause_ms(1000);
	ktap_eq(polls() - before, 0, "idle: nor does one that did");
	bare_close(&bare);
}

static void remove_veth(void)
{
	shell("ip link del " VETH);
}

/* What somebody at the far end sends and gets. */
static void test_far_end(void)
{
	int far;

	atexit(remove_veth);
	if (shell("ip link add " VETH " type veth peer name " VETH_FAR " && "
		  "for i in " VETH " " VETH_FAR "; do ip link set $i mtu 9000 up || exit; done"))
		ktap_die("cannot make another interface");
	far = packet_socket_far(PROTO, 9000);
	test_two_senders(far);
	test_pass(far);
	test_redirect_away(far);
	close(far);
}

int main(void)
{
	ktap_begin();
	card_ifname(QUEUES);
	test_send_only();
	test_far_end();
	test_copy_down_up();
	test_hammer();
	test_idle();
	return ktap_end();
}
