#!/bin/bash
# device.sh APPS_SH ARGUMENT... - apps.sh over the RDMA device whose address is in WSD_TEST_ADDR; skipped without one.
set -euo pipefail

if [[ -z ${WSD_TEST_ADDR:-} ]]; then
    echo "skipped: WSD_TEST_ADDR names no address of an RDMA device (scripts/vm/guest.sh sets it)"
    exit 77
fi
exec "$@" "$WSD_TEST_ADDR"
