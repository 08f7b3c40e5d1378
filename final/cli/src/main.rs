//! `skiff`, the command line. It speaks the Docker Engine API and nothing else, so it works with `skiffd` and with any
//! Docker daemon, and it has docker's commands, flags, output and exit statuses.
//!
//! Read the files in this order:
//!
//! 1. `tree.rs`: the commands as data, from words to a function.
//! 2. `commands/`: one file per command. Begin with `container/run.rs`.
//! 3. `create/`: the flags of `run`, and where each goes in the request.
//! 4. `grammar/`: the small languages of those flags.
//! 5. `client/`: requests, the connection, the version of the API.
//! 6. `attach/`: a terminal here and a program there.
//! 7. `login/`, `context/`: who we are to registries and which daemons have a name, both in docker's own files.
//! 8. `output/`: tables, sizes, ages, progress.
//! 9. `template/`: the language of `--format`.
//! 10. `explain.rs`: `run --explain`, how the six steps of a run went.
//! 11. `daemon.rs`, `sys.rs`: starting the daemon when none runs.
//! 12. `error.rs`, `hints.rs`, `usage.rs`: what the user reads when something is wrong.

mod attach;
mod client;
mod commands;
mod context;
mod create;
mod daemon;
mod error;
mod explain;
mod grammar;
mod hints;
mod login;
mod output;
mod sys;
mod template;
mod tree;
mod usage;

use std::io::Write as _;
use std::process::ExitCode;

/// The name of the program, as it stands in front of messages.
const NAME: &str = "skiff";

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let status = match tree::run(&arguments) {
        Ok(commands::Exit(status)) => status,
        Err(error) => {
            attach::terminal::restore();
            let _ = std::io::stderr().write_all(error.report(NAME).as_bytes());
            error.exit.unwrap_or(1)
        }
    };
    ExitCode::from(status)
}
