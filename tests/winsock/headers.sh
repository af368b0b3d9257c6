#!/bin/sh
# headers.sh WINSOCK_INCLUDE PROVIDER_INCLUDE ABI_TESTS LIBRARY DRIVER - the headers of an application: each compiles alone, before and after the
# system's socket headers, in C11; the library exports exactly what they declare; and DRIVER (winsock_random) calls all of that.
# Layer: tests/winsock; Linux only. Environment: CC (default cc), NM (default nm).
set -eu
if [ $# -ne 5 ]; then
    echo "usage: $0 WINSOCK_INCLUDE PROVIDER_INCLUDE ABI_TESTS LIBRARY DRIVER" >&2
    exit 2
fi
include=$1 provider=$2 abi=$3 library=$4 driver=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # source on standard input
    "${CC:-cc}" -x c -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only \
        -I"$include" -I"$provider" -I"$abi" -
}
for path in "$include"/*.h; do
    name=$(basename "$path")
    use='typedef struct { SOCKET s; WSABUF b; } used;'
    printf '#include <%s>\n%s\n' "$name" "$use" | compile
    printf '#include <%s>\n#include "linux_headers.h"\n%s\n' "$name" "$use" | compile
    printf '#include "linux_headers.h"\n#include <%s>\n%s\n' "$name" "$use" | compile
done
# A program that wants larger sets says so first, as on Windows.
printf '#define FD_SETSIZE 512\n#include <winsock2.h>\n_Static_assert(sizeof(fd_set) == 513 * sizeof(SOCKET), "");\n' | compile

# <windows.h> brings Winsock along, unless it is to be lean.
printf '#include <windows.h>\nint f(SOCKET s); int f(SOCKET s) { return closesocket(s) + shutdown(s, SD_BOTH); }\n' | compile
printf '#define WIN32_LEAN_AND_MEAN\n#include <windows.h>\n#include <winsock2.h>\nint f(SOCKET s); int f(SOCKET s) { return shutdown(s, SD_BOTH); }\n' |
    compile
if printf '#define WIN32_LEAN_AND_MEAN\n#include <windows.h>\nstruct ws2_linger l;\n' | compile 2>/dev/null; then
    echo "WIN32_LEAN_AND_MEAN: <winsock2.h> comes along all the same" >&2
    exit 1
fi

# What the preprocessor makes of the headers has the names that the library should export.
printf '#include <winsock2.h>\n#include <ws2tcpip.h>\n#include <mswsock.h>\n#include <process.h>\n' |
    "${CC:-cc}" -x c -E -P -D_GNU_SOURCE -I"$include" -I"$provider" - | tr '\n' ' ' | sed 's/[;}]/\n/g' |
    sed -n 's/^.*__attribute__((visibility("default"))) \([^(]*[ *]\)\([A-Za-z_0-9]*\)(.*/\2/p
        s/^.*__attribute__((visibility("default"))) extern const struct [^ ]* \([a-z0-9_]*\), \([a-z0-9_]*\)$/object \1\nobject \2/p' | sort -u >"$work/all"
grep -v '^object ' "$work/all" >"$work/declared"
"${NM:-nm}" -u "$driver" | awk '{ print $NF }' | sed 's/@.*//' | sort -u >"$work/called"
comm -23 "$work/declared" "$work/called" >"$work/left_out"
if [ -s "$work/left_out" ]; then
    echo "declared, but never called with any arguments (random_*.c):" >&2
    cat "$work/left_out" >&2
    exit 1
fi
sed 's/^object //' "$work/all" >"$work/declared"
echo sw_carried_by >>"$work/declared" # who carries a socket: for tests, declared in sw/switch.h
sort -o "$work/declared" "$work/declared"
"${NM:-nm}" -D --defined-only "$library" | awk '$2 ~ /[TR]/ { print $NF }' | sed 's/@.*//' | sort >"$work/exported"
diff -u "$work/declared" "$work/exported"
echo "ok: $(find "$include" -maxdepth 1 -name '*.h' | wc -l) headers, $(wc -l <"$work/exported") exported names, all functions but sw_carried_by called with any arguments"
