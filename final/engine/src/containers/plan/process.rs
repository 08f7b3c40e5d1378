//! The program, its environment, user, directory; of a container and of an exec in it.

use bollard_stubs::models::{ExecConfig, ResourcesUlimits};
use namespaces::{Capabilities, Process, Rlimit, UserSpec, capabilities, defaults};

use super::cdi::Edits;
use super::security::Security;
use crate::containers::record::Asked;
use crate::error::{Error, Result};

/// The container's first process. `links` are variables from other containers, which its own go before.
pub(crate) fn of(asked: &Asked, links: &[String], security: Security) -> Result<Process> {
    let config = &asked.config;
    let args = config.entrypoint.iter().flatten().chain(config.cmd.iter().flatten()).cloned().collect();
    let console_size = asked.host.console_size.as_deref().and_then(size);
    Ok(Process {
        args,
        env: environment(asked, asked.tty(), links.iter().chain(config.env.iter().flatten())),
        cwd: directory(config.working_dir.as_deref()).into(),
        user: user(config.user.as_deref(), asked),
        terminal: asked.tty(),
        console_size: console_size.filter(|_| asked.tty()),
        capabilities: Capabilities::of(&security.capabilities),
        no_new_privileges: security.no_new_privileges,
        seccomp: security.filter.program(&security.capabilities)?,
        rlimits: asked.host.ulimits.iter().flatten().map(rlimit).collect::<Result<_>>()?,
        oom_score_adj: asked.host.oom_score_adj.and_then(|adj| i32::try_from(adj).ok()).filter(|adj| *adj != 0),
        apparmor: security.apparmor,
        ..Process::default()
    })
}

/// Adds what comes with devices: their variables count before those that were asked for.
pub(super) fn extend(process: &mut Process, named: &Edits) {
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let theirs: Vec<_> = named.env.iter().map(|variable| name(variable)).collect();
    process.env.retain(|variable| !theirs.contains(&name(variable)));
    process.env.extend(named.env.iter().cloned());
    process.user.groups.extend(named.groups.iter().cloned());
}

/// A second process in a container: the container's rights and environment, unless the request says otherwise.
pub(crate) fn of_exec(asked: &Asked, links: &[String], exec: &ExecConfig) -> Result<Process> {
    let security = super::security::of(&asked.host)?;
    let tty = exec.tty == Some(true);
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let privileged = exec.privileged == Some(true);
    let names = if privileged { capabilities::ALL.map(str::to_owned).to_vec() } else { security.capabilities.clone() };
    let own = asked.config.env.iter().flatten().chain(exec.env.iter().flatten());
    let variables = links.iter().chain(own);
    Ok(Process {
        args: exec.cmd.clone().unwrap_or_default(),
        env: environment(asked, tty, variables),
        cwd: directory(given(&exec.working_dir).as_deref().or(asked.config.working_dir.as_deref())).into(),
        user: user(given(&exec.user).as_deref().or(asked.config.user.as_deref()), asked),
        terminal: tty,
        console_size: exec.console_size.as_deref().and_then(size).filter(|_| tty),
        capabilities: Capabilities::of(&names),
        no_new_privileges: security.no_new_privileges,
        seccomp: if privileged { None } else { security.filter.program(&names)? },
        rlimits: asked.host.ulimits.iter().flatten().map(rlimit).collect::<Result<_>>()?,
        oom_score_adj: asked.host.oom_score_adj.and_then(|adj| i32::try_from(adj).ok()).filter(|adj| *adj != 0),
        apparmor: security.apparmor,
        ..Process::default()
    })
}

/// `PATH`, `HOSTNAME`, `TERM`, and what was asked for; the last of several with one name counts. A name without `=` takes the
/// variable away.
fn environment<'a>(asked: &Asked, tty: bool, wanted: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut env = vec![format!("PATH={}", defaults::PATH)];
    if let Some(name) = asked.config.hostname.as_ref().filter(|name| !name.is_empty()) {
        env.push(format!("HOSTNAME={name}"));
    }
    if tty {
        env.push("TERM=xterm".to_owned());
    }
    for variable in wanted {
        let (name, value) =
            variable.split_once('=').map_or((variable.as_str(), None), |(name, value)| (name, Some(value)));
        let known = env.iter_mut().find(|known| known.split_once('=').is_some_and(|(known, _)| known == name));
        match (known, value) {
            (Some(known), Some(_)) => known.clone_from(variable),
            (None, Some(_)) => env.push(variable.clone()),
            (Some(_), None) => env.retain(|known| known.split_once('=').is_none_or(|(known, _)| known != name)),
            (None, None) => {}
        }
    }
    env
}

fn directory(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or("/")
}

fn user(text: Option<&str>, asked: &Asked) -> UserSpec {
    UserSpec {
        user: text.unwrap_or_default().to_owned(),
        groups: asked.host.group_add.clone().unwrap_or_default(),
        exact_groups: false,
    }
}

/// The API has rows first; a terminal columns first.
pub(crate) fn size(size: &[usize]) -> Option<(u16, u16)> {
    match size {
        [rows, columns] if *rows > 0 && *columns > 0 => {
            Some((u16::try_from(*columns).ok()?, u16::try_from(*rows).ok()?))
        }
        _ => None,
    }
}

/// The names of getrlimit(2) without their prefix, in lower case as docker writes them.
const LIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// One `--ulimit`; -1 is unlimited.
pub(crate) fn rlimit(ulimit: &ResourcesUlimits) -> Result<Rlimit> {
    let name = ulimit.name.clone().unwrap_or_default();
    if !LIMITS.contains(&name.as_str()) {
        return Err(
            Error::invalid(format!("invalid ulimit type: {name}")).hint(format!("One of {}.", LIMITS.join(", ")))
        );
    }
    let value = |value: Option<i64>| u64::try_from(value.unwrap_or(-1)).unwrap_or(u64::MAX);
    let (soft, hard) = (value(ulimit.soft), value(ulimit.hard));
    if soft > hard {
        return Err(Error::invalid(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )));
    }
    Ok(Rlimit { kind: name.to_uppercase(), soft, hard })
}
