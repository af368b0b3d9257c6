#!/bin/bash
# scripts/bench.sh - builds the release tree and measures it: on user-mode iWARP on this machine, or on kernel soft RDMA
# (see vm/guest.sh for where); or the tree for Windows, under Wine. It owns build/release, build/mingw and
# build/bench-results. What runs is decided in bench_local.sh, bench_compare.sh and vm/in_guest_bench.sh.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

BUILD_PACKAGES=(cmake ninja-build gcc libc6-dev pkg-config libibverbs-dev librdmacm-dev libcmocka-dev python3)
WINDOWS_PACKAGES=(cmake ninja-build gcc-mingw-w64-x86-64 mingw-w64-tools wine wine64 python3)
DEVICE_PACKAGES=(perftest gnuplot-nox rdmacm-utils)
RESULTS=build/bench-results

usage() {
    cat <<'TEXT'
usage: scripts/bench.sh [--device softiwarp|rxe|siw|both] [--timeout SECONDS] [BENCH OPTION]...
  (no option)           latency, throughput and connections on this machine, no RDMA device needed: raw verbs and ours
                        over user-mode iWARP (softiwarp), TCP and Unix sockets beside them
  --device rxe          the main job on kernel soft RDMA, on this host or in a QEMU guest made for it: latency,
                        bandwidth, connections and registration, raw verbs beside ours; siw, both: likewise
  --compare [--check]   comparison with other ways to move the same bytes, on rxe unless --device says otherwise:
                        softiwarp is this machine, beside TCP; --check fails when a target is missed
  --windows [--check]   the program for Windows, built with mingw-w64 and run under Wine: raw and ours over user-mode iWARP
                        beside Winsock TCP, five alternating rounds; --check fails when a target is missed
  --count-instructions [--check]
                        how many instructions the provider adds to one message, counted by valgrind
  --timeout SECONDS     deadline of the measuring (default 1800)
  any other option      passed on to the bench
Tables are printed; JSON and SVG files are left in build/bench-results.
TEXT
}

device='' timeout=1800 is_compare=false is_count=false is_windows=false
declare -a bench_options=()
parse_options() {
    while (($# > 0)); do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --device) device=${2:?--device needs a value} && shift ;;
        --timeout) timeout=${2:?--timeout needs a value} && shift ;;
        --count-instructions) is_count=true ;;
        --windows) is_windows=true ;;
        *)
            [[ $1 != --compare ]] || is_compare=true
            bench_options+=("$1")
            ;;
        esac
        shift
    done
    if [[ -z $device ]]; then
        device=softiwarp
        ! "$is_compare" || device=rxe
    fi
    [[ $device =~ ^(softiwarp|rxe|siw|both)$ ]] || die "--device takes softiwarp, rxe, siw or both"
}

build() {
    mkdir -p "$RESULTS"
    build_preset "$1" >"$RESULTS/build.log" 2>&1 || {
        tail -n 60 "$RESULTS/build.log"
        die "the build failed (all of it: $RESULTS/build.log)"
    }
}

# Announced on stdout, because a reader of the tables must know what they are of.
run_local() {
    echo "# On this machine over user-mode iWARP (softiwarp); kernel soft RDMA: scripts/bench.sh --device rxe"
    timeout "$timeout" scripts/bench_local.sh build/release "$RESULTS" "${bench_options[@]}"
}

run_local_compare() {
    local option
    local -a options=(--softiwarp --out "$RESULTS")
    for option in "${bench_options[@]}"; do
        [[ $option == --compare ]] || options+=("$option")
    done
    timeout "$timeout" build/release/bench/wsdbench compare "${options[@]}"
}

# The results of the program for Windows have a folder of their own.
run_windows() {
    WSDBENCH=build/mingw/bench/wsdbench.exe timeout "$timeout" scripts/bench_compare.sh --windows --out "$RESULTS/windows" \
        "${bench_options[@]}"
}

run_count() {
    timeout "$timeout" scripts/count_instructions.sh "${bench_options[@]}" build/release
}

run_on_device() {
    scripts/vm/guest.sh --device "$device" --timeout "$timeout" --out "$RESULTS" \
        --keep-log "$RESULTS/console.log" -- scripts/vm/in_guest_bench.sh build/release "${bench_options[@]}"
}

main() {
    local start status=0 run=run_on_device preset=release
    local -a packages=("${BUILD_PACKAGES[@]}")
    start=$(now_ns)
    parse_options "$@"
    if "$is_windows"; then
        run=run_windows preset=mingw
        packages=("${WINDOWS_PACKAGES[@]}")
    elif "$is_count"; then
        run=run_count
    elif [[ $device == softiwarp ]] && "$is_compare"; then
        run=run_local_compare
        packages+=(valgrind gnuplot-nox)
    elif [[ $device == softiwarp ]]; then
        run=run_local
    else
        packages+=("${DEVICE_PACKAGES[@]}")
    fi
    need_packages "${packages[@]}" || exit 1
    build "$preset"
    "$run" || status=$?
    if ((status == 0)); then
        echo "Bench finished in $(seconds_since "$start") s; results are in $RESULTS."
    else
        echo "Bench FAILED with status $status after $(seconds_since "$start") s; see above and $RESULTS."
    fi
    return "$status"
}

main "$@"
