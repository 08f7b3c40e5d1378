//! Chapters 1 and 2 as a program: a container that is limited, counted, and killed as a whole.

use std::path::PathBuf;
use std::process::ExitCode;

use cgroups::{Cgroup, CgroupStage, DeviceRule, Hierarchies, Limits, Plan, parse_size};
use clap::Parser;
use namespaces::{Container, Launch, Result, Stage};

/// Runs a program in namespaces and cgroups of its own. Needs root and a directory with a root file system.
#[derive(Debug, Parser)]
enum Command {
    /// Run a program on ROOTFS.
    Run(Run),
    /// Print what the container NAME uses.
    Stats {
        /// As given to run --name.
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Memory, such as 64m, and as much swap again.
    #[arg(long, short)]
    memory: Option<String>,
    /// Processors: 0.5 is half of one.
    #[arg(long)]
    cpus: Option<f64>,
    /// Which processors: 0-2,4.
    #[arg(long)]
    cpuset_cpus: Option<String>,
    /// Processes and threads.
    #[arg(long)]
    pids_limit: Option<i64>,
    /// Name of its cgroup. Default: the process id of this program.
    #[arg(long)]
    name: Option<String>,
    /// Leave out a step or a stage, to see what it is for.
    #[arg(long, value_name = "STEP")]
    without: Vec<String>,
    /// Say how long each step took.
    #[arg(long)]
    explain: bool,
    /// The directory that becomes /.
    rootfs: PathBuf,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(run) => start(run),
        Command::Stats { name } => stats(&name),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("cgroups: {failure}");
        failure.hint.iter().for_each(|hint| eprintln!("{hint}"));
        ExitCode::from(failure.exit_status())
    })
}

fn start(run: Run) -> Result<ExitCode> {
    let name = run.name.clone().unwrap_or_else(|| std::process::id().to_string());
    let plan = Plan::new("skiff", name, limits(&run)?);
    let mut container = Container::with_defaults(run.rootfs);
    container.process.args = run.args;
    let mut stages: [Box<dyn Stage>; 1] = [Box::new(CgroupStage::new(plan.clone()))];
    let options = Launch { without: run.without, timings: run.explain, ..Launch::default() };
    let running = namespaces::launch(&container, &mut stages, options)?;
    let status = running.wait();
    let killed = Cgroup::open(&Hierarchies::discover()?, &plan.path).and_then(|group| group.oom_kills()).unwrap_or(0);
    stages.iter_mut().try_for_each(|stage| stage.release())?;
    // Said last: a reader that has gone away must not leave the group behind.
    running.timings.iter().for_each(|step| eprintln!("{:>8} µs  {}", step.took.as_micros(), step.name));
    if killed > 0 {
        eprintln!("cgroups: the memory limit was reached and {killed} process(es) killed");
    }
    status.map(ExitCode::from)
}

/// What the options mean together, with the devices that every container may use.
fn limits(run: &Run) -> Result<Limits> {
    let limits = Limits {
        memory: run.memory.as_deref().map(parse_size).transpose()?,
        cpuset_cpus: run.cpuset_cpus.clone(),
        pids_max: run.pids_limit,
        devices: Some(DeviceRule::defaults()),
        ..run.cpus.map_or_else(Limits::default, |cpus| Limits::default().cpus(cpus))
    };
    limits.validate().map(|()| limits)
}

fn stats(name: &str) -> Result<ExitCode> {
    let plan = Plan::new("skiff", name, Limits::default());
    println!("{}", Cgroup::open(&Hierarchies::discover()?, &plan.path)?.stats()?);
    Ok(ExitCode::SUCCESS)
}
