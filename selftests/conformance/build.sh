#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: build.sh VERSION
#
# Part of suites.sh, and runs inside the root file system: builds the kernel's own
# network tests, as they are in Debian's source package of kernel VERSION, and writes
# what running them takes as a tar archive to standard output.

set -euo pipefail

version=$1
selftests=tools/testing/selftests
source=/tmp/linux-$version
exec 3>&1 >&2

unpack() {
	mkdir "$source"
	tar -C "$source" --strip-components=1 -xf "/usr/src/linux-source-$version.tar.xz" \
		"linux-source-$version"/{Documentation/netlink,include/uapi,kernel/bpf,scripts,tools}
}

# With Debian's bpftool, since the newer kernel's own would need more libraries.
build_xskxceiver() {
	local bpf=$source/$selftests/bpf headers

	headers=$(echo /usr/src/linux-headers-"$version"*-amd64)
	make -s -j"$(nproc)" -C "$bpf" RELEASE=1 BPFTOOL=/usr/sbin/bpftool \
		VMLINUX_BTF="$headers/vmlinux" "$bpf/xskxceiver"
}

# The programs that the scripts of drivers/net start.
build_helpers() {
	local net=$source/$selftests/drivers/net

	make -s -j"$(nproc)" -C "$source/$selftests/net/lib"
	[ ! -e "$net/napi_id_helper.c" ] || make -s -C "$net" "$net/napi_id_helper"
}

unpack
build_xskxceiver
build_helpers
tar -C "$source" -cf - --exclude="$selftests/net/lib/tools" \
	"$selftests/bpf/xskxceiver" "$selftests/drivers/net" "$selftests/net/lib" \
	tools/net/ynl Documentation/netlink/specs >&3
