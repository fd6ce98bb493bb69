#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run-here.sh PROGRAMS TEST...
#
# Part of run.sh, in the guest and in the root file system: runs tests one by one, a
# .sh file from this folder, else a program from the folder PROGRAMS. Marks in the
# output tell where each begins and how it ended.

here=$(cd "$(dirname "$0")" && pwd -P)
programs=$(cd "$1" && pwd -P) || exit
shift
export PATH=$programs:$PATH

for test; do
	case $test in
	*.sh) file=$here/$test ;;
	*) file=$programs/$test ;;
	esac
	echo "@begin $test"
	SECONDS=0
	timeout -k 5 "${TEST_TIMEOUT:-400}" "$file" </dev/null 2>&1
	status=$?
	echo "# took $SECONDS s"
	echo "@end $test $status"
done
