//! `skiff-runtime monitor` watches a container for `skiffd`; every other command is the OCI runtime's.

use std::process::ExitCode;

fn main() -> ExitCode {
    let line: Result<Vec<String>, _> = std::env::args_os().skip(1).map(std::ffi::OsString::into_string).collect();
    let Ok(line) = line else {
        eprintln!("skiff-runtime: the command line is no UTF-8");
        return ExitCode::FAILURE;
    };
    if line.first().is_none_or(|command| command != "monitor") {
        return ExitCode::from(skiff_runtime::oci::main(&line));
    }
    match skiff_runtime::monitor::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("skiff-runtime monitor: {failure}");
            ExitCode::FAILURE
        }
    }
}
