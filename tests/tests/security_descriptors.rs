//! Descriptors of the host in the hands of a container: a directory is a way out, and the runtime's own file is a way to be
//! the runtime next time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;

use serde_json::json;
use skiff_tests::{Bundle, binary, run};

/// CVE-2024-21626: a directory of the host that the runtime had open was the working directory `/proc/self/fd/N`.
#[test]
fn no_number_of_a_working_directory_is_a_directory_of_the_host() {
    for number in 3..=50 {
        let mut bundle = Bundle::new("pwd -P; ls");
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let ran = bundle.run();
        assert_ne!(ran.code, 0, "{ran}");
        assert_eq!(ran.stdout, "", "{ran}");
    }
}

/// The same for a second program.
#[test]
fn no_number_of_an_execs_working_directory_either() {
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    for number in 3..=50 {
        let ran = bundle.exec(&["--cwd", &format!("/proc/self/fd/{number}")], &["pwd"]);
        assert_ne!(ran.code, 0, "{ran}");
        assert_eq!(ran.stdout, "", "{ran}");
    }
}

/// CVE-2015-3627, CVE-2016-9962: what the caller of the runtime has open without close-on-exec is not the container's.
#[test]
fn descriptors_of_the_caller_do_not_come_along() {
    let secret = std::fs::File::open("/etc").unwrap();
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    let ran = Bundle::new("ls /proc/self/fd").run();
    // The three streams, and the directory that `ls` itself has open.
    assert_eq!(ran.ok().split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"], "{ran}");
    assert!(secret.as_raw_fd() > 2);
}

/// CVE-2016-9962: whoever enters a container could be looked at from inside while it still had the host's files open.
#[test]
fn nobody_inside_sees_a_descriptor_of_a_program_that_enters() {
    let watch = "while :; do for f in /proc/[0-9]*/fd/*; do readlink $f; done 2> /dev/null; done | \
                 grep -v -E '^(pipe|socket|/dev/null|/proc|/$|anon_inode)' >> /seen";
    let mut bundle = Bundle::new(watch);
    bundle.config["root"]["readonly"] = json!(false);
    bundle.start();
    for _ in 0..30 {
        bundle.exec(&[], &["true"]).ok();
    }
    let seen = std::fs::read_to_string(bundle.rootfs("seen")).unwrap_or_default();
    // The last line may be half written.
    let whole = seen.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let strange: Vec<_> = whole.lines().filter(|line| *line != "/seen" && *line != "/bin/busybox").collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// CVE-2019-5736, CVE-2022-0847: the container asks to run `/proc/self/exe`, which is the runtime, and opens it for writing.
#[test]
fn the_runtimes_own_file_cannot_be_written() {
    let program = binary("skiff-runtime");
    let before = std::fs::metadata(&program).unwrap();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    // From inside, as root, while a second program is on its way in.
    let attack = "for i in $(seq 200); do for exe in /proc/[0-9]*/exe; do \
                  case $(readlink $exe) in *busybox*) ;; *) (: >> $exe) 2> /dev/null && echo written $exe; esac; \
                  done; done";
    std::thread::scope(|scope| {
        let attacker = scope.spawn(|| bundle.exec(&[], &["sh", "-c", attack]));
        for _ in 0..20 {
            // The way of CVE-2019-5736: the runtime itself becomes a program of the container, where its file is in reach.
            // A static runtime runs there, a dynamic one lacks its interpreter. Neither may be written to.
            bundle.exec(&[], &["/proc/self/exe", "--version"]);
            bundle.exec(&[], &["true"]).ok();
        }
        let ran = attacker.join().unwrap();
        assert_eq!(ran.stdout, "", "{ran}");
    });
    let after = std::fs::metadata(&program).unwrap();
    assert_eq!((before.mtime(), before.ino(), before.size()), (after.mtime(), after.ino(), after.size()));
    run(std::process::Command::new(program).arg("--version"), b"").ok();
}
