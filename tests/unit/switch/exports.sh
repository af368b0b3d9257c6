#!/bin/sh
# exports.sh LIBRARY HEADER - the shared switch exports exactly what its header declares.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$(head -c 2 "$1")" = MZ ]; then
    "${OBJDUMP:-x86_64-w64-mingw32-objdump}" -p "$1" |
        awk '/Ordinal\/Name Pointer/ { on = 1; next } !NF { on = 0 } on { print $NF }' | sort > "$work/exported"
else
    nm -D --defined-only "$1" | awk '{print $NF}' | sed 's/@.*//' | sort > "$work/exported"
fi
# declarations start with SW_API and may be wrapped behind the parameter list
sed -n 's/^SW_API [^(]*[ *]\(sw_[a-z0-9_]*\|WSPStartup\)(.*/\1/p' "$2" | sort > "$work/declared"
diff -u "$work/declared" "$work/exported"
