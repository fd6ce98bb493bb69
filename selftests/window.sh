#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# daq revoke and daq grant, and what daq list says of it. What becomes of a window then,
# window.c tests.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# revoked CHANNEL: why, as JSON has it.
revoked() {
	daq list daqt0 --json | sed -n "s/.*\"channel\": $1,.*\"revoked\": \[\(.*\)\]}}.*/\1/p"
}

begin
make_card daqt0 4
equal "granted at first" "$(revoked 2)" ""
check "daq revoke" daq revoke daqt0 --channel 2
equal "it is revoked, by the administrator" "$(revoked 2)" '"admin"'
equal "the others are not" "$(revoked 1)$(revoked 3)" ""
matches "daq list tells" "$(daq list daqt0)" "*register window revoked: admin*"
check "again" daq revoke daqt0 --channel 2
matches "which is no other generation" "$(daq list daqt0 --json)" \
	'*"owned": false, "generation": 1, "revoked": ?"admin"?*'
check "daq grant" daq grant daqt0 -c 1-2
equal "it is granted" "$(revoked 2)" ""
check "all channels" daq revoke daqt0
equal "are revoked" "$(revoked 0)$(revoked 3)" '"admin""admin"'
check "and granted" daq grant daqt0
matches "daq list says nothing then" "$(daq list daqt0 | grep -c revoked)" 0
refused "no such channel" 2 "*channel*4*" daq revoke daqt0 -c 4
refused "no channel at all" 2 "*channel*" daq grant daqt0 -c some
refused "no such interface" 1 "*no such interface: none*" daq revoke none
refused "not a card" 1 "*lo*" daq grant lo
refused "no interface" 2 "*name one interface*" daq revoke
refused "who may not" 1 "*CAP_NET_ADMIN*" \
	setpriv --bounding-set -net_admin --inh-caps -net_admin daq revoke daqt0
finish
