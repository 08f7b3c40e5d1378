//! Other published ports for a container that exists, running or not.
//!
//! Docker cannot do it: there, who has forgotten a `-p` makes the container again. Here a port is an element of a map, and
//! putting one in or taking one out is no matter of the container's life. What is said stays said: the next start publishes
//! what the record says then.

use std::sync::Arc;

use bollard_stubs::models::PortBinding;
use network::{Attachment, PortRequest, PublishedPort};
use serde::Deserialize;

use super::connect::holds;
use super::container::Container;
use super::record::Asked;
use super::{Containers, blocking};
use crate::error::{Error, Result};

/// Ports in docker's notation, as `-p` has it. Fields of ours in the body of docker's `update`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ports {
    /// To publish: `8080:80`, `127.0.0.1:5353:53/udp`, `80` for any port of the host.
    pub publish_add: Vec<String>,
    /// To publish no more: one (`8080:80`), or all that lead to a port of the container (`80`).
    pub publish_rm: Vec<String>,
}

/// The same, read.
#[derive(Debug)]
struct Change {
    add: Vec<PortRequest>,
    remove: Vec<PortRequest>,
}

impl Ports {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.publish_add.is_empty() && self.publish_rm.is_empty()
    }

    fn read(&self) -> Result<Change> {
        let all = |texts: &[String]| -> Result<Vec<PortRequest>> {
            let requests: Result<Vec<_>, _> = texts.iter().map(|text| PortRequest::parse(text)).collect();
            Ok(requests?.concat())
        };
        Ok(Change { add: all(&self.publish_add)?, remove: all(&self.publish_rm)? })
    }
}

impl Change {
    /// What is asked for afterwards.
    ///
    /// # Errors
    /// 404 when a port that is to be published no more is not published.
    fn of(&self, mut asked: Asked) -> Result<Asked> {
        let bindings = asked.host.port_bindings.get_or_insert_default();
        for request in &self.remove {
            let key = format!("{}/{}", request.container_port, request.protocol);
            let known = bindings.get_mut(&key).and_then(Option::as_mut);
            let before = known.as_ref().map_or(0, |known| known.len());
            let kept = known.map_or(0, |known| {
                known.retain(|binding| !is_meant(request, binding));
                known.len()
            });
            if kept == before {
                return Err(Error::not_found(format!("container {} does not publish {key} so", asked.name))
                    .hint(format!("docker port {} says what it publishes.", asked.name)));
            }
            if kept == 0 {
                bindings.remove(&key);
            }
        }
        for request in &self.add {
            let key = format!("{}/{}", request.container_port, request.protocol);
            asked.config.exposed_ports.get_or_insert_default().entry(key.clone()).or_default();
            bindings.entry(key).or_default().get_or_insert_default().push(binding(request));
        }
        Ok(asked)
    }

    /// What is published and is to be no more.
    fn gone(&self, now: &Attachment) -> Vec<PublishedPort> {
        let meant = |port: &&PublishedPort| self.remove.iter().any(|request| is_published_by(request, port));
        now.endpoints().iter().flat_map(|endpoint| &endpoint.ports).filter(meant).copied().collect()
    }
}

/// A request as docker's API has it.
fn binding(request: &PortRequest) -> PortBinding {
    let port = request.host_ports.as_ref().map(|range| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    });
    let ip = request.host_ip.map(|ip| ip.to_string());
    PortBinding { host_ip: Some(ip.unwrap_or_default()), host_port: Some(port.unwrap_or_default()) }
}

/// Whether a binding is one of those that are to go. What the request leaves out may be anything.
fn is_meant(request: &PortRequest, known: &PortBinding) -> bool {
    let wanted = binding(request);
    let agrees = |wanted: &Option<String>, known: &Option<String>| {
        wanted.as_deref().is_none_or(|wanted| wanted.is_empty() || known.as_deref() == Some(wanted))
    };
    agrees(&wanted.host_ip, &known.host_ip) && agrees(&wanted.host_port, &known.host_port)
}

/// The same question of a port that is published.
fn is_published_by(request: &PortRequest, port: &PublishedPort) -> bool {
    request.container_port == port.container_port
        && request.protocol == port.protocol
        && request.host_ip.is_none_or(|ip| ip == port.host_ip)
        && request.host_ports.as_ref().is_none_or(|range| range.contains(&port.host_port))
}

impl Containers {
    /// Publishes other ports. The caller has the container's turn.
    ///
    /// # Errors
    /// 400 for what is no port, or when the container has no network of its own; 404 for a port that is not published; the
    /// port is in use, by whom is said. Nothing is changed then.
    pub(super) async fn publish(&self, container: &Arc<Container>, ports: &Ports) -> Result<()> {
        let change = ports.read()?;
        let before = container.asked();
        let mode = before.host.network_mode.as_deref().unwrap_or_default();
        if mode == "host" || mode == "none" || mode.starts_with("container:") {
            return Err(Error::invalid(format!("ports cannot be published with the network mode {mode}")));
        }
        let after = change.of(Asked::clone(&before))?;
        let now = container.state().network.filter(|_| container.status().has_process());
        let Some(now) = now else { return container.ask(|asked| *asked = after) };
        let networks = Arc::clone(&self.shared.networks);
        let then = {
            let (networks, id, now) = (Arc::clone(&networks), before.id.clone(), now.clone());
            blocking(move || networks.claim_ports(&id, &now, &change.gone(&now), &change.add)).await?
        };
        // An engine that is killed from here on publishes when it is back what this record says.
        container.ask(|asked| *asked = after)?;
        holds(container, &then);
        let (was, is) = (now.clone(), then.clone());
        let done = blocking(move || networks.republish(&was, &is)).await;
        if done.is_err() {
            self.shared.networks.take_back_ports(&then, &now);
            holds(container, &now);
            container.ask(|asked| *asked = Asked::clone(&before))?;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::testing::asked;

    fn after(add: &[&str], rm: &[&str]) -> String {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let mut asked = asked("1f2e", "web");
        for text in ["8080:80", "127.0.0.1:8081:80", "53/udp"] {
            asked = Ports { publish_add: vec![text.to_owned()], publish_rm: vec![] }.read().unwrap().of(asked).unwrap();
        }
        let change = Ports { publish_add: texts(add), publish_rm: texts(rm) }.read();
        match change.and_then(|change| change.of(asked)) {
            Err(error) => error.message,
            Ok(asked) => {
                let mut all: Vec<_> = asked.host.port_bindings.unwrap().into_iter().collect();
                all.sort_by(|(a, _), (b, _)| a.cmp(b));
                let text = |text: &Option<String>| text.clone().unwrap();
                let hosts = |hosts: &Vec<PortBinding>| {
                    hosts
                        .iter()
                        .map(|host| format!("{}:{}", text(&host.host_ip), text(&host.host_port)))
                        .collect::<Vec<_>>()
                };
                all.iter()
                    .map(|(port, on)| format!("{port} {}", hosts(on.as_ref().unwrap()).join(" ")))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        }
    }

    #[test]
    fn ports_come_and_go() {
        let said = [
            after(&[], &[]),
            after(&["8000-8002:90", "[::1]:1:2/udp"], &["8080:80"]),
            after(&[], &["80", "53/udp"]),
            after(&["8080:81"], &["127.0.0.1:8081:80"]),
            after(&[], &["8082:80"]),
            after(&[], &["80/udp"]),
            after(&["http"], &[]),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        53/udp :, 80/tcp :8080 127.0.0.1:8081
        2/udp ::1:1, 53/udp :, 80/tcp 127.0.0.1:8081, 90/tcp :8000-8002

        53/udp :, 80/tcp :8080, 81/tcp :8080
        container web does not publish 80/tcp so
        container web does not publish 80/udp so
        cannot publish http: a port is a number from 1 to 65535
        ");
    }
}
