//! Volumes with the real `docker` client: options of the local driver, what prune takes, who is in the way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use skiff_tests::{Daemon, run};

#[test]
fn prune_takes_what_nobody_named() {
    let daemon = Daemon::start();
    daemon.docker(&["volume", "create", "--label", "tier=db", "named"]).ok();
    let made_up = daemon.docker(&["volume", "create"]).ok().to_owned();
    daemon.docker(&["create", "--name", "user", "-v", "used:/u", "-v", "/anonymous", "busybox"]).ok();
    let label =
        daemon.docker(&["volume", "inspect", "-f", "{{index .Labels \"com.docker.volume.anonymous\"}}|", &made_up]);
    assert_eq!(label.ok(), "|");
    assert_eq!(daemon.docker(&["volume", "ls", "-q", "-f", "label=tier=db"]).ok(), "named");
    assert_eq!(daemon.docker(&["volume", "ls", "-q", "-f", "dangling=true", "-f", "name=named"]).ok(), "named");
    daemon.docker(&["volume", "rm", "used"]).fails(1, "volume is in use - [");
    let pruned = daemon.docker(&["volume", "prune", "-f"]);
    assert!(pruned.ok().contains(&made_up) && !pruned.ok().contains("named"), "{pruned}");
    // Old clients expect the named ones to go as well.
    let mut old = daemon.command("docker", &["volume", "prune", "-f"]);
    let pruned = run(old.env("DOCKER_API_VERSION", "1.41"), b"");
    assert!(pruned.ok().contains("named") && !pruned.ok().contains("used"), "{pruned}");
    daemon.docker(&["rm", "-v", "user"]).ok();
    assert_eq!(daemon.docker(&["volume", "ls", "-q"]).ok(), "used", "the anonymous one has gone with its container");
    assert_eq!(daemon.docker(&["volume", "prune", "-af"]).ok().lines().nth(1), Some("used"));
    daemon.docker(&["volume", "rm", "gone"]).fails(1, "no such volume");
    daemon.docker(&["volume", "rm", "-f", "gone"]).ok();
    daemon.finish();
}

#[test]
fn the_local_driver_mounts_what_it_is_told() {
    let daemon = Daemon::start();
    let host = daemon.directory().join("host");
    fs::create_dir(&host).unwrap();
    fs::write(host.join("file"), "of the host\n").unwrap();
    let device = format!("device={}", host.display());
    let make = |name: &str, options: &[&str]| {
        let words: Vec<&str> = options.iter().flat_map(|option| ["-o", *option]).collect();
        daemon.docker(&[&["volume", "create"], &words[..], &[name]].concat())
    };
    make("bound", &["type=none", "o=bind", &device]).ok();
    make("memory", &["type=tmpfs", "device=tmpfs", "o=size=1m,uid=7"]).ok();
    make("owned", &["uid=1000", "gid=50"]).ok();
    make("bad", &["size=1m"]).fails(1, "invalid option: \"size\"");
    make("bad", &["type=tmpfs"]).fails(1, "missing required option: \"device\"");
    let mounts = ["-v", "bound:/b", "-v", "memory:/m:ro", "-v", "owned:/o"];
    let script = "cat /b/file; stat -c %u /m; stat -c %u:%g /o; touch /o/mine; echo more > /b/new; touch /m/x";
    let ran =
        daemon.docker(&[&["run", "--rm", "-u", "1000:50"], &mounts[..], &["busybox", "sh", "-c", script]].concat());
    assert_eq!(ran.stdout, "of the host\n7\n1000:50\n", "{ran}");
    assert!(ran.stderr.contains("/b/new: Permission denied") && ran.stderr.contains("/m/x: Read-only"), "{ran}");
    // What is copied into a container that does not run lands where it would while it runs.
    daemon.docker(&["create", "--name", "still", "-v", "bound:/b", "busybox"]).ok();
    daemon.docker(&["cp", "/etc/hostname", "still:/b/copied"]).ok();
    assert_eq!(fs::metadata(host.join("copied")).unwrap().uid(), 0);
    daemon.docker(&["rm", "still"]).ok();
    assert!(fs::read_dir(daemon.directory().join("data/volumes/bound/_data")).unwrap().next().is_none());
    daemon.docker(&["volume", "rm", "bound", "memory", "owned"]).ok();
    assert!(host.join("file").exists(), "removing the volume leaves what it was bound to");
    daemon.finish();
}

#[test]
fn the_files_of_another_image_are_there_and_cannot_be_written() {
    let daemon = Daemon::start();
    // An image of two layers: an overlay. Busybox has one.
    daemon.docker(&["create", "--name", "base", "busybox"]).ok();
    daemon.docker(&["cp", "/etc/hostname", "base:/etc/of-the-site"]).ok();
    daemon.docker(&["commit", "base", "site"]).ok();
    daemon.docker(&["rm", "base"]).ok();
    for (image, part) in [("site", "/of-the-site"), ("busybox", "/passwd")] {
        let whole = format!("type=image,source={image},target=/whole");
        let etc = format!("type=image,source={image},target=/part,image-subpath=etc");
        let script =
            format!("test -x /whole/bin/busybox && cmp /whole/etc{part} /part{part} && echo same; touch /part/x");
        let ran = daemon.docker(&["run", "--rm", "--mount", &whole, "--mount", &etc, "busybox", "sh", "-c", &script]);
        assert_eq!(ran.stdout, "same\n", "{ran}");
        assert!(ran.stderr.contains("/part/x: Read-only file system"), "{ran}");
    }
    let mount = ["--mount", "type=image,source=site,target=/site"];
    daemon.docker(&[&["create", "--name", "user"], &mount[..], &["busybox"]].concat()).ok();
    let shown = "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}} {{.Driver}}{{end}}";
    assert_eq!(daemon.docker(&["inspect", "-f", shown, "user"]).ok(), "image site /site false");
    daemon.docker(&["rmi", "site"]).fails(1, "conflict");
    daemon.docker(&["image", "prune", "-af"]).ok();
    daemon.docker(&["cp", "user:/site/etc/of-the-site", "-"]).ok();
    daemon.docker(&["rm", "user"]).ok();
    daemon.docker(&["rmi", "site"]).ok();
    let missing = ["run", "--rm", "--mount", "type=image,source=gone,target=/g", "busybox", "true"];
    daemon.docker(&missing).fails(125, "No such image: gone");
    let outside =
        ["run", "--rm", "--mount", "type=image,source=busybox,target=/g,image-subpath=../x", "busybox", "true"];
    daemon.docker(&outside).fails(125, "use the subpath");
    daemon.finish();
}
