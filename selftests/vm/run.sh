#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh COMMAND
#        run.sh --shell
#
# Builds what changed, boots a virtual machine, runs the shell COMMAND in it as
# root, shows its output as it comes, powers off and exits with its status.
# With --shell it gives an interactive shell there instead.
#
# The guest has the project installed as "make install" does, so that modprobe
# and the link-type alias find its module; this tree read-only at /repo, which
# is the working directory, with /repo/build writable; and /share (VM_SHARE).
# Everything else it writes is gone when it powers off.  The command has no
# input, and its output is not a terminal.
#
# Environment:
#   VM_KERNEL   version of an installed kernel (6.12, which is the default, or
#               7), "debug" for that of debug-kernel.sh, or path of a bzImage or
#               vmlinux together with VM_MODULES
#   VM_MODULES  for such a path: its folder .../lib/modules/VERSION, with the
#               build link in place to compile the module against
#   VM_SHARE    host folder for the guest to see read-only at /share
#   VM_CPUS     number of processors (default: 2)
#   VM_MEM      memory size (default: 4G)
#   VM_APPEND   more kernel command line, such as swiotlb=force
#   VM_QEMU     more QEMU arguments, split at blanks.  QEMU sees the root file
#               system of chroot.sh, so files go by names such as /repo/build/s:
#               -device {"driver":"vfio-user-pci","socket":{"type":"unix",\
#               "path":"/repo/build/s"}}
#   VM_CARDS    options of daq-card, for each emulated card one after a semicolon:
#               "--channels 4; --personality kicked"; " " is a card as it is.
#               Files go by names as for VM_QEMU.  Its log is cardN.log in the
#               run's folder, and the guest has its control socket as
#               /dev/virtio-ports/cardN.  A card that is killed is followed by a
#               new one, which QEMU finds when it connects there again.
#   VM_MONITOR  not empty: the guest has QEMU's own monitor (QMP) as
#               /dev/virtio-ports/monitor, and so can do with QEMU what it likes
#   VM_TIMEOUT  seconds the guest may take (default: 600)
#   VM_ACCEL    kvm or tcg (default: kvm where it can really run a guest)
#   VM_CLOCK    virtual: what time it is for the guest tells the number of
#               instructions that it has executed, and waiting takes no time: what
#               else the host has to do does not matter to it.  Implies tcg, on
#               one processor of the host.  Not with VM_CARDS, whose time is real
#   DAQ_CACHE   see rootfs.sh
#
# Exit status:
#   that of the command, if the guest reported one; except that 0 becomes
#   125  when the kernel's console shows a warning, an oops, a sanitizer's
#        report, a memory leak (debug kernel) or the like
#   124  the guest took longer than VM_TIMEOUT
#   125  also: no status from the guest, or no guest because of an error
#
# build/vm/last is the folder of the latest run: console.log is the kernel's
# console.  Runs may go on in parallel.

set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

build=$repo/build/vm
keep_runs=8

# What no healthy kernel prints.  The first part is what the kernel's network
# CI looks for.
bad_console='\] RIP: |\] Call Trace:|\] ref_tracker: |unreferenced object 0x'
bad_console+='|blocked for more than|WARNING:|UBSAN:|KASAN:|KCSAN:'
# DMA-API also says that it is there.
bad_console+='|DMA-API: .*: |(DMA-API|ODEBUG|kmemleak).*disabl'
bad_console+='|[^E]BUG:|INFO: task|rcu: INFO: rcu_|soft lockup|Oops'
bad_console+='|general protection fault|Kernel panic|refcount_t:'
bad_console+='|unregister_netdevice: waiting|suspicious RCU'

# Sets kernel (path inside the root), version, and binds, the host's files and
# folders to show there.
find_kernel() {
	local wanted=${VM_KERNEL:-6.12}

	binds=()
	if [ -n "${VM_SHARE-}" ]; then
		[ -d "$VM_SHARE" ] || die "VM_SHARE is not a folder: $VM_SHARE"
		binds+=(--bind "$(realpath "$VM_SHARE"):/share")
	fi
	if [ "$wanted" = debug ]; then
		make_with debug-kernel.sh
		wanted=$made/bzImage
		VM_MODULES=$(echo "$made"/lib/modules/*)
	fi
	if [ -f "$wanted" ]; then
		kernel=/vm/kernel
		binds+=(--bind "$(realpath "$wanted"):$kernel")
		bind_modules
	else
		version=$(installed_kernel "$wanted")
		kernel=/boot/vmlinux-$version
	fi
}

# The build link names a folder of the host, which may have a source link in
# turn: what they lead to has to be where they point to.
bind_modules() {
	local modules link

	[ -e "${VM_MODULES-}/build" ] ||
		die "VM_KERNEL is a file, so VM_MODULES must be its modules folder" \
			"with a working build link"
	modules=$(realpath "$VM_MODULES")
	version=${modules##*/}
	binds+=(--bind "$modules:/vm/modules")
	for link in "$modules/build" "$modules/build/source"; do
		[ ! -L "$link" ] ||
			binds+=(--bind "$(realpath "$link"):$(readlink "$link")")
	done
}

# make_with SCRIPT: one that makes a folder once and prints its name, which goes to
# the variable made.
make_with() {
	"$vm_dir/$1" >"$run/made" &
	job=$!
	finish
	made=$(<"$run/made")
	rm "$run/made"
}

# The newest installed version that $1 is, or abbreviates.
installed_kernel() {
	local name found='' all

	mapfile -t all < <(printf '%s\n' "$root"/boot/vmlinux-* | sort -V)
	all=("${all[@]#"$root/boot/vmlinux-"}")
	for name in "${all[@]}"; do
		case $name in
		"$1" | "$1"[.+-]*) found=$name ;;
		esac
	done
	[ -n "$found" ] || die "no kernel $1, only these: ${all[*]}"
	printf '%s\n' "$found"
}

# Starts a command inside the root file system, as $job.  A direct child, for
# its death to follow from ours, whatever we die of; and in the background, for
# signals to reach us while it runs.
start() {
	"$vm_dir/chroot.sh" "${binds[@]}" "$@" </dev/null &
	job=$!
}

finish() {
	local status=0

	wait "$job" || status=$?
	job=
	return "$status"
}

stop() {
	kill -KILL "$job" || :
	finish || :
} 2>/dev/null

# True if no file has changed since the last build for this kernel.
up_to_date() {
	local out=$1 key=$2 newer

	[ -e "$out/initrd" ] || return 1
	[ "$(cat "$out/key" 2>/dev/null)" = "$key" ] || return 1
	newer=$(find "$repo" -path "$repo/.git" -prune -o -path "$repo/build" -prune \
		-o ! -path "$repo" -newer "$out/key" -print -quit)
	[ -z "$newer" ]
}

# Leaves the initramfs in $run/initrd; a link, for a later build to replace its
# own without touching this run's.
build_initrd() {
	local out=$build/$version key

	key="$root $kernel $(stat -L -c %Y "${VM_MODULES:-$root}")"
	mkdir -p "$out"
	exec 8>"$out/lock"
	flock 8
	if ! up_to_date "$out" "$key"; then
		say "building for $version"
		rm -f "$out/key"
		printf '%s\n' "$key" >"$out/key.new"
		start /repo/selftests/vm/stage.sh "$version" "build/vm/$version" \
			8>&- >&2
		finish || die "build failed"
		mv "$out/key.new" "$out/key"
	fi
	ln "$out/initrd" "$run/initrd"
	exec 8>&-
}

# Opening /dev/kvm, creating a machine, even running a few instructions in it
# proves nothing where virtual machines nest badly.  So have a real kernel start
# until it finds that it has no root, which takes a second where KVM works.
try_kvm() {
	local log=$run/kvm.log answer=1 deadline=$((SECONDS + 20))

	[ -w /dev/kvm ] || return 1
	: >"$log"
	start qemu-system-x86_64 -accel kvm -cpu host -M q35 -smp 2 -m 512M \
		-nodefaults -display none -no-reboot -serial file:/dev/stdout \
		-kernel "/boot/vmlinux-$(installed_kernel 6.12)" \
		-append "console=ttyS0 panic=-1" >"$log" 2>&1
	while [ "$SECONDS" -lt "$deadline" ] && kill -0 "$job" 2>/dev/null; do
		! grep -aq 'KVM internal error' "$log" || break
		sleep 0.2
	done
	! grep -aq 'Unable to mount root fs' "$log" || answer=0
	stop
	return "$answer"
}

# The answer holds until the next boot of the host.
find_accel() {
	local boot answer

	accel=${VM_ACCEL-${VM_CLOCK:+tcg}}
	[ -z "$accel" ] || return 0
	boot=$(</proc/sys/kernel/random/boot_id)
	answer=$cache_root/accel-$boot
	if [ ! -e "$answer" ]; then
		if try_kvm; then echo kvm; else echo tcg; fi >"$run/accel"
		mv "$run/accel" "$answer"
		find "$cache_root" -maxdepth 1 -name 'accel-*' \
			! -name "accel-$boot" -delete
	fi
	accel=$(<"$answer")
}

# A folder for this run, and none for the oldest ones that are over.
make_run_folder() {
	local old

	run=$build/run-$(date +%Y%m%d-%H%M%S)-$$
	mkdir -p "$run"
	ln -sfnT "$(basename "$run")" "$build/last"
	find "$build" -maxdepth 1 -name 'run-*' | sort -r |
		tail -n +$((keep_runs + 1)) |
		while read -r old; do
			[ -d "/proc/${old##*-}" ] || rm -rf "$old"
		done
}

# vm_* variables are for the guest's init.  Most of the rest is to start sooner;
# a kernel that panics ends its machine.
kernel_arguments() {
	append="console=ttyS0 panic=-1 mitigations=off random.trust_cpu=on"
	append+=" tsc=reliable no_timer_check vm_run=$(basename "$run")"
	[ -z "${VM_SHARE-}" ] || append+=" vm_share=1"
	[ -z "${tty-}" ] ||
		append+=" vm_term=$TERM vm_rows=${tty% *} vm_cols=${tty#* }"
	append+=" ${VM_APPEND-}"
}

# add_keeper NAME DEVICE: where it can keep its state, for drivers forget it when the guest
# sleeps: nothing more comes of folders then, nor in 7.x of serial ports.
add_keeper() {
	keepers=$((keepers + 1))
	qemu+=(-device "pcie-root-port,id=port-$1,chassis=$((100 + keepers))"
		-device "$2,bus=port-$1,x-pcie-pm-no-soft-reset=on")
}

add_folder() {
	qemu+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap$3")
	add_keeper "$1" "virtio-9p-pci,fsdev=$1,mount_tag=$1"
}

# QEMU is at both ends of the socket, so that nobody else has to live as long.
# shellcheck disable=SC2054 # QEMU's commas
add_monitor() {
	qemu+=(-qmp "unix:$1,server=on,wait=off"
		-chardev "socket,id=monitor,path=$1"
		-device virtserialport,chardev=monitor,name=monitor)
}

# shellcheck disable=SC2054 # QEMU's commas
qemu_arguments() {
	local folder=/repo/${run#"$repo/"} extra keepers=0

	case $accel${VM_CLOCK:+:$VM_CLOCK} in
	kvm) qemu=(-accel kvm -cpu host) ;;
	tcg) qemu=(-accel tcg,thread=multi -cpu max) ;;
	# Of 2 ns each: some three times what an emulated processor can do.
	tcg:virtual) qemu=(-accel tcg -icount shift=1,sleep=off -cpu max) ;;
	*) die "no such accelerator and clock: $accel ${VM_CLOCK-}" ;;
	esac
	# Shared memory, for a vfio-user device of VM_QEMU to reach.
	qemu+=(-object "memory-backend-memfd,id=ram,size=${VM_MEM:-4G},share=on"
		-M q35,memory-backend=ram
		-smp "${VM_CPUS:-2}" -m "${VM_MEM:-4G}"
		-nodefaults -no-user-config -display none -no-reboot
		-kernel "$kernel" -initrd "$folder/initrd" -append "$append"
		-serial "file:$folder/console.log"
		-drive if=none,id=root,format=raw,readonly=on,file=/vm/root.erofs
		-device virtio-blk-pci,drive=root)
	add_keeper serial virtio-serial-pci
	if [ -n "${tty-}" ]; then
		qemu+=(-chardev stdio,id=out,signal=off
			-device virtconsole,chardev=out)
	else
		qemu+=(-chardev "file,id=out,path=$folder/output"
			-device virtserialport,chardev=out,name=out)
	fi
	add_folder repo /repo ,readonly=on
	add_folder build /repo/build ''
	[ -z "${VM_SHARE-}" ] || add_folder share /share ,readonly=on
	[ -z "${VM_MONITOR-}" ] || add_monitor "$folder/monitor"
	read -ra extra <<<"${VM_QEMU-}"
	qemu+=("${extra[@]}")
}

# The command's output comes through a named pipe: QEMU's own stdio would do
# only with an input that stays open, and be left non-blocking to whoever else
# has it.
run_guest() {
	local status=0 reader

	: >"$run/console.log"
	mkfifo "$run/output"
	cat "$run/output" &
	reader=$!
	# Without this the reader would wait forever for a QEMU that ended early.
	exec 7>"$run/output"
	start timeout -k 2 "${VM_TIMEOUT:-600}" qemu-system-x86_64 "${qemu[@]}" \
		>&2 7>&-
	finish || status=$?
	exec 7>&-
	wait "$reader" || :
	rm "$run/output"
	return "$status"
}

run_shell() {
	local saved status=0

	saved=$(stty -g)
	"$vm_dir/chroot.sh" "${binds[@]}" qemu-system-x86_64 "${qemu[@]}" ||
		status=$?
	stty "$saved"
	return "$status"
}

last_lines() {
	say "the last lines of the guest's console ($run/console.log):"
	tail -n 60 "$run/console.log" | tr -d '\r' >&2
}

check_console() {
	grep -aqE "$bad_console" "$run/console.log" || return 0
	say "the guest's kernel complains ($run/console.log):"
	grep -anE -B 3 -A 30 "$bad_console" "$run/console.log" |
		tr -d '\r' | head -n 150 >&2
	return 1
}

# verdict STATUS-OF-QEMU: exits with the status of this whole run.
verdict() {
	local healthy=1 status

	check_console || healthy=0
	if [ "$1" -eq 124 ] || [ "$1" -eq 137 ]; then
		last_lines
		die -124 "no end after ${VM_TIMEOUT:-600} s (VM_TIMEOUT): killed"
	fi
	if [ ! -s "$run/status" ]; then
		[ "$healthy" -eq 0 ] || last_lines
		die "the guest ended without a status for the command (QEMU: $1)"
	fi
	status=$(<"$run/status")
	[ "$status" -eq 0 ] || die "-$status" "command failed with status $status"
	[ "$healthy" -eq 1 ] || die "command succeeded, but see the console above"
}

# One process for each card of VM_CARDS, in a root of its own as QEMU is.
start_cards() {
	local folder=/repo/${run#"$repo/"} cards options i

	IFS=';' read -ra cards <<<"${VM_CARDS-}"
	for i in "${!cards[@]}"; do
		read -ra options <<<"${cards[i]}"
		start /repo/selftests/vm/card.sh \
			"/repo/build/vm/$version/selftests/daq-card" \
			--socket "$folder/card$i" --control "$folder/card$i.control" \
			--log "$folder/card$i.log" "${options[@]}" >&2
		card_jobs+=("$job")
		wait_for_card "$i"
		job=
		add_card "$i" "$folder"
	done
}

# Until card $1, the latest job, can be connected to.
wait_for_card() {
	local deadline=$((SECONDS + 20))

	until [ -S "$run/card$1.control" ]; do
		kill -0 "$job" 2>/dev/null || die "card $1 did not start"
		[ "$SECONDS" -lt "$deadline" ] || die "card $1 does not listen"
		sleep 0.05
	done
}

# add_card NUMBER FOLDER
add_card() {
	qemu+=(-device "pcie-root-port,id=slot$1,chassis=$(($1 + 1)),slot=$(($1 + 1)),\
x-speed=5,x-width=1"
		-device "{\"driver\":\"vfio-user-pci\",\"id\":\"card$1\",\"bus\":\"slot$1\",\
\"socket\":{\"type\":\"unix\",\"path\":\"$2/card$1\"}}"
		-chardev "socket,id=control$1,path=$2/card$1.control,reconnect-ms=100"
		-device "virtserialport,chardev=control$1,name=card$1")
}

# The card is the child of the job, which would not pass the signal on; it has
# something to write to its log.
stop_cards() {
	local job child

	for job in "${card_jobs[@]}"; do
		read -r child <"/proc/$job/task/$job/children"
		kill -TERM "$child"
		timeout 10 tail --pid="$child" -f /dev/null || kill -KILL "$job"
		wait "$job"
	done
	card_jobs=()
} 2>/dev/null

# Leaves the exit status alone.
clean_up() {
	set +e
	trap - ERR
	stop_cards
	# Its death takes the whole guest with it; see chroot.sh.
	[ -z "${job-}" ] || stop
	[ -z "${run-}" ] || rm -f "$run/initrd" "$run/output"
	[ -z "${SUDO_UID-}" ] || [ ! -d "$repo/build" ] ||
		chown -R "$SUDO_UID:${SUDO_GID-}" "$repo/build"
}

main() {
	local status=0
	card_jobs=()

	case ${1-} in
	'' | -h | --help)
		sed -n '/^# usage/,/^$/s/^# \{0,1\}//p' "$0"
		[ -n "${1-}" ] || exit 125
		exit 0
		;;
	--shell) tty=$(stty size) || die "--shell needs a terminal" ;;
	esac
	need_root "$@"
	trap clean_up EXIT
	trap 'exit 125' ERR
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	make_run_folder
	make_with rootfs.sh
	root=$made
	find_kernel
	find_accel
	build_initrd
	printf '%s\n' "$1" >"$run/command"
	kernel_arguments
	qemu_arguments
	start_cards
	say "kernel $version, $accel, ${VM_CPUS:-2} CPUs, ${VM_MEM:-4G}"
	if [ -n "${tty-}" ]; then
		run_shell || status=$?
	else
		run_guest || status=$?
	fi
	stop_cards || :
	verdict "$status"
}

main "$@"
