#!/bin/bash
# scripts/soak.sh - loads the upper face of the switch for as long as one likes, every byte checked: over TCP, and over the SAN
# on user-mode iWARP (this machine) or kernel soft RDMA (a guest made for it). It owns build/release.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

PACKAGES=(cmake ninja-build gcc libc6-dev pkg-config libibverbs-dev librdmacm-dev libcmocka-dev python3 iproute2)

usage() {
    cat <<'TEXT'
usage: scripts/soak.sh [--minutes N] [--device softiwarp|rxe] [--asan|--tsan] [WSD_SOAK OPTION]...
  (no option)   a minute over TCP and a minute over user-mode iWARP (softiwarp), on this machine
  --minutes N   so long each, 60 for an hour
  --device rxe  over kernel soft RDMA in a QEMU guest
  --asan, --tsan
                the build with a sanitizer
  other options are those of wsd_soak (--help shows them): --sockets, --threads, --largest, --seed
The seed is printed; the same seed draws the same plans. Exit status: 0 every byte was right.
TEXT
}

minutes=1 device=softiwarp preset=release
declare -a options=()
while (($# > 0)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --minutes) minutes=${2:?--minutes needs a number} && shift ;;
    --device) device=${2:?--device needs a value} && shift ;;
    --asan | --tsan) preset=${1#--} ;;
    *) options+=("$1") ;;
    esac
    shift
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || die "--minutes takes a number from 1"
[[ $device =~ ^(softiwarp|rxe)$ ]] || die "--device takes softiwarp or rxe"

need_packages "${PACKAGES[@]}" || exit 1
log=build/soak-build.log
mkdir -p build
build_preset "$preset" >"$log" 2>&1 || {
    tail -n 40 "$log"
    die "the build failed (all of it: $log)"
}
program=build/$preset/tests/soak/wsd_soak
provider=$PWD/build/$preset/provider/libwsdprov.so
seconds=$((minutes * 60))

# lane NAME VARIABLE=VALUE... - a soak in a network of its own.
lane() {
    local name=$1
    shift
    say "soak over $name, $minutes min"
    timeout $((seconds + 180)) env "$@" tests/support/own_network.sh "$program" --carrier "${name%% *}" --seconds "$seconds" \
        "${options[@]}"
}

if [[ $device == rxe ]]; then
    exec scripts/vm/guest.sh --device rxe --timeout $((seconds + 600)) --out build -- \
        env WSD_SWITCH=on WSD_BACKEND=rdmacore WSD_PROVIDER="$provider" "$program" --carrier san --seconds "$seconds" "${options[@]}"
fi
lane tcp WSD_SWITCH=off
lane "san (softiwarp)" WSD_SWITCH=on WSD_BACKEND=softiwarp WSD_PROVIDER="$provider"
