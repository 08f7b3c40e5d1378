//! Ways out. Each test takes one line of defence away and walks out of the container; with that line in place, and everything
//! else the same, the same program stays inside.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;

use namespaces::{Container, Context, Launch, Namespace, Phase, Stage, Step, launch};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::Test;
use crate::bench::{Image, Outcome, Output};

pub(crate) const TESTS: &[Test] = &[
    ("out_of_a_chroot", chroot),
    ("out_through_the_hosts_processes", processes),
    ("out_through_shared_mounts", mounts),
    ("out_through_a_system_call", system_call),
    ("out_through_too_many_capabilities", capabilities),
    ("out_through_the_kernels_files", kernel_files),
    ("out_through_an_open_directory", open_directory),
];

fn run_without(container: &Container, stages: &mut [Box<dyn Stage>], without: &[&str]) -> Outcome {
    let output = Output::new();
    let without = without.iter().map(|name| (*name).to_owned()).collect();
    let running = launch(container, stages, Launch { without, ..output.options() }).unwrap();
    output.of(&running)
}

/// What containers were before pivot_root(2): the process's idea of `/` is another one, the host's tree is still there.
struct Chroot;

impl Stage for Chroot {
    fn name(&self) -> &'static str {
        "chroot"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        vec![Step::new("change-root", Phase::Pivot, "chroot(2) instead of pivot_root(2).", |child| {
            rustix::process::fchdir(child.root()?).step("go to the root directory")?;
            rustix::process::chroot(".").step("change the root")
        })]
    }
}

/// Known since the last century: a second chroot, into a directory below, leaves the working directory above the new root,
/// and `..` is stopped only *at* the root.
fn chroot() {
    let image = Image::new();
    let host = image.path().display().to_string();
    let container = image.perl(&format!(
        "mkdir '/tmp/x'; chroot '/tmp/x' or die $!; chdir '..' for 1..64; chroot '.'; print -e '{host}/etc/passwd' ? 'out' : 'in'"
    ));
    assert_eq!(run_without(&container, &mut [Box::new(Chroot)], &["pivot-root"]).text, "out");
    assert_eq!(run_without(&container, &mut [], &[]).text, "in");
}

/// Root in the container is user 0 of the machine. What it can name it can kill; a namespace takes the names away.
fn processes() {
    let image = Image::new();
    for (pid, expected) in [(Namespace::Host, "killed"), (Namespace::New, "nobody")] {
        let mut victim = Command::new("sleep").arg("60").spawn().unwrap();
        let mut container =
            image.container(&format!("kill -9 {} 2>/dev/null && echo killed || echo nobody", victim.id()));
        container.namespaces.pid = pid;
        assert_eq!(run_without(&container, &mut [], &[]).lines(), [expected]);
        let _ = victim.kill();
        victim.wait().unwrap();
    }
}

/// A mount namespace begins as a copy whose mounts are tied to the originals, on most machines in both directions.
fn mounts() {
    let place = tempfile::Builder::new().prefix("skiff-escape-").tempdir().unwrap();
    rustix::mount::mount("skiff-escape", place.path(), "tmpfs", MountFlags::empty(), None).unwrap();
    rustix::mount::mount_change(place.path(), MountPropagationFlags::SHARED).unwrap();
    let image = Image::new();
    let root = place.path().join("root");
    let copied = Command::new("cp").arg("-a").args([image.path(), &root]).status().unwrap();
    assert!(copied.success());
    let of_container = || {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        table.lines().filter(|line| line.contains(root.to_str().unwrap())).count()
    };
    let mut container = image.container("true");
    container.root.path.clone_from(&root);
    run_without(&container, &mut [], &[]);
    assert_eq!(of_container(), 0);
    // Without the first, the second is refused by the kernel: it will not move a root that others share.
    run_without(&container, &mut [], &["make-mounts-private", "pivot-root"]);
    assert!(of_container() > 5, "the container's own mounts are on the host, and stay there");
    while of_container() > 0 {
        rustix::mount::unmount(&root, UnmountFlags::DETACH).unwrap();
    }
    rustix::mount::unmount(place.path(), UnmountFlags::DETACH).unwrap();
}

/// A new user namespace gives whoever makes it all capabilities in there, and with them reaches parts of the kernel that
/// were written for administrators. The capability sets do not prevent it; the filter does.
fn system_call() {
    let image = Image::new();
    let status = "open F, '/proc/self/status'; print grep /^CapEff/, <F>";
    let container = image.perl(&format!("syscall(272, 0x10000000) == 0 ? do {{ {status} }} : print 'refused'"));
    assert_eq!(run_without(&container, &mut [], &[]).text, "refused");
    let got = run_without(&container, &mut [], &["load-seccomp"]).text;
    assert!(got.starts_with("CapEff:\t000001ff"), "all 41: {got}");
}

/// Three fences, one behind the other: to mount something takes a capability that is not there, could not be had back, and
/// is for a call that is not let through.
fn capabilities() {
    let image = Image::new();
    let container = image.container("mount -t tmpfs x /tmp 2>/dev/null && echo mounted || echo refused");
    let all = ["load-seccomp", "drop-bounding-set", "set-capabilities"];
    let tried = (0..8).map(|choice| {
        let without: Vec<_> =
            all.into_iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0).map(|(_, name)| name).collect();
        let outcome = run_without(&container, &mut [], &without);
        format!(
            "{:60}{}",
            if without.is_empty() { "nothing".to_owned() } else { without.join(" ") },
            outcome.text.trim()
        )
    });
    insta::assert_snapshot!(tried.collect::<Vec<_>>().join("\n"), @r#"
    nothing                                                     refused
    load-seccomp                                                refused
    drop-bounding-set                                           refused
    load-seccomp drop-bounding-set                              mounted
    set-capabilities                                            refused
    load-seccomp set-capabilities                               refused
    drop-bounding-set set-capabilities                          refused
    load-seccomp drop-bounding-set set-capabilities             mounted
    "#);
}

/// procfs has files that give the whole machine orders, and they ask for no more than being user 0.
fn kernel_files() {
    let image = Image::new();
    // Opened for writing and not written.
    let told = image.container("( : >> /proc/sys/kernel/core_pattern ) 2>/dev/null && echo open || echo read-only");
    assert_eq!(run_without(&told, &mut [], &[]).lines(), ["read-only"]);
    assert_eq!(run_without(&told, &mut [], &["protect-paths"]).lines(), ["open"]);
    let tells = image.container("head -c 1 /proc/timer_list 2>/dev/null | wc -c");
    assert_eq!(run_without(&tells, &mut [], &[]).lines(), ["0"]);
    if std::path::Path::new("/proc/timer_list").exists() {
        assert_eq!(run_without(&tells, &mut [], &["mask-paths"]).lines(), ["1"]);
    }
}

/// CVE-2024-21626: a directory of the host that was left open is a way out, whatever the root is.
fn open_directory() {
    let leaked: OwnedFd = rustix::fs::open("/", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let image = Image::new();
    let host = image.path().display().to_string();
    let script = format!("test -e /proc/self/fd/{}{host}/etc/passwd && echo out || echo in", leaked.as_raw_fd());
    let container = image.container(&script);
    assert_eq!(run_without(&container, &mut [], &["close-files"]).lines(), ["out"]);
    assert_eq!(run_without(&container, &mut [], &[]).lines(), ["in"]);
}
