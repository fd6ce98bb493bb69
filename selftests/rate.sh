#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# How much emulated cards carry: eight channels of video into the guest at once,
# zero copy, by a card of each personality. VM_CARDS of frame_cards in run.sh
# describes them. Speed depends on who else uses the host, so each card has three
# tries to lose nothing; that both sides count the same has to hold in every one.
#
#   RATE=           of all channels together, MB/s (350)
#   RATE_SECONDS=   how long (10)
#   RATE_FRAMES=    what the memory of a channel has room for (7)
#   RATE_TRIES=     (3)

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"
# shellcheck source-path=SCRIPTDIR source=video-lib.sh
. "$(dirname "$0")/video-lib.sh"

# 1920x1080 with two bytes each, 16 lines are a segment: 67 and a half of them.
line=3840
segment=$((16 * line))
frame=$((1080 * line))
# Of 4096 bytes: 15 for each segment, 8 for the half one, and one for each header.
frame_chunks=$((67 * 16 + 9))
channels=8

rate=$((${RATE:-350} * 1000000 / scale))
seconds=${RATE_SECONDS:-10}
frames=${RATE_FRAMES:-7}
tries=${RATE_TRIES:-3}
kinds=(interrupt polled kicked)
declare -A stock

# set_up CARD
set_up() {
	ip link set "$1" down
	ethtool -G "$1" rx 8192 &&
		ethtool -C "$1" rx-frames 1 rx-usecs 500000 &&
		daq set "$1" --channel all --source external --sample-bytes 2 \
			--line "$line" --segment "$segment" --frame "$frame" \
			--rate $((rate / channels / 2)) &&
		ip link set "$1" up && wait_for_carrier "$1"
}

# begin_capture CARD FRAMES: into memory for so many; it is the process $capture.
begin_capture() {
	: >"$dir/log"
	daq capture "$1" --channel all --quiet --allow-loss --zero-copy \
		--buffer $(($2 * frame_chunks * 4096)) --json "$dir/json" 2>"$dir/log" &
	capture=$!
	wait_for 60 grep -q capturing "$dir/log"
}

# take_stock NUMBER WHEN: what card, driver and guest have counted by then, in the
# array stock.
take_stock() {
	local user nice system idle iowait irq softirq name

	read -r _ user nice system idle iowait irq softirq _ </proc/stat
	stock[$2,user]=$((user + nice))
	stock[$2,system]=$((system + irq))
	stock[$2,softirq]=$softirq
	stock[$2,idle]=$((idle + iowait))
	command_card "$1" report
	stock[$2,time]=$(answer_of total time)
	stock[$2,cpu]=$(answer_of total cpu)
	for name in produced bytes_in no_buffer fifo_overrun interrupts; do
		stock[$2,$name]=$(answer_total "$name")
	done
	read_stats "${names[$1]}"
	for name in irqs polls flushes socket drop_no_buffer drop_fifo_overrun; do
		stock[$2,$name]=$(total "$name")
	done
}

# grown NAME FROM TO: by how much, between two takings of stock.
grown() {
	echo $((stock[$3,$1] - stock[$2,$1]))
}

# per_second NAME DIVISOR: while it was measured, with two decimals.
per_second() {
	local n

	n=$(($(grown "$1" begun ended) * 100000 / ($(grown time begun ended) / 1000000) / $2))
	printf '%d.%02d' $((n / 100)) $((n % 100))
}

# extreme NAME: the least of all channels or, of fifo_most, the most.
extreme() {
	local line value found=''

	for line in "${answer[@]}"; do
		[[ $line == "channel "* ]] || continue
		line=${line#* "$1"=}
		value=${line%% *}
		if [ "$1" = fifo_most ]; then
			[ "$value" -lt "${found:-0}" ] || found=$value
		else
			[ "$value" -gt "${found:-$value}" ] || found=$value
		fi
	done
	echo "$found"
}

# What it was like; left and fifo_most are the extremes.
show() {
	local chunks=$((frames * frame_chunks)) used

	used=$((chunks - left))
	echo "# $1: $(per_second bytes_in 1000000) MB/s for" \
		"$(($(grown time begun ended) / 1000000)) ms," \
		"$(grown produced begun ended) segments"
	echo "# $1: lost $(grown no_buffer first last) without buffer," \
		"$(grown fifo_overrun first last) in the FIFO;" \
		"buffers used at most $used of $chunks," \
		"or $((used * frame * 1000 / frame_chunks / (rate / channels))) ms;" \
		"FIFO at most $fifo_most"
	echo "# $1: per second: interrupts $(per_second irqs 1)," \
		"raised $(per_second interrupts 1), polls $(per_second polls 1)," \
		"flushes $(per_second flushes 1)"
	echo "# $1: processors: user $(per_second user 100), system $(per_second system 100)," \
		"softirq $(per_second softirq 100), idle $(per_second idle 100);" \
		"card's process $(per_second cpu 1000000000)"
}

# Segments that were lost, as the card tells.
lost() {
	echo $(($(grown no_buffer first last) + $(grown fifo_overrun first last)))
}

# All that the card has produced is accounted for.
has_settled() {
	take_stock "$1" last
	[ "$(grown produced first last)" -eq $(($(grown socket first last) + $(lost))) ]
}

# run NUMBER: one try, of which stock is taken at first, when it has begun, ended,
# and at last. Fails if it cannot be carried out.
run() {
	begin_capture "${names[$1]}" "$frames" || return
	take_stock "$1" first
	command_card "$1" go || return
	sleep 1
	take_stock "$1" begun
	sleep "$seconds"
	take_stock "$1" ended
	left=$(extreme buffers_left)
	fifo_most=$(extreme fifo_most)
	command_card "$1" hold || return
	wait_for 10 has_settled "$1"
	kill -TERM "$capture"
	wait "$capture"
}

same_counts() {
	has_settled "$1" && [ "$(grown produced first last)" -gt 0 ] &&
		[ "$(grown no_buffer first last)" -eq "$(grown drop_no_buffer first last)" ] &&
		[ "$(grown fifo_overrun first last)" -eq \
			"$(grown drop_fifo_overrun first last)" ] && return
	echo "# $(declare -p stock)"
	return 1
}

# A card that had to wait for its host took samples later: that was not the rate.
is_fast() {
	[ $(($(grown bytes_in begun ended) * 1000 / ($(grown time begun ended) / 1000000))) -ge \
		$((rate * 98 / 100)) ]
}

test_rate() {
	local i=$1 kind=$2 try same=0

	for ((try = 1; try <= tries; try++)); do
		if ! run "$i"; then
			quote "$(<"$dir/log")"
			result 1 "$kind: a capture of all channels"
			return
		fi
		show "$kind"
		same_counts "$i" || same=1
		[ "$(lost)" -ne 0 ] || ! is_fast || break
	done
	result "$same" "$kind: both sides count the same segments, lost ones too"
	equal "$kind: nothing is lost in one of $tries tries" "$(lost)" 0
	equal "$kind: nor do the headers tell of a loss" "$(member lost_segments "$dir/json")" 0
	check "$kind: at $((rate / 1000000)) MB/s" is_fast
	if [ "$kind" = interrupt ]; then
		check "$kind: at most one interrupt per frame" \
			[ "$(grown irqs first last)" -le $(($(grown produced first last) / 67)) ]
	else
		equal "$kind: no interrupt" "$(grown interrupts first last)" 0
	fi
}

# That all this can fail: memory for three frames, and nobody who takes them for a
# second.
test_short() {
	local i=$1 kind=$2 missing

	begin_capture "${names[i]}" 3
	take_stock "$i" first
	command_card "$i" go
	sleep 1
	kill -STOP "$capture"
	sleep $((1 + scale))
	kill -CONT "$capture"
	sleep $((1 + scale))
	# The frame after the loss has to be whole to tell of it.
	command_card "$i" hold
	wait_for 10 has_settled "$i"
	kill -TERM "$capture"
	wait "$capture"
	missing=$(grown no_buffer first last)
	check "$kind: too little memory shows ($missing segments)" [ "$missing" -gt 100 ]
	check "$kind: both sides count that the same" same_counts "$i"
	equal "$kind: and the headers tell of every one" \
		"$(member lost_segments "$dir/json")" "$(lost)"
}

begin
if ! find_three; then
	skip_file "three emulated cards with files are needed"
fi
for i in "${!kinds[@]}"; do
	kind=${kinds[i]}
	matches "$kind: is that" "$(daq card "${names[i]}")" "*$kind"
	check "$kind: comes up" set_up "${names[i]}"
	test_rate "$i" "$kind"
	[ "$kind" != interrupt ] || test_short "$i" "$kind"
	ip link set "${names[i]}" down
done
finish
