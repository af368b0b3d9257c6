#!/bin/bash
# test_errors.sh WSDBENCH STRANGER - what wsdbench says, and its exit status, when a port is in use, an address is not of this
# machine, nobody or something else answers, or something else comes to the server.
set -uo pipefail

bench=$1
stranger=$2
results=$(mktemp -d)
failures=0
children=()
trap 'kill "${children[@]}" 2>/dev/null; rm -rf "$results"' EXIT

# says TEXT... - each of them is in what was said.
says() {
    local text
    for text in "$@"; do
        if grep -qF -- "$text" "$results/said"; then
            echo "ok: \"$text\""
        else
            printf 'FAILED: no "%s" in:\n' "$text"
            cat "$results/said"
            failures=$((failures + 1))
        fi
    done
}

# Nothing of a peer may reach a terminal as it came.
is_printable() {
    LC_ALL=C grep -q '[^[:print:]]' "$results/said" || return 0
    printf 'FAILED: bytes that are not printable:\n'
    cat -v "$results/said"
    failures=$((failures + 1))
}

# fails COMMAND... - ends with status 1.
fails() {
    local got=0
    timeout 60 "$@" >"$results/said" 2>&1 || got=$?
    ((got == 1)) && is_printable && return
    printf 'FAILED: status %s, must be 1: %s\n' "$got" "$*"
    cat "$results/said"
    failures=$((failures + 1))
}

# until_true COMMAND... - within 20 s.
until_true() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        "$@" && return
        sleep 0.1
    done
    echo "FAILED: never true: $*"
    exit 1
}

# start_stranger TEXT - sets port.
start_stranger() {
    rm -f "$results/port"
    "$stranger" "$1" >"$results/port" &
    children+=($!)
    until_true test -s "$results/port"
    port=$(<"$results/port")
}

# --- the server's own port and address; the stranger has a port that is in use
start_stranger 'SSH-2.0-OpenSSH_9.2p1 Debian-2\n'
fails "$bench" --server --port "$port"
says "cannot listen on control port $port: it is in use" 'take another --port'
fails "$bench" --server --port 18542 --addr 192.0.2.1
says '--addr 192.0.2.1 is no address of this machine'

# --- an address that is not of this machine, at both layers, and which ones there are
for layer in raw san; do
    fails "$bench" lat --layer "$layer" --backend softiwarp --addr 192.0.2.1 --timeout 5 --quiet
    says '192.0.2.1 is no address of this host that softiwarp serves; it serves '
done

# --- what answers where a server is expected
fails "$bench" lat --layer tcp --connect "127.0.0.1:$port" --timeout 5 --quiet
says 'is no wsdbench: it sent "SSH-2.0-OpenSSH_9.2p1 Debian-2\x0a"; check host and port'
start_stranger $'HTTP/1.1 400 Bad Request\\n\033[2J'
fails "$bench" lat --layer tcp --connect "127.0.0.1:$port" --timeout 5 --quiet
says 'it sent "HTTP/1.1 400 Bad Request\x0a\x1b[2J"; check host and port'
start_stranger '220'
fails "$bench" lat --layer tcp --connect "127.0.0.1:$port" --timeout 5 --quiet
says 'it sent "220"; check'
start_stranger ''
fails "$bench" lat --layer tcp --connect "127.0.0.1:$port" --timeout 2 --quiet
says 'was silent on the control channel' 'is it a wsdbench? check host and port'
fails "$bench" lat --layer tcp --connect 127.0.0.1:1 --timeout 5 --quiet
says 'cannot reach the server 127.0.0.1, control port 1: Connection refused' 'wsdbench --server'

# --- what comes to a server that is no client
port=18541
timeout 60 "$bench" --server --port "$port" --once >"$results/said" 2>&1 &
server=$!
children+=("$server")
until_true grep -q serving "$results/said"
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET / HTTP/1.1\r\n' >&3
got=0
wait "$server" || got=$?
exec 3>&-
((got == 1)) || { echo "FAILED: the server's status is $got, must be 1" && failures=$((failures + 1)); }
is_printable
says 'is no wsdbench: it sent "GET / HTTP/1.1\x0d\x0a"; check host and port'

echo "$failures failures"
exit $((failures > 0))
