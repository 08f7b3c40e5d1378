# The engine of a learner, with a daemon that sees no other: sh hello.sh DIRECTORY CGROUP, in namespaces of its own.
ip link set lo up
skiffd --data-root "$1/data" --exec-root "$1/run" -H "unix://$1/socket" --cgroup-parent "$2" > "$1/log" 2>&1 &

# Until this holds, for a minute at most.
until_holds() {
    n=0
    until "$@" > /dev/null 2>&1 || [ $n = 600 ]; do
        n=$((n + 1))
        sleep 0.1
    done
}
nothing_is_left() { ! find /sys/fs/cgroup -path "*/$1/*/cgroup.procs" | grep -q .; }

until_holds skiff -H "unix://$1/socket" ps
skiff -H "unix://$1/socket" run --rm hello || { cat "$1/log"; exit 1; }
# With this shell everything in here ends, also a monitor that is about to give back the container's cgroup.
until_holds nothing_is_left "$2"
