//! What a person is told when the kernel refuses a limit. An errno alone (`EBUSY`, `EINVAL`) does not say which number
//! was wrong or what the right ones are; the group's other files do.
//!
//! ```text
//! cannot set memory.limit_in_bytes to "1048576" for the cgroup /skiff/web: Device or resource busy
//! The processes use 31457280 bytes now. Choose a limit above that, or end some of them first.
//! ```
//!
//! The first line is the failure, the second its hint. The hint is looked up only after the refusal, so it costs the
//! usual case nothing; and when the lookup itself fails, the failure simply has no hint.

use namespaces::{Context as _, Failure};
use rustix::io::Errno;

use crate::cgroup::{Cgroup, read_at};
use crate::hierarchy::Controller;
use crate::writes::Write;

/// The failure of `write`, which the kernel answered with `errno`, with what can be done about it.
pub(crate) fn explain(cgroup: &Cgroup, write: &Write, errno: Errno) -> Failure {
    let what = format!("{} to {:?} for the cgroup /{}", write.file, write.value, cgroup.path().display());
    let refused = Err::<(), _>(errno).during("set", what).err();
    let mut failure = refused.unwrap_or_else(|| Failure::new("set", errno));
    failure.hint = hint(cgroup, write, errno);
    failure
}

/// What is known about each file's refusals. Sources: `mm/memcontrol-v1.c` (EBUSY when reclaim gives up, EINVAL when
/// memory and its sum with swap cross), `kernel/cgroup/cpuset.c` (EINVAL, EACCES, ENOSPC, and ERANGE for a number
/// beyond the kernel's mask), `kernel/sched/core.c` (EINVAL outside the bounds), `security/device_cgroup.c` (EPERM).
fn hint(cgroup: &Cgroup, write: &Write, errno: Errno) -> Option<String> {
    let says = |file: &str| cgroup.read(write.controller, file).ok().flatten().map(|text| text.trim().to_owned());
    let controller = write.controller.name(cgroup.version()).unwrap_or("this");
    match (write.file.as_ref(), errno) {
        (_, Errno::NOENT) if is_withheld(cgroup, controller) => Some(format!(
            "The group above does not pass the {controller} controller on, because processes are in it. Move them into a group \
             of their own: mkdir init beside this one, and write each into init/cgroup.procs."
        )),
        (_, Errno::NOENT) => Some(format!(
            "This kernel has no {} here: the {controller} controller or this part of it is off. Leave the option out.",
            write.file
        )),
        ("memory.limit_in_bytes" | "memory.max", Errno::BUSY) => {
            let used = says("memory.usage_in_bytes").or_else(|| says("memory.current"));
            let used = used.unwrap_or_else(|| "more".to_owned());
            Some(format!("The processes use {used} bytes now. Choose a limit above that, or end some of them first."))
        }
        ("memory.limit_in_bytes", Errno::INVAL) => Some(format!(
            "The limit of memory and swap together is {} bytes. Set it at the same time, to at least the memory limit.",
            says("memory.memsw.limit_in_bytes")?
        )),
        ("memory.memsw.limit_in_bytes", Errno::INVAL) => Some(format!(
            "It is memory and swap together and cannot be below the memory limit, which is {} bytes.",
            says("memory.limit_in_bytes")?
        )),
        ("cpuset.cpus" | "cpuset.mems", _) => {
            let kind = if write.file == "cpuset.cpus" { "processors" } else { "memory nodes" };
            let available = says(&format!("../{}", write.file)).filter(|list| !list.is_empty());
            let available = available.or_else(|| says(&format!("../{}.effective", write.file)))?;
            Some(format!("Requested {kind} are not available: asked for {}, there are {available}.", write.value))
        }
        ("blkio.weight_device" | "io.weight", Errno::OPNOTSUPP) => {
            Some("The device's scheduler does not weigh requests. Choose bfq in /sys/block/NAME/queue/scheduler.".to_owned())
        }
        ("cpu.cfs_burst_us" | "cpu.max.burst", Errno::INVAL) => {
            Some("The burst is in µs and at most the quota, which must be set.".to_owned())
        }
        ("cpu.rt_runtime_us" | "cpu.rt_period_us", Errno::INVAL) => {
            let above = says("../cpu.rt_runtime_us")?;
            Some(format!("Realtime time is given by the group above, which has {above} µs itself; write more there first."))
        }
        ("cpu.cfs_quota_us" | "cpu.cfs_period_us" | "cpu.max", Errno::INVAL) => {
            Some("Quota and period are in µs: the quota at least 1000, the period from 1000 to 1000000, and neither more than the parent group's.".to_owned())
        }
        ("devices.allow" | "devices.deny", Errno::PERM) => {
            Some("The parent group does not have this device itself. Allow it there, or choose another parent.".to_owned())
        }
        (_, Errno::NODEV) if matches!(write.controller, Controller::Blkio) => {
            Some("There is no such block device, or the number is a partition's: give that of the whole disk.".to_owned())
        }
        (_, Errno::ACCESS | Errno::PERM) => Some("Only root may change this. Run the engine as root.".to_owned()),
        _ => None,
    }
}

/// Version 2: the group above has the controller and does not pass it on ("no internal processes", cgroups(7)).
fn is_withheld(cgroup: &Cgroup, controller: &str) -> bool {
    let lists = |file: &str| {
        let text = cgroup.any_dir().ok().and_then(|dir| read_at(dir, file).ok().flatten()).unwrap_or_default();
        text.split_whitespace().any(|name| name == controller)
    };
    lists("../cgroup.controllers") && !lists("cgroup.controllers")
}
