#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: guest.sh PROGRAMS MODULE RESULTS [short|outside]
#
# Part of run.sh, where the measurements are made: all cases, one after the other. A line
# for each goes to the file RESULTS; what could not be measured is told there, too.
#
#   short    only what shows that it works, in about a minute
#   outside  only a, and the references from outside

set -uo pipefail

bench=$1/bench
module=$2
results=$3
mode=${4-}

# How much is received per measurement, and how fast, bytes and bytes per second.
rate=50000000
# Segments of 16 pages, and frames of ten of them.
segment=65536
frame=655360
# comedi_test's highest for one channel: a sample per microsecond.
comedi_rate=2000000

# note TEXT...
note() {
	echo "# bench: $*" >&2
}

# run GROUP OPTION...: one measurement, to the results.
run() {
	local group=$1 line

	shift
	if line=$("$bench" "$@" 2>&1) && [[ $line == case=* ]]; then
		echo "group=$group $line" >>"$results"
	else
		note "$group: bench $*: $line"
		echo "group=failed of=$group case=${2} options=$(tr ' ' _ <<<"$*") why=$(
			tail -n 1 <<<"$line" | tr ' ' _)" >>"$results"
		return 1
	fi
}

value() {
	local line=" $1 "

	line=${line#* "$2"=}
	echo "${line%% *}"
}

# Small segments come at most so often.
rate_for() {
	local most=$((20000 * $1))

	echo $((most < rate ? most : rate))
}

main_table() {
	local case

	for case in "$@"; do
		run fetch --case "$case" --segment $segment --frame $frame --rate $rate
		run touch --case "$case" --segment $segment --frame $frame --rate $rate --touch
		run events --case "$case" --segment $segment --frame $frame --rate $rate --events
	done
}

again() {
	run again --case a --segment $segment --frame $frame --rate $rate
	run again --case d --segment $segment --frame $frame --rate $rate
}

# Sixteen segments make a frame.
segment_sizes() {
	local case size

	for size in 256 1024 4096 8192 16384 32768 61440 65536; do
		for case in a b c d e f g; do
			run segments --case "$case" --segment $size --frame $((16 * size)) \
				--rate "$(rate_for $size)" --frames 16
		done
	done
}

# What a segment costs apart from its pages.
segments_per_frame() {
	local count

	for count in 4 8 16 32 64; do
		run fixed --case a --segment 4096 --frame $((4096 * count)) --frames 16 \
			--rate "$(rate_for 4096)"
	done
}

channels() {
	local count

	for count in 1 2 4 8 16 32 64; do
		run channels --case a --segment 16384 --frame 65536 --channels "$count" \
			--frames 128 --rate $rate
	done
}

frame_sizes() {
	local size buffer

	for size in 65536 262144 1048576 4194304 16777216 67108864; do
		buffer=$((4 * size * 17 / 16))
		run frames --case a --segment $segment --frame $size --frames 6 --rate $rate \
			--buffer $((buffer > 4194304 ? buffer : 4194304))
	done
}

buffers() {
	local size

	for size in 2 4 8 16 32 64 128; do
		run buffers --case a --segment $segment --frame $frame --rate $rate \
			--buffer $((size << 20))
	done
}

# How many frames make an interrupt.
moderation() {
	local count

	for count in 1 2 4 8 16; do
		run moderation --case a --segment 4096 --frame 16384 --rate $rate --frames 128 \
			--rx-frames "$count" --buffer $((4 << 20))
	done
}

# keeps_up CASE RATE: nothing is lost, and it is as fast as that.
keeps_up() {
	local line took most

	line=$("$bench" --case "$1" --segment $segment --frame $frame --rate "$2" \
		--frames 64 2>&1) || return
	[[ $line == case=* ]] && [ "$(value "$line" lost)" -eq 0 ] || return
	# us
	took=$(($(value "$line" elapsed) * 1000 / $(value "$line" khz)))
	most=$((64 * frame * 1020000 / $2))
	[ $took -le $most ]
}

# The highest rate that a case keeps up with, within 3 %.
search() {
	local case=$1 low=1000000 high=2000000 middle

	while keeps_up "$case" $high && [ $high -lt 16000000000 ]; do
		low=$high
		high=$((2 * high))
	done
	while [ $((100 * (high - low))) -gt $((3 * low)) ]; do
		middle=$(((low + high) / 2))
		if keeps_up "$case" $middle; then low=$middle; else high=$middle; fi
	done
	echo "group=rate case=$case rate=$low" >>"$results"
}

# With tcpdump, whose own work is not counted.
tap() {
	local card=daqtest0

	# it starts when the card is there
	(
		until [ -e /sys/class/net/$card ]; do sleep 0.01; done
		exec tcpdump -ni $card -s 64 -w /dev/null 'ether proto 0x88b5'
	) 2>/dev/null &
	run tap --case a --segment $segment --frame $frame --rate $rate --frames 128
	kill $! 2>/dev/null
	wait
}

# What is left of one that has gone, on the same card.
gone_tap() {
	run gone --case a --segment $segment --frame $frame --rate $rate --frames 128 --tap
}

# three OPTION...: of a way from outside
three() {
	run outside "$@"
	run touched "$@" --touch
	run events "$@" --events
}

# with_module NAME OPTION...: the same by a driver that is no part of every kernel
with_module() {
	local module=$1

	shift
	if ! modinfo "$module" >/dev/null 2>&1; then
		echo "group=missing what=$module" >>"$results"
		return
	fi
	three "$@"
	modprobe -r "$module"
}

outside() {
	with_module vivid --case vivid --segment 4147200 --frame 4147200 --frames 8
	with_module comedi_test --case comedi --segment 65536 --frame 65536 --rate $comedi_rate
	three --case veth-d --segment 61440 --frame 614400 --rate $rate
	three --case veth-e --segment 61440 --frame 614400 --rate $rate
	three --case veth-x --segment 61440 --frame 614400 --rate $rate
}

# Its messages would wake who looks at the link.
ipv6=/proc/sys/net/ipv6/conf/default/disable_ipv6
before=$(cat $ipv6 2>/dev/null)
restore() {
	[ -z "$before" ] || echo "$before" >$ipv6
}
trap restore EXIT
[ -z "$before" ] || echo 1 >$ipv6

: >"$results"
rmmod daq_bench 2>/dev/null
insmod "$module" && modprobe daq || exit
if [ "$mode" = short ]; then
	main_table a b d f
	again
	gone_tap
elif [ "$mode" = outside ]; then
	main_table a
	gone_tap
	outside
else
	note "each case"
	main_table a b c d e f g h
	again
	note "sizes"
	segment_sizes
	segments_per_frame
	channels
	frame_sizes
	buffers
	moderation
	note "tap, others"
	tap
	gone_tap
	outside
	for case in a b c d e f g h; do
		note "highest rate of case $case"
		search $case
	done
fi
rmmod daq_bench
echo "group=machine kernel=$(uname -r) processor=$(
	sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1 | tr ' ' _) processors=$(
	nproc) erms=$(grep -cw erms /proc/cpuinfo) fsrm=$(grep -cw fsrm /proc/cpuinfo)" >>"$results"
