//! `/etc/resolv.conf` (resolv.conf(5)): whom to ask for the address of a name.
//!
//! In the default network the container asks whom the host asks, and not the host: nothing of ours stands between a program
//! and its name server. In a network with names it asks our resolver (`dns/`).

use std::fs;
use std::net::IpAddr;

use namespaces::{Context as _, Result};

use crate::dns::RESOLVER;

/// Who is asked when the host itself has nobody to ask but itself.
const FALLBACK: [&str; 2] = ["8.8.8.8", "8.8.4.4"];
/// Where systemd-resolved notes the servers behind its own at 127.0.0.53.
const BEHIND_SYSTEMD: &str = "/run/systemd/resolve/resolv.conf";

/// What the user asked for; an empty list leaves what the host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// `--dns`: servers.
    pub servers: Vec<IpAddr>,
    /// `--dns-search`: domains to try a short name in. A single `.` means none.
    pub search: Vec<String>,
    /// `--dns-option`: `ndots:2`.
    pub options: Vec<String>,
}

/// The text for a container with a network namespace of its own, from the host's text and what the user asked for.
///
/// A server on the host's loopback is left out: in the container that address is the container. When none is left, or the
/// host has none, two public ones are used, as docker does.
pub fn resolv_conf(host: &str, wish: &Dns) -> String {
    // SOLUTION resolv-conf
    let of_host = |keyword: &str| values(host, keyword);
    let mut servers: Vec<String> = wish.servers.iter().map(IpAddr::to_string).collect();
    if servers.is_empty() {
        servers = of_host("nameserver").into_iter().filter(|server| !is_loopback(server)).collect();
    }
    if servers.is_empty() {
        servers = FALLBACK.map(str::to_owned).to_vec();
    }
    text(&servers, host, wish, &[])
    // END SOLUTION
}

/// The text for a container in a network with names: it asks our resolver, which asks the others where it must.
///
/// A server on the container's own loopback, which the user asked for, comes after it: nobody but the container reaches that
/// one. `ndots:0` lets a short name be asked for as it is, and first (docker's choice as well).
pub fn resolver_conf(host: &str, wish: &Dns) -> String {
    let own = wish.servers.iter().filter(|server| server.is_loopback()).map(IpAddr::to_string);
    let servers: Vec<String> = [RESOLVER.to_string()].into_iter().chain(own).collect();
    text(&servers, host, wish, &["ndots:0".to_owned()])
}

/// Whom the resolver asks for names that are not its own: those whom the user asked for, or whom the host asks, its loopback
/// included, since the resolver is a program of the host.
pub fn upstreams(host: &str, wish: &[IpAddr]) -> Vec<IpAddr> {
    if !wish.is_empty() {
        return wish.iter().filter(|server| !server.is_loopback()).copied().collect();
    }
    // (`fe80::1%eth0` needs its interface, which this does not keep.)
    values(host, "nameserver").iter().filter_map(|server| server.parse().ok()).collect()
}

/// The lines.
fn text(servers: &[String], host: &str, wish: &Dns, more: &[String]) -> String {
    let search = if wish.search.is_empty() { values(host, "search") } else { wish.search.clone() };
    let mut options = if wish.options.is_empty() { values(host, "options") } else { wish.options.clone() };
    let said = |option: &String| options.iter().any(|known| known.split(':').next() == option.split(':').next());
    let more: Vec<String> = more.iter().filter(|option| !said(option)).cloned().collect();
    options.extend(more);
    let mut lines: Vec<String> = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if !search.is_empty() && search != ["."] {
        lines.push(format!("search {}\n", search.join(" ")));
    }
    if !options.is_empty() {
        lines.push(format!("options {}\n", options.join(" ")));
    }
    lines.concat()
}

/// The host's own file; behind systemd-resolved, the one with the servers that it asks. Empty when there is none.
pub fn host_resolv_conf() -> Result<String> {
    let read = |path: &str| match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.during("read", path),
    };
    let text = read("/etc/resolv.conf")?;
    let behind_systemd = values(&text, "nameserver") == ["127.0.0.53"];
    if behind_systemd { read(BEHIND_SYSTEMD) } else { Ok(text) }
}

/// All values of a keyword. Of `search` and `options` the last line counts, of `nameserver` every line.
fn values(text: &str, keyword: &str) -> Vec<String> {
    let lines = text.lines().map(str::split_whitespace);
    let mut found = lines.filter_map(|mut words| (words.next() == Some(keyword)).then_some(words));
    let words = |words: std::str::SplitWhitespace<'_>| words.map(str::to_owned).collect::<Vec<_>>();
    match keyword {
        "nameserver" => found.filter_map(|mut words| words.next().map(str::to_owned)).collect(),
        _ => found.next_back().map(words).unwrap_or_default(),
    }
}

/// Whether nobody but the host itself can ask this server. An IPv6 address may name its interface: `fe80::1%eth0`.
fn is_loopback(server: &str) -> bool {
    let address = server.split('%').next().unwrap_or(server);
    address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "# made by hand\ndomain old\nsearch lan example.org\nnameserver 127.0.0.1\nnameserver 10.0.0.1\n\
                        nameserver fe80::1%eth0\noptions ndots:2 rotate\n";

    #[test]
    fn the_hosts_servers_but_not_its_loopback() {
        insta::assert_snapshot!(resolv_conf(HOST, &Dns::default()), @r"
        nameserver 10.0.0.1
        nameserver fe80::1%eth0
        search lan example.org
        options ndots:2 rotate
        ");
    }

    #[test]
    fn a_host_that_asks_itself_leads_to_public_servers() {
        assert_eq!(resolv_conf("nameserver ::1\n", &Dns::default()), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
        assert_eq!(resolv_conf("", &Dns::default()), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    }

    #[test]
    fn in_a_network_with_names_the_resolver_is_asked() {
        let wish = Dns { servers: vec!["9.9.9.9".parse().unwrap(), "127.0.0.1".parse().unwrap()], ..Dns::default() };
        let both = [resolver_conf(HOST, &Dns::default()), resolver_conf("", &wish)];
        insta::assert_snapshot!(both.join("---\n"), @r#"
        nameserver 127.0.0.11
        search lan example.org
        options ndots:2 rotate
        ---
        nameserver 127.0.0.11
        nameserver 127.0.0.1
        options ndots:0
        "#);
        let asked = |wish: &[IpAddr]| upstreams(HOST, wish).iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!(asked(&[]), ["127.0.0.1", "10.0.0.1"]);
        assert_eq!(asked(&wish.servers), ["9.9.9.9"]);
    }

    #[test]
    fn what_the_user_asked_for_replaces_what_the_host_has() {
        let wish = Dns {
            servers: vec!["127.0.0.1".parse().unwrap()],
            search: vec![".".to_owned()],
            options: vec!["timeout:1".to_owned()],
        };
        assert_eq!(resolv_conf(HOST, &wish), "nameserver 127.0.0.1\noptions timeout:1\n");
    }
}
