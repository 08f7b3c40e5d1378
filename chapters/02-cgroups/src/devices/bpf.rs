//! The few instructions of eBPF that deciding about a device takes, and how they are written down for the kernel and for
//! people.
//!
//! eBPF is a machine inside the kernel with registers `r0` to `r10` of 64 bits. A program gets a pointer to what it is asked
//! about in `r1`, and answers in `r0`. Every instruction has 8 bytes (RFC 9669, section 3):
//!
//! ```text
//!  bits   0       8      12       16             32                              64
//!         opcode  target source   jump distance  number
//! ```
//!
//! Before the kernel accepts a program it walks all ways through it: no endless loop, no read outside of what the pointer
//! leads to, no end without an answer. A program of comparisons that only ever jump forward passes.

use std::fmt::{self, Display};

/// A register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Register(pub(super) u8);

/// One instruction. Numbers are compared and computed as 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// `r2 = *(r1 + 4)`: reads 32 bits of what the program is asked about.
    Load(Register, Register, i16),
    /// `r1 = r3`.
    Copy(Register, Register),
    /// `r0 = 1`.
    Set(Register, u32),
    /// `r2 &= 65535`.
    And(Register, u32),
    /// `r3 >>= 16`.
    ShiftRight(Register, u32),
    /// `if r2 != 1 skip 5`: leaves out that many of the following instructions.
    SkipUnless(Register, u32, i16),
    /// `return r0`.
    Return,
}

impl Instruction {
    /// The eight bytes, as the number that they are on a little-endian machine.
    pub(super) fn encode(self) -> u64 {
        let (opcode, target, source, distance, number) = match self {
            // BPF_LDX | BPF_MEM | BPF_W
            Self::Load(target, source, offset) => (0x61, target.0, source.0, offset, 0),
            // BPF_ALU | BPF_MOV | BPF_X
            Self::Copy(target, source) => (0xbc, target.0, source.0, 0, 0),
            // BPF_ALU | BPF_MOV | BPF_K
            Self::Set(target, number) => (0xb4, target.0, 0, 0, number),
            // BPF_ALU | BPF_AND | BPF_K
            Self::And(target, number) => (0x54, target.0, 0, 0, number),
            // BPF_ALU | BPF_RSH | BPF_K
            Self::ShiftRight(target, number) => (0x74, target.0, 0, 0, number),
            // BPF_JMP32 | BPF_JNE | BPF_K
            Self::SkipUnless(target, number, distance) => (0x56, target.0, 0, distance, number),
            // BPF_JMP | BPF_EXIT
            Self::Return => (0x95, 0, 0, 0, 0),
        };
        let distance = u16::from_ne_bytes(distance.to_ne_bytes());
        let fields = [
            (opcode, 0),
            (u64::from(target), 8),
            (u64::from(source), 12),
            (u64::from(distance), 16),
            (u64::from(number), 32),
        ];
        fields.into_iter().fold(0, |bits, (field, shift)| bits | field << shift)
    }
}

impl Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(target, source, offset) => write!(f, "{target} = *({source} + {offset})"),
            Self::Copy(target, source) => write!(f, "{target} = {source}"),
            Self::Set(target, number) => write!(f, "{target} = {number}"),
            Self::And(target, number) => write!(f, "{target} &= {number:#x}"),
            Self::ShiftRight(target, number) => write!(f, "{target} >>= {number}"),
            Self::SkipUnless(target, number, distance) => write!(f, "if {target} != {number} skip {distance}"),
            Self::Return => write!(f, "return r0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as the kernel's own assembler macros give them (`include/linux/filter.h`).
    #[test]
    fn eight_bytes_each() {
        let (r0, r1, r2) = (Register(0), Register(1), Register(2));
        let bytes = |instruction: Instruction| instruction.encode().to_le_bytes();
        assert_eq!(bytes(Instruction::Load(r2, r1, 4)), [0x61, 0x12, 4, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(Instruction::SkipUnless(r2, 0x0102, 5)), [0x56, 0x02, 5, 0, 2, 1, 0, 0]);
        assert_eq!(bytes(Instruction::And(r1, 0xffff_fffd)), [0x54, 0x01, 0, 0, 0xfd, 0xff, 0xff, 0xff]);
        assert_eq!(bytes(Instruction::Set(r0, 1)), [0xb4, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(bytes(Instruction::Return), [0x95, 0, 0, 0, 0, 0, 0, 0]);
    }
}
