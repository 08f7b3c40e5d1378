//! `/sys/fs/cgroup` of a container: its own cgroup directories, under the names the host has for them (cgroups(7)).
//!
//! In a cgroup namespace a new mount of a hierarchy begins at the namespace's root, so no path of the host is needed.
//! Without one (`Namespace::Host`) the directory is bound from where the host has the hierarchy mounted.
//!
//! ```text
//!  version 1: a tree per controller                     version 2: one tree
//!  /sys/fs/cgroup          tmpfs, read-only             /sys/fs/cgroup    cgroup2
//!  ├ cpu,cpuacct           cgroup                       ├ cgroup.procs
//!  ├ cpu → cpu,cpuacct                                  ├ memory.max
//!  ├ memory                cgroup                       └ …
//!  └ systemd               cgroup, named, no controller
//! ```
//!
//! Programs read their own limits here: a Java virtual machine sizes its heap by it. Read-only, because whoever can write
//! `release_agent` of version 1 has a program run by the host (CVE-2022-0492), and whoever can write `memory.max` has no limit.

use std::cell::OnceCell;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use super::apply::{attach, new_file_system, set_attributes};
use super::{Attributes, Mount};
use crate::failure::{Context, Failure, Result};
use crate::root::Root;

/// One line of `/proc/self/cgroup`: a hierarchy and where in it the process is.
#[derive(Debug, PartialEq, Eq)]
struct Membership {
    /// `cpu,cpuacct`, `name=systemd`; empty is cgroup v2.
    controllers: String,
    /// As seen from the root of the process's cgroup namespace.
    path: String,
}

impl Membership {
    /// The name of its directory below `/sys/fs/cgroup`.
    fn directory(&self) -> &str {
        self.controllers.strip_prefix("name=").unwrap_or(&self.controllers)
    }
}

/// Mounts what `/proc/self/cgroup` lists: for each hierarchy the process's own directory.
pub(super) fn apply(mount: &Mount, root: &Root) -> Result<()> {
    let own = "/proc/self/cgroup";
    let memberships = parse_memberships(&fs::read_to_string(own).during("read", own)?);
    let table = Table::default();
    let attributes = mount.attributes;
    let place = root.create_dir_all(&mount.target, Mode::from_raw_mode(0o755))?;
    let attached = "mount the cgroups at";
    // On a hybrid machine the v2 hierarchy has no controllers and is left out, as docker does.
    let v1: Vec<_> = memberships.iter().filter(|one| !one.controllers.is_empty()).collect();
    if v1.is_empty() {
        let v2 =
            memberships.first().ok_or_else(|| Failure::new("find the container's cgroup", "the kernel names none"))?;
        return attach(hierarchy(v2, attributes, &table)?, &place).during(attached, mount.target.display());
    }
    // Writable while the directories are made; attributes come last.
    let options = ["mode=755".to_owned(), "source=cgroup".to_owned()];
    let tree = new_file_system("tmpfs", &options, Attributes { readonly: false, ..attributes })?;
    attach(&tree, &place).during(attached, mount.target.display())?;
    for one in v1 {
        let name = one.directory();
        // By name and not through `Root`: nobody else has been in this directory yet.
        rustix::fs::mkdirat(&tree, name, Mode::from_raw_mode(0o755)).during("make the directory", name)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(hierarchy(one, attributes, &table)?, "", &tree, name, flags)
            .during(attached, name)?;
        link_controllers(&tree, name)?;
    }
    set_attributes(&tree, attributes).during(attached, mount.target.display())
}

/// The mount table. Read once for all hierarchies, and only where it is needed: it is the longest file of the whole start.
#[derive(Default)]
struct Table(OnceCell<String>);

impl Table {
    fn text(&self) -> Result<&str> {
        let mountinfo = "/proc/self/mountinfo";
        if self.0.get().is_none() {
            let text = fs::read_to_string(mountinfo).during("read", mountinfo)?;
            self.0.get_or_init(|| text);
        }
        Ok(self.0.get().map_or("", String::as_str))
    }
}

/// A detached mount of the process's own directory in one hierarchy.
///
/// Who shares the host's cgroup namespace and has a user namespace may not mount the hierarchy anew; he binds it instead.
fn hierarchy(one: &Membership, attributes: Attributes, table: &Table) -> Result<OwnedFd> {
    if one.path == "/" {
        let made = match one.controllers.as_str() {
            "" => new_file_system("cgroup2", &[], attributes),
            // A named hierarchy has no controller, which must be said.
            named if named.starts_with("name=") => {
                new_file_system("cgroup", &["none".into(), named.into()], attributes)
            }
            controllers => {
                let options: Vec<_> = controllers.split(',').map(str::to_owned).collect();
                new_file_system("cgroup", &options, attributes)
            }
        };
        match made {
            Err(failure) if failure.is(Errno::PERM) => {}
            made => return made,
        }
    }
    let missing = || Failure::new("find where the host has mounted the hierarchy", "it is mounted nowhere");
    let at = mount_point(table.text()?, &one.controllers).ok_or_else(|| missing().on(&one.controllers))?;
    let path = at.join(one.path.trim_start_matches('/'));
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, &path, flags).during("open the cgroup", path.display())?;
    set_attributes(&tree, attributes).during("set the attributes of the cgroup", path.display())?;
    Ok(tree)
}

/// `cpu` and `cpuacct` beside `cpu,cpuacct`, because programs look for either.
fn link_controllers(top: &OwnedFd, directory: &str) -> Result<()> {
    if !directory.contains(',') {
        return Ok(());
    }
    directory.split(',').try_for_each(|controller| {
        rustix::fs::symlinkat(directory, top, controller).during("link the controller", controller)
    })
}

/// `/proc/self/cgroup` (cgroups(7)): `hierarchy-id:controllers:path`. A path may have colons in it.
fn parse_memberships(text: &str) -> Vec<Membership> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some(Membership { controllers: fields.next()?.to_owned(), path: fields.next()?.to_owned() })
    });
    lines.collect()
}

/// Where `/proc/self/mountinfo` (proc_pid_mountinfo(5)) says that a whole hierarchy is mounted.
fn mount_point(mountinfo: &str, controllers: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (inner, at) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        let fits = match kind {
            "cgroup2" => controllers.is_empty(),
            "cgroup" => controllers.split(',').all(|wanted| options.split(',').any(|option| option == wanted)),
            _ => false,
        };
        (fits && inner == "/" && (kind == "cgroup2" || !controllers.is_empty())).then(|| PathBuf::from(at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_hierarchy_and_a_path() {
        let lines = parse_memberships("4:cpu,cpuacct:/box\n1:name=systemd:/a:b\n0::/\n");
        let named: Vec<_> = lines.iter().map(|one| (one.directory(), one.path.as_str())).collect();
        assert_eq!(named, [("cpu,cpuacct", "/box"), ("systemd", "/a:b"), ("", "/")]);
    }

    #[test]
    fn a_hierarchy_is_found_by_its_controllers() {
        let table = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                     32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                     40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                     41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found = |controllers| mount_point(table, controllers).map(|path| path.display().to_string());
        assert_eq!(found("cpu,cpuacct").as_deref(), Some("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(found("name=systemd").as_deref(), Some("/sys/fs/cgroup/systemd"));
        assert_eq!(found("").as_deref(), Some("/sys/fs/cgroup/unified"));
        assert_eq!(found("memory"), None);
    }
}
