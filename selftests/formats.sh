#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Recordings: that nothing is copied on the way to the disk, what others read in them,
# that they say what they lack, and that it lacks again when they are played.

# shellcheck disable=SC2317 # functions that only check and wait_for call
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

reader=$(dirname "$(command -v pattern)")/sigmf_reader
segment=8192
frame=81920
rate=$((1024000 / scale))

# make_disk MEGABYTES: a file system with direct I/O, at $dir/disk.
make_disk() {
	mkdir -p "$dir/disk"
	modprobe -q loop
	truncate -s "$1M" "$dir/image"
	busybox mke2fs -F -b 4096 "$dir/image" >/dev/null 2>&1 &&
		mount -t ext4 -o loop "$dir/image" "$dir/disk"
}

drop_disk() {
	umount "$dir/disk" && rm "$dir/image"
}

set_inputs() {
	daq set daqt0 --channel 0-1 --source counter --sample-bytes 2 --segment $segment \
		--frame $frame --rate $rate
}

# Everything in the JSON of steady_state.
steady() {
	sed -n "s/.*\"steady_state\":.*\"$1\": \([0-9.]*\).*/\1/p" "$dir/json"
}

# record ARGUMENT...: in the background, with the process in $recorder.
record() {
	daq capture daqt0 --quiet "$@" 2>"$dir/err" &
	recorder=$!
	wait_for 20 grep -q capturing "$dir/err"
}

# How a process ended, in $status.
wait_end() {
	status=0
	wait "$1" || status=$?
}

# count NAME: a counter of channel 0.
count() {
	read_stats daqt0
	echo "${stats[ch0_$1]}"
}

# has_counted NAME NUMBER
has_counted() {
	[ "$(count "$1")" -ge "$2" ]
}

# wait_for_more NAME NUMBER: however long a busy host takes for that.
wait_for_more() {
	wait_for 60 has_counted "$1" $(($(count "$1") + $2))
}

# A consumer that is stopped loses what its buffers have no room for.
make_gap() {
	wait_for_more socket 50
	kill -STOP "$recorder"
	wait_for_more drop_no_buffer 50
	kill -CONT "$recorder"
	wait_for_more socket 100
	sleep "$scale"
	kill -TERM "$recorder"
	wait_end "$recorder"
}

# gaps FILE: offset, lost frames and lost samples of each.
gaps() {
	sed -n 's/.*"offset": \([0-9]*\).*"gap": {"frames": \([0-9]*\),.*"samples": \([0-9]*\)}.*/\1 \2 \3/p' \
		"$1.idx"
}

# is_whole FILE: capinfos complains when a packet is cut.
is_whole() {
	capinfos -c "$1" >"$dir/info"
}

size() {
	stat -c %s "$1"
}

test_direct() {
	local frames calls c bad=0

	check "direct: recorded" daq capture daqt0 0="$dir/disk/a.raw" \
		1="$dir/disk/b.sigmf" --frames 60 --zero-copy --quiet \
		--json "$dir/json"
	matches "direct: all of the first file" "$(<"$dir/json")" \
		"*a.raw\", \"bytes\": $(size "$dir/disk/a.raw"), \"direct_bytes\": $(size "$dir/disk/a.raw"), \"buffered_bytes\": 0, \"not_direct\": null}*"
	matches "direct: all of the second file" "$(<"$dir/json")" \
		"*b.sigmf-data\", \"bytes\": $(size "$dir/disk/b.sigmf-data"), \"direct_bytes\": $(size "$dir/disk/b.sigmf-data"), \"buffered_bytes\": 0, \"not_direct\": null}*"
	frames=$(steady frames)
	calls=$(steady syscalls)
	check "direct: many frames: $frames" test $((frames)) -gt 50
	check "direct: system calls are counted" test $((calls)) -gt $((frames / 2))
	check "direct: system calls per frame are 2 or less: $calls" \
		test $((calls)) -le $((frames * 2))
	equal "direct: page faults" "$(steady minor_faults) $(steady major_faults)" "0 0"
	equal "direct: copied bytes" "$(steady copied_bytes)" 0
	for c in a.raw b.sigmf-data; do
		pattern "$dir/disk/$c" $frame || bad=$((bad + 1))
	done
	equal "direct: every byte is right" $bad 0
	matches "direct: the index says that it is complete" "$(<"$dir/disk/a.raw.idx")" \
		"*\"bytes\": $(size "$dir/disk/a.raw"), \"frames\": *, \"last\": false, \"ended\": true}"
	rm "$dir/disk/"[ab]*
}

# Not on a file system that copies; and frames that do not fit the disk.
test_buffered() {
	local output copied bytes

	output=$(daq capture daqt0 0="$dir/a.raw" -n 20 --json "$dir/json" 2>&1)
	result $? "buffered: recorded where there is no direct I/O"
	matches "buffered: the summary says so" "$output" \
		"*a.raw: 0 bytes straight to the disk, 1638400 copied by the kernel: *"
	copied=$(steady copied_bytes)
	bytes=$(($(steady frames) * frame))
	equal "buffered: copied once" "$copied" "$bytes"
	daq set daqt0 --channel 0 --segment 1000 --frame 10000
	check "buffered: frames that do not fit the disk" daq capture daqt0 0="$dir/disk/a.raw" \
		-n 20 --quiet --json "$dir/json"
	matches "buffered: they are copied" "$(<"$dir/json")" \
		'*"direct_bytes": 0, "buffered_bytes": 200000, *'
	check "buffered: every byte is right" pattern "$dir/disk/a.raw"
	rm "$dir/a.raw"* "$dir/disk/"a*
	set_inputs
}

test_limits() {
	check "limits: --size" timeout $((60 * scale)) daq capture daqt0 0="$dir/a.raw" \
		--size 500000 --frames 1000 --quiet
	equal "limits: whole frames below that" "$(size "$dir/a.raw")" $((6 * frame))
	check "limits: --frames comes first" timeout $((60 * scale)) daq capture daqt0 \
		0="$dir/a.raw" --size 500000 --frames 3 --quiet
	equal "limits: so many" "$(size "$dir/a.raw")" $((3 * frame))
	refused "limits: less than a frame" 1 '*more than --size allows*' \
		daq capture daqt0 0="$dir/a.raw" --size 1000
	refused "limits: a format that there is not" 2 '*--format*wav*' \
		daq capture daqt0 0="$dir/a.raw" --format wav
	refused "limits: samples that are not of that type" 1 '*not of type rf64_le*' \
		daq capture daqt0 0="$dir/a.sigmf" --datatype rf64_le
	refused "limits: a raw file has one channel" 1 '*cannot share*' \
		daq capture daqt0 0="$dir/a.raw" 1="$dir/a.raw"
	rm -f "$dir/a."*
}

# Wireshark's programs know each channel, each segment, and when it was.
test_pcapng() {
	local segments info time name len stamp

	check "pcapng: recorded" daq capture daqt0 -c 0-1 -o "$dir/a.pcapng" -n 20 --quiet
	info=$(capinfos "$dir/a.pcapng" 2>&1)
	result $? "pcapng: capinfos reads it"
	matches "pcapng: nanoseconds" "$info" '*File timestamp precision:*nanoseconds (9)*'
	matches "pcapng: an interface for each channel" "$info" \
		'*Name = daqt0:0*Number of packets = 200*Name = daqt0:1*Number of packets = 200*'
	matches "pcapng: it says what it is" "$info" \
		"*Description = counter, 2-byte samples, $rate/s, frames of $frame bytes*"
	tshark -r "$dir/a.pcapng" -d ethertype==0x88b5,data -T fields -e frame.time_epoch -e frame.interface_name \
		-e frame.len -e data.data >"$dir/fields" 2>"$dir/err"
	result $? "pcapng: tshark reads it"
	# its time stamp, at byte 48 of the header, 14 of which tshark has taken
	awk '{ print $1, $2, $3, substr($4, 69, 16) }' "$dir/fields" >"$dir/stamps"
	segments=0
	while read -r time name len stamp; do
		stamp=$((16#$stamp))
		[ "$len $time" = "$((segment + 64)) $((stamp / 1000000000)).$(printf %09d \
			$((stamp % 1000000000)))" ] && [[ $name = daqt0:[01] ]] &&
			segments=$((segments + 1))
	done <"$dir/stamps"
	equal "pcapng: every segment, with the card's time to the nanosecond" "$segments" 400
	rm "$dir/a.pcapng" "$dir/fields" "$dir/stamps"
}

# What is lost is told by each format.
test_gaps() {
	local lost frames samples

	record 0="$dir/a.raw" --buffer 512k --allow-loss
	make_gap
	equal "gaps: raw: recorded" "$status" 0
	lost=$(gaps "$dir/a.raw" | head -n 1)
	matches "gaps: raw: the index has one" "$lost" '[1-9]* [1-9]* [1-9]*'
	read -r _ frames samples <<<"$lost"
	equal "gaps: raw: as many samples as frames" "$samples" $((frames * frame / 2))

	record 0="$dir/a.sigmf" --buffer 512k --allow-loss
	make_gap
	equal "gaps: sigmf: recorded" "$status" 0
	check "gaps: sigmf: JSON is valid" python3 -m json.tool "$dir/a.sigmf-meta" /dev/null

	record 0="$dir/a.pcapng" --buffer 512k --allow-loss
	make_gap
	equal "gaps: pcapng: recorded" "$status" 0
	lost=$(tshark -r "$dir/a.pcapng" -Y frame.drop_count -T fields -e frame.drop_count \
		2>/dev/null)
	matches "gaps: pcapng: tshark shows segments that were dropped" "$lost" '[1-9]*'
}

# Another reader: version, type, rate, and that global indices tell of the gap.
test_sigmf() {
	local kind start index first='' jump=0 gap=0 output

	if [ ! -x "$reader" ]; then
		skip "sigmf: another reader" "there was no libsigmf to build it with"
		return
	fi
	output=$("$reader" "$dir/a.sigmf-meta")
	result $? "sigmf: another reader understands it"
	matches "sigmf: what it is" "$output" \
		"version 1.2.* datatype ri16_le channels 1 rate $rate*extension daq*"
	while read -r kind start index _; do
		[ "$kind" != annotation ] || gap=$((gap + 1))
		[ "$kind" = capture ] || continue
		[ -z "$first" ] || [ $((index - start)) -le $((first)) ] || jump=$((jump + 1))
		[ -n "$first" ] || first=$((index - start))
	done <<<"$output"
	check "sigmf: global indices jump: $jump" test "$jump" -gt 0
	equal "sigmf: an annotation for each gap" "$gap" "$jump"
}

# record_played: what the far input hears.
record_played() {
	daq capture "$far" "$input=$dir/out.raw" --until-last --buffer 8M --quiet 2>"$dir/err" &
	wait_for 20 grep -q capturing "$dir/err"
}

# play_and_compare NAME FILE: to the far input, which is recorded.
play_and_compare() {
	record_played
	timeout $((60 * scale)) daq play daqt0 "$output=$2" --rate original --json >"$dir/json"
	result $? "play: $1: played"
	wait_for 20 eval "! kill -0 $! 2>/dev/null" || kill $!
	wait_end $!
	equal "play: $1: the far end has losses" "$status" 1
	check "play: $1: identical" cmp "$dir/data" "$dir/out.raw"
	equal "play: $1: with the same gaps" "$(gaps "$dir/out.raw")" "$(<"$dir/gaps")"
	equal "play: $1: none more" "$(member gaps "$dir/json")" "$(wc -l <"$dir/gaps")"
}

test_play() {
	local kind start index last=''

	daq set daqt0 --channel "$output" --source none --sample-bytes 2 --segment $segment \
		--frame $frame --rate $((rate / 2))
	daq set "$far" --channel "$input" --source "$hears" --sample-bytes 2 \
		--segment $segment --frame $frame --rate $rate
	cp "$dir/a.raw" "$dir/data"
	gaps "$dir/a.raw" >"$dir/gaps"
	play_and_compare raw "$dir/a.raw"
	[ -x "$reader" ] || return
	cp "$dir/a.sigmf-data" "$dir/data"
	"$reader" "$dir/a.sigmf-meta" | while read -r kind start index _; do
		[ "$kind" = capture ] || continue
		[ -z "$last" ] || echo "$((start * 2)) $(((index - start - last) * 2 / frame)) $((index - start - last))"
		last=$((index - start))
	done >"$dir/gaps"
	play_and_compare sigmf "$dir/a.sigmf-meta"
	# of the pcapng file only we can tell: what came out has to be in it again
	record_played
	check "play: pcapng: played" timeout $((60 * scale)) daq play daqt0 \
		"$output=$dir/a.pcapng:0" --quiet --rate $((rate * 2))
	wait_end $!
	mv "$dir/out.raw" "$dir/data"
	gaps "$dir/out.raw" >"$dir/gaps"
	check "play: pcapng: with gaps, twice as fast" test -s "$dir/gaps"
	rm "$dir/a."* "$dir/data"
}

test_refused() {
	head -c $((10 * frame)) /dev/zero >"$dir/x"
	printf '{"daq_index": 1, "card": "x", "channel": 0, "source": "none", "sample_bytes": 2, "frame_bytes": %d, "rate": 1}\n{"offset": 0, "frame": 0, "sample": 0}\n{"bytes": %d}\n' \
		$((2 * frame)) $((10 * frame)) >"$dir/x.idx"
	refused "play: frames that do not fit the channel" 1 \
		"*daq set daqt0 --channel $output --frame*" daq play daqt0 "$output=$dir/x"
	echo '{"daq_index": 1' >"$dir/x.idx"
	refused "play: an index that is none" 1 '*no index of a recording*' daq play daqt0 1="$dir/x"
	refused "play: a rate or a rate" 2 '*either --rate or --fps*' \
		daq play daqt0 1="$dir/x" --rate 5 --fps 5
	rm "$dir/x"*
}

# However a recording ends, what is there can be read.
test_ends() {
	record 0="$dir/a.pcapng" 1="$dir/a.raw"
	# what it does every second, and a bit more
	wait_for 60 grep -q '"bytes": [1-9]' "$dir/a.raw.idx"
	sleep "$scale"
	kill -KILL "$recorder"
	wait_end "$recorder" 2>/dev/null
	matches "killed: pcapng can be read" "$(capinfos -c "$dir/a.pcapng" 2>&1)" \
		'*Number of packets:*[1-9]*'
	matches "killed: the index knows how far it is" "$(tail -n 1 "$dir/a.raw.idx")" \
		'{"bytes": [1-9]*}'
	truncate -s "$(tail -n 1 "$dir/a.raw.idx" | tr -dc 0-9)" "$dir/a.raw"
	check "killed: every byte so far is right" pattern "$dir/a.raw"
	rm "$dir/a."*
	record 0="$dir/a.pcapng"
	wait_for_more socket 50
	kill -INT "$recorder"
	wait_end "$recorder"
	equal "interrupted: pcapng ends well" "$status" 0
	check "interrupted: capinfos has no complaint" is_whole "$dir/a.pcapng"
	rm "$dir/a."*
}

# record_full NAME FILE
record_full() {
	refused "full: $1: says so" 1 "*cannot write *$2*: No space left on device*" \
		timeout $((60 * scale)) daq capture daqt0 0="$dir/disk/$2" --quiet
}

test_full() {
	daq set daqt0 --channel 1 --source none
	daq set daqt0 --channel 0 --rate $((rate * 2))
	record_full raw a.raw
	matches "full: raw: the index agrees with the file" "$(tail -n 1 "$dir/disk/a.raw.idx")" \
		"{\"bytes\": $(size "$dir/disk/a.raw"), *\"ended\": true}"
	equal "full: raw: whole frames" $(($(size "$dir/disk/a.raw") % frame)) 0
	check "full: raw: every byte is right" pattern "$dir/disk/a.raw"
	rm "$dir/disk/a."*
	record_full pcapng a.pcapng
	check "full: pcapng: capinfos has no complaint" is_whole "$dir/disk/a.pcapng"
	rm "$dir/disk/a."*
	mount -o remount,ro "$dir/disk"
	refused "full: read-only" 1 '*cannot open *: Read-only file system*' \
		daq capture daqt0 0="$dir/disk/a.raw" -n 1
}

# A cable connects software cards: on the bus another input of the card hears the output.
connect() {
	if on_bus; then
		make_card daqt0 4
		far=daqt0 output=3 input=2 hears=loopback:3
	else
		make_card daqt0 2 && make_card daqt1 2 && daq cable daqt0 daqt1
		far=daqt1 output=1 input=1 hears=cable
	fi
}

begin
trap 'umount "$dir/disk" 2>/dev/null; clean_up' EXIT
connect
make_disk 64 || skip_file "there is no file system with direct I/O to be had"
set_inputs
test_direct
test_buffered
test_limits
test_pcapng
test_gaps
test_sigmf
test_play
test_refused
set_inputs
test_ends
drop_disk && make_disk 8
test_full
finish
