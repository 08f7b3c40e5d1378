//! One command, what it printed, how it ended.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a finished command left behind.
#[derive(Debug)]
pub struct Ran {
    /// The command as words, for messages.
    pub words: String,
    /// Exit code; 128 + n when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Asserts that the command ended with 0 and returns its standard output without the last line's end.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self}");
        self.stdout.trim_end()
    }

    /// Asserts that the command ended with `code` and that its standard error has `words`.
    #[track_caller]
    pub fn fails(&self, code: i32, words: &str) -> &Self {
        assert_eq!(self.code, code, "{self}");
        assert!(self.stderr.contains(words), "standard error does not say {words:?}\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "`{}` ended with {}", self.words, self.code)?;
        write!(f, "--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// Runs `command` to its end with `input` as its standard input.
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    use std::os::unix::process::ExitStatusExt as _;
    let words = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {words}: {error}"));
    let stdin = child.stdin.take();
    // A program that ends without reading its input closes the pipe: that is its right.
    if let Some(mut stdin) = stdin {
        let _closed_early = stdin.write_all(input);
    }
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("cannot wait for {words}: {error}"));
    Ran {
        words,
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
