//! The mounts of this process: its root, the layers below it, and the paths that were hidden.
//!
//! Source: `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

/// One line of `mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The directory of the file system that is mounted: `/`, or for a bind mount a path inside it.
    pub(crate) root: String,
    /// Where it is mounted.
    pub(crate) point: String,
    /// Whether this mount is read-only.
    pub(crate) readonly: bool,
    /// Type of the file system.
    pub(crate) kind: String,
    /// Its source; what it means is up to the type.
    pub(crate) source: String,
    /// Options of the file system itself.
    pub(crate) options: String,
}

/// The root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    /// `overlay`, `ext4`, …
    pub(crate) kind: String,
    /// Whether `/` is mounted read-only.
    pub(crate) readonly: bool,
    /// Of an overlay: the layers below, the topmost first.
    pub(crate) lower: Vec<String>,
    /// Of an overlay: the layer that is written to.
    pub(crate) upper: Option<String>,
}

/// Every mount, in the kernel's order. Lines that do not have the documented shape are left out.
pub(crate) fn parse(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(line).collect()
}

/// `72 48 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=…`: the fields before the dash vary in number.
fn line(text: &str) -> Option<Mount> {
    let (before, after) = text.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, point, flags) = (fields.next()?, fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (kind, source) = (fields.next()?, fields.next()?);
    Some(Mount {
        root: unescape(root),
        point: unescape(point),
        readonly: flags.split(',').any(|flag| flag == "ro"),
        kind: kind.to_owned(),
        source: unescape(source),
        options: unescape(fields.next().unwrap_or_default()),
    })
}

/// Space, tab, newline and backslash are written as `\040`, `\011`, `\012`, `\134`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(byte) = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            out.push(char::from(byte));
            out.push_str(part.get(3..).unwrap_or_default());
        } else {
            out.push('\\');
            out.push_str(part);
        }
    }
    out
}

/// What is mounted on `/`. The last such line wins: it covers the earlier ones.
pub(crate) fn root(mounts: &[Mount]) -> Option<Root> {
    let mount = mounts.iter().rev().find(|mount| mount.point == "/")?;
    let overlay = mount.kind == "overlay";
    let option = |name: &str| {
        let name = format!("{name}=");
        mount.options.split(',').filter_map(move |option| option.strip_prefix(&name).map(str::to_owned)).collect()
    };
    // Layers given one by one (`lowerdir+`, Linux 6.8) are shown one by one, the others in one colon-separated list.
    let mut lower: Vec<String> = if overlay { option("lowerdir+") } else { Vec::new() };
    if overlay && lower.is_empty() {
        let joined: Vec<String> = option("lowerdir");
        lower = joined.iter().flat_map(|list| list.split(':')).map(str::to_owned).collect();
    }
    let upper: Vec<String> = if overlay { option("upperdir") } else { Vec::new() };
    Some(Root { kind: mount.kind.clone(), readonly: mount.readonly, lower, upper: upper.into_iter().next() })
}

/// Paths of `/proc` and `/sys` hidden behind `/dev/null` (a file) or an empty read-only tmpfs (a directory).
pub(crate) fn masked(mounts: &[Mount]) -> Vec<String> {
    let hidden = |mount: &&Mount| mount.root == "/null" || (mount.kind == "tmpfs" && mount.readonly);
    kernel_paths(mounts).filter(hidden).map(|mount| mount.point.clone()).collect()
}

/// Paths of `/proc` and `/sys` that were mounted over themselves to be read-only.
pub(crate) fn readonly_paths(mounts: &[Mount]) -> Vec<String> {
    let bound = |mount: &&Mount| mount.readonly && mount.root != "/" && matches!(&*mount.kind, "proc" | "sysfs");
    kernel_paths(mounts).filter(bound).map(|mount| mount.point.clone()).collect()
}

/// Mounts below (not on) `/proc` and `/sys`, without the cgroup tree.
fn kernel_paths(mounts: &[Mount]) -> impl Iterator<Item = &Mount> {
    mounts.iter().filter(|mount| {
        (mount.point.starts_with("/proc/") || mount.point.starts_with("/sys/"))
            && !mount.point.starts_with("/sys/fs/cgroup")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "\
72 48 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/d/l/MYUV:/d/l/NWMK,upperdir=/d/571b/diff,workdir=/d/571b/work
73 72 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
76 72 0:45 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
77 76 0:46 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw,mode=755
89 72 254:0 /tmp/a\\040b /mnt/with\\040space rw,relatime - ext4 /dev/vda rw,discard
52 73 0:42 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw
53 73 0:48 / /proc/acpi ro,relatime - tmpfs tmpfs ro
54 73 0:43 /null /proc/keys rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
56 76 0:49 / /sys/firmware ro,relatime - tmpfs tmpfs ro
";

    #[test]
    fn the_root_of_a_docker_container_is_an_overlay_of_its_layers() {
        let root = root(&parse(DOCKER)).unwrap();
        assert_eq!(root.kind, "overlay");
        assert!(!root.readonly);
        assert_eq!(root.lower, ["/d/l/MYUV", "/d/l/NWMK"]);
        assert_eq!(root.upper.as_deref(), Some("/d/571b/diff"));
    }

    #[test]
    fn layers_given_one_by_one_are_read_too() {
        let text = "1 0 0:1 / / ro - overlay skiff ro,lowerdir+=/l/2,lowerdir+=/l/1,upperdir=/u,workdir=/w";
        let root = root(&parse(text)).unwrap();
        assert!(root.readonly);
        assert_eq!(root.lower, ["/l/2", "/l/1"]);
    }

    #[test]
    fn a_root_that_is_no_overlay_has_no_layers() {
        let root = root(&parse("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,lowerdir=x")).unwrap();
        assert_eq!((root.kind.as_str(), root.lower.len(), root.upper), ("ext4", 0, None));
    }

    #[test]
    fn masked_and_read_only_paths_are_told_apart_from_ordinary_mounts() {
        let mounts = parse(DOCKER);
        assert_eq!(masked(&mounts), ["/proc/acpi", "/proc/keys", "/sys/firmware"]);
        assert_eq!(readonly_paths(&mounts), ["/proc/sys"]);
    }

    #[test]
    fn escapes_are_undone_and_broken_lines_left_out() {
        let mounts = parse(DOCKER);
        assert!(mounts.iter().any(|mount| mount.point == "/mnt/with space" && mount.root == "/tmp/a b"));
        assert_eq!(unescape(r"a\134b\zz"), r"a\b\zz");
        assert_eq!(parse("nonsense\n1 2 3 - x\n").len(), 0);
    }
}
