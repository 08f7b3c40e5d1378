//! Links (`--link db:database`): other containers under a name of one's own. Docker's old way to find each other, from before
//! networks had names in them; compose files of that time still ask for it.
//!
//! On the default network a link becomes a line in `/etc/hosts` and variables in the environment when the container starts; in
//! a network with names it is one more name, which the resolver answers to this container only. With the variables come the other container's own variables, its passwords included: whoever wants to keep them apart uses
//! a network with names.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard_stubs::models::ContainerConfig;
use network::Attachment;

use super::names::short;
use super::record::Asked;
use super::{Containers, whole};
use crate::error::{Error, Kind, Result};

/// Docker's words for a link from or to what has no address of its own.
pub(super) const HOST_HAS_NO_LINKS: &str =
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior";

/// `NAME`, `NAME:ALIAS`: both, the second the same as the first unless it is given.
pub(super) fn parse(link: &str) -> Result<(&str, &str)> {
    let (name, alias) = link.split_once(':').unwrap_or((link, link));
    let (name, alias) = (name.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or_default());
    if name.is_empty() || alias.is_empty() || alias.contains(':') {
        return Err(Error::invalid(format!("bad format for links: {link}")));
    }
    Ok((name, alias))
}

impl Containers {
    /// Refuses links to nobody, when a container is created.
    pub(super) fn check_links(&self, asked: &Asked) -> Result<()> {
        for link in asked.host.links.iter().flatten() {
            let (name, _) = parse(link)?;
            // In a network with names a link is one more name, which may come true later.
            if !on_default_network(asked) {
                continue;
            }
            // Not 404: clients take that for a missing image.
            let unknown = |error: Error| Error {
                kind: Kind::Invalid,
                message: format!("could not get container for {name}: {}", error.message),
                ..error
            };
            let other = self.find(name).map_err(unknown)?;
            if other.asked().host.network_mode.as_deref() == Some("host") {
                return Err(Error::invalid(HOST_HAS_NO_LINKS).hint("It is reached by the addresses of the host."));
            }
        }
        Ok(())
    }

    /// Takes a link away from a container. What it has in `/etc/hosts` while it runs goes with its next start.
    ///
    /// # Errors
    /// 404 when it has no link of that name.
    pub async fn unlink(&self, name: &str, alias: &str) -> Result<()> {
        let (container, alias) = (self.find(name)?, alias.to_owned());
        whole(async move {
            let _turn = container.turn.lock().await;
            let is_it = |link: &String| parse(link).is_ok_and(|(_, known)| known == alias);
            if !container.asked().host.links.iter().flatten().any(is_it) {
                return Err(Error::not_found(format!("Cannot get parent {} for name: {alias}", container.name())));
            }
            container.ask(|asked| {
                asked.host.links.iter_mut().for_each(|links| links.retain(|link| !is_it(link)));
                // What is not there is `null`, and not a list of nothing.
                asked.host.links.take_if(|links| links.is_empty());
            })
        })
        .await
    }

    /// Addresses and names of the containers that `asked` links to on the default network: lines for `/etc/hosts`. In a network
    /// with names the resolver knows them.
    ///
    /// # Errors
    /// One that does not run, or is not on that network: it has no address.
    pub(super) fn links(&self, asked: &Asked) -> Result<Vec<(IpAddr, String)>> {
        if !on_default_network(asked) {
            return Ok(Vec::new());
        }
        let (_, default, _) = self.shared.networks.look_up("bridge")?;
        let mut lines = Vec::new();
        for link in asked.host.links.iter().flatten() {
            let (name, alias) = parse(link)?;
            let other = self.find(name)?;
            let called = other.name();
            if !other.status().has_process() {
                let own = &asked.name;
                let words = format!("Cannot link to a non running container: /{called} AS /{own}/{alias}");
                return Err(Error::invalid(words).hint(format!("Start it first: skiff start {called}")));
            }
            let attachment = other.state().network.unwrap_or(Attachment::None);
            let endpoint = attachment.endpoints().iter().find(|endpoint| endpoint.network == default);
            let endpoint = endpoint.ok_or_else(|| {
                Error::invalid(format!("Cannot link to /{called}, as it does not belong to the default network"))
            })?;
            let mut names = vec![alias.to_owned(), short(&other.id).to_owned(), called];
            names.dedup();
            lines.push((endpoint.address.addr(), names.join(" ")));
        }
        Ok(lines)
    }

    /// What containers are called by those that link to them, by id: `/web/database`.
    pub(super) fn names_by_link(&self) -> HashMap<String, Vec<String>> {
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        // The index is locked for this line only: finding the other containers locks it again.
        let all = self.index().all();
        for container in all {
            let asked = container.asked();
            for link in asked.host.links.iter().flatten().filter(|_| on_default_network(&asked)) {
                let Ok((name, alias)) = parse(link) else { continue };
                let Ok(other) = self.find(name) else { continue };
                names.entry(other.id.clone()).or_default().push(format!("/{}/{alias}", asked.name));
            }
        }
        names
    }

    /// The variables that the links on the default network make, for the container and for execs in it.
    pub(super) fn link_variables(&self, asked: &Asked) -> Vec<String> {
        if !on_default_network(asked) {
            return Vec::new();
        }
        let links = asked.host.links.iter().flatten().filter_map(|link| parse(link).ok());
        let variables = links.filter_map(|(name, alias)| {
            let other = self.find(name).ok()?;
            let network = other.state().network?;
            let address = network.endpoints().first()?.address.addr();
            Some(variables(&asked.name, alias, address, &other.asked().config))
        });
        variables.flatten().collect()
    }
}

/// Whether the container is on the network without names, where a link is more than one name more.
fn on_default_network(asked: &Asked) -> bool {
    matches!(asked.host.network_mode.as_deref(), None | Some("" | "default" | "bridge"))
}

/// What docker tells a program about the container at `address` that it is linked to as `alias`: its ports, and its own
/// variables, but for those that every container has (`links.Link.ToEnv`).
fn variables(own: &str, alias: &str, address: IpAddr, other: &ContainerConfig) -> Vec<String> {
    let prefix = alias.replace('-', "_").to_uppercase();
    let mut ports: Vec<(u16, &str)> = other
        .exposed_ports
        .iter()
        .flatten()
        .filter_map(|(port, _)| {
            let (port, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            Some((port.parse().ok()?, protocol))
        })
        .collect();
    ports.sort_unstable();
    let mut all = Vec::new();
    // One that people may ask for without knowing its number: the lowest.
    if let Some((port, protocol)) = ports.first() {
        all.push(format!("{prefix}_PORT={protocol}://{address}:{port}"));
    }
    for (port, protocol) in ports {
        let name = format!("{prefix}_PORT_{port}_{}", protocol.to_uppercase());
        all.push(format!("{name}={protocol}://{address}:{port}"));
        all.push(format!("{name}_ADDR={address}"));
        all.push(format!("{name}_PORT={port}"));
        all.push(format!("{name}_PROTO={protocol}"));
    }
    all.push(format!("{prefix}_NAME=/{own}/{alias}"));
    let variables = other.env.iter().flatten().filter_map(|variable| variable.split_once('='));
    let variables = variables.filter(|(name, _)| !matches!(*name, "HOME" | "PATH"));
    all.extend(variables.map(|(name, value)| format!("{prefix}_ENV_{name}={value}")));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_link_has_a_name_and_an_alias() {
        assert_eq!(parse("db"), Ok(("db", "db")));
        assert_eq!(parse("db:data"), Ok(("db", "data")));
        // As `inspect` shows it, and as compose passes it on.
        assert_eq!(parse("/db:/web/data"), Ok(("db", "data")));
        for odd in ["", ":a", "a:", "a:b:c"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }
    #[test]
    #[expect(clippy::zero_sized_map_values, reason = "the API's types write a set like this")]
    fn a_link_on_the_default_network_tells_ports_and_variables() {
        let other = ContainerConfig {
            exposed_ports: Some(["6379/tcp", "53/udp"].map(|port| (port.to_owned(), HashMap::new())).into()),
            env: Some(["PATH=/bin", "PASSWORD=a=b", "EMPTY="].map(str::to_owned).into()),
            ..ContainerConfig::default()
        };
        let lines = variables("web", "my-db", [172, 17, 0, 2].into(), &other);
        insta::assert_snapshot!(lines.join("\n"), @r#"
        MY_DB_PORT=udp://172.17.0.2:53
        MY_DB_PORT_53_UDP=udp://172.17.0.2:53
        MY_DB_PORT_53_UDP_ADDR=172.17.0.2
        MY_DB_PORT_53_UDP_PORT=53
        MY_DB_PORT_53_UDP_PROTO=udp
        MY_DB_PORT_6379_TCP=tcp://172.17.0.2:6379
        MY_DB_PORT_6379_TCP_ADDR=172.17.0.2
        MY_DB_PORT_6379_TCP_PORT=6379
        MY_DB_PORT_6379_TCP_PROTO=tcp
        MY_DB_NAME=/web/my-db
        MY_DB_ENV_PASSWORD=a=b
        MY_DB_ENV_EMPTY=
        "#);
    }
}
