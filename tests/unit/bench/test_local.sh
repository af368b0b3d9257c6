#!/bin/bash
# test_local.sh SOURCE_DIR BUILD_DIR - what scripts/bench.sh runs without a device: all layers on 127.0.0.1, the head of
# each table, the table side by side; the two-command form over sockets; usage errors.
set -uo pipefail

# shellcheck source=tests/interop/port.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../interop/port.sh"
source=$1
build=$2
bench=$build/bench/wsdbench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failures=0

# has TEXT WHAT... - what was said contains TEXT.
has() {
    if grep -qF -- "$1" "$results/said"; then
        echo "ok: $*"
    else
        printf 'FAILED: no "%s" in:\n' "$1"
        cat "$results/said"
        failures=$((failures + 1))
    fi
}

# status_is STATUS COMMAND... - runs it, keeps what it says.
status_is() {
    local want=$1 got=0
    shift
    timeout 100 "$@" >"$results/said" 2>&1 || got=$?
    ((got == want)) && echo "ok: $*" && return
    printf 'FAILED: status %s, must be %s: %s\n' "$got" "$want" "$*"
    cat "$results/said"
    failures=$((failures + 1))
}

# Few iterations: the caller's options win.
status_is 0 "$source/scripts/bench_local.sh" "$build" "$results" --iters 20 --warmup 2 --timeout 20 --quiet
has '# backend softiwarp: --backend says so'
has '# softiwarp0 (iWARP), 127.0.0.1'
has '(TCP, MTU '
has '# unix (stream)'
if grep -q unknown "$results/said"; then
    echo "FAILED: a device is unknown" && failures=$((failures + 1))
fi
figures=$(sed -n '/^# side by side/,$p' "$results/said" | awk '!/^#/ && !/ -( |$)/ && NF >= 7' | wc -l)
((figures == 14)) || { echo "FAILED: $figures full lines side by side, must be 14" && failures=$((failures + 1)); }

# Two commands, as on two machines.
port=18540
"$bench" --server --port "$port" 2>/dev/null &
server=$!
wait_for_port "$port"
for layer in tcp unix; do
    status_is 0 "$bench" lat --layer "$layer" --iters 20 --connect "127.0.0.1:$port" --timeout 20 --quiet
done
for layer in san tcp; do
    status_is 0 "$bench" bw --layer "$layer" --connections 20 --depth 2 --sizes 64,64K --iters 100 --connect "127.0.0.1:$port" \
        --timeout 20 --quiet
    has '--connections 20'
done
kill "$server" && wait "$server" 2>/dev/null

# Over the Winsock calls, in one command: SAN and TCP. A server of one command and of many sizes; a wrong wish of the peer.
export WSD_SWITCH_LOOPBACK=on WSD_SOFTIWARP_LOOPBACK=on
for layer in winsock winsocktcp; do
    status_is 0 "$bench" echo --layer "$layer" --backend softiwarp --addr 127.0.0.1 --connections 20 --sizes 1,64K,64 --iters 100 \
        --rss --timeout 20 --quiet
    has '# resident memory of a connection: client '
    [[ $(grep -cE '^ +(1|65536|64) +100 ' "$results/said") == 3 ]] || { echo "FAILED: not three rows" && failures=$((failures + 1)); }
    status_is 0 "$bench" lat --layer "$layer" --backend softiwarp --addr 127.0.0.1 --sizes 64,64K --iters 20 --timeout 20 --quiet
done
# What is carried otherwise than the layer says is no figure.
status_is 1 "$bench" lat --layer winsock --provider /nowhere.so --addr 127.0.0.1 --iters 20 --timeout 20 --quiet
has 'the switch carries the connection over tcp'

status_is 2 "$bench" reg --layer tcp
has 'tcp registers no memory'
status_is 2 "$bench" lat --layer unix --op read
has 'unix has no RDMA'
status_is 1 "$source/scripts/bench.sh" --device none
has 'softiwarp, rxe, siw or both'

echo "$failures failures"
exit $((failures > 0))
