#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `daq top` shows of a running card is what it does; cards may come and go. What
# `daq counters` shows is what ethtool does, and `daq events` ends with its card.

# shellcheck disable=SC2317 # functions that only check and wait_for call
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

rate=$((400000 / scale))

start_source() {
	daq set daqt0 --channel 1 --source ramp --sample-bytes 2 --segment 12288 \
		--frame 122880 --rate "$rate"
}

start_capture() {
	: >"$dir/log"
	daq capture daqt0 --zero-copy -c 1 --quiet "$@" 2>"$dir/log" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/log"
}

test_top() {
	local before

	start_source
	start_capture --duration 60
	read_stats daqt0
	before=${stats[ch1_produced_bytes]}
	daq top daqt0 --interval 2 --once --json >"$dir/json"
	read_stats daqt0
	check 'top --json: rates, owner, buffers and losses of a busy channel' \
		python3 - "$dir/json" "$((stats[ch1_produced_bytes] - before))" "$capture" <<-'PYTHON'
	import json, sys
	card, = json.load(open(sys.argv[1]))["cards"]
	assert card["card"] == "daqt0" and card["state"] == "up", card
	assert len(card["channels"]) == 4, card
	channel, produced = card["channels"][1], int(sys.argv[2])
	print("#", channel, "of", produced)
	# No more than the card has counted in that time, and a bit.
	seen = channel["bytes_per_second"] * card["seconds"]
	assert 0 < seen <= 1.001 * produced
	segment = 12288 + 64
	assert abs(channel["segments_per_second"] * segment - channel["bytes_per_second"]) < 20
	assert abs(channel["frames_per_second"] * card["seconds"] * 10 * segment - seen) <= 30 * segment
	assert channel["lost"] == sum(channel["lost_by_reason"].values())
	assert channel["owner"]["pid"] == int(sys.argv[3])
	assert channel["owner"]["command"] == "daq" and channel["zero_copy"]
	assert 0 < channel["buffers"] <= channel["ring"]
	assert channel["wakeups_per_second"] > 0 and channel["polls_per_second"] > 0
	idle = card["channels"][2]
	assert idle["owner"] is None and idle["bytes_per_second"] == 0
	PYTHON
	matches 'top: as a table' "$(daq top daqt0 --once --interval 0.5)" \
		"daqt0: up, *CH *OWNER*  1 *ramp*daq\[$capture\]*3 more without a source*"
	equal 'top: no colours and the like where no terminal is' \
		"$(daq top -1 -i 0.2 | grep -c $'\033')" 0
	kill -INT "$capture"
	wait "$capture"
	result $? 'top: the consumer lost nothing'
	daq set daqt0 --channel 1 --source none
	refused 'top: no such card' 1 '*no such interface: nothing0*' daq top nothing0
	refused 'top: an interval that is none' 2 "*--interval: '0' is not valid*" \
		daq top --interval 0
}

without_daqt1() {
	tail -n 1 "$dir/json" | grep -qv daqt1
}

# Cards come and go.
test_top_hotplug() {
	local top

	: >"$dir/json"
	daq top --interval 0.3 --json >>"$dir/json" &
	top=$!
	wait_for 20 grep -q daqt0 "$dir/json"
	new_card daqt1 2
	wait_for 20 grep -q daqt1 "$dir/json"
	result $? 'top: shows a card that comes'
	del_card daqt1
	: >"$dir/json"
	wait_for 20 grep -q '"time"' "$dir/json"
	wait_for 20 without_daqt1
	kill -INT "$top"
	wait "$top"
	result $? 'top: goes on when a card goes, and ends on Ctrl-C'
}

# Nothing moves any more, and what has moved is in the counters.
at_rest() {
	local before=$produced

	read_stats daqt0
	produced=${stats[ch1_produced]}
	sleep 0.3
	[ "$produced" = "$before" ]
}

test_counters() {
	produced=
	wait_for 10 at_rest
	daq counters daqt0 --channel 1-2 --json >"$dir/json"
	check 'counters --json: as ethtool has them, and nothing is missing' \
		python3 - "$dir/json" "${stats[ch1_produced]}" "${stats[ch1_socket]}" \
		"${stats[queue1_irqs]}" <<-'PYTHON'
	import json, sys
	card = json.load(open(sys.argv[1]))
	produced, socket, irqs = (int(value) for value in sys.argv[2:])
	assert card["state"] == "up" and [c["id"] for c in card["channels"]] == [1, 2], card
	channel, queue = card["channels"][0], card["queues"][0]
	print("#", channel["produced"], channel["host"]["socket"], queue["interrupts"])
	assert channel["produced"]["segments"] == produced > 0
	assert channel["host"]["socket"]["segments"] == socket > 0
	assert queue["interrupts"] == irqs and queue["wakeups"] > 0
	every = list(channel["host"].values()) + list(channel["card"].values())
	assert all(channel["produced"][u] == sum(c[u] for c in every) for u in every[0])
	assert not any(channel["pending"].values())
	PYTHON
	matches 'counters: as tables' "$(daq counters daqt0 -c 1)" \
		"daqt0: up*channel 1 *SEGMENTS*produced *socket *queue 1*polls *"
	refused 'counters: no such channel' 1 '*no such channel: 4 (daqt0 has 0-3)*' \
		daq counters daqt0 -c 4
	refused 'counters: no such card' 1 '*no such interface: nothing0*' daq counters nothing0
	refused 'counters: no such device' 1 '*No such file*' daq counters /dev/nothing0
}

holds_device() {
	[[ $(readlink "/proc/$1/fd/"*) == */dev/daq[0-9]* ]]
}

# A card that goes ends them, with its last event.
test_events() {
	new_card daqt1 2
	daq events daqt1 >"$dir/events" &
	events=$!
	daq counters daqt1 --watch --interval 60 >"$dir/watch" &
	watch=$!
	wait_for 20 grep -q queue "$dir/watch"
	wait_for 20 holds_device "$events"
	del_card daqt1
	wait "$events"
	result $? 'events: end when the card goes'
	wait "$watch"
	result $? 'counters --watch: ends at once when the card goes'
	matches 'events: the last one is the removal' "$(<"$dir/events")" "*:*:*.* removed"
	matches 'counters --watch: the last state is that it is gone' "$(<"$dir/watch")" \
		"daqt1: down*daqt1: gone*"
}

begin
make_card daqt0 4
test_top
test_counters
test_events
test_top_hotplug
finish
