//! From a plan to a running program: the stages of chapters 1 to 5, and the ends of its streams.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use cgroups::{Cgroup, CgroupStage, Hierarchies};
use namespaces::{Failure, Launch, Phase, Result, Running, Stage, Stdio, Step};
use network::NetworkStage;
use rustix::fs::Mode;
use rustix::process::Pid;
use unionfs::OverlayStage;
use volumes::VolumesStage;

use super::exit;
use super::stream::Ends;
use crate::channel::Channel;
use crate::plan::{ExecPlan, Network, Plan, Stdin};
use crate::protocol::Request;
use crate::sys;

/// A program that runs, and what its monitor holds of it.
pub(crate) struct Made {
    pub(crate) running: Running,
    pub(crate) ends: Ends,
    /// The stages that have something to give back at the end.
    pub(crate) stages: Vec<Box<dyn Stage>>,
    /// Where to ask what the group went through.
    pub(crate) group: Option<Group>,
}

/// The network namespace that the daemon prepares.
pub(crate) enum Netns {
    /// None: the plan says which one it is.
    None,
    /// This one.
    There(OwnedFd),
    /// It will come over this channel.
    Coming(Channel),
}

/// A cgroup, by the place where it can be found again.
pub(crate) struct Group {
    hierarchies: Hierarchies,
    path: PathBuf,
}

impl Group {
    /// Whether the kernel killed a process of the group for want of memory. What cannot be read was not limited.
    pub(crate) fn was_oom_killed(&self) -> bool {
        Cgroup::open(&self.hierarchies, &self.path).and_then(|cgroup| cgroup.oom_kills()).is_ok_and(|kills| kills > 0)
    }
}

/// Makes the container. On failure nothing is left of it.
pub(crate) fn container(plan: &Plan, netns: Netns) -> Result<Made> {
    let group =
        plan.cgroup.as_ref().map(|group| Ok(Group { hierarchies: Hierarchies::discover()?, path: group.path.clone() }));
    let group = group.transpose()?;
    let mut stages = stages(plan, netns, group.as_ref())?;
    let terminal = plan.container.process.terminal;
    let made = with_streams(terminal, plan.stdin, plan.timings, |options| {
        namespaces::launch(&plan.container, &mut stages, options)
    });
    // A failed launch has released them already; once more does no harm, and the terminal may have failed after it.
    let (running, ends) = made.inspect_err(|_| release(&mut stages))?;
    // The network namespace lives in the container now; held here as well, it would outlive it.
    stages.retain(|stage| matches!(stage.name(), "cgroups" | "unionfs"));
    Ok(Made { running, ends, stages, group })
}

/// Makes a second process in a container.
pub(crate) fn exec(plan: &ExecPlan) -> Result<Made> {
    let missing = || Failure::new("enter the container of process", "it is no process id").on(plan.pid);
    let pid = Pid::from_raw(plan.pid).ok_or_else(missing)?;
    let mut stages: Vec<Box<dyn Stage>> = Vec::new();
    if let Some(path) = &plan.cgroup {
        let mut stage = CgroupStage::existing(path);
        stage.prepare()?;
        stages.push(Box::new(stage));
    }
    let (running, ends) = with_streams(plan.process.terminal, plan.stdin, plan.timings, |options| {
        namespaces::enter(pid, &plan.process, &mut stages, options)
    })?;
    Ok(Made { running, ends, stages: Vec::new(), group: None })
}

/// The stages in the order of the chapters.
fn stages(plan: &Plan, netns: Netns, group: Option<&Group>) -> Result<Vec<Box<dyn Stage>>> {
    let mut stages: Vec<Box<dyn Stage>> = Vec::new();
    if let (Some(wanted), Some(group)) = (&plan.cgroup, group) {
        stages.push(Box::new(CgroupStage::new(wanted.clone()).on(group.hierarchies.clone())));
    }
    if let Some(overlay) = &plan.overlay {
        stages.push(Box::new(OverlayStage::new(overlay.clone())));
    }
    let mut coming = None;
    match (plan.network, netns) {
        (Network::FromFd, Netns::There(netns)) => stages.push(Box::new(NetworkStage::from_netns(netns))),
        (Network::Coming, Netns::Coming(channel)) => coming = Some(ComingNetwork { channel, network: None }),
        (Network::Container, Netns::None) => {}
        (wanted, _) => {
            let cause = format!("the plan says {wanted:?}, and the descriptors beside it say otherwise");
            return Err(Failure::new("join the container's network namespace", cause));
        }
    }
    if !plan.volumes.is_empty() {
        stages.push(Box::new(VolumesStage::new(plan.volumes.clone())));
    }
    if plan.create_cwd {
        stages.push(Box::new(WorkingDirectory(plan.container.process.cwd.clone())));
    }
    // Waited for last: by then everything else is prepared.
    stages.extend(coming.map(|coming| Box::new(coming) as Box<dyn Stage>));
    Ok(stages)
}

/// The network stage of a namespace that is still being prepared when the monitor starts.
struct ComingNetwork {
    channel: Channel,
    network: Option<NetworkStage>,
}

impl Stage for ComingNetwork {
    fn name(&self) -> &'static str {
        "network"
    }

    fn prepare(&mut self) -> Result<()> {
        let received = self.channel.receive::<Request>()?;
        let netns = received.filter(|received| received.message == Request::Network).and_then(|mut it| it.fds.pop());
        let missing = || Failure::new("wait for the network namespace", "the daemon has given up");
        self.network = Some(NetworkStage::from_netns(netns.ok_or_else(missing)?));
        Ok(())
    }

    fn steps(&self) -> Vec<Step<'_>> {
        self.network.as_ref().map(Stage::steps).unwrap_or_default()
    }
}

/// Launches with pipes, or with a terminal.
fn with_streams(
    terminal: bool,
    stdin: Stdin,
    timings: bool,
    launch: impl FnOnce(Launch) -> Result<Running>,
) -> Result<(Running, Ends)> {
    if !terminal {
        let (theirs, ends) = Ends::pipes(stdin)?;
        let running = launch(Launch { stdio: Some(theirs), timings, ..Launch::default() })?;
        return Ok((running, ends));
    }
    let mut running = launch(Launch { stdio: Some(Stdio::Terminal), timings, ..Launch::default() })?;
    let missing = || Failure::new("take the terminal's outer end", "the container's process did not send it");
    let ends = running.console.take().ok_or_else(missing).and_then(|console| Ends::terminal(console, stdin));
    match ends {
        Ok(ends) => Ok((running, ends)),
        Err(failure) => {
            // Fails only when it has ended already.
            let _ = sys::pidfd_send_signal(&running.pidfd, libc::SIGKILL);
            exit::reap(running.pidfd.as_fd());
            Err(failure)
        }
    }
}

/// Gives back what outlives the process. What fails here fails again when the engine compares its records with the
/// kernel, and is told then.
pub(crate) fn release(stages: &mut [Box<dyn Stage>]) {
    for stage in stages.iter_mut().rev() {
        let _ = stage.release();
    }
}

/// Makes the working directory where the image has none, as docker does: a `WORKDIR` of a Dockerfile need not exist.
pub(crate) struct WorkingDirectory(pub(crate) PathBuf);

impl Stage for WorkingDirectory {
    fn name(&self) -> &'static str {
        "working-directory"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let about = "Make the working directory if the image has none.";
        vec![Step::new("make-directory", Phase::Mounts, about, |child| {
            child.root()?.create_dir_all(&self.0, Mode::from_raw_mode(0o755)).map(|_| ())
        })]
    }
}
