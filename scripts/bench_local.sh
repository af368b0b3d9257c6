#!/bin/bash
# scripts/bench_local.sh - decides what a bench run on this machine is; started by scripts/bench.sh.
# usage: bench_local.sh BUILD_DIR RESULT_DIR [WSDBENCH OPTION]...
# Raw verbs and the provider over user-mode iWARP on 127.0.0.1, TCP and Unix stream sockets beside them: the tables of
# wsdbench as they come, then one table with a column for each layer, made from the JSON files.
set -euo pipefail

wsdbench=$1/bench/wsdbench
results=$2
shift 2

LAYERS=(raw san tcp unix)
JOBS=(lat lat-upcall bw connect)
declare -A WORDS=(
    [lat]='lat --sizes 64,1K,4K,64K --iters 2000'
    [lat-upcall]='lat --notify upcall --sizes 64,1K,4K,64K --iters 2000'
    [bw]='bw --sizes 1K,4K,64K,1M --seconds 1'
    [connect]='connect --iters 200'
)

# measure JOB LAYER OPTION... - options of the caller come last and win.
measure() {
    local job=$1 layer=$2
    local -a words where=()
    shift 2
    read -ra words <<<"${WORDS[$job]}"
    case $layer in
    raw | san) where=(--backend softiwarp --addr 127.0.0.1) ;;
    tcp) where=(--addr 127.0.0.1) ;;
    esac
    "$wsdbench" "${words[@]}" --layer "$layer" "${where[@]}" --json "$results/$job-$layer.json" "$@"
}

# One line for each size and figure; a result that is missing shows as "-".
side_by_side() {
    printf '\n# side by side: softiwarp (raw verbs, provider) and the system'\''s sockets on 127.0.0.1\n'
    awk '
        function figure(name) {
            return match($0, "\"" name "\": [0-9.]+") ? substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 4) : ""
        }
        function add(row, value) {
            if (!(row in is_known)) { is_known[row] = 1; order[++rows] = row }
            cell[row, layer] = value
        }
        FNR == 1 {
            name = FILENAME
            sub(/.*\//, "", name); sub(/\.json$/, "", name)
            layer = name; sub(/.*-/, "", layer)
            job = substr(name, 1, length(name) - length(layer) - 1)
        }
        !/^ *\{"bytes": / { next }
        job == "lat" { add(sprintf("latency, polled, typical us       %8s", figure("bytes")), figure("typical_us")) }
        job == "lat-upcall" { add(sprintf("latency, notified, typical us     %8s", figure("bytes")), figure("typical_us")) }
        job == "bw" { add(sprintf("throughput, MB/s                  %8s", figure("bytes")), figure("mb_per_s")) }
        job == "connect" {
            add(sprintf("connections, typical us           %8s", ""), figure("typical_us"))
            add(sprintf("connections, set up and closed /s %8s", ""), figure("connections_per_s"))
        }
        END {
            count = split("raw san tcp unix", layers, " ")
            printf "%-33s %8s", "#", "bytes"
            for (i = 1; i <= count; i++) printf " %11s", layers[i]
            print ""
            for (r = 1; r <= rows; r++) {
                printf "%s", order[r]
                for (i = 1; i <= count; i++)
                    if ((order[r], layers[i]) in cell) printf " %11.2f", cell[order[r], layers[i]]
                    else printf " %11s", "-"
                print ""
            }
        }' "$@"
}

[[ -x $wsdbench ]] || { echo "no $wsdbench: is the bench built?" && exit 1; }
status=0
declare -a files=()
for job in "${JOBS[@]}"; do
    for layer in "${LAYERS[@]}"; do
        file=$results/$job-$layer.json
        rm -f "$file"
        measure "$job" "$layer" "$@" || status=$?
        [[ ! -s $file ]] || files+=("$file")
    done
done
((${#files[@]} == 0)) || side_by_side "${files[@]}"
exit "$status"
