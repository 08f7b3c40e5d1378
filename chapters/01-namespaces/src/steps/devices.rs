//! `/dev`: the nodes and links that programs expect.
//!
//! A device node is two numbers under a name; behind the numbers is the host's one driver, for everybody. So which nodes a
//! container has, and may make (`CAP_MKNOD`) and open (the devices cgroup of chapter 2), decides what it reaches of the
//! machine. The six of the default are those that keep no state between users: `null zero full random urandom tty`.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;

use crate::container::Device;
use crate::failure::{Context, Failure, Result};
use crate::mount;
use crate::root::Root;
use crate::stage::Child;

/// The links of every `/dev`: name, target. The console is bound when there is a terminal.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes the nodes. They get the modes that were asked for, because the umask is 0 until the last phase.
///
/// Left out (`--without make-devices`), `/dev/null` does not exist, and the first shell script that writes there makes an
/// ordinary file of it. Where the container has no `/dev` of its own mounted, they are made in the image's directory.
pub(super) fn make(child: &mut Child<'_>) -> Result<()> {
    let root = child.root()?;
    // Nearly always all of them are in the same directory.
    let mut last: Option<(&Path, OwnedFd)> = None;
    for device in &child.container.devices {
        let parent = device.path.parent().unwrap_or(Path::new("/"));
        let directory = match last {
            Some((path, fd)) if path == parent => fd,
            _ => root.create_dir_all(parent, Mode::from_raw_mode(0o755))?,
        };
        make_one(device, &directory, root)?;
        last = Some((parent, directory));
    }
    Ok(())
}

/// mknod(2) in the directory's descriptor, so that a `/dev` which is a link cannot lead it elsewhere (CVE-2026-41579).
/// What is there already is replaced: it came with the image and may be anything.
fn make_one(device: &Device, directory: &OwnedFd, root: &Root) -> Result<()> {
    let step = "make the device";
    let kind = match device.kind {
        'c' | 'u' => FileType::CharacterDevice,
        'b' => FileType::BlockDevice,
        'p' => FileType::Fifo,
        other => {
            return Err(Failure::new(step, format!("no kind of device is called {other}")).on(device.path.display()));
        }
    };
    let Some(name) = device.path.file_name() else {
        return Err(Failure::new(step, "the path has no name").on(device.path.display()));
    };
    let number = rustix::fs::makedev(device.major, device.minor);
    let node = || rustix::fs::mknodat(directory, name, kind, Mode::from_raw_mode(device.mode), number);
    let made = match node() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(directory, name, AtFlags::empty()).during(step, device.path.display())?;
            node()
        }
        made => made,
    };
    match made {
        // In a user namespace no device can be made, but the host's can be bound.
        Err(Errno::PERM) => bind_host(device, root),
        made => {
            made.during(step, device.path.display())?;
            if (device.uid, device.gid) == (0, 0) {
                return Ok(());
            }
            let (user, group) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
            rustix::fs::chownat(directory, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
                .during("give to its owner the device", device.path.display())
        }
    }
}

/// The host's node, by its own name, mounted on an empty file. Compared by number, because a host may have anything in its
/// `/dev` as well.
fn bind_host(device: &Device, root: &Root) -> Result<()> {
    let step = "bind the host's device";
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, &device.path, flags).during(step, device.path.display())?;
    let stat = rustix::fs::fstat(&tree).during(step, device.path.display())?;
    if stat.st_rdev != rustix::fs::makedev(device.major, device.minor) {
        let cause = format!("the host's is not {} {}:{}", device.kind, device.major, device.minor);
        return Err(Failure::new(step, cause).on(device.path.display()));
    }
    let place = root.create_file(&device.path, Mode::from_raw_mode(0o644))?;
    mount::attach(&tree, &place).during(step, device.path.display())
}

/// symlink(2). `/dev/fd` and its three relatives are how a shell script reaches open files; `/dev/ptmx` must be the one of the
/// container's own devpts, or its terminals would be made in the host's.
///
/// An image without `/dev` gets no links. What is there already stays, so that an OCI bundle can bring its own.
pub(super) fn link(child: &mut Child<'_>) -> Result<()> {
    let root = child.root()?;
    let dev = match root.resolve(Path::new("/dev")) {
        Err(failure) if failure.is(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    for (name, target) in LINKS {
        match rustix::fs::symlinkat(target, &dev, name) {
            Err(Errno::EXIST | Errno::ROFS) => {}
            made => made.during("make the link /dev", name)?,
        }
    }
    Ok(())
}
