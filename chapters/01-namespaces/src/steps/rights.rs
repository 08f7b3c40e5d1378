//! [`Phase::Process`](crate::Phase::Process), the rights: user, capabilities, system call filter.
//!
//! Root in a container is user 0 of the host, unless there is a user namespace. What makes the difference is three nested
//! fences, each for the day on which another has a hole: the *capabilities* say which of root's rights it has, the *filter*
//! which system calls it may make at all, and *no new privileges* that no set-user-id program gives it more.

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_keep_capabilities, set_thread_res_gid, set_thread_res_uid};

use crate::capabilities;
use crate::failure::{Context, Failure, Result};
use crate::seccomp::profile::LISTENER;
use crate::stage::Child;
use crate::steps::isolate::set_groups;
use crate::sys;
use crate::user::User;

/// In numbers, which the kernel wants, from names, which the image has ([`User::find`]).
pub(super) fn find_user(child: &mut Child<'_>) -> Result<()> {
    child.user = Some(User::find(&child.container.process.user, child.root()?)?);
    Ok(())
}

/// What is not in the bounding set, no execve(2) gives back: neither a set-user-id program nor one with file capabilities.
/// While `CAP_SETPCAP` is still there.
pub(super) fn drop_bounding_set(child: &mut Child<'_>) -> Result<()> {
    child.container.process.capabilities.drop_bounding()
}

/// Groups, group, user, in this order: a user who is not root may change no group. Another user than root loses the
/// effective capabilities, so that the next step looks for the program with his own eyes; the permitted ones are kept,
/// for the two steps that still need them.
pub(super) fn become_user(child: &mut Child<'_>) -> Result<()> {
    let user = child.user()?;
    let step = "become the user";
    let name = format!("{}:{}", user.uid, user.gid);
    let groups: Vec<_> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    set_groups(&groups).during("take the groups of", &name)?;
    let gid = Gid::from_raw(user.gid);
    set_thread_res_gid(gid, gid, gid).during(step, &name).map_err(unmapped)?;
    if user.uid == 0 && rustix::process::getuid().is_root() {
        return Ok(());
    }
    set_keep_capabilities(true).step("keep the capabilities over the change of user")?;
    let uid = Uid::from_raw(user.uid);
    set_thread_res_uid(uid, uid, uid).during(step, &name).map_err(unmapped)
}

/// `EINVAL` from setresuid(2) has one reason only.
fn unmapped(failure: crate::Failure) -> crate::Failure {
    failure.hint_on(Errno::INVAL, "The user namespace maps no such id; extend its id maps.")
}

/// capset(2) and the ambient set. From here on the process has what the program will have.
pub(super) fn set_capabilities(child: &mut Child<'_>) -> Result<()> {
    child.container.process.capabilities.apply(child.user()?.uid)
}

/// `PR_SET_NO_NEW_PRIVS` (prctl(2)). For good: no execve(2) of any descendant gains anything.
pub(super) fn forbid_new_privileges(_: &mut Child<'_>) -> Result<()> {
    rustix::thread::set_no_new_privs(true).step("forbid new privileges")
}

/// seccomp(2). For this process and all its descendants, for good: a filter can be added to and never removed.
///
/// Without `no_new_privs` it takes `CAP_SYS_ADMIN`, because a set-user-id program that suddenly cannot call setuid(2) may go
/// on with rights that it believes to have given up.
pub(super) fn load_seccomp(child: &mut Child<'_>) -> Result<()> {
    let Some(program) = &child.container.process.seccomp else { return Ok(()) };
    if !child.container.process.no_new_privileges {
        capabilities::raise()?;
    }
    let step = "load the system call filter";
    let listener = child.seccomp_agent.take();
    if program.flags & LISTENER != 0 && listener.is_none() {
        return Err(Failure::new(step, "it asks about calls, and nobody would answer"));
    }
    let asked = sys::seccomp(&program.instructions, program.flags)
        .step(step)
        .map_err(|failure| failure.hint_on(Errno::ACCESS, "Without CAP_SYS_ADMIN a filter needs no_new_privileges."))?;
    match (asked, listener) {
        (Some(fd), Some(tell)) => tell(fd),
        _ => Ok(()),
    }
}
