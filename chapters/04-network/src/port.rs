//! `-p 8080:80` as a value.
//!
//! | notation | published |
//! |---|---|
//! | `80` | port 80 of the container, on any free port of the host |
//! | `8080:80/udp` | on port 8080 of every address of the host, for datagrams |
//! | `127.0.0.1:8080:80` | on one address of the host |
//! | `127.0.0.1::80` | on any free port of that address |
//! | `8000-8002:80-82` | three ports, one to one |
//! | `8000-8010:80` | one port, on the first of eleven that is free |
//!
//! Docker's client reads this notation itself and sends a map; both ways lead to the same [`PortRequest`]s. A request becomes
//! a [`PublishedPort`] when [`PortClaims`](crate::PortClaims) has found out which port of the host it is.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

/// What speaks through a port (protocols(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Streams.
    Tcp,
    /// Datagrams.
    Udp,
    /// Messages over associations.
    Sctp,
}

impl Protocol {
    /// Its number in an IP header (IANA protocol numbers).
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// Docker takes capitals as well.
    fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            "sctp" => Some(Self::Sctp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// A port that is to be published: before it is known which port of the host it gets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortRequest {
    /// Address of the host. `None` is every address.
    pub host_ip: Option<IpAddr>,
    /// One of these ports of the host. `None` is any that is free.
    pub host_ports: Option<RangeInclusive<u16>>,
    /// Port inside the container.
    pub container_port: u16,
    /// What speaks through it.
    pub protocol: Protocol,
}

/// A published port: this address and port of the host lead to that port of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Address of the host; unspecified (`0.0.0.0`) is every address.
    pub host_ip: IpAddr,
    /// Port of the host.
    pub host_port: u16,
    /// Port inside the container.
    pub container_port: u16,
    /// What speaks through it.
    pub protocol: Protocol,
}

impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host_ip, host_port, container_port, protocol } = self;
        let address = std::net::SocketAddr::new(*host_ip, *host_port);
        write!(f, "{address}->{container_port}/{protocol}")
    }
}

impl PortRequest {
    /// Reads docker's `[HOST-IP:][HOST-PORT[-PORT]:]CONTAINER-PORT[-PORT][/PROTOCOL]`.
    ///
    /// A range on both sides is as many requests as it has ports. A range on the host's side for one port of the container
    /// is one request for any of them.
    pub fn parse(text: &str) -> Result<Vec<Self>> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (rest, container) = ports.rsplit_once(':').unwrap_or(("", ports));
        let (host_ip, host) = match rest.rsplit_once(':') {
            Some((ip, host)) => (ip, host),
            None => ("", rest),
        };
        let request = || -> Result<Vec<Self>, &'static str> {
            let protocol = Protocol::parse(protocol).ok_or("the protocol is tcp, udp or sctp")?;
            let container = range(container)?.ok_or("no port of the container is given")?;
            pair(address(host_ip)?, range(host)?, container, protocol)
        };
        request().map_err(|cause| invalid(cause, text))
    }

    /// Reads one entry of the `PortBindings` of docker's API: `"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]`.
    /// `host_port` may be empty or `0` (any), a port or a range.
    pub fn from_binding(container_port: &str, host_ip: &str, host_port: &str) -> Result<Vec<Self>> {
        let ip = if host_ip.contains(':') { format!("[{host_ip}]") } else { host_ip.to_owned() };
        Self::parse(&format!("{ip}:{host_port}:{container_port}"))
    }
}

/// One request for each port of the container, with the port of the host that belongs to it.
fn pair(
    host_ip: Option<IpAddr>,
    host: Option<RangeInclusive<u16>>,
    container: RangeInclusive<u16>,
    protocol: Protocol,
) -> Result<Vec<PortRequest>, &'static str> {
    // Port 0 asks for any, as it does in bind(2).
    let host = host.filter(|range| *range != (0..=0));
    if container.contains(&0) || host.as_ref().is_some_and(|range| range.contains(&0)) {
        return Err("a port is a number from 1 to 65535");
    }
    let one = |container_port, host_ports| PortRequest { host_ip, host_ports, container_port, protocol };
    match host {
        None => Ok(container.map(|port| one(port, None)).collect()),
        Some(host) if container.len() == 1 => Ok(vec![one(*container.start(), Some(host))]),
        Some(host) if container.len() == host.len() => {
            Ok(container.zip(host).map(|(inside, outside)| one(inside, Some(outside..=outside))).collect())
        }
        Some(_) => Err("the two ranges have different lengths"),
    }
}

/// An address of the host. IPv6 is in brackets, so that its colons are not the notation's. Unspecified means every address of
/// its family; leaving it out, every address of every family.
fn address(text: &str) -> Result<Option<IpAddr>, &'static str> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.is_empty() {
        return Ok(None);
    }
    bare.parse().map(Some).map_err(|_| "the host's address is not an IP address")
}

/// `80` is a range of one. Nothing is no range.
fn range(text: &str) -> Result<Option<RangeInclusive<u16>>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let port = |text: &str| text.parse::<u16>().map_err(|_| "a port is a number from 1 to 65535");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = port(first)?..=port(last)?;
    if range.is_empty() { Err("the range ends before it begins") } else { Ok(Some(range)) }
}

fn invalid(cause: &str, text: &str) -> Failure {
    Failure::new("publish", cause)
        .on(text)
        .hint("A port is published as [HOST-IP:][HOST-PORT:]CONTAINER-PORT[/PROTOCOL].")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        let show = |request: &PortRequest| {
            let ip = request.host_ip.map_or("*".to_owned(), |ip| ip.to_string());
            let host = request.host_ports.as_ref().map_or("any".to_owned(), |range| format!("{range:?}"));
            format!("{ip} {host} -> {}/{}", request.container_port, request.protocol)
        };
        match PortRequest::parse(text) {
            Ok(requests) => requests.iter().map(show).collect::<Vec<_>>().join(", "),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn dockers_notation_is_read() {
        let texts = [
            "80",
            "80/udp",
            "8080:80",
            "0:80",
            "127.0.0.1:8080:80/TCP",
            "127.0.0.1::80",
            "0.0.0.0:8080:80",
            "[::1]:8080:80/sctp",
            "8000-8002:80-82",
            "8000-8010:80",
            "80-81",
        ];
        insta::assert_snapshot!(texts.map(read).join("\n"), @r#"
        * any -> 80/tcp
        * any -> 80/udp
        * 8080..=8080 -> 80/tcp
        * any -> 80/tcp
        127.0.0.1 8080..=8080 -> 80/tcp
        127.0.0.1 any -> 80/tcp
        0.0.0.0 8080..=8080 -> 80/tcp
        ::1 8080..=8080 -> 80/sctp
        * 8000..=8000 -> 80/tcp, * 8001..=8001 -> 81/tcp, * 8002..=8002 -> 82/tcp
        * 8000..=8010 -> 80/tcp
        * any -> 80/tcp, * any -> 81/tcp
        "#);
    }

    #[test]
    fn what_is_not_is_refused_with_its_reason() {
        let texts =
            ["", "http", "80/icmp", "8080:", "70000:80", "0", "nowhere:1:2", "8000-8002:80-81", "81-80", "1.2.3.4:80"];
        insta::assert_snapshot!(texts.map(read).join("\n"), @r"
        cannot publish : no port of the container is given
        cannot publish http: a port is a number from 1 to 65535
        cannot publish 80/icmp: the protocol is tcp, udp or sctp
        cannot publish 8080:: no port of the container is given
        cannot publish 70000:80: a port is a number from 1 to 65535
        cannot publish 0: a port is a number from 1 to 65535
        cannot publish nowhere:1:2: the host's address is not an IP address
        cannot publish 8000-8002:80-81: the two ranges have different lengths
        cannot publish 81-80: the range ends before it begins
        cannot publish 1.2.3.4:80: a port is a number from 1 to 65535
        ");
    }

    #[test]
    fn the_api_s_map_of_bindings_is_read() {
        let one = |ip, port| PortRequest::from_binding("80/tcp", ip, port).unwrap();
        assert_eq!(one("", "8080"), PortRequest::parse("8080:80").unwrap());
        assert_eq!(one("", ""), PortRequest::parse("80").unwrap());
        assert_eq!(one("127.0.0.1", "0"), PortRequest::parse("127.0.0.1::80").unwrap());
        assert_eq!(one("::1", "8000-8001"), PortRequest::parse("[::1]:8000-8001:80").unwrap());
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[0-9a-z:./\\[\\]-]{0,24}") {
            let _ = PortRequest::parse(&text);
        }

        #[test]
        fn a_published_port_reads_back(ip: [u8; 4], host in 1u16.., inside in 1u16..) {
            let ip = std::net::Ipv4Addr::from(ip);
            let requests = PortRequest::parse(&format!("{ip}:{host}:{inside}")).unwrap();
            prop_assert_eq!(requests.len(), 1);
            prop_assert_eq!(requests[0].host_ports.clone(), Some(host..=host));
            prop_assert_eq!(requests[0].container_port, inside);
        }
    }
}
