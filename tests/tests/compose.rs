//! docker-compose 1.29, Debian's: an application of three services, from up to down.

use std::process::Command;
use std::time::{Duration, Instant};

use skiff_tests::{Daemon, Ran, run};

/// A daemon and what compose says to it.
struct App {
    daemon: Daemon,
}

impl App {
    fn compose(&self, arguments: &[&str]) -> Ran {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compose/docker-compose.yml");
        let mut command = Command::new("/usr/bin/docker-compose");
        command.args(["--no-ansi", "-p", "app", "-f", file]).args(arguments);
        command.env("DOCKER_HOST", format!("unix://{}", self.daemon.socket().display()));
        command.env("DOCKER_CONFIG", self.daemon.directory().join("client"));
        run(&mut command, b"")
    }

    /// Names and states of all containers, sorted.
    fn states(&self, filter: &str) -> String {
        let listed = self.daemon.docker(&["ps", "-a", "--filter", filter, "--format", "{{.Names}} {{.State}}"]);
        let mut lines: Vec<_> = listed.ok().lines().collect();
        lines.sort_unstable();
        lines.join(", ")
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not happen: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_application_of_three_services() {
    let app = App { daemon: Daemon::start() };
    app.compose(&["up", "-d"]).ok();
    assert_eq!(app.states("name=app_"), "app_db_1 running, app_web_1 running, app_worker_1 running");
    // `web` was started when `db` was healthy, and not before.
    let health = app.daemon.docker(&["inspect", "--format", "{{.State.Health.Status}}", "app_db_1"]);
    assert_eq!(health.ok(), "healthy");
    let page = || app.daemon.on_host(&["curl", "-s", "--max-time", "5", "http://127.0.0.1:8080/index.html"]);
    eventually("a page from the published port", || page().stdout == "hello\n");
    assert_eq!(
        app.compose(&["exec", "-T", "web", "sh", "-c", "echo $COLOUR; cat /www/index.html"]).ok(),
        "blue\nhello"
    );
    app.compose(&["up", "-d", "--scale", "worker=3"]).ok();
    assert_eq!(app.states("name=worker").matches("running").count(), 3);
    eventually("ticks of all workers", || {
        let logs = app.compose(&["logs", "worker"]).stdout;
        (1..=3).all(|number| logs.contains(&format!("worker_{number}")))
    });
    // A worker that fails is started again.
    app.daemon.docker(&["exec", "app_worker_1", "touch", "/stop"]).ok();
    let count = || app.daemon.docker(&["inspect", "--format", "{{.RestartCount}}", "app_worker_1"]);
    eventually("a restart", || count().ok().parse::<u32>().unwrap_or(0) > 0);
    app.compose(&["restart", "-t", "1", "web"]).ok();
    eventually("the page again", || page().stdout == "hello\n");
    app.compose(&["up", "-d", "--scale", "worker=1"]).ok();
    app.compose(&["stop", "-t", "1", "db"]).ok();
    assert_eq!(app.states("name=db"), "app_db_1 exited");
    let table = app.daemon.docker(&["run", "--rm", "-v", "app_rows:/data", "busybox", "cat", "/data/table"]);
    assert_eq!(table.ok(), "rows");
    app.compose(&["down", "-v", "-t", "1"]).ok();
    assert_eq!(app.states("name=app_"), "");
    assert_eq!(app.daemon.docker(&["network", "ls", "-q", "--filter", "name=app_"]).ok(), "");
    assert_eq!(app.daemon.docker(&["volume", "ls", "-q"]).ok(), "");
    app.daemon.finish();
}
