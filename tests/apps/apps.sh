#!/bin/bash
# apps.sh SERVER CLIENT ADDRESS - an echo server and three clients at once, as processes of their own; all must end well.
# Environment: RUN  what programs are started with (an emulator); WSD_SWITCH and so on are the programs' own.
set -euo pipefail

if (($# != 3)); then
    echo "usage: $0 SERVER CLIENT ADDRESS" >&2
    exit 2
fi
server=$1 client=$2 address=$3
read -ra run <<<"${RUN:-}"
clients=3
work=$(mktemp -d)
server_pid=
# shellcheck disable=SC2317  # the trap calls it
cleanup() {
    [[ -z $server_pid ]] || kill "$server_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

"${run[@]}" "$server" "$address" 0 $clients >"$work/server" 2>&1 &
server_pid=$!
port=
for _ in {1..300}; do
    port=$(sed -n 's/^listening on port \([0-9]*\).*/\1/p' "$work/server")
    [[ -n $port ]] && break
    kill -0 $server_pid 2>/dev/null || break
    sleep 0.1
done
if [[ -z $port ]]; then
    echo "FAIL: the server does not listen:" >&2
    cat "$work/server" >&2
    exit 1
fi
pids=()
for ((i = 0; i < clients; i++)); do
    "${run[@]}" "$client" "$address" "$port" 150 >"$work/client$i" 2>&1 &
    pids+=($!)
done
status=0
for ((i = 0; i < clients; i++)); do
    wait "${pids[i]}" || status=1
    cat "$work/client$i"
    grep -q '^150 messages, 2261625 bytes' "$work/client$i" || status=1
done
if ((status != 0)); then
    echo "FAIL: a client" >&2
    cat "$work/server" >&2
    exit 1
fi
wait $server_pid || status=1
server_pid=
cat "$work/server"
grep -q '^served all' "$work/server" || status=1
exit $status
