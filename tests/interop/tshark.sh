#!/bin/bash
# tests/interop/tshark.sh - Wireshark's iWARP dissectors read what softiwarp sends: every byte of the connection belongs to a frame
# they know, every CRC is good, and they count what wire_traffic says it has sent. With CRCs and without.
# usage: own_network.sh tshark.sh WIRE_TRAFFIC [--one-less]; in a network of its own nothing else is on lo. --one-less: a Send
# is missing, and the test has to fail.
# Not with markers: Wireshark 4.0 cuts the stream into FPDUs by their length fields, which count no markers (RFC 5044 4.3), so it
# loses its place where an FPDU with markers ends in another segment. tests/unit/softiwarp/test_markers.c checks those.
# Exit status 77: no tshark, or nothing may be captured here.
set -euo pipefail

# shellcheck source=tests/interop/capture.sh
. "$(dirname "${BASH_SOURCE[0]}")/capture.sh"
traffic=("$@")
out=$(mktemp -d)
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    stop_capture
    rm -rf "$out"
}
trap clean_up EXIT

skip() {
    echo "skipped: $*"
    exit 77
}

for tool in tshark dumpcap; do
    command -v "$tool" >/dev/null || skip "there is no $tool; it is in the package tshark"
done

failed=0
fail() {
    echo "FAIL  $*"
    failed=$((failed + 1))
}

# expect NAME WANTED GOT
expect() {
    if [[ $2 == "$3" ]]; then echo "ok    $1: $3"; else fail "$1: Wireshark sees $3, sent were $2"; fi
}

sent() { awk -v name="$1" '$1 == name { print $2 }' "$out/sent"; }
seen() { awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }' "$out/seen"; }

# One line for each name: how many messages (those segments that are the last of one) of each kind, segments, bytes of TCP's
# streams and of the frames found in them. FPDU: length field, ULPDU, padding to a multiple of four, CRC.
count_frames() {
    read_capture -T fields -E occurrence=a -E aggregator=, -E separator='|' -e tcp.srcport -e tcp.seq -e tcp.len \
        -e iwarp_mpa.ulpdulength -e iwarp_mpa.pdlength -e iwarp_rdma.opcode -e iwarp_ddp.last_flag |
        awk -F'|' '
        BEGIN { split("writes read_requests read_responses sends send_inv solicited send_se_inv terminates", name, " ") }
        {
            if ($3 > 0 && $2 + $3 - 1 > end[$1]) end[$1] = $2 + $3 - 1
            n = split($4, ulpdu, ",")
            for (i = 1; i <= n; i++) framed += 2 + ulpdu[i] + (4 - (2 + ulpdu[i]) % 4) % 4 + 4
            fpdus += n
            n = split($5, opening, ",")
            for (i = 1; i <= n; i++) framed += 20 + opening[i]
            n = split($6, opcode, ",")
            split($7, last, ",")
            segments += n
            for (i = 1; i <= n; i++) {
                code = opcode[i] ~ /^0x0[0-9]$/ ? substr(opcode[i], 4) + 0 : 99
                if (code > 7) unknown++
                else if (last[i] == 1) messages[code]++
            }
        }
        END {
            for (s in end) stream += end[s]
            print "stream", stream + 0; print "framed", framed + 0; print "fpdus", fpdus + 0
            print "segments", segments + 0; print "unknown", unknown + 0
            for (code = 0; code < 8; code++) print name[code + 1], messages[code] + 0
        }' >"$out/seen"
}

check() {
    local crc=$1 name
    echo "CRC $crc"
    start_capture || skip "dumpcap does not capture here: $(tail -n 1 "$out/dumpcap")"
    WSD_SOFTIWARP_CRC=$crc WSD_SOFTIWARP_PORTS=plain timeout 30 "${traffic[0]}" 127.0.0.1 "${traffic[@]:1}" >"$out/sent" ||
        fail "wire_traffic ended with $?"
    end_capture
    count_frames
    for name in sends solicited writes read_requests read_responses terminates segments; do
        expect "$name" "$(sent $name)" "$(seen $name)"
    done
    expect "FPDUs, as many as segments" "$(sent segments)" "$(seen fpdus)"
    [[ $(seen fpdus) != 0 ]] || read_capture -c 12 # no frame is ours: whose are they?
    expect "bytes of both streams, all of them in frames" "$(seen stream)" "$(seen framed)"
    expect "unknown or unexpected messages" 0 $(($(seen unknown) + $(seen send_inv) + $(seen send_se_inv)))
    read_capture -Y '_ws.malformed || iwarp_mpa.bad_length' >"$out/malformed"
    expect "malformed frames" 0 "$(wc -l <"$out/malformed")"
    read_capture -V -O iwarp_mpa >"$out/text"
    if [[ $crc == on ]]; then
        expect "good CRCs" "$(sent segments)" "$(grep -c 'CRC check: .*(Good CRC32)' "$out/text" || true)"
        expect "bad CRCs" 0 "$(grep -c 'Bad CRC32' "$out/text" || true)"
    else
        expect "CRC fields that are zero" "$(sent segments)" "$(grep -c 'CRC: 0x00000000' "$out/text" || true)"
    fi
}

check on
check off
((failed == 0))
