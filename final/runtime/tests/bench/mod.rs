//! A container with its own directories, and a test in the daemon's place.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use namespaces::Container;
use skiff_runtime::monitor::read_exit;
use skiff_runtime::plan::LogFile;
use skiff_runtime::protocol::{Attach, Event, Exit, Request, Started};
use skiff_runtime::{Channel, Plan, own_executable};

use crate::rootfs::{self, Rootfs, residue};

pub(crate) const ALL: Attach = Attach { stdin: true, stdout: true, stderr: true };
pub(crate) const OUTPUT: Attach = Attach { stdin: false, stdout: true, stderr: true };

/// A container with its own directories, and the conversation with its monitor.
pub(crate) struct Bench {
    pub(crate) rootfs: Rootfs,
    pub(crate) plan: Plan,
    pub(crate) daemon: Option<Channel>,
    pub(crate) monitor: Option<Child>,
}

impl Bench {
    pub(crate) fn new(id: &str, args: &[&str]) -> Self {
        let rootfs = Rootfs::new();
        let mut container = Container::with_defaults(rootfs.path());
        container.process.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (record, run) = (rootfs.join("record"), rootfs.join("run"));
        std::fs::create_dir(&record).unwrap();
        std::fs::create_dir(&run).unwrap();
        let log = LogFile { path: record.join("json.log"), max_size: None, max_files: 1 }.into();
        let plan = Plan { id: id.into(), record, run, container, log, ..Plan::default() };
        Self { rootfs, plan, daemon: None, monitor: None }
    }

    pub(crate) fn shell(id: &str, script: &str) -> Self {
        Self::new(id, &["sh", "-c", script])
    }

    /// Starts it with one client attached.
    pub(crate) fn start(&mut self, wants: Attach) -> UnixStream {
        let (client, theirs) = UnixStream::pair().unwrap();
        let event = self.ask_to_start(wants, theirs.into());
        assert!(matches!(event, Event::Started(Started { pid: 1.., .. })), "{event:?}");
        client
    }

    pub(crate) fn ask_to_start(&mut self, wants: Attach, socket: OwnedFd) -> Event {
        let request = Request::Start { plan: Box::new(self.plan.clone()), attach: vec![wants] };
        let (daemon, monitor) = spawn(&request, &[socket]);
        let event = receive(&daemon);
        self.daemon = Some(daemon);
        self.monitor = Some(monitor);
        event
    }

    pub(crate) fn ask(&self, request: &Request, fds: &[&OwnedFd]) -> Event {
        let daemon = self.daemon.as_ref().unwrap();
        daemon.send(request, &fds.iter().map(|fd| fd.as_fd()).collect::<Vec<_>>()).unwrap();
        receive(daemon)
    }

    pub(crate) fn attach(&self, wants: Attach) -> UnixStream {
        let (client, theirs) = UnixStream::pair().unwrap();
        assert_eq!(self.ask(&Request::Attach(wants), &[&theirs.into()]), Event::Done);
        client
    }

    /// Waits for the end: what was told must be what was written, and nothing else may be left.
    pub(crate) fn exited(&mut self) -> Exit {
        let daemon = self.daemon.take().unwrap();
        let Event::Exited(exit) = receive(&daemon) else { panic!("not the end") };
        assert!(daemon.receive::<Event>().unwrap().is_none());
        self.gone();
        assert_eq!(read_exit(&self.plan.record).unwrap().as_ref(), Some(&exit));
        exit
    }

    pub(crate) fn gone(&mut self) {
        assert!(self.monitor.take().unwrap().wait().unwrap().success());
        assert_eq!(std::fs::read_dir(&self.plan.run).unwrap().count(), 0);
        assert_eq!(residue(self.rootfs.directory.path().to_str().unwrap()), [""; 0]);
        if let Some(cgroup) = &self.plan.cgroup {
            assert_eq!(residue(cgroup.path.to_str().unwrap()), [""; 0]);
        }
    }

    pub(crate) fn logged(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.plan.record.join("json.log")).unwrap();
        let entry = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let text_of = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
        text.lines().map(entry).map(|entry| (text_of(&entry, "stream"), text_of(&entry, "log"))).collect()
    }
}

impl Drop for Bench {
    /// A failed test must not leave a container behind.
    fn drop(&mut self) {
        if let (Some(daemon), Some(mut monitor)) = (self.daemon.take(), self.monitor.take()) {
            let _ = daemon.send(&Request::Signal { signo: 9 }, &[]);
            let _ = monitor.wait();
        }
    }
}

pub(crate) fn spawn(request: &Request, fds: &[OwnedFd]) -> (Channel, Child) {
    let (daemon, theirs) = Channel::pair().unwrap();
    let executable = own_executable(&rootfs::runtime()).unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&executable));
    let monitor = Command::new(path).arg("monitor").stdin(Stdio::from(OwnedFd::from(theirs))).spawn().unwrap();
    daemon.send(request, &fds.iter().map(AsFd::as_fd).collect::<Vec<_>>()).unwrap();
    (daemon, monitor)
}

pub(crate) fn receive(daemon: &Channel) -> Event {
    daemon.receive().unwrap().expect("the monitor ended without a word").message
}

/// Everything on an attached socket without a terminal: output and error.
pub(crate) fn frames(client: &mut UnixStream) -> (String, String) {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    let (mut rest, mut streams) = (bytes.as_slice(), [String::new(), String::new()]);
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(8);
        assert_eq!(head[1..4], [0, 0, 0]);
        let (data, tail) = tail.split_at(u32::from_be_bytes(head[4..].try_into().unwrap()) as usize);
        streams[usize::from(head[0]) - 1].push_str(std::str::from_utf8(data).unwrap());
        rest = tail;
    }
    let [output, error] = streams;
    (output, error)
}

/// Reads a terminal until it shows `text`.
pub(crate) fn until(client: &mut UnixStream, text: &str) -> String {
    client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut seen = String::new();
    while !seen.contains(text) {
        let mut buffer = [0; 1024];
        let read = client.read(&mut buffer).unwrap_or_else(|error| panic!("{error}, after {seen:?}"));
        assert!(read > 0, "the end, after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    seen
}

pub(crate) fn entries(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|(stream, log)| ((*stream).to_owned(), (*log).to_owned())).collect()
}
