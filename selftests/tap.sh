#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# tcpdump sees a header for each segment that a zero-copy consumer gets, with the card's
# time, and disturbs nobody: not the consumer, not the account, not a cable's far end. What
# tshark makes of the headers is what the consumer has counted, losses too.

# shellcheck disable=SC2317 # functions that only check calls
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

tracing=/sys/kernel/tracing

# start_capture OUTPUT CHANNEL [OPTION...]: it is the process $capture.
start_capture() {
	: >"$dir/log"
	timeout 90 daq capture daqt0 --zero-copy --quiet --until-last --duration 60 \
		"$2=$1" --json "$dir/json" "${@:3}" 2>"$dir/log" &
	capture=$!
	wait_for 30 grep -q capturing "$dir/log"
}

# capture_played OUTPUT: whether it comes back whole from channel 0.
capture_played() {
	start_capture "$1" 0 || return
	timeout 60 daq play daqt0 --quiet 1="$dir/in" || return
	wait "$capture" && cmp "$dir/in" "$1"
}

# What the driver has shown to taps.
count_shown() {
	echo p:daqtap/shown daq_show_to_tap >>"$tracing/kprobe_events" &&
		echo 1 >"$tracing/events/daqtap/enable"
}

# The kernel counts from when that has begun.
shown() {
	awk '$1 == "shown" { print $2 }' "$tracing/kprobe_profile"
}

stop_counting() {
	echo 0 >"$tracing/events/daqtap/enable"
	echo -:daqtap/shown >>"$tracing/kprobe_events"
} 2>/dev/null

# start_tap NAME OPTION...: its number is in $tap.
start_tap() {
	tcpdump -i daqt0 -U "${@:2}" 'ether proto 0x88b5' 2>"$dir/$1" &
	tap=$!
	wait_for 30 grep -q listening "$dir/$1"
}

has_dropped() {
	read_stats daqt0
	[ "${stats[ch2_drop_no_buffer]}" -gt 0 ]
}

has_played() {
	read_stats daqt0
	[ "${stats[ch3_played]}" -ge 50 ]
}

# Longer than there is memory for, while nobody takes it.
lose_some() {
	start_capture /dev/null 2 --buffer 512K --allow-loss || return
	kill -STOP "$(pgrep -P "$capture")"
	timeout 60 daq play daqt0 --quiet 3="$dir/in" && wait_for 30 has_played &&
		wait_for 10 has_dropped
	kill -CONT "$(pgrep -P "$capture")"
	wait "$capture"
}

# column NUMBER CHANNEL [VALUE]: how many lines of the dissected have something there.
column() {
	awk -F '|' -v n="$1" -v c="$2" -v v="${3-}" \
		'$1 == c && (v == "" ? $n != "" : $n == v)' "$dir/dissected" | wc -l
}

sum_column() {
	awk -F '|' -v n="$1" -v c="$2" '$1 == c { sum += $n } END { print sum + 0 }' \
		"$dir/dissected"
}

test_dissector() {
	tshark -r "$dir/pcap" -T fields -E 'separator=|' -e daq.channel -e daq.frame \
		-e daq.segment -e daq.flags.eof -e daq.timestamp -e frame.time_epoch -e daq.lost \
		-e daq.malformed -e frame.len >"$dir/dissected" 2>"$dir/tshark"
	result $? "tshark: reads what tcpdump has written"
	equal "tshark: a header for each segment" "$(column 1 0)" 50
	equal "tshark: only the header" "$(column 9 0 64)" 50
	equal "tshark: of as many segments as the consumer has counted" "$(column 1 0)" \
		"$(member segments "$dir/json.first")"
	equal "tshark: of as many frames" "$(column 4 0 True)" \
		"$(member frames "$dir/json.first")"
	equal "tshark: in order" "$(awk -F '|' '$1 == 0 { print $3 }' "$dir/dissected" |
		tr '\n' ' ')" "$(for _ in 1 2 3 4 5; do echo -n '0 1 2 3 4 5 6 7 8 9 '; done)"
	equal "tshark: nothing is missing" "$(column 7 0)" 0
	equal "tshark: the time of each is the card's" "$(awk -F '|' \
		'{ sub(/\./, "", $6); if ($5 != $6) print }' "$dir/dissected")" ""
	equal "tshark: no header is malformed" "$(cut -d '|' -f 8 "$dir/dissected" | sort -u)" ""
	check "tshark: segments are missing that the consumer has lost" \
		[ "$(sum_column 7 2)" -gt 0 ]
	equal "tshark: as many as it has counted" "$(sum_column 7 2)" \
		"$(member lost_segments "$dir/json")"
}

begin
make_card daqt0 4
trap 'stop_counting; clean_up' EXIT
# Three pages and a bit in each of 50 segments.
for i in 1 3; do
	daq set daqt0 --channel "$i" --segment 12288 --frame 122880 --sample-bytes 2 --rate 2M
	daq set daqt0 --channel $((i - 1)) --source "loopback:$i" --segment 12288 \
		--frame 122880 --rate 2M
done
head -c $((50 * 12288)) /dev/urandom >"$dir/in"
check 'tap: what is shown can be counted' count_shown

check 'tap: without one, data arrive' capture_played "$dir/out"
read_stats daqt0
before=${stats[ch0_stack]}
equal 'tap: without one, the stack sees nothing' "${stats[ch0_stack]}" 0
equal 'tap: without one, nothing is shown' "$(shown)" 0

# One that takes nothing, with hardly any memory.
start_tap stuck -w /dev/null -s 64 --immediate-mode -B 4
stuck=$tap
kill -STOP "$stuck"
start_tap tcpdump -Q in -w "$dir/pcap" -j adapter_unsynced --time-stamp-precision nano
check 'tap: with two, data arrive as before, by zero copy' capture_played "$dir/out2"
grep '"channel"' "$dir/json" >"$dir/json.first"
equal 'tap: each segment is shown once' "$(shown)" 50
read_stats daqt0
equal 'tap: every segment goes to the socket, none to the stack' "${stats[ch0_stack]}" "$before"
equal 'tap: produced is delivered' "${stats[ch0_produced]}" "${stats[ch0_socket]}"
kill -INT "$stuck"
kill -CONT "$stuck"
wait "$stuck"
matches 'tap: what one of them has dropped is its own affair' "$(<"$dir/stuck")" \
	'*[1-9]* packets dropped by kernel*'
check 'tap: a consumer that loses' lose_some
sleep 1
kill -INT "$tap"
wait "$tap"
lines=$(tcpdump -e -xx -c 1 -r "$dir/pcap" 2>/dev/null)
matches 'tap: it is the header of segment 0 of channel 0' "$lines" \
	'*0x88b5*0x0000:*88b5 0101*'
test_dissector

for i in 1 2 3 4 5; do
	timeout 20 tcpdump -i daqt0 -c 20 -w "$dir/pcap$i" 2>/dev/null &
done
check 'tap: several at once, coming' capture_played "$dir/out3"
check 'tap: and going' capture_played "$dir/out4"

finish
