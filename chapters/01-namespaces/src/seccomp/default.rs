//! Docker's default profile: every system call of x86-64 and i386 is in exactly one group below, with the reason.
//!
//! A kernel has some 380 system calls, and a web server needs about 60 of them. Every call is a way into the kernel, and the
//! old, odd and administrative ones have had most of the holes. The profile is a compromise: it lets through what ordinary
//! programs of any kind use, so that nobody has to think about it, and keeps out a fifth: the administration of the machine,
//! what reaches across namespaces, what has been a way out before, and what nobody uses any more.
//!
//! It is a list of what is allowed. A call that is in no list fails the tests here until somebody has decided about it,
//! and until then a container is told that the kernel does not have it.

use super::profile::{Action, Condition, Operator, Profile, Rule, SPECULATE};
use super::table::Architecture;
use crate::capabilities;

const REFUSE: Action = Action::Errno(1); // EPERM
const UNKNOWN: Action = Action::Errno(38); // ENOSYS

/// `CLONE_NEW*` for all kinds but time, which clone(2) cannot ask for.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// What every program may do, by topic.
const ALLOWED: [(&str, &str); 14] = [
    ("open, read, write", "
        open openat openat2 creat close close_range read write readv writev pread64 pwrite64 preadv pwritev preadv2
        pwritev2 lseek sendfile copy_file_range splice tee vmsplice fadvise64 readahead fallocate truncate ftruncate sync
        syncfs fsync fdatasync sync_file_range fcntl flock ioctl dup dup2 dup3 pipe pipe2 cachestat
    "),
    ("files by name", "
        access faccessat faccessat2 stat lstat fstat newfstatat statx statfs fstatfs statmount listmount getcwd chdir fchdir
        getdents getdents64 mkdir mkdirat rmdir link linkat symlink symlinkat unlink unlinkat rename renameat renameat2
        readlink readlinkat mknod mknodat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask utime utimes
        utimensat futimesat name_to_handle_at
        setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
        fremovexattr setxattrat getxattrat listxattrat removexattrat
    "),
    ("waiting for files", "
        poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 epoll_ctl_old
        epoll_wait_old eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime inotify_init
        inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
        io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents
    "),
    ("memory", "
        brk mmap munmap mremap mprotect msync mincore madvise mlock mlock2 mlockall munlock munlockall remap_file_pages
        memfd_create memfd_secret pkey_mprotect pkey_alloc pkey_free membarrier mseal map_shadow_stack
    "),
    ("processes", "
        fork vfork execve execveat exit exit_group wait4 waitid getpid getppid gettid getpgid setpgid getpgrp getsid setsid
        set_tid_address prctl arch_prctl set_thread_area get_thread_area modify_ldt rseq restart_syscall uname sysinfo
        getcpu getrandom pidfd_open pidfd_send_signal process_mrelease uretprobe
    "),
    // Safe since Linux 4.8, where a tracer can no longer change what a filter has already seen.
    ("one's own children", "ptrace process_vm_readv process_vm_writev"),
    ("users and rights", "
        getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid
        setgroups setfsuid setfsgid capget capset seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
    "),
    ("limits and scheduling", "
        getrlimit setrlimit prlimit64 getrusage times getpriority setpriority ioprio_get ioprio_set sched_yield
        sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler sched_setscheduler
        sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    "),
    ("signals", "
        kill tkill tgkill pause rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn
        rt_sigsuspend rt_sigtimedwait sigaltstack
    "),
    // To set a clock takes CAP_SYS_TIME; adjtimex and clock_adjtime only read without it.
    ("time", "
        time gettimeofday clock_gettime clock_getres clock_nanosleep clock_adjtime adjtimex nanosleep alarm getitimer
        setitimer timer_create timer_delete timer_settime timer_gettime timer_getoverrun
    "),
    ("locks", "futex futex_waitv futex_wait futex_wake futex_requeue set_robust_list get_robust_list"),
    ("sockets", "
        socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt sendto sendmsg
        sendmmsg recvfrom recvmsg recvmmsg
    "),
    ("messages and shared memory, of the container's own IPC namespace", "
        msgget msgsnd msgrcv msgctl semget semop semtimedop semctl shmget shmat shmdt shmctl mq_open mq_unlink mq_timedsend
        mq_timedreceive mq_notify mq_getsetattr
    "),
    // A 32-bit program has these beside or instead of the calls above, because an offset, an id or a time did not fit.
    ("the same for 32-bit programs", "
        _llseek _newselect chown32 clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 fadvise64_64
        fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32
        getresgid32 getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 lstat64 mmap2 mq_timedreceive_time64
        mq_timedsend_time64 ppoll_time64 pselect6_time64 recvmmsg_time64 rt_sigtimedwait_time64
        sched_rr_get_interval_time64 semtimedop_time64 sendfile64 setfsgid32 setfsuid32 setgid32 setgroups32 setregid32
        setresgid32 setresuid32 setreuid32 setuid32 sigprocmask sigreturn stat64 statfs64 timer_gettime64 timer_settime64
        timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit utimensat_time64 waitpid
    "),
];

/// What a capability adds. The kernel asks for the capability too; the filter is there for the day it forgets to.
const WITH_CAPABILITY: [(&str, &str); 14] = [
    ("BPF", "bpf"),
    ("DAC_READ_SEARCH", "open_by_handle_at"),
    ("PERFMON", "perf_event_open"),
    (
        "SYS_ADMIN",
        "
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
        lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd
        setdomainname sethostname setns syslog umount umount2 unshare
    ",
    ),
    ("SYS_BOOT", "reboot"),
    ("SYS_CHROOT", "chroot"),
    ("SYS_MODULE", "delete_module init_module finit_module"),
    ("SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("SYS_PACCT", "acct"),
    ("SYS_PTRACE", "kcmp pidfd_getfd process_madvise"),
    ("SYS_RAWIO", "iopl ioperm"),
    ("SYS_TIME", "settimeofday clock_settime clock_settime64 stime"),
    ("SYS_TTY_CONFIG", "vhangup"),
    ("SYSLOG", "syslog"),
];

/// What no container may do, by reason. They are refused as everything else that is not allowed; the list is there so that
/// nothing is refused by accident.
#[cfg(test)]
const REFUSED: [(&str, &str); 9] = [
    ("keys belong to a user id, not to a namespace", "add_key request_key keyctl"),
    (
        "the machine is the host's",
        "
        kexec_load kexec_file_load swapon swapoff pivot_root nfsservctl sysfs ustat _sysctl uselib
    ",
    ),
    ("its faults are served by a process, which makes kernel races winnable", "userfaultfd"),
    ("a second way into most of the kernel, past every filter", "io_uring_setup io_uring_enter io_uring_register"),
    ("they move other processes' memory between nodes", "migrate_pages move_pages"),
    ("for the kernel's own use", "uprobe"),
    ("newer than the profile", "file_getattr file_setattr"),
    (
        "they were never made, or are long gone",
        "
        afs_syscall create_module get_kernel_syms getpmsg putpmsg query_module security tuxcall vserver
        break ftime gtty idle lock mpx prof profil stty ulimit
    ",
    ),
    (
        "32-bit programs have had better ones since the last century",
        "
        bdflush nice oldfstat oldlstat oldolduname oldstat olduname readdir sgetmask sigaction signal sigpending sigsuspend
        ssetmask vm86 vm86old
    ",
    ),
];

/// Docker's default profile for a container with the capabilities in `mask`
/// ([`capabilities::mask`]).
pub fn profile(mask: u64) -> Profile {
    let allow = |names: &'static str| names.split_ascii_whitespace().map(|name| Rule::new(name, Action::Allow));
    let has =
        |name: &str| capabilities::ALL.iter().position(|one| *one == name).is_some_and(|bit| mask & 1 << bit != 0);
    let mut rules: Vec<_> = ALLOWED.iter().flat_map(|(_, names)| allow(names)).collect();
    let with = WITH_CAPABILITY.iter();
    rules.extend(with.filter(|(capability, _)| has(capability)).flat_map(|(_, names)| allow(names)));
    rules.extend(by_argument(has("SYS_ADMIN")));
    Profile { default_action: REFUSE, unknown: UNKNOWN, rules, also: vec![Architecture::X86], flags: SPECULATE }
}

/// Calls that are allowed with some arguments. A filter sees the six registers and not what they point to, so it can judge the
/// flags of clone(2), which are in one, and not those of clone3(2), which are in memory.
fn by_argument(administrator: bool) -> Vec<Rule> {
    let int = |value| Condition::int(0, Operator::Equal, value);
    let mut rules = vec![
        // AF_ALG reaches the kernel's cryptography (CVE-2026-31431), AF_VSOCK the host of a virtual machine.
        Rule::new("socket", REFUSE).when(int(38)),
        Rule::new("socket", REFUSE).when(int(40)),
        Rule::new("socket", Action::Allow),
        // The old 32-bit way to all socket calls has the family in memory, where a filter cannot look. So it makes no
        // sockets; C libraries of the last ten years do that by the other way.
        Rule::new("socketcall", REFUSE).when(int(1)),
        Rule::new("socketcall", Action::Allow),
    ];
    // Linux as it is, 32-bit addresses, the version number of 2.6, both; and the question which it is now. Not among them
    // is the one that switches address randomisation off.
    let personalities = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];
    rules.extend(personalities.map(|value| Rule::new("personality", Action::Allow).when(int(value))));
    if !administrator {
        let none = Condition::long(0, Operator::Masked(NEW_NAMESPACES), 0);
        rules.push(Rule::new("clone", Action::Allow).when(none));
        // Its flags are behind a pointer, where a filter cannot look. A C library that hears ENOSYS takes clone.
        rules.push(Rule::new("clone3", UNKNOWN));
    }
    // The same answer to what is newer than docker's profile: a program then does it the old way.
    rules.extend(["file_getattr", "file_setattr"].map(|name| Rule::new(name, UNKNOWN)));
    rules
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::table;
    use super::*;

    #[test]
    fn every_call_has_been_decided_about() {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let by_argument = [("by argument", "socket socketcall personality")];
        let all = ALLOWED.iter().chain(&WITH_CAPABILITY).chain(&REFUSED).chain(&by_argument);
        for (group, names) in all {
            names.split_ascii_whitespace().for_each(|name| groups.entry(name).or_default().push(group));
        }
        let names: BTreeSet<_> = [Architecture::X86_64, Architecture::X86]
            .into_iter()
            .flat_map(Architecture::calls)
            .map(|(_, name)| name)
            .collect();
        for name in names {
            let found = groups.remove(name).unwrap_or_default();
            let shared = ["bpf", "perf_event_open", "syslog"].contains(&name);
            assert_eq!(found.len(), if shared { 2 } else { 1 }, "{name} is in {found:?}");
        }
        assert!(groups.is_empty(), "not calls: {groups:?}");
    }

    #[test]
    fn as_many_of_x86_64_are_allowed_as_docker_allows() {
        let allowed = |mask| {
            let rules = profile(mask).rules;
            let mut names: Vec<_> =
                rules.iter().filter(|rule| rule.action == Action::Allow).map(|rule| &rule.call).collect();
            names.sort();
            names.dedup();
            names.retain(|name| table::number(name).is_some());
            names.len()
        };
        assert_eq!((allowed(0), allowed(u64::MAX)), (308, 352));
    }
}
