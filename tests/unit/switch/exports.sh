#!/bin/sh
# exports.sh LIBRARY HEADER - the shared switch exports exactly what its header declares.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D --defined-only "$1" | awk '{print $NF}' | sed 's/@.*//' | sort > "$work/exported"
# declarations start with SW_API and may be wrapped behind the parameter list
sed -n 's/^SW_API [^(]*[ *]\(sw_[a-z0-9_]*\)(.*/\1/p' "$2" | sort > "$work/declared"
diff -u "$work/declared" "$work/exported"
