//! How a container's files are seen from outside.
//!
//! ```text
//! it runs:          /proc/PID/root        what its first process sees, with everything that is mounted in it
//! it does not run:  the layers and the writable one mounted once more, with its volumes, in a mount namespace that
//!                   only this look has, and that ends with it
//! ```
//!
//! Either way the result is a [`Root`], and from there on names are looked up by `openat2` inside it. No program is started,
//! no library of the container loaded, no directory of it entered (CVE-2018-15664, CVE-2019-14271).

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use namespaces::{Context, Failure, Root};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode as Umask, umask};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount};
use unionfs::{Overlay, attach};
use volumes::{Attachment, Origin};

use crate::containers::Containers;
use crate::containers::container::{Container, Life};
use crate::containers::plan;
use crate::error::{Error, Result};

/// How long a program that is ending may take to be gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that is read of a process's list of cgroups.
const CGROUPS: u64 = 64 << 10;

/// Whether volumes and binds belong to the picture of a container that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::containers) enum Volumes {
    With,
    Without,
}

impl Containers {
    /// Runs `work` with the container's root. Blocks, and must be called from a thread that may.
    pub(in crate::containers) fn in_root<T: Send>(
        &self,
        container: &Arc<Container>,
        volumes: Volumes,
        work: impl FnOnce(&Root) -> Result<T> + Send,
    ) -> Result<T> {
        loop {
            let turn = container.turn.blocking_lock();
            if container.status().has_process() {
                let root = container.state().pid.map_or(Ok(None), |pid| root_of(pid, &container.id))?;
                // Whatever happens to the container now, this root stays its own.
                drop(turn);
                if let Some(root) = root {
                    return apart(CloneFlags::CLONE_FS, || work(&root));
                }
                wait(container, |life| !life.state.status.has_process())?;
                continue;
            }
            // Its monitor may still be giving back what the program held.
            wait(container, |life| !life.monitored)?;
            let stopped = self.stopped(container, volumes);
            return apart(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS, || stopped.look(work));
        }
    }

    fn stopped(&self, container: &Container, volumes: Volumes) -> Stopped {
        let (asked, places) = (container.asked(), &container.places);
        let image = self.shared.images.find(&asked.image.to_string());
        let overlay = Overlay {
            lowers: image.map(|image| self.shared.images.lowers(&image)).unwrap_or_default(),
            upper: places.upper(),
            work: places.work(),
            target: places.root(),
            ..Overlay::default()
        };
        let volumes = match volumes {
            // The files of /etc are written at the first start.
            Volumes::With if places.etc("hosts").exists() => plan::volumes(&asked, &[], places).unwrap_or_default(),
            Volumes::With => asked.mounts.iter().map(|mounted| mounted.attachment.clone()).collect(),
            Volumes::Without => Vec::new(),
        };
        let directory = asked.config.working_dir.clone().filter(|directory| directory.starts_with('/'));
        let readonly = asked.host.readonly_rootfs == Some(true);
        Stopped { overlay, volumes, directory: directory.map(PathBuf::from), readonly }
    }
}

/// The picture of a container that does not run.
struct Stopped {
    overlay: Overlay,
    volumes: Vec<Attachment>,
    /// The working directory, which is there from the beginning although nothing has been started yet.
    directory: Option<PathBuf>,
    readonly: bool,
}

impl Stopped {
    /// Mounts everything, works, and takes it down. In a mount namespace of its own.
    fn look<T>(&self, work: impl FnOnce(&Root) -> Result<T>) -> Result<T> {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .step("leave the host's mounts")?;
        self.overlay.make_directories()?;
        let target = &self.overlay.target;
        attach(&self.overlay.mount()?, target)?;
        let done = self.mount_volumes().and_then(|root| work(&root));
        // The namespace ends with this thread, but a little later than the thread; the next start must not meet this mount.
        let unmounted = unmount(target, UnmountFlags::DETACH).during("unmount", target.display());
        let done = done?;
        unmounted?;
        Ok(done)
    }

    /// Memory is left out: what was in it has gone, and a new one would only hide what the image has there.
    fn mount_volumes(&self) -> Result<Root> {
        let root = Root::open(&self.overlay.target)?;
        if let Some(directory) = &self.directory {
            // Something else that is in its place is the start's to complain about.
            let _ = root.create_dir_all(directory, Mode::from_raw_mode(0o755));
        }
        for attachment in self.volumes.iter().filter(|each| !matches!(each.origin, Origin::Memory { .. })) {
            attachment.apply(&root)?;
        }
        if self.readonly {
            let attributes = namespaces::sys::MountAttr {
                set: MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into(),
                ..Default::default()
            };
            namespaces::sys::mount_setattr(&root, false, attributes).step("make the root read-only")?;
        }
        Ok(root)
    }
}

/// The root of the process `pid`, if it is the container's and lives. The number could be somebody else's by now, so the
/// process is held by its directory in /proc, which is of this process or of none, and asked for its cgroup, which has the
/// container's id.
fn root_of(pid: i32, id: &str) -> Result<Option<Root>> {
    let step = "look into the container's root";
    let process = match openat(CWD, format!("/proc/{pid}"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        process => process.step(step)?,
    };
    let open = |name: &str, flags| match openat(&process, Path::new(name), flags | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT | Errno::SRCH) => Ok(None),
        opened => opened.map(Some).step(step),
    };
    let Some(cgroups) = open("cgroup", OFlags::RDONLY)? else { return Ok(None) };
    if !text(cgroups)?.contains(id) {
        return Ok(None);
    }
    Ok(open("root", OFlags::PATH | OFlags::DIRECTORY)?.map(Root::from_fd))
}

fn text(file: OwnedFd) -> Result<String, Failure> {
    let mut text = String::new();
    match File::from(file).take(CGROUPS).read_to_string(&mut text) {
        // It has ended between the two calls.
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(text),
        read => read.step("read the cgroups of the container").map(|_| text),
    }
}

/// Waits until the container is as it has to be.
fn wait(container: &Container, until: impl FnMut(&Life) -> bool) -> Result<()> {
    let mut watch = container.watch();
    let waiting = async { tokio::time::timeout(PATIENCE, watch.wait_for(until)).await.is_ok() };
    if tokio::runtime::Handle::current().block_on(waiting) {
        return Ok(());
    }
    Err(Error::internal(format!("container {}: its program is ending and does not end", container.id)))
}

/// Runs `work` on a thread of its own: what it unshares, and the umask that it sets, must not stay with a thread that serves
/// others later.
fn apart<T: Send>(flags: CloneFlags, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let run = || {
        unshare(flags).step("leave the engine's mount namespace")?;
        umask(Umask::empty());
        work()
    };
    std::thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|_| Err(Error::internal("the engine has a bug: a copy gave up in the middle")))
}
