//! The chapter's stage: the namespace made, the veth in place, and their end.
//!
//! ```text
//!  the world                host                                   container
//!  ─────────                ────────────────────────────────       ─────────────────────
//!                           rules        skiff0, 172.17.0.1
//!  ──── eth0 ── 192.0.2.1 ─ forwarding ─┬─ veth1f2e3d4c ═════════════ eth0, 172.17.0.2
//!                                       └─ veth9a8b7c6d ═════════════ eth0, 172.17.0.3
//! ```
//!
//! | made by | what | ends |
//! |---|---|---|
//! | `prepare` | the namespace and both ends of the pair | with the last process in it and the last descriptor of it |
//! | `prepare` | an element for each published port | `release` |
//! | the engine, before | the claims on the address and on ports of the host | the engine, after |
//!
//! The child has nothing to do but to join what is there. So the parent can prepare the network while other parts of the
//! container are made, and a monitor that makes the container needs no right to configure anything.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use namespaces::{Check, Context as _, Fact, Failure, Phase, Requirement, Result, Stage, Step};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::endpoint::{Attachment, Endpoint, mac_text};
use crate::firewall::Firewall;
use crate::namespace::{self, NetworkNamespace};
use crate::netlink::{self, Operation, Socket};
use crate::parameter::{self, Sysctls};

/// The network of one container, as a [`Stage`].
///
/// The daemon makes it from the container's record, calls `prepare`, and sends [`NetworkStage::take_netns`] to the monitor,
/// which makes its own with [`NetworkStage::from_netns`] and has only the child's step to do.
#[derive(Debug)]
pub struct NetworkStage {
    /// The container's record: what to make, what to give back.
    attachment: Attachment,
    /// Where published ports are noted.
    firewall: Firewall,
    /// The namespace that the child will join. As long as this is open the namespace lives, whether a process is in it or
    /// not: whoever keeps it keeps the interfaces.
    netns: Option<OwnedFd>,
}

impl NetworkStage {
    /// The stage of a container with this record. `table` names the engine's nftables table (`skiff`).
    pub fn new(attachment: Attachment, table: &str) -> Self {
        Self::with_firewall(attachment, Firewall::new(table))
    }

    /// The same with a firewall that others use as well. An engine has one for all of its containers.
    pub fn with_firewall(attachment: Attachment, firewall: Firewall) -> Self {
        Self { attachment, firewall, netns: None }
    }

    /// A stage that only joins a namespace that somebody else has prepared.
    pub fn from_netns(netns: OwnedFd) -> Self {
        Self { attachment: Attachment::Host, firewall: Firewall::new(""), netns: Some(netns) }
    }

    /// The record.
    pub fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// The namespace, between `prepare` and [`NetworkStage::take_netns`]. `None` for the host's.
    pub fn netns(&self) -> Option<BorrowedFd<'_>> {
        self.netns.as_ref().map(AsFd::as_fd)
    }

    /// Takes the namespace out, to send it to the process that makes the container. The namespace and its veth end with the
    /// last descriptor of it and the last process in it.
    pub fn take_netns(&mut self) -> Option<OwnedFd> {
        self.netns.take()
    }

    /// A new namespace with all endpoints in it: the pairs from outside, addresses and routes from inside, then the ports.
    ///
    /// Nothing has to be undone by hand when a step fails: the veths end with the namespace, which ends with its descriptor
    /// on the way out, and the ports are published last and in one transaction.
    fn make(&self) -> Result<OwnedFd> {
        let mut namespace = NetworkNamespace::new()?;
        let mut host = Socket::route()?;
        for endpoint in self.attachment.endpoints() {
            plug_in(endpoint, &mut host, namespace.fd.as_fd(), &self.firewall)?;
        }
        let plan = self.attachment.plan("");
        set_parameters(&namespace.fd, &plan.parameters)?;
        netlink::apply(&mut namespace.socket, &plan.inside, None)?;
        for endpoint in self.attachment.endpoints() {
            wake(endpoint, &mut host, &mut namespace.socket)?;
        }
        self.firewall.publish(self.attachment.endpoints())?;
        Ok(namespace.fd)
    }
}

/// Writes kernel parameters of a namespace: only from inside, which takes a thread.
pub(crate) fn set_parameters(netns: impl AsFd + Sync, parameters: &[(String, String)]) -> Result<()> {
    if parameters.is_empty() {
        return Ok(());
    }
    namespace::within(netns, || {
        let sysctls = Sysctls::mount()?;
        parameters.iter().try_for_each(|(path, value)| sysctls.set(path, value))
    })
}

/// Makes the pair. Makes the bridge first where somebody has removed it.
pub(crate) fn plug_in(
    endpoint: &Endpoint,
    host: &mut Socket,
    netns: BorrowedFd<'_>,
    firewall: &Firewall,
) -> Result<()> {
    // Each obstacle is cleared once; what then still fails, fails.
    let mut obstacles = [Errno::NODEV, Errno::EXIST].to_vec();
    let mut operations = endpoint.wire.driver().attach(endpoint);
    // A kernel without IPv6 refuses to be told how not to use it.
    operations.retain(|operation| parameter::has_ipv6() || !matches!(operation, Operation::NoLinkLocal { .. }));
    loop {
        let Err(refused) = netlink::apply(host, &operations, Some(netns)) else {
            return Ok(());
        };
        let Some(obstacle) = obstacles.iter().position(|errno| refused.is(*errno)) else { return Err(refused) };
        match obstacles.swap_remove(obstacle) {
            Errno::NODEV => endpoint.wire.driver().create(firewall)?,
            _ => move_aside(&endpoint.veth, host)?,
        }
    }
}

/// Renames the former pair of a container that is started again at once: the kernel takes down a dead namespace in its own
/// time, and the name is needed now.
fn move_aside(veth: &str, host: &mut Socket) -> Result<()> {
    let Some(index) = netlink::index(host, veth)? else { return Ok(()) };
    let rename = Operation::Rename { link: veth.to_owned(), name: format!("dead{index}") };
    match netlink::apply(host, &[rename], None) {
        Err(failure) if failure.is(Errno::NODEV) => Ok(()),
        done => done,
    }
}

/// Waits until packets can pass.
///
/// The host's end of the pair has a carrier from the moment the other end is up, and the bridge has one from its first port
/// on. But each learns that from a worker of the kernel that may be busy for a while, and drops packets until then, which are
/// sent again only after a second. To ask for a link makes the kernel pass on the news first (`linkwatch_sync_dev`, Linux 6.8).
///
/// With IPv6 the end inside must hear of it too: until then its addresses are not in use.
pub(crate) fn wake(endpoint: &Endpoint, host: &mut Socket, inside: &mut Socket) -> Result<()> {
    if endpoint.address6.is_some() {
        netlink::index(inside, &endpoint.interface)?;
    }
    if let Some(bridge) = endpoint.wire.bridge() {
        netlink::index(host, &endpoint.veth)?;
        netlink::index(host, &bridge.interface)?;
    }
    Ok(())
}

/// From here on nobody hears the endpoint, though its interface may live on for some milliseconds.
pub(crate) fn cut_off(endpoint: &Endpoint) -> Result<()> {
    match netlink::apply(&mut Socket::route()?, &endpoint.wire.driver().detach(endpoint), None) {
        // It has ended already.
        Err(failure) if failure.is(Errno::NODEV) => Ok(()),
        done => done,
    }
}

impl Stage for NetworkStage {
    fn name(&self) -> &'static str {
        "network"
    }

    fn requirements(&self) -> Vec<Requirement> {
        let requirement = |what, check, remedy| Requirement { what, check, remedy };
        vec![
            requirement("nftables elements", Check::Kernel(6, 3), "Use a kernel of version 6.3 or later."),
            requirement("network namespaces", Check::Path("/proc/self/ns/net"), "Build the kernel with CONFIG_NET_NS."),
            requirement(
                "packet filter",
                Check::Path("/proc/sys/net/netfilter"),
                "Build the kernel with CONFIG_NETFILTER.",
            ),
            requirement("nft", Check::Path("/usr/sbin/nft"), "Install the package nftables."),
            requirement("root", Check::Root, "Run as root: a bridge needs CAP_NET_ADMIN on the host."),
        ]
    }

    fn prepare(&mut self) -> Result<()> {
        if self.netns.is_some() {
            return Ok(());
        }
        self.netns = match &self.attachment {
            Attachment::Host => None,
            Attachment::Join(path) => Some(namespace::open(path)?),
            Attachment::None | Attachment::Endpoints(_) => Some(self.make()?),
        };
        Ok(())
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let Some(netns) = self.netns() else { return Vec::new() };
        let about = "Join the network namespace that was prepared: its interfaces become the process's own.";
        vec![Step::new("join-network", Phase::Join, about, move |_| namespace::join(netns))]
    }

    fn release(&mut self) -> Result<()> {
        self.netns = None;
        let endpoints = self.attachment.endpoints().iter();
        let failures = endpoints.flat_map(|endpoint| [self.firewall.withdraw(endpoint).err(), cut_off(endpoint).err()]);
        Failure::collect(failures.flatten().collect()).map_or(Ok(()), Err)
    }

    fn probe(&self, pid: Pid) -> Result<Vec<Fact>> {
        let path = PathBuf::from(format!("/proc/{}/ns/net", pid.as_raw_nonzero()));
        let name = std::fs::read_link(&path).during("read", path.display())?;
        let mut facts = vec![Fact { source: path.display().to_string(), value: name.display().to_string() }];
        let mut inside = NetworkNamespace::open(&path)?.socket;
        facts.extend(facts_of(&mut inside)?);
        for endpoint in self.attachment.endpoints() {
            let elements = self.firewall.elements(endpoint)?;
            facts.extend(elements.iter().map(|rule| Fact { source: "rule".to_owned(), value: rule.to_string() }));
        }
        Ok(facts)
    }
}

/// Interfaces, addresses and routes of the socket's namespace, as `ip address` and `ip route` would show them inside. What
/// the exercises' graders and `inspect --kernel` compare with the record.
fn facts_of(socket: &mut Socket) -> Result<Vec<Fact>> {
    let links = netlink::links(socket)?;
    let name = |index| links.iter().find(|link| link.index == index).map_or("?", |link| link.name.as_str());
    let fact = |what: &str, index, value| Fact { source: format!("{what} of {}", name(index)), value };
    let mut facts = Vec::new();
    for link in &links {
        let mac: Option<[u8; 6]> = link.mac.as_slice().try_into().ok();
        let state = if link.up { "up" } else { "down" };
        let value = format!("{state}, mtu {}, {}", link.mtu, mac.map(mac_text).unwrap_or_default());
        facts.push(fact("link", link.index, value));
    }
    facts.extend(netlink::addresses(socket)?.iter().map(|(index, net)| fact("address", *index, net.to_string())));
    facts.extend(netlink::routes(socket)?.iter().map(|route| fact("route", route.interface, route.to_string())));
    Ok(facts)
}
