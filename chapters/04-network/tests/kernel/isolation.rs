//! Networks do not meet; an internal one has no way out; without icc, containers have no neighbours.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use network::Driver as _;

use crate::lab::{self, Container, connect, connect_here, on_a_host, seen_by, tcp};

#[test]
fn two_networks_do_not_meet() {
    on_a_host(|| {
        let (first, mut first_ipam) = lab::network("first", |_| {});
        let (second, mut second_ipam) = lab::network("second", |_| {});
        assert_eq!(second.ipv4.as_ref().unwrap().subnet.to_string(), "172.18.0.0/16");
        let a = Container::attach(&first, &mut first_ipam, 'a', &[]);
        let b = Container::attach(&second, &mut second_ipam, 'b', &[tcp(8080, 80)]);
        let _server = b.listen(80);
        assert_eq!(a.connect(b.address, 80).unwrap_err(), ErrorKind::TimedOut);
        assert!(connect_here(b.address, 80).is_ok(), "it does listen");
    });
}

#[test]
fn an_internal_network_has_no_way_out_or_in() {
    on_a_host(|| {
        let outside = lab::outside();
        let (network, mut ipam) = lab::network("int", |request| request.internal = true);
        let a = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
        let b = Container::attach(&network, &mut ipam, 'b', &[]);
        let (server, world) = (a.listen(80), lab::listen(&outside, 443));
        assert_eq!(seen_by(&server, b.connect(a.address, 80)), b.address);
        assert_eq!(a.connect(Ipv4Addr::new(192, 0, 2, 2), 443).unwrap_err(), ErrorKind::NetworkUnreachable);
        // Nor when the container gives itself the route it was not given.
        let route = ["route", "add", "default", "via", "172.17.0.1"];
        let added = network::within(a.netns(), || Ok(std::process::Command::new("ip").args(route).status().unwrap()));
        assert!(added.unwrap().success());
        assert_eq!(a.connect(Ipv4Addr::new(192, 0, 2, 2), 443).unwrap_err(), ErrorKind::TimedOut);
        assert_eq!(connect(&outside, Ipv4Addr::new(192, 0, 2, 1), 8080).unwrap_err(), ErrorKind::ConnectionRefused);
        drop(world);
    });
}

#[test]
fn without_icc_there_are_no_neighbours() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("icc", |request| {
            request.options.insert("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned());
        });
        let a = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
        let b = Container::attach(&network, &mut ipam, 'b', &[]);
        let server = a.listen(80);
        // An isolated port hears no answer to its question who has the address.
        let error = b.connect(a.address, 80).unwrap_err();
        assert!(matches!(error, ErrorKind::TimedOut | ErrorKind::HostUnreachable), "{error:?}");
        seen_by(&server, connect_here(Ipv4Addr::LOCALHOST, 8080));
    });
}

#[test]
fn a_dockerd_on_the_same_host_does_not_cut_us_off() {
    on_a_host(|| {
        let run = |command: &str| std::process::Command::new("sh").args(["-c", command]).output().expect("sh");
        if !run("iptables -V").status.success() {
            eprintln!("not tested: there is no iptables here, so no dockerd either");
            return;
        }
        let like_docker = "iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER";
        assert!(run(like_docker).status.success());
        let outside = lab::outside();
        let (network, mut ipam) = lab::network("beside", |_| {});
        let container = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80)]);
        let (server, world) = (container.listen(80), lab::listen(&outside, 443));
        seen_by(&world, container.connect(Ipv4Addr::new(192, 0, 2, 2), 443));
        seen_by(&server, connect(&outside, Ipv4Addr::new(192, 0, 2, 1), 8080));
        assert_eq!(connect(&outside, container.address, 80).unwrap_err(), ErrorKind::TimedOut, "our rules still hold");
        let bridge = lab::bridge(&network);
        bridge.ensure(&network::Firewall::new(lab::TABLE)).unwrap();
        let rules = || String::from_utf8_lossy(&run("iptables -S DOCKER-USER").stdout).matches("br-beside").count();
        assert_eq!(rules(), 2);
        bridge.remove(&network::Firewall::new(lab::TABLE)).unwrap();
        assert_eq!(rules(), 0);
    });
}
