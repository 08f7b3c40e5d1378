//! `Root`: how a path inside a container is resolved without ever leaving it.
//!
//! A path that a container may have a say in is never handed to the kernel by name from outside, because a symbolic link
//! in it would be followed on the host. One resolver serves mounts, copy, unpack, export and volumes: openat2(2) with
//! `RESOLVE_IN_ROOT` and `RESOLVE_NO_MAGICLINKS`, then descriptors only. What CVE-2018-15664, CVE-2021-30465 and
//! CVE-2024-45310 have in common is a path that was checked and then used; here the check is the use.
//!
//! ```text
//!  image:   /etc/motd -> /proc/1/root/etc/shadow      /data -> ../../../var/lib
//!
//!  open("ROOTFS/etc/motd")                            the host's shadow file
//!  openat2(root, "etc/motd", RESOLVE_IN_ROOT)         ROOTFS/proc/1/root/etc/shadow, which is not there
//! ```
//!
//! A descriptor with `O_PATH` is a place: nothing can be read by it, but a mount can be put on it, a directory made in it, its
//! type looked at. It stays the same place whatever becomes of the names that led there.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::failure::{Context, Failure, Result};

/// How many symbolic links one path may lead through (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// A directory that paths cannot leave: `..` at the top stays at the top, absolute links start from it.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// The directory at `path` on the host.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).during("open the directory", path.display())?;
        Ok(Self { fd })
    }

    /// A directory that is already open, `O_PATH` or not.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Opens `path` (absolute or relative, both mean: from this root) with `flags`, following links inside the root.
    /// Add `OFlags::NOFOLLOW` to get the link itself (with `O_PATH`). `mode` counts only with `O_CREAT` or `O_TMPFILE`.
    ///
    /// The descriptor is closed on exec. Magic links (`/proc/self/fd/3`) are refused with `ELOOP`.
    pub fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        self.try_open(path, flags, mode, ResolveFlags::empty()).during("open", path.display())
    }

    /// `O_PATH` descriptor of what `path` leads to.
    pub fn resolve(&self, path: &Path) -> Result<OwnedFd> {
        self.open_at(path, OFlags::PATH, Mode::empty())
    }

    /// `O_PATH` descriptor of `path` where no component may be a symbolic link (`ELOOP`).
    ///
    /// For places whose meaning depends on the name: a `/proc` that leads elsewhere would take the masks of
    /// [`crate::Container::masked_paths`] elsewhere too (CVE-2023-28642).
    pub fn resolve_exactly(&self, path: &Path) -> Result<OwnedFd> {
        self.try_open(path, OFlags::PATH, Mode::empty(), ResolveFlags::NO_SYMLINKS)
            .during("open", path.display())
            .map_err(|failure| {
                failure.hint_on(Errno::LOOP, "The image has a symbolic link here; this path must be a real one.")
            })
    }

    /// The directory that holds the last component of `path`, and that component unresolved: what to create, remove or
    /// stat without following it. The root itself gives `(root, ".")`, and so does a path that ends in `..` for the
    /// directory that it leads to.
    pub fn parent(&self, path: &Path) -> Result<(OwnedFd, OsString)> {
        let (directory, name) = match path.file_name() {
            Some(name) => (path.parent().unwrap_or(Path::new("/")), name),
            None => (path, OsStr::new(".")),
        };
        let fd = self.open_at(directory, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok((fd, name.to_owned()))
    }

    /// Makes the directory `path` and what is missing above it, one component at a time, links followed inside the root
    /// (the target of a dangling link is made). `mode` is subject to the umask. Returns an `O_PATH` descriptor of it.
    pub fn create_dir_all(&self, path: &Path, mode: Mode) -> Result<OwnedFd> {
        match self.try_directory(path) {
            Err(Errno::NOENT) => self.create_missing(path, mode),
            found => found.during("open the directory", path.display()),
        }
    }

    /// The slow half of [`Root::create_dir_all`]: walks down by name, looked up from the root each time, and makes each
    /// missing directory in the descriptor of the one above.
    fn create_missing(&self, path: &Path, mode: Mode) -> Result<OwnedFd> {
        let step = "make the directory";
        let mut walked = PathBuf::from("/");
        let mut above = self.try_directory(&walked).during(step, path.display())?;
        let mut left = components(path);
        let mut links = 0;
        while let Some(name) = left.pop() {
            let next = walked.join(&name);
            match self.try_directory(&next) {
                Ok(fd) => {
                    (above, walked) = (fd, next);
                    continue;
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno).during(step, next.display()),
            }
            match rustix::fs::mkdirat(&above, &name, mode) {
                Ok(()) => left.push(name),
                // Something is there and yet leads nowhere: a dangling link, or someone else was quicker than we.
                Err(Errno::EXIST) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP).during(step, next.display());
                    }
                    match rustix::fs::readlinkat(&above, &name, Vec::new()) {
                        Ok(target) => {
                            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                            if target.is_absolute() {
                                walked = PathBuf::from("/");
                                above = self.try_directory(&walked).during(step, next.display())?;
                            }
                            left.extend(components(&target));
                        }
                        Err(_) => left.push(name),
                    }
                }
                Err(errno) => return Err(errno).during(step, next.display()),
            }
        }
        Ok(above)
    }

    /// Makes the empty regular file `path` if nothing is there, and what is missing above it: a place to mount a file on.
    /// `mode` is subject to the umask. Returns an `O_PATH` descriptor of what is there now.
    pub fn create_file(&self, path: &Path, mode: Mode) -> Result<OwnedFd> {
        match self.try_open(path, OFlags::PATH, Mode::empty(), ResolveFlags::empty()) {
            Err(Errno::NOENT) => {}
            found => return found.during("open", path.display()),
        }
        if let Some(directory) = path.parent() {
            self.create_dir_all(directory, Mode::from_raw_mode(0o755))?;
        }
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
        self.try_open(path, flags, mode, ResolveFlags::empty()).during("make the file", path.display())?;
        self.resolve(path)
    }

    /// Reads the regular file `path`, at most `limit` bytes; a FIFO, a device or a larger file is refused
    /// (CVE-2024-9676, CVE-2026-47262). `Ok(None)` when it does not exist.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        let content = self.head(path, limit + 1)?;
        match content {
            Some(content) if content.len() as u64 > limit => {
                Err(Failure::new("read", format!("it has more than {limit} bytes")).on(path.display()))
            }
            content => Ok(content),
        }
    }

    /// The first `length` bytes of the regular file `path`, or all when it is shorter. `Ok(None)` when it does not exist.
    pub fn head(&self, path: &Path, length: u64) -> Result<Option<Vec<u8>>> {
        let step = "read";
        let place = match self.try_open(path, OFlags::PATH, Mode::empty(), ResolveFlags::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            found => found.during(step, path.display())?,
        };
        // Looked at before it is opened for reading, because to open a device can already do something.
        refuse_unless_regular(&rustix::fs::fstat(&place).during(step, path.display())?, path)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.open_at(path, flags, Mode::empty())?;
        refuse_unless_regular(&rustix::fs::fstat(&file).during(step, path.display())?, path)?;
        let mut content = Vec::new();
        std::fs::File::from(file).take(length).read_to_end(&mut content).during(step, path.display())?;
        Ok(Some(content))
    }

    /// The place, if it is a directory.
    fn try_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.try_open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty(), ResolveFlags::empty())
    }

    /// openat2(2). It answers `EAGAIN` when something was renamed while it followed a `..`: then it could not be sure
    /// that it had stayed inside, and the caller is to ask again.
    fn try_open(&self, path: &Path, flags: OFlags, mode: Mode, extra: ResolveFlags) -> Result<OwnedFd, Errno> {
        // SOLUTION root-open
        const ATTEMPTS: u32 = 128;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let mode = if flags.intersects(OFlags::CREATE | OFlags::TMPFILE) { mode } else { Mode::empty() };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | extra;
        let mut answer = Err(Errno::AGAIN);
        for _ in 0..ATTEMPTS {
            answer = rustix::fs::openat2(&self.fd, path, flags | OFlags::CLOEXEC, mode, resolve);
            if !matches!(answer, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        answer
        // END SOLUTION
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The components of `path` that mean something, last one first, so that the next to walk is popped from the end.
fn components(path: &Path) -> Vec<OsString> {
    let meaningful = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    let mut names: Vec<_> = meaningful.map(|part| part.as_os_str().to_owned()).collect();
    names.reverse();
    names
}

/// A FIFO would make us wait for a writer, a device might do anything; neither is a file of an image.
fn refuse_unless_regular(stat: &Stat, path: &Path) -> Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Failure::new("read", "it is not a regular file").on(path.display())),
    }
}
