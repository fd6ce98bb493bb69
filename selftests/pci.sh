#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Cards on the PCI bus: three emulated ones, which VM_CARDS of pci_cards in
# run.sh describes: one with a vector per queue, one that is kicked and has no
# interrupts, one with a single vector for all. What happens to cards while
# they work: unbinding, resets, sleep, and that they vanish.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"

# vectors CARD: how many interrupts its interface has.
vectors() {
	grep -c " $1-[0-9]*\$" /proc/interrupts
}

# use CARD: all of its channels acquire something, and it is up. A kicked card keeps
# eight segments of each until a busy host looks.
use() {
	local rate=$((512 * 40 / scale))

	[[ $(daq card "$1") != *kicked ]] || rate=$((rate / 4))
	daq set "$1" --channel all --source counter --sample-bytes 8 --segment 4096 \
		--frame 20480 --rate "$rate" &&
		ip link set "$1" up && wait_for_carrier "$1"
}

# whole NAME CARD: the card works, without loss.
whole() {
	check "$1: a capture of all channels" timeout $((60 * scale)) \
		daq capture "$2" --channel all --frames 10 --quiet --json "$dir/whole"
	equal "$1: nothing lost" "$(member lost_segments "$dir/whole")" 0
}

# in_background CARD SECONDS: a capture, which is the process $capture.
in_background() {
	: >"$dir/capture"
	daq capture "$1" --channel all --quiet --allow-loss --duration $(($2 * scale)) \
		--json "$dir/background" 2>"$dir/capture" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/capture"
}

test_probe() {
	local i

	modprobe daq
	check "three cards" wait_for 10 has_interface "${addresses[2]}"
	for i in 0 1 2; do
		interface "${addresses[i]}"
		names[i]=$ifname
		matches "card $i: what ethtool -i shows" "$(ethtool -i "${names[i]}")" \
			"driver: daq*bus-info: ${addresses[i]}*"
		matches "card $i: has a devlink instance" "$(devlink dev info)" \
			"*pci/${addresses[i]}*"
		check "card $i: has a clock" [ -d "$driver/${addresses[i]}/ptp" ]
		refused "card $i: is not removed like a software card" 2 \
			"*Operation not supported*" ip link del "${names[i]}"
		refused "card $i: is what it is" 1 "*only software cards*" \
			daq card "${names[i]}" --personality polled
		check "card $i: comes up" use "${names[i]}"
	done
	matches "card 0: interrupts" "$(daq card "${names[0]}")" "*interrupt"
	matches "card 1: is kicked" "$(daq card "${names[1]}")" "*kicked"
	equal "card 0: a vector per queue and one for events" "$(vectors "${names[0]}")" 9
	equal "card 1: no vector" "$(vectors "${names[1]}")" 0
	equal "card 2: one vector for all" "$(vectors "${names[2]}")" 1
}

test_capture() {
	local i

	for i in 0 1 2; do
		whole "card $i" "${names[i]}"
		read_stats "${names[i]}"
		if [ "$i" -eq 1 ]; then
			equal "card $i: no interrupts" "${stats[queue0_irqs]}" 0
		else
			check "card $i: interrupts" [ "${stats[queue0_irqs]}" -gt 0 ]
		fi
	done
}

test_unbind() {
	local name

	in_background "${names[0]}" 60
	echo "${addresses[0]}" >"$driver/unbind"
	since=${EPOCHREALTIME/./}
	check "unbind: the consumer is told that the card was removed" \
		told_within 3000 "*removed*"
	echo "${addresses[0]}" >"$driver/bind"
	check "unbind: the card can be bound again" has_interface "${addresses[0]}"
	interface "${addresses[0]}"
	name=$ifname names[0]=$ifname
	use "$name"
	whole "unbind: afterwards" "$name"
}

# A reset of the function while data flow: the consumer goes on.
test_reset() {
	local before

	read_stats "${names[0]}"
	before=${stats[ch0_produced]}
	in_background "${names[0]}" 600
	sleep 1
	check "reset: by sysfs" tee "/sys/bus/pci/devices/${addresses[0]}/reset" <<<1
	read_stats "${names[0]}"
	wait_for 60 has_delivered "${names[0]}" $((stats[ch0_socket] + 50))
	kill -INT "$capture"
	check "reset: the consumer goes on" wait "$capture"
	check "reset: and gets frames" [ "$(member frames "$dir/background")" -gt 0 ]
	read_stats "${names[0]}"
	check "reset: counters go on" [ "${stats[ch0_produced]}" -gt "$before" ]
	whole "reset: afterwards" "${names[0]}"
	ip link set "${names[0]}" down
	accounted "reset" "${names[0]}"
	use "${names[0]}"
}

clock_is_near() {
	local ptp

	ptp=$(phc_ctl "${names[0]}" get) && ptp=${ptp##*clock time is } &&
		[ $((${ptp%%.*} - $(date +%s))) -ge -2 ] &&
		[ $((${ptp%%.*} - $(date +%s))) -le 2 ]
}

# has_delivered CARD COUNT: its first channel that many segments to a socket, or more.
has_delivered() {
	read_stats "$1"
	[ "${stats[ch0_socket]}" -ge "$2" ]
}

# The kernel spins for as long as the delay says, and calls that a lock-up on a busy host.
sleep_a_while() {
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	echo devices >/sys/power/pm_test && echo freeze >/sys/power/state
}

test_sleep() {
	local i

	if [ ! -w /sys/power/pm_test ]; then
		skip "sleep" "this kernel does not test sleep"
		return
	fi
	phc_ctl "${names[0]}" set >/dev/null
	in_background "${names[0]}" 600
	check "sleep: devices only" sleep_a_while
	read_stats "${names[0]}"
	check "sleep: and is given more" \
		wait_for 60 has_delivered "${names[0]}" $((stats[ch0_socket] + 50))
	kill -INT "$capture"
	check "sleep: the consumer goes on" wait "$capture"
	check "sleep: and gets frames" [ "$(member frames "$dir/background")" -gt 0 ]
	check "sleep: the clock is right" clock_is_near
	for i in 0 1 2; do
		whole "sleep: card $i afterwards" "${names[i]}"
		ip link set "${names[i]}" down
		accounted "sleep: card $i" "${names[i]}"
		use "${names[i]}"
	done
}

is_down() {
	[ "$(<"/sys/class/net/$1/operstate")" != up ]
}

# gone NUMBER: and back again.
test_gone() {
	local i=$1 name=${names[$1]}

	if [ ! -e "$ports/card$i" ]; then
		skip "gone" "nobody plays the card"
		return
	fi
	in_background "$name" 60
	check "gone: card $i" command_card "$i" gone
	since=${EPOCHREALTIME/./}
	check "gone: the consumer is told" told_within 3000 "*"
	check "gone: the interface is down" wait_for 5 is_down "$name"
	refused "gone: and stays so" 2 "*No such device*" ip link set "$name" up
	check "gone: statistics can be read" ip -s link show "$name"
	check "gone: the driver lets go of it" tee "$driver/unbind" <<<"${addresses[i]}"
	refused "gone: and does not take what answers nothing but ones" 1 "*No such device*" \
		bash -c "echo ${addresses[i]} >$driver/bind"
	check "gone: it comes back" command_card "$i" back
	check "gone: and is bound" tee "$driver/bind" <<<"${addresses[i]}"
	interface "${addresses[i]}"
	name=$ifname names[i]=$ifname
	check "gone: comes up" use "$name"
	whole "gone: afterwards" "$name"
}

find_cards
names=()

begin
if [ "${#addresses[@]}" -lt 3 ]; then
	skip_file "three emulated cards are needed"
fi
test_probe
test_capture
test_unbind
test_reset
test_sleep
test_gone 0
test_gone 1
test_gone 0
check "the driver can be unloaded" modprobe -r daq
finish
