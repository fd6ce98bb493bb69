#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Emulated cards behind the IOMMU of the virtual machine: they reach what the driver
# has mapped for them, and nothing else, so that DMA too early or too late is an error
# that the card sees. Each page mapped is a window that QEMU makes for the card, and
# the card counts them. Both ways of the kernel to unmap: at once, and later together.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=pci-lib.sh
. "$(dirname "$0")/pci-lib.sh"

# count_maps CARD: windows made and removed so far, in the variables maps and unmaps;
# accesses outside of them in the variable refused.
count_maps() {
	command_card "$1" report || return
	maps=$(answer_of total dma_map)
	unmaps=$(answer_of total dma_unmap)
	refused=$(answer_of total dma_refused)
}

# produces CARD COUNT: it has produced so many segments more than $from.
produces() {
	command_card "$1" report
	[ $(($(answer_of 'channel id=0' produced) - from)) -ge "$2" ]
}

test_steady() {
	local i=$1 kind=$2 from before

	check "$kind: card $i comes up" use "${addresses[i]}"
	check "$kind: a capture of all channels" captures_whole "$ifname"
	capture_begins "$ifname"
	count_maps "$i"
	before="$maps $unmaps"
	from=$(answer_of 'channel id=0' produced)
	check "$kind: data flow" wait_for 20 produces "$i" 100
	count_maps "$i"
	equal "$kind: nothing is mapped or unmapped meanwhile" "$maps $unmaps" "$before"
	kill -INT "$capture"
	check "$kind: a capture ends" wait "$capture"
	count_maps "$i"
	check "$kind: and its memory is unmapped" [ "$unmaps" -gt "${before#* }" ]
	equal "$kind: no DMA to anywhere else" "$refused" 0
}

# set_domain ADDRESS TYPE: how the IOMMU serves the card; the driver must not.
set_domain() {
	echo "$1" >"$driver/unbind" &&
		echo "$2" >"/sys/bus/pci/devices/$1/iommu_group/type" &&
		echo "$1" >"$driver/bind"
}

begin
find_cards
if [ "${#addresses[@]}" -eq 0 ] || [ ! -e "/sys/bus/pci/devices/${addresses[0]}/iommu_group" ]; then
	skip_file "emulated cards behind an IOMMU are needed"
fi
modprobe daq
for i in "${!addresses[@]}"; do
	check "DMA: card $i" set_domain "${addresses[i]}" DMA
	test_steady "$i" DMA
done
check "DMA-FQ: card 0" set_domain "${addresses[0]}" DMA-FQ
test_steady 0 DMA-FQ
finish
