// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Who has the queue that a channel needs: sock_diag knows the socket, /proc the process. */
#include <dirent.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/xdp_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

struct search {
	uint32_t ifindex;
	uint32_t queue;
	uint32_t inode;		/* of the socket that has them; 0: none */
};

static int take_place(const struct nlattr *attr, void *data)
{
	struct xdp_diag_info *place = data;

	if (mnl_attr_get_type(attr) == XDP_DIAG_INFO &&
	    mnl_attr_get_payload_len(attr) >= sizeof(*place))
		memcpy(place, mnl_attr_get_payload(attr), sizeof(*place));
	return MNL_CB_OK;
}

static int compare(const struct nlmsghdr *nlh, void *data)
{
	const struct xdp_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct xdp_diag_info place = { 0 };
	struct search *search = data;

	mnl_attr_parse(nlh, sizeof(*msg), take_place, &place);
	if (place.ifindex == search->ifindex && place.queue_id == search->queue)
		search->inode = msg->xdiag_ino;
	return MNL_CB_OK;
}

/* Looks through all AF_XDP sockets, if the kernel tells of them. */
static void find_socket(struct mnl_socket *netlink, struct search *search)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct xdp_diag_req *req;
	ssize_t len;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = AF_XDP;
	req->xdiag_show = XDP_SHOW_INFO;
	if (mnl_socket_sendto(netlink, nlh, nlh->nlmsg_len) < 0)
		return;
	do {
		len = mnl_socket_recvfrom(netlink, buf, sizeof(buf));
	} while (len > 0 && mnl_cb_run(buf, len, 0, 0, compare, search) > 0);
}

/* Whether the process has it open; others' files only root sees. */
static bool has_socket(const char *pid, uint32_t inode)
{
	char path[300], wanted[32], target[32];
	struct dirent *entry;
	bool found = false;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
	while (!found && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = 0;
		found = strcmp(target, wanted) == 0;
	}
	closedir(dir);
	return found;
}

/* The process that has it open; 0: cannot be told. */
static pid_t find_process(uint32_t inode)
{
	struct dirent *entry;
	pid_t pid = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		return 0;
	while (!pid && (entry = readdir(dir)))
		if (atoi(entry->d_name) > 0 && has_socket(entry->d_name, inode))
			pid = atoi(entry->d_name);
	closedir(dir);
	return pid;
}

static void describe(pid_t pid, char *text, size_t size)
{
	char path[32], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = 0;
	if (file)
		fclose(file);
	snprintf(text, size, " (%s, pid %d)", name, pid);
}

int daq_owner__report(const struct daq_chan *chan)
{
	struct search search = {
		.ifindex = chan->card->ifindex, .queue = chan->format.queue,
	};
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	char who[80] = "";
	pid_t pid = 0;

	if (netlink) {
		find_socket(netlink, &search);
		mnl_socket_close(netlink);
	}
	if (search.inode)
		pid = find_process(search.inode);
	if (pid == getpid())
		return daq_error(-EBUSY, "queue %u of %s, which carries channel %u, is in use by another socket of this process",
				 search.queue, chan->card->ifname, chan->number);
	if (pid)
		describe(pid, who, sizeof(who));
	return daq_error(-EBUSY, "channel %u of %s is open in another process%s, which has its queue %u",
			 chan->number, chan->card->ifname, who, search.queue);
}
