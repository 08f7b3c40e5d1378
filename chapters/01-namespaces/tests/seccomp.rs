//! The filter compiler against two others: a reference that looks the rules up one by one, and `seccompiler`.
//!
//! All programs run in a small interpreter of classic BPF, with the kernel's rules: jumps go forward, the end is a return.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "instructions are packed words")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use namespaces::capabilities::{self, DEFAULT};
use namespaces::seccomp::table::{self, Architecture};
use namespaces::seccomp::{self, Action, Condition, Operator, Profile, Rule, compile};
use proptest::prelude::*;

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const X32_BIT: u32 = 0x4000_0000;

/// A system call as a filter sees it (`struct seccomp_data`).
#[derive(Debug, Clone, Copy)]
struct Call {
    architecture: u32,
    number: u32,
    arguments: [u64; 6],
}

impl Call {
    fn new(number: u32, arguments: [u64; 6]) -> Self {
        Self { architecture: X86_64, number, arguments }
    }

    fn of_i386(number: u32, arguments: [u64; 6]) -> Self {
        Self { architecture: I386, number, arguments: arguments.map(|argument| argument & 0xffff_ffff) }
    }

    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.architecture,
            _ => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                (if offset.is_multiple_of(8) { argument } else { argument >> 32 }) as u32
            }
        }
    }
}

/// Runs a program, and counts the instructions it took.
fn run(program: &[u64], call: &Call) -> (u32, usize) {
    let (mut accumulator, mut at, mut steps) = (0, 0, 0);
    loop {
        let instruction = program[at];
        let (code, yes, no) = (instruction as u16, (instruction >> 16) as u8, (instruction >> 24) as u8);
        let operand = (instruction >> 32) as u32;
        let jump = |condition: bool| usize::from(if condition { yes } else { no });
        (at, steps) = (at + 1, steps + 1);
        match code {
            0x20 => accumulator = call.word(operand),
            0x54 => accumulator &= operand,
            0x05 => at += operand as usize,
            0x15 => at += jump(accumulator == operand),
            0x25 => at += jump(accumulator > operand),
            0x35 => at += jump(accumulator >= operand),
            0x06 => return (operand, steps),
            _ => panic!("code {code:#x} at {at}"),
        }
    }
}

/// All calls by their ways and numbers.
static NAMES: LazyLock<BTreeMap<(Architecture, u32), &str>> = LazyLock::new(|| {
    let all = [Architecture::X86_64, Architecture::X86, Architecture::X32];
    let calls = all.into_iter().flat_map(|table| table.calls().into_iter().map(move |call| (table, call)));
    calls.map(|(table, (number, name))| ((table, number), name)).collect()
});

/// What the profile says, without compiling it.
fn look_up(profile: &Profile, call: &Call) -> Action {
    let table = match (call.architecture, call.number & X32_BIT != 0) {
        (X86_64, false) => Architecture::X86_64,
        (X86_64, true) => Architecture::X32,
        _ => Architecture::X86,
    };
    if table != Architecture::X86_64 && !profile.also.contains(&table) {
        return if table == Architecture::X32 { Action::Errno(38) } else { Action::KillProcess };
    }
    let Some(name) = NAMES.get(&(table, call.number)) else { return profile.unknown };
    let holds = |condition: &Condition| {
        let mask = if condition.narrow { 0xffff_ffff } else { u64::MAX };
        let (argument, value) = (call.arguments[usize::from(condition.argument)] & mask, condition.value & mask);
        match condition.operator {
            Operator::Equal => argument == value,
            Operator::NotEqual => argument != value,
            Operator::Less => argument < value,
            Operator::LessOrEqual => argument <= value,
            Operator::Greater => argument > value,
            Operator::GreaterOrEqual => argument >= value,
            Operator::Masked(bits) => argument & bits == value,
        }
    };
    let rule = profile.rules.iter().find(|rule| rule.call == *name && rule.conditions.iter().all(holds));
    rule.map_or(profile.default_action, |rule| rule.action)
}

fn samples() -> Vec<[u64; 6]> {
    let interesting =
        [0, 1, 2, 8, 38, 40, 41, 0x2_0008, 0x1000_0000, 0x7e02_0000, 0xffff_ffff, 0x1_0000_0026, 1 << 32, u64::MAX];
    interesting.iter().map(|value| [*value, 0, 0, 0, 0, 0]).collect()
}

#[test]
fn the_default_program_does_what_the_default_profile_says() {
    for names in [vec![], DEFAULT.map(str::to_owned).to_vec(), capabilities::ALL.map(str::to_owned).to_vec()] {
        let profile = seccomp::default::profile(capabilities::mask(&names).unwrap());
        let program = seccomp::default_program(&names).instructions;
        for number in (0..500).chain([0x4000_0000, 0x4000_0001, u32::MAX]) {
            for arguments in samples() {
                for call in [Call::new(number, arguments), Call::of_i386(number, arguments)] {
                    assert_eq!(run(&program, &call).0, look_up(&profile, &call).code(), "{call:?}");
                }
            }
        }
    }
}

#[test]
fn it_is_short_and_its_paths_are_short() {
    let program = seccomp::default_program(&DEFAULT.map(str::to_owned)).instructions;
    let longest = (0..500).flat_map(|number| samples().into_iter().map(move |arguments| Call::new(number, arguments)));
    let longest = longest.map(|call| run(&program, &call).1).max();
    insta::assert_snapshot!(format!("{} instructions, at most {} of them run", program.len(), longest.unwrap()), @"235 instructions, at most 20 of them run");
}

#[test]
fn other_architectures_are_killed() {
    let program = seccomp::default_program(&[]).instructions;
    for architecture in [0xc000_00b7, 0x4000_0028, 0] {
        let call = Call { architecture, ..Call::new(0, [0; 6]) };
        assert_eq!(run(&program, &call).0, Action::KillProcess.code());
    }
}

#[test]
fn an_int_is_compared_as_an_int() {
    let program = seccomp::default_program(&[]).instructions;
    let socket = table::number("socket").unwrap();
    for family in [38, 40] {
        for disguise in [0, 1 << 32, 0xdead_beef << 32] {
            let call = Call::new(socket, [family | disguise, 1, 0, 0, 0, 0]);
            assert_eq!(run(&program, &call).0, Action::Errno(1).code(), "{call:?}");
        }
    }
}

/// Docker's own profile, shortened to what is peculiar about its format, and a container's capabilities.
#[test]
fn a_profile_in_dockers_format_is_a_program() {
    let text = br#"{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] }],
        "syscalls": [
            { "names": ["read", "waitpid", "no_such_call"], "action": "SCMP_ACT_ALLOW", "args": [] },
            { "names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_BPF"] } },
            { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 } ] }"#;
    let program = |capabilities: &[&str]| {
        let names: Vec<_> = capabilities.iter().map(|name| (*name).to_owned()).collect();
        seccomp::program_from_json(text, &names).unwrap().unwrap().instructions
    };
    let says = |program: &[u64], call: Call| run(program, &call).0;
    let call = |name| Call::new(table::number(name).unwrap(), [0; 6]);
    let (plain, with_bpf) = (program(&[]), program(&["BPF"]));
    assert_eq!(says(&plain, call("read")), Action::Allow.code());
    assert_eq!(says(&plain, call("write")), Action::Errno(1).code());
    assert_eq!(says(&plain, call("clone3")), Action::Errno(38).code());
    assert_eq!(says(&plain, call("bpf")), Action::Errno(1).code());
    assert_eq!(says(&with_bpf, call("bpf")), Action::Allow.code());
    assert_eq!(says(&plain, Call::of_i386(7, [0; 6])), Action::Allow.code(), "waitpid of i386");
    assert_eq!(seccomp::program_from_json(b"{}", &[]).unwrap(), None);
    let asks = br#"{ "defaultAction": "SCMP_ACT_NOTIFY" }"#;
    insta::assert_snapshot!(seccomp::program_from_json(asks, &[]).unwrap_err(), @"cannot use the seccomp profile SCMP_ACT_NOTIFY: nobody would answer");
}

/// The same rules for `seccompiler`, which knows two actions only: allowed and refused.
fn by_seccompiler(profile: &Profile) -> Vec<u64> {
    use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
    let condition = |condition: &Condition, operator: Option<SeccompCmpOp>| {
        let length = if condition.narrow { SeccompCmpArgLen::Dword } else { SeccompCmpArgLen::Qword };
        let operator = operator.unwrap_or(match condition.operator {
            Operator::Equal => SeccompCmpOp::Eq,
            Operator::Masked(mask) => SeccompCmpOp::MaskedEq(mask),
            other => panic!("the default profile has no {other:?}"),
        });
        SeccompCondition::new(condition.argument, length, operator, condition.value).unwrap()
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    // A refusal before an allowance means there: allowed when not equal.
    let mut except: BTreeMap<&str, Vec<SeccompCondition>> = BTreeMap::new();
    for rule in profile.rules.iter().filter(|rule| table::number(&rule.call).is_some()) {
        let conditions = rule.conditions.iter();
        if rule.action != Action::Allow {
            let negated = conditions.map(|one| condition(one, Some(SeccompCmpOp::Ne)));
            except.entry(&rule.call).or_default().extend(negated);
            continue;
        }
        let mut all: Vec<_> = conditions.map(|one| condition(one, None)).collect();
        all.extend(except.remove(rule.call.as_str()).unwrap_or_default());
        let of_call = rules.entry(table::number(&rule.call).unwrap().into()).or_default();
        if !all.is_empty() {
            of_call.push(SeccompRule::new(all).unwrap());
        }
    }
    let (refused, allowed) = (SeccompAction::Errno(1), SeccompAction::Allow);
    let filter = SeccompFilter::new(rules, refused, allowed, seccompiler::TargetArch::x86_64).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    let pack = |one: &seccompiler::sock_filter| {
        u64::from(one.code) | u64::from(one.jt) << 16 | u64::from(one.jf) << 24 | u64::from(one.k) << 32
    };
    program.iter().map(pack).collect()
}

#[test]
fn seccompiler_agrees() {
    for names in [vec![], DEFAULT.map(str::to_owned).to_vec(), capabilities::ALL.map(str::to_owned).to_vec()] {
        let profile = seccomp::default::profile(capabilities::mask(&names).unwrap());
        let (ours, theirs) = (compile(&profile).instructions, by_seccompiler(&profile));
        for number in 0..500 {
            for arguments in samples() {
                let call = Call::new(number, arguments);
                let allowed = |program: &[u64]| run(program, &call).0 == Action::Allow.code();
                assert_eq!(allowed(&ours), allowed(&theirs), "{call:?}");
            }
        }
        assert!(ours.len() * 5 < theirs.len(), "{} and {}", ours.len(), theirs.len());
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![Just(Action::Allow), (1..40_u16).prop_map(Action::Errno), Just(Action::Trap), Just(Action::Log)]
}

fn condition() -> impl Strategy<Value = Condition> {
    let value = prop_oneof![0..4_u64, any::<u64>(), Just(1 << 32), Just(u64::MAX)];
    let operator = prop_oneof![
        Just(Operator::Equal),
        Just(Operator::NotEqual),
        Just(Operator::Less),
        Just(Operator::LessOrEqual),
        Just(Operator::Greater),
        Just(Operator::GreaterOrEqual),
        prop_oneof![any::<u64>(), Just(3), Just(3 << 32)].prop_map(Operator::Masked),
    ];
    (0..6_u8, operator, value, any::<bool>()).prop_map(|(argument, operator, value, narrow)| Condition {
        argument,
        operator,
        value,
        narrow,
    })
}

fn profile() -> impl Strategy<Value = Profile> {
    let all = [Architecture::X86_64, Architecture::X86].into_iter().flat_map(Architecture::calls);
    let names: Vec<_> = all.map(|(_, name)| name).collect();
    let rule = (proptest::sample::select(names), action(), proptest::collection::vec(condition(), 0..3))
        .prop_map(|(call, action, conditions)| Rule { call: call.to_owned(), action, conditions });
    let also = proptest::sample::subsequence(vec![Architecture::X86, Architecture::X32], 0..=2);
    (action(), action(), proptest::collection::vec(rule, 0..400), also)
        .prop_map(|(default_action, unknown, rules, also)| Profile { default_action, unknown, rules, also, flags: 0 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Also with programs so long that jumps do not reach, and with arguments that the rules are about.
    #[test]
    fn any_program_does_what_its_profile_says(profile in profile(), pick in any::<[prop::sample::Index; 6]>()) {
        let program = compile(&profile).instructions;
        let mut values = vec![0, 1, 3, 3 << 32, u64::MAX];
        values.extend(profile.rules.iter().flat_map(|rule| &rule.conditions).map(|condition| condition.value));
        for number in 0..500 {
            let arguments = pick.map(|index| *index.get(&values));
            for call in [
                Call::new(number, arguments),
                Call::new(number | X32_BIT, arguments),
                Call::of_i386(number, arguments),
            ] {
                prop_assert_eq!(run(&program, &call).0, look_up(&profile, &call).code(), "{:?}", call);
            }
        }
    }
}
