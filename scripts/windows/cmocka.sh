#!/bin/bash
# scripts/windows/cmocka.sh - cmocka for Windows, which no package has: built from the distribution's source package.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
usage: scripts/windows/cmocka.sh TOOLCHAIN_FILE DIRECTORY
Makes DIRECTORY/include/cmocka.h and DIRECTORY/lib/libcmocka.a for the compiler of the CMake tool chain file; does
nothing when they are there. The source comes from, in this order:
  $WSD_CMOCKA_SOURCE   an unpacked source tree, or its .tar.xz
  apt-get source       from this machine's own package sources; needs neither root nor a deb-src line
TEXT
}

if [[ ${1:-} == -h || ${1:-} == --help ]]; then usage && exit 0; fi
(($# == 2)) || die "two arguments, see --help"
toolchain=$(realpath "$1")
mkdir -p "$2"
target=$(realpath "$2")
if [[ -s $target/lib/libcmocka.a && -s $target/include/cmocka.h ]]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# source_lists - this machine's package sources with deb turned into deb-src, in both of the forms that apt reads.
source_lists() {
    local file
    mkdir -p "$work/apt/sources.list.d" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ ! -r $file ]] || sed -n 's/^deb[[:space:]]/deb-src /p' "$file"
    done >"$work/apt/sources.list.d/all.list"
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ ! -r $file ]] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/apt/sources.list.d/${file##*/}"
    done
}

private_apt() {
    timeout 300 apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt/sources.list.d" \
        -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User= "$@"
}

# fetch - the .orig tarball, checked by apt; what Debian changes is about its documentation.
fetch() {
    command -v apt-get >/dev/null || die "no apt-get here; give the source of cmocka as WSD_CMOCKA_SOURCE"
    local pause
    source_lists
    for pause in 5 20 0; do # a mirror may be in the middle of an update
        (cd "$work" && private_apt update && private_apt source --download-only cmocka) >"$work/log" 2>&1 && return
        sleep "$pause"
    done
    tail -n 5 "$work/log" >&2
    die "the source of cmocka cannot be fetched; give it as WSD_CMOCKA_SOURCE"
}

source_tree=${WSD_CMOCKA_SOURCE:-}
if [[ ! -d $source_tree ]]; then
    if [[ -z $source_tree ]]; then
        fetch
        source_tree=$(find "$work" -maxdepth 1 -name 'cmocka_*.orig.tar.xz')
    fi
    [[ -f $source_tree ]] || die "no source of cmocka: '$source_tree'"
    mkdir "$work/source"
    tar -xf "$source_tree" -C "$work/source" --strip-components=1
    source_tree=$work/source
fi

{
    cmake -S "$source_tree" -B "$work/build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$toolchain" \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_SHARED_LIBS=OFF -DWITH_STATIC_LIB=ON -DUNIT_TESTING=OFF \
        -DWITH_EXAMPLES=OFF -DWITH_CMOCKERY_SUPPORT=OFF && cmake --build "$work/build"
} >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    die "cmocka does not build"
}
mkdir -p "$target/include" "$target/lib"
cp "$source_tree/include/cmocka.h" "$target/include/"
library=$(find "$work/build" -name 'libcmocka*.a' ! -name '*.dll.a' -print -quit)
[[ -n $library ]] || die "the build of cmocka made no library"
cp "$library" "$target/lib/libcmocka.a"
