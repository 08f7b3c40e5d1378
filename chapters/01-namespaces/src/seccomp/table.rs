//! The system calls of x86-64 by number (`arch/x86/entry/syscalls/syscall_64.tbl`), up to Linux 6.18. The 32-bit ones are in
//! `table_32.rs`.
//!
//! A program puts such a number into a register and asks for the kernel's attention; the names exist in header files only.
//! Numbers never change their meaning, so this table only grows. 337 to 423 do not exist: from 424 on all processors share
//! their numbers, and those before had run further ahead.

use super::table_32::{I386, X32, X32_BIT, X32_OWN};

/// A way into the kernel, with numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// 64-bit programs.
    X86_64,
    /// 32-bit programs (i386).
    X86,
    /// 64-bit programs with 32-bit pointers.
    X32,
}

/// The first number after the gap.
const COMMON: usize = 424;

impl Architecture {
    /// All its calls with their numbers, in the order of the numbers.
    ///
    /// x32 has every name of x86-64 here, also those that it has under another number: the kernel knows better, and
    /// answers `ENOSYS`.
    pub fn calls(self) -> Vec<(u32, &'static str)> {
        let with = |names: &'static str, first: usize, bit: u32| {
            let numbered = names.split_ascii_whitespace().enumerate().filter(|(_, name)| *name != "-");
            numbered.filter_map(move |(index, name)| Some((u32::try_from(index + first).ok()? | bit, name)))
        };
        match self {
            Self::X86_64 => all().collect(),
            Self::X86 => with(I386, 0, 0).chain(with(SECOND, COMMON, 0)).collect(),
            Self::X32 => {
                all().map(|(number, name)| (number | X32_BIT, name)).chain(with(X32, X32_OWN, X32_BIT)).collect()
            }
        }
    }
}

/// The number of a system call.
pub fn number(name: &str) -> Option<u32> {
    let find = |names: &str| names.split_ascii_whitespace().position(|one| one == name);
    let index = find(FIRST).or_else(|| find(SECOND).map(|index| index + COMMON))?;
    u32::try_from(index).ok()
}

/// All names with their numbers, in the order of the numbers.
pub fn all() -> impl Iterator<Item = (u32, &'static str)> {
    let first = FIRST.split_ascii_whitespace().enumerate();
    let second = SECOND.split_ascii_whitespace().enumerate().map(|(index, name)| (index + COMMON, name));
    first.chain(second).filter_map(|(number, name)| Some((u32::try_from(number).ok()?, name)))
}

/// Numbers from 0.
const FIRST: &str = "
    read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask
    rt_sigreturn ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise
    shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm setitimer getpid sendfile socket connect accept
    sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt
    getsockopt clone fork vfork execve exit wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv
    msgctl fcntl flock fsync fdatasync truncate ftruncate getdents getcwd chdir fchdir rename mkdir rmdir creat
    link unlink symlink readlink chmod fchmod chown fchown lchown umask gettimeofday getrlimit getrusage sysinfo
    times ptrace getuid syslog getgid setuid setgid geteuid getegid setpgid getppid getpgrp setsid setreuid
    setregid getgroups setgroups setresuid getresuid setresgid getresgid getpgid setfsuid setfsgid getsid capget
    capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod uselib
    personality ustat statfs fstatfs sysfs getpriority setpriority sched_setparam sched_getparam
    sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    mlock munlock mlockall munlockall vhangup modify_ldt pivot_root _sysctl prctl arch_prctl adjtimex setrlimit
    chroot sync acct settimeofday mount umount2 swapon swapoff reboot sethostname setdomainname iopl ioperm
    create_module init_module delete_module get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg
    afs_syscall tuxcall security gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr
    listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity
    sched_getaffinity set_thread_area io_setup io_destroy io_getevents io_submit io_cancel get_thread_area
    lookup_dcookie epoll_create epoll_ctl_old epoll_wait_old remap_file_pages getdents64 set_tid_address
    restart_syscall semtimedop fadvise64 timer_create timer_settime timer_gettime timer_getoverrun timer_delete
    clock_settime clock_gettime clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl tgkill utimes
    vserver mbind set_mempolicy get_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify
    mq_getsetattr kexec_load waitid add_key request_key keyctl ioprio_set ioprio_get inotify_init
    inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat
    unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare set_robust_list
    get_robust_list splice tee sync_file_range vmsplice move_pages utimensat epoll_pwait signalfd timerfd_create
    eventfd fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2
    inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init fanotify_mark
    prlimit64 name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg setns getcpu process_vm_readv
    process_vm_writev kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create
    kexec_file_load bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect
    pkey_alloc pkey_free statx io_pgetevents rseq uretprobe uprobe
";

/// Numbers from [`COMMON`].
const SECOND: &str = "
    pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig
    fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2
    mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret
    process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake
    futex_wait futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal
    setxattrat getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_c_library() {
        let known = [
            ("read", libc::SYS_read),
            ("io_getevents", libc::SYS_io_getevents),
            ("pkey_free", libc::SYS_pkey_free),
            ("rseq", libc::SYS_rseq),
            ("pidfd_send_signal", libc::SYS_pidfd_send_signal),
            ("clone3", libc::SYS_clone3),
            ("mount_setattr", libc::SYS_mount_setattr),
            ("mseal", libc::SYS_mseal),
        ];
        for (name, expected) in known {
            assert_eq!(number(name).map(i64::from), Some(expected), "{name}");
        }
        assert_eq!(number("no_such_call"), None);
    }

    #[test]
    fn the_32_bit_numbers_are_those_of_the_header_files() {
        let number = |architecture: Architecture, wanted: &str| {
            architecture.calls().into_iter().find(|(_, name)| *name == wanted).map(|(number, _)| number)
        };
        let i386 = [("exit", 1), ("socketcall", 102), ("exit_group", 252), ("socket", 359), ("statx", 383)];
        for (name, expected) in i386.into_iter().chain([("futex_time64", 422), ("clone3", 435), ("openat2", 437)]) {
            assert_eq!(number(Architecture::X86, name), Some(expected), "{name}");
        }
        assert_eq!(number(Architecture::X32, "read"), Some(X32_BIT));
        assert_eq!(Architecture::X32.calls().last(), Some(&(X32_BIT + 547, "pwritev2")));
    }

    #[test]
    fn no_name_comes_twice() {
        let mut names: Vec<_> = all().map(|(_, name)| name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
