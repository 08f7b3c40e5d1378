//! The options of the log driver `syslog`.

use std::collections::HashMap;
use std::path::Path;

use skiff_runtime::plan::{Place, Syslog, SyslogFormat};

use crate::error::{Error, Result};

/// Their names.
pub(super) const OPTIONS: [&str; 7] = [
    "syslog-address",
    "syslog-facility",
    "syslog-format",
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
];

/// The facilities that have a name, by their number (RFC 5424, table 1). Those between are for nobody.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// What the options say.
pub(super) fn of(options: &HashMap<String, String>, tag: String) -> Result<Syslog> {
    let get = |name: &str| options.get(name).map_or("", String::as_str);
    Ok(Syslog {
        place: place(get("syslog-address"))?,
        facility: facility(get("syslog-facility"))?,
        format: format(get("syslog-format"))?,
        tag,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    })
}

/// Whether [`of`] will find nothing wrong.
pub(super) fn check(options: &HashMap<String, String>) -> Result<()> {
    of(options, String::new()).map(drop)
}

/// `tcp://HOST[:PORT]`, `udp://HOST[:PORT]`, `unix://PATH`, `unixgram://PATH`.
fn place(address: &str) -> Result<Place> {
    if address.is_empty() {
        return Ok(Place::Here);
    }
    let Some((scheme, rest)) = address.split_once("://") else {
        return Err(Error::invalid(format!("syslog-address should be in form proto://address, got {address}")));
    };
    let nobody = || Error::invalid(format!("stat {rest}: no such file or directory")).hint("No syslog listens there.");
    let socket = || Some(rest.into()).filter(|_| Path::new(rest).exists()).ok_or_else(nobody);
    match scheme {
        "unix" => Ok(Place::Unix(socket()?)),
        "unixgram" => Ok(Place::Unixgram(socket()?)),
        "udp" => Ok(Place::Udp(with_port(rest))),
        "tcp" => Ok(Place::Tcp(with_port(rest))),
        "tcp+tls" => Err(Error::unsupported("Skiff does not send logs over TLS")
            .hint("Send them to a syslog server of this machine, which can.")),
        _ => Err(Error::invalid(format!("syslog-address: the protocol {scheme} is unknown, got {address}"))
            .hint("It is one of udp, tcp, unix and unixgram.")),
    }
}

/// Without a port it is syslog's own.
fn with_port(host: &str) -> String {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    if after.contains(':') { host.to_owned() } else { format!("{host}:514") }
}

fn facility(text: &str) -> Result<u8> {
    let named = || FACILITIES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    let numbered = || text.parse().ok().filter(|number| *number <= 23);
    let refuse =
        || Error::invalid("invalid syslog facility").hint("Such as daemon, user, local0; or a number up to 23.");
    // Without one it is the daemons' own.
    if text.is_empty() { Ok(3) } else { named().or_else(numbered).ok_or_else(refuse) }
}

fn format(text: &str) -> Result<SyslogFormat> {
    match text {
        "" => Ok(SyslogFormat::Local),
        "rfc3164" => Ok(SyslogFormat::Rfc3164),
        "rfc5424" => Ok(SyslogFormat::Rfc5424),
        "rfc5424micro" => Ok(SyslogFormat::Rfc5424Micro),
        _ => Err(Error::invalid("Invalid syslog format").hint("One of rfc3164, rfc5424, rfc5424micro.")),
    }
}
