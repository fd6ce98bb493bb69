#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: debug-kernel.sh [--cached]
#
# Makes the kernel with the options of debug.config from Debian's sources, unless
# the cache holds it already, and prints its folder, for VM_KERNEL=debug of
# run.sh:
#
#   bzImage              the kernel
#   lib/modules/VERSION  its modules
#   tree                 what it takes to build others, and vmlinux for symbols
#
# The cache is keyed by debug.config, this file, and the packages of the source
# and of the compilers.  Making it takes 20 minutes on two idle cores.
#
#   --cached   make nothing: fail silently if it is not there
#
# DAQ_CACHE   see rootfs.sh

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

fragment=$vm_dir/debug.config
source=linux-source-6.12
# About what make says to do.
steps=2250

# An option whose dependencies are not met disappears without a word.
check_config() {
	local option lost=()

	while read -r option; do
		case $option in
		*=n) ! grep -q "^${option%n}" .config ;;
		*) grep -qxF "$option" .config ;;
		esac || lost+=("$option")
	done < <(grep '^CONFIG_' "$fragment")
	[ ${#lost[@]} -eq 0 ] || die "not in the configuration: ${lost[*]}"
}

# Reads make's output; the last of it comes after an error.
show_progress() {
	local line done=0

	while IFS= read -r line; do
		printf '%s\n' "$line"
		[[ $line == '  '[A-Z]* ]] || continue
		done=$((done + 1))
		[ $((done % 100)) -ne 0 ] ||
			say "debug kernel: step $done of about $steps, $SECONDS s"
	done >make.log
}

# What a build of other modules reads stays: headers, programs, vmlinux.
trim() {
	find . \( -path ./scripts -o -path ./tools \) -prune -o -type f \
		\( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \) -exec rm {} +
	rm -rf Documentation arch/[!x]* drivers fs sound tools/testing
}

# In the root file system; see build().
build_inside() {
	local out=$1

	mkdir "$out/tree"
	tar -C "$out/tree" --strip-components=1 -xf "/usr/src/$source.tar.xz"
	cd "$out/tree"
	make -s KCONFIG_ALLCONFIG="$fragment" allnoconfig
	check_config
	nice make -j"$(nproc)" bzImage modules 2>&1 | show_progress || {
		tail -n 40 make.log >&2
		die "the debug kernel does not build"
	}
	make -s INSTALL_MOD_PATH="$out" modules_install
	cp arch/x86/boot/bzImage "$out"
	trim
}

clean_up() {
	[ -z "${job-}" ] || kill -KILL "$job" 2>/dev/null || :
	rm -rf "$work" "$kernel.new"
}

# Built in this tree, which the root file system sees as /repo, and renamed in
# the cache, so that the name only ever stands for a whole one.
build() {
	local modules

	work=$repo/build/debug-kernel
	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	rm -rf "$work" "$kernel.new"
	mkdir -p "$work"
	say "making the debug kernel in $kernel (20 minutes or more, once)"
	"$vm_dir/chroot.sh" /repo/selftests/vm/debug-kernel.sh --inside \
		/repo/build/debug-kernel >&2 </dev/null &
	job=$!
	wait "$job"
	job=
	mv "$work" "$kernel.new"
	for modules in "$kernel.new/lib/modules"/*; do
		ln -sfnT "$kernel/tree" "$modules/build"
	done
	mv -T "$kernel.new" "$kernel"
	forget_others
	say "debug kernel done in $SECONDS s"
}

# Other ones that nobody has used for two weeks.
forget_others() {
	find "$cache_root" -maxdepth 1 -name 'debug-*.lock' -mtime +14 |
		while read -r lock; do
			rm -rf "${lock%.lock}" "${lock%.lock}.new" "$lock"
		done
}

# The lock's time stamp also tells when the kernel was last of use.
take_lock() {
	exec 9>"$1"
	if ! flock -n 9; then
		say "waiting for another one to make the debug kernel"
		flock 9
	fi
	touch "$1"
}

# The kernel's folder in the cache.
find_name() {
	local root key

	root=$("$vm_dir/rootfs.sh")
	key=$({
		cat "$fragment" "$vm_dir/debug-kernel.sh"
		dpkg-query --admindir "$root/var/lib/dpkg" -W "$source" \
			gcc-14 binutils pahole
	} | sha256sum)
	kernel=$cache_root/debug-${key:0:12}
}

main() {
	umask 022
	case ${1-} in
	--inside)
		build_inside "$2"
		return
		;;
	--cached | '') ;;
	*)
		sed -n '/^# usage/,/^$/s/^# \{0,1\}//p' "$0"
		return 2
		;;
	esac
	need_root "$@"
	find_name
	if [ "${1-}" = --cached ]; then
		[ -d "$kernel" ] || return
	else
		take_lock "$kernel.lock"
		if [ ! -d "$kernel" ]; then
			build 9>&-
		fi
	fi
	printf '%s\n' "$kernel"
}

main "$@"
