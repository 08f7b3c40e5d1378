//! Chapter 1 as a program: a process in its own namespaces, with its own root.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use namespaces::{Container, Context, Failure, Launch, Process, Result, Running, Step, UserSpec};
use rustix::process::Pid;

/// Runs a program in namespaces of its own. Needs root and a directory with a root file system.
#[derive(Debug, Parser)]
enum Command {
    /// Run a program on a root file system.
    Run {
        /// Host name inside.
        #[arg(long)]
        hostname: Option<String>,
        /// Print as JSON what would be launched.
        #[arg(long)]
        plan: bool,
        /// Have a small init as process 1.
        #[arg(long)]
        init: bool,
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
    obey(Command::parse()).map_or_else(|failure| failure.report("namespaces"), ExitCode::from)
}

fn obey(command: Command) -> Result<u8> {
    match command {
        Command::Run { hostname, plan, init, rootfs, program } => {
            let default = Container::with_defaults(rootfs);
            let container = Container { hostname, init, process: program.process(default.process), ..default };
            if plan {
                println!("{}", serde_json::to_string_pretty(&container).step("print the plan")?);
                return Ok(0);
            }
            attend(&namespaces::launch(&container, &mut [], program.options())?)
        }
        Command::Exec { pid, program } => {
            let pid = Pid::from_raw(pid).ok_or_else(|| Failure::new("use the process id", "it is zero"))?;
            let process = program.process(Container::with_defaults("/").process);
            attend(&namespaces::enter(pid, &process, &mut [], program.options())?)
        }
        Command::Steps => {
            let line = |step: Step<'_>| println!("{:<24}{}", step.name, step.about);
            namespaces::steps(&Container::with_defaults("/"), [], &[]).into_iter().for_each(line);
            Ok(0)
        }
    }
}

impl Program {
    fn process(&self, default: Process) -> Process {
        let user = UserSpec { user: self.user.clone(), ..default.user };
        Process { args: self.args.clone(), terminal: self.tty, user, ..default }
    }

    fn options(&self) -> Launch {
        Launch { without: self.without.clone(), timings: self.explain, ..Launch::default() }
    }
}

fn attend(running: &Running) -> Result<u8> {
    running.timings.iter().for_each(|timing| eprintln!("{:>8} µs  {}", timing.took.as_micros(), timing.name));
    running.wait()
}
