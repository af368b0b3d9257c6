#!/bin/sh
# exports.sh LIBRARY HEADER - the shared switch exports exactly what its header declares; on Windows it takes no call from Winsock that makes a
# socket of the system's choice: that might be the switch's own (WSASocketW takes a catalog entry).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$(head -c 2 "$1")" = MZ ]; then
    "${OBJDUMP:-x86_64-w64-mingw32-objdump}" -p "$1" |
        awk '/Ordinal\/Name Pointer/ { on = 1; next } !NF { on = 0 } on { print $NF }' | sort > "$work/exported"
    "${OBJDUMP:-x86_64-w64-mingw32-objdump}" -p "$1" |
        awk 'tolower($0) ~ /dll name: *ws2_32/ { on = 1; next } !NF { on = 0 } on { print $NF }' > "$work/imported"
    grep -qx WSASocketW "$work/imported" # it is that list
    ! grep -xE 'socket|WSASocketA' "$work/imported" || exit 1
else
    nm -D --defined-only "$1" | awk '{print $NF}' | sed 's/@.*//' | sort > "$work/exported"
fi
# declarations start with SW_API and may be wrapped behind the parameter list
sed -n 's/^SW_API [^(]*[ *]\(sw_[a-z0-9_]*\|WSPStartup\)(.*/\1/p' "$2" | sort > "$work/declared"
diff -u "$work/declared" "$work/exported"
