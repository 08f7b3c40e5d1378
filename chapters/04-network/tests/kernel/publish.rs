//! Published ports: from outside, from the host, from another container, from itself.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use namespaces::Stage as _;
use network::PublishedPort;

use crate::lab::{self, Container, connect, connect_here, on_a_host, seen_by, tcp};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

#[test]
fn the_world_reaches_a_published_port_and_keeps_its_address() {
    on_a_host(|| {
        let outside = lab::outside();
        let (network, mut ipam) = lab::network("pub", |_| {});
        let container = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
        let server = container.listen(80);
        assert_eq!(seen_by(&server, connect(&outside, HOST, 8080)), OUTSIDE);
    });
}

#[test]
fn the_world_reaches_nothing_else() {
    on_a_host(|| {
        let outside = lab::outside();
        let (network, mut ipam) = lab::network("priv", |_| {});
        let container = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
        let (_open, _closed) = (container.listen(80), container.listen(81));
        assert_eq!(connect(&outside, HOST, 81).unwrap_err(), ErrorKind::ConnectionRefused, "the host's own port");
        // Sent to the container's own address, by a neighbour who guesses the route: published or not, it is dropped.
        assert_eq!(connect(&outside, container.address, 81).unwrap_err(), ErrorKind::TimedOut);
        assert_eq!(connect(&outside, container.address, 80).unwrap_err(), ErrorKind::TimedOut);
    });
}

#[test]
fn the_host_reaches_it_by_loopback_and_by_its_own_address() {
    on_a_host(|| {
        let _outside = lab::outside();
        let (network, mut ipam) = lab::network("local", |_| {});
        let container = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
        let server = container.listen(80);
        let gateway = Ipv4Addr::new(172, 17, 0, 1);
        assert_eq!(seen_by(&server, connect_here(Ipv4Addr::LOCALHOST, 8080)), gateway);
        seen_by(&server, connect_here(HOST, 8080));
        seen_by(&server, connect_here(gateway, 8080));
    });
}

#[test]
fn containers_reach_it_by_the_hosts_address_and_so_does_it_itself() {
    for bridge_netfilter in ["0", "1"] {
        on_a_host(|| {
            let _outside = lab::outside();
            let (network, mut ipam) = lab::network("hair", |_| {});
            let (other, mut other_ipam) = lab::network("other", |_| {});
            // The bridge may hand its frames to the packet filter as well, where that module is loaded.
            let _ = std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", bridge_netfilter);
            let container = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
            let neighbour = Container::attach(&network, &mut ipam, 'b', &[]);
            let stranger = Container::attach(&other, &mut other_ipam, 'c', &[]);
            let server = container.listen(80);
            let gateway = Ipv4Addr::new(172, 17, 0, 1);
            assert_eq!(seen_by(&server, neighbour.connect(HOST, 8080)), gateway);
            assert_eq!(seen_by(&server, container.connect(HOST, 8080)), gateway, "hairpin");
            assert_eq!(seen_by(&server, container.connect(gateway, 8080)), gateway, "hairpin by the gateway");
            assert_eq!(seen_by(&server, stranger.connect(HOST, 8080)), gateway, "from another network");
        });
    }
}

#[test]
fn a_port_of_one_address_is_on_that_address_only() {
    on_a_host(|| {
        let outside = lab::outside();
        let (network, mut ipam) = lab::network("addr", |_| {});
        let loopback = PublishedPort { host_ip: Ipv4Addr::LOCALHOST.into(), ..tcp(8080, 80) };
        let wire = PublishedPort { host_ip: HOST.into(), ..tcp(8081, 80) };
        let container = Container::attach(&network, &mut ipam, 'a', &[loopback, wire]);
        let server = container.listen(80);
        seen_by(&server, connect_here(Ipv4Addr::LOCALHOST, 8080));
        assert_eq!(seen_by(&server, connect(&outside, HOST, 8081)), OUTSIDE);
        assert_eq!(connect_here(HOST, 8080).unwrap_err(), ErrorKind::ConnectionRefused);
        assert_eq!(connect(&outside, HOST, 8080).unwrap_err(), ErrorKind::ConnectionRefused);
        assert_eq!(connect_here(Ipv4Addr::LOCALHOST, 8081).unwrap_err(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn datagrams_find_their_way_as_well() {
    on_a_host(|| {
        let outside = lab::outside();
        let (network, mut ipam) = lab::network("udp", |_| {});
        let port = PublishedPort { protocol: network::Protocol::Udp, ..tcp(5300, 53) };
        let mut container = Container::attach(&network, &mut ipam, 'a', &[port]);
        let bound = |netns| {
            let socket = network::within(netns, || Ok(UdpSocket::bind("0.0.0.0:53").expect("bind"))).expect("thread");
            socket.set_read_timeout(Some(Duration::from_secs(30))).expect("timeout");
            socket
        };
        let client = bound(outside);
        let mut word = [0; 4];
        // Who asked before the port was published, and keeps asking, is heard from then on.
        container.stage.release().unwrap();
        client.send_to(b"lost", (HOST, 5300)).unwrap();
        container.stage = network::NetworkStage::new(container.stage.attachment().clone(), lab::TABLE);
        container.stage.prepare().unwrap();
        let server = bound(container.netns());
        client.send_to(b"ping", (HOST, 5300)).unwrap();
        let (_, peer) = server.recv_from(&mut word).unwrap();
        assert_eq!(peer.ip(), OUTSIDE);
        server.send_to(b"pong", peer).unwrap();
        let (_, answered) = client.recv_from(&mut word).unwrap();
        assert_eq!(answered, (HOST, 5300).into());
    });
}

#[test]
fn a_second_container_gets_the_port_when_the_first_has_gone() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("next", |_| {});
        let mut first = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
        first.stage.release().unwrap();
        let second = Container::attach(&network, &mut ipam, 'b', &[tcp(8080, 81)]);
        // Once more, late: what belongs to the second stays.
        first.stage.release().unwrap();
        let server = second.listen(81);
        seen_by(&server, connect_here(Ipv4Addr::LOCALHOST, 8080));
        // An engine that starts again has its records, and the kernel gets exactly what they say.
        let third = Container::plan(&network, &mut ipam, 'c', &[tcp(8081, 82)]);
        let endpoints = [second.endpoint().clone(), third.endpoint().clone()];
        let firewall = network::Firewall::new(lab::TABLE);
        firewall.ensure(&[network.wire().unwrap()], &endpoints).unwrap();
        let mut published = firewall.published().unwrap();
        published.sort();
        assert_eq!(published, [(second.address, 81), (third.address, 82)]);
        seen_by(&server, connect_here(Ipv4Addr::LOCALHOST, 8080));
    });
}

#[test]
fn a_container_does_not_reach_the_hosts_loopback() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("loop", |_| {});
        let container = Container::attach(&network, &mut ipam, 'a', &[]);
        let _server = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 7000)).unwrap();
        let send_to_gateway = network::within(container.netns(), || {
            let run = "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
                ip route flush table local; ip route add 127.0.0.1 via 172.17.0.1";
            Ok(std::process::Command::new("sh").args(["-c", run]).status().unwrap().success())
        });
        assert!(send_to_gateway.unwrap());
        assert_eq!(container.connect(Ipv4Addr::LOCALHOST, 7000).unwrap_err(), ErrorKind::TimedOut, "CVE-2020-8558");
    });
}
