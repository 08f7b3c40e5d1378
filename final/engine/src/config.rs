//! Where state is kept, and the few things that differ between two daemons side by side.

use std::collections::HashMap;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use network::AddressPool;

/// Everything the engine is told from outside. `skiffd` makes it from its flags, which are dockerd's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What survives a reboot: images, layers, records, volumes (`--data-root`).
    pub data_root: PathBuf,
    /// What need not: sockets and pid files (`--exec-root`).
    pub exec_root: PathBuf,
    /// The `skiff-runtime` program. `None` looks beside the running executable.
    pub runtime: Option<PathBuf>,
    /// Name of the default network's bridge, at most 15 bytes.
    pub bridge: String,
    /// Address of the default network's bridge with the subnet's prefix (`--bip`): `172.17.0.1/16`. `None` chooses.
    pub bridge_address: Option<Ipv4Net>,
    /// Part of that subnet which containers' addresses are taken from (`--fixed-cidr`). Without an address of the bridge it is
    /// the subnet itself. `None` is all of it.
    pub bridge_range: Option<Ipv4Net>,
    /// Where subnets are taken from that nobody asks for (`--default-address-pool`). Empty chooses as docker does.
    pub address_pools: Vec<AddressPool>,
    /// Largest packet on the default network, in bytes (`--mtu`). `None` is the kernel's 1500.
    pub mtu: Option<u32>,
    /// Directory below each cgroup hierarchy under which the containers' own cgroups are made.
    pub cgroup_parent: String,
    /// Directories with the descriptions of devices (`--cdi-spec-dir`), the one that counts most last.
    pub cdi_spec_dirs: Vec<PathBuf>,
    /// What containers have unless they say otherwise.
    pub defaults: Defaults,
    /// Registries asked before the one an image names (`--registry-mirror`): `URL` for those of docker.io, `HOST=URL` for
    /// those of another registry.
    pub registry_mirrors: Vec<String>,
    /// Registries spoken to over plain HTTP (`--insecure-registry`), as `HOST[:PORT]`. Loopback always is.
    pub insecure_registries: Vec<String>,
    /// Directories with the certificates of registries (`--registry-certs`), as `DIR/HOST[:PORT]/ca.crt`.
    pub registry_certificates: Vec<PathBuf>,
}

/// What containers have unless they say otherwise, and what `docker info` says of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The engine's own labels (`--label`), as `KEY=VALUE`.
    pub labels: Vec<String>,
    /// Whether their first process is a small init (`--init`).
    pub init: bool,
    /// Name, soft and hard limit of resources (`--default-ulimit`); -1 is unlimited.
    pub ulimits: Vec<(String, i64, i64)>,
    /// Where their output goes (`--log-driver`); empty is `json-file`.
    pub log_driver: String,
    /// Options of that (`--log-opt`).
    pub log_options: HashMap<String, String>,
    /// Name servers (`--dns`).
    pub dns: Vec<String>,
    /// Options of resolv.conf (`--dns-opt`).
    pub dns_options: Vec<String>,
    /// Domains that names are looked up in (`--dns-search`).
    pub dns_search: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_root: PathBuf::from("/var/lib/skiff"),
            exec_root: PathBuf::from("/run/skiff"),
            runtime: None,
            bridge: "skiff0".into(),
            bridge_address: None,
            bridge_range: None,
            address_pools: Vec::new(),
            mtu: None,
            cgroup_parent: "skiff".into(),
            cdi_spec_dirs: ["/etc/cdi", "/var/run/cdi"].map(PathBuf::from).into(),
            defaults: Defaults::default(),
            registry_mirrors: Vec::new(),
            insecure_registries: Vec::new(),
            registry_certificates: ["/etc/skiff/certs.d", "/etc/docker/certs.d"].map(PathBuf::from).into(),
        }
    }
}

impl Config {
    /// A configuration whose state is all below `data_root` and `exec_root`, defaults elsewhere.
    pub fn at(data_root: impl Into<PathBuf>, exec_root: impl Into<PathBuf>) -> Self {
        Self { data_root: data_root.into(), exec_root: exec_root.into(), ..Self::default() }
    }
}
