#!/bin/sh
# plus.sh WINSOCK_INCLUDE PROVIDER_INCLUDE LIBRARY_DIRECTORY - plus.cpp compiles without a warning, links with libws2 and runs.
# Layer: tests/winsock; Linux only. Environment: CXX (default c++; none: skipped, 77), SANITIZE (as libws2 was built).
set -eu
if [ $# -ne 3 ]; then
    echo "usage: $0 WINSOCK_INCLUDE PROVIDER_INCLUDE LIBRARY_DIRECTORY" >&2
    exit 2
fi
here=$(dirname "$0")
if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "skipped: no C++ compiler" >&2
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for options in -std=c++11 -std=c++17 "-std=c++17 -DUNICODE" "-std=c++17 -DUNICODE -fshort-wchar"; do
    # shellcheck disable=SC2086 # a list
    "${CXX:-c++}" $options -Wall -Wextra -Wpedantic -Werror ${SANITIZE:+-fsanitize=$SANITIZE} -pthread -I"$1" -I"$2" \
        "$here/plus.cpp" -o "$work/plus" -L"$3" -lws2 "-Wl,-rpath,$3"
    WSD_SWITCH=off "$work/plus"
done
echo "ok: a C++ program, in two standards and three kinds of text"
