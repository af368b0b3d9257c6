#!/bin/bash
# tests/interop/windows.sh - wsdbench.exe under Wine and wsdbench on Linux as the two ends, each as server and as client, over
# softiwarp on 127.0.0.1: every operation at every size, polled and notified, connections and registrations; every byte checked.
# usage: windows.sh WSDBENCH.EXE [WSDBENCH]; without the second, build/release beside the build tree of the first.
# Exit status 77: there is no wsdbench for Linux to talk to.
# Not in a network of its own: sockets of Wine are made by the Wine server, wherever that was started.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
# shellcheck source=tests/interop/port.sh
. "$root/tests/interop/port.sh"
program=$1
native=${2:-$(dirname "$program")/../../release/bench/wsdbench}
if [[ ! -x $native ]]; then
    echo "skipped: no wsdbench for Linux at $native; it comes with: cmake --preset release && cmake --build build/release"
    exit 77
fi

out=$(mktemp -d)
server=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$out"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

export WSD_WINE_SECONDS=280 WSD_BACKEND=softiwarp
port=$((18800 + $$ % 150)) # of the control channel; two runs on one machine are unlikely to meet
runs=0
failed=0

# side linux|windows ARGUMENT... - wsdbench there. The provider of each system is found by itself.
side() {
    local where=$1
    shift
    if [[ $where == windows ]]; then
        exec "$root/scripts/windows/wine.sh" "$program" "$@"
    fi
    exec "$native" "$@"
}

start_server() {
    port=$((port + 1))
    (side "$1" --server --addr 127.0.0.1 --port "$port") >"$out/server" 2>&1 &
    server=$!
    wait_for_port "$port"
}

# The server serves until it is told to stop; that it is still there says that no client ended it.
stop_server() {
    if ! kill "$server" 2>/dev/null; then
        failed=$((failed + 1))
        echo "FAIL  the server on $1 ended by itself:"
        sed 's/^/      /' "$out/server"
    fi
    wait "$server" || true # of the signal
    server=
}

# run CLIENT SERVER WHAT... - a result for each size, else the sentences of both ends.
run() {
    local from=$1 to=$2 status=0 start
    shift 2
    start=$(now_ns)
    runs=$((runs + 1))
    (side "$from" "$@" --addr 127.0.0.1 --connect "127.0.0.1:$port" --quiet --timeout 20) \
        >"$out/client" 2>&1 || status=$?
    if ((status == 0)); then
        echo "ok    $from to $to, $(seconds_since "$start") s: $*"
        return
    fi
    failed=$((failed + 1))
    echo "FAIL  $from to $to: $*: status $status"
    sed 's/^/      client: /' "$out/client"
    sed 's/^/      server: /' "$out/server"
}

# What there is of one layer between two ends. Write latency is polled by nature; bw checks writes and reads by polling.
run_layer() {
    local from=$1 to=$2 layer=$3 op
    for op in send write read; do
        run "$from" "$to" lat --layer "$layer" --op "$op" --sizes "${sizes[$op]}" --iters 6 --warmup 1 --verify
        run "$from" "$to" bw --layer "$layer" --op "$op" --sizes "${sizes[$op]}" --iters 12 --warmup 1 --depth 8 --verify
    done
    for op in send read; do
        run "$from" "$to" lat --layer "$layer" --op "$op" --sizes "${sizes[$op]}" --iters 6 --warmup 1 --notify upcall --verify
    done
    run "$from" "$to" bw --layer "$layer" --sizes 64,64K,1M --iters 20 --depth 8 --notify upcall --verify
    run "$from" "$to" connect --layer "$layer" --iters 20
    run "$from" "$to" reg --layer "$layer" --sizes 4K,1M --iters 20
}

declare -A sizes=([send]=0..4M [write]=1..4M [read]=1..4M)
for ends in "windows linux" "linux windows"; do
    read -r from to <<<"$ends"
    start_server "$to"
    for layer in raw san; do run_layer "$from" "$to" "$layer"; done
    run "$from" "$to" lat --layer san --notify upcall --wake port --sizes 64,64K --iters 20 --verify
    run "$from" "$to" lat --layer san --idle 50 --rss --iters 20
    run "$from" "$to" lat --layer tcp --sizes 1,64,4K,64K,1M --iters 10 --verify
    run "$from" "$to" lat --layer tcp --sizes 1,64,4K,64K,1M --iters 10 --notify upcall --verify
    run "$from" "$to" bw --layer tcp --sizes 1,64,4K,64K,1M --iters 12 --depth 8 --verify
    run "$from" "$to" connect --layer tcp --iters 20
    stop_server "$to"
done

echo "$runs runs, $failed failed"
((failed == 0))
