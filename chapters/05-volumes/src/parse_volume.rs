//! `-v SOURCE:TARGET[:MODE]`: short, and so ambiguous that the rules need a page. A source with a leading `/` is a path
//! of the host, any other is the name of a volume; without a source the volume is anonymous.
//!
//! | written | means |
//! |---|---|
//! | `/data` | a new volume with a random name, at `/data` |
//! | `data:/data` | the volume `data` |
//! | `/srv/data:/data` | the host's directory `/srv/data`, made if missing |
//! | `data:/data:ro` | read-only |
//! | `data:/data:nocopy` | not filled from the image |
//! | `/srv:/data:rslave` | mounts that the host makes below `/srv` later arrive inside |
//!
//! A path with a colon in it cannot be written this way; `--mount` can. Relative paths (`./data`) are the command
//! line's to resolve: what arrives here is seen from nowhere, so they are refused.

use std::collections::BTreeSet;

use namespaces::{Failure, Result};

use crate::request::{Bind, BindRecursion, Kind, NamedVolume, VolumeMount, propagation_mode};

/// Reads docker's short notation, as it stands after `-v` and in `HostConfig.Binds`.
///
/// `MODE` is a comma-separated list: `ro` or `rw`; for a path of the host a propagation (`rslave`); for a volume
/// `nocopy`; and `z`, `Z`, `consistent`, `cached`, `delegated`, which mean something on other systems and are accepted
/// without effect.
///
/// ```
/// let mount = volumes::parse_volume("data:/var/lib/data:ro").unwrap();
/// assert!(mount.readonly);
/// ```
///
/// # Errors
/// The failure quotes the specification and names the field that is wrong.
pub fn parse_volume(spec: &str) -> Result<VolumeMount> {
    let refused = |cause: String| wrong(spec, &cause);
    let fields: Vec<&str> = spec.split(':').collect();
    let (source, target, mode) = match *fields.as_slice() {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, mode] => (Some(source), target, mode),
        _ => return Err(refused("it has more than three fields".to_owned())),
    };
    if source == Some("") {
        return Err(refused("the source is empty".to_owned()));
    }
    if target.is_empty() {
        return Err(refused("the target is empty".to_owned()));
    }
    let on_host = source.is_some_and(|source| source.starts_with('/'));
    let mode = Mode::parse(mode, on_host).map_err(refused)?;
    let kind = match source {
        Some(path) if on_host => Kind::Bind(Bind { create_host_path: true, ..mode.bind(path) }),
        name => Kind::Volume(NamedVolume { copy: !mode.nocopy, ..NamedVolume::new(name) }),
    };
    VolumeMount::new(target, mode.readonly, kind).map_err(|failure| match source {
        Some(name) if name.starts_with('.') || name.contains('/') && !on_host => {
            wrong(spec, &failure.to_string()).hint("If you mean a directory of the host, write its absolute path.")
        }
        _ => wrong(spec, &failure.to_string()),
    })
}

/// Every complaint quotes what was typed and shows what can be.
fn wrong(spec: &str, cause: &str) -> Failure {
    Failure::new("use the volume", cause)
        .on(format!("{spec:?}"))
        .hint("Write [SOURCE:]TARGET[:MODE], such as /srv/www:/www:ro or data:/var/lib/data.")
}

/// The third field.
#[derive(Default)]
struct Mode {
    readonly: bool,
    nocopy: bool,
    propagation: Option<&'static str>,
}

/// Which words exclude each other, and which sources they are for.
const WORDS: [(&str, Group); 15] = [
    ("ro", Group::Access),
    ("rw", Group::Access),
    ("nocopy", Group::Copy),
    ("private", Group::Propagation),
    ("rprivate", Group::Propagation),
    ("shared", Group::Propagation),
    ("rshared", Group::Propagation),
    ("slave", Group::Propagation),
    ("rslave", Group::Propagation),
    ("z", Group::Label),
    ("Z", Group::Label),
    ("consistent", Group::Consistency),
    ("cached", Group::Consistency),
    ("delegated", Group::Consistency),
    ("default", Group::Consistency),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Access,
    Copy,
    Propagation,
    Label,
    Consistency,
}

impl Mode {
    /// Each group of words may be spoken for once: `ro,rw` is a contradiction and `ro,ro` a typing error.
    fn parse(text: &str, on_host: bool) -> std::result::Result<Self, String> {
        // SOLUTION vol-words
        let mut mode = Self::default();
        let mut seen = BTreeSet::new();
        for word in text.split(',').filter(|_| !text.is_empty()) {
            let known = WORDS.into_iter().find(|(known, _)| *known == word);
            let (word, group) = known.ok_or_else(|| format!("the mode {word:?} is unknown"))?;
            if !seen.insert(group) {
                return Err(format!("the mode {word:?} contradicts or repeats an earlier one"));
            }
            match group {
                Group::Copy if on_host => return Err("nocopy is for volumes, not for paths of the host".to_owned()),
                Group::Propagation if !on_host => {
                    return Err(format!("{word} is for paths of the host, not for volumes"));
                }
                Group::Access => mode.readonly = word == "ro",
                Group::Copy => mode.nocopy = true,
                Group::Propagation => mode.propagation = Some(word),
                Group::Label | Group::Consistency => {}
            }
        }
        Ok(mode)
        // END SOLUTION
    }

    /// A path of the host with the propagation that was asked for, else private.
    fn bind(&self, path: &str) -> Bind {
        let default = Bind { recursion: BindRecursion::Enabled, ..Bind::new(path) };
        match self.propagation.and_then(propagation_mode) {
            Some((propagation, recursive_propagation)) => Bind { propagation, recursive_propagation, ..default },
            None => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_names_and_nothing() {
        let specs = ["/data", "data:/d", "/srv:/d", "data:/d:ro,nocopy,z", "/srv:/d/:rslave,ro"];
        let shown = specs.map(|spec| format!("{spec}\n  {:?}", parse_volume(spec).unwrap()));
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn the_bad_field_is_named() {
        let specs = [
            "",
            "data",
            "data:",
            ":/d",
            "data:d",
            "data:ro",
            "data:/",
            "./here:/d",
            "a/b:/d",
            "/a:/b:ro:rw",
            "/a:/b:ro,rw",
            "/a:/b:rw,rw",
            "/a:/b:nocopy",
            "data:/b:rslave",
            "/a:/b:fast",
            "/a:/b:,",
        ];
        let shown = specs.map(|spec| parse_volume(spec).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"));
    }

    proptest! {
        #[test]
        fn whatever_is_typed_never_panics(spec in "[a-z/:.,]{0,30}") {
            if let Ok(mount) = parse_volume(&spec) {
                prop_assert!(mount.target.is_absolute());
            }
        }
    }
}
