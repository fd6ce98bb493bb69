# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the shell tests share: KTAP output, a card of their own. Sourced, never run.
# Processes are slow to start in the guest: keep to the shell where it can do a thing.

# Cards on which they work: TEST_BACKEND and so on.
# shellcheck source-path=SCRIPTDIR source=backend.sh
. "$(dirname "${BASH_SOURCE[0]}")/backend.sh"

# How many times slower than usual this kernel is: rates are divided by it.
scale=${TEST_SCALE:-1}

dir=$(mktemp -d)
count=0
failed=0
cards=()

clean_up() {
	local card

	for card in "${cards[@]}"; do
		del_card "$card" 2>/dev/null || :
	done
	# A background job of a test that gave up.
	for card in $(jobs -p); do
		kill -KILL "$card" 2>/dev/null || :
	done
	rm -rf "$dir"
}
trap clean_up EXIT

begin() {
	echo 'KTAP version 1'
}

# result STATUS NAME
result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count $2"
	else
		echo "not ok $count $2"
		failed=$((failed + 1))
	fi
}

quote() {
	printf '#   %s\n' "${1//$'\n'/$'\n#   '}"
}

# check NAME COMMAND...: the command succeeds.
check() {
	local name=$1 status=0

	shift
	"$@" || status=$?
	[ "$status" -eq 0 ] || echo "# status $status: $*"
	result "$status" "$name"
}

# equal NAME ACTUAL EXPECTED
equal() {
	[ "$2" = "$3" ] || echo "# '$2' instead of '$3'"
	[ "$2" = "$3" ]
	result $? "$1"
}

# matches NAME TEXT PATTERN
matches() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $2 == $3 ]]; then
		result 0 "$1"
	else
		printf '# not like %s:\n' "$3"
		quote "$2"
		result 1 "$1"
	fi
}

# refused NAME STATUS PATTERN COMMAND...: ends with that status and such a message.
refused() {
	local name=$1 wanted=$2 pattern=$3 output status=0

	shift 3
	output=$("$@" 2>&1 </dev/null) || status=$?
	if [ "$status" -ne "$wanted" ]; then
		echo "# status $status instead of $wanted: $*"
		quote "$output"
		result 1 "$name"
	else
		matches "$name" "$output" "$pattern"
	fi
}

skip() {
	count=$((count + 1))
	echo "ok $count $1 # SKIP $2"
}

finish() {
	echo "1..$count"
	[ "$failed" -eq 0 ]
	exit
}

# skip_file WHY: nothing of it can be done here.
skip_file() {
	echo "1..0 # SKIP $1"
	exit 0
}

on_bus() {
	[ "$backend" = pci ]
}

# new_card NAME CHANNELS [PERSONALITY]: down, for the time of this test.
new_card() {
	local status=0

	add_card "$@" || status=$?
	[ "$status" -ne 0 ] || cards+=("$1")
	[ "$status" -ne "$no_card" ] || [ "$count" -ne 0 ] ||
		skip_file "there is no such card: $2 channels"
	return "$status"
}

# make_card NAME CHANNELS [PERSONALITY]: and bring it up.
make_card() {
	new_card "$@" && ip link set "$1" up && wait_for_carrier "$1"
}

# The kernel tells of a carrier some milliseconds after it has noticed.
wait_for_carrier() {
	local i

	for ((i = 0; i < 50; i++)); do
		[ "$(<"/sys/class/net/$1/operstate")" = up ] && return
		sleep 0.1
	done
	return 1
}

# read_stats CARD: into the array stats.
read_stats() {
	local name value

	declare -gA stats=()
	while IFS=: read -r name value; do
		# shellcheck disable=SC2034 # for the caller
		stats[${name// /}]=${value// /}
	done < <(ethtool -S "$1")
}

# total NAME...: sum of counters over all channels or queues, of read_stats.
total() {
	local name key sum=0

	for name; do
		for key in "${!stats[@]}"; do
			[[ $key != *[0-9]_$name ]] || sum=$((sum + stats[$key]))
		done
	done
	echo "$sum"
}

# member NAME FILE: the first number of that name in some JSON.
member() {
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$2" | head -n 1
}

# wait_for SECONDS COMMAND...: until it succeeds; longer on a slow kernel.
wait_for() {
	local end=$((SECONDS + $1 * scale))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return
		sleep 0.1
	done
}

# used_time: what all processors have done since boot, in hundredths of a second. It is
# what is left of the time that they were idle: the ticks of /proc/stat do not see
# interrupts that come while a processor idles.
used_time() {
	local up idle

	read -r up idle </proc/uptime
	echo $((10#${up/./} * ${processors:=$(nproc)} - 10#${idle/./}))
}

# least NUMBER SO-FAR: the smaller one; SO-FAR may be missing.
least() {
	if [ -z "$2" ] || [ "$1" -lt "$2" ]; then echo "$1"; else echo "$2"; fi
}

# used_in_10_s: more than that may be the host's doing, less may not.
used_in_10_s() {
	local since

	since=$(used_time)
	sleep 10
	echo $(($(used_time) - since))
}

# idle_costs IFNAME HUNDREDTHS: of a second are at most what the card, which is up, costs
# in 10 s, more than a machine costs anyway: the least of up to four times 10 s each.
idle_costs() {
	local try up='' down=''

	for ((try = 0; try < 4; try++)); do
		up=$(least "$(used_in_10_s)" "$up")
		ip link set "$1" down
		sleep 1
		down=$(least "$(used_in_10_s)" "$down")
		ip link set "$1" up && wait_for_carrier "$1"
		echo "# with the card $up, without it $down hundredths of a second in 10 s"
		[ $((up - down)) -gt $(($2 * scale)) ] || return 0
		# It looks at the card less and less often.
		sleep 2
	done
	return 1
}
