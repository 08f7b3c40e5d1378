//! The overlay: many read-only directories below, one writable directory on top, seen as one tree.
//!
//! ```text
//!            target        what the container sees
//!   ┌──────────────────┐
//!   │ upper            │   this container's changes (and work, the kernel's own scratch space beside it)
//!   ├──────────────────┤
//!   │ lowers[0]        │   the image's top layer
//!   │ …                │
//!   │ lowers[n]        │   its lowest layer
//!   └──────────────────┘
//! ```
//!
//! The overlay is built *detached*: fsopen(2), fsconfig(2) and fsmount(2) give a descriptor of a mount that is in no
//! mount table at all. The child, which lives in its own mount namespace, attaches it with one move_mount(2). Two
//! things come of this. The host's mount table never changes. And whoever keeps the descriptor keeps the file system
//! alive after the container's last process has ended, so that the sync of the upper directory, which the kernel does
//! when an overlay goes away (0.2 to 8 ms), can wait until the exit has been reported.
//!
//! mount(2) could not do it: its options are one page of text (4096 bytes), which is full at about 40 layers. Here each
//! layer is its own `lowerdir+` (Linux 6.8), up to the kernel's own limit of 500.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use namespaces::{Check, Child, Context, Fact, Failure, Phase, Requirement, Result, Stage, Step};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::copied;

/// The longest value that fsconfig(2) takes as a string.
const STRING: usize = 255;

/// One container's root file system: which directories, and where it is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overlay {
    /// The read-only layers, top one first. Empty for an image without layers.
    pub lowers: Vec<PathBuf>,
    /// The writable layer: what the container changes ends up here.
    pub upper: PathBuf,
    /// Scratch space of the kernel, on the same file system as `upper` and outside of it.
    pub work: PathBuf,
    /// The empty directory that the overlay is mounted on, the container's [`namespaces::RootFs::path`].
    pub target: PathBuf,
    /// Whether the kernel may leave out every sync of `upper` (overlayfs.rst, "Volatile mount"): for a container that
    /// is removed when it ends, since after a crash of the machine its files may be incomplete.
    pub volatile: bool,
}

/// ```no_run
/// use unionfs::{Overlay, attach};
/// let overlay = Overlay {
///     lowers: vec!["/layers/app".into(), "/layers/base".into()],
///     upper: "/c/upper".into(),
///     work: "/c/work".into(),
///     target: "/c/rootfs".into(),
///     volatile: false,
/// };
/// overlay.make_directories()?;
/// let mount = overlay.mount()?;
/// // In the container's mount namespace:
/// attach(&mount, &overlay.target)?;
/// # Ok::<(), namespaces::Failure>(())
/// ```
impl Overlay {
    /// Makes `upper`, `work` and `target` where they are missing. `upper` is the container's `/`, hence mode 0755.
    pub fn make_directories(&self) -> Result<()> {
        for directory in [&self.upper, &self.work, &self.target] {
            fs::create_dir_all(directory).during("make the directory", directory.display())?;
        }
        if self.volatile {
            // A former volatile mount leaves this mark, and the kernel refuses the next mount until somebody who knows
            // that the files are whole (nothing crashed since: the mark would not matter otherwise) takes it away.
            let mark = self.work.join("work/incompat/volatile");
            if mark.exists() {
                fs::remove_dir_all(&mark).during("remove the mark", mark.display())?;
            }
        }
        Ok(())
    }

    /// Builds the overlay as a detached mount: it is in no mount table until [`attach`] puts it somewhere.
    ///
    /// The directories must exist. Closing the last descriptor of a mount that was never attached dissolves it. Where the
    /// kernel refuses an overlay of these directories, the layers are copied instead (`copied.rs`).
    pub fn mount(&self) -> Result<OwnedFd> {
        if copied::mark::is_copied(&self.upper) {
            return copied::mount(&self.upper);
        }
        match self.mount_layers() {
            Err(failure) if failure.is(Errno::INVAL) || failure.is(Errno::NODEV) => {
                copied::copy(&self.lowers, &self.upper, failure)?;
                copied::mount(&self.upper)
            }
            mounted => mounted,
        }
    }

    /// The overlay proper.
    fn mount_layers(&self) -> Result<OwnedFd> {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)
            .step("use the overlay file system")
            .map_err(|failure| failure.hint("Load the kernel module: modprobe overlay."))?;
        fsconfig_set_string(&context, "source", "overlay").step("name the overlay")?;
        // SOLUTION overlay-mount
        // Without lowers the empty directory we mount on is the lower one: an overlay cannot be without.
        let target = std::slice::from_ref(&self.target);
        for lower in if self.lowers.is_empty() { target } else { &self.lowers } {
            set_directory(&context, "lowerdir+", lower)?;
        }
        set_directory(&context, "upperdir", &self.upper)?;
        set_directory(&context, "workdir", &self.work)?;
        // END SOLUTION
        // The kernel's defaults depend on how it was built. With these the upper directory is always a plain tree that
        // `changes` and an export can read: whole files, no pointers into other layers.
        for (option, value) in [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")] {
            fsconfig_set_string(&context, option, value).during("set the overlay option", option)?;
        }
        // In a user namespace nobody may set `trusted.` attributes; the overlay then keeps its notes in `user.` ones.
        if !in_initial_user_namespace() {
            fsconfig_set_flag(&context, "userxattr").during("set the overlay option", "userxattr")?;
        }
        if self.volatile {
            fsconfig_set_flag(&context, "volatile").during("set the overlay option", "volatile")?;
        }
        fsconfig_create(&context).during("make the overlay for", self.target.display()).map_err(explain)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
            .during("mount the overlay for", self.target.display())
    }
}

/// Whether this process is in the machine's own user namespace.
///
/// user_namespaces(7): the initial one maps every id to itself, all 4294967295 of them. Only there do `trusted.` attributes
/// exist for root; elsewhere setting one is refused (xattr(7), "Trusted extended attributes").
fn in_initial_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

// ANCHOR: attach
/// Attaches a detached mount to the directory `target` in the mount namespace of the caller.
pub fn attach(mount: &impl AsFd, target: &Path) -> Result<()> {
    move_mount(mount, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .during("mount the overlay at", target.display())
}
// ANCHOR_END: attach

/// Gives the overlay one of its directories by descriptor (Linux 6.13), and to an older kernel by name.
///
/// A name that is too long for fsconfig(2) goes by way of the descriptor's own name in /proc.
fn set_directory(context: &OwnedFd, key: &str, directory: &Path) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(directory, flags, Mode::empty()).during("open the layer", directory.display())?;
    match fsconfig_set_fd(context, key, &fd) {
        Err(Errno::INVAL | Errno::BADF) if directory.as_os_str().len() <= STRING => {
            fsconfig_set_string(context, key, directory)
        }
        Err(Errno::INVAL | Errno::BADF) => {
            use std::os::fd::AsRawFd as _;
            fsconfig_set_string(context, key, format!("/proc/self/fd/{}", fd.as_raw_fd()))
        }
        answer => answer,
    }
    .during(&format!("set {key} of the overlay to"), directory.display())
    .map_err(explain)
}

/// The kernel has one number for many mistakes. This says which one it probably was.
fn explain(failure: Failure) -> Failure {
    if failure.is(Errno::INVAL) {
        return failure.hint(
            "The file system of the data directory cannot hold an overlay's upper layer (an overlay itself cannot), or \
             the kernel is older than 6.8. Use a data directory on ext4, xfs, btrfs or tmpfs.",
        );
    }
    if failure.is(Errno::LOOP) {
        return failure.hint("One of the directories is inside another. Keep layers, upper and work apart.");
    }
    failure
}

/// The overlay's turn in the launch.
#[derive(Debug)]
pub struct OverlayStage {
    /// What to mount: all that [`Stage::release`] needs in another process.
    overlay: Overlay,
    /// Open from `prepare` to `release`: it also keeps the file system alive after the container's end.
    mount: Option<OwnedFd>,
}

impl OverlayStage {
    /// A stage that mounts this overlay.
    pub fn new(overlay: Overlay) -> Self {
        Self { overlay, mount: None }
    }
}

impl Stage for OverlayStage {
    fn name(&self) -> &'static str {
        "unionfs"
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![
            Requirement {
                what: "the overlay file system",
                check: Check::FileSystem("overlay"),
                remedy: "Load the kernel module: modprobe overlay.",
            },
            Requirement {
                what: "an overlay of any number of layers (lowerdir+)",
                check: Check::Kernel(6, 8),
                remedy: "Use Linux 6.8 or later.",
            },
        ]
    }

    fn prepare(&mut self) -> Result<()> {
        self.overlay.make_directories()?;
        self.mount = Some(self.overlay.mount()?);
        Ok(())
    }

    fn steps(&self) -> Vec<Step<'_>> {
        vec![Step::new(
            "mount-overlay",
            Phase::Root,
            "Put the layers, with a writable one on top, where the root will be.",
            {
                |_: &mut Child<'_>| {
                    let mount = self.mount.as_ref().ok_or_else(|| {
                        Failure::new("mount the overlay at", "it was not prepared").on(self.overlay.target.display())
                    })?;
                    attach(mount, &self.overlay.target)
                }
            },
        )]
    }

    /// Lets go of the file system. The upper directory stays: it belongs to the container's record.
    fn release(&mut self) -> Result<()> {
        self.mount = None;
        Ok(())
    }

    fn probe(&self, pid: Pid) -> Result<Vec<Fact>> {
        let source = format!("/proc/{}/mountinfo", pid.as_raw_nonzero());
        let table = fs::read_to_string(&source).during("read", &source)?;
        // proc_pid_mountinfo(5): the fifth field is the mount point, as the process sees it.
        let root = |line: &&str| line.split(' ').nth(4) == Some("/");
        Ok(table.lines().filter(root).map(|line| Fact { source: source.clone(), value: line.to_owned() }).collect())
    }
}
