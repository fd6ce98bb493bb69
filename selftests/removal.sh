#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Cards that go in the middle of a capture, each way REMOVALS times (2): they answer
# nothing but ones any more; the process that plays them is killed, and no event of the
# bus tells; they are unplugged. Each time the consumer is told in time, and a card
# that comes instead works. Memory and references have to be back at the end. VM_CARDS
# of removal_cards in run.sh describes the cards: 0 and 1 can be unplugged.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"

# On a slow kernel fewer.
rounds=${REMOVALS:-$((scale > 1 ? 1 : 2))}

# What a consumer may take to tell, ms: a quarter of a second for the driver to notice,
# half of one for the library to know whether the interface is down or away; the rest is
# for busy machines.
patience=3000
# Behind the virtual machine's IOMMU each page that is unmapped is a message to the card,
# and the interface is not down before the rings' memory is given back.
[ ! -d /sys/kernel/iommu_groups/0 ] || patience=5000

is_down() {
	[ "$(<"/sys/class/net/$1/operstate")" != up ]
}

# Nothing but what was there has been taken, after many rounds as after one. Pages on the
# lists of processors are free, too, and come and go by megabytes.
read_memory() {
	local key value

	sync
	echo 3 >/proc/sys/vm/drop_caches
	memory=0
	while read -r key value _; do
		case $key in
		MemAvailable:) memory=$((memory + value)) ;;
		count:) memory=$((memory + value * 4)) ;;
		esac
	done < <(cat /proc/meminfo /proc/zoneinfo)
}

# How many AF_XDP sockets there are.
count_sockets() {
	local protocol sockets

	while read -r protocol _ sockets _; do
		[ "$protocol" != XDP ] || echo "$sockets"
	done </proc/net/protocols
}

# gone CARD ADDRESS: and back.
gone() {
	since=${EPOCHREALTIME/./}
	command_card "$1" gone && told_within "$patience" "*is down*" &&
		wait_for 5 is_down "$ifname" &&
		echo "$2" >"$driver/unbind" &&
		command_card "$1" back && echo "$2" >"$driver/bind"
}

# killed CARD ADDRESS: another process has its place, and QEMU connects to it when it
# is plugged in. The guest stands still for 5 s if QEMU waits for an answer just then.
killed() {
	since=${EPOCHREALTIME/./}
	command_card "$1" die
	told_within $((patience + 5000)) "*is down*" && wait_for 5 is_down "$ifname" &&
		unplug "$1" && [ ! -e "/sys/bus/pci/devices/$2" ] &&
		wait_for 10 command_card "$1" report && plug "$1"
}

# unplugged CARD ADDRESS: the same one is plugged in again.
unplugged() {
	since=${EPOCHREALTIME/./}
	unplug_begins "$1" && told_within "$patience" "*was removed*" &&
		unplug_ends "$1" && [ ! -e "/sys/bus/pci/devices/$2" ] && plug "$1"
}

# round WAY CARD: in the middle of a capture, and the next one is whole.
round() {
	local address=${addresses[$2]}

	interface "$address"
	capture_begins "$ifname" && "$1" "$2" "$address" && use "$address" &&
		captures_whole "$ifname"
}

# test_way WAY CARD...: in turn.
test_way() {
	local way=$1 i

	shift
	for ((i = 0; i < rounds; i++)); do
		set -- "${@:2}" "$1"
		check "$way: card ${!#}, round $i" round "$way" "${!#}"
		# Without that card there is nothing more to see.
		[ "$failed" -eq 0 ] || break
	done
	equal "$way: no socket is left" "$(count_sockets)" 0
}

test_addresses() {
	local i

	for i in 0 1; do
		interface "${addresses[i]}"
		equal "card $i: its address is that of its serial number" \
			"$(<"/sys/class/net/$ifname/address")" "02:da:00:00:00:0$((i + 1))"
		equal "card $i: and permanent" "$(<"/sys/class/net/$ifname/addr_assign_type")" 0
	done
	matches "card 0: devlink shows it" "$(devlink dev info "pci/${addresses[0]}")" \
		"*serial_number 000000da00000001*"
}

begin
find_cards
if [ "${#addresses[@]}" -lt 3 ] || ! monitor_open; then
	skip_file "three emulated cards and QEMU's monitor are needed"
fi
modprobe daq
for i in 0 1 2; do
	check "card $i: comes up" use "${addresses[i]}"
	check "card $i: a capture of all channels" captures_whole "$ifname"
done
test_addresses
read_memory
before=$memory
test_way gone 2 0
test_way killed 0 1
test_way unplugged 0 1
test_addresses
read_memory
# A channel of a capture has 4 MB, a queue of a card up to 4 MB more.
check "memory is back: $before kB were available, $memory kB are" \
	[ $((before - memory)) -lt 4096 ]
equal "nobody holds the module" "$(</sys/module/daq/refcnt)" 0
check "the driver can be unloaded" modprobe -r daq
finish
