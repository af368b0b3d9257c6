#!/bin/bash
# hangs.sh WINE.SH HANGS.EXE - a Windows program that hangs is ended in time, with what it started, and has failed.
set -euo pipefail

if (($# != 2)); then
    echo "usage: $0 WINE.SH HANGS.EXE" >&2
    exit 2
fi
mark=hangs-$$-$RANDOM
for seconds in 3 10 25; do # on a fresh Wine server or a busy machine two programs start slowly
    status=0
    output=$(WSD_WINE_SECONDS=$seconds "$1" "$2" "$mark" 2>&1) || status=$?
    [[ $status == 124 && $output != *"both are there"* ]] || break
done
printf '%s\n' "$output"
[[ $output == *"both are there"* ]] || {
    echo "FAIL: the program did not come so far" >&2
    exit 1
}
((status == 124)) || {
    echo "FAIL: the status is $status, not 124" >&2
    exit 1
}
for _ in {1..200}; do # the Wine server may take its time to see that they have gone
    pgrep -f -- "hangs.exe.* $mark" >/dev/null || {
        echo "ok: it was ended, and what it had started too"
        exit 0
    }
    sleep 0.1
done
echo "FAIL: still there:" >&2
pgrep -a -f -- "hangs.exe.* $mark" >&2
exit 1
