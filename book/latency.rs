//! What each step of a start took, as it was measured once: `{{latency}}` in a page.
//!
//! The figures are in `latency.txt`, with their date and machine; `latency.sh` measures them when somebody asks. What is checked
//! is that the table is about today's engine: every step that there is was measured, and every one that was measured is
//! there. The sentences come from the engine.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use namespaces::Container;

use crate::includes;

/// Steps below this median, in microseconds, are summed up.
const SMALL: u64 = 10;

/// The record of one measurement.
#[derive(Debug, Default, PartialEq, Eq)]
struct Record {
    /// `date`, `machine`, `measured`.
    about: Vec<(String, String)>,
    /// Name, minimum, median in microseconds, in the order in which they happen.
    steps: Vec<(String, u64, u64)>,
}

/// The table and what is to be known about it.
pub(crate) fn table(repository: &Path) -> Result<String> {
    let file = "book/latency.txt";
    let text = std::fs::read_to_string(repository.join(file)).with_context(|| format!("cannot read {file}"))?;
    let record = parse(&text).with_context(|| format!("cannot read {file}"))?;
    let container = Container::with_defaults("/");
    let own: BTreeMap<&str, &str> =
        namespaces::steps(&container, [], &[]).into_iter().map(|step| (step.name, step.about)).collect();
    let measured = |name: &str| record.steps.iter().any(|(step, ..)| step == name);
    // A stage mounts the root in the place of this one.
    if let Some(name) = own.keys().find(|name| !measured(name) && **name != "bind-root") {
        bail!("{file} has no figure for the step {name}: measure again, by book/latency.sh");
    }
    if let Some((name, ..)) = record.steps.iter().find(|(name, ..)| !is_there(name, repository)) {
        bail!(
            "{file} has a figure for {name}, and no source has a step of this name: measure again, by book/latency.sh"
        );
    }
    let mut page: Vec<String> = record.about.iter().map(|(what, value)| format!("- **{what}:** {value}\n")).collect();
    page.push("\n| step | minimum | median | what it does |\n|---|---:|---:|---|\n".to_owned());
    for (name, minimum, median) in record.steps.iter().filter(|(_, _, median)| *median >= SMALL) {
        let about = own.get(name.as_str()).copied().unwrap_or_else(|| of_stage(name));
        page.push(format!("| `{name}` | {minimum} µs | {median} µs | {about} |\n"));
    }
    let small: Vec<_> = record.steps.iter().filter(|(_, _, median)| *median < SMALL).collect();
    let sum: u64 = small.iter().map(|(_, _, median)| median).sum();
    page.push(format!("| {} others, below {SMALL} µs each | | {sum} µs | |\n", small.len()));
    Ok(page.concat())
}

fn parse(text: &str) -> Result<Record> {
    let mut record = Record::default();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some((what, value)) = line.split_once(": ") {
            record.about.push((what.to_owned(), value.to_owned()));
            continue;
        }
        let mut cells = line.split(", ");
        let (Some(name), Some(minimum), Some(median)) = (cells.next(), cells.next(), cells.next()) else {
            bail!("this line is no measurement: {line}");
        };
        record.steps.push((name.to_owned(), minimum.parse()?, median.parse()?));
    }
    if record.about.iter().map(|(what, _)| what.as_str()).ne(["date", "machine", "measured"]) {
        bail!("it must say date, machine and measured, in this order");
    }
    Ok(record)
}

/// Whether a source has this step, or the stage that it is a moment of.
fn is_there(name: &str, repository: &Path) -> bool {
    let own = name.strip_prefix("prepare ").or(name.strip_prefix("attach ")).unwrap_or(name);
    let own = own.trim_end_matches(" (meanwhile)");
    own == "clone3" || includes::any_source(repository, |text| text.contains(&format!("\"{own}\"")))
}

/// What a moment of a stage is, and what the steps of stages do.
fn of_stage(name: &str) -> &'static str {
    match name {
        "prepare network (meanwhile)" => {
            "In the daemon: namespace, pair, address, ports. The monitor does the rest of the preparing at the same time."
        }
        "prepare network" => "In the monitor: wait for the daemon to be done with it.",
        "prepare cgroups" => "Make the groups and write the limits.",
        "prepare unionfs" => "Make the overlay, in no mount table.",
        "clone3" => "Make the process with its namespaces, and wait until it lives.",
        "join-cgroups" => "Go into the groups.",
        "join-network" => "Go into the network namespace.",
        "mount-overlay" => "Put the overlay in its place.",
        "mount-volumes" => "Mount volumes, and the files for names and addresses.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_when_and_where() {
        let text = "# c\ndate: 2026-01-01\nmachine: m\nmeasured: 3 times\nclone3, 1, 2\n";
        let record = parse(text).unwrap();
        assert_eq!(record.steps, [("clone3".to_owned(), 1, 2)]);
        assert!(parse("clone3, 1, 2\n").is_err());
        assert!(parse("date: 1\nmachine: m\nmeasured: x\nclone3, 1\n").is_err());
    }

    #[test]
    fn the_record_is_about_todays_engine() {
        let table = table(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        assert!(table.contains("| `clone3` |") && table.contains("| `pivot-root` |"), "{table}");
    }

    #[test]
    fn a_step_that_nobody_takes_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(is_there("prepare cgroups", &root) && is_there("load-seccomp", &root));
        assert!(!is_there("walk-the-plank", &root));
    }
}
