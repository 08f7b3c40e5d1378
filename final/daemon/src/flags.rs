//! The flags: dockerd's names and meanings, so that a unit file or a script written for dockerd goes on working.
//!
//! A flag that docker has and that changes nothing here is accepted and ignored, with the reason beside it. A flag that
//! nobody knows is refused by name: a daemon that overlooks an instruction is worse than one that does not start.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Parser;
use ipnet::Ipv4Net;
use tracing_subscriber::filter::LevelFilter;

use crate::listener::Address;

/// Where state is kept unless a flag says otherwise.
const DATA_ROOT: &str = "/var/lib/skiff";

/// The container daemon: serves the Docker Engine API on a unix socket.
#[derive(Debug, Parser)]
#[command(name = "skiffd", version, disable_version_flag = true)]
pub(crate) struct Flags {
    /// Where to listen: unix://PATH. May be given more than once.
    #[arg(short = 'H', long = "host", value_name = "ADDRESS", default_value = "unix:///run/skiff/skiff.sock")]
    pub(crate) hosts: Vec<Address>,
    /// Where images, containers, networks and volumes are kept.
    #[arg(long, value_name = "DIR", default_value = DATA_ROOT)]
    pub(crate) data_root: PathBuf,
    /// Where sockets and other state that need not survive a reboot are kept.
    #[arg(long, value_name = "DIR", default_value = "/run/skiff")]
    pub(crate) exec_root: PathBuf,
    /// Where the daemon's pid is written [default: EXEC_ROOT/skiffd.pid].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) pidfile: Option<PathBuf>,
    /// Group that may use the socket. Docker's own default name; a group that does not exist is no error then.
    #[arg(short = 'G', long, value_name = "GROUP", default_value = "docker")]
    pub(crate) group: String,
    /// Registry to ask before Docker Hub, as a URL, or before another one, as HOST=URL. May be given more than once.
    #[arg(long = "registry-mirror", value_name = "[HOST=]URL")]
    pub(crate) registry_mirrors: Vec<String>,
    /// Registry to speak to over plain HTTP, as HOST[:PORT]. May be given more than once. Loopback always is.
    #[arg(long = "insecure-registry", value_name = "HOST")]
    pub(crate) insecure_registries: Vec<String>,
    /// Directory with the certificates of registries, as DIR/HOST[:PORT]/ca.crt [default: /etc/skiff/certs.d and
    /// /etc/docker/certs.d]. May be given more than once.
    #[arg(long = "registry-certs", value_name = "DIR")]
    pub(crate) registry_certificates: Vec<PathBuf>,
    /// Name of the default network's bridge, at most 15 bytes [default: skiff0, or one made from DATA_ROOT].
    #[arg(short, long, value_name = "NAME", value_parser = link_name)]
    bridge: Option<String>,
    /// Address of that bridge with the subnet's prefix, such as 172.17.0.1/16 [default: one that is free].
    #[arg(long, value_name = "CIDR")]
    pub(crate) bip: Option<Ipv4Net>,
    /// Largest packet on the default network, in bytes [default: 1500].
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<u32>,
    /// Directory of each cgroup hierarchy below which the containers' own are made.
    #[arg(long, value_name = "NAME", default_value = "skiff", value_parser = cgroup_name)]
    pub(crate) cgroup_parent: String,
    /// Log everything, every request included.
    #[arg(short = 'D', long)]
    pub(crate) debug: bool,
    /// How much to log: debug, info, warn, error.
    #[arg(short, long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub(crate) log_level: LevelFilter,
    /// Print the version and end.
    #[arg(short, long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[command(flatten)]
    ignored: Ignored,
}

/// What dockerd has and this daemon takes without a consequence.
#[derive(Debug, clap::Args)]
#[allow(dead_code, reason = "parsed so that it is accepted, read by nobody")]
struct Ignored {
    /// Ignored: containers always outlive the daemon.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    live_restore: Option<bool>,
    /// Ignored: a published port is a rule of the kernel, there is no proxy.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    userland_proxy: Option<bool>,
    /// Ignored: rules are made in nftables.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    iptables: Option<bool>,
    /// Ignored, as `iptables`.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ip6tables: Option<bool>,
    /// Ignored: there is no containerd.
    #[arg(long, hide = true)]
    containerd: Option<PathBuf>,
    /// Accepted as long as the file does not exist: everything is a flag.
    #[arg(long, hide = true, value_parser = absent_file)]
    config_file: Option<PathBuf>,
}

impl Flags {
    /// How much is logged: dockerd's names of levels, `--debug` above all.
    pub(crate) fn level(&self) -> LevelFilter {
        if self.debug { LevelFilter::DEBUG } else { self.log_level }
    }

    /// The default network's bridge. A daemon with a data root of its own has a bridge of its own, so that two of them can
    /// run side by side without being told.
    pub(crate) fn bridge(&self) -> String {
        match &self.bridge {
            Some(name) => name.clone(),
            None if self.data_root.as_path() == Path::new(DATA_ROOT) => "skiff0".into(),
            None => format!("skiff{:08x}", fnv1a(self.data_root.as_os_str().as_bytes())),
        }
    }

    /// Where the pid is written.
    pub(crate) fn pidfile(&self) -> PathBuf {
        self.pidfile.clone().unwrap_or_else(|| self.exec_root.join("skiffd.pid"))
    }
}

impl FromStr for Address {
    type Err = String;

    /// `unix://PATH`, or a plain absolute path. Addresses of the network are refused: without TLS, whoever reaches the port
    /// is root on this machine.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = match text.split_once("://") {
            Some(("unix", path)) => path,
            None if text.starts_with('/') => text,
            Some(("tcp", _)) => {
                return Err(
                    "the API over tcp needs TLS, which skiffd does not have yet, because whoever reaches the port \
                            without it is root on this machine. Listen on unix://PATH and reach it with ssh: docker -H \
                            ssh://USER@HOST"
                        .into(),
                );
            }
            Some(("fd", _)) => return Err("sockets passed by systemd are not supported yet. Use unix://PATH".into()),
            _ => return Err("expected unix://PATH".into()),
        };
        if !path.starts_with('/') {
            return Err(format!("the path of a socket must be absolute, so {path:?} is not one"));
        }
        Ok(Self { path: path.into() })
    }
}

/// dockerd's names, which are logrus's.
fn level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "trace" => Ok(LevelFilter::TRACE),
        "debug" => Ok(LevelFilter::DEBUG),
        "info" => Ok(LevelFilter::INFO),
        "warn" | "warning" => Ok(LevelFilter::WARN),
        "error" | "fatal" | "panic" => Ok(LevelFilter::ERROR),
        _ => Err("one of debug, info, warn, error".into()),
    }
}

/// The FNV-1a hash: short, and the same for ever, which std's hashers do not promise.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The name of a link: what the kernel takes (`dev_valid_name` in net/core/dev.c).
fn link_name(text: &str) -> Result<String, String> {
    match text {
        "none" => Err("an engine without its default network is not supported yet".into()),
        "" | "." | ".." => Err("not the name of a network link".into()),
        _ if text.len() > 15 => Err(format!("the name has {} bytes, a network link's name at most 15", text.len())),
        _ if text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace()) => {
            Err("a network link's name has no slash, colon or space".into())
        }
        _ => Ok(text.into()),
    }
}

/// `skiff`, or `/skiff` as dockerd writes it: always below the top of the hierarchy.
fn cgroup_name(text: &str) -> Result<String, String> {
    let name = text.trim_matches('/');
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("not the name of a directory below the top of a cgroup hierarchy".into());
    }
    Ok(name.into())
}

fn absent_file(text: &str) -> Result<PathBuf, String> {
    match std::fs::exists(text) {
        Ok(false) => Ok(text.into()),
        _ => Err("skiffd reads no configuration file. Give its settings as flags (skiffd --help)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Flags, String> {
        Flags::try_parse_from([&["skiffd"], arguments].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_line_written_for_dockerd_is_understood() {
        let flags = parse(&[
            "-H",
            "unix:///tmp/a.sock",
            "-H=/tmp/b.sock",
            "--live-restore",
            "--userland-proxy=false",
            "--iptables=true",
            "--containerd=/run/containerd/containerd.sock",
            "--config-file=/no/such/daemon.json",
            "--insecure-registry=10.0.0.1:5000",
            "-D",
        ])
        .unwrap();
        let paths: Vec<_> = flags.hosts.iter().map(|host| host.path.display().to_string()).collect();
        assert_eq!(paths, ["/tmp/a.sock", "/tmp/b.sock"]);
        assert_eq!((flags.level(), flags.insecure_registries.len()), (LevelFilter::DEBUG, 1));
    }

    #[test]
    fn defaults_are_below_run_and_var_lib() {
        let flags = parse(&[]).unwrap();
        assert_eq!(flags.hosts, [Address { path: "/run/skiff/skiff.sock".into() }]);
        assert_eq!(flags.pidfile(), PathBuf::from("/run/skiff/skiffd.pid"));
        assert_eq!((flags.level(), flags.bridge().as_str()), (LevelFilter::INFO, "skiff0"));
    }

    #[test]
    fn a_data_root_of_its_own_has_a_bridge_of_its_own() {
        let bridge = |root| parse(&["--data-root", root]).unwrap().bridge();
        assert_eq!((bridge("/a"), bridge("/b")), ("skiff70d2182d".into(), "skiff6dd21374".into()));
        assert!(bridge("/a").len() <= 15);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (argument, words) in [
            ("--host=tcp://0.0.0.0:2375", "needs TLS"),
            ("--host=fd://", "systemd"),
            ("--host=unix://relative", "must be absolute"),
            ("--bridge=a-name-that-is-too-long", "at most 15"),
            ("--log-level=loud", "one of debug"),
            ("--cgroup-parent=a/../b", "cgroup hierarchy"),
            ("--config-file=/proc/self/exe", "no configuration file"),
            ("--swarm-default-advertise-addr=eth0", "--swarm-default-advertise-addr"),
        ] {
            let error = parse(&[argument]).expect_err(argument);
            assert!(error.contains(words), "{argument}: {error}");
        }
    }
}
