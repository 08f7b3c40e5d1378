//! Capabilities, system call filter, no-new-privileges, privileged.

use bollard_stubs::models::HostConfig;
use namespaces::{capabilities, seccomp};

use crate::error::{Error, Result};

/// What a container's processes may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Security {
    /// By name, without `CAP_`.
    pub(crate) capabilities: Vec<String>,
    /// Which system calls they may make.
    pub(crate) filter: Filter,
    /// Whether set-user-id programs give nothing.
    pub(crate) no_new_privileges: bool,
    /// The AppArmor profile that was asked for.
    pub(crate) apparmor: Option<String>,
}

/// A system call filter (seccomp(2)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// None.
    Unconfined,
    /// Docker's default profile.
    Default,
    /// A profile of the user's own, as JSON: the client reads the file and sends what is in it.
    Own(String),
}

impl Filter {
    /// The program for a process with these capabilities.
    pub(crate) fn program(&self, capabilities: &[String]) -> Result<Option<seccomp::Program>> {
        match self {
            Self::Unconfined => Ok(None),
            Self::Default => Ok(Some(seccomp::default_program(capabilities))),
            Self::Own(text) => seccomp::program_from_json(text.as_bytes(), capabilities).map_err(Error::refusal),
        }
    }
}

/// What `CapAdd`, `CapDrop`, `Privileged` and `SecurityOpt` come to.
///
/// # Errors
/// An unknown capability or option, in docker's words; a system call profile that nobody can make a filter of.
pub(crate) fn of(host: &HostConfig) -> Result<Security> {
    let privileged = host.privileged == Some(true);
    let mut security = Security {
        capabilities: names(host, privileged)?,
        filter: if privileged { Filter::Unconfined } else { Filter::Default },
        no_new_privileges: false,
        apparmor: None,
    };
    for option in host.security_opt.iter().flatten() {
        apply(&mut security, option)?;
    }
    if let Filter::Own(_) = security.filter {
        security.filter.program(&security.capabilities)?;
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
        ("seccomp", "unconfined") => security.filter = Filter::Unconfined,
        ("seccomp", "builtin" | "") => security.filter = Filter::Default,
        ("seccomp", profile) => security.filter = Filter::Own(profile.to_owned()),
        ("apparmor", "unconfined" | "") => security.apparmor = None,
        ("apparmor", profile) => security.apparmor = Some(profile.to_owned()),
        // There is no SELinux here to label anything for.
        ("label", _) => {}
        _ => return Err(Error::invalid(format!("invalid --security-opt: \"{option}\""))),
    }
    Ok(())
}
