#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A cable between two cards: ordinary packets and segments, namespaces, unplugging.

set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

far=daqt-far-$$

ping_far() {
	# shellcheck disable=SC2317 # by check
	if ! ip netns exec "$far" ping -q -c 3 -i 0.2 -W 10 "$@" >"$dir/ping" 2>&1; then
		quote "$(<"$dir/ping")"
		return 1
	fi
}

begin
! on_bus || skip_file "a cable connects software cards"
trap 'ip netns del "$far" 2>/dev/null; clean_up' EXIT

make_card daqt0 2 && make_card daqt1 2
check 'cable: two cards' daq cable daqt0 daqt1
matches 'cable: every input listens' "$(daq list)" '*cable*cable*cable*cable*'
refused 'cable: not to itself' 1 '*needs two cards*' daq cable daqt0 daqt0
refused 'cable: not to another interface' 1 '*lo is not a DAQ card*' daq cable daqt0 lo
make_card daqt2 2
refused 'cable: a third card has to wait' 1 '*daqt1 has a cable to another card*' \
	daq cable daqt2 daqt1

# Segments, and what an input that does not listen does not hear.
daq set daqt1 --channel 1 --source none
daq set daqt0 --channel 0 --segment 4096 --frame 40960 --rate $((1000000 / scale))
daq set daqt1 --channel 0 --segment 4096 --frame 40960 --rate $((1000000 / scale))
head -c 400000 /dev/urandom >"$dir/in"
timeout $((60 * scale)) daq capture daqt1 --quiet --until-last --duration $((50 * scale)) 0="$dir/out" 2>"$dir/capture" &
capture=$!
wait_for 20 grep -q capturing "$dir/capture"
check 'cable: play at one end' timeout $((60 * scale)) daq play daqt0 --quiet 0="$dir/in" 1="$dir/in"
check 'cable: capture at the other' wait "$capture"
check 'cable: identical' cmp "$dir/in" "$dir/out"
read_stats daqt1
equal 'cable: nothing dropped' "${stats[ch0_drop_no_buffer]}" 0
equal 'cable: an input with another source hears nothing' "${stats[ch1_produced]}" 0

ip netns add "$far"
check 'cable: one end moves to a namespace' ip link set daqt1 netns "$far"
ip addr add 10.99.0.1/24 dev daqt0
ip -n "$far" addr add 10.99.0.2/24 dev daqt1
ip -n "$far" link set daqt1 up
ip netns exec "$far" daq set daqt1 --channel 1 --source cable
check 'cable: ping across' ping_far 10.99.0.1
check 'cable: ping with many fragments' ping_far -s 20000 10.99.0.1
ip link set daqt0 mtu 9000
ip -n "$far" link set daqt1 mtu 9000
check 'cable: ping with packets of several buffers' ping_far -s 8900 10.99.0.1

# The far end goes down with packets on their way, and comes back.
ip -n "$far" link set daqt1 down
for ((i = 0; i < 50; i++)); do
	ping -q -c 1 -W 0.01 10.99.0.2 >/dev/null 2>&1
done
ip -n "$far" link set daqt1 up
check 'cable: the far end comes back' ping_far 10.99.0.1
check 'cable: unplugged' daq cable daqt0 none
if ip netns exec "$far" ping -q -c 1 -W 1 10.99.0.1 >/dev/null 2>&1; then
	result 1 'cable: nothing goes through then'
else
	result 0 'cable: nothing goes through then'
fi

# A card that goes takes the cable with it.
check 'cable: unplugged cards can be connected anew' daq cable daqt2 daqt0
check 'cable: remove one end' ip link del daqt2
refused 'cable: nobody is there then' 1 '*' ping -q -c 1 -W 1 -I daqt0 10.99.0.9
check 'cable: remove the namespace with the other' ip netns del "$far"
finish
