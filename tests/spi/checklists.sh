#!/bin/bash
# tests/spi/checklists.sh - README.md names tests as `group/test`: do they exist, in the file of that group, and are they run?
# usage: checklists.sh   Exit status 1: one does not.
set -euo pipefail

named() {
    tr -d '\n' <README.md | tr '`' '\n' | grep -xE '[a-z_]+/[a-z_]+' | grep -vE '^(tests|switch_shim)/'
}

cd "$(dirname "${BASH_SOURCE[0]}")"
failed=0
count=0
while IFS=/ read -r group name; do
    count=$((count + 1))
    if ! grep -qE "_test\($name\)" "$group.c"; then
        echo "README.md: $group.c has no test $name"
        failed=1
    fi
done < <(named)
if ((count < 45)); then
    echo "README.md: only $count tests are named"
    failed=1
fi
exit $failed
