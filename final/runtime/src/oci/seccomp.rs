//! The `linux.seccomp` of a `config.json` as a profile of chapter 1.

use namespaces::seccomp::{Action, Condition, Operator, Profile, Program, Rule, compile};
use namespaces::{Failure, Result};

use super::config::{Argument, Seccomp, Syscalls};

const STEP: &str = "use the seccomp profile";
/// Flags of seccomp(2), by the names of the specification.
const FLAGS: [(&str, u32); 3] =
    [("SECCOMP_FILTER_FLAG_TSYNC", 1), ("SECCOMP_FILTER_FLAG_LOG", 2), ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4)];
const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// The compiled filter for x86-64. Other architectures of the profile are not filtered but killed: no 32-bit program runs.
pub(super) fn program(seccomp: &Seccomp) -> Result<Program> {
    if let Some(path) = &seccomp.listener_path {
        return Err(unsupported("an agent that is notified", path.display()));
    }
    let archs = &seccomp.architectures;
    if !archs.is_empty() && !archs.iter().any(|arch| arch == "SCMP_ARCH_X86_64" || arch == "SCMP_ARCH_NATIVE") {
        return Err(unsupported("an architecture that is not this machine's", archs.join(" ")));
    }
    let default_action = action(&seccomp.default_action, seccomp.default_errno_ret)?;
    let mut rules = Vec::new();
    for syscalls in &seccomp.syscalls {
        rules_of(syscalls, &mut rules)?;
    }
    // A call that is newer than the profile's author: a program that hears ENOSYS does it the old way.
    let unknown = if default_action == Action::Allow { Action::Allow } else { Action::Errno(ENOSYS) };
    Ok(compile(&Profile { default_action, unknown, rules, flags: flags(&seccomp.flags)? }))
}

/// All conditions of one entry must hold. Several on the same argument are alternatives: libseccomp cannot have two of them
/// in one rule, so runc makes one rule of each, and profiles rely on it.
fn rules_of(syscalls: &Syscalls, rules: &mut Vec<Rule>) -> Result<()> {
    let action = action(&syscalls.action, syscalls.errno_ret)?;
    let conditions = syscalls.args.iter().map(condition).collect::<Result<Vec<_>>>()?;
    let repeated = conditions
        .iter()
        .enumerate()
        .any(|(index, condition)| conditions.iter().skip(index + 1).any(|other| other.argument == condition.argument));
    for name in &syscalls.names {
        if repeated {
            rules.extend(conditions.iter().map(|condition| Rule::new(name, action).when(*condition)));
        } else {
            rules.push(conditions.iter().fold(Rule::new(name, action), |rule, condition| rule.when(*condition)));
        }
    }
    Ok(())
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
        other => return Err(unsupported("the action", other)),
    })
}

fn flags(names: &[String]) -> Result<u32> {
    names.iter().try_fold(0, |flags, name| {
        let known = FLAGS.iter().find(|(known, _)| known == name);
        known.map(|(_, flag)| flags | flag).ok_or_else(|| unsupported("the flag", name))
    })
}

fn unsupported(what: &str, value: impl std::fmt::Display) -> Failure {
    Failure::new(STEP, format!("{what} is not supported")).on(value)
}
