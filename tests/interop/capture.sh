# shellcheck shell=bash
# tests/interop/capture.sh - captures lo and has Wireshark read it; sourced by the tests of this folder. Uses $out, a folder of the
# test's, and its function fail.
# shellcheck disable=SC2154 # out is the caller's

MARKER=openwsd-end-of-capture
dumpcap_pid=

# False: it cannot be done here; the reason is in $out/dumpcap.
start_capture() {
    local i
    # What the last capture said must not be taken for this one's: the redirection below is made by a process that may come late.
    rm -f "$out/capture" "$out/dumpcap"
    dumpcap -q -i lo -B 64 -w "$out/capture" 2>"$out/dumpcap" &
    dumpcap_pid=$!
    for ((i = 0; i < 100; i++)); do
        if grep -qs '^File:' "$out/dumpcap"; then return 0; fi
        if ! kill -0 "$dumpcap_pid" 2>/dev/null; then break; fi
        sleep 0.1
    done
    stop_capture
    return 1
}

# Ends it whatever it has; for traps too.
stop_capture() {
    if [[ -n $dumpcap_pid ]]; then
        kill -INT "$dumpcap_pid" 2>/dev/null || true
        wait "$dumpcap_pid" || true
    fi
    dumpcap_pid=
}

# dumpcap writes at intervals: once the file has a datagram that is sent now (to the discard port), it has all that came before.
end_capture() {
    local i has_marker=false
    for ((i = 0; i < 100; i++)); do
        echo "$MARKER" >/dev/udp/127.0.0.1/9 || true # refused, mostly, when it is sent once more
        sleep 0.1
        if grep -aqs "$MARKER" "$out/capture"; then
            has_marker=true
            break
        fi
    done
    stop_capture
    "$has_marker" || fail "the capture has no end after 10 s: $(tail -n 1 "$out/dumpcap")"
    grep -q '/0 (pcap:0/dumpcap:0/' "$out/dumpcap" || fail "packets were lost while capturing: $(tail -n 1 "$out/dumpcap")"
}

# read_capture TSHARK_ARGUMENT... - what guesses by itself that a message is SMB Direct or RPC over RDMA is switched off: ours are
# neither. A Wireshark that fails has seen nothing: the test ends there.
read_capture() {
    tshark -n -r "$out/capture" -o tcp.try_heuristic_first:TRUE --disable-protocol smb_direct --disable-protocol rpcordma "$@" 2>"$out/tshark.err" || {
        echo "FAIL  tshark ended with $?: $(tail -n 1 "$out/tshark.err")" >&2
        return 1
    }
}
