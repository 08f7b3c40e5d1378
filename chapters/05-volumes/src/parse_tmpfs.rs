//! `--tmpfs TARGET[:OPTIONS]`, with the options of mount(8).
//!
//! | option | means | else |
//! |---|---|---|
//! | `size=64m`, `size=50%` | the most it may hold | half of the machine's memory |
//! | `mode=1770` | permission bits of its top | those of the image's directory |
//! | `uid=1000`, `gid=1000` | owner of its top | root |
//! | `nr_inodes=1k`, `nr_blocks`, `mpol`, `huge` | tmpfs(5) | the kernel's |
//! | `ro`, `noatime` | read-only; reading leaves no trace | writable, `relatime` |
//! | `exec`, `suid`, `dev` | programs run, set-user-id bits count, devices work | they do not |
//!
//! Only options that are about this tmpfs are taken. Whatever else mount(8) knows is refused by name and not passed on:
//! what reaches the kernel is what somebody here has thought about.

use namespaces::{Failure, Result};

use crate::request::{Kind, Tmpfs, VolumeMount};

/// What every mount does anyway, what makes no difference to memory, what the kernel has given up; and how mounts travel, as
/// there is nothing below a new file system that could, and nobody to whom.
const WITHOUT_EFFECT: [&str; 13] = [
    "defaults",
    "async",
    "diratime",
    "nodiratime",
    "strictatime",
    "mand",
    "nomand",
    "private",
    "rprivate",
    "slave",
    "rslave",
    "shared",
    "rshared",
];

/// Reads `--tmpfs /run:rw,size=64k,mode=1777`.
pub fn parse_tmpfs(spec: &str) -> Result<VolumeMount> {
    let (target, options) = spec.split_once(':').unwrap_or((spec, ""));
    parse_tmpfs_options(target, options)
}

/// The same in two parts, as the map `HostConfig.Tmpfs` has them.
///
/// ```
/// let mount = volumes::parse_tmpfs_options("/run", "size=64k").unwrap();
/// assert!(!mount.readonly);
/// ```
///
/// # Errors
/// An option that tmpfs does not have, or a value that cannot be read, by name.
pub fn parse_tmpfs_options(target: &str, options: &str) -> Result<VolumeMount> {
    let mut tmpfs = Tmpfs::default();
    let mut readonly = false;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let refused = |cause: &str| {
            Failure::new("mount a tmpfs at", format!("the option {option:?} {cause}"))
                .on(target)
                .hint("It has size=64m, mode=1777, uid, gid, nr_inodes, ro, rw and exec, suid, dev or their opposites.")
        };
        match option.split_once('=').unwrap_or((option, "")) {
            ("ro", "") => readonly = true,
            ("rw", "") => readonly = false,
            ("exec", "") => tmpfs.exec = true,
            ("noexec", "") => tmpfs.exec = false,
            ("suid", "") => tmpfs.suid = true,
            ("nosuid", "") => tmpfs.suid = false,
            ("dev", "") => tmpfs.dev = true,
            ("nodev", "") => tmpfs.dev = false,
            ("noatime", "") => tmpfs.noatime = true,
            ("atime" | "relatime", "") => tmpfs.noatime = false,
            ("sync" | "dirsync", "") => tmpfs.options.push(option.to_owned()),
            (word, "") if WITHOUT_EFFECT.contains(&word) => {}
            ("size", value) if value.ends_with('%') => tmpfs.options.push(option.to_owned()),
            ("size", value) => {
                tmpfs.size = Some(cgroups::parse_size(value).map_err(|_| refused("is not a size"))?);
            }
            ("mode", value) => tmpfs.mode = Some(octal_mode(value).ok_or_else(|| refused("is not an octal mode"))?),
            ("uid" | "gid", value) if value.parse::<u32>().is_ok() => tmpfs.options.push(option.to_owned()),
            ("nr_inodes" | "nr_blocks" | "mpol" | "huge", value) if !value.is_empty() => {
                tmpfs.options.push(option.to_owned());
            }
            _ => return Err(refused("is unknown or has a wrong value")),
        }
    }
    VolumeMount::new(target, readonly, Kind::Tmpfs(tmpfs))
}

/// `1777` and `0o1777` as permission bits.
pub(crate) fn octal_mode(text: &str) -> Option<u32> {
    // SOLUTION vol-mode
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
    // END SOLUTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let mount = parse_tmpfs("/run:rw,size=64k,mode=1770,exec,uid=7,nr_inodes=10").unwrap();
        let expected = Tmpfs {
            size: Some(65_536),
            mode: Some(0o1770),
            options: vec!["uid=7".into(), "nr_inodes=10".into()],
            exec: true,
            ..Tmpfs::default()
        };
        assert_eq!(mount.kind, Kind::Tmpfs(expected));
        assert!(parse_tmpfs("/run:ro").unwrap().readonly);
        let quiet = Tmpfs { options: vec!["sync".into()], noatime: true, ..Tmpfs::default() };
        assert_eq!(parse_tmpfs("/run:noatime,sync,mand,rprivate").unwrap().kind, Kind::Tmpfs(quiet));
        assert_eq!(parse_tmpfs("/run").unwrap().kind, Kind::Tmpfs(Tmpfs::default()));
    }

    #[test]
    fn the_bad_option_is_named() {
        let specs =
            ["run", "/run:size=x", "/run:mode=999", "/run:uid=root", "/run:ro=1", "/run:lowerdir=/etc", "/:size=1m"];
        let shown = specs.map(|spec| parse_tmpfs(spec).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"), @r#"
        cannot mount at "run": the path inside the container must be absolute
        cannot mount a tmpfs at /run: the option "size=x" is not a size
        cannot mount a tmpfs at /run: the option "mode=999" is not an octal mode
        cannot mount a tmpfs at /run: the option "uid=root" is unknown or has a wrong value
        cannot mount a tmpfs at /run: the option "ro=1" is unknown or has a wrong value
        cannot mount a tmpfs at /run: the option "lowerdir=/etc" is unknown or has a wrong value
        cannot mount at "/": the container's root itself cannot be covered
        "#);
    }
}
