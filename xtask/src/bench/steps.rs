//! Where the time of a start goes, step by step, from lines that end in `NAME took N µs`.

use std::collections::HashMap;
use std::fmt::Write as _;

/// A line per step in the order in which they happen, medians, steps of less than 10 µs summed up.
pub(crate) fn table(log: &str) -> String {
    let mut order = Vec::new();
    let mut steps: HashMap<&str, Vec<u64>> = HashMap::new();
    for (name, took) in log.lines().filter_map(step) {
        let times = steps.entry(name).or_default();
        if times.is_empty() {
            order.push(name);
        }
        times.push(took);
    }
    let mut text = format!("{:<34}{:>10}{:>10}\n", "microseconds", "minimum", "median");
    let (mut small, mut all) = (0, 0);
    for name in order {
        let mut times = steps.remove(name).unwrap_or_default();
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        all += median;
        if median < 10 {
            small += median;
            continue;
        }
        let _infallible = writeln!(text, "{name:<34}{:>10}{median:>10}", times.first().copied().unwrap_or_default());
    }
    let _infallible = writeln!(
        text,
        "{:<34}{:>10}{small:>10}\n{:<34}{:>10}{all:>10}",
        "steps below 10", "", "sum, the meanwhile included", ""
    );
    text
}

/// How long each run of one step took, in microseconds.
pub(super) fn times(log: &str, name: &str) -> Vec<f64> {
    let own = log.lines().filter_map(step).filter(|(step, _)| *step == name);
    own.filter_map(|(_, took)| u32::try_from(took).ok()).map(f64::from).collect()
}

/// `mask-paths took 82 µs` at the end of a line of the log. Requests are logged in the same words and left out.
fn step(line: &str) -> Option<(&str, u64)> {
    let (_, told) = line.split_once("DEBUG ")?;
    let (name, took) = told.split_once(" took ")?;
    let took = took.strip_suffix(" µs")?.parse().ok()?;
    Some((name.rsplit(": ").next().unwrap_or(name), took))
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn steps_are_found_and_requests_are_not() {
        assert_eq!(step("2026-01-01T00:00:00Z DEBUG prepare cgroups took 412 µs"), Some(("prepare cgroups", 412)));
        assert_eq!(step("2026-01-01T00:00:00Z DEBUG GET /v1.51/_ping took 41 µs status=200"), None);
        assert_eq!(step("2026-01-01T00:00:00Z  INFO listening"), None);
    }
}
