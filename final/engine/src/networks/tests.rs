//! Claims against the real kernel, each test in a network namespace of its thread's own.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;

use ::network::{Attachment, PoolRequest, Request};
use bollard_stubs::models::{EndpointIpamConfig, EndpointSettings, HostConfig, PortBinding};
use nix::sched::{CloneFlags, unshare};

use super::{Asked, Networks, Wishes, settings};
use crate::config::Config;
use crate::events::Events;

/// Opens the networks below `home`, in a network namespace that ends with the test's thread.
fn open(home: &tempfile::TempDir) -> Networks {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    ip("link set lo up");
    again(home)
}

fn again(home: &tempfile::TempDir) -> Networks {
    let config = Config { bridge: "test0".into(), ..Config::at(home.path(), home.path()) };
    Networks::open(&config, &Arc::new(Events::default())).unwrap()
}

/// `ip(8)` in the thread's namespace: what it prints.
fn ip(words: &str) -> String {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A container's wish: the mode of its network, and `HOST:CONTAINER` ports.
fn host(mode: &str, ports: &[(&str, &str)]) -> HostConfig {
    let bind = |port: &str| PortBinding { host_ip: None, host_port: Some(port.to_owned()) };
    let bindings = ports.iter().map(|(host, inside)| ((*inside).to_owned(), Some(vec![bind(host)])));
    HostConfig { network_mode: Some(mode.to_owned()), port_bindings: Some(bindings.collect()), ..HostConfig::default() }
}

fn claim(networks: &Networks, container: &str, host: &HostConfig) -> Result<Attachment, String> {
    claim_with(networks, container, host, &Wishes::new())
}

fn claim_with(
    networks: &Networks,
    container: &str,
    host: &HostConfig,
    endpoints: &Wishes,
) -> Result<Attachment, String> {
    let id = container.repeat(64);
    let asked = Asked { container: &id, name: container, host, endpoints, exposed: &["53/udp".to_owned()] };
    networks.claim(asked).map_err(|error| error.message)
}

fn addresses(attachment: &Attachment) -> Vec<String> {
    attachment.endpoints().iter().map(|endpoint| endpoint.address.to_string()).collect()
}

#[test]
fn three_networks_are_always_there_and_stay_the_same() {
    let home = tempfile::tempdir().unwrap();
    let names = |networks: &Networks| -> HashMap<String, String> {
        networks.lock().networks.values().map(|held| (held.network.name.clone(), held.network.id.clone())).collect()
    };
    let first = names(&open(&home));
    assert_eq!(first.len(), 3);
    assert_eq!(names(&again(&home)), first);
}

#[test]
fn addresses_are_given_and_given_back() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    let bridge = host("default", &[]);
    let first = claim(&networks, "a", &bridge).unwrap();
    assert_eq!(addresses(&first), ["172.17.0.2/16"]);
    assert!(ip("-o -4 addr show dev test0").contains("172.17.0.1/16"));
    assert_eq!(addresses(&claim(&networks, "b", &bridge).unwrap()), ["172.17.0.3/16"]);
    networks.release(&first).unwrap();
    networks.release(&first).unwrap();
    assert_eq!(addresses(&claim(&networks, "c", &bridge).unwrap()), ["172.17.0.2/16"]);
}

#[test]
fn host_and_none_have_nothing_to_claim() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    assert_eq!(claim(&networks, "a", &host("host", &[])), Ok(Attachment::Host));
    assert_eq!(claim(&networks, "a", &host("none", &[])), Ok(Attachment::None));
    let both = Wishes::from([("none".to_owned(), EndpointSettings::default())]);
    let refusal = claim_with(&networks, "a", &host("bridge", &[]), &both).unwrap_err();
    assert_eq!(refusal, "the network none cannot be combined with other networks");
    assert_eq!(claim(&networks, "a", &host("nothing", &[])), Err("network nothing not found".into()));
    // What was claimed before the refusal is free again.
    assert_eq!(addresses(&claim(&networks, "b", &host("", &[])).unwrap()), ["172.17.0.2/16"]);
}

#[test]
fn a_port_has_one_holder() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    let web = host("bridge", &[("8080", "80/tcp")]);
    let first = claim(&networks, "a", &web).unwrap();
    let refusal = claim(&networks, "b", &web).unwrap_err();
    assert!(refusal.contains("Bind for 0.0.0.0:8080 failed: port is already allocated"), "{refusal}");
    let shown = settings(&networks, Some(&first), &Wishes::new(), None);
    let ports = shown.ports.unwrap();
    let binding = ports["80/tcp"].as_ref().unwrap().first().unwrap();
    assert_eq!((binding.host_ip.as_deref(), binding.host_port.as_deref()), (Some("0.0.0.0"), Some("8080")));
    networks.release(&first).unwrap();
    claim(&networks, "b", &web).unwrap();
}

#[test]
fn all_exposed_ports_are_published_when_asked() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    let all = HostConfig { publish_all_ports: Some(true), ..host("bridge", &[("8080", "80/tcp")]) };
    let claimed = claim(&networks, "a", &all).unwrap();
    let mut ports: Vec<_> = claimed.endpoints()[0].ports.iter().map(|port| port.container_port).collect();
    // Each once for each family of addresses that the host has.
    ports.dedup();
    assert_eq!(ports, [80, 53]);
}

#[test]
fn an_address_that_cannot_be_leaves_nothing_claimed() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    let at = |address: &str| {
        let config = EndpointIpamConfig { ipv4_address: Some(address.to_owned()), ..EndpointIpamConfig::default() };
        Wishes::from([(
            "net".to_owned(),
            EndpointSettings { ipam_config: Some(config), ..EndpointSettings::default() },
        )])
    };
    let subnet = PoolRequest { subnet: Some("172.29.0.0/16".parse().unwrap()), ..PoolRequest::default() };
    let request = Request { name: "net".to_owned(), ipv4: subnet, ..Request::default() };
    networks.create(request).unwrap();
    let web = host("net", &[("8080", "80/tcp")]);
    let refusal = claim_with(&networks, "a", &web, &at("10.0.0.1")).unwrap_err();
    assert!(refusal.contains("no configured subnet contains IP address 10.0.0.1"), "{refusal}");
    assert_eq!(addresses(&claim_with(&networks, "b", &web, &at("172.29.0.99")).unwrap()), ["172.29.0.99/16"]);
    let refusal = claim_with(&networks, "c", &host("net", &[]), &at("172.29.0.99")).unwrap_err();
    assert!(refusal.contains("Address already in use"), "{refusal}");
}

#[test]
fn a_link_belongs_to_the_container_that_has_it() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    networks.create(Request { name: "back".to_owned(), ..Request::default() }).unwrap();
    let linked = HostConfig { links: Some(vec!["/db:database".to_owned(), "cache".to_owned()]), ..host("back", &[]) };
    let links = |mode: &str| {
        let host = HostConfig { network_mode: Some(mode.to_owned()), ..linked.clone() };
        claim(&networks, mode.get(..1).unwrap(), &host).unwrap().endpoints()[0].links.clone()
    };
    let pair = |alias: &str, name: &str| (alias.to_owned(), name.to_owned());
    assert_eq!(links("back"), [pair("database", "db"), pair("cache", "cache")]);
}

#[test]
fn a_port_that_is_asked_for_is_not_taken_by_one_that_takes_any() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    let any = claim(&networks, "a", &host("bridge", &[("", "80/tcp")])).unwrap().endpoints()[0].ports[0].host_port;
    let next = (any + 1).to_string();
    let ports = claim(&networks, "b", &host("bridge", &[("", "70/tcp"), (&next, "90/tcp")])).unwrap();
    let got = |inside| ports.endpoints()[0].ports.iter().find(|port| port.container_port == inside).unwrap().host_port;
    assert_eq!(got(90), any + 1);
    assert_ne!(got(70), any + 1);
}

#[test]
fn what_runs_on_is_taken_in_again() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    let web = host("bridge", &[("8080", "80/tcp")]);
    let held = claim(&networks, "a", &web).unwrap();
    drop(networks);
    let networks = again(&home);
    networks.adopt([&held]).unwrap();
    assert_eq!(addresses(&claim(&networks, "b", &host("bridge", &[])).unwrap()), ["172.17.0.3/16"]);
    assert!(claim(&networks, "c", &web).unwrap_err().contains("port is already allocated"));
}

#[test]
fn the_default_network_moves_on_when_its_subnet_is_taken_meanwhile() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    ip("link add other type bridge");
    ip("addr add 172.17.5.1/24 dev other");
    ip("link set other up");
    assert_eq!(addresses(&claim(&networks, "a", &host("bridge", &[])).unwrap()), ["172.18.0.2/16"]);
    assert_eq!(
        again(&home).lock().networks.values().find_map(|held| held.network.ipv4.clone()).unwrap().subnet.to_string(),
        "172.18.0.0/16"
    );
}

#[test]
fn an_engine_without_containers_leaves_neither_bridge_nor_rules() {
    let home = tempfile::tempdir().unwrap();
    let networks = open(&home);
    let held = claim(&networks, "a", &host("bridge", &[])).unwrap();
    networks.close().unwrap();
    assert!(ip("-o link").contains("test0"), "a container still holds an address there");
    networks.release(&held).unwrap();
    networks.close().unwrap();
    assert!(!ip("-o link").contains("test0"));
    let tables = Command::new("nft").args(["list", "tables"]).output().unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&tables), "");
}

#[test]
fn subnets_and_addresses_come_from_where_the_configuration_says() {
    let home = tempfile::tempdir().unwrap();
    drop(open(&home));
    let config = Config {
        bridge: "test0".into(),
        bridge_range: Some("10.61.0.128/25".parse().unwrap()),
        bridge_address: Some("10.61.0.1/24".parse().unwrap()),
        address_pools: vec!["base=10.62.0.0/16,size=24".parse().unwrap()],
        ..Config::at(home.path(), home.path())
    };
    let networks = Networks::open(&config, &Arc::new(Events::default())).unwrap();
    let made = ["one", "two"].map(|name| {
        let wish = ::network::Request { name: name.into(), driver: "bridge".into(), ..Default::default() };
        let id = networks.create(wish).unwrap();
        networks.lock().held(&id).unwrap().network.subnets().next().unwrap().to_string()
    });
    assert_eq!(made, ["10.62.0.0/24", "10.62.1.0/24"]);
    assert_eq!(addresses(&claim(&networks, "c1", &host("bridge", &[])).unwrap()), ["10.61.0.128/24"]);
}
