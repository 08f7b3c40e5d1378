//! How the kernel writes numbers down: three shapes of text, read without ever failing. A line that is not understood
//! is a line of a newer kernel and is skipped.
//!
//! ```text
//! flat                     by device, version 1      by device, version 2
//!
//! nr_periods 12            8:0 Read 4096             8:0 rbytes=4096 wbytes=0 rios=1 wios=0
//! nr_throttled 3           8:0 Write 0
//! throttled_time 4711      Total 4096
//! ```
//!
//! The shapes are named in the kernel's `admin-guide/cgroup-v2.rst`, "Interface files".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One block device, growing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockIo {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Read requests.
    pub reads: u64,
    /// Write requests.
    pub writes: u64,
}

/// By major and minor number.
type Devices = BTreeMap<(u32, u32), BlockIo>;

/// `KEY VALUE` per line: `memory.stat`, `cpu.stat`, `memory.events`.
pub(crate) fn flat(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

/// The value of `key` in such a text; 0 when it is not there.
pub(crate) fn flat_value(text: &str, key: &str) -> u64 {
    flat(text).find(|(name, _)| *name == key).map_or(0, |(_, value)| value)
}

/// A single number. `max`, and the number that version 1 shows for it (close to 2^63), are `None`.
pub(crate) fn single(text: &str) -> Option<u64> {
    // SOLUTION cg-single
    text.trim().parse().ok().filter(|value| *value < u64::MAX / 4)
    // END SOLUTION
}

/// Version 1's `MAJOR:MINOR OPERATION VALUE` lines, bytes in one file and requests in another, into one entry per
/// device.
pub(crate) fn block_v1(bytes: &str, requests: &str) -> Vec<BlockIo> {
    // SOLUTION cg-block-v1
    let mut devices = Devices::new();
    for (text, counts_bytes) in [(bytes, true), (requests, false)] {
        for line in text.lines() {
            let mut fields = line.split_whitespace();
            let (Some(number), Some(operation), Some(value)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let (Some((major, minor)), Ok(value)) = (device_number(number), value.parse::<u64>()) else { continue };
            let device = entry(&mut devices, major, minor);
            match (operation, counts_bytes) {
                ("Read", true) => device.read_bytes += value,
                ("Write", true) => device.write_bytes += value,
                ("Read", false) => device.reads += value,
                ("Write", false) => device.writes += value,
                _ => {}
            }
        }
    }
    devices.into_values().collect()
    // END SOLUTION
}

/// Version 2's `MAJOR:MINOR rbytes=1 wbytes=2 rios=3 wios=4` lines.
pub(crate) fn block_v2(text: &str) -> Vec<BlockIo> {
    let mut devices = Devices::new();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let Some((major, minor)) = fields.next().and_then(device_number) else { continue };
        let device = entry(&mut devices, major, minor);
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            let value = value.parse().unwrap_or(0);
            match key {
                "rbytes" => device.read_bytes = value,
                "wbytes" => device.write_bytes = value,
                "rios" => device.reads = value,
                "wios" => device.writes = value,
                _ => {}
            }
        }
    }
    devices.into_values().collect()
}

fn device_number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn entry(devices: &mut Devices, major: u32, minor: u32) -> &mut BlockIo {
    devices.entry((major, minor)).or_insert_with(|| BlockIo { major, minor, ..BlockIo::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_texts() {
        let text =
            "cache 9900032\nrss 13012992\nhierarchical_memory_limit 9223372036854771712\nodd line here\nempty \n";
        assert_eq!(flat_value(text, "rss"), 13_012_992);
        assert_eq!(flat_value(text, "nothing"), 0);
        assert_eq!(flat(text).count(), 3);
    }

    #[test]
    fn unlimited_has_two_spellings() {
        assert_eq!(single("max\n"), None);
        assert_eq!(single("9223372036854771712\n"), None);
        assert_eq!(single("67108864\n"), Some(67_108_864));
    }

    #[test]
    fn both_versions_say_the_same_of_a_disk() {
        let v1 = block_v1(
            "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 0\n254:0 Total 12288\nTotal 12288\n",
            "254:0 Read 1\n254:0 Write 2\n",
        );
        let v2 = block_v2("254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:0\nnonsense\n");
        assert_eq!(v1.last(), v2.last());
        insta::assert_compact_debug_snapshot!(v1, @"[BlockIo { major: 254, minor: 0, read_bytes: 4096, write_bytes: 8192, reads: 1, writes: 2 }]");
    }
}
