#!/bin/bash
# tests/interop/windows_siw.sh - wsdbench.exe under Wine and kernel siw in a virtual machine as the two ends of wsdbench, each as
# server and as client: messages, writes and reads, raw and through the provider, every byte checked.
# usage: windows_siw.sh WSDBENCH.EXE [WSDBENCH]; without the second, build/release beside the build tree of the first.
# The way: QEMU's user network. It takes the guest's packets apart and connects again from this machine, so both ends see
# streams, and what they were told of addresses must be true on both sides of it: this machine gets the guest's address too, and
# one that only it has; QEMU listens on the first and passes on to the guest, and what the guest sends to the second arrives here.
# That takes a network namespace, in which the Wine server has to be as well: a prefix of its own, build/windows/wine-guest.
# What was seen once in 30 runs from here to siw, on a machine with three times the load it can bear: a provider over siw that waits
# for the first message until its time is up. Nothing here makes up for it.
# Exit status 77: nothing to test with.
set -euo pipefail

self=$(realpath "${BASH_SOURCE[0]}")
root=$(cd "$(dirname "$self")/../.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
# shellcheck source=tests/interop/port.sh
. "$root/tests/interop/port.sh"

GUEST=10.0.2.15  # QEMU's user network gives no other
HOST=10.99.0.1   # not in that network, so the guest sends what is for it to its gateway
CONTROL=40000    # of the guest's server; ours is beyond what QEMU forwards
FIRST=40002 LAST=40033 # where the kernel of the guest finds ports for RDMA listeners
OUR_CONTROL=40100

export WSD_SOFTIWARP_PORTS=plain # siw knows nothing of port maps
export WSD_SOFTIWARP_RTR=off     # what is closed before a message came is a kernel panic otherwise (PROTOCOL.md 2.2)

# run WHO WORD... - one run of the client in $bench; WHO says between which ends.
runs=0 failed=0
run() {
    local who=$1 status=0 start
    shift
    runs=$((runs + 1))
    start=$(now_ns)
    timeout 100 "${bench[@]}" "$@" "${where[@]}" >"$out/client" 2>&1 || status=$?
    if ((status == 0)); then
        echo "ok    $who, $(seconds_since "$start") s: $*"
        return
    fi
    failed=$((failed + 1))
    echo "FAIL  $who: $*: status $status (124: not in time)"
    sed 's/^/      client: /' "$out/client"
}

# run_all WHO - what is run at this end.
run_all() {
    local who=$1 layer op
    for layer in raw san; do
        run "$who" lat --layer "$layer" --sizes 1,64,4K,64K --iters 10 --verify
        for op in send write read; do
            run "$who" bw --layer "$layer" --op "$op" --sizes 64,64K,1M --iters 10 --depth 8 --verify
        done
        [[ $layer == raw ]] || break
        for op in write read; do
            run "$who" lat --layer "$layer" --op "$op" --sizes 1,64,4K --iters 10 --verify
        done
    done
}

# --- in the guest ---------------------------------------------------------------------------------------------
# wait_for_file FILE SECONDS
wait_for_file() {
    local i
    for ((i = 0; i < $2 * 5; i++)); do
        [[ ! -e $1 ]] || return 0
        sleep 0.2
    done
    return 1
}

network_up() {
    modprobe virtio_net && ip link set eth0 up && ip addr add "$GUEST/24" dev eth0 && ip route add default via 10.0.2.2 &&
        rdma link add siw1 type siw netdev eth0 && echo "$FIRST $LAST" >/proc/sys/net/ipv4/ip_local_port_range
}

guest_main() {
    local native=$1 provider=$2 server
    out=/run/wsd
    export WSD_PROVIDER=$provider WSD_BACKEND=rdmacore
    network_up || { echo "no network or no siw on it" && exit 1; }
    "$native" --server --addr "$GUEST" --port "$CONTROL" >"$out/server" 2>&1 &
    server=$!
    touch "$WSD_GUEST_OUT/up"
    wait_for_file "$WSD_GUEST_OUT/turn" 600 || echo "the other end never came to its end"
    if ! kill "$server" 2>/dev/null; then # it serves until it is told to stop
        failed=$((failed + 1))
        echo "FAIL  the server in the guest ended by itself:"
    fi
    sed 's/^/      guest: /' "$out/server"
    # As a client it has all ports: one that was used is kept for a minute.
    echo "41000 60999" >/proc/sys/net/ipv4/ip_local_port_range
    bench=("$native") where=(--addr "$GUEST" --connect "$HOST:$OUR_CONTROL" --quiet --timeout 20)
    [[ ! -s $WSD_GUEST_OUT/turn ]] || run_all "siw to windows"
    echo "siw to windows: $runs runs, $failed failed"
    ((failed == 0))
}

# --- on this machine ------------------------------------------------------------------------------------------
server='' guest=''
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; fi
    if [[ -n $guest ]]; then kill "$guest" 2>/dev/null || true; fi
    wait || true
    rm -rf "$out"
}

# In a network of its own, where both addresses are ours.
host_main() {
    local status=0
    ip link set lo up && ip addr add "$HOST/32" dev lo && ip addr add "$GUEST/32" dev lo
    # What connects to the one comes from the other: the guest takes nothing that claims to come from itself, and a provider no
    # request from another address than the one that it names.
    ip route replace local "$GUEST" dev lo table local proto kernel scope host src "$HOST"
    ip route replace local "$HOST" dev lo table local proto kernel scope host src "$GUEST"
    out=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 143' TERM INT HUP
    mkdir "$out/shared"
    "$root/scripts/vm/guest.sh" --device siw --timeout 800 --out "$out/shared" --forward "$GUEST:$CONTROL-$LAST" \
        --keep-log "$root/build/windows/siw-console.log" \
        -- "$self" --guest "$native" "$(dirname "$native")/../provider/libwsdprov.so" >"$out/guest" 2>&1 &
    guest=$!
    wait_for_file "$out/shared/up" 120 || { cat "$out/guest" && echo "no guest with siw on a network" && exit 77; }
    bench=("$root/scripts/windows/wine.sh" "$program") where=(--addr "$HOST" --connect "$GUEST:$CONTROL" --quiet --timeout 20)
    run_all "windows to siw"
    "${bench[@]}" --server --addr "$HOST" --port "$OUR_CONTROL" >"$out/server" 2>&1 &
    server=$!
    wait_for_port "$OUR_CONTROL" # the client in the guest gives a server that is not there yet no second chance
    echo go >"$out/shared/turn.new" && mv "$out/shared/turn.new" "$out/shared/turn"
    wait "$guest" || status=$?
    guest=
    cat "$out/guest"
    sed 's/^/      windows: /' "$out/server"
    echo "windows to siw: $runs runs, $failed failed; the guest ended with $status"
    ((failed == 0 && status == 0))
}

main() {
    if [[ $1 == --guest ]]; then
        guest_main "$2" "$3"
        return
    fi
    program=$(realpath "$1")
    native=$(realpath -m "${2:-$(dirname "$program")/../../release/bench/wsdbench}")
    [[ -x $native ]] || { echo "skipped: no wsdbench for Linux at $native" && exit 77; }
    export WSD_WINE_PREFIX=$root/build/windows/wine-guest WSD_BACKEND=softiwarp WSD_WINE_SECONDS=280
    if [[ -z ${WSD_TEST_OWN_NETWORK:-} ]]; then
        { command -v ip && unshare --net true; } >/dev/null 2>&1 ||
            { echo "skipped: a network of one's own takes root, and the package iproute2" && exit 77; }
        # What a guest needs is installed while there is a network.
        "$root/scripts/vm/guest.sh" --device siw --timeout 300 -- true >/dev/null ||
            { echo "skipped: no guest with siw on this machine (see above)" && exit 77; }
        WSD_TEST_OWN_NETWORK=yes exec unshare --net "$self" "$program" "$native"
    fi
    host_main
}

main "$@"
