//! Devices of the host that a container gets: a node in its `/dev`, and the leave to open it.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use bollard_stubs::models::{HostConfig, ResourcesBlkioWeightDevice, ThrottleDevice};
use cgroups::{DeviceKind, DeviceRule, DeviceWeight, Throttle};
use namespaces::{Cause, Device};
use rustix::fs::{major, minor};

use crate::error::{Error, Result};

/// A device of the host, and where the container finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostDevice {
    /// Path inside the container.
    pub(crate) path: PathBuf,
    /// Character or block.
    pub(crate) kind: DeviceKind,
    /// Its number.
    pub(crate) number: (u32, u32),
    /// Permission bits and owner, as on the host.
    pub(crate) mode: u32,
    /// User and group.
    pub(crate) owner: (u32, u32),
    /// `rwm`: may be read, written, made.
    pub(crate) permissions: String,
}

impl HostDevice {
    /// Looks at the device at `path`.
    pub(super) fn look(path: &Path, inside: &Path, permissions: &str) -> Result<Self> {
        let refused = |error: io::Error| {
            let reason = error.failure("look").cause.unwrap_or_default().to_lowercase();
            let what = "error gathering device information while adding custom device";
            let message = format!("{what} \"{}\": {reason}", path.display());
            Error::invalid(message).hint("Look for its name in /dev of the host.")
        };
        let metadata = fs::metadata(path).map_err(refused)?;
        let kind = match metadata.file_type() {
            kind if kind.is_char_device() => DeviceKind::Character,
            kind if kind.is_block_device() => DeviceKind::Block,
            _ => {
                let path = path.display().to_string();
                return Err(Error::invalid(format!(
                    "error gathering device information while adding custom device {path:?}: not a device node"
                )));
            }
        };
        Ok(Self {
            path: inside.to_owned(),
            kind,
            number: (major(metadata.rdev()), minor(metadata.rdev())),
            mode: metadata.mode() & 0o777,
            owner: (metadata.uid(), metadata.gid()),
            permissions: permissions.to_owned(),
        })
    }

    /// The node to make.
    pub(super) fn node(&self) -> Device {
        let kind = match self.kind {
            DeviceKind::Character => 'c',
            DeviceKind::Block => 'b',
        };
        let ((major, minor), (uid, gid)) = (self.number, self.owner);
        Device { path: self.path.clone(), kind, major, minor, mode: self.mode, uid, gid }
    }

    fn rule(&self) -> DeviceRule {
        let (major, minor) = self.number;
        let rule = DeviceRule { kind: self.kind, ..DeviceRule::character(major, minor) };
        permitted(rule, &self.permissions)
    }
}

fn permitted(rule: DeviceRule, letters: &str) -> DeviceRule {
    DeviceRule { read: letters.contains('r'), write: letters.contains('w'), mknod: letters.contains('m'), ..rule }
}

/// The devices that were asked for; for a privileged container all of the host's.
pub(crate) fn look_up(host: &HostConfig) -> Result<Vec<HostDevice>> {
    if host.privileged == Some(true) {
        return Ok(all(Path::new("/dev"), &[]));
    }
    let mut found = Vec::new();
    for wanted in host.devices.iter().flatten() {
        let path = PathBuf::from(wanted.path_on_host.clone().unwrap_or_default());
        let inside = wanted.path_in_container.clone().filter(|inside| !inside.is_empty());
        let inside = inside.map_or_else(|| path.clone(), PathBuf::from);
        let letters = wanted.cgroup_permissions.as_deref().filter(|letters| !letters.is_empty()).unwrap_or("rwm");
        if !letters.chars().all(|letter| "rwm".contains(letter)) {
            return Err(Error::invalid(format!("invalid device mode: {letters}")).hint("Any of r, w and m."));
        }
        found.push(HostDevice::look(&path, &inside, letters)?);
    }
    Ok(found)
}

/// Every device below `directory` but those that every container has of its own, and what vanishes while we look.
fn all(directory: &Path, found: &[HostDevice]) -> Vec<HostDevice> {
    const OWN: [&str; 12] =
        ["pts", "shm", "mqueue", "fd", "console", "ptmx", "null", "zero", "full", "random", "urandom", "tty"];
    let mut found = found.to_vec();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if OWN.iter().any(|own| *own == name) || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            found = all(&path, &found);
        } else if kind.is_char_device() || kind.is_block_device() {
            found.extend(HostDevice::look(&path, &path, "rwm"));
        }
    }
    found
}

/// What may be opened: docker's list, the devices that were given, and `--device-cgroup-rule`.
pub(super) fn rules(host: &HostConfig, devices: &[HostDevice]) -> Result<Vec<DeviceRule>> {
    let mut rules = DeviceRule::defaults();
    rules.extend(devices.iter().map(HostDevice::rule));
    for text in host.device_cgroup_rules.iter().flatten() {
        let refuse = || Error::invalid(format!("invalid device cgroup rule format: '{text}'"));
        rules.push(parse_rule(text).ok_or_else(refuse)?);
    }
    Ok(rules)
}

/// `c 42:* rmw`
fn parse_rule(text: &str) -> Option<DeviceRule> {
    let mut words = text.split_whitespace();
    let kind = match words.next()? {
        "c" => DeviceKind::Character,
        "b" => DeviceKind::Block,
        _ => return None,
    };
    let (major, minor) = words.next()?.split_once(':')?;
    let number = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
    let letters = words.next()?;
    if words.next().is_some() || !letters.chars().all(|letter| "rwm".contains(letter)) {
        return None;
    }
    let rule = DeviceRule { kind, major: number(major)?, minor: number(minor)?, ..DeviceRule::character(0, 0) };
    Some(permitted(rule, letters))
}

/// The block devices whose use is limited.
pub(crate) fn throttles(host: &HostConfig) -> Result<Vec<Throttle>> {
    type Set = fn(&mut Throttle) -> &mut Option<u64>;
    let lists: [(&Option<Vec<ThrottleDevice>>, Set); 4] = [
        (&host.blkio_device_read_bps, |throttle| &mut throttle.read_bps),
        (&host.blkio_device_write_bps, |throttle| &mut throttle.write_bps),
        (&host.blkio_device_read_iops, |throttle| &mut throttle.read_iops),
        (&host.blkio_device_write_iops, |throttle| &mut throttle.write_iops),
    ];
    let mut throttles: Vec<Throttle> = Vec::new();
    for (list, field) in lists {
        for wanted in list.iter().flatten() {
            let path = PathBuf::from(wanted.path.clone().unwrap_or_default());
            let (major, minor) = HostDevice::look(&path, &path, "r")?.number;
            let same = |throttle: &Throttle| (throttle.major, throttle.minor) == (major, minor);
            let index = throttles.iter().position(same).unwrap_or(throttles.len());
            if index == throttles.len() {
                throttles.push(Throttle { major, minor, ..Throttle::default() });
            }
            if let Some(throttle) = throttles.get_mut(index) {
                *field(throttle) = wanted.rate.and_then(|rate| u64::try_from(rate).ok());
            }
        }
    }
    Ok(throttles)
}

/// The block devices whose use is weighed against others'.
pub(crate) fn weights(host: &HostConfig) -> Result<Vec<DeviceWeight>> {
    let look = |wanted: &ResourcesBlkioWeightDevice| {
        let path = PathBuf::from(wanted.path.clone().unwrap_or_default());
        let (major, minor) = HostDevice::look(&path, &path, "r")?.number;
        let weight = wanted.weight.and_then(|weight| u16::try_from(weight).ok()).unwrap_or(0);
        Ok(DeviceWeight { major, minor, weight })
    };
    host.blkio_weight_device.iter().flatten().map(look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_the_kernel_writes_them() {
        for text in ["c 42:7 rwm", "b *:* m", "c 10:* rw"] {
            assert_eq!(parse_rule(text).unwrap().to_string(), text);
        }
        for text in ["", "a 1:1 rwm", "c 1 rwm", "c 1:1 x", "c 1:1 rwm more"] {
            assert_eq!(parse_rule(text), None, "{text}");
        }
    }

    #[test]
    fn a_device_is_looked_at() {
        let host = |path: &str| HostConfig {
            devices: Some(vec![bollard_stubs::models::DeviceMapping {
                path_on_host: Some(path.into()),
                path_in_container: Some("/dev/zilch".into()),
                cgroup_permissions: Some("r".into()),
            }]),
            ..HostConfig::default()
        };
        let [null] = look_up(&host("/dev/null")).unwrap().try_into().unwrap();
        assert_eq!((null.rule().to_string(), null.node().path), ("c 1:3 r".into(), PathBuf::from("/dev/zilch")));
        insta::assert_snapshot!(look_up(&host("/etc/passwd")).unwrap_err(), @r#"error gathering device information while adding custom device "/etc/passwd": not a device node"#);
        insta::assert_snapshot!(look_up(&host("/dev/nothing")).unwrap_err(), @r#"
        error gathering device information while adding custom device "/dev/nothing": no such file or directory
        Look for its name in /dev of the host.
        "#);
    }
}
