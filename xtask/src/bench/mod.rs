//! Measurements beside the peers, in one run.
//!
//! A single figure says as much about the machine as about the engine, so every figure stands beside another engine's that
//! was measured in the same minutes: the contestants take turns, and the ratios are taken turn by turn.
//!
//! - `room.rs`: the namespaces in which everybody runs, and daemons in them.
//! - `paired.rs`: the contestants, their turns, the table.
//! - `peers.rs`: the race of `start`: dockerd, podman, crun and runc from Debian packages, and our own daemon, each with roots
//!   of its own.
//! - `steps.rs`: where our own time goes, from the log of a daemon that tells.
//! - `images/`: the races of `pull`, `load` and `push`.
//! - `network.rs`: what passes through the bridge, and what attaching costs.
//! - `scale.rs`: what commands cost among many containers.

mod images;
mod network;
mod paired;
mod peers;
mod room;
mod scale;
mod steps;

use anyhow::Result;
use clap::Subcommand;

use self::paired::{Contestant, Race};
use self::peers::Peers;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// `run --rm` of busybox `true`, beside crun, runc, docker and podman.
    Start {
        /// Turns of each contestant.
        #[arg(long, default_value_t = 30)]
        runs: usize,
    },
    /// An image from a registry to files that can be run, beside docker, podman, and skopeo with tar.
    Pull(images::Options),
    /// An image from an archive of `docker save`, beside docker and podman.
    Load(images::Options),
    /// An image to a registry that has nothing of it, beside docker and podman.
    Push(images::Options),
    /// What passes through the bridge beside docker's, by iperf3, and what attaching a container costs.
    Network {
        /// Turns of two seconds for each engine and way.
        #[arg(long, default_value_t = 15)]
        rounds: usize,
        /// How many containers run beside the one that is attached.
        #[arg(long, default_value_t = 300)]
        containers: usize,
        /// How many networks have rules.
        #[arg(long, default_value_t = 500)]
        networks: usize,
    },
    /// What commands cost among many containers, beside what they cost among ten.
    Scale {
        /// How many containers there are.
        #[arg(long, default_value_t = 1000)]
        containers: usize,
        /// How many of them run.
        #[arg(long, default_value_t = 300)]
        running: usize,
        /// How many docker has, with as large a part of them running; 0 leaves docker out.
        #[arg(long, default_value_t = 100)]
        docker: usize,
    },
}

/// Runs one benchmark and prints its table.
pub(crate) fn run(what: &Bench) -> Result<()> {
    match what {
        Bench::Start { runs } => start(*runs),
        Bench::Pull(options) => images::race(images::Move::Pull, options),
        Bench::Load(options) => images::race(images::Move::Load, options),
        Bench::Push(options) => images::race(images::Move::Push, options),
        Bench::Network { rounds, containers, networks } => network::run(*rounds, *containers, *networks),
        Bench::Scale { containers, running, docker } => scale::run(*containers, *running, *docker),
    }
}

/// The start race. Everybody runs in one mount namespace without the cgroup v2 tree, because Debian 12's crun refuses a
/// hybrid hierarchy, and in one network namespace.
fn start(runs: usize) -> Result<()> {
    let peers = Peers::start()?;
    let mut contestants = vec![
        Contestant::new("crun run (bare bundle)", peers.oci("crun")),
        Contestant::new("runc run (bare bundle)", peers.oci("runc")),
        Contestant::new("skiff-runtime run (bare bundle)", peers.skiff_runtime()),
    ];
    for network in ["host", "none", "bridge"] {
        contestants.push(Contestant::new(&format!("skiff run, {network}"), peers.skiff(network)));
    }
    contestants.push(Contestant::new("docker run, bridge", peers.docker()));
    contestants.extend(peers.podman().map(|words| Contestant::new("podman run, bridge", words)));
    let race = Race::run(&mut contestants, runs)?;
    println!("{}", race.table("crun run (bare bundle)"));
    println!("{}", race.ratio("skiff run, bridge", "docker run, bridge"));
    println!("{}", race.ratio("skiff run, bridge", "crun run (bare bundle)"));
    let mut telling = vec![Contestant::new("telling", peers.telling())];
    Race::run(&mut telling, runs)?;
    print!("\n{}", steps::table(&peers.told()?));
    Ok(())
}
