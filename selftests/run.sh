#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [--debug] [TEST...]
#
# Runs the tests, all or those named here or in TESTS: the ones that need no kernel
# module in the root file system of the virtual machines, with sanitizers, then the
# others in virtual machines. The output is KTAP: one test for each file, with its own
# results inside. The last line counts results, files that did not finish their plan,
# and machines whose kernel complained. Before it is what failed, once more.
#
#   --debug  on the debug kernel, after showing that its detectors work. It is many
#            times slower, so tests that wait or count do so by TEST_SCALE.
#
# TEST_TIMEOUT=      seconds that one file may take (default: 400, debug: 1800)
# TEST_SCALE=        how much slower than usual the kernel is (default: 1, debug: 8)
# TEST_BACKEND=      soft or pci: all tests of cards, on such a card, and nothing else;
# TEST_PERSONALITY=  interrupt, polled or kicked: likewise
# TEST_LANES=        machines that run at a time (default: 2, which is what two processors
#                    can do; what is printed is in the same order)
# SNAP_DIR=          folder below build/ for the pictures of snap.sh, to be looked at
#
# See vm/run.sh for the VM_ variables.

set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/.." || exit

host_tests=(card_model card_modes card_doc card_outside card_bus card_fuzz lib_frame lib_record tool_units
	dissector)
# By themselves, since some count what the kernel does.
# modes: chunks that cross pages, which bounce buffers do not.
plain_tests=(link.sh ctl counters format.sh xdp ptp.sh cable.sh tap.sh window window.sh modes steady.sh lifetime.sh cycles personality.sh cpus.sh)
# What applications and people do with the library and the daq command.
user_tests=(samples.sh formats.sh dump.sh top.sh snap.sh verify.sh doctor.sh)
library_tests=(loss trigger sharing handover observer contiguous wakeups api stopped)
# All DMA through bounce buffers: what is not synchronised is not seen.
bounce_tests=(capture conserve xsk_bare joined metadata steer record.sh output forward classic abuse)
# What users may do who have no good in mind. Nothing that the kernel lets go of, or gets
# anew, is cleared: what is seen of it has leaked.
hostile_tests=(hostile fuzz)
hostile_kernel='nokaslr init_on_alloc=0 page_poison=1 slub_debug=P kfence.sample_interval=20'
# All DMA through bounce buffers, and by itself for the time that it takes.
reconf_tests=(ethtool.sh queues reconfig)
# By instructions, since a busy host makes times mean nothing.
counted_tests=(tap_cost)
# By instructions, too: the bench, but for what takes long.
bench_tests=(bench)
# Whether what differs in a newer kernel is taken into account.
newer_tests=(link.sh capture ptp.sh metadata ethtool.sh queues window)
# Whether it matters what card it is: back end, personality, tests.
kinds=(
	"soft polled xsk_bare modes output record.sh wakeups"
	"soft kicked xsk_bare modes output cable.sh record.sh loss wakeups"
	"pci interrupt ctl counters link.sh ptp.sh cpus.sh xdp window lifetime.sh ethtool.sh queues
		capture xsk_bare joined metadata steer record.sh output forward classic abuse loss trigger sharing
		handover observer contiguous wakeups tap.sh samples.sh formats.sh dump.sh
		top.sh snap.sh verify.sh doctor.sh stopped"
	"pci polled lifetime.sh capture xsk_bare output record.sh"
	"pci kicked lifetime.sh xsk_bare output record.sh wakeups"
)
# Real PCI, with a process at the other side of the bus, see pci.sh.
pci_tests=(pci.sh)
pci_cards='--channels 8;--channels 4 --personality kicked --interrupts none;--channels 2 --interrupts msi'
# The same, with files of the host as inputs and outputs.
external_tests=(external.sh)
external_files=/repo/build/external
external_inputs="--channels 4 --wait --input 0=$external_files/in0 --input 1=$external_files/in1"
external_cards="$external_inputs --output 2=$external_files/out;"
external_cards+="$external_inputs --personality polled;$external_inputs --personality kicked --fifo 512"
# Cards that go away while they work and others that come, errors of the bus.
removal_tests=(removal.sh aer.sh)
removal_cards='--channels 8 --interrupts msi --serial 0xda00000001;'
removal_cards+='--channels 4 --personality kicked --interrupts none --serial 0xda00000002;--channels 4'
# An IOMMU between the cards and memory.
iommu_tests=(viommu.sh removal.sh)
# What the process that plays a card has seen of a machine's end.
shutdown_tests=(shutdown.sh)
# Cards with faults, see faults.sh.
fault_tests=(faults.sh)
fault_cards='--channels 4;--channels 4 --personality kicked --fifo 512'
# Video on eight channels, byte by byte, and as much of it as goes.
frames_tests=(frames.sh)
rate_tests=(rate.sh)
frames_inputs="--channels 8 --wait"
for i in {0..7}; do
	frames_inputs+=" --input $i=/repo/build/frames/in$i"
done
frames_cards="$frames_inputs;$frames_inputs --personality polled;"
frames_cards+="$frames_inputs --personality kicked --fifo 512"
rate_cards=${frames_cards//--wait/--wait --loop}
# What cards the tests ask for on the PCI bus, besides one of each personality.
bus_channels=(8 4 3 2 1 64)

# Of the kernel's own tests some that end soon, see conformance/run.sh. Not what sends
# 4,096 batches in three seconds: that takes a machine that does nothing else.
suite_jobs=(xsk-6.12-zc-loop:!HW_SW_MIN xsk-6.12-zc-pair:SEND net-6.12-queues net-6.12-stats net-6.12-ping)

# That a report is what it takes to fail a machine.
detector_tests=(detectors.sh)
# By itself, since it lets kernel memory run out.
failing_tests=(failing)

passed=0
failed=0
skipped=0
files=0
# Of those that failed, with what they said last.
failures=()

debug=
if [ "${1-}" = --debug ]; then
	debug=1
	shift
	export VM_KERNEL=debug
	# Half the usual, and half the time for a scan of it.
	export VM_MEM=${VM_MEM:-2G}
	VM_TIMEOUT=${VM_TIMEOUT:-7200}
	TEST_TIMEOUT=${TEST_TIMEOUT:-1800}
	TEST_SCALE=${TEST_SCALE:-8}
fi
TEST_LANES=${TEST_LANES:-2}
# For all tests of a group together; an idle machine needs a quarter of it.
export VM_TIMEOUT=${VM_TIMEOUT:-2400}

read -ra wanted <<<"${TESTS-}"
wanted+=("$@")

# The tests of "$@" that are wanted, in the array selected.
select_tests() {
	local test

	selected=()
	for test; do
		[ "${#wanted[@]}" -ne 0 ] && [[ " ${wanted[*]} " != *" $test "* ]] ||
			selected+=("$test")
	done
	[ "${#selected[@]}" -ne 0 ]
}

file_result() {
	files=$((files + 1))
	if [ -z "$2" ]; then
		echo "ok $files $1"
	else
		echo "not ok $files $1 # $2"
	fi
}

# fail WHAT: counts it, and keeps it for the end, with the remarks just before it.
fail() {
	local from=$((${#remarks[@]} - 6))

	failed=$((failed + 1))
	failures+=("# $name${test:+, $test}: $1" "${remarks[@]:from > 0 ? from : 0}")
	remarks=()
}

# end_file NAME STATUS: judges a file whose output has been counted.
end_file() {
	local why=

	if [ "$plan" != "$results" ]; then
		why="ended with status $2 after $results results of a plan of ${plan:-none}"
		fail "$why"
	elif [ "$bad" -ne 0 ]; then
		why="$bad of $results failed"
	elif [ "$2" -ne 0 ]; then
		why="status $2 though nothing failed"
		fail "$why"
	fi
	file_result "$1" "$why"
	test=
}

count_line() {
	case $1 in
	'ok '*'# SKIP'*)
		results=$((results + 1))
		skipped=$((skipped + 1))
		remarks=()
		;;
	'ok '*)
		results=$((results + 1))
		passed=$((passed + 1))
		remarks=()
		;;
	'not ok '*)
		results=$((results + 1))
		bad=$((bad + 1))
		fail "$1"
		;;
	1..0*)
		plan=0
		skipped=$((skipped + 1))
		;;
	1..*) plan=${1#1..} ;;
	*) remarks+=("$1") ;;
	esac
}

# Reads what run-here.sh prints, and the status of what ran it, which is the last of a
# group's log.
show_and_count() {
	local line

	test='' status='?' remarks=()
	while IFS= read -r line; do
		case $line in
		'@begin '*)
			test=${line#@begin }
			plan='' results=0 bad=0 remarks=()
			echo "    # Subtest: $test"
			;;
		'@end '*)
			end_file "$test" "${line##* }"
			finished=$((finished + 1))
			;;
		'@status '*)
			status=${line##* }
			;;
		*)
			if [ -n "$test" ]; then
				count_line "$line"
			else
				remarks+=("$line")
			fi
			echo "    $line"
			;;
		esac
	done
	[ -z "$test" ] || end_file "$test" '?'
}

# show_group JOB LOG COUNT: what the job writes to the log, as it comes, of as many files
# in the group called name.
show_group() {
	local why=

	finished=0
	show_and_count < <(tail -n +1 -s 0.2 -f --pid="$1" "$2")
	if [ "$finished" -ne "$3" ]; then
		why="ended with status $status after $finished of $3 files"
	elif [ "$status" != 0 ]; then
		why="status $status: see above what the kernel or the build said"
	fi
	if [ -n "$why" ]; then
		fail "$why"
		file_result "$name" "$why"
	else
		passed=$((passed + 1))
		file_result "$name: every file ran, the console is as it has to be" ''
	fi
}

show_groups() {
	local job log tests name

	while IFS=$'\t' read -r job log tests name; do
		echo "# $name: $tests"
		# shellcheck disable=SC2086 # several
		set -- $tests
		show_group "$job" "$log" "$#"
	done
}

# run_group NAME COMMAND...: COMMAND runs the tests in the array selected, as soon as
# there is a lane for it. With ALONE in the environment, when nothing else runs.
run_group() {
	local name=$1 lanes=${ALONE:+$TEST_LANES} log

	shift
	log=$logs/${#jobs[@]}
	: >"$log"
	read -rn "${lanes:=1}" <&"$free"
	# A process group of its own, for its end to reach all of it.
	set -m
	{
		"$@" 2>&1
		echo "@status $?"
		printf "%${lanes}s" '' | tr ' ' . >&"$free"
	} >"$log" </dev/null &
	set +m
	jobs+=("$!")
	printf '%s\t%s\t%s\t%s\n' "$!" "$log" "${selected[*]}" "$name"
}

host() {
	# shellcheck disable=SC2317 # by run_group, as guest
	selftests/vm/chroot.sh sh -c "make -s -C bpf O=/repo/build/host all &&
		make -s -C selftests O=/repo/build/host host &&
		exec selftests/run-here.sh build/host/selftests ${selected[*]}"
}

guest() {
	# shellcheck disable=SC2016 # for the guest to expand
	selftests/vm/run.sh 'TEST_TIMEOUT='"${TEST_TIMEOUT-}"' \
		TEST_SCALE='"${TEST_SCALE:-1}"' \
		TEST_BACKEND='"${TEST_BACKEND:-soft}"' \
		TEST_PERSONALITY='"${TEST_PERSONALITY:-interrupt}"' \
		REMOVALS='"${REMOVALS-}"' REVOKES='"${REVOKES-}"' \
		FAULTS='"${FAULTS-}"' SEED='"${SEED-}"' FUZZ='"${FUZZ-}"' CALLS='"${CALLS-}"' EVERY='"${EVERY-}"' \
		RATE='"${RATE-}"' RATE_SECONDS='"${RATE_SECONDS-}"' \
		RATE_FRAMES='"${RATE_FRAMES-}"' RATE_TRIES='"${RATE_TRIES-}"' \
		SNAP_DIR='"${SNAP_DIR-}"' \
		selftests/run-here.sh "build/vm/$(uname -r)/selftests" '"${selected[*]}"
}

# Sets VM_CARDS to what tests on the PCI bus may take.
bus_cards() {
	local count kind own=${TEST_PERSONALITY:-interrupt}

	VM_CARDS=
	for count in "${bus_channels[@]}"; do
		VM_CARDS+="--channels $count --personality $own;"
	done
	for kind in interrupt polled kicked; do
		[ "$kind" = "$own" ] || VM_CARDS+="--channels 4 --personality $kind;"
	done
	export VM_CARDS
}

# The tests that are wanted of one of the kinds.
run_kind() {
	local TEST_BACKEND TEST_PERSONALITY VM_CARDS tests

	read -r -d '' TEST_BACKEND TEST_PERSONALITY tests <<<"$1"
	# shellcheck disable=SC2086 # several
	select_tests $tests || return 0
	[ "$TEST_BACKEND" != pci ] || bus_cards
	run_group "machine with $TEST_BACKEND cards, $TEST_PERSONALITY" guest
}

# Files whose last segments are short, of some 2 s at the rate of external.sh.
make_inputs() {
	mkdir -p build/external
	seq 2100000 >build/external/in0
	seq -f %.0f,daq 1500000 >build/external/in1
}

# Four frames of 1920x1080 with a byte for each pixel, for each channel other ones.
make_frames() {
	local i

	mkdir -p build/frames
	for i in {0..7}; do
		head -c $((4 * 1920 * 1080)) < <(seq $((i + 1)) $((3 * i + 1)) 99999999) \
			>"build/frames/in$i" || return
	done
}

suites() {
	local suites

	suites=$(selftests/conformance/suites.sh) || return
	VM_SHARE=$suites selftests/vm/run.sh \
		"selftests/conformance/run-here.sh /share ${selected[*]}"
}

bench() {
	local status=0

	echo '@begin bench'
	selftests/bench/run.sh short || status=$?
	echo "@end bench $status"
}

# With a machine of its own.
switched_off() {
	selftests/run-here.sh selftests "${selected[@]}"
}

# This machine's console has to be bad, and run.sh to notice.
detectors() {
	local status=0

	guest 2>build/detectors.log || status=$?
	[ "$status" -eq 125 ] || cat build/detectors.log
	[ "$status" -eq 125 ]
}

# Prints the plan and the sums: whether all is well.
finish() {
	echo "1..$files"
	if [ "$files" -eq 0 ]; then
		echo "# no such test: ${wanted[*]}"
		failed=1
	fi
	[ "${#failures[@]}" -eq 0 ] || printf '%s\n' '# what failed:' "${failures[@]}"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# ---- What runs where ----

stop_groups() {
	local job

	for job in "${jobs[@]}"; do
		kill -TERM -- "-$job"
	done
} 2>/dev/null

# Starts everything that is wanted, and says so for show_groups. A file with a character
# for each lane that is free.
queue_groups() {
	jobs=()
	trap stop_groups EXIT
	trap exit HUP INT TERM
	mkfifo "$logs/free"
	exec {free}<>"$logs/free"
	# Who else reads it takes a lane away.
	rm "$logs/free"
	printf "%${TEST_LANES}s" '' | tr ' ' . >&"$free"
	start_first
	start_common
	[ -n "$one_kind" ] || start_special
	wait
}

# What has nothing to do with which card it is, or shows that the rest means anything.
start_first() {
	if [ -n "$one_kind" ]; then
		:
	elif [ -n "$debug" ]; then
		select_tests "${detector_tests[@]}" &&
			VM_APPEND=kasan_multi_shot run_group "machine with planted defects" detectors
	else
		select_tests "${host_tests[@]}" && run_group host host
	fi
}

# On software cards, or those that TEST_BACKEND and TEST_PERSONALITY tell.
start_common() {
	local bounce="${VM_APPEND-} swiotlb=65536,force"

	select_tests "${plain_tests[@]}" && run_group machine guest
	select_tests "${user_tests[@]}" && run_group "machine with applications" guest
	select_tests "${library_tests[@]}" && run_group "machine with consumers" guest
	select_tests "${bounce_tests[@]}" &&
		VM_APPEND=$bounce run_group "machine with bounce buffers" guest
	select_tests "${reconf_tests[@]}" &&
		VM_APPEND=$bounce run_group "machine that is reconfigured" guest
	select_tests "${hostile_tests[@]}" &&
		VM_APPEND="${VM_APPEND-} $hostile_kernel" run_group "machine with hostile users" guest
}

# Of machines and cards that something is special about.
start_special() {
	local kind

	for kind in "${kinds[@]}"; do
		# pci.sh and external.sh have to do there, for the time that it takes.
		[[ -n $debug && $kind = pci* ]] || run_kind "$kind"
	done
	select_tests "${pci_tests[@]}" &&
		VM_CARDS="$pci_cards" run_group "machine with PCI cards" guest
	select_tests "${external_tests[@]}" && make_inputs &&
		VM_CARDS="$external_cards" run_group "machine with PCI cards and files" guest
	select_tests "${removal_tests[@]}" &&
		VM_MONITOR=1 VM_CARDS="$removal_cards" run_group "machine whose PCI cards go" guest
	select_tests "${iommu_tests[@]}" &&
		VM_MONITOR=1 VM_APPEND="${VM_APPEND-} intel_iommu=on" VM_CARDS="$removal_cards" \
			VM_QEMU="${VM_QEMU-} -device intel-iommu,caching-mode=on" \
			run_group "machine with an IOMMU" guest
	select_tests "${fault_tests[@]}" &&
		VM_CARDS="$fault_cards" run_group "machine with PCI cards that have faults" guest
	select_tests "${frames_tests[@]}" && make_frames &&
		VM_CARDS="$frames_cards" run_group "machine with PCI cards that see pictures" guest
	select_tests "${failing_tests[@]}" &&
		VM_CARDS='--channels 2' run_group "machine where allocations fail" guest
	[ -n "$debug" ] || start_counting
	select_tests "${rate_tests[@]}" && make_frames &&
		ALONE=1 VM_CARDS="$rate_cards" run_group "machine with PCI cards in a hurry" guest
}

# What counts, or needs another kernel than the debug kernel.
start_counting() {
	select_tests "${counted_tests[@]}" &&
		VM_CLOCK=virtual VM_CPUS=1 run_group "machine that counts instructions" guest
	select_tests "${bench_tests[@]}" &&
		run_group "machine that measures" bench
	select_tests "${shutdown_tests[@]}" &&
		run_group "machine that is switched off" switched_off
	select_tests "${newer_tests[@]}" &&
		VM_KERNEL=7 run_group "machine with kernel 7" guest
	select_tests "${suite_jobs[@]}" &&
		ALONE=1 run_group "machine with the kernel's own tests" suites
}

one_kind=${TEST_BACKEND-}${TEST_PERSONALITY-}
if [ "${TEST_BACKEND-}" = pci ] && [ -z "${VM_CARDS-}" ]; then
	bus_cards
fi
mkdir -p build
logs=$(mktemp -d build/test.XXXXXX)
exec 3< <(queue_groups)
queue=$!
trap 'kill "$queue" 2>/dev/null; rm -rf "$logs"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

echo 'KTAP version 1'
[ -z "$one_kind" ] || echo "# cards: ${TEST_BACKEND:-soft}, ${TEST_PERSONALITY:-interrupt}"
show_groups <&3
finish
