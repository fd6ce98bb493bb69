#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ethtool and devlink: everything that they show and set, on a card that produces all the
# while, and what they refuse. Nothing may be lost but what has to be.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

card=daqt0
address=02:da:c0:00:00
bus=daq-soft.
device=

start() {
	daq set "$card" --channel all --source counter
}

received() {
	read_stats "$card"
	[ "$(total stack)" -gt "$1" ]
}

at_rest() {
	local before

	read_stats "$card"
	before=$(total '@(produced|stack|drop_*)')
	sleep 0.3
	read_stats "$card"
	[ "$(total '@(produced|stack|drop_*)')" -eq "$before" ]
}

# What was dropped, but for what came to a kicked card whose host was busy.
total_dropped() {
	if [ "${TEST_PERSONALITY-}" = kicked ]; then
		total 'drop_!(fifo_overrun)'
	else
		total 'drop_*'
	fi
}

# flows WHAT: data still do, to the stack, and all are accounted for. Leaves in dropped
# what has been lost since the last call, of each kind in stats.
flows() {
	local before

	read_stats "$card"
	before=$(total stack)
	check "$1: data flow" wait_for 20 received "$before"
	daq set "$card" --channel all --source none
	wait_for 20 at_rest
	equal "$1: produced = delivered + dropped" \
		"$(total '@(socket|stack|xdp_tx|drop_*)')" "$(total produced)"
	dropped=$(($(total_dropped) - dropped_before))
	dropped_before=$(total_dropped)
	start
}

nothing_lost() {
	flows "$1"
	equal "$1: nothing is lost" "$dropped" 0
}

queues_of_channels() {
	daq list "$card" --json | sed -n 's/.*"channel": [0-9]*, "queue": \([0-9]*\),.*/\1/p' |
		tr '\n' ' '
}

test_information() {
	local output

	output=$(ethtool -i "$card")
	matches "-i: driver, version of the card, device" "$output" \
		"driver: daq*firmware-version: 1*bus-info: $bus*supports-statistics: yes*supports-test: yes*supports-register-dump: yes*"
	output=$(ethtool -k "$card")
	matches "-k: scatter-gather, rules" "$output" "*scatter-gather: on*ntuple-filters: on*"
	output=$(ethtool -d "$card" | sed -n 3,4p)
	matches "-d: begins with the card's name, version and channels" "$output" \
		"0x0000:*44 41 51 31 01 00 00 00 * 08 00 00 00*"
	equal "-d: 4 registers, and 74 for each channel" \
		"$(ethtool -d "$card" | sed 1,2d | cut -d : -f 2 | wc -w)" $((4 * (4 + 8 * 74)))
	output=$(ip -d link show "$card")
	matches "ip link: the largest MTU" "$output" "*maxmtu 62182*"
	refused "a larger one is refused with the reason" 2 "*greater than device maximum*" \
		ip link set "$card" mtu 62183
}

test_self_test() {
	local output

	check "-t: the card passes online" eval "ethtool -t $card online >'$dir/out'"
	nothing_lost "-t online"
	output=$(ethtool -t "$card" offline)
	matches "-t: and offline" "$output" "*PASS*Loop-back*0"
	flows "-t offline"
	ip link set "$card" down
	refused "-t: not without a link" 2 "*FAIL*Link*1*Registers*0*" ethtool -t "$card" online
	ip link set "$card" up
	wait_for_carrier "$card"
}

test_rings() {
	local size output

	for size in 64 8192 1024; do
		check "-G: $size entries to receive" ethtool -G "$card" rx "$size"
		check "-G: $size entries to send" ethtool -G "$card" tx "$size"
		flows "-G: $size"
		equal "-G: $size: no queue loses what it had" \
			$((dropped - $(total drop_no_buffer) + no_buffer)) 0
		no_buffer=$(total drop_no_buffer)
	done
	check "-G: both at once" ethtool -G "$card" rx 2048 tx 512
	refused "-G: not a power of two" 81 "*rx: give a power of two from 64 to 8192, not 100*" \
		ethtool -G "$card" rx 100
	refused "-G: too small" 81 "*tx: give a power of two from 64 to 8192, not 32*" \
		ethtool -G "$card" tx 32
	refused "-G: too large" 81 "*exceeds maximum*" ethtool -G "$card" rx 65536
	refused "-G: no such ring" 81 "*exceeds maximum*" ethtool -G "$card" rx-mini 64
	output=$(ethtool -g "$card")
	matches "-g: what was refused has changed nothing" "$output" \
		"*RX:*8192*TX:*8192*RX:*2048*TX:*512*"
	ip link set "$card" down
	check "-G: while down" ethtool -G "$card" rx 4096 tx 4096
	ip link set "$card" up
	wait_for_carrier "$card"
	output=$(ethtool -g "$card")
	matches "-g: it is remembered" "$output" "*RX:*4096*TX:*4096*"
	flows "-G while down"
}

test_queues() {
	local rings

	check "-L: 3 queues" ethtool -L "$card" combined 3
	equal "-L: channels are spread over them" "$(queues_of_channels)" "0 1 2 0 1 2 0 1 "
	rings=(/sys/class/net/"$card"/queues/*)
	equal "-L: 3 receive and 3 send" "${#rings[@]}" 6
	check "-L: one queue" ethtool -L "$card" combined 1
	check "-L: all queues" ethtool -L "$card" combined 8
	equal "-L: each channel has its own" "$(queues_of_channels)" "0 1 2 3 4 5 6 7 "
	nothing_lost "-L"
	refused "-L: too many" 1 "*exceeds maximum*" ethtool -L "$card" combined 9
	refused "-L: none" 1 "*would result in no RX or TX channel*" \
		ethtool -L "$card" combined 0
	refused "-L: of one kind" 1 "*exceeds maximum*" ethtool -L "$card" rx 2
	ip link set "$card" down
	check "-L: while down" ethtool -L "$card" combined 4
	ip link set "$card" up
	wait_for_carrier "$card"
	equal "-L: channels are on 4 queues" "$(queues_of_channels)" "0 1 2 3 0 1 2 3 "
	flows "-L while down"
	daq capture "$card" -c 3 -q --allow-loss 2>"$dir/err" &
	wait_for 20 grep -q capturing "$dir/err"
	refused "-L: a queue with a socket is not given up" 1 "*AF_XDP*" \
		ethtool -L "$card" combined 3
	kill -INT $!
	wait
	wait_for 10 ethtool -L "$card" combined 8 2>/dev/null
	flows "-L beside a socket"
}

test_table() {
	check "-X: all channels on queue 0" ethtool -X "$card" equal 1
	equal "-X: there they are" "$(queues_of_channels)" "0 0 0 0 0 0 0 0 "
	check "-X: some here, some there" ethtool -X "$card" weight 0 0 0 3 0 0 0 1
	equal "-X: that is where" "$(queues_of_channels)" "3 3 3 3 3 3 7 7 "
	refused "-L: keeps the queues of the table" 1 "*too low for existing indirection table*" \
		ethtool -L "$card" combined 7
	check "-X: default" ethtool -X "$card" default
	nothing_lost "-X"
	refused "-X: no such queue" 1 "*Invalid argument*" \
		ethtool -X "$card" weight 0 0 0 0 0 0 0 0 1
	refused "-X: nothing is hashed" 1 "*" ethtool -X "$card" hfunc toeplitz
}

rule() {
	ethtool -N "$card" flow-type ether "$@" >"$dir/out"
}

test_rules() {
	local output

	check "-N: channel 3 to queue 1" rule src "$address:03" action 1
	check "-N: channel 5 to queue 7" rule src "$address:05" action 7 loc 5
	equal "-N: there they are" "$(queues_of_channels)" "0 1 2 1 4 7 6 7 "
	output=$(ethtool -n "$card")
	matches "-n: both rules" "${output^^}" \
		"*TOTAL 2 RULES*FILTER: 3*${address^^}:03*QUEUE 1*FILTER: 5*QUEUE 7*"
	ethtool -X "$card" equal 2
	equal "-N: overrules the table" "$(queues_of_channels)" "0 1 0 1 0 7 0 1 "
	ethtool -X "$card" default
	refused "-L: keeps the queues of rules" 1 "*too low for existing ntuple filter*" \
		ethtool -L "$card" combined 7
	check "-N: delete" ethtool -N "$card" delete 5
	equal "-N: then the table is right again" "$(queues_of_channels)" "0 1 2 1 4 5 6 7 "
	nothing_lost "-N"
	refused "-N: no such rule" 1 "*No such file*" ethtool -N "$card" delete 5
	refused "-N: no such channel" 1 "*Cannot assign requested address*" \
		rule src "$address:08" action 0
	refused "-N: no such queue" 1 "*Invalid argument*" rule src "$address:01" action 8
	refused "-N: a channel is not switched off by this" 1 "*Invalid argument*" \
		rule src "$address:01" action -1
	refused "-N: a rule's number is its channel's" 1 "*Invalid argument*" \
		rule src "$address:01" action 0 loc 2
	refused "-N: part of an address" 1 "*not supported*" \
		rule src "$address:01" m 00:00:00:00:00:ff action 0
	refused "-N: other fields" 1 "*not supported*" rule dst "$address:01" action 0
	refused "-N: other packets" 1 "*not supported*" \
		ethtool -N "$card" flow-type udp4 dst-port 1 action 0
	ethtool -N "$card" delete 3
}

test_moderation() {
	check "-C: frames and time" ethtool -C "$card" rx-frames 4 rx-usecs 5000
	check "-C: and back" ethtool -C "$card" rx-frames 1 rx-usecs 100000
	nothing_lost "-C"
	refused "-C: no frames" 1 "*rx-frames is 0: give at least 1*" \
		ethtool -C "$card" rx-frames 0
	refused "-C: what is sent is not moderated" 1 "*unsupported parameter*" \
		ethtool -C "$card" tx-usecs 10
	[ "${TEST_PERSONALITY:-interrupt}" != interrupt ] ||
		refused "-C: nor by load, where there are interrupts" 1 \
			"*no polling to set*" ethtool -C "$card" adaptive-rx on
}

test_devlink() {
	local output

	output=$(devlink dev info "$device")
	matches "devlink info: driver, card, version" "$output" "*driver daq*asic.id DAQ1*fw 1*"
	output=$(devlink health show "$device" reporter card)
	matches "devlink health: the card is well" "$output" "*state healthy error 0 recover 0*"
	output=$(devlink health diagnose "$device" reporter card)
	matches "devlink health: diagnosis" "$output" \
		"*running: true*channels: 8*queues: 8*bad_completions: 0*"
	check "devlink health: an error that is none" \
		devlink health test "$device" reporter card
	check "devlink health: is recovered from" wait_for 10 eval \
		"devlink health show $device reporter card | grep -q 'healthy error 1 recover 1'"
	output=$(devlink health dump show "$device" reporter card)
	matches "devlink health: there is a dump of the registers" "$output" \
		"*registers:*44 41 51 31*"
	flows "devlink health"
}

begin
new_card "$card" 8
device=platform/$(device_of "$card")
! on_bus || device=pci/$(device_of "$card") bus=${device#*/}
ip link set "$card" address "$address:00" up
wait_for_carrier "$card"
daq set "$card" --channel all --source counter --sample-bytes 2 --segment 1024 --frame 4096 \
	--rate 51200
dropped_before=0 no_buffer=0
test_information
test_self_test
no_buffer=$(total drop_no_buffer)
test_rings
test_queues
test_table
test_rules
test_moderation
test_devlink
finish
