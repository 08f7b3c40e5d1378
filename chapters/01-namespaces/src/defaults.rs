//! What a container has unless told otherwise: Docker's answers, so that its images run here unchanged.
//!
//! None of this is the kernel's doing. A container without `/dev/shm` is a container; only PostgreSQL will not start in it.
//! The lists are what some ten years of bug reports have agreed on: enough for ordinary programs, and nothing that tells
//! about the host or reaches it.

use std::path::{Path, PathBuf};

use crate::capabilities::{self, Capabilities};
use crate::container::{Container, Device, Process, RootFs};
use crate::mount::{Attributes, Mount, Source};
use crate::seccomp;

/// Where programs are looked for when the environment has no `PATH`.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Container {
    /// Docker's container on the tree at `rootfs`: new namespaces, the usual mounts and devices, 14 capabilities, the
    /// default system call filter. What to run is left to say: [`Process::args`].
    pub fn with_defaults(rootfs: impl Into<PathBuf>) -> Self {
        let names = capabilities::DEFAULT.map(str::to_owned);
        let process = Process {
            env: vec![format!("PATH={PATH}")],
            cwd: "/".into(),
            capabilities: Capabilities::of(&names),
            seccomp: Some(seccomp::default_program(&names)),
            ..Process::default()
        };
        Self {
            root: RootFs { path: rootfs.into(), ..RootFs::default() },
            mounts: mounts(),
            devices: devices(),
            masked_paths: masked_paths(),
            readonly_paths: readonly_paths(),
            process,
            ..Self::default()
        }
    }

    /// The same with nothing taken away but the view: all capabilities, no filter, no masks, `/sys` and the cgroups
    /// writable. Such a container can take over the host.
    #[must_use]
    pub fn privileged(mut self) -> Self {
        self.process.capabilities = Capabilities::of(&capabilities::ALL.map(str::to_owned));
        self.process.seccomp = None;
        self.masked_paths.clear();
        self.readonly_paths.clear();
        for mount in &mut self.mounts {
            let of_the_kernel = match &mount.source {
                Source::New { kind, .. } => kind == "sysfs",
                Source::Cgroup => true,
                Source::Bind { .. } | Source::MappedBind { .. } => false,
            };
            if of_the_kernel {
                mount.attributes.readonly = false;
            }
        }
        self
    }
}

/// `/proc`, `/dev` and what is in it, `/sys`, `/sys/fs/cgroup`, in the order in which they are made.
///
/// | where | what | why |
/// |---|---|---|
/// | `/proc` | procfs of the new pid namespace | `ps`, and much of every C library |
/// | `/dev` | an empty tmpfs of 64 MiB | the image's may hold anything |
/// | `/dev/pts` | a devpts of its own | terminals that the host does not see |
/// | `/sys` | sysfs, read-only | the interfaces of its network namespace |
/// | `/sys/fs/cgroup` | its own cgroups, read-only | programs look up their limits |
/// | `/dev/mqueue` | queues of its IPC namespace | mq_overview(7) |
/// | `/dev/shm` | a tmpfs of 64 MiB | shm_overview(7) |
pub fn mounts() -> Vec<Mount> {
    let quiet = Attributes { nodev: false, ..Attributes::CAUTIOUS };
    let readonly = Attributes { readonly: true, ..Attributes::CAUTIOUS };
    vec![
        new("proc", "/proc", &[], Attributes::CAUTIOUS),
        new("tmpfs", "/dev", &["mode=755", "size=65536k"], Attributes { nosuid: true, ..Attributes::default() }),
        // gid 5 is `tty` everywhere; group-writable terminals are what wall(1) and write(1) expect.
        new("devpts", "/dev/pts", &["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"], quiet),
        new("sysfs", "/sys", &[], readonly),
        Mount { target: "/sys/fs/cgroup".into(), source: Source::Cgroup, attributes: readonly },
        new("mqueue", "/dev/mqueue", &[], Attributes::CAUTIOUS),
        new("tmpfs", "/dev/shm", &["source=shm", "mode=1777", "size=65536k"], Attributes::CAUTIOUS),
    ]
}

/// A [`Mount`] of a new file system.
fn new(kind: &str, target: &str, options: &[&str], attributes: Attributes) -> Mount {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Mount { target: target.into(), source: Source::New { kind: kind.to_owned(), options }, attributes }
}

/// `null zero full random urandom tty`: harmless, and every program expects them.
pub fn devices() -> Vec<Device> {
    let nodes = [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
    let device = |(name, major, minor)| Device {
        path: Path::new("/dev").join(name),
        kind: 'c',
        major,
        minor,
        mode: 0o666,
        uid: 0,
        gid: 0,
    };
    nodes.into_iter().map(device).collect()
}

/// What tells too much about the host, or lets it be told what to do. On a machine whose processors report their thermal
/// throttling, also those files, one directory per processor: they let one container time another.
pub fn masked_paths() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ]
    .map(PathBuf::from)
    .into();
    let processors = (0..).map(|number| format!("/sys/devices/system/cpu/cpu{number}/thermal_throttle"));
    paths.extend(processors.map(PathBuf::from).take_while(|path| path.exists()));
    paths
}

/// What may be read but not written: switches of the whole machine.
pub fn readonly_paths() -> Vec<PathBuf> {
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"].map(PathBuf::from).into()
}
