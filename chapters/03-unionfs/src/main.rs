//! Chapters 1 to 3 as a program: a container whose files are read-only layers and a writable one on top.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use cgroups::{CgroupStage, DeviceRule, Limits, Plan, parse_size};
use clap::Parser;
use namespaces::{Container, Context as _, Launch, Result, Root, Stage};
use rustix::io::Errno;
use unionfs::{Overlay, OverlayStage, apply_layer, changes, show_upper};

/// Runs a program on layers. Needs root.
#[derive(Debug, Parser)]
enum Command {
    /// Run a program on the layers, with an empty writable one on top.
    Run(Run),
    /// Unpack a layer (a tar archive, - for standard input) into a new directory.
    Unpack {
        /// The archive.
        layer: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    /// A read-only layer; the first one is the top.
    #[arg(long, required = true)]
    lower: Vec<PathBuf>,
    /// Say at the end which files the program has added (A), changed (C) and deleted (D).
    #[arg(long)]
    changes: bool,
    /// Say at the end what is in the writable layer, with the signs by which the kernel knows what was deleted.
    #[arg(long)]
    upper: bool,
    /// Memory, such as 64m.
    #[arg(long, short)]
    memory: Option<String>,
    /// Leave out a step or a stage, to see what it is for.
    #[arg(long, value_name = "STEP")]
    without: Vec<String>,
    /// Say how long each step took.
    #[arg(long)]
    explain: bool,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(run) => start(run),
        Command::Unpack { layer, directory } => unpack(&layer, &directory),
    };
    done.unwrap_or_else(|failure| failure.report("unionfs"))
}

/// The composing: two stages, a container whose root is where the overlay will be, and the launch. What is left to do
/// by hand is what outlives the process: the writable layer, which this program throws away.
fn start(run: Run) -> Result<ExitCode> {
    let name = format!("unionfs-{}", std::process::id());
    let place = std::env::temp_dir().join(&name);
    let [upper, work, target] = ["upper", "work", "rootfs"].map(|part| place.join(part));
    let mut container = Container::with_defaults(&target);
    container.process.args = run.args;
    let overlay = Overlay { lowers: run.lower, upper, work, target, volatile: true };
    let memory = run.memory.as_deref().map(parse_size).transpose()?;
    let limits = Limits { memory, devices: Some(DeviceRule::defaults()), ..Limits::default() };
    let mut stages: [Box<dyn Stage>; 2] =
        [Box::new(CgroupStage::new(Plan::new("skiff", name, limits))), Box::new(OverlayStage::new(overlay.clone()))];
    let options = Launch { without: run.without, timings: run.explain, ..Launch::default() };
    let ran = namespaces::launch(&container, &mut stages, options).map(|running| (running.wait(), running));
    let changed = if run.changes { changes(&overlay.upper, &overlay.lowers)? } else { Vec::new() };
    let upper = if run.upper { show_upper(&overlay.upper)? } else { Vec::new() };
    stages.iter_mut().rev().try_for_each(|stage| stage.release())?;
    let removed = fs::remove_dir_all(&place).during("remove", place.display());
    // Why it did not run matters more: without the overlay, for one, there is nothing here to remove.
    let (status, running) = ran?;
    removed?;
    // Said last: a reader that has gone away must leave nothing behind.
    for line in changed.iter().map(ToString::to_string).chain(upper) {
        println!("{line}");
    }
    running.timings.iter().for_each(|step| eprintln!("{:>8} µs  {}", step.took.as_micros(), step.name));
    status.map(ExitCode::from)
}

/// What `images load` does for each layer of an image (chapter 6), without the image.
fn unpack(layer: &PathBuf, directory: &PathBuf) -> Result<ExitCode> {
    let reader: Box<dyn Read> = match layer.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(layer).during("open", layer.display())?),
    };
    fs::create_dir(directory).during("make the directory", directory.display()).map_err(|failure| {
        failure
            .hint_on(Errno::EXIST, "A layer is unpacked into a directory of its own: name one that is not there yet.")
    })?;
    let stats = apply_layer(reader, &Root::open(directory)?)?;
    println!("{} members, {} bytes", stats.members, stats.size);
    Ok(ExitCode::SUCCESS)
}
