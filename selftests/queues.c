// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel tells of queues by its netlink family "netdev": which NAPI context
 * serves which, in every state of the interface, and statistics that add up to those
 * of the interface whatever becomes of the queues.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netdev.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <string.h>
#include "guest.h"

#define CHANNELS	8
#define FOREIGN		0x88b6

static struct mnl_socket *nl;
static u16 netdev_family;

/* ---- Netlink ---- */

static struct nlmsghdr *request(char *buf, u16 type, u8 command, u16 flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = command;
	genl->version = 1;
	return nlh;
}

static void transact(struct nlmsghdr *nlh, mnl_cb_t reply, void *data)
{
	char buf[32768];
	int n;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		ktap_die("netlink: %m");
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			ktap_die("netlink: %m");
		n = mnl_cb_run(buf, n, 0, mnl_socket_get_portid(nl), reply, data);
		if (n < 0)
			ktap_die("netlink: %m");
	} while (n > 0);
}

static int take_family(const struct nlattr *attr, void *data)
{
	(void)data;
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		netdev_family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int family_reply(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_family, data);
}

static void open_netlink(void)
{
	struct nlmsghdr *nlh;
	char buf[256];

	nl = mnl_socket_open(NETLINK_GENERIC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		ktap_die("netlink: %m");
	nlh = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME);
	transact(nlh, family_reply, NULL);
}

/* Of every attribute its number; netdev has u32, uint (4 or 8 bytes) and flags. */
static int take_number(const struct nlattr *attr, void *data)
{
	u64 *numbers = data;
	u16 type = mnl_attr_get_type(attr);

	if (type >= 64)
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attr) == sizeof(u32))
		numbers[type] = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_payload_len(attr) == sizeof(u64))
		numbers[type] = mnl_attr_get_u64(attr);
	return MNL_CB_OK;
}

static void take_numbers(const struct nlmsghdr *nlh, u64 numbers[64])
{
	memset(numbers, 0, 64 * sizeof(u64));
	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_number, numbers);
}

/* Asks for a dump about the interface. */
static void dump(u8 command, u16 ifindex_attr, int scope, mnl_cb_t reply, void *data)
{
	struct nlmsghdr *nlh;
	char buf[256];

	nlh = request(buf, netdev_family, command, NLM_F_DUMP);
	mnl_attr_put_u32(nlh, ifindex_attr, if_nametoindex(card_ifname(CHANNELS)));
	if (scope)
		mnl_attr_put_u32(nlh, NETDEV_A_QSTATS_SCOPE, scope);
	transact(nlh, reply, data);
}

/* ---- Queues and NAPI contexts ---- */

struct view {
	unsigned int queues[2];		/* by direction: RX, TX */
	u32 napi_of[2][CHANNELS];
	unsigned int napis;
	u32 napi[4 * CHANNELS];
};

static int queue_reply(const struct nlmsghdr *nlh, void *data)
{
	struct view *view = data;
	u64 numbers[64];

	take_numbers(nlh, numbers);
	if (numbers[NETDEV_A_QUEUE_ID] >= CHANNELS || numbers[NETDEV_A_QUEUE_TYPE] > 1)
		ktap_die("a queue that there is not");
	view->queues[numbers[NETDEV_A_QUEUE_TYPE]]++;
	view->napi_of[numbers[NETDEV_A_QUEUE_TYPE]][numbers[NETDEV_A_QUEUE_ID]] =
		numbers[NETDEV_A_QUEUE_NAPI_ID];
	return MNL_CB_OK;
}

static int napi_reply(const struct nlmsghdr *nlh, void *data)
{
	struct view *view = data;
	u64 numbers[64];

	take_numbers(nlh, numbers);
	if (view->napis < 4 * CHANNELS)
		view->napi[view->napis++] = numbers[NETDEV_A_NAPI_ID];
	return MNL_CB_OK;
}

static struct view look(void)
{
	struct view view = { 0 };

	dump(NETDEV_CMD_QUEUE_GET, NETDEV_A_QUEUE_IFINDEX, 0, queue_reply, &view);
	dump(NETDEV_CMD_NAPI_GET, NETDEV_A_NAPI_IFINDEX, 0, napi_reply, &view);
	return view;
}

/* Whether there are so many queues of each kind, each pair with a context of its own. */
static bool consistent(const struct view *view, unsigned int count)
{
	unsigned int i, j, n;

	if (view->queues[0] != count || view->queues[1] != count || view->napis != count) {
		printf("# %u RX and %u TX queues, %u contexts\n", view->queues[0], view->queues[1],
		       view->napis);
		return false;
	}
	for (i = 0; i < count; i++) {
		for (n = 0, j = 0; j < count; j++)
			n += view->napi[j] == view->napi_of[0][i];
		if (!view->napi_of[0][i] || view->napi_of[0][i] != view->napi_of[1][i] || n != 1) {
			printf("# queue %u: RX has context %u, TX %u, listed %u times\n", i,
			       view->napi_of[0][i], view->napi_of[1][i], n);
			return false;
		}
	}
	return true;
}

static void set_queues(unsigned int count)
{
	if (shell("ethtool -L %s combined %u", card_ifname(CHANNELS), count))
		ktap_die("ethtool -L combined %u", count);
}

static void test_napi(void)
{
	struct view first = look(), view;

	ktap_ok(consistent(&first, CHANNELS), "up: each queue pair has its own context");
	set_queues(3);
	view = look();
	ktap_ok(consistent(&view, 3), "3 queues: there are 3 contexts");
	ktap_ok(!memcmp(view.napi_of[0], first.napi_of[0], 3 * sizeof(u32)),
		"3 queues: the same as before");
	card_up(false);
	view = look();
	ktap_ok(!view.queues[0] && !view.queues[1] && !view.napis, "down: there are none");
	set_queues(5);
	card_up(true);
	view = look();
	ktap_ok(consistent(&view, 5), "5 queues, set while down: 5 contexts when up");
	ktap_ok(!memcmp(view.napi_of[0], first.napi_of[0], 3 * sizeof(u32)),
		"5 queues: the old ones have their old ids");
	set_queues(CHANNELS);
	view = look();
	ktap_ok(consistent(&view, CHANNELS), "all queues: all contexts");
}

/* ---- Statistics ---- */

struct qstats {
	u64 sum[64];			/* of the interface, by attribute */
	u64 rx_packets[CHANNELS];	/* by queue */
	u64 tx_packets[CHANNELS];
};

static int sum_reply(const struct nlmsghdr *nlh, void *data)
{
	take_numbers(nlh, ((struct qstats *)data)->sum);
	return MNL_CB_OK;
}

static int qstats_reply(const struct nlmsghdr *nlh, void *data)
{
	struct qstats *qstats = data;
	u64 numbers[64];

	take_numbers(nlh, numbers);
	if (numbers[NETDEV_A_QSTATS_QUEUE_ID] >= CHANNELS)
		ktap_die("a queue that there is not");
	if (numbers[NETDEV_A_QSTATS_QUEUE_TYPE] == NETDEV_QUEUE_TYPE_RX)
		qstats->rx_packets[numbers[NETDEV_A_QSTATS_QUEUE_ID]] =
			numbers[NETDEV_A_QSTATS_RX_PACKETS];
	else
		qstats->tx_packets[numbers[NETDEV_A_QSTATS_QUEUE_ID]] =
			numbers[NETDEV_A_QSTATS_TX_PACKETS];
	return MNL_CB_OK;
}

static struct qstats read_qstats(void)
{
	struct qstats qstats = { 0 };

	dump(NETDEV_CMD_QSTATS_GET, NETDEV_A_QSTATS_IFINDEX, 0, sum_reply, &qstats);
	dump(NETDEV_CMD_QSTATS_GET, NETDEV_A_QSTATS_IFINDEX, NETDEV_QSTATS_SCOPE_QUEUE,
	     qstats_reply, &qstats);
	return qstats;
}

static u64 interface_stat(const char *name)
{
	unsigned long long value;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", card_ifname(CHANNELS), name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &value) != 1)
		ktap_die("cannot read %s", path);
	fclose(file);
	return value;
}

static u64 sum_of(const u64 *values)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < CHANNELS; i++)
		sum += values[i];
	return sum;
}

static bool agrees(const char *name, u64 qstat)
{
	u64 stat = interface_stat(name);

	if (stat != qstat)
		printf("# %s: interface %llu, queues %llu\n", name, (unsigned long long)stat,
		       (unsigned long long)qstat);
	return stat == qstat;
}

static void check_sums(const char *when)
{
	struct qstats qstats = read_qstats();
	const u64 *sum = qstats.sum;

	ktap_ok(agrees("rx_packets", sum[NETDEV_A_QSTATS_RX_PACKETS]) &
		agrees("rx_bytes", sum[NETDEV_A_QSTATS_RX_BYTES]) &
		agrees("tx_packets", sum[NETDEV_A_QSTATS_TX_PACKETS]) &
		agrees("tx_bytes", sum[NETDEV_A_QSTATS_TX_BYTES]) &
		agrees("rx_missed_errors", sum[NETDEV_A_QSTATS_RX_HW_DROP_OVERRUNS]) &
		agrees("tx_errors", sum[NETDEV_A_QSTATS_TX_HW_DROP_ERRORS]),
		"%s: statistics of queues are those of the interface", when);
	ktap_eq(sum[NETDEV_A_QSTATS_RX_HW_DROPS],
		interface_stat("rx_missed_errors") + interface_stat("rx_length_errors"),
		"%s: and so is what the card dropped", when);
}

/* Data for all inputs and from outputs, some of which cannot be received or sent. */
static void make_traffic(void)
{
	static const struct daq_format format = {
		.sample_bytes = 2, .segment_bytes = 1024, .frame_bytes = 2048, .rate = 51200,
	};
	u8 packet[64] = { 0 };
	unsigned int i;
	int fd;

	set_formats(0, CHANNELS - 1, &format);
	set_source(0, CHANNELS - 1, DAQ_SOURCE_COUNTER);
	card_mac(packet);
	packet[12] = FOREIGN >> 8;
	packet[13] = FOREIGN & 0xff;
	fd = packet_socket(FOREIGN);
	for (i = 0; i < 20; i++)
		packet_send(fd, packet, sizeof(packet));
	packet[12] = DAQ_ETHERTYPE >> 8;
	packet[13] = DAQ_ETHERTYPE & 0xff;
	packet_send(fd, packet, sizeof(packet));	/* a header that says nothing */
	pause_ms(500);
	for (i = 0; i < 4; i++)
		if (shell("ethtool -G %s rx %u", card_ifname(CHANNELS), i & 1 ? 4096 : 64))
			ktap_die("ethtool -G");
	quiesce();
}

static void test_stats(void)
{
	struct qstats before, after;
	unsigned int i, more = 0;
	u64 sums[3];

	make_traffic();
	check_sums("all queues");
	before = read_qstats();
	for (i = 0; i < CHANNELS; i++)
		more += before.rx_packets[i] > 0;
	ktap_eq(more, CHANNELS, "all queues: each has received something");
	ktap_eq(before.sum[NETDEV_A_QSTATS_TX_PACKETS], 21, "all queues: all sent packets are there");
	ktap_eq(before.sum[NETDEV_A_QSTATS_TX_HW_DROP_ERRORS], 1, "all queues: and the bad one");

	if (shell("ethtool -X %s equal 1", card_ifname(CHANNELS)))
		ktap_die("ethtool -X");
	make_traffic();
	check_sums("all inputs on queue 0");
	after = read_qstats();
	for (more = 0, i = 1; i < CHANNELS; i++)
		more += after.rx_packets[i] != before.rx_packets[i];
	ktap_ok(after.rx_packets[0] > before.rx_packets[0] && !more,
		"all inputs on queue 0: no other queue has received");
	ktap_eq(sum_of(after.rx_packets), after.sum[NETDEV_A_QSTATS_RX_PACKETS],
		"all inputs on queue 0: the queues have it all");
	shell("ethtool -X %s default", card_ifname(CHANNELS));

	sums[0] = after.sum[NETDEV_A_QSTATS_RX_PACKETS];
	sums[1] = after.sum[NETDEV_A_QSTATS_TX_PACKETS];
	sums[2] = after.sum[NETDEV_A_QSTATS_RX_HW_DROPS];
	set_queues(2);
	after = read_qstats();
	ktap_ok(after.sum[NETDEV_A_QSTATS_RX_PACKETS] == sums[0] &&
		after.sum[NETDEV_A_QSTATS_TX_PACKETS] == sums[1] &&
		after.sum[NETDEV_A_QSTATS_RX_HW_DROPS] == sums[2],
		"2 queues: what the others had counted is not lost");
	ktap_ok(sum_of(after.rx_packets) < sums[0], "2 queues: though they do not show it");
	check_sums("2 queues");
	make_traffic();
	check_sums("2 queues, later");
	card_up(false);
	check_sums("down");
	set_queues(CHANNELS);
	card_up(true);
	check_sums("all queues again");
}

int main(void)
{
	ktap_begin();
	card_ifname(CHANNELS);
	open_netlink();
	test_napi();
	test_stats();
	mnl_socket_close(nl);
	return ktap_end();
}
