//! # Chapter 2: cgroups
//!
//! Namespaces limit what a process sees. A cgroup limits what it uses: memory, processor time, processes, devices. It
//! also counts what was used, and it is the one handle on *all* processes of a container, however often they forked:
//! freeze them, list them, kill them.
//!
//! Linux has two versions of this, and one machine can have both mounted. Here they are one type, [`Cgroup`].
//!
//! Read the files in this order:
//!
//! 1. `size.rs`: `64m` is 67108864 bytes.
//! 2. `limits.rs`: [`Limits`], what a container may use, in the words of `docker run`; `cpuset.rs` and `devices.rs` are
//!    its two values with a grammar of their own. On version 2 devices are decided by a program that `devices/program.rs`
//!    makes, `devices/bpf.rs` writes down and `sys.rs` hands to the kernel.
//! 3. `hierarchy.rs`: which version this machine has, and where: [`Hierarchies`], read from the mount table.
//! 4. `writes.rs`, `writes/v1.rs`, `writes/v2.rs`: limits and a version become a list of files and values. Pure.
//! 5. `cgroup.rs`: [`Cgroup`], a directory in each tree; `create.rs` makes them, `update.rs` writes their limits, `remove.rs`
//!    removes them, and `refusal.rs` is what a person is told when the kernel says no.
//! 6. `processes.rs`: join, list, freeze, thaw, kill; `ending.rs` is how far a process is with ending.
//! 7. `stats.rs`: what was used; `counters.rs` is how the kernel writes it down; `events.rs`: being told when memory runs
//!    short.
//! 8. `stage.rs`: [`CgroupStage`], the chapter's turn in the launch.

mod cgroup;
mod counters;
mod cpuset;
mod create;
mod devices;
mod ending;
mod events;
mod hierarchy;
mod limits;
mod processes;
mod refusal;
mod remove;
mod size;
mod stage;
mod stats;
mod sys;
mod update;
mod writes;

pub use cgroup::{Cgroup, Plan};
pub use counters::BlockIo;
pub use cpuset::parse_cpuset;
pub use devices::{DeviceKind, DeviceRule};
pub use events::{MemoryEvent, MemoryWatch};
pub use hierarchy::{Controller, Hierarchies, Hierarchy, Version};
pub use limits::{DeviceWeight, HugePages, Limits, Throttle, UNLIMITED};
pub use size::{format_size, parse_size};
pub use stage::CgroupStage;
pub use stats::{Cpu, Memory, Pids, Stats};
pub use writes::{Write, plan_update, plan_writes, weight_from_shares};
