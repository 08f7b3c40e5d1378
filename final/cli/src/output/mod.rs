//! What is printed: tables, sizes, ages, JSON, progress.
//!
//! - `table.rs`: columns as docker lays them out.
//! - `listing.rs`: `--format`, `--quiet` and the default table of every `ls`.
//! - `units.rs`: sizes for people.
//! - `time.rs`: ages and points in time.
//! - `indent.rs`: JSON with the indentation of `inspect`.
//! - `progress.rs`: pull, load and import as they go on.
//! - `ports.rs`, `labels.rs`: two columns that need thought.

pub(crate) mod indent;
pub(crate) mod labels;
pub(crate) mod listing;
pub(crate) mod ports;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod units;

use std::io::{self, ErrorKind, Write};

use crate::error::{Error, Result, reason};

/// Writes to standard output at once. A reader that went away (`| head`) ends the program without a word.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).map_err(|error| output_error(&error))
}

/// Writes a line to standard output.
pub(crate) fn line(text: impl AsRef<str>) -> Result<()> {
    print(format!("{}\n", text.as_ref()))
}

/// Says something on standard error. When nobody can hear it, the work goes on.
pub(crate) fn notice(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
}

/// A failed write to standard output.
pub(crate) fn output_error(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::silent_pipe(),
        _ => Error::new(format!("cannot write to standard output: {}", reason(error))),
    }
}

/// Asks a yes-or-no question on the terminal; anything but yes is no.
pub(crate) fn confirm(question: &str) -> Result<bool> {
    print(format!("{question}\nAre you sure you want to continue? [y/N] "))?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::new(format!("cannot read the answer: {}", reason(&error))))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
