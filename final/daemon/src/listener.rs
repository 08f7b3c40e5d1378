//! Sockets: where the daemon listens, and who may connect.
//!
//! Whoever can write to the socket is root on the machine, so its mode is decided before anybody can see it: it is bound
//! under another name, given its owner, group and mode, and only then renamed to the name that clients know.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use nix::unistd::Group;
use tokio::net::{UnixListener, UnixStream};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Absolute path of a unix socket.
    pub(crate) path: PathBuf,
}

/// A socket that clients find. Its name goes away with it.
#[derive(Debug)]
pub(crate) struct Socket {
    /// What is accepted from.
    pub(crate) listener: Arc<UnixListener>,
    path: PathBuf,
}

impl Socket {
    /// Listens at `address`, for root and the members of `group`. A name left over by a dead daemon is taken over; one
    /// that somebody answers on is refused.
    pub(crate) async fn bind(address: &Address, group: &str) -> Result<Self> {
        let path = &address.path;
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
        let socket = Self { listener: Arc::new(listener), path: path.clone() };
        admit(&hidden, group)
            .and_then(|()| Ok(std::fs::rename(&hidden, path)?))
            .with_context(|| format!("cannot give {} to the group {group}", path.display()))?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
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
        let address = Address { path: home.path().join("run/skiff.sock") };
        std::fs::create_dir(home.path().join("run")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&address.path).unwrap());
        let socket = Socket::bind(&address, "docker").await.unwrap();
        assert_eq!(std::fs::metadata(&address.path).unwrap().mode() & 0o777, 0o660);
        let refusal = Socket::bind(&address, "docker").await.unwrap_err().to_string();
        assert!(refusal.contains("another program already does"), "{refusal}");
        drop(socket);
        assert_eq!(std::fs::read_dir(home.path().join("run")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_group_that_was_asked_for_must_exist() {
        let home = tempfile::tempdir().unwrap();
        let address = Address { path: home.path().join("skiff.sock") };
        let error = format!("{:#}", Socket::bind(&address, "no-such-group-here").await.unwrap_err());
        assert!(error.contains("there is no such group"), "{error}");
    }
}
