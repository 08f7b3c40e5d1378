//! Removing a group: `rmdir`, innermost first. It works from the path alone, in any process, any number of times.
//!
//! A group's directory is full of files, and yet rmdir(2) removes it: the files are the kernel's views and not content.
//! What does stand in the way is a process in it (EBUSY) or a group inside (EBUSY in version 1, ENOTEMPTY elsewhere). A
//! container with a writable cgroup mount may have made groups of its own, as docker in docker does; they go first.
//!
//! [`Cgroup::remove`] does not kill: it says who is still there. [`Cgroup::destroy`] is for a container that has ended. Who
//! is left in its group then has no business there (a second program that was just on its way in, a background process of a
//! container that shares the host's process ids) and would keep the group for ever.

use std::path::Path;
use std::time::{Duration, Instant};

use namespaces::{Context as _, Failure, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::cgroup::{Cgroup, checked};
use crate::ending::describe;
use crate::hierarchy::{Controller, Hierarchies};

/// How long a group may stay busy. A process leaves its groups while it ends, which on a loaded machine can be a while after
/// it was killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where nothing was killed, so that somebody hears soon who is in it.
const SHORT: Duration = Duration::from_secs(1);

impl Cgroup {
    /// Removes the group `path` and the groups inside it, in every tree. What is not there is removed already.
    ///
    /// # Errors
    /// A process is still in it after a second (EBUSY). The other trees are cleared all the same.
    pub fn remove(hierarchies: &Hierarchies, path: &Path) -> Result<()> {
        remove_within(hierarchies, path, SHORT)
    }

    /// Removes the group of a container that has ended, with whatever still runs in it or stands still in it. What is not
    /// there is removed already.
    ///
    /// # Errors
    /// A process hangs in the kernel and stays after ten seconds. The hint has its name and state.
    pub fn destroy(hierarchies: &Hierarchies, path: &Path) -> Result<()> {
        // Nearly always nobody is left, and then this is all.
        let Err(busy) = remove_within(hierarchies, path, Duration::ZERO) else { return Ok(()) };
        if !busy.is(Errno::BUSY) {
            return Err(busy);
        }
        let mut trees: Vec<_> = hierarchies.mounts.iter().collect();
        // Who stands still cannot be killed, so the tree that can let them go comes first.
        trees.sort_by_key(|tree| !tree.controllers.contains(&Controller::Freezer));
        for tree in trees {
            let one = Hierarchies { version: hierarchies.version, mounts: vec![tree.clone()] };
            // One in which the group is gone already has nobody to kill.
            if let Ok(left) = Self::open(&one, path) {
                left.kill()?;
            }
        }
        remove_within(hierarchies, path, PATIENCE)
    }
}

fn remove_within(hierarchies: &Hierarchies, path: &Path, patience: Duration) -> Result<()> {
    let path = checked(path)?;
    let deadline = Instant::now() + patience;
    let removed = hierarchies.directories(&path).map(|directory| remove_tree(&directory, deadline));
    Failure::collect(removed.filter_map(Result::err).collect()).map_or(Ok(()), Err)
}

/// Tries the directory itself first: a container seldom has groups of its own inside.
fn remove_tree(directory: &Path, deadline: Instant) -> Result<()> {
    let mut pause = Duration::from_micros(200);
    loop {
        match rustix::fs::unlinkat(CWD, directory, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(errno).during("remove the cgroup", directory.display()),
        }
        remove_inner(directory, deadline)?;
        if Instant::now() > deadline {
            return Err(busy(directory));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn remove_inner(directory: &Path, deadline: Instant) -> Result<()> {
    for name in inner_names(directory).during("list the cgroup", directory.display())? {
        remove_tree(&directory.join(name), deadline)?;
    }
    Ok(())
}

/// Names of the groups inside a group. Empty when the group is gone.
pub(crate) fn inner_names(directory: &Path) -> rustix::io::Result<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(directory, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&opened)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type() == rustix::fs::FileType::Directory && name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn busy(directory: &Path) -> Failure {
    let processes = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let processes: Vec<_> = processes.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect();
    let hint = if processes.is_empty() {
        "No process is listed in it: one that is just ending, or one of its threads, keeps it. Try again.".to_owned()
    } else {
        format!("Still in it: {}. End them, then remove the container again.", describe(&processes))
    };
    Failure { errno: Some(Errno::BUSY.raw_os_error()), ..Failure::new("remove the cgroup", "it is in use") }
        .on(directory.display())
        .hint(hint)
}
