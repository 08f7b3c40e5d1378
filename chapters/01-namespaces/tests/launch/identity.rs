//! Who the container thinks it is: namespaces, names, users.

use std::fs;

use namespaces::{IdMap, Namespace};

use crate::Test;
use crate::bench::{Image, Sleeper, run, try_run};

pub(crate) const TESTS: &[Test] = &[
    ("every_namespace_is_new_but_user_and_time", every_namespace_is_new),
    ("it_is_process_1_and_sees_no_other", it_is_process_1),
    ("hostname_and_domain_name_stay_inside", names_stay_inside),
    ("a_hostname_too_long_is_explained", a_hostname_too_long),
    ("without_a_step_its_effect_is_missing", without_a_step),
    ("the_host_is_not_renamed_or_mounted_on", host_is_spared),
    ("a_time_namespace_can_be_had", time_namespace),
    ("a_step_that_does_not_exist_cannot_be_left_out", no_such_step),
    ("namespaces_can_be_joined", joins),
    ("a_user_namespace_maps_its_root", user_namespace),
    ("a_user_namespace_can_be_joined", user_namespace_joined),
    ("users_and_groups_come_from_the_image", users),
    ("a_missing_user_is_named", missing_user),
];

const KINDS: [&str; 8] = ["pid", "mnt", "uts", "ipc", "net", "cgroup", "user", "time"];

fn own(kind: &str) -> String {
    fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_string_lossy().into_owned()
}

fn every_namespace_is_new() {
    let outcome =
        Image::new().prints("for k in pid mnt uts ipc net cgroup user time; do readlink /proc/self/ns/$k; done");
    let inside: Vec<_> = outcome.lines().collect();
    for (kind, inside) in KINDS.iter().zip(inside) {
        assert_eq!(own(kind) == inside, ["user", "time"].contains(kind), "{kind}: {inside}");
    }
}

fn it_is_process_1() {
    assert_eq!(Image::new().prints("echo $$; echo /proc/[0-9]*"), "1\n/proc/1\n");
}

fn names_stay_inside() {
    let before = rustix::system::uname().nodename().to_owned();
    let image = Image::new();
    let mut container = image.container("hostname; cat /proc/sys/kernel/domainname");
    container.hostname = Some("galley".into());
    container.domainname = Some("example.org".into());
    assert_eq!(run(&container).lines(), ["galley", "example.org"]);
    assert_eq!(rustix::system::uname().nodename(), before.as_c_str());
}

fn a_hostname_too_long() {
    let image = Image::new();
    let mut container = image.container("true");
    container.hostname = Some("x".repeat(65));
    let failure = try_run(&container).unwrap_err();
    assert!(failure.to_string().starts_with("cannot set the hostname to xxx"), "{failure}");
    assert_eq!(failure.hint.as_deref(), Some("A hostname has at most 64 bytes."));
}

fn without_a_step() {
    let image = Image::new();
    let mut container = image.container("hostname");
    container.hostname = Some("galley".into());
    let output = crate::bench::Output::new();
    let options = namespaces::Launch { without: vec!["set-hostname".into()], ..output.options() };
    let running = namespaces::launch(&container, &mut [], options).unwrap();
    let host = rustix::system::uname();
    assert_eq!(output.of(&running).text.trim(), host.nodename().to_string_lossy());
}

fn host_is_spared() {
    let image = Image::new();
    let mut container = image.container("true");
    container.namespaces.uts = Namespace::Host;
    run(&container);
    container.hostname = Some("galley".into());
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot launch the container: it shares its UTS namespace with the host");
    let mut container = image.container("true");
    container.namespaces.mount = Namespace::Host;
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot launch the container: it shares its mount namespace with the host");
}

fn time_namespace() {
    let image = Image::new();
    let mut container = image.container("readlink /proc/self/ns/time");
    container.namespaces.time = Namespace::New;
    assert_ne!(run(&container).text.trim(), own("time"));
}

fn no_such_step() {
    let image = Image::new();
    let options = namespaces::Launch { without: vec!["set-hostnam".into()], ..namespaces::Launch::default() };
    let failure = namespaces::launch(&image.container("true"), &mut [], options).unwrap_err();
    assert_eq!(failure.to_string(), "cannot leave out set-hostnam: no stage or step has this name");
}

fn joins() {
    let other = Sleeper::start(|container| container.hostname = Some("other".into()));
    let image = Image::new();
    let mut container = image.container("hostname; ps | grep -c '[s]leep 60'; readlink /proc/self/ns/net");
    container.namespaces.uts = Namespace::Join(other.namespace("uts"));
    container.namespaces.net = Namespace::Join(other.namespace("net"));
    container.namespaces.pid = Namespace::Join(other.namespace("pid"));
    let net = fs::read_link(other.namespace("net")).unwrap().to_string_lossy().into_owned();
    let mine = own("pid");
    assert_eq!(run(&container).lines(), ["other", "1", &net]);
    // The launcher went there for its child only.
    assert_eq!(fs::read_link("/proc/self/ns/pid_for_children").unwrap().to_string_lossy(), mine);
}

fn mapped(container: &mut namespaces::Container) {
    container.namespaces.user = Namespace::New;
    let map = IdMap { inside: 0, outside: 100_000, size: 65_536 };
    container.namespaces.uid_map = vec![map];
    container.namespaces.gid_map = vec![map];
}

fn user_namespace() {
    let image = Image::new();
    std::os::unix::fs::chown(image.path(), Some(100_000), Some(100_000)).unwrap();
    std::os::unix::fs::chown(image.path().join("tmp"), Some(100_000), Some(100_000)).unwrap();
    let script = "id -u; cat /proc/self/uid_map; touch /tmp/mine; echo x > /dev/null && ls -l /dev/null; readlink /proc/self/ns/user";
    let mut container = image.container(script);
    mapped(&mut container);
    let outcome = run(&container);
    let lines = outcome.lines();
    assert_eq!(lines[0], "0");
    assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"]);
    assert!(lines[2].contains("1,   3"), "{outcome:?}");
    assert_ne!(lines[3], own("user"));
    let made = rustix::fs::stat(image.path().join("tmp/mine")).unwrap();
    assert_eq!((made.st_uid, made.st_gid), (100_000, 100_000));
}

fn user_namespace_joined() {
    let other = Sleeper::start(|container| {
        std::os::unix::fs::chown(&container.root.path, Some(100_000), Some(100_000)).unwrap();
        mapped(container);
    });
    let image = Image::new();
    std::os::unix::fs::chown(image.path(), Some(100_000), Some(100_000)).unwrap();
    let mut container = image.container("id -u; readlink /proc/self/ns/user; readlink /proc/self/ns/uts; echo $$");
    container.namespaces.user = Namespace::Join(other.namespace("user"));
    container.namespaces.uts = Namespace::Join(other.namespace("uts"));
    let link = |kind| fs::read_link(other.namespace(kind)).unwrap().to_string_lossy().into_owned();
    assert_eq!(run(&container).lines(), ["0", &link("user"), &link("uts"), "1"]);
}

fn users() {
    let image = Image::new();
    let script = "echo $(id -u) $(id -g) $(id -G) $HOME";
    for (user, expected) in [
        ("", "0 0 0 50 /root"),
        ("web", "1000 1000 1000 50 /home/web"),
        ("1000", "1000 1000 1000 50 /home/web"),
        ("web:staff", "1000 50 50 /home/web"),
        ("77:88", "77 88 88 /"),
    ] {
        let mut container = image.container(script);
        container.process.user.user = user.into();
        let words: Vec<_> = expected.split(' ').collect();
        let outcome = run(&container);
        let mut found: Vec<_> = outcome.text.split_whitespace().collect();
        let last = found.len() - 1;
        found[2..last].sort_by_key(|gid| words.iter().position(|word| word == gid));
        assert_eq!(found, words, "{user}");
    }
}

fn missing_user() {
    let image = Image::new();
    let mut container = image.container("true");
    container.process.user.user = "nobody".into();
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.to_string(), "cannot find the user nobody: no matching entry in the image's passwd file");
}
