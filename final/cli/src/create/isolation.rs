//! What the container shares with the host or with others, and what it may do.

use bollard_stubs::models::{HostConfig, HostConfigCgroupnsModeEnum};
use clap::Args;

use super::{given, read_file};
use crate::error::{Error, Result};
use crate::grammar::key_value;
use crate::template::Value;

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Isolation and rights")]
pub(crate) struct Isolation {
    /// Processes to see: host, or container:NAME
    #[arg(long, value_name = "MODE")]
    pid: Option<String>,
    /// Shared memory: private, shareable, none, host, or container:NAME
    #[arg(long, value_name = "MODE")]
    ipc: Option<String>,
    /// Host name: host for the host's
    #[arg(long, value_name = "MODE")]
    uts: Option<String>,
    /// User ids: host for the host's
    #[arg(long, value_name = "MODE")]
    userns: Option<String>,
    /// Tree of cgroups: private, or host
    #[arg(long, value_name = "MODE")]
    cgroupns: Option<String>,
    /// Cgroup to be below
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Give it all rights of root on the host
    #[arg(long)]
    privileged: bool,
    /// Capability to have besides the usual ones
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Capability to do without
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// no-new-privileges, seccomp=FILE, seccomp=unconfined, apparmor=PROFILE, systempaths=unconfined
    #[arg(long = "security-opt", value_name = "OPTION")]
    security: Vec<String>,
    /// Kernel parameter of a namespace, NAME=VALUE
    #[arg(long = "sysctl", value_name = "PARAMETER", value_parser = sysctl)]
    sysctls: Vec<String>,
    /// OCI runtime
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
}

impl Isolation {
    /// Puts the flags in their places.
    pub(super) fn apply(&self, host: &mut HostConfig) -> Result<()> {
        host.pid_mode = mode("pid", "PID", self.pid.as_deref(), |mode| mode == "host" || is_container(mode))?;
        host.uts_mode = mode("uts", "UTS", self.uts.as_deref(), |mode| mode == "host")?;
        host.userns_mode = mode("userns", "USER", self.userns.as_deref(), |mode| mode == "host")?;
        host.ipc_mode.clone_from(&self.ipc);
        host.cgroupns_mode = match self.cgroupns.as_deref() {
            None | Some("") => None,
            Some("private") => Some(HostConfigCgroupnsModeEnum::PRIVATE),
            Some("host") => Some(HostConfigCgroupnsModeEnum::HOST),
            Some(_) => return Err(Error::new("--cgroupns: invalid CGROUP mode").hint("It is private or host.")),
        };
        host.cgroup_parent.clone_from(&self.cgroup_parent);
        host.privileged = self.privileged.then_some(true);
        host.cap_add = given(&capabilities(&self.cap_add));
        host.cap_drop = given(&capabilities(&self.cap_drop));
        let sysctls = key_value::map(&self.sysctls);
        host.sysctls = Some(sysctls).filter(|sysctls| !sysctls.is_empty());
        host.runtime.clone_from(&self.runtime);
        self.security(host)
    }

    /// A seccomp profile is a file of ours, so its text is sent; open system paths are two empty lists.
    fn security(&self, host: &mut HostConfig) -> Result<()> {
        let mut options = Vec::new();
        for option in &self.security {
            let (name, value) = option.split_once('=').or_else(|| option.split_once(':')).unwrap_or((option, ""));
            match (name, value) {
                ("systempaths", "unconfined") => {
                    host.masked_paths = Some(Vec::new());
                    host.readonly_paths = Some(Vec::new());
                }
                ("seccomp", "unconfined" | "builtin") => options.push(format!("seccomp={value}")),
                ("seccomp", file) => options.push(format!("seccomp={}", profile(file)?)),
                ("no-new-privileges" | "writable-cgroups", "") => options.push(option.clone()),
                (_, "") => {
                    return Err(Error::new(format!("Invalid --security-opt: \"{option}\"")).hint(
                        "It is no-new-privileges or NAME=VALUE with one of seccomp, apparmor, label, systempaths.",
                    ));
                }
                (_, _) => options.push(option.clone()),
            }
        }
        host.security_opt = given(&options);
        Ok(())
    }
}

/// The text of a seccomp profile without its white space.
fn profile(file: &str) -> Result<String> {
    let text = read_file(file.as_ref())?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Error::new(format!("compacting json for seccomp profile ({file}) failed: {error}")))?;
    Ok(value.to_json())
}

/// Parameters that belong to a namespace (namespaces(7)); the others would change the host.
fn sysctl(text: &str) -> Result<String, String> {
    const IPC: [&str; 8] = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];
    let name = text.split_once('=').map_or("", |(name, _)| name);
    let own = name.strip_prefix("kernel.").is_some_and(|name| IPC.contains(&name));
    if own || name.starts_with("net.") || name.starts_with("fs.mqueue.") {
        Ok(text.to_owned())
    } else {
        Err(format!("sysctl '{text}' is not allowed"))
    }
}

fn is_container(mode: &str) -> bool {
    mode.strip_prefix("container:").is_some_and(|name| !name.is_empty())
}

fn mode(flag: &str, what: &str, given: Option<&str>, valid: impl Fn(&str) -> bool) -> Result<Option<String>> {
    match given {
        None => Ok(None),
        Some(mode) if mode.is_empty() || valid(mode) => Ok(Some(mode.to_owned())),
        Some(_) => Err(Error::new(format!("--{flag}: invalid {what} mode"))),
    }
}

/// Capabilities in the kernel's spelling, each once, in order. What wins when one is both added and dropped is for the
/// daemon to say.
fn capabilities(names: &[String]) -> Vec<String> {
    let spell = |name: &String| {
        let name = name.trim().to_uppercase();
        if name == "ALL" || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
    };
    let mut names: Vec<String> = names.iter().map(spell).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::{capabilities, sysctl};

    #[test]
    fn capabilities_are_spelled_as_the_kernel_spells_them() {
        let names = ["net_admin", "CAP_CHOWN", "NET_ADMIN", "all"].map(str::to_owned);
        assert_eq!(capabilities(&names), ["ALL", "CAP_CHOWN", "CAP_NET_ADMIN"]);
    }

    #[test]
    fn only_parameters_of_a_namespace_are_allowed() {
        for allowed in ["net.ipv4.ip_forward=1", "kernel.shmmax=1", "fs.mqueue.msg_max=5"] {
            assert!(sysctl(allowed).is_ok(), "{allowed}");
        }
        for refused in ["kernel.hostname=x", "vm.swappiness=1", "net.ipv4.ip_forward"] {
            assert!(sysctl(refused).is_err(), "{refused}");
        }
    }
}
