//! Devices by the name that their vendor gives them: `--device vendor.com/gpu=0`. The vendor describes each in a file, and the
//! description is what a container gets: nodes in `/dev`, files, variables (the Container Device Interface,
//! <https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md>).
//!
//! ```text
//! /etc/cdi/vendor.json      { "kind": "vendor.com/gpu", "devices": [{ "name": "0", "containerEdits": {…} }],
//! /var/run/cdi/*.json         "containerEdits": {…} }                        of every device of this file
//! ```
//!
//! What is in a later directory counts before what is in an earlier one. Files are read anew for every start: they are few, and a
//! vendor writes them when a driver is loaded.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bollard_stubs::models::{DeviceRequest, HostConfig};
use namespaces::mount::Source;
use namespaces::{Context, Mount};
use serde::Deserialize;
use serde_json::Value;
use volumes::{Attachment, Origin};

use super::devices::HostDevice;
use crate::error::{Error, Result};

/// The driver that `docker run --device vendor.com/gpu=0` asks for.
const DRIVER: &str = "cdi";

/// What devices change in the container that gets them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    /// Nodes.
    pub(crate) devices: Vec<HostDevice>,
    /// Files of the host.
    pub(crate) mounts: Vec<Attachment>,
    /// Variables, `NAME=VALUE`.
    pub(crate) env: Vec<String>,
    /// Groups that its processes are in.
    pub(crate) groups: Vec<String>,
}

/// One file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Described {
    #[allow(dead_code, reason = "whatever its version, fields that are unknown are refused")]
    cdi_version: String,
    kind: String,
    devices: Vec<Device>,
    #[serde(default)]
    container_edits: Written,
    #[serde(default, rename = "annotations")]
    _annotations: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Device {
    name: String,
    #[serde(default)]
    container_edits: Written,
    #[serde(default, rename = "annotations")]
    _annotations: Value,
}

/// `containerEdits`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    env: Vec<String>,
    device_nodes: Vec<Node>,
    mounts: Vec<Bind>,
    #[serde(rename = "additionalGids")]
    groups: Vec<u32>,
    /// What is neither: hooks, for one.
    #[serde(flatten)]
    more: HashMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    path: PathBuf,
    host_path: Option<PathBuf>,
    file_mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    permissions: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bind {
    host_path: PathBuf,
    container_path: PathBuf,
    #[serde(default)]
    options: Vec<String>,
}

/// Whether a request is for devices by name. All others want a vendor's own driver.
pub(crate) fn is_named(request: &DeviceRequest) -> bool {
    request.driver.as_deref() == Some(DRIVER)
}

/// What the devices that `host` names change.
///
/// # Errors
/// In docker's words when there is no such device, or it asks for what we cannot give.
pub(crate) fn look_up(host: &HostConfig, directories: &[PathBuf]) -> Result<Edits> {
    let requests = host.device_requests.iter().flatten().filter(|request| is_named(request));
    let names: Vec<&String> = requests.flat_map(|request| request.device_ids.iter().flatten()).collect();
    let mut edits = Edits::default();
    if names.is_empty() {
        return Ok(edits);
    }
    let (files, unread) = read_all(directories);
    let found: Vec<_> = names.iter().map(|name| find(&files, name)).collect();
    let lost: Vec<_> =
        names.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| name.as_str()).collect();
    if !lost.is_empty() {
        let unread: Vec<_> = unread.iter().map(|why| format!("{why}. ")).collect();
        let places: Vec<_> = directories.iter().map(|directory| directory.display().to_string()).collect();
        let hint = format!("{}Devices are described by files in {}.", unread.concat(), places.join(" and "));
        return Err(failed(&format!("unresolvable CDI devices {}", lost.join(", "))).hint(hint));
    }
    let mut files_used: Vec<*const Described> = Vec::new();
    for (file, device) in found.into_iter().flatten() {
        if !files_used.contains(&std::ptr::from_ref(file)) {
            files_used.push(file);
            edits.add(&file.container_edits)?;
        }
        edits.add(&device.container_edits)?;
    }
    Ok(edits)
}

fn failed(why: &str) -> Error {
    Error::internal(format!("CDI device injection failed: {why}"))
}

/// The files of all directories, those that count most first; and why others were not read.
fn read_all(directories: &[PathBuf]) -> (Vec<Described>, Vec<String>) {
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    for directory in directories.iter().rev() {
        let mut paths: Vec<_> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => match read(&path) {
                    Ok(file) => files.push(file),
                    Err(why) => unread.push(why.to_string()),
                },
                Some("yaml" | "yml") => unread.push(format!("{} is YAML, and only JSON is read", path.display())),
                _ => {}
            }
        }
    }
    (files, unread)
}

fn read(path: &Path) -> namespaces::Result<Described> {
    let text = fs::read(path).during("read", path.display())?;
    serde_json::from_slice(&text).during("understand", path.display())
}

/// The device that is called `vendor.com/class=name`.
fn find<'a>(files: &'a [Described], name: &str) -> Option<(&'a Described, &'a Device)> {
    let (kind, name) = name.split_once('=')?;
    let of_kind = files.iter().filter(|file| file.kind == kind);
    of_kind
        .flat_map(|file| file.devices.iter().map(move |device| (file, device)))
        .find(|(_, device)| device.name == name)
}

impl Edits {
    fn add(&mut self, written: &Written) -> Result<()> {
        let mut more: Vec<_> =
            written.more.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str()).collect();
        more.sort_unstable();
        if !more.is_empty() {
            return Err(failed(&format!("the description has {}", more.join(", ")))
                .hint("Skiff gives nodes, mounts, variables and groups, and runs no hooks of devices."));
        }
        self.env.extend(written.env.iter().cloned());
        self.groups.extend(written.groups.iter().map(u32::to_string));
        for node in &written.device_nodes {
            self.devices.push(node.look()?);
        }
        for bind in &written.mounts {
            self.mounts.push(bind.attachment()?);
        }
        Ok(())
    }
}

impl Node {
    fn look(&self) -> Result<HostDevice> {
        let letters = self.permissions.as_deref().filter(|letters| !letters.is_empty()).unwrap_or("rwm");
        let mut device = HostDevice::look(self.host_path.as_deref().unwrap_or(&self.path), &self.path, letters)?;
        device.mode = self.file_mode.unwrap_or(device.mode) & 0o777;
        device.owner = (self.uid.unwrap_or(device.owner.0), self.gid.unwrap_or(device.owner.1));
        Ok(device)
    }
}

impl Bind {
    fn attachment(&self) -> Result<Attachment> {
        let mut mount = Mount::bind(&self.host_path, &self.container_path);
        for option in &self.options {
            match option.as_str() {
                "bind" => mount.source = Source::Bind { path: self.host_path.clone(), recursive: false },
                "rbind" | "rw" | "suid" | "dev" | "exec" => {}
                "ro" => mount.attributes.readonly = true,
                "nosuid" => mount.attributes.nosuid = true,
                "nodev" => mount.attributes.nodev = true,
                "noexec" => mount.attributes.noexec = true,
                _ => return Err(failed(&format!("the mount of {} has the option {option}", self.host_path.display()))),
            }
        }
        Ok(Attachment { mount, origin: Origin::Host { create: false } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(home.path().join(name), text).unwrap();
        }
        let path = home.path().to_owned();
        (home, path)
    }

    fn asked(names: &[&str]) -> HostConfig {
        let ids = Some(names.iter().map(|&name| name.to_owned()).collect());
        let request = DeviceRequest { driver: Some(DRIVER.into()), device_ids: ids, ..DeviceRequest::default() };
        HostConfig { device_requests: Some(vec![request]), ..HostConfig::default() }
    }

    const VENDOR: &str = r#"{ "cdiVersion": "0.6.0", "kind": "vendor.com/toy", "containerEdits": { "env": ["ALL=1"] },
        "devices": [
            { "name": "0", "containerEdits": {
                "deviceNodes": [{ "path": "/dev/toy", "hostPath": "/dev/null", "permissions": "r", "fileMode": 384, "gid": 7 }],
                "mounts": [{ "hostPath": "/usr/lib", "containerPath": "/opt/toy", "options": ["ro", "nosuid", "bind"] }] } },
            { "name": "1", "containerEdits": { "env": ["ONE=1"], "additionalGids": [12] } },
            { "name": "hooked", "containerEdits": { "hooks": [{ "hookName": "prestart", "path": "/bin/true" }] } }
        ] }"#;

    #[test]
    fn a_device_is_what_its_file_says() {
        let (_home, path) = directory(&[("vendor.json", VENDOR)]);
        let edits = look_up(&asked(&["vendor.com/toy=0", "vendor.com/toy=1"]), &[path]).unwrap();
        assert_eq!((edits.env, edits.groups), (vec!["ALL=1".into(), "ONE=1".into()], vec!["12".into()]));
        let [toy] = edits.devices.try_into().unwrap();
        assert_eq!((toy.path.to_str().unwrap(), toy.number, toy.permissions.as_str()), ("/dev/toy", (1, 3), "r"));
        assert_eq!((toy.mode, toy.owner), (0o600, (0, 7)));
        let [mount] = edits.mounts.try_into().unwrap();
        let attributes = mount.mount.attributes;
        assert!(attributes.readonly && attributes.nosuid && !attributes.noexec);
    }

    #[test]
    fn a_later_directory_counts_first() {
        let other = VENDOR.replace("ONE=1", "ONE=2");
        let (_a, early) = directory(&[("vendor.json", VENDOR)]);
        let (_b, late) = directory(&[("vendor.json", &other)]);
        let edits = look_up(&asked(&["vendor.com/toy=1"]), &[early, late]).unwrap();
        assert_eq!(edits.env, ["ALL=1", "ONE=2"]);
    }

    #[test]
    fn what_is_not_there_or_cannot_be_is_said() {
        let files = [("vendor.json", VENDOR), ("broken.json", "{"), ("nvidia.yaml", "kind: nvidia.com/gpu")];
        let (_home, path) = directory(&files);
        let said = |names: &[&str]| {
            let error = look_up(&asked(names), std::slice::from_ref(&path)).unwrap_err().to_string();
            error.replace(path.to_str().unwrap(), "/etc/cdi")
        };
        let all = [said(&["vendor.com/toy=2", "nvidia.com/gpu=0"]), said(&["vendor.com/toy=hooked"])];
        insta::assert_snapshot!(all.join("\n"));
        assert_eq!(look_up(&HostConfig::default(), &[path]).unwrap(), Edits::default());
    }
}
