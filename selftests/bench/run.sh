#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [short|outside]
#
# Measures what it costs to receive a card's data with this driver and in other ways, in
# one and the same virtual machine, whose time is the number of instructions that it has
# executed. Tables, curves and all numbers are in build/bench then: table.md, *.png,
# results. Its output is KTAP: whether the steady state is as it has to be.
#
#   short    only what shows that it works
#   outside  only a, and the references from outside
#
# Environment:
#   NATIVE=1      no virtual machine: on this one, where the driver is installed. Times
#                 are real then, and what is called an instruction is a nanosecond or so.
#   BENCH_QEMU=   processor of the virtual machine (default: -cpu max,-erms,-fsrm,-fsrs, for
#                 a string instruction counts once for each of its words)
#   VM_*          see ../vm/run.sh

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

folder=build/bench
mode=${1-}

build_native() {
	make -s all bench-module
}

build_for_guest() {
	local version

	version=$("$vm_dir/chroot.sh" sh -c 'basename /lib/modules/6.*')
	"$vm_dir/chroot.sh" make -s bench-module O=build KVER="$version"
}

# In the guest, or here: measure and report.
# shellcheck disable=SC2016 # for it to expand
measure='programs=$PROGRAMS
selftests/bench/guest.sh "$programs" "build/bench-module-$(uname -r)/daq_bench.ko" \
	build/bench/results '"$mode"' &&
	"$programs/bench-report" build/bench/results build/bench'

cd "$repo"
mkdir -p "$folder"
rm -f "$folder"/*.png "$folder"/table.md "$folder"/results
if [ -n "${NATIVE-}" ]; then
	need_root "$@"
	build_native
	PROGRAMS=build/selftests bash -c "$measure"
	exit
fi
build_for_guest >&2
# shellcheck disable=SC2016 # for the guest to expand
VM_CLOCK=virtual VM_CPUS=1 VM_TIMEOUT=${VM_TIMEOUT:-3600} \
	VM_QEMU="${BENCH_QEMU:--cpu max,-erms,-fsrm,-fsrs} ${VM_QEMU-}" \
	"$vm_dir/run.sh" 'PROGRAMS=build/vm/$(uname -r)/selftests; '"$measure"
