//! What this process may do: user, capabilities, system call filter (proc_pid_status(5), capabilities(7), seccomp(2)).

/// The security part of `/proc/self/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Effective user id.
    pub(crate) uid: Option<u32>,
    /// Effective group id.
    pub(crate) gid: Option<u32>,
    /// Capabilities in force, by name, in the kernel's order.
    pub(crate) effective: Vec<String>,
    /// The most that any later program can have.
    pub(crate) bounding: Vec<String>,
    /// Whether set-user-id programs give nothing.
    pub(crate) no_new_privileges: Option<bool>,
    /// 0 none, 1 strict, 2 filter.
    pub(crate) seccomp: Option<u8>,
}

/// One line of `uid_map`: ids inside, ids outside, how many (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdRange {
    /// First id as this process sees it.
    pub(crate) inside: u32,
    /// First id as the parent namespace sees it.
    pub(crate) outside: u32,
    /// How many.
    pub(crate) count: u32,
}

/// The capabilities by number, without the `CAP_` (`include/uapi/linux/capability.h`).
pub(crate) const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// From the text of `/proc/self/status`. A missing line leaves its field empty.
pub(crate) fn parse(status: &str) -> Rights {
    let field = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim).unwrap_or_default()
    };
    // `Uid:` has four numbers: real, effective, saved, file system.
    let effective_id = |name: &str| field(name).split_whitespace().nth(1).and_then(|id| id.parse().ok());
    Rights {
        uid: effective_id("Uid"),
        gid: effective_id("Gid"),
        effective: names(field("CapEff")),
        bounding: names(field("CapBnd")),
        no_new_privileges: field("NoNewPrivs").parse::<u8>().ok().map(|value| value == 1),
        seccomp: field("Seccomp").parse().ok(),
    }
}

/// `00000000a80425fb` as names; a bit without a name (a newer kernel) as `cap_41`.
fn names(mask: &str) -> Vec<String> {
    let mask = u64::from_str_radix(mask, 16).unwrap_or(0);
    (0..64_usize)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(|bit| CAPABILITIES.get(bit).map_or_else(|| format!("cap_{bit}"), |&name| name.to_owned()))
        .collect()
}

/// From the text of `/proc/self/uid_map` or `gid_map`.
pub(crate) fn id_map(text: &str) -> Vec<IdRange> {
    text.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse);
            let mut next = || numbers.next()?.ok();
            Some(IdRange { inside: next()?, outside: next()?, count: next()? })
        })
        .collect()
}

/// Whether a map changes nothing: the one range of all ids onto themselves that the initial user namespace has.
pub(crate) fn is_identity(map: &[IdRange]) -> bool {
    matches!(map, [IdRange { inside: 0, outside: 0, count: u32::MAX }])
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tcat\nUid:\t0\t1000\t0\t0\nGid:\t0\t5\t0\t0\nCapEff:\t00000000a80425fb\nCapBnd:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    #[test]
    fn the_mask_of_a_docker_container_is_its_fourteen_capabilities() {
        let rights = parse(STATUS);
        assert_eq!(
            rights.effective.join(" "),
            "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod \
             audit_write setfcap"
        );
        assert!(rights.bounding.is_empty());
    }

    #[test]
    fn the_effective_ids_are_the_second_numbers() {
        let rights = parse(STATUS);
        assert_eq!((rights.uid, rights.gid), (Some(1000), Some(5)));
        assert_eq!((rights.no_new_privileges, rights.seccomp), (Some(false), Some(2)));
    }

    #[test]
    fn an_unknown_bit_keeps_its_number() {
        assert_eq!(names("20000000001"), ["chown", "cap_41"]);
    }

    #[test]
    fn an_empty_status_has_no_answers() {
        assert_eq!(parse(""), Rights::default());
    }

    #[test]
    fn the_map_of_the_initial_user_namespace_is_the_identity() {
        assert!(is_identity(&id_map("         0          0 4294967295\n")));
        let shifted = id_map("0 100000 65536\n65536 1 1\n");
        assert_eq!(shifted.len(), 2);
        assert!(!is_identity(&shifted));
    }
}
