#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: inputs.sh FOLDER
#
# Part of the demonstration, runs inside the root file system: decodes real
# recordings into FOLDER, as a card's converters would deliver them.  FOLDER/list
# has a line per channel: kind, file, description; separated by tabs.

set -euo pipefail

sounds=/usr/share/sounds/alsa
photos=/usr/share/backgrounds/mate/nature
# Photographs of more than 1920x1080, to pan over.
pictures=(LadyBird TwoWings YellowFlower)
frames=12

decode() {
	ffmpeg -nostdin -v error -y "$@"
}

# Bare 16-bit samples, one channel, 48 kHz.
voice() {
	local name

	name=$(basename "$1" .wav)
	printf 'demo: decoding %s\n' "$1" >&2
	decode -i "$1" -f s16le -ac 1 -ar 48000 "$out/$name.pcm"
	printf 'voice\t%s.pcm\tvoice %s\n' "$name" "$name"
}

# A camera that moves over a photograph: no two frames are alike.
video() {
	local name=$1 last=$((frames - 1))

	printf 'demo: decoding %s into %d frames\n' "$photos/$name.jpg" "$frames" >&2
	decode -loop 1 -i "$photos/$name.jpg" -frames:v "$frames" -f rawvideo \
		-pix_fmt yuyv422 -vf "scale=2240:-2,\
			crop=1920:1080:(iw-ow)*n/$last:(ih-oh)*n/$last" \
		"$out/$name.yuyv"
	printf 'video\t%s.yuyv\tvideo %s\n' "$name" "$name"
}

main() {
	local file

	out=$1
	mkdir -p "$out"
	{
		for file in "$sounds"/*.wav; do voice "$file"; done
		for file in "${pictures[@]}"; do video "$file"; done
	} >"$out/list.new"
	# Last, and renamed: a list promises that every file is there.
	mv "$out/list.new" "$out/list"
}

main "$@"
