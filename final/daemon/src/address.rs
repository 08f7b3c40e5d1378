//! `--host`: where to listen.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `unix://PATH`: absolute path of a unix socket.
    Unix(PathBuf),
    /// `tcp://ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `fd://`, `fd://NAME`: the sockets that systemd has opened for us, all or those of this name.
    Passed(Option<String>),
}

impl FromStr for Address {
    type Err = String;

    /// `unix://PATH` or a plain absolute path, `tcp://ADDRESS[:PORT]`, `fd://[NAME]`. Docker's port is 2376.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = match text.split_once("://") {
            Some(("unix", path)) => path,
            None if text.starts_with('/') => text,
            Some(("tcp", address)) => return tcp(address).map(Self::Tcp),
            Some(("fd", name)) => {
                let name = Some(name).filter(|name| !matches!(*name, "" | "*"));
                return Ok(Self::Passed(name.map(str::to_owned)));
            }
            _ => return Err("expected unix://PATH, tcp://ADDRESS:PORT or fd://".into()),
        };
        if !path.starts_with('/') {
            return Err(format!("the path of a socket must be absolute, so {path:?} is not one"));
        }
        Ok(Self::Unix(path.into()))
    }
}

fn tcp(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim_end_matches('/');
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, "2376"),
    };
    let host = match host {
        "" | "localhost" => "127.0.0.1",
        host => host,
    };
    format!("{host}:{port}")
        .parse()
        .map_err(|_| format!("{text:?} is no address to listen on: give an IP address and a port, 127.0.0.1:2376"))
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Passed(name) => write!(f, "fd://{}", name.as_deref().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_docker_reads_them() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(read("unix:///run/a.sock").unwrap(), "/run/a.sock");
        assert_eq!(read("/run/a.sock").unwrap(), "/run/a.sock");
        assert_eq!(read("tcp://0.0.0.0:1234").unwrap(), "tcp://0.0.0.0:1234");
        assert_eq!(read("tcp://:1234").unwrap(), "tcp://127.0.0.1:1234");
        assert_eq!(read("tcp://[::1]").unwrap(), "tcp://[::1]:2376");
        assert_eq!(
            (read("fd://").unwrap(), read("fd://docker.socket").unwrap()),
            ("fd://".into(), "fd://docker.socket".into())
        );
        for (odd, words) in [("unix://a", "absolute"), ("tcp://example.org:1", "no address"), ("npipe://x", "expected")]
        {
            let error = read(odd).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
