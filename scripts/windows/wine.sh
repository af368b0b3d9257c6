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
Exit status: the program's (its last 8 bits), 124 when the time was up, or 125 when the Wine server went away under it twice.
The server stays for 20 s after its last program, for the next one. Environment:
  WSD_WINE_SECONDS  time for the program and all it starts, 280 by default
  WSD_WINE_LAST     on: end the Wine server afterwards, and with it what it has kept of processes that were killed;
                    nothing else may run in the prefix
  WSD_WINE_CPU      processor that the Wine server is to stay on while the program runs, for measuring; else any
  WSD_WINE_PREFIX   the Wine prefix, build/windows/wine by default, wine32 for a program of 32 bits; made when it is not
                    there (about 5 s, 700 MB)
A program of 32 bits needs the package wine32 of i386: dpkg --add-architecture i386, apt-get update, apt-get install wine32:i386
TEXT
}

# bits_of PROGRAM.EXE - 32 for Intel's, else 64: the machine that the header of the file names.
bits_of() {
    local header
    header=$(od -An -tu4 -j60 -N4 "$1" 2>/dev/null) || header=
    [[ -n $header && $(od -An -tx2 -j$((header + 4)) -N2 "$1" 2>/dev/null) == ' 014c' ]] && echo 32 || echo 64
}

# find_program NAME... - the programs themselves: the wrapper called wine prints a warning about 32 bits on every call.
find_program() {
    local candidate
    for candidate in "/usr/lib/wine/$1" "/usr/lib/x86_64-linux-gnu/wine/$1" "$(command -v "$1" || true)"; do
        if [[ -x $candidate ]]; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "Wine is not installed: no $1 (packages wine and wine64)"
}

# The server of a prefix is the kernel of all its programs. One that a program starts goes with the last program (Debian's wrapper
# says so), and who comes just then finds nobody; so it is started here. When it dies, programs hang or end with status 0.
server_pid() {
    local pid
    pid=$(cat "$WINEPREFIX.server" 2>/dev/null) && [[ $(readlink "/proc/$pid/exe") == "$server" ]] && printf '%s' "$pid"
}

# is_serving PID - it has gone to its directory and made its socket there.
is_serving() { [[ $(readlink "/proc/$1/cwd") == */server-* && -S /proc/$1/cwd/socket ]]; }

start_server() {
    local pid
    (cd / && exec setsid "$server" --foreground --persistent=20) </dev/null >/dev/null 2>&1 {lock_fd}>&- &
    pid=$!
    for _ in {1..200}; do
        if is_serving "$pid"; then
            printf '%s' "$pid" >"$WINEPREFIX.server"
            return
        fi
        sleep 0.02
    done
    die "the Wine server ($server) does not start for $WINEPREFIX"
}

# make_prefix - one that was left half made, or whose server died, is made again: its registry is on the disk when its server has gone
# in peace. The driver "null" has windows but no display.
make_prefix() {
    rm -rf "$WINEPREFIX"
    mkdir "$WINEPREFIX"
    start_server
    {
        run_with_deadline 120 "$wine" wineboot -i &&
            run_with_deadline 60 "$wine" reg add 'HKCU\Software\Wine\Drivers' /v Graphics /d null /f
    } >"$WINEPREFIX.log" 2>&1 {lock_fd}>&- || die "no Wine prefix could be made, see $WINEPREFIX.log"
    "$server" --kill
    "$server" --wait
    : >"$WINEPREFIX/openwsd-ready"
}

# One at a time.
make_ready() {
    mkdir -p "$(dirname "$WINEPREFIX")"
    exec {lock_fd}>"$WINEPREFIX.lock"
    flock "$lock_fd"
    [[ -e $WINEPREFIX/openwsd-ready ]] || make_prefix
    server_pid >/dev/null || {
        start_server
        # The first program starts Wine's services, which takes seconds: not in the time of whoever comes first, and not while
        # another one waits for it.
        run_with_deadline 120 "$wine" cmd /c exit >"$WINEPREFIX.log" 2>&1 {lock_fd}>&- ||
            die "a new Wine server does not start programs, see $WINEPREFIX.log"
    }
    exec {lock_fd}>&-
}

case ${1:-} in
'' | -h | --help) usage && exit $(($# == 0)) ;;
esac
bits=$(bits_of "$1")
if [[ $bits == 32 ]]; then
    [[ -x /usr/lib/wine/wine ]] || die "Wine for 32 bits is not installed (package wine32:i386, see --help)"
    wine=/usr/lib/wine/wine
    server=$(realpath "$(find_program wineserver32)")
else
    wine=$(find_program wine64)
    server=$(realpath "$(find_program wineserver64)")
fi
unset DISPLAY WAYLAND_DISPLAY
export WINEPREFIX=${WSD_WINE_PREFIX:-$root/build/windows/wine${bits/64/}}
export WINEARCH=win$bits WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=d'

# The first program starts the services of Wine, which inherit its output and outlive it: whoever reads our output to the end
# would wait for them. So they get files, and what is written there is passed on while the program runs.
output=$(mktemp -d)
trap 'end_deadline_group; rm -rf "$output"; exit 143' TERM INT HUP
trap 'rm -rf "$output"' EXIT
status=0

# pin_server PID CPU - CPU may be empty: to where we ourselves may run, since the run before may have pinned it.
pin_server() {
    local cpu=$2
    [[ -n $cpu ]] || cpu=$(taskset -cp $$ | sed 's/.*: //')
    taskset -cp "$cpu" "$1" >/dev/null 2>&1 || say "wine.sh: the Wine server does not go to processor $cpu"
}

# run_program PROGRAM.EXE [ARGUMENT]... - its status is in $status. False: without its server what it did proves nothing.
run_program() {
    local served_by readers
    make_ready
    served_by=$(server_pid) || die "the Wine server died at once"
    pin_server "$served_by" "${WSD_WINE_CPU:-}"
    : >"$output/1" 2>"$output/2"
    status=0
    start_with_deadline "${WSD_WINE_SECONDS:-280}" "$wine" "$@" >"$output/1" 2>"$output/2"
    tail -f -c +1 -s 0.05 --pid="$DEADLINE_PID" "$output/1" &
    readers=($!)
    tail -f -c +1 -s 0.05 --pid="$DEADLINE_PID" "$output/2" >&2 &
    readers+=($!)
    wait_for_deadline_group || status=$?
    wait "${readers[@]}" || true
    [[ $(server_pid) == "$served_by" ]] && return 0
    rm -f "$WINEPREFIX/openwsd-ready"
    say "wine.sh: the Wine server (process $served_by) died under it: $1"
    return 1
}

run_program "$@" || run_program "$@" || exit 125
[[ ${WSD_WINE_LAST:-} != on ]] || { "$server" --kill && "$server" --wait; } || true
case $status in
124 | 137) say "wine.sh: ended after ${WSD_WINE_SECONDS:-280} s: $1" && exit 124 ;;
esac
exit "$status"
