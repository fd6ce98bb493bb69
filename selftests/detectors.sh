#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The detectors of the debug kernel live: each finds the defect that was planted for
# it. In a machine of its own, with kasan_multi_shot, since a report switches some of
# them off: lockdep for good, which is why it comes first.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

planted=/sys/kernel/debug/planted
kmemleak=/sys/kernel/debug/kmemleak

# finds DEFECT PATTERN: the kernel says that once it is planted.
finds() {
	dmesg --clear
	echo 1 >"$planted/$1"
	matches "$1" "$(dmesg)" "*$2*"
}

# A scan tells of what is 5 s old and was unreferenced in the scan before too.
finds_leak() {
	echo 1 >"$planted/leak"
	echo scan >"$kmemleak"
	sleep 6
	echo scan >"$kmemleak"
	matches leak "$(<"$kmemleak")" '*unreferenced object 0x*plant_leak*'
}

begin
check "the module with the defects" insmod "build/vm/$(uname -r)/planted/planted.ko"
finds lock_order 'WARNING: possible circular locking dependency detected'
finds sleep_in_atomic 'BUG: sleeping function called from invalid context'
finds use_after_free 'BUG: KASAN: slab-use-after-free in plant'
finds out_of_bounds 'UBSAN: array-index-out-of-bounds'
finds refcount 'refcount_t: addition on 0'
finds list_corruption 'list_add double add'
finds active_timer 'ODEBUG: free active'
finds dma_size 'DMA-API: platform planted: device driver frees DMA memory with different size'
finds_leak
finish
