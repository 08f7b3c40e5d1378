//! Which mounts of the host may travel: a bind can be `shared` or `slave` only if the mount below its source is.
//!
//! Mounts that are *shared* form a peer group: what is mounted below one of them appears below all. A *slave* of a
//! group receives and does not send. A *private* mount does neither (mount_namespaces(7)). In `/proc/self/mountinfo`
//! the groups have numbers, in the fields before the dash:
//!
//! ```text
//! 42 27 254:0 /a /srv       rw,relatime shared:1 - ext4 /dev/vda rw    member of group 1
//! 43 42 0:50  /  /srv/inner rw          master:1 - tmpfs tmpfs rw      slave of group 1
//! 44 27 0:51  /  /tmp       rw                   - tmpfs tmpfs rw      private
//! ```
//!
//! Three mounts have to agree before one can travel from the host into a container: the host's, which must be in a
//! group; the container's copy of it, which [`crate::root_propagation`] keeps connected; and the bind. The first is
//! checked here.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use namespaces::{Context as _, Failure, Propagation, Result};

/// Checks that what `source` is on can travel as `wanted` says. The kernel does not refuse: the mounts just never
/// arrive.
pub(crate) fn check(source: &Path, wanted: Propagation) -> Result<()> {
    if !matches!(wanted, Propagation::Shared | Propagation::Slave) {
        return Ok(());
    }
    let table = std::fs::read("/proc/self/mountinfo").during("read", "/proc/self/mountinfo")?;
    let source = source.canonicalize().during("find the source of the bind mount", source.display())?;
    check_in(&table, &source, wanted)
}

/// The pure part: `table` is the text of a mountinfo file (proc_pid_mountinfo(5)), `source` has no links in it.
fn check_in(table: &[u8], source: &Path, wanted: Propagation) -> Result<()> {
    let lines = table.split(|byte| *byte == b'\n').filter_map(Line::parse);
    // The longest mount point above the source; of several at one point, the last one is the one in view.
    let below = lines.filter(|line| line.is_above(source)).max_by_key(|line| line.mount_point.len());
    let Some(line) = below else { return Ok(()) };
    let (travels, word) = match wanted {
        Propagation::Shared => (line.shared, "shared"),
        _ => (line.shared || line.slave, "shared or slave"),
    };
    if travels {
        return Ok(());
    }
    let mount_point = String::from_utf8_lossy(line.mount_point).into_owned();
    Err(Failure::new(
        "let mounts travel through the bind of",
        format!("it is on the mount {mount_point}, which is not {word}"),
    )
    .on(source.display())
    .hint(format!("Make it so first: mount --make-shared {mount_point}.")))
}

/// What matters of one line.
struct Line<'a> {
    mount_point: &'a [u8],
    shared: bool,
    slave: bool,
}

impl<'a> Line<'a> {
    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 master:2 - ext3 …`: fields from the seventh to the dash are
    /// optional.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let mount_point = fields.nth(4)?;
        let optional: Vec<&[u8]> = fields.skip(1).take_while(|field| *field != b"-").collect();
        let has = |prefix: &[u8]| optional.iter().any(|field| field.starts_with(prefix));
        Some(Self { mount_point, shared: has(b"shared:"), slave: has(b"master:") })
    }

    /// By whole components: `/srv` is above `/srv/www` and not above `/srvx`.
    fn is_above(&self, path: &Path) -> bool {
        // SOLUTION vol-above
        let rest = path.as_os_str().as_bytes().strip_prefix(self.mount_point);
        self.mount_point == b"/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        // END SOLUTION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
42 27 254:0 /a /srv rw,relatime shared:1 - ext4 /dev/vda rw
43 42 0:50 / /srv/inner rw master:1 - tmpfs tmpfs rw
44 27 0:51 / /srvx rw - tmpfs tmpfs rw
";

    #[test]
    fn the_nearest_mount_above_decides() {
        let check = |source: &str, wanted| check_in(TABLE, Path::new(source), wanted).is_ok();
        assert!(check("/srv", Propagation::Shared));
        assert!(check("/srv/www/deep", Propagation::Slave));
        assert!(check("/srv/inner/x", Propagation::Slave));
        assert!(!check("/srv/inner/x", Propagation::Shared));
        assert!(!check("/srvx/y", Propagation::Slave));
        assert!(!check("/etc", Propagation::Shared));
        assert!(!check("/srvy", Propagation::Shared));
        let failure = check_in(TABLE, Path::new("/etc"), Propagation::Slave).unwrap_err();
        insta::assert_snapshot!(failure, @"cannot let mounts travel through the bind of /etc: it is on the mount /, which is not shared or slave");
        assert!(failure.hint.unwrap().contains("--make-shared"));
    }
}
