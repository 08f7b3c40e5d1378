//! Images for several kinds of machines, and things that are no images, as the real docker client sees them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::Value;
use skiff_tests::{Daemon, Registry, run};

/// What the daemon answers to a GET.
fn get(daemon: &Daemon, path: &str) -> Value {
    let mut curl = Command::new("curl");
    curl.args(["-s", "--unix-socket"]).arg(daemon.socket()).arg(format!("http://d{path}"));
    serde_json::from_str(run(&mut curl, b"").ok()).unwrap()
}

#[test]
fn one_platform_of_an_image() {
    let daemon = Daemon::start();
    let saved = daemon.directory().join("saved.tar").display().to_string();
    // Both clients ask for a platform in their own words, and what is here is for this one.
    for client in ["docker", "skiff"] {
        let ran = |words: &[&str]| run(&mut daemon.command(client, words), b"");
        for (platform, fits) in [("linux/amd64", true), ("linux/arm64", false)] {
            let wrong = "was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)";
            let commands: &[&[&str]] = &[
                &["history", "--platform", platform, "busybox"],
                &["save", "--platform", platform, "-o", &saved, "busybox"],
                &["load", "--platform", platform, "-i", &saved],
            ];
            for command in commands {
                let ran = ran(command);
                assert_eq!(ran.code == 0, fits, "{ran}");
                assert!(fits || ran.stderr.contains(wrong), "{ran}");
            }
        }
    }
    daemon.docker(&["image", "inspect", "--platform", "linux/amd64", "busybox"]).ok();
    daemon.docker(&["image", "inspect", "--platform", "linux/arm64", "busybox"]).fails(1, "does not match");
    daemon.docker(&["push", "--platform", "linux/arm64", "busybox"]).fails(1, "does not match");

    // What is in an image, for those who show it as a tree.
    let tree = daemon.docker(&["images", "--tree"]);
    assert!(tree.ok().contains("linux/amd64"), "{tree}");
    let listed = get(&daemon, "/v1.48/images/json?manifests=1");
    let image = listed.as_array().unwrap().iter().find(|image| image["RepoTags"][0] == "busybox:latest").unwrap();
    let manifest = &image["Manifests"][0];
    assert_eq!((&manifest["Kind"], &manifest["Available"]), (&"image".into(), &true.into()));
    assert_eq!(manifest["ImageData"]["Size"]["Unpacked"], image["Size"]);
    let sizes = &manifest["Size"];
    assert_eq!(sizes["Total"].as_i64().unwrap(), sizes["Content"].as_i64().unwrap() + image["Size"].as_i64().unwrap());
    assert_eq!(get(&daemon, "/v1.48/images/busybox/json?manifests=1")["Manifests"][0], *manifest);
    let plain = get(&daemon, "/v1.48/images/busybox/json");
    assert!(plain.get("Manifests").is_none() && plain["Descriptor"]["digest"] == manifest["ID"], "{plain}");
    let both = get(&daemon, "/v1.49/images/busybox/json?manifests=1&platform=%7B%22os%22%3A%22linux%22%7D");
    assert_eq!(both["message"], "conflicting options: manifests and platform options cannot both be set");
    daemon.finish();
}

/// A chart in a registry, pushed by curl as helm would do it.
fn push_chart(daemon: &Daemon, address: &str) {
    let script = r#"
        set -e
        upload() {
            digest=sha256:$(printf %s "$1" | sha256sum | cut -d' ' -f1)
            place=$(curl -sf -X POST -D - -o /dev/null "http://$A/v2/team/chart/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
            printf %s "$1" | curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @- "$place&digest=$digest"
            printf '"digest":"%s","size":%s' "$digest" "${#1}"
        }
        config=$(upload '{"name":"chart"}'); layer=$(upload 'not even an archive')
        printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json",%s},"layers":[{"mediaType":"text/plain",%s}]}' \
            "$config" "$layer" | curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
            --data-binary @- "http://$A/v2/team/chart/manifests/1"
    "#;
    daemon.on_host(&["env", &format!("A={address}"), "sh", "-c", script]).ok();
}

#[test]
fn what_is_no_image_can_be_kept_and_not_run() {
    let daemon = Daemon::bare(&[]);
    let registry = Registry::start(daemon.pid());
    push_chart(&daemon, &registry.address);
    let name = format!("{}/team/chart:1", registry.address);
    for client in ["docker", "skiff"] {
        let ran = |words: &[&str]| run(&mut daemon.command(client, words), b"");
        ran(&["pull", &name]).ok();
        assert!(ran(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().lines().any(|line| line == name));
        ran(&["run", "--rm", &name]).fails(125, "it is no image but an artifact of the type application/vnd.cncf.helm");
        ran(&["push", &name]).ok();
        ran(&["rmi", &name]).ok();
    }
    let seen = daemon.skiff(&["manifest", "inspect", &name]);
    assert!(seen.ok().contains("vnd.cncf.helm.config"), "{seen}");
    assert!(daemon.skiff(&["system", "check"]).ok().contains("All is well"));
    drop(registry);
    daemon.finish();
}
