//! Claims against the kernel's own answers.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use super::*;
use crate::netlink::{self, Operation, Socket};

/// In a namespace of its own, as root: the machine's ports are other people's.
fn alone(test: impl FnOnce() + Send) {
    crate::within(crate::NetworkNamespace::new().unwrap().fd, || {
        let up = [Operation::SetUp { link: "lo".to_owned() }];
        netlink::apply(&mut Socket::route()?, &up, None)?;
        test();
        Ok(())
    })
    .unwrap();
}

/// `claim` for a container with an IPv4 address.
fn claim(claims: &mut PortClaims, container: &str, requests: &[PortRequest]) -> Result<Vec<PublishedPort>> {
    claims.claim(container, requests, &[Ipv4Addr::UNSPECIFIED.into()])
}

fn loopback(text: &str) -> Vec<PortRequest> {
    PortRequest::parse(&format!("127.0.0.1:{text}")).unwrap()
}

#[test]
fn one_port_has_one_holder_until_it_is_given_back() {
    alone(|| {
        let mut claims = PortClaims::new();
        let port = claim(&mut claims, "a", &loopback(":80")).unwrap()[0];
        assert!(ANY.contains(&port.host_port));
        let again = loopback(&format!("{}:81", port.host_port));
        let failure = claim(&mut claims, "b", &again).unwrap_err();
        let said = failure.to_string().replace(&port.host_port.to_string(), "PORT");
        assert_eq!(
            said,
            "cannot publish 127.0.0.1:PORT->81/tcp: Bind for 127.0.0.1:PORT failed: port is already allocated"
        );
        assert_eq!(failure.hint.unwrap().split('.').next(), Some("Container a has it"));
        claims.release("a");
        claims.release("a");
        claim(&mut claims, "b", &again).unwrap();
        assert_eq!(claims.holder(Protocol::Tcp, port.host_ip, port.host_port), Some("b"));
    });
}

#[test]
fn a_port_that_a_program_of_the_host_serves_is_refused() {
    alone(|| {
        let program = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = program.local_addr().unwrap().port();
        let mut claims = PortClaims::new();
        let failure = claim(&mut claims, "a", &loopback(&format!("{port}:80"))).unwrap_err();
        assert_eq!(failure.errno, Some(libc::EADDRINUSE));
        assert!(failure.hint.unwrap().contains("A program of the host"));
        // Of a range, the next one will do.
        let range = format!("{port}-{}:80", port.saturating_add(20));
        assert_ne!(claim(&mut claims, "a", &loopback(&range)).unwrap()[0].host_port, port);
    });
}

#[test]
fn a_copy_of_the_socket_in_a_process_that_is_being_started_is_waited_for() {
    alone(|| {
        let mut claims = PortClaims::new();
        let ports = claim(&mut claims, "a", &[loopback(":80"), loopback(":53/udp")].concat()).unwrap();
        let copies: Vec<_> = claims
            .held
            .values()
            .flatten()
            .map(|Claim { socket, .. }| socket.as_ref().unwrap().try_clone().unwrap())
            .collect();
        claims.release("a");
        let start = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(copies);
        });
        let tcp = loopback(&format!("{}:80", ports[0].host_port));
        let udp = loopback(&format!("{}:53/udp", ports[1].host_port));
        claim(&mut claims, "b", &[tcp, udp].concat()).unwrap();
        start.join().unwrap();
    });
}

#[test]
fn a_claim_is_of_all_ports_or_of_none() {
    alone(|| {
        let program = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = program.local_addr().unwrap().port();
        let mut claims = PortClaims::new();
        let kept = claim(&mut claims, "a", &loopback(":1")).unwrap()[0];
        let requests = [loopback(":80"), loopback(&format!("{taken}:81"))].concat();
        claim(&mut claims, "a", &requests).unwrap_err();
        assert_eq!(claims.held.len(), 1, "what the failed call had claimed is free again");
        assert_eq!(claims.holder(Protocol::Tcp, kept.host_ip, kept.host_port), Some("a"));
    });
}

#[test]
fn other_programs_see_that_the_port_is_taken() {
    alone(|| {
        let mut claims = PortClaims::new();
        let ports = claim(&mut claims, "a", &[loopback(":80"), loopback(":53/udp")].concat()).unwrap();
        let bound = || {
            let tcp = TcpListener::bind((ports[0].host_ip, ports[0].host_port));
            let udp = UdpSocket::bind((ports[1].host_ip, ports[1].host_port));
            (tcp.is_ok(), udp.is_ok())
        };
        assert_eq!(bound(), (false, false));
        let refused = std::net::TcpStream::connect((ports[0].host_ip, ports[0].host_port)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "nobody is left waiting");
        claim(&mut PortClaims::new(), "b", &loopback(&format!("{}:80", ports[0].host_port))).unwrap_err();
        claims.release("a");
        // A process that another test is starting may hold copies of the sockets until its exec.
        let deadline = Instant::now() + Duration::from_secs(30);
        while bound() != (true, true) {
            assert!(Instant::now() < deadline, "the ports are not given back");
            thread::sleep(Duration::from_millis(1));
        }
        claims.restore("a", &ports);
        assert_eq!(bound(), (false, false));
    });
}

#[test]
fn both_families_have_the_same_port() {
    alone(|| {
        let everywhere = [IpAddr::from([0, 0, 0, 0]), IpAddr::from([0; 16])];
        let mut claims = PortClaims::new();
        let any = PortRequest::parse("80").unwrap();
        let first = claims.claim("a", &any, &everywhere).unwrap();
        let shown: Vec<_> = first.iter().map(|port| (port.host_ip, port.host_port)).collect();
        assert_eq!(shown, everywhere.map(|ip| (ip, *ANY.start())));
        // Of the next one a program has the half.
        let program = TcpListener::bind(("::1", ANY.start() + 1)).unwrap();
        let second = claims.claim("b", &any, &everywhere).unwrap();
        assert_eq!(second[0].host_port, ANY.start() + 2);
        drop(program);
        let four = PortRequest::parse("0.0.0.0:8080:80").unwrap();
        let six = PortRequest::parse("[::]:8080:80").unwrap();
        assert_eq!(claims.claim("a", &four, &everywhere).unwrap().len(), 1);
        assert_eq!(claims.claim("b", &six, &everywhere).unwrap().len(), 1);
        let refusal = claims.claim("b", &six, &everywhere[..1]).unwrap_err();
        assert_eq!(refusal.to_string(), "cannot publish a port on ::: the container has no address of this family");
    });
}

#[test]
fn every_address_meets_each_single_one() {
    alone(|| {
        let mut claims = PortClaims::new();
        let one = claim(&mut claims, "a", &loopback(":80")).unwrap()[0];
        let every = PortRequest::parse(&format!("{}:80", one.host_port)).unwrap();
        claim(&mut claims, "b", &every).unwrap_err();
        let elsewhere = PortRequest::parse("203.0.113.9:8080:80").unwrap();
        let failure = claim(&mut claims, "b", &elsewhere).unwrap_err();
        assert_eq!(failure.to_string(), "cannot publish a port on 203.0.113.9: this address is not one of the host's");
    });
}
