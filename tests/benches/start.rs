//! What a start costs, part by part: each chapter's part alone, then all of it through the command line.
//!
//! `cargo bench -p skiff-tests` (as root, after `cargo xtask build` and `cargo xtask fixtures`). Figures of two machines
//! cannot be compared; for a comparison with other engines see `cargo xtask bench start`.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};

use cgroups::{CgroupStage, DeviceRule, Limits, Plan};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use namespaces::{Container, Launch, Stage, launch};
use network::{Attachment, Endpoint, Firewall, Ipam, Network, NetworkStage, PoolRequest, Request, Wish};
use skiff_tests::{Daemon, binary, busybox_tar};
use unionfs::{Overlay, OverlayStage};

/// Busybox unpacked, for the chapters that need a root file system.
fn rootfs(directory: &Path) -> Container {
    let root = directory.join("rootfs");
    std::fs::create_dir_all(&root).unwrap();
    let unpacked = Command::new("tar").arg("-C").arg(&root).arg("-xf").arg(busybox_tar()).status().unwrap();
    assert!(unpacked.success());
    let mut container = Container::with_defaults(&root);
    container.process.args = vec!["true".to_owned()];
    container
}

/// Chapter 1: clone, the child's steps, execve, exit.
fn namespaces(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let container = rootfs(directory.path());
    criterion.bench_function("01 launch true", |bencher| {
        bencher.iter(|| launch(&container, &mut [], Launch::default()).unwrap().wait().unwrap());
    });
}

/// Chapter 2: directories in every hierarchy, limits, and their removal.
fn cgroups(criterion: &mut Criterion) {
    let limits = Limits { memory: Some(64 << 20), devices: Some(DeviceRule::defaults()), ..Limits::default() };
    criterion.bench_function("02 make and remove a cgroup", |bencher| {
        bencher.iter(|| {
            let mut stage = CgroupStage::new(Plan::new("skiff", "bench", limits.clone()));
            stage.prepare().unwrap();
            stage.release().unwrap();
        });
    });
}

/// Chapter 3: directories and a detached overlay.
fn unionfs(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let lower = directory.path().join("lower");
    std::fs::create_dir(&lower).unwrap();
    let mut number = 0;
    criterion.bench_function("03 mount an overlay", |bencher| {
        bencher.iter(|| {
            number += 1;
            let [upper, work, target] =
                ["upper", "work", "rootfs"].map(|name| directory.path().join(number.to_string()).join(name));
            let overlay = Overlay { lowers: vec![lower.clone()], upper, work, target, volatile: true };
            let mut stage = OverlayStage::new(overlay);
            stage.prepare().unwrap();
            stage.release().unwrap();
        });
    });
}

/// Chapter 4: a namespace, a veth, an address, a route. Runs in a network namespace of its own.
fn network(criterion: &mut Criterion) {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    let ipv4 = PoolRequest { subnet: "10.250.0.0/16".parse().ok(), ..PoolRequest::default() };
    let request = Request { name: "bench".to_owned(), driver: "bridge".to_owned(), ipv4, ..Request::default() };
    let network = Network::plan(request, &"ab".repeat(32), "", &[]).unwrap();
    let firewall = Firewall::new("skiff-bench");
    network.bridge().unwrap().ensure(&firewall).unwrap();
    let mut addresses = Ipam::new(network.ipv4.clone().unwrap());
    let mut number = 0_u32;
    criterion.bench_function("04 attach to a bridge", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                let address = addresses.claim_next().unwrap();
                addresses.release(address);
                Endpoint::new(&network, &format!("{number:08x}").repeat(8), Wish::at(address)).unwrap()
            },
            |endpoint| {
                let attachment = Attachment::Endpoints(vec![endpoint]);
                let mut stage = NetworkStage::with_firewall(attachment, firewall.clone());
                stage.prepare().unwrap();
                stage.release().unwrap();
            },
            BatchSize::PerIteration,
        );
    });
}

/// Everything: client, daemon, monitor, container, and back.
fn skiff(criterion: &mut Criterion) {
    let daemon = Daemon::start();
    let host = format!("unix://{}", daemon.socket().display());
    let mut group = criterion.benchmark_group("skiff run");
    for mode in ["host", "none", "bridge"] {
        group.bench_function(mode, |bencher| {
            bencher.iter(|| {
                let mut skiff = Command::new(binary("skiff"));
                skiff.args(["-H", &host, "run", "--rm", "--network", mode, "busybox", "true"]);
                assert!(skiff.stdin(Stdio::null()).status().unwrap().success());
            });
        });
    }
    group.finish();
    daemon.finish();
}

criterion_group! {
    name = start;
    config = Criterion::default().sample_size(50).without_plots();
    targets = namespaces, cgroups, unionfs, network, skiff
}
criterion_main!(start);
