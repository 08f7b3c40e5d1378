//! Living beside a dockerd.
//!
//! An accept in our table is not the last word: a packet passes the chains of *every* table at its hook, and one drop is
//! enough. A dockerd sets the policy of the table `filter`'s chain `FORWARD` to drop, for everything that is not its own. Its
//! chain `DOCKER-USER` is there for others to say what may pass as well. We say there that our bridges are our business; the
//! rules of our own table still apply.
//!
//! It is done with the program `iptables`, because that one knows in which of its two forms (nft or legacy) docker's rules
//! are. Where there is no such program or no such chain, there is nothing to do.

use std::process::{Command, Output};

use namespaces::{Failure, Result};

const CHAIN: &str = "DOCKER-USER";

/// Lets what comes in or goes out by `bridge` pass docker's chain.
pub(crate) fn let_pass(bridge: &str) -> Result<()> {
    let Some(rules) = rules() else { return Ok(()) };
    let wanted = missing(&rules, bridge);
    wanted.into_iter().try_for_each(|rule| change("-I", &rule))
}

/// Takes that back.
pub(crate) fn forget(bridge: &str) -> Result<()> {
    let Some(rules) = rules() else { return Ok(()) };
    let absent = missing(&rules, bridge);
    let present = both(bridge).into_iter().filter(|rule| !absent.contains(rule));
    present.into_iter().try_for_each(|rule| change("-D", &rule))
}

/// The rules that are not among `listed`, the output of `iptables -S`. Pure.
fn missing(listed: &str, bridge: &str) -> Vec<[String; 4]> {
    let is_listed = |rule: &[String; 4]| listed.lines().any(|line| line == format!("-A {CHAIN} {}", rule.join(" ")));
    both(bridge).into_iter().filter(|rule| !is_listed(rule)).collect()
}

/// The two rules of a bridge, as arguments of iptables.
fn both(bridge: &str) -> [[String; 4]; 2] {
    ["-i", "-o"].map(|direction| [direction, bridge, "-j", "ACCEPT"].map(str::to_owned))
}

/// What `iptables -S` says of docker's chain. `None` without the program or the chain.
fn rules() -> Option<String> {
    let output = iptables(&["-S", CHAIN]).ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Inserts (`-I`) or deletes (`-D`) one rule.
fn change(how: &str, rule: &[String; 4]) -> Result<()> {
    let [direction, bridge, jump, target] = rule;
    let arguments = [how, CHAIN, direction, bridge, jump, target];
    let step = "let our bridge pass docker's firewall with iptables";
    let output = iptables(&arguments).map_err(|error| Failure::new(step, error).on(arguments.join(" ")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(step, String::from_utf8_lossy(&output.stderr).trim()).on(arguments.join(" ")))
}

fn iptables(arguments: &[&str]) -> std::io::Result<Output> {
    // Another iptables may be at work: wait for it.
    Command::new("iptables").arg("-w").args(arguments).output()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_added() {
        let listed = "-N DOCKER-USER\n-A DOCKER-USER -i skiff0 -j ACCEPT\n-A DOCKER-USER -j RETURN\n";
        assert_eq!(missing(listed, "skiff0"), [["-o", "skiff0", "-j", "ACCEPT"].map(str::to_owned)]);
        assert_eq!(missing(listed, "skiff01").len(), 2);
    }
}
