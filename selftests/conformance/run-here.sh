#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run-here.sh SUITES JOB...
#
# Part of run.sh, in the guest: runs jobs one by one, with the kernel's own tests in
# the folder SUITES (see suites.sh) and software cards. A job is one of
#
#   xsk-VERSION-MODE[-busy]-WIRING[:PART]   xskxceiver of kernel VERSION; MODE is skb,
#                                           drv or zc, WIRING loop (a card's loop-back)
#                                           or pair (two cards and a cable); with PART
#                                           only the tests that have it in their name,
#                                           or one of several, PART,PART; with !PART
#                                           all but those
#   net-VERSION-SCRIPT                      drivers/net/SCRIPT.py of kernel VERSION
#
# The output is as that of ../run-here.sh, with the job as the test. What the file
# "expected" does not list has to pass. A job ends with a line of its counts.

# shellcheck disable=SC2317 # functions that only "$setup" calls
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
suites=$1
kernel=$(uname -r)
shift

# What one test may take; the suites' own time-outs are shorter.
test_seconds=60
script_seconds=600

quote() {
	printf '#   %s\n' "${1//$'\n'/$'\n#   '}"
}

# find_expected TEST: sets expected (fail, skip, omit or nothing) and reason.
find_expected() {
	local kernels jobs tests

	while read -r kernels jobs tests expected reason; do
		# shellcheck disable=SC2053 # patterns
		[[ $kernels != '#'* && $kernel == $kernels && $job == $jobs && $1 == $tests ]] &&
			return
	done <"$here/expected"
	expected=
	reason=
}

# judge OUTCOME TEST: pass, fail, skip or omit becomes a result.
judge() {
	count=$((count + 1))
	find_expected "$2"
	case $1 in
	pass)
		passed=$((passed + 1))
		[ -z "$expected" ] || echo "# $2 passed, but is listed to $expected: $reason"
		echo "ok $count $2"
		;;
	"$expected")
		expectations=$((expectations + 1))
		echo "ok $count $2 # ${directives[$1]} $reason"
		;;
	*)
		failed=$((failed + 1))
		echo "not ok $count $2 # ${1}, which is not expected"
		;;
	esac
}
declare -A directives=([fail]=XFAIL [skip]=SKIP [omit]="SKIP not run,")

# Wiring: each sets interfaces, for xskxceiver.

make_card() {
	ip link add "$1" numrxqueues 4 numtxqueues 4 type daq
}

wire_loop() {
	make_card daq0 && daq set daq0 --channel 0-3 --source loopback
	interfaces=(daq0 daq0)
}

wire_pair() {
	make_card daq0 && make_card daq1 && daq cable daq0 daq1
	interfaces=(daq0 daq1)
}

# The scripts' tests talk to the other card in a name space of its own.
wire_peer() {
	wire_pair &&
		ip netns add peer &&
		ip link set daq1 netns peer &&
		give_addresses daq0 1 &&
		give_addresses daq1 2 -n peer
}

# give_addresses CARD NUMBER [IP-OPTION...]
give_addresses() {
	local card=$1 number=$2

	shift 2
	ip "$@" link set "$card" up &&
		ip "$@" address add "192.0.2.$number/24" dev "$card" &&
		ip "$@" address add "2001:db8::$number/64" dev "$card" nodad
}

unwire() {
	ip netns del peer
	ip link del daq1
	ip link del daq0
} 2>/dev/null

max_mtu() {
	ip -d link show "$1" | sed -n 's/.* maxmtu \([0-9]*\).*/\1/p'
}

# The kernel takes the chunks of a socket from its queue some time after it was closed.
# As long as they are there, no MTU can be set that is too much for them.
await_chunks() {
	local look

	for look in {1..100}; do
		[ "$(max_mtu "$1")" != "$unlimited" ] || return 0
		sleep 0.05
	done
	echo "# $1: the chunks of the last test are still there after $look looks"
}

# A test leaves its MTU and its program behind, as the suite's own script knows.
reset_interfaces() {
	local card

	for card in "${interfaces[@]}"; do
		ip link set "$card" mtu 1500 xdp off
		ip link set "$card" xdpgeneric off
		ip link set "$card" up
		await_chunks "$card"
	done
}

# As the suite's own script does for its busy-polling tests.
let_poll() {
	local card

	for card in "${interfaces[@]}"; do
		echo 2 >"/sys/class/net/$card/napi_defer_hard_irqs"
		echo 200000 >"/sys/class/net/$card/gro_flush_timeout"
	done
}

# The suite gives up after 3 s, and looks at two counters 1 ms after the last packet;
# both is little on a loaded machine. was_late NAME
was_late() {
	[[ $outcome == fail ]] &&
		[[ $output == *'timed out'* || $1 == STAT_RX_FULL || $1 == STAT_FILL_EMPTY ]]
}

# run_xsk_test INDEX: sets outcome and output.
run_xsk_test() {
	reset_interfaces
	output=$(timeout -k 5 "$test_seconds" "$xskxceiver" "${options[@]}" -t "$1" 2>&1)
	case $?,$output in
	0,*$'\nok 1 # SKIP'*) outcome=skip ;;
	0,*$'\nok 1 '*) outcome=pass ;;
	124,*) outcome="no end after $test_seconds s" ;;
	*) outcome=fail ;;
	esac
}

# is_wanted NAME PART
is_wanted() {
	local part

	case $2 in
	'') return 0 ;;
	!*) [[ $1 != *${2#!}* ]] ;;
	*)
		for part in ${2//,/ }; do
			[[ $1 != *$part* ]] || return 0
		done
		return 1
		;;
	esac
}

run_xsk() {
	local version=$1 mode=$2 busy=$3 wiring=$4 part=$5 index name
	local xskxceiver=$suites/$version/tools/testing/selftests/bpf/xskxceiver

	sysctl -q vm.nr_hugepages=64
	"wire_$wiring" || return
	unlimited=$(max_mtu "${interfaces[0]}")
	options=(-i "${interfaces[0]}" -i "${interfaces[1]}" -m "$mode")
	if [ -n "$busy" ]; then
		let_poll
		options+=(-b)
	fi
	while IFS=': ' read -r index name; do
		[[ $index == [0-9]* ]] || continue
		is_wanted "$name" "$part" || continue
		find_expected "$name"
		if [ "$expected" = omit ]; then
			judge omit "$name"
			continue
		fi
		run_xsk_test "$index"
		if was_late "$name"; then
			echo "# $name was late: once again"
			retried=$((retried + 1))
			run_xsk_test "$index"
		fi
		[ "$outcome" = pass ] || quote "$output"
		judge "$outcome" "$name"
	done < <("$xskxceiver" -l)
}

run_net() {
	local version=$1 script=$2 number name line plan='' status
	local root=/tmp/suites-$version

	# For Python to keep what it compiles.
	[ -d "$root" ] || cp -r "$suites/$version" "$root"
	modprobe netconsole
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	wire_peer || return
	while IFS= read -r line; do
		read -r _ number name <<<"${line#not }"
		case $line in
		@*) status=${line#@} ;;
		1..*) plan=${line#1..} ;;
		'ok '*' # SKIP'* | 'ok '*' # XFAIL'*)
			echo "# ${name#* # }"
			judge skip "${name%% # *}"
			;;
		'ok '*) judge pass "$name" ;;
		'not ok '*) judge fail "${name%% # *}" ;;
		*) echo "# ${line#\# }" ;;
		esac
	done < <(NETIF=daq0 LOCAL_V4=192.0.2.1 LOCAL_V6=2001:db8::1 \
		REMOTE_V4=192.0.2.2 REMOTE_V6=2001:db8::2 \
		REMOTE_TYPE=netns REMOTE_ARGS=peer \
		timeout -k 5 "$script_seconds" \
		python3 "$root/tools/testing/selftests/drivers/net/$script.py" 2>&1 </dev/null
		echo "@$?")
	[ "$count" = "$plan" ] ||
		judge "status $status after $count tests of ${plan:-none}" "$script"
}

run_job() {
	local name=${job%%:*} part='' status=0

	[ "$name" = "$job" ] || part=${job#*:}
	count=0 passed=0 failed=0 expectations=0 retried=0
	if [[ $name =~ ^xsk-([0-9.]+)-(skb|drv|zc)(-busy)?-(loop|pair)$ ]]; then
		run_xsk "${BASH_REMATCH[@]:1:4}" "$part" || status=$?
	elif [[ $name =~ ^net-([0-9.]+)-([a-z_/]+)$ ]]; then
		run_net "${BASH_REMATCH[@]:1}" || status=$?
	else
		echo "# no such job"
		status=2
	fi
	unwire
	echo "1..$count"
	echo "# counts: $job $passed $failed $expectations $retried"
	[ "$status" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$count" -ne 0 ]
}

# xskxceiver's sender sleeps after each batch, beside a receiver that spins, and both
# have three seconds. On a processor that they share the sender has to go on when its
# sleep ends, and not some ticks later.
let_wakeups_preempt() {
	local sched=/sys/kernel/debug/sched

	mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
	echo NO_RUN_TO_PARITY >"$sched/features"
	echo 100000 >"$sched/base_slice_ns"
}

let_wakeups_preempt
for job; do
	echo "@begin $job"
	echo 'KTAP version 1'
	run_job
	echo "@end $job $?"
done
