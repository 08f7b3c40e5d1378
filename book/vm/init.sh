#!/bin/sh
# Process 1 of the workshop's machine, on its disk: what a machine has when its services start, and then a shell.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=${TERM:-vt100} LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2> /dev/null
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
ln -sf /proc/self/fd /dev/fd
dmesg -n 1
hostname -F /etc/hostname
ip link set lo up
# Outwards through QEMU's own little network, where there is one.
modprobe virtio_net 2> /dev/null
if [ -e /sys/class/net/eth0 ]; then
    ip link set eth0 up && ip address add 10.0.2.15/24 dev eth0 && ip route add default via 10.0.2.2
    echo 'nameserver 10.0.2.3' > /etc/resolv.conf
fi
# These are loaded when they are needed, but for the file system, which is asked for by its name in /proc/filesystems.
modprobe overlay 2> /dev/null
if [ -b /dev/vdb ]; then
    bash -l /dev/vdb
else
    echo
    echo "Skiff's workshop, Linux $(uname -r). The checkout is /root/skiff; exit switches the machine off."
    setsid -c bash -l < /dev/ttyS0 > /dev/ttyS0 2>&1
fi
sync
poweroff -f 2> /dev/null || busybox poweroff -f
