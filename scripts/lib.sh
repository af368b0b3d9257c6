# shellcheck shell=bash
# scripts/lib.sh - what all scripts share: messages, packages, building, and commands with a deadline.
# Source it; it only defines functions. Messages go to stderr, so stdout stays the output of the job.

say() { printf '%s\n' "$*" >&2; }
ok() { printf 'ok: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# seconds_since START_NS - prints the seconds since START_NS (from now_ns) with one decimal.
now_ns() { date +%s%N; }
seconds_since() {
    local tenths=$((($(now_ns) - $1) / 100000000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# missing_packages PACKAGE... - prints those that dpkg does not have installed, on one line.
missing_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    printf '%s' "${missing[*]}"
}

# need_packages PACKAGE... - installs what is missing when we may, otherwise names it and fails.
# Callers write `need_packages ... || exit 1` where set -e does not reach.
need_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        say "this is not Debian: make sure that the equivalents of these are installed: $*"
        return 0
    fi
    missing=$(missing_packages "$@")
    [[ -n $missing ]] || return 0
    if ((EUID != 0)); then
        say "error: missing packages: $missing"
        say "install them with: sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing"
        return 1
    fi
    say "installing packages: $missing"
    install_packages "$missing"
}

# install_packages "PACKAGE PACKAGE..." - apt-get, tried four times with pauses: a mirror may be in the middle of an update, and the
# lists have a lock that is not waited for, unlike that of dpkg. Its output is shown only when it fails.
install_packages() {
    local log pause
    local -a names apt=(apt-get -y -q -o DPkg::Lock::Timeout=300)
    read -ra names <<<"$1"
    log=$(mktemp)
    for pause in 5 15 45 0; do
        if { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive \
            "${apt[@]}" install --no-install-recommends "${names[@]}"; } >"$log" 2>&1 </dev/null; then
            rm -f "$log"
            return 0
        fi
        say "apt-get failed: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
        sleep "$pause"
    done
    tail -n 30 "$log" >&2
    rm -f "$log"
    say "error: could not install: $1"
    return 1
}

# build_tree BUILD_DIR [CMAKE ARGUMENT...] - configures and builds; RelWithDebInfo unless the arguments say
# otherwise. Run it in the root of the repository.
build_tree() {
    local dir=$1
    shift
    cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" && cmake --build "$dir"
}

# build_preset NAME [CMAKE ARGUMENT...] - the same for a preset of CMakePresets.json, in build/NAME.
build_preset() {
    local name=$1
    shift
    cmake --preset "$name" "$@" && cmake --build "build/$name"
}

# run_with_deadline SECONDS COMMAND... - runs COMMAND in a process group of its own and returns its status,
# or 124 when the time was up (137 when it had to be killed). At the deadline, or when this script is told to
# stop, that group is ended and nothing else. DEADLINE_PID is the group while it runs.
DEADLINE_PID=
run_with_deadline() {
    start_with_deadline "$@"
    wait_for_deadline_group
}

# start_with_deadline SECONDS COMMAND..., wait_for_deadline_group - the two halves of run_with_deadline.
start_with_deadline() {
    local seconds=$1
    shift
    # timeout(1) makes itself leader of a new group; it goes too when this shell dies without a trap.
    setpriv --pdeathsig TERM timeout --kill-after=5 "$seconds" "$@" &
    DEADLINE_PID=$!
}

wait_for_deadline_group() {
    local status=0
    { wait "$DEADLINE_PID"; } 2>/dev/null || status=$?
    DEADLINE_PID=
    return "$status"
}

# end_deadline_group - for traps: ends what run_with_deadline started, if it is still there.
end_deadline_group() {
    [[ -n $DEADLINE_PID ]] || return 0
    kill -TERM -- "-$DEADLINE_PID" 2>/dev/null || kill -TERM "$DEADLINE_PID" 2>/dev/null || true
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$DEADLINE_PID" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL -- "-$DEADLINE_PID" 2>/dev/null || true
    wait_for_deadline_group || true
}
