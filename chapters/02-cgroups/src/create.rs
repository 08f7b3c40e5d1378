//! Making a group: one `mkdir` per tree, then the limits. What is missing above it is made on the way, once per
//! machine.
//!
//! The kernel fills a new directory with the group's files at once. In two cases it is nevertheless not ready for use:
//!
//! - **cpuset, version 1**: it starts with no processors and no memory nodes, and a process that joins would have
//!   nowhere to run, so joining is refused (ENOSPC). They are copied from the parent. Groups that this code makes
//!   *above* containers get `cgroup.clone_children`, and from then on the kernel copies by itself.
//! - **version 2**: a group has only those controllers that its parent passes on (`cgroup.subtree_control`), and so on
//!   up to the root. Without `+memory` there, a container's group has no `memory.max`.
//!
//! The limits are written before the first process is in the group: a process that joins first could use more than it
//! may before anybody says so.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use namespaces::{Context as _, Failure, Result};
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::cgroup::{Cgroup, Dir, Plan, checked, open_dir, read_at, write_at};
use crate::hierarchy::{Controller, Hierarchies, Hierarchy, Version};
use crate::writes::plan_writes;

impl Cgroup {
    /// Makes the group of `plan` with its limits.
    ///
    /// A group that is there already is used if no process is in it (it was left by a crash), and refused otherwise:
    /// its processes would share the limits and end with the container. One that is frozen is refused too. On failure
    /// nothing that was made remains.
    pub fn create(hierarchies: &Hierarchies, plan: &Plan) -> Result<Self> {
        let path = checked(&plan.path)?;
        plan.limits.fits(hierarchies.version)?;
        let mut undo = Undo { version: hierarchies.version, path: &path, made: Vec::new() };
        let mut dirs = Vec::with_capacity(hierarchies.mounts.len());
        let wanted = |hierarchy: &&Hierarchy| {
            hierarchies.version == Version::V2
                || hierarchy.controllers != [Controller::Hugetlb]
                || !plan.limits.huge_pages.is_empty()
        };
        for hierarchy in hierarchies.mounts.iter().filter(wanted) {
            dirs.push(make_dir(hierarchies.version, hierarchy, &path, &mut undo.made)?);
        }
        let cgroup = Self { version: hierarchies.version, path: path.clone(), dirs };
        cgroup.apply(&plan_writes(&plan.limits, hierarchies.version))?;
        if let (Version::V2, Some(rules)) = (hierarchies.version, &plan.limits.devices) {
            cgroup.allow_devices(rules)?;
        }
        undo.made.clear();
        Ok(cgroup)
    }
}

/// Removes what was made when the making stops half way, and nothing that was there before. Its own failure would hide the
/// one that matters, so it is dropped.
struct Undo<'a> {
    version: Version,
    path: &'a Path,
    made: Vec<Hierarchy>,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        let made = Hierarchies { version: self.version, mounts: std::mem::take(&mut self.made) };
        let _ = Cgroup::remove(&made, self.path);
    }
}

/// The group's directory in one tree, new or empty. A new one is added to `new`.
fn make_dir(version: Version, hierarchy: &Hierarchy, path: &Path, new: &mut Vec<Hierarchy>) -> Result<Dir> {
    let full = hierarchy.mount_point.join(path);
    let made = match rustix::fs::mkdir(&full, Mode::from_raw_mode(0o755)) {
        Err(Errno::NOENT) => {
            make_parents(version, hierarchy, path)?;
            rustix::fs::mkdir(&full, Mode::from_raw_mode(0o755))
        }
        made => made,
    };
    let reused = matches!(made, Err(Errno::EXIST));
    if !reused {
        made.during("make the cgroup", full.display())?;
        new.push(hierarchy.clone());
    }
    let fd = open_dir(&full)?;
    if reused {
        refuse_occupied(fd.as_fd(), &full)?;
        refuse_frozen(fd.as_fd(), &full)?;
    }
    ready_for_processes(version, hierarchy, path, fd.as_fd())?;
    Ok(Dir { fd, controllers: hierarchy.controllers.clone() })
}

/// A group with processes in it is somebody's. One without is what a crash left behind.
fn refuse_occupied(dir: BorrowedFd<'_>, full: &Path) -> Result<()> {
    let processes = read_at(dir, "cgroup.procs").during("read the processes of", full.display())?;
    let count = processes.map_or(0, |list| list.lines().count());
    if count == 0 {
        return Ok(());
    }
    let hint = "Choose another name, or end the processes listed in its cgroup.procs.";
    let cause = format!("the container's cgroup is not empty: {count} process(es) found");
    Err(Failure::new("make the cgroup", cause).on(full.display()).hint(hint))
}

/// Whoever joins a frozen group stops in the middle of joining, and whoever waits for him waits for ever.
fn refuse_frozen(dir: BorrowedFd<'_>, full: &Path) -> Result<()> {
    for (file, thawed) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
        let state = read_at(dir, file).during("read the state of", full.display())?;
        if state.is_some_and(|state| state.trim() != thawed) {
            let hint = format!("Write {thawed} to its {file}, or choose another name.");
            let cause = "the container's cgroup unexpectedly frozen";
            return Err(Failure::new("make the cgroup", cause).on(full.display()).hint(hint));
        }
    }
    Ok(())
}

/// Makes the directories above the group, from the top. They stay when the group goes: other containers share them.
fn make_parents(version: Version, hierarchy: &Hierarchy, path: &Path) -> Result<()> {
    let mut ancestors: Vec<&Path> =
        path.ancestors().skip(1).filter(|ancestor| !ancestor.as_os_str().is_empty()).collect();
    ancestors.reverse();
    for ancestor in ancestors {
        let full = hierarchy.mount_point.join(ancestor);
        match rustix::fs::mkdir(&full, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).during("make the cgroup", full.display()),
        }
        let fd = open_dir(&full)?;
        ready_for_processes(version, hierarchy, ancestor, fd.as_fd())?;
        if version == Version::V1 {
            // Old kernels count a child's memory in its parent only if told, and must be told before there is a child.
            // New ones always do, and some have no such file any more: nothing to report either way.
            let _ = write_at(fd.as_fd(), "memory.use_hierarchy", "1");
            // New cpusets then start as copies of this one, which saves filling them one by one.
            let _ = write_at(fd.as_fd(), "cgroup.clone_children", "1");
        }
    }
    Ok(())
}

/// The two things that a new directory can lack before a process may enter or be limited.
fn ready_for_processes(version: Version, hierarchy: &Hierarchy, path: &Path, dir: BorrowedFd<'_>) -> Result<()> {
    match version {
        Version::V1 if hierarchy.controllers.contains(&Controller::Cpuset) => {
            fill_cpuset(&hierarchy.mount_point, path, dir)
        }
        Version::V1 => Ok(()),
        Version::V2 => enable_controllers(hierarchy, path, dir),
    }
}

/// A version 1 cpuset begins with no processors and no memory nodes, and joining it is refused (ENOSPC) until it has
/// both. Copies the parent's, which may have to be filled first.
fn fill_cpuset(mount_point: &Path, path: &Path, dir: BorrowedFd<'_>) -> Result<()> {
    let target = || format!("the cpuset /{}", path.display());
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = read_at(dir, file).during("read", target())?;
        if own.is_none_or(|list| !list.trim().is_empty()) {
            continue;
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let parent_dir = open_dir(&mount_point.join(parent))?;
            fill_cpuset(mount_point, parent, parent_dir.as_fd())?;
        }
        let inherited = read_at(dir, &format!("../{file}")).during("read the parent of", target())?;
        write_at(dir, file, inherited.unwrap_or_default().trim()).during("fill", target())?;
    }
    Ok(())
}

/// In version 2 a group has the controllers that every group above it passes on (`cgroup.subtree_control`). Passes on
/// from the root down all of ours that the root has, unless this was done for an earlier container.
///
/// A group above that has processes of its own passes nothing on (EBUSY, "no internal processes", cgroups(7)). That is
/// no failure here: what it means for a limit is said when the limit is written.
fn enable_controllers(hierarchy: &Hierarchy, path: &Path, dir: BorrowedFd<'_>) -> Result<()> {
    let names =
        |text: Option<String>| text.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let root = open_dir(&hierarchy.mount_point)?;
    let offered = names(read_at(root.as_fd(), "cgroup.controllers").during("read cgroup.controllers of", "the root")?);
    let ours = hierarchy.controllers.iter().filter_map(|controller| controller.name(Version::V2));
    let ours: Vec<&str> = ours.filter(|name| offered.iter().any(|offer| offer == name)).collect();
    let there = names(read_at(dir, "cgroup.controllers").during("read cgroup.controllers of", path.display())?);
    if ours.iter().all(|name| there.iter().any(|have| have == name)) {
        return Ok(());
    }
    let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
    ancestors.reverse();
    for ancestor in ancestors {
        let fd = open_dir(&hierarchy.mount_point.join(ancestor))?;
        for name in &ours {
            let _ = write_at(fd.as_fd(), "cgroup.subtree_control", &format!("+{name}"));
        }
    }
    Ok(())
}
