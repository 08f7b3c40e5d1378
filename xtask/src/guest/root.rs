//! The disk of the guest: busybox, the test programs at the paths where cargo has them, the libraries that they are linked
//! with, and the snapshots that they compare with.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::kernel::Kernel;
use super::programs::Program;
use crate::shell;

const INIT: &str = include_str!("init.sh");

/// Programs of this machine that busybox has not, or not with the options that tests use.
const HOST_PROGRAMS: &[&str] = &["/bin/dash", "/usr/bin/env", "/usr/bin/perl", "/usr/bin/ps", "/usr/bin/unshare"];

/// Writes the disk as a file `disk`, by way of a directory in `scratch`.
pub(crate) fn write(kernel: &Kernel, programs: &[Program], scratch: &Path, disk: &Path) -> Result<()> {
    let root = scratch.join("root");
    for directory in ["dev", "etc", "home", "modules", "proc", "root", "run", "sys", "tmp", "var/cache"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    // As Debian has it: what was in /bin and /lib is below /usr.
    for directory in ["bin", "lib", "lib64", "sbin"] {
        std::fs::create_dir_all(root.join("usr").join(directory))?;
        symlink(format!("usr/{directory}"), root.join(directory))?;
    }
    std::fs::set_permissions(root.join("tmp"), std::fs::Permissions::from_mode(0o1777))?;
    busybox(&root)?;
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")?;
    std::fs::write(root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    std::fs::write(root.join("etc/hostname"), "guest\n")?;
    std::fs::write(root.join("sbin/first"), INIT)?;
    std::fs::set_permissions(root.join("sbin/first"), std::fs::Permissions::from_mode(0o755))?;
    let modules = kernel.modules.iter().filter(|(name, _)| *name != "virtio_blk");
    for (number, (name, file)) in modules.enumerate() {
        std::fs::copy(file, root.join(format!("modules/{number}-{name}.ko")))?;
    }

    let mut libraries = BTreeSet::new();
    let mut tests = String::new();
    for program in programs {
        place(&root, &program.file)?;
        strip(&root, &program.file);
        libraries.extend(libraries_of(&program.file)?);
        if let Some(name) = &program.test {
            writeln!(tests, "{} {} {name}", program.home.display(), program.file.display())?;
        }
    }
    for program in HOST_PROGRAMS.iter().map(Path::new) {
        let _busybox_link = std::fs::remove_file(below(&root, program));
        place(&root, program)?;
        libraries.extend(libraries_of(program)?);
    }
    // The shell of the tests here as well: busybox's takes its own applets before the programs of the machine.
    std::fs::remove_file(root.join("bin/sh"))?;
    symlink("dash", root.join("bin/sh"))?;
    libraries.iter().try_for_each(|library| place(&root, library))?;
    std::fs::write(root.join("tests"), tests)?;
    std::fs::write(root.join("workspace"), shell::root().display().to_string())?;
    let homes: BTreeSet<_> = programs.iter().map(|program| &program.home).collect();
    homes.into_iter().try_for_each(|home| sources(&root, home))?;

    let mut mke2fs = Command::new("/sbin/mke2fs");
    mke2fs.args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d"]).arg(&root).arg(disk).arg("1G");
    shell::run(&mut mke2fs)?;
    Ok(std::fs::remove_dir_all(&root)?)
}

fn busybox(root: &Path) -> Result<()> {
    std::fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    for name in shell::output(Command::new("/bin/busybox").arg("--list"))?.lines() {
        if name != "busybox" {
            symlink("busybox", root.join("bin").join(name))?;
        }
    }
    Ok(())
}

fn below(root: &Path, file: &Path) -> PathBuf {
    root.join(file.strip_prefix("/").unwrap_or(file))
}

/// Copies a file to the same path in the guest.
fn place(root: &Path, file: &Path) -> Result<()> {
    let to = below(root, file);
    std::fs::create_dir_all(to.parent().unwrap_or(root))?;
    std::fs::copy(file, &to).map(|_| ()).with_context(|| format!("cannot copy {} for the guest", file.display()))
}

/// Without the tables of a debugger a test program is a tenth of its size. Where there is no strip(1), it is the whole.
fn strip(root: &Path, file: &Path) {
    let _larger = Command::new("strip").arg("--strip-debug").arg(below(root, file)).status();
}

/// The libraries of a program and the loader, as ldd(1) prints them: ` libc.so.6 => /lib/libc.so.6 (0x7f…)`. A static program
/// has none, and ldd fails.
fn libraries_of(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

/// What tests read of their package at run time: snapshots, and files beside them.
fn sources(root: &Path, home: &Path) -> Result<()> {
    let to = below(root, home);
    std::fs::create_dir_all(&to)?;
    for part in ["Cargo.toml", "src", "tests"].map(|part| home.join(part)).iter().filter(|part| part.exists()) {
        shell::run(Command::new("cp").arg("-r").arg(part).arg(&to))?;
    }
    Ok(())
}
