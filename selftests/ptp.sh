#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The card's clock as others use it: ethtool, phc_ctl and phc2sys of linuxptp, tcpdump
# with hardware time stamps.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# clock_of CARD: its device.
clock_of() {
	local path

	for path in "/sys/class/net/$1/device/ptp"/ptp*; do
		echo "/dev/${path##*/}"
	done
}

phc() {
	phc_ctl -q "$clock" -- "$@"
}

# Sets time to whole seconds of the clock.
read_clock() {
	time=$(phc get)
	time=${time##*clock time is }
	time=${time%%.*}
}

# is_about SECONDS: the clock was set to that some minutes ago at most.
is_about() {
	read_clock
	[ "$time" -ge "$1" ] && [ "$time" -lt $(($1 + 600)) ]
}

# measure COMMAND...: sets offset to the ns that the clock is ahead of the system's
# behind them, and at to the ms when that was.
measure() {
	local output

	output=$(phc "$@" cmp | grep 'offset from')
	at=${output#*[}
	at=${at%%]*}
	at=${at/./}
	offset=${output##*CLOCK_REALTIME is }
	offset=$((-${offset%ns}))
}

test_show() {
	local output

	check "the clock is there" [ -c "$clock" ]
	output=$(ethtool -T daqt0)
	matches "ethtool -T: names it" "$output" "*[Hh]ardware*: ${clock#/dev/ptp}*"
	matches "ethtool -T: hardware time stamps of all that comes in and goes out" "$output" \
		"*hardware-transmit*hardware-receive*hardware-raw-clock*Transmit*off*on*Filter*none*all*"
	output=$(ethtool -T daqt1)
	matches "ethtool -T: the other card has a clock of its own" "$output" \
		"*[Hh]ardware*: ${other#/dev/ptp}*"
	[ "$clock" != "$other" ]
	result $? "which is another one"
	measure
	check "begins with the system's time" [ "${offset#-}" -lt 1000000000 ]
}

test_set() {
	phc set 1000000.5 >/dev/null
	check "phc_ctl set" is_about 1000000
	phc set 1000000 adj -1000 >/dev/null
	check "phc_ctl adj: back" is_about 999000
	phc set 1000000 adj 1000000 >/dev/null
	check "phc_ctl adj: forward" is_about 2000000
	clock=$other measure
	check "the other card's clock keeps its time" [ "${offset#-}" -lt 1000000000 ]
}

# speed PPB LOW HIGH: with that frequency the clock gains so many ns per ms.
speed() {
	local from from_at gained

	measure set freq "$1"
	from=$offset
	from_at=$at
	measure wait 2
	gained=$(((offset - from) / (at - from_at)))
	echo "# $1 ppb: $gained ns per ms"
	check "phc_ctl freq $1" [ "$gained" -gt "$2" -a "$gained" -lt "$3" ]
}

test_speed() {
	speed 30000000 24000 36000
	speed -30000000 -36000 -24000
	speed 0 -4000 4000
	equal "the kernel knows the limit" \
		"$(<"/sys/class/ptp/${clock#/dev/}/max_adjustment")" 31249999
}

# The first segment that tcpdump gets: sets stamp to the ns that it shows, header to
# those in the segment's header.
capture_stamp() {
	local output

	output=$(timeout 60 tcpdump -i daqt0 -j adapter_unsynced \
		--time-stamp-precision=nano -tt -n -c 1 -s 64 -xx \
		'ether proto 0x88b5' 2>/dev/null)
	stamp=${output%% *}
	stamp=${stamp/./}
	header=${output##*0x0030:}
	header=${header%%0x0040:*}
	header=${header//[[:space:]]/}
	header=$((16#${header:0:16}))
}

test_stamps() {
	daq set daqt0 --channel 0 --source counter
	phc set 5000000 >/dev/null
	capture_stamp
	read_clock
	check "segments have the time that the clock was set to" \
		[ "$header" -ge 4999000000000000 -a "$header" -lt "${time}999999999" ]
	if [[ $(ethtool -T daqt0) == *Transmit*on*Filter* ]]; then
		equal "tcpdump shows it as hardware time stamp" "$stamp" "$header"
	else
		skip "tcpdump shows it as hardware time stamp" \
			"libpcap takes none from who does not stamp what is sent"
	fi
	read_stats daqt0
	equal "setting the clock lost nothing" "${stats[ch0_drop_no_buffer]}" 0
	daq set daqt0 --channel 0 --source none
}

test_down() {
	ip link set daqt0 down
	phc set 3000000 >/dev/null
	check "the clock can be set while the interface is down" is_about 3000000
	ip link set daqt0 up
	check "and goes on when it is up again" is_about 3000000
	wait_for_carrier daqt0
}

start_phc2sys() {
	# Now, not when it starts: nobody may read what the last one said.
	: >"$dir/phc2sys"
	phc2sys -s CLOCK_REALTIME -c "$clock" -O 0 -m -q "$@" >>"$dir/phc2sys" 2>&1 &
	phc2sys=$!
}

# follows RATIO [OPTION...]: phc2sys brings the clock to a part of the first offset.
follows() {
	local ratio=$1

	shift
	start_phc2sys -R 4 "$@"
	wait_for 60 shrunk "$ratio"
	result $? "phc2sys${*:+ $*}: the offset shrinks to less than 1 in $ratio"
	kill "$phc2sys"
	wait "$phc2sys" 2>/dev/null
	sed -n 's/^/# /; 1,2p; $p' "$dir/phc2sys"
}

shrunk() {
	local offsets

	mapfile -t offsets < <(sed -n 's/.* offset *-\{0,1\}\([0-9]*\) .*/\1/p' "$dir/phc2sys")
	[ "${#offsets[@]}" -gt 3 ] &&
		[ $((${offsets[-1]} * $1)) -lt "${offsets[0]}" ] &&
		[ $((${offsets[-2]} * $1)) -lt "${offsets[0]}" ]
}

test_follow() {
	# At first it sets the clock.
	phc set 1000000 freq 5000 >/dev/null
	follows 1000000
	# Now by nothing but the speed.
	phc set adj 0.02 freq 0 >/dev/null
	follows 20 -F 0
}

clock_gone() {
	[ ! -e "$clock" ] && [ ! -e "/sys/class/ptp/${clock#/dev/}" ]
}

# Whoever uses a clock when its card goes must not use what is no more.
test_remove() {
	start_phc2sys -R 50
	wait_for 60 grep -q offset "$dir/phc2sys"
	exec 9<"$clock"
	check "a card goes while its clock is in use" remove_card daqt0
	check "and so does the clock" clock_gone
	wait "$phc2sys" 2>/dev/null
	check "the module goes too" modprobe -r daq
	exec 9<&-
	check "and all its clocks" [ ! -e "$other" ]
}

begin
make_card daqt0 2 && make_card daqt1 1
result $? "two cards"
clock=$(clock_of daqt0)
other=$(clock_of daqt1)
test_show
test_set
test_speed
test_stamps
test_down
test_follow
test_remove
finish
