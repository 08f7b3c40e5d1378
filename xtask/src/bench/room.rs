//! The room in which a race is run: a directory, and a network and a mount namespace that everybody is put into.

use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;

/// In a mount namespace of its own without the cgroup v2 tree of a hybrid machine; on other machines the tree stays.
const WITHOUT_HYBRID: &str = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";

/// The namespaces, held by a process that sleeps. What is mounted in them is seen by nobody else and ends with them.
pub(crate) struct Room {
    directory: tempfile::TempDir,
    keeper: Child,
}

impl Room {
    /// Makes it.
    pub(crate) fn open() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("skiff-bench-").tempdir()?;
        let mut keeper = Command::new("unshare");
        keeper.args(["--net", "--mount", "--propagation", "private", "sh", "-c", WITHOUT_HYBRID, "sh"]);
        keeper.args(["sh", "-c", "ip link set lo up; echo ready; exec sleep infinity"]).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().context("cannot start unshare")?;
        let mut ready = [0; 1];
        std::io::Read::read_exact(&mut keeper.stdout.take().context("no pipe")?, &mut ready)?;
        Ok(Self { directory, keeper })
    }

    /// A path in the room's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_string_lossy().into_owned()
    }

    /// The words in the namespaces of the room.
    pub(crate) fn inside(&self, words: &[&str]) -> Vec<String> {
        let keeper = self.keeper.id().to_string();
        let enter = ["nsenter", "--net", "--mount", "--target", &keeper, "--"];
        enter.iter().chain(words).map(|&word| word.to_owned()).collect()
    }

    /// Runs a shell script in the room; `arguments` are its `$1`, `$2`, …
    pub(crate) fn script(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let words = self.inside(&[&["sh", "-ec", script, "sh"], arguments].concat());
        shell::output(&mut command(&words)?)
    }

    /// Starts a daemon in the room and waits until `ready` says so. Its log is the file `NAME.log`.
    pub(crate) fn daemon(&self, name: &str, words: &[&str], ready: impl Fn() -> bool) -> Result<Daemon> {
        let log = self.path(&format!("{name}.log"));
        let mut command = command(&self.inside(words))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&log)?);
        let daemon = Daemon(command.spawn()?);
        let end = Instant::now() + Duration::from_secs(30);
        while !ready() {
            if Instant::now() > end {
                bail!("{} does not answer: {}", words.join(" "), std::fs::read_to_string(&log)?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    /// Whether somebody listens on this socket of the room.
    pub(crate) fn listens(&self, socket: &str) -> bool {
        UnixStream::connect(self.path(socket)).is_ok()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ended = self.keeper.kill();
        let _reaped = self.keeper.wait();
    }
}

/// A daemon, asked to end when it is dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// The most memory that it has had at once, in bytes (`VmHWM`, proc_pid_status(5)).
    pub(crate) fn peak(&self) -> Result<u64> {
        Ok(self.status("VmHWM:")? << 10)
    }

    /// The memory that it has now, in kilobytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.0.id()))?.count())
    }

    fn status(&self, field: &'static str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context(field)?;
        Ok(line.split_whitespace().next().context("no number")?.parse()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = Command::new("kill").arg(self.0.id().to_string()).status();
        let _reaped = self.0.wait();
    }
}

/// The words as a command.
pub(crate) fn command(words: &[String]) -> Result<Command> {
    let (program, arguments) = words.split_first().context("a command without words")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}
