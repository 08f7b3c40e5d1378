//! A container's files from outside, with the real `docker` client and with `skiff`: cp both ways, diff, export, commit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use skiff_tests::{Daemon, run};

/// `tar t` of what a command of docker printed.
fn names(daemon: &Daemon, arguments: &[&str]) -> String {
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let socket = daemon.socket();
    let line = format!("docker -H unix://{} {} | tar t", socket.display(), words.join(" "));
    run(std::process::Command::new("sh").args(["-c", &line]), b"").ok().to_owned()
}

#[test]
fn what_a_path_names() {
    let daemon = Daemon::start();
    let make = "mkdir -p /bar/root/bar/quux && cd /bar/root && echo hello > foo && echo world > bar/quux/baz && \
                ln -s quux/baz bar/filesymlink && ln -s quux bar/dirsymlink && ln -s nowhere bar/notarget";
    daemon.docker(&["run", "--name", "source", "busybox", "sh", "-c", make]).ok();
    // moby's own table (integration/container/copy_test.go), here below /bar/root.
    let below = |top: &str| {
        ["", "bar/", "bar/dirsymlink", "bar/filesymlink", "bar/notarget", "bar/quux/", "bar/quux/baz", "foo"]
            .map(|name| format!("{top}{name}"))
            .join("\n")
    };
    let cases = [
        ("/bar/root", below("root/")),
        ("/bar/root/", below("root/")),
        ("/bar/root/.", below("./")),
        ("bar/root/bar/quux", "quux/\nquux/baz".to_owned()),
        ("bar/root/bar/quux/.", "./\n./baz".to_owned()),
        ("/bar/root/bar/quux/baz", "baz".to_owned()),
        ("/bar/root/bar/filesymlink", "filesymlink".to_owned()),
        ("/bar/root/bar/dirsymlink", "dirsymlink".to_owned()),
        ("/bar/root/bar/dirsymlink/", "dirsymlink/\ndirsymlink/baz".to_owned()),
        ("/bar/root/bar/dirsymlink/.", "./\n./baz".to_owned()),
        ("/bar/root/bar/notarget", "notarget".to_owned()),
    ];
    for (path, expected) in cases {
        assert_eq!(names(&daemon, &["cp", &format!("source:{path}"), "-"]), expected, "{path}");
    }
    for (path, words) in
        [("/dne", "Could not find the file /dne in container source"), ("/etc/passwd/", "not a directory")]
    {
        daemon.docker(&["cp", &format!("source:{path}"), "-"]).fails(1, words);
    }
    daemon.docker(&["rm", "source"]).ok();
    daemon.finish();
}

#[test]
fn into_a_container_that_runs_and_one_that_does_not() {
    let daemon = Daemon::start();
    let here = daemon.directory().join("here");
    fs::create_dir_all(here.join("tree/sub")).unwrap();
    fs::write(here.join("tree/file"), "content").unwrap();
    symlink("file", here.join("tree/link")).unwrap();
    let local = |path: &str| here.join(path).display().to_string();
    daemon
        .docker(&["create", "--name", "still", "-v", "data:/data", "busybox", "cat", "/tmp/new/file", "/data/file"])
        .ok();
    daemon
        .docker(&["run", "-d", "--name", "moving", "-v", "data:/data", "--tmpfs", "/memory", "busybox", "sleep", "600"])
        .ok();
    for (name, client, top) in [
        ("still", "docker", "/tmp"),
        ("still", "skiff", "/root"),
        ("moving", "docker", "/tmp"),
        ("moving", "skiff", "/root"),
    ] {
        let cp = |arguments: &[&str]| run(&mut daemon.command(client, &[&["cp"], arguments].concat()), b"");
        let at = |path: &str| format!("{name}:{top}{path}");
        cp(&[&local("tree"), &at("/new")]).ok();
        cp(&[&local("tree/file"), &format!("{name}:/data")]).ok();
        // A directory that exists gets the tree inside it, or with a dot its contents.
        cp(&[&local("tree"), &at("/new")]).ok();
        cp(&[&format!("{}/.", local("tree")), &at("/new/sub")]).ok();
        let expected = "new/\nnew/file\nnew/link\nnew/sub/\nnew/sub/file\nnew/sub/link\nnew/sub/sub/\nnew/tree/\n\
                        new/tree/file\nnew/tree/link\nnew/tree/sub/";
        assert_eq!(names(&daemon, &["cp", &at("/new"), "-"]), expected, "{name} {client}");
        cp(&[&at("/new/link"), &local("copied")]).ok();
        assert_eq!(fs::read_link(here.join("copied")).unwrap().to_str(), Some("file"));
        cp(&["-L", &at("/new/link"), &local("followed")]).ok();
        assert_eq!(fs::read_to_string(here.join("followed")).unwrap(), "content");
        cp(&[&at("/new"), &local("whole")]).ok();
        cp(&[&at("/new/tree/."), &local("whole/tree/sub")]).ok();
        assert_eq!(fs::read_to_string(here.join("whole/tree/sub/file")).unwrap(), "content");
        fs::remove_file(here.join("copied")).unwrap();
        fs::remove_dir_all(here.join("whole")).unwrap();
        cp(&[&local("tree/sub"), &at("/new/file")]).fails(1, "cannot copy directory");
        cp(&[&local("tree/file"), &at("/missing/")]).fails(1, "no such directory");
        cp(&[&at("/dne"), &local("x")]).fails(1, &format!("Could not find the file {top}/dne in container {name}"));
    }
    // Memory is seen as well while there is any.
    daemon.docker(&["cp", &local("tree/file"), "moving:/memory/"]).ok();
    assert_eq!(daemon.docker(&["exec", "moving", "cat", "/memory/file"]).ok(), "content");
    assert_eq!(daemon.docker(&["start", "-a", "still"]).ok(), "contentcontent");
    daemon.docker(&["rm", "-f", "still", "moving"]).ok();
    daemon.docker(&["volume", "rm", "data"]).ok();
    daemon.finish();
}

#[test]
fn read_only_places_and_owners() {
    let daemon = Daemon::start();
    let file = daemon.directory().join("file");
    fs::write(&file, "x").unwrap();
    std::os::unix::fs::chown(&file, Some(12), Some(34)).unwrap();
    let file = file.display().to_string();
    let create = ["create", "--name", "fixed", "--read-only", "-u", "1000:50", "-v", "data:/data", "-v", "data:/ro:ro"];
    daemon.docker(&[&create[..], &["busybox", "ls", "-ln", "/data"]].concat()).ok();
    daemon.docker(&["cp", &file, "fixed:/etc/"]).fails(1, "container rootfs is marked read-only");
    daemon.docker(&["cp", &file, "fixed:/ro/"]).fails(1, "mounted volume is marked read-only");
    daemon.docker(&["cp", &file, "fixed:/data/plain"]).ok();
    daemon.docker(&["cp", "-a", &file, "fixed:/data/users"]).ok();
    let listed = daemon.docker(&["start", "-a", "fixed"]);
    let owners: Vec<_> = listed
        .ok()
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().skip(2).take(2).collect::<Vec<_>>().join(":"))
        .collect();
    assert_eq!(owners, ["12:34", "1000:50"], "{listed}");
    let back = daemon.directory().join("back");
    // docker's own client says that it keeps owners with -a, and does not (moby: `CopyTo` has `NoLchown`).
    daemon.skiff(&["cp", "-a", "fixed:/data/plain", &back.display().to_string()]).ok();
    let back = fs::metadata(back).unwrap();
    assert_eq!((back.uid(), back.gid()), (12, 34));
    daemon.docker(&["rm", "fixed"]).ok();
    daemon.docker(&["volume", "rm", "data"]).ok();
    daemon.finish();
}

#[test]
fn diff_export_and_commit() {
    let daemon = Daemon::start();
    daemon.docker(&["run", "-d", "--name", "work", "-v", "data:/data", "busybox", "sleep", "600"]).ok();
    assert_eq!(
        daemon.docker(&["diff", "work"]).ok(),
        "A /data",
        "what the engine mounts is no change of the container"
    );
    let change = "echo hi > /etc/motd; rm /bin/vi; echo in the volume > /data/x; mkfifo /pipe; ln /etc/motd /etc/same";
    daemon.docker(&["exec", "work", "sh", "-c", change]).ok();
    let changes = "C /bin\nD /bin/vi\nA /data\nC /etc\nA /etc/motd\nA /etc/same\nA /pipe";
    for diff in [daemon.docker(&["diff", "work"]), daemon.skiff(&["diff", "work"])] {
        assert_eq!(diff.ok(), changes);
    }
    let exported = names(&daemon, &["export", "work"]);
    let has = |name: &str| exported.lines().any(|line| line == name);
    assert!(has("etc/motd") && has("pipe") && has("data/") && has("etc/hosts"), "{exported}");
    assert!(!has("bin/vi") && !has("data/x") && !exported.contains("proc/self"), "{exported}");
    let instructions = ["--change", "CMD [\"cat\", \"/etc/same\"]", "--change", "ENV A=b"];
    let commit = [&["commit", "-a", "me", "-m", "why"][..], &instructions, &["work", "made:one"]].concat();
    let id = daemon.docker(&commit);
    assert!(id.ok().starts_with("sha256:"), "{id}");
    assert_eq!(daemon.docker(&["run", "--rm", "made:one"]).ok(), "hi");
    let list =
        daemon.docker(&["run", "--rm", "made:one", "sh", "-c", "echo $A; ls /data /bin/vi; stat -c %h /etc/motd"]);
    assert_eq!(list.stdout, "b\n/data:\n2\n", "{list}");
    assert_eq!(
        daemon.docker(&["history", "--format", "{{.CreatedBy}}|{{.Comment}}", "made:one"]).ok().lines().next(),
        Some("sleep 600|why")
    );
    assert_eq!(daemon.docker(&["inspect", "-f", "{{.Author}} {{len .RootFS.Layers}}", "made:one"]).ok(), "me 2");
    // The container goes on, and so does what is made of the image that was made of it.
    assert_eq!(daemon.docker(&["inspect", "-f", "{{.State.Status}}", "work"]).ok(), "running");
    daemon.docker(&["run", "--name", "again", "made:one", "rm", "-r", "/etc/motd", "/pipe"]).ok();
    daemon.skiff(&["commit", "again", "made:two"]).ok();
    assert_eq!(
        daemon.docker(&["run", "--rm", "made:two", "ls", "/etc/motd", "/etc/same", "/pipe"]).stdout,
        "/etc/same\n"
    );
    daemon.docker(&["rm", "-f", "work", "again"]).ok();
    daemon.docker(&["volume", "rm", "data"]).ok();
    daemon.finish();
}
