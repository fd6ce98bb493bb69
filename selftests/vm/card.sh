#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: card.sh DAQ-CARD [OPTION...]
#
# Plays a card, see daq-card --help. If that is killed it plays a new one, for whoever
# connects next: as if somebody had put another card into the slot. SIGTERM ends it.

# A signal ends the first wait, but not yet the card.
wait_for_card() {
	local status

	while :; do
		wait "$card"
		status=$?
		kill -0 "$card" 2>/dev/null || return "$status"
	done
}

trap 'kill -TERM "$card"' TERM
while :; do
	"$@" &
	card=$!
	wait_for_card
	status=$?
	[ "$status" -eq 137 ] || exit "$status"
done
