//! How much of the machine the container may use.

use bollard_stubs::models::{HostConfig, ResourcesBlkioWeightDevice, ResourcesUlimits, ThrottleDevice};
use clap::Args;

use super::given;
use super::resources::Resources;
use crate::error::{Error, Result};
use crate::grammar::{device, size, ulimit};

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    #[command(flatten)]
    resources: Resources,
    /// Readiness to swap, 0 to 100 (cgroup v1)
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(i64).range(-1..=100))]
    memory_swappiness: Option<i64>,
    /// Resource limit of the process, such as nofile=1024:2048
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]", value_parser = ulimit::parse)]
    ulimits: Vec<ResourcesUlimits>,
    /// Size of /dev/shm (default 64m)
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    shm_size: Option<i64>,
    /// Do not kill it when its memory is used up (cgroup v1)
    #[arg(long)]
    oom_kill_disable: bool,
    /// How readily it is killed when the machine's memory is used up, -1000 to 1000
    #[arg(long, value_name = "SCORE")]
    oom_score_adj: Option<i64>,
    /// Weight for one device, DEVICE:WEIGHT
    #[arg(long, value_name = "DEVICE:WEIGHT", value_parser = device::weight)]
    blkio_weight_device: Vec<ResourcesBlkioWeightDevice>,
    /// Most bytes per second read from a device
    #[arg(long, value_name = "DEVICE:BYTES", value_parser = device::bytes_per_second)]
    device_read_bps: Vec<ThrottleDevice>,
    /// Most bytes per second written to a device
    #[arg(long, value_name = "DEVICE:BYTES", value_parser = device::bytes_per_second)]
    device_write_bps: Vec<ThrottleDevice>,
    /// Most reads per second from a device
    #[arg(long, value_name = "DEVICE:NUMBER", value_parser = device::operations_per_second)]
    device_read_iops: Vec<ThrottleDevice>,
    /// Most writes per second to a device
    #[arg(long, value_name = "DEVICE:NUMBER", value_parser = device::operations_per_second)]
    device_write_iops: Vec<ThrottleDevice>,
}

impl Limits {
    /// Puts the flags in their places.
    pub(super) fn apply(&self, host: &mut HostConfig) -> Result<()> {
        if self.resources.cpus.is_some() && (self.resources.cpu_period.is_some() || self.resources.cpu_quota.is_some())
        {
            return Err(Error::new("conflicting options: --cpus cannot be used with --cpu-period or --cpu-quota")
                .hint("--cpus 1.5 says the same as --cpu-period 100000 --cpu-quota 150000."));
        }
        host.memory = self.resources.memory;
        host.memory_reservation = self.resources.memory_reservation;
        host.memory_swap = self.resources.memory_swap;
        host.memory_swappiness = self.memory_swappiness;
        host.nano_cpus = self.resources.cpus;
        host.cpu_shares = self.resources.cpu_shares;
        host.cpu_period = self.resources.cpu_period;
        host.cpu_quota = self.resources.cpu_quota;
        host.cpu_realtime_period = self.resources.cpu_rt_period;
        host.cpu_realtime_runtime = self.resources.cpu_rt_runtime;
        host.cpuset_cpus.clone_from(&self.resources.cpuset_cpus);
        host.cpuset_mems.clone_from(&self.resources.cpuset_mems);
        host.pids_limit = self.resources.pids_limit;
        host.ulimits = given(&self.ulimits);
        host.shm_size = self.shm_size;
        host.oom_kill_disable = self.oom_kill_disable.then_some(true);
        host.oom_score_adj = self.oom_score_adj;
        host.blkio_weight = self.resources.blkio_weight;
        host.blkio_weight_device = given(&self.blkio_weight_device);
        host.blkio_device_read_bps = given(&self.device_read_bps);
        host.blkio_device_write_bps = given(&self.device_write_bps);
        host.blkio_device_read_iops = given(&self.device_read_iops);
        host.blkio_device_write_iops = given(&self.device_write_iops);
        Ok(())
    }
}
