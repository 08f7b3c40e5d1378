//! What of the program's input and output is connected to us.

use bollard_stubs::models::ContainerCreateBody;
use clap::Args;

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Terminal")]
pub(crate) struct Streams {
    /// Keep standard input open, even when nobody is attached
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Attach to stdin, stdout or stderr only
    #[arg(short, long = "attach", value_name = "STREAM", value_parser = stream)]
    pub(crate) attach: Vec<Stream>,
}

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard input.
    Input,
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Which of the three are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connected {
    /// Standard input.
    pub(crate) input: bool,
    /// Standard output.
    pub(crate) output: bool,
    /// Standard error.
    pub(crate) error: bool,
}

impl Streams {
    /// Both outputs unless `-a` says otherwise; the input also with `-i`.
    pub(crate) fn connected(&self) -> Connected {
        let all = self.attach.is_empty();
        let has = |stream| self.attach.contains(&stream);
        Connected {
            input: self.interactive || has(Stream::Input),
            output: all || has(Stream::Output),
            error: all || has(Stream::Error),
        }
    }

    /// Puts the flags in their places. A detached container is connected to nothing.
    pub(super) fn apply(&self, body: &mut ContainerCreateBody, detached: bool) {
        let connected = self.connected();
        body.tty = Some(self.tty);
        body.open_stdin = Some(self.interactive);
        body.attach_stdin = Some(connected.input && !detached);
        body.attach_stdout = Some(connected.output && !detached);
        body.attach_stderr = Some(connected.error && !detached);
        body.stdin_once = Some(self.interactive && connected.input && !detached);
    }
}

fn stream(text: &str) -> Result<Stream, String> {
    match text.to_lowercase().as_str() {
        "stdin" => Ok(Stream::Input),
        "stdout" => Ok(Stream::Output),
        "stderr" => Ok(Stream::Error),
        _ => Err("valid streams are STDIN, STDOUT and STDERR".to_owned()),
    }
}
