//! [`Phase::Isolate`](crate::Phase::Isolate): make the view private.
//!
//! clone3(2) has put the child into new namespaces, and each of them is in the state in which it was made: the host name is a
//! copy of the host's, the mounts are a copy and still tied to the originals. These steps untie them.

use std::path::Path;

use nix::sched::CloneFlags;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::failure::{Context, Result};
use crate::mount::Propagation;
use crate::namespaces::{Clocks, Namespace, TIME, open_namespace};
use crate::stage::Child;
use crate::sys::{self, MountAttr};

/// unshare(2). The cgroup that the process is in at this moment becomes `/` of what `/proc/self/cgroup` and a mount of the
/// cgroup file system show (cgroup_namespaces(7)).
///
/// That is why clone3(2) has not made it with the others: the child joins its cgroups in the phase before.
pub(super) fn new_cgroup_namespace(child: &mut Child<'_>) -> Result<()> {
    match child.container.namespaces.cgroup {
        Namespace::New => nix::sched::unshare(CloneFlags::CLONE_NEWCGROUP).step("make a cgroup namespace"),
        _ => Ok(()),
    }
}

/// A new time namespace whose clocks are ahead of the host's (time_namespaces(7)).
///
/// Its offsets are a file that can be written until the first process is in it, so this is done in three moves: unshare(2)
/// makes the namespace for the children to come, the file is written, and setns(2) goes there.
pub(super) fn set_clocks(child: &mut Child<'_>) -> Result<()> {
    let Clocks { monotonic, boottime } = child.container.namespaces.clocks;
    if child.container.namespaces.time != Namespace::New || (monotonic, boottime) == (0, 0) {
        return Ok(());
    }
    let step = "set the clocks of the time namespace";
    let line = |clock, offset: i128| {
        format!("{clock} {} {}\n", offset.div_euclid(1_000_000_000), offset.rem_euclid(1_000_000_000))
    };
    let offsets = line("monotonic", monotonic) + &line("boottime", boottime);
    nix::sched::unshare(TIME).step(step)?;
    write_own("/proc/self/timens_offsets", &offsets).during(step, offsets.trim().replace('\n', ", "))?;
    nix::sched::setns(open_namespace(Path::new("/proc/self/ns/time_for_children"))?, TIME).step(step)
}

/// sethostname(2). In a new UTS namespace it changes the name for this container only; in the host's it would rename the
/// machine.
pub(super) fn set_hostname(child: &mut Child<'_>) -> Result<()> {
    // SOLUTION ns-hostname
    let Some(name) = &child.container.hostname else { return Ok(()) };
    rustix::system::sethostname(name.as_bytes())
        .during("set the hostname to", name)
        .map_err(|failure| failure.hint_on(Errno::INVAL, "A hostname has at most 64 bytes."))
    // END SOLUTION
}

/// setdomainname(2): the name of NIS, not of DNS. Hardly anything reads it, but OCI and docker can set it.
pub(super) fn set_domainname(child: &mut Child<'_>) -> Result<()> {
    let Some(name) = &child.container.domainname else { return Ok(()) };
    rustix::system::setdomainname(name.as_bytes()).during("set the domain name to", name)
}

/// `/proc/self/oom_score_adj` (proc_pid_oom_score_adj(5)): when memory is short, the kernel ends the process with the
/// highest score, and this number is added to it.
///
/// Written through the host's own `/proc`, which is still in view and which no image can have tampered with.
pub(super) fn adjust_oom_score(child: &mut Child<'_>) -> Result<()> {
    let Some(score) = child.container.process.oom_score_adj else { return Ok(()) };
    match write_own("/proc/self/oom_score_adj", &score.to_string()) {
        // To become less likely to be chosen than the launcher takes CAP_SYS_RESOURCE. Without it things stay as they are.
        Err(Errno::ACCESS | Errno::PERM) => Ok(()),
        written => written.during("set the OOM score to", score),
    }
}

/// AppArmor confines a program by a profile that the host has loaded. The profile is changed to by the next execve(2). On a machine without AppArmor there is no such file, and no need.
pub(super) fn choose_apparmor_profile(child: &mut Child<'_>) -> Result<()> {
    let Some(profile) = child.container.process.apparmor.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    if !Path::new("/sys/kernel/security/apparmor").exists() {
        return Ok(());
    }
    let text = format!("exec {profile}");
    let written = match write_own("/proc/self/attr/apparmor/exec", &text) {
        Err(Errno::NOENT) => write_own("/proc/self/attr/exec", &text),
        written => written,
    };
    written.during("change to the AppArmor profile", profile)
}

/// One write, because the kernel takes each write to such a file as a whole answer.
fn write_own(path: &str, text: &str) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(file, text.as_bytes()).map(|_| ())
}

/// A new mount namespace is a copy whose mounts are still peers of the host's: what is mounted here would appear there
/// (mount_namespaces(7)). With `Slave` and `Shared` the host's later mounts shall appear here; then only the mount that
/// the root is on is cut off, because pivot_root(2) asks for that.
pub(super) fn make_mounts_private(child: &mut Child<'_>) -> Result<()> {
    let wanted = &child.container.root;
    let travel = |mode: Propagation| MountAttr { propagation: mode.bits(), ..MountAttr::default() };
    let everything = match wanted.propagation {
        Propagation::Private | Propagation::Unbindable => Propagation::Private,
        Propagation::Slave => Propagation::Slave,
        Propagation::Shared => return cut_off(&wanted.path, travel(Propagation::Private)),
    };
    let top = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).during("open", "/")?;
    sys::mount_setattr(top, true, travel(everything)).step("make the mounts private")
}

/// For a root whose mounts shall travel: were the mount below it still shared, the root itself would appear on the host.
///
/// Applies `attr` to the mount that `path` is on: `EINVAL` says that a path is not the root of a mount, so its parent is
/// asked next.
fn cut_off(path: &Path, attr: MountAttr) -> Result<()> {
    let step = "make private the mount of";
    for ancestor in path.ancestors() {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, ancestor, flags, Mode::empty()).during(step, ancestor.display())?;
        match sys::mount_setattr(fd, false, attr) {
            Err(Errno::INVAL) => {}
            done => return done.during(step, ancestor.display()),
        }
    }
    Ok(())
}

/// A new user namespace begins with nobody in it: until its maps are written every id is the overflow id, 65534, and a file
/// cannot be made by an id that has no number outside (`EOVERFLOW`).
///
/// Up to here the child is the launcher's user, who can reach the host's files; from here on it is user 0 of its own
/// namespace, who owns what it makes.
pub(super) fn become_root_of_namespace(child: &mut Child<'_>) -> Result<()> {
    match child.container.namespaces.user {
        Namespace::Host => Ok(()),
        _ => become_root(),
    }
}

/// Becomes user and group 0 of the user namespace, without any other group.
pub(crate) fn become_root() -> Result<()> {
    let step = "become root of the user namespace";
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).step(step)?;
    set_groups(&[]).step(step)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).step(step)
}

/// setgroups(2). A user namespace that was made without privilege has given up changing groups, and says so; there, and only
/// there, a refusal is no failure.
pub(super) fn set_groups(groups: &[Gid]) -> Result<(), Errno> {
    let given_up = || std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|answer| answer.trim() == "deny");
    match set_thread_groups(groups) {
        Err(Errno::PERM) if given_up() => Ok(()),
        done => done,
    }
}
