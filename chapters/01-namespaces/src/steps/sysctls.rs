//! Kernel parameters (sysctl(8)) of the container's namespaces.
//!
//! Most of `/proc/sys` is the whole machine's. Only what belongs to a namespace that the container does not share with the
//! host may be set, and the name may not lead anywhere else (CVE-2022-0811).
//!
//! Why it matters: `kernel.core_pattern` can name a program that the *host* runs, as root, whenever a process crashes. A
//! container that could set it would own the machine.

use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags};

use crate::container::Container;
use crate::failure::{Context, Failure, Result};
use crate::namespaces::{Namespace, Namespaces};
use crate::stage::Child;

/// The System V IPC parameters of an IPC namespace (ipc_namespaces(7)).
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// The launcher's network namespace, asked for only where a `net.*` parameter will have to be compared with it.
pub(crate) fn outer_net(container: &Container) -> Result<Option<u64>> {
    if container.sysctls.is_empty() { Ok(None) } else { own_net().map(Some) }
}

/// The number of this process's network namespace.
fn own_net() -> Result<u64> {
    let path = "/proc/self/ns/net";
    Ok(rustix::fs::stat(path).during("look at", path)?.st_ino)
}

/// Opened with `RESOLVE_NO_XDEV` and `RESOLVE_NO_SYMLINKS` from a directory that is procfs: a write can then land nowhere else,
/// whatever is mounted where (CVE-2025-52881).
///
/// Written through the host's `/proc`, which is still in view; what it shows below `sys` is that of the writer's namespaces.
pub(super) fn set(child: &mut Child<'_>) -> Result<()> {
    let wanted = &child.container.sysctls;
    if wanted.is_empty() {
        return Ok(());
    }
    let step = "set the kernel parameter";
    let proc = rustix::fs::open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let proc = proc.during("open", "/proc")?;
    if rustix::fs::fstatfs(&proc).during("look at", "/proc")?.f_type != PROC_SUPER_MAGIC {
        return Err(Failure::new(step, "the host's /proc is not procfs"));
    }
    let net_is_private = child.outer_net != Some(own_net()?);
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    for (name, value) in wanted {
        allow(name, &child.container.namespaces, net_is_private)?;
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(&proc, file(name)?, flags, Mode::empty(), resolve).during(step, name)?;
        rustix::io::write(file, value.as_bytes()).during(step, format!("{name}={value}"))?;
    }
    Ok(())
}

/// Whether `name` belongs to a namespace of the container's own.
///
/// Whether the network is, only the kernel can say: [`Namespace::Host`] may mean that a stage has joined another one in the
/// meantime. For the others the plan says it.
fn allow(name: &str, namespaces: &Namespaces, net_is_private: bool) -> Result<()> {
    let own = |namespace: &Namespace| *namespace != Namespace::Host;
    let plain = name.replace('/', ".");
    let (namespace, allowed) = match plain.as_str() {
        "kernel.domainname" => ("uts", own(&namespaces.uts)),
        name if name.starts_with("net.") => ("net", net_is_private),
        name if IPC.contains(&name) || name.starts_with("fs.mqueue.") => ("ipc", own(&namespaces.ipc)),
        _ => {
            let cause = "it belongs to the whole machine, not to a namespace";
            return Err(Failure::new("set the kernel parameter", cause)
                .on(name)
                .hint("Set it on the host with sysctl(8)."));
        }
    };
    if allowed {
        return Ok(());
    }
    let cause = format!("the container shares its {namespace} namespace with the host");
    Err(Failure::new("set the kernel parameter", cause)
        .on(name)
        .hint("Give the container its own, or set it on the host."))
}

/// `net.ipv4.ip_forward` as `sys/net/ipv4/ip_forward`. As with sysctl(8), the first separator in a name says what the
/// others are: in `net/ipv4/conf/eth0.1/forwarding` the dot belongs to the interface.
fn file(name: &str) -> Result<PathBuf> {
    // SOLUTION sysctl-file
    let separator = name.chars().find(|letter| matches!(letter, '.' | '/')).unwrap_or('.');
    let parts: Vec<_> = name.split(separator).collect();
    let sane = |part: &&str| {
        !part.is_empty() && !part.starts_with('.') && !part.contains(|letter: char| letter == '/' || letter <= ' ')
    };
    if !parts.iter().all(sane) {
        return Err(Failure::new("set the kernel parameter", "this is not the name of one").on(name));
    }
    Ok(["sys"].into_iter().chain(parts).collect())
    // END SOLUTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file() {
        let text = |name| file(name).map(|path| path.display().to_string());
        assert_eq!(text("net.ipv4.ip_forward").unwrap(), "sys/net/ipv4/ip_forward");
        assert_eq!(text("net/ipv4/conf/eth0.1/forwarding").unwrap(), "sys/net/ipv4/conf/eth0.1/forwarding");
        for bad in ["", "net..ipv4", "net/../kernel", "net.ipv4/../x", "net.a\nb", ".net"] {
            assert!(text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_belongs_to_an_own_namespace() {
        let own = Namespaces::default();
        let shared = Namespaces { ipc: Namespace::Host, uts: Namespace::Host, ..Namespaces::default() };
        for name in ["net.core.somaxconn", "kernel.shmmax", "fs.mqueue.msg_max", "kernel.domainname", "net/ipv4/x"] {
            allow(name, &own, true).unwrap();
            allow(name, &shared, false).unwrap_err();
        }
        for name in ["kernel.core_pattern", "kernel.hostname", "vm.swappiness", "kernel/core_pattern", "fs.file-max"] {
            allow(name, &own, true).unwrap_err();
        }
    }
}
