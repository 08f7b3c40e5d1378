//! Profiles as JSON: docker's format (`--security-opt seccomp=FILE`), and that of the runtime specification (`linux.seccomp`
//! in config-linux.md), which is docker's after its conditions have been decided.
//!
//! ```json
//! { "defaultAction": "SCMP_ACT_ERRNO",
//!   "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] }],
//!   "syscalls": [
//!     { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW" },
//!     { "names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_BPF"] } } ] }
//! ```
//!
//! | action | what the program notices |
//! |---|---|
//! | `SCMP_ACT_ALLOW`, `LOG` | nothing; the second is also written to the audit log |
//! | `SCMP_ACT_ERRNO` | the call fails, with `EPERM` or what `errnoRet` says |
//! | `SCMP_ACT_TRAP` | a signal, `SIGSYS`, which ends a program that does not expect it |
//! | `SCMP_ACT_KILL`, `KILL_PROCESS` | nothing any more: the thread is gone, or all of them |
//! | `SCMP_ACT_TRACE`, `NOTIFY` | that it takes longer: a tracer, or a listener, is asked first |
//!
//! A condition is about the container (`caps`), the machine (`arches`) or the kernel (`minKernel`). Names that no
//! architecture has are no mistake: a profile is written for all processors and for kernels to come.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::profile::{Action, Condition, Operator, Profile, Rule};
use super::table::Architecture;
use crate::capabilities;
use crate::failure::{Failure, Result};
use crate::kernel::kernel;

const STEP: &str = "use the seccomp profile";
/// Flags of seccomp(2), by the names of the specification.
pub const FLAGS: [(&str, u32); 4] = [
    ("SECCOMP_FILTER_FLAG_TSYNC", 1),
    ("SECCOMP_FILTER_FLAG_LOG", 2),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 32),
];
const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// A profile as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Document {
    default_action: String,
    default_errno_ret: Option<u16>,
    #[serde(deserialize_with = "nothing_is_default")]
    architectures: Vec<String>,
    #[serde(deserialize_with = "nothing_is_default")]
    arch_map: Vec<Family>,
    #[serde(deserialize_with = "nothing_is_default")]
    flags: Vec<String>,
    /// The socket of whoever wants to be asked about calls with `SCMP_ACT_NOTIFY`.
    pub listener_path: Option<PathBuf>,
    /// What that one is told about the container.
    pub listener_metadata: Option<String>,
    #[serde(deserialize_with = "nothing_is_default")]
    syscalls: Vec<Entry>,
}

/// A processor and its other ways into the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Family {
    architecture: String,
    #[serde(deserialize_with = "nothing_is_default")]
    sub_architectures: Vec<String>,
}

/// Some calls and what becomes of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    /// Docker's old way to write one of `names`.
    name: String,
    #[serde(deserialize_with = "nothing_is_default")]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u16>,
    #[serde(deserialize_with = "nothing_is_default")]
    args: Vec<Argument>,
    #[serde(deserialize_with = "nothing_is_default")]
    includes: Circumstances,
    #[serde(deserialize_with = "nothing_is_default")]
    excludes: Circumstances,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Argument {
    index: u8,
    value: u64,
    value_two: u64,
    op: String,
}

/// When an entry counts, or does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Circumstances {
    #[serde(deserialize_with = "nothing_is_default")]
    arches: Vec<String>,
    #[serde(deserialize_with = "nothing_is_default")]
    caps: Vec<String>,
    min_kernel: Option<String>,
}

impl Document {
    /// Reads JSON.
    pub fn parse(text: &[u8]) -> Result<Self> {
        serde_json::from_slice(text).map_err(|error| Failure::new("understand the seccomp profile", error))
    }

    /// Whether it says nothing at all, which docker takes for: no filter.
    pub fn is_empty(&self) -> bool {
        self.default_action.is_empty() && self.syscalls.is_empty()
    }

    /// What it says for a container with the capabilities in `mask` ([`capabilities::mask`]), on this kernel.
    pub fn profile(&self, mask: u64) -> Result<Profile> {
        let default_action = action(&self.default_action, self.default_errno_ret)?;
        let mut rules = Vec::new();
        for entry in &self.syscalls {
            if entry.counts(mask)? {
                entry.rules(&mut rules)?;
            }
        }
        // A call that is newer than the profile's author: a program that hears ENOSYS does it the old way.
        let open = matches!(default_action, Action::Allow | Action::Log);
        let unknown = if open { default_action } else { Action::Errno(ENOSYS) };
        Ok(Profile { default_action, unknown, rules, also: self.also()?, flags: flags(&self.flags)? })
    }

    /// The ways into the kernel besides that of x86-64, which is always there.
    fn also(&self) -> Result<Vec<Architecture>> {
        if !self.architectures.is_empty() && !self.arch_map.is_empty() {
            let cause = "it has both 'architectures' and 'archMap'";
            return Err(Failure::new(STEP, cause).hint("Use either of the two."));
        }
        let native = |name: &str| matches!(name, "SCMP_ARCH_X86_64" | "SCMP_ARCH_NATIVE");
        let named = match self.arch_map.iter().find(|family| native(&family.architecture)) {
            Some(family) => &family.sub_architectures,
            None => &self.architectures,
        };
        if !self.architectures.is_empty() && !named.iter().any(|name| native(name)) {
            return Err(unsupported("a profile for other processors only", named.join(" ")));
        }
        let of = |name: &String| match name.as_str() {
            "SCMP_ARCH_X86" => Some(Architecture::X86),
            "SCMP_ARCH_X32" => Some(Architecture::X32),
            _ => None,
        };
        Ok(named.iter().filter_map(of).collect())
    }
}

impl Entry {
    fn counts(&self, mask: u64) -> Result<bool> {
        let (wanted, unwanted) = (&self.includes, &self.excludes);
        let here = |arches: &[String]| arches.iter().any(|arch| arch == "amd64");
        let has = |name: &String| capabilities::mask(std::slice::from_ref(name)).is_ok_and(|bit| mask & bit != 0);
        let new_enough = |version: &Option<String>| version.as_deref().map(at_least).transpose();
        Ok((wanted.arches.is_empty() || here(&wanted.arches))
            && wanted.caps.iter().all(has)
            && new_enough(&wanted.min_kernel)?.unwrap_or(true)
            && !here(&unwanted.arches)
            && !unwanted.caps.iter().any(has)
            && !new_enough(&unwanted.min_kernel)?.unwrap_or(false))
    }

    /// All conditions of one entry must hold. Several on the same argument are alternatives: libseccomp cannot have two of
    /// them in one rule, so runc makes one rule of each, and profiles rely on it.
    fn rules(&self, rules: &mut Vec<Rule>) -> Result<()> {
        if !self.name.is_empty() && !self.names.is_empty() {
            let cause = "an entry has both 'name' and 'names'";
            return Err(Failure::new(STEP, cause).on(&self.name).hint("Use either of the two."));
        }
        let action = action(&self.action, self.errno_ret)?;
        let conditions = self.args.iter().map(condition).collect::<Result<Vec<_>>>()?;
        let mut arguments: Vec<_> = conditions.iter().map(|condition| condition.argument).collect();
        arguments.sort_unstable();
        arguments.dedup();
        for name in self.names.iter().chain(Some(&self.name).filter(|name| !name.is_empty())) {
            if arguments.len() < conditions.len() {
                rules.extend(conditions.iter().map(|condition| Rule::new(name, action).when(*condition)));
            } else {
                rules.push(conditions.iter().fold(Rule::new(name, action), |rule, condition| rule.when(*condition)));
            }
        }
        Ok(())
    }
}

fn condition(argument: &Argument) -> Result<Condition> {
    let value = argument.value;
    let (operator, value) = match argument.op.as_str() {
        "SCMP_CMP_NE" => (Operator::NotEqual, value),
        "SCMP_CMP_LT" => (Operator::Less, value),
        "SCMP_CMP_LE" => (Operator::LessOrEqual, value),
        "SCMP_CMP_EQ" => (Operator::Equal, value),
        "SCMP_CMP_GE" => (Operator::GreaterOrEqual, value),
        "SCMP_CMP_GT" => (Operator::Greater, value),
        "SCMP_CMP_MASKED_EQ" => (Operator::Masked(value), argument.value_two),
        other => return Err(unsupported("the comparison", other)),
    };
    if argument.index > 5 {
        return Err(Failure::new(STEP, "a system call has the arguments 0 to 5").on(argument.index));
    }
    Ok(Condition::long(argument.index, operator, value))
}

fn action(name: &str, errno: Option<u16>) -> Result<Action> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => Action::Allow,
        "SCMP_ACT_ERRNO" => Action::Errno(errno.unwrap_or(EPERM)),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        "SCMP_ACT_TRAP" => Action::Trap,
        "SCMP_ACT_TRACE" => Action::Trace(errno.unwrap_or(EPERM)),
        "SCMP_ACT_LOG" => Action::Log,
        "SCMP_ACT_NOTIFY" => Action::Notify,
        other => return Err(unsupported("the action", other)),
    })
}

fn flags(names: &[String]) -> Result<u32> {
    names.iter().try_fold(0, |flags, name| {
        let known = FLAGS.iter().find(|(known, _)| known == name);
        known.map(|(_, flag)| flags | flag).ok_or_else(|| unsupported("the flag", name))
    })
}

/// Whether this kernel is at least `version`, such as `4.8`.
fn at_least(version: &str) -> Result<bool> {
    let wrong = || Failure::new(STEP, "it is no version of a kernel, such as 4.8").on(version);
    let (major, minor) = version.split_once('.').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    Ok(kernel() >= (number(major)?, number(minor)?))
}

/// `null` is what an empty list comes to in the language that most profiles are generated by.
fn nothing_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn unsupported(what: &str, value: impl std::fmt::Display) -> Failure {
    Failure::new(STEP, format!("{what} is not supported")).on(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str, mask: u64) -> Result<Profile> {
        Document::parse(text.as_bytes())?.profile(mask)
    }

    #[test]
    fn conditions_are_decided() {
        let text = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
            { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "includes": {}, "excludes": {} },
            { "name": "bpf", "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
            { "names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
            { "names": ["swapcontext"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["ppc64le"] } },
            { "names": ["modify_ldt"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["amd64", "x32"] } },
            { "names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "4.8" } },
            { "names": ["acct"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "99.0" } },
            { "names": ["uselib"], "action": "SCMP_ACT_ALLOW", "excludes": { "minKernel": "4.8" } } ] }"#;
        let names = |mask| {
            let rules = profile(text, mask).unwrap().rules;
            rules.into_iter().map(|rule| rule.call).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(0), "read clone modify_ldt ptrace");
        assert_eq!(names(1 << 21), "read bpf modify_ldt ptrace");
        assert_eq!(profile(text, 0).unwrap().default_action, Action::Errno(38));
    }

    #[test]
    fn other_ways_into_the_kernel() {
        let also = |archs: &str| {
            profile(&format!(r#"{{ "defaultAction": "SCMP_ACT_ALLOW", {archs} }}"#), 0).map(|profile| profile.also)
        };
        let map = r#""archMap": [{ "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"] },
            { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] }]"#;
        assert_eq!(also(map).unwrap(), [Architecture::X86, Architecture::X32]);
        assert_eq!(also(r#""architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]"#).unwrap(), [Architecture::X86]);
        assert_eq!(also(r#""architectures": []"#).unwrap(), []);
        assert!(also(r#""architectures": ["SCMP_ARCH_ARM"]"#).is_err());
        assert!(also(r#""architectures": ["SCMP_ARCH_X86_64"], "archMap": [{}]"#).is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let said = |syscalls: &str| {
            let text = format!(r#"{{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{ {syscalls} }}] }}"#);
            profile(&text, 0).unwrap_err().to_string()
        };
        insta::assert_snapshot!(said(r#""names": ["read"], "action": "SCMP_ACT_FLY""#), @"cannot use the seccomp profile SCMP_ACT_FLY: the action is not supported");
        insta::assert_snapshot!(said(r#""name": "read", "names": ["write"], "action": "SCMP_ACT_ALLOW""#), @"cannot use the seccomp profile read: an entry has both 'name' and 'names'");
        insta::assert_snapshot!(
            said(r#""names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 6, "op": "SCMP_CMP_EQ" }]"#),
            @"cannot use the seccomp profile 6: a system call has the arguments 0 to 5"
        );
        insta::assert_snapshot!(said(r#""names": ["a"], "action": "SCMP_ACT_LOG", "includes": { "minKernel": "x" }"#), @"cannot use the seccomp profile x: it is no version of a kernel, such as 4.8");
        insta::assert_snapshot!(Document::parse(b"{ not json").unwrap_err(), @"cannot understand the seccomp profile: key must be a string at line 1 column 3");
    }
}
