//! Images that go to other engines and tools and come back: dockerd, skopeo and umoci judge what we write, and we read what
//! they write. An image is the same everywhere when its id is.
//!
//! `dockerd.rs`: a dockerd from Debian.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod dockerd;

use std::fs;
use std::process::Command;

use dockerd::Dockerd;
use skiff_tests::{Daemon, run};

/// Images with most of what a layer and a configuration can have: one of three layers, and the one below it.
fn with_images() -> Daemon {
    let daemon = Daemon::start();
    let step = |image: &str, script: &str, commit: &[&str], name: &str| {
        daemon.skiff(&["run", "--name", "step", "--network", "none", image, "sh", "-c", script]).ok();
        daemon.skiff(&[&["commit"], commit, &["step", name]].concat()).ok();
        daemon.skiff(&["rm", "step"]).ok();
    };
    let files = "mkdir -p /srv/a && echo 1 > /srv/a/one && ln /srv/a/one /srv/a/two && ln -s two /srv/a/three && chmod 4711 /srv/a/one \
                 && mknod /srv/null c 1 3 && mkfifo /srv/fifo";
    step("busybox", files, &["--change", "ENV A=b", "--change", "LABEL kept=yes"], "lower:1");
    step(
        "lower:1",
        "rm -r /srv/a/two /www; chown 7:8 /srv/a/one",
        &["--change", "CMD [\"cat\", \"/srv/a/one\"]"],
        "all:1",
    );
    daemon
}

fn id(daemon: &Daemon, name: &str) -> String {
    daemon.skiff(&["inspect", "--type", "image", "--format", "{{.Id}}", name]).ok().to_owned()
}

#[test]
fn dockerd_and_skiff_give_each_other_images() {
    let daemon = with_images();
    let dockerd = Dockerd::start();
    let (ours, theirs) = (dockerd.file("ours.tar"), dockerd.file("theirs.tar"));
    let (all, lower) = (id(&daemon, "all:1"), id(&daemon, "lower:1"));
    daemon.skiff(&["save", "-o", &ours, "all:1", "lower:1"]).ok();
    let loaded = dockerd.docker(&["load", "-i", &ours]);
    assert!(loaded.ok().contains("Loaded image: all:1") && loaded.stdout.contains("lower:1"), "{loaded}");
    for (name, id) in [("all:1", &all), ("lower:1", &lower)] {
        assert_eq!(dockerd.docker(&["inspect", "--format", "{{.Id}}", name]).ok(), id);
    }
    let of = [
        "inspect",
        "--format",
        "{{json .Config.Cmd}} {{json .Config.Env}} {{.Config.Labels.kept}} {{len .RootFS.Layers}}",
        "all:1",
    ];
    assert_eq!(dockerd.docker(&of).ok(), daemon.docker(&of).ok());
    let history = ["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "all:1"];
    assert_eq!(dockerd.docker(&history).ok(), daemon.docker(&history).ok());

    // And the way back: what dockerd 20.10 writes, which has the oldest lists in it as well.
    dockerd.docker(&["save", "-o", &theirs, "all:1", "lower:1"]).ok();
    let shown = run(Command::new("tar").args(["-tf", &theirs]), b"");
    assert!(shown.ok().contains("repositories") && shown.stdout.contains("manifest.json"), "{shown}");
    daemon.skiff(&["rmi", "all:1", "lower:1"]).ok();
    daemon.docker(&["load", "-i", &theirs]).ok();
    assert_eq!((id(&daemon, "all:1"), id(&daemon, "lower:1")), (all, lower));

    // Without the newer lists, only what docker before 1.10 understood: another configuration, the same layers.
    let layers = ["inspect", "--format", "{{json .RootFS.Layers}} {{json .Config.Cmd}}", "all:1"];
    let before = daemon.docker(&layers).ok().to_owned();
    let repack =
        "mkdir \"$1.d\" && tar -C \"$1.d\" -xf \"$1\" && rm \"$1.d/manifest.json\" && tar -C \"$1.d\" -cf \"$1\" .";
    run(Command::new("sh").args(["-c", repack, "sh", &theirs]), b"").ok();
    daemon.skiff(&["rmi", "all:1", "lower:1"]).ok();
    daemon.skiff(&["load", "-i", &theirs]).ok();
    assert_eq!(daemon.docker(&layers).ok(), before);
    assert_eq!(daemon.skiff(&["run", "--rm", "--network", "none", "all:1"]).ok(), "1");
    drop(dockerd);
    daemon.finish();
}

#[test]
fn skopeo_and_umoci_read_the_same_images() {
    let daemon = with_images();
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let store = daemon.directory().join("data/images").display().to_string();
    let name = "docker.io/library/all:1";

    // The store as it stands.
    let digest = |what: &str| daemon.on_host(&["skopeo", "inspect", "--format", "{{.Digest}}", what]).ok().to_owned();
    let own = daemon.docker(&["inspect", "--format", "{{.Descriptor.Digest}}", "all:1"]).ok().to_owned();
    assert_eq!(digest(&format!("oci:{store}:{name}")), own);
    assert!(daemon.on_host(&["umoci", "ls", "--layout", &store]).ok().lines().any(|line| line == name));
    daemon.on_host(&["umoci", "stat", "--image", &format!("{store}:{name}")]).ok();

    // What is saved, unpacked by umoci: the same files as in a container.
    daemon.skiff(&["save", "-o", &path("saved.tar"), "all:1"]).ok();
    fs::create_dir(place.path().join("saved")).unwrap();
    run(Command::new("tar").args(["-xf", &path("saved.tar"), "-C", &path("saved")]), b"").ok();
    assert_eq!(digest(&format!("oci-archive:{}:{name}", path("saved.tar"))), own);
    let docker =
        daemon.on_host(&["skopeo", "inspect", "--config", &format!("docker-archive:{}:{name}", path("saved.tar"))]);
    assert!(docker.ok().contains("\"kept\": \"yes\""), "{docker}");
    daemon.on_host(&["umoci", "unpack", "--image", &format!("{}:{name}", path("saved")), &path("bundle")]).ok();
    // Bind mounts of the runtime are not in the image; owner, mode, size and kind of everything else are compared.
    let list = "cd \"$1\" && find . -path ./proc -prune -o -path ./sys -prune -o -path ./dev -prune -o ! -type d -exec stat -c '%n %F %a %u:%g %s %h %N' {} + | sort";
    let unpacked =
        run(Command::new("sh").args(["-c", list, "sh"]).arg(place.path().join("bundle/rootfs")), b"").ok().to_owned();
    let exported = path("exported");
    fs::create_dir(&exported).unwrap();
    daemon.skiff(&["create", "--name", "it", "--network", "none", "all:1"]).ok();
    daemon.skiff(&["export", "-o", &path("exported.tar"), "it"]).ok();
    run(Command::new("tar").args(["-xf", &path("exported.tar"), "-C", &exported]), b"").ok();
    daemon.skiff(&["rm", "it"]).ok();
    let ours = run(Command::new("sh").args(["-c", list, "sh", &exported]), b"").ok().to_owned();
    assert!(
        unpacked.contains("./srv/a/one regular file 4711 7:8") || unpacked.contains("./srv/a/one regular file 711 7:8"),
        "{unpacked}"
    );
    let plain =
        |text: &str| text.lines().filter(|line| !line.starts_with("./etc/")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(plain(&unpacked), plain(&ours));
    daemon.finish();
}

#[test]
fn what_skopeo_and_umoci_write_is_read() {
    let daemon = with_images();
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let store = daemon.directory().join("data/images").display().to_string();
    let (all, name) = (id(&daemon, "all:1"), "docker.io/library/all:1");
    daemon.skiff(&["save", "-o", &path("saved.tar"), "all:1"]).ok();
    // Each of the forms that skopeo writes; umoci's change of an image is an image as well.
    for (kind, name) in [("oci-archive", "again:1"), ("docker-archive", "again:2")] {
        let (file, full) = (path(kind), format!("docker.io/library/{name}"));
        daemon
            .on_host(&[
                "skopeo",
                "copy",
                "--quiet",
                &format!("oci:{store}:docker.io/library/all:1"),
                &format!("{kind}:{file}:{full}"),
            ])
            .ok();
        daemon.docker(&["load", "-i", &file]).ok();
        assert_eq!(id(&daemon, name), all);
    }
    let layout = path("layout");
    daemon
        .on_host(&[
            "skopeo",
            "copy",
            "--quiet",
            &format!("oci-archive:{}:{name}", path("saved.tar")),
            &format!("oci:{layout}:docker.io/library/changed:1"),
        ])
        .ok();
    let image = format!("{layout}:docker.io/library/changed:1");
    daemon.on_host(&["umoci", "config", "--config.cmd", "echo", "--config.cmd", "changed", "--image", &image]).ok();
    run(Command::new("tar").args(["-cf", &path("layout.tar"), "-C", &layout, "."]), b"").ok();
    daemon.skiff(&["load", "-i", &path("layout.tar")]).ok();
    assert_eq!(daemon.skiff(&["run", "--rm", "--network", "none", "changed:1"]).ok(), "changed");
    daemon.finish();
}
