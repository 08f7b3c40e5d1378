//! `create`, `start` and `run`.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cgroups::CgroupStage;
use jiff::Timestamp;
use namespaces::{Context, Failure, Launch, Namespace, Phase, Process, Result, Running, Stage, Stdio, Step};
use network::netlink::{self, Operation};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::command::{Command, is_ordinary_user};
use super::config::Config;
use super::console::ConsoleSocket;
use super::copy_up::CopyUpStage;
use super::foreground::Foreground;
use super::hooks::{self, HooksStage};
use super::lifecycle;
use super::options::Options;
use super::record::{NewRecord, Record, Status, began};
use super::seccomp::AgentStage;
use super::translate;
use crate::monitor::{WorkingDirectory, exit};
use crate::plan::Plan;
use crate::sys;

/// `create`: everything but the program. It waits at the gate, a FIFO in its record.
pub(crate) fn create(command: &Command, options: &Options) -> Result<u8> {
    let id = options.id()?;
    let mut wish = Wish::read(command, options, id)?;
    let new = command.records.claim(id)?;
    let gate = make_gate(&command.records.gate(id)?)?;
    let console = ConsoleSocket::of(options, wish.plan.container.process.terminal)?;
    let made = wish.make(command, Some(gate))?;
    made.hand_over(options, console.as_ref(), new, &wish.text)?;
    Ok(0)
}

/// `start`: opens the gate.
pub(crate) fn start(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    let step = "start the container";
    match record.status(&command.records)? {
        Status::Created => {}
        Status::Stopped => return Err(Failure::new(step, "it has ended before it was started").on(&record.id)),
        _ => return Err(Failure::new(step, "it was started already").on(&record.id)),
    }
    if record.lacks_program {
        return Err(translate::missing("process").hint("It can be deleted. Create it again with a program."));
    }
    let gate = command.records.gate(&record.id)?;
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(&gate, flags, Mode::empty()) {
        Err(Errno::NXIO) => Err(Failure::new(step, "it has ended before it was started").on(&record.id)),
        opened => opened.during("open the gate", gate.display()),
    }?;
    rustix::io::write(&opened, &[1]).during("open the gate", gate.display())?;
    std::fs::remove_file(&gate).during("remove the gate", gate.display())?;
    poststart(&record)?;
    Ok(0)
}

/// The poststart hooks. Where one fails the container is ended, as runc does; version 1.2 of the specification wanted a warning
/// only, later ones want this.
fn poststart(record: &Record) -> Result<()> {
    hooks::run("poststart", &record.hooks.poststart, record, Status::Running)
        .inspect_err(|_| drop(lifecycle::end(record)))
}

/// `run`: create, start, wait, delete; with `--detach` the first two.
pub(crate) fn run(command: &Command, options: &Options) -> Result<u8> {
    let id = options.id()?;
    let mut wish = Wish::read(command, options, id)?;
    if wish.config.process.is_none() {
        return Err(translate::missing("process"));
    }
    let detach = options.has("detach");
    let terminal = wish.plan.container.process.terminal;
    let socket = ConsoleSocket::of(options, terminal && detach)?;
    let new = command.records.claim(id)?;
    // Signals are held back from here on, so that none is lost between the launch and the waiting.
    let foreground = if detach { None } else { Some(Foreground::begin()?) };
    let mut made = wish.make(command, None)?;
    let console = if socket.is_none() { made.running.console.take() } else { None };
    let pidfd = made.running.pidfd.try_clone().step("duplicate the process's descriptor")?;
    let record = made.hand_over(options, socket.as_ref(), new, &wish.text)?;
    if let Err(failure) = poststart(&record) {
        exit::reap(pidfd.as_fd());
        lifecycle::clear(command, &record)?;
        return Err(failure);
    }
    let Some(foreground) = foreground else { return Ok(0) };
    foreground.wait(&pidfd, console)?;
    let (code, _) = exit::reap(pidfd.as_fd());
    if !options.has("keep") {
        lifecycle::clear(command, &record)?;
    }
    Ok(u8::try_from(code).unwrap_or(255))
}

/// A container that is wanted.
struct Wish {
    bundle: PathBuf,
    /// Of its config, which is kept: an exec is described by it, and nobody promises that the bundle stays.
    text: Vec<u8>,
    config: Config,
    plan: Plan,
}

impl Wish {
    fn read(command: &Command, options: &Options, id: &str) -> Result<Self> {
        if options.has("no-pivot") {
            return Err(Failure::new(
                "make the container without pivot_root",
                "chroot can be left again, pivot_root not",
            )
            .hint("Leave out --no-pivot; on an initramfs, put the root on a tmpfs first."));
        }
        let bundle = Path::new(options.value("bundle").unwrap_or("."));
        let bundle = std::path::absolute(bundle).during("find the bundle", bundle.display())?;
        let path = bundle.join(options.value("config").unwrap_or(CONFIG));
        let text = read_text(&path)?;
        let config: Config = serde_json::from_slice(&text).during("understand", path.display())?;
        for name in config.process.iter().flat_map(translate::unknown_capabilities) {
            command.warn(&format!("there is no capability {name}: left out"));
        }
        let mut plan = translate::plan(&config, &bundle, id)?;
        // An ordinary user may make no groups, unless somebody has given him one; without limits none is needed.
        let unlimited = plan.cgroup.as_ref().is_some_and(|cgroup| cgroup.limits == translate::no_limits());
        if command.without_groups || (unlimited && is_ordinary_user()) {
            plan.cgroup = None;
        }
        plan.container.process.preserve_fds = preserved(options)?;
        pass_sockets(&mut plan.container.process);
        Ok(Self { bundle, text, config, plan })
    }

    /// Makes it. What was made is taken back when a later step fails.
    fn make(&mut self, command: &Command, gate: Option<OwnedFd>) -> Result<Made> {
        let record = self.record();
        let container = &self.plan.container;
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        if let Some(cgroup) = &self.plan.cgroup {
            stages.push(Box::new(CgroupStage::new(cgroup.clone())));
        }
        let agent = AgentStage::of(self.config.linux.seccomp.as_ref(), &record, Status::Creating);
        stages.extend(agent.map(|agent| Box::new(agent) as Box<dyn Stage>));
        if container.namespaces.net == Namespace::New {
            stages.push(Box::new(Loopback));
        }
        let copied = CopyUpStage::of(&self.config.mounts, &container.root.path);
        stages.extend(copied.map(|stage| Box::new(stage) as Box<dyn Stage>));
        // Not asked for by the specification, but done by everybody.
        stages.push(Box::new(WorkingDirectory(container.process.cwd.clone())));
        // Last, because hooks are to find everything mounted.
        stages.push(Box::new(HooksStage::new(&record)));
        let stdio = if container.process.terminal { Stdio::Terminal } else { Stdio::Inherit };
        let launch = Launch { stdio: Some(stdio), timings: command.debug, gate, ..Launch::default() };
        let running = namespaces::launch(container, &mut stages, launch)?;
        command.tell_timings(&running.timings);
        let pid = running.pid.as_raw_nonzero().get();
        let pid_began = began(pid).unwrap_or_default();
        Ok(Made { record: Record { pid, pid_began, ..record }, running, stages, kept: false })
    }

    fn record(&self) -> Record {
        Record {
            id: self.plan.id.clone(),
            bundle: self.bundle.clone(),
            pid: 0,
            pid_began: 0,
            created: Timestamp::now(),
            cgroup: self.plan.cgroup.as_ref().map(|cgroup| cgroup.path.clone()).unwrap_or_default(),
            rootfs: self.plan.container.root.path.clone(),
            lacks_program: self.config.process.is_none(),
            own_pids: self.plan.container.namespaces.pid == Namespace::New,
            annotations: self.config.annotations.clone(),
            hooks: self.config.hooks.clone(),
        }
    }
}

/// A container that was made and is not recorded yet. Dropped before that, it is taken back.
struct Made {
    record: Record,
    running: Running,
    stages: Vec<Box<dyn Stage>>,
    kept: bool,
}

impl Made {
    /// Gives the terminal and the process's number to whoever asked, and writes the record.
    fn hand_over(
        mut self,
        options: &Options,
        console: Option<&ConsoleSocket>,
        new: NewRecord,
        config: &[u8],
    ) -> Result<Record> {
        if let (Some(socket), Some(terminal)) = (console, &self.running.console) {
            socket.send(terminal.as_fd())?;
        }
        write_pid_file(options, self.record.pid)?;
        new.keep(&self.record, config)?;
        self.kept = true;
        Ok(self.record.clone())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.kept {
            // Fails only when it has ended already.
            let _ = sys::pidfd_send_signal(&self.running.pidfd, libc::SIGKILL);
            exit::reap(self.running.pidfd.as_fd());
            for stage in self.stages.iter_mut().rev() {
                let _ = stage.release();
            }
        }
    }
}

/// Name of the file.
pub(crate) const CONFIG: &str = "config.json";

/// Reads the `config.json` in a directory.
pub(crate) fn read_config(directory: &Path) -> Result<Config> {
    let path = directory.join(CONFIG);
    serde_json::from_slice(&read_text(&path)?).during("understand", path.display())
}

fn read_text(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).during("read", path.display()).map_err(|failure| {
        failure.hint("A bundle is a directory with a config.json and a root file system; `spec` writes a config.json.")
    })
}

/// How many descriptors from 3 on the program inherits.
pub(crate) fn preserved(options: &Options) -> Result<u32> {
    let Some(value) = options.value("preserve-fds") else { return Ok(0) };
    value.parse().map_err(|_| Failure::new("understand --preserve-fds", "it is a number").on(value))
}

/// Socket activation (sd_listen_fds(3)): whoever starts the runtime with `LISTEN_FDS` has sockets open from 3 on that are meant
/// for the program, which is the first process of its own namespace. Others come after them.
fn pass_sockets(process: &mut Process) {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(count) = variable("LISTEN_FDS").and_then(|count| count.parse::<u32>().ok()).filter(|count| *count > 0)
    else {
        return;
    };
    process.preserve_fds = process.preserve_fds.saturating_add(count);
    process.env.extend([format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()]);
    process.env.extend(variable("LISTEN_FDNAMES").map(|names| format!("LISTEN_FDNAMES={names}")));
}

/// Writes the process's number to the file of `--pid-file`, so that half a number is never found there.
pub(crate) fn write_pid_file(options: &Options, pid: i32) -> Result<()> {
    let Some(path) = options.value("pid-file").map(Path::new) else { return Ok(()) };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let begun = path.with_file_name(format!(".{name}.new"));
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&begun);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, pid.to_string().as_bytes()))
        .and_then(|()| std::fs::rename(&begun, path))
        .during("write the pid file", path.display())
}

/// Opened for reading and writing, a FIFO waits for a byte and not for somebody who opens the other end.
fn make_gate(path: &Path) -> Result<OwnedFd> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .during("make the gate", path.display())?;
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).during("open the gate", path.display())
}

/// Switches the loopback of a new network namespace on, as every runtime does.
struct Loopback;

impl Stage for Loopback {
    fn name(&self) -> &'static str {
        "loopback"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let about = "Switch the loopback of the new network namespace on.";
        vec![Step::new("loopback-up", Phase::Isolate, about, |_| {
            netlink::apply(&mut netlink::Socket::route()?, &[Operation::SetUp { link: "lo".to_owned() }], None)
        })]
    }
}
