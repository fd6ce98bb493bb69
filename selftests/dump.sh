#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `daq dump` shows of a running card is what comes in and what is lost, as the card
# counts it, and whoever receives does not notice.

# shellcheck disable=SC2317 # functions that only check and wait_for call
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

rate=$((400000 / scale))

# Ten segments a frame, of three pages each.
start_source() {
	daq set daqt0 --channel 1 --source ramp --sample-bytes 2 --segment 12288 \
		--frame 122880 --rate "$rate"
}

stop_source() {
	daq set daqt0 --channel 1 --source none
	# The notice of a loss, if there was one, comes 10 ms later.
	sleep 0.5
}

# start_dump OPTION...: its process is dump.
start_dump() {
	daq dump daqt0 "$@" >"$dir/lines" 2>"$dir/err" &
	dump=$!
	wait_for 20 grep -q listening "$dir/err"
}

stop_dump() {
	# What waits in the kernel for others does so for 100 ms.
	sleep 1
	kill -INT "$dump"
	wait "$dump"
}

start_capture() {
	: >"$dir/log"
	daq capture daqt0 --zero-copy -c 1 --quiet "$@" 2>"$dir/log" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/log"
}

# delta NAME: what a counter of channel 1 has gained since before was read.
delta() {
	local key=ch1_$1

	echo "$((${stats[$key]} - ${before[$key]}))"
}

# What all reasons together have.
lost() {
	local key sum=0

	for key in "${!stats[@]}"; do
		[[ $key != ch1_drop_* ]] || sum=$((sum + ${stats[$key]} - ${before[$key]}))
	done
	echo "$sum"
}

remember_stats() {
	local key

	read_stats daqt0
	# shellcheck disable=SC2034 # delta reads it
	declare -gA before=()
	for key in "${!stats[@]}"; do
		before[$key]=${stats[$key]}
	done
}

test_lines() {
	local first

	start_source
	start_capture --duration 300
	start_dump -c 1 -n 30
	wait "$dump"
	result $? 'dump -n 30: ends'
	kill -INT "$capture"
	wait "$capture"
	result $? 'dump: the consumer beside it lost nothing'
	read_stats daqt0
	equal 'dump -n 30: 30 lines' "$(wc -l <"$dir/lines")" 30
	equal 'dump: of channel 1 only' "$(grep -c ' ch 1 frame ' "$dir/lines")" 30
	equal 'dump: nothing is lost in them' "$(grep -c ', ' "$dir/lines")" 0
	first=$(grep -m 1 SOF "$dir/lines")
	matches 'dump: what a line says of the first segment of a frame' "$first" \
		'??:??:??.????????? ch 1 frame * segment 0 offset 0 bytes 12288 of 122880 sample *SOF'
	equal 'dump: every tenth ends a frame' \
		"$(grep -c 'segment 9 offset 110592 .* EOF' "$dir/lines")" 3
}

has_delivered() {
	read_stats daqt0
	[ "$(delta socket)" -ge "$1" ]
}

has_lost() {
	read_stats daqt0
	[ "${stats[ch1_drop_no_buffer]}" -ge "$1" ]
}

# Whatever happens to segments, headers tell of each.
test_loss() {
	stop_source
	remember_stats
	start_dump -c 1 --gaps
	start_source
	start_capture --allow-loss --buffer 1M --duration 60
	# Not what the queue lost when the socket was bound.
	wait_for 60 has_delivered 10
	read_stats daqt0
	kill -STOP "$capture"
	wait_for 120 has_lost $((stats[ch1_drop_no_buffer] + 30))
	kill -CONT "$capture"
	sleep 1
	kill -INT "$capture"
	wait "$capture"
	stop_source
	stop_dump
	read_stats daqt0
	check 'dump --gaps: there is a loss to be seen' [ "$(delta drop_no_buffer)" -gt 0 ]
	matches 'dump: tells every segment and every loss, as counted' "$(tail -n 1 "$dir/err")" \
		"$(($(delta socket) + $(delta stack))) segments, $(lost) lost"
	matches 'dump --gaps: says where, how much, and who' "$(<"$dir/lines")" \
		'*, lost * segments (* samples) before this, * by the card*'
	equal 'dump --gaps: shows nothing else' "$(grep -vc ', lost ' "$dir/lines")" 0
}

test_frames() {
	start_source
	start_dump -c 1 --frames -n 3
	wait "$dump"
	equal 'dump --frames: one line for each' "$(wc -l <"$dir/lines")" 3
	equal 'dump --frames: they are whole' \
		"$(grep -c ' whole, 10 segments, bytes 122880 of 122880, sample ' "$dir/lines")" 3
	start_dump -n 3 'ether[15] & 0x02 != 0'
	wait "$dump"
	equal 'dump FILTER: ends of frames only' "$(grep -c ' EOF$' "$dir/lines")" 3
	start_dump -c 1 -n 2 --json
	wait "$dump"
	check 'dump --json: is JSON' python3 - "$dir/lines" <<-'PYTHON'
	import json, sys
	for line in open(sys.argv[1]):
	    header = json.loads(line)
	    assert header["channel"] == 1 and header["frame_bytes"] == 122880, header
	    assert header["lost_segments"] == 0 and header["time_ns"] > 10 ** 9, header
	PYTHON
}

test_files() {
	daq dump daqt0 -c 1 -n 25 -w "$dir/pcap" 2>/dev/null
	result $? 'dump -w: writes'
	check 'dump -w: times are those in the headers, in ns' python3 - "$dir/pcap" <<-'PYTHON'
	import struct, sys
	data = open(sys.argv[1], "rb").read()
	magic, = struct.unpack_from("<I", data)
	assert magic == 0xa1b23c4d, hex(magic)
	at, count = 24, 0
	while at < len(data):
	    sec, nsec, caplen, length = struct.unpack_from("<4I", data, at)
	    packet = data[at + 16:at + 16 + caplen]
	    assert caplen == 64 and length == 64 + 12288, (caplen, length)
	    assert struct.unpack_from(">Q", packet, 48)[0] == sec * 10**9 + nsec
	    at, count = at + 16 + caplen, count + 1
	assert count == 25, count
	PYTHON
	equal 'dump -w: tcpdump reads it' \
		"$(tcpdump -r "$dir/pcap" 'ether[16:2] = 1' 2>/dev/null | grep -c '^[0-9]')" 25
	daq dump -r "$dir/pcap" >"$dir/lines" 2>"$dir/err"
	equal 'dump -r: reads it' "$(wc -l <"$dir/lines")" 25
	matches 'dump -r: and finds nothing lost' "$(<"$dir/err")" '25 segments, 0 lost'
	equal 'dump -r -: from a pipe' "$(daq dump -r - <"$dir/pcap" 2>/dev/null | wc -l)" 25
	equal 'dump: the end of the pipe makes no noise' \
		"$({ daq dump daqt0 | head -n 1; } 2>&1 | grep -c daq:)" 0
}

test_refusals() {
	refused 'dump: no such interface' 1 '*no such interface: nothing0*' daq dump nothing0
	refused 'dump: a filter that is none' 1 '*filter: *' daq dump daqt0 'no such thing'
	refused 'dump: without the capability' 1 '*CAP_NET_RAW*' \
		setpriv --bounding-set -all --inh-caps -all --reuid 65534 daq dump daqt0
	refused 'dump: nothing to dump' 2 '*name an interface*' daq dump
	refused 'dump: no such channels' 2 "*--channel: '5-3' is not valid*" daq dump daqt0 -c 5-3
	ip link set daqt0 down
	refused 'dump: the interface is down' 1 '*daqt0 is down: ip link set daqt0 up*' \
		timeout 20 daq dump daqt0
	ip link set daqt0 up && wait_for_carrier daqt0
}

begin
make_card daqt0 4
test_lines
test_loss
test_frames
test_files
test_refusals
finish
