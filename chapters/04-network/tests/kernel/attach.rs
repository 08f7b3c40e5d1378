//! One container and its bridge.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::time::Instant;

use namespaces::Stage as _;
use network::netlink::{self, Socket};
use network::{Attachment, Driver as _, Endpoint, Firewall, NetworkStage, Wish, within};
use rustix::process::Pid;

use crate::lab::{self, Container, TABLE, bridge, connect_here, eventually, on_a_host, seen_by};

#[test]
fn two_containers_and_the_host_reach_each_other() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("one", |_| {});
        let a = Container::attach(&network, &mut ipam, 'a', &[]);
        let b = Container::attach(&network, &mut ipam, 'b', &[]);
        assert_eq!(a.address, Ipv4Addr::new(172, 17, 0, 2));
        assert_eq!(b.address, Ipv4Addr::new(172, 17, 0, 3));
        let server = b.listen(80);
        assert_eq!(seen_by(&server, a.connect(b.address, 80)), a.address);
        assert_eq!(seen_by(&server, connect_here(b.address, 80)), Ipv4Addr::new(172, 17, 0, 1));
    });
}

#[test]
fn a_container_reaches_the_world_with_the_hosts_address() {
    on_a_host(|| {
        let outside = lab::outside();
        let (network, mut ipam) = lab::network("world", |_| {});
        let container = Container::attach(&network, &mut ipam, 'a', &[]);
        let server = lab::listen(&outside, 443);
        assert_eq!(seen_by(&server, container.connect(Ipv4Addr::new(192, 0, 2, 2), 443)), Ipv4Addr::new(192, 0, 2, 1));
    });
}

#[test]
fn the_interface_is_as_the_record_says() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("record", |request| {
            request.options.insert("com.docker.network.driver.mtu".to_owned(), "1400".to_owned());
        });
        let container = Container::attach(&network, &mut ipam, 'a', &[lab::tcp(8080, 80)]);
        let endpoint = container.endpoint();
        let (link, addresses, routes, ipv6) = within(container.netns(), || {
            let mut socket = Socket::route()?;
            let link = netlink::link(&mut socket, "eth0")?.expect("eth0");
            let ipv6 = std::fs::read_to_string("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").unwrap_or_default();
            Ok((link, netlink::addresses(&mut socket)?, netlink::routes(&mut socket)?, ipv6))
        })
        .expect("look inside");
        assert!(link.up);
        assert_eq!(link.mtu, 1400);
        assert_eq!(link.mac, endpoint.mac);
        assert_eq!(endpoint.mac_text(), "02:42:ac:11:00:02");
        assert!(addresses.contains(&(link.index, endpoint.address)), "{addresses:?}");
        assert!(addresses.iter().any(|(_, address)| address.addr().is_loopback()), "lo is up");
        assert!(routes.iter().any(|route| route.to_string() == "default via 172.17.0.1"), "{routes:?}");
        assert_eq!(ipv6.trim(), "1", "no IPv6 without an IPv6 subnet (CVE-2024-32473)");
        let port = netlink::link(&mut Socket::route().unwrap(), "vethaaaaaaaa").unwrap().expect("the host's end");
        assert_eq!((port.mtu, port.hairpin), (1400, true));
    });
}

#[test]
fn none_has_a_loopback_and_nothing_else() {
    on_a_host(|| {
        let mut stage = NetworkStage::new(Attachment::None, TABLE);
        stage.prepare().unwrap();
        let links = within(stage.netns().unwrap(), || netlink::links(&mut Socket::route()?)).unwrap();
        let up: Vec<_> = links.iter().filter(|link| link.up).map(|link| link.name.as_str()).collect();
        assert_eq!(up, ["lo"]);
        stage.release().unwrap();
        assert!(lab::no_pair_is_left());
    });
}

#[test]
fn host_makes_nothing() {
    let mut stage = NetworkStage::new(Attachment::Host, TABLE);
    stage.prepare().unwrap();
    assert!(stage.netns().is_none());
    assert!(stage.steps().is_empty());
}

#[test]
fn a_bridge_is_made_once_and_put_right() {
    on_a_host(|| {
        let (network, _) = lab::network("twice", |_| {});
        let (bridge, firewall) = (bridge(&network), Firewall::new(TABLE));
        let mut socket = Socket::route().unwrap();
        let found = bridge.find(&mut socket).unwrap().expect("made");
        assert_eq!(bridge.plan(Some(&found)).unwrap(), []);
        let wrong = std::process::Command::new("sh")
            .args([
                "-c",
                "ip link set br-twice down; ip address flush dev br-twice; ip address add 10.9.9.9/24 dev br-twice",
            ])
            .status();
        assert!(wrong.unwrap().success());
        bridge.ensure(&firewall).unwrap();
        let found = bridge.find(&mut socket).unwrap().expect("still there");
        assert!(found.link.up);
        assert_eq!(found.addresses, [bridge.address]);
        assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap().trim(), "1");
        bridge.remove(&firewall).unwrap();
        bridge.remove(&firewall).unwrap();
        assert!(bridge.find(&mut socket).unwrap().is_none());
    });
}

#[test]
fn a_bridge_and_rules_that_were_taken_away_come_back_with_the_next_container() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("mend", |_| {});
        let firewall = Firewall::new(TABLE);
        bridge(&network).remove(&firewall).unwrap();
        firewall.remove().unwrap();
        assert!(!firewall.is_installed().unwrap());
        let container = Container::attach(&network, &mut ipam, 'a', &[lab::tcp(8080, 80)]);
        assert!(firewall.is_installed().unwrap());
        let server = container.listen(80);
        seen_by(&server, connect_here(Ipv4Addr::LOCALHOST, 8080));
    });
}

#[test]
fn nothing_is_left_and_a_restart_at_once_works() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("again", |_| {});
        let mut container = Container::attach(&network, &mut ipam, 'a', &[lab::tcp(8080, 80)]);
        for _ in 0..3 {
            container.stage.release().unwrap();
            container.stage.release().unwrap();
            assert_eq!(Firewall::new(TABLE).published().unwrap(), []);
            container.stage.prepare().unwrap();
            assert!(lab::links().contains(&container.endpoint().veth), "the record names it");
            let server = container.listen(80);
            seen_by(&server, connect_here(Ipv4Addr::LOCALHOST, 8080));
        }
        // By the record alone, as another process would.
        NetworkStage::new(container.stage.attachment().clone(), TABLE).release().unwrap();
        assert_eq!(Firewall::new(TABLE).published().unwrap(), []);
        drop(container);
        eventually("the veth ends with its namespace", lab::no_pair_is_left);
    });
}

#[test]
fn a_failed_attachment_leaves_nothing() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("fail", |_| {});
        let mut container = Container::plan(&network, &mut ipam, 'a', &[lab::tcp(8080, 80)]);
        let Attachment::Endpoints(mut endpoints) = container.stage.attachment().clone() else { panic!() };
        endpoints[0].gateway = Some(Ipv4Addr::new(10, 1, 2, 3).into());
        container.stage = NetworkStage::new(Attachment::Endpoints(endpoints), TABLE);
        let failure = container.stage.prepare().unwrap_err();
        assert_eq!(
            failure.to_string(),
            "cannot apply ip route replace default via 10.1.2.3: Network is unreachable (Nexthop has invalid gateway)"
        );
        assert!(container.stage.netns().is_none());
        assert_eq!(Firewall::new(TABLE).published().unwrap(), []);
        eventually("the veth ends with its namespace", lab::no_pair_is_left);
    });
}

#[test]
fn what_attaching_costs() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("cost", |_| {});
        let mut times = Vec::new();
        for round in 0..40 {
            let ports = if round % 2 == 0 { vec![] } else { vec![lab::tcp(8000 + round, 80)] };
            let mut container = Container::plan(&network, &mut ipam, 'a', &ports);
            let start = Instant::now();
            container.stage.prepare().unwrap();
            times.push(start.elapsed());
            container.stage.release().unwrap();
            ipam.release(container.address);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        times.sort();
        eprintln!("attach: min {:?}, median {:?}", times[0], times[times.len() / 2]);
    });
}

#[test]
fn a_container_may_be_in_two_networks_and_share_both() {
    on_a_host(|| {
        let (first, mut first_ipam) = lab::network("left", |_| {});
        let (second, mut second_ipam) = lab::network("right", |_| {});
        let a = Container::plan(&first, &mut first_ipam, 'a', &[]);
        let wish = Wish { index: 1, ..Wish::at(second_ipam.claim_next().unwrap()) };
        let other = Endpoint::new(&second, &a.endpoint().container, wish).unwrap();
        assert_eq!((other.interface.as_str(), other.veth.as_str()), ("eth1", "vethaaaaaaaa1"));
        let both = vec![a.endpoint().clone(), other.clone()];
        let mut a = Container { stage: NetworkStage::new(Attachment::Endpoints(both), TABLE), ..a };
        a.stage.prepare().unwrap();
        let b = Container::attach(&second, &mut second_ipam, 'b', &[]);
        let server = a.listen(80);
        assert_eq!(seen_by(&server, b.connect(other.address.addr(), 80)), b.address);
        assert_eq!(seen_by(&server, connect_here(a.address, 80)), Ipv4Addr::new(172, 17, 0, 1));
        let defaults = within(a.netns(), || netlink::routes(&mut Socket::route()?)).unwrap();
        assert_eq!(defaults.iter().filter(|route| route.destination.prefix_len() == 0).count(), 1);
        // Another container in the same namespace, by path.
        let path = format!("/proc/self/fd/{}", a.stage.netns().unwrap().as_raw_fd());
        let mut guest = NetworkStage::new(Attachment::Join(path.into()), TABLE);
        guest.prepare().unwrap();
        assert_eq!(guest.steps().len(), 1);
        let links = within(guest.netns().unwrap(), || netlink::links(&mut Socket::route()?)).unwrap();
        assert!(links.iter().any(|link| link.name == "eth1"));
        guest.release().unwrap();
    });
}

#[test]
fn the_kernel_says_what_a_process_has() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("probe", |_| {});
        let container = Container::attach(&network, &mut ipam, 'a', &[]);
        let mut child =
            within(container.netns(), || Ok(std::process::Command::new("sleep").arg("60").spawn().expect("sleep")))
                .unwrap();
        let facts = container.stage.probe(Pid::from_child(&child)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let says =
            |source: &str, value: &str| facts.iter().any(|fact| fact.source == source && fact.value.contains(value));
        assert!(says("address of eth0", "172.17.0.2/16"), "{facts:#?}");
        assert!(says("link of eth0", "up, mtu 1500, 02:42:ac:11:00:02"), "{facts:#?}");
        assert!(says("route of eth0", "default via 172.17.0.1"), "{facts:#?}");
        assert!(facts[0].value.starts_with("net:["), "{facts:#?}");
    });
}

#[test]
fn many_come_and_go_at_once() {
    on_a_host(|| {
        let (network, mut ipam) = lab::network("many", |_| {});
        let firewall = Firewall::new(TABLE);
        let mut plan = |n: u16| {
            let endpoint = Container::plan(&network, &mut ipam, 'a', &[lab::tcp(10_000 + n, 80)]).endpoint().clone();
            let container = format!("{n:08x}").repeat(8);
            Endpoint { veth: format!("veth{n:08x}"), container, ..endpoint }
        };
        let plans: Vec<Vec<Endpoint>> = (0..8).map(|thread| (0..5).map(|n| plan(thread * 5 + n)).collect()).collect();
        std::thread::scope(|scope| {
            for endpoints in plans {
                let firewall = firewall.clone();
                scope.spawn(move || {
                    for endpoint in endpoints {
                        let attachment = Attachment::Endpoints(vec![endpoint]);
                        let mut stage = NetworkStage::with_firewall(attachment, firewall.clone());
                        stage.prepare().unwrap();
                        stage.release().unwrap();
                    }
                });
            }
        });
        assert_eq!(firewall.published().unwrap(), []);
        eventually("no veth is left", lab::no_pair_is_left);
    });
}
