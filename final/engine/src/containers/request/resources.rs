//! Limits that contradict each other or are too small to start a program with, refused in docker's words. What remains is the
//! chapter's to check (`cgroups::Limits::validate`).

use std::collections::BTreeSet;
use std::path::Path;

use bollard_stubs::models::HostConfig;

use crate::error::{Error, Result};

/// The least memory that docker gives: with less, a program is killed before its first instruction.
const LEAST: i64 = 6 << 20;

/// Checks the limits of a container, at its creation and at an update.
pub(crate) fn check(host: &HostConfig) -> Result<()> {
    let of = |value: Option<i64>| value.unwrap_or(0);
    let (memory, swap, reserved) = (of(host.memory), of(host.memory_swap), of(host.memory_reservation));
    let small = |bytes: i64| bytes > 0 && bytes < LEAST;
    let (period, quota) = (of(host.cpu_period), of(host.cpu_quota));
    let swappiness = host.memory_swappiness.unwrap_or(-1);
    let oom = of(host.oom_score_adj);
    let weight = host.blkio_weight.unwrap_or(0);
    let rules = [
        (small(memory), "Minimum memory limit allowed is 6MB".to_owned()),
        (small(reserved), "Minimum memory reservation allowed is 6MB".to_owned()),
        (
            memory > 0 && reserved > memory,
            "Minimum memory limit can not be less than memory reservation limit, see usage".to_owned(),
        ),
        (
            memory > 0 && swap > 0 && swap < memory,
            "Minimum memoryswap limit should be larger than memory limit, see usage".to_owned(),
        ),
        (
            memory == 0 && swap > 0,
            "You should always set the Memory limit when using Memoryswap limit, see usage".to_owned(),
        ),
        (
            !(-1..=100).contains(&swappiness),
            format!("Invalid value: {swappiness}, valid memory swappiness range is 0-100"),
        ),
        (
            period != 0 && !(1000..=1_000_000).contains(&period),
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)".to_owned(),
        ),
        (quota > 0 && quota < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)".to_owned()),
        (weight != 0 && !(10..=1000).contains(&weight), "Range of blkio weight is from 10 to 1000".to_owned()),
        (!(-1000..=1000).contains(&oom), format!("Invalid value {oom}, range for oom score adj is [-1000, 1000]")),
        (of(host.cpu_shares) == 1, "the minimum allowed cpu-shares is 2".to_owned()),
        (of(host.cpu_shares) > 262_144, "the maximum allowed cpu-shares is 262144".to_owned()),
        (of(host.shm_size) < 0, "SHM size can not be less than 0".to_owned()),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, words)) => Err(Error::invalid(words)),
        None => lists(host),
    }
}

/// Processors and memory nodes: lists such as `0-2,4`.
fn lists(host: &HostConfig) -> Result<()> {
    for (list, what) in [(&host.cpuset_cpus, "cpus"), (&host.cpuset_mems, "mems")] {
        let text = list.as_deref().unwrap_or_default();
        let number = |text: &str| text.parse::<u32>().is_ok();
        let range =
            |part: &str| part.split_once('-').map_or_else(|| number(part), |(from, to)| number(from) && number(to));
        if !text.is_empty() && !text.split(',').all(range) {
            return Err(Error::invalid(format!("Invalid value {text} for cpuset {what}"))
                .hint("Write numbers and ranges: 0-2,4."));
        }
        let Some(there) = of_machine(what) else { continue };
        if !text.is_empty() && members(text).iter().any(|number| !members(&there).contains(number)) {
            let kind = if what == "cpus" { "CPUs" } else { "memory nodes" };
            let message = format!("Requested {kind} are not available - requested {text}, available: {there}");
            return Err(Error::invalid(message));
        }
    }
    Ok(())
}

/// The processors (`cpus`) or memory nodes (`mems`) that this machine gives out, by the top group of either version.
fn of_machine(what: &str) -> Option<String> {
    let top = Path::new("/sys/fs/cgroup");
    let files = [top.join(format!("cpuset/cpuset.{what}")), top.join(format!("cpuset.{what}.effective"))];
    files.iter().find_map(|file| std::fs::read_to_string(file).ok()).map(|text| text.trim().to_owned())
}

/// The numbers of a list that is known to be one, at most as many of each range as any machine has.
fn members(list: &str) -> BTreeSet<u32> {
    let number = |text: &str| text.parse::<u32>().ok();
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(number(from)?..=number(to)?).map(|range| range.take(8192))
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_cannot_be_are_refused_in_dockers_words() {
        let none = HostConfig::default;
        let all = vec![
            HostConfig { memory: Some(1024), ..none() },
            HostConfig { memory_reservation: Some(1024), ..none() },
            HostConfig { memory: Some(16 << 20), memory_reservation: Some(32 << 20), ..none() },
            HostConfig { memory: Some(16 << 20), memory_swap: Some(15 << 20), ..none() },
            HostConfig { memory_swap: Some(15 << 20), ..none() },
            HostConfig { memory_swappiness: Some(101), ..none() },
            HostConfig { cpu_period: Some(900), ..none() },
            HostConfig { cpu_quota: Some(900), ..none() },
            HostConfig { blkio_weight: Some(5), ..none() },
            HostConfig { oom_score_adj: Some(1001), ..none() },
            HostConfig { shm_size: Some(-1), ..none() },
            HostConfig { cpuset_cpus: Some("1-42,,".to_owned()), ..none() },
            HostConfig { cpuset_mems: Some("42-3,1--".to_owned()), ..none() },
            HostConfig { cpuset_cpus: Some("0,7000-7001".to_owned()), ..none() },
        ];
        let processors = of_machine("cpus").unwrap_or_default();
        let words: Vec<_> = all
            .iter()
            .map(|host| {
                check(host).unwrap_err().message.replace(&format!("available: {processors}"), "available: [list]")
            })
            .collect();
        insta::assert_snapshot!(words.join("\n"), @r#"
        Minimum memory limit allowed is 6MB
        Minimum memory reservation allowed is 6MB
        Minimum memory limit can not be less than memory reservation limit, see usage
        Minimum memoryswap limit should be larger than memory limit, see usage
        You should always set the Memory limit when using Memoryswap limit, see usage
        Invalid value: 101, valid memory swappiness range is 0-100
        CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)
        CPU cfs quota can not be less than 1ms (i.e. 1000)
        Range of blkio weight is from 10 to 1000
        Invalid value 1001, range for oom score adj is [-1000, 1000]
        SHM size can not be less than 0
        Invalid value 1-42,, for cpuset cpus
        Invalid value 42-3,1-- for cpuset mems
        Requested CPUs are not available - requested 0,7000-7001, available: [list]
        "#);
        let fine = HostConfig { memory: Some(LEAST), memory_swap: Some(-1), cpu_period: Some(1000), ..none() };
        assert_eq!(check(&fine), Ok(()));
    }
}
