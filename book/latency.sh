#!/bin/sh
# Measures what each step of a start takes and prints it as book/latency.txt has it, for the page latency.md:
#
#     cargo xtask build && sudo sh book/latency.sh "a virtual machine with 2 processors" > /tmp/new && cp /tmp/new book/latency.txt
#
# Nothing else runs it: a figure in a book is measured on purpose, by somebody who looks at it.
set -eu
machine=$1 runs=${2:-150}
programs=${SKIFF_BIN:-$PWD/target/x86_64-unknown-linux-gnu/release}
place=$(mktemp -d /var/tmp/skiff-latency.XXXXXX)
export machine runs programs place
# A daemon of its own, where it meets nobody else's networks, mounts and processes. Its log tells how long each step took.
unshare --mount --net --pid --fork --kill-child --mount-proc sh -eu > /dev/null 2>&1 << 'END'
ip link set lo up
skiff() { "$programs/skiff" -H "unix://$place/socket" "$@"; }
"$programs/skiffd" --debug --data-root "$place/data" --exec-root "$place/run" --cgroup-parent skiff-latency \
    -H "unix://$place/socket" > "$place/log" 2>&1 &
until skiff ps; do sleep 0.2; done
mkdir -p "$place/root/bin"
cp /bin/busybox "$place/root/bin/true"
tar -C "$place/root" -c . | skiff import - box
for run in $(seq "$runs"); do skiff run --rm box true; done
kill $!
wait
END
cat << END
# What each step of a start took, for the page latency.md. Measured by latency.sh; no build renews it.
date: $(date -u +%F)
machine: $machine, Linux $(uname -r | cut -d- -f1)
measured: $runs times \`skiff run --rm box true\`, on the default network, by the release build
# step, minimum, median, in microseconds
END
# `… DEBUG NAME took N µs`; requests are logged in the same words and have a slash in theirs. The first run is no measure:
# it makes the network.
sed -n 's/^[^ ]* *DEBUG \([^/]*\) took \([0-9]*\) µs$/\1,\2/p' "$place/log" | awk -F, '
    !($1 in count) { order[++steps] = $1; count[$1] = 0; next }
    { value[$1, ++count[$1]] = $2 }
    END {
        for (step = 1; step <= steps; step++) {
            name = order[step]; n = count[name]
            for (i = 2; i <= n; i++) {
                v = value[name, i]
                for (j = i - 1; j > 0 && value[name, j] > v; j--) value[name, j + 1] = value[name, j]
                value[name, j + 1] = v
            }
            if (n > 0) print name ", " value[name, 1] ", " value[name, int((n + 1) / 2)]
        }
    }'
rm -rf "$place"
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do rmdir "$hierarchy/skiff-latency" 2> /dev/null || true; done
