#!/bin/bash
# test_compare_softiwarp.sh WSDBENCH BENCH_DIR - the comparison over softiwarp on this machine, with few iterations: every
# figure that a target names is measured, rounds alternate, all runs share one placement, usage errors. What the figures are
# is not looked at: the machine may be busy.
set -uo pipefail

wsdbench=$1
bench=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# is WHAT WANTED GOT
is() {
    if [[ $2 == "$3" ]]; then
        echo "ok: $1"
    else
        printf 'FAILED: %s: wanted "%s", got "%s"\n' "$1" "$2" "$3"
        cat "$work/said"
        failures=$((failures + 1))
    fi
}

# compare OPTION... - runs it, keeps what it says, leaves its status in $status.
status=0
compare() {
    status=0
    timeout 100 "$wsdbench" compare --softiwarp --out "$work" "$@" >"$work/said" 2>&1 || status=$?
}

# not_measured - names of samples that targets want and nobody measured; instructions are counted in a full run only.
not_measured() {
    awk -F '\t' 'FNR == NR { is_there[$2] = 1; next }
        /^#/ || $6 != "softiwarp" { next }
        { for (i = 2; i <= 3; i++) if (!($i in is_there) && $i !~ /^([0-9.]+|instructions\..*)$/) print $i }' \
        "$work/samples.tsv" "$bench/targets.tsv" | sort -u | tr '\n' ' '
}

compare --quick --idle 20
is "a short comparison runs" 0 "$status"
is "every figure of the targets is there" "" "$(not_measured)"
is "nothing failed on the way" 0 "$(grep -c 'no figure for' "$work/said")"
is "no figure is of a device" 0 "$(grep -cE 'perftest|rsockets' "$work/samples.tsv")"
is "the targets of softiwarp are judged" 1 "$(grep -c '^64 B ping-pong, upcall: san / TCP that blocks .*\(met\|MISSED\)$' "$work/said")"
is "and no others" 0 "$(grep -c 'ib_send_lat' "$work/said")"
is "where the processes ran is kept" 1 "$(grep -c '"pinned"' "$work/environment.json")"

compare --quick --check --only '^own_lat.poll'
is "with --check what was not measured fails" 1 "$status"

compare --rounds 2 --no-sweep --only '^own_lat.upcall' --pin none
is "the second round goes backwards" \
    '1 raw,1 san,1 app,1 apptcp,1 tcp,2 tcp,2 apptcp,2 app,2 san,2 raw,' \
    "$(awk -F '\t' '{ sub(/.*\./, "", $2); printf "%s %s,", $1, $2 }' "$work/samples.tsv")"
is "unless told to, it pins nothing" 0 "$(grep -c '"pinned"' "$work/environment.json")"

compare --pin 0
is "a wrong --pin is wrong usage" 2 "$status"
compare --quick --pin 0,1023 --only '^own_lat.poll.tcp'
is "a processor that is not there is said" 1 "$(grep -c 'cannot run on processor 1023' "$work/said" | sed 's/^[1-9].*/1/')"

echo "$failures failures"
exit $((failures > 0))
