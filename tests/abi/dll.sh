#!/bin/bash
# dll.sh LIBRARY.DLL - the Windows library needs DLLs of the system only, and says which version it is. On 32 bits also: its
# entry points are stdcall functions that take as many bytes as the contract says (3.2), which only their symbols tell.
# Layer: tests/abi. Environment: OBJDUMP (default: the one of mingw-w64).
set -euo pipefail

if (($# != 1)) || [[ ! -r $1 ]]; then
    echo "usage: $0 LIBRARY.DLL" >&2
    exit 2
fi
objdump=${OBJDUMP:-x86_64-w64-mingw32-objdump}

# What every Windows since 7 has in its system directory, as far as we mean to use it.
system=' advapi32.dll bcrypt.dll iphlpapi.dll kernel32.dll msvcrt.dll ntdll.dll psapi.dll user32.dll ws2_32.dll '
status=0
needed=$("$objdump" -p "$1" | awk '/DLL Name:/ { print tolower($3) }' | sort -u)
[[ -n $needed ]] || {
    echo "FAIL: no imports found in $1" >&2
    exit 1
}
for dll in $needed; do
    [[ $system == *" $dll "* ]] || {
        echo "FAIL: $(basename "$1") needs $dll, which is not among the system's" >&2
        status=1
    }
done

# The resource is UTF-16: the words are looked for with their zero bytes taken out.
"$objdump" -s -j .rsrc "$1" >/dev/null 2>&1 || {
    echo "FAIL: $(basename "$1") has no resources" >&2
    exit 1
}
words=$(tr -d '\000' <"$1" | grep -a -o -E 'VS_VERSION_INFO|OriginalFilenamewsdprov\.dll|ProductName.?OpenWSD' | sort -u | wc -l)
((words == 3)) || {
    echo "FAIL: the version resource of $(basename "$1") is not what wsdprov.rc says" >&2
    status=1
}
if "$objdump" -f "$1" | grep "file format pei-i386" >/dev/null; then
    for symbol in _WSPStartup@76 _WSPStartupEx@20; do
        "$objdump" -t "$1" | grep -w -F -e "$symbol" >/dev/null || {
            echo "FAIL: $(basename "$1") has no function $symbol" >&2
            status=1
        }
    done
fi

((status != 0)) || echo "ok: $(basename "$1") needs only: ${needed//$'\n'/ }"
exit "$status"
