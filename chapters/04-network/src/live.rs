//! A network for a container that runs, and one less.
//!
//! The same messages as at the start, told to a namespace in which programs are already at work: the interface is born in
//! there with its address, and the default route is given to whoever has it now. A disconnection takes the interface away;
//! the other end of its pair goes with it.
//!
//! ```text
//!   connect                                        disconnect
//!   1  the pair, its inner end born inside         1  published ports no longer lead here
//!   2  addresses, up                               2  the bridge is deaf to the port
//!   3  default route, if it is now by this one     3  the interface goes, and its routes with it
//!   4  published ports, if they lead here now      4  default route and ports by what is left
//! ```
//!
//! At no moment do ports lead to an address that nobody has: they are published last and taken back first.
//!
//! Both are idempotent, so that an engine that was killed in between can finish what it had begun: [`connect`] passes over
//! an interface that is there, [`disconnect`] over one that is not.

use std::os::fd::AsFd;

use namespaces::Result;
use rustix::io::Errno;

use crate::endpoint::Endpoint;
use crate::firewall::Firewall;
use crate::namespace;
use crate::netlink::{self, Operation, Socket};
use crate::plan::default_routes;
use crate::stage::{cut_off, plug_in, set_parameters, wake};

/// Gives the container in `netns` the interface of `endpoint`, one of its endpoints, which are `all`.
///
/// # Errors
/// What the kernel refuses; nothing is left of the interface then.
pub fn connect(netns: impl AsFd + Sync, endpoint: &Endpoint, all: &[Endpoint], firewall: &Firewall) -> Result<()> {
    let mut inside = namespace::within(&netns, Socket::route)?;
    if netlink::index(&mut inside, &endpoint.interface)?.is_some() {
        return publish(all, firewall);
    }
    let made = make(&netns, &mut inside, endpoint, all, firewall);
    let made = made.and_then(|()| publish(all, firewall));
    if made.is_err() {
        // The first failure is the one to tell.
        let _ = remove(&mut inside, endpoint);
    }
    made
}

fn make(
    netns: impl AsFd + Sync,
    inside: &mut Socket,
    endpoint: &Endpoint,
    all: &[Endpoint],
    firewall: &Firewall,
) -> Result<()> {
    let mut host = Socket::route()?;
    plug_in(endpoint, &mut host, netns.as_fd(), firewall)?;
    set_parameters(&netns, &endpoint.parameters())?;
    let operations: Vec<Operation> = endpoint.inside().into_iter().chain(default_routes(all)).collect();
    netlink::apply(inside, &operations, None)?;
    wake(endpoint, &mut host, inside)
}

/// Takes the interface of `endpoint` out of the container in `netns`. `rest` are the endpoints that it keeps.
pub fn disconnect(netns: impl AsFd + Sync, endpoint: &Endpoint, rest: &[Endpoint], firewall: &Firewall) -> Result<()> {
    firewall.withdraw(endpoint)?;
    cut_off(endpoint)?;
    let mut inside = namespace::within(&netns, Socket::route)?;
    remove(&mut inside, endpoint)?;
    netlink::apply(&mut inside, &default_routes(rest), None)?;
    publish(rest, firewall)
}

/// Publishes the ports of a container that runs, as its endpoints have them now. A port that has moved from one endpoint to
/// another is replaced in the same moment. What is not published any more has to be [withdrawn](Firewall::withdraw).
pub fn publish(endpoints: &[Endpoint], firewall: &Firewall) -> Result<()> {
    let published = endpoints.iter().filter(|endpoint| !endpoint.ports.is_empty() && endpoint.can_publish());
    let ports = published.flat_map(|endpoint| endpoint.wire.driver().attach(endpoint));
    let settings: Vec<_> = ports.filter(|operation| matches!(operation, Operation::SetPort { .. })).collect();
    netlink::apply(&mut Socket::route()?, &settings, None)?;
    firewall.publish(endpoints)
}

fn remove(inside: &mut Socket, endpoint: &Endpoint) -> Result<()> {
    let remove = Operation::RemoveLink { link: endpoint.interface.clone() };
    match netlink::apply(inside, &[remove], None) {
        Err(failure) if failure.is(Errno::NODEV) => Ok(()),
        done => done,
    }
}
