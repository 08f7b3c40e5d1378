//! An engine that is killed while networks are made, connected, disconnected and removed: afterwards records and kernel agree.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use skiff_tests::Daemon;

use crate::bench::{eventually, sleeper};

/// What clients do meanwhile, again and again.
const WORK: &str = "while :; do \
    $docker network create --subnet 10.95.1.0/24 brief; \
    $docker network connect brief one; \
    $docker network connect other two; \
    $docker run -d --name guest --network brief -p 8090:80 busybox sleep 3600; \
    $docker network disconnect brief one; \
    $docker network disconnect other two; \
    $docker rm -f guest; \
    $docker network rm brief; \
    done >/dev/null 2>&1";

/// Interfaces of a container by what the engine says, and by what the kernel says.
fn interfaces(daemon: &Daemon, name: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    let said = daemon.docker(&["inspect", "-f", format, name]).ok().split_whitespace().map(str::to_owned).collect();
    let shown = daemon.docker(&["exec", name, "ip", "-4", "-o", "addr"]);
    let address = |line: &str| line.split_whitespace().nth(3)?.split('/').next().map(str::to_owned);
    let shown = shown.ok().lines().filter_map(address).filter(|address| !address.starts_with("127.")).collect();
    (said, shown)
}

#[test]
fn records_and_kernel_agree_after_a_kill() {
    let rounds: u64 = if std::env::var_os("SKIFF_SOAK").is_some() { 50 } else { 6 };
    let mut daemon = Daemon::start();
    daemon.docker(&["network", "create", "--subnet", "10.95.0.0/24", "home"]).ok();
    daemon.docker(&["network", "create", "--subnet", "10.95.2.0/24", "other"]).ok();
    sleeper(&daemon, "one", &["--network", "home"]);
    sleeper(&daemon, "two", &["--network", "home"]);
    for round in 0..rounds {
        let docker = format!("docker -H unix://{}", daemon.socket().display());
        let mut work = daemon.command("docker", &[]);
        work = {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", WORK]).env("docker", docker);
            work.get_envs().for_each(|(key, value)| {
                if let Some(value) = value {
                    shell.env(key, value);
                }
            });
            shell
        };
        let mut client = work.stdin(Stdio::null()).spawn().expect("a shell");
        // Somewhere in the first rounds of the work.
        std::thread::sleep(Duration::from_millis(100 + round * 137 % 700));
        daemon.crash();
        client.kill().expect("kill");
        client.wait().expect("wait");
        daemon.restart();
        // A client that was in the middle of something may still come through.
        for name in ["one", "two"] {
            let mut last = None;
            eventually(&format!("{name} has the interfaces that its record says"), || {
                let (said, shown) = interfaces(&daemon, name);
                let same = said == shown;
                last = Some((said, shown));
                same
            });
            assert!(last.is_some_and(|(said, _)| said.iter().any(|address| address.starts_with("10.95.0."))));
        }
        daemon.docker(&["rm", "-f", "guest"]);
        for (network, container) in [("brief", "one"), ("other", "two")] {
            daemon.docker(&["network", "disconnect", network, container]);
        }
        daemon.docker(&["network", "rm", "brief"]);
        // No address, port, link or rule is lost or left: all of it can be had again.
        let again = ["run", "--rm", "--network", "other", "--ip", "10.95.2.2", "-p", "8090:80", "busybox", "true"];
        daemon.docker(&again).ok();
        assert_eq!(daemon.docker(&["network", "ls", "-q", "-f", "type=custom"]).ok().lines().count(), 2);
        eventually("no bridge and no pair is left of what was removed", || {
            let links = daemon.on_host(&["ip", "-br", "link"]);
            let count = |prefix: &str| links.stdout.lines().filter(|line| line.starts_with(prefix)).count();
            count("br-") <= 2 && count("veth") == 2 && count("dead") == 0
        });
        let rules = daemon.on_host(&["nft", "list", "ruleset"]);
        assert!(!rules.ok().contains("8090") && !rules.stdout.contains("10.95.1."), "{rules}");
    }
    daemon.docker(&["rm", "-f", "one", "two"]).ok();
    daemon.docker(&["network", "rm", "home", "other"]).ok();
    daemon.finish();
}
