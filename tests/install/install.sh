#!/bin/sh
# install.sh BUILD_DIR LIBDIR OUTSIDE_DIR - install into a fresh prefix, move it, and build a program outside
# the tree in both ways.
# Environment: CMAKE, CC, PKG_CONFIG, SANITIZE (as the tree was built). 77: the tree is not built completely.
set -eu
build=$1
libdir=$2
outside=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! "$CMAKE" --install "$build" --prefix "$work/staged" > "$work/install.log" 2>&1; then
    cat "$work/install.log"
    grep -qF "cannot find \"$build/" "$work/install.log" && exit 77
    exit 1
fi
mv "$work/staged" "$work/prefix" # the package must not remember where it was installed
prefix=$work/prefix
for file in include/openwsd/sw/switch.h include/openwsd/wsd/ws2_types.h \
    include/openwsd/winsock/winsock2.h "$libdir/libws2.so" \
    "$libdir/libwsdswitch.so" "$libdir/libwsdprov.so" \
    "$libdir/pkgconfig/openwsd.pc" "$libdir/cmake/OpenWSD/OpenWSDConfig.cmake"; do
    [ -e "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
if grep -rn "$build" "$prefix/$libdir/pkgconfig" "$prefix/$libdir/cmake/OpenWSD"; then
    echo "the package names the build tree"
    exit 1
fi

flags=
[ -z "$SANITIZE" ] || flags=-fsanitize=$SANITIZE

run()
{
    echo "--- $1"
    # leaks of the system's RDMA libraries are not this test's business
    ASAN_OPTIONS=detect_leaks=0 LD_LIBRARY_PATH=$prefix/$libdir "$1" "$prefix/"
}

PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086
"$CC" -std=c11 -Wall -Wextra -Werror $flags "$outside/outside.c" \
    $("$PKG_CONFIG" --cflags --libs openwsd) -o "$work/with_pkgconfig"
run "$work/with_pkgconfig"
[ -e "$("$PKG_CONFIG" --variable=provider openwsd)" ]

"$CMAKE" -S "$outside" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_C_FLAGS="-Wall -Wextra -Werror $flags" > "$work/configure.log" ||
    { cat "$work/configure.log"; exit 1; }
"$CMAKE" --build "$work/cmake" > "$work/build.log" || { cat "$work/build.log"; exit 1; }
run "$work/cmake/outside"
"$work/cmake/provider_headers"

# A Winsock program: the headers and the library alone.
# shellcheck disable=SC2086
"$CC" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror $flags -I"$prefix/include/openwsd/winsock" -I"$prefix/include/openwsd" \
    "$outside/../../apps/echo_client.c" -L"$prefix/$libdir" -lws2 -o "$work/echo_client"
if ASAN_OPTIONS=detect_leaks=0 LD_LIBRARY_PATH=$prefix/$libdir "$work/echo_client" 127.0.0.1 1 2> "$work/refused"; then
    exit 1 # nobody listens there
fi
grep -qF "connect: error 10061" "$work/refused"
