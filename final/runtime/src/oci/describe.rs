//! `spec` and `features`: what a bundle can look like, and what this runtime can do with it.

use std::io::Write;
use std::path::Path;

use cgroups::{Hierarchies, Version};
use namespaces::seccomp::table;
use namespaces::{Context, Result, capabilities};
use serde_json::{Value, json};

use super::command::{Command, say};
use super::mounts;
use super::options::Options;
use super::record::OCI_VERSION;

/// `spec`: writes `config.json`: a shell in namespaces of its own, with the rights of an ordinary container; with `--rootless`
/// one that an ordinary user can run.
pub(crate) fn spec(_: &Command, options: &Options) -> Result<u8> {
    let mut config: Value = serde_json::from_str(include_str!("config.json")).step("read the own config.json")?;
    // As with docker: on version 1 a container sees its groups by their paths on the host.
    if options.has("rootless") || Hierarchies::discover().is_ok_and(|trees| trees.version == Version::V1) {
        without_namespace(&mut config, "cgroup");
    }
    if options.has("rootless") {
        rootless(&mut config);
    }
    let text = serde_json::to_string_pretty(&config).step("write config.json")?;
    let path = Path::new(options.value("bundle").unwrap_or(".")).join("config.json");
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).open(&path).during("make", path.display())?;
    file.write_all(text.as_bytes()).during("write", path.display())?;
    Ok(0)
}

/// The changes that an ordinary user needs: a user namespace in which he is root, the host's network, no cgroups and no
/// mounts that only root can make.
fn rootless(config: &mut Value) {
    without_namespace(config, "network");
    let own = |id: u32| json!([{ "containerID": 0, "hostID": id, "size": 1 }]);
    if let Some(linux) = config.get_mut("linux").and_then(Value::as_object_mut) {
        linux.insert("uidMappings".to_owned(), own(rustix::process::geteuid().as_raw()));
        linux.insert("gidMappings".to_owned(), own(rustix::process::getegid().as_raw()));
        linux.remove("resources");
        if let Some(namespaces) = linux.get_mut("namespaces").and_then(Value::as_array_mut) {
            namespaces.push(json!({ "type": "user" }));
        }
    }
    if let Some(mounts) = config.get_mut("mounts").and_then(Value::as_array_mut) {
        mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
        for mount in mounts {
            if let Some(options) = mount.get_mut("options").and_then(Value::as_array_mut) {
                // Group 5 has no number outside.
                options.retain(|option| option != "gid=5");
            }
            if mount["destination"] == "/sys" {
                // A new one shows a network namespace, which must be his own for that.
                *mount = json!({
                    "destination": "/sys", "type": "none", "source": "/sys",
                    "options": ["rbind", "nosuid", "noexec", "nodev", "ro"],
                });
            }
        }
    }
}

fn without_namespace(config: &mut Value, kind: &str) {
    if let Some(namespaces) = config.pointer_mut("/linux/namespaces").and_then(Value::as_array_mut) {
        namespaces.retain(|one| one["type"] != kind);
    }
}

/// `features`: prints what is supported (features.md of the runtime specification).
pub(crate) fn features(_: &Command, _: &Options) -> Result<u8> {
    let prefixed: Vec<_> = capabilities::ALL.iter().map(|name| format!("CAP_{name}")).collect();
    let flags: Vec<_> = namespaces::seccomp::json::FLAGS.iter().map(|(name, _)| *name).collect();
    let features = json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": mounts::known_options(),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": prefixed,
            "cgroup": { "v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": false },
            "seccomp": {
                "enabled": table::number("seccomp").is_some(),
                "actions": [
                    "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                    "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
                ],
                "operators": [
                    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                    "SCMP_CMP_NE",
                ],
                "archs": ["SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
                "knownFlags": flags,
                "supportedFlags": flags,
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": false },
            "intelRdt": { "enabled": false },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": false },
        },
    });
    say(format_args!("{features:#}"))
}
