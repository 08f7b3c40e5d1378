#!/bin/sh
# Process 1 of the guest, on its disk: what a machine has when its services start, then the tests, then off.
# The lines that begin with SKIFF-GUEST are read by machine.rs.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp INSTA_UPDATE=no RUST_BACKTRACE=0
export INSTA_WORKSPACE_ROOT="$(cat /workspace)"
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
# The kernel's own messages would land in the middle of a line.
dmesg -n 1
hostname guest
ip link set lo up
for module in /modules/*.ko; do
    [ -e "$module" ] && insmod "$module"
done
filter=$(sed -n 's/.*skiff\.filter=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' ')
echo "SKIFF-GUEST up: $(cat /sys/fs/cgroup/cgroup.controllers)"
while read -r home program name; do
    echo "SKIFF-GUEST runs: $name"
    # A test's own pipes and groups end with it; its standard input is nothing, as in CI.
    cd "$home" || continue
    if [ -z "$filter" ]; then
        "$program" < /dev/null 2>&1
        echo "SKIFF-GUEST ended: $? $name"
    fi
    for word in $filter; do
        "$program" "$word" < /dev/null 2>&1
        echo "SKIFF-GUEST ended: $? $name"
    done
done < /tests
echo "SKIFF-GUEST done"
poweroff -f
