//! The chapter's program: the launch wants a process with one thread, so it is run as one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A directory with busybox in it: the lowest layer.
fn busybox(at: &Path) {
    for directory in ["bin", "proc", "sys", "dev", "etc", "tmp"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    fs::copy("/bin/busybox", at.join("bin/busybox")).expect("this test needs the Debian package busybox-static");
    for applet in ["sh", "cat", "rm", "ls", "readlink"] {
        symlink("busybox", at.join("bin").join(applet)).unwrap();
    }
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unionfs"));
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_container_on_layers() {
    let place = tempfile::tempdir().unwrap();
    let (base, top) = (place.path().join("base"), place.path().join("top"));
    busybox(&base);
    fs::create_dir_all(top.join("etc")).unwrap();
    fs::write(top.join("etc/motd"), "from the top layer\n").unwrap();
    let [base, top] = [&base, &top].map(|layer| layer.to_str().unwrap());
    let script = "cat /etc/motd; rm /bin/readlink; echo new > /etc/new; exit 7";
    let output = run(&["run", "--lower", top, "--lower", base, "--changes", "sh", "-c", script], b"");
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "from the top layer\nC /bin\nD /bin/readlink\nC /etc\nA /etc/new\n");
    assert!(Path::new(base).join("bin/readlink").is_symlink(), "a lower layer was written to");
    assert_eq!(super::overlay::host_mounts(place.path()), [""; 0], "the machine's mount table has changed");
    let output = run(&["run", "--lower", top, "--lower", "/no/such/layer", "sh"], b"");
    assert_eq!(output.status.code(), Some(125));
    insta::assert_snapshot!(text(&output.stderr), @"unionfs: cannot open the layer /no/such/layer: No such file or directory");
}

#[test]
fn a_layer_is_unpacked() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("layer");
    let layer = super::archives::archive(&[super::archives::file("a", "12345")]);
    let output = run(&["unpack", "-", directory.to_str().unwrap()], &layer);
    assert_eq!(text(&output.stdout), "1 members, 5 bytes\n", "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(directory.join("a")).unwrap(), "12345");
    let output = run(&["unpack", "-", place.path().join("other").to_str().unwrap()], b"no archive");
    assert_eq!(output.status.code(), Some(125));
    insta::assert_snapshot!(text(&output.stderr), @"unionfs: cannot read the archive: it ends in the middle; it was cut off");
}
