#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: backend.sh add NAME CHANNELS [PERSONALITY]
#        backend.sh del NAME
#
# Gives a test the card that it works on: an interface NAME, down and as new, with that
# number of channels; and takes it back. lib.sh sources this, guest.c runs it.
#
# TEST_BACKEND=      soft: a software card, made for this (the default); pci: one of the
#                    cards on the PCI bus, such as the emulated ones of VM_CARDS. Free
#                    are those without a driver, or with the name that the driver gives.
# TEST_PERSONALITY=  interrupt (the default), polled or kicked
# NETIF=             the interface of the one card on the bus that may be used
#
# Exit status: 4 when no such card is free.

backend=${TEST_BACKEND:-soft}
[ -z "${NETIF-}" ] || backend=pci

pci_devices=/sys/bus/pci/devices
netif_device=
pci_driver=/sys/bus/pci/drivers/daq
no_card=4

# device_of INTERFACE: its PCI address.
device_of() {
	local path

	path=$(readlink -f "/sys/class/net/$1/device") && echo "${path##*/}"
}

say() {
	echo "# $*" >&2
}

# What NETIF names, which may have another name later: netif_device, and what it is.
find_netif() {
	local card

	netif_device=$(device_of "$1") || netif_device=
	if [ "$(cat "$pci_devices/$netif_device/vendor" 2>&1)" != 0xdac0 ]; then
		say "NETIF: $1 is no card on the PCI bus"
		exit 1
	fi
	card=$(daq card "$1")
	TEST_PERSONALITY=${TEST_PERSONALITY:-${card##*, }}
}

# interface_of ADDRESS: the name of the card's interface, if it has one.
interface_of() {
	local path

	for path in "$pci_devices/$1/net/"*; do
		[ ! -e "$path" ] || echo "${path##*/}"
	done
}

bind_card() {
	[ -d "$pci_driver" ] || modprobe daq
	[ -e "$pci_driver/$1" ] || echo "$1" >"$pci_driver/bind"
}

unbind_card() {
	[ ! -e "$pci_driver/$1" ] || echo "$1" >"$pci_driver/unbind"
}

is_free() {
	local name

	name=$(interface_of "$1")
	[ -z "$name" ] || [[ $name = daq+([0-9]) ]]
}

# Addresses of the cards that may be taken.
free_cards() {
	local device

	if [ -n "${NETIF-}" ]; then
		echo "$netif_device"
		return
	fi
	for device in "$pci_devices"/*; do
		[ "$(<"$device/vendor")" != 0xdac0 ] || ! is_free "${device##*/}" ||
			echo "${device##*/}"
	done
}

# fits ADDRESS CHANNELS PERSONALITY
fits() {
	local name queues

	bind_card "$1" || return
	name=$(interface_of "$1")
	queues=("/sys/class/net/$name/queues/rx-"*)
	[ -n "${NETIF-}" ] || [ "${#queues[@]}" -eq "$2" ] || return
	[ "$(daq card "$name")" = "$name: $2 channels, $3" ]
}

# add_bus_card NAME CHANNELS PERSONALITY: bound anew, for its counters and settings to
# be new, too.
add_bus_card() {
	local device name

	for device in $(free_cards); do
		fits "$device" "$2" "$3" || continue
		unbind_card "$device" && bind_card "$device" || return
		name=$(interface_of "$device")
		[ "$name" = "$1" ] || ip link set "$name" name "$1"
		return
	done
	say "no free card on the PCI bus with $2 channels, $3${NETIF:+, by the name of $NETIF}"
	return "$no_card"
}

add_soft_card() {
	ip link add "$1" numrxqueues "$2" numtxqueues "$2" type daq || return
	[ "$3" = interrupt ] || daq card "$1" --personality "$3"
}

# add_card NAME CHANNELS [PERSONALITY]
add_card() {
	local kind=${3:-${TEST_PERSONALITY:-interrupt}}

	if [ "$backend" = pci ]; then
		add_bus_card "$1" "$2" "$kind"
	else
		add_soft_card "$1" "$2" "$kind"
	fi
}

# remove_card NAME: from under those who use it.
remove_card() {
	local device

	if [ "$backend" != pci ]; then
		ip link del "$1"
		return
	fi
	device=$(device_of "$1") && unbind_card "$device"
}

# The name that it had.
restore_netif() {
	local name

	[ -n "$netif_device" ] && bind_card "$netif_device" || return 0
	name=$(interface_of "$netif_device")
	[ "$name" = "$NETIF" ] || ip link set "$name" name "$NETIF"
}

del_card() {
	[ ! -e "/sys/class/net/$1" ] || remove_card "$1"
	restore_netif
}

main() {
	case $#:${1-} in
	[34]:add)
		[ -z "${NETIF-}" ] || find_netif "$NETIF"
		add_card "${@:2}"
		;;
	2:del)
		[ -z "${NETIF-}" ] || find_netif "$2"
		del_card "$2"
		;;
	*)
		sed -n '/^# usage/,/^$/s/^# \{0,1\}//p' "$0"
		return 2
		;;
	esac
}

shopt -s extglob
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	main "$@"
elif [ -n "${NETIF-}" ]; then
	find_netif "$NETIF"
fi
