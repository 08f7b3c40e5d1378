#!/bin/busybox sh
# Process 1 of a machine, in memory: load the driver of the disk, and go on there. The workshop's machine begins with it
# (workshop.sh), and so does the guest of the tests (xtask/src/guest).
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    [ -e "$module" ] && /bin/busybox insmod "$module" 2> /dev/null
done
# The disk appears a moment after its driver.
tries=0
until [ -b /dev/vda ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
        echo "no disk has appeared"
        /bin/busybox poweroff -f
    fi
    /bin/busybox sleep 0.1
done
if ! /bin/busybox mount -t ext4 /dev/vda /new; then
    echo "the disk cannot be mounted"
    /bin/busybox poweroff -f
fi
/bin/busybox umount /dev
exec /bin/busybox switch_root /new /sbin/first
