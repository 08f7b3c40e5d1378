//! [`Phase::Process`](crate::Phase::Process), the surroundings: session, files, limits, directory, signals.
//!
//! execve(2) replaces a program and keeps a process: its ids, limits, directory, open files, ignored signals. Whatever of that
//! came from the launcher by accident is put right here.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, Uid, makedev};
use rustix::io::Errno;
use rustix::process::Resource;

use crate::container::Rlimit;
use crate::failure::{Context, Failure, Result};
use crate::options::Stdio;
use crate::stage::Child;
use crate::sys;

/// setsid(2): signals to the launcher's group do not reach the container, and a terminal can become its own.
///
/// Ctrl-C in the launcher's terminal is a signal to everybody in its foreground group. The launcher passes it on when it
/// wants to (`Running::wait`); it does not arrive by itself.
pub(super) fn new_session(_: &mut Child<'_>) -> Result<()> {
    match rustix::process::setsid() {
        // Already a leader, when that step ran before.
        Err(Errno::PERM) => Ok(()),
        done => done.map(|_| ()).step("start a new session"),
    }
}

/// dup2(2) over 0, 1 and 2, which also clears close-on-exec for the copies. A terminal also becomes the session's controlling terminal (`TIOCSCTTY`).
pub(super) fn connect_stdio(child: &mut Child<'_>) -> Result<()> {
    let step = "connect standard input, output and error";
    let [input, output, error] = match (&child.terminal, &child.options.stdio) {
        (Some(terminal), _) => {
            rustix::process::ioctl_tiocsctty(terminal).step("take control of the terminal")?;
            [terminal.as_fd(); 3]
        }
        (None, Some(Stdio::Files([input, output, error]))) => [input.as_fd(), output.as_fd(), error.as_fd()],
        _ => return Ok(()),
    };
    // Each from a number above 2: a file that is itself 1 would be gone before its turn, and dup2(2) of a number on itself
    // leaves it close-on-exec.
    let [input, output, error] = [input, output, error].map(|file| rustix::io::fcntl_dupfd_cloexec(file, 3));
    rustix::stdio::dup2_stdin(input.step(step)?).step(step)?;
    rustix::stdio::dup2_stdout(output.step(step)?).step(step)?;
    rustix::stdio::dup2_stderr(error.step(step)?).step(step)
}

/// fchown(2). A program that is not root can open `/dev/stdout` again only when it owns what is behind it. The launcher's own files
/// are not given away.
pub(super) fn give_stdio(child: &mut Child<'_>) -> Result<()> {
    let ours = child.terminal.is_some() || matches!(child.options.stdio, Some(Stdio::Files(_)));
    let uid = child.user()?.uid;
    if !ours || uid == 0 {
        return Ok(());
    }
    let files: [BorrowedFd<'_>; 3] = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for file in files {
        let stat = rustix::fs::fstat(file).step("look at standard input, output and error")?;
        // /dev/null may be the host's; the whole machine writes to that one.
        if stat.st_uid != uid && stat.st_rdev != makedev(1, 3) {
            // A socket or a file of another file system may refuse, and the program can do without.
            let _ = rustix::fs::fchown(file, Some(Uid::from_raw(uid)), None);
        }
    }
    Ok(())
}

/// Before the change of user, because raising a limit is a matter of rights and `NPROC` is counted per user.
pub(super) fn set_limits(child: &mut Child<'_>) -> Result<()> {
    child.container.process.rlimits.iter().try_for_each(set_limit)
}

/// setrlimit(2). To raise a hard limit takes `CAP_SYS_RESOURCE`; where the machine has taken that from everybody, the most
/// that is possible has to do.
fn set_limit(limit: &Rlimit) -> Result<()> {
    let resource = resource(&limit.kind)?;
    let number = |value: u64| (value != u64::MAX).then_some(value);
    let wanted = rustix::process::Rlimit { current: number(limit.soft), maximum: number(limit.hard) };
    let text = || format!("{}={}:{}", limit.kind, limit.soft, limit.hard);
    match rustix::process::setrlimit(resource, wanted) {
        Err(Errno::PERM) => {
            let most = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
            let clamped = |value: Option<u64>| number(value.unwrap_or(u64::MAX).min(most));
            let (current, maximum) = (clamped(wanted.current), clamped(wanted.maximum));
            rustix::process::setrlimit(resource, rustix::process::Rlimit { current, maximum })
        }
        done => done,
    }
    .during("set the limit", text())
}

/// personality(2): a leftover from the days when Linux ran programs of other systems. What is still of use of it is the domain
/// in which a 64-bit machine calls itself `i686`, for builds of 32-bit packages.
pub(super) fn set_personality(child: &mut Child<'_>) -> Result<()> {
    let Some(domain) = child.container.process.personality else { return Ok(()) };
    sys::personality(domain).during("set the personality", domain)
}

/// The kernel's number of a limit, by name, with or without `RLIMIT_`, in either case.
fn resource(name: &str) -> Result<Resource> {
    let upper = name.to_ascii_uppercase();
    Ok(match upper.strip_prefix("RLIMIT_").unwrap_or(&upper) {
        "AS" => Resource::As,
        "CORE" => Resource::Core,
        "CPU" => Resource::Cpu,
        "DATA" => Resource::Data,
        "FSIZE" => Resource::Fsize,
        "LOCKS" => Resource::Locks,
        "MEMLOCK" => Resource::Memlock,
        "MSGQUEUE" => Resource::Msgqueue,
        "NICE" => Resource::Nice,
        "NOFILE" => Resource::Nofile,
        "NPROC" => Resource::Nproc,
        "RSS" => Resource::Rss,
        "RTPRIO" => Resource::Rtprio,
        "RTTIME" => Resource::Rttime,
        "SIGPENDING" => Resource::Sigpending,
        "STACK" => Resource::Stack,
        _ => return Err(Failure::new("set the limit", "no such limit").on(name).hint("getrlimit(2) lists them.")),
    })
}

/// chdir(2), by descriptor. The directory must exist: whoever plans the container makes it.
///
/// Opened inside the root without magic links, so that `/proc/self/fd/7` is refused and not followed to a directory of the
/// host (CVE-2024-21626); then getcwd(2) must see it below `/`.
pub(super) fn enter_directory(child: &mut Child<'_>) -> Result<()> {
    let wanted = &child.container.process.cwd;
    let path = if wanted.as_os_str().is_empty() { Path::new("/") } else { wanted };
    let step = "go to the working directory";
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let directory = child
        .root()?
        .open_at(path, flags, Mode::empty())
        .map_err(|failure| Failure { step: step.to_owned(), ..failure })?;
    rustix::process::fchdir(directory).during(step, path.display())?;
    let seen = rustix::process::getcwd(Vec::new()).during(step, path.display())?;
    if seen.as_bytes().starts_with(b"/") {
        return Ok(());
    }
    Err(Failure::new(step, "it is outside the container").on(path.display()))
}

/// What a process hands on over execve(2) without anybody having said so: ignored signals, the signal mask, the umask.
///
/// Up to here the umask was 0, so that device nodes and mount points got the modes that were asked for.
pub(super) fn reset(child: &Child<'_>) {
    sys::reset_signals();
    rustix::process::umask(Mode::from_raw_mode(child.container.process.umask.unwrap_or(0o022)));
}
