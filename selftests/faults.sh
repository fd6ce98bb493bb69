#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Faults of emulated cards, one that interrupts and one that is kicked, which
# VM_CARDS of fault_cards in run.sh describes. Each fault has to end where
# Documentation/daq.rst says, as often as the card says that it happened; then they
# come all together, with everything going on, until there were FAULTS of them.
#
# FAULTS=  how many on each card (default: 300)
# SEED=    what happens in which order (default: by chance; it is printed)

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"

wanted=${FAULTS:-300}
seed=${SEED:-$RANDOM}
# Those after which a segment is missing.
losing=(drop length index buffers channel)
# What comes by chance. Not DMA that comes late: where no IOMMU is in its way it does to
# this kernel what it can do to any. And READY sticks at each look: that does not count.
chaotic=("${losing[@]}" duplicate corrupt spurious-irq lost-irq)

tell() {
	command_card "$card" "$1"
}

# What the card says: of each channel what it produced, of each kind the faults, also
# by channel, and how late DMA ended; in the array report.
read_report() {
	local line

	declare -gA report=()
	tell report || return
	for line in "${answer[@]}"; do
		if [[ $line =~ ^sum\ id=([0-9]+)\ produced=([0-9]+) ]]; then
			report[produced${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
		elif [[ $line =~ ^faults\ kind=([a-z-]+)\ channel=([0-9]+)\ count=([0-9]+) ]]; then
			report[${BASH_REMATCH[1]}${BASH_REMATCH[2]}]=${BASH_REMATCH[3]}
			report[${BASH_REMATCH[1]}]=$((report[${BASH_REMATCH[1]}] +
				BASH_REMATCH[3]))
		elif [[ $line =~ late_landed=([0-9]+)\ late_refused=([0-9]+) ]]; then
			report[landed]=${BASH_REMATCH[1]}
			report[refused]=${BASH_REMATCH[2]}
		fi
	done
}

# injected KIND...: faults so far.
injected() {
	local kind sum=0

	for kind; do
		sum=$((sum + report[$kind]))
	done
	echo "$sum"
}

# Long segments on two channels, on two others such as fit a buffer. The last buffer of
# none is full: a byte more or less changes nothing but the length. At 100 segments per
# second, or so many: a card that is kicked holds few of them for a busy host.
run_card() {
	local segments=${1:-100}

	daq set "$ifname" --channel 0,1 --source counter --sample-bytes 8 --segment 6000 \
		--frame 30000 --rate $((750 * segments / scale)) &&
		daq set "$ifname" --channel 2,3 --source counter --sample-bytes 8 \
			--segment 1000 --frame 5000 --rate $((125 * segments / scale)) &&
		ip link set "$ifname" up && wait_for_carrier "$ifname"
}

# have_come FRAMES: so many on every channel, since base was read.
have_come() {
	local i

	read_stats "$ifname"
	for i in 0 1 2 3; do
		[ "${stats[ch${i}_frames]}" -ge $((base[i] + $1)) ] || return
	done
}

# Until frames that came after this have been received: whatever was before it has
# been handled, and told by a header.
settle() {
	local i

	read_stats "$ifname"
	for i in 0 1 2 3; do
		base[i]=${stats[ch${i}_frames]}
	done
	wait_for 20 have_come 3
}

# Segments that were dropped though there was no fault: a host that is too busy.
too_late() {
	total drop_no_buffer drop_fifo_overrun drop_ring_full
}

# start_capture [CHANNEL=FILE]: in the background, until stop_capture; of all channels.
start_capture() {
	: >"$dir/log"
	daq capture "$ifname" --channel all --quiet --allow-loss --json "$dir/json" "$@" \
		2>"$dir/log" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/log"
}

stop_capture() {
	kill -INT "$capture"
	wait "$capture"
}

# for_a_while KIND RATE: faults of a kind, until all has been handled.
for_a_while() {
	tell "fault $1=$2"
	sleep $((2 * scale))
	tell 'fault none'
	settle
}

whole() {
	check "$1: a capture without faults" timeout $((60 * scale)) \
		daq capture "$ifname" --channel all --frames 10 --quiet --json "$dir/whole"
	equal "$1: is whole" "$(member lost_segments "$dir/whole")" 0
}

# What became of each channel's segments, the card being down: as many as the card has
# produced, if nothing is wrong, in the array became.
read_account() {
	local i key

	read_stats "$ifname"
	read_report
	for i in 0 1 2 3; do
		became[i]=$((${report[drop$i]:-0} - ${report[duplicate$i]:-0}))
		for key in "${!stats[@]}"; do
			case ${key#"ch${i}_"} in
			socket | stack | xdp_tx | drop_*) became[i]=$((became[i] + stats[$key])) ;;
			esac
		done
	done
}

# What the card has done before this driver had it.
begin_account() {
	local i

	read_account
	for i in 0 1 2 3; do
		before[i]=$((${report[produced$i]} - ${stats[ch${i}_produced]}))
		became_before[i]=$((${report[produced$i]} - became[i]))
	done
}

# conserved TITLE: every segment of every channel.
conserved() {
	local i

	read_account
	for i in 0 1 2 3; do
		equal "$1: channel $i: both sides have produced as much" \
			$((before[i] + ${stats[ch${i}_produced]})) "${report[produced$i]}"
		equal "$1: channel $i: delivered + dropped + lost by faults - sent twice" \
			$((became_before[i] + became[i])) "${report[produced$i]}"
	done
}

health() {
	devlink health show "pci/$address" reporter card
}

# recovers TITLE: there have been errors, and then there are none.
recovers() {
	matches "$1: devlink knows of errors" "$(health)" "*state error*"
	check "$1: it recovers the card" devlink health recover "pci/$address" reporter card
	matches "$1: from all of them" "$(health)" "*state healthy*"
	whole "$1"
}

# Each kind that spoils a completion, and what the driver counts for it.
test_completions() {
	local kind faults bad malformed

	read_stats "$ifname"
	for kind in "${losing[@]}" duplicate; do
		read_report
		faults=$(injected "$kind")
		bad=$(total drop_bad_desc)
		malformed=$(total drop_xdp)
		for_a_while "$kind" 0.2
		read_report
		faults=$(($(injected "$kind") - faults))
		bad=$(($(total drop_bad_desc) - bad))
		malformed=$(($(total drop_xdp) - malformed))
		check "$title: $kind: happens ($faults)" [ "$faults" -gt 0 ]
		case $kind in
		drop) equal "$title: $kind: is no fault of a completion" $((bad + malformed)) 0 ;;
		length)
			equal "$title: $kind: is a bad completion or a malformed segment" \
				$((bad + malformed)) "$faults"
			;;
		*)
			equal "$title: $kind: is a bad completion" "$bad" "$faults"
			equal "$title: $kind: and nothing else" "$malformed" 0
			;;
		esac
	done
}

# Faults one after the other, while one capture goes on and nobody recovers the card.
test_kinds() {
	local late

	check "$title: comes up" run_card "$slow"
	start_capture
	settle
	late=$(too_late)
	test_completions
	late=$(($(too_late) - late))
	check "$title: the capture lives on" stop_capture
	read_report
	equal "$title: headers tell of every lost segment" "$(member lost_segments "$dir/json")" \
		$(($(injected "${losing[@]}") + late))
	check "$title: and frames have come" [ "$(member frames "$dir/json")" -gt 0 ]
	recovers "$title: each kind by itself"
	ip link set "$ifname" down
	conserved "$title: each kind by itself"
}

# Reports that cannot be: what they were about is lost, and the account is open by that.
test_reports() {
	local i late lost=0

	run_card "$slow"
	read_report
	start_capture
	settle
	late=$(too_late)
	for_a_while report 0.1
	late=$(($(too_late) - late))
	check "$title: report: the capture lives on" stop_capture
	recovers "$title: report"
	ip link set "$ifname" down
	read_account
	for i in 0 1 2 3; do
		lost=$((lost + ${report[produced$i]} - became_before[i] - became[i]))
	done
	check "$title: report: happens ($(injected report))" [ "$(injected report)" -gt 0 ]
	check "$title: report: something is lost" [ "$lost" -gt 0 ]
	equal "$title: report: headers tell of every lost segment" \
		"$(member lost_segments "$dir/json")" $((lost + late))
	begin_account
}

# A card that does not stop: what it has not reported is open, too.
test_stuck() {
	run_card "$slow"
	settle
	tell stuck
	check "$title: stuck: the interface goes down" timeout $((20 * scale)) \
		ip link set "$ifname" down
	tell back
	run_card "$slow"
	recovers "$title: stuck"
	ip link set "$ifname" down
	begin_account
}

# Nothing but data can tell of damaged data.
test_corrupt() {
	local faults late

	run_card "$slow"
	read_report
	faults=${report[corrupt0]:-0}
	start_capture 0="$dir/data"
	settle
	late=$(too_late)
	for_a_while corrupt:0 0.2
	late=$(($(too_late) - late))
	check "$title: corrupt: the capture lives on" stop_capture
	read_report
	faults=$((report[corrupt0] - faults))
	check "$title: corrupt: happens ($faults)" [ "$faults" -gt 0 ]
	equal "$title: corrupt: nothing is lost for it" "$(member lost_segments "$dir/json")" \
		"$late"
	if [ "$late" -eq 0 ]; then
		check "$title: corrupt: as many words are damaged" \
			pattern "$dir/data" 8 "$faults"
	else
		skip "$title: corrupt: as many words are damaged" "the host was too busy"
	fi
	rm "$dir/data"
	ip link set "$ifname" down
}

# Interrupts that do not come, or come when nobody has asked.
test_interrupts() {
	local faults found irqs late

	run_card
	start_capture
	settle
	irqs=$(total irqs)
	late=$(too_late)
	for_a_while spurious-irq 1
	read_report
	check "$title: spurious-irq: happens ($(injected spurious-irq))" \
		[ "$(injected spurious-irq)" -gt 0 ]
	check "$title: spurious-irq: is counted" [ "$(total irqs)" -gt "$irqs" ]
	faults=$(injected lost-irq)
	found=$(total irqs_lost)
	for_a_while lost-irq 0.2
	late=$(($(too_late) - late))
	check "$title: both: the capture lives on" stop_capture
	read_report
	faults=$(($(injected lost-irq) - faults))
	found=$(($(total irqs_lost) - found))
	check "$title: lost-irq: happens ($faults)" [ "$faults" -gt 0 ]
	# One that is very late on a busy host looks like a lost one.
	check "$title: lost-irq: is noticed each time ($found)" [ "$found" -ge "$faults" ]
	check "$title: lost-irq: and hardly any other" [ "$found" -le $((faults + 3)) ]
	equal "$title: both: nothing is lost for it" "$(member lost_segments "$dir/json")" "$late"
	ip link set "$ifname" down
}

test_ready() {
	local late

	run_card "$slow"
	start_capture
	settle
	late=$(too_late)
	for_a_while stuck-ready 1
	late=$(($(too_late) - late))
	check "$title: stuck-ready: the capture lives on" stop_capture
	read_report
	check "$title: stuck-ready: happens" [ "$(injected stuck-ready)" -gt 0 ]
	equal "$title: stuck-ready: nothing is lost for it" \
		"$(member lost_segments "$dir/json")" "$late"
	ip link set "$ifname" down
}

late_is_over() {
	read_report
	[ $((report[landed] + report[refused])) -eq "$(injected late-dma)" ]
}

# What comes before the interface is down still finds its memory in place.
test_late_dma() {
	local i landed grown=0

	for i in 1 2 3 4; do
		run_card
		settle
		tell 'fault late-dma=1'
		ip link set "$ifname" down
		read_report
		landed=${report[landed]}
		tell 'fault none'
		wait_for 20 late_is_over || grown=1000
		grown=$((grown + report[landed] - landed))
	done
	check "$title: late-dma: happens ($(injected late-dma))" [ "$(injected late-dma)" -gt 3 ]
	equal "$title: late-dma: none lands when the interface is down" "$grown" 0
	check "$title: late-dma: the bus refuses it (${report[refused]})" \
		[ "${report[refused]}" -gt 0 ]
}

set_chances() {
	local kind rates=(0 0 0.005 0.01 0.05)

	for kind in "${chaotic[@]}" stuck-ready; do
		tell "fault $kind=${rates[RANDOM % 5]}"
	done
}

# Something happens to the interface while faults do.
disturb() {
	case $((RANDOM % 4)) in
	0) ip link set "$ifname" down && ip link set "$ifname" up ;;
	1) devlink health recover "pci/$address" reporter card ;;
	2) ethtool -G "$ifname" rx $((RANDOM % 2 ? 4096 : 2048)) ;;
	3) daq set "$ifname" --channel $((RANDOM % 4)) --rate $(((20 + RANDOM % 80) * 125 / scale)) ;;
	esac
}

# All kinds at random until there were enough. A capture may fail, for the interface
# goes down under it, but it ends.
test_chaos() {
	local rounds=0 hung=0 start faults=0 frames=0

	run_card
	read_report
	start=$(injected "${chaotic[@]}")
	while [ "$rounds" -lt 5 ] || [ "$faults" -lt "$wanted" ]; do
		set_chances
		rm -f "$dir/json"
		start_capture
		sleep $((1 + RANDOM % 3))
		disturb
		sleep $((1 + RANDOM % 2))
		stop_capture
		[ $? -le 1 ] || hung=$((hung + 1))
		[ ! -e "$dir/json" ] || frames=$((frames + $(member frames "$dir/json")))
		read_report
		faults=$(($(injected "${chaotic[@]}") - start))
		rounds=$((rounds + 1))
	done
	tell 'fault none'
	check "$title: chaos: $faults faults in $rounds rounds" [ "$faults" -ge "$wanted" ]
	equal "$title: chaos: every capture has ended by itself" "$hung" 0
	check "$title: chaos: frames have come ($frames)" [ "$frames" -gt 0 ]
	check "$title: chaos: the card can be recovered" \
		devlink health recover "pci/$address" reporter card
	run_card "$slow"
	whole "$title: chaos"
	ip link set "$ifname" down
	conserved "$title: chaos"
}

# test_card NUMBER KIND SEGMENTS: so many per second it can deliver for sure.
test_card() {
	card=$1
	title=$2
	slow=$3
	address=${addresses[$1]}
	interface "$address"
	begin_account
	devlink health set "pci/$address" reporter card auto_recover false
	test_kinds
	test_reports
	test_stuck
	test_corrupt
	if [ "$title" = kicked ]; then
		test_ready
	else
		test_interrupts
	fi
	test_late_dma
	devlink health set "pci/$address" reporter card auto_recover true
	test_chaos
}

declare -a base became before became_before

begin
find_cards
if [ "${#addresses[@]}" -lt 2 ] || [ ! -e "$ports/card1" ]; then
	skip_file "two emulated cards are needed"
fi
modprobe daq
wait_for 10 has_interface "${addresses[1]}"
echo "# SEED=$seed"
RANDOM=$seed
test_card 0 interrupt 100
test_card 1 kicked 25
check "the driver can be unloaded" modprobe -r daq
finish
