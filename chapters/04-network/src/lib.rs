//! # Chapter 4: network
//!
//! A process in a new network namespace has no way to speak to anybody: not even its loopback is up. This crate gives it
//! an interface, an address, a route, and the rules by which the world reaches it.
//!
//! Read the files in this order:
//!
//! 1. `network.rs`, `options.rs`: the record of one [`Network`], and how a wish becomes one.
//! 2. `pool.rs`, `ipam.rs`: which subnet a network gets, which address a container gets. Pure.
//! 3. `port.rs`, `claim.rs`: `-p 8080:80` as a value, and who holds which port of the host.
//! 4. `endpoint.rs`: what a container's record says of its network: [`Attachment`], [`Endpoint`].
//! 5. `plan.rs`: all that will be told to the kernel, before anything is: [`Plan`].
//! 6. `netlink/`: how the kernel is told about links, addresses and routes.
//! 7. `driver.rs`: what a [`Driver`] is; `bridge.rs`, `macvlan.rs`: the two that there are; `namespace.rs`, `parameter.rs`:
//!    the place that they lead to.
//! 8. `firewall/`: which packets reach a container, and under which address they travel: [`Firewall`].
//! 9. `files/`: `/etc/hosts`, `/etc/resolv.conf` and `/etc/hostname`, as texts.
//! 10. `dns/`: how containers find each other by name.
//! 11. `stage.rs`: the chapter's [`Stage`](namespaces::Stage): the namespace made, the pair in place, and their end;
//!     `live.rs`: the same for a container that runs.
//!
//! The program (`main.rs`) composes chapters 1 to 4; `without_engine.rs` decides for it what an engine knows from its records.

mod bridge;
mod claim;
pub mod dns;
mod driver;
mod endpoint;
pub mod files;
pub mod firewall;
mod ipam;
mod live;
mod macvlan;
mod namespace;
pub mod netlink;
mod network;
mod options;
mod parameter;
mod plan;
mod pool;
mod port;
mod stage;

pub use bridge::{Bridge, Found};
pub use claim::PortClaims;
pub use driver::{Driver, Wire};
pub use endpoint::{Attachment, Endpoint, Wish};
pub use firewall::Firewall;
pub use ipam::Ipam;
pub use live::{connect, disconnect, publish};
pub use macvlan::{Macvlan, Mode};
pub use namespace::{NetworkNamespace, within};
pub use network::{Kind, Network, Request, Shown};
pub use parameter::InterfaceParameter;
pub use plan::Plan;
pub use pool::{AddressPool, Pool, PoolRequest, choose_subnet, overlaps};
pub use port::{PortRequest, Protocol, PublishedPort};
pub use stage::NetworkStage;
