//! `info`: the state of the engine.

use std::fmt::Write as _;

use clap::Args;

use super::print_as;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output::{self, units};
use crate::template::{Value, Zero};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// How to print it: json, or a template
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Execute for Info {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Show the state of the engine and of the machine";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let bytes = client.bytes(Request::get("/info")).await?;
        let info: Value = serde_json::from_slice(&bytes).map_err(|error| Error::new(error.to_string()))?;
        if let Some(format) = &self.format {
            print_as(format, with_client(info, client))?;
            return Ok(DONE);
        }
        let client = format!(
            "Client:\n Version:    {}\n Context:    {}\n Debug Mode: false\n\n",
            env!("CARGO_PKG_VERSION"),
            client.contexts.chosen
        );
        output::print(client + &server(&info))?;
        if let Some(Value::List(warnings)) = info.member("Warnings") {
            for warning in warnings {
                output::notice(warning.to_string());
            }
        }
        Ok(DONE)
    }
}

/// The document with what we are in it, and what went wrong: nothing, else there would be no document.
fn with_client(info: Value, client: &Client) -> Value {
    let Value::Map(mut map) = info else { return info };
    let (major, minor) = client.version();
    let ours = Value::Map(vec![
        ("Debug".to_owned(), false.into()),
        ("Version".to_owned(), env!("CARGO_PKG_VERSION").into()),
        ("DefaultAPIVersion".to_owned(), format!("{major}.{minor}").into()),
        ("Os".to_owned(), "linux".into()),
        ("Arch".to_owned(), super::version::architecture().into()),
        ("Context".to_owned(), client.contexts.chosen.as_str().into()),
        ("Plugins".to_owned(), Value::List(Vec::new())),
        ("Warnings".to_owned(), Value::Nothing(Zero::List)),
    ]);
    map.push(("ServerErrors".to_owned(), Value::Nothing(Zero::List)));
    map.push(("ClientInfo".to_owned(), ours));
    Value::Map(map)
}

/// What is read out of the document, and under which name it is shown.
const ENGINE: &[(&str, &str)] = &[
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
];

const KEEPING: &[(&str, &str)] =
    &[("Logging Driver", "LoggingDriver"), ("Cgroup Driver", "CgroupDriver"), ("Cgroup Version", "CgroupVersion")];

const MACHINE: &[(&str, &str)] = &[
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
];

const PLACE: &[(&str, &str)] = &[
    ("Name", "Name"),
    ("ID", "ID"),
    ("Docker Root Dir", "DockerRootDir"),
    ("Debug Mode", "Debug"),
    ("Experimental", "ExperimentalBuild"),
];

fn server(info: &Value) -> String {
    let mut out = String::from("Server:\n");
    fields(&mut out, info, ENGINE);
    if let Some(Value::List(status)) = info.member("DriverStatus") {
        for pair in status {
            if let Value::List(pair) = pair {
                let text = pair.iter().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                let _ = writeln!(out, "  {text}");
            }
        }
    }
    fields(&mut out, info, KEEPING);
    plugins(&mut out, info);
    if let Some(swarm) = info.member("Swarm").and_then(|swarm| swarm.member("LocalNodeState")) {
        let _ = writeln!(out, " Swarm: {swarm}");
    }
    if let Some(Value::Map(runtimes)) = info.member("Runtimes") {
        let mut names: Vec<&str> = runtimes.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let _ = writeln!(out, " Runtimes: {}", names.join(" "));
    }
    fields(&mut out, info, &[("Default Runtime", "DefaultRuntime"), ("Init Binary", "InitBinary")]);
    versions(&mut out, info);
    security(&mut out, info);
    fields(&mut out, info, MACHINE);
    if let Some(memory) = info.member("MemTotal").and_then(Value::as_integer) {
        let _ = writeln!(out, " Total Memory: {}", units::memory(u64::try_from(memory).unwrap_or(0)));
    }
    fields(&mut out, info, PLACE);
    registries(&mut out, info);
    fields(&mut out, info, &[("Live Restore Enabled", "LiveRestoreEnabled")]);
    pools(&mut out, info);
    out + "\n"
}

/// The fields that are there and not empty.
fn fields(out: &mut String, info: &Value, fields: &[(&str, &str)]) {
    for (title, name) in fields {
        let value = info.member(name).filter(|value| !matches!(value, Value::Nothing(_))).map(ToString::to_string);
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(out, " {title}: {value}");
        }
    }
}

fn plugins(out: &mut String, info: &Value) {
    let Some(plugins) = info.member("Plugins") else { return };
    let _ = writeln!(out, " Plugins:");
    for kind in ["Volume", "Network", "Authorization", "Log"] {
        if let Some(Value::List(names)) = plugins.member(kind).filter(|names| names.truth()) {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "  {kind}: {}", names.join(" "));
        }
    }
}

/// The programs that a Docker daemon works with; ours is one program and has none.
fn versions(out: &mut String, info: &Value) {
    let parts = [("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit")];
    for (title, name) in parts {
        if let Some(version) = info.member(name).and_then(|commit| commit.member("ID")) {
            let _ = writeln!(out, " {title} version: {version}");
        }
    }
}

/// Where networks get their addresses from.
fn pools(out: &mut String, info: &Value) {
    let Some(Value::List(pools)) = info.member("DefaultAddressPools").filter(|pools| pools.truth()) else { return };
    let _ = writeln!(out, " Default Address Pools:");
    for pool in pools {
        let field = |name| pool.member(name).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, "   Base: {}, Size: {}", field("Base"), field("Size"));
    }
}

/// `name=seccomp,profile=default` as a heading and its details.
fn security(out: &mut String, info: &Value) {
    let Some(Value::List(options)) = info.member("SecurityOptions").filter(|options| options.truth()) else { return };
    let _ = writeln!(out, " Security Options:");
    for option in options {
        for part in option.to_string().split(',') {
            match part.split_once('=') {
                Some(("name", name)) => drop(writeln!(out, "  {name}")),
                Some(("profile", profile)) => drop(writeln!(out, "   Profile: {profile}")),
                Some((name, value)) => drop(writeln!(out, "   {name}: {value}")),
                None => drop(writeln!(out, "  {part}")),
            }
        }
    }
}

fn registries(out: &mut String, info: &Value) {
    let Some(config) = info.member("RegistryConfig") else { return };
    let lists = [("Insecure Registries", "InsecureRegistryCIDRs"), ("Registry Mirrors", "Mirrors")];
    for (title, name) in lists {
        if let Some(Value::List(values)) = config.member(name).filter(|values| values.truth()) {
            let _ = writeln!(out, " {title}:");
            for value in values {
                let _ = writeln!(out, "  {value}");
            }
        }
    }
}
