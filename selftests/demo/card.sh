#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: card.sh FOLDER
#
# Part of the demonstration, runs on the machine that has the driver: plays the
# recordings of FOLDER/input into a software card and captures all channels at
# once.  Leaves in FOLDER/output what was captured, the summaries of both
# programs as JSON, and the card's counters.
#
# Recording I goes out on channel N + I and comes in on channel I: the channels'
# sockets would else compete for the same queue.

set -euo pipefail

card=daqdemo

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
	local i

	daq set "$card" --channel "$(channels_of voice 0),$(channels_of voice "$count")" \
		--sample-bytes 2 --segment 1920 --frame 1920 --rate 48000
	daq set "$card" --channel "$(channels_of video 0),$(channels_of video "$count")" \
		--sample-bytes 2 --segment 61440 --frame 4147200 --line 3840 \
		--fps "$video_fps"
	for i in "${!files[@]}"; do
		daq set "$card" --channel "$i" --source "loopback:$((count + i))"
	done
}

remove_card() {
	ip link del "$card"
}

make_card() {
	say "ip link add $card numrxqueues $((2 * count)) numtxqueues $((2 * count)) type daq"
	ip link add "$card" numrxqueues $((2 * count)) numtxqueues $((2 * count)) type daq
	trap remove_card EXIT
	ethtool -C "$card" rx-frames 1 rx-usecs "$rx_usecs"
	ip link set "$card" up
	set_formats
	daq list "$card" | tee "$output/list.txt"
	say "set to play voices as they were spoken, pictures at $video_fps per second"
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

main() {
	input=$(realpath "$1")/input
	output=$(realpath "$1")/output
	# Not straight to what may be a slow file system: losses would be its fault.
	scratch=$(mktemp -d)
	mkdir -p "$output"
	read_list
	make_card
	start_capture
	play
	wait "$capture"
	ethtool -S "$card" >"$output/ethtool-S.txt"
	say "copying what was captured to $output"
	(cd "$scratch" && cp "${files[@]}" "$output")
	rm -r "$scratch"
}

main "$@"
