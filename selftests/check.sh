#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: check.sh
#
# Static checks: checkpatch --strict, kernel-doc, sparse and W=1 for kernel
# code; gcc and clang with warnings as errors for user space; shellcheck. Builds
# go to build/check. Prints what is wrong and exits with 1 then.

# shellcheck disable=SC2317 # check() calls the other functions
set -uo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd -P)
out=$repo/build/check
scripts=/usr/src/daq-kselftest/scripts
failed=0

# check NAME COMMAND...: output is a finding, and so is a bad exit status.
check() {
	local name=$1 findings status

	shift
	findings=$("$@" 2>&1)
	status=$?
	if [ -z "$findings" ] && [ "$status" -eq 0 ]; then
		printf 'check: %-12s ok\n' "$name"
		return
	fi
	printf 'check: %-12s FAILED\n%s\n' "$name" "$findings"
	failed=1
}

# daq_model_user.h is for user space: it defines what checkpatch asks for.
kernel_sources() {
	find drivers include selftests/vm/planted selftests/vm/failnth -name '*.[ch]' \
		! -name daq_model_user.h
	find selftests/bench -name 'bench_*.c' -o -name bench.h -o -name daq_bench.h
}

# daq_compat.h is there to ask for the kernel's version.
run_checkpatch() {
	local file

	for file in $(kernel_sources); do
		perl "$scripts/checkpatch.pl" --no-tree --strict --terse \
			--show-types --no-summary \
			--ignore LINUX_VERSION_CODE -f "$file"
	done
	rm -f .checkpatch-camelcase*
}

run_kernel_doc() {
	kernel_sources | xargs perl "$scripts/kernel-doc" -none -Wall
}

# build_module VERSION [VARIABLE=VALUE...]: anew, for the compiler to say
# everything again.
build_module() {
	local version

	version=$(find /lib/modules -maxdepth 1 -name "$1*" -printf '%f\n')
	shift
	rm -rf "${out:?}/module-$version"
	make -s modules O="$out" KVER="$version" W=1 "$@"
}

# The same of the bench's module.
build_bench() {
	local version

	version=$(find /lib/modules -maxdepth 1 -name "$1*" -printf '%f\n')
	shift
	rm -rf "${out:?}/bench-module-$version"
	make -s bench-module O="$out" KVER="$version" W=1 "$@"
}

build_user() {
	rm -rf "${out:?}/$1"
	make -s O="$out/$1" CC="$1" CFLAGS='-O2 -g -Wall -Wextra -Werror' \
		bpf lib tools/daq samples selftests |
		{ grep -v '^  [A-Z]* *[^ ]*$' || true; }
}

run_shellcheck() {
	grep -rlE '^#!/bin/(ba)?sh' .ci selftests tools samples |
		xargs -r shellcheck -x
}

main() {
	cd "$repo" || exit 1
	check checkpatch run_checkpatch
	check kernel-doc run_kernel_doc
	check "6.12 sparse" build_module 6.12 C=2
	# Debian's sparse is too old for it.
	check "7.x" build_module 7.
	check "6.12 bench" build_bench 6.12 C=2
	check "7.x bench" build_bench 7.
	check gcc build_user gcc
	check clang build_user clang
	check shellcheck run_shellcheck
	exit "$failed"
}

main
