//! The chapter's program on the real kernel, as root: what a container sees of its volumes, and what stays behind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

/// A root file system, a place for volumes and a directory of the host, all gone at the end of the test.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        for directory in ["root/bin", "root/dev", "root/proc", "root/sys", "root/tmp", "root/etc", "host"] {
            fs::create_dir_all(place.path(directory)).unwrap();
        }
        fs::copy("/bin/busybox", place.path("root/bin/busybox")).expect("the package busybox-static is installed");
        let names = Command::new("/bin/busybox").arg("--list").output().unwrap().stdout;
        for name in String::from_utf8(names).unwrap().lines().filter(|name| *name != "busybox") {
            symlink("busybox", place.path("root/bin").join(name)).unwrap();
        }
        place
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.directory.path().join(inner)
    }

    /// The data of the volume `name`.
    fn data(&self, name: &str) -> PathBuf {
        self.path("store").join(name).join("_data")
    }

    /// Runs `script` in a container. In `options` a leading `HOST` of a word is the host's directory.
    fn run(&self, options: &[&str], script: &str) -> Output {
        let mut command = self.program(options);
        command.args(["sh", "-c", script]).output().unwrap()
    }

    fn program(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_volumes"));
        command.args(["run", "--store"]).arg(self.path("store"));
        command.args(options.iter().map(|option| option.replace("HOST", self.path("host").to_str().unwrap())));
        command.arg(self.path("root"));
        command
    }

    /// The same in a mount namespace of its own, after the shell commands `before` in it, with `$HOST`; `during` runs beside
    /// the container.
    fn run_after(&self, before: &str, options: &[&str], script: &str, during: &str) -> Output {
        let program = self.program(options);
        let words = std::iter::once(program.get_program()).chain(program.get_args()).collect::<Vec<&OsStr>>();
        let shell = format!("set -e; {before}; \"$@\" & {during}; wait $!");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &shell, "sh"]).args(words);
        command.args(["sh", "-c", script]).env("HOST", self.path("host")).output().unwrap()
    }

    /// What the program says about a request that fails, with the test's own paths taken out.
    fn complaint(&self, options: &[&str]) -> String {
        let output = self.run(options, "true");
        assert!(!output.status.success(), "{options:?} should fail");
        let text = String::from_utf8(output.stderr).unwrap();
        text.replace(self.directory.path().to_str().unwrap(), "[place]")
    }
}

impl Drop for Place {
    /// Every test ends with this: the host's mount table has nothing of it.
    fn drop(&mut self) {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounted = table.contains(self.directory.path().to_str().unwrap());
        assert!(std::thread::panicking() || !mounted, "a mount is left on the host");
    }
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_bind_is_the_hosts_directory_and_readonly_holds() {
    let place = Place::new();
    fs::write(place.path("host/file"), "from the host\n").unwrap();
    let output = place.run(&["-v", "HOST:/h"], "cat /h/file; echo written > /h/new; chown 7 /h/new");
    assert_eq!(stdout(&output), "from the host\n");
    assert_eq!(fs::read_to_string(place.path("host/new")).unwrap(), "written\n");
    assert_eq!(fs::metadata(place.path("host/new")).unwrap().uid(), 7);
    for option in [["-v", "HOST:/h:ro"], ["--mount", "type=bind,source=HOST,target=/h,readonly"]] {
        let output = place.run(&option, "cat /h/file; echo x > /h/file || touch /h/other || echo neither");
        assert_eq!(stdout(&output), "from the host\nneither\n");
    }
}

#[test]
fn a_file_can_be_bound_over_a_file_or_over_nothing() {
    let place = Place::new();
    fs::write(place.path("host/hosts"), "127.0.0.1 here\n").unwrap();
    fs::write(place.path("root/etc/hosts"), "of the image\n").unwrap();
    let options = ["-v", "HOST/hosts:/etc/hosts:ro", "-v", "HOST/hosts:/new/place"];
    let output = place.run(&options, "cat /etc/hosts /new/place; rm -f /etc/hosts 2> /dev/null || echo busy");
    assert_eq!(stdout(&output), "127.0.0.1 here\n127.0.0.1 here\nbusy\n");
    assert!(!place.path("root/new").exists(), "the image is not written to");
    for wrong in ["HOST/hosts:/tmp", "HOST:/etc/hosts"] {
        assert!(place.complaint(&["-v", wrong]).contains("Each goes only on its like"), "{wrong}");
    }
}

#[test]
fn a_tmpfs_has_its_size_and_mode_and_runs_nothing() {
    let place = Place::new();
    fs::set_permissions(place.path("root/tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let output = place.run(
        &["--tmpfs", "/small:size=64k,mode=750", "--tmpfs", "/tmp", "--tmpfs", "/exec:exec"],
        "dd if=/dev/zero of=/small/x bs=1k count=100 2>&1 | grep -o 'No space.*'
         stat -c %a /small /tmp; cp /bin/busybox /tmp/sh; cp /bin/busybox /exec/sh
         /tmp/sh -c 'echo ran' 2> /dev/null || echo refused; /exec/sh -c 'echo ran'",
    );
    assert_eq!(stdout(&output), "No space left on device\n750\n1777\nrefused\nran\n");
    let output = place.run(&["--mount", "type=tmpfs,target=/t,readonly,tmpfs-size=1m"], "touch /t/x || echo fixed");
    assert_eq!(stdout(&output), "fixed\n");
}

/// A directory of the image with one of every kind in it.
fn furnish(top: &Path) {
    fs::create_dir_all(top.join("inner")).unwrap();
    fs::write(top.join("file"), "content").unwrap();
    fs::hard_link(top.join("file"), top.join("inner/same")).unwrap();
    symlink("/etc/passwd", top.join("link")).unwrap();
    rustix::fs::mknodat(CWD, top.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    fs::write(top.join("tool"), "x").unwrap();
    std::os::unix::fs::chown(top.join("tool"), Some(3), Some(4)).unwrap();
    fs::set_permissions(top.join("tool"), fs::Permissions::from_mode(0o4751)).unwrap();
    rustix::fs::setxattr(top.join("tool"), "user.colour", b"red", XattrFlags::empty()).unwrap();
    std::os::unix::fs::chown(top, Some(70), Some(71)).unwrap();
    fs::set_permissions(top, fs::Permissions::from_mode(0o1700)).unwrap();
}

#[test]
fn an_empty_volume_begins_with_what_the_image_has() {
    let place = Place::new();
    furnish(&place.path("root/data"));
    stdout(&place.run(&["-v", "vol:/data"], "true"));
    let data = place.data("vol");
    let of = |name: &str| fs::symlink_metadata(data.join(name)).unwrap();
    let top = of(".");
    assert_eq!((top.uid(), top.gid(), top.mode() & 0o7777), (70, 71, 0o1700));
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "content");
    assert_eq!(of("file").ino(), of("inner/same").ino(), "two names of one file");
    assert_eq!(fs::read_link(data.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(of("pipe").mode(), 0o10_640);
    let tool = of("tool");
    assert_eq!((tool.uid(), tool.gid(), tool.mode() & 0o7777), (3, 4, 0o4751));
    let mut colour = [0; 8];
    let length = rustix::fs::getxattr(data.join("tool"), "user.colour", &mut colour).unwrap();
    assert_eq!(colour.get(..length).unwrap(), b"red");
    let image = fs::metadata(place.path("root/data/tool")).unwrap();
    assert_eq!((tool.mtime(), tool.mtime_nsec()), (image.mtime(), image.mtime_nsec()));
}

#[test]
fn a_volume_with_something_in_it_is_left_alone() {
    let place = Place::new();
    furnish(&place.path("root/data"));
    stdout(&place.run(&["-v", "vol:/data"], "rm /data/file; echo mine > /data/tool"));
    let output = place.run(&["-v", "vol:/data"], "cat /data/tool; ls /data");
    assert_eq!(stdout(&output), "mine\ninner\nlink\npipe\ntool\n");
    for options in [["-v", "other:/data:nocopy"], ["--mount", "source=third,target=/data,volume-nocopy"]] {
        assert_eq!(stdout(&place.run(&options, "ls -A /data")), "");
    }
    let output = place.run(&["-v", "fourth:/nowhere", "-v", "fifth:/bin/sh.d"], "ls -A /nowhere; stat -c %a /nowhere");
    assert_eq!(stdout(&output), "755\n", "the image has nothing there");
}

#[test]
fn half_a_copy_is_done_again() {
    let place = Place::new();
    furnish(&place.path("root/data"));
    stdout(&place.run(&["-v", "vol:/elsewhere"], "true"));
    fs::write(place.data("vol").join("file"), "con").unwrap();
    fs::write(place.data("vol").with_file_name("filling"), "").unwrap();
    let output = place.run(&["-v", "vol:/data"], "cat /data/file; ls /data | wc -l");
    assert_eq!(stdout(&output), "content5\n");
    assert!(!place.data("vol").with_file_name("filling").exists());
}

#[test]
fn containers_that_start_together_copy_once() {
    let place = Place::new();
    furnish(&place.path("root/data"));
    stdout(&place.run(&["-v", "vol:/elsewhere"], "true"));
    let start = || place.program(&["-v", "vol:/data"]).args(["ls", "/data"]).output().unwrap();
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        for container in started {
            assert_eq!(stdout(&container.join().unwrap()), "file\ninner\nlink\npipe\ntool\n");
        }
    });
}

/// CVE-2022-23648: the path that is copied from is a link of the image to a directory of the host.
#[test]
fn copy_up_follows_no_link_out_of_the_image() {
    let place = Place::new();
    fs::write(place.path("host/secret"), "s").unwrap();
    symlink(place.path("host"), place.path("root/data")).unwrap();
    symlink("../../../../../../etc", place.path("root/up")).unwrap();
    fs::write(place.path("root/etc/mark"), "of the image").unwrap();
    let output = place.run(&["-v", "one:/data", "-v", "two:/up"], "ls -A /data; ls /up");
    assert_eq!(stdout(&output), "mark\n");
}

/// A link in the image where a volume goes: the mount lands where the link leads *inside*.
#[test]
fn the_target_is_found_inside_the_image() {
    let place = Place::new();
    symlink(place.path("host"), place.path("root/link")).unwrap();
    fs::create_dir(place.path("other")).unwrap();
    fs::write(place.path("other/file"), "bound").unwrap();
    let source = place.path("other").display().to_string();
    let script = format!("cat /link/file {}/file", place.path("host").display());
    let output = place.run(&["-v", &format!("{source}:/link")], &script);
    assert_eq!(stdout(&output), "boundbound");
    assert_eq!(fs::read_dir(place.path("host")).unwrap().count(), 0, "nothing was made on the host");
}

/// CVE-2017-1002101: a container makes a link in the volume, the next one is given it as a subpath.
#[test]
fn a_subpath_cannot_lead_out_of_its_volume() {
    let place = Place::new();
    let make = "mkdir -p /v/a/b; echo in > /v/a/b/file; ln -s a/b /v/good
                ln -s /../../../../../../etc /v/far; ln -s ../../../../../../../etc /v/up; ln -s /proc/self/root/etc /v/magic";
    stdout(&place.run(&["-v", "vol:/v"], make));
    let subpath = |part: &str| format!("source=vol,target=/s,volume-subpath={part}");
    for part in ["a/b", "good"] {
        assert_eq!(stdout(&place.run(&["--mount", &subpath(part)], "cat /s/file; touch /s/new")), "in\n");
    }
    assert_eq!(stdout(&place.run(&["--mount", &subpath("a/b/file")], "cat /s")), "in\n");
    let complaints = ["far", "up", "magic", "missing"].map(|part| place.complaint(&["--mount", &subpath(part)]));
    insta::assert_snapshot!(complaints.join("\n"));
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::new();
    let complaints = [
        place.complaint(&["--mount", "type=bind,source=HOST/typo,target=/d"]),
        place.complaint(&["-v", "HOST:/d", "-v", "vol:/d/"]),
        place.complaint(&["-v", "HOST:/proc/sys"]),
        place.complaint(&["-v", "HOST:/d:rshared"]),
    ];
    let text = complaints.join("\n");
    insta::with_settings!({ filters => [(r"(on the mount|--make-shared) /[^ ,.]*", "$1 [mount point]")] }, {
        insta::assert_snapshot!(text);
    });
    assert!(!place.path("host/typo").exists());
    stdout(&place.run(&["-v", "HOST/made:/d"], "touch /d/file"));
    assert!(place.path("host/made/file").exists(), "-v makes a missing directory");
}

#[test]
fn outer_mounts_do_not_hide_inner_ones() {
    let place = Place::new();
    fs::create_dir_all(place.path("host/cache")).unwrap();
    let options = ["--tmpfs", "/srv/a/b", "-v", "inner:/srv/a", "-v", "HOST:/srv"];
    let output = place.run(&options, "touch /srv/1 /srv/a/2 /srv/a/b/3; find /srv -type f");
    assert_eq!(stdout(&output).lines().count(), 3);
    assert!(place.path("host/1").exists() && place.data("inner").join("2").exists());
}

#[test]
fn readonly_means_the_mounts_below_as_well_unless_asked() {
    let place = Place::new();
    let before = "mkdir $HOST/sub; mount -t tmpfs below $HOST/sub";
    let script = "touch /h/x 2> /dev/null || echo top; touch /h/sub/x 2> /dev/null || echo below; ls /h/sub | wc -l";
    let cases = [
        ("readonly", "top\nbelow\n0\n"),
        ("readonly,bind-recursive=writable", "top\n1\n"),
        ("readonly,bind-recursive=disabled", "top\nbelow\n0\n"),
        ("bind-recursive=disabled", "1\n"),
    ];
    for (options, expected) in cases {
        let _ = fs::remove_dir_all(place.path("host/sub"));
        let mount = format!("type=bind,source=HOST,target=/h,{options}");
        let output = place.run_after(before, &["--mount", &mount], script, "true");
        assert_eq!(stdout(&output), expected, "{options}");
    }
}

#[test]
fn a_later_mount_of_the_host_arrives_only_in_a_slave() {
    let place = Place::new();
    let before = "mount -t tmpfs shared $HOST; mount --make-shared $HOST; mkdir $HOST/sub";
    let during =
        "while ! [ -e $HOST/up ]; do sleep 0.01; done; mount -t tmpfs late $HOST/sub; touch $HOST/sub/file $HOST/done";
    let script = "touch /h/up; while ! [ -e /h/done ]; do sleep 0.01; done; ls /h/sub";
    for (mode, expected) in [("rslave", "file\n"), ("rprivate", ""), ("rshared", "file\n")] {
        let output = place.run_after(before, &["-v", &format!("HOST:/h:{mode}")], script, during);
        assert_eq!(stdout(&output), expected, "{mode}");
    }
}

#[test]
fn volumes_are_listed_and_outlive_the_container() {
    let place = Place::new();
    stdout(&place.run(&["-v", "vol:/v", "-v", "/anonymous"], "echo kept > /v/file"));
    assert_eq!(stdout(&place.run(&["-v", "vol:/again:ro"], "cat /again/file")), "kept\n");
    let listed = Command::new(env!("CARGO_BIN_EXE_volumes")).args(["ls", "--store"]).arg(place.path("store")).output();
    let names: Vec<usize> = stdout(&listed.unwrap()).lines().filter_map(|line| line.find(' ')).collect();
    assert_eq!(names, [64, 3], "an anonymous one and vol");
}

/// Makes the volume `name` with these options, as `volume create -o` does.
fn make(place: &Place, name: &str, options: &[(&str, &str)]) {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let wanted = volumes::NewVolume { name: Some(name.to_owned()), options, ..volumes::NewVolume::default() };
    volumes::Store::open(place.path("store")).unwrap().create(&wanted).unwrap();
}

#[test]
fn a_volume_can_be_something_else_that_is_mounted() {
    let place = Place::new();
    fs::write(place.path("host/file"), "from the host").unwrap();
    let host = place.path("host").display().to_string();
    make(&place, "bound", &[("type", "none"), ("device", &host), ("o", "bind")]);
    make(&place, "fixed", &[("type", "none"), ("device", &host), ("o", "bind,ro")]);
    make(&place, "memory", &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=64k,uid=7,mode=700,noexec")]);
    let options = ["-v", "bound:/b", "-v", "fixed:/f", "-v", "memory:/m"];
    let script = "cat /b/file; echo more > /b/new; echo no > /f/new; stat -c '%u %a' /m; grep ' /m ' /proc/mounts | cut -d' ' -f3,4";
    let output = place.run(&options, script);
    let (text, errors) = (stdout(&output), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(errors.contains("Read-only file system"), "{errors}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.first(), Some(&"from the host7 700"), "{text}");
    assert!(lines.last().unwrap().starts_with("tmpfs rw,noexec") && text.contains("size=64k"), "{text}");
    assert_eq!(fs::read_to_string(place.path("host/new")).unwrap(), "more\n");
    assert_eq!(fs::read_dir(place.data("bound")).unwrap().count(), 0);
}

#[test]
fn a_volume_has_the_owner_that_was_asked_for() {
    let place = Place::new();
    fs::create_dir(place.path("root/srv")).unwrap();
    fs::write(place.path("root/srv/page"), "of the image").unwrap();
    make(&place, "owned", &[("uid", "1000"), ("gid", "50"), ("mode", "0710")]);
    // The image's files come along, its owner does not.
    let output = place.run(&["-v", "owned:/srv"], "stat -c '%u:%g %a' /srv; cat /srv/page");
    assert_eq!(stdout(&output), "1000:50 710\nof the image");
}

#[test]
fn owners_on_the_disk_are_others_inside() {
    let place = Place::new();
    make(&place, "mapped", &[("idmap", "1000:0,2000:50")]);
    let file = place.data("mapped").join("file");
    fs::write(&file, "x").unwrap();
    std::os::unix::fs::chown(place.data("mapped"), Some(1000), Some(1000)).unwrap();
    std::os::unix::fs::chown(&file, Some(1000), Some(2000)).unwrap();
    let output = place.run(&["-v", "mapped:/m"], "stat -c '%u:%g' /m/file; echo y > /m/new; stat -c '%u' /m/new");
    assert_eq!(stdout(&output), "0:50\n0\n", "{}", String::from_utf8_lossy(&output.stderr));
    let new = fs::metadata(place.data("mapped").join("new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (1000, 1000), "what root makes inside is 1000's on the disk");
}
