//! Links (`--link db:database`): other containers under a name of one's own. Docker's old way to find each other, from before
//! networks had names in them; compose files of that time still ask for it.
//!
//! A link becomes a line in `/etc/hosts` when the container starts. The environment variables that docker makes of the other
//! container's are not made: they give its secrets to whoever links to it.

use std::net::IpAddr;

use super::names::short;
use super::record::Asked;
use super::{Containers, whole};
use crate::error::{Error, Kind, Result};

/// `NAME`, `NAME:ALIAS`: both, the second the same as the first unless it is given.
pub(super) fn parse(link: &str) -> Result<(&str, &str)> {
    let (name, alias) = link.split_once(':').unwrap_or((link, link));
    let (name, alias) = (name.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or_default());
    if name.is_empty() || alias.is_empty() || alias.contains(':') {
        return Err(Error::invalid(format!("bad format for links: {link}")));
    }
    Ok((name, alias))
}

/// All links of a container: those of the request, and those of its networks.
pub(super) fn all(asked: &Asked) -> impl Iterator<Item = &str> {
    let of_networks = asked.networks.values().flat_map(|wish| wish.links.iter().flatten());
    asked.host.links.iter().flatten().chain(of_networks).map(String::as_str)
}

impl Containers {
    /// Refuses links to nobody, when a container is created.
    pub(super) fn check_links(&self, asked: &Asked) -> Result<()> {
        for link in asked.host.links.iter().flatten() {
            // Not 404: clients take that for a missing image.
            self.find(parse(link)?.0).map_err(|error| Error { kind: Kind::Invalid, ..error })?;
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
            container.ask(|asked| asked.host.links.iter_mut().for_each(|links| links.retain(|link| !is_it(link))))
        })
        .await
    }

    /// Addresses and names of the containers that `asked` links to.
    ///
    /// # Errors
    /// One that does not run has no address.
    pub(super) fn links(&self, asked: &Asked) -> Result<Vec<(IpAddr, String)>> {
        let mut lines = Vec::new();
        for link in all(asked) {
            let (name, alias) = parse(link)?;
            let other = self.find(name)?;
            let attachment = other.state().network;
            let endpoint = attachment.as_ref().and_then(|attachment| attachment.endpoints().first());
            let Some(endpoint) = endpoint.filter(|_| other.status().has_process()) else {
                let (other, own) = (other.name(), &asked.name);
                return Err(Error::invalid(format!(
                    "Cannot link to a non running container: /{other} AS /{own}/{alias}"
                ))
                .hint(format!("Start it first: skiff start {other}")));
            };
            let mut names = vec![alias.to_owned(), short(&other.id).to_owned(), other.name()];
            names.dedup();
            lines.push((endpoint.address.addr(), names.join(" ")));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
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
}
