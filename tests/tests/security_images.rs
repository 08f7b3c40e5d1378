//! Hostile archives on their way into a running engine: what they hold is nobody's program, and who sends them cannot hold
//! anybody up. Each test names the report in which another engine fell.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use skiff_tests::{Daemon, busybox_tar, run};

/// CVE-2014-9357, CVE-2026-41567: the program that decompresses was found by its name, in the image, and run with the engine's
/// rights. Here nothing of the image is run: its `xz`, `gzip` and all others leave a mark, and there is none.
#[test]
fn no_program_of_the_image_decompresses() {
    let daemon = Daemon::start();
    let mark = daemon.directory().join("mark");
    let trap = format!("#!/bin/sh\ntouch /mark {}\nexit 1\n", mark.display());
    let names = ["xz", "unxz", "gzip", "gunzip", "unpigz", "pigz", "zstd", "unzstd", "bzip2", "tar"];
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    for directory in ["bin", "usr/bin", "usr/local/bin"] {
        fs::create_dir_all(place.path().join("root").join(directory)).unwrap();
        for name in names {
            let file = place.path().join("root").join(directory).join(name);
            fs::write(&file, &trap).unwrap();
            run(Command::new("chmod").arg("755").arg(&file), b"").ok();
        }
    }
    fs::write(place.path().join("root/content"), "content").unwrap();
    for (name, flag) in [("gz", "--gzip"), ("xz", "--xz"), ("zst", "--zstd")] {
        let archive = path(name);
        run(Command::new("tar").args(["-C", &path("root"), flag, "-cf", &archive, "."]), b"").ok();
    }
    daemon.skiff(&["import", &path("gz"), "trap:1"]).ok();
    daemon.skiff(&["create", "--name", "trap", "--network", "none", "trap:1", "x"]).ok();
    for kind in ["gz", "xz", "zst"] {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-X", "PUT", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary"]);
        curl.arg(format!("@{}", path(kind))).arg("--unix-socket").arg(daemon.socket());
        let status = run(curl.arg("http://d/containers/trap/archive?path=/"), b"");
        // What we cannot read ourselves is refused, not given to somebody else.
        assert!(if kind == "xz" { status.ok() == "400" } else { status.ok() == "200" }, "{kind}: {status}");
        let loaded = daemon.skiff(&["load", "-i", &path(kind)]);
        assert_eq!(loaded.code, 1, "{loaded}");
    }
    let changed = daemon.docker(&["diff", "trap"]);
    assert!(!changed.ok().contains("/mark") && !mark.exists(), "a program of the image was run: {changed}");
    daemon.skiff(&["rm", "trap"]).ok();
    daemon.finish();
}

/// CVE-2021-20291: while a layer was read, its lock was held; one that never came to its end stopped the engine.
#[test]
fn an_archive_that_never_ends_holds_nobody_up() {
    let daemon = Daemon::start();
    let tar = fs::read(busybox_tar()).unwrap();
    let begin = |path: &str| {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: d\r\nContent-Length: {}\r\n\r\n", tar.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(tar.get(..tar.len() / 2).unwrap()).unwrap();
        stream
    };
    // More than there are threads for any one thing.
    let stuck: Vec<UnixStream> = (0..40)
        .map(|number| match number % 2 {
            0 => begin("/images/load"),
            _ => begin(&format!("/images/create?fromSrc=-&repo=stuck&tag={number}")),
        })
        .collect();
    daemon.skiff(&["import", &busybox_tar().display().to_string(), "other:1"]).ok();
    daemon.docker(&["tag", "other:1", "other:2"]).ok();
    assert_eq!(daemon.docker(&["run", "--rm", "--network", "none", "busybox", "echo", "on"]).ok(), "on");
    daemon.docker(&["rmi", "other:1", "other:2"]).ok();
    daemon.skiff(&["image", "prune", "--force"]).ok();
    for mut stream in stuck {
        stream.shutdown(Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        let _answer = stream.read_to_end(&mut Vec::new());
    }
    // Who hung up in the middle has left nothing behind.
    let unfinished = daemon.directory().join("data/images/unfinished");
    let end = Instant::now() + Duration::from_mins(1);
    while fs::read_dir(&unfinished).unwrap().count() > 0 {
        assert!(Instant::now() < end, "halves of archives are left");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!daemon.docker(&["images"]).ok().contains("stuck"));
    assert!(daemon.skiff(&["system", "check"]).ok().contains("All is well"));
    daemon.finish();
}
