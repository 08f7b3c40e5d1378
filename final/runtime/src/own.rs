//! The program's own file, out of reach of containers.
//!
//! A process inside a container can open `/proc/PID/exe` of the process that enters it, and write to the runtime's file on
//! the host as soon as that one has ended (CVE-2019-5736). So the runtime is executed from a copy of its mount that is
//! read-only and in no mount table: the file is the same, with the same page cache, but through this way to it there is no
//! writing, whoever asks.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use namespaces::sys::{MountAttr, mount_setattr};
use namespaces::{Context, Result};
use rustix::fs::{CWD, MemfdFlags, SealFlags, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags};

/// A read-only, detached bind of the program at `path`. Execute it as `/proc/self/fd/N`; one serves any number of
/// executions. Costs 20 to 300 µs, once.
pub fn own_executable(path: &Path) -> Result<OwnedFd> {
    let step = "bind the program";
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let file = rustix::mount::open_tree(CWD, path, flags).during(step, path.display())?;
    let readonly = MountAttr { set: u64::from(MountAttrFlags::MOUNT_ATTR_RDONLY.bits()), ..MountAttr::default() };
    mount_setattr(file.as_fd(), false, readonly).during(step, path.display())?;
    Ok(file)
}

/// A copy of the program in memory, sealed against writing (memfd_create(2)); `None` when this program runs from one already.
fn sealed_copy(path: &Path) -> Result<Option<OwnedFd>> {
    let step = "copy the program";
    let mut program = std::fs::File::open(path).during(step, path.display())?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    if rustix::fs::fcntl_get_seals(&program).is_ok_and(|own| own.contains(seals)) {
        return Ok(None);
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut copy = std::fs::File::from(rustix::fs::memfd_create("skiff-runtime", flags).step(step)?);
    std::io::copy(&mut program, &mut copy).during(step, path.display())?;
    rustix::fs::fcntl_add_seals(&copy, seals).step(step)?;
    Ok(Some(copy.into()))
}

/// Executes this program again through [`own_executable`], unless it runs from a read-only mount already. Returns only in
/// that case.
pub(crate) fn run_from_readonly_bind() -> Result<()> {
    let own = Path::new("/proc/self/exe");
    let flags = rustix::fs::statvfs(own).during("look at", own.display())?.f_flag;
    if flags.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    let file = match own_executable(own) {
        // An ordinary user can mount nothing yet.
        Err(failure) if failure.is(Errno::PERM) => match sealed_copy(own)? {
            Some(file) => file,
            None => return Ok(()),
        },
        file => file?,
    };
    // The descriptor is closed by the very execve(2) that reads it.
    let error = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .arg0(std::env::args_os().next().unwrap_or_default())
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).during("execute again", own.display())
}
