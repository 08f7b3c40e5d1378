//! The PORTS column: ports with their bindings, neighbours joined to ranges.

use serde::Deserialize;

/// One port of a container, as `GET /containers/json` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Port {
    /// Address on the host; absent when the port is only exposed.
    #[serde(rename = "IP", default)]
    pub(crate) ip: Option<String>,
    /// Port in the container.
    #[serde(rename = "PrivatePort", default)]
    pub(crate) inside: u16,
    /// Port on the host.
    #[serde(rename = "PublicPort", default)]
    pub(crate) outside: Option<u16>,
    /// `tcp`, `udp`, `sctp`.
    #[serde(rename = "Type", default)]
    pub(crate) protocol: String,
}

/// Neighbouring ports of one address and protocol that are the same inside and outside.
struct Run {
    ip: String,
    protocol: String,
    first: u16,
    last: u16,
}

impl Run {
    fn text(&self) -> String {
        let Self { ip, protocol, first, last } = self;
        let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
        if ip.is_empty() { format!("{ports}/{protocol}") } else { format!("{ip}:{ports}->{ports}/{protocol}") }
    }
}

/// The address on the host; one of version 6 in brackets, none when the port is only exposed.
fn address(port: &Port) -> String {
    match port.ip.as_deref().unwrap_or_default() {
        six if six.contains(':') => format!("[{six}]"),
        four => four.to_owned(),
    }
}

/// `99/tcp, 127.0.0.1:9000-9002->9000-9002/udp, 0.0.0.0:8080->80/tcp`.
///
/// Docker's order: runs first, each where its first port was met; ports that have another number outside come last.
pub(crate) fn column(ports: &[Port]) -> String {
    let mut sorted: Vec<&Port> = ports.iter().collect();
    sorted.sort_by_key(|port| (port.inside, &port.ip, port.outside, &port.protocol));
    let (mut ended, mut open, mut mapped): (Vec<Run>, Vec<Run>, Vec<String>) = Default::default();
    for port in sorted {
        let (ip, protocol) = (address(port), &port.protocol);
        if let Some(outside) = port.outside.filter(|outside| *outside != port.inside && !ip.is_empty()) {
            mapped.push(format!("{ip}:{outside}->{}/{protocol}", port.inside));
            continue;
        }
        let new = |ip| Run { ip, protocol: protocol.clone(), first: port.inside, last: port.inside };
        match open.iter_mut().find(|run| run.ip == ip && run.protocol == *protocol) {
            None => open.push(new(ip)),
            Some(run) if run.last.checked_add(1) == Some(port.inside) => run.last = port.inside,
            Some(run) => ended.push(std::mem::replace(run, new(ip))),
        }
    }
    let runs = ended.iter().chain(&open).map(Run::text);
    runs.chain(mapped).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, inside: u16, outside: u16, protocol: &str) -> Port {
        let published = outside > 0;
        Port {
            ip: published.then(|| ip.to_owned()),
            inside,
            outside: published.then_some(outside),
            protocol: protocol.to_owned(),
        }
    }

    #[test]
    fn what_docker_prints_for_such_a_container() {
        let ports = [
            port("127.0.0.1", 9000, 9000, "udp"),
            port("127.0.0.1", 9001, 9001, "udp"),
            port("", 99, 0, "tcp"),
            port("0.0.0.0", 80, 8081, "tcp"),
            port("::", 80, 8081, "tcp"),
        ];
        assert_eq!(
            column(&ports),
            "99/tcp, 127.0.0.1:9000-9001->9000-9001/udp, 0.0.0.0:8081->80/tcp, [::]:8081->80/tcp"
        );
    }

    #[test]
    fn a_gap_ends_a_run() {
        let exposed: Vec<Port> = [9, 7, 8, 11].map(|number| port("", number, 0, "udp")).to_vec();
        assert_eq!(column(&exposed), "7-9/udp, 11/udp");
    }
}
