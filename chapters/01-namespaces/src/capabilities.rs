//! Capabilities (capabilities(7)): root's rights in 41 pieces.
//!
//! A process has five sets of them. Two say what it can do now: *effective* is in force, *permitted* may be put in force.
//! Three say what becomes of them at execve(2): the *bounding* set is the most that any program can have, *inheritable* and
//! *ambient* are how a user other than root keeps some. The rule, with F for the file's sets:
//!
//! ```text
//!  permitted' = (inheritable & F.inheritable) | (F.permitted & bounding) | ambient        (for root F is all ones)
//!  effective' = F.effective ? permitted' : ambient
//! ```
//!
//! A container's first program as root therefore has its bounding set, and as another user the ambient set, which is empty.
//!
//! A capability is written as docker writes it: `NET_ADMIN`, with or without `CAP_`, in either case. A set of them is the
//! kernel's own 64-bit mask, bit N for capability number N.

use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Result};

/// The five capability sets by name without the `CAP_` prefix (capabilities(7)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// The most that any later exec can have.
    pub bounding: Vec<String>,
    /// In force.
    pub effective: Vec<String>,
    /// May be made effective.
    pub permitted: Vec<String>,
    /// Kept over exec of a file that also allows it. Empty unless asked for (CVE-2022-24769).
    pub inheritable: Vec<String>,
    /// Kept over exec of an ordinary file. Empty unless asked for (CVE-2016-8867).
    pub ambient: Vec<String>,
}

/// All names, at the index that is the kernel's number (`include/uapi/linux/capability.h`, Linux 5.9 and later).
pub const ALL: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The 14 that a container has unless told otherwise: what a distribution's packages need to install themselves, and
/// nothing that reaches the host.
///
/// Most of them are about files and processes of the container's own. `NET_RAW` is there for ping, `MKNOD` because packages
/// make device nodes, which the devices cgroup then keeps from being opened. `SYS_ADMIN` is the one not to give: with it a
/// container can mount, and most of what is built here can be undone.
pub const DEFAULT: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// A capability's name as in [`ALL`], from any of its spellings.
pub fn parse(name: &str) -> Result<&'static str> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    ALL.into_iter().find(|known| *known == bare).ok_or_else(|| {
        Failure::new("use the capability", "no such capability")
            .on(name)
            .hint("capabilities(7) lists them; the CAP_ prefix is optional.")
    })
}

/// What a container has after docker's `--cap-add` and `--cap-drop`, in the order of [`ALL`].
///
/// `ALL` in `drop` starts from nothing, `ALL` in `add` from everything; otherwise the start is [`DEFAULT`]. Names in `add`
/// win over the same names in a `drop` of `ALL`, names in `drop` over an `add` of `ALL`.
pub fn adjust(add: &[String], drop: &[String]) -> Result<Vec<String>> {
    // SOLUTION cap-adjust
    let everything = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let named = |names: &[String]| -> Result<Vec<&'static str>> {
        names.iter().filter(|name| !name.eq_ignore_ascii_case("ALL")).map(|name| parse(name)).collect()
    };
    let (added, dropped) = (named(add)?, named(drop)?);
    let kept = ALL.into_iter().filter(|name| {
        let start = match (everything(add), everything(drop)) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => DEFAULT.contains(name),
        };
        (start && !dropped.contains(name)) || added.contains(name)
    });
    Ok(kept.map(str::to_owned).collect())
    // END SOLUTION
}

/// The kernel's mask of the named capabilities, as `CapEff` in `/proc/self/status` shows it. Fails at the first name that is
/// none.
pub fn mask(names: &[String]) -> Result<u64> {
    // SOLUTION cap-mask
    names.iter().try_fold(0, |mask, name| {
        let known = parse(name)?;
        let number = ALL.iter().position(|one| *one == known).unwrap_or_default();
        Ok(mask | 1 << number)
    })
    // END SOLUTION
}

impl Capabilities {
    /// The same names in the bounding, permitted and effective sets; nothing inheritable or ambient, so that a program
    /// that becomes another user has none left.
    pub fn of(names: &[String]) -> Self {
        let names = names.to_vec();
        let (inheritable, ambient) = (Vec::new(), Vec::new());
        Self { bounding: names.clone(), effective: names.clone(), permitted: names, inheritable, ambient }
    }

    /// Drops from the bounding set whatever is not in it (`PR_CAPBSET_DROP`, one call each).
    pub(crate) fn drop_bounding(&self) -> Result<()> {
        let step = "drop from the bounding set";
        let keep = mask(&self.bounding)?;
        for (number, name) in ALL.iter().enumerate().filter(|(number, _)| keep & (1 << number) == 0) {
            match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
                // An older kernel does not know the newest ones; what it does not know nobody has.
                Err(rustix::io::Errno::INVAL) => {}
                done => done.during(step, name)?,
            }
        }
        Ok(())
    }

    /// Brings the effective, permitted, inheritable and ambient sets in force (capset(2)).
    ///
    /// A capability that this process does not have itself cannot be given and is left out: a machine may have taken it
    /// from everybody. A user other than root has only the ambient ones, already now: execve(2) would take the others
    /// away, but not before it has opened the program with them.
    pub(crate) fn apply(&self, uid: u32) -> Result<()> {
        let own = rustix::thread::capabilities(None).step("read the capabilities")?.permitted.bits();
        let set = |names: &[String]| Ok(CapabilitySet::from_bits_retain(mask(names)? & own));
        let (mut effective, mut permitted) = (set(&self.effective)?, set(&self.permitted)?);
        let inheritable = set(&self.inheritable)?;
        if uid != 0 {
            let kept = set(&self.ambient)? & inheritable;
            (effective, permitted) = (effective & kept, permitted & kept);
        }
        let sets = CapabilitySets { effective, permitted, inheritable };
        rustix::thread::set_capabilities(None, sets).step("set the capabilities")?;
        rustix::thread::clear_ambient_capability_set().step("clear the ambient capabilities")?;
        let ambient = mask(&self.ambient)? & permitted.bits() & inheritable.bits();
        for number in (0..ALL.len()).filter(|number| ambient & (1 << number) != 0) {
            let one = CapabilitySet::from_bits_retain(1 << number);
            rustix::thread::configure_capability_in_ambient_set(one, true).step("set the ambient capabilities")?;
        }
        Ok(())
    }
}

/// Makes everything that is permitted effective: a change of user has cleared the effective set.
pub(crate) fn raise() -> Result<()> {
    let step = "raise the capabilities";
    let own = rustix::thread::capabilities(None).step(step)?;
    rustix::thread::set_capabilities(None, CapabilitySets { effective: own.permitted, ..own }).step(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn any_spelling_is_understood() {
        for spelling in ["NET_ADMIN", "CAP_NET_ADMIN", "cap_net_admin", "net_admin"] {
            assert_eq!(parse(spelling).unwrap(), "NET_ADMIN");
        }
        assert_eq!(
            parse("NET_ADMINS").unwrap_err().to_string(),
            "cannot use the capability NET_ADMINS: no such capability"
        );
    }

    #[test]
    fn the_mask_has_the_kernels_numbers() {
        assert_eq!(mask(&names(&["CHOWN", "SYS_ADMIN", "CHECKPOINT_RESTORE"])).unwrap(), 1 | 1 << 21 | 1 << 40);
        // What `docker run busybox grep CapBnd /proc/self/status` shows.
        assert_eq!(mask(&names(&DEFAULT)).unwrap(), 0xa804_25fb);
    }

    #[test]
    fn adding_and_dropping() {
        assert_eq!(adjust(&[], &[]).unwrap().len(), 14);
        assert_eq!(adjust(&names(&["ALL"]), &[]).unwrap().len(), 41);
        assert_eq!(adjust(&names(&["ALL"]), &names(&["SYS_ADMIN"])).unwrap().len(), 40);
        assert_eq!(adjust(&[], &names(&["all"])).unwrap(), names(&[]));
        assert_eq!(adjust(&names(&["cap_chown"]), &names(&["ALL"])).unwrap(), names(&["CHOWN"]));
        assert_eq!(adjust(&names(&["SYS_PTRACE"]), &names(&["MKNOD"])).unwrap().len(), 14);
        assert!(adjust(&names(&["FLY"]), &[]).is_err());
    }
}
