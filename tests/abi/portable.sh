#!/bin/bash
# portable.sh SOURCE_ROOT - the sources stay within what MSVC compiles too: no GNU extension outside the platform layer, and the
# MSVC half of pal/compiler.h and pal/atomic.h compiles with clang's MSVC target, for the three processors there are.
# Layer: tests/abi. Exit code 77 (skipped) without clang. Environment: CLANG (default clang).
# What only a compiler can see (statement expressions, empty initialisers, arrays of no elements, ...) -Wpedantic refuses in every
# build; here are the words that it takes for part of the implementation.
set -euo pipefail

if (($# != 1)) || [[ ! -d $1/verbs_backend ]]; then
    echo "usage: $0 SOURCE_ROOT" >&2
    exit 2
fi
cd "$1"
status=0

# words PATTERN WHY FILE... - no file has the words; the installed headers may keep theirs: no compiler for Windows sees that line.
words() {
    local found status_of_grep=0
    found=$(grep -nEHw -e "$1" "${@:3}") || status_of_grep=$?
    ((status_of_grep < 2)) || exit 1 # it has said why; 1: nothing found
    found=$(sed -E '/#define (WSD_EXPORT|SW_API) +__attribute__\(\(visibility/d' <<<"$found")
    [[ -z $found ]] || {
        printf 'FAIL: %s\n%s\n' "$2" "$found" >&2
        status=1
    }
}

# Not looked at: the platform layer, and what needs a library of Linux.
mapfile -t all < <(find provider switch_shim bench install verbs_backend -name '*.[ch]' \
    ! -path 'verbs_backend/pal/*' ! -path 'verbs_backend/rdmacore/*' | sort)
((${#all[@]} > 100)) || {
    echo "FAIL: only ${#all[@]} sources found in $1" >&2
    exit 1
}
words '__attribute__|__attribute|__builtin_[a-z0-9_]+|__atomic_[a-z0-9_]+|__sync_[a-z0-9_]+|__typeof__|__typeof|typeof|__extension__|__asm__|__asm|asm|__thread|_Thread_local|__int128|__label__|_Float128|__auto_type' \
    'GNU extensions and C words that MSVC lacks belong in pal/compiler.h or pal/atomic.h' "${all[@]}"
words '#if(def)?.*(__GNUC__|__clang__|_MSC_VER).*' 'compilers are told apart in pal/ only' "${all[@]}"

# mingw-w64 has these POSIX things, so the build for Windows does not miss them; MSVC has not.
mapfile -t windows < <(printf '%s\n' "${all[@]}" | grep -v posix)
words '<(unistd|strings|getopt|dirent|libgen|pthread|sched|semaphore|utime|sys/time|sys/param)\.h>|ssize_t|pid_t|mode_t|alloca|strcasecmp|strncasecmp|gettimeofday|clock_gettime|usleep|nanosleep|ftruncate' \
    'POSIX belongs in pal/posix or a *_posix.c' "${windows[@]}"
((status == 0)) || exit 1
echo "ok: ${#all[@]} sources without GNU extensions"

clang=${CLANG:-clang}
command -v "$clang" >/dev/null || {
    echo "skipped: no $clang to compile the MSVC half with (Debian package clang)"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# There is no C library for that target here, and the two files need but this of it.
echo 'int __cdecl atexit(void(__cdecl *)(void)); __declspec(noreturn) void __cdecl abort(void);' >"$work/stdlib.h"
# 19.35 is Visual Studio 2022 17.5; MSVC uses SSE2 on 32 bits unless told otherwise.
for target in x86_64 i686,-msse2 aarch64; do
    option=${target#"${target%,*}"}
    "$clang" --target="${target%,*}-pc-windows-msvc" ${option:+"${option#,}"} -std=c11 -ffreestanding \
        -fms-compatibility-version=19.35 -Wall -Wextra -Wpedantic -Wno-language-extension-token -Werror \
        -isystem "$work" -I verbs_backend/pal/include -c -o "$work/forms.obj" tests/abi/msvc_forms.c
    # Both entries that the C runtime calls, and the linker told not to drop them.
    for name in at_load at_unload_is_for_atexit; do
        grep -a -q "/include:_*pal_crt_$name" "$work/forms.obj" || {
            echo "FAIL: $target: nothing keeps pal_crt_$name" >&2
            exit 1
        }
    done
    grep -a -q 'CRT.XCU' "$work/forms.obj" || {
        echo "FAIL: $target: no entry for the C runtime" >&2
        exit 1
    }
done
echo "ok: pal/compiler.h and pal/atomic.h compile for MSVC's x64, x86 and ARM64"
