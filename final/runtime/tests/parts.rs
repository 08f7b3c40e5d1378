//! The container that a plan describes: its parts, made by the monitor from what the chapters give.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod bench;
mod rootfs;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use bench::{Bench, OUTPUT, frames, receive, spawn};
use skiff_runtime::plan::Network;
use skiff_runtime::protocol::{Event, Request};

#[test]
fn layers_limits_and_a_killed_process() {
    let mut bench =
        Bench::shell("oom", "echo kept > /tmp/file; mkdir -p /x; exec dd if=/dev/zero of=/dev/null bs=200M");
    let limits = cgroups::Limits { memory: Some(16 << 20), memory_swap: Some(16 << 20), ..cgroups::Limits::default() };
    bench.plan.cgroup = Some(cgroups::Plan::new("", "skiff-runtime-oom", limits));
    let target = bench.rootfs.join("target");
    bench.plan.overlay = Some(unionfs::Overlay {
        lowers: vec![bench.rootfs.path()],
        upper: bench.rootfs.join("upper"),
        work: bench.rootfs.join("work"),
        target: target.clone(),
        volatile: true,
    });
    bench.plan.container.root.path = target;
    let _client = bench.start(OUTPUT);
    let exit = bench.exited();
    assert_eq!((exit.code, exit.signal, exit.oom_killed), (137, Some(9), true));
    assert_eq!(std::fs::read_to_string(bench.rootfs.join("upper/tmp/file")).unwrap(), "kept\n");
    assert!(!bench.rootfs.path().join("tmp/file").exists());
}

#[test]
fn a_network_by_descriptor_and_a_volume() {
    let mut bench = Bench::shell("parts", "readlink /proc/self/ns/net; cat /data/file; touch /data/new");
    let source = bench.rootfs.join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), "from outside\n").unwrap();
    let store = volumes::Store::open(bench.rootfs.join("volumes")).unwrap();
    let wanted = volumes::parse_volume(&format!("{}:/data", source.display())).unwrap();
    bench.plan.volumes = vec![volumes::attach(&wanted, &store).unwrap()];
    bench.plan.network = Network::FromFd;
    bench.plan.container.namespaces.net = namespaces::Namespace::Host;
    let (netns, name) = new_netns();
    let (mut client, theirs) = UnixStream::pair().unwrap();
    let request = Request::Start { plan: Box::new(bench.plan.clone()), attach: vec![OUTPUT] };
    let (daemon, monitor) = spawn(&request, &[netns, theirs.into()]);
    assert!(matches!(receive(&daemon), Event::Started(_)));
    (bench.daemon, bench.monitor) = (Some(daemon), Some(monitor));
    assert_eq!(frames(&mut client), (format!("{name}\nfrom outside\n"), String::new()));
    assert_eq!(bench.exited().code, 0);
    assert!(source.join("new").exists());
}

#[test]
fn a_network_that_comes_after_the_plan() {
    let mut bench = Bench::new("coming", &["readlink", "/proc/self/ns/net"]);
    bench.plan.network = Network::Coming;
    bench.plan.container.namespaces.net = namespaces::Namespace::Host;
    let (mut client, theirs) = UnixStream::pair().unwrap();
    let request = Request::Start { plan: Box::new(bench.plan.clone()), attach: vec![OUTPUT] };
    let (daemon, monitor) = spawn(&request, &[theirs.into()]);
    let (netns, name) = new_netns();
    daemon.send(&Request::Network, &[netns.as_fd()]).unwrap();
    assert!(matches!(receive(&daemon), Event::Started(_)));
    (bench.daemon, bench.monitor) = (Some(daemon), Some(monitor));
    assert_eq!(frames(&mut client).0, format!("{name}\n"));
    assert_eq!(bench.exited().code, 0);
}

#[test]
fn a_daemon_that_gives_up_on_the_network_leaves_nothing() {
    let mut bench = Bench::new("given-up", &["true"]);
    bench.plan.network = Network::Coming;
    bench.plan.cgroup = Some(cgroups::Plan::new("", "skiff-runtime-given-up", cgroups::Limits::default()));
    let request = Request::Start { plan: Box::new(bench.plan.clone()), attach: Vec::new() };
    let (daemon, mut monitor) = spawn(&request, &[]);
    drop(daemon);
    monitor.wait().unwrap();
    let hierarchies = cgroups::Hierarchies::discover().unwrap();
    assert!(cgroups::Cgroup::open(&hierarchies, "skiff-runtime-given-up".as_ref()).is_err());
}

#[test]
fn a_missing_working_directory_is_made() {
    let mut bench = Bench::new("cwd", &["pwd"]);
    bench.plan.create_cwd = true;
    bench.plan.container.process.cwd = "/srv/app/x".into();
    let mut client = bench.start(OUTPUT);
    assert_eq!(frames(&mut client).0, "/srv/app/x\n");
    assert_eq!(bench.exited().code, 0);
}

fn new_netns() -> (OwnedFd, String) {
    let made = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let path = "/proc/thread-self/ns/net";
        let name = std::fs::read_link(path).unwrap().into_os_string().into_string().unwrap();
        (OwnedFd::from(std::fs::File::open(path).unwrap()), name)
    });
    made.join().unwrap()
}
