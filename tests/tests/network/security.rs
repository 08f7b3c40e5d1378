//! What others got wrong, one test each.

use skiff_tests::Daemon;

use crate::bench::{PATIENCE, Place, SILENCE, outside, sleeper};

/// CVE-2024-32473: IPv6 left on in a network without it. CVE-2020-13401: a router advertisement from a container.
#[test]
fn no_ipv6_without_a_subnet_and_no_router_behind_a_bridge() {
    let daemon = Daemon::start();
    daemon.docker(&["network", "create", "four"]).ok();
    daemon.docker(&["network", "create", "--ipv6", "-o", "com.docker.network.bridge.name=six0", "six"]).ok();
    sleeper(&daemon, "old", &["--network", "four"]);
    sleeper(&daemon, "new", &["--network", "six"]);
    let read = |container: &str, name: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/eth0/{name}");
        daemon.docker(&["exec", container, "cat", &path]).ok().to_owned()
    };
    assert_eq!(read("old", "disable_ipv6"), "1");
    assert!(!daemon.docker(&["exec", "old", "ip", "-6", "addr", "show", "eth0"]).ok().contains("inet6"));
    assert_eq!((read("new", "disable_ipv6").as_str(), read("new", "accept_ra").as_str()), ("0", "0"));
    assert_eq!(daemon.on_host(&["cat", "/proc/sys/net/ipv6/conf/six0/accept_ra"]).ok(), "0");
    daemon.docker(&["rm", "-f", "old", "new"]).ok();
    daemon.docker(&["network", "rm", "four", "six"]).ok();
    daemon.finish();
}

/// CVE-2025-54388, CVE-2025-54410: after a reload of another firewall the rules are gone, and with them the isolation.
/// CVE-2025-67499: a published port catches packets that are for somebody else.
#[test]
fn rules_that_others_flush_come_back_and_catch_only_what_is_for_the_host() {
    let daemon = Daemon::start();
    let world = outside(&daemon);
    daemon.docker(&["network", "create", "net"]).ok();
    sleeper(&daemon, "web", &["--network", "net", "-p", "8080:80", "-p", "80:81"]);
    sleeper(&daemon, "client", &["--network", "net"]);
    let (web, client) = (Place::of_container(&daemon, "web"), Place::of_container(&daemon, "client"));
    let (server, elsewhere) = (web.listen(80), world.listen(80));
    let port = "192.0.2.1:8080".parse().expect("an address");
    assert!(world.reaches(port, &server, PATIENCE).is_some());
    // Port 80 of another machine is not port 80 of the host.
    let theirs = "192.0.2.2:80".parse().expect("an address");
    assert!(client.reaches(theirs, &elsewhere, PATIENCE).is_some());
    daemon.on_host(&["nft", "flush", "ruleset"]).ok();
    crate::bench::eventually("the rules are there again", || {
        daemon.on_host(&["nft", "list", "ruleset"]).stdout.contains("8080")
    });
    assert!(world.reaches(port, &server, PATIENCE).is_some());
    let direct = format!("{}:80", crate::bench::endpoint(&daemon, "web", "net", "IPAddress"));
    assert!(world.reaches(direct.parse().expect("an address"), &server, SILENCE).is_none());
    // What the administrator says holds, and is still there when the rules are made again.
    let table = daemon.on_host(&["nft", "list", "tables"]).ok().lines().next().expect("a table").to_owned();
    let table = table.trim_start_matches("table inet ").to_owned();
    daemon.on_host(&["nft", "add", "rule", "inet", &table, "administrator", "ip", "saddr", "192.0.2.2", "drop"]).ok();
    assert!(world.reaches(port, &server, SILENCE).is_none());
    let host = Place::of_host(&daemon);
    assert!(host.reaches("127.0.0.1:8080".parse().expect("an address"), &server, PATIENCE).is_some());
    daemon.docker(&["rm", "-f", "web", "client"]).ok();
    daemon.docker(&["network", "rm", "net"]).ok();
    daemon.finish();
}

/// CVE-2021-20199: what came through a published port seemed to come from 127.0.0.1, and a program that trusts its own machine
/// trusted the world.
#[test]
fn a_published_port_shows_who_has_come() {
    let daemon = Daemon::start();
    let world = outside(&daemon);
    sleeper(&daemon, "web", &["-p", "8080:80"]);
    let server = Place::of_container(&daemon, "web").listen(80);
    let port = "192.0.2.1:8080".parse().expect("an address");
    assert_eq!(world.reaches(port, &server, PATIENCE), Some(crate::bench::OUTSIDE[0].parse().expect("an address")));
    let local = Place::of_host(&daemon).reaches("127.0.0.1:8080".parse().expect("an address"), &server, PATIENCE);
    assert!(local.is_some_and(|seen| !seen.is_loopback()), "{local:?}");
    daemon.docker(&["rm", "-f", "web"]).ok();
    daemon.finish();
}
