//! `run --explain`: a start whose parts are measured, and what each part is.
//!
//! Nothing is measured unless somebody asks: a start takes the same way with an empty list. What a part does and by which
//! kernel calls is in `parts.rs`.

mod parts;

use std::future::Future;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use namespaces::{Process, Timing, steps};
use serde::Serialize;

pub use parts::Chapter;
use parts::{Known, known};

use super::Containers;
use crate::error::Result;

/// Whether a start is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// As always.
    No,
    /// Somebody wants to know.
    Yes,
}

/// What was measured so far.
pub(super) struct Timings {
    pub(super) measure: Measure,
    /// In the order in which the parts were done.
    pub(super) taken: Vec<Timing>,
}

impl Timings {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure, taken: Vec::new() }
    }

    /// Notes how long a part took, if that is wanted.
    pub(super) fn add(&mut self, name: &str, took: Duration) {
        if self.measure == Measure::Yes {
            self.taken.push(Timing { name: name.to_owned(), took });
        }
    }

    /// Does `work` and notes how long it took.
    pub(super) fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.add(name, began.elapsed());
        done
    }
}

/// One part of a container's beginning or end, as the API has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Part {
    /// Which of the six steps of a `run` it belongs to: 3 the file system, 4 the network, 5 the process, 6 the end.
    pub step: u8,
    /// `prepare cgroups`, `pivot-root`.
    pub name: String,
    /// One sentence.
    pub about: &'static str,
    /// The kernel calls that do it, when there is something to do.
    pub calls: &'static [&'static str],
    /// The chapter of the book that explains it.
    pub chapter: Chapter,
    /// Measured wall time, in nanoseconds.
    pub took: u64,
}

impl Containers {
    /// [`Self::start`], measured: the parts of the start now, and those of the end when the container has ended and has given
    /// back what it held.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    pub async fn start_explained(&self, name: &str) -> Result<(Vec<Part>, impl Future<Output = Vec<Part>> + use<>)> {
        let container = self.find(name)?;
        let timings = self.start_found(container.clone(), Measure::Yes).await?;
        let ended = async move {
            // The end of the sender would be the end of the engine.
            let _ = container.watch().wait_for(|life| !life.monitored).await;
            let finished = container.state().finished_at.unwrap_or_else(Timestamp::now);
            let took = Timestamp::now().duration_since(finished).unsigned_abs();
            explain(vec![Timing { name: "release".to_owned(), took }])
        };
        Ok((explain(timings), ended))
    }
}

/// What the parts are. Those of a later version of the runtime that nobody here knows are told by their names.
fn explain(timings: Vec<Timing>) -> Vec<Part> {
    // The one whose list has every step.
    let process = Process { no_new_privileges: true, ..Process::default() };
    let container = namespaces::Container { process, ..namespaces::Container::default() };
    let of_chapter_1 = steps(&container, [], &[]);
    let part = |Timing { name, took }: Timing| {
        let Known { step, chapter, about, calls } = known(&name);
        let own = of_chapter_1.iter().find(|step| step.name == name).map(|step| step.about);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        Part { step, about: own.unwrap_or(about), calls, chapter, took, name }
    };
    // Our stages have nothing to do to a process that waits, and what is nothing needs no explanation.
    timings.into_iter().filter(|timing| !timing.name.starts_with("attach ")).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_explained() {
        let containers = [false, true].map(|no_new_privileges| {
            let process = Process { no_new_privileges, ..Process::default() };
            namespaces::Container { process, ..namespaces::Container::default() }
        });
        for container in &containers {
            for step in steps(container, [], &[]) {
                let part = explain(vec![Timing { name: step.name.to_owned(), took: Duration::ZERO }]);
                assert!(
                    matches!(part.as_slice(), [part] if !part.calls.is_empty() && part.about == step.about),
                    "{}",
                    step.name
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_has_its_name() {
        let part = explain(vec![Timing { name: "dance".to_owned(), took: Duration::from_micros(3) }]);
        assert!(matches!(part.as_slice(), [Part { name, took: 3000, calls: [], .. }] if name == "dance"));
    }
}
