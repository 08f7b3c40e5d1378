//! Which version of cgroups this machine has, and where: read from the mount table, never assumed.
//!
//! ```text
//! version 1                                version 2
//!
//! /sys/fs/cgroup/                          /sys/fs/cgroup/
//!   cpu/skiff/ID/     cpu.shares, tasks      skiff/ID/   cpu.weight
//!   memory/skiff/ID/  memory.limit_…, tasks              memory.max
//!   pids/skiff/ID/    pids.max, tasks                    pids.max
//!   freezer/skiff/ID/ freezer.state, tasks               cgroup.freeze, cgroup.procs
//! ```
//!
//! Version 1 has one tree per controller (or per pair, `cpu,cpuacct`). A process has a place in each of them, and the
//! places need not agree; here they always do, so one path names the group in all trees. Version 2 has one tree for
//! all, and a process one place. `/proc/PID/cgroup` shows both: a line per version 1 tree (`4:memory:/skiff/ID`) and
//! one for version 2 (`0::/skiff/ID`).
//!
//! A *hybrid* machine mounts both; a controller is in exactly one of them. Where any controller is mounted as version
//! 1, the version 2 tree has at best the leftovers, so version 1 it is.
//!
//! Why both, when version 2 has been there since 2016? Because machines with version 1 are still in use (the one this
//! was written on is one), and because the differences teach what a cgroup is for: the limits are the same, the files
//! are not.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use namespaces::{Context as _, Failure, Result};
use serde::{Deserialize, Serialize};

/// The two interfaces of the kernel (cgroups(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// One tree per controller.
    V1,
    /// One tree for all.
    V2,
}

/// What a tree controls. Only those that this chapter uses; a container is not put into trees of others
/// (`net_cls`, `perf_event`, `name=systemd`), because each costs a directory and a join at every start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Controller {
    /// Which processors and memory nodes.
    Cpuset,
    /// Processor time: shares and quota.
    Cpu,
    /// Processor time used. Version 1 only, part of `cpu` in version 2.
    Cpuacct,
    /// Memory.
    Memory,
    /// Number of processes.
    Pids,
    /// Block device requests; `io` in version 2.
    Blkio,
    /// Which devices. Version 1 only.
    Devices,
    /// Stop and go on. Version 1 only, part of every group in version 2.
    Freezer,
    /// Huge pages. In version 1 a container is put into this tree only when it is to be limited there.
    Hugetlb,
}

impl Controller {
    /// All of them, in the order in which limits are written.
    pub const ALL: [Self; 9] = [
        Self::Cpuset,
        Self::Cpu,
        Self::Cpuacct,
        Self::Memory,
        Self::Pids,
        Self::Blkio,
        Self::Devices,
        Self::Freezer,
        Self::Hugetlb,
    ];

    /// The kernel's name in `version`; `None` where that version has no such controller.
    pub fn name(self, version: Version) -> Option<&'static str> {
        match (self, version) {
            (Self::Cpuset, _) => Some("cpuset"),
            (Self::Cpu, _) => Some("cpu"),
            (Self::Memory, _) => Some("memory"),
            (Self::Pids, _) => Some("pids"),
            (Self::Hugetlb, _) => Some("hugetlb"),
            (Self::Blkio, Version::V1) => Some("blkio"),
            (Self::Blkio, Version::V2) => Some("io"),
            (Self::Cpuacct, Version::V1) => Some("cpuacct"),
            (Self::Devices, Version::V1) => Some("devices"),
            (Self::Freezer, Version::V1) => Some("freezer"),
            (Self::Cpuacct | Self::Devices | Self::Freezer, Version::V2) => None,
        }
    }
}

/// One mounted tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Its root directory: `/sys/fs/cgroup/memory`, or `/sys/fs/cgroup` in version 2.
    pub mount_point: PathBuf,
    /// What it controls. In version 2 these are the ones that the kernel could have; `cgroup.controllers` says which
    /// are there.
    pub controllers: Vec<Controller>,
}

/// The trees that a container is put into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchies {
    /// Which interface they have.
    pub version: Version,
    /// At least one; exactly one in version 2.
    pub mounts: Vec<Hierarchy>,
}

impl Hierarchies {
    /// Those of this machine, as this process sees them.
    pub fn discover() -> Result<Self> {
        let table = std::fs::read("/proc/self/mountinfo").during("read", "/proc/self/mountinfo")?;
        Self::parse(&table)
    }

    /// Those in the text of a `mountinfo` file (proc_pid_mountinfo(5)).
    ///
    /// The first mount of a controller wins: a later one is a copy of it somewhere else, for example in a container's
    /// root.
    pub fn parse(mountinfo: &[u8]) -> Result<Self> {
        let mounts: Vec<CgroupMount> = mountinfo.split(|byte| *byte == b'\n').filter_map(CgroupMount::parse).collect();
        let mut first = Vec::new();
        for mount in mounts.iter().filter(|mount| mount.version == Version::V1) {
            let known = |hierarchy: &Hierarchy| hierarchy.controllers == mount.controllers;
            if !mount.controllers.is_empty() && !first.iter().any(known) {
                first.push(mount.hierarchy());
            }
        }
        if !first.is_empty() {
            return Ok(Self { version: Version::V1, mounts: first });
        }
        let unified = mounts.iter().find(|mount| mount.version == Version::V2).ok_or_else(|| {
            Failure::new("find the cgroup file system", "it is not mounted")
                .on("/sys/fs/cgroup")
                .hint("Mount it: mount -t cgroup2 none /sys/fs/cgroup.")
        })?;
        Ok(Self { version: Version::V2, mounts: vec![unified.hierarchy()] })
    }

    /// The directories of the group `path` in each tree.
    pub(crate) fn directories(&self, path: &Path) -> impl Iterator<Item = PathBuf> {
        self.mounts.iter().map(move |hierarchy| hierarchy.mount_point.join(path))
    }
}

/// One line of `mountinfo` that is a cgroup file system.
struct CgroupMount {
    version: Version,
    mount_point: PathBuf,
    controllers: Vec<Controller>,
}

impl CgroupMount {
    /// `36 32 0:31 / /sys/fs/cgroup/memory rw,relatime shared:17 - cgroup cgroup rw,memory`: the fifth field is the
    /// mount point; after ` - ` come the type, the source, and the options of the file system, which name the
    /// controllers.
    fn parse(line: &[u8]) -> Option<Self> {
        // SOLUTION cg-mount-line
        let mut fields = line.split(|byte| *byte == b' ');
        let mount_point = unescape(fields.nth(4)?);
        let mut after_dash = fields.skip_while(|field| *field != b"-").skip(1);
        let kind = after_dash.next()?;
        let options = std::str::from_utf8(after_dash.nth(1)?).ok()?;
        let (version, controllers) = match kind {
            b"cgroup" => (Version::V1, Controller::ALL.to_vec()),
            b"cgroup2" => (Version::V2, Controller::ALL.to_vec()),
            _ => return None,
        };
        let named = |controller: &Controller| match (version, controller.name(version)) {
            (Version::V1, Some(name)) => options.split(',').any(|option| option == name),
            (_, name) => name.is_some(),
        };
        Some(Self { version, mount_point, controllers: controllers.into_iter().filter(named).collect() })
        // END SOLUTION
    }

    fn hierarchy(&self) -> Hierarchy {
        Hierarchy { mount_point: self.mount_point.clone(), controllers: self.controllers.clone() }
    }
}

/// Undoes the kernel's escapes: a space in a path is written as a backslash and `040`, three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                path.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            _ => {
                path.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime shared:14 - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
90 27 0:32 / /srv/other/memory rw,relatime - cgroup cgroup rw,memory
";

    const PAIRED: &str = "\
28 25 0:24 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
33 28 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:14 - cgroup cgroup rw,cpu,cpuacct
34 28 0:29 /docker/ab /sys/fs/cgroup/net_cls,net_prio rw shared:15 master:3 - cgroup cgroup rw,net_cls,net_prio
35 28 0:30 / /sys/fs/cgroup/my\\040pids rw - cgroup cgroup rw,pids
";

    const UNIFIED: &str = "\
23 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:5 - proc proc rw
29 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";

    fn shown(mountinfo: &str) -> String {
        let found = Hierarchies::parse(mountinfo.as_bytes()).unwrap();
        let line = |hierarchy: &Hierarchy| {
            let names = hierarchy.controllers.iter().filter_map(|controller| controller.name(found.version));
            format!("\n{} {}", hierarchy.mount_point.display(), names.collect::<Vec<_>>().join(","))
        };
        format!("{:?}{}", found.version, found.mounts.iter().map(line).collect::<String>())
    }

    #[test]
    fn hybrid_machine_uses_version_1_and_the_first_mount_of_each() {
        insta::assert_snapshot!(shown(HYBRID), @r#"
        V1
        /sys/fs/cgroup/cpu cpu
        /sys/fs/cgroup/cpuacct cpuacct
        /sys/fs/cgroup/memory memory
        "#);
    }

    #[test]
    fn paired_controllers_and_escaped_paths() {
        insta::assert_snapshot!(shown(PAIRED), @r#"
        V1
        /sys/fs/cgroup/cpu,cpuacct cpu,cpuacct
        /sys/fs/cgroup/my pids pids
        "#);
    }

    #[test]
    fn unified_machine_is_version_2() {
        insta::assert_snapshot!(shown(UNIFIED), @r#"
        V2
        /sys/fs/cgroup cpuset,cpu,memory,pids,io,hugetlb
        "#);
    }

    #[test]
    fn no_cgroups_at_all_says_how_to_mount_them() {
        let failure = Hierarchies::parse(b"27 1 254:0 / / rw - ext4 /dev/vda rw\n\nnonsense\n").unwrap_err();
        insta::assert_snapshot!(failure, @"cannot find the cgroup file system /sys/fs/cgroup: it is not mounted");
        assert!(failure.hint.unwrap().contains("mount -t cgroup2"));
    }

    #[test]
    fn this_machine_has_some() {
        assert!(!Hierarchies::discover().unwrap().mounts.is_empty());
    }
}
