# shellcheck shell=bash
# scripts/vm/devices.sh - makes and removes the software RDMA devices, alike in the guest and on a host that
# has the modules. Source it. After devices_up the environment says what is there:
#   WSD_TEST_DEVICES   names of the devices, for example "rxe0 siw0"
#   WSD_TEST_RXE_ADDR  address of rxe0; unset when it is not there (the reason was printed)
#   WSD_TEST_SIW_ADDR  the same for siw0
# Both ends of a test may use the same device: packets to its address come back through the dummy.

# load MODULE... - inserts those that are not there yet (asking modprobe costs time in emulation).
load() {
    local module missing=()
    for module in "$@"; do
        [[ -d /sys/module/$module ]] || missing+=("$module")
    done
    ((${#missing[@]} == 0)) || modprobe -qa "${missing[@]}"
}

# add_device TYPE NETDEV NAME IPV4 IPV6 - MTU 4200 leaves room for RoCE's largest path MTU, 4096.
add_device() {
    local type=$1 netdev=$2 name=$3
    ip -batch - <<END || return 1
link add $netdev mtu 4200 type dummy
addr add $4/24 dev $netdev
addr add $5/64 dev $netdev nodad
link set $netdev up
link set lo up
END
    rdma link add "$name" type "$type" netdev "$netdev" && return 0
    ip link delete "$netdev"
    return 1
}

# load_siw - the kernel's own module, else the one that siw.sh built ($WSD_SIW_MODULE). The kernel's own has a defect that
# siw.sh corrects (siw_unaccepted.patch): a host may die of the tests.
load_siw() {
    if [[ -z ${WSD_SIW_MODULE:-} ]]; then
        load siw
        return
    fi
    load iw_cm libcrc32c crc32c_generic && insmod "$WSD_SIW_MODULE"
}

rxe_up() {
    load rdma_rxe && add_device rxe dum0 rxe0 10.77.0.1 fd77::1 || return 1
    export WSD_TEST_RXE_ADDR=10.77.0.1
    WSD_TEST_DEVICES+="${WSD_TEST_DEVICES:+ }rxe0"
}

siw_up() {
    load_siw && add_device siw dum1 siw0 10.78.0.1 fd78::1 || return 1
    export WSD_TEST_SIW_ADDR=10.78.0.1
    WSD_TEST_DEVICES+="${WSD_TEST_DEVICES:+ }siw0"
}

# devices_up rxe|siw|both - fails only when no device of those asked for came up.
devices_up() {
    unset WSD_TEST_RXE_ADDR WSD_TEST_SIW_ADDR
    export WSD_TEST_DEVICES=
    load dummy rdma_ucm ib_uverbs || echo "devices: no rdma_ucm, ib_uverbs or dummy module" >&2
    if [[ $1 != siw ]]; then
        rxe_up || echo "devices: no rxe0: rdma_rxe did not load or refused the interface" >&2
    fi
    if [[ $1 != rxe ]]; then
        siw_up || echo "devices: no siw0: ${WSD_SIW_REASON:-siw did not load or refused the interface}" >&2
    fi
    [[ -n $WSD_TEST_DEVICES ]]
}

# devices_down - removes what devices_up made; only a host needs it.
devices_down() {
    local device
    for device in ${WSD_TEST_DEVICES:-}; do
        rdma link delete "$device" || true
    done
    if [[ -n ${WSD_TEST_RXE_ADDR:-} ]]; then ip link delete dum0 || true; fi
    if [[ -n ${WSD_TEST_SIW_ADDR:-} ]]; then ip link delete dum1 || true; fi
}

# raise_limits - memory registration pins pages and the stress tests open many sockets.
raise_limits() {
    ulimit -l unlimited || echo "devices: could not lift the limit on pinned memory" >&2
    ulimit -n 65536 || echo "devices: could not raise the limit on open files" >&2
}
