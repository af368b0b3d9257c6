# shellcheck shell=bash
# scripts/vm/image.sh - what QEMU boots: picks the kernel, keeps the kernel image, the initramfs and the answer
# to "does KVM work here?" in the cache. Source it after lib.sh; SCRIPTS_VM names this folder.
# Sets: VM_CACHE, KERNEL_VERSION, KERNEL_IMAGE, INITRAMFS, ACCEL (array of QEMU arguments).

VM_CACHE=${WSD_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openwsd}

# What the initramfs brings: modules to reach the shared root, and RDMA's, which load faster from here. More can
# be loaded from the shared root (tc netem and veth, for example, come by themselves).
BOOT_MODULES=(virtio_pci 9pnet_virtio 9p overlay virtio_console)
RDMA_MODULES=(dummy rdma_rxe rdma_ucm iw_cm libcrc32c crc32c_generic)

# Kernel parameters that shorten the boot in emulation. tsc=reliable matters for more than that: without it the
# clock is the HPET, and each clock_gettime() a slow trip into QEMU, which would spoil every measurement.
KERNEL_HASTE="tsc=reliable mitigations=off audit=0 lsm= cryptomgr.notests 8250.nr_uarts=1 no_timer_check nowatchdog"

# newest_kernel - the newest installed kernel that has rxe and our boot modules' folder.
newest_kernel() {
    local image version
    for image in $(printf '%s\n' /boot/vmlinuz-* | sort -Vr); do
        version=${image#/boot/vmlinuz-}
        if compgen -G "/lib/modules/$version/kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko*" >/dev/null; then
            printf '%s' "$version"
            return 0
        fi
    done
    return 1
}

# unpack_kernel BZIMAGE OUT - writes the ELF kernel inside BZIMAGE. QEMU starts it by its PVH entry, which
# saves the emulated decompression: about half of the boot time.
unpack_kernel() {
    local image=$1 out=$2 offset
    offset=$(LC_ALL=C grep -aboP -m1 '\xfd7zXZ\x00' "$image" | head -n 1 | cut -d: -f1) || return 1
    [[ -n $offset ]] || return 1
    # xz complains about what follows its stream in the image; the ELF header and size decide.
    tail -c "+$((offset + 1))" "$image" | xz -dc >"$out" 2>/dev/null || true
    readelf -n "$out" 2>/dev/null | grep -q 0x00000012
}

# module_files MODULE... - files (and parameters) of the modules and of what they need, in the order of
# insertion, each once.
module_files() {
    local module
    for module in "$@"; do
        modprobe -S "$KERNEL_VERSION" --show-depends "$module" || return 1
    done | awk '$1 == "insmod" && !seen[$2]++ { sub(/^insmod /, ""); print }'
}

# add_modules LIST MODULE... - copies the modules to mod/ of the current folder, unpacked, those that are not
# there yet, and writes their names to mod/LIST in the order of insertion.
add_modules() {
    local list=$1 files file parameters name
    shift
    files=$(module_files "$@") || return 1
    while read -r file parameters; do
        name=$(basename "$file" | sed -E 's/\.(xz|zst)$//')
        [[ ! -e mod/$name ]] || continue
        case $file in
        *.xz) xz -dc "$file" >"mod/$name" ;;
        *.zst) zstd -qdc "$file" >"mod/$name" ;;
        *) cp "$file" "mod/$name" ;;
        esac
        echo "$name $parameters" >>"mod/$list"
    done <<<"$files"
}

build_initramfs() {
    local out=$1 tree file
    tree=$(mktemp -d)
    (
        set -e
        cd "$tree"
        mkdir -p bin dev proc mod lower rw new
        cp "$(command -v busybox)" bin/busybox
        for file in sh cp hostname insmod ln mkdir mkfifo mount sleep switch_root; do ln -s busybox "bin/$file"; done
        cp "$SCRIPTS_VM/init" init
        chmod 755 init
        add_modules boot "${BOOT_MODULES[@]}"
        add_modules rdma "${RDMA_MODULES[@]}"
        find . | cpio -o -H newc -R 0:0 --quiet >"$out"
    )
    local status=$?
    rm -rf "$tree"
    return "$status"
}

# prepare_image - fills the cache for the newest kernel; a later call with nothing changed only compares keys.
prepare_image() {
    KERNEL_VERSION=$(newest_kernel) || die "no kernel with rdma_rxe under /boot: install linux-image-amd64"
    local key dir
    key=$(cat "$SCRIPTS_VM/init" "$SCRIPTS_VM/image.sh" "/boot/vmlinuz-$KERNEL_VERSION" | sha256sum | cut -c1-16)
    dir=$VM_CACHE/$KERNEL_VERSION/image-$key
    if [[ ! -e $dir/ready ]]; then
        say "guest: preparing the image for kernel $KERNEL_VERSION"
        mkdir -p "$dir"
        # Not those of today: another checkout may be about to boot one.
        find "$VM_CACHE/$KERNEL_VERSION" -maxdepth 1 -name 'image-*' -mtime +0 -exec rm -rf {} +
        build_initramfs "$dir/initramfs" || die "could not build the initramfs in $dir"
        unpack_kernel "/boot/vmlinuz-$KERNEL_VERSION" "$dir/vmlinux" || rm -f "$dir/vmlinux"
        touch "$dir/ready"
    fi
    INITRAMFS=$dir/initramfs
    KERNEL_IMAGE=$dir/vmlinux
    [[ -e $KERNEL_IMAGE ]] || KERNEL_IMAGE=/boot/vmlinuz-$KERNEL_VERSION
}

# kvm_proves_alive - starts the guest under KVM up to init's sign of life: a KVM that is there may still hang.
kvm_proves_alive() {
    local log=$1
    [[ -r /dev/kvm && -w /dev/kvm ]] || return 1
    run_with_deadline 20 qemu-system-x86_64 -accel kvm -cpu host -M q35 -m 1G -smp 1 -display none \
        -nodefaults -serial "file:$log" -no-reboot -kernel "$KERNEL_IMAGE" -initrd "$INITRAMFS" \
        -append "console=ttyS0 quiet loglevel=3 panic=-1 $KERNEL_HASTE wsd.probe" </dev/null >/dev/null 2>&1 || true
    grep -q 'wsd-guest: alive' "$log"
}

# choose_accelerator TEMP_DIR - KVM where it works, else emulation. The verdict holds until the next boot.
choose_accelerator() {
    local verdict boot file=$VM_CACHE/kvm-verdict
    boot="$(cat /proc/sys/kernel/random/boot_id) $KERNEL_VERSION"
    verdict=$(sed -n "s/^$boot //p" "$file" 2>/dev/null || true)
    if [[ -z $verdict ]]; then
        verdict=tcg
        if kvm_proves_alive "$1/probe.log"; then verdict=kvm; fi
        say "guest: KVM $([[ $verdict == kvm ]] && echo works || echo 'is absent or hangs: using emulation')"
        echo "$boot $verdict" >"$file"
    fi
    # shellcheck disable=SC2034 # guest.sh reads it
    if [[ $verdict == kvm ]]; then
        ACCEL=(-accel kvm -cpu host)
    else
        ACCEL=(-accel "tcg,thread=multi" -cpu max)
    fi
}
