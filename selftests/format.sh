#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Wrong input: each is refused with a message that names the cure, and changes nothing.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

set_refused() {
	local name=$1 status=$2 pattern=$3

	shift 3
	refused "set: $name" "$status" "$pattern" daq set daqt0 --channel 0 "$@"
}

test_set() {
	local before

	before=$(daq list daqt0)
	set_refused "rate 0" 2 "*--rate: '0' is not valid*" --rate 0
	set_refused "rate that is no number" 2 "*--rate: 'fast' is not valid*" --rate fast
	set_refused "rate above all limits" 1 "*rate of*is above*" --rate 18000000000G
	set_refused "sample of 3 bytes" 1 "*1, 2, 4 or 8 bytes, not 3*" --sample-bytes 3
	set_refused "segment of a part of a sample" 1 "*whole samples*" \
		--sample-bytes 4 --segment 4098
	set_refused "segment too long" 1 "*at most 69632 bytes, not 69634*" --segment 69634
	set_refused "segment of 0" 1 "*whole samples*not 0*" --segment 0
	set_refused "frame of a part of a sample" 1 "*whole samples*" \
		--sample-bytes 8 --segment 8 --frame 12
	set_refused "frame too long" 1 "*at most 67108864 bytes*" --frame 65M
	set_refused "line of 3 bytes" 1 "*multiple of 4*" --line 3
	on_bus || set_refused "a source that a software card has not" 1 \
		"*nothing can be connected to a software card*" --source external
	! on_bus || set_refused "a source that needs a software card" 1 \
		"*cables are for software cards*" --source cable
	set_refused "unknown source" 2 "*--source: 'noise' is not valid*" --source noise
	set_refused "loop-back of a missing output" 1 "*no such channel to loop back: 60 (daqt0 has 0-7)*" \
		--source loopback:60
	refused "set: channel 9 of 8" 1 "*no such channel: 9 (daqt0 has 0-7)*" \
		daq set daqt0 --channel 9 --source counter
	refused "set: channel 65" 2 "*--channel: '65' is not valid*" \
		daq set daqt0 --channel 65 --source counter
	refused "set: no channel" 2 "*name the channels: --channel LIST*" daq set daqt0 --rate 1
	refused "set: nothing to set" 2 "*nothing to change*" daq set daqt0 --channel 0
	equal "set: none of them has changed anything" "$(daq list daqt0)" "$before"
}

test_interfaces() {
	refused "no such interface" 1 "*nodaq0*" daq capture nodaq0
	refused "not a DAQ card" 1 "*not a DAQ card*" daq capture lo
	refused "set: not a DAQ card" 1 "*not a DAQ card*" daq set lo -c 0 -s counter
	refused "unknown command" 2 "*no such command: record*" daq record daqt0
	refused "unknown option" 2 "*--fast*" daq capture daqt0 --fast
}

test_capture() {
	refused "capture: no channel has a source" 1 "*has a source: daq set daqt0*" \
		daq capture daqt0
	refused "capture: this channel has no source" 1 "*channel 3*daq set daqt0 --channel 3*" \
		daq capture daqt0 --channel 3
	daq set daqt0 --channel 0-1 --source counter --frame 1M
	refused "capture: frame larger than the buffer" 1 "*raise the buffer size*" \
		daq capture daqt0 --channel 0 --buffer 1M
	refused "capture: folder that cannot be made" 1 "*cannot create /proc/no*" \
		daq capture daqt0 --channel 0 --output /proc/no
	refused "capture: disk full" 1 "*cannot write /dev/full: No space left*" \
		daq capture daqt0 0=/dev/full --frames 1
	ip link set daqt0 down
	refused "capture: link down" 1 "*daqt0 is down: ip link set daqt0 up*" \
		daq capture daqt0 --channel 0
	ip link set daqt0 up
	ip link set daqt0 mtu 1500
	daq set daqt0 --channel all --source none --frame 2048
}

test_play() {
	printf '%1000s' '' >"$dir/short"
	: >"$dir/empty"
	refused "play: file shorter than a frame" 1 \
		"*1000 bytes, less than one frame of 2048: daq set daqt0 --channel 1 --frame 1000*" \
		daq play daqt0 1="$dir/short"
	refused "play: empty file" 1 "*is empty*" daq play daqt0 1="$dir/empty"
	refused "play: no such file" 1 "*cannot open*No such file*" daq play daqt0 1="$dir/no"
	refused "play: a folder" 1 "*not a regular file*" daq play daqt0 1="$dir"
	refused "play: channel 9 of 8" 1 "*no such channel: 9*" daq play daqt0 9="$dir/short"
	refused "play: no file" 2 "*CHANNEL=FILE*" daq play daqt0
}

as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$@"
}

test_capabilities() {
	daq set daqt0 --channel 0 --source counter
	refused "not privileged: set" 1 "*CAP_NET_ADMIN*" \
		as_nobody daq set daqt0 --channel 0 --source none
	refused "not privileged: capture" 1 "*CAP_*" as_nobody daq capture daqt0 --channel 0
	matches "not privileged: list" "$(as_nobody daq list daqt0)" "*daqt0: 8 channels*"
	daq set daqt0 --channel 0 --source none
}


begin
make_card daqt0 8
test_set
test_interfaces
test_capture
test_play
test_capabilities
finish
