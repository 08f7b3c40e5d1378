//! The list of devices as a program, for version 2.
//!
//! Version 1 has two files to write rules into. Version 2 has none: the kernel asks a program instead, each time that a
//! process of the group opens or makes a device node. It hands over three numbers (`struct bpf_cgroup_dev_ctx`,
//! `include/uapi/linux/bpf.h`) and takes 0 for no:
//!
//! ```text
//!  offset  0    kind in the lower half (1 block, 2 character), in the upper what is wanted (1 make, 2 read, 4 write)
//!          4    major number
//!          8    minor number
//! ```
//!
//! Our program is the list itself: a few comparisons for each rule, the next rule when one of them fails, and no at the
//! end. One rule must allow all that is wanted, as on version 1.

use std::os::fd::{AsFd as _, OwnedFd};

use namespaces::{Context as _, Failure, Result};
use rustix::io::Errno;

use super::bpf::{Instruction, Register};
use super::{DeviceKind, DeviceRule};
use crate::cgroup::Cgroup;
use crate::sys;

/// What the kernel hands over, where the answer goes, and where the program keeps the numbers.
const ANSWER: Register = Register(0);
const ASKED: Register = Register(1);
const KIND: Register = Register(2);
const WANTED: Register = Register(3);
const MAJOR: Register = Register(4);
const MINOR: Register = Register(5);

impl Cgroup {
    /// Has the kernel allow the processes of this version 2 group these devices and no other.
    ///
    /// Loading a program takes root's rights on the machine itself. Who has none of them (an ordinary user, root of a user
    /// namespace) cannot make device nodes either, which is what the list protects against, and gets none.
    pub(crate) fn allow_devices(&self, rules: &[DeviceRule]) -> Result<()> {
        let attached = sys::load_device_program(&encode(&assemble(rules))).and_then(|program: OwnedFd| {
            sys::attach_device_program(self.any_dir().map_err(|_| Errno::NOENT)?.as_fd(), &program)
        });
        match attached {
            Err(Errno::PERM) if !is_root_of_the_machine() => Ok(()),
            Err(errno) => Err(refused(errno, self)),
            Ok(()) => Ok(()),
        }
    }
}

fn refused(errno: Errno, cgroup: &Cgroup) -> Failure {
    let step = "limit the devices of the cgroup";
    let failure = Err::<(), _>(errno).during(step, cgroup.path().display()).err();
    failure.unwrap_or_else(|| Failure::new(step, errno)).hint(match errno {
        Errno::INVAL | Errno::NOSYS => "The kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF.",
        _ => "Loading the eBPF program needs CAP_BPF or CAP_SYS_ADMIN, and a system call filter that lets bpf(2) through.",
    })
}

/// User 0 of a user namespace is not root of the machine: there not every number is mapped (user_namespaces(7)).
fn is_root_of_the_machine() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    rustix::process::geteuid().is_root() && map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The program for a list of rules.
fn assemble(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        Instruction::Load(KIND, ASKED, 0),
        Instruction::And(KIND, 0xffff),
        Instruction::Load(WANTED, ASKED, 0),
        Instruction::ShiftRight(WANTED, 16),
        Instruction::Load(MAJOR, ASKED, 4),
        Instruction::Load(MINOR, ASKED, 8),
    ];
    program.extend(rules.iter().flat_map(rule));
    program.extend([Instruction::Set(ANSWER, 0), Instruction::Return]);
    program
}

/// Says yes, or goes on behind itself. Built from its end, so that each comparison knows how far it has to skip.
fn rule(rule: &DeviceRule) -> Vec<Instruction> {
    let kind = match rule.kind {
        DeviceKind::Block => 1,
        DeviceKind::Character => 2,
    };
    let bits = [(rule.mknod, 1), (rule.read, 2), (rule.write, 4)];
    let allowed: u32 = bits.into_iter().filter(|(allowed, _)| *allowed).map(|(_, bit)| bit).sum();
    let mut comparisons = vec![(KIND, kind)];
    comparisons.extend(rule.major.map(|major| (MAJOR, major)));
    comparisons.extend(rule.minor.map(|minor| (MINOR, minor)));

    let mut reversed = vec![Instruction::Return, Instruction::Set(ANSWER, 1)];
    let skip = |reversed: &[Instruction]| i16::try_from(reversed.len()).unwrap_or(i16::MAX);
    if allowed != 7 {
        // What is wanted and not allowed must be nothing. The pointer in this register is not needed any more.
        reversed.push(Instruction::SkipUnless(ASKED, 0, skip(&reversed)));
        reversed.extend([Instruction::And(ASKED, !allowed), Instruction::Copy(ASKED, WANTED)]);
    }
    for (register, number) in comparisons.into_iter().rev() {
        reversed.push(Instruction::SkipUnless(register, number, skip(&reversed)));
    }
    reversed.reverse();
    reversed
}

fn encode(program: &[Instruction]) -> Vec<u64> {
    program.iter().map(|instruction| instruction.encode()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(program: &[Instruction]) -> String {
        let lines: Vec<_> = program.iter().enumerate().map(|(line, one)| format!("{line:>3}  {one}")).collect();
        lines.join("\n")
    }

    #[test]
    fn a_program_is_the_list() {
        let read_only = DeviceRule { write: false, mknod: false, ..DeviceRule::character(10, 229) };
        let terminals = DeviceRule { minor: None, ..DeviceRule::character(136, 0) };
        insta::assert_snapshot!(shown(&assemble(&[DeviceRule::character(1, 3), read_only, terminals])));
    }

    #[test]
    fn the_defaults() {
        let program = assemble(&DeviceRule::defaults());
        assert!(program.len() < 100, "{}", program.len());
        insta::assert_snapshot!(shown(&program));
    }

    /// What the program answers, by the rules of the machine.
    fn answer(program: &[Instruction], context: [u32; 3]) -> u32 {
        let (mut registers, mut at) = ([0_u32; 11], 0_usize);
        loop {
            let instruction = program.get(at).copied().expect("every way ends with an answer");
            at += 1;
            let mut write = |register: Register, value| registers[usize::from(register.0)] = value;
            match instruction {
                Instruction::Load(target, _, offset) => write(target, context[usize::try_from(offset).unwrap() / 4]),
                Instruction::Copy(target, source) => {
                    let value = registers[usize::from(source.0)];
                    registers[usize::from(target.0)] = value;
                }
                Instruction::Set(target, number) => write(target, number),
                Instruction::And(target, number) => registers[usize::from(target.0)] &= number,
                Instruction::ShiftRight(target, by) => registers[usize::from(target.0)] >>= by,
                Instruction::SkipUnless(register, number, distance) => {
                    if registers[usize::from(register.0)] != number {
                        at += usize::try_from(distance).unwrap();
                    }
                }
                Instruction::Return => return registers[0],
            }
        }
    }

    fn any_rule() -> impl Strategy<Value = DeviceRule> {
        let number = || proptest::option::of(0..4_u32);
        (any::<bool>(), number(), number(), any::<[bool; 3]>()).prop_map(
            |(block, major, minor, [read, write, mknod])| {
                let kind = if block { DeviceKind::Block } else { DeviceKind::Character };
                DeviceRule { kind, major, minor, read, write, mknod }
            },
        )
    }

    proptest! {
        /// The law that the program has to keep, said the other way round.
        #[test]
        fn the_program_decides_as_the_list_reads(
            rules in proptest::collection::vec(any_rule(), 0..6),
            block in any::<bool>(), wanted in 1..8_u32, major in 0..4_u32, minor in 0..4_u32,
        ) {
            let allows = |rule: &DeviceRule| {
                (rule.kind == DeviceKind::Block) == block
                    && rule.major.is_none_or(|number| number == major)
                    && rule.minor.is_none_or(|number| number == minor)
                    && (wanted & 1 == 0 || rule.mknod)
                    && (wanted & 2 == 0 || rule.read)
                    && (wanted & 4 == 0 || rule.write)
            };
            let context = [wanted << 16 | if block { 1 } else { 2 }, major, minor];
            prop_assert_eq!(answer(&assemble(&rules), context) == 1, rules.iter().any(allows));
        }
    }
}
