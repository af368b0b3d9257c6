#!/bin/sh
# headers.sh INCLUDE_DIR TEST_DIR - every public header compiles alone, in C11 and in C++17, and the whole set
# compiles as C++ before and after the Linux socket headers.
# Layer: tests/abi; Linux only. Environment: CC (default cc), CXX (default c++; without one C++ is left out).
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 INCLUDE_DIR TEST_DIR" >&2
    exit 2
fi
include_dir=$1
test_dir=$2
cc=${CC:-cc}
cxx=${CXX:-c++}
flags="-D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only"

compile() { # compiler language standard; source on standard input
    # shellcheck disable=SC2086  # flags is a list
    "$1" -x "$2" -std="$3" $flags -I"$include_dir" -I"$test_dir" -
}

have_cxx=yes
if ! command -v "$cxx" >/dev/null 2>&1; then
    have_cxx=no
    echo "note: no C++ compiler ($cxx), C++ left out"
fi

count=0
for path in "$include_dir"/wsd/*.h; do
    name=$(basename "$path")
    [ "$name" = ws2_windows.h ] && continue # needs Windows; mingw_compile.sh compiles it
    printf '#include "wsd/%s"\ntypedef int not_empty;\n' "$name" | compile "$cc" c c11
    if [ $have_cxx = yes ]; then
        printf '#include "wsd/%s"\n' "$name" | compile "$cxx" c++ c++17
    fi
    count=$((count + 1))
done
if [ $have_cxx = yes ]; then
    printf '#include "linux_headers.h"\n#include "wsd/provider.h"\n' | compile "$cxx" c++ c++17
    printf '#include "wsd/provider.h"\n#include "linux_headers.h"\n' | compile "$cxx" c++ c++17
fi
echo "ok: $count headers compile alone (C++: $have_cxx)"
