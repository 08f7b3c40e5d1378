//! The chapter's turn in the launch.
//!
//! ```text
//! host side, before             child side, after the root is mounted, before the pivot
//! ───────────────────────       ────────────────────────────────────────────────────────
//! bind:    is it there?         for each, outer before inner:
//!          make it (-v)           find the place inside the new root
//! volume:  is its data there?     fill an empty volume from what the image has there
//! shared:  can it travel?         mount
//! ```
//!
//! The host side looks before the process exists, so that a typing error is said at once and without anything to take
//! back. It is no guarantee: what vanishes in between fails in the child, with the same words from the mount itself.
//!
//! There is nothing to release. The mounts are in the container's mount namespace and end with it, and a volume is
//! meant to stay. Whether anonymous volumes go is for those who know the record to decide.

use std::fs::DirBuilder;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use namespaces::mount::Source;
use namespaces::{Check, Context as _, Fact, Failure, Mount, Phase, Requirement, Result, Root, Stage, Step};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::attachment::{Attachment, Origin};
use crate::copy_up::copy_up;
use crate::image_files::with_overlay;
use crate::propagation;

/// Mounts volumes, binds and memory into the container.
#[derive(Debug)]
pub struct VolumesStage {
    attachments: Vec<Attachment>,
    /// Made by `prepare`, one for each attachment: only the host side may map ids.
    mapped: Vec<Option<OwnedFd>>,
}

impl VolumesStage {
    /// `attachments` in the order of [`crate::in_mount_order`].
    pub fn new(attachments: Vec<Attachment>) -> Self {
        Self { attachments, mapped: Vec::new() }
    }
}

impl Stage for VolumesStage {
    fn name(&self) -> &'static str {
        "volumes"
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![
            Requirement {
                what: "mount attributes (mount_setattr)",
                check: Check::Kernel(5, 12),
                remedy: "Use Linux 5.12 or later: read-only binds are made with it.",
            },
            Requirement {
                what: "the tmpfs file system",
                check: Check::FileSystem("tmpfs"),
                remedy: "Use a kernel with CONFIG_TMPFS.",
            },
        ]
    }

    /// Looks for every source, and makes those that may be made: what is missing is said before anything is started.
    fn prepare(&mut self) -> Result<()> {
        self.attachments.iter().try_for_each(Attachment::prepare)?;
        self.mapped = self.attachments.iter().map(|attachment| attachment.mount.prepare()).collect::<Result<_>>()?;
        Ok(())
    }

    fn steps(&self) -> Vec<Step<'_>> {
        if self.attachments.is_empty() {
            return Vec::new();
        }
        let about =
            "Mount volumes, directories of the host and memory into the new root; fill empty volumes from the image.";
        vec![Step::new("mount-volumes", Phase::Mounts, about, |child| {
            let root = child.root()?;
            self.attachments
                .iter()
                .zip(&self.mapped)
                .try_for_each(|(attachment, mapped)| attachment.put(mapped.as_ref(), root))
        })]
    }

    /// The container's own mount table, line by line for each target (proc_pid_mountinfo(5)).
    fn probe(&self, pid: Pid) -> Result<Vec<Fact>> {
        let source = format!("/proc/{pid}/mountinfo");
        let table = std::fs::read_to_string(&source).during("read", &source)?;
        let at_target = |line: &&str| {
            let place = line.split(' ').nth(4).map(Path::new);
            self.attachments.iter().any(|attachment| Some(attachment.mount.target.as_path()) == place)
        };
        Ok(table
            .lines()
            .filter(at_target)
            .map(|line| Fact { source: source.clone(), value: line.to_owned() })
            .collect())
    }
}

impl Attachment {
    /// Host side: the source is there, or is made, and can do what is asked of it.
    fn prepare(&self) -> Result<()> {
        let (Source::Bind { path, .. } | Source::MappedBind { path, .. }) = &self.mount.source else { return Ok(()) };
        match (path.try_exists().during("look at", path.display())?, &self.origin) {
            (true, _) => {}
            (false, Origin::Host { create: true }) => {
                let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
                made.during("make the source of the bind mount", path.display())?;
            }
            (false, origin) => return Err(self.missing(path, origin)),
        }
        let wanted = self.mount.attributes.propagation;
        wanted.map_or(Ok(()), |wanted| propagation::check(path, wanted))
    }

    /// A volume's data can be missing only if somebody removed it by hand; a path of the host if it was never there.
    fn missing(&self, path: &Path, origin: &Origin) -> Failure {
        let gone =
            |step| Failure { errno: Some(Errno::NOENT.raw_os_error()), ..Failure::new(step, "it does not exist") };
        match origin {
            Origin::Volume { name, .. } => gone("find the data of the volume")
                .on(path.display())
                .hint(format!("Make it, or the volume {name} again.")),
            Origin::Image { name, .. } => {
                gone("find the layer of the image").on(path.display()).hint(format!("Pull {name} again."))
            }
            _ => gone("find the source of the bind mount at")
                .on(format!("{} on the host: {}", self.mount.target.display(), path.display()))
                .hint("Make it first, or use -v, which makes a missing directory."),
        }
    }

    /// Both sides at once, in the mount namespace of the caller: for whoever looks into a container that does not run.
    pub fn apply(&self, root: &Root) -> Result<()> {
        self.put(self.mount.prepare()?.as_ref(), root)
    }

    /// Child side: what the origin needs first, then the mount itself.
    fn put(&self, mapped: Option<&OwnedFd>, root: &Root) -> Result<()> {
        match (&self.origin, &self.mount.source) {
            (
                Origin::Volume { subpath: Some(subpath), .. } | Origin::Image { subpath: Some(subpath), .. },
                Source::Bind { path, recursive },
            ) => self.mount_subpath(root, &Root::open(path)?, subpath, *recursive),
            (Origin::Image { subpath: Some(subpath), .. }, Source::New { options, .. }) => {
                with_overlay(options, root, |image| self.mount_subpath(root, image, subpath, false))
            }
            (Origin::Volume { name, subpath: Some(_), .. }, _) => {
                let cause = "what it mounts can only be mounted as a whole";
                Err(Failure::new("use the subpath of the volume", cause).on(name))
            }
            (Origin::Volume { copy: true, owner, .. }, Source::Bind { path, .. }) => {
                if copy_up(root, &self.mount.target, path)? {
                    owner.give(path)?;
                }
                self.mount.apply(root)
            }
            (Origin::Memory { mode_of_image: true }, Source::New { kind, options }) => {
                let mode = mode_in_image(root, &self.mount.target);
                let options = mode.into_iter().chain(options.iter().cloned()).collect();
                let source = Source::New { kind: kind.clone(), options };
                Mount { source, ..self.mount.clone() }.apply(root)
            }
            _ => self.mount.apply_prepared(mapped, root),
        }
    }

    // ANCHOR: subpath
    /// The part is found inside the volume or image and held by a descriptor: a link in it cannot lead out of it
    /// (CVE-2017-1002101), and a container that has the volume mounted cannot swap it meanwhile.
    fn mount_subpath(&self, root: &Root, whole: &Root, subpath: &Path, recursive: bool) -> Result<()> {
        let part = whole.resolve(subpath).map_err(|failure| {
            let (kind, top) = match (&self.origin, &self.mount.source) {
                (Origin::Image { name, .. }, _) => ("image", Path::new(name)),
                (_, Source::Bind { path, .. }) => ("volume", path.as_path()),
                _ => ("volume", self.mount.target.as_path()),
            };
            let hint = format!("It must exist inside the {kind}; links are followed inside it only.");
            let step = format!("find the subpath of the {kind}");
            Failure { step, ..failure }.on(top.join(subpath).display()).hint(hint)
        })?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", part.as_raw_fd()));
        Mount { source: Source::Bind { path, recursive }, ..self.mount.clone() }.apply(root)
    }
    // ANCHOR_END: subpath
}

/// `mode=755` if the image has a directory there: memory over `/tmp` stays writable for all, over `/root` it does not
/// become so.
fn mode_in_image(root: &Root, target: &Path) -> Option<String> {
    let stat = rustix::fs::fstat(root.resolve(target).ok()?).ok()?;
    Some(format!("mode={:o}", stat.st_mode & 0o7777))
}
