//! Images that want out: each case is a way that has worked in some engine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use namespaces::{Container, Mount};

use crate::Test;
use crate::bench::{Image, run, try_run};

pub(crate) const TESTS: &[Test] = &[
    ("a_dev_that_is_a_link_leads_nowhere_else (CVE-2026-41579)", dev_is_a_link),
    ("a_proc_or_sys_that_is_a_link_is_refused (CVE-2023-27561)", proc_is_a_link),
    ("a_null_device_that_is_none_masks_nothing (CVE-2025-31133)", null_is_a_link),
    ("a_working_directory_outside_is_refused (CVE-2024-21626)", working_directory),
    ("a_mount_over_proc_is_refused (CVE-2019-19921)", disguised_proc),
    ("a_target_behind_links_stays_inside (CVE-2019-18837)", links_in_the_way),
    ("a_passwd_that_is_a_pipe_or_a_link_out (CVE-2024-9676)", strange_passwd),
];

/// A directory on the host that nothing may appear in.
fn outside() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

fn dev_is_a_link() {
    let image = Image::new();
    let outside = outside();
    let up = Path::new("../../../../../..").join(outside.path().strip_prefix("/").unwrap());
    symlink(up, image.path().join("dev")).unwrap();
    let outcome = run(&image.container("echo x > /dev/null && echo fine"));
    assert_eq!(outcome.text, "fine\n");
    assert!(empty(outside.path()));
}

fn proc_is_a_link() {
    for (name, elsewhere) in [("proc", "tmp"), ("sys", "/tmp"), ("proc", "../../../proc")] {
        let image = Image::new();
        symlink(elsewhere, image.path().join(name)).unwrap();
        let failure = try_run(&image.container("true")).unwrap_err();
        assert_eq!(failure.target.as_deref(), Some(format!("/{name}").as_str()), "{failure}");
        assert!(failure.hint.unwrap().contains("symbolic link"));
    }
}

fn null_is_a_link() {
    let image = Image::new();
    fs::create_dir(image.path().join("dev")).unwrap();
    symlink("/proc/sys/kernel/core_pattern", image.path().join("dev/null")).unwrap();
    let mut container = image.container("true");
    container.mounts.retain(|mount| !mount.target.starts_with("/dev"));
    container.devices.clear();
    let failure = try_run(&container).unwrap_err();
    assert!(failure.to_string().contains("is not the null device"), "{failure}");
}

fn working_directory() {
    let image = Image::new();
    let _leaked = fs::File::open("/").unwrap();
    for number in 0..40 {
        let mut container = image.container("ls");
        container.process.cwd = format!("/proc/self/fd/{number}").into();
        let failure = try_run(&container).unwrap_err();
        assert!(failure.to_string().starts_with("cannot go to the working directory /proc/self/fd"), "{failure}");
        symlink(format!("/proc/self/fd/{number}"), image.path().join(format!("way{number}"))).unwrap();
        container.process.cwd = format!("/way{number}").into();
        try_run(&container).unwrap_err();
    }
    let mut container = image.container("pwd");
    container.process.cwd = "/home/web".into();
    assert_eq!(run(&container).text, "/home/web\n");
    container.process.cwd = "/home/nobody".into();
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot go to the working directory /home/nobody: No such file or directory");
}

fn disguised_proc() {
    let image = Image::new();
    let with = |mount: Mount| -> Container {
        let mut container = image.container("cat /proc/uptime");
        container.mounts.push(mount);
        container
    };
    symlink("/proc/self", image.path().join("way")).unwrap();
    for target in ["/proc", "/proc/self", "/proc/sys", "/proc/../proc/1", "/way/attr"] {
        let failure = try_run(&with(Mount::new("tmpfs", target))).unwrap_err();
        assert!(failure.to_string().contains("may not be disguised"), "{target}: {failure}");
    }
    // What lxcfs does stays possible.
    fs::write(image.path().join("uptime"), "1.0 1.0\n").unwrap();
    let outcome = run(&with(Mount::bind(image.path().join("uptime"), "/proc/uptime")));
    assert_eq!(outcome.text, "1.0 1.0\n");
}

fn links_in_the_way() {
    let image = Image::new();
    let outside = outside();
    symlink(outside.path(), image.path().join("out")).unwrap();
    symlink("out/deeper", image.path().join("dangling")).unwrap();
    symlink("../../../../../../../..", image.path().join("up")).unwrap();
    let source = tempfile::tempdir().unwrap();
    let mut container = image.container("mount | grep -c ' on .*/data'");
    let up = Path::new("/up").join(outside.path().strip_prefix("/").unwrap());
    for target in [Path::new("/out/data"), Path::new("/dangling/data"), &up.join("data")] {
        container.mounts.push(Mount::bind(source.path(), target));
    }
    assert_eq!(run(&container).text, "3\n");
    assert!(empty(outside.path()));
}

fn strange_passwd() {
    let image = Image::new();
    let passwd = image.path().join("etc/passwd");
    let check = |expected: &str| {
        let mut container = image.container("id -u");
        container.process.user.user = "root".into();
        let failure = try_run(&container).unwrap_err();
        assert!(failure.to_string().contains(expected), "{failure}");
    };
    fs::remove_file(&passwd).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &passwd, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    check("it is not a regular file");
    fs::remove_file(&passwd).unwrap();
    // The host's passwd has a root; the image's, which this leads to, does not exist.
    symlink("../../../../../../etc/passwd-", &passwd).unwrap();
    check("no matching entry");
    fs::remove_file(&passwd).unwrap();
    fs::File::create(&passwd).unwrap().set_len(5 << 20).unwrap();
    check("more than 4194304 bytes");
}
