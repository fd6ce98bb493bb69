# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What tests of emulated PCI cards share: finding them, using them, giving commands to
# the processes that play them and to QEMU. Sourced after lib.sh, never run.

driver=/sys/bus/pci/drivers/daq
ports=/dev/virtio-ports

# find_cards: their addresses, into the array addresses.
find_cards() {
	local device

	addresses=()
	for device in /sys/bus/pci/devices/*; do
		[ "$(<"$device/vendor")" != 0xdac0 ] || addresses+=("${device##*/}")
	done
}

has_interface() {
	[ -d "$driver/$1/net" ]
}

# interface ADDRESS: the name of the card's interface, in the variable ifname.
interface() {
	local all=("$driver/$1/net/"*)

	ifname=${all[0]##*/}
}

# use ADDRESS: all channels of the card acquire something, and it is up; its interface
# is in the variable ifname.
use() {
	wait_for 10 has_interface "$1" && interface "$1" &&
		daq set "$ifname" --channel all --source counter --sample-bytes 8 \
			--segment 4096 --frame 20480 --rate $((512 * 20 / scale)) &&
		ip link set "$ifname" up && wait_for_carrier "$ifname"
}

# captures_whole IFNAME: some frames of all channels, without a loss.
captures_whole() {
	timeout $((60 * scale)) daq capture "$1" --channel all --frames 4 --quiet \
		2>"$dir/whole.log" && return
	quote "$(<"$dir/whole.log")"
	return 1
}

# capture_begins IFNAME [OPTION...]: in the background, the process $capture; it is in
# the middle of it when this returns.
capture_begins() {
	: >"$dir/capture"
	daq capture "$1" --channel all --quiet --allow-loss --json "$dir/json" "${@:2}" \
		2>"$dir/capture" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/capture" && sleep 0.3
}

is_told() {
	grep -q "^daq: " "$dir/capture"
}

# told_within MS PATTERN: the capture fails with such a message so soon after $since,
# microseconds as in EPOCHREALTIME.
told_within() {
	local status=0 took

	wait_for 20 is_told
	took=$(((${EPOCHREALTIME/./} - since) / 1000))
	wait "$capture" || status=$?
	echo "# told after $took ms, ended after $(((${EPOCHREALTIME/./} - since) / 1000)) ms"
	# shellcheck disable=SC2053 # a pattern
	[ "$status" -eq 1 ] && [ "$took" -le $(($1 * scale)) ] &&
		[[ $(<"$dir/capture") == $2 ]] && return
	echo "# status $status, told after $took ms: $(<"$dir/capture")"
	return 1
}

# accounted NAME IFNAME: every segment, while the card is down.
accounted() {
	local produced=0 sum=0 counter

	read_stats "$2"
	for counter in "${!stats[@]}"; do
		case $counter in
		ch*_produced) produced=$((produced + stats[$counter])) ;;
		ch*_socket | ch*_stack | ch*_xdp_tx | ch*_drop_*) sum=$((sum + stats[$counter])) ;;
		esac
	done
	equal "$1: produced = delivered + dropped" "$produced" "$sum"
	check "$1: and that is some" [ "$produced" -gt 100 ]
}

# command_card CARD COMMAND: to the process that plays card number CARD; its answer is in the
# array answer.
command_card() {
	local line='' port

	answer=()
	exec {port}<>"$ports/card$1" && echo "$2" >&"$port" || return
	while read -r -t 20 line <&"$port"; do
		answer+=("$line")
		case $line in
		ok | error:*) break ;;
		esac
	done
	exec {port}>&-
	[ "$line" = ok ]
}

# answer_of WORD NAME: what the answer's first line that begins so says about NAME.
answer_of() {
	local line

	for line in "${answer[@]}"; do
		[[ $line == "$1 "* ]] || continue
		line=${line#* "$2"=}
		echo "${line%% *}"
		return
	done
}

# QEMU's monitor, see VM_MONITOR of vm/run.sh.

# QEMU knows that the first command has to be this one, and refuses it later.
monitor_open() {
	[ -e "$ports/monitor" ] && exec {monitor}<>"$ports/monitor" || return
	qemu '{"execute":"qmp_capabilities"}' >/dev/null
	qemu '{"execute":"query-name"}'
}

# qemu COMMAND: until it answers; the answer is in the variable said, events that come
# before are forgotten.
qemu() {
	echo "$1" >&"$monitor"
	while read -r -t 20 said <&"$monitor"; do
		case $said in
		'{"return"'*) return 0 ;;
		'{"error"'*) break ;;
		esac
	done
	quote "$said"
	return 1
}

# plug CARD: into its slot; QEMU connects to the process that plays it.
plug() {
	local folder

	folder=$(</proc/cmdline)
	folder=${folder##*vm_run=}
	folder=/repo/build/vm/${folder%% *}
	qemu '{"execute":"device_add","arguments":{"driver":"vfio-user-pci",
		"id":"card'"$1"'","bus":"slot'"$1"'",
		"socket":{"type":"unix","path":"'"$folder/card$1"'"}}}'
}

# unplug CARD: until QEMU has let go of it, which takes the guest's consent.
unplug() {
	unplug_begins "$1" && unplug_ends "$1"
}

unplug_begins() {
	qemu '{"execute":"device_del","arguments":{"id":"card'"$1"'"}}'
}

unplug_ends() {
	while read -r -t $((20 * scale)) said <&"$monitor"; do
		[[ $said != *DEVICE_DELETED*'"device": "card'"$1"'"'* ]] || return 0
	done
	return 1
}
