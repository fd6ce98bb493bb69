# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for those who source this
#
# What the scripts of this folder share.  Sourced, never run.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

# The tree that the root file system and the guest see as /repo.
repo=$(cd "$vm_dir/../.." && pwd -P)

cache_root=${DAQ_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/daq}

say() {
	printf 'vm: %s\n' "$*" >&2
}

# die [-STATUS] MESSAGE...
die() {
	local status=125

	case $1 in
	-[0-9]*) status=${1#-}; shift ;;
	esac
	say "$@"
	exit "$status"
}

# Root is needed for mounts, chroot and a root file system owned by root.
# Environment variables do not survive sudo, hence the explicit list.
need_root() {
	local var pass=()

	[ "$(id -u)" -ne 0 ] || return 0
	command -v sudo >/dev/null ||
		die "needs root for chroot and mounts: run it as root or install sudo"
	for var in DAQ_CACHE XDG_CACHE_HOME HOME CI "${!VM_@}"; do
		[ -z "${!var+set}" ] || pass+=("$var=${!var}")
	done
	exec sudo -- env "${pass[@]}" "$0" "$@"
}

# A key that changes whenever one of the given files does.
hash_of() {
	cat -- "$@" | sha256sum | cut -c1-12
}
