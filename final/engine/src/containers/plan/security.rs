//! Capabilities, system call filter, no-new-privileges, privileged.

use bollard_stubs::models::HostConfig;
use namespaces::capabilities;

use crate::error::{Error, Result};

/// What a container's processes may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Security {
    /// By name, without `CAP_`.
    pub(crate) capabilities: Vec<String>,
    /// Whether there is a system call filter: docker's default profile for these capabilities.
    pub(crate) filtered: bool,
    /// Whether set-user-id programs give nothing.
    pub(crate) no_new_privileges: bool,
    /// The AppArmor profile that was asked for.
    pub(crate) apparmor: Option<String>,
}

/// What `CapAdd`, `CapDrop`, `Privileged` and `SecurityOpt` come to.
///
/// # Errors
/// An unknown capability or option, in docker's words; a system call profile of the user's own, which is not supported.
pub(crate) fn of(host: &HostConfig) -> Result<Security> {
    let privileged = host.privileged == Some(true);
    let mut security = Security {
        capabilities: names(host, privileged)?,
        filtered: !privileged,
        no_new_privileges: false,
        apparmor: None,
    };
    for option in host.security_opt.iter().flatten() {
        apply(&mut security, option)?;
    }
    Ok(security)
}

fn names(host: &HostConfig, privileged: bool) -> Result<Vec<String>> {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let (mut add, drop) = (list(&host.cap_add), list(&host.cap_drop));
    for (field, names) in [("CapAdd", &add), ("CapDrop", &drop)] {
        let known = |name: &&String| name.eq_ignore_ascii_case("ALL") || capabilities::parse(name).is_ok();
        if let Some(name) = names.iter().find(|name| !known(name)) {
            return Err(Error::invalid(format!("invalid {field}: unknown capability: \"{name}\""))
                .hint("capabilities(7) lists them; the CAP_ prefix is optional."));
        }
    }
    if privileged {
        add.push("ALL".to_owned());
    }
    Ok(capabilities::adjust(&add, &drop)?)
}

fn apply(security: &mut Security, option: &str) -> Result<()> {
    let (name, value) = option.split_once('=').or_else(|| option.split_once(':')).unwrap_or((option, ""));
    match (name, value) {
        ("no-new-privileges", "" | "true") => security.no_new_privileges = true,
        ("no-new-privileges", "false") => security.no_new_privileges = false,
        ("seccomp", "unconfined") => security.filtered = false,
        ("seccomp", "builtin") => security.filtered = true,
        ("seccomp", _) => {
            return Err(Error::unsupported("Skiff does not support a system call profile of your own yet")
                .hint("Leave --security-opt seccomp out for docker's default profile, or give seccomp=unconfined."));
        }
        ("apparmor", "unconfined" | "") => security.apparmor = None,
        ("apparmor", profile) => security.apparmor = Some(profile.to_owned()),
        // There is no SELinux here to label anything for.
        ("label", _) => {}
        _ => return Err(Error::invalid(format!("invalid --security-opt: \"{option}\""))),
    }
    Ok(())
}
