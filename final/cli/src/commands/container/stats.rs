//! `stats`: what containers use of the machine, once or again and again.

use std::io::IsTerminal as _;

use clap::Args;
use futures_util::future::join_all;
use serde::Deserialize;

use super::ls::Summary;
use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::listing::{Field, Listing, Row};
use crate::output::table::short_id;
use crate::output::{self, units};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// How to print them: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Print once and end
    #[arg(long)]
    no_stream: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    #[arg(hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// One sample, as `GET /containers/ID/stats` has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sample {
    name: String,
    id: String,
    cpu_stats: Cpu,
    precpu_stats: Cpu,
    memory_stats: Memory,
    networks: Option<std::collections::BTreeMap<String, Traffic>>,
    blkio_stats: Blocks,
    pids_stats: Pids,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpu {
    #[serde(rename = "cpu_usage")]
    usage: CpuUsage,
    #[serde(rename = "system_cpu_usage")]
    system: u64,
    online_cpus: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CpuUsage {
    total_usage: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: u64,
    limit: u64,
    stats: Option<std::collections::BTreeMap<String, u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Traffic {
    rx_bytes: u64,
    tx_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Blocks {
    io_service_bytes_recursive: Option<Vec<Block>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    op: String,
    value: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pids {
    current: u64,
}

/// The fields of templates, with their headings.
const FIELDS: &[Field] = &[
    ("ID", "CONTAINER ID"),
    ("Container", "CONTAINER"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
];

const LISTING: Listing = Listing { fields: FIELDS, id: "ID", raw: &[], setting: "statsFormat" };

impl Execute for Stats {
    const USAGE: &'static str = "[OPTIONS] [CONTAINER...]";
    const ABOUT: &'static str = "Show what containers use of the machine";

    async fn execute(self, client: &Client) -> Result<Exit> {
        loop {
            // The daemon takes a second for its two samples, which is also how often the table is drawn.
            let table = self.table(client).await?;
            if self.no_stream {
                output::print(table)?;
                return Ok(DONE);
            }
            let home = if std::io::stdout().is_terminal() { "\x1b[H\x1b[J" } else { "" };
            output::print(format!("{home}{table}"))?;
        }
    }
}

impl Stats {
    async fn table(&self, client: &Client) -> Result<String> {
        let mut names = self.containers.clone();
        if names.is_empty() {
            let request = Request::get("/containers/json").flag("all", self.all);
            let running: Vec<Summary> = client.json(request).await?;
            names.extend(running.into_iter().map(|summary| summary.id));
        }
        let samples = join_all(names.iter().map(|name| sample(client, name))).await;
        let mut rows = Vec::new();
        for (name, sample) in names.iter().zip(samples) {
            rows.push(sample?.row(name, !self.no_trunc));
        }
        let table = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];
        LISTING.render(client, self.format.as_deref(), false, &table, &rows)
    }
}

async fn sample(client: &Client, name: &str) -> Result<Sample> {
    client.json(Request::get(format!("{}/stats", path(name))).query("stream", "0")).await
}

impl Sample {
    fn row(&self, asked: &str, cut: bool) -> Row {
        let used = self.memory();
        let blocks = self.blkio_stats.io_service_bytes_recursive.as_deref().unwrap_or_default();
        let bytes =
            |op: &str| blocks.iter().filter(|block| block.op.eq_ignore_ascii_case(op)).map(|block| block.value).sum();
        let traffic =
            |pick: fn(&Traffic) -> u64| self.networks.iter().flatten().map(|(_, traffic)| pick(traffic)).sum();
        Row::new([
            ("ID", if cut { short_id(&self.id) } else { self.id.clone() }),
            ("Container", if self.containers_id(asked) && cut { short_id(&self.id) } else { asked.to_owned() }),
            ("Name", self.name.trim_start_matches('/').to_owned()),
            ("CPUPerc", format!("{:.2}%", self.cpu())),
            ("MemUsage", format!("{} / {}", units::memory(used), units::memory(self.memory_stats.limit))),
            ("MemPerc", format!("{:.2}%", percent(used, self.memory_stats.limit))),
            (
                "NetIO",
                format!("{} / {}", units::traffic(traffic(|t| t.rx_bytes)), units::traffic(traffic(|t| t.tx_bytes))),
            ),
            ("BlockIO", format!("{} / {}", units::traffic(bytes("read")), units::traffic(bytes("write")))),
            ("PIDs", self.pids_stats.current.to_string()),
        ])
    }

    fn containers_id(&self, asked: &str) -> bool {
        asked == self.id
    }

    /// Memory without what the kernel would give back at once: the inactive page cache. Its name differs by cgroup version.
    fn memory(&self) -> u64 {
        let stats = self.memory_stats.stats.as_ref();
        let inactive = ["total_inactive_file", "inactive_file"];
        let cache = inactive.into_iter().find_map(|name| stats?.get(name)).copied().unwrap_or(0);
        self.memory_stats.usage.checked_sub(cache).unwrap_or(self.memory_stats.usage)
    }

    /// Share of the machine's processor time between the two samples, in percent of one processor.
    fn cpu(&self) -> f64 {
        let used = self.cpu_stats.usage.total_usage.saturating_sub(self.precpu_stats.usage.total_usage);
        let all = self.cpu_stats.system.saturating_sub(self.precpu_stats.system);
        percent(used, all) * f64::from(self.cpu_stats.online_cpus.max(1))
    }
}

/// 0 of 0 is 0.
#[expect(clippy::cast_precision_loss)]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_becomes_a_row() {
        let json = r#"{"name":"/w1","id":"00c51db793b3d0aa","pids_stats":{"current":2},
            "cpu_stats":{"cpu_usage":{"total_usage":300},"system_cpu_usage":2000,"online_cpus":2},
            "precpu_stats":{"cpu_usage":{"total_usage":100},"system_cpu_usage":1000},
            "memory_stats":{"usage":2097152,"limit":67108864,"stats":{"total_inactive_file":1048576}},
            "networks":{"eth0":{"rx_bytes":646,"tx_bytes":0}},
            "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":4096},{"op":"Write","value":0}]}}"#;
        let sample: Sample = serde_json::from_str(json).unwrap();
        let format = "{{.ID}}|{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.NetIO}}|{{.BlockIO}}|{{.PIDs}}";
        let row = crate::output::listing::render(Some(format), FIELDS, &[], &[sample.row("w1", true)]).unwrap();
        assert_eq!(row, "00c51db793b3|w1|40.00%|1MiB / 64MiB|1.56%|646B / 0B|4.1kB / 0B|2\n");
    }
}
