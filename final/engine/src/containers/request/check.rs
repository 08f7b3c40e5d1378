//! What cannot be, refused before anything is made; and what will be without effect, told as warnings.

use std::thread::available_parallelism;

use bollard_stubs::models::{
    ContainerConfig, DeviceRequest, HostConfig, HostConfigIsolationEnum, RestartPolicyNameEnum,
};

use network::PortRequest;

use crate::containers::plan::{cdi, limits, log, security};
use crate::containers::{health, signal};
use crate::error::{Error, Result};

/// Checks a request that is merged and filled. Returns warnings.
pub(crate) fn check(config: &ContainerConfig, host: &HostConfig) -> Result<Vec<String>> {
    process(config)?;
    restart(host)?;
    processors(host)?;
    namespaces(config, host)?;
    ports(host)?;
    not_here(host)?;
    security::of(host)?;
    log::check(host)?;
    limits::checked(host)?;
    config.healthcheck.as_ref().map_or(Ok(()), health::validate)?;
    Ok(without_effect(host))
}

/// What is accepted and does nothing.
fn without_effect(host: &HostConfig) -> Vec<String> {
    let publishes = host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty());
    if publishes && host.network_mode.as_deref() == Some("host") {
        return vec!["Published ports are discarded when using host network mode".to_owned()];
    }
    Vec::new()
}

fn process(config: &ContainerConfig) -> Result<()> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(directory) = given(&config.working_dir).filter(|directory| !directory.starts_with('/')) {
        return Err(Error::invalid(format!(
            "the working directory '{directory}' is invalid, it needs to be an absolute path"
        )));
    }
    if let Some(text) = given(&config.stop_signal) {
        signal::parse(&text)?;
    }
    let nameless = |variable: &&String| variable.is_empty() || variable.starts_with('=');
    match config.env.iter().flatten().find(nameless) {
        Some(variable) => Err(Error::invalid(format!("invalid environment variable: {variable}"))),
        None => Ok(()),
    }
}

fn restart(host: &HostConfig) -> Result<()> {
    use RestartPolicyNameEnum::{EMPTY, NO, ON_FAILURE};
    let policy = host.restart_policy.clone().unwrap_or_default();
    let name = policy.name.unwrap_or(NO);
    let most = policy.maximum_retry_count.unwrap_or(0);
    if host.auto_remove == Some(true) && !matches!(name, NO | EMPTY) {
        return Err(Error::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    if most < 0 {
        return Err(Error::invalid("invalid restart policy: maximum retry count cannot be negative"));
    }
    if most > 0 && name != ON_FAILURE {
        return Err(Error::invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'"));
    }
    Ok(())
}

fn processors(host: &HostConfig) -> Result<()> {
    let nano = host.nano_cpus.unwrap_or(0);
    if nano == 0 {
        return Ok(());
    }
    for (value, name) in [(host.cpu_period, "CPU Period"), (host.cpu_quota, "CPU Quota")] {
        if value.unwrap_or(0) > 0 {
            return Err(Error::invalid(format!("Conflicting options: Nano CPUs and {name} cannot both be set")));
        }
    }
    let here = available_parallelism().map_or(1, usize::from);
    if nano < 10_000_000 || nano > i64::try_from(here).unwrap_or(i64::MAX).saturating_mul(1_000_000_000) {
        return Err(Error::invalid(format!(
            "range of CPUs is from 0.01 to {here}.00, as there are only {here} CPUs available"
        )));
    }
    Ok(())
}

fn namespaces(config: &ContainerConfig, host: &HostConfig) -> Result<()> {
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_default();
    let known = |value: &str, all: &[&str]| all.contains(&value) || value.starts_with("container:");
    let refuse = |what: &str, value: &str| Err(Error::invalid(format!("invalid {what} mode: {value}")));
    let (pid, ipc, uts, users) =
        (mode(&host.pid_mode), mode(&host.ipc_mode), mode(&host.uts_mode), mode(&host.userns_mode));
    if !known(&pid, &["", "host", "private"]) {
        return refuse("PID", &pid);
    }
    if !known(&ipc, &["", "host", "private", "shareable", "none"]) {
        return refuse("IPC", &ipc);
    }
    if !["", "host", "private"].contains(&uts.as_str()) {
        return refuse("UTS", &uts);
    }
    if !["", "host"].contains(&users.as_str()) {
        return refuse("user namespace", &users);
    }
    let named = config.hostname.as_ref().is_some_and(|name| !name.is_empty());
    if uts == "host" && named {
        return Err(Error::invalid("conflicting options: hostname and the UTS mode"));
    }
    let joins = mode(&host.network_mode).starts_with("container:");
    if joins && named {
        return Err(Error::invalid("conflicting options: hostname and the network mode"));
    }
    Ok(())
}

/// Ports are claimed when the container starts; what is none is said now.
fn ports(host: &HostConfig) -> Result<()> {
    let refuse = |text: &str| Error::invalid(format!("invalid port specification: {text:?}"));
    for (port, bindings) in host.port_bindings.iter().flatten() {
        PortRequest::from_binding(port, "", "").map_err(|_| refuse(port))?;
        for binding in bindings.iter().flatten() {
            let wanted = binding.host_port.as_deref().unwrap_or_default();
            PortRequest::from_binding(port, "", wanted).map_err(|_| refuse(wanted))?;
        }
    }
    Ok(())
}

/// What docker has and this engine has not: better said now than found missing later.
fn not_here(host: &HostConfig) -> Result<()> {
    use HostConfigIsolationEnum::{DEFAULT, EMPTY};
    if let Some(isolation) = host.isolation.filter(|isolation| !matches!(isolation, DEFAULT | EMPTY)) {
        return Err(Error::invalid(format!("Invalid isolation: \"{isolation}\" - linux only supports 'default'")));
    }
    let some = |list: usize| list > 0;
    let runtime = host.runtime.as_deref().unwrap_or("skiff");
    if !["skiff", "runc", "io.containerd.runc.v2", "crun"].contains(&runtime) {
        return Err(Error::invalid(format!("unknown or invalid runtime name: {runtime}")));
    }
    if let Some(request) = host.device_requests.iter().flatten().find(|request| !cdi::is_named(request)) {
        return Err(no_driver(request));
    }
    let positive = |value: Option<i64>| value.unwrap_or(0) > 0;
    let lacking = [
        (some(host.storage_opt.iter().flatten().count()), "storage options (--storage-opt)"),
        (positive(host.cpu_realtime_period) || positive(host.cpu_realtime_runtime), "real-time scheduling limits"),
        (positive(host.cpu_count) || positive(host.cpu_percent), "Windows' processor limits"),
        (positive(host.io_maximum_iops) || positive(host.io_maximum_bandwidth), "Windows' disk limits"),
    ];
    match lacking.iter().find(|(asked, _)| *asked) {
        Some((_, what)) => {
            Err(Error::unsupported(format!("Skiff does not support {what} yet")).hint("Leave the option out."))
        }
        None => Ok(()),
    }
}

/// What dockerd says on a machine without the vendor's hook: here it is never called.
fn no_driver(request: &DeviceRequest) -> Error {
    let all_of = |set: &Vec<String>| format!("[{}]", set.join(" "));
    let sets: Vec<_> = request.capabilities.iter().flatten().map(all_of).collect();
    let driver = request.driver.clone().unwrap_or_default();
    Error::invalid(format!("could not select device driver {driver:?} with capabilities: [{}]", sets.join(" "))).hint(
        "Handing out GPUs needs a vendor's runtime hook, which Skiff does not call. Give the devices with --device.",
    )
}

#[cfg(test)]
mod tests {
    use bollard_stubs::models::{HostConfigLogConfig, PortBinding, RestartPolicy};

    use super::*;

    fn refused(config: &ContainerConfig, host: &HostConfig) -> String {
        check(config, host).unwrap_err().message
    }

    fn host(change: impl FnOnce(&mut HostConfig)) -> String {
        let mut host = HostConfig::default();
        change(&mut host);
        refused(&ContainerConfig::default(), &host)
    }

    fn config(change: impl FnOnce(&mut ContainerConfig)) -> String {
        let mut config = ContainerConfig::default();
        change(&mut config);
        refused(&config, &HostConfig::default())
    }

    #[test]
    fn what_cannot_be_is_refused_in_dockers_words() {
        let text = |text: &str| Some(text.to_owned());
        let on = |port: &str| PortBinding { host_ip: None, host_port: text(port) };
        let policy = |name, most| Some(RestartPolicy { name: Some(name), maximum_retry_count: Some(most) });
        let all = [
            config(|c| c.working_dir = text("here")),
            config(|c| c.stop_signal = text("SIGNOTHING")),
            config(|c| c.env = Some(vec!["=x".into()])),
            host(|h| h.restart_policy = policy(RestartPolicyNameEnum::ALWAYS, 3)),
            host(|h| {
                h.auto_remove = Some(true);
                h.restart_policy = policy(RestartPolicyNameEnum::ALWAYS, 0);
            }),
            host(|h| h.nano_cpus = Some(1)),
            host(|h| (h.nano_cpus, h.cpu_quota) = (Some(1_000_000_000), Some(5000))),
            host(|h| h.memory = Some(1024)),
            host(|h| h.pid_mode = text("mine")),
            host(|h| h.userns_mode = text("keep-id")),
            host(|h| h.runtime = text("kata")),
            host(|h| {
                let capabilities = Some(vec![vec!["gpu".into()]]);
                h.device_requests =
                    Some(vec![DeviceRequest { count: Some(-1), capabilities, ..DeviceRequest::default() }]);
            }),
            host(|h| h.port_bindings = Some([("19039;1230".to_owned(), None)].into())),
            host(|h| h.port_bindings = Some([("80/tcp".to_owned(), Some(vec![on("aa80")]))].into())),
            host(|h| h.cap_add = Some(vec!["FLY".into()])),
            host(|h| h.security_opt = Some(vec!["selinux=on".into()])),
            host(|h| h.log_config = Some(HostConfigLogConfig { typ: text("gelf"), config: None })),
        ];
        let processors = available_parallelism().unwrap();
        let all = all
            .join("\n")
            .replace(&format!("{processors}.00"), "[n].00")
            .replace(&format!("{processors} CPUs"), "[n] CPUs");
        insta::assert_snapshot!(all);
    }
}
