#!/bin/busybox sh
# Process 1 of the guest, in memory: find the disk, and go on there. The disk appears a moment after its driver.
/bin/busybox mount -t devtmpfs dev /dev
[ -e /virtio_blk.ko ] && /bin/busybox insmod /virtio_blk.ko
tries=0
until [ -b /dev/vda ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
        echo "SKIFF-GUEST failed: no disk has appeared"
        /bin/busybox poweroff -f
    fi
    /bin/busybox sleep 0.1
done
if ! /bin/busybox mount -t ext4 /dev/vda /new; then
    echo "SKIFF-GUEST failed: the disk cannot be mounted"
    /bin/busybox poweroff -f
fi
/bin/busybox umount /dev
exec /bin/busybox switch_root /new /init
