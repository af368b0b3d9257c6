#!/bin/bash
# scripts/vm/guest.sh - runs one command where real kernel RDMA devices exist and returns its exit status.
# It owns the choice of place (this host, or a QEMU guest sharing its root), the guest's processes and its files.
set -euo pipefail

SCRIPTS_VM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$SCRIPTS_VM/../lib.sh"
# shellcheck source=scripts/vm/image.sh
. "$SCRIPTS_VM/image.sh"
# shellcheck source=scripts/vm/devices.sh
. "$SCRIPTS_VM/devices.sh"

usage() {
    cat <<'TEXT'
usage: scripts/vm/guest.sh [OPTION]... -- COMMAND [ARGUMENT]...
Runs COMMAND in the current directory of a place with kernel RDMA devices; its output comes out on stdout.
  --device rxe|siw|both   which software devices to make (default rxe)
  --timeout SECONDS       deadline of the whole run (default 900)
  --mem MB                memory of the guest (default 4096)
  --out DIR               results: what the command writes to $WSD_GUEST_OUT is here afterwards
  --env NAME=VALUE        for the command; WSD_*, CTEST_*, CMOCKA_* and *SAN_OPTIONS are passed on anyway
  --keep-log FILE         keep the guest's console log as FILE
  --forward ADDR:PORTS    a network card in the guest (eth0, QEMU's user network: the guest is 10.0.2.15, its way out 10.0.2.2),
                          where connections to ADDR, an address of this machine, arrive that are for PORTS (FIRST-LAST); the
                          command brings eth0 up
Exit status: that of COMMAND; 124 when the deadline passed; 125 when the guest failed.
The command finds WSD_TEST_DEVICES, WSD_TEST_RXE_ADDR, WSD_TEST_SIW_ADDR (unset: not there), WSD_GUEST_OUT.
A guest sees this machine's files; what it changes outside $WSD_GUEST_OUT is gone afterwards.
WSD_VM_MODE=host|guest overrides the choice of place; WSD_VM_CACHE names the cache directory.
TEXT
}

device=rxe timeout=900 mem=4096 out='' keep_log='' forward=''
declare -a extra_env=() command=()

parse_options() {
    while (($# > 0)); do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --) shift && command=("$@") && break ;;
        --device | --timeout | --mem | --out | --env | --keep-log | --forward)
            (($# > 1)) || die "$1 needs a value"
            set_option "$1" "$2"
            shift 2
            ;;
        *) die "unknown option $1 (a command comes after --; see --help)" ;;
        esac
    done
    ((${#command[@]} > 0)) || die "no command (see --help)"
}

set_option() {
    case $1 in
    --device) [[ $2 =~ ^(rxe|siw|both)$ ]] || die "--device takes rxe, siw or both" && device=$2 ;;
    --timeout) [[ $2 =~ ^[1-9][0-9]*$ ]] || die "--timeout takes seconds" && timeout=$2 ;;
    --mem) [[ $2 =~ ^[1-9][0-9]*$ ]] || die "--mem takes megabytes" && mem=$2 ;;
    --out) out=$2 ;;
    --env) [[ $2 =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || die "--env takes NAME=VALUE" && extra_env+=("$2") ;;
    --keep-log) keep_log=$2 ;;
    --forward) [[ $2 =~ ^[0-9.]+:[0-9]+-[0-9]+$ ]] || die "--forward takes ADDR:FIRST-LAST" && forward=$2 ;;
    esac
}

# --- everything that must not outlive us -----------------------------------------------------------------
temp='' cat_pid='' host_devices=''
cleanup() {
    local status=$?
    trap - EXIT INT TERM HUP
    end_deadline_group
    [[ -z $cat_pid ]] || kill "$cat_pid" 2>/dev/null || true
    [[ -z $host_devices ]] || devices_down
    if [[ -n $keep_log && -n $temp && -e $temp/console ]]; then
        cp "$temp/console" "$keep_log" || say "guest: could not write $keep_log"
    fi
    [[ -z $temp ]] || rm -rf "$temp"
    exit "$status"
}

# --- on this host ------------------------------------------------------------------------------------------
# host_devices_up - fails where this host cannot do it: no root, no module, or no right to make interfaces.
# One run at a time: the devices have fixed names and addresses.
host_devices_up() {
    ((EUID == 0)) && command -v rdma >/dev/null || return 1
    [[ -d /sys/module/rdma_rxe ]] || modprobe -q rdma_rxe 2>/dev/null || return 1
    exec 9>"${XDG_RUNTIME_DIR:-/run/lock}/openwsd-devices"
    flock 9
    ! ip link show dum0 &>/dev/null || die "an interface dum0 exists already: remove it, or set WSD_VM_MODE=guest"
    ! ip link show dum1 &>/dev/null || die "an interface dum1 exists already: remove it, or set WSD_VM_MODE=guest"
    host_devices=yes
    devices_up "$device" >&2
}

run_on_host() {
    local setting status=0
    say "guest: this host has rdma_rxe: running on its own devices"
    raise_limits
    for setting in "${extra_env[@]}"; do export "${setting?}"; done
    export WSD_GUEST_OUT=${out:-$temp/out}
    run_with_deadline "$timeout" "${command[@]}" </dev/null 2>&1 9>&- || status=$?
    ((status != 124)) || say "guest: the deadline of $timeout s passed"
    return "$status"
}

# --- in a QEMU guest ----------------------------------------------------------------------------------------
VM_PACKAGES=(qemu-system-x86 linux-image-amd64 busybox-static kmod cpio xz-utils binutils util-linux procps
    rdma-core ibverbs-utils rdmacm-utils perftest iproute2)

prepare_guest() {
    need_packages "${VM_PACKAGES[@]}" || exit 125
    mkdir -p "$VM_CACHE"
    exec 9>"$VM_CACHE/lock"
    flock 9
    prepare_image
    choose_accelerator "$temp"
    if [[ $device != rxe ]]; then prepare_siw; fi
    exec 9>&-
}

prepare_siw() {
    local said
    if said=$("$SCRIPTS_VM/siw.sh" "$KERNEL_VERSION" 2>&1 9>&-); then
        siw_module=$(tail -n 1 <<<"$said")
        head -n -1 <<<"$said" >&2 # that it is being built, and with which defect
    else
        siw_reason=$(tail -n 1 <<<"$said")
    fi
}

# passed_environment - names of the caller's variables that the command gets as they are.
passed_environment() {
    compgen -e | grep -E '^(WSD_.*|CTEST_.*|CMOCKA_.*|[A-Z]*SAN_OPTIONS|LANG|LC_ALL|HOME|CI)$' |
        grep -vE '^WSD_(TEST_(DEVICES|RXE_ADDR|SIW_ADDR)|GUEST_OUT|VM_.*)$' || true
}

# write_job FILE - settings and environment for guest_main.sh, as a script that becomes it.
write_job() {
    local name setting
    {
        echo "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        for name in $(passed_environment); do printf 'export %s=%q\n' "$name" "${!name}"; done
        for setting in "${extra_env[@]}"; do printf 'export %s=%q\n' "${setting%%=*}" "${setting#*=}"; done
        echo "export WSD_GUEST_OUT=/run/wsd/out"
        printf 'WSD_SIW_MODULE=%q WSD_SIW_REASON=%q\n' "$siw_module" "$siw_reason"
        printf 'JOB_SCRIPTS=%q JOB_CWD=%q JOB_DEVICE=%q JOB_TIMEOUT=%q\n' \
            "$SCRIPTS_VM" "$PWD" "$device" "$timeout"
        printf 'JOB_ARGV=(' && printf '%q ' "${command[@]}" && echo ')'
        # shellcheck disable=SC2016 # expanded in the guest
        echo '. "$JOB_SCRIPTS/guest_main.sh"'
    } >"$1"
}

qemu_arguments() {
    local share="security_model=none,multidevs=remap"
    # shellcheck disable=SC2054 # the commas are QEMU's
    qemu=(qemu-system-x86_64 "${ACCEL[@]}" -M q35 -smp 2 -m "$mem" -display none -nodefaults -no-reboot
        -kernel "$KERNEL_IMAGE" -initrd "$INITRAMFS"
        -append "console=ttyS0 quiet loglevel=3 panic=-1 oops=panic $KERNEL_HASTE"
        -serial "file:$temp/console"
        -device virtio-serial-pci -chardev "file,id=output,path=$temp/output"
        -device virtserialport,chardev=output,name=output
        -virtfs "local,path=/,mount_tag=root,readonly=on,$share"
        -virtfs "local,path=$temp/job,mount_tag=job,$share"
        -virtfs "local,path=$guest_out,mount_tag=out,$share")
}

# network_arguments - QEMU forwards port by port.
network_arguments() {
    local port ports=${forward#*:} user=user,id=net
    [[ -n $forward ]] || return 0
    for ((port = ${ports%-*}; port <= ${ports#*-}; port++)); do
        user+=",hostfwd=tcp:${forward%:*}:$port-10.0.2.15:$port"
    done
    qemu+=(-netdev "$user" -device "virtio-net-pci,netdev=net,romfile=")
}

# How long a boot may take: about 5 s as a rule, several times that while a noisy machine compiles.
BOOT_SECONDS=90

run_in_guest() {
    local start guest_out=${out:-$temp/out} siw_module='' siw_reason='' status=0
    local -a qemu
    start=$(now_ns)
    prepare_guest
    mkdir "$temp/job"
    write_job "$temp/job/start"
    qemu_arguments
    network_arguments
    # A pipe of our own: QEMU makes it non-blocking, which the caller's terminal should not become.
    mkfifo "$temp/output"
    boot || boot || true
    if [[ -n $DEADLINE_PID ]]; then wait_for_deadline_group || status=$?; fi
    finish_output
    guest_result "$status" "$start"
}

# boot - starts QEMU and waits until the guest is about to start the command. Fails when it never gets there,
# and nothing of it runs any more; then a second try is harmless.
boot() {
    local deadline=$((SECONDS + BOOT_SECONDS))
    finish_output
    cat "$temp/output" &
    cat_pid=$!
    start_with_deadline $((timeout + 30)) "${qemu[@]}" </dev/null >"$temp/qemu-errors" 2>&1 9>&-
    while [[ ! -e $temp/job/started ]] && kill -0 "$DEADLINE_PID" 2>/dev/null; do
        if ((SECONDS > deadline)); then
            say "guest: not up after $BOOT_SECONDS s"
            end_deadline_group
            return 1
        fi
        sleep 0.2
    done
}

# QEMU held the only writing end; if it never opened the pipe, the reader is still waiting for it.
finish_output() {
    [[ -n $cat_pid ]] || return 0
    : 1<>"$temp/output"
    wait "$cat_pid" || true
    cat_pid=''
}

# guest_result QEMU_STATUS START - the command's status if the guest wrote one; anything else is a failure.
guest_result() {
    local status=125 boot='never'
    [[ ! -e $temp/job/started ]] || boot="up after $(cat "$temp/job/started") s"
    if [[ -e $temp/job/status ]]; then
        status=$(cat "$temp/job/status")
    elif (($(now_ns) - $2 >= timeout * 1000000000)); then
        status=124
        say "guest: hung, and was ended ($boot)"
    else
        say "guest: died without a result (QEMU exit status $1, $boot)"
    fi
    case $status in
    0) ;;
    124) say "guest: the deadline of $timeout s passed" && show_console ;;
    125) show_console ;;
    esac
    say "guest: exit status $status after $(seconds_since "$2") s (${ACCEL[1]%%,*}, $boot)"
    return "$status"
}

show_console() {
    say "--- last lines of the guest's console"
    tail -n 80 "$temp/console" >&2 || true
    cat "$temp/qemu-errors" >&2
    say "---"
}

main() {
    parse_options "$@"
    [[ -z $keep_log ]] || keep_log=$(realpath -m "$keep_log")
    trap cleanup EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    temp=$(mktemp -d "${TMPDIR:-/tmp}/openwsd-guest.XXXXXX")
    mkdir "$temp/out"
    [[ -z $out ]] || { mkdir -p "$out" && out=$(cd "$out" && pwd); }
    [[ -z $forward ]] || WSD_VM_MODE=guest
    case ${WSD_VM_MODE:-auto} in
    host) host_devices_up || die "no RDMA devices to be had on this host" && run_on_host ;;
    guest) run_in_guest ;;
    auto) if host_devices_up; then run_on_host; else run_in_guest; fi ;;
    *) die "WSD_VM_MODE is host, guest or auto" ;;
    esac
}

main "$@"
