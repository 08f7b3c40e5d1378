//! `cargo xtask guest`: the tests of cgroups and containers on a machine with version 2 of cgroups and nothing else.
//!
//! A machine has one hierarchy per controller, and what the host mounted is what there is: a version 1 host cannot show
//! version 2. So the same test programs that ran here run again in a guest: Debian's kernel, in QEMU, emulated in software
//! (no right to `/dev/kvm` is needed), and switched off when they are done. The names of the tests are the same on both.
//!
//! 1. `guest/kernel.rs`: the kernel, from Debian's archive, kept beside the fixtures.
//! 2. `guest/programs.rs`: the test programs, as cargo has built them.
//! 3. `guest/root.rs`: a disk with them, and all that they need; `guest/initrd.rs`: a first root that finds the disk.
//! 4. `guest/machine.rs`: switch on, read the serial line, switch off.

mod initrd;
mod kernel;
mod machine;
mod programs;
mod root;

use anyhow::{Result, bail};

use crate::{fixtures, packages};

/// The emulator, and the firmware that it begins with.
const PACKAGES: &[packages::Package] =
    &[("qemu-system-x86", "/usr/bin/qemu-system-x86_64"), ("seabios", "/usr/share/seabios/bios-256k.bin")];

/// What the guest's tests have said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many tests passed.
    pub(crate) passed: u64,
    /// Their names, as far as no other line came into the middle of theirs.
    pub(crate) named: Vec<String>,
    /// The names of those that failed.
    pub(crate) failed: Vec<String>,
}

/// Runs the tests whose name contains `filter` in the guest, and those that failed once more.
/// `built` are the arguments that cargo has built them with, so that nothing is built twice.
pub(crate) fn run(built: &[&str], filter: Option<&str>) -> Result<Outcome> {
    packages::install(packages::FIXTURES)?;
    packages::install(PACKAGES)?;
    let directory = fixtures::directory().join("guest");
    let kernel = kernel::fetch(&directory)?;
    let programs = programs::build(built)?;
    let scratch = tempfile::tempdir()?;
    let (disk, initrd) = (scratch.path().join("disk"), scratch.path().join("initrd"));
    initrd::write(&kernel, &initrd)?;
    root::write(&kernel, &programs, scratch.path(), &disk)?;

    eprintln!("Starting the guest: {}, version 2 of cgroups", kernel.release);
    let mut outcome = machine::run(&kernel, &initrd, &disk, filter)?;
    if !outcome.failed.is_empty() {
        println!("Once more in the guest: {}", outcome.failed.join(", "));
        // A program that died as a whole has not named its tests, so all run.
        let names = outcome.failed.join(",");
        let names = Some(names.as_str()).filter(|names| !names.contains(' '));
        let again = machine::run(&kernel, &initrd, &disk, names)?;
        let (unsteady, failed): (Vec<_>, Vec<_>) =
            outcome.failed.into_iter().partition(|name| again.named.contains(name));
        for name in &unsteady {
            println!("unsteady in the guest, passed when run again: {name}");
        }
        outcome.failed = failed;
        outcome.passed += u64::try_from(unsteady.len())?;
    }
    if outcome.passed == 0 && outcome.failed.is_empty() {
        bail!("no test ran in the guest");
    }
    Ok(outcome)
}

/// Builds no more than what runs in the guest, runs it, and fails when one of the tests does.
pub(crate) fn check(filter: Option<&str>) -> Result<()> {
    let built: Vec<_> = programs::PACKAGES.iter().flat_map(|package| ["--package", package]).collect();
    let outcome = run(&built, filter)?;
    println!("in the guest: {} passed, {} failed", outcome.passed, outcome.failed.len());
    if !outcome.failed.is_empty() {
        bail!("these failed in the guest: {}", outcome.failed.join(", "));
    }
    Ok(())
}
