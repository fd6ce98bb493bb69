#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: profile.sh BENCH-OPTION...
#
# Which functions of the kernel execute the instructions that the bench counts: one
# measurement, see bench --help, in a virtual machine that a plugin of QEMU's looks into.
# Prints instructions and calls per segment, context and function, what takes most first;
# "user" is all of the consumer and its libraries, "program" the XDP program.
#
#   selftests/bench/profile.sh --case a --segment 65536 --frame 655360

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

folder=build/profile
cd "$repo"
need_root "$@"
mkdir -p "$folder"
rm -f "$folder"/*

version=$("$vm_dir/chroot.sh" sh -c 'basename /lib/modules/6.*')
"$vm_dir/chroot.sh" make -s bench-module O=build KVER="$version" >&2
"$vm_dir/chroot.sh" gcc -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden \
	-o "$folder/plugin.so" selftests/bench/profile.c

# shellcheck disable=SC2016 # for the guest to expand
guest='echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
modprobe daq && insmod build/bench-module-$(uname -r)/daq_bench.ko || exit
grep -i " [tw] " /proc/kallsyms >build/profile/symbols
build/vm/$(uname -r)/selftests/bench '"$*"' >build/profile/result &&
	cat build/profile/result'
VM_CLOCK=virtual VM_CPUS=1 VM_APPEND="nokaslr ${VM_APPEND-}" \
	VM_QEMU="${BENCH_QEMU:--cpu max,-erms,-fsrm,-fsrs} -plugin \
/repo/$folder/plugin.so,output=/repo/$folder/places ${VM_QEMU-}" \
	"$vm_dir/run.sh" "$guest" >&2

# Symbols and places by address: a place belongs to the last symbol before it, or, if that
# is some MiB away, to a BPF program.
result=$(tr ' ' '\n' <"$folder/result")
segments=$(($(sed -n 's/^frames=//p' <<<"$result") * $(sed -n 's/^frame=//p' <<<"$result") /
	$(sed -n 's/^segment=//p' <<<"$result")))
{
	awk '{ print $1, 0, $3 }' "$folder/symbols"
	awk '{ print $2, 1, $1, $3 }' "$folder/places"
} | sort -k 1,2 | awk -v segments=$segments '
	BEGIN { split("idle card user system irq softirq clock other", names) }
	$2 == 0 { symbol = $3; start = $1; next }
	$3 >= 3 && $3 <= 6 {
		name = substr($1, 1, 10) == substr(start, 1, 10) ? symbol : "program"
		name = names[$3] " " (substr($1, 1, 1) == "0" ? "user" : name)
		sum[name] += $4
		if ($1 == start)
			calls[name] += $4
	}
	END {
		for (name in sum)
			printf "%9.1f %7.2f %s\n", sum[name] / segments,
				calls[name] / segments, name
	}' | sort -rn
