// SPDX-License-Identifier: GPL-2.0
/* Module: data acquisition cards as network interfaces. */
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>

#include "daq.h"

static int __init daq_init(void)
{
	int err;

	err = daq_ctl_init();
	if (err)
		return err;
	err = daq_netlink_init();
	if (err)
		goto err_exit_ctl;
	err = daq_soft_init();
	if (err)
		goto err_exit_netlink;
	err = daq_pci_init();
	if (err)
		goto err_exit_soft;
	return 0;

err_exit_soft:
	daq_soft_exit();
err_exit_netlink:
	daq_netlink_exit();
err_exit_ctl:
	daq_ctl_exit();
	return err;
}
module_init(daq_init);

static void __exit daq_exit(void)
{
	daq_pci_exit();
	daq_soft_exit();
	daq_netlink_exit();
	daq_ctl_exit();
}
module_exit(daq_exit);

MODULE_DESCRIPTION("Data acquisition cards as network interfaces");
MODULE_LICENSE("GPL");
MODULE_ALIAS_RTNL_LINK("daq");
MODULE_ALIAS_GENL_FAMILY("daq");
