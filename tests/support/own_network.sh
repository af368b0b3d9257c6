#!/bin/bash
# tests/support/own_network.sh - runs a program in a network of its own, where packets get lost and wires can be cut.
# usage: own_network.sh PROGRAM [ARGUMENT...]
# The program is at 10.77.9.1/24. What it sends to 10.77.9.2 is lost, and nobody answers for 10.77.9.3. A route drops what goes
# to 10.77.10.0/24, another one forbids 10.77.11.0/24, and there is none to anywhere else. WSD_TEST_LOST names one of each.
# Exit status 77: no such network can be made here.
set -euo pipefail

skip() {
    echo "skipped: $*"
    exit 77
}

if [[ ${1:-} != --inside ]]; then
    command -v ip >/dev/null || skip "there is no ip; it is in the package iproute2"
    unshare --map-root-user --net true 2>/dev/null || skip "this system lets no user make a network of his own"
    exec unshare --map-root-user --net "$0" --inside "$@"
fi
shift
ip link set lo up
ip link add hole type dummy 2>/dev/null || ip link add hole type veth peer name sink 2>/dev/null ||
    skip "this kernel has neither dummy nor veth interfaces"
ip link set hole up
if ip link show sink >/dev/null 2>&1; then
    ip link set sink up # the veth's other end, which takes what comes and says nothing
fi
ip addr add 10.77.9.1/24 dev hole
ip neigh add 10.77.9.2 lladdr 02:00:00:00:00:02 dev hole nud permanent
ip route add blackhole 10.77.10.0/24
ip route add prohibit 10.77.11.0/24
export WSD_TEST_LOST="10.77.9.2 10.77.9.3 10.77.10.1 10.77.11.1 192.0.2.1"
exec "$@"
