//! Which namespaces are the container's own.
//!
//! A namespace has an inode number, which `readlink /proc/self/ns/KIND` shows as `pid:[4026531836]` (namespaces(7)).
//! The namespaces that the kernel itself starts with have fixed numbers (`include/linux/proc_ns.h`), so a process
//! can tell from the inside whether it shares one with the host, without ever seeing the host.

/// One namespace of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// `pid`, `mnt`, …, as in `/proc/self/ns`.
    pub(crate) kind: &'static str,
    /// Its inode number.
    pub(crate) id: u64,
    /// The number of the host's namespace of this kind, where this kernel fixes it.
    pub(crate) host: Option<u64>,
}

impl Namespace {
    /// Whether it is the container's own; `None` where the host's number is not known.
    pub(crate) fn own(&self) -> Option<bool> {
        self.host.map(|host| host != self.id)
    }

    /// What having one's own means, in a few words.
    pub(crate) fn meaning(&self) -> &'static str {
        KINDS.iter().find(|kind| kind.name == self.kind).map_or("", |kind| kind.meaning)
    }
}

/// What is known of a kind of namespace without asking.
pub(crate) struct Kind {
    /// Name in `/proc/self/ns`.
    pub(crate) name: &'static str,
    /// Inode number of the initial one.
    initial: u64,
    /// First kernel (major, minor) in which that number is fixed.
    since: (u32, u32),
    /// What having one's own means.
    meaning: &'static str,
}

/// The eight kinds, in the order in which the page shows them.
pub(crate) const KINDS: [Kind; 8] = [
    Kind { name: "pid", initial: 4_026_531_836, since: (3, 8), meaning: "process numbers begin again at 1" },
    Kind { name: "mnt", initial: 4_026_531_832, since: (6, 18), meaning: "the tree of files" },
    Kind { name: "net", initial: 4_026_531_833, since: (6, 18), meaning: "interfaces, routes, ports" },
    Kind { name: "uts", initial: 4_026_531_838, since: (3, 8), meaning: "the host name" },
    Kind { name: "ipc", initial: 4_026_531_839, since: (3, 8), meaning: "shared memory, message queues" },
    Kind { name: "cgroup", initial: 4_026_531_835, since: (3, 8), meaning: "where the tree of limits begins" },
    Kind { name: "user", initial: 4_026_531_837, since: (3, 8), meaning: "user numbers and their rights" },
    Kind { name: "time", initial: 4_026_531_834, since: (3, 8), meaning: "clocks since boot" },
];

/// From `pid` and the link `pid:[4026531836]` on a kernel of the given version.
pub(crate) fn namespace(kind: &Kind, link: &str, kernel: Option<(u32, u32)>) -> Option<Namespace> {
    let id = link.strip_prefix(kind.name)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()?;
    let fixed = kernel.is_some_and(|kernel| kernel >= kind.since);
    Some(Namespace { kind: kind.name, id, host: fixed.then_some(kind.initial) })
}

/// `6.18.44-generic` as (6, 18).
pub(crate) fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, link: &str, release: &str) -> Option<Namespace> {
        let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
        namespace(kind, link, kernel_version(release))
    }

    #[test]
    fn a_new_namespace_is_own_and_the_initial_one_is_the_hosts() {
        let own = read("pid", "pid:[4026532183]", "6.18.44-fc-v657").unwrap();
        assert_eq!((own.id, own.own()), (4_026_532_183, Some(true)));
        let hosts = read("pid", "pid:[4026531836]", "6.18.44-fc-v657").unwrap();
        assert_eq!(hosts.own(), Some(false));
    }

    #[test]
    fn an_older_kernel_does_not_fix_the_numbers_of_net_and_mnt() {
        assert_eq!(read("net", "net:[4026531840]", "6.12.0").unwrap().own(), None);
        assert_eq!(read("net", "net:[4026531833]", "6.18.0").unwrap().own(), Some(false));
        assert_eq!(read("uts", "uts:[4026531838]", "5.10").unwrap().own(), Some(false));
    }

    #[test]
    fn a_link_that_is_not_a_namespace_is_nothing() {
        assert_eq!(read("pid", "mnt:[1]", "6.18.0"), None);
        assert_eq!(read("pid", "pid:[x]", "6.18.0"), None);
        assert_eq!(kernel_version("linux"), None);
    }
}
