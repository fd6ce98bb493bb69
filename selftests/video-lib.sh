# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What tests of video through emulated PCI cards share. Sourced after lib.sh and
# pci-lib.sh, never run.

# find_three: the interfaces of three cards, into the array names.
find_three() {
	local i

	find_cards
	[ "${#addresses[@]}" -eq 3 ] || return
	modprobe daq
	for i in 0 1 2; do
		wait_for 10 has_interface "${addresses[i]}" && interface "${addresses[i]}" ||
			return
		names[i]=$ifname
	done
}

# answer_total NAME: sum of what the answer says about it, over all channels.
answer_total() {
	local line sum=0

	for line in "${answer[@]}"; do
		[[ $line == "channel "* ]] || continue
		line=${line#* "$1"=}
		sum=$((sum + ${line%% *}))
	done
	echo "$sum"
}

# setting IFNAME NAME: what ethtool -c shows, as a number.
setting() {
	ethtool -c "$1" | sed -n "s/^$2:[[:space:]]*\([0-9]*\).*/\1/p"
}
