//! This machine's side of `cp`: packing what goes, unpacking what comes.
//!
//! What comes is an archive that a container had a say in. It is unpacked by the code that unpacks images: inside the target
//! directory, whatever names and links are in it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::BufWriter;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use namespaces::{Failure, Root};
use rustix::pipe::{PipeFlags, pipe_with};
use unionfs::{Extract, Form, Owner, Packer, extract};

use super::rules::{Place, asks_for_directory, base};
use crate::error::{During as _, Error, Result};

/// How many links the end of a target may lead through.
const LINKS: usize = 10;

/// A thread at one end of a pipe, which returns the number of bytes of files.
pub(super) type Worker = JoinHandle<std::result::Result<usize, Failure>>;

/// A file or directory of this machine that is to be copied.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    /// What its archive begins with.
    name: OsString,
    pub(super) is_directory: bool,
}

/// Looks at a source. A link is copied as a link, unless it is to be followed or the path ends with a slash.
pub(super) fn source(path: &str, follow: bool) -> Result<Source> {
    let missing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(format!("lstat {path}: no such file or directory")),
        _ => Error::new(format!("lstat {path}: {error}")),
    };
    let directory = asks_for_directory(path) || path == "..";
    let real = if follow || directory { fs::canonicalize(path).map_err(missing)? } else { PathBuf::from(path) };
    let metadata = fs::symlink_metadata(&real).map_err(missing)?;
    if directory && !metadata.is_dir() {
        return Err(Error::new(format!("lstat {path}: not a directory")));
    }
    let name = base(path).unwrap_or_else(|| ".".into());
    Ok(Source { path: real, name, is_directory: metadata.is_dir() })
}

/// Looks at a target. The end of the path may be a link, also to what does not exist yet; its directory must exist.
pub(super) fn place(path: &str) -> Result<Place> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                let target = fs::read_link(&path).during("read the link", &path)?;
                path = Path::new(&path).parent().unwrap_or(Path::new("/")).join(target).display().to_string();
            }
            Ok(metadata) => return Ok(Place { path, is_directory: Some(metadata.is_dir()) }),
            Err(_) => break,
        }
    }
    let trimmed = path.trim_end_matches('/');
    let parent = Path::new(trimmed).parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        let words = format!("invalid output path: directory \"{}\" does not exist", parent.display());
        return Err(Error::new(words).hint("Make it first."));
    }
    Ok(Place { path, is_directory: None })
}

/// An archive that somebody else has made.
pub(super) fn standard_input() -> Result<File> {
    Ok(std::io::stdin().as_fd().try_clone_to_owned().during("read", "standard input")?.into())
}

/// Begins to pack; the archive is read from the returned file. `name` is what it begins with, else the source's own name.
pub(super) fn pack(source: Source, name: Option<OsString>) -> Result<(File, Worker)> {
    let (reader, writer) = pipe()?;
    let name = name.unwrap_or(source.name);
    let work = move || {
        let mut packer = Packer::new(BufWriter::with_capacity(1 << 16, writer), Form::Whole);
        let (parent, within) = if source.is_directory {
            (Root::open(&source.path)?, ".".into())
        } else {
            let parent = source.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            (Root::open(parent.unwrap_or(Path::new(".")))?, source.path.file_name().unwrap_or_default().to_owned())
        };
        packer.add(parent.as_fd(), &within, name.as_bytes())?;
        packer.finish()?;
        Ok(0)
    };
    Ok((reader, start(work)?))
}

/// Begins to unpack what is written to the returned file into `directory`.
pub(super) fn unpack(directory: String, rename: Option<OsString>, keep_owners: bool) -> Result<(File, Worker)> {
    let (reader, writer) = pipe()?;
    let owner = if keep_owners { Owner::Archive } else { Owner::Ours };
    let work = move || {
        let root = Root::open(Path::new(&directory))?;
        let wanted = Extract { directory: "/".into(), owner, keep_kinds: true, rename };
        extract(reader, &root, &wanted).map(|stats| usize::try_from(stats.size).unwrap_or(usize::MAX))
    };
    Ok((writer, start(work)?))
}

/// Waits for a worker.
pub(super) fn finished(worker: Worker) -> Result<usize> {
    let done = worker.join().map_err(|_| Error::new("the copy gave up in the middle"))?;
    done.map_err(|failure| Error::new(failure.to_string()))
}

fn pipe() -> Result<(File, File)> {
    let (reader, writer) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Error::new(format!("cannot make a pipe: {errno}")))?;
    Ok((reader.into(), writer.into()))
}

fn start(work: impl FnOnce() -> std::result::Result<usize, Failure> + Send + 'static) -> Result<Worker> {
    std::thread::Builder::new().spawn(work).during("start a thread for", "the archive")
}
