#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `daq doctor` finds a good machine good, each fault that is made here, and a cure.

# shellcheck disable=SC2317 # functions that only check calls
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# examine [COMMAND...]: status and report are those of daq doctor, run by COMMAND.
examine() {
	status=0
	report=$("$@" daq doctor "${cards[@]}" --quiet 2>&1) || status=$?
}

# found NAME STATUS PATTERN [COMMAND...]: such a finding.
found() {
	local name=$1 expected=$2 pattern=$3

	shift 3
	examine "$@"
	if [ "$status" -ne "$expected" ]; then
		echo "# status $status instead of $expected"
		quote "$report"
		result 1 "$name"
	else
		matches "$name" "$report" "$pattern"
	fi
}

# cured NAME PATTERN: that finding has gone.
cured() {
	examine
	# shellcheck disable=SC2053 # a pattern
	if [[ $report == $2 ]]; then
		quote "$report"
		result 1 "$1"
	else
		result 0 "$1"
	fi
}

test_without_card() {
	local cards=()

	rmmod daq 2>/dev/null
	found 'no driver' 1 '*PROBLEM*driver is not loaded*# modprobe daq*'
	modprobe daq
	if ! on_bus; then
		found 'no card' 1 '*PROBLEM*there is no card*# ip link add daq0*'
	fi
	cards=(nothing0)
	found 'no such card' 1 '*PROBLEM*nothing0*no such interface*'
}

# What a healthy machine is, this one is made to be.
make_healthy() {
	sysctl -q vm.nr_hugepages=32 net.core.bpf_jit_enable=1 kernel.unprivileged_bpf_disabled=2
	daq set daqt0 --channel 0 --source counter --sample-bytes 2 --segment 16384 \
		--frame 65536 --rate $((65536 * 5 / scale))
	ethtool -C daqt0 rx-usecs $((1000000 * scale))
}

test_healthy() {
	local allowed=()

	make_healthy
	examine
	equal 'a good machine: no problem' "$status" 0
	# Where the interrupts of cards on the bus come to is the machine's own affair.
	equal 'a good machine: nothing to advise' \
		"$(grep -v 'the same processor\|smp_affinity' <<<"$report")" ''
	daq doctor daqt0 --json >"$dir/json"
	! on_bus || allowed=(interrupts)
	check 'JSON: everything that is fine' python3 - "$dir/json" "${allowed[@]}" <<-'PYTHON'
	import json, sys
	report = json.load(open(sys.argv[1]))
	assert report["problems"] == 0, report
	advice = [f for f in report["findings"] if f["level"] == "advice"]
	assert report["advice"] == len(advice), report
	assert {f["check"] for f in advice} <= set(sys.argv[2:]), report
	checks = {f["check"]: f for f in report["findings"]}
	for name in ("driver", "kernel", "link", "sources", "ring", "moderation", "losses",
	             "capabilities", "locked-memory", "huge-pages"):
	    assert checks[name]["level"] == "ok" and checks[name]["cure"] is None, name
	PYTHON
}

test_interface() {
	ip link set daqt0 down
	found 'interface down' 1 '*PROBLEM*daqt0*is down*# ip link set daqt0 up*'
	ip link set daqt0 up && wait_for_carrier daqt0
	daq set daqt0 --channel 0 --source none
	found 'no source' 0 '*advice*daqt0*no channel has a source*# daq set daqt0*'
	make_healthy
	ip link set daqt0 mtu 9000
	found 'a long MTU' 0 '*advice*MTU 9000*# ip link set daqt0 mtu 1500*'
	ip link set daqt0 mtu 1500
	cured 'a long MTU, cured' '*MTU*'
}

test_rights() {
	found 'no capabilities' 1 \
		'*PROBLEM*this user lacks CAP_NET_RAW CAP_NET_ADMIN CAP_BPF*# setcap*' \
		setpriv --reuid 65534 --bounding-set -all --inh-caps -all
	found 'no locked memory' 1 '*PROBLEM*at most 64 kB may be locked*# ulimit -l 4096*' \
		prlimit --memlock=65536 setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock
	sysctl -q vm.nr_hugepages=0
	found 'no huge pages' 0 '*advice*0 huge pages*# sysctl vm.nr_hugepages=2*'
	sysctl -q vm.nr_hugepages=32 net.core.bpf_jit_enable=0 2>/dev/null
	if [ "$(</proc/sys/net/core/bpf_jit_enable)" = 0 ]; then
		found 'no compiler' 0 '*advice*interpreted*# sysctl net.core.bpf_jit_enable=1*'
		sysctl -q net.core.bpf_jit_enable=1
	else
		skip 'no compiler' 'this kernel has no interpreter'
	fi
}

test_settings() {
	ethtool -G daqt0 rx 64 2>/dev/null
	daq set daqt0 --channel 0 --frame 1M
	found 'a short ring' 0 \
		'*advice*rings have 64 buffers*take 320*# ethtool -G daqt0 rx 512*'
	ethtool -G daqt0 rx 512
	cured 'a short ring, cured' '*rings*'
	ethtool -G daqt0 rx 4096
	ethtool -C daqt0 rx-usecs 1000
	found 'wake-ups for parts' 0 \
		'*advice*rx-usecs has consumers woken*# ethtool -C daqt0 rx-usecs *'
	ethtool -C daqt0 rx-usecs $((10000000 * scale))
	cured 'wake-ups for parts, cured' '*woken*'
	daq set daqt0 --channel 0 --segment 10000
	found 'frames in pieces' 0 '*advice*segments of channel 0 have 10000 bytes*--segment 8192*'
	make_healthy
}

# A consumer that stops: who it is, that data are being lost, and then that they were.
test_owner_and_loss() {
	local capture lost

	daq capture daqt0 -c 0 --copy --quiet --allow-loss --duration 100 --buffer 1M 2>"$dir/log" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/log"
	found 'an owner for whom is copied' 0 \
		"*advice*queue 0 is used by daq\[$capture\], for whom the kernel copies*"
	kill -INT "$capture"
	wait "$capture"
	daq capture daqt0 -c 0 --zero-copy --quiet --allow-loss --duration 100 2>"$dir/log" &
	capture=$!
	wait_for 20 grep -q capturing "$dir/log"
	matches 'an owner without a copy' "$(daq doctor daqt0)" \
		"*ok *queue 0 is used by daq\[$capture\], without a copy*"
	# Not what the queue lost when the socket was bound.
	read_stats daqt0
	lost=${stats[ch0_drop_no_buffer]}
	kill -STOP "$capture"
	wait_for 60 loses_since "$lost"
	found 'data that are being lost' 1 \
		'*PROBLEM*drop_no_buffer: *it goes on*# daq capture daqt0 --buffer*'
	kill -CONT "$capture"
	kill -INT "$capture"
	wait "$capture"
	daq set daqt0 --channel 0 --rate 1
	sleep 1
	found 'data that were lost' 0 '*advice*drop_no_buffer: *none right now*'
}

loses_since() {
	read_stats daqt0
	[ "${stats[ch0_drop_no_buffer]}" -gt "$1" ]
}

test_program() {
	local steer

	make_healthy
	steer=$(dirname "$(command -v pattern)")/../bpf/daq_steer.bpf.o
	check 'a generic XDP program is attached' \
		ip link set dev daqt0 xdpgeneric obj "$steer" sec xdp.frags
	found 'a generic XDP program' 1 \
		'*PROBLEM*generic mode*# ip link set dev daqt0 xdpgeneric off*'
	ip link set dev daqt0 xdpgeneric off
	daq set daqt0 --channel 0 --segment 2048 --frame 2048
	check 'somebody else attaches an XDP program' xdp-filter load daqt0 --mode native
	found 'another XDP program' 1 \
		'*PROBLEM*XDP program * is in the way*# ip link set dev daqt0 xdp off*'
	xdp-filter unload daqt0
	make_healthy
	cured 'another XDP program, cured' '*XDP program*'
}

begin
test_without_card
make_card daqt0 4
test_healthy
test_interface
test_rights
test_settings
test_owner_and_loss
test_program
finish
