//! Where the daemon is: `-H`, then `SKIFF_HOST`, then `DOCKER_HOST`, then the default socket.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The socket of the daemon that nobody named.
pub(crate) const DEFAULT: &str = "/run/skiff/skiff.sock";

/// An address that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket in the file system.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Whether nobody named it. Only then may a daemon be started.
        default: bool,
    },
    /// Another machine: there, `system dial-stdio` is run by ssh(1), which knows keys, hosts and users.
    Ssh {
        /// `[USER@]HOST[:PORT]`, as it was written.
        host: String,
    },
    /// A TCP port: encrypted when there are settings for TLS (`tls.rs`), open to everybody on the way when not.
    Tcp {
        /// `HOST:PORT`.
        address: String,
    },
}

impl Endpoint {
    /// The daemon that was asked for, or the default one. With TLS that is docker's port, because a socket has no use for it.
    pub(crate) fn choose(flag: Option<&str>, tls: bool, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let named =
            || ["SKIFF_HOST", "DOCKER_HOST"].into_iter().find_map(|name| environment(name).filter(|v| !v.is_empty()));
        match flag.map(str::to_owned).or_else(named) {
            Some(host) => Self::parse(&host),
            None if tls => Ok(Self::Tcp { address: "localhost:2376".to_owned() }),
            None => Ok(Self::Unix { path: DEFAULT.into(), default: true }),
        }
    }

    /// An address as it stands after `-H`.
    ///
    /// # Errors
    /// In docker's words, which name the address.
    pub(crate) fn parse(host: &str) -> Result<Self> {
        let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
        let refuse = |why: &str| Error::new(format!("cannot use the host {host}: {why}"));
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix { path: rest.into(), default: false }),
            "unix" => Err(refuse("the path of a socket must be absolute").hint("Write it as unix:///path/to/socket.")),
            "tcp" | "http" if rest.is_empty() => Err(refuse("there is no address in it")),
            "tcp" | "http" => {
                let address = rest.trim_end_matches('/');
                let port = if address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
                    ""
                } else {
                    ":2375"
                };
                Ok(Self::Tcp { address: format!("{address}{port}") })
            }
            // A host that begins with a dash would be an option to ssh.
            "ssh" if rest.is_empty() || rest.starts_with('-') => Err(refuse("there is no host in it")),
            "ssh" if rest.trim_end_matches('/').contains('/') => Err(refuse("a path after the host is not supported")
                .hint("The daemon on the other machine is found by its own settings.")),
            "ssh" => Ok(Self::Ssh { host: rest.trim_end_matches('/').to_owned() }),
            _ => Err(Error::new(format!(
                "Failed to initialize: unable to resolve docker endpoint: invalid bind address format: {host}"
            ))
            .hint("An address begins with unix://, ssh:// or tcp://.")),
        }
    }

    /// Whether it is the socket that is used when nobody names one.
    pub(crate) fn is_default(&self) -> bool {
        matches!(self, Self::Unix { default: true, .. })
    }

    /// The path of the socket; empty for other machines.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Unix { path, .. } => path,
            Self::Ssh { .. } | Self::Tcp { .. } => Path::new(""),
        }
    }
}

impl Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path, .. } => write!(f, "unix://{}", path.display()),
            Self::Ssh { host } => write!(f, "ssh://{host}"),
            Self::Tcp { address } => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<String> {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Endpoint::choose(flag, false, get).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn the_flag_wins_over_the_environment_and_ours_over_dockers() {
        let both = [("DOCKER_HOST", "unix:///d"), ("SKIFF_HOST", "unix:///s")];
        assert_eq!(choose(Some("unix:///f"), &both).unwrap(), "unix:///f");
        assert_eq!(choose(None, &both).unwrap(), "unix:///s");
        assert_eq!(choose(None, &both[..1]).unwrap(), "unix:///d");
        assert_eq!(choose(None, &[("DOCKER_HOST", "")]).unwrap(), "unix:///run/skiff/skiff.sock");
    }

    #[test]
    fn only_the_unnamed_socket_is_the_default() {
        assert!(Endpoint::choose(None, false, |_| None).unwrap().is_default());
        assert!(!Endpoint::choose(Some("unix:///run/skiff/skiff.sock"), false, |_| None).unwrap().is_default());
    }

    #[test]
    fn tcp_gets_dockers_port() {
        assert_eq!(choose(Some("tcp://localhost"), &[]).unwrap(), "tcp://localhost:2375");
        assert_eq!(Endpoint::choose(None, true, |_| None).unwrap().to_string(), "tcp://localhost:2376");
        assert_eq!(choose(Some("10.0.0.1:99"), &[]).unwrap(), "tcp://10.0.0.1:99");
        assert_eq!(choose(Some("tcp://[::1]:99/"), &[]).unwrap(), "tcp://[::1]:99");
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        assert!(choose(Some("ssh://-oProxyCommand=x"), &[]).is_err());
        assert!(choose(Some("npipe:////./pipe/x"), &[]).is_err());
        assert!(choose(Some("unix://relative"), &[]).is_err());
        assert_eq!(choose(Some("ssh://me@host:22/"), &[]).unwrap(), "ssh://me@host:22");
    }
}
