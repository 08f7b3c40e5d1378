//! `config.json` of a bundle, as far as it is understood (runtime-spec 1.2, config.md and config-linux.md).
//!
//! The fields are those of the specification, in its order and its words; its text says what they mean. A field that is not
//! here is ignored, as the specification wants of what a runtime does not know. What it knows and cannot do is here all the
//! same, so that [`super::translate`] can refuse it by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use namespaces::seccomp::json::Document;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Config {
    pub(crate) oci_version: String,
    pub(crate) root: Option<Root>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) process: Option<Process>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) hooks: Hooks,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) linux: Linux,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    pub(crate) readonly: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Mount {
    pub(crate) destination: PathBuf,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) options: Vec<String>,
    pub(crate) uid_mappings: Vec<IdMapping>,
    pub(crate) gid_mappings: Vec<IdMapping>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Process {
    pub(crate) terminal: bool,
    pub(crate) console_size: Option<ConsoleSize>,
    pub(crate) cwd: PathBuf,
    pub(crate) env: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) rlimits: Vec<Rlimit>,
    pub(crate) apparmor_profile: Option<String>,
    pub(crate) capabilities: Option<Capabilities>,
    pub(crate) no_new_privileges: bool,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) selinux_label: Option<String>,
    pub(crate) io_priority: Option<IoPriority>,
    #[serde(rename = "execCPUAffinity")]
    pub(crate) exec_cpu_affinity: Option<Affinity>,
    pub(crate) user: User,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ConsoleSize {
    pub(crate) height: u16,
    pub(crate) width: u16,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) umask: Option<u32>,
    pub(crate) additional_gids: Vec<u32>,
    /// For systems whose users have no numbers; here it is looked up in the image.
    pub(crate) username: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Scheduler {
    pub(crate) policy: String,
    pub(crate) nice: i32,
    pub(crate) priority: i32,
    pub(crate) flags: Vec<String>,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct IoPriority {
    pub(crate) class: String,
    pub(crate) priority: i32,
}

/// Processors of an exec, as lists: before and after it has joined the cgroup.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Affinity {
    pub(crate) initial: String,
    #[serde(rename = "final")]
    pub(crate) after: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Personality {
    pub(crate) domain: String,
    pub(crate) flags: Vec<String>,
}

/// How far a clock is ahead.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClockOffset {
    pub(crate) secs: i64,
    pub(crate) nanosecs: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Rlimit {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Capabilities {
    pub(crate) bounding: Vec<String>,
    pub(crate) effective: Vec<String>,
    pub(crate) permitted: Vec<String>,
    pub(crate) inheritable: Vec<String>,
    pub(crate) ambient: Vec<String>,
}

/// Programs that are run at the turning points of a container's life.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Hooks {
    pub(crate) prestart: Vec<Hook>,
    pub(crate) create_runtime: Vec<Hook>,
    pub(crate) create_container: Vec<Hook>,
    pub(crate) start_container: Vec<Hook>,
    pub(crate) poststart: Vec<Hook>,
    pub(crate) poststop: Vec<Hook>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hook {
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<String>,
    /// `None` is the environment of the runtime.
    pub(crate) env: Option<Vec<String>>,
    /// Seconds.
    pub(crate) timeout: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Linux {
    pub(crate) devices: Vec<Device>,
    pub(crate) uid_mappings: Vec<IdMapping>,
    pub(crate) gid_mappings: Vec<IdMapping>,
    pub(crate) sysctl: BTreeMap<String, String>,
    pub(crate) cgroups_path: Option<PathBuf>,
    pub(crate) resources: Resources,
    pub(crate) rootfs_propagation: Option<String>,
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) seccomp: Option<Document>,
    pub(crate) masked_paths: Vec<PathBuf>,
    pub(crate) readonly_paths: Vec<PathBuf>,
    pub(crate) mount_label: Option<String>,
    pub(crate) intel_rdt: Option<Value>,
    pub(crate) personality: Option<Personality>,
    pub(crate) time_offsets: BTreeMap<String, ClockOffset>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Device {
    pub(crate) path: PathBuf,
    #[serde(rename = "type")]
    pub(crate) kind: char,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) file_mode: Option<u32>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct IdMapping {
    #[serde(rename = "containerID")]
    pub(crate) container_id: u32,
    #[serde(rename = "hostID")]
    pub(crate) host_id: u32,
    pub(crate) size: u32,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Namespace {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Resources {
    pub(crate) devices: Vec<DeviceAccess>,
    pub(crate) memory: Memory,
    pub(crate) cpu: Cpu,
    pub(crate) pids: Option<Pids>,
    #[serde(rename = "blockIO")]
    pub(crate) block_io: BlockIo,
    pub(crate) hugepage_limits: Vec<HugepageLimit>,
    pub(crate) network: Option<Network>,
    pub(crate) rdma: BTreeMap<String, Value>,
    pub(crate) unified: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeviceAccess {
    pub(crate) allow: bool,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) major: Option<i64>,
    pub(crate) minor: Option<i64>,
    pub(crate) access: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Memory {
    pub(crate) limit: Option<i64>,
    pub(crate) reservation: Option<i64>,
    pub(crate) swap: Option<i64>,
    pub(crate) swappiness: Option<u64>,
    #[serde(rename = "disableOOMKiller")]
    pub(crate) disable_oom_killer: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Cpu {
    pub(crate) shares: Option<u64>,
    pub(crate) quota: Option<i64>,
    pub(crate) period: Option<u64>,
    pub(crate) burst: Option<u64>,
    pub(crate) idle: Option<i64>,
    pub(crate) realtime_runtime: Option<i64>,
    pub(crate) realtime_period: Option<u64>,
    pub(crate) cpus: Option<String>,
    pub(crate) mems: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Pids {
    pub(crate) limit: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct BlockIo {
    pub(crate) weight: Option<u16>,
    pub(crate) weight_device: Vec<WeightDevice>,
    pub(crate) throttle_read_bps_device: Vec<Throttle>,
    pub(crate) throttle_write_bps_device: Vec<Throttle>,
    #[serde(rename = "throttleReadIOPSDevice")]
    pub(crate) throttle_read_iops_device: Vec<Throttle>,
    #[serde(rename = "throttleWriteIOPSDevice")]
    pub(crate) throttle_write_iops_device: Vec<Throttle>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct WeightDevice {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) weight: Option<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HugepageLimit {
    pub(crate) page_size: String,
    pub(crate) limit: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Throttle {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) rate: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Network {
    #[serde(rename = "classID")]
    pub(crate) class_id: Option<u32>,
    pub(crate) priorities: Vec<Value>,
}
