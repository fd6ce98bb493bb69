#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The commands that people use: what `daq capture` writes is what the card produced,
# and what `daq play` plays comes back identical.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

to_stdout() {
	daq capture daqt0 0=- -n 2 -q 2>/dev/null >"$dir/out"
}

test_capture() {
	local c bad=0 output

	daq set daqt0 --channel 0-3 --source counter --sample-bytes 2 \
		--segment 61440 --frame 614400 --rate $((614400 / scale))
	output=$(daq capture daqt0 --output "$dir/c" --channel 0-3 --frames 5 \
		--zero-copy --json "$dir/json" 2>&1)
	result $? "capture: 5 video frames from 4 channels"
	for c in 0 1 2 3; do
		[ "$(stat -c %s "$dir/c/channel$c.raw")" = 3072000 ] &&
			pattern "$dir/c/channel$c.raw" 614400 || bad=$((bad + 1))
	done
	equal "capture: files are whole frames, every byte is right" "$bad" 0
	equal "capture: JSON says without a copy, 4 times" \
		"$(grep -c '"zero_copy": true' "$dir/json")" 4
	matches "capture: JSON says that nothing is lost" "$(<"$dir/json")" \
		'*"lost_frames": 0, "lost_segments": 0, "lost_samples": 0*'
	matches "capture: the summary is a table" "$output" "*CH*FRAMES*ZERO-COPY*yes*"
	check "capture: JSON is valid" python3 -m json.tool "$dir/json" "$dir/json2"
	check "capture: to standard output" to_stdout
	check "capture: every byte of that is right" pattern "$dir/out" 614400
	check "capture: without zero copy" \
		daq capture daqt0 1="$dir/copied" -n 2 -q --copy
	check "capture: every byte of that is right" pattern "$dir/copied" 614400
	check "capture: ends after a time" \
		timeout $((20 * scale)) daq capture daqt0 -c 0 --duration 0.5 -q
	daq set daqt0 --channel all --source none
	rm -rf "$dir/c" "$dir/out" "$dir/copied"
}

# Ctrl-C: whole frames only, status 0.
test_interrupt() {
	local status=0 size

	daq set daqt0 --channel 0 --source counter --segment 4096 --frame 40960 --rate $((40960 / scale))
	daq capture daqt0 0="$dir/int" -q &
	wait_for 20 test -s "$dir/int"
	kill -TERM $!
	wait $! || status=$?
	size=$(stat -c %s "$dir/int")
	equal "interrupted: ends well" "$status" 0
	equal "interrupted: the file has whole frames" $((size % 40960)) 0
	check "interrupted: every byte is right" pattern "$dir/int"
	daq set daqt0 --channel 0 --source none
}

# play_and_compare NAME LENGTH FRAME SEGMENT [OPTION...]: outputs 4-7 to inputs 0-3.
play_and_compare() {
	local name=$1 length=$2 frame=$3 segment=$4 c status=0 bad=0

	shift 4
	for c in 0 1 2 3; do
		head -c "$length" /dev/urandom >"$dir/in$c"
		rm -f "$dir/out$c"
		daq set daqt0 --channel "$c" --source "loopback:$((c + 4))"
	done
	daq set daqt0 --channel all --sample-bytes 2 --frame "$frame" \
		--segment "$segment" --rate $((500000 / scale))
	daq capture daqt0 0="$dir/out0" 1="$dir/out1" 2="$dir/out2" 3="$dir/out3" \
		--until-last --quiet "$@" 2>"$dir/err" &
	wait_for 20 grep -q capturing "$dir/err"
	daq play daqt0 4="$dir/in0" 5="$dir/in1" 6="$dir/in2" 7="$dir/in3" --quiet "$@"
	result $? "$name: played"
	wait_for 30 eval "! kill -0 $! 2>/dev/null" || kill $!
	wait $! || status=$?
	equal "$name: captured" "$status" 0
	for c in 0 1 2 3; do
		cmp "$dir/in$c" "$dir/out$c" && continue
		bad=$((bad + 1))
		stat -c '# %n: %s bytes' "$dir/in$c" "$dir/out$c"
	done
	equal "$name: 4 files came back identical" "$bad" 0
	daq set daqt0 --channel all --source none
}

test_play() {
	play_and_compare "play" 983040 98304 61440
	play_and_compare "play, short tail" 1000002 98304 61440
	play_and_compare "play, small segments" 100002 10000 1000
	play_and_compare "play, copied" 200002 20480 10000 --copy
}

test_play_twice() {
	local status=0

	head -c 20480 /dev/urandom >"$dir/in0"
	daq set daqt0 --channel 0 --source loopback:4
	daq set daqt0 --channel all --frame 20480 --segment 4096 --rate $((50000 / scale))
	daq capture daqt0 0="$dir/out0" --until-last --quiet 2>"$dir/err" &
	wait_for 20 grep -q capturing "$dir/err"
	daq play daqt0 4="$dir/in0" --loop 3 --quiet
	wait $! || status=$?
	equal "play --loop: captured until the last" "$status" 0
	cat "$dir/in0" "$dir/in0" "$dir/in0" >"$dir/in1"
	check "play --loop 3: came back 3 times" cmp "$dir/in1" "$dir/out0"
	read_stats daqt0
	equal "play: nothing was refused by the card" "${stats[ch4_tx_bad]}" 0
}

begin
make_card daqt0 8
test_capture
test_interrupt
test_play
test_play_twice
finish
