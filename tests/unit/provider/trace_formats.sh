#!/bin/bash
# trace_formats.sh TEST_TRACE_EVENT DIRECTORY - every WSD_LOG_* call in the sources has a format that can be traced.
# Layer: tests/unit/provider.
set -euo pipefail

(($# == 2)) || {
    echo "usage: $0 TEST_TRACE_EVENT DIRECTORY" >&2
    exit 2
}
formats=$(
    python3 - "$2" <<'PYTHON'
import os, re, sys
call = re.compile(r'\bWSD_LOG_(?:ERROR|WARN|NOTICE|INFO|DEBUG)\(\s*((?:"(?:[^"\\]|\\.)*"|PRIu64|\s)+)')
for folder, _, files in sorted(os.walk(sys.argv[1])):
    for name in sorted(files):
        if not name.endswith('.c'):
            continue
        for found in call.finditer(open(os.path.join(folder, name)).read()):
            parts = re.findall(r'"((?:[^"\\]|\\.)*)"|(PRIu64)', found.group(1))
            print(''.join('llu' if macro else text.replace('\\"', '"') for text, macro in parts))
PYTHON
)
calls=$(grep -rhoE '\bWSD_LOG_(ERROR|WARN|NOTICE|INFO|DEBUG)\(' "$2" --include='*.c' | wc -l)
found=$(wc -l <<<"$formats")
if ((found != calls || found == 0)); then
    echo "FAIL: $calls calls but $found formats found" >&2
    exit 1
fi
"$1" --formats <<<"$formats"
