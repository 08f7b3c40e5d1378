//! `docker cp`: files into a container and out of it, as tar archives, whether it runs or not.
//!
//! 1. `view.rs`: how a container's files are seen from outside, with its volumes, and nothing of the host's.
//! 2. `path.rs`: what a path of the API means: `/etc` is not `/etc/`, and neither is `/etc/.`.
//!
//! What the client sends or reads may come slowly or never. A container that runs goes on meanwhile in every respect; one
//! that does not run cannot be started until the copy is over, because two file systems must not write to one layer.

mod path;
mod view;

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use namespaces::{Context, Failure, Root, User, UserSpec};
use rustix::fs::{Mode, OFlags, StatVfsMountFlags, fstat, fstatvfs};
use rustix::io::Errno;
use unionfs::{Extract, Form, Owner, Packer, extract};

use self::path::ContainerPath;
pub use self::path::PathStat;
pub(super) use self::view::Volumes;
use super::container::Container;
use super::{Containers, blocking};
use crate::error::{Error, Kind, Result};

/// What `PUT /containers/ID/archive` asks for besides the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// A directory of the container.
    pub path: String,
    /// Refuse to put a directory in the place of something else, and the reverse (`noOverwriteDirNonDir`).
    pub keep_kinds: bool,
    /// Give everything to the user that the container's program runs as (`copyUIDGID`).
    pub to_user: bool,
}

/// A file or directory of a container, on its way out.
#[derive(Debug)]
pub struct Outgoing {
    containers: Containers,
    container: Arc<Container>,
    path: ContainerPath,
    /// What is at the path.
    pub stat: PathStat,
}

impl Containers {
    /// What is at a path of a container.
    ///
    /// # Errors
    /// 404 in docker's words when nothing is there.
    pub async fn stat_path(&self, name: &str, path: &str) -> Result<PathStat> {
        Ok(self.get_archive(name, path).await?.stat)
    }

    /// What is at a path of a container, ready to be written as an archive: a link itself, not what it leads to, unless the
    /// path ends with a slash.
    ///
    /// # Errors
    /// 404 in docker's words when nothing is there.
    pub async fn get_archive(&self, name: &str, path: &str) -> Result<Outgoing> {
        let (this, container) = (self.clone(), self.find(name)?);
        let (path, name) = (ContainerPath::parse(path)?, name.to_owned());
        blocking(move || {
            let found = this.in_root(&container, Volumes::With, |root| path.stat(root));
            let stat = found.map_err(|error| blame(error, &path, &name))?;
            Ok(Outgoing { containers: this, container, path, stat })
        })
        .await
    }

    /// Unpacks an archive (plain, gzip or zstd) into a directory of a container.
    ///
    /// # Errors
    /// 404 when there is no such directory; 400 when it is none, cannot be written to, or the archive is malformed.
    pub async fn put_archive(
        &self,
        name: &str,
        options: PutOptions,
        archive: impl Read + Send + 'static,
    ) -> Result<()> {
        let (this, container) = (self.clone(), self.find(name)?);
        let (path, name) = (ContainerPath::parse(&options.path)?, name.to_owned());
        blocking(move || {
            let user = container.asked().config.user.clone().filter(|user| options.to_user && !user.is_empty());
            let unpacked = this.in_root(&container, Volumes::With, |root| {
                writable(root, &path)?;
                let owner = user.as_deref().map_or(Ok(Owner::Archive), |user| owner(user, root))?;
                let wanted =
                    Extract { directory: path.plain().to_owned(), owner, keep_kinds: options.keep_kinds, rename: None };
                // Decompressed here, by us, and never by a program that the container could have put somewhere
                // (CVE-2014-9357).
                let (_, archive) = images::decompress(archive).step("read the archive")?;
                extract(archive, root, &wanted)
                    .map_err(|failure| Error { kind: kind_of(&failure), ..failure.into() })
                    .map(drop)
            });
            unpacked.map_err(|error| blame(error, &path, &name))?;
            this.tell(&container, "extract-to-dir", &[]);
            Ok(())
        })
        .await
    }
}

impl Outgoing {
    /// Writes the archive. Blocks.
    pub fn write(self, to: &mut (dyn Write + Send)) -> Result<()> {
        let Self { containers, container, path, stat } = self;
        containers.in_root(&container, Volumes::With, |root| {
            let mut packer = Packer::new(to, Form::Whole);
            let (parent, name) = path.source(root)?;
            packer.add(parent.as_fd(), &name, stat.name.as_bytes())?;
            packer.finish()?;
            Ok(())
        })?;
        containers.tell(&container, "archive-path", &[]);
        Ok(())
    }
}

/// The container's user by name or number, as its own files say it.
fn owner(user: &str, root: &Root) -> Result<Owner> {
    let spec = UserSpec { user: user.to_owned(), ..UserSpec::default() };
    let user = User::find(&spec, root).map_err(Error::refusal)?;
    Ok(Owner::Fixed(user.uid, user.gid))
}

/// Refuses what is no directory or cannot be written to, before the first byte of the archive is read.
fn writable(root: &Root, path: &ContainerPath) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let directory = root.open_at(path.plain(), flags, Mode::empty()).map_err(|failure| {
        let error = missing(failure, path);
        let plain = error.kind == Kind::Invalid && !path.must_be_directory();
        if plain { Error::invalid("extraction point is not a directory") } else { error }
    })?;
    let look = |fd| fstat(fd).step("look at the file system");
    if !fstatvfs(&directory).step("look at the file system")?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    let in_volume = look(directory.as_fd())?.st_dev != look(root.as_fd())?.st_dev;
    let what = if in_volume { "mounted volume" } else { "container rootfs" };
    Err(Error::invalid(format!("{what} is marked read-only")))
}

/// An archive that is at fault, or asks for what cannot be, is the client's.
fn kind_of(failure: &Failure) -> Kind {
    match failure.errno {
        None => Kind::Invalid,
        Some(_) => Kind::Internal,
    }
}

/// A path that leads nowhere, or through a file, has a status of its own.
fn missing(failure: Failure, path: &ContainerPath) -> Error {
    if failure.is(Errno::NOTDIR) {
        return Error::invalid(format!("{}: not a directory", path.given()));
    }
    let kind = if failure.is(Errno::NOENT) { Kind::NotFound } else { Kind::Internal };
    Error { kind, ..failure.into() }
}

/// Docker's words for a path that leads nowhere, which clients look for.
fn blame(error: Error, path: &ContainerPath, name: &str) -> Error {
    match error.kind {
        Kind::NotFound => Error::not_found(format!("Could not find the file {} in container {name}", path.given())),
        _ => error,
    }
}
