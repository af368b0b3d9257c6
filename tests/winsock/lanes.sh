#!/bin/bash
# tests/winsock/lanes.sh JUNIT_FILE... - what each lane of the Winsock tests has told in these runs of ctest, as one figure for a lane: their
# groups are tests of their own. Files that are not there, and runs without such tests, add nothing.
# ctest has to keep what tests that passed have said: --test-output-size-passed.
set -euo pipefail

files=()
for file in "$@"; do
    [[ ! -s $file ]] || files+=("$file")
done
((${#files[@]} > 0)) || exit 0
awk '
/^lane [a-z-]+: [0-9]+ passed, [0-9]+ excepted, [0-9]+ failed($|<)/ { # and not what this says itself: winsock_lanes runs it
    lane = $2
    if (!(lane in groups))
        order[++lanes] = lane
    groups[lane]++
    passed[lane] += $3
    excepted[lane] += $5
    failed[lane] += $7
}
END {
    for (i = 1; i <= lanes; i++) {
        lane = order[i]
        printf "lane %s %d passed, %d excepted, %d failed (groups: %d)\n", lane, passed[lane], excepted[lane], failed[lane], groups[lane]
    }
}' "${files[@]}"
