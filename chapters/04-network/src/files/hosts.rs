//! `/etc/hosts` (hosts(5)).
//!
//! Programs look here before they ask any server. A container needs it for one line above all: its own name with its own
//! address, which `hostname -i` and many a server's start ask for.

use std::net::IpAddr;

use namespaces::{Failure, Result};

/// What every container knows; docker's lines.
const FIXED: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// What goes into a container's `/etc/hosts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    /// The host's own file, which a container with the host's network starts from instead of the fixed lines.
    pub base: Option<String>,
    /// Lines for other machines: address and name, from [`extra_host`].
    pub extra: Vec<(IpAddr, String)>,
    /// Addresses of the container itself.
    pub own: Vec<IpAddr>,
    /// Its host name.
    pub hostname: String,
    /// Its domain name; may be empty.
    pub domainname: String,
}

impl Hosts {
    /// The file's text: the fixed lines, the extra ones, then the container itself.
    pub fn text(&self) -> String {
        let mut text = self.base.clone().unwrap_or_else(|| FIXED.to_owned());
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let full = match self.domainname.as_str() {
            "" => self.hostname.clone(),
            domain => format!("{}.{domain}", self.hostname),
        };
        // A domain may come with the host name as well: what is before the first dot is a name of its own.
        let names = full.split_once('.').map_or_else(|| full.clone(), |(short, _)| format!("{full} {short}"));
        let extra = self.extra.iter().map(|(address, name)| (address, name.as_str()));
        let own = self.own.iter().map(|address| (address, names.as_str()));
        let lines = extra.chain(own).map(|(address, name)| format!("{address}\t{name}\n"));
        text.extend(lines);
        text
    }
}

/// Reads `--add-host`: `NAME:ADDRESS` or `NAME=ADDRESS`, where `host-gateway` is the host as the container sees it.
///
/// # Errors
/// When it has no name, or the address is none; when `host-gateway` is asked for and there is no gateway.
pub fn extra_host(text: &str, gateway: Option<IpAddr>) -> Result<(IpAddr, String)> {
    let refuse = |cause: &str| Failure::new("read the extra host", cause).on(text);
    let parts = text.split_once('=').or_else(|| text.split_once(':'));
    let (name, address) = parts.ok_or_else(|| refuse("it is NAME:ADDRESS"))?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '#';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(refuse("the name is empty or has blanks in it"));
    }
    if address == "host-gateway" {
        let gateway = gateway.ok_or_else(|| refuse("a container without a network has no gateway"))?;
        return Ok((gateway, name.to_owned()));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let address = bare.parse().map_err(|_| refuse("the address is neither an IP address nor host-gateway"))?;
    Ok((address, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_knows_itself_and_its_extra_hosts() {
        let gateway = "172.17.0.1".parse().ok();
        let hosts = Hosts {
            extra: vec![
                extra_host("db:10.0.0.5", gateway).unwrap(),
                extra_host("v6=[2001:db8::1]", gateway).unwrap(),
                extra_host("host.docker.internal:host-gateway", gateway).unwrap(),
            ],
            own: vec!["172.17.0.2".parse().unwrap()],
            hostname: "web".to_owned(),
            domainname: "example.org".to_owned(),
            base: None,
        };
        insta::assert_snapshot!(hosts.text(), @r"
        127.0.0.1	localhost
        ::1	localhost ip6-localhost ip6-loopback
        fe00::	ip6-localnet
        ff00::	ip6-mcastprefix
        ff02::1	ip6-allnodes
        ff02::2	ip6-allrouters
        10.0.0.5	db
        2001:db8::1	v6
        172.17.0.1	host.docker.internal
        172.17.0.2	web.example.org web
        ");
    }

    #[test]
    fn with_the_hosts_network_it_knows_what_the_host_knows() {
        let hosts = Hosts { base: Some("127.0.1.1 machine".to_owned()), ..Hosts::default() };
        assert_eq!(hosts.text(), "127.0.1.1 machine\n");
    }

    #[test]
    fn what_is_no_extra_host_is_refused_with_its_reason() {
        let say = |text| extra_host(text, None).unwrap_err().to_string();
        let said =
            ["db", ":1.2.3.4", "a b:1.2.3.4", "db:nowhere", "db:host-gateway", "x\n1.2.3.4 evil:1.2.3.4"].map(say);
        insta::assert_debug_snapshot!(said, @r#"
        [
            "cannot read the extra host db: it is NAME:ADDRESS",
            "cannot read the extra host :1.2.3.4: the name is empty or has blanks in it",
            "cannot read the extra host a b:1.2.3.4: the name is empty or has blanks in it",
            "cannot read the extra host db:nowhere: the address is neither an IP address nor host-gateway",
            "cannot read the extra host db:host-gateway: a container without a network has no gateway",
            "cannot read the extra host x\n1.2.3.4 evil:1.2.3.4: the name is empty or has blanks in it",
        ]
        "#);
    }
}
