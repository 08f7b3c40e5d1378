//! `--mount`: `type=bind,source=/a,target=/b,readonly`, with the options of each type.

use std::collections::HashMap;

use bollard_stubs::models::{
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountImageOptions, MountTmpfsOptions, MountTypeEnum,
    MountVolumeOptions, MountVolumeOptionsDriverConfig,
};

use super::{absolute, boolean, fields, size};

/// What is known after reading the fields; which of it may be there depends on the type.
#[derive(Default)]
struct Parts {
    mount: Mount,
    bind: Option<MountBindOptions>,
    volume: Option<MountVolumeOptions>,
    tmpfs: Option<MountTmpfsOptions>,
    image: Option<MountImageOptions>,
    driver: Option<MountVolumeOptionsDriverConfig>,
}

/// One `--mount`.
pub(crate) fn parse(text: &str) -> Result<Mount, String> {
    let mut parts = Parts { mount: Mount { typ: Some(MountTypeEnum::VOLUME), ..Mount::default() }, ..Parts::default() };
    for field in fields(text)? {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.to_lowercase();
        match (key.as_str(), value) {
            ("readonly" | "ro", None) => parts.mount.read_only = Some(true),
            ("volume-nocopy", None) => parts.volume().no_copy = Some(true),
            ("bind-nonrecursive", None) => parts.bind().non_recursive = Some(true),
            (_, None) => return Err(format!("invalid field '{field}' must be a key=value pair")),
            (key, Some(value)) => parts.set(key, value, &field)?,
        }
    }
    parts.finish()
}

impl Parts {
    fn bind(&mut self) -> &mut MountBindOptions {
        self.bind.get_or_insert_default()
    }

    fn volume(&mut self) -> &mut MountVolumeOptions {
        self.volume.get_or_insert_default()
    }

    fn set(&mut self, key: &str, value: &str, field: &str) -> Result<(), String> {
        let truth = || boolean(value).map_err(|_| format!("invalid value for {key}: {value}"));
        match key {
            "type" => self.mount.typ = Some(kind(value)?),
            "source" | "src" => self.mount.source = Some(absolute(value)),
            "target" | "dst" | "destination" => self.mount.target = Some(value.to_owned()),
            "readonly" | "ro" => self.mount.read_only = Some(truth()?),
            "consistency" => self.mount.consistency = Some(value.to_lowercase()),
            "bind-propagation" => self.bind().propagation = Some(propagation(value)?),
            "bind-nonrecursive" => self.bind().non_recursive = Some(truth()?),
            "bind-recursive" => self.recursive(value)?,
            "volume-subpath" => self.volume().subpath = Some(value.to_owned()),
            "volume-nocopy" => self.volume().no_copy = Some(truth()?),
            "volume-label" => insert(self.volume().labels.get_or_insert_default(), value),
            "volume-driver" => self.driver.get_or_insert_default().name = Some(value.to_owned()),
            "volume-opt" => insert(self.driver.get_or_insert_default().options.get_or_insert_default(), value),
            "image-subpath" => self.image.get_or_insert_default().subpath = Some(value.to_owned()),
            "tmpfs-size" => {
                let bytes = size::parse(value).map_err(|_| format!("invalid value for {key}: {value}"))?;
                self.tmpfs.get_or_insert_default().size_bytes = Some(bytes);
            }
            "tmpfs-mode" => {
                let mode = i64::from_str_radix(value, 8).map_err(|_| format!("invalid value for {key}: {value}"))?;
                self.tmpfs.get_or_insert_default().mode = Some(mode);
            }
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
        Ok(())
    }

    /// Whether the mounts below the source come along, and whether they become read-only too.
    fn recursive(&mut self, value: &str) -> Result<(), String> {
        match value {
            "enabled" => {}
            "disabled" => self.bind().non_recursive = Some(true),
            "writable" => self.bind().read_only_non_recursive = Some(true),
            "readonly" => self.bind().read_only_force_recursive = Some(true),
            _ => {
                return Err(format!(
                    "invalid value for bind-recursive: {value} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
                ));
            }
        }
        Ok(())
    }

    /// Puts the options in their place and refuses those of another type.
    fn finish(mut self) -> Result<Mount, String> {
        if self.driver.is_some() {
            let driver = self.driver.take();
            self.volume().driver_config = driver;
        }
        let kind = self.mount.typ.unwrap_or(MountTypeEnum::VOLUME);
        if self.mount.target.as_deref().unwrap_or_default().is_empty() {
            return Err("target is required".to_owned());
        }
        let given = [
            (self.bind.is_some(), MountTypeEnum::BIND, "bind-*"),
            (self.volume.is_some(), MountTypeEnum::VOLUME, "volume-*"),
            (self.image.is_some(), MountTypeEnum::IMAGE, "image-*"),
            (self.tmpfs.is_some(), MountTypeEnum::TMPFS, "tmpfs-*"),
        ];
        if let Some((.., options)) = given.iter().find(|(given, of, _)| *given && *of != kind) {
            return Err(format!("cannot mix '{options}' options with mount type '{kind}'"));
        }
        if let Some(options) = &self.bind
            && options.read_only_force_recursive == Some(true)
        {
            if self.mount.read_only != Some(true) {
                return Err(
                    "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction".to_owned()
                );
            }
            if options.propagation != Some(MountBindOptionsPropagationEnum::RPRIVATE) {
                return Err("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction".to_owned());
            }
        }
        Ok(Mount {
            bind_options: self.bind,
            volume_options: self.volume,
            tmpfs_options: self.tmpfs,
            image_options: self.image,
            ..self.mount
        })
    }
}

/// The types that a Linux host has.
fn kind(text: &str) -> Result<MountTypeEnum, String> {
    match text.to_lowercase().as_str() {
        "bind" => Ok(MountTypeEnum::BIND),
        "volume" => Ok(MountTypeEnum::VOLUME),
        "tmpfs" => Ok(MountTypeEnum::TMPFS),
        "image" => Ok(MountTypeEnum::IMAGE),
        "npipe" => Err("npipe is a mount type of Windows".to_owned()),
        "cluster" => Err("cluster volumes need swarm, which this client does not speak".to_owned()),
        _ => Err(format!("unknown mount type '{text}': it must be bind, volume, tmpfs or image")),
    }
}

fn propagation(text: &str) -> Result<MountBindOptionsPropagationEnum, String> {
    text.to_lowercase().parse().map_err(|_| format!("invalid value for bind-propagation: {text}"))
}

fn insert(map: &mut HashMap<String, String>, pair: &str) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    map.insert(name.to_owned(), value.to_owned());
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn json(text: &str) -> String {
        serde_json::to_value(parse(text).unwrap()).unwrap().to_string()
    }

    #[test]
    fn each_type_has_its_options() {
        insta::assert_snapshot!(json("type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave"), @r#"{"BindOptions":{"Propagation":"rslave"},"ReadOnly":true,"Source":"/a","Target":"/b","Type":"bind"}"#);
        insta::assert_snapshot!(json(r#"source=data,target=/d,volume-nocopy,"volume-opt=o=addr=1,rw",volume-label=a=b"#), @r#"{"Source":"data","Target":"/d","Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"o":"addr=1,rw"}},"Labels":{"a":"b"},"NoCopy":true}}"#);
        insta::assert_snapshot!(json("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777"), @r#"{"Target":"/t","TmpfsOptions":{"Mode":1023,"SizeBytes":1048576},"Type":"tmpfs"}"#);
        insta::assert_snapshot!(json("type=image,source=busybox,target=/i,image-subpath=bin"), @r#"{"ImageOptions":{"Subpath":"bin"},"Source":"busybox","Target":"/i","Type":"image"}"#);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("foo", "invalid field 'foo' must be a key=value pair"),
            ("type=bind,src=/a", "target is required"),
            ("type=zip,target=/a", "unknown mount type 'zip'"),
            ("type=bind,target=/a,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"),
            ("type=npipe,target=/a", "Windows"),
            ("target=/a,colour=red", "unexpected key 'colour' in 'colour=red'"),
            ("target=/a,ro=maybe", "invalid value for ro: maybe"),
            ("type=bind,target=/a,bind-recursive=readonly", "requires 'readonly'"),
            ("type=tmpfs,target=/a,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
