#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: card.sh FOLDER [pci]
#
# Part of the demonstration, runs on the machine that has the driver: plays the
# recordings of FOLDER/input into a software card and captures all channels at
# once.  Leaves in FOLDER/output what was captured, the summaries of both
# programs as JSON, and the card's counters.
#
# Recording I goes out on channel N + I and comes in on channel I: the channels'
# sockets would else compete for the same queue.  With pci there is nothing to
# play: the first card of the PCI bus has the recordings at its inputs.

set -euo pipefail

# The voices play as fast as they were spoken.  The cameras are slow: where the
# processor is emulated, copying memory is, and the chain of reading, playing,
# capturing and writing must keep up with three of them.
video_fps=1
# Longer than a frame takes, so that only the end of a frame wakes the consumer.
rx_usecs=2000000
# An end for the case that the last segment of all gets lost.
most_seconds=120

say() {
	printf 'demo: %s\n' "$*"
}

# Sets kinds and files, indexed by channel.
read_list() {
	local kind file

	kinds=()
	files=()
	while IFS=$'\t' read -r kind file _; do
		kinds+=("$kind")
		files+=("$file")
	done <"$input/list"
	count=${#files[@]}
}

# Channels of a kind, plus $2, as "daq set --channel" takes them.
channels_of() {
	local i list=()

	for i in "${!kinds[@]}"; do
		[ "${kinds[i]}" != "$1" ] || list+=($((i + $2)))
	done
	(IFS=,; echo "${list[*]}")
}

# 20 ms of sound, or 16 lines of a picture, are a segment.
set_formats() {
	daq set "$card" --channel "$(both voice)" \
		--sample-bytes 2 --segment 1920 --frame 1920 --rate 48000
	daq set "$card" --channel "$(both video)" \
		--sample-bytes 2 --segment 61440 --frame 4147200 --line 3840 \
		--fps "$video_fps"
	daq list "$card" | tee "$output/list.txt"
	say "set to play voices as they were spoken, pictures at $video_fps per second"
}

# Inputs of a kind, and with a software card the outputs that they hear.
both() {
	local list

	list=$(channels_of "$1" 0)
	[ "$kind" = pci ] || list+=,$(channels_of "$1" "$count")
	echo "$list"
}

remove_card() {
	ip link del "$card"
}

make_card() {
	local i

	card=daqdemo
	say "ip link add $card numrxqueues $((2 * count)) numtxqueues $((2 * count)) type daq"
	ip link add "$card" numrxqueues $((2 * count)) numtxqueues $((2 * count)) type daq
	trap remove_card EXIT
	for i in "${!files[@]}"; do
		daq set "$card" --channel "$i" --source "loopback:$((count + i))"
	done
}

find_card() {
	modprobe daq
	card=$(find /sys/bus/pci/drivers/daq/*/net -mindepth 1 -printf '%f\n' | head -n 1)
	say "$(ethtool -i "$card" | tr '\n' ' ')"
	daq set "$card" --channel "0-$((count - 1))" --source external
}

set_up_card() {
	if [ "$kind" = pci ]; then find_card; else make_card; fi
	ethtool -C "$card" rx-frames 1 rx-usecs "$rx_usecs"
	ip link set "$card" up
	set_formats
}

start_capture() {
	local i args=()

	for i in "${!files[@]}"; do args+=("$i=$scratch/${files[i]}"); done
	say "daq capture $card 0=${files[0]} ... --until-last --zero-copy"
	: >"$scratch/log"
	daq capture "$card" "${args[@]}" --until-last --duration "$most_seconds" \
		--zero-copy --allow-loss --json "$output/capture.json" \
		>"$output/capture.txt" 2> >(tee "$scratch/log" >&2) &
	capture=$!
	until grep -q '^capturing' "$scratch/log"; do
		kill -0 "$capture" 2>/dev/null || { wait "$capture"; exit 1; }
		sleep 0.2
	done
}

play() {
	local i args=()

	for i in "${!files[@]}"; do args+=("$((count + i))=$input/${files[i]}"); done
	say "daq play $card $count=${files[0]} ... --zero-copy"
	daq play "$card" "${args[@]}" --zero-copy --json --quiet >"$output/play.json"
}

# The process that plays the card listens at the other end of this port.
let_inputs_begin() {
	say "the card's inputs begin"
	echo go >/dev/virtio-ports/card0
}

main() {
	kind=${2:-soft}
	input=$(realpath "$1")/input
	output=$(realpath "$1")/output
	# Not straight to what may be a slow file system: losses would be its fault.
	scratch=$(mktemp -d)
	mkdir -p "$output"
	read_list
	set_up_card
	start_capture
	if [ "$kind" = pci ]; then let_inputs_begin; else play; fi
	wait "$capture"
	ethtool -S "$card" >"$output/ethtool-S.txt"
	say "copying what was captured to $output"
	(cd "$scratch" && cp "${files[@]}" "$output")
	rm -r "$scratch"
}

main "$@"
