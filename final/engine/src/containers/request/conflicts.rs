//! What a container that shares another's network, or the host's, cannot ask for, in docker's words.
//!
//! Looked at before the image's configuration is added: an image may expose ports that this container does not ask for.

use bollard_stubs::models::{ContainerCreateBody, HostConfig};

use crate::error::{Error, Result};

/// Checks a request as the client has sent it.
pub(crate) fn check(body: &ContainerCreateBody, host: &HostConfig) -> Result<()> {
    let mode = host.network_mode.as_deref().unwrap_or_default();
    let joins = mode == "container" || mode.starts_with("container:");
    if joins && mode.split_once(':').is_none_or(|(_, name)| name.is_empty()) {
        return Err(Error::invalid("invalid container format container:<name|id>"));
    }
    let links = host.links.as_ref().is_some_and(|links| !links.is_empty());
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let mac = body.mac_address.as_ref().is_some_and(|mac| !mac.is_empty());
    let exposes = body.exposed_ports.as_ref().is_some_and(|ports| !ports.is_empty());
    let publishes =
        host.publish_all_ports == Some(true) || host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty());
    let undefined = "can't be used with links. This would result in undefined behavior";
    let conflicts = [
        (joins && links, format!("container type network {undefined}")),
        (mode == "host" && links, format!("host type networking {undefined}")),
        (joins && some(&host.dns), "dns and the network mode".to_owned()),
        (joins && some(&host.extra_hosts), "custom host-to-IP mapping and the network mode".to_owned()),
        ((joins || mode == "host") && mac, "mac-address and the network mode".to_owned()),
        (joins && publishes, "port publishing and the container type network mode".to_owned()),
        (joins && exposes, "port exposing and the container type network mode".to_owned()),
    ];
    match conflicts.into_iter().find(|(both, _)| *both) {
        Some((_, what)) => Err(Error::invalid(format!("conflicting options: {what}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_network_is_taken_as_it_is() {
        let list = || Some(vec!["a".to_owned()]);
        let of = |mode: &str| HostConfig { network_mode: Some(mode.to_owned()), ..HostConfig::default() };
        let refused = |host: HostConfig| check(&ContainerCreateBody::default(), &host).map_err(|error| error.message);
        let hosts = [
            of("container:"),
            of("container"),
            HostConfig { links: list(), ..of("container:a") },
            HostConfig { links: list(), ..of("host") },
            HostConfig { dns: list(), ..of("container:a") },
            HostConfig { extra_hosts: list(), ..of("container:a") },
            HostConfig { publish_all_ports: Some(true), ..of("container:a") },
        ];
        let all: Vec<_> = hosts.map(|host| refused(host).unwrap_err()).into();
        insta::assert_snapshot!(all.join("\n"), @r#"
        invalid container format container:<name|id>
        invalid container format container:<name|id>
        conflicting options: container type network can't be used with links. This would result in undefined behavior
        conflicting options: host type networking can't be used with links. This would result in undefined behavior
        conflicting options: dns and the network mode
        conflicting options: custom host-to-IP mapping and the network mode
        conflicting options: port publishing and the container type network mode
        "#);
        assert_eq!(refused(HostConfig { links: list(), dns: list(), ..of("bridge") }), Ok(()));
        assert_eq!(refused(of("container:a")), Ok(()));
    }
}
