//! What is done to a container that exists: `state`, `kill`, `delete`, `pause`, `resume`, `list`, `ps`.

use std::os::fd::OwnedFd;
use std::process::Command as Program;

use cgroups::{Cgroup, Hierarchies};
use namespaces::{Context, Failure, Result};
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

use super::command::{Command, say};
use super::hooks;
use super::options::Options;
use super::record::{Record, Status};
use crate::sys;

/// `state`: prints the container's state as JSON.
pub(crate) fn state(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    let status = record.status(&command.records)?;
    let description = record.describe(status, &command.records)?;
    say(serde_json::to_string_pretty(&description).step("write the state as JSON")?)
}

/// `kill`: sends a signal, `TERM` unless told, to the first process, with `--all` to every one.
pub(crate) fn kill(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    let signo = signal(options.words.get(1).map_or("TERM", String::as_str))?;
    let process = record.process()?;
    if options.has("all") {
        // Also when the first has ended: others may have outlived it, and that nobody has is no failure.
        return send_all(&record, signo);
    }
    let process = process.ok_or_else(|| {
        Failure { errno: Some(libc::ESRCH), ..Failure::new("send a signal to", "container not running") }.on(&record.id)
    })?;
    // Without numbers of their own, the other processes do not end with the first one.
    if signo == libc::SIGKILL && !record.own_pids {
        return send_all(&record, signo);
    }
    sys::pidfd_send_signal(&process, signo).during("send a signal to", &record.id)?;
    Ok(0)
}

fn send_all(record: &Record, signo: i32) -> Result<u8> {
    match record.processes() {
        Err(failure) if failure.is(Errno::NOENT) => {}
        pids => pids?.into_iter().try_for_each(|pid| send(pid, signo))?,
    }
    Ok(0)
}

/// By its descriptor, so that real-time signals can be sent too.
fn send(pid: Pid, signo: i32) -> Result<()> {
    let sent = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        .and_then(|process| sys::pidfd_send_signal(&process, signo));
    match sent {
        // It has ended meanwhile.
        Err(Errno::SRCH) => Ok(()),
        sent => sent.during("send a signal to process", pid.as_raw_nonzero()),
    }
}

/// `delete`: removes what is left of a container that has ended or never began; with `--force`, ends it first.
///
/// `--regex PATTERN` instead of an id, crun's option, is for all whose ids match.
pub(crate) fn delete(command: &Command, options: &Options) -> Result<u8> {
    let force = options.has("force");
    let Some(pattern) = options.value("regex") else { return delete_one(command, options.id()?, force) };
    let pattern =
        regex_lite::Regex::new(pattern).map_err(|error| Failure::new("understand --regex", error).on(pattern))?;
    let matching = command.records.all()?.into_iter().filter(|record| pattern.is_match(&record.id));
    matching.map(|record| delete_one(command, &record.id, force)).try_fold(0, |_, deleted| deleted)
}

fn delete_one(command: &Command, id: &str, force: bool) -> Result<u8> {
    let record = match command.records.load(id) {
        Err(failure) if force => return forget(command, id, failure),
        record => record?,
    };
    let status = record.status(&command.records)?;
    if status != Status::Stopped {
        // The specification wants one that was only created to be refused as well. runc and crun end it, and their callers,
        // whose start has failed, count on that.
        if !force && status != Status::Created {
            return Err(Failure::new("delete the container", format!("it is {}", word(status)))
                .on(id)
                .hint("Kill it first, or use --force."));
        }
        end(&record)?;
    }
    clear(command, &record)?;
    Ok(0)
}

/// A `create` that was cut short leaves a directory without a state; nothing at all is deleted already.
fn forget(command: &Command, id: &str, failure: Failure) -> Result<u8> {
    match std::fs::remove_dir_all(command.records.directory(id)?) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failure),
        _ => Ok(0),
    }
}

/// Kills every process of the container and waits for the first one, which somebody else reaps.
pub(crate) fn end(record: &Record) -> Result<()> {
    let step = "end the container";
    if let Some(process) = record.process()? {
        match sys::pidfd_send_signal(&process, libc::SIGKILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(errno) => return Err(errno).during(step, &record.id),
        }
        match record.group() {
            _ if record.cgroup.as_os_str().is_empty() => {}
            Err(failure) if failure.is(Errno::NOENT) => {}
            group => group?.kill()?,
        }
        if !ends_within(&process, 10) {
            return Err(Failure::new(step, "its process did not end within 10 seconds").on(&record.id));
        }
    }
    Ok(())
}

fn ends_within(process: &OwnedFd, seconds: i64) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&timeout))).is_ok_and(|ready| ready > 0)
}

/// Removes the group and the record of a container that has ended, and tells the hooks.
pub(crate) fn clear(command: &Command, record: &Record) -> Result<()> {
    if !record.cgroup.as_os_str().is_empty() {
        Cgroup::destroy(&Hierarchies::discover()?, &record.cgroup)?;
    }
    let directory = command.records.directory(&record.id)?;
    std::fs::remove_dir_all(&directory).during("remove", directory.display())?;
    hooks::run_all("poststop", &record.hooks.poststop, record, Status::Stopped);
    Ok(())
}

/// `pause`: freezes every process.
pub(crate) fn pause(command: &Command, options: &Options) -> Result<u8> {
    change(command, options, &[Status::Running, Status::Created], "pause", |record| record.group()?.freeze())
}

/// `resume`: lets them go on.
pub(crate) fn resume(command: &Command, options: &Options) -> Result<u8> {
    change(command, options, &[Status::Paused], "resume", |record| record.group()?.thaw())
}

fn change(
    command: &Command,
    options: &Options,
    from: &[Status],
    verb: &str,
    act: impl FnOnce(&Record) -> Result<()>,
) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    let status = record.status(&command.records)?;
    if !from.contains(&status) {
        let step = format!("{verb} the container");
        return Err(Failure::new(step, format!("it is {}", word(status))).on(&record.id));
    }
    act(&record)?;
    Ok(0)
}

/// `list`: a table of all containers, `--quiet` their ids, `--format json` their states.
pub(crate) fn list(command: &Command, options: &Options) -> Result<u8> {
    let mut all = Vec::new();
    for record in command.records.all()? {
        all.push((record.status(&command.records)?, record));
    }
    let text = match (options.has("quiet"), options.value("format")) {
        (true, _) => all.iter().map(|(_, record)| record.id.clone()).collect::<Vec<_>>().join("\n"),
        (false, Some("json")) => {
            // One that is gone meanwhile is not there.
            let described: Vec<_> =
                all.iter().filter_map(|(status, record)| record.describe(*status, &command.records).ok()).collect();
            serde_json::to_string(&described).step("write the list as JSON")?
        }
        (false, None | Some("table")) => table(command, &all),
        (false, Some(other)) => return Err(Failure::new("use the format", "it is table or json").on(other)),
    };
    if text.is_empty() { Ok(0) } else { say(text) }
}

fn table(command: &Command, all: &[(Status, Record)]) -> String {
    let line = |(status, record): &(Status, Record)| {
        let state = record.state(*status);
        let owner = record.describe(*status, &command.records).ok()?.owner;
        let (bundle, created) = (record.bundle.display().to_string(), record.created.to_string());
        Some([record.id.clone(), state.pid.to_string(), word(*status), bundle, created, owner])
    };
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head).chain(all.iter().filter_map(line)).collect();
    let widths = lines.iter().fold([0; 6], |widths, line| {
        let mut columns = line.iter().map(String::len).zip(widths);
        std::array::from_fn(|_| columns.next().map_or(0, |(length, width)| length.max(width)))
    });
    let pad = |line: &[String; 6]| {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.iter().map(pad).collect::<Vec<_>>().join("\n")
}

/// `ps`: the processes, as ps(1) shows them on the host; with `--format json` their numbers.
pub(crate) fn ps(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    let pids: Vec<i32> = record.processes()?.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
    if options.value("format") == Some("json") {
        return say(serde_json::to_string(&pids).step("write the list as JSON")?);
    }
    let given = options.words.get(1..).filter(|given| !given.is_empty());
    let usual = ["-ef".to_owned()];
    let output = Program::new("ps").args(given.unwrap_or(&usual)).output().during("run", "ps")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let Some(column) = head.split_whitespace().position(|name| name == "PID") else {
        return Err(Failure::new("run", "it shows no column PID").on("ps"));
    };
    let number = |line: &str| line.split_whitespace().nth(column).and_then(|word| word.parse::<i32>().ok());
    let ours = lines.filter(|line| number(line).is_some_and(|pid| pids.contains(&pid)));
    say(std::iter::once(head).chain(ours).collect::<Vec<_>>().join("\n"))
}

fn word(status: Status) -> String {
    format!("{status:?}").to_lowercase()
}

/// `9`, `KILL` and `SIGKILL` are one. 0 is no signal; sending it asks whether one could be sent.
fn signal(name: &str) -> Result<i32> {
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let number = name.parse::<i32>().ok().filter(|number| (0..=64).contains(number));
    number
        .or_else(|| full.parse::<Signal>().ok().map(|signal| signal as i32))
        .ok_or_else(|| Failure::new("use the signal", "there is no such signal").on(name).hint("kill -l lists them."))
}
