//! Chapters 1 to 5 as a program: a container with limits, layers, a network namespace and files that outlive it.

use std::path::PathBuf;
use std::process::ExitCode;

use cgroups::{CgroupStage, Limits, Plan};
use clap::Parser;
use namespaces::{Container, Context as _, Launch, Result, Stage};
use network::{Attachment, NetworkStage};
use unionfs::{Overlay, OverlayStage};
use volumes::{Store, VolumeMount, VolumesStage, attach, in_mount_order, parse_mount, parse_tmpfs, parse_volume};

/// Runs a program on a writable copy of a root file system, with volumes. Needs root.
#[derive(Debug, Parser)]
enum Command {
    /// Run a program on ROOTFS.
    Run(Run),
    /// List the volumes.
    Ls {
        /// Where volumes are kept.
        #[arg(long, default_value = "/var/lib/skiff/volumes")]
        store: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    /// [SOURCE:]TARGET[:MODE]: a path of the host, or the name of a volume.
    #[arg(long, short, value_parser = parse_volume)]
    volume: Vec<VolumeMount>,
    /// The same in long: type=bind,source=/srv,target=/www,readonly.
    #[arg(long, value_parser = parse_mount)]
    mount: Vec<VolumeMount>,
    /// Memory: TARGET[:OPTIONS].
    #[arg(long, value_parser = parse_tmpfs)]
    tmpfs: Vec<VolumeMount>,
    /// Where volumes are kept.
    #[arg(long, default_value = "/var/lib/skiff/volumes")]
    store: PathBuf,
    /// Leave out a step or a stage, to see what it is for.
    #[arg(long, value_name = "STEP")]
    without: Vec<String>,
    /// Say how long each step took.
    #[arg(long)]
    explain: bool,
    /// The directory that becomes /. It is not written to.
    rootfs: PathBuf,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(run) => start(run),
        Command::Ls { store } => list(store),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("volumes: {failure}");
        failure.hint.iter().for_each(|hint| eprintln!("{hint}"));
        ExitCode::from(failure.exit_status())
    })
}

fn start(run: Run) -> Result<ExitCode> {
    let store = Store::open(run.store)?;
    let requests = run.volume.iter().chain(&run.mount).chain(&run.tmpfs);
    let attachments = in_mount_order(requests.map(|request| attach(request, &store)).collect::<Result<_>>()?)?;

    let name = format!("volumes-{}", std::process::id());
    let scratch = std::env::temp_dir().join(&name);
    let [upper, work, target] = ["upper", "work", "rootfs"].map(|part| scratch.join(part));
    let mut container = Container::with_defaults(&target);
    container.root.propagation = volumes::root_propagation(&attachments);
    container.process.args = run.args;
    let mut stages: [Box<dyn Stage>; 4] = [
        Box::new(CgroupStage::new(Plan::new("skiff", name, Limits::default()))),
        Box::new(OverlayStage::new(Overlay { lowers: vec![run.rootfs], upper, work, target, volatile: true })),
        Box::new(NetworkStage::new(Attachment::None, "skiff")),
        Box::new(VolumesStage::new(attachments)),
    ];
    let options = Launch { without: run.without, timings: run.explain, ..Launch::default() };
    let ran = namespaces::launch(&container, &mut stages, options).map(|running| (running.wait(), running.timings));
    stages.iter_mut().rev().try_for_each(|stage| stage.release())?;
    std::fs::remove_dir_all(&scratch).during("remove", scratch.display())?;
    // Said last: a reader that has gone away must leave nothing behind.
    let (status, timings) = ran?;
    for step in timings {
        eprintln!("{:>8} µs  {}", step.took.as_micros(), step.name);
    }
    status.map(ExitCode::from)
}

fn list(store: PathBuf) -> Result<ExitCode> {
    for volume in Store::open(store)?.list()? {
        println!("{}  {}", volume.name, volume.data.display());
    }
    Ok(ExitCode::SUCCESS)
}
