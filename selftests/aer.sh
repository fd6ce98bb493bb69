#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Errors of the bus that PCI Express reports (AER), in the middle of a capture. QEMU lets
# the port above a card report them. The kernel has the driver stop, resets the bus if
# the error is fatal, and has the driver go on: so does the consumer.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"

# inject CARD ERROR: at the port above it.
inject() {
	qemu '{"execute":"human-monitor-command","arguments":{"command-line":
		"pcie_aer_inject_error slot'"$1 $2"'"}}' && [[ $said == *OK* ]]
}

# Times that the kernel said so.
count_recoveries() {
	dmesg | grep -c "AER: device recovery successful"
}

has_recovered() {
	[ "$(count_recoveries)" -gt "$recoveries" ]
}

produces_on() {
	read_stats "$ifname"
	[ "${stats[ch0_produced]}" -gt "$1" ]
}

# test_error CARD NAME ERROR
test_error() {
	local before recoveries

	check "$2: card $1 comes up" use "${addresses[$1]}"
	capture_begins "$ifname"
	read_stats "$ifname"
	before=${stats[ch0_produced]}
	recoveries=$(count_recoveries)
	check "$2: is injected" inject "$1" "$3"
	check "$2: the kernel has recovered the card" wait_for 20 has_recovered
	read_stats "$ifname"
	check "$2: the card goes on" wait_for 10 produces_on "${stats[ch0_produced]}"
	check "$2: counters have" [ "${stats[ch0_produced]}" -gt "$before" ]
	sleep "$scale"
	kill -INT "$capture"
	check "$2: the consumer has gone on" wait "$capture"
	check "$2: and knows that the card began anew" [ "$(member restarts "$dir/json")" -ge 1 ]
	check "$2: the next capture is whole" captures_whole "$ifname"
	ip link set "$ifname" down
	accounted "$2" "$ifname"
}

# The card does not get on again, which is found out while the kernel recovers it.
test_failure() {
	check "failure: card $1 comes up" use "${addresses[$1]}"
	capture_begins "$ifname"
	since=${EPOCHREALTIME/./}
	check "failure: the card is stuck" command_card "$1" stuck
	check "failure: an error is injected" inject "$1" DLP
	check "failure: the consumer is told" told_within 10000 "*is down*"
	refused "failure: the card is out of use" 2 "*No such device*" ip link set "$ifname" up
	check "failure: until it is bound" eval "command_card $1 back &&
		echo ${addresses[$1]} >$driver/unbind && echo ${addresses[$1]} >$driver/bind"
	check "failure: it comes up" use "${addresses[$1]}"
	check "failure: and works" captures_whole "$ifname"
}

begin
find_cards
if [ "${#addresses[@]}" -eq 0 ] || ! monitor_open; then
	skip_file "emulated cards and QEMU's monitor are needed"
fi
modprobe daq
for i in "${!addresses[@]}"; do
	test_error "$i" "not fatal" COMP_TIME
	test_error "$i" "fatal" DLP
done
test_failure 0
check "the driver can be unloaded" modprobe -r daq
finish
