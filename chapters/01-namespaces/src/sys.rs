//! System calls that neither `nix` nor `rustix` has. The only `unsafe` of the chapter.
//!
//! Each function is as thin as its system call: numbers in, descriptors out. What a number means is said where it is used.
//!
//! A new system call has no wrapper for years, so it is made by number, and its arguments are structures that begin with
//! their size. That is how the kernel extends them: a larger structure whose new fields are zero means the same as before.

use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// The argument of clone3(2), as the kernel's `struct clone_args` of Linux 5.7 (88 bytes).
#[repr(C)]
#[derive(Debug, Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// What clone3(2) returned, once on each side.
#[derive(Debug)]
pub(crate) enum Cloned {
    /// In the new process.
    Child,
    /// In the old process: the new one's id and a descriptor of it.
    Parent(Pid, OwnedFd),
}

/// clone3(2) with `flags` (`CLONE_NEW*`), fork-like: the child runs on a copy of this stack and memory.
///
/// With `cgroup` the child begins in that cgroup v2 directory (`CLONE_INTO_CGROUP`, Linux 5.7). With `CLONE_PARENT` among
/// the flags the child becomes a sibling. The process must have one thread; a lock that another thread holds would stay
/// locked for ever in the copy. `EAGAIN` means a limit on processes, `ENOSPC` one on namespaces.
pub(crate) fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned, Errno> {
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: libc::c_int = -1;
    let mut args = CloneArgs { flags: flags | libc::CLONE_PIDFD as u64, ..CloneArgs::default() };
    args.pidfd = &raw mut pidfd as u64;
    if flags & libc::CLONE_PARENT as u64 == 0 {
        args.exit_signal = libc::SIGCHLD as u64;
    }
    if let Some(fd) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = u64::from(fd.as_raw_fd().cast_unsigned());
    }
    // SAFETY: `args` has the layout of the kernel's structure and its size is passed along; `pidfd` outlives the call.
    // No stack is given, so the child goes on with its own copy of this one.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        None => Ok(Cloned::Child),
        Some(pid) if pid.as_raw_pid() > 0 => {
            // SAFETY: the kernel has just made this descriptor for us, and nobody else knows its number.
            Ok(Cloned::Parent(pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
        }
        Some(_) => Err(last_errno()),
    }
}

/// fork(2) by the C library's own way, which the default system call filter lets through: it cannot see the flags of clone3(2)
/// and refuses it. `None` in the new process. The process must have one thread.
pub(crate) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: with one thread, nothing that the copy could wait for is held by somebody else.
    match unsafe { libc::fork() } {
        -1 => Err(last_errno()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// sigwaitinfo(2): takes one of all signals that are blocked and pending, or waits for one. Gives its number.
pub(crate) fn wait_for_signal() -> Result<i32, Errno> {
    let all = [u64::MAX; 1];
    let nowhere = std::ptr::null_mut::<libc::siginfo_t>();
    let forever = std::ptr::null::<libc::timespec>();
    // SAFETY: the kernel reads the eight bytes of the set, and nothing else is pointed to.
    let signo = unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, all.as_ptr(), nowhere, forever, size_of::<u64>()) };
    check(signo)?;
    i32::try_from(signo).map_err(|_| Errno::RANGE)
}

/// kill(2), for every signal number: real-time signals too.
pub(crate) fn kill(pid: Pid, signo: i32) -> Result<(), Errno> {
    // SAFETY: numbers in, nothing pointed to.
    check(libc::c_long::from(unsafe { libc::kill(pid.as_raw_pid(), signo) }))
}

/// Blocks every signal (rt_sigprocmask(2)): they wait to be taken by [`wait_for_signal`], also in the first process of a pid
/// namespace, which would otherwise never see a signal that it has no handler for.
pub(crate) fn block_signals() {
    let all = [u64::MAX; 1];
    let nowhere = std::ptr::null_mut::<u64>();
    // SAFETY: the kernel reads eight bytes. What cannot be blocked is ignored.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, all.as_ptr(), nowhere, size_of::<u64>()) };
}

/// close_range(2) of everything.
pub(crate) fn close_all() {
    // SAFETY: whoever calls this uses no descriptor afterwards; it is the last but one act before a loop without any.
    unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
}

/// _exit(2): ends this process without running destructors or flushing buffers, which belong to the process that it is
/// a copy of.
pub fn exit(status: i32) -> ! {
    // SAFETY: has no preconditions and does not return.
    unsafe { libc::_exit(status) }
}

/// The argument of mount_setattr(2), as the kernel's `struct mount_attr` of Linux 5.12 (32 bytes).
#[repr(C)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear first.
    pub clear: u64,
    /// `MS_PRIVATE` and its relatives; 0 leaves it.
    pub propagation: u64,
    /// A user namespace whose maps the mount shall use, with `MOUNT_ATTR_IDMAP`.
    pub userns_fd: u64,
}

/// mount_setattr(2) on the mount that `fd` is the root of (attached or not), and on all below it when `recursive`.
///
/// `EINVAL` when `fd` is not the root of a mount; `EPERM` when a flag to be cleared is locked by an outer user namespace.
pub fn mount_setattr(fd: impl AsFd, recursive: bool, attr: MountAttr) -> Result<(), Errno> {
    const AT_RECURSIVE: libc::c_int = 0x8000;
    let flags = libc::AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the path is an empty C string; `attr` has the layout of the kernel's structure and its size is passed along.
    let done = unsafe {
        libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), flags, &raw const attr, size_of::<MountAttr>())
    };
    check(done)
}

/// seccomp(2) `SECCOMP_SET_MODE_FILTER`: from now on this process and its children are filtered by the program.
///
/// Needs `no_new_privs` or `CAP_SYS_ADMIN` (`EACCES` otherwise). `EINVAL` when the kernel's checker refuses the program. With
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER` among the flags it gives the descriptor of the listener (seccomp_unotify(2)).
pub fn seccomp(instructions: &[u64], flags: u32) -> Result<Option<OwnedFd>, Errno> {
    const SET_MODE_FILTER: libc::c_uint = 1;
    const NEW_LISTENER: u32 = 8;
    let Ok(len) = libc::c_ushort::try_from(instructions.len()) else { return Err(Errno::INVAL) };
    let program = libc::sock_fprog { len, filter: instructions.as_ptr().cast_mut().cast() };
    // SAFETY: each u64 is the 8 bytes of one sock_filter, `len` counts them, and the kernel only reads them.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const program) };
    check(done)?;
    if flags & NEW_LISTENER == 0 {
        return Ok(None);
    }
    let fd = i32::try_from(done).map_err(|_| Errno::BADF)?;
    // SAFETY: with this flag the call returns a descriptor that it has just made, and nobody else knows its number.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// The argument of sched_setattr(2), as the kernel's `struct sched_attr` of Linux 3.14 (48 bytes).
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct SchedAttr {
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
}

/// sched_setattr(2) of this process.
pub(crate) fn sched_setattr(attr: SchedAttr) -> Result<(), Errno> {
    let attr = SchedAttr { size: u32::try_from(size_of::<SchedAttr>()).unwrap_or_default(), ..attr };
    // SAFETY: the structure has the kernel's layout and says its own size; the kernel only reads it.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) })
}

/// ioprio_set(2) of this process: the class in the upper three bits, the level in the lower 13.
pub(crate) fn ioprio_set(priority: u16) -> Result<(), Errno> {
    const WHO_PROCESS: libc::c_int = 1;
    // SAFETY: numbers in, nothing pointed to.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, libc::c_int::from(priority)) })
}

/// personality(2).
pub(crate) fn personality(domain: u32) -> Result<(), Errno> {
    // SAFETY: a number in, nothing pointed to.
    check(libc::c_long::from(unsafe { libc::personality(libc::c_ulong::from(domain)) }))
}

/// close_range(2) with `CLOSE_RANGE_CLOEXEC`: every descriptor from `first` up is closed by the next execve(2).
pub fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    const CLOEXEC: libc::c_int = 4;
    // SAFETY: closes nothing now; it sets a flag on descriptors of this process.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOEXEC) })
}

/// Gives every signal its default disposition and unblocks all (signal(7)).
///
/// An ignored signal stays ignored over execve(2), and Rust's own start-up ignores `SIGPIPE`: without this, `yes | head`
/// in a container would run for ever.
pub fn reset_signals() {
    /// The kernel's `struct sigaction`: handler, flags, restorer, mask. All zero is the default disposition.
    const DEFAULT: [u64; 4] = [0; 4];
    const NOTHING_BLOCKED: [u64; 1] = [0];
    let size = size_of::<u64>();
    let nowhere = std::ptr::null_mut::<u64>();
    // SAFETY: the kernel reads 32 and 8 bytes of constants, and writes nothing. Not by the C library's functions, because
    // those keep two signals for themselves. SIGKILL and SIGSTOP are refused, which is harmless.
    unsafe {
        for signal in 1..=64 {
            libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT.as_ptr(), nowhere, size);
        }
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, NOTHING_BLOCKED.as_ptr(), nowhere, size);
    }
}

fn check(returned: libc::c_long) -> Result<(), Errno> {
    if returned == -1 { Err(last_errno()) } else { Ok(()) }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
