//! Chapters 1 to 4 as a program: a container with an address, and ports of the host that lead to it.

mod without_engine;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use cgroups::{CgroupStage, DeviceRule, Limits};
use clap::Parser;
use namespaces::{Container, Context as _, Launch, Namespace, Result, Stage};
use network::NetworkStage;
use unionfs::{Overlay, OverlayStage};
use without_engine::{NAME, attachment, clean, files};

/// Runs a program in a container with a network. Needs root and a directory with a root file system.
#[derive(Debug, Parser)]
enum Command {
    /// Run a program on ROOTFS.
    Run(Run),
    /// Print what the kernel would be told to attach a container: commands that a person could type.
    Explain {
        /// Publish a port, as for run.
        #[arg(long, short)]
        publish: Vec<String>,
    },
    /// Remove the bridge and the rules, which stay after run for the next container.
    Clean,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// bridge, host or none.
    #[arg(long, default_value = "bridge")]
    network: String,
    /// [HOST-IP:][HOST-PORT:]CONTAINER-PORT[/PROTOCOL]
    #[arg(long, short)]
    publish: Vec<String>,
    /// Leave out a step or a stage, to see what it is for.
    #[arg(long, value_name = "STEP")]
    without: Vec<String>,
    /// Say how long each step took.
    #[arg(long)]
    explain: bool,
    /// The directory below the container's writable layer.
    rootfs: PathBuf,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(run) => start(run),
        Command::Explain { publish } => attachment("bridge", &publish).map(|(attachment, _claims)| {
            print!("{}", attachment.plan(NAME));
            ExitCode::SUCCESS
        }),
        Command::Clean => clean().map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("network: {failure}");
        failure.hint.iter().for_each(|hint| eprintln!("{hint}"));
        ExitCode::from(failure.exit_status())
    })
}

/// Decides, makes the stages in the order of the chapters, launches, waits, and gives everything back.
fn start(run: Run) -> Result<ExitCode> {
    let (attachment, _claims) = attachment(&run.network, &run.publish)?;
    let name = format!("network-{}", std::process::id());
    let home = std::env::temp_dir().join(&name);
    let [upper, work, target] = ["upper", "work", "rootfs"].map(|name| home.join(name));
    let mut container = Container::with_defaults(&target);
    container.process.args = run.args;
    container.mounts.extend(files(&home, &name, &attachment)?);
    container.hostname = Some(name.clone());
    if !run.without.iter().any(|name| name == "network") {
        // Not a new one: the stage makes it, and its step joins it.
        container.namespaces.net = Namespace::Host;
    }
    let limits = Limits { devices: Some(DeviceRule::defaults()), ..Limits::default() };
    let mut stages: [Box<dyn Stage>; 3] = [
        Box::new(CgroupStage::new(cgroups::Plan::new("skiff", name, limits))),
        Box::new(OverlayStage::new(Overlay { lowers: vec![run.rootfs], upper, work, target, volatile: true })),
        Box::new(NetworkStage::new(attachment, NAME)),
    ];
    let options = Launch { without: run.without, timings: run.explain, ..Launch::default() };
    let status = namespaces::launch(&container, &mut stages, options).and_then(|running| {
        running.timings.iter().for_each(|timing| eprintln!("{:>8} µs  {}", timing.took.as_micros(), timing.name));
        running.wait()
    });
    stages.iter_mut().try_for_each(|stage| stage.release())?;
    fs::remove_dir_all(&home).during("remove", home.display())?;
    status.map(ExitCode::from)
}
