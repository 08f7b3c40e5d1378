#!/bin/busybox sh
# Process 1 of the workshop's machine, in memory: load the driver of the disk, and go on there.
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    [ -e "$module" ] && /bin/busybox insmod "$module" 2> /dev/null
done
# The disk appears a moment after its driver.
tries=0
until [ -b /dev/vda ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
        echo "workshop: no disk has appeared"
        /bin/busybox poweroff -f
    fi
    /bin/busybox sleep 0.1
done
/bin/busybox mount -t ext4 /dev/vda /new || /bin/busybox poweroff -f
/bin/busybox umount /dev
exec /bin/busybox switch_root /new /sbin/workshop-init
