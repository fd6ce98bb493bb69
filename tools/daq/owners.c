// SPDX-License-Identifier: GPL-2.0
/* Which process has an AF_XDP socket on which queue: sock_diag and /proc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/xdp_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "owners.h"

static int take_attribute(const struct nlattr *attr, void *data)
{
	const void *payload = mnl_attr_get_payload(attr);
	const struct xdp_diag_info *info = payload;
	const struct xdp_diag_umem *umem = payload;
	struct owner *owner = data;

	switch (mnl_attr_get_type(attr)) {
	case XDP_DIAG_INFO:
		owner->ifindex = info->ifindex;
		owner->queue = info->queue_id;
		break;
	case XDP_DIAG_RX_RING:
		owner->receives = true;
		break;
	case XDP_DIAG_TX_RING:
		owner->sends = true;
		break;
	case XDP_DIAG_UMEM:
		owner->zero_copy = umem->flags & XDP_DU_F_ZEROCOPY;
		break;
	}
	return MNL_CB_OK;
}

static int take_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct xdp_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct owner owner = { .inode = msg->xdiag_ino };
	struct owners *owners = data;
	struct owner *list;

	mnl_attr_parse(nlh, sizeof(*msg), take_attribute, &owner);
	/* not bound yet, or no more */
	if (!owner.ifindex)
		return MNL_CB_OK;
	list = realloc(owners->list, (owners->count + 1) * sizeof(owner));
	if (!list)
		return MNL_CB_ERROR;
	owners->list = list;
	list[owners->count++] = owner;
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *socket)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct xdp_diag_req *req;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = AF_XDP;
	req->xdiag_show = XDP_SHOW_INFO | XDP_SHOW_RING_CFG | XDP_SHOW_UMEM;
	return mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

static int read_sockets(struct owners *owners)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	int ret = MNL_CB_OK;
	ssize_t len;
	int err;

	if (!socket)
		return -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : ask(socket);
	while (!err && ret > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(socket, buf, sizeof(buf));
		ret = len < 0 ? MNL_CB_ERROR : mnl_cb_run(buf, len, 0, 0, take_socket, owners);
		if (ret < 0)
			err = -errno;
	}
	mnl_socket_close(socket);
	return err;
}

static struct owner *find_inode(const struct owners *owners, uint32_t inode)
{
	unsigned int i;

	for (i = 0; i < owners->count; i++)
		if (owners->list[i].inode == inode)
			return &owners->list[i];
	return NULL;
}

static void read_command(int process, char command[16])
{
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, command, 15);

	command[len < 0 ? 0 : len] = '\0';
	command[strcspn(command, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Other users' descriptors are not ours to see without CAP_SYS_PTRACE. */
static void look_into(int process, pid_t pid, struct owners *owners)
{
	int folder = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;
	struct owner *owner;
	char link[64];
	uint32_t inode;
	ssize_t len;

	while (dir && (entry = readdir(dir))) {
		len = readlinkat(folder, entry->d_name, link, sizeof(link) - 1);
		link[len < 0 ? 0 : len] = '\0';
		if (sscanf(link, "socket:[%u]", &inode) != 1)
			continue;
		owner = find_inode(owners, inode);
		if (!owner || owner->pid)
			continue;
		owner->pid = pid;
		read_command(process, owner->command);
	}
	if (dir)
		closedir(dir);
	else if (folder >= 0)
		close(folder);
}

static void find_processes(struct owners *owners)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int process;
	pid_t pid;

	while (dir && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid <= 0)
			continue;
		process = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		look_into(process, pid, owners);
		close(process);
	}
	if (dir)
		closedir(dir);
}

int owners_read(struct owners *owners)
{
	struct owners before = *owners;
	const struct owner *known;
	bool strangers = false;
	unsigned int i;
	int err;

	*owners = (struct owners){ 0 };
	err = read_sockets(owners);
	for (i = 0; i < owners->count; i++) {
		struct owner *owner = &owners->list[i];

		known = find_inode(&before, owner->inode);
		if (!known) {
			strangers = true;
			continue;
		}
		owner->pid = known->pid;
		memcpy(owner->command, known->command, sizeof(owner->command));
	}
	if (strangers)
		find_processes(owners);
	free(before.list);
	return err;
}

void owners_free(struct owners *owners)
{
	free(owners->list);
	*owners = (struct owners){ 0 };
}

const struct owner *owner_of(const struct owners *owners, uint32_t ifindex, uint32_t queue,
			     const struct owner *after)
{
	unsigned int i = after ? after - owners->list + 1 : 0;

	for (; i < owners->count; i++)
		if (owners->list[i].ifindex == ifindex && owners->list[i].queue == queue)
			return &owners->list[i];
	return NULL;
}
