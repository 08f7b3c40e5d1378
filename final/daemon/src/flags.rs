//! The flags: dockerd's names and meanings, so that a unit file or a script written for dockerd goes on working.
//!
//! A flag that docker has and that changes nothing here is accepted and ignored, with the reason beside it. A flag that
//! nobody knows is refused by name: a daemon that overlooks an instruction is worse than one that does not start.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};
use ipnet::Ipv4Net;
use skiff_engine::AddressPool;
use skiff_engine::containers::check_log;
use tracing_subscriber::filter::LevelFilter;

use crate::address::Address;
use crate::config_file;
use crate::tls::Tls;

/// Where state is kept unless a flag says otherwise.
const DATA_ROOT: &str = "/var/lib/skiff";
/// Where the settings are unless a flag says otherwise.
const CONFIG_FILE: &str = "/etc/skiff/daemon.json";

/// The container daemon: serves the Docker Engine API on a unix socket.
#[derive(Debug, Parser)]
#[command(name = "skiffd", version, disable_version_flag = true, args_override_self = true)]
pub(crate) struct Flags {
    /// Where to listen: unix://PATH, tcp://ADDRESS:PORT, fd:// for systemd's sockets. May be given more than once.
    #[arg(short = 'H', long = "host", value_name = "ADDRESS", default_value = "unix:///run/skiff/skiff.sock")]
    pub(crate) hosts: Vec<Address>,
    /// File with the same settings, as JSON [default: /etc/skiff/daemon.json if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
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
    /// Directory with the descriptions of devices that --device names as vendor.com/class=name [default: /etc/cdi and
    /// /var/run/cdi]. May be given more than once.
    #[arg(long = "cdi-spec-dir", value_name = "DIR")]
    pub(crate) cdi_spec_dirs: Vec<PathBuf>,
    /// Name of the default network's bridge, at most 15 bytes [default: skiff0, or one made from DATA_ROOT].
    #[arg(short, long, value_name = "NAME", value_parser = link_name)]
    bridge: Option<String>,
    /// Address of that bridge with the subnet's prefix, such as 172.17.0.1/16 [default: one that is free].
    #[arg(long, value_name = "CIDR")]
    pub(crate) bip: Option<Ipv4Net>,
    /// Part of that subnet which containers' addresses are taken from [default: all of it].
    #[arg(long, value_name = "CIDR")]
    pub(crate) fixed_cidr: Option<Ipv4Net>,
    /// Where subnets are taken from that nobody asks for, such as base=10.10.0.0/16,size=24. May be given more than once.
    #[arg(long = "default-address-pool", value_name = "base=CIDR,size=BITS")]
    pub(crate) address_pools: Vec<AddressPool>,
    /// Largest packet on the default network, in bytes [default: 1500].
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<u32>,
    /// Directory of each cgroup hierarchy below which the containers' own are made.
    #[arg(long, value_name = "NAME", default_value = "skiff", value_parser = cgroup_name)]
    pub(crate) cgroup_parent: String,
    /// Log everything, every request included.
    #[arg(short = 'D', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub(crate) debug: bool,
    /// How much to log: debug, info, warn, error.
    #[arg(short, long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub(crate) log_level: LevelFilter,
    /// Print the version and end.
    #[arg(short, long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Check the settings, and end.
    #[arg(long)]
    pub(crate) validate: bool,
    #[command(flatten)]
    pub(crate) defaults: DefaultFlags,
    #[command(flatten)]
    tls: TlsFlags,
    #[command(flatten)]
    ignored: Ignored,
}

/// What containers have unless they say otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct DefaultFlags {
    /// Label of this daemon, as KEY=VALUE. May be given more than once.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) labels: Vec<(String, String)>,
    /// Give containers a small init as their first process.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        hide_possible_values = true)]
    pub(crate) init: Option<bool>,
    /// Limit of containers, as NAME=SOFT[:HARD]. May be given more than once.
    #[arg(long = "default-ulimit", value_name = "NAME=SOFT[:HARD]", value_parser = ulimit)]
    pub(crate) ulimits: Vec<(String, i64, i64)>,
    /// Where the containers' output goes: json-file, local, syslog, journald, none.
    #[arg(long, value_name = "DRIVER", default_value = "json-file")]
    pub(crate) log_driver: String,
    /// Option of that, as NAME=VALUE. May be given more than once.
    #[arg(long = "log-opt", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) log_opts: Vec<(String, String)>,
    /// Name server of containers. May be given more than once.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns: Vec<IpAddr>,
    /// Option of resolv.conf. May be given more than once.
    #[arg(long = "dns-opt", value_name = "OPTION")]
    pub(crate) dns_options: Vec<String>,
    /// Domain that names are looked up in. May be given more than once.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,
}

/// Who may come from the network.
#[derive(Debug, clap::Args)]
struct TlsFlags {
    /// Encrypt connections from the network.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        hide_possible_values = true)]
    tls: Option<bool>,
    /// Let in only who shows a certificate of the authority. False lets in everybody: whoever reaches the port is root here.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        hide_possible_values = true)]
    tlsverify: Option<bool>,
    /// The authority that has signed the clients' certificates.
    #[arg(long, value_name = "FILE", default_value = "/etc/skiff/ca.pem")]
    tlscacert: PathBuf,
    /// The daemon's own certificate.
    #[arg(long, value_name = "FILE", default_value = "/etc/skiff/cert.pem")]
    tlscert: PathBuf,
    /// Its key.
    #[arg(long, value_name = "FILE", default_value = "/etc/skiff/key.pem")]
    tlskey: PathBuf,
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
    /// Ignored: forwarding is switched on where a bridge needs it.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ip_forward: Option<bool>,
    /// Ignored: there is no containerd.
    #[arg(long, hide = true)]
    containerd: Option<PathBuf>,
    /// Ignored, as `containerd`.
    #[arg(long, hide = true)]
    containerd_namespace: Option<String>,
    /// Ignored, as `containerd`.
    #[arg(long, hide = true)]
    containerd_plugins_namespace: Option<String>,
    /// Ignored: layers are fetched a few at a time.
    #[arg(long, hide = true)]
    max_concurrent_downloads: Option<u32>,
    /// Ignored, as `max-concurrent-downloads`.
    #[arg(long, hide = true)]
    max_concurrent_uploads: Option<u32>,
    /// Ignored: what a registry did not send the first time is asked for again by the next pull.
    #[arg(long, hide = true)]
    max_download_attempts: Option<u32>,
    /// Ignored: there is one runtime, and it goes by the usual names.
    #[arg(long, hide = true, value_parser = ["skiff", "skiff-runtime", "runc", "crun", "io.containerd.runc.v2"])]
    default_runtime: Option<String>,
    /// Ignored: what they turn on is on, or not there.
    #[arg(long, hide = true)]
    feature: Vec<String>,
    /// Ignored: there are no experiments.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    experimental: Option<bool>,
    /// Ignored: the only driver there is.
    #[arg(short, long, hide = true, value_parser = ["overlay2", "overlay", "overlayfs"])]
    storage_driver: Option<String>,
    /// Ignored: cgroups are always files.
    #[arg(long, hide = true, value_parser = ["native.cgroupdriver=cgroupfs"])]
    exec_opt: Vec<String>,
    /// Ignored: there is nothing that stops later than the daemon.
    #[arg(long, hide = true)]
    shutdown_timeout: Option<i32>,
    /// Ignored: the log has no colours unless it is a terminal.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    raw_logs: Option<bool>,
}

impl Flags {
    /// Reads the command line and the file that it names.
    ///
    /// # Errors
    /// Those of the file. What is wrong on the command line ends the program, with the parser's own explanation.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let given = Self::command().get_matches();
        let named: Option<PathBuf> = given.get_one::<PathBuf>("config_file").cloned();
        let usual = || Some(PathBuf::from(CONFIG_FILE)).filter(|path| path.exists());
        let Some(path) = named.or_else(usual) else { return Self::from_arg_matches(&given)?.checked() };
        let from_file = config_file::arguments(&path, &given)?;
        let line =
            std::env::args_os().take(1).chain(from_file.into_iter().map(Into::into)).chain(std::env::args_os().skip(1));
        let both = Self::try_parse_from(line);
        let both = both.map_err(|error| match error.kind() {
            clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion => error.exit(),
            _ => anyhow::anyhow!("unable to configure the daemon with file {}: {error}", path.display()),
        });
        both?.checked()
    }

    /// What the parser cannot see: the options of a log that only its driver knows.
    fn checked(self) -> anyhow::Result<Self> {
        let DefaultFlags { log_driver, log_opts, .. } = &self.defaults;
        check_log(log_driver, log_opts).context("failed to set log opts")?;
        Ok(self)
    }

    /// What the event of a reload tells besides what the engine knows, in dockerd's words.
    pub(crate) fn told(&self) -> HashMap<String, String> {
        let Ignored { max_concurrent_downloads, max_concurrent_uploads, shutdown_timeout, .. } = &self.ignored;
        [
            ("debug", self.debug.to_string()),
            ("live-restore", true.to_string()),
            ("max-concurrent-downloads", max_concurrent_downloads.unwrap_or(3).to_string()),
            ("max-concurrent-uploads", max_concurrent_uploads.unwrap_or(5).to_string()),
            ("shutdown-timeout", shutdown_timeout.unwrap_or(15).to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// What clients from the network must show.
    ///
    /// # Errors
    /// Nothing is said of it: whoever reaches the port would be root on this machine.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<Tls>> {
        let TlsFlags { tls, tlsverify, tlscacert, tlscert, tlskey } = &self.tls;
        let tls_with = |authority| Some(Tls { authority, certificate: tlscert.clone(), key: tlskey.clone() });
        match (tls, tlsverify) {
            (_, Some(true)) => Ok(tls_with(Some(tlscacert.clone()))),
            (Some(true), Some(false)) => Ok(tls_with(None)),
            (Some(false), _) | (None, Some(false)) => Ok(None),
            (_, None) => anyhow::bail!(
                "the API over tcp needs --tlsverify, because whoever reaches the port without a certificate is root on \
                 this machine\nGive --tlsverify, --tlscacert, --tlscert and --tlskey; or --tls=false to let in everybody."
            ),
        }
    }

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

/// `KEY=VALUE`
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.into(), value.into()))
}

/// `nofile=1024:2048`; one number is both; -1 is unlimited.
fn ulimit(text: &str) -> Result<(String, i64, i64), String> {
    let (name, limits) = text.split_once('=').ok_or("expected NAME=SOFT[:HARD]")?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
    Ok((name.into(), number(soft)?, number(hard)?))
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
            "--insecure-registry=10.0.0.1:5000",
            "-D",
        ])
        .unwrap();
        let paths: Vec<_> = flags.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["/tmp/a.sock", "/tmp/b.sock"]);
        assert_eq!((flags.level(), flags.insecure_registries.len()), (LevelFilter::DEBUG, 1));
    }

    #[test]
    fn defaults_are_below_run_and_var_lib() {
        let flags = parse(&[]).unwrap();
        assert_eq!(flags.hosts, [Address::Unix("/run/skiff/skiff.sock".into())]);
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
            ("--host=npipe://x", "expected unix"),
            ("--storage-driver=zfs", "overlay2"),
            ("--default-ulimit=nofile", "SOFT"),
            ("--host=unix://relative", "must be absolute"),
            ("--bridge=a-name-that-is-too-long", "at most 15"),
            ("--log-level=loud", "one of debug"),
            ("--default-address-pool=10.0.0.0/8", "base=10.10.0.0/16,size=24"),
            ("--cgroup-parent=a/../b", "cgroup hierarchy"),
            ("--swarm-default-advertise-addr=eth0", "--swarm-default-advertise-addr"),
        ] {
            let error = parse(&[argument]).expect_err(argument);
            assert!(error.contains(words), "{argument}: {error}");
        }
    }

    #[test]
    fn the_network_needs_certificates_unless_somebody_insists() {
        let tls = |line: &[&str]| parse(line).unwrap().tls().map(|tls| tls.map(|tls| tls.authority.is_some()));
        assert!(tls(&[]).unwrap_err().to_string().contains("needs --tlsverify"));
        assert!(tls(&["--tls"]).is_err());
        assert_eq!(tls(&["--tlsverify"]).unwrap(), Some(true));
        assert_eq!(tls(&["--tls", "--tlsverify=false"]).unwrap(), Some(false));
        assert_eq!((tls(&["--tls=false"]).unwrap(), tls(&["--tlsverify=false"]).unwrap()), (None, None));
    }
}
