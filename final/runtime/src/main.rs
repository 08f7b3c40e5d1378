//! `skiff-runtime monitor` watches a container for `skiffd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = std::env::args_os().nth(1);
    let done = match command.as_ref().and_then(|command| command.to_str()) {
        Some("monitor") => skiff_runtime::monitor::run(),
        _ => Err(namespaces::Failure::new("run", "no such command")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("skiff-runtime: {failure}");
            ExitCode::FAILURE
        }
    }
}
