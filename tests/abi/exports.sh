#!/bin/sh
# exports.sh LIBRARY DEF_FILE - the library exports exactly the names under EXPORTS in the .def file.
# Layer: tests/abi. Reads an ELF shared object with nm, a Windows DLL with objdump.
# Environment: NM (default nm), OBJDUMP (default objdump, or the mingw one for a DLL when present).
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 LIBRARY DEF_FILE" >&2
    exit 2
fi
library=$1
def_file=$2
if ! [ -r "$library" ] || ! [ -r "$def_file" ]; then
    echo "cannot read $library or $def_file" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One name a line after EXPORTS; a comment starts with a semicolon, "@1" or "= internal" may follow a name.
tr -d '\r' <"$def_file" |
    awk '{ sub(/;.*/, "") } $1 == "EXPORTS" { on = 1; sub(/EXPORTS/, "") }
         $1 == "LIBRARY" { on = 0 } on && NF { sub(/=.*/, "", $1); print $1 }' |
    sort -u >"$work/wanted"
if ! [ -s "$work/wanted" ]; then
    echo "FAIL: no EXPORTS in $def_file" >&2
    exit 1
fi

if [ "$(head -c 2 "$library")" = MZ ]; then
    objdump=${OBJDUMP:-objdump}
    if [ -z "${OBJDUMP:-}" ] && command -v x86_64-w64-mingw32-objdump >/dev/null 2>&1; then
        objdump=x86_64-w64-mingw32-objdump
    fi
    "$objdump" -p "$library" >"$work/listing"
    awk '/Ordinal\/Name Pointer/ { on = 1; next } !NF { on = 0 } on { print $NF }' "$work/listing"
else
    "${NM:-nm}" -D --defined-only "$library" >"$work/listing"
    awk '{ sub(/@.*/, "", $NF); print $NF }' "$work/listing"
fi | sort -u >"$work/found"

if ! diff "$work/wanted" "$work/found" >"$work/diff"; then
    echo "FAIL: exports of $(basename "$library") differ from $(basename "$def_file") (< wanted > found):" >&2
    grep '^[<>]' "$work/diff" >&2
    exit 1
fi
echo "ok: $(basename "$library") exports exactly $(wc -l <"$work/wanted" | tr -d ' ') names"
