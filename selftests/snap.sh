#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The pictures of `daq snap` show what the card saw: judged by another program's decoder.

# shellcheck disable=SC2317 # functions that only check calls
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# For people to look at: SNAP_DIR=build/snap.
pictures=${SNAP_DIR:-$dir}
mkdir -p "$pictures"

# decode PICTURE FORMAT
decode() {
	ffmpeg -v error -y -i "$pictures/$1" -f rawvideo -pix_fmt "$2" "$dir/pixels" </dev/null
}

# scaled N: as much less on a slow kernel, but not nothing.
scaled() {
	echo $(($1 > scale ? $1 / scale : 1))
}

test_bars() {
	daq set daqt0 --channel 0 --source bars --sample-bytes 2 --line 1280 --segment 61440 \
		--frame 460800 --fps "$(scaled 4)"
	daq snap daqt0 -c 0 -o "$pictures/bars.png" --json >"$dir/json"
	result $? 'bars: a picture'
	check 'bars: is decoded' decode bars.png rgb24
	check 'bars: has the eight colours where they were in that frame' \
		python3 - "$dir/pixels" "$dir/json" <<-'PYTHON'
	import json, sys
	pixels, snap = open(sys.argv[1], "rb").read(), json.load(open(sys.argv[2]))
	width, height = snap["width"], snap["height"]
	assert (width, height, snap["view"]) == (640, 360, "picture"), snap
	assert len(pixels) == 3 * width * height
	bars = [(255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0),
	        (255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)]
	for y in (0, height // 2, height - 1):
	    for x in range(width):
	        at = 3 * (y * width + x)
	        bar = bars[min((x // 2 + snap["frame"]) % 320 // 40, 7)]
	        seen = pixels[at:at + 3]
	        assert all(abs(a - b) <= 3 for a, b in zip(seen, bar)), (x, y, tuple(seen), bar)
	PYTHON
	matches 'bars: says what it did' "$(daq snap daqt0 -c 0 -o "$pictures/bars.png")" \
		"$pictures/bars.png: 640 x 360, frame *"
	daq set daqt0 --channel 0 --source none
}

# curve LEFT TOP RIGHT BOTTOM: it goes from side to side there, and most of the way up.
curve() {
	python3 - "$dir/pixels" "$@" <<-'PYTHON'
	import sys
	pixels = open(sys.argv[1], "rb").read()
	left, top, right, bottom = map(int, sys.argv[2:6])
	colour, seen = bytes((0x17, 0x63, 0xb6)), {}
	for y in range(top, bottom):
	    line = pixels[3 * (y * 1280 + left):3 * (y * 1280 + right)]
	    if colour in line:
	        seen[y] = (line.find(colour) // 3, line.rfind(colour) // 3)
	first, last = min(s[0] for s in seen.values()), max(s[1] for s in seen.values())
	print("# rows", min(seen), "to", max(seen), "columns", left + first, "to", left + last)
	assert first < 10 and last > right - left - 10
	assert max(seen) - min(seen) > 0.8 * (bottom - top)
	PYTHON
}

test_sine() {
	daq set daqt0 --channel 1 --source sine --sample-bytes 2 --segment 8192 --frame 8192 \
		--rate $((48000 / scale))
	daq snap daqt0 -c 1 -o "$pictures/sine.png" --json >"$dir/json"
	result $? 'sine: plots'
	check 'sine: the spectrum has its peak at a 256th of the rate, with 0 dBFS' \
		python3 - "$dir/json" $((48000 / scale)) <<-'PYTHON'
	import json, sys
	snap, rate = json.load(open(sys.argv[1])), int(sys.argv[2])
	print("#", snap)
	assert snap["view"] == "samples" and (snap["width"], snap["height"]) == (1280, 720)
	assert abs(snap["peak_hz"] - rate / 256) < rate / 4096 / 20
	assert abs(snap["peak_dbfs"]) < 0.1
	assert (snap["minimum"], snap["maximum"]) == (-32767, 32767) and abs(snap["mean"]) < 1
	PYTHON
	check 'sine: is decoded' decode sine.png rgb24
	check 'sine: the waveform fills its plot' curve 102 68 1245 308
	check 'sine: the spectrum fills its plot' curve 102 428 1245 668
	daq snap daqt0 -c 1 --samples 64 --view waveform -o "$pictures/wave.png" >/dev/null
	result $? 'sine: a few samples'
	daq snap daqt0 -c 1 --view spectrum -o "$pictures/spectrum.png" >/dev/null
	result $? 'sine: only the spectrum'
	daq set daqt0 --channel 1 --source none
}

# The values of a ramp are known.
test_grey() {
	daq set daqt0 --channel 2 --source ramp --sample-bytes 2 --segment 32768 --frame 32768 \
		--line 256 --rate $((32768 / scale))
	daq snap daqt0 -c 2 --pixel grey16 -o "$pictures/grey16.png" --json >"$dir/json"
	result $? 'grey: 16 bits'
	check 'grey: is decoded' decode grey16.png gray16le
	check 'grey: each pixel is the sample' python3 - "$dir/pixels" "$dir/json" <<-'PYTHON'
	import json, struct, sys
	data, snap = open(sys.argv[1], "rb").read(), json.load(open(sys.argv[2]))
	assert (snap["width"], snap["height"]) == (128, 128), snap
	seen = struct.unpack("<%dH" % (len(data) // 2), data)
	assert seen == tuple((snap["sample"] + i) & 0xffff for i in range(128 * 128))
	PYTHON
	daq capture daqt0 2="$dir/ramp" --frames 2 --quiet 2>/dev/null
	daq snap --from "$dir/ramp" --skip 1 --frame 32768 --pixel grey8 --line 256 \
		-o "$pictures/grey8.png" --json >"$dir/json"
	result $? 'grey: 8 bits, of a recording'
	check 'grey: is decoded' decode grey8.png gray
	check 'grey: is the second frame' cmp "$dir/pixels" <(tail -c 32768 "$dir/ramp")
	equal 'grey: to a pipe' "$(daq snap --from "$dir/ramp" --frame 32768 --pixel grey8 \
		--line 256 -o - 2>/dev/null | head -c 4 | tail -c 3)" PNG
}

test_refusals() {
	local capture

	daq capture daqt0 -c 2 --quiet --duration 60 --allow-loss 2>"$dir/log" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/log"
	refused 'a channel that somebody owns' 1 '*another*' \
		daq snap daqt0 -c 2 -o "$dir/none.png"
	kill -INT "$capture"
	wait "$capture"
	refused 'a channel without a source' 1 '*channel 3 of daqt0 has no source: daq set*' \
		daq snap daqt0 -c 3 -o "$dir/none.png"
	refused 'no such channel' 1 '*no such channel: 9*' daq snap daqt0 -c 9
	refused 'a place that is none' 1 '*cannot open */nowhere/x.png*' \
		daq snap daqt0 -c 2 -o "$dir/nowhere/x.png"
	refused 'lines that are no picture' 1 '*a line of 250 bytes is no picture*' \
		daq snap daqt0 -c 2 --pixel yuyv --line 250 -o "$dir/none.png"
	refused 'which channel?' 2 '*name the channel*' daq snap daqt0
	daq set daqt0 --channel 2 --source loopback:3
	refused 'a channel of which nothing comes' 1 '*no frame came from channel 2*' \
		daq snap daqt0 -c 2 -o "$dir/none.png"
	check 'no picture is left of those' test ! -e "$dir/none.png"
}

begin
make_card daqt0 4
test_bars
test_sine
test_grey
test_refusals
finish
