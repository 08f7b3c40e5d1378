//! A real registry on loopback: pushed by skopeo, pulled and run by both clients.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use skiff_tests::{Daemon, Registry};

#[test]
fn pushed_by_skopeo_pulled_by_both_clients() {
    let daemon = Daemon::start();
    let registry = Registry::start(daemon.pid());
    let layout = daemon.directory().join("data/images");
    let source = format!("oci:{}:docker.io/library/busybox:latest", layout.display());
    let target = format!("docker://{}/team/bb:v1", registry.address);
    daemon.on_host(&["skopeo", "copy", "--quiet", "--dest-tls-verify=false", &source, &target]).ok();
    let inspect = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", &target];
    let digest = daemon.on_host(&inspect).ok().to_owned();

    let name = format!("{}/team/bb:v1", registry.address);
    for client in ["skiff", "docker"] {
        let pulled = skiff_tests::run(&mut daemon.command(client, &["pull", &name]), b"");
        assert!(pulled.ok().contains(&format!("Digest: {digest}")), "{pulled}");
        let ran = skiff_tests::run(&mut daemon.command(client, &["run", "--rm", &name, "echo", "from afar"]), b"");
        assert_eq!(ran.ok(), "from afar");
        let removed = skiff_tests::run(&mut daemon.command(client, &["rmi", &name]), b"");
        removed.ok();
    }
    drop(registry);
    daemon.finish();
}
