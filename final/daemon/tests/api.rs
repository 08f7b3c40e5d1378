//! The protocol itself, as bytes on the socket: what breaks clients when it is missed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod daemon;

use std::process::Command;

use daemon::Daemon;

#[test]
fn ping_tells_the_version_with_and_without_a_body() {
    let daemon = Daemon::start();
    let answer = daemon.get("/_ping");
    assert_eq!((answer.status(), answer.body()), (200, "OK"));
    for header in ["api-version: 1.51", "ostype: linux", "docker-experimental: false", "server: skiff/"] {
        assert!(answer.head().contains(header), "{header} is not in {}", answer.head());
    }
    let head = daemon.request("HEAD /_ping", "", "");
    assert_eq!((head.status(), head.body()), (200, ""));
    assert!(head.head().contains("api-version: 1.51"));
}

#[test]
fn every_route_answers_under_a_version_and_without() {
    let daemon = Daemon::start();
    for path in ["/version", "/v1.24/version", "/v1.51/version"] {
        assert_eq!(daemon.get(path).json()["ApiVersion"], "1.51", "{path}");
    }
    let new = daemon.get("/v1.99/version");
    assert_eq!(new.status(), 400);
    assert_eq!(new.message(), "client version 1.99 is too new. Maximum supported API version is 1.51");
    assert!(daemon.get("/v1.12/version").message().starts_with("client version 1.12 is too old."));
}

#[test]
fn what_is_not_there_says_so() {
    let daemon = Daemon::start();
    for (line, status, words) in [
        ("GET /nothing/here", 404, "page not found"),
        ("DELETE /version", 404, "page not found"),
        ("GET /swarm", 503, "This node is not a swarm manager"),
        ("POST /services/create", 503, "This node is not a swarm manager"),
        ("POST /build", 501, "building images: not supported"),
        ("POST /session", 501, "not supported"),
        ("POST /auth", 400, "EOF while reading"),
        ("POST /plugins/a/b/enable", 501, "plugins: not supported"),
        ("GET /images/team/none/json", 404, "No such image: team/none"),
        ("GET /images/a/b/c/nonsense", 404, "page not found"),
        ("GET /networks/none-of-these", 404, "network none-of-these not found"),
        ("GET /volumes/none-of-these", 404, "no such volume"),
        ("GET /containers/none-of-these/json", 404, "No such container: none-of-these"),
        ("POST /containers/none-of-these/start", 404, "No such container: none-of-these"),
        ("POST /exec/none-of-these/start", 404, "No such exec instance: none-of-these"),
        ("POST /images/create", 400, "fromImage"),
        ("GET /images/json?filters=%7B", 400, "invalid filter"),
    ] {
        let answer = daemon.request(line, "", "");
        assert_eq!(answer.status(), status, "{line}: {}", answer.body());
        assert!(answer.message().contains(words), "{line}: {}", answer.message());
    }
    assert_eq!(daemon.get("/plugins").body().trim(), "[]");
}

#[test]
fn odd_clients_are_understood() {
    let daemon = Daemon::start();
    // docker-py.
    assert_eq!(daemon.get("/containers/json?limit=-1&all=0&size=0&trunc_cmd=0").body().trim(), "[]");
    // The terminal of a daemon goes away.
    Command::new("kill").args(["-HUP", &daemon.pid().to_string()]).status().unwrap();
    assert_eq!(daemon.get("/_ping").status(), 200);
}

#[test]
fn sizes_are_told_of_the_types_that_are_asked_for() {
    let daemon = Daemon::start();
    let shown = |path: &str| daemon.get(path).json();
    let volumes = shown("/system/df?type=volume&type=build-cache");
    assert!(volumes["Volumes"].is_array() && volumes["BuildCache"].is_array(), "{volumes}");
    assert!(volumes["Images"].is_null() && volumes["Containers"].is_null(), "{volumes}");
    for all in ["/system/df", "/v1.41/system/df?type=volume"] {
        let all = shown(all);
        assert!(["Volumes", "Images", "Containers"].iter().all(|name| all[name].is_array()), "{all}");
    }
    let unknown = daemon.get("/system/df?type=nonsense");
    assert_eq!(unknown.status(), 400);
    assert!(unknown.message().contains("unknown object type: nonsense"), "{}", unknown.message());
}

#[test]
fn a_bad_body_is_named_by_its_path() {
    let daemon = Daemon::start();
    let answer = daemon.post("/networks/create", r#"{"Name":"a","Internal":"yes"}"#);
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.message(), r#"invalid JSON: Internal: invalid type: string "yes", expected a boolean"#);
    assert!(daemon.post("/networks/create", "").message().contains("EOF"));
}

#[test]
fn the_past_is_told_until_now() {
    let daemon = Daemon::start();
    daemon.post("/volumes/create", r#"{"Name":"data"}"#);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let answer = daemon.get(&format!("/events?since=1&until={now}"));
    assert!(answer.head().contains("transfer-encoding: chunked"), "{}", answer.head());
    for part in [r#""Type":"volume""#, r#""Action":"create""#, r#""ID":"data""#] {
        assert!(answer.body().contains(part), "{}", answer.body());
    }
}

#[test]
fn a_second_daemon_on_the_same_root_is_refused() {
    let first = Daemon::start();
    let output = Command::new(env!("CARGO_BIN_EXE_skiffd"))
        .arg("--data-root")
        .arg(first.home.path().join("data"))
        .arg("--host")
        .arg(first.home.path().join("other.sock"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&format!("the skiffd with pid {} already does", first.pid())), "{text}");
}

#[test]
fn a_daemon_that_is_asked_to_stop_leaves_neither_socket_nor_pid() {
    let mut daemon = Daemon::start();
    assert!(daemon.home.path().join("run/skiffd.pid").exists());
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log());
    assert!(!daemon.socket().exists());
    assert!(!daemon.home.path().join("run/skiffd.pid").exists());
}
