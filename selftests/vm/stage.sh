#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: stage.sh VERSION FOLDER
#
# Part of run.sh, and runs inside the root file system: builds the project for
# kernel VERSION below FOLDER, and makes FOLDER/initrd from what it installs,
# the modules that the guest needs to reach its disk, and its first program.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
version=$1
out=$2
stage=$out/stage
modules=/lib/modules/$version
staged_modules=$stage/usr/lib/modules/$version

# What it takes to mount the root image, the host's folders, the command's
# output port.
boot_modules=(virtio_pci virtio_blk virtio_console erofs overlay 9p 9pnet_virtio)

build_project() {
	local args=(O="$out" KVER="$version") dir

	make -s -j"$(nproc)" "${args[@]}" all
	rm -rf "$stage"
	mkdir -p "$stage"
	make -s "${args[@]}" DESTDIR="$stage" install
	# In the image these are symbolic links, which a folder would hide.
	for dir in bin sbin lib lib64; do
		[ -d "$stage/$dir" ] || continue
		mkdir -p "$stage/usr/$dir"
		cp -a "$stage/$dir/." "$stage/usr/$dir"
		rm -r "${stage:?}/$dir"
	done
}

# build_module NAME: one of those beside this file. Defects for the debug kernel's
# detectors to find, and fault injection for other kernels.
build_module() {
	local folder=$PWD/$out/$1

	mkdir -p "$folder"
	cp -pu "$here/$1"/* "$folder"
	make -s -C "$modules/build" M="$folder" modules
}

modules_sum() {
	sha256sum "$modules/modules.dep"
	find "$staged_modules" -name '*.ko*' -exec sha256sum {} + | sort
}

# The guest's module index, with the project's modules in it.  It takes depmod
# seconds, so only when they are other ones.  This root is under an overlay that
# goes away: depmod may work right in it.
index_modules() {
	local index=$out/index sum

	[ -d "$staged_modules" ] || return 0
	sum=$(modules_sum)
	if [ "$sum" != "$(cat "$index.sum" 2>/dev/null)" ]; then
		cp -a "$staged_modules/." "$modules"
		depmod "$version"
		rm -rf "$index"
		mkdir "$index"
		cp -a "$modules"/modules.* "$index"
		printf '%s\n' "$sum" >"$index.sum"
	fi
	cp -a "$index/." "$staged_modules"
}

copy_boot_modules() {
	local dir=$1 path

	mkdir -p "$dir"
	modprobe -S "$version" --show-depends -a "${boot_modules[@]}" |
		sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' |
		while read -r path; do
			cp "$path" "$dir"
			basename "$path"
		done >"$dir/order"
}

make_initrd() {
	local tree=$out/initrd.tree

	rm -rf "$tree"
	mkdir -p "$tree"/{base,bin,dev,proc,root,rw,stage,sys}
	cp /bin/busybox "$tree/bin"
	cp "$here/guest-init" "$tree/init"
	copy_boot_modules "$tree/modules"
	cp -al "$stage/." "$tree/stage"
	mkdir -p "$tree/stage/vm" "$tree/stage/etc"
	cp "$here/guest-run" "$tree/stage/vm"
	# Instead of this host's.
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$tree/stage/etc/hosts"
	(cd "$tree" && find . | cpio -o -H newc -R 0:0 --quiet) >"$out/initrd.new"
	mv "$out/initrd.new" "$out/initrd"
	rm -rf "$tree"
}

# The modules of a kernel from elsewhere are not on the guest's disk: they
# travel with the project's.
foreign=/vm/modules
if [ -d "$foreign" ]; then
	rm -rf "$modules"
	cp -a "$foreign" "$modules"
fi
build_project
case $version in
*-debug) build_module planted ;;
6.12.*) build_module failnth ;;
esac
[ ! -d "$foreign" ] || cp -a "$foreign/." "$staged_modules"
index_modules
make_initrd
