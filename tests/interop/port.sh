# shellcheck shell=bash
# tests/interop/port.sh - waiting for a server to listen; sourced by the tests of this folder and of the bench.

# wait_for_port PORT - a minute at most; the client says what is wrong when nobody listens then.
wait_for_port() {
    local hex i
    printf -v hex '%04X' "$1"
    for ((i = 0; i < 600; i++)); do
        if grep -Eqs ":$hex 0+:0000 0A " /proc/net/tcp /proc/net/tcp6; then return; fi
        sleep 0.1
    done
}
