//! Command lines and the requests they become. Both sides are in one snapshot, which reads as a table.

use std::fmt::Write as _;

use clap::FromArgMatches as _;

use super::Options;
use crate::error::Result;
use crate::tree::{define, define_with_values};

/// Understands the words of one line; double quotes keep a word together.
fn parse(line: &str) -> Result<Options, clap::Error> {
    let words = line.split('"').enumerate().flat_map(|(place, part)| {
        // Every second part is between quotes.
        if place % 2 == 1 { vec![part] } else { part.split_whitespace().collect() }
    });
    let command = clap::Command::new("run");
    let command =
        if line.contains("=false") { define_with_values::<Options>(command) } else { define::<Options>(command) };
    let matches = command.try_get_matches_from(std::iter::once("run").chain(words))?;
    Options::from_arg_matches(&matches)
}

fn look_up(name: &str) -> Option<String> {
    (name == "HOME").then(|| "/root".to_owned())
}

/// The request without what is the same in all of them.
fn request(line: &str) -> String {
    let body = parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).body(false, &look_up).unwrap();
    let mut value = serde_json::to_value(body).unwrap();
    let map = value.as_object_mut().unwrap();
    let usual = [
        ("AttachStderr", true),
        ("AttachStdout", true),
        ("AttachStdin", false),
        ("OpenStdin", false),
        ("StdinOnce", false),
        ("Tty", false),
    ];
    for (name, usual) in usual {
        if map[name] == usual {
            map.remove(name);
        }
    }
    map.remove("Image");
    let host = map["HostConfig"].as_object_mut().unwrap();
    if host["NetworkMode"] == "default" {
        host.remove("NetworkMode");
    }
    if host.is_empty() {
        map.remove("HostConfig");
    }
    value.to_string()
}

#[test]
fn requests() {
    let lines = [
        "image",
        "image command --rm -x",
        "-- image",
        "-it --rm --name web image sh",
        "-i -a stdout image",
        "--rm=false -t=true --read-only image",
        "-e A=1 -e HOME -e NOT_THERE -w /work -u 1000:staff --group-add audio image",
        "--entrypoint /bin/ls image -l",
        "-h box --domainname example -l a=1 -l b --annotation c=2 --stop-signal INT --stop-timeout 5 image",
        "-m 64m --memory-swap -1 --cpus 1.5 -c 512 --cpuset-cpus 0-1 --pids-limit 100 --shm-size 128m image",
        "--ulimit nofile=1024:2048 --ulimit core=-1 --oom-score-adj 100 image",
        "--blkio-weight-device /dev/sda:200 --device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:5 image",
        "-v /host:/inside:ro -v data:/data -v /anonymous --tmpfs /scratch:size=1m --volumes-from other:ro image",
        "--mount type=bind,src=/a,dst=/b,readonly --mount type=tmpfs,target=/t,tmpfs-size=1m image",
        "--device /dev/fuse --device /dev/a:/dev/b:r --device vendor.com/gpu=0 --device-cgroup-rule \"c 1:3 rwm\" image",
        "-p 8080:80 -p 127.0.0.1::53/udp -p 9000-9001:9000-9001 -P --expose 7 image",
        "--network host image",
        "--network web --network-alias a --ip 10.0.0.5 --link db:sql image",
        "--network name=web,alias=a,gw-priority=1 --network other --mac-address 02:42:ac:11:00:02 image",
        "--dns 1.1.1.1 --dns-search example --add-host a=1.2.3.4 --add-host b:host-gateway image",
        "--privileged --cap-add net_admin --cap-drop ALL --security-opt no-new-privileges image",
        "--security-opt systempaths=unconfined --sysctl net.ipv4.ip_forward=1 --pid host --ipc container:x image",
        "--restart on-failure:3 --init --log-driver json-file --log-opt max-size=10m image",
        "--health-cmd true --health-interval 5s --health-retries 3 image",
        "--no-healthcheck image",
    ];
    let mut table = String::new();
    for line in lines {
        let _ = writeln!(table, "run {line}\n{}\n", request(line));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn refusals() {
    let lines = [
        "--restart always --rm image",
        "--restart sometimes image",
        "--cpus 1 --cpu-quota 5 image",
        "--no-healthcheck --health-cmd true image",
        "--health-interval -5s image",
        "--network host --network web image",
        "--network web --network web image",
        "--network-alias a image",
        "--network name=web,ip=10.0.0.5 --ip 10.0.0.6 image",
        "--pid other image",
        "--cgroupns other image",
        "--security-opt nonsense image",
        "--security-opt seccomp=/no/such/file image",
        "--env-file /no/such/file image",
        "--label-file /no/such/file image",
        "--log-driver none --log-opt a=b image",
        "--gpus all image",
        "--isolation hyperv image",
        "--cpu-count 2 image",
    ];
    let mut table = String::new();
    for line in lines {
        let error = parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).body(false, &look_up).unwrap_err();
        assert_eq!(error.exit, Some(125), "{line}");
        let _ = writeln!(table, "run {line}\n{}", error.report("skiff"));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_detached_container_is_attached_to_nothing() {
    let body = parse("-i image").unwrap().body(true, &look_up).unwrap();
    assert_eq!((body.attach_stdin, body.attach_stdout, body.stdin_once), (Some(false), Some(false), Some(false)));
    assert_eq!(body.open_stdin, Some(true));
}

#[test]
fn the_last_of_several_wins_and_values_may_begin_with_a_dash() {
    let options = parse("--name a --name b --entrypoint -x image").unwrap();
    assert_eq!(options.identity.name.as_deref(), Some("b"));
    assert_eq!(options.body(false, &look_up).unwrap().entrypoint.unwrap(), ["-x"]);
}
