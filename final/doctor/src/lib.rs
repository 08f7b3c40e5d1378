//! # `skiff doctor`: what the engine needs, and whether this machine has it
//!
//! Each stage of a container says what it needs of the kernel; this crate asks for each of them, and for a few things
//! around that no single stage can know: where the machine itself runs, and what it lets ordinary users do. It looks and
//! changes nothing.
//!
//! Read the files in this order:
//!
//! 1. `finding.rs`: what is found: a need, whether it is met, what that means and how to mend it.
//! 2. `machine.rs`: the files that are looked at, of this machine or of a recording of another.
//! 3. `needs.rs`: the requirements of the chapters.
//! 4. `surroundings.rs`: containers, WSL2, cgroup versions, AppArmor, the file system below.

mod finding;
mod machine;
mod needs;
mod surroundings;

pub use finding::{Finding, State, report};
pub use machine::Machine;
pub use needs::needs;
pub use surroundings::kernel_options;

/// All that can be found out about the machine, the chapters' needs first.
pub fn examine(machine: &Machine) -> Vec<Finding> {
    [needs::findings(machine), surroundings::findings(machine)].concat()
}
