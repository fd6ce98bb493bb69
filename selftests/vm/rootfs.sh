#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: rootfs.sh [--force]
#
# Makes the Debian 13 root file system that everything else here runs in,
# unless the cache holds it already, and prints its folder.  It has the
# compilers, both kernels with their headers, and QEMU: the host needs none
# of them.  The cache is keyed by this very file, which is the whole recipe,
# so a second call needs neither network nor time.
#
# The Debian mirror is the one that apt uses on this host.
#
#   --force   make it anew, say to take in package updates
#
# DAQ_CACHE   where to keep it (default: ${XDG_CACHE_HOME:-~/.cache}/daq)

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Everything the builds need.
packages=(
	gcc g++ libc6-dev make pkgconf perl python3-minimal python3 cpio zstd xz-utils
	clang llvm bpftool pahole sparse shellcheck
	libxdp-dev libbpf-dev libelf-dev zlib1g-dev libmnl-dev libpcap-dev
	libcap-dev libpng-dev liburing-dev
	# For a kernel with debug options.
	bc bison flex
	linux-image-amd64 linux-headers-amd64 linux-libc-dev linux-source-6.12
	# Satisfies the kernel packages' need of some initramfs maker.
	tiny-initramfs
)

# Everything the guests need.
packages+=(
	busybox-static iproute2 ethtool tcpdump kmod procps iputils-ping strace
	pciutils xdp-tools ffmpeg linuxptp
	# For the network selftests that come with the kernel.
	python3-yaml socat iperf3
	# Recordings are judged by programs that are not ours.
	tshark libsigmf
	# Real sound and real photographs for tests to carry.
	alsa-utils mate-backgrounds
	erofs-utils
)

# From backports: the newer kernel (see hook_backports) and a QEMU whose
# vfio-user client lets a test program be a PCI device.
backports=(qemu-system-x86)

# Taken from the 6.12 source package into /usr/src/daq-kselftest.
source_files=(
	scripts/checkpatch.pl scripts/spelling.txt scripts/const_structs.checkpatch
	scripts/kernel-doc scripts/extract-vmlinux
	tools/testing/selftests/kselftest.h
	tools/testing/selftests/kselftest_harness.h
	tools/testing/selftests/kselftest/ktap_helpers.sh
)

# Neither documentation nor translations, no initramfs at kernel
# installation (nothing boots one), none of the huge or drawn backgrounds.
path_excludes=(
	'/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*'
	'/usr/share/locale/*' '/usr/share/lintian/*' '/usr/share/bug/*'
	'/etc/kernel/*'
	'/usr/share/backgrounds/mate/desktop/*'
	'/usr/share/backgrounds/mate/abstract/*'
)

# Below .../kernel of the modules.
unused_drivers=(
	drivers/gpu/drm/{amd,i915,nouveau,radeon,xe}
	drivers/media/{dvb-frontends,pci,tuners,usb}
	drivers/net/wireless drivers/{hwmon,iio,infiniband,staging}
	sound/soc
)

# Regular expressions for paths to leave out of the guests' disk.
not_in_guest=(
	'(dev|run|tmp)/.' 'boot/' 'vm/' 'var/(cache|lib/(apt|dpkg))/'
	'usr/(src|include)/' 'usr/lib/(gcc|llvm-|linux-kbuild)' 'usr/libexec/gcc'
	'usr/share/(qemu|seabios)/' 'usr/bin/qemu-'
	'usr/lib/x86_64-linux-gnu/(qemu|libclang|.*[.]a$)'
)

# The first Debian archive, not the security one, among apt's sources.
mirror() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)' \
		'Created-By: Packages' |
		sed -n 's/\/*|Debian|Debian$//p' | head -n 1
}

# A fresh container has no package lists, and then no index targets either.
find_mirror() {
	local uri

	uri=$(mirror)
	if [ -z "$uri" ]; then
		apt-get update >&2
		uri=$(mirror)
	fi
	[ -n "$uri" ] || die "apt knows no Debian archive: add one to its sources"
	printf '%s\n' "$uri"
}

host_tools() {
	local missing=()

	[ "$(uname -m)" = x86_64 ] || die "the virtual machines are for x86-64 only"
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	[ -r "$keyring" ] || missing+=(debian-archive-keyring)
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null ||
		die "needs ${missing[*]}, and apt-get to install it: use a Debian host"
	say "installing ${missing[*]} on this host"
	apt-get update >&2
	apt-get install -y --no-install-recommends "${missing[@]}" >&2
}

# apt as mmdebstrap has set it up for the new root $1.
root_apt() {
	local root=$1

	shift
	APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -y \
		-o DPkg::Chroot-Directory="$root" --no-install-recommends "$@"
}

# The metapackages of both suites share their names, so the newer kernel has
# to be named by version.
newer_kernel() {
	local meta

	for meta in linux-image linux-headers; do
		APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-cache depends \
			"$meta-amd64/$suite-backports" |
			sed -n "s/.*Depends: \($meta-[0-9].*\)/\1/p"
	done
	APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-cache depends \
		"linux-source/$suite-backports" |
		sed -n "s/.*Depends: \(linux-source-[0-9].*\)/\1/p"
}

# What the project's programs are built against stays at the stable version.
hook_backports() {
	local root=$1 kernel

	mapfile -t kernel < <(newer_kernel)
	[ "${#kernel[@]}" -eq 3 ] || die "no kernel in $suite-backports"
	cat >"$root/etc/apt/preferences.d/daq" <<-PIN
	Package: linux-libc-dev bpftool libbpf*
	Pin: release n=$suite
	Pin-Priority: 1001
	PIN
	root_apt "$root" -t "$suite-backports" install \
		"${kernel[@]}" "${backports[@]}"
}

hook_sources() {
	local root=$1 folder=/usr/src/daq-kselftest

	mkdir -p "$root$folder"
	chroot "$root" tar -C "$folder" --strip-components=1 \
		-xf /usr/src/linux-source-6.12.tar.xz \
		"${source_files[@]/#/linux-source-6.12/}"
}

# An uncompressed kernel spares the guest from decompressing under emulation.
hook_vmlinux() {
	local root=$1 image version

	for image in "$root"/boot/vmlinuz-*; do
		version=${image##*/vmlinuz-}
		chroot "$root" /usr/src/daq-kselftest/scripts/extract-vmlinux \
			"/boot/vmlinuz-$version" >"$root/boot/vmlinux-$version"
	done
}

# Without drivers of hardware that no guest here has, and uncompressed, the
# rest is quick to index with depmod at each change of the project's module,
# and to load under emulation.
hook_modules() {
	local root=$1 folder

	for folder in "$root"/usr/lib/modules/*; do
		(cd "$folder/kernel" && rm -rf "${unused_drivers[@]}")
		folder=${folder#"$root"}
		chroot "$root" find "$folder" -name '*.ko.xz' -print0 |
			chroot "$root" xargs -0 -r -n 64 -P "$(nproc)" unxz
		chroot "$root" depmod "${folder##*/}"
	done
}

# The guests' disk: all but what only builds and QEMU need.  Seen through a bind
# mount, the root has nothing of what is mounted in it.
hook_image() {
	local root=$1 path options=()

	for path in "${not_in_guest[@]}"; do
		options+=(--exclude-regex="^$path")
	done
	mkdir "$root/vm"
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount sh -ec 'mount --bind "$1" "$1/mnt"; exec chroot "$@"' sh \
		"$root" mkfs.erofs --quiet -x-1 "${options[@]}" /vm/root.erofs /mnt
}

bootstrap() {
	local target=$1 uri opts=() path name

	uri=$(find_mirror)
	for path in "${path_excludes[@]}"; do
		opts+=(--dpkgopt="path-exclude=$path")
	done
	for name in backports sources vmlinux modules image; do
		opts+=(--customize-hook="'$vm_dir/rootfs.sh' --hook $name \"\$1\"")
	done
	# In namespaces of its own, as in chroot.sh, and for the same reason; in
	# the background, for signals to reach this shell while it runs.
	setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child --mount-proc \
		mmdebstrap --mode=root --variant=minbase --format=directory \
		--aptopt='Acquire::Languages "none"' \
		--aptopt='APT::Sandbox::User "root"' \
		--include="$(IFS=,; echo "${packages[*]}")" \
		"${opts[@]}" "$suite" "$target" - >&2 <<-SOURCES &
		deb [signed-by=$keyring] $uri $suite main
		deb [signed-by=$keyring] $uri $suite-backports main
		SOURCES
	job=$!
	wait "$job"
	job=
}

# Other recipes' file systems that nobody has used for two weeks.
forget_others() {
	find "$cache_root" -maxdepth 1 -name 'rootfs-*.lock' -mtime +14 |
		while read -r lock; do
			rm -rf --one-file-system "${lock%.lock}" "${lock%.lock}.mnt" \
				"$lock"
		done
}

clean_up() {
	[ -z "${job-}" ] || kill -KILL "$job"
	rm -rf --one-file-system "$work"
}

# Built aside and renamed, so that the name only ever stands for a whole one.
# The lock makes any other $work a leftover.
build() {
	local root=$1

	work=$root.new
	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	rm -rf --one-file-system "$work"
	say "making the root file system in $root (some minutes, once)"
	host_tools
	bootstrap "$work"
	rm -rf --one-file-system "$root"
	mv -T "$work" "$root"
	forget_others
	say "root file system done in $SECONDS s"
}

# The lock's time stamp also tells when the root file system was last of use.
take_lock() {
	exec 9>"$1"
	if ! flock -n 9; then
		say "waiting for another one to make the root file system"
		flock 9
	fi
	touch "$1"
}

main() {
	local root

	umask 022
	export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
	case ${1-} in
	--hook)
		"hook_$2" "$3"
		return
		;;
	--force | '') ;;
	*)
		sed -n '/^# usage/,/^$/s/^# \{0,1\}//p' "$0"
		return 2
		;;
	esac
	root=$cache_root/rootfs-$(hash_of "$vm_dir/rootfs.sh")
	need_root "$@"
	mkdir -p "$cache_root"
	take_lock "$root.lock"
	if [ ! -d "$root" ] || [ "${1-}" = --force ]; then
		build "$root" 9>&-
	fi
	printf '%s\n' "$root"
}

main "$@"
