//! When the process runs: its scheduler (sched(7)), its processors, its place in the queues of block devices.
//!
//! Limits (chapter 2) are about groups; these are about one process and what it starts. Ordinary processes share what the
//! real-time ones leave over, so a container that may set these (`CAP_SYS_NICE`) can starve its neighbours.
//!
//! | policy | who runs |
//! |---|---|
//! | deadline (6) | whoever has promised least time until his deadline; refused when the promises cannot all be kept |
//! | FIFO (1), round robin (2) | the highest priority that is ready, until it waits, or for its slice |
//! | other (0) | everybody by turns, in proportion to a weight that `nice` and the cgroup's shares decide |
//! | batch (3) | the same, but never in a hurry: fewer switches, warmer caches |
//! | idle (5) | what nobody else wants |
//!
//! All of it is inherited by fork(2) and kept over execve(2), which is why setting it once, here, is enough.

use nix::sched::CpuSet;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Result};
use crate::sys::{self, SchedAttr};

/// The argument of sched_setattr(2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scheduler {
    /// `SCHED_*`: 0 other, 1 FIFO, 2 round robin, 3 batch, 5 idle, 6 deadline.
    pub policy: u32,
    /// Of ordinary processes, -20 (gets most) to 19.
    pub nice: i32,
    /// Of real-time processes, 1 to 99 (first).
    pub priority: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// Of deadline processes, in ns: so much time,
    pub runtime: u64,
    /// within so much,
    pub deadline: u64,
    /// once in so much.
    pub period: u64,
}

/// The argument of ioprio_set(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoPriority {
    /// 1 real time, 2 best effort, 3 idle.
    pub class: u16,
    /// 0 (first) to 7.
    pub level: u16,
}

/// Sets what was asked for of the three. Before rights are given up: most of it takes `CAP_SYS_NICE`.
pub(crate) fn apply(scheduler: Option<&Scheduler>, io_priority: Option<IoPriority>, processors: &[u32]) -> Result<()> {
    if let Some(wanted) = scheduler {
        let attr = SchedAttr {
            policy: wanted.policy,
            flags: wanted.flags,
            nice: wanted.nice,
            priority: wanted.priority,
            runtime: wanted.runtime,
            deadline: wanted.deadline,
            period: wanted.period,
            ..SchedAttr::default()
        };
        sys::sched_setattr(attr).during("set the scheduling policy", wanted.policy)?;
    }
    if let Some(IoPriority { class, level }) = io_priority {
        sys::ioprio_set(class << 13 | level).during("set the I/O priority", format!("{class}:{level}"))?;
    }
    if processors.is_empty() { Ok(()) } else { stay_on(processors) }
}

/// sched_setaffinity(2) of this process. `EINVAL` when the cgroup's cpuset has none of the processors.
pub fn stay_on(processors: &[u32]) -> Result<()> {
    let step = "stay on the processors";
    let text = || processors.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut set = CpuSet::new();
    for processor in processors {
        set.set(usize::try_from(*processor).unwrap_or(usize::MAX)).during(step, text())?;
    }
    nix::sched::sched_setaffinity(Pid::from_raw(0), &set).during(step, text())
}
