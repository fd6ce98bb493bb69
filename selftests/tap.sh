#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# tcpdump sees a header for each segment that a zero-copy consumer gets, and disturbs
# nobody: not the consumer, not the account, not a cable's far end.

# shellcheck disable=SC2317 # functions that only check calls
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin
make_card daqt0 4
# Three pages and a bit in each of 50 segments.
daq set daqt0 --channel 1 --segment 12288 --frame 122880 --sample-bytes 2 --rate 2M
daq set daqt0 --channel 0 --source loopback:1 --segment 12288 --frame 122880 --rate 2M
head -c $((50 * 12288)) /dev/urandom >"$dir/in"

# capture_played OUTPUT: whether it comes back whole from channel 0.
capture_played() {
	local capture

	: >"$dir/log"
	timeout 90 daq capture daqt0 --zero-copy --quiet --until-last --duration 60 \
		0="$1" 2>"$dir/log" &
	capture=$!
	wait_for 30 grep -q capturing "$dir/log" || return
	timeout 60 daq play daqt0 --quiet 1="$dir/in" || return
	wait "$capture" && cmp "$dir/in" "$1"
}

check 'tap: without one, data arrive' capture_played "$dir/out"
read_stats daqt0
before=${stats[ch0_stack]}
equal 'tap: without one, the stack sees nothing' "${stats[ch0_stack]}" 0

tcpdump -i daqt0 -Q in -w "$dir/pcap" -U 'ether proto 0x88b5' 2>"$dir/tcpdump" &
tap=$!
wait_for 30 grep -q listening "$dir/tcpdump"
check 'tap: with one, data arrive as before, by zero copy' capture_played "$dir/out2"
sleep 1
kill -INT "$tap"
wait "$tap"
lines=$(tcpdump -e -xx -r "$dir/pcap" 2>/dev/null)
read_stats daqt0
equal 'tap: every segment goes to the socket, none to the stack' "${stats[ch0_stack]}" "$before"
equal 'tap: produced is delivered' "${stats[ch0_produced]}" "${stats[ch0_socket]}"
equal 'tap: a header for each segment' "$(grep -c '^[0-9]' <<<"$lines")" 50
equal 'tap: only the header' "$(grep -c 'length 64:' <<<"$lines")" 50
matches 'tap: it is the header of segment 0 of channel 0' "$lines" \
	'*0x88b5*0x0000:*88b5 0101*'

for i in 1 2 3 4 5; do
	timeout 20 tcpdump -i daqt0 -c 20 -w "$dir/pcap$i" 2>/dev/null &
done
check 'tap: several at once, coming' capture_played "$dir/out3"
check 'tap: and going' capture_played "$dir/out4"

finish
