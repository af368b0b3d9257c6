#!/bin/bash
# scripts/vm/in_guest_tests.sh - the device tests, once per kind of device; runs inside guest.sh.
# usage: in_guest_tests.sh BUILD_DIR [CTEST ARGUMENT]...
#        in_guest_tests.sh --across BUILD_DIR [CTEST ARGUMENT]...   the tests labelled across, on siw alone
# A test learns its device from WSD_TEST_DEVICE (rxe or siw) and WSD_TEST_ADDR, the address to use on it. One whose
# name ends in _rxe or _siw is for that device alone.
# Results for the caller go to $WSD_GUEST_OUT: rxe.xml and siw.xml (JUnit), or siw.skipped (number of tests left out).
set -euo pipefail

label=device
if [[ $1 == --across ]]; then label=across && shift; fi
build=$1
shift

# run_tests KIND OTHER_KIND ADDRESS [CTEST ARGUMENT]...
run_tests() {
    local kind=$1 other=$2 address=$3
    shift 3
    echo "--- tests labelled $label on $kind ($address)"
    WSD_TEST_DEVICE=$kind WSD_TEST_ADDR=$address ctest --test-dir "$build" -L "$label" -E "_$other\$" --timeout 180 \
        --no-tests=error --output-on-failure --test-output-size-passed 65536 \
        --output-junit "$WSD_GUEST_OUT/$kind.xml" "$@"
}

# The reason was printed when the device did not come up.
leave_out() {
    local kind=$1 other=$2 count
    count=$(ctest --test-dir "$build" -N -L "$label" -E "_$other\$" | awk '/^Total Tests:/ { print $3 }')
    echo "--- skipped: $count tests labelled $label on $kind, which is not there (see above)"
    echo "$count" >"$WSD_GUEST_OUT/$kind.skipped"
}

status=0
if [[ $label == across ]]; then
    : # rxe has no part in them
elif [[ -n ${WSD_TEST_RXE_ADDR:-} ]]; then
    run_tests rxe siw "$WSD_TEST_RXE_ADDR" "$@" || status=$?
else
    echo "--- no rxe0: the device tests need at least that one"
    status=1
fi
if [[ -n ${WSD_TEST_SIW_ADDR:-} ]]; then
    run_tests siw rxe "$WSD_TEST_SIW_ADDR" "$@" || status=$?
else
    leave_out siw rxe
fi
exit "$status"
