//! `exec`: a second process in a container.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use cgroups::CgroupStage;
use namespaces::{Context, Failure, Launch, Phase, Process, Result, Stage, Stdio, Step};
use rustix::process::Pid;

use super::command::Command;
use super::config;
use super::console::ConsoleSocket;
use super::create::{preserved, read_config, write_pid_file};
use super::foreground::Foreground;
use super::options::Options;
use super::record::{Record, Status};
use super::{scheduling, seccomp, translate};
use crate::monitor::exit;

/// Runs the process and waits for it; with `--detach` only the first.
pub(crate) fn exec(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    check(&record, record.status(&command.records)?, options)?;
    let (process, initial) = process(command, &record, options)?;
    let socket = ConsoleSocket::of(options, process.terminal && options.has("detach"))?;
    let pid = Pid::from_raw(record.pid).ok_or_else(|| Failure::new("enter the container", "it has no process"))?;
    let mut stages: Vec<Box<dyn Stage>> = vec![Box::new(Initial(initial))];
    let group = group_of(&record, options)?;
    if !group.as_os_str().is_empty() {
        let mut group = CgroupStage::existing(group);
        group.prepare()?;
        stages.push(Box::new(group));
    }
    let profile = read_config(&command.records.directory(&record.id)?)?.linux.seccomp;
    let agent = seccomp::AgentStage::of(profile.as_ref(), &record, Status::Running);
    stages.extend(agent.map(|agent| Box::new(agent) as Box<dyn Stage>));
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
    match status {
        Status::Stopped => Err(Failure::new(step, "container not running").on(&record.id)),
        Status::Paused if !options.has("ignore-paused") => Err(Failure::new(step, "cannot exec in a paused container")
            .on(&record.id)
            .hint("Resume it first, or use --ignore-paused.")),
        _ => Ok(()),
    }
}

/// The container's group, or one inside it (`--cgroup`), which must exist.
fn group_of(record: &Record, options: &Options) -> Result<PathBuf> {
    let Some(inner) = options.value("cgroup") else { return Ok(record.cgroup.clone()) };
    if inner.contains(':') || inner.split('/').any(|part| part == "..") {
        let cause = format!("{inner} is not a sub cgroup path");
        return Err(Failure::new("join the group", cause).on(&record.id));
    }
    Ok(record.cgroup.join(inner.trim_start_matches('/')))
}

/// The processors that it may run on until it has joined its group.
struct Initial(Vec<u32>);

impl Stage for Initial {
    fn name(&self) -> &'static str {
        "processors"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let about = "Stay on the processors that were asked for until the group decides.";
        let step = Step::new("stay-on-processors", Phase::Join, about, |_| namespaces::stay_on(&self.0));
        if self.0.is_empty() { Vec::new() } else { vec![step] }
    }
}

/// What to run, and on which processors at first: the file of `--process`, or the container's own process with other words.
fn process(command: &Command, record: &Record, options: &Options) -> Result<(Process, Vec<u32>)> {
    let container = read_config(&command.records.directory(&record.id)?)?;
    let filter = container.linux.seccomp.as_ref().map(seccomp::program).transpose()?;
    let wanted = match options.value("process").map(Path::new) {
        Some(path) => {
            let text = std::fs::read(path).during("read the process", path.display())?;
            serde_json::from_slice(&text).during("understand the process", path.display())?
        }
        None => by_options(container.process.clone().unwrap_or_default(), options)?,
    };
    for name in translate::unknown_capabilities(&wanted) {
        command.warn(&format!("there is no capability {name}: left out"));
    }
    let affinity = wanted.exec_cpu_affinity.clone().unwrap_or_default();
    let list = |list: &str| if list.is_empty() { Ok(Vec::new()) } else { scheduling::processors(list) };
    let personality = container.linux.personality.as_ref().map(scheduling::personality).transpose()?;
    let preserve_fds = preserved(options)?;
    let program = translate::program(&wanted)?;
    let processors = list(&affinity.after)?;
    let process = Process { seccomp: filter, personality, processors, preserve_fds, ..program };
    Ok((process, list(&affinity.initial)?))
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

/// `UID[:GID]`, or a name that is looked up in the image.
fn by_ids(text: &str, before: config::User) -> Result<config::User> {
    let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') {
        return Ok(config::User { username: Some(text.to_owned()), ..before });
    }
    Ok(config::User { uid: id(uid)?, gid: gid.map_or(Ok(before.gid), id)?, ..before })
}

fn id(text: &str) -> Result<u32> {
    text.parse().map_err(|_| {
        Failure::new("use the user or group", "it is not a number").on(text).hint("An OCI runtime knows numbers only.")
    })
}
