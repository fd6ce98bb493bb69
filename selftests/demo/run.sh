#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh
#
# The demonstration: real recordings are played into a card, captured through
# zero-copy sockets, and compared.  Exits with 0 only if every channel came back
# identical, without loss and without a copy.
#
# The recordings and the programs to decode them come from the root file system
# of ../vm/rootfs.sh, so that the host needs neither.  Everything is left under
# build/demo: input/ (decoded once), output/ and frame.png.
#
# Environment:
#   CARD=pci       instead of a software card one on the PCI bus, played by a
#                  process on this side: see ../card
#   CARD_OPTIONS   more of its options, such as --personality kicked
#   NATIVE=1       no virtual machine: use the driver installed on this one
#   VM_*           see ../vm/run.sh

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

here=$(cd "$(dirname "$0")" && pwd -P)
folder=build/demo
frame=6

note() {
	printf 'demo: %s\n' "$*" >&2
}

fail() {
	note "$@"
	exit 1
}

in_root() {
	"$vm_dir/chroot.sh" "$@"
}

# Without a child process, which would outlive the shell that is killed.
pause() {
	read -rt "$1" <> <(:) || :
}

tick() {
	while :; do
		pause 15
		note "still making the root file system ($SECONDS s)"
	done
}

stop_ticking() {
	[ -n "${ticker-}" ] || return 0
	kill "$ticker" 2>/dev/null || :
	wait "$ticker" 2>/dev/null || :
	ticker=
}

# Its longest steps are silent where there is no terminal.
prepare_root() {
	tick &
	ticker=$!
	"$vm_dir/rootfs.sh" >/dev/null
	stop_ticking
}

# Of another recipe the recordings may be other ones.
decode_inputs() {
	local key

	key=$(hash_of "$here/inputs.sh")
	if [ "$(cat "$folder/input/key" 2>/dev/null)" = "$key" ] &&
	   [ -e "$folder/input/list" ]; then
		note "recordings are decoded already, in $folder/input"
		return
	fi
	note "decoding recordings into $folder/input"
	rm -rf "$folder/input"
	in_root selftests/demo/inputs.sh "$folder/input"
	printf '%s\n' "$key" >"$folder/input/key"
}

check_native() {
	local program

	for program in daq ip ethtool; do
		command -v "$program" >/dev/null ||
			fail "NATIVE=1: no program '$program' here;" \
				"daq comes with: make && sudo make install"
	done
	[ -d /sys/module/daq ] || modprobe daq ||
		fail "NATIVE=1: cannot load the module for kernel $(uname -r):" \
			"make && sudo make install, or leave NATIVE out"
}

# One input for each recording; the guest says when they begin.
describe_card() {
	local i=0 file

	VM_CARDS="--wait ${CARD_OPTIONS-}"
	while IFS=$'\t' read -r _ file _; do
		VM_CARDS+=" --input $i=/repo/$folder/input/$file"
		i=$((i + 1))
	done <"$folder/input/list"
	VM_CARDS+=" --channels $i"
	export VM_CARDS
}

run_card() {
	if [ "$card" = pci ]; then
		describe_card
		note "starting a virtual machine, and a process that plays its card"
		"$vm_dir/run.sh" "selftests/demo/card.sh $folder pci"
	elif [ -n "$native" ]; then
		check_native
		note "using the driver of this machine, kernel $(uname -r)"
		selftests/demo/card.sh "$folder"
	else
		note "starting a virtual machine (it boots in some 15 s where there is no KVM)"
		"$vm_dir/run.sh" "selftests/demo/card.sh $folder"
	fi
}

# Of the first video channel.
make_picture() {
	local file

	file=$(awk -F '\t' '$1 == "video" { print $2; exit }' "$folder/input/list")
	in_root ffmpeg -nostdin -v error -y -f rawvideo -pixel_format yuyv422 \
		-video_size 1920x1080 -i "$folder/output/$file" \
		-vf "select=eq(n\\,$frame)" -frames:v 1 "$folder/frame.png"
	note "frame $frame of the captured $file as a picture: $repo/$folder/frame.png"
}

clean_up() {
	local status=$?

	stop_ticking
	[ -z "${SUDO_UID-}" ] || chown -R "$SUDO_UID:${SUDO_GID-}" "$repo/build"
	return "$status"
}

main() {
	local result=0

	native=${NATIVE-} card=${CARD:-soft}
	# sudo drops the environment.
	[ "${1-}" != --native ] || native=1
	[ "${1-}" != --pci ] || card=pci
	case $card,$native in
	pci,) need_root --pci ;;
	soft,*) need_root ${native:+--native} ;;
	*) fail "CARD=$card: pci, or soft, and NATIVE=1 with that only" ;;
	esac
	trap clean_up EXIT
	cd "$repo"
	prepare_root
	decode_inputs
	rm -rf "$folder/output" "$folder/frame.png"
	run_card
	note "comparing what came out with what went in"
	in_root python3 selftests/demo/report.py "$folder" || result=$?
	make_picture || note "no picture: see above"
	note "captured files: $repo/$folder/output"
	[ "$result" -eq 0 ] || fail "not every channel is OK"
	note "every channel came back identical, whole and without a copy ($SECONDS s)"
}

main "$@"
