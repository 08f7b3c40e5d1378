//! The chapter's program: a container with an address, on the real kernel, as root, in a network namespace of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A root file system of busybox alone.
fn rootfs() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["bin", "dev", "proc", "sys", "tmp", "etc"] {
        fs::create_dir(root.path().join(directory)).unwrap();
    }
    fs::copy("/bin/busybox", root.path().join("bin/busybox")).expect("the package busybox-static is installed");
    for name in ["sh", "cat", "ip", "ping", "nc", "hostname", "ls", "echo"] {
        symlink("busybox", root.path().join("bin").join(name)).unwrap();
    }
    root
}

/// A shell in a namespace that plays the host. `$network` is the program, `$root` a root file system.
fn host(root: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-ec", &format!("ip link set lo up\n{script}")]);
    command.env("network", env!("CARGO_BIN_EXE_network")).env("root", root);
    command
}

fn output(root: &Path, script: &str) -> Output {
    host(root, script).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_container_has_an_address_a_way_out_and_a_name() {
    let root = rootfs();
    let output = output(
        root.path(),
        "$network run $root sh -c 'ip address show eth0; ip route; ping -c1 -w3 172.17.0.1; cat /etc/hosts /etc/resolv.conf; ping -c1 -w3 $(hostname)'
        $network run --network none $root sh -c 'ls /sys/class/net'
        $network clean
        ip -brief link",
    );
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for wanted in
        ["inet 172.17.", "default via 172.17.0.1", "172.17.0.1 ping statistics", "network-", "localhost", "nameserver "]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert_eq!(said.matches(" 0% packet loss").count(), 2, "{said}");
    let (_, after) = said.rsplit_once("nameserver ").unwrap();
    assert_eq!(after.matches("eth0").count(), 0, "{said}");
    assert_eq!(after.matches("skiff").count() + after.matches("veth").count(), 0, "{said}");
}

#[test]
fn the_host_reaches_a_published_port() {
    let root = rootfs();
    let script = "$network run -p 127.0.0.1:8080:80 $root sh -c 'echo ready; nc -l -p 80 -e echo hello'";
    let fetch = "for try in 1 2 3 4 5 6 7 8 9; do busybox nc -w 1 127.0.0.1 8080 </dev/null && break; busybox usleep 100000; done";
    let script = format!("{script} & \n {fetch}; wait");
    let mut child = host(root.path(), &script).stdout(Stdio::piped()).spawn().unwrap();
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    assert!(child.wait().unwrap().success());
    assert!(lines.contains(&"hello".to_owned()), "{lines:?}");
}

#[test]
fn a_port_that_is_taken_is_refused_before_anything_is_made() {
    let root = rootfs();
    let output = output(
        root.path(),
        "busybox nc -l -p 8080 & busybox usleep 200000
        $network run -p 8080:80 $root ls || echo status $?
        kill $!; ip -brief link",
    );
    let said = said(&output);
    let wanted =
        "network: cannot publish 0.0.0.0:8080->80/tcp: Bind for 0.0.0.0:8080 failed: port is already allocated";
    assert!(said.contains(wanted), "{said}");
    assert!(said.contains("A program of the host has it") && said.contains("status 125"), "{said}");
    assert!(!said.contains("skiff-ch4"), "{said}");
}

#[test]
fn explain_makes_nothing() {
    let root = rootfs();
    let output = output(root.path(), "$network explain -p 8080:80; echo links; ip -brief link");
    let said = said(&output);
    let (said, links) = said.split_once("links\n").unwrap();
    assert!(said.contains("nft add element inet skiff-ch4 ports { tcp . 8080 : 172.17."), "{said}");
    assert!(said.contains("ip route replace default via 172.17.0.1"), "{said}");
    assert_eq!(links.lines().count(), 1, "a loopback and nothing else: {links}");
}
