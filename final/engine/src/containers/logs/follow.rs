//! Sending a log: what is there, then what comes, until the container ends.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use namespaces::{Context, Failure};
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::Sender;

use super::LogsOptions;
use super::entry::{Goes, Rendering};
use super::files::{LogFile, open_all, skip_to_tail};
use crate::containers::container::Container;
use crate::sys;

/// How many bytes go to the client at once.
const PIECE: usize = 32 * 1024;

/// A log, opened.
#[derive(Debug)]
pub(super) struct Opened {
    files: Vec<LogFile>,
    changes: Option<Changes>,
}

impl Opened {
    /// Opens the files that there are, and watches for more when they will be followed.
    pub(super) fn of(container: &Container, options: LogsOptions) -> Result<Self, Failure> {
        let path = container.places.log(&container.id);
        // Watched before it is read: what is written in between wakes us.
        let changes = if options.follow { Some(Changes::of(&container.places.record)?) } else { None };
        let files = open_all(&path).during("read", path.display())?;
        Ok(Self { files, changes })
    }
}

/// Sends what is wanted of `container`'s log to `pieces`. Returns when all is sent, or nobody listens any more.
pub(super) async fn send(
    container: &Container,
    options: LogsOptions,
    mut rendering: Rendering,
    opened: Opened,
    pieces: Sender<Bytes>,
) -> Result<(), Failure> {
    let path = container.places.log(&container.id);
    let Opened { mut files, changes } = opened;
    let sender = pieces.clone();
    let past = tokio::task::spawn_blocking(move || {
        if let Some(tail) = options.tail {
            skip_to_tail(&mut files, tail)?;
        }
        let mut goes = Goes::On;
        for file in &mut files {
            if goes == Goes::On {
                goes = read(file, &mut rendering, &mut |piece| sender.blocking_send(piece).is_ok())?;
            }
        }
        std::io::Result::Ok((files.pop(), rendering, goes))
    });
    let (last, rendering, goes) =
        past.await.map_err(|error| Failure::new("read the log", error))?.during("read", path.display())?;
    match changes {
        Some(changes) if goes == Goes::On => follow(container, options, rendering, pieces, changes, last).await,
        _ => Ok(()),
    }
}

/// Reads a file to its end. `send` says whether anybody still listens.
fn read(file: &mut LogFile, rendering: &mut Rendering, send: &mut dyn FnMut(Bytes) -> bool) -> std::io::Result<Goes> {
    let mut heard = true;
    let goes = file.lines(|line| {
        let goes = rendering.add(line);
        if rendering.len() >= PIECE {
            heard = rendering.take().is_none_or(&mut *send);
        }
        if heard { goes } else { Goes::Enough }
    })?;
    heard = rendering.take().is_none_or(send) && heard;
    Ok(if heard { goes } else { Goes::Enough })
}

/// Waits for more until the container's program has ended and all it wrote is sent.
async fn follow(
    container: &Container,
    options: LogsOptions,
    mut rendering: Rendering,
    pieces: Sender<Bytes>,
    mut changes: Changes,
    mut current: Option<LogFile>,
) -> Result<(), Failure> {
    let path = container.places.log(&container.id);
    let mut life = container.watch();
    let end = options.until.map(|until| Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default());
    let end = async move {
        match end {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        // Asked before reading: what was written before the end is read after it.
        let ended = !life.borrow_and_update().state.status.is_going();
        let mut ready = Vec::new();
        let goes = catch_up(&path, &mut current, &mut rendering, &mut ready).during("read", path.display())?;
        for piece in ready {
            if pieces.send(piece).await.is_err() {
                return Ok(());
            }
        }
        if ended || goes == Goes::Enough {
            return Ok(());
        }
        tokio::select! {
            () = changes.wait() => {}
            news = life.changed() => if news.is_err() { return Ok(()) },
            () = pieces.closed() => return Ok(()),
            () = &mut end => return Ok(()),
        }
    }
}

/// Reads on from where `current` is. When it is no longer the current file, also those that came after it.
fn catch_up(
    path: &Path,
    current: &mut Option<LogFile>,
    rendering: &mut Rendering,
    ready: &mut Vec<Bytes>,
) -> std::io::Result<Goes> {
    let mut keep = |piece| {
        ready.push(piece);
        true
    };
    if let Some(file) = current
        && read(file, rendering, &mut keep)? == Goes::Enough
    {
        return Ok(Goes::Enough);
    }
    let newest = rustix::fs::stat(path).map(|stat| stat.st_ino).ok();
    if newest == current.as_ref().map(|file| file.inode) || newest.is_none() {
        return Ok(Goes::On);
    }
    let mut files = open_all(path)?;
    if let Some(position) =
        files.iter().position(|file| current.as_ref().is_some_and(|known| known.inode == file.inode))
    {
        files.drain(..=position);
    }
    for mut file in files {
        if read(&mut file, rendering, &mut keep)? == Goes::Enough {
            return Ok(Goes::Enough);
        }
        *current = Some(file);
    }
    Ok(Goes::On)
}

/// Changes in a directory, by inotify(7).
#[derive(Debug)]
struct Changes {
    fd: AsyncFd<std::os::fd::OwnedFd>,
}

impl Changes {
    fn of(directory: &Path) -> Result<Self, Failure> {
        let step = "watch the directory";
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
            .during(step, directory.display())
            .map_err(|failure| failure.hint("Raise fs.inotify.max_user_instances with sysctl(8)."))?;
        let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&fd, directory, events).during(step, directory.display())?;
        Ok(Self { fd: sys::watch_fd(fd).during(step, directory.display())? })
    }

    /// Returns when something has changed since the last time. Which thing does not matter: the files say it.
    async fn wait(&mut self) {
        let Ok(mut ready) = self.fd.readable().await else { return std::future::pending().await };
        let mut events = [0_u8; 4096];
        while rustix::io::read(self.fd.get_ref(), &mut events).is_ok_and(|read| read > 0) {}
        ready.clear_ready();
    }
}
