#!/bin/bash
# run.sh [SECONDS [DIRECTORY]] - builds the fuzz targets with clang and runs each for SECONDS (default 60).
# DIRECTORY (default: a fresh one, removed afterwards) keeps what was found: TARGET.corpus, and inputs that
# crashed a target as TARGET-crash-*. Exit status: 0 nothing found; 1 a crash; 77 no clang with libFuzzer.
set -euo pipefail

seconds=${1:-60} out=${2:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
if [[ -z $out ]]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"

flags=(-g -O1 -std=c11 -D_GNU_SOURCE -I"$root/provider" -I"$root/provider/include" -I"$root/verbs_backend"
    -I"$root/verbs_backend/include" -I"$root/verbs_backend/pal/include" -I"$root/verbs_backend/pal/common"
    -I"$root/verbs_backend/pal/posix/include" -I"$root/switch_shim")
checks=-fsanitize=address,undefined
probe='int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }'
if ! clang -fsanitize=fuzzer,address -x c - -o "$out/probe" <<<"$probe" >/dev/null 2>&1; then
    echo "skipped: no clang with libFuzzer (Debian: apt-get install clang)"
    exit 77
fi

# The provider and what it stands on, without backends: what the decoders' files refer to.
build_rest() {
    mkdir -p "$out/rest"
    (cd "$out/rest" && clang "${flags[@]}" -c "$root"/provider/{base,data,sock,spi}/*.c \
        "$root"/verbs_backend/*.c "$root"/verbs_backend/{hook,pal/posix,pal/common}/*.c \
        "$root"/verbs_backend/pal/cpu/crc32c_none.c "$root"/verbs_backend/softiwarp/{mpa,ddp,rdmap,ports}.c)
    rm -f "$out/rest.a"
    ar rcs "$out/rest.a" "$out"/rest/*.o
}

# build TARGET SOURCE... - the files with the decoders are compiled once more, with checks and with coverage for the
# fuzzer; the rest of the provider comes from the archive.
build() {
    clang "${flags[@]}" "$checks,fuzzer" -fno-sanitize-recover=all "$here/$1.c" "${@:2}" \
        "$out/rest.a" -o "$out/$1" -lpthread -ldl
}

# seed TARGET NAME HEX - an input to start from.
seed() {
    mkdir -p "$out/$1.corpus"
    python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$3" >"$out/$1.corpus/$2"
}

build_rest
targets=(fuzz_conn_wire fuzz_descriptor fuzz_mpa fuzz_markers fuzz_segment fuzz_session_wire fuzz_session)
build fuzz_conn_wire "$root/provider/sock/conn_wire.c"
build fuzz_descriptor "$root/provider/data/grant.c"
soft=$root/verbs_backend/softiwarp
build fuzz_mpa "$soft/mpa.c" "$soft/ports.c"
build fuzz_markers "$soft/mpa.c"
build fuzz_segment "$soft/ddp.c" "$soft/rdmap.c"
build fuzz_session_wire "$root/switch_shim/session/wire.c"
build fuzz_session "$root"/switch_shim/session/*.c
zeros=000000000000000000000000
seed fuzz_conn_wire connect "5744010104 01 c001 1b58 9abc 0a000001 $zeros 0a000002 $zeros 0102030405060708"
seed fuzz_conn_wire move "5744010204 00 0000 1122334455667788 99aabbccddeeff01"
seed fuzz_conn_wire resume "5744010306 00 beef 1122334455667788 99aabbccddeeff01"
seed fuzz_conn_wire accept "5744010401 00 0201 0102030405060708"
seed fuzz_conn_wire reject "5744010502 000000"
seed fuzz_conn_wire abandon "5744010604 00 0000 1122334455667788 99aabbccddeeff01"
seed fuzz_descriptor both "01030000 a1b2c3d4 0123456789abcdef 00100002 cafef00d"
request=4d504120494420526571204672616d65 reply=4d504120494420526570204672616d65
seed fuzz_mpa plain "$request 40010003 616263"
seed fuzz_mpa enhanced "$request 50020010 c0208020 57534469 01 01 1b58 c001 0000"
seed fuzz_mpa reject "$reply 70020010 00200020 57534469 01 04 0000 0000 0000"
seed fuzz_markers empty_frames "07 00000000 0000 0000 8ab2288c 0000 0000 c74b6748"
seed fuzz_markers before_crc "05 00000000 01ea $(printf '%0980d' 0) 801892e8 000a $(printf '%020d' 0) 0000000c 23dc6df2"
seed fuzz_markers lengths "3f 03 0105 01fc 0000 0001 01f0 0bb7 0002 03fc"
seed fuzz_segment write "c140 a1b2c3d4 0102030405060708 00112233"
seed fuzz_segment send "4143 00000000 00000000 00000001 00000000 00112233"
seed fuzz_segment read "4141 00000000 00000001 00000001 00000000 $(printf '%056d' 1)"
seed fuzz_segment terminate "4147 00000000 00000002 00000001 00000000 1101e000 0024 c1400000000a0000000000000009"
seed fuzz_session_wire negotiate "57534453 01 01 01 01 2000 0400 28100000 00000100 00000040 00000000"
seed fuzz_session_wire refuse "57534453 03 01 01 00 $(printf '%040d' 0)"
header() { echo "$1 $2 0300 07000000 0000010000000000 $3 $4 $5 $6 $7 00000000"; }
none=0000000000000000
seed fuzz_session_wire data "$(header 04 00 1122000000000000 0300 0000 00000000 00000000) 616263"
seed fuzz_session_wire pull "$(header 05 00 1122000000000000 0100 0400 01000000 00000100) 01020304 61"
seed fuzz_session_wire push "$(header 06 00 1122000000000000 0100 0000 01000000 00000100) 61"
seed fuzz_session_wire sink "$(header 07 00 $none 0000 0400 01000000 00800000) 01020304"
seed fuzz_session_wire finished "$(header 08 02 $none 0000 0000 01000000 00800000)"
seed fuzz_session_wire urgent "$(header 0a 00 1122000000000000 0100 0000 00000000 00000000) 21"
seed fuzz_session_wire close "$(header 0c 00 1122000000000000 0000 0000 00000000 00000000)"
seed fuzz_session_wire resume "$(header 0f 00 $none 0000 0000 00000000 20000000)"
# Pull and push; two bytes of settings, then steps: a receive, a large send, messages of the peer, reports, RDMA that ends.
seed fuzz_session pull "01 01 04 00 00 ff 04 01 01 ff 00 01 00 00 0a 10 20 00 00 00 00 20 06 07 06 00 04 00 00"
seed fuzz_session push "00 00 04 00 00 ff 04 01 01 ff 00 02 00 00 0a 10 20 00 03 00 00 10 00 07 07 00 04 00 02 06 06"
seed fuzz_session ends "01 00 08 c8 00 08 00 00 00 09 00 00 00 0b f5 00 08 00 00 06 09 15 21 2d"
# What was on the wire, siw's side too: seeds_from_capture.py says how it was taken.
while read -r target name bytes; do
    seed "$target" "captured_$name" "$bytes"
done <"$here/captured.txt"

# fuzz TARGET - one line when nothing was found, everything when something was.
fuzz() {
    local log=$out/$1.log
    "$out/$1" -max_total_time="$seconds" -max_len=1400 -timeout=10 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$out/$1-" "$out/$1.corpus" >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
    echo "$1: nothing found in $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs ($seconds s)"
}

status=0
for target in "${targets[@]}"; do
    fuzz "$target" || status=1
done
for file in "$out"/*-crash-* "$out"/*-timeout-*; do
    [[ ! -e $file ]] || { basename "$file" && od -An -v -tx1 "$file"; }
done
exit "$status"
