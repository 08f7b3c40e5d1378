//! What we tell the kernel about links, addresses and routes: values that print as the ip(8) command that would do the same.
//!
//! The printed command is also what a failure names, so that a person can try it by hand.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::endpoint::mac_text;
use crate::macvlan::Mode;

/// One change to a network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new bridge: a switch whose ports are the host's ends of the pairs.
    AddBridge {
        /// Interface name.
        bridge: String,
        /// Its hardware address. Given, because the kernel would else take the lowest of its ports', which come and go.
        mac: [u8; 6],
        /// Bytes; `None` is 1500.
        mtu: Option<u32>,
    },
    /// A new pair (veth(4)): one end on the bridge and up, the other *born inside* the container's namespace.
    ///
    /// To make both here and move one costs 10 to 28 ms: the kernel waits until nobody can still see the link it moves.
    AddVeth {
        /// Name of the host's end.
        veth: String,
        /// The bridge it is a port of.
        bridge: String,
        /// Name of the end inside.
        interface: String,
        /// Hardware address of the end inside.
        mac: [u8; 6],
        /// Bytes, of both ends; `None` is 1500.
        mtu: Option<u32>,
    },
    /// One more hardware address on an interface of the host, as an interface *born inside* the container's namespace.
    AddMacvlan {
        /// The interface of the host.
        parent: String,
        /// Who on that parent reaches whom.
        mode: Mode,
        /// Name inside.
        interface: String,
        /// Its hardware address; `None` where it has the parent's.
        mac: Option<[u8; 6]>,
        /// Bytes; `None` is the parent's.
        mtu: Option<u32>,
    },
    /// Gives an interface no IPv6 address of the kernel's own making.
    ///
    /// The host's end of a pair is a port of a bridge and speaks to nobody itself. With an address it would, and each address is
    /// three routes, which the kernel goes through whenever any interface comes up: with 300 containers a quarter of a
    /// millisecond for each new one.
    NoLinkLocal {
        /// Its name.
        link: String,
    },
    /// How the bridge treats one of its ports (bridge(8)).
    SetPort {
        /// The port's name.
        veth: String,
        /// Whether a frame may leave by the port it came in by: a container that reaches itself by a published port.
        hairpin: bool,
        /// Whether it can speak to the bridge itself only, not to other isolated ports.
        isolated: bool,
    },
    /// Cuts a port off at once: the bridge sends nothing to it any more and learns nothing from it.
    ///
    /// The pair of a container that has ended lives on until the kernel gets round to it, and answers for its address
    /// meanwhile; the next container with that address must not be mistaken for it. (The state *disabled* would not do: the
    /// bridge wakes such a port when the news of its carrier arrives, and of a container that lived for a few milliseconds
    /// that may be still to come.)
    ClosePort {
        /// The port's name.
        veth: String,
    },
    /// Puts an interface into use.
    SetUp {
        /// Its name.
        link: String,
    },
    /// Gives an interface another name, in use or not (Linux 6.2).
    Rename {
        /// Its name now.
        link: String,
        /// The new one.
        name: String,
    },
    /// Changes the largest packet.
    SetMtu {
        /// The interface.
        link: String,
        /// Bytes.
        mtu: u32,
    },
    /// Gives an interface an address, and a route to its subnet with it.
    AddAddress {
        /// The interface.
        link: String,
        /// With the subnet's prefix length.
        address: IpNet,
    },
    /// Takes an address away.
    RemoveAddress {
        /// The interface.
        link: String,
        /// With the subnet's prefix length.
        address: IpNet,
    },
    /// Where everything else is sent, in place of the route that there was.
    SetDefaultRoute {
        /// The bridge's address.
        gateway: IpAddr,
    },
    /// Removes an interface: a bridge, or the end inside when a running container is disconnected, and the other end of its
    /// pair with it. Not for the pair of a container that ends: that would block for 11 to 28 ms, and it ends by itself.
    RemoveLink {
        /// Its name.
        link: String,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddBridge { bridge, mac, mtu } => {
                write!(f, "ip link add {bridge} address {}{} type bridge", mac_text(*mac), Mtu(*mtu))
            }
            Self::AddVeth { veth, bridge, interface, mac, mtu } => {
                write!(f, "ip link add {veth} master {bridge}{mtu} up type veth ", mtu = Mtu(*mtu))?;
                write!(f, "peer name {interface} address {}{} netns CONTAINER", mac_text(*mac), Mtu(*mtu))
            }
            Self::AddMacvlan { parent, mode, interface, mac, mtu } => {
                write!(f, "ip link add link {parent} name {interface}")?;
                mac.map_or(Ok(()), |mac| write!(f, " address {}", mac_text(mac)))?;
                write!(f, "{} netns CONTAINER type macvlan mode {mode}", Mtu(*mtu))
            }
            Self::NoLinkLocal { link } => write!(f, "ip link set {link} addrgenmode none"),
            Self::SetPort { veth, hairpin, isolated } => {
                let (hairpin, isolated) = (on_off(*hairpin), on_off(*isolated));
                write!(f, "ip link set {veth} type bridge_slave hairpin {hairpin} isolated {isolated}")
            }
            Self::ClosePort { veth } => {
                write!(
                    f,
                    "ip link set {veth} type bridge_slave learning off flood off mcast_flood off bcast_flood off fdb_flush"
                )
            }
            Self::SetUp { link } => write!(f, "ip link set {link} up"),
            Self::Rename { link, name } => write!(f, "ip link set {link} name {name}"),
            Self::SetMtu { link, mtu } => write!(f, "ip link set {link} mtu {mtu}"),
            Self::AddAddress { link, address: IpNet::V4(address) } => {
                write!(f, "ip address add {address} broadcast + dev {link}")
            }
            Self::AddAddress { link, address } => write!(f, "ip address add {address} nodad dev {link}"),
            Self::RemoveAddress { link, address } => write!(f, "ip address del {address} dev {link}"),
            Self::SetDefaultRoute { gateway } => write!(f, "ip route replace default via {gateway}"),
            Self::RemoveLink { link } => write!(f, "ip link del {link}"),
        }
    }
}

/// A flag as ip(8) writes it.
fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

/// ` mtu 1400`, or nothing for what the kernel chooses.
struct Mtu(Option<u32>);

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |mtu| write!(f, " mtu {mtu}"))
    }
}
