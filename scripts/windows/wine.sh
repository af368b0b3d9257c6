#!/bin/bash
# scripts/windows/wine.sh - runs one Windows program under Wine, without a display, and ends all of it when it takes too long.
# CMake uses it as the emulator of the mingw presets, so ctest works there as anywhere.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
    cat <<'TEXT'
usage: scripts/windows/wine.sh PROGRAM.EXE [ARGUMENT]...
Exit status: the program's (its last 8 bits), or 124 when the time was up. Environment:
  WSD_WINE_SECONDS  time for the program and all it starts, 280 by default
  WSD_WINE_PREFIX   the Wine prefix, build/windows/wine by default; made when it is not there (about 5 s, 700 MB)
TEXT
}

find_wine() {
    local candidate
    # The program itself: the wrapper called wine prints a warning about 32 bits on every call.
    for candidate in /usr/lib/wine/wine64 /usr/lib/x86_64-linux-gnu/wine/wine64 "$(command -v wine64 || true)"; do
        if [[ -x $candidate ]]; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "Wine is not installed (packages wine and wine64)"
}

# make_prefix - one at a time; a prefix that was left half made is made again. The driver "null" has windows but no display.
make_prefix() {
    local lock=$WINEPREFIX.lock
    mkdir -p "$(dirname "$WINEPREFIX")"
    exec {lock_fd}>"$lock"
    flock "$lock_fd"
    if [[ ! -e $WINEPREFIX/openwsd-ready ]]; then
        rm -rf "$WINEPREFIX"
        {
            run_with_deadline 120 "$wine" wineboot -i &&
                run_with_deadline 60 "$wine" reg add 'HKCU\Software\Wine\Drivers' /v Graphics /d null /f
        } >"$WINEPREFIX.log" 2>&1 {lock_fd}>&- || die "no Wine prefix could be made, see $WINEPREFIX.log"
        : >"$WINEPREFIX/openwsd-ready"
    fi
    exec {lock_fd}>&-
}

case ${1:-} in
'' | -h | --help) usage && exit $(($# == 0)) ;;
esac
wine=$(find_wine)
unset DISPLAY WAYLAND_DISPLAY
export WINEPREFIX=${WSD_WINE_PREFIX:-$root/build/windows/wine}
export WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=d'
[[ -e $WINEPREFIX/openwsd-ready ]] || make_prefix


# The first program starts the services of Wine, which inherit its output and outlive it: whoever reads our output to the end
# would wait for them. So they get files, and what is written there is passed on while the program runs.
output=$(mktemp -d)
trap 'end_deadline_group; rm -rf "$output"; exit 143' TERM INT HUP
trap 'rm -rf "$output"' EXIT
touch "$output/1" "$output/2"
status=0
start_with_deadline "${WSD_WINE_SECONDS:-280}" "$wine" "$@" >"$output/1" 2>"$output/2"
tail -f -c +1 -s 0.05 --pid="$DEADLINE_PID" "$output/1" &
readers=($!)
tail -f -c +1 -s 0.05 --pid="$DEADLINE_PID" "$output/2" >&2 &
readers+=($!)
wait_for_deadline_group || status=$?
wait "${readers[@]}" || true
case $status in
124 | 137) say "wine.sh: ended after ${WSD_WINE_SECONDS:-280} s: $1" && exit 124 ;;
esac
exit "$status"
