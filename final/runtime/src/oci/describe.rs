//! `spec` and `features`: what a bundle can look like, and what this runtime can do with it.

use std::io::Write;
use std::path::Path;

use namespaces::seccomp::table;
use namespaces::{Context, Result, capabilities};
use serde_json::json;

use super::command::{Command, say};
use super::options::Options;
use super::record::OCI_VERSION;

/// `spec`: writes `config.json`: a shell in namespaces of its own, with the rights of an ordinary container.
pub(crate) fn spec(_: &Command, options: &Options) -> Result<u8> {
    let path = Path::new(options.value("bundle").unwrap_or(".")).join("config.json");
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).open(&path).during("make", path.display())?;
    file.write_all(include_bytes!("config.json")).during("write", path.display())?;
    Ok(0)
}

/// `features`: prints what is supported (features.md of the runtime specification).
pub(crate) fn features(_: &Command, _: &Options) -> Result<u8> {
    let prefixed: Vec<_> = capabilities::ALL.iter().map(|name| format!("CAP_{name}")).collect();
    let features = json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": [
            "async", "atime", "bind", "defaults", "dev", "diratime", "exec", "noatime", "nodev", "nodiratime", "noexec",
            "nosuid", "private", "rbind", "relatime", "ro", "rprivate", "rro", "rshared", "rslave", "runbindable", "rw",
            "shared", "slave", "strictatime", "suid", "unbindable",
        ],
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": prefixed,
            "cgroup": { "v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": false },
            "seccomp": {
                "enabled": table::number("seccomp").is_some(),
                "actions": [
                    "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                    "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
                ],
                "operators": [
                    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                    "SCMP_CMP_NE",
                ],
                "archs": ["SCMP_ARCH_X86_64"],
                "knownFlags": [
                    "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
                ],
                "supportedFlags": [
                    "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
                ],
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": false },
            "intelRdt": { "enabled": false },
            "mountExtensions": { "idmap": { "enabled": false } },
        },
    });
    say(format_args!("{features:#}"))
}
