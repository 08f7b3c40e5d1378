//! # skiffd
//!
//! The daemon: the Docker Engine REST API, version 1.51, over the engine. It translates HTTP into calls of `skiff-engine`
//! and back, and decides nothing about containers itself.
//!
//! Read the files in this order:
//!
//! 1. `flags.rs`: the flags, which are dockerd's; `config_file.rs`: the same in `daemon.json`.
//! 2. `lock.rs`, `address.rs`, `listener.rs`, `passed.rs`, `tls.rs`: one daemon per root, where it listens, and who may
//!    connect; `sys.rs`: descriptors, the only `unsafe`.
//! 3. `stream.rs`, `server.rs`: connections, from accept to the orderly end; `versions.rs`: the `/v1.NN` in front of every path.
//! 4. `table.rs`: the one table of routes.
//! 5. `routes/`: the handlers, one file per resource.
//! 6. `params.rs`, `body.rs`, `reply.rs`, `complete.rs`, `sorted.rs`: query, JSON in, JSON out; `transfer.rs`: archives in and
//!    out.
//! 7. `hijack.rs`, `frames.rs`, `websocket.rs`, `detach.rs`: connections that stop being HTTP: attach and exec.

mod address;
mod body;
mod complete;
mod config_file;
mod detach;
mod flags;
mod frames;
mod hijack;
mod listener;
mod lock;
mod params;
mod passed;
mod reply;
mod routes;
mod server;
mod sorted;
mod stream;
mod sys;
mod table;
mod tls;
mod transfer;
mod versions;
mod websocket;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::net::AddressFamily;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use skiff_engine::config::Defaults;
use skiff_engine::{Config, Engine, Live};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::address::Address;
use crate::flags::{DefaultFlags, Flags};
use crate::listener::Socket;
use crate::lock::{Lock, PidFile};

fn main() -> ExitCode {
    let passed = passed::take();
    let flags = match Flags::read() {
        Ok(flags) => flags,
        Err(error) => {
            eprintln!("skiffd: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if flags.validate {
        // Where and as dockerd says it.
        eprintln!("configuration OK");
        return ExitCode::SUCCESS;
    }
    let log = log_to_stderr(&flags);
    // Requests are short and the chapters' own work runs on blocking threads, so a few workers are enough.
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let result = runtime.context("cannot start the runtime").and_then(|runtime| {
        let result = runtime.block_on(run(&flags, passed, &log));
        // Threads that still unpack or wait for a registry must not keep the daemon: their work is redone or rolled back.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("skiffd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How the log's level is changed.
type Log = reload::Handle<Targets, Registry>;

/// Lines on standard error, which whoever starts the daemon keeps.
fn log_to_stderr(flags: &Flags) -> Log {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let (filter, handle) = reload::Layer::new(chosen(flags));
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    handle
}

/// Which lines: of libraries only what is worth a warning.
fn chosen(flags: &Flags) -> Targets {
    let ours = ["skiffd", "skiff_engine"].map(|target| (target, flags.level()));
    Targets::new().with_default(LevelFilter::WARN).with_targets(ours)
}

/// Opens the engine, listens, and serves until a signal asks to stop. Containers keep running.
async fn run(flags: &Flags, passed: Vec<passed::Named>, log: &Log) -> Result<()> {
    // First of all, so that a signal at any later moment finds what there is to be undone.
    let mut signals = Signals::listen()?;
    raise_descriptors();
    let _lock = Lock::take(&flags.data_root)?;
    let _pidfile = PidFile::write(flags.pidfile())?;
    // Sockets before the engine: a client that started the daemon waits in the queue instead of being refused.
    let sockets = listen(flags, passed).await?;
    let engine = Engine::open(config(flags)).await?;
    let router = table::table(engine.clone());
    let (stop, stopped) = watch::channel(false);
    let mut servers = JoinSet::new();
    for address in &flags.hosts {
        tracing::info!("listening on {address}");
    }
    for socket in sockets {
        servers.spawn(server::serve(socket, router.clone(), stopped.clone()));
    }
    let name = signals.next(|| reload(log, &engine)).await;
    tracing::info!("{name}: stopping; containers keep running");
    stop.send_replace(true);
    servers.join_all().await;
    engine.close().await;
    Ok(())
}

/// Every socket that clients are expected at.
async fn listen(flags: &Flags, mut passed: Vec<passed::Named>) -> Result<Vec<Socket>> {
    let tls = || flags.tls()?.map(|tls| tls.acceptor()).transpose();
    let mut sockets = Vec::new();
    for address in &flags.hosts {
        match address {
            Address::Unix(path) => sockets.push(Socket::bind(path, &flags.group).await?),
            Address::Tcp(address) => sockets.push(Socket::bind_tcp(*address, tls()?).await?),
            Address::Passed(wanted) => {
                let meant = |named: &mut passed::Named| wanted.as_ref().is_none_or(|wanted| *wanted == named.0);
                let found: Vec<_> = passed.extract_if(.., meant).collect();
                if found.is_empty() {
                    bail!(
                        "no socket was passed for {address}\nIt is for a unit of systemd that is started by a socket."
                    );
                }
                for (_, fd) in found {
                    let from_network = rustix::net::getsockname(&fd)?.address_family() != AddressFamily::UNIX;
                    sockets.push(Socket::passed(fd, if from_network { tls()? } else { None })?);
                }
            }
        }
    }
    Ok(sockets)
}

/// Reads the settings again. What of them cannot change while the daemon runs holds from the next start on; what is wrong changes
/// nothing at all.
fn reload(log: &Log, engine: &Engine) {
    let reloaded = Flags::read().and_then(|flags| {
        log.reload(chosen(&flags))?;
        engine.reload(live(&flags), flags.told())?;
        Ok(())
    });
    match reloaded {
        Ok(()) => tracing::info!("SIGHUP: labels, mirrors, insecure registries and the log's level are read again"),
        Err(error) => tracing::error!("SIGHUP: everything stays as it was: {error:#}"),
    }
}

fn live(flags: &Flags) -> Live {
    Live {
        labels: defaults(&flags.defaults).labels,
        registry_mirrors: flags.registry_mirrors.clone(),
        insecure_registries: flags.insecure_registries.clone(),
    }
}

/// Raises the number of descriptors this process may have to the most it is allowed. Each container that runs takes a few,
/// and the usual 1024 would be used up by some hundreds of them.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(errno) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!("cannot raise the limit of open files: {errno}");
    }
}

/// What the engine is told.
fn config(flags: &Flags) -> Config {
    let usual = Config::default();
    let own = |own: &Vec<PathBuf>, usual: Vec<PathBuf>| if own.is_empty() { usual } else { own.clone() };
    Config {
        registry_certificates: own(&flags.registry_certificates, usual.registry_certificates),
        cdi_spec_dirs: own(&flags.cdi_spec_dirs, usual.cdi_spec_dirs),
        bridge: flags.bridge(),
        bridge_address: flags.bip,
        bridge_range: flags.fixed_cidr,
        address_pools: flags.address_pools.clone(),
        mtu: flags.mtu,
        cgroup_parent: flags.cgroup_parent.clone(),
        registry_mirrors: flags.registry_mirrors.clone(),
        insecure_registries: flags.insecure_registries.clone(),
        defaults: defaults(&flags.defaults),
        ..Config::at(&flags.data_root, &flags.exec_root)
    }
}

fn defaults(flags: &DefaultFlags) -> Defaults {
    Defaults {
        labels: flags.labels.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        init: flags.init == Some(true),
        ulimits: flags.ulimits.clone(),
        log_driver: flags.log_driver.clone(),
        log_options: flags.log_opts.iter().cloned().collect(),
        dns: flags.dns.iter().map(ToString::to_string).collect(),
        dns_options: flags.dns_options.clone(),
        dns_search: flags.dns_search.clone(),
    }
}

/// The signals that ask the daemon to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// The terminal it was started from is gone, which is no reason to stop; or somebody wants the settings to be read again.
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        Ok(Self { terminate, interrupt, hangup })
    }

    /// Waits for one and says which. At each SIGHUP until then `reload` is called.
    async fn next(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => reload(),
            }
        }
    }
}
