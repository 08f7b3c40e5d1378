//! What a path of the archive API means, and what is there.
//!
//! | path | names | an archive of it begins with |
//! |---|---|---|
//! | `/etc`, `etc` | the thing itself, also when it is a link | `etc/` |
//! | `/etc/` | what a link leads to, which must be a directory | `etc/` |
//! | `/etc/.` | the same, but what is in it | `./` |
//! | `/` | the root | `/` |
//!
//! `..` is taken away by the letter before anything is looked at, as docker does; links are followed inside the container
//! only, by [`Root`].

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use namespaces::{Context, Failure, Root};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, readlinkat, statat};
use rustix::io::Errno;
use serde::Serialize;

use super::missing;
use crate::error::{Error, Result};

/// How many links a path may lead through.
const LINKS: usize = 40;

/// A path inside a container, as a client wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerPath {
    given: String,
    /// Absolute, without `.` and `..`.
    plain: PathBuf,
    /// Ends with a slash or with `/.`.
    directory: bool,
    /// Ends with `/.`, or is `.`.
    dot: bool,
}

/// What is at a path: the header `X-Docker-Container-Path-Stat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathStat {
    /// The last component.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Kind and permissions in Go's bits (`os.FileMode`), not in those of stat(2).
    pub mode: u32,
    /// Time of last modification, RFC 3339.
    pub mtime: String,
    /// Where a link leads in the end, as an absolute path of the container. Empty when it is none.
    pub link_target: String,
}

impl PathStat {
    /// As the header has it: JSON in base64.
    pub fn encoded(&self) -> String {
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl ContainerPath {
    /// Reads a path. An empty one is no path.
    pub(super) fn parse(given: &str) -> Result<Self> {
        if given.is_empty() {
            return Err(Error::invalid("bad parameter: 'path' cannot be empty"));
        }
        if given.contains('\0') {
            return Err(Error::invalid("bad parameter: 'path' has a zero byte"));
        }
        let mut plain = PathBuf::from("/");
        for component in Path::new(given).components() {
            match component {
                Component::Normal(name) => plain.push(name),
                Component::ParentDir => drop(plain.pop()),
                _ => {}
            }
        }
        let dot = given.trim_end_matches('/').rsplit('/').next() == Some(".");
        Ok(Self { given: given.to_owned(), plain, directory: dot || given.ends_with('/'), dot })
    }

    pub(super) fn given(&self) -> &str {
        &self.given
    }

    pub(super) fn plain(&self) -> &Path {
        &self.plain
    }

    pub(super) fn must_be_directory(&self) -> bool {
        self.directory
    }

    /// The directory that has it, and its name there; both are safe to use, whatever happens to the path from here on.
    pub(super) fn source(&self, root: &Root) -> Result<(OwnedFd, OsString)> {
        let found = if self.directory { self.inside(root) } else { self.beside(root) };
        found.map_err(|failure| missing(failure, self))
    }

    fn inside(&self, root: &Root) -> Result<(OwnedFd, OsString), Failure> {
        let fd = root.open_at(&self.plain, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok((fd, ".".into()))
    }

    /// A directory is opened itself: a packed one begins at `.`, so that a name that is a mount point is what is mounted.
    fn beside(&self, root: &Root) -> Result<(OwnedFd, OsString), Failure> {
        let (parent, name) = root.parent(&self.plain)?;
        let stat = statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW).during("look at", self.plain.display())?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            self.inside(root)
        } else {
            Ok((parent, name))
        }
    }

    /// What is there.
    pub(super) fn stat(&self, root: &Root) -> Result<PathStat> {
        let (parent, name) = self.source(root)?;
        let stat = if name == "." { fstat(&parent) } else { statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW) };
        let stat = stat.during("look at", self.plain.display()).map_err(|failure| missing(failure, self))?;
        let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let link_target = if is_link { follow(root, &self.plain)?.display().to_string() } else { String::new() };
        let seconds = jiff::Timestamp::new(stat.st_mtime, i32::try_from(stat.st_mtime_nsec).unwrap_or_default());
        Ok(PathStat {
            name: self.name(),
            size: stat.st_size,
            mode: go_mode(&stat),
            mtime: seconds.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string(),
            link_target,
        })
    }

    /// The last component as Go's `filepath.Base` has it.
    fn name(&self) -> String {
        match self.plain.file_name() {
            _ if self.dot => ".".to_owned(),
            Some(name) => name.to_string_lossy().into_owned(),
            None => "/".to_owned(),
        }
    }
}

/// Where a path leads in the end, as far as there is something. By the letter, for a person or a client to read; nothing is
/// opened by it.
fn follow(root: &Root, path: &Path) -> Result<PathBuf> {
    let mut left: Vec<OsString> = path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
    let mut walked = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = left.pop() {
        match Path::new(&name).components().next() {
            Some(Component::Normal(_)) => {}
            Some(Component::ParentDir) => drop(walked.pop()),
            Some(Component::RootDir) => walked = PathBuf::from("/"),
            _ => continue,
        }
        if name == ".." || name == "/" {
            continue;
        }
        let next = walked.join(&name);
        let target = root.parent(&next).ok().and_then(|(parent, name)| readlinkat(parent, name, Vec::new()).ok());
        let Some(target) = target else {
            walked = next;
            continue;
        };
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP).during("follow the link", path.display()).map_err(Error::from);
        }
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        left.extend(target.components().rev().map(|part| part.as_os_str().to_owned()));
    }
    Ok(walked)
}

/// Go has bits of its own for kinds (`io/fs`, `type FileMode`): a client in Go takes a directory for a file without them.
fn go_mode(stat: &Stat) -> u32 {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => 1 << 31,
        FileType::Symlink => 1 << 27,
        FileType::BlockDevice => 1 << 26,
        FileType::CharacterDevice => 1 << 26 | 1 << 21,
        FileType::Fifo => 1 << 25,
        FileType::Socket => 1 << 24,
        _ => 0,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = special.into_iter().filter(|(bit, _)| stat.st_mode & bit != 0).fold(0, |bits, (_, bit)| bits | bit);
    kind | special | stat.st_mode & 0o777
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_and_a_dot_make_a_difference() {
        let shown = ["/", ".", "/.", "./", "/etc", "etc", "/etc/", "/etc/.", "/etc/./", "/a/../etc", "/..", "/etc/.x"]
            .map(|given| {
                let path = ContainerPath::parse(given).unwrap();
                format!(
                    "{given}: {} as {:?}{}",
                    path.plain.display(),
                    path.name(),
                    if path.directory { ", directory" } else { "" }
                )
            });
        insta::assert_snapshot!(shown.join("\n"), @r#"
        /: / as "/", directory
        .: / as ".", directory
        /.: / as ".", directory
        ./: / as ".", directory
        /etc: /etc as "etc"
        etc: /etc as "etc"
        /etc/: /etc as "etc", directory
        /etc/.: /etc as ".", directory
        /etc/./: /etc as ".", directory
        /a/../etc: /etc as "etc"
        /..: / as "/"
        /etc/.x: /etc/.x as ".x"
        "#);
        assert!(ContainerPath::parse("").is_err() && ContainerPath::parse("a\0b").is_err());
    }

    #[test]
    fn links_are_followed_inside_the_root_only() {
        let place = tempfile::tempdir().unwrap();
        let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, place.path().join(name)).unwrap();
        std::fs::create_dir_all(place.path().join("real/deep")).unwrap();
        link("real", "relative");
        link("/real/deep", "absolute");
        link("../../../../etc", "climbing");
        link("relative/deep", "twice");
        link("missing/thing", "dangling");
        link("round", "round");
        let root = Root::open(place.path()).unwrap();
        let led = ["/relative", "/absolute", "/climbing", "/twice", "/dangling", "/relative/deep"]
            .map(|path| follow(&root, Path::new(path)).unwrap().display().to_string());
        assert_eq!(led, ["/real", "/real/deep", "/etc", "/real/deep", "/missing/thing", "/real/deep"]);
        assert!(follow(&root, Path::new("/round")).is_err());
        let stat = ContainerPath::parse("/climbing").unwrap().stat(&root).unwrap();
        assert_eq!((stat.mode, stat.link_target.as_str()), (1 << 27 | 0o777, "/etc"));
        let gone = ContainerPath::parse("/climbing/").unwrap().stat(&root).unwrap_err();
        assert_eq!(gone.kind, crate::error::Kind::NotFound);
        let file = ContainerPath::parse("/relative/").unwrap().stat(&root).unwrap();
        assert_eq!((file.name.as_str(), file.mode >> 31), ("relative", 1));
    }
}
