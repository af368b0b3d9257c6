#!/bin/bash
# tests/interop/rping.sh - softiwarp against the kernel's siw, which speaks through rping (rdmacm-utils): code that
# nobody here wrote checks our wire format, in both roles.
# usage: rping.sh RPING_PEER
# WSD_TEST_ADDR: an address of siw0. Ours listens there as well, on other TCP ports.
# Exit status 77: nothing to test with.
set -euo pipefail

peer=$1
address=${WSD_TEST_ADDR:-}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

skip() {
    echo "skipped: $*"
    exit 77
}

[[ -n $address ]] || skip "WSD_TEST_ADDR is not set; it names the address of a siw device"
command -v rping >/dev/null || skip "there is no rping; it is in the package rdmacm-utils"

export WSD_TEST_BACKEND=softiwarp
export WSD_SOFTIWARP_PORTS=plain # rping knows nothing of port maps
port=7300                        # a new one for each run: the last one's connections may still be in TIME_WAIT
runs=0
failed=0
DEADLINE=30 # seconds for one run; it takes about one

# judge NAME STATUS_OF_OURS STATUS_OF_RPING
judge() {
    runs=$((runs + 1))
    if (($2 == 0 && $3 == 0)); then
        echo "ok    $1"
        return
    fi
    failed=$((failed + 1))
    echo "FAIL  $1: rping_peer ended with $2, rping with $3 (124: not in time, 143: ended with the other)"
    sed 's/^/      ours:  /' "$out/ours"
    sed 's/^/      rping: /' "$out/rping"
}

# rping checks what comes back (-V); rping_peer checks what it has read.
our_server() {
    local bytes=$1 rounds=$2 name=$3 ours theirs=0 i
    port=$((port + 1))
    rm -f "$out/ours" # the last server's, which said that it is listening
    timeout "$DEADLINE" "$peer" server "$address:$port" "$bytes" "$rounds" >"$out/ours" 2>&1 &
    ours=$!
    for ((i = 0; i < 100; i++)); do
        if grep -qs listening "$out/ours"; then break; fi
        sleep 0.1
    done
    timeout "$DEADLINE" rping -c -a "$address" -p "$port" -S "$bytes" -C "$rounds" -V >"$out/rping" 2>&1 || theirs=$?
    status=0
    if ((theirs)); then kill "$ours" 2>/dev/null || true; fi
    wait "$ours" || status=$?
    judge "$name" "$status" "$theirs"
}

our_client() {
    local bytes=$1 rounds=$2 name=$3 theirs ours=0
    port=$((port + 1))
    timeout "$DEADLINE" rping -s -a "$address" -p "$port" -S "$bytes" -C "$rounds" -V >"$out/rping" 2>&1 &
    theirs=$!
    timeout "$DEADLINE" "$peer" client "$address:$port" "$bytes" "$rounds" >"$out/ours" 2>&1 || ours=$?
    status=0
    if ((ours)); then kill "$theirs" 2>/dev/null || true; fi # it would wait for a client to its deadline
    wait "$theirs" || status=$?
    judge "$name" "$ours" "$status"
}

# both SETTINGS BYTES ROUNDS - SETTINGS: what differs from the default, NAME=VALUE,...
both() {
    local role
    for role in our_server our_client; do
        # A shell of its own would lose the counters: set and take back.
        for setting in ${1//,/ }; do export "WSD_SOFTIWARP_$setting"; done
        "$role" "$2" "$3" "$role, $1, $3 rounds of $2 bytes"
        for setting in ${1//,/ }; do unset "WSD_SOFTIWARP_${setting%%=*}"; done
    done
}

# 65535 is the most that rping takes: more than one of our largest segments. 33 and 4097 need padding (RFC 5044 4.1).
for crc in on off; do
    for bytes in 33 64 4097 65535; do
        both "CRC=$crc" "$bytes" 20
    done
done
both CRC=on,FPDU=1000 65535 5 # many segments in a message
# Not WSD_SOFTIWARP_MPA=1: siw takes the depth of reads from the request, where revision 1 has none (RFC 5044 7.1.1),
# and rping accepts with what siw says: 0. Its server can then not read.

echo "$runs runs, $failed failed"
((failed == 0))
