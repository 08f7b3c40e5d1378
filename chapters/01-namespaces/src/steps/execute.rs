//! The end of the child: find the program, and become it.
//!
//! The kernel's execve(2) knows paths only; `PATH` is a custom of shells, which look a name up in one directory after the
//! other. The container's `PATH` and the container's directories count, so this happens after the pivot, and as the user who
//! will run it.
//!
//! What a person sees of a failure depends on telling three cases apart: there is no such file (`ENOENT`, status 127), it may
//! not be run (`EACCES`, 126), the kernel cannot run it (`ENOEXEC`, 126).

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, FileType, StatVfsMountFlags};
use rustix::io::Errno;

use crate::defaults::PATH;
use crate::failure::{Cause, Failure, Result};
use crate::interpreter;
use crate::stage::Child;

const STEP: &str = "execute";
/// How much of a program is read to find out which interpreter it asks for.
const HEAD: u64 = 64 << 10;

/// Looks the program up as the user that will run it. A name with a `/` is a path; any other is looked for in `PATH`.
pub(super) fn find_program(child: &mut Child<'_>) -> Result<()> {
    let process = &child.container.process;
    if process.args.is_empty() && child.options.gate.is_some() {
        // A container that waits at its gate may never be started, and needs no program then.
        return Ok(());
    }
    let Some(name) = process.args.first() else {
        return Err(Failure::new(STEP, "no program is given").hint("Say which program to run."));
    };
    let found = if name.contains('/') {
        runnable(Path::new(name)).map(|()| PathBuf::from(name)).map_err(|errno| refused(Path::new(name), errno))
    } else if name.is_empty() {
        // In every directory it would be the directory itself.
        Err(not_found(name).hint("The name of the program is empty: a variable without a value, perhaps."))
    } else {
        let path = process.env.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or(PATH);
        look_up(name, path)
    }?;
    child.program = Some(c_string(found.as_os_str().as_bytes())?);
    Ok(())
}

/// The first runnable file called `name` in the directories of `path`. A file that may not be run is remembered: it is the
/// better answer when nothing else is found (environ(7), `PATH`).
fn look_up(name: &str, path: &str) -> Result<PathBuf> {
    let mut found = None;
    for directory in path.split(':') {
        let candidate = Path::new(if directory.is_empty() { "." } else { directory }).join(name);
        match runnable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(Errno::ACCESS) => found = found.or(Some(candidate)),
            Err(_) => {}
        }
    }
    Err(match found {
        Some(candidate) => refused(&candidate, Errno::ACCESS),
        None => not_found(name).hint(format!("PATH is {path}; give the full path of the program, or another image.")),
    })
}

fn not_found(name: &str) -> Failure {
    Failure { errno: Some(libc::ENOENT), ..Failure::new(STEP, "executable file not found in $PATH").on(name) }
}

/// Why `path` was not to be run, as far as it can be seen from outside the file. Looked up only now that it has failed.
fn refused(path: &Path, errno: Errno) -> Failure {
    let failure = errno.failure(STEP).on(path.display());
    match (errno, rustix::fs::stat(path)) {
        (Errno::NOENT, _) => match rustix::fs::readlink(path, Vec::new()) {
            Ok(target) => {
                failure.hint(format!("It is a symbolic link to {}, which is not there.", target.to_string_lossy()))
            }
            Err(_) => failure,
        },
        (Errno::ACCESS, Ok(stat)) if FileType::from_raw_mode(stat.st_mode).is_dir() => {
            failure.hint("It is a directory; name a program in it.")
        }
        (Errno::ACCESS, Ok(stat)) if stat.st_mode & 0o111 == 0 => {
            failure.hint("No one has the right to execute it: chmod +x it, in the image or where it is mounted from.")
        }
        (Errno::ACCESS, Ok(_)) if is_noexec(path) => {
            failure.hint("Nothing can be executed where it is: the mount has the option noexec.")
        }
        (Errno::ACCESS, Ok(stat)) => {
            let (mode, owner, group) = (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
            failure.hint(format!("Its mode {mode:04o} does not let this user: it belongs to {owner}:{group}."))
        }
        _ => failure,
    }
}

fn is_noexec(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// Whether the effective user may execute the file (faccessat2(2), `AT_EACCESS`). A directory may be "executed" too, so it is told apart.
fn runnable(path: &Path) -> Result<(), Errno> {
    rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?;
    match FileType::from_raw_mode(rustix::fs::stat(path)?.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Errno::ACCESS),
    }
}

/// execve(2). Returns only when it fails.
///
/// The first argument is the name as it was given, not the path that was found: busybox and others go by it.
pub(crate) fn execute(child: &Child<'_>) -> Result<Infallible> {
    let process = &child.container.process;
    let program = child.program.as_ref().ok_or_else(|| Failure::new(STEP, "no step has looked the program up yet"))?;
    let arguments = process.args.iter().map(|text| c_string(text.as_bytes())).collect::<Result<Vec<_>>>()?;
    // An empty home is none, as runc has it.
    let given: Vec<_> = process.env.iter().filter(|variable| *variable != "HOME=").collect();
    let mut environment = given.iter().map(|text| c_string(text.as_bytes())).collect::<Result<Vec<_>>>()?;
    if !given.iter().any(|variable| variable.starts_with("HOME=")) {
        let home = child.user.as_ref().map_or("/", |user| &user.home);
        environment.push(c_string(format!("HOME={home}").as_bytes())?);
    }
    let name = program.to_string_lossy();
    let failure = match nix::unistd::execve(program, &arguments, &environment) {
        Ok(never) => match never {},
        Err(errno) => errno.failure(STEP).on(&name),
    };
    Err(explain(child, failure, Path::new(OsStr::from_bytes(program.as_bytes()))))
}

/// The hint for a failed execve(2). The filter is in force already, but reading a file is nothing a filter can sensibly forbid;
/// if it does, there is no hint.
///
/// Why a file that is there could not be run: `ENOENT` then means its interpreter, `ENOEXEC` its format.
fn explain(child: &Child<'_>, failure: Failure, path: &Path) -> Failure {
    let head = child.root().and_then(|root| root.head(path, HEAD)).ok().flatten().unwrap_or_default();
    match failure.errno {
        Some(libc::ENOENT) => match interpreter::of(&head) {
            Some(interpreter) => failure.hint(interpreter::missing(&interpreter)),
            None => failure,
        },
        // The file itself was found fit, so it is the other one that is not.
        Some(libc::EACCES) => match interpreter::of(&head) {
            Some(interpreter) => failure.hint(interpreter::unfit(&interpreter)),
            None => failure,
        },
        Some(libc::ENOEXEC) => failure.hint(interpreter::why_not(&head)),
        _ => failure,
    }
}

/// The kernel takes strings that end with a zero byte, so none may have one inside.
fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Failure::new(STEP, "an argument or variable has a zero byte in it").on(text.escape_debug())
    })
}
