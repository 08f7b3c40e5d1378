//! The main job of the README: a container from the image that the engine brings along, with no network at all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use skiff_tests::Daemon;

#[test]
fn hello_reports_from_inside_and_names_the_six_steps() {
    let daemon = Daemon::bare(&[]);
    let page = daemon.skiff(&["run", "--rm", "hello"]);
    let steps = ["1 image", "2 record", "3 files", "4 network", "5 process", "6 end"];
    let named = page.ok().lines().filter(|line| steps.iter().any(|step| line.trim_start().starts_with(step)));
    assert_eq!(named.count(), steps.len(), "{page}");
    let facts: serde_json::Value =
        serde_json::from_str(daemon.skiff(&["run", "--rm", "hello", "--json"]).ok()).unwrap();
    assert_eq!(facts["pid"], 1, "{facts:#}");
    daemon.finish();
}

#[test]
fn ordinary_names_go_on_working() {
    let daemon = Daemon::bare(&[]);
    daemon.skiff(&["run", "--name", "first", "hello"]).ok();
    let all = daemon.skiff(&["ps", "-a", "--format", "{{.Names}} {{.Image}} {{.Status}}"]);
    assert!(all.ok().starts_with("first hello Exited (0)"), "{all}");
    assert!(daemon.skiff(&["images"]).ok().contains("hello"));
    assert_eq!(daemon.skiff(&["rm", "first"]).ok(), "first");
    daemon.finish();
}

#[test]
fn a_daemon_that_was_named_is_not_started() {
    // Only where nothing is named does the client start a daemon, on the default socket.
    let nowhere = skiff_tests::run(
        std::process::Command::new(skiff_tests::binary("skiff")).args(["-H", "unix:///nonexistent/skiff.sock", "ps"]),
        b"",
    );
    nowhere.fails(1, "Cannot connect to the Skiff daemon at unix:///nonexistent/skiff.sock");
}
