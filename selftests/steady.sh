#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What recording costs once it runs, per frame: no page fault, no DMA mapping, no
# allocation, one wake-up. Each instrument is first shown to work.

# shellcheck disable=SC2317 # functions that only check calls
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

tracing=/sys/kernel/tracing
allocations=(kmalloc kmem_cache_alloc mm_page_alloc)
functions=(dma_map_page_attrs dma_map_sg_attrs dma_alloc_attrs page_pool_alloc_pages
	napi_build_skb napi_alloc_skb)

# Every allocation is noted with its call stack; calls of functions are counted.
start_instruments() {
	local event function

	for event in "${allocations[@]}"; do
		echo 'hist:keys=common_stacktrace:size=4096' \
			>"$tracing/events/kmem/$event/trigger" || return
	done
	for function in "${functions[@]}"; do
		echo "p:daqtest/$function $function" >>"$tracing/kprobe_events" || return
	done
	echo 1 >"$tracing/events/daqtest/enable"
}

stop_instruments() {
	local event

	for event in "${allocations[@]}"; do
		echo '!hist:keys=common_stacktrace:size=4096' \
			>"$tracing/events/kmem/$event/trigger"
	done
	echo 0 >"$tracing/events/daqtest/enable"
	echo >"$tracing/kprobe_events"
} 2>/dev/null

# Stacks with a function of the driver's data path in them.
count_allocations() {
	local event sum=0 n

	for event in "${allocations[@]}"; do
		n=$(grep -cE 'daq_(poll|rx_poll|soft_engine)\+' \
			"$tracing/events/kmem/$event/hist" || :)
		sum=$((sum + n))
	done
	echo "$sum"
}

count_calls() {
	awk '{ sum += $2 } END { print sum + 0 }' "$tracing/kprobe_profile"
}

# measure SECONDS: what the driver does meanwhile, in the variables calls and allocated.
measure() {
	local before

	start_instruments || return
	sleep 0.5
	before=$(count_calls)
	sleep $(($1 * scale))
	calls=$(($(count_calls) - before))
	allocated=$(count_allocations)
	[ "$calls" -eq 0 ] || sed 's/^/# /' "$tracing/kprobe_profile"
	stop_instruments
}

# A number of the JSON's steady_state.
steady() {
	sed -n "s/.*\"steady_state\":.*\"$1\": \([0-9.]*\).*/\1/p" "$dir/json"
}

# record CHANNELS [OPTION...]: starts a recording, and waits until it is in full swing.
record() {
	daq capture daqt0 --channel "$1" --quiet --zero-copy "${@:2}" 2>"$dir/err" &
	recorder=$!
	wait_for 20 grep -q capturing "$dir/err"
	sleep 1.5
}

end_record() {
	local status=0

	kill -INT "$recorder"
	wait "$recorder" || status=$?
	equal "$1" "$status" 0
}

all_on_one_queue() {
	ip link set daqt0 down && ethtool -X daqt0 "$@" && ip link set daqt0 up
}

# What the instruments have to see, else that they see nothing would mean nothing.
test_instruments() {
	check "instruments work" measure 1
	[ "$calls" -gt 0 ]
	result $? "they see pages being taken when nobody records: $calls"
	# The stack gets copies of what has no socket, on a queue that has one.
	all_on_one_queue equal 1
	record 0 --allow-loss
	check "instruments work beside a recording" measure 1
	[ "$allocated" -gt 0 ]
	result $? "they see the allocations for copies to the network stack: $allocated"
	end_record "that recording ended well"
	all_on_one_queue default
}

test_zero_copy() {
	local frames wakeups

	record 0-3 "${loss[@]}"
	check "instruments run while all channels are recorded" measure 3
	equal "DMA mappings, page pool and skb allocations in 3 s" "$calls" 0
	equal "allocations in the driver's data path in 3 s" "$allocated" 0
	end_record "recorded${loss:+, what a busy host left of it}"
	# By itself, to its own end: a signal would cost page faults.
	check "recorded for 4 s" daq capture daqt0 --channel 0-3 --quiet \
		--duration $((4 * scale)) --zero-copy --json "$dir/json" "${loss[@]}"
	equal "minor page faults" "$(steady minor_faults)" 0
	equal "major page faults" "$(steady major_faults)" 0
	frames=$(steady frames)
	wakeups=$(steady wakeups)
	[ $((frames)) -gt 50 ]
	result $? "many frames: $frames"
	[ $((wakeups)) -gt 0 ] && [ $((wakeups * 100)) -le $((frames * 110)) ]
	result $? "wake-ups per frame of 10 segments are 1 or less: $wakeups"
}

# The driver's side of that: interrupts and flushes, of one channel by itself.
test_interrupts() {
	local frames irqs flushes

	daq set daqt0 --channel all --source none
	sleep 0.5
	read_stats daqt0
	frames=${stats[ch0_frames]} irqs=${stats[queue0_irqs]} flushes=${stats[queue0_flushes]}
	daq set daqt0 --channel 0 --source counter
	check "40 frames of one channel" daq capture daqt0 -c 0 -n 40 -q
	daq set daqt0 --channel all --source none
	sleep 0.5
	read_stats daqt0
	frames=$((stats[ch0_frames] - frames))
	irqs=$((stats[queue0_irqs] - irqs))
	flushes=$((stats[queue0_flushes] - flushes))
	if [ "${TEST_PERSONALITY:-interrupt}" = interrupt ]; then
		[ "$irqs" -gt 0 ] && [ "$irqs" -le $((frames + 10)) ]
	else
		[ "$irqs" -eq 0 ]
	fi
	result $? "interrupts: $irqs for $frames frames of 10 segments"
	[ "$flushes" -gt 0 ] && [ "$flushes" -le $((frames + 10)) ]
	result $? "polls that wake the consumer: $flushes"
}

# How much a kicked card keeps until the host has time is not what this is about.
loss=()
[ "${TEST_PERSONALITY-}" != kicked ] || loss=(--allow-loss)

begin
if ! grep -q 'hist trigger' "$tracing/README"; then
	skip_file "this kernel has no histograms of events"
fi
make_card daqt0 4
daq set daqt0 --channel 0-3 --source counter --sample-bytes 2 --segment 8192 \
	--frame 81920 --rate $((1024000 / scale))
trap 'stop_instruments; clean_up' EXIT
test_instruments
test_zero_copy
test_interrupts
finish
