//! [`Phase::Join`](crate::Phase::Join): join what exists, while the host's files are in view.
//!
//! A namespace or a cgroup is named by a path of the host: `/proc/PID/ns/net`, `/sys/fs/cgroup/…/tasks`. After the pivot
//! those paths are gone, and after the next phase the child is no longer where it can be told apart from them.

use rustix::process::DumpableBehavior;

use crate::failure::{Context, Result};
use crate::namespaces::open_namespace;
use crate::stage::Child;

/// `PR_SET_DUMPABLE` (prctl(2)). Nobody who shares a pid namespace with the container may trace this process while it has the host's descriptors
/// (CVE-2016-9962). execve(2) makes a process dumpable again, when it is the program and nothing else.
pub(super) fn hide(_: &mut Child<'_>) -> Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).step("become non-dumpable")
}

/// setns(2), for every namespace that is not new but another's: `--network container:web` of docker.
///
/// Opens all first, then joins: after the first join a path may mean something else. The user namespace is not among
/// them (the parent went through it before the fork), nor is the pid namespace (a process never changes its own).
pub(super) fn join_namespaces(child: &mut Child<'_>) -> Result<()> {
    let joins = child.container.namespaces.joins();
    let opened = joins.map(|(kind, path)| Ok((kind, path, open_namespace(path)?))).collect::<Result<Vec<_>>>()?;
    for (kind, path, fd) in opened {
        nix::sched::setns(fd, kind.flag).during("join the namespace", path.display())?;
    }
    Ok(())
}
