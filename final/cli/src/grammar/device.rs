//! Devices: `--device`, `--device-cgroup-rule`, and the rates and weights of block devices.

use bollard_stubs::models::{DeviceMapping, ResourcesBlkioWeightDevice, ThrottleDevice};

use super::size;

/// What `--device` can mean.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// A node of the host.
    Node(DeviceMapping),
    /// What a vendor has described under this name: `vendor.com/class=name`.
    Named(String),
}

/// A name or a path. They cannot be confused: a path begins with a slash, and a name has none before its first dot.
pub(crate) fn wanted(text: &str) -> Result<Wanted, String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.ends_with(|c: char| c.is_ascii_alphanumeric())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
    };
    let parts = text.split_once('=').and_then(|(kind, name)| Some((kind.split_once('/')?, name)));
    match parts {
        Some(((vendor, class), name)) if [vendor, class, name].into_iter().all(is_word) => {
            Ok(Wanted::Named(text.to_owned()))
        }
        _ => mapping(text).map(Wanted::Node),
    }
}

/// `/dev/x`, `/dev/x:/dev/y`, `/dev/x:rwm`, `/dev/x:/dev/y:rwm`.
pub(crate) fn mapping(text: &str) -> Result<DeviceMapping, String> {
    let (source, target, mode) = match text.split(':').collect::<Vec<_>>().as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, mode] if is_mode(mode) => (*source, *source, *mode),
        [source, target] => (*source, *target, "rwm"),
        [source, target, mode] if is_mode(mode) => (*source, *target, *mode),
        [_, _, mode] => return Err(format!("bad mode specified: {mode}")),
        _ => return Err(format!("invalid device specification: {text}")),
    };
    if source.is_empty() || !target.starts_with('/') {
        return Err(format!("{target} is not an absolute path"));
    }
    Ok(DeviceMapping {
        path_on_host: Some(source.to_owned()),
        path_in_container: Some(target.to_owned()),
        cgroup_permissions: Some(mode.to_owned()),
    })
}

/// Any of `r`, `w`, `m`, each at most once.
fn is_mode(text: &str) -> bool {
    let once = |letter: char| text.matches(letter).count() <= 1;
    !text.is_empty() && text.chars().all(|c| "rwm".contains(c)) && "rwm".chars().all(once)
}

/// `c 1:3 rwm`, with `*` for any number and `a` for both kinds.
pub(crate) fn cgroup_rule(text: &str) -> Result<String, String> {
    let number = |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let valid = match text.split(' ').collect::<Vec<_>>().as_slice() {
        [kind, numbers, mode] => {
            matches!(*kind, "a" | "b" | "c")
                && numbers.split_once(':').is_some_and(|(major, minor)| number(major) && number(minor))
                && is_mode(mode)
        }
        _ => false,
    };
    if valid { Ok(text.to_owned()) } else { Err(format!("invalid device cgroup format '{text}'")) }
}

/// `/dev/sda:1mb`: bytes per second.
pub(crate) fn bytes_per_second(text: &str) -> Result<ThrottleDevice, String> {
    let bad = || {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        )
    };
    rate(text, size::parse).map_err(|()| bad())
}

/// `/dev/sda:1000`: operations per second.
pub(crate) fn operations_per_second(text: &str) -> Result<ThrottleDevice, String> {
    let bad = || {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer"
        )
    };
    rate(text, |number| number.parse().map_err(|_| String::new())).map_err(|()| bad())
}

fn rate(text: &str, number: impl Fn(&str) -> Result<i64, String>) -> Result<ThrottleDevice, ()> {
    let (path, rate) = text.split_once(':').ok_or(())?;
    let rate = number(rate).ok().filter(|rate| *rate >= 0).ok_or(())?;
    if !path.starts_with("/dev/") {
        return Err(());
    }
    Ok(ThrottleDevice { path: Some(path.to_owned()), rate: Some(rate) })
}

/// `/dev/sda:500`: a weight from 10 to 1000, or 0 for none.
pub(crate) fn weight(text: &str) -> Result<ResourcesBlkioWeightDevice, String> {
    let (path, weight) = text.split_once(':').ok_or_else(|| format!("bad format: {text}"))?;
    if !path.starts_with("/dev/") {
        return Err(format!("bad format for device path: {text}"));
    }
    let weight = weight.parse::<usize>().ok().filter(|weight| *weight == 0 || (10..=1000).contains(weight));
    let weight = weight.ok_or_else(|| format!("invalid weight for device: {text}"))?;
    Ok(ResourcesBlkioWeightDevice { path: Some(path.to_owned()), weight: Some(weight) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String, String)> {
        let device = mapping(text).ok()?;
        Some((device.path_on_host?, device.path_in_container?, device.cgroup_permissions?))
    }

    #[test]
    fn a_device_has_two_paths_and_a_mode() {
        let parts = |text| parts(text).unwrap();
        let own = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(parts("/dev/a"), own("/dev/a", "/dev/a", "rwm"));
        assert_eq!(parts("/dev/a:/dev/b"), own("/dev/a", "/dev/b", "rwm"));
        assert_eq!(parts("/dev/a:r"), own("/dev/a", "/dev/a", "r"));
        assert_eq!(parts("/dev/a:/dev/b:rw"), own("/dev/a", "/dev/b", "rw"));
        for text in ["", "/dev/a:b", "/dev/a:/dev/b:x", "/dev/a:/dev/b:rr", "a:b:c:d"] {
            assert!(mapping(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rules() {
        assert!(cgroup_rule("c 1:3 rwm").is_ok());
        assert!(cgroup_rule("a *:* r").is_ok());
        for text in ["x 1:3 r", "c 1 r", "c 1:3", "c 1:3 z", "c a:3 r"] {
            assert!(cgroup_rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_and_weights() {
        assert_eq!(bytes_per_second("/dev/sda:1mb").unwrap().rate, Some(1 << 20));
        assert_eq!(operations_per_second("/dev/sda:1000").unwrap().rate, Some(1000));
        assert!(operations_per_second("/dev/sda:1mb").is_err());
        assert!(bytes_per_second("sda:1").is_err());
        assert_eq!(weight("/dev/sda:500").unwrap().weight, Some(500));
        assert!(weight("/dev/sda:5").is_err());
    }
}
