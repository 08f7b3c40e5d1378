//! `exec`: a second process in a container.

use std::os::fd::AsFd;
use std::path::Path;

use cgroups::CgroupStage;
use namespaces::{Context, Failure, Launch, Process, Result, Stage, Stdio};
use rustix::process::Pid;

use super::command::Command;
use super::config;
use super::console::ConsoleSocket;
use super::create::{preserved, read_config, write_pid_file};
use super::foreground::Foreground;
use super::options::Options;
use super::record::{Record, Status};
use super::{seccomp, translate};
use crate::monitor::exit;

/// Runs the process and waits for it; with `--detach` only the first.
pub(crate) fn exec(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    check(&record, record.status(&command.records)?, options)?;
    let process = process(&record, options)?;
    let socket = ConsoleSocket::of(options, process.terminal && options.has("detach"))?;
    let pid = Pid::from_raw(record.pid).ok_or_else(|| Failure::new("enter the container", "it has no process"))?;
    let mut group = CgroupStage::existing(&record.cgroup);
    group.prepare()?;
    let mut stages: Vec<Box<dyn Stage>> = vec![Box::new(group)];
    let stdio = if process.terminal { Stdio::Terminal } else { Stdio::Inherit };
    let foreground = if options.has("detach") { None } else { Some(Foreground::begin()?) };
    let launch = Launch { stdio: Some(stdio), timings: command.debug, ..Launch::default() };
    let mut running = namespaces::enter(pid, &process, &mut stages, launch)?;
    command.tell_timings(&running.timings);
    let mut console = running.console.take();
    if let (Some(socket), Some(terminal)) = (&socket, console.take_if(|_| socket.is_some())) {
        socket.send(terminal.as_fd())?;
    }
    write_pid_file(options, running.pid.as_raw_nonzero().get())?;
    let Some(foreground) = foreground else { return Ok(0) };
    foreground.wait(&running.pidfd, console)?;
    let (code, _) = exit::reap(running.pidfd.as_fd());
    Ok(u8::try_from(code).unwrap_or(255))
}

fn check(record: &Record, status: Status, options: &Options) -> Result<()> {
    let step = "run a process in the container";
    if let Some(group) = options.value("cgroup") {
        return Err(Failure::new(step, "a group of its own is not supported").on(group).hint("Leave out --cgroup."));
    }
    match status {
        Status::Stopped => Err(Failure::new(step, "container not running").on(&record.id)),
        Status::Paused if !options.has("ignore-paused") => {
            Err(Failure::new(step, "it is paused").on(&record.id).hint("Resume it first, or use --ignore-paused."))
        }
        _ => Ok(()),
    }
}

/// What to run: the file of `--process`, or the container's own process with other words.
fn process(record: &Record, options: &Options) -> Result<Process> {
    let container = read_config(&record.bundle)?;
    let filter = container.linux.seccomp.as_ref().map(seccomp::program).transpose()?;
    let wanted = match options.value("process").map(Path::new) {
        Some(path) => {
            let text = std::fs::read(path).during("read the process", path.display())?;
            serde_json::from_slice(&text).during("understand the process", path.display())?
        }
        None => by_options(container.process.unwrap_or_default(), options)?,
    };
    Ok(Process { seccomp: filter, preserve_fds: preserved(options)?, ..translate::program(&wanted)? })
}

fn by_options(mut process: config::Process, options: &Options) -> Result<config::Process> {
    process.args = options.words.get(1..).unwrap_or_default().to_vec();
    if process.args.is_empty() {
        return Err(Failure::new("understand the command line", "no program is given").hint("See --help."));
    }
    process.terminal = options.has("tty");
    process.env.extend(options.all("env").map(str::to_owned));
    if let Some(cwd) = options.value("cwd") {
        process.cwd = cwd.into();
    }
    if let Some(user) = options.value("user") {
        process.user = config::User { additional_gids: Vec::new(), ..by_ids(user, process.user)? };
    }
    for group in options.all("additional-gids") {
        process.user.additional_gids.push(id(group)?);
    }
    process.no_new_privileges |= options.has("no-new-privs");
    if let Some(profile) = options.value("apparmor") {
        process.apparmor_profile = Some(profile.to_owned());
    }
    if let Some(label) = options.value("process-label") {
        process.selinux_label = Some(label.to_owned());
    }
    let capabilities = process.capabilities.get_or_insert_default();
    for capability in options.all("cap") {
        for set in [&mut capabilities.bounding, &mut capabilities.effective, &mut capabilities.permitted] {
            set.push(capability.to_owned());
        }
    }
    Ok(process)
}

/// `UID[:GID]`.
fn by_ids(text: &str, before: config::User) -> Result<config::User> {
    let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
    Ok(config::User { uid: id(uid)?, gid: gid.map_or(Ok(before.gid), id)?, ..before })
}

fn id(text: &str) -> Result<u32> {
    text.parse().map_err(|_| {
        Failure::new("use the user or group", "it is not a number").on(text).hint("An OCI runtime knows numbers only.")
    })
}
