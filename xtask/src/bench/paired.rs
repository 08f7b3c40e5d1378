//! Contestants take turns, so that a slow minute of the machine is slow for all of them.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::room::command;

/// Between two runs: long enough for the kernel's grace periods to end, as they would have between a user's commands.
const PAUSE: Duration = Duration::from_millis(40);

/// A command that is measured.
pub(crate) struct Contestant {
    name: String,
    words: Vec<String>,
    times: Vec<Duration>,
}

impl Contestant {
    /// `words` is the program and its arguments.
    pub(crate) fn new(name: &str, words: Vec<String>) -> Self {
        Self { name: name.to_owned(), words, times: Vec::new() }
    }

    /// Notes a time that somebody else has taken.
    pub(crate) fn note(&mut self, took: Duration) {
        self.times.push(took);
    }
}

/// How long the program of `words` takes; it must succeed.
pub(crate) fn timed(words: &[String]) -> Result<Duration> {
    let mut command = command(words)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begin = Instant::now();
    let output = command.spawn()?.wait_with_output()?;
    let took = begin.elapsed();
    if !output.status.success() {
        bail!("{}: {}: {}", words.join(" "), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(took)
}

/// A finished race.
pub(crate) struct Race<'a> {
    contestants: &'a [Contestant],
}

impl<'a> Race<'a> {
    /// Two turns to warm up, then `runs` turns of each, one after the other.
    pub(crate) fn run(contestants: &'a mut [Contestant], runs: usize) -> Result<Self> {
        for turn in 0..runs + 2 {
            for contestant in contestants.iter_mut() {
                std::thread::sleep(PAUSE);
                let took = timed(&contestant.words)?;
                if turn >= 2 {
                    contestant.times.push(took);
                }
            }
        }
        Ok(Self { contestants })
    }

    /// A race whose times were noted.
    pub(crate) fn noted(contestants: &'a [Contestant]) -> Self {
        Self { contestants }
    }

    /// A line per contestant: minimum, median, and the median of the turn-by-turn ratios to `base`.
    pub(crate) fn table(&self, base: &str) -> String {
        let word = base.split(' ').next().unwrap_or(base);
        let mut text = format!("{:<34}{:>10}{:>10}{:>12}\n", "milliseconds", "minimum", "median", format!("× {word}"));
        for contestant in self.contestants {
            let times: Vec<f64> = contestant.times.iter().map(milliseconds).collect();
            let least = times.iter().copied().fold(f64::INFINITY, f64::min);
            let ratio = self.ratios(&contestant.name, base).map_or(f64::NAN, median);
            let _infallible =
                writeln!(text, "{:<34}{least:>10.2}{:>10.2}{ratio:>12.2}", contestant.name, median(times));
        }
        text
    }

    /// One sentence: how the median of one stands to the other's.
    pub(crate) fn ratio(&self, name: &str, base: &str) -> String {
        let ratio = self.ratios(name, base).map_or(f64::NAN, median);
        format!("{name} takes {ratio:.3} of {base} (1/{:.1})", 1.0 / ratio)
    }

    fn ratios(&self, name: &str, base: &str) -> Option<Vec<f64>> {
        let times = |name: &str| self.contestants.iter().find(|each| each.name == name).map(|each| &each.times);
        let (ours, theirs) = (times(name)?, times(base)?);
        Some(ours.iter().zip(theirs).map(|(a, b)| milliseconds(a) / milliseconds(b)).collect())
    }
}

fn milliseconds(time: &Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The one in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
