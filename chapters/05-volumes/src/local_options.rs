//! The options of the driver `local`: `volume create -o type=tmpfs -o device=tmpfs -o o=size=64m`. Pure.
//!
//! `type`, `device` and `o` are the three fields of a line in fstab(5), and docker hands them to mount(2) as they are. Here
//! `o` is taken apart: words that are attributes of a mount (`ro`, `noexec`) go to the mount, the rest to the file system.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use namespaces::mount::Attributes;
use namespaces::{Failure, IdMap, Result};

use crate::driver::Owner;
use crate::parse_tmpfs::octal_mode;

/// Ids above this are refused, as those of users are.
const LAST_ID: u32 = 2_147_483_647;

/// What the options say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LocalOptions {
    /// What is mounted instead of the volume's own directory.
    pub(crate) mounted: Option<Mounted>,
    /// Whose the volume's own directory becomes.
    pub(crate) owner: Owner,
    /// From ids on the disk to ids in the container.
    pub(crate) idmap: Vec<IdMap>,
}

/// What is mounted instead of the volume's own directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mounted {
    /// A directory of the host.
    Bind {
        /// Absolute path.
        device: PathBuf,
        /// From `o`.
        attributes: Attributes,
    },
    /// A file system.
    FileSystem {
        /// Its name in `/proc/filesystems`.
        kind: String,
        /// Its own options, `source=DEVICE` among them.
        options: FileSystemOptions,
        /// From `o`.
        attributes: Attributes,
    },
}

/// Options of a file system, where a network address may still be a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileSystemOptions(Vec<String>);

impl FileSystemOptions {
    /// The kernel knows no names: `addr=nas` becomes `addr=10.0.0.2` here, as docker does it, each time it is mounted.
    pub(crate) fn resolved(self) -> Result<Vec<String>> {
        self.0.into_iter().map(resolve).collect()
    }
}

fn resolve(option: String) -> Result<String> {
    let Some(name) = option.strip_prefix("addr=").filter(|name| name.parse::<IpAddr>().is_err()) else {
        return Ok(option);
    };
    let found = (name, 0).to_socket_addrs().ok().and_then(|mut found| found.next());
    let address = found.ok_or_else(|| Failure::new("find the address of", "no name service knows it").on(name))?;
    Ok(format!("addr={}", address.ip()))
}

impl LocalOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// In docker's words where it has some: `invalid option: "x"`, `missing required option: "device"`.
    pub(crate) fn parse(options: &BTreeMap<String, String>) -> Result<Self> {
        let mut parsed = Self::default();
        let [mut kind, mut device, mut words] = [None; 3];
        for (key, value) in options {
            let wrong = |why: &str| refuse(&format!("{key}={value}"), why);
            match key.as_str() {
                "type" => kind = Some(value.as_str()),
                "device" => device = Some(value.as_str()),
                "o" => words = Some(value.as_str()),
                "uid" => parsed.owner.uid = Some(id(value).ok_or_else(|| wrong("it is no user id"))?),
                "gid" => parsed.owner.gid = Some(id(value).ok_or_else(|| wrong("it is no group id"))?),
                "mode" => parsed.owner.mode = Some(octal_mode(value).ok_or_else(|| wrong("it is no octal mode"))?),
                "idmap" => parsed.idmap = id_map(value).ok_or_else(|| wrong("it is not DISK:CONTAINER[:COUNT]"))?,
                _ => return Err(refuse(key, &format!("invalid option: {key:?}"))),
            }
        }
        let words = words.unwrap_or_default();
        parsed.mounted = match (kind.filter(|kind| !kind.is_empty()), device.filter(|device| !device.is_empty())) {
            (None, None) if words.is_empty() => None,
            (Some(kind), Some(device)) => Some(Mounted::read(kind, device, words)?),
            (_, None) => return Err(refuse("device", "missing required option: \"device\"")),
            (None, _) => return Err(refuse("type", "missing required option: \"type\"")),
        };
        parsed.consistent()
    }

    /// What makes no sense together is refused and not ignored.
    fn consistent(self) -> Result<Self> {
        if self.mounted.is_some() && self.owner != Owner::default() {
            return Err(refuse(
                "uid, gid, mode",
                "they are for the volume's own directory; write them into o for tmpfs",
            ));
        }
        if matches!(self.mounted, Some(Mounted::FileSystem { .. })) && !self.idmap.is_empty() {
            return Err(refuse("idmap", "it is for directories"));
        }
        Ok(self)
    }
}

impl Mounted {
    fn read(kind: &str, device: &str, words: &str) -> Result<Self> {
        let words: Vec<&str> = words.split(',').filter(|word| !word.is_empty()).collect();
        let attributes = attributes(&words);
        if words.iter().any(|word| matches!(*word, "bind" | "rbind")) {
            if !device.starts_with('/') {
                return Err(refuse(&format!("device={device}"), "a directory of the host has an absolute path"));
            }
            return Ok(Self::Bind { device: device.into(), attributes });
        }
        if kind == "none" {
            return Err(refuse("type=none", "it needs o=bind"));
        }
        let own = words.into_iter().filter(|word| !ATTRIBUTES.contains(word)).map(str::to_owned);
        let options = std::iter::once(format!("source={device}")).chain(own).collect();
        Ok(Self::FileSystem { kind: kind.to_owned(), options: FileSystemOptions(options), attributes })
    }
}

/// Words of `o` that are attributes of a mount and not options of a file system (mount(8), "FILESYSTEM-INDEPENDENT MOUNT
/// OPTIONS"). Those that are the default anyway are known so that no file system is asked about them.
const ATTRIBUTES: [&str; 11] =
    ["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "defaults"];

fn attributes(words: &[&str]) -> Attributes {
    let has = |word| words.contains(&word);
    Attributes {
        readonly: has("ro"),
        nosuid: has("nosuid"),
        nodev: has("nodev"),
        noexec: has("noexec"),
        noatime: has("noatime"),
        ..Attributes::default()
    }
}

fn id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id <= LAST_ID)
}

/// `DISK:CONTAINER[:COUNT]`, several with commas between them.
fn id_map(text: &str) -> Option<Vec<IdMap>> {
    let one = |range: &str| {
        let numbers: Vec<u32> = range.split(':').map(id).collect::<Option<_>>()?;
        let (inside, outside, size) = match *numbers.as_slice() {
            [inside, outside] => (inside, outside, 1),
            [inside, outside, size] if size > 0 => (inside, outside, size),
            _ => return None,
        };
        // Neither end may leave the range of ids.
        let fits = |first: u32| first.checked_add(size - 1).is_some_and(|last| last <= LAST_ID);
        (fits(inside) && fits(outside)).then_some(IdMap { inside, outside, size })
    };
    text.split(',').map(one).collect()
}

fn refuse(option: &str, why: &str) -> Failure {
    Failure::new("use the volume option", why)
        .on(option)
        .hint("The options are type, device and o, as in fstab, and uid, gid, mode, idmap.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<LocalOptions> {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        LocalOptions::parse(&options)
    }

    #[test]
    fn lines_of_fstab() {
        let shown = [
            parse(&[]),
            parse(&[("type", "none"), ("device", "/srv"), ("o", "bind,ro")]),
            parse(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m,uid=1000,noexec")]),
            parse(&[("type", "nfs"), ("device", ":/export"), ("o", "addr=10.0.0.2,rw,nfsvers=4")]),
            parse(&[("uid", "1000"), ("gid", "50"), ("mode", "0750")]),
            parse(&[("idmap", "1000:0,100:100:2")]),
        ];
        let shown = shown.map(|options| {
            let LocalOptions { mounted, owner: Owner { uid, gid, mode }, idmap } = options.unwrap();
            let mounted = match mounted {
                None => "its own directory".to_owned(),
                Some(Mounted::Bind { device, attributes }) => {
                    format!("{} ro={}", device.display(), attributes.readonly)
                }
                Some(Mounted::FileSystem { kind, options, attributes }) => {
                    format!("{kind} {:?} ro={} noexec={}", options.0, attributes.readonly, attributes.noexec)
                }
            };
            let maps: Vec<_> = idmap.iter().map(|map| (map.inside, map.outside, map.size)).collect();
            format!("{mounted}, {uid:?}:{gid:?} {mode:?}, {maps:?}")
        });
        insta::assert_snapshot!(shown.join("\n"), @r#"
        its own directory, None:None None, []
        /srv ro=true, None:None None, []
        tmpfs ["source=tmpfs", "size=1m", "uid=1000"] ro=false noexec=true, None:None None, []
        nfs ["source=:/export", "addr=10.0.0.2", "nfsvers=4"] ro=false noexec=false, None:None None, []
        its own directory, Some(1000):Some(50) Some(488), []
        its own directory, None:None None, [(1000, 0, 1), (100, 100, 2)]
        "#);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = [
            parse(&[("size", "1m")]),
            parse(&[("type", "tmpfs")]),
            parse(&[("device", "/srv")]),
            parse(&[("o", "ro")]),
            parse(&[("type", "none"), ("device", "/srv")]),
            parse(&[("type", "none"), ("device", "srv"), ("o", "bind")]),
            parse(&[("uid", "root")]),
            parse(&[("uid", "4294967295")]),
            parse(&[("mode", "9")]),
            parse(&[("idmap", "1")]),
            parse(&[("idmap", "0:0:0")]),
            parse(&[("idmap", "2147483647:0:2")]),
            parse(&[("uid", "1"), ("type", "none"), ("device", "/srv"), ("o", "bind")]),
            parse(&[("idmap", "1:0"), ("type", "tmpfs"), ("device", "tmpfs")]),
        ];
        insta::assert_snapshot!(refused.map(|options| options.unwrap_err().to_string()).join("\n"), @r#"
        cannot use the volume option size: invalid option: "size"
        cannot use the volume option device: missing required option: "device"
        cannot use the volume option type: missing required option: "type"
        cannot use the volume option device: missing required option: "device"
        cannot use the volume option type=none: it needs o=bind
        cannot use the volume option device=srv: a directory of the host has an absolute path
        cannot use the volume option uid=root: it is no user id
        cannot use the volume option uid=4294967295: it is no user id
        cannot use the volume option mode=9: it is no octal mode
        cannot use the volume option idmap=1: it is not DISK:CONTAINER[:COUNT]
        cannot use the volume option idmap=0:0:0: it is not DISK:CONTAINER[:COUNT]
        cannot use the volume option idmap=2147483647:0:2: it is not DISK:CONTAINER[:COUNT]
        cannot use the volume option uid, gid, mode: they are for the volume's own directory; write them into o for tmpfs
        cannot use the volume option idmap: it is for directories
        "#);
    }
}
