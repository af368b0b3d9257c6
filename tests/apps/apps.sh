#!/bin/bash
# apps.sh KIND SERVER CLIENT ADDRESS - a server and three clients at once, as processes of their own; all must end well.
# KIND: echo_server, port_server, file_sender or chat_server.
# Environment: RUN  what programs are started with (an emulator); RUN_CLIENT  the same for clients, where they are of another system;
# WSD_SWITCH and so on are the programs' own.
set -euo pipefail

if (($# != 4)); then
    echo "usage: $0 KIND SERVER CLIENT ADDRESS" >&2
    exit 2
fi
kind=$1 server=$2 client=$3 address=$4
read -ra run <<<"${RUN:-}"
read -ra run_client <<<"${RUN_CLIENT-${RUN:-}}"
clients=3
work=$(mktemp -d)
server_pid=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    [[ -z $server_pid ]] || kill "$server_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work" # file names are relative: the two systems spell the others differently

fail() {
    echo "FAIL: $*" >&2
    tail -n 20 server.out client? >&2
    exit 1
}

# printed TEXT - how many whole lines of the server's begin with that. A line without its end does not count: programs of the
# other system write theirs a character at a time, and half a port number is a number, too.
printed() {
    local line n=0
    while IFS= read -r line; do
        if [[ $line == "$1"* ]]; then n=$((n + 1)); fi
    done <server.out
    echo $n
}

# wait_for TEXT TIMES - until the server has printed so many lines that begin with that, for half a minute at most.
wait_for() {
    for _ in {1..300}; do
        (($(printed "$1") >= $2)) && return
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    fail "the server does not say: $1"
}

# start_client NUMBER ARGUMENT... - its output is in clientNUMBER.
start_client() {
    "${run_client[@]}" "$client" "$address" "$port" "${@:2}" >"client$1" 2>&1 </dev/null &
    pids+=($!)
}

head -c 1000000 /dev/urandom >file
printf 'hello\nworld\n' >words
: >nothing
arguments=("$clients")
[[ $kind != file_sender ]] || arguments=(file "$clients")
: >server.out
"${run[@]}" "$server" "$address" 0 "${arguments[@]}" >server.out 2>&1 </dev/null &
server_pid=$!
wait_for 'listening on port' 1
port=$(sed -n 's/^listening on port \([0-9]*\).*/\1/p' server.out)

pids=()
for ((i = 0; i < clients; i++)); do
    case $kind in
    file_sender) start_client $i copy$i ;;
    chat_server)
        # two that listen, then one that talks
        if ((i < clients - 1)); then
            start_client $i 2 nothing
            wait_for 'joined' $((i + 1))
        else
            start_client $i 0 words # a file: an emulator may give its program no standard input
        fi
        ;;
    *) start_client $i 150 ;;
    esac
done
for ((i = 0; i < clients; i++)); do
    wait "${pids[i]}" || fail "client $i"
    case $kind in
    file_sender)
        { echo "-- the file follows --" && cat file && echo "-- that was the file --"; } | cmp -s - copy$i ||
            fail "client $i got another file"
        ;;
    chat_server)
        ((i == clients - 1)) || [[ $(tr -d '\r' <client$i) == $'hello\nworld' ]] || fail "client $i heard something else"
        ;;
    *) grep -q '^150 messages, 2261625 bytes' client$i || fail "client $i" ;;
    esac
done
wait $server_pid || fail "the server"
server_pid=
grep -q '^served all' server.out || fail "the server"
echo "ok: $kind, $clients clients"
