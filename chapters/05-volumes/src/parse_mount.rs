//! `--mount type=bind,source=/srv,target=/www,readonly`: one `key=value` per property, nothing implied.
//!
//! It can say everything that `-v` can and more, and it refuses what `-v` guesses: a bind's source must exist, a key
//! must belong to the type, a value must be one of those there are. `type` may stand anywhere, so all fields are read
//! before any is judged.

use namespaces::{Failure, Result};

use crate::parse_tmpfs::octal_mode;
use crate::request::{Bind, BindRecursion, ImageFiles, Kind, NamedVolume, Tmpfs, VolumeMount, propagation_mode};

/// Reads docker's long notation: comma-separated fields, a field with a comma in it in double quotes.
///
/// | for | keys |
/// |---|---|
/// | every type | `type` (`bind`, `volume`, `tmpfs`, `image`; default `volume`), `target` (`dst`, `destination`), `readonly` (`ro`), `consistency` |
/// | bind | `source` (`src`), `bind-propagation`, `bind-recursive`, `bind-nonrecursive`, `bind-create-src` |
/// | volume | `source` (`src`), `volume-nocopy`, `volume-subpath`, `volume-driver`, `volume-label`, `volume-opt` |
/// | tmpfs | `tmpfs-size`, `tmpfs-mode` |
/// | image | `source` (`src`), `image-subpath` |
///
/// ```
/// let mount = volumes::parse_mount("type=tmpfs,target=/run,tmpfs-size=1m").unwrap();
/// assert_eq!(mount.target.to_str(), Some("/run"));
/// ```
///
/// # Errors
/// The failure quotes the specification and names the field that is wrong.
pub fn parse_mount(spec: &str) -> Result<VolumeMount> {
    read(spec).map_err(|cause| {
        Failure::new("use the mount", cause)
            .on(format!("{spec:?}"))
            .hint("Write fields such as type=bind,source=/srv/www,target=/www,readonly.")
    })
}

/// Why a field cannot be used, in words.
type Wrong = String;

/// What was read so far, all types together: `type` may come last.
struct Fields {
    kind: String,
    source: Option<String>,
    target: Option<String>,
    readonly: bool,
    bind: Bind,
    volume: NamedVolume,
    tmpfs: Tmpfs,
    image_subpath: Option<String>,
    /// The first key of each type's own, to say which one does not fit.
    own_keys: Vec<String>,
}

fn read(spec: &str) -> std::result::Result<VolumeMount, Wrong> {
    let mut fields = Fields {
        kind: "volume".to_owned(),
        source: None,
        target: None,
        readonly: false,
        bind: Bind::new(""),
        volume: NamedVolume::new(None),
        tmpfs: Tmpfs::default(),
        image_subpath: None,
        own_keys: Vec::new(),
    };
    for field in split_fields(spec)? {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.trim().to_ascii_lowercase();
        fields.set(&key, value).map_err(|cause| format!("the field {field:?} {cause}"))?;
    }
    fields.finish()
}

impl Fields {
    /// One field. What is wrong with it is said as the end of a sentence that begins with the field.
    fn set(&mut self, key: &str, value: Option<&str>) -> std::result::Result<(), Wrong> {
        let own = ["bind-", "volume-", "tmpfs-", "image-"].into_iter().any(|prefix| key.starts_with(prefix));
        if own {
            self.own_keys.push(key.to_owned());
        }
        let given = value.filter(|value| !value.is_empty()).ok_or_else(|| "needs a value".to_owned());
        match key {
            "type" => self.kind = given?.to_ascii_lowercase(),
            "source" | "src" => self.source = Some(given?.to_owned()),
            "target" | "dst" | "destination" => self.target = Some(given?.to_owned()),
            "readonly" | "ro" => self.readonly = flag(value)?,
            // Means something where a virtual machine is between host and container.
            "consistency" => drop(given?),
            key if key.starts_with("bind-") => self.set_bind(key, value)?,
            key if key.starts_with("volume-") => self.set_volume(key, value)?,
            key if key.starts_with("tmpfs-") => self.set_tmpfs(key, given?)?,
            "image-subpath" => self.image_subpath = Some(given?.to_owned()),
            _ => return Err("is unknown".to_owned()),
        }
        Ok(())
    }

    /// The keys of type bind.
    fn set_bind(&mut self, key: &str, value: Option<&str>) -> std::result::Result<(), Wrong> {
        let unknown = || "is not one of its values".to_owned();
        match key {
            "bind-propagation" => {
                let (propagation, recursive) = value.and_then(propagation_mode).ok_or_else(unknown)?;
                self.bind.propagation = propagation;
                self.bind.recursive_propagation = recursive;
            }
            "bind-recursive" => {
                self.bind.recursion = match value {
                    Some("enabled") => BindRecursion::Enabled,
                    Some("disabled") => BindRecursion::Disabled,
                    Some("writable") => BindRecursion::Writable,
                    Some("readonly") => BindRecursion::Readonly,
                    _ => return Err(unknown()),
                }
            }
            "bind-nonrecursive" if flag(value)? => self.bind.recursion = BindRecursion::Disabled,
            "bind-nonrecursive" => {}
            "bind-create-src" => self.bind.create_host_path = flag(value)?,
            _ => return Err("is unknown".to_owned()),
        }
        Ok(())
    }

    /// The keys of type volume. Labels and options can be given several times.
    fn set_volume(&mut self, key: &str, value: Option<&str>) -> std::result::Result<(), Wrong> {
        let given = value.filter(|value| !value.is_empty()).ok_or_else(|| "needs a value".to_owned());
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        match key {
            "volume-nocopy" => self.volume.copy = !flag(value)?,
            "volume-subpath" => self.volume.subpath = Some(given?.into()),
            "volume-driver" => given?.clone_into(&mut self.volume.driver),
            "volume-label" => self.volume.labels.extend([pair(given?)]),
            "volume-opt" => self.volume.options.extend([pair(given?)]),
            _ => return Err("is unknown".to_owned()),
        }
        Ok(())
    }

    /// The keys of type tmpfs.
    fn set_tmpfs(&mut self, key: &str, value: &str) -> std::result::Result<(), Wrong> {
        match key {
            "tmpfs-size" => self.tmpfs.size = Some(cgroups::parse_size(value).map_err(|_| "is not a size".to_owned())?),
            "tmpfs-mode" => self.tmpfs.mode = Some(octal_mode(value).ok_or("is not an octal mode")?),
            _ => return Err("is unknown".to_owned()),
        }
        Ok(())
    }

    /// What the fields mean together.
    fn finish(self) -> std::result::Result<VolumeMount, Wrong> {
        let kind = self.kind.as_str();
        if let Some(stranger) = self.own_keys.iter().find(|key| !key.starts_with(&format!("{kind}-"))) {
            return Err(format!("the field {stranger:?} is not for type {kind}"));
        }
        let target = self.target.ok_or("the field \"target\" is missing")?;
        let kind = match (kind, self.source) {
            ("bind", Some(source)) => Kind::Bind(Bind { source: source.into(), ..self.bind }),
            ("bind", None) => return Err("the field \"source\" is missing: which path of the host?".to_owned()),
            ("volume", name) => Kind::Volume(NamedVolume { name, ..self.volume }),
            ("tmpfs", None) => Kind::Tmpfs(self.tmpfs),
            ("tmpfs", Some(_)) => return Err("the field \"source\" is not for type tmpfs".to_owned()),
            ("image", Some(image)) => Kind::Image(ImageFiles { image, subpath: self.image_subpath.map(Into::into) }),
            ("image", None) => return Err("the field \"source\" is missing: which image?".to_owned()),
            (kind, _) => return Err(format!("the type {kind:?} is none of bind, volume, tmpfs and image")),
        };
        VolumeMount::new(target, self.readonly, kind).map_err(|failure| failure.to_string())
    }
}

/// `readonly`, `readonly=true`, `readonly=1`, and their opposites.
fn flag(value: Option<&str>) -> std::result::Result<bool, Wrong> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err("must be true or false".to_owned()),
    }
}

/// Splits at commas that are not inside double quotes; a doubled quote inside quotes is one (RFC 4180).
fn split_fields(spec: &str) -> std::result::Result<Vec<String>, Wrong> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = spec.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(field) = fields.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => field.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            character => field.push(character),
        }
    }
    if quoted { Err("a double quote is not closed".to_owned()) } else { Ok(fields) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_types() {
        let specs = [
            "target=/d",
            "type=volume,src=data,dst=/d,volume-nocopy,ro",
            "source=data,target=/d,volume-subpath=a/b,volume-label=k=v,volume-driver=local,volume-opt=o=x",
            "type=bind,source=/srv,target=/www,readonly,bind-propagation=rslave",
            "type=bind,source=/srv,target=/www,readonly=false,bind-recursive=disabled",
            "\"source=/a,b\",target=/d,type=bind",
            "type=tmpfs,destination=/run,tmpfs-size=64k,tmpfs-mode=1770",
            "type=image,source=debian:12,target=/d,image-subpath=usr/share",
        ];
        let shown = specs.map(|spec| format!("{spec}\n  {:?}", parse_mount(spec).unwrap()));
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn the_bad_field_is_named() {
        let specs = [
            "",
            "type=bind",
            "type=bind,target=/d",
            "type=bind,source=x,target=/d",
            "type=npipe,source=/x,target=/d",
            "target=d",
            "target=/d,colour=red",
            "target=/d,readonly=perhaps",
            "target=/d,source=",
            "type=tmpfs,target=/d,source=x",
            "type=tmpfs,target=/d,tmpfs-mode=9",
            "type=tmpfs,target=/d,tmpfs-size=much",
            "type=tmpfs,target=/d,volume-nocopy",
            "type=bind,source=/s,target=/d,bind-propagation=far",
            "type=bind,source=/s,target=/d,bind-recursive=readonly",
            "source=data,target=/d,volume-subpath=../x",
            "target=/d,\"source=x",
            "type=image,target=/d",
            "type=image,source=debian,target=/d,image-subpath=/etc",
        ];
        let shown = specs.map(|spec| parse_mount(spec).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"));
    }

    proptest! {
        #[test]
        fn whatever_is_typed_never_panics(spec in "[a-z=/,\"-]{0,40}") {
            let _ = parse_mount(&spec);
        }
    }
}
