//! Pull, load and import as they go on: a bar per layer on a terminal, otherwise a line for each change.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;

use crate::client::Lines;
use crate::error::{Error, Result};
use crate::output::{output_error, print};

/// One line of the daemon's.
#[derive(Debug, Default, Deserialize)]
struct Message {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    stream: Option<String>,
    #[serde(default, rename = "progressDetail")]
    detail: Option<Detail>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default, rename = "errorDetail")]
    error_detail: Option<ErrorDetail>,
}

/// How far something is, in bytes.
#[derive(Debug, Default, Deserialize)]
struct Detail {
    #[serde(default)]
    current: Option<u64>,
    #[serde(default)]
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    message: String,
}

impl Message {
    /// An error that came after the answer's head said that all was well.
    fn failure(&self) -> Option<Error> {
        let message = self.error_detail.as_ref().map(|detail| detail.message.clone()).or_else(|| self.error.clone())?;
        // The status is lost in the stream; these are the words of a missing image.
        let missing = message.contains("not found") || message.contains("manifest unknown");
        Some(Error::midway(if missing { 404 } else { 500 }, &message))
    }

    fn position(&self) -> Option<(u64, u64)> {
        let detail = self.detail.as_ref()?;
        Some((detail.current?, detail.total.unwrap_or(0)))
    }

    /// The line for those who cannot watch a bar. A step that only got further has none.
    fn plain(&self) -> Option<String> {
        if let Some(stream) = &self.stream {
            return Some(stream.clone());
        }
        if self.position().is_some() {
            return None;
        }
        let status = self.status.as_ref()?;
        Some(match &self.id {
            Some(id) if !id.is_empty() => format!("{id}: {status}\n"),
            _ => format!("{status}\n"),
        })
    }
}

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// Standard output: what `pull` and `load` are about.
    Output,
    /// Standard error: what `run` does on its way.
    Error,
    /// Nowhere.
    Nowhere,
}

impl To {
    fn is_terminal(self) -> bool {
        match self {
            Self::Output => std::io::stdout().is_terminal(),
            Self::Error => std::io::stderr().is_terminal(),
            Self::Nowhere => false,
        }
    }

    fn write(self, text: &str) -> Result<()> {
        match self {
            Self::Output => print(text),
            Self::Error => std::io::stderr().write_all(text.as_bytes()).map_err(|error| output_error(&error)),
            Self::Nowhere => Ok(()),
        }
    }
}

/// Shows the daemon's messages until they end. One that is an error ends them.
pub(crate) async fn show(mut lines: Lines, to: To) -> Result<()> {
    let mut bars = to.is_terminal().then(|| Bars::new(to));
    while let Some(message) = lines.next::<Message>().await? {
        if let Some(error) = message.failure() {
            return Err(error);
        }
        match &mut bars {
            Some(bars) => bars.update(&message),
            None => to.write(&message.plain().unwrap_or_default())?,
        }
    }
    to.write(&bars.map(Bars::finish).unwrap_or_default())
}

/// One bar per layer, in the order in which the layers are first spoken of.
struct Bars {
    all: MultiProgress,
    known: BTreeMap<String, ProgressBar>,
    /// What is said of the whole. It comes in the end, below the bars.
    result: String,
}

impl Bars {
    fn new(to: To) -> Self {
        let target = match to {
            To::Output => ProgressDrawTarget::stdout(),
            To::Error | To::Nowhere => ProgressDrawTarget::stderr(),
        };
        Self { all: MultiProgress::with_draw_target(target), known: BTreeMap::new(), result: String::new() }
    }

    fn update(&mut self, message: &Message) {
        let (Some(id), Some(status)) = (message.id.as_ref().filter(|id| !id.is_empty()), &message.status) else {
            self.result += &message.plain().unwrap_or_default();
            return;
        };
        // "latest: Pulling from library/debian" names a tag, not a layer.
        if status.starts_with("Pulling from") || status.starts_with("The push refers to") {
            let _ = self.all.println(format!("{id}: {status}"));
            return;
        }
        let bar = self.known.entry(id.clone()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new(0).with_style(words()));
            bar.set_prefix(id.clone());
            bar
        });
        bar.set_message(status.clone());
        match message.position() {
            Some((current, total)) => {
                bar.set_style(style(total > 0));
                bar.set_length(total);
                bar.set_position(current);
            }
            None => bar.set_style(words()),
        }
        if is_last(status) {
            bar.finish();
        }
    }

    /// Leaves the bars as they are and returns what is to be said below them.
    fn finish(self) -> String {
        for bar in self.known.values() {
            bar.finish();
        }
        self.result
    }
}

/// The words after which nothing more is said of a layer.
fn is_last(status: &str) -> bool {
    ["Pull complete", "Already exists", "Loaded", "Layer already exists", "Pushed", "Mounted from"]
        .iter()
        .any(|last| status.starts_with(last))
}

/// A bar when the end is known, a counter otherwise.
fn style(known_end: bool) -> ProgressStyle {
    let template = if known_end {
        "{prefix}: {msg:<12} [{bar:40}] {decimal_bytes:>9}/{decimal_total_bytes}"
    } else {
        "{prefix}: {msg:<12} {decimal_bytes}"
    };
    ProgressStyle::with_template(template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}

/// A state without a measure.
fn words() -> ProgressStyle {
    ProgressStyle::with_template("{prefix}: {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Message {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_change_is_a_line_and_mere_progress_is_not() {
        let plain = |json: &str| message(json).plain();
        assert_eq!(
            plain(r#"{"status":"Pulling fs layer","progressDetail":{},"id":"a1"}"#).unwrap(),
            "a1: Pulling fs layer\n"
        );
        assert_eq!(plain(r#"{"status":"Downloading","progressDetail":{"current":5,"total":9},"id":"a1"}"#), None);
        assert_eq!(plain(r#"{"status":"Digest: sha256:00"}"#).unwrap(), "Digest: sha256:00\n");
        assert_eq!(plain(r#"{"stream":"Loaded image: a:1\n"}"#).unwrap(), "Loaded image: a:1\n");
    }

    #[test]
    fn an_error_in_the_stream_is_an_error() {
        let error = message(r#"{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}"#).failure();
        assert_eq!(error.unwrap().status, Some(404));
        assert!(message(r#"{"status":"x"}"#).failure().is_none());
    }
}
