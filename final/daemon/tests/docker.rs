//! Docker's own client against the daemon: what it prints for everything that is no container.

mod daemon;

use daemon::Daemon;

#[test]
fn version_and_info_are_complete() {
    let daemon = Daemon::start();
    let version = daemon.docker_ok(&["version"]);
    assert!(
        version.contains("Server: Skiff") && version.contains("API version:      1.51 (minimum version 1.24)"),
        "{version}"
    );
    let info = daemon.docker_ok(&["info"]);
    for line in
        ["Storage Driver: overlayfs", "Logging Driver: json-file", "Swarm: inactive", "Default Runtime: skiff-runtime"]
    {
        assert!(info.contains(line), "{line} is not in\n{info}");
    }
    assert!(!info.contains("ERROR") && !info.contains("WARNING"), "{info}");
    let roots =
        daemon.docker_ok(&["info", "--format", "{{.DockerRootDir}} {{.LiveRestoreEnabled}} {{len .Plugins.Network}}"]);
    assert_eq!(roots.trim(), format!("{} true 3", daemon.home.path().join("data").display()));
    daemon.docker_ok(&["system", "df", "-v"]);
}

#[test]
fn hello_is_always_there() {
    let daemon = Daemon::start();
    assert_eq!(daemon.docker_ok(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).trim(), "hello:latest");
    let facts = daemon.docker_ok(&[
        "image",
        "inspect",
        "hello",
        "--format",
        "{{.Config.Entrypoint}} {{.Os}}/{{.Architecture}}",
    ]);
    assert_eq!(facts.trim(), "[/probe] linux/amd64");
    daemon.docker_ok(&["history", "hello"]);
}

#[test]
fn names_come_and_go() {
    let daemon = Daemon::start();
    daemon.docker_ok(&["tag", "hello", "localhost:5000/team/greeting:v1"]);
    let names = daemon.docker_ok(&["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=*/team/*"]);
    assert_eq!(names.trim(), "localhost:5000/team/greeting:v1");
    daemon.docker_ok(&["image", "inspect", "localhost:5000/team/greeting:v1"]);
    assert_eq!(
        daemon.docker_ok(&["rmi", "localhost:5000/team/greeting:v1"]).trim(),
        "Untagged: localhost:5000/team/greeting:v1"
    );
    let (text, code) = daemon.docker(&["rmi", "nothing:here"]);
    assert!(code == 1 && text.starts_with("Error response from daemon: No such image: nothing:here\n"), "{text}");
    let (text, code) = daemon.docker(&["tag", "hello", "UPPER:case"]);
    assert_eq!(code, 1);
    assert!(text.contains("invalid reference format"), "{text}");
}

#[test]
fn images_are_saved_loaded_and_imported() {
    let daemon = Daemon::start();
    let archive = daemon.home.path().join("hello.tar");
    let archive = archive.to_str().unwrap();
    daemon.docker_ok(&["save", "-o", archive, "hello"]);
    let removed = daemon.docker_ok(&["rmi", "hello"]);
    assert!(removed.starts_with("Untagged: hello:latest\nDeleted: sha256:"), "{removed}");
    assert_eq!(daemon.docker_ok(&["load", "-i", archive]).trim(), "Loaded image: hello:latest");
    let id = daemon.docker_ok(&["import", "--change", "CMD [\"/probe\"]", archive, "bare:1"]);
    assert!(id.starts_with("sha256:"), "{id}");
    let command = daemon.docker_ok(&["image", "inspect", "bare:1", "--format", "{{.Config.Cmd}}"]);
    assert_eq!(command.trim(), "[/probe]");
}

#[test]
fn what_is_no_archive_is_refused() {
    let daemon = Daemon::start();
    let garbage = daemon.home.path().join("garbage");
    std::fs::write(&garbage, "this is no tar archive").unwrap();
    let (text, code) = daemon.docker(&["load", "-i", garbage.to_str().unwrap()]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("archive"), "{text}");
    assert_eq!(daemon.docker_ok(&["images", "-q"]).lines().count(), 1);
}

#[test]
fn volumes_live_as_docker_shows_them() {
    let daemon = Daemon::start();
    assert_eq!(daemon.docker_ok(&["volume", "create", "--label", "a=b", "data"]).trim(), "data");
    let anonymous = daemon.docker_ok(&["volume", "create"]);
    assert_eq!(anonymous.trim().len(), 64);
    let names = daemon.docker_ok(&["volume", "ls", "--filter", "label=a=b", "--format", "{{.Driver}} {{.Name}}"]);
    assert_eq!(names.trim(), "local data");
    let place =
        daemon.docker_ok(&["volume", "inspect", "data", "--format", "{{.Mountpoint}} {{.Scope}} {{.Labels.a}}"]);
    assert_eq!(place.trim(), format!("{} local b", daemon.home.path().join("data/volumes/data/_data").display()));
    assert_eq!(daemon.docker_ok(&["volume", "rm", "data"]).trim(), "data");
    let (text, code) = daemon.docker(&["volume", "rm", "data"]);
    assert_eq!((text.trim(), code), ("Error response from daemon: get data: no such volume", 1));
    let pruned = daemon.docker_ok(&["volume", "prune", "-f"]);
    assert!(pruned.contains(anonymous.trim()), "{pruned}");
}

#[test]
fn networks_live_as_docker_shows_them() {
    let daemon = Daemon::start();
    let names = |daemon: &Daemon| daemon.docker_ok(&["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]);
    let mut lines: Vec<_> = names(&daemon).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["bridge bridge local", "host host local", "none null local"]);
    assert_eq!(daemon.docker_ok(&["network", "create", "--subnet", "10.77.0.0/16", "mine"]).trim().len(), 64);
    let config = daemon.docker_ok(&["network", "inspect", "mine", "--format", "{{json .IPAM.Config}}"]);
    assert_eq!(config.trim(), r#"[{"Subnet":"10.77.0.0/16","Gateway":"10.77.0.1"}]"#);
    for (arguments, words) in [
        (vec!["network", "create", "mine"], "network with name mine already exists"),
        (
            vec!["network", "create", "--subnet", "10.77.3.0/24", "other"],
            "overlaps with other one on this address space",
        ),
        (vec!["network", "create", "-d", "macvlan", "other"], "macvlan"),
        (vec!["network", "rm", "bridge"], "bridge is a pre-defined network and cannot be removed"),
        (vec!["network", "rm", "nothing"], "network nothing not found"),
    ] {
        let (text, code) = daemon.docker(&arguments);
        assert_eq!(code, 1, "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    assert_eq!(daemon.docker_ok(&["network", "rm", "mine"]).trim(), "mine");
    assert_eq!(names(&daemon).lines().count(), 3);
}

#[test]
fn records_outlive_the_daemon() {
    let mut daemon = Daemon::start();
    daemon.docker_ok(&["volume", "create", "data"]);
    daemon.docker_ok(&["network", "create", "mine"]);
    let network = |daemon: &Daemon| daemon.docker_ok(&["network", "inspect", "mine", "bridge"]);
    let before = network(&daemon);
    daemon.restart();
    assert_eq!(network(&daemon), before);
    assert_eq!(daemon.docker_ok(&["volume", "ls", "-q"]).trim(), "data");
}

#[test]
fn events_are_seen_by_those_who_ask() {
    let daemon = Daemon::start();
    daemon.docker_ok(&["volume", "create", "data"]);
    daemon.docker_ok(&["network", "create", "mine"]);
    // The client makes whole seconds of durations, and this one is not over yet.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64().to_string();
    let seen = daemon.docker_ok(&[
        "events",
        "--since",
        "10m",
        "--until",
        &now,
        "--filter",
        "event=create",
        "--format",
        "{{.Type}} {{.Action}}",
    ]);
    assert_eq!(seen.trim(), "volume create\nnetwork create");
}
