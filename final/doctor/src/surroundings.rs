//! What no single stage can know: where the machine itself runs, what it is built of, and what it lets ordinary users do.

use crate::finding::{Finding, State};
use crate::machine::Machine;

/// The options of the kernel's configuration without which a chapter does not work, and what each is for.
const OPTIONS: &[(u8, &str, &str)] = &[
    (1, "CONFIG_NAMESPACES", "namespaces"),
    (1, "CONFIG_PID_NS", "process ids of a container's own"),
    (1, "CONFIG_USER_NS", "containers of ordinary users"),
    (1, "CONFIG_SECCOMP_FILTER", "system call filters"),
    (2, "CONFIG_MEMCG", "memory limits"),
    (2, "CONFIG_CGROUP_PIDS", "limits on processes"),
    (2, "CONFIG_CFS_BANDWIDTH", "processor quotas"),
    (2, "CONFIG_CGROUP_BPF", "the device list on version 2 of cgroups"),
    (3, "CONFIG_OVERLAY_FS", "images in layers"),
    (4, "CONFIG_VETH", "a container's interface"),
    (4, "CONFIG_BRIDGE", "the network that containers share"),
    (4, "CONFIG_NF_TABLES", "published ports"),
    (4, "CONFIG_NFT_NAT", "published ports"),
    (4, "CONFIG_NFT_MASQ", "the way out"),
];

/// By chapter: an option of the kernel's configuration, and what it is for.
pub fn kernel_options() -> &'static [(u8, &'static str, &'static str)] {
    OPTIONS
}

pub(crate) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![cgroups(machine)];
    findings
        .extend([controllers(machine), container(machine), wsl(machine), overlay_below(machine)].into_iter().flatten());
    findings.extend(ordinary_users(machine));
    findings.extend(missing_options(machine));
    findings
}

fn note(chapter: u8, what: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { chapter, what: what.into(), state: State::Note, advice: advice.into() }
}

/// Which version there is decides how chapter 2 works, not whether.
fn cgroups(machine: &Machine) -> Finding {
    let mounts = machine.mounts();
    let has = |kind: &str| mounts.iter().any(|(_, mounted)| mounted == kind);
    let (what, state, advice) = match (has("cgroup"), has("cgroup2")) {
        (true, true) => ("cgroups of version 1, and 2 beside it", State::Met, ""),
        (true, false) => ("cgroups of version 1", State::Met, ""),
        (false, true) => ("cgroups of version 2", State::Met, ""),
        (false, false) => (
            "cgroups",
            State::Missing,
            "No tree is mounted: nothing is limited or counted. Mount it: mount -t cgroup2 none /sys/fs/cgroup.",
        ),
    };
    Finding { chapter: 2, what: what.to_owned(), state, advice: advice.to_owned() }
}

/// Version 2: the controllers of this process's own group are what it can hand on. A user's session has those that systemd
/// delegates.
fn controllers(machine: &Machine) -> Option<Finding> {
    let mounts = machine.mounts();
    let (point, _) = mounts
        .iter()
        .find(|(_, kind)| kind == "cgroup2")
        .filter(|_| mounts.iter().all(|(_, kind)| kind != "cgroup"))?;
    let membership = machine.read("/proc/self/cgroup")?;
    let own = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    // Root makes groups at the top, whatever group it is in itself.
    let group = if machine.is_root() { point.clone() } else { format!("{point}{own}") };
    let listed = machine.read(&format!("{}/cgroup.controllers", group.trim_end_matches('/')))?;
    let missing: Vec<_> = ["cpu", "cpuset", "io", "memory", "pids"]
        .into_iter()
        .filter(|name| !listed.split(' ').any(|have| have == *name))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let missing = missing.join(", ");
    let advice = if machine.is_root() {
        "A limit on them is refused. Boot the kernel with these controllers on: see cgroup_disable in its command line."
    } else {
        "A limit on them is refused in containers of this user. Let systemd delegate them: Delegate=yes in \
         /etc/systemd/system/user@.service.d/delegate.conf."
    };
    Some(note(2, format!("controllers that are not to be had: {missing}"), advice))
}

/// The files that engines leave for those inside to find.
fn container(machine: &Machine) -> Option<Finding> {
    let inside = machine.exists("/.dockerenv") || machine.exists("/run/.containerenv");
    let advice = "A container in it needs what this one was given: run the outer one with --privileged. \
                  Put the data directory on a volume, because an overlay cannot be on an overlay.";
    inside.then(|| note(0, "this is a container itself", advice))
}

/// Microsoft's kernel says so in its name.
fn wsl(machine: &Machine) -> Option<Finding> {
    let release = machine.release().to_lowercase();
    let advice = "Version 2 of WSL is a virtual machine with a kernel of its own, and works. \
                  Keep the data directory in its own file system and not below /mnt/c, which has no owners or whiteouts.";
    if release.contains("microsoft") && !release.contains("wsl2") && machine.kernel() < (4, 19) {
        let advice = "Version 1 of WSL has no Linux kernel: nothing works. Convert it: wsl --set-version NAME 2.";
        return Some(Finding { chapter: 0, what: "WSL 1".into(), state: State::Missing, advice: advice.into() });
    }
    release.contains("microsoft").then(|| note(0, "WSL 2", advice))
}

/// The file system that the data directory would be on.
fn overlay_below(machine: &Machine) -> Option<Finding> {
    let data = "/var/lib/skiff";
    let mounts = machine.mounts();
    let covers = |point: &str| point == "/" || data == point || data.starts_with(&format!("{point}/"));
    let (point, kind) = mounts.iter().filter(|(point, _)| covers(point)).max_by_key(|(point, _)| point.len())?;
    let advice = "It cannot hold the upper layer of an overlay, so no container with an image starts. \
                  Give skiffd a --data-root on ext4, xfs, btrfs or tmpfs.";
    ["overlay", "nfs", "nfs4", "9p", "virtiofs", "vfat", "drvfs"].contains(&kind.as_str()).then(|| Finding {
        chapter: 3,
        what: format!("a file system for layers: {data} is on {kind} (mounted at {point})"),
        state: State::Missing,
        advice: advice.to_owned(),
    })
}

/// The three switches by which distributions keep user namespaces from ordinary users. Root does not need them.
fn ordinary_users(machine: &Machine) -> Vec<Finding> {
    let says = |path: &str, value: &str| machine.read(path).is_some_and(|text| text == value);
    let switches = [
        (
            says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            "AppArmor keeps user namespaces from ordinary users",
            "Containers without root fail at their first mount. Give skiff-runtime an AppArmor profile with `userns,`, or: \
             sysctl kernel.apparmor_restrict_unprivileged_userns=0.",
        ),
        (
            says("/proc/sys/kernel/unprivileged_userns_clone", "0"),
            "user namespaces are root's alone",
            "Containers without root cannot be made. sysctl kernel.unprivileged_userns_clone=1.",
        ),
        (
            says("/proc/sys/user/max_user_namespaces", "0"),
            "no user namespace may be made",
            "Containers without root cannot be made. sysctl user.max_user_namespaces=10000.",
        ),
    ];
    let found = switches.into_iter().filter(|(on, ..)| *on);
    found.map(|(_, what, advice)| note(1, what, advice)).collect()
}

/// Where the distribution keeps the configuration as a file. `/proc/config.gz` says nothing that the checks above do not.
fn missing_options(machine: &Machine) -> Vec<Finding> {
    let Some(config) = machine.read(&format!("/boot/config-{}", machine.release())) else { return Vec::new() };
    let has = |option: &str| config.lines().any(|line| line == format!("{option}=y") || line == format!("{option}=m"));
    let absent = OPTIONS.iter().filter(|(_, option, _)| !has(option));
    let finding = |(chapter, option, about): &(u8, &str, &str)| Finding {
        chapter: *chapter,
        what: format!("{option}, for {about}"),
        state: State::Missing,
        advice: "The kernel is built without it. Use one of the distribution's ordinary kernels.".to_owned(),
    };
    absent.map(finding).collect()
}
