//! A line of the file becomes a frame of docker's stream.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::LogsOptions;

/// One line of a json-file log.
#[derive(Debug, Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    stream: &'a str,
    time: &'a str,
}

/// Whether reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    On,
    /// What follows is from after the last moment that is wanted.
    Enough,
}

/// Lines on their way to a client.
#[derive(Debug)]
pub(super) struct Rendering {
    options: LogsOptions,
    /// What is written in front of each line, and a blank.
    details: Option<String>,
    tty: bool,
    out: Vec<u8>,
}

impl Rendering {
    pub(super) fn new(options: LogsOptions, details: Option<String>, tty: bool) -> Self {
        Self { options, details, tty, out: Vec::new() }
    }

    /// Adds one line of the file. A line that is not understood (half of one, after the machine went down) is left out.
    pub(super) fn add(&mut self, line: &[u8]) -> Goes {
        let Ok(entry) = serde_json::from_slice::<Entry<'_>>(line) else { return Goes::On };
        let LogsOptions { since, until, .. } = self.options;
        if since.is_some() || until.is_some() {
            let Ok(time) = entry.time.parse::<Timestamp>() else { return Goes::On };
            if until.is_some_and(|until| time > until) {
                return Goes::Enough;
            }
            if since.is_some_and(|since| time < since) {
                return Goes::On;
            }
        }
        let (number, wanted) = match entry.stream {
            "stderr" => (2, self.options.stderr),
            _ => (1, self.options.stdout),
        };
        if wanted {
            self.frame(number, &entry);
        }
        Goes::On
    }

    /// Docker's frame: the stream, three zeros, the length in big-endian order, the bytes.
    fn frame(&mut self, number: u8, entry: &Entry<'_>) {
        let mut before = String::new();
        if self.options.timestamps {
            before.push_str(&padded(entry.time));
            before.push(' ');
        }
        if let Some(details) = &self.details {
            before.push_str(details);
            before.push(' ');
        }
        if !self.tty {
            let length = u32::try_from(before.len() + entry.log.len()).unwrap_or(u32::MAX);
            self.out.extend_from_slice(&[number, 0, 0, 0]);
            self.out.extend_from_slice(&length.to_be_bytes());
        }
        self.out.extend_from_slice(before.as_bytes());
        self.out.extend_from_slice(entry.log.as_bytes());
    }

    /// How many bytes are ready.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Takes what is ready.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        (!self.out.is_empty()).then(|| Bytes::from(std::mem::take(&mut self.out)))
    }
}

/// A moment with all nine digits of its fraction, so that lines are as long as each other.
fn padded(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<9}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = [
        r#"{"log":"one \"1\"\n","stream":"stdout","time":"2026-01-01T00:00:01Z"}"#,
        r#"{"log":"two\n","stream":"stderr","time":"2026-01-01T00:00:02.5Z"}"#,
        r#"{"log":"three","stream":"stdout","time":"2026-01-01T00:00:03Z"}"#,
    ];

    fn render(tty: bool, change: impl FnOnce(&mut LogsOptions)) -> String {
        let mut options = LogsOptions { stdout: true, stderr: true, ..LogsOptions::default() };
        change(&mut options);
        let details = options.details.then(|| "a=b".to_owned());
        let mut rendering = Rendering::new(options, details, tty);
        for line in LINES.iter().chain(&["{\"log\":\"half"]) {
            if rendering.add(line.as_bytes()) == Goes::Enough {
                break;
            }
        }
        rendering.take().map(|bytes| bytes.escape_ascii().to_string()).unwrap_or_default()
    }

    #[test]
    fn lines_become_frames() {
        let at = |text: &str| Some(text.parse().unwrap());
        let all = [
            render(false, |_| ()),
            render(true, |_| ()),
            render(true, |options| options.timestamps = true),
            render(true, |options| (options.timestamps, options.details) = (true, true)),
            render(true, |options| options.stdout = false),
            render(true, |options| options.since = at("2026-01-01T00:00:02Z")),
            render(true, |options| options.until = at("2026-01-01T00:00:02Z")),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
