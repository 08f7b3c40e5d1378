#!/bin/sh
# A machine for the workshop, in QEMU: for those who have no Linux, or must not touch the one they have.
#
#     sudo sh book/vm/workshop.sh make DIRECTORY    on a Debian or Ubuntu, once: disk, kernel and first root, to hand out
#     sh workshop.sh boot DIRECTORY                 anywhere where there is QEMU: a shell in it, as root
#     sh workshop.sh boot DIRECTORY SCRIPT          the same without a person: runs the script and switches off
#
# In the machine: this checkout in /root/skiff, Rust, the crates that it needs, and the packages of the book's first page.
# No network is needed in it. Leave it with `exit`; what was written on its disk stays.
set -eu
what=${1:-} place=${2:-} script=${3:-}
[ -n "$place" ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)

make() {
    checkout=$(cd "$here/../.." && pwd)
    command -v debootstrap > /dev/null && [ -x /bin/busybox ] || { echo "apt install debootstrap busybox-static"; exit 1; }
    mkdir -p "$place"
    root=$(mktemp -d /var/tmp/skiff-workshop.XXXXXX)
    trap 'rm -rf "$root"' EXIT
    . /etc/os-release
    mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\) .*/\2/p; s/^URIs: *\([^ ]*\).*/\1/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | head -n 1)
    debootstrap --variant=minbase \
        --include=build-essential,busybox-static,nftables,iproute2,kmod,procps,git,ca-certificates,curl,less,nano,strace \
        "$VERSION_CODENAME" "$root" ${mirror:+"$mirror"}
    rm -rf "$root"/var/cache/apt/archives/*.deb

    # The kernel must be 6.8 or later. The newest small one that apt knows, or $KERNEL, a package file.
    kernel=${KERNEL:-}
    if [ -z "$kernel" ]; then
        name=$(apt-cache search --names-only '^linux-image-[0-9].*-(cloud-amd64|generic)$' | cut -d' ' -f1 | sort -V | tail -n 1)
        (cd "$root/tmp" && apt-get download -qq "$name")
        kernel=$(ls "$root"/tmp/linux-image-*.deb)
    fi
    dpkg-deb -x "$kernel" "$root/tmp/kernel"
    rm -f "$root"/tmp/*.deb
    cp "$root"/tmp/kernel/boot/vmlinuz-* "$place/kernel"
    modules=$(ls -d "$root"/tmp/kernel/lib/modules/* "$root"/tmp/kernel/usr/lib/modules/* 2> /dev/null | head -n 1)
    mkdir -p "$root/usr/lib/modules"
    cp -a "$modules" "$root/usr/lib/modules/"
    depmod -b "$root" "$(basename "$modules")" 2> /dev/null || chroot "$root" depmod "$(basename "$modules")"

    # Rust as it is on this machine, and the crates that the lock file names.
    mkdir -p "$root/root/.cargo"
    cp -a "$(rustc --print sysroot)" "$root/root/rust"
    rm -rf "$root/root/rust/share/doc"
    git clone --quiet "$checkout" "$root/root/skiff"
    (cd "$root/root/skiff" && CARGO_HOME="$root/root/.cargo" cargo fetch --quiet --locked)
    printf '[net]\noffline = true\n' > "$root/root/.cargo/config.toml"
    printf 'export PATH=/root/rust/bin:$PATH HOME=/root\ncd /root/skiff\n' > "$root/etc/profile.d/workshop.sh"
    cp "$here/init.sh" "$root/sbin/first"
    chmod 755 "$root/sbin/first"
    echo workshop > "$root/etc/hostname"

    # A first root in memory: it loads the driver of the disk and goes on there.
    first="$root/tmp/first"
    mkdir -p "$first/bin" "$first/dev" "$first/new" "$first/modules"
    cp /bin/busybox "$first/bin/"
    number=0
    for module in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk crc16 mbcache jbd2 \
        crc32c_generic libcrc32c ext4; do
        number=$((number + 1))
        file=$(find "$modules" -name "$module.ko*" | head -n 1)
        to="$first/modules/$(printf %02d $number)-$module.ko"
        case $file in
            '') ;;
            *.xz) busybox unxz -c "$file" > "$to" ;;
            *.zst) zstd -qdc "$file" > "$to" ;;
            *) cp "$file" "$to" ;;
        esac
    done
    cp "$here/first.sh" "$first/init"
    chmod 755 "$first/init"
    (cd "$first" && find . | busybox cpio -o -H newc 2> /dev/null | gzip) > "$place/initrd"
    rm -rf "$root"/tmp/*

    rm -f "$place/disk"
    truncate -s 16G "$place/disk"
    mke2fs -q -t ext4 -d "$root" "$place/disk"
    cp "$0" "$place/workshop.sh"
    du -h "$place/disk" "$place/kernel" "$place/initrd"
    echo "Hand out $place. There: sh workshop.sh boot ."
}

# Whether a machine starts with this accelerator. KVM may be there and not work: inside another virtual machine, say.
works() {
    echo quit | qemu-system-x86_64 -M q35 -accel "$1" -cpu host -nodefaults -no-user-config -nographic -monitor stdio -S \
        > /dev/null 2>&1
}

# KVM on Linux, HVF on a Mac, and where the machine has neither or they fail, emulation. MEMORY and PROCESSORS may be given.
boot() {
    accelerator=${ACCELERATOR:-}
    if [ -z "$accelerator" ]; then
        case $(uname -s) in
            Linux) [ ! -w /dev/kvm ] || accelerator=kvm ;;
            Darwin) [ "$(uname -m)" != x86_64 ] || accelerator=hvf ;;
        esac
        [ -z "$accelerator" ] || works "$accelerator" || accelerator=
    fi
    accelerator=${accelerator:-tcg}
    cpu=host processors=2
    # Emulated, a second processor is no faster, and on a busy machine the kernel waits for it in vain.
    [ "$accelerator" != tcg ] || { cpu=max processors=1; }
    set --
    if [ -n "$script" ]; then
        # It travels as a second disk, filled up to whole blocks: what is typed while a machine starts is lost.
        disk=$(mktemp)
        { cat "$script"; head -c $((512 - $(wc -c < "$script") % 512)) /dev/zero | tr '\0' '\n'; } > "$disk"
        set -- -drive "file=$disk,if=virtio,format=raw,readonly=on"
    fi
    exec qemu-system-x86_64 -M q35 -accel "$accelerator" -cpu "$cpu" -smp "${PROCESSORS:-$processors}" -m "${MEMORY:-4096}" \
        -nodefaults -no-user-config -nographic -no-reboot -serial mon:stdio \
        -kernel "$place/kernel" -initrd "$place/initrd" -append "console=ttyS0 panic=-1 quiet" \
        -drive "file=$place/disk,if=virtio,format=raw" "$@" -nic user,model=virtio-net-pci
}

case $what in
    make) make ;;
    boot) boot ;;
    *) echo "make or boot"; exit 2 ;;
esac
