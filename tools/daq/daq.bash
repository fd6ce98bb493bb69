# SPDX-License-Identifier: GPL-2.0
# bash completion for daq(8)

_daq() {
	local cur prev words cword
	_init_completion || return

	local -A options=(
		[list]="--json --help"
		[set]="--channel --source --sample-bytes --segment --frame --line --rate --fps --output-low --help"
		[card]="--personality --help"
		[cable]="--help"
		[revoke]="--channel --help"
		[grant]="--channel --help"
		[capture]="--output --format --channel --frames --size --duration --until-last
			--buffer --datatype --no-direct --copy --zero-copy --allow-loss
			--trigger --json --quiet --help"
		[dump]="--channel --frames --gaps --count --json --read --write --help"
		[top]="--interval --count --once --json --help"
		[counters]="--channel --watch --interval --json --help"
		[events]="--count --json --help"
		[snap]="--channel --output --from --skip --view --pixel --samples --unsigned --json
			--sample-bytes --frame --line --rate --help"
		[verify]="--channel --source --duration --frames --from --allow-loss --json --quiet
			--sample-bytes --frame --line --rate --help"
		[doctor]="--json --quiet --help"
		[play]="--loop --rate --fps --buffer --copy --zero-copy --json --quiet --help"
		[run]="--channel --output --user --buffer --copy --zero-copy --help"
	)

	if ((cword == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "${!options[*]} --help --version" -- "$cur")
		return
	fi
	case $prev in
	--source | -s)
		mapfile -t COMPREPLY < <(compgen -W "none counter ramp sine bars loopback cable external" -- "$cur")
		return
		;;
	--personality | --pixel | -p)
		local kinds="yuyv grey8 grey16"
		[[ ${words[1]} == snap ]] || kinds="interrupt polled kicked"
		mapfile -t COMPREPLY < <(compgen -W "$kinds" -- "$cur")
		return
		;;
	--view | -v)
		mapfile -t COMPREPLY < <(compgen -W "picture waveform spectrum samples" -- "$cur")
		return
		;;
	--output | -o)
		[[ ${words[1]} == run ]] || _filedir
		return
		;;
	--user | -u)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return
		;;
	--from | --read | --write | -w)
		_filedir
		return
		;;
	--format | -f)
		mapfile -t COMPREPLY < <(compgen -W "raw sigmf pcapng" -- "$cur")
		return
		;;
	--rate | -r)
		[[ ${words[1]} == dump ]] && _filedir
		[[ ${words[1]} == play ]] &&
			mapfile -t COMPREPLY < <(compgen -W "original" -- "$cur")
		return
		;;
	--trigger)
		_filedir
		return
		;;
	--json)
		[[ ${words[1]} == capture ]] && _filedir && return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${options[${words[1]}]}" -- "$cur")
	elif ((cword == 2)) || [[ ${words[1]} == @(cable|top|doctor) ]]; then
		_available_interfaces
	elif [[ $cur == *=* ]]; then
		cur=${cur#*=}
		_filedir
	fi
}
complete -F _daq daq
