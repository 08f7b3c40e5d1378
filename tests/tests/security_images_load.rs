//! Hostile images, given to a running engine: each is refused with a sentence or does no harm, and the engine goes on.
//!
//! One test for each cause that has broken other engines; the numbers are those of the published reports. What hostile
//! registries say is tested in chapter 6 (`tests/store/stranger.rs`), what hostile layers hold in chapter 3.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use skiff_tests::{Daemon, Ran, run};

/// An archive of these files, loaded.
fn load(daemon: &Daemon, files: &[(&str, &[u8])]) -> Ran {
    let place = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = place.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let archive = place.path().with_extension("tar");
    tar(place.path(), &archive, &[]);
    let loaded = daemon.skiff(&["load", "-i", &archive.display().to_string()]);
    fs::remove_file(archive).unwrap();
    loaded
}

fn tar(directory: &Path, archive: &Path, more: &[&str]) {
    let mut command = Command::new("tar");
    command.arg("-C").arg(directory).arg("-cf").arg(archive).args(more).arg(".");
    assert!(command.status().unwrap().success());
}

/// A tar archive with one empty file: a layer.
fn layer() -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "").unwrap();
    let archive = place.path().with_extension("tar");
    tar(place.path(), &archive, &[]);
    let bytes = fs::read(&archive).unwrap();
    fs::remove_file(archive).unwrap();
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, bytes).unwrap();
    let ran = run(Command::new("sha256sum").arg(file), b"");
    format!("sha256:{}", ran.ok().split(' ').next().unwrap())
}

fn config(layer: &[u8], more: &Value) -> Value {
    let mut config = json!({ "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [sha256(layer)] } });
    config["config"] = more.clone();
    config
}

fn saved(config: &str, name: &str, layer: &str) -> Vec<u8> {
    json!([{ "Config": config, "RepoTags": [name], "Layers": [layer] }]).to_string().into_bytes()
}

/// CVE-2014-9358: what an archive calls an image is never a path on this machine.
#[test]
fn names_in_an_archive_are_no_paths() {
    let daemon = Daemon::bare(&[]);
    let layer = layer();
    let secret = daemon.directory().join("secret");
    fs::write(&secret, config(&layer, &json!({})).to_string()).unwrap();
    for path in [secret.display().to_string(), format!("../../../../../..{}", secret.display())] {
        let loaded = load(&daemon, &[("manifest.json", &saved(&path, "evil:1", "layer.tar")), ("layer.tar", &layer)]);
        loaded.fails(1, "is missing");
        let own = config(&layer, &json!({})).to_string();
        let files = [("manifest.json", &saved("c.json", "evil:1", &path)[..]), ("c.json", own.as_bytes())];
        load(&daemon, &files).fails(1, "is missing");
    }
    for name in ["../../evil:1", "evil:../x", "EVIL", "a/../b"] {
        let own = config(&layer, &json!({})).to_string();
        let list = saved("c.json", name, "layer.tar");
        let files = [("manifest.json", &list[..]), ("c.json", own.as_bytes()), ("layer.tar", &layer)];
        load(&daemon, &files).fails(1, "invalid reference format");
    }
    assert_eq!(daemon.skiff(&["images", "-q"]).ok().lines().count(), 1, "only our own image is there");
    daemon.finish();
}

/// CVE-2014-6408, CVE-2026-53488: an image says what to run, and nothing of what it may do.
#[test]
fn an_image_gives_itself_no_rights() {
    let daemon = Daemon::bare(&[]);
    let layer = layer();
    let wish = json!({ "Cmd": ["/x"], "HostConfig": { "Privileged": true }, "Privileged": true, "CapAdd": ["ALL"],
        "SecurityOpt": ["seccomp=unconfined"], "Binds": ["/:/host"], "Labels": { "a": "b" } });
    let own = config(&layer, &wish).to_string();
    let list = saved("c.json", "evil:1", "layer.tar");
    load(&daemon, &[("manifest.json", &list), ("c.json", own.as_bytes()), ("layer.tar", &layer)]).ok();
    let id = daemon.skiff(&["create", "--network", "none", "evil:1"]).ok().to_owned();
    let wanted = "{{.HostConfig.Privileged}} {{.HostConfig.CapAdd}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Binds}}";
    let seen = daemon.docker(&["inspect", "--format", wanted, &id]);
    assert_eq!(seen.ok(), "false [] [] []");
    daemon.skiff(&["rm", &id]).ok();
    daemon.finish();
}

/// CVE-2021-21285, CVE-2021-41190, CVE-2024-3727: no document makes the engine panic, and none means two things.
#[test]
fn documents_that_make_no_sense() {
    let daemon = Daemon::bare(&[]);
    let layer = layer();
    let own = config(&layer, &json!({})).to_string();
    let digest = sha256(own.as_bytes());
    let descriptor = |digest: &str| json!({ "mediaType": "x", "digest": digest, "size": 1 });
    let manifest =
        json!({ "schemaVersion": 2, "config": descriptor(&digest), "layers": [descriptor(&sha256(&layer))] });
    let both = json!({ "schemaVersion": 2, "config": descriptor(&digest), "layers": [], "manifests": [] });
    let path = json!({ "schemaVersion": 2, "manifests": [descriptor("sha256:../../../../etc/passwd")] });
    let documents = [
        json!(null),
        json!([]),
        json!({}),
        json!(7),
        json!({ "schemaVersion": 1, "fsLayers": [], "signatures": [] }),
        json!({ "schemaVersion": 2, "manifests": 7 }),
        json!({ "schemaVersion": 2, "manifests": [{}] }),
        json!({ "schemaVersion": 2, "manifests": [descriptor(&format!("sha256:{}", "0".repeat(64)))] }),
        both,
        path,
        manifest,
    ];
    for document in &documents {
        let text = document.to_string();
        let loaded = load(&daemon, &[("index.json", text.as_bytes()), ("c.json", own.as_bytes()), ("l", &layer)]);
        assert_eq!(loaded.code, 1, "{text}: {loaded}");
        let list = load(&daemon, &[("manifest.json", text.as_bytes()), ("c.json", own.as_bytes()), ("l", &layer)]);
        assert!(list.code == 1 || text == "[]", "{text}: {list}");
    }
    // Nesting beyond all measure (a parser that recurses falls off its stack), and more than is read of any document.
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    load(&daemon, &[("manifest.json", &deep)]).fails(1, "malformed");
    load(&daemon, &[("manifest.json", &b" ".repeat(5 << 20))]).fails(1, "more than 4194304 bytes");
    let long = saved("c.json", "evil:1", "l");
    load(&daemon, &[("manifest.json", &long), ("c.json", &b" ".repeat(9 << 20)), ("l", &layer)])
        .fails(1, "more than 8388608 bytes");
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    assert!(daemon.skiff(&["system", "check"]).ok().contains("All is well"));
    daemon.finish();
}

/// CVE-2017-14992: a layer that is nearly nothing on the way and a lot when it is here takes disk and no memory.
#[test]
fn a_layer_of_zeros_takes_no_memory() {
    let daemon = Daemon::bare(&[]);
    let place = tempfile::tempdir().unwrap();
    let file = fs::File::create(place.path().join("zeros")).unwrap();
    file.set_len(128 << 20).unwrap();
    let archive = place.path().with_extension("tar.gz");
    tar(place.path(), &archive, &["--gzip"]);
    let archive = archive.display().to_string();
    daemon.skiff(&["import", &archive, "zeros:1"]).ok();
    fs::remove_file(&archive).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 64 << 10, "the engine has had {kilobytes} kB in memory");
    daemon.finish();
}
