//! `docker ps --filter`: which containers pass.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use namespaces::Mount;
use namespaces::mount::Source;
use regex_lite::Regex;

use super::Containers;
use super::container::Container;
use super::health;
use super::record::{Asked, Mounted, State};
use crate::error::{Error, Result};
use crate::filters::Filters;
use crate::networks;

/// The filters that containers know.
const KNOWN: [&str; 16] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "label!",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];
const STATUSES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

/// Filters, with what had to be looked up for them.
pub(super) struct Wanted<'a> {
    filters: &'a Filters,
    before: Option<Timestamp>,
    since: Option<Timestamp>,
    /// Those that can be read: one that cannot fits nothing.
    names: Vec<Regex>,
    exited: Vec<i32>,
}

impl<'a> Wanted<'a> {
    /// # Errors
    /// A filter that nobody knows, or a value that cannot be (400); a container in `before` or `since` that is not there (404).
    pub(super) fn new(containers: &Containers, filters: &'a Filters) -> Result<Self> {
        filters.only(&KNOWN)?;
        if let Some(odd) = filters.get("status").iter().find(|status| !STATUSES.contains(&status.as_str())) {
            return Err(Error::invalid(format!("invalid filter 'status={odd}'"))
                .hint(format!("One of {}.", STATUSES.join(", "))));
        }
        let created = |name: &str| {
            filters.get(name).first().map(|other| containers.find(other).map(|other| other.asked().created)).transpose()
        };
        let code = |text: &String| {
            text.parse().map_err(|_| Error::invalid(format!("invalid filter 'exited={text}'")).hint("Give a number."))
        };
        Ok(Self {
            filters,
            before: created("before")?,
            since: created("since")?,
            names: filters.get("name").iter().filter_map(|pattern| Regex::new(pattern).ok()).collect(),
            exited: filters.get("exited").iter().map(code).collect::<Result<_>>()?,
        })
    }

    /// Whether a status is asked for: then containers that do not run are looked at too.
    pub(super) fn any_status(&self) -> bool {
        !self.filters.get("status").is_empty()
    }

    /// Whether a container passes.
    pub(super) fn passes(&self, containers: &Containers, container: &Container) -> bool {
        let (asked, life) = (container.asked(), container.look());
        let state = &life.state;
        let none = HashMap::new();
        let labels = asked.config.labels.as_ref().unwrap_or(&none);
        self.filters.any("id", |id| asked.id.starts_with(id))
            && (self.filters.get("name").is_empty() || self.names.iter().any(|name| name_fits(name, &asked.name)))
            && self.filters.any("status", |status| status == state.status.as_str())
            && self.filters.labels(labels)
            && self.filters.any("volume", |volume| has_mount(&asked, volume))
            && self
                .filters
                .any("health", |wanted| health::status(state).map_or("none".to_owned(), |is| is.to_string()) == wanted)
            && self.filters.any("is-task", |task| task == "false")
            && self.filters.any("expose", |port| exposes(&asked, port))
            && self.filters.any("publish", |port| publishes(state, port))
            && self.filters.any("network", |network| containers.is_on(network, &asked, state))
            && self.filters.any("ancestor", |image| containers.descends(image, &asked))
            && self.before.is_none_or(|moment| asked.created < moment)
            && self.since.is_none_or(|moment| asked.created > moment)
            && (self.exited.is_empty() || (state.finished_at.is_some() && self.exited.contains(&state.exit_code)))
    }
}

impl Containers {
    /// Whether the image or what it was built on is the one called `name`.
    fn descends(&self, name: &str, asked: &Asked) -> bool {
        let images = &self.shared.images;
        let Ok(ancestor) = images.find(name) else { return asked.config.image.as_deref() == Some(name) };
        let own = images.find(&asked.image.to_string());
        ancestor.id == asked.image
            || own.is_ok_and(|own| !ancestor.layers.is_empty() && own.layers.starts_with(&ancestor.layers))
    }

    fn is_on(&self, network: &str, asked: &Asked, state: &State) -> bool {
        let by_name = asked.networks.keys().any(|name| name == network);
        let endpoints = || networks::endpoints(&self.shared.networks, state.network.as_ref(), &asked.networks);
        by_name || endpoints().values().any(|on| on.network_id.as_deref().is_some_and(|id| id.starts_with(network)))
    }
}

/// Whether a regular expression is found in the name, with or without its slash.
fn name_fits(pattern: &Regex, name: &str) -> bool {
    pattern.is_match(name) || pattern.is_match(&format!("/{name}"))
}

/// By the volume's name, the place inside, or what of the host is mounted.
fn has_mount(asked: &Asked, wanted: &str) -> bool {
    let fits = |mounted: &Mounted| match &mounted.attachment.mount {
        Mount { target, .. } if target == Path::new(wanted) => true,
        Mount { source: Source::Bind { path, .. }, .. } if mounted.volume().is_none() => path == Path::new(wanted),
        _ => mounted.volume() == Some(wanted),
    };
    asked.mounts.iter().any(fits)
}

fn exposes(asked: &Asked, wanted: &str) -> bool {
    let exposed = asked.config.exposed_ports.iter().flatten().map(|(port, _)| port.as_str());
    let bound = asked.host.port_bindings.iter().flatten().map(|(port, _)| port.as_str());
    exposed.chain(bound).any(|port| port_fits(wanted, port))
}

fn publishes(state: &State, wanted: &str) -> bool {
    let endpoints = state.network.as_ref().map_or(&[][..], network::Attachment::endpoints);
    endpoints
        .iter()
        .flat_map(|endpoint| &endpoint.ports)
        .any(|port| port_fits(wanted, &format!("{}/{}", port.host_port, port.protocol)))
}

/// Whether `80/tcp` fits `80`, `80/tcp`, `75-90` or `75-90/tcp`.
fn port_fits(wanted: &str, port: &str) -> bool {
    fn parts(text: &str) -> (&str, &str) {
        text.split_once('/').unwrap_or((text, "tcp"))
    }
    let ((range, wanted_protocol), (port, protocol)) = (parts(wanted), parts(port));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let numbers = (first.parse::<u16>(), last.parse::<u16>(), port.parse::<u16>());
    matches!(numbers, (Ok(first), Ok(last), Ok(port)) if (first..=last).contains(&port)) && wanted_protocol == protocol
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_in_parts() {
        for (pattern, name) in
            [("eb", "web"), ("^we", "web"), ("b$", "web"), ("^/web$", "web"), ("/w", "web"), ("^(x|web)$", "web")]
        {
            assert!(name_fits(&Regex::new(pattern).unwrap(), name), "{pattern}");
        }
        for (pattern, name) in [("^eb", "web"), ("we$", "web"), ("/eb", "web")] {
            assert!(!name_fits(&Regex::new(pattern).unwrap(), name), "{pattern}");
        }
    }

    #[test]
    fn ports_fit_by_number_range_and_protocol() {
        assert!(port_fits("80", "80/tcp") && port_fits("75-90/udp", "80/udp"));
        assert!(!port_fits("80", "80/udp") && !port_fits("81-90", "80/tcp") && !port_fits("x", "80/tcp"));
    }
}
