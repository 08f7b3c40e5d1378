//! Chapters 1 to 6 as a program: a container from an image, wherever the image comes from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cgroups::{CgroupStage, Limits, Plan};
use clap::Parser;
use images::{Event, Image, Reference, RegistryOptions, Store, find_or_pull, pull};
use namespaces::{Container, Context as _, Failure, Launch, Result, Stage};
use network::{Attachment, NetworkStage};
use unionfs::{Overlay, OverlayStage};
use volumes::{VolumeMount, VolumesStage, attach, in_mount_order, parse_volume};

/// Keeps images in /var/lib/skiff, where the engine has them too, and runs containers from them. Needs root.
#[derive(Debug, Parser)]
enum Command {
    /// Fetch an image from its registry.
    Pull { name: Reference },
    /// Load the images of an archive that docker save or an OCI tool has written.
    Load { archive: PathBuf },
    /// List the images.
    Ls,
    /// Run a container.
    Run(Run),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// [SOURCE:]TARGET[:MODE]: a path of the host, or the name of a volume.
    #[arg(long, short, value_parser = parse_volume)]
    volume: Vec<VolumeMount>,
    /// Leave out a step or a stage, to see what it is for.
    #[arg(long, value_name = "STEP")]
    without: Vec<String>,
    /// Say how long each step took.
    #[arg(long)]
    explain: bool,
    /// A name, an id, or the path of an archive. A name that is not here is fetched.
    image: String,
    /// The program and its arguments instead of those of the image.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    act(Command::parse()).unwrap_or_else(|failure| failure.report("images"))
}

fn act(command: Command) -> Result<ExitCode> {
    let root = std::env::var_os("SKIFF_DATA_ROOT").map_or_else(|| "/var/lib/skiff".into(), PathBuf::from);
    let store = Store::open(&root)?;
    let found = match command {
        Command::Pull { name } => vec![pull(&store, &name, None, &RegistryOptions::default(), &tell)?],
        Command::Load { archive } => load(&store, &archive)?,
        Command::Ls => store.list(),
        Command::Run(run) => return start(&find(&store, &run.image)?, &store, &root, run),
    };
    found.iter().map(ToString::to_string).for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

fn load(store: &Store, archive: &Path) -> Result<Vec<Image>> {
    Ok(store.load(File::open(archive).during("open", archive.display())?, &tell)?)
}

fn find(store: &Store, name: &str) -> Result<Image> {
    if Path::new(name).is_file() {
        return load(store, Path::new(name))?.pop().ok_or_else(|| Failure::new("run", "it has no image").on(name));
    }
    Ok(find_or_pull(store, name, None, &RegistryOptions::default(), &tell)?)
}

fn tell(Event { id, status, current, .. }: Event) {
    (current.unwrap_or(0) == 0).then(|| eprintln!("{}{status}", id.map(|id| id + ": ").unwrap_or_default()));
}

fn start(image: &Image, store: &Store, root: &Path, run: Run) -> Result<ExitCode> {
    let name = format!("images-{}", std::process::id());
    let place = root.join(&name);
    let [upper, work, target] = ["upper", "work", "rootfs"].map(|part| place.join(part));
    let volumes = volumes::Store::open(root.join("volumes"))?;
    let attachments = run.volume.iter().map(|volume| attach(volume, &volumes)).collect::<Result<_>>()?;
    let mut container = Container::with_defaults(&target);
    image.config.config.describe(&mut container.process, run.args);
    let mut stages: [Box<dyn Stage>; 4] = [
        Box::new(CgroupStage::new(Plan::new("skiff", name, Limits::default()))),
        Box::new(OverlayStage::new(Overlay { lowers: store.lowers(image), upper, work, target, volatile: true })),
        Box::new(NetworkStage::new(Attachment::None, "skiff")),
        Box::new(VolumesStage::new(in_mount_order(attachments)?)),
    ];
    let options = Launch { without: run.without, timings: run.explain, ..Launch::default() };
    let ran = namespaces::launch(&container, &mut stages, options).map(|running| (running.wait(), running));
    stages.iter_mut().rev().try_for_each(|stage| stage.release())?;
    fs::remove_dir_all(&place).during("remove", place.display())?;
    let (status, running) = ran?;
    running.timings.iter().for_each(|step| eprintln!("{:>8} µs  {}", step.took.as_micros(), step.name));
    status.map(ExitCode::from)
}
