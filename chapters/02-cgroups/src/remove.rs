//! Removing a group: `rmdir`, innermost first. It works from the path alone, in any process, any number of times.
//!
//! A group's directory is full of files, and yet rmdir(2) removes it: the files are the kernel's views and not content.
//! What does stand in the way is a process in it (EBUSY) or a group inside (EBUSY in version 1, ENOTEMPTY elsewhere). A
//! container with a writable cgroup mount may have made groups of its own, as docker in docker does; they go first.
//!
//! Nothing here kills. A group that is still in use when its container has ended is a sign of something that nobody
//! thought of, and it is better to say so than to kill it unseen.

use std::path::Path;
use std::time::{Duration, Instant};

use namespaces::{Context as _, Failure, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::cgroup::{Cgroup, checked};
use crate::hierarchy::Hierarchies;

/// How long a group may stay busy. A process leaves its groups a moment after its parent saw it end.
const PATIENCE: Duration = Duration::from_secs(1);

impl Cgroup {
    /// Removes the group `path` and the groups inside it, in every tree. What is not there is removed already.
    ///
    /// # Errors
    /// A process is still in it after a second (EBUSY). The other trees are cleared all the same.
    pub fn remove(hierarchies: &Hierarchies, path: &Path) -> Result<()> {
        let path = checked(path)?;
        let deadline = Instant::now() + PATIENCE;
        let removed = hierarchies.directories(&path).map(|directory| remove_tree(&directory, deadline));
        Failure::collect(removed.filter_map(Result::err).collect()).map_or(Ok(()), Err)
    }
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
    let processes = processes.split_whitespace().take(5).collect::<Vec<_>>().join(", ");
    let hint = format!("Processes are still in it ({processes}). End them, then remove the container again.");
    Failure { errno: Some(Errno::BUSY.raw_os_error()), ..Failure::new("remove the cgroup", "it is in use") }
        .on(directory.display())
        .hint(hint)
}
