#!/bin/bash
# values.sh WINSOCK_INCLUDE PROVIDER_INCLUDE - the headers of an application say what those of Windows say, as mingw-w64 has them: every number, the
# size and alignment of every type, the place and size of every member, the type of every function. And no macro of the C library's socket headers
# is left that Windows does not know.
# Layer: tests/winsock; Linux only. Environment: CC (default cc), MINGW_CC (default x86_64-w64-mingw32-gcc; none: skipped, 77).
# How: what the headers define is read from their text; a program says its values here, and they become assertions for the other compiler.
set -euo pipefail
export LC_ALL=C # messages of the compilers are read
if (($# != 2)); then
    echo "usage: $0 WINSOCK_INCLUDE PROVIDER_INCLUDE" >&2
    exit 2
fi
include=$(realpath "$1") provider=$(realpath "$2")
mingw=${MINGW_CC:-x86_64-w64-mingw32-gcc}
command -v "$mingw" >/dev/null || {
    echo "skipped: no $mingw to compare with (Debian package gcc-mingw-w64-x86-64)" >&2
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
here=("${CC:-cc}" -D_GNU_SOURCE -std=gnu11 -O1 -fno-diagnostics-show-caret -I"$include" -I"$provider")
there=("$mingw" -D_WIN32_WINNT=0x0A00 -std=gnu11 -w)
ours=("$include"/*.h "$include"/ws2/*.h "$provider"/wsd/ws2_{base,consts,errors,mswsock,structs}.h)

# Known differences: what Windows has and mingw-w64 10 has not (ws2ipdef.h, mstcpip.h, ntstatus.h), names of the service provider interface
# (tests/abi has them), and where mingw-w64 differs from Microsoft: EAI_NODATA is EAI_NONAME, and the time of select() is const.
known=' IN_PKTINFO PIN_PKTINFO IN6_PKTINFO PIN6_PKTINFO SOCKADDR_INET PSOCKADDR_INET TCP_KEEPALIVE TCP_KEEPIDLE TCP_MAXSEG TCP_MAXRT TCP_STDURG
TCP_NOURG TCP_ATMARK TCP_NOSYNRETRIES TCP_TIMESTAMPS TCP_FASTOPEN TCP_KEEPCNT TCP_KEEPINTVL SIO_IDEAL_SEND_BACKLOG_CHANGE
SIO_IDEAL_SEND_BACKLOG_QUERY STATUS_SUCCESS STATUS_CANCELLED
WSATHREADID LPWSATHREADID WSPDESCRIPTION_LEN WSS_OPERATION_IN_PROGRESS EAI_NODATA select '
known=${known//$'\n'/ }

cat >headers.c <<'END'
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <mstcpip.h>
#include <windows.h>
#include <process.h>
#include <stddef.h>
#include <stdio.h>
END

# --- what there is: one item a line, as "number NAME", "type NAME", "member TYPE NAME" ---

sed -n 's/^#define \([A-Za-z_][A-Za-z_0-9]*\) \+[^ ].*/\1/p' "${ours[@]}" | grep -vE '^(WS2?_|WSD_|SW_)|_H$' | sort -u >defined
"${here[@]}" -E -dM headers.c | sed -n 's/^#define \([A-Za-z_0-9]*\) .*/\1/p' |
    grep -E '^(SO|SOL|MSG|IP|IPV6|TCP|UDP|AF|PF|SOCK|SHUT|MCAST|FIO|SIO|SIOC[A-Z]*|IOC|AI|NI|EAI|POLL[A-Z]*|INET|INET6|IPPORT|IPPROTO|FD|WSA|SD|TF|TP)(_|$)' |
    grep -vx FD_CLOEXEC | sort -u >visible
{
    sort -u defined visible | sed 's/^/number /'
    sed -nE 's/^(typedef [A-Za-z_ ]*[ *](const )?|\} )\*?([A-Z][A-Za-z0-9_]*)((, \*[A-Z0-9_]+)*);.*/\3\4/p
        s/^typedef [A-Za-z ]*\((WSAAPI|WINAPI|WSPAPI|CALLBACK|__cdecl) \*([A-Z_0-9]*)\).*/\2/p' "${ours[@]}" | tr -d ' *' | tr ',' '\n' |
        grep -vE '^(WSD_|ws2_|LPFN_WSP|LPWSP|WSP|L?P?WSATHREADID)' | sort -u | sed 's/^/type /'
    sed -n '/--- types ---/,/--- objects/s/^#define \([a-z_0-9]*\) .*/type struct \1/p' "$include/ws2/names.h" |
        grep -vE ' (socklen_t|u_long)$'
    printf 'type %s\n' socklen_t u_long
} >items
# Members of structures of one level; a structure of names.h under its name of Windows.
cat "${ours[@]}" | sed 's|/\*.*\*/||' | awk '
    /^(typedef )?(struct|union) [A-Za-z_0-9]+ \{/ { inside = 1; depth = 1; count = 0; tag = $0; sub(/ \{.*/, "", tag); sub(/.* /, "", tag); next }
    !inside { next }
    /^\}/ {
        inside = 0; name = $0
        sub(/^\} */, "", name); sub(/[;,].*/, "", name)
        if (name == "" && tag ~ /^ws2_/) name = "struct " substr(tag, 5)
        if (name == "") name = "struct " tag
        if (tag ~ /^(WSD_|wsd_)/ || name ~ /^(WSD_|WSP|WSATHREADID)/) next
        if (name ~ /^ws2_/) name = "struct " substr(name, 5)
        for (i = 0; i < count; i++) print "member " member[i] " " name
        next
    }
    /\{/ { depth++; next }
    /^ *\}/ { depth--; line = $0; sub(/^ *\} */, "", line); sub(/;.*/, "", line); if (line != "" && depth == 1) member[count++] = line; next }
    depth > 1 { next }
    /;/ { line = $0; sub(/;.*/, "", line); gsub(/\[[^]]*\]/, "", line); sub(/ *$/, "", line); sub(/.*[ *]/, "", line); member[count++] = line }' |
    grep -vE ' wsd_' >>items

# --- their values here ---

# shellcheck disable=SC2028 # what is not to be expanded is C's
ask() { # items on standard input; a program that prints "ITEM = VALUE..."
    cat headers.c
    echo 'int main(void) {'
    while read -r kind name of; do
        case $kind in
        number) echo "_Static_assert((long long)($name) == (long long)($name), \"\"); printf(\"$kind $name = %lld\\n\", (long long)($name));" ;;
        type) echo "printf(\"$kind $name${of:+ $of} = %zu %zu\\n\", sizeof($name $of), _Alignof($name $of));" ;;
        member) echo "printf(\"$kind $name $of = %zu %zu\\n\", offsetof($of, $name), sizeof((($of *)0)->$name));" ;;
        esac
    done
    echo 'return 0; }'
}
# Macros that are no numbers (types, functions, initialisers) fall out, line by line.
for _ in {1..12}; do
    ask <items >ask.c
    "${here[@]}" -pedantic-errors -fmax-errors=0 -fsyntax-only ask.c 2>errors && break
    sed -nE 's/^ask\.c:([0-9]+):.*error:.*/\1/p' errors | sort -un | while read -r line; do
        sed -nE "${line}s/.*printf\\(\"(.*) = .*/\\1/p" ask.c
    done | sort -u >bad
    if grep -E '^(type|member)' bad >&2 || [[ ! -s bad ]]; then
        head -n 20 errors >&2
        echo "FAIL: not understood here" >&2
        exit 1
    fi
    grep -vxF -f bad items >rest
    mv rest items
done
"${here[@]}" -w ask.c -o ask
./ask >values
count=()
for kind in number type member; do
    count+=("$(grep -c "^$kind " values)")
done
((count[0] > 600 && count[1] > 150 && count[2] > 100)) || {
    echo "FAIL: found only ${count[*]} numbers, types, members" >&2
    exit 1
}

# --- the same there ---

{
    cat headers.c
    sed -E 's/^number ([^ ]+) = (.*)/_Static_assert((long long)(\1) == \2ll, "number \1 is \2 here");/
            s/^type ([^=]+) = (.*) (.*)/_Static_assert(sizeof(\1) == \2 \&\& _Alignof(\1) == \3, "type \1 has \2 bytes here, alignment \3");/
            s/^member ([^ ]+) ([^=]+) = (.*) (.*)/_Static_assert(offsetof(\2, \1) == \3 \&\& sizeof(((\2 *)0)->\1) == \4, "member \1 of \2 is at \3 here, \4 bytes");/' values
    # Functions: the declarations are repeated, which a compiler takes only when the types are the same.
    cat "$include"/*.h | sed 's|/\*.*\*/||' | awk '/^SW_API/ { on = 1 } on { printf "%s ", $0 } on && /;/ { on = 0; print "" }' |
        sed 's/^SW_API //' | grep -vE '[ *]ws2_|^extern' | sort -u >functions
    sed -E 's/^[^(]*[ *]([A-Za-z_0-9]+)\(.*/typedef __typeof__(\1) has_\1;/' functions
    cat functions
} >same.c
status=0
"${there[@]}" -fmax-errors=0 -fsyntax-only same.c 2>errors || status=$?
# Of a line that names what is not there the first error says so.
awk -F: '/^same\.c:[0-9]+:.*error/ && !seen[$2]++' errors | sed -E 's/^same\.c:[0-9]+:[0-9]+: (fatal )?error: //' >differences
if ((status != 0)) && [[ ! -s differences ]]; then # a compiler that did not come to an answer compares nothing
    head -n 20 errors >&2
    echo "FAIL: ${there[0]} ended with $status" >&2
    exit 1
fi
while read -r line; do
    name=$(sed -E 's/.*static assertion failed: "[a-z]+ (struct )?([A-Za-z_0-9]+).*/\2/' <<<"$line") # ours
    [[ $name != *\'* ]] || name=$(cut -d \' -f 2 <<<"$line")                                        # the compiler's own words
    [[ $known == *" $name "* ]] || echo "FAIL: $line"
done <differences | sort -u >failures
if [[ -s failures ]]; then
    cat failures >&2
    exit 1
fi
echo "ok: ${count[0]} numbers, ${count[1]} types, ${count[2]} members, $(wc -l <functions) functions as mingw-w64 has them"
