//! What a filter can say: for each system call the first rule that matches decides, otherwise the default.
//!
//! This is what docker's and OCI's JSON profiles come to once their conditions on capabilities, architecture and kernel version
//! have been decided. Those formats leave the order of contradicting rules open; here it is the order of the list.

use super::table::Architecture;

/// Which calls are allowed, and what happens to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What happens to a call that no rule matches.
    pub default_action: Action,
    /// What happens to a call that is in no [`table`](super::table): it is newer than this engine.
    pub unknown: Action,
    /// In order of precedence.
    pub rules: Vec<Rule>,
    /// The 32-bit ways into the kernel that the rules hold for as well. A call by [`Architecture::X86`] that is not here ends
    /// the process; one by [`Architecture::X32`] fails with `ENOSYS`, as on a kernel without it.
    pub also: Vec<Architecture>,
    /// Flags of seccomp(2), such as [`SPECULATE`].
    pub flags: u32,
}

/// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`: a filter does not by itself slow the processor down against speculation attacks;
/// whoever needs that asks for it (prctl(2), `PR_SET_SPECULATION_CTRL`).
pub const SPECULATE: u32 = 4;

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`: seccomp(2) returns the descriptor that [`Action::Notify`] asks by.
pub const LISTENER: u32 = 8;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Name of the system call. Where an architecture has no such call, the rule is none.
    pub call: String,
    /// What happens when all conditions hold.
    pub action: Action,
    /// On the call's arguments. None is always true.
    pub conditions: Vec<Condition>,
}

/// What the kernel does with a call (seccomp(2), "return values").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Does it.
    Allow,
    /// Does not do it and returns this errno.
    Errno(u16),
    /// Ends the process with `SIGSYS`.
    KillProcess,
    /// Ends the thread with `SIGSYS`.
    KillThread,
    /// Sends `SIGSYS`, which a handler may catch.
    Trap,
    /// Asks a tracer, with this message; without a tracer the call fails with `ENOSYS`.
    Trace(u16),
    /// Does it, and writes it to the audit log.
    Log,
    /// Asks whoever has the listener of this filter, and waits for the answer (seccomp_unotify(2)).
    Notify,
}

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Number of the argument, 0 to 5.
    pub argument: u8,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: u64,
    /// Whether only the lower 32 bits count. The kernel itself looks at no more of an `int`, so a filter that did would let
    /// pass what differs in the upper ones.
    pub narrow: bool,
}

/// Comparisons, unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `argument == value`
    Equal,
    /// `argument != value`
    NotEqual,
    /// `argument < value`
    Less,
    /// `argument <= value`
    LessOrEqual,
    /// `argument > value`
    Greater,
    /// `argument >= value`
    GreaterOrEqual,
    /// `argument & mask == value`
    Masked(u64),
}

impl Action {
    /// The 32 bits that a filter returns (`SECCOMP_RET_*`).
    pub fn code(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Log => 0x7ffc_0000,
            Self::Notify => 0x7fc0_0000,
            Self::Trace(message) => 0x7ff0_0000 | u32::from(message),
            Self::Errno(errno) => 0x0005_0000 | u32::from(errno),
            Self::Trap => 0x0003_0000,
            Self::KillThread => 0,
            Self::KillProcess => 0x8000_0000,
        }
    }
}

impl Profile {
    /// Whether any call can end in [`Action::Notify`].
    pub fn notifies(&self) -> bool {
        self.default_action == Action::Notify || self.rules.iter().any(|rule| rule.action == Action::Notify)
    }
}

impl Rule {
    /// `call` without conditions.
    pub fn new(call: &str, action: Action) -> Self {
        Self { call: call.to_owned(), action, conditions: Vec::new() }
    }

    /// The same under one more condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}

impl Condition {
    /// On an `int` argument.
    pub fn int(argument: u8, operator: Operator, value: u32) -> Self {
        Self { argument, operator, value: value.into(), narrow: true }
    }

    /// On a `long` or pointer argument.
    pub fn long(argument: u8, operator: Operator, value: u64) -> Self {
        Self { argument, operator, value, narrow: false }
    }
}
