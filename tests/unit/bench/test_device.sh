#!/bin/bash
# test_device.sh WSDBENCH - every loop of the bench on a real device, every byte verified, both layers; and the
# two-command form. WSD_TEST_ADDR names the device; without it the test is skipped (77).
set -uo pipefail

# shellcheck source=tests/interop/port.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../interop/port.sh"
bench=$1
address=${WSD_TEST_ADDR:-}
[[ -n $address ]] || { echo "skipped: WSD_TEST_ADDR names no device" && exit 77; }
failures=0

# must WORDS... - wsdbench with these words succeeds.
must() {
    local said
    if said=$(timeout 100 "$bench" "$@" --addr "$address" --timeout 20 --quiet 2>&1); then
        echo "ok: $*"
    else
        printf 'FAILED: %s\n%s\n' "$*" "$said"
        failures=$((failures + 1))
    fi
}

# must_fail_with TEXT WORDS... - wsdbench fails and says why.
must_fail_with() {
    local text=$1 said
    shift
    if ! said=$(timeout 100 "$bench" "$@" --timeout 5 --quiet 2>&1) && [[ $said == *"$text"* ]]; then
        echo "ok: refused: $*"
    else
        printf 'FAILED: must fail with "%s": %s\n%s\n' "$text" "$*" "$said"
        failures=$((failures + 1))
    fi
}

for layer in raw san; do
    must lat --layer "$layer" --sizes 0,1,64,4K,64K --iters 30 --warmup 5 --verify
    must lat --layer "$layer" --sizes 0,64,64K --iters 30 --warmup 5 --verify --notify upcall
    must lat --layer "$layer" --op write --sizes 1,64,64K --iters 300 --warmup 5 --verify
    must lat --layer "$layer" --op read --sizes 1,64,64K --iters 30 --warmup 5 --verify
    must lat --layer "$layer" --op read --sizes 1,64,64K --iters 30 --warmup 5 --verify --notify upcall
    must bw --layer "$layer" --sizes 0,1,1K,64K,1M --iters 70 --warmup 5 --verify
    must bw --layer "$layer" --sizes 64,64K --iters 70 --warmup 5 --verify --notify upcall
    must bw --layer "$layer" --sizes 64 --iters 3000 --depth 30 # 60 receives: a socket's queue has 63
    must bw --layer "$layer" --op write --sizes 1,1K,64K --iters 40 --warmup 5 --verify
    must bw --layer "$layer" --op read --sizes 1,1K,64K --iters 40 --warmup 5 --verify
    must bw --layer "$layer" --op write --sizes 64K --iters 40 --notify upcall
    must bw --layer "$layer" --op read --sizes 64K --iters 40 --notify upcall
    must connect --layer "$layer" --iters 20
    must reg --layer "$layer" --sizes 4K,64K --iters 20
    must lat --layer "$layer" --iters 50 --idle 30 --rss
done
must lat --layer san --iters 50 --notify upcall --wake port --verify

# Two commands, as on two machines.
"$bench" --server --addr "$address" --port 18531 2>/dev/null &
server=$!
wait_for_port 18531
must lat --layer raw --iters 50 --connect 127.0.0.1:18531
must bw --layer san --iters 50 --connect 127.0.0.1:18531
kill "$server" && wait "$server" 2>/dev/null

must_fail_with 'control port 18532' lat --connect 127.0.0.1:18532
must_fail_with '192.0.2.1' lat --layer raw --addr 192.0.2.1
must_fail_with '192.0.2.1' lat --layer san --addr 192.0.2.1

echo "$failures failures"
exit $((failures > 0))
