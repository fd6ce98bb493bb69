// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that XDP programs send: back where they came from, from pages and from the
 * chunks of a zero-copy socket, and from another interface. The far end looks at what
 * comes out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "guest.h"

#define CHANNELS	(card_on_bus() ? 2 : 1)	/* the second one is the far end */
#define VETH		"daqtv0"
#define VETH_FAR	"daqtv1"
#define PROTO		0x9000
#define MTU		9000

static const unsigned int sizes[] = { 60, 1500, 3400, 3500, 4096, 9014 };

/* What comes in on queue 0: another one is the far end. */
static int send_back_program(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_2, .off = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_TX },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_load(insns, 5);
}

static int redirect_program(unsigned int ifindex)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = ifindex },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_load(insns, 4);
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

/* Sends at one place, looks at another: how many packets came as they were sent. */
static unsigned int exchange(int from, int to, unsigned int rounds)
{
	unsigned int round, i, right = 0;
	u8 out[16384], in[16384];
	int len;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			make_packet(out, sizes[i], round);
			packet_send(from, out, sizes[i]);
			len = packet_receive(to, in, sizeof(in), 5000);
			if (len == (int)sizes[i] && memcmp(in, out, len) == 0)
				right++;
			else
				printf("# packet of %u bytes: %d came\n", sizes[i], len);
		}
	}
	return right;
}

#define ROUNDS	20
#define ALL	(ROUNDS * sizeof(sizes) / sizeof(*sizes))

static void test_send_back(int far)
{
	struct bare bare;
	unsigned int i;
	int err;

	xdp_attach(card_ifname(CHANNELS), send_back_program());
	ktap_eq(exchange(far, far, ROUNDS), ALL, "send back: from pages, of one to three buffers");

	err = bare_open(&bare, 0, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL);
	if (err)
		ktap_die("bind: %s", strerror(-err));
	/* so few that they have to go round many times */
	bare_post_range(&bare, 0, 80);
	bare_kick(&bare);
	ktap_eq(exchange(far, far, ROUNDS), ALL, "send back: from a socket's chunks");
	i = stat_of(stats_read(), "ch0_xdp_tx");
	ktap_eq(i, 2 * ALL, "send back: counted as sent by XDP");
	ktap_eq(stats_missing(stats_read(), 0), 0, "send back: nothing is missing in the account");
	bare_close(&bare);
	/* the kernel takes the queue back from a work item */
	pause_ms(500);
	ktap_eq(exchange(far, far, 2), ALL / ROUNDS * 2, "send back: from pages again");
	xdp_attach(card_ifname(CHANNELS), -1);
}

/* A socket that leaves while its chunks are on their way out. */
static void test_leave(int far)
{
	unsigned int i, j, bad = 0, rounds = scaled(50);
	struct bare bare;
	u8 packet[9014];

	xdp_attach(card_ifname(CHANNELS), send_back_program());
	make_packet(packet, sizeof(packet), 0);
	for (i = 0; i < rounds; i++) {
		if (bare_open(&bare, 0, XDP_ZEROCOPY | XDP_USE_SG | XDP_USE_NEED_WAKEUP, NULL))
			bad++;
		bare_post_range(&bare, 0, 200);
		bare_kick(&bare);
		for (j = 0; j < 20; j++)
			packet_send(far, packet, sizeof(packet));
		bare_close(&bare);
	}
	ktap_eq(bad, 0, "leave: %u sockets come and go while packets are sent back", rounds);
	while (packet_receive(far, packet, sizeof(packet), 300) > 0)
		;
	ktap_eq(exchange(far, far, 1), ALL / ROUNDS, "leave: the queue works as before");
	xdp_attach(card_ifname(CHANNELS), -1);
}

/* On whichever output: that is the choice of the driver. */
static u64 played(void)
{
	struct stats *stats = stats_read();
	int c, channels = CHANNELS;
	u64 sum = 0;

	for (c = 0; c < channels; c++)
		sum += stat_of(stats, "ch%u_played", c);
	return sum;
}

static void test_redirect(int far)
{
	u64 before = played();
	int near = packet_socket_on(VETH_FAR, PROTO);

	xdp_attach(VETH, redirect_program(if_nametoindex(card_ifname(CHANNELS))));
	ktap_eq(exchange(near, far, ROUNDS), ALL, "redirect: from another interface to the output");
	/* The network stack may have sent something, too. */
	ktap_ok(played() - before >= ALL, "redirect: counted as played");
	card_up(false);
	packet_send(near, (u8[60]){ 0 }, 60);
	ktap_ok(card_up(true), "redirect: an interface that is down takes nothing, and comes back");
	pause_ms(500);
	ktap_eq(exchange(near, far, 1), ALL / ROUNDS, "redirect: as before");
	close(near);
}

static void remove_veth(void)
{
	shell("ip link del " VETH);
}

int main(void)
{
	int far;

	ktap_begin();
	card_ifname(CHANNELS);
	atexit(remove_veth);
	if (shell("ip link add " VETH " type veth peer name " VETH_FAR " && "
		  "for i in " VETH " " VETH_FAR "; do ip link set $i mtu %u up || exit; done", MTU))
		ktap_die("cannot make another interface");
	far = packet_socket_far(PROTO, MTU);
	test_send_back(far);
	test_leave(far);
	test_redirect(far);
	return ktap_end();
}
