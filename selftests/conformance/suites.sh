#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: suites.sh
#
# Builds the kernel's own network tests from Debian's kernel source packages, 6.12 and
# newer, unless the cache holds them already, and prints the folder, which has one
# folder for each version. The cache is keyed by build.sh and by the versions of the
# source packages.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

here=$(cd "$(dirname "$0")" && pwd -P)

source_packages() {
	dpkg-query --admindir="$1/var/lib/dpkg" -W 'linux-source-*'
}

# Built aside and renamed, so that the name only ever stands for a whole one.
build() {
	local suites=$1 root=$2 package version

	rm -rf "$suites.new"
	for package in "$root"/usr/src/linux-source-*.tar.xz; do
		version=${package##*/linux-source-}
		version=${version%.tar.xz}
		say "building the network tests of kernel $version"
		mkdir -p "$suites.new/$version"
		"$vm_dir/chroot.sh" /repo/selftests/conformance/build.sh "$version" \
			2>"$suites.log" | tar -C "$suites.new/$version" -xf - ||
			die "failed, see $suites.log"
	done
	mv -T "$suites.new" "$suites"
}

# Other recipes' suites that nobody has used for two weeks.
forget_others() {
	find "$cache_root" -maxdepth 1 -name 'suites-*.lock' -mtime +14 |
		while read -r lock; do
			rm -rf "${lock%.lock}" "${lock%.lock}.log" "$lock"
		done
}

main() {
	local root suites

	need_root "$@"
	root=$("$vm_dir/rootfs.sh")
	suites=$cache_root/suites-$(hash_of "$here/build.sh" <(source_packages "$root"))
	exec 9>"$suites.lock"
	flock 9
	touch "$suites.lock"
	if [ ! -d "$suites" ]; then
		build "$suites" "$root" 9>&-
		forget_others
	fi
	printf '%s\n' "$suites"
}

main "$@"
