//! From a profile to instructions: a balanced tree over ranges of system call numbers.
//!
//! What a filter costs when it is attached grows with its length, and what it costs on a call with the length of the path
//! taken. Neighbouring numbers with the same answer are one range, ranges are the leaves of a binary tree, and a leaf
//! is no instruction but a jump to one of a few returns at the end.
//!
//! The program is written from its last instruction to its first: jumps go only forward in classic BPF, so backwards every
//! target is known when a jump to it is written, and there is nothing to patch.
//!
//! ```text
//!      ld arch          jeq x86-64 ── no ─▶ jeq i386 …    seccomp(2): numbers mean something only with their architecture
//!      ld number
//!      jge 166 ─┬─ no ─▶ jge 64 …
//!               └ yes ─▶ jge 231 …                        some seven jumps to a leaf
//!      …
//!      ld argument 0 …                                   the calls that depend on arguments
//!      ret allow        ret errno 1        ret kill
//! ```

use std::collections::BTreeMap;

use super::Program;
use super::profile::{Action, Condition, LISTENER, Operator, Profile, Rule};
use super::table::Architecture;
use super::table_32::X32_BIT;

/// `AUDIT_ARCH_X86_64`.
const X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386`.
const I386: u32 = 0x4000_0003;
const ENOSYS: u16 = 38;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Instruction codes (`include/uapi/linux/bpf_common.h`).
const LOAD: u16 = 0x20;
const RETURN: u16 = 0x06;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_GREATER_OR_EQUAL: u16 = 0x35;

/// Compiles `profile`. The architecture decides first which table the number is looked up in; what is none of those that
/// the profile is for is killed, because its numbers mean other calls.
pub fn compile(profile: &Profile) -> Program {
    let mut code = Code::default();
    let mut otherwise = Target::Return(Action::KillProcess);
    if profile.also.contains(&Architecture::X86) {
        let number = code.table(profile, &ranges(profile, &Architecture::X86.calls()));
        otherwise = code.branch(IF_EQUAL, I386, number, otherwise);
    }
    let mut native = ranges(profile, &Architecture::X86_64.calls());
    // The numbers of x32 are those of x86-64 with a bit more, so they are further leaves of the same tree.
    if profile.also.contains(&Architecture::X32) {
        native.extend(ranges(profile, &Architecture::X32.calls()).into_iter().filter(|(start, _)| *start != 0));
    } else {
        native.push((X32_BIT, Answer::Plain(Action::Errno(ENOSYS))));
    }
    let number = code.table(profile, &native);
    let checked = code.branch(IF_EQUAL, X86_64, number, otherwise);
    code.load(ARCHITECTURE, checked);
    code.instructions.reverse();
    let listener = if profile.notifies() { LISTENER } else { 0 };
    Program { instructions: code.instructions, flags: profile.flags | listener }
}

/// What decides about one system call.
#[derive(Debug, PartialEq)]
enum Answer<'p> {
    Plain(Action),
    Rules(Vec<&'p Rule>),
}

/// A table as a function: the answers for all numbers from 0 up, each with the first number it holds for.
fn ranges<'p>(profile: &'p Profile, calls: &[(u32, &str)]) -> Vec<(u32, Answer<'p>)> {
    let mut by_name: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in &profile.rules {
        by_name.entry(&rule.call).or_default().push(rule);
    }
    let mut ranges: Vec<(u32, Answer<'_>)> = Vec::new();
    let mut add = |number, answer| {
        // Two calls with the same conditions stay two: their code would be shared, their ranges are one number long.
        let same = matches!((ranges.last(), &answer), (Some((_, last @ Answer::Plain(_))), new) if last == new);
        if !same {
            ranges.push((number, answer));
        }
    };
    let mut expected = 0;
    for (number, name) in calls {
        if *number > expected {
            add(expected, Answer::Plain(profile.unknown));
        }
        add(*number, answer(by_name.get(name).cloned().unwrap_or_default(), profile.default_action));
        expected = number + 1;
    }
    add(expected, Answer::Plain(profile.unknown));
    ranges
}

/// Rules after one without conditions are never reached.
fn answer(mut rules: Vec<&Rule>, default: Action) -> Answer<'_> {
    if let Some(last) = rules.iter().position(|rule| rule.conditions.is_empty()) {
        rules.truncate(last + 1);
    }
    match rules.first() {
        None => Answer::Plain(default),
        Some(rule) if rule.conditions.is_empty() => Answer::Plain(rule.action),
        Some(_) => Answer::Rules(rules),
    }
}

/// Where a jump goes.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// To the instruction with so many instructions from it to the end, itself included.
    At(usize),
    /// To a return with this action.
    Return(Action),
}

/// The program so far, last instruction first.
#[derive(Default)]
struct Code {
    instructions: Vec<u64>,
    returns: BTreeMap<Action, usize>,
}

impl Code {
    /// The farthest that a conditional jump is made to go. It has 8 bits for the distance; the rest is room for what is
    /// written between deciding on a target and the jump itself.
    const REACH: usize = 250;

    /// Writes one instruction; the jumps are distances from the next one.
    fn push(&mut self, code: u16, yes: u8, no: u8, operand: u32) -> Target {
        let [yes, no] = [u64::from(yes) << 16, u64::from(no) << 24];
        self.instructions.push(u64::from(code) | yes | no | u64::from(operand) << 32);
        Target::At(self.instructions.len())
    }

    /// A label for `target` that a conditional jump can reach: a new return, or a step on the way, if it is too far.
    fn reach(&mut self, target: Target) -> usize {
        let here = self.instructions.len();
        let known = match target {
            Target::At(label) => Some(label),
            Target::Return(action) => self.returns.get(&action).copied(),
        };
        match (target, known) {
            (_, Some(label)) if here - label <= Self::REACH => label,
            (Target::At(label), _) => {
                self.push(JUMP, 0, 0, u32::try_from(here - label).unwrap_or(u32::MAX));
                here + 1
            }
            (Target::Return(action), _) => {
                self.push(RETURN, 0, 0, action.code());
                self.returns.insert(action, here + 1);
                here + 1
            }
        }
    }

    /// `if accumulator OP operand goto yes else goto no`.
    fn branch(&mut self, code: u16, operand: u32, yes: Target, no: Target) -> Target {
        let (yes, no) = (self.reach(yes), self.reach(no));
        let here = self.instructions.len();
        let distance = |label: usize| u8::try_from(here - label).unwrap_or(u8::MAX);
        self.push(code, distance(yes), distance(no), operand)
    }

    /// `accumulator = data[offset]; goto next`, where next is almost always the instruction written last.
    fn load(&mut self, offset: u32, next: Target) -> Target {
        let next = self.reach(next);
        if next != self.instructions.len() {
            let distance = self.instructions.len() - next;
            self.push(JUMP, 0, 0, u32::try_from(distance).unwrap_or(u32::MAX));
        }
        self.push(LOAD, 0, 0, offset)
    }

    /// Loads the number and looks it up.
    fn table(&mut self, profile: &Profile, ranges: &[(u32, Answer<'_>)]) -> Target {
        let mut leaves = Vec::with_capacity(ranges.len());
        for (start, answer) in ranges {
            let leaf = match answer {
                Answer::Plain(action) => Target::Return(*action),
                Answer::Rules(rules) => self.rules(rules, profile.default_action),
            };
            leaves.push((*start, leaf));
        }
        let top = self.tree(&leaves);
        self.load(NUMBER, top)
    }

    /// The tree over ranges: the number is in the right half if it is at least the first of it.
    ///
    /// Halving the list of ranges makes the tree as flat as it can be: 80 ranges are 79 jumps, of which a call meets six or
    /// seven. The kernel remembers which calls are always allowed and does not even run the program for them.
    fn tree(&mut self, ranges: &[(u32, Target)]) -> Target {
        let (left, right) = ranges.split_at(ranges.len() / 2);
        match (left, right) {
            ([], [(_, leaf), ..]) => *leaf,
            (_, [(start, _), ..]) => {
                let yes = self.tree(right);
                let no = self.tree(left);
                self.branch(IF_GREATER_OR_EQUAL, *start, yes, no)
            }
            // No ranges at all: there is always one.
            (_, []) => Target::Return(Action::KillProcess),
        }
    }

    /// One rule after the other, the default at the end. A rule is a chain of conditions: each one that fails leads to the
    /// next rule, and the last one that holds to the action.
    fn rules(&mut self, rules: &[&Rule], default: Action) -> Target {
        rules.iter().rev().fold(Target::Return(default), |otherwise, rule| {
            let action = Target::Return(rule.action);
            rule.conditions.iter().rev().fold(action, |then, condition| self.condition(condition, then, otherwise))
        })
    }

    /// The negative comparisons are the positive ones with the targets exchanged.
    fn condition(&mut self, condition: &Condition, yes: Target, no: Target) -> Target {
        match condition.operator {
            Operator::NotEqual => self.compare(condition, Operator::Equal, no, yes),
            Operator::Less => self.compare(condition, Operator::GreaterOrEqual, no, yes),
            Operator::LessOrEqual => self.compare(condition, Operator::Greater, no, yes),
            operator => self.compare(condition, operator, yes, no),
        }
    }

    /// BPF has 32-bit words and an argument has two. The upper one decides unless it is equal; then the lower one does.
    fn compare(&mut self, condition: &Condition, operator: Operator, yes: Target, no: Target) -> Target {
        let [high, low] = words(condition.value);
        let offset = ARGUMENTS + 8 * u32::from(condition.argument);
        let mask = match operator {
            Operator::Masked(mask) => words(mask),
            _ => [u32::MAX; 2],
        };
        let code = match operator {
            Operator::Greater => IF_GREATER,
            Operator::GreaterOrEqual => IF_GREATER_OR_EQUAL,
            _ => IF_EQUAL,
        };
        let [high_mask, low_mask] = mask;
        let test = self.branch(code, low, yes, no);
        let test = self.masked(low_mask, test);
        let lower = self.load(offset, test);
        if condition.narrow || (high_mask == 0 && high == 0) {
            return lower;
        }
        let mut test = self.branch(IF_EQUAL, high, lower, no);
        if code != IF_EQUAL {
            test = self.branch(IF_GREATER, high, yes, test);
        }
        let test = self.masked(high_mask, test);
        self.load(offset + 4, test)
    }

    /// `accumulator &= mask`, if that changes anything.
    fn masked(&mut self, mask: u32, next: Target) -> Target {
        if mask == u32::MAX { next } else { self.push(AND, 0, 0, mask) }
    }
}

/// Upper and lower word.
fn words(value: u64) -> [u32; 2] {
    let [low, high] = [value & u64::from(u32::MAX), value >> 32];
    [high, low].map(|word| u32::try_from(word).unwrap_or_default())
}
