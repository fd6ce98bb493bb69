#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The card as a network interface: made, shown, tuned and removed with what every
# administrator knows.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

loaded() {
	[ -d /sys/module/daq ]
}

test_autoload() {
	! loaded || modprobe -r daq
	check "module is loaded when a card is made" make_card daqt0 8
	check "and is in the kernel then" loaded
}

test_refused_cards() {
	refused "65 channels" 2 "*1 to 64 channels, not numrxqueues 65*" \
		ip link add daqx numrxqueues 65 numtxqueues 65 type daq
	refused "other number of outputs" 2 "*give numtxqueues 4, not 8*" \
		ip link add daqx numrxqueues 4 numtxqueues 8 type daq
	refused "outputs not given" 2 "*give numtxqueues 4, not 1*" \
		ip link add daqx numrxqueues 4 type daq
	refused "a name that is taken" 2 "*File exists*" \
		ip link add daqt0 numrxqueues 2 numtxqueues 2 type daq
}

test_refusals() {
	refused "MTU above the limit" 2 "*mtu greater than device maximum*" \
		ip link set daqt0 mtu 70000
	refused "moving channels to a queue that is not there" 1 "*Invalid argument*" \
		ethtool -X daqt0 weight 0 0 0 0 0 0 0 0 1
	refused "0 frames per wake-up" 1 "*rx-frames is 0*" \
		ethtool -C daqt0 rx-frames 0
}

test_show() {
	local output kind=daq bus=daq-soft

	! on_bus || kind='' bus=$(device_of daqt0)
	output=$(ip -d link show daqt0)
	matches "ip link: up, with 8 queues of each kind" "$output" \
		"*<*,UP,LOWER_UP>*$kind*numtxqueues 8 numrxqueues 8*"
	output=$(ethtool -i daqt0)
	matches "ethtool -i: driver and bus" "$output" "*driver: daq*bus-info: $bus*"
	output=$(ethtool -l daqt0)
	matches "ethtool -l: 8 combined channels" "$output" "*Combined:*8*Combined:*8*"
	output=$(ethtool -g daqt0)
	matches "ethtool -g: ring sizes" "$output" "*RX:*8192*RX:*4096*"
	output=$(ethtool -x daqt0)
	matches "ethtool -x: channel 7 is on queue 7" "$output" \
		"*0:      0     1     2     3     4     5     6     7*"
	output=$(bpftool net show dev daqt0)
	matches "bpftool net: works" "$output" "*xdp:*"
	read_stats daqt0
	equal "ethtool -S: nothing produced yet" "${stats[ch7_produced]}" 0
}

test_tune() {
	local output

	check "ethtool -C" ethtool -C daqt0 rx-frames 4 rx-usecs 5000
	output=$(ethtool -c daqt0)
	matches "ethtool -c: shows it" "$output" "*rx-usecs:*5000*rx-frames:*4*"
	check "largest MTU" ip link set daqt0 mtu 60000
	check "ethtool -X: all channels on queue 0" ethtool -X daqt0 equal 1
	output=$(daq list daqt0 --json)
	matches "daq list: says so" "$output" '*"channel": 7, "queue": 0,*'
	ip link set daqt0 down
	check "ethtool -X: default, also while down" ethtool -X daqt0 default
	ip link set daqt0 up
	wait_for 5 grep -q up /sys/class/net/daqt0/operstate
	output=$(daq list)
	matches "daq list: 8 channels, up" "$output" "*daqt0: 8 channels, up*"
}

test_several_cards() {
	check "a card with 1 channel" make_card daqt1 1
	check "a card with 64 channels" make_card daqt2 64
	daq set daqt1 --channel 0 --source counter
	daq set daqt2 --channel 63 --source counter
	check "the last of 64 channels is captured" \
		daq capture daqt2 --channel 63 --frames 3 --quiet
	check "the only one of the other card too" \
		daq capture daqt1 --channel 0 --frames 3 --quiet
	check "removal of a card that produces" remove_card daqt2
	check "rename of a card" eval "ip link set daqt1 down &&
		ip link set daqt1 name daqt9 && ip link set daqt9 up && cards+=(daqt9)"
	check "it is captured by its new name" \
		daq capture daqt9 --channel 0 --frames 3 --quiet
	check "removal of a card that is up" remove_card daqt9
	equal "the first card is still there" "$(cat /sys/class/net/daqt0/carrier)" 1
}

# A software card is made in a network name space, a card on the bus goes there.
card_in_namespace() {
	if on_bus; then
		new_card daqt1 1 && ip link set daqt1 netns daqns name daqt0
	else
		ip -n daqns link add daqt0 numrxqueues 1 numtxqueues 1 type daq
	fi
}

# With it the software card ends, while hardware is there again in the first one.
namespace_gone() {
	if on_bus; then
		[ -n "$(interface_of "$1")" ]
	else
		only_one_card
	fi
}

test_namespace() {
	local device=

	ip netns add daqns
	check "in another name space" card_in_namespace
	! on_bus || device=$(ip netns exec daqns ethtool -i daqt0 |
		sed -n 's/^bus-info: //p')
	ip -n daqns link set daqt0 up
	check "captured in it" ip netns exec daqns \
		sh -c 'daq set daqt0 -c 0 -s ramp && daq capture daqt0 -c 0 -n 3 -q'
	ip netns del daqns
	check "gone from it with its end" wait_for 10 namespace_gone "$device"
	! on_bus || unbind_card "$device"
}

only_one_card() {
	local devices=(/sys/bus/platform/devices/daq-soft*)

	[ "${#devices[@]}" -eq 1 ]
}

begin
test_autoload
on_bus || test_refused_cards
test_refusals
test_show
test_tune
test_several_cards
test_namespace
check "unloading removes the last card" modprobe -r daq
[ ! -e /sys/class/net/daqt0 ]
result $? "and its interface"
finish
