//! Hooks: other people's programs at the turning points of a container's life (config.md, "POSIX-platform Hooks").
//!
//! ```text
//!  create                                                      start                         delete
//!  prestart, createRuntime ─▶ createContainer ─▶ (pivot) …     startContainer ─▶ poststart   poststop
//!  on the host, all is        in the container's mounts,       in the container  on the host  on the host
//!  mounted, program waits     host's files still in view
//! ```
//!
//! Each gets the container's state as JSON on standard input. What it prints is part of its failure, and otherwise nobody's:
//! standard output belongs to the container's program.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use namespaces::{Context, Failure, Phase, Result, Stage, Step};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, PidfdFlags};

use super::config::{Hook, Hooks};
use super::record::{Record, Status};
use crate::sys;

/// Runs `hooks` in order, until one fails.
pub(crate) fn run(name: &str, hooks: &[Hook], record: &Record, status: Status) -> Result<()> {
    hooks.iter().try_for_each(|hook| run_one(name, hook, record, status, None))
}

/// Runs the poststop hooks, all of them. What fails is told on standard error and stops nothing: the container is gone.
pub(crate) fn run_all(name: &str, hooks: &[Hook], record: &Record, status: Status) {
    for failure in hooks.iter().filter_map(|hook| run_one(name, hook, record, status, None).err()) {
        eprintln!("skiff-runtime: warning: {failure}");
    }
}

/// `cwd` is where it begins; `None` is where this process is.
fn run_one(name: &str, hook: &Hook, record: &Record, status: Status, cwd: Option<&Path>) -> Result<()> {
    let step = format!("run the {name} hook");
    let state = serde_json::to_vec(&record.state(status)).step("write the state as JSON")?;
    let mut command = Command::new(&hook.path);
    if let Some((name, arguments)) = hook.args.split_first() {
        command.arg0(name).args(arguments);
    }
    if let Some(variables) = &hook.env {
        command.env_clear().envs(variables.iter().filter_map(|variable| variable.split_once('=')));
    }
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    let (stdout, stderr) = (Printed::new()?, Printed::new()?);
    command.stdin(Stdio::piped()).stdout(stdout.writer()?).stderr(stderr.writer()?);
    sys::hold_no_signal(&mut command);
    let mut child = command.spawn().during(&step, hook.path.display())?;
    // A hook need not read its input, and may have ended without.
    let _ = child.stdin.take().map(|mut input| input.write_all(&state));
    if !ended_in_time(&child, hook.timeout).during(&step, hook.path.display())? {
        let _ = child.kill();
        let _ = child.wait();
        let cause = format!("it did not end within {} seconds", hook.timeout.unwrap_or_default());
        return Err(Failure::new(step, cause).on(hook.path.display()));
    }
    let status = child.wait().during(&step, hook.path.display())?;
    if status.success() {
        return Ok(());
    }
    let cause = format!("error running hook: {}, stdout: {}, stderr: {}", ending(status), stdout.text(), stderr.text());
    Err(Failure::new(step, cause).on(hook.path.display()))
}

/// `exit status 1`, `signal: killed`: the words of runc, which are looked for in logs.
fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal: {}", sys::signal_description(signal).to_lowercase()),
        (None, None) => status.to_string(),
    }
}

/// What a hook prints, in a file of memory: a pipe would be full at some moment, and somebody would have to read it.
struct Printed(File);

impl Printed {
    fn new() -> Result<Self> {
        let file = rustix::fs::memfd_create("hook", MemfdFlags::CLOEXEC).step("make a file for what a hook prints")?;
        Ok(Self(file.into()))
    }

    fn writer(&self) -> Result<File> {
        self.0.try_clone().step("make a file for what a hook prints")
    }

    /// The beginning of it, as one line. Empty when it cannot be read, which is no reason to hide the failure itself.
    fn text(&self) -> String {
        const MOST: u64 = 2048;
        let mut bytes = Vec::new();
        let mut file = &self.0;
        let _ = file.rewind().and_then(|()| file.take(MOST).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

fn ended_in_time(child: &Child, timeout: Option<u64>) -> rustix::io::Result<bool> {
    let Some(seconds) = timeout.filter(|seconds| *seconds > 0) else { return Ok(true) };
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return Ok(true) };
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let timeout = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX), tv_nsec: 0 };
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    Ok(rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&timeout)))? > 0)
}

/// The hooks of `create`, as a stage of the launch.
pub(crate) struct HooksStage {
    /// The record as far as it is known; its process becomes known in the launch.
    record: Record,
}

impl HooksStage {
    pub(crate) fn new(record: &Record) -> Self {
        Self { record: record.clone() }
    }
}

impl Stage for HooksStage {
    fn name(&self) -> &'static str {
        "hooks"
    }

    fn attach(&mut self, pid: Pid) -> Result<()> {
        self.record.pid = pid.as_raw_nonzero().get();
        Ok(())
    }

    /// "After the runtime environment has been created … but before pivot_root": a hook may enter the container's mount
    /// namespace and put into its root what shall not be covered by a later mount, as those for graphics cards do.
    fn mounted(&mut self) -> Result<()> {
        let Hooks { prestart, create_runtime, .. } = &self.record.hooks;
        run("prestart", prestart, &self.record, Status::Creating)?;
        run("createRuntime", create_runtime, &self.record, Status::Creating)
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let Hooks { prestart, create_runtime, create_container, start_container, .. } = &self.record.hooks;
        let mut steps = Vec::new();
        if !prestart.is_empty() || !create_runtime.is_empty() {
            let about = "Wait for the prestart and createRuntime hooks, which run on the host.";
            steps.push(Step::new("await-runtime-hooks", Phase::Mounts, about, |child| child.call_host()));
        }
        if !create_container.is_empty() {
            let about = "Run the createContainer hooks, in the container's namespaces and with the host's files.";
            steps.push(Step::new("run-create-hooks", Phase::Mounts, about, |_| {
                let (record, rootfs) = (self.in_child(), self.record.rootfs.as_path());
                let run = |hook| run_one("createContainer", hook, &record, Status::Creating, Some(rootfs));
                create_container.iter().try_for_each(run)
            }));
        }
        if !start_container.is_empty() {
            let about = "Run the startContainer hooks, in the container, when it is started.";
            steps.push(Step::new("run-start-hooks", Phase::Start, about, |_| {
                run("startContainer", start_container, &self.in_child(), Status::Created)
            }));
        }
        steps
    }
}

impl HooksStage {
    /// The child's number as the container sees it, because these hooks run in it.
    fn in_child(&self) -> Record {
        Record { pid: rustix::process::getpid().as_raw_nonzero().get(), ..self.record.clone() }
    }
}
