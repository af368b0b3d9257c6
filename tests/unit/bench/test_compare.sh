#!/bin/bash
# test_compare.sh BENCH_DIR - the evaluation of `wsdbench compare`: medians, ratios, verdicts, exit status,
# CSV and JSON.
set -euo pipefail

bench=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# is WHAT WANTED GOT
is() {
    if [[ $2 == "$3" ]]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: wanted '$2', got '$3'"
        failures=$((failures + 1))
    fi
}

# evaluate CHECK [PLACE] - prints the report, returns awk's status.
evaluate() {
    awk -v where="${2:-}" -v check="$1" -v csv="$work/r.csv" -v json="$work/r.json" -f "$bench/compare.awk" \
        "$work/targets.tsv" "$work/samples.tsv"
}

verdict_of() { awk -v t="$1" 'index($0, t) == 1 { print $NF }' "$work/report"; }

printf '# comment\n' >"$work/targets.tsv"
printf '%s\t%s\t%s\t%s\t%s\t%s\n' >>"$work/targets.tsv" \
    fast a.ours a.other at-most 1.05 here \
    slow b.ours a.other at-most 1.05 here \
    enough c.ours c.other at-least 0.95 there \
    constant d.ours 1 at-most 48 here \
    shown b.ours a.other info 1.0 here
# a.other: 100 (even number of rounds: mean of 90 and 110); one wild round must not matter
printf '%s\n' '1	a.other	90' '2	a.other	110' '3	a.other	5' '4	a.other	9000' \
    '1	a.ours	101' '2	a.ours	99' '3	a.ours	104' \
    '1	b.ours	106' '1	c.ours	19.1' '1	c.other	20' '1	d.ours	47.9' \
    '1	junk	n/a' '1	sweep.lat.64.raw	3' >"$work/samples.tsv"

status=0
evaluate 0 >"$work/report" || status=$?
is "without --check the status is 0 also when something is missed" 0 "$status"
is "a ratio within its bound is met" met "$(verdict_of 'fast ')"
is "a ratio beyond its bound is missed" MISSED "$(verdict_of 'slow ')"
is "at-least is met from above" met "$(verdict_of 'enough ')"
is "a figure is compared with a constant" met "$(verdict_of 'constant ')"
is "a line for information has no verdict" - "$(verdict_of 'shown ')"
is "the ratio is that of the medians" 1.010 "$(awk '/^fast/ { print $4 }' "$work/report")"
is "the summary counts" "3 of 4 targets met" "$(tail -n 1 "$work/report")"
is "a figure that is no number is left out" 0 "$(grep -c '^junk' "$work/report" || true)"
is "the sweep is not in the table" 0 "$(grep -c '^sweep' "$work/report" || true)"

status=0
evaluate 1 >"$work/report" || status=$?
is "with --check a missed target fails" 1 "$status"

status=0
evaluate 1 there >"$work/report" || status=$?
is "targets for another place do not count" 0 "$status"
is "and are not shown" "1 of 1 targets met" "$(tail -n 1 "$work/report")"

sed -i '/^slow/d' "$work/targets.tsv"
status=0
evaluate 1 >"$work/report" || status=$?
is "with --check all met passes" 0 "$status"

printf 'absent\tnobody.measured\ta.other\tat-most\t1\n' >>"$work/targets.tsv"
status=0
evaluate 1 >"$work/report" || status=$?
is "a target without a figure fails" 1 "$status"
is "and says so" FIGURE "$(verdict_of 'absent ')"

is "the CSV has a line for each target and a head" 6 "$(wc -l <"$work/r.csv")"
if command -v python3 >/dev/null; then
    is "the JSON is JSON" 1.01 "$(python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
print(round(d["ratios"][0]["ratio"], 3))' "$work/r.json")"
fi

# The list in the tree: six columns, known kinds and places, numbers as bounds, and no row lost.
is "targets.tsv is well formed" "" "$(awk -F '\t' '/^#/ { next }
    NF != 6 || $4 !~ /^(at-most|at-least|info)$/ || $5 !~ /^[0-9]+(\.[0-9]+)?$/ ||
    $6 !~ /^(device|softiwarp|windows)$/ { print FNR }' "$bench/targets.tsv")"
is "targets.tsv has all rows of softiwarp" yes "$(awk -F '\t' '!/^#/ && $4 != "info" && $6 == "softiwarp" { n++ }
    END { print (n >= 11 ? "yes" : "no") }' "$bench/targets.tsv")"
is "targets.tsv has all rows of a device" yes "$(awk -F '\t' '!/^#/ && $4 != "info" && $6 == "device" { n++ }
    END { print (n >= 11 ? "yes" : "no") }' "$bench/targets.tsv")"
is "targets.tsv has all rows of windows" yes "$(awk -F '\t' '!/^#/ && $4 != "info" && $6 == "windows" { n++ }
    END { print (n >= 3 ? "yes" : "no") }' "$bench/targets.tsv")"

exit $((failures > 0))
