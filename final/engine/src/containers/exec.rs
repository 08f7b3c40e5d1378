//! Exec: further programs in a running container, each with a monitor of its own.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use bollard_stubs::models::{ExecConfig, ExecInspectResponse, ExecStartConfig, ProcessConfig};
use rustix::io::Errno;
use skiff_runtime::ExecPlan;
use skiff_runtime::plan::Stdin;
use skiff_runtime::protocol::{Attach, Event, Request};

use super::attach::{Attached, pair};
use super::container::{Container, lock};
use super::monitor::{Ending, Monitor};
use super::plan::{cgroup_path, process};
use super::record::Status;
use super::remove::remove_tree;
use super::{Containers, blame, names, whole};
use crate::error::{Error, Result};

/// How many execs of a container are remembered after their end. Health checks and scripts make thousands.
const REMEMBERED: usize = 64;

/// One exec.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) id: String,
    /// Rises from one exec to the next: which are the oldest.
    pub(super) number: u64,
    pub(super) container: Arc<Container>,
    pub(super) config: ExecConfig,
    pub(super) state: Mutex<ExecState>,
}

#[derive(Debug, Default)]
pub(super) struct ExecState {
    pub(super) begun: bool,
    pub(super) running: bool,
    pub(super) pid: Option<i32>,
    pub(super) exit_code: Option<i32>,
    pub(super) monitor: Option<Monitor>,
}

/// An exec that is about to run. Two steps, because a client must have seen that its connection is a stream now before the
/// first byte of output is on it.
#[derive(Debug)]
pub struct Begun {
    containers: Containers,
    exec: Arc<Exec>,
}

impl Begun {
    /// Whether its streams are a terminal.
    pub fn tty(&self) -> bool {
        self.exec.config.tty == Some(true)
    }

    /// Runs the program. Returns the client's end of its streams, or `None` when the client detaches.
    ///
    /// # Errors
    /// Those of the engine. That the program cannot be run is said on the stream, as docker does, because a client looks
    /// there; the exit code is 126 or 127 then.
    pub async fn run(self, options: ExecStartConfig) -> Result<Option<Attached>> {
        let Self { containers, exec } = self;
        whole(async move { containers.run(&exec, options).await }).await
    }
}

/// All execs, by id.
pub(super) type Execs = HashMap<String, Arc<Exec>>;

impl Containers {
    /// Notes a program to be run in a container. Returns the exec's id.
    ///
    /// # Errors
    /// 409 when the container does not run or is paused, 400 without a program.
    pub fn exec_create(&self, name: &str, config: ExecConfig) -> Result<String> {
        let container = self.find(name)?;
        match container.status() {
            Status::Running => {}
            Status::Paused => {
                return Err(Error::conflict(format!("Container {name} is paused, unpause the container before exec")));
            }
            _ => return Err(container.not_running()),
        }
        if config.cmd.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::invalid("No exec command specified"));
        }
        let id = names::new_id()?;
        let words = config.cmd.clone().unwrap_or_default().join(" ");
        let more = [("execID", id.clone())];
        self.tell(&container, &format!("exec_create: {words}"), &more);
        let mut execs = lock(&self.shared.execs);
        let forgotten = oldest(&execs, &container.id);
        execs.retain(|id, _| !forgotten.contains(id));
        let number = execs.values().map(|exec| exec.number + 1).max().unwrap_or(0);
        let exec = Exec { id: id.clone(), number, container, config, state: Mutex::default() };
        execs.insert(id.clone(), Arc::new(exec));
        drop(execs);
        for id in forgotten {
            let _ = remove_tree(&self.exec_directory(&id));
        }
        Ok(id)
    }

    /// Runs the program. Returns the client's end of its streams, or `None` when the client detaches.
    ///
    /// # Errors
    /// Those of [`Self::exec_begin`] and [`Begun::run`].
    pub async fn exec_start(&self, id: &str, options: ExecStartConfig) -> Result<Option<Attached>> {
        self.exec_begin(id)?.run(options).await
    }

    /// Takes the one right to run the program.
    ///
    /// # Errors
    /// 409 when it has run already or the container does not.
    pub fn exec_begin(&self, id: &str) -> Result<Begun> {
        let exec = self.exec(id)?;
        match exec.container.status() {
            Status::Running => {}
            Status::Paused => {
                let id = &exec.container.id;
                return Err(Error::conflict(format!("Container {id} is paused, unpause the container before exec")));
            }
            _ => return Err(exec.container.not_running()),
        }
        if std::mem::replace(&mut lock(&exec.state).begun, true) {
            return Err(Error::conflict(format!("Error: Exec command {id} has already run")));
        }
        Ok(Begun { containers: self.clone(), exec })
    }

    async fn run(&self, exec: &Arc<Exec>, options: ExecStartConfig) -> Result<Option<Attached>> {
        let set = |flag: Option<bool>| flag == Some(true);
        let detach = set(options.detach);
        let mut config = exec.config.clone();
        config.console_size = options.console_size.or(config.console_size);
        let tty = set(config.tty);
        let wants = Attach {
            stdin: set(config.attach_stdin),
            stdout: set(config.attach_stdout),
            stderr: set(config.attach_stderr),
        };
        let (client, socket) = if detach { (None, None) } else { pair().map(|(near, far)| (Some(near), Some(far)))? };
        // Kept until the exit code is known: a client asks for it as soon as its stream has ended.
        let kept = socket.as_ref().and_then(|socket| socket.try_clone().ok());
        match self.enter(exec, &config, wants, socket).await {
            Ok((monitor, ending)) => self.watch_exec(Arc::clone(exec), monitor, ending, kept),
            Err((error, code)) => {
                lock(&exec.state).exit_code = Some(code);
                let _ = remove_tree(&self.exec_directory(&exec.id));
                match kept {
                    None => return Err(error),
                    Some(socket) => complain(socket, &error, tty),
                }
            }
        }
        Ok(client.map(|stream| Attached { stream, tty }))
    }

    async fn enter(
        &self,
        exec: &Exec,
        config: &ExecConfig,
        wants: Attach,
        socket: Option<OwnedFd>,
    ) -> Result<(Monitor, Ending), (Error, i32)> {
        let engine_failed = |error: Error| (error, 126);
        let asked = exec.container.asked();
        let pid = exec.container.state().pid.ok_or_else(|| engine_failed(exec.container.not_running()))?;
        let process = process::of_exec(&asked, &self.link_variables(&asked), config).map_err(engine_failed)?;
        let plan = ExecPlan {
            id: exec.id.clone(),
            pid,
            run: Some(self.keep_exec(exec).map_err(engine_failed)?),
            process,
            cgroup: Some(cgroup_path(&asked, &self.shared.config.cgroup_parent)),
            stdin: if wants.stdin { Stdin::Once } else { Stdin::Closed },
            timings: false,
        };
        let (monitor, ending) =
            Monitor::spawn(&self.shared.program).map_err(|failure| engine_failed(failure.into()))?;
        let attach = socket.iter().map(|_| wants).collect();
        let request = Request::Exec { plan: Box::new(plan), attach };
        let answer = monitor.ask(request, socket.into_iter().collect()).await.map_err(|failure| {
            if failure.is(Errno::SRCH) { engine_failed(exec.container.not_running()) } else { blame::of_exec(failure) }
        })?;
        let mut state = lock(&exec.state);
        if let Event::Started(started) = answer {
            (state.running, state.pid) = (true, Some(started.pid));
        }
        state.monitor = Some(monitor.clone());
        drop(state);
        let words = exec.config.cmd.clone().unwrap_or_default().join(" ");
        self.tell(&exec.container, &format!("exec_start: {words}"), &[("execID", exec.id.clone())]);
        Ok((monitor, ending))
    }

    pub(super) fn watch_exec(&self, exec: Arc<Exec>, monitor: Monitor, ending: Ending, kept: Option<OwnedFd>) {
        let this = self.clone();
        tokio::spawn(async move {
            // A monitor that is lost takes its program along: nobody reads its output any more.
            let code = ending.exit.await.map_or(137, |exit| exit.code);
            {
                let mut state = lock(&exec.state);
                (state.running, state.exit_code, state.monitor) = (false, Some(code), None);
            }
            drop(kept);
            let more = [("execID", exec.id.clone()), ("exitCode", code.to_string())];
            this.tell(&exec.container, "exec_die", &more);
            let _ = ending.gone.await;
            drop(monitor);
        });
    }

    /// How an exec is.
    pub fn exec_inspect(&self, id: &str) -> Result<ExecInspectResponse> {
        let exec = self.exec(id)?;
        let (config, state) = (&exec.config, lock(&exec.state));
        let mut words = config.cmd.clone().unwrap_or_default().into_iter();
        Ok(ExecInspectResponse {
            can_remove: Some(!state.running),
            container_id: Some(exec.container.id.clone()),
            detach_keys: Some(config.detach_keys.clone().unwrap_or_default()),
            exit_code: state.exit_code.map(i64::from),
            id: Some(exec.id.clone()),
            open_stderr: Some(config.attach_stderr == Some(true)),
            open_stdin: Some(config.attach_stdin == Some(true)),
            open_stdout: Some(config.attach_stdout == Some(true)),
            pid: Some(state.pid.unwrap_or(0).into()),
            process_config: Some(ProcessConfig {
                tty: Some(config.tty == Some(true)),
                entrypoint: words.next(),
                arguments: Some(words.collect()),
                privileged: Some(config.privileged == Some(true)),
                user: config.user.clone().filter(|user| !user.is_empty()),
            }),
            running: Some(state.running),
        })
    }

    /// Tells an exec's terminal its size.
    ///
    /// # Errors
    /// 409 when it does not run.
    pub async fn exec_resize(&self, id: &str, height: u16, width: u16) -> Result<()> {
        let exec = self.exec(id)?;
        let monitor = lock(&exec.state).monitor.clone();
        let monitor = monitor.ok_or_else(|| Error::conflict(format!("exec process {id} is not running")))?;
        monitor.ask(Request::Resize { width, height }, Vec::new()).await?;
        Ok(())
    }

    /// The execs of a container that run, for `inspect`.
    pub(super) fn running_execs(&self, container: &str) -> Vec<String> {
        let execs = lock(&self.shared.execs);
        let running = |exec: &&Arc<Exec>| exec.container.id == container && lock(&exec.state).running;
        execs.values().filter(running).map(|exec| exec.id.clone()).collect()
    }

    /// Kills an exec's program. One that has ended already is what was wanted.
    pub(super) fn exec_kill(&self, id: &str) {
        let monitor = self.exec(id).ok().and_then(|exec| lock(&exec.state).monitor.clone());
        if let Some(monitor) = monitor {
            // Sent by the call; the answer interests nobody.
            drop(monitor.ask(Request::Signal { signo: 9 }, Vec::new()));
        }
    }

    /// Forgets an exec that nobody will ask about.
    pub(super) fn forget_exec(&self, id: &str) {
        lock(&self.shared.execs).remove(id);
        let _ = remove_tree(&self.exec_directory(id));
    }

    /// Forgets those execs of a container that were never run: it has ended, and its next life does not know them.
    pub(super) fn forget_unbegun(&self, container: &str) {
        let unbegun = |exec: &Arc<Exec>| exec.container.id == container && !lock(&exec.state).begun;
        lock(&self.shared.execs).retain(|_, exec| !unbegun(exec));
    }

    /// Forgets the execs of a container that is gone.
    pub(super) fn forget_execs(&self, container: &str) {
        let of_it = |_: &String, exec: &mut Arc<Exec>| exec.container.id == container;
        let forgotten: Vec<_> = lock(&self.shared.execs).extract_if(of_it).map(|(id, _)| id).collect();
        for id in forgotten {
            let _ = remove_tree(&self.exec_directory(&id));
        }
    }

    fn exec(&self, id: &str) -> Result<Arc<Exec>> {
        let none = || Error::not_found(format!("No such exec instance: {id}"));
        lock(&self.shared.execs).get(id).cloned().ok_or_else(none)
    }
}

/// Writes why the program could not be run where its output would have been, and what to do when it is there: why that file
/// cannot be run is the question then.
fn complain(socket: OwnedFd, error: &Error, tty: bool) {
    let hint = error.hint.iter().filter(|_| error.message.contains(": exec: ") && !error.message.contains("$PATH"));
    let lines: Vec<&str> = [error.message.as_str()].into_iter().chain(hint.map(String::as_str)).collect();
    let text = lines.join("\r\n") + "\r\n";
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let head = [&[1, 0, 0, 0], &length[..]].concat();
    let bytes = if tty { text.into_bytes() } else { [head, text.into_bytes()].concat() };
    // A new socket has room for it; a client that has gone needs no explanation.
    let _ = std::io::Write::write_all(&mut std::os::unix::net::UnixStream::from(socket), &bytes);
}

/// Those of a container's ended execs that have to make room for one more.
fn oldest(execs: &Execs, container: &str) -> Vec<String> {
    let ended = |exec: &&Arc<Exec>| {
        let state = lock(&exec.state);
        exec.container.id == container && (state.exit_code.is_some() || !state.begun)
    };
    let mut ended: Vec<_> = execs.values().filter(ended).map(|exec| (exec.number, exec.id.clone())).collect();
    ended.sort();
    let surplus = (ended.len() + 1).saturating_sub(REMEMBERED);
    ended.into_iter().take(surplus).map(|(_, id)| id).collect()
}
