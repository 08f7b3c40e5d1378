//! The other driver, the other family, and containers that run already.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::net::{IpAddr, TcpStream};

use network::netlink::{self, Operation, Socket};
use network::{Attachment, Endpoint, Firewall, Network, NetworkStage, PoolRequest, Request, Wish, within};

use crate::lab::{self, Container, TABLE, connect, connect_here, on_a_host, seen_by, tcp};

fn macvlan(mode: &str) -> Network {
    let options = [("parent", "wire"), ("macvlan_mode", mode)];
    let request = Request {
        driver: "macvlan".to_owned(),
        ipv4: PoolRequest { subnet: "192.0.2.0/24".parse().ok(), ..PoolRequest::default() },
        options: options.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Request::default()
    };
    Network::plan(request, &"cd".repeat(32), "", &[]).expect("a plan")
}

fn on_the_wire(network: &Network, id: char, last: u8) -> Container {
    let address = IpAddr::from([192, 0, 2, last]);
    let endpoint = Endpoint::new(network, &id.to_string().repeat(64), Wish::at(address)).expect("an endpoint");
    let mut stage = NetworkStage::new(Attachment::Endpoints(vec![endpoint]), TABLE);
    namespaces::Stage::prepare(&mut stage).expect("attach");
    Container { stage, address }
}

/// Waits until the way is known: the first packet may have to wait until both have each other's hardware address. A port that
/// nobody serves answers then.
fn once_found(connect: impl Fn() -> Result<TcpStream, ErrorKind>) {
    lab::eventually("they have found each other", || connect().map(drop) == Err(ErrorKind::ConnectionRefused));
}

#[test]
fn macvlan_containers_are_machines_of_the_hosts_network() {
    on_a_host(|| {
        let outside = lab::outside();
        let network = macvlan("bridge");
        network.wire().unwrap().driver().create(&Firewall::new(TABLE)).unwrap();
        let (a, b) = (on_the_wire(&network, 'a', 10), on_the_wire(&network, 'b', 11));
        let (server, world) = (a.listen(80), lab::listen(&outside, 443));
        once_found(|| b.connect(a.address, 81));
        once_found(|| connect(&outside, a.address, 81));
        once_found(|| a.connect([192, 0, 2, 2], 444));
        assert_eq!(seen_by(&server, b.connect(a.address, 80)), b.address, "neighbours");
        assert_eq!(seen_by(&server, connect(&outside, a.address, 80)), IpAddr::from([192, 0, 2, 2]), "from outside");
        assert_eq!(seen_by(&world, a.connect([192, 0, 2, 2], 443)), a.address, "to the outside, with its own address");
        // The kernel keeps the host and its macvlans apart.
        assert!(connect_here(a.address, 80).is_err());
    });
}

#[test]
fn private_macvlan_containers_have_no_neighbours() {
    on_a_host(|| {
        let outside = lab::outside();
        let network = macvlan("private");
        let (a, b) = (on_the_wire(&network, 'a', 10), on_the_wire(&network, 'b', 11));
        let server = a.listen(80);
        assert!(matches!(b.connect(a.address, 80), Err(ErrorKind::TimedOut | ErrorKind::HostUnreachable)));
        once_found(|| connect(&outside, a.address, 81));
        seen_by(&server, connect(&outside, a.address, 80));
    });
}

#[test]
fn one_passthru_macvlan_has_the_parents_own_address() {
    on_a_host(|| {
        let outside = lab::outside();
        let parent = netlink::link(&mut Socket::route().unwrap(), "wire").unwrap().unwrap();
        let a = on_the_wire(&macvlan("passthru"), 'a', 10);
        let inside = within(a.netns(), || netlink::link(&mut Socket::route()?, "eth0")).unwrap().unwrap();
        assert_eq!(inside.mac, parent.mac);
        let server = a.listen(80);
        once_found(|| connect(&outside, a.address, 81));
        seen_by(&server, connect(&outside, a.address, 80));
    });
}

#[test]
fn a_macvlan_without_its_parent_says_what_to_do() {
    on_a_host(|| {
        let failure = macvlan("vepa").wire().unwrap().driver().create(&Firewall::new(TABLE)).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "cannot find the parent of the macvlan network wire: there is no such interface on the host"
        );
    });
}

#[test]
fn both_families_reach_a_published_port() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("dual", |request| request.ipv6 = Some(PoolRequest::default()));
        let six = network::PublishedPort { host_ip: IpAddr::from([0; 16]), ..tcp(8080, 80) };
        let a = Container::attach(&network, &mut ipam, 'a', &[tcp(8080, 80), six]);
        let b = Container::attach(&network, &mut ipam, 'b', &[]);
        let server = a.listen(80);
        let [own, neighbour] = [&a, &b].map(|container| container.endpoint().address6.unwrap().addr());
        let gateway = network.ipv6.as_ref().unwrap().gateway;
        once_found(|| b.connect(own, 81));
        once_found(|| connect_here(own, 81));
        once_found(|| b.connect(gateway, 81));
        once_found(|| a.connect(gateway, 81));
        assert_eq!(seen_by(&server, b.connect(own, 80)), neighbour, "directly");
        assert_eq!(seen_by(&server, connect_here(own, 80)), gateway, "from the host");
        seen_by(&server, connect_here(gateway, 8080));
        seen_by(&server, b.connect(gateway, 8080));
        seen_by(&server, a.connect(gateway, 8080));
        namespaces::Stage::release(&mut { a.stage }).unwrap();
        assert_eq!(Firewall::new(TABLE).published().unwrap(), []);
    });
}

#[test]
fn one_more_network_for_a_container_that_runs_and_one_less() {
    on_a_host(|| {
        let firewall = Firewall::new(TABLE);
        let (first, mut first_ipam) = lab::network("first", |_| {});
        let (second, mut second_ipam) = lab::network("second", |_| {});
        let a = Container::attach(&first, &mut first_ipam, 'a', &[tcp(8080, 80)]);
        let b = Container::attach(&second, &mut second_ipam, 'b', &[]);
        let server = a.listen(80);
        let old = a.endpoint().clone();
        let wish = Wish { index: 1, ..Wish::at(second_ipam.claim_next().unwrap()) };
        let new = Endpoint::new(&second, &old.container, wish).unwrap();
        let all = [old.clone(), new.clone()];
        for _ in 0..2 {
            network::connect(a.netns(), &new, &all, &firewall).unwrap();
            once_found(|| b.connect(new.address.addr(), 81));
            seen_by(&server, b.connect(new.address.addr(), 80));
        }
        // The first one goes: its port leads to the second, and the way out by it.
        let rest = [Endpoint { ports: old.ports.clone(), ..new.clone() }];
        for _ in 0..2 {
            network::disconnect(a.netns(), &old, &rest, &firewall).unwrap();
            assert_eq!(firewall.published().unwrap(), [(new.address.addr(), 80)]);
            once_found(|| connect_here(new.address.addr(), 81));
            seen_by(&server, connect_here([127, 0, 0, 1], 8080));
        }
        let routes = within(a.netns(), || netlink::routes(&mut Socket::route()?)).unwrap();
        assert!(routes.iter().any(|route| route.gateway == new.gateway));
        assert!(!lab::links().contains(&old.veth), "the other end has gone with it");
        // What cannot be made leaves nothing, and what there was is as it was.
        let broken = Endpoint { index: 2, interface: "eth2".to_owned(), veth: "vethbroken".to_owned(), ..old.clone() };
        let wrong = Endpoint { gateway: Some(IpAddr::from([10, 9, 8, 7])), ..broken };
        network::connect(a.netns(), &wrong, std::slice::from_ref(&wrong), &firewall).unwrap_err();
        let up = [Operation::SetUp { link: "eth2".to_owned() }];
        within(a.netns(), || netlink::apply(&mut Socket::route()?, &up, None)).unwrap_err();
    });
}
