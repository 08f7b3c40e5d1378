//! `run --explain`: the six steps of a `run`, how long each took, by which kernel calls, and which chapter explains them.
//!
//! Every figure is measured: what we asked for is timed here, what the daemon did is timed there and comes as a line of JSON
//! with the answer to `start?explain=1`, which is Skiff's own. A daemon that does not know that tells nothing, and then neither
//! do we. Without the flag nothing of this happens.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::client::{Client, Lines, Request};
use crate::error::Result;
use crate::output;

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The titles of the six steps and the chapters that explain them.
const STEPS: [(&str, &str); 6] = [
    ("Find the image", "6 images"),
    ("Write the container's record", "the engine"),
    ("Give it a file system", "3 unionfs, 5 volumes"),
    ("Give it a network", "4 network"),
    ("Start its process", "1 namespaces, 2 cgroups"),
    ("Keep its status and release what it held", "the engine"),
];

/// How long the daemon may take to release what a container held before we tell the rest without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// One part of a step. The daemon tells them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    step: u8,
    name: String,
    about: String,
    calls: Vec<String>,
    chapter: String,
    /// Nanoseconds.
    took: u64,
}

/// One of the six steps, told to programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Step {
    number: u8,
    title: &'static str,
    chapter: &'static str,
    /// Nanoseconds, where that is known: the measured whole, or the sum of the parts.
    took: Option<u64>,
    parts: Vec<Part>,
}

/// What is known about a run so far.
pub(crate) struct Story {
    form: Form,
    began: Instant,
    /// How long the image was fetched, when it was.
    pulled: Option<Duration>,
    /// How long the request for the record took.
    recorded: Duration,
    /// How long the request for the start took.
    started: Duration,
    parts: Vec<Part>,
    /// Where the daemon tells the rest.
    rest: Option<Lines>,
}

impl Story {
    /// The beginning.
    pub(crate) fn begin(form: Form) -> Self {
        let none = Duration::ZERO;
        Self { form, began: Instant::now(), pulled: None, recorded: none, started: none, parts: Vec::new(), rest: None }
    }

    /// Steps 1 and 2 are done.
    pub(crate) fn created(&mut self, pulled: Option<Duration>, recorded: Duration) {
        (self.pulled, self.recorded) = (pulled, recorded);
    }

    /// Steps 3 to 5: starts the container by a request that has the daemon tell how it went.
    pub(crate) async fn start(&mut self, client: &Client, path: &str) -> Result<()> {
        let began = Instant::now();
        let request = Request::post(format!("{path}/start")).flag("explain", true);
        let mut lines = Lines::new(client.stream(request).await?);
        // Another daemon answers without a body.
        let parts: Option<Vec<Part>> = lines.next().await.unwrap_or_default();
        self.started = began.elapsed();
        self.rest = parts.is_some().then_some(lines);
        self.parts = parts.unwrap_or_default();
        Ok(())
    }

    /// Tells everything on standard error, so that standard output stays the program's. `ended`: whether there is a step 6.
    pub(crate) async fn tell(mut self, ended: bool) {
        let rest = self.rest.take().filter(|_| ended);
        if let Some(mut rest) = rest {
            let end = tokio::time::timeout(PATIENCE, rest.next::<Vec<Part>>()).await;
            self.parts.extend(end.ok().and_then(Result::ok).flatten().unwrap_or_default());
        }
        let text = match self.form {
            Form::Text => self.text(),
            Form::Json => serde_json::to_string(&self.steps()).unwrap_or_default(),
        };
        output::notice(text.trim_end());
    }

    fn steps(&self) -> Vec<Step> {
        let step = |(number, (title, chapter)): (u8, (&'static str, &'static str))| {
            let parts: Vec<Part> = self.parts.iter().filter(|part| part.step == number).cloned().collect();
            let took = match number {
                1 => self.pulled.map(nanoseconds),
                2 => Some(nanoseconds(self.recorded)),
                _ if parts.is_empty() => None,
                _ => Some(parts.iter().map(|part| part.took).sum()),
            };
            Step { number, title, chapter, took, parts }
        };
        (1..).zip(STEPS).map(step).collect()
    }

    fn text(&self) -> String {
        let mut out = String::from("\n");
        for Step { number, title, chapter, took, parts } in self.steps() {
            let took = match (took, number) {
                (Some(took), _) => human(took),
                (None, 1) => "it was here".to_owned(),
                (None, _) => "-".to_owned(),
            };
            let _ = writeln!(out, "{number} {title:<42} {took:>11}   chapter {chapter}");
            // What took less than a microsecond had nothing to do.
            for part in parts.iter().filter(|part| part.took >= 1000) {
                let Part { name, about, calls, took, .. } = part;
                let calls = if calls.is_empty() { String::new() } else { format!(" [{}]", calls.join(" ")) };
                let _ = writeln!(out, "  {:>10}  {name:<22} {about}{calls}", human(*took));
            }
        }
        let (start, all) = (human(nanoseconds(self.started)), human(nanoseconds(self.began.elapsed())));
        let _ = writeln!(
            out,
            "\nThe request for steps 3 to 5 took {start}, everything {all}, the program's own time included."
        );
        if self.parts.is_empty() {
            out += "This daemon does not tell how it makes a container; skiffd does.\n";
        } else {
            out += "Some parts are done at the same time. In square brackets: the kernel calls, each with a page in section 2 of \
                    the manual.\n";
        }
        out.replace("chapter the", "the")
    }
}

fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

/// `41 µs`, `2.31 ms`, `1.50 s`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn human(nanoseconds: u64) -> String {
    let micros = nanoseconds as f64 / 1e3;
    match micros {
        ..1.0 => format!("{nanoseconds} ns"),
        ..1e3 => format!("{micros:.0} µs"),
        ..1e6 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(parts: Vec<Part>) -> Story {
        Story { recorded: Duration::from_micros(2310), parts, ..Story::begin(Form::Text) }
    }

    #[test]
    fn parts_stand_below_their_step() {
        let part = |step, name: &str, took| {
            let calls = vec!["fsopen".to_owned(), "fsmount".to_owned()];
            Part { step, name: name.to_owned(), about: "Do it.".to_owned(), calls, chapter: "3".to_owned(), took }
        };
        let text = story(vec![part(3, "prepare unionfs", 410_000), part(5, "idle", 90)]).text();
        let told: Vec<&str> = text.lines().take(8).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        1 Find the image                             it was here   chapter 6 images
        2 Write the container's record                   2.31 ms   the engine
        3 Give it a file system                           410 µs   chapter 3 unionfs, 5 volumes
              410 µs  prepare unionfs        Do it. [fsopen fsmount]
        4 Give it a network                                    -   chapter 4 network
        5 Start its process                                90 ns   chapter 1 namespaces, 2 cgroups
        6 Keep its status and release what it held             -   the engine
        ");
        assert!(!text.contains("idle"), "{text}");
    }

    #[test]
    fn a_daemon_that_tells_nothing_is_named() {
        let text = story(Vec::new()).text();
        assert!(text.contains("This daemon does not tell"), "{text}");
    }
}
