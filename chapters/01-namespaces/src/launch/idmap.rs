//! Id maps of a new user namespace (user_namespaces(7)): written from outside, once, while the child waits.
//!
//! ```text
//!   inside    outside            /proc/PID/uid_map:   0 100000 65536
//!   0         100000             first inside, first outside, how many
//!   1000      101000
//!   65535     165535
//! ```
//!
//! The child could write its own maps, but only for its own id. To map a whole range takes `CAP_SETUID` in the *outer*
//! namespace, which the launcher has and the child, the moment it is in the new one, has not. Hence the waiting.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, getegid, geteuid};

use crate::container::{IdMap, Namespace, Namespaces};
use crate::failure::{Context, Result};

/// Writes the maps of `pid`'s new user namespace. Without any map, root inside is whoever launches.
///
/// `EPERM` when the launcher may not map these ids, `EINVAL` when ranges overlap or there are more than 340 of them.
pub(super) fn write(wanted: &Namespaces, pid: Pid) -> Result<()> {
    if wanted.user != Namespace::New {
        return Ok(());
    }
    let process = format!("/proc/{}", pid.as_raw_pid());
    let process = Path::new(&process);
    let put = |file: &str, text: &str| {
        let path = process.join(file);
        fs::write(&path, text).during("write the id map", path.display())
    };
    if !geteuid().is_root() {
        // Whoever may drop groups may drop one that keeps him out of a file; the kernel wants that given up first.
        put("setgroups", "deny")?;
    }
    put("uid_map", &lines(&wanted.uid_map, geteuid().as_raw()))?;
    put("gid_map", &lines(&wanted.gid_map, getegid().as_raw()))
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
