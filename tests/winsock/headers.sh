#!/bin/sh
# headers.sh WINSOCK_INCLUDE PROVIDER_INCLUDE ABI_TESTS LIBRARY - the headers of an application: each compiles alone, before and after the
# system's socket headers, in C11; and the library exports exactly what they declare.
# Layer: tests/winsock; Linux only. Environment: CC (default cc), NM (default nm).
set -eu
if [ $# -ne 4 ]; then
    echo "usage: $0 WINSOCK_INCLUDE PROVIDER_INCLUDE ABI_TESTS LIBRARY" >&2
    exit 2
fi
include=$1 provider=$2 abi=$3 library=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # source on standard input
    "${CC:-cc}" -x c -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only \
        -I"$include" -I"$provider" -I"$abi" -
}
for name in winsock2.h ws2tcpip.h mswsock.h mstcpip.h windows.h; do
    use='typedef struct { SOCKET s; WSABUF b; } used;'
    printf '#include <%s>\n%s\n' "$name" "$use" | compile
    printf '#include <%s>\n#include "linux_headers.h"\n%s\n' "$name" "$use" | compile
    printf '#include "linux_headers.h"\n#include <%s>\n%s\n' "$name" "$use" | compile
done
# A program that wants larger sets says so first, as on Windows.
printf '#define FD_SETSIZE 512\n#include <winsock2.h>\n_Static_assert(sizeof(fd_set) == 513 * sizeof(SOCKET), "");\n' | compile

# What the preprocessor makes of the headers has the names that the library should export.
printf '#include <winsock2.h>\n#include <ws2tcpip.h>\n#include <mswsock.h>\n' |
    "${CC:-cc}" -x c -E -P -D_GNU_SOURCE -I"$include" -I"$provider" - | tr '\n' ' ' | sed 's/[;}]/\n/g' |
    sed -n 's/^.*__attribute__((visibility("default"))) [^(]*[ *]\([A-Za-z_0-9]*\)(.*/\1/p' | sort -u >"$work/declared"
echo sw_carried_by >>"$work/declared" # who carries a socket: for tests, declared in sw/switch.h
sort -o "$work/declared" "$work/declared"
"${NM:-nm}" -D --defined-only "$library" | awk '$2 == "T" { print $NF }' | sed 's/@.*//' | sort >"$work/exported"
diff -u "$work/declared" "$work/exported"
echo "ok: five headers, $(wc -l <"$work/exported") exported names"
