#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What changes below a card while it is captured: NAPI gets threads of its own, processors
# go and come, interrupts move. Data go on, and none are lost.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

cpu=/sys/devices/system/cpu/cpu1/online

frames() {
	read_stats daqt0
	total frames
}

have_come() {
	[ "$(frames)" -gt "$1" ]
}

# goes_on NAME: on every channel, most likely, since there are four times as many.
goes_on() {
	check "$1: data go on" wait_for 20 have_come $(($(frames) + 40))
}

set_threads() {
	echo "$1" >/sys/class/net/daqt0/threaded
}

set_processor() {
	echo "$1" >"$cpu"
}

# Interrupts that the card's device has; a software card sends them by itself.
move_interrupts() {
	local irq

	for irq in "/sys/class/net/daqt0/device/msi_irqs/"*; do
		echo "$1" >"/proc/irq/${irq##*/}/smp_affinity" || return
	done
}

begin
make_card daqt0 4
daq set daqt0 --channel all --source counter --segment 1024 --frame 4096 \
	--rate $((20480 / scale))
: >"$dir/log"
daq capture daqt0 -c all --quiet --json "$dir/json" 2>"$dir/log" &
capture=$!
wait_for 20 grep -q capturing "$dir/log"
goes_on "at first"
for i in 1 2; do
	check "threads: on, time $i" set_threads 1
	goes_on "threads: on, time $i"
	check "threads: off, time $i" set_threads 0
	goes_on "threads: off, time $i"
done
if [ -e "$cpu" ]; then
	for i in 1 2 3; do
		check "processors: one goes, time $i" set_processor 0
		goes_on "processors: one went, time $i"
		check "processors: it comes, time $i" set_processor 1
		goes_on "processors: it came, time $i"
	done
else
	skip "processors: one goes" "there is one only"
fi
if [ -d /sys/class/net/daqt0/device/msi_irqs ]; then
	for mask in 1 2 1 3; do
		check "interrupts: to processors $mask" move_interrupts "$mask"
		goes_on "interrupts: to processors $mask"
	done
else
	skip "interrupts: to other processors" "the card has none of the bus"
fi
kill -INT "$capture"
check "the capture has gone on" wait "$capture"
equal "and lost nothing" "$(member lost_segments "$dir/json")" 0
finish
