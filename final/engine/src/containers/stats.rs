//! `docker stats`: what a container has used, in one sample. Clients compute rates from two.

use std::collections::HashMap;
use std::fs;
use std::thread::available_parallelism;

use bollard_stubs::models::{
    ContainerBlkioStatEntry, ContainerBlkioStats, ContainerCpuStats, ContainerCpuUsage, ContainerMemoryStats,
    ContainerNetworkStats, ContainerPidsStats, ContainerStatsResponse, ContainerThrottlingData,
};
use cgroups::{BlockIo, Cgroup, Cpu, Memory, Stats};
use jiff::Timestamp;

use super::Containers;
use crate::error::{Kind, Result};

impl Containers {
    /// What a container has used so far; `before` is the sample that rates are computed against. One that does not run has a
    /// sample of zeros.
    ///
    /// # Errors
    /// 404.
    pub async fn stats(&self, name: &str, before: Option<&ContainerStatsResponse>) -> Result<ContainerStatsResponse> {
        let container = self.find(name)?;
        let state = container.state();
        let mut sample = ContainerStatsResponse {
            id: Some(container.id.clone()),
            name: Some(format!("/{}", container.name())),
            read: Some(Timestamp::now().to_string()),
            preread: before.and_then(|before| before.read.clone()),
            precpu_stats: Some(before.and_then(|before| before.cpu_stats.clone()).unwrap_or_else(no_cpu)),
            cpu_stats: Some(no_cpu()),
            memory_stats: Some(ContainerMemoryStats::default()),
            pids_stats: Some(ContainerPidsStats::default()),
            blkio_stats: Some(ContainerBlkioStats::default()),
            num_procs: Some(0),
            ..ContainerStatsResponse::default()
        };
        let Some(pid) = state.pid else { return Ok(sample) };
        let used = match self.with_cgroup(&container, Cgroup::stats).await {
            Err(error) if error.kind == Kind::Conflict => return Ok(sample),
            used => used?,
        };
        let Stats { cpu, memory, pids, block_io } = used;
        sample.cpu_stats = Some(show_cpu(&cpu));
        sample.memory_stats = Some(show_memory(&memory));
        sample.pids_stats =
            Some(ContainerPidsStats { current: Some(pids.current), limit: Some(pids.limit.unwrap_or(0)) });
        sample.blkio_stats = Some(show_block_io(&block_io));
        let own_network = state.network.is_some_and(|network| !network.endpoints().is_empty());
        sample.networks =
            own_network.then(|| interfaces(&fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default()));
        Ok(sample)
    }
}

fn no_cpu() -> ContainerCpuStats {
    show_cpu(&Cpu::default())
}

fn show_cpu(cpu: &Cpu) -> ContainerCpuStats {
    ContainerCpuStats {
        cpu_usage: Some(ContainerCpuUsage {
            total_usage: Some(cpu.usage_ns),
            percpu_usage: Some(cpu.per_cpu_ns.clone()).filter(|each| !each.is_empty()),
            usage_in_kernelmode: Some(cpu.system_ns),
            usage_in_usermode: Some(cpu.user_ns),
        }),
        system_cpu_usage: Some(machine_ns(&fs::read_to_string("/proc/stat").unwrap_or_default())),
        online_cpus: available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok()),
        throttling_data: Some(ContainerThrottlingData {
            periods: Some(cpu.periods),
            throttled_periods: Some(cpu.throttled_periods),
            throttled_time: Some(cpu.throttled_ns),
        }),
    }
}

/// Processor time of the whole machine, idle too, from the first line of `/proc/stat`: in hundredths of a second there.
fn machine_ns(stat: &str) -> u64 {
    let line = stat.lines().next().unwrap_or_default();
    // The two last fields, guests, are in the others already.
    let fields = line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse::<u64>().ok());
    fields.sum::<u64>().saturating_mul(10_000_000)
}

fn show_memory(memory: &Memory) -> ContainerMemoryStats {
    let machine = || {
        let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        total.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    ContainerMemoryStats {
        usage: Some(memory.usage),
        max_usage: Some(memory.peak),
        stats: Some(memory.stat.clone().into_iter().collect()),
        failcnt: Some(memory.limit_hits),
        limit: Some(memory.limit.unwrap_or_else(machine)),
        ..ContainerMemoryStats::default()
    }
}

fn show_block_io(devices: &[BlockIo]) -> ContainerBlkioStats {
    let entries = |values: fn(&BlockIo) -> [(&'static str, u64); 2]| {
        let of = |device: &BlockIo| {
            let (major, minor) = (u64::from(device.major), u64::from(device.minor));
            values(device).map(|(op, value)| ContainerBlkioStatEntry {
                major: Some(major),
                minor: Some(minor),
                op: Some(op.to_owned()),
                value: Some(value),
            })
        };
        Some(devices.iter().flat_map(of).collect())
    };
    ContainerBlkioStats {
        io_service_bytes_recursive: entries(|device| [("read", device.read_bytes), ("write", device.write_bytes)]),
        io_serviced_recursive: entries(|device| [("read", device.reads), ("write", device.writes)]),
        ..ContainerBlkioStats::default()
    }
}

/// The counters of `/proc/PID/net/dev` but those of the loopback (proc_pid_net(5)).
fn interfaces(text: &str) -> HashMap<String, ContainerNetworkStats> {
    let line = |line: &str| {
        let (name, counters) = line.split_once(':')?;
        let counters: Vec<u64> = counters.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let at = |index: usize| counters.get(index).copied();
        let stats = ContainerNetworkStats {
            rx_bytes: at(0),
            rx_packets: at(1),
            rx_errors: at(2),
            rx_dropped: at(3),
            tx_bytes: at(8),
            tx_packets: at(9),
            tx_errors: at(10),
            tx_dropped: at(11),
            ..ContainerNetworkStats::default()
        };
        Some((name.trim().to_owned(), stats)).filter(|(name, _)| name != "lo")
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        assert_eq!(machine_ns("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1"), 360_000_000);
        let text = "Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 3 4 0 0 0 0 20 6 7 8 0 0 0 0\n";
        let found = interfaces(text);
        let eth0 = &found["eth0"];
        assert_eq!((found.len(), eth0.rx_bytes, eth0.tx_bytes, eth0.tx_dropped), (1, Some(10), Some(20), Some(8)));
    }
}
