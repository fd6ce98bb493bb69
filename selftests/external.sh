#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Real data through emulated cards: three of them, one of each personality, which
# VM_CARDS of external_cards in run.sh describes. Their inputs are files of the
# host, build/external/in0 and in1, output 1 of the first is a file, too. What
# arrives has to be what was sent, and both sides have to tell the same story.

# shellcheck disable=SC2317 # functions that only check calls
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"

files=/repo/build/external

# capture NUMBER: both inputs of a card, from their beginnings to their ends.
capture() {
	local status=0 job

	rm -f "$dir"/[01]
	daq capture "${names[$1]}" --until-last --quiet --duration $((120 * scale)) \
		--json "$dir/json" 0="$dir/0" 1="$dir/1" 2>"$dir/log" &
	job=$!
	wait_for 20 grep -q capturing "$dir/log" && command_card "$1" go || status=1
	wait "$job" || status=1
	[ "$status" -eq 0 ] || quote "$(<"$dir/log")"
	return "$status"
}

test_files() {
	local i=$1 kind=$2 name=${names[$1]} maps

	matches "$kind: is that" "$(daq card "$name")" "*$kind"
	check "$kind: comes up" use "$name"
	command_card "$i" report
	maps=$(answer_of total dma_map)
	check "$kind: a capture of both files" capture "$i"
	check "$kind: input 0 byte for byte" cmp "$files/in0" "$dir/0"
	check "$kind: input 1 byte for byte" cmp "$files/in1" "$dir/1"
	equal "$kind: nothing is lost" "$(member lost_segments "$dir/json")" 0
	check "$kind: the card reports" command_card "$i" report
	read_stats "$name"
	equal "$kind: both sides count the same segments" "$(answer_of 'channel id=0' produced)" \
		"${stats[ch0_produced]}"
	equal "$kind: no window of memory was made for them" "$(answer_of total dma_map)" "$maps"
}

use() {
	daq set "$1" --channel 0,1 --source external --sample-bytes 2 --segment 60k \
		--frame 240k --rate $((4000000 / scale)) &&
		ip link set "$1" up && wait_for_carrier "$1"
}

# What a channel of the first card plays is a file of the host.
test_output() {
	local name=${names[0]}

	daq set "$name" --channel 2 --sample-bytes 2 --segment 16k --frame 64k --rate 4M
	check "output: a file is played" daq play "$name" --quiet 2="$files/in0"
	check "output: and arrives byte for byte" wait_for 10 cmp -s "$files/in0" "$files/out"
}

# Each fault has to show, and as often as the card says.
test_drops() {
	local name=${names[0]}

	command_card 0 hold
	command_card 0 'rewind 0'
	command_card 0 'rewind 1'
	check "drop: segments get lost" command_card 0 'fault drop:0=0.05'
	capture 0
	command_card 0 'fault none'
	command_card 0 report
	check "drop: some are lost" [ "$(answer_of 'faults kind=drop' count)" -gt 0 ]
	equal "drop: as many as the card says are missing" "$(member lost_segments "$dir/json")" \
		"$(answer_of 'faults kind=drop' count)"
	check "drop: the other channel has lost none" cmp "$files/in1" "$dir/1"
}

find_cards
begin
if [ "${#addresses[@]}" -lt 3 ] || [ ! -e "$files/in0" ]; then
	skip_file "three emulated cards with files are needed"
fi
modprobe daq
wait_for 10 test -d "$driver/${addresses[2]}/net"
for address in "${addresses[@]}"; do
	interface "$address"
	names+=("$ifname")
done
test_files 0 interrupt
test_files 1 polled
test_files 2 kicked
test_output
test_drops
finish
