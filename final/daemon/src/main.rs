//! # skiffd
//!
//! The daemon: the Docker Engine REST API, version 1.51, over the engine. It translates HTTP into calls of `skiff-engine`
//! and back, and decides nothing about containers itself.
//!
//! Read the files in this order:
//!
//! 1. `flags.rs`: the flags, which are dockerd's.
//! 2. `lock.rs`, `listener.rs`: one daemon per root, and who may connect to its socket.
//! 3. `server.rs`: connections, from accept to the orderly end; `versions.rs`: the `/v1.NN` in front of every path.
//! 4. `table.rs`: the one table of routes.
//! 5. `routes/`: the handlers, one file per resource.
//! 6. `params.rs`, `body.rs`, `reply.rs`: query, JSON in, JSON out; `transfer.rs`: archives in and out.
//! 7. `hijack.rs`, `detach.rs`: connections that stop being HTTP: attach and exec.

mod body;
mod detach;
mod flags;
mod hijack;
mod listener;
mod lock;
mod params;
mod reply;
mod routes;
mod server;
mod table;
mod transfer;
mod versions;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use skiff_engine::{Config, Engine};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::flags::Flags;
use crate::listener::Socket;
use crate::lock::{Lock, PidFile};

fn main() -> ExitCode {
    let flags = Flags::parse();
    log_to_stderr(&flags);
    // Requests are short and the chapters' own work runs on blocking threads, so a few workers are enough.
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let result = runtime.context("cannot start the runtime").and_then(|runtime| {
        let result = runtime.block_on(run(&flags));
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

/// Lines on standard error, which whoever starts the daemon keeps. Of libraries only what is worth a warning.
fn log_to_stderr(flags: &Flags) {
    let ours = ["skiffd", "skiff_engine"].map(|target| (target, flags.level()));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let chosen = Targets::new().with_default(LevelFilter::WARN).with_targets(ours);
    tracing_subscriber::registry().with(lines.with_filter(chosen)).init();
}

/// Opens the engine, listens, and serves until a signal asks to stop. Containers keep running.
async fn run(flags: &Flags) -> Result<()> {
    // First of all, so that a signal at any later moment finds what there is to be undone.
    let mut signals = Signals::listen()?;
    raise_descriptors();
    let _lock = Lock::take(&flags.data_root)?;
    let _pidfile = PidFile::write(flags.pidfile())?;
    // Sockets before the engine: a client that started the daemon waits in the queue instead of being refused.
    let mut sockets = Vec::new();
    for address in &flags.hosts {
        sockets.push(Socket::bind(address, &flags.group).await?);
    }
    let engine = Engine::open(config(flags)).await?;
    let router = table::table(engine.clone());
    let (stop, stopped) = watch::channel(false);
    let mut servers = JoinSet::new();
    for (socket, address) in sockets.iter().zip(&flags.hosts) {
        tracing::info!("listening on {}", address.path.display());
        servers.spawn(server::serve(Arc::clone(&socket.listener), router.clone(), stopped.clone()));
    }
    let name = signals.next().await;
    tracing::info!("{name}: stopping; containers keep running");
    drop(sockets);
    stop.send_replace(true);
    servers.join_all().await;
    engine.close().await;
    Ok(())
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
    let Config { registry_certificates: usual, .. } = Config::default();
    let own = &flags.registry_certificates;
    Config {
        registry_certificates: if own.is_empty() { usual } else { own.clone() },
        bridge: flags.bridge(),
        bridge_address: flags.bip,
        mtu: flags.mtu,
        cgroup_parent: flags.cgroup_parent.clone(),
        registry_mirrors: flags.registry_mirrors.clone(),
        insecure_registries: flags.insecure_registries.clone(),
        ..Config::at(&flags.data_root, &flags.exec_root)
    }
}

/// The signals that ask the daemon to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// The terminal it was started from is gone: no reason to stop. dockerd reads its configuration again then; we have none.
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        Ok(Self { terminate, interrupt, hangup })
    }

    /// Waits for one and says which.
    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {}
            }
        }
    }
}
