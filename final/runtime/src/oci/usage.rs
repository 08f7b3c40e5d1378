//! `update` and `events`: other limits for a container that runs, and what it has used so far.

use std::io::Read;
use std::time::Duration;

use cgroups::{Cgroup, Limits, Stats};
use namespaces::{Context, Failure, Result};
use serde_json::{Value, json};

use super::command::{Command, say};
use super::config::Resources;
use super::options::Options;
use super::record::{Record, Status};
use super::resources;

/// What `update` takes: the words of runc, each with its place in `linux.resources`.
const LIMITS: [(&str, &str); 15] = [
    ("blkio-weight", "/blockIO/weight"),
    ("cpu-burst", "/cpu/burst"),
    ("cpu-idle", "/cpu/idle"),
    ("cpu-period", "/cpu/period"),
    ("cpu-quota", "/cpu/quota"),
    ("cpu-rt-period", "/cpu/realtimePeriod"),
    ("cpu-rt-runtime", "/cpu/realtimeRuntime"),
    ("cpu-share", "/cpu/shares"),
    ("cpuset-cpus", "/cpu/cpus"),
    ("cpuset-mems", "/cpu/mems"),
    ("memory", "/memory/limit"),
    ("memory-reservation", "/memory/reservation"),
    ("memory-swap", "/memory/swap"),
    ("pids-limit", "/pids/limit"),
    ("mem-bw-schema", "/intelRdt"),
];

/// `update`: changes what is given, as JSON (`--resources FILE`, `-` is standard input) or by options, and leaves the rest.
pub(crate) fn update(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    running(&record, command, "update the container")?;
    let wanted = match options.value("resources") {
        Some(path) => read(path)?,
        None => by_options(options)?,
    };
    let group = record.group()?;
    // Rules for devices are no limit that is raised or lowered; those of the container stay.
    let mut limits = Limits { devices: None, ..resources::limits(&wanted)? };
    if limits.memory.is_none() && limits.memory_swap.is_some_and(|swap| swap > 0) {
        // Swap is counted together with memory, whose limit stays what it is.
        limits.memory = group.stats()?.memory.limit;
    }
    limits.validate()?;
    group.update(&limits)?;
    Ok(0)
}

fn read(path: &str) -> Result<Resources> {
    let mut text = Vec::new();
    let read = match path {
        "-" => std::io::stdin().read_to_end(&mut text),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut text)),
    };
    read.during("read the limits", path)?;
    serde_json::from_slice(&text).during("understand the limits", path)
}

fn by_options(options: &Options) -> Result<Resources> {
    let mut wanted = json!({ "blockIO": {}, "cpu": {}, "memory": {}, "pids": {} });
    for (name, place) in LIMITS {
        let Some(text) = options.value(name) else { continue };
        if place == "/intelRdt" {
            return Err(Failure::new("limit the container by", "this runtime has no such limit").on(name));
        }
        let value = match name {
            "cpuset-cpus" | "cpuset-mems" => json!(text),
            _ => json!(number(name, text)?),
        };
        if let Some((part, key)) = place.trim_start_matches('/').split_once('/')
            && let Some(part) = wanted.get_mut(part).and_then(Value::as_object_mut)
        {
            part.insert(key.to_owned(), value);
        }
    }
    if wanted.pointer("/pids/limit").is_none() {
        wanted.as_object_mut().map(|parts| parts.remove("pids"));
    }
    serde_json::from_value(wanted).step("understand the limits")
}

/// A number; for memory also with a unit, as docker and runc take it (`32M`).
fn number(name: &str, text: &str) -> Result<i64> {
    let wrong = || Failure::new("understand the limit", "it is a number").on(format!("--{name} {text}"));
    if name.starts_with("memory") && !text.starts_with('-') {
        return i64::try_from(cgroups::parse_size(text)?).map_err(|_| wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// `events`: what was used, as one line of JSON every five seconds (`--interval`) until the container ends; with `--stats` once.
pub(crate) fn events(command: &Command, options: &Options) -> Result<u8> {
    let record = command.records.load(options.id()?)?;
    let interval = interval(options.value("interval").unwrap_or("5s"))?;
    running(&record, command, "watch the container")?;
    let group = record.group()?;
    if options.has("stats") {
        return say(line(&record, &group)?);
    }
    let mut memory = group.watch_memory()?;
    while record.status(&command.records)? != Status::Stopped {
        say(line(&record, &group)?)?;
        // Woken early by a shortage of memory, which is an event of its own.
        if memory.next(&group, interval)?.is_some() {
            say(format!("{{\"type\":\"oom\",\"id\":{}}}", id_as_json(&record)?))?;
        }
    }
    Ok(0)
}

/// `5s`, `500ms`, `1m`, as one unit.
fn interval(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let wrong = || Failure::new("understand --interval", "it is a time such as 5s").on(text);
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let duration = match text.strip_prefix(digits) {
        Some("ms") => Duration::from_millis(count),
        Some("" | "s") => Duration::from_secs(count),
        Some("m") => Duration::from_secs(count.saturating_mul(60)),
        _ => return Err(wrong()),
    };
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

fn running(record: &Record, command: &Command, step: &str) -> Result<()> {
    match record.status(&command.records)? {
        Status::Stopped => Err(Failure::new(step, "container not running").on(&record.id)),
        _ => Ok(()),
    }
}

fn line(record: &Record, group: &Cgroup) -> Result<String> {
    // Not a `Value`, which would sort the keys: callers look for the type first.
    let data = serde_json::to_string(&usage(&group.stats()?)).step("write the statistics as JSON")?;
    let id = id_as_json(record)?;
    Ok(format!("{{\"type\":\"stats\",\"id\":{id},\"data\":{data}}}"))
}

fn id_as_json(record: &Record) -> Result<String> {
    serde_json::to_string(&record.id).step("write the id as JSON")
}

/// The numbers under runc's names.
fn usage(stats: &Stats) -> Value {
    let Stats { cpu, memory, pids, block_io } = stats;
    let limit = memory.limit.unwrap_or(u64::MAX);
    let device = |disk: &cgroups::BlockIo, op: &str, value: u64| json!({ "major": disk.major, "minor": disk.minor, "op": op, "value": value });
    let bytes = block_io
        .iter()
        .flat_map(|disk| [device(disk, "Read", disk.read_bytes), device(disk, "Write", disk.write_bytes)]);
    let requests =
        block_io.iter().flat_map(|disk| [device(disk, "Read", disk.reads), device(disk, "Write", disk.writes)]);
    json!({
        "cpu": {
            "usage": { "total": cpu.usage_ns, "percpu": cpu.per_cpu_ns, "kernel": cpu.system_ns, "user": cpu.user_ns },
            "throttling": {
                "periods": cpu.periods, "throttledPeriods": cpu.throttled_periods, "throttledTime": cpu.throttled_ns,
            },
        },
        "memory": {
            "usage": { "usage": memory.usage, "max": memory.peak, "limit": limit, "failcnt": memory.limit_hits },
            "raw": memory.stat,
        },
        "pids": { "current": pids.current, "limit": pids.limit.unwrap_or(0) },
        "blkio": {
            "ioServiceBytesRecursive": bytes.collect::<Vec<_>>(),
            "ioServicedRecursive": requests.collect::<Vec<_>>(),
        },
        "hugetlb": {},
        "intel_rdt": {},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_unit() {
        assert_eq!(interval("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(interval("5s").unwrap(), Duration::from_secs(5));
        assert_eq!(interval("2").unwrap(), Duration::from_secs(2));
        for wrong in ["", "s", "0s", "-1s", "1h30m", "1x"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_are_resources() {
        let line = ["--memory=32M", "--cpu-share=2", "--pids-limit", "20", "--cpuset-cpus", "0-1", "c1"];
        let options = super::super::command::parse_for_test("update", &line.map(str::to_owned));
        let limits = resources::limits(&by_options(&options).unwrap()).unwrap();
        assert_eq!((limits.memory, limits.cpu_shares, limits.pids_max), (Some(32 << 20), Some(2), Some(20)));
        assert_eq!(limits.cpuset_cpus.as_deref(), Some("0-1"));
    }
}
