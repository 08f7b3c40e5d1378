//! What the kernel says about a running container, as far as this chapter made it: namespaces, id maps, rights, mounts.
//!
//! Everything is read from the host's `/proc`: nothing runs inside, and nothing there is believed. The later chapters answer
//! the same question for their features in [`crate::Stage::probe`].

use std::fs;

use rustix::io::Errno;
use rustix::process::Pid;

use crate::capabilities;
use crate::failure::{Context, Result};
use crate::namespaces::Namespaces;
use crate::stage::Fact;

/// The lines of proc_pid_status(5) that this chapter answers for.
const RIGHTS: [&str; 10] =
    ["Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// The facts about the process `pid`, as this process's `/proc` numbers it.
///
/// # Errors
/// That the process is not there, with `ENOENT` or `ESRCH`.
pub fn probe(pid: Pid) -> Result<Vec<Fact>> {
    let mut facts = namespaces(pid)?;
    for file in ["uid_map", "gid_map"] {
        let map = words(&read(pid, file)?);
        facts.push(Fact { source: format!("/proc/{pid}/{file}"), value: map });
    }
    facts.extend(rights(&read(pid, "status")?).map(|value| Fact { source: format!("/proc/{pid}/status"), value }));
    let table = read(pid, "mountinfo")?;
    facts.extend(table.lines().map(|line| Fact { source: format!("/proc/{pid}/mountinfo"), value: line.to_owned() }));
    Ok(facts)
}

/// Each namespace by its number, and whether it is ours as well: equal numbers mean the same namespace.
fn namespaces(pid: Pid) -> Result<Vec<Fact>> {
    let kinds = Namespaces::default();
    let facts = kinds.answers().into_iter().map(|(kind, _)| {
        let [source, ours] = [pid.to_string(), "self".to_owned()].map(|who| format!("/proc/{who}/ns/{}", kind.link));
        let number = |path: &str| fs::read_link(path).during("read", path);
        // A kernel without time namespaces has no such link.
        match number(&source) {
            Ok(theirs) => {
                let whose = if number(&ours)? == theirs { "shared with the host" } else { "its own" };
                Ok(Some(Fact { source, value: format!("{}, {whose}", theirs.display()) }))
            }
            Err(failure) if failure.is(Errno::NOENT) && number(&ours).is_err() => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    facts.filter_map(Result::transpose).collect()
}

fn read(pid: Pid, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).during("read", &path)
}

/// The lines about rights, the capabilities by their names.
fn rights(status: &str) -> impl Iterator<Item = String> {
    status.lines().filter_map(|line| line.split_once(':')).filter(|(key, _)| RIGHTS.contains(key)).map(
        |(key, value)| {
            let value = words(value);
            let meaning = match (key, value.as_str()) {
                ("Seccomp", "0") => "0 (no filter)".to_owned(),
                ("Seccomp", "2") => "2 (a filter)".to_owned(),
                (key, mask) if key.starts_with("Cap") => held(mask),
                _ => value,
            };
            format!("{key}: {meaning}")
        },
    )
}

/// `CHOWN KILL` for `0000000000000021`.
fn held(mask: &str) -> String {
    let bits = u64::from_str_radix(mask, 16).unwrap_or(0);
    let names: Vec<&str> =
        (0..).zip(capabilities::ALL).filter(|(number, _)| bits >> number & 1 == 1).map(|(_, name)| name).collect();
    match names.len() {
        0 => "none".to_owned(),
        number if number == capabilities::ALL.len() => "all".to_owned(),
        _ => names.join(" "),
    }
}

/// The words with one blank between them: tables of `/proc` are laid out for the eye.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_told_by_their_names() {
        assert_eq!(held("0000000000000021"), "CHOWN KILL");
        assert_eq!((held("0000000000000000").as_str(), held("000001ffffffffff").as_str()), ("none", "all"));
        let status = "Name:\tsh\nUid:\t0\t0\t0\t0\nSeccomp:\t2\nCapEff:\t0000000000000001\n";
        assert_eq!(rights(status).collect::<Vec<_>>(), ["Uid: 0 0 0 0", "Seccomp: 2 (a filter)", "CapEff: CHOWN"]);
    }

    #[test]
    fn we_share_every_namespace_with_ourselves() {
        let facts = probe(rustix::process::getpid()).unwrap();
        let namespaces: Vec<_> = facts.iter().filter(|fact| fact.source.contains("/ns/")).collect();
        assert!(
            namespaces.len() >= 7 && namespaces.iter().all(|fact| fact.value.ends_with("with the host")),
            "{facts:?}"
        );
        assert!(facts.iter().any(|fact| fact.value.contains(" / / ")), "{facts:?}");
    }
}
