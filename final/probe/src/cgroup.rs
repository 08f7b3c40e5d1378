//! The limits of this process's cgroup: memory, cpu, number of processes (cgroups(7)).
//!
//! Version 1 has one tree per controller, version 2 one tree for all; a machine may mount both. Which directory is ours
//! follows from two files: `/proc/self/cgroup` says the path within a tree, `mountinfo` says where that tree is mounted and
//! which part of it.

use crate::mounts::Mount;

/// The limits in force. A controller that cannot be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of memory.
    pub(crate) memory: Option<Limit>,
    /// Thousandths of one processor.
    pub(crate) cpu: Option<Limit>,
    /// Number of processes and threads.
    pub(crate) pids: Option<Limit>,
    /// 1 or 2: the version whose files were read.
    pub(crate) version: Option<u8>,
}

/// How much is allowed, how much is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limit {
    /// The most; `None` is no limit.
    pub(crate) max: Option<u64>,
    /// In use now, where the kernel counts it.
    pub(crate) used: Option<u64>,
}

/// Where a controller's files are, and how they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    /// Absolute path.
    pub(crate) path: String,
    /// 1 or 2.
    pub(crate) version: u8,
}

/// The directory of `controller` for the process that `/proc/self/cgroup` and `mountinfo` are of.
///
/// Version 1 first: on a hybrid machine a controller that version 1 has is not in the version 2 tree.
pub(crate) fn directory(controller: &str, cgroup: &str, mounts: &[Mount]) -> Option<Directory> {
    first_version(controller, cgroup, mounts).or_else(|| second_version(cgroup, mounts))
}

/// `4:memory:/docker/ID`, mounted as type `cgroup` with `memory` among its options.
fn first_version(controller: &str, cgroup: &str, mounts: &[Mount]) -> Option<Directory> {
    let ours = lines(cgroup).find(|(names, _)| names.split(',').any(|name| name == controller))?.1;
    let has = |mount: &&Mount| mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller);
    let mount = mounts.iter().find(has)?;
    Some(Directory { path: place(mount, ours), version: 1 })
}

/// `0::/`, mounted as type `cgroup2`.
fn second_version(cgroup: &str, mounts: &[Mount]) -> Option<Directory> {
    let ours = lines(cgroup).find(|(names, _)| names.is_empty())?.1;
    let mount = mounts.iter().find(|mount| mount.kind == "cgroup2")?;
    Some(Directory { path: place(mount, ours), version: 2 })
}

/// `HIERARCHY:CONTROLLERS:PATH` lines as (controllers, path).
fn lines(cgroup: &str) -> impl Iterator<Item = (&str, &str)> {
    cgroup.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

/// A mount shows the part of the tree below its own root. Our path is below that, or equal; when it is neither (the
/// cgroup namespace and the mount disagree) the mount point itself is the best answer.
fn place(mount: &Mount, ours: &str) -> String {
    let below = match mount.root.as_str() {
        "/" => Some(ours),
        root => ours.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/')),
    };
    format!("{}{}", mount.point, below.unwrap_or_default().trim_end_matches('/'))
}

/// Reads the three limits. `read` gives the text of a file, or nothing; it is a parameter so that recorded texts will do.
pub(crate) fn limits(cgroup: &str, mounts: &[Mount], read: &dyn Fn(&str) -> Option<String>) -> Limits {
    let find = |controller: &str| directory(controller, cgroup, mounts);
    let number = |directory: &Directory, name: &str| {
        read(&format!("{}/{name}", directory.path)).and_then(|text| text.trim().parse().ok())
    };
    let plain = |directory: Directory, max: &str, used: &str| {
        let text = read(&format!("{}/{max}", directory.path))?;
        Some(Limit { max: maximum(&text), used: number(&directory, used) })
    };
    let memory = find("memory").and_then(|directory| match directory.version {
        1 => plain(directory, "memory.limit_in_bytes", "memory.usage_in_bytes"),
        _ => plain(directory, "memory.max", "memory.current"),
    });
    let pids = find("pids").and_then(|directory| plain(directory, "pids.max", "pids.current"));
    let cpu = find("cpu").and_then(|directory| {
        let text = |name: &str| read(&format!("{}/{name}", directory.path));
        let bandwidth = match directory.version {
            1 => format!("{} {}", text("cpu.cfs_quota_us")?.trim(), text("cpu.cfs_period_us")?.trim()),
            _ => text("cpu.max")?,
        };
        Some(Limit { max: thousandths(&bandwidth), used: None })
    });
    let any = memory.is_some() || cpu.is_some() || pids.is_some();
    let version = find("memory").or_else(|| find("pids")).map(|directory| directory.version);
    Limits { memory, cpu, pids, version: version.filter(|_| any) }
}

/// A number, or nothing for `max` (version 2) and for version 1's largest page-aligned number, which means the same.
fn maximum(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|&number: &u64| number < 1 << 62)
}

/// `QUOTA PERIOD` in microseconds as thousandths of one processor; `max` and `-1` are no limit.
fn thousandths(bandwidth: &str) -> Option<u64> {
    let (quota, period) = bandwidth.trim().split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    quota.checked_mul(1000)?.checked_div(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mounts::parse;

    const V1: &str = "\
78 77 0:29 /docker/26e3 /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu
81 77 0:32 /docker/26e3 /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
85 77 0:36 / /sys/fs/cgroup/pids ro,nosuid - cgroup cgroup rw,pids
";
    const V1_SELF: &str = "8:pids:/docker/26e3\n4:memory:/docker/26e3\n1:cpu:/docker/26e3\n0::/docker/26e3\n";

    fn path(controller: &str, cgroup: &str, mounts: &str) -> Option<String> {
        directory(controller, cgroup, &parse(mounts)).map(|found| found.path)
    }

    #[test]
    fn a_mount_of_our_own_part_of_the_tree_is_our_directory() {
        assert_eq!(path("memory", V1_SELF, V1).as_deref(), Some("/sys/fs/cgroup/memory"));
    }

    #[test]
    fn a_mount_of_the_whole_tree_needs_our_path_behind_it() {
        assert_eq!(path("pids", V1_SELF, V1).as_deref(), Some("/sys/fs/cgroup/pids/docker/26e3"));
    }

    #[test]
    fn version_two_serves_every_controller_that_version_one_has_not() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw,nsdelegate";
        assert_eq!(path("memory", "0::/\n", mounts).as_deref(), Some("/sys/fs/cgroup"));
        assert_eq!(path("memory", "", mounts), None);
    }

    #[test]
    fn limits_of_version_one() {
        let read = |path: &str| {
            let text = match path {
                "/sys/fs/cgroup/memory/memory.limit_in_bytes" => "67108864\n",
                "/sys/fs/cgroup/memory/memory.usage_in_bytes" => "1245184\n",
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us" => "50000\n",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us" => "100000\n",
                "/sys/fs/cgroup/pids/docker/26e3/pids.max" => "max\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let limits = limits(V1_SELF, &parse(V1), &read);
        assert_eq!(limits.memory, Some(Limit { max: Some(67_108_864), used: Some(1_245_184) }));
        assert_eq!(limits.cpu, Some(Limit { max: Some(500), used: None }));
        assert_eq!(limits.pids, Some(Limit { max: None, used: None }));
        assert_eq!(limits.version, Some(1));
    }

    #[test]
    fn no_limit_is_written_in_three_ways() {
        assert_eq!(maximum("max\n"), None);
        assert_eq!(maximum("9223372036854771712\n"), None);
        assert_eq!(thousandths("-1 100000"), None);
        assert_eq!(thousandths("max 100000\n"), None);
        assert_eq!(thousandths("150000 100000\n"), Some(1500));
    }

    #[test]
    fn without_the_files_there_is_nothing_to_say() {
        assert_eq!(limits("", &[], &|_| None), Limits::default());
    }
}
