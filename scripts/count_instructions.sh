#!/bin/bash
# scripts/count_instructions.sh - how many instructions the provider adds to one message, counted by callgrind. It owns the
# counting method; the limits are in bench/targets.tsv, what is counted is bench/bench_steps.c. Started by
# scripts/bench.sh --count-instructions, and by the comparison over softiwarp.
#
# The same two functions are counted over raw verbs and over the provider (lat --steps): one sends and polls the completion,
# one polls the completion of a receive and posts the next. What the backend executes is taken off both: it is not the
# provider's, and it varies with what the kernel and other threads did first. A run of N messages is taken off one
# of 2 N, so whatever happens once is not in the result, and N is a whole round of the bench's slots. What disturbs a run
# (a thread in the way) only adds, so the least of a few runs counts: the results are the same every time.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

N=16
RUNS=2
BACKEND='si_post_send si_post_recv si_cq_poll' # the operations of softiwarp that move messages, as vb_ops calls them

usage() {
    cat <<'TEXT'
usage: scripts/count_instructions.sh [--check] [--samples FILE] [BUILD_DIR]
  --check          exit 1 when a limit of bench/targets.tsv is missed
  --samples FILE   append the figures to FILE, as the comparison keeps them, and judge nothing
  BUILD_DIR        a built tree (default build/release)
TEXT
}

check=0 samples='' build=build/release
while (($# > 0)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --check) check=1 ;;
    --samples) samples=${2:?--samples needs a file} && shift ;;
    -*) die "unknown option $1 (see --help)" ;;
    *) build=$1 ;;
    esac
    shift
done
[[ -x $build/bench/wsdbench ]] || die "no $build/bench/wsdbench: build first, or use scripts/bench.sh --count-instructions"
need_packages valgrind || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run LAYER STEP MESSAGES - prints what was counted in bench_step_STEP without the backend. A run whose step met a thread
# that was in its way fails (bench_steps.c) and is made again.
run() {
    local try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        rm -f "$work"/out.*
        if valgrind --tool=callgrind --compress-strings=no --callgrind-out-file="$work/out.%p" \
            --toggle-collect="bench_step_$2" "$build/bench/wsdbench" lat --steps --layer "$1" --iters "$3" \
            --warmup "$N" --backend softiwarp --addr 127.0.0.1 --quiet >"$work/log" 2>&1; then
            cat "$work"/out.* | awk -v backend="$BACKEND" '
                BEGIN { n = split(backend, names, " "); for (i = 1; i <= n; i++) is_backend[names[i]] = 1 }
                /^summary:/ { counted += $2 }
                /^cfn=/ { callee = substr($0, 5) }
                /^calls=/ { getline; if (callee in is_backend) counted -= $NF }
                END { print counted }'
            return 0
        fi
    done
    tail -n 5 "$work/log" >&2
    die "counting $2 over $1 failed $try times"
}

least() {
    local i
    for ((i = 0; i < RUNS; i++)); do
        run "$@"
    done | sort -n | head -n 1
}

# per_message LAYER STEP
per_message() {
    local once twice
    once=$(least "$1" "$2" "$N")
    twice=$(least "$1" "$2" $((2 * N)))
    awk -v d=$((twice - once)) -v n="$N" 'BEGIN { printf "%.1f", d / n }'
}

# put NAME VALUE - a sample of the comparison: round, name, value.
put() { printf '1\t%s\t%s\n' "$1" "$2" >>"${samples:-$work/samples.tsv}"; }

for step in send recv; do
    raw=$(per_message raw "$step")
    san=$(per_message san "$step")
    put "instructions.$step.raw" "$raw"
    put "instructions.$step.san" "$san"
    put "instructions.$step.added" "$(awk -v a="$san" -v b="$raw" 'BEGIN { printf "%.1f", a - b }')"
done
if [[ -z $samples ]]; then
    grep '^instructions' bench/targets.tsv >"$work/targets.tsv"
    awk -v check="$check" -f bench/compare.awk "$work/targets.tsv" "$work/samples.tsv"
fi
