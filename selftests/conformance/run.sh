#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [JOB...]
#
# Runs the kernel's own network tests on software cards in virtual machines: those of
# both kernels that the root file system has, each on its kernel, and of the newer
# ones on 6.12 those that the older version does wrong. Takes half an hour; shows what
# it does, and a table of counts at the end.
#
# The guests' clocks are virtual: the tests have time-outs of three seconds, which what
# else the host does has no part in then. Each has one processor, for QEMU emulates
# several in turns then, which take milliseconds. Both kernels are at work at the same
# time.
#
# JOB selects jobs by patterns such as 'xsk-7.3-zc-*', see run-here.sh. Results are in
# build/conformance, one file for each kernel.

set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/../.." || exit
logs=build/conformance
wanted=("$@")

# Without a peer or with one; the rest needs other hardware.
scripts_6_12=(queues stats ping)
scripts_7_3=(queues stats ping xdp ring_reconfig napi_id napi_threaded netpoll_basic
	hw/irq hw/nic_timestamp hw/xdp_metadata hw/xsk_reconfig)

# What the 6.12 suite does wrong, see "expected".
mended=9K_PACKETS,INV,TOO_MANY_FRAGS

# xsk_jobs VERSION: every mode, each plain and busy polling, in both wirings.
xsk_jobs() {
	printf '%s\n' "xsk-$1"-{zc,drv,skb}{,-busy}-{loop,pair}
}

# jobs_of KERNEL
jobs_of() {
	case $1 in
	6.12)
		xsk_jobs 6.12
		printf "%s:$mended\n" xsk-7.3-{zc,drv,skb}{,-busy}-{loop,pair}
		printf 'net-6.12-%s\n' "${scripts_6_12[@]}"
		;;
	7)
		xsk_jobs 7.3
		printf 'net-7.3-%s\n' "${scripts_7_3[@]}"
		;;
	esac
}

# Those of standard input that are wanted.
select_jobs() {
	local job pattern

	while read -r job; do
		[ "${#wanted[@]}" -ne 0 ] || echo "$job"
		for pattern in "${wanted[@]}"; do
			# shellcheck disable=SC2053 # patterns
			[[ $job != $pattern ]] || echo "$job"
		done
	done
}

# run_kernel KERNEL SUITES: every job on that kernel. Is its process' last.
run_kernel() {
	local jobs

	mapfile -t jobs < <(jobs_of "$1" | select_jobs)
	[ "${#jobs[@]}" -ne 0 ] || return 0
	VM_KERNEL=$1 VM_SHARE=$2 VM_CLOCK=virtual VM_CPUS=1 exec selftests/vm/run.sh \
		"selftests/conformance/run-here.sh /share ${jobs[*]}" &>"$logs/$1.log"
}

table() {
	local kernel

	for kernel in "${kernels[@]}"; do
		sed -n "s/^# counts: /$kernel /p" "$logs/$kernel.log"
	done | awk '
		BEGIN {
			format = "%-7s %-34s %5s %6s %8s %7s\n"
			printf format, "KERNEL", "JOB", "PASS", "FAILED", "EXPECTED", "RETRIED"
		}
		{
			printf format, $1, $2, $3, $4, $5, $6
			jobs++; pass += $3; failed += $4; expected += $5; retried += $6
		}
		END { printf format, "all", jobs " jobs", pass, failed, expected, retried }'
}

kernels=(6.12 7)
machines=()
status=0
export VM_TIMEOUT=${VM_TIMEOUT:-7200}

suites=$("$here/suites.sh") || exit
trap 'kill "${machines[@]}" 2>/dev/null; wait' EXIT
mkdir -p "$logs"
for kernel in "${kernels[@]}"; do
	: >"$logs/$kernel.log"
	run_kernel "$kernel" "$suites" &
	machines+=($!)
done
for i in "${!kernels[@]}"; do
	tail -n +1 -f --pid="${machines[i]}" "$logs/${kernels[i]}.log"
	wait "${machines[i]}" || status=1
done
table
if ! grep -q '^@begin' "$logs"/*.log; then
	echo "nothing ran: no such job, or see above"
	status=1
fi
exit "$status"
