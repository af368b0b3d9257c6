#!/bin/bash
# scripts/bench.sh - builds the release tree and measures it on kernel soft RDMA (see vm/guest.sh for where).
# It owns build/release and build/bench-results. What runs there is decided in vm/in_guest_bench.sh.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

BUILD_PACKAGES=(cmake ninja-build gcc libc6-dev pkg-config libibverbs-dev librdmacm-dev libcmocka-dev python3)
BENCH_PACKAGES=(perftest gnuplot-nox rdmacm-utils)
RESULTS=build/bench-results

usage() {
    cat <<'TEXT'
usage: scripts/bench.sh [--device rxe|siw|both] [--timeout SECONDS] [BENCH OPTION]...
  (no option)           the main job: latency, bandwidth, connections and registration, raw verbs beside ours
  --compare [--check]   comparison with other ways to move the same bytes; --check fails when a target is missed
  any other option      passed on to the bench
Tables are printed; JSON and SVG files are left in build/bench-results.
TEXT
}

device=rxe timeout=1800
declare -a bench_options=()
parse_options() {
    while (($# > 0)); do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --device) device=${2:?--device needs a value} && shift ;;
        --timeout) timeout=${2:?--timeout needs a value} && shift ;;
        *) bench_options+=("$1") ;;
        esac
        shift
    done
}

build_release() {
    mkdir -p "$RESULTS"
    build_preset release >"$RESULTS/build.log" 2>&1 || {
        tail -n 60 "$RESULTS/build.log"
        die "the build failed (all of it: $RESULTS/build.log)"
    }
}

main() {
    local start status=0
    start=$(now_ns)
    parse_options "$@"
    need_packages "${BUILD_PACKAGES[@]}" "${BENCH_PACKAGES[@]}" || exit 1
    build_release
    scripts/vm/guest.sh --device "$device" --timeout "$timeout" --out "$RESULTS" \
        --keep-log "$RESULTS/console.log" -- scripts/vm/in_guest_bench.sh build/release "${bench_options[@]}" ||
        status=$?
    if ((status == 0)); then
        echo "Bench finished in $(seconds_since "$start") s; results are in $RESULTS."
    else
        echo "Bench FAILED with status $status after $(seconds_since "$start") s; see above and $RESULTS."
    fi
    return "$status"
}

main "$@"
