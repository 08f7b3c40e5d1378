//! The loop: wait until something can be done, do it, wait again.
//!
//! What to wait for is worked out anew in every turn from the state of things, so it cannot be out of date.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use namespaces::{Result, Stage};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::attached::{Attached, HEAD, Input, head};
use super::exit;
use super::log::Log;
use super::make::{Group, Made, release};
use super::stream::{Ends, Stream};
use crate::channel::Channel;
use crate::plan::Stdin;
use crate::protocol::{Event, Exit, State};

/// How much of the container's output is read at once: what fits into one frame, one write to the log.
const CHUNK: usize = 16 * 1024;

/// How much output is still read after the end of the program. Two pipes hold 128 KiB; more can only come from a process
/// that outlived it (an exec's daemon), and that one would never stop.
const LAST_CHUNKS: usize = 64;

/// How long who collects the log may take for the last of it.
const LAST_LINES: Duration = Duration::from_secs(10);

/// One program with all that is connected to it.
pub(crate) struct Monitor {
    pub(super) state: State,
    pub(super) pidfd: OwnedFd,
    pub(super) ends: Ends,
    stdin: Stdin,
    log: Log,
    pub(super) attached: Vec<Attached>,
    stages: Vec<Box<dyn Stage>>,
    group: Option<Group>,
    /// Daemons, usually one.
    pub(super) daemons: Vec<Channel>,
    /// Where the next daemon is expected.
    listener: Option<OwnedFd>,
    /// Input that the program has not taken yet.
    input: Vec<u8>,
    buffer: Vec<u8>,
}

/// Something that can become ready. A number is a place in a list, and good for one turn: when an earlier act of the turn
/// has changed the list, it names another one or none, which is then found not to be ready.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// The program has ended.
    End,
    /// Another daemon wants to talk.
    Listener,
    /// A daemon asks something.
    Daemon(usize),
    /// The program has written.
    Output(Stream),
    /// The program has room for input.
    Input,
    /// A client has room, has written, or has gone.
    Attached(usize),
    /// Who collects the log has room.
    Log,
}

impl Monitor {
    pub(super) fn new(state: State, made: Made, stdin: Stdin, log: Log) -> Self {
        let Made { running, ends, stages, group } = made;
        Self {
            state,
            pidfd: running.pidfd,
            ends,
            stdin,
            log,
            attached: Vec::new(),
            stages,
            group,
            daemons: Vec::new(),
            listener: None,
            input: Vec::new(),
            buffer: vec![0; HEAD + CHUNK],
        }
    }

    /// Listens to one more daemon.
    pub(super) fn keep(&mut self, daemon: Channel) {
        // A daemon that does not read its mail must not stop the container's output.
        if daemon.set_nonblocking().is_ok() {
            self.daemons.push(daemon);
        }
    }

    /// Connects one more client.
    pub(super) fn connect(&mut self, mut client: Attached) {
        if client.gives_input() && self.ends.input.is_none() {
            client.refuse_input();
        }
        self.attached.push(client);
    }

    /// Expects daemons at `monitor.sock` in `run`. Without it the container runs on all the same: only a daemon that starts
    /// later does not find it, and says so.
    pub(super) fn listen(&mut self, run: &Path) {
        self.listener = Channel::listen(run).ok();
    }

    /// Turns until the program has ended.
    pub(super) fn watch(&mut self) {
        loop {
            // Only a lack of memory makes poll(2) fail, and then the next one may not.
            let Ok(ready) = self.wait() else { continue };
            if ready.iter().any(|(source, _)| matches!(source, Source::End)) {
                return;
            }
            for (source, flags) in ready {
                self.act(source, flags);
            }
            self.attached.retain(|client| !client.is_done());
        }
    }

    /// What to wait for. The container's output is left alone while a client, or who collects its log, has more of it waiting
    /// than it should.
    fn interests(&self) -> Vec<(Source, PollFd<'_>)> {
        let input = PollFlags::IN;
        let mut all = vec![(Source::End, PollFd::new(&self.pidfd, input))];
        all.extend(self.listener.iter().map(|listener| (Source::Listener, PollFd::new(listener, input))));
        all.extend(self.daemons.iter().enumerate().map(|(i, fd)| (Source::Daemon(i), PollFd::new(fd, input))));
        if !self.attached.iter().any(Attached::is_full) && !self.log.holds_up() {
            let outputs = [Stream::Output, Stream::Error].map(|stream| (stream, self.ends.output(stream)));
            let open = outputs.into_iter().filter_map(|(stream, fd)| Some((Source::Output(stream), fd?)));
            all.extend(open.map(|(source, fd)| (source, PollFd::from_borrowed_fd(fd, input))));
        }
        let has_room = self.input.is_empty();
        if let Some(end) = self.ends.input.as_ref().filter(|_| !has_room) {
            all.push((Source::Input, PollFd::new(end, PollFlags::OUT)));
        }
        for (index, client) in self.attached.iter().enumerate() {
            let flags = client.interest(has_room);
            all.extend(flags.map(|flags| (Source::Attached(index), PollFd::new(client, flags))));
        }
        all.extend(self.log.waits_for().map(|fd| (Source::Log, PollFd::from_borrowed_fd(fd, PollFlags::OUT))));
        all
    }

    fn wait(&self) -> Result<Vec<(Source, PollFlags)>, Errno> {
        let (sources, mut fds): (Vec<_>, Vec<_>) = self.interests().into_iter().unzip();
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None))?;
        let flags = fds.iter().map(PollFd::revents);
        Ok(sources.into_iter().zip(flags).filter(|(_, flags)| !flags.is_empty()).collect())
    }

    fn act(&mut self, source: Source, flags: PollFlags) {
        match source {
            Source::End => {}
            Source::Listener => {
                if let Some(Ok(daemon)) = self.listener.as_ref().map(|listener| Channel::accept(listener.as_fd())) {
                    self.daemons.push(daemon);
                }
            }
            Source::Daemon(index) => self.hear(index),
            Source::Output(stream) => {
                self.pass_on(stream);
            }
            Source::Input => self.feed(),
            Source::Attached(index) => self.serve(index, flags),
            Source::Log => self.log.flush(),
        }
    }

    /// Reads output once, for the log and for everybody attached. Whether there was any.
    fn pass_on(&mut self, stream: Stream) -> bool {
        let (_, room) = self.buffer.split_at_mut(HEAD);
        let Some(read) = self.ends.read(stream, room) else { return false };
        if let Some((place, rest)) = self.buffer.split_first_chunk_mut::<HEAD>() {
            *place = head(stream, read);
            let data = rest.get(..read).unwrap_or_default();
            self.log.record(stream, data);
        }
        // The head lies before the data, so a frame is one piece of memory and one send(2).
        let start = if self.ends.is_terminal() { HEAD } else { 0 };
        let offer = self.buffer.get(start..HEAD + read).unwrap_or_default();
        for client in &mut self.attached {
            client.offer(stream, offer);
        }
        true
    }

    /// One client.
    fn serve(&mut self, index: usize, flags: PollFlags) {
        let Some(client) = self.attached.get_mut(index) else { return };
        if flags.contains(PollFlags::OUT) {
            client.flush();
        }
        if client.gives_input() && flags.contains(PollFlags::IN) {
            match client.receive(&mut self.buffer) {
                Input::Bytes(read) => {
                    self.input.extend_from_slice(self.buffer.get(..read).unwrap_or_default());
                    self.feed();
                }
                Input::End => self.input_ended(),
                Input::Nothing => {}
            }
        } else if flags.intersects(PollFlags::HUP | PollFlags::ERR) && !client.gives_input() {
            client.hang_up();
        }
    }

    /// Gives the program the input that waits, as far as it takes it.
    fn feed(&mut self) {
        let written = self.ends.write(&self.input);
        self.input = self.input.get(written..).map(<[u8]>::to_vec).unwrap_or_default();
        if self.ends.input.is_none() {
            for client in self.attached.iter_mut().filter(|client| client.gives_input()) {
                client.refuse_input();
            }
        }
    }

    /// A client will write no more. A terminal has no end of input that could be passed on.
    fn input_ended(&mut self) {
        if self.stdin == Stdin::Once && !self.ends.is_terminal() {
            self.ends.input = None;
        }
    }

    /// Hands on the last output, keeps the status, tells it, and gives everything back.
    pub(super) fn end(&mut self, record: Option<&Path>) {
        for stream in [Stream::Output, Stream::Error] {
            (0..LAST_CHUNKS).take_while(|_| self.pass_on(stream)).for_each(drop);
        }
        self.log.finish();
        let exit = self.exit();
        if let Some(record) = record {
            // A daemon that listens has the status from the message; for another one an unreadable file is an unknown end.
            let _ = exit::write(record, &exit);
        }
        // Not before: whoever is refused a connection looks for the file.
        self.listener = None;
        // Closes the sockets of all who have everything, before the end is told.
        self.attached.retain(Attached::is_waiting);
        self.state.exit = Some(exit.clone());
        for daemon in &self.daemons {
            let _ = daemon.send(&Event::Exited(exit.clone()), &[]);
        }
        release(&mut self.stages);
    }

    fn exit(&mut self) -> Exit {
        let (code, signal) = exit::reap(self.pidfd.as_fd());
        let oom_killed = self.group.as_ref().is_some_and(Group::was_oom_killed);
        let log_failure = self.log.failure();
        Exit { code, signal, oom_killed, log_failure, finished_at: Timestamp::now() }
    }

    /// Ends the conversations, then waits for the clients that have not read everything yet, and a while for who collects the log.
    pub(super) fn hang_up(&mut self) {
        self.daemons.clear();
        self.log.drain(Instant::now() + LAST_LINES);
        while !self.attached.is_empty() {
            let mut fds: Vec<_> = self.attached.iter().map(|client| PollFd::new(client, PollFlags::OUT)).collect();
            if rustix::event::poll(&mut fds, None).is_err() {
                return;
            }
            self.attached.iter_mut().for_each(Attached::flush);
            self.attached.retain(Attached::is_waiting);
        }
    }
}
