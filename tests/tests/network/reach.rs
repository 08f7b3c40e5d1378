//! The table of who reaches whom, with real traffic.
//!
//! It is docker's, with these differences, all of them stricter:
//! - a container's own address is not reached from outside, though the neighbour has a route to it and the port is published
//!   (docker 20.10 lets a published port be reached so; later ones do not);
//! - the IPv6 subnet of a network is closed like the IPv4 one, and published ports are reached by IPv6 without a proxy
//!   (docker 20.10 has no rules for IPv6 at all unless it is told to).

use std::net::{IpAddr, SocketAddr, TcpListener};

use skiff_tests::Daemon;

use crate::bench::{HOST, OUTSIDE, Place, endpoint, outside, sleeper};

/// From where, to where, whether it is reached.
const TABLE: &[(&str, &str, bool)] = &[
    // In the same network.
    ("anna", "bert4", true),
    ("anna", "bert6", true),
    ("ina", "jan4", true),
    // In another one.
    ("anna", "carl4", false),
    ("carl", "anna4", false),
    ("carl", "bert4", false),
    ("carl", "jan4", false),
    ("ina", "anna4", false),
    // The world, from inside.
    ("anna", "world4", true),
    ("anna", "world6", true),
    ("carl", "world4", true),
    ("ina", "world4", false),
    // By a published port: from outside, from the host, from another network, from the neighbour, from itself.
    ("world", "port4", true),
    ("world", "port6", true),
    ("host", "port4", true),
    ("host", "port6", true),
    ("host", "loopback4", true),
    ("carl", "port4", true),
    ("bert", "port4", true),
    ("bert", "port6", true),
    ("anna", "port4", true),
    ("anna", "port6", true),
    ("ina", "port4", false),
    // A container's own address: from the host, and from a neighbour of the host who knows the way.
    ("host", "anna4", true),
    ("host", "anna6", true),
    ("host", "bert4", true),
    ("host", "jan4", true),
    ("world", "anna4", false),
    ("world", "anna6", false),
    ("world", "bert4", false),
    ("world", "bert6", false),
    ("world", "carl4", false),
    ("world", "jan4", false),
];

/// The sources that a server must see.
const SOURCES: &[(&str, &str, &str)] = &[
    ("world", "port4", OUTSIDE[0]),
    ("world", "port6", OUTSIDE[1]),
    ("anna", "world4", HOST[0]),
    ("anna", "world6", HOST[1]),
];

struct Scene {
    places: Vec<(&'static str, Place)>,
    servers: Vec<(&'static str, TcpListener)>,
    targets: Vec<(&'static str, SocketAddr, &'static str)>,
}

impl Scene {
    fn set(daemon: &Daemon) -> Self {
        let world = outside(daemon);
        daemon.docker(&["network", "create", "--ipv6", "dual"]).ok();
        daemon.docker(&["network", "create", "single"]).ok();
        daemon.docker(&["network", "create", "--internal", "inner"]).ok();
        sleeper(daemon, "anna", &["--network", "dual", "-p", "8080:80"]);
        sleeper(daemon, "bert", &["--network", "dual"]);
        sleeper(daemon, "carl", &["--network", "single"]);
        sleeper(daemon, "ina", &["--network", "inner"]);
        sleeper(daemon, "jan", &["--network", "inner"]);
        let mut places = vec![("world", world), ("host", Place::of_host(daemon))];
        places.extend(["anna", "bert", "carl", "ina", "jan"].map(|name| (name, Place::of_container(daemon, name))));
        let serving = places.iter().filter(|(name, _)| *name != "host");
        let servers = serving.map(|(name, place)| (*name, place.listen(80))).collect();
        let at = |container, network, field| endpoint(daemon, container, network, field);
        let target = |name, address: &str, port, server| {
            (name, SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port), server)
        };
        let targets = vec![
            target("anna4", &at("anna", "dual", "IPAddress"), 80, "anna"),
            target("anna6", &at("anna", "dual", "GlobalIPv6Address"), 80, "anna"),
            target("bert4", &at("bert", "dual", "IPAddress"), 80, "bert"),
            target("bert6", &at("bert", "dual", "GlobalIPv6Address"), 80, "bert"),
            target("carl4", &at("carl", "single", "IPAddress"), 80, "carl"),
            target("jan4", &at("jan", "inner", "IPAddress"), 80, "jan"),
            target("world4", OUTSIDE[0], 80, "world"),
            target("world6", OUTSIDE[1], 80, "world"),
            target("port4", HOST[0], 8080, "anna"),
            target("port6", HOST[1], 8080, "anna"),
            target("loopback4", "127.0.0.1", 8080, "anna"),
        ];
        Self { places, servers, targets }
    }

    fn reached(&self, from: &str, to: &str, expected: bool) -> Option<IpAddr> {
        let place = &self.places.iter().find(|(name, _)| *name == from).expect("a place").1;
        let (_, address, server) = self.targets.iter().find(|(name, ..)| *name == to).expect("a target");
        let server = &self.servers.iter().find(|(name, _)| name == server).expect("a server").1;
        place.reaches(*address, server, expected)
    }
}

#[test]
fn who_reaches_whom() {
    let daemon = Daemon::start();
    let scene = Scene::set(&daemon);
    let wrong: Vec<_> =
        TABLE.iter().filter(|(from, to, expected)| scene.reached(from, to, *expected).is_some() != *expected).collect();
    assert!(wrong.is_empty(), "not as in the table: {wrong:?}\n{}", daemon.on_host(&["nft", "list", "ruleset"]).stdout);
    for (from, to, source) in SOURCES {
        assert_eq!(scene.reached(from, to, true).map(|ip| ip.to_string()).as_deref(), Some(*source), "{from} to {to}");
    }
    drop(scene);
    daemon.docker(&["rm", "-f", "anna", "bert", "carl", "ina", "jan"]).ok();
    daemon.docker(&["network", "rm", "dual", "single", "inner"]).ok();
    daemon.finish();
}
