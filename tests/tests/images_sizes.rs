//! What images take: what `images`, `inspect`, `history` and `system df` say of them, and what `du` finds on the disk. A size is
//! the bytes of the files, each counted once however many names it has; directories are the file system's business.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use skiff_tests::{Daemon, debian_tar, run};

/// Bytes of the files below a directory, as du(1) counts them.
fn du(directory: &Path) -> i64 {
    let script = "find \"$1\" ! -type d -print0 | du --files0-from=- --bytes --total | tail -1 | cut -f1";
    run(Command::new("sh").args(["-c", script, "sh"]).arg(directory), b"").ok().parse().unwrap()
}

fn within_one_percent(told: i64, found: i64, of: &str) {
    assert!((told - found).abs() * 100 <= found, "{of}: told {told}, found {found}");
}

fn numbers(text: &str) -> Vec<i64> {
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn sizes_are_what_du_finds() {
    let daemon = Daemon::start();
    daemon.skiff(&["import", &debian_tar().display().to_string(), "debian:latest"]).ok();
    let write = "dd if=/dev/urandom of=/big bs=1024 count=3000 2>/dev/null && ln /big /again && dd if=/dev/zero of=/more bs=1024 count=500";
    daemon.docker(&["run", "--name", "step", "--network", "none", "busybox", "sh", "-c", write]).ok();
    daemon.docker(&["commit", "step", "child:1"]).ok();
    daemon.docker(&["rm", "step"]).ok();

    let layers = daemon.directory().join("data/layers");
    let of_layers = |name: &str| -> Vec<i64> {
        let directories = daemon.docker(&[
            "inspect",
            "--format",
            "{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}",
            name,
        ]);
        directories.ok().split(':').filter(|path| path.starts_with('/')).map(|path| du(Path::new(path))).collect()
    };
    for (name, count) in [("busybox", 1), ("debian", 1), ("child:1", 2)] {
        let told: i64 = daemon.docker(&["inspect", "--format", "{{.Size}}", name]).ok().parse().unwrap();
        let found = of_layers(name);
        assert_eq!(found.len(), count);
        within_one_percent(told, found.iter().sum(), name);
        let history = daemon.docker(&["history", "--human=false", "--format", "{{.Size}}", name]);
        assert_eq!(numbers(history.ok()).iter().sum::<i64>(), told, "{name}: its steps and the whole");
    }
    let child = of_layers("child:1");
    within_one_percent(child[0], 3500 * 1024, "what the container wrote");

    // Shared layers are on the disk once, and so they are counted.
    let mut curl = Command::new("curl");
    curl.args(["-s", "--unix-socket"]).arg(daemon.socket()).arg("http://d/system/df?type=image");
    let df: Value = serde_json::from_str(run(&mut curl, b"").ok()).unwrap();
    within_one_percent(df["LayersSize"].as_i64().unwrap(), du(&layers), "all layers");
    let image =
        |name: &str| df["Images"].as_array().unwrap().iter().find(|image| image["RepoTags"][0] == name).unwrap();
    let size = |name: &str, which: &str| image(name)[which].as_i64().unwrap();
    assert_eq!(size("busybox:latest", "SharedSize"), size("busybox:latest", "Size"));
    assert_eq!(size("child:1", "SharedSize"), size("busybox:latest", "Size"));
    assert_eq!(size("debian:latest", "SharedSize"), 0);
    daemon.finish();
}
