#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine is switched off while its card streams into memory and the process that
# receives is stopped: before that, the driver has reset the card and taken it off the
# bus. That is also what a new kernel that is started by kexec finds. Runs on the host,
# since only the process that plays the card is there to tell.

# shellcheck disable=SC2317 # functions that only check calls
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2016 # for the guest to expand
in_guest='. selftests/lib.sh; . selftests/pci-lib.sh
	trap - EXIT
	modprobe daq; find_cards
	use "${addresses[0]}" && capture_begins "$ifname" && kill -STOP "$capture" &&
		sleep 1 && cat /proc/cmdline && command_card 0 report'

switch_off() {
	VM_CARDS="--channels 4" "$(dirname "$0")/vm/run.sh" "$in_guest" \
		>"$dir/out" 2>"$dir/err"
}

# last PATTERN: the number of the last line that matches in the card's log; 0: none.
last() {
	sed -n "/$1/=" "$log" | tail -n 1 | grep . || echo 0
}

begin
check "a machine is switched off in the middle of a capture" switch_off
[ "$failed" -eq 0 ] || quote "$(tail -n 20 "$dir/err")"
run=$(sed -n 's/.*vm_run=\([^ ]*\).*/\1/p' "$dir/out")
log=$(dirname "$0")/../build/vm/$run/card0.log
check "the card has written down what was done to it" test -s "$log"
on=$(last ' bus_master on=1')
off=$(last ' bus_master on=0')
reset=$(last ' reset kind=register')
check "it streamed until then" [ "$(last ' command text=')" -gt "$on" ]
check "it has been reset: $reset, behind $on" [ "$reset" -gt "$(last ' command text=')" ]
check "it has been taken off the bus: $off" [ "$off" -gt "$on" ]
check "both while the machine was still there" [ "$(last ' client_left')" -gt "$off" ]
finish
