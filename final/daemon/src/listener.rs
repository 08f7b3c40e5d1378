//! Sockets: where the daemon listens, and who may connect.
//!
//! Whoever can use the API is root on the machine. A unix socket's mode is decided before anybody can see it: it is bound
//! under another name, given its owner, group and mode, and only then renamed to the name that clients know. From the
//! network only those are let in who show a certificate (`tls.rs`), unless the flags insist.

use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::unistd::Group;
use rustix::net::AddressFamily;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::stream::Stream;

/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A socket that clients find. A name in the file system goes away with it.
pub(crate) struct Socket {
    accepts: Accepts,
    /// The name that we gave it.
    path: Option<PathBuf>,
}

enum Accepts {
    Unix(UnixListener),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

/// A connection that has been accepted, and has not agreed on keys yet.
pub(crate) struct Accepted {
    stream: Stream,
    tls: Option<TlsAcceptor>,
}

impl Accepted {
    /// The connection as it can be used. Apart from accepting, because a slow client must not keep others waiting.
    pub(crate) async fn ready(self) -> io::Result<Stream> {
        match (self.stream, self.tls) {
            (Stream::Tcp(stream), Some(tls)) => {
                let agreed = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await??;
                Ok(Stream::Tls(Box::new(agreed)))
            }
            (stream, _) => Ok(stream),
        }
    }
}

impl Socket {
    /// Listens at a path, for root and the members of `group`. A name left over by a dead daemon is taken over; one that
    /// somebody answers on is refused.
    pub(crate) async fn bind(path: &Path, group: &str) -> Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        if UnixStream::connect(path).await.is_ok() {
            bail!(
                "cannot listen on {}: another program already does\nStop it, or choose another --host.",
                path.display()
            );
        }
        let hidden = hidden(path);
        let _ = std::fs::remove_file(&hidden);
        let listener = UnixListener::bind(&hidden).with_context(|| format!("cannot listen on {}", path.display()))?;
        let socket = Self { accepts: Accepts::Unix(listener), path: Some(path.to_owned()) };
        admit(&hidden, group)
            .and_then(|()| Ok(std::fs::rename(&hidden, path)?))
            .with_context(|| format!("cannot give {} to the group {group}", path.display()))?;
        Ok(socket)
    }

    /// Listens on the network.
    pub(crate) async fn bind_tcp(address: std::net::SocketAddr, tls: Option<TlsAcceptor>) -> Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { accepts: Accepts::Tcp(listener, tls), path: None })
    }

    /// Takes a socket that listens already.
    pub(crate) fn passed(fd: OwnedFd, tls: Option<TlsAcceptor>) -> Result<Self> {
        let step = "cannot use a socket that was passed";
        let family = rustix::net::getsockname(&fd).context(step)?.address_family();
        let accepts = if family == AddressFamily::UNIX {
            let listener = std::os::unix::net::UnixListener::from(fd);
            listener.set_nonblocking(true).context(step)?;
            Accepts::Unix(UnixListener::from_std(listener).context(step)?)
        } else {
            let listener = std::net::TcpListener::from(fd);
            listener.set_nonblocking(true).context(step)?;
            Accepts::Tcp(TcpListener::from_std(listener).context(step)?, tls)
        };
        Ok(Self { accepts, path: None })
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        Ok(match &self.accepts {
            Accepts::Unix(listener) => Accepted { stream: Stream::Unix(listener.accept().await?.0), tls: None },
            Accepts::Tcp(listener, tls) => {
                Accepted { stream: Stream::Tcp(listener.accept().await?.0), tls: tls.clone() }
            }
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// `skiff.sock` as `.skiff.sock.PID`: in the same directory, so that a rename suffices.
fn hidden(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// Owner root, mode 0660, and the group where it exists. The default group may be missing; then only root is let in.
fn admit(path: &Path, group: &str) -> Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o660))?;
    match Group::from_name(group).map_err(io::Error::from)? {
        Some(group) => Ok(chown(path, Some(0), Some(group.gid.as_raw()))?),
        None if group == "docker" => Ok(()),
        None => bail!("there is no such group"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn a_dead_name_is_taken_over_and_a_living_one_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/skiff.sock");
        std::fs::create_dir(home.path().join("run")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(&path, "docker").await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        let refusal = Socket::bind(&path, "docker").await.err().unwrap().to_string();
        assert!(refusal.contains("another program already does"), "{refusal}");
        drop(socket);
        assert_eq!(std::fs::read_dir(home.path().join("run")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_group_that_was_asked_for_must_exist() {
        let home = tempfile::tempdir().unwrap();
        let error = Socket::bind(&home.path().join("skiff.sock"), "no-such-group-here").await.err().unwrap();
        assert!(format!("{error:#}").contains("there is no such group"), "{error:#}");
    }
}
