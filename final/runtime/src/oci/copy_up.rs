//! The mount option `tmpcopyup`: a tmpfs that begins with what the image has at its place.
//!
//! A read-only container often gets a tmpfs on `/run` or `/tmp`, and the image may have prepared something there. runc had
//! the option first, Podman asks for it.
//!
//! ```text
//!  before the mounts: open the image's directory ─┐
//!  the mounts: a tmpfs covers it                  ├─▶ after them: copy from the one into the other
//!  after the mounts: open what is there now ──────┘
//! ```

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use namespaces::{Phase, Result, Root, Stage, Step};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::config::Mount;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// The copying, as a stage of the launch.
pub(super) struct CopyUpStage {
    rootfs: PathBuf,
    targets: Vec<PathBuf>,
    /// What is covered, with its place; an image that has nothing there is not among them.
    covered: RefCell<Vec<(PathBuf, OwnedFd)>>,
}

impl CopyUpStage {
    /// The stage, where a mount asks.
    pub(super) fn of(mounts: &[Mount], rootfs: &Path) -> Option<Self> {
        let asks = |mount: &&Mount| mount.kind == "tmpfs" && mount.options.iter().any(|option| option == "tmpcopyup");
        let targets: Vec<_> = mounts.iter().filter(asks).map(|mount| mount.destination.clone()).collect();
        let covered = RefCell::default();
        (!targets.is_empty()).then(|| Self { rootfs: rootfs.to_path_buf(), targets, covered })
    }

    fn open(&self) -> Result<()> {
        let root = Root::open(&self.rootfs)?;
        for target in &self.targets {
            match root.open_at(target, DIRECTORY, Mode::empty()) {
                Err(failure) if failure.is(Errno::NOENT) || failure.is(Errno::NOTDIR) => {}
                directory => self.covered.borrow_mut().push((target.clone(), directory?)),
            }
        }
        Ok(())
    }

    fn copy(&self, root: &Root) -> Result<()> {
        for (target, source) in self.covered.borrow_mut().drain(..) {
            let tmpfs = root.open_at(&target, DIRECTORY, Mode::empty())?;
            volumes::copy_directory(source.as_fd(), &tmpfs, &target)?;
        }
        Ok(())
    }
}

impl Stage for CopyUpStage {
    fn name(&self) -> &'static str {
        "copy-up"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let open = "Open the directories of the image that a tmpfs will cover.";
        let copy = "Copy what is in them into the tmpfs.";
        vec![
            Step::new("open-covered", Phase::Isolate, open, |_| self.open()),
            Step::new("copy-up", Phase::Mounts, copy, |child| self.copy(child.root()?)),
        ]
    }
}
