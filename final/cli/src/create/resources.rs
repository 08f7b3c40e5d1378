//! The limits that can be given to a new container and changed on one that exists.

use clap::Args;

use crate::grammar::size;

/// The flags that `run`, `create` and `update` share.
#[derive(Debug, Args)]
pub(crate) struct Resources {
    /// Memory, such as 64m (at least 6m)
    #[arg(short, long, value_name = "BYTES", value_parser = size::parse)]
    pub(crate) memory: Option<i64>,
    /// Memory that is left to it when the machine runs short
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    pub(crate) memory_reservation: Option<i64>,
    /// Memory and swap together; -1 for any amount of swap
    #[arg(long, value_name = "BYTES", value_parser = size::parse_or_unlimited)]
    pub(crate) memory_swap: Option<i64>,
    /// Number of processors, such as 1.5
    #[arg(long, value_name = "NUMBER", value_parser = size::cpus)]
    pub(crate) cpus: Option<i64>,
    /// Weight against other containers, 1024 for the usual one
    #[arg(short, long, value_name = "SHARES")]
    pub(crate) cpu_shares: Option<i64>,
    /// Length of the scheduler's period in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_period: Option<i64>,
    /// Processor time per period in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_quota: Option<i64>,
    /// Length of the realtime scheduler's period (cgroup v1)
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_rt_period: Option<i64>,
    /// Realtime processor time per period (cgroup v1)
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_rt_runtime: Option<i64>,
    /// Processors it may run on, such as 0-2,4
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Memory nodes it may use
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_mems: Option<String>,
    /// Number of processes and threads; -1 for any
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pids_limit: Option<i64>,
    /// Weight for block devices, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) blkio_weight: Option<u16>,
}
