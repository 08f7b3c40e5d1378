//! The firewall: which packets reach a container, and under which address they travel (nft(8)).
//!
//! One table of our own for each engine, so that nothing here touches rules that others have made, and one `nft delete table`
//! takes all of it away. It has no process in the path of a packet (no userland proxy).
//!
//! - `ruleset.rs`: the rules, as text that nft reads once.
//! - `element.rs`: what the rules look up: networks and published ports.
//! - `nftables.rs`: the elements as netlink messages.
//! - `conntrack.rs`: flows that remember how it was before.
//! - `watch.rs`: hearing of it when somebody takes the table away.
//! - `docker.rs`: what a dockerd on the same host must be told.

mod conntrack;
pub(crate) mod docker;
mod element;
mod nftables;
mod ruleset;
mod watch;

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use namespaces::{Context as _, Failure, Result};
use rustix::io::Errno;

pub use element::{Element, Part, of_bridge, of_endpoint, of_endpoints};
pub use ruleset::{contents, ruleset};
pub use watch::Watch;

use crate::bridge::Bridge;
use crate::driver::Wire;
use crate::endpoint::Endpoint;
use crate::netlink::Socket;

/// The table of one engine. All of its state is in the kernel; clones share one socket.
///
/// The socket stays open, because closing one is dear: the kernel first finishes what was deleted by anybody, and for that
/// waits until no processor can still be looking at it (an RCU grace period, up to 10 ms).
#[derive(Debug, Clone)]
pub struct Firewall {
    table: String,
    /// Opened when it is first needed, in the network namespace of the thread that needs it.
    socket: Arc<Mutex<Option<Socket>>>,
}

impl Firewall {
    /// The table called `table`, in the family `inet`: both of IP's. Nothing is done yet.
    pub fn new(table: &str) -> Self {
        Self { table: table.to_owned(), socket: Arc::default() }
    }

    /// Makes the table as it should be: the current rules, and exactly these networks and containers. One transaction:
    /// connections go on. For the start of an engine, when its records are the truth, and for when the table is gone.
    pub fn ensure(&self, wires: &[Wire], endpoints: &[Endpoint]) -> Result<()> {
        let networks = wires.iter().flat_map(|wire| wire.driver().describe());
        let elements: Vec<Element> = networks.chain(endpoints.iter().flat_map(of_endpoint)).collect();
        run_nft(&(ruleset(&self.table) + &contents(&self.table, &elements)))
    }

    /// Whether the table is there. `nft flush ruleset`, which other programs' start scripts like to run, takes it away.
    pub fn is_installed(&self) -> Result<bool> {
        self.with_socket(|socket| nftables::has_table(socket, &self.table))
    }

    /// Listens for the end of the table, in the network namespace of the thread that asks.
    pub fn watch(&self) -> Result<Watch> {
        Watch::open(&self.table)
    }

    /// Lets the rules know a network. Makes the table first where it is missing.
    pub fn add_bridge(&self, bridge: &Bridge) -> Result<()> {
        self.put(&of_bridge(bridge), || of_bridge(bridge))
    }

    /// Lets the rules forget a network. Does nothing when they do not know it.
    pub fn remove_bridge(&self, bridge: &Bridge) -> Result<()> {
        let removed = self.with_socket(|socket| nftables::remove(socket, &self.table, &of_bridge(bridge)));
        match removed {
            Err(failure) if failure.is(Errno::NOENT) => Ok(()),
            done => done,
        }
    }

    /// Publishes the ports of a container's endpoints, all in one transaction.
    ///
    /// That their networks are known is checked by the way: putting in a bridge that is there changes nothing, and fails
    /// when somebody has taken the table away.
    pub fn publish(&self, endpoints: &[Endpoint]) -> Result<()> {
        let bridges = endpoints.iter().flat_map(|endpoint| endpoint.wire.driver().describe().into_iter().take(1));
        let elements: Vec<Element> = bridges.chain(endpoints.iter().flat_map(of_endpoint)).collect();
        self.put(&elements, || of_endpoints(endpoints))?;
        self.with_socket(|socket| conntrack::forget(socket, endpoints.iter().flat_map(|endpoint| &endpoint.ports)))
    }

    /// Takes back the ports of an endpoint: those that still lead to it. A port that another container has got since stays.
    pub fn withdraw(&self, endpoint: &Endpoint) -> Result<()> {
        if of_endpoint(endpoint).is_empty() {
            return Ok(());
        }
        self.with_socket(|socket| {
            let own = self.standing(socket, endpoint)?;
            nftables::remove(socket, &self.table, &own)?;
            conntrack::forget(socket, &endpoint.ports)
        })
    }

    /// The elements of an endpoint's ports that the kernel has now, and that lead to it.
    pub fn elements(&self, endpoint: &Endpoint) -> Result<Vec<Element>> {
        if of_endpoint(endpoint).is_empty() {
            return Ok(Vec::new());
        }
        self.with_socket(|socket| self.standing(socket, endpoint))
    }

    fn standing(&self, socket: &mut Socket, endpoint: &Endpoint) -> Result<Vec<Element>> {
        let mut own = Vec::new();
        for element in of_endpoint(endpoint) {
            let leads_to = nftables::data(socket, &self.table, &element)?;
            if leads_to.is_some_and(|data| data == nftables::concatenated(&element.data)) {
                own.push(element);
            }
        }
        Ok(own)
    }

    /// The published ports that the kernel knows, as `(address and port of the container)`, for comparing with records.
    pub fn published(&self) -> Result<Vec<(IpAddr, u16)>> {
        self.with_socket(|socket| {
            let mut found = Vec::new();
            for map in element::MAPS {
                for (_, data) in nftables::all(socket, &self.table, map)? {
                    found.extend(address_and_port(&data));
                }
            }
            Ok(found)
        })
    }

    /// Removes the table with all that is in it. Does nothing when there is none.
    pub fn remove(&self) -> Result<()> {
        if self.is_installed()? { run_nft(&format!("delete table inet {}\n", self.table)) } else { Ok(()) }
    }

    /// Puts elements in. Where there is no table, or one without our sets, makes it first and puts in `everything`.
    fn put(&self, elements: &[Element], everything: impl FnOnce() -> Vec<Element>) -> Result<()> {
        self.with_socket(|socket| match nftables::put(socket, &self.table, elements) {
            Err(failure) if failure.is(Errno::NOENT) => {
                run_nft(&ruleset(&self.table))?;
                nftables::put(socket, &self.table, &everything())
            }
            done => done,
        })
    }

    /// Works with the one socket, which is opened the first time. One thread at a time: the kernel would let them wait
    /// anyway, since a transaction locks all of nftables.
    fn with_socket<T>(&self, work: impl FnOnce(&mut Socket) -> Result<T>) -> Result<T> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *socket {
            Some(socket) => work(socket),
            none => work(none.insert(Socket::netfilter()?)),
        }
    }
}

/// Reads the data of a port's element: an address of 4 or 16 bytes, then the port and two bytes that fill its register.
fn address_and_port(data: &[u8]) -> Option<(IpAddr, u16)> {
    let (address, port) = data.split_at_checked(data.len().checked_sub(4)?)?;
    let address = match address.len() {
        4 => IpAddr::V4(Ipv4Addr::from(*address.first_chunk::<4>()?)),
        _ => IpAddr::V6(Ipv6Addr::from(*address.first_chunk::<16>()?)),
    };
    Some((address, u16::from_be_bytes(*port.first_chunk()?)))
}

/// Runs nft on `text`, as one transaction. 2 to 4 ms: for what happens once, not for what happens with every container.
fn run_nft(text: &str) -> Result<()> {
    let step = "install the packet filter rules with nft";
    let mut nft = Command::new("nft");
    let spawned = nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut nft = match spawned {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::new(step, "the program nft is not installed")
                .hint("Install the package nftables, or use --network host or none."));
        }
        spawned => spawned.step(step)?,
    };
    if let Some(mut input) = nft.stdin.take() {
        input.write_all(text.as_bytes()).step(step)?;
    }
    let output = nft.wait_with_output().step(step)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it ended without a word");
    Err(Failure::new(step, first).hint("nftables needs Linux 6.3 or later with nf_tables and nft_nat."))
}
