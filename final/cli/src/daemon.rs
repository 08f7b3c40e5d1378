//! Starting `skiffd` when nobody answers on the default socket, so that nothing has to be set up before the first `run`.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;

use crate::error::{During as _, Error, Result};
use crate::{output, sys};

/// How long the daemon may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long another one may take when ours ended because of it.
const GRACE: Duration = Duration::from_secs(1);

/// How many lines of its log are shown when it does not.
const TAIL: usize = 10;

/// Starts the daemon that is beside our own executable and waits until it listens on `socket`.
pub(crate) async fn start(socket: &Path) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::new(format!(
            "Cannot connect to the Skiff daemon at unix://{}. Is skiffd running?",
            socket.display()
        ))
        .hint("Start it as root (`sudo skiffd &`), or run this command with sudo and it is started for you."));
    }
    let program = sibling("skiffd")?;
    let log = log_path(socket);
    output::notice(format!("No daemon is running: starting {} (its log is {}).", program.display(), log.display()));
    // What other daemons wrote to the same log before is not about this one.
    let before = fs::metadata(&log).map_or(0, |file| file.len());
    let mut daemon = spawn(&program, &log)?;
    let mut deadline = Instant::now() + PATIENCE;
    let mut ended = None;
    while Instant::now() < deadline {
        if UnixStream::connect(socket).await.is_ok() {
            return Ok(());
        }
        // It may have ended because another client started one a moment earlier, which will listen soon.
        if ended.is_none()
            && let Ok(Some(status)) = daemon.try_wait()
        {
            ended = Some(status);
            deadline = deadline.min(Instant::now() + GRACE);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(match ended {
        Some(status) => failed(&format!("skiffd ended at once ({status})"), &log, before),
        None => failed(
            &format!("skiffd does not listen on {} after {} s", socket.display(), PATIENCE.as_secs()),
            &log,
            before,
        ),
    })
}

/// A program that was installed beside this one.
fn sibling(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().during("find", "my own executable")?;
    let program = own.with_file_name(name);
    if program.exists() {
        return Ok(program);
    }
    Err(Error::new(format!("no daemon is running, and there is no {} to start", program.display()))
        .hint("Build it beside this program (`cargo skiff` does), or name a running daemon with -H."))
}

/// Beside the socket.
fn log_path(socket: &Path) -> PathBuf {
    socket.with_file_name("skiffd.log")
}

/// Runs the daemon in a session of its own; what it says goes to its log.
fn spawn(program: &Path, log: &Path) -> Result<Child> {
    if let Some(directory) = log.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o711).create(directory).during("make", directory.display())?;
    }
    let open = File::options().create(true).append(true).mode(0o600).open(log).during("open", log.display())?;
    let twin = open.try_clone().during("open", log.display())?;
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(open).stderr(twin).current_dir("/");
    sys::own_session(&mut command).spawn().during("start", program.display())
}

/// Why it did not start, with the end of what it wrote to its log.
fn failed(what: &str, log: &Path, before: u64) -> Error {
    let bytes = fs::read(log).unwrap_or_default();
    let own = usize::try_from(before).ok().and_then(|before| bytes.get(before..)).unwrap_or_default();
    let tail = tail(&String::from_utf8_lossy(own), TAIL);
    let said = if tail.is_empty() { String::new() } else { format!(". It said:\n{tail}") };
    Error::new(format!("{what}{said}")).hint(format!("The whole log is {}.", log.display()))
}

/// The last `count` lines, indented.
fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(count);
    lines.iter().skip(from).map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end_of_the_text() {
        assert_eq!(tail("a\nb\nc\n", 2), "  b\n  c");
        assert_eq!(tail("", 2), "");
    }

    #[test]
    fn the_log_is_beside_the_socket() {
        assert_eq!(log_path(Path::new("/run/skiff/skiff.sock")), Path::new("/run/skiff/skiffd.log"));
    }
}
