//! What the container sees of files.

use std::fs;
use std::os::unix::fs::symlink;

use namespaces::mount::{Attributes, Source};
use namespaces::{Mount, Propagation};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::Test;
use crate::bench::{Image, Output, run, try_run};

pub(crate) const TESTS: &[Test] = &[
    ("the_hosts_mount_table_stays_as_it_is", host_table),
    ("root_is_the_image", root_is_the_image),
    ("a_read_only_root", readonly_root),
    ("dev_has_what_programs_expect", dev),
    ("shm_and_mqueue_are_its_own", shm),
    ("it_sees_its_own_cgroups", cgroups),
    ("binds", binds),
    ("a_file_and_a_directory_do_not_fit", misfit),
    ("recursive_read_only", recursive_readonly),
    ("a_missing_source_is_named", missing_source),
    ("a_bad_option_is_explained_by_the_file_system", bad_option),
    ("host_mounts_come_in_only_when_asked_for", propagation),
    ("a_missing_root_is_named", missing_root),
    ("a_root_with_mounts_below_brings_them_along", mounts_below),
];

/// As on a host under systemd, where every mount is shared with every copy of the mount table.
fn host_table() {
    let table = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let image = Image::new();
    rustix::mount::mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC).unwrap();
    let before = table();
    let outcome = try_run(&image.container("cat /proc/self/mountinfo"));
    let after = table();
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    let inside = outcome.unwrap().text;
    assert_eq!(after, before);
    assert!(!inside.contains("shared:") && !inside.contains("master:"), "{inside}");
    // And the host's table is not in the container's: every mount there is below its own root.
    assert!(inside.lines().count() > 10 && !inside.contains("/tmp/skiff-namespaces- "), "{inside}");
    let first = inside.lines().next().unwrap();
    assert_eq!(first.split(' ').nth(4), Some("/"), "{first}");
}

fn root_is_the_image() {
    let image = Image::new();
    assert_eq!(image.prints("cd /; echo *"), "bin dev etc home proc root sys tmp\n");
    assert_eq!(image.prints("cd ../../../..; pwd; ls /proc/1/root/bin/busybox"), "/\n/proc/1/root/bin/busybox\n");
}

fn readonly_root() {
    let image = Image::new();
    let mut container = image.container("touch /x; touch /dev/shm/x && echo shm");
    container.root.readonly = true;
    let outcome = run(&container);
    assert_eq!(outcome.lines(), ["touch: /x: Read-only file system", "shm"]);
}

fn dev() {
    let image = Image::new();
    let listing = image.prints("ls /dev");
    let names: Vec<_> = listing.split_whitespace().collect();
    let expected = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";
    assert_eq!(names.join(" "), expected);
    let script = "echo x > /dev/null; dd if=/dev/zero bs=1 count=3 2>/dev/null | wc -c; echo hi >> /dev/stdout; echo x > /dev/full";
    let outcome = run(&image.container(script));
    assert_eq!(outcome.lines()[..2], ["3", "hi"]);
    assert!(outcome.text.contains("No space left on device"), "{outcome:?}");
    assert_eq!(image.prints("stat -c %a /dev/null; stat -c %a /dev/shm"), "666\n1777\n");
}

fn shm() {
    let image = Image::new();
    let name = format!("skiff-{}", std::process::id());
    assert_eq!(image.prints(&format!("touch /dev/shm/{name} /dev/mqueue/q && echo made")), "made\n");
    assert!(!std::path::Path::new("/dev/shm").join(name).exists());
}

fn cgroups() {
    let image = Image::new();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let v1 = own.lines().filter_map(|line| line.split(':').nth(1)).filter(|names| !names.is_empty()).count();
    if v1 == 0 {
        assert_eq!(image.prints("test -e /sys/fs/cgroup/cgroup.procs && echo v2"), "v2\n");
    } else {
        assert_eq!(image.prints("find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs | wc -l"), format!("{v1}\n"));
    }
    assert!(image.prints("cat /proc/self/cgroup").lines().all(|line| line.ends_with(":/")));
}

fn binds() {
    let image = Image::new();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("file"), "from the host").unwrap();
    let readonly = Attributes { readonly: true, ..Attributes::default() };
    let mut container =
        image.container("cat /data/file /etc/one; touch /data/new; touch /ro/new; touch /etc/one && echo ok");
    container.mounts.extend([
        Mount::bind(host.path(), "/data"),
        Mount { attributes: readonly, ..Mount::bind(host.path(), "/ro") },
        Mount::bind(host.path().join("file"), "/etc/one"),
    ]);
    let outcome = run(&container);
    assert_eq!(outcome.text, "from the hostfrom the hosttouch: /ro/new: Read-only file system\nok\n");
    assert!(host.path().join("new").exists());
    // The places that were made for it are in the image, empty.
    assert_eq!(fs::metadata(image.path().join("etc/one")).unwrap().len(), 0);
}

fn misfit() {
    let image = Image::new();
    let mut container = image.container("true");
    container.mounts.push(Mount::bind("/etc/hostname", "/home"));
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot mount /etc/hostname on /home: Not a directory");
    assert!(failure.hint.unwrap().contains("Each goes only on its like"));
}

fn recursive_readonly() {
    let image = Image::new();
    let host = tempfile::tempdir().unwrap();
    fs::create_dir(host.path().join("below")).unwrap();
    rustix::mount::mount("tmpfs", host.path().join("below"), "tmpfs", MountFlags::empty(), None).unwrap();
    let script = "touch /one/x 2>&1 | wc -l; touch /one/below/x 2>&1 | wc -l; touch /all/below/x 2>&1 | wc -l";
    let mut container = image.container(script);
    let one = Attributes { readonly: true, ..Attributes::default() };
    let all = Attributes { recursive_readonly: true, ..Attributes::default() };
    container.mounts.push(Mount { attributes: one, ..Mount::bind(host.path(), "/one") });
    container.mounts.push(Mount { attributes: all, ..Mount::bind(host.path(), "/all") });
    let outcome = try_run(&container);
    rustix::mount::unmount(host.path().join("below"), UnmountFlags::DETACH).unwrap();
    assert_eq!(outcome.unwrap().lines(), ["1", "0", "1"]);
}

fn missing_source() {
    let image = Image::new();
    let mut container = image.container("true");
    container.mounts.push(Mount::bind("/no/such/source", "/data"));
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot open the source of a mount /no/such/source: No such file or directory");
}

fn bad_option() {
    let image = Image::new();
    let mut container = image.container("true");
    let source = Source::New { kind: "tmpfs".into(), options: vec!["sise=1m".into()] };
    container.mounts.push(Mount { source, ..Mount::new("tmpfs", "/data") });
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot make a new tmpfs: Invalid argument (tmpfs: Unknown parameter 'sise')");
}

fn propagation() {
    let host = tempfile::tempdir().unwrap();
    let shared = host.path();
    rustix::mount::mount("tmpfs", shared, "tmpfs", MountFlags::empty(), None).unwrap();
    rustix::mount::mount_change(shared, MountPropagationFlags::SHARED).unwrap();
    fs::create_dir(shared.join("sub")).unwrap();
    for (wanted, seen) in [(Propagation::Private, "0"), (Propagation::Slave, "1"), (Propagation::Shared, "1")] {
        let image = Image::new();
        let mut container =
            image.container("echo ready; while [ ! -e /tmp/go ]; do sleep 0.02; done; ls /data/sub | wc -l");
        container.root.propagation = wanted;
        let attributes = Attributes { propagation: Some(wanted), ..Attributes::default() };
        container.mounts.push(Mount { attributes, ..Mount::bind(shared, "/data") });
        let output = Output::new();
        let running = namespaces::launch(&container, &mut [], output.options()).unwrap();
        rustix::mount::mount("tmpfs", shared.join("sub"), "tmpfs", MountFlags::empty(), None).unwrap();
        fs::write(shared.join("sub/file"), "").unwrap();
        fs::write(image.path().join("tmp/go"), "").unwrap();
        let outcome = output.of(&running);
        rustix::mount::unmount(shared.join("sub"), UnmountFlags::DETACH).unwrap();
        assert_eq!(outcome.lines(), ["ready", seen], "{wanted:?}");
    }
    rustix::mount::unmount(shared, UnmountFlags::DETACH).unwrap();
}

fn missing_root() {
    let mut container = Image::new().container("true");
    container.root.path = "/no/such/root".into();
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot bind the root directory /no/such/root: No such file or directory");
    assert!(failure.hint.is_some());
}

fn mounts_below() {
    let image = Image::new();
    let below = image.path().join("home/web");
    rustix::mount::mount("tmpfs", &below, "tmpfs", MountFlags::empty(), None).unwrap();
    symlink("/etc/passwd", below.join("link")).unwrap();
    let seen = image.prints("readlink /home/web/link");
    rustix::mount::unmount(&below, UnmountFlags::DETACH).unwrap();
    assert_eq!(seen, "/etc/passwd\n");
}
