#!/bin/bash
# tests/interop/wsdbench.sh - softiwarp and kernel siw (through rdmacore) as the two ends of wsdbench's raw layer, each
# as server and as client: messages, writes and reads, many outstanding, up to 1 MiB, every byte checked.
# usage: wsdbench.sh WSDBENCH
# WSD_TEST_ADDR: an address of siw0. Exit status 77: nothing to test with.
set -euo pipefail

bench=$1
address=${WSD_TEST_ADDR:-}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if [[ -z $address ]]; then
    echo "skipped: WSD_TEST_ADDR is not set; it names the address of a siw device"
    exit 77
fi

export WSD_SOFTIWARP_PORTS=plain # siw knows nothing of port maps
port=18600                       # of the control channel, a new one for each run
runs=0
failed=0

# run SERVER_BACKEND CLIENT_BACKEND WHAT...
run() {
    local server=$1 client=$2 theirs ours=0 status=0
    shift 2
    port=$((port + 1))
    runs=$((runs + 1))
    timeout 30 "$bench" --server --once --layer raw --backend "$server" --addr "$address" --port "$port" \
        >"$out/server" 2>&1 &
    theirs=$!
    wait_for_port "$port"
    timeout 30 "$bench" "$@" --layer raw --backend "$client" --addr "$address" --connect "$address:$port" --verify \
        --quiet --timeout 10 >"$out/client" 2>&1 || ours=$?
    if ((ours)); then kill "$theirs" 2>/dev/null || true; fi # it would wait for a client to its deadline
    wait "$theirs" || status=$?
    if ((ours == 0 && status == 0)); then
        echo "ok    $client to $server: $*"
        return
    fi
    failed=$((failed + 1))
    echo "FAIL  $client to $server: $*: client $ours, server $status (124: not in time)"
    sed 's/^/      client: /' "$out/client"
    sed 's/^/      server: /' "$out/server"
}

# Ten seconds at most; the client says what is wrong when nobody listens then.
wait_for_port() {
    local hex i
    printf -v hex '%04X' "$1"
    for ((i = 0; i < 100; i++)); do
        if grep -Eqs ":$hex 0+:0000 0A " /proc/net/tcp /proc/net/tcp6; then return; fi
        sleep 0.1
    done
}

for ends in "rdmacore softiwarp" "softiwarp rdmacore"; do
    read -r server client <<<"$ends"
    for op in send write read; do
        run "$server" "$client" lat --op "$op" --sizes 1,64,4K,64K --iters 20
        run "$server" "$client" bw --op "$op" --sizes 64,64K,1M --iters 20 --depth 8
    done
    run "$server" "$client" connect --iters 10
done

echo "$runs runs, $failed failed"
((failed == 0))
