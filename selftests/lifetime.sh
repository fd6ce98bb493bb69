#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Things that end while others use them: a card removed under its consumer, a consumer
# killed, the module unloaded with cards that produce.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

set_up() {
	make_card daqt0 4 &&
		daq set daqt0 --channel all --source counter --segment 8192 --frame 81920 \
			--rate $((204800 / scale))
}

# Starts a consumer of all channels, $consumer, and waits until it gets data.
consume() {
	rm -f "$dir/raw"
	daq capture daqt0 0="$dir/raw" -c all --quiet "$@" 2>"$dir/err" &
	consumer=$!
	wait_for 20 test -s "$dir/raw"
}

# ends NAME STATUS PATTERN: the consumer does, within 5 s, with that message.
ends() {
	local status=0

	wait_for 5 eval "! kill -0 $consumer 2>/dev/null" || kill -KILL "$consumer"
	wait "$consumer" || status=$?
	equal "$1: the consumer ends in time, status $2" "$status" "$2"
	matches "$1: and tells why" "$(<"$dir/err")" "$3"
}

# in_time SECONDS COMMAND...: it succeeds, and takes no longer.
in_time() {
	local end=$((SECONDS + $1 * scale))

	"${@:2}" && [ "$SECONDS" -le "$end" ]
}

test_removal() {
	consume
	check "card removed: consumer runs" kill -0 "$consumer"
	check "card removed: in time" in_time 20 remove_card daqt0
	ends "card removed" 1 "*daqt0 was removed*"
	set_up
	consume
	check "link down: ip link set down" timeout $((20 * scale)) ip link set daqt0 down
	ends "link down" 1 "*daqt0 is down: ip link set daqt0 up*"
	ip link set daqt0 up
	consume --copy
	check "card removed, copy: in time" in_time 20 remove_card daqt0
	ends "card removed, copy" 1 "*daqt0 was removed*"
}

test_unload() {
	set_up
	consume
	check "unload: rmmod while a consumer runs" timeout $((20 * scale)) rmmod daq
	ends "unload" 1 "*daqt0 was removed*"
	check "unload: the module is gone" test ! -d /sys/module/daq
	check "unload: the card can be made again" set_up
	check "unload: and gives data" daq capture daqt0 -c all -n 2 -q
	equal "unload: nobody holds the module" "$(</sys/module/daq/refcnt)" 0
}

# capture_time: how long a new consumer takes to get a frame, us.
capture_time() {
	local started=${EPOCHREALTIME/./}

	daq capture daqt0 -c all -n 1 -q 2>"$dir/err" || return
	echo $((${EPOCHREALTIME/./} - started))
}

# A busy host makes everything slow: measured by what it takes when nobody was killed.
test_kill() {
	local bad=0 slow=0 usual took

	usual=$(capture_time) || bad=$((bad + 1))
	for _ in 1 2 3 4 5; do
		consume || bad=$((bad + 1))
		kill -KILL "$consumer"
		wait "$consumer" 2>/dev/null
		took=$(capture_time) || bad=$((bad + 1))
		[ "$((took))" -lt $((3 * usual + 1000000 * scale)) ] || slow=$((slow + 1))
	done
	equal "kill -9: 5 times, the next consumer gets data" "$bad" 0
	equal "kill -9: without delay" "$slow" 0
	! bpftool net show dev daqt0 | grep -q daq_steer
	result $? "kill -9: the XDP program is gone"
}

# SIGSTOP: the card goes on without the consumer, which later knows what it missed.
test_stopped_consumer() {
	local missing=0 c counter sum status=0

	consume --buffer 500k --allow-loss --json "$dir/json"
	kill -STOP "$consumer"
	sleep $((4 * scale))
	kill -CONT "$consumer"
	sleep "$scale"
	kill -INT "$consumer"
	wait "$consumer" || status=$?
	equal "stopped: goes on and ends well" "$status" 0
	matches "stopped: has lost frames" "$(<"$dir/json")" '*"lost_frames": [1-9]*'
	daq set daqt0 -c all -s none
	sleep 0.5
	read_stats daqt0
	for c in 0 1 2 3; do
		sum=0
		for counter in "${!stats[@]}"; do
			[[ $counter != ch${c}_@(socket|stack|xdp_tx|drop_*) ]] ||
				sum=$((sum + stats[$counter]))
		done
		[ "$sum" -eq "${stats[ch${c}_produced]}" ] || missing=$((missing + 1))
	done
	equal "stopped: produced = delivered + dropped on every channel" "$missing" 0
	daq set daqt0 -c all -s counter
}

test_second_consumer() {
	consume
	refused "second consumer: refused with the reason" 1 "*channel 1 of daqt0 is open in another process*" \
		daq capture daqt0 -c 1 -n 1
	check "second consumer: the first one goes on" kill -0 "$consumer"
	kill -INT "$consumer"
	check "second consumer: and has lost nothing" wait "$consumer"
}

begin
set_up
test_removal
test_unload
test_kill
test_stopped_consumer
test_second_consumer
finish
