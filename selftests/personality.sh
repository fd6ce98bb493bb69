#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Cards of the three kinds: those that interrupt, those that are looked at now and
# then, and those of which every transaction has to be started. A software card
# becomes what it is told to be; on the bus there has to be one of each.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

card=daqt0

# be KIND: the card is of that kind from now on.
be() {
	if on_bus; then
		remove_card "$card" && make_card "$card" 4 "$1"
		return
	fi
	ip link set "$card" down
	daq card "$card" --personality "$1" && ip link set "$card" up &&
		wait_for_carrier "$card"
}

# setting NAME: what ethtool -c shows, as a number.
setting() {
	ethtool -c "$card" | sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p"
}

# Whether the timer of a card is going to fire.
timer_runs() {
	grep -q daq_timer_fires /proc/timer_list
}

no_timer_runs() {
	! timer_runs
}

period_is_longest() {
	[ "$(setting stats-block-usecs)" = "$(setting rx-usecs-low)" ]
}

test_change() {
	matches "a card is made as one that interrupts" "$(daq card "$card")" \
		"$card: 4 channels, interrupt"
	refused "not while it is up" 1 "*changes while $card is down only*" \
		daq card "$card" --personality polled
	refused "a kind that there is not" 2 "*--personality: 'lazy' is not valid*" \
		daq card "$card" --personality lazy
}

test_kinds() {
	refused "nothing to set on a card that interrupts" 1 "*this card interrupts*" \
		ethtool -C "$card" rx-usecs-high 50
	for kind in polled kicked interrupt; do
		check "$kind: can be had" be "$kind"
		matches "$kind: is told" "$(daq card "$card")" "*, $kind"
		matches "$kind: and listed" "$(daq list "$card")" "*4 channels, up, $kind*"
	done
}

# Slow enough for the FIFO of a kicked card to outlast a busy host.
test_capture() {
	local kind=$1 irqs dropped

	be "$kind"
	daq set "$card" --channel all --source counter --sample-bytes 8 \
		--segment 4096 --frame 20480 --rate $((512 * 40 / scale))
	read_stats "$card"
	irqs=$(total irqs)
	dropped=$(total drop_fifo_overrun)
	check "$kind: four channels, whole" timeout $((60 * scale)) \
		daq capture "$card" --channel all --frames 20 --quiet --json "$dir/$kind"
	equal "$kind: nothing lost" "$(member lost_segments "$dir/$kind")" 0
	read_stats "$card"
	# A kicked card may have lost some before and behind it, while the host was busy.
	[ "$kind" = kicked ] || equal "$kind: nor counted so" \
		$(($(total drop_fifo_overrun) - dropped)) 0
	irqs=$(($(total irqs) - irqs))
	if [ "$kind" = interrupt ]; then
		check "$kind: interrupts" [ "$irqs" -gt 0 ]
	else
		equal "$kind: no interrupts" "$irqs" 0
	fi
}

# test_period KIND HUNDREDTHS: how often the card is looked at, and that it costs no more
# than that when it has nothing, see idle_costs.
test_period() {
	local kind=$1 most=$2 busy

	be "$kind"
	daq set "$card" --channel all --source none
	matches "$kind: it adapts" "$(ethtool -c "$card")" "*Adaptive RX: on*"
	check "$kind: an idle card is looked at seldom" wait_for 20 period_is_longest
	check "$kind: by a timer" timer_runs
	check "$kind: which costs little" idle_costs "$card" "$most"
	ip link set "$card" down
	check "$kind: there is none while it is down" no_timer_runs
	ip link set "$card" up
	daq set "$card" --channel 0 --source counter --sample-bytes 8 --segment 4096 \
		--frame 4096 --rate $((512 * 500 / scale))
	sleep 1
	busy=$(setting stats-block-usecs)
	check "$kind: a busy one often ($busy us)" \
		[ "$busy" -lt "$(setting rx-usecs-low)" ]
	daq set "$card" --channel 0 --source none
	check "$kind: and seldom again" wait_for 20 period_is_longest
	refused "$kind: bounds the wrong way round" 1 "*is above rx-usecs-low*" \
		ethtool -C "$card" rx-usecs-high 2000 rx-usecs-low 1000
	refused "$kind: not too often" 1 "*rx-usecs-high: give 10 to*" \
		ethtool -C "$card" rx-usecs-high 1
	check "$kind: the time can be fixed" \
		ethtool -C "$card" adaptive-rx off stats-block-usecs 1500
	equal "$kind: and is what was given" "$(setting stats-block-usecs)" 1500
}

# A card that is not kicked in time loses segments, tells how many, and where.
test_overrun() {
	local capture fifo

	be kicked
	daq set "$card" --channel 1 --source counter --sample-bytes 8 --segment 4096 \
		--frame 4096 --rate $((512 * 40 / scale))
	read_stats "$card"
	fifo=${stats[ch1_drop_fifo_overrun]}
	timeout $((60 * scale)) daq capture "$card" --channel 1 --quiet --allow-loss \
		--duration $((8 * scale)) --json "$dir/overrun" 2>"$dir/capture" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/capture"
	sleep 1
	ethtool -C "$card" adaptive-rx off rx-usecs-low 500000 stats-block-usecs 500000
	sleep $((4 * scale))
	# What is lost without anything behind it is told by a notice.
	daq set "$card" --channel 1 --source none
	check "overrun: a capture of it" wait "$capture"
	read_stats "$card"
	fifo=$((stats[ch1_drop_fifo_overrun] - fifo))
	check "overrun: there was one ($fifo segments)" [ "$fifo" -gt 50 ]
	equal "overrun: the headers tell of every segment" \
		"$(member lost_segments "$dir/overrun")" "$fifo"
	ip link set "$card" down
	read_stats "$card"
	equal "overrun: every segment is accounted for" "${stats[ch1_produced]}" \
		$((stats[ch1_socket] + stats[ch1_stack] + stats[ch1_drop_fifo_overrun] +
			stats[ch1_drop_no_buffer] + stats[ch1_drop_stopped]))
}

begin
make_card "$card" 4 interrupt
on_bus || test_change
test_kinds
for kind in interrupt polled kicked; do
	test_capture "$kind"
done
test_period polled 30
# Looked at five times as often, and on the bus each look waits for another process.
if on_bus; then test_period kicked 300; else test_period kicked 100; fi
test_overrun
finish
