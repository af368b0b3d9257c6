#!/bin/sh
# mingw_compile.sh SOURCE INCLUDE_DIR - compile a C file against the real Windows headers, 64 and 32 bits, no output.
# Layer: tests/abi; ctest runs it on abi_layout.c. Exit code 77 (skipped) when a cross compiler is missing.
# Environment: MINGW_CC, default "x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc".
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 SOURCE INCLUDE_DIR" >&2
    exit 2
fi
source_file=$1
include_dir=$2

for cc in ${MINGW_CC:-x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc}; do
    if ! command -v "$cc" >/dev/null 2>&1; then
        echo "skipped: $cc not found (Debian packages gcc-mingw-w64-x86-64 and gcc-mingw-w64-i686)"
        exit 77
    fi
    "$cc" -std=c11 -Wall -Wextra -Werror -I"$include_dir" -fsyntax-only "$source_file"
    echo "ok: $(basename "$source_file") fits the real headers ($("$cc" -dumpmachine) $("$cc" -dumpversion))"
done
