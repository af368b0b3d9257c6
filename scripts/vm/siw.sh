#!/bin/bash
# scripts/vm/siw.sh - builds siw, the kernel's soft-iWARP driver, for one kernel and keeps it in the cache:
# Debian's kernel comes without it, its source package has it. Nothing is written into the repository.
# The source is corrected first (siw_unaccepted.patch says what and why): as it is, a connection that its peer closes early
# takes the guest down some time later. A source that the correction does not fit is built as it is, and each run says so.
# usage: scripts/vm/siw.sh [KERNEL_VERSION]; prints the module's path on stdout, or says why there is none.
set -euo pipefail

SCRIPTS_VM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$SCRIPTS_VM/../lib.sh"
# shellcheck source=scripts/vm/image.sh
. "$SCRIPTS_VM/image.sh"

SIW=drivers/infiniband/sw/siw
CORRECTION=$SCRIPTS_VM/siw_unaccepted.patch
work=''

source_tarball() {
    local file
    for file in /usr/src/linux-source-"${version%.*}".tar.* /usr/src/linux-source-"$series".tar.*; do
        [[ ! -e $file ]] || { printf '%s' "$file" && return 0; }
    done
    return 1
}

# unpack_source TARBALL - only the driver's folder of it.
unpack_source() {
    local top
    top=$(basename "$1")
    top=${top%.tar.*}
    tar -C "$work" -xf "$1" "$top/$SIW" && mv "$work/$top/$SIW" "$work/siw"
}

# correct_source - all of the correction or nothing. $work/uncorrected exists when it was nothing, with patch's words.
correct_source() {
    local -a apply=(patch -d "$work/siw" -p1 --batch --forward --reject-file=-)
    if "${apply[@]}" --dry-run <"$CORRECTION" >"$work/uncorrected" 2>&1; then
        "${apply[@]}" <"$CORRECTION" >"$work/log" 2>&1 || die "no siw: it could not be corrected: $(tail -n 1 "$work/log")"
        rm "$work/uncorrected"
    fi
}

build_module() {
    local headers=/lib/modules/$version/build tarball
    need_packages make gcc patch xz-utils "linux-headers-$version" "linux-source-$series" ||
        die "siw needs the packages linux-headers-$version and linux-source-$series"
    tarball=$(source_tarball) || die "no siw: /usr/src has no linux-source-$series tarball"
    [[ -e $headers/Makefile ]] || die "no siw: no kernel headers for $version"
    unpack_source "$tarball" || die "no siw: $tarball does not contain $SIW"
    correct_source
    make -C "$headers" M="$work/siw" CONFIG_RDMA_SIW=m modules >"$work/log" 2>&1 || {
        tail -n 15 "$work/log" >&2
        die "no siw: it does not compile against the headers of $version"
    }
}

# The correction is a part of the name: a module that was built before it, or with another one, does not count.
main() {
    local module
    version=${1:-$(newest_kernel)} || die "no siw: no kernel with rdma_rxe under /boot"
    series=$(cut -d. -f1-2 <<<"$version")
    module=$VM_CACHE/$version/siw-$(sha256sum "$CORRECTION" | cut -c1-16).ko
    if [[ ! -e $module ]]; then
        say "siw: building it for kernel $version"
        mkdir -p "$VM_CACHE/$version"
        work=$(mktemp -d "$VM_CACHE/$version/siw.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        build_module
        [[ ! -e $work/uncorrected ]] || mv "$work/uncorrected" "$module.uncorrected"
        mv "$work/siw/siw.ko" "$module"
    fi
    if [[ -e $module.uncorrected ]]; then
        say "siw: ${CORRECTION##*/} does not fit the source of $version, so this siw has the kernel's defect:" \
            "the guest may die of it ($module.uncorrected)"
    fi
    printf '%s\n' "$module"
}

main "$@"
