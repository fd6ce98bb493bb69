#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Pictures of 1920x1080 through emulated cards, one of each personality, on eight
# channels at once: from files of the host, build/frames/in0 to in7, to files of the
# guest. VM_CARDS of frame_cards in run.sh describes the cards. And what it takes:
# interrupts, looks, and processor time when nothing comes.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"
# shellcheck source-path=SCRIPTDIR source=video-lib.sh
. "$(dirname "$0")/video-lib.sh"

files=/repo/build/frames
channels=8
# A byte for each pixel; 16 lines are a segment.
line=1920
segments=$(((1080 + 15) / 16))
frames=4

# set_up CARD: two frames per second, for guests are slow to write files; and that a host
# keeps the card waiting for seconds makes no interrupt.
set_up() {
	daq set "$1" --channel all --source external --sample-bytes 1 --line "$line" \
		--segment $((16 * line)) --frame $((1080 * line)) \
		--rate $((2 * 1080 * line / scale)) &&
		ethtool -C "$1" rx-frames 1 rx-usecs $((20000000 * scale)) &&
		ip link set "$1" up && wait_for_carrier "$1"
}

# begin_capture CARD: all inputs to files; it is the process $capture. There is memory
# for all of it, lest a card tell early that buffers run low.
begin_capture() {
	local i outputs=()

	for ((i = 0; i < channels; i++)); do
		outputs+=("$i=$dir/$i")
	done
	: >"$dir/log"
	daq capture "$1" "${outputs[@]}" --until-last --quiet --zero-copy --buffer 24M \
		--duration $((120 * scale)) --json "$dir/json" 2>"$dir/log" &
	capture=$!
	wait_for 60 grep -q capturing "$dir/log"
}

same_files() {
	local i status=0

	for ((i = 0; i < channels; i++)); do
		cmp "$files/in$i" "$dir/$i" || status=1
	done
	return "$status"
}

# test_frames NUMBER KIND
test_frames() {
	local i=$1 kind=$2 name=${names[$1]} irqs polls maps raised produced

	check "$kind: comes up" set_up "$name"
	check "$kind: eight channels are captured" begin_capture "$name"
	read_stats "$name"
	irqs=$(total irqs) polls=$(total polls)
	command_card "$i" report
	maps=$(answer_of total dma_map) raised=$(answer_total interrupts)
	produced=$(answer_total produced)
	check "$kind: the inputs begin" command_card "$i" go
	check "$kind: all of them to their ends" wait "$capture"
	[ ! -s "$dir/log" ] || quote "$(<"$dir/log")"
	read_stats "$name"
	command_card "$i" report
	check "$kind: byte for byte" same_files
	equal "$kind: nothing is lost" "$(member lost_segments "$dir/json")" 0
	equal "$kind: every segment has been produced" \
		$(($(answer_total produced) - produced)) $((channels * frames * segments))
	equal "$kind: and both sides count the same" "$(answer_total produced)" \
		"$(total produced)"
	equal "$kind: no window of memory was made for them" "$(answer_of total dma_map)" "$maps"
	irqs=$(($(total irqs) - irqs)) polls=$(($(total polls) - polls))
	raised=$(($(answer_total interrupts) - raised))
	echo "# $kind: $((channels * frames)) frames, $irqs interrupts, $raised raised, $polls polls"
	if [ "$kind" = interrupt ]; then
		check "$kind: at most one interrupt per frame" \
			[ "$irqs" -le $((channels * frames)) ]
		check "$kind: nor has the card made more" \
			[ "$raised" -le $((channels * frames)) ]
	else
		equal "$kind: no interrupt" "$irqs $raised" "0 0"
	fi
	rm "$dir"/[0-9]
}

period_is_longest() {
	[ "$(setting "$1" stats-block-usecs)" = "$(setting "$1" rx-usecs-low)" ]
}

# generate CARD FRAMES: so many of a segment each per second, on channel 0.
generate() {
	daq set "$1" --channel 0 --source counter --sample-bytes 8 --segment 4096 \
		--frame 4096 --rate $((512 * $2 / scale))
}

# test_period NUMBER KIND HUNDREDTHS: how often the card is looked at, and that it costs
# no more than that when it has nothing, see idle_costs.
test_period() {
	local name=${names[$1]} longest period

	longest=$(setting "$name" rx-usecs-low)
	check "$2: an idle card is looked at seldom" wait_for 20 period_is_longest "$name"
	check "$2: which costs little" idle_costs "$name" "$3"
	generate "$name" 500
	sleep 1
	period=$(setting "$name" stats-block-usecs)
	check "$2: a busy one often ($period us)" [ "$period" -lt "$longest" ]
	daq set "$name" --channel 0 --source none
	check "$2: and seldom again" wait_for 20 period_is_longest "$name"
}

begin
if ! find_three || [ ! -e "$files/in0" ]; then
	skip_file "three emulated cards with files are needed"
fi
test_frames 0 interrupt
ip link set "${names[0]}" down
test_frames 1 polled
# A tenth of that where the host has nothing else to do.
test_period 1 polled 30
ip link set "${names[1]}" down
test_frames 2 kicked
# Each look has to wait for another process.
test_period 2 kicked 300
finish
