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

driver=/sys/bus/pci/drivers/daq
ports=/dev/virtio-ports
files=/repo/build/external

# tell CARD COMMAND: to the process that plays card number CARD; its answer is in
# the array answer.
tell() {
	local line port

	answer=()
	exec {port}<>"$ports/card$1"
	echo "$2" >&"$port"
	while read -r -t 20 line <&"$port"; do
		answer+=("$line")
		case $line in
		ok | error:*) break ;;
		esac
	done
	exec {port}>&-
	[ "$line" = ok ]
}

# told WORD NAME: what the answer's first line that begins so says about NAME.
told() {
	local line

	for line in "${answer[@]}"; do
		[[ $line == "$1 "* ]] || continue
		line=${line#* "$2"=}
		echo "${line%% *}"
		return
	done
}

# capture NUMBER: both inputs of a card, from their beginnings to their ends.
capture() {
	local status=0 job

	rm -f "$dir"/[01]
	daq capture "${names[$1]}" --until-last --quiet --duration $((120 * scale)) \
		--json "$dir/json" 0="$dir/0" 1="$dir/1" 2>"$dir/log" &
	job=$!
	wait_for 20 grep -q capturing "$dir/log" && tell "$1" go || status=1
	wait "$job" || status=1
	[ "$status" -eq 0 ] || quote "$(<"$dir/log")"
	return "$status"
}

member() {
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$dir/json" | head -n 1
}

test_files() {
	local i=$1 kind=$2 name=${names[$1]} maps

	matches "$kind: is that" "$(daq card "$name")" "*$kind"
	check "$kind: comes up" use "$name"
	tell "$i" report
	maps=$(told total dma_map)
	check "$kind: a capture of both files" capture "$i"
	check "$kind: input 0 byte for byte" cmp "$files/in0" "$dir/0"
	check "$kind: input 1 byte for byte" cmp "$files/in1" "$dir/1"
	equal "$kind: nothing is lost" "$(member lost_segments)" 0
	check "$kind: the card reports" tell "$i" report
	read_stats "$name"
	equal "$kind: both sides count the same segments" "$(told 'channel id=0' produced)" \
		"${stats[ch0_produced]}"
	equal "$kind: no window of memory was made for them" "$(told total dma_map)" "$maps"
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

	tell 0 hold
	tell 0 'rewind 0'
	tell 0 'rewind 1'
	check "drop: segments get lost" tell 0 'fault drop:0=0.05'
	capture 0
	tell 0 'fault none'
	tell 0 report
	check "drop: some are lost" [ "$(told 'faults kind=drop' count)" -gt 0 ]
	equal "drop: as many as the card says are missing" "$(member lost_segments)" \
		"$(told 'faults kind=drop' count)"
	check "drop: the other channel has lost none" cmp "$files/in1" "$dir/1"
}

mapfile -t addresses < <(
	for device in /sys/bus/pci/devices/*; do
		[ "$(<"$device/vendor")" != 0xdac0 ] || basename "$device"
	done
)

begin
if [ "${#addresses[@]}" -lt 3 ] || [ ! -e "$files/in0" ]; then
	echo "1..0 # SKIP three emulated cards with files are needed"
	exit 0
fi
modprobe daq
wait_for 10 test -d "$driver/${addresses[2]}/net"
for address in "${addresses[@]}"; do
	names+=("$(basename "$driver/$address/net/"*)")
done
test_files 0 interrupt
test_files 1 polled
test_files 2 kicked
test_output
test_drops
finish
