#!/bin/bash
# scripts/vm/in_guest_bench.sh - decides what a bench run is; runs inside guest.sh, started by scripts/bench.sh.
# usage: in_guest_bench.sh BUILD_DIR [--compare [OPTION]...] | [WSDBENCH OPTION]...
# Files for the caller go to $WSD_GUEST_OUT. Further options are those of `wsdbench compare` or of wsdbench.
set -euo pipefail

wsdbench=$1/bench/wsdbench
shift
address=${WSD_TEST_RXE_ADDR:-${WSD_TEST_SIW_ADDR:?no RDMA device}}

# Raw verbs and ours alternate, so that both meet the same noise. Options of the caller come last and win.
main_job() {
    local job layer status=0
    local -A options=(
        [lat]='--sizes 64,1K,4K,64K --iters 1000' [bw]='--sizes 1K,4K,64K,1M --iters 200'
        [connect]='--iters 50' [reg]='--sizes 4K,64K,1M --iters 200'
    )
    local -a words
    for job in lat bw connect reg; do
        read -ra words <<<"${options[$job]}"
        for layer in raw san; do
            "$wsdbench" "$job" --layer "$layer" --addr "$address" "${words[@]}" \
                --json "${WSD_GUEST_OUT:-.}/$job-$layer.json" "$@" || status=$?
        done
    done
    return "$status"
}

[[ -x $wsdbench ]] || { echo "no $wsdbench: is the bench built?" && exit 1; }
if [[ ${1:-} == --compare ]]; then
    shift
    exec "$wsdbench" compare --addr "$address" "$@"
fi
main_job "$@"
