# The environment in which a page is replayed. $PROGRAMS are the programs that are to be on the PATH.
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/programs /run/skiff
cp $PROGRAMS /run/programs
cp "$(command -v nft || echo /usr/sbin/nft)" /run/programs 2> /dev/null
# Numbers of processes are names of cgroups here and there: begin where no other replay does.
echo $((10000 + RANDOM * 100)) > /proc/sys/kernel/ns_last_pid
export PATH=/run/programs:$PATH:/usr/sbin:/sbin
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/lib
ip link set lo up
hostname harbour
export HOME=/root
cd /tmp
# A reader types `cargo skiff …` and `cargo build`; what they build is here already.
cargo() {
    case $1 in
        skiff) shift; skiff "$@" ;;
        build) ;;
        *) command cargo "$@" ;;
    esac
}
# Containers of the daemon outlive their clients, and a cgroup outlives everybody: take them away at the end.
trap 'skiff ps -aq 2> /dev/null | xargs -r skiff rm -f > /dev/null 2>&1' EXIT
