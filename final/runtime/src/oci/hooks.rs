//! Hooks: other people's programs at the turning points of a container's life (config.md, "POSIX-platform Hooks").
//!
//! ```text
//!  create                                                      start                         delete
//!  prestart, createRuntime ─▶ createContainer ─▶ (pivot) …     startContainer ─▶ poststart   poststop
//!  on the host, namespaces    in the container's mounts,       in the container  on the host  on the host
//!  exist, program waits       host's files still in view
//! ```
//!
//! Each gets the container's state as JSON on standard input.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use namespaces::{Context, Failure, Phase, Result, Stage, Step};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::config::{Hook, Hooks};
use super::record::{Record, Status};

/// Runs `hooks` in order, until one fails.
pub(crate) fn run(name: &str, hooks: &[Hook], record: &Record, status: Status) -> Result<()> {
    hooks.iter().try_for_each(|hook| run_one(name, hook, record, status))
}

/// Runs all of `hooks`. What fails is told on standard error and stops nothing: the container runs, or is gone.
pub(crate) fn run_all(name: &str, hooks: &[Hook], record: &Record, status: Status) {
    for failure in hooks.iter().filter_map(|hook| run_one(name, hook, record, status).err()) {
        eprintln!("skiff-runtime: warning: {failure}");
    }
}

fn run_one(name: &str, hook: &Hook, record: &Record, status: Status) -> Result<()> {
    let step = format!("run the {name} hook");
    let state = serde_json::to_vec(&record.state(status)).step("write the state as JSON")?;
    let mut command = Command::new(&hook.path);
    if let Some((name, arguments)) = hook.args.split_first() {
        command.arg0(name).args(arguments);
    }
    let variables = hook.env.iter().filter_map(|variable| variable.split_once('='));
    command.env_clear().envs(variables).stdin(Stdio::piped());
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
    if status.success() { Ok(()) } else { Err(Failure::new(step, status).on(hook.path.display())) }
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

    /// The namespaces exist, and the child waits.
    fn attach(&mut self, pid: Pid) -> Result<()> {
        self.record.pid = pid.as_raw_nonzero().get();
        let Hooks { prestart, create_runtime, .. } = &self.record.hooks;
        run("prestart", prestart, &self.record, Status::Creating)?;
        run("createRuntime", create_runtime, &self.record, Status::Creating)
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let Hooks { create_container, start_container, .. } = &self.record.hooks;
        let mut steps = Vec::new();
        if !create_container.is_empty() {
            let about = "Run the createContainer hooks, in the container's namespaces and with the host's files.";
            steps.push(Step::new("run-create-hooks", Phase::Mounts, about, |_| {
                run("createContainer", create_container, &self.in_child(), Status::Creating)
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
