#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Each of the small programs in samples/ that use the library does what it says.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# end PROCESS: it would go on for ever.
end() {
	kill -TERM "$1"
	wait "$1"
} 2>/dev/null

has_lines() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

test_hello() {
	"$samples/hello" daqt0 2 >"$dir/hello" 2>&1 &
	check "hello: a line for each frame" wait_for 20 has_lines "$dir/hello" 5
	end $!
	matches "hello: in one piece, with nothing lost" "$(head -n 1 "$dir/hello")" \
		'frame *: 16384 bytes in 1 piece(s), sample *, 0 frames lost before'
	refused "hello: without such a card" 1 'hello: no such interface: none' \
		"$samples/hello" none 0
}

test_channels() {
	local channel wrong=0

	"$samples/channels" daqt0 2 3 >"$dir/channels" 2>&1 &
	wait_for 20 has_lines "$dir/channels" 20
	result $? "channels: lines"
	end $!
	for channel in 2 3; do
		[ "$(grep -c "^channel $channel: frame [0-9]*, [0-9]* bytes so far$" \
			"$dir/channels")" -ge 5 ] || wrong=$((wrong + 1))
	done
	equal "channels: of both channels" "$wrong" 0
}

test_poll_loop() {
	local output

	output=$(sleep $((2 * scale)) | "$samples/poll_loop" daqt0 2 2>&1)
	result $? "poll_loop: ends with its input"
	matches "poll_loop: has had frames" "$output" '[1-9]* frames'
}

# Through both, with a short frame at the end.
test_play_and_record() {
	local record status=0

	head -c 100001 /dev/urandom >"$dir/in"
	"$samples/record" daqt0 0 >"$dir/out" 2>"$dir/record" &
	record=$!
	wait_for 20 grep -q recording "$dir/record"
	check "play: plays all of a file" "$samples/play" daqt0 1 <"$dir/in"
	wait "$record" || status=$?
	equal "record: ends with the source" "$status" 0
	check "record: has what was played" cmp "$dir/in" "$dir/out"
	refused "play: nothing" 1 'play: a frame of 0 bytes cannot be played*' \
		"$samples/play" daqt0 1
}

has_dropped() {
	read_stats daqt0
	[ "$(total drop_no_buffer)" -gt "$1" ]
}

has_grown() {
	[ -e "$dir/gaps.raw" ] && [ "$(stat -c %s "$dir/gaps.raw")" -gt "$1" ]
}

# While nobody looks the buffers run over: the file has a hole where that is missing,
# and everything behind it is in its place.
test_gaps() {
	local gaps missing dropped

	daq set daqt0 --channel 2 --rate $((2000000 / scale))
	"$samples/gaps" daqt0 2 "$dir/gaps.raw" >"$dir/gaps" 2>&1 &
	gaps=$!
	wait_for 20 has_grown 1000000
	kill -STOP "$gaps"
	# Not what the queue lost when the socket was bound.
	read_stats daqt0
	dropped=$(total drop_no_buffer)
	check "gaps: the card has to drop something" wait_for 60 has_dropped "$dropped"
	kill -CONT "$gaps"
	wait_for 60 grep -q missing "$dir/gaps"
	wait_for 30 has_grown $(($(stat -c %s "$dir/gaps.raw") + 100000))
	end "$gaps"
	matches "gaps: it tells of that" "$(<"$dir/gaps")" '* bytes missing at byte *'
	missing=$(awk '{ sum += $1 / 8 } END { print sum + 0 }' "$dir/gaps")
	# The words of the hole are the only ones that are not what they have to be.
	check "gaps: $missing words are missing, the others are in place" \
		pattern "$dir/gaps.raw" 8 "$missing"
}

produced_are() {
	read_stats daqt0
	[ "${stats[ch3_produced]}" -eq "$1" ]
}

# A frame has four segments, and takes a tenth of a second.
test_trigger() {
	local device before lines

	device=$(echo /sys/class/net/daqt0/device/daq/*)
	mkfifo "$dir/lines"
	"$samples/trigger" "/dev/${device##*/}" 3 <"$dir/lines" >"$dir/trigger" 2>&1 &
	exec {lines}>"$dir/lines"
	wait_for 20 has_lines "$dir/trigger" 1
	sleep $((1 + scale))
	read_stats daqt0
	before=${stats[ch3_produced]}
	echo >&"$lines"
	check "trigger: a frame" wait_for 20 produced_are $((before + 4))
	sleep $((1 + scale))
	check "trigger: one" produced_are $((before + 4))
	daq revoke daqt0 -c 3
	check "trigger: it is told that it cannot any more" \
		wait_for 20 grep -q 'channel 3: revoked' "$dir/trigger"
	daq grant daqt0 -c 3
	check "trigger: and that it can" wait_for 20 grep -q 'channel 3: granted' "$dir/trigger"
	sleep $((1 + scale))
	read_stats daqt0
	before=${stats[ch3_produced]}
	echo >&"$lines"
	check "trigger: a frame" wait_for 20 produced_are $((before + 4))
	exec {lines}>&-
	check "trigger: ends with its input" wait $!
	refused "trigger: no such channel" 1 "/dev/${device##*/}: Invalid argument" \
		"$samples/trigger" "/dev/${device##*/}" 4
}

begin
make_card daqt0 4
samples=$(echo /usr/lib/*/daq)
[ -x "$samples/hello" ] || skip_file "the samples are not installed"
daq set daqt0 --channel 0-1 --segment 4096 --frame 16384 --rate $((200000 / scale))
daq set daqt0 --channel 0 --source loopback:1
# What a kicked card can keep while its host is busy.
daq set daqt0 --channel 2-3 --source counter --sample-bytes 2 --segment 4096 \
	--frame 16384 --rate $((80000 / scale))
test_hello
test_channels
test_poll_loop
test_play_and_record
test_trigger
test_gaps
finish
