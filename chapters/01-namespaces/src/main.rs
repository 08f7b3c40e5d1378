//! Chapter 1 as a program: a process in its own namespaces, with its own root.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use namespaces::{Container, Failure, Launch, Process, Result, Running, Stdio};
use rustix::process::Pid;

/// Runs a program in namespaces of its own. Needs root and a directory with a root file system.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Run a program on ROOTFS.
    Run {
        /// Host name inside.
        #[arg(long)]
        hostname: Option<String>,
        /// The directory that becomes /.
        rootfs: PathBuf,
        #[command(flatten)]
        program: Program,
    },
    /// Run another program in a running container.
    Exec {
        /// Process id of the container's first process, as the host sees it.
        pid: i32,
        #[command(flatten)]
        program: Program,
    },
    /// Print the steps that a container's process takes before it becomes the program.
    Steps,
}

#[derive(Debug, Args)]
struct Program {
    /// Give it a terminal.
    #[arg(long, short)]
    tty: bool,
    /// Who runs it: USER[:GROUP], by name or number.
    #[arg(long, short, default_value = "")]
    user: String,
    /// Leave out a step, to see what it is for.
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
        Command::Run { hostname, rootfs, program } => {
            let default = Container::with_defaults(rootfs);
            let process = program.process(&default.process);
            let container = Container { hostname, process, ..default };
            namespaces::launch(&container, &mut [], program.options()).and_then(|running| program.attend(&running))
        }
        Command::Exec { pid, program } => Pid::from_raw(pid)
            .ok_or_else(|| Failure::new("enter the container of process", "this is no process id").on(pid))
            .and_then(|pid| {
                let process = program.process(&Container::with_defaults("/").process);
                namespaces::enter(pid, &process, &mut [], program.options())
            })
            .and_then(|running| program.attend(&running)),
        Command::Steps => {
            for step in namespaces::steps(&Container::with_defaults("/"), &[], &[]) {
                println!("{:<24}{}", step.name, step.about);
            }
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|failure| {
        eprintln!("namespaces: {failure}");
        failure.hint.iter().for_each(|hint| eprintln!("{hint}"));
        ExitCode::from(failure.exit_status())
    })
}

impl Program {
    fn process(&self, default: &Process) -> Process {
        let mut process = Process { args: self.args.clone(), ..default.clone() };
        process.user.user.clone_from(&self.user);
        process
    }

    fn options(&self) -> Launch {
        let stdio = if self.tty { Stdio::Terminal } else { Stdio::Inherit };
        Launch { stdio: Some(stdio), without: self.without.clone(), timings: self.explain, gate: None }
    }

    fn attend(&self, running: &Running) -> Result<ExitCode> {
        for timing in &running.timings {
            eprintln!("{:>8} µs  {}", timing.took.as_micros(), timing.name);
        }
        running.wait().map(ExitCode::from)
    }
}
