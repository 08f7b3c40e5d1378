//! Id maps of a new user namespace (user_namespaces(7)): written from outside, once, while the child waits.
//!
//! ```text
//!   inside    outside            /proc/PID/uid_map:   0 100000 65536
//!   0         100000             first inside, first outside, how many
//!   1000      101000
//!   65535     165535
//! ```
//!
//! An ordinary user may map one id, his own, and nobody else's: to root inside, so that he can make the other namespaces. For
//! more he needs ids that were given to him in /etc/subuid, and a program that is set-user-id root to write them for him.
//!
//! The child could write its own maps, but only for its own id. To map a whole range takes `CAP_SETUID` in the *outer*
//! namespace, which the launcher has and the child, the moment it is in the new one, has not. Hence the waiting.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sched::CloneFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getegid, geteuid};

use crate::dialogue::Dialogue;
use crate::failure::{Context, Failure, Result};
use crate::namespaces::{IdMap, Namespace, Namespaces, clone, open_namespace};
use crate::sys::{self, Cloned};

/// Writes the maps of `pid`'s new user namespace. Without any map, root inside is whoever launches.
///
/// `EPERM` when the launcher may not map these ids, `EINVAL` when ranges overlap or there are more than 340 of them.
pub(crate) fn write(wanted: &Namespaces, pid: Pid) -> Result<()> {
    if wanted.user != Namespace::New {
        return Ok(());
    }
    write_maps(&wanted.uid_map, &wanted.gid_map, pid)
}

fn write_maps(uid_map: &[IdMap], gid_map: &[IdMap], pid: Pid) -> Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_pid()));
    // Ranges that are somebody else's: two set-user-id programs know who may have which (subuid(5)).
    let delegated =
        |map: &[IdMap], own| !geteuid().is_root() && map.iter().any(|one| one.outside != own || one.size != 1);
    if delegated(uid_map, uid) || delegated(gid_map, gid) {
        ask("newuidmap", &lines(uid_map, uid), pid)?;
        return ask("newgidmap", &lines(gid_map, gid), pid);
    }
    if !geteuid().is_root() {
        // Whoever may drop groups may drop one that keeps him out of a file; the kernel wants that given up first.
        put(&process, "setgroups", "deny")?;
    }
    put(&process, "uid_map", &lines(uid_map, uid))?;
    put(&process, "gid_map", &lines(gid_map, gid))
}

fn put(process: &Path, file: &str, text: &str) -> Result<()> {
    let path = process.join(file);
    fs::write(&path, text).during("write the id map", path.display())
}

/// newuidmap(1), newgidmap(1): the numbers of the map as arguments.
fn ask(program: &str, map: &str, pid: Pid) -> Result<()> {
    let step = "map the ids by";
    let install = "Install it (Debian: uidmap), and give this user a range in /etc/subuid and /etc/subgid.";
    let output = Command::new(program).arg(pid.as_raw_pid().to_string()).args(map.split_whitespace()).output();
    let output = output.during(step, program).map_err(|failure| failure.hint_on(Errno::NOENT, install))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::new(step, said).on(program).hint("/etc/subuid and /etc/subgid say which ids a user may map."))
}

/// A user namespace that is nothing but its maps: its one process is gone again before anybody could do anything in it.
pub(crate) fn namespace_with_maps(uid_map: &[IdMap], gid_map: &[IdMap]) -> Result<OwnedFd> {
    let (ours, theirs) = Dialogue::pair()?;
    let flags = u64::from(CloneFlags::CLONE_NEWUSER.bits().cast_unsigned());
    let Cloned::Parent(pid, pidfd) = clone(flags, None)? else {
        drop(ours);
        // Silence, when the launcher is done.
        let _ = theirs.recv();
        sys::exit(0);
    };
    drop(theirs);
    let made = write_maps(uid_map, gid_map, pid)
        .and_then(|()| open_namespace(Path::new(&format!("/proc/{}/ns/user", pid.as_raw_pid()))));
    // Fails only when it has ended already.
    let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
    rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)
        .step("wait for the process of the maps")?;
    made
}

/// One line for each range; the whole map must be one write.
fn lines(maps: &[IdMap], own: u32) -> String {
    if maps.is_empty() {
        return format!("0 {own} 1\n");
    }
    let lines: Vec<_> = maps.iter().map(|map| format!("{} {} {}\n", map.inside, map.outside, map.size)).collect();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_a_line() {
        let maps = [IdMap { inside: 0, outside: 100_000, size: 1 }, IdMap { inside: 1, outside: 7, size: 65_535 }];
        assert_eq!(lines(&maps, 0), "0 100000 1\n1 7 65535\n");
        assert_eq!(lines(&[], 1000), "0 1000 1\n");
    }
}
