//! What a container looks like from the inside.
//!
//! This is the one program of the image `hello`. It asks the kernel what it can see and what it may do, and prints a
//! page for people, or with `--json` one object for programs. It depends on nothing but the standard library, because
//! the engine's build compiles it with plain `rustc` and carries it along: a first `run` needs no network.
//!
//! Everything is read from files under `/proc` and `/sys`. A file that is missing costs its section, never the page.
//!
//! Read the files in this order:
//!
//! 1. `facts.rs`: everything that is found out, and where it is read.
//! 2. `namespaces.rs`, `mounts.rs`, `cgroup.rs`, `rights.rs`, `network.rs`: one kernel feature each, pure functions
//!    from the text of a file to values.
//! 3. `page.rs`: the page for people.
//! 4. `json.rs`: the object for programs.

mod cgroup;
mod facts;
mod json;
mod mounts;
mod namespaces;
mod network;
mod page;
mod rights;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use facts::Facts;
use page::Style;

/// What `--help` prints.
const HELP: &str = "\
Reports what isolates the process it runs in.

Usage: probe [--json]

  --json  print one JSON object instead of a page
  --help  print this text
";

fn main() -> ExitCode {
    let mut json = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            "-h" | "--help" => return print(HELP),
            other => {
                eprintln!("probe: unknown argument {other}\nhint: try --json, or nothing at all.");
                return ExitCode::from(2);
            }
        }
    }
    let facts = Facts::gather();
    if json {
        print(&format!("{}\n", json::object(&facts)))
    } else {
        print(&page::page(&facts, Style { colour: wants_colour() }))
    }
}

/// Bold and dim are for a terminal whose owner did not refuse them (<https://no-color.org>).
fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    std::io::stdout().is_terminal() && !refused && !dumb
}

/// Writes to standard output. A reader that went away (`| head`) is not worth a message, but it is a failure.
fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
