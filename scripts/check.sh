#!/bin/bash
# scripts/check.sh - the developer's gate before a commit: formatting, scripts, static analysis, the Windows ABI,
# then scripts/test.sh. Every step runs, also after a failure; the exit status is 0 only when all passed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

PACKAGES=(git clang-format clang-tidy shellcheck cmake ninja-build gcc libc6-dev pkg-config libibverbs-dev
    librdmacm-dev libcmocka-dev gcc-mingw-w64-x86-64 gcc-mingw-w64-i686 python3)

usage() {
    cat <<'TEXT'
usage: scripts/check.sh [--quick] [--fix] [--cppcheck] [-h]
  --quick     leave out the sanitizers and the guest
  --fix       let clang-format rewrite the files instead of complaining
  --cppcheck  run cppcheck too
TEXT
}

quick='' fix='' with_cppcheck=''
parse_options() {
    while (($# > 0)); do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --quick) quick=yes ;;
        --fix) fix=yes ;;
        --cppcheck) with_cppcheck=yes ;;
        *) die "unknown option $1 (see --help)" ;;
        esac
        shift
    done
}

# files PATTERN... - ours that are there: tracked, or new and not ignored.
files() {
    local file
    git ls-files -z --cached --others --exclude-standard -- "$@" | sort -zu |
        while IFS= read -r -d '' file; do
            [[ ! -e $file ]] || printf '%s\0' "$file"
        done
}

check_format() {
    if [[ -n $fix ]]; then
        files '*.c' '*.h' | xargs -0 -r clang-format -i
    else
        files '*.c' '*.h' | xargs -0 -r clang-format --dry-run -Werror --ferror-limit=5
    fi
}

check_scripts() {
    {
        files '*.sh' && printf '.ci/run\0'
    } | xargs -0 -r shellcheck -x && shellcheck -s dash scripts/vm/init
}

check_build() {
    mkdir -p build
    build_preset release >build/check-build.log 2>&1 || { tail -n 40 build/check-build.log && return 1; }
}

# Only what the release build compiles has a command line to analyse it with.
check_tidy() {
    local log=build/check-tidy.log status=0
    python3 - build/release/compile_commands.json <<'PYTHON' | xargs -0 -r -n 4 -P 2 \
        clang-tidy -p build/release --quiet >"$log" 2>build/check-tidy-errors.log || status=$?
import json, os, sys
root = os.getcwd() + os.sep
for name in sorted({os.path.abspath(os.path.join(c["directory"], c["file"])) for c in json.load(open(sys.argv[1]))}):
    if name.startswith(root) and not name.startswith(root + "build" + os.sep):
        print(os.path.relpath(name), end="\0")
PYTHON
    grep -E '(warning|error):' "$log" | sort -u | head -n 60 || true
    ((status == 0)) || say "(all of it: $log)"
    return "$status"
}

check_cppcheck() {
    need_packages cppcheck || return 1
    cppcheck --quiet --project=build/release/compile_commands.json --enable=warning,portability --inline-suppr \
        --suppress=missingInclude --suppress=missingIncludeSystem --error-exitcode=1 -j 2
}

check_windows_abi() { tests/abi/mingw_compile.sh tests/abi/abi_layout.c provider/include; }

check_tests() {
    local -a options=()
    [[ -z $quick ]] || options=(--fast --no-guest)
    scripts/test.sh "${options[@]}"
}

declare -a failed_steps=()
step() {
    local start status=0
    start=$(now_ns)
    echo "--- $1"
    "$2" || status=$?
    echo "--- $1: $( ((status == 0)) && echo ok || echo FAILED) after $(seconds_since "$start") s"
    ((status == 0)) || failed_steps+=("$1")
}

main() {
    parse_options "$@"
    need_packages "${PACKAGES[@]}" || exit 1
    step "format" check_format
    step "scripts" check_scripts
    step "build" check_build
    step "clang-tidy" check_tidy
    [[ -z $with_cppcheck ]] || step "cppcheck" check_cppcheck
    step "Windows ABI" check_windows_abi
    step "tests" check_tests
    if ((${#failed_steps[@]} > 0)); then
        echo "Not ready, failed: ${failed_steps[*]}"
        return 1
    fi
    echo "Ready to commit."
}

main "$@"
