#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `daq verify` finds good data good, whatever the source, and tells of each byte that is
# not, and of what is missing: on running channels and in recordings.

# shellcheck disable=SC2317 # functions that only check calls
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

frame=65536

# Four channels, each with another signal and samples of another size.
start_sources() {
	daq set daqt0 --channel all --segment 16384 --frame "$frame" --line 1024 --sample-bytes 2
	daq set daqt0 --channel 0 --source counter --sample-bytes 8
	daq set daqt0 --channel 1 --source ramp --sample-bytes 1
	daq set daqt0 --channel 2 --source sine --sample-bytes 4
	daq set daqt0 --channel 3 --source bars
	daq set daqt0 --channel all --fps "$(scaled 10)"
}

# scaled N: as much less on a slow kernel, but not nothing.
scaled() {
	echo $(($1 > scale ? $1 / scale : 1))
}

test_channels() {
	daq verify daqt0 --frames 4 --json >"$dir/json"
	result $? 'channels: counter, ramp, sine and bars are right'
	check 'channels: JSON tells so of each' python3 - "$dir/json" <<-'PYTHON'
	import json, sys
	report = json.load(open(sys.argv[1]))
	assert report["good"], report
	signals = [c["signal"] for c in report["channels"]]
	assert signals == ["counter", "ramp", "sine", "bars"], signals
	for c in report["channels"]:
	    assert c["frames"] == 4 and c["bytes"] == 4 * 65536 and c["first_wrong"] is None, c
	    assert not c["gaps"] and not c["lost_frames"], c
	PYTHON
	refused 'channels: those that are another signal are found' 1 \
		'*channel 0: wrong from byte * of frame * on: 0x* instead of 0x*' \
		daq verify daqt0 -c 0 --source sine --frames 2
	matches 'channels: ends after a time' \
		"$(timeout $((30 * scale)) daq verify daqt0 -c 1,3 --duration 1 2>&1)" \
		'verifying 2 channels of daqt0*1 ramp *0*3 bars*'
}

test_loss() {
	local status=0 verify lost

	daq verify daqt0 -c 0 --json >"$dir/json" 2>"$dir/err" &
	verify=$!
	wait_for 20 grep -q verifying "$dir/err"
	sleep 1
	# Not what the queue lost when the socket was bound.
	read_stats daqt0
	lost=${stats[ch0_drop_no_buffer]}
	kill -STOP "$verify"
	wait_for 120 loses_since "$lost"
	kill -CONT "$verify"
	sleep $((2 * scale > 10 ? 10 : 2 * scale))
	kill -INT "$verify"
	wait "$verify" || status=$?
	equal 'loss: is a failure' "$status" 1
	check 'loss: is located, and all else is right' python3 - "$dir/json" <<-'PYTHON'
	import json, sys
	report = json.load(open(sys.argv[1]))
	channel, = report["channels"]
	print("#", channel)
	assert not report["good"] and channel["wrong_frames"] == 0
	gap = channel["gaps"][0]
	assert gap["samples"] == gap["frames"] * 65536 / 8 and gap["frames"] > 0
	assert channel["lost_segments"] > 0 and channel["gap_count"] >= 1
	PYTHON
}

loses_since() {
	read_stats daqt0
	[ "${stats[ch0_drop_no_buffer]}" -gt "$1" ]
}

# Files without a word of what they are, which is what other programs write.
record() {
	daq capture daqt0 0="$dir/counter" 1="$dir/ramp" 2="$dir/sine" 3="$dir/bars" \
		--frames 3 --quiet 2>/dev/null
	rm -f "$dir"/*.idx
}

# recognised SIGNAL SAMPLE-BYTES
recognised() {
	matches "recording: $1 is recognised" \
		"$(daq verify --from "$dir/$1" --frame $frame --sample-bytes "$2" --line 1024)" \
		"*? $1 * 3 * 196608 * 0 *"
}

# damage FILE BYTE: turn its bits over.
damage() {
	python3 - "$dir/$1" "$2" <<-'PYTHON'
	import sys
	with open(sys.argv[1], "r+b") as file:
	    file.seek(int(sys.argv[2]))
	    byte = file.read(1)[0]
	    file.seek(int(sys.argv[2]))
	    file.write(bytes([byte ^ 0xff]))
	PYTHON
}

test_recordings() {
	record
	recognised counter 8
	recognised ramp 1
	recognised sine 4
	recognised bars 2
	damage counter 100000
	refused 'recording: one wrong byte is found' 1 '*wrong from byte 34464 of frame * on*' \
		daq verify --from "$dir/counter" --frame "$frame" --sample-bytes 8
	damage bars 150000
	refused 'recording: one wrong byte of a picture, too' 1 '*wrong from byte 18928 of frame *' \
		daq verify --from "$dir/bars" --frame "$frame" --line 1024
	head -c "$frame" /dev/urandom >"$dir/noise"
	matches 'recording: noise can be anything' \
		"$(daq verify --from "$dir/noise" --frame "$frame")" '*? any * 1 * 65536 * 0 *'
	refused 'recording: but no test signal' 1 '*wrong from byte *' \
		daq verify --from "$dir/noise" --frame "$frame" --source counter
}

# Files that tell what they are, and which part of the signal.
test_descriptions() {
	daq capture daqt0 0="$dir/described.raw" --frames 3 --quiet 2>/dev/null
	matches 'recording: with an index' "$(daq verify --from "$dir/described.raw" 2>&1)" \
		'*? counter * 3 * 196608 * 0 *'
	sed -i 's/"sample": [0-9]*/"sample": 8/' "$dir/described.raw.idx"
	refused 'recording: with an index that is wrong' 1 '*wrong from byte 0 of frame *' \
		daq verify --from "$dir/described.raw"
	daq capture daqt0 -c 1,3 -o "$dir/two.pcapng" --frames 3 --quiet 2>/dev/null
	matches 'recording: one of two channels in pcapng' \
		"$(daq verify --from "$dir/two.pcapng:3" 2>&1)" '*3 bars * 3 * 196608 * 0 *'
	matches 'recording: both of them' "$(daq verify --from "$dir/two.pcapng" 2>&1)" \
		'*1 ramp * 3 * 196608 * 0 *3 bars * 3 * 196608 * 0 *'
	refused 'recording: a channel that it has not' 1 '*2 channels, but not 2*' \
		daq verify --from "$dir/two.pcapng" -c 1,2
}

test_refusals() {
	daq set daqt0 --channel all --source none
	refused 'no channel with a signal' 1 '*no channel of daqt0 has a test signal*daq set*' \
		daq verify daqt0 --frames 1
	refused 'a channel without a signal' 1 '*channel 2 of daqt0 has source none*--source*' \
		daq verify daqt0 -c 2 --frames 1
	refused 'no such file' 1 '*nothing*' daq verify --from "$dir/nothing"
	refused 'nothing to verify' 2 '*name one interface*' daq verify
	refused 'a source that can be anything' 2 "*--source: 'cable' is not valid*" \
		daq verify daqt0 --source cable
}

begin
make_card daqt0 4
start_sources
test_channels
test_loss
test_recordings
test_descriptions
test_refusals
finish
