//! Stages: their turn, and what happens when one fails.

use std::cell::RefCell;
use std::rc::Rc;

use namespaces::{Context, Failure, Phase, Result, Stage, Step};
use rustix::mount::MountFlags;
use rustix::process::Pid;

use crate::Test;
use crate::bench::{Image, run_with};

pub(crate) const TESTS: &[Test] = &[
    ("a_stage_takes_its_turns", turns),
    ("steps_run_by_phase", by_phase),
    ("a_stage_can_bring_the_root", brings_the_root),
    ("a_failure_anywhere_takes_everything_back", taken_back),
    ("a_child_that_dies_without_a_word_is_reported", silent_death),
    ("a_child_that_panics_is_reported", panic),
    ("a_stage_can_be_left_out", left_out),
    ("a_child_whose_launcher_dies_ends", dying_launcher),
    ("a_cgroup_of_version_2_is_entered_at_birth", born_in_a_cgroup),
    ("no_process_is_left_behind", nothing_left),
];

/// Says to this program that it shall be the launcher that dies, and names the image.
pub(crate) const DYING_LAUNCHER: &str = "SKIFF_TEST_DYING_LAUNCHER";

/// Writes down what it is asked, and fails where it is told to.
struct Recorder {
    diary: Diary,
    fails_at: &'static str,
}

impl Recorder {
    fn note(&self, what: &str) -> Result<()> {
        self.diary.borrow_mut().push(what.to_owned());
        if what == self.fails_at { Err(Failure::new("go on", "it was told to fail").on(what)) } else { Ok(()) }
    }
}

impl Stage for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn prepare(&mut self) -> Result<()> {
        self.note("prepare")
    }

    fn attach(&mut self, pid: Pid) -> Result<()> {
        assert!(std::path::Path::new(&format!("/proc/{}", pid.as_raw_pid())).exists());
        self.note("attach")
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let step = |name, phase| Step::new(name, phase, "Tells its name.", move |_| self.note(name));
        // In the wrong order, on purpose.
        vec![step("in-restrict", Phase::Restrict), step("in-join", Phase::Join), step("in-mounts", Phase::Mounts)]
    }

    fn release(&mut self) -> Result<()> {
        self.note("release")
    }
}

type Diary = Rc<RefCell<Vec<String>>>;

fn recorder(fails_at: &'static str) -> (Vec<Box<dyn Stage>>, Diary) {
    let diary = Diary::default();
    (vec![Box::new(Recorder { diary: Rc::clone(&diary), fails_at })], diary)
}

fn turns() {
    let (mut stages, diary) = recorder("");
    assert_eq!(run_with(&Image::new().container("echo hi"), &mut stages).unwrap().text, "hi\n");
    // What the child noted stayed in the child; release is up to whoever learns of the end.
    assert_eq!(*diary.borrow(), ["prepare", "attach"]);
}

fn by_phase() {
    let (stages, _) = recorder("");
    let image = Image::new();
    let container = image.container("");
    let stages = stages.iter().map(AsRef::as_ref);
    let names: Vec<_> = namespaces::steps(&container, stages, &[]).iter().map(|step| step.name).collect();
    let place = |name: &str| names.iter().position(|one| *one == name).unwrap();
    assert!(place("join-namespaces") < place("in-join") && place("in-join") < place("new-cgroup-namespace"));
    assert!(place("link-devices") < place("in-mounts") && place("in-mounts") < place("open-terminal"));
    assert!(place("pivot-root") < place("in-restrict") && place("in-restrict") < place("protect-root"));
}

/// Mounts a tmpfs with the image's busybox in it where the root belongs.
struct Tmpfs;

impl Stage for Tmpfs {
    fn name(&self) -> &'static str {
        "tmpfs"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        vec![Step::new("mount-tmpfs", Phase::Root, "Mounts a tmpfs for a root.", |child| {
            let root = &child.container.root.path;
            let busybox = std::fs::read(root.join("bin/busybox")).unwrap();
            rustix::mount::mount("tmpfs", root, "tmpfs", MountFlags::empty(), None).step("mount a tmpfs")?;
            std::fs::create_dir(root.join("bin")).unwrap();
            std::fs::write(root.join("bin/busybox"), busybox).unwrap();
            std::fs::set_permissions(root.join("bin/busybox"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
            Ok(())
        })]
    }
}

fn brings_the_root() {
    let image = Image::new();
    let mut container = image.container("");
    container.process.args = ["busybox", "ls", "/"].map(str::to_owned).to_vec();
    let outcome = run_with(&container, &mut [Box::new(Tmpfs)]).unwrap();
    assert_eq!(outcome.lines(), ["bin", "dev", "proc", "sys"]);
    assert!(!image.path().join("proc").exists());
}

fn taken_back() {
    let image = Image::new();
    for (place, noted) in [
        ("prepare", vec!["prepare", "release"]),
        ("attach", vec!["prepare", "attach", "release"]),
        ("in-join", vec!["prepare", "attach", "release"]),
        ("in-restrict", vec!["prepare", "attach", "release"]),
    ] {
        let (mut stages, diary) = recorder(place);
        let failure = run_with(&image.container("true"), &mut stages).unwrap_err();
        assert_eq!(failure.to_string(), format!("cannot go on {place}: it was told to fail"));
        assert_eq!(*diary.borrow(), noted);
    }
    let (mut stages, diary) = recorder("");
    let mut container = image.container("");
    container.process.args = vec!["nope".into()];
    run_with(&container, &mut stages).unwrap_err();
    assert_eq!(*diary.borrow(), ["prepare", "attach", "release"]);
}

/// Does something unexpected in the child.
struct Surprise(fn());

impl Stage for Surprise {
    fn name(&self) -> &'static str {
        "surprise"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        vec![Step::new("surprise", Phase::Mounts, "Does something unexpected.", |_| {
            (self.0)();
            Ok(())
        })]
    }
}

fn silent_death() {
    let kill = || rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    // The first process of a pid namespace is safe from signals of its own namespace.
    let image = Image::new();
    let mut container = image.container("true");
    container.namespaces.pid = namespaces::Namespace::Host;
    let failure = run_with(&container, &mut [Box::new(Surprise(kill))]).unwrap_err();
    let expected = "cannot start the container: its process ended without a word, killed by SIGKILL";
    assert_eq!(failure.to_string(), expected);
    let failure = run_with(&container, &mut [Box::new(Surprise(|| namespaces::sys::exit(3)))]).unwrap_err();
    assert_eq!(failure.to_string(), "cannot start the container: its process ended without a word");
}

fn panic() {
    let loudly = || {
        std::panic::set_hook(Box::new(|_| {}));
        panic!("on purpose");
    };
    let failure = run_with(&Image::new().container("true"), &mut [Box::new(Surprise(loudly))]).unwrap_err();
    assert_eq!(failure.to_string(), "cannot start the container: a bug: the child process panicked");
}

fn left_out() {
    let (mut stages, diary) = recorder("prepare");
    let output = crate::bench::Output::new();
    let options = namespaces::Launch { without: vec!["recorder".into()], ..output.options() };
    let running = namespaces::launch(&Image::new().container("echo hi"), &mut stages, options).unwrap();
    assert_eq!(output.of(&running).text, "hi\n");
    assert!(diary.borrow().is_empty());
}

/// Ends the launching process while the child waits.
struct Suicide;

impl Stage for Suicide {
    fn name(&self) -> &'static str {
        "suicide"
    }

    fn attach(&mut self, pid: Pid) -> Result<()> {
        println!("{}", pid.as_raw_pid());
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).step("die")
    }
}

/// The other process of [`dying_launcher`].
pub(crate) fn launch_and_die(image: &std::path::Path) -> ! {
    let mut container = namespaces::Container::with_defaults(image);
    container.process.args = ["touch", "/started"].map(str::to_owned).to_vec();
    let outcome = namespaces::launch(&container, &mut [Box::new(Suicide)], namespaces::Launch::default());
    panic!("still alive: {outcome:?}");
}

fn dying_launcher() {
    let image = Image::new();
    let own = std::env::current_exe().unwrap();
    let launcher = std::process::Command::new(own).env(DYING_LAUNCHER, image.path()).output().unwrap();
    assert!(!launcher.status.success());
    let child = String::from_utf8(launcher.stdout).unwrap();
    let child = std::path::Path::new("/proc").join(child.trim());
    for _ in 0..100 {
        if !child.exists() {
            assert!(!image.path().join("started").exists());
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{} is still there", child.display());
}

/// Holds a cgroup v2 directory open.
struct Born(std::fs::File);

impl Stage for Born {
    fn name(&self) -> &'static str {
        "born"
    }

    fn cgroup(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        Some(std::os::fd::AsFd::as_fd(&self.0))
    }
}

fn born_in_a_cgroup() {
    let hybrid = std::path::Path::new("/sys/fs/cgroup/unified");
    let top = if hybrid.exists() { hybrid } else { std::path::Path::new("/sys/fs/cgroup") };
    if !top.join("cgroup.procs").exists() {
        println!("skipped: no cgroup v2 hierarchy is mounted");
        return;
    }
    let cgroup = top.join(format!("skiff-test-{}", std::process::id()));
    std::fs::create_dir(&cgroup).unwrap();
    let stage = Born(std::fs::File::open(&cgroup).unwrap());
    let image = Image::new();
    let mut container = image.container("grep ^0: /proc/self/cgroup");
    container.namespaces.cgroup = namespaces::Namespace::Host;
    container.mounts.retain(|mount| mount.source != namespaces::mount::Source::Cgroup);
    let outcome = run_with(&container, &mut [Box::new(stage)]);
    std::fs::remove_dir(&cgroup).unwrap();
    assert!(outcome.unwrap().text.trim().ends_with(cgroup.file_name().unwrap().to_str().unwrap()));
}

fn nothing_left() {
    let none = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
    assert_eq!(none.unwrap_err(), rustix::io::Errno::CHILD);
}
