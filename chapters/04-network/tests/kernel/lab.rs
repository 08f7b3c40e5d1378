//! A laboratory: a namespace that plays the host, one that plays a computer outside, and containers without programs. A
//! socket belongs to the namespace it was opened in, so one thread can speak for all of them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use namespaces::{Failure, Stage as _};
use network::netlink::{self, Operation, Socket};
use network::{
    Attachment, Bridge, Endpoint, Firewall, Ipam, Network, NetworkNamespace, NetworkStage, Protocol, PublishedPort,
    Request, Wish, within,
};

/// The table's name in every test: each has its own host, so they do not meet.
pub(crate) const TABLE: &str = "skiff-test";
/// How long silence must last to count as "dropped".
const PATIENCE: Duration = Duration::from_millis(300);

/// Runs a test with a namespace of its own as the host.
pub(crate) fn on_a_host(test: impl FnOnce() + Send) {
    let host = NetworkNamespace::new().expect("these tests run as root");
    within(&host.fd, || {
        netlink::apply(&mut Socket::route()?, &[Operation::SetUp { link: "lo".to_owned() }], None)?;
        test();
        Ok(())
    })
    .expect("the test's thread");
}

/// A network with its bridge made.
pub(crate) fn network(name: &str, change: impl FnOnce(&mut Request)) -> (Network, Ipam) {
    let mut socket = Socket::route().expect("socket");
    let taken = netlink::host_subnets(&mut socket).expect("routes");
    let mut request = Request { name: name.to_owned(), interface: Some(format!("br-{name}")), ..Request::default() };
    change(&mut request);
    let network = Network::plan(request, &"ab".repeat(32), "2026-01-01T00:00:00Z", &taken).expect("plan");
    bridge(&network).ensure(&Firewall::new(TABLE)).expect("bridge");
    let ipam = Ipam::new(network.ipv4.clone().expect("pool"));
    (network, ipam)
}

pub(crate) fn bridge(network: &Network) -> Bridge {
    network.bridge().expect("a bridge network")
}

/// A container that is attached but runs nothing.
pub(crate) struct Container {
    pub(crate) stage: NetworkStage,
    pub(crate) address: IpAddr,
}

impl Container {
    pub(crate) fn attach(network: &Network, ipam: &mut Ipam, id: char, ports: &[PublishedPort]) -> Self {
        let mut container = Self::plan(network, ipam, id, ports);
        container.stage.prepare().expect("attach");
        container
    }

    pub(crate) fn plan(network: &Network, ipam: &mut Ipam, id: char, ports: &[PublishedPort]) -> Self {
        let address = ipam.claim_next().expect("address");
        let digits = std::iter::repeat_n(id, 8).chain(('0'..='9').flat_map(|digit| [digit, id, digit, digit, 'f', id]));
        let id: String = digits.take(64).collect();
        // The same last number in both families.
        let IpAddr::V4(four) = address else { panic!("{address}") };
        let address6 = network.ipv6.as_ref().map(|pool| pool.subnet.hosts().nth(four.octets()[3].into()).expect("six"));
        let wish = Wish { address6, ports: ports.to_vec(), ..Wish::at(address) };
        let endpoint = Endpoint::new(network, &id, wish).expect("endpoint");
        Self { stage: NetworkStage::new(Attachment::Endpoints(vec![endpoint]), TABLE), address }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.stage.attachment().endpoints()[0]
    }

    pub(crate) fn netns(&self) -> OwnedFd {
        self.stage.netns().expect("prepared").try_clone_to_owned().expect("dup")
    }

    pub(crate) fn listen(&self, port: u16) -> TcpListener {
        listen(self.netns(), port)
    }

    pub(crate) fn connect(&self, to: impl Into<IpAddr>, port: u16) -> Result<TcpStream, ErrorKind> {
        connect(self.netns(), to, port)
    }
}

/// A computer outside: 192.0.2.2 on a wire to the host's 192.0.2.1, which is also its way to everywhere else.
pub(crate) fn outside() -> OwnedFd {
    let mut outside = NetworkNamespace::new().expect("namespace");
    let run = |command: &str| {
        let mut words = command.split_whitespace();
        let status = Command::new(words.next().expect("a program")).args(words).status().expect("run ip");
        assert!(status.success(), "{command}");
    };
    run("ip link add wire type veth peer name far");
    run("ip address add 192.0.2.1/24 dev wire");
    run("ip link set wire up");
    let far = outside.fd.as_fd().try_clone_to_owned().expect("dup");
    // Moving a link is slow, which a test can afford.
    let path = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&far));
    run(&format!("ip link set far netns {path}"));
    let operations = [
        Operation::AddAddress { link: "far".to_owned(), address: "192.0.2.2/24".parse().expect("net") },
        Operation::SetUp { link: "lo".to_owned() },
        Operation::SetUp { link: "far".to_owned() },
        Operation::SetDefaultRoute { gateway: Ipv4Addr::new(192, 0, 2, 1).into() },
    ];
    netlink::apply(&mut outside.socket, &operations, None).expect("configure");
    outside.fd
}

pub(crate) fn listen(netns: impl AsFd + Sync, port: u16) -> TcpListener {
    within(netns, || TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).map_err(|error| Failure::new("listen", error)))
        .expect("listen")
}

/// Connects from inside a namespace.
pub(crate) fn connect(netns: impl AsFd + Sync, to: impl Into<IpAddr>, port: u16) -> Result<TcpStream, ErrorKind> {
    let to = SocketAddr::new(to.into(), port);
    within(netns, || Ok(TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| error.kind()))).expect("thread")
}

/// Connects from the host.
pub(crate) fn connect_here(to: impl Into<IpAddr>, port: u16) -> Result<TcpStream, ErrorKind> {
    TcpStream::connect_timeout(&SocketAddr::new(to.into(), port), PATIENCE).map_err(|error| error.kind())
}

/// Whom the server sees at the other end, after a word went each way.
pub(crate) fn seen_by(server: &TcpListener, client: Result<TcpStream, ErrorKind>) -> IpAddr {
    let mut client = client.expect("connect");
    let (mut accepted, peer) = server.accept().expect("accept");
    let mut word = [0; 4];
    client.write_all(b"ping").expect("write");
    accepted.read_exact(&mut word).expect("read");
    accepted.write_all(b"pong").expect("write");
    client.read_exact(&mut word).expect("read");
    assert_eq!(&word, b"pong");
    peer.ip().to_canonical()
}

pub(crate) fn tcp(host_port: u16, container_port: u16) -> PublishedPort {
    PublishedPort { host_ip: Ipv4Addr::UNSPECIFIED.into(), host_port, container_port, protocol: Protocol::Tcp }
}

/// Waits until something holds; the kernel takes dead namespaces down in its own time.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether no host's end of a pair is left, in use or moved aside.
pub(crate) fn no_pair_is_left() -> bool {
    !links().iter().any(|name| name.starts_with("veth") || name.starts_with("dead"))
}

/// Names of the links of the host.
pub(crate) fn links() -> Vec<String> {
    let mut socket = Socket::route().expect("socket");
    netlink::links(&mut socket).expect("links").into_iter().map(|link| link.name).collect()
}
