#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: chroot.sh [--bind SOURCE:TARGET]... COMMAND [ARGUMENT...]
#
# Runs a command as root inside the root file system of rootfs.sh (made first
# if need be), with this tree at /repo and as the working directory.
#
# It runs in mount and PID namespaces of its own: no mount and no process is
# left behind, however it ends.  Nothing it writes outside /repo is kept, for
# the root file system is under an overlay.
#
#   --bind SOURCE:TARGET   show the host's file or folder there, read-only

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# bind SOURCE TARGET
bind() {
	if [ -d "$1" ]; then
		mkdir -p "$2"
	else
		mkdir -p "$(dirname "$2")"
		touch "$2"
	fi
	mount --bind "$1" "$2"
}

bind_readonly() {
	bind "$1" "$2"
	mount -o remount,bind,ro "$2"
}

# A tmpfs over the root file system.  Its folders live below a tmpfs of this
# mount namespace, so the host sees nothing of it.
mount_root() {
	local lower=$1 scratch=$2

	mount -t tmpfs -o mode=755 tmpfs "$scratch"
	mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
	mount -t overlay overlay "$scratch/root" \
		-o "lowerdir=$lower,upperdir=$scratch/upper,workdir=$scratch/work"
}

mount_system() {
	local root=$1

	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
}

inside() {
	local lower=$1 scratch=$1.mnt root=$1.mnt/root

	shift
	mount_root "$lower" "$scratch"
	mount_system "$root"
	bind "$repo" "$root/repo"
	while [ "${1-}" = --bind ]; do
		bind_readonly "${2%:*}" "$root${2##*:}"
		shift 2
	done
	exec env -i CI="${CI-}" TERM="${TERM-dumb}" HOME=/root LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$root" sh -c 'cd /repo && exec "$@"' sh "$@"
}

main() {
	local root

	case ${1-} in
	--inside)
		shift
		inside "$@"
		;;
	'' | -h | --help)
		sed -n '/^# usage/,/^$/s/^# \{0,1\}//p' "$0"
		return 2
		;;
	esac
	need_root "$@"
	root=$("$vm_dir/rootfs.sh") || exit 125
	mkdir -p "$root.mnt"
	# Tied to the caller: even its SIGKILL takes everything down.
	exec setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child --propagation private \
		"$0" --inside "$root" "$@"
}

main "$@"
