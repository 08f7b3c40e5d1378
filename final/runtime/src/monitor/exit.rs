//! The end of a program: its status, and the file that keeps it for a daemon that is not there.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use namespaces::{Context, Result};
use rustix::process::{WaitId, WaitIdOptions};

use crate::protocol::Exit;

/// The file in the container's record directory.
pub const EXIT_FILE: &str = "exit.json";

/// Reaps the program: its exit code as a shell tells it, and the signal that ended it.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> (i32, Option<i32>) {
    let status = rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED).ok().flatten();
    let Some(status) = status else { return (255, None) };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code, None),
        (None, Some(signal)) => (128 + signal, Some(signal)),
        (None, None) => (255, None),
    }
}

/// Writes `exit.json` into `record`: to another name first, so that half a file is never found under this one.
///
/// It is not synced: the record matters when the daemon was killed, and after a crash of the machine nothing runs anyway.
pub(crate) fn write(record: &Path, exit: &Exit) -> Result<()> {
    let path = record.join(EXIT_FILE);
    let begun = record.join("exit.json.new");
    let text = serde_json::to_vec(exit).step("write the exit status as JSON")?;
    let mut file: File = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&begun)
        .during("open", begun.display())?;
    file.write_all(&text).during("write", begun.display())?;
    std::fs::rename(&begun, &path).during("write", path.display())
}

/// Reads `exit.json` of a container's record directory. `Ok(None)`: it has not ended, or nobody could write it.
pub fn read_exit(record: &Path) -> Result<Option<Exit>> {
    let path = record.join(EXIT_FILE);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => serde_json::from_slice(&text.during("read", path.display())?).during("understand", path.display()),
    }
}
