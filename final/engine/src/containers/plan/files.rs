//! The three files by which programs find each other, written beside the container's record before each start: the address
//! is in one of them.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use bollard_stubs::models::HostConfig;
use namespaces::{Context, Failure};
use network::files::{Dns, Hosts, extra_host, host_resolv_conf, hostname, resolv_conf, resolver_conf};
use network::{Attachment, Endpoint};

use crate::containers::container::Places;
use crate::containers::record::Asked;
use crate::error::{Error, Result};

/// Their names, in `/etc` and beside the record.
pub(crate) const NAMES: [&str; 3] = ["hostname", "hosts", "resolv.conf"];

/// Their texts, in the order of [`NAMES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files(pub(super) [String; 3]);

impl Files {
    /// What they say. `links` are addresses and names of other containers, `host_hosts` and `host_resolv` the host's own.
    pub(crate) fn of(
        asked: &Asked,
        network: &Attachment,
        links: Vec<(IpAddr, String)>,
        host_hosts: &str,
        host_resolv: &str,
    ) -> Result<Self> {
        let with_host = *network == Attachment::Host;
        let name = asked.config.hostname.clone().unwrap_or_default();
        let gateway = network.endpoints().iter().find_map(|endpoint| endpoint.gateway);
        let gateway = if with_host { Some(IpAddr::from([127, 0, 0, 1])) } else { gateway };
        let extra = asked.host.extra_hosts.iter().flatten().map(|text| extra_host(text, gateway));
        let hosts = Hosts {
            base: with_host.then(|| host_hosts.to_owned()),
            extra: extra.chain(links.into_iter().map(Ok)).collect::<Result<_, Failure>>().map_err(Error::refusal)?,
            own: network.endpoints().iter().flat_map(Endpoint::addresses).map(|net| net.addr()).collect(),
            hostname: name.clone(),
            domainname: asked.config.domainname.clone().unwrap_or_default(),
        };
        let wish = dns(&asked.host)?;
        let asks = wish != Dns::default();
        let resolv = match network {
            Attachment::Host if !asks => host_resolv.to_owned(),
            _ if network.has_names() => resolver_conf(host_resolv, &wish),
            _ => resolv_conf(host_resolv, &wish),
        };
        Ok(Self([hostname(&name), hosts.text(), resolv]))
    }

    /// Writes them.
    pub(crate) fn write(&self, places: &Places) -> Result<()> {
        for (name, text) in NAMES.iter().zip(&self.0) {
            let path = places.etc(name);
            fs::write(&path, text).during("write", path.display())?;
            // Every user of the container reads them, whatever the engine's umask.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).during("set the mode of", path.display())?;
        }
        Ok(())
    }
}

/// Makes the files of one container those of another as well, by hard links: each is written in place.
pub(crate) fn share(from: &Places, to: &Places) -> Result<()> {
    for name in NAMES {
        let (from, to) = (from.etc(name), to.etc(name));
        match fs::remove_file(&to) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).during("remove", to.display())?,
            _ => fs::hard_link(&from, &to).during("make the link", to.display())?,
        }
    }
    Ok(())
}

/// The host's `/etc/hosts` and resolv.conf, as far as they are needed.
pub(crate) fn of_host(network: &Attachment) -> Result<(String, String)> {
    let hosts = match network {
        Attachment::Host => fs::read_to_string("/etc/hosts").unwrap_or_default(),
        _ => String::new(),
    };
    Ok((hosts, host_resolv_conf()?))
}

fn dns(host: &HostConfig) -> Result<Dns> {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let address = |text: String| {
        text.parse().map_err(|_| Error::invalid(format!("invalid DNS server: {text}")).hint("Give an IP address."))
    };
    Ok(Dns {
        servers: list(&host.dns).into_iter().map(address).collect::<Result<_>>()?,
        search: list(&host.dns_search),
        options: list(&host.dns_options),
    })
}
