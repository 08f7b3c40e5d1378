//! Chapter 1 as a program: a process in its own namespaces, with its own root.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use namespaces::{Container, Launch, Result, Stdio};

/// Runs a program in namespaces of its own. Needs root and a directory with a root file system.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a program on ROOTFS.
    Run(Run),
    /// Print the steps that the container's process takes before it becomes the program.
    Steps,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Host name inside.
    #[arg(long)]
    hostname: Option<String>,
    /// Give it a terminal.
    #[arg(long, short)]
    tty: bool,
    /// USER[:GROUP], by name or number.
    #[arg(long, short, default_value = "")]
    user: String,
    /// Leave out a step, to see what it is for.
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
    let done = match Arguments::parse().command {
        Command::Run(run) => start(run),
        Command::Steps => Ok(steps()),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("namespaces: {failure}");
        failure.hint.iter().for_each(|hint| eprintln!("{hint}"));
        ExitCode::from(failure.exit_status())
    })
}

fn start(run: Run) -> Result<ExitCode> {
    let mut container = Container::with_defaults(run.rootfs);
    container.hostname = run.hostname;
    container.process.args = run.args;
    container.process.user.user = run.user;
    let stdio = Some(if run.tty { Stdio::Terminal } else { Stdio::Inherit });
    let options = Launch { stdio, without: run.without, timings: run.explain, gate: None };
    let running = namespaces::launch(&container, &mut [], options)?;
    for timing in &running.timings {
        eprintln!("{:>8} µs  {}", timing.took.as_micros(), timing.name);
    }
    Ok(ExitCode::from(running.wait()?))
}

fn steps() -> ExitCode {
    for step in namespaces::steps(&Container::with_defaults("/"), &[], &[]) {
        println!("{:<24}{}", step.name, step.about);
    }
    ExitCode::SUCCESS
}
