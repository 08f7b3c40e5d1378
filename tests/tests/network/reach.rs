//! The table of who reaches whom, with real traffic: `reach.md` has it, with what a dockerd from Debian answers beside ours.
//!
//! The scene: `world` is a machine outside that has a route to every network by way of the host. `anna` (publishes 8080),
//! `bert` and `dora` (8082 on the host's loopback) are in a network with both families, `carl` (8081) in one with IPv4 only,
//! `ina` and `jan` in an internal one, `ida` and `ivo` (8083) in one without icc.
//!
//! `SKIFF_REACH=overwrite cargo test -p skiff-tests --test network reach` asks dockerd again and writes its columns.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use skiff_tests::{Daemon, Dockerd};

use crate::bench::{Engine, HOST, OUTSIDE, PATIENCE, Place, SILENCE, endpoint, outside, sleeper};

/// The dockerds that are asked, a column each.
const DOCKERDS: [&[&str]; 2] = [&[], &["--experimental", "--ip6tables", "--userland-proxy=false"]];

/// The networks, and in which the containers are.
const NETWORKS: [(&str, &[&str]); 4] = [
    ("dual", &["--ipv6", "--subnet", "10.101.0.0/24", "--subnet", "fd12:101::/64"]),
    ("single", &["--subnet", "10.102.0.0/24"]),
    ("inner", &["--internal", "--subnet", "10.103.0.0/24"]),
    ("apart", &["--subnet", "10.104.0.0/24", "-o", "com.docker.network.bridge.enable_icc=false"]),
];
const CONTAINERS: [(&str, &str, &[&str]); 8] = [
    ("anna", "dual", &["-p", "8080:80"]),
    ("bert", "dual", &[]),
    ("dora", "dual", &["-p", "127.0.0.1:8082:80", "-p", "[::1]:8082:80"]),
    ("carl", "single", &["-p", "8081:80"]),
    ("ina", "inner", &[]),
    ("jan", "inner", &[]),
    ("ida", "apart", &[]),
    ("ivo", "apart", &["-p", "8083:80"]),
];

/// A line of the table: who asks whom, and how that ends here, and with each dockerd: `no`, or whom the server sees.
struct Row {
    from: String,
    to: String,
    ends: Vec<String>,
    why: String,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/reach.md")
}

/// The table, and the text before it.
fn table() -> (String, Vec<Row>) {
    let text = std::fs::read_to_string(file()).expect("the table");
    let (head, rows) = text.split_once("|---|---|---|---|---|---|\n").expect("a table");
    let row = |line: &str| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let ends = cells[2..5].to_vec();
        Row { from: cells[0].clone(), to: cells[1].clone(), ends, why: cells[5].clone() }
    };
    (format!("{head}|---|---|---|---|---|---|\n"), rows.lines().map(row).collect())
}

struct Scene {
    places: BTreeMap<&'static str, Place>,
    servers: BTreeMap<&'static str, TcpListener>,
    /// Address and server.
    targets: BTreeMap<String, (SocketAddr, &'static str)>,
    /// Who has an address.
    owners: BTreeMap<IpAddr, &'static str>,
}

impl Scene {
    fn set(engine: &impl Engine) -> Self {
        let mut places = BTreeMap::from([("world", outside(engine)), ("host", Place::of_host(engine))]);
        for (name, arguments) in NETWORKS {
            engine.docker(&[&["network", "create"], arguments, &[name]].concat()).ok();
        }
        for (name, network, arguments) in CONTAINERS {
            sleeper(engine, name, &[&["--network", network], arguments].concat());
            places.insert(name, Place::of_container(engine, name));
        }
        let port = |name: &str| if name == "host" { 90 } else { 80 };
        let servers = places.iter().map(|(name, place)| (*name, place.listen(port(name)))).collect();
        let mut scene = Self { places, servers, targets: BTreeMap::new(), owners: BTreeMap::new() };
        for (name, network, _) in CONTAINERS {
            scene.know(&format!("{name}4"), &endpoint(engine, name, network, "IPAddress"), 80, name);
            scene.know(&format!("{network}-gateway4"), &endpoint(engine, name, network, "Gateway"), 90, "gateway");
            if network == "dual" {
                scene.know(&format!("{name}6"), &endpoint(engine, name, network, "GlobalIPv6Address"), 80, name);
                let gateway = endpoint(engine, name, network, "IPv6Gateway");
                scene.know("dual-gateway6", &gateway, 90, "gateway");
            }
        }
        scene.know_gateways();
        for (family, local) in ["127.0.0.1", "::1"].into_iter().enumerate() {
            let version = ["4", "6"][family];
            scene.know(&format!("world{version}"), OUTSIDE[family], 80, "world");
            scene.know(&format!("host{version}"), HOST[family], 90, "host");
            scene.know(&format!("local{version}"), local, 90, "host");
            for (server, port) in [("anna", 8080), ("carl", 8081), ("dora", 8082), ("ivo", 8083)] {
                scene.lead(&format!("{server}-port{version}"), HOST[family], port, server);
                scene.lead(&format!("{server}-local{version}"), local, port, server);
            }
        }
        scene
    }

    /// The bridges' addresses. An internal network has no gateway to tell, but its bridge has the first address.
    fn know_gateways(&mut self) {
        self.know("inner-gateway4", "10.103.0.1", 90, "gateway");
    }

    /// An address that leads to its owner.
    fn know(&mut self, target: &str, address: &str, port: u16, owner: &'static str) {
        let Ok(address) = address.parse::<IpAddr>() else { return };
        self.owners.insert(address, owner);
        self.lead(target, &address.to_string(), port, if owner == "gateway" { "host" } else { owner });
    }

    /// An address that leads to somebody.
    fn lead(&mut self, target: &str, address: &str, port: u16, server: &'static str) {
        let address = SocketAddr::new(address.parse().expect("an address"), port);
        self.targets.insert(target.to_owned(), (address, server));
    }

    /// `no`, or whom the server sees: the asker `itself`, the `host`, or the host by its address in the `gateway`'s place.
    fn end(&self, from: &str, to: &str, patience: Duration) -> &'static str {
        let place = self.places.get(from).unwrap_or_else(|| panic!("nobody is called {from}"));
        let (address, server) = self.targets.get(to).unwrap_or_else(|| panic!("nothing is called {to}"));
        let Some(source) = place.reaches(*address, &self.servers[server], patience) else { return "no" };
        match self.owners.get(&source).unwrap_or_else(|| panic!("nobody has the address {source}")) {
            owner if *owner == from => "itself",
            owner => owner,
        }
    }
}

#[test]
fn who_reaches_whom() {
    let daemon = Daemon::start();
    let scene = Scene::set(&daemon);
    let mut wrong = Vec::new();
    for Row { from, to, ends, .. } in table().1 {
        let end = scene.end(&from, &to, if ends[0] == "no" { SILENCE } else { PATIENCE });
        if end != ends[0] {
            wrong.push(format!("{from} to {to}: {end}, not {}", ends[0]));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as in the table: {wrong:#?}\n{}",
        daemon.on_host(&["nft", "list", "ruleset"]).stdout
    );
    drop(scene);
    daemon.docker(&[&["rm", "-f"], &CONTAINERS.map(|(name, ..)| name)[..]].concat()).ok();
    daemon.docker(&[&["network", "rm"], &NETWORKS.map(|(name, _)| name)[..]].concat()).ok();
    daemon.finish();
}

/// Nothing is reached here that no dockerd lets through, and where the ends differ the table says why.
#[test]
fn the_table_is_dockers_or_stricter_with_the_reason() {
    if std::env::var("SKIFF_REACH").is_ok_and(|mode| mode == "overwrite") {
        return ask_dockerd();
    }
    for Row { from, to, ends, why } in table().1 {
        let [ours, theirs @ ..] = ends.as_slice() else { panic!("a row of the table is short") };
        let stricter = ours == "no" || theirs.iter().any(|their| their != "no");
        assert!(stricter, "{from} reaches {to} here only");
        assert_eq!(ours == &theirs[0], why.is_empty(), "{from} to {to}: a difference has its reason, and only that");
    }
}

/// Writes what dockerd answers. It has time: what does not come in some seconds does not come.
fn ask_dockerd() {
    let (head, mut rows) = table();
    for (column, arguments) in DOCKERDS.into_iter().enumerate() {
        let dockerd = Dockerd::start(Path::new("docker"), arguments);
        let scene = Scene::set(&dockerd);
        for Row { from, to, ends, .. } in &mut rows {
            scene.end(from, to, Duration::from_secs(3)).clone_into(&mut ends[column + 1]);
        }
        drop(scene);
        dockerd.docker(&[&["rm", "-f"], &CONTAINERS.map(|(name, ..)| name)[..]].concat()).ok();
    }
    let line = |row: &Row| format!("| {} | {} | {} | {} |\n", row.from, row.to, row.ends.join(" | "), row.why);
    std::fs::write(file(), head + &rows.iter().map(line).collect::<String>()).expect("write the table");
}
