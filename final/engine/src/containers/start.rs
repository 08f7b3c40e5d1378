//! Start: claims, network namespace, monitor, plan. What can be done at the same time is.

use std::fs::DirBuilder;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Instant;

use bollard_stubs::models::HostConfig;
use namespaces::{Context, Timing};
use network::Attachment;
use skiff_runtime::protocol::{Attach, Event, Request, Started};
use skiff_runtime::{MAX_FDS, Plan};

use super::container::{Client, Container};
use super::explain::{Measure, Timings};
use super::health::{self, Check};
use super::monitor::{Ending, Monitor};
use super::plan::files::{self, Files};
use super::plan::{self, Facts, Shared, cdi, devices};
use super::record::{Asked, Status};
use super::{Containers, blame, blocking, marked_for_removal, whole};
use crate::error::{Error, Kind, Result};
use crate::networks;

/// A container that has just been started.
struct Made {
    monitor: Monitor,
    ending: Ending,
    started: Started,
}

/// An error, and the exit code that the record keeps of it.
type Blamed = (Error, i32);

impl Containers {
    /// Starts a container, and returns when its program runs.
    ///
    /// # Errors
    /// 304 when it runs already; why it cannot be started, after which nothing is left of the attempt.
    pub async fn start(&self, name: &str) -> Result<()> {
        self.start_found(self.find(name)?, Measure::No).await.map(drop)
    }

    /// [`Self::start`] of a container that was found, and how long its parts took, if that is wanted.
    pub(super) async fn start_found(&self, container: Arc<Container>, measure: Measure) -> Result<Vec<Timing>> {
        let this = self.clone();
        whole(async move {
            let _turn = container.turn.lock().await;
            match container.status() {
                Status::Running | Status::Restarting => {
                    return Err(Error::not_modified(format!("container {} is already running", container.id)));
                }
                Status::Paused => {
                    return Err(Error::conflict("cannot start a paused container, try unpause instead"));
                }
                Status::Created | Status::Exited | Status::Dead => {}
            }
            container.change(|life| (life.state.restarts, life.state.stopped) = (0, false));
            this.launch(&container, measure).await
        })
        .await
    }

    /// Starts the program of a container that has none. The caller has its turn.
    pub(super) async fn launch(&self, container: &Arc<Container>, measure: Measure) -> Result<Vec<Timing>> {
        // What the last run's monitor still gives back has the same names as what this one makes.
        let _ = container.watch().wait_for(|life| !life.monitored).await;
        if container.watch().borrow().removing {
            return Err(marked_for_removal(container));
        }
        let named = self.take_name(container);
        let asked = container.asked();
        let mut timings = Timings::new(measure);
        let network = timings.time("claim network", || named.and_then(|()| self.claim(&asked)));
        let network = network.map_err(|error| (error, 128));
        let made = match &network {
            Ok(network) => self.make(container, &asked, network, &mut timings).await,
            Err(blamed) => Err(blamed.clone()),
        };
        match made {
            Ok(made) => {
                self.running(container, made, network.ok());
                Ok(timings.taken)
            }
            Err((error, code)) => {
                if let Ok(network) = network {
                    self.give_back(network).await;
                }
                // Their streams end here.
                drop(container.take_waiting());
                let _ = std::fs::remove_dir_all(&container.places.run);
                container.change(|life| {
                    life.state.network = None;
                    life.state.error.clone_from(&error.message);
                    life.state.exit_code = code;
                });
                container.keep();
                // `run --rm` waits for the removal, also of what never ran.
                if asked.auto_remove() {
                    self.dispose(container, true).await;
                }
                Err(error)
            }
        }
    }

    /// Notes that the program runs, and watches it from here on.
    fn running(&self, container: &Arc<Container>, made: Made, network: Option<Attachment>) {
        container.set_monitor(Some(made.monitor.clone()));
        container.change(|life| {
            (life.monitored, life.killed) = (true, false);
            let state = &mut life.state;
            (state.status, state.pid) = (Status::Running, Some(made.started.pid));
            (state.started_at, state.network) = (Some(made.started.started_at), network);
            (state.exit_code, state.oom_killed) = (0, false);
            state.error.clear();
            state.health = Check::of(&container.asked().config).map(|_| health::beginning());
        });
        container.keep();
        if let Some(network) = &container.state().network {
            self.tell_taken(container, network);
        }
        self.tell(container, "start", &[]);
        self.watch_health(container);
        self.watch(Arc::clone(container), made.monitor, made.ending);
    }

    /// Makes the network namespace and the rest at the same time: they meet in the monitor, right before it launches.
    async fn make(
        &self,
        container: &Arc<Container>,
        asked: &Asked,
        network: &Attachment,
        timings: &mut Timings,
    ) -> Result<Made, Blamed> {
        let engine_failed = |error: Error| (error, 128);
        // ANCHOR: meanwhile
        let (networks, attachment) = (Arc::clone(&self.shared.networks), network.clone());
        let netns = tokio::spawn(blocking(move || {
            let began = Instant::now();
            let made = networks.prepare(&attachment);
            let took = began.elapsed();
            tracing::debug!("prepare network (meanwhile) took {} µs", took.as_micros());
            made.map(|netns| (netns, took))
        }));
        // ANCHOR_END: meanwhile
        let begun = timings.time("start monitor", || self.start_monitor(container, asked, network));
        let begun = begun.map(|(monitor, ending, mut plan)| {
            // Measured only when somebody reads it: `--explain`, `skiffd --debug`, and `cargo xtask bench start`.
            plan.timings = timings.measure == Measure::Yes || tracing::enabled!(tracing::Level::DEBUG);
            let mut clients = container.take_waiting();
            let late = clients.split_off(clients.len().min(MAX_FDS - 1));
            let (attach, sockets): (Vec<Attach>, Vec<OwnedFd>) = clients.into_iter().unzip();
            let answer = monitor.ask(Request::Start { plan: Box::new(plan), attach }, sockets);
            (monitor, ending, answer, late)
        });
        // Waited for in any case: what it makes must not come after what takes it back.
        let netns = netns.await.map_err(Error::from).and_then(|made| made);
        let (monitor, ending, answer, late) = begun.map_err(engine_failed)?;
        match netns {
            Ok((netns, took)) => {
                timings.add("make network", took);
                if let Some(netns) = netns {
                    monitor.tell(Request::Network, vec![netns]);
                }
            }
            Err(error) => {
                drop(monitor);
                // It takes back what it has made so far.
                let _ = ending.gone.await;
                return Err(engine_failed(error));
            }
        }
        let Event::Started(started) = answer.await.map_err(blame::of_start)? else {
            return Err(engine_failed(Error::internal("the monitor gave an answer that nobody understands")));
        };
        for step in &started.timings {
            tracing::debug!("{} took {} µs", step.name, step.took.as_micros());
            timings.add(&step.name, step.took);
        }
        attach_late(&monitor, late).await;
        Ok(Made { monitor, ending, started })
    }

    /// Starts a monitor, and decides what to tell it while it comes up.
    fn start_monitor(
        &self,
        container: &Container,
        asked: &Asked,
        network: &Attachment,
    ) -> Result<(Monitor, Ending, Plan)> {
        let (monitor, ending) = Monitor::spawn(&self.shared.program)?;
        if !network.endpoints().is_empty() {
            // An engine that is killed from here on leaves a container that holds these. The next one must know.
            container.change(|life| life.state.network = Some(network.clone()));
            container.keep();
        }
        let run = &container.places.run;
        DirBuilder::new().mode(0o700).recursive(true).create(run).during("make the directory", run.display())?;
        self.write_files(container, asked, network)?;
        if container.state().finished_at.is_some() {
            // How the last run ended must not be taken for the end of this one.
            let _ = std::fs::remove_file(container.places.record.join("exit.json"));
        }
        let plan = self.plan(container, asked, network)?;
        Ok((monitor, ending, plan))
    }

    /// What a container is made from. Decided anew whenever it is needed: the records have all that it takes.
    pub(super) fn plan(&self, container: &Container, asked: &Asked, network: &Attachment) -> Result<Plan> {
        let image = self.shared.images.find(&asked.image.to_string())?;
        let mut named = cdi::look_up(&asked.host, &self.shared.config.cdi_spec_dirs)?;
        let mut devices = devices::look_up(&asked.host)?;
        devices.append(&mut named.devices);
        plan::plan(&Facts {
            asked,
            places: &container.places,
            cgroup_parent: &self.shared.config.cgroup_parent,
            lowers: self.shared.images.lowers(&image),
            network,
            links: self.link_variables(asked),
            shared: self.shared_namespaces(&asked.id, &asked.host)?,
            devices,
            named,
            throttles: devices::throttles(&asked.host)?,
            weights: devices::weights(&asked.host)?,
        })
    }

    /// Writes the three files of `/etc`. With another container's network they are that container's own, so that what changes
    /// in them is seen by both.
    pub(super) fn write_files(&self, container: &Container, asked: &Asked, network: &Attachment) -> Result<()> {
        if let Some(other) = of_container(asked.host.network_mode.as_deref()) {
            return files::share(&self.find(other)?.places, &container.places);
        }
        let (hosts, resolv) = files::of_host(network)?;
        Files::of(asked, network, self.links(asked)?, &hosts, &resolv)?.write(&container.places)
    }

    /// With another container's network comes its name: the name has an address there. Docker writes it into the record too,
    /// where execs find it.
    fn take_name(&self, container: &Container) -> Result<()> {
        let asked = container.asked();
        let Some(other) = of_container(asked.host.network_mode.as_deref()) else { return Ok(()) };
        let other = self.find(other)?.asked();
        let names = |asked: &Asked| (asked.config.hostname.clone(), asked.config.domainname.clone());
        if asked.host.uts_mode.as_deref() == Some("host") || names(&asked) == names(&other) {
            return Ok(());
        }
        container.ask(|asked| (asked.config.hostname, asked.config.domainname) = names(&other))
    }

    /// Claims what the container needs of the networks. `container:ID` shares another's namespace and claims nothing.
    fn claim(&self, asked: &Asked) -> Result<Attachment> {
        if asked.config.network_disabled == Some(true) {
            return Ok(Attachment::None);
        }
        if let Some(pid) = self.pid_of(&asked.id, asked.host.network_mode.as_deref(), "network")? {
            return Ok(Attachment::Join(format!("/proc/{pid}/ns/net").into()));
        }
        let exposed: Vec<String> = asked.config.exposed_ports.iter().flatten().map(|(port, _)| port.clone()).collect();
        let wishes = networks::Asked {
            container: &asked.id,
            name: &asked.name,
            host: &asked.host,
            endpoints: &asked.networks,
            exposed: &exposed,
        };
        self.shared.networks.claim(wishes).map_err(|error| port_taken(error, asked))
    }

    fn shared_namespaces(&self, own: &str, host: &HostConfig) -> Result<Shared> {
        let pid = self.pid_of(own, host.pid_mode.as_deref(), "PID")?;
        let ipc = self.pid_of(own, host.ipc_mode.as_deref(), "IPC")?;
        if let Some(name) = of_container(host.ipc_mode.as_deref()) {
            let other = self.find(name)?.asked();
            if !matches!(other.host.ipc_mode.as_deref(), Some("shareable" | "host")) {
                let id = &other.id;
                return Err(Error::invalid(format!(
                    "can't join IPC of container {id}: non-shareable IPC (hint: use IpcMode:shareable for the donor \
                     container)"
                )));
            }
        }
        Ok(Shared { pid, ipc })
    }

    /// The first process of the container in `container:ID`, which cannot be the one that starts (`own`).
    fn pid_of(&self, own: &str, mode: Option<&str>, kind: &str) -> Result<Option<i32>> {
        let Some(name) = of_container(mode) else { return Ok(None) };
        let other = self.find(name)?;
        if other.id == own {
            return Err(Error::invalid(format!("cannot join own {kind}")));
        }
        let pid = other.state().pid.ok_or_else(|| {
            Error::conflict(format!("cannot join {kind} namespace of a non running container: {}", other.id))
                .hint(format!("Start it first: skiff start {}", other.name()))
        })?;
        Ok(Some(pid))
    }

    /// Gives back what a container held of the networks. A failure is told: what is left over is removed when the engine
    /// starts the next time.
    pub(super) async fn give_back(&self, network: Attachment) {
        if network.endpoints().is_empty() {
            return;
        }
        let networks = Arc::clone(&self.shared.networks);
        if let Err(error) = blocking(move || networks.release(&network)).await {
            tracing::warn!("{error}");
        }
    }
}

/// Clients beyond what one message can carry.
async fn attach_late(monitor: &Monitor, clients: Vec<Client>) {
    for (wants, socket) in clients {
        if let Err(failure) = monitor.ask(Request::Attach(wants), vec![socket]).await {
            tracing::debug!("{failure}");
        }
    }
}

/// `NAME` of `container:NAME`.
fn of_container(mode: Option<&str>) -> Option<&str> {
    mode?.strip_prefix("container:")
}

/// A port that is taken, in docker's words.
fn port_taken(error: Error, asked: &Asked) -> Error {
    match error.message.find("Bind for ") {
        Some(start) if error.message.ends_with("port is already allocated") => {
            let bind = error.message.get(start..).unwrap_or_default();
            let (name, id) = (&asked.name, &asked.id);
            let message = format!("driver failed programming external connectivity on endpoint {name} ({id}): {bind}");
            Error { kind: Kind::Internal, message, hint: error.hint }
        }
        _ => error,
    }
}
