//! Containers against the real kernel, as root.
//!
//! `launch` asks for a process with one thread, and the usual test harness runs tests in threads. This one runs them one after
//! the other in its main function, in a mount namespace of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

mod bench;
mod confinement;
mod entry;
mod escapes;
mod filter;
mod hostile;
mod identity;
mod init;
mod mounts;
mod process;
mod stages;
mod terminal;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// One test: its name and what it does.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    if let Some(image) = std::env::var_os(stages::DYING_LAUNCHER) {
        stages::launch_and_die(image.as_ref());
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("these tests need root");
    let private = rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).unwrap();
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let groups = [
        identity::TESTS,
        confinement::TESTS,
        escapes::TESTS,
        filter::TESTS,
        mounts::TESTS,
        hostile::TESTS,
        process::TESTS,
        terminal::TESTS,
        stages::TESTS,
        entry::TESTS,
        init::TESTS,
    ];
    let chosen: Vec<_> = groups.into_iter().flatten().filter(|(name, _)| name.contains(&only)).collect();
    println!("\nrunning {} tests", chosen.len());
    let failed: Vec<_> = chosen
        .iter()
        .filter(|(name, test)| {
            let passed = catch_unwind(test).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            !passed
        })
        .collect();
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    let passed = chosen.len() - failed.len();
    // In the words of the usual harness, because that is what those who add up results look for.
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; 0 ignored; 0 measured; 0 filtered out\n",
        failed.len()
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}
