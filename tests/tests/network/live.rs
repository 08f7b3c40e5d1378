//! Networks of containers that run.

use std::time::Duration;

use skiff_tests::Daemon;

use crate::bench::{PATIENCE, Place, SILENCE, endpoint, eventually, sleeper};

#[test]
fn a_running_container_is_connected_and_disconnected() {
    let daemon = Daemon::start();
    daemon.docker(&["network", "create", "--subnet", "10.81.0.0/24", "left"]).ok();
    daemon.docker(&["network", "create", "--subnet", "10.82.0.0/24", "right"]).ok();
    sleeper(&daemon, "one", &["--network", "left", "-p", "8080:80"]);
    sleeper(&daemon, "two", &["--network", "right"]);
    let address = ["network", "connect", "--ip", "10.82.0.77", "--alias", "extra", "right", "one"];
    daemon.docker(&address).ok();
    let eth1 = daemon.docker(&["exec", "one", "ip", "-4", "-o", "addr", "show", "eth1"]);
    assert!(eth1.ok().contains("10.82.0.77/24"), "{eth1}");
    daemon.docker(&["exec", "two", "ping", "-c1", "-w30", "extra"]).ok();
    assert!(daemon.docker(&["exec", "one", "cat", "/etc/hosts"]).ok().contains("10.82.0.77"));
    let again = daemon.docker(&["network", "connect", "right", "one"]);
    again.fails(1, "endpoint with name one already exists in network right");
    daemon.docker(&["network", "rm", "right"]).fails(1, "has active endpoints");

    // The port leads to the network that is left, and so does the way out.
    daemon.docker(&["network", "disconnect", "left", "one"]).ok();
    let route = daemon.docker(&["exec", "one", "ip", "route"]);
    assert!(route.ok().contains("default via 10.82.0.1 dev eth1") && !route.stdout.contains("10.81"), "{route}");
    let server = Place::of_container(&daemon, "one").listen(80);
    let host = Place::of_host(&daemon);
    let port = "127.0.0.1:8080".parse().expect("an address");
    assert!(host.reaches(port, &server, PATIENCE).is_some());
    daemon.docker(&["network", "disconnect", "left", "one"]).fails(1, "is not connected to network left");

    // A start takes what the record says now.
    drop(server);
    daemon.docker(&["restart", "-t", "0", "one"]).ok();
    assert_eq!(endpoint(&daemon, "one", "right", "IPAddress"), "10.82.0.77");
    let links = daemon.docker(&["exec", "one", "ls", "/sys/class/net"]).ok().lines().count();
    assert_eq!(links, 2);

    // With none at all, and with one again.
    daemon.docker(&["network", "disconnect", "right", "one"]).ok();
    assert_eq!(daemon.docker(&["exec", "one", "ls", "/sys/class/net"]).ok(), "lo");
    daemon.docker(&["network", "connect", "left", "one"]).ok();
    let server = Place::of_container(&daemon, "one").listen(80);
    assert!(host.reaches(port, &server, PATIENCE).is_some());
    daemon.docker(&["rm", "-f", "one", "two"]).ok();
    daemon.docker(&["network", "prune", "-f"]).ok();
    daemon.finish();
}

#[test]
fn what_cannot_be_connected_is_refused_and_changes_nothing() {
    let daemon = Daemon::start();
    daemon.docker(&["network", "create", "--subnet", "10.83.0.0/24", "net"]).ok();
    sleeper(&daemon, "host", &["--network", "host"]);
    sleeper(&daemon, "none", &["--network", "none"]);
    sleeper(&daemon, "plain", &[]);
    sleeper(&daemon, "guest", &["--network", "container:plain"]);
    let connect = |container: &str| daemon.docker(&["network", "connect", "net", container]);
    connect("host").fails(1, "container cannot be disconnected from host network or connected to host network");
    connect("none").fails(1, "private (none) mode");
    connect("guest").fails(1, "sharing network namespace with another container");
    connect("nobody").fails(1, "No such container: nobody");
    daemon.docker(&["network", "connect", "nothing", "plain"]).fails(1, "network nothing not found");
    let taken = daemon.docker(&["network", "connect", "--ip", "10.83.0.1", "net", "plain"]);
    taken.fails(1, "Address already in use");
    assert_eq!(daemon.docker(&["exec", "plain", "ls", "/sys/class/net"]).ok(), "eth0\nlo");
    let inspect = ["network", "inspect", "-f", "{{len .Containers}}", "net"];
    assert_eq!(daemon.docker(&inspect).ok(), "0");
    daemon.docker(&["rm", "-f", "host", "none", "guest", "plain"]).ok();
    daemon.docker(&["network", "rm", "net"]).ok();
    daemon.finish();
}

#[test]
fn ports_of_a_container_that_exists_are_changed() {
    let mut daemon = Daemon::start();
    daemon.docker(&["network", "create", "net"]).ok();
    sleeper(&daemon, "web", &["--network", "net", "-p", "8080:80", "-p", "8079:79"]);
    sleeper(&daemon, "other", &["-p", "8082:80"]);
    let update = |daemon: &Daemon, arguments: &[&str]| daemon.skiff(&[&["update"], arguments, &["web"]].concat());
    let reached = |daemon: &Daemon, port: u16| {
        let server = Place::of_container(daemon, "web").listen(81);
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        Place::of_host(daemon).reaches(to, &server, if port == 8081 { PATIENCE } else { SILENCE }).is_some()
    };
    let change = "--publish-add 8081:81 --publish-add 127.0.0.1::82/udp --publish-rm 8080:80";
    update(&daemon, &change.split(' ').collect::<Vec<_>>()).ok();
    assert!(reached(&daemon, 8081));
    let ports = |daemon: &Daemon| daemon.docker(&["port", "web"]).ok().to_owned();
    let now = ports(&daemon);
    assert!(now.contains("81/tcp -> 0.0.0.0:8081") && now.contains("79/tcp -> 0.0.0.0:8079"), "{now}");
    assert!(now.contains("82/udp -> 127.0.0.1:") && !now.contains("8080"), "{now}");
    assert!(!daemon.on_host(&["nft", "list", "ruleset"]).ok().contains("8080"));
    // What another container has, and what is not published, is refused, and nothing is changed.
    let id = daemon.docker(&["inspect", "-f", "{{.Id}}", "other"]).ok().to_owned();
    let taken = update(&daemon, &["--publish-add", "8090:90", "--publish-add", "8082:80", "--publish-rm", "8079:79"]);
    taken.fails(1, "Bind for 0.0.0.0:8082 failed: port is already allocated").fails(1, &id);
    update(&daemon, &["--publish-rm", "8080:80"]).fails(1, "does not publish 80/tcp so");
    assert_eq!(ports(&daemon), now);
    // It stays so: for the next engine, at the next start, and when it is said of a container that does not run.
    daemon.crash();
    daemon.restart();
    assert!(reached(&daemon, 8081));
    daemon.docker(&["stop", "-t", "0", "web"]).ok();
    update(&daemon, &["--publish-rm", "79", "--publish-add", "8080:80"]).ok();
    daemon.docker(&["start", "web"]).ok();
    assert!(reached(&daemon, 8081));
    let now = ports(&daemon);
    assert!(now.contains("80/tcp -> 0.0.0.0:8080") && !now.contains("8079"), "{now}");
    // A port of the host goes over to another one of the container in one step.
    update(&daemon, &["--publish-rm", "8081:81", "--publish-add", "8081:80"]).ok();
    assert!(ports(&daemon).contains("80/tcp -> 0.0.0.0:8081"));
    daemon.docker(&["rm", "-f", "web", "other"]).ok();
    daemon.docker(&["network", "rm", "net"]).ok();
    daemon.finish();
}

/// What no rule can lead to a container is passed on by the engine: IPv6 to one that has none, and all from `::1`.
#[test]
fn datagrams_by_ipv6_reach_a_container_without_it_and_are_answered() {
    let mut daemon = Daemon::start();
    sleeper(&daemon, "web", &["-p", "8053:53/udp", "-p", "8080:80"]);
    let server_of = |daemon: &Daemon| {
        let server = Place::of_container(daemon, "web").datagrams("0.0.0.0:53");
        server.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out");
        server
    };
    let ask = |daemon: &Daemon, server: &std::net::UdpSocket| {
        let asker = Place::of_host(daemon).datagrams("[::1]:0");
        asker.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut packet = [0; 9];
        for _ in 0..2 {
            let mut relay = None;
            // As a client does: an engine that has just begun may not listen yet.
            eventually("the question arrives", || {
                let _refused = asker.send_to(b"question", "[::1]:8053");
                relay = server.recv_from(&mut packet).ok();
                relay.is_some()
            });
            let (length, relay) = relay.expect("a question");
            assert_eq!((&packet[..length], relay.ip()), (&b"question"[..], [172, 17, 0, 1].into()));
            server.send_to(b"answer", relay).expect("send");
            // A refusal of before may still be told.
            let answer = (0..9).find_map(|_| asker.recv_from(&mut packet).ok());
            let (length, from) = answer.expect("an answer");
            assert_eq!((&packet[..length], from.to_string().as_str()), (&b"answer"[..], "[::1]:8053"));
        }
    };
    ask(&daemon, &server_of(&daemon));
    // A connection that has ended inside first does not keep the port from the next start.
    let web = Place::of_container(&daemon, "web").listen(80);
    let to = "[::1]:8080".parse().expect("an address");
    assert!(Place::of_host(&daemon).reaches(to, &web, PATIENCE).is_some());
    drop(web);
    daemon.docker(&["restart", "-t", "0", "web"]).ok();
    let server = server_of(&daemon);
    let ask = |daemon: &Daemon| ask(daemon, &server);
    ask(&daemon);
    // The next engine passes on as well, and a container that has ended is not asked.
    daemon.crash();
    daemon.restart();
    ask(&daemon);
    daemon.docker(&["stop", "-t", "0", "web"]).ok();
    eventually("nobody listens any more", || {
        let sockets = daemon.on_host(&["cat", "/proc/net/tcp6", "/proc/net/udp6"]).ok().to_owned();
        // 8080 without a peer, and 8053.
        !sockets.contains(&format!(":1F90 {}:0000", "0".repeat(32))) && !sockets.contains(":1F75 ")
    });
    daemon.docker(&["rm", "web"]).ok();
    daemon.finish();
}

#[test]
fn options_of_networks_and_endpoints() {
    let daemon = Daemon::start();
    let create = "network create --subnet 10.84.0.0/24 --gateway 10.84.0.9 --ip-range 10.84.0.128/29 --aux-address \
                  printer=10.84.0.128 -o com.docker.network.bridge.name=mybridge -o com.docker.network.driver.mtu=1400 -o \
                  com.docker.network.container_iface_prefix=net --ipv6 --subnet fd12:84::/64 --label a=b own";
    daemon.docker(&create.split_whitespace().collect::<Vec<_>>()).ok();
    let run = "--network own --mac-address 02:00:00:00:00:77 --ip6 fd12:84::77";
    sleeper(&daemon, "first", &run.split(' ').collect::<Vec<_>>());
    let shown = daemon.docker(&["exec", "first", "ip", "addr", "show", "net0"]);
    for part in ["mtu 1400", "02:00:00:00:00:77", "10.84.0.129/24", "fd12:84::77/64"] {
        assert!(shown.ok().contains(part), "{part}: {shown}");
    }
    let bridge = daemon.on_host(&["ip", "addr", "show", "mybridge"]);
    assert!(bridge.ok().contains("10.84.0.9/24") && bridge.stdout.contains("fd12:84::1/64"), "{bridge}");
    assert_eq!(daemon.docker(&["network", "ls", "-q", "-f", "label=a=b"]).ok().len(), 12);
    let format = "{{json .IPAM.Config}}";
    assert_eq!(
        daemon.docker(&["network", "inspect", "-f", format, "own"]).ok(),
        r#"[{"Subnet":"10.84.0.0/24","IPRange":"10.84.0.128/29","Gateway":"10.84.0.9","AuxiliaryAddresses":{"printer":"10.84.0.128"}},{"Subnet":"fd12:84::/64","Gateway":"fd12:84::1"}]"#
    );
    // The network with the highest priority is the way out, wherever its name comes in the list.
    daemon.docker(&["network", "create", "--subnet", "10.85.0.0/24", "zoo"]).ok();
    let json = r#"{"Container":"first","EndpointConfig":{"GwPriority":5}}"#;
    let socket = daemon.socket().display().to_string();
    let url = "http://localhost/v1.51/networks/zoo/connect";
    let post = ["curl", "-sf", "--unix-socket", &socket, "-H", "Content-Type: application/json", "-d", json, url];
    daemon.on_host(&post).ok();
    let route = daemon.docker(&["exec", "first", "ip", "route"]);
    assert!(route.ok().contains("default via 10.85.0.1"), "{route}");
    daemon.docker(&["rm", "-f", "first"]).ok();
    daemon.docker(&["network", "rm", "own", "zoo"]).ok();
    daemon.finish();
}

#[test]
fn an_interface_has_the_name_and_the_settings_that_were_asked_for() {
    let daemon = Daemon::start();
    daemon.docker(&["network", "create", "--subnet", "10.96.0.0/24", "one"]).ok();
    daemon.docker(&["network", "create", "--attachable", "two"]).ok();
    let option = |key: &str| format!("driver-opt=com.docker.network.endpoint.{key}");
    let wish = format!("name=one,{},ip=10.96.0.9", option("ifname=wan0"));
    sleeper(&daemon, "web", &["--network", &wish]);
    let connect = |name: &str, link_local: &str| {
        let name = format!("com.docker.network.endpoint.ifname={name}");
        let sysctl = "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1";
        let options = ["--driver-opt", &name, "--driver-opt", sysctl, "--link-local-ip", link_local];
        daemon.docker(&[&["network", "connect"], &options[..], &["two", "web"]].concat())
    };
    let refused = connect("wan0", "169.254.3.4");
    assert!(refused.stderr.contains("has an interface wan0 already"), "{refused}");
    let refused = connect("lan0", "10.1.1.1");
    assert!(refused.stderr.contains("invalid link local IP address: 10.1.1.1"), "{refused}");
    connect("lan0", "169.254.3.4").ok();
    let shown = |words: &[&str]| daemon.docker(&[&["exec", "web"], words].concat()).ok().to_owned();
    assert!(shown(&["ip", "-4", "-o", "addr", "show", "wan0"]).contains("10.96.0.9/24"));
    assert!(shown(&["ip", "-4", "-o", "addr", "show", "lan0"]).contains("169.254.3.4/16"));
    assert_eq!(shown(&["cat", "/proc/sys/net/ipv4/conf/wan0/log_martians"]), "0");
    assert_eq!(shown(&["cat", "/proc/sys/net/ipv4/conf/lan0/log_martians"]), "1");
    // Nobody has chosen the subnet of `two`, so nobody can choose an address in it.
    let refused = daemon.docker(&["run", "--rm", "--network", "two", "--ip", "172.18.0.9", "busybox", "true"]);
    assert!(refused.stderr.contains("only when connecting to networks with user configured subnets"), "{refused}");
    let told = daemon.docker(&["network", "inspect", "-f", "{{.Attachable}} {{json .IPAM.Options}}", "two"]);
    assert_eq!(told.ok(), "true {}");
    let told = daemon.docker(&[
        "network",
        "inspect",
        "-f",
        "{{index .Options \"com.docker.network.driver.mtu\"}} {{json .IPAM.Options}}",
        "bridge",
    ]);
    assert_eq!(told.ok(), "1500 null");
    daemon.docker(&["rm", "-f", "web"]).ok();
    daemon.docker(&["network", "rm", "one", "two"]).ok();
    daemon.finish();
}
