#!/bin/bash
# tests/interop/wsdbench.sh - softiwarp and kernel siw (through rdmacore) as the two ends of wsdbench, each as server and as
# client, with CRCs and without: messages, writes and reads, many outstanding, up to 1 MiB, every byte checked.
# usage: wsdbench.sh WSDBENCH raw|san [PROVIDER]; san: through the WSP functions of PROVIDER, at both ends.
# WSD_TEST_ADDR: an address of siw0. Exit status 77: nothing to test with.
# siw itself never asks for CRCs and makes them when asked (siw_main.c: mpa_crc_required is a constant, false), so softiwarp's
# setting decides. What was agreed is seen on the wire: Wireshark looks at one run of each kind.
set -euo pipefail

# shellcheck source=tests/interop/capture.sh
. "$(dirname "${BASH_SOURCE[0]}")/capture.sh"
# shellcheck source=tests/interop/port.sh
. "$(dirname "${BASH_SOURCE[0]}")/port.sh"
bench=$1
layer=$2
library=${3:-}
address=${WSD_TEST_ADDR:-}
out=$(mktemp -d)
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    stop_capture
    rm -rf "$out"
}
trap clean_up EXIT

if [[ -z $address ]]; then
    echo "skipped: WSD_TEST_ADDR is not set; it names the address of a siw device"
    exit 77
fi

export WSD_SOFTIWARP_PORTS=plain # siw knows nothing of port maps
if [[ $layer == san ]]; then
    export WSD_PROVIDER=$library
    # An accepted socket that is closed early is a kernel panic otherwise (PROTOCOL.md 2.2). raw has the ready-to-receive message
    # tried, but where nothing follows it.
    export WSD_SOFTIWARP_RTR=off
fi
port=18600 # of the control channel, a new one for each run
if [[ $layer == san ]]; then port=18700; fi
runs=0
failed=0

fail() {
    failed=$((failed + 1))
    echo "FAIL  $*"
}

# run SERVER_BACKEND CLIENT_BACKEND WHAT...
run() {
    local server=$1 client=$2 theirs ours=0 status=0
    shift 2
    port=$((port + 1))
    runs=$((runs + 1))
    timeout 30 "$bench" --server --once --layer "$layer" --backend "$server" --addr "$address" --port "$port" \
        >"$out/server" 2>&1 &
    theirs=$!
    wait_for_port "$port"
    timeout 30 "$bench" "$@" --layer "$layer" --backend "$client" --addr "$address" --connect "$address:$port" --verify \
        --quiet --timeout 10 >"$out/client" 2>&1 || ours=$?
    if ((ours)); then kill "$theirs" 2>/dev/null || true; fi # it would wait for a client to its deadline
    wait "$theirs" || status=$?
    if ((ours == 0 && status == 0)); then
        echo "ok    $layer, CRC $WSD_SOFTIWARP_CRC, $client to $server: $*"
        return
    fi
    fail "$layer, CRC $WSD_SOFTIWARP_CRC, $client to $server: $*: client $ours, server $status (124: not in time)"
    sed 's/^/      client: /' "$out/client"
    sed 's/^/      server: /' "$out/server"
}

# run_on_the_wire SERVER_BACKEND CLIENT_BACKEND WHAT... - a run under capture: all FPDUs have a good CRC, or zeros in its place.
run_on_the_wire() {
    local good zero
    if ! command -v tshark >/dev/null; then
        echo "      CRC $WSD_SOFTIWARP_CRC is not looked at on the wire: there is no tshark; it is in the package tshark"
        run "$@"
        return
    fi
    if ! start_capture; then
        echo "      CRC $WSD_SOFTIWARP_CRC is not looked at on the wire: $(tail -n 1 "$out/dumpcap")"
        run "$@"
        return
    fi
    run "$@"
    end_capture
    read_capture -V -O iwarp_mpa >"$out/text"
    good=$(grep -c 'CRC check: .*(Good CRC32)' "$out/text" || true)
    zero=$(grep -c 'CRC: 0x00000000$' "$out/text" || true)
    if [[ $WSD_SOFTIWARP_CRC == on ]]; then
        if ((good < 40 || zero > 0)); then fail "on the wire: $good good CRCs and $zero zeros, with CRCs"; fi
    elif ((zero < 40 || good > 0)); then
        fail "on the wire: $good good CRCs and $zero zeros, without CRCs"
    fi
    echo "      on the wire: $good FPDUs with a good CRC, $zero with zeros in its place"
}

# Latencies are for what is short, and sends to and fro; without CRCs one short run is enough.
for ends in "rdmacore softiwarp" "softiwarp rdmacore"; do
    read -r server client <<<"$ends"
    for WSD_SOFTIWARP_CRC in on off; do
        export WSD_SOFTIWARP_CRC
        run_on_the_wire "$server" "$client" lat --op send --sizes 1,64,4K --iters 20
        for op in send write read; do
            run "$server" "$client" bw --op "$op" --sizes 64,64K,1M --iters 10 --depth 8
        done
        if [[ $WSD_SOFTIWARP_CRC == off ]]; then continue; fi
        for op in write read; do
            if [[ $layer == san ]]; then break; fi # each run takes seconds under emulation; bw has moved the same
            run "$server" "$client" lat --op "$op" --sizes 1,64,4K,64K --iters 20
        done
        # What is closed before a message came is a kernel panic otherwise: siw may miss the ready-to-receive message.
        WSD_SOFTIWARP_RTR=off run "$server" "$client" connect --iters 10
    done
done

echo "$runs runs, $failed failed"
((failed == 0))
