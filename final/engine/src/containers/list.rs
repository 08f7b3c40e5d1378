//! `docker ps`: all containers as the API shows them in a row each, and which of them are wanted.

use std::sync::Arc;

use bollard_stubs::models::{
    ContainerSummary, ContainerSummaryHostConfig, ContainerSummaryNetworkSettings, ContainerSummaryStateEnum, Port,
    PortTypeEnum,
};
use jiff::Timestamp;
use network::{Attachment, Protocol};

use super::container::Container;
use super::filter::Wanted;
use super::inspect::show_mounts;
use super::record::{Asked, State, Status};
use super::{Containers, status};
use crate::error::Result;
use crate::filters::Filters;
use crate::networks;

/// Which containers are listed, and how much of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Also those that do not run.
    pub all: bool,
    /// Only so many, the newest. Those that do not run count then as well.
    pub limit: Option<usize>,
    /// With the sizes of the writable layers.
    pub size: bool,
    /// `ancestor`, `before`, `exited`, `expose`, `health`, `id`, `is-task`, `label`, `name`, `network`, `publish`, `since`,
    /// `status`, `volume`.
    pub filters: Filters,
}

impl Containers {
    /// The containers that are wanted, the newest first.
    pub async fn list(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>> {
        let mut shown = Vec::new();
        let by_link = self.names_by_link();
        for container in self.chosen(options)? {
            let mut summary = self.summarise(&container);
            summary.names.get_or_insert_default().extend(by_link.get(&container.id).cloned().unwrap_or_default());
            if options.size {
                let (rw, root) = self.sizes(&container).await?;
                (summary.size_rw, summary.size_root_fs) = (Some(rw), Some(root));
            }
            shown.push(summary);
        }
        Ok(shown)
    }

    fn chosen(&self, options: &ListOptions) -> Result<Vec<Arc<Container>>> {
        let wanted = Wanted::new(self, &options.filters)?;
        let all = options.all || options.limit.is_some_and(|limit| limit > 0) || wanted.any_status();
        let mut containers = self.index().all();
        containers.sort_by_key(|container| std::cmp::Reverse(container.asked().created));
        containers.retain(|container| (all || container.status().is_going()) && wanted.passes(self, container));
        containers.truncate(options.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX));
        Ok(containers)
    }

    fn summarise(&self, container: &Container) -> ContainerSummary {
        // Looked at and not copied: this is done for a thousand containers at once.
        let (asked, life) = (container.asked(), container.look());
        let state = &life.state;
        let words = asked.config.entrypoint.iter().flatten().chain(asked.config.cmd.iter().flatten());
        let networks = networks::endpoints(&self.shared.networks, state.network.as_ref(), &asked.networks);
        ContainerSummary {
            id: Some(container.id.clone()),
            names: Some(vec![format!("/{}", asked.name)]),
            image: Some(self.image_name(&asked)),
            image_id: Some(asked.image.to_string()),
            command: Some(command_line(words)),
            created: Some(asked.created.as_second()),
            ports: Some(ports(&asked, state)),
            labels: Some(asked.config.labels.clone().unwrap_or_default()),
            state: Some(show_status(state.status)),
            status: Some(status::text(state, Timestamp::now())),
            host_config: Some(ContainerSummaryHostConfig {
                network_mode: asked.host.network_mode.clone(),
                annotations: asked.host.annotations.clone(),
            }),
            network_settings: Some(ContainerSummaryNetworkSettings { networks: Some(networks) }),
            mounts: Some(show_mounts(&asked)),
            ..ContainerSummary::default()
        }
    }

    /// The image's name as it was asked for, or its id when the name means another image by now.
    fn image_name(&self, asked: &Asked) -> String {
        match asked.config.image.as_deref() {
            Some(name) if self.shared.images.id_of(name) == Some(asked.image) => name.to_owned(),
            _ => asked.image.to_string(),
        }
    }
}

/// The command as one line. An argument with a blank in it is quoted, as docker does.
fn command_line<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let quoted = words
        .enumerate()
        .map(|(place, word)| if word.contains(' ') && place > 0 { format!("'{word}'") } else { word.clone() });
    quoted.collect::<Vec<_>>().join(" ")
}

fn show_status(status: Status) -> ContainerSummaryStateEnum {
    match status {
        Status::Created => ContainerSummaryStateEnum::CREATED,
        Status::Running => ContainerSummaryStateEnum::RUNNING,
        Status::Paused => ContainerSummaryStateEnum::PAUSED,
        Status::Restarting => ContainerSummaryStateEnum::RESTARTING,
        Status::Exited => ContainerSummaryStateEnum::EXITED,
        Status::Dead => ContainerSummaryStateEnum::DEAD,
    }
}

/// The ports that are published, and those that are only exposed.
fn ports(asked: &Asked, state: &State) -> Vec<Port> {
    if !state.status.has_process() {
        return Vec::new();
    }
    let endpoints = state.network.as_ref().map_or(&[][..], Attachment::endpoints);
    let mut ports: Vec<Port> = endpoints
        .iter()
        .flat_map(|endpoint| &endpoint.ports)
        .map(|published| Port {
            ip: Some(published.host_ip.to_string()),
            private_port: published.container_port,
            public_port: Some(published.host_port),
            typ: Some(protocol(published.protocol)),
        })
        .collect();
    for exposed in asked.config.exposed_ports.iter().flatten().map(|(port, _)| port) {
        let Some((port, typ)) = exposed_port(exposed) else { continue };
        if !ports.iter().any(|known| known.private_port == port && known.typ == Some(typ)) {
            ports.push(Port { ip: None, private_port: port, public_port: None, typ: Some(typ) });
        }
    }
    ports.sort_by_key(|port| (port.private_port, port.public_port));
    ports
}

fn protocol(protocol: Protocol) -> PortTypeEnum {
    match protocol {
        Protocol::Tcp => PortTypeEnum::TCP,
        Protocol::Udp => PortTypeEnum::UDP,
        Protocol::Sctp => PortTypeEnum::SCTP,
    }
}

/// `80/tcp`, `80`. A range cannot be shown in one row and is left out.
fn exposed_port(text: &str) -> Option<(u16, PortTypeEnum)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let typ = match protocol {
        "tcp" => PortTypeEnum::TCP,
        "udp" => PortTypeEnum::UDP,
        "sctp" => PortTypeEnum::SCTP,
        _ => return None,
    };
    Some((port.parse().ok()?, typ))
}
